//! Checks of checkpoints before the first step: that their folder is usable, and that a resumed run is the same.

use super::settings::Settings;
use crate::error::{Error, Result};
use crate::io::checkpoint::{RunSettings, Saved};
use crate::kernels::Scalar;
use crate::losses::Loss;
use crate::state::{Kind, State};
use crate::train::run::Run;

/// Checks the folder for checkpoints, and that a resumed run fits settings and data, before anything is changed.
pub(super) fn check_checkpoints<F: Scalar, L: Loss<F>>(
    settings: &Settings<L, F>,
    run: &Run<L::Target, F>,
    samples: usize,
) -> Result<()> {
    if let Some(pending) = &run.pending {
        same_settings(settings, run, &pending.settings, Some(samples))
            .map_err(|error| error.at("resumed run"))?;
        if pending.position.batches > 0 {
            same_names(settings, run, &pending.loss_names, &pending.metric_names)
                .map_err(|error| error.at("resumed run"))?;
        }
        let begun = run.history.epochs.len() + usize::from(pending.position.batches > 0);
        if settings.epochs < begun {
            let expected = format!("at least {begun}, as many as the resumed run has begun");
            return Err(Error::argument("epochs", expected, settings.epochs)
                .help("`epochs` counts those before the interruption, too."));
        }
    }
    if let Some(checkpoints) = &settings.checkpoints {
        checkpoints.check()?;
        run.metrics.iter().try_for_each(|m| saved(m.name(), m.kind(), m.state()).map(drop))?;
        run.callbacks.iter().try_for_each(|c| saved(c.name(), c.kind(), c.state()).map(drop))?;
        checkpoints.open(run.pending.as_deref())?;
    }
    Ok(())
}

/// Checks that losses and metrics are those of the epoch that is resumed.
pub(super) fn same_names<F: Scalar, L: Loss<F>>(
    settings: &Settings<L, F>,
    run: &Run<L::Target, F>,
    losses: &[String],
    metrics: &[String],
) -> Result<()> {
    let own = match settings.loss.terms() {
        None => vec!["loss".to_owned()],
        Some(terms) => terms.list.iter().map(|term| format!("{}_loss", term.output)).collect(),
    };
    // They are stored in the order of the model's outputs.
    let (mut losses, mut own) = (losses.to_vec(), own);
    losses.sort_unstable();
    own.sort_unstable();
    same_list("losses", &losses, &own)?;
    let own: Vec<String> = run.metrics.iter().map(|metric| metric.name().to_owned()).collect();
    same_list("metrics", metrics, &own)
}

/// Checks that two lists of names are the same.
fn same_list(what: &str, was: &[String], is: &[String]) -> Result<()> {
    if was == is {
        return Ok(());
    }
    let listed = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let expected = format!("be those saved within an epoch ({})", listed(was));
    Err(Error::data(format!("the {what}"), expected, listed(is))
        .help(format!("Add the same {what} in the same order; after the end of an epoch they may differ.")))
}

/// Compares settings with those of a checkpoint; the error names all differences.
pub(super) fn same_settings<F: Scalar, L: Loss<F>>(
    settings: &Settings<L, F>,
    run: &Run<L::Target, F>,
    saved: &RunSettings,
    samples: Option<usize>,
) -> Result<()> {
    // Without data the saved number is used; the default batch size depends on it.
    let samples = samples.unwrap_or(saved.samples as usize);
    let set = settings.of_run(samples, run.optimizer.batches_in_a_step());
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

/// Returns the state of the metric or callback called `name`, under its kind.
pub(super) fn saved<F: Scalar>(
    name: &str,
    kind: Option<Kind>,
    state: Option<State<F>>,
) -> Result<Option<Saved<F>>> {
    match (kind, state) {
        (_, None) => Ok(None),
        (Some(kind), Some(state)) => Ok(Some(Saved { kind: kind.name().to_owned(), state })),
        (None, Some(_)) => Err(without_kind(name)),
    }
}

/// The error of a metric or callback called `name` that has a state but no kind.
pub(super) fn without_kind(name: &str) -> Error {
    Error::data(name, "have a kind, as it has a state", "none")
        .help("Write `kind` beside `state`: `Some(const { Kind::own(\"my_crate.name\") })`.")
}
