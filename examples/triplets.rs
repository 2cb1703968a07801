//! A siamese network: one tower for three inputs, and an output that is its own loss.
//!
//! The network learns that two garments of a class are nearer to each other than to one of another class (Schroff,
//! Kalenichenko and Philbin, "FaceNet", 2015). The features are tested by the nearest neighbours of test images.

use plywood::data::synthetic;
use plywood::ndarray::{Array3, Axis};
use plywood::prelude::*;

const CLASSES: usize = synthetic::CLASS_NAMES.len();
const TRIPLETS: usize = 24_000;
const EPOCHS: usize = 10;
/// The numbers of an embedding.
const FEATURES: usize = 16;
/// The distance by which an image of another class has to be farther away.
const MARGIN: f64 = 0.5;

/// The embeddings' squared distance.
fn distance<'g>(a: Value<'g>, b: Value<'g>) -> Value<'g> {
    (a - b).square().sum(-1)
}

/// Builds the network, with the anchor's embedding as an output. The tower is one layer, which is applied to all
/// three inputs with the same parameters.
fn network() -> Result<Graph> {
    let g = Graph::builder().seed(1);
    let images = ["anchor", "like", "unlike"].map(|name| g.input(name, [28, 28]));
    let tower =
        Sequential::block().layer(Flatten).layer(Dense::units(128)).layer(ReLU).layer(Dense::units(FEATURES));
    let [anchor, like, unlike] = g.shared(tower, images);
    g.output("embedding", anchor);
    g.output("triplet", (distance(anchor, like) - distance(anchor, unlike) + MARGIN).relu());
    g.build()
}

/// Draws triplets of images: an anchor, another image of its class, and one of another class.
fn triplets(images: &Array3<u8>, labels: &[usize], random: &Random) -> Result<Arrays<f32, ()>> {
    let of_class = |class| (0..labels.len()).filter(|&i| labels[i] == class).collect::<Vec<_>>();
    let classes: Vec<Vec<usize>> = (0..CLASSES).map(of_class).collect();
    let mut columns = [const { Vec::new() }; 3];
    for triplet in 0..TRIPLETS {
        let mut draws = random.at(0, triplet as u64);
        let class = draws.below(CLASSES);
        let other = (class + 1 + draws.below(CLASSES - 1)) % CLASSES;
        for (column, class) in columns.iter_mut().zip([class, class, other]) {
            column.push(classes[class][draws.below(classes[class].len())]);
        }
    }
    let mut arrays = Arrays::builder();
    for (name, column) in ["anchor", "like", "unlike"].into_iter().zip(&columns) {
        arrays = arrays.input(name, images.select(Axis(0), column)).scale(1.0 / 255.0);
    }
    arrays.targets(()) // the loss reads none
}

/// The share of samples whose nearest other sample has the same label.
fn neighbours_agree(samples: &Tensor, labels: &[usize]) -> f64 {
    let samples: Vec<_> = samples.outer_iter().collect();
    let distance =
        |i: usize, j: usize| samples[i].iter().zip(&samples[j]).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
    let agree = |i: usize| {
        let others = (0..samples.len()).filter(|&j| j != i).map(|j| (distance(i, j), labels[j]));
        others.min_by(|a, b| a.0.total_cmp(&b.0)).is_some_and(|(_, label)| label == labels[i])
    };
    (0..samples.len()).filter(|&i| agree(i)).count() as f64 / samples.len() as f64
}

/// The anchor's part of the network: `with_outputs` leaves out what the output does not depend on.
fn embeddings(network: &Graph, images: &Tensor) -> Result<Tensor> {
    network.with_outputs(&[("embedding", "embedding")])?.predict(images)
}

fn main() -> Result<()> {
    let (train, test) = synthetic::garments(12_000, 1000, 1)?;
    let images = train.inputs().clone().into_dimensionality().expect("[samples, 28, 28]");
    let data = triplets(&images, train.targets(), &Random::seed(3))?;
    let (pixels, labels) = (test.inputs().mapv(|byte| f32::from(byte) / 255.0), test.targets());

    let mut network = network()?;
    let untrained = embeddings(&network, &pixels)?;
    let loss = Losses::of("triplet", OutputLoss).without_loss("embedding");
    let mut trainer = Trainer::new(loss, Adam::default()).epochs(EPOCHS).progress(Progress::Silent);
    for (number, epoch) in trainer.fit(&mut network, &data)?.epochs.iter().enumerate() {
        println!("epoch {:2}  loss {:.4}", number + 1, epoch.get("loss").unwrap_or(f64::NAN));
    }

    println!("the share of test images whose nearest neighbour is of the same class");
    println!("by {} pixels: {:.3}", 28 * 28, neighbours_agree(&pixels, labels));
    println!("by {FEATURES} features, not trained: {:.3}", neighbours_agree(&untrained, labels));
    let trained = embeddings(&network, &pixels)?;
    println!("by {FEATURES} features, trained: {:.3}", neighbours_agree(&trained, labels));
    Ok(())
}
