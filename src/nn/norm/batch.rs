//! Batch normalization over features, or over the channels of images.
//!
//! # The derivative
//!
//! For one feature of a batch (or one channel of images) with `m` values `x_i`, let `μ = Σ x_i / m`,
//! `v = Σ (x_i - μ)² / m`, `f = (v + ε)^-½`, `x̂_i = (x_i - μ) · f`, `y_i = w · x̂_i + b` and `g_i = ∂L/∂y_i`. The
//! gradients of weight and bias are plain sums:
//!
//! ```text
//! ∂L/∂w = Σ g_i · x̂_i            ∂L/∂b = Σ g_i
//! ```
//!
//! The input affects the loss in three ways: directly, through the mean and through the variance. From `∂μ/∂x_i = 1/m`,
//! `∂v/∂x_i = 2 (x_i - μ) / m` and `∂f/∂v = -f³/2`:
//!
//! ```text
//! ∂x̂_j/∂x_i = f · ([i = j] - 1/m) - (x_j - μ) · f³ · (x_i - μ) / m
//!           = f · ([i = j] - 1/m - x̂_i · x̂_j / m)
//!
//! ∂L/∂x_i   = Σ_j w · g_j · ∂x̂_j/∂x_i
//!           = w · f · (g_i - Σ_j g_j / m - x̂_i · Σ_j g_j · x̂_j / m)
//!           = w · f · (g_i - (∂L/∂b + x̂_i · ∂L/∂w) / m)
//! ```
//!
//! `backward` computes the last line: the two sums are the gradients of weight and bias, which it needs anyway, so the
//! pass needs `x̂` and `f` and not the input. In words, the gradient loses its mean and its component along `x̂`:
//! shifting or scaling all samples together does not change the output (up to ε).
//!
//! If the running statistics were used, they do not depend on the batch, and `w · f · g_i` remains.

use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::kernels::Scalar;
use crate::nn::{Layer, LayerSpec, OutputActivation, batch_error, check_gradient};
use crate::param::Param;
use crate::random::Random;
use crate::state::Kind;
use crate::tensor::{Tensor, copy, recycle, scratch, size, slice, slice_mut, standard};
use serde::{Deserialize, Serialize};

/// Batch normalization: `y = (x - mean) / √(variance + ε) · weight + bias`, per feature or channel.
///
/// Input and output are `[batch, features]` or `[batch, channels, …]`: the statistics are those of axis 1, over the
/// batch and all later axes. Training uses the mean and the (biased) variance of the batch, and keeps running
/// statistics in buffers: `running = (1 - momentum) · running + momentum · batch`, with the unbiased variance.
/// Inference uses the running statistics. By default ε is 1e-5 and the momentum 0.1, as in PyTorch's `BatchNorm1d`,
/// `2d` and `3d`; the parameters have PyTorch's names: `weight`, `bias`, `running_mean`, `running_var`.
///
/// If weight and bias are frozen ([`freeze`](crate::nn::Parameters::freeze) of the layer), the layer is in
/// inference mode during training too: the running statistics are used and not updated.
///
/// A training batch with one value per feature has no variance. [`Trainer::fit`](crate::train::Trainer::fit) refuses a
/// batch size of one sample before the first step if that leaves one value per feature and the layer is not frozen; if a batch of one sample is left over at
/// the end of an epoch, it is normalized with the running statistics, and does not update them.
///
/// Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate
/// shift", 2015.
///
/// ```
/// use plywood::prelude::*;
///
/// let model = Sequential::builder([8])
///     .layer(Dense::units(16).bias(false)).layer(BatchNorm::new()).layer(ReLU)
///     .build()?;
/// assert_eq!(model.output_shape(), [16]);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | | Plywood | PyTorch `BatchNorm1d`, `2d` | Keras 3 `BatchNormalization` |
/// |---|---|---|---|
/// | ε | 1e-5 | 1e-5 | 1e-3 |
/// | momentum | 0.1 of the new batch | 0.1 of the new batch | 0.99 of the old |
/// | running variance | unbiased | unbiased | biased |
/// | channels | axis 1 | axis 1 | the last axis |
/// | batches of one value per feature | an error; a smaller last batch uses the running statistics | an error | variance 0 |
/// | names | `weight`, `bias`, `running_mean`, `running_var` | the same | `gamma`, `beta`, `moving_…` |
/// | with weight and bias frozen | inference mode | statistics are still updated | inference mode |
///
/// Memory in training: `x̂`, which reuses the buffer of the input, and a copy for the output. The variance is computed
/// in two passes, so that large means cause no cancellation.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let mut layer: BatchNorm<f64> = BatchNorm::new().momentum(1.0).build(&[1], &Random::seed(0))?;
/// let x = arr2(&[[2.0], [4.0], [6.0]]).into_dyn();
/// let (y, _) = layer.forward_train(x.clone())?; // by the biased variance, 8/3
/// assert!((y[[2, 0]] - 2.0 / (8.0 / 3.0 + 1e-5f64).sqrt()).abs() < 1e-12);
/// let y = layer.forward(x)?; // by the running one, which is unbiased: 4
/// assert!((y[[2, 0]] - 2.0 / (4.0 + 1e-5f64).sqrt()).abs() < 1e-12);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct BatchNorm<F: Scalar = f32> {
    /// γ in the paper; starts at 1.
    weight: Param<F>,
    /// β in the paper; starts at 0.
    bias: Param<F>,
    /// A buffer; starts at 0.
    running_mean: Param<F>,
    /// A buffer; starts at 1, so that an untrained layer returns its input, up to ε.
    running_var: Param<F>,
    #[serde(with = "crate::codec::words")]
    epsilon: f64,
    #[serde(with = "crate::codec::words")]
    momentum: f64,
}

/// What the backward pass of [`BatchNorm`] needs.
///
/// Its content is private; the type is public because [`Layer::Cache`] names it.
#[derive(Debug)]
pub struct BatchNormCache<F> {
    /// `(x - mean) / √(variance + ε)`.
    normal: Tensor<F>,
    /// `1 / √(variance + ε)`, `[features]` or `[channels]`.
    factor: Tensor<F>,
    /// True if mean and variance depended on the batch; otherwise the last two terms of the derivative are absent.
    batch: bool,
}

impl BatchNorm<f32> {
    /// Returns a spec with PyTorch's ε and momentum.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let layer: BatchNorm = BatchNorm::new().build(&[8], &Random::seed(0))?;
    /// let mut names = Vec::new();
    /// layer.visit_params(&mut |name, param| names.push((name.to_owned(), param.is_trainable())));
    /// assert_eq!(names[0], ("weight".into(), true));
    /// assert_eq!(names[3], ("running_var".into(), false));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[expect(clippy::new_ret_no_self, reason = "the number of features is known when the model is built")]
    pub fn new() -> BatchNormSpec {
        BatchNormSpec { epsilon: 1e-5, momentum: 0.1 }
    }
}

impl<F: Scalar> BatchNorm<F> {
    /// Returns the length of all four arrays; `output_shape` checks it for layers loaded from a file.
    fn features(&self) -> usize {
        self.weight.len()
    }

    /// Returns whether the layer is frozen, and so always in inference mode.
    fn is_frozen(&self) -> bool {
        !self.weight.is_trainable() && !self.bias.is_trainable()
    }

    /// Returns how many adjacent values of a sample are in one channel: 1 if features are normalized.
    fn inner(&self, sample: &[usize]) -> Result<usize> {
        let n = self.features();
        match sample {
            [channels, rest @ ..] if *channels == n && n > 0 => Ok(size(rest)),
            _ => Err(Error::shape("the input", format!("[{n}] or [{n}, …]"), sample).help(
                "Axis 1, after the batch, must have as many features or channels as the layer was built for.",
            )),
        }
    }

    /// Returns the input in row-major order, and the result of [`inner`](BatchNorm::inner).
    fn checked(&self, input: Tensor<F>) -> Result<(Tensor<F>, usize)> {
        match input.shape() {
            [_, sample @ ..] if self.inner(sample).is_ok() => {
                let inner = self.inner(sample)?;
                Ok((standard(input), inner))
            }
            found if found.len() > 2 => {
                let expected = format!("[batch, {}, …]", self.features());
                Err(Error::shape("the input", expected, found)
                    .help("Axis 0 is the batch, axis 1 that of the channels."))
            }
            found => Err(batch_error(found, &[self.features()])),
        }
    }

    /// Returns `factor` and `offset`, with which inference is `x · factor + offset`.
    ///
    /// `factor = w / √(var + ε)` and `offset = b - mean · factor`: two numbers per feature, computed in each call
    /// because the layer may have been trained since the last one.
    fn inference(&self) -> (Tensor<F>, Tensor<F>) {
        let n = self.features();
        let (mut factor, mut offset) = (scratch(&[n]), scratch(&[n]));
        let (f, o) = (slice_mut(&mut factor), slice_mut(&mut offset));
        let epsilon = F::of(self.epsilon);
        for i in 0..n {
            f[i] = self.weight.as_slice()[i] / (self.running_var.as_slice()[i] + epsilon).sqrt();
            o[i] = self.bias.as_slice()[i] - self.running_mean.as_slice()[i] * f[i];
        }
        (factor, offset)
    }

    /// Returns the mean and the variance of a batch, and updates the running ones.
    fn of_batch(&mut self, x: &Tensor<F>, inner: usize) -> (Tensor<F>, Tensor<F>) {
        let n = self.features();
        let count = F::of((x.len() / n) as f64);
        let (mut mean, mut variance) = (scratch(&[n]), scratch(&[n]));
        let (m, v) = (slice_mut(&mut mean), slice_mut(&mut variance));
        F::sum_channels(slice(x), inner, m);
        F::scale(m, count.recip());
        F::spread_channels(slice(x), inner, m, v);
        F::scale(v, count.recip());
        let (old, new) = (F::of(1.0 - self.momentum), F::of(self.momentum));
        F::scale(self.running_mean.as_slice_mut(), old);
        F::add_scaled(self.running_mean.as_slice_mut(), new, m);
        F::scale(self.running_var.as_slice_mut(), old);
        F::add_scaled(self.running_var.as_slice_mut(), new * count / (count - F::one()), v);
        (mean, variance)
    }

    /// Returns the running mean and variance.
    fn running(&self) -> (Tensor<F>, Tensor<F>) {
        (copy(self.running_mean.value()), copy(self.running_var.value()))
    }

    /// Returns `w · x̂ + b` by these statistics, and the cache.
    fn standardized(
        &self,
        (mut x, inner): (Tensor<F>, usize),
        (mean, mut factor): (Tensor<F>, Tensor<F>),
        batch: bool,
    ) -> (Tensor<F>, BatchNormCache<F>) {
        let epsilon = F::of(self.epsilon);
        for f in slice_mut(&mut factor) {
            *f = (*f + epsilon).sqrt().recip();
        }
        F::standardize_channels(slice_mut(&mut x), inner, slice(&mean), slice(&factor));
        let mut output = copy(&x);
        F::affine_channels(slice_mut(&mut output), inner, self.weight.as_slice(), self.bias.as_slice());
        recycle(mean);
        (output, BatchNormCache { normal: x, factor, batch })
    }
}

impl<F: Scalar> Layer<F> for BatchNorm<F> {
    const KIND: Kind = Kind::builtin("batch_norm");
    type Cache = BatchNormCache<F>;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        check_settings(self.epsilon, self.momentum)?;
        let n = self.features();
        let sizes = [&self.weight, &self.bias, &self.running_mean, &self.running_var];
        if sizes.iter().any(|param| param.shape() != [n]) {
            let found = sizes.map(|param| format!("{:?}", param.shape())).join(", ");
            return Err(Error::format("the batch normalization", "have four arrays of one length", found)
                .help("The file is corrupt; save the model again."));
        }
        self.inner(input)?;
        Ok(input.to_vec())
    }

    /// Works in place: one multiplication and one addition per value. A row's output depends only on that row.
    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        let (mut output, inner) = self.checked(input)?;
        let (factor, offset) = self.inference();
        F::affine_channels(slice_mut(&mut output), inner, slice(&factor), slice(&offset));
        recycle(factor);
        recycle(offset);
        Ok(output)
    }

    /// Takes five passes over the batch: mean, variance, `x̂`, a copy, and `w · x̂ + b`.
    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, BatchNormCache<F>)> {
        let (x, inner) = self.checked(input)?;
        let batch = x.len() / self.features() > 1 && !self.is_frozen();
        let statistics = if batch { self.of_batch(&x, inner) } else { self.running() };
        Ok(self.standardized((x, inner), statistics, batch))
    }

    fn forward_eval(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, BatchNormCache<F>)> {
        let checked = self.checked(input)?;
        Ok(self.standardized(checked, self.running(), false))
    }

    /// A frozen parameter ignores its gradient, but its sum is needed for `dx`.
    fn backward(&mut self, cache: BatchNormCache<F>, grad: Tensor<F>) -> Result<Tensor<F>> {
        let BatchNormCache { mut normal, mut factor, batch } = cache;
        check_gradient(&grad, normal.shape())?;
        let inner = self.inner(grad.shape().get(1..).unwrap_or_default())?;
        let mut grad = standard(grad);
        let n = self.features();
        let (mut weight, mut bias) = (scratch(&[n]), scratch(&[n]));
        F::dot_channels(slice(&grad), slice(&normal), inner, slice_mut(&mut weight));
        F::sum_channels(slice(&grad), inner, slice_mut(&mut bias));
        self.weight.add_gradient(&weight)?;
        self.bias.add_gradient(&bias)?;
        // dx = w·f · (g - (Σ g + x̂ · Σ g·x̂) / rows) if mean and variance came from the batch, else w·f · g.
        let scale = slice_mut(&mut factor);
        F::multiply(scale, self.weight.as_slice());
        if batch {
            let share = F::of((grad.len() / n) as f64).recip();
            for sums in [&mut weight, &mut bias] {
                F::multiply(slice_mut(sums), scale);
                F::scale(slice_mut(sums), share);
            }
            F::affine_channels(slice_mut(&mut normal), inner, slice(&weight), slice(&bias));
        }
        F::scale_channels(slice_mut(&mut grad), inner, scale);
        if batch {
            F::add_scaled(slice_mut(&mut grad), -F::one(), slice(&normal));
        }
        for spent in [normal, factor, weight, bias] {
            recycle(spent);
        }
        Ok(grad)
    }

    /// Requires two values per feature, since one has no variance.
    fn check_batch_size(&self, input: &[usize], samples: usize) -> Result<()> {
        if self.is_frozen() || samples > 1 || self.inner(input)? > 1 {
            return Ok(());
        }
        Err(Error::argument("the batch size", "at least 2 for batch normalization", samples)
            .help("Use larger batches or `LayerNorm`, or freeze the layer: a single number has no variance."))
    }

    /// The outputs are any real numbers.
    fn output_activation(&self, _: OutputActivation) -> OutputActivation {
        OutputActivation::Linear
    }

    fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        visit("weight", &self.weight);
        visit("bias", &self.bias);
        visit("running_mean", &self.running_mean);
        visit("running_var", &self.running_var);
    }

    fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
        visit("weight", &mut self.weight);
        visit("bias", &mut self.bias);
        visit("running_mean", &mut self.running_mean);
        visit("running_var", &mut self.running_var);
    }
}

/// The spec of a [`BatchNorm`] layer, from [`BatchNorm::new`].
#[derive(Clone, Copy, Debug)]
pub struct BatchNormSpec {
    epsilon: f64,
    momentum: f64,
}

impl BatchNormSpec {
    /// Sets ε (default: 1e-5), the number added to the variance; it must be above 0.
    ///
    /// It bounds the factor: a feature that is constant in the batch has `x̂ = 0` instead of 0/0.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let keras = BatchNorm::new().epsilon(1e-3).momentum(0.01);
    /// assert!(Sequential::builder([4]).layer(keras).build().is_ok());
    /// let error = Sequential::builder([4]).layer(BatchNorm::new().epsilon(0.0)).build().unwrap_err();
    /// assert!(error.to_string().starts_with("layer 0 (batch_norm): `epsilon` must be positive, got 0."));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// Sets the weight of the new batch in the running statistics (default: 0.1), from 0 to 1. (Keras' `momentum` is 1
    /// minus this.)
    ///
    /// After `n` batches, `(1 - momentum)^n` of the initial value is left in the running mean: with 0.1, that is 3 %
    /// after 33 batches. With 0 the statistics never change.
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }
}

impl<F: Scalar> LayerSpec<F> for BatchNormSpec {
    type Layer = BatchNorm<F>;

    /// Builds the layer for the first axis of a sample. Nothing is drawn at random.
    fn build(self, input: &[usize], random: &Random) -> Result<BatchNorm<F>> {
        let Self { epsilon, momentum } = self;
        check_settings(epsilon, momentum)?;
        let n = match *input {
            [n, ..] if n > 0 => n,
            _ => {
                return Err(Error::shape("the input", "[features] or [channels, …]", input)
                    .help("Batch normalization takes `[batch, features]` or `[batch, channels, …]`."));
            }
        };
        let all = |value: f64| Initializer::Constant(value).tensor(&[n], n, n, random);
        Ok(BatchNorm {
            weight: Param::new(all(1.0)?),
            bias: Param::new(all(0.0)?),
            running_mean: Param::buffer(all(0.0)?),
            running_var: Param::buffer(all(1.0)?),
            epsilon,
            momentum,
        })
    }
}

/// Checks the settings, which come from a user or from a file.
fn check_settings(epsilon: f64, momentum: f64) -> Result<()> {
    if !(epsilon > 0.0 && epsilon.is_finite()) {
        return Err(Error::argument("epsilon", "positive", epsilon).help("PyTorch's is 1e-5, Keras' 1e-3."));
    }
    if !(0.0..=1.0).contains(&momentum) {
        return Err(Error::argument("momentum", "from 0 to 1", momentum)
            .help("It is the share of the new batch; in Keras it is the share of the old value."));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
