//! The operations along an axis of values of a graph that is being built.

use super::builder::Value;
use super::ops::{ArgMax, CumSum, MAX, MEAN, MIN, MatMul, PRODUCT, Reduce, SUM, Softmax};
use crate::kernels::Scalar;

/// Products, and reductions along an axis.
///
/// An attention head, of queries, keys and values `[batch, steps, n]`:
///
/// ```
/// use plywood::nn::{Graph, Value};
/// use plywood::prelude::*;
///
/// fn head<'g>(q: Value<'g>, k: Value<'g>, v: Value<'g>) -> Value<'g> {
///     let scores = q.matmul(k.t()) / (q.size(-1) as f64).sqrt(); // [batch, steps, steps]
///     scores.softmax(-1).matmul(v)
/// }
/// let g = Graph::builder();
/// let x = g.input("x", [5, 8]);
/// let [q, k, v] = x.layer(Dense::units(3 * 8)).split(-1);
/// g.output("y", head(q, k, v));
/// assert_eq!(g.build()?.outputs()[0].shape(), [5, 8]);
/// # Ok::<(), plywood::Error>(())
/// ```
impl<'g, F: Scalar> Value<'g, F> {
    /// The product of matrices, over the last axis of this value and the second-to-last of the other.
    ///
    /// | this | other | result |
    /// |---|---|---|
    /// | `[…, k]` | `[k, m]`, a parameter | `[…, m]` |
    /// | `[…, n, k]` | `[…, k, m]`, the same axes in front | `[…, n, m]` |
    ///
    /// `x.matmul(y.t())` multiplies with the transpose without making it.
    #[track_caller]
    pub fn matmul(self, other: Self) -> Self {
        // The transpose stays in the graph for whoever else reads it, and falls away if nobody does.
        let original = other.inputs_if("transpose").and_then(|inputs| inputs.first().copied());
        let op = MatMul { transposed: original.is_some() };
        self.builder.op(op, &[self, original.unwrap_or(other)])
    }

    /// The sum along an axis, which goes.
    #[track_caller]
    pub fn sum(self, axis: isize) -> Self {
        self.reduce::<SUM>(axis, false)
    }

    /// The sum along an axis, which stays with a size of 1.
    #[track_caller]
    pub fn sum_keepdim(self, axis: isize) -> Self {
        self.reduce::<SUM>(axis, true)
    }

    /// The mean along an axis, which goes.
    #[track_caller]
    pub fn mean(self, axis: isize) -> Self {
        self.reduce::<MEAN>(axis, false)
    }

    /// The mean along an axis, which stays with a size of 1, so that the result broadcasts: `x - x.mean_keepdim(-1)`.
    #[track_caller]
    pub fn mean_keepdim(self, axis: isize) -> Self {
        self.reduce::<MEAN>(axis, true)
    }

    /// The largest number along an axis, which goes; NaN if there is one. The first of equal ones gets the gradient,
    /// which `torch.amax` distributes among them.
    #[track_caller]
    pub fn max(self, axis: isize) -> Self {
        self.reduce::<MAX>(axis, false)
    }

    /// The largest number along an axis, as [`max`](Value::max); the axis stays with a size of 1.
    #[track_caller]
    pub fn max_keepdim(self, axis: isize) -> Self {
        self.reduce::<MAX>(axis, true)
    }

    /// The smallest number along an axis, which goes; NaN if there is one. The first of equal ones gets the gradient,
    /// which `torch.amin` distributes among them.
    #[track_caller]
    pub fn min(self, axis: isize) -> Self {
        self.reduce::<MIN>(axis, false)
    }

    /// The smallest number along an axis, as [`min`](Value::min); the axis stays with a size of 1.
    #[track_caller]
    pub fn min_keepdim(self, axis: isize) -> Self {
        self.reduce::<MIN>(axis, true)
    }

    /// The product along an axis, which goes: `torch.prod`, ONNX's `ReduceProd`. Without any real step it is 1.
    #[track_caller]
    pub fn prod(self, axis: isize) -> Self {
        self.reduce::<PRODUCT>(axis, false)
    }

    /// The product along an axis, as [`prod`](Value::prod); the axis stays with a size of 1.
    #[track_caller]
    pub fn prod_keepdim(self, axis: isize) -> Self {
        self.reduce::<PRODUCT>(axis, true)
    }

    /// The position of the largest number along an axis, which goes: `torch.argmax`, ONNX's `ArgMax`. It is a number, from 0
    /// on: the first of equal ones, and that of the first NaN if there is one. It has no gradient.
    ///
    /// ```
    /// use plywood::ndarray::{arr1, arr2};
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// g.output("class", g.input("scores", [3]).argmax(-1));
    /// let y = g.build()?.predict(&arr2(&[[0.0, 2.0, 1.0], [5.0, 2.0, 5.0]]))?;
    /// assert_eq!(y, arr1(&[1.0, 0.0]).into_dyn());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[track_caller]
    pub fn argmax(self, axis: isize) -> Self {
        self.builder.op(ArgMax { axis: axis as i64 }, &[self])
    }

    /// The sums along an axis so far: `torch.cumsum`, ONNX's `CumSum`. The position `i` has the sum of the numbers from 0 to
    /// `i`, and NaN from the first NaN on.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// g.output("y", g.input("x", [3]).cumsum(-1));
    /// assert_eq!(g.build()?.predict(&arr2(&[[1.0, 2.0, 4.0]]))?, arr2(&[[1.0, 3.0, 7.0]]).into_dyn());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[track_caller]
    pub fn cumsum(self, axis: isize) -> Self {
        self.builder.op(CumSum { axis: axis as i64 }, &[self])
    }

    #[track_caller]
    fn reduce<const R: u8>(self, axis: isize, keepdim: bool) -> Self {
        let op = Reduce::<R> { axis: axis as i64, keepdim };
        match self.lengths().filter(|_| self.is_steps(axis)) {
            Some(lengths) => self.builder.op(op, &[self, lengths]),
            None => self.builder.op(op, &[self]),
        }
    }

    /// `e^x / Σ e^x` along an axis: `torch.softmax`, ONNX's `Softmax`. The maximum is subtracted first, so that large numbers
    /// do no harm. What is along the axis with a NaN, or is -∞ throughout, becomes NaN.
    ///
    /// A loss that includes a softmax ([`CrossEntropy`](crate::losses::CrossEntropy)) takes an output that is one over the
    /// last axis without it, as it does after the layer.
    ///
    /// ```
    /// use plywood::ndarray::arr3;
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// let x = g.input("x", [2, 2]); // [batch, steps, 2]
    /// g.output("shares", x.softmax(1)); // over the steps
    /// let y = g.build()?.predict(&arr3(&[[[0.0, 5.0], [0.0, 5.0]]]))?;
    /// assert_eq!(y, arr3(&[[[0.5, 0.5], [0.5, 0.5]]]).into_dyn());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[track_caller]
    pub fn softmax(self, axis: isize) -> Self {
        self.builder.op(Softmax::<false> { axis: self.last_as_minus_one(axis) }, &[self])
    }

    /// `x - ln Σ e^x` along an axis, the logarithm of [`softmax`](Value::softmax): `torch.log_softmax`, ONNX's `LogSoftmax`. It
    /// is exact where `x.softmax(axis).ln()` has lost all digits: it returns -1000 as such.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// g.output("y", g.input("x", [2]).log_softmax(-1));
    /// assert_eq!(g.build()?.predict(&arr2(&[[0.0, -1000.0]]))?, arr2(&[[0.0, -1000.0]]).into_dyn());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[track_caller]
    pub fn log_softmax(self, axis: isize) -> Self {
        self.builder.op(Softmax::<true> { axis: self.last_as_minus_one(axis) }, &[self])
    }

    /// Returns an axis as it is, but the last one as -1: a loss looks for a softmax over the last axis.
    fn last_as_minus_one(self, axis: isize) -> i64 {
        let rank = self.shape().len() as isize + isize::from(self.is_batched());
        if axis == rank - 1 { -1 } else { axis as i64 }
    }
}
