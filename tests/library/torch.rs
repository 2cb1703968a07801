//! Agreement with PyTorch in f64, to 1e-9: optimizers, losses, layers, and the training of a whole network.
//!
//! The reference values are in torch/reference.json. torch/make.py generated them, and describes how to regenerate
//! them.

use crate::reference::{self, Holder, at, indices, number, numbers, tensor};
use ndarray::{Axis, Ix2};
use plywood::losses::LossSum;
use plywood::nn::{DenseSpec, Gradient};
use plywood::optim::{CosineDecay, ExponentialDecay};
use plywood::prelude::*;
use plywood::train::accumulate;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

static REFERENCE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../torch/reference.json")).expect("JSON"));

fn tensors(value: &Value) -> BTreeMap<String, Tensor<f64>> {
    value.as_object().expect("an object").iter().map(|(name, t)| (name.clone(), tensor(t))).collect()
}

/// The largest difference in a test. A difference above the tolerance panics at once.
struct Agreement(f64);

impl Agreement {
    fn number(&mut self, what: &str, found: f64, expected: f64) {
        self.0 = self.0.max(reference::agree(what, found, expected));
    }

    fn tensor(&mut self, what: &str, found: &Tensor<f64>, expected: &Tensor<f64>) {
        self.0 = self.0.max(reference::agree_tensors(what, found, expected));
    }
}

impl Drop for Agreement {
    fn drop(&mut self) {
        println!("largest deviation: {:e}", self.0);
    }
}

impl Holder {
    fn of(values: &[Value]) -> Self {
        Self(values.iter().map(|value| Param::new(tensor(value))).collect())
    }
}

/// Takes the steps of a run with the given gradients.
fn optimize(run: &str, mut optimizer: Optimizer<f64>) {
    let mut agreement = Agreement(0.0);
    let all = at(&REFERENCE, &["optimizers"]);
    let reference = at(all, &["runs", run]);
    let (values, rates) = (at(reference, &["values"]), numbers(at(reference, &["rates"])));
    let mut model = Holder::of(at(all, &["start"]).as_array().unwrap());
    let mut kept = 0;
    for (step, grads) in (1..).zip(at(all, &["grads"]).as_array().unwrap()) {
        agreement.number(
            &format!("{run}, rate {step}"),
            optimizer.learning_rate_at(step),
            rates[step as usize - 1],
        );
        for (param, grad) in model.0.iter_mut().zip(grads.as_array().unwrap()) {
            param.add_gradient(&tensor(grad)).unwrap();
        }
        optimizer.step(&mut model).unwrap();
        assert!(model.0.iter().all(|param| param.gradient().is_none()), "gradients are cleared");
        if let Some(expected) = values.get(step.to_string()) {
            for (i, (param, expected)) in model.0.iter().zip(expected.as_array().unwrap()).enumerate() {
                let what = format!("{run}, step {step}, parameter {i}");
                agreement.tensor(&what, param.value(), &tensor(expected));
            }
            kept += 1;
        }
    }
    agreement.number(&format!("{run}, rate after the end"), optimizer.learning_rate_at(21), rates[20]);
    assert_eq!((kept, optimizer.steps()), (4, 20));
}

macro_rules! optimizers {
    ($($run:ident: $optimizer:expr;)*) => {
        $(#[test]
        fn $run() {
            optimize(stringify!($run), $optimizer);
        })*
    };
}

optimizers! {
    sgd: Optimizer::new(SGD::default()).learning_rate(0.05);
    sgd_decay: Optimizer::new(SGD::default().weight_decay(0.1)).learning_rate(0.05);
    sgd_momentum: Optimizer::new(SGD::default().momentum(0.9)).learning_rate(0.05);
    sgd_momentum_decay: Optimizer::new(SGD::default().momentum(0.9).weight_decay(0.1)).learning_rate(0.05);
    sgd_nesterov_decay:
        Optimizer::new(SGD::default().momentum(0.9).nesterov(true).weight_decay(0.1)).learning_rate(0.05);
    adam: Optimizer::new(Adam::default());
    adam_decay: Optimizer::new(Adam::default().weight_decay(0.1)).learning_rate(0.01);
    adam_changed: Optimizer::new(Adam::default().betas(0.8, 0.95).epsilon(1e-3)).learning_rate(0.02);
    adamw: Optimizer::new(AdamW::default());
    adamw_decay: Optimizer::new(AdamW::default().weight_decay(0.2)).learning_rate(0.01);
    sgd_exponential: Optimizer::new(SGD::default().momentum(0.9))
        .learning_rate(ExponentialDecay { start: 0.1, factor: 0.5, steps: 8 });
    adamw_cosine: Optimizer::new(AdamW::default().weight_decay(0.2))
        .learning_rate(CosineDecay { start: 0.02, steps: 20 });
    sgd_clipped: Optimizer::new(SGD::default()).learning_rate(0.1).clip_norm(1.5);
    adam_clipped: Optimizer::new(Adam::default()).learning_rate(0.01).clip_norm(8.0);
}

#[test]
fn every_run_of_the_reference_is_compared() {
    let runs: Vec<&str> =
        at(&REFERENCE, &["optimizers", "runs"]).as_object().unwrap().keys().map(String::as_str).collect();
    let source = include_str!("torch.rs");
    for run in &runs {
        assert!(source.contains(&format!("    {run}:")), "{run}");
    }
    assert_eq!(runs.len(), 14);
}

/// Takes steps with gradients for some of the rows; an id sometimes occurs twice.
fn optimize_rows(run: &str, mut optimizer: Optimizer<f64>) {
    let mut agreement = Agreement(0.0);
    let all = at(&REFERENCE, &["rows"]);
    let values = at(all, &["runs", run]);
    let mut model = Holder::of(std::slice::from_ref(at(all, &["start"])));
    let mut kept = 0;
    for (number, step) in (1..).zip(at(all, &["steps"]).as_array().unwrap()) {
        let (ids, grad) = (indices(at(step, &["ids"])), tensor(at(step, &["grad"])));
        let grad = grad.view().into_dimensionality::<Ix2>().unwrap();
        let (first, rest) = grad.split_at(Axis(0), 1);
        model.0[0].add_gradient_rows(&ids[..1], first).unwrap();
        model.0[0].add_gradient_rows(&ids[1..], rest).unwrap();
        assert!(matches!(model.0[0].gradient(), Some(Gradient::Rows { .. })));
        optimizer.step(&mut model).unwrap();
        if let Some(expected) = values.get(number.to_string()) {
            agreement.tensor(&format!("{run}, step {number}"), model.0[0].value(), &tensor(expected));
            kept += 1;
        }
    }
    assert_eq!(kept, 4);
}

#[test]
fn rows_sgd() {
    optimize_rows("sgd", Optimizer::new(SGD::default()).learning_rate(0.05));
}

#[test]
fn rows_sgd_clipped() {
    optimize_rows("sgd_clipped", Optimizer::new(SGD::default()).learning_rate(0.05).clip_norm(1.5));
}

/// `SparseAdam`: rows without a gradient keep their values and moments, and the step count applies to all rows.
#[test]
fn rows_adam() {
    optimize_rows("adam", Optimizer::new(Adam::default().epsilon(1e-14)).learning_rate(0.01));
}

/// Compares the values and gradients of a loss, without and with sample weights.
fn compare_loss<L: Loss<f64>>(keys: &[&str], loss: &L, target: &L::Target) {
    let mut agreement = Agreement(0.0);
    let case = at(&REFERENCE, &[&["losses"], keys].concat());
    let weights = numbers(at(&REFERENCE, &["losses", "weights"]));
    for (name, weights) in [("plain", None), ("weighted", Some(&weights[..]))] {
        let predictions = tensor(at(case, &["predictions"]));
        // PyTorch divides by the sum of the weights.
        let divisor = loss.value_and_grad(predictions.clone(), target, weights, 1.0).unwrap().0.weight;
        let (value, grad) = loss.value_and_grad(predictions, target, weights, divisor).unwrap();
        let what = format!("{keys:?}, {name}");
        agreement.number(&what, value.mean(), number(at(case, &[name, "value"])));
        agreement.tensor(&what, &grad, &tensor(at(case, &[name, "grad"])));
    }
}

fn labels_and_soft() -> (Vec<usize>, Tensor<f64>) {
    let losses = at(&REFERENCE, &["losses"]);
    (indices(at(losses, &["labels"])), tensor(at(losses, &["soft"])))
}

#[test]
fn cross_entropy_from_logits() {
    let (labels, soft) = labels_and_soft();
    for logits in ["usual", "large"] {
        compare_loss(&[logits, "index"], &CrossEntropy::default().from_logits(true), &labels);
        compare_loss(&[logits, "soft"], &SoftCrossEntropy::default().from_logits(true), &soft);
    }
}

#[test]
fn cross_entropy_from_probabilities() {
    let (labels, soft) = labels_and_soft();
    compare_loss(&["probabilities", "index"], &CrossEntropy::default(), &labels);
    compare_loss(&["probabilities", "soft"], &SoftCrossEntropy::default(), &soft);
}

/// Softmax and the loss applied separately, as in a custom loop that does not fuse them.
#[test]
fn cross_entropy_of_softmax_without_the_link() {
    struct Through<L>(L);
    impl<L: Loss<f64>> Loss<f64> for Through<L> {
        type Target = L::Target;
        fn value_and_grad(
            &self,
            logits: Tensor<f64>,
            target: &L::Target,
            weights: Option<&[f64]>,
            divisor: f64,
        ) -> Result<(LossSum, Tensor<f64>)> {
            let (probabilities, cache) = Softmax.forward_train(logits)?;
            let (value, grad) = self.0.value_and_grad(probabilities, target, weights, divisor)?;
            Ok((value, Softmax.backward(cache, grad)?))
        }
    }
    let (labels, soft) = labels_and_soft();
    compare_loss(&["through_softmax", "index"], &Through(CrossEntropy::default()), &labels);
    compare_loss(&["through_softmax", "soft"], &Through(SoftCrossEntropy::default()), &soft);
}

#[test]
fn regression() {
    for case in ["regression_2", "regression_3"] {
        let target = tensor(at(&REFERENCE, &["losses", case, "target"]));
        compare_loss(&[case, "mse"], &MeanSquaredError, &target);
        compare_loss(&[case, "l1"], &MeanAbsoluteError, &target);
    }
}

/// Returns a tensor of PyTorch in Plywood's layout: `Linear` stores its weight as `[out, in]`, `Dense` as `[in, out]`.
fn ours(tensor: &Tensor<f64>) -> Tensor<f64> {
    tensor.t().as_standard_layout().into_owned()
}

/// Sets every parameter and buffer by its PyTorch name.
fn set(model: &mut impl Layer<f64>, state: &BTreeMap<String, Tensor<f64>>) {
    let mut names = Vec::new();
    model.visit_params_mut(&mut |name, param| {
        let value = state.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", state.keys()));
        param.set_value(ours(value)).unwrap();
        names.push(name.to_owned());
    });
    names.sort();
    assert!(names.iter().eq(state.keys()), "{names:?} here, {:?} in PyTorch", state.keys());
}

fn compare_state(
    agreement: &mut Agreement,
    what: &str,
    model: &impl Layer<f64>,
    state: &BTreeMap<String, Tensor<f64>>,
) {
    let mut count = 0;
    model.visit_params(&mut |name, param| {
        agreement.tensor(&format!("{what}, {name}"), param.value(), &ours(&state[name]));
        count += 1;
    });
    assert_eq!(count, state.len());
}

/// Takes twenty steps with a whole network, once with a trainer from logits, and once by hand with softmax at the end.
fn train(run: &str, before_norm: impl Fn() -> DenseSpec, optimizer: impl Fn() -> Optimizer<f64>) {
    let mut agreement = Agreement(0.0);
    let all = at(&REFERENCE, &["network"]);
    let reference = at(all, &[run]);
    let (x, labels) = (tensor(at(all, &["x"])), indices(at(all, &["labels"])));
    let losses = numbers(at(reference, &["losses"]));
    assert_eq!(losses.len(), 20);
    let network = || {
        Sequential::<f64>::builder_of([6])
            .layer(Dense::units(5))
            .layer(ReLU)
            .layer(before_norm())
            .layer(BatchNorm::new())
            .layer(Tanh)
            .layer(Dense::units(3))
    };
    let (mut logits, mut softmax) = (network().build().unwrap(), network().layer(Softmax).build().unwrap());
    let start = tensors(at(reference, &["start"]));
    set(&mut logits, &start);
    set(&mut softmax, &start);

    let mut trainer = Trainer::new(CrossEntropy::default().from_logits(true), optimizer());
    let mut by_hand = optimizer();
    for (step, &expected) in losses.iter().enumerate() {
        let loss = trainer.step(&mut logits, x.clone(), &labels, None).unwrap();
        agreement.number(&format!("{run}, loss {step}"), loss, expected);
        let loss = accumulate(&mut softmax, &CrossEntropy::default(), x.clone(), &labels, None).unwrap();
        by_hand.step(&mut softmax).unwrap();
        agreement.number(&format!("{run}, loss {step}, by hand"), loss.mean(), expected);
    }
    let state = tensors(at(reference, &["state"]));
    compare_state(&mut agreement, run, &logits, &state);
    compare_state(&mut agreement, run, &softmax, &state);
    let predictions = softmax.predict(&x).unwrap();
    agreement.tensor(&format!("{run}, predictions"), &predictions, &tensor(at(reference, &["predictions"])));
}

#[test]
fn a_network_with_adam() {
    train("adam", || Dense::units(4).bias(false), || Optimizer::new(Adam::default()).learning_rate(0.01));
}

#[test]
fn a_network_with_momentum() {
    train("sgd", || Dense::units(4), || Optimizer::new(SGD::default().momentum(0.9)).learning_rate(0.1));
}

/// Compares outputs, all gradients, and buffers of one layer; with `inference`, the output of `forward`, too.
fn compare_layer(case: &str, spec: impl LayerSpec<f64>, inference: bool) {
    let mut agreement = Agreement(0.0);
    let reference = at(&REFERENCE, &["layers", case]);
    let (x, y) = (tensor(at(reference, &["x"])), tensor(at(reference, &["y"])));
    let mut layer = spec.build(&x.shape()[1..], &Random::seed(0)).unwrap();
    set(&mut layer, &tensors(at(reference, &["before"])));
    if inference {
        agreement.tensor(&format!("{case}, inference"), &layer.forward(x.clone()).unwrap(), &y);
    }
    let (found, cache) = layer.forward_train(x).unwrap();
    agreement.tensor(&format!("{case}, output"), &found, &y);
    let dx = layer.backward(cache, tensor(at(reference, &["g"]))).unwrap();
    agreement.tensor(&format!("{case}, input's gradient"), &dx, &tensor(at(reference, &["dx"])));
    compare_state(&mut agreement, case, &layer, &tensors(at(reference, &["after"])));

    let expected = tensors(at(reference, &["grads"]));
    let mut count = 0;
    layer.visit_params(&mut |name, param| {
        if param.is_trainable() {
            let Some(Gradient::Dense(grad)) = param.gradient() else { panic!("no gradient of {name}") };
            agreement.tensor(&format!("{case}, gradient of {name}"), grad, &ours(&expected[name]));
            count += 1;
        }
    });
    assert_eq!(count, expected.len());
}

#[test]
fn dense() {
    compare_layer("dense", Dense::units(3), true);
    compare_layer("dense_without_bias", Dense::units(3).bias(false), true);
    compare_layer("dense_along_the_last_axis", Dense::units(3), true);
}

#[test]
fn activations() {
    compare_layer("relu", ReLU, true);
    compare_layer("leaky_relu", LeakyReLU::slope(0.01), true);
    compare_layer("sigmoid", Sigmoid, true);
    compare_layer("tanh", Tanh, true);
}

#[test]
fn softmax() {
    compare_layer("softmax", Softmax, true);
    compare_layer("softmax_of_rows", Softmax, true);
}

#[test]
fn batch_norm_in_training() {
    compare_layer("batch_norm", BatchNorm::new(), false);
    compare_layer("batch_norm_changed", BatchNorm::new().epsilon(1e-3).momentum(0.3), false);
}

/// A training batch of one sample is normalized as at inference, so it has the gradients of PyTorch's `eval` mode.
#[test]
fn batch_norm_at_inference() {
    compare_layer("batch_norm_of_one", BatchNorm::new(), true);
    let reference = at(&REFERENCE, &["layers", "batch_norm_at_inference"]);
    let x = tensor(at(reference, &["x"]));
    let mut layer = BatchNorm::new().build(&x.shape()[1..], &Random::seed(0)).unwrap();
    set(&mut layer, &tensors(at(reference, &["before"])));
    let y = layer.forward(x).unwrap();
    Agreement(0.0).tensor("batch_norm_at_inference", &y, &tensor(at(reference, &["y"])));
}
