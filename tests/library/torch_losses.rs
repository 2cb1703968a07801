//! Agreement of the losses with PyTorch in f64, to 1e-9: values and gradients, without and with sample weights.
//!
//! The reference values are in torch/losses.json. torch/losses.py generated them, and describes how to regenerate them.
//! Plain cross-entropy, squared and absolute error are in torch.rs.

use crate::reference::{agree, agree_tensors, indices, numbers, tensor};
use plywood::prelude::*;
use serde_json::Value;
use std::sync::LazyLock;

static REFERENCE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../torch/losses.json")).expect("JSON"));

/// Compares a case without and with sample weights. `logits` selects the method that takes logits.
///
/// PyTorch divides by a sum of weights. `counts` has the weight of each sample in that sum, apart from its sample
/// weight; without it, samples count as in Plywood.
fn compare_counting<L: Loss<f64>>(
    (section, case): (&str, &str),
    loss: &L,
    target: &L::Target,
    logits: bool,
    counts: Option<&[f64]>,
) {
    let all = &REFERENCE[section][case];
    let sample_weights = numbers(&REFERENCE["weights"]);
    for (form, weights) in [("plain", None), ("weighted", Some(&sample_weights[..]))] {
        let of = |divisor| {
            let x = tensor(&all["predictions"]);
            if logits {
                loss.value_and_grad_logits(x, target, weights, divisor).unwrap()
            } else {
                loss.value_and_grad(x, target, weights, divisor).unwrap()
            }
        };
        let divisor = match counts {
            None => of(1.0).0.weight,
            Some(counts) => counts.iter().enumerate().map(|(i, c)| weights.map_or(1.0, |w| w[i]) * c).sum(),
        };
        let (value, grad) = of(divisor);
        let what = format!("{section}, {case}, {form}");
        agree(&what, value.sum / divisor, all[form]["value"].as_f64().unwrap());
        agree_tensors(&what, &grad, &tensor(&all[form]["grad"]));
    }
}

/// [`compare_counting`] for losses whose samples count in PyTorch as they do here.
fn compare<L: Loss<f64>>(section: &str, case: &str, loss: &L, target: &L::Target, logits: bool) {
    compare_counting((section, case), loss, target, logits, None);
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
        // In PyTorch, a sample counts with the weight of its label; here, with the smoothed weights.
        let of_labels: Vec<f64> = labels.iter().map(|&label| weights[label]).collect();
        let case = format!("smoothing_weights_{form}");
        compare_counting(("classes", &case), &both, &labels, logits, Some(&of_labels));
        let loss = SoftCrossEntropy::default().class_weights(weights.clone());
        // In PyTorch, class weights are part of the loss of rows, and do not enter the divisor.
        let case = format!("soft_weights_{form}");
        compare_counting(("classes", &case), &loss, &soft, logits, Some(&vec![1.0; labels.len()]));
        compare("classes", &format!("kl_{form}"), &KLDivergence::default(), &soft, logits);
        for gamma in [0.0, 0.5, 2.0] {
            let loss = Focal::gamma(gamma).class_weights(weights.clone());
            compare("classes", &format!("focal_{gamma}_{form}"), &loss, &labels, logits);
        }
    }
    for (case, loss) in [("hinge_1", Hinge::margin(0.7)), ("hinge_2", Hinge::margin(0.7).squared(true))] {
        compare("classes", case, &loss, &labels, false);
    }
    // The same, with losses constructed for models that end in logits.
    compare(
        "classes",
        "focal_2_logits",
        &Focal::default().from_logits(true).class_weights(weights),
        &labels,
        false,
    );
    compare("classes", "kl_logits", &KLDivergence::default().from_logits(true), &soft, false);
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
        &BinaryCrossEntropy::default().from_logits(true).positive_weight(2.5),
        &labels,
        false,
    );
    compare(
        "binary",
        "many_positive",
        &SoftBinaryCrossEntropy::default().from_logits(true).positive_weight(2.5),
        &soft,
        false,
    );
    compare("binary", "hinge_1", &Hinge::default(), &labels, false);
    compare("binary", "hinge_2", &Hinge::default().squared(true), &labels, false);
}

#[test]
fn huber() {
    let target = tensor(&REFERENCE["huber"]["target"]);
    compare("huber", "delta_1", &Huber::default(), &target, false);
    compare("huber", "delta_0.3", &Huber::delta(0.3), &target, false);
}

/// Fails if a loss is added to the reference without a comparison here.
#[test]
fn every_case_is_compared() {
    let count = |section: &str| {
        let cases = REFERENCE[section].as_object().unwrap().values();
        cases.filter(|case| case.get("plain").is_some()).count()
    };
    assert_eq!((count("classes"), count("binary"), count("huber")), (18, 8, 2));
}
