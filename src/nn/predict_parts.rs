//! What all predictions have in common: pieces of samples, and what is known of an output.

use super::inputs::{Slots, slots};
use super::model::Infer;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::{OutputActivation, Outputs};
use crate::predictions::Thresholds;
use crate::tensor::{CowTensor, Tensor, owned, recycle};
use ndarray::{ArrayViewD, ArrayViewMutD, Axis, Slice};
use smallvec::SmallVec;

/// How many samples a thread runs through the layers at once: this bounds memory, whatever the size of the input.
///
/// It is a multiple of the row counts of all kernels, large enough to keep them busy, and small enough that a piece of
/// 784 pixels per sample, 0.45 MB in `f32`, is still in a core's cache when the first layer reads it.
pub(super) const PIECE: usize = 144;

/// [`class_threshold`] of an output of this shape, of whose values this is known.
pub(super) fn class_threshold_of(shape: &[usize], known: OutputActivation) -> Result<f64> {
    if shape.is_empty() {
        return Err(Error::shape("the output", "[classes]", shape)
            .help("A classifier ends in one output for each class, or in a sigmoid's single one for two."));
    }
    let units = shape.last().copied().unwrap_or(1);
    match (Outputs::of(known, units), units) {
        (_, 1) if matches!(known, OutputActivation::Softmax | OutputActivation::LogSoftmax) => {
            let found = "that of softmax, which is always 1";
            Err(Error::data("the single output of the model", "distinguish two classes", found)
                .help("End the model in Sigmoid, or in two outputs and Softmax."))
        }
        (outputs, 1) => outputs.threshold().ok_or_else(|| {
            let found = "that of another function";
            Error::data("the single output of the model", "be that of Sigmoid or of a linear layer", found)
                .help("Use `predict_labels` with the threshold above which the output means class 1.")
        }),
        _ => Ok(0.5),
    }
}

/// Refuses several independent probabilities where classes are asked for.
pub(super) fn check_exclusive(outputs: Outputs, units: usize) -> Result<()> {
    let (Outputs::Probabilities, 2..) = (outputs, units) else { return Ok(()) };
    let found = format!("{units} independent probabilities");
    Err(Error::data("the outputs of the model", "be for classes that exclude each other", found).help(
        "Use `predict_labels`; for the position of the largest, apply `argmax_rows` to the result of `predict`.",
    ))
}

/// [`label_count`] of an output of this shape, of whose values this is known.
pub(super) fn labels_of(shape: &[usize], known: OutputActivation, thresholds: &Thresholds) -> Result<usize> {
    let [labels] = *shape else {
        return Err(Error::shape("the output", "[labels]", shape)
            .help("Put Flatten before the last layer, or compare what `predict` gives."));
    };
    thresholds.check(labels)?;
    match known {
        OutputActivation::Softmax | OutputActivation::LogSoftmax => {
            let expected = "be independent answers";
            Err(Error::data("the outputs of the model", expected, "those of softmax").help(
                "For several labels per sample end the model in Sigmoid, and train it with SoftBinaryCrossEntropy; for classes \
                 that exclude each other use `predict_classes` and `classification_report`.",
            ))
        }
        OutputActivation::Sigmoid | OutputActivation::UnitInterval => {
            thresholds.check_probabilities(labels).map(|()| labels)
        }
        _ => Ok(labels),
    }
}

/// Writes the output for some samples into its place.
pub(super) fn put<F: Scalar>(mut place: ArrayViewMutD<'_, F>, y: ArrayViewD<'_, F>) -> Result<()> {
    if y.shape() != place.shape() {
        return Err(Error::shape("the output", format!("{:?}", place.shape()), y.shape())
            .help("A layer's `output_shape` does not agree with its `forward`; correct the layer."));
    }
    match (place.as_slice_mut(), y.as_slice()) {
        (Some(values), Some(y)) => values.copy_from_slice(y),
        _ => place.assign(&y),
    }
    Ok(())
}

/// Processes a thread's samples piece by piece. The first layers get views of the caller's arrays, and copy their
/// piece if they would change it. `inputs` and `outputs` are those of the model, in order.
///
/// `first` is the number of its first sample, for errors.
pub(super) fn predict_share<F: Scalar>(
    model: &dyn Infer<F>,
    first: usize,
    inputs: &[ArrayViewD<'_, F>],
    outputs: &mut [ArrayViewMutD<'_, F>],
) -> Result<()> {
    let samples = inputs.first().map_or(0, |input| input.len_of(Axis(0)));
    let logits: SmallVec<[bool; 8]> = SmallVec::from_elem(false, outputs.len());
    for from in (0..samples).step_by(PIECE) {
        let rows = Slice::from(from..samples.min(from + PIECE));
        let mut made = slots(outputs.len());
        model
            .infer(&mut pieces(inputs, rows), &logits, &mut made)
            .map_err(|error| error.in_data(|row| Some(first + from + row)))?;
        for (output, y) in outputs.iter_mut().zip(made) {
            let y = y.ok_or_else(no_output)?;
            put(output.slice_axis_mut(Axis(0), rows), y.view())?;
            recycle(owned(y));
        }
    }
    Ok(())
}

/// Runs a model on inputs in its order. Where `logits` is true, the output is its logits.
pub(crate) fn infer_all<F: Scalar>(
    model: &dyn Infer<F>,
    inputs: Slots<Tensor<F>>,
    logits: &[bool],
) -> Result<Slots<Tensor<F>>> {
    let mut inputs: Slots<CowTensor<'_, F>> = inputs.into_iter().map(|x| x.map(CowTensor::from)).collect();
    let mut outputs = slots(logits.len());
    model.infer(&mut inputs, logits, &mut outputs)?;
    outputs.into_iter().map(|y| y.map(owned).ok_or_else(no_output).map(Some)).collect()
}

/// The error of a model that leaves an output empty.
pub(crate) fn no_output() -> Error {
    Error::custom("the model must fill its output, got none")
        .help("Report this: it is a fault of the library.")
}

/// The pieces of the inputs at these rows.
pub(super) fn pieces<'v, F: Scalar>(inputs: &'v [ArrayViewD<'_, F>], rows: Slice) -> Slots<CowTensor<'v, F>> {
    inputs.iter().map(|input| Some(CowTensor::from(input.slice_axis(Axis(0), rows)))).collect()
}
