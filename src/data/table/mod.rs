//! Tables as they are: columns of numbers, categories, texts, dates and images, with gaps.
//!
//! | file | what is in it |
//! |---|---|
//! | `columns.rs` | [`Table`]: columns of equal length |
//! | `column.rs` | [`Column`]: a name, a type and values |
//! | `column_type.rs` | [`ColumnType`] |
//! | `date_format.rs` | [`DateFormat`]: dates in texts, as seconds |
//! | `part.rs` | [`TablePart`]: some rows of a table, which preprocessing is fitted on |

mod column;
mod column_type;
mod columns;
mod date_format;
mod part;

pub use column::{Categories, Column};
pub use column_type::ColumnType;
pub use columns::Table;
pub use date_format::DateFormat;
pub use part::TablePart;
