//! CSV files that are larger than memory.
//!
//! The file is read through once when it is opened. That finds every fault, and leaves the place where each row
//! begins; after it a batch is read by the places of its rows, in any order.

use super::file::{PlacedFile, each_run};
use super::table::{Columns, Labels, TableCsv, array, without_end};
use super::{Batch, Dataset, Pass, Targets, check_indices};
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use ndarray::Array2;
use std::path::Path;

/// The rows of a CSV file of any size, read batch by batch; targets in memory.
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
/// It gives the same batches, to the bit, as the file read whole by [`TableCsv::read`] or
/// [`TableCsv::read_labelled`]. Memory is a few batches, whatever the file's length, beside 8 bytes for each row's
/// place, its target, and 8 for its place in the order of an epoch. A row is parsed anew in each epoch; `fit` has that
/// done two batches ahead ([`Dataset::prefetch`]).
///
/// Rows come in any order. On a disk that is slow at reading from many places, shuffle the file once when it is made,
/// and train with [`shuffle(false)`](crate::Trainer::shuffle).
#[derive(Debug)]
pub struct TableStream<T> {
    file: PlacedFile,
    columns: Columns,
    shape: [usize; 1],
    /// Where each row begins, and the end of the file.
    places: Vec<u64>,
    targets: T,
    names: Vec<String>,
}

impl TableCsv {
    /// Opens a file to be read row by row, with numbers as targets, `[rows, 1]`.
    ///
    /// The file is read through once, and every row checked. It must not change after that.
    ///
    /// # Errors
    /// As [`read`](TableCsv::read).
    pub fn stream<F: Scalar>(&self, path: impl AsRef<Path>) -> Result<TableStream<Array2<F>>> {
        let path = path.as_ref();
        let run = |file: PlacedFile| {
            let (mut places, mut targets) = (Vec::new(), Vec::new());
            let columns = self.scan(file.reader(), &path.display().to_string(), |row| {
                targets.push(row.number()?);
                places.push(row.place);
                Ok(())
            })?;
            Ok(TableStream::new(file, columns, places, array(&targets, 1), Vec::new()))
        };
        run(PlacedFile::open(path)?).map_err(|error: Error| error.at(path.display()))
    }

    /// Opens a file to be read row by row, with classes as targets.
    ///
    /// As [`stream`](TableCsv::stream). The data set has the classes' names.
    ///
    /// # Errors
    /// As [`read_labelled`](TableCsv::read_labelled).
    pub fn stream_labelled(&self, path: impl AsRef<Path>) -> Result<TableStream<Vec<usize>>> {
        let path = path.as_ref();
        let run = |file: PlacedFile| {
            let (mut places, mut labels) = (Vec::new(), Labels::new(self.known_classes())?);
            let columns = self.scan(file.reader(), &path.display().to_string(), |row| {
                labels.push(&row)?;
                places.push(row.place);
                Ok(())
            })?;
            let (labels, names) = labels.sorted();
            Ok(TableStream::new(file, columns, places, labels, names))
        };
        run(PlacedFile::open(path)?).map_err(|error: Error| error.at(path.display()))
    }
}

impl<T> TableStream<T> {
    fn new(file: PlacedFile, columns: Columns, mut places: Vec<u64>, targets: T, names: Vec<String>) -> Self {
        places.push(file.length());
        let shape = [columns.inputs()];
        Self { file, columns, shape, places, targets, names }
    }

    /// The targets.
    ///
    /// All of them, in memory.
    pub fn targets(&self) -> &T {
        &self.targets
    }

    /// The inputs of the rows at these positions, one row after the other.
    fn numbers(&self, indices: &[usize]) -> Result<Vec<f64>> {
        let columns = self.shape[0];
        let mut numbers = vec![0.0; indices.len() * columns];
        let mut bytes = Vec::new();
        each_run(indices, MOST, |row, count, begin| {
            let (from, to) = (self.places[row], self.places[row + count]);
            bytes.resize((to - from) as usize, 0);
            self.file.read_at(from, &mut bytes)?;
            let mut lines = bytes.split_inclusive(|&b| b == b'\n').map(without_end).filter(|l| !l.is_empty());
            for (i, inputs) in numbers[begin * columns..].chunks_exact_mut(columns).take(count).enumerate() {
                let line = lines.next().unwrap_or_default();
                self.columns.parse(line, row + i + 1, inputs)?;
            }
            Ok(())
        })?;
        Ok(numbers)
    }
}

/// The most rows of a run of neighbours that are read at once.
const MOST: usize = 1024;

impl<F: Scalar, T: Targets> Dataset<F> for TableStream<T> {
    type Target = T::Batch;

    fn len(&self) -> usize {
        self.places.len() - 1
    }

    fn input_shape(&self) -> &[usize] {
        &self.shape
    }

    fn class_names(&self) -> &[String] {
        &self.names
    }

    fn prefetch(&self) -> usize {
        2
    }

    fn read(&self, indices: &[usize], _: Pass, batch: &mut Batch<F, T::Batch>) -> Result<()> {
        check_indices(indices, self.places.len() - 1)?;
        let numbers = self.numbers(indices).map_err(|error| error.at(self.file.path().display()))?;
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
