//! Values and numbers, as arguments of functions of several values.

use super::builder::{GraphBuilder, Value};
use super::function::check_number;
use crate::kernels::Scalar;
use ndarray::arr0;

mod sealed {
    pub trait Sealed {}
}

/// An argument of a function of several values: a [`Value`], or a number, `f64` or an integer literal.
///
/// A number is a constant of shape `[]`; in `f64`, too, it is exactly what was written.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let g = Graph::builder();
/// let x = g.input("x", [2]);
/// g.output("y", x.less(0).where_cond(0.1 * x, x.minimum(6.0)));
/// let y = g.build()?.predict(&arr2(&[[-3.0, 9.0]]))?;
/// assert_eq!(y, arr2(&[[-0.3, 6.0]]).into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a value of a graph or a number",
    note = "give a `Value` of the same element type, an `f64`, or an integer literal; `f64::from` converts an `f32`"
)]
pub trait Operand<'g, F: Scalar>: sealed::Sealed {
    /// Returns the value for a function, whose name is in errors.
    #[doc(hidden)]
    #[track_caller]
    fn operand(self, builder: &'g GraphBuilder<F>, place: &str) -> Value<'g, F>;
}

impl<F: Scalar> sealed::Sealed for Value<'_, F> {}
impl sealed::Sealed for f64 {}
impl sealed::Sealed for i32 {}

impl<'g, F: Scalar> Operand<'g, F> for Value<'g, F> {
    fn operand(self, _: &'g GraphBuilder<F>, _: &str) -> Self {
        self
    }
}

impl<'g, F: Scalar> Operand<'g, F> for f64 {
    fn operand(self, builder: &'g GraphBuilder<F>, place: &str) -> Value<'g, F> {
        match check_number::<F>(place, self) {
            Ok(()) if F::of(self).as_f64() == self => builder.constant(arr0(F::of(self))),
            // A constant would be rounded, also in the check of the formula in `f64`; the number of a function is not.
            Ok(()) => builder.constant(arr0(F::zero())) + self,
            Err(error) => builder.value(place, Err(error)),
        }
    }
}

impl<'g, F: Scalar> Operand<'g, F> for i32 {
    fn operand(self, builder: &'g GraphBuilder<F>, place: &str) -> Value<'g, F> {
        f64::from(self).operand(builder, place)
    }
}
