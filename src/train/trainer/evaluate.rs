//! The loss and the metrics of a model on data: for `evaluate`, and for validation after an epoch.

use super::Trainer;
use super::non_finite::in_evaluation;
use super::step;
use crate::data::Dataset;
use crate::error::Result;
use crate::infer;
use crate::kernels::Scalar;
use crate::losses::{Loss, LossSum};
use crate::metrics::Metric;
use crate::nn::Infer;
use crate::nn::predict_parts::no_output;
use crate::target::AsTarget;
use crate::tensor::recycle;
use crate::train::compatibility::{begin_metrics, check_finite_target, check_targets, check_unknown};
use crate::train::objective::{Expected, Objective, Part};
use crate::train::run::values;

/// The loss and the metrics of a model on a data set.
///
/// It is returned by [`Trainer::evaluate`], and it provides the "val_…" values of an epoch.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Evaluation {
    /// The loss: the mean over all samples, weighted by their weights.
    pub loss: f64,
    /// Names and values of the losses of several outputs, such as "class_loss"; empty for a loss of one output.
    pub losses: Vec<(String, f64)>,
    /// Names and values of the metrics, in the order in which they were added.
    pub metrics: Vec<(String, f64)>,
}

impl Evaluation {
    /// Returns the value with this name: "loss", a metric such as "accuracy", or the loss of one of several outputs,
    /// "class_loss".
    pub fn get(&self, name: &str) -> Option<f64> {
        self.values().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Returns all names and values: the loss, the losses of outputs, the metrics.
    pub fn values(&self) -> impl Iterator<Item = (&str, f64)> {
        let others = self.losses.iter().chain(&self.metrics);
        std::iter::once(("loss", self.loss)).chain(others.map(|(name, value)| (&name[..], *value)))
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
        let (model, metrics) = (model.as_infer(), &mut self.run.metrics);
        let mut evaluate = || {
            let objective = Objective::new(model, &self.settings.loss)?;
            infer::check_data(model, data)?;
            check_targets(model, &objective, data)?;
            measure(model, data, &objective, metrics)
        };
        evaluate().map_err(|error| error.at("evaluate"))
    }
}

/// [`Trainer::evaluate`] without its place in errors, because validation has another one, and without the check of
/// outputs and targets, which the caller has already made. Sums are computed on this thread, piece after piece. The
/// gradient that a loss computes along with its value is recycled.
pub(super) fn measure<F: Scalar, T: ?Sized, U: AsTarget<T> + Default + Send>(
    model: &dyn Infer<F>,
    data: &dyn Dataset<F, Target = U>,
    objective: &Objective<'_, F, T>,
    metrics: &mut [Box<dyn Metric<T, F>>],
) -> Result<Evaluation> {
    begin_metrics(model, objective, metrics)?;
    metrics.iter_mut().for_each(|metric| metric.reset());
    let feed = infer::check_data(model, data)?;
    let (mut total, mut seen) = (vec![LossSum::default(); objective.parts.len()], 0);
    infer::outputs(model, data, &objective.logits, &mut |mut outputs, batch| {
        check_finite_target(&batch.target)?;
        objective.check_names(batch.target.as_target())?;
        let expected = Expected { target: batch.target.as_target(), weights: batch.weights.as_deref() };
        let samples = step::samples_of(&outputs);
        let updated = step::update_metrics(metrics, objective, &outputs, expected);
        let mut finite = true;
        for (part, total) in objective.parts.iter().zip(&mut total) {
            let output = outputs[part.output].take().ok_or_else(no_output)?;
            check_unknown(model, part, &output)?;
            let (value, grad) = part.value_and_grad(output, expected, samples.max(1) as f64)?;
            recycle(grad);
            finite &= value.sum.is_finite();
            *total += value;
        }
        if !finite {
            return Err(in_evaluation(model, objective, (data, &feed), seen..seen + samples)?);
        }
        updated?;
        seen += samples;
        Ok(())
    })?;
    let without = |(part, sum): &(&Part<'_, F, T>, &LossSum)| part.weight > 0.0 && sum.weight == 0.0;
    if let Some((part, _)) = objective.parts.iter().zip(&total).find(without) {
        return Err(part.no_weight());
    }
    let named = objective.parts.iter().filter(|part| part.name.is_some());
    let losses = named.map(|part| part.value_name()).zip(total.iter().map(|sum| sum.mean())).collect();
    Ok(Evaluation { loss: objective.total(&total), losses, metrics: values(metrics) })
}
