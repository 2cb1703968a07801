//! IDX files that are larger than memory.
//!
//! The file stays on the disk, and the samples of a batch are read by their offsets:
//!
//! ```text
//! place of sample i = length of the header + i · bytes of a sample
//! ```
//!
//! So samples are read in any order, and a shuffled epoch needs no window and no buffer. A run of consecutive samples
//! is one read. A shuffled batch takes a read for each sample; the operating system caches as much of the file as it
//! has memory for.

use super::Header;
use crate::data::file::{PlacedFile, each_run};
use crate::data::stored::check_read;
use crate::data::{Batch, Dataset, Element, InputShapes, Pass, Targets, check_indices, idx};
use crate::error::{Error, Result};
use crate::kernels::{Scalar, threads};
use crate::shown::count;
use crate::threads::try_each;
use std::path::Path;

/// An IDX file of any size, whose inputs are read batch by batch; the targets are in memory.
///
/// ```no_run
/// use plywood::prelude::*;
/// use plywood::data::{IdxStream, idx};
///
/// let labels = idx::read("train-labels-idx1-ubyte")?.into_labels()?;
/// let train = IdxStream::open("train-images-idx3-ubyte", labels)?.scale(1.0 / 255.0);
/// let mut model = Sequential::builder([28, 28]).layer(Flatten).layer(Dense::units(10)).layer(Softmax).build()?;
/// Trainer::new(CrossEntropy::default(), Adam::default()).fit(&mut model, &train)?;
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Batches are bit-identical to those of an [`ArrayDataset`](crate::data::ArrayDataset) of the whole file. Whatever
/// the file's length, memory is a few batches, and for each sample 8 bytes for its label and 8 for its position in
/// the order of an epoch.
///
/// Several threads read the samples of a batch. If reading still takes a good part of the time, as from a disk, `fit`
/// prefetches two batches ([`Dataset::prefetch`]), so that reading goes on during training. On a disk with slow
/// random access, shuffle the file once when it is made, and train with
/// [`shuffle(false)`](crate::train::Trainer::shuffle): then each batch is one piece of the file.
///
/// The elements are bytes, `f32` or `f64`. A file compressed by gzip can only be read from its beginning: unpack it,
/// or read it whole by [`idx::read`].
#[derive(Debug)]
pub struct IdxStream<T> {
    file: PlacedFile,
    kind: Kind,
    /// The offset of the first sample.
    start: u64,
    /// The shape of the whole array.
    shape: Vec<usize>,
    targets: T,
    scale: f64,
    offset: f64,
    names: Vec<String>,
}

/// The types of elements that can be read.
#[derive(Clone, Copy, Debug)]
enum Kind {
    U8,
    F32,
    F64,
}

impl Kind {
    fn size(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

impl<T: Targets> IdxStream<T> {
    /// Makes a data set of the inputs in this file and these targets: target `i` belongs to input `i`. Only the
    /// header is read.
    ///
    /// # Errors
    /// When the file cannot be read, is a pipe or a device, is compressed, is not one whole IDX array of bytes, `f32`
    /// or `f64`, or does not have as many samples as there are targets.
    pub fn open(path: impl AsRef<Path>, targets: T) -> Result<Self> {
        let path = path.as_ref();
        let file = PlacedFile::open(path)?;
        Self::of(file, targets).map_err(|error| error.at(path.display()))
    }

    fn of(file: PlacedFile, targets: T) -> Result<Self> {
        let name = file.path().display().to_string();
        let Header { kind, lengths, .. } = idx::header(file.reader(), &name, false)?;
        let kind = match kind {
            0x08 => Kind::U8,
            0x0D => Kind::F32,
            0x0E => Kind::F64,
            other => {
                return Err(Error::format(
                    "the elements' type",
                    "be 0x08 (u8), 0x0D (f32) or 0x0E (f64)",
                    format!("{other:#04x}"),
                )
                .help("Read files of other types whole, with `idx::read`."));
            }
        };
        let start = 4 + 4 * lengths.len() as u64;
        let bytes = lengths.iter().try_fold(kind.size() as u64, |b, &n| b.checked_mul(u64::from(n)));
        let found = file.length() - start.min(file.length());
        if bytes != Some(found) {
            let expected = bytes.map_or("fewer than 2^64 bytes".to_owned(), |b| count(b, "byte", "bytes"));
            return Err(Error::format(
                "the elements",
                format!("have {expected} for {lengths:?}"),
                count(found, "byte", "bytes"),
            )
            .help(match bytes {
                Some(bytes) if found < bytes => "The file is truncated; get it again.",
                _ => "The file is damaged, or holds more than one array; get it again.",
            }));
        }
        if lengths.contains(&0) {
            return Err(Error::data(
                "the data",
                "have at least one number",
                format!("the shape {lengths:?}"),
            )
            .help("Check how the file was made."));
        }
        let shape: Vec<usize> = lengths.iter().map(|&n| n as usize).collect();
        targets.check(shape[0])?;
        Ok(Self { file, kind, start, shape, targets, scale: 1.0, offset: 0.0, names: Vec::new() })
    }

    /// Sets the factor that each stored number is multiplied by when it is read: `1.0 / 255.0` for bytes.
    ///
    /// It works as [`ArrayDataset::scale`](crate::data::ArrayDataset::scale).
    #[must_use]
    pub fn scale(mut self, scale: f64) -> Self {
        self.scale = scale;
        self
    }

    /// Sets the number that is added to each value after scaling.
    ///
    /// It works as [`ArrayDataset::offset`](crate::data::ArrayDataset::offset).
    #[must_use]
    pub fn offset(mut self, offset: f64) -> Self {
        self.offset = offset;
        self
    }

    /// Sets the names of the classes, in the order of their indices; reports use them.
    ///
    /// It works as [`ArrayDataset::with_class_names`](crate::data::ArrayDataset::with_class_names).
    #[must_use]
    pub fn with_class_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        const { assert!(!T::NAMED, "targets by name have class names of their own: `TargetArrays::class_names`") };
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Returns the targets.
    ///
    /// They are all in memory.
    pub fn targets(&self) -> &T {
        &self.targets
    }
}

/// The most bytes of consecutive samples that are read at once.
const MOST: usize = 1 << 22;

/// The least number of samples worth a thread of its own: a read takes about as long as waking a thread.
const LEAST: usize = 8;

impl<T> IdxStream<T> {
    /// Reads the samples at these positions as bytes, and converts them to numbers.
    fn read_rows<F: Scalar>(&self, indices: &[usize], bytes: &mut [u8], out: &mut [F]) -> Result<()> {
        let columns: usize = self.shape[1..].iter().product();
        let row = columns * self.kind.size();
        each_run(indices, (MOST / row).max(1), |sample, count, begin| {
            let place = self.start + sample as u64 * row as u64;
            self.file.read_at(place, &mut bytes[begin * row..(begin + count) * row])
        })?;
        let rows: Vec<usize> = (0..indices.len()).collect();
        let (scale, offset) = (F::of(self.scale), F::of(self.offset));
        match self.kind {
            Kind::U8 => u8::rows(bytes, &rows, columns, scale, offset, out),
            Kind::F32 => {
                f32::rows(&idx::numbers(bytes, f32::from_be_bytes), &rows, columns, scale, offset, out);
            }
            Kind::F64 => {
                let stored = idx::numbers(bytes, f64::from_be_bytes);
                f64::rows(&stored, &rows, columns, scale, offset, out);
                check_read::<f64, F>(out, indices, &[], |i| stored[i])
                    .map_err(|error| error.at(self.file.path().display()))?;
            }
        }
        Ok(())
    }
}

impl<F: Scalar, T: Targets> Dataset<F> for IdxStream<T> {
    type Target = T::Batch;

    fn len(&self) -> usize {
        self.shape[0]
    }

    fn input_shapes(&self) -> InputShapes<'_> {
        InputShapes::One(&self.shape[1..])
    }

    fn class_names(&self) -> &[String] {
        &self.names
    }

    fn class_names_of(&self, target: &str) -> &[String] {
        self.targets.class_names_of(target)
    }

    fn prefetch(&self) -> usize {
        2
    }

    fn read(&self, indices: &[usize], _: Pass, batch: &mut Batch<F, T::Batch>) -> Result<()> {
        check_indices(indices, self.shape[0])?;
        let columns: usize = self.shape[1..].iter().product();
        let row = columns * self.kind.size();
        let mut bytes = vec![0; indices.len() * row];
        let out = batch.input_mut(indices.len(), &self.shape[1..]);
        let share = indices.len().div_ceil(threads::parts(indices.len(), LEAST)).max(1);
        let parts =
            indices.chunks(share).zip(bytes.chunks_mut(share * row)).zip(out.chunks_mut(share * columns));
        try_each(parts, |((indices, bytes), out)| self.read_rows(indices, bytes, out))?;
        self.read_targets(indices, batch).map(drop)
    }

    fn read_targets(&self, indices: &[usize], batch: &mut Batch<F, T::Batch>) -> Result<bool> {
        check_indices(indices, self.shape[0])?;
        self.targets.gather(indices, &mut batch.target);
        batch.weights = None;
        Ok(true)
    }
}
