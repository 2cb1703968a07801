//! The trainer: what it is made of, and how it is set up.

mod checkpoints;
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

/// Trains models: a loss, an optimizer, and how to go through the data.
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
/// The trainer keeps the optimizer's state: a second `fit` goes on where the first ended. One seed gives one result,
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
/// | [`checkpoints`](Trainer::checkpoints) | none |
/// | [`prefetch`](Trainer::prefetch) | as the data set says: none for data in memory |
/// | [`progress`](Trainer::progress) | [`Progress::Auto`] |
///
/// It takes the place of Keras' `compile` and `fit`, but is apart from the model: a model has no optimizer inside,
/// and a trainer may be given to another function with all its settings. For a loop of one's own as in PyTorch, see
/// [`accumulate`](crate::train::accumulate).
pub struct Trainer<L: Loss<F>, F: Scalar = f32> {
    /// What it is set to, the same from the beginning of a `fit` to its end.
    pub(in crate::train) settings: Settings<L, F>,
    /// What training changes.
    pub(in crate::train) run: Run<L::Target, F>,
}

impl<F: Scalar, L: Loss<F>> Trainer<L, F> {
    /// With this loss, and a rule at its default rate or an [`Optimizer`]. One epoch, batches of 32, shuffled.
    ///
    /// Settings are given by methods that take the trainer and return it, in any order. Numbers out of range are
    /// found by `fit`, not here.
    pub fn new(loss: L, optimizer: impl Into<Optimizer<F>>) -> Self {
        Self { settings: Settings::new(loss), run: Run::new(optimizer.into()) }
    }

    /// How many times `fit` goes through the data.
    ///
    /// A second `fit` goes through them again. 0 is an error of `fit`.
    #[must_use]
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.settings.epochs = epochs;
        self
    }

    /// How many samples make a step: 32 unless told otherwise (all where there are fewer).
    ///
    /// From 1 to the number of training samples; an epoch has `samples / batch_size` steps, rounded up, and its
    /// last batch may be smaller. Larger batches make a step's gradient less noisy, and steps fewer: whoever
    /// doubles the size usually raises the rate, too.
    ///
    /// Told otherwise, a size above the number of samples is an error, where Keras and PyTorch make one batch of them
    /// all:
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

    /// The seed of the order in which samples come; 0 without it. The model has a seed of its own.
    ///
    /// Two trainers with one seed show the samples in the same order:
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

    /// Whether samples come in a new random order each epoch (they do unless told otherwise).
    ///
    /// Without it they come in the order of the data set, the same in each epoch. The order is a list of positions,
    /// 8 bytes for each sample; the samples themselves are not moved.
    #[must_use]
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        self.settings.shuffle = shuffle;
        self
    }

    /// Keeps the last `share` of the samples out of training, before any shuffling, and evaluates the model on them
    /// after each epoch: what Keras' `validation_split` means.
    ///
    /// The share lies above 0 and below 1, and both parts must have a sample; `fit` says so otherwise. Data that
    /// are sorted by class should be split with [`random_split`](crate::data::random_split) and given to
    /// [`fit_with_validation`](Trainer::fit_with_validation), as the last share of them has few classes.
    #[must_use]
    pub fn validation_split(mut self, share: f64) -> Self {
        self.settings.validation_split = Some(share);
        self
    }

    /// How many batches are read ahead, on a thread of its own, while others train; 0 for none.
    ///
    /// Unless it is set, the data set says it ([`Dataset::prefetch`](crate::data::Dataset::prefetch)): none for data in
    /// memory, where reading is a copy of microseconds and another thread only takes a core away; some for files. Set
    /// it for data sets whose reading takes a good part of a step: pictures that are decoded, a database.
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
    /// Each batch takes its memory. With one thread ([`set_threads`](crate::set_threads)) nothing is spawned, and
    /// batches are read one by one.
    #[must_use]
    pub fn prefetch(mut self, batches: usize) -> Self {
        self.settings.prefetch = Some(batches);
        self
    }

    /// Adds a metric, over training batches and over validation data.
    ///
    /// Its type of targets must be the loss's. A metric costs a pass over each batch's predictions; where the loss
    /// works on logits, the activation is applied once for all metrics.
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

    /// How progress is shown.
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
