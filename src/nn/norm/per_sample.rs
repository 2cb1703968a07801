//! The common part of the per-sample normalizations: [`LayerNorm`](crate::nn::LayerNorm),
//! [`GroupNorm`](crate::nn::GroupNorm), [`RMSNorm`](crate::nn::RMSNorm).
//!
//! # The derivative
//!
//! All three divide a sample into rows of `n` values and output, with `f = (v + ε)^-½`,
//!
//! ```text
//! x̂_i = (x_i - μ) · f          μ = Σ x_i / n (0 for RMSNorm),   v = Σ (x_i - μ)² / n
//! y_i = w_c · x̂_i + b_c        c: the position in the row (LayerNorm, RMSNorm) or the channel (GroupNorm)
//! ```
//!
//! With `g_i = ∂L/∂y_i` and `h_i = w_c · g_i`, by the derivation that `batch.rs` gives in full:
//!
//! ```text
//! ∂L/∂w_c = Σ g_i · x̂_i        ∂L/∂b_c = Σ g_i                      over all rows in which c occurs
//! ∂L/∂x_i = f · (h_i - Σ_j h_j / n - x̂_i · Σ_j h_j · x̂_j / n)       without the second term for RMSNorm
//! ```
//!
//! So `backward` needs `x̂` and one `f` per row. No statistics are shared between samples: training and inference are
//! the same function, and a sample alone gives bit-identical output to the same sample in a batch.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::check_gradient;
use crate::param::Param;
use crate::tensor::{Tensor, copy, recycle, scratch, slice, slice_mut, standard};

/// What the backward pass of [`LayerNorm`](crate::nn::LayerNorm), [`GroupNorm`](crate::nn::GroupNorm) and
/// [`RMSNorm`](crate::nn::RMSNorm) needs.
///
/// Its content is private; the type is public because [`Layer::Cache`](crate::nn::Layer::Cache) names it.
#[derive(Debug)]
pub struct NormCache<F> {
    /// `x̂`, as large as the input and in its buffer.
    normal: Tensor<F>,
    /// `f`, one number per row.
    factors: Tensor<F>,
}

/// How an input is divided into rows.
#[derive(Clone, Copy)]
pub(super) struct NormShape {
    /// The number of values that share a mean and a variance.
    pub columns: usize,
    /// The number of adjacent values that share a weight.
    pub inner: usize,
    /// True if the mean is subtracted.
    pub centre: bool,
    pub epsilon: f64,
}

impl NormShape {
    /// Checks that there is something to normalize: a single value minus its mean is 0.
    pub(super) fn check_more_than_one(self, input: &[usize]) -> Result<()> {
        if self.columns != 1 {
            return Ok(());
        }
        Err(Error::shape("the input", "[…] with more than one number to normalize together", input)
            .help("A number minus its own mean is always 0: leave the layer out, or use larger groups."))
    }

    /// Returns `x̂` in the input's buffer, and the factors.
    fn normalize<F: Scalar>(self, input: Tensor<F>) -> NormCache<F> {
        let mut normal = standard(input);
        let mut factors = scratch(&[normal.len() / self.columns.max(1)]);
        let (epsilon, f) = (F::of(self.epsilon), slice_mut(&mut factors));
        F::normalize_rows(slice_mut(&mut normal), self.columns, epsilon, self.centre, f);
        NormCache { normal, factors }
    }

    /// Computes `w · x + b` in place.
    fn scale_and_shift<F: Scalar>(self, x: &mut Tensor<F>, weight: &Param<F>, bias: Option<&Param<F>>) {
        match bias {
            Some(bias) => F::affine_channels(slice_mut(x), self.inner, weight.as_slice(), bias.as_slice()),
            None => F::scale_channels(slice_mut(x), self.inner, weight.as_slice()),
        }
    }

    /// Works in place.
    pub(super) fn forward<F: Scalar>(
        self,
        input: Tensor<F>,
        weight: &Param<F>,
        bias: Option<&Param<F>>,
    ) -> Tensor<F> {
        let NormCache { normal: mut output, factors } = self.normalize(input);
        recycle(factors);
        self.scale_and_shift(&mut output, weight, bias);
        output
    }

    /// Like `forward`; a copy of `x̂` becomes the output.
    pub(super) fn forward_train<F: Scalar>(
        self,
        input: Tensor<F>,
        weight: &Param<F>,
        bias: Option<&Param<F>>,
    ) -> (Tensor<F>, NormCache<F>) {
        let cache = self.normalize(input);
        let mut output = copy(&cache.normal);
        self.scale_and_shift(&mut output, weight, bias);
        (output, cache)
    }

    /// Returns the gradient of the input, in the buffer of `grad`; adds those of weight and bias.
    pub(super) fn backward<F: Scalar>(
        self,
        cache: NormCache<F>,
        grad: Tensor<F>,
        weight: &mut Param<F>,
        bias: Option<&mut Param<F>>,
    ) -> Result<Tensor<F>> {
        let NormCache { normal, factors } = cache;
        check_gradient(&grad, normal.shape())?;
        let mut grad = standard(grad);
        let mut sums = scratch(weight.shape());
        if weight.is_trainable() {
            F::dot_channels(slice(&grad), slice(&normal), self.inner, slice_mut(&mut sums));
            weight.add_gradient(&sums)?;
        }
        if let Some(bias) = bias.filter(|bias| bias.is_trainable()) {
            F::sum_channels(slice(&grad), self.inner, slice_mut(&mut sums));
            bias.add_gradient(&sums)?;
        }
        let g = slice_mut(&mut grad);
        F::scale_channels(g, self.inner, weight.as_slice());
        F::normalize_rows_back(slice(&normal), slice(&factors), self.columns, self.centre, g);
        for spent in [normal, factors, sums] {
            recycle(spent);
        }
        Ok(grad)
    }
}

/// Checks ε, which comes from a user or from a file; it must be above 0 in the element type too.
pub(super) fn check_epsilon<F: Scalar>(epsilon: f64) -> Result<()> {
    if F::of(epsilon) > F::zero() && F::of(epsilon).is_finite() {
        return Ok(());
    }
    Err(Error::argument("epsilon", format!("positive in {}", F::NAME), epsilon)
        .help("It bounds the factor of constant rows; 1e-5 is usual."))
}
