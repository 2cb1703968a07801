//! What happened in training, as data.
//!
//! A [`History`] is what `fit` returns: a list of [`Epoch`]s, each a list of names and values. Names are strings
//! and not fields, since metrics are the user's. Nothing in here refers to the model or the trainer, so a history
//! may be kept, compared and saved long after them.

use crate::codec::{checked, contradicts};
use crate::error::{Error, Result};
use crate::monitor::{Direction, Monitor};
use crate::shown::{count, cut};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One epoch of training.
///
/// A [`History`] has them, and a callback has the last of them as [`Context::ended`](crate::train::Context::ended). It
/// prints as one line, as progress shows it:
///
/// ```
/// use plywood::ndarray::Array2;
/// use plywood::prelude::*;
///
/// let data = ArrayDataset::new(Array2::<f32>::zeros((4, 1)), Array2::<f32>::zeros((4, 1)))?;
/// let mut model = Sequential::builder([1]).layer(Dense::units(1)).build()?;
/// let mut trainer = Trainer::new(MeanSquaredError, SGD::default()).batch_size(4).progress(Progress::Silent);
/// let history = trainer.fit(&mut model, &data)?;
/// let epoch = &history.epochs[0];
/// assert_eq!((epoch.number, epoch.learning_rate), (1, 0.01));
/// assert!(epoch.to_string().starts_with("loss 0.0000  "), "{epoch}");
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct Epoch {
    /// The number of the epoch, from 1; a later `fit` of the same trainer goes on counting.
    pub number: u64,
    /// Names and values: "loss" and the metrics over the epoch's training batches, then "val_loss" and "val_…" over
    /// the validation data after it, then what callbacks have [logged](crate::train::Context::log).
    ///
    /// The order is that in which the metrics were added to the trainer. "loss" is the mean over the epoch's
    /// samples by their weights, each batch's taken before its step.
    #[serde(with = "crate::codec::words")]
    pub values: Vec<(String, f64)>,
    /// The learning rate of the epoch's last step, or the one that a callback has set after it. With a schedule, the
    /// earlier steps had others.
    #[serde(with = "crate::codec::words")]
    pub learning_rate: f64,
    /// Which way each of `values` is better, in their order; `None` where a metric does not say it.
    ///
    /// See [`direction`](Epoch::direction).
    #[serde(default)]
    pub directions: Vec<Option<Direction>>,
    /// How long it took, in seconds of the wall clock, validation included. It is the one thing in a history that a
    /// seed does not determine. 0, shown as "-", where there is no clock (`wasm32-unknown-unknown`).
    #[serde(with = "crate::codec::words")]
    pub seconds: f64,
}

checked!(Epoch);

impl Epoch {
    /// What is read must not contradict itself.
    fn check(&self) -> Result<()> {
        match self.directions.len() {
            0 => Ok(()),
            n if n == self.values.len() => Ok(()),
            n => Err(contradicts(
                "the epoch",
                format!("have a direction for each of {}", count(self.values.len(), "value", "values")),
                n,
            )),
        }
    }
}

impl Epoch {
    /// The struct is `non_exhaustive`, so that more can be recorded later; only `fit` makes one.
    pub(crate) fn new(number: u64, values: Vec<(String, f64)>, learning_rate: f64, seconds: f64) -> Self {
        Self { number, values, learning_rate, directions: Vec::new(), seconds }
    }

    /// With the directions of its values.
    pub(crate) fn with(mut self, directions: Vec<Option<Direction>>) -> Self {
        self.directions = directions;
        self
    }

    /// Adds a value of which it is not known which way it is better.
    pub(crate) fn log(&mut self, name: &str, value: f64) {
        self.values.push((name.to_owned(), value));
        self.directions.resize(self.values.len(), None);
    }

    /// The value of this name: "loss", "accuracy", "val_loss", "val_accuracy".
    ///
    /// `None` where no such value was recorded: a metric that was not added, or validation data that were not
    /// given.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// Which way the value of this name is better; `None` where there is no such value, or its metric does not say it.
    ///
    /// ```
    /// use plywood::train::Direction;
    /// use plywood::prelude::*;
    ///
    /// let data = ArrayDataset::new(plywood::ndarray::Array2::<f32>::ones((8, 2)), vec![1; 8])?;
    /// let mut model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build()?;
    /// let trainer = Trainer::new(CrossEntropy::default(), SGD::default()).metric(Accuracy::default());
    /// let history = trainer.progress(Progress::Silent).fit(&mut model, &data)?;
    /// assert_eq!(history.epochs[0].direction("loss"), Some(Direction::Lower));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn direction(&self, name: &str) -> Option<Direction> {
        let at = self.values.iter().position(|(known, _)| known == name)?;
        self.directions.get(at).copied().flatten().or(Direction::of_loss(name))
    }

    /// The value that is monitored, and which way it is better. NaN is an error, as nothing can be decided by it.
    pub(crate) fn watched(&self, monitor: &Monitor) -> Result<(f64, Direction)> {
        let values = self.values.iter().map(|(name, _)| (name.as_str(), self.direction(name)));
        let direction = monitor.resolve(values)?;
        let value = self.get(monitor.name()).unwrap_or(f64::NAN);
        if value.is_nan() {
            return Err(Error::data("the value to monitor", "be a number", format!("{} NaN", monitor.name())).help(
                "A metric is NaN where it has no meaning: ROC AUC of a class that all samples have, or none. Monitor \
                 another value, or other samples.",
            ));
        }
        Ok((value, direction))
    }
}

/// Values with four decimals and the seconds with two, on one line.
impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.values {
            write!(f, "{name} {value:.4}  ")?;
        }
        write!(f, "{} s", measured(self.seconds))
    }
}

/// The epochs of one call of `fit`.
///
/// It is plain data, saved by serde in any format, and prints as a table.
///
/// One trainer's second `fit` returns a history of its own, whose epochs count on. Keras' `History.history` is a
/// dictionary from names to lists; [`get`](History::get) gives such a list.
///
/// ```
/// use plywood::ndarray::Array2;
/// use plywood::prelude::*;
///
/// let data = ArrayDataset::new(Array2::<f32>::ones((8, 2)), Array2::<f32>::ones((8, 1)))?;
/// let mut model = Sequential::builder([2]).layer(Dense::units(1)).build()?;
/// let trainer = Trainer::new(MeanSquaredError, SGD::default()).epochs(3).batch_size(4);
/// let mut trainer = trainer.progress(Progress::Silent);
/// trainer.fit(&mut model, &data)?;
/// let history = trainer.fit(&mut model, &data)?;
/// assert_eq!(history.epochs.iter().map(|epoch| epoch.number).collect::<Vec<_>>(), [4, 5, 6]);
///
/// let restored: History = serde_json::from_str(&serde_json::to_string(&history).unwrap()).unwrap();
/// assert_eq!(restored.get("loss").len(), 3);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct History {
    /// The epochs, in order. With early stopping they may be fewer than were asked for.
    pub epochs: Vec<Epoch>,
}

impl History {
    /// The values of this name, epoch by epoch; empty where there are none: `history.get("val_accuracy")`.
    ///
    /// Epochs that lack the value are left out, so positions in the list are those of epochs only where all have
    /// it. All epochs of one `fit` have the same names.
    pub fn get(&self, name: &str) -> Vec<f64> {
        self.epochs.iter().filter_map(|epoch| epoch.get(name)).collect()
    }

    /// The first epoch's value of this name.
    ///
    /// `None` without epochs, or where the value is missing.
    pub fn first(&self, name: &str) -> Option<f64> {
        self.epochs.first().and_then(|epoch| epoch.get(name))
    }

    /// The last epoch's value of this name.
    ///
    /// For the best instead of the last, fold over [`get`](History::get):
    /// `history.get("val_accuracy").into_iter().fold(0.0, f64::max)`.
    pub fn last(&self, name: &str) -> Option<f64> {
        self.epochs.last().and_then(|epoch| epoch.get(name))
    }

    /// How long all epochs took.
    ///
    /// It is the sum over the epochs. What `fit` does before the first and after the last is not in it.
    pub fn seconds(&self) -> f64 {
        self.epochs.iter().map(|epoch| epoch.seconds).sum()
    }
}

/// A table with a line for each epoch; the columns are the last epoch's names. Without epochs the text is "no
/// epochs".
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(last) = self.epochs.last() else { return f.write_str("no epochs") };
        let names: Vec<_> = last.values.iter().map(|(name, _)| (name, cut(name))).collect();
        write!(f, "epoch")?;
        for (_, shown) in &names {
            write!(f, "  {shown:>8}")?;
        }
        write!(f, "  {:>8}", "seconds")?;
        for epoch in &self.epochs {
            write!(f, "\n{:>5}", epoch.number)?;
            for (name, shown) in &names {
                let width = shown.chars().count().max(8);
                write!(f, "  {:>width$.4}", epoch.get(name).unwrap_or(f64::NAN))?;
            }
            write!(f, "  {:>8}", measured(epoch.seconds))?;
        }
        Ok(())
    }
}

/// Seconds with two decimals. No clock measures 0.
fn measured(seconds: f64) -> String {
    if seconds == 0.0 { "-".to_owned() } else { format!("{seconds:.2}") }
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
