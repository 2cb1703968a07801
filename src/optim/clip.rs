//! Gradients before the rule sees them: the mean over batches, and limits to their size.
//!
//! # In which order
//!
//! ```text
//! 1  g = g / batches                                            where several batches make a step
//! 2  g = min(max(g, -limit), limit)                             by value, number by number
//! 3  g = g · min(1, limit / (‖g‖ + 1e-6))                       by norm, each parameter for itself
//! 4  g = g · min(1, limit / (√ Σ_parameters ‖g‖² + 1e-6))       by norm, all parameters as one vector
//! ```
//!
//! 1 to 3 are one visit of the parameters, 4 is a second one. What was not asked for is not done, and where nothing
//! was asked for the gradients are not visited at all.
//!
//! # Norms
//!
//! The squares are summed in `f64`, in one fixed order. A norm that is short enough changes no bit. Rows of an embedding
//! are merged before anything, as two entries of one id would count wrongly.
//!
//! A norm that is not finite tells of a gradient that is not, and costs nothing to find where norms are taken anyway: it
//! is an error, before the step. Without norms nothing is looked at, as that would be a pass over all gradients, which
//! would have to be multiplied out for it.

use super::apply::{columns_of, merge_rows};
use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::param::{Gradient, Param};
use crate::scalar::Scalar;
use crate::tensor::slice_mut;

/// What PyTorch adds to the norm that it divides by in clipping.
const EPSILON: f64 = 1e-6;

/// The limits that were asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clipping {
    /// The largest magnitude of a number.
    pub value: Option<f64>,
    /// The largest norm of one parameter's gradient.
    pub parameter_norm: Option<f64>,
    /// The largest norm of all gradients together.
    pub norm: Option<f64>,
}

impl Clipping {
    /// Refuses limits that are not above 0 and finite.
    pub fn check(self) -> Result<()> {
        for (what, limit, help) in [
            ("a clipping value", self.value, "Usual values lie between 0.1 and 10."),
            (
                "a clipping norm for each parameter",
                self.parameter_norm,
                "Usual norms lie between 0.1 and 10.",
            ),
            ("a clipping norm", self.norm, "Usual norms lie between 0.1 and 10."),
        ] {
            if let Some(limit) = limit
                && !(limit > 0.0 && limit.is_finite())
            {
                return Err(Error::argument(what, "above 0 and finite", limit).help(help));
            }
        }
        Ok(())
    }

    /// Changes the gradients in place: the mean over so many batches, within the limits. Where a norm was taken and is
    /// not finite, the result is the name of the first such parameter.
    pub fn apply<F: Scalar, M: Layer<F>>(self, model: &mut M, batches: u64) -> Option<String> {
        let Self { value, parameter_norm, norm } = self;
        if batches <= 1 && value.is_none() && parameter_norm.is_none() && norm.is_none() {
            return None;
        }
        let (mut squares, mut unfit) = (0.0, None);
        model.visit_params_mut(&mut |name, param| {
            let Some(numbers) = numbers(param) else { return };
            if batches > 1 {
                F::scale(numbers, F::of(1.0 / batches as f64));
            }
            if let Some(limit) = value {
                F::limit(numbers, F::of(limit));
            }
            let mut own = 0.0;
            if let Some(limit) = parameter_norm {
                own = F::sum_squares(numbers);
                shorten(numbers, limit, own);
            }
            if norm.is_some() {
                own = F::sum_squares(numbers);
                squares += own;
            }
            if !(own + squares).is_finite() && unfit.is_none() {
                unfit = Some(name.to_owned());
            }
        });
        if unfit.is_some() {
            return unfit;
        }
        if let Some(limit) = norm
            && factor(limit, squares) < 1.0
        {
            model.visit_params_mut(&mut |_, param| {
                if let Some(numbers) = numbers(param) {
                    shorten(numbers, limit, squares);
                }
            });
        }
        None
    }
}

fn factor(limit: f64, squares: f64) -> f64 {
    limit / (squares.sqrt() + EPSILON)
}

fn shorten<F: Scalar>(numbers: &mut [F], limit: f64, squares: f64) {
    let factor = factor(limit, squares);
    if factor < 1.0 {
        F::scale(numbers, F::of(factor));
    }
}

/// The numbers of a parameter's gradient, multiplied out and with rows merged; none where there is no gradient.
fn numbers<F: Scalar>(param: &mut Param<F>) -> Option<&mut [F]> {
    let columns = columns_of(param.shape());
    match param.value_and_gradient()?.1 {
        Gradient::Dense(gradient) => Some(slice_mut(gradient)),
        Gradient::Rows { ids, values } => {
            merge_rows(ids, values, columns);
            Some(values)
        }
    }
}
