//! Calling callbacks, and applying their requests.

use super::fit::Fit;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::losses::Loss;
use crate::train::callbacks::context::{Context, Hook};

impl<F: Scalar, L: Loss<F>, T, U> Fit<'_, F, L, T, U> {
    /// Calls a method of all callbacks, in order, until one returns an error.
    pub(super) fn call(&mut self, hook: Hook) -> Result<()> {
        if self.run.callbacks.is_empty() {
            return Ok(());
        }
        self.enter(hook);
        (0..self.run.callbacks.len()).try_for_each(|at| self.call_one(at))
    }

    /// Calls `on_train_end` of every callback, even after an error, and returns the first error.
    pub(super) fn end_callbacks(&mut self) -> Result<()> {
        self.now.loss = f64::NAN;
        self.enter(Hook::TrainEnd);
        let mut result = Ok(());
        for at in 0..self.run.callbacks.len() {
            result = result.and(self.call_one(at));
        }
        result
    }

    /// Sets what callbacks see besides the epoch, the batch and the loss.
    fn enter(&mut self, hook: Hook) {
        let optimizer = &self.run.optimizer;
        let step = optimizer.steps() + u64::from(hook == Hook::Gradients);
        // A plateau may have lowered the learning rate since the epoch's last step.
        let of_epoch = self.now.ended.as_ref().map(|ended| ended.learning_rate);
        self.now.learning_rate = of_epoch.unwrap_or_else(|| optimizer.learning_rate_at(step.max(1)));
        (self.now.hook, self.now.step) = (hook, step);
    }

    /// Calls one callback, and passes the learning rate that it has set to the optimizer.
    fn call_one(&mut self, at: usize) -> Result<()> {
        let Some(callback) = self.run.callbacks.get_mut(at) else { return Ok(()) };
        let hook = self.now.hook;
        let context = &mut Context::new(self.model, &self.run.history, &mut self.now);
        let called = match hook {
            Hook::TrainBegin => callback.on_train_begin(context),
            Hook::Gradients => callback.on_gradients(context),
            Hook::BatchEnd => callback.on_batch_end(context),
            Hook::EpochEnd => callback.on_epoch_end(context),
            Hook::TrainEnd => callback.on_train_end(context),
        };
        let rate = self.now.rate.take();
        called?;
        let Some(rate) = rate else { return Ok(()) };
        if !(rate.is_finite() && rate >= 0.0) {
            return Err(Error::argument("the learning rate", "at least 0 and finite", rate)
                .help("Correct the number given to `set_learning_rate`.")
                .at(callback.name()));
        }
        self.run.optimizer.set_learning_rate(rate);
        Ok(())
    }
}
