//! A search for hidden units, learning rate and dropout on a part of Fashion-MNIST, and what the choice is worth on
//! the test images.
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
and compares the best with the usual choice on the test images.

usage: cargo run --example hyperparameter_search -- [OPTIONS]

  --quick       8 trials of 2 epochs on 1,500 images: to see it work, in seconds
  --trials N    combinations to draw                        (24)
  --grid        every combination of a few values instead of draws
  --images N    of the training images                      (6000)
  --epochs N    for each run                                (12)
  --repeats N   runs of each trial, from other seeds        (1)
  --folds K     K folds instead of a fifth held out
  --all         no trial is stopped early
  --jobs N      trials at a time, on one thread each        (PLYWOOD_NUM_THREADS, else all cores)
  --seed N      of the draws, the weights and the order     (0)
  --json        ends with one line of figures
  --help        shows this

Data: the folder FASHION_MNIST_DIR if it is set, else the cache folder, else the official host
(or FASHION_MNIST_URL). Where no host answers, garments are drawn instead, and the program says so.";

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

    // The best, and what one would take without a search, trained anew on all of the images, from other seeds.
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
        println!("\nNOT Fashion-MNIST: drawn garments");
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

/// Flatten, Dense, ReLU, Dropout, Dense 10, Softmax, and Adam.
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

/// The real images; drawn ones where no host answers, and only then. The flag says which.
fn load(seed: u64) -> Result<(Images, Images, bool)> {
    match datasets::fashion_mnist() {
        Ok((train, test)) => Ok((train, test, false)),
        Err(error) if matches!(error.kind(), ErrorKind::Download { unreachable: true, .. }) => {
            println!("{error}\n\nNOT Fashion-MNIST: going on with garments drawn by this program.\n");
            let (train, test) = synthetic::garments(12_000, 2_000, seed)?;
            Ok((train, test, true))
        }
        Err(error) => Err(error),
    }
}
