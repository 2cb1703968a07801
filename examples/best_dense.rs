//! Fashion-MNIST with dense layers alone: no convolution, no features made by hand, one network.
//!
//! ```sh
//! cargo run --example best_dense                     # five runs of 60 epochs; minutes each
//! cargo run --example best_dense -- --without mirror # leaves out a part of the recipe
//! cargo run --example best_dense -- --help
//! ```
//!
//! The recipe: 784-1024-512-10 with SiLU and dropout of 0.4; pixels standardized to mean 0 and standard deviation 1,
//! fitted on the training part; images mirrored at random; label smoothing of 0.1; AdamW with a weight decay of 0.05
//! and a learning rate that rises to 1e-3 over 200 steps and falls to 0 along half a cosine over 60 epochs, in
//! batches of 128.
//!
//! A twelfth of the training images, 5,000 in all and the same share of each class, is held out for validation. The
//! weights of the epoch with the best accuracy on them are kept. The test images are used once, after that.
//!
//! Test accuracy with seeds 0 to 4: 0.9108, 0.9105, 0.9099, 0.9084, 0.9069; mean 0.9093, about 160 s a run on two
//! cores.
//!
//! The effect of leaving out each part (seed 0, for which the whole recipe has 0.9108; seeds differ by 0.002):
//!
//! | left out | test accuracy | |
//! |---|---|---|
//! | the schedule (a constant learning rate of 1e-3) | 0.8945 | -0.016 |
//! | dropout | 0.9031 | -0.008 |
//! | SiLU (ReLU instead) | 0.9045 | -0.006 |
//! | weight decay | 0.9055 | -0.005 |
//! | standardization (pixels from 0 to 1 instead) | 0.9057 | -0.005 |
//! | label smoothing | 0.9077 | -0.003 |
//! | mirror images | 0.9080 | -0.003 |

use plywood::ErrorKind;
use plywood::data::{Images, synthetic};
use plywood::prelude::*;
use std::time::Instant;

#[path = "support/memory.rs"]
mod memory;

const HELP: &str = "\
Trains a network of dense layers on Fashion-MNIST, with the best recipe we know.

usage: cargo run --example best_dense -- [OPTIONS]

  --seeds N         number of runs, each with its own seed      (5)
  --seed N          the seed of the first run                   (0)
  --epochs N        passes over the data                        (60)
  --hidden N,N,..   units of the hidden layers                  (1024,512)
  --without PART    leaves out a part of the recipe, to measure its effect; may be repeated:
                    mirror, dropout, smoothing, decay, schedule, silu (ReLU instead),
                    standardize (pixels from 0 to 1 instead)
  --threads N       number of threads                           (PLYWOOD_NUM_THREADS, else all cores)
  --json            prints the results as one line of JSON at the end
  --help            shows this help

Data: the folder FASHION_MNIST_DIR if it is set, else the cache folder, else a download from the official host
(or FASHION_MNIST_URL). If it is not available, the program prints a warning and uses synthetic images.";

const BATCH: usize = 128;
const RATE: f64 = 1e-3;
const RISE: f64 = 200.0;

/// The parts of the recipe that can be left out.
const PARTS: [&str; 7] = ["mirror", "dropout", "smoothing", "decay", "schedule", "silu", "standardize"];

struct Options {
    seeds: u64,
    seed: u64,
    epochs: usize,
    hidden: Vec<usize>,
    without: Vec<String>,
    threads: usize,
    json: bool,
}

impl Options {
    fn with(&self, part: &str) -> bool {
        !self.without.iter().any(|left_out| left_out == part)
    }
}

/// The kept epoch of a run, its accuracies on the validation and the test images, and the seconds of training.
struct Run {
    epoch: u64,
    validation: f64,
    test: f64,
    seconds: f64,
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
    let (images, test, data) = match datasets::fashion_mnist() {
        Ok((images, test)) => (images, test, "fashion-mnist"),
        Err(error) if matches!(error.kind(), ErrorKind::Download { unreachable: true, .. }) => {
            println!("{error}\n\nNOT Fashion-MNIST: continuing with synthetic images of clothing.\n");
            let (images, test) = synthetic::garments(12_000, 2_000, 1)?;
            (images, test, "drawn")
        }
        Err(error) => return Err(error),
    };
    let mut runs = Vec::new();
    for seed in options.seed..options.seed + options.seeds {
        let run = train(&options, seed, &images, &test)?;
        println!(
            "seed {seed}: epoch {}, validation {:.4}, test {:.4}, {:.0} s",
            run.epoch, run.validation, run.test, run.seconds
        );
        runs.push(run);
    }
    let mean = runs.iter().map(|run| run.test).sum::<f64>() / runs.len() as f64;
    println!("\ntest accuracy {mean:.4}, mean of {} runs on {data}", runs.len());
    if options.json {
        let report = serde_json::json!({
            "data": data,
            "seeds": runs.len(),
            "threads": plywood::threads(),
            "epochs": options.epochs,
            "hidden": options.hidden,
            "without": options.without,
            "kept_epochs": runs.iter().map(|run| run.epoch).collect::<Vec<_>>(),
            "val_accuracy": runs.iter().map(|run| run.validation).collect::<Vec<_>>(),
            "test_accuracy": runs.iter().map(|run| run.test).collect::<Vec<_>>(),
            "mean_test_accuracy": mean,
            "train_seconds": runs.iter().map(|run| run.seconds).collect::<Vec<_>>(),
            "peak_rss_mb": memory::peak_rss_mb(),
        });
        println!("{report}");
    }
    Ok(())
}

fn network(options: &Options, seed: u64) -> Result<Sequential> {
    let mut builder = Sequential::builder([28, 28]).seed(seed).layer(Flatten);
    for &units in &options.hidden {
        builder = builder.layer(Dense::units(units).initializer(Initializer::HeNormal));
        builder = if options.with("silu") { builder.layer(SiLU) } else { builder.layer(ReLU) };
        if options.with("dropout") {
            builder = builder.layer(Dropout::rate(0.4));
        }
    }
    builder.layer(Dense::units(10)).layer(Softmax).build()
}

fn train(options: &Options, seed: u64, images: &Images, test: &Images) -> Result<Run> {
    let given = |part: &str, value: f64| if options.with(part) { value } else { 0.0 };
    let (train, validation) = stratified_split::<f32, _>(images, 1.0 / 12.0, seed)?;
    let normalizer =
        if options.with("standardize") { Normalizer::standard() } else { Normalizer::range(0.0, 1.0) };
    let normalizer = normalizer.whole(true).fit::<f32, _>(&train)?;
    let augment = Augment::seed(seed).flip_horizontal(options.with("mirror"));
    let mirrored = Augmented::new(normalizer.apply(&train), augment)?;
    let changing = OneHot::new(mirrored, 10)?.smoothing(given("smoothing", 0.1))?;
    let held_out = OneHot::new(normalizer.apply(&validation), 10)?;

    let steps = (options.epochs * train.indices().len().div_ceil(BATCH)) as f64;
    let falls = options.with("schedule");
    let rate = move |step: u64| match step as f64 {
        step if falls => {
            RATE * (step / RISE).min(1.0) * 0.5 * (1.0 + (std::f64::consts::PI * step / steps).cos())
        }
        _ => RATE,
    };
    let mut model = network(options, seed)?;
    let start = Instant::now();
    let history =
        Trainer::new(SoftCrossEntropy::default(), AdamW::default().weight_decay(given("decay", 0.05)))
            .learning_rate(rate)
            .epochs(options.epochs)
            .batch_size(BATCH)
            .seed(seed)
            .metric(Accuracy::default())
            .callback(EarlyStopping::patience(options.epochs).monitor("val_accuracy")) // keeps the best epoch
            .fit_with_validation(&mut model, &changing, &held_out)?;
    let seconds = start.elapsed().as_secs_f64();
    let (mut epoch, mut best) = (0, 0.0);
    for (number, accuracy) in (1..).zip(history.get("val_accuracy")) {
        if accuracy > best {
            (epoch, best) = (number, accuracy);
        }
    }
    let matrix = evaluate::confusion_matrix(&model, &normalizer.apply(test))?;
    Ok(Run { epoch, validation: best, test: matrix.accuracy(), seconds })
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let threads = plywood::threads();
    let mut options = Options {
        seeds: 5,
        seed: 0,
        epochs: 60,
        hidden: vec![1024, 512],
        without: Vec::new(),
        threads,
        json: false,
    };
    while let Some(name) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{name} needs a value"));
        match name.as_str() {
            "--help" | "-h" => return Ok(None),
            "--json" => options.json = true,
            "--seeds" => options.seeds = number(&name, &value()?)?,
            "--seed" => options.seed = number(&name, &value()?)?,
            "--epochs" => options.epochs = number(&name, &value()?)?,
            "--threads" => options.threads = number(&name, &value()?)?,
            "--hidden" => {
                let units = value()?;
                options.hidden = units.split(',').map(|n| number(&name, n)).collect::<Result<_, _>>()?;
            }
            "--without" => match value()? {
                part if PARTS.contains(&part.as_str()) => options.without.push(part),
                part => {
                    return Err(format!("--without must be one of {}, got {part:?}", PARTS.join(", ")));
                }
            },
            _ => return Err(format!("there is no option {name:?}")),
        }
    }
    if options.seeds == 0 || options.epochs == 0 {
        return Err("expected at least one seed and one epoch".to_owned());
    }
    Ok(Some(options))
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{name} must be a whole number, got {value:?}"))
}
