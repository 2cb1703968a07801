//! Going on with a run out of a checkpoint.
//!
//! Everything random is a function of (seed, epoch or step, sample), so a place in training is a few numbers: which
//! epoch, how many of its batches, how many steps. What else there is to a run are arrays, and they are in the file.
//!
//! A file is checked as a whole before anything is changed: it is decoded, compared with the trainer's settings and the
//! model's architecture, and its states are loaded by way of trial into the metrics and callbacks, which get their own
//! back if anything fails. The optimizer's state comes last, as it is the last thing that can be refused.

use super::Trainer;
use crate::error::{Error, Result};
use crate::io::checkpoint::{Checkpoint, Position, RunSettings, Saved, is_whole};
use crate::kernels::Scalar;
use crate::losses::Loss;
use crate::nn::{Registry, Sequential};
use crate::state::{Kind, State};
use crate::train::checkpoint_folder::{best_in, files};
use crate::train::run::ToResume;
use std::fmt;
use std::path::{Path, PathBuf};

/// What a run goes on from: the result of [`Trainer::resume`].
///
/// It prints as the line that `fit` shows before it goes on.
#[derive(Debug)]
#[non_exhaustive]
pub struct Resumed {
    /// The file.
    pub path: PathBuf,
    /// The epochs of the run that are done.
    pub epochs: usize,
    /// The batches that are done of the epoch after them.
    pub batches: usize,
    /// Newer files of the folder that are damaged, with what was found; empty as a rule.
    pub passed_over: Vec<(PathBuf, Error)>,
}

/// "resumed from runs/7/epoch-0003.checkpoint, after 3 epochs", and a line for each file that was passed over.
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
    /// The kinds of layers that a checkpoint may hold: [`Registry::builtin`], unless set.
    ///
    /// A model with layers of your own needs one that knows them, as for
    /// [`Sequential::load_with`](crate::nn::Sequential::load_with).
    #[must_use]
    pub fn registry(mut self, registry: Registry<F>) -> Self {
        self.settings.registry = Some(registry);
        self
    }

    /// Puts model and trainer back to where they were when a checkpoint was written, so that the next
    /// [`fit`](Trainer::fit) goes on with its run and ends with the same bits as if there had been no interruption.
    ///
    /// `path` is a file, or the folder of [`Checkpoints`](crate::train::Checkpoints): then the newest one is taken that
    /// is whole. Set up trainer, model and data as in the program that was interrupted, then resume, then call `fit`.
    /// It returns the whole history, and goes on until as many epochs are done as [`epochs`](Trainer::epochs) says,
    /// those before the interruption included. `epochs` may be raised in between.
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
    /// The model is replaced by that of the file, hyper-parameters of its layers included; its layers, their outputs
    /// and numbers of parameters have to be the same. The rule comes with its hyper-parameters out of the file, too.
    /// The rate, clipping, groups, averaging, plateau and metrics are those of this trainer; a callback that had a
    /// state has to be there again. What decides in which order samples come has to agree, and is compared: see the
    /// errors.
    ///
    /// A run that a callback has ended stays ended: `fit` returns its history, and early stopping restores its best
    /// weights.
    ///
    /// # Errors
    /// When there is no checkpoint, it cannot be read, is damaged or of another version or element type; has layers
    /// that the [`registry`](Trainer::registry) does not know; is that of another architecture, rule, seed, order,
    /// batch size or number of batches to a step, or of other callbacks; within an epoch, also of other metrics. Model
    /// and trainer are left as they were then. A number of training samples other than before, and fewer epochs than
    /// have begun, are errors of `fit`, before its first step.
    ///
    /// A damaged file of a folder is passed over for the one before it, which the result and `fit`'s progress say.
    /// Other errors are not got round in this way.
    pub fn resume(&mut self, model: &mut Sequential<F>, path: impl AsRef<Path>) -> Result<Resumed> {
        let path = path.as_ref();
        let resumed = self.find_and_resume(model, path).and_then(|found| {
            found.ok_or_else(|| {
                Error::data("the folder", "have a checkpoint", "none")
                    .help("Begin with `fit`, or use `resume_if_any`, which does not need one.")
            })
        });
        resumed.map_err(|error| error.at(format!("resume {}", path.display())))
    }

    /// [`resume`](Trainer::resume) where there is a checkpoint, and nothing where there is none: for a program that is
    /// simply started again after a kill. `None` where the path does not exist, or is a folder without a checkpoint.
    ///
    /// [`Checkpoints`](crate::train::Checkpoints) has an example.
    ///
    /// # Errors
    /// As [`resume`](Trainer::resume).
    pub fn resume_if_any(
        &mut self,
        model: &mut Sequential<F>,
        path: impl AsRef<Path>,
    ) -> Result<Option<Resumed>> {
        let path = path.as_ref();
        if !path.exists() {
            return Ok(None);
        }
        self.find_and_resume(model, path).map_err(|error| error.at(format!("resume {}", path.display())))
    }

    /// The file itself, or the newest of the folder that is not damaged.
    fn find_and_resume(&mut self, model: &mut Sequential<F>, path: &Path) -> Result<Option<Resumed>> {
        if !path.is_dir() {
            return self.resume_file(model, path, Vec::new()).map(Some);
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

    fn resume_file(
        &mut self,
        model: &mut Sequential<F>,
        path: &Path,
        passed_over: Vec<(PathBuf, Error)>,
    ) -> Result<Resumed> {
        let checkpoint = self.load(path)?;
        self.apply(model, path, checkpoint, passed_over)
    }

    fn load(&self, path: &Path) -> Result<Checkpoint<'static, F>> {
        match &self.settings.registry {
            Some(registry) => Checkpoint::load(path, registry),
            None => Checkpoint::load(path, &Registry::builtin()),
        }
    }

    /// Takes a checkpoint over, all of it or nothing.
    fn apply(
        &mut self,
        model: &mut Sequential<F>,
        path: &Path,
        checkpoint: Checkpoint<'static, F>,
        passed_over: Vec<(PathBuf, Error)>,
    ) -> Result<Resumed> {
        let Checkpoint { model: saved, optimizer, settings, position, history, metrics, callbacks } =
            checkpoint;
        let mut saved = saved.into_owned();
        same_architecture(&saved, model)?;
        self.same_settings(&settings, None)?;
        let metrics = self.try_metrics(&position, metrics)?;
        let callbacks = self.places_of(callbacks)?;
        let before: Vec<Option<State<F>>> =
            self.run.callbacks.iter().map(|callback| callback.state()).collect();
        let run = &mut self.run;
        let loaded = run
            .load_callbacks(&saved, callbacks.clone())
            .and_then(|()| run.optimizer.load_state(&mut saved, optimizer));
        if let Err(error) = loaded {
            for (callback, before) in run.callbacks.iter_mut().zip(before) {
                // It was its own state a moment ago.
                let _ = before.map(|mut before| callback.load_state(&mut before, model));
            }
            return Err(error);
        }
        *model = saved;
        run.history = history.into_owned();
        run.position = position;
        let (epochs, batches) = (run.history.epochs.len(), position.batches as usize);
        let resumed = Resumed { path: path.to_owned(), epochs, batches, passed_over };
        let line = resumed.to_string();
        let passed_over = resumed.passed_over.iter().map(|(path, _)| path.clone()).collect();
        let path = path.to_owned();
        run.pending =
            Some(Box::new(ToResume { settings, position, metrics, callbacks, path, passed_over, line }));
        Ok(resumed)
    }

    /// Whether metrics take the states of an epoch under way; they are reset again afterwards.
    fn try_metrics(
        &mut self,
        position: &Position,
        saved: Vec<(String, Option<Saved<F>>)>,
    ) -> Result<Vec<Option<State<F>>>> {
        if position.batches == 0 {
            return Ok(Vec::new());
        }
        let listed = |names: Vec<&str>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let was = listed(saved.iter().map(|(name, _)| name.as_str()).collect());
        let is = listed(self.run.metrics.iter().map(|metric| metric.name()).collect());
        if was != is {
            return Err(Error::data("the metrics", format!("be those saved within an epoch ({was})"), is)
                .help("Add the same metrics in the same order; after the end of an epoch they may differ."));
        }
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

    /// The callback of each state: of several of one kind in their order.
    fn places_of(&self, saved: Vec<Saved<F>>) -> Result<Vec<(usize, State<F>)>> {
        let mut free: Vec<(usize, Option<Kind>)> =
            self.run.callbacks.iter().map(|c| c.kind()).enumerate().collect();
        let place = |Saved { kind, state }: Saved<F>| {
            let known = |(_, known): &(usize, Option<Kind>)| known.is_some_and(|known| known.name() == kind);
            match free.iter().position(known) {
                Some(at) => Ok((free.remove(at).0, state)),
                None => Err(Error::data(
                    "the callbacks",
                    format!("include one of kind {kind}, whose state was saved"),
                    "none",
                )
                .help("Add it with `callback`, as in the run that is resumed.")),
            }
        };
        saved.into_iter().map(place).collect()
    }

    /// The settings that have to be as they were; the number of samples is known once there are data.
    fn of_run(&self, samples: usize) -> RunSettings {
        self.settings.of_run(samples, self.run.optimizer.batches_in_a_step())
    }

    /// Compares settings with those of a checkpoint, and names all that differ.
    pub(super) fn same_settings(&self, saved: &RunSettings, samples: Option<usize>) -> Result<()> {
        // Without data, the saved number stands in; a batch size that is not set follows from it.
        let set = self.of_run(samples.unwrap_or(saved.samples as usize));
        let (mut was, mut is) = (Vec::new(), Vec::new());
        let mut compare = |what: &str, saved: u64, set: u64| {
            if saved != set {
                was.push(format!("{what} {saved}"));
                is.push(format!("{what} {set}"));
            }
        };
        compare("seed", saved.seed, set.seed);
        compare("batch size", saved.batch_size, set.batch_size);
        compare("batches per step", saved.batches_per_step, set.batches_per_step);
        compare("training samples", saved.samples, set.samples);
        if saved.shuffle != set.shuffle {
            was.push(format!("shuffle {}", saved.shuffle));
            is.push(format!("shuffle {}", set.shuffle));
        }
        if was.is_empty() {
            return Ok(());
        }
        Err(Error::data(
            "the trainer",
            format!("have the settings of the checkpoint ({})", was.join(", ")),
            is.join(", "),
        )
        .help("Restore the settings, or begin another run in another folder."))
    }
}

/// Whether the file's model is built as the one that is to go on.
fn same_architecture<F: Scalar>(saved: &Sequential<F>, model: &Sequential<F>) -> Result<()> {
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
