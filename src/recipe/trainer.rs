//! Trainers of any loss, as a recipe holds them.

use super::data::{Encoded, EncodedRows, TargetKind};
use crate::data::{Augmented, Dataset};
use crate::error::{Error, Result};
use crate::losses::{AsTarget, Loss};
use crate::nn::{Infer, Model};
use crate::train::{Callback, Evaluation, History, Progress, Trainer};
use std::path::Path;

/// A trainer whose loss is not named.
pub(super) trait AnyTrainer {
    /// Fails if the trainer splits data by itself: it would split encoded rows.
    fn check(&self) -> Result<()>;
    fn silence(&mut self);
    fn watch(&mut self, callback: Box<dyn Callback>);
    fn resume(&mut self, model: &mut dyn Model, folder: &Path) -> Result<()>;
    /// Trains, and measures on what was held out.
    fn fit(
        &mut self,
        model: &mut dyn Model,
        train: Encoded,
        held_out: Option<Encoded>,
    ) -> Result<(History, Option<Evaluation>)>;
    fn evaluate(&mut self, model: &dyn Infer, data: Encoded) -> Result<Evaluation>;
}

/// A trainer while its settings are still changed by value.
pub(super) struct Held<L: Loss<f32>>(pub Option<Trainer<L>>);

impl<L: Loss<f32>> Held<L> {
    fn change(&mut self, change: impl FnOnce(Trainer<L>) -> Trainer<L>) {
        self.0 = self.0.take().map(change);
    }

    fn trainer(&mut self) -> Result<&mut Trainer<L>> {
        self.0.as_mut().ok_or_else(|| Error::custom("the recipe must have a trainer, got none"))
    }

    fn fit_on<D, V>(
        &mut self,
        model: &mut dyn Model,
        data: &D,
        held_out: Option<&V>,
    ) -> Result<(History, Option<Evaluation>)>
    where
        D: Dataset<f32, Target: AsTarget<L::Target>>,
        V: Dataset<f32, Target: AsTarget<L::Target>>,
    {
        let trainer = self.trainer()?;
        match held_out {
            None => Ok((trainer.fit(model, data)?, None)),
            Some(held_out) => {
                let history = trainer.fit_with_validation(model, data, held_out)?;
                Ok((history, Some(trainer.evaluate(model, held_out)?)))
            }
        }
    }
}

impl<L: Loss<f32> + 'static> AnyTrainer for Held<L>
where
    L::Target: TargetKind,
{
    fn check(&self) -> Result<()> {
        match self.0.as_ref().and_then(Trainer::split_share) {
            None => Ok(()),
            Some(share) => {
                Err(Error::argument("the trainer's `validation_split`", "left out in a recipe", share)
                    .help("Use `Recipe::validation_split`: it splits the table before anything is fitted."))
            }
        }
    }

    fn silence(&mut self) {
        self.change(|trainer| trainer.progress(Progress::Silent));
    }

    fn watch(&mut self, callback: Box<dyn Callback>) {
        self.change(|trainer| trainer.callback(callback));
    }

    fn resume(&mut self, model: &mut dyn Model, folder: &Path) -> Result<()> {
        self.trainer()?.resume_if_any(model, folder).map(|_| ())
    }

    fn fit(
        &mut self,
        model: &mut dyn Model,
        mut train: Encoded,
        held_out: Option<Encoded>,
    ) -> Result<(History, Option<Evaluation>)> {
        let augment = train.augment.take();
        let data = L::Target::data(EncodedRows(train))?;
        let held_out = held_out.map(|held_out| L::Target::data(EncodedRows(held_out))).transpose()?;
        match augment {
            None => self.fit_on(model, &data, held_out.as_ref()),
            Some((input, augment)) => {
                self.fit_on(model, &Augmented::on(input, data, augment)?, held_out.as_ref())
            }
        }
    }

    fn evaluate(&mut self, model: &dyn Infer, data: Encoded) -> Result<Evaluation> {
        self.trainer()?.evaluate(model, &L::Target::data(EncodedRows(data))?)
    }
}
