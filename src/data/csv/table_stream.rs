//! CSV files that are larger than memory.
//!
//! The file is read once when it is opened. This finds every fault, and records the offset of each row; afterwards a
//! batch is read by the offsets of its rows, in any order.

use super::columns::{Columns, Labels, Range, Row};
use super::records::{Record, first_record};
use super::table::{TableCsv, array};
use crate::data::file::{PlacedFile, each_run};
use crate::data::{Batch, Dataset, InputShapes, Pass, Targets, check_indices};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use ndarray::Array2;
use std::path::Path;

/// A CSV file of any size, whose rows are read batch by batch; the targets are in memory.
///
/// ```no_run
/// use plywood::prelude::*;
///
/// let rows = TableCsv::target("price").stream("houses.csv")?;
/// let (train, test) = random_split::<f32, _>(&rows, 0.2, 1)?;
/// let normalizer = Normalizer::standard().fit::<f32, _>(&train)?; // a pass over the file, in constant memory
/// let mut model = Sequential::builder([8]).layer(Dense::units(1)).build()?;
/// Trainer::new(MeanSquaredError, Adam::default()).fit(&mut model, &normalizer.apply(&train))?;
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Batches are bit-identical to those of the file read whole by [`TableCsv::read`] or [`TableCsv::read_labelled`].
/// Whatever the file's length, memory is a few batches, and for each row its target, 8 bytes for its offset and 8 for
/// its position in the order of an epoch. A row is parsed again in each epoch; `fit` prefetches two batches
/// ([`Dataset::prefetch`]).
///
/// Rows may be read in any order. On a disk with slow random access, shuffle the file once when it is made, and train
/// with [`shuffle(false)`](crate::train::Trainer::shuffle).
#[derive(Debug)]
pub struct TableStream<T> {
    file: PlacedFile,
    columns: Columns,
    shape: [usize; 1],
    /// The offset of each row, and the end of the file.
    places: Vec<u64>,
    /// The numbers of the rows, for errors; empty if no row was left out.
    numbers: Vec<usize>,
    targets: T,
    names: Vec<String>,
    remarks: Vec<String>,
}

/// The offsets and numbers of rows, collected while the file is scanned.
#[derive(Default)]
struct Places {
    places: Vec<u64>,
    numbers: Vec<usize>,
}

impl Places {
    fn push(&mut self, row: &Row<'_>) {
        self.places.push(row.place);
        self.numbers.push(row.number);
    }
}

impl TableCsv {
    /// Opens a file to be read row by row, with numbers as targets, `[rows, 1]`.
    ///
    /// The file is read once, and every row is checked. It must not change after that. It must not be compressed or a
    /// named pipe, because such files can only be read from their beginning.
    ///
    /// # Errors
    /// As [`read`](TableCsv::read), and when the file is compressed, or a pipe, a device or a folder.
    pub fn stream<F: Scalar>(&self, path: impl AsRef<Path>) -> Result<TableStream<Array2<F>>> {
        let (path, name) = (path.as_ref(), path.as_ref().display().to_string());
        let run = |file: PlacedFile| {
            let (mut places, mut targets) = (Places::default(), Vec::new());
            let (columns, remarks) = self.scan(file.reader(), &name, Range::of::<F>(), |row| {
                targets.push(row.number()?);
                places.push(&row);
                Ok(())
            })?;
            Ok(TableStream::new(file, columns, places, array(&targets, 1)).with(Vec::new(), remarks))
        };
        run(PlacedFile::open(path)?).map_err(|error: Error| error.at(&name))
    }

    /// Opens a file to be read row by row, with classes as targets.
    ///
    /// It works as [`stream`](TableCsv::stream). The data set has the classes' names. Numbers must fit the model's
    /// element type `F`: `stream_labelled::<f32>(path)`.
    ///
    /// # Errors
    /// As [`read_labelled`](TableCsv::read_labelled), and when the file is compressed, or a pipe, a device or a folder.
    pub fn stream_labelled<F: Scalar>(&self, path: impl AsRef<Path>) -> Result<TableStream<Vec<usize>>> {
        let (path, name) = (path.as_ref(), path.as_ref().display().to_string());
        let run = |file: PlacedFile| {
            let (mut places, mut labels) = (Places::default(), Labels::new(self.known_classes())?);
            let (columns, mut remarks) = self.scan(file.reader(), &name, Range::of::<F>(), |row| {
                labels.push(&row)?;
                places.push(&row);
                Ok(())
            })?;
            let (labels, names) = labels.sorted(&name, &mut remarks);
            Ok(TableStream::new(file, columns, places, labels).with(names, remarks))
        };
        run(PlacedFile::open(path)?).map_err(|error: Error| error.at(&name))
    }
}

impl<T> TableStream<T> {
    fn new(file: PlacedFile, columns: Columns, places: Places, targets: T) -> Self {
        let Places { mut places, mut numbers } = places;
        if numbers.last() == Some(&numbers.len()) {
            numbers = Vec::new();
        }
        places.push(file.length());
        let shape = [columns.inputs()];
        Self { file, columns, shape, places, numbers, targets, names: Vec::new(), remarks: Vec::new() }
    }

    fn with(self, names: Vec<String>, remarks: Vec<String>) -> Self {
        Self { names, remarks, ..self }
    }

    /// Returns remarks on the file: rows or columns that were left out, classes that look like missing values or look
    /// the same.
    ///
    /// `fit` prints them. Empty for most files.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Returns the targets.
    ///
    /// They are all in memory.
    pub fn targets(&self) -> &T {
        &self.targets
    }

    /// Reads the inputs of the rows at these positions, row after row.
    ///
    /// Between the offsets of two rows there may be empty lines, or rows that were left out.
    fn numbers(&self, indices: &[usize], range: Range) -> Result<Vec<f64>> {
        let columns = self.shape[0];
        let mut numbers = vec![0.0; indices.len() * columns];
        let mut bytes = Vec::new();
        each_run(indices, MOST, |row, count, begin| {
            let places = &self.places[row..=row + count];
            let from = places[0];
            bytes.resize((places[count] - from) as usize, 0);
            self.file.read_at(from, &mut bytes)?;
            let run = numbers[begin * columns..].chunks_exact_mut(columns);
            for (i, (inputs, between)) in run.zip(places.windows(2)).enumerate() {
                let bytes = &bytes[(between[0] - from) as usize..(between[1] - from) as usize];
                let text = first_record(bytes, self.columns.separator());
                let number = self.numbers.get(row + i).copied().unwrap_or(row + i + 1);
                let record = Record { place: between[0], number, text };
                self.columns.row(&record, range, inputs)?;
            }
            Ok(())
        })?;
        Ok(numbers)
    }
}

/// The greatest number of consecutive rows that are read at once.
const MOST: usize = 1024;

impl<F: Scalar, T: Targets> Dataset<F> for TableStream<T> {
    type Target = T::Batch;

    fn len(&self) -> usize {
        self.places.len() - 1
    }

    fn input_shapes(&self) -> InputShapes<'_> {
        InputShapes::One(&self.shape)
    }

    fn class_names(&self) -> &[String] {
        &self.names
    }

    fn remarks(&self) -> &[String] {
        &self.remarks
    }

    fn prefetch(&self) -> usize {
        2
    }

    fn read(&self, indices: &[usize], _: Pass, batch: &mut Batch<F, T::Batch>) -> Result<()> {
        check_indices(indices, self.places.len() - 1)?;
        let numbers =
            self.numbers(indices, Range::of::<F>()).map_err(|error| error.at(self.file.path().display()))?;
        let out = batch.input_mut(indices.len(), &self.shape);
        let rows: Vec<usize> = (0..indices.len()).collect();
        F::rows_of_f64s(&numbers, &rows, self.shape[0], F::one(), F::zero(), out);
        self.read_targets(indices, batch).map(drop)
    }

    fn read_targets(&self, indices: &[usize], batch: &mut Batch<F, T::Batch>) -> Result<bool> {
        check_indices(indices, self.places.len() - 1)?;
        self.targets.gather(indices, &mut batch.target);
        batch.weights = None;
        Ok(true)
    }
}
