//! Searches for hidden units, learning rate and dropout on a part of Fashion-MNIST, and measures the best choice on the
//! test images.
//!
//! ```sh
//! cargo run --example hyperparameter_search -- --quick
//! cargo run --example hyperparameter_search -- --help
//! ```

use plywood::ErrorKind;
use plywood::data::{Images, StratifiedHoldOut, synthetic};
use plywood::prelude::*;
use plywood::train::{Search, Space, Trial};
use std::time::Instant;

#[path = "support/args.rs"]
mod args;

const HELP: &str = "\
Searches for hidden units, learning rate and dropout of a network with one hidden layer, on a part of Fashion-MNIST,
and compares the best with usual values on the test images.

usage: cargo run --example hyperparameter_search -- [OPTIONS]

  --quick       8 trials of 2 epochs on 1,500 images: a demonstration in seconds
  --trials N    number of random combinations               (24)
  --grid        tries every combination of a few values instead
  --images N    number of training images                   (6000)
  --epochs N    epochs of each run                          (12)
  --repeats N   runs of each trial, with different seeds    (1)
  --folds K     cross-validates with K folds, instead of holding out a fifth
  --all         stops no trial early
  --jobs N      trials in parallel, on one thread each      (PLYWOOD_NUM_THREADS, else all cores)
  --seed N      seed of trials, weights and shuffling       (0)
  --json        prints the results as one line of JSON at the end
  --help        shows this help

Data: the folder FASHION_MNIST_DIR if it is set, else the cache folder, else a download from the official host
(or FASHION_MNIST_URL). If no host can be reached, the program prints a warning and uses synthetic images.";

fn main() -> Result<()> {
    let mut args = args::Args::new(HELP);
    let quick = args.flag("--quick");
    let trials: usize = args.number("--trials", if quick { 8 } else { 24 });
    let images: usize = args.number("--images", if quick { 1_500 } else { 6_000 });
    let epochs: usize = args.number("--epochs", if quick { 2 } else { 12 });
    let (grid, all, json) = (args.flag("--grid"), args.flag("--all"), args.flag("--json"));
    let repeats: usize = args.number("--repeats", 1);
    let folds: usize = args.number("--folds", 0);
    let jobs: usize = args.number("--jobs", plywood::threads());
    let seed: u64 = args.number("--seed", 0);
    args.finish();

    let (train, test, drawn) = load(seed)?;
    let images = images.min(train.len());
    let train = train.first(images);
    let search = if grid {
        let space = Space::new().choice("units", [32, 128, 512]).choice("rate", [0.0003, 0.001, 0.003]);
        Search::grid(space.choice("dropout", [0.0, 0.2, 0.4]))
    } else {
        let space = Space::new().choice("units", [16, 32, 64, 128, 256, 512]).log_uniform("rate", 1e-4, 1e-1);
        Search::random(space.uniform("dropout", 0.0, 0.6), trials)
    };
    let mut search = search.seed(seed).repeats(repeats).monitor("val_accuracy").jobs(jobs).lines(true);
    if !all {
        search = search.stop_hopeless(epochs.div_ceil(4));
    }

    let count = search.trials()?.len();
    println!("{count} trials on {} images, {epochs} epochs each\n", train.len());
    let start = Instant::now();
    let build = |trial: &Trial, seed: u64| {
        network(trial.count("units")?, trial.number("rate")?, trial.number("dropout")?, epochs, seed)
    };
    let results = match folds {
        0 => search.run(&train, &StratifiedHoldOut::share(0.2).seed(seed), build),
        k => search.run(&train, &StratifiedKFold::new(k).seed(seed), build),
    }?;
    let seconds = start.elapsed().as_secs_f64();
    println!("\n{results}\n");

    // Trains the best values and the usual ones again, on all of the images, with other seeds.
    let best = results.best();
    let on_test = |(units, rate, dropout): (usize, f64, f64)| -> Result<plywood::metrics::MeanStd> {
        let run = |seed: u64| {
            let (mut model, trainer) = network(units, rate, dropout, epochs, seed)?;
            trainer.progress(Progress::Silent).fit(&mut model, &train)?;
            Ok(evaluate::confusion_matrix(&model, &test)?.accuracy())
        };
        let accuracies = (1..=3).map(|n| run(seed.wrapping_add(1_000 + n))).collect::<Result<Vec<f64>>>()?;
        Ok(plywood::metrics::MeanStd::of(&accuracies))
    };
    let found = on_test((best.count("units")?, best.number("rate")?, best.number("dropout")?))?;
    let usual = on_test((128, 0.001, 0.0))?;
    println!("on the {} test images, trained 3 times on all {} images:", test.len(), train.len());
    println!("  the best ({best}): accuracy {found}");
    println!("  the usual (units 128, rate 0.001, dropout 0): accuracy {usual}");
    println!("the search took {seconds:.1} s");
    if drawn {
        println!("\nNOT Fashion-MNIST: synthetic images");
    }
    if json {
        let figures = serde_json::json!({
            "data": if drawn { "drawn" } else { "fashion-mnist" },
            "trials": count,
            "stopped": results.trials.iter().filter(|tried| tried.is_stopped()).count(),
            "failed": results.trials.iter().filter(|tried| tried.error.is_some()).count(),
            "epochs": results.trials.iter().map(|tried| tried.epochs()).sum::<usize>(),
            "seconds": seconds,
            "best": best.to_string(),
            "val_accuracy": results.trials[0].value(),
            "test_accuracy": found,
            "usual_test_accuracy": usual,
        });
        println!("{figures}");
    }
    Ok(())
}

/// Builds Flatten, Dense, ReLU, Dropout, Dense 10, Softmax, and a trainer with Adam.
fn network(
    units: usize,
    rate: f64,
    dropout: f64,
    epochs: usize,
    seed: u64,
) -> Result<(Sequential, Trainer<CrossEntropy>)> {
    let model = Sequential::builder([28, 28])
        .seed(seed)
        .layer(Flatten)
        .layer(Dense::units(units))
        .layer(ReLU)
        .layer(Dropout::rate(dropout))
        .layer(Dense::units(10))
        .layer(Softmax)
        .build()?;
    let trainer = Trainer::new(CrossEntropy::default(), Adam::default())
        .learning_rate(rate)
        .epochs(epochs)
        .seed(seed)
        .metric(Accuracy::default());
    Ok((model, trainer))
}

/// Loads the real images; synthetic ones if no host can be reached, and only then. The flag is true for synthetic ones.
fn load(seed: u64) -> Result<(Images, Images, bool)> {
    match datasets::fashion_mnist() {
        Ok((train, test)) => Ok((train, test, false)),
        Err(error) if matches!(error.kind(), ErrorKind::Download { unreachable: true, .. }) => {
            println!("{error}\n\nNOT Fashion-MNIST: continuing with synthetic images of clothing.\n");
            let (train, test) = synthetic::garments(12_000, 2_000, seed)?;
            Ok((train, test, true))
        }
        Err(error) => Err(error),
    }
}
