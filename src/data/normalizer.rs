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

use super::{Batch, Dataset, Pass};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::{Tensor, slice, slice_mut, standard};
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
/// assert_eq!(batch.input, array![[0.0, 2.0]].into_dyn());
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

    /// Returns the data set with normalized inputs. `data` may be a reference.
    ///
    /// Targets and weights stay as they are. The inputs must have the shape that was fitted; this is checked when
    /// they are read.
    pub fn apply<D>(&self, data: D) -> Normalized<D> {
        Normalized { data, normalizer: self.clone(), factor: self.scale.iter().map(|w| w.recip()).collect() }
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

/// The number of samples that are read at once to fit.
const PIECE: usize = 256;

impl NormalizerSpec {
    /// Sets whether all features share one center and one scale, as is usual for images.
    #[must_use]
    pub fn whole(mut self, whole: bool) -> Self {
        self.whole = whole;
        self
    }

    /// Fits on the inputs of this data set: on the training part, not on all.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let data = ArrayDataset::new(plywood::ndarray::array![[1.0f32, 0.5], [2.0, f32::NAN]], vec![0, 1])?;
    /// let error = Normalizer::standard().fit::<f32, _>(&data).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "fit a normalizer: feature 1 of sample 1 must be a finite number, got NaN. Leave the sample out, or \
    ///      fill in what is missing."
    /// );
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// Samples are read once, in order, as for evaluation; memory does not grow with their number. Weights are
    /// ignored.
    ///
    /// # Errors
    /// When there are no samples, they cannot be read, or a number is not finite (features count in row-major order),
    /// or when the range is empty or not finite.
    pub fn fit<F: Scalar, D: Dataset<F>>(self, data: &D) -> Result<Normalizer> {
        let run = || {
            let mut sums = Sums::new(self, data.input_shape());
            let mut batch = Batch::<F, D::Target>::default();
            for first in (0..data.len()).step_by(PIECE) {
                let indices: Vec<usize> = (first..data.len().min(first + PIECE)).collect();
                data.read(&indices, Pass::Evaluate, &mut batch)?;
                let input = standard(batch.take_input());
                sums.take(slice(&input), first)?;
                batch.input = input;
            }
            sums.end()
        };
        run().map_err(|error: Error| error.at("fit a normalizer"))
    }

    /// Fits on `[samples, …]`: on the targets of the training part, for example.
    ///
    /// # Errors
    /// As [`fit`](NormalizerSpec::fit).
    pub fn fit_tensor<F: Scalar>(self, tensor: &Tensor<F>) -> Result<Normalizer> {
        let run = || {
            let Some((_, shape)) = tensor.shape().split_first() else {
                return Err(Error::shape("the numbers", "[samples, …]", tensor.shape())
                    .help("Axis 0 counts the samples."));
            };
            let mut sums = Sums::new(self, shape);
            match tensor.as_slice() {
                Some(values) => sums.take(values, 0)?,
                None => sums.take(slice(&standard(tensor.clone())), 0)?,
            }
            sums.end()
        };
        run().map_err(|error: Error| error.at("fit a normalizer"))
    }
}

/// Running statistics while fitting.
struct Sums {
    spec: NormalizerSpec,
    shape: Vec<usize>,
    /// The number of samples.
    seen: usize,
    /// Means, or lowest numbers.
    first: Vec<f64>,
    /// Sums of squared differences from the mean, or highest numbers.
    second: Vec<f64>,
}

impl Sums {
    fn new(spec: NormalizerSpec, shape: &[usize]) -> Self {
        let columns = shape.iter().product();
        let (first, second) = match spec.range {
            None => (0.0, 0.0),
            Some(_) => (f64::INFINITY, f64::NEG_INFINITY),
        };
        let (first, second) = (vec![first; columns], vec![second; columns]);
        Self { spec, shape: shape.to_vec(), seen: 0, first, second }
    }

    /// Adds consecutive samples, the first of which has number `sample`.
    fn take<F: Scalar>(&mut self, values: &[F], sample: usize) -> Result<()> {
        if !F::all_finite(values)
            && let Some(i) = values.iter().position(|x| !x.is_finite())
        {
            let features = self.shape.iter().product::<usize>();
            let what = format!("feature {} of sample {}", i % features, sample + i / features);
            return Err(Error::data(what, "be a finite number", values[i])
                .help("Leave the sample out, or fill in what is missing."));
        }
        match self.spec.range {
            None => F::moments(values, self.seen, &mut self.first, &mut self.second),
            Some(_) => F::extremes(values, &mut self.first, &mut self.second),
        }
        self.seen += values.len() / self.first.len().max(1);
        Ok(())
    }

    /// Joins all features into one, if `whole` is set.
    fn joined(mut self) -> Self {
        if !self.spec.whole {
            return self;
        }
        match self.spec.range {
            None => {
                let features = self.first.len() as f64;
                let mean = self.first.iter().sum::<f64>() / features;
                let between: f64 = self.first.iter().map(|m| (m - mean) * (m - mean)).sum();
                let within: f64 = self.second.iter().sum();
                self.second = vec![(within + self.seen as f64 * between) / features];
                self.first = vec![mean];
            }
            Some(_) => {
                self.first = vec![self.first.iter().copied().fold(f64::INFINITY, f64::min)];
                self.second = vec![self.second.iter().copied().fold(f64::NEG_INFINITY, f64::max)];
            }
        }
        self
    }

    /// Computes the normalizer.
    ///
    /// Deviations and ranges that are mere rounding errors count as 0, with scikit-learn's thresholds.
    fn end(self) -> Result<Normalizer> {
        if self.seen == 0 || self.first.is_empty() {
            return Err(Error::data("the data", "have at least one number", "none")
                .help("Check where the data come from."));
        }
        let Self { spec, shape, seen, first, second } = self.joined();
        let count = seen as f64;
        let (mut center, mut scale) = (Vec::new(), Vec::new());
        for (feature, (first, second)) in first.into_iter().zip(second).enumerate() {
            let (c, w) = match spec.range {
                None => {
                    let variance = second / count;
                    let rounding = count * first * f64::EPSILON;
                    let noise = count * f64::EPSILON * variance + rounding * rounding;
                    (first, if variance.is_finite() && variance <= noise { 1.0 } else { variance.sqrt() })
                }
                Some((low, high)) => {
                    if !(low < high && (high - low).is_finite()) {
                        let found = format!("{low} to {high}");
                        return Err(Error::argument(
                            "the range",
                            "a lower and a higher finite number",
                            found,
                        )
                        .help("0 to 1 and -1 to 1 are usual."));
                    }
                    let span = second - first;
                    let w = if span < 10.0 * f64::EPSILON { 1.0 } else { span } / (high - low);
                    (first - low * w, w)
                }
            };
            if !(c.is_finite() && w.is_finite() && w.recip().is_finite() && w > 0.0) {
                let expected = "have squares that are finite";
                return Err(Error::data(
                    format!("the numbers of feature {feature}"),
                    expected,
                    "larger ones",
                )
                .help("Scale them first."));
            }
            center.push(c);
            scale.push(w);
        }
        Ok(Normalizer { shape, center, scale })
    }
}

/// A data set whose inputs are normalized when they are read; [`Normalizer::apply`] returns it.
///
/// Reading takes one additional pass over the batch.
#[derive(Clone, Debug)]
pub struct Normalized<D> {
    data: D,
    normalizer: Normalizer,
    /// `1 / scale`.
    factor: Vec<f64>,
}

impl<F: Scalar, D: Dataset<F>> Dataset<F> for Normalized<D> {
    type Target = D::Target;

    fn len(&self) -> usize {
        self.data.len()
    }

    fn input_shape(&self) -> &[usize] {
        self.data.input_shape()
    }

    fn class_names(&self) -> &[String] {
        self.data.class_names()
    }

    fn remarks(&self) -> &[String] {
        self.data.remarks()
    }

    fn prefetch(&self) -> usize {
        self.data.prefetch()
    }

    fn read(&self, indices: &[usize], pass: Pass, batch: &mut Batch<F, D::Target>) -> Result<()> {
        self.data.read(indices, pass, batch)?;
        let input = self.normalizer.checked(batch.take_input()).map_err(|error| error.at("normalizer"))?;
        batch.input = input;
        F::shift_scale_rows(slice_mut(&mut batch.input), &self.normalizer.center, &self.factor);
        Ok(())
    }

    fn read_targets(&self, indices: &[usize], batch: &mut Batch<F, D::Target>) -> Result<bool> {
        self.data.read_targets(indices, batch)
    }
}
