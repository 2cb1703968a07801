//! Inference over a whole data set, in pieces and on several threads.
//!
//! Inference takes the model by `&self`, so threads share it without locks. The data set is cut into pieces of 256
//! samples. A wave is one piece per thread; its pieces are computed in parallel:
//!
//! ```text
//! wave 1:  samples    0..256 → thread 0      wave 2:  samples  512..768  → thread 0
//!                   256..512 → thread 1                        768..1000 → thread 1
//! ```
//!
//! After each wave the outputs are passed on in the order of the samples. So whatever is computed from them (a loss, a
//! metric, a list of predictions) is computed in one order, on the calling thread, for any number of threads. A
//! prediction does not depend on the other samples of its piece (the order of every sum is fixed), so no bit of the
//! result depends on how the data are cut.
//!
//! The outputs are turned into a number or a decision, so a NaN is an error here; `predict` returns it.
//!
//! At most one wave is in memory: `threads · 256` samples with the model's largest intermediate results.

use crate::data::{Batch, Dataset, Pass};
use crate::error::{Error, Result};
use crate::kernels::{Scalar, threads};
use crate::nn::predict::{self, infer_one};
use crate::nn::{Infer, check_one_of_each};
use crate::shown::count;
use crate::target::{CLEAN, first_non_finite_row};
use crate::tensor::{Tensor, owned};
use crate::threads::try_each;
use std::ops::Range;

/// The number of samples that go through the model at once.
///
/// It is large enough for matrix products to run at full speed, and small enough that a wave of images takes a few
/// megabytes. Training batches are smaller; their size is the user's choice and affects the result.
const PIECE: usize = 256;

/// Checks that the data set is not empty and has the input shape of the model.
///
/// This is the one check of data against model for `fit`, `evaluate` and `predict`. It is made before anything is
/// computed, so that a wrong shape is found at once and not after an epoch.
pub(crate) fn check_data<F: Scalar, D: Dataset<F> + ?Sized>(model: &dyn Infer<F>, data: &D) -> Result<()> {
    if data.is_empty() {
        return Err(Error::data("the data", "have at least one sample", "none")
            .help("Check where the data come from."));
    }
    check_one_of_each(model)?;
    if data.input_shape() != model.input_shape() {
        let expected = format!("{:?}", model.input_shape());
        return Err(Error::shape("the samples", expected, data.input_shape())
            .help("The model was built for the shape given to `Sequential::builder`."));
    }
    Ok(())
}

/// The callback for the outputs of a piece and the rest of its batch.
type TakeOutput<'a, F, T> = dyn FnMut(Tensor<F>, &Batch<F, T>) -> Result<()> + 'a;

/// Calls `take` with the outputs of each piece of the data and the rest of its batch, in order. With `logits` the
/// outputs are logits.
///
/// Inputs that are not finite, and outputs that are NaN or +infinity, are errors that name the sample.
///
/// `take` gets the batch without its input, which the model has consumed; targets and weights are there. The first
/// error in the order of the samples ends the run, whether it comes from reading, the model or `take`. Pieces of the
/// same wave that were already computed are discarded.
///
/// The data set and `take` are trait objects, so that this function is compiled once for each type of target.
pub(crate) fn outputs<F: Scalar, T: Default + Send>(
    model: &dyn Infer<F>,
    data: &dyn Dataset<F, Target = T>,
    logits: bool,
    take: &mut TakeOutput<'_, F, T>,
) -> Result<()> {
    check_data(model, data)?;
    let samples = data.len();
    let pieces = samples.div_ceil(PIECE);
    // The pieces of a wave are computed in parallel and then taken in order, so memory stays bounded.
    let wave = threads::long_parts(pieces);
    for first in (0..pieces).step_by(wave) {
        let mut outputs: Vec<Option<Piece<F, T>>> = Vec::new();
        outputs.resize_with(wave.min(pieces - first), || None);
        let from = |i: usize| samples.min((first + i) * PIECE);
        let ran = try_each(outputs.iter_mut().enumerate(), |(i, place)| {
            *place = Some(piece(model, data, from(i)..from(i + 1), logits)?);
            Ok(())
        });
        for (i, (output, batch)) in outputs.into_iter().map_while(|output| output).enumerate() {
            take(output, &batch).map_err(|error| error.in_data(|row| Some(from(i) + row)))?;
        }
        ran?;
    }
    Ok(())
}

/// The outputs of a piece, and the rest of its batch.
type Piece<F, T> = (Tensor<F>, Batch<F, T>);

fn piece<F: Scalar, T: Default + Send>(
    model: &dyn Infer<F>,
    data: &dyn Dataset<F, Target = T>,
    samples: Range<usize>,
    logits: bool,
) -> Result<Piece<F, T>> {
    let run = || {
        let mut batch = Batch::default();
        data.read(&samples.clone().collect::<Vec<_>>(), Pass::Evaluate, &mut batch)?;
        let input = batch.take_input();
        check_count(&input, samples.len())?;
        if !data.is_finite() {
            check_finite_input(&input)?;
        }
        let output = owned(infer_one(model, input.into(), logits)?);
        match first_unusable_row(&output) {
            None => Ok((output, batch)),
            Some(row) => Err(unusable(model, data, samples.start + row)?),
        }
    };
    run().map_err(|error: Error| error.in_data(|row| Some(samples.start + row)))
}

/// Checks that a data set has read as many samples as requested.
pub(crate) fn check_count<F: Scalar>(input: &Tensor<F>, asked: usize) -> Result<()> {
    match input.shape().first() {
        Some(&found) if found == asked => Ok(()),
        found => Err(Error::data(
            "the batch",
            format!("have {}, as requested", count(asked, "sample", "samples")),
            found.unwrap_or(&0),
        )
        .help("`Dataset::read` fills a batch with an input and a target for each position.")),
    }
}

/// Refuses inputs that are not finite and names the row.
pub(crate) fn check_finite_input<F: Scalar>(input: &Tensor<F>) -> Result<()> {
    match first_non_finite_row(input) {
        None => Ok(()),
        Some(row) => Err(Error::sample_not_finite("the input", row).help(CLEAN)),
    }
}

/// Returns the first row that contains a NaN or +infinity. -infinity is allowed, as it is the logarithm of 0.
fn first_unusable_row<F: Scalar>(output: &Tensor<F>) -> Option<usize> {
    first_non_finite_row(output)?;
    let unusable = |y: &F| y.is_nan() || *y == F::infinity();
    output.outer_iter().position(|row| row.iter().any(unusable))
}

/// Builds the error for a sample whose output is unusable. It names the first value in the forward pass that is not
/// finite.
fn unusable<F: Scalar, T: Default + Send>(
    model: &dyn Infer<F>,
    data: &dyn Dataset<F, Target = T>,
    sample: usize,
) -> Result<Error> {
    let mut batch = Batch::default();
    data.read(&[sample], Pass::Evaluate, &mut batch)?;
    Ok(predict::unusable(model, batch.take_input(), sample))
}
