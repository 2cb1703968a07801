//! Two inputs and two outputs: the kind of a garment and its height, from a photo and a row of facts.
//!
//! ```sh
//! cargo run --example two_inputs                                   # less than a minute
//! cargo run --example two_inputs -- --report two_inputs.html       # also writes a page with pictures
//! cargo run --example two_inputs -- --network two_inputs.svg       # also draws the network
//! ```
//!
//! The photos are those of Fashion-MNIST, or synthetic ones if no host can be reached. The facts are drawn, so this is no
//! real catalogue: each photo has a random scale, in centimetres per pixel, and each garment a random weight around a
//! typical one of its kind. The height is the number of rows that the garment covers in the photo, times the scale. A
//! third of the heights is missing. So both outputs need both inputs. To show it, the program trains the same network
//! twice more: with the same facts for all garments, and with black photos.

use plywood::ErrorKind;
use plywood::data::{Images, synthetic};
use plywood::metrics::ConfusionMatrix;
use plywood::ndarray::{Array2, Array3, s};
use plywood::plot::Report;
use plywood::prelude::*;
use plywood::train::Evaluation;

#[path = "support/args.rs"]
mod args;
#[path = "support/memory.rs"]
mod memory;

const HELP: &str = "\
Trains a network that predicts the kind and the height of a garment from a photo and a row of facts. For comparison, the
same network is trained without the facts and without the photos.

usage: cargo run --example two_inputs -- [OPTIONS]

  --images N      photos to train with, a fifth of them for validation  (5000)
  --epochs N      passes over the data, at most                         (20)
  --seed N        seed of facts, weights, split and shuffling           (0)
  --threads N     number of threads                                     (PLYWOOD_NUM_THREADS, else all cores)
  --network FILE  draws the network, as SVG or PNG
  --report FILE   writes an HTML page with the results
  --json          prints the results as one line of JSON at the end
  --help          shows this help

Data: the folder FASHION_MNIST_DIR if it is set, else the cache folder, else a download from the official host
(or FASHION_MNIST_URL). If no host can be reached, the program prints a warning and uses synthetic images.";

/// The number of test photos.
const TEST: usize = 1_000;

/// The typical weight of each kind in grams, in the order of the classes: guesses.
const WEIGHTS: [f64; 10] = [160.0, 450.0, 380.0, 300.0, 1100.0, 500.0, 230.0, 750.0, 600.0, 1200.0];

/// Inputs and targets, row by row.
#[derive(Clone)]
struct Garments {
    photos: Array3<u8>,
    /// The scale of the photo in centimetres per pixel, and the weight of the garment in grams.
    facts: Array2<f32>,
    kinds: Vec<usize>,
    /// In metres; NaN where it is missing.
    heights: Array2<f32>,
}

/// A trained network and its results.
struct Run {
    model: Graph,
    normalizer: Normalizer,
    history: History,
    scores: Evaluation,
}

fn main() -> Result<()> {
    let mut args = args::Args::new(HELP);
    let (images, epochs) = (args.number("--images", 5_000), args.number("--epochs", 20));
    let (seed, threads) = (args.number("--seed", 0), args.number("--threads", plywood::threads()));
    let (network, report, json) = (args.text("--network"), args.text("--report"), args.flag("--json"));
    args.finish();
    plywood::set_threads(threads)?;

    let (train, test, drawn) = load(images, seed)?;
    let (train, test) = (garments(&train, images, "train", seed), garments(&test, TEST, "test", seed));
    println!("{} garments to train with, {} for the test", train.kinds.len(), test.kinds.len());
    println!("scales, weights and heights are drawn; a third of the heights is missing\n");
    let all = run(&train, &test, epochs, seed, Progress::default())?;
    println!("\n{}\n", all.model);
    println!("training without the facts, and without the photos ...");
    let photo = run(&train.without_facts(), &test.without_facts(), epochs, seed, Progress::Silent)?;
    let facts = run(&train.without_photos(), &test.without_photos(), epochs, seed, Progress::Silent)?;

    // A report is of one output, and so of one target.
    let data = all.normalizer.apply_on("facts", test.data()?);
    let kinds = OneTarget::classes("kind", &data)?;
    let matrix = evaluate::confusion_matrix(&all.model.output("kind")?, &kinds)?;
    println!("\n{}\n", matrix.report());
    let runs = [("photo and facts", &all), ("photo alone", &photo), ("facts alone", &facts)];
    println!("{:<16} {:>13} {:>20}", "test garments", "kind accuracy", "height error in cm");
    for (name, run) in runs {
        println!("{name:<16} {:13.3} {:20.1}", run.accuracy(), run.error());
    }
    show_predictions(&all, &test)?;
    let source = if drawn { "synthetic photos, NOT Fashion-MNIST" } else { "Fashion-MNIST" };
    println!("\ndata: {source}, with drawn facts");

    if let Some(file) = network {
        plot::network(&all.model)?.save(file)?;
    }
    if let Some(file) = report {
        page(source, &runs, &matrix)?.save(file)?;
    }
    if json {
        let report = serde_json::json!({
            "data": if drawn { "drawn" } else { "fashion-mnist, with drawn facts" },
            "seed": seed,
            "threads": plywood::threads(),
            "epochs": all.history.epochs.len(),
            "train_seconds": all.history.seconds(),
            "models": runs.map(|(name, _)| name),
            "test_accuracy": runs.map(|(_, run)| run.accuracy()),
            "test_height_error_cm": runs.map(|(_, run)| run.error()),
            "peak_rss_mb": memory::peak_rss_mb(),
        });
        println!("{report}");
    }
    Ok(())
}

impl Run {
    /// Returns the accuracy of the kinds over the test garments.
    fn accuracy(&self) -> f64 {
        self.scores.get("kind_accuracy").unwrap_or(f64::NAN)
    }

    /// Returns the mean absolute error of the heights over the test garments with a height, in centimetres.
    fn error(&self) -> f64 {
        100.0 * self.scores.get("height_mean_absolute_error").unwrap_or(f64::NAN)
    }
}

impl Garments {
    /// Returns the garments as data for two inputs and two outputs.
    fn data(&self) -> Result<Arrays<f32, TargetArrays>> {
        let targets = TargetArrays::new()
            .classes("kind", self.kinds.clone())
            .class_names(synthetic::CLASS_NAMES)
            .numbers("height", self.heights.clone())
            .nan_is_missing();
        let photos = Arrays::builder().input("photo", self.photos.clone()).scale(1.0 / 255.0);
        photos.input("facts", self.facts.clone()).targets(targets)
    }

    /// Returns the garments with the same facts for all, from which nothing can be learned.
    fn without_facts(&self) -> Self {
        Self { facts: Array2::ones(self.facts.dim()), ..self.clone() }
    }

    /// Returns the garments with black photos.
    fn without_photos(&self) -> Self {
        Self { photos: Array3::zeros(self.photos.dim()), ..self.clone() }
    }
}

/// Trains a network, with a fifth of the garments for validation, and evaluates it on the test garments.
fn run(garments: &Garments, test: &Garments, epochs: usize, seed: u64, progress: Progress) -> Result<Run> {
    let (data, test) = (garments.data()?, test.data()?);
    let (train, validation) = random_split(&data, 0.2, seed)?;
    let normalizer = Normalizer::standard().fit_on("facts", &train)?; // on the training part alone
    let train = normalizer.apply_on("facts", train);
    let train = Augmented::on("photo", train, Augment::seed(seed).flip_horizontal(true))?;
    let (validation, test) = (normalizer.apply_on("facts", validation), normalizer.apply_on("facts", test));

    let mut model = network(seed)?;
    // The errors of heights are in metres, so their squares are small.
    let losses = Losses::of("kind", CrossEntropy::default()).and("height", MeanSquaredError, 10.0);
    let mut trainer = Trainer::new(losses, Adam::default())
        .epochs(epochs)
        .seed(seed)
        .metric(On::classes("kind", Accuracy::default()))
        .metric(On::numbers("height", MAE::default()))
        .callback(EarlyStopping::patience(4).monitor("val_kind_accuracy"))
        .progress(progress);
    let history = trainer.fit_with_validation(&mut model, &train, &validation)?;
    let scores = trainer.evaluate(&model, &test)?;
    Ok(Run { model, normalizer, history, scores })
}

/// Builds the network: convolutions for the photo, a dense layer for the facts, and both together for the kind.
fn network(seed: u64) -> Result<Graph> {
    let g = Graph::builder().seed(seed);
    let (photo, facts) = (g.input("photo", [28, 28]), g.input("facts", [2]));
    let seen = photo
        .layer(Reshape::to([1, 28, 28])) // channels first; grey images have one
        .layer(Conv2d::filters(8, 3).padding(Padding::Same))
        .layer(ReLU)
        .layer(MaxPool2d::window(2))
        .layer(Conv2d::filters(16, 3).padding(Padding::Same))
        .layer(ReLU)
        .layer(MaxPool2d::window(2))
        .layer(Flatten)
        .layer(Dense::units(48))
        .layer(ReLU);
    let known = facts.layer(Dense::units(16)).layer(ReLU);
    g.output("kind", seen.concat(&[known], -1).layer(Dense::units(10)).layer(Softmax));
    // The height is a number of pixels times a scale. The factor of the facts is 1 plus what is learned, so that at first
    // it is not close to 0, where both factors would learn slowly.
    let (rows, scale) =
        (seen.layer_named("rows", Dense::units(1)), facts.layer_named("scale", Dense::units(1)));
    g.output("height", rows * (1.0 + scale));
    g.build()
}

/// Draws facts and heights for the first photos.
fn garments(photos: &Images, count: usize, part: &str, seed: u64) -> Garments {
    let count = count.min(photos.len());
    let kinds = photos.targets()[..count].to_vec();
    let photos = photos.inputs().slice(s![..count, .., ..]).to_owned();
    let place = Random::seed(seed).child("facts").child(part);
    let (mut facts, mut heights) = (Array2::zeros((count, 2)), Array2::zeros((count, 1)));
    for (i, photo) in photos.outer_iter().enumerate() {
        let mut draws = place.at(0, i as u64);
        let scale = draws.uniform(1.0, 4.0);
        let rows = photo.outer_iter().filter(|row| row.iter().any(|&pixel| pixel > 50)).count();
        facts[[i, 0]] = scale as f32;
        facts[[i, 1]] = (WEIGHTS[kinds[i]] * (0.2 * draws.normal()).exp()) as f32;
        heights[[i, 0]] =
            if draws.unit() < 1.0 / 3.0 { f32::NAN } else { (rows as f64 * scale / 100.0) as f32 };
    }
    Garments { photos, facts, kinds, heights }
}

/// Prints the predictions for the first test garments.
fn show_predictions(run: &Run, test: &Garments) -> Result<()> {
    let photos = test.photos.slice(s![..6, .., ..]).mapv(|pixel| f32::from(pixel) / 255.0);
    let facts = run.normalizer.transform(test.facts.slice(s![..6, ..]).to_owned().into_dyn())?;
    let predictions = run.model.predict_named(Inputs::of("facts", &facts).and("photo", &photos))?;
    let (kinds, heights) = (predictions.classes("kind")?, predictions.get("height")?);
    let name = |kind: usize| synthetic::CLASS_NAMES[kind];
    println!("\nfirst test garments: predicted and true kind, predicted and true height in cm");
    for (i, kind) in kinds.into_iter().enumerate() {
        let truth = test.heights[[i, 0]];
        let truth = if truth.is_nan() { "missing".to_owned() } else { format!("{:.0}", 100.0 * truth) };
        let (of, height) = (test.kinds[i], 100.0 * heights[[i, 0]]);
        println!("  {:<12} {:<12} {height:6.0} {truth:>8}", name(kind), name(of));
    }
    Ok(())
}

/// Makes a page with the results, the network and the training.
fn page(source: &str, runs: &[(&str, &Run)], matrix: &ConfusionMatrix) -> Result<Report> {
    let (_, all) = runs[0];
    let row = |(name, run): &(&str, &Run)| {
        [(*name).to_owned(), format!("{:.3}", run.accuracy()), format!("{:.1}", run.error())]
    };
    let rows: Vec<[String; 3]> = runs.iter().map(row).collect();
    Ok(Report::new("Two inputs and two outputs")
        .text(format!("The photos are {source}. Scales, weights and heights are drawn; a third of the heights is missing."))
        .table(&["model", "kind accuracy", "height error in cm"], &rows)
        .heading("Network")
        .picture("", &plot::network(&all.model)?)
        .heading("Training")
        .picture("The weights with the best accuracy on the validation part were kept.", &plot::history(&all.history)?)
        .heading("Kinds")
        .picture("Rows are true kinds, columns predicted ones.", &plot::confusion_matrix(matrix)?)
        .picture("", &plot::class_scores(&matrix.report())?))
}

/// Loads the real images; synthetic ones if no host can be reached, and only then. The flag is true for synthetic ones.
fn load(images: usize, seed: u64) -> Result<(Images, Images, bool)> {
    match datasets::fashion_mnist() {
        Ok((train, test)) => Ok((train, test, false)),
        Err(error) if matches!(error.kind(), ErrorKind::Download { unreachable: true, .. }) => {
            println!("{error}\n\nNOT Fashion-MNIST: continuing with synthetic images of clothing.\n");
            let (train, test) = synthetic::garments(images, TEST, seed)?;
            Ok((train, test, true))
        }
        Err(error) => Err(error),
    }
}
