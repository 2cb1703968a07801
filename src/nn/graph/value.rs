//! The elementwise functions of values of a graph that is being built, and operators.

use super::builder::Value;
use super::function::Function;
use super::operand::Operand;
use crate::kernels::{Binary, Scalar, Unary};
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

/// Elementwise functions of one value.
///
/// ```
/// use plywood::nn::Graph;
/// use plywood::prelude::*;
///
/// let g = Graph::builder();
/// let x = g.input("x", [3]);
/// g.output("silu", x * x.sigmoid());
/// g.output("gelu", 0.5 * x * (1.0 + (x / 2f64.sqrt()).erf()));
/// g.output("octave", (x.abs().ln() / 2f64.ln()).floor());
/// g.output("angle", (x * 0.1).sin().concat(&[(x * 0.1).cos()], -1));
/// assert_eq!(g.build()?.outputs().len(), 4);
/// # Ok::<(), plywood::Error>(())
/// ```
impl<'g, F: Scalar> Value<'g, F> {
    #[track_caller]
    fn unary(self, f: Unary) -> Self {
        self.builder.function(Function::Unary(f), &[self])
    }

    #[track_caller]
    fn binary(self, f: Binary, other: impl Operand<'g, F>) -> Self {
        let f = Function::Binary(f);
        self.builder.function(f, &[self, other.operand(self.builder, f.kind())])
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

    /// The error function, `2 / √π · ∫_0^x e^(-t²) dt`: `torch.erf`, ONNX's `Erf`. With it, GELU is
    /// `0.5 * x * (1.0 + (x / 2f64.sqrt()).erf())`.
    #[track_caller]
    pub fn erf(self) -> Self {
        self.unary(Unary::Erf)
    }

    /// The sine of `x`, in radians. It is NaN for infinite numbers.
    #[track_caller]
    pub fn sin(self) -> Self {
        self.unary(Unary::Sin)
    }

    /// The cosine of `x`, in radians. It is NaN for infinite numbers.
    #[track_caller]
    pub fn cos(self) -> Self {
        self.unary(Unary::Cos)
    }

    /// `1 / x`: `torch.reciprocal`, ONNX's `Reciprocal`. It is infinite at 0.
    #[track_caller]
    pub fn recip(self) -> Self {
        self.unary(Unary::DivideInto(1.0))
    }

    /// The largest integer that is not above `x`, keeping NaN. The derivative is 0, as in PyTorch.
    #[track_caller]
    pub fn floor(self) -> Self {
        self.unary(Unary::Floor)
    }

    /// The smallest integer that is not below `x`, keeping NaN. The derivative is 0, as in PyTorch.
    #[track_caller]
    pub fn ceil(self) -> Self {
        self.unary(Unary::Ceil)
    }

    /// The nearest integer, keeping NaN: `torch.round`, `np.round`. Of two that are equally near it is the even one: 2.5
    /// becomes 2, and 3.5 becomes 4. The derivative is 0, as in PyTorch.
    #[track_caller]
    pub fn round(self) -> Self {
        self.unary(Unary::Round)
    }

    /// -1, 0 or 1, by the sign of `x`, keeping NaN: `np.sign`. The derivative is 0, as in PyTorch.
    #[track_caller]
    pub fn sign(self) -> Self {
        self.unary(Unary::Sign)
    }

    /// 1 where `x` is 0, else 0, also for NaN: `torch.logical_not`. It has no gradient.
    #[track_caller]
    pub fn logical_not(self) -> Self {
        self.unary(Unary::Not)
    }

    /// `min(max(x, low), high)`, keeping NaN: `torch.clamp`. The derivative is 1 from `low` to `high`, both included.
    #[track_caller]
    pub fn clip(self, low: f64, high: f64) -> Self {
        self.unary(Unary::Clip(low, high))
    }

    /// The larger of two values, or of a value and a number, number by number; NaN if one of them is. Of equal ones the first gets the gradient.
    #[track_caller]
    pub fn maximum(self, other: impl Operand<'g, F>) -> Self {
        self.binary(Binary::Maximum, other)
    }

    /// The smaller of two values, or of a value and a number, number by number; NaN if one of them is. Of equal ones the first gets the gradient.
    #[track_caller]
    pub fn minimum(self, other: impl Operand<'g, F>) -> Self {
        self.binary(Binary::Minimum, other)
    }

    /// 1 where it is greater than the other, else 0, also for NaN: `torch.gt`. It has no gradient.
    #[track_caller]
    pub fn greater(self, other: impl Operand<'g, F>) -> Self {
        self.binary(Binary::Greater, other)
    }

    /// 1 where it is greater than the other or equal, else 0, also for NaN: `torch.ge`. It has no gradient.
    #[track_caller]
    pub fn greater_equal(self, other: impl Operand<'g, F>) -> Self {
        self.binary(Binary::GreaterEqual, other)
    }

    /// 1 where it is less than the other, else 0, also for NaN: `torch.lt`. It has no gradient.
    #[track_caller]
    pub fn less(self, other: impl Operand<'g, F>) -> Self {
        self.binary(Binary::Less, other)
    }

    /// 1 where it is less than the other or equal, else 0, also for NaN: `torch.le`. It has no gradient.
    #[track_caller]
    pub fn less_equal(self, other: impl Operand<'g, F>) -> Self {
        self.binary(Binary::LessEqual, other)
    }

    /// 1 where both are equal, else 0; NaN equals nothing: `torch.eq`. It has no gradient.
    #[track_caller]
    pub fn equal(self, other: impl Operand<'g, F>) -> Self {
        self.binary(Binary::Equal, other)
    }

    /// 1 where both differ, also where one is NaN, else 0: `torch.ne`. It has no gradient.
    #[track_caller]
    pub fn not_equal(self, other: impl Operand<'g, F>) -> Self {
        self.binary(Binary::NotEqual, other)
    }

    /// `a` where this value is not 0, else `b`: `torch.where`. Both may be numbers. What is not taken has no part in the
    /// result, even if it is NaN, and gets no gradient; nor does the condition. What it is computed from may still get NaN, as 0 · ∞
    /// is: limit the argument, as in `c.where_cond(x.maximum(1e-12).sqrt(), 0)`.
    ///
    /// ```
    /// use plywood::nn::Graph;
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// let x = g.input("x", [2]);
    /// g.output("leaky", x.greater(0).where_cond(x, 0.1 * x));
    /// let y = g.build()?.predict(&plywood::ndarray::arr2(&[[3.0, -3.0]]))?;
    /// assert_eq!(y, plywood::ndarray::arr2(&[[3.0, -0.3]]).into_dyn());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[track_caller]
    pub fn where_cond(self, a: impl Operand<'g, F>, b: impl Operand<'g, F>) -> Self {
        let (builder, kind) = (self.builder, Function::Where.kind());
        let (a, b) = (a.operand(builder, kind), b.operand(builder, kind));
        builder.function(Function::Where, &[self, a, b])
    }
}

/// The four operators of two values, and of a value and a number on either side: `f64`, or `i32` for literals such as 2.
macro_rules! operators {
    ($($trait:ident $method:ident $assign:ident $in_place:ident: $binary:expr, $right:expr, $left:expr;)*) => {$(
        /// The variable is another value afterwards: a loop adds up with it.
        impl<'g, F: Scalar> $assign for Value<'g, F> {
            #[track_caller]
            fn $in_place(&mut self, other: Self) {
                *self = self.binary($binary, other);
            }
        }

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
    Add add AddAssign add_assign: Binary::Add, Unary::Plus, Unary::Plus;
    Sub sub SubAssign sub_assign: Binary::Subtract, |c| Unary::Plus(-c), Unary::SubtractFrom;
    Mul mul MulAssign mul_assign: Binary::Multiply, Unary::Times, Unary::Times;
    Div div DivAssign div_assign: Binary::Divide, Unary::DivideBy, Unary::DivideInto;
}

impl<F: Scalar> Neg for Value<'_, F> {
    type Output = Self;
    #[track_caller]
    fn neg(self) -> Self {
        self.unary(Unary::Neg)
    }
}
