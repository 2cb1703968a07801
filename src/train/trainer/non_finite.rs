//! Where the first number is that is not finite, once outputs or a loss were not.
//!
//! Inputs and targets have been looked at by then (`step.rs`), so it is the model or the loss. This is the way of
//! failure: it may be slow.

use super::step::{self, Expected};
use crate::data::{Batch, Dataset, Pass};
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::Scalar;
use crate::losses::Loss;
use crate::nn::{Layer, Sequential};
use crate::target::AsTarget;
use std::ops::Range;

/// The error of a number that is not finite in training.
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

/// The error of a batch in training, read from these positions for the step of this number: follows it through the
/// model to the first thing that is not finite, and else to the sample whose loss is not.
///
/// Reading again gives the same batch, as [`Dataset::read`] depends on its arguments alone; layers that draw at random
/// are followed as at inference.
pub(in crate::train) fn in_training<F: Scalar, L: Loss<F>, T: AsTarget<L::Target> + Default + Send>(
    model: &Sequential<F>,
    loss: &L,
    data: &dyn Dataset<F, Target = T>,
    (indices, pass, step): (&[usize], Pass, u64),
) -> Result<Error> {
    let mut batch = Batch::default();
    data.read(indices, pass, &mut batch)?;
    let what = match model.first_non_finite(batch.take_input())? {
        Some(what) => what,
        None => loss_of(sample_of_infinite_loss(model, loss, data, indices, pass)?),
    };
    Ok(diverged(what, step))
}

/// The error of a loss that is not finite in an evaluation, where outputs and targets are.
pub(super) fn in_evaluation<F: Scalar, L: Loss<F>, T: AsTarget<L::Target> + Default + Send>(
    model: &Sequential<F>,
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

/// How errors name a loss.
fn loss_of(sample: Option<usize>) -> String {
    sample.map_or_else(|| "the loss".to_owned(), |sample| format!("the loss of sample {sample}"))
}

/// The first of these samples whose loss is not finite, by itself and at inference.
fn sample_of_infinite_loss<F: Scalar, L: Loss<F>, T: AsTarget<L::Target> + Default + Send>(
    model: &Sequential<F>,
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
        let output = if activation.is_some() { model.forward_logits(input) } else { model.forward(input) }?;
        let expected = Expected { target: batch.target.as_target(), weights: batch.weights.as_deref() };
        if !step::loss(loss, activation, output, expected, 1.0)?.0.sum.is_finite() {
            return Ok(Some(sample));
        }
    }
    Ok(None)
}
