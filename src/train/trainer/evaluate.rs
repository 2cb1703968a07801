//! The loss and the metrics of a model on data: for `evaluate`, and for validation after an epoch.

use super::Trainer;
use super::non_finite::in_evaluation;
use super::step::{self, Expected};
use crate::data::Dataset;
use crate::error::Result;
use crate::infer;
use crate::kernels::Scalar;
use crate::losses::{Loss, LossSum};
use crate::metrics::Metric;
use crate::nn::Infer;
use crate::target::AsTarget;
use crate::tensor::recycle;
use crate::train::compatibility::{
    begin_metrics, check_finite_target, check_outputs, check_targets, check_unknown, no_weight,
};
use crate::train::run::values;

/// The loss and the metrics of a model on a data set.
///
/// It is returned by [`Trainer::evaluate`], and it provides the "val_…" values of an epoch.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Evaluation {
    /// The loss: the mean over all samples, weighted by their weights.
    pub loss: f64,
    /// Names and values of the metrics, in the order in which they were added.
    pub metrics: Vec<(String, f64)>,
}

impl Evaluation {
    /// Returns the metric with this name, for example "accuracy".
    ///
    /// The loss is not among them: it is a separate field.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.metrics.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }
}

impl<F: Scalar, L: Loss<F>> Trainer<L, F> {
    /// Returns the loss and the metrics of the model on the data, in inference mode.
    ///
    /// Every sample is read once, in order, in pieces of 256 on [`threads()`](crate::threads) threads. The training
    /// batch size has no effect. `self` is borrowed mutably because the trainer's metrics are updated; nothing else in
    /// it changes.
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
    /// If model and data do not fit each other, there are no data, or they cannot be read.
    pub fn evaluate<M, D>(&mut self, model: &M, data: &D) -> Result<Evaluation>
    where
        M: Infer<F> + ?Sized,
        D: Dataset<F>,
        D::Target: AsTarget<L::Target>,
    {
        let (model, loss) = (model.as_infer(), &self.settings.loss);
        check_outputs(model, loss)
            .and_then(|()| check_targets(model, loss, data))
            .and_then(|()| measure(model, data, loss, &mut self.run.metrics))
            .map_err(|error| error.at("evaluate"))
    }
}

/// [`Trainer::evaluate`] without its place in errors, because validation has another one, and without the check of
/// outputs and targets, which the caller has already made. Sums are computed on this thread, piece after piece. The
/// gradient that a loss computes along with its value is recycled.
pub(super) fn measure<F: Scalar, L: Loss<F>, T: AsTarget<L::Target> + Default + Send>(
    model: &dyn Infer<F>,
    data: &dyn Dataset<F, Target = T>,
    loss: &L,
    metrics: &mut [Box<dyn Metric<L::Target, F>>],
) -> Result<Evaluation> {
    begin_metrics(model, loss, metrics)?;
    metrics.iter_mut().for_each(|metric| metric.reset());
    let activation = step::fused(model, loss);
    let (mut total, mut seen) = (LossSum::default(), 0);
    infer::outputs(model, data, activation.is_some(), &mut |output, batch| {
        check_finite_target(&batch.target)?;
        let expected = Expected { target: batch.target.as_target(), weights: batch.weights.as_deref() };
        let samples = output.shape().first().copied().unwrap_or(0);
        check_unknown(model, loss, &output)?;
        let updated = step::update_metrics(metrics, activation, &output, expected);
        let (value, grad) = step::loss(loss, activation, output, expected, samples.max(1) as f64)?;
        recycle(grad);
        if !value.sum.is_finite() {
            return Err(in_evaluation(model, loss, data, seen..seen + samples)?);
        }
        updated?;
        total += value;
        seen += samples;
        Ok(())
    })?;
    if total.weight == 0.0 {
        return Err(no_weight());
    }
    Ok(Evaluation { loss: total.mean(), metrics: values(metrics) })
}
