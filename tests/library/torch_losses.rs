//! Agreement of the losses with PyTorch in f64, to 1e-9: values and gradients, without and with sample weights.
//!
//! The numbers are in torch/losses.json; torch/losses.py made them, and says how to make them anew. Plain cross-entropy
//! and the two errors are in torch.rs.

use crate::reference::{agree, agree_tensors, indices, numbers, tensor};
use plywood::prelude::*;
use serde_json::Value;
use std::sync::LazyLock;

static REFERENCE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../torch/losses.json")).expect("JSON"));

/// Both forms of a case, by the method that takes what the loss's predictions are.
fn compare<L: Loss<f64>>(section: &str, case: &str, loss: &L, target: &L::Target, logits: bool) {
    let all = &REFERENCE[section][case];
    let sample_weights = numbers(&REFERENCE["weights"]);
    for (form, weights) in [("plain", None), ("weighted", Some(&sample_weights[..]))] {
        let x = tensor(&all["predictions"]);
        let (value, grad) = if logits {
            loss.value_and_grad_logits(x, target, weights).unwrap()
        } else {
            loss.value_and_grad(x, target, weights).unwrap()
        };
        let what = format!("{section}, {case}, {form}");
        agree(&what, value, all[form]["value"].as_f64().unwrap());
        agree_tensors(&what, &grad, &tensor(&all[form]["grad"]));
    }
}

#[test]
fn losses_of_classes() {
    let all = &REFERENCE["classes"];
    let (labels, soft) = (indices(&all["labels"]), tensor(&all["soft"]));
    let weights = numbers(&all["class_weights"]);
    for (form, logits) in [("logits", true), ("probabilities", false)] {
        let compare_labels = |case: &str, loss: &CrossEntropy| {
            compare("classes", &format!("{case}_{form}"), loss, &labels, logits);
        };
        compare_labels("weights", &CrossEntropy::default().class_weights(weights.clone()));
        compare_labels("smoothing", &CrossEntropy::default().label_smoothing(0.1));
        let both = CrossEntropy::default().class_weights(weights.clone()).label_smoothing(0.2);
        compare_labels("smoothing_weights", &both);
        let loss = SoftCrossEntropy::default().class_weights(weights.clone());
        compare("classes", &format!("soft_weights_{form}"), &loss, &soft, logits);
        compare("classes", &format!("kl_{form}"), &KLDivergence::default(), &soft, logits);
        for gamma in [0.0, 0.5, 2.0] {
            let loss = Focal::gamma(gamma).class_weights(weights.clone());
            compare("classes", &format!("focal_{gamma}_{form}"), &loss, &labels, logits);
        }
    }
    for (case, loss) in [("hinge_1", Hinge::margin(0.7)), ("hinge_2", Hinge::margin(0.7).squared())] {
        compare("classes", case, &loss, &labels, false);
    }
    // The same by the constructors for models that end in logits.
    compare(
        "classes",
        "focal_2_logits",
        &Focal::default().from_logits().class_weights(weights),
        &labels,
        false,
    );
    compare("classes", "kl_logits", &KLDivergence::from_logits(), &soft, false);
}

#[test]
fn losses_of_yes_or_no() {
    let all = &REFERENCE["binary"];
    let (labels, soft) = (indices(&all["labels"]), tensor(&all["soft"]));
    let (hard_loss, soft_loss) = (BinaryCrossEntropy::default(), SoftBinaryCrossEntropy::default());
    for (case, logits) in [("logits", true), ("probabilities", false)] {
        compare("binary", &format!("one_{case}"), &hard_loss, &labels, logits);
        compare("binary", &format!("many_{case}"), &soft_loss, &soft, logits);
    }
    compare(
        "binary",
        "one_positive",
        &BinaryCrossEntropy::from_logits().positive_weight(2.5),
        &labels,
        false,
    );
    compare(
        "binary",
        "many_positive",
        &SoftBinaryCrossEntropy::from_logits().positive_weight(2.5),
        &soft,
        false,
    );
    compare("binary", "hinge_1", &Hinge::default(), &labels, false);
    compare("binary", "hinge_2", &Hinge::default().squared(), &labels, false);
}

#[test]
fn huber() {
    let target = tensor(&REFERENCE["huber"]["target"]);
    compare("huber", "delta_1", &Huber::default(), &target, false);
    compare("huber", "delta_0.3", &Huber::delta(0.3), &target, false);
}

/// A loss that is added to the reference without a comparison here would be noticed.
#[test]
fn every_case_is_compared() {
    let count = |section: &str| {
        let cases = REFERENCE[section].as_object().unwrap().values();
        cases.filter(|case| case.get("plain").is_some()).count()
    };
    assert_eq!((count("classes"), count("binary"), count("huber")), (18, 8, 2));
}
