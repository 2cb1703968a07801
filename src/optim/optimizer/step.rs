//! A step of an optimizer: the checks before it, and the update of all parameters.

use super::Optimizer;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::Scalar;
use crate::nn::Parameters;
use crate::optim::slots::{check_shape, find, gathered};
use crate::optim::update_param::{MOST_SLOTS, apply};
use crate::optim::{Step, check_not_negative, group, penalty};
use crate::param::Param;
use crate::tensor::zeros;

impl<F: Scalar> Optimizer<F> {
    /// Takes a step with the gradients of these batches. All checks come before a parameter or the state is changed.
    pub(super) fn take<M: Parameters<F> + ?Sized>(&mut self, model: &mut M, batches: u64) -> Result<()> {
        let step = self.next_step();
        let number = step.number;
        self.check_settings(model, step)?;
        self.check_shapes(model)?;
        self.averages.check(model)?;
        if batches > 1 {
            Self::divide(model, batches);
        }
        if let Some(name) = self.clipping.apply(model, &self.groups) {
            self.discard(model);
            let what = format!("the gradient of {name}");
            return Err(Error::new(ErrorKind::NonFinite { what, step: Some(number) }).help(
                "Training diverged: lower the learning rate, scale the inputs, or leave such a batch out; its \
                 gradients are discarded.",
            ));
        }
        // The last check, as it changes the rule. Clipping may have changed the gradients already.
        if let Err(error) = self.rule.begin_step(step) {
            self.discard(model);
            return Err(error.at("the optimizer"));
        }
        (self.step, self.batches) = (number, 0);
        let mut position = 0;
        model.each_param_mut(&mut |name, param| {
            if param.has_gradient() {
                let at = self.slot(position, name, param);
                apply(&*self.rule, group::step_of(&self.groups, step, name), &mut self.slots[at].1, param);
                if let Some(norm) = group::max_norm_of(&self.groups, name) {
                    penalty::hold(param, norm);
                }
                param.clear_gradient();
                position = at + 1;
            }
        });
        self.averages.take(model, number);
        Ok(())
    }

    /// Divides the gradients by the number of batches. Needed for gradients of several batches that did not come from
    /// [`accumulate`](crate::train::accumulate), which keeps their mean: without it they are a sum over the batches.
    pub(super) fn divide<M: Parameters<F> + ?Sized>(model: &mut M, batches: u64) {
        if gathered(model) == 0 {
            let share = F::of(1.0 / batches as f64);
            model.each_param_mut(&mut |_, param| param.scale_gradient(share));
        }
    }

    /// Checks that the settings are in range. Those that change only when they are set are checked once.
    pub(super) fn check_settings<M: Parameters<F> + ?Sized>(&mut self, model: &M, step: Step) -> Result<()> {
        let at = |error: Error| error.at("the optimizer");
        if !self.checked {
            self.rate.check().map_err(at)?;
            let (decays, averages) = (self.rule.weight_decay().is_some(), self.rule.averages());
            group::check(&self.groups, model, decays, averages).map_err(at)?;
            self.checked = true;
        }
        if !(step.learning_rate.is_finite() && step.learning_rate >= 0.0) {
            return Err(Error::argument("the learning rate", "at least 0 and finite", step.learning_rate)
                .help("Correct the number or the schedule given to `learning_rate`.")
                .at(format!("step {}", step.number)));
        }
        self.clipping.check()?;
        check_not_negative("the weight decay", step.weight_decay).map_err(at)?;
        if let Some(averaging) = self.averages.how {
            averaging.check().map_err(at)?;
            if self.rule.averages() {
                return Err(at(Error::data(
                    "a rule with `average`",
                    "keep no averages of its own",
                    "one that does",
                )
                .help("Leave `average` out: the rule's own average is evaluated.")));
            }
        }
        if let Some(plateau) = &self.plateau.how {
            plateau.check().map_err(at)?;
        }
        if self.batches_per_step == 0 {
            return Err(at(Error::argument("the number of batches in a step", "at least 1", 0)
                .help("1 takes a step after each batch.")));
        }
        if self.rule.slots() > MOST_SLOTS {
            return Err(at(Error::argument(
                "the number of slots of the rule",
                format!("at most {MOST_SLOTS}"),
                self.rule.slots(),
            )
            .help("Keep what all parameters share in fields of the rule.")));
        }
        Ok(())
    }

    /// Returns the position of the parameter's slot: nearly always the expected one, else the one found by name, else a
    /// new one.
    ///
    /// The result is a position and not a reference, so that the caller can derive the next expected position from it.
    pub(super) fn slot(&mut self, expected: usize, name: &str, param: &Param<F>) -> usize {
        find(&self.slots, expected, name).unwrap_or_else(|| {
            let slot = (0..self.rule.slots()).map(|_| zeros(param.value().raw_dim())).collect();
            self.slots.push((name.to_owned(), slot));
            self.slots.len() - 1
        })
    }

    /// Checks that the stored state has the parameters' shapes: another model under the same names is an error.
    ///
    /// It runs before anything is changed, so an error leaves the model as it was. Only shapes are compared: a model
    /// with the same names and shapes cannot be told from the one that was trained.
    pub(super) fn check_shapes<M: Parameters<F> + ?Sized>(&self, model: &M) -> Result<()> {
        let (mut result, mut position) = (Ok(()), 0);
        model.each_param(&mut |name, param| {
            let slot = find(&self.slots, position, name);
            position += usize::from(param.is_trainable());
            if let Some(state) = slot.and_then(|at| self.slots[at].1.first())
                && result.is_ok()
            {
                result = check_shape(name, state.shape(), param.shape());
            }
        });
        result
    }
}
