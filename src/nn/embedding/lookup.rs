//! The common part of [`Embedding`](crate::nn::Embedding) and [`EmbeddingBag`](crate::nn::EmbeddingBag): a table with a
//! row per id, and the conversion of numbers to ids.
//!
//! A tensor holds numbers of one type, so an id is a number that must be whole. `f32` represents whole numbers exactly
//! up to 2^24 = 16,777,216; above that, two ids could coincide, so a larger vocabulary is refused in `f32`.

use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::kernels::{Scalar, id_of, ids_of};
use crate::param::Param;
use crate::random::Random;
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut, standard};
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

/// The table and the padding id.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) struct Table<F: Scalar> {
    /// `[vocabulary, dimension]`.
    pub weight: Param<F>,
    pub padding: Option<u32>,
}

/// The spec of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct TableSpec {
    pub vocabulary: usize,
    pub dimension: usize,
    pub padding: Option<usize>,
    pub initializer: Initializer,
}

/// Returns the largest vocabulary whose ids are distinct in the element type and fit in 32 bits.
fn most_ids<F: Scalar>() -> usize {
    if F::NAME == "f32" { 1 << 24 } else { u32::MAX as usize }
}

/// Checks the two sizes and the padding id, which come from a user or a file.
fn check<F: Scalar>(vocabulary: usize, dimension: usize, padding: Option<usize>) -> Result<()> {
    if vocabulary == 0 || vocabulary > most_ids::<F>() {
        return Err(Error::argument(
            "the vocabulary's size",
            format!("from 1 to {} in {}", most_ids::<F>(), F::NAME),
            vocabulary,
        )
        .help("Ids are numbers of the element type, which holds no larger whole numbers exactly."));
    }
    if dimension == 0 {
        return Err(Error::argument("the dimension", "at least 1", dimension)
            .help("It is the length of the vector of each id; 8 to 300 are usual."));
    }
    match padding {
        Some(id) if id >= vocabulary => Err(Error::argument(
            "the padding id",
            format!("below {vocabulary}, the size of the vocabulary"),
            id,
        )
        .help("It is the id that fills sequences up; 0 is usual.")),
        _ => Ok(()),
    }
}

impl TableSpec {
    /// Draws the rows from the stream "weight"; the row of the padding id is 0.
    pub(super) fn build<F: Scalar>(self, random: &Random) -> Result<Table<F>> {
        let Self { vocabulary, dimension, padding, initializer } = self;
        check::<F>(vocabulary, dimension, padding)?;
        let shape = [vocabulary, dimension];
        let mut weight =
            Param::new(initializer.tensor(&shape, vocabulary, dimension, &random.child("weight"))?);
        if let Some(id) = padding {
            weight.as_slice_mut()[id * dimension..(id + 1) * dimension].fill(F::zero());
        }
        Ok(Table { weight, padding: padding.and_then(|id| u32::try_from(id).ok()) })
    }
}

impl<F: Scalar> Table<F> {
    /// Returns the vocabulary and the dimension, checked: a file may hold any.
    pub(super) fn sizes(&self) -> Result<(usize, usize)> {
        let [vocabulary, dimension] = *self.weight.shape() else {
            return Err(Error::shape("the table", "[vocabulary, dimension]", self.weight.shape())
                .help("The file is corrupt; save the model again."));
        };
        check::<F>(vocabulary, dimension, self.padding.map(|id| id as usize))?;
        Ok((vocabulary, dimension))
    }

    /// Returns the ids of a batch.
    ///
    /// The error names the first wrong id by its sample and its position there, counted from 0.
    pub(super) fn ids(&self, input: Tensor<F>) -> Result<Vec<u32>> {
        let (vocabulary, _) = self.sizes()?;
        if u32::try_from(input.len()).is_err() {
            return Err(Error::shape("the input", "[…] with fewer than 2^32 ids", input.shape())
                .help("Give smaller batches."));
        }
        let samples = input.shape().first().copied().unwrap_or(1).max(1);
        let input = standard(input);
        let mut ids = vec![0; input.len()];
        if let Some(position) = F::read_ids(slice(&input), vocabulary, self.padding, &mut ids) {
            let length = (input.len() / samples).max(1);
            let (what, found) =
                (format!("the id at position {}", position % length), slice(&input)[position]);
            let expected = format!("be whole and below {vocabulary}");
            return Err(Error::sample(what, position / length, expected, found).help(
                "Ids count from 0: look words up in the vocabulary of the model, and give all that are unknown one id of their own.",
            ));
        }
        recycle(input);
        Ok(ids)
    }

    /// Adds the gradient of the rows named by `order`, one row per id; `fill` computes them into one buffer.
    pub(super) fn add_gradient(&mut self, order: &[u64], fill: impl FnOnce(usize, &mut [F])) -> Result<()> {
        let columns = self.weight.shape()[1];
        let ids = ids_of(order);
        debug_assert_eq!(ids.first().copied(), order.first().map(|&entry| id_of(entry)));
        let mut rows = scratch(&[ids.len(), columns]);
        fill(columns, slice_mut(&mut rows));
        let view = ArrayView2::from_shape((ids.len(), columns), slice(&rows)).map_err(Error::custom)?;
        self.weight.add_gradient_rows(&ids, view)?;
        recycle(rows);
        Ok(())
    }
}

/// Returns the length of each sample: the number of its steps before those of padding alone. `ids` are in row-major
/// order.
///
/// # Errors
/// If padding comes before a step that is none.
pub(super) fn lengths<F: Scalar>(ids: &Tensor<F>, padding: u32) -> Result<Tensor<F>> {
    let [samples, steps, inner @ ..] = ids.shape() else {
        return Err(Error::shape("the input", "[batch, steps, …]", ids.shape()).help("Axis 1 are the steps."));
    };
    let inner = inner.iter().product::<usize>().max(1);
    let padding = F::of(f64::from(padding));
    let mut lengths = scratch(&[*samples]);
    slice_mut(&mut lengths).fill(F::zero());
    let samples = slice(ids).chunks_exact((steps * inner).max(1));
    for (i, (sample, length)) in samples.zip(slice_mut(&mut lengths)).enumerate() {
        let mut real = 0;
        for (t, step) in sample.chunks_exact(inner).enumerate() {
            if step.iter().all(|&id| id == padding) {
                continue;
            }
            if t > real {
                let what = format!("the padding id {padding} at position {real}");
                let found = format!("another id behind it, at position {t}");
                return Err(Error::sample(what, i, "come after all other ids of the sample", found)
                    .help("Put padding at the end; give unknown words an id of their own."));
            }
            real = t + 1;
        }
        *length = F::of(real as f64);
    }
    Ok(lengths)
}

/// Returns the gradient of ids: zeros.
pub(super) fn no_gradient<F: Scalar>(shape: &[usize]) -> Tensor<F> {
    let mut zeros = scratch(shape);
    slice_mut(&mut zeros).fill(F::zero());
    zeros
}
