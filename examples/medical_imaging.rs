//! Medical images of two classes, one of them rare: class weights, the ROC curve, and choosing a threshold.
//!
//! ```sh
//! cargo run --example medical_imaging                   # synthetic images
//! cargo run --example medical_imaging -- --data DIR     # DIR/benign/…, DIR/malignant/…
//! ```

use plywood::data::{Images, Subset};
use plywood::losses::class_weights;
use plywood::metrics::roc_curve;
use plywood::prelude::*;
use std::path::{Path, PathBuf};

#[path = "support/args.rs"]
mod args;
#[path = "support/lesions.rs"]
mod lesions;
#[path = "support/memory.rs"]
mod memory;

const HELP: &str = "\
Trains a classifier of medical images, chooses a threshold on the validation images, and reports the ROC AUC, the
sensitivity and the specificity on the test images.

usage: cargo run --example medical_imaging -- [OPTIONS]

  --data DIR         PNG and JPEG files in a folder for each class  (synthetic images of moles)
  --skip-faulty      leaves out files that cannot be read, and lists them
  --positive NAME    the class to detect                            (the last by name: malignant)
  --sensitivity S    the least share of it to detect                (0.9)
  --size N           height and width that images are resized to    (32)
  --epochs N         most epochs; training stops early              (20)
  --batch N          batch size                                     (32)
  --seed N           seed of images, parts, weights and shuffling   (0)
  --threads N        number of threads                              (PLYWOOD_NUM_THREADS, else all cores)
  --save FILE        writes the predictor, for the example predict
  --json             prints the results as one line of JSON at the end
  --help             shows this help

Three fifths of each class are for training, a fifth for validation, which selects the epoch and the threshold, and a
fifth for the test. All images of a patient should be in the same part: with real data, split by patient.";

fn main() -> Result<()> {
    let mut args = args::Args::new(HELP);
    let data = args.text("--data").map(PathBuf::from);
    let (skip, json) = (args.flag("--skip-faulty"), args.flag("--json"));
    let (positive, save) = (args.text("--positive"), args.text("--save"));
    let (sensitivity, size): (f64, u32) = (args.number("--sensitivity", 0.9), args.number("--size", 32));
    let (epochs, batch): (usize, usize) = (args.number("--epochs", 20), args.number("--batch", 32));
    let seed: u64 = args.number("--seed", 0);
    plywood::set_threads(args.number("--threads", plywood::threads()))?;
    args.finish();

    let folder = match &data {
        Some(folder) => folder.clone(),
        None => drawn(seed)?,
    };
    let reader = ImageFolder::new(&folder, [size, size]);
    let read = reader.skip_faulty(skip).read()?;
    println!("{read}\n");
    let classes = read.images.class_names().to_vec();
    let positive = match positive {
        None => classes.len() - 1,
        Some(name) => classes.iter().position(|class| *class == name).ok_or_else(|| {
            Error::argument("the class to look for", format!("one of {}", classes.join(", ")), name)
                .help("Name one that has a folder.")
        })?,
    };

    // Each part has the same share of each class, and each class has the same total weight in the loss.
    let parts = parts(read.images.targets(), classes.len(), seed);
    let labels: Vec<usize> = parts[0].iter().map(|&i| read.images.targets()[i]).collect();
    let weights = class_weights(&labels, classes.len())?;
    let of_samples = read.images.targets().iter().map(|&label| weights[label]).collect();
    let images = read.images.weights(of_samples)?;
    let [train, validation, test] = parts.map(|part| Subset::new::<f32>(&images, part));
    let (train, validation, test) = (train?, validation?, test?);

    let mut model = network(size as usize, classes.len(), seed)?;
    println!("{model}\n");
    let start = std::time::Instant::now();
    let history = Trainer::new(CrossEntropy::default(), Adam::default())
        .epochs(epochs)
        .batch_size(batch.min(labels.len()))
        .seed(seed)
        .metric(RocAuc::default())
        .callback(EarlyStopping::patience(6).monitor("val_roc_auc")) // keeps the best epoch
        .fit_with_validation(&mut model, &train, &validation)?;
    let train_seconds = start.elapsed().as_secs_f64();

    // The threshold is chosen on the validation images and evaluated on the test images.
    let (truth, scores) = scores(&model, &validation, positive)?;
    let curve = roc_curve(&truth, &scores, None)?;
    let enough = curve.true_positive_rates.iter().position(|&rate| rate >= sensitivity);
    let threshold = enough.map_or(0.0, |point| curve.thresholds[point]);
    let (truth, scores) = self::scores(&model, &test, positive)?;
    let auc = roc_curve(&truth, &scores, None)?.area();
    println!("\nclass to detect: {}; threshold chosen for a sensitivity of {sensitivity}", classes[positive]);
    println!("test images: ROC AUC {auc:.4}\n");
    println!("threshold  sensitivity  specificity    found   missed   alarms  cleared");
    let mut rates = [(0.0, 0.0); 2];
    for (rate, threshold) in rates.iter_mut().zip([0.5, threshold]) {
        let count = |is: bool, called: bool| {
            let called_so = |score: f32| (f64::from(score) >= threshold) == called;
            truth.iter().zip(&scores).filter(|&(&t, &score)| t == is && called_so(score)).count()
        };
        let counts @ [found, missed, alarms, cleared] =
            [count(true, true), count(true, false), count(false, true), count(false, false)];
        *rate = (found as f64 / (found + missed) as f64, cleared as f64 / (cleared + alarms) as f64);
        print!("{threshold:>9.4}  {:>11.4}  {:>11.4}", rate.0, rate.1);
        println!("{}", counts.map(|count| format!("{count:>9}")).concat());
    }
    if let Some(file) = &save {
        // An answer has the probability of each class. The threshold is not in the file: it is compared with the probability
        // of the class to detect by the program that asks.
        let classes = Classes::named(&classes).top(classes.len());
        let side = size as usize;
        Predictor::new(model).input(Image::rgb(side, side)).output(classes).build()?.save(file)?;
        println!("\nask it: cargo run --example predict -- {file} PHOTO.png");
    }
    if data.is_none() {
        println!("\n(synthetic images: NOT medical images, and not a medical result)");
    }
    if json {
        let report = serde_json::json!({
            "data": data.as_ref().map_or("drawn".into(), |folder| folder.display().to_string()),
            "images": images.len(),
            "skipped": read.skipped.len(),
            "seed": seed,
            "threads": plywood::threads(),
            "epochs": history.epochs.len(),
            "train_seconds": train_seconds,
            "epoch_seconds": history.epochs.iter().map(|epoch| epoch.seconds).collect::<Vec<_>>(),
            "val_roc_auc": history.get("val_roc_auc"),
            "test_roc_auc": auc,
            "threshold": threshold,
            "sensitivity": rates[1].0,
            "specificity": rates[1].1,
            "peak_rss_mb": memory::peak_rss_mb(),
        });
        println!("{report}");
    }
    Ok(())
}

/// Writes the synthetic images to a folder in `target`, and returns it.
fn drawn(seed: u64) -> Result<PathBuf> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target");
    let folder = target.join(format!("lesions/seed-{seed}"));
    println!("NOT medical images: without --data DIR this program generates images of moles, in");
    println!("{}\n", folder.display());
    lesions::draw(&folder, seed).map_err(|error| {
        Error::custom(error).at(folder.display()).help("Check the permission to write there.")
    })?;
    Ok(folder)
}

/// Builds three convolutions, each followed by pooling, and two dense layers.
fn network(size: usize, classes: usize, seed: u64) -> Result<Sequential> {
    Sequential::builder([3, size, size])
        .seed(seed)
        .layer(Conv2d::filters(16, 3).padding(Padding::Same).bias(false))
        .layer(BatchNorm::new())
        .layer(ReLU)
        .layer(MaxPool2d::window(2))
        .layer(Conv2d::filters(32, 3).padding(Padding::Same).bias(false))
        .layer(BatchNorm::new())
        .layer(ReLU)
        .layer(MaxPool2d::window(2))
        .layer(Conv2d::filters(32, 3).padding(Padding::Same).bias(false))
        .layer(BatchNorm::new())
        .layer(ReLU)
        .layer(MaxPool2d::window(2))
        .layer(Flatten)
        .layer(Dense::units(64))
        .layer(ReLU)
        .layer(Dropout::rate(0.4))
        .layer(Dense::units(classes))
        .layer(Softmax)
        .build()
}

/// Returns positions for training, validation and test: three, one and one fifth of each class, drawn by the seed.
fn parts(labels: &[usize], classes: usize, seed: u64) -> [Vec<usize>; 3] {
    let mut parts = [Vec::new(), Vec::new(), Vec::new()];
    for class in 0..classes {
        let mut positions: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] == class).collect();
        Random::seed(seed).child("parts").at(class as u64, 0).shuffle(&mut positions);
        for (i, position) in positions.into_iter().enumerate() {
            parts[[0, 1, 0, 2, 0][i % 5]].push(position);
        }
    }
    parts
}

/// Returns for each sample whether it is positive, and the predicted probability that it is.
fn scores(model: &Sequential, part: &Subset<&Images>, positive: usize) -> Result<(Vec<bool>, Vec<f32>)> {
    let (mut truth, mut scores) = (Vec::new(), Vec::new());
    let mut batch = Batch::<f32, Vec<usize>>::default();
    let positions: Vec<usize> = (0..Dataset::<f32>::len(part)).collect();
    for some in positions.chunks(256) {
        part.read(some, Pass::Evaluate, &mut batch)?;
        let probabilities = model.predict(&batch.inputs[0])?;
        scores.extend(probabilities.outer_iter().map(|row| row[[positive]]));
        truth.extend(batch.target.iter().map(|&label| label == positive));
    }
    Ok((truth, scores))
}
