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
use super::stored::Stored;
use super::targets::{Targets, check_weights, read_weights};
use super::{Batch, Dataset, InputShapes, Pass, check_indices};
use crate::error::Result;
use crate::kernels::Scalar;
use ndarray::{Array, ArrayD, Dimension};

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
/// assert!((batch.inputs[0][[0, 0]] - -0.6).abs() < 1e-6 && batch.inputs[0][[1, 1]] == 1.0);
/// assert_eq!((batch.target[[0]], batch.weights), (2.0, Some(vec![0.5, 1.0])));
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ArrayDataset<E, T> {
    inputs: Stored<E>,
    targets: T,
    /// Kept in `f64`, as the data set does not know the model's element type.
    weights: Option<Vec<f64>>,
    /// Empty by default.
    names: Vec<String>,
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
        let inputs = Stored::new("the inputs", inputs)?;
        targets.check(inputs.len())?;
        Ok(Self { inputs, targets, weights: None, names: Vec::new(), remarks: Vec::new() })
    }

    /// Sets the factor that each stored number is multiplied by when it is read: `1.0 / 255.0` for bytes.
    ///
    /// Without it, bytes are read as numbers up to 255, on which training usually diverges.
    #[must_use]
    pub fn scale(mut self, scale: f64) -> Self {
        self.inputs.scale = scale;
        self
    }

    /// Sets the number that is added to each value after scaling.
    ///
    /// A scale of `2.0 / 255.0` and an offset of -1 map bytes to numbers from -1 to 1.
    #[must_use]
    pub fn offset(mut self, offset: f64) -> Self {
        self.inputs.offset = offset;
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
        check_weights(&weights, self.len())?;
        self.weights = Some(weights);
        Ok(self)
    }

    /// Sets the names of the classes, in the order of their indices; reports use them.
    ///
    /// The number of names is not checked; names beyond the model's classes are not used.
    #[must_use]
    pub fn with_class_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        const { assert!(!T::NAMED, "targets by name have class names of their own: `TargetArrays::class_names`") };
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
        let mut data = self;
        data.inputs.columns = columns;
        data
    }

    /// Returns the number of samples.
    ///
    /// Unlike [`Dataset::len`], it needs no element type.
    pub fn len(&self) -> usize {
        self.inputs.len()
    }

    /// Returns whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the inputs as they are stored, `[samples, …]`.
    ///
    /// Scale and offset are not applied.
    pub fn inputs(&self) -> &ArrayD<E> {
        self.inputs.array()
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
        let count = count.min(self.len());
        let inputs = self.inputs.first(count);
        let weights = self.weights.map(|w| w[..count].to_vec());
        Self { inputs, targets: self.targets.first(count), weights, ..self }
    }
}

impl<F: Scalar, E: Element, T: Targets> Dataset<F> for ArrayDataset<E, T> {
    type Target = T::Batch;

    fn len(&self) -> usize {
        self.inputs.len()
    }

    fn input_shapes(&self) -> InputShapes<'_> {
        InputShapes::One(self.inputs.shape())
    }

    fn class_names(&self) -> &[String] {
        &self.names
    }

    fn class_names_of(&self, target: &str) -> &[String] {
        self.targets.class_names_of(target)
    }

    fn remarks(&self) -> &[String] {
        &self.remarks
    }

    fn is_finite(&self) -> bool {
        self.inputs.is_finite::<F>()
    }

    fn read(&self, indices: &[usize], _: Pass, batch: &mut Batch<F, T::Batch>) -> Result<()> {
        check_indices(indices, self.inputs.len())?;
        self.inputs.read(indices, batch.input_mut(indices.len(), self.inputs.shape()))?;
        self.read_targets(indices, batch).map(drop)
    }

    fn read_targets(&self, indices: &[usize], batch: &mut Batch<F, T::Batch>) -> Result<bool> {
        check_indices(indices, self.inputs.len())?;
        self.targets.gather(indices, &mut batch.target);
        read_weights(self.weights.as_deref(), indices, &mut batch.weights)?;
        Ok(true)
    }
}
