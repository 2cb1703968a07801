//! `fit`, with its checks, and single steps.

use super::settings::Settings;
use super::{Trainer, step};
use crate::data::feed::Feed;
use crate::data::{Dataset, split_at};
use crate::error::{Error, Result};
use crate::history::History;
use crate::infer::check_data;
use crate::io::checkpoint::Position;
use crate::kernels::Scalar;
use crate::kernels::platform::Instant;
use crate::losses::Loss;
use crate::nn::{Inputs, Model};
use crate::state::State;
use crate::target::AsTarget;
use crate::train::callbacks::context::{Hook, Now};
use crate::train::callbacks::progress::Reporter;
use crate::train::checkpoint_folder::Checkpoints;
use crate::train::compatibility::{check_first, check_targets, check_trainable, check_training};
use crate::train::objective::{Expected, Objective, finite, no_weight};
use crate::train::run::{Run, load_callbacks};
use crate::train::trainer::checks::check_checkpoints;
use crate::train::trainer::non_finite::diverged;

impl<F: Scalar, L: Loss<F>> Trainer<L, F> {
    /// Returns the history of the last `fit`, even if it ended with an error.
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
    /// Training continues from the model's current parameters, the optimizer's state and the number of completed epochs.
    /// The returned history contains the epochs of this call. After [`resume`](Trainer::resume) it also contains those
    /// before the interruption, and `fit` trains the remaining ones. Remarks on the data ([`Dataset::remarks`]) are
    /// printed first, unless progress is silent.
    ///
    /// Besides model and data, memory is needed for one batch, the caches and gradients of the layers, and the
    /// optimizer's state. All of it is kept from step to step, so a step allocates almost nothing.
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
    /// Positions of samples in error messages refer to the data that are trained on: after a split or in a
    /// [`Subset`](crate::data::Subset), not to the whole data set.
    ///
    /// # Errors
    /// If model, data, loss and settings do not fit each other; shapes are checked before the first step, and so is a
    /// batch size of 1 if batch normalization would see one value per feature.
    ///
    /// Also if data cannot be read, a checkpoint cannot be written, the folder of [`checkpoints`](Trainer::checkpoints)
    /// contains those of another run, or the model has no trainable parameters (it has no parameters, or all are
    /// frozen).
    ///
    /// Also if a batch's loss is not finite: the error names the first place where such a number occurs, and the step
    /// is not taken. A gradient that is not finite under a finite loss is noticed before the step if its norm is
    /// computed for clipping ([`clip_norm`](Trainer::clip_norm)), otherwise by the next loss or at the end of the epoch.
    ///
    /// After an error in training, `on_train_end` of the callbacks has still been called, so early stopping has
    /// restored its best weights.
    pub fn fit<M, D>(&mut self, model: &mut M, data: &D) -> Result<History>
    where
        M: Model<F> + ?Sized,
        D: Dataset<F>,
        D::Target: AsTarget<L::Target>,
    {
        let model = model.as_model();
        let result = match self.settings.validation_split {
            Some(share) => split_at(data, share).map_err(|error| error.at("validation_split")).and_then(
                |(train, validation)| {
                    self.train(model, &train, Some(&validation as &dyn Dataset<F, Target = D::Target>))
                },
            ),
            None => self.train(model, data, None::<&dyn Dataset<F, Target = D::Target>>),
        };
        result.map_err(|error| error.at("fit"))
    }

    /// Like [`fit`](Trainer::fit), with separate validation data.
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
    /// As [`fit`](Trainer::fit); also if a validation split is set.
    pub fn fit_with_validation<M, D, V>(&mut self, model: &mut M, data: &D, validation: &V) -> Result<History>
    where
        M: Model<F> + ?Sized,
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
        self.train(model.as_model(), data, Some(validation as &dyn Dataset<F, Target = V::Target>))
            .map_err(|error| error.at("fit"))
    }

    /// Takes one step on one batch and returns the loss before the step, weighted by the samples' weights. Metrics are
    /// not updated, and callbacks are not called.
    ///
    /// It combines [`accumulate`](crate::train::accumulate) and the optimizer's step, with the trainer's settings. Use
    /// it for batches that do not come from a data set (a stream, a game). Keras calls it `train_on_batch`.
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
    /// If the model has no parameters to train; the batch does not fit, is empty, has only weights of 0, or consists of
    /// a single sample where a layer needs more ([`Layer::check_batch_size`](crate::nn::Layer::check_batch_size)); or
    /// an input, a target or the loss is not finite. The step is then not taken, and its gradients are discarded.
    /// Parameters that a step has made infinite are detected by the next step; `fit` checks them after each epoch.
    pub fn step<'a, M: Model<F> + ?Sized>(
        &mut self,
        model: &mut M,
        input: impl Into<Inputs<'a, F>>,
        target: &L::Target,
        weights: Option<&[F]>,
    ) -> Result<f64> {
        let (model, number) = (model.as_model(), self.run.optimizer.steps() + 1);
        let check = || {
            check_trainable(model)?;
            let objective = Objective::new(model.as_infer(), &self.settings.loss)?;
            check_training(model, &objective)?;
            let inputs = step::batch_of(model, input.into())?;
            objective.check_target(model.as_infer(), target)?;
            Ok((objective, inputs))
        };
        let at = |error: Error| error.at("step");
        let (objective, mut inputs) = check().map_err(at)?;
        let mut take = || {
            self.run.optimizer.training_weights(model)?;
            let expected = Expected { target, weights };
            let sums = step::forward_backward(model, &objective, &mut inputs, expected, &mut [])?;
            if !finite(&sums) {
                let what = model.non_finite_parameter().unwrap_or_else(|| "the loss".to_owned());
                return Err(diverged(what, number));
            }
            if !objective.is_weighted(&sums) {
                return Err(no_weight());
            }
            self.run.optimizer.step(model)?;
            Ok(objective.total(&sums))
        };
        let taken = take().map_err(at);
        if taken.is_err() {
            self.run.optimizer.discard(model);
        }
        taken
    }

    /// `fit` with and without separate validation data.
    ///
    /// From here on the data sets are trait objects, so that training is compiled once for each type of target, and not
    /// again for each data set, each split of it, and each kind of validation.
    fn train<T, U>(
        &mut self,
        model: &mut dyn Model<F>,
        data: &dyn Dataset<F, Target = T>,
        validation: Option<&dyn Dataset<F, Target = U>>,
    ) -> Result<History>
    where
        T: AsTarget<L::Target> + Default + Send,
        U: AsTarget<L::Target> + Default + Send,
    {
        let Self { settings, run, .. } = self;
        let settings = &*settings;
        let (objective, feed) = settings.check(model, data, &mut run.metrics)?;
        if let Some(validation) = validation {
            check_data(model.as_infer(), validation)
                .and_then(|feed| {
                    check_targets(model.as_infer(), &objective, validation)?;
                    check_first(validation, &feed)
                })
                .map_err(|error| error.at("validation data"))?;
        }
        run.losses = objective.parts.iter().map(|part| (part.name.map(str::to_owned), part.weight)).collect();
        let best = settings.checkpoints.as_ref().and_then(Checkpoints::monitor);
        run.check_monitors(best, validation.is_some())?;
        run.optimizer.check_next(model)?;
        check_checkpoints(settings, run, data.len())?;
        let steps = data.len().div_ceil(settings.batch_size_for(data.len()));
        let outputs = objective.parts.iter().filter_map(|part| part.name.map(str::to_owned)).collect();
        let reporter = Reporter::new(settings.progress, settings.epochs, steps, outputs);
        let (now, start) = (Now::after(run.position.epochs_done), Instant::now());
        Fit { model, data, validation, objective, feed, settings, run, now, reporter, unsaved: 0, start }
            .train()
    }
}

/// A running call of `fit`, after its checks: its arguments, and the run that it continues.
pub(super) struct Fit<'a, F: Scalar, L: Loss<F>, T, U> {
    pub model: &'a mut dyn Model<F>,
    pub data: &'a dyn Dataset<F, Target = T>,
    pub validation: Option<&'a dyn Dataset<F, Target = U>>,
    /// The loss of each output of the model.
    pub objective: Objective<'a, F, L::Target>,
    /// The inputs of the data, in the order of the model's.
    pub feed: Feed,
    pub settings: &'a Settings<L, F>,
    pub run: &'a mut Run<L::Target, F>,
    /// The position as callbacks see it, and their requests.
    pub now: Now,
    pub reporter: Reporter,
    /// The number of batches since the last checkpoint within an epoch.
    pub unsaved: u64,
    /// The time at which the current epoch began or was resumed.
    pub start: Instant,
}

impl<F: Scalar, L: Loss<F>, T, U> Fit<'_, F, L, T, U>
where
    T: AsTarget<L::Target> + Default + Send,
    U: AsTarget<L::Target> + Default + Send,
{
    /// Trains to the end.
    ///
    /// If weights are averaged, the model contains the averages from the end of each epoch to the beginning of the
    /// next, and at the end. `on_train_end` of the callbacks is called even after an error in an epoch, so that early
    /// stopping restores its parameters. It is called for every callback, and the first error is returned.
    fn train(mut self) -> Result<History> {
        self.note_remarks();
        self.set_position();
        let mut result = self.begin().and_then(|metrics| self.epochs(metrics));
        if result.is_err() {
            self.run.optimizer.discard(self.model);
        }
        result = result.and(self.run.optimizer.evaluation_weights(self.model));
        self.reporter.end();
        result = result.and(self.end_callbacks());
        result.map(|()| self.run.history.clone())
    }

    /// Prints the remarks on the data.
    fn note_remarks(&mut self) {
        let of_data = self.data.remarks();
        let of_validation = self.validation.map_or(&[][..], |validation| validation.remarks());
        of_data.iter().for_each(|remark| self.reporter.note(remark));
        let others = of_validation.iter().filter(|remark| !of_data.contains(remark));
        others.for_each(|remark| self.reporter.note(remark));
    }

    /// Sets the position to that of the resumed checkpoint, or to the beginning.
    fn set_position(&mut self) {
        let run = &mut *self.run;
        match &run.pending {
            Some(pending) => {
                self.reporter.note(&pending.line);
                run.position = pending.position.clone();
            }
            None => {
                run.history = History::default();
                run.position = Position { epochs_done: run.position.epochs_done, ..Position::default() };
            }
        }
    }

    /// Calls `on_train_begin`, loads the callbacks' states, and returns the metrics' states within a resumed epoch.
    ///
    /// If this fails, the next `fit` continues the resumed run.
    fn begin(&mut self) -> Result<Vec<Option<State<F>>>> {
        self.call(Hook::TrainBegin)?;
        let Run { pending, callbacks, .. } = &mut *self.run;
        if let Some(pending) = pending {
            load_callbacks(callbacks, self.model, &pending.callbacks)?;
        }
        // This check comes after the callbacks, because one of them may have unfrozen the parameters.
        check_trainable(self.model)?;
        Ok(self.run.pending.take().map_or_else(Vec::new, |pending| pending.metrics))
    }
}
