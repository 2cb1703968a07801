//! The forms that a gradient has: numbers, rows, a product that waits.

use crate::kernels::Scalar;
use crate::tensor::{Tensor, scratch, slice, slice_mut};
use ndarray::{ArrayView2, ArrayViewMut2, ArrayViewMutD};
use std::sync::OnceLock;

/// What backward passes have added up for one parameter since the last step.
///
/// The second form is for tables of which a batch touches little. A table of 50,000 rows of 300 numbers has a dense
/// gradient of 60 MB in `f32`; a batch of 32 ids has one of 38 KB by rows. PyTorch has it as `sparse=True` of
/// `nn.Embedding`, TensorFlow as `IndexedSlices`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Gradient<F = f32> {
    /// A number for each number of the parameter, in its shape.
    ///
    /// Row-major, as the parameter is.
    Dense(Tensor<F>),
    /// Only some rows (positions along axis 0), as an embedding has it; an id may come up more than once, and its
    /// rows then add up.
    Rows {
        /// The row that each row of `values` belongs to.
        ///
        /// In the order of the calls, not sorted; each below the length of the parameter's axis 0.
        ids: Vec<usize>,
        /// One row after the other.
        ///
        /// `ids.len() · columns` of them, where `columns` is the product of the parameter's axes behind axis 0.
        values: Vec<F>,
    },
}

/// A [`Gradient`] whose numbers may be changed: what [`Param::value_and_gradient`](super::Param::value_and_gradient)
/// hands out.
#[derive(Debug)]
#[non_exhaustive]
pub enum GradientMut<'a, F = f32> {
    /// A number for each number of the parameter, in its shape.
    Dense(ArrayViewMutD<'a, F>),
    /// Only some rows, as in [`Gradient::Rows`].
    Rows {
        /// The row that each row of `values` belongs to.
        ids: &'a [usize],
        /// One row after the other.
        values: &'a mut [F],
    },
}

/// The gradient's buffers outlive the steps; `Fresh` holds one whose numbers are of a step that is over.
///
/// `Default` is what serde puts in place of the skipped field, so a loaded parameter has no gradient.
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

/// A gradient `leftᵀ · right` that has not been multiplied out, unless somebody has looked at it.
#[derive(Clone, Debug)]
pub(super) struct Product<F> {
    pub left: Tensor<F>,
    pub right: Tensor<F>,
    pub multiplied: OnceLock<Gradient<F>>,
}

/// Up to how many numbers on its right side a product is small: they stay in the first level of the caches while it is
/// multiplied out.
pub(crate) const SMALL_PRODUCT: usize = 8_192;

/// A gradient as the optimizer takes it up.
pub(crate) enum PendingGradient<'a, F> {
    /// A number for each number of the parameter.
    Dense(&'a [F]),
    /// As [`Gradient::Rows`].
    Rows(&'a mut Vec<usize>, &'a mut Vec<F>),
    /// `leftᵀ · right`, of matrices with one row for each row of the batch.
    Product(ArrayView2<'a, F>, ArrayView2<'a, F>),
}

impl<F: Scalar> Product<F> {
    /// Whether it is left for the optimizer to multiply out, strip by strip: it is small, or at least takes no more
    /// memory than the gradient would.
    pub fn may_wait(&self, gradient: usize) -> bool {
        self.right.len() <= SMALL_PRODUCT || self.left.len() + self.right.len() <= gradient
    }

    /// Both sides as matrices, for a parameter of this shape.
    pub fn factors(&self, [inputs, units]: [usize; 2]) -> (ArrayView2<'_, F>, ArrayView2<'_, F>) {
        let rows = self.left.shape().split_last().map_or(0, |(_, axes)| axes.iter().product());
        let left = ArrayView2::from_shape((rows, inputs), slice(&self.left));
        let right = ArrayView2::from_shape((rows, units), slice(&self.right));
        (left.expect("rows of inputs"), right.expect("rows of units"))
    }

    /// The gradient, worked out at the first look.
    pub fn multiplied(&self, value: &Tensor<F>) -> &Gradient<F> {
        self.multiplied.get_or_init(|| {
            let mut gradient = scratch(value.shape());
            self.multiply(value, F::zero(), slice_mut(&mut gradient));
            Gradient::Dense(gradient)
        })
    }

    /// `sum = beta · sum + leftᵀ · right`, for a parameter with this value.
    pub fn multiply(&self, value: &Tensor<F>, beta: F, sum: &mut [F]) {
        let (left, right) = self.factors([value.shape()[0], value.shape()[1]]);
        let sum = ArrayViewMut2::from_shape((left.ncols(), right.ncols()), sum);
        F::matmul(left.reversed_axes(), right, beta, sum.expect("the parameter's numbers"));
    }
}
