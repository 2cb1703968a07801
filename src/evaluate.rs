//! Reports on a trained model: its predictions compared with the targets of a data set.
//!
//! | function | what it returns |
//! |---|---|
//! | [`predictions`] | the predictions for each sample, of any model |
//! | [`classes`] | the predicted and the true class of each sample |
//! | [`confusion_matrix`] | how often each class was taken for each |
//! | [`classification_report`] | precision, recall and F1 of each class, and their means |
//! | [`error_analysis`] | the classes that are confused, the most confident mistakes, the confidence by class |
//! | [`multi_label_report`] | precision, recall and F1 of each label, where a sample may have several, and their means |
//!
//! All but the first and the last are for classifiers, on data whose targets are class indices. Such a model's output is `[classes]`,
//! or a single number that stands for the second of two classes if it is above a threshold: 0.5 after a sigmoid, 0
//! after a linear layer, whose output is a logit. Class indices mean that classes exclude each other, so with several
//! outputs the largest decides, even if they are sigmoids. The last is for data whose targets are tensors of 0 and 1,
//! `[labels]`. For a loss and metrics of any model, see [`Trainer::evaluate`](crate::train::Trainer::evaluate); for the
//! outputs themselves, [`Predict::predict`](crate::nn::Predict::predict).
//!
//! A NaN among the predictions is an error that names the sample. All functions run the model in inference mode
//! (dropout does nothing, batch normalization uses its running statistics), on [`threads()`](crate::threads) threads.
//! Sample weights are ignored.

use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::metrics::{
    ClassificationReport, ConfusionMatrix, ErrorAnalysis, LabelReport, check_class_count, yes_or_no,
};
use crate::nn::predict::{class_threshold, label_count, meaning};
use crate::nn::{Infer, Outputs, Predictions};
use crate::predictions::Thresholds;
use crate::tensor::Tensor;
use crate::{infer, predictions};
use ndarray::{Array2, Axis};

/// Returns the predictions for a data set, in its order: one for each sample and output, by name.
///
/// The data are read and changed as in an evaluation (scaled, normalized, not augmented), so nothing of it is done again by
/// hand:
///
/// ```
/// use plywood::prelude::*;
///
/// let (_, test) = plywood::data::synthetic::garments(10, 100, 1)?; // bytes with a scale of 1 / 255
/// let model = Sequential::builder([28, 28]).layer(Flatten).layer(Dense::units(10)).layer(Softmax).build()?;
/// let predictions = evaluate::predictions(&model, &test)?;
/// assert_eq!(predictions.get("output")?.shape(), [100, 10]);
/// assert_eq!(predictions.classes("output")?, evaluate::classes(&model, &test)?.1);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// # Errors
/// If model and data do not fit each other, the data cannot be read, or a prediction is NaN.
pub fn predictions<F: Scalar, M: Infer<F> + ?Sized, D: Dataset<F>>(
    model: &M,
    data: &D,
) -> Result<Predictions<F>> {
    let model = model.as_infer();
    let run = || {
        let mut all = Predictions::empty(model, data.len())?;
        let mut first = 0;
        infer::outputs(model, data, &vec![false; model.outputs().len()], &mut |outputs, _| {
            first += all.fill(first, &outputs)?;
            Ok(())
        })?;
        Ok(all)
    };
    run().map_err(|error: Error| error.at("evaluate"))
}

/// Returns the true class and the predicted class of each sample.
///
/// Both lists are in the order of the data set, so they show which samples the model got wrong:
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// // A model without parameters: the larger of the two inputs is the class.
/// let model = Sequential::builder([2]).layer(Softmax).build()?;
/// let data = ArrayDataset::new(arr2(&[[3.0f32, 1.0], [0.0, 2.0], [5.0, 4.0]]), vec![0, 1, 1])?;
/// let (truth, predicted) = evaluate::classes(&model, &data)?;
/// let wrong: Vec<usize> = (0..truth.len()).filter(|&i| predicted[i] != truth[i]).collect();
/// assert_eq!((predicted, wrong), (vec![0, 1, 0], vec![2]));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Ties between outputs go to the first, as in [`argmax_rows`](crate::argmax_rows). A softmax at the end does not
/// change the classes, so models that end in logits work too. The threshold of a single output is that of
/// [`predict_classes`](crate::nn::Predict::predict_classes).
///
/// # Errors
/// If model and data do not fit each other, the data cannot be read, a prediction is NaN, or the last layer does not
/// determine the threshold of a single output.
pub fn classes<F: Scalar, M: Infer<F> + ?Sized, D: Dataset<F, Target = Vec<usize>>>(
    model: &M,
    data: &D,
) -> Result<(Vec<usize>, Vec<usize>)> {
    let (mut truth, mut predicted) = (Vec::new(), Vec::new());
    let (_, threshold) = class_count(model.as_infer())?;
    infer::output(model.as_infer(), data, &mut |output, batch| {
        predicted.extend(predictions::classes(&output, threshold));
        truth.extend_from_slice(&batch.target);
        Ok(())
    })
    .map_err(|error| error.at("evaluate"))?;
    Ok((truth, predicted))
}

/// Returns the confusion matrix: for each true class, how often the model predicts each class.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let data = ArrayDataset::new(arr2(&[[0.0f32, 1.0], [1.0, 0.0]]), vec![0, 1])?.with_class_names(["low", "high"]);
/// let model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build()?;
/// println!("{}", evaluate::confusion_matrix(&model, &data)?);
/// println!("{}", evaluate::classification_report(&model, &data)?);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The matrix uses the class names of the data set; classes without a name are shown by number.
///
/// # Errors
/// As [`classes`]; also if a label is not below the number of the model's outputs.
pub fn confusion_matrix<F: Scalar, M: Infer<F> + ?Sized, D: Dataset<F, Target = Vec<usize>>>(
    model: &M,
    data: &D,
) -> Result<ConfusionMatrix> {
    let (count, _) = class_count(model.as_infer())?;
    check_class_count(count).map_err(|error| error.at("evaluate"))?;
    let (truth, predicted) = classes(model, data)?;
    let matrix = ConfusionMatrix::new(count, &truth, &predicted)?;
    Ok(matrix.with_class_names(data.class_names()))
}

/// Returns the precision, recall and F1 of each class.
///
/// It is the report of [`confusion_matrix`]. If you need both, call that and then [`report`](ConfusionMatrix::report),
/// so that the model runs only once.
///
/// ```
/// use plywood::prelude::*;
///
/// let (train, test) = plywood::data::synthetic::garments(600, 100, 1)?;
/// let mut model =
///     Sequential::builder([28, 28]).layer(Flatten).layer(Dense::units(10)).layer(Softmax).build()?;
/// let trainer = Trainer::new(CrossEntropy::default(), Adam::default()).epochs(2);
/// trainer.progress(Progress::Silent).fit(&mut model, &train)?;
/// let report = evaluate::classification_report(&model, &test)?;
/// assert_eq!(report.classes[1].name, "Trouser");
/// assert!(report.accuracy > 0.3, "{report}");
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// # Errors
/// As [`confusion_matrix`].
pub fn classification_report<F: Scalar, M: Infer<F> + ?Sized, D: Dataset<F, Target = Vec<usize>>>(
    model: &M,
    data: &D,
) -> Result<ClassificationReport> {
    Ok(confusion_matrix(model, data)?.report())
}

/// Returns which classes the model confuses, its most confident mistakes, and its confidence by class.
///
/// ```
/// use plywood::prelude::*;
///
/// let (_, test) = plywood::data::synthetic::garments(10, 100, 1)?;
/// let model = Sequential::builder([28, 28]).layer(Flatten).layer(Dense::units(10)).layer(Softmax).build()?;
/// let analysis = evaluate::error_analysis(&model, &test)?;
/// println!("{analysis}");
/// let worst = analysis.worst(12); // positions in the data, to look at
/// # assert_eq!(worst.len(), 12);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// # Errors
/// As [`confusion_matrix`]; also if an output is not a probability, for example because the model ends in logits.
pub fn error_analysis<F: Scalar, M: Infer<F> + ?Sized, D: Dataset<F, Target = Vec<usize>>>(
    model: &M,
    data: &D,
) -> Result<ErrorAnalysis> {
    let (mut truth, mut predicted, mut confidence) = (Vec::new(), Vec::new(), Vec::new());
    let (classes, threshold) = class_count(model.as_infer())?;
    check_class_count(classes).map_err(|error| error.at("evaluate"))?;
    if let (Outputs::Logits | Outputs::BinaryLogits, _) = meaning(model.as_infer()) {
        return Err(Error::data("the outputs of the model", "be probabilities", "logits")
            .help("Let the model end in Softmax, or in a single Sigmoid.")
            .at("evaluate"));
    }
    infer::output(model.as_infer(), data, &mut |output, batch| {
        let found = predictions::classes(&output, threshold);
        for sure in predictions::confidences(&output, &found) {
            confidence.push(sure.ok_or_else(|| {
                let sample = format!("the prediction of sample {}", confidence.len());
                Error::data(sample, "be a distribution", "other numbers")
                    .help("Let the model end in Softmax, or in a single Sigmoid.")
            })?);
        }
        predicted.extend(found);
        truth.extend_from_slice(&batch.target);
        Ok(())
    })
    .map_err(|error| error.at("evaluate"))?;
    Ok(ErrorAnalysis::new(classes, &truth, &predicted, &confidence)?.with_class_names(data.class_names()))
}

/// Returns the precision, recall and F1 of each label, where a sample may have several, and their means: micro, macro,
/// weighted, and over samples.
///
/// `thresholds` is one number for all labels or one for each ([`Thresholds`]). A label is predicted if the model's
/// output is above its threshold: 0.5 is usual after a sigmoid, 0 for a model that ends in logits. Targets are tensors
/// of 0 and 1.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// // A model without parameters: a label is there where its input is above 0.
/// let model = Sequential::builder([2]).layer(Sigmoid).build()?;
/// let (x, y) = (arr2(&[[3.0f32, 1.0], [-1.0, 2.0], [5.0, -4.0]]), arr2(&[[1.0f32, 1.0], [0.0, 1.0], [1.0, 1.0]]));
/// let data = ArrayDataset::new(x, y)?.with_class_names(["rain", "wind"]);
/// let report = evaluate::multi_label_report(&model, &data, 0.5)?;
/// assert_eq!((report.labels[0].recall, report.labels[1].recall), (1.0, 2.0 / 3.0));
/// println!("{report}");
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Labels use the class names of the data set; labels without a name are shown by number.
///
/// # Errors
/// If model and data do not fit each other, the data cannot be read, a target is neither 0 nor 1, a prediction is NaN,
/// the model ends in softmax, whose classes exclude each other, or the thresholds do not fit the model's outputs.
pub fn multi_label_report<F: Scalar, M: Infer<F> + ?Sized, D: Dataset<F, Target = Tensor<F>>>(
    model: &M,
    data: &D,
    thresholds: impl Into<Thresholds>,
) -> Result<LabelReport> {
    let at = |error: Error| error.at("evaluate");
    let thresholds = thresholds.into();
    let labels = label_count(model.as_infer(), &thresholds).map_err(at)?;
    let (mut truth, mut predicted, mut samples) = (Vec::new(), Vec::new(), 0);
    infer::output(model.as_infer(), data, &mut |output, batch| {
        if batch.target.shape() != output.shape() {
            let expected = format!("{:?}", output.shape());
            return Err(Error::shape("the targets", expected, batch.target.shape())
                .help("Give 0 or 1 for each of the model's outputs."));
        }
        truth.extend(yes_or_no(&predictions::numbers(&batch.target), labels)?);
        predicted.extend(predictions::labels(&output, &thresholds));
        samples += output.len_of(Axis(0));
        Ok(())
    })
    .map_err(at)?;
    let rows = |labels_of| Array2::from_shape_vec((samples, labels), labels_of).map_err(Error::custom);
    let report = LabelReport::new(&rows(truth).map_err(at)?, &rows(predicted).map_err(at)?)?;
    Ok(report.with_label_names(data.class_names()))
}

/// Returns the number of classes that a model distinguishes, and the threshold of a single output.
///
/// The number comes from the output's shape and not from the labels, so that a class missing from the data still gets
/// its row.
fn class_count<F: Scalar>(model: &dyn Infer<F>) -> Result<(usize, f64)> {
    let at = |error: Error| error.at("evaluate");
    let threshold = class_threshold(model).map_err(at)?;
    match *model.output_shape() {
        [1] => Ok((2, threshold)),
        [classes] => Ok((classes, threshold)),
        ref shape => Err(at(Error::shape("the output", "[classes]", shape)
            .help("A classifier ends in one output for each class, or in a sigmoid's single one for two."))),
    }
}
