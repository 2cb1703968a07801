//! A table in print: what each column was taken for, and remarks.

use super::summary::{Summary, short};
use super::{Column, ColumnType, Table};
use crate::shown::{count, cut, grouped, listed};
use std::collections::{HashMap, HashSet};
use std::fmt::{self, Write};

/// The most columns that are shown without `{:#}`.
const COLUMNS: usize = 60;
/// The most remarks that are shown.
const REMARKS: usize = 40;
/// The letters of a line.
const WIDTH: usize = 100;
/// The most letters of a column's name.
const NAME: usize = 30;

/// A line for the file, one for each column (of a table of many columns the first 60, with `{:#}` all), and remarks.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = format!("{} {}", grouped(self.rows()), if self.rows() == 1 { "row" } else { "rows" });
        match self.origin() {
            Some(origin) => {
                let form = origin.form.in_words();
                wrapped(f, "", &format!("{}: {rows}, {form}", cut(&origin.name)))?;
            }
            None => writeln!(f, "{rows}")?,
        }
        let shown =
            if f.alternate() || self.columns().len() <= COLUMNS { self.columns().len() } else { COLUMNS };
        let names = self.columns().take(shown).map(|column| column.name().chars().count());
        let width = names.max().unwrap_or(0).clamp(6, NAME);
        writeln!(f, "  {:width$}  {:8}  {:>9}  {:>9}  values", "column", "type", "missing", "distinct")?;
        for column in self.columns().take(shown) {
            let summary = Summary::of(column);
            let name = short(&column.name().replace(char::is_control, " "), width);
            let distinct = summary.distinct.map_or("-".to_owned(), grouped);
            let (kind, missing) = (kind(column.column_type()), grouped(summary.missing));
            let examples = summary.examples(column.column_type(), WIDTH - width - 36);
            let line = format!("  {name:width$}  {kind:8}  {missing:>9}  {distinct:>9}  {examples}");
            writeln!(f, "{}", line.trim_end())?;
        }
        if shown < self.columns().len() {
            writeln!(f, "  {}", self.others(shown))?;
        }
        let remarks = self.remarks_together();
        for text in remarks.iter().take(REMARKS) {
            wrapped(f, "! ", text)?;
        }
        if remarks.len() > REMARKS {
            writeln!(f, "! … and {} more: `table.remarks()`", remarks.len() - REMARKS)?;
        }
        Ok(())
    }
}

impl Table {
    /// The columns that are not shown, in a line.
    fn others(&self, shown: usize) -> String {
        let rest = || self.columns().skip(shown);
        let mut text = format!("… and {} more columns (", grouped(rest().len()));
        let kinds = ["number", "boolean", "date", "category", "text", "image", "array"];
        let mut comma = "";
        for name in kinds {
            let number = rest().filter(|column| kind(column.column_type()) == name).count();
            if number > 0 {
                let many = if name == "category" { "categories".to_owned() } else { format!("{name}s") };
                let _ = write!(text, "{comma}{}", count(number, name, &many));
                comma = ", ";
            }
        }
        text + "); `{table:#}` prints all"
    }

    /// The remarks, each with all columns that it is about.
    fn remarks_together(&self) -> Vec<String> {
        let Some(origin) = self.origin() else { return Vec::new() };
        let names: HashSet<&str> = self.columns().map(Column::name).collect();
        let mut together: Vec<(&str, Vec<&str>)> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for remark in &origin.remarks {
            let column = remark.column.as_deref();
            if column.is_some_and(|name| !names.contains(name)) {
                continue;
            }
            let place = *places.entry(&remark.text).or_insert(together.len());
            if place == together.len() {
                together.push((&remark.text, Vec::new()));
            }
            together[place].1.extend(column);
        }
        let line = |(text, columns): (&str, Vec<&str>)| match columns.len() {
            0 => text.to_owned(),
            1 => format!("{}: {text}", cut(columns[0])),
            several => format!("{several} columns ({}): {text}", listed(&columns, 6)),
        };
        together.into_iter().map(line).collect()
    }
}

/// A text, broken between words.
fn wrapped(f: &mut fmt::Formatter<'_>, start: &str, text: &str) -> fmt::Result {
    let mut line = start.to_owned();
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            writeln!(f, "{line}")?;
            (line, empty) = ("  ".to_owned(), true);
        }
        line += if empty { "" } else { " " };
        line += word;
        empty = false;
    }
    writeln!(f, "{line}")
}

fn kind(column_type: &ColumnType) -> &'static str {
    match column_type {
        ColumnType::Number => "number",
        ColumnType::Boolean { .. } => "boolean",
        ColumnType::Date(_) => "date",
        ColumnType::Category => "category",
        ColumnType::Text => "text",
        ColumnType::Image => "image",
        ColumnType::Array(_) => "array",
    }
}
