//! Data sets: the sources of batches.
//!
//! A [`Dataset`] has a number of samples and a shape, and reads any of its samples into a [`Batch`]. It is not an
//! iterator: the trainer asks for samples by position, so shuffling, splitting and resuming are operations on lists
//! of positions and need no buffer.
//!
//! | data | |
//! |---|---|
//! | arrays in memory | [`ArrayDataset`], [`Images`]; with several inputs or outputs [`Arrays`], [`TargetArrays`] |
//! | tables as they are, of columns with gaps | [`Table`]; out of CSV files by [`Table::csv`], [`Csv`] |
//! | tables of numbers in CSV files | [`TableCsv`], [`TableStream`]; [`Normalizer`] |
//! | texts | [`Tokenizer`], [`Vocabulary`], [`LabelledTexts`]; `TextCsv` (feature `csv`) |
//! | images in folders | `ImageFolder` (feature `images`) |
//! | an image in memory | [`Pixels`] |
//! | Fashion-MNIST and MNIST | `datasets`, `idx`, `IdxStream` (feature `datasets`) |
//! | NumPy's arrays | `npy` (feature `npy`) |
//! | synthetic images, without files | [`synthetic`] |
//! | a custom source | [`Dataset`], which fills a [`Batch`] for a [`Pass`] |
//!
//! | around another data set | |
//! |---|---|
//! | a part of it | [`Subset`]; [`split_at`], [`random_split`], [`stratified_split`] |
//! | folds of cross-validation | [`KFold`], [`StratifiedKFold`], [`HoldOut`], [`StratifiedHoldOut`] |
//! | random changes to images in training | [`Augmented`] with an [`Augment`] |
//! | mixtures of samples, classes as probabilities | [`MixUp`], [`OneHot`] |
//! | some of several inputs, one of several targets | [`SomeInputs`], [`OneTarget`] |
//!
//! Data in memory are not prefetched on other threads, because reading a batch is only a copy. A data set that reads
//! files requests prefetching with [`Dataset::prefetch`]: `fit` then reads the next batches while it trains on the
//! current one.

// | file | what is in it |
// |---|---|
// | `mod.rs` | `Dataset`, `Pass` |
// | `batch.rs`, `input_shapes.rs`, `feed.rs` | `Batch`; what inputs there are, and which input of a model takes each |
// | `arrays.rs`, `stored.rs`, `element.rs` | `ArrayDataset`, and the types that inputs are stored as |
// | `named_arrays.rs`, `targets.rs`, `target_arrays.rs` | `Arrays` of several inputs; targets in memory |
// | `subset.rs`, `splits.rs`, `hold_out.rs` | parts of data sets, folds |
// | `augment/`, `one_hot.rs` | random changes, drawn anew in each epoch; classes as probabilities |
// | `normalizer/` | normalization, fitted on the training part and applied to all |
// | `text/`, `csv/`, `class_names.rs` | texts, tables, and the names of classes in them |
// | `image_folder.rs`, `pixels/` | PNG and JPEG files in folders by class; images in memory, decoded and converted to inputs |
// | `table/` | tables of columns of any type, out of CSV files as they are |
// | `npy/` | NumPy's files |
// | `datasets/`, `idx/` | Fashion-MNIST and MNIST: download, checks, file format |
// | `synthetic/` | synthetic images |
// | `gzip.rs`, `file.rs` | decompression; files that are read at any offset |

mod arrays;
mod augment;
mod batch;
mod class_names;
mod csv;
#[cfg(feature = "datasets")]
pub mod datasets;
mod element;
pub(crate) mod feed;
mod file;
#[cfg(any(feature = "csv", feature = "datasets", feature = "plots"))]
mod gzip;
mod hold_out;
#[cfg(feature = "datasets")]
pub mod idx;
#[cfg(feature = "images")]
mod image_folder;
mod input_shapes;
mod named_arrays;
mod normalizer;
#[cfg(feature = "npy")]
pub mod npy;
mod one_hot;
mod one_target;
pub(crate) mod pixels;
mod some_inputs;
mod splits;
mod stored;
mod subset;
pub mod synthetic;
mod table;
mod target_arrays;
mod targets;
mod text;

pub use crate::target::{ClassTargets, MixedTargets, NamedTargets, OfName};
pub use arrays::{ArrayDataset, Images};
pub use augment::{Augment, Augmented, MixUp};
pub use batch::Batch;
pub use csv::{TableCsv, TableStream};
#[cfg(feature = "csv")]
pub use csv::{TextCsv, TextRows};
pub use element::Element;
pub use hold_out::{HoldOut, StratifiedHoldOut};
#[cfg(feature = "datasets")]
pub use idx::IdxStream;
#[cfg(feature = "images")]
pub use image_folder::{ImageFiles, ImageFolder};
pub use input_shapes::InputShapes;
pub use named_arrays::{Arrays, ArraysBuilder};
pub use normalizer::{Normalized, Normalizer, NormalizerSpec};
pub use one_hot::OneHot;
pub use one_target::OneTarget;
pub(crate) use pixels::{Conversion, ImageForm};
pub use pixels::{Fit, ImageSource, Pixels};
pub use some_inputs::SomeInputs;
pub use splits::{Fold, Folds, KFold, StratifiedKFold, stratified_split};
pub use subset::{Subset, random_split, split_at};
pub use table::{Categories, Column, ColumnType, Csv, CsvForm, DateFormat, Table, TablePart, TablePieces};
pub(crate) use table::{date_parts, iso_date};
pub use target_arrays::{ClassIndices, TargetArrays};
pub use targets::Targets;
pub use text::{LabelledTexts, Tokenizer, Vocabulary, VocabularySpec};

use crate::error::{Error, Result};
use crate::kernels::Scalar;

/// The purpose a batch is read for.
///
/// It is an argument of [`Dataset::read`] so that augmentation belongs to the data set, and cannot be left on at
/// evaluation by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Training: samples are augmented, with random numbers that depend on the epoch and the sample.
    Train {
        /// The epoch, from 0, counted over all calls of the trainer's `fit`.
        epoch: u64,
    },
    /// Evaluation or prediction: samples are not changed.
    Evaluate,
}

/// A source of samples with targets, which are read by position.
///
/// [`ArrayDataset`] holds them in memory. Implement the trait for data that live elsewhere: files, a database, a
/// camera. Reading must depend on the arguments alone, so that training is reproducible from a seed.
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
///     fn input_shapes(&self) -> InputShapes<'_> {
///         InputShapes::One(&[4])
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
/// It corresponds to PyTorch's `Dataset` and Keras' `PyDataset`. It reads whole batches, not single samples, so that
/// a batch can be one copy or one query; there is no collating.
///
/// The trait is [`Sync`] because evaluation reads from several threads at once.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a data set for models of `{F}`",
    note = "arrays become one by `ArrayDataset::new(inputs, targets)?`, or by `Arrays::builder()`, with `.targets(..)?` at the end"
)]
pub trait Dataset<F: Scalar = f32>: Sync {
    /// The targets of a batch: `Vec<usize>` for class indices, [`Tensor<F>`](crate::Tensor) for numbers,
    /// [`NamedTargets<F>`](NamedTargets) for several outputs.
    ///
    /// It must implement [`AsTarget`](crate::losses::AsTarget) for the target type of the loss.
    type Target: Default + Send;

    /// Returns the number of samples. It must not change while the data set is in use.
    fn len(&self) -> usize;

    /// Returns whether there are no samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the shape of one sample's input, without the batch axis: `InputShapes::One(&[28, 28])` for images of 28 x
    /// 28. For several inputs, it returns their names and shapes: [`InputShapes`].
    ///
    /// They must be those that the model was built for.
    fn input_shapes(&self) -> InputShapes<'_>;

    /// Returns the names of the classes, in the order of their indices, if there are any; reports use them.
    fn class_names(&self) -> &[String] {
        &[]
    }

    /// Returns the names of the classes of one of several targets ([`NamedTargets`]), as
    /// [`class_names`](Dataset::class_names) does for the only one.
    fn class_names_of(&self, target: &str) -> &[String] {
        let _ = target;
        &[]
    }

    /// Returns the name of the target if it was chosen from several ([`OneTarget`]); a report of another output is then an
    /// error.
    fn target_name(&self) -> Option<&str> {
        None
    }

    /// Returns remarks that the user should see before training: rows, columns or files that were left out, classes
    /// that look like missing values. `fit` prints them, unless it is silent. The default is none.
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

    /// Returns the number of batches that `fit` may prefetch on a separate thread during training.
    ///
    /// The default is 0, which is right for data in memory. A data set that waits for a disk, or decodes what it
    /// reads, should return about 2; `fit` then prefetches if reading turns out to take more than a third of the
    /// time. [`Trainer::prefetch`](crate::train::Trainer::prefetch) overrides this number, and prefetches from the
    /// first batch on.
    fn prefetch(&self) -> usize {
        0
    }

    /// Returns whether every input is finite, whatever is read. The default is `false`.
    ///
    /// Training and evaluation check each input for NaN and infinity, which takes about a hundredth of a small
    /// network's step. The check is skipped if this returns `true`: for data that cannot hold such values, such as
    /// bytes with a finite scale. A data set that wraps another one and keeps numbers finite should return the inner
    /// one's answer.
    fn is_finite(&self) -> bool {
        false
    }

    /// Reads the samples at these positions, in this order, into the batch, and overwrites its contents.
    ///
    /// Positions may come in any order, and more than once. Afterwards the batch has `indices.len()` inputs, targets
    /// and weights; or `None` for the weights.
    ///
    /// Random changes of samples (noise, a shift) should be drawn from a [`Random`](crate::random::Random) at (epoch,
    /// sample), so that neither the order nor the number of threads matters:
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
    ///     fn input_shapes(&self) -> InputShapes<'_> {
    ///         self.0.input_shapes()
    ///     }
    ///     fn read(&self, indices: &[usize], pass: Pass, batch: &mut Batch<f32, D::Target>) -> Result<()> {
    ///         self.0.read(indices, pass, batch)?;
    ///         if let Pass::Train { epoch } = pass {
    ///             for (mut row, &i) in batch.inputs[0].outer_iter_mut().zip(indices) {
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
    /// assert!(a.inputs[0][[1, 0]] != 0.0 && a.inputs[0][[1, 0]] == b.inputs[0][[0, 0]]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a position is out of range, or the samples cannot be read.
    fn read(&self, indices: &[usize], pass: Pass, batch: &mut Batch<F, Self::Target>) -> Result<()>;

    /// Reads the targets and weights at these positions, as [`read`](Dataset::read) does for [`Pass::Evaluate`], but
    /// not the inputs. Returns whether it did; the default does nothing and returns `false`. Implement it if targets
    /// are much cheaper to read than inputs.
    ///
    /// Training then checks all targets before the first step, so that a label that the model has no output for is an
    /// error at once, and not hours later.
    ///
    /// # Errors
    /// As [`read`](Dataset::read).
    fn read_targets(&self, indices: &[usize], batch: &mut Batch<F, Self::Target>) -> Result<bool> {
        let _ = (indices, batch);
        Ok(false)
    }
}

/// A reference to a data set is a data set too, so that a [`Subset`] may borrow or own.
// A default method that is missing here would be called in place of the data set's own.
#[deny(clippy::missing_trait_methods)]
impl<F: Scalar, D: Dataset<F> + ?Sized> Dataset<F> for &D {
    type Target = D::Target;

    fn len(&self) -> usize {
        (**self).len()
    }

    fn is_empty(&self) -> bool {
        (**self).is_empty()
    }

    fn input_shapes(&self) -> InputShapes<'_> {
        (**self).input_shapes()
    }

    fn class_names(&self) -> &[String] {
        (**self).class_names()
    }

    fn class_names_of(&self, target: &str) -> &[String] {
        (**self).class_names_of(target)
    }

    fn target_name(&self) -> Option<&str> {
        (**self).target_name()
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

/// The methods of [`Dataset`] that a wrapper leaves to the data set in its field `data`: `pass_on!(len, remarks)`. Clippy's
/// `missing_trait_methods` sees to it that none is forgotten.
macro_rules! pass_on {
    ($($method:ident),+) => {
        $($crate::data::pass_on!(@ $method);)+
    };
    (@ len) => {
        fn len(&self) -> usize {
            self.data.len()
        }
    };
    (@ is_empty) => {
        fn is_empty(&self) -> bool {
            self.data.is_empty()
        }
    };
    (@ input_shapes) => {
        fn input_shapes(&self) -> $crate::data::InputShapes<'_> {
            self.data.input_shapes()
        }
    };
    (@ class_names) => {
        fn class_names(&self) -> &[String] {
            self.data.class_names()
        }
    };
    (@ class_names_of) => {
        fn class_names_of(&self, target: &str) -> &[String] {
            self.data.class_names_of(target)
        }
    };
    (@ target_name) => {
        fn target_name(&self) -> Option<&str> {
            self.data.target_name()
        }
    };
    (@ remarks) => {
        fn remarks(&self) -> &[String] {
            self.data.remarks()
        }
    };
    (@ prefetch) => {
        fn prefetch(&self) -> usize {
            self.data.prefetch()
        }
    };
    (@ is_finite) => {
        fn is_finite(&self) -> bool {
            self.data.is_finite()
        }
    }
}
pub(crate) use pass_on;

/// Returns an error if a position is not one of the data set's samples.
///
/// The data sets of this crate call it before they read.
pub(crate) fn check_indices(indices: &[usize], len: usize) -> Result<()> {
    match indices.iter().find(|&&i| i >= len) {
        None => Ok(()),
        Some(i) => {
            Err(Error::data("the position of a sample", format!("be below {len}, the number of samples"), i)
                .help("Positions count from 0."))
        }
    }
}
