//! Preparation of gradients before the rule sees them: penalties and clipping.
//!
//! # Order
//!
//! ```text
//! 1  g = g + l1 · sign(w) + 2 · l2 · w                          where a group has a penalty
//! 2  g = min(max(g, -limit), limit)                             by value, number by number
//! 3  g = g · min(1, limit / (‖g‖ + 1e-6))                       by norm, each parameter for itself
//! 4  g = g · min(1, limit / (√ Σ_parameters ‖g‖² + 1e-6))       by norm, all parameters as one vector
//! ```
//!
//! 1 to 3 are one visit of the parameters, 4 is a second one. Only what is set is done; with nothing set the gradients
//! are not visited at all. If only penalties are set, parameters without one keep their gradients as they are:
//! products, or sparse rows.
//!
//! # Norms
//!
//! The squares are summed in `f64`, in one fixed order. If a norm is within the limit, no bit of the gradient changes.
//! The rows of an embedding are merged first, as two entries of one id would give a wrong norm.
//!
//! If a norm is not finite, the gradient is not finite either. Where norms are computed anyway this check is free, and
//! the result is an error before the step. Without norms no check is made: it would take a pass over all gradients,
//! which would have to be multiplied out for it.

use super::group::{Group, penalty_of};
use super::update_param::{columns_of, merge_rows};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::Parameters;
use crate::param::{Gradient, Param};
use crate::tensor::slice_mut;

/// The value that PyTorch adds to the norm before it divides by it in clipping.
const EPSILON: f64 = 1e-6;

/// The limits that were set.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clipping {
    /// The largest magnitude of an element.
    pub value: Option<f64>,
    /// The largest norm of one parameter's gradient.
    pub parameter_norm: Option<f64>,
    /// The largest norm of all gradients together.
    pub norm: Option<f64>,
}

impl Clipping {
    /// Checks that the limits are above 0 and finite.
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

    /// Changes the gradients in place: adds the groups' penalties, then applies the limits. If a computed norm is not
    /// finite, returns the name of the first such parameter.
    pub fn apply<F: Scalar, M: Parameters<F> + ?Sized>(
        self,
        model: &mut M,
        groups: &[Group],
    ) -> Option<String> {
        let Self { value, parameter_norm, norm } = self;
        let all = value.is_some() || parameter_norm.is_some() || norm.is_some();
        if !all && !groups.iter().any(Group::penalises) {
            return None;
        }
        let (mut squares, mut unfit) = (0.0, None);
        model.each_param_mut(&mut |name, param| {
            let penalty = penalty_of(groups, name);
            if !(all || penalty.is_some()) || !param.has_gradient() {
                return;
            }
            if penalty.is_some() {
                param.accumulate(); // a sparse gradient becomes a full one
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
            model.each_param_mut(&mut |_, param| {
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

/// Returns a parameter's values and its gradient, multiplied out and with rows merged; `None` if there is no gradient.
/// A sparse gradient has fewer elements than the parameter.
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
