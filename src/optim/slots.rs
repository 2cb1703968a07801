//! The state of each parameter, by the parameter's name.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::Parameters;
use crate::tensor::Tensor;

/// A parameter's name and its slots: the arrays that the rule stores for it.
pub(super) type Slot<F> = (String, Vec<Tensor<F>>);

/// Returns the position of this name, which is nearly always the expected one.
pub(super) fn find<T>(list: &[(String, T)], expected: usize, name: &str) -> Option<usize> {
    if list.get(expected).is_some_and(|(known, _)| known == name) {
        return Some(expected);
    }
    list.iter().position(|(known, _)| known == name)
}

/// Checks that an array has the parameter's shape.
pub(super) fn check_shape(name: &str, kept: &[usize], shape: &[usize]) -> Result<()> {
    if kept == shape {
        return Ok(());
    }
    Err(Error::shape(format!("the parameter {name}"), format!("{kept:?}"), shape)
        .help("An optimizer belongs to one model; use a new one for another."))
}

/// Returns the number of samples over which the gradients in a model are a mean.
pub(crate) fn gathered<F: Scalar, M: Parameters<F> + ?Sized>(model: &M) -> u64 {
    let mut samples = 0;
    model.each_param(&mut |_, param| samples = samples.max(param.samples()));
    samples
}
