//! The roles of a table's columns: reads a row as numbers and a target.

use super::header::Format;
use super::records::{Fields, Record, SPACED, check_label, is_spaced, text};
use crate::data::class_names::{be_one_of, check_classes, remarks_on_classes};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::shown::cut;
use std::borrow::Cow;
use std::collections::HashMap;

/// The element type that numbers are read for, with its range.
#[derive(Clone, Copy)]
pub(super) struct Range {
    name: &'static str,
    /// Returns whether a number is finite in this type.
    holds: fn(f64) -> bool,
}

impl Range {
    pub fn of<F: Scalar>() -> Self {
        Self { name: F::NAME, holds: |x| F::of(x).is_finite() }
    }
}

/// A row as `scan` passes it on.
pub(super) struct Row<'a> {
    /// The offset of its record in the source.
    pub place: u64,
    /// The row's number, from 1.
    pub number: usize,
    pub inputs: &'a [f64],
    target: Cow<'a, [u8]>,
    columns: &'a Columns,
    range: Range,
}

impl Row<'_> {
    /// Returns the target as a number.
    pub fn number(&self) -> Result<f64> {
        self.columns.number(&self.target, self.number, self.columns.target, self.range)
    }
}

/// The columns, and their roles.
#[derive(Debug)]
pub(super) struct Columns {
    names: Vec<String>,
    /// For each column the number of its input, if it is one.
    roles: Vec<Option<usize>>,
    inputs: usize,
    target: usize,
    format: Format,
    /// The marks of missing values that are numbers. Other spellings of these numbers count as the marks too.
    marks: Vec<(f64, String)>,
}

impl Columns {
    pub fn new(names: Vec<String>, roles: Vec<Option<usize>>, target: usize, format: Format) -> Self {
        let inputs = roles.iter().flatten().count();
        let marks = format.missing.iter().filter_map(|mark| Some((mark.parse().ok()?, mark.clone())));
        let marks = marks.collect();
        Self { names, roles, inputs, target, format, marks }
    }

    /// Returns the number of inputs of a row.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Returns the names of the inputs, in the order of a row.
    pub fn input_names(&self) -> Vec<String> {
        let mut names = vec![String::new(); self.inputs];
        for (name, role) in self.names.iter().zip(&self.roles) {
            if let Some(input) = *role {
                names[input].clone_from(name);
            }
        }
        names
    }

    pub fn separator(&self) -> u8 {
        self.format.separator
    }

    /// Parses the inputs of a row; the target stays as bytes.
    ///
    /// If a row has several faults, the error names the first in this order: quotes, the number of fields, a number.
    pub fn row<'a>(&'a self, record: &Record<'a>, range: Range, inputs: &'a mut [f64]) -> Result<Row<'a>> {
        let (mut count, mut target) = (0, Cow::Borrowed(&b""[..]));
        let (mut fault, mut spaced) = (None, false);
        for field in Fields::new(record.text, self.format.separator, record.number) {
            let field = field?;
            spaced |= is_spaced(&field);
            if count == self.target {
                target = field;
            } else if let (Some(&Some(input)), None) = (self.roles.get(count), &fault) {
                match self.number(&field, record.number, count, range) {
                    Ok(x) => inputs[input] = x,
                    Err(error) => fault = Some(error),
                }
            }
            count += 1;
        }
        if count != self.names.len() {
            return Err(Format::wrong_length(record.number, self.names.len(), count, spaced));
        }
        match fault {
            Some(fault) => Err(fault),
            None => {
                Ok(Row { place: record.place, number: record.number, inputs, target, columns: self, range })
            }
        }
    }

    /// Parses a number that must be finite in the type it is read for.
    #[expect(clippy::ptr_arg, reason = "whether it is a copy says whether a quote in it was meant")]
    fn number(&self, field: &Cow<'_, [u8]>, row: usize, column: usize, range: Range) -> Result<f64> {
        const HELP: &str =
            "Fill it in, name the columns to be read by `inputs`, or leave such rows out with `skip_faulty`.";
        // The fast path for most numbers: no text has to be compared with marks.
        let plain = str::from_utf8(field.trim_ascii()).ok().and_then(|text| text.parse().ok());
        let mark = plain.and_then(|x: f64| self.marks.iter().find(|(mark, _)| *mark == x));
        if let (Some(x), None) = (plain.filter(|&x| (range.holds)(x)), mark) {
            return Ok(x);
        }
        let what = || format!("row {row}, column {:?}", cut(&self.names[column]));
        let text = text(field, what)?;
        if let Some(nothing) = self.format.nothing(text) {
            return Err(Error::format(what(), "be a finite number", nothing).help(HELP));
        }
        if let Some((_, mark)) = mark {
            let nothing = format!("nothing: {:?} is the mark {mark:?}", cut(text));
            return Err(Error::format(what(), "be a finite number", nothing).help(HELP));
        }
        let found = || format!("{:?}", cut(text));
        match text.parse().ok().filter(|x: &f64| x.is_finite()) {
            Some(x) if (range.holds)(x) => Ok(x),
            Some(_) => {
                let expected = format!("be finite in {}", range.name);
                Err(Error::format(what(), expected, found())
                    .help("Give the column in a larger unit, or read it as `f64`."))
            }
            None if text.contains(',')
                && text.bytes().all(|b| b.is_ascii_digit() || b"+-.,".contains(&b)) =>
            {
                Err(Error::format(what(), "be a finite number", found())
                    .help("Write numbers with a decimal point and without separators between thousands."))
            }
            None => Err(Error::format(what(), "be a finite number", found()).help(if is_spaced(field) {
                SPACED
            } else {
                HELP
            })),
        }
    }
}

/// Collects the labels of rows, and the classes in the order of their first occurrence.
pub(super) struct Labels {
    labels: Vec<usize>,
    known: HashMap<String, usize>,
    names: Vec<String>,
    /// True if an unknown class is an error.
    closed: bool,
}

impl Labels {
    pub fn new(classes: &[String]) -> Result<Self> {
        check_classes(classes)?;
        let known = classes.iter().cloned().zip(0..).collect();
        Ok(Self { labels: Vec::new(), known, names: classes.to_vec(), closed: !classes.is_empty() })
    }

    pub fn push(&mut self, row: &Row<'_>) -> Result<()> {
        let what = || format!("row {}, column {:?}", row.number, row.columns.names[row.columns.target]);
        let label = text(&row.target, what)?;
        if let Some(nothing) = row.columns.format.nothing(label) {
            return Err(Error::format(what(), "be a class", nothing)
                .help("Fill it in, or leave such rows out with `skip_faulty`."));
        }
        check_label(&row.target, what)?;
        let class = self.class(label, what)?;
        self.add(class);
        Ok(())
    }

    /// Returns the index of this class, and adds it if it is new; an unknown class is an error if the classes were
    /// given.
    pub fn class(&mut self, label: &str, what: impl Fn() -> String) -> Result<usize> {
        match self.known.get(label) {
            Some(&class) => Ok(class),
            None if self.closed => {
                Err(Error::format(what(), be_one_of(&self.names), format!("{:?}", cut(label)))
                    .help("Train on data with this class, or leave such rows out with `skip_faulty`."))
            }
            None => {
                self.known.insert(label.to_owned(), self.names.len());
                self.names.push(label.to_owned());
                Ok(self.names.len() - 1)
            }
        }
    }

    /// Adds a row's class, once the whole row is known to be valid.
    pub fn add(&mut self, class: usize) {
        self.labels.push(class);
    }

    /// Returns the labels and the classes' names, and appends the remarks on them. Classes that were found in the
    /// file are sorted.
    pub fn sorted(self, source: &str, remarks: &mut Vec<String>) -> (Vec<usize>, Vec<String>) {
        let (labels, names, said) = self.with_remarks();
        remarks.extend(said.into_iter().map(|remark| format!("{source}: {remark}")));
        (labels, names)
    }

    /// Does the same, but returns the remarks.
    pub fn with_remarks(mut self) -> (Vec<usize>, Vec<String>, Vec<String>) {
        let mut remarks = Vec::new();
        if !self.closed {
            let mut order: Vec<usize> = (0..self.names.len()).collect();
            order.sort_by(|&a, &b| self.names[a].cmp(&self.names[b]));
            let mut place = vec![0; order.len()];
            order.iter().enumerate().for_each(|(new, &old)| place[old] = new);
            self.labels.iter_mut().for_each(|label| *label = place[*label]);
            self.names.sort();
            remarks = remarks_on_classes(&self.names, &self.labels);
        }
        (self.labels, self.names, remarks)
    }
}
