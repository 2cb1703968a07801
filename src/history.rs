//! What happened in training, as data.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One epoch of training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Epoch {
    /// The number of the epoch, from 1; a later `fit` of the same trainer goes on counting.
    pub number: u64,
    /// Names and values: "loss" and the metrics over the epoch's training batches, then "val_loss" and "val_…" over
    /// the validation data after it.
    pub values: Vec<(String, f64)>,
    /// The learning rate of the epoch's last step.
    pub learning_rate: f64,
    /// How long it took, validation included.
    pub seconds: f64,
}

impl Epoch {
    pub(crate) fn new(number: u64, values: Vec<(String, f64)>, learning_rate: f64, seconds: f64) -> Self {
        Self { number, values, learning_rate, seconds }
    }

    /// The value of this name: "loss", "accuracy", "val_loss", "val_accuracy".
    pub fn get(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.values {
            write!(f, "{name} {value:.4}  ")?;
        }
        write!(f, "{:.2} s", self.seconds)
    }
}

/// The epochs of one call of `fit`.
///
/// It is plain data, saved by serde in any format, and prints as a table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct History {
    /// The epochs, in order.
    pub epochs: Vec<Epoch>,
}

impl History {
    /// The values of this name, epoch by epoch; empty where there are none: `history.get("val_accuracy")`.
    pub fn get(&self, name: &str) -> Vec<f64> {
        self.epochs.iter().filter_map(|epoch| epoch.get(name)).collect()
    }

    /// The first epoch's value of this name.
    pub fn first(&self, name: &str) -> Option<f64> {
        self.epochs.first().and_then(|epoch| epoch.get(name))
    }

    /// The last epoch's value of this name.
    pub fn last(&self, name: &str) -> Option<f64> {
        self.epochs.last().and_then(|epoch| epoch.get(name))
    }

    /// How long all epochs took.
    pub fn seconds(&self) -> f64 {
        self.epochs.iter().map(|epoch| epoch.seconds).sum()
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(last) = self.epochs.last() else { return f.write_str("no epochs") };
        let names: Vec<&str> = last.values.iter().map(|(name, _)| name.as_str()).collect();
        write!(f, "epoch")?;
        for name in &names {
            write!(f, "  {name:>8}")?;
        }
        write!(f, "  {:>8}", "seconds")?;
        for epoch in &self.epochs {
            write!(f, "\n{:>5}", epoch.number)?;
            for name in &names {
                let width = name.len().max(8);
                write!(f, "  {:>width$.4}", epoch.get(name).unwrap_or(f64::NAN))?;
            }
            write!(f, "  {:>8.2}", epoch.seconds)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name_and_as_a_table() {
        let epoch =
            |n, loss| Epoch::new(n, vec![("loss".into(), loss), ("val_accuracy".into(), 0.5)], 0.1, 1.0);
        let history = History { epochs: vec![epoch(1, 0.75), epoch(2, 0.5)] };
        assert_eq!(history.get("loss"), [0.75, 0.5]);
        assert_eq!((history.last("loss"), history.last("accuracy")), (Some(0.5), None));
        assert_eq!(
            history.to_string(),
            "epoch      loss  val_accuracy   seconds
    1    0.7500        0.5000      1.00
    2    0.5000        0.5000      1.00"
        );
    }
}
