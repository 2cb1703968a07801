//! Tables of the comparisons: mean ± standard deviation over the seeds.

use crate::comparisons::Comparison;
use crate::results::{self, Runs};
use crate::setting::Run;
use plywood::metrics::MeanStd;

/// Returns mean and standard deviation of a value over the runs.
fn over(runs: &[Run], value: impl Fn(&Run) -> f64) -> MeanStd {
    MeanStd::of(&runs.iter().map(value).collect::<Vec<_>>())
}

/// Formats a share in per cent.
fn percent(MeanStd { mean, std_dev, .. }: MeanStd) -> String {
    format!("{:.1} ± {:.1}", 100.0 * mean, 100.0 * std_dev)
}

/// The results of a network in a comparison.
#[derive(serde::Serialize)]
pub struct Figures {
    pub network: String,
    pub runs: usize,
    pub parameters: usize,
    pub test_accuracy: MeanStd,
    pub train_accuracy: MeanStd,
    /// Training accuracy minus test accuracy.
    pub gap: MeanStd,
    /// The accuracy on the test images after half of the epochs.
    pub halfway: MeanStd,
    pub test_loss: MeanStd,
    /// The fastest epoch of all runs: the least disturbed by other programs.
    pub epoch_seconds: f64,
    pub published: Option<f64>,
}

/// Returns the results of a comparison's networks, in order.
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
            test_accuracy: over(runs, |run| run.test_accuracy),
            train_accuracy: over(runs, |run| run.train_accuracy),
            gap: over(runs, |run| run.train_accuracy - run.test_accuracy),
            halfway: over(runs, halfway),
            test_loss: over(runs, |run| run.test_loss),
            epoch_seconds: seconds.fold(f64::INFINITY, f64::min),
            published: comparison.published.get(i).copied().flatten(),
        }
    };
    comparison.networks.iter().enumerate().map(figures).collect()
}

/// Prints a comparison as a table.
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
            percent(of.halfway),
            percent(of.test_accuracy),
            percent(of.train_accuracy),
            percent(of.gap),
            of.epoch_seconds,
            published
        );
    }
}
