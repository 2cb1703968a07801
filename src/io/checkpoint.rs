//! Checkpoints: a training run in one file, with everything needed to resume it.
//!
//! The file has the format of [`container`]. Its content is a struct: the model first, as in a model's file, then the
//! optimizer's state, the settings that must not change, the position in the run, the history, and the states of metrics
//! and callbacks. All arrays, the history's table included, are stored among the file's numbers, so a long run does not
//! reach the size limit of the description.
//!
//! A checkpoint contains a whole model, so [`load`](super::load) reads it too and ignores the rest.

use super::Metadata;
use super::container::{self, Content};
use super::source::Source;
pub(crate) use super::stored_model::StoredModel;
use crate::codec::limits::MAX_VALUES;
use crate::codec::{self, numbers};
use crate::disk::{remove_forgotten_in, write_whole};
use crate::error::{Error, ErrorKind, Result};
use crate::history::{Epoch, History};
use crate::kernels::Scalar;
use crate::losses::LossSum;
use crate::monitor::Direction;
use crate::nn::Registry;
use crate::shown::count;
use crate::state::State;
use crate::tensor::Tensor;
use ndarray::{Array2, Ix2};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::path::Path;

/// The content of the file. The order of the fields is part of the format.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Checkpoint<'a, F: Scalar> {
    pub model: StoredModel<'a, F>,
    pub optimizer: State<F>,
    pub settings: RunSettings,
    pub position: Position,
    #[serde(with = "tables")]
    pub history: Cow<'a, History>,
    /// The names of the sums in `position`: "loss", or one for each output, "class_loss".
    #[serde(deserialize_with = "codec::list::<_, _, 4_096>")]
    pub loss_names: Vec<String>,
    /// By the metric's name, in order; only within an epoch. `None` for a metric that cannot be saved.
    #[serde(deserialize_with = "codec::list::<_, _, 4_096>")]
    pub metrics: Vec<(String, Option<Saved<F>>)>,
    /// By the callback's kind, in order; `None` for a callback that has no state yet, so that those of one kind can be
    /// told apart. A callback without a kind is left out.
    #[serde(deserialize_with = "codec::list::<_, _, 4_096>")]
    pub callbacks: Vec<(String, Option<State<F>>)>,
}

/// A state, and the kind it belongs to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Saved<F: Scalar> {
    pub kind: String,
    pub state: State<F>,
}

/// Settings that a resumed run must share, because the order of the samples and the steps depend on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunSettings {
    pub seed: u64,
    pub shuffle: bool,
    pub batch_size: u64,
    pub batches_per_step: u64,
    pub samples: u64,
}

/// The position in a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Counted over all calls of `fit`; the next epoch's sample order is drawn from it.
    pub epochs_done: u64,
    /// The batches of the current epoch that are done; 0 between epochs.
    pub batches: u64,
    /// The sums of the losses of these batches, one for each output with a loss; empty between epochs.
    #[serde(deserialize_with = "codec::list::<_, _, 4_096>")]
    pub losses: Vec<LossSum>,
    /// The time that these batches took.
    #[serde(with = "crate::codec::words")]
    pub seconds: f64,
    /// True if a callback has ended the run.
    pub ended: bool,
    /// The best value so far of the monitor that selects the best checkpoint.
    #[serde(with = "crate::codec::words")]
    pub best: Option<f64>,
}

impl<F: Scalar> Checkpoint<'_, F> {
    /// Writes the file atomically.
    pub fn save(&self, path: &Path) -> Result<()> {
        self.check_extent()?;
        let fill = |file| container::write(self, Content::Checkpoint, size_of::<F>(), &Metadata::new(), file);
        write_whole(path, fill)
    }

    /// Refuses to write a checkpoint that could not be read. Each state is small enough by itself; the sum of all must
    /// be too.
    fn check_extent(&self) -> Result<()> {
        let metrics = self.metrics.iter().filter_map(|(_, saved)| saved.as_ref().map(|saved| &saved.state));
        let callbacks = self.callbacks.iter().filter_map(|(_, state)| state.as_ref());
        let states: Vec<&State<F>> = metrics.chain(callbacks).chain([&self.optimizer]).collect();
        states.iter().try_for_each(|state| state.check())?;
        let values: usize = states.iter().map(|state| state.extent().1).sum();
        if values <= MAX_VALUES {
            return Ok(());
        }
        Err(Error::format("the states of a checkpoint", format!("have at most {MAX_VALUES} values"), values)
            .help("Put many numbers into one list or array of a state."))
    }

    /// Reads a checkpoint, and checks what can be checked without the trainer.
    pub fn load(path: &Path, registry: &Registry<F>) -> Result<Checkpoint<'static, F>> {
        let source = &mut Source::open(path)?;
        let wanted = (&[Content::Checkpoint][..], size_of::<F>(), F::NAME);
        let checkpoint = container::read(source, wanted, |_, body, numbers| decode(body, numbers, registry));
        checkpoint.map_err(|error| match error.kind() {
            ErrorKind::UnknownLayer { .. } => error.help(
                "Give the trainer a registry that has it: `.registry(Registry::builtin().with::<YourLayer>())`.",
            ),
            _ => error,
        })
    }
}

/// Decodes the checkpoint in a file's body.
pub(super) fn decode<F: Scalar>(
    body: &[u8],
    numbers: std::collections::VecDeque<numbers::Numbers>,
    registry: &Registry<F>,
) -> Result<Checkpoint<'static, F>> {
    let checkpoint: Checkpoint<'static, F> =
        registry.decoding(|| numbers::read(body, numbers, "the checkpoint"))?;
    let Checkpoint { settings, position, history, .. } = &checkpoint;
    let batches = settings.samples.checked_div(settings.batch_size).map(|whole| whole.saturating_add(1));
    let most = 1 << 53;
    if position.epochs_done > most
        || settings.samples > most
        || (history.epochs.len() as u64) > position.epochs_done
        || batches.is_none_or(|batches| position.batches > batches)
        || position.losses.len() != checkpoint.loss_names.len()
        || position.batches == 0 && !(position.losses.is_empty() && checkpoint.metrics.is_empty())
        || position.losses.iter().any(|sum| !(sum.sum.is_finite() && sum.weight.is_finite()))
    {
        let found = format!(
            "{} and {}",
            count(position.epochs_done, "epoch", "epochs"),
            count(position.batches, "batch", "batches")
        );
        return Err(Error::format("the position", "be that of a run", found)
            .help("The file is damaged; resume from another."));
    }
    Ok(checkpoint)
}

/// Returns whether a file is complete and undamaged, whatever its content. A file of another version cannot be judged
/// and counts as complete.
pub(crate) fn is_whole(path: &Path) -> bool {
    Source::open(path).is_ok_and(|mut source| container::is_whole(&mut source))
}

/// Removes the files with this ending that killed programs have left behind in a folder.
pub(crate) fn remove_forgotten(folder: &Path, ending: &str) {
    remove_forgotten_in(folder, |name| name.ends_with(ending));
}

/// Serde for a history: one table for each run of consecutive epochs with the same names.
///
/// In memory every epoch has its own copy of the names, so a small file could require much memory. The size is limited
/// in both directions.
mod tables {
    use super::*;

    /// The maximum size of a history in memory, by [`cost`]: more than 100,000 epochs of five values.
    const MOST: usize = 48 << 20;

    /// The approximate size in memory of an epoch with values of these names.
    fn cost<'a>(names: impl IntoIterator<Item = &'a String>) -> usize {
        names.into_iter().fold(80, |sum, name| sum + 64 + name.len())
    }

    fn too_large(cost: usize) -> String {
        format!("a history that takes {cost} bytes in memory, where {MOST} are the most")
    }

    #[derive(Serialize, Deserialize)]
    struct Table {
        #[serde(deserialize_with = "codec::list::<_, _, 65_536>")]
        names: Vec<String>,
        /// The direction in which each is better; either empty, or one for each name.
        #[serde(deserialize_with = "codec::list::<_, _, 65_536>")]
        directions: Vec<Option<Direction>>,
        /// A row for each epoch: its number, learning rate and seconds, then the values.
        #[serde(with = "codec::tensor")]
        rows: Tensor<f64>,
    }

    /// The number of columns before the values.
    const OWN: usize = 3;

    fn same_names(a: &Epoch, b: &Epoch) -> bool {
        a.directions == b.directions
            && a.values.iter().map(|(name, _)| name).eq(b.values.iter().map(|(name, _)| name))
    }

    pub fn serialize<S: Serializer>(history: &History, serializer: S) -> Result<S::Ok, S::Error> {
        let total = history.epochs.iter().map(|epoch| cost(epoch.values.iter().map(|(name, _)| name))).sum();
        if total > MOST {
            return Err(serde::ser::Error::custom(too_large(total)));
        }
        let tables = history.epochs.chunk_by(same_names).map(|epochs| {
            let names: Vec<String> = epochs[0].values.iter().map(|(name, _)| name.clone()).collect();
            let row = |epoch: &Epoch| {
                let own = [epoch.number as f64, epoch.learning_rate, epoch.seconds];
                own.into_iter().chain(epoch.values.iter().map(|(_, value)| *value)).collect::<Vec<_>>()
            };
            let rows = Array2::from_shape_vec(
                (epochs.len(), OWN + names.len()),
                epochs.iter().flat_map(row).collect(),
            );
            let directions = epochs[0].directions.clone();
            Ok(Table { names, directions, rows: rows.map_err(serde::ser::Error::custom)?.into_dyn() })
        });
        tables.collect::<Result<Vec<_>, S::Error>>()?.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Cow<'static, History>, D::Error> {
        let (mut history, mut total) = (History::default(), 0usize);
        for Table { names, directions, rows } in codec::list::<D, Table, 65_536>(deserializer)? {
            let rows = rows.into_dimensionality::<Ix2>().map_err(D::Error::custom)?;
            if rows.ncols() != OWN + names.len()
                || !(directions.is_empty() || directions.len() == names.len())
            {
                return Err(D::Error::custom(format!("a history with {} columns", rows.ncols())));
            }
            total = total.saturating_add(cost(&names).saturating_mul(rows.nrows()));
            if total > MOST {
                return Err(D::Error::custom(too_large(total)));
            }
            for row in rows.rows() {
                let number = crate::state::whole(row[0]);
                let number = number.ok_or_else(|| D::Error::custom(format!("an epoch {}", row[0])))?;
                let values = names.iter().cloned().zip(row.iter().skip(OWN).copied()).collect();
                history
                    .epochs
                    .push(Epoch::new(number as u64, values, row[1], row[2]).with(directions.clone()));
            }
        }
        Ok(Cow::Owned(history))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[derive(Debug, Serialize, Deserialize)]
        struct Holder(#[serde(with = "super")] Cow<'static, History>);

        #[test]
        fn a_history_comes_back_and_one_that_would_fill_the_memory_is_refused() {
            let values = |name: &str| vec![(name.to_owned(), 0.5), ("b".to_owned(), f64::INFINITY)];
            let epochs = (1..=5).map(|n| Epoch::new(n, values(if n < 3 { "a" } else { "c" }), 0.1, 2.0));
            let holder = Holder(Cow::Owned(History { epochs: epochs.collect() }));
            let bytes = codec::encode(&holder).unwrap();
            assert_eq!(codec::decode::<Holder>(&bytes, "a history").unwrap().0, holder.0);

            // A name of a megabyte, of which each of a thousand epochs would have its own copy.
            let table = Table {
                names: vec!["x".repeat(1 << 20)],
                directions: Vec::new(),
                rows: Tensor::ones(vec![1000, OWN + 1]),
            };
            let bytes = codec::encode(&vec![table]).unwrap();
            let text = codec::decode::<Holder>(&bytes, "a history").unwrap_err().to_string();
            assert!(text.contains("bytes in memory, where 50331648 are the most"), "{text}");
        }
    }
}
