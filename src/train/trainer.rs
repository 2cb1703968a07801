//! The trainer: what it is made of, how it is set up, and what can be asked of it.

use super::callback::Callback;
use super::fit::diverged;
use super::progress::Progress;
use super::step;
use crate::data::{Dataset, Subset, split_at};
use crate::error::{Error, Result};
use crate::history::History;
use crate::layers::Sequential;
use crate::loss::Loss;
use crate::metric::Metric;
use crate::optim::{Optimizer, Rule};
use crate::random::Random;
use crate::scalar::Scalar;
use crate::tensor::Tensor;
use std::borrow::Borrow;

/// Trains models: a loss, an optimiser, and how to go through the data.
///
/// ```
/// use ndarray::Array2;
/// use plywood::prelude::*;
///
/// // Is x + y above 1?
/// let mut draws = plywood::Random::seed(1).at(0, 0);
/// let x = Array2::from_shape_simple_fn((500, 2), || draws.unit() as f32);
/// let labels: Vec<usize> = x.outer_iter().map(|row| usize::from(row.sum() > 1.0)).collect();
/// let data = ArrayDataset::new(x, labels)?;
///
/// let mut model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build()?;
/// let mut trainer = Trainer::new(CrossEntropy::default(), Adam::default())
///     .learning_rate(0.05)
///     .epochs(10)
///     .validation_split(0.2)
///     .metric(Accuracy::default())
///     .progress(Progress::Silent);
/// let history = trainer.fit(&mut model, &data)?;
/// assert!(history.last("val_accuracy").unwrap() > 0.9);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The trainer keeps the optimiser's state: a second `fit` goes on where the first ended. One seed gives one result,
/// to the bit.
///
/// | setting | unless set |
/// |---|---|
/// | [`epochs`](Trainer::epochs) | 1 |
/// | [`batch_size`](Trainer::batch_size) | 32 |
/// | [`shuffle`](Trainer::shuffle) | yes, anew in each epoch |
/// | [`seed`](Trainer::seed) | 0 |
/// | [`learning_rate`](Trainer::learning_rate) | the rule's default |
/// | [`clip_norm`](Trainer::clip_norm) | no clipping |
/// | [`average`](Trainer::average) | no averages of weights |
/// | [`batches_per_step`](Trainer::batches_per_step) | 1 |
/// | [`validation_split`](Trainer::validation_split) | no validation |
/// | [`prefetch`](Trainer::prefetch) | as the data set says: none for data in memory |
/// | [`progress`](Trainer::progress) | [`Progress::Auto`] |
///
/// It takes the place of Keras' `compile` and `fit`, but is apart from the model: a model has no optimiser inside,
/// and a trainer may be given to another function with all its settings. For a loop of one's own as in PyTorch, see
/// [`accumulate`](crate::accumulate).
pub struct Trainer<L: Loss<F>, R: Rule<F>, F: Scalar = f32> {
    /// Applied to each batch, in training and in validation.
    pub(super) loss: L,
    /// Lives as long as the trainer, so that a second `fit` has its moments.
    pub(super) optimizer: Optimizer<R, F>,
    /// One list for training and validation; reset in between.
    pub(super) metrics: Vec<Box<dyn Metric<L::Target, F>>>,
    /// In the order in which they were added, which is that in which they are called.
    pub(super) callbacks: Vec<Box<dyn Callback<F>>>,
    pub(super) epochs: usize,
    pub(super) batch_size: Option<usize>,
    pub(super) shuffle: bool,
    pub(super) validation_split: Option<f64>,
    /// As the data set says, unless set.
    pub(super) prefetch: Option<usize>,
    /// Seeds the order of samples and nothing else.
    pub(super) random: Random,
    pub(super) progress: Progress,
    /// That of the last `fit`, filled while it runs, so that an error leaves what came before it.
    pub(super) history: History,
    /// Over all calls of `fit`. The next epoch's order is drawn by it, so that a second `fit` does not repeat the
    /// first's.
    pub(super) epochs_done: u64,
}

/// Names and values of a loss and of metrics.
pub(super) type Values = Vec<(String, f64)>;

/// The loss and the metrics of a model on some data.
///
/// It is what [`Trainer::evaluate`] returns, and what becomes the "val_…" values of an epoch.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Evaluation {
    /// The loss: the mean over all samples, by their weights.
    pub loss: f64,
    /// Names and values of the metrics, in the order in which they were added.
    pub metrics: Vec<(String, f64)>,
}

impl Evaluation {
    /// The metric of this name: "accuracy".
    ///
    /// The loss is not among them: it is a field of its own.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.metrics.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }
}

impl<F: Scalar, L: Loss<F>, R: Rule<F>> Trainer<L, R, F> {
    /// With this loss, and a rule at its default rate or an [`Optimizer`]. One epoch, batches of 32, shuffled.
    ///
    /// Settings are given by methods that take the trainer and return it, in any order. Numbers out of range are
    /// found by `fit`, not here.
    pub fn new(loss: L, optimizer: impl Into<Optimizer<R, F>>) -> Self {
        Self {
            loss,
            optimizer: optimizer.into(),
            metrics: Vec::new(),
            callbacks: Vec::new(),
            epochs: 1,
            batch_size: None,
            shuffle: true,
            validation_split: None,
            prefetch: None,
            random: Random::seed(0).child("trainer"),
            progress: Progress::default(),
            history: History::default(),
            epochs_done: 0,
        }
    }

    /// How many times `fit` goes through the data.
    ///
    /// A second `fit` goes through them again. 0 is an error of `fit`.
    #[must_use]
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }

    /// How many samples make a step: 32 unless told otherwise (all where there are fewer).
    ///
    /// From 1 to the number of training samples; an epoch has `samples / batch_size` steps, rounded up, and its
    /// last batch may be smaller. Larger batches make a step's gradient less noisy, and steps fewer: whoever
    /// doubles the size usually raises the rate, too.
    ///
    /// Told otherwise, a size above the number of samples is an error, where Keras and PyTorch make one batch of them all:
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let data = ArrayDataset::new(ndarray::Array2::<f32>::zeros((10, 3)), vec![0; 10])?;
    /// let mut model = Sequential::builder([3]).layer(Dense::units(2)).layer(Softmax).build()?;
    /// let mut trainer = Trainer::new(CrossEntropy::default(), Adam::default()).batch_size(32);
    /// assert_eq!(
    ///     trainer.fit(&mut model, &data).unwrap_err().to_string(),
    ///     "fit: expected a batch size of 1 to 10, the number of training samples, found 32. \
    ///      Usual batches have 32 to 64 samples."
    /// );
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = Some(batch_size);
        self
    }

    /// The seed of the order in which samples come; 0 without it. The model has a seed of its own.
    ///
    /// Two trainers with one seed show the samples in the same order:
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let run = |seed| -> Result<Vec<f64>> {
    ///     let inputs = ndarray::Array2::from_shape_fn((64, 3), |(i, j)| (i * j) as f32 / 64.0);
    ///     let data = ArrayDataset::new(inputs, vec![1; 64])?;
    ///     let mut model = Sequential::builder([3]).layer(Dense::units(2)).layer(Softmax).build()?;
    ///     let trainer = Trainer::new(CrossEntropy::default(), SGD::default()).epochs(2).seed(seed);
    ///     Ok(trainer.progress(Progress::Silent).fit(&mut model, &data)?.get("loss"))
    /// };
    /// assert_eq!(run(7)?, run(7)?);
    /// assert_ne!(run(7)?, run(8)?);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.random = Random::seed(seed).child("trainer");
        self
    }

    /// Whether samples come in a new random order each epoch (they do unless told otherwise).
    ///
    /// Without it they come in the order of the data set, the same in each epoch. The order is a list of positions,
    /// 8 bytes for each sample; the samples themselves are not moved.
    #[must_use]
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        self.shuffle = shuffle;
        self
    }

    /// Keeps the last `share` of the samples out of training, before any shuffling, and evaluates the model on them
    /// after each epoch: what Keras' `validation_split` means.
    ///
    /// The share lies above 0 and below 1, and both parts must have a sample; `fit` says so otherwise. Data that
    /// are sorted by class should be split with [`random_split`](crate::random_split) and given to
    /// [`fit_with_validation`](Trainer::fit_with_validation), as the last share of them has few classes.
    #[must_use]
    pub fn validation_split(mut self, share: f64) -> Self {
        self.validation_split = Some(share);
        self
    }

    /// How many batches are read ahead, on a thread of its own, while others train; 0 for none.
    ///
    /// Unless it is set, the data set says it ([`Dataset::prefetch`]): none for data in memory, where reading is a
    /// copy of microseconds and another thread only takes a core away; some for files. Set it for data sets whose
    /// reading takes a good part of a step: pictures that are decoded, a database.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let run = |ahead| -> Result<Vec<f64>> {
    ///     let inputs = ndarray::Array2::from_shape_fn((64, 3), |(i, j)| (i * j) as f32 / 64.0);
    ///     let data = ArrayDataset::new(inputs, vec![1; 64])?;
    ///     let mut model = Sequential::builder([3]).layer(Dense::units(2)).layer(Softmax).build()?;
    ///     let trainer = Trainer::new(CrossEntropy::default(), SGD::default()).batch_size(8).prefetch(ahead);
    ///     Ok(trainer.progress(Progress::Silent).fit(&mut model, &data)?.get("loss"))
    /// };
    /// assert_eq!(run(0)?, run(3)?); // the same bits
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// Each batch takes its memory. With one thread ([`set_threads`](crate::set_threads)) nothing is spawned, and
    /// batches are read one by one.
    #[must_use]
    pub fn prefetch(mut self, batches: usize) -> Self {
        self.prefetch = Some(batches);
        self
    }

    /// Adds a metric, over training batches and over validation data.
    ///
    /// Its type of targets must be the loss's. A metric costs a pass over each batch's predictions; where the loss
    /// works on logits, the link is applied once for all metrics.
    #[must_use]
    pub fn metric(mut self, metric: impl Metric<L::Target, F> + 'static) -> Self {
        self.metrics.push(Box::new(metric));
        self
    }

    /// Adds a callback.
    ///
    /// Callbacks are called in the order in which they were added.
    #[must_use]
    pub fn callback(mut self, callback: impl Callback<F> + 'static) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// How progress is shown.
    ///
    /// It has no effect on the result.
    #[must_use]
    pub fn progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// What happened in the last `fit`, also when it ended with an error.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// /// Gives up after the second epoch.
    /// struct GiveUp;
    /// impl Callback for GiveUp {
    ///     fn on_batch_end(
    ///         &mut self,
    ///         _: &mut Sequential,
    ///         batch: &plywood::BatchEnd,
    ///     ) -> Result<std::ops::ControlFlow<()>> {
    ///         if batch.step > 2 { Err(Error::custom("enough")) } else { Ok(std::ops::ControlFlow::Continue(())) }
    ///     }
    /// }
    ///
    /// let data = ArrayDataset::new(ndarray::Array2::<f32>::ones((4, 1)), ndarray::Array2::<f32>::ones((4, 1)))?;
    /// let mut model = Sequential::builder([1]).layer(Dense::units(1)).build()?;
    /// let trainer = Trainer::new(MeanSquaredError, SGD::default()).batch_size(4).epochs(9).callback(GiveUp);
    /// let mut trainer = trainer.progress(Progress::Silent);
    /// assert!(trainer.fit(&mut model, &data).is_err());
    /// assert_eq!(trainer.history().epochs.len(), 2);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Trains the model on the data.
    ///
    /// Training goes on from the model's parameters, the optimiser's state and the number of epochs done, as they
    /// are. The returned history has this call's epochs.
    ///
    /// Memory, beside model and data: one batch, the caches and gradients of the layers, the optimiser's state. All
    /// are kept from step to step, so a step allocates next to nothing.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let mut inputs = ndarray::Array2::<f32>::ones((64, 3));
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
    /// The positions in such texts count in what is trained on: after a split or in a [`Subset`], not in the whole
    /// data set.
    ///
    /// # Errors
    /// When model, data, loss and settings do not fit each other (found before the first step, as far as shapes go),
    /// data cannot be read, or a batch's loss is not finite; it names the first place that holds such a number, and
    /// that step is not taken. (A gradient that is not finite under a finite loss is noticed by the next loss.)
    /// Callbacks have ended properly then, so early stopping has restored its best weights.
    pub fn fit<D>(&mut self, model: &mut Sequential<F>, data: &D) -> Result<History>
    where
        D: Dataset<F>,
        D::Target: Borrow<L::Target>,
    {
        let result = match self.validation_split {
            Some(share) => split_at(data, share)
                .map_err(|error| error.at("validation split"))
                .and_then(|(train, validation)| self.run(model, &train, Some(&validation))),
            None => self.run(model, data, None::<&Subset<&D>>),
        };
        result.map_err(|error| error.at("fit"))
    }

    /// [`fit`](Trainer::fit) with data of its own for validation.
    ///
    /// Validation data are read in order, without shuffling, with [`Pass::Evaluate`](crate::Pass::Evaluate).
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let data = ArrayDataset::new(ndarray::Array2::<f32>::ones((50, 2)), vec![1; 50])?;
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
        D::Target: Borrow<L::Target>,
        V: Dataset<F>,
        V::Target: Borrow<L::Target>,
    {
        if let Some(share) = self.validation_split {
            let found = format!("a split of {share} beside them");
            return Err(Error::data("validation data", "to come from one place", found)
                .help("Leave `validation_split` out, or call `fit`.")
                .at("fit"));
        }
        self.run(model, data, Some(validation)).map_err(|error| error.at("fit"))
    }

    /// One step on one batch: the loss before the step. Metrics are not updated, callbacks not called.
    ///
    /// It is [`accumulate`](crate::accumulate) and the optimiser's step, with the trainer's settings: for batches that come from
    /// elsewhere (a stream, a game) and belong to no data set. Keras calls it `train_on_batch`.
    ///
    /// ```
    /// use ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// let mut model = Sequential::builder([2]).layer(Dense::units(1)).build()?;
    /// let mut trainer = Trainer::new(MeanSquaredError, SGD::default()).learning_rate(0.1);
    /// let (x, t) = (arr2(&[[1.0, 2.0]]).into_dyn(), arr2(&[[3.0]]).into_dyn());
    /// let losses: Vec<f32> =
    ///     (0..5).map(|_| trainer.step(&mut model, x.clone(), &t, None)).collect::<Result<_>>()?;
    /// assert!(losses[4] < losses[0]);
    /// assert_eq!(trainer.optimizer().steps(), 5);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the batch does not fit, or the loss is not finite (the step is not taken then).
    pub fn step(
        &mut self,
        model: &mut Sequential<F>,
        input: Tensor<F>,
        target: &L::Target,
        weights: Option<&[F]>,
    ) -> Result<F> {
        let number = self.optimizer.steps() + 1;
        let take = || {
            self.optimizer.training_weights(model)?;
            let loss = step::forward_backward(model, &self.loss, input, target, weights, &mut [])?;
            if !loss.is_finite() {
                return Err(diverged("the loss".to_owned(), number));
            }
            self.optimizer.step(model)?;
            Ok(loss)
        };
        take().map_err(|error: Error| error.at("step"))
    }

    /// The loss and the metrics of the model on the data, which it sees as at inference.
    ///
    /// Every sample is seen once, in order, in pieces of 256 on [`threads()`](crate::threads) threads. The batch
    /// size of training plays no part. `self` is borrowed mutably because the metrics are the trainer's own;
    /// nothing else of it changes.
    ///
    /// ```
    /// use ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([2]).layer(Softmax).build()?; // the larger input wins
    /// let data = ArrayDataset::new(arr2(&[[9.0f32, 0.0], [0.0, 9.0], [9.0, 0.0], [0.0, 9.0]]), vec![0, 1, 0, 0])?;
    /// let mut trainer = Trainer::new(CrossEntropy::default(), SGD::default()).metric(Accuracy::default());
    /// let evaluation = trainer.evaluate(&model, &data)?;
    /// assert_eq!(evaluation.get("accuracy"), Some(0.75));
    /// assert!((evaluation.loss - 9.0 / 4.0).abs() < 1e-3); // one of four is wrong by 9
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When model and data do not fit each other, there are no data, or they cannot be read.
    pub fn evaluate<D>(&mut self, model: &Sequential<F>, data: &D) -> Result<Evaluation>
    where
        D: Dataset<F>,
        D::Target: Borrow<L::Target>,
    {
        self.measure(model, data).map_err(|error| error.at("evaluate"))
    }
}

/// Metrics and callbacks need not be `Debug`, and are left out.
impl<F: Scalar, L: Loss<F> + std::fmt::Debug, R: Rule<F>> std::fmt::Debug for Trainer<L, R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trainer")
            .field("loss", &self.loss)
            .field("optimizer", &self.optimizer)
            .field("epochs", &self.epochs)
            .field("batch_size", &self.batch_size)
            .field("validation_split", &self.validation_split)
            .finish_non_exhaustive()
    }
}
