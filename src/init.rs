//! How parameters begin.
//!
//! What an initial scale has to do follows from one line. For `y_j = Σ_i x_i · w_ij` over `fan_in` inputs, with
//! weights independent of the inputs, both of mean 0:
//!
//! ```text
//! Var[y]  = fan_in  · Var[w] · Var[x]        forward:   constant if  Var[w] = 1 / fan_in
//! Var[dx] = fan_out · Var[w] · Var[dy]       backward:  constant if  Var[w] = 1 / fan_out
//! ```
//!
//! Both cannot hold at once unless the layer is square. Glorot and Bengio, "Understanding the difficulty of training
//! deep feedforward neural networks", 2010, take the compromise `Var[w] = 2 / (fan_in + fan_out)`. He, Zhang, Ren and
//! Sun, "Delving deep into rectifiers", 2015, note that a ReLU sets half of a symmetric distribution to 0 and so
//! halves `E[x²]`, and make up for it: `Var[w] = 2 / fan_in`.
//!
//! A uniform distribution over `±a` has the variance `a² / 3`, hence the 6 in the bounds: `a = √(3 · 2 / …)`.
//!
//! The numbers are drawn in `f64` and rounded to the element type. A model in `f32` and one in `f64` from the same
//! seed therefore begin with the same numbers, up to rounding.

use crate::error::{Error, Result};
use crate::random::Random;
use crate::scalar::Scalar;
use crate::tensor::Tensor;
use ndarray::IxDyn;
use ndarray_rand::RandomExt;
use ndarray_rand::rand_distr::{Distribution, Normal, Uniform};
use serde::{Deserialize, Serialize};

/// A distribution for the initial values of a parameter.
///
/// `fan_in` and `fan_out` are the numbers of inputs and outputs that one unit is connected to.
///
/// | initialiser | distribution | source |
/// |---|---|---|
/// | `GlorotUniform` | uniform in ±√(6 / (fan_in + fan_out)) | Glorot and Bengio, 2010, eq. 16 |
/// | `GlorotNormal` | truncated normal, deviation √(2 / (fan_in + fan_out)) | the same; truncated as Keras has it |
/// | `HeUniform` | uniform in ±√(6 / fan_in) | He, Zhang, Ren and Sun, 2015, section 2.2 |
/// | `HeNormal` | truncated normal, deviation √(2 / fan_in) | the same, eq. 10; truncated as Keras has it |
///
/// A normal distribution truncated at two deviations is narrower than the one it was cut from; the Glorot and He
/// forms widen it by 1/0.8796 first, as Keras does, so that the deviation is the one stated.
///
/// ```
/// use plywood::{Initializer, Random};
///
/// let weight = Initializer::GlorotUniform.tensor::<f32>(&[784, 128], 784, 128, &Random::seed(42))?;
/// let limit = (6.0f32 / (784.0 + 128.0)).sqrt();
/// assert!(weight.iter().all(|w| w.abs() <= limit));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Where the defaults of others are:
///
/// | | weight of a dense layer | bias |
/// |---|---|---|
/// | Plywood | `GlorotUniform` | `Zeros` |
/// | Keras `Dense` | `glorot_uniform` | `zeros` |
/// | PyTorch `Linear` | uniform in ±1 / √fan_in | uniform in ±1 / √fan_in |
///
/// PyTorch's own functions are `xavier_uniform_` for `GlorotUniform` and `kaiming_uniform_(nonlinearity="relu")` for
/// `HeUniform`; its `xavier_normal_` and `kaiming_normal_` are not truncated. What PyTorch begins with is, here:
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
    /// All 0.
    ///
    /// For biases. All units of a layer with a weight of zeros would stay equal for ever, as they get equal
    /// gradients.
    Zeros,
    /// All the same number.
    ///
    /// It must be finite.
    Constant(f64),
    /// Uniform in `[low, high)`.
    ///
    /// With `low` equal to `high` it is that number. The half-open interval is that of `f64`: in `f32` a draw just
    /// below `high` may round to it.
    Uniform {
        /// The lowest value.
        low: f64,
        /// The value that all stay below.
        high: f64,
    },
    /// The normal distribution.
    ///
    /// Not truncated: about one weight in 16,000 lies more than four deviations out.
    Normal {
        /// The mean.
        mean: f64,
        /// The standard deviation.
        ///
        /// At least 0.
        deviation: f64,
    },
    /// The normal distribution, drawn again where it falls more than two deviations from the mean.
    ///
    /// About 4.6 % of the draws are rejected. The deviation of what is left is 0.8796 of the one given.
    TruncatedNormal {
        /// The mean.
        mean: f64,
        /// The standard deviation before the cut.
        deviation: f64,
    },
    /// Uniform in ±√(6 / (fan_in + fan_out)). Keras' default for Dense, and ours.
    GlorotUniform,
    /// Truncated normal with deviation √(2 / (fan_in + fan_out)).
    ///
    /// For layers before tanh, sigmoid or softmax, like the uniform form; Keras' `glorot_normal`.
    GlorotNormal,
    /// Uniform in ±√(6 / fan_in): for layers before a ReLU.
    ///
    /// Keras' `he_uniform`.
    HeUniform,
    /// Truncated normal with deviation √(2 / fan_in): for layers before a ReLU.
    ///
    /// Keras' `he_normal`.
    HeNormal,
}

/// The standard deviation of a standard normal distribution cut at ±2.
///
/// `√(1 - 4 · φ(2) / (2 · Φ(2) - 1))`, where φ and Φ are the density and the distribution function of the standard
/// normal distribution. Keras has the same digits.
const TRUNCATED_DEVIATION: f64 = 0.879_625_661_034_239_8;

impl Initializer {
    /// A tensor of this shape, drawn at this place; for a Dense weight, `fan_in` inputs and `fan_out` outputs.
    ///
    /// `fan_in` and `fan_out` matter to the four scaled forms only; for a convolution each is the number of channels
    /// times the size of the kernel. The answer depends on the seed, the place, the shape and nothing else.
    ///
    /// ```
    /// use plywood::{Initializer, Random};
    ///
    /// let place = Random::seed(1).child("kernel");
    /// let kernel = Initializer::HeNormal.tensor::<f32>(&[3, 3, 16, 32], 9 * 16, 9 * 32, &place)?;
    /// let variance = kernel.mapv(|w| w * w).mean().unwrap(); // about the mean, which is 0
    /// assert!((variance * 144.0 / 2.0 - 1.0).abs() < 0.1);
    ///
    /// let bad = Initializer::Normal { mean: 0.0, deviation: -1.0 };
    /// assert_eq!(
    ///     bad.tensor::<f32>(&[2], 1, 1, &place).unwrap_err().to_string(),
    ///     "expected a normal distribution of finite bounds in order and a deviation of at least 0, \
    ///      found Normal { mean: 0.0, deviation: -1.0 }. Correct the initialiser's numbers."
    /// );
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a bound, mean or deviation is not finite, a deviation below 0, or `low` above `high`.
    ///
    /// Also when there is no memory for the shape; the machine is asked before anything is drawn.
    pub fn tensor<F: Scalar>(
        self,
        shape: &[usize],
        fan_in: usize,
        fan_out: usize,
        random: &Random,
    ) -> Result<Tensor<F>> {
        self.check()?;
        check_memory::<F>(shape)?;
        let mut draws = random.at(0, 0);
        let (fan_in, both) = (fan_in.max(1) as f64, fan_in.saturating_add(fan_out).max(1) as f64);
        let shape_of = IxDyn(shape);
        Ok(match self {
            Self::Zeros => Tensor::zeros(shape_of),
            Self::Constant(value) => Tensor::from_elem(shape_of, F::of(value)),
            Self::Uniform { low, high } if low == high => Tensor::from_elem(shape_of, F::of(low)),
            Self::GlorotUniform => return symmetric(6.0 / both).tensor(shape, 0, 0, random),
            Self::HeUniform => return symmetric(6.0 / fan_in).tensor(shape, 0, 0, random),
            Self::GlorotNormal => return truncated(2.0 / both).tensor(shape, 0, 0, random),
            Self::HeNormal => return truncated(2.0 / fan_in).tensor(shape, 0, 0, random),
            Self::Uniform { low, high } => {
                let range = Uniform::new(low, high).map_err(Error::custom)?;
                Tensor::random_using(shape_of, range.map(F::of), draws.generator())
            }
            Self::Normal { mean, deviation } => {
                let normal = Normal::new(mean, deviation).map_err(Error::custom)?;
                Tensor::random_using(shape_of, normal.map(F::of), draws.generator())
            }
            Self::TruncatedNormal { mean, deviation } => Tensor::from_shape_simple_fn(shape_of, || {
                loop {
                    let z = draws.normal();
                    if z.abs() <= 2.0 {
                        return F::of(mean + deviation * z);
                    }
                }
            }),
        })
    }

    /// One text serves the three forms with numbers: it prints the whole initialiser, so the number that is wrong is
    /// seen. The scaled forms have no numbers and cannot be wrong.
    fn check(self) -> Result<()> {
        let (name, ok) = match self {
            Self::Constant(value) => ("a constant", value.is_finite()),
            Self::Uniform { low, high } => {
                ("a uniform distribution", low.is_finite() && high.is_finite() && low <= high)
            }
            Self::Normal { mean, deviation } | Self::TruncatedNormal { mean, deviation } => {
                ("a normal distribution", mean.is_finite() && deviation.is_finite() && deviation >= 0.0)
            }
            _ => return Ok(()),
        };
        if ok {
            return Ok(());
        }
        Err(Error::argument(
            name,
            "finite bounds in order and a deviation of at least 0",
            format!("{self:?}"),
        )
        .help("Correct the initialiser's numbers."))
    }
}

/// Whether there is memory for a tensor of this shape.
///
/// A size typed with a digit too many would otherwise abort the process, as a failed allocation does in Rust. The
/// reservation is dropped at once. A system that promises more memory than it has may still say yes.
fn check_memory<F>(shape: &[usize]) -> Result<()> {
    let len = shape.iter().try_fold(1usize, |len, &n| len.checked_mul(n));
    if len.is_some_and(|len| Vec::<F>::new().try_reserve_exact(len).is_ok()) {
        return Ok(());
    }
    Err(Error::shape("a parameter", "[a size that fits in memory]", shape).help("Make the layer smaller."))
}

/// Uniform in ±√square.
fn symmetric(square: f64) -> Initializer {
    Initializer::Uniform { low: -square.sqrt(), high: square.sqrt() }
}

/// Truncated normal that has this variance after the cut.
fn truncated(variance: f64) -> Initializer {
    Initializer::TruncatedNormal { mean: 0.0, deviation: variance.sqrt() / TRUNCATED_DEVIATION }
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

    #[test]
    fn each_has_the_moments_of_its_formula() {
        let cases = [
            (Initializer::GlorotUniform, (2.0f64 / 700.0).sqrt(), (6.0f64 / 700.0).sqrt()),
            (Initializer::HeUniform, (2.0f64 / 200.0).sqrt(), (6.0f64 / 200.0).sqrt()),
            (Initializer::GlorotNormal, (2.0f64 / 700.0).sqrt(), 2. * (2.0f64 / 700.0).sqrt() / 0.8796),
            (Initializer::HeNormal, (2.0f64 / 200.0).sqrt(), 2. * (2.0f64 / 200.0).sqrt() / 0.8796),
            (Initializer::Normal { mean: 0.0, deviation: 0.3 }, 0.3, f64::INFINITY),
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
        assert!(t(Initializer::Normal { mean: 0.0, deviation: -1.0 }).is_err());
        assert!(t(Initializer::Constant(f64::NAN)).is_err());
    }
}
