//! Data sets: where batches come from.

mod arrays;
mod canvas;
#[cfg(feature = "datasets")]
mod checksum;
#[cfg(feature = "datasets")]
mod collection;
#[cfg(feature = "datasets")]
pub mod datasets;
#[cfg(feature = "download")]
mod download;
#[cfg(all(test, feature = "datasets"))]
mod fixtures;
pub mod garments;
#[cfg(feature = "datasets")]
pub mod idx;
mod subset;
mod tailor;

pub use arrays::{ArrayDataset, Element, Targets};
pub use subset::{Subset, random_split, split_at};

use crate::error::{Error, Result};
use crate::scalar::Scalar;
use crate::tensor::{Tensor, scratch, slice_mut};

/// Labelled images in memory: bytes `[samples, height, width]`, and a class for each. What
/// [`garments`](garments::garments), `datasets::fashion_mnist` and `datasets::mnist` return.
pub type Images = ArrayDataset<u8, Vec<usize>>;

/// What a batch is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Training, in this epoch (from 0): the time for augmentation, drawn by epoch and sample.
    Train {
        /// The epoch.
        epoch: u64,
    },
    /// Evaluation or prediction: the samples as they are.
    Evaluate,
}

/// Some samples, as a model and a loss take them. It is filled again and again, so its buffers are reused.
#[derive(Clone, Debug)]
pub struct Batch<F: Scalar, T> {
    /// `[batch, …]`.
    pub input: Tensor<F>,
    /// The targets: class indices as `Vec<usize>`, or numbers as a tensor.
    pub target: T,
    /// A weight for each sample, at least 0; none for equal weights.
    pub weights: Option<Vec<F>>,
}

impl<F: Scalar, T: Default> Default for Batch<F, T> {
    fn default() -> Self {
        Self { input: Tensor::zeros(vec![0]), target: T::default(), weights: None }
    }
}

impl<F: Scalar, T> Batch<F, T> {
    /// Makes room for this many samples of this shape, and hands out all their numbers, to be overwritten: row after
    /// row, each in row-major order.
    pub fn input_mut(&mut self, samples: usize, shape: &[usize]) -> &mut [F] {
        let found = self.input.shape();
        if found.is_empty() || found[0] != samples || found[1..] != *shape || !self.input.is_standard_layout()
        {
            let whole: Vec<usize> = [samples].into_iter().chain(shape.iter().copied()).collect();
            self.input = scratch(&whole);
        }
        slice_mut(&mut self.input)
    }

    /// Hands the input over and leaves an empty one.
    pub fn take_input(&mut self) -> Tensor<F> {
        std::mem::replace(&mut self.input, Tensor::zeros(vec![0]))
    }
}

/// A source of samples with targets: how many there are, and how to read some of them.
///
/// [`ArrayDataset`] has them in memory. Implement it for data that live elsewhere: files, a database, a camera.
/// Reading must depend on the arguments alone, so that a seed gives one result.
///
/// ```
/// use plywood::prelude::*;
///
/// /// The numbers 0, 1, 2, … and whether each is even: made when read.
/// struct Numbers;
///
/// impl Dataset for Numbers {
///     type Target = Vec<usize>;
///     fn len(&self) -> usize {
///         1000
///     }
///     fn input_shape(&self) -> &[usize] {
///         &[4]
///     }
///     fn read(&self, indices: &[usize], _: Pass, batch: &mut Batch<f32, Vec<usize>>) -> Result<()> {
///         let rows = batch.input_mut(indices.len(), &[4]).chunks_exact_mut(4);
///         for (row, &i) in rows.zip(indices) {
///             for (bit, x) in row.iter_mut().enumerate() {
///                 *x = (i >> bit & 1) as f32;
///             }
///         }
///         batch.target.clear();
///         batch.target.extend(indices.iter().map(|i| i % 2));
///         Ok(())
///     }
/// }
///
/// let mut model = Sequential::builder([4]).layer(Dense::units(2)).layer(Softmax).build()?;
/// let mut trainer = Trainer::new(CrossEntropy::default(), Adam::default()).epochs(3).learning_rate(0.05);
/// let history = trainer.progress(Progress::Silent).fit(&mut model, &Numbers)?;
/// assert!(history.last("loss").unwrap() < history.first("loss").unwrap());
/// # Ok::<(), plywood::Error>(())
/// ```
pub trait Dataset<F: Scalar = f32>: Sync {
    /// The targets of a batch: `Vec<usize>` for class indices, [`Tensor<F>`](Tensor) for numbers.
    type Target: Default + Send;

    /// How many samples there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of one input, without the batch axis.
    fn input_shape(&self) -> &[usize];

    /// The names of the classes, in the order of their indices, where there are any; reports use them.
    fn class_names(&self) -> &[String] {
        &[]
    }

    /// Reads the samples at these positions, in this order, into the batch; whatever it held is overwritten.
    ///
    /// # Errors
    /// When a position is out of range, or the samples cannot be read.
    fn read(&self, indices: &[usize], pass: Pass, batch: &mut Batch<F, Self::Target>) -> Result<()>;
}

impl<F: Scalar, D: Dataset<F> + ?Sized> Dataset<F> for &D {
    type Target = D::Target;

    fn len(&self) -> usize {
        (**self).len()
    }

    fn input_shape(&self) -> &[usize] {
        (**self).input_shape()
    }

    fn class_names(&self) -> &[String] {
        (**self).class_names()
    }

    fn read(&self, indices: &[usize], pass: Pass, batch: &mut Batch<F, Self::Target>) -> Result<()> {
        (**self).read(indices, pass, batch)
    }
}

/// Checks that every position is one of a data set's samples.
fn check_indices(indices: &[usize], len: usize) -> Result<()> {
    match indices.iter().find(|&&i| i >= len) {
        None => Ok(()),
        Some(i) => Err(Error::data("a sample's position", format!("below {len}, the number of samples"), i)
            .help("Positions count from 0.")),
    }
}
