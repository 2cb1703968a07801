//! Features that need a clock, threads or files, on a platform without them: they work without, or return an error, and
//! never trap.

use plywood::data::synthetic::garments;
use plywood::prelude::*;
use plywood::train::{Checkpoints, CsvLog, JsonLines, Search, Space, TensorBoard};

/// Checks the missing features; does nothing on platforms with an operating system.
pub fn check() -> Result<()> {
    if cfg!(not(all(target_family = "wasm", target_os = "unknown"))) {
        return Ok(());
    }
    plywood::set_threads(4)?;
    holds("one thread", plywood::threads() == 1)?;
    files()?;
    let history = trainer().fit(&mut model(1)?, &garments(64, 1, 1)?.0)?;
    holds("no time passes", history.seconds() == 0.0)?;
    holds("unknown times are a dash", history.to_string().ends_with("       -"))?;
    let search = Search::grid(Space::new().choice("rate", [0.001, 0.01])).jobs(4).lines(true);
    let (train, validation) = garments(64, 32, 1)?;
    let results = search.run_with_validation(&train, &validation, |trial, seed| {
        Ok((model(seed)?, trainer().learning_rate(trial.number("rate")?)))
    })?;
    holds("a search for several threads", results.trials.iter().all(|trial| trial.error.is_none()))
}

/// Checks that each use of a file returns an error that says what to do.
fn files() -> Result<()> {
    let advice = "operation not supported on this platform. This platform has no files: use bytes (`to_bytes`, \
                  `from_bytes`), writers and readers (`write_to`, `read_from`), or a callback of your own.";
    let refused = |what: &str, error: Option<Error>| match error.map(|error| error.to_string()) {
        Some(text) if text.ends_with(advice) => Ok(()),
        found => {
            Err(Error::format(what, format!("be an error that ends with {advice:?}"), format!("{found:?}")))
        }
    };
    let some = model(1)?;
    refused("save", some.save("model.plywood").err())?;
    refused("save weights", some.save_weights("folder/model.safetensors").err())?;
    refused("load", Sequential::load("model.plywood").err())?;
    let (train, _) = garments(64, 1, 1)?;
    let fit = |trainer: Trainer<CrossEntropy>| {
        let mut trainer = trainer;
        trainer.fit(&mut model(1)?, &train).map(|_| ())
    };
    refused("CSV", fit(trainer().callback(CsvLog::new("log.csv"))).err())?;
    refused("JSON", fit(trainer().callback(JsonLines::new("logs/log.jsonl"))).err())?;
    refused("TensorBoard", fit(trainer().callback(TensorBoard::new("logs"))).err())?;
    refused("checkpoints", fit(trainer().checkpoints(Checkpoints::in_folder("run"))).err())?;
    let mut resumed = model(1)?;
    refused("resume", trainer().resume(&mut resumed, "run/checkpoint").err())?;
    refused("table", TableCsv::target("class").read::<f32>("table.csv").err())
}

fn model(seed: u64) -> Result<Sequential> {
    let layers = Sequential::builder([28, 28]).seed(seed).layer(Flatten).layer(Dense::units(10));
    layers.layer(Softmax).build()
}

fn trainer() -> Trainer<CrossEntropy> {
    Trainer::new(CrossEntropy::default(), SGD::default())
}

fn holds(what: &str, holds: bool) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::custom(what)) }
}
