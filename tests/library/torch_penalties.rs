//! Agreement with Keras' regularizers and PyTorch's `renorm` in f64, to 1e-9 over 20 batches. The network has an
//! embedding, a convolution and dense layers, so there are gradients by rows, dense gradients, and products.
//!
//! The reference values are in torch/penalties.json. torch/penalties.py generated them, and describes how to regenerate
//! them.

use crate::reference::{self, numbers, tensor};
use plywood::ndarray::Array2;
use plywood::optim::{Averaging, Group};
use plywood::prelude::*;
use plywood::train::accumulate;
use serde_json::Value;
use std::sync::LazyLock;

static REFERENCE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../torch/penalties.json")).expect("JSON"));

fn network() -> Sequential<f64> {
    let mut model = Sequential::<f64>::builder_of([3])
        .layer(Embedding::vocabulary(12, 4))
        .layer(Reshape::to([1, 3, 4]))
        .layer(Conv2d::filters(3, 2))
        .layer(Tanh)
        .layer(Flatten)
        .layer(Dense::units(5))
        .layer(Tanh)
        .layer(Dense::units(2))
        .layer(Softmax)
        .build()
        .unwrap();
    let mut set = 0;
    model.visit_params_mut(&mut |name, param| {
        param.set_value(tensor(&REFERENCE["start"][name])).unwrap();
        set += 1;
    });
    assert_eq!(set, REFERENCE["start"].as_object().unwrap().len());
    model
}

/// Trains on the batches of the reference, and compares the weights for evaluation, and the penalty before each step.
fn train(run: &str, mut optimizer: Optimizer<f64>, frozen: Option<&str>) {
    let mut model = network();
    if let Some(layer) = frozen {
        assert_eq!(model.freeze(layer).unwrap(), 2);
    }
    let expected = &REFERENCE["runs"][run];
    let agree = |what: &str, found: f64, expected: f64| {
        reference::agree(&format!("{run}, {what}"), found, expected);
    };
    let mut compared = 0;
    for call in 0..20 {
        let ids = REFERENCE["ids"][call].as_array().unwrap().iter().flat_map(numbers).collect();
        let ids = Array2::from_shape_vec((6, 3), ids).unwrap().into_dyn();
        let labels: Vec<usize> =
            numbers(&REFERENCE["labels"][call]).into_iter().map(|n| n as usize).collect();
        let key = (call + 1).to_string();
        if let Some(penalty) = expected["penalties"].get(&key) {
            agree("the penalty", optimizer.penalty(&model), penalty.as_f64().unwrap());
        }
        accumulate(&mut model, &CrossEntropy::default(), ids, &labels, None).unwrap();
        optimizer.step(&mut model).unwrap();
        optimizer.evaluation_weights(&mut model).unwrap();
        if let Some(weights) = expected["weights"].get(&key) {
            model.visit_params(&mut |name, param| {
                let expected = tensor(&weights[name]);
                assert_eq!(param.shape(), expected.shape());
                for (found, &expected) in param.as_slice().iter().zip(&expected) {
                    agree(&format!("batch {key}, {name}"), *found, expected);
                }
                compared += 1;
            });
        }
        optimizer.training_weights(&mut model).unwrap();
    }
    assert_eq!(compared, 4 * 7);
}

fn sgd() -> Optimizer<f64> {
    Optimizer::new(SGD::default()).learning_rate(0.3)
}

fn momentum(momentum: f64) -> Optimizer<f64> {
    Optimizer::new(SGD::default().momentum(momentum)).learning_rate(0.3)
}

fn adam() -> Optimizer<f64> {
    Optimizer::new(Adam::default()).learning_rate(0.02)
}

fn weights() -> Group {
    Group::matching("*.weight")
}

#[test]
fn l1() {
    train("l1", sgd().group(weights().l1(0.01)), None);
}

#[test]
fn l2() {
    train("l2", momentum(0.9).group(weights().l2(0.02)), None);
}

#[test]
fn one_layer_by_its_name() {
    let weight = Group::matching("5.weight").l1(0.02).l2(0.05);
    train("one_layer", sgd().group(weight).group(Group::matching("5.bias").l2(0.1)), None);
}

#[test]
fn penalties_come_before_clipping() {
    train("clipped", adam().group(weights().l1(0.05).l2(0.1)).clip_norm(0.2), None);
}

#[test]
fn max_norm_of_columns_filters_and_touched_rows() {
    train("max_norm", sgd().group(weights().max_norm(0.6)), None);
}

#[test]
fn several_batches_to_a_step_have_one_penalty() {
    train(
        "batches",
        momentum(0.5).group(weights().l1(0.01).l2(0.03)).batches_per_step(5).clip_norm(0.5),
        None,
    );
}

#[test]
fn frozen_parameters_are_neither_penalised_nor_held() {
    train("frozen", adam().group(weights().l2(0.05).max_norm(0.7)), Some("2"));
}

#[test]
fn all_together_with_averages() {
    let optimizer = adam().group(weights().l1(0.01).l2(0.02).max_norm(0.8)).clip_norm(1.0);
    train("all", optimizer.batches_per_step(2).average(Averaging::exponential(0.7)), None);
}

#[test]
fn every_run_of_the_reference_is_compared() {
    let source: String = include_str!("torch_penalties.rs").split_whitespace().collect();
    for run in REFERENCE["runs"].as_object().unwrap().keys() {
        assert!(source.contains(&format!("train(\"{run}\",")), "{run}");
    }
}
