//! Distributions defined by a variance that depends on the fans.

use serde::{Deserialize, Serialize};

/// The divisor of the variance of [`Initializer::VarianceScaling`](super::Initializer::VarianceScaling).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fan {
    /// The number of inputs: preserves the variance of the forward pass. Keras' `"fan_in"`.
    In,
    /// The number of outputs: preserves the variance of the backward pass. Keras' `"fan_out"`.
    Out,
    /// The mean of both. Keras' `"fan_avg"`.
    Mean,
}

/// The distribution of [`Initializer::VarianceScaling`](super::Initializer::VarianceScaling).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScalingDistribution {
    /// Normal, truncated at two standard deviations and widened to compensate. Keras' `"truncated_normal"`.
    TruncatedNormal,
    /// Normal. Keras' `"untruncated_normal"`.
    Normal,
    /// Uniform in ±√(3 · variance). Keras' `"uniform"`.
    Uniform,
}

/// The standard deviation of a standard normal distribution truncated at ±2.
///
/// `√(1 - 4 · φ(2) / (2 · Φ(2) - 1))`, where φ and Φ are the density and the distribution function of the standard
/// normal distribution. Keras has the same digits.
pub(super) const TRUNCATED_DEVIATION: f64 = 0.879_625_661_034_239_8;
