//! [`CategoryIds`]: a column of categories as ids for an `Embedding`.

use super::super::place::check_type;
use super::category::frequent;
use super::words::{Found, Words, counted};
use crate::data::{Column, ColumnType, TablePart};
use crate::error::{Error, Result};
use crate::preprocessing::{Field, InputBlock, InputSpec, Notes, Remark};
use crate::state::Kind;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// A column of categories that becomes ids, one for each row, for an [`Embedding`](crate::nn::Embedding); unfitted.
///
/// It is for categories of which there are many: a brand, a user, a postcode. A few are better
/// [one-hot](super::Columns).
///
/// ```
/// use plywood::data::{Column, Table};
/// use plywood::preprocessing::{CategoryIds, InputBlock, Notes};
/// use plywood::prelude::*;
///
/// let brands = [Some("Bosch"), Some("Makita"), Some("Bosch"), Some("Makita"), Some("Bosch"), Some("Hilti"), None];
/// let table = Table::new([Column::categories("brand", brands)])?;
/// let encoder = CategoryIds::column("brand").fit(&table.whole())?;
/// let ids = encoder.encode_table(&table, &mut Notes::new())?; // Hilti occurs once, so it is unknown
/// assert_eq!(ids.iter().copied().collect::<Vec<f32>>(), [2.0, 3.0, 2.0, 3.0, 2.0, 1.0, 0.0]);
///
/// let model = Sequential::builder(encoder.shape()).layer(Embedding::vocabulary(encoder.len(), 8)).build()?;
/// assert_eq!(model.predict(&ids)?.shape(), [7, 8]);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct CategoryIds {
    column: String,
    min_count: usize,
}

impl CategoryIds {
    /// Takes this column.
    pub fn column(name: impl Into<String>) -> Self {
        Self { column: name.into(), min_count: 2 }
    }

    /// Sets in how many rows of the training part a category must occur to have an id of its own; the default is 2.
    ///
    /// The rows of rarer ones train the id for unknown ones. With 1 it is never trained.
    pub fn min_count(mut self, rows: usize) -> Self {
        self.min_count = rows;
        self
    }

    /// Numbers the categories of this part. The result does not depend on the order of the rows.
    ///
    /// # Errors
    /// When there is no such column, it has no categories, or none occurs often enough.
    pub fn fit(&self, part: &TablePart) -> Result<CategoryIdsEncoder> {
        let run = || {
            let (counts, _) = counted(part, &self.column)?;
            let mut words = frequent(counts, &self.column, self.min_count)?;
            words.sort_unstable_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
            let words = Words::new(words.iter().map(|(word, _)| word))?;
            Ok(CategoryIdsEncoder { column: self.column.clone(), words })
        };
        run().map_err(|error: Error| error.at("fit ids of categories"))
    }
}

impl InputSpec for CategoryIds {
    type Block = CategoryIdsEncoder;

    fn fit_excluding(&self, part: &TablePart<'_>, _: &[&str]) -> Result<CategoryIdsEncoder> {
        self.fit(part)
    }
}

/// A column of categories as ids, with the categories of the training part; [`CategoryIds::fit`] makes it.
///
/// | id | |
/// |---|---|
/// | 0 | [`MISSING`](CategoryIdsEncoder::MISSING) |
/// | 1 | [`UNKNOWN`](CategoryIdsEncoder::UNKNOWN): categories that did not occur often enough |
/// | 2 … | categories, the most frequent first, ties in alphabetical order |
///
/// It makes `[rows]`: the shape of an input is `[]`. It implements serde's traits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CategoryIdsEncoder {
    column: String,
    words: Words,
}

/// The first id of a category.
const FIRST: usize = 2;

impl CategoryIdsEncoder {
    /// The id of a missing category. As [`padding`](crate::nn::EmbeddingSpec::padding) of the embedding its row is zeros.
    pub const MISSING: usize = 0;

    /// The id of all categories that are not known.
    pub const UNKNOWN: usize = 1;

    /// Returns the number of ids, including those for missing and unknown: an embedding needs this number of rows.
    #[expect(clippy::len_without_is_empty, reason = "two ids are always there")]
    pub fn len(&self) -> usize {
        FIRST + self.words.len()
    }

    /// Returns the categories in the order of their ids; the first has id 2.
    pub fn categories(&self) -> impl ExactSizeIterator<Item = &str> {
        self.words.iter()
    }

    /// Returns the id of a category, if it is known.
    pub fn id(&self, category: &str) -> Option<usize> {
        self.words.find(category).map(|position| FIRST + position)
    }
}

impl InputBlock for CategoryIdsEncoder {
    const KIND: Kind = Kind::builtin("category_ids");

    fn fields(&self) -> Vec<Field> {
        vec![Field::new(&self.column, ColumnType::Category)]
    }

    /// No axis: an id for each row.
    fn shape(&self) -> Vec<usize> {
        Vec::new()
    }

    fn ids(&self) -> Option<usize> {
        Some(self.len())
    }

    /// # Errors
    /// When the column does not hold categories.
    fn encode(&self, columns: &[&Column], notes: &mut Notes) -> Result<Tensor> {
        let given = columns[0];
        check_type(given, &ColumnType::Category)?;
        let codes = self.words.lookup(given.as_categories()?);
        let ids = (0..given.len()).map(|row| match codes.at(row) {
            Found::At(position) => (FIRST + position) as f32, // exact: ids are below 2^24
            Found::Unknown(word) => {
                notes.add(row, 0, Remark::Unknown(word.to_owned()));
                Self::UNKNOWN as f32
            }
            Found::Missing => {
                notes.add(row, 0, Remark::Missing);
                Self::MISSING as f32
            }
        });
        Ok(ndarray::Array1::from_iter(ids).into_dyn())
    }
}
