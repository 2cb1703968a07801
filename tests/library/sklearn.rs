//! Agreement of the metrics with scikit-learn, to 1e-12.
//!
//! The reference values are in sklearn/reference.json and sklearn/multilabel.json. sklearn/make.py and
//! sklearn/multilabel.py generated them, and describe how to regenerate them.

use plywood::losses::class_weights;
use plywood::metrics::{Average, ConfusionMatrix, LabelReport, roc_curve};
use plywood::ndarray::{Array2, Axis, Ix2, Slice};
use plywood::prelude::*;
use serde_json::Value;
use std::sync::LazyLock;

static REFERENCE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../sklearn/reference.json")).expect("JSON"));

/// Samples with several labels, and classes that do not occur.
static MULTI_LABEL: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../sklearn/multilabel.json")).expect("JSON"));

/// The allowed difference: absolute for values below 1, relative above.
const TOLERANCE: f64 = 1e-12;

/// Reads a number; null stands for NaN.
fn number(value: &Value) -> f64 {
    if value.is_null() { f64::NAN } else { value.as_f64().expect("a number") }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("an array").iter().map(number).collect()
}

fn indices(value: &Value) -> Vec<usize> {
    numbers(value).into_iter().map(|i| i as usize).collect()
}

fn agree(what: &str, found: f64, expected: f64) {
    let near = (found - expected).abs() <= TOLERANCE * expected.abs().max(1.0);
    assert!(near || (found.is_nan() && expected.is_nan()), "{what}: {found:e} here, {expected:e} there");
}

fn agree_all(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        agree(&format!("{what} {i}"), found, expected);
    }
}

/// Returns the metric of classes with this name in the reference.
fn of_classes(name: &str) -> Option<Box<dyn Metric<[usize], f64>>> {
    let averages = [("macro_", Average::Macro), ("micro_", Average::Micro), ("weighted_", Average::Weighted)];
    let classes = [("_0", Average::Class(0)), ("_1", Average::Class(1))];
    let (base, average) = averages
        .iter()
        .find_map(|(prefix, average)| Some((name.strip_prefix(prefix)?, *average)))
        .or_else(|| classes.iter().find_map(|(suffix, average)| Some((name.strip_suffix(suffix)?, *average))))
        .unwrap_or((name, Average::Macro));
    Some(match (base, name) {
        (_, "accuracy") => Box::new(Accuracy::default()),
        (_, "top_1") => Box::new(TopK::k(1)),
        (_, "top_2") => Box::new(TopK::k(2)),
        (_, "top_3") => Box::new(TopK::k(3)),
        (_, "log_loss") => Box::new(LogLoss::default()),
        (_, "brier") => Box::new(BrierScore::default()),
        (_, "calibration_error_15") => Box::new(CalibrationError::default()),
        (_, "calibration_error_10") => Box::new(CalibrationError::bins(10)),
        (_, "calibration_error_1") => Box::new(CalibrationError::bins(1)),
        ("precision", _) => Box::new(Precision::default().average(average)),
        ("recall", _) => Box::new(Recall::default().average(average)),
        ("f1", _) => Box::new(FBeta::default().average(average)),
        ("f2", _) => Box::new(FBeta::beta(2.0).average(average)),
        ("f0.5", _) => Box::new(FBeta::beta(0.5).average(average)),
        ("roc_auc", _) => Box::new(RocAuc::default().average(average)),
        ("average_precision", _) => Box::new(AveragePrecision::default().average(average)),
        _ => return None,
    })
}

/// Predictions, targets and weights of a batch.
type Given<'a, T> = (Tensor<f64>, &'a [T], Option<&'a [f64]>);

/// Splits the predictions of a case into batches of 17, with their targets and weights.
fn batches<'a, T>(
    case: &Value,
    targets: &'a [T],
    per_sample: usize,
    weights: Option<&'a [f64]>,
) -> Vec<Given<'a, T>> {
    let columns = case["columns"].as_u64().unwrap() as usize;
    let outputs = numbers(&case["outputs"]);
    let samples = outputs.len() / columns;
    (0..samples)
        .step_by(17)
        .map(|begin| {
            let range = begin..(begin + 17).min(samples);
            let rows = outputs[range.start * columns..range.end * columns].to_vec();
            let output = Tensor::from_shape_vec(vec![range.len(), columns], rows).unwrap();
            (
                output,
                &targets[range.start * per_sample..range.end * per_sample],
                weights.map(|w| &w[range.clone()]),
            )
        })
        .collect()
}

#[test]
fn metrics_of_classes() {
    let mut compared = 0;
    for (case_name, case) in REFERENCE["classes"].as_object().unwrap() {
        let (labels, weights) = (indices(&case["labels"]), numbers(&case["weights"]));
        for (form, weights) in [("plain", None), ("weighted", Some(&weights[..]))] {
            let given = batches(case, &labels, 1, weights);
            for (name, expected) in case[form].as_object().unwrap() {
                let what = format!("{case_name}, {form}, {name}");
                if let Some(name) = name.strip_suffix("_per_class") {
                    let (mut precision, mut recall) = (Precision::default(), Recall::default());
                    let mut f: [FBeta; 3] = [1.0, 2.0, 0.5].map(FBeta::beta);
                    for (output, labels, weights) in &given {
                        precision.update(output, *labels, *weights).unwrap();
                        recall.update(output, *labels, *weights).unwrap();
                        f.iter_mut().for_each(|f| f.update(output, *labels, *weights).unwrap());
                    }
                    let found = match name {
                        "precision" => precision.per_class(),
                        "recall" => recall.per_class(),
                        "f1" => f[0].per_class(),
                        "f2" => f[1].per_class(),
                        _ => f[2].per_class(),
                    };
                    agree_all(&what, &found, &numbers(expected));
                } else {
                    let mut metric = of_classes(name).unwrap_or_else(|| panic!("no metric {name}"));
                    // Rows that were rounded to create ties are no longer distributions.
                    let of_probabilities = ["log_loss", "brier"].contains(&name.as_str())
                        || name.starts_with("calibration_error");
                    if of_probabilities && case_name == "five_with_ties" {
                        assert!(given.iter().any(|(o, l, w)| metric.update(o, l, *w).is_err()), "{what}");
                        continue;
                    }
                    for _ in 0..2 {
                        metric.reset(); // the second time, it has been used before
                        for (output, labels, weights) in &given {
                            metric.update(output, labels, *weights).unwrap();
                        }
                        agree(&what, metric.value(), number(expected));
                    }
                }
                compared += 1;
            }
        }
    }
    assert!(compared > 600, "{compared}");
}

#[test]
fn metrics_of_numbers() {
    for (case_name, case) in REFERENCE["numbers"].as_object().unwrap() {
        let (targets, weights) = (numbers(&case["targets"]), numbers(&case["weights"]));
        let columns = case["columns"].as_u64().unwrap() as usize;
        for (form, weights) in [("plain", None), ("weighted", Some(&weights[..]))] {
            let (mut mae, mut rmse, mut r2) = (MAE::default(), RMSE::default(), R2::default());
            for (output, targets, weights) in batches(case, &targets, columns, weights) {
                let target = Tensor::from_shape_vec(output.shape(), targets.to_vec()).unwrap();
                mae.update(&output, &target, weights).unwrap();
                rmse.update(&output, &target, weights).unwrap();
                r2.update(&output, &target, weights).unwrap();
            }
            for (name, found) in [("mae", mae.value()), ("rmse", rmse.value()), ("r2", r2.value())] {
                agree(&format!("{case_name}, {form}, {name}"), found, number(&case[form][name]));
            }
        }
    }
}

#[test]
fn points_of_roc_curves() {
    for (name, case) in REFERENCE["roc_curves"].as_object().unwrap() {
        let truth: Vec<bool> = indices(&case["truth"]).iter().map(|&label| label == 1).collect();
        let (scores, weights) = (numbers(&case["scores"]), numbers(&case["weights"]));
        for (form, weights) in [("plain", None), ("weighted", Some(&weights[..]))] {
            let curve = roc_curve(&truth, &scores, weights).unwrap();
            let expected = &case[form];
            agree_all(&format!("{name} fpr"), &curve.false_positive_rates, &numbers(&expected["fpr"]));
            agree_all(&format!("{name} tpr"), &curve.true_positive_rates, &numbers(&expected["tpr"]));
            assert_eq!(curve.thresholds[0], f64::INFINITY);
            agree_all(
                &format!("{name} thresholds"),
                &curve.thresholds[1..],
                &numbers(&expected["thresholds"]),
            );
        }
    }
}

#[test]
fn balanced_weights_of_classes() {
    let case = &REFERENCE["class_weights"];
    let found = class_weights(&indices(&case["labels"]), case["classes"].as_u64().unwrap() as usize).unwrap();
    agree_all("class weights", &found, &numbers(&case["weights"]));
}

/// Returns the metric of several labels with this name in the reference.
fn of_labels(name: &str, thresholds: &[f64]) -> Box<dyn Metric<Tensor<f64>, f64>> {
    let averages = [
        ("macro_", Average::Macro),
        ("micro_", Average::Micro),
        ("weighted_", Average::Weighted),
        ("samples_", Average::Samples),
    ];
    let averaged = averages.iter().find_map(|(prefix, average)| Some((name.strip_prefix(prefix)?, *average)));
    let (base, average) = averaged.unwrap_or((name, Average::Macro));
    of_base(base, thresholds, average)
}

/// Returns the metric for a name without the average.
fn of_base(base: &str, thresholds: &[f64], average: Average) -> Box<dyn Metric<Tensor<f64>, f64>> {
    let thresholds = thresholds.to_vec();
    match base {
        "accuracy" => Box::new(ExactMatch::multi_label(thresholds)),
        "hamming_loss" => Box::new(HammingLoss::multi_label(thresholds)),
        "precision" => Box::new(Precision::default().multi_label(thresholds).average(average)),
        "recall" => Box::new(Recall::default().multi_label(thresholds).average(average)),
        "f1" => Box::new(FBeta::default().multi_label(thresholds).average(average)),
        "f2" => Box::new(FBeta::beta(2.0).multi_label(thresholds).average(average)),
        "f0.5" => Box::new(FBeta::beta(0.5).multi_label(thresholds).average(average)),
        "roc_auc" => Box::new(RocAuc::default().multi_label().average(average)),
        "average_precision" => Box::new(AveragePrecision::default().multi_label().average(average)),
        _ => panic!("no metric {base}"),
    }
}

/// Reads a tensor from the reference.
fn tensor(value: &Value) -> Tensor<f64> {
    Tensor::from_shape_vec(indices(&value["shape"]), numbers(&value["data"])).unwrap()
}

/// Returns the value over batches of 17.
fn in_batches(metric: &mut dyn Metric<Tensor<f64>, f64>, case: &Value) -> f64 {
    let (scores, targets) = (tensor(&case["scores"]), tensor(&case["targets"]));
    let weights = (!case["weights"].is_null()).then(|| numbers(&case["weights"]));
    let samples = scores.shape()[0];
    for from in (0..samples).step_by(17) {
        let part = Slice::from(from..(from + 17).min(samples));
        let rows = |of: &Tensor<f64>| of.slice_axis(Axis(0), part).to_owned();
        let weights = weights.as_ref().map(|weights| &weights[from..(from + 17).min(samples)]);
        metric.update(&rows(&scores), &rows(&targets), weights).unwrap();
    }
    metric.value()
}

#[test]
fn metrics_of_several_labels() {
    let mut compared = 0;
    for (case_name, case) in MULTI_LABEL["cases"].as_object().unwrap() {
        let thresholds = numbers(&case["thresholds"]);
        for (name, expected) in case["results"].as_object().unwrap() {
            let what = format!("{case_name}, {name}");
            if let Some(name) = name.strip_suffix("_per_column") {
                for (label, expected) in numbers(expected).into_iter().enumerate() {
                    let found = in_batches(&mut *of_base(name, &thresholds, Average::Class(label)), case);
                    agree(&format!("{what} {label}"), found, expected);
                    compared += 1;
                }
            } else {
                let mut metric = of_labels(name, &thresholds);
                for _ in 0..2 {
                    metric.reset(); // the second time, it has been used before
                    agree(&what, in_batches(&mut *metric, case), number(expected));
                }
                compared += 1;
            }
        }
    }
    assert!(compared > 650, "{compared}");
}

#[test]
fn reports_of_several_labels() {
    let mut compared = 0;
    for (case_name, case) in MULTI_LABEL["cases"].as_object().unwrap() {
        // Reports have no sample weights.
        let (Some(expected), true) = (case["report"].as_object(), case["weights"].is_null()) else {
            continue;
        };
        let scores = tensor(&case["scores"]).into_dimensionality::<Ix2>().unwrap();
        let truth = tensor(&case["targets"]).into_dimensionality::<Ix2>().unwrap().mapv(|t| t == 1.0);
        let thresholds = numbers(&case["thresholds"]);
        let predicted = Array2::from_shape_fn(scores.raw_dim(), |(i, j)| scores[[i, j]] > thresholds[j]);
        let report = LabelReport::new(&truth, &predicted).unwrap();
        for (name, row) in expected {
            let found = match name.as_str() {
                "micro avg" => &report.micro_mean,
                "macro avg" => &report.macro_mean,
                "weighted avg" => &report.weighted_mean,
                "samples avg" => &report.samples_mean,
                label => &report.labels[label.parse::<usize>().unwrap()],
            };
            let what = format!("{case_name}, {name}");
            agree(&what, found.precision, number(&row["precision"]));
            agree(&what, found.recall, number(&row["recall"]));
            agree(&what, found.f1, number(&row["f1-score"]));
            agree(&what, found.support as f64, number(&row["support"]));
            compared += 1;
        }
    }
    assert!(compared >= 7, "{compared}");
}

#[test]
fn macro_means_leave_out_classes_that_do_not_occur() {
    for (case_name, case) in MULTI_LABEL["macro_present"].as_object().unwrap() {
        let (labels, predictions) = (indices(&case["labels"]), indices(&case["predictions"]));
        let classes = case["classes"].as_u64().unwrap() as usize;
        let one_hot = Array2::from_shape_fn((predictions.len(), classes), |(i, class)| {
            f64::from(u8::from(predictions[i] == class))
        });
        let weights = numbers(&case["weights"]);
        for (form, weights) in [("plain", None), ("weighted", Some(&weights[..]))] {
            for (name, expected) in case[form].as_object().unwrap() {
                let mut metric = of_classes(name).unwrap();
                metric.update(&one_hot.clone().into_dyn(), &labels, weights).unwrap();
                agree(&format!("{case_name}, {form}, {name}"), metric.value(), number(expected));
            }
        }
        let report = ConfusionMatrix::new(classes, &labels, &predictions).unwrap().report();
        let expected = &case["plain"];
        for (mean, name) in [(&report.macro_mean, "macro"), (&report.weighted_mean, "weighted")] {
            let what = format!("{case_name}, report, {name}");
            agree(&what, mean.precision, number(&expected[format!("{name}_precision")]));
            agree(&what, mean.recall, number(&expected[format!("{name}_recall")]));
            agree(&what, mean.f1, number(&expected[format!("{name}_f1")]));
        }
        let present: Vec<usize> = (0..classes).filter(|class| !report.absent.contains(class)).collect();
        assert_eq!(present, indices(&case["present"]), "{case_name}");
    }
}
