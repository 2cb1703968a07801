//! What can be asked of a trainer: to train, to take a step, to evaluate.

use super::{Trainer, step};
use crate::data::{Dataset, split_at};
use crate::error::{Error, Result};
use crate::history::History;
use crate::kernels::Scalar;
use crate::losses::Loss;
use crate::nn::Sequential;
use crate::target::AsTarget;
use crate::tensor::Tensor;
use crate::train::compatibility::{check_outputs, check_targets, check_trainable, check_training, no_weight};
use crate::train::trainer::non_finite::diverged;

/// Names and values of a loss and of metrics.
pub(in crate::train) type Values = Vec<(String, f64)>;

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
    ///     fn on_batch_end(
    ///         &mut self,
    ///         _: &mut Sequential,
    ///         batch: &plywood::train::BatchEnd,
    ///     ) -> Result<std::ops::ControlFlow<()>> {
    ///         if batch.step > 2 { Err(Error::custom("enough")) } else { Ok(std::ops::ControlFlow::Continue(())) }
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
        &self.history
    }

    /// Trains the model on the data.
    ///
    /// Training goes on from the model's parameters, the optimiser's state and the number of epochs done, as they are.
    /// The returned history has this call's epochs; after [`resume`](Trainer::resume) it has those of the run before
    /// the interruption, too, and `fit` trains what is left of them. What there is to say of the data
    /// ([`Dataset::remarks`]) is printed first, unless progress is silent.
    ///
    /// Memory, beside model and data: one batch, the caches and gradients of the layers, the optimiser's state. All
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
    /// is a batch size of one where a batch normalisation would have one number a feature), data cannot be read, or a
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
        let result = match self.validation_split {
            Some(share) => split_at(data, share).map_err(|error| error.at("validation split")).and_then(
                |(train, validation)| {
                    self.run(model, &train, Some(&validation as &dyn Dataset<F, Target = D::Target>))
                },
            ),
            None => self.run(model, data, None::<&dyn Dataset<F, Target = D::Target>>),
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
        if let Some(share) = self.validation_split {
            let found = format!("a split of {share} beside them");
            return Err(Error::data("validation data", "to come from one place", found)
                .help("Leave `validation_split` out, or call `fit`.")
                .at("fit"));
        }
        self.run(model, data, Some(validation as &dyn Dataset<F, Target = V::Target>))
            .map_err(|error| error.at("fit"))
    }

    /// One step on one batch: the loss before the step, by the samples' weights. Metrics are not updated, callbacks not
    /// called.
    ///
    /// It is [`accumulate`](crate::train::accumulate) and the optimiser's step, with the trainer's settings: for
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
        let number = self.optimizer.steps() + 1;
        let check = || {
            check_trainable(model)?;
            check_training(model, &self.loss)?;
            step::check_batch(model, &input)?;
            self.loss.check_target(model.output_shape(), target)
        };
        let at = |error: Error| error.at("step");
        check().map_err(at)?;
        let take = || {
            self.optimizer.training_weights(model)?;
            let loss = step::forward_backward(model, &self.loss, input, target, weights, &mut [])?;
            if !loss.sum.is_finite() {
                let what = model.first_non_finite_param().unwrap_or_else(|| "the loss".to_owned());
                return Err(diverged(what, number));
            }
            if loss.weight == 0.0 {
                return Err(no_weight());
            }
            self.optimizer.step(model)?;
            Ok(loss.mean())
        };
        let taken = take().map_err(at);
        if taken.is_err() {
            self.optimizer.discard(model);
        }
        taken
    }

    /// The loss and the metrics of the model on the data, which it sees as at inference.
    ///
    /// Every sample is seen once, in order, in pieces of 256 on [`threads()`](crate::threads) threads. The batch
    /// size of training plays no part. `self` is borrowed mutably because the metrics are the trainer's own;
    /// nothing else of it changes.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
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
        D::Target: AsTarget<L::Target>,
    {
        check_outputs(model, &self.loss)
            .and_then(|()| check_targets(model, &self.loss, data))
            .and_then(|()| self.measure(model, data))
            .map_err(|error| error.at("evaluate"))
    }
}
