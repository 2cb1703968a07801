//! Writes an HTML report of a run, with its figures as PNG files beside it.

use crate::cli::Options;
use plywood::data::Images;
use plywood::metrics::ConfusionMatrix;
use plywood::prelude::*;

/// The contents of the report.
#[cfg_attr(not(feature = "plots"), expect(dead_code, reason = "only a report reads it"))]
pub struct Run<'a> {
    pub options: &'a Options,
    pub drawn: bool,
    pub model: &'a Sequential,
    pub history: &'a History,
    pub matrix: &'a ConfusionMatrix,
    pub train_seconds: f64,
}

/// Prints how to enable the report.
#[cfg(not(feature = "plots"))]
pub fn show(_: &Run, _: &Images) {
    println!(
        "no report: it needs the feature plots, as in `cargo run --features plots --example fashion_mnist`"
    );
}

/// Writes the report and prints its path. A failure is printed, and the run continues.
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
    use plywood::plot::{Figure, Report};
    use std::path::{Path, PathBuf};

    /// A page, and the folder for it and its figures.
    struct Page {
        folder: PathBuf,
        report: Report,
    }

    impl Page {
        /// Adds a figure to the page, and saves it as a PNG file of this name.
        fn picture(mut self, name: &str, caption: &str, figure: &Figure) -> Result<Self> {
            figure.save(self.folder.join(name).with_extension("png"))?;
            self.report = self.report.picture(caption, figure);
            Ok(self)
        }

        fn heading(mut self, text: &str) -> Self {
            self.report = self.report.heading(text);
            self
        }

        fn lines(mut self, text: &str) -> Self {
            self.report = self.report.lines(text);
            self
        }
    }

    /// Writes the figures and the page; the path is relative to the current folder if possible.
    pub fn write(run: &Run, test: &Images) -> Result<PathBuf> {
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => PathBuf::from(folder),
            None => Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target"),
        };
        let here = std::env::current_dir().unwrap_or_default();
        let folder = target.strip_prefix(&here).unwrap_or(&target).join("fashion_mnist");
        std::fs::create_dir_all(&folder)
            .map_err(|error| Error::custom(format!("could not create {}: {error}", folder.display())))?;

        let analysis = evaluate::error_analysis(run.model, test)?;
        let first: Vec<usize> = (0..24.min(test.len())).collect();
        let worst = analysis.worst(16);
        let mut page = Page { folder, report: front(run) }
            .heading("Training")
            .picture(
                "history",
                "Where the validation loss rises while the training loss falls, the network overfits. The weights with \
                 the best validation accuracy were kept.",
                &plot::history(run.history)?,
            )?
            .lines(&run.history.to_string())
            .heading("Results by class")
            .picture(
                "confusion_matrix",
                "Rows are true classes, columns predicted ones.",
                &plot::confusion_matrix(run.matrix)?,
            )?
            .picture("class_scores", "", &plot::class_scores(&run.matrix.report())?)?
            .lines(&run.matrix.report().to_string())
            .heading("Samples")
            .picture("samples", "The first test images.", &plot::samples(run.model, test, &first)?)?
            .heading("Mistakes")
            .lines(&analysis.to_string());
        if !worst.is_empty() {
            let figure = plot::samples(run.model, test, &worst)?;
            page = page.picture("mistakes", "The most confident mistakes on the test images.", &figure)?;
        }
        let page = page
            .picture("class_calibration", "", &plot::class_calibration(&analysis)?)?
            .heading("Weights of the first layer")
            .picture(
                "filters",
                "Positive weights are orange, negative ones blue.",
                &plot::filters(run.model)?,
            )?;
        let path = page.folder.join("report.html");
        page.report.save(&path)?;
        Ok(path)
    }

    /// The top of the page: data, settings and results.
    fn front(run: &Run) -> Report {
        let Run { options, drawn, model, history, matrix, train_seconds } = run;
        let data = if *drawn { "synthetic images, NOT Fashion-MNIST" } else { "Fashion-MNIST" };
        let machine =
            format!("{} on {}, {} threads", std::env::consts::OS, std::env::consts::ARCH, plywood::threads());
        let rows = [
            ["data", data],
            ["test images", &matrix.total().to_string()],
            ["test accuracy", &format!("{:.2} %", 100.0 * matrix.accuracy())],
            ["epochs", &history.epochs.len().to_string()],
            ["batch size", &options.batch.to_string()],
            ["optimizer", &options.optimizer],
            [
                "learning rate",
                &history.epochs.last().map_or(String::new(), |epoch| epoch.learning_rate.to_string()),
            ],
            ["hidden units", &options.hidden.to_string()],
            ["seed", &options.seed.to_string()],
            ["validation", "20 % of the training images"],
            ["training", &format!("{train_seconds:.1} s")],
            ["machine", &machine],
            ["program", concat!("plywood ", env!("CARGO_PKG_VERSION"))],
        ];
        Report::new("Fashion-MNIST").table(&[], &rows).heading("Model").lines(&model.to_string())
    }
}
