//! Figures of the study: each comparison over its epochs, and one network in detail.

use crate::comparisons::Comparison;
use crate::images;
use crate::results::{self, Runs};
use crate::setting::{Activation, Optimizer, Run, Setting};
use plywood::data::Images;
use plywood::plot::{Chart, Figure};
use plywood::prelude::*;
use plywood::train::GradientNorms;
use std::path::Path;

/// Writes all figures to a folder: charts as SVG, figures with images as PNG.
pub fn draw(
    folder: &Path,
    comparisons: &[Comparison],
    results: &[Runs],
    data: &Images,
    seeds: u64,
) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))?;
    let write = |name: &str, ending: &str, figure: Result<Figure>| {
        figure?.save(folder.join(name).with_extension(ending))
    };
    let save = |name: &str, figure| write(name, "svg", figure);
    for comparison in comparisons {
        match comparison.name {
            "widths" => save("widths", widths(comparison, results, seeds))?,
            "dropout" => {
                save("dropout", curves(comparison, results, "val_accuracy", "test accuracy", seeds))?;
                save("dropout-loss", curves(comparison, results, "val_loss", "test loss", seeds))?;
            }
            name => save(name, curves(comparison, results, "val_accuracy", "test accuracy", seeds))?,
        }
    }

    let (train, test) = images::split(data, 0)?;
    let epochs = comparisons.iter().flat_map(|it| &it.networks).map(|(_, setting)| setting.epochs).min();
    let slow = Setting { epochs: epochs.unwrap_or(10), ..Setting::default() };
    for (name, activation) in
        [("gradients-sigmoid", Activation::Sigmoid), ("gradients-relu", Activation::Relu)]
    {
        let norms = GradientNorms::every(5);
        let setting = Setting { activation, ..slow.clone() };
        let trainer = setting.trainer(SGD::default(), 0).callback(norms.clone());
        trainer.progress(Progress::Silent).fit(&mut setting.model(0)?, &train)?;
        save(name, plot::gradient_norms(&norms.trace()))?;
    }
    let quick = Setting { optimizer: Optimizer::Adam, rate: 0.001, batch: 32, ..slow };
    let mut model = quick.model(0)?;
    let history = quick.trainer(Adam::default(), 0).fit_with_validation(&mut model, &train, &test)?;
    let matrix = evaluate::confusion_matrix(&model, &test)?.with_class_names(data.class_names().to_vec());
    let analysis = evaluate::error_analysis(&model, &test)?;
    println!("\nReLU under Adam, seed 0\n\n{}\n\n{analysis}", matrix.report());
    let first: Vec<usize> = (0..24.min(test.indices().len())).collect();
    save("history", plot::history(&history))?;
    save("confusion", plot::confusion_matrix(&matrix))?;
    save("class-scores", plot::class_scores(&matrix.report()))?;
    write("samples", "png", plot::samples(&model, &test, &first))?;
    write("mistakes", "png", plot::samples(&model, &test, &analysis.worst(16)))?;
    write("weights", "png", plot::filters(&model))?;
    println!("\nfigures in {}", folder.display());
    Ok(())
}

/// Draws a value of each network over the epochs, mean and standard deviation, and the published accuracies.
fn curves(comparison: &Comparison, results: &[Runs], value: &str, name: &str, seeds: u64) -> Result<Figure> {
    let mut chart = Chart::new(comparison.title).x_label("epoch").y_label(of_runs(name, seeds)).whole_x(true);
    for (i, (network, setting)) in comparison.networks.iter().enumerate() {
        let values: Vec<Vec<f64>> =
            results::of(results, setting).iter().map(|run| run.history.get(value)).collect();
        let epochs: Vec<f64> = (1..=setting.epochs).map(|epoch| epoch as f64).collect();
        chart = chart.band(network.as_str(), &epochs, &values);
        // The mark takes the colour of the line that was added last.
        if let (Some(Some(published)), "val_accuracy") = (comparison.published.get(i), value) {
            let text = format!("published: {network}, {published:.3}");
            chart = chart.mark(setting.epochs as f64, *published, text);
        }
    }
    chart.draw()
}

/// Draws training and test accuracy against the units of a hidden layer.
fn widths(comparison: &Comparison, results: &[Runs], seeds: u64) -> Result<Figure> {
    let units: Vec<f64> = comparison.networks.iter().map(|(_, setting)| setting.width as f64).collect();
    let all: Vec<&[Run]> =
        comparison.networks.iter().map(|(_, setting)| results::of(results, setting)).collect();
    let count = all.iter().map(|runs| runs.len()).min().unwrap_or(0);
    let by_seed = |value: &dyn Fn(&Run) -> f64| -> Vec<Vec<f64>> {
        (0..count).map(|seed| all.iter().map(|runs| value(&runs[seed])).collect()).collect()
    };
    Chart::new(comparison.title)
        .x_label("units in each hidden layer")
        .y_label(of_runs("accuracy", seeds))
        .log_x(true)
        .band("training", &units, &by_seed(&|run| run.train_accuracy))
        .band("test", &units, &by_seed(&|run| run.test_accuracy))
        .draw()
}

fn of_runs(name: &str, seeds: u64) -> String {
    if seeds > 1 { format!("{name}, mean ± deviation of {seeds} runs") } else { name.to_owned() }
}
