//! Tables: CSV files of numbers, with a column to be predicted.
//!
//! The first line names the columns. Each other line is a row, its fields between commas, in quotes where they hold
//! commas or quotes (a quote is written twice then). A row is one line: a quoted field may not hold a line end. Empty
//! lines are passed over.
//!
//! A table is read whole, or row by row while training (`table_stream.rs`). Both go through the same lines of this
//! file, so they give the same numbers and the same errors.

use super::file::PlacedFile;
use super::{ArrayDataset, Element};
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use ndarray::Array2;
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// How a CSV file of numbers is read: which columns are inputs, and which one is the target, a number or a class.
///
/// ```
/// use plywood::prelude::*;
///
/// let file = "rooms,area,price,street\n3,70.5,210,\"High St, 1\"\n5,120,380,Low St\n";
/// let csv = TableCsv::target("price").inputs(["area", "rooms"]);
/// let houses = csv.read_from::<f32>(file.as_bytes(), "houses.csv")?;
/// assert_eq!(houses.inputs()[[0, 0]], 70.5);
/// assert_eq!(houses.targets(), ndarray::array![[210.0], [380.0]]);
///
/// let error = TableCsv::target("price").read_from::<f32>(file.as_bytes(), "houses.csv").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "houses.csv: expected row 1, column \"street\" to be a finite number, found \"High St, 1\". \
///      Fill it in, leave the row out, or name the columns to be read by `TableCsv::inputs`."
/// );
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | | read whole | row by row, for files larger than memory |
/// |---|---|---|
/// | a number to predict | [`read`](TableCsv::read) | [`stream`](TableCsv::stream) |
/// | a class to predict | [`read_labelled`](TableCsv::read_labelled) | [`stream_labelled`](TableCsv::stream_labelled) |
///
/// Every number must be there and be finite. Numbers are read as `f64` and rounded to the type asked for; as columns
/// differ in size, fit a [`Normalizer`](crate::Normalizer) on the training part. A class is any text; classes are in
/// sorted order. Columns of categories have to be numbered before.
#[derive(Clone, Debug)]
#[must_use = "nothing is read before `read` or `stream` is called"]
pub struct TableCsv {
    target: String,
    /// Empty for all columns but the target's.
    inputs: Vec<String>,
    /// Empty where the labels of the file are the classes.
    classes: Vec<String>,
}

impl TableCsv {
    /// With this column as the target, and all others as inputs.
    pub fn target(column: impl Into<String>) -> Self {
        Self { target: column.into(), inputs: Vec::new(), classes: Vec::new() }
    }

    /// The columns that are inputs, in this order; others are passed over.
    pub fn inputs<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.inputs = columns.into_iter().map(Into::into).collect();
        self
    }

    /// The classes there are, in the order of their indices: for test rows, those that the model was trained on.
    pub fn classes<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.classes = names.into_iter().map(Into::into).collect();
        self
    }

    /// Reads the whole file, with numbers as targets, `[rows, 1]`.
    ///
    /// # Errors
    /// When the file cannot be read or is compressed, a column is missing, a row has more or fewer fields than there
    /// are columns, quotes do not fit, or a number is missing or not finite; it names the row (the first below the
    /// names is row 1) and the column.
    pub fn read<F: Scalar + Element>(&self, path: impl AsRef<Path>) -> Result<ArrayDataset<F, Array2<F>>> {
        let file = PlacedFile::open(path.as_ref())?;
        self.read_from(file.reader(), &path.as_ref().display().to_string())
    }

    /// The same from anything that gives bytes; `name` stands for it in errors.
    ///
    /// # Errors
    /// As [`read`](TableCsv::read).
    pub fn read_from<F: Scalar + Element>(
        &self,
        source: impl Read,
        name: &str,
    ) -> Result<ArrayDataset<F, Array2<F>>> {
        let run = || {
            let (mut numbers, mut targets) = (Vec::new(), Vec::new());
            let columns = self.scan(source, name, |row| {
                targets.push(row.number()?);
                numbers.extend_from_slice(row.inputs);
                Ok(())
            })?;
            ArrayDataset::new(array(&numbers, columns.inputs()), array(&targets, 1))
        };
        run().map_err(|error: Error| error.at(name))
    }

    /// Reads the whole file, with classes as targets. The data set has their names.
    ///
    /// # Errors
    /// As [`read`](TableCsv::read); also when a class is empty, or none of those that were given.
    pub fn read_labelled<F: Scalar + Element>(
        &self,
        path: impl AsRef<Path>,
    ) -> Result<ArrayDataset<F, Vec<usize>>> {
        let file = PlacedFile::open(path.as_ref())?;
        self.read_labelled_from(file.reader(), &path.as_ref().display().to_string())
    }

    /// The same from anything that gives bytes; `name` stands for it in errors.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let file = "length,width,kind\n5.1,3.5,setosa\n7.0,3.2,versicolor\n4.9,3.0,setosa\n";
    /// let data = TableCsv::target("kind").read_labelled_from::<f32>(file.as_bytes(), "irises.csv")?;
    /// assert_eq!((data.targets(), data.class_names()[1].as_str()), (&vec![0, 1, 0], "versicolor"));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`read_labelled`](TableCsv::read_labelled).
    pub fn read_labelled_from<F: Scalar + Element>(
        &self,
        source: impl Read,
        name: &str,
    ) -> Result<ArrayDataset<F, Vec<usize>>> {
        let run = || {
            let (mut numbers, mut labels) = (Vec::new(), Labels::new(&self.classes)?);
            let columns = self.scan(source, name, |row| {
                labels.push(&row)?;
                numbers.extend_from_slice(row.inputs);
                Ok(())
            })?;
            let (labels, names) = labels.sorted();
            Ok(ArrayDataset::new(array(&numbers, columns.inputs()), labels)?.with_class_names(names))
        };
        run().map_err(|error: Error| error.at(name))
    }

    /// The classes that were given; none where the file's labels are the classes.
    pub(super) fn known_classes(&self) -> &[String] {
        &self.classes
    }

    /// Reads the names and then every row, in order, and shows each to `visit`.
    pub(super) fn scan(
        &self,
        source: impl Read,
        name: &str,
        mut visit: impl FnMut(Row<'_>) -> Result<()>,
    ) -> Result<Columns> {
        let mut source = BufReader::with_capacity(1 << 16, source);
        let (mut line, mut place, mut number) = (Vec::new(), 0, 0);
        let (mut columns, mut inputs): (Option<Columns>, Vec<f64>) = (None, Vec::new());
        loop {
            line.clear();
            let read = (&mut source).take(LONGEST + 1).read_until(b'\n', &mut line);
            let bytes =
                read.map_err(|e| Error::io("read", name, e).help("Check that the file is a readable file."))?;
            if bytes == 0 {
                break;
            }
            if bytes as u64 > LONGEST {
                let expected = format!("of at most {LONGEST} bytes");
                return Err(Error::format(
                    format!("the line of row {}", number + 1),
                    expected,
                    "a longer one",
                )
                .help("Look at the file; a row is one line."));
            }
            let mut text = &line[..];
            if place == 0 {
                text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text); // the mark of UTF-8
            }
            let text = without_end(text);
            match &columns {
                _ if text.is_empty() => {}
                None => {
                    let found = self.columns(text)?;
                    inputs = vec![0.0; found.inputs()];
                    columns = Some(found);
                }
                Some(columns) => {
                    number += 1;
                    let target = columns.parse(text, number, &mut inputs)?;
                    visit(Row { place, number, inputs: &inputs, target, column: &self.target })?;
                }
            }
            place += bytes as u64;
        }
        let columns = columns.ok_or_else(|| {
            Error::format("the first line", "the names of the columns", "an empty file")
                .help("Look at the file.")
        })?;
        if number == 0 {
            return Err(
                Error::format("the table", "one with rows", "none below the names").help("Look at the file.")
            );
        }
        Ok(columns)
    }

    /// Which column is what.
    fn columns(&self, line: &[u8]) -> Result<Columns> {
        let fields = Fields { rest: Some(line) }.map(|field| {
            let field = field.map_err(|fault| fault.at("the names of the columns"))?;
            Ok(String::from_utf8_lossy(&field).into_owned())
        });
        let names = fields.collect::<Result<Vec<String>>>()?;
        let place = |wanted: &String| {
            names.iter().position(|name| name == wanted).ok_or_else(|| {
                let found = names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
                Error::format("the first line", format!("one with a column {wanted:?}"), found)
                    .help("Name a column that is there.")
            })
        };
        let target = place(&self.target)?;
        let inputs: Vec<usize> = match &self.inputs[..] {
            [] => (0..names.len()).filter(|&i| i != target).collect(),
            some => some.iter().map(place).collect::<Result<_>>()?,
        };
        let mut roles = vec![None; names.len()];
        for (number, &column) in inputs.iter().enumerate() {
            if column == target || roles[column].is_some() {
                return Err(Error::argument(
                    "input columns",
                    "different columns, without the target",
                    &names[column],
                )
                .help("Name each once."));
            }
            roles[column] = Some(number);
        }
        if inputs.is_empty() {
            return Err(Error::format("the table", "one with a column beside the target", "none")
                .help("A model needs at least one number to predict from."));
        }
        Ok(Columns { names, roles, inputs: inputs.len(), target })
    }
}

/// The longest line that is read, in bytes: what a file without line ends may take of the memory.
const LONGEST: u64 = 1 << 24;

/// A line without its `\n` or `\r\n`.
pub(super) fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A row as `scan` shows it.
pub(super) struct Row<'a> {
    /// Where its line begins in the source.
    pub place: u64,
    /// From 1.
    pub number: usize,
    pub inputs: &'a [f64],
    target: Cow<'a, [u8]>,
    column: &'a str,
}

impl Row<'_> {
    /// The target, as a number.
    pub fn number(&self) -> Result<f64> {
        number(&self.target, self.number, self.column)
    }
}

/// Which columns there are, and what they are for.
#[derive(Debug)]
pub(super) struct Columns {
    names: Vec<String>,
    /// The number of the input that a column is, if it is one.
    roles: Vec<Option<usize>>,
    inputs: usize,
    target: usize,
}

impl Columns {
    /// How many inputs a row has.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The inputs of a line, and its target as it stands there.
    pub fn parse<'a>(&self, line: &'a [u8], row: usize, inputs: &mut [f64]) -> Result<Cow<'a, [u8]>> {
        let (mut count, mut target) = (0, Cow::Borrowed(&b""[..]));
        for field in (Fields { rest: Some(line) }) {
            let field = field.map_err(|fault| fault.at(format!("row {row}")))?;
            if count == self.target {
                target = field;
            } else if let Some(&Some(input)) = self.roles.get(count) {
                inputs[input] = number(&field, row, &self.names[count])?;
            }
            count += 1;
        }
        if count != self.names.len() {
            let expected = format!("{} fields, as the first line has", self.names.len());
            return Err(Error::format(format!("row {row}"), expected, count)
                .help("Put quotes around fields with commas; a row is one line."));
        }
        Ok(target)
    }
}

/// A finite number.
fn number(field: &[u8], row: usize, column: &str) -> Result<f64> {
    let text = std::str::from_utf8(field.trim_ascii()).ok();
    text.and_then(|text| text.parse().ok()).filter(|x: &f64| x.is_finite()).ok_or_else(|| {
        let found = if field.trim_ascii().is_empty() {
            "nothing".to_owned()
        } else {
            format!("{:?}", String::from_utf8_lossy(field))
        };
        Error::format(format!("row {row}, column {column:?}"), "a finite number", found)
            .help("Fill it in, leave the row out, or name the columns to be read by `TableCsv::inputs`.")
    })
}

/// The fields of a line, without their quotes.
struct Fields<'a> {
    /// What comes after the last comma; none at the end.
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Cow<'a, [u8]>>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        let Some(quoted) = rest.strip_prefix(b"\"") else {
            let end = rest.iter().position(|&b| b == b',').unwrap_or(rest.len());
            self.rest = rest.get(end + 1..);
            return Some(Ok(Cow::Borrowed(&rest[..end])));
        };
        let (mut field, mut begin) = (Cow::Borrowed(&b""[..]), 0);
        loop {
            let Some(length) = quoted[begin..].iter().position(|&b| b == b'"') else {
                return Some(Err(torn("one that is never closed")));
            };
            let piece = &quoted[begin..begin + length];
            if field.is_empty() {
                field = Cow::Borrowed(piece);
            } else {
                field.to_mut().extend_from_slice(piece);
            }
            begin += length + 1;
            match quoted.get(begin) {
                None => return Some(Ok(field)),
                Some(b',') => {
                    self.rest = Some(&quoted[begin + 1..]);
                    return Some(Ok(field));
                }
                Some(b'"') => {
                    field.to_mut().push(b'"');
                    begin += 1;
                }
                Some(_) => return Some(Err(torn("something behind a closing quote"))),
            }
        }
    }
}

/// The error of quotes that do not fit.
fn torn(found: &str) -> Error {
    Error::format("quotes", "in pairs around a field on one line", found)
        .help("Write a quote inside of quotes twice, and no line end.")
}

/// Classes as they come up.
pub(super) struct Labels {
    labels: Vec<usize>,
    known: HashMap<Vec<u8>, usize>,
    names: Vec<String>,
    /// Whether others than the known ones are an error.
    closed: bool,
}

impl Labels {
    pub fn new(classes: &[String]) -> Result<Self> {
        let mut known = HashMap::new();
        for (class, name) in classes.iter().enumerate() {
            if known.insert(name.clone().into_bytes(), class).is_some() {
                return Err(Error::data("class names", "to differ", format!("{name:?} twice"))
                    .help("Give each class once."));
            }
        }
        Ok(Self { labels: Vec::new(), known, names: classes.to_vec(), closed: !classes.is_empty() })
    }

    pub fn push(&mut self, row: &Row<'_>) -> Result<()> {
        let class = match self.known.get(&*row.target) {
            Some(&class) => class,
            None => {
                let what = format!("row {}, column {:?}", row.number, row.column);
                let found = String::from_utf8_lossy(&row.target).into_owned();
                if self.closed {
                    let expected =
                        format!("one of the {} classes ({})", self.names.len(), self.names.join(", "));
                    return Err(Error::format(what, expected, format!("{found:?}"))
                        .help("Train on data with this class, or leave the row out."));
                }
                if found.trim().is_empty() {
                    return Err(
                        Error::format(what, "a class", "nothing").help("Fill it in, or leave the row out.")
                    );
                }
                self.known.insert(row.target.to_vec(), self.names.len());
                self.names.push(found);
                self.names.len() - 1
            }
        };
        self.labels.push(class);
        Ok(())
    }

    /// The labels, with classes that were found in sorted order, and the classes' names.
    pub fn sorted(mut self) -> (Vec<usize>, Vec<String>) {
        if !self.closed {
            let mut order: Vec<usize> = (0..self.names.len()).collect();
            order.sort_by(|&a, &b| self.names[a].cmp(&self.names[b]));
            let mut place = vec![0; order.len()];
            order.iter().enumerate().for_each(|(new, &old)| place[old] = new);
            self.labels.iter_mut().for_each(|label| *label = place[*label]);
            self.names.sort();
        }
        (self.labels, self.names)
    }
}

/// Rows of numbers as an array of the model's type.
pub(super) fn array<F: Scalar>(numbers: &[f64], columns: usize) -> Array2<F> {
    let rows: Vec<usize> = (0..numbers.len() / columns).collect();
    let mut out = vec![F::zero(); rows.len() * columns];
    F::rows_of_f64s(numbers, &rows, columns, F::one(), F::zero(), &mut out);
    Array2::from_shape_vec((rows.len(), columns), out).expect("as many numbers as the array has")
}
