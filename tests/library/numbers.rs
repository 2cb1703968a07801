//! Means and steps: the effect of weights on reports and on steps, for any batch size, order and number of threads.

use ndarray::{Array1, Array2, arr1};
use plywood::losses::{AsTarget, class_weights};
use plywood::prelude::*;
use plywood::train::{Checkpoints, GradientNorms, accumulate};

pub fn silent<L: Loss<F>, R: plywood::optim::UpdateRule<F>, F: Scalar>(loss: L, rule: R) -> Trainer<L, F> {
    Trainer::new(loss, Optimizer::new(rule)).progress(Progress::Silent)
}

/// Returns the parameters of a model, concatenated.
pub fn parameters<F: Scalar>(model: &Sequential<F>) -> Vec<f64> {
    let mut all = Vec::new();
    model.visit_params(&mut |_, param| all.extend(param.as_slice().iter().map(|v| v.as_f64())));
    all
}

/// `evaluate` of a model with fixed probabilities, with the samples sorted by class or mixed: (9 ln 2 - ln 0.9) / 10,
/// as in scikit-learn's `log_loss(sample_weight=w)`.
#[test]
fn class_weights_weigh_the_samples_of_all_batches() {
    let right = (9.0 * 2f64.ln() - 0.9f64.ln()) / 10.0;
    assert!((right - 0.634369).abs() < 1e-6);
    let model = Sequential::<f64>::builder_of([2]).layer(Softmax).build().unwrap();
    for order in ["sorted", "mixed"] {
        let class = |i: usize| if order == "sorted" { usize::from(i >= 512) } else { i % 2 };
        let labels: Vec<usize> = (0..1024).map(class).collect();
        let logits = |i: usize, j: usize| if class(i) == 0 { 0.5f64 } else { [0.1f64, 0.9][j] }.ln();
        let inputs = Array2::from_shape_fn((1024, 2), |(i, j)| logits(i, j));
        let loss = CrossEntropy::default().class_weights([9.0, 1.0]);
        let data = ArrayDataset::new(inputs.clone(), labels.clone()).unwrap();
        let found = silent(loss, SGD::default()).evaluate(&model, &data).unwrap().loss;
        assert!((found - right).abs() < 1e-12, "{order}: {found}");
        // One-hot rows give the same loss as class indices.
        let rows = Array2::from_shape_fn((1024, 2), |(i, j)| f64::from(u8::from(labels[i] == j)));
        let data = ArrayDataset::new(inputs, rows).unwrap();
        let loss = SoftCrossEntropy::default().class_weights([9.0, 1.0]);
        let found = silent(loss, SGD::default()).evaluate(&model, &data).unwrap().loss;
        assert!((found - right).abs() < 1e-12, "{order}, rows: {found}");
    }
}

/// Label smoothing by the loss and rows smoothed in the data agree, with class weights too.
#[test]
fn label_smoothing_and_smoothed_rows_agree() {
    let logits = Tensor::<f64>::from_shape_fn(vec![6, 3], |i| ((i[0] * 5 + i[1] * 3) % 7) as f64 / 3.0 - 1.0);
    let labels = [0, 2, 1, 1, 0, 2];
    let rows = Tensor::from_shape_fn(vec![6, 3], |i| 0.1 + if labels[i[0]] == i[1] { 0.7 } else { 0.0 });
    let weights = [1.0, 0.5, 2.0, 0.0, 3.0, 0.25];
    for classes in [vec![], vec![0.5, 2.0, 1.0]] {
        let smoothed =
            CrossEntropy::default().from_logits(true).label_smoothing(0.3).class_weights(classes.clone());
        let soft = SoftCrossEntropy::default().from_logits(true).class_weights(classes);
        let (a, grad_a) = smoothed.value_and_grad(logits.clone(), &labels, Some(&weights), 6.0).unwrap();
        let (b, grad_b) = soft.value_and_grad(logits.clone(), &rows, Some(&weights), 6.0).unwrap();
        assert!((a.sum - b.sum).abs() < 1e-12 && (a.weight - b.weight).abs() < 1e-12, "{a:?} {b:?}");
        assert!((grad_a - grad_b).iter().all(|d| d.abs() < 1e-12));
    }
}

/// The minimum of Σ w (b - t)² is at b = 10/101, for every batch size.
#[test]
fn sample_weights_pull_alike_in_batches_of_any_size() {
    let targets = arr1(&[0.0f64, 0.0, 10.0, 10.0]).insert_axis(ndarray::Axis(1));
    for batch in [1, 2, 4] {
        let data = ArrayDataset::new(Array2::<f64>::zeros((4, 1)), targets.clone()).unwrap();
        let data = data.weights(vec![100.0, 100.0, 1.0, 1.0]).unwrap();
        let mut model = Sequential::<f64>::builder_of([1]).layer(Dense::units(1)).build().unwrap();
        let trainer = silent(MeanSquaredError, SGD::default()).learning_rate(0.0002).batch_size(batch);
        trainer.epochs(5000).fit(&mut model, &data).unwrap();
        let found = model.predict(&Array2::zeros((1, 1))).unwrap()[[0, 0]];
        assert!((found - 10.0 / 101.0).abs() < 0.005, "batch size {batch}: {found}");
    }
}

/// The inputs carry no information, and weights balance a rare class: the fitted probability is 1/2.
#[test]
fn balanced_classes_are_balanced_in_batches_of_any_size() {
    for share in [0.05, 0.02, 0.01] {
        let rare = (1000.0 * share) as usize;
        let labels: Vec<usize> = (0..1000).map(|i| usize::from(i % (1000 / rare) == 0)).collect();
        assert_eq!(labels.iter().sum::<usize>(), rare);
        let weights = class_weights(&labels, 2).unwrap();
        for batch in [1, 8, 32, 1000] {
            for by_class in [true, false] {
                let data = ArrayDataset::new(Array2::<f32>::ones((1000, 1)), labels.clone()).unwrap();
                let (loss, data) = if by_class {
                    (CrossEntropy::default().class_weights(weights.clone()), data)
                } else {
                    let each = labels.iter().map(|&label| weights[label]).collect();
                    (CrossEntropy::default(), data.weights(each).unwrap())
                };
                let mut model =
                    Sequential::builder([1]).layer(Dense::units(2)).layer(Softmax).build().unwrap();
                let epochs = if batch == 1 { 12 } else { 12 * batch.min(250) };
                let mut trainer = silent(loss, Adam::default()).batch_size(batch).epochs(epochs);
                trainer.fit(&mut model, &data).unwrap();
                let p = model.predict(&Array2::<f32>::ones((1, 1))).unwrap()[[0, 1]];
                assert!((p - 0.5).abs() < 0.03, "{share}, batch size {batch}, by class {by_class}: {p}");
            }
        }
    }
}

/// The loss of an epoch with a learning rate of 0, its validation loss and that of `evaluate` are equal, for any batch
/// size, order of the samples and number of threads.
fn one_value<L, T>(name: &str, build: fn() -> Sequential<f64>, make: impl Fn() -> L, targets: T)
where
    L: Loss<f64>,
    T: plywood::data::Targets + Clone + Reordered,
    T::Batch: AsTarget<L::Target>,
{
    const SAMPLES: usize = 600;
    let inputs = Array2::from_shape_fn((SAMPLES, 3), |(i, j)| ((i * 31 + j * 17) % 101) as f64 / 50.0 - 1.0);
    let weights: Vec<f64> = (0..SAMPLES).map(|i| [1.0, 0.25, 0.0, 3.0, 0.5][i % 5]).collect();
    let order: Vec<usize> = (0..SAMPLES).map(|i| (i * 7) % SAMPLES).collect();
    let mut values = Vec::new();
    for reordered in [false, true] {
        let (x, t, w) = if reordered {
            let x = inputs.select(ndarray::Axis(0), &order);
            (x, targets.reordered(&order), order.iter().map(|&i| weights[i]).collect())
        } else {
            (inputs.clone(), targets.clone(), weights.clone())
        };
        let data = ArrayDataset::new(x, t).unwrap().weights(w).unwrap();
        for threads in [1, 2, 3] {
            let _threads = crate::take_threads(threads);
            values.push(silent(make(), SGD::default()).evaluate(&build(), &data).unwrap().loss);
        }
        for batch in [1, 8, 32, SAMPLES] {
            let mut trainer = silent(make(), SGD::default()).learning_rate(0.0).batch_size(batch);
            let history = trainer.fit_with_validation(&mut build(), &data, &data).unwrap();
            values.extend([history.last("loss").unwrap(), history.last("val_loss").unwrap()]);
        }
    }
    for value in &values {
        assert!((value - values[0]).abs() <= 1e-12 * values[0].abs().max(1.0), "{name}: {values:?}");
    }
}

/// Targets that can be reordered.
trait Reordered {
    fn reordered(&self, order: &[usize]) -> Self;
}

impl Reordered for Vec<usize> {
    fn reordered(&self, order: &[usize]) -> Self {
        order.iter().map(|&i| self[i]).collect()
    }
}

impl Reordered for Array2<f64> {
    fn reordered(&self, order: &[usize]) -> Self {
        self.select(ndarray::Axis(0), order)
    }
}

#[test]
fn one_loss_for_any_batches_order_and_threads() {
    let labels: Vec<usize> = (0..600).map(|i| (i * i) % 3).collect();
    let yes: Vec<usize> = (0..600).map(|i| (i * i) % 2).collect();
    let rows = Array2::from_shape_fn((600, 3), |(i, j)| [0.2, 0.5, 0.3][(i + j) % 3]);
    let numbers = Array2::from_shape_fn((600, 3), |(i, j)| ((i * 5 + j) % 9) as f64 / 9.0);
    fn body(units: usize) -> plywood::nn::SequentialBuilder<f64> {
        Sequential::<f64>::builder_of([3])
            .seed(4)
            .layer(Dense::units(5))
            .layer(Tanh)
            .layer(Dense::units(units))
    }
    let linear: fn() -> Sequential<f64> = || body(3).build().unwrap();
    let softmax: fn() -> Sequential<f64> = || body(3).layer(Softmax).build().unwrap();
    let sigmoid: fn() -> Sequential<f64> = || body(3).layer(Sigmoid).build().unwrap();
    let one: fn() -> Sequential<f64> = || body(1).build().unwrap();
    let weights = || vec![0.5, 2.0, 1.25];
    one_value("cross-entropy", softmax, CrossEntropy::default, labels.clone());
    one_value(
        "weights",
        linear,
        || CrossEntropy::default().from_logits(true).class_weights(weights()),
        labels.clone(),
    );
    let both = || CrossEntropy::default().class_weights(weights()).label_smoothing(0.2);
    one_value("weights, smoothing", softmax, both, labels.clone());
    one_value("focal", softmax, || Focal::default().class_weights(weights()), labels.clone());
    one_value("hinge", linear, Hinge::default, labels);
    one_value("hinge of one", one, || Hinge::default().squared(true), yes.clone());
    one_value("binary", one, || BinaryCrossEntropy::default().from_logits(true).positive_weight(3.0), yes);
    one_value("rows", softmax, || SoftCrossEntropy::default().class_weights(weights()), rows.clone());
    one_value("divergence", softmax, KLDivergence::default, rows);
    let columns = || SoftBinaryCrossEntropy::default().positive_weights(weights());
    one_value("several labels", sigmoid, columns, numbers.clone());
    one_value("squared", linear, || MeanSquaredError, numbers.clone());
    one_value("absolute", linear, || MeanAbsoluteError, numbers.clone());
    one_value("Huber", linear, || Huber::delta(0.1), numbers);
}

#[test]
fn data_without_any_weight_are_an_error() {
    let data = |weights: Vec<f64>| {
        let labels: Vec<usize> = (0..8).map(|i| i % 2).collect();
        ArrayDataset::new(Array2::<f32>::ones((8, 2)), labels).unwrap().weights(weights).unwrap()
    };
    let model = || Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build().unwrap();
    let trainer = || silent(CrossEntropy::default(), SGD::default()).batch_size(2);
    let none = "the weights must include one above 0, got only 0. A weight of 0 leaves a sample out, and so does \
                a class weight of 0: give some a weight above 0.";
    let text = trainer().fit(&mut model(), &data(vec![0.0; 8])).unwrap_err().to_string();
    assert_eq!(text, format!("fit: {none}"));
    let late = data([vec![1.0; 6], vec![0.0; 2]].concat());
    let text = trainer().validation_split(0.25).fit(&mut model(), &late).unwrap_err().to_string();
    assert_eq!(text, format!("fit, validation data: {none}"));
    let text = trainer().evaluate(&model(), &data(vec![0.0; 8])).unwrap_err().to_string();
    assert_eq!(text, format!("evaluate: {none}"));
    let x = Tensor::ones(vec![2, 2]);
    let text = trainer().step(&mut model(), x, &[0, 1], Some(&[0.0, 0.0])).unwrap_err().to_string();
    assert_eq!(text, format!("step: {none}"));
    // Class weights that leave out all samples.
    let all_of_1 = ArrayDataset::new(Array2::<f32>::ones((8, 2)), vec![1; 8]).unwrap();
    let loss = CrossEntropy::default().class_weights([1.0, 0.0]);
    let text = silent(loss, SGD::default()).fit(&mut model(), &all_of_1).unwrap_err().to_string();
    assert_eq!(text, format!("fit: {none}"));
    // A single batch in which all weights are 0 is not an error.
    let some = data([vec![0.0; 2], vec![1.0; 6]].concat());
    trainer().shuffle(false).fit(&mut model(), &some).unwrap();
}

/// Returns ten samples with all-zero inputs and the targets 0 (eight samples) and 10 (two), and a model whose bias
/// starts at 0.
fn ten() -> (ArrayDataset<f64, Array2<f64>>, Sequential<f64>) {
    let targets = Array2::from_shape_fn((10, 1), |(i, _)| if i < 8 { 0.0 } else { 10.0 });
    let data = ArrayDataset::new(Array2::<f64>::zeros((10, 1)), targets).unwrap();
    (data, Sequential::<f64>::builder_of([1]).layer(Dense::units(1)).build().unwrap())
}

fn bias(model: &Sequential<f64>) -> f64 {
    model.predict(&Array2::zeros((1, 1))).unwrap()[[0, 0]]
}

/// A callback that stops training after a number of batches.
struct After(usize);

impl Callback<f64> for After {
    fn on_batch_end(&mut self, context: &mut Context<'_, f64>) -> Result<()> {
        if context.batch() == self.0 {
            context.stop();
        }
        Ok(())
    }
}

#[test]
fn a_step_of_several_batches_divides_by_the_samples_that_are_in_it() {
    // The gradient of the mean square at 0 is -2 · mean(t); the learning rate is 0.1.
    let (data, mut whole) = ten();
    let trainer = || silent(MeanSquaredError, SGD::default()).learning_rate(0.1).shuffle(false);
    trainer().batch_size(10).fit(&mut whole, &data).unwrap();
    assert!((bias(&whole) - 0.4).abs() < 1e-12);

    let (data, mut model) = ten();
    let mut parts = trainer().batch_size(4).batches_per_step(3);
    parts.fit(&mut model, &data).unwrap();
    assert!((bias(&model) - 0.4).abs() < 1e-12, "4, 4 and 2 samples: {}", bias(&model));
    assert_eq!(parts.optimizer().steps(), 1);

    // The end of an epoch leaves a smaller step: steps of 8 and 2 samples.
    let (data, mut model) = ten();
    trainer().batch_size(4).batches_per_step(2).fit(&mut model, &data).unwrap();
    assert!((bias(&model) - 2.0).abs() < 1e-12, "{}", bias(&model)); // 0, then 0.1 · 2 · 10

    // A break after the third of four batches: 6 of 8 samples, two of them with the target 10.
    let order = ArrayDataset::new(
        Array2::<f64>::zeros((10, 1)),
        Array2::from_shape_fn((10, 1), |(i, _)| if i == 0 || i == 5 { 10.0 } else { 0.0 }),
    )
    .unwrap();
    let (_, mut model) = ten();
    trainer().batch_size(2).batches_per_step(4).callback(After(3)).fit(&mut model, &order).unwrap();
    assert!((bias(&model) - 0.1 * 2.0 * 20.0 / 6.0).abs() < 1e-12, "{}", bias(&model));

    // A custom loop, with batches of any sizes and weights.
    let (_, mut model) = ten();
    let mut optimizer = Optimizer::new(SGD::default()).learning_rate(0.1);
    for (rows, target, weight) in [(7, 0.0, 1.0), (1, 10.0, 3.0), (2, 0.0, 0.0)] {
        let (x, t) = (Tensor::zeros(vec![rows, 1]), Tensor::from_elem(vec![rows, 1], target));
        accumulate(&mut model, &MeanSquaredError, x, &t, Some(&vec![weight; rows])).unwrap();
    }
    optimizer.step(&mut model).unwrap();
    assert!((bias(&model) - 0.1 * 2.0 * 3.0 * 10.0 / 10.0).abs() < 1e-12, "{}", bias(&model));

    // The optimizer counts the batches; the last group is smaller.
    let (_, mut model) = ten();
    let mut optimizer = Optimizer::new(SGD::default()).learning_rate(0.1).batches_per_step(3);
    for (rows, target) in [(1, 10.0), (4, 0.0)] {
        let (x, t) = (Tensor::zeros(vec![rows, 1]), Tensor::from_elem(vec![rows, 1], target));
        accumulate(&mut model, &MeanSquaredError, x, &t, None).unwrap();
        optimizer.step(&mut model).unwrap();
    }
    optimizer.flush(&mut model).unwrap();
    assert!((bias(&model) - 0.1 * 2.0 * 10.0 / 5.0).abs() < 1e-12, "{}", bias(&model));
}

/// An optimizer's state includes the number of samples, so a run that resumes in the middle of a step ends with the
/// same bits.
#[test]
fn a_step_is_gone_on_with_in_its_midst() {
    let folder = std::env::temp_dir().join(format!("plywood-midst-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let trainer = || {
        let trainer = silent(MeanSquaredError, Adam::default()).learning_rate(0.1).seed(3);
        trainer.batch_size(3).batches_per_step(3).epochs(2)
    };
    let (data, mut whole) = ten();
    trainer()
        .checkpoints(Checkpoints::in_folder(&folder).every_batches(1).keep_last(99))
        .fit(&mut whole, &data)
        .unwrap();
    for batch in 1..4 {
        let path = folder.join(format!("epoch-0002-batch-0000{batch}.checkpoint"));
        let (_, mut model) = ten();
        let mut resumed = trainer();
        resumed.resume(&mut model, &path).unwrap();
        resumed.fit(&mut model, &data).unwrap();
        assert_eq!(parameters(&model), parameters(&whole), "after batch {batch}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn gradient_norms_have_one_entry_a_step_whatever_its_batches() {
    let x = Array2::from_shape_fn((32, 2), |(i, j)| ((i % 8) as f32 + j as f32) / 8.0);
    let labels: Vec<usize> = (0..32).map(|i| i % 8 / 4).collect();
    let data = ArrayDataset::new(x, labels).unwrap();
    let norms = |batch, batches| {
        let mut model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build().unwrap();
        let norms = GradientNorms::every(1);
        let trainer = silent(CrossEntropy::default(), SGD::default()).batch_size(batch).shuffle(false);
        let mut trainer = trainer.batches_per_step(batches).callback(norms.clone());
        trainer.fit(&mut model, &data).unwrap();
        norms.trace()
    };
    let (whole, parts) = (norms(32, 1), norms(8, 4));
    assert_eq!((whole.steps.as_slice(), parts.steps.as_slice()), (&[1][..], &[1][..]));
    let (a, b) = (whole.layers[0].1[0], parts.layers[0].1[0]);
    assert!((a - b).abs() < 1e-6 * a, "{a} {b}");
    // The smaller step at the end of an epoch is a step, and is recorded.
    assert_eq!(norms(8, 3).steps, [1, 2]);
}

/// Gradients that do not come from `accumulate` are summed over batches, and divided by the number of batches.
#[test]
fn gradients_from_elsewhere_count_by_batches() {
    let (_, mut model) = ten();
    let mut optimizer = Optimizer::new(SGD::default()).learning_rate(1.0).batches_per_step(2);
    for gradient in [1.0, 3.0] {
        model.visit_params_mut(&mut |name, param| {
            if name == "0.bias" {
                param.add_gradient(&Array1::from(vec![gradient]).into_dyn()).unwrap();
            }
        });
        optimizer.step(&mut model).unwrap();
    }
    assert!((bias(&model) + 2.0).abs() < 1e-12, "{}", bias(&model));
}

/// A positive weight is part of the loss: the weight that a reported mean is divided by does not include it.
#[test]
fn positive_weights_are_no_weights_of_samples() {
    let logits = Tensor::<f64>::zeros(vec![2, 2]);
    let targets = ndarray::arr2(&[[1.0, 1.0], [0.0, 1.0]]).into_dyn();
    let loss = SoftBinaryCrossEntropy::default().from_logits(true).positive_weights([2.0, 5.0]);
    let (value, grad) = loss.value_and_grad(logits, &targets, None, 2.0).unwrap();
    assert_eq!(value.weight, 2.0);
    assert!((value.sum - 2f64.ln() * ((2.0 + 5.0) + (1.0 + 5.0)) / 2.0).abs() < 1e-12);
    // ∂l/∂z = -q t σ(-z) + (1 - t) σ(z), over two columns and two samples.
    let expected = ndarray::arr2(&[[-1.0, -2.5], [0.5, -2.5]]).into_dyn() / 4.0;
    assert!((grad - expected).iter().all(|d| d.abs() < 1e-12));
}

/// For every loss, from probabilities and from logits, with weights, the gradient equals the difference quotient of `Σ
/// w · l / divisor`.
#[test]
fn every_weighted_gradient_is_a_difference_of_the_sum() {
    const WEIGHTS: [f64; 4] = [1.0, 0.25, 0.0, 3.0];
    fn check<L: Loss<f64>>(name: &str, loss: &L, x: &Tensor<f64>, target: &L::Target, logits: bool) {
        let of = |x: Tensor<f64>| {
            let weights = Some(&WEIGHTS[..]);
            if logits {
                loss.value_and_grad_logits(x, target, weights, 5.0).unwrap()
            } else {
                loss.value_and_grad(x, target, weights, 5.0).unwrap()
            }
        };
        let grad = of(x.clone()).1;
        let step = 1e-6;
        for i in 0..x.len() {
            let at = |by: f64| {
                let mut moved = x.clone();
                moved.as_slice_mut().unwrap()[i] += by;
                of(moved).0.sum
            };
            let (found, difference) =
                (grad.as_slice().unwrap()[i], (at(step) - at(-step)) / (2.0 * step) / 5.0);
            assert!(
                (found - difference).abs() < 1e-7 * (1.0 + difference.abs()),
                "{name}, {i}: {found} {difference}"
            );
        }
        assert!(grad.index_axis(ndarray::Axis(0), 2).iter().all(|&g| g == 0.0), "{name}: a weight of 0");
    }
    let logits = Tensor::from_shape_fn(vec![4, 3], |i| ((i[0] * 5 + i[1] * 3) % 7) as f64 / 3.0 - 0.9);
    let p = plywood::nn::OutputActivation::Softmax.apply(logits.clone());
    let rows = plywood::nn::OutputActivation::Softmax.apply(logits.mapv(|z| (z * 2.1).sin()));
    let (labels, classes) = ([0usize, 2, 1, 1], vec![0.5, 2.0, 1.25]);
    let column = |x: &Tensor<f64>| x.slice_axis(ndarray::Axis(1), (..1).into()).to_owned();
    let column = |x: &Tensor<f64>| column(x).as_standard_layout().into_owned();
    for (x, from_logits) in [(&p, false), (&logits, true)] {
        let weighted = CrossEntropy::default().class_weights(classes.clone());
        check("cross-entropy", &weighted, x, &labels, from_logits);
        check("label smoothing", &weighted.label_smoothing(0.2), x, &labels, from_logits);
        check("focal", &Focal::gamma(1.5).class_weights(classes.clone()), x, &labels, from_logits);
        check("rows", &SoftCrossEntropy::default().class_weights(classes.clone()), x, &rows, from_logits);
        check("divergence", &KLDivergence::default(), x, &rows, from_logits);
        let several = SoftBinaryCrossEntropy::default().positive_weights(classes.clone());
        check("several labels", &several, x, &rows, from_logits);
        let one = BinaryCrossEntropy::default().positive_weight(2.5);
        check("binary", &one, &column(x), &[0, 1, 1, 0], from_logits);
    }
    check("hinge", &Hinge::margin(0.7), &logits, &labels, false);
    check("squared hinge", &Hinge::margin(1.05).squared(true), &logits, &labels, false);
    check("hinge of one", &Hinge::margin(0.3), &column(&logits), &[0, 1, 1, 0], false);
    check("squared", &MeanSquaredError, &logits, &rows, false);
    check("absolute", &MeanAbsoluteError, &logits, &rows, false);
    check("Huber", &Huber::delta(0.4), &logits, &rows, false);
}
