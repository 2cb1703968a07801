//! Finds the first number that is not finite, after outputs or a loss were not.
//!
//! Inputs and targets have already been checked (`step.rs`), so the cause is the model or the loss. This code runs only
//! on failure, so it may be slow.

use crate::data::feed::Feed;
use crate::data::{Batch, Dataset, Pass};
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::Scalar;
use crate::nn::Infer;
use crate::nn::predict_parts::{infer_all, no_output};
use crate::shown::cut;
use crate::target::AsTarget;
use crate::train::objective::{Expected, Objective};
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
pub(in crate::train) fn in_training<F: Scalar, T: ?Sized, U: AsTarget<T> + Default + Send>(
    model: &dyn Infer<F>,
    objective: &Objective<'_, F, T>,
    (data, feed): (&dyn Dataset<F, Target = U>, &Feed),
    (indices, pass, step): (&[usize], Pass, u64),
) -> Result<Error> {
    let mut batch = Batch::default();
    data.read(indices, pass, &mut batch)?;
    let what = match model.find_non_finite(&mut feed.take(&mut batch, indices.len())?)? {
        Some(what) => what,
        None => sample_of_infinite_loss(model, objective, (data, feed), indices, pass)?,
    };
    Ok(diverged(what, step))
}

/// The error for a loss that is not finite in an evaluation, although outputs and targets are.
pub(super) fn in_evaluation<F: Scalar, T: ?Sized, U: AsTarget<T> + Default + Send>(
    model: &dyn Infer<F>,
    objective: &Objective<'_, F, T>,
    data: (&dyn Dataset<F, Target = U>, &Feed),
    samples: Range<usize>,
) -> Result<Error> {
    let samples: Vec<usize> = samples.collect();
    let what = sample_of_infinite_loss(model, objective, data, &samples, Pass::Evaluate)?;
    Ok(Error::new(ErrorKind::NonFinite { what, step: None }).help(
        "The model is infinitely wrong, or its outputs overflow: look at what it predicts for that sample.",
    ))
}

/// Returns the name of the first loss of these samples that is not finite when computed alone, in inference mode: "the
/// loss of sample 3", "the loss of output size of sample 3".
fn sample_of_infinite_loss<F: Scalar, T: ?Sized, U: AsTarget<T> + Default + Send>(
    model: &dyn Infer<F>,
    objective: &Objective<'_, F, T>,
    (data, feed): (&dyn Dataset<F, Target = U>, &Feed),
    indices: &[usize],
    pass: Pass,
) -> Result<String> {
    let mut batch = Batch::default();
    for &sample in indices {
        data.read(&[sample], pass, &mut batch)?;
        let mut outputs = infer_all(model, feed.take(&mut batch, 1)?, &objective.logits)?;
        let expected = Expected { target: batch.target.as_target(), weights: batch.weights.as_deref() };
        for part in &objective.parts {
            let output = outputs[part.output].take().ok_or_else(no_output)?;
            if !part.value_and_grad(output, expected, 1.0)?.0.sum.is_finite() {
                let of = part.name.map_or_else(String::new, |name| format!(" of output {}", cut(name)));
                return Ok(format!("the loss{of} of sample {sample}"));
            }
        }
    }
    Ok("the loss".to_owned())
}
