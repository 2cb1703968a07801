//! A generative adversarial network: two models, two optimizers, and a gradient that goes from one to the other.
//!
//! The real points are eight small clouds on a ring. The discriminator learns which points are real. The generator
//! learns to make points that the discriminator takes for real (Goodfellow et al., "Generative adversarial nets",
//! 2014).

use plywood::prelude::*;
use plywood::train::{accumulate, input_gradient};
use std::f64::consts::TAU;

/// The number of clouds, the radius of the ring, and the standard deviation of a cloud.
const CLOUDS: usize = 8;
const RADIUS: f64 = 2.0;
const DEVIATION: f64 = 0.15;

/// The numbers that the generator makes a point of.
const NOISE: usize = 8;
const BATCH: usize = 128;
const STEPS: u64 = 8000;

/// The centre of a cloud.
fn centre(cloud: usize) -> [f64; 2] {
    let angle = TAU * cloud as f64 / CLOUDS as f64;
    [RADIUS * angle.cos(), RADIUS * angle.sin()]
}

/// Draws real points: the clouds are equally frequent.
fn real_points(random: &Random, step: u64) -> Tensor {
    let mut points = Tensor::zeros(vec![BATCH, 2]);
    for (i, mut point) in points.outer_iter_mut().enumerate() {
        let mut draws = random.at(step, i as u64);
        let centre = centre(draws.below(CLOUDS));
        for axis in 0..2 {
            point[axis] = (centre[axis] + DEVIATION * draws.normal()) as f32;
        }
    }
    points
}

/// Draws the inputs of the generator.
fn noise(random: &Random, step: u64, samples: usize) -> Tensor {
    let mut draws = random.at(step, 0);
    Tensor::from_shape_simple_fn(vec![samples, NOISE], || draws.normal() as f32)
}

fn generator() -> Result<Sequential> {
    Sequential::builder([NOISE])
        .seed(1)
        .layer(Dense::units(128))
        .layer(ReLU)
        .layer(Dense::units(128))
        .layer(ReLU)
        .layer(Dense::units(2))
        .build()
}

fn discriminator() -> Result<Sequential> {
    Sequential::builder([2])
        .seed(2)
        .layer(Dense::units(128))
        .layer(LeakyReLU::slope(0.2))
        .layer(Dense::units(128))
        .layer(LeakyReLU::slope(0.2))
        .layer(Dense::units(1))
        .layer(Sigmoid)
        .build()
}

/// Runs the forward and the backward pass of the generator, and returns its points. Its loss is small where the
/// discriminator takes the points for real.
fn accumulate_generator(
    generator: &mut Sequential,
    discriminator: &Sequential,
    noise: Tensor,
) -> Result<Tensor> {
    let mut outputs = [None];
    let cache = generator.train(&mut [Some(noise)], &[false], &mut outputs)?;
    let points = outputs[0].take().expect("an output");
    // Each row is the gradient of its own sample's loss. The loss of a step is their mean.
    let loss = BinaryCrossEntropy::default();
    let gradient = input_gradient(discriminator, &loss, points.clone(), &[1; BATCH][..])?;
    generator.learn(cache, &mut [Some(gradient / BATCH as f32)])?;
    Ok(points)
}

/// The share of points within three standard deviations of a centre, and the number of clouds that have at least a
/// quarter of their part of the points. The share is 0.99 for real points, and 0.57 for points anywhere on the ring.
fn score(generator: &Sequential, random: &Random) -> Result<(f64, usize)> {
    let samples = 4000;
    let points = generator.predict(&noise(random, 0, samples))?;
    let mut counts = [0; CLOUDS];
    for point in points.outer_iter() {
        for (cloud, count) in counts.iter_mut().enumerate() {
            let [x, y] = centre(cloud);
            let distance = (f64::from(point[0]) - x).hypot(f64::from(point[1]) - y);
            *count += usize::from(distance < 3.0 * DEVIATION);
        }
    }
    let near = counts.iter().sum::<usize>() as f64 / samples as f64;
    Ok((near, counts.iter().filter(|&&count| count >= samples / CLOUDS / 4).count()))
}

fn main() -> Result<()> {
    let (mut generator, mut discriminator) = (generator()?, discriminator()?);
    // Without momentum of the gradient (the first beta), as the other model changes its direction all the time.
    let adam = |rate: f64| Optimizer::new(Adam::default().betas(0.0, 0.999)).learning_rate(rate);
    let (mut of_generator, mut of_discriminator) = (adam(5e-4), adam(1e-3));
    let loss = BinaryCrossEntropy::default();
    let random = Random::seed(7);
    let [reals, noises, tests] = ["real", "noise", "test"].map(|part| random.child(part));

    let report = |step: u64, generator: &Sequential| -> Result<()> {
        let (near, clouds) = score(generator, &tests)?;
        println!("step {step:4}  near a cloud: {:5.1} %  clouds found: {clouds} of {CLOUDS}", 100.0 * near);
        Ok(())
    };
    report(0, &generator)?;
    for step in 0..STEPS {
        let points = accumulate_generator(&mut generator, &discriminator, noise(&noises, step, BATCH))?;
        of_generator.step(&mut generator)?;
        // Two batches with different labels make one step: their gradients become the mean over all samples.
        accumulate(&mut discriminator, &loss, real_points(&reals, step), &[1; BATCH][..], None)?;
        accumulate(&mut discriminator, &loss, points, &[0; BATCH][..], None)?;
        of_discriminator.step(&mut discriminator)?;
        if (step + 1) % (STEPS / 4) == 0 {
            report(step + 1, &generator)?;
        }
    }
    Ok(())
}
