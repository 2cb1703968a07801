//! Training loops of one's own over several models: gradients that go from one model to the other.

use plywood::prelude::*;
use plywood::train::{accumulate, input_gradient};

const BATCH: usize = 6;

/// A generator and a discriminator, as graphs.
fn models() -> (Graph<f64>, Graph<f64>) {
    let g = Graph::<f64>::builder_of().seed(1);
    let x = g.input("noise", [3]).layer(Dense::units(5)).layer(Tanh);
    g.output("point", x.layer(Dense::units(2)));
    let generator = g.build().unwrap();
    let g = Graph::<f64>::builder_of().seed(2);
    let x = g.input("point", [2]).layer(Dense::units(7)).layer(SiLU);
    g.output("real", x.layer(Dense::units(1)).layer(Sigmoid));
    (generator, g.build().unwrap())
}

fn noise() -> Tensor<f64> {
    Tensor::from_shape_fn(vec![BATCH, 3], |at| ((at[0] * 5 + at[1] * 3) as f64 * 0.7).sin())
}

/// The gradients of the parameters that are trained, by their names.
fn gradients<M: Parameters<f64>>(model: &M) -> Vec<(String, Vec<f64>)> {
    let mut found = Vec::new();
    model.each_param(&mut |name, param| {
        if let Some(plywood::nn::Gradient::Dense(gradient)) = param.gradient() {
            found.push((name.to_owned(), gradient.iter().copied().collect()));
        }
    });
    found
}

/// The gradients of the generator by its own two halves of a step, and the discriminator's gradient at its input.
fn by_hand(generator: &mut Graph<f64>, discriminator: &Graph<f64>) -> Vec<(String, Vec<f64>)> {
    let mut points = [None];
    let cache = generator.train(&mut [Some(noise())], &[false], &mut points).unwrap();
    let points = points[0].take().unwrap();
    let loss = BinaryCrossEntropy::default();
    let gradient = input_gradient(discriminator, &loss, points, &[1; BATCH][..]).unwrap();
    generator.learn(cache, &mut [Some(gradient / BATCH as f64)]).unwrap();
    gradients(generator)
}

/// The same with `Model::eval` and `Model::input_gradients`, on logits.
fn by_halves(generator: &mut Graph<f64>, discriminator: &Graph<f64>) -> Vec<(String, Vec<f64>)> {
    let mut frozen = discriminator.boxed();
    frozen.freeze("").unwrap();
    let (mut points, mut scores, mut at) = ([None], [None], [None]);
    let cache = generator.train(&mut [Some(noise())], &[false], &mut points).unwrap();
    let judged = frozen.eval(&mut points, &[true], &mut scores).unwrap();
    let (_, gradient) = BinaryCrossEntropy::default()
        .value_and_grad_logits(scores[0].take().unwrap(), &[1; BATCH], None, BATCH as f64)
        .unwrap();
    frozen.input_gradients(judged, &mut [Some(gradient)], &mut at).unwrap();
    generator.learn(cache, &mut at).unwrap();
    gradients(generator)
}

#[test]
fn the_gradient_through_two_models_is_that_of_one_joined_graph() {
    let (mut generator, discriminator) = models();
    let g = Graph::<f64>::builder_of();
    let [points] = g.include("generator", &generator, [g.input("noise", [3])]);
    let [real] = g.include("discriminator", &discriminator, [points]);
    g.output("real", real);
    let mut joined = g.build().unwrap();
    joined.freeze("discriminator").unwrap();
    accumulate(&mut joined, &BinaryCrossEntropy::default(), noise(), &[1; BATCH][..], None).unwrap();
    let expected = gradients(&joined);
    assert_eq!(expected.len(), 4);

    let twice = (by_hand(&mut generator.clone(), &discriminator), by_halves(&mut generator, &discriminator));
    for found in [twice.0, twice.1] {
        for ((name, found), (joined, expected)) in found.iter().zip(&expected) {
            assert_eq!(format!("generator.{name}"), *joined);
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-14, "{name}: {found} {expected}");
            }
        }
        assert_eq!(found.len(), expected.len());
    }
    assert!(gradients(&discriminator).is_empty());
}

#[test]
fn the_gradient_through_two_models_agrees_with_differences() {
    let (mut generator, discriminator) = models();
    let found = by_hand(&mut generator, &discriminator);
    let value = |generator: &Graph<f64>| {
        let real = discriminator.predict(&generator.predict(&noise()).unwrap()).unwrap();
        -real.iter().map(|p| p.ln()).sum::<f64>() / BATCH as f64
    };
    let h = 1e-6;
    for (name, gradient) in &found {
        for (i, gradient) in gradient.iter().enumerate() {
            let moved = |by: f64| {
                let mut copy = generator.clone();
                copy.each_param_mut(&mut |other, param| {
                    if other == name {
                        param.as_slice_mut()[i] += by;
                    }
                });
                value(&copy)
            };
            let difference = (moved(h) - moved(-h)) / (2.0 * h);
            assert!((gradient - difference).abs() < 1e-9, "{name} {i}: {gradient} {difference}");
        }
    }
}
