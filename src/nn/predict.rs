//! [`Predict`]: predictions of a model, for arrays of any size and with several threads.

use super::inputs::{Inputs, Slots};
use super::model::{Infer, check_one_output, several};
use super::one_output::OneOutput;
use super::predict_named::{Predictions, predict_named};
use super::predict_parts::{PIECE, check_exclusive, class_threshold_of, labels_of, predict_share};
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::{Scalar, threads};
use crate::nn::{Outputs, batch_error, window};
use crate::predictions;
use crate::predictions::Thresholds;
use crate::target::CLEAN;
use crate::tensor::Tensor;
use crate::threads::try_each;
use ndarray::{Array2, ArrayBase, ArrayViewD, ArrayViewMutD, Axis, Data, DataMut, Dimension, IxDyn, Slice};

/// The predictions of a model for arrays. Every [`Infer`] has these methods.
///
/// They are apart from [`Infer`] because they take arrays of any kind, and a trait with such methods has no trait objects.
pub trait Predict<F: Scalar = f32>: Infer<F> {
    /// Returns the predictions for a batch, `[batch, …]`, from an array or a view in any memory layout.
    ///
    /// The batch is processed in pieces, so memory is bounded; a sample's prediction is bit-identical in any batch.
    ///
    /// | | shape |
    /// |---|---|
    /// | `input` | `[batch, …]`, the model's input shape after the batch axis |
    /// | result | `[batch, …]`, the model's output shape after the batch axis |
    ///
    /// Each thread ([`set_threads`](crate::set_threads)) processes pieces of 144 samples, so activations inside the
    /// model take memory for 144 samples per thread. The final activation is applied: a model that ends in softmax
    /// returns probabilities. An empty batch gives an empty result.
    ///
    /// ```
    /// use plywood::ndarray::{Array2, Axis, s};
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([3]).seed(1).layer(Dense::units(4)).layer(Softmax).build()?;
    /// let x = Array2::from_shape_fn((1000, 3), |(i, j)| (i as f32 * 0.01).sin() + j as f32);
    /// let all = model.predict(&x)?;
    /// let some = model.predict(&x.slice(s![300..303, ..]))?; // a view
    /// assert_eq!(some.index_axis(Axis(0), 1), all.index_axis(Axis(0), 301)); // to the bit
    ///
    /// let error = model.predict(&x.row(0)).unwrap_err().to_string();
    /// assert!(error.starts_with("predict: the input must have shape [batch, 3], got [3]."));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the input's shape is not `[batch, …]` with the model's input shape after the batch axis, or the input holds
    /// values that a layer cannot take.
    fn predict<S: Data<Elem = F>, D: Dimension>(&self, input: &ArrayBase<S, D>) -> Result<Tensor<F>> {
        let model = self.as_infer();
        check_input(model, input.shape()).map_err(|error| error.at("predict"))?;
        let sample = model.output_shape();
        let mut shape = IxDyn::zeros(1 + sample.len());
        shape[0] = input.shape().first().copied().unwrap_or(0);
        shape.slice_mut()[1..].copy_from_slice(sample);
        window::numbers("the predictions", shape.slice()).map_err(|error| error.at("predict"))?;
        let mut output = Tensor::zeros(shape);
        self.predict_into(input, &mut output)?;
        Ok(output)
    }

    /// [`predict`](Predict::predict) into an existing array. After the first calls it allocates nothing, so a
    /// service can answer requests without the allocator.
    ///
    /// ```
    /// use plywood::ndarray::{Array2, Array3};
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([28, 28]).layer(Flatten).layer(Dense::units(10)).layer(Softmax).build()?;
    /// let (mut image, mut probabilities) = (Array3::<f32>::zeros((1, 28, 28)), Array2::zeros((1, 10)));
    /// for brightness in [0.0, 0.5, 1.0] {
    ///     image.fill(brightness); // the next request
    ///     model.predict_into(&image, &mut probabilities)?;
    ///     assert!((probabilities.sum() - 1.0).abs() < 1e-6);
    /// }
    ///
    /// let error = model.predict_into(&image, &mut Array2::zeros((1, 9))).unwrap_err().to_string();
    /// assert!(error.starts_with("predict: the array for the output must have shape [1, 10], got [1, 9]."));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// Input and output may have any memory layout; row-major is the fastest. Custom layers allocate nothing either if
    /// they take their outputs from [`scratch`](crate::scratch) and hand inputs to [`recycle`](crate::recycle). If
    /// several threads call it, each has its own buffers.
    ///
    /// # Errors
    /// As [`predict`](Predict::predict), and when the output is not `[batch, …]` with the model's output shape.
    /// After an error the output may hold some of the predictions.
    fn predict_into<S: Data<Elem = F>, D: Dimension, T: DataMut<Elem = F>, E: Dimension>(
        &self,
        input: &ArrayBase<S, D>,
        output: &mut ArrayBase<T, E>,
    ) -> Result<()> {
        predict_view(self.as_infer(), input.view().into_dyn(), output.view_mut().into_dyn())
            .map_err(|error| error.at("predict"))
    }

    /// Returns the predictions of a model with any number of inputs and outputs, by name.
    ///
    /// | | |
    /// |---|---|
    /// | `inputs` | [`Inputs`], each `[batch, …]`; a single array for a model with one input |
    /// | result | [`Predictions`], each `[batch, …]` |
    ///
    /// It works in pieces and on threads as [`predict`](Predict::predict).
    ///
    /// ```
    /// use plywood::ndarray::{Array2, arr2};
    /// use plywood::nn::Inputs;
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// let (a, b) = (g.input("a", [2]), g.input("b", [2]));
    /// g.output("sum", a + b);
    /// g.output("product", a * b);
    /// let model = g.build()?;
    /// let (a, b) = (arr2(&[[2.0f32, 3.0]]), arr2(&[[4.0f32, 5.0]]));
    /// let found = model.predict_named(Inputs::of("b", &b).and("a", &a))?; // in any order
    /// assert_eq!(found.get("sum")?, &arr2(&[[6.0, 8.0]]).into_dyn());
    /// assert_eq!(found.get("product")?, &arr2(&[[8.0, 15.0]]).into_dyn());
    ///
    /// let error = model.predict_named(Inputs::of("a", &a)).unwrap_err().to_string();
    /// assert_eq!(error, "predict: the inputs must be those of the model: a, b, got a. Give b, too.");
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the inputs are not those of the model, are not of the same number of samples, or have other shapes; or hold
    /// values that a layer cannot take.
    fn predict_named<'a>(&self, inputs: impl Into<Inputs<'a, F>>) -> Result<Predictions<F>> {
        predict_named(self.as_infer(), inputs.into()).map_err(|error| error.at("predict"))
    }

    /// Returns one output of a model with several, as a model: for reports, pictures, and the other methods here.
    ///
    /// [`OneOutput`] has an example.
    ///
    /// # Errors
    /// When the model has no output with this name.
    fn output(&self, name: &str) -> Result<OneOutput<'_, F>> {
        OneOutput::new(self.as_infer(), name)
    }

    /// Returns the most probable class of each sample: the index of the largest prediction; ties go to the lowest
    /// index.
    ///
    /// With a single output, the class is 1 if the output is above a threshold that depends on the model's final
    /// function: 0.5 for [`Sigmoid`](crate::nn::Sigmoid), 0 for a linear layer, whose output is a logit. Several
    /// sigmoids are independent yes-or-no answers and not classes: use [`predict_labels`](Predict::predict_labels)
    /// for them.
    ///
    /// ```
    /// use plywood::ndarray::{Array2, arr1, arr2};
    /// use plywood::prelude::*;
    ///
    /// struct Given;
    /// impl LayerSpec for Given {
    ///     type Layer = Dense;
    ///     fn build(self, _: &[usize], _: &Random) -> Result<Dense> {
    ///         Dense::from_weights(Array2::eye(3), Some(arr1(&[0.0, 0.0, 1.0])))
    ///     }
    /// }
    ///
    /// let model = Sequential::builder([3]).layer(Given).layer(Softmax).build()?;
    /// assert_eq!(model.predict_classes(&arr2(&[[5.0, 0.0, 0.0], [0.0, 0.5, 0.0]]))?, [0, 2]);
    ///
    /// let several = Sequential::builder([3]).layer(Given).layer(Sigmoid).build()?;
    /// assert_eq!(
    ///     several.predict_classes(&arr2(&[[5.0, 0.0, 0.0]])).unwrap_err().to_string(),
    ///     "predict: the outputs of the model must be for classes that exclude each other, got 3 \
    ///      independent probabilities. Use `predict_labels`; for the position of the largest, apply `argmax_rows` to \
    ///      the result of `predict`."
    /// );
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`predict`](Predict::predict); when the outputs are several independent probabilities, or a single one for
    /// which the last layer implies no threshold; and when a prediction is NaN (the error names the sample and the
    /// layer where it begins).
    fn predict_classes<S: Data<Elem = F>, D: Dimension>(
        &self,
        input: &ArrayBase<S, D>,
    ) -> Result<Vec<usize>> {
        let at = |error: Error| error.at("predict");
        let threshold = class_threshold(self.as_infer()).map_err(at)?;
        let (outputs, units) = meaning(self.as_infer());
        check_exclusive(outputs, units).map_err(at)?;
        Ok(predictions::classes(&predict_numbers(self, input)?, threshold))
    }

    /// Returns the labels of each sample, `[batch, labels]`: true if the output is above its threshold. Give one
    /// threshold for all outputs or one for each.
    ///
    /// For models whose outputs, one or several, are independent answers. 0.5 is usual after
    /// [`Sigmoid`](crate::nn::Sigmoid), and 0 is equivalent for logits.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([3]).layer(Sigmoid).build()?;
    /// let x = arr2(&[[2.0f32, -1.0, 0.0], [-2.0, 1.0, 3.0]]);
    /// assert_eq!(model.predict_labels(&x, 0.5)?, arr2(&[[true, false, false], [false, true, true]]));
    /// assert_eq!(model.predict_labels(&x, [0.9, 0.5, 0.2])?, arr2(&[[false, false, true], [false, true, true]]));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`predict`](Predict::predict); when the output is not `[labels]` or comes from softmax, when the number of
    /// thresholds is not that of the labels, or a threshold after a sigmoid is not between 0 and 1; and when a
    /// prediction is NaN (the error names the sample and the layer where it begins).
    fn predict_labels<S: Data<Elem = F>, D: Dimension>(
        &self,
        input: &ArrayBase<S, D>,
        thresholds: impl Into<Thresholds>,
    ) -> Result<Array2<bool>> {
        let at = |error: Error| error.at("predict");
        let thresholds = thresholds.into();
        let labels = label_count(self.as_infer(), &thresholds).map_err(at)?;
        let predictions = predict_numbers(self, input)?;
        let above = predictions::labels(&predictions, &thresholds);
        let samples = predictions.len_of(Axis(0));
        Array2::from_shape_vec((samples, labels), above).map_err(|error| at(Error::custom(error)))
    }
}

impl<F: Scalar, M: Infer<F> + ?Sized> Predict<F> for M {}

/// Returns the number of independent labels that the model predicts; checks the thresholds.
pub(crate) fn label_count<F: Scalar>(model: &dyn Infer<F>, thresholds: &Thresholds) -> Result<usize> {
    check_one_output(model)?;
    labels_of(model.output_shape(), model.known_values(0), thresholds)
}

/// [`predict`](Predict::predict) that fails if a prediction is NaN, since no decision can be made from it.
fn predict_numbers<F: Scalar, M: Predict<F> + ?Sized, S: Data<Elem = F>, D: Dimension>(
    model: &M,
    input: &ArrayBase<S, D>,
) -> Result<Tensor<F>> {
    let predictions = model.predict(input)?;
    let Some(sample) = predictions::nan_sample(&predictions) else { return Ok(predictions) };
    let one = input.view().into_dyn();
    let one = one.slice_axis(Axis(0), Slice::from(sample..sample + 1)).to_owned();
    Err(unusable(model.as_infer(), Slots::from_iter([Some(one)]), sample).at("predict"))
}

/// Returns the meaning of the outputs, from the model's final function, and the number of values in a row of them.
pub(crate) fn meaning<F: Scalar>(model: &dyn Infer<F>) -> (Outputs, usize) {
    let units = model.output_shape().last().copied().unwrap_or(1);
    (Outputs::of(model.known_values(0), units), units)
}

/// Returns the threshold above which a single output means class 1; with several outputs the largest counts and it
/// is not used.
pub(crate) fn class_threshold<F: Scalar>(model: &dyn Infer<F>) -> Result<f64> {
    check_one_output(model)?;
    class_threshold_of(model.output_shape(), model.known_values(0))
}

/// Distributes the samples among the threads. If several fail, the error of the first samples is returned.
fn predict_view<F: Scalar>(
    model: &dyn Infer<F>,
    input: ArrayViewD<'_, F>,
    mut output: ArrayViewMutD<'_, F>,
) -> Result<()> {
    check_input(model, input.shape())?;
    let sample = model.output_shape();
    let batch = input.len_of(Axis(0));
    if output.ndim() != sample.len() + 1 || output.len_of(Axis(0)) != batch || output.shape()[1..] != *sample
    {
        let expected: Vec<usize> = [batch].into_iter().chain(sample.iter().copied()).collect();
        return Err(Error::shape("the array for the output", format!("{expected:?}"), output.shape())
            .help("Give it one row for each sample, of the model's output shape."));
    }
    let share = threads::share(batch, PIECE, threads::long_parts(batch.div_ceil(PIECE)));
    if share >= batch {
        return predict_share(model, 0, &[input], &mut [output]);
    }
    let shares = output.axis_chunks_iter_mut(Axis(0), share).zip(input.axis_chunks_iter(Axis(0), share));
    try_each(shares.enumerate(), |(i, (output, input))| {
        predict_share(model, i * share, &[input], &mut [output])
    })
}

/// Checks that a batch has the shape that the model takes, before anything is allocated for the result.
fn check_input<F: Scalar>(model: &dyn Infer<F>, found: &[usize]) -> Result<()> {
    if model.inputs().len() != 1 {
        return Err(several(model, "one input"));
    }
    check_one_output(model)?;
    match found {
        [_, sample @ ..] if sample == model.input_shape() => Ok(()),
        _ => Err(batch_error(found, model.input_shape())),
    }
}

/// Returns the error for a sample without a usable output, with the first non-finite item on the way to it; `inputs`
/// hold only that sample.
pub(crate) fn unusable<F: Scalar>(
    model: &dyn Infer<F>,
    mut inputs: Slots<Tensor<F>>,
    sample: usize,
) -> Error {
    let what = match model.find_non_finite(&mut inputs).ok().flatten() {
        Some(what) if what.starts_with("the input") => {
            let what = format!("{what} of sample {sample}");
            return Error::new(ErrorKind::NonFinite { what, step: None }).help(CLEAN);
        }
        found => found.unwrap_or_else(|| "the output".to_owned()),
    };
    Error::new(ErrorKind::NonFinite { what, step: None })
        .help("Check how the model was trained: the learning rate, clipping, the scale of the inputs.")
        .at(format!("sample {sample}"))
}
