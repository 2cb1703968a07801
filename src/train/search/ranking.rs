//! The results of a search: its trials, the best first, as data and as a table.

use super::run::TrialRun;
use super::value::Trial;
use crate::error::Error;
use crate::metrics::MeanStd;
use crate::monitor::{Direction, Monitor};
use crate::shown::cut;
use std::cmp::Ordering;
use std::fmt;

/// The trials of a search, the best first, as returned by [`Search::run`](crate::train::Search::run). They print as a
/// table.
///
/// ```text
///    rank     val_accuracy  epochs  seconds  trial  units     rate  dropout
///       1  0.8731 ± 0.0031      30      2.1      4     64   0.0041     0.12
///       2  0.8712 ± 0.0018      30      1.9      0     32   0.0022     0.05
/// stopped           0.6012       2      0.2      9     16   0.0001     0.41
///       –           failed       0      0.0      7     64     81.2      0.3
/// trial 7: fit: the output of layer 1 (dense) is not finite (NaN or infinity), …
/// ```
///
/// "stopped" marks trials that were stopped early; their value is the one at that point, not an estimate of their final
/// value.
///
/// The best value is slightly optimistic, and more so with more trials: it was chosen for being the best on the very
/// samples on which it is measured. For an unbiased estimate, evaluate on data that no trial has used.
#[derive(Debug)]
#[non_exhaustive]
pub struct SearchResults {
    /// The name of the value by which the trials are ranked.
    pub monitor: String,
    /// The completed trials, by their mean value; then the stopped ones, those with more epochs first; then the failed
    /// ones. Ties go to the earlier trial.
    pub trials: Vec<Tried>,
}

/// A trial and its results.
#[derive(Debug)]
#[non_exhaustive]
pub struct Tried {
    /// The number of the trial in the search, from 0.
    pub number: usize,
    /// The hyperparameters.
    pub trial: Trial,
    /// A run for each fold and repeat, in order; if a run was stopped, it is the last one.
    pub runs: Vec<TrialRun>,
    /// The error of the run that failed, if any. Later runs were not started.
    pub error: Option<Error>,
}

/// The ways in which a trial can end, in the order of ranking.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum End {
    Complete,
    Stopped,
    Failed,
}

impl Tried {
    /// Returns the mean and the standard deviation of the runs' values; for a stopped trial, over the runs that it had.
    ///
    /// All runs count together, over folds and seeds.
    pub fn value(&self) -> MeanStd {
        MeanStd::of(&self.runs.iter().map(|run| run.value).collect::<Vec<_>>())
    }

    /// Returns whether one of its runs was stopped early.
    pub fn is_stopped(&self) -> bool {
        self.runs.iter().any(|run| run.stopped)
    }

    /// Returns the total number of epochs of all its runs.
    pub fn epochs(&self) -> usize {
        self.runs.iter().map(|run| run.history.epochs.len()).sum()
    }

    /// Returns the total time of its runs in seconds, during which other trials may have run too.
    pub fn seconds(&self) -> f64 {
        self.runs.iter().fold(0.0, |sum, run| sum + run.history.seconds()) // `sum` of nothing is -0
    }

    /// The value as text: without a standard deviation if there was only one run.
    pub(super) fn value_text(&self) -> String {
        let value = self.value();
        if value.runs > 1 { value.to_string() } else { format!("{:.4}", value.mean) }
    }

    fn end(&self) -> End {
        match (&self.error, self.is_stopped()) {
            (Some(_), _) => End::Failed,
            (None, true) => End::Stopped,
            (None, false) => End::Complete,
        }
    }
}

impl SearchResults {
    /// Ranks the trials.
    ///
    /// The direction is the one that was set, or the one that the value has in the first run that contains it.
    pub(super) fn new(monitor: &Monitor, mut trials: Vec<Tried>) -> Self {
        let epochs = trials.iter().flat_map(|tried| &tried.runs).flat_map(|run| &run.history.epochs);
        let said = epochs.filter_map(|epoch| epoch.watched(monitor).ok()).map(|(_, way)| way).next();
        let direction = said.or(monitor.by_itself().ok());
        let by_value = |a: f64, b: f64| match (a.is_nan(), b.is_nan()) {
            (false, false) if direction == Some(Direction::Higher) => b.total_cmp(&a),
            (false, false) => a.total_cmp(&b),
            (a, b) => a.cmp(&b), // a NaN is worse than any number
        };
        let compare = |a: &Tried, b: &Tried| {
            let end = a.end().partial_cmp(&b.end()).unwrap_or(Ordering::Equal);
            let epochs = || match a.end() {
                End::Stopped => b.epochs().cmp(&a.epochs()),
                _ => Ordering::Equal,
            };
            let value = || by_value(a.value().mean, b.value().mean);
            end.then_with(epochs).then_with(value).then_with(|| a.number.cmp(&b.number))
        };
        trials.sort_by(compare);
        Self { monitor: monitor.name().to_owned(), trials }
    }

    /// Returns the best trial.
    ///
    /// It always exists: a search in which every trial fails is an error, and a trial is stopped only by comparison
    /// with completed ones.
    pub fn best(&self) -> &Trial {
        &self.trials[0].trial
    }
}

/// A line for each trial, the best first, followed by the errors of those that failed.
impl fmt::Display for SearchResults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = vec![vec!["rank".to_owned(), self.monitor.clone()]];
        table[0].extend(["epochs", "seconds", "trial"].map(str::to_owned));
        let names = self.trials.first().map_or(&[][..], |tried| tried.trial.values());
        table[0].extend(names.iter().map(|(name, _)| name.clone()));
        for (i, tried) in self.trials.iter().enumerate() {
            let value = match tried.end() {
                End::Failed => "failed".to_owned(),
                _ => tried.value_text(),
            };
            let rank = match tried.end() {
                End::Complete => (i + 1).to_string(),
                End::Stopped => "stopped".to_owned(),
                End::Failed => "–".to_owned(),
            };
            let mut row = vec![rank, value, tried.epochs().to_string()];
            row.extend([format!("{:.1}", tried.seconds()), tried.number.to_string()]);
            row.extend(tried.trial.values().iter().map(|(_, value)| value.to_string()));
            table.push(row);
        }
        for cell in table.iter_mut().flatten() {
            *cell = cut(cell).into_owned();
        }
        let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..table[0].len()).map(width).collect();
        for (i, row) in table.iter().enumerate() {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:>width$}")).collect();
            write!(f, "{}{}", if i == 0 { "" } else { "\n" }, cells.join("  "))?;
        }
        for tried in &self.trials {
            if let Some(error) = &tried.error {
                write!(f, "\ntrial {}: {error}", tried.number)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Epoch, History};
    use crate::train::Evaluation;

    fn tried(number: usize, values: &[f64], epochs: usize, stopped: bool, error: Option<Error>) -> Tried {
        let run = |&value: &f64| {
            let epochs = (1..=epochs as u64).map(|n| Epoch::new(n, Vec::new(), 0.1, 0.25)).collect();
            let history = History { epochs };
            let evaluation = Evaluation { loss: value, losses: Vec::new(), metrics: Vec::new() };
            TrialRun { fold: 0, seed: 0, value, evaluation, history, stopped }
        };
        let trial =
            Trial::new(vec![("units".into(), (16 << number).into()), ("rate".into(), 0.0123456.into())]);
        Tried { number, trial, runs: values.iter().map(run).collect(), error }
    }

    fn trials() -> Vec<Tried> {
        vec![
            tried(0, &[0.5, 0.7], 4, false, None),
            tried(1, &[f64::NAN], 4, false, None),
            tried(2, &[0.9], 2, true, None),
            tried(3, &[], 0, false, Some(Error::custom("diverged"))),
            tried(4, &[0.25, 0.25], 4, false, None),
            tried(5, &[0.1], 3, true, None),
        ]
    }

    #[test]
    fn those_at_their_end_come_first_and_a_nan_is_the_worst_of_them() {
        let order = |monitor: Monitor| -> Vec<usize> {
            SearchResults::new(&monitor, trials()).trials.iter().map(|tried| tried.number).collect()
        };
        assert_eq!(order(Monitor::of("val_loss")), [4, 0, 1, 5, 2, 3]);
        assert_eq!(order(Monitor::of("val_accuracy").directed(Direction::Higher)), [0, 4, 1, 5, 2, 3]);
    }

    #[test]
    fn as_a_table() {
        let results = SearchResults::new(&Monitor::of("val_loss"), trials());
        assert_eq!(results.best().count("units").unwrap(), 16 << 4);
        let expected = "
   rank         val_loss  epochs  seconds  trial  units     rate
      1  0.2500 ± 0.0000       8      2.0      4    256  0.01235
      2  0.6000 ± 0.1414       8      2.0      0     16  0.01235
      3              NaN       4      1.0      1     32  0.01235
stopped           0.1000       3      0.8      5    512  0.01235
stopped           0.9000       2      0.5      2     64  0.01235
      –           failed       0      0.0      3    128  0.01235
trial 3: diverged";
        assert_eq!(format!("\n{results}"), expected);
    }
}
