//! [`GradientTrace`]: the gradient norms of each layer over the steps of training.

use crate::codec::{checked, contradicts, differ};
use crate::error::Result;
use crate::shown::{count, cut};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The gradient norm of each layer at the recorded steps.
///
/// [`GradientNorms`](crate::train::GradientNorms) records it, and `plot::gradient_norms` draws it. It is plain data
/// that serde saves in any format.
///
/// ```
/// let trace = plywood::train::GradientTrace::default();
/// assert_eq!(trace.to_string(), "no gradients");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct GradientTrace {
    /// The numbers of the recorded steps, counted from 1.
    pub steps: Vec<u64>,
    /// Each layer's name ("1", "4.0") and its norms, one per step: the square root of the sum of squares over all its
    /// trainable parameters. NaN where a layer had no gradient.
    #[serde(with = "crate::codec::words")]
    pub layers: Vec<(String, Vec<f64>)>,
}

checked!(GradientTrace);

impl GradientTrace {
    /// Checks that deserialized data are consistent.
    fn check(&self) -> Result<()> {
        let steps = self.steps.len();
        if let Some((name, norms)) = self.layers.iter().find(|(_, norms)| norms.len() != steps) {
            let expected = format!("have a norm for each of {}", count(steps, "step", "steps"));
            return Err(contradicts(
                "the trace of gradients",
                expected,
                format!("{} of layer {name:?}", norms.len()),
            ));
        }
        differ("the trace of gradients", self.layers.iter().map(|(name, _)| name.as_str()))
    }
}

impl GradientTrace {
    /// Adds a step with the norms of some layers. A layer seen for the first time gets NaN for the earlier steps.
    pub(crate) fn push(&mut self, step: u64, norms: Vec<(String, f64)>) {
        self.steps.push(step);
        for (name, norm) in norms {
            let position = self.layers.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
                self.layers.push((name, Vec::new()));
                self.layers.len() - 1
            });
            let values = &mut self.layers[position].1;
            values.resize(self.steps.len() - 1, f64::NAN);
            values.push(norm);
        }
        self.layers.iter_mut().for_each(|(_, values)| values.resize(self.steps.len(), f64::NAN));
    }
}

/// A line for each layer: its first norm, its last, and their ratio.
impl fmt::Display for GradientTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.layers.is_empty() {
            return f.write_str("no gradients");
        }
        let shown: Vec<_> = self.layers.iter().map(|(name, _)| cut(name)).collect();
        let width = shown.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(5);
        write!(f, "{:<width$}  {:>12}  {:>12}", "layer", "first norm", "last norm")?;
        for (name, (_, norms)) in shown.iter().zip(&self.layers) {
            let of = |norm: Option<&f64>| format!("{:.3e}", norm.copied().unwrap_or(f64::NAN));
            write!(f, "\n{name:<width$}  {:>12}  {:>12}", of(norms.first()), of(norms.last()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_that_come_and_go_have_gaps() {
        let mut trace = GradientTrace::default();
        trace.push(1, vec![("1".into(), 0.5)]);
        trace.push(3, vec![("1".into(), 0.25), ("2".into(), 2.0)]);
        trace.push(5, vec![("2".into(), 4.0)]);
        assert_eq!(trace.steps, [1, 3, 5]);
        assert_eq!(trace.layers[0].1[..2], [0.5, 0.25]);
        assert!(trace.layers[0].1[2].is_nan() && trace.layers[1].1[0].is_nan());
        assert_eq!(trace.layers[1].1[1..], [2.0, 4.0]);
        assert_eq!(trace.to_string().lines().count(), 3);
    }
}
