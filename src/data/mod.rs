//! Data sets: where batches come from.
//!
//! A [`Dataset`] says how many samples it has, of which shape, and reads any of them into a [`Batch`]. It is not an
//! iterator: the trainer says which positions it wants, so shuffling, splitting and resuming are lists of numbers,
//! and need no buffer.
//!
//! | data | |
//! |---|---|
//! | arrays in memory | [`ArrayDataset`], [`Images`] |
//! | tables in CSV files | [`TableCsv`], [`TableStream`]; [`Normalizer`] |
//! | texts | [`Tokenizer`], [`Vocabulary`], [`LabelledTexts`]; `TextCsv` (feature `csv`) |
//! | images in folders | `ImageFolder` (feature `images`) |
//! | Fashion-MNIST and MNIST | `datasets`, `idx`, `IdxStream` (feature `datasets`) |
//! | drawn images, without files | [`synthetic`] |
//! | a source of your own | [`Dataset`], which fills a [`Batch`] for a [`Pass`] |
//!
//! | around another data set | |
//! |---|---|
//! | a part of it | [`Subset`]; [`split_at`], [`random_split`], [`stratified_split`] |
//! | folds of cross-validation | [`KFold`], [`StratifiedKFold`], [`HoldOut`], [`StratifiedHoldOut`] |
//! | random changes to images in training | [`Augmented`] with an [`Augment`] |
//! | samples mixed with one another, classes as probabilities | [`MixUp`], [`OneHot`] |
//!
//! Data in memory are not read ahead on other threads: there, reading a batch is a copy. A data set that reads files
//! says by [`Dataset::prefetch`] that `fit` should read the next batches while one trains.

// | file | what is in it |
// |---|---|
// | `mod.rs` | `Dataset`, `Batch`, `Pass` |
// | `arrays.rs`, `element.rs` | `ArrayDataset`, and the types that inputs are stored as |
// | `subset.rs`, `splits.rs`, `hold_out.rs` | parts of data sets, folds |
// | `augment/`, `one_hot.rs` | what is drawn anew in each epoch; classes as probabilities |
// | `normalizer.rs` | fitted on the training part, applied to all |
// | `text/`, `csv/`, `class_names.rs` | texts, tables, and the names of classes in them |
// | `image_folder.rs`, `image_file.rs` | PNG and JPEG files in folders by class |
// | `datasets/`, `idx/` | Fashion-MNIST and MNIST: where from, which checks, their file format |
// | `synthetic/` | drawn pictures |
// | `gzip.rs`, `file.rs` | what is in a compressed file; files that are read at any place |

mod arrays;
mod augment;
mod class_names;
mod csv;
#[cfg(feature = "datasets")]
pub mod datasets;
mod element;
mod file;
#[cfg(any(feature = "csv", feature = "datasets", feature = "plots"))]
mod gzip;
mod hold_out;
#[cfg(feature = "datasets")]
pub mod idx;
#[cfg(feature = "images")]
mod image_file;
#[cfg(feature = "images")]
mod image_folder;
mod normalizer;
mod one_hot;
mod splits;
mod subset;
pub mod synthetic;
mod text;

pub use arrays::{ArrayDataset, Images, Targets};
pub use augment::{Augment, Augmented, MixUp};
pub use csv::{TableCsv, TableStream};
#[cfg(feature = "csv")]
pub use csv::{TextCsv, TextRows};
pub use element::Element;
pub use hold_out::{HoldOut, StratifiedHoldOut};
#[cfg(feature = "datasets")]
pub use idx::IdxStream;
#[cfg(feature = "images")]
pub use image_folder::{ImageFiles, ImageFolder};
pub use normalizer::{Normalized, Normalizer, NormalizerSpec};
pub use one_hot::OneHot;
pub use splits::{Fold, Folds, KFold, StratifiedKFold, stratified_split};
pub use subset::{Subset, random_split, split_at};
pub use text::{LabelledTexts, Tokenizer, Vocabulary, VocabularySpec};

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::{Tensor, scratch, slice_mut};
use ndarray::{Dimension, IxDyn};

/// What a batch is read for.
///
/// It is part of [`Dataset::read`]'s arguments so that augmentation belongs to the data set, and cannot be left on
/// at evaluation by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Training, in this epoch (from 0): the time for augmentation, drawn by epoch and sample.
    Train {
        /// The epoch, from 0, over all calls of the trainer's `fit`.
        epoch: u64,
    },
    /// Evaluation or prediction: the samples as they are.
    Evaluate,
}

/// Some samples, as a model and a loss take them. It is filled again and again, so its buffers are reused.
///
/// Axis 0 of `input`, of `target` and of `weights` has the same length, one for each sample.
#[derive(Clone, Debug)]
pub struct Batch<F: Scalar, T> {
    /// The inputs, `[batch, …]`. The trainer takes them out, as the model takes them over.
    pub input: Tensor<F>,
    /// The targets: class indices as `Vec<usize>`, or numbers as a tensor.
    pub target: T,
    /// A weight for each sample, at least 0; none for equal weights.
    pub weights: Option<Vec<F>>,
}

/// A batch of no samples, to be read into.
impl<F: Scalar, T: Default> Default for Batch<F, T> {
    fn default() -> Self {
        Self { input: Tensor::zeros(IxDyn(&[0])), target: T::default(), weights: None }
    }
}

impl<F: Scalar, T> Batch<F, T> {
    /// Makes room for this many samples of this shape, and hands out all their numbers, to be overwritten: row after
    /// row, each in row-major order.
    ///
    /// The buffer that is there is used again if it has this shape; else one comes out of the thread's spare
    /// buffers. What it held is not cleared.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let mut batch = Batch::<f32, Vec<usize>>::default();
    /// for (i, number) in batch.input_mut(2, &[3]).iter_mut().enumerate() {
    ///     *number = i as f32;
    /// }
    /// assert_eq!(batch.input.shape(), [2, 3]);
    /// assert_eq!(batch.input[[1, 0]], 3.0);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn input_mut(&mut self, samples: usize, shape: &[usize]) -> &mut [F] {
        let found = self.input.shape();
        if found.is_empty() || found[0] != samples || found[1..] != *shape || !self.input.is_standard_layout()
        {
            let mut whole = IxDyn::zeros(1 + shape.len());
            whole[0] = samples;
            whole.slice_mut()[1..].copy_from_slice(shape);
            self.input = scratch(whole.slice());
        }
        slice_mut(&mut self.input)
    }

    /// Hands the input over and leaves an empty one.
    ///
    /// Targets and weights stay, for the loss.
    pub fn take_input(&mut self) -> Tensor<F> {
        std::mem::replace(&mut self.input, Tensor::zeros(IxDyn(&[0])))
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
///
/// It is the counterpart of PyTorch's `Dataset` and of Keras' `PyDataset`. It reads batches and not single samples,
/// so that a batch can be one copy or one query; there is no collating.
///
/// The trait is [`Sync`] because evaluation reads from several threads at once.
pub trait Dataset<F: Scalar = f32>: Sync {
    /// The targets of a batch: `Vec<usize>` for class indices, [`Tensor<F>`](Tensor) for numbers.
    ///
    /// For a loss to take it, it must be [`AsTarget`](crate::losses::AsTarget) of the loss's target.
    type Target: Default + Send;

    /// How many samples there are. It must not change while the data set is in use.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of one input, without the batch axis.
    ///
    /// It must be that which the model was built for: `[28, 28]` for images of 28 x 28.
    fn input_shape(&self) -> &[usize];

    /// The names of the classes, in the order of their indices, where there are any; reports use them.
    fn class_names(&self) -> &[String] {
        &[]
    }

    /// What is to be said of the data before they are trained on: rows, columns or files that were left out,
    /// classes that read like missing values. `fit` prints it, unless it is silent; nothing, unless it is written.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let file = ",size,kind\n0,3,a\n1,4,NA\n";
    /// let data = TableCsv::target("kind").read_labelled_from::<f32>(file.as_bytes(), "f.csv")?;
    /// assert_eq!(data.inputs().shape(), [2, 1]);
    /// assert_eq!(
    ///     data.remarks(),
    ///     [
    ///         "f.csv: column 1 (\"\") is left out: it has no name, as an index that was written along. \
    ///          Name the columns to be read by `inputs` if it is more.",
    ///         "f.csv: \"NA\" is a class, of 1 row, and reads like a missing value; `missing([\"NA\"])` counts it as one, \
    ///          and a list of `classes` with it says that it is none.",
    ///     ]
    /// );
    /// # Ok::<(), plywood::Error>(())
    /// ```
    fn remarks(&self) -> &[String] {
        &[]
    }

    /// How many batches `fit` may read ahead, on a thread of its own, while others train.
    ///
    /// 0 unless written, which is right for data in memory. A data set that waits for a disk, or decodes what it
    /// reads, returns 2 or so; `fit` makes use of it where reading turns out to take more than a third of the time.
    /// [`Trainer::prefetch`](crate::train::Trainer::prefetch) overrides it, and is done from the first batch on.
    fn prefetch(&self) -> usize {
        0
    }

    /// Whether every input is finite, whatever is read. The default is `false`.
    ///
    /// Training and evaluation look at each input for NaN and infinity, which takes about a hundredth of a small
    /// network's step. For data that cannot hold them, bytes with a finite scale, it is left out. A data set around
    /// another one that keeps numbers finite hands its answer on.
    fn is_finite(&self) -> bool {
        false
    }

    /// Reads the samples at these positions, in this order, into the batch; whatever it held is overwritten.
    ///
    /// Positions may come in any order, and more than once. After it the batch has `indices.len()` inputs, targets
    /// and weights, or `None` for weights.
    ///
    /// What differs from sample to sample at random (noise, a shift) should be drawn from a
    /// [`Random`](crate::random::Random) at (epoch, sample), so that neither the order nor the number of threads
    /// matters:
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// /// Adds noise in training.
    /// struct Noisy<D>(D, Random);
    ///
    /// impl<D: Dataset> Dataset for Noisy<D> {
    ///     type Target = D::Target;
    ///     fn len(&self) -> usize {
    ///         self.0.len()
    ///     }
    ///     fn input_shape(&self) -> &[usize] {
    ///         self.0.input_shape()
    ///     }
    ///     fn read(&self, indices: &[usize], pass: Pass, batch: &mut Batch<f32, D::Target>) -> Result<()> {
    ///         self.0.read(indices, pass, batch)?;
    ///         if let Pass::Train { epoch } = pass {
    ///             for (mut row, &i) in batch.input.outer_iter_mut().zip(indices) {
    ///                 let mut draws = self.1.at(epoch, i as u64);
    ///                 row.mapv_inplace(|x| x + draws.uniform(-0.1, 0.1) as f32);
    ///             }
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let plain = ArrayDataset::new(plywood::ndarray::Array2::<f32>::zeros((4, 2)), vec![0; 4])?;
    /// let (noisy, mut a, mut b) = (Noisy(plain, Random::seed(1)), Batch::default(), Batch::default());
    /// noisy.read(&[0, 3], Pass::Train { epoch: 2 }, &mut a)?;
    /// noisy.read(&[3], Pass::Train { epoch: 2 }, &mut b)?;
    /// assert!(a.input[[1, 0]] != 0.0 && a.input[[1, 0]] == b.input[[0, 0]]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a position is out of range, or the samples cannot be read.
    fn read(&self, indices: &[usize], pass: Pass, batch: &mut Batch<F, Self::Target>) -> Result<()>;

    /// Reads targets and weights of the samples at these positions, as [`read`](Dataset::read) for [`Pass::Evaluate`],
    /// and leaves the inputs. Returns whether it did; the default does nothing and returns `false`. Write it where
    /// targets can be had much more cheaply than inputs.
    ///
    /// Training then looks at all targets before the first step: a label that the model has no output for is found at
    /// once, and not in the third hour.
    ///
    /// # Errors
    /// As [`read`](Dataset::read).
    fn read_targets(&self, indices: &[usize], batch: &mut Batch<F, Self::Target>) -> Result<bool> {
        let _ = (indices, batch);
        Ok(false)
    }
}

/// A reference is a data set too, so that a [`Subset`] may borrow or own.
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

    fn remarks(&self) -> &[String] {
        (**self).remarks()
    }

    fn prefetch(&self) -> usize {
        (**self).prefetch()
    }

    fn is_finite(&self) -> bool {
        (**self).is_finite()
    }

    fn read(&self, indices: &[usize], pass: Pass, batch: &mut Batch<F, Self::Target>) -> Result<()> {
        (**self).read(indices, pass, batch)
    }

    fn read_targets(&self, indices: &[usize], batch: &mut Batch<F, Self::Target>) -> Result<bool> {
        (**self).read_targets(indices, batch)
    }
}

/// Checks that every position is one of a data set's samples.
///
/// For the data sets of this crate, before anything is read.
fn check_indices(indices: &[usize], len: usize) -> Result<()> {
    match indices.iter().find(|&&i| i >= len) {
        None => Ok(()),
        Some(i) => {
            Err(Error::data("the position of a sample", format!("be below {len}, the number of samples"), i)
                .help("Positions count from 0."))
        }
    }
}
