//! Fitting a [`Normalizer`].

use super::{Normalizer, NormalizerSpec};
use crate::data::{Batch, Dataset, Pass};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::{Tensor, slice, standard};

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
        self.fit_to(None, data)
    }

    /// [`fit`](NormalizerSpec::fit) for data with several inputs: fits on the one with this name.
    ///
    /// ```
    /// use plywood::ndarray::{Array3, array};
    /// use plywood::prelude::*;
    ///
    /// let (images, rows) = (Array3::<u8>::zeros((2, 8, 8)), array![[1.0f32], [3.0]]);
    /// let data = Arrays::builder().input("image", images).input("row", rows).targets(vec![0, 1])?;
    /// let normalizer = Normalizer::standard().fit_on::<f32, _>("row", &data)?;
    /// let train = normalizer.apply_on("row", &data);
    /// let mut batch = Batch::default();
    /// train.read(&[0, 1], Pass::Evaluate, &mut batch)?;
    /// assert_eq!(batch.inputs[1], array![[-1.0f32], [1.0]].into_dyn());
    ///
    /// let error = Normalizer::standard().fit::<f32, _>(&data).unwrap_err().to_string();
    /// assert!(error.contains("the input must be named, as the data have several"), "{error}");
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fit`](NormalizerSpec::fit); also when the data have no such input.
    pub fn fit_on<F: Scalar, D: Dataset<F>>(self, input: &str, data: &D) -> Result<Normalizer> {
        self.fit_to(Some(input), data)
    }

    fn fit_to<F: Scalar, D: Dataset<F>>(self, input: Option<&str>, data: &D) -> Result<Normalizer> {
        let run = || {
            let (at, shape) = data.input_shapes().chosen(input, "fit_on")?;
            let mut sums = Sums::new(self, shape);
            let mut batch = Batch::<F, D::Target>::default();
            for first in (0..data.len()).step_by(PIECE) {
                let indices: Vec<usize> = (first..data.len().min(first + PIECE)).collect();
                data.read(&indices, Pass::Evaluate, &mut batch)?;
                let input = standard(batch.take_input_at(at));
                sums.take(slice(&input), first)?;
                batch.set_input_at(at, input);
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
