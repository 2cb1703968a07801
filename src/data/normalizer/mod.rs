//! Normalization that is fitted on training data and then applied to all data.
//!
//! Features of very different scale (a year, a price, a share) train badly, because one learning rate does not suit
//! all of them. So they are brought to the same scale before the model sees them:
//!
//! ```text
//! standard:   y = (x - mean) / deviation             mean 0, deviation 1
//! range:      y = (x - min) · (high - low) / (max - min) + low
//! ```
//!
//! The statistics come from the **training part only**. Computed from all data, they would leak information about the
//! test samples into training. The two kinds are scikit-learn's `StandardScaler` and `MinMaxScaler`.

mod fit;
mod normalized;

pub use normalized::Normalized;

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::{Tensor, slice_mut, standard};
use serde::{Deserialize, Serialize};

/// A normalization with its fitted statistics. Save it beside the model: both are needed to predict.
///
/// ```
/// use plywood::ndarray::array;
/// use plywood::prelude::*;
///
/// let train = ArrayDataset::new(array![[1.0f32, 100.0], [3.0, 300.0]], vec![0, 1])?;
/// let test = ArrayDataset::new(array![[2.0f32, 400.0]], vec![1])?;
/// let normalizer = Normalizer::standard().fit::<f32, _>(&train)?;
/// assert_eq!((normalizer.center(), normalizer.scale()), (&[2.0, 200.0][..], &[1.0, 100.0][..]));
///
/// let (train, test) = (normalizer.apply(&train), normalizer.apply(&test)); // data sets, for `fit` and `evaluate`
/// let mut batch = Batch::<f32, Vec<usize>>::default();
/// test.read(&[0], Pass::Evaluate, &mut batch)?;
/// assert_eq!(batch.inputs[0], array![[0.0, 2.0]].into_dyn());
///
/// let saved = serde_json::to_string(&normalizer).map_err(Error::custom)?;
/// let loaded: Normalizer = serde_json::from_str(&saved).map_err(Error::custom)?;
/// assert_eq!(loaded, normalizer);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | of | fitted | applied | undone |
/// |---|---|---|---|
/// | a data set's inputs | [`fit`](NormalizerSpec::fit) | [`apply`](Normalizer::apply) | |
/// | a tensor: targets, samples to predict | [`fit_tensor`](NormalizerSpec::fit_tensor) | [`transform`](Normalizer::transform) | [`inverse`](Normalizer::inverse) |
///
/// A feature that is the same in all samples is only shifted, as in scikit-learn. Statistics are computed in `f64`
/// and rounded to the model's type. Images of bytes usually take one mean and one standard deviation for all pixels:
/// [`whole`](NormalizerSpec::whole).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Normalizer {
    /// The shape of one sample.
    shape: Vec<usize>,
    /// The numbers to subtract: one for each feature, or one in all.
    center: Vec<f64>,
    /// The numbers to divide by, above 0; as many as in `center`.
    scale: Vec<f64>,
}

/// The saved form, before it is checked.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Normalizer")]
struct Saved {
    shape: Vec<usize>,
    center: Vec<f64>,
    scale: Vec<f64>,
}

impl From<Normalizer> for Saved {
    fn from(normalizer: Normalizer) -> Self {
        let Normalizer { shape, center, scale } = normalizer;
        Self { shape, center, scale }
    }
}

/// Returns an error if the numbers cannot come from fitting.
impl TryFrom<Saved> for Normalizer {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Self> {
        let Saved { shape, center, scale } = saved;
        let features = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        let sound = (center.len() == 1 || Some(center.len()) == features)
            && center.len() == scale.len()
            && center.iter().all(|x| x.is_finite())
            && scale.iter().all(|x| x.is_finite() && *x > 0.0);
        if !sound {
            let bad = center.iter().find(|x| !x.is_finite());
            let found = match bad.or(scale.iter().find(|x| !(x.is_finite() && **x > 0.0))) {
                Some(bad) => format!("{bad}"),
                None => format!("{} and {} for samples of shape {shape:?}", center.len(), scale.len()),
            };
            let expected = "have finite centers and scales above 0, one of each or one for each feature";
            return Err(
                Error::format("the normalizer", expected, found).help("The file is corrupt; save it again.")
            );
        }
        Ok(Self { shape, center, scale })
    }
}

/// A normalization that is not fitted yet: what [`Normalizer::standard`] and [`Normalizer::range`] return.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormalizerSpec {
    /// `None` for mean and standard deviation.
    range: Option<(f64, f64)>,
    whole: bool,
}

impl Normalizer {
    /// Normalizes to mean 0 and standard deviation 1. The standard deviation is that of the population: the sum of
    /// squares is divided by the number of samples.
    pub fn standard() -> NormalizerSpec {
        NormalizerSpec { range: None, whole: false }
    }

    /// Maps the lowest number to `low`, the highest to `high`. Data that were not fitted on may lie outside.
    ///
    /// ```
    /// use plywood::ndarray::array;
    /// use plywood::prelude::*;
    ///
    /// let normalizer = Normalizer::range(-1.0, 1.0).fit_tensor(&array![[2.0f64], [6.0]].into_dyn())?;
    /// assert_eq!(normalizer.transform(array![[3.0f64], [8.0]].into_dyn())?, array![[-0.5], [2.0]].into_dyn());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn range(low: f64, high: f64) -> NormalizerSpec {
        NormalizerSpec { range: Some((low, high)), whole: false }
    }

    /// Returns the shape of one sample.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Returns the numbers to subtract: one for each feature of a sample, in row-major order, or one in all.
    ///
    /// They are the means; for a range `min - low · scale`, so that `min` becomes `low`.
    pub fn center(&self) -> &[f64] {
        &self.center
    }

    /// Returns the numbers to divide by: the standard deviations, or `(max - min) / (high - low)`. As many as
    /// centers.
    ///
    /// For a constant feature, the deviation or `max - min` is taken as 1.
    pub fn scale(&self) -> &[f64] {
        &self.scale
    }

    /// Normalizes `[samples, …]`, in place where the order in memory allows.
    ///
    /// # Errors
    /// When the samples do not have the shape that was fitted.
    pub fn transform<F: Scalar>(&self, tensor: Tensor<F>) -> Result<Tensor<F>> {
        let factor: Vec<f64> = self.scale.iter().map(|w| w.recip()).collect();
        let mut tensor = self.checked(tensor)?;
        F::shift_scale_rows(slice_mut(&mut tensor), &self.center, &factor);
        Ok(tensor)
    }

    /// Undoes [`transform`](Normalizer::transform): from a model's outputs back to the targets' units.
    ///
    /// ```
    /// use plywood::ndarray::array;
    /// use plywood::prelude::*;
    ///
    /// let prices = array![[100.0f32], [300.0], [500.0]].into_dyn();
    /// let normalizer = Normalizer::standard().fit_tensor(&prices)?;
    /// let small = normalizer.transform(prices.clone())?;
    /// assert!(small.iter().all(|x| x.abs() < 1.3));
    /// let back = normalizer.inverse(small)?;
    /// assert!((back - prices).iter().all(|difference| difference.abs() < 1e-3));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`transform`](Normalizer::transform).
    pub fn inverse<F: Scalar>(&self, tensor: Tensor<F>) -> Result<Tensor<F>> {
        let mut tensor = self.checked(tensor)?;
        F::scale_offset_rows(slice_mut(&mut tensor), &self.scale, &self.center);
        Ok(tensor)
    }

    /// Returns the tensor in row-major order, or an error if its samples do not have the shape that was fitted.
    fn checked<F: Scalar>(&self, tensor: Tensor<F>) -> Result<Tensor<F>> {
        if tensor.ndim() == 0 || tensor.shape()[1..] != self.shape {
            let expected = format!("[samples, …] with {:?} for a sample", self.shape);
            return Err(Error::shape("the numbers to normalize", expected, tensor.shape())
                .help("A normalizer takes what it was fitted on."));
        }
        Ok(standard(tensor))
    }
}
