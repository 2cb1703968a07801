//! [`Origin`]: the file that a table is from, and what was noticed in it.

use super::CsvForm;

/// What was noticed in a file, or in one of its columns.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Remark {
    pub column: Option<String>,
    pub text: String,
}

impl Remark {
    pub fn of_file(text: impl Into<String>) -> Self {
        Self { column: None, text: text.into() }
    }

    pub fn of(column: &str, text: impl Into<String>) -> Self {
        Self { column: Some(column.to_owned()), text: text.into() }
    }
}

/// The file that a table is from.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub name: String,
    pub form: CsvForm,
    pub remarks: Vec<Remark>,
    /// The remarks as texts.
    pub texts: Vec<String>,
}

impl Origin {
    pub fn new(name: String, form: CsvForm, remarks: Vec<Remark>) -> Self {
        let text = |remark: &Remark| match &remark.column {
            None => format!("{name}: {}", remark.text),
            Some(column) => format!("{name}: column {:?}: {}", crate::shown::cut(column), remark.text),
        };
        let texts = remarks.iter().map(text).collect();
        Self { name, form, remarks, texts }
    }

    /// The same without the remarks on a column.
    pub fn without(&self, column: &str) -> Self {
        let others = self.remarks.iter().filter(|remark| remark.column.as_deref() != Some(column));
        Self::new(self.name.clone(), self.form.clone(), others.cloned().collect())
    }
}
