//! Agreement of the losses with Keras in f64, to 1e-9: values and gradients, without and with sample weights, and from
//! logits if Keras has that form.
//!
//! The reference values are in keras/losses.json. keras/losses.py generated them; its docstring describes how to
//! regenerate them and where Keras itself is less exact. Keras averages over the number of samples; here, the gradients
//! are divided by the same number.

use crate::reference::{agree, agree_tensors, indices, number, numbers, tensor};
use plywood::prelude::*;
use serde_json::Value;
use std::sync::LazyLock;

static REFERENCE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../keras/losses.json")).expect("JSON"));

/// Compares a case without and with sample weights. Gradients are taken at the stored predictions.
fn compare<L: Loss<f64>>(section: &str, case: &str, loss: &L, target: &L::Target, logits: bool) {
    let all = &REFERENCE[section][case];
    let sample_weights = numbers(&REFERENCE["weights"]);
    for (form, weights) in [("plain", None), ("weighted", Some(&sample_weights[..]))] {
        let x = tensor(&all["predictions"]);
        let samples = x.shape()[0] as f64;
        let result = if logits {
            loss.value_and_grad_logits(x, target, weights, samples)
        } else {
            loss.value_and_grad(x, target, weights, samples)
        };
        let (value, grad) = result.unwrap();
        let what = format!("{section}, {case}, {form}");
        agree(&what, value.sum / samples, number(&all[form]["value"]));
        agree_tensors(&what, &grad, &tensor(&all[form]["grad"]));
    }
}

fn of(section: &str, case: &str) -> &'static Value {
    &REFERENCE[section][case]
}

#[test]
fn losses_of_classes() {
    let labels = |case| indices(&of("classes", case)["labels"]);
    let target = |case| tensor(&of("classes", case)["target"]);
    compare("classes", "labels", &CrossEntropy::default().from_logits(true), &labels("labels"), false);
    let weights = numbers(&of("classes", "labels_class_weights")["class_weights"]);
    let loss = CrossEntropy::default().from_logits(true).class_weights(weights);
    compare("classes", "labels_class_weights", &loss, &labels("labels_class_weights"), false);
    for case in ["one_hot", "soft"] {
        compare("classes", case, &SoftCrossEntropy::default().from_logits(true), &target(case), false);
    }
    let smoothing = number(&of("classes", "smoothing")["label_smoothing"]);
    let loss = CrossEntropy::default().from_logits(true).label_smoothing(smoothing);
    compare("classes", "smoothing", &loss, &labels("smoothing"), false);
    for case in ["focal_2", "focal_0.5"] {
        let loss = Focal::gamma(number(&of("classes", case)["gamma"])).from_logits(true);
        compare("classes", case, &loss, &labels(case), false);
    }
    // Keras takes probabilities here; the reference gradient is with respect to the logits.
    compare("classes", "kl", &KLDivergence::default(), &target("kl"), true);
}

#[test]
fn losses_of_yes_or_no() {
    let labels = |case| indices(&of("binary", case)["labels"]);
    compare("binary", "one", &BinaryCrossEntropy::default().from_logits(true), &labels("one"), false);
    for case in ["many", "soft"] {
        let target = tensor(&of("binary", case)["target"]);
        compare("binary", case, &SoftBinaryCrossEntropy::default().from_logits(true), &target, false);
    }
    compare("binary", "hinge", &Hinge::default(), &labels("hinge"), false);
    compare("binary", "squared_hinge", &Hinge::default().squared(true), &labels("squared_hinge"), false);
}

#[test]
fn losses_of_numbers() {
    let target = |case| tensor(&of("numbers", case)["target"]);
    compare("numbers", "mean_squared_error", &MeanSquaredError, &target("mean_squared_error"), false);
    compare("numbers", "mean_absolute_error", &MeanAbsoluteError, &target("mean_absolute_error"), false);
    for case in ["huber_1", "huber_0.3"] {
        let loss = Huber::delta(number(&of("numbers", case)["delta"]));
        compare("numbers", case, &loss, &target(case), false);
    }
}

/// Fails if a case is added to the reference without a comparison here.
#[test]
fn every_case_is_compared() {
    let count = |section: &str| REFERENCE[section].as_object().unwrap().len();
    assert_eq!((count("classes"), count("binary"), count("numbers")), (8, 5, 4));
}
