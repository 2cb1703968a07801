//! [`Run`]: the state of training besides the model.

use crate::error::Result;
use crate::history::History;
use crate::io::checkpoint::{Position, RunSettings};
use crate::kernels::Scalar;
use crate::metrics::Metric;
use crate::monitor::{Direction, Monitor};
use crate::nn::Model;
use crate::optim::Optimizer;
use crate::state::State;
use crate::train::callbacks::Callback;
use crate::train::objective::total;
use std::path::PathBuf;

/// The loss and the metrics, by name.
pub(super) type Values = Vec<(String, f64)>;

/// The state of training besides the model. It lives as long as the trainer, so that a second `fit` continues from it.
pub(super) struct Run<T: ?Sized, F: Scalar> {
    pub optimizer: Optimizer<F>,
    /// One list for training and validation; reset in between.
    pub metrics: Vec<Box<dyn Metric<T, F>>>,
    /// In the order in which they were added and are called.
    pub callbacks: Vec<Box<dyn Callback<F>>>,
    /// The history of the last `fit`. It is filled during the run, so that after an error the earlier epochs are kept.
    pub history: History,
    /// The position in training. Epochs are counted over all calls of `fit`: the count determines the next epoch's
    /// sample order, so that a second `fit` does not repeat that of the first.
    pub position: Position,
    /// For each part of the loss, the name of its output, if there are several, and its weight.
    pub losses: Vec<(Option<String>, f64)>,
    /// The checkpoint that the next `fit` resumes from.
    pub pending: Option<Box<ToResume<F>>>,
}

impl<T: ?Sized, F: Scalar> Run<T, F> {
    pub fn new(optimizer: Optimizer<F>) -> Self {
        Self {
            optimizer,
            metrics: Vec::new(),
            callbacks: Vec::new(),
            history: History::default(),
            position: Position::default(),
            losses: Vec::new(),
            pending: None,
        }
    }

    /// The loss over the part of the epoch that is done.
    pub fn loss(&self) -> f64 {
        total(self.losses.iter().map(|(_, weight)| *weight).zip(self.position.losses.iter().copied()))
    }

    /// The names of the losses of several outputs.
    fn loss_names(&self) -> impl Iterator<Item = String> + Clone + '_ {
        self.losses.iter().filter_map(|(name, _)| name.as_ref().map(|name| format!("{name}_loss")))
    }

    /// The losses of several outputs and the metrics over the part of the epoch that is done.
    pub fn losses_and_metrics(&self) -> Values {
        let losses = self.position.losses.iter().map(|sum| sum.mean());
        let metrics = self.metrics.iter().map(|metric| (metric.name().to_owned(), metric.value()));
        self.loss_names().zip(losses).chain(metrics).collect()
    }

    /// The names of an epoch's values with their directions, in order.
    pub fn directions(
        &self,
        validated: bool,
    ) -> impl Iterator<Item = (String, Option<Direction>)> + Clone + '_ {
        let prefixes = ["", "val_"].into_iter().take(1 + usize::from(validated));
        prefixes.flat_map(|prefix| {
            let losses = std::iter::once("loss".to_owned()).chain(self.loss_names());
            let losses = losses.map(|name| (name, Some(Direction::Lower)));
            let metrics = self.metrics.iter().map(|metric| (metric.name().to_owned(), metric.direction()));
            losses.chain(metrics).map(move |(name, direction)| (format!("{prefix}{name}"), direction))
        })
    }

    /// Checks that all monitored values will exist and have a direction. `best` is the monitor of the best checkpoint.
    pub fn check_monitors(&self, best: Option<&Monitor>, validated: bool) -> Result<()> {
        let values: Vec<(String, Option<Direction>)> = self.directions(validated).collect();
        let check = |monitor: Option<&Monitor>, place: &str| match monitor {
            Some(monitor) => monitor
                .resolve(values.iter().map(|(name, direction)| (name.as_str(), *direction)))
                .map(drop)
                .map_err(|error| error.at(place)),
            None => Ok(()),
        };
        check(self.optimizer.monitor(), "reduce on plateau")?;
        check(best, "the best checkpoint")?;
        self.callbacks.iter().try_for_each(|callback| check(callback.monitor(), callback.name()))
    }

    /// Resets the metrics, and restores their state within an epoch.
    pub fn load_metrics(&mut self, states: &[Option<State<F>>]) -> Result<()> {
        self.metrics.iter_mut().for_each(|metric| metric.reset());
        for (metric, state) in self.metrics.iter_mut().zip(states) {
            if let Some(mut state) = state.clone() {
                let result = metric.load_state(&mut state).and_then(|()| state.finish());
                result.map_err(|error| error.at(metric.name()))?;
            }
        }
        Ok(())
    }
}

/// Loads the states of callbacks, each of which comes with the position of its callback.
pub(super) fn load_callbacks<F: Scalar>(
    callbacks: &mut [Box<dyn Callback<F>>],
    model: &dyn Model<F>,
    states: &[(usize, State<F>)],
) -> Result<()> {
    for (at, state) in states {
        let (Some(callback), mut state) = (callbacks.get_mut(*at), state.clone()) else { continue };
        let result = callback.load_state(&mut state, model).and_then(|()| state.finish());
        result.map_err(|error| error.at(callback.name()))?;
    }
    Ok(())
}

/// The names and current values of metrics.
pub(super) fn values<T: ?Sized, F: Scalar>(metrics: &[Box<dyn Metric<T, F>>]) -> Values {
    metrics.iter().map(|metric| (metric.name().to_owned(), metric.value())).collect()
}

/// The parts of a checkpoint that `fit` needs besides the model, the optimizer's state and the history.
pub(super) struct ToResume<F: Scalar> {
    pub settings: RunSettings,
    pub position: Position,
    /// Of the epoch that is resumed, if it is resumed within.
    pub loss_names: Vec<String>,
    pub metric_names: Vec<String>,
    pub metrics: Vec<Option<State<F>>>,
    /// With the position of the callback in the trainer's list.
    pub callbacks: Vec<(usize, State<F>)>,
    pub path: PathBuf,
    pub passed_over: Vec<PathBuf>,
    /// The line that `fit` prints.
    pub line: String,
}

impl<F: Scalar> ToResume<F> {
    pub fn place(&self) -> CheckpointPlace {
        place_of(&self.position)
    }
}

/// The position of a checkpoint in training: the number of the epoch and of the batch in it; `u64::MAX` at the end.
pub(super) type CheckpointPlace = (u64, u64);

/// The place of a position.
pub(super) fn place_of(position: &Position) -> CheckpointPlace {
    match position.batches {
        0 => (position.epochs_done, u64::MAX),
        batches => (position.epochs_done + 1, batches),
    }
}
