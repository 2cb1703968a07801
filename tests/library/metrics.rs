//! Metrics by hand, NaN, names, and what does not fit.

use ndarray::{arr1, arr2};
use plywood::prelude::*;
use plywood::{Average, class_weights, roc_curve};

type Named = (&'static str, Box<dyn Metric<[usize], f64>>);

/// Every metric of classes, with its name.
fn all() -> Vec<Named> {
    vec![
        ("top_2_accuracy", Box::new(TopK::k(2))),
        ("precision", Box::new(Precision::default())),
        ("recall", Box::new(Recall::default())),
        ("f1", Box::new(FBeta::default())),
        ("roc_auc", Box::new(RocAuc::default())),
        ("average_precision", Box::new(AveragePrecision::default())),
        ("log_loss", Box::new(LogLoss::default())),
        ("brier_loss", Box::new(BrierScore::default())),
        ("calibration_error", Box::new(CalibrationError::default())),
    ]
}

fn two() -> Tensor<f64> {
    arr2(&[[0.8, 0.2], [0.3, 0.7]]).into_dyn()
}

#[test]
fn names_say_what_is_averaged() {
    let name = |average| Metric::<[usize], f32>::name(&FBeta::beta(2.0).average(average)).to_owned();
    assert_eq!(name(Average::Macro), "f2");
    assert_eq!(name(Average::Micro), "micro_f2");
    assert_eq!(name(Average::Weighted), "weighted_f2");
    assert_eq!(name(Average::Class(3)), "f2_3");
    for (expected, metric) in all() {
        assert_eq!(metric.name(), expected);
    }
}

#[test]
fn nothing_seen_is_nan_and_reset_forgets() {
    for (name, mut metric) in all() {
        assert!(metric.value().is_nan(), "{name}");
        metric.update(&two(), &[0, 1], None).unwrap();
        assert!(!metric.value().is_nan(), "{name}");
        metric.reset();
        assert!(metric.value().is_nan(), "{name}");
        metric.update(&two(), &[0, 1], Some(&[0.0, 0.0])).unwrap();
        assert!(metric.value().is_nan(), "{name}");
        metric.reset();
        metric.update(&Tensor::zeros(vec![0, 3]), &[], None).unwrap();
        assert!(metric.value().is_nan(), "{name}");
    }
    let mut mae = MAE::default();
    assert!(mae.value().is_nan() && RMSE::default().value().is_nan() && R2::default().value().is_nan());
    mae.update(&Tensor::<f32>::zeros(vec![2, 0]), &Tensor::zeros(vec![2, 0]), None).unwrap();
    assert!(mae.value().is_nan());
}

#[test]
fn nan_is_never_right_and_never_hidden() {
    let outputs = arr2(&[[0.8, 0.2], [f64::NAN, f64::NAN]]).into_dyn();
    for (name, mut metric) in all() {
        metric.update(&outputs, &[0, 1], None).unwrap();
        let value = metric.value();
        match name {
            "top_2_accuracy" | "precision" | "recall" | "f1" => assert_eq!(value, 0.5, "{name}"),
            _ => assert!(value.is_nan(), "{name}"),
        }
    }
    let single = arr2(&[[f64::NAN], [0.9]]).into_dyn();
    for (name, mut metric) in all() {
        metric.update(&single, &[0, 1], None).unwrap();
        let value = metric.value();
        assert!(value.is_nan() || value <= 0.5, "{name} {value}");
    }
}

#[test]
fn tensors_as_targets_give_what_labels_give() {
    let (one_hot, labels) = (arr2(&[[1.0, 0.0], [1.0, 0.0]]).into_dyn(), [0usize, 0]);
    let (mut a, mut b) = (LogLoss::default(), LogLoss::default());
    a.update(&two(), &one_hot, None).unwrap();
    b.update(&two(), &labels[..], None).unwrap();
    assert_eq!(a.value(), b.value());
    let single = arr2(&[[0.2f32], [0.7]]).into_dyn();
    let (mut a, mut b) = (Recall::default(), Recall::default());
    a.update(&single, &arr2(&[[0.0], [1.0]]).into_dyn(), None).unwrap();
    b.update(&single, &[0usize, 1][..], None).unwrap();
    assert_eq!((a.value(), b.value()), (1.0, 1.0));
    let bad = arr2(&[[f32::NAN], [1.0]]).into_dyn();
    assert!(a.update(&single, &bad, None).is_err());
}

#[test]
fn what_does_not_fit_is_an_error_and_adds_nothing() {
    for (name, mut metric) in all() {
        metric.update(&two(), &[0, 1], None).unwrap();
        let before = metric.value();
        assert!(metric.update(&two(), &[0], None).is_err(), "{name}");
        assert!(metric.update(&two(), &[0, 2], None).is_err(), "{name}");
        assert!(metric.update(&two(), &[0, 1], Some(&[1.0])).is_err(), "{name}");
        assert!(metric.update(&two(), &[0, 1], Some(&[1.0, -1.0])).is_err(), "{name}");
        assert!(metric.update(&two(), &[0, 1], Some(&[1.0, f64::NAN])).is_err(), "{name}");
        assert!(metric.update(&arr1(&[0.5, 0.5]).into_dyn(), &[0, 1], None).is_err(), "{name}");
        assert!(metric.update(&Tensor::zeros(vec![2, 0]), &[0, 1], None).is_err(), "{name}");
        assert!(metric.update(&Tensor::zeros(vec![1, 3]), &[0], None).is_err(), "{name}");
        assert_eq!(metric.value(), before, "{name}");
    }
    let mut recall = Recall::default();
    assert_eq!(
        recall.update(&two(), &[0usize, 2][..], None).unwrap_err().to_string(),
        "recall: expected the label of sample 1 in the batch below 2, the number of classes, found 2. \
         Labels count from 0; give the last layer as many units as there are classes."
    );
    let mut mae = MAE::default();
    assert_eq!(
        mae.update(&two(), &arr2(&[[1.0], [1.0]]).into_dyn(), None).unwrap_err().to_string(),
        "mean_absolute_error: expected targets of shape [2, 2], found [2, 1]. \
         Give a target for each number that the model puts out, `[batch, …]`."
    );
}

#[test]
fn settings_out_of_range_are_errors() {
    let labels = &[0usize, 1][..];
    assert!(TopK::k(0).update(&two(), labels, None).is_err());
    assert!(CalibrationError::bins(0).update(&two(), labels, None).is_err());
    assert!(CalibrationError::bins(usize::MAX).update(&two(), labels, None).is_err());
    assert!(FBeta::beta(-1.0).update(&two(), labels, None).is_err());
    assert!(FBeta::beta(f64::NAN).update(&two(), labels, None).is_err());
    assert_eq!(
        RocAuc::default().average(Average::Class(2)).update(&two(), labels, None).unwrap_err().to_string(),
        "roc_auc_2: expected a class of below 2, the number of classes, found 2. Classes count from 0."
    );
    assert!(roc_curve(&[true], &[0.5, 0.5], None).is_err());
    assert!(roc_curve(&[true, false], &[0.5, f64::NAN], None).is_err());
    assert!(roc_curve(&[true, false], &[0.5, 0.5], Some(&[1.0, 0.0])).is_err());
    assert!(roc_curve::<f32>(&[], &[], None).is_err());
    assert!(class_weights(&[], 0).is_err());
    assert!(class_weights(&[0, 5], 2).is_err());
    assert!(class_weights(&[0, 1], usize::MAX).is_err());
}

#[test]
fn bins_of_a_reliability_diagram() {
    let outputs = arr2(&[[0.5f64, 0.5], [0.75, 0.25], [0.0, 1.0]]).into_dyn();
    let mut error = CalibrationError::bins(4);
    error.update(&outputs, &[0usize, 1, 1][..], None).unwrap();
    let bins = error.reliability();
    let weights: Vec<f64> = bins.iter().map(|bin| bin.weight).collect();
    assert_eq!(weights, [0.0, 1.0, 1.0, 1.0]); // an upper edge is in its bin
    assert!(bins[0].accuracy.is_nan());
    assert_eq!((bins[2].low, bins[2].high, bins[2].confidence, bins[2].accuracy), (0.5, 0.75, 0.75, 0.0));
    assert!((error.value() - (0.5 + 0.75) / 3.0).abs() < 1e-12);
}

#[test]
fn in_training_they_come_up_in_the_history() {
    let (train, _) = plywood::garments::garments(200, 10, 1).unwrap();
    let mut model =
        Sequential::builder([28, 28]).layer(Flatten).layer(Dense::units(10)).layer(Softmax).build().unwrap();
    let history = Trainer::new(CrossEntropy::default(), Adam::default())
        .validation_split(0.2)
        .metric(TopK::k(3))
        .metric(RocAuc::default())
        .metric(FBeta::default().average(Average::Weighted))
        .metric(LogLoss::default())
        .progress(Progress::Silent)
        .fit(&mut model, &train)
        .unwrap();
    let (loss, log_loss) = (history.last("val_loss").unwrap(), history.last("val_log_loss").unwrap());
    assert!((loss - log_loss).abs() < 1e-5, "{loss} {log_loss}");
    for name in ["top_3_accuracy", "roc_auc", "weighted_f1"] {
        assert!(history.last(name).is_some(), "{name}");
    }
}
