//! Agreement with PyTorch in f64, to 1e-9, over 20 steps: clipping, groups, batches that make one step, averages.
//!
//! The numbers are in torch/optimisers.json; torch/optimisers.py made them, and says how to make them anew.

use plywood::prelude::*;
use plywood::{Averaging, Group, Rule};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::LazyLock;

static REFERENCE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("torch/optimisers.json")).expect("JSON"));

/// How far numbers may be apart: absolutely below 1, relatively above.
const TOLERANCE: f64 = 1e-9;

/// What is found at these keys; a missing one is a failure, so that no case drops out unseen.
fn at(keys: &[&str]) -> &'static Value {
    let found = |value: &'static Value, key: &&str| {
        value.get(*key).unwrap_or_else(|| panic!("no {key:?} in {keys:?}"))
    };
    keys.iter().fold(&*REFERENCE, found)
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("an array").iter().map(|v| v.as_f64().expect("a number")).collect()
}

fn tensor(value: &Value) -> Tensor<f64> {
    let shape: Vec<usize> = numbers(&value["shape"]).into_iter().map(|n| n as usize).collect();
    Tensor::from_shape_vec(shape, numbers(&value["data"])).expect("a tensor")
}

fn tensors(value: &Value) -> Vec<Tensor<f64>> {
    value.as_array().expect("an array").iter().map(tensor).collect()
}

fn agree(what: &str, found: f64, expected: f64) {
    let deviation = (found - expected).abs() / expected.abs().max(1.0);
    assert!(deviation <= TOLERANCE, "{what}: {found:e} here, {expected:e} in the reference");
}

/// A layer that is its parameters, and hands its input on.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Holder(Vec<Param<f64>>);

impl Layer<f64> for Holder {
    const KIND: &'static str = "test.holder";
    type Cache = ();

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(input.to_vec())
    }

    fn forward(&self, input: Tensor<f64>) -> Result<Tensor<f64>> {
        Ok(input)
    }

    fn forward_train(&mut self, input: Tensor<f64>) -> Result<(Tensor<f64>, ())> {
        Ok((input, ()))
    }

    fn backward(&mut self, (): (), grad: Tensor<f64>) -> Result<Tensor<f64>> {
        Ok(grad)
    }

    fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param<f64>)) {
        for (i, param) in self.0.iter().enumerate() {
            visit(&i.to_string(), param);
        }
    }

    fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<f64>)) {
        for (i, param) in self.0.iter_mut().enumerate() {
            visit(&i.to_string(), param);
        }
    }
}

/// Takes the steps of a run under the given gradients; compared are the weights to be evaluated. Half-way the state
/// goes into an optimiser made anew.
fn optimise<R: Rule<f64>>(section: &str, run: &str, make: impl Fn() -> Optimizer<R, f64>) {
    let values = at(&[section, run]);
    let mut model = Holder(tensors(at(&["start"])).into_iter().map(Param::new).collect());
    let mut optimizer = make();
    let mut kept = 0;
    for (step, grads) in (1..).zip(at(&["grads"]).as_array().unwrap()) {
        for (param, grad) in model.0.iter_mut().zip(tensors(grads)) {
            param.add_gradient(&grad).unwrap();
        }
        optimizer.step(&mut model).unwrap();
        optimizer.evaluation_weights(&mut model).unwrap();
        if let Some(expected) = values.get(step.to_string()) {
            for (i, (param, expected)) in model.0.iter().zip(tensors(expected)).enumerate() {
                assert_eq!(param.shape(), expected.shape());
                for (found, &expected) in param.as_slice().iter().zip(&expected) {
                    agree(&format!("{run}, step {step}, parameter {i}"), *found, expected);
                }
            }
            kept += 1;
        }
        if step == 7 {
            let state = optimizer.state(&model).unwrap();
            optimizer = make();
            optimizer.load_state(&mut model, state).unwrap();
        }
        optimizer.training_weights(&mut model).unwrap();
    }
    assert_eq!(kept, 4);
}

macro_rules! runs {
    ($section:ident: $($run:ident: $optimizer:expr;)*) => {
        mod $section {
            use super::*;

            $(#[test]
            fn $run() {
                optimise(stringify!($section), stringify!($run), || $optimizer);
            })*

            #[test]
            fn every_run_of_the_reference_is_compared() {
                let runs: Vec<&str> = at(&[stringify!($section)]).as_object().unwrap().keys().map(String::as_str).collect();
                let mut compared = vec![$(stringify!($run)),*];
                compared.sort_unstable();
                assert_eq!(runs, compared);
            }
        }
    };
}

fn groups<R: Rule<f64>>(rule: R) -> Optimizer<R, f64> {
    Optimizer::new(rule)
        .learning_rate(0.01)
        .group(Group::matching("0").rate_factor(0.5).weight_decay(0.1))
        .group(Group::matching("2*").rate_factor(2.0).weight_decay(0.3))
}

runs! {
    structure:
    clip_value: Optimizer::new(SGD::default()).learning_rate(0.1).clip_value(0.5);
    clip_each: Optimizer::new(SGD::default()).learning_rate(0.1).clip_norm_per_parameter(2.0);
    clip_all_kinds: Optimizer::new(Adam::default()).learning_rate(0.01)
        .clip_norm(4.0).clip_norm_per_parameter(3.0).clip_value(2.0);
    groups_sgd: groups(SGD::default());
    groups_adam: groups(Adam::default());
    groups_adamw: groups(AdamW::default().weight_decay(0.0));
    batches: Optimizer::new(Adam::default()).learning_rate(0.01).clip_norm(2.0).batches_per_step(5);
    exponential: Optimizer::new(Adam::default()).learning_rate(0.01).average(Averaging::exponential(0.9));
    uniform: Optimizer::new(SGD::default().momentum(0.9)).learning_rate(0.1)
        .average(Averaging::uniform().from_step(2).every(3));
}
