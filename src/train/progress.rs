//! What `fit` shows while it works, on the error stream.

use crate::history::Epoch;
use std::sync::Once;

/// How `fit` shows its progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// A bar on a terminal (with the feature `progress`), a line for each epoch elsewhere.
    #[default]
    Auto,
    /// A line for each epoch.
    Lines,
    /// Nothing at all.
    Silent,
}

/// Shows progress as it was asked for.
pub(super) struct Reporter {
    progress: Progress,
    epochs: usize,
    #[cfg(feature = "progress")]
    bar: Option<bar::Bar>,
}

impl Reporter {
    pub(super) fn new(progress: Progress, epochs: usize, steps: usize) -> Self {
        if progress != Progress::Silent {
            warn_if_not_optimised();
        }
        #[cfg(not(feature = "progress"))]
        let _ = steps;
        Self {
            progress,
            epochs,
            #[cfg(feature = "progress")]
            bar: (progress == Progress::Auto).then(|| bar::Bar::new(steps)).flatten(),
        }
    }

    fn label(&self, epoch: usize) -> String {
        let width = self.epochs.to_string().len();
        format!("epoch {epoch:>width$}/{}", self.epochs)
    }

    pub(super) fn begin_epoch(&mut self, epoch: usize) {
        #[cfg(feature = "progress")]
        {
            let label = self.label(epoch);
            if let Some(bar) = &mut self.bar {
                bar.begin(label);
            }
        }
        #[cfg(not(feature = "progress"))]
        let _ = epoch;
    }

    /// After each step; loss and metrics are asked for only when they are shown.
    pub(super) fn batch(
        &mut self,
        number: usize,
        loss: impl FnOnce() -> f64,
        metrics: impl FnOnce() -> Vec<(String, f64)>,
    ) {
        #[cfg(feature = "progress")]
        if let Some(bar) = &mut self.bar {
            bar.batch(number, loss, metrics);
        }
        #[cfg(not(feature = "progress"))]
        let _ = (number, loss, metrics);
    }

    pub(super) fn end_epoch(&mut self, epoch: usize, ended: &Epoch) {
        if self.progress == Progress::Silent {
            return;
        }
        let line = format!("{}  {ended}", self.label(epoch));
        #[cfg(feature = "progress")]
        if let Some(bar) = &mut self.bar {
            bar.line(&line);
            return;
        }
        eprintln!("{line}");
    }

    pub(super) fn end(&mut self) {
        #[cfg(feature = "progress")]
        if let Some(bar) = self.bar.take() {
            bar.end();
        }
    }
}

#[cfg(feature = "progress")]
mod bar {
    use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
    use std::io::IsTerminal;
    use std::time::{Duration, Instant};

    /// A bar for the epoch under way; what ended stays above it as lines.
    pub struct Bar {
        bar: ProgressBar,
        shown: Instant,
    }

    /// How often the bar is drawn anew.
    const EVERY: Duration = Duration::from_millis(80);

    impl Bar {
        /// None where the error stream is not a terminal.
        pub fn new(steps: usize) -> Option<Self> {
            if !std::io::stderr().is_terminal() {
                return None;
            }
            let bar = ProgressBar::with_draw_target(Some(steps as u64), ProgressDrawTarget::stderr());
            let style =
                ProgressStyle::with_template("{prefix}  {bar:24.cyan/dim} {pos:>5}/{len}  {eta:>3}  {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─"));
            Some(Self { bar, shown: Instant::now() })
        }

        pub fn begin(&mut self, label: String) {
            self.bar.reset();
            self.bar.set_prefix(label);
            self.bar.set_message("");
        }

        pub fn batch(
            &mut self,
            number: usize,
            loss: impl FnOnce() -> f64,
            metrics: impl FnOnce() -> Vec<(String, f64)>,
        ) {
            if self.shown.elapsed() < EVERY {
                return;
            }
            self.shown = Instant::now();
            let metrics: String =
                metrics().iter().map(|(name, value)| format!("  {name} {value:.4}")).collect();
            self.bar.set_message(format!("loss {:.4}{metrics}", loss()));
            self.bar.set_position(number as u64);
        }

        pub fn line(&mut self, line: &str) {
            self.bar.suspend(|| eprintln!("{line}"));
        }

        pub fn end(self) {
            self.bar.finish_and_clear();
        }
    }
}

/// Says once if the crate's loops were compiled without optimisation: they are 80 times slower then.
fn warn_if_not_optimised() {
    static ONCE: Once = Once::new();
    if matches!(env!("PLYWOOD_OPT_LEVEL"), "2" | "3") {
        return;
    }
    ONCE.call_once(|| {
        eprintln!(
            "plywood was compiled without optimisation, and trains up to 80 times slower than it can.\n\
             Use `--release`, or put this into the workspace's Cargo.toml:\n\n{}",
            profile_lines()
        );
    });
}

/// What makes the crate fast in a dependent's dev build.
fn profile_lines() -> String {
    ["plywood", "ndarray", "matrixmultiply"]
        .iter()
        .map(|name| {
            format!(
                "[profile.dev.package.{name}]\nopt-level = 3\ndebug-assertions = false\noverflow-checks = false\n"
            )
        })
        .collect()
}
