//! Initial values of parameters.
//!
//! The initial scale follows from a short calculation. For `y_j = Σ_i x_i · w_ij` over `fan_in` inputs, with weights
//! independent of the inputs, both of mean 0:
//!
//! ```text
//! Var[y]  = fan_in  · Var[w] · Var[x]        forward:   constant if  Var[w] = 1 / fan_in
//! Var[dx] = fan_out · Var[w] · Var[dy]       backward:  constant if  Var[w] = 1 / fan_out
//! ```
//!
//! Both cannot hold at once unless the layer is square. Glorot and Bengio, "Understanding the difficulty of training
//! deep feedforward neural networks", 2010, use the compromise `Var[w] = 2 / (fan_in + fan_out)`. He, Zhang, Ren and
//! Sun, "Delving deep into rectifiers", 2015, note that a ReLU sets half of a symmetric distribution to 0 and so halves
//! `E[x²]`, and compensate for it: `Var[w] = 2 / fan_in`.
//!
//! A uniform distribution over `±a` has variance `a² / 3`, hence the 6 in the bounds: `a = √(3 · 2 / …)`.
//!
//! Values are drawn in `f64` and rounded to the element type. A model in `f32` and one in `f64` with the same seed
//! therefore start with the same values, up to rounding.

mod orthogonal;
mod scaling;

pub use scaling::{Fan, ScalingDistribution};

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::level::check_level;
use crate::random::Random;
use crate::random::rand_distr::{Distribution, Normal, Uniform};
use crate::tensor::Tensor;
use ndarray::IxDyn;
use scaling::TRUNCATED_DEVIATION;
use serde::{Deserialize, Serialize};

/// A distribution for the initial values of a parameter.
///
/// `fan_in` and `fan_out` are the numbers of inputs and outputs that a unit is connected to.
///
/// | initializer | distribution | source |
/// |---|---|---|
/// | `GlorotUniform` | uniform in ±√(6 / (fan_in + fan_out)) | Glorot and Bengio, 2010, eq. 16 |
/// | `GlorotNormal` | truncated normal, std. deviation √(2 / (fan_in + fan_out)) | the same; truncated as in Keras |
/// | `HeUniform` | uniform in ±√(6 / fan_in) | He, Zhang, Ren and Sun, 2015, section 2.2 |
/// | `HeNormal` | truncated normal, std. deviation √(2 / fan_in) | the same, eq. 10; truncated as in Keras |
/// | `LeCunUniform` | uniform in ±√(3 / fan_in) | LeCun, Bottou, Orr and Müller, "Efficient BackProp", 1998, eq. 16 |
/// | `LeCunNormal` | truncated normal, std. deviation √(1 / fan_in) | the same; truncated as in Keras |
/// | `VarianceScaling` | variance `scale / fan`, of any form | Keras' `VarianceScaling`; covers the six above |
/// | `Orthogonal` | a random rotation times `gain` | Saxe, McClelland and Ganguli, 2013, section 3 |
///
/// Truncating a normal distribution at two standard deviations makes it narrower; the scaled forms widen it by 1/0.8796
/// first, as Keras does, so that the standard deviation is the one stated.
///
/// ```
/// use plywood::init::Initializer;
/// use plywood::random::Random;
///
/// let weight = Initializer::GlorotUniform.tensor::<f32>(&[784, 128], 784, 128, &Random::seed(42))?;
/// let limit = (6.0f32 / (784.0 + 128.0)).sqrt();
/// assert!(weight.iter().all(|w| w.abs() <= limit));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The defaults of other libraries:
///
/// | | weight of a dense layer | bias |
/// |---|---|---|
/// | Plywood | `GlorotUniform` | `Zeros` |
/// | Keras `Dense` | `glorot_uniform` | `zeros` |
/// | PyTorch `Linear` | uniform in ±1 / √fan_in | uniform in ±1 / √fan_in |
///
/// PyTorch's functions are `xavier_uniform_` for `GlorotUniform` and `kaiming_uniform_(nonlinearity="relu")` for
/// `HeUniform`; its `xavier_normal_` and `kaiming_normal_` are not truncated. To start with PyTorch's default:
///
/// ```
/// use plywood::prelude::*;
///
/// let bound = 1.0 / (784f64).sqrt();
/// let torch = Initializer::Uniform { low: -bound, high: bound };
/// let model = Sequential::builder([784])
///     .layer(Dense::units(10).initializer(torch).bias_initializer(torch))
///     .build()?;
/// model.visit_params(&mut |_, param| assert!(param.as_slice().iter().all(|w| w.abs() <= 1.0 / 28.0)));
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Initializer {
    /// All zeros.
    ///
    /// Use it for biases. With a weight of zeros, all units of a layer would stay equal for ever, as they get equal
    /// gradients.
    Zeros,
    /// One constant for all values.
    ///
    /// It must be finite.
    Constant(#[serde(with = "crate::codec::words")] f64),
    /// Uniform in `[low, high)`.
    ///
    /// If `low` equals `high`, all values are that number. The interval is half-open in `f64`: in `f32` a draw just
    /// below `high` may round to it.
    Uniform {
        /// The lowest value.
        #[serde(with = "crate::codec::words")]
        low: f64,
        /// The upper bound, which is excluded.
        #[serde(with = "crate::codec::words")]
        high: f64,
    },
    /// The normal distribution.
    ///
    /// It is not truncated: about one weight in 16,000 is more than four standard deviations from the mean.
    Normal {
        /// The mean.
        #[serde(with = "crate::codec::words")]
        mean: f64,
        /// The standard deviation.
        ///
        /// At least 0.
        #[serde(with = "crate::codec::words")]
        std_dev: f64,
    },
    /// The normal distribution; values more than two standard deviations from the mean are drawn again.
    ///
    /// About 4.6 % of the draws are rejected. The standard deviation of the rest is 0.8796 times the given one.
    TruncatedNormal {
        /// The mean.
        #[serde(with = "crate::codec::words")]
        mean: f64,
        /// The standard deviation before truncation.
        #[serde(with = "crate::codec::words")]
        std_dev: f64,
    },
    /// Uniform in ±√(6 / (fan_in + fan_out)). The default for Dense in Keras and in Plywood.
    GlorotUniform,
    /// Truncated normal with standard deviation √(2 / (fan_in + fan_out)).
    ///
    /// Use it for layers before tanh, sigmoid or softmax, like the uniform form; Keras' `glorot_normal`.
    GlorotNormal,
    /// Uniform in ±√(6 / fan_in), for layers before a ReLU.
    ///
    /// Keras' `he_uniform`.
    HeUniform,
    /// Truncated normal with standard deviation √(2 / fan_in), for layers before a ReLU.
    ///
    /// Keras' `he_normal`.
    HeNormal,
    /// Uniform in ±√(3 / fan_in), for layers before SELU, or where nothing halves the variance.
    ///
    /// Keras' `lecun_uniform`.
    LeCunUniform,
    /// Truncated normal with standard deviation √(1 / fan_in), as self-normalizing networks ([`SELU`](crate::nn::SELU))
    /// need.
    ///
    /// Keras' `lecun_normal`.
    LeCunNormal,
    /// Any distribution with variance `scale / n`, where `n` is a fan or the mean of both; Keras' `VarianceScaling`.
    ///
    /// ```
    /// use plywood::init::{Fan, Initializer, ScalingDistribution};
    /// use plywood::random::Random;
    ///
    /// let place = Random::seed(1);
    /// let distribution = ScalingDistribution::TruncatedNormal;
    /// let he = Initializer::VarianceScaling { scale: 2.0, fan: Fan::In, distribution };
    /// let draw = |init: Initializer| init.tensor::<f32>(&[20, 30], 20, 30, &place);
    /// assert_eq!(draw(he)?, draw(Initializer::HeNormal)?);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    VarianceScaling {
        /// The scale: the variance times `n`.
        ///
        /// Above 0: 1 for linear units, 2 for ReLU.
        #[serde(with = "crate::codec::words")]
        scale: f64,
        /// The choice of `n`.
        fan: Fan,
        /// The distribution.
        distribution: ScalingDistribution,
    },
    /// `gain` times a uniformly drawn matrix with orthonormal rows, or orthonormal columns if there are fewer of them.
    ///
    /// The shape's first axis is the number of rows of the matrix, the product of the others that of its columns, as in
    /// PyTorch's `orthogonal_`; there must be at least two axes. It preserves lengths exactly, while the other forms
    /// preserve them on average, so that very deep linear networks and recurrent ones can be trained: Saxe, McClelland
    /// and Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks", 2013. The
    /// cost is proportional to the square of the shorter side times the longer side.
    ///
    /// ```
    /// use plywood::ndarray::Ix2;
    /// use plywood::init::Initializer;
    /// use plywood::random::Random;
    ///
    /// let init = Initializer::Orthogonal { gain: 1.0 };
    /// let w = init.tensor::<f64>(&[5, 3], 5, 3, &Random::seed(1))?.into_dimensionality::<Ix2>().unwrap();
    /// let product = w.t().dot(&w);
    /// assert!(product.indexed_iter().all(|((i, j), v)| (v - f64::from(i == j)).abs() < 1e-14));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    Orthogonal {
        /// The factor of the matrix.
        ///
        /// Use 1 before linear units and tanh, √2 before ReLU.
        #[serde(with = "crate::codec::words")]
        gain: f64,
    },
}

impl Initializer {
    /// Draws a tensor of this shape from `random`; for a Dense weight, `fan_in` inputs and `fan_out` outputs.
    ///
    /// `fan_in` and `fan_out` are used only by the scaled forms; for a convolution each is the number of channels times
    /// the size of the kernel. The result depends only on the initializer and the arguments.
    ///
    /// ```
    /// use plywood::init::Initializer;
    /// use plywood::random::Random;
    ///
    /// let place = Random::seed(1).child("kernel");
    /// let kernel = Initializer::HeNormal.tensor::<f32>(&[3, 3, 16, 32], 9 * 16, 9 * 32, &place)?;
    /// let variance = kernel.mapv(|w| w * w).mean().unwrap(); // about the mean, which is 0
    /// assert!((variance * 144.0 / 2.0 - 1.0).abs() < 0.1);
    ///
    /// let bad = Initializer::Normal { mean: 0.0, std_dev: -1.0 };
    /// assert_eq!(
    ///     bad.tensor::<f32>(&[2], 1, 1, &place).unwrap_err().to_string(),
    ///     "the mean and standard deviation must be finite, and the latter at least 0, got Normal { mean: 0.0, \
    ///      std_dev: -1.0 }. Correct the initializer's numbers."
    /// );
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a bound, mean or standard deviation is not finite, a standard deviation is below 0, or `low` is above
    /// `high`.
    ///
    /// Also when there is no memory for the shape, which is checked before anything is drawn.
    pub fn tensor<F: Scalar>(
        self,
        shape: &[usize],
        fan_in: usize,
        fan_out: usize,
        random: &Random,
    ) -> Result<Tensor<F>> {
        check_level()?;
        self.check()?;
        check_memory::<F>(shape)?;
        if matches!(self, Self::Orthogonal { .. }) && shape.len() < 2 {
            return Err(Error::shape("the orthogonal parameter", "[rows, columns, …]", shape)
                .help("A vector has no rows to be orthogonal; use another initializer for it."));
        }
        let mut draws = random.at(0, 0);
        let mean = fan_in.saturating_add(fan_out).max(1) as f64 / 2.0;
        let (fan_in, fan_out) = (fan_in.max(1) as f64, fan_out.max(1) as f64);
        let shape_of = IxDyn(shape);
        Ok(match self {
            Self::Zeros => Tensor::zeros(shape_of),
            Self::Constant(value) => Tensor::from_elem(shape_of, F::of(value)),
            Self::Uniform { low, high } if low == high => Tensor::from_elem(shape_of, F::of(low)),
            Self::GlorotUniform => {
                return scaled(1.0, mean, ScalingDistribution::Uniform).tensor(shape, 0, 0, random);
            }
            Self::HeUniform => {
                return scaled(2.0, fan_in, ScalingDistribution::Uniform).tensor(shape, 0, 0, random);
            }
            Self::LeCunUniform => {
                return scaled(1.0, fan_in, ScalingDistribution::Uniform).tensor(shape, 0, 0, random);
            }
            Self::GlorotNormal => {
                return scaled(1.0, mean, ScalingDistribution::TruncatedNormal).tensor(shape, 0, 0, random);
            }
            Self::HeNormal => {
                return scaled(2.0, fan_in, ScalingDistribution::TruncatedNormal).tensor(shape, 0, 0, random);
            }
            Self::LeCunNormal => {
                return scaled(1.0, fan_in, ScalingDistribution::TruncatedNormal).tensor(shape, 0, 0, random);
            }
            Self::VarianceScaling { scale, fan, distribution } => {
                let n = match fan {
                    Fan::In => fan_in,
                    Fan::Out => fan_out,
                    Fan::Mean => mean,
                };
                return scaled(scale, n, distribution).tensor(shape, 0, 0, random);
            }
            Self::Orthogonal { gain } => orthogonal::orthogonal(shape, gain, &mut draws),
            Self::Uniform { low, high } => {
                let range = Uniform::new(low, high).map_err(Error::custom)?;
                draws.tensor(shape_of, range.map(F::of))
            }
            Self::Normal { mean, std_dev } => {
                let normal = Normal::new(mean, std_dev).map_err(Error::custom)?;
                draws.tensor(shape_of, normal.map(F::of))
            }
            Self::TruncatedNormal { mean, std_dev } => Tensor::from_shape_simple_fn(shape_of, || {
                loop {
                    let z = draws.normal();
                    if z.abs() <= 2.0 {
                        return F::of(mean + std_dev * z);
                    }
                }
            }),
        })
    }

    /// Checks the numbers. One text serves the three forms with numbers: it prints the whole initializer, so the wrong
    /// number is visible. The Glorot, He and LeCun forms have no numbers and cannot be wrong.
    fn check(self) -> Result<()> {
        let (name, expected, ok) = match self {
            Self::Constant(value) => ("the constant", "finite", value.is_finite()),
            Self::Orthogonal { gain } => {
                if gain.is_finite() {
                    return Ok(());
                }
                return Err(Error::argument("the gain", "a finite number", gain)
                    .help("It is 1 before linear units and tanh, √2 before ReLU."));
            }
            Self::VarianceScaling { scale, .. } => {
                if scale.is_finite() && scale > 0.0 {
                    return Ok(());
                }
                return Err(Error::argument("the scale", "positive and finite", scale)
                    .help("The variance is the scale over the fan; 1 and 2 are usual."));
            }
            Self::Uniform { low, high } => (
                "the bounds of a uniform distribution",
                "finite and in order",
                low.is_finite() && high.is_finite() && low <= high,
            ),
            Self::Normal { mean, std_dev } | Self::TruncatedNormal { mean, std_dev } => (
                "the mean and standard deviation",
                "finite, and the latter at least 0",
                mean.is_finite() && std_dev.is_finite() && std_dev >= 0.0,
            ),
            _ => return Ok(()),
        };
        if ok {
            return Ok(());
        }
        Err(Error::argument(name, expected, format!("{self:?}")).help("Correct the initializer's numbers."))
    }
}

/// Checks that there is memory for a tensor of this shape.
///
/// Otherwise a size typed with a digit too many would abort the process, as a failed allocation does in Rust. The
/// reservation is dropped at once. On a system that overcommits memory the check may still pass.
fn check_memory<F>(shape: &[usize]) -> Result<()> {
    let len = shape.iter().try_fold(1usize, |len, &n| len.checked_mul(n));
    if len.is_some_and(|len| Vec::<F>::new().try_reserve_exact(len).is_ok()) {
        return Ok(());
    }
    Err(Error::shape("the parameter", "[…], small enough to fit into memory", shape)
        .help("Make the layer smaller."))
}

/// Returns a distribution about 0 with variance `scale / n`, after truncation if there is one.
fn scaled(scale: f64, n: f64, distribution: ScalingDistribution) -> Initializer {
    let deviation = (scale / n).sqrt();
    match distribution {
        ScalingDistribution::TruncatedNormal => {
            Initializer::TruncatedNormal { mean: 0.0, std_dev: deviation / TRUNCATED_DEVIATION }
        }
        ScalingDistribution::Normal => Initializer::Normal { mean: 0.0, std_dev: deviation },
        ScalingDistribution::Uniform => {
            let limit = (3.0 * scale / n).sqrt();
            Initializer::Uniform { low: -limit, high: limit }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(init: Initializer) -> (f64, f64, f64) {
        let t = init.tensor::<f64>(&[200, 500], 200, 500, &Random::seed(9)).unwrap();
        let mean = t.mean().unwrap();
        let deviation = t.mapv(|v| (v - mean) * (v - mean)).mean().unwrap().sqrt();
        (mean, deviation, t.iter().fold(0.0, |m: f64, v| m.max(v.abs())))
    }

    fn scaling(fan: Fan, distribution: ScalingDistribution) -> Initializer {
        Initializer::VarianceScaling { scale: 3.0, fan, distribution }
    }

    #[test]
    fn each_has_the_moments_of_its_formula() {
        let cases = [
            (Initializer::GlorotUniform, (2.0f64 / 700.0).sqrt(), (6.0f64 / 700.0).sqrt()),
            (Initializer::HeUniform, (2.0f64 / 200.0).sqrt(), (6.0f64 / 200.0).sqrt()),
            (Initializer::GlorotNormal, (2.0f64 / 700.0).sqrt(), 2. * (2.0f64 / 700.0).sqrt() / 0.8796),
            (Initializer::HeNormal, (2.0f64 / 200.0).sqrt(), 2. * (2.0f64 / 200.0).sqrt() / 0.8796),
            (Initializer::Normal { mean: 0.0, std_dev: 0.3 }, 0.3, f64::INFINITY),
            (Initializer::LeCunUniform, (1.0f64 / 200.0).sqrt(), (3.0f64 / 200.0).sqrt()),
            (Initializer::LeCunNormal, (1.0f64 / 200.0).sqrt(), 2. * (1.0f64 / 200.0).sqrt() / 0.8796),
            (scaling(Fan::In, ScalingDistribution::Normal), (3.0f64 / 200.0).sqrt(), f64::INFINITY),
            (
                scaling(Fan::Out, ScalingDistribution::Uniform),
                (3.0f64 / 500.0).sqrt(),
                (9.0f64 / 500.0).sqrt(),
            ),
            (
                scaling(Fan::Mean, ScalingDistribution::TruncatedNormal),
                (3.0f64 / 350.0).sqrt(),
                2. * (3.0f64 / 350.0).sqrt() / 0.8796,
            ),
        ];
        for (init, deviation, limit) in cases {
            let (mean, found, largest) = moments(init);
            assert!(mean.abs() < 5.0 * deviation / 1e5f64.sqrt(), "{init:?} mean {mean}");
            assert!((found / deviation - 1.0).abs() < 0.015, "{init:?} deviation {found} for {deviation}");
            assert!(largest <= limit * 1.0001, "{init:?} {largest} {limit}");
        }
    }

    #[test]
    fn plain_values_and_the_seed() {
        let random = Random::seed(1);
        let t = |init: Initializer| init.tensor::<f32>(&[3], 3, 3, &random);
        assert_eq!(t(Initializer::Zeros).unwrap().sum(), 0.0);
        assert_eq!(t(Initializer::Constant(2.0)).unwrap().sum(), 6.0);
        assert_eq!(t(Initializer::HeNormal).unwrap(), t(Initializer::HeNormal).unwrap());
        assert!(t(Initializer::Uniform { low: 1.0, high: 0.0 }).is_err());
        assert!(t(Initializer::Normal { mean: 0.0, std_dev: -1.0 }).is_err());
        assert!(t(Initializer::Constant(f64::NAN)).is_err());
        assert!(t(Initializer::Orthogonal { gain: 1.0 }).is_err()); // of a vector
        let bad = |init: Initializer| init.tensor::<f32>(&[2, 2], 2, 2, &random).is_err();
        assert!(bad(Initializer::Orthogonal { gain: f64::INFINITY }));
        let scaling = |scale| Initializer::VarianceScaling {
            scale,
            fan: Fan::In,
            distribution: ScalingDistribution::Normal,
        };
        assert!(bad(scaling(0.0)) && bad(scaling(f64::NAN)) && !bad(scaling(1.0)));
    }
}
