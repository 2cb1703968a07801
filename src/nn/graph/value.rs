//! The operations on values of a graph that is being built.

use super::builder::Value;
use super::function::Function;
use super::ops::{
    Concat, Filled, Gather, MAX, MEAN, MatMul, Part, Permute, Reduce, Reshape, SUM, Slice, Softmax,
    TakeAlong, Transpose,
};
use super::positions::{Positions, Size};
use crate::kernels::{Binary, Scalar, Unary};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// Elementwise functions of one value.
///
/// ```
/// use plywood::nn::Graph;
/// use plywood::prelude::*;
///
/// let g = Graph::builder();
/// let x = g.input("x", [3]);
/// g.output("silu", x * x.sigmoid());
/// g.output("gelu", 0.5 * x * (1.0 + (0.797_884_56 * (x + 0.044_715 * x.powf(3.0))).tanh()));
/// assert_eq!(g.build()?.outputs().len(), 2);
/// # Ok::<(), plywood::Error>(())
/// ```
impl<'g, F: Scalar> Value<'g, F> {
    #[track_caller]
    fn unary(self, f: Unary) -> Self {
        self.builder.function(Function::Unary(f), &[self])
    }

    #[track_caller]
    fn binary(self, f: Binary, other: Self) -> Self {
        self.builder.function(Function::Binary(f), &[self, other])
    }

    /// `e^x`.
    #[track_caller]
    pub fn exp(self) -> Self {
        self.unary(Unary::Exp)
    }

    /// The natural logarithm. It is -∞ at 0 and NaN below.
    #[track_caller]
    pub fn ln(self) -> Self {
        self.unary(Unary::Ln)
    }

    /// `√x`. Its derivative is infinite at 0: add a small number first.
    #[track_caller]
    pub fn sqrt(self) -> Self {
        self.unary(Unary::Sqrt)
    }

    /// `x²`.
    #[track_caller]
    pub fn square(self) -> Self {
        self.unary(Unary::Square)
    }

    /// `|x|`; the derivative is 0 at 0.
    #[track_caller]
    pub fn abs(self) -> Self {
        self.unary(Unary::Abs)
    }

    /// `x^exponent`. It is NaN for a negative `x` and an exponent that is not an integer. The exponents 2, 3 and -1 are
    /// computed by multiplication and division, and are as fast.
    #[track_caller]
    pub fn powf(self, exponent: f64) -> Self {
        self.unary(Unary::Power(exponent))
    }

    /// The hyperbolic tangent.
    #[track_caller]
    pub fn tanh(self) -> Self {
        self.unary(Unary::Tanh)
    }

    /// `1 / (1 + e^-x)`. A loss that includes a sigmoid ([`BinaryCrossEntropy`](crate::losses::BinaryCrossEntropy)) takes
    /// an output of it without the sigmoid, as it does after the layer.
    #[track_caller]
    pub fn sigmoid(self) -> Self {
        self.unary(Unary::Sigmoid)
    }

    /// `max(x, 0)`, keeping NaN; the derivative is 0 at 0.
    #[track_caller]
    pub fn relu(self) -> Self {
        self.unary(Unary::ReLU)
    }

    /// `min(max(x, low), high)`, keeping NaN: `torch.clamp`. The derivative is 1 from `low` to `high`, both included.
    #[track_caller]
    pub fn clip(self, low: f64, high: f64) -> Self {
        self.unary(Unary::Clip(low, high))
    }

    /// The larger of two values, number by number; NaN if one of them is. Of equal ones the first gets the gradient.
    #[track_caller]
    pub fn maximum(self, other: Self) -> Self {
        self.binary(Binary::Maximum, other)
    }

    /// The smaller of two values, number by number; NaN if one of them is. Of equal ones the first gets the gradient.
    #[track_caller]
    pub fn minimum(self, other: Self) -> Self {
        self.binary(Binary::Minimum, other)
    }

    /// 1 where it is greater than the other, else 0, also for NaN. It has no gradient.
    #[track_caller]
    pub fn greater(self, other: Self) -> Self {
        self.binary(Binary::Greater, other)
    }

    /// `a` where this value is not 0, else `b`: `torch.where`. What is not taken has no part in the result, even if it is
    /// NaN, and gets no gradient; nor does the condition.
    ///
    /// ```
    /// use plywood::nn::Graph;
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// let x = g.input("x", [2]);
    /// let zero = g.constant(plywood::ndarray::arr0(0.0));
    /// g.output("leaky", x.greater(zero).where_cond(x, 0.1 * x));
    /// let y = g.build()?.predict(&plywood::ndarray::arr2(&[[3.0, -3.0]]))?;
    /// assert_eq!(y, plywood::ndarray::arr2(&[[3.0, -0.3]]).into_dyn());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[track_caller]
    pub fn where_cond(self, a: Self, b: Self) -> Self {
        self.builder.function(Function::Where, &[self, a, b])
    }
}

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
///     scores.softmax().matmul(v)
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

    #[track_caller]
    fn reduce<const R: u8>(self, axis: isize, keepdim: bool) -> Self {
        let op = Reduce::<R> { axis: axis as i64, keepdim };
        match self.lengths().filter(|_| self.is_steps(axis)) {
            Some(lengths) => self.builder.op(op, &[self, lengths]),
            None => self.builder.op(op, &[self]),
        }
    }

    /// `e^x / Σ e^x` along the last axis. A loss that includes a softmax ([`CrossEntropy`](crate::losses::CrossEntropy))
    /// takes an output of it without the softmax, as it does after the layer.
    #[track_caller]
    pub fn softmax(self) -> Self {
        self.builder.op(Softmax, &[self])
    }
}

/// Other orders and shapes, parts and rows.
///
/// ```
/// use plywood::nn::Graph;
/// use plywood::prelude::*;
///
/// let g = Graph::builder();
/// let x = g.input("x", [6, 4]); // [batch, 6, 4]
/// assert_eq!(x.reshape([2, -1]).shape(), [2, 12]);
/// assert_eq!(x.permute([0, 2, 1]).shape(), [4, 6]); // the batch axis stays first
/// assert_eq!(x.slice(1, ..-1).shape(), [5, 4]);
/// assert_eq!(x.index_axis(1, -1).shape(), [4]);
/// let [a, b] = x.split(-1);
/// assert_eq!((a.shape(), b.shape()), (vec![6, 2], vec![6, 2]));
/// ```
impl<'g, F: Scalar> Value<'g, F> {
    /// Exchanges the last two axes, neither of which is the batch axis.
    #[track_caller]
    pub fn t(self) -> Self {
        self.builder.op_at("t", Transpose, &[self])
    }

    /// The axes in another order: axis `i` of the result is axis `axes[i]` of this value. The batch axis stays first.
    #[track_caller]
    pub fn permute<const N: usize>(self, axes: [isize; N]) -> Self {
        self.builder.op(Permute { axes: axes.map(|axis| axis as i64).to_vec() }, &[self])
    }

    /// The same numbers in another shape: the sizes of one sample, without the batch axis. One size may be -1: it is what
    /// the others leave. All sizes are of one type: `x.reshape([-1, n as i64])`.
    #[track_caller]
    pub fn reshape<S: Size, const N: usize>(self, sizes: [S; N]) -> Self {
        self.builder.op(Reshape { sizes: sizes.map(S::size).to_vec() }, &[self])
    }

    /// A range of positions along an axis: `0..4`, `2..`, `..-1`. Negative positions count from the end.
    ///
    /// Positions are numbers of any type of [`Size`]: `0..x.size(1) / 2`. They stay as they are for other shapes
    /// ([`Graph::with_input_shapes`](super::Graph::with_input_shapes)).
    #[track_caller]
    pub fn slice(self, axis: isize, positions: impl Positions) -> Self {
        let (from, to) = positions.bounds();
        self.part("slice", axis, Part::Range(from, to))
    }

    /// One position along an axis, which goes: `torch.select`. -1 is the last position.
    #[track_caller]
    pub fn index_axis(self, axis: isize, position: impl Size) -> Self {
        self.part("index_axis", axis, Part::Index(position.size()))
    }

    /// `N` parts of equal length along an axis: `torch.chunk`.
    #[track_caller]
    pub fn split<const N: usize>(self, axis: isize) -> [Self; N] {
        let mut parts = [self; N];
        for (i, part) in parts.iter_mut().enumerate() {
            *part = self.part("split", axis, Part::Equal(i, N));
        }
        parts
    }

    #[track_caller]
    fn part(self, place: &str, axis: isize, part: Part) -> Self {
        self.builder.op_at(place, Slice { axis: axis as i64, part }, &[self])
    }

    /// This value and then the others along an axis, along which alone their sizes may differ: `torch.cat`.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// let (a, b) = (g.input("a", [3]), g.input("b", [5]));
    /// g.output("both", a.concat(&[b], -1));
    /// assert_eq!(g.build()?.outputs()[0].shape(), [8]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[track_caller]
    pub fn concat(self, others: &[Self], axis: isize) -> Self {
        let values: Vec<Self> = std::iter::once(self).chain(others.iter().copied()).collect();
        self.builder.op(Concat { axis: axis as i64 }, &values)
    }

    /// Zeros of these sizes for each sample: the state with which a loop over the steps begins. The numbers of this value
    /// are not read; it says how many samples there are.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// let x = g.input("x", [5, 3]);
    /// assert_eq!((x.zeros([8]).shape(), x.zeros([8]).is_batched()), (vec![8], true));
    /// ```
    #[track_caller]
    pub fn zeros<const N: usize>(self, sizes: [usize; N]) -> Self {
        self.builder.op_at("zeros", Filled { sizes: sizes.to_vec(), number: 0.0 }, &[self])
    }

    /// The rows of this table, a parameter `[rows, columns]`, for ids `[…]`: `[…, columns]`. It is `tf.gather` and ONNX's
    /// `Gather` along axis 0.
    ///
    /// The ids are integers from 0 to below `rows`; others are an error when the model runs. Only the rows that were read
    /// have a gradient, as in an [`Embedding`](crate::nn::Embedding).
    #[track_caller]
    pub fn gather(self, ids: Self) -> Self {
        self.builder.op(Gather, &[self, ids])
    }

    /// The numbers along an axis that `ids` name: `numpy.take_along_axis`, `torch.take_along_dim` and ONNX's
    /// `GatherElements`.
    ///
    /// | this | ids | result |
    /// |---|---|---|
    /// | `[batch, classes]`, axis -1 | `[batch]` | `[batch]` |
    /// | `[batch, n, …]`, axis 1 | `[batch, k, …]`, the same other sizes | `[batch, k, …]` |
    ///
    /// The ids are integers from 0 to below the size of the axis; others are an error when the model runs. A number that is
    /// taken twice gets both gradients.
    ///
    /// ```
    /// use plywood::ndarray::{arr1, arr2};
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// let (p, label) = (g.input("p", [3]), g.input("label", []));
    /// g.output("p of the label", p.take_along(label, -1));
    /// let (p, label) = (arr2(&[[0.1f32, 0.2, 0.7], [0.3, 0.6, 0.1]]).into_dyn(), arr1(&[2.0f32, 0.0]).into_dyn());
    /// let mut outputs = [None];
    /// g.build()?.infer(&mut [Some(p.into()), Some(label.into())], &[false], &mut outputs)?;
    /// assert_eq!(outputs[0].as_ref().unwrap().as_slice(), Some(&[0.7, 0.3][..]));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[track_caller]
    pub fn take_along(self, ids: Self, axis: isize) -> Self {
        self.builder.op(TakeAlong { axis: axis as i64 }, &[self, ids])
    }
}

/// The four operators of two values, and of a value and a number on either side: `f64`, or `i32` for literals such as 2.
macro_rules! operators {
    ($($trait:ident $method:ident: $binary:expr, $right:expr, $left:expr;)*) => {$(
        impl<'g, F: Scalar> $trait for Value<'g, F> {
            type Output = Self;
            #[track_caller]
            fn $method(self, other: Self) -> Self {
                self.binary($binary, other)
            }
        }

        impl<'g, F: Scalar> $trait<f64> for Value<'g, F> {
            type Output = Self;
            #[track_caller]
            fn $method(self, number: f64) -> Self {
                let of: fn(f64) -> Unary = $right;
                self.unary(of(number))
            }
        }

        impl<'g, F: Scalar> $trait<Value<'g, F>> for f64 {
            type Output = Value<'g, F>;
            #[track_caller]
            fn $method(self, value: Value<'g, F>) -> Value<'g, F> {
                let of: fn(f64) -> Unary = $left;
                value.unary(of(self))
            }
        }

        impl<'g, F: Scalar> $trait<i32> for Value<'g, F> {
            type Output = Self;
            #[track_caller]
            fn $method(self, number: i32) -> Self {
                $trait::$method(self, f64::from(number))
            }
        }

        impl<'g, F: Scalar> $trait<Value<'g, F>> for i32 {
            type Output = Value<'g, F>;
            #[track_caller]
            fn $method(self, value: Value<'g, F>) -> Value<'g, F> {
                $trait::$method(f64::from(self), value)
            }
        }
    )*};
}
operators! {
    Add add: Binary::Add, Unary::Plus, Unary::Plus;
    Sub sub: Binary::Subtract, |c| Unary::Plus(-c), Unary::SubtractFrom;
    Mul mul: Binary::Multiply, Unary::Times, Unary::Times;
    Div div: Binary::Divide, Unary::DivideBy, Unary::DivideInto;
}

impl<F: Scalar> Neg for Value<'_, F> {
    type Output = Self;
    #[track_caller]
    fn neg(self) -> Self {
        self.unary(Unary::Neg)
    }
}
