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

use crate::data::feed::Feed;
use crate::data::{Batch, Dataset, Pass};
use crate::error::{Error, Result};
use crate::kernels::{Scalar, threads};
use crate::nn::inputs::Slots;
use crate::nn::predict;
use crate::nn::predict_parts::{infer_all, no_output};
use crate::nn::{Infer, check_one_output};
use crate::shown::cut;
use crate::target::first_non_finite_row;
use crate::tensor::Tensor;
use crate::threads::try_each;
use std::ops::Range;

/// The number of samples that go through the model at once.
///
/// It is large enough for matrix products to run at full speed, and small enough that a wave of images takes a few
/// megabytes. Training batches are smaller; their size is the user's choice and affects the result.
const PIECE: usize = 256;

/// Checks that the data set is not empty and has the inputs of the model, and returns how they correspond.
///
/// This is the one check of data against model for `fit`, `evaluate` and `predict`. It is made before anything is
/// computed, so that a wrong shape is found at once and not after an epoch.
pub(crate) fn check_data<F: Scalar, D: Dataset<F> + ?Sized>(model: &dyn Infer<F>, data: &D) -> Result<Feed> {
    if data.is_empty() {
        return Err(Error::data("the data", "have at least one sample", "none")
            .help("Check where the data come from."));
    }
    if let (Some(output), Some(target)) = (model.chosen_output(), data.target_name())
        && output != target
    {
        let found = format!("the output {:?} with the target {:?}", cut(output), cut(target));
        return Err(Error::data("the output and the target", "be of one name", found)
            .help("Choose the target of that output. For another target, take a model of that output alone: `Graph::with_outputs`."));
    }
    Feed::new(model.inputs(), data.input_shapes())
}

/// The callback for the outputs of a piece and the rest of its batch.
type TakeOutputs<'a, F, T> = dyn FnMut(Slots<Tensor<F>>, &Batch<F, T>) -> Result<()> + 'a;

/// Calls `take` with the outputs of each piece of the data and the rest of its batch, in order. Where `logits` is true,
/// an output is its logits.
///
/// Inputs that are not finite, and outputs that are NaN or +infinity, are errors that name the sample.
///
/// `take` gets the batch without its inputs, which the model has consumed; targets and weights are there. The first
/// error in the order of the samples ends the run, whether it comes from reading, the model or `take`. Pieces of the
/// same wave that were already computed are discarded.
///
/// The data set and `take` are trait objects, so that this function is compiled once for each type of target.
pub(crate) fn outputs<F: Scalar, T: Default + Send>(
    model: &dyn Infer<F>,
    data: &dyn Dataset<F, Target = T>,
    logits: &[bool],
    take: &mut TakeOutputs<'_, F, T>,
) -> Result<()> {
    let feed = check_data(model, data)?;
    let source = Source { model, data, feed, logits };
    let samples = data.len();
    let pieces = samples.div_ceil(PIECE);
    // The pieces of a wave are computed in parallel and then taken in order, so memory stays bounded.
    let wave = threads::long_parts(pieces);
    for first in (0..pieces).step_by(wave) {
        let mut outputs: Vec<Option<Piece<F, T>>> = Vec::new();
        outputs.resize_with(wave.min(pieces - first), || None);
        let from = |i: usize| samples.min((first + i) * PIECE);
        let ran = try_each(outputs.iter_mut().enumerate(), |(i, place)| {
            *place = Some(source.piece(from(i)..from(i + 1))?);
            Ok(())
        });
        for (i, (output, batch)) in outputs.into_iter().map_while(|output| output).enumerate() {
            take(output, &batch).map_err(|error| error.in_data(|row| Some(from(i) + row)))?;
        }
        ran?;
    }
    Ok(())
}

/// The callback of [`output`].
type TakeOutput<'a, F, T> = dyn FnMut(Tensor<F>, &Batch<F, T>) -> Result<()> + 'a;

/// [`outputs`] of a model with one output.
pub(crate) fn output<F: Scalar, T: Default + Send>(
    model: &dyn Infer<F>,
    data: &dyn Dataset<F, Target = T>,
    take: &mut TakeOutput<'_, F, T>,
) -> Result<()> {
    check_one_output(model)?;
    outputs(model, data, &[false], &mut |mut output, batch| {
        take(output.first_mut().and_then(Option::take).ok_or_else(no_output)?, batch)
    })
}

/// The outputs of a piece, and the rest of its batch.
type Piece<F, T> = (Slots<Tensor<F>>, Batch<F, T>);

/// A model and its data.
struct Source<'a, F: Scalar, T> {
    model: &'a dyn Infer<F>,
    data: &'a dyn Dataset<F, Target = T>,
    feed: Feed,
    logits: &'a [bool],
}

impl<F: Scalar, T: Default + Send> Source<'_, F, T> {
    fn piece(&self, samples: Range<usize>) -> Result<Piece<F, T>> {
        let run = || {
            let mut batch = Batch::default();
            self.data.read(&samples.clone().collect::<Vec<_>>(), Pass::Evaluate, &mut batch)?;
            let inputs = self.feed.take(&mut batch, samples.len())?;
            if !self.data.is_finite() {
                self.feed.check_finite(&inputs)?;
            }
            let outputs = infer_all(self.model, inputs, self.logits)?;
            match outputs.iter().flatten().filter_map(first_unusable_row).min() {
                None => Ok((outputs, batch)),
                Some(row) => Err(self.unusable(samples.start + row)?),
            }
        };
        run().map_err(|error: Error| error.in_data(|row| Some(samples.start + row)))
    }

    /// Builds the error for a sample whose output is unusable. It names the first value in the forward pass that is not
    /// finite.
    fn unusable(&self, sample: usize) -> Result<Error> {
        let mut batch = Batch::default();
        self.data.read(&[sample], Pass::Evaluate, &mut batch)?;
        Ok(predict::unusable(self.model, self.feed.take(&mut batch, 1)?, sample))
    }
}

/// Returns the first row that contains a NaN or +infinity. -infinity is allowed, as it is the logarithm of 0.
fn first_unusable_row<F: Scalar>(output: &Tensor<F>) -> Option<usize> {
    first_non_finite_row(output)?;
    let unusable = |y: &F| y.is_nan() || *y == F::infinity();
    output.outer_iter().position(|row| row.iter().any(unusable))
}
