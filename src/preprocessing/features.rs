//! [`Features`]: numbers as they are, or normalized.

use super::place::{check_type, too_large};
use super::{Field, InputBlock, InputSpec, Notes};
use crate::codec::{self, contradicts};
use crate::data::{Column, ColumnType, Normalizer, TablePart};
use crate::error::{Error, Result};
use crate::state::Kind;
use crate::tensor::Tensor;
use ndarray::{ArrayD, IxDyn};
use serde::{Deserialize, Serialize};

/// Numbers that are an input as they are, or normalized: an array of a shape, or several columns of numbers.
///
/// ```
/// use plywood::data::{Column, Table};
/// use plywood::ndarray::array;
/// use plywood::preprocessing::{Features, InputBlock, Notes};
/// use plywood::prelude::*;
///
/// let normalizer = Normalizer::standard().fit_tensor(&array![[1.0f32, 10.0], [3.0, 30.0]].into_dyn())?;
/// let features = Features::named(["length", "width"]).normalizer(normalizer)?;
/// let table = Table::new([Column::numbers("length", [3.0])?, Column::numbers("width", [20.0])?])?;
/// assert_eq!(features.encode_table(&table, &mut Notes::new())?, array![[1.0, 0.0]].into_dyn());
///
/// let error = Features::named(["length", "height"]).encode_table(&table, &mut Notes::new()).unwrap_err();
/// assert!(error.to_string().starts_with("the table must have a column \"height\", got length, width."));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | | takes | makes |
/// |---|---|---|
/// | [`of_shape`](Features::of_shape) | a column of arrays of this shape | `[rows, …]` |
/// | [`named`](Features::named) | columns of numbers | `[rows, columns]` |
///
/// The bits are those of [`Normalizer::transform`] of the same numbers in `f32`. A missing value is an error:
/// [`Columns`](super::Columns) fills.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Features {
    /// The columns: one of arrays, whose name may be empty, or several of numbers.
    #[serde(deserialize_with = "codec::list::<_, _, { 1 << 16 }>")]
    columns: Vec<String>,
    /// The shape of the arrays.
    shape: Option<codec::Shape>,
    normalizer: Option<Normalizer>,
}

codec::checked!(Features);

impl Features {
    /// Takes arrays of this shape: the only value of a row. [`column`](Features::column) names it.
    pub fn of_shape(shape: impl Into<Vec<usize>>) -> Self {
        Self { columns: vec![String::new()], shape: Some(codec::Shape(shape.into())), normalizer: None }
    }

    /// Takes these columns of numbers, in this order.
    pub fn named<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Self {
        Self { columns: columns.into_iter().map(Into::into).collect(), shape: None, normalizer: None }
    }

    /// Sets the name of the column of arrays.
    #[must_use]
    pub fn column(mut self, name: impl Into<String>) -> Self {
        if self.shape.is_some() {
            self.columns = vec![name.into()];
        }
        self
    }

    /// Normalizes the numbers.
    ///
    /// # Errors
    /// When the normalizer was fitted on samples of another shape.
    pub fn normalizer(mut self, normalizer: Normalizer) -> Result<Self> {
        let shape = self.shape();
        if normalizer.shape() != shape {
            return Err(Error::shape(
                "the samples of the normalizer",
                format!("{shape:?}"),
                normalizer.shape(),
            )
            .help("Fit it on the same features."));
        }
        self.normalizer = Some(normalizer);
        Ok(self)
    }

    fn check(&self) -> Result<()> {
        let of_arrays = self.shape.is_none() || self.columns.len() == 1;
        let normalized = self.normalizer.as_ref().is_none_or(|normalizer| normalizer.shape() == self.shape());
        match of_arrays && normalized && !self.columns.is_empty() {
            true => Ok(()),
            false => {
                Err(contradicts("the features", "have columns, and a normalizer of their shape", "others"))
            }
        }
    }

    fn column_type(&self) -> ColumnType {
        match &self.shape {
            Some(shape) => ColumnType::Array(shape.0.clone()),
            None => ColumnType::Number,
        }
    }
}

impl InputBlock for Features {
    const KIND: Kind = Kind::builtin("features");

    fn fields(&self) -> Vec<Field> {
        self.columns.iter().map(|name| Field::new(name, self.column_type())).collect()
    }

    fn shape(&self) -> Vec<usize> {
        self.shape.as_ref().map_or(vec![self.columns.len()], |shape| shape.0.clone())
    }

    /// # Errors
    /// When the table lacks a column or has it with another type, a value is missing, or is too large for `f32`.
    fn encode(&self, given: &[&Column], _notes: &mut Notes) -> Result<Tensor> {
        if self.columns.is_empty() {
            return Err(
                Error::argument("the features", "at least one column", "none").help("Name those to take.")
            );
        }
        let column_type = self.column_type();
        given.iter().try_for_each(|column| check_type(column, &column_type))?;
        let lists = given.iter().map(|column| match column_type {
            ColumnType::Number => column.as_numbers(),
            _ => column.as_arrays(),
        });
        let lists: Vec<&[f64]> = lists.collect::<Result<_>>()?;
        let (rows, each) = (given[0].len(), lists.iter().map(|list| list.len()).sum::<usize>());
        let columns = lists.len().max(1);
        // Row by row, of each column as many numbers as a row has.
        let of_column = each / (columns * rows.max(1));
        let (mut numbers, mut fault) = (Vec::with_capacity(each), None);
        for row in 0..rows {
            for (list, column) in lists.iter().zip(given) {
                for &x in &list[row * of_column..(row + 1) * of_column] {
                    if !(x as f32).is_finite() {
                        fault = fault.or(Some((row, *column, x)));
                    }
                    numbers.push(x as f32);
                }
            }
        }
        if let Some((row, column, x)) = fault {
            return Err(match x.is_nan() {
                true => Error::data(column.place(row), "have a value", "a missing one")
                    .help("Leave the row out, or let `Columns` fill it."),
                false => too_large(column, row, x),
            });
        }
        let shape = [&[rows], &self.shape()[..]].concat();
        let tensor = ArrayD::from_shape_vec(IxDyn(&shape), numbers).map_err(Error::custom)?;
        let Some(normalizer) = &self.normalizer else { return Ok(tensor) };
        let tensor = normalizer.transform(tensor)?;
        let per_row = (of_column * columns).max(1);
        match tensor.iter().position(|x| !x.is_finite()) {
            None => Ok(tensor),
            Some(at) => {
                let (row, i) = (at / per_row, at % per_row / of_column.max(1));
                Err(too_large(given[i], row, lists[i][row * of_column + at % of_column]))
            }
        }
    }
}

/// It has nothing to fit.
impl InputSpec for Features {
    type Block = Self;

    fn fit_excluding(&self, _: &TablePart<'_>, _: &[&str]) -> Result<Self> {
        self.check().map(|()| self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Table;
    use ndarray::Array2;

    const X: [f64; 8] = [0.1, 2.7, -3.3, 1e7, 5.5, 0.0, 8.25, -1e-5];

    fn bits(tensor: &Tensor) -> Vec<u32> {
        tensor.iter().map(|x| x.to_bits()).collect()
    }

    #[test]
    fn bits_are_those_of_the_normalizer() {
        let tensor = Array2::from_shape_fn((2, 4), |(i, j)| X[i * 4 + j] as f32).into_dyn();
        let normalizer = Normalizer::standard().fit_tensor(&tensor).unwrap();
        let expected = bits(&normalizer.transform(tensor.clone()).unwrap());
        let arrays = Table::new([Column::arrays("", [4], X).unwrap()]).unwrap();
        let column = |j: usize| Column::numbers(["d", "a", "b", "c"][j], [X[j], X[4 + j]]).unwrap();
        let columns = Table::new([1, 0, 2, 3].map(column)).unwrap();
        let whole = Features::of_shape([4]).normalizer(normalizer.clone()).unwrap();
        let named = Features::named(["d", "a", "b", "c"]).normalizer(normalizer).unwrap();
        for (features, table) in [(whole, arrays), (named, columns)] {
            let json = serde_json::to_string(&features).unwrap();
            let back: Features = serde_json::from_str(&json).unwrap();
            let decoded: Features = codec::decode(&codec::encode(&features).unwrap(), "features").unwrap();
            for features in [features, back, decoded] {
                assert_eq!(features.shape(), [4]);
                assert_eq!(bits(&features.encode_table(&table, &mut Notes::new()).unwrap()), expected);
            }
            let bad = json.replace("\"shape\":[4],\"center\"", "\"shape\":[5],\"center\"");
            assert!(bad != json && serde_json::from_str::<Features>(&bad).is_err(), "{json}");
        }
        let plain = Features::of_shape([2, 2]).column("x");
        let table = Table::new([Column::arrays("x", [2, 2], X).unwrap()]).unwrap();
        assert_eq!(plain.encode_table(&table, &mut Notes::new()).unwrap().shape(), [2, 2, 2]);
        let none = table.select(&[]).unwrap();
        assert_eq!(plain.encode_table(&none, &mut Notes::new()).unwrap().shape(), [0, 2, 2]);
    }

    #[test]
    fn what_cannot_be_an_input_names_its_place() {
        let encode = |features: &Features, column: Column| {
            features.encode_table(&Table::new([column]).unwrap(), &mut Notes::new()).unwrap_err().to_string()
        };
        let named = Features::named(["x"]);
        let gap = encode(&named, Column::numbers("x", [1.0, f64::NAN]).unwrap());
        let expected = "row 2, column \"x\" must have a value, got a missing one. Leave the row out, or let `Columns` fill it.";
        assert_eq!(gap, expected);
        let whole = Features::of_shape([2]);
        let gap = encode(&whole, Column::arrays("", [2], [1.0, 2.0, f64::NAN, f64::NAN]).unwrap());
        assert!(gap.starts_with("row 2 must have a value, got a missing one."), "{gap}");
        let text = encode(&whole, Column::arrays("", [3], [1.0; 3]).unwrap());
        assert!(text.starts_with(
            "the value of each row must hold an array of numbers of shape [2] in each row, got"
        ));
        assert!(
            encode(&named, Column::numbers("x", [0.0, 1e39]).unwrap())
                .contains("row 2, column \"x\" must be finite")
        );
        let small =
            Normalizer::standard().fit_tensor(&ndarray::array![[0.0f64], [1e-30]].into_dyn()).unwrap();
        let named = named.normalizer(small.clone()).unwrap();
        let text = encode(&named, Column::numbers("x", [0.0, 0.0, 1e10]).unwrap());
        assert!(
            text.starts_with("row 3, column \"x\" must be finite in f32 when it is prepared, got 1e10."),
            "{text}"
        );
        assert_eq!(
            Features::of_shape([4]).normalizer(small).unwrap_err().to_string(),
            "the samples of the normalizer must have shape [4], got [1]. Fit it on the same features."
        );
        let text = encode(&Features::named::<&str>([]), Column::numbers("x", [0.0]).unwrap());
        assert_eq!(text, "the features must be at least one column, got none. Name those to take.");
    }
}
