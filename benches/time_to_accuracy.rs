//! Seconds of training until a network of dense layers reaches an accuracy of 0.88, 0.89 and 0.90 on Fashion-MNIST's
//! test images.
//!
//! ```sh
//! cargo bench -p plywood-benches --bench time_to_accuracy -- --threads 1 --seeds 5
//! ```
//!
//! Each of the three accuracies has its own recipe, in `RECIPES`. For each seed, the network is trained and evaluated
//! on the test images every half epoch, until it first reaches the accuracy. The seconds include everything in
//! training (shuffling, reading batches, steps), but not loading, building the network and evaluation. The learning
//! rate falls to 0 along half a cosine over the planned epochs, whenever the run stops. A run that ends without
//! reaching the accuracy counts as slower than any other in the median, which is `null` if it falls on such a run.
//!
//! **The recipes and the stopping time were chosen by the accuracy on these test images.** So this is a benchmark of
//! speed and says nothing about the accuracy of such a network on unseen images.
//!
//! It needs the real Fashion-MNIST, from the folder `FASHION_MNIST_DIR` or the cache; without it, the program prints
//! a message and ends. One line of JSON is printed for each accuracy.

use plywood::data::Images;
use plywood::optim::CosineDecay;
use plywood::prelude::*;
use plywood::train::accumulate;
use serde_json::json;
use std::time::{Duration, Instant};

const USAGE: &str =
    "usage: cargo bench -p plywood-benches --bench time_to_accuracy -- [--threads N] [--seeds N]";

/// A network `784-hidden-10` with SiLU, and its training settings: AdamW, He initialization, inputs of mean 0 and
/// standard deviation 1.
struct Recipe {
    /// The test accuracy to reach.
    accuracy: f64,
    hidden: &'static [usize],
    /// The dropout rate behind each hidden layer; 0 for none.
    dropout: f64,
    batch: usize,
    /// The learning rate of the first step; it is 0 after the last.
    rate: f64,
    decay: f64,
    epochs: usize,
}

const RECIPES: [Recipe; 3] = [
    Recipe { accuracy: 0.88, hidden: &[128], dropout: 0.0, batch: 64, rate: 2e-3, decay: 0.0, epochs: 3 },
    Recipe {
        accuracy: 0.89,
        hidden: &[256, 128],
        dropout: 0.0,
        batch: 128,
        rate: 2e-3,
        decay: 0.0,
        epochs: 5,
    },
    Recipe {
        accuracy: 0.90,
        hidden: &[512, 256],
        dropout: 0.3,
        batch: 128,
        rate: 1e-3,
        decay: 0.05,
        epochs: 14,
    },
];

/// Mean and standard deviation of the training images' pixels, as numbers from 0 to 1.
const MEAN: f64 = 0.286;
const DEVIATION: f64 = 0.353;

fn main() -> Result<()> {
    let Some(seeds) = options() else {
        eprintln!("{USAGE}");
        std::process::exit(2);
    };
    let (train, test) = match datasets::fashion_mnist() {
        Ok(images) => images,
        Err(error) => {
            println!("This needs the real Fashion-MNIST: set FASHION_MNIST_DIR to its folder. ({error})");
            return Ok(());
        }
    };
    let standard = |images: Images| images.scale(1.0 / (255.0 * DEVIATION)).offset(-MEAN / DEVIATION);
    let (train, test) = (standard(train), standard(test));
    for recipe in &RECIPES {
        let runs = (0..seeds).map(|seed| recipe.run(seed, &train, &test)).collect::<Result<Vec<_>>>()?;
        let mut sorted: Vec<f64> = runs.iter().map(|run| run.unwrap_or(f64::INFINITY)).collect();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        let line = json!({
            "accuracy": recipe.accuracy,
            "recipe": recipe.words(),
            "threads": plywood::threads(),
            "seconds": runs,
            "median_seconds": (low + high) / 2.0, // `null` for infinity, which JSON does not have
            "seeds": seeds,
            "reached": runs.iter().flatten().count(),
            "version": env!("CARGO_PKG_VERSION"),
        });
        println!("{line}");
    }
    Ok(())
}

/// Parses the options and returns the number of seeds; `None` if they are invalid. `cargo bench` itself adds `--bench`.
fn options() -> Option<u64> {
    let mut seeds = 5;
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    while let Some(name) = args.next() {
        let value = args.next()?;
        match name.as_str() {
            "--threads" => plywood::set_threads(value.parse().ok()?).ok()?,
            "--seeds" => seeds = value.parse().ok().filter(|&seeds| seeds > 0)?,
            _ => return None,
        }
    }
    Some(seeds)
}

impl Recipe {
    fn words(&self) -> String {
        let Self { hidden, dropout, batch, rate, decay, epochs, .. } = self;
        let hidden: Vec<String> = hidden.iter().map(usize::to_string).collect();
        format!(
            "784-{}-10, SiLU, He normal, inputs standardized, dropout {dropout}, batch {batch}, AdamW with decay \
             {decay}, rate {rate} down to 0 by a cosine over {epochs} epochs",
            hidden.join("-")
        )
    }

    fn network(&self, seed: u64) -> Result<Sequential> {
        let mut builder = Sequential::builder([28, 28]).seed(seed).layer(Flatten);
        for &units in self.hidden {
            builder = builder.layer(Dense::units(units).initializer(Initializer::HeNormal)).layer(SiLU);
            if self.dropout > 0.0 {
                builder = builder.layer(Dropout::rate(self.dropout));
            }
        }
        builder.layer(Dense::units(10)).layer(Softmax).build()
    }

    /// Returns the seconds of training until the accuracy was reached; `None` if it was not.
    fn run(&self, seed: u64, train: &Images, test: &Images) -> Result<Option<f64>> {
        let mut model = self.network(seed)?;
        let per_epoch = train.len().div_ceil(self.batch);
        let schedule = CosineDecay { start: self.rate, steps: (per_epoch * self.epochs) as u64 };
        let rule = AdamW::default().weight_decay(self.decay);
        let mut optimizer = Optimizer::new(rule).learning_rate(schedule);
        let random = Random::seed(seed).child("shuffle");
        let mut batch = Batch::default();
        let mut spent = Duration::ZERO;
        for epoch in 0..self.epochs as u64 {
            let mut start = Instant::now();
            let mut order: Vec<usize> = (0..train.len()).collect();
            random.at(epoch, 0).shuffle(&mut order);
            for (number, indices) in (1..).zip(order.chunks(self.batch)) {
                train.read(indices, Pass::Train { epoch }, &mut batch)?;
                let input = batch.take_input();
                accumulate(&mut model, &CrossEntropy::default(), input, &batch.target, None)?;
                optimizer.step(&mut model)?;
                if number == per_epoch / 2 || number == per_epoch {
                    spent += start.elapsed();
                    if accuracy(&model, test)? >= self.accuracy {
                        return Ok(Some(spent.as_secs_f64()));
                    }
                    start = Instant::now();
                }
            }
        }
        Ok(None)
    }
}

fn accuracy(model: &Sequential, test: &Images) -> Result<f64> {
    let (predicted, labels) = evaluate::classes(model, test)?;
    let right = predicted.iter().zip(&labels).filter(|(predicted, label)| predicted == label).count();
    Ok(right as f64 / labels.len() as f64)
}
