//! A convolutional network on Fashion-MNIST: two convolutions with pooling, a dense layer, trained and evaluated.
//!
//! ```sh
//! cargo run --example image_cnn -- --help
//! ```

use plywood::ErrorKind;
use plywood::data::{Images, synthetic};
use plywood::optim::{CosineDecay, UpdateRule};
use plywood::prelude::*;
use std::time::Instant;

#[path = "support/cli.rs"]
mod cli;
#[path = "support/memory.rs"]
mod memory;
use cli::Options;

/// The number of synthetic training and test images, used if the real ones are not available.
const DRAWN: (usize, usize) = (6_000, 1_000);

fn main() -> Result<()> {
    let options = Options::from_args("image_cnn", 64, None);
    plywood::set_threads(options.threads)?;
    let (train, test, drawn) = load(options.seed)?;
    println!("{} training and {} test images of 28 x 28\n", train.len(), test.len());

    let mut model = Sequential::builder([28, 28])
        .seed(options.seed)
        .layer(Reshape::to([1, 28, 28])) // channels first; grey images have one
        .layer(Conv2d::filters(32, 3).padding(Padding::Same))
        .layer(ReLU)
        .layer(MaxPool2d::window(2))
        .layer(Conv2d::filters(64, 3).padding(Padding::Same))
        .layer(ReLU)
        .layer(MaxPool2d::window(2))
        .layer(Flatten)
        .layer(Dense::units(options.hidden))
        .layer(ReLU)
        .layer(Dropout::rate(0.3))
        .layer(Dense::units(10))
        .layer(Softmax)
        .build()?;
    println!("{model}\n");

    let start = Instant::now();
    let history = match options.optimizer.as_str() {
        "adam" => fit(Adam::default(), &options, &mut model, &train),
        "adamw" => fit(AdamW::default(), &options, &mut model, &train),
        _ => fit(SGD::default(), &options, &mut model, &train),
    }?;
    let train_seconds = start.elapsed().as_secs_f64();

    let matrix = evaluate::confusion_matrix(&model, &test)?;
    println!("\n{}\n", matrix.report());
    let warning = if drawn { " (NOT Fashion-MNIST: synthetic images)" } else { "" };
    println!("test accuracy {:.4}{warning}", matrix.accuracy());
    if let Some(path) = &options.save {
        let classes = Classes::named(test.class_names());
        Predictor::new(model).input(Image::grey(28, 28)).output(classes).build()?.save(path)?;
    }

    if options.json {
        let report = cli::Report {
            data: if drawn { "drawn" } else { "fashion-mnist" },
            seed: options.seed,
            threads: plywood::threads(),
            epochs: history.epochs.len(),
            train_seconds,
            epoch_seconds: history.epochs.iter().map(|epoch| epoch.seconds).collect(),
            val_accuracy: history.last("val_accuracy").unwrap_or(f64::NAN),
            test_accuracy: matrix.accuracy(),
            peak_rss_mb: memory::peak_rss_mb(),
        };
        println!("{}", report.to_json());
    }
    Ok(())
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

fn fit<R: UpdateRule>(rule: R, options: &Options, model: &mut Sequential, train: &Images) -> Result<History> {
    let samples = train.len() - train.len() / 10;
    let steps = (options.epochs * samples.div_ceil(options.batch.max(1))) as u64;
    // From the rule's default learning rate down to 0 along a cosine: the accuracy rises most in the last epochs.
    let rate = CosineDecay { start: rule.default_learning_rate(), steps };
    Trainer::new(CrossEntropy::default(), rule)
        .learning_rate(rate)
        .epochs(options.epochs)
        .batch_size(options.batch)
        .seed(options.seed)
        .validation_split(0.1)
        .metric(Accuracy::default())
        .callback(EarlyStopping::patience(options.epochs).monitor("val_accuracy")) // keeps the best epoch
        .fit(model, train)
}
