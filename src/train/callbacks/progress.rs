//! [`Progress`]: what `fit` prints to standard error while it runs.
//!
//! It goes to standard error, so that a program's own standard output can be piped. With the feature `progress` and a
//! terminal there is a bar for the current epoch, redrawn at most every 80 ms; otherwise (a file, a CI log, a notebook)
//! there is one line for each epoch, without control characters. The bar requests the loss and the metrics only when it
//! is drawn, so its cost is not measurable.
//!
//! This module also prints a warning, once per process, if the crate was compiled without optimization: that is how
//! `cargo run` compiles a dependency, unless the dependent's Cargo.toml changes it. The optimization level comes from
//! the kernels' `build.rs`.

use crate::history::Epoch;
use std::sync::Once;

/// The way `fit` shows its progress.
///
/// ```text
/// epoch 1/5  loss 0.5421  accuracy 0.8123  val_loss 0.4310  val_accuracy 0.8469  1.93 s
/// epoch 2/5  loss 0.3987  accuracy 0.8580  val_loss 0.3902  val_accuracy 0.8603  1.90 s
/// ```
///
/// With several outputs, each has a line of its own for its values, with their names in it:
///
/// ```text
/// epoch 1/5  loss 1.7021  val_loss 1.5533  0.41 s
///    class   loss 1.2001  accuracy 0.5312  val_loss 1.1021  val_accuracy 0.5710
///    size    loss 1.0040  mean_absolute_error 0.7123  val_loss 0.9024  val_mean_absolute_error 0.6810
/// ```
///
/// They correspond to Keras' `verbose` 1, 2 and 0, in this order. For any other format, use [`Progress::Silent`] and
/// write a [`Callback`](crate::train::Callback): an [`Epoch`] prints as such a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// A bar on a terminal (with the feature `progress`), otherwise a line for each epoch.
    #[default]
    Auto,
    /// A line for each epoch, even on a terminal.
    Lines,
    /// Nothing, not even the warning about a build without optimization.
    Silent,
}

/// Shows progress in the requested way.
pub(in crate::train) struct Reporter {
    /// The requested way; `Auto` depends on whether there is a bar.
    progress: Progress,
    /// For the labels: "epoch 3/10".
    epochs: usize,
    /// The names of the outputs with a loss, if there are several.
    outputs: Vec<String>,
    /// `None` if standard error is not a terminal.
    #[cfg(feature = "progress")]
    bar: Option<bar::Bar>,
}

impl Reporter {
    /// Makes a reporter; `steps` is the number of steps in an epoch, the length of the bar.
    pub(in crate::train) fn new(
        progress: Progress,
        epochs: usize,
        steps: usize,
        outputs: Vec<String>,
    ) -> Self {
        if progress != Progress::Silent {
            warn_if_not_optimized();
        }
        #[cfg(not(feature = "progress"))]
        let _ = steps;
        Self {
            progress,
            epochs,
            outputs,
            #[cfg(feature = "progress")]
            bar: (progress == Progress::Auto).then(|| bar::Bar::new(steps)).flatten(),
        }
    }

    /// "epoch  3/10": the number is padded to the width of the last one, so that lines are aligned.
    fn label(&self, epoch: usize) -> String {
        let width = self.epochs.to_string().len();
        format!("epoch {epoch:>width$}/{}", self.epochs)
    }

    /// Prints a separate line.
    pub(in crate::train) fn note(&mut self, line: &str) {
        if self.progress == Progress::Silent {
            return;
        }
        #[cfg(feature = "progress")]
        if let Some(bar) = &mut self.bar {
            bar.line(line);
            return;
        }
        eprintln!("{line}");
    }

    /// Resets the bar. In line mode nothing is printed yet.
    pub(in crate::train) fn begin_epoch(&mut self, epoch: usize) {
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

    /// Called after each step; loss and metrics are computed only if they are shown.
    pub(in crate::train) fn batch(
        &mut self,
        number: usize,
        loss: &dyn Fn() -> f64,
        metrics: &dyn Fn() -> Vec<(String, f64)>,
    ) {
        #[cfg(feature = "progress")]
        if let Some(bar) = &mut self.bar {
            bar.batch(number, loss, metrics);
        }
        #[cfg(not(feature = "progress"))]
        let _ = (number, loss, metrics);
    }

    /// Prints the epoch's line, above the bar if there is one.
    pub(in crate::train) fn end_epoch(&mut self, epoch: usize, ended: &Epoch) {
        if self.progress != Progress::Silent {
            let label = self.label(epoch);
            self.note(&format!("{label}  {}", lines(ended, &self.outputs)));
        }
    }

    /// Removes the bar from the terminal; the lines stay.
    pub(in crate::train) fn end(&mut self) {
        #[cfg(feature = "progress")]
        if let Some(bar) = self.bar.take() {
            bar.end();
        }
    }
}

/// An epoch's values: on one line, or with a line for each output.
fn lines(epoch: &Epoch, outputs: &[String]) -> String {
    if outputs.is_empty() {
        return epoch.to_string();
    }
    // The longest name counts: "class_b_loss" is of "class_b", and not of "class".
    let own = |name: &str, output: &str| {
        let value = name.strip_prefix("val_").unwrap_or(name);
        value.strip_prefix(output).and_then(|rest| rest.strip_prefix('_')).map(str::to_owned)
    };
    let output_of = |name: &str| {
        let of = outputs.iter().filter_map(|output| own(name, output).map(|rest| (output, rest)));
        of.max_by_key(|(output, _)| output.len())
    };
    let (mut first, mut rest) = (epoch.clone(), vec![String::new(); outputs.len()]);
    first.values.retain(|(name, value)| {
        let Some((output, own)) = output_of(name) else { return true };
        let prefix = if name.starts_with("val_") { "val_" } else { "" };
        if let Some(at) = outputs.iter().position(|known| known == output) {
            rest[at].push_str(&format!("  {prefix}{own} {value:.4}"));
        }
        false
    });
    let width = outputs.iter().map(|output| output.chars().count()).max().unwrap_or(0);
    let of_outputs: String =
        outputs.iter().zip(rest).map(|(output, values)| format!("\n   {output:width$} {values}")).collect();
    format!("{first}{of_outputs}")
}

#[cfg(feature = "progress")]
mod bar {
    use crate::kernels::platform::Instant;
    use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
    use std::io::IsTerminal;
    use std::time::Duration;

    /// A bar for the current epoch; the lines of earlier epochs stay above it.
    pub struct Bar {
        /// Drawn on standard error.
        bar: ProgressBar,
        /// When it was last drawn.
        shown: Instant,
    }

    /// The minimum time between two redraws of the bar.
    const EVERY: Duration = Duration::from_millis(80);

    impl Bar {
        /// Returns `None` if standard error is not a terminal.
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

        /// Resets the bar to 0 with a new label.
        pub fn begin(&mut self, label: String) {
            self.bar.reset();
            self.bar.set_prefix(label);
            self.bar.set_message("");
        }

        /// Redraws the bar, unless it was drawn less than [`EVERY`] ago.
        pub fn batch(
            &mut self,
            number: usize,
            loss: &dyn Fn() -> f64,
            metrics: &dyn Fn() -> Vec<(String, f64)>,
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

        /// Prints a line above the bar, which is hidden meanwhile.
        pub fn line(&mut self, line: &str) {
            self.bar.suspend(|| eprintln!("{line}"));
        }

        /// Removes the bar.
        pub fn end(self) {
            self.bar.finish_and_clear();
        }
    }
}

/// Warns once if the crate's loops were compiled without optimization: they are more than a hundred times slower then.
fn warn_if_not_optimized() {
    static ONCE: Once = Once::new();
    if matches!(plywood_kernels::OPT_LEVEL, "2" | "3") {
        return;
    }
    ONCE.call_once(|| {
        eprintln!(
            "plywood was compiled without optimization, and trains more than a hundred times slower than it can.\n\
             Use `--release`, or put this into the workspace's Cargo.toml:\n\n{PROFILE_LINES}"
        );
    });
}

/// The lines that make the crate fast in a dependent's dev build.
///
/// The first lines are for generic code, which is compiled as part of the dependent. Overflow checks and debug
/// assertions are off in the packages, because a loop with checks is not vectorized.
const PROFILE_LINES: &str = r#"[profile.dev]
opt-level = 1
[profile.dev.package."*"]
opt-level = 3
debug-assertions = false
overflow-checks = false
"#;

#[cfg(test)]
mod tests {
    use super::{Epoch, PROFILE_LINES, lines};

    #[test]
    fn each_output_has_a_line() {
        let names = ["loss", "a_loss", "a_b_loss", "a_accuracy", "val_loss", "val_a_b_loss", "norm"];
        let values = names.iter().enumerate().map(|(i, name)| ((*name).to_owned(), i as f64)).collect();
        let epoch = Epoch::new(1, values, 0.1, 2.0);
        assert_eq!(
            lines(&epoch, &["a".into(), "a_b".into()]),
            "loss 0.0000  val_loss 4.0000  norm 6.0000  2.00 s\n   a     loss 1.0000  accuracy 3.0000\n   a_b   loss \
             2.0000  val_loss 5.0000"
        );
        assert_eq!(lines(&epoch, &[]), epoch.to_string());
    }

    #[test]
    fn readme_and_guide_have_the_lines_that_are_told() {
        for text in [include_str!("../../../README.md"), include_str!("../../../docs/guide.md")] {
            assert!(text.contains(PROFILE_LINES));
        }
    }
}
