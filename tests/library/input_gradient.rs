//! Gradients at the input, in inference mode.

use plywood::ndarray::{Array2, Axis, arr2};
use plywood::prelude::*;
use plywood::train::input_gradient;
use serde::{Deserialize, Serialize};

/// A model with every kind of layer that computes something else in training, and with containers around them.
fn model() -> Sequential<f64> {
    let block =
        || Sequential::<f64>::block_of().layer(BatchNorm::new()).layer(Dropout::rate(0.3)).layer(Tanh);
    let mut model = Sequential::<f64>::builder_of([6])
        .seed(4)
        .layer(Dense::units(8))
        .layer(block())
        .layer(Residual::around(block().layer(Dense::units(8)).layer(GaussianNoise::std_dev(0.5))))
        .layer(Concat::of([block(), Sequential::block_of().layer(Dropout2d::rate(0.4))]))
        .layer(Add::of([block(), block()]))
        .layer(Sequential::<f64>::block_of().layer(Dropout::rate(0.5)).layer(Dense::units(3)).layer(Softmax))
        .build()
        .unwrap();
    // Moves the running statistics away from 0 and 1.
    for step in 0..3 {
        model.forward_train(inputs().mapv(|x| x + f64::from(step)).into_dyn()).unwrap();
    }
    model
}

fn inputs() -> Array2<f64> {
    Array2::from_shape_fn((5, 6), |(i, j)| ((i * 7 + j * 3) as f64 * 0.9).sin())
}

const LABELS: [usize; 5] = [0, 2, 1, 1, 0];

/// The loss of each sample by `predict`, whose differences the gradients are compared with.
fn losses(model: &Sequential<f64>, x: &Array2<f64>) -> Vec<f64> {
    let p = model.predict(x).unwrap();
    LABELS.iter().enumerate().map(|(i, &label)| -p[[i, label]].ln()).collect()
}

#[test]
fn it_agrees_with_differences_of_predictions_and_leaves_the_model_as_it_is() {
    let model = model();
    let before = model.to_bytes().unwrap();
    let x = inputs();
    let gradient =
        input_gradient(&model, &CrossEntropy::default(), x.clone().into_dyn(), &LABELS[..]).unwrap();
    assert_eq!(model.to_bytes().unwrap(), before);
    model.each_param(&mut |name, param| assert!(param.gradient().is_none(), "{name}"));
    let h = 1e-6;
    for j in 0..6 {
        let moved = |by: f64| {
            let mut moved = x.clone();
            moved.column_mut(j).mapv_inplace(|x| x + by);
            losses(&model, &moved)
        };
        for (i, (up, down)) in moved(h).into_iter().zip(moved(-h)).enumerate() {
            let difference = (up - down) / (2.0 * h);
            assert!(
                (gradient[[i, j]] - difference).abs() < 1e-8,
                "{i} {j}: {} {difference}",
                gradient[[i, j]]
            );
        }
    }
    // Through a trait object, and of one sample alone.
    let boxed = model.boxed();
    let loss = CrossEntropy::default();
    assert_eq!(input_gradient(&boxed, &loss, x.clone().into_dyn(), &LABELS[..]).unwrap(), gradient);
    let one = x.slice_axis(Axis(0), (2..3).into()).to_owned().into_dyn();
    let alone = input_gradient(&model, &loss, one, &LABELS[2..3]).unwrap();
    assert!(
        (alone.index_axis(Axis(0), 0).to_owned() - gradient.index_axis(Axis(0), 2))
            .iter()
            .all(|d| d.abs() < 1e-15)
    );
}

/// `∂ (y - t)² / ∂ x = 2 (x·w + b - t) · wᵀ`, worked out by hand.
#[test]
fn by_hand() {
    struct Given;
    impl LayerSpec for Given {
        type Layer = Dense;
        fn build(self, _: &[usize], _: &Random) -> Result<Dense> {
            Dense::from_weights(arr2(&[[2.0], [-1.0]]), Some(plywood::ndarray::arr1(&[0.5])))
        }
    }
    let model = Sequential::builder([2]).layer(Given).build().unwrap();
    let x = arr2(&[[1.0f32, 3.0], [0.0, 1.0]]).into_dyn(); // y = -0.5 and -0.5
    let target = arr2(&[[1.5f32], [-0.5]]).into_dyn();
    let gradient = input_gradient(&model, &MeanSquaredError, x, &target).unwrap();
    assert_eq!(gradient, arr2(&[[-8.0f32, 4.0], [0.0, 0.0]]).into_dyn());
}

/// Doubles its input in training alone, and has no `forward_eval`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Doubled;

impl Layer for Doubled {
    const KIND: Kind = Kind::own("tests.doubled");
    type Cache = ();
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(input.to_vec())
    }
    fn forward(&self, input: Tensor) -> Result<Tensor> {
        Ok(input)
    }
    fn forward_train(&mut self, input: Tensor) -> Result<(Tensor, ())> {
        Ok((input * 2.0, ()))
    }
    fn backward(&mut self, (): (), grad: Tensor) -> Result<Tensor> {
        Ok(grad * 2.0)
    }
}

#[test]
fn what_cannot_be_right_is_an_error() {
    let text = |result: Result<Tensor>| result.unwrap_err().to_string();
    let x = || Tensor::<f32>::ones(vec![1, 2]);
    let loss = MeanSquaredError;
    let target = Tensor::<f32>::zeros(vec![1, 2]);
    let doubled = Sequential::builder([2]).layer(Doubled).build().unwrap();
    let found = text(input_gradient(&doubled, &loss, x(), &target));
    assert!(
        found.starts_with(
            "input_gradient: the outputs of the model in a pass with a cache must be those of `predict`, got others. A custom layer that does something else in training needs its own `forward_eval`"
        ),
        "{found}"
    );
    let check =
        plywood::testing::LayerCheck::<f32>::new(&[2]).exempt(plywood::testing::Exemption::TrainingDiffers);
    let found = check.run(Doubled).unwrap_err().to_string();
    assert!(
        found.contains("of the output of `forward_eval` must be")
            && found.contains("It computes what `forward`"),
        "{found}"
    );

    let model = Sequential::builder([2]).layer(Dense::units(2)).build().unwrap();
    let shape = text(input_gradient(&model, &loss, Tensor::ones(vec![1, 3]), &target));
    assert!(shape.starts_with("input_gradient: the input must have shape [batch, 2], got [1, 3]"), "{shape}");
    let empty = text(input_gradient(&model, &loss, Tensor::ones(vec![0, 2]), &Tensor::zeros(vec![0, 2])));
    assert!(empty.contains("the batch must have at least one sample"), "{empty}");
    let nan = text(input_gradient(&model, &loss, Tensor::from_elem(vec![1, 2], f32::NAN), &target));
    assert!(nan.contains("the input of row 0") || nan.contains("the input of sample 0"), "{nan}");
    let targets = text(input_gradient(&model, &loss, x(), &Tensor::zeros(vec![1, 3])));
    assert!(targets.contains("[batch, 2]") || targets.contains("[1, 2]"), "{targets}");
    let softmax = Sequential::builder([2]).layer(Softmax).build().unwrap();
    let misfit = input_gradient(&softmax, &BinaryCrossEntropy::default(), x(), &[1][..]).map(drop);
    assert!(misfit.is_err());
}
