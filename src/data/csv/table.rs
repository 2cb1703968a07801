//! Tables: CSV files of numbers, with a target column.
//!
//! A table is read whole, or row by row while training (`table_stream.rs`). Both use `TableCsv::scan` and the parser
//! in `columns.rs`, so they give the same numbers and the same errors.

use super::columns::{Columns, Labels, Range, Row};
use super::header::{Format, Header, csv_settings};
use super::records::{Records, open};
use super::unpacked::unpacked;
use crate::data::class_names::trimmed;
use crate::data::{ArrayDataset, Element};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::shown::MOST_LINES;
use ndarray::Array2;
use std::io::Read;
use std::path::Path;

/// Settings for reading a CSV file of numbers: which columns are inputs, and which is the target, a number or a class.
///
/// ```
/// use plywood::prelude::*;
///
/// let file = "rooms,area,price,street\n3,70.5,210,\"High St, 1\"\n5,120,380,Low St\n";
/// let csv = TableCsv::target("price").inputs(["area", "rooms"]);
/// let houses = csv.read_from::<f32>(file.as_bytes(), "houses.csv")?;
/// assert_eq!(houses.inputs()[[0, 0]], 70.5);
/// assert_eq!(houses.targets(), plywood::ndarray::array![[210.0], [380.0]]);
///
/// let error = TableCsv::target("price").read_from::<f32>(file.as_bytes(), "houses.csv").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "houses.csv: row 1, column \"street\" must be a finite number, got \"High St, 1\". Fill it in, name the \
///      columns to be read by `inputs`, or leave such rows out with `skip_faulty`."
/// );
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | | read whole | row by row, for files larger than memory |
/// |---|---|---|
/// | a number to predict | [`read`](TableCsv::read) | [`stream`](TableCsv::stream) |
/// | a class to predict | [`read_labelled`](TableCsv::read_labelled) | [`stream_labelled`](TableCsv::stream_labelled) |
///
/// The first record names the columns; each other record is a row. Fields may be in quotes, and then hold separators,
/// line ends and doubled quotes; empty lines are skipped. The text is UTF-8. Spaces at the ends of column and class
/// names are removed. A file that is read whole may be compressed by gzip, which is recognized by its first bytes.
///
/// Every number must be present and finite. Numbers are parsed as `f64` and rounded to the requested type; one that
/// is too large for this type is an error. As columns differ in scale, fit a [`Normalizer`](crate::data::Normalizer)
/// on the training part. A class is any text; classes are sorted. Columns of categories must be converted to numbers
/// beforehand.
///
/// The data set's [`remarks`](crate::data::Dataset::remarks) report what was left out,
/// classes that look like missing values, and classes that look the same. `fit` prints them.
#[derive(Clone, Debug)]
#[must_use = "nothing is read before `read` or `stream` is called"]
pub struct TableCsv {
    target: String,
    /// Empty for all columns but the target.
    inputs: Vec<String>,
    /// Empty if the labels in the file determine the classes.
    classes: Vec<String>,
    format: Format,
}

impl TableCsv {
    /// Takes this column as the target, and all others as inputs.
    ///
    /// Columns without a name are left out, and so is pandas' "Unnamed: 0": both come from an index that was saved
    /// with the data. The data set's remarks say so; [`inputs`](TableCsv::inputs) can select them by these names.
    pub fn target(column: impl Into<String>) -> Self {
        let (target, format) = (column.into().trim().to_owned(), Format::default());
        Self { target, inputs: Vec::new(), classes: Vec::new(), format }
    }

    /// Sets the input columns, in this order; other columns are ignored.
    pub fn inputs<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.inputs = trimmed(columns);
        self
    }

    /// Sets whether faulty rows are left out: rows whose class or numbers are missing or invalid, or that have too
    /// many or too few fields. By default such a row is an error. The data set's remarks state how many there were,
    /// and the reasons for the first ones.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let file = "age,port\n29,S\n,C\n38,?\n";
    /// let csv = TableCsv::target("port").missing(["?"]).skip_faulty(true);
    /// let data = csv.read_labelled_from::<f32>(file.as_bytes(), "ships.csv")?;
    /// assert_eq!((data.len(), data.class_names().len()), (1, 1));
    /// assert!(data.remarks()[0].starts_with("ships.csv: 2 rows left out:\n  row 2, column \"age\" must be"));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// Quotes that do not match are an error in any case, because it is unknown how many rows they affect.
    pub fn skip_faulty(mut self, skip: bool) -> Self {
        self.format.skip = skip;
        self
    }

    /// Reads the whole file, with numbers as targets, `[rows, 1]`.
    ///
    /// # Errors
    /// When the file cannot be read or unpacks to more than `most_unpacked`, a column is missing or occurs twice, a
    /// row has more or fewer fields than there are columns, quotes do not match, the text is not UTF-8, or a number
    /// is missing, not finite or too large for `F`. The error names the row (the first below the header is row 1) and
    /// the column.
    pub fn read<F: Scalar + Element>(&self, path: impl AsRef<Path>) -> Result<ArrayDataset<F, Array2<F>>> {
        self.read_from(open(path.as_ref())?, &path.as_ref().display().to_string())
    }

    /// Reads the same from any source of bytes; `name` stands for it in errors.
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
            let (columns, remarks) = self.scan(
                unpacked(source, name, self.format.most_unpacked)?,
                name,
                Range::of::<F>(),
                |row| {
                    targets.push(row.number()?);
                    numbers.extend_from_slice(row.inputs);
                    Ok(())
                },
            )?;
            let data = ArrayDataset::new(array(&numbers, columns.inputs()), array(&targets, 1))?;
            Ok(data.with_columns(columns.input_names()).with_remarks(remarks))
        };
        run().map_err(|error: Error| error.at(name))
    }

    /// Reads the whole file, with classes as targets. The data set has the classes' names.
    ///
    /// # Errors
    /// As [`read`](TableCsv::read); also when a class is empty, begins with a space before its quote, or is not one of the
    /// given classes.
    pub fn read_labelled<F: Scalar + Element>(
        &self,
        path: impl AsRef<Path>,
    ) -> Result<ArrayDataset<F, Vec<usize>>> {
        self.read_labelled_from(open(path.as_ref())?, &path.as_ref().display().to_string())
    }

    /// Reads the same from any source of bytes; `name` stands for it in errors.
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
            let (columns, mut remarks) = self.scan(
                unpacked(source, name, self.format.most_unpacked)?,
                name,
                Range::of::<F>(),
                |row| {
                    labels.push(&row)?;
                    numbers.extend_from_slice(row.inputs);
                    Ok(())
                },
            )?;
            let (labels, names) = labels.sorted(name, &mut remarks);
            let data = ArrayDataset::new(array(&numbers, columns.inputs()), labels)?;
            Ok(data.with_columns(columns.input_names()).with_class_names(names).with_remarks(remarks))
        };
        run().map_err(|error: Error| error.at(name))
    }

    /// Returns the given classes; empty if the labels in the file determine the classes.
    pub(super) fn known_classes(&self) -> &[String] {
        &self.classes
    }

    /// Reads the header and then every row, in order, and calls `visit` for each. Returns the columns, and remarks on
    /// columns and on rows that were left out.
    pub(super) fn scan(
        &self,
        source: impl Read,
        name: &str,
        range: Range,
        mut visit: impl FnMut(Row<'_>) -> Result<()>,
    ) -> Result<(Columns, Vec<String>)> {
        let mut records = Records::new(source, name, self.format.separator)?;
        let header = Header::read(&mut records, self.format.separator)?;
        let mut remarks = Vec::new();
        let columns = self.columns(header, name, &mut remarks)?;
        let mut inputs = vec![0.0; columns.inputs()];
        let (rows, left_out) = self.format.each_row(&mut records, MOST_LINES, |record| {
            columns.row(record, range, &mut inputs).and_then(&mut visit)
        })?;
        remarks.extend(left_out.remark(name));
        if rows == left_out.count {
            let found = if rows == 0 { "none below the names" } else { "only faulty ones" };
            return Err(Error::format("the table", "have rows", found).help("Check the file."));
        }
        Ok((columns, remarks))
    }

    /// Assigns the roles of the columns.
    fn columns(&self, header: Header, name: &str, remarks: &mut Vec<String>) -> Result<Columns> {
        let target = header.place(&self.target)?;
        header.check_different()?;
        let inputs: Vec<usize> = match &self.inputs[..] {
            [] => {
                let unnamed = |i: &usize| is_unnamed(&header.names[*i]);
                let others = (0..header.names.len()).filter(|&i| i != target);
                let (out, inputs): (Vec<usize>, Vec<usize>) = others.partition(unnamed);
                for i in out {
                    remarks.push(format!(
                        "{name}: column {} ({:?}) is left out: it has no name, as an index that was written along. \
                         Name the columns to be read by `inputs` if it is more.",
                        i + 1,
                        header.names[i]
                    ));
                }
                inputs
            }
            some => some.iter().map(|name| header.place(name)).collect::<Result<_>>()?,
        };
        let mut roles = vec![None; header.names.len()];
        for (number, &column) in inputs.iter().enumerate() {
            let named = format!("{:?}", header.names[column]);
            if column == target {
                return Err(Error::argument("the input columns", "columns other than the target", named)
                    .help("Leave the target out of `inputs`."));
            }
            if roles[column].is_some() {
                return Err(Error::argument("the input columns", "distinct", format!("{named} twice"))
                    .help("Name each column once."));
            }
            roles[column] = Some(number);
        }
        if inputs.is_empty() {
            return Err(Error::format("the table", "have a column beside the target", "none")
                .help("A model needs at least one number to predict from."));
        }
        Ok(Columns::new(header.names, roles, target, self.format.clone()))
    }
}

csv_settings! {
    TableCsv:
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let (file, csv) = ("a;y\n1;2\n", TableCsv::target("y"));
    /// assert_eq!(
    ///     csv.read_from::<f32>(file.as_bytes(), "f.csv").unwrap_err().to_string(),
    ///     "f.csv: the header must have a column \"y\", got \"a;y\". The separator looks like `;`: \
    ///      `.separator(b';')` takes it."
    /// );
    /// assert_eq!(csv.separator(b';').read_from::<f32>(file.as_bytes(), "f.csv")?.targets()[[0, 0]], 2.0);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ;
    /// Sets marks that stand for a missing value, besides an empty field: `["?", "NA"]`.
    ///
    /// A missing class or number is an error, unless [`skip_faulty`](TableCsv::skip_faulty) leaves the row out. Among
    /// numbers, inputs and targets, a mark that is a number stands for every spelling of it: "-999" for `-999.0` and
    /// `-9.99e2` too. Classes are compared as texts.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let csv = TableCsv::target("y").missing(["-999"]).skip_faulty(true);
    /// let data = csv.read_from::<f32>("a,y\n1,2\n-999.0,2\n3,-9.99e2\n".as_bytes(), "f.csv")?;
    /// assert_eq!(data.len(), 1);
    /// # Ok::<(), plywood::Error>(())
    /// ```
}

/// Returns whether a column is unnamed in pandas' way: an empty name when it writes, "Unnamed: 0" when it reads.
fn is_unnamed(name: &str) -> bool {
    let number = name.strip_prefix("Unnamed: ");
    name.is_empty() || number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Converts rows of numbers to an array of the model's type.
pub(super) fn array<F: Scalar>(numbers: &[f64], columns: usize) -> Array2<F> {
    let rows: Vec<usize> = (0..numbers.len() / columns).collect();
    let mut out = vec![F::zero(); rows.len() * columns];
    F::rows_of_f64s(numbers, &rows, columns, F::one(), F::zero(), &mut out);
    Array2::from_shape_vec((rows.len(), columns), out).expect("as many numbers as the array has")
}
