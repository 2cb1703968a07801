//! CSV files: tables of numbers, and texts with the names of their classes.
//!
//! | file | what is in it |
//! |---|---|
//! | `records.rs` | CSV itself: records out of bytes, and fields out of records |
//! | `header.rs` | names of columns, marks of what is missing, and how the rows below are gone through |
//! | `columns.rs` | what a table's columns are for: a row as numbers and a target |
//! | `table.rs`, `table_stream.rs` | [`TableCsv`], whole, and [`TableStream`], larger than memory |
//! | `text.rs` | [`TextCsv`](crate::data::TextCsv) |

mod columns;
mod header;
mod records;
mod table;
mod table_stream;
#[cfg(feature = "csv")]
mod text;

pub use table::TableCsv;
pub use table_stream::TableStream;
#[cfg(feature = "csv")]
pub use text::{TextCsv, TextRows};
