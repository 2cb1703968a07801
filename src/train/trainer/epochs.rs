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
use crate::train::callbacks::context::Hook;
use crate::train::objective::{Part, Sums, finite, no_weight};
use crate::train::prefetch::{Ahead, Batches};
use crate::train::run::Values;
use std::ops::ControlFlow;

impl<F: Scalar, L: Loss<F>, T, U> Fit<'_, F, L, T, U>
where
    T: AsTarget<L::Target> + Default + Send,
    U: AsTarget<L::Target> + Default + Send,
{
    /// Trains the remaining epochs. The history grows as they end, so that `fit` has it in any case.
    ///
    /// All batches are read into the same buffer, which is allocated once. A resumed run begins after the epochs of its
    /// history; `metrics` is the state of the metrics within the next epoch.
    pub(super) fn epochs(&mut self, mut metrics: Vec<Option<State<F>>>) -> Result<()> {
        let mut batch = Batch::default();
        for number in self.run.history.epochs.len() + 1..=self.settings.epochs {
            if self.run.position.ended || self.now.stop {
                break;
            }
            self.epoch(number, &std::mem::take(&mut metrics), &mut batch)?;
        }
        Ok(())
    }

    /// Trains one epoch: its batches, validation, callbacks, checkpoint. `metrics` is the state of the metrics within
    /// it before an interruption.
    fn epoch(&mut self, number: usize, metrics: &[Option<State<F>>], batch: &mut Batch<F, T>) -> Result<()> {
        self.start = Instant::now();
        self.reporter.begin_epoch(number);
        let position = &self.run.position;
        (self.now.epoch, self.now.batch) = (position.epochs_done + 1, position.batches as usize);
        self.run.optimizer.training_weights(self.model)?;
        self.run.load_metrics(metrics)?;
        self.batches(batch)?;
        let loss = self.run.loss();
        let mut all = vec![("loss".to_owned(), loss)];
        all.extend(self.run.losses_and_metrics());
        self.last_step()?;
        self.run.optimizer.evaluation_weights(self.model)?;
        all.extend(self.validate()?);
        (self.now.loss, self.now.ended) = (loss, Some(self.end_epoch(all)));
        let called = self.observe().and_then(|()| self.call(Hook::EpochEnd));
        // Callbacks have logged their values. The epoch is added to the history even if one of them has failed.
        if let Some(ended) = self.now.ended.take() {
            self.reporter.end_epoch(number, &ended);
            self.run.history.epochs.push(ended);
        }
        called?;
        self.run.position.ended = self.now.stop;
        self.save_after()
    }

    /// Makes one pass over the data, or less if a callback stops it; the epoch is then recorded and validated like any
    /// other. A resumed epoch begins after the completed batches, which are not read.
    fn batches(&mut self, batch: &mut Batch<F, T>) -> Result<()> {
        let (data, epoch) = (self.data, self.run.position.epochs_done);
        let order = self.settings.order(data.len(), epoch);
        let (size, done) = (self.settings.batch_size_for(data.len()), self.run.position.batches as usize);
        let left = &order[(done * size).min(order.len())..];
        let batches = Batches { data, positions: left.chunks(size), pass: Pass::Train { epoch } };
        let ahead = self.settings.prefetch.map_or_else(|| Ahead::IfItPays(data.prefetch()), Ahead::Always);
        // The result is ignored: `now.stop` already tells whether a callback has stopped it.
        let _ = batches.each(ahead, batch, &mut |number, positions, batch| {
            self.batch(done + number + 1, positions, batch)
        })?;
        let sums = &self.run.position.losses;
        if !self.objective.is_weighted(sums) {
            return Err(no_weight());
        }
        // An output without any target in the epoch has the value NaN, if it is known to have some: the epoch was ended early,
        // or all were mixed with samples without one.
        let without = |part: &Part<'_, F, L::Target>, weight: f64| part.weight > 0.0 && weight == 0.0;
        let missing = self.objective.parts.iter().zip(sums).find(|(part, sum)| without(part, sum.weight));
        match missing {
            Some((part, _)) if !self.now.stop && !data.read_targets(&[0], &mut Batch::default())? => {
                Err(part.no_weight())
            }
            _ => Ok(()),
        }
    }

    /// Processes one batch that was read from these positions, with its step, callbacks and checkpoint; breaks if a
    /// callback stops.
    fn batch(
        &mut self,
        number: usize,
        positions: &[usize],
        batch: &mut Batch<F, T>,
    ) -> Result<ControlFlow<()>> {
        self.now.batch = number;
        let sums = self.step(positions, batch)?;
        let position = &mut self.run.position;
        position.losses.resize(sums.len(), LossSum::default());
        position.losses.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
        position.batches = number as u64;
        self.call(Hook::BatchEnd)?;
        if !self.now.stop {
            self.save_within()?;
        }
        let run = &*self.run;
        self.reporter.batch(number, &|| run.loss(), &|| run.losses_and_metrics());
        Ok(if self.now.stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Forward, loss, backward and, if due, the optimizer's step.
    fn step(&mut self, positions: &[usize], batch: &mut Batch<F, T>) -> Result<Sums> {
        let (data, feed, objective) = (self.data, &self.feed, &self.objective);
        let source = (data, positions, feed);
        let sums = step::on_batch(self.model, objective, batch, source, &mut self.run.metrics)?;
        if !finite(&sums) {
            let pass = Pass::Train { epoch: self.run.position.epochs_done };
            let at = (positions, pass, self.run.optimizer.steps() + 1);
            return Err(in_training(self.model.as_infer(), objective, (data, feed), at)?);
        }
        self.now.loss = objective.total(&sums);
        // A step without any weight has a gradient of 0, but momentum and decay would still change the parameters.
        let weighted = objective.is_weighted(&sums);
        if self.run.optimizer.is_due(weighted) {
            self.call(Hook::Gradients)?;
        }
        self.run.optimizer.step_weighted(self.model, weighted)?;
        Ok(sums)
    }

    /// Takes the step for the remaining accumulated batches, and checks all parameters.
    fn last_step(&mut self) -> Result<()> {
        if self.run.optimizer.has_batches() {
            self.call(Hook::Gradients)?;
        }
        self.run.optimizer.flush(self.model)?;
        match self.model.non_finite_parameter() {
            Some(what) => Err(diverged(what, self.run.optimizer.steps())),
            None => Ok(()),
        }
    }

    /// Returns the values over the validation data, if there are any.
    fn validate(&mut self) -> Result<Values> {
        let Some(validation) = self.validation else { return Ok(Values::new()) };
        let metrics = &mut self.run.metrics;
        let evaluation = measure(self.model.as_infer(), validation, &self.objective, metrics)
            .map_err(|error| error.at("validation"))?;
        Ok(evaluation.values().map(|(name, value)| (format!("val_{name}"), value)).collect())
    }

    /// Returns the epoch with these values, and moves the position to the beginning of the next epoch.
    fn end_epoch(&mut self, values: Values) -> Epoch {
        let (seconds, run) = (self.seconds(), &mut *self.run);
        let learning_rate = run.optimizer.learning_rate_at(run.optimizer.steps());
        let directions = run.directions(self.validation.is_some()).map(|(_, direction)| direction).collect();
        let Position { epochs_done, best, .. } = run.position;
        run.position = Position { epochs_done: epochs_done + 1, best, ..Position::default() };
        Epoch::new(epochs_done + 1, values, learning_rate, seconds).with(directions)
    }

    /// Passes the monitored value to the optimizer, which may reduce the learning rate on a plateau.
    fn observe(&mut self) -> Result<()> {
        let optimizer = &mut self.run.optimizer;
        if let (Some(monitor), Some(ended)) = (optimizer.monitor(), &self.now.ended) {
            let (value, direction) = ended.watched(monitor).map_err(|error| error.at("reduce on plateau"))?;
            optimizer.observe_as(value, direction);
        }
        Ok(())
    }
}
