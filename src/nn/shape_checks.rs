//! Checks of the shapes that a layer gets.

use super::window::MOST;
use crate::codec::MAX_AXES;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::Tensor;

/// Checks that a batch has the shape that a layer was built for; `sample` is without the batch axis.
///
/// Call it in the first line of a `forward`. The error's advice tells the two usual mistakes apart:
///
/// ```
/// use plywood::nn::check_batch;
/// use plywood::Tensor;
///
/// assert!(check_batch(&Tensor::<f32>::zeros(vec![32, 28, 28]), &[28, 28]).is_ok());
/// let one = Tensor::<f32>::zeros(vec![28, 28]);
/// assert_eq!(
///     check_batch(&one, &[28, 28]).unwrap_err().to_string(),
///     "the input must have shape [batch, 28, 28], got [28, 28]. Axis 0 is the batch: give one sample as a batch \
///      of one, with `insert_axis(Axis(0))`."
/// );
/// ```
///
/// # Errors
/// When the shape differs; the error names both shapes and says what to do.
pub fn check_batch<F: Scalar>(input: &Tensor<F>, sample: &[usize]) -> Result<()> {
    check_batch_shape(input.shape(), sample)
}

/// [`check_batch`] for a shape.
pub(crate) fn check_batch_shape(found: &[usize], sample: &[usize]) -> Result<()> {
    if found.len() == sample.len() + 1 && found[1..] == *sample {
        return Ok(());
    }
    Err(batch_error(found, sample))
}

/// Returns the error for a batch of the wrong shape.
///
/// Separate from [`check_batch`] because `predict` has a view and no tensor.
pub(crate) fn batch_error(found: &[usize], sample: &[usize]) -> Error {
    let help = if found == sample {
        "Axis 0 is the batch: give one sample as a batch of one, with `insert_axis(Axis(0))`."
    } else {
        "Axis 0 is the batch; the other axes must be what the layer was built for."
    };
    Error::shape("the input", crate::tensor::batch_shape(sample), found).help(help)
}

/// Checks that a gradient has the shape of the output it belongs to.
///
/// `output` includes the batch axis: it is the shape of the tensor that `forward_train` returned. Call it in the first
/// line of a `backward`: `ndarray`'s arithmetic would broadcast a gradient of another shape, or panic.
///
/// ```
/// use plywood::nn::check_gradient;
/// use plywood::Tensor;
///
/// let grad = Tensor::<f32>::zeros(vec![32, 1]);
/// assert_eq!(
///     check_gradient(&grad, &[32, 10]).unwrap_err().to_string(),
///     "the gradient must have shape [32, 10], got [32, 1]. The gradient at a layer's output has the output's \
///      shape."
/// );
/// ```
///
/// # Errors
/// When the shape differs.
pub fn check_gradient<F: Scalar>(grad: &Tensor<F>, output: &[usize]) -> Result<()> {
    if grad.shape() == output {
        return Ok(());
    }
    Err(Error::shape("the gradient", format!("{output:?}"), grad.shape())
        .help("The gradient at a layer's output has the output's shape."))
}

/// Refuses the shape of an input without values, or one that no tensor can have, for models that are built or loaded.
pub(in crate::nn) fn check_input(input: &[usize]) -> Result<()> {
    if input.contains(&0) {
        return Err(Error::shape("the input", "[…] with sizes of at least 1", input)
            .help("Give the shape of one sample, without the batch axis."));
    }
    check_sizes("the input", input)
}

/// Refuses a shape that no tensor can have: with too many axes, or with more values than can be counted.
pub(in crate::nn) fn check_sizes(what: &str, shape: &[usize]) -> Result<()> {
    if shape.len() > MAX_AXES {
        return Err(Error::argument("the number of axes", format!("at most {MAX_AXES}"), shape.len())
            .help("Merge axes with `Reshape`."));
    }
    let numbers = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n.max(1)));
    if numbers.is_some_and(|numbers| numbers <= MOST) {
        return Ok(());
    }
    Err(Error::shape(what, "[…], small enough to fit into memory", shape)
        .help("Make the layer or its input smaller."))
}
