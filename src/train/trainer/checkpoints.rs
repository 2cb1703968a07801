//! Writing checkpoints while a trainer trains.

use super::Trainer;
use crate::error::{Error, Result};
use crate::history::Epoch;
use crate::io::checkpoint::{Checkpoint, Position, Saved};
use crate::kernels::Scalar;
use crate::losses::Loss;
use crate::nn::Sequential;
use crate::state::{Kind, State};
use crate::train::checkpoint_folder::{Checkpoints, ENDING, file_name};
use crate::train::run::{RunProgress, place_of};
use std::borrow::Cow;

impl<F: Scalar, L: Loss<F>> Trainer<L, F> {
    /// Has training write checkpoints, to be [resumed](Trainer::resume) from: see [`Checkpoints`].
    #[must_use]
    pub fn checkpoints(mut self, checkpoints: Checkpoints) -> Self {
        self.checkpoints = Some(checkpoints);
        self
    }

    /// After a batch: writes a checkpoint where one is due.
    pub(in crate::train) fn save_within(&self, model: &Sequential<F>, run: &mut RunProgress) -> Result<()> {
        run.since += 1;
        match &self.checkpoints {
            Some(checkpoints) if checkpoints.batches.is_some_and(|every| run.since >= every) => {
                self.write(checkpoints, model, run)
            }
            _ => Ok(()),
        }
    }

    /// After an epoch: writes the best checkpoint where it is the best, and one where it is due or the run is over.
    ///
    /// The best comes first: a kill between the two leaves a run that finds the same best again.
    pub(in crate::train) fn save_after(
        &self,
        model: &Sequential<F>,
        run: &mut RunProgress,
        ended: &Epoch,
    ) -> Result<()> {
        let Some(checkpoints) = &self.checkpoints else { return Ok(()) };
        if let Some(monitor) = &checkpoints.best {
            let (value, direction) =
                ended.watched(monitor).map_err(|error| error.at("the best checkpoint"))?;
            if direction.improves(value, run.position.best, 0.0) {
                run.position.best = Some(value);
                let path = checkpoints.folder.join(format!("best{ENDING}"));
                self.checkpoint(model, run)?.save(&path).map_err(|error| error.at("checkpoint"))?;
            }
        }
        let epochs = self.history.epochs.len();
        if run.position.ended || epochs >= self.epochs || checkpoints.is_due_after(epochs) {
            self.write(checkpoints, model, run)?;
        }
        Ok(())
    }

    fn write(&self, checkpoints: &Checkpoints, model: &Sequential<F>, run: &mut RunProgress) -> Result<()> {
        let place = place_of(&run.position);
        let path = checkpoints.folder.join(file_name(place));
        self.checkpoint(model, run)?.save(&path).map_err(|error| error.at("checkpoint"))?;
        checkpoints.clean(place);
        run.since = 0;
        Ok(())
    }

    /// All that the run needs to go on from here.
    fn checkpoint<'a>(&'a self, model: &'a Sequential<F>, run: &RunProgress) -> Result<Checkpoint<'a, F>> {
        let within = run.position.batches > 0;
        let metrics = self.metrics.iter().filter(|_| within).map(|metric| {
            Ok((metric.name().to_owned(), saved(metric.name(), metric.kind(), metric.state())?))
        });
        let callbacks =
            self.callbacks.iter().filter_map(|c| saved(c.name(), c.kind(), c.state()).transpose());
        Ok(Checkpoint {
            model: Cow::Borrowed(model),
            optimizer: self.optimizer.state(model),
            settings: run.settings,
            position: Position { seconds: if within { run.seconds() } else { 0.0 }, ..run.position },
            history: Cow::Borrowed(&self.history),
            metrics: metrics.collect::<Result<_>>()?,
            callbacks: callbacks.collect::<Result<_>>()?,
        })
    }

    /// Refuses what no checkpoint could name: a state without a kind.
    pub(in crate::train) fn check_kinds(&self) -> Result<()> {
        self.metrics.iter().try_for_each(|m| saved(m.name(), m.kind(), m.state()).map(drop))?;
        self.callbacks.iter().try_for_each(|c| saved(c.name(), c.kind(), c.state()).map(drop))
    }
}

/// The state of a metric or a callback of this name, under its kind.
fn saved<F: Scalar>(name: &str, kind: Option<Kind>, state: Option<State<F>>) -> Result<Option<Saved<F>>> {
    match (kind, state) {
        (_, None) => Ok(None),
        (Some(kind), Some(state)) => Ok(Some(Saved { kind: kind.name().to_owned(), state })),
        (None, Some(_)) => Err(Error::data(name, "to have a kind, as it has a state", "none")
            .help("Write `kind` beside `state`: `Some(const { Kind::own(\"my_crate.name\") })`.")),
    }
}
