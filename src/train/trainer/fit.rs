//! `fit`, from its checks to its end, and a single step.

use super::settings::Settings;
use super::{Trainer, step};
use crate::data::{Dataset, split_at};
use crate::error::{Error, Result};
use crate::history::History;
use crate::infer::check_data;
use crate::io::checkpoint::Position;
use crate::kernels::Scalar;
use crate::kernels::platform::Instant;
use crate::losses::Loss;
use crate::nn::Sequential;
use crate::state::State;
use crate::target::AsTarget;
use crate::tensor::Tensor;
use crate::train::callbacks::context::{Hook, Now};
use crate::train::callbacks::progress::Reporter;
use crate::train::checkpoint_folder::Checkpoints;
use crate::train::compatibility::{check_targets, check_trainable, check_training, no_weight};
use crate::train::run::{Run, ToResume};
use crate::train::trainer::non_finite::diverged;
use crate::train::trainer::step::Expected;

impl<F: Scalar, L: Loss<F>> Trainer<L, F> {
    /// What happened in the last `fit`, also when it ended with an error.
    ///
    /// ```
    /// use plywood::ndarray::Array2;
    /// use plywood::prelude::*;
    ///
    /// /// Gives up after the second epoch.
    /// struct GiveUp;
    /// impl Callback for GiveUp {
    ///     fn on_batch_end(&mut self, context: &mut Context<'_>) -> Result<()> {
    ///         if context.step() > 2 { Err(Error::custom("enough")) } else { Ok(()) }
    ///     }
    /// }
    ///
    /// let data = ArrayDataset::new(Array2::<f32>::ones((4, 1)), Array2::<f32>::ones((4, 1)))?;
    /// let mut model = Sequential::builder([1]).layer(Dense::units(1)).build()?;
    /// let trainer = Trainer::new(MeanSquaredError, SGD::default()).batch_size(4).epochs(9).callback(GiveUp);
    /// let mut trainer = trainer.progress(Progress::Silent);
    /// assert!(trainer.fit(&mut model, &data).is_err());
    /// assert_eq!(trainer.history().epochs.len(), 2);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn history(&self) -> &History {
        &self.run.history
    }

    /// Trains the model on the data.
    ///
    /// Training goes on from the model's parameters, the optimizer's state and the number of epochs done, as they are.
    /// The returned history has this call's epochs; after [`resume`](Trainer::resume) it has those of the run before
    /// the interruption, too, and `fit` trains what is left of them. What there is to say of the data
    /// ([`Dataset::remarks`]) is printed first, unless progress is silent.
    ///
    /// Memory, beside model and data: one batch, the caches and gradients of the layers, the optimizer's state. All
    /// are kept from step to step, so a step allocates next to nothing.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let mut inputs = plywood::ndarray::Array2::<f32>::ones((64, 3));
    /// inputs[[5, 1]] = f32::NAN;
    /// let data = ArrayDataset::new(inputs, vec![0; 64])?;
    /// let mut model = Sequential::builder([3]).layer(Dense::units(2)).layer(Softmax).build()?;
    /// let mut trainer = Trainer::new(CrossEntropy::default(), Adam::default()).shuffle(false);
    /// trainer = trainer.progress(Progress::Silent);
    /// let text = trainer.fit(&mut model, &data).unwrap_err().to_string();
    /// assert!(text.contains("the input of sample 5") && text.contains("Clean the data"), "{text}");
    /// assert_eq!(trainer.optimizer().steps(), 0); // the step was not taken
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// The positions in such texts count in what is trained on: after a split or in a [`Subset`](crate::data::Subset),
    /// not in the whole data set.
    ///
    /// # Errors
    /// When model, data, loss and settings do not fit each other (found before the first step, as far as shapes go; so
    /// is a batch size of one where a batch normalization would have one number a feature), data cannot be read, or a
    /// batch's loss is not finite; it names the first place that holds such a number, and that step is not taken. A
    /// model with nothing to train is an error, too: one without parameters, or with all of them frozen. A gradient
    /// that is not finite under a finite loss is noticed before the step where its norm is taken for clipping
    /// ([`clip_norm`](Trainer::clip_norm)), else by the next loss. A checkpoint that cannot be written is an error,
    /// too, and a folder of [`checkpoints`](Trainer::checkpoints) with those of another run. Callbacks have ended
    /// properly then, so early stopping has restored its best weights.
    pub fn fit<D>(&mut self, model: &mut Sequential<F>, data: &D) -> Result<History>
    where
        D: Dataset<F>,
        D::Target: AsTarget<L::Target>,
    {
        let result = match self.settings.validation_split {
            Some(share) => split_at(data, share).map_err(|error| error.at("validation split")).and_then(
                |(train, validation)| {
                    self.train(model, &train, Some(&validation as &dyn Dataset<F, Target = D::Target>))
                },
            ),
            None => self.train(model, data, None::<&dyn Dataset<F, Target = D::Target>>),
        };
        result.map_err(|error| error.at("fit"))
    }

    /// [`fit`](Trainer::fit) with data of its own for validation.
    ///
    /// Validation data are read in order, without shuffling, with [`Pass::Evaluate`](crate::data::Pass::Evaluate).
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let data = ArrayDataset::new(plywood::ndarray::Array2::<f32>::ones((50, 2)), vec![1; 50])?;
    /// let (train, validation) = random_split::<f32, _>(&data, 0.2, 3)?;
    /// let mut model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build()?;
    /// let mut trainer = Trainer::new(CrossEntropy::default(), Adam::default()).progress(Progress::Silent);
    /// let history = trainer.fit_with_validation(&mut model, &train, &validation)?;
    /// assert!(history.last("val_loss").is_some() && history.last("val_accuracy").is_none());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fit`](Trainer::fit); also when a validation split was asked for too.
    pub fn fit_with_validation<D, V>(
        &mut self,
        model: &mut Sequential<F>,
        data: &D,
        validation: &V,
    ) -> Result<History>
    where
        D: Dataset<F>,
        D::Target: AsTarget<L::Target>,
        V: Dataset<F>,
        V::Target: AsTarget<L::Target>,
    {
        if let Some(share) = self.settings.validation_split {
            let found = format!("a split of {share} as well");
            return Err(Error::data("the validation data", "come from one place", found)
                .help("Leave `validation_split` out, or call `fit`.")
                .at("fit"));
        }
        self.train(model, data, Some(validation as &dyn Dataset<F, Target = V::Target>))
            .map_err(|error| error.at("fit"))
    }

    /// One step on one batch: the loss before the step, by the samples' weights. Metrics are not updated, callbacks not
    /// called.
    ///
    /// It is [`accumulate`](crate::train::accumulate) and the optimizer's step, with the trainer's settings: for
    /// batches that come from elsewhere (a stream, a game) and belong to no data set. Keras calls it `train_on_batch`.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// let mut model = Sequential::builder([2]).layer(Dense::units(1)).build()?;
    /// let mut trainer = Trainer::new(MeanSquaredError, SGD::default()).learning_rate(0.1);
    /// let (x, t) = (arr2(&[[1.0, 2.0]]).into_dyn(), arr2(&[[3.0]]).into_dyn());
    /// let losses: Vec<f64> =
    ///     (0..5).map(|_| trainer.step(&mut model, x.clone(), &t, None)).collect::<Result<_>>()?;
    /// assert!(losses[4] < losses[0]);
    /// assert_eq!(trainer.optimizer().steps(), 5);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the model has no parameters to train, or the batch does not fit, has no samples or a single one that is too
    /// small for a layer ([`Layer::check_batch_size`](crate::nn::Layer::check_batch_size)), has only weights of 0, or
    /// an input, a target or the loss is not finite. The step is not taken then, and its gradients are forgotten.
    /// Parameters that a step has made infinite are found by the next one; `fit` looks at them after each epoch.
    pub fn step(
        &mut self,
        model: &mut Sequential<F>,
        input: Tensor<F>,
        target: &L::Target,
        weights: Option<&[F]>,
    ) -> Result<f64> {
        let number = self.run.optimizer.steps() + 1;
        let check = || {
            check_trainable(model)?;
            check_training(model, &self.settings.loss)?;
            step::check_batch(model, &input)?;
            self.settings.loss.check_target(model.output_shape(), target)
        };
        let at = |error: Error| error.at("step");
        check().map_err(at)?;
        let take = || {
            self.run.optimizer.training_weights(model)?;
            let loss = step::forward_backward(
                model,
                &self.settings.loss,
                input,
                Expected { target, weights },
                &mut [],
            )?;
            if !loss.sum.is_finite() {
                let what = model.first_non_finite_param().unwrap_or_else(|| "the loss".to_owned());
                return Err(diverged(what, number));
            }
            if loss.weight == 0.0 {
                return Err(no_weight());
            }
            self.run.optimizer.step(model)?;
            Ok(loss.mean())
        };
        let taken = take().map_err(at);
        if taken.is_err() {
            self.run.optimizer.discard(model);
        }
        taken
    }

    /// `fit` for both kinds of validation.
    ///
    /// From here on the data sets' types are left out: all of training is then compiled once for each kind of target,
    /// and not again for each data set, each split of it, and each way to validate.
    fn train<T, U>(
        &mut self,
        model: &mut Sequential<F>,
        data: &dyn Dataset<F, Target = T>,
        validation: Option<&dyn Dataset<F, Target = U>>,
    ) -> Result<History>
    where
        T: AsTarget<L::Target> + Default + Send,
        U: AsTarget<L::Target> + Default + Send,
    {
        self.settings.check(model, data, &mut self.run.metrics)?;
        if let Some(validation) = validation {
            check_data(model, validation)
                .and_then(|()| check_targets(model, &self.settings.loss, validation))
                .map_err(|error| error.at("validation data"))?;
        }
        let best = self.settings.checkpoints.as_ref().and_then(Checkpoints::monitor);
        self.run.check_monitors(best, validation.is_some())?;
        self.run.optimizer.check_next(model)?;
        self.check_checkpoints(data.len())?;
        let Self { settings, run, .. } = self;
        let steps = data.len().div_ceil(settings.batch_size_for(data.len()));
        let reporter = Reporter::new(settings.progress, settings.epochs, steps);
        let (now, start) = (Now::after(run.position.epochs_done), Instant::now());
        Fit { model, data, validation, settings, run, now, reporter, unsaved: 0, start }.train()
    }
}

/// A call of `fit` under way, after its checks: what it was given, and the run that goes on.
pub(super) struct Fit<'a, F: Scalar, L: Loss<F>, T, U> {
    pub model: &'a mut Sequential<F>,
    pub data: &'a dyn Dataset<F, Target = T>,
    pub validation: Option<&'a dyn Dataset<F, Target = U>>,
    pub settings: &'a Settings<L, F>,
    pub run: &'a mut Run<L::Target, F>,
    /// Where it is, as callbacks see it, and what they have asked for.
    pub now: Now,
    pub reporter: Reporter,
    /// Batches since the last checkpoint within an epoch.
    pub unsaved: u64,
    /// When the epoch under way began, or was resumed.
    pub start: Instant,
}

impl<F: Scalar, L: Loss<F>, T, U> Fit<'_, F, L, T, U>
where
    T: AsTarget<L::Target> + Default + Send,
    U: AsTarget<L::Target> + Default + Send,
{
    /// Trains, to the end.
    ///
    /// Where weights are averaged, the averages are in the model from the end of each epoch to the beginning of the
    /// next, and at the end. Callbacks' `on_train_end` comes after an error of an epoch too, so that early stopping
    /// restores its parameters; every callback is ended, and the first error is the one returned.
    fn train(mut self) -> Result<History> {
        self.note_remarks();
        let states = self.take_pending();
        let mut result = self.begin(states).and_then(|metrics| self.epochs(metrics));
        if result.is_err() {
            self.run.optimizer.discard(self.model);
        }
        result = result.and(self.run.optimizer.evaluation_weights(self.model));
        self.reporter.end();
        result = result.and(self.end_callbacks());
        result.map(|()| self.run.history.clone())
    }

    /// Shows what there is to say of the data.
    fn note_remarks(&mut self) {
        let of_data = self.data.remarks();
        let of_validation = self.validation.map_or(&[][..], |validation| validation.remarks());
        of_data.iter().for_each(|remark| self.reporter.note(remark));
        let others = of_validation.iter().filter(|remark| !of_data.contains(remark));
        others.for_each(|remark| self.reporter.note(remark));
    }

    /// Sets the position to that of the checkpoint that is resumed, whose states it returns, or to the beginning.
    fn take_pending(&mut self) -> Option<ToResume<F>> {
        let run = &mut *self.run;
        let Some(pending) = run.pending.take() else {
            run.history = History::default();
            run.position = Position { epochs_done: run.position.epochs_done, ..Position::default() };
            return None;
        };
        self.reporter.note(&pending.line);
        run.position = pending.position;
        Some(*pending)
    }

    /// Tells callbacks, and gives back the states of an epoch's metrics that are resumed.
    fn begin(&mut self, resumed: Option<ToResume<F>>) -> Result<Vec<Option<State<F>>>> {
        self.call(Hook::TrainBegin)?;
        let mut metrics = Vec::new();
        if let Some(resumed) = resumed {
            metrics = resumed.metrics;
            self.run.load_callbacks(self.model, resumed.callbacks)?;
        }
        // Only now, as a callback may have thawed what is to be trained.
        check_trainable(self.model)?;
        Ok(metrics)
    }
}
