//! What was learnt on eight garments helps with two others: a trained network's layers, and a new head.
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

/// How many samples are drawn where the real ones cannot be had.
const DRAWN: (usize, usize) = (6_000, 1_000);

/// How many layers are kept: the convolutions, up to `Flatten`.
const TRUNK: usize = 8;

const HELP: &str = "\
Trains a network on eight garments, and teaches it the other two from a few images of each; beside it, the same
network learns the two from the same images alone.

usage: cargo run --example transfer -- [OPTIONS]

  --new A,B         the two classes that are kept back         (2,4: Pullover and Coat, which look alike)
  --each N          images of each of the two                  (100)
  --images N        images of the eight                        (24000)
  --epochs N        over the images of the eight               (3)
  --few-epochs N    over the few images of the two             (30)
  --seed N          of initial weights and the samples' order  (0)
  --threads N       to work with                               (PLYWOOD_NUM_THREADS, else all cores)
  --json            ends with one line of figures
  --help            shows this

Data: the folder FASHION_MNIST_DIR if it is set, else the cache folder, else the official host
(or FASHION_MNIST_URL). Where no host answers, garments are drawn instead, and the program says so.";

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

    // From here on only the few images are used. First the same network without what was learnt:
    let mut scratch = network(2, options.seed)?;
    let (scratch_accuracy, scratch_seconds) = learn(&mut scratch, 1e-3, &few, &new_test, &options)?;

    // The trained network without its head, frozen, with a new head behind it:
    let mut trunk = eight.clone();
    trunk.split_off(TRUNK)?;
    trunk.freeze("")?;
    let mut model = head(trunk.into_builder().seed(options.seed), 2)?;
    println!("{model}\n");
    let (head_accuracy, head_seconds) = learn(&mut model, 1e-3, &few, &new_test, &options)?;

    // And at last all of it a little, at a tenth of the rate:
    model.unfreeze("")?;
    let (tuned_accuracy, tuned_seconds) = learn(&mut model, 1e-4, &few, &new_test, &options)?;

    println!("test accuracy {eight_accuracy:.4} on the eight after {first_seconds:.1} s");
    println!("test accuracy on {}, learnt from {} images:", few.class_names().join(" and "), few.len());
    println!("  {scratch_accuracy:.4}  from scratch, in {scratch_seconds:.1} s");
    println!("  {head_accuracy:.4}  a new head on the frozen layers, in {head_seconds:.1} s");
    println!("  {tuned_accuracy:.4}  then all layers at a tenth of the rate, in {tuned_seconds:.1} s");
    if drawn {
        println!("(NOT Fashion-MNIST: drawn garments)");
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

/// Two convolutions with pooling, and a head.
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

/// Two dense layers behind the others.
fn head(trunk: SequentialBuilder, classes: usize) -> Result<Sequential> {
    trunk.layer(Dense::units(64)).layer(ReLU).layer(Dense::units(classes)).layer(Softmax).build()
}

/// The real images; drawn ones where no host answers, and only then. The flag says which.
fn load(seed: u64) -> Result<(Images, Images, bool)> {
    match datasets::fashion_mnist() {
        Ok((train, test)) => Ok((train, test, false)),
        Err(error) if matches!(error.kind(), ErrorKind::Download { unreachable: true, .. }) => {
            println!("{error}\n\nNOT Fashion-MNIST: going on with garments drawn by this program.\n");
            let (train, test) = synthetic::garments(DRAWN.0, DRAWN.1, seed)?;
            Ok((train, test, true))
        }
        Err(error) => Err(error),
    }
}

/// The first images of each of these classes, at most so many, with labels that count these classes.
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

/// Trains on the few images, in small batches; the accuracy on the test images, and the seconds of training.
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
