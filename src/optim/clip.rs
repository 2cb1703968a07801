//! Gradients before the rule sees them: penalties, and limits to their size.
//!
//! # In which order
//!
//! ```text
//! 1  g = g + l1 · sign(w) + 2 · l2 · w                          where a group has a penalty
//! 2  g = min(max(g, -limit), limit)                             by value, number by number
//! 3  g = g · min(1, limit / (‖g‖ + 1e-6))                       by norm, each parameter for itself
//! 4  g = g · min(1, limit / (√ Σ_parameters ‖g‖² + 1e-6))       by norm, all parameters as one vector
//! ```
//!
//! 1 to 3 are one visit of the parameters, 4 is a second one. What was not asked for is not done, and where nothing
//! was asked for the gradients are not visited at all. Where penalties are all, parameters without one keep their
//! gradients as they are: products, or rows.
//!
//! # Norms
//!
//! The squares are summed in `f64`, in one fixed order. A norm that is short enough changes no bit. Rows of an
//! embedding are merged before anything, as two entries of one id would count wrongly.
//!
//! A norm that is not finite tells of a gradient that is not, and costs nothing to find where norms are taken anyway:
//! it is an error, before the step. Without norms nothing is looked at, as that would be a pass over all gradients,
//! which would have to be multiplied out for it.

use super::group::{Group, penalty_of};
use super::update_param::{columns_of, merge_rows};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::Layer;
use crate::param::{Gradient, Param};
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
            ("the clipping value", self.value, "Usual values lie between 0.1 and 10."),
            (
                "the clipping norm of each parameter",
                self.parameter_norm,
                "Usual norms lie between 0.1 and 10.",
            ),
            ("the clipping norm", self.norm, "Usual norms lie between 0.1 and 10."),
        ] {
            if let Some(limit) = limit
                && !(limit > 0.0 && limit.is_finite())
            {
                return Err(Error::argument(what, "positive and finite", limit).help(help));
            }
        }
        Ok(())
    }

    /// Changes the gradients in place: with the groups' penalties, within the limits. Where a norm was taken and is not
    /// finite, the result is the name of the first such parameter.
    pub fn apply<F: Scalar, M: Layer<F>>(self, model: &mut M, groups: &[Group]) -> Option<String> {
        let Self { value, parameter_norm, norm } = self;
        let all = value.is_some() || parameter_norm.is_some() || norm.is_some();
        if !all && !groups.iter().any(Group::penalises) {
            return None;
        }
        let (mut squares, mut unfit) = (0.0, None);
        model.visit_params_mut(&mut |name, param| {
            let penalty = penalty_of(groups, name);
            if !(all || penalty.is_some()) || !param.has_gradient() {
                return;
            }
            if penalty.is_some() {
                param.accumulate(); // rows become a gradient of all numbers
            }
            let Some((weights, numbers)) = numbers(param) else { return };
            if let Some(penalty) = penalty {
                penalty.add(numbers, weights);
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
                if let Some((_, numbers)) = numbers(param) {
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

/// A parameter's numbers and those of its gradient, multiplied out and with rows merged; none where there is no
/// gradient. Of rows there are fewer numbers than the parameter has.
fn numbers<F: Scalar>(param: &mut Param<F>) -> Option<(&[F], &mut [F])> {
    let columns = columns_of(param.shape());
    let (value, gradient) = param.both()?;
    let gradient = match gradient {
        Gradient::Dense(gradient) => slice_mut(gradient),
        Gradient::Rows { ids, values } => {
            merge_rows(ids, values, columns);
            values
        }
    };
    Some((value.into_slice()?, gradient))
}
