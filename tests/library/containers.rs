//! User-defined containers at the end of a model. A container that ends in softmax trains, whatever it declares about
//! its activation, and the summary shows the layers inside.

use ndarray::{Array2, ArrayD};
use plywood::nn::{ModelCache, OutputActivation, Part, WithoutActivation};
use plywood::prelude::*;
use plywood::testing::{Exemption, LayerCheck};
use serde::{Deserialize, Serialize};

/// Defines a container around a body. By default it declares only the activation (`Closed`); `Open` also gives access
/// to the outputs before the activation, and other types implement only a part of that.
macro_rules! container {
    ($name:ident, $kind:literal, { $($more:item)* }) => {
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(bound = "")]
        struct $name<F: Scalar> {
            body: Sequential<F>,
        }

        impl<F: Scalar> Layer<F> for $name<F> {
            const KIND: Kind = Kind::own($kind);
            type Cache = ModelCache;
            fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
                Layer::output_shape(&self.body, input)
            }
            fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
                self.body.forward(input)
            }
            fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, ModelCache)> {
                self.body.forward_train(input)
            }
            fn backward(&mut self, cache: ModelCache, grad: Tensor<F>) -> Result<Tensor<F>> {
                self.body.backward(cache, grad)
            }
            fn activation(&self) -> OutputActivation {
                self.body.activation()
            }
            fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
                self.body.visit_params(&mut |name, param| visit(&format!("body.{name}"), param));
            }
            fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
                self.body.visit_params_mut(&mut |name, param| visit(&format!("body.{name}"), param));
            }
            $($more)*
        }
    };
}

container!(Closed, "test.closed", {});
container!(Open, "test.open", {
    fn without_activation(&self) -> WithoutActivation {
        self.body.without_activation()
    }
    fn forward_logits(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        self.body.forward_logits(input)
    }
    fn forward_train_logits(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, ModelCache)> {
        self.body.forward_train_logits(input)
    }
    fn forward_eval(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, ModelCache)> {
        self.body.forward_eval(input)
    }
    fn forward_eval_logits(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, ModelCache)> {
        self.body.forward_eval_logits(input)
    }
    fn parts(&self, _: &[usize]) -> Vec<Part<'_, F>> {
        vec![Part::new("body", self.body.input_shape(), &self.body)]
    }
});
container!(Half, "test.half", {
    fn without_activation(&self) -> WithoutActivation {
        WithoutActivation::Rest
    }
});
container!(Mixed, "test.mixed", {
    fn without_activation(&self) -> WithoutActivation {
        WithoutActivation::Rest
    }
    fn forward_logits(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        self.body.forward_logits(input)
    }
    fn forward_train_logits(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, ModelCache)> {
        Ok((self.body.forward_logits(input.clone())?, self.body.forward_train(input)?.1))
    }
    fn forward_eval_logits(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, ModelCache)> {
        self.body.forward_eval_logits(input)
    }
});
container!(Stale, "test.stale", {
    fn without_activation(&self) -> WithoutActivation {
        WithoutActivation::Rest
    }
    fn forward_logits(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        self.body.forward_logits(input)
    }
    fn forward_train_logits(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, ModelCache)> {
        self.body.forward_train_logits(input)
    }
    fn forward_eval(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, ModelCache)> {
        self.body.forward_eval(input)
    }
    fn forward_eval_logits(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, ModelCache)> {
        self.body.forward_train_logits(input)
    }
});
container!(Wrong, "test.wrong", {
    fn without_activation(&self) -> WithoutActivation {
        WithoutActivation::Nothing
    }
});

/// The identity, which falsely declares that it is a sigmoid.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Boasting;

impl Layer<f64> for Boasting {
    const KIND: Kind = Kind::own("test.boasting");
    type Cache = ();
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(input.to_vec())
    }
    fn forward(&self, input: Tensor<f64>) -> Result<Tensor<f64>> {
        Ok(input)
    }
    fn forward_train(&mut self, input: Tensor<f64>) -> Result<(Tensor<f64>, ())> {
        Ok((input, ()))
    }
    fn backward(&mut self, _: (), grad: Tensor<f64>) -> Result<Tensor<f64>> {
        Ok(grad)
    }
    fn activation(&self) -> OutputActivation {
        OutputActivation::Sigmoid
    }
}

/// Builds two dense layers followed by softmax (if `last`) or the sigmoid, over three outputs.
fn body(last: bool) -> Sequential<f64> {
    let body = Sequential::builder_of([5]).layer(Dense::units(6)).layer(Tanh).layer(Dense::units(3));
    if last { body.layer(Softmax).build().unwrap() } else { body.layer(Sigmoid).build().unwrap() }
}

fn around(layer: impl Layer<f64>) -> Sequential<f64> {
    Sequential::builder_of([5]).layer(layer).build().unwrap()
}

fn parameters(model: &Sequential<f64>) -> Vec<f64> {
    let mut all = Vec::new();
    model.visit_params(&mut |_, param| all.extend_from_slice(param.as_slice()));
    all
}

/// Returns losses and parameters of a short training, and the predictions after it.
fn trained(mut model: Sequential<f64>, softmax: bool) -> (Vec<f64>, Vec<f64>, ArrayD<f64>) {
    let x = Array2::from_shape_fn((20, 5), |(i, j)| ((i * 7 + j * 3) as f64).sin());
    let labels: Vec<usize> = (0..20).map(|i| i % 3).collect();
    let start = parameters(&model);
    let (losses, predictions) = if softmax {
        let mut trainer = Trainer::new(CrossEntropy::default(), SGD::default()).learning_rate(0.1);
        let data = ArrayDataset::new(x.clone(), labels.clone()).unwrap();
        let step = |_| trainer.step(&mut model, x.clone().into_dyn(), &labels[..], None).unwrap();
        let mut losses: Vec<f64> = (0..10).map(step).collect();
        losses.push(trainer.evaluate(&model, &data).unwrap().loss);
        (losses, model.predict(&x).unwrap())
    } else {
        let targets = Array2::from_shape_fn((20, 3), |(i, j)| ((i + j) % 2) as f64).into_dyn();
        let mut trainer = Trainer::new(SoftBinaryCrossEntropy::default(), SGD::default()).learning_rate(0.1);
        let step = |_| trainer.step(&mut model, x.clone().into_dyn(), &targets, None).unwrap();
        ((0..10).map(step).collect(), model.predict(&x).unwrap())
    };
    let end = parameters(&model);
    assert!(
        start.iter().zip(&end).filter(|(a, b)| a != b).count() * 10 > start.len() * 9,
        "training changes it"
    );
    (losses, end, predictions)
}

fn near(one: &[f64], other: &[f64]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| (a - b).abs() < 1e-12)
}

#[test]
fn a_container_that_only_says_its_activation_is_run_as_it_is_and_trains() {
    for softmax in [true, false] {
        let (losses, weights, predictions) = trained(body(softmax), softmax);
        let closed = Closed { body: body(softmax) };
        for model in [
            around(closed.clone()),
            around(Closed { body: around(closed.clone()) }),
            around(around(closed.clone())),
            around(Open { body: around(closed) }),
        ] {
            assert_eq!(model.activation(), OutputActivation::Unknown);
            let found = trained(model, softmax);
            assert!(
                near(&found.0, &losses) && near(&found.1, &weights),
                "{softmax} {losses:?} {:?}",
                found.0
            );
            assert!(near(found.2.as_slice().unwrap(), predictions.as_slice().unwrap()));
        }
    }
}

#[test]
fn a_container_that_says_what_it_is_without_its_activation_has_the_bits_of_the_flat_model() {
    for softmax in [true, false] {
        let expected = trained(body(softmax), softmax);
        let open = Open { body: body(softmax) };
        for model in
            [around(open.clone()), around(Open { body: around(open.clone()) }), around(around(open.clone()))]
        {
            let activation = if softmax { OutputActivation::Softmax } else { OutputActivation::Sigmoid };
            assert_eq!(model.activation(), activation);
            let x = Tensor::from_elem(vec![2, 5], 0.3);
            let logits = model.forward_logits(x.clone()).unwrap();
            assert_eq!(activation.apply(logits), model.forward(x).unwrap());
            assert_eq!(trained(model, softmax), expected);
        }
    }
}

#[test]
fn what_a_container_says_wrongly_is_found() {
    let mut model = around(Half { body: body(true) });
    let x = Tensor::from_elem(vec![2, 5], 0.3);
    let text = model.forward_logits(x.clone()).unwrap_err().to_string();
    assert_eq!(
        text,
        "layer 0 (test.half): test.half must have a method `forward_logits` beside its `WithoutActivation::Rest`, \
         got none. Write it: the layer without its last activation."
    );
    let text = model.forward_train_logits(x).unwrap_err().to_string();
    assert!(text.contains("test.half must have a method `forward_train_logits`"), "{text}");

    let check = || LayerCheck::<f64>::new(&[5]);
    for softmax in [true, false] {
        let report = check().run(Open { body: body(softmax) }).unwrap().to_string();
        assert!(report.contains("from the logits it makes the same gradients"), "{report}");
    }
    let text = check().run(Mixed { body: body(true) }).unwrap_err().to_string();
    assert!(text.contains("the input's gradient from the logits"), "{text}");
    check().run(Closed { body: body(true) }).unwrap();
    let training = Sequential::builder_of([5]).layer(GaussianNoise::std_dev(0.1)).layer(Dense::units(3));
    let training = training.layer(Softmax).build().unwrap();
    let stale = check().exempt(Exemption::TrainingDiffers).run(Stale { body: training });
    assert!(stale.is_err(), "logits in inference mode are not those of training");
    assert!(check().run(Half { body: body(true) }).is_err());
    let square = Sequential::builder_of([3]).layer(Dense::units(3)).layer(Softmax).build().unwrap();
    let text = LayerCheck::<f64>::new(&[3]).run(Wrong { body: square }).unwrap_err().to_string();
    assert!(text.contains("the output of an activation"), "{text}");
    let text = check_layer::<f64>(Boasting, &[3]).unwrap_err().to_string();
    assert!(
        text.contains("the outputs must be those of Sigmoid, as `activation` returns, got the number"),
        "{text}"
    );
}

#[test]
fn the_summary_has_the_layers_inside() {
    let open = Open { body: around(Open { body: body(true) }) };
    let table = around(around(open)).to_string();
    let expected = "
                   Layer       Output shape  Parameters
───────────────────────────────────────────────────────
                   input       [5]
0                  sequential  [3]                   57
0.0                test.open   [3]                   57
0.0.body           sequential  [3]                   57
0.0.body.0         test.open   [3]                   57
0.0.body.0.body    sequential  [3]                   57
0.0.body.0.body.0  dense       [6]                   36
0.0.body.0.body.1  tanh        [6]                    0
0.0.body.0.body.2  dense       [3]                   21
0.0.body.0.body.3  softmax     [3]                    0
───────────────────────────────────────────────────────
57 parameters, 57 trainable; 456 bytes in f64";
    assert_eq!(format!("\n{table}"), expected, "\n{table}");
    assert!(!around(Closed { body: body(true) }).to_string().contains("dense"), "it does not say its parts");
}

/// Each level asks the next for its activation. If it asked twice, the time would grow as a power of the depth.
#[test]
fn models_nested_as_deep_as_files_may_be_answer_at_once() {
    let mut nested = body(true);
    for level in 0..50 {
        nested = if level % 2 == 0 { around(nested) } else { around(Open { body: nested }) };
    }
    assert_eq!(Layer::<f64>::activation(&nested), OutputActivation::Softmax);
    let x = Array2::from_elem((2, 5), 0.5);
    let logits = nested.forward_logits(x.clone().into_dyn()).unwrap();
    assert_eq!(OutputActivation::Softmax.apply(logits), nested.predict(&x).unwrap().into_dyn());
    assert_eq!(nested.predict_classes(&x).unwrap().len(), 2);
    let data = ArrayDataset::new(x, vec![0, 1]).unwrap();
    let mut trainer = Trainer::new(CrossEntropy::default(), SGD::default());
    trainer = trainer.batch_size(2).epochs(1).progress(Progress::Silent);
    assert_eq!(trainer.fit(&mut nested, &data).unwrap().epochs.len(), 1);
}
