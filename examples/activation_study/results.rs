//! The runs of all networks, trained or read from a file.

use crate::comparisons::Comparison;
use crate::images;
use crate::options::Options;
use crate::parallel::in_parallel;
use crate::setting::{Run, Setting};
use plywood::data::Images;
use plywood::prelude::*;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A network, and its runs with the seeds 0, 1, 2, ….
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Runs {
    pub setting: Setting,
    pub runs: Vec<Run>,
}

/// Returns all runs that these comparisons need, each network's once: from the file if it has them, else trained.
pub fn all(comparisons: &[Comparison], data: &Images, options: &Options) -> Result<Vec<Runs>> {
    let mut results = match &options.load {
        Some(path) => read(path)?,
        None => Vec::new(),
    };
    let mut missing: Vec<(&Setting, u64)> = Vec::new();
    for (_, setting) in comparisons.iter().flat_map(|comparison| &comparison.networks) {
        let known = results.iter().any(|known| known.setting == *setting);
        if !known && !missing.iter().any(|(other, _)| *other == setting) {
            missing.extend((0..options.seeds).map(|seed| (setting, seed)));
        }
    }
    let done = AtomicUsize::new(0);
    let runs = in_parallel(missing.len(), options.jobs, |job| {
        let (setting, seed) = missing[job];
        let (train, test) = images::split(data, seed)?;
        let run = setting.run(seed, &train, &test)?;
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        eprintln!("run {done} of {}, {:.1} s: {}", missing.len(), run.seconds, setting.describe(seed));
        Ok(run)
    })?;
    for ((setting, _), run) in missing.into_iter().zip(runs) {
        match results.iter_mut().find(|known| known.setting == *setting) {
            Some(known) => known.runs.push(run),
            None => results.push(Runs { setting: setting.clone(), runs: vec![run] }),
        }
    }
    if let Some(path) = &options.save {
        write(path, &results)?;
    }
    Ok(results)
}

/// Returns the runs of this network.
pub fn of<'a>(results: &'a [Runs], setting: &Setting) -> &'a [Run] {
    results.iter().find(|known| known.setting == *setting).map_or(&[], |known| &known.runs)
}

fn read(path: &Path) -> Result<Vec<Runs>> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::io("read", path, error))?;
    serde_json::from_str(&text)
        .map_err(|error| Error::format("the runs", "be those written by --save", error).at(path.display()))
}

fn write(path: &Path, results: &[Runs]) -> Result<()> {
    let text = serde_json::to_string(results).map_err(Error::custom)?;
    std::fs::write(path, text).map_err(|error| Error::io("write", path, error))
}
