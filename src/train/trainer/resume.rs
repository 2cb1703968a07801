//! Resuming a run from a checkpoint.
//!
//! All random numbers are functions of (seed, epoch or step, sample), so the position in training is a few numbers: the
//! epoch, the number of its completed batches, and the number of steps. The rest of a run's state are arrays, which are
//! in the file.
//!
//! A file is checked as a whole before anything is changed: it is decoded, and compared with the trainer's settings and
//! the model's architecture. The metrics' states are loaded as a check, and the metrics are then reset. The optimizer's
//! state is loaded next, and the callbacks' states last. If a callback refuses its state, the optimizer and the callbacks
//! get their previous states back; a callback that had no state before cannot be restored.

use super::Trainer;
use super::checks::{same_names, same_settings};
use crate::error::{Error, Result};
use crate::io::checkpoint::{Checkpoint, Position, Saved, is_whole};
use crate::kernels::Scalar;
use crate::losses::Loss;
use crate::nn::{Infer, Model, Registry};
use crate::state::{Kind, State};
use crate::train::checkpoint_folder::{best_in, files};
use crate::train::run::{ToResume, load_callbacks};
use std::fmt;
use std::path::{Path, PathBuf};

/// The checkpoint that a run is resumed from: the result of [`Trainer::resume`].
///
/// It prints as the line that `fit` shows before it continues.
#[derive(Debug)]
#[non_exhaustive]
pub struct Resumed {
    /// The file.
    pub path: PathBuf,
    /// The number of completed epochs of the run.
    pub epochs: usize,
    /// The number of completed batches of the epoch after them.
    pub batches: usize,
    /// Newer files of the folder that are damaged, with the error of each; usually empty.
    pub passed_over: Vec<(PathBuf, Error)>,
}

/// "resumed from runs/7/epoch-0003.checkpoint, after 3 epochs", preceded by a line for each skipped file.
impl fmt::Display for Resumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        for (path, error) in &self.passed_over {
            writeln!(f, "passed over {}: {error}", path.display())?;
        }
        let (path, epochs, batches) = (self.path.display(), self.epochs, self.batches);
        write!(f, "resumed from {path}, after {epochs} epoch{}", plural(epochs))?;
        if batches > 0 {
            write!(f, " and {batches} batch{}", if batches == 1 { "" } else { "es" })
        } else {
            Ok(())
        }
    }
}

impl<F: Scalar, L: Loss<F>> Trainer<L, F> {
    /// Sets the layer types that a checkpoint may contain; the default is [`Registry::builtin`].
    ///
    /// A model with custom layers needs a registry that contains them, as for
    /// [`Sequential::load_with`](crate::nn::Sequential::load_with).
    #[must_use]
    pub fn registry(mut self, registry: Registry<F>) -> Self {
        self.settings.registry = Some(registry);
        self
    }

    /// Restores model and trainer to the state in which a checkpoint was written. The next [`fit`](Trainer::fit)
    /// continues the run and gives the same bits as an uninterrupted one.
    ///
    /// `path` is a file, or the folder of [`Checkpoints`](crate::train::Checkpoints), whose newest undamaged file is
    /// used. Set up trainer, model and data as in the interrupted program, then call `resume`, then `fit`. `fit`
    /// returns the whole history, and trains until the run has the number of epochs set by [`epochs`](Trainer::epochs), in
    /// which those before the interruption count. It may be larger than in the interrupted program.
    ///
    /// ```
    /// use plywood::train::Checkpoints;
    /// use plywood::prelude::*;
    ///
    /// # let folder = std::env::temp_dir().join(format!("plywood-doc-resume-{}", std::process::id()));
    /// let inputs = plywood::ndarray::Array2::from_shape_fn((64, 3), |(i, j)| (i * j % 7) as f32);
    /// let data = ArrayDataset::new(inputs, (0..64).map(|i| i % 2).collect::<Vec<_>>())?;
    /// let network =
    ///     || Sequential::builder([3]).layer(Dense::units(2)).layer(Dropout::rate(0.2)).layer(Softmax).build();
    /// let trainer = |epochs| {
    ///     Trainer::new(CrossEntropy::default(), Adam::default()).epochs(epochs).progress(Progress::Silent)
    /// };
    ///
    /// let mut unbroken = network()?;
    /// trainer(5).fit(&mut unbroken, &data)?;
    ///
    /// let mut first = trainer(2).checkpoints(Checkpoints::in_folder(&folder));
    /// first.fit(&mut network()?, &data)?; // and the program ends
    ///
    /// let (mut model, mut second) = (network()?, trainer(5));
    /// let resumed = second.resume(&mut model, &folder)?;
    /// assert_eq!((resumed.epochs, resumed.batches), (2, 0));
    /// let history = second.fit(&mut model, &data)?;
    /// assert_eq!(history.epochs.len(), 5);
    /// assert_eq!(model.to_bytes()?, unbroken.to_bytes()?);
    /// # std::fs::remove_dir_all(&folder).unwrap();
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// The model is replaced by that of the file, including the hyperparameters of its layers; the layers, their
    /// outputs and numbers of parameters must be the same. The hyperparameters of the update rule also come from the
    /// file; the rule itself must be the one that the checkpoint was written with. The learning rate and its schedule,
    /// its reduction on a plateau, clipping, parameter groups, averaging and metrics are those of this trainer: set them
    /// as in the interrupted program to get the same bits. A callback whose state was saved must be added again. The
    /// settings that determine the order of samples are compared and must be equal: see the errors.
    ///
    /// If a callback ended the saved run, `fit` trains no further: it returns the history of that run, and early
    /// stopping restores its best weights.
    ///
    /// # Errors
    /// If there is no checkpoint; if it cannot be read, is damaged, or has another version or element type; if it has
    /// layers that the [`registry`](Trainer::registry) does not contain; or if its architecture, update rule,
    /// seed, shuffling, batch size or number of batches per step is different; if a callback whose state it contains is
    /// missing from this trainer; and, if it was written within an epoch, if the metrics are different. The model is then
    /// unchanged, and so is the trainer, except that its metrics may be reset and that a callback that had no state may
    /// keep a loaded one. A different number of training samples, and fewer epochs than have begun, are errors of `fit`,
    /// before its first step.
    ///
    /// A damaged file in a folder is skipped, and the file written before it is used. The result and the progress of
    /// `fit` list the skipped files. Other errors do not cause a file to be skipped.
    pub fn resume<M>(&mut self, model: &mut M, path: impl AsRef<Path>) -> Result<Resumed>
    where
        M: Model<F> + ?Sized,
    {
        let (model, path) = (model.as_model(), path.as_ref());
        let resumed = self.find_and_resume(model, path).and_then(|found| {
            found.ok_or_else(|| {
                Error::data("the folder", "have a checkpoint", "none")
                    .help("Begin with `fit`, or use `resume_if_any`, which does not need one.")
            })
        });
        resumed.map_err(|error| error.at(format!("resume {}", path.display())))
    }

    /// Like [`resume`](Trainer::resume), but returns `None` if the path does not exist, or is a folder without a
    /// checkpoint. Use it for a program that is simply started again after it was killed.
    ///
    /// [`Checkpoints`](crate::train::Checkpoints) has an example.
    ///
    /// # Errors
    /// As [`resume`](Trainer::resume).
    pub fn resume_if_any<M>(&mut self, model: &mut M, path: impl AsRef<Path>) -> Result<Option<Resumed>>
    where
        M: Model<F> + ?Sized,
    {
        let (model, path) = (model.as_model(), path.as_ref());
        if !path.exists() {
            return Ok(None);
        }
        self.find_and_resume(model, path).map_err(|error| error.at(format!("resume {}", path.display())))
    }

    /// Resumes from the file itself, or from the newest undamaged file of the folder.
    fn find_and_resume(&mut self, model: &mut dyn Model<F>, path: &Path) -> Result<Option<Resumed>> {
        if !path.is_dir() {
            let checkpoint = self.load(path)?;
            return self.apply(model, path, checkpoint, Vec::new()).map(Some);
        }
        let newest_first = files(path).into_iter().rev().map(|(_, path)| path).chain(best_in(path));
        let mut passed_over = Vec::new();
        for file in newest_first {
            match self.load(&file) {
                Ok(checkpoint) => return self.apply(model, &file, checkpoint, passed_over).map(Some),
                Err(error) if is_whole(&file) => return Err(error.at(file.display().to_string())),
                Err(error) => passed_over.push((file, error)),
            }
        }
        match passed_over.into_iter().next() {
            None => Ok(None),
            Some((file, error)) => Err(error.at(format!("no whole checkpoint; {}", file.display()))),
        }
    }

    fn load(&self, path: &Path) -> Result<Checkpoint<'static, F>> {
        match &self.settings.registry {
            Some(registry) => Checkpoint::load(path, registry),
            None => Checkpoint::load(path, &Registry::builtin()),
        }
    }

    /// Applies a checkpoint completely or, on an error, not at all.
    fn apply(
        &mut self,
        model: &mut dyn Model<F>,
        path: &Path,
        checkpoint: Checkpoint<'static, F>,
        passed_over: Vec<(PathBuf, Error)>,
    ) -> Result<Resumed> {
        let Checkpoint {
            model: saved,
            optimizer,
            settings,
            position,
            history,
            loss_names,
            metrics,
            callbacks,
        } = checkpoint;
        let mut saved = saved.into_model()?;
        same_architecture(&*saved, model)?;
        same_settings(&self.settings, &self.run, &settings, None)?;
        let metric_names = metrics.iter().map(|(name, _)| name.clone()).collect();
        let metrics = self.try_metrics(&position, &loss_names, metrics)?;
        let callbacks = self.places_of(callbacks)?;
        let run = &mut self.run;
        let optimizer_before = run.optimizer.state(model);
        let before: Vec<Option<State<F>>> = run.callbacks.iter().map(|callback| callback.state()).collect();
        // The callbacks come last: one that had no state before cannot be put back.
        run.optimizer.load_state(&mut *saved, optimizer)?;
        if let Err(error) = load_callbacks(&mut run.callbacks, &*saved, &callbacks) {
            // What is put back are their own states, taken a moment ago.
            let _ = run.optimizer.load_state(model, optimizer_before);
            for (callback, before) in run.callbacks.iter_mut().zip(before) {
                let _ = before.map(|mut before| callback.load_state(&mut before, model));
            }
            return Err(error);
        }
        model.replace_by(saved)?;
        run.history = history.into_owned();
        run.position = position.clone();
        let (epochs, batches) = (run.history.epochs.len(), position.batches as usize);
        let resumed = Resumed { path: path.to_owned(), epochs, batches, passed_over };
        let line = resumed.to_string();
        let passed_over = resumed.passed_over.iter().map(|(path, _)| path.clone()).collect();
        let path = path.to_owned();
        run.pending = Some(Box::new(ToResume {
            settings,
            position,
            loss_names,
            metric_names,
            metrics,
            callbacks,
            path,
            passed_over,
            line,
        }));
        Ok(resumed)
    }

    /// Checks that the metrics accept the states within an epoch; the metrics are reset afterwards.
    fn try_metrics(
        &mut self,
        position: &Position,
        loss_names: &[String],
        saved: Vec<(String, Option<Saved<F>>)>,
    ) -> Result<Vec<Option<State<F>>>> {
        if position.batches == 0 {
            return Ok(Vec::new());
        }
        let was: Vec<String> = saved.iter().map(|(name, _)| name.clone()).collect();
        same_names(&self.settings, &self.run, loss_names, &was)?;
        let mut states = Vec::with_capacity(saved.len());
        for (metric, (name, saved)) in self.run.metrics.iter().zip(saved) {
            let (kind, own) =
                (saved.as_ref().map(|saved| saved.kind.as_str()), metric.kind().map(Kind::name));
            if let Some(kind) = kind.filter(|kind| own != Some(*kind)) {
                let expected = format!("be a metric of kind {kind}, as in the checkpoint");
                return Err(Error::data(name, expected, own.unwrap_or("none"))
                    .help("Add the metrics of the run that is resumed."));
            }
            states.push(saved.map(|saved| saved.state));
        }
        let result = self.run.load_metrics(&states);
        self.run.metrics.iter_mut().for_each(|metric| metric.reset());
        result.map(|()| states)
    }

    /// Returns the position of the callback for each state; several of one kind are matched in order.
    fn places_of(&self, saved: Vec<(String, Option<State<F>>)>) -> Result<Vec<(usize, State<F>)>> {
        let mut free: Vec<(usize, Option<Kind>)> =
            self.run.callbacks.iter().map(|c| c.kind()).enumerate().collect();
        let mut places = Vec::new();
        for (kind, state) in saved {
            let known = |(_, known): &(usize, Option<Kind>)| known.is_some_and(|known| known.name() == kind);
            let at = free.iter().position(known).map(|at| free.remove(at).0);
            match (at, state) {
                (_, None) => {}
                (Some(at), Some(state)) => places.push((at, state)),
                (None, Some(_)) => {
                    let expected = format!("include one of kind {kind}, whose state was saved");
                    return Err(Error::data("the callbacks", expected, "none")
                        .help("Add it with `callback`, as in the run that is resumed."));
                }
            }
        }
        Ok(places)
    }
}

/// Checks that the model of the file has the same architecture as `model`.
fn same_architecture<F: Scalar>(saved: &dyn Infer<F>, model: &dyn Infer<F>) -> Result<()> {
    let (saved, model) = (saved.outline(), model.outline());
    let nothing = || "nothing more".to_owned();
    let differ = (0..saved.len().max(model.len())).find(|&i| saved.get(i) != model.get(i));
    match differ {
        None => Ok(()),
        Some(i) => {
            let [saved, model] = [saved, model].map(|lines| lines.get(i).cloned().unwrap_or_else(nothing));
            Err(Error::data("the model", format!("have {saved}, as it was saved"), model)
                .help("Build the model as in the run that is resumed."))
        }
    }
}
