//! Layers and losses from their formula: how many lines they take, and that they are right.
//!
//! The lines are those of this file, which `cargo fmt` breaks: from the signature to the closing brace.

use plywood::ndarray::{Array2, Array3, Array4, Axis, arr2, s};
use plywood::nn::Outputs;
use plywood::nn::op::{Backward, Needs, Op, Shape, Shapes};
use plywood::prelude::*;
use serde::{Deserialize, Serialize};

fn dense_tanh<'g>(g: &'g GraphBuilder, x: Value<'g>, units: usize) -> Value<'g> {
    let w = g.param("weight", [x.size(-1), units], Initializer::GlorotUniform);
    let b = g.param("bias", [units], Initializer::Zeros);
    (x.matmul(w) + b).tanh()
}

fn layer_norm<'g>(g: &'g GraphBuilder, x: Value<'g>) -> Value<'g> {
    let scale = g.param("scale", [x.size(-1)], Initializer::Constant(1.0));
    let shift = g.param("shift", [x.size(-1)], Initializer::Zeros);
    let d = x - x.mean_keepdim(-1);
    d / (d.square().mean_keepdim(-1) + 1e-5).sqrt() * scale + shift
}

fn squeeze_excitation<'g>(x: Value<'g>, ratio: usize) -> Value<'g> {
    let channels = x.size(1);
    let s = x.mean(-1).mean(-1).layer(Dense::units(channels / ratio)).layer(ReLU);
    x * s.layer(Dense::units(channels)).layer(Sigmoid).reshape([channels, 1, 1])
}

fn attention_head<'g>(g: &'g GraphBuilder, x: Value<'g>, units: usize) -> Value<'g> {
    let w = |name| g.param(name, [x.size(-1), units], Initializer::GlorotUniform);
    let (q, k, v) = (x.matmul(w("query")), x.matmul(w("key")), x.matmul(w("value")));
    let scores = q.matmul(k.t()) / (units as f64).sqrt();
    scores.softmax(-1).matmul(v)
}

fn lstm<'g>(g: &'g GraphBuilder, x: Value<'g>, units: usize) -> Value<'g> {
    let input = g.param("input", [x.size(-1), 4 * units], Initializer::GlorotUniform);
    let recurrent = g.param("recurrent", [units, 4 * units], Initializer::GlorotUniform);
    let bias = g.param("bias", [4 * units], Initializer::Zeros);
    let (mut h, mut c) = (x.zeros([units]), x.zeros([units]));
    for step in 0..x.size(1) {
        let [i, f, z, o] = (x.index_axis(1, step).matmul(input) + h.matmul(recurrent) + bias).split(-1);
        c = f.sigmoid() * c + i.sigmoid() * z.tanh();
        h = o.sigmoid() * c.tanh();
    }
    h
}

fn focal() -> GraphLoss<[usize]> {
    GraphLoss::classes("focal", Outputs::Distributions, |_, p, label| {
        let p = p.take_along(label, -1);
        -(1 - p).square() * p.ln()
    })
}

fn triplet() -> GraphLoss<()> {
    GraphLoss::output("triplet", Outputs::Numbers, |_, y| {
        let [anchor, like, unlike] = y.split(1);
        ((anchor - like).square().sum(-1) - (anchor - unlike).square().sum(-1) + 0.2).relu()
    })
}

/// `|x|^p · sign(x)`, for each number.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SignedPower(f64);

impl<F: Scalar> Op<F> for SignedPower {
    const KIND: Kind = Kind::own("test.signed_power");

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        Ok(inputs[0].clone())
    }

    fn forward(&self, _: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        for (y, x) in out.iter_mut().zip(inputs[0]) {
            *y = x.abs().powf(F::of(self.0)).copysign(*x);
        }
        Ok(())
    }

    fn needs(&self, _: usize) -> Needs {
        Needs::input(0)
    }

    fn backward(&self, pass: &mut Backward<'_, F>, mut grad: Tensor<F>) -> Result<()> {
        for (g, x) in grad.iter_mut().zip(pass.input(0)?) {
            *g = *g * F::of(self.0) * x.abs().powf(F::of(self.0 - 1.0));
        }
        pass.give(0, grad);
        Ok(())
    }
}

#[test]
fn an_operation_takes_few_lines() {
    let text = include_str!("formulas.rs").split_once("struct SignedPower").unwrap().1;
    let lines = text.split_once("\n}\n").unwrap().0.lines().filter(|line| !line.is_empty()).count();
    assert!(
        (20..=27).contains(&lines),
        "{lines} lines, with those of `derive`, of the end and of the check 30"
    );
    check_op::<f64>(SignedPower(1.5), &[Shape::batched([2, 3])]).unwrap();
}

#[test]
fn formulas_take_few_lines() {
    let text = include_str!("formulas.rs");
    for (name, most) in [
        ("dense_tanh", 6),
        ("layer_norm", 6),
        ("squeeze_excitation", 6),
        ("attention_head", 8),
        ("lstm", 20),
        ("focal", 8),
        ("triplet", 8),
    ] {
        let start = text.find(&format!("\nfn {name}")).unwrap();
        let body = text[start + 1..].split_once("\n}\n").unwrap().0;
        let lines = body.lines().count() + 1;
        assert!((4..=most).contains(&lines), "{name}: {lines} lines");
    }
}

/// Returns a layer, and its parameters in `f64` by name.
fn built(
    layer: impl LayerSpec<f32, Layer = Graph>,
    shape: &[usize],
) -> (Graph, impl Fn(&str) -> Tensor<f64>) {
    let layer = layer.build(shape, &Random::seed(5)).unwrap();
    let mut params = Vec::new();
    layer.each_param(&mut |name, param| params.push((name.to_owned(), param.value().mapv(f64::from))));
    let of = move |name: &str| params.iter().find(|(own, _)| own == name).unwrap().1.clone();
    (layer, of)
}

fn numbers(shape: &[usize]) -> Tensor {
    let mut draws = Random::seed(9).child("numbers").at(0, 0);
    Tensor::from_shape_simple_fn(shape, || draws.uniform(-1.5, 1.5) as f32)
}

fn assert_close(found: &Tensor, expected: &Tensor<f64>) {
    assert_eq!(found.shape(), expected.shape());
    for (a, b) in found.iter().zip(expected) {
        assert!((f64::from(*a) - b).abs() < 2e-6 * (1.0 + b.abs()), "{a} and {b}");
    }
}

fn matrix(of: Tensor<f64>) -> Array2<f64> {
    of.into_dimensionality().unwrap()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[test]
fn dense_with_tanh_is_dense_and_tanh() {
    let layer = || Graph::layer("dense_tanh", |g, x| dense_tanh(g, x, 3));
    check_layer::<f64>(layer(), &[4]).unwrap();
    check_layer::<f32>(layer(), &[2, 4]).unwrap();
    let (layer, of) = built(layer(), &[4]);
    let x = numbers(&[5, 4]);
    let expected = (matrix(x.mapv(f64::from)).dot(&matrix(of("weight"))) + &of("bias")).mapv(f64::tanh);
    assert_close(&layer.forward(x).unwrap(), &expected.into_dyn());
}

#[test]
fn layer_norm_is_the_layer() {
    check_layer::<f64>(Graph::layer("layer_norm", layer_norm), &[6]).unwrap();
    let (layer, _) = built(Graph::layer("layer_norm", layer_norm), &[6]);
    let x = numbers(&[4, 6]);
    let own: LayerNorm = LayerNorm::new().build(&[6], &Random::seed(1)).unwrap();
    let expected = own.forward(x.clone()).unwrap().mapv(f64::from);
    assert_close(&layer.forward(x).unwrap(), &expected);
}

#[test]
fn squeeze_and_excitation_scales_channels() {
    let layer = || Graph::layer("squeeze_excitation", |_, x| squeeze_excitation(x, 2));
    check_layer::<f64>(layer(), &[4, 3, 2]).unwrap();
    let (layer, of) = built(layer(), &[4, 3, 2]);
    let x = numbers(&[2, 4, 3, 2]);
    let images: Array4<f64> = x.mapv(f64::from).into_dimensionality().unwrap();
    let means = images.mean_axis(Axis(3)).unwrap().mean_axis(Axis(2)).unwrap();
    let hidden = (means.dot(&matrix(of("0.weight"))) + &of("0.bias")).mapv(|x| x.max(0.0));
    let gates = (matrix(hidden.into_dyn()).dot(&matrix(of("2.weight"))) + &of("2.bias")).mapv(sigmoid);
    let gates = gates.into_shape_with_order((2, 4, 1, 1)).unwrap();
    assert_close(&layer.forward(x).unwrap(), &(images * gates).into_dyn());
}

#[test]
fn an_attention_head_weighs_values() {
    let layer = || Graph::layer("head", |g, x| attention_head(g, x, 3));
    check_layer::<f64>(layer(), &[4, 2]).unwrap();
    let (layer, of) = built(layer(), &[4, 2]);
    let x = numbers(&[3, 4, 2]);
    let steps: Array3<f64> = x.mapv(f64::from).into_dimensionality().unwrap();
    let mut expected = Array3::zeros((3, 4, 3));
    for (x, mut y) in steps.outer_iter().zip(expected.outer_iter_mut()) {
        let (q, k, v) = (x.dot(&matrix(of("query"))), x.dot(&matrix(of("key"))), x.dot(&matrix(of("value"))));
        let mut weights = q.dot(&k.t()).mapv(|s| (s / 3f64.sqrt()).exp());
        weights.outer_iter_mut().for_each(|mut row| {
            let sum = row.sum();
            row /= sum;
        });
        y.assign(&weights.dot(&v));
    }
    assert_close(&layer.forward(x).unwrap(), &expected.into_dyn());
}

#[test]
fn an_lstm_carries_its_state() {
    let layer = || Graph::layer("lstm", |g, x| lstm(g, x, 3));
    check_layer::<f64>(layer(), &[4, 2]).unwrap();
    let (layer, of) = built(layer(), &[4, 2]);
    let x = numbers(&[3, 4, 2]);
    let steps: Array3<f64> = x.mapv(f64::from).into_dimensionality().unwrap();
    let (mut h, mut c) = (Array2::<f64>::zeros((3, 3)), Array2::<f64>::zeros((3, 3)));
    for step in 0..4 {
        let gates =
            steps.index_axis(Axis(1), step).dot(&matrix(of("input"))) + h.dot(&matrix(of("recurrent")));
        let gate = |k: usize| gates.slice(s![.., 3 * k..3 * k + 3]);
        c = gate(1).mapv(sigmoid) * &c + gate(0).mapv(sigmoid) * gate(2).mapv(f64::tanh);
        h = gate(3).mapv(sigmoid) * c.mapv(f64::tanh);
    }
    assert_close(&layer.forward(x).unwrap(), &h.into_dyn());
}

#[test]
fn focal_is_the_loss_of_the_crate() {
    let p = arr2(&[[0.2f64, 0.5, 0.3], [0.9, 0.05, 0.05], [0.1, 0.1, 0.8]]).into_dyn();
    let labels = [1, 0, 1];
    check_loss(&focal(), p.clone(), &labels).unwrap();
    check_loss(&focal(), p.mapv(|p| p as f32), &labels).unwrap();
    let weights = [1.0, 2.0, 0.5];
    let (found, grad) = focal().value_and_grad(p.clone(), &labels, Some(&weights), 3.0).unwrap();
    let (expected, reference) = Focal::default().value_and_grad(p, &labels, Some(&weights), 3.0).unwrap();
    assert!((found.mean() - expected.mean()).abs() < 1e-14, "{found:?} {expected:?}");
    assert!(grad.iter().zip(&reference).all(|(a, b)| (a - b).abs() < 1e-14), "{grad} {reference}");
}

#[test]
fn triplets_by_hand() {
    // Distances 4 and 1; 0.09 and 4.
    let y = [1.0, 0.0, 3.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.3, 0.0, 0.0, 2.0];
    let y = Tensor::from_shape_vec(vec![2, 3, 2], y.to_vec()).unwrap();
    check_loss(&triplet(), y.clone(), &()).unwrap();
    let (value, grad) = triplet().value_and_grad(y, &(), None, 2.0).unwrap();
    assert!((value.sum - (4.0 - 1.0 + 0.2)).abs() < 1e-14 && value.weight == 2.0, "{value:?}");
    // 2 (a - l) - 2 (a - u), -2 (a - l), 2 (a - u), halved; nothing for the second.
    let expected = [-2.0, 1.0, 2.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert!(grad.iter().zip(expected).all(|(a, b): (&f64, f64)| (a - b).abs() < 1e-14), "{grad}");
}

/// `y += x` and the like are the same operations.
#[test]
fn a_loop_adds_up_with_assignments() {
    let layer = Graph::layer("sums", |_, x| {
        let mut sum = x.index_axis(1, 0);
        for step in 1..3 {
            sum += x.index_axis(1, step);
        }
        sum -= x.index_axis(1, 0);
        sum *= sum;
        sum /= x.index_axis(1, 2);
        sum
    });
    let layer = layer.build(&[3, 1], &Random::seed(0)).unwrap();
    let x = Tensor::from_shape_vec(vec![1, 3, 1], vec![5.0f32, 2.0, 4.0]).unwrap();
    assert_eq!(layer.forward(x).unwrap().as_slice(), Some(&[9.0][..]));
}

/// Mistakes in the formula of a layer: each is an error that names the layer, or the line.
#[test]
fn mistakes_in_a_layers_formula_are_errors_when_the_model_is_built() {
    let error = |forward: for<'g> fn(&'g GraphBuilder, Value<'g>) -> Value<'g>| {
        let model = Sequential::builder([3]).layer(Graph::layer("own", forward)).build();
        model.unwrap_err().to_string()
    };
    let foreign = error(|_, x| {
        let other: &'static GraphBuilder = Box::leak(Box::new(Graph::builder()));
        other.input("x", x.shape())
    });
    let expected = "layer 0 (graph), own: a value must be one of this graph, got one of another graph.";
    assert!(foreign.starts_with(expected), "{foreign}");
    let unread = error(|g, _| g.param("w", [3], Initializer::Zeros));
    assert!(unread.contains("own"), "{unread}");
    let twice =
        error(|g, x| x * g.param("w", [3], Initializer::Zeros) + g.param("w", [3], Initializer::Zeros));
    assert!(twice.contains("own") && twice.contains("\"w\""), "{twice}");
    let batch = error(|_, x| x.sum(0));
    assert!(batch.contains("sum, tests/library/formulas.rs:"), "{batch}");
}
