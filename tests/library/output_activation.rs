//! Softmax fused into the loss: a model that ends in softmax trains and is evaluated from its logits, with the same
//! bits as a model of logits.

use ndarray::Array2;
use plywood::losses::AsTarget;
use plywood::nn::OutputActivation;
use plywood::optim::UpdateRule;
use plywood::prelude::*;
use plywood::train::accumulate;
use serde::{Deserialize, Serialize};

const SAMPLES: usize = 40;
const CLASSES: usize = 4;

fn bits<F: Scalar>(values: &[F]) -> Vec<u64> {
    values.iter().map(|v| v.as_f64().to_bits()).collect()
}

fn parameters<F: Scalar>(model: &Sequential<F>) -> Vec<F> {
    let mut all = Vec::new();
    model.visit_params(&mut |_, param| all.extend_from_slice(param.as_slice()));
    all
}

/// A softmax that does not declare that it is one.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Hidden;

impl<F: Scalar> Layer<F> for Hidden {
    const KIND: Kind = Kind::own("test.hidden");
    type Cache = Tensor<F>;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(input.to_vec())
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        Softmax.forward(input)
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Tensor<F>)> {
        Softmax.forward_train(input)
    }

    fn backward(&mut self, output: Tensor<F>, grad: Tensor<F>) -> Result<Tensor<F>> {
        Softmax.backward(output, grad)
    }
}

/// Builds one network with five endings: logits; softmax; softmax in a block with the last Dense; softmax in a nested
/// block; and a softmax that does not declare itself. All have the parameters of the first network, with the last Dense
/// multiplied by `scale`.
fn models<F: Scalar>(scale: f64) -> [Sequential<F>; 5] {
    let body = || Sequential::<F>::builder_of([5]).seed(3).layer(Dense::units(6)).layer(Tanh);
    let block = || Sequential::<F>::block_of();
    let mut models = [
        body().layer(Dense::units(CLASSES)).build().unwrap(),
        body().layer(Dense::units(CLASSES)).layer(Softmax).build().unwrap(),
        body().layer(block().layer(Dense::units(CLASSES)).layer(Softmax)).build().unwrap(),
        body().layer(Dense::units(CLASSES)).layer(block().layer(block().layer(Softmax))).build().unwrap(),
        body().layer(Dense::units(CLASSES)).layer(Hidden).build().unwrap(),
    ];
    models[0].visit_params_mut(&mut |name, param| {
        if name.starts_with("2.") {
            param.as_slice_mut().iter_mut().for_each(|v| *v *= F::of(scale));
        }
    });
    let mut all = Vec::new();
    models[0].visit_params(&mut |_, param| all.push(param.value().clone()));
    for model in &mut models[1..] {
        let mut values = all.iter().cloned();
        model.visit_params_mut(&mut |_, param| param.set_value(values.next().unwrap()).unwrap());
        assert!(values.next().is_none());
    }
    assert!([&models[0], &models[4]].iter().all(|model| model.activation() == OutputActivation::Unknown));
    assert!(models[1..4].iter().all(|model| model.activation() == OutputActivation::Softmax));
    models
}

fn inputs() -> Array2<f32> {
    let mut draws = Random::seed(11).at(0, 0);
    Array2::from_shape_simple_fn((SAMPLES, 5), || draws.uniform(-1.0, 1.0) as f32)
}

fn labels() -> Vec<usize> {
    let mut draws = Random::seed(12).at(0, 0);
    (0..SAMPLES).map(|_| draws.below(CLASSES)).collect()
}

fn distributions<F: Scalar>() -> Array2<F> {
    let mut draws = Random::seed(13).at(0, 0);
    let mut all = Array2::from_shape_simple_fn((SAMPLES, CLASSES), || F::of(draws.unit()));
    for mut row in all.rows_mut() {
        let sum = row.sum();
        row /= sum;
    }
    all
}

/// Compares all operations of the models, with the loss that fuses softmax and the loss from logits.
fn agree<F, L, R, D>(scale: f64, fusing: L, from_logits: L, rule: R, data: &D)
where
    F: Scalar,
    L: Loss<F> + Clone,
    R: UpdateRule<F> + Clone,
    D: Dataset<F>,
    D::Target: plywood::losses::AsTarget<L::Target>,
{
    let trainer = |loss: L| {
        Trainer::new(loss, Optimizer::new(rule.clone()))
            .learning_rate(0.01)
            .epochs(3)
            .batch_size(16)
            .seed(5)
            .progress(Progress::Silent)
    };
    let mut batch = Batch::default();
    let mut read = |indices: &[usize]| {
        data.read(indices, Pass::Evaluate, &mut batch).unwrap();
        batch.take_input()
    };
    let everything: Vec<usize> = (0..SAMPLES).collect();
    let x = read(&everything);
    let mut target = Batch::default();
    data.read(&everything, Pass::Evaluate, &mut target).unwrap();
    let target: &L::Target = target.target.as_target();
    let weights: Vec<F> = (0..SAMPLES).map(|i| F::of([1.0, 0.5, 0.0, 2.0][i % 4])).collect();

    let mut results = Vec::new();
    for (i, mut model) in models::<F>(scale).into_iter().enumerate() {
        let loss = if i == 0 { from_logits.clone() } else { fusing.clone() };
        let mut trainer = trainer(loss.clone());
        let start = parameters(&model);
        let mut numbers = vec![(trainer.evaluate(&model, data).unwrap().loss)];
        // Steps on a batch, with and without weights; epochs; a step of a custom loop; evaluation.
        for step in 0..6 {
            let weights = (step % 2 == 1).then_some(&weights[..]);
            numbers.push(trainer.step(&mut model, x.clone(), target, weights).unwrap());
        }
        let history = trainer.fit(&mut model, data).unwrap();
        numbers.extend(history.epochs.iter().map(|epoch| epoch.get("loss").unwrap()));
        numbers.push(accumulate(&mut model, &loss, x.clone(), target, None).unwrap().mean());
        Optimizer::new(SGD::default()).step(&mut model).unwrap();
        numbers.push(trainer.evaluate(&model, data).unwrap().loss);
        let end = parameters(&model);
        assert!(start.iter().zip(&end).any(|(a, b)| a != b), "training changes something");
        assert!(numbers.iter().all(|v| v.is_finite()) && end.iter().all(|v| v.is_finite()), "{numbers:?}");

        let predictions = model.predict(&x).unwrap();
        if i > 0 {
            for row in predictions.rows() {
                assert!((row.sum() - F::one()).abs() < F::epsilon() * F::of(8.0), "{row}");
                assert!(row.iter().all(|&p| p >= F::zero() && p <= F::one()), "{row}");
            }
        }
        if model.activation() == OutputActivation::Softmax {
            let logits = model.forward_logits(x.clone()).unwrap();
            let applied = OutputActivation::Softmax.apply(logits);
            assert_eq!(bits(applied.as_slice().unwrap()), bits(predictions.as_slice().unwrap()));
        }
        results.push((bits(&numbers), bits(&end)));
    }
    let hidden = results.pop().unwrap();
    for (i, result) in results.iter().enumerate().skip(1) {
        assert_eq!(*result, results[0], "model {i} and the one of logits");
    }
    // Computed from the probabilities, the last digits differ, so the comparison above is able to detect a difference.
    assert_ne!(hidden, results[0]);
}

macro_rules! agree {
    ($($name:ident: $f:ty, $scale:expr;)*) => {
        $(mod $name {
            use super::*;

            #[test]
            fn of_class_indices() {
                let data = ArrayDataset::new(inputs(), labels()).unwrap();
                let losses = (CrossEntropy::default(), CrossEntropy::default().from_logits(true));
                agree::<$f, _, _, _>($scale, losses.0.clone(), losses.1.clone(), Adam::default(), &data);
                agree::<$f, _, _, _>($scale, losses.0, losses.1, SGD::default().momentum(0.9), &data);
            }

            #[test]
            fn of_distributions() {
                let data = ArrayDataset::new(inputs(), distributions::<$f>()).unwrap();
                let losses = (SoftCrossEntropy::default(), SoftCrossEntropy::default().from_logits(true));
                agree::<$f, _, _, _>($scale, losses.0.clone(), losses.1.clone(), Adam::default(), &data);
                agree::<$f, _, _, _>($scale, losses.0, losses.1, SGD::default().momentum(0.9), &data);
            }

            #[test]
            fn logits_are_as_large_as_meant() {
                let x = inputs().mapv(<$f>::from).into_dyn();
                let logits = models::<$f>($scale)[1].forward_logits(x).unwrap();
                let largest = logits.iter().fold(0.0, |largest: $f, z| largest.max(z.abs()));
                assert!(largest > 0.5 * $scale, "{largest}");
            }
        })*
    };
}

agree! {
    usual_f32: f32, 1.0;
    usual_f64: f64, 1.0;
    large_f32: f32, 2000.0;
    large_f64: f64, 2000.0;
}

/// At logits of ±1000 the loss has its exact value, and the gradient corrects a wrong prediction.
#[test]
fn exact_where_probabilities_end() {
    fn check<F: Scalar>() {
        let number = F::of;
        let weight = Array2::from_shape_vec((1, 2), vec![number(1000.0), number(-1000.0)]).unwrap();
        let mut model = Sequential::<F>::builder_of([1])
            .layer(Dense::from_weights(weight, None).unwrap())
            .layer(Softmax)
            .build()
            .unwrap();
        let x = Array2::from_elem((1, 1), F::one());
        assert_eq!(model.predict(&x).unwrap()[[0, 0]], F::one());
        let mut trainer =
            Trainer::new(CrossEntropy::default(), Optimizer::new(SGD::default())).learning_rate(1.0);
        let loss = trainer.step(&mut model, x.clone().into_dyn(), &[1], None).unwrap();
        assert_eq!(loss, 2000.0);
        assert_eq!(parameters(&model), [number(999.0), number(-999.0)]);
        let loss = trainer.step(&mut model, x.into_dyn(), &[0], None).unwrap();
        assert_eq!(loss, 0.0);
        assert_eq!(parameters(&model), [number(999.0), number(-999.0)]);
    }
    check::<f32>();
    check::<f64>();
}
