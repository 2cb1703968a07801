//! [`InputBlock`]: raw columns to a tensor.

use super::Notes;
use crate::data::{ColumnType, Table};
use crate::error::Result;
use crate::tensor::Tensor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;

/// A value that a row must have: its name and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name; empty for the only value of a row that is a single value.
    pub name: String,
    /// What it holds.
    pub column_type: ColumnType,
}

impl Field {
    /// Makes a field.
    pub fn new(name: impl Into<String>, column_type: ColumnType) -> Self {
        Self { name: name.into(), column_type }
    }
}

/// A step that makes an input of a model from raw columns, and is saved with the model.
///
/// It is fitted already: the same code prepares training data and data to predict.
pub trait InputBlock: Serialize + DeserializeOwned + Clone + fmt::Debug + Send + Sync + 'static {
    /// The name under which files store the block. It must be unique and never change.
    const KIND: &'static str;

    /// Returns the values that it takes from a row.
    fn fields(&self) -> Vec<Field>;

    /// Returns the shape of the input that it makes, without the batch axis.
    fn shape(&self) -> Vec<usize>;

    /// Prepares all rows of a table: `[rows, …]`, finite numbers. The table has the block's fields, by name and with
    /// their types.
    ///
    /// # Errors
    /// When a value cannot be prepared; the error names the row (from 1) and the column.
    fn encode(&self, table: &Table, notes: &mut Notes) -> Result<Tensor>;
}
