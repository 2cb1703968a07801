//! [`Trainer`]: its parts and its settings.

mod checkpoints;
mod checks;
mod epochs;
mod evaluate;
mod fit;
mod hooks;
pub(super) mod non_finite;
mod optimizer_settings;
mod resume;
pub(super) mod settings;
pub(super) mod step;

pub use evaluate::Evaluation;
pub use resume::Resumed;
pub use step::accumulate;

use super::callbacks::Callback;
use super::callbacks::progress::Progress;
use super::run::Run;
use crate::kernels::Scalar;
use crate::losses::Loss;
use crate::metrics::Metric;
use crate::optim::Optimizer;
use crate::random::Random;
use settings::Settings;

/// Trains models: a loss, an optimizer, and the settings of the training loop.
///
/// ```
/// use plywood::ndarray::Array2;
/// use plywood::prelude::*;
///
/// // Is x + y above 1?
/// let mut draws = plywood::random::Random::seed(1).at(0, 0);
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
/// The trainer keeps the optimizer's state, so a second `fit` continues where the first ended. The same seed gives
/// bit-for-bit the same result.
///
/// | setting | default |
/// |---|---|
/// | [`epochs`](Trainer::epochs) | 1 |
/// | [`batch_size`](Trainer::batch_size) | 32 |
/// | [`shuffle`](Trainer::shuffle) | true: a new order in each epoch |
/// | [`seed`](Trainer::seed) | 0 |
/// | [`learning_rate`](Trainer::learning_rate) | the update rule's default |
/// | [`clip_norm`](Trainer::clip_norm) | no clipping |
/// | [`average`](Trainer::average) | no averages of weights |
/// | [`batches_per_step`](Trainer::batches_per_step) | 1 |
/// | [`validation_split`](Trainer::validation_split) | no validation |
/// | [`checkpoints`](Trainer::checkpoints) | none |
/// | [`prefetch`](Trainer::prefetch) | chosen by the data set: none for data in memory |
/// | [`progress`](Trainer::progress) | [`Progress::Auto`] |
///
/// A trainer replaces Keras' `compile` and `fit`, but is separate from the model: a model contains no optimizer, and a trainer
/// can be passed to another function with all its settings. To write your own loop as in PyTorch, see
/// [`accumulate`](crate::train::accumulate).
pub struct Trainer<L: Loss<F>, F: Scalar = f32> {
    /// The settings, which do not change during a `fit`.
    pub(in crate::train) settings: Settings<L, F>,
    /// The state that training changes.
    pub(in crate::train) run: Run<L::Target, F>,
}

impl<F: Scalar, L: Loss<F>> Trainer<L, F> {
    /// Makes a trainer with this loss, and an update rule at its default learning rate or an [`Optimizer`].
    ///
    /// By default it trains one epoch with shuffled batches of 32. Settings are made by methods that take the trainer
    /// and return it, in any order. `fit` checks the numbers, not the methods.
    pub fn new(loss: L, optimizer: impl Into<Optimizer<F>>) -> Self {
        Self { settings: Settings::new(loss), run: Run::new(optimizer.into()) }
    }

    /// The share of the data that `fit` would keep for validation.
    pub(crate) fn split_share(&self) -> Option<f64> {
        self.settings.validation_split
    }

    /// Sets how many times `fit` goes through the data.
    ///
    /// A second `fit` trains as many epochs again. 0 makes `fit` return an error.
    #[must_use]
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.settings.epochs = epochs;
        self
    }

    /// Sets the number of samples in a batch: 32 by default, or all if there are fewer.
    ///
    /// It must be from 1 to the number of training samples. An epoch has `samples / batch_size` batches, rounded up;
    /// the last may be smaller. Larger batches give less noisy gradients but fewer steps, so the learning rate is
    /// usually raised along with the batch size.
    ///
    /// A batch size set explicitly to more than the number of samples is an error, while Keras and PyTorch would use
    /// one batch of all samples:
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let data = ArrayDataset::new(plywood::ndarray::Array2::<f32>::zeros((10, 3)), vec![0; 10])?;
    /// let mut model = Sequential::builder([3]).layer(Dense::units(2)).layer(Softmax).build()?;
    /// let mut trainer = Trainer::new(CrossEntropy::default(), Adam::default()).batch_size(32);
    /// assert_eq!(
    ///     trainer.fit(&mut model, &data).unwrap_err().to_string(),
    ///     "fit: the batch size must be from 1 to 10, the number of training samples, got 32. Usual batches have \
    ///      32 to 64 samples."
    /// );
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.settings.batch_size = Some(batch_size);
        self
    }

    /// Sets the seed of the order of samples; 0 by default. The model has a separate seed.
    ///
    /// Two trainers with the same seed use the same order:
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let run = |seed| -> Result<Vec<f64>> {
    ///     let inputs = plywood::ndarray::Array2::from_shape_fn((64, 3), |(i, j)| (i * j) as f32 / 64.0);
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
        self.settings.random = Random::seed(seed).child("trainer");
        self.settings.seed = seed;
        self
    }

    /// Sets whether samples come in a new random order in each epoch; true by default.
    ///
    /// If false, they come in the order of the data set in each epoch. The order is a list of positions, 8 bytes per
    /// sample; the samples themselves are not moved.
    #[must_use]
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        self.settings.shuffle = shuffle;
        self
    }

    /// Uses the last `share` of the samples for validation instead of training, and evaluates the model on them after
    /// each epoch. The samples are split off before shuffling, as with Keras' `validation_split`.
    ///
    /// The share must be above 0 and below 1, and neither part may be empty; otherwise `fit` returns an error. If the
    /// data are sorted by class, their last part contains only few classes: split them with
    /// [`random_split`](crate::data::random_split) instead, and use
    /// [`fit_with_validation`](Trainer::fit_with_validation).
    #[must_use]
    pub fn validation_split(mut self, share: f64) -> Self {
        self.settings.validation_split = Some(share);
        self
    }

    /// Sets how many batches are prefetched by a separate thread during training; 0 for none.
    ///
    /// By default the data set decides ([`Dataset::prefetch`](crate::data::Dataset::prefetch)): none for data in
    /// memory, where reading is a copy of microseconds and another thread only takes a core away; some for files. Set
    /// it for data sets whose reading takes a considerable part of a step, such as image decoding or a database.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let run = |ahead| -> Result<Vec<f64>> {
    ///     let inputs = plywood::ndarray::Array2::from_shape_fn((64, 3), |(i, j)| (i * j) as f32 / 64.0);
    ///     let data = ArrayDataset::new(inputs, vec![1; 64])?;
    ///     let mut model = Sequential::builder([3]).layer(Dense::units(2)).layer(Softmax).build()?;
    ///     let trainer = Trainer::new(CrossEntropy::default(), SGD::default()).batch_size(8).prefetch(ahead);
    ///     Ok(trainer.progress(Progress::Silent).fit(&mut model, &data)?.get("loss"))
    /// };
    /// assert_eq!(run(0)?, run(3)?); // the same bits
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// Each prefetched batch takes memory. With one thread ([`set_threads`](crate::set_threads)) no thread is spawned,
    /// and batches are read one by one.
    #[must_use]
    pub fn prefetch(mut self, batches: usize) -> Self {
        self.settings.prefetch = Some(batches);
        self
    }

    /// Adds a metric, which is computed over training batches and over validation data.
    ///
    /// Its target type must be that of the loss. A metric costs a pass over each batch's predictions; if the loss works
    /// on logits, the activation is applied once for all metrics.
    #[must_use]
    pub fn metric(mut self, metric: impl Metric<L::Target, F> + 'static) -> Self {
        self.run.metrics.push(Box::new(metric));
        self
    }

    /// Adds a callback.
    ///
    /// Callbacks are called in the order in which they were added.
    #[must_use]
    pub fn callback(mut self, callback: impl Callback<F> + 'static) -> Self {
        self.run.callbacks.push(Box::new(callback));
        self
    }

    /// Sets how progress is shown.
    ///
    /// It has no effect on the result.
    #[must_use]
    pub fn progress(mut self, progress: Progress) -> Self {
        self.settings.progress = progress;
        self
    }
}

/// Metrics and callbacks need not be `Debug`, and are left out.
impl<F: Scalar, L: Loss<F> + std::fmt::Debug> std::fmt::Debug for Trainer<L, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trainer")
            .field("loss", &self.settings.loss)
            .field("optimizer", &self.run.optimizer)
            .field("epochs", &self.settings.epochs)
            .field("batch_size", &self.settings.batch_size)
            .field("validation_split", &self.settings.validation_split)
            .finish_non_exhaustive()
    }
}
