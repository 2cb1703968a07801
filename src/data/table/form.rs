//! [`CsvForm`]: how a CSV file is written.

use super::ColumnType;
use super::number::NumberForm;
use crate::codec::{checked, contradicts, differ, list};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// The most columns of a file.
pub(super) const MAX_COLUMNS: usize = 32_768;
/// The most marks of missing values.
const MAX_MARKS: usize = 1_024;

/// The form of a CSV file: separator, header, encoding, marks of missing values, and the name and type of each column.
///
/// [`Table::form`](super::Table::form) returns that of a table's file. It is what later files of the same kind are read
/// by, without guessing again: [`CsvForm::pieces`]. It can be saved by serde.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct CsvForm {
    pub(super) separator: u8,
    pub(super) quotes: bool,
    pub(super) header: bool,
    /// The name of the encoding, by the Encoding Standard.
    pub(super) encoding: String,
    /// What lines that are left out begin with; empty for none.
    pub(super) comment: String,
    /// The number of rows under the header that are no data.
    pub(super) skipped: u32,
    /// Marks of missing values, in each column.
    #[serde(deserialize_with = "list::<_, _, MAX_MARKS>")]
    pub(super) missing: Vec<String>,
    /// Further ones, in columns of numbers, booleans and dates: in others they are words.
    #[serde(deserialize_with = "list::<_, _, MAX_MARKS>")]
    pub(super) missing_numbers: Vec<String>,
    #[serde(deserialize_with = "list::<_, _, MAX_COLUMNS>")]
    pub(super) columns: Vec<FormColumn>,
}

/// A column of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct FormColumn {
    pub name: String,
    /// Whether it is read, and not ignored.
    pub is_read: bool,
    pub column_type: ColumnType,
    /// How its numbers are written, if it is one of numbers.
    pub number: NumberForm,
}

checked!(CsvForm);

impl CsvForm {
    fn check(&self) -> Result<()> {
        let what = "the form of a CSV file";
        differ(what, self.columns.iter().map(|column| column.name.as_str()))?;
        let wrong = self.columns.iter().find(|column| {
            let NumberForm { decimal, thousands } = column.number;
            let no_field = matches!(column.column_type, ColumnType::Image | ColumnType::Array(_));
            no_field || !matches!(decimal, '.' | ',') || thousands == Some(decimal)
        });
        if let Some(column) = wrong {
            return Err(contradicts(what, "have columns that a field can hold", format!("{column:?}")));
        }
        match self.separator {
            b'"' | b'\n' | b'\r' => Err(contradicts(what, "have a separator", self.separator)),
            _ => Ok(()),
        }
    }

    /// Returns the names and types of the columns that are read, in the file's order.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &ColumnType)> {
        let read = self.columns.iter().filter(|column| column.is_read);
        read.map(|column| (column.name.as_str(), &column.column_type))
    }

    /// Whether a column of the file is not read.
    pub(super) fn ignores(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name == name && !column.is_read)
    }

    /// Returns whether a text, without spaces at its ends, stands for a missing value in a column of this type.
    pub(crate) fn is_missing(&self, text: &str, column_type: &ColumnType) -> bool {
        let is_words = matches!(column_type, ColumnType::Category | ColumnType::Text);
        let more = self.missing_numbers.iter().filter(|_| !is_words);
        text.is_empty() || self.missing.iter().chain(more).any(|mark| mark == text)
    }

    /// The file's form in words: separator, decimal mark, header, encoding.
    pub(super) fn in_words(&self) -> String {
        let mut words = vec![format!("separator {}", shown(self.separator))];
        let comma =
            self.columns.iter().any(|c| c.column_type == ColumnType::Number && c.number.decimal == ',');
        words.push(format!("decimal {}", if comma { "comma" } else { "point" }));
        words.push(if self.header { "a header" } else { "no header" }.to_owned());
        words.push(self.encoding.clone());
        if !self.quotes {
            words.push("quotes mean nothing".to_owned());
        }
        if !self.comment.is_empty() {
            words.push(format!("comments begin with {:?}", self.comment));
        }
        if self.skipped > 0 {
            words.push(format!(
                "{} under the header left out",
                crate::shown::count(self.skipped, "row", "rows")
            ));
        }
        words.join(", ")
    }
}

/// A separator as people know it.
pub(super) fn shown(separator: u8) -> String {
    match separator {
        b'\t' => "tab".to_owned(),
        byte => format!("'{}'", char::from(byte).escape_default()),
    }
}
