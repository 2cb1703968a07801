//! [`Scale`]: a scaling with its fitted statistics.

use super::settings::{MOST_QUANTILES, Scaling};
use super::statistics::{moments, quantile};
use crate::codec::contradicts;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// A fitted scaling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Scale {
    /// The numbers as they are.
    None,
    /// `(x - center) / scale`
    Linear {
        #[serde(with = "crate::codec::words")]
        center: f64,
        /// Above 0.
        #[serde(with = "crate::codec::words")]
        scale: f64,
    },
    /// The numbers at equal steps of rank, rising, at least 2.
    Quantile(#[serde(with = "points")] Vec<f64>),
}

impl Scale {
    /// Fits on these numbers, at least one, sorted. `what` names them in errors.
    pub fn fit(sorted: &[f64], scaling: Scaling, what: &str) -> Result<Self> {
        let (first, last) = (sorted[0], sorted[sorted.len() - 1]);
        let fitted = match scaling {
            Scaling::None => Self::None,
            Scaling::Standard if first == last => Self::Linear { center: first, scale: 1.0 },
            Scaling::Standard => {
                let (mean, variance) = moments(sorted);
                // scikit-learn's bounds of a variance that is a mere rounding error.
                let count = sorted.len() as f64;
                let rounding = count * mean * f64::EPSILON;
                let constant = variance <= count * f64::EPSILON * variance + rounding * rounding;
                let scale = if constant && variance.is_finite() { 1.0 } else { variance.sqrt() };
                Self::Linear { center: mean, scale }
            }
            Scaling::MinMax { low, high } => {
                let span = last - first;
                let scale = if span < 10.0 * f64::EPSILON { 1.0 } else { span } / (high - low);
                Self::Linear { center: first - low * scale, scale }
            }
            Scaling::Quantile { quantiles } => {
                let steps = quantiles.min(sorted.len()).max(2) - 1;
                // Between percentages NumPy multiplies by 100 and divides again. Whether a number meets a point to the
                // bit moves its rank by half a step.
                let mut points: Vec<f64> =
                    (0..=steps).map(|i| quantile(sorted, rank(i, steps) * 100.0 / 100.0)).collect();
                for i in 1..points.len() {
                    points[i] = points[i].max(points[i - 1]); // one may be a rounding below
                }
                Self::Quantile(points)
            }
        };
        match fitted.is_sound() {
            true => Ok(fitted),
            false => Err(Error::data(what, "have squares and differences that are finite", "larger ones")
                .help("Divide the numbers, or take their logarithm.")),
        }
    }

    fn is_sound(&self) -> bool {
        match self {
            Self::None => true,
            Self::Linear { center, scale } => center.is_finite() && scale.is_finite() && *scale > 0.0,
            Self::Quantile(points) => {
                (2..=MOST_QUANTILES).contains(&points.len())
                    && points.iter().all(|x| x.is_finite())
                    && points.is_sorted()
            }
        }
    }

    /// Fails if the statistics cannot come from fitting.
    pub fn check(&self) -> Result<()> {
        if self.is_sound() {
            return Ok(());
        }
        let found = match self {
            Self::Linear { center, scale } => format!("{center} and {scale}"),
            _ => "other quantiles".to_owned(),
        };
        Err(contradicts("the scaling", "have a finite center, a scale above 0, and rising quantiles", found))
    }

    /// Scales one number.
    pub fn apply(&self, x: f64) -> f64 {
        match self {
            Self::None => x,
            Self::Linear { center, scale } => (x - center) / scale,
            Self::Quantile(points) => share(points, x),
        }
    }
}

/// The share of ranks below point `i`, as NumPy's `linspace` rounds it.
fn rank(i: usize, steps: usize) -> f64 {
    if i == steps { 1.0 } else { i as f64 * (1.0 / steps as f64) }
}

/// The share of ranks below a number. Where several points are equal, the middle of their ranks.
///
/// It is the mean of two of NumPy's `interp`, one over the rising points and one over the falling ones, with the same
/// roundings.
fn share(points: &[f64], x: f64) -> f64 {
    let last = points.len() - 1;
    if x <= points[0] {
        return 0.0;
    }
    if x >= points[last] {
        return 1.0;
    }
    let above = points.partition_point(|point| *point <= x); // the first above, at least 1
    let begin = above - 1;
    if points[begin] == x {
        let below = points[..above].partition_point(|point| *point < x); // the first that is equal
        return 0.5 * (rank(begin, last) + rank(below, last));
    }
    let (low, high) = (rank(begin, last), rank(above, last));
    let slope = (high - low) / (points[above] - points[begin]);
    let (up, down) = (slope * (x - points[begin]) + low, high - slope * (points[above] - x));
    let middle = 0.5 * (up + down);
    if middle.is_finite() { middle } else { low } // between neighbours among the smallest numbers
}

/// Points as eight bytes each, little-endian; in formats for people a list.
mod points {
    use crate::codec::{blob, words};
    use serde::de::Error as _;
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(points: &Vec<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return words::serialize(points, serializer);
        }
        let bytes: Vec<u8> = points.iter().flat_map(|point| point.to_le_bytes()).collect();
        blob::serialize(&bytes, serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        if deserializer.is_human_readable() {
            return words::deserialize(deserializer);
        }
        let bytes = blob::deserialize(deserializer)?;
        match bytes.as_chunks() {
            (points, []) => Ok(points.iter().map(|&point| f64::from_le_bytes(point)).collect()),
            _ => Err(D::Error::custom(format!("whole numbers in {} bytes", bytes.len()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_points_have_the_middle_of_their_ranks() {
        let points = [0.0, 1.0, 1.0, 1.0, 3.0];
        for (x, y) in
            [(-1.0, 0.0), (0.0, 0.0), (0.5, 0.125), (1.0, 0.5), (2.0, 0.875), (3.0, 1.0), (9.0, 1.0)]
        {
            assert_eq!(share(&points, x), y, "{x}");
        }
        assert_eq!(share(&[0.0, f64::from_bits(1), f64::from_bits(9), 1.0], f64::from_bits(3)), 1.0 / 3.0);
    }

    #[test]
    fn what_is_constant_becomes_zeros() {
        for x in [0.1, 1e300, -7.0] {
            let sorted = [x; 7];
            assert_eq!(Scale::fit(&sorted, Scaling::Standard, "").unwrap().apply(x), 0.0);
            assert_eq!(Scale::fit(&sorted, Scaling::Quantile { quantiles: 5 }, "").unwrap().apply(x), 0.0);
            let range = Scaling::MinMax { low: 0.0, high: 2.0 };
            assert_eq!(Scale::fit(&sorted, range, "").unwrap().apply(x), 0.0);
        }
        assert!(Scale::fit(&[-1e200, 1e200], Scaling::Standard, "numbers").is_err());
    }
}
