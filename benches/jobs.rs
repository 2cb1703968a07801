//! Whole training and inference jobs, measured in the same way as the programs for other libraries. The result is one
//! line of JSON.
//!
//! ```sh
//! cargo bench -p plywood-benches --bench jobs -- --job seed --threads 1
//! ```
//!
//! | job | network | what is measured |
//! |---|---|---|
//! | `seed` | 784-128-10, batch 32, Adam, 48,000 samples | 10 epochs, each with the accuracy on 12,000 others |
//! | `graph` | the same as a `Graph` of layers | the same |
//! | `mlp` | 784-2048-2048-10, batch 256, Adam, 12,000 samples | 2 epochs, then one more |
//! | `cnn` | Conv 32, pool, Conv 64, pool, Dense 128 (3 x 3, same padding), batch 64, Adam, 6,000 samples | an epoch, then one more |
//! | `text` | EmbeddingBag 20,000 x 128 (mean), Dense, batch 64, Adam, texts of up to 64 words | 2 epochs, and one more |
//! | `infer` | 784-128-10 with softmax | one sample, 10,000 times; 10,000 samples at once |
//!
//! The times include shuffling, but not loading the data. The data are the real Fashion-MNIST if the folder
//! `FASHION_MNIST_DIR` or the cache has it, else synthetic images; the line of JSON says which. To compare libraries,
//! run the programs in turn on one machine, with one thread bound to one core (`taskset -c 1`), and take the medians.
//!
//! The texts come from `--csv FILE`, with the columns `label` and `text`, and need the feature `csv`.

use plywood::data::{Images, Subset, synthetic};
use plywood::ndarray::{Array2, ArrayD, Axis};
use plywood::prelude::*;
use serde_json::json;
use std::hint::black_box;
use std::time::Instant;

#[path = "../examples/support/memory.rs"]
mod memory;

const USAGE: &str = "\
usage: cargo bench -p plywood-benches --bench jobs -- [--job seed|graph|mlp|cnn|text|infer] [--threads N] [--epochs N] [--seed N] [--csv FILE]";

struct Options {
    job: String,
    epochs: Option<usize>,
    seed: u64,
    csv: Option<String>,
}

fn main() -> Result<()> {
    let Some(options) = options() else {
        eprintln!("{USAGE}");
        std::process::exit(2);
    };
    let (train, test, data) = match datasets::fashion_mnist() {
        Ok((train, test)) => (train, test, "fashion-mnist"),
        Err(_) => {
            let (train, test) = synthetic::garments(60_000, 10_000, 1)?;
            (train, test, "drawn")
        }
    };
    let mut line = match options.job.as_str() {
        "seed" => seed(&mut network(&[128], options.seed)?, &options, &train, &test)?,
        "graph" => seed(&mut graph(options.seed)?, &options, &train, &test)?,
        "mlp" => mlp(&options, &train, &test)?,
        "cnn" => cnn(&options, &train, &test)?,
        "text" => text(&options)?,
        "infer" => infer(&test)?,
        _ => {
            eprintln!("{USAGE}");
            std::process::exit(2);
        }
    };
    line["peer"] = json!("plywood");
    line["version"] = json!(env!("CARGO_PKG_VERSION"));
    line["job"] = json!(options.job);
    line["data"] = json!(if options.job == "text" { "csv" } else { data });
    line["threads"] = json!(plywood::threads());
    line["peak_rss_mb"] = json!(memory::peak_rss_mb());
    println!("{line}");
    Ok(())
}

/// Parses the options; `None` if they are invalid. `cargo bench` itself adds `--bench`.
fn options() -> Option<Options> {
    let mut options = Options { job: "seed".into(), epochs: None, seed: 0, csv: None };
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    while let Some(name) = args.next() {
        let value = args.next()?;
        match name.as_str() {
            "--job" => options.job = value,
            "--threads" => plywood::set_threads(value.parse().ok()?).ok()?,
            "--epochs" => options.epochs = Some(value.parse().ok()?),
            "--seed" => options.seed = value.parse().ok()?,
            "--csv" => options.csv = Some(value),
            _ => return None,
        }
    }
    Some(options)
}

/// Builds dense layers of these sizes, each followed by ReLU, and ten outputs with softmax.
fn network(sizes: &[usize], seed: u64) -> Result<Sequential> {
    let mut builder = Sequential::builder([28, 28]).seed(seed).layer(Flatten);
    for &units in sizes {
        builder = builder.layer(Dense::units(units)).layer(ReLU);
    }
    builder.layer(Dense::units(10)).layer(Softmax).build()
}

fn trainer(options: &Options, epochs: usize) -> Trainer<CrossEntropy> {
    Trainer::new(CrossEntropy::default(), Adam::default())
        .epochs(options.epochs.unwrap_or(epochs))
        .seed(options.seed)
        .progress(Progress::Silent)
}

/// Builds the network of the job `seed` as a graph.
fn graph(seed: u64) -> Result<Graph> {
    let g = Graph::builder().seed(seed);
    let x = g.input("image", [28, 28]).layer(Flatten).layer(Dense::units(128)).layer(ReLU);
    g.output("class", x.layer(Dense::units(10)).layer(Softmax));
    g.build()
}

fn seed(
    model: &mut dyn Model,
    options: &Options,
    train: &Images,
    test: &Images,
) -> Result<serde_json::Value> {
    let mut trainer = trainer(options, 10).batch_size(32).validation_split(0.2).metric(Accuracy::default());
    let start = Instant::now();
    let history = trainer.fit(model, train)?;
    let seconds = start.elapsed().as_secs_f64();
    let evaluation = trainer.evaluate(model, test)?;
    Ok(json!({
        "epochs": history.epochs.len(),
        "batch": 32,
        "samples": train.len() - train.len() / 5,
        "train_seconds": seconds,
        "epoch_seconds": history.epochs.iter().map(|epoch| epoch.seconds).collect::<Vec<_>>(),
        "val_accuracy": history.last("val_accuracy"),
        "test_accuracy": evaluation.get("accuracy"),
    }))
}

fn mlp(options: &Options, train: &Images, test: &Images) -> Result<serde_json::Value> {
    let data = Subset::new::<f32>(train, (0..train.len().min(12_000)).collect())?;
    timed(network(&[2048, 2048], options.seed)?, trainer(options, 2), &data, Some(test), 256)
}

fn cnn(options: &Options, train: &Images, test: &Images) -> Result<serde_json::Value> {
    let conv = |filters| Conv2d::filters(filters, 3).padding(Padding::Same);
    let model = Sequential::builder([28, 28])
        .seed(options.seed)
        .layer(Reshape::to([1, 28, 28]))
        .layer(conv(32))
        .layer(ReLU)
        .layer(MaxPool2d::window(2))
        .layer(conv(64))
        .layer(ReLU)
        .layer(MaxPool2d::window(2))
        .layer(Flatten)
        .layer(Dense::units(128))
        .layer(ReLU)
        .layer(Dense::units(10))
        .layer(Softmax)
        .build()?;
    let data = Subset::new::<f32>(train, (0..train.len().min(6_000)).collect())?;
    timed(model, trainer(options, 1), &data, Some(test), 64)
}

/// Trains on the first 28,672 texts of a CSV file with the columns `label` and `text`.
#[cfg(feature = "csv")]
fn text(options: &Options) -> Result<serde_json::Value> {
    const VOCABULARY: usize = 20_000;
    const LENGTH: usize = 64;
    let path = options.csv.as_deref().ok_or_else(|| Error::custom("the job text needs --csv FILE"))?;
    let (train, _) = LabelledTexts::read_csv(path, "label", "text")?.split_at(28_672)?;
    let vocabulary = Vocabulary::of(Tokenizer::words()).max_size(VOCABULARY).fit(train.texts())?;
    let data = ArrayDataset::new(vocabulary.encode(train.texts(), LENGTH)?, train.labels().to_vec())?;
    let model = Sequential::builder([LENGTH])
        .seed(options.seed)
        .layer(EmbeddingBag::vocabulary(VOCABULARY, 128).padding(Vocabulary::PADDING))
        .layer(Dense::units(20))
        .layer(Softmax)
        .build()?;
    timed(model, trainer(options, 2), &data, None, 64)
}

#[cfg(not(feature = "csv"))]
fn text(_: &Options) -> Result<serde_json::Value> {
    Err(Error::custom(
        "the job text needs the feature csv: cargo bench -p plywood-benches --features csv --bench jobs",
    ))
}

/// Trains, trains for one more epoch, and tests.
fn timed<D>(
    mut model: Sequential,
    trainer: Trainer<CrossEntropy>,
    data: &D,
    test: Option<&Images>,
    batch: usize,
) -> Result<serde_json::Value>
where
    D: Dataset<Target = Vec<usize>>,
{
    let mut trainer = trainer.batch_size(batch).metric(Accuracy::default());
    let start = Instant::now();
    let history = trainer.fit(&mut model, data)?;
    let seconds = start.elapsed().as_secs_f64();
    let mut trainer = trainer.epochs(1);
    let more = trainer.fit(&mut model, data)?;
    let evaluation = test.map(|test| trainer.evaluate(&model, test)).transpose()?;
    Ok(json!({
        "epochs": history.epochs.len(),
        "batch": batch,
        "samples": Dataset::<f32>::len(data),
        "train_seconds": seconds,
        "epoch_seconds": history.epochs.iter().map(|epoch| epoch.seconds).collect::<Vec<_>>(),
        "steady_epoch_seconds": more.epochs.last().map(|epoch| epoch.seconds),
        "test_accuracy": evaluation.and_then(|evaluation| evaluation.get("accuracy")),
        "loss": more.last("loss"),
    }))
}

fn infer(test: &Images) -> Result<serde_json::Value> {
    let model = network(&[128], 0)?;
    let images: ArrayD<f32> = test.inputs().mapv(|byte| f32::from(byte) / 255.0);
    let samples = images.len_of(Axis(0));
    let (mut one, mut all) = (Array2::zeros((1, 10)), Array2::zeros((samples, 10)));

    // One sample at a time, as a server would: the input is already in a buffer.
    let mut image = images.slice_axis(Axis(0), (..1).into()).to_owned();
    let mut call = |i: usize| -> Result<f64> {
        image.assign(&images.slice_axis(Axis(0), (i..i + 1).into()));
        let start = Instant::now();
        model.predict_into(black_box(&image), &mut one)?;
        Ok(start.elapsed().as_secs_f64() * 1e6)
    };
    (0..500).try_for_each(|i| call(i % samples).map(drop))?;
    let mut micros = (0..10_000).map(|i| call(i % samples)).collect::<Result<Vec<_>>>()?;
    micros.sort_by(f64::total_cmp);

    let mut times = Vec::new();
    for i in 0..30 {
        let start = Instant::now();
        model.predict_into(black_box(&images), &mut all)?;
        if i >= 5 {
            times.push(start.elapsed().as_secs_f64());
        }
    }
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    Ok(json!({
        "batch1_median_us": micros[micros.len() / 2],
        "batch1_p99_us": micros[micros.len() * 99 / 100],
        "batch10000_ms": median * 1e3 * 10_000.0 / samples as f64,
        "batch10000_samples_per_s": samples as f64 / median,
        "best_samples_per_s": samples as f64 / times[0],
    }))
}
