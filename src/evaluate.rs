//! Reports of a trained model on data.

use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::infer;
use crate::layers::Sequential;
use crate::metric::{ClassificationReport, ConfusionMatrix};
use crate::ops;
use crate::scalar::Scalar;

/// The class that each sample has, and the class that the model predicts for it, in order.
///
/// # Errors
/// When model and data do not fit each other, or the data cannot be read.
pub fn classes<F: Scalar, D: Dataset<F, Target = Vec<usize>>>(
    model: &Sequential<F>,
    data: &D,
) -> Result<(Vec<usize>, Vec<usize>)> {
    let (mut truth, mut predicted) = (Vec::with_capacity(data.len()), Vec::with_capacity(data.len()));
    class_count(model)?;
    infer::outputs(model, data, false, |output, batch| {
        predicted.extend(ops::classes(&output));
        truth.extend_from_slice(&batch.target);
        Ok(())
    })
    .map_err(|error| error.at("evaluate"))?;
    Ok((truth, predicted))
}

/// How often the model takes each class for each class.
///
/// ```
/// use ndarray::arr2;
/// use plywood::prelude::*;
///
/// let data = ArrayDataset::new(arr2(&[[0.0f32, 1.0], [1.0, 0.0]]), vec![0, 1])?.with_class_names(["low", "high"]);
/// let model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build()?;
/// println!("{}", evaluate::confusion_matrix(&model, &data)?);
/// println!("{}", evaluate::classification_report(&model, &data)?);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// # Errors
/// As [`classes`]; also when a label is not below the number of the model's outputs.
pub fn confusion_matrix<F: Scalar, D: Dataset<F, Target = Vec<usize>>>(
    model: &Sequential<F>,
    data: &D,
) -> Result<ConfusionMatrix> {
    let (truth, predicted) = classes(model, data)?;
    let matrix = ConfusionMatrix::new(class_count(model)?, &truth, &predicted)?;
    Ok(matrix.with_class_names(data.class_names()))
}

/// Precision, recall and F1 of each class.
///
/// # Errors
/// As [`confusion_matrix`].
pub fn classification_report<F: Scalar, D: Dataset<F, Target = Vec<usize>>>(
    model: &Sequential<F>,
    data: &D,
) -> Result<ClassificationReport> {
    Ok(confusion_matrix(model, data)?.report())
}

/// The number of classes that a model tells apart.
fn class_count<F: Scalar>(model: &Sequential<F>) -> Result<usize> {
    match *model.output_shape() {
        [1] => Ok(2),
        [classes] => Ok(classes),
        ref shape => Err(Error::shape("an output", "[classes]", shape)
            .help("A classifier ends in one output for each class, or in a sigmoid's single one for two.")
            .at("evaluate")),
    }
}
