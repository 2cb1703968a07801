//! NaN and infinity are never hidden: everything that computes a result or a decision from data or a model reports
//! where they are.

use ndarray::{Array2, arr2};
use plywood::ErrorKind;
use plywood::prelude::*;
use serde::{Deserialize, Serialize};

fn silent<L: Loss, R: plywood::optim::UpdateRule>(loss: L, rule: R) -> Trainer<L> {
    Trainer::new(loss, rule).progress(Progress::Silent)
}

fn inputs() -> Array2<f32> {
    Array2::from_shape_fn((40, 2), |(i, j)| ((i * 3 + j * 5) % 7) as f32 / 7.0)
}

fn regression() -> Sequential {
    Sequential::builder([2]).layer(Dense::units(3)).layer(ReLU).layer(Dense::units(1)).build().unwrap()
}

fn classifier() -> Sequential {
    Sequential::builder([2])
        .layer(Dense::units(3))
        .layer(ReLU)
        .layer(Dense::units(2))
        .layer(Softmax)
        .build()
        .unwrap()
}

const CLEAN: &str =
    "is not finite (NaN or infinity). Clean the data: leave such samples out, or fill in what is missing.";

/// Returns data with one target or input value that is not finite.
fn spoilt(what: &str, sample: usize, value: f32) -> ArrayDataset<f32, Array2<f32>> {
    let (mut x, mut t) = (inputs(), Array2::zeros((40, 1)));
    match what {
        "target" => t[[sample, 0]] = value,
        _ => x[[sample, 1]] = value,
    }
    ArrayDataset::new(x, t).unwrap()
}

#[test]
fn data_are_looked_at_in_training_validation_evaluation_and_the_range_test() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for what in ["target", "input"] {
            let trainer = || silent(MeanSquaredError, SGD::default()).batch_size(8);
            let data = spoilt(what, 17, value);
            let mut model = regression();
            let mut used = trainer();
            let text = used.fit(&mut model, &data).unwrap_err().to_string();
            assert_eq!(text, format!("fit: the {what} of sample 17 {CLEAN}"));
            if what == "target" {
                assert_eq!(used.optimizer().steps(), 0, "before the first step");
            }
            // The last quarter is for validation, so sample 35 is number 5 there, counted from 0.
            let data = spoilt(what, 35, value);
            let text =
                trainer().validation_split(0.25).fit(&mut regression(), &data).unwrap_err().to_string();
            let place = if what == "target" { "validation data" } else { "validation" };
            assert_eq!(text, format!("fit, {place}: the {what} of sample 5 {CLEAN}"));
            let text = trainer().evaluate(&regression(), &data).unwrap_err().to_string();
            assert_eq!(text, format!("evaluate: the {what} of sample 35 {CLEAN}"));
            let text =
                trainer().find_learning_rate(&regression(), &data, 1e-6, 1e-3, 20).unwrap_err().to_string();
            assert_eq!(text, format!("find_learning_rate: the {what} of sample 35 {CLEAN}"));
            // In a single step, samples are named by their position in the batch.
            let (mut x, mut t) = (Tensor::zeros(vec![4, 2]), Tensor::zeros(vec![4, 1]));
            if what == "target" {
                t[[2, 0]] = value;
            } else {
                x[[2, 0]] = value;
            }
            let mut model = regression();
            let before = model.to_bytes().unwrap();
            let text = trainer().step(&mut model, x.clone(), &t, None).unwrap_err().to_string();
            let within = if what == "target" { ", mean squared error" } else { "" };
            assert_eq!(text, format!("step{within}: the {what} of sample 2 in the batch {CLEAN}"));
            assert!(plywood::train::accumulate(&mut model, &MeanSquaredError, x, &t, None).is_err());
            assert_eq!(model.to_bytes().unwrap(), before);
        }
    }
}

/// `max` ignores NaN, so a layer that uses it hides a NaN in its input. Inputs are therefore checked separately.
#[test]
fn a_layer_that_hides_nan_hides_none_in_the_data() {
    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct Hiding;
    impl Elementwise for Hiding {
        const KIND: Kind = Kind::own("test.hiding");
        fn value<F: Scalar>(&self, x: F) -> F {
            x.max(F::zero())
        }
        fn derivative<F: Scalar>(&self, x: F, _: F) -> F {
            if x > F::zero() { F::one() } else { F::zero() }
        }
    }
    let mut model = Sequential::builder([2]).layer(Hiding).layer(Dense::units(1)).build().unwrap();
    let data = spoilt("input", 3, f32::NAN);
    let mut trainer = silent(MeanSquaredError, SGD::default());
    let text = trainer.fit(&mut model, &data).unwrap_err().to_string();
    assert_eq!(text, format!("fit: the input of sample 3 {CLEAN}"));
    assert!(trainer.evaluate(&model, &data).unwrap_err().to_string().contains("the input of sample 3"));
}

/// The error is the same everywhere: it names the sample, and the layer whose weights are NaN.
#[test]
fn a_model_of_nan_is_named_by_whatever_decides_or_counts() {
    let mut model = classifier();
    model.visit_params_mut(&mut |name, param| {
        if name == "2.weight" {
            param.as_slice_mut().fill(f32::NAN);
        }
    });
    let data = ArrayDataset::new(inputs(), (0..40).map(|i| i % 2).collect::<Vec<_>>()).unwrap();
    let nan = |error: plywood::Error| {
        assert!(matches!(error.kind(), ErrorKind::NonFinite { .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.contains("sample 0")
                && text.contains("the parameter weight of layer 2 (dense) is not finite"),
            "{text}"
        );
    };
    nan(evaluate::classes(&model, &data).unwrap_err());
    nan(evaluate::confusion_matrix(&model, &data).unwrap_err());
    nan(evaluate::classification_report(&model, &data).unwrap_err());
    nan(evaluate::error_analysis(&model, &data).unwrap_err());
    nan(model.predict_classes(&inputs()).unwrap_err());
    let mut trainer = silent(CrossEntropy::default(), SGD::default()).metric(Accuracy::default());
    nan(trainer.evaluate(&model, &data).unwrap_err());
    let text = trainer.fit(&mut model, &data).unwrap_err().to_string();
    assert!(text.starts_with(
        "fit: the parameter weight of layer 2 (dense) is not finite (NaN or infinity), noticed at step 1"
    ));
    // If no decision is made, one row of NaN must not affect the rest of the batch.
    let rows = model.predict(&inputs()).unwrap();
    assert!(rows.iter().all(|p| p.is_nan()) && rows.shape() == [40, 2]);
}

#[test]
fn one_sample_of_nan_is_named_by_its_place() {
    let mut x = inputs();
    x[[33, 0]] = f32::NAN;
    let text = classifier().predict_classes(&x).unwrap_err().to_string();
    assert!(text.contains("sample 33"), "{text}");
    let predictions = classifier().predict(&x).unwrap();
    for (i, row) in predictions.outer_iter().enumerate() {
        assert_eq!(row.iter().any(|p| p.is_nan()), i == 33);
    }
}

/// `ln 0` is -infinity, which is a valid logit: its softmax is 0.
#[test]
fn the_logarithm_of_0_is_legal() {
    let inputs = arr2(&[[0.0f32, f32::MIN], [f32::MIN, 0.0]]);
    let model = Sequential::builder([2]).layer(LogSoftmax).build().unwrap();
    let data = ArrayDataset::new(inputs, vec![0, 1]).unwrap();
    let mut trainer =
        silent(CrossEntropy::default().from_logits(true), SGD::default()).metric(Accuracy::default());
    let evaluation = trainer.evaluate(&model, &data).unwrap();
    assert_eq!((evaluation.loss, evaluation.get("accuracy")), (0.0, Some(1.0)));
    assert_eq!(evaluate::classes(&model, &data).unwrap().1, [0, 1]);
}

/// Parameters are checked after the last step of a training, too, although no loss is computed after it.
#[test]
fn parameters_are_looked_at_after_the_last_step() {
    let data = ArrayDataset::new(inputs(), Array2::ones((40, 1))).unwrap();
    let trainer = || silent(MeanSquaredError, SGD::default()).batch_size(40);
    let text = trainer().learning_rate(1e300).fit(&mut regression(), &data).unwrap_err().to_string();
    assert!(
        text.contains("of layer 2 (dense) is not finite")
            || text.contains("of layer 0 (dense) is not finite"),
        "{text}"
    );
    assert!(text.ends_with(
        "noticed at step 1. Training diverged: lower the learning rate, clip gradients with `clip_norm`, or scale the \
         inputs."
    ));
    // In f64, a learning rate of 1e300 causes an overflow at once.
    let x = inputs().mapv(f64::from);
    let data = ArrayDataset::new(x, Array2::<f64>::from_elem((40, 1), 1e9)).unwrap();
    let mut model = Sequential::<f64>::builder_of([2]).layer(Dense::units(1)).build().unwrap();
    let mut trainer = Trainer::new(MeanSquaredError, SGD::default()).learning_rate(1e300).batch_size(40);
    trainer = trainer.progress(Progress::Silent);
    let text = trainer.fit(&mut model, &data).unwrap_err().to_string();
    assert!(text.starts_with("fit: the parameter weight of layer 0 (dense) is not finite"), "{text}");
}

/// If an output is finite but its loss is not, the error names the sample.
#[test]
fn an_infinite_loss_names_the_sample() {
    let mut targets = Array2::zeros((40, 1));
    targets[[21, 0]] = 3e38f32;
    let data = ArrayDataset::new(inputs(), targets).unwrap();
    let mut trainer = silent(MeanSquaredError, SGD::default());
    let text = trainer.evaluate(&regression(), &data).unwrap_err().to_string();
    assert!(text.starts_with("evaluate: the loss of sample 21 is not finite (NaN or infinity). "), "{text}");
    let text = trainer.fit(&mut regression(), &data).unwrap_err().to_string();
    assert!(
        text.starts_with("fit: the loss of sample 21 is not finite (NaN or infinity), noticed at step"),
        "{text}"
    );
}

/// In a search over such data, each trial fails, and if all trials fail, the search returns an error.
#[test]
fn a_search_and_folds_name_the_sample() {
    let data = spoilt("target", 5, f32::NAN);
    let search = plywood::train::Search::grid(plywood::train::Space::new().choice("rate", [0.01, 0.1]));
    let error = search.run(&data, &KFold::new(4), |trial, _| {
        Ok((regression(), silent(MeanSquaredError, SGD::default()).learning_rate(trial.number("rate")?)))
    });
    assert!(error.unwrap_err().to_string().contains("is not finite"));
    let build = |_| Ok((regression(), silent(MeanSquaredError, SGD::default())));
    let error = plywood::train::cross_validate(&data, &KFold::new(4), build).unwrap_err().to_string();
    assert!(error.contains("the target of sample"), "{error}");
}
