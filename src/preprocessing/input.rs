//! [`InputBlock`]: raw columns to a tensor.

use super::Notes;
use super::place::check_type;
use crate::codec;
use crate::data::{Column, ColumnType, Table, TablePart};
use crate::error::Result;
use crate::state::Kind;
use crate::tensor::Tensor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

/// A value that a row must have: its name and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name; empty for a block with one value that is named after the model's input.
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
/// It is fitted already: the same code prepares data for training and for prediction. Its serde form is its form in
/// files, so fields are never reordered.
///
/// ```
/// use plywood::data::{Column, ColumnType};
/// use plywood::preprocessing::{Field, InputBlock, Notes};
/// use plywood::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// /// The time of day as a point on a circle.
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct Clock;
///
/// impl InputBlock for Clock {
///     const KIND: Kind = Kind::own("mycrate.clock");
///     fn fields(&self) -> Vec<Field> {
///         vec![Field::new("hour", ColumnType::Number)]
///     }
///     fn shape(&self) -> Vec<usize> {
///         vec![2]
///     }
///     fn encode(&self, columns: &[&Column], _: &mut Notes) -> Result<Tensor> {
///         let hours = columns[0].as_numbers()?;
///         let point = |hour: &f64| (hour / 24.0 * std::f64::consts::TAU).sin_cos();
///         let points: Vec<f32> = hours.iter().map(point).flat_map(|(y, x)| [x as f32, y as f32]).collect();
///         Tensor::from_shape_vec(vec![hours.len(), 2], points).map_err(Error::custom)
///     }
/// }
///
/// let model = Sequential::builder([2]).layer(Dense::units(1)).build()?;
/// let predictor = Predictor::new(model).input(Clock).output(Numbers::named(["visitors"])).build()?;
/// assert!(predictor.predict(Row::new().with("hour", 6))?.number().is_some());
///
/// let blocks = plywood::predictor::Blocks::builtin().with_input::<Clock>();
/// let again = Predictor::from_bytes(&predictor.to_bytes()?, &Registry::builtin(), &blocks)?;
/// assert_eq!(again.fields()[0].name, "hour");
/// # Ok::<(), plywood::Error>(())
/// ```
pub trait InputBlock: Serialize + DeserializeOwned + Clone + Debug + Send + Sync + 'static {
    /// The name under which files store the block. It must be unique and never change.
    const KIND: Kind;

    /// Returns the values that it takes from a row.
    fn fields(&self) -> Vec<Field>;

    /// Returns the shape of the input that it makes, without the batch axis.
    fn shape(&self) -> Vec<usize>;

    /// Returns the number of ids if the input holds ids for an [`Embedding`](crate::nn::Embedding); otherwise `None`.
    fn ids(&self) -> Option<usize> {
        None
    }

    /// Prepares all rows of the columns, which are those of [`fields`](InputBlock::fields), in order and with their
    /// types: `[rows, …]`, finite numbers.
    ///
    /// # Errors
    /// When a value cannot be prepared; the error names the row (from 1) and the column.
    fn encode(&self, columns: &[&Column], notes: &mut Notes) -> Result<Tensor>;

    /// Prepares all rows of a table, in which the block's fields have their names.
    ///
    /// # Errors
    /// When a column is missing or has another type, or as [`encode`](InputBlock::encode).
    fn encode_table(&self, table: &Table, notes: &mut Notes) -> Result<Tensor> {
        let fields = self.fields();
        let columns = fields.iter().map(|field| {
            let column = table.column(&field.name)?;
            check_type(column, &field.column_type).map(|()| column)
        });
        self.encode(&columns.collect::<Result<Vec<_>>>()?, notes)
    }
}

/// A way to make an input from columns of a table that is not fitted yet: what a [`Recipe`](crate::recipe::Recipe) takes.
///
/// It is fitted on the training part alone. A block without anything to fit is its own spec.
pub trait InputSpec: Send + Sync + 'static {
    /// The fitted block.
    type Block: InputBlock;

    /// Fits a block on these rows. The excluded columns are those of targets, weights and groups, which are never taken.
    ///
    /// # Errors
    /// When a column is missing or has another type, or cannot be fitted.
    fn fit_excluding(&self, part: &TablePart<'_>, excluded: &[&str]) -> Result<Self::Block>;
}

/// An [`InputSpec`] of any type.
pub(crate) trait AnySpec: Send + Sync {
    fn fit(&self, part: &TablePart<'_>, excluded: &[&str]) -> Result<Arc<dyn AnyInput>>;
}

impl<S: InputSpec> AnySpec for S {
    fn fit(&self, part: &TablePart<'_>, excluded: &[&str]) -> Result<Arc<dyn AnyInput>> {
        Ok(Arc::new(self.fit_excluding(part, excluded)?))
    }
}

/// Decodes a block of this type.
pub(crate) fn decode_input<B: InputBlock>(bytes: &[u8]) -> Result<Arc<dyn AnyInput>> {
    let block: B = codec::decode(bytes, B::KIND.name())?;
    Ok(Arc::new(block))
}

/// An [`InputBlock`] of any type.
pub(crate) trait AnyInput: Debug + Send + Sync {
    fn kind(&self) -> &'static str;
    fn bytes(&self) -> Result<Vec<u8>>;
    fn fields(&self) -> Vec<Field>;
    fn shape(&self) -> Vec<usize>;
    fn ids(&self) -> Option<usize>;
    fn encode(&self, columns: &[&Column], notes: &mut Notes) -> Result<Tensor>;
    fn as_any(&self) -> &dyn Any;
}

impl<B: InputBlock> AnyInput for B {
    fn kind(&self) -> &'static str {
        B::KIND.name()
    }

    fn bytes(&self) -> Result<Vec<u8>> {
        codec::encode(self)
    }

    fn fields(&self) -> Vec<Field> {
        InputBlock::fields(self)
    }

    fn shape(&self) -> Vec<usize> {
        InputBlock::shape(self)
    }

    fn ids(&self) -> Option<usize> {
        InputBlock::ids(self)
    }

    fn encode(&self, columns: &[&Column], notes: &mut Notes) -> Result<Tensor> {
        InputBlock::encode(self, columns, notes)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
