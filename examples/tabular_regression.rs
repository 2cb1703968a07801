//! Predicts a number from the columns of a table: CSV, normalization, a small network, errors in the target's units.
//!
//! ```sh
//! cargo run --example tabular_regression                                       # a synthetic table
//! cargo run --example tabular_regression -- --csv houses.csv --target price
//! ```

use plywood::losses::Loss;
use plywood::metrics::{MAE, R2};
use plywood::ndarray::Array2;
use plywood::prelude::*;
use plywood::train::cross_validate;

#[path = "support/memory.rs"]
mod memory;

const HELP: &str = "\
Trains a network that predicts a number from the columns of a table, and reports its error.

usage: cargo run --example tabular_regression -- [OPTIONS]

  --csv FILE      a CSV file whose first line names the columns  (a synthetic table)
  --target NAME   the column to predict                          (target)
  --inputs A,B,.. the columns to predict from                    (all others; they must be numeric)
  --loss NAME     squared or absolute error                      (squared)
  --epochs N      passes over the data                           (60)
  --folds N       cross-validate on the training rows first      (none)
  --seed N        seed of weights, split and shuffling           (0)
  --threads N     number of threads                              (PLYWOOD_NUM_THREADS, else all cores)
  --json          prints the results as one line of JSON at the end
  --help          shows this help

A fifth of the rows is for the test, and a tenth of the others for validation, which selects the best epoch.";

struct Options {
    csv: Option<String>,
    target: String,
    inputs: Vec<String>,
    absolute: bool,
    epochs: usize,
    folds: usize,
    seed: u64,
    threads: usize,
    json: bool,
}

fn main() -> Result<()> {
    let options = match parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{HELP}");
            return Ok(());
        }
        Err(message) => {
            eprintln!("{message}\n\n{HELP}");
            std::process::exit(2);
        }
    };
    plywood::set_threads(options.threads)?;
    if options.absolute { run(&options, || MeanAbsoluteError) } else { run(&options, || MeanSquaredError) }
}

fn run<L: Loss<Target = Tensor>>(options: &Options, loss: impl Fn() -> L) -> Result<()> {
    let table = match &options.csv {
        Some(path) => TableCsv::target(&options.target).inputs(options.inputs.clone()).read::<f32>(path)?,
        None => {
            println!(
                "No --csv was given: using a synthetic table (Friedman's function with noise) of 4,000 rows.\n"
            );
            friedman(4_000)?
        }
    };
    let (rows, test) = random_split::<f32, _>(&table, 0.2, options.seed)?;
    println!(
        "{} training and {} test rows of {} columns\n",
        Dataset::<f32>::len(&rows),
        Dataset::<f32>::len(&test),
        table.inputs().shape()[1]
    );

    // Means and standard deviations come from the training rows alone, for targets as for inputs.
    let inputs = Normalizer::standard().fit::<f32, _>(&rows)?;
    let targets = Normalizer::standard().fit_tensor(&targets_of(&rows)?)?;
    let scaled = |part: &plywood::data::Subset<&Table>| -> Result<Table> {
        let inputs = inputs.transform(inputs_of(part)?)?;
        ArrayDataset::new(matrix(inputs)?, matrix(targets.transform(targets_of(part)?)?)?)
    };
    let (train, held_out) = (scaled(&rows)?, scaled(&test)?);

    let columns = table.inputs().shape()[1];
    let build = || {
        let model = Sequential::builder([columns])
            .seed(options.seed)
            .layer(Dense::units(64).initializer(Initializer::HeNormal))
            .layer(ReLU)
            .layer(Dense::units(64).initializer(Initializer::HeNormal))
            .layer(ReLU)
            .layer(Dense::units(1))
            .build()?;
        let batch = 32.min(train.len() / 2).max(1);
        let steps = (options.epochs * train.len().div_ceil(batch)) as f64;
        let trainer = Trainer::new(loss(), AdamW::default().weight_decay(1e-3))
            .learning_rate(move |step: u64| 3e-3 * (1.0 - (step - 1) as f64 / steps).max(0.0))
            .epochs(options.epochs)
            .batch_size(batch)
            .seed(options.seed)
            .validation_split(0.1)
            .metric(R2::default())
            .callback(EarlyStopping::patience(options.epochs)); // keeps the best epoch
        Ok((model, trainer))
    };
    if options.folds > 0 {
        // The targets are standardized, so an error of 1 is one standard deviation.
        let folds = KFold::new(options.folds).seed(options.seed);
        let scores = cross_validate(&train, &folds, |_| {
            build().map(|(model, trainer)| (model, trainer.progress(Progress::Silent)))
        })?;
        println!("{} folds of the training rows:\n{scores}\n", options.folds);
    }
    let (mut model, mut trainer) = build()?;
    println!("{model}\n");
    let history = trainer.fit(&mut model, &train)?;

    // Back in the target's units.
    let predicted = targets.inverse(model.predict(held_out.inputs())?)?;
    let truth = targets_of(&test)?;
    let (mut mae, mut r2) = (MAE::default(), R2::default());
    mae.update(&predicted, &truth, None)?;
    r2.update(&predicted, &truth, None)?;
    let (mae, r2) = (Metric::<Tensor>::value(&mae), Metric::<Tensor>::value(&r2));
    println!("\nfirst test rows: prediction and true value");
    for (predicted, truth) in predicted.iter().zip(&truth).take(5) {
        println!("{predicted:12.3} {truth:12.3}");
    }
    println!("\nmean absolute error {mae:.4}, R² {r2:.4}");
    if options.json {
        let report = serde_json::json!({
            "data": options.csv.as_deref().unwrap_or("made up"),
            "seed": options.seed,
            "threads": plywood::threads(),
            "epochs": history.epochs.len(),
            "test_mae": mae,
            "test_r2": r2,
            "peak_rss_mb": memory::peak_rss_mb(),
        });
        println!("{report}");
    }
    Ok(())
}

type Table = ArrayDataset<f32, Array2<f32>>;

/// Reads all rows of a part at once.
fn rows_of(part: &plywood::data::Subset<&Table>) -> Result<Batch<f32, Tensor>> {
    let mut batch = Batch::default();
    let all: Vec<usize> = (0..Dataset::<f32>::len(part)).collect();
    part.read(&all, Pass::Evaluate, &mut batch)?;
    Ok(batch)
}

fn inputs_of(part: &plywood::data::Subset<&Table>) -> Result<Tensor> {
    rows_of(part).map(|mut batch| batch.take_input())
}

fn targets_of(part: &plywood::data::Subset<&Table>) -> Result<Tensor> {
    rows_of(part).map(|batch| batch.target)
}

fn matrix(tensor: Tensor) -> Result<Array2<f32>> {
    tensor.into_dimensionality().map_err(Error::custom)
}

/// `10 sin(π x₀ x₁) + 20 (x₂ - 1/2)² + 10 x₃ + 5 x₄` of ten columns from 0 to 1, with noise of standard deviation 1
/// (J. H. Friedman, "Multivariate adaptive regression splines", 1991). No predictor gets an R² above 0.96.
fn friedman(rows: usize) -> Result<Table> {
    let mut draws = Random::seed(1).child("table").at(0, 0);
    let x = Array2::from_shape_simple_fn((rows, 10), || draws.unit());
    let y = Array2::from_shape_fn((rows, 1), |(i, _)| {
        let value = 10.0 * (std::f64::consts::PI * x[[i, 0]] * x[[i, 1]]).sin()
            + 20.0 * (x[[i, 2]] - 0.5) * (x[[i, 2]] - 0.5)
            + 10.0 * x[[i, 3]]
            + 5.0 * x[[i, 4]];
        (value + draws.normal()) as f32
    });
    ArrayDataset::new(x.mapv(|x| x as f32), y)
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options {
        csv: None,
        target: "target".into(),
        inputs: Vec::new(),
        absolute: false,
        epochs: 60,
        folds: 0,
        seed: 0,
        threads: plywood::threads(),
        json: false,
    };
    while let Some(name) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{name} needs a value"));
        match name.as_str() {
            "--help" | "-h" => return Ok(None),
            "--json" => options.json = true,
            "--csv" => options.csv = Some(value()?),
            "--target" => options.target = value()?,
            "--inputs" => options.inputs = value()?.split(',').map(str::to_owned).collect(),
            "--loss" => {
                options.absolute = match value()?.as_str() {
                    "squared" => false,
                    "absolute" => true,
                    other => {
                        return Err(format!("--loss must be squared or absolute, got {other:?}"));
                    }
                }
            }
            "--epochs" => options.epochs = number(&name, value()?)?,
            "--folds" => options.folds = number(&name, value()?)?,
            "--seed" => options.seed = number(&name, value()?)?,
            "--threads" => options.threads = number(&name, value()?)?,
            _ => return Err(format!("there is no option {name:?}")),
        }
    }
    Ok(Some(options))
}

fn number<T: std::str::FromStr>(name: &str, value: String) -> Result<T, String> {
    value.parse().map_err(|_| format!("{name} must be a whole number, got {value:?}"))
}
