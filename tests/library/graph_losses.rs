//! Losses from their formula, and what `check_loss` finds.

use plywood::losses::{LossSum, sample_weights};
use plywood::ndarray::{Array2, arr1, arr2};
use plywood::nn::{OutputActivation, Outputs};
use plywood::prelude::*;

fn numbers<F: Scalar>(shape: &[usize], seed: u64) -> Tensor<F> {
    let mut draws = Random::seed(seed).child("numbers").at(0, 0);
    Tensor::from_shape_simple_fn(shape, || F::of(draws.uniform(-1.5, 1.5)))
}

/// Probabilities: rows of softmax.
fn rows<F: Scalar>(samples: usize, classes: usize) -> Tensor<F> {
    OutputActivation::Softmax.apply(numbers(&[samples, classes], 4))
}

fn squared() -> GraphLoss {
    GraphLoss::new("squared", Outputs::Numbers, |_, y, t| (y - t).square().mean(-1))
}

fn entropy() -> GraphLoss<[usize]> {
    GraphLoss::classes("entropy", Outputs::Distributions, |_, z, label| {
        let d = z - z.max_keepdim(-1);
        d.exp().sum(-1).ln() - d.take_along(label, -1)
    })
    .fused()
}

/// The value and gradient of two losses must be equal up to rounding.
fn assert_equal<F: Scalar>(found: (LossSum, Tensor<F>), expected: (LossSum, Tensor<F>), tolerance: f64) {
    assert!((found.0.mean() - expected.0.mean()).abs() < tolerance, "{:?} {:?}", found.0, expected.0);
    assert_eq!(found.0.weight, expected.0.weight);
    for (a, b) in found.1.iter().zip(&expected.1) {
        assert!((*a - *b).abs().as_f64() < tolerance, "{a} {b}");
    }
}

fn like_the_crates<F: Scalar>(tolerance: f64) {
    let (y, t) = (numbers::<F>(&[5, 3], 1), numbers::<F>(&[5, 3], 2));
    let weights: Vec<F> = [1.0, 0.0, 2.5, 0.5, 1.0].map(F::of).to_vec();
    let own = squared().value_and_grad(y.clone(), &t, Some(&weights), 5.0).unwrap();
    let expected = MeanSquaredError.value_and_grad(y.clone(), &t, Some(&weights), 5.0).unwrap();
    assert_equal(own, expected, tolerance);
    check_loss(&squared(), y.clone(), &t).unwrap();

    let labels = [2, 0, 1, 1, 2];
    let own = entropy().value_and_grad_logits(y.clone(), &labels, Some(&weights), 4.0).unwrap();
    let expected =
        CrossEntropy::default().value_and_grad_logits(y.clone(), &labels, Some(&weights), 4.0).unwrap();
    assert_equal(own, expected, tolerance);
    check_loss(&entropy(), y.clone(), &labels).unwrap();

    let hinge = GraphLoss::new("margin", Outputs::Scores, |_, y, t| (1.0 - y * t).relu().mean(-1));
    let signs = t.mapv(|t| if t > F::zero() { F::one() } else { -F::one() });
    check_loss(&hinge, y, &signs).unwrap();
}

#[test]
fn formulas_of_the_crates_losses_have_their_values() {
    like_the_crates::<f64>(1e-13);
    like_the_crates::<f32>(2e-6);
}

/// The checks hold for every loss of the crate.
fn check_all<F: Scalar>() {
    let (z, labels) = (numbers::<F>(&[4, 3], 1), [2usize, 0, 1, 1]);
    let spread: Tensor<F> = rows(4, 3);
    check_loss(&CrossEntropy::default(), z.clone(), &labels).unwrap();
    check_loss(&CrossEntropy::default().label_smoothing(0.1), z.clone(), &labels).unwrap();
    check_loss(&Focal::default(), z.clone(), &labels).unwrap();
    check_loss(&Hinge::default(), z.mapv(|z| z * F::of(2.0)), &labels).unwrap();
    check_loss(&SoftCrossEntropy::default(), z.clone(), &spread).unwrap();
    check_loss(&KLDivergence::default(), z.clone(), &spread).unwrap();
    check_loss(&SoftBinaryCrossEntropy::default(), z.clone(), &spread).unwrap();
    check_loss(&BinaryCrossEntropy::default(), numbers::<F>(&[4, 1], 3), &[0, 1, 1, 0]).unwrap();
    check_loss(&MeanSquaredError, z.clone(), &spread).unwrap();
    check_loss(&MeanAbsoluteError, z.clone(), &spread).unwrap();
    check_loss(&Huber::default(), z, &spread).unwrap();
}

#[test]
fn the_losses_of_the_crate_pass_their_check() {
    check_all::<f64>();
    check_all::<f32>();
}

/// The squared error with a mistake.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrong {
    Nothing,
    Factor,
    Divisor,
    Mean,
    Weights,
    GradientWeights,
    Mixed,
    Shape,
    FewWeights,
    Logits,
}

impl Loss<f64> for Wrong {
    type Target = Tensor<f64>;

    fn value_and_grad(
        &self,
        output: Tensor<f64>,
        target: &Tensor<f64>,
        weights: Option<&[f64]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<f64>)> {
        let samples = output.shape()[0];
        let padded: Vec<f64>;
        let weights = match weights {
            Some(few) if *self == Self::FewWeights => {
                padded = few.iter().copied().chain([1.0; 9]).take(samples).collect();
                Some(&padded[..])
            }
            weights => weights,
        };
        let mut sum = LossSum::default();
        let mean = if *self == Self::Mixed { output.sum() / 4.0 } else { 0.0 };
        let mut grad = output - target;
        for (g, w) in grad.iter_mut().zip(sample_weights(weights, samples)?) {
            let own = if *self == Self::Weights { 1.0 } else { w };
            sum.add(own, *g * *g + mean);
            let factor = if *self == Self::Factor { 1.0 } else { 2.0 };
            let w = if *self == Self::GradientWeights { 1.0 } else { w };
            *g = factor * w * *g / if *self == Self::Divisor { 4.0 } else { divisor };
        }
        if *self == Self::Mean {
            sum = LossSum { sum: sum.mean(), weight: 1.0 };
        }
        if *self == Self::Shape {
            grad = grad.into_shape_with_order(vec![samples]).unwrap();
        }
        Ok((sum, grad))
    }

    fn fused_activation(&self) -> OutputActivation {
        if *self == Self::Logits { OutputActivation::Sigmoid } else { OutputActivation::Unknown }
    }
}

#[test]
fn check_loss_finds_each_mistake() {
    let (y, t) = (numbers(&[4, 1], 1), numbers(&[4, 1], 2));
    let report = check_loss(&Wrong::Nothing, y.clone(), &t).unwrap().to_string();
    assert!(report.starts_with("loss \"Wrong\"\n  ok           the loss of a batch is the sum"), "{report}");
    for (wrong, expected) in [
        (Wrong::Factor, "the gradient at number"),
        (Wrong::Divisor, "the gradient at number"),
        (Wrong::Mean, "the sum of the losses, each alone by its weight, must be"),
        (Wrong::Weights, "the sum of the losses, each alone by its weight, must be"),
        (Wrong::GradientWeights, "of the gradient with weights must be"),
        (Wrong::Mixed, "the loss of sample 0, if other outputs change, must be"),
        (Wrong::Shape, "the gradient must have shape [4, 1], got [4]."),
        (Wrong::FewWeights, "too few weights must be refused, got a result."),
        (Wrong::Logits, "the loss of the outputs must be"),
    ] {
        let error = check_loss(&wrong, y.clone(), &t).unwrap_err().to_string();
        assert!(error.starts_with("check of loss \"Wrong\" in f64: "), "{error}");
        assert!(error.contains(expected), "{wrong:?}: {error}");
    }
    let one = check_loss(&Wrong::Nothing, numbers(&[1, 1], 1), &t).unwrap_err().to_string();
    assert!(
        one.contains("the outputs must have shape [batch, …] with at least two samples, got [1, 1]."),
        "{one}"
    );
}

fn fit<L: Loss<Target = [usize]> + 'static>(loss: L) -> Result<(Vec<f64>, Sequential)> {
    let (x, labels) = (numbers::<f32>(&[60, 4], 8), (0..60).map(|i| i % 3).collect::<Vec<_>>());
    let data = ArrayDataset::new(x, labels)?;
    let mut model = Sequential::builder([4]).layer(Dense::units(3)).layer(Softmax).build()?;
    let history =
        Trainer::new(loss, Adam::default()).epochs(5).progress(Progress::Silent).fit(&mut model, &data)?;
    Ok((history.get("loss"), model))
}

#[test]
fn a_model_trains_with_a_formula_as_with_the_crates_loss() {
    let (own, model) = fit(entropy()).unwrap();
    let (expected, other) = fit(CrossEntropy::default()).unwrap();
    assert!(own.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5), "{own:?} {expected:?}");
    let x = numbers::<f32>(&[7, 4], 9);
    let (a, b) = (model.predict(&x).unwrap(), other.predict(&x).unwrap());
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-4), "{a} {b}");
    // A boxed one, and an evaluation, whose batches have other sizes.
    let boxed: Box<dyn Loss<Target = [usize]>> = Box::new(entropy());
    assert_eq!(fit(boxed).unwrap().0, own);
    let data = ArrayDataset::new(x, vec![0, 1, 2, 0, 1, 2, 0]).unwrap();
    let silent = || Trainer::<_, f32>::new(entropy(), Adam::default()).progress(Progress::Silent);
    assert!(silent().evaluate(&model, &data).unwrap().loss.is_finite());
}

#[test]
fn a_loss_of_the_outputs_alone_takes_any_targets() {
    let own = || GraphLoss::output("energy", Outputs::Numbers, |_, y| y.square().sum(-1));
    let x = numbers::<f32>(&[20, 4], 8);
    let run = |model: &mut Sequential| {
        let silent = || Trainer::new(own(), Adam::default()).epochs(3).progress(Progress::Silent);
        let data = ArrayDataset::new(x.clone(), vec![0usize; 20]).unwrap();
        let classes = silent().fit(model, &data).unwrap();
        let data = ArrayDataset::new(x.clone(), x.clone()).unwrap();
        silent().fit(model, &data).unwrap();
        classes.get("loss")
    };
    let mut model = Sequential::builder([4]).layer(Dense::units(2)).build().unwrap();
    let losses = run(&mut model);
    assert!(losses[2] < losses[0], "{losses:?}");
}

#[test]
fn layers_inside_a_loss_are_frozen_and_infer() {
    let mut features =
        Sequential::builder([3]).layer(Dense::units(4)).layer(Dropout::rate(0.5)).build().unwrap();
    let perceptual = |features: &Sequential| {
        let features = features.clone();
        GraphLoss::new("perceptual", Outputs::Numbers, move |_, y, t| {
            (y.layer(features.clone()) - t.layer(features.clone())).square().mean(-1)
        })
    };
    let (y, t) = (numbers::<f64>(&[4, 3], 1), numbers(&[4, 3], 2));
    let error = check_loss(&perceptual(&features), y.clone(), &t).unwrap_err().to_string();
    let expected = "perceptual: a loss must have no parameters to train, got \"0.0.weight\". They would never be trained: \
                    use `g.constant`, or freeze a model that is applied.";
    assert!(error.ends_with(expected), "{error}");
    features.freeze("").unwrap();
    check_loss(&perceptual(&features), y, &t).unwrap();
}

/// Returns the error of a fit with this loss, before the first step.
fn refused<L: Loss>(loss: L, targets: Tensor) -> String
where
    Tensor: AsTarget<L::Target>,
{
    let data = ArrayDataset::new(numbers::<f32>(&[6, 4], 1), targets).unwrap();
    let mut model = Sequential::builder([4]).layer(Dense::units(3)).build().unwrap();
    let before = model.to_bytes().unwrap();
    let error = Trainer::new(loss, Adam::default()).progress(Progress::Silent).fit(&mut model, &data);
    assert_eq!(model.to_bytes().unwrap(), before);
    error.unwrap_err().to_string()
}

use plywood::losses::AsTarget;

#[test]
fn mistakes_in_a_formula_are_errors_before_the_first_step() {
    let rows = || numbers::<f32>(&[6, 3], 2);
    let of = |formula: for<'g> fn(&'g GraphBuilder, Value<'g>, Value<'g>) -> Value<'g>| {
        GraphLoss::new("own", Outputs::Numbers, formula)
    };
    for (formula, expected) in [
        (
            of(|_, y, t| (y - t).square()),
            "own: the loss must have shape [], one number for each sample, got [3]. Reduce it: `.mean(-1)` or `.sum(-1)` \
             for each axis of a sample.",
        ),
        (of(|_, y, _| y.sum(-1)), "the input \"targets\" must be read by an output, got one that is not."),
        (of(|_, _, t| t.sum(-1)), "the input \"outputs\" must be read by an output, got one that is not."),
        (of(|_, y, t| (y - t).sum(0)), "sum, tests/library/graph_losses.rs:"),
        (
            of(|g, y, t| ((y - t) * g.param("w", [3], Initializer::Zeros)).sum(-1)),
            "a loss must have no parameters to train, got \"w\".",
        ),
        (
            of(|g, y, t| {
                let shape = y.shape();
                let other = g.constant(arr1(&[1.0, 2.0]));
                ((y - t) * other).sum(shape.len() as isize)
            }),
            "multiply, tests/library/graph_losses.rs:",
        ),
    ] {
        let error = refused(formula, rows());
        assert!(error.starts_with("fit, own") && error.contains(expected), "{error}");
    }
    let error = refused(squared(), numbers(&[6, 1], 2));
    assert!(error.contains("squared: the targets must have shape [6, 3], got [6, 1]."), "{error}");
    let error = refused(squared().target_shape(&[2]), numbers(&[6, 2], 2));
    assert!(error.contains("the shapes of the values must be equal, or 1"), "{error}");
    // What the formula expects of a model's outputs.
    let distances = GraphLoss::new("of_rows", Outputs::Distributions, |_, y, t| (y - t).abs().sum(-1));
    let error = refused(distances, rows());
    assert!(error.contains("must be probabilities for of_rows, got any real numbers."), "{error}");
    let logits = GraphLoss::new("half", Outputs::Numbers, |_, y, t| (y - t).abs().sum(-1)).fused();
    let error = refused(logits, rows());
    assert!(
        error.contains("Outputs::Distributions or Outputs::Probabilities for a loss of logits"),
        "{error}"
    );
}

#[test]
fn a_value_of_another_graph_is_refused() {
    let foreign = GraphLoss::output("foreign", Outputs::Numbers, |_, y| {
        let other: &'static GraphBuilder = Box::leak(Box::new(Graph::builder()));
        y.sum(-1) + other.input("x", [])
    });
    let error = refused(foreign, numbers(&[6, 3], 2));
    assert!(error.starts_with("fit, foreign, add, tests/library/graph_losses.rs:"), "{error}");
    assert!(error.contains("a value must be one of this graph, got one of another graph."), "{error}");
    let foreign = GraphLoss::output("foreign", Outputs::Numbers, |_, _| {
        let other: &'static GraphBuilder = Box::leak(Box::new(Graph::builder()));
        other.input("x", [])
    });
    let error = refused(foreign, numbers(&[6, 3], 2));
    assert!(error.starts_with("fit, foreign: a value must be one of this graph, got"), "{error}");
}

#[test]
fn targets_and_labels_are_checked() {
    let labels = |labels: &[usize], outputs: Tensor<f64>| {
        entropy().value_and_grad_logits(outputs, labels, None, 2.0).unwrap_err().to_string()
    };
    let error = labels(&[0, 3], numbers(&[2, 3], 1));
    assert!(error.starts_with("entropy: the label of sample 1 in the batch must be below 3"), "{error}");
    let error = labels(&[0], numbers(&[2, 3], 1));
    assert!(error.contains("the number of targets must be 2, one for each prediction, got 1."), "{error}");
    let error = entropy().value_and_grad(rows::<f64>(2, 3), &[0, 1], None, 2.0).unwrap_err().to_string();
    assert!(
        error.contains("must be those of a model that ends in softmax or a sigmoid, got others."),
        "{error}"
    );
    let mut target = numbers::<f64>(&[2, 3], 1);
    target[[1, 2]] = f64::NAN;
    let error = squared().value_and_grad(numbers(&[2, 3], 1), &target, None, 2.0).unwrap_err().to_string();
    assert!(error.starts_with("squared: the target of sample 1"), "{error}");
    let error =
        squared().value_and_grad(numbers::<f64>(&[2, 3], 1), &numbers(&[3, 3], 1), None, 2.0).unwrap_err();
    assert!(error.to_string().contains("the number of targets must be 2"), "{error}");
    let weights = squared().value_and_grad(numbers(&[2, 3], 1), &numbers(&[2, 3], 1), Some(&[1.0]), 2.0);
    assert!(weights.unwrap_err().to_string().contains("weight"));
    let scalar = squared().value_and_grad(Tensor::<f64>::zeros(vec![]), &Tensor::zeros(vec![]), None, 1.0);
    assert!(scalar.is_err());
    let empty =
        squared().value_and_grad(Tensor::<f64>::zeros(vec![0, 3]), &Tensor::zeros(vec![0, 3]), None, 1.0);
    assert_eq!(empty.unwrap().0, LossSum::default());
}

/// A sample of weight 0 has no part in the gradient, even if its own is infinite.
#[test]
fn a_sample_of_weight_0_is_left_out() {
    let root = GraphLoss::output("root", Outputs::Numbers, |_, y| y.sqrt().sum(-1));
    let y = arr2(&[[0.0f64, 1.0], [4.0, 1.0]]).into_dyn();
    let (value, grad) = root.value_and_grad(y, &(), Some(&[0.0, 1.0]), 1.0).unwrap();
    assert_eq!(
        (value, grad),
        (LossSum { sum: 3.0, weight: 1.0 }, arr2(&[[0.0, 0.0], [0.25, 0.5]]).into_dyn())
    );
}

#[test]
fn a_formula_is_saved_and_loaded() {
    let (z, labels) = (numbers::<f64>(&[3, 4], 1), [3, 0, 1]);
    let graph = entropy().graph(&[2]).unwrap();
    let graph = Graph::<f32>::from_bytes(&graph.to_bytes().unwrap(), &Registry::builtin()).unwrap();
    // For outputs of another shape than those it was saved for.
    let loaded = GraphLoss::<[usize]>::from_graph("entropy", Outputs::Distributions, graph.clone()).fused();
    let (found, expected) = (
        loaded.value_and_grad_logits(z.clone(), &labels, None, 3.0).unwrap(),
        entropy().value_and_grad_logits(z.clone(), &labels, None, 3.0).unwrap(),
    );
    assert!(found == expected);
    let error = GraphLoss::<Tensor>::from_graph("numbers", Outputs::Numbers, graph).check_output_f32(&[2]);
    let expected = "numbers: the graph of a loss must have the inputs [\"outputs\", \"targets\"] and one output, got \
                    [\"outputs\", \"labels\"] and 1 outputs.";
    assert!(error.starts_with(expected), "{error}");
    let graph = squared().graph(&[3]).unwrap();
    let loaded: GraphLoss = GraphLoss::from_graph("squared", Outputs::Numbers, graph);
    check_loss(&loaded, z.clone(), &z.mapv(|z| z * 0.5)).unwrap();
    assert!(squared().graph(&[]).is_err());
}

trait CheckOutput {
    fn check_output_f32(&self, output: &[usize]) -> String;
}

impl<L: Loss> CheckOutput for L {
    fn check_output_f32(&self, output: &[usize]) -> String {
        self.check_output(output).unwrap_err().to_string()
    }
}

#[test]
fn a_formula_has_the_inputs_of_a_loss_and_a_gradient() {
    let (y, t) = (numbers::<f64>(&[3, 2], 1), numbers::<f64>(&[3, 2], 2));
    let more = GraphLoss::new("more", Outputs::Numbers, |g, y, t| (y - t + g.input("more", [2])).sum(-1));
    let error = more.value_and_grad(y.clone(), &t, None, 1.0).unwrap_err().to_string();
    let expected =
        "more: the graph of a loss must have the inputs [\"outputs\", \"targets\"] and one output, got";
    assert!(error.starts_with(expected), "{error}");
    let flat = GraphLoss::output("flat", Outputs::Numbers, |_, y| y.argmax(-1));
    let error = flat.value_and_grad(y.clone(), &(), None, 1.0).unwrap_err().to_string();
    assert!(error.starts_with("flat: the loss must have a gradient at the outputs, got none"), "{error}");
    let unnamed = GraphLoss::output("", Outputs::Numbers, |_, y| y.sum(-1));
    assert!(unnamed.value_and_grad(y, &(), None, 1.0).is_err());
}

/// Numbers beside values are not rounded to `f32` in models of `f64`.
#[test]
fn numbers_of_a_formula_are_exact_in_f64() {
    let loss = GraphLoss::output("limited", Outputs::Numbers, |_, y| y.maximum(0.1).sum(-1));
    let (value, _) = loss.value_and_grad(arr2(&[[0.0f64], [0.5]]).into_dyn(), &(), None, 1.0).unwrap();
    assert_eq!(value.sum, 0.1 + 0.5);
}

/// The value of the loss is finite and its gradient is not: the error names the loss, and the weights stay.
#[test]
fn a_gradient_that_is_not_finite_is_the_losss() {
    let root = GraphLoss::new("root", Outputs::Numbers, |_, y, t| (y - t).square().mean(-1).sqrt());
    let mut model =
        Sequential::builder([2]).layer(Dense::units(1).initializer(Initializer::Zeros)).build().unwrap();
    let before = model.to_bytes().unwrap();
    let data = ArrayDataset::new(numbers::<f32>(&[4, 2], 1), Array2::<f32>::zeros((4, 1))).unwrap();
    let error =
        Trainer::new(root, Adam::default()).progress(Progress::Silent).fit(&mut model, &data).unwrap_err();
    assert!(error.to_string().contains("the gradient of root at the output of sample"), "{error}");
    assert_eq!(model.to_bytes().unwrap(), before);
}

/// One loss for outputs of many shapes, and from several threads.
#[test]
fn a_loss_serves_many_shapes() {
    let loss = squared();
    for round in 0..3 {
        for n in 1..20 {
            let (y, t) =
                (Array2::<f32>::from_elem((2, n), 3.0), Array2::from_elem((2, n), 1.0 + round as f32));
            let (value, _) = loss.value_and_grad(y.into_dyn(), &t.into_dyn(), None, 2.0).unwrap();
            assert_eq!(value.mean(), f64::from((2.0 - round as f32).powi(2)));
        }
    }
    let copy = loss.clone();
    assert_eq!(
        (Loss::<f32>::name(&copy).to_owned(), format!("{copy:?}")),
        ("squared".to_owned(), "GraphLoss { name: \"squared\", outputs: Numbers, .. }".to_owned())
    );
}
