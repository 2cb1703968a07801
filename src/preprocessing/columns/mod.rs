//! Columns of a table as numbers: fitted on the training part, saved with the model.
//!
//! | file | what is in it |
//! |---|---|
//! | `spec.rs` | [`Columns`]: which columns, and how |
//! | `settings.rs` | [`ColumnSettings`], [`Fill`], [`Scaling`] |
//! | `encoder.rs` | [`ColumnsEncoder`]: fitted, all columns block by block |
//! | `number.rs`, `date.rs`, `category.rs` | one column, fitted |
//! | `ids.rs` | [`CategoryIds`], [`CategoryIdsEncoder`]: ids for an embedding |
//! | `scale.rs` | a scaling with its statistics |
//! | `statistics.rs` | sums, medians, quantiles |
//! | `words.rs` | the words that an encoder knows |
//! | `rows.rs` | where a column's numbers go |

mod category;
mod date;
mod encoder;
mod ids;
mod number;
mod rows;
mod scale;
mod settings;
mod spec;
mod statistics;
#[cfg(test)]
mod tests;
mod words;

pub use encoder::ColumnsEncoder;
pub use ids::{CategoryIds, CategoryIdsEncoder};
pub use settings::{ColumnSettings, Fill, Scaling};
pub use spec::Columns;
