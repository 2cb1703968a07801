//! Mean and standard deviation of a number over several runs.

use crate::codec::{checked, contradicts};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The mean and standard deviation of a number over several runs, such as repeated runs with different seeds.
///
/// ```text
/// mean      = Σ x / n
/// deviation = √( Σ (x − mean)² / (n − 1) )
/// ```
///
/// ```
/// use plywood::metrics::MeanStd;
///
/// let accuracy = MeanStd::of(&[0.88, 0.89, 0.90]);
/// assert_eq!(accuracy.to_string(), "0.8900 ± 0.0100");
/// assert_eq!(MeanStd::of(&[0.5]).std_dev, 0.0);
/// assert!(MeanStd::of(&[]).mean.is_nan());
/// ```
///
/// The standard deviation is that of a sample (`numpy.std` with `ddof=1`); for one run it is 0. It says how far off a
/// single run may be, not how well the mean is known: the standard error of the mean is `deviation / √n`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct MeanStd {
    /// The mean; NaN without runs.
    #[serde(with = "crate::codec::words")]
    pub mean: f64,
    /// The standard deviation over runs; NaN without runs, 0 for one run.
    #[serde(with = "crate::codec::words")]
    pub std_dev: f64,
    /// The number of runs.
    pub runs: usize,
}

checked!(MeanStd);

impl MeanStd {
    /// Checks that the values read do not contradict each other.
    fn check(&self) -> Result<()> {
        let none = self.mean.is_nan() && self.std_dev.is_nan();
        if self.std_dev < 0.0 || (self.runs == 0 && !none) {
            let found = format!("{} ± {} over {} runs", self.mean, self.std_dev, self.runs);
            return Err(contradicts(
                "the mean and standard deviation",
                "be NaN without runs, and the deviation at least 0",
                found,
            ));
        }
        Ok(())
    }
}

impl MeanStd {
    /// Returns the mean and standard deviation of these values. A NaN among them makes both NaN.
    pub fn of(values: &[f64]) -> Self {
        let runs = values.len();
        let mean = values.iter().sum::<f64>() / runs as f64;
        let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        let deviation = (squares / (runs.max(2) as f64 - 1.0)).sqrt();
        Self { mean, std_dev: if runs == 0 { f64::NAN } else { deviation }, runs }
    }
}

/// Formats as "0.8900 ± 0.0100"; a precision in the format, such as `{:.2}`, applies to both numbers.
impl fmt::Display for MeanStd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or(4);
        write!(f, "{:.decimals$} ± {:.decimals$}", self.mean, self.std_dev)
    }
}
