//! Operations of a user's own: what `check_op` finds, and graphs that hold one.

use plywood::ndarray::{Array2, arr2};
use plywood::nn::op::{Backward, Needs, Op, Shape, Shapes, Steps};
use plywood::nn::{InferRegistry, OutputActivation};
use plywood::prelude::*;
use plywood::testing::OpCheck;
use serde::{Deserialize, Serialize};
use std::cell::Cell;

/// A mistake in [`Powered`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Fault {
    #[default]
    None,
    Factor,
    NotKept,
    NotWritten,
    InPlace,
    Steps,
    Batch,
    Shape,
    Activation,
    NoGradient,
    BatchAxis,
    Saved,
    OtherInput,
}

/// `x^n` for each number, with a mistake.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Powered {
    n: i32,
    fault: Fault,
    #[serde(skip)]
    shift: u8,
}

impl<F: Scalar> Op<F> for Powered {
    const KIND: Kind = Kind::own("test.powered");
    const IN_PLACE: bool = true;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        if self.n < 1 {
            return Err(Error::argument("n", "at least 1", self.n).help("Give a positive exponent."));
        }
        Ok(Shape::new(inputs[0].batched || self.fault == Fault::BatchAxis, &inputs[0].sizes[..]))
    }

    fn steps(&self, _: &[&Shape], output: &Shape, _: usize) -> Steps {
        Steps::kept_if(!output.sizes.is_empty())
    }

    fn forward(&self, shapes: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        let skipped = if self.fault == Fault::NotWritten { 3 } else { out.len() };
        for (i, (y, x)) in out.iter_mut().zip(inputs[0]).enumerate().filter(|(i, _)| *i != skipped) {
            let other = match self.fault {
                Fault::Steps => inputs[0][i / 6 * 6],
                Fault::Batch => F::of(shapes.batch as f64),
                _ => F::of(f64::from(self.shift)),
            };
            *y = x.powi(self.n) + other;
        }
        Ok(())
    }

    fn forward_in_place(&self, _: Shapes<'_>, x: &mut [F]) {
        let factor = F::of(if self.fault == Fault::InPlace { 2.0 } else { 1.0 });
        let first = |i: usize, x: &[F]| if self.fault == Fault::Steps { x[i / 6 * 6] } else { F::zero() };
        let others: Vec<F> = (0..x.len()).map(|i| first(i, x)).collect();
        for (x, other) in x.iter_mut().zip(others) {
            *x = factor * x.powi(self.n) + F::of(f64::from(self.shift)) + other;
        }
    }

    fn needs(&self, _: usize) -> Needs {
        if self.fault == Fault::NotKept { Needs::OUTPUT } else { Needs::input(0) }
    }

    fn backward(&self, pass: &mut Backward<'_, F>, mut grad: Tensor<F>) -> Result<()> {
        let factor = F::of(f64::from(self.n) * if self.fault == Fault::Factor { 0.5 } else { 1.0 });
        for (g, x) in grad.iter_mut().zip(pass.input(0)?) {
            *g = factor * *g * x.powi(self.n - 1);
        }
        match self.fault {
            Fault::Shape => pass.give(0, grad.into_shape_with_order([30]).unwrap().into_dyn()),
            Fault::NoGradient => {}
            Fault::OtherInput => pass.give(9, grad),
            _ => pass.give(0, grad),
        }
        Ok(())
    }

    fn activation(&self) -> OutputActivation {
        if self.fault == Fault::Activation { OutputActivation::Sigmoid } else { OutputActivation::Unknown }
    }
}

fn powered(fault: Fault) -> Powered {
    Powered { n: 3, fault, shift: u8::from(fault == Fault::Saved) }
}

#[test]
fn check_op_finds_each_mistake() {
    let shape = [Shape::batched([2, 3])];
    let report = check_op::<f64>(powered(Fault::None), &shape).unwrap().to_string();
    assert!(
        report.starts_with("operation \"test.powered\"\n  ok           it writes all numbers"),
        "{report}"
    );
    assert!(report.contains("each step of input 0 reaches only the same step"), "{report}");
    check_op::<f32>(powered(Fault::None), &shape).unwrap();
    for (fault, expected) in [
        (Fault::Factor, "the gradient at number"),
        (
            Fault::NotKept,
            "what `backward` reads, input 0, must be named by `Op::needs`, got a value that is not kept.",
        ),
        (Fault::NotWritten, "number 3 of the output must be written, got what was there before."),
        (Fault::InPlace, "of the output of `forward_in_place` must be"),
        (Fault::Steps, "which belongs to another step than 0, must not depend on that step"),
        (Fault::Batch, "of the output of sample 0 alone must be"),
        (Fault::Shape, "the gradient at an input must have shape [5, 2, 3], got [30]."),
        (Fault::Activation, "of the output, by the activation that is declared must be"),
        (Fault::NoGradient, "the gradient at number"),
        (Fault::OtherInput, "the input that a gradient is given to must be one of the 1, from 0, got 9."),
        (Fault::Saved, "the same bits after saving and loading"),
    ] {
        let error = check_op::<f64>(powered(fault), &shape).unwrap_err().to_string();
        assert!(error.starts_with("check of operation \"test.powered\" in f64: "), "{error}");
        assert!(error.contains(expected), "{fault:?}: {error}");
    }
    let error = check_op::<f64>(powered(Fault::BatchAxis), &[Shape::shared([2])]).unwrap_err().to_string();
    assert!(
        error.contains("the output must have no batch axis, as no input has one, got [batch, 2]."),
        "{error}"
    );
    let error = check_op::<f64>(powered(Fault::None), &[]).unwrap_err().to_string();
    assert!(error.contains("the number of inputs must be at least 1, got 0."), "{error}");
    let given = OpCheck::<f64>::new(&shape).input(0, Tensor::zeros(&[4, 2, 2][..]));
    let error = given.run(powered(Fault::None)).unwrap_err().to_string();
    assert!(error.contains("input 0 must have shape [4, 2, 3], got [4, 2, 2]."), "{error}");
}

fn model() -> Graph {
    let g = Graph::builder().seed(3);
    let x = g.input("x", [3]);
    let w = g.param("weight", [3, 2], Initializer::GlorotUniform);
    g.output("y", g.op(powered(Fault::None), &[x.matmul(w)]));
    g.build().unwrap()
}

#[test]
fn a_graph_with_an_operation_of_its_own_trains_and_is_saved() {
    let mut model = model();
    let x: Array2<f32> = arr2(&[[1.0, -0.5, 0.25], [0.3, 0.7, -1.0], [0.0, 0.2, 0.9], [1.0, 1.0, 0.0]]);
    let y = Array2::<f32>::from_elem((4, 2), 0.4);
    let data = ArrayDataset::new(x.clone(), y.into_dyn()).unwrap();
    let history = Trainer::new(MeanSquaredError, Optimizer::new(Adam::default()).learning_rate(0.05))
        .epochs(40)
        .batch_size(4)
        .progress(Progress::Silent)
        .fit(&mut model, &data)
        .unwrap();
    let losses = history.get("loss");
    assert!(losses[39] < 0.5 * losses[0], "{losses:?}");
    let (y, bytes) = (model.predict(&x).unwrap(), model.to_bytes().unwrap());
    assert!(model.to_string().contains("test.powered"), "{model}");

    let registry = Registry::<f32>::builtin().with_op::<Powered>();
    assert_eq!(registry.from_bytes(&bytes).unwrap().predict(&x).unwrap(), y);
    let infer = InferRegistry::<f32>::empty().with_op::<Powered>();
    assert_eq!(infer.from_bytes(&bytes).unwrap().predict(&x).unwrap(), y);

    for error in [
        Registry::<f32>::builtin().from_bytes(&bytes).map(drop).unwrap_err(),
        InferRegistry::<f32>::empty().graphs().from_bytes(&bytes).map(drop).unwrap_err(),
    ] {
        let error = error.to_string();
        let expected = "the kind of an operation must be one of this crate's, got \"test.powered\". Load with `load_with` \
                        and a registry that has it: `Registry::builtin().with_op::<YourOp>()`.";
        assert!(error.ends_with(expected), "{error}");
    }
    // Within a block, whose layers come from a registry of their own.
    let block =
        Sequential::builder([3]).layer(Residual::around(Sequential::builder([3]).layer(model_layer())));
    let model = block.build().unwrap();
    let bytes = model.to_bytes().unwrap();
    let infer = InferRegistry::<f32>::empty().with::<Residual>().blocks(registry);
    assert_eq!(infer.from_bytes(&bytes).unwrap().predict(&x).unwrap(), model.predict(&x).unwrap());
}

fn model_layer() -> impl LayerSpec<f32, Layer = Graph> {
    Graph::layer("powered", |g, x| g.op(powered(Fault::None), &[x]))
}

#[test]
fn mistakes_in_a_graph_name_the_operation() {
    let g = Graph::builder();
    let x = g.input("x", [3]);
    g.output("y", g.op(Powered::default(), &[x]));
    let error = g.build().unwrap_err().to_string();
    assert!(error.starts_with("test.powered, ") && error.contains("ops.rs:"), "{error}");
    assert!(error.ends_with("`n` must be at least 1, got 0. Give a positive exponent."), "{error}");

    let g = Graph::builder();
    let x = g.input("x", [3]);
    g.output("y", g.op(powered(Fault::None), &[x, x]));
    let error = g.build().unwrap_err().to_string();
    assert!(error.contains("the number of inputs must be 1, got 2."), "{error}");

    // What only the backward pass can see.
    for fault in [Fault::NotKept, Fault::Shape] {
        let layer = Graph::layer("wrong", move |g, x| {
            let w = g.param("weight", [10, 3], Initializer::Constant(1.0));
            g.op(powered(fault), &[x * w])
        });
        let mut model = Sequential::builder([10, 3]).layer(layer).build().unwrap();
        let (_, cache) = model.forward_train(Tensor::ones(&[1, 10, 3][..])).unwrap();
        let error = model.backward(cache, Tensor::ones(&[1, 10, 3][..])).unwrap_err().to_string();
        assert!(error.starts_with("layer 0 (wrong), operation test.powered: "), "{error}");
    }
}

/// Gives the gradient at a parameter in the forms of products and rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Looked {
    shape: [usize; 2],
    ids: Vec<usize>,
    as_product: bool,
}

impl<F: Scalar> Op<F> for Looked {
    const KIND: Kind = Kind::own("test.looked");
    const INPUTS: std::ops::RangeInclusive<usize> = 2..=2;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        Ok(Shape::batched([inputs[1].sizes[1]]))
    }

    /// `x · table`.
    fn forward(&self, shapes: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        let (x, table) = (shapes.input_view(0, inputs[0]), shapes.input_view(1, inputs[1]));
        let x = x.into_dimensionality::<plywood::ndarray::Ix2>().unwrap();
        let table = table.into_dimensionality::<plywood::ndarray::Ix2>().unwrap();
        shapes.output_view_mut(out).assign(&x.dot(&table).into_dyn());
        Ok(())
    }

    fn needs(&self, _: usize) -> Needs {
        Needs::input(0)
    }

    fn backward(&self, pass: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()> {
        if self.as_product {
            let x = pass.take_input(0)?;
            assert!(pass.input(0).is_err(), "it was taken");
            pass.give_product(1, x, Tensor::zeros(&self.shape[..]) + grad);
        } else {
            pass.give_rows(1, self.ids.clone(), Tensor::ones(&self.shape[..]));
        }
        Ok(())
    }
}

#[test]
fn forms_of_gradients_are_checked() {
    let learned = |op: Looked| {
        let g = Graph::builder();
        let (x, table) = (g.input("x", [4]), g.param("table", [4, 3], Initializer::Constant(1.0)));
        g.output("y", g.op(op, &[x, table]));
        let mut model = g.build().unwrap();
        let (_, cache) = model.forward_train(Tensor::ones(&[2, 4][..])).unwrap();
        model.backward_params(cache, Tensor::ones(&[2, 3][..])).map_err(|error| error.to_string())?;
        let sum = Cell::new(0.0);
        model.each_param(&mut |_, param| {
            sum.set(match param.gradient() {
                Some(plywood::nn::Gradient::Dense(gradient)) => gradient.sum(),
                Some(plywood::nn::Gradient::Rows { values, .. }) => values.iter().sum(),
                _ => f32::NAN,
            });
        });
        Ok::<_, String>(sum.get())
    };
    let rows = |ids: &[usize], shape| Looked { shape, ids: ids.to_vec(), as_product: false };
    assert_eq!(learned(rows(&[0, 3, 3], [3, 3])), Ok(9.0));
    let expected =
        "the rows of the gradient must be [ids, columns] with ids below the rows of [4, 3], a matrix, got ";
    for wrong in [rows(&[0, 4], [2, 3]), rows(&[0], [2, 3]), rows(&[0, 1], [2, 2])] {
        assert!(learned(wrong.clone()).unwrap_err().contains(expected), "{wrong:?}");
    }
    assert_eq!(learned(Looked { shape: [2, 3], ids: vec![], as_product: true }), Ok(24.0));
}

/// In place, with one input or two; or as a sum of all numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Twice {
    sum: bool,
}

impl<F: Scalar> Op<F> for Twice {
    const KIND: Kind = Kind::own("test.twice");
    const INPUTS: std::ops::RangeInclusive<usize> = 0..=2;
    const IN_PLACE: bool = true;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        Ok(if self.sum { Shape::batched([]) } else { inputs[0].clone() })
    }

    fn forward(&self, _: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        for (i, y) in out.iter_mut().enumerate() {
            *y = inputs[0][i] + inputs[0][i] + inputs.get(1).map_or(F::zero(), |x| x[i]);
        }
        Ok(())
    }

    fn forward_in_place(&self, _: Shapes<'_>, x: &mut [F]) {
        x.iter_mut().for_each(|x| *x += *x);
    }

    fn backward(&self, pass: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()> {
        pass.give(1, grad.clone());
        pass.give(0, grad.mapv(|g| g + g));
        Ok(())
    }
}

#[test]
fn in_place_is_for_one_input_with_as_many_numbers() {
    let shape = || Shape::batched([3]);
    check_op::<f64>(Twice { sum: false }, &[shape(), shape()]).unwrap();
    let g = Graph::builder();
    let x = g.input("x", [3]);
    g.output("y", g.op(Twice { sum: false }, &[x.layer(ReLU), x]));
    let y = g.build().unwrap().predict(&arr2(&[[1.0f32, 2.0, 3.0]])).unwrap();
    assert_eq!(y, arr2(&[[3.0, 6.0, 9.0]]).into_dyn());
    let error = check_op::<f64>(Twice { sum: true }, &[shape()]).unwrap_err().to_string();
    let expected = "the output of an operation in place must have as many numbers as the input, [batch, 3], got [batch].";
    assert!(error.contains(expected), "{error}");
    let g = Graph::builder();
    g.output("y", g.input("x", [3]) * g.op(Twice { sum: false }, &[]));
    let error = g.build().unwrap_err().to_string();
    assert!(error.contains("the number of inputs must be at least 1, got 0."), "{error}");
    let error = OpCheck::<f32>::new(&[shape()])
        .without_gradient(1)
        .run(Twice { sum: false })
        .unwrap_err()
        .to_string();
    assert!(error.contains("the number of an input must be one of the 1, from 0, got 1."), "{error}");
}
