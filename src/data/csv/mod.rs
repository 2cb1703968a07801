//! CSV files: tables of numbers, and texts with the names of their classes.
//!
//! | file | what is in it |
//! |---|---|
//! | `records.rs` | the format: bytes to records, and records to fields |
//! | `unpacked.rs` | the bytes of a file, unpacked if they are those of gzip |
//! | `header.rs` | names of columns, marks of missing values, and the loop over the rows |
//! | `columns.rs` | the roles of a table's columns: a row as numbers and a target |
//! | `table.rs`, `table_stream.rs` | [`TableCsv`], read whole, and [`TableStream`], larger than memory |
//! | `text.rs` | [`TextCsv`](crate::data::TextCsv) |

mod columns;
mod header;
mod records;
mod table;
mod table_stream;
#[cfg(feature = "csv")]
mod text;
mod unpacked;

pub(super) use header::excels;
pub(super) use records::{Fields, Records, open, unreadable};
pub(super) use unpacked::Plain;

pub use table::TableCsv;
pub use table_stream::TableStream;
#[cfg(feature = "csv")]
pub use text::{TextCsv, TextRows};
