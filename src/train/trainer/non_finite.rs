//! Finds the first number that is not finite, after outputs or a loss were not.
//!
//! Inputs and targets have already been checked (`step.rs`), so the cause is the model or the loss. This code runs only
//! on failure, so it may be slow.

use super::step::{self, Expected};
use crate::data::{Batch, Dataset, Pass};
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::Scalar;
use crate::losses::Loss;
use crate::nn::Infer;
use crate::nn::predict::infer_one;
use crate::target::AsTarget;
use crate::tensor::owned;
use std::ops::Range;

/// The error for a number that is not finite in training.
pub(super) fn diverged(what: String, step: u64) -> Error {
    let help = if what.starts_with("the loss") {
        "Outputs and targets are finite: training diverged (lower the learning rate, clip gradients with `clip_norm`, \
         scale the inputs), or a probability of 0 was given to the true class (put nothing after Softmax or \
         Sigmoid)."
    } else {
        "Training diverged: lower the learning rate, clip gradients with `clip_norm`, or scale the inputs."
    };
    Error::new(ErrorKind::NonFinite { what, step: Some(step) }).help(help)
}

/// The error for a batch in training, read from these positions for step `step`. It traces the batch through the model
/// to the first value that is not finite, and otherwise names the sample whose loss is not finite.
///
/// Reading again gives the same batch, because [`Dataset::read`] depends only on its arguments. Layers with random
/// behaviour are traced in inference mode.
pub(in crate::train) fn in_training<F: Scalar, L: Loss<F>, T: AsTarget<L::Target> + Default + Send>(
    model: &dyn Infer<F>,
    loss: &L,
    data: &dyn Dataset<F, Target = T>,
    (indices, pass, step): (&[usize], Pass, u64),
) -> Result<Error> {
    let mut batch = Batch::default();
    data.read(indices, pass, &mut batch)?;
    let what = match model.find_non_finite(&mut [Some(batch.take_input())])? {
        Some(what) => what,
        None => loss_of(sample_of_infinite_loss(model, loss, data, indices, pass)?),
    };
    Ok(diverged(what, step))
}

/// The error for a loss that is not finite in an evaluation, although outputs and targets are.
pub(super) fn in_evaluation<F: Scalar, L: Loss<F>, T: AsTarget<L::Target> + Default + Send>(
    model: &dyn Infer<F>,
    loss: &L,
    data: &dyn Dataset<F, Target = T>,
    samples: Range<usize>,
) -> Result<Error> {
    let samples: Vec<usize> = samples.collect();
    let what = loss_of(sample_of_infinite_loss(model, loss, data, &samples, Pass::Evaluate)?);
    Ok(Error::new(ErrorKind::NonFinite { what, step: None }).help(
        "The model is infinitely wrong, or its outputs overflow: look at what it predicts for that sample.",
    ))
}

/// The name of a loss in errors.
fn loss_of(sample: Option<usize>) -> String {
    sample.map_or_else(|| "the loss".to_owned(), |sample| format!("the loss of sample {sample}"))
}

/// Returns the first of these samples whose loss is not finite when computed alone, in inference mode.
fn sample_of_infinite_loss<F: Scalar, L: Loss<F>, T: AsTarget<L::Target> + Default + Send>(
    model: &dyn Infer<F>,
    loss: &L,
    data: &dyn Dataset<F, Target = T>,
    indices: &[usize],
    pass: Pass,
) -> Result<Option<usize>> {
    let activation = step::fused(model, loss);
    let mut batch = Batch::default();
    for &sample in indices {
        data.read(&[sample], pass, &mut batch)?;
        let input = batch.take_input();
        let output = owned(infer_one(model, input.into(), activation.is_some())?);
        let expected = Expected { target: batch.target.as_target(), weights: batch.weights.as_deref() };
        if !step::loss(loss, activation, output, expected, 1.0)?.0.sum.is_finite() {
            return Ok(Some(sample));
        }
    }
    Ok(None)
}
