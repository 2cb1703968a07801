//! The loops over epochs and batches, and over the batches of an evaluation.

use super::fit::{Evaluation, Values};
use super::{Trainer, step};
use crate::data::{Batch, Dataset, Pass};
use crate::error::{Error, Result};
use crate::history::{Epoch, History};
use crate::infer::{self, check_data};
use crate::io::checkpoint::Position;
use crate::kernels::Scalar;
use crate::kernels::platform::Instant;
use crate::losses::{Loss, LossSum};
use crate::monitor::{Direction, Monitor};
use crate::nn::{Layer, Sequential};
use crate::state::State;
use crate::target::AsTarget;
use crate::tensor::recycle;
use crate::train::callbacks::BatchEnd;
use crate::train::callbacks::progress::Reporter;
use crate::train::checkpoint_folder::Checkpoints;
use crate::train::compatibility::{
    begin_metrics, check_finite_target, check_targets, check_trainable, check_training, check_unknown,
    no_weight,
};
use crate::train::prefetch::{Ahead, each_batch};
use crate::train::run::{RunProgress, ToResume};
use crate::train::trainer::non_finite::{diverged, in_evaluation, in_training};
use std::ops::ControlFlow;

impl<F: Scalar, L: Loss<F>> Trainer<L, F> {
    /// `evaluate` without its place in errors, as validation has another, and without the check of outputs and targets,
    /// which comes once before. Sums are taken on this thread, piece after piece; the gradient that a loss makes along
    /// with its value goes back to the spare buffers.
    pub(in crate::train) fn measure<T>(
        &mut self,
        model: &Sequential<F>,
        data: &dyn Dataset<F, Target = T>,
    ) -> Result<Evaluation>
    where
        T: AsTarget<L::Target> + Default + Send,
    {
        begin_metrics(model, &self.loss, &mut self.metrics)?;
        self.metrics.iter_mut().for_each(|metric| metric.reset());
        let activation = step::fused(model, &self.loss);
        let (mut total, mut seen) = (LossSum::default(), 0);
        infer::outputs(model, data, activation.is_some(), &mut |output, batch| {
            check_finite_target(&batch.target)?;
            let (target, weights) = (batch.target.as_target(), batch.weights.as_deref());
            let samples = output.shape().first().copied().unwrap_or(0);
            check_unknown(model, &self.loss, &output)?;
            let updated = step::update_metrics(&mut self.metrics, activation, &output, target, weights);
            let (loss, grad) =
                step::loss(&self.loss, activation, output, target, weights, samples.max(1) as f64)?;
            recycle(grad);
            if !loss.sum.is_finite() {
                return Err(in_evaluation(model, &self.loss, data, seen..seen + samples)?);
            }
            updated?;
            total += loss;
            seen += samples;
            Ok(())
        })?;
        if total.weight == 0.0 {
            return Err(no_weight());
        }
        Ok(Evaluation { loss: total.mean(), metrics: self.metric_values() })
    }

    /// Names and values of the metrics as they stand.
    fn metric_values(&self) -> Values {
        self.metrics.iter().map(|metric| (metric.name().to_owned(), metric.value())).collect()
    }

    /// `fit` for both kinds of validation.
    ///
    /// Where weights are averaged, the averages are in the model from the end of each epoch to the beginning of the
    /// next, and at the end. Callbacks' `on_train_end` comes after an error of an epoch too, so that early stopping
    /// restores its parameters; every callback is ended, and the first error is the one returned.
    ///
    /// From here on the data sets' types are left out: all of training is then compiled once for each kind of target,
    /// and not again for each data set, each split of it, and each way to validate.
    pub(in crate::train) fn run<T, U>(
        &mut self,
        model: &mut Sequential<F>,
        data: &dyn Dataset<F, Target = T>,
        validation: Option<&dyn Dataset<F, Target = U>>,
    ) -> Result<History>
    where
        T: AsTarget<L::Target> + Default + Send,
        U: AsTarget<L::Target> + Default + Send,
    {
        self.check_settings(model, data)?;
        if let Some(validation) = validation {
            check_data(model, validation)
                .and_then(|()| check_targets(model, &self.loss, validation))
                .map_err(|error| error.at("validation data"))?;
        }
        self.check_monitors(validation.is_some())?;
        self.optimizer.check_next(model)?;
        let settings = self.settings(data.len());
        self.check_checkpoints(data.len())?;
        let steps = data.len().div_ceil(self.batch_size_for(data.len()));
        let mut reporter = Reporter::new(self.progress, self.epochs, steps);
        data.remarks().iter().for_each(|remark| reporter.note(remark));
        let of_validation = validation.map_or(&[][..], |validation| validation.remarks());
        of_validation
            .iter()
            .filter(|remark| !data.remarks().contains(remark))
            .for_each(|remark| reporter.note(remark));
        let mut position = Position { epochs_done: self.epochs_done, ..Position::default() };
        let mut states = None;
        match self.pending.take() {
            None => self.history = History::default(),
            Some(pending) => {
                let ToResume { metrics, callbacks, line, .. } = *pending;
                reporter.note(&line);
                (position, states) = (pending.position, Some((metrics, callbacks)));
            }
        }
        let mut run = RunProgress { settings, position, since: 0, start: Instant::now() };
        let mut begun = self.callbacks.iter_mut().try_for_each(|callback| callback.on_train_begin(model));
        let mut metrics = Vec::new();
        if let Some((of_metrics, of_callbacks)) = states {
            metrics = of_metrics;
            begun = begun.and_then(|()| self.load_callbacks(model, of_callbacks));
        }
        // Only now, as a callback may have thawed what is to be trained.
        begun = begun.and_then(|()| check_trainable(model));
        let mut result =
            begun.and_then(|()| self.run_epochs(model, data, validation, &mut reporter, &mut run, metrics));
        if result.is_err() {
            self.optimizer.discard(model);
        }
        result = result.and(self.optimizer.evaluation_weights(model));
        reporter.end();
        for callback in &mut self.callbacks {
            // Every callback ends; the first error is the one that is told.
            result = result.and(callback.on_train_end(model, &self.history));
        }
        result.map(|()| self.history.clone())
    }

    /// The epochs, one after the other. The history grows as they end, for `run` to hand out in any case.
    ///
    /// One batch is read into again and again, so its buffers are allocated once. A resumed run begins behind the
    /// epochs of its history, with what its metrics have gathered of the next.
    fn run_epochs<T, U>(
        &mut self,
        model: &mut Sequential<F>,
        data: &dyn Dataset<F, Target = T>,
        validation: Option<&dyn Dataset<F, Target = U>>,
        reporter: &mut Reporter,
        run: &mut RunProgress,
        metrics: Vec<Option<State<F>>>,
    ) -> Result<()>
    where
        T: AsTarget<L::Target> + Default + Send,
        U: AsTarget<L::Target> + Default + Send,
    {
        let mut batch = Batch::default();
        let mut metrics = Some(metrics);
        for epoch in self.history.epochs.len() + 1..=self.epochs {
            if run.position.ended {
                break;
            }
            run.start = Instant::now();
            reporter.begin_epoch(epoch);
            self.optimizer.training_weights(model)?;
            self.metrics.iter_mut().for_each(|metric| metric.reset());
            self.load_metrics(&metrics.take().unwrap_or_default())?;
            let (mut values, flow) = self.run_epoch(model, data, &mut batch, reporter, run)?;
            if self.optimizer.has_batches() {
                self.show_gradients(model)?;
            }
            self.optimizer.flush(model)?;
            if let Some(what) = model.first_non_finite_param() {
                return Err(diverged(what, self.optimizer.steps()));
            }
            self.optimizer.evaluation_weights(model)?;
            let learning_rate = self.optimizer.learning_rate_at(self.optimizer.steps());
            if let Some(validation) = validation {
                let evaluation = self.measure(model, validation).map_err(|error| error.at("validation"))?;
                values.push(("val_loss".to_owned(), evaluation.loss));
                values.extend(
                    evaluation.metrics.into_iter().map(|(name, value)| (format!("val_{name}"), value)),
                );
            }
            self.epochs_done += 1;
            let directions = self.directions(validation.is_some()).map(|(_, direction)| direction).collect();
            let ended = Epoch::new(self.epochs_done, values, learning_rate, run.seconds()).with(directions);
            let best = run.position.best;
            run.position = Position { epochs_done: self.epochs_done, best, ..Position::default() };
            reporter.end_epoch(epoch, &ended);
            self.history.epochs.push(ended.clone());
            if let Some(monitor) = self.optimizer.monitor() {
                let (value, direction) =
                    ended.watched(monitor).map_err(|error| error.at("reduce on plateau"))?;
                self.optimizer.observe_as(value, direction);
            }
            let mut stop = flow.is_break();
            for callback in &mut self.callbacks {
                stop |= callback.on_epoch_end(model, &ended)?.is_break();
            }
            run.position.ended = stop;
            self.save_after(model, run, &ended)?;
        }
        Ok(())
    }

    /// One pass over the data: loss and metrics, and whether a callback wants to stop.
    ///
    /// A callback that breaks ends the epoch after its batch, and the epoch is recorded and validated like any
    /// other. The remaining callbacks are called for that batch all the same. A resumed epoch begins behind the batches
    /// that are done: they are not read.
    fn run_epoch<T>(
        &mut self,
        model: &mut Sequential<F>,
        data: &dyn Dataset<F, Target = T>,
        batch: &mut Batch<F, T>,
        reporter: &mut Reporter,
        run: &mut RunProgress,
    ) -> Result<(Values, ControlFlow<()>)>
    where
        T: AsTarget<L::Target> + Default + Send,
    {
        let mut order: Vec<usize> = (0..data.len()).collect();
        if self.shuffle {
            self.random.child("shuffle").at(self.epochs_done, 0).shuffle(&mut order);
        }
        let pass = Pass::Train { epoch: self.epochs_done };
        let ahead = self.prefetch.map_or_else(|| Ahead::IfItPays(data.prefetch()), Ahead::Always);
        let (size, done) = (self.batch_size_for(data.len()), run.position.batches as usize);
        let batches = order[(done * size).min(order.len())..].chunks(size);
        let flow = each_batch(data, batches, pass, ahead, batch, &mut |number, indices, batch| {
            let number = done + number + 1;
            let loss = step::on_batch(model, &self.loss, batch, (data, indices), &mut self.metrics)?;
            if !loss.sum.is_finite() {
                let at = (indices, pass, self.optimizer.steps() + 1);
                return Err(in_training(model, &self.loss, data, at)?);
            }
            // A step without any weight has a gradient of 0, which momentum and decay would still follow.
            let weighted = loss.weight != 0.0;
            if self.optimizer.is_due(weighted) {
                self.show_gradients(model)?;
            }
            self.optimizer.step_weighted(model, weighted)?;
            run.position.loss += loss.sum;
            run.position.weight += loss.weight;
            run.position.batches = number as u64;
            let end = BatchEnd { number, step: self.optimizer.steps(), loss: loss.mean() };
            let mut flow = ControlFlow::Continue(());
            for callback in &mut self.callbacks {
                if callback.on_batch_end(model, &end)?.is_break() {
                    flow = ControlFlow::Break(());
                }
            }
            if flow.is_continue() {
                self.save_within(model, run)?;
            }
            reporter.batch(number, &|| run.loss(), &|| self.metric_values());
            Ok(flow)
        })?;
        if run.position.weight == 0.0 {
            return Err(no_weight());
        }
        let mut values = vec![("loss".to_owned(), run.loss())];
        values.extend(self.metric_values());
        Ok((values, flow))
    }

    /// Shows callbacks the gradients of the step that is about to be taken.
    fn show_gradients(&mut self, model: &mut Sequential<F>) -> Result<()> {
        let step = self.optimizer.steps() + 1;
        self.callbacks.iter_mut().try_for_each(|callback| callback.on_gradients(model, step))
    }

    /// The names of an epoch's values, and which way each is better, in order.
    fn directions(&self, validated: bool) -> impl Iterator<Item = (String, Option<Direction>)> + Clone + '_ {
        let prefixes = ["", "val_"].into_iter().take(1 + usize::from(validated));
        prefixes.flat_map(|prefix| {
            let metrics = self.metrics.iter().map(|metric| (metric.name(), metric.direction()));
            let all = std::iter::once(("loss", Some(Direction::Lower))).chain(metrics);
            all.map(move |(name, direction)| (format!("{prefix}{name}"), direction))
        })
    }

    /// Whether all values that are to be watched will be there, and are better one way or the other.
    fn check_monitors(&self, validated: bool) -> Result<()> {
        let values: Vec<(String, Option<Direction>)> = self.directions(validated).collect();
        let check = |monitor: Option<&Monitor>, place: &str| match monitor {
            Some(monitor) => monitor
                .resolve(values.iter().map(|(name, direction)| (name.as_str(), *direction)))
                .map(drop)
                .map_err(|error| error.at(place)),
            None => Ok(()),
        };
        check(self.optimizer.monitor(), "reduce on plateau")?;
        check(self.checkpoints.as_ref().and_then(Checkpoints::monitor), "the best checkpoint")?;
        self.callbacks.iter().try_for_each(|callback| check(callback.monitor(), callback.name()))
    }

    /// What can be checked before anything is computed. The rate, the rule's numbers and the norm for clipping are
    /// checked by `Optimizer::check_next`.
    fn check_settings<T: AsTarget<L::Target> + Default + Send>(
        &mut self,
        model: &Sequential<F>,
        data: &dyn Dataset<F, Target = T>,
    ) -> Result<()> {
        check_data(model, data)?;
        check_training(model, &self.loss)?;
        begin_metrics(model, &self.loss, &mut self.metrics)?;
        check_targets(model, &self.loss, data)?;
        if self.epochs == 0 {
            return Err(
                Error::argument("epochs", "at least 1", 0).help("Say how often to go through the data.")
            );
        }
        match self.batch_size {
            Some(size) if size == 0 || size > data.len() => {
                let expected = format!("1 to {}, the number of training samples", data.len());
                Err(Error::argument("a batch size", expected, size)
                    .help("Usual batches have 32 to 64 samples."))
            }
            _ => model.check_batch_size(model.input_shape(), self.batch_size_for(data.len())),
        }
    }

    /// The folder for checkpoints, and whether what is resumed fits settings and data: all before anything is changed.
    fn check_checkpoints(&self, samples: usize) -> Result<()> {
        if let Some(pending) = &self.pending {
            self.same_settings(&pending.settings, Some(samples)).map_err(|error| error.at("resumed run"))?;
            let begun = self.history.epochs.len() + usize::from(pending.position.batches > 0);
            if self.epochs < begun {
                let expected = format!("at least {begun}, as many as the resumed run has begun");
                return Err(Error::argument("epochs", expected, self.epochs)
                    .help("`epochs` counts those before the interruption, too."));
            }
        }
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.check()?;
            self.check_kinds()?;
            checkpoints.open(self.pending.as_deref())?;
        }
        Ok(())
    }

    pub(in crate::train) fn batch_size_for(&self, samples: usize) -> usize {
        self.batch_size.unwrap_or_else(|| samples.min(32))
    }
}
