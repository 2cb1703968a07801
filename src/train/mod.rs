//! Training: batches, steps, epochs.

mod callback;
mod progress;
mod step;

pub use callback::{BatchEnd, Callback, EarlyStopping};
pub use progress::Progress;
pub use step::accumulate;

use crate::data::{Batch, Dataset, Pass, Subset, split_at};
use crate::error::{Error, ErrorKind, Result};
use crate::history::{Epoch, History};
use crate::infer::{self, check_data};
use crate::layer::Layer;
use crate::layers::Sequential;
use crate::loss::Loss;
use crate::metric::Metric;
use crate::optim::{Optimizer, Rule, Schedule};
use crate::random::Random;
use crate::scalar::Scalar;
use crate::tensor::{Tensor, copy, recycle, slice};
use ndarray::Axis;
use progress::Reporter;
use std::borrow::Borrow;
use std::ops::ControlFlow;
use std::time::Instant;

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
pub struct Trainer<L: Loss<F>, R: Rule<F>, F: Scalar = f32> {
    loss: L,
    optimizer: Optimizer<R, F>,
    metrics: Vec<Box<dyn Metric<L::Target, F>>>,
    callbacks: Vec<Box<dyn Callback<F>>>,
    epochs: usize,
    batch_size: Option<usize>,
    shuffle: bool,
    validation_split: Option<f64>,
    random: Random,
    progress: Progress,
    history: History,
    epochs_done: u64,
}

/// Names and values of a loss and of metrics.
type Values = Vec<(String, f64)>;

/// The loss and the metrics of a model on some data.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Evaluation {
    /// The loss.
    pub loss: f64,
    /// Names and values of the metrics.
    pub metrics: Vec<(String, f64)>,
}

impl Evaluation {
    /// The metric of this name: "accuracy".
    pub fn get(&self, name: &str) -> Option<f64> {
        self.metrics.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }
}

impl<F: Scalar, L: Loss<F>, R: Rule<F>> Trainer<L, R, F> {
    /// With this loss, and a rule at its default rate or an [`Optimizer`]. One epoch, batches of 32, shuffled.
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
            random: Random::seed(0).child("trainer"),
            progress: Progress::default(),
            history: History::default(),
            epochs_done: 0,
        }
    }

    /// How many times `fit` goes through the data.
    #[must_use]
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }

    /// How many samples make a step: 32 unless told otherwise (all where there are fewer).
    #[must_use]
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = Some(batch_size);
        self
    }

    /// The rate: a number, a closure from the step (from 1) to the rate, or any [`Schedule`].
    #[must_use]
    pub fn learning_rate(mut self, rate: impl Schedule + 'static) -> Self {
        self.optimizer = self.optimizer.learning_rate(rate);
        self
    }

    /// Scales gradients down where their common norm is above this: see [`Optimizer::clip_norm`].
    #[must_use]
    pub fn clip_norm(mut self, norm: f64) -> Self {
        self.optimizer = self.optimizer.clip_norm(norm);
        self
    }

    /// The seed of the order in which samples come; 0 without it. The model has a seed of its own.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.random = Random::seed(seed).child("trainer");
        self
    }

    /// Whether samples come in a new random order each epoch (they do unless told otherwise).
    #[must_use]
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        self.shuffle = shuffle;
        self
    }

    /// Keeps the last `share` of the samples out of training, before any shuffling, and evaluates the model on them
    /// after each epoch: what Keras' `validation_split` means.
    #[must_use]
    pub fn validation_split(mut self, share: f64) -> Self {
        self.validation_split = Some(share);
        self
    }

    /// Adds a metric, over training batches and over validation data.
    #[must_use]
    pub fn metric(mut self, metric: impl Metric<L::Target, F> + 'static) -> Self {
        self.metrics.push(Box::new(metric));
        self
    }

    /// Adds a callback.
    #[must_use]
    pub fn callback(mut self, callback: impl Callback<F> + 'static) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// How progress is shown.
    #[must_use]
    pub fn progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// The optimiser, with its state.
    pub fn optimizer(&self) -> &Optimizer<R, F> {
        &self.optimizer
    }

    /// What happened in the last `fit`, also when it ended with an error.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Trains the model on the data.
    ///
    /// # Errors
    /// When model, data, loss and settings do not fit each other (found before the first step, as far as shapes go),
    /// data cannot be read, or a number that is not finite comes up; it names the first place that holds one, and
    /// the step is not taken. Callbacks have ended properly then, so early stopping has restored its best weights.
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
    /// # Errors
    /// When model and data do not fit each other, there are no data, or they cannot be read.
    pub fn evaluate<D>(&mut self, model: &Sequential<F>, data: &D) -> Result<Evaluation>
    where
        D: Dataset<F>,
        D::Target: Borrow<L::Target>,
    {
        self.measure(model, data).map_err(|error| error.at("evaluate"))
    }

    fn measure<D>(&mut self, model: &Sequential<F>, data: &D) -> Result<Evaluation>
    where
        D: Dataset<F>,
        D::Target: Borrow<L::Target>,
    {
        self.metrics.iter_mut().for_each(|metric| metric.reset());
        let link = step::absorbed(model, &self.loss);
        let (mut sum, mut total) = (0.0, 0.0);
        infer::outputs(model, data, link.is_some(), |output, batch| {
            let (target, weights) = (batch.target.borrow(), batch.weights.as_deref());
            let weight = weight_of(weights, output.len_of(Axis(0)));
            step::update_metrics(&mut self.metrics, link, &output, target, weights)?;
            let (loss, grad) = step::loss(&self.loss, link, output, target, weights)?;
            recycle(grad);
            sum += loss.as_f64() * weight;
            total += weight;
            Ok(())
        })?;
        let loss = if total == 0.0 { 0.0 } else { sum / total };
        Ok(Evaluation { loss, metrics: self.metric_values() })
    }

    fn metric_values(&self) -> Values {
        self.metrics.iter().map(|metric| (metric.name().to_owned(), metric.value())).collect()
    }

    fn run<D, V>(&mut self, model: &mut Sequential<F>, data: &D, validation: Option<&V>) -> Result<History>
    where
        D: Dataset<F>,
        D::Target: Borrow<L::Target>,
        V: Dataset<F>,
        V::Target: Borrow<L::Target>,
    {
        self.check_settings(model, data)?;
        if let Some(validation) = validation {
            check_data(model, validation).map_err(|error| error.at("validation data"))?;
        }
        self.history = History::default();
        let steps = data.len().div_ceil(self.batch_size_for(data.len()));
        let mut reporter = Reporter::new(self.progress, self.epochs, steps);
        for callback in &mut self.callbacks {
            callback.on_train_begin(model)?;
        }
        let result = self.run_epochs(model, data, validation, &mut reporter);
        reporter.end();
        for callback in &mut self.callbacks {
            callback.on_train_end(model, &self.history)?;
        }
        result.map(|()| self.history.clone())
    }

    fn run_epochs<D, V>(
        &mut self,
        model: &mut Sequential<F>,
        data: &D,
        validation: Option<&V>,
        reporter: &mut Reporter,
    ) -> Result<()>
    where
        D: Dataset<F>,
        D::Target: Borrow<L::Target>,
        V: Dataset<F>,
        V::Target: Borrow<L::Target>,
    {
        let mut batch = Batch::default();
        for epoch in 1..=self.epochs {
            let start = Instant::now();
            reporter.begin_epoch(epoch);
            let (mut values, flow) = self.run_epoch(model, data, &mut batch, reporter)?;
            let learning_rate = self.optimizer.rate_at(self.optimizer.steps());
            if let Some(validation) = validation {
                let evaluation = self.measure(model, validation).map_err(|error| error.at("validation"))?;
                values.push(("val_loss".to_owned(), evaluation.loss));
                values.extend(
                    evaluation.metrics.into_iter().map(|(name, value)| (format!("val_{name}"), value)),
                );
            }
            self.epochs_done += 1;
            let ended = Epoch::new(self.epochs_done, values, learning_rate, start.elapsed().as_secs_f64());
            reporter.end_epoch(epoch, &ended);
            let mut stop = flow.is_break();
            for callback in &mut self.callbacks {
                stop |= callback.on_epoch_end(model, &ended)?.is_break();
            }
            self.history.epochs.push(ended);
            if stop {
                break;
            }
        }
        Ok(())
    }

    /// One pass over the data: loss and metrics, and whether a callback wants to stop.
    fn run_epoch<D>(
        &mut self,
        model: &mut Sequential<F>,
        data: &D,
        batch: &mut Batch<F, D::Target>,
        reporter: &mut Reporter,
    ) -> Result<(Values, ControlFlow<()>)>
    where
        D: Dataset<F>,
        D::Target: Borrow<L::Target>,
    {
        self.metrics.iter_mut().for_each(|metric| metric.reset());
        let mut order: Vec<usize> = (0..data.len()).collect();
        if self.shuffle {
            self.random.child("shuffle").at(self.epochs_done, 0).shuffle(&mut order);
        }
        let pass = Pass::Train { epoch: self.epochs_done };
        let (mut sum, mut total, mut flow) = (0.0, 0.0, ControlFlow::Continue(()));
        for (number, indices) in order.chunks(self.batch_size_for(data.len())).enumerate() {
            data.read(indices, pass, batch)?;
            let input = batch.take_input();
            let (target, weights) = (batch.target.borrow(), batch.weights.as_deref());
            let loss = step::forward_backward(model, &self.loss, input, target, weights, &mut self.metrics)?
                .as_f64();
            if !loss.is_finite() {
                let step = self.optimizer.steps() + 1;
                return Err(find_non_finite(model, data, indices, pass, batch, step)?);
            }
            self.optimizer.step(model)?;
            let weight = weight_of(batch.weights.as_deref(), indices.len());
            sum += loss * weight;
            total += weight;
            let end = BatchEnd { number: number + 1, step: self.optimizer.steps(), loss };
            for callback in &mut self.callbacks {
                if callback.on_batch_end(model, &end)?.is_break() {
                    flow = ControlFlow::Break(());
                }
            }
            reporter.batch(number + 1, || sum / total, || self.metric_values());
            if flow.is_break() {
                break;
            }
        }
        let mut values = vec![("loss".to_owned(), if total == 0.0 { 0.0 } else { sum / total })];
        values.extend(self.metric_values());
        Ok((values, flow))
    }

    fn check_settings<D: Dataset<F>>(&self, model: &Sequential<F>, data: &D) -> Result<()> {
        check_data(model, data)?;
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
            _ => Ok(()),
        }
    }

    fn batch_size_for(&self, samples: usize) -> usize {
        self.batch_size.unwrap_or_else(|| samples.min(32))
    }
}

/// What a batch counts for in a mean: its samples' weights.
fn weight_of<F: Scalar>(weights: Option<&[F]>, samples: usize) -> f64 {
    weights.map_or(samples as f64, |weights| weights.iter().map(|w| w.as_f64()).sum())
}

fn diverged(what: String, step: u64) -> Error {
    let help = if what.starts_with("the input") {
        "Clean the data: leave such samples out, or fill in what is missing."
    } else {
        "Training diverged: lower the learning rate, clip gradients with `clip_norm`, or scale the inputs."
    };
    Error::new(ErrorKind::NonFinite { what, step }).help(help)
}

/// Reads the batch again and follows it through the model to the first thing that is not finite.
fn find_non_finite<F: Scalar, D: Dataset<F>>(
    model: &Sequential<F>,
    data: &D,
    indices: &[usize],
    pass: Pass,
    batch: &mut Batch<F, D::Target>,
    step: u64,
) -> Result<Error> {
    data.read(indices, pass, batch)?;
    let input = batch.take_input();
    for (row, &i) in input.outer_iter().zip(indices) {
        if row.iter().any(|x| !x.is_finite()) {
            return Ok(diverged(format!("the input of sample {i}"), step));
        }
    }
    let what = model.first_non_finite(input)?;
    Ok(diverged(what.unwrap_or_else(|| "the loss".to_owned()), step))
}

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

/// A model's parameters and buffers, to be put back later.
#[derive(Debug)]
struct Snapshot<F: Scalar>(Vec<Tensor<F>>);

impl<F: Scalar> Snapshot<F> {
    fn of(model: &Sequential<F>) -> Self {
        let mut values = Vec::new();
        model.visit_params(&mut |_, param| values.push(copy(param.value())));
        Self(values)
    }

    fn restore(&self, model: &mut Sequential<F>) {
        let mut values = self.0.iter();
        model.visit_params_mut(&mut |_, param| {
            if let Some(value) = values.next().filter(|value| value.len() == param.len()) {
                param.as_slice_mut().copy_from_slice(slice(value));
            }
        });
    }
}
