//! A folder of checkpoints: when files are written into it, under which names, and which of them are kept.

use super::run::{CheckpointPlace, ToResume};
use crate::disk::make_folder;
use crate::error::{Error, Result};
use crate::io::checkpoint::remove_forgotten;
use crate::kernels::Scalar;
use crate::monitor::{Direction, Monitor};
use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

/// That training writes checkpoints: files to [resume](crate::train::Trainer::resume) a run from, to the same bits as
/// if it had never been interrupted.
///
/// ```
/// use plywood::train::Checkpoints;
/// use plywood::prelude::*;
///
/// # let folder = std::env::temp_dir().join(format!("plywood-doc-checkpoints-{}", std::process::id()));
/// # let train = || -> Result<History> {
/// let inputs = plywood::ndarray::Array2::from_shape_fn((64, 3), |(i, j)| (i * j % 7) as f32);
/// let data = ArrayDataset::new(inputs, (0..64).map(|i| i % 2).collect::<Vec<_>>())?;
/// let mut model = Sequential::builder([3]).layer(Dense::units(2)).layer(Softmax).build()?;
/// let mut trainer = Trainer::new(CrossEntropy::default(), Adam::default())
///     .epochs(4)
///     .validation_split(0.25)
///     .checkpoints(Checkpoints::in_folder(&folder).keep_last(3).keep_best("val_loss"))
///     .progress(Progress::Silent);
/// trainer.resume_if_any(&mut model, &folder)?; // nothing yet the first time
/// let history = trainer.fit(&mut model, &data)?;
/// # Ok(history) };
/// # let history = train()?;
/// # assert_eq!(train()?, history); // over already: the same history again
///
/// assert!(folder.join("epoch-0004.checkpoint").exists());
/// let best = Sequential::load(folder.join("best.checkpoint"))?; // the model alone, to predict with
/// # assert!(!folder.join("epoch-0001.checkpoint").exists());
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | file | when it is written |
/// |---|---|
/// | `epoch-0003.checkpoint` | at the end of the third epoch, after validation and callbacks |
/// | `epoch-0003-batch-00500.checkpoint` | in the third epoch, after its 500th batch |
/// | `best.checkpoint` | at the end of an epoch that is the best so far, with [`keep_best`](Self::keep_best) |
///
/// After the last epoch, and where a callback ends training, there is always one. Names sort in the order in which they
/// were written. Each file is there whole or not at all, and older ones are removed only when a newer one is whole. It
/// holds the model, the optimizer's state, the history, and what metrics and callbacks keep: three times the model with
/// Adam, four with early stopping. Writing takes as long as the disk takes for that, and as much memory.
///
/// A folder belongs to one run. A `fit` that does not go on with the checkpoints that are in it is refused, so that no
/// run is lost by mistake.
///
/// Keras' counterparts are `BackupAndRestore` and `ModelCheckpoint`, Lightning's `ModelCheckpoint` with `ckpt_path`.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    pub(super) folder: PathBuf,
    epochs: Option<u64>,
    pub(super) batches: Option<u64>,
    last: usize,
    pub(super) best: Option<Monitor>,
}

impl Checkpoints {
    /// In this folder, which is made where it is missing: after each epoch, the last two kept.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), epochs: None, batches: None, last: 2, best: None }
    }

    /// After every so many epochs of the run. 1, where neither this nor [`every_batches`](Self::every_batches) is set;
    /// both may be.
    #[must_use]
    pub fn every_epochs(mut self, epochs: u64) -> Self {
        self.epochs = Some(epochs);
        self
    }

    /// Whenever so many batches were trained on since the last one, for epochs that take long.
    #[must_use]
    pub fn every_batches(mut self, batches: u64) -> Self {
        self.batches = Some(batches);
        self
    }

    /// How many are kept, the best one aside; at least 1, and 2 unless set. With two, there is one left to go on from
    /// if the disk should damage the newest.
    #[must_use]
    pub fn keep_last(mut self, files: usize) -> Self {
        self.last = files;
        self
    }

    /// Keeps the epoch that is best by this value, beside the last: "val_accuracy". Losses are better when lower,
    /// metrics as they say ([`Metric::direction`](crate::metrics::Metric::direction)), or as is said here.
    ///
    /// A value that no epoch will have is an error of `fit`, which lists those there will be.
    #[must_use]
    pub fn keep_best(mut self, name: impl Into<String>) -> Self {
        self.best = Some(Monitor::of(name));
        self
    }

    /// Says that the value of [`keep_best`](Self::keep_best) is better when lower, whatever it says of itself.
    #[must_use]
    pub fn lower_is_better(mut self) -> Self {
        self.best = self.best.map(|best| best.directed(Direction::Lower));
        self
    }

    /// Says that the value of [`keep_best`](Self::keep_best) is better when higher, whatever it says of itself.
    #[must_use]
    pub fn higher_is_better(mut self) -> Self {
        self.best = self.best.map(|best| best.directed(Direction::Higher));
        self
    }

    pub(super) fn monitor(&self) -> Option<&Monitor> {
        self.best.as_ref()
    }

    pub(super) fn check(&self) -> Result<()> {
        let numbers = [
            ("the number of epochs between checkpoints", self.epochs),
            ("the number of batches between checkpoints", self.batches),
            ("the number of checkpoints to keep", Some(self.last as u64)),
        ];
        match numbers.into_iter().find(|(_, number)| *number == Some(0)) {
            Some((what, _)) => {
                Err(Error::argument(what, "at least 1", 0).help("Leave `checkpoints` out for none."))
            }
            None => Ok(()),
        }
    }

    /// Whether one is due after so many epochs of the run.
    pub(super) fn is_due_after(&self, epochs: usize) -> bool {
        let every = self.epochs.or(if self.batches.is_none() { Some(1) } else { None });
        every.is_some_and(|every| (epochs as u64).is_multiple_of(every.max(1)))
    }

    /// Makes the folder, and refuses one with checkpoints of another run, or newer than what is resumed.
    pub(super) fn open<F: Scalar>(&self, from: Option<&ToResume<F>>) -> Result<()> {
        make_folder(&self.folder)?;
        let real = |path: &Path| fs::canonicalize(path).ok();
        let from = from.filter(|from| {
            let parent =
                from.path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
            real(parent).is_some() && real(parent) == real(&self.folder)
        });
        let mut found = files(&self.folder).into_iter().rev();
        let stranger = match from {
            None => found.next().map(|(_, path)| path).or_else(|| best_in(&self.folder)),
            // Damaged ones were passed over, and go when the next file is whole.
            Some(from) => {
                let damaged =
                    |path: &Path| from.passed_over.iter().any(|other| name_of(other) == name_of(path));
                found.find(|(at, path)| *at > from.place() && !damaged(path)).map(|(_, path)| path)
            }
        };
        let Some(stranger) = stranger else { return Ok(()) };
        let expected = match from {
            None => "have no checkpoints".to_owned(),
            Some(from) => format!("have no checkpoint newer than {}", name_of(&from.path)),
        };
        Err(Error::data(format!("the folder {}", self.folder.display()), expected, name_of(&stranger))
            .help("Continue that run with `resume` or `resume_if_any`, name another folder, or remove them."))
    }

    /// Removes what is no longer wanted once the file at `place` is whole.
    pub(super) fn clean(&self, place: CheckpointPlace) {
        let (mut kept, found) = (0, files(&self.folder));
        for (at, path) in found.into_iter().rev() {
            if at <= place && kept < self.last {
                kept += 1;
            } else {
                // What cannot be removed stays; the new file is there.
                let _ = fs::remove_file(path);
            }
        }
        remove_forgotten(&self.folder, ENDING);
    }
}

/// What the names end in.
pub(super) const ENDING: &str = ".checkpoint";

/// `epoch-0003-batch-00500.checkpoint`.
pub(super) fn file_name((epoch, batch): CheckpointPlace) -> String {
    match batch {
        u64::MAX => format!("epoch-{epoch:04}{ENDING}"),
        _ => format!("epoch-{epoch:04}-batch-{batch:05}{ENDING}"),
    }
}

/// The way back; nothing for other names, so that only what was written under this very name is ever removed.
fn parse(name: &str) -> Option<CheckpointPlace> {
    let middle = name.strip_prefix("epoch-")?.strip_suffix(ENDING)?;
    let place = match middle.split_once("-batch-") {
        Some((epoch, batch)) => (epoch.parse().ok()?, batch.parse().ok()?),
        None => (middle.parse().ok()?, u64::MAX),
    };
    (file_name(place) == name).then_some(place)
}

fn name_of(path: &Path) -> Cow<'_, str> {
    path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy())
}

/// The checkpoints of a folder by their places, the newest last; the best one is not among them.
pub(super) fn files(folder: &Path) -> Vec<(CheckpointPlace, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> =
        entries.filter_map(|entry| Some((parse(entry.file_name().to_str()?)?, entry.path()))).collect();
    found.sort();
    found
}

/// The best checkpoint of a folder, where there is one.
pub(super) fn best_in(folder: &Path) -> Option<PathBuf> {
    Some(folder.join(format!("best{ENDING}"))).filter(|path| path.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_in_the_order_of_training_and_nothing_else_is_a_checkpoint() {
        let places = [(1, 500), (1, 1000), (1, u64::MAX), (2, 1), (2, 99_999), (2, u64::MAX), (10, u64::MAX)];
        let names: Vec<String> = places.into_iter().map(file_name).collect();
        assert_eq!(names[0], "epoch-0001-batch-00500.checkpoint");
        assert_eq!(names[2], "epoch-0001.checkpoint");
        assert!(names.is_sorted(), "{names:?}");
        assert_eq!(names.iter().filter_map(|name| parse(name)).collect::<Vec<_>>(), places);
        assert_eq!(parse(&file_name((123_456, 7_000_000))), Some((123_456, 7_000_000)));
        for other in [
            "best.checkpoint",
            "epoch-1.checkpoint",
            "epoch-0001.checkpoint.1-0.tmp",
            "epoch-+001.checkpoint",
            "x",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
