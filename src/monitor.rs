//! Which way a value is better, and which value is watched.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Whether a value is better when it is lower or when it is higher.
///
/// A metric says it of itself ([`Metric::direction`](crate::Metric::direction)); losses are better when lower. Nothing
/// is taken from a name.
///
/// ```
/// use plywood::Direction;
///
/// assert!(Direction::Lower.is_better(0.2, 0.3) && Direction::Higher.is_better(0.3, 0.2));
/// assert!(!Direction::Lower.is_better(f64::NAN, 0.3)); // NaN is never better
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// Lower is better: losses and errors.
    Lower,
    /// Higher is better: accuracies, scores.
    Higher,
}

impl Direction {
    /// Whether `value` is better than `than`.
    ///
    /// Equal is not better, and NaN is never better than a number; a number is better than NaN.
    pub fn is_better(self, value: f64, than: f64) -> bool {
        match self {
            _ if than.is_nan() => !value.is_nan(),
            Self::Lower => value < than,
            Self::Higher => value > than,
        }
    }
}

/// A value's name, and which way it is better, where that was said.
///
/// Early stopping, plateaus, checkpoints and search have one inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitor {
    /// The value's name in the history: "val_loss".
    pub(crate) name: String,
    /// Said by the user; else the metric's own counts.
    pub(crate) direction: Option<Direction>,
}

impl Monitor {
    pub(crate) fn of(name: impl Into<String>) -> Self {
        Self { name: name.into(), direction: None }
    }

    /// Which way the value is better, by what was said here, or by what the values say of themselves.
    ///
    /// `values` are the names that each epoch has.
    pub(crate) fn resolve<'a>(
        &self,
        values: impl Iterator<Item = (&'a str, Option<Direction>)> + Clone,
    ) -> Result<Direction> {
        let Some((_, own)) = values.clone().find(|(name, _)| *name == self.name) else {
            let names: Vec<&str> = values.map(|(name, _)| name).collect();
            let expected = format!("to be one of {}", names.join(", "));
            return Err(Error::data("the value to monitor", expected, &self.name)
                .help("Values that begin with \"val_\" need validation data or `validation_split`."));
        };
        self.direction.or(own).ok_or_else(|| {
            Error::data("the value to monitor", "to say whether lower or higher is better", &self.name)
                .help("Say `.lower_is_better()` or `.higher_is_better()`, or write `Metric::direction`.")
        })
    }
}
