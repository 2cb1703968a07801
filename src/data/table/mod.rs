//! Tables as they are: columns of numbers, categories, texts, dates and images, with gaps.
//!
//! | file | what is in it |
//! |---|---|
//! | `columns.rs` | [`Table`]: columns of equal length |
//! | `column.rs` | [`Column`]: a name, a type and values |
//! | `column_type.rs` | [`ColumnType`] |
//! | `date_format.rs` | [`DateFormat`]: dates in texts, as seconds |
//! | `part.rs` | [`TablePart`]: some rows of a table, which preprocessing is fitted on |
//! | `csv.rs`, `settings.rs` | [`Csv`]: reads a CSV file, by what the user says |
//! | `guess/` | the rest of its form |
//! | `form.rs`, `number.rs` | [`CsvForm`], and how numbers are written |
//! | `pieces.rs` | [`TablePieces`]: the rows of a file, some at a time |
//! | `build.rs`, `words.rs` | a column that is filled field by field; different words |
//! | `source.rs` | the bytes of a file, unpacked and decoded |
//! | `origin.rs`, `summary.rs`, `shown.rs` | a table in print, and remarks |

mod build;
mod column;
mod column_type;
mod columns;
mod csv;
mod date_format;
mod form;
mod guess;
mod number;
mod origin;
mod part;
mod pieces;
mod settings;
mod shown;
mod source;
mod summary;
mod words;

pub use column::{Categories, Column};
pub use column_type::ColumnType;
pub use columns::Table;
pub use csv::Csv;
pub use date_format::DateFormat;
pub(crate) use date_format::{date_parts, iso_date};
pub use form::CsvForm;
pub use part::TablePart;
pub use pieces::TablePieces;
