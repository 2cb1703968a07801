//! Several labels per sample: declarations, errors, and the path from a model to a report.

use ndarray::{Array2, arr1, arr2};
use plywood::metrics::Average;
use plywood::nn::Outputs;
use plywood::prelude::*;

/// Returns the multi-hot rows of a perfect model.
fn rows() -> Tensor<f64> {
    arr2(&[[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]]).into_dyn()
}

/// Returns every metric of several labels.
fn all() -> Vec<Box<dyn Metric<Tensor<f64>, f64>>> {
    vec![
        Box::new(Precision::default().multi_label(0.5)),
        Box::new(Recall::default().multi_label([0.5, 0.4, 0.6])),
        Box::new(FBeta::default().multi_label(vec![0.5; 3]).average(Average::Samples)),
        Box::new(RocAuc::default().multi_label().average(Average::Micro)),
        Box::new(AveragePrecision::default().multi_label().average(Average::Micro)),
        Box::new(ExactMatch::multi_label(0.5)),
        Box::new(HammingLoss::multi_label(0.5)),
    ]
}

/// A layer that returns its input, computed with identity weights.
struct Given(usize);

impl<F: Scalar> LayerSpec<F> for Given {
    type Layer = Dense<F>;
    fn build(self, _: &[usize], _: &Random) -> Result<Dense<F>> {
        Dense::from_weights(Array2::eye(self.0), None)
    }
}

#[test]
fn a_perfect_model_is_perfect() {
    let outputs = rows().mapv(|t| 0.1 + 0.8 * t);
    for mut metric in all() {
        metric.begin(Outputs::Probabilities, &[3]).unwrap();
        metric.update(&outputs, &rows(), None).unwrap();
        let best = if metric.name() == "hamming_loss" { 0.0 } else { 1.0 };
        assert_eq!(metric.value(), best, "{}", metric.name());
    }
}

#[test]
fn a_label_is_predicted_strictly_above_its_own_threshold() {
    let third = 0.3f32;
    let outputs = arr2(&[[third, 0.5, 0.8]]).into_dyn();
    let truth = arr2(&[[0.0f32, 0.0, 1.0]]).into_dyn();
    let mut exact = ExactMatch::multi_label([0.3, 0.5, 0.7]);
    exact.update(&outputs, &truth, None).unwrap();
    assert_eq!(exact.value(), 1.0); // 0.3 as f32 is larger than 0.3 as f64, but does not count as above it
    let mut recall = Recall::default().multi_label(0.7).average(Average::Class(2));
    recall.update(&outputs, &truth, None).unwrap();
    assert_eq!((recall.value(), recall.per_class()), (1.0, vec![0.0, 0.0, 1.0]));
}

#[test]
fn one_column_is_one_label() {
    let (outputs, truth) = (arr2(&[[0.9], [0.2], [0.7]]).into_dyn(), arr2(&[[1.0], [1.0], [0.0]]).into_dyn());
    let mut precision = Precision::default().multi_label(0.5);
    precision.update(&outputs, &truth, None).unwrap();
    assert_eq!((precision.value(), precision.per_class()), (0.5, vec![0.5]));
    let mut auc = RocAuc::default().multi_label();
    auc.update(&outputs, &truth, None).unwrap();
    assert_eq!((auc.value(), auc.per_class()), (0.5, vec![0.5]));
}

#[test]
fn nothing_seen_is_nan_and_a_state_brings_everything_back() {
    for (mut metric, mut twin) in all().into_iter().zip(all()) {
        let name = metric.name().to_owned();
        assert!(metric.value().is_nan(), "{name}");
        metric.update(&rows(), &rows(), Some(&[0.0, 0.0])).unwrap();
        assert!(metric.value().is_nan(), "{name}");
        metric
            .update(&rows(), &arr2(&[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]).into_dyn(), Some(&[0.5, 2.0]))
            .unwrap();
        twin.load_state(&mut metric.state().unwrap()).unwrap();
        assert_eq!(metric.value(), twin.value(), "{name}");
        for metric in [&mut metric, &mut twin] {
            metric.update(&rows(), &rows(), None).unwrap();
        }
        assert_eq!(metric.value(), twin.value(), "{name}");
        metric.reset();
        metric.update(&rows(), &rows(), None).unwrap();
        let best = if name == "hamming_loss" { 0.0 } else { 1.0 };
        assert_eq!(metric.value(), best, "{name}: what was said is kept");
    }
}

#[test]
fn samples_without_any_label_count_as_scikit_learn_has_it() {
    let (outputs, none) = (arr2(&[[0.1, 0.2]]).into_dyn(), Tensor::<f64>::zeros(vec![1, 2]));
    let mut recall = Recall::default().multi_label(0.5);
    recall.update(&outputs, &none, None).unwrap();
    assert_eq!(recall.value(), 0.0); // 0 / 0 is 0 and not NaN, because a sample was seen
    let mut exact = ExactMatch::multi_label(0.5);
    exact.update(&outputs, &none, None).unwrap();
    assert_eq!(exact.value(), 1.0);
}

#[test]
fn what_would_be_misread_is_refused() {
    for mut metric in all() {
        let name = metric.name().to_owned();
        for told in [Outputs::Distributions, Outputs::Logits, Outputs::Scores] {
            let text = metric.begin(told, &[3]).unwrap_err().to_string();
            assert!(text.contains("got those of classes that exclude each other"), "{text}");
        }
        for told in [Outputs::Unknown, Outputs::Numbers, Outputs::BinaryLogits, Outputs::Probabilities] {
            metric.begin(told, &[3]).unwrap();
        }
        for (targets, part) in [
            (
                arr2(&[[1.0, 0.0, 0.0], [0.0, 0.5, 1.0]]),
                "the target of sample 1 in the batch must be 0 or 1 for each label",
            ),
            (
                arr2(&[[1.0, 0.0, -1.0], [0.0, 1.0, 1.0]]),
                "the target of sample 0 in the batch must be 0 or 1 for each label",
            ),
            (
                arr2(&[[1.0, 0.0, f64::NAN], [0.0, 1.0, 1.0]]),
                "the target of sample 0 in the batch must be a number",
            ),
        ] {
            let text = metric.update(&rows(), &targets.into_dyn(), None).unwrap_err().to_string();
            assert!(text.starts_with(&format!("{name}: {part}")), "{text}");
        }
        let nan = arr2(&[[0.5, 0.5, 0.5], [0.5, f64::NAN, 0.5]]).into_dyn();
        let text = metric.update(&nan, &rows(), None).unwrap_err().to_string();
        assert!(text.contains("the prediction of sample 1 in the batch must be a number, got NaN"), "{text}");
        assert!(metric.update(&rows(), &Tensor::zeros(vec![2, 2]), None).is_err());
        assert!(metric.update(&rows(), &rows(), Some(&[1.0])).is_err());
        assert!(metric.value().is_nan(), "{name}: nothing was added");
        metric.update(&rows(), &rows(), None).unwrap();
        assert!(
            metric.update(&Tensor::zeros(vec![1, 4]), &Tensor::zeros(vec![1, 4]), None).is_err(),
            "{name}"
        );
    }
    // Class indices imply that the classes exclude each other.
    let mut recall = Recall::default().multi_label(0.5);
    assert!(Metric::<[usize], f64>::begin(&mut recall, Outputs::Probabilities, &[3]).is_err());
    let text = recall.update(&rows(), &[0usize, 1][..], None).unwrap_err().to_string();
    assert!(text.starts_with("recall: the targets must be 0 or 1 for each label"), "{text}");
    for (thresholds, part) in [
        (vec![0.5, 0.5], "must be 1 or 3, one for each label, got 2"),
        (vec![0.5, f64::NAN, 0.5], "a finite number, got NaN"),
    ] {
        let text =
            Recall::default().multi_label(thresholds).update(&rows(), &rows(), None).unwrap_err().to_string();
        assert!(text.contains(part), "{text}");
    }
    let mut of_logits = ExactMatch::multi_label(0.0);
    Metric::<Tensor<f64>, f64>::begin(&mut of_logits, Outputs::BinaryLogits, &[3]).unwrap();
    let error = Metric::<Tensor<f64>, f64>::begin(&mut of_logits, Outputs::Probabilities, &[3]).unwrap_err();
    assert!(error.to_string().contains("above 0 and below 1 for probabilities, got 0"), "{error}");
}

#[test]
fn several_probabilities_are_no_classes() {
    let metrics: Vec<Box<dyn Metric<Tensor<f64>, f64>>> = vec![
        Box::new(Accuracy::default()),
        Box::new(TopK::k(1)),
        Box::new(Precision::default()),
        Box::new(Recall::default()),
        Box::new(FBeta::default()),
        Box::new(RocAuc::default()),
        Box::new(AveragePrecision::default()),
    ];
    for mut metric in metrics {
        for told in [Outputs::Probabilities, Outputs::BinaryLogits] {
            let text = metric.begin(told, &[3]).unwrap_err().to_string();
            assert!(
                text.contains("be of classes that exclude each other, got 3 independent outputs"),
                "{text}"
            );
            assert!(text.contains("`.multi_label(..)`"), "{text}");
            metric.begin(told, &[1]).unwrap();
        }
    }
    // Class indices imply that they do: of several outputs the largest counts.
    Metric::<[usize], f64>::begin(&mut Accuracy::default(), Outputs::Probabilities, &[3]).unwrap();
}

#[test]
fn a_models_labels_and_their_report() {
    let model = Sequential::builder([3]).layer(Given(3)).layer(Sigmoid).build().unwrap();
    let x = arr2(&[[1.0f32, 1.0, -1.0], [-1.0, 2.0, 1.0], [-1.0, -1.0, -1.0]]);
    let y = arr2(&[[1.0f32, 1.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0]]);
    assert_eq!(model.predict_labels(&x, 0.5).unwrap(), y.mapv(|t| t == 1.0));
    assert_eq!(model.predict_labels(&x, [0.5, 0.8, 0.5]).unwrap().column(1), arr1(&[false, true, false]));
    let data = ArrayDataset::new(x.clone(), y.clone()).unwrap().with_class_names(["a", "b"]);
    let report = evaluate::multi_label_report(&model, &data, 0.5).unwrap();
    assert!(report.labels.iter().all(|label| label.f1 == 1.0));
    assert_eq!(report.labels.iter().map(|label| label.name.as_str()).collect::<Vec<_>>(), ["a", "b", "2"]);
    assert_eq!(
        (report.macro_mean.f1, report.samples_mean.f1, report.micro_mean.support),
        (1.0, 2.0 / 3.0, 4)
    );

    let text = |error: Error| error.to_string();
    let two = model.predict_labels(&x, [0.5, 0.5]).unwrap_err();
    assert!(text(two).starts_with("predict: the number of thresholds must be 1 or 3, one for each label"));
    let zero = evaluate::multi_label_report(&model, &data, 0.0).unwrap_err();
    assert!(text(zero).contains("above 0 and below 1 for probabilities"));
    let mut soft = y.clone();
    soft[[1, 2]] = 0.5;
    let soft =
        evaluate::multi_label_report(&model, &ArrayDataset::new(x.clone(), soft).unwrap(), 0.5).unwrap_err();
    assert!(
        text(soft).starts_with("evaluate: the target of sample 1 must be 0 or 1 for each label, got 0.5.")
    );
    let softmax = Sequential::builder([3]).layer(Softmax).build().unwrap();
    let softmax = evaluate::multi_label_report(&softmax, &data, 0.5).unwrap_err();
    assert!(text(softmax).contains("got those of softmax"));
    let narrow = ArrayDataset::new(x, y.slice(ndarray::s![.., ..2]).to_owned()).unwrap();
    assert!(
        text(evaluate::multi_label_report(&model, &narrow, 0.5).unwrap_err())
            .contains("the targets must have shape [3, 3]")
    );
    // For logits, with a threshold for logits.
    let logits = Sequential::builder([3]).layer(Given(3)).build().unwrap();
    assert_eq!(evaluate::multi_label_report(&logits, &data, 0.0).unwrap(), report);
}

#[test]
fn classes_of_a_single_output_go_by_the_models_last_function() {
    let x = arr2(&[[0.3f32], [-0.3], [0.7]]);
    let of = |builder: plywood::nn::SequentialBuilder| builder.build().unwrap();
    let linear = of(Sequential::builder([1]).layer(Given(1)));
    assert_eq!(linear.predict_classes(&x).unwrap(), [1, 0, 1]);
    let sigmoid = of(Sequential::builder([1]).layer(Given(1)).layer(Sigmoid));
    assert_eq!(sigmoid.predict_classes(&x).unwrap(), [1, 0, 1]);
    let data = ArrayDataset::new(x.clone(), vec![1, 0, 1]).unwrap();
    for model in [&linear, &sigmoid] {
        assert_eq!(evaluate::classification_report(model, &data).unwrap().accuracy, 1.0);
    }
    assert!(evaluate::error_analysis(&sigmoid, &data).is_ok());
    let error = evaluate::error_analysis(&linear, &data).unwrap_err().to_string();
    assert!(error.contains("must be probabilities, got logits"), "{error}");
    for model in [
        of(Sequential::builder([1]).layer(Given(1)).layer(ReLU)),
        of(Sequential::builder([1]).layer(Given(1)).layer(Tanh)),
    ] {
        let text = "the single output of the model must be that of Sigmoid or of a linear layer, got that of \
                    another function. Use `predict_labels` with the threshold above which the output means class 1.";
        assert_eq!(model.predict_classes(&x).unwrap_err().to_string(), format!("predict: {text}"));
        assert_eq!(evaluate::classes(&model, &data).unwrap_err().to_string(), format!("evaluate: {text}"));
        assert_eq!(
            model.predict_labels(&x, 0.5).unwrap(),
            arr2(&[[false], [false], [x[[2, 0]].tanh() > 0.5]])
        );
    }
    let softmax = of(Sequential::builder([1]).layer(Given(1)).layer(Softmax));
    assert!(softmax.predict_classes(&x).unwrap_err().to_string().contains("softmax, which is always 1"));
    // For several sigmoid outputs, labels imply that the classes exclude each other; without labels nothing does.
    let several = of(Sequential::builder([2]).layer(Given(2)).layer(Sigmoid));
    let x = arr2(&[[0.3f32, 0.1], [-0.3, 0.1]]);
    let text = several.predict_classes(&x).unwrap_err().to_string();
    assert!(text.contains("`predict_labels`") && text.contains("`argmax_rows`"), "{text}");
    let data = ArrayDataset::new(x, vec![0, 1]).unwrap();
    assert_eq!(evaluate::confusion_matrix(&several, &data).unwrap().accuracy(), 1.0);
}

#[test]
fn nan_is_no_class_and_no_label() {
    let spoilt = || {
        let mut model = Sequential::builder([2]).layer(Given(2)).layer(Softmax).build().unwrap();
        model.visit_params_mut(&mut |_, param| param.as_slice_mut().fill(f32::NAN));
        model
    };
    let x = arr2(&[[0.5f32, 0.25], [f32::NAN, 1.0]]);
    let sound = Sequential::builder([2]).layer(Given(2)).layer(Softmax).build().unwrap();
    let text = "predict: the input of sample 1 is not finite (NaN or infinity). \
                Clean the data: leave such samples out, or fill in what is missing.";
    assert_eq!(sound.predict_classes(&x).unwrap_err().to_string(), text);
    let labels = Sequential::builder([2]).layer(Given(2)).layer(Sigmoid).build().unwrap();
    assert_eq!(labels.predict_labels(&x, 0.5).unwrap_err().to_string(), text);
    assert!(sound.predict(&x).unwrap()[[1, 0]].is_nan(), "predict itself shows it");
    let x = arr2(&[[0.5f32, 0.25], [1.0, 1.0]]);
    let error = spoilt().predict_classes(&x).unwrap_err().to_string();
    assert!(
        error.starts_with("predict, sample 0: the parameter weight of layer 0 (dense) is not finite"),
        "{error}"
    );
    let data = ArrayDataset::new(x.clone(), vec![0, 1]).unwrap();
    let multi_hot = ArrayDataset::new(x.clone(), x.mapv(|_| 1.0)).unwrap();
    let mut sigmoid = Sequential::builder([2]).layer(Given(2)).layer(Sigmoid).build().unwrap();
    sigmoid.visit_params_mut(&mut |_, param| param.as_slice_mut().fill(f32::NAN));
    for error in [
        evaluate::classes(&spoilt(), &data).map(drop),
        evaluate::confusion_matrix(&spoilt(), &data).map(drop),
        evaluate::classification_report(&spoilt(), &data).map(drop),
        evaluate::error_analysis(&spoilt(), &data).map(drop),
        evaluate::multi_label_report(&sigmoid, &multi_hot, 0.5).map(drop),
    ] {
        let error = error.unwrap_err().to_string();
        assert!(error.contains("sample 0") && error.contains("NaN"), "{error}");
    }
}
