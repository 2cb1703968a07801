//! Predictions of models with several inputs or outputs, by name.

use super::inputs::Inputs;
use super::model::Infer;
use super::output_activation::{OutputActivation, Outputs};
use super::port::Port;
use super::predict_parts::{
    PIECE, check_exclusive, class_threshold_of, labels_of, no_output, predict_share, put,
};
use crate::error::{Error, Result};
use crate::kernels::{Scalar, threads};
use crate::nn::{batch_error, window};
use crate::predictions::{self, Thresholds};
use crate::shown::cut;
use crate::tensor::Tensor;
use crate::threads::try_each;
use ndarray::{Array2, ArrayViewD, ArrayViewMutD, Axis, Slice};
use std::ops::Range;

/// The predictions of a model for each of its outputs: the result of
/// [`predict_named`](super::Predict::predict_named).
///
/// ```
/// use plywood::ndarray::Array2;
/// use plywood::nn::Inputs;
/// use plywood::prelude::*;
///
/// let g = Graph::builder();
/// let x = g.input("x", [4]).layer(Dense::units(8)).layer(ReLU);
/// g.output("class", x.layer(Dense::units(3)).layer(Softmax));
/// g.output("size", x.layer(Dense::units(1)));
/// let model = g.build()?;
///
/// let predictions = model.predict_named(&Array2::<f32>::ones((5, 4)))?;
/// assert_eq!((predictions.get("size")?.shape(), predictions.classes("class")?.len()), (&[5, 1][..], 5));
/// let error = predictions.get("colour").unwrap_err().to_string();
/// assert_eq!(error, "the output \"colour\" must be one of the model's, got class, size. Name one of these.");
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Predictions<F: Scalar = f32> {
    outputs: Vec<(Port, OutputActivation, Tensor<F>)>,
}

impl<F: Scalar> Predictions<F> {
    /// Makes room for the predictions for this many samples.
    pub(crate) fn empty(model: &dyn Infer<F>, samples: usize) -> Result<Self> {
        let outputs = model.outputs().iter().enumerate().map(|(k, port)| {
            let shape = [&[samples], port.shape()].concat();
            window::numbers("the predictions", &shape)?;
            Ok((port.clone(), model.known_values(k), Tensor::zeros(shape)))
        });
        Ok(Self { outputs: outputs.collect::<Result<_>>()? })
    }

    /// Writes the predictions for the samples from `first` on, and returns their number.
    pub(crate) fn fill(&mut self, first: usize, made: &[Option<Tensor<F>>]) -> Result<usize> {
        let mut samples = 0;
        for ((.., output), made) in self.outputs.iter_mut().zip(made) {
            let made = made.as_ref().ok_or_else(no_output)?;
            samples = made.shape().first().copied().unwrap_or(0);
            put(output.slice_axis_mut(Axis(0), Slice::from(first..first + samples)), made.view())?;
        }
        Ok(samples)
    }

    fn at(&self, name: &str) -> Result<usize> {
        self.outputs.iter().position(|(port, ..)| port.name() == name).ok_or_else(|| {
            let names: Vec<&str> = self.names().collect();
            Error::data(format!("the output {:?}", cut(name)), "be one of the model's", names.join(", "))
                .help("Name one of these.")
        })
    }

    /// Returns the names of the outputs, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.outputs.iter().map(|(port, ..)| port.name())
    }

    /// Returns the predictions of an output, `[batch, …]`.
    ///
    /// # Errors
    /// When the model has no such output.
    pub fn get(&self, name: &str) -> Result<&Tensor<F>> {
        self.at(name).map(|at| &self.outputs[at].2)
    }

    /// Moves the predictions of an output out; the output is then no longer there.
    ///
    /// # Errors
    /// When the model has no such output.
    pub fn take(&mut self, name: &str) -> Result<Tensor<F>> {
        self.at(name).map(|at| self.outputs.remove(at).2)
    }

    /// Returns the predictions for some of the samples: `[rows, …]` for each output.
    ///
    /// ```
    /// use plywood::ndarray::Array2;
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([2]).layer(Dense::units(3)).build()?;
    /// let all = model.predict_named(&Array2::<f32>::ones((5, 2)))?;
    /// assert_eq!(all.rows(1..3)?.get("output")?.shape(), [2, 3]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there are not as many.
    pub fn rows(&self, rows: Range<usize>) -> Result<Self> {
        let some = self.outputs.iter().map(|(port, known, output)| {
            let found = output.shape().first().copied().unwrap_or(0);
            if rows.start > rows.end || rows.end > found {
                return Err(Error::argument(
                    "the rows",
                    format!("within the {found} predictions"),
                    format!("{rows:?}"),
                )
                .help("Count them from 0."));
            }
            let some = output.slice_axis(Axis(0), Slice::from(rows.clone())).to_owned();
            Ok((port.clone(), *known, some))
        });
        Ok(Self { outputs: some.collect::<Result<_>>()? })
    }

    /// Returns the most probable class of each sample, as [`predict_classes`](super::Predict::predict_classes) does.
    ///
    /// # Errors
    /// When the model has no such output, it does not stand for classes, or a prediction is NaN.
    pub fn classes(&self, name: &str) -> Result<Vec<usize>> {
        let (port, known, output) = &self.outputs[self.at(name)?];
        let place = |error: Error| error.at(format!("output {}", cut(name)));
        let threshold = class_threshold_of(port.shape(), *known).map_err(place)?;
        let units = port.shape().last().copied().unwrap_or(1);
        check_exclusive(Outputs::of(*known, units), units).map_err(place)?;
        check_numbers(output).map_err(place)?;
        Ok(predictions::classes(output, threshold))
    }

    /// Returns the labels of each sample, `[batch, labels]`, as [`predict_labels`](super::Predict::predict_labels) does.
    ///
    /// # Errors
    /// When the model has no such output, it does not stand for independent answers, the thresholds do not fit, or a
    /// prediction is NaN.
    pub fn labels(&self, name: &str, thresholds: impl Into<Thresholds>) -> Result<Array2<bool>> {
        let (port, known, output) = &self.outputs[self.at(name)?];
        let (place, thresholds) =
            (|error: Error| error.at(format!("output {}", cut(name))), thresholds.into());
        let labels = labels_of(port.shape(), *known, &thresholds).map_err(place)?;
        check_numbers(output).map_err(place)?;
        let above = predictions::labels(output, &thresholds);
        Array2::from_shape_vec((output.len_of(Axis(0)), labels), above).map_err(Error::custom)
    }
}

/// Refuses predictions that are NaN, of which no decision can be made.
fn check_numbers<F: Scalar>(output: &Tensor<F>) -> Result<()> {
    match predictions::nan_sample(output) {
        None => Ok(()),
        Some(sample) => Err(Error::data(format!("the prediction of sample {sample}"), "be a number", "NaN")
            .help("Check the sample's inputs, and how the model was trained.")),
    }
}

/// The predictions of a model of any inputs and outputs.
pub(super) fn predict_named<F: Scalar>(
    model: &dyn Infer<F>,
    inputs: Inputs<'_, F>,
) -> Result<Predictions<F>> {
    let inputs = inputs.for_model(model.inputs())?;
    let inputs: Vec<ArrayViewD<'_, F>> = inputs.iter().flatten().map(|input| input.view()).collect();
    let batch = check_inputs(model.inputs(), &inputs)?;
    let Predictions { mut outputs } = Predictions::empty(model, batch)?;
    let mut places: Vec<ArrayViewMutD<'_, F>> = outputs.iter_mut().map(|(.., y)| y.view_mut()).collect();
    let share = threads::share(batch, PIECE, threads::long_parts(batch.div_ceil(PIECE)));
    if share >= batch {
        predict_share(model, 0, &inputs, &mut places)?;
    } else {
        let parts = batch.div_ceil(share);
        let mut shares: Vec<Vec<ArrayViewMutD<'_, F>>> = Vec::new();
        shares.resize_with(parts, Vec::new);
        for place in places {
            let mut place = Some(place);
            for (i, of_share) in shares.iter_mut().enumerate() {
                let Some(rest) = place.take() else { break };
                let at = share.min(batch - i * share);
                let (own, rest) = rest.split_at(Axis(0), at);
                of_share.push(own);
                place = Some(rest);
            }
        }
        try_each(shares.iter_mut().enumerate(), |(i, places)| {
            let rows = Slice::from(i * share..batch.min((i + 1) * share));
            let inputs: Vec<_> = inputs.iter().map(|input| input.slice_axis(Axis(0), rows)).collect();
            predict_share(model, i * share, &inputs, places)
        })?;
    }
    Ok(Predictions { outputs })
}

/// Checks the shapes of batches, and returns the number of samples.
fn check_inputs<F: Scalar>(ports: &[Port], inputs: &[ArrayViewD<'_, F>]) -> Result<usize> {
    let mut batch = None;
    for (port, input) in ports.iter().zip(inputs) {
        let place =
            |error: Error| if ports.len() == 1 { error } else { error.at(format!("input {}", port.name())) };
        let samples = match input.shape() {
            [samples, sample @ ..] if sample == port.shape() => *samples,
            found => return Err(place(batch_error(found, port.shape()))),
        };
        let (first, name) = *batch.get_or_insert((samples, port.name()));
        if first != samples {
            let expected = format!("have {first} samples, as {:?}", cut(name));
            return Err(Error::data(format!("the input {:?}", cut(port.name())), expected, samples)
                .help("All inputs are of the same samples, in the same order."));
        }
    }
    Ok(batch.map_or(0, |(samples, _)| samples))
}
