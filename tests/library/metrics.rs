//! Metrics: values computed by hand, NaN, names, and errors.

use ndarray::{arr1, arr2};
use plywood::losses::class_weights;
use plywood::metrics::{Average, roc_curve};
use plywood::nn::Outputs;
use plywood::prelude::*;
use plywood::train::Direction;

type Named = (&'static str, Box<dyn Metric<[usize], f64>>);

/// Returns every metric of classes, with its name.
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
fn nan_is_an_error_that_names_the_sample_and_adds_nothing() {
    let nan = f64::NAN;
    for (name, mut metric) in all() {
        metric.update(&two(), &[0, 1], None).unwrap();
        let before = metric.value();
        for outputs in [arr2(&[[0.8, 0.2], [nan, nan]]), arr2(&[[0.8, 0.2], [0.7, nan]])] {
            assert_eq!(
                metric.update(&outputs.into_dyn(), &[0, 1], None).unwrap_err().to_string(),
                format!(
                    "{name}: the prediction of sample 1 in the batch must be a number, got NaN. NaN is neither \
                     right nor wrong; look at the data and at the model that it comes from."
                )
            );
        }
        assert_eq!(metric.value(), before, "{name}");
        metric.reset();
        metric.update(&arr2(&[[nan], [0.9]]).into_dyn(), &[0, 1], Some(&[0.0, 1.0])).unwrap_err();
    }
    let numbers: [Box<dyn Metric<Tensor<f64>, f64>>; 3] =
        [Box::new(MAE::default()), Box::new(RMSE::default()), Box::new(R2::default())];
    for mut metric in numbers {
        let (good, bad) = (arr2(&[[1.0], [2.0]]).into_dyn(), arr2(&[[1.0], [nan]]).into_dyn());
        metric.update(&good, &good, None).unwrap();
        let text = metric.update(&bad, &good, None).unwrap_err().to_string();
        assert!(text.contains("the prediction of sample 1 in the batch must be a number, got NaN"), "{text}");
        let text = metric.update(&good, &bad, None).unwrap_err().to_string();
        assert!(text.contains("the target of sample 1 in the batch must be a number, got NaN"), "{text}");
        let infinite = arr2(&[[1.0], [f64::INFINITY]]).into_dyn();
        assert!(metric.update(&infinite, &infinite, None).is_err());
        metric.update(&infinite, &good, None).unwrap();
        assert!(metric.value().is_infinite(), "{}", metric.name());
        metric.reset();
        metric.update(&infinite, &good, Some(&[1.0, 0.0])).unwrap(); // a weight of 0 leaves it out
        metric.update(&good, &good, None).unwrap();
        assert!(metric.value().is_finite(), "{}", metric.name());
    }
}

#[test]
fn infinite_logits_have_their_place_in_an_order() {
    let low = f64::NEG_INFINITY;
    let logits = arr2(&[[low, 0.0], [0.0, low], [low, -1.0]]).into_dyn();
    for (name, mut metric) in all() {
        let result = metric.update(&logits, &[1, 0, 1], None);
        match name {
            "log_loss" | "brier_loss" | "calibration_error" => assert!(result.is_err(), "{name}"),
            _ => {
                result.unwrap();
                assert_eq!(metric.value(), 1.0, "{name}");
            }
        }
    }
}

/// Returns the metrics that derive classes from a single output.
fn of_decisions() -> Vec<Box<dyn Metric<[usize], f64>>> {
    vec![
        Box::new(Accuracy::default()),
        Box::new(TopK::k(1)),
        Box::new(Precision::default()),
        Box::new(Recall::default()),
        Box::new(FBeta::default()),
    ]
}

#[test]
fn a_single_outputs_threshold_is_told_or_said_and_never_guessed() {
    let logits = arr2(&[[0.3], [-0.3], [0.3], [-0.3]]).into_dyn();
    let labels = [1, 0, 1, 0];
    for mut metric in of_decisions() {
        let name = metric.name().to_owned();
        let text = metric.update(&logits, &labels, None).unwrap_err().to_string();
        assert!(
            text.contains("sample 1 in the batch must be from 0 to 1 where no threshold is set, got -0.3"),
            "{text}"
        );
        for told in [Outputs::BinaryLogits, Outputs::Logits, Outputs::Scores] {
            metric.begin(told, &[1]).unwrap();
            metric.reset();
            metric.update(&logits, &labels, None).unwrap();
            assert_eq!(metric.value(), 1.0, "{name}");
        }
        metric.begin(Outputs::Probabilities, &[1]).unwrap();
        metric.reset();
        metric.update(&logits.mapv(|z| 1.0 / (1.0 + (-z).exp())), &labels, None).unwrap();
        assert_eq!(metric.value(), 1.0, "{name}");
        for told in [Outputs::Unknown, Outputs::Numbers] {
            let text = metric.begin(told, &[1]).unwrap_err().to_string();
            assert!(
                text.contains("Set `.threshold(0.5)` for probabilities, `.threshold(0.0)` for logits."),
                "{text}"
            );
            metric.begin(told, &[3]).unwrap(); // with several outputs the largest counts, without a threshold
        }
    }
    let mut said = Accuracy::default().threshold(0.0);
    Metric::<[usize], f64>::begin(&mut said, Outputs::Unknown, &[1]).unwrap();
    said.update(&logits, &labels[..], None).unwrap();
    assert_eq!(Metric::<[usize], f64>::value(&said), 1.0);
    let refused = [
        (Metric::<[usize], f64>::begin(&mut said, Outputs::Probabilities, &[1]), "above 0 and below 1"),
        (
            Metric::<[usize], f64>::begin(&mut said, Outputs::Logits, &[3]),
            "must be 1 where a threshold is set",
        ),
        (said.update(&two(), &[0usize, 1][..], None), "must be 1 where a threshold is set"),
        (Recall::default().threshold(f64::NAN).update(&logits, &labels[..], None), "a finite number"),
    ];
    for (result, part) in refused {
        let text = result.unwrap_err().to_string();
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn only_probabilities_are_measured_as_probabilities() {
    type Both = (Box<dyn Metric<[usize], f64>>, Box<dyn Metric<Tensor<f64>, f64>>);
    let both: [Both; 3] = [
        (Box::new(LogLoss::default()), Box::new(LogLoss::default())),
        (Box::new(BrierScore::default()), Box::new(BrierScore::default())),
        (Box::new(CalibrationError::default()), Box::new(CalibrationError::default())),
    ];
    for (mut of_labels, mut of_rows) in both {
        for told in [Outputs::Logits, Outputs::BinaryLogits, Outputs::Scores, Outputs::Numbers] {
            let text = of_labels.begin(told, &[2]).unwrap_err().to_string();
            assert!(text.contains("the predictions must be the probabilities of classes, got "), "{text}");
            assert!(of_rows.begin(told, &[1]).is_err());
        }
        assert!(of_rows.begin(Outputs::Probabilities, &[2]).is_err());
        for (told, units) in [(Outputs::Unknown, 2), (Outputs::Distributions, 2), (Outputs::Probabilities, 1)]
        {
            of_labels.begin(told, &[units]).unwrap();
        }
        for (outputs, found) in [
            (
                arr2(&[[0.5, 0.5], [5.0, -5.0]]),
                "be a distribution over classes, with numbers from 0 to 1, got 5",
            ),
            (
                arr2(&[[0.5, 0.5], [0.5, 0.75]]),
                "be a distribution over classes, with a sum of 1, got a sum of 1.25",
            ),
        ] {
            let text = of_labels.update(&outputs.into_dyn(), &[0, 1], None).unwrap_err().to_string();
            assert!(
                text.contains(&format!("the prediction of sample 1 in the batch must {found}")),
                "{text}"
            );
        }
        let text =
            of_labels.update(&arr2(&[[0.5], [-0.5]]).into_dyn(), &[0, 1], None).unwrap_err().to_string();
        assert!(
            text.contains("the prediction of sample 1 in the batch must be from 0 to 1, got -0.5"),
            "{text}"
        );
        let f = |x: f64| x / 3.0; // within a tolerance of a thousandth
        of_labels.update(&arr2(&[[f(1.0), f(2.0) + 1e-4]]).into_dyn(), &[0], None).unwrap();
    }
}

#[test]
fn distributions_as_targets_count_by_their_shares() {
    let (p, t) = (arr2(&[[0.6, 0.4]]).into_dyn(), arr2(&[[0.6, 0.4]]).into_dyn());
    let single = |x: f64| arr2(&[[x]]).into_dyn();
    let (mut loss, mut brier, mut error) =
        (LogLoss::default(), BrierScore::default(), CalibrationError::default());
    loss.update(&p, &t, None).unwrap();
    let entropy = -(0.6 * 0.6f64.ln() + 0.4 * 0.4f64.ln());
    assert!((loss.value() - entropy).abs() < 1e-12 && (entropy - 0.673).abs() < 1e-3);
    brier.update(&p, &t, None).unwrap();
    error.update(&p, &t, None).unwrap();
    assert_eq!((brier.value(), error.value()), (0.0, 0.0));
    let (mut loss, mut brier) = (LogLoss::default(), BrierScore::default());
    loss.update(&single(0.4), &single(0.4), None).unwrap();
    assert!((loss.value() - entropy).abs() < 1e-12);
    brier.update(&single(0.5), &single(0.75), None).unwrap();
    assert_eq!(brier.value(), 0.0625);
    let mut brier = BrierScore::default();
    brier
        .update(&arr2(&[[0.5, 0.25, 0.25]]).into_dyn(), &arr2(&[[0.25, 0.5, 0.25]]).into_dyn(), None)
        .unwrap();
    assert_eq!(brier.value(), 0.125);
}

#[test]
fn target_rows_of_classes_are_distributions() {
    let metrics: Vec<Box<dyn Metric<Tensor<f64>, f64>>> = vec![
        Box::new(Accuracy::default()),
        Box::new(TopK::k(1)),
        Box::new(Precision::default()),
        Box::new(Recall::default()),
        Box::new(FBeta::default()),
        Box::new(RocAuc::default()),
        Box::new(AveragePrecision::default()),
        Box::new(LogLoss::default()),
        Box::new(BrierScore::default()),
        Box::new(CalibrationError::default()),
    ];
    for mut metric in metrics {
        for (row, found) in [
            (
                [1.0, 1.0],
                "be a distribution over classes, with a sum of 1, got a sum of 2.0000. Where a sample may have several",
            ),
            ([0.0, 0.0], "be a distribution over classes, with a sum of 1, got a sum of 0.0000."),
            ([1.5, -0.5], "be a distribution over classes, with numbers from 0 to 1, got 1.5."),
        ] {
            let target = arr2(&[[0.0, 1.0], row]).into_dyn();
            let text = metric.update(&two(), &target, None).unwrap_err().to_string();
            assert!(text.contains(&format!("the target of sample 1 in the batch must {found}")), "{text}");
        }
        let target = arr2(&[[0.0], [2.0]]).into_dyn();
        let text = metric.update(&arr2(&[[0.2], [0.7]]).into_dyn(), &target, None).unwrap_err().to_string();
        assert!(text.contains("the target of sample 1 in the batch must be from 0 to 1, got 2."), "{text}");
        assert!(metric.value().is_nan(), "nothing was added");
    }
}

#[test]
fn metrics_say_which_way_they_are_better() {
    for (name, metric) in all() {
        let lower = matches!(name, "log_loss" | "brier_loss" | "calibration_error");
        let direction = if lower { Direction::Lower } else { Direction::Higher };
        assert_eq!(metric.direction(), Some(direction), "{name}");
    }
    let of_numbers = |metric: &dyn Metric<Tensor>| metric.direction().unwrap();
    assert_eq!(of_numbers(&Accuracy::default()), Direction::Higher);
    assert_eq!(of_numbers(&R2::default()), Direction::Higher);
    assert_eq!(of_numbers(&MAE::default()), Direction::Lower);
    assert_eq!(of_numbers(&RMSE::default()), Direction::Lower);
    assert_eq!(of_numbers(&ExactMatch::multi_label(0.5)), Direction::Higher);
    assert_eq!(of_numbers(&HammingLoss::multi_label(0.5)), Direction::Lower);
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
        "recall: the label of sample 1 in the batch must be below 2, the number of classes, got 2. Labels count \
         from 0; give the last layer as many units as there are classes."
    );
    let mut mae = MAE::default();
    assert_eq!(
        mae.update(&two(), &arr2(&[[1.0], [1.0]]).into_dyn(), None).unwrap_err().to_string(),
        "mean_absolute_error: the targets must have shape [2, 2], got [2, 1]. Give a target for each output of \
         the model, `[batch, …]`."
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
        "roc_auc_2: the class must be below 2, the number of classes, got 2. Classes count from 0."
    );
    assert_eq!(
        Recall::default().average(Average::Samples).update(&two(), labels, None).unwrap_err().to_string(),
        "samples_recall: the average must be `Macro`, `Micro`, `Weighted` or `Class(c)`, got `Samples`. `Samples` \
         is for Precision, Recall and FBeta with `.multi_label(..)`."
    );
    assert!(RocAuc::default().average(Average::Samples).update(&two(), labels, None).is_err());
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
    assert_eq!(weights, [0.0, 1.0, 1.0, 1.0]); // a bin includes its upper edge
    assert!(bins[0].accuracy.is_nan());
    assert_eq!((bins[2].low, bins[2].high, bins[2].confidence, bins[2].accuracy), (0.5, 0.75, 0.75, 0.0));
    assert!((error.value() - (0.5 + 0.75) / 3.0).abs() < 1e-12);
}

#[test]
fn in_training_they_come_up_in_the_history() {
    let (train, _) = plywood::data::synthetic::garments(200, 10, 1).unwrap();
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
