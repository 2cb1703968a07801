//! Which way a value is better, and which value is watched.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Whether a value is better when it is lower or when it is higher.
///
/// A metric says it of itself ([`Metric::direction`](crate::metrics::Metric::direction)); the loss is better when
/// lower. A name decides nothing: a metric called "score" may be either.
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

    /// That of the trainer's own loss, whose names no metric has.
    pub(crate) fn of_loss(name: &str) -> Option<Self> {
        matches!(name, "loss" | "val_loss").then_some(Self::Lower)
    }

    /// Whether `value` is better than the best so far by more than `margin`. The first value is better than none.
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

/// A value that is watched: its name, and which way it is better, where that was said.
///
/// Early stopping, plateaus, checkpoints and search have one inside, made of their `monitor`, `lower_is_better` and
/// `higher_is_better`. A callback of one's own that returns it from
/// [`Callback::monitor`](crate::train::Callback::monitor) has it checked before the first step.
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
    /// Said by the user; else the value's own counts.
    direction: Option<Direction>,
}

impl Monitor {
    /// The value of this name in the [`History`](crate::train::History): "val_loss". Which way it is better is up to
    /// the value.
    pub fn of(name: impl Into<String>) -> Self {
        Self { name: name.into(), direction: None }
    }

    /// Says which way the value is better, whatever it says of itself.
    #[must_use]
    pub fn directed(mut self, direction: Direction) -> Self {
        self.direction = Some(direction);
        self
    }

    /// Another value, better in the direction that was said, if one was.
    pub(crate) fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The value's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which way the value is better where no values are at hand that would say it: losses are known by their name.
    pub(crate) fn by_itself(&self) -> Result<Direction> {
        self.resolve(std::iter::once((self.name.as_str(), Direction::of_loss(&self.name))))
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

/// `lower_is_better` and `higher_is_better` for a builder with a field `monitor`.
macro_rules! directed {
    () => {
        /// Says that the value is better when lower, whatever it says of itself.
        #[must_use]
        pub fn lower_is_better(mut self) -> Self {
            self.monitor = self.monitor.directed($crate::monitor::Direction::Lower);
            self
        }

        /// Says that the value is better when higher, whatever it says of itself.
        #[must_use]
        pub fn higher_is_better(mut self) -> Self {
            self.monitor = self.monitor.directed($crate::monitor::Direction::Higher);
            self
        }
    };
}
pub(crate) use directed;
