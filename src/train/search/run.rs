//! One run of a trial: training on one part, validation on the other, and early stopping if it is hopeless.

use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::history::History;
use crate::kernels::Scalar;
use crate::losses::Loss;
use crate::monitor::Monitor;
use crate::nn::Model;
use crate::shown::listed;
use crate::target::AsTarget;
use crate::train::callbacks::{Callback, Context};
use crate::train::{Evaluation, Progress, Trainer};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One training run of a trial: on one fold, from one seed.
///
/// A [`Tried`](crate::train::Tried) trial has one for each fold and repeat.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TrialRun {
    /// The fold that was held out, from 0.
    pub fold: usize,
    /// The seed that the closure got.
    pub seed: u64,
    /// The monitored value on the held-out part after training; trials are ranked by it.
    pub value: f64,
    /// Loss and metrics on the held-out part after training.
    pub evaluation: Evaluation,
    /// All epochs, with the held-out part as validation data.
    pub history: History,
    /// True if the run was stopped because it was hopeless.
    pub stopped: bool,
}

/// The settings of a run: fold, seed, and the value that is measured.
pub(crate) struct Job<'a> {
    pub(super) fold: usize,
    pub(super) seed: u64,
    pub(super) monitor: &'a Monitor,
    /// For each epoch, the value that the best so far must not be worse than; infinite or NaN means no limit.
    pub(super) bounds: Vec<f64>,
    /// Whether hopeless runs are stopped.
    pub(super) watched: bool,
}

impl Job<'_> {
    /// Trains and evaluates. Nothing is printed, because runs are parallel.
    pub(super) fn run<F, M, T, V, L>(
        self,
        (mut model, trainer): (M, Trainer<L, F>),
        train: &T,
        held_out: &V,
    ) -> Result<TrialRun>
    where
        F: Scalar,
        M: Model<F>,
        T: Dataset<F>,
        T::Target: AsTarget<L::Target>,
        V: Dataset<F>,
        V::Target: AsTarget<L::Target>,
        L: Loss<F>,
    {
        let stopped = Arc::new(AtomicUsize::new(0));
        let mut trainer = trainer.callback(self.watch_with(&stopped)).progress(Progress::Silent);
        let history = trainer.fit_with_validation(&mut model, train, held_out)?;
        let evaluation = trainer.evaluate(&model, held_out)?;
        self.ended(history, evaluation, &stopped)
    }

    fn watch_with(&self, stopped: &Arc<AtomicUsize>) -> Watch {
        Watch {
            monitor: self.monitor.clone(),
            bounds: self.bounds.clone(),
            best: f64::NAN,
            epoch: 0,
            stopped: Arc::clone(stopped),
        }
    }

    /// The fold that is held out.
    pub fn fold(&self) -> usize {
        self.fold
    }

    /// The seed for the model and the trainer.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The callback that stops a hopeless run, if runs are stopped, and where it writes that it did.
    ///
    /// It checks that the trainer measures the monitored value.
    pub fn watch<F: Scalar>(&self) -> (Option<Box<dyn Callback<F>>>, Arc<AtomicUsize>) {
        let stopped = Arc::new(AtomicUsize::new(0));
        let watch = self.watched.then(|| Box::new(self.watch_with(&stopped)) as Box<dyn Callback<F>>);
        (watch, stopped)
    }

    /// The result of the run.
    pub fn ended(&self, history: History, evaluation: Evaluation, stopped: &AtomicUsize) -> Result<TrialRun> {
        let value = match self.monitor.name().strip_prefix("val_") {
            Some(name) => evaluation.get(name),
            None => history.last(self.monitor.name()),
        };
        let value = value.ok_or_else(|| {
            let names: Vec<String> = evaluation.values().map(|(name, _)| format!("val_{name}")).collect();
            let what = format!("the monitored value {:?}", self.monitor.name());
            Error::data(what, "be measured", listed(&names, 20))
                .help("Monitor one of these, or add the metric.")
        })?;
        Ok(TrialRun {
            fold: self.fold,
            seed: self.seed,
            value,
            evaluation,
            history,
            stopped: stopped.load(Ordering::Relaxed) > 0,
        })
    }
}

/// Ends training at the first epoch in which the best value so far is worse than the bound.
struct Watch {
    monitor: Monitor,
    bounds: Vec<f64>,
    /// NaN until there is a number.
    best: f64,
    /// The number of epochs that have ended.
    epoch: usize,
    /// The epoch at which it ended training; 0 if it did not.
    stopped: Arc<AtomicUsize>,
}

impl<F: Scalar> Callback<F> for Watch {
    fn monitor(&self) -> Option<&Monitor> {
        Some(&self.monitor)
    }

    fn name(&self) -> &str {
        "search"
    }

    fn on_epoch_end(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        let (value, direction) = context.monitored(&self.monitor).map_err(|error| error.at("search"))?;
        if direction.is_better(value, self.best) {
            self.best = value;
        }
        let bound = self.bounds.get(self.epoch).copied().unwrap_or(f64::NAN);
        self.epoch += 1;
        let hopeless = self.best.is_nan() || direction.is_better(bound, self.best);
        if bound.is_finite() && hopeless {
            self.stopped.store(self.epoch, Ordering::Relaxed);
            context.stop();
        }
        Ok(())
    }
}

/// For each epoch, the median over these finished runs of the mean of their values up to it; NaN before epoch `after`.
///
/// A shorter run counts with the mean of all its values. For epochs after the longest run there is no bound.
pub(super) fn bounds(finished: &[Vec<f64>], after: usize) -> Vec<f64> {
    let longest = finished.iter().map(Vec::len).max().unwrap_or(0);
    let median_at = |epoch: usize| {
        let mean = |values: &Vec<f64>| {
            let values = &values[..values.len().min(epoch)];
            values.iter().sum::<f64>() / values.len() as f64
        };
        let mut means: Vec<f64> = finished.iter().map(mean).filter(|mean| mean.is_finite()).collect();
        means.sort_by(f64::total_cmp);
        let middle = means.len() / 2;
        match means.len() {
            0 => f64::NAN,
            count if count % 2 == 1 => means[middle],
            _ => (means[middle - 1] + means[middle]) / 2.0,
        }
    };
    (1..=longest).map(|epoch| if epoch < after { f64::NAN } else { median_at(epoch) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Epoch;
    use crate::monitor::Direction;
    use crate::nn::{Dense, Sequential};
    use crate::train::callbacks::context::Now;

    #[test]
    fn bounds_are_medians_of_running_means() {
        let finished = [vec![4.0, 2.0, 0.0], vec![8.0, 8.0, 8.0], vec![6.0]];
        // Means up to each epoch: 4, 3, 2; 8, 8, 8; 6, 6, 6.
        assert_eq!(bounds(&finished, 1), [6.0, 6.0, 6.0]);
        assert_eq!(bounds(&finished[..2], 1), [6.0, 5.5, 5.0]);
        let late = bounds(&finished[..2], 3);
        assert!(late[0].is_nan() && late[1].is_nan() && late[2] == 5.0);
        assert!(bounds(&[], 1).is_empty());
        assert_eq!(bounds(&[vec![f64::NAN], vec![1.0]], 1), [1.0]);
    }

    #[test]
    fn the_best_so_far_is_held_against_the_bound_of_its_epoch() {
        let ends = |monitor: &str, values: &[f64], bounds: &[f64]| {
            let direction = if monitor == "val_loss" { Direction::Lower } else { Direction::Higher };
            let stopped = Arc::new(AtomicUsize::new(0));
            let (monitor, bounds) = (Monitor::of(monitor).directed(direction), bounds.to_vec());
            let mut watch =
                Watch { monitor, bounds, best: f64::NAN, epoch: 0, stopped: Arc::clone(&stopped) };
            let mut model: Sequential = Sequential::builder([1]).layer(Dense::units(1)).build().unwrap();
            for &value in values {
                let mut now = Now::after(0);
                now.ended = Some(Epoch::new(1, vec![(watch.monitor.name().to_owned(), value)], 0.1, 1.0));
                let history = History::default();
                watch.on_epoch_end(&mut Context::new(&mut model, &history, &mut now)).unwrap();
                if now.stop {
                    break;
                }
            }
            stopped.load(Ordering::Relaxed)
        };
        let nan = f64::NAN;
        assert_eq!(ends("val_loss", &[3.0, 2.0, 2.5], &[nan, 2.0, 2.0]), 0); // as good is not worse
        assert_eq!(ends("val_loss", &[3.0, 2.0, 2.5], &[nan, 2.0, 1.9]), 3);
        assert_eq!(ends("val_loss", &[3.0, 2.0], &[2.9]), 1);
        assert_eq!(ends("val_accuracy", &[0.5, 0.4], &[0.5, 0.45]), 0); // the best was 0.5
        assert_eq!(ends("val_accuracy", &[0.5, 0.4], &[0.5, 0.55]), 2);
    }
}
