//! The loops over epochs and batches.

use super::evaluate::measure;
use super::fit::Fit;
use super::non_finite::{diverged, in_training};
use super::step;
use crate::data::{Batch, Pass};
use crate::error::Result;
use crate::history::Epoch;
use crate::io::checkpoint::Position;
use crate::kernels::Scalar;
use crate::kernels::platform::Instant;
use crate::losses::{Loss, LossSum};
use crate::state::State;
use crate::target::AsTarget;
use crate::train::callbacks::BatchEnd;
use crate::train::compatibility::no_weight;
use crate::train::prefetch::{Ahead, Batches};
use crate::train::run::{Values, values};
use std::ops::ControlFlow;

impl<F: Scalar, L: Loss<F>, T, U> Fit<'_, F, L, T, U>
where
    T: AsTarget<L::Target> + Default + Send,
    U: AsTarget<L::Target> + Default + Send,
{
    /// The epochs that are left, one after the other. The history grows as they end, for `fit` to hand out in any case.
    ///
    /// One batch is read into again and again, so its buffers are allocated once. A resumed run begins behind the
    /// epochs of its history, with what its metrics have gathered of the next.
    pub(super) fn epochs(&mut self, mut metrics: Vec<Option<State<F>>>) -> Result<()> {
        let mut batch = Batch::default();
        for number in self.run.history.epochs.len() + 1..=self.settings.epochs {
            if self.run.position.ended {
                break;
            }
            self.epoch(number, &std::mem::take(&mut metrics), &mut batch)?;
        }
        Ok(())
    }

    /// One epoch: its batches, validation, callbacks, checkpoint. `metrics` is what metrics have gathered of it before
    /// an interruption.
    fn epoch(&mut self, number: usize, metrics: &[Option<State<F>>], batch: &mut Batch<F, T>) -> Result<()> {
        self.start = Instant::now();
        self.reporter.begin_epoch(number);
        self.run.optimizer.training_weights(self.model)?;
        self.run.load_metrics(metrics)?;
        let mut stop = self.batches(batch)?.is_break();
        let mut all = vec![("loss".to_owned(), self.run.loss())];
        all.extend(values(&self.run.metrics));
        self.last_step()?;
        self.run.optimizer.evaluation_weights(self.model)?;
        all.extend(self.validate()?);
        let ended = self.end_epoch(all);
        self.reporter.end_epoch(number, &ended);
        self.run.history.epochs.push(ended.clone());
        self.observe(&ended)?;
        for callback in &mut self.run.callbacks {
            stop |= callback.on_epoch_end(self.model, &ended)?.is_break();
        }
        self.run.position.ended = stop;
        self.save_after(&ended)
    }

    /// One pass over the data, and whether a callback wants to stop.
    ///
    /// A callback that breaks ends the epoch after its batch, and the epoch is recorded and validated like any
    /// other. A resumed epoch begins behind the batches that are done: they are not read.
    fn batches(&mut self, batch: &mut Batch<F, T>) -> Result<ControlFlow<()>> {
        let (data, epoch) = (self.data, self.run.position.epochs_done);
        let order = self.settings.order(data.len(), epoch);
        let (size, done) = (self.settings.batch_size_for(data.len()), self.run.position.batches as usize);
        let left = &order[(done * size).min(order.len())..];
        let batches = Batches { data, positions: left.chunks(size), pass: Pass::Train { epoch } };
        let ahead = self.settings.prefetch.map_or_else(|| Ahead::IfItPays(data.prefetch()), Ahead::Always);
        let flow = batches.each(ahead, batch, &mut |number, positions, batch| {
            self.batch(done + number + 1, positions, batch)
        })?;
        if self.run.position.weight == 0.0 {
            return Err(no_weight());
        }
        Ok(flow)
    }

    /// One batch that was read from these positions, with its step, callbacks and checkpoint.
    ///
    /// All callbacks are called, also when one of them breaks.
    fn batch(
        &mut self,
        number: usize,
        positions: &[usize],
        batch: &mut Batch<F, T>,
    ) -> Result<ControlFlow<()>> {
        let loss = self.step(positions, batch)?;
        let position = &mut self.run.position;
        position.loss += loss.sum;
        position.weight += loss.weight;
        position.batches = number as u64;
        let end = BatchEnd { number, step: self.run.optimizer.steps(), loss: loss.mean() };
        let mut flow = ControlFlow::Continue(());
        for callback in &mut self.run.callbacks {
            if callback.on_batch_end(self.model, &end)?.is_break() {
                flow = ControlFlow::Break(());
            }
        }
        if flow.is_continue() {
            self.save_within()?;
        }
        let run = &*self.run;
        self.reporter.batch(number, &|| run.loss(), &|| values(&run.metrics));
        Ok(flow)
    }

    /// Forward, loss, backward and the optimiser's step, where one is due.
    fn step(&mut self, positions: &[usize], batch: &mut Batch<F, T>) -> Result<LossSum> {
        let (data, loss) = (self.data, &self.settings.loss);
        let value = step::on_batch(self.model, loss, batch, (data, positions), &mut self.run.metrics)?;
        if !value.sum.is_finite() {
            let pass = Pass::Train { epoch: self.run.position.epochs_done };
            let at = (positions, pass, self.run.optimizer.steps() + 1);
            return Err(in_training(self.model, loss, data, at)?);
        }
        // A step without any weight has a gradient of 0, which momentum and decay would still follow.
        let weighted = value.weight != 0.0;
        if self.run.optimizer.is_due(weighted) {
            self.show_gradients()?;
        }
        self.run.optimizer.step_weighted(self.model, weighted)?;
        Ok(value)
    }

    /// The step with what is left of accumulated batches, and a look at all parameters.
    fn last_step(&mut self) -> Result<()> {
        if self.run.optimizer.has_batches() {
            self.show_gradients()?;
        }
        self.run.optimizer.flush(self.model)?;
        match self.model.first_non_finite_param() {
            Some(what) => Err(diverged(what, self.run.optimizer.steps())),
            None => Ok(()),
        }
    }

    /// Shows callbacks the gradients of the step that is about to be taken.
    fn show_gradients(&mut self) -> Result<()> {
        let step = self.run.optimizer.steps() + 1;
        self.run.callbacks.iter_mut().try_for_each(|callback| callback.on_gradients(self.model, step))
    }

    /// The values over the validation data, where there are some.
    fn validate(&mut self) -> Result<Values> {
        let Some(validation) = self.validation else { return Ok(Values::new()) };
        let metrics = &mut self.run.metrics;
        let evaluation = measure(self.model, validation, &self.settings.loss, metrics)
            .map_err(|error| error.at("validation"))?;
        let mut values = vec![("val_loss".to_owned(), evaluation.loss)];
        values.extend(evaluation.metrics.into_iter().map(|(name, value)| (format!("val_{name}"), value)));
        Ok(values)
    }

    /// The epoch with these values; the position is the beginning of the next.
    fn end_epoch(&mut self, values: Values) -> Epoch {
        let (seconds, run) = (self.seconds(), &mut *self.run);
        let learning_rate = run.optimizer.learning_rate_at(run.optimizer.steps());
        let directions = run.directions(self.validation.is_some()).map(|(_, direction)| direction).collect();
        let Position { epochs_done, best, .. } = run.position;
        run.position = Position { epochs_done: epochs_done + 1, best, ..Position::default() };
        Epoch::new(epochs_done + 1, values, learning_rate, seconds).with(directions)
    }

    /// Tells the optimiser what it reduces the rate by.
    fn observe(&mut self, ended: &Epoch) -> Result<()> {
        let optimizer = &mut self.run.optimizer;
        if let Some(monitor) = optimizer.monitor() {
            let (value, direction) = ended.watched(monitor).map_err(|error| error.at("reduce on plateau"))?;
            optimizer.observe_as(value, direction);
        }
        Ok(())
    }
}
