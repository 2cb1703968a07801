//! Transfer learning: a network trained on eight classes learns two others, with its trained layers and a new head.
//!
//! ```sh
//! cargo run --example transfer -- --help
//! ```

use plywood::ErrorKind;
use plywood::data::{Images, synthetic};
use plywood::ndarray::Axis;
use plywood::nn::SequentialBuilder;
use plywood::prelude::*;
use std::time::Instant;

#[path = "support/args.rs"]
mod args;
#[path = "support/memory.rs"]
mod memory;

/// The number of synthetic training and test images, used if the real ones are not available.
const DRAWN: (usize, usize) = (6_000, 1_000);

/// The number of layers that are kept: the convolutions, up to `Flatten`.
const TRUNK: usize = 8;

const HELP: &str = "\
Trains a network on eight classes of clothing, and then on the other two with a few images of each. For comparison, the
same network is trained from scratch on these few images.

usage: cargo run --example transfer -- [OPTIONS]

  --new A,B         the two new classes                        (2,4: Pullover and Coat, which look alike)
  --each N          images of each new class                   (100)
  --images N        images of the eight classes                (24000)
  --epochs N        epochs on the eight classes                (3)
  --few-epochs N    epochs on the two new classes              (30)
  --seed N          seed of weights and shuffling              (0)
  --threads N       number of threads                          (PLYWOOD_NUM_THREADS, else all cores)
  --json            prints the results as one line of JSON at the end
  --help            shows this help

Data: the folder FASHION_MNIST_DIR if it is set, else the cache folder, else a download from the official host
(or FASHION_MNIST_URL). If no host can be reached, the program prints a warning and uses synthetic images.";

struct Options {
    new: [usize; 2],
    each: usize,
    images: usize,
    epochs: usize,
    few_epochs: usize,
    seed: u64,
    json: bool,
}

fn main() -> Result<()> {
    let options = options()?;
    let (train, test, drawn) = load(options.seed)?;
    let old: Vec<usize> = (0..10).filter(|class| !options.new.contains(class)).collect();
    let many = part(&train, &old, options.images / old.len())?;
    let few = part(&train, &options.new, options.each)?;
    let (old_test, new_test) = (part(&test, &old, usize::MAX)?, part(&test, &options.new, usize::MAX)?);
    println!(
        "{} images of eight classes, {} of {}\n",
        many.len(),
        few.len(),
        few.class_names().join(" and ")
    );

    let mut eight = network(old.len(), options.seed)?;
    println!("{eight}\n");
    let start = Instant::now();
    trainer(1e-3, options.epochs, &options).fit(&mut eight, &many)?;
    let first_seconds = start.elapsed().as_secs_f64();
    let eight_accuracy = accuracy(&eight, &old_test)?;

    // From here on only the few images are used. First the same network from scratch:
    let mut scratch = network(2, options.seed)?;
    let (scratch_accuracy, scratch_seconds) = learn(&mut scratch, 1e-3, &few, &new_test, &options)?;

    // Then the trained network without its head, frozen, with a new head:
    let mut trunk = eight.clone();
    trunk.split_off(TRUNK)?;
    trunk.freeze("")?;
    let mut model = head(trunk.into_builder().seed(options.seed), 2)?;
    println!("{model}\n");
    let (head_accuracy, head_seconds) = learn(&mut model, 1e-3, &few, &new_test, &options)?;

    // Finally all layers, at a tenth of the learning rate:
    model.unfreeze("")?;
    let (tuned_accuracy, tuned_seconds) = learn(&mut model, 1e-4, &few, &new_test, &options)?;

    println!("test accuracy on the eight classes: {eight_accuracy:.4} after {first_seconds:.1} s");
    println!("test accuracy on {}, after training on {} images:", few.class_names().join(" and "), few.len());
    println!("  {scratch_accuracy:.4}  from scratch, in {scratch_seconds:.1} s");
    println!("  {head_accuracy:.4}  a new head on the frozen layers, in {head_seconds:.1} s");
    println!("  {tuned_accuracy:.4}  then all layers, a tenth of the learning rate, in {tuned_seconds:.1} s");
    if drawn {
        println!("(NOT Fashion-MNIST: synthetic images)");
    }
    if options.json {
        let report = serde_json::json!({
            "data": if drawn { "drawn" } else { "fashion-mnist" },
            "new": few.class_names(),
            "seed": options.seed,
            "threads": plywood::threads(),
            "train_seconds": [first_seconds, scratch_seconds, head_seconds, tuned_seconds],
            "test_accuracy": {
                "eight": eight_accuracy,
                "scratch": scratch_accuracy,
                "head": head_accuracy,
                "tuned": tuned_accuracy,
            },
            "peak_rss_mb": memory::peak_rss_mb(),
        });
        println!("{report}");
    }
    Ok(())
}

fn options() -> Result<Options> {
    let mut args = args::Args::new(HELP);
    let new = args.text("--new").unwrap_or_else(|| "2,4".into());
    let options = Options {
        new: pair(&new).ok_or_else(|| {
            Error::argument("the two classes", "two different numbers from 0 to 9", format!("{new:?}"))
                .help("Write `--new 2,4`.")
        })?,
        each: args.number("--each", 100),
        images: args.number("--images", 24_000),
        epochs: args.number("--epochs", 3),
        few_epochs: args.number("--few-epochs", 30),
        seed: args.number("--seed", 0),
        json: args.flag("--json"),
    };
    plywood::set_threads(args.number("--threads", plywood::threads()))?;
    args.finish();
    Ok(options)
}

fn pair(text: &str) -> Option<[usize; 2]> {
    let (a, b) = text.split_once(',')?;
    let classes = [a.trim().parse().ok()?, b.trim().parse().ok()?];
    (classes[0] != classes[1] && classes.iter().all(|&class| class < 10)).then_some(classes)
}

/// Builds two convolutions with pooling, and a head.
fn network(classes: usize, seed: u64) -> Result<Sequential> {
    let trunk = Sequential::builder([28, 28])
        .seed(seed)
        .layer(Reshape::to([1, 28, 28]))
        .layer(Conv2d::filters(16, 3).padding(Padding::Same))
        .layer(ReLU)
        .layer(MaxPool2d::window(2))
        .layer(Conv2d::filters(32, 3).padding(Padding::Same))
        .layer(ReLU)
        .layer(MaxPool2d::window(2))
        .layer(Flatten);
    head(trunk, classes)
}

/// Appends two dense layers.
fn head(trunk: SequentialBuilder, classes: usize) -> Result<Sequential> {
    trunk.layer(Dense::units(64)).layer(ReLU).layer(Dense::units(classes)).layer(Softmax).build()
}

/// Loads the real images; synthetic ones if no host can be reached, and only then. The flag is true for synthetic ones.
fn load(seed: u64) -> Result<(Images, Images, bool)> {
    match datasets::fashion_mnist() {
        Ok((train, test)) => Ok((train, test, false)),
        Err(error) if matches!(error.kind(), ErrorKind::Download { unreachable: true, .. }) => {
            println!("{error}\n\nNOT Fashion-MNIST: continuing with synthetic images of clothing.\n");
            let (train, test) = synthetic::garments(DRAWN.0, DRAWN.1, seed)?;
            Ok((train, test, true))
        }
        Err(error) => Err(error),
    }
}

/// Returns the first images of each of these classes, at most `most` each, with labels from 0 in the order of
/// `classes`.
fn part(data: &Images, classes: &[usize], most: usize) -> Result<Images> {
    let mut counts = vec![0; classes.len()];
    let (mut positions, mut labels) = (Vec::new(), Vec::new());
    for (i, label) in data.targets().iter().enumerate() {
        if let Some(class) = classes.iter().position(|class| class == label)
            && counts[class] < most
        {
            counts[class] += 1;
            positions.push(i);
            labels.push(class);
        }
    }
    let names = classes.iter().map(|&class| data.class_names()[class].clone());
    let images = data.inputs().select(Axis(0), &positions);
    Ok(ArrayDataset::new(images, labels)?.scale(1.0 / 255.0).with_class_names(names))
}

fn trainer(rate: f64, epochs: usize, options: &Options) -> Trainer<CrossEntropy> {
    let trainer = Trainer::new(CrossEntropy::default(), Adam::default());
    trainer.learning_rate(rate).epochs(epochs).seed(options.seed).metric(Accuracy::default())
}

/// Trains on the few images, in small batches. Returns the accuracy on the test images, and the seconds of training.
fn learn(
    model: &mut Sequential,
    rate: f64,
    few: &Images,
    test: &Images,
    options: &Options,
) -> Result<(f64, f64)> {
    let start = Instant::now();
    let trainer = trainer(rate, options.few_epochs, options).batch_size(few.len().min(20));
    trainer.progress(Progress::Silent).fit(model, few)?;
    let seconds = start.elapsed().as_secs_f64();
    Ok((accuracy(model, test)?, seconds))
}

fn accuracy(model: &Sequential, test: &Images) -> Result<f64> {
    Ok(evaluate::confusion_matrix(model, test)?.accuracy())
}
