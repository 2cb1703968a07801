//! Which values are monitored, and in which direction they are better.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// The direction in which a value is better.
///
/// A metric defines its own direction ([`Metric::direction`](crate::metrics::Metric::direction)); the loss is better
/// when lower. The name of a metric does not matter: one called "score" may go either way.
///
/// ```
/// use plywood::train::Direction;
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
    /// Returns whether `value` is better than `than`.
    ///
    /// An equal value is not better. NaN is never better than a number; a number is better than NaN.
    pub fn is_better(self, value: f64, than: f64) -> bool {
        match self {
            _ if than.is_nan() => !value.is_nan(),
            Self::Lower => value < than,
            Self::Higher => value > than,
        }
    }

    /// The direction of the trainer's own loss. No metric may have its names.
    pub(crate) fn of_loss(name: &str) -> Option<Self> {
        matches!(name, "loss" | "val_loss").then_some(Self::Lower)
    }

    /// Returns whether `value` is better than the best so far by more than `margin`. The first value always is.
    pub(crate) fn improves(self, value: f64, best: Option<f64>, margin: f64) -> bool {
        match best {
            None => true,
            Some(best) if best.is_nan() => !value.is_nan(),
            Some(best) => match self {
                Self::Lower => value < best - margin,
                Self::Higher => value > best + margin,
            },
        }
    }
}

/// The name of a value to monitor and, optionally, the direction in which it is better.
///
/// Early stopping, plateaus, checkpoints and search contain one, built from their `monitor`, `lower_is_better` and
/// `higher_is_better`. If a custom callback returns it from [`Callback::monitor`](crate::train::Callback::monitor), it
/// is checked before the first step.
///
/// ```
/// use plywood::prelude::*;
/// use plywood::train::{Direction, Monitor};
///
/// /// Ends training once a value is good enough.
/// struct GoodEnough {
///     monitor: Monitor,
///     limit: f64,
/// }
///
/// impl Callback for GoodEnough {
///     fn monitor(&self) -> Option<&Monitor> {
///         Some(&self.monitor)
///     }
///     fn on_epoch_end(&mut self, context: &mut Context<'_>) -> Result<()> {
///         let (value, direction) = context.monitored(&self.monitor)?;
///         if direction.is_better(value, self.limit) {
///             context.stop();
///         }
///         Ok(())
///     }
/// }
///
/// let monitor = Monitor::of("val_mape").directed(Direction::Lower);
/// let trainer = Trainer::new(MeanSquaredError, Adam::default()).callback(GoodEnough { monitor, limit: 0.05 });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitor {
    name: String,
    /// Set by the user; otherwise the value's own direction is used.
    direction: Option<Direction>,
}

impl Monitor {
    /// Monitors the value with this name in the [`History`](crate::train::History), for example "val_loss". The value
    /// defines the direction in which it is better.
    pub fn of(name: impl Into<String>) -> Self {
        Self { name: name.into(), direction: None }
    }

    /// Sets the direction in which the value is better; it takes precedence over the value's own.
    #[must_use]
    pub fn directed(mut self, direction: Direction) -> Self {
        self.direction = Some(direction);
        self
    }

    /// Sets the direction if none was set.
    pub(crate) fn or_directed(mut self, direction: Option<Direction>) -> Self {
        self.direction = self.direction.or(direction);
        self
    }

    /// Monitors another value. A direction that was set is kept.
    pub(crate) fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The value's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The direction if no values are available that would define it: losses are recognized by name.
    pub(crate) fn by_itself(&self) -> Result<Direction> {
        self.resolve(std::iter::once((self.name.as_str(), Direction::of_loss(&self.name))))
    }

    /// The direction in which the value is better: the one set here, or else the one that `values` gives.
    ///
    /// `values` are the names that each epoch has, with their own directions.
    pub(crate) fn resolve<'a>(
        &self,
        values: impl Iterator<Item = (&'a str, Option<Direction>)> + Clone,
    ) -> Result<Direction> {
        let Some((_, own)) = values.clone().find(|(name, _)| *name == self.name) else {
            let names: Vec<&str> = values.map(|(name, _)| name).collect();
            let expected = format!("be one of the epoch's ({})", names.join(", "));
            let validated = names.iter().any(|name| name.starts_with("val_"));
            let help = if self.name.starts_with("val_") && !validated {
                "Values that begin with \"val_\" need validation data or `validation_split`."
            } else {
                "Write one of these names, or add the metric to the trainer."
            };
            return Err(Error::data("the value to monitor", expected, &self.name).help(help));
        };
        self.direction.or(own).ok_or_else(|| {
            Error::data("the value to monitor", "have a direction, lower or higher", &self.name)
                .help("Call `.lower_is_better()` or `.higher_is_better()`, or write `Metric::direction`.")
        })
    }
}

/// Defines `lower_is_better` and `higher_is_better` for a builder with a field `monitor`.
macro_rules! directed {
    () => {
        /// Treats lower values as better, whatever direction the value itself defines.
        #[must_use]
        pub fn lower_is_better(mut self) -> Self {
            self.monitor = self.monitor.directed($crate::monitor::Direction::Lower);
            self
        }

        /// Treats higher values as better, whatever direction the value itself defines.
        #[must_use]
        pub fn higher_is_better(mut self) -> Self {
            self.monitor = self.monitor.directed($crate::monitor::Direction::Higher);
            self
        }
    };
}
pub(crate) use directed;
