//! The Fashion-MNIST network: Flatten 28x28, Dense 128 ReLU, Dense 10 Softmax, trained, evaluated and reported.
//!
//! ```sh
//! cargo run --example fashion_mnist -- --help
//! ```
//!
//! It saves the network with what it takes and what it says as `fashion.plywood`, and the first three test images
//! beside it, as `fashion-0.png` to `fashion-2.png`. The example `predict` then answers images:
//!
//! ```sh
//! cargo run --example predict -- fashion.plywood fashion-0.png
//! ```

use plywood::ErrorKind;
use plywood::data::{Images, synthetic};
use plywood::ndarray::Axis;
use plywood::optim::UpdateRule;
use plywood::prelude::*;
use std::path::Path;
use std::time::Instant;

#[path = "support/cli.rs"]
mod cli;
#[path = "support/memory.rs"]
mod memory;
#[path = "support/report.rs"]
mod report;
use cli::Options;

/// The number of synthetic training and test images, used if the real ones are not available.
const DRAWN: (usize, usize) = (12_000, 2_000);

fn main() -> Result<()> {
    let options = Options::from_args("fashion_mnist", 32, Some("fashion.plywood"));
    plywood::set_threads(options.threads)?;
    let (train, test, drawn) = load(options.seed)?;
    println!("{} training and {} test images of 28 x 28\n", train.len(), test.len());

    let mut model = Sequential::builder([28, 28])
        .seed(options.seed)
        .layer(Flatten)
        .layer(Dense::units(options.hidden))
        .layer(ReLU)
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
    println!("\n{}\n\n{matrix}\n", matrix.report());
    show_predictions(&model, &test)?;
    let warning = if drawn { " (NOT Fashion-MNIST: synthetic images)" } else { "" };
    println!("test accuracy {:.4}{warning}", matrix.accuracy());
    let peak_rss_mb = memory::peak_rss_mb(); // before the report is written
    let (options, model, history, matrix) = (&options, &model, &history, &matrix);
    report::show(&report::Run { options, drawn, model, history, matrix, train_seconds }, &test);
    if let Some(path) = &options.save {
        save(model, &test, path)?;
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
            peak_rss_mb,
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
    Trainer::new(CrossEntropy::default(), rule)
        .epochs(options.epochs)
        .batch_size(options.batch)
        .seed(options.seed)
        .validation_split(0.2)
        .metric(Accuracy::default())
        .callback(EarlyStopping::patience(options.epochs).monitor("val_accuracy")) // keeps the best epoch
        .fit(model, train)
}

/// Saves the model with what it takes and what it says, and the first test images beside it.
fn save(model: &Sequential, test: &Images, path: &Path) -> Result<()> {
    Predictor::new(model.clone())
        .input(Image::grey(28, 28).scale(1.0 / 255.0))
        .output(Classes::named(test.class_names()))
        .build()?
        .save(path)?;
    let mut first = None;
    for (i, pixels) in test.inputs().outer_iter().take(3).enumerate() {
        let file = path.with_file_name(format!("fashion-{i}.png"));
        let grey = image::GrayImage::from_fn(28, 28, |x, y| image::Luma([pixels[[y as usize, x as usize]]]));
        grey.save(&file).map_err(|error| {
            Error::custom(error)
                .at(format!("write {}", file.display()))
                .help("Check the permission to write there.")
        })?;
        first.get_or_insert(file);
    }
    if let Some(image) = first {
        println!("ask it: cargo run --example predict -- {} {}", path.display(), image.display());
        println!("(photos on a light background: add --invert, as these images are light on black)");
    }
    Ok(())
}

/// Prints the first test images in the terminal, each with its predicted class.
fn show_predictions(model: &Sequential, test: &Images) -> Result<()> {
    let images = test.inputs().slice_axis(Axis(0), (..4).into());
    let probabilities = model.predict(&images.mapv(|byte| f32::from(byte) / 255.0))?;
    for rows in 0..14 {
        for image in images.outer_iter() {
            // Two rows of pixels per line of text, so that an image keeps its proportions.
            let shade = |column: usize| {
                let pixel = |row: usize| {
                    u16::from(image[[2 * row, column]]) + u16::from(image[[2 * row + 1, column]])
                };
                [' ', '░', '▒', '▓', '█'][usize::from(pixel(rows) / 103).min(4)]
            };
            print!("{}  ", (0..28).map(shade).collect::<String>());
        }
        println!();
    }
    let classes = plywood::argmax_rows(&probabilities);
    let name = |class: usize| &test.class_names()[class];
    for (row, &class) in probabilities.outer_iter().zip(&classes) {
        print!("{:<30}", format!("{} {:.0} %", name(class), 100.0 * row[[class]]));
    }
    println!();
    for (class, truth) in classes.iter().zip(test.targets()) {
        print!("{:<30}", if class == truth { "right".into() } else { format!("wrong: {}", name(*truth)) });
    }
    println!("\n");
    Ok(())
}
