//! A run as a page of HTML, with the pictures as PNG beside it.

use crate::cli::Options;
use plywood::prelude::*;
use plywood::{ConfusionMatrix, Images};

/// What there is to tell.
#[cfg_attr(not(feature = "plots"), expect(dead_code, reason = "only a report reads it"))]
pub struct Run<'a> {
    pub options: &'a Options,
    pub drawn: bool,
    pub model: &'a Sequential,
    pub history: &'a History,
    pub matrix: &'a ConfusionMatrix,
    pub train_seconds: f64,
}

/// Says how a report is switched on.
#[cfg(not(feature = "plots"))]
pub fn show(_: &Run, _: &Images) {
    println!("no report: it needs the feature plots, as in `cargo run --features plots --example fashion_mnist`");
}

/// Writes the report and says where it is. Where it cannot be written, the run is none the worse for it.
#[cfg(feature = "plots")]
pub fn show(run: &Run, test: &Images) {
    let open = match std::env::consts::OS {
        "macos" => "open",
        "windows" => "start",
        _ => "xdg-open",
    };
    match written::write(run, test) {
        Ok(path) => println!("report {0}\nin a browser: {open} {0}", path.display()),
        Err(error) => println!("no report: {error}"),
    }
}

#[cfg(feature = "plots")]
mod written {
    use super::*;
    use plywood::ndarray::{Axis, Slice};
    use plywood::plot::Report;
    use std::path::{Path, PathBuf};

    /// Writes the pictures and the page; the path is as short as it can be from where the program was started.
    pub fn write(run: &Run, test: &Images) -> Result<PathBuf> {
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => PathBuf::from(folder),
            None => Path::new(env!("CARGO_MANIFEST_DIR")).join("target"),
        };
        let here = std::env::current_dir().unwrap_or_default();
        let folder = target.strip_prefix(&here).unwrap_or(&target).join("fashion_mnist");
        std::fs::create_dir_all(&folder)
            .map_err(|error| Error::custom(format!("could not create {}: {error}", folder.display())))?;

        let mut report = start(run);
        let (mistakes, first) = (mistakes(run.model, test, 16)?, (0..24.min(test.len())).collect::<Vec<_>>());
        let mut add = |heading: &str, name: &str, caption: &str, figure: Figure| {
            figure.save(folder.join(name).with_extension("png"))?;
            report = report.clone().heading(heading).picture(caption, &figure);
            Ok::<_, Error>(())
        };
        add("Loss", "loss", "The validation loss rising again is overfitting.", plot::curve(run.history, "loss")?)?;
        Ok(folder.join("report.html"))
    }
}
