//! The targets of data sets in memory.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::{Tensor, slice_mut};
use ndarray::{Array, Axis, Dimension};

/// The targets that a data set in memory may have: class indices (`Vec<usize>`), or an array of numbers
/// (`Array<F, D>` with `[samples, …]`).
///
/// | type | shape | in a batch | losses |
/// |---|---|---|---|
/// | `()` | none | `()` | [`OutputLoss`](crate::losses::OutputLoss) |
/// | `Vec<usize>` | a label for each sample | `Vec<usize>` | [`CrossEntropy`](crate::losses::CrossEntropy) |
/// | `Array1<F>` | `[samples]` | `[batch]` | regression, with predictions `[batch]` |
/// | `Array2<F>` | `[samples, outputs]` | `[batch, outputs]` | regression, soft cross-entropy |
/// | [`TargetArrays<F>`](super::TargetArrays) | of each | [`NamedTargets`](super::NamedTargets) | [`Losses`](crate::losses::Losses) |
///
/// `F` is the model's element type: targets are not converted.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be targets",
    note = "class indices are a `Vec<usize>`; `()` is for losses that read no targets",
    note = "numbers are an array of the model's element type, `[samples, …]`, for one number a sample `[samples, 1]`"
)]
pub trait Targets: Sync {
    /// Whether the targets have names, and each its own class names.
    #[doc(hidden)]
    const NAMED: bool = false;

    /// The targets of a batch; the buffer is reused from batch to batch.
    type Batch: Default + Send;

    /// Returns the number of targets.
    fn count(&self) -> usize;

    /// Checks that there is a target for each sample.
    ///
    /// # Errors
    /// When there are more or fewer.
    fn check(&self, samples: usize) -> Result<()> {
        match self.count() {
            count if count == samples => Ok(()),
            count => {
                Err(Error::data("the number of targets", format!("be {samples}, one for each sample"), count)
                    .help("Give one target for each sample."))
            }
        }
    }

    /// Returns the names of the classes of one of several targets.
    fn class_names_of(&self, target: &str) -> &[String] {
        let _ = target;
        &[]
    }

    /// Copies the targets at these positions, which must be in range.
    ///
    /// They replace the contents of the batch, in the order of `indices`.
    fn gather(&self, indices: &[usize], batch: &mut Self::Batch);

    /// Keeps the first `count` targets; `count` must be at most their number.
    ///
    /// Labels are truncated in place; an array is copied.
    #[must_use]
    fn first(self, count: usize) -> Self;
}

/// Data without targets, for losses that read none, such as [`OutputLoss`](crate::losses::OutputLoss).
impl Targets for () {
    type Batch = ();

    fn count(&self) -> usize {
        0
    }

    fn check(&self, _: usize) -> Result<()> {
        Ok(())
    }

    fn gather(&self, _: &[usize], (): &mut ()) {}

    fn first(self, _: usize) -> Self {}
}

impl Targets for Vec<usize> {
    type Batch = Vec<usize>;

    fn count(&self) -> usize {
        self.len()
    }

    fn gather(&self, indices: &[usize], batch: &mut Vec<usize>) {
        batch.clear();
        batch.extend(indices.iter().map(|&i| self[i]));
    }

    fn first(mut self, count: usize) -> Self {
        self.truncate(count);
        self
    }
}

impl<F: Scalar, D: Dimension> Targets for Array<F, D> {
    type Batch = Tensor<F>;

    fn count(&self) -> usize {
        self.shape().first().copied().unwrap_or(0)
    }

    fn gather(&self, indices: &[usize], batch: &mut Tensor<F>) {
        let mut shape = self.raw_dim().into_dyn();
        if let Some(samples) = shape.slice_mut().first_mut() {
            *samples = indices.len();
        }
        if batch.shape() != shape.slice() {
            *batch = Tensor::zeros(shape);
        }
        let columns: usize = self.shape().iter().skip(1).product();
        match self.as_slice() {
            Some(values) => {
                let rows = slice_mut(batch).chunks_exact_mut(columns.max(1));
                for (row, &i) in rows.zip(indices) {
                    row.copy_from_slice(&values[i * columns..(i + 1) * columns]);
                }
            }
            None => {
                for (mut row, &i) in batch.outer_iter_mut().zip(indices) {
                    row.assign(&self.view().into_dyn().index_axis(Axis(0), i));
                }
            }
        }
    }

    fn first(self, count: usize) -> Self {
        self.slice_axis(Axis(0), (..count).into()).to_owned()
    }
}

/// Checks a list of weights for samples.
pub(super) fn check_weights(weights: &[f64], samples: usize) -> Result<()> {
    if weights.len() != samples {
        let expected = format!("be {samples}, one for each sample");
        return Err(Error::data("the number of weights", expected, weights.len())
            .help("Give one weight for each sample."));
    }
    match weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
        None => Ok(()),
        Some(i) => {
            Err(Error::data(format!("the weight of sample {i}"), "be finite and at least 0", weights[i])
                .help("A weight of 0 leaves a sample out."))
        }
    }
}

/// Reads the weights at these positions, if there are weights.
pub(super) fn read_weights<F: Scalar>(
    weights: Option<&[f64]>,
    indices: &[usize],
    batch: &mut Option<Vec<F>>,
) -> Result<()> {
    let Some(weights) = weights else {
        *batch = None;
        return Ok(());
    };
    let batch = batch.get_or_insert_default();
    batch.clear();
    batch.extend(indices.iter().map(|&i| F::of(weights[i])));
    match batch.iter().position(|weight| !weight.is_finite()) {
        None => Ok(()),
        Some(at) => {
            let (sample, expected) = (indices[at], format!("be finite in {}", F::NAME));
            let found = format!("{:?}", weights[sample]);
            Err(Error::data(format!("the weight of sample {sample}"), expected, found)
                .help("Only their ratios count: divide all weights by their mean."))
        }
    }
}
