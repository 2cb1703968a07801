//! [`Checkpoints`]: a folder of checkpoints, with the rules for when files are written, their names, and which are
//! kept.

use super::run::{CheckpointPlace, ToResume};
use crate::disk::make_folder;
use crate::error::{Error, Result};
use crate::io::checkpoint::remove_forgotten;
use crate::kernels::Scalar;
use crate::monitor::Monitor;
use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

/// When and where training writes checkpoints. [Resuming](crate::train::Trainer::resume) from one gives the same
/// bits as an uninterrupted run.
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
/// | file | written |
/// |---|---|
/// | `epoch-0003.checkpoint` | at the end of the third epoch, after validation and callbacks |
/// | `epoch-0003-batch-00500.checkpoint` | in the third epoch, after its 500th batch |
/// | `best.checkpoint` | at the end of the best epoch so far, with [`keep_best`](Self::keep_best) |
///
/// A checkpoint is always written after the last epoch, and when a callback ends training. File names sort in the order
/// in which they were written, up to 9,999 epochs and 99,999 batches. Each file is written atomically, and older ones are removed only when a newer one is
/// complete. It contains the model, the optimizer's state, the history, and the state of metrics and callbacks: three
/// times the size of the model with Adam, four times with early stopping. Writing takes as long as the disk needs
/// for that size; meanwhile the states are copied in memory.
///
/// A folder belongs to one run. If it contains checkpoints, `fit` returns an error unless it resumes from them, so that
/// no run is overwritten by mistake.
///
/// Keras' counterparts are `BackupAndRestore` and `ModelCheckpoint`, Lightning's `ModelCheckpoint` with `ckpt_path`.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    pub(super) folder: PathBuf,
    epochs: Option<u64>,
    pub(super) batches: Option<u64>,
    last: usize,
    monitor: Monitor,
    keeps_best: bool,
}

impl Checkpoints {
    /// Writes into this folder, which is created if it is missing. By default it
    /// writes one after each epoch and keeps the last two.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            epochs: None,
            batches: None,
            last: 2,
            monitor: Monitor::of("val_loss"),
            keeps_best: false,
        }
    }

    /// Writes a checkpoint after every `epochs` epochs of the run. The default is 1 if neither this nor
    /// [`every_batches`](Self::every_batches) is set; both may be set.
    #[must_use]
    pub fn every_epochs(mut self, epochs: u64) -> Self {
        self.epochs = Some(epochs);
        self
    }

    /// Writes a checkpoint whenever `batches` batches were trained since the last one, for long epochs.
    #[must_use]
    pub fn every_batches(mut self, batches: u64) -> Self {
        self.batches = Some(batches);
        self
    }

    /// Sets how many checkpoints are kept, not counting the best one: at least 1; 2 by default. With two, there is one
    /// left to resume from if the disk damages the newest.
    #[must_use]
    pub fn keep_last(mut self, files: usize) -> Self {
        self.last = files;
        self
    }

    /// Also keeps the checkpoint of the best epoch by this value, for example "val_accuracy". Losses are better when
    /// lower; metrics define their direction ([`Metric::direction`](crate::metrics::Metric::direction)), unless it is
    /// set here.
    ///
    /// If no epoch will have such a value, `fit` returns an error that lists the values there will be.
    #[must_use]
    pub fn keep_best(mut self, name: impl Into<String>) -> Self {
        (self.monitor, self.keeps_best) = (self.monitor.named(name), true);
        self
    }

    crate::monitor::directed!();

    /// Returns the value by which the best checkpoint is chosen, if one is kept.
    pub(super) fn monitor(&self) -> Option<&Monitor> {
        self.keeps_best.then_some(&self.monitor)
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

    /// Returns whether a checkpoint is due after `epochs` epochs of the run.
    pub(super) fn is_due_after(&self, epochs: usize) -> bool {
        let every = self.epochs.or(if self.batches.is_none() { Some(1) } else { None });
        every.is_some_and(|every| (epochs as u64).is_multiple_of(every.max(1)))
    }

    /// Creates the folder, and refuses one with checkpoints of another run, or with newer ones than the resumed one.
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
            // Damaged files were skipped on resume; they are removed once the next file is complete.
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

    /// Removes the files that are no longer needed once the file at `place` is complete.
    pub(super) fn clean(&self, place: CheckpointPlace) {
        let (mut kept, found) = (0, files(&self.folder));
        for (at, path) in found.into_iter().rev() {
            if at <= place && kept < self.last {
                kept += 1;
            } else {
                // A file that cannot be removed stays; the new file has been written.
                let _ = fs::remove_file(path);
            }
        }
        remove_forgotten(&self.folder, ENDING);
    }
}

/// The extension of all checkpoint files.
pub(super) const ENDING: &str = ".checkpoint";

/// Returns a file's name: `epoch-0003-batch-00500.checkpoint`.
pub(super) fn file_name((epoch, batch): CheckpointPlace) -> String {
    match batch {
        u64::MAX => format!("epoch-{epoch:04}{ENDING}"),
        _ => format!("epoch-{epoch:04}-batch-{batch:05}{ENDING}"),
    }
}

/// The inverse of [`file_name`]. It accepts no other names, so that only files with exactly such a name are ever
/// removed.
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

/// Returns the checkpoints of a folder with their places, the newest last; without the best one.
pub(super) fn files(folder: &Path) -> Vec<(CheckpointPlace, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> =
        entries.filter_map(|entry| Some((parse(entry.file_name().to_str()?)?, entry.path()))).collect();
    found.sort();
    found
}

/// Returns the best checkpoint of a folder, if there is one.
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
