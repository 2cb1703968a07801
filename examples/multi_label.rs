//! Multi-label classification: a machine with eight sensors may have any of four faults, several together, or none.
//!
//! ```sh
//! cargo run --example multi_label                      # seconds
//! cargo run --example multi_label -- --roc roc.svg     # also draws a ROC curve for each fault
//! ```
//!
//! The readings are synthetic: each fault adds its own pattern to the sensors, two of the patterns are similar, and
//! there is noise. Faults are rare to different degrees, and a threshold of 0.5 misses a quarter of the rarest. So
//! each fault gets the threshold with the best F1 on validation data, which finds four fifths of the rarest.

use plywood::metrics::LabelReport;
use plywood::ndarray::Array2;
use plywood::prelude::*;

#[path = "support/args.rs"]
mod args;
#[path = "support/memory.rs"]
mod memory;

const HELP: &str = "\
Trains a network that predicts the faults of a machine, and reports its scores for each fault.

usage: cargo run --example multi_label -- [OPTIONS]

  --epochs N   passes over the data                       (20)
  --seed N     seed of weights and shuffling              (0)
  --threads N  number of threads                          (PLYWOOD_NUM_THREADS, else all cores)
  --roc FILE   draws a ROC curve for each fault, as SVG or PNG
  --json       prints the results as one line of JSON at the end
  --help       shows this help";

const FAULTS: [&str; 4] = ["bearing", "belt", "fan", "leak"];

/// The share of machines with each fault.
const SHARES: [f64; 4] = [0.4, 0.25, 0.15, 0.06];

/// The pattern that each fault adds to the sensors. Belt and fan are similar.
const PATTERNS: [[f64; 8]; 4] = [
    [1.0, 0.0, -1.0, 0.5, 0.0, 0.0, 0.0, 1.0],
    [0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0],
    [0.0, 1.0, 0.5, 0.0, 1.0, -1.0, 0.0, 0.0],
    [0.5, 0.0, 0.0, 1.0, 0.0, 0.0, 1.5, -1.0],
];

type Readings = ArrayDataset<f32, Array2<f32>>;

fn main() -> Result<()> {
    let mut args = args::Args::new(HELP);
    let (epochs, seed) = (args.number("--epochs", 20), args.number("--seed", 0));
    let threads = args.number("--threads", plywood::threads());
    let (roc, json) = (args.text("--roc"), args.flag("--json"));
    args.finish();
    plywood::set_threads(threads)?;

    let (train, validation, test) = (readings(4_000, 1)?, readings(1_000, 2)?, readings(2_000, 3)?);
    let mut model = Sequential::builder([8])
        .seed(seed)
        .layer(Dense::units(32))
        .layer(ReLU)
        .layer(Dense::units(FAULTS.len()))
        .layer(Sigmoid) // one output for each label: labels do not exclude each other
        .build()?;
    let history = Trainer::new(SoftBinaryCrossEntropy::default(), Adam::default())
        .epochs(epochs)
        .seed(seed)
        .metric(ExactMatch::multi_label(0.5))
        .metric(FBeta::default().multi_label(0.5))
        .fit_with_validation(&mut model, &train, &validation)?;

    let thresholds = best_thresholds(&model, &validation)?;
    let plain = evaluate::multi_label_report(&model, &test, 0.5)?;
    let chosen = evaluate::multi_label_report(&model, &test, thresholds.clone())?;
    println!("\na threshold of 0.5\n{plain}");
    println!("\nthresholds chosen on the validation data: {thresholds:.2?}\n{chosen}");

    let found = model.predict_labels(test.inputs(), thresholds.clone())?;
    println!("\nfirst test machines: predicted and true faults");
    for (found, truth) in found.outer_iter().zip(test.targets().outer_iter()).take(5) {
        println!("{:<24} {}", names(found.iter().copied()), names(truth.iter().map(|&t| t == 1.0)));
    }

    let mut auc = RocAuc::default().multi_label();
    let outputs = model.predict(test.inputs())?;
    auc.update(&outputs, &test.targets().clone().into_dyn(), None)?;
    if let Some(file) = roc {
        plot::roc(FAULTS.into_iter().zip(&auc.curves()))?.save(file)?;
    }
    if json {
        let recalls =
            |report: &LabelReport| report.labels.iter().map(|label| label.recall).collect::<Vec<_>>();
        let report = serde_json::json!({
            "data": "made up",
            "seed": seed,
            "threads": plywood::threads(),
            "epochs": history.epochs.len(),
            "train_seconds": history.seconds(),
            "val_exact_match": history.last("val_exact_match"),
            "thresholds": thresholds,
            "test_macro_f1": plain.macro_mean.f1,
            "test_macro_f1_chosen": chosen.macro_mean.f1,
            "test_recalls": recalls(&plain),
            "test_recalls_chosen": recalls(&chosen),
            "test_roc_auc": auc.value(),
            "peak_rss_mb": memory::peak_rss_mb(),
        });
        println!("{report}");
    }
    Ok(())
}

/// Draws machines with their faults from a seed.
fn readings(machines: usize, seed: u64) -> Result<Readings> {
    let mut draws = Random::seed(seed).child("machines").at(0, 0);
    let faults = Array2::from_shape_fn((machines, FAULTS.len()), |(_, fault)| {
        f32::from(u8::from(draws.unit() < SHARES[fault]))
    });
    let sensors = Array2::from_shape_fn((machines, PATTERNS[0].len()), |(machine, sensor)| {
        let patterns = faults.row(machine).into_iter().zip(PATTERNS);
        let signal: f64 = patterns.map(|(&is, pattern)| f64::from(is) * pattern[sensor]).sum();
        (signal + 0.6 * draws.normal()) as f32
    });
    Ok(ArrayDataset::new(sensors, faults)?.with_class_names(FAULTS))
}

/// Returns for each fault the threshold with the best F1.
fn best_thresholds(model: &Sequential, data: &Readings) -> Result<Vec<f64>> {
    let (outputs, truth) = (model.predict(data.inputs())?, data.targets().clone().into_dyn());
    let mut best = vec![(0.0, 0.5); FAULTS.len()];
    for threshold in (1..20).map(|step| f64::from(step) / 20.0) {
        let mut f1 = FBeta::default().multi_label(threshold);
        f1.update(&outputs, &truth, None)?;
        for (best, f1) in best.iter_mut().zip(f1.per_class()) {
            if f1 > best.0 {
                *best = (f1, threshold);
            }
        }
    }
    Ok(best.into_iter().map(|(_, threshold)| threshold).collect())
}

/// Lists the names of the present faults.
fn names(faults: impl Iterator<Item = bool>) -> String {
    let there: Vec<&str> =
        FAULTS.into_iter().zip(faults).filter_map(|(name, is)| is.then_some(name)).collect();
    if there.is_empty() { "none".to_owned() } else { there.join(", ") }
}
