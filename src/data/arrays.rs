//! Data sets in memory.
//!
//! Inputs stay in the type they are stored in. They are converted to floating-point numbers when a batch is read:
//!
//! ```text
//! number = stored · scale + offset                      in the model's element type
//! ```
//!
//! So images stay bytes, a quarter of their size in `f32`. Converting a batch of 32 images of 784 bytes takes a few
//! microseconds. To standardize numbers to mean 0 and standard deviation 1, take `scale = 1 / deviation` and
//! `offset = -mean / deviation`.

use super::element::Element;
use super::{Batch, Dataset, Pass, check_indices};
use crate::error::{Error, Result};
use crate::kernels::{Scalar, threads};
use crate::shown::cut;
use crate::tensor::{Tensor, slice, slice_mut};
use ndarray::{Array, ArrayD, Axis, Dimension};

/// The least number of values worth a thread of its own: some microseconds of work.
const LEAST_NUMBERS: usize = 8_192;

/// The targets that a data set in memory may have: class indices (`Vec<usize>`), or an array of numbers
/// (`Array<F, D>` with `[samples, …]`).
///
/// | type | shape | in a batch | losses |
/// |---|---|---|---|
/// | `Vec<usize>` | a label for each sample | `Vec<usize>` | [`CrossEntropy`](crate::losses::CrossEntropy) |
/// | `Array1<F>` | `[samples]` | `[batch]` | regression, with predictions `[batch]` |
/// | `Array2<F>` | `[samples, outputs]` | `[batch, outputs]` | regression, soft cross-entropy |
///
/// `F` is the model's element type: targets are not converted.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be targets",
    note = "class indices are a `Vec<usize>`",
    note = "numbers are an array of the model's element type, `[samples, …]`, for one number a sample `[samples, 1]`"
)]
pub trait Targets: Sync {
    /// The targets of a batch; the buffer is reused from batch to batch.
    type Batch: Default + Send;

    /// Returns the number of targets.
    fn count(&self) -> usize;

    /// Copies the targets at these positions, which must be in range.
    ///
    /// They replace the contents of the batch, in the order of `indices`.
    fn gather(&self, indices: &[usize], batch: &mut Self::Batch);

    /// Keeps the first `count` targets; `count` must be at most their number.
    ///
    /// Labels are truncated in place; an array is copied.
    #[must_use]
    fn first(self, count: usize) -> Self;
}

impl Targets for Vec<usize> {
    type Batch = Vec<usize>;

    fn count(&self) -> usize {
        self.len()
    }

    fn gather(&self, indices: &[usize], batch: &mut Vec<usize>) {
        batch.clear();
        batch.extend(indices.iter().map(|&i| self[i]));
    }

    fn first(mut self, count: usize) -> Self {
        self.truncate(count);
        self
    }
}

impl<F: Scalar, D: Dimension> Targets for Array<F, D> {
    type Batch = Tensor<F>;

    fn count(&self) -> usize {
        self.shape().first().copied().unwrap_or(0)
    }

    fn gather(&self, indices: &[usize], batch: &mut Tensor<F>) {
        let mut shape = self.raw_dim().into_dyn();
        if let Some(samples) = shape.slice_mut().first_mut() {
            *samples = indices.len();
        }
        if batch.shape() != shape.slice() {
            *batch = Tensor::zeros(shape);
        }
        let columns: usize = self.shape().iter().skip(1).product();
        match self.as_slice() {
            Some(values) => {
                let rows = slice_mut(batch).chunks_exact_mut(columns.max(1));
                for (row, &i) in rows.zip(indices) {
                    row.copy_from_slice(&values[i * columns..(i + 1) * columns]);
                }
            }
            None => {
                for (mut row, &i) in batch.outer_iter_mut().zip(indices) {
                    row.assign(&self.view().into_dyn().index_axis(Axis(0), i));
                }
            }
        }
    }

    fn first(self, count: usize) -> Self {
        self.slice_axis(Axis(0), (..count).into()).to_owned()
    }
}

/// Samples in memory: an array of inputs, `[samples, …]`, and their targets.
///
/// ```
/// use plywood::ndarray::Array3;
/// use plywood::prelude::*;
///
/// // Bytes stay bytes; the model sees numbers from 0 to 1.
/// let images = Array3::<u8>::zeros((100, 28, 28));
/// let labels = vec![0; 100];
/// let data = ArrayDataset::new(images, labels)?.scale(1.0 / 255.0).with_class_names(["T-shirt/top"]);
/// # let _ = data;
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Inputs in another order than row-major are copied once, by [`new`](ArrayDataset::new). Once the batch's buffers
/// have their size, reading allocates nothing but the list of weights, if there are weights.
///
/// ```
/// use plywood::ndarray::{Array1, array};
/// use plywood::prelude::*;
///
/// let data = ArrayDataset::new(array![[0u8, 255], [51, 102]], Array1::from(vec![1.0f32, 2.0]))?
///     .scale(2.0 / 255.0)
///     .offset(-1.0)
///     .weights(vec![1.0, 0.5])?;
/// let mut batch = Batch::<f32, Tensor>::default();
/// data.read(&[1, 0], Pass::Evaluate, &mut batch)?;
/// assert!((batch.input[[0, 0]] - -0.6).abs() < 1e-6 && batch.input[[1, 1]] == 1.0);
/// assert_eq!((batch.target[[0]], batch.weights), (2.0, Some(vec![0.5, 1.0])));
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ArrayDataset<E, T> {
    /// In standard layout, so that a sample is one slice.
    inputs: ArrayD<E>,
    targets: T,
    /// Kept in `f64`, as the data set does not know the model's element type.
    weights: Option<Vec<f64>>,
    /// The default is 1.
    scale: f64,
    /// The default is 0.
    offset: f64,
    /// Empty by default.
    names: Vec<String>,
    /// The names of the inputs' columns, if they come from a table; used in error messages.
    columns: Vec<String>,
    /// Remarks from the reader of a file.
    remarks: Vec<String>,
}

/// Labelled images in memory: bytes `[samples, height, width]`, and a class for each. This is the type that
/// [`garments`](super::synthetic::garments), `datasets::fashion_mnist` and `datasets::mnist` return.
///
/// ```
/// use plywood::ndarray::Array3;
/// use plywood::prelude::*;
///
/// let images: plywood::data::Images =
///     ArrayDataset::new(Array3::<u8>::zeros((5, 28, 28)), vec![0, 1, 2, 3, 4])?.scale(1.0 / 255.0);
/// assert_eq!(images.first(2).len(), 2);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// 60,000 images of 28 x 28 take 47 MB, and their labels 0.5 MB.
pub type Images = ArrayDataset<u8, Vec<usize>>;

impl<E: Element, T: Targets> ArrayDataset<E, T> {
    /// Makes a data set of these inputs and targets: target `i` belongs to input `i`.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let error = ArrayDataset::new(plywood::ndarray::Array2::<f32>::zeros((3, 4)), vec![0, 1]).unwrap_err();
    /// assert_eq!(error.to_string(), "the number of targets must be 3, one for each sample, got 2. Give one \
    ///                                target for each sample.");
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// Labels are not checked here, because the number of classes belongs to the model; the loss reports labels out
    /// of range.
    ///
    /// # Errors
    /// When there are not as many targets as inputs, or the inputs have no axis 0.
    pub fn new<D: Dimension>(inputs: Array<E, D>, targets: T) -> Result<Self> {
        let inputs = inputs.into_dyn();
        let inputs =
            if inputs.is_standard_layout() { inputs } else { inputs.as_standard_layout().into_owned() };
        let Some(&samples) = inputs.shape().first() else {
            return Err(
                Error::shape("the inputs", "[samples, …]", inputs.shape()).help("Axis 0 counts the samples.")
            );
        };
        let count = targets.count();
        if count != samples {
            return Err(Error::data(
                "the number of targets",
                format!("be {samples}, one for each sample"),
                count,
            )
            .help("Give one target for each sample."));
        }
        Ok(Self {
            inputs,
            targets,
            weights: None,
            scale: 1.0,
            offset: 0.0,
            names: Vec::new(),
            columns: Vec::new(),
            remarks: Vec::new(),
        })
    }

    /// Sets the factor that each stored number is multiplied by when it is read: `1.0 / 255.0` for bytes.
    ///
    /// Without it, bytes are read as numbers up to 255, on which training usually diverges.
    #[must_use]
    pub fn scale(mut self, scale: f64) -> Self {
        self.scale = scale;
        self
    }

    /// Sets the number that is added to each value after scaling.
    ///
    /// A scale of `2.0 / 255.0` and an offset of -1 map bytes to numbers from -1 to 1.
    #[must_use]
    pub fn offset(mut self, offset: f64) -> Self {
        self.offset = offset;
        self
    }

    /// Sets a weight for each sample.
    ///
    /// Weights count in losses and metrics, in training and in evaluation. For classes of unequal size, the weight
    /// `samples / (classes · size of the class)` gives each class the same total weight.
    ///
    /// # Errors
    /// When there are not as many weights as samples, or one is below 0 or not finite.
    pub fn weights(mut self, weights: Vec<f64>) -> Result<Self> {
        if weights.len() != self.inputs.shape()[0] {
            let expected = format!("be {}, one for each sample", self.inputs.shape()[0]);
            return Err(Error::data("the number of weights", expected, weights.len())
                .help("Give one weight for each sample."));
        }
        if let Some(i) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
            return Err(Error::data(
                format!("the weight of sample {i}"),
                "be finite and at least 0",
                weights[i],
            )
            .help("A weight of 0 leaves a sample out."));
        }
        self.weights = Some(weights);
        Ok(self)
    }

    /// Sets the names of the classes, in the order of their indices; reports use them.
    ///
    /// The number of names is not checked; names beyond the model's classes are not used.
    #[must_use]
    pub fn with_class_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Returns the names of the classes; empty by default.
    pub fn class_names(&self) -> &[String] {
        &self.names
    }

    /// Returns the remarks on data that were read from a file ([`Dataset::remarks`]); empty for other data.
    ///
    /// They name rows or columns that were left out, and classes that look like missing values. `fit` prints them.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Replaces the remarks, for data derived from what was read: `data.with_remarks(texts.remarks())`.
    #[must_use]
    pub fn with_remarks<S: Into<String>>(mut self, remarks: impl IntoIterator<Item = S>) -> Self {
        self.remarks = remarks.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the names of the inputs' columns.
    pub(super) fn with_columns(self, columns: Vec<String>) -> Self {
        Self { columns, ..self }
    }

    /// Returns the number of samples.
    ///
    /// Unlike [`Dataset::len`], it needs no element type.
    pub fn len(&self) -> usize {
        self.inputs.shape()[0]
    }

    /// Returns whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the inputs as they are stored, `[samples, …]`.
    ///
    /// Scale and offset are not applied.
    pub fn inputs(&self) -> &ArrayD<E> {
        &self.inputs
    }

    /// Returns the targets as they are stored.
    ///
    /// For labels, `data.targets()[i]` is the class of sample `i`.
    pub fn targets(&self) -> &T {
        &self.targets
    }

    /// Keeps the first `count` samples.
    ///
    /// All are kept if `count` is larger than their number. For another part, or one that shares memory with the
    /// whole, see [`Subset`](crate::data::Subset).
    #[must_use]
    pub fn first(self, count: usize) -> Self {
        let count = count.min(self.inputs.shape()[0]);
        let inputs = self.inputs.slice_axis(Axis(0), (..count).into()).to_owned();
        let weights = self.weights.map(|w| w[..count].to_vec());
        Self { inputs, targets: self.targets.first(count), weights, ..self }
    }
}

/// Returns an error if a number is finite as stored, as an `E`, but overflowed when it was read into a smaller type.
/// `stored` returns the stored number at a position of `read`; `columns` are the names of a sample's numbers, if they
/// have any.
pub(super) fn check_read<E: Element, F: Scalar>(
    read: &[F],
    indices: &[usize],
    columns: &[String],
    stored: impl Fn(usize) -> f64,
) -> Result<()> {
    if size_of::<E>() <= size_of::<F>() || F::all_finite(read) {
        return Ok(());
    }
    // If the stored number is not finite either, the trainer's own check names the sample.
    let too_large = |&i: &usize| !read[i].is_finite() && stored(i).is_finite();
    let Some(i) = (0..read.len()).find(too_large) else { return Ok(()) };
    let numbers = read.len() / indices.len().max(1);
    let (number, sample) = (i % numbers, indices[i / numbers]);
    let what = match columns.get(number) {
        Some(name) => format!("column {:?} of sample {sample}", cut(name)),
        None => format!("number {number} of sample {sample}"),
    };
    Err(Error::data(what, format!("be finite in {}", F::NAME), format!("{:?}", stored(i)))
        .help("Give such numbers in a larger unit, or train a model of `f64`."))
}

impl<F: Scalar, E: Element, T: Targets> Dataset<F> for ArrayDataset<E, T> {
    type Target = T::Batch;

    fn len(&self) -> usize {
        self.inputs.shape()[0]
    }

    fn input_shape(&self) -> &[usize] {
        &self.inputs.shape()[1..]
    }

    fn class_names(&self) -> &[String] {
        &self.names
    }

    fn remarks(&self) -> &[String] {
        &self.remarks
    }

    fn is_finite(&self) -> bool {
        E::LARGEST.is_some_and(|largest| F::of(largest * self.scale.abs() + self.offset.abs()).is_finite())
    }

    fn read(&self, indices: &[usize], _: Pass, batch: &mut Batch<F, T::Batch>) -> Result<()> {
        let shape = &self.inputs.shape()[1..];
        check_indices(indices, self.inputs.shape()[0])?;
        let columns: usize = shape.iter().product();
        let (scale, offset) = (F::of(self.scale), F::of(self.offset));
        let values = self.inputs.as_slice().unwrap_or_default();
        let out = batch.input_mut(indices.len(), shape);
        // Split by rows: the time goes into waiting for scattered rows to arrive from memory, and each thread waits
        // for its own.
        let share = indices.len().div_ceil(threads::parts(out.len(), LEAST_NUMBERS)).max(1);
        let parts = indices.chunks(share).zip(out.chunks_mut((share * columns).max(1)));
        threads::each(parts, |(rows, out)| E::rows(values, rows, columns, scale, offset, out));
        let stored = |i: usize| values[indices[i / columns] * columns + i % columns].exact();
        check_read::<E, F>(slice(&batch.input), indices, &self.columns, stored)?;
        self.read_targets(indices, batch).map(drop)
    }

    fn read_targets(&self, indices: &[usize], batch: &mut Batch<F, T::Batch>) -> Result<bool> {
        check_indices(indices, self.inputs.shape()[0])?;
        self.targets.gather(indices, &mut batch.target);
        match &self.weights {
            None => batch.weights = None,
            Some(weights) => {
                let batch = batch.weights.get_or_insert_default();
                batch.clear();
                batch.extend(indices.iter().map(|&i| F::of(weights[i])));
                if let Some(at) = batch.iter().position(|weight| !weight.is_finite()) {
                    let (sample, expected) = (indices[at], format!("be finite in {}", F::NAME));
                    let found = format!("{:?}", weights[sample]);
                    return Err(Error::data(format!("the weight of sample {sample}"), expected, found)
                        .help("Only their ratios count: divide all weights by their mean."));
                }
            }
        }
        Ok(true)
    }
}
