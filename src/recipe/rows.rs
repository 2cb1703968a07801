//! [`RecipeRows`]: what is divided into parts.

use crate::data::{Batch, Dataset, InputShapes, Pass, check_indices};
use crate::error::{Error, Result};

/// The rows of a table, or its groups of rows, as a data set that folds divide: see
/// [`Recipe::cross_validate`](super::Recipe::cross_validate).
///
/// Its samples have a class if the recipe's first output has classes. They have no inputs: preprocessing is fitted on each
/// part, so there is nothing to read before.
#[derive(Clone, Debug)]
pub struct RecipeRows {
    /// The rows of each sample.
    pub(super) samples: Vec<Vec<usize>>,
    /// The class of each sample; empty if the output has none.
    pub(super) labels: Vec<usize>,
    pub(super) class_names: Vec<String>,
}

impl RecipeRows {
    /// Returns the rows of the table that a sample stands for, counted from 0: one, or those of a group. Rows without a
    /// target are in none.
    pub fn rows_of(&self, sample: usize) -> &[usize] {
        self.samples.get(sample).map_or(&[], Vec::as_slice)
    }

    /// The rows of these samples.
    pub(super) fn rows(&self, samples: &[usize]) -> Vec<usize> {
        samples.iter().flat_map(|&sample| self.samples[sample].iter().copied()).collect()
    }
}

impl Dataset for RecipeRows {
    type Target = Vec<usize>;

    fn len(&self) -> usize {
        self.samples.len()
    }

    fn input_shapes(&self) -> InputShapes<'_> {
        InputShapes::One(&[])
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    fn read(&self, _: &[usize], _: Pass, _: &mut Batch<f32, Vec<usize>>) -> Result<()> {
        Err(Error::data("the rows of a recipe", "be divided, not read", "a call of `read`")
            .help("Fit the recipe on the table."))
    }

    fn read_targets(&self, indices: &[usize], batch: &mut Batch<f32, Vec<usize>>) -> Result<bool> {
        if self.labels.is_empty() {
            return Err(Error::data("the recipe's first output", "have classes to be divided by", "numbers")
                .help("Use `KFold` or `HoldOut`, which need no classes."));
        }
        check_indices(indices, self.labels.len())?;
        batch.target.clear();
        batch.target.extend(indices.iter().map(|&sample| self.labels[sample]));
        Ok(true)
    }
}
