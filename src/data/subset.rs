//! Parts of data sets.
//!
//! A part is a list of positions, 8 bytes each; no sample is copied. A part may be divided again.

use super::pass_on;
use super::{Batch, Dataset, Pass, check_indices};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::random::Random;

/// Some samples of a data set, in any order.
///
/// ```
/// use plywood::prelude::*;
/// use plywood::data::Subset;
///
/// // Cross-validation in five folds: every fifth sample, beginning with each of the first five.
/// let data = ArrayDataset::new(plywood::ndarray::Array2::<f32>::zeros((20, 2)), vec![0; 20])?;
/// for fold in 0..5 {
///     let (held_out, rest): (Vec<usize>, Vec<usize>) = (0..20).partition(|i| i % 5 == fold);
///     let (train, validation) = (Subset::new::<f32>(&data, rest)?, Subset::new::<f32>(&data, held_out)?);
///     assert_eq!((train.indices().len(), validation.indices()[1]), (16, 5 + fold));
/// }
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Positions in the part count from 0: sample `i` of the part is sample `indices()[i]` of the whole. PyTorch's
/// `Subset` does the same.
#[derive(Clone, Debug)]
pub struct Subset<D> {
    /// The whole, or a reference to it.
    data: D,
    /// All are below the length of the whole.
    indices: Vec<usize>,
}

impl<D> Subset<D> {
    /// Makes a subset of positions that are known to be in range.
    pub(super) fn of(data: D, indices: Vec<usize>) -> Self {
        Self { data, indices }
    }

    /// Selects the samples of `data` at these positions; a position may occur more than once. `data` may be a
    /// reference.
    ///
    /// Name the element type if the data set leaves it open, as [`ArrayDataset`](crate::data::ArrayDataset) does:
    /// `Subset::new::<f32>(…)`.
    ///
    /// # Errors
    /// When a position is out of range.
    pub fn new<F: Scalar>(data: D, indices: Vec<usize>) -> Result<Self>
    where
        D: Dataset<F>,
    {
        check_indices(&indices, data.len())?;
        Ok(Self { data, indices })
    }

    /// Returns the positions in the whole data set.
    ///
    /// They are in the order of the part.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }
}

#[deny(clippy::missing_trait_methods)]
impl<F: Scalar, D: Dataset<F>> Dataset<F> for Subset<D> {
    type Target = D::Target;

    pass_on!(input_shapes, class_names, class_names_of, target_name, remarks, prefetch, is_finite);

    fn len(&self) -> usize {
        self.indices.len()
    }

    fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    fn read(&self, indices: &[usize], pass: Pass, batch: &mut Batch<F, D::Target>) -> Result<()> {
        check_indices(indices, self.indices.len())?;
        let indices: Vec<usize> = indices.iter().map(|&i| self.indices[i]).collect();
        self.data.read(&indices, pass, batch)
    }

    fn read_targets(&self, indices: &[usize], batch: &mut Batch<F, D::Target>) -> Result<bool> {
        check_indices(indices, self.indices.len())?;
        let indices: Vec<usize> = indices.iter().map(|&i| self.indices[i]).collect();
        self.data.read_targets(&indices, batch)
    }
}

/// Returns the number of samples in the first part, `samples - share · samples`, rounded as Keras does.
///
/// It is `samples · (1 - share)`, computed in `f64` and rounded down. Rounding in `1 - share` can cost one sample: of
/// ten samples, a share of 0.9 leaves `10 · 0.0999…`, which rounds down to 0.
pub(super) fn first_part(samples: usize, share: f64) -> Result<usize> {
    if !(share > 0.0 && share < 1.0) {
        return Err(Error::argument("the share of the second part", "above 0 and below 1", share)
            .help("0.2 puts every fifth sample into the second part."));
    }
    let first = (samples as f64 * (1.0 - share)).floor() as usize;
    if first == 0 || first == samples {
        return Err(Error::data(
            "the samples",
            "be enough for both parts",
            format!("{samples} in all and a share of {share}"),
        )
        .help("Use more samples or another share."));
    }
    Ok(first)
}

/// Splits a data set without changing its order: the last `share` of the samples make the second part, as in Keras'
/// `validation_split`.
///
/// ```
/// use plywood::prelude::*;
///
/// let data = ArrayDataset::new(plywood::ndarray::Array2::<f32>::zeros((7, 2)), vec![0; 7])?;
/// let (first, second) = plywood::data::split_at::<f32, _>(&data, 0.25)?; // 5.25 samples, so 5
/// assert_eq!((first.indices(), second.indices()), (&[0, 1, 2, 3, 4][..], &[5, 6][..]));
/// let error = plywood::data::split_at::<f32, _>(&data, 1.0).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "the share of the second part must be above 0 and below 1, got 1. 0.2 puts every fifth sample into the \
///      second part."
/// );
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// # Errors
/// When the share is not above 0 and below 1, or a part would be empty.
pub fn split_at<F: Scalar, D: Dataset<F>>(data: &D, share: f64) -> Result<(Subset<&D>, Subset<&D>)> {
    let first = first_part(data.len(), share)?;
    let indices = (0..data.len()).collect();
    Ok(split(data, indices, first))
}

/// Splits a data set at random, by a seed: `share` of the samples make the second part. `::<f32, _>` names the
/// element type that the data set is read as, `f32` or `f64`.
///
/// ```
/// use plywood::ndarray::Array2;
/// use plywood::prelude::*;
///
/// let data = ArrayDataset::new(Array2::<f32>::zeros((100, 4)), vec![0; 100])?;
/// let (train, test) = random_split::<f32, _>(&data, 0.2, 42)?;
/// assert_eq!((train.indices().len(), test.indices().len()), (80, 20));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Both parts are in random order. The split is not stratified; with many samples, the classes are nearly balanced
/// anyway.
///
/// # Errors
/// As [`split_at`].
pub fn random_split<F: Scalar, D: Dataset<F>>(
    data: &D,
    share: f64,
    seed: u64,
) -> Result<(Subset<&D>, Subset<&D>)> {
    let first = first_part(data.len(), share)?;
    let mut indices: Vec<usize> = (0..data.len()).collect();
    Random::seed(seed).child("split").at(0, 0).shuffle(&mut indices);
    Ok(split(data, indices, first))
}

/// Cuts the positions in two.
fn split<D>(data: &D, mut indices: Vec<usize>, first: usize) -> (Subset<&D>, Subset<&D>) {
    let second = indices.split_off(first);
    (Subset { data, indices }, Subset { data, indices: second })
}
