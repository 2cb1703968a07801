//! A custom layer with a parameter, in two ways: from its formula, and written by hand. Their gradients are checked, they
//! give the same results, and a model with them is trained, saved and loaded.
//!
//! PReLU (He, Zhang, Ren and Sun, "Delving deep into rectifiers", 2015) is a ReLU that learns its slope for negative
//! numbers, one for each feature.

use plywood::ndarray::{Array1, Array2, Axis};
use plywood::prelude::*;
use serde::{Deserialize, Serialize};

/// PReLU from its formula. The gradients follow from the operations, and files need no code of this program.
fn prelu<'g>(g: &'g GraphBuilder, x: Value<'g>) -> Value<'g> {
    let slope = g.param("slope", x.shape(), Initializer::Constant(0.25));
    x.relu() - slope * (-x).relu()
}

/// PReLU written by hand: for what operations cannot express, and for the last bit of speed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
struct PReLU<F: Scalar = f32> {
    slope: Param<F>,
}

impl<F: Scalar> PReLU<F> {
    fn new(features: usize) -> Self {
        Self { slope: Param::new(Array1::from_elem(features, F::of(0.25))) }
    }
}

impl<F: Scalar> Layer<F> for PReLU<F> {
    const KIND: Kind = Kind::own("example.prelu");
    /// The input.
    type Cache = Tensor<F>;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        if input != self.slope.shape() {
            let expected = format!("{:?}", self.slope.shape());
            return Err(
                Error::shape("the input", expected, input).help("Build the layer for as many features.")
            );
        }
        Ok(input.to_vec())
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        plywood::nn::check_batch(&input, self.slope.shape())?;
        let negative = input.mapv(|x| if x > F::zero() { F::zero() } else { x }) * self.slope.value();
        Ok(input.mapv(|x| if x > F::zero() { x } else { F::zero() }) + negative)
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Tensor<F>)> {
        Ok((self.forward(input.clone())?, input))
    }

    fn backward(&mut self, input: Tensor<F>, grad: Tensor<F>) -> Result<Tensor<F>> {
        plywood::nn::check_gradient(&grad, input.shape())?;
        let negative = input.mapv(|x| if x > F::zero() { F::zero() } else { x });
        self.slope.add_gradient(&(&grad * &negative).sum_axis(Axis(0)))?;
        let one = input.mapv(|x| if x > F::zero() { F::one() } else { F::zero() });
        let other = one.mapv(|one| F::one() - one) * self.slope.value();
        Ok(grad * (one + other))
    }

    fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        visit("slope", &self.slope);
    }

    fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
        visit("slope", &mut self.slope);
    }
}

/// Makes points in the plane, labelled by the ring of three that they lie in.
fn rings(samples: usize) -> Result<ArrayDataset<f32, Vec<usize>>> {
    let mut draws = Random::seed(3).child("rings").at(0, 0);
    let points = Array2::from_shape_simple_fn((samples, 2), || draws.uniform(-1.5, 1.5) as f32);
    let ring = |x: f32, y: f32| (x.hypot(y) * 2.0).min(2.0) as usize;
    let labels = points.outer_iter().map(|p| ring(p[0], p[1])).collect();
    ArrayDataset::new(points, labels)
}

fn main() -> Result<()> {
    println!("{}\n", check_layer::<f64>(Graph::layer("prelu", prelu), &[6])?);
    println!("{}\n", check_layer::<f64>(PReLU::new(6), &[6])?);

    let numbers = Array2::from_shape_fn((5, 6), |(i, j)| (i as f32 - 2.0) * (j as f32 + 0.5)).into_dyn();
    let formula = Graph::layer("prelu", prelu).build(&[6], &Random::seed(1))?;
    assert_eq!(formula.forward(numbers.clone())?, PReLU::new(6).forward(numbers)?);

    let mut model = Sequential::builder([2])
        .seed(1)
        .layer(Dense::units(32))
        .layer(Graph::layer("prelu", prelu))
        .layer(Dense::units(32))
        .layer(PReLU::new(32))
        .layer(Dense::units(3))
        .layer(Softmax)
        .build()?;
    println!("{model}\n");
    let history = Trainer::new(CrossEntropy::default(), Adam::default())
        .learning_rate(0.01)
        .epochs(20)
        .validation_split(0.2)
        .metric(Accuracy::default())
        .progress(Progress::Silent)
        .fit(&mut model, &rings(2000)?)?;
    println!("validation accuracy {:.3}", history.last("val_accuracy").unwrap_or(f64::NAN));

    let path = std::env::temp_dir().join(format!("plywood-custom-layer-{}.plywood", std::process::id()));
    model.save(&path)?;
    let loaded = Sequential::load_with(&path, &Registry::builtin().with::<PReLU>())?;
    let point = plywood::ndarray::arr2(&[[0.1f32, 0.2]]);
    assert_eq!(model.predict(&point)?, loaded.predict(&point)?);
    println!("saved and loaded; predictions are bit-identical: {}", loaded.predict(&point)?);
    std::fs::remove_file(&path).map_err(|error| Error::io("remove", &path, error))
}
