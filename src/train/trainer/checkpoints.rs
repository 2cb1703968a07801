//! Writing checkpoints during training.

use super::Trainer;
use super::checks::{saved, without_kind};
use super::fit::Fit;
use crate::error::Result;
use crate::io::checkpoint::{Checkpoint, Position, StoredModel};
use crate::kernels::Scalar;
use crate::losses::Loss;
use crate::train::checkpoint_folder::{Checkpoints, ENDING, file_name};
use crate::train::objective::Part;
use crate::train::run::place_of;
use std::borrow::Cow;

impl<F: Scalar, L: Loss<F>> Trainer<L, F> {
    /// Makes training write checkpoints, from which it can be [resumed](Trainer::resume): see [`Checkpoints`].
    #[must_use]
    pub fn checkpoints(mut self, checkpoints: Checkpoints) -> Self {
        self.settings.checkpoints = Some(checkpoints);
        self
    }
}

impl<F: Scalar, L: Loss<F>, T: Default + Send, U> Fit<'_, F, L, T, U> {
    /// The time that the current epoch has taken, before an interruption and after it.
    pub(super) fn seconds(&self) -> f64 {
        self.run.position.seconds + self.start.elapsed().as_secs_f64()
    }

    /// Called after a batch: writes a checkpoint if one is due.
    pub(super) fn save_within(&mut self) -> Result<()> {
        self.unsaved += 1;
        match &self.settings.checkpoints {
            Some(checkpoints) if checkpoints.batches.is_some_and(|every| self.unsaved >= every) => {
                self.write(checkpoints)
            }
            _ => Ok(()),
        }
    }

    /// Called after an epoch: writes the best checkpoint if the epoch is the best, and another one if it is due or the
    /// run has ended.
    ///
    /// The best comes first: if the program is killed between the two, the resumed run finds the same best again.
    pub(super) fn save_after(&mut self) -> Result<()> {
        let Some(checkpoints) = &self.settings.checkpoints else { return Ok(()) };
        if let (Some(monitor), Some(ended)) = (checkpoints.monitor(), self.run.history.epochs.last()) {
            let (value, direction) =
                ended.watched(monitor).map_err(|error| error.at("the best checkpoint"))?;
            if direction.improves(value, self.run.position.best, 0.0) {
                self.run.position.best = Some(value);
                let path = checkpoints.folder.join(format!("best{ENDING}"));
                self.checkpoint()?.save(&path).map_err(|error| error.at("checkpoint"))?;
            }
        }
        let epochs = self.run.history.epochs.len();
        if self.run.position.ended || epochs >= self.settings.epochs || checkpoints.is_due_after(epochs) {
            self.write(checkpoints)?;
        }
        Ok(())
    }

    fn write(&mut self, checkpoints: &Checkpoints) -> Result<()> {
        let place = place_of(&self.run.position);
        let path = checkpoints.folder.join(file_name(place));
        self.checkpoint()?.save(&path).map_err(|error| error.at("checkpoint"))?;
        checkpoints.clean(place);
        self.unsaved = 0;
        Ok(())
    }

    /// Returns all state that the run needs to continue from here.
    fn checkpoint(&self) -> Result<Checkpoint<'_, F>> {
        let run = &*self.run;
        let within = run.position.batches > 0;
        let metrics = run.metrics.iter().filter(|_| within).map(|metric| {
            Ok((metric.name().to_owned(), saved(metric.name(), metric.kind(), metric.state())?))
        });
        let callbacks = run.callbacks.iter().filter_map(|c| match (c.kind(), c.state()) {
            (None, None) => None,
            (Some(kind), state) => Some(Ok((kind.name().to_owned(), state))),
            (None, Some(_)) => Some(Err(without_kind(c.name()))),
        });
        Ok(Checkpoint {
            model: StoredModel::Borrowed(self.model.as_infer()),
            optimizer: run.optimizer.state(self.model),
            settings: self.settings.of_run(self.data.len(), run.optimizer.batches_in_a_step()),
            position: Position { seconds: if within { self.seconds() } else { 0.0 }, ..run.position.clone() },
            history: Cow::Borrowed(&run.history),
            loss_names: self.objective.parts.iter().filter(|_| within).map(Part::value_name).collect(),
            metrics: metrics.collect::<Result<_>>()?,
            callbacks: callbacks.collect::<Result<_>>()?,
        })
    }
}
