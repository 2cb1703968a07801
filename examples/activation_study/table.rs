//! Comparisons as tables: mean ± standard deviation over the seeds.

use crate::comparisons::Comparison;
use crate::results::{self, Runs};
use crate::setting::Run;

/// A mean over runs, and how far they lie apart.
#[derive(Clone, Copy, serde::Serialize)]
pub struct MeanStd {
    pub mean: f64,
    /// The standard deviation of a sample, with n - 1 below the line; 0 for one run.
    pub std_dev: f64,
}

impl MeanStd {
    pub fn over(runs: &[Run], value: impl Fn(&Run) -> f64) -> Self {
        let count = runs.len() as f64;
        let mean = runs.iter().map(&value).sum::<f64>() / count;
        let squares: f64 = runs.iter().map(|run| (value(run) - mean).powi(2)).sum();
        Self { mean, std_dev: (squares / (count - 1.0).max(1.0)).sqrt() }
    }
}

/// In percent.
impl std::fmt::Display for MeanStd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} ± {:.1}", 100.0 * self.mean, 100.0 * self.std_dev)
    }
}

/// The figures of a network in a comparison.
#[derive(serde::Serialize)]
pub struct Figures {
    pub network: String,
    pub runs: usize,
    pub parameters: usize,
    pub test_accuracy: MeanStd,
    pub train_accuracy: MeanStd,
    /// Training accuracy less test accuracy.
    pub gap: MeanStd,
    /// After half of the epochs, on the test images.
    pub halfway: MeanStd,
    pub test_loss: MeanStd,
    /// The least of all epochs of all runs: what the machine can do when it has nothing else to do.
    pub epoch_seconds: f64,
    pub published: Option<f64>,
}

/// The figures of a comparison's networks, in order.
pub fn figures(comparison: &Comparison, all: &[Runs]) -> Vec<Figures> {
    let figures = |(i, (name, setting)): (usize, &(String, _))| {
        let runs = results::of(all, setting);
        let halfway = |run: &Run| {
            let curve = run.history.get("val_accuracy");
            curve.get(curve.len().div_ceil(2).saturating_sub(1)).copied().unwrap_or(f64::NAN)
        };
        let seconds = runs.iter().flat_map(|run| &run.history.epochs).map(|epoch| epoch.seconds);
        Figures {
            network: name.clone(),
            runs: runs.len(),
            parameters: runs.first().map_or(0, |run| run.parameters),
            test_accuracy: MeanStd::over(runs, |run| run.test_accuracy),
            train_accuracy: MeanStd::over(runs, |run| run.train_accuracy),
            gap: MeanStd::over(runs, |run| run.train_accuracy - run.test_accuracy),
            halfway: MeanStd::over(runs, halfway),
            test_loss: MeanStd::over(runs, |run| run.test_loss),
            epoch_seconds: seconds.fold(f64::INFINITY, f64::min),
            published: comparison.published.get(i).copied().flatten(),
        }
    };
    comparison.networks.iter().enumerate().map(figures).collect()
}

/// Prints a comparison.
pub fn print(comparison: &Comparison, figures: &[Figures]) {
    println!("\n{}", comparison.title);
    println!(
        "{:<18} {:>10} {:>12} {:>12} {:>12} {:>12} {:>9} {:>9}",
        "network", "parameters", "halfway %", "test %", "training %", "gap", "s/epoch", "published"
    );
    for of in figures {
        let published = of.published.map_or(String::from("–"), |share| format!("{:.1}", 100.0 * share));
        println!(
            "{:<18} {:>10} {:>12} {:>12} {:>12} {:>12} {:>9.3} {:>9}",
            of.network,
            of.parameters,
            of.halfway.to_string(),
            of.test_accuracy.to_string(),
            of.train_accuracy.to_string(),
            of.gap.to_string(),
            of.epoch_seconds,
            published
        );
    }
}
