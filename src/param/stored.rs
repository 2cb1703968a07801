//! The representations of a gradient: dense, by rows, or a product that is not yet multiplied out.

use crate::kernels::Scalar;
use crate::tensor::{Tensor, scratch, slice, slice_mut};
use ndarray::{ArrayView2, ArrayViewMut2, ArrayViewMutD};
use std::sync::OnceLock;

/// The gradient of one parameter, accumulated since the last step.
///
/// The sparse form is for tables of which a batch uses few rows. A table of 50,000 rows of 300 values has a dense
/// gradient of 60 MB in `f32`; by rows, a batch of 32 ids has one of 38 KB. It corresponds to `sparse=True` in
/// PyTorch's `nn.Embedding` and to TensorFlow's `IndexedSlices`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Gradient<F = f32> {
    /// One value for each value of the parameter, in its shape.
    ///
    /// Row-major, like the parameter.
    Dense(Tensor<F>),
    /// Only some rows (positions along axis 0), as for an embedding; if an id occurs more than once, its rows add up.
    Rows {
        /// The parameter's row that each row of `values` belongs to.
        ///
        /// In the order of the calls, not sorted; each is below the length of the parameter's axis 0.
        ids: Vec<usize>,
        /// The rows, one after the other.
        ///
        /// `ids.len() · columns` values, where `columns` is the product of the parameter's axes after axis 0.
        values: Vec<F>,
    },
}

/// A mutable view of a [`Gradient`], from [`Param::value_and_gradient`](super::Param::value_and_gradient).
#[derive(Debug)]
#[non_exhaustive]
pub enum GradientMut<'a, F = f32> {
    /// One value for each value of the parameter, in its shape.
    Dense(ArrayViewMutD<'a, F>),
    /// Only some rows, as in [`Gradient::Rows`].
    Rows {
        /// The parameter's row that each row of `values` belongs to.
        ids: &'a [usize],
        /// The rows, one after the other.
        values: &'a mut [F],
    },
}

/// A parameter's stored gradient. Its buffer outlives the step; `Fresh` holds one with the values of a past step.
///
/// Serde uses `Default` for the skipped field, so a loaded parameter has no gradient.
#[derive(Clone, Debug, Default)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one for a parameter, and a box would be allocated at each step"
)]
pub(super) enum Stored<F> {
    #[default]
    None,
    Fresh(Gradient<F>),
    Filled(Gradient<F>),
    Product(Product<F>),
}

/// A gradient `leftᵀ · right` that is multiplied out only when it is read.
#[derive(Clone, Debug)]
pub(super) struct Product<F> {
    pub left: Tensor<F>,
    pub right: Tensor<F>,
    pub multiplied: OnceLock<Gradient<F>>,
}

/// The maximum size of the right factor of a small product: it stays in the L1 cache while it is multiplied out.
pub(crate) const SMALL_PRODUCT: usize = 8_192;

/// A gradient in the form that the optimizer consumes.
pub(crate) enum PendingGradient<'a, F> {
    /// One value for each value of the parameter.
    Dense(&'a [F]),
    /// As [`Gradient::Rows`].
    Rows(&'a mut Vec<usize>, &'a mut Vec<F>),
    /// `leftᵀ · right`, of matrices with one row per row of the batch.
    Product(ArrayView2<'a, F>, ArrayView2<'a, F>),
}

impl<F: Scalar> Product<F> {
    /// Returns whether the optimizer multiplies it out, tile by tile: it is small, or takes no more memory than the
    /// gradient would.
    pub fn may_wait(&self, gradient: usize) -> bool {
        self.right.len() <= SMALL_PRODUCT || self.left.len() + self.right.len() <= gradient
    }

    /// Returns both factors as matrices, for a parameter of this shape.
    pub fn factors(&self, [inputs, units]: [usize; 2]) -> (ArrayView2<'_, F>, ArrayView2<'_, F>) {
        let rows = self.left.shape().split_last().map_or(0, |(_, axes)| axes.iter().product());
        let left = ArrayView2::from_shape((rows, inputs), slice(&self.left));
        let right = ArrayView2::from_shape((rows, units), slice(&self.right));
        (left.expect("rows of inputs"), right.expect("rows of units"))
    }

    /// Returns the gradient, computed at the first call.
    pub fn multiplied(&self, value: &Tensor<F>) -> &Gradient<F> {
        self.multiplied.get_or_init(|| {
            let mut gradient = scratch(value.shape());
            self.multiply(value, F::zero(), slice_mut(&mut gradient));
            Gradient::Dense(gradient)
        })
    }

    /// Computes `sum = beta · sum + leftᵀ · right`, for a parameter with this value.
    pub fn multiply(&self, value: &Tensor<F>, beta: F, sum: &mut [F]) {
        let (left, right) = self.factors([value.shape()[0], value.shape()[1]]);
        let sum = ArrayViewMut2::from_shape((left.ncols(), right.ncols()), sum);
        F::matmul(left.reversed_axes(), right, beta, sum.expect("the parameter's numbers"));
    }
}
