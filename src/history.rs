//! The results of training, as plain data.
//!
//! A [`History`] is what `fit` returns: a list of [`Epoch`]s, each with a list of names and values. Names are strings
//! and not fields, since the user chooses the metrics. A history does not refer to the model or the trainer, so it can
//! be kept, compared and saved after they are gone.

use crate::codec::{checked, contradicts};
use crate::error::{Error, Result};
use crate::monitor::{Direction, Monitor};
use crate::shown::{count, cut};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One epoch of training.
///
/// A [`History`] contains them, and a callback gets the latest one from
/// [`Context::ended`](crate::train::Context::ended). It prints as one line, the same that the progress display shows:
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
    /// The number of the epoch, counted from 1; a later `fit` of the same trainer continues the count.
    pub number: u64,
    /// Names and values: "loss" and the metrics over the epoch's training batches, then "val_loss" and "val_…" over
    /// the validation data after it, then what callbacks have [logged](crate::train::Context::log).
    ///
    /// They are in the order in which the metrics were added to the trainer. "loss" is the weighted mean over the
    /// epoch's samples; each batch's loss is computed before its step.
    #[serde(with = "crate::codec::words")]
    pub values: Vec<(String, f64)>,
    /// The learning rate of the epoch's last step, or the one that a callback has set after it. With a schedule,
    /// earlier steps had other learning rates.
    #[serde(with = "crate::codec::words")]
    pub learning_rate: f64,
    /// For each of `values`, in order, the direction in which it is better; `None` if its metric does not define one.
    ///
    /// See [`direction`](Epoch::direction).
    #[serde(default)]
    pub directions: Vec<Option<Direction>>,
    /// The duration in seconds of wall-clock time, validation included. It is the only thing in a history that a seed
    /// does not determine. 0, shown as "-", where there is no clock (`wasm32-unknown-unknown`).
    #[serde(with = "crate::codec::words")]
    pub seconds: f64,
}

checked!(Epoch);

impl Epoch {
    /// Checks that deserialized data are consistent.
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
    /// Makes an epoch. Only `fit` does so: the struct is `non_exhaustive`, so that fields can be added later.
    pub(crate) fn new(number: u64, values: Vec<(String, f64)>, learning_rate: f64, seconds: f64) -> Self {
        Self { number, values, learning_rate, directions: Vec::new(), seconds }
    }

    /// Sets the directions of the values.
    pub(crate) fn with(mut self, directions: Vec<Option<Direction>>) -> Self {
        self.directions = directions;
        self
    }

    /// Adds a value without a direction.
    pub(crate) fn log(&mut self, name: &str, value: f64) {
        self.values.push((name.to_owned(), value));
        self.directions.resize(self.values.len(), None);
    }

    /// Returns the value with this name: "loss", "accuracy", "val_loss", "val_accuracy".
    ///
    /// `None` if no such value was recorded: the metric was not added, or no validation data were given.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// Returns the direction in which the named value is better; `None` if there is no such value or its metric does
    /// not define one.
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

    /// The value of the monitor, and the direction in which it is better. NaN is an error, as no decision can be based
    /// on it.
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
/// It is plain data that serde saves in any format, and it prints as a table.
///
/// A second `fit` of the same trainer returns a new history, whose epochs continue the count. Keras' `History.history`
/// is a dictionary from names to lists; [`get`](History::get) returns such a list.
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
    /// The epochs, in order. With early stopping there may be fewer than requested.
    pub epochs: Vec<Epoch>,
}

impl History {
    /// Returns the values with this name, epoch by epoch, for example `history.get("val_accuracy")`; empty if there are
    /// none.
    ///
    /// Epochs without the value are skipped, so list positions match epochs only if all epochs have it. All epochs of
    /// one `fit` have the same names.
    pub fn get(&self, name: &str) -> Vec<f64> {
        self.epochs.iter().filter_map(|epoch| epoch.get(name)).collect()
    }

    /// Returns the first epoch's value with this name.
    ///
    /// `None` if there are no epochs, or the value is missing.
    pub fn first(&self, name: &str) -> Option<f64> {
        self.epochs.first().and_then(|epoch| epoch.get(name))
    }

    /// Returns the last epoch's value with this name.
    ///
    /// For the best instead of the last, fold over [`get`](History::get):
    /// `history.get("val_accuracy").into_iter().fold(0.0, f64::max)`.
    pub fn last(&self, name: &str) -> Option<f64> {
        self.epochs.last().and_then(|epoch| epoch.get(name))
    }

    /// Returns the total time of all epochs, in seconds.
    ///
    /// It is the sum over the epochs. Work that `fit` does before the first epoch and after the last is not included.
    pub fn seconds(&self) -> f64 {
        self.epochs.iter().map(|epoch| epoch.seconds).sum()
    }
}

/// A table with a line for each epoch; the columns are the last epoch's names. Without epochs the text is "no epochs".
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

/// Seconds with two decimals, or "-" for 0, which no clock measures.
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
