//! Samples with weight 0, empty batches and refused steps must have no effect.

use crate::numbers::{parameters, silent};
use ndarray::{Array2, arr2};
use plywood::data::{MixUp, Pass};
use plywood::nn::Gradient;
use plywood::optim::{Averaging, CosineDecay};
use plywood::prelude::*;
use plywood::train::{Checkpoints, GradientNorms, accumulate};
use std::sync::{Arc, Mutex};

fn model() -> Sequential<f64> {
    Sequential::<f64>::builder_of([3]).seed(4).layer(Dense::units(2)).layer(Softmax).build().unwrap()
}

fn inputs(rows: usize) -> Tensor<f64> {
    Tensor::from_shape_fn(vec![rows, 3], |i| ((i[0] * 7 + i[1] * 5) % 11) as f64 / 11.0 - 0.5)
}

fn labels(rows: usize) -> Vec<usize> {
    (0..rows).map(|i| i % 2).collect()
}

/// Returns all gradients of a model, concatenated.
fn gradients(model: &Sequential<f64>) -> Vec<f64> {
    let mut all = Vec::new();
    model.visit_params(&mut |_, param| {
        if let Some(Gradient::Dense(gradient)) = param.gradient() {
            all.extend(gradient);
        }
    });
    all
}

/// If the true class has a probability of 0, loss and derivative are infinite. A weight of 0 removes both, for every
/// loss.
#[test]
fn a_sample_of_weight_0_has_no_loss_and_no_gradient() {
    fn check<L: Loss<f64>>(name: &str, loss: &L, output: &Tensor<f64>, target: &L::Target) {
        let (value, grad) = loss.value_and_grad(output.clone(), target, Some(&[0.0, 1.0]), 2.0).unwrap();
        assert!(value.sum.is_finite() && value.weight > 0.0, "{name}: {value:?}");
        assert!(grad.row(0).iter().all(|g| *g == 0.0), "{name}: {grad}");
        assert!(grad.row(1).iter().all(|g| g.is_finite()), "{name}: {grad}");
    }
    trait Row {
        fn row(&self, i: usize) -> ndarray::ArrayViewD<'_, f64>;
    }
    impl Row for Tensor<f64> {
        fn row(&self, i: usize) -> ndarray::ArrayViewD<'_, f64> {
            self.index_axis(ndarray::Axis(0), i)
        }
    }
    let p = arr2(&[[0.0, 1.0], [0.5, 0.5]]).into_dyn();
    let rows = arr2(&[[1.0, 0.0], [0.0, 1.0]]).into_dyn();
    check("cross-entropy", &CrossEntropy::default(), &p, &[0, 1]);
    check("smoothed", &CrossEntropy::default().label_smoothing(0.1), &p, &[0, 1]);
    check("rows", &SoftCrossEntropy::default(), &p, &rows);
    check("divergence", &KLDivergence::default(), &p, &rows);
    check("focal", &Focal::default(), &p, &[0, 1]);
    check("several labels", &SoftBinaryCrossEntropy::default(), &p, &rows);
    let single = arr2(&[[0.0], [0.5]]).into_dyn();
    check("binary", &BinaryCrossEntropy::default(), &single, &[1, 1]);
    let far = arr2(&[[f64::MAX, -f64::MAX], [0.5, 0.5]]).into_dyn();
    check("squared", &MeanSquaredError, &far, &rows);
    check("hinge", &Hinge::default(), &arr2(&[[f64::MAX, -f64::MAX], [0.5, 0.5]]).into_dyn(), &[1, 1]);
    // A logit of -infinity is a probability of 0, which is correct where the target is 0.
    let masked = arr2(&[[0.0, f64::NEG_INFINITY], [0.0, 0.0]]).into_dyn();
    let (value, grad) =
        SoftCrossEntropy::default().from_logits(true).value_and_grad(masked, &rows, None, 2.0).unwrap();
    assert!((value.sum - 2f64.ln()).abs() < 1e-12 && grad.iter().all(|g| g.is_finite()), "{value:?} {grad}");
}

#[test]
fn a_batch_of_no_samples_is_an_error() {
    let (mut model, before) = (model(), parameters(&model()));
    let mut trainer = silent(CrossEntropy::default(), SGD::default());
    let text = trainer.step(&mut model, inputs(0), &[], None).unwrap_err().to_string();
    assert_eq!(text, "step: the batch must have at least one sample, got none. Leave such a batch out.");
    let text =
        accumulate(&mut model, &CrossEntropy::default(), inputs(0), &[], None).unwrap_err().to_string();
    assert!(text.ends_with("the batch must have at least one sample, got none. Leave such a batch out."));
    assert!(parameters(&model) == before && gradients(&model).is_empty());
}

/// A data set that claims four samples but always reads three.
struct Short;

impl Dataset<f64> for Short {
    type Target = Vec<usize>;
    fn len(&self) -> usize {
        4
    }
    fn input_shapes(&self) -> InputShapes<'_> {
        InputShapes::One(&[3])
    }
    fn read(&self, _: &[usize], _: Pass, batch: &mut Batch<f64, Vec<usize>>) -> Result<()> {
        (batch.inputs[0], batch.target) = (inputs(3), labels(3));
        Ok(())
    }
}

#[test]
fn a_data_set_that_reads_fewer_samples_is_an_error_everywhere() {
    let trainer = || silent(CrossEntropy::default(), SGD::default()).batch_size(4);
    for text in [
        trainer().fit(&mut model(), &Short).unwrap_err().to_string(),
        trainer().evaluate(&model(), &Short).unwrap_err().to_string(),
        trainer().find_learning_rate(&model(), &Short, 1e-3, 1e-2, 10).unwrap_err().to_string(),
        plywood::evaluate::confusion_matrix(&model(), &Short).unwrap_err().to_string(),
    ] {
        assert!(text.contains("the batch must have 4 samples, as requested, got 3"), "{text}");
    }
}

/// Gradients accumulated by a refused step are not used by later steps.
#[test]
fn a_refused_step_leaves_no_gradient() {
    let good = |trainer: &mut Trainer<CrossEntropy, f64>, model: &mut Sequential<f64>| {
        trainer.step(model, inputs(4), &labels(4), None).unwrap();
        parameters(model)
    };
    let trainer = || silent(CrossEntropy::default(), SGD::default()).learning_rate(0.5);
    let right = good(&mut trainer(), &mut model());
    // A learning rate of NaN, and class weights that leave out the batch.
    let mut refused = model();
    let text = silent(CrossEntropy::default(), SGD::default())
        .learning_rate(|_: u64| f64::NAN)
        .step(&mut refused, inputs(6), &labels(6), None)
        .unwrap_err()
        .to_string();
    assert!(text.starts_with("step") && text.contains("learning rate"), "{text}");
    let loss = CrossEntropy::default().class_weights([1.0, 0.0]);
    silent(loss, SGD::default()).step(&mut refused, inputs(1), &[1], None).unwrap_err();
    assert!(gradients(&refused).is_empty());
    assert_eq!(good(&mut trainer(), &mut refused), right);
    // `fit` refuses the learning rate before it computes anything.
    let data = ArrayDataset::new(inputs(6), labels(6)).unwrap();
    let mut nan = silent(CrossEntropy::default(), SGD::default()).learning_rate(|_: u64| f64::NAN);
    nan.fit(&mut refused, &data).unwrap_err();
    assert_eq!(parameters(&refused), right);
}

/// Reading a gradient between two batches of different sizes does not change the step.
#[test]
fn a_look_at_gradients_changes_no_step() {
    let run = |look: bool| {
        let mut model = model();
        let mut optimizer = Optimizer::new(SGD::default()).learning_rate(0.5);
        for rows in [1, 9] {
            accumulate(&mut model, &CrossEntropy::default(), inputs(rows), &labels(rows), None).unwrap();
            if look {
                assert!(!gradients(&model).is_empty());
                model.visit_params_mut(&mut |_, param| drop(param.value_and_gradient()));
            }
        }
        optimizer.step(&mut model).unwrap();
        parameters(&model)
    };
    for (a, b) in run(false).iter().zip(run(true)) {
        assert!((a - b).abs() < 1e-15, "{a} {b}");
    }
}

/// The optimizer's state includes gradients that were accumulated without the optimizer.
#[test]
fn a_state_has_the_gradients_that_no_step_has_used() {
    let gather = |model: &mut Sequential<f64>, rows| {
        accumulate(model, &CrossEntropy::default(), inputs(rows), &labels(rows), None).unwrap();
    };
    let optimizer = || Optimizer::new(Adam::default()).learning_rate(0.1);
    let (mut whole, mut first) = (model(), optimizer());
    gather(&mut whole, 3);
    let state = first.state(&whole);
    let (mut resumed, mut second) = (model(), optimizer());
    second.load_state(&mut resumed, state).unwrap();
    for (model, optimizer) in [(&mut whole, &mut first), (&mut resumed, &mut second)] {
        gather(model, 5);
        optimizer.step(model).unwrap();
    }
    assert_eq!(parameters(&whole), parameters(&resumed));
}

#[test]
fn the_range_test_takes_no_step_without_weight_and_begins_with_a_loss() {
    let find = |weights: Vec<f64>| {
        let data = ArrayDataset::new(inputs(8), labels(8)).unwrap().weights(weights).unwrap();
        let mut trainer = silent(CrossEntropy::default(), SGD::default()).batch_size(1);
        trainer.find_learning_rate(&model(), &data, 1e-4, 1e-1, 10)
    };
    let found = find(vec![0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0]).unwrap();
    assert_eq!(found.losses.len(), 10);
    assert!(found.losses.iter().all(|loss| *loss > 0.0), "{found:?}");
    let text = find(vec![0.0; 8]).unwrap_err().to_string();
    assert!(text.contains("the weights must include one above 0"), "{text}");
    // Gradients that the model already has are not used.
    let data = ArrayDataset::new(inputs(8), labels(8)).unwrap();
    let mut trainer = silent(CrossEntropy::default(), SGD::default()).batch_size(8);
    let clean = trainer.find_learning_rate(&model(), &data, 1e-4, 1e-1, 10).unwrap();
    let mut used = model();
    accumulate(&mut used, &CrossEntropy::default(), inputs(8), &labels(8), None).unwrap();
    assert_eq!(trainer.find_learning_rate(&used, &data, 1e-4, 1e-1, 10).unwrap().losses, clean.losses);
}

/// The sample with weight 0 has the value 1000 and is not part of any mixture with a positive weight.
#[test]
fn a_sample_of_weight_0_is_in_no_mixture() {
    let x = Array2::from_shape_fn((6, 1), |(i, _)| if i == 2 { 1000.0 } else { i as f64 });
    let data = ArrayDataset::new(x.clone(), x).unwrap().weights(vec![1.0, 1.0, 0.0, 1.0, 1.0, 1.0]).unwrap();
    let mixed = MixUp::new(data, 0.2, 7).unwrap();
    let mut batch = Batch::default();
    for epoch in 0..40 {
        mixed.read(&[0, 1, 2, 3, 4, 5], Pass::Train { epoch }, &mut batch).unwrap();
        for (i, (x, w)) in batch.inputs[0].iter().zip(batch.weights.as_ref().unwrap()).enumerate() {
            assert_eq!((*x > 5.0, *w == 0.0), (i == 2, i == 2), "epoch {epoch}, sample {i}: {x}, weight {w}");
        }
    }
}

/// The softmax of a single unit, or its logarithm, does not determine a class.
#[test]
fn one_units_softmax_decides_nothing() {
    let x = Array2::<f32>::zeros((2, 3));
    let one = || Sequential::builder([3]).layer(Dense::units(1));
    for model in [one().layer(Softmax).build().unwrap(), one().layer(LogSoftmax).build().unwrap()] {
        let text = model.predict_classes(&x).unwrap_err().to_string();
        assert!(text.contains("got that of softmax, which is always 1"), "{text}");
    }
}

/// Softmax predicts one class, even if the loss treats each probability separately.
#[test]
fn softmax_with_a_loss_of_several_labels_is_counted_by_the_largest() {
    let rows = arr2(&[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);
    let logits = arr2(&[[0.3, 0.2, 0.1], [0.2, 0.3, 0.1]]); // no probability is above 0.5
    let data = ArrayDataset::new(logits, rows).unwrap();
    let model = Sequential::<f64>::builder_of([3]).layer(Softmax).build().unwrap();
    let mut trainer = silent(SoftBinaryCrossEntropy::default(), SGD::default()).metric(Accuracy::default());
    assert_eq!(trainer.evaluate(&model, &data).unwrap().get("accuracy"), Some(1.0));
}

/// Concatenated softmax rows are not a distribution, and are no longer treated as one.
#[test]
fn rows_put_together_are_no_distribution() {
    let body = || Sequential::builder([2, 2]).layer(Softmax);
    let data = ArrayDataset::new(ndarray::Array3::<f32>::zeros((8, 2, 2)), vec![0; 8]).unwrap();
    let trainer = || silent(CrossEntropy::default(), SGD::default());
    let text = trainer().evaluate(&body().layer(Flatten).build().unwrap(), &data).unwrap_err().to_string();
    assert!(text.contains("got a sum of 2.0000"), "{text}");
    // A block that ends in softmax returns distributions, whatever its input is.
    let again = Sequential::block().layer(Dense::units(3)).layer(Softmax);
    let model = Sequential::builder([4]).layer(Dense::units(5)).layer(Softmax).layer(again).build().unwrap();
    let text = model.predict_labels(&Array2::<f32>::zeros((1, 4)), 0.5).unwrap_err().to_string();
    assert!(text.contains("got those of softmax"), "{text}");
    // Rows with a sum of 2 are not known to be a softmax, so a loss of logits accepts them.
    let mut logits = silent(CrossEntropy::default().from_logits(true), SGD::default());
    logits.evaluate(&body().layer(Flatten).build().unwrap(), &data).unwrap();
}

#[test]
fn a_min_delta_that_is_no_number_is_refused() {
    let data = ArrayDataset::new(inputs(8), labels(8)).unwrap();
    for (delta, found) in [(f64::NAN, "NaN"), (-0.1, "-0.1"), (f64::INFINITY, "inf")] {
        let stop = EarlyStopping::patience(2).monitor("loss").min_delta(delta);
        let mut trainer = silent(CrossEntropy::default(), SGD::default()).callback(stop);
        let text = trainer.fit(&mut model(), &data).unwrap_err().to_string();
        assert!(text.contains(&format!("`min_delta` must be at least 0 and finite, got {found}")), "{text}");
    }
}

/// What callbacks see of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Told {
    number: usize,
    step: u64,
    loss: f64,
}

/// A callback that records what it sees of the batches.
#[derive(Clone, Default)]
struct Keeps(Arc<Mutex<Vec<Told>>>);

impl Callback<f64> for Keeps {
    fn on_batch_end(&mut self, context: &mut Context<'_, f64>) -> Result<()> {
        let told = Told { number: context.batch(), step: context.step(), loss: context.loss() };
        self.0.lock().unwrap().push(told);
        Ok(())
    }
}

/// The results of a run: the model, the optimizer's state, losses, steps with recorded gradient norms, and what
/// callbacks saw.
type Left = (Vec<u8>, String, Vec<f64>, Vec<u64>, Vec<Told>);

/// Trains on batches of two with these sample weights, with `steps` batches per step. Momentum, weight decay,
/// averaging, a penalty and a schedule are on; without a gradient, each of them would still change the weights.
fn weighted(
    weights: &[f64],
    steps: u64,
    set_up: impl FnOnce(&mut Trainer<CrossEntropy, f64>, &mut Sequential<f64>),
    checkpoints: Option<Checkpoints>,
) -> Left {
    // Batches with a negative weight are left out of the data.
    let rows = 2 * weights.len();
    let kept: Vec<usize> = (0..rows).filter(|row| weights[row / 2] >= 0.0).collect();
    let pick = |row: &usize| weights[row / 2];
    let data = ArrayDataset::new(
        inputs(rows).select(ndarray::Axis(0), &kept),
        kept.iter().map(|row| row % 2).collect::<Vec<_>>(),
    );
    let data = data.unwrap().weights(kept.iter().map(pick).collect::<Vec<_>>()).unwrap();
    let (told, norms, mut model) = (Keeps::default(), GradientNorms::every(1), model());
    let mut trainer = silent(CrossEntropy::default(), plywood::optim::AdamW::default())
        .epochs(3)
        .batch_size(2)
        .shuffle(false)
        .batches_per_step(steps)
        .learning_rate(CosineDecay { start: 0.1, steps: 30 })
        .average(Averaging::exponential(0.5))
        .group(plywood::optim::Group::matching("*.weight").l2(0.1))
        .metric(Accuracy::default())
        .callback(told.clone())
        .callback(norms.clone());
    if let Some(checkpoints) = checkpoints {
        trainer = trainer.checkpoints(checkpoints);
    }
    set_up(&mut trainer, &mut model);
    let history = trainer.fit(&mut model, &data).unwrap();
    let state = serde_json::to_string(&trainer.optimizer().state(&model)).unwrap();
    let values = [history.get("loss"), history.get("accuracy")].concat();
    let told = told.0.lock().unwrap().clone();
    (model.to_bytes().unwrap(), state, values, norms.trace().steps, told)
}

/// A step whose batches all have weight 0 has the same effect as if its batches were not in the data; -1 leaves a batch
/// out.
#[test]
fn a_step_without_weight_changes_nothing() {
    for (steps, zeros, left_out) in [
        (1, &[1.0, 0.0, 2.0, 0.0, 0.0, 1.0][..], &[1.0, -1.0, 2.0, -1.0, -1.0, 1.0][..]),
        (1, &[0.0, 1.0, 2.0, 0.0], &[-1.0, 1.0, 2.0, -1.0]),
        (
            2,
            &[1.0, 0.0, 0.0, 0.0, 0.0, 2.0, 1.0, 1.0, 0.0],
            &[1.0, 0.0, -1.0, -1.0, 0.0, 2.0, 1.0, 1.0, -1.0],
        ),
        (3, &[0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0], &[-1.0, -1.0, -1.0, 0.0, 0.0, 1.0, -1.0, -1.0]),
    ] {
        let mut all = Vec::new();
        for threads in [1, 3] {
            let _turn = crate::take_threads(threads);
            all.push(weighted(zeros, steps, |_, _| {}, None));
        }
        let without = weighted(left_out, steps, |_, _| {}, None);
        for found in &all {
            assert_eq!(found.0, without.0, "the model, {steps} batches a step");
            assert_eq!(found.1, without.1, "the optimizer's state");
            assert_eq!(
                (&found.2, &found.3),
                (&without.2, &without.3),
                "losses, and steps whose gradients are shown"
            );
            // Such batches are still counted, and their loss is NaN.
            let numbers: Vec<usize> = (0..3).flat_map(|_| 1..=zeros.len()).collect();
            assert_eq!(found.4.iter().map(|end| end.number).collect::<Vec<_>>(), numbers);
            for end in &found.4 {
                assert_eq!(end.loss.is_nan(), zeros[end.number - 1] == 0.0, "{end:?}");
            }
            assert_eq!(found.4.last().unwrap().step, without.4.last().unwrap().step);
        }
    }
}

/// A class weight of 0 acts like a weight of 0 for its samples.
#[test]
fn a_step_of_classes_without_weight_changes_nothing() {
    let data = ArrayDataset::new(inputs(4), vec![0, 0, 1, 1]).unwrap();
    let first = ArrayDataset::new(inputs(2), vec![0, 0]).unwrap();
    let run = |data: &ArrayDataset<f64, Vec<usize>>| {
        let loss = CrossEntropy::default().class_weights([1.0, 0.0]);
        let mut trainer = silent(loss, SGD::default().momentum(0.9)).epochs(3).batch_size(2).shuffle(false);
        let mut model = model();
        let history = trainer.fit(&mut model, data).unwrap();
        (parameters(&model), history.get("loss"), trainer.optimizer().steps())
    };
    assert_eq!(run(&data), run(&first));
}

/// A run with batches of weight 0 that is resumed after any batch, even within a step, ends with the same bits.
#[test]
fn batches_without_weight_resume_to_the_same_bits() {
    let folder = std::env::temp_dir().join(format!("plywood-weightless-{}", std::process::id()));
    for (steps, weights) in [
        (1, &[1.0, 0.0, 2.0, 0.0][..]),
        (2, &[1.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0]),
        (3, &[0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]),
    ] {
        let _ = std::fs::remove_dir_all(&folder);
        let unbroken = weighted(weights, steps, |_, _| {}, None);
        let checkpoints = Checkpoints::in_folder(&folder).every_batches(1).keep_last(1000);
        weighted(weights, steps, |_, _| {}, Some(checkpoints));
        let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() > 3 * weights.len(), "{files:?}");
        for file in files {
            let resumed =
                weighted(weights, steps, |trainer, model| drop(trainer.resume(model, &file).unwrap()), None);
            assert_eq!(resumed.0, unbroken.0, "{}", file.display());
            assert_eq!(resumed.1, unbroken.1, "{}", file.display());
            assert_eq!(
                (resumed.2, resumed.3),
                (unbroken.2.clone(), unbroken.3.clone()),
                "{}",
                file.display()
            );
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
