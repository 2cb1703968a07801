//! How far a run is: what a call of `fit` carries along, and what it goes on from.

use crate::io::checkpoint::{Position, RunSettings};
use crate::kernels::Scalar;
use crate::kernels::platform::Instant;
use crate::losses::LossSum;
use crate::state::State;
use std::path::PathBuf;

/// How far a call of `fit` is.
pub(super) struct RunProgress {
    pub settings: RunSettings,
    pub position: Position,
    /// Batches since the last checkpoint within an epoch.
    pub since: u64,
    /// When the epoch under way began, or was resumed.
    pub start: Instant,
}

impl RunProgress {
    /// How long the epoch under way has taken, before an interruption and after.
    pub fn seconds(&self) -> f64 {
        self.position.seconds + self.start.elapsed().as_secs_f64()
    }

    /// The loss over what is done of the epoch.
    pub fn loss(&self) -> f64 {
        let Position { loss, weight, .. } = self.position;
        LossSum { sum: loss, weight }.mean()
    }
}

/// What `fit` needs of a checkpoint beside the model, the optimiser's state and the history.
pub(super) struct ToResume<F: Scalar> {
    pub settings: RunSettings,
    pub position: Position,
    pub metrics: Vec<Option<State<F>>>,
    /// With the position of the callback in the trainer's list.
    pub callbacks: Vec<(usize, State<F>)>,
    pub path: PathBuf,
    pub passed_over: Vec<PathBuf>,
    /// What `fit` shows.
    pub line: String,
}

impl<F: Scalar> ToResume<F> {
    pub fn place(&self) -> CheckpointPlace {
        place_of(&self.position)
    }
}

/// Where in training a checkpoint stands: the number of its epoch and of its batch in it, the largest at the end.
pub(super) type CheckpointPlace = (u64, u64);

/// The place of a position.
pub(super) fn place_of(position: &Position) -> CheckpointPlace {
    match position.batches {
        0 => (position.epochs_done, u64::MAX),
        batches => (position.epochs_done + 1, batches),
    }
}
