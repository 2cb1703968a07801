//! Every operation of a graph agrees with PyTorch in f64, to 1e-9: outputs, and the gradients at inputs and parameters.
//!
//! The reference values are in torch/graphs.json. torch/graphs.py generated them, and describes how to regenerate them.
//! Each case there has the same expression here, under the same name; a case without the other fails.

use crate::reference::{agree_tensors, at, number};
use plywood::nn::{Gradient, Graph, GraphBuilder, ResizeMode, Value};
use plywood::prelude::*;
use serde_json::{Map, Value as Json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

static REFERENCE: LazyLock<Json> =
    LazyLock::new(|| serde_json::from_str(include_str!("../torch/graphs.json")).expect("JSON"));

type V<'g> = Value<'g, f64>;
type Tensors = BTreeMap<String, Tensor<f64>>;

/// A graph that is being built, with the values that the reference has for it.
struct Net<'g> {
    builder: &'g GraphBuilder<f64>,
    values: BTreeMap<String, V<'g>>,
}

impl<'g> Net<'g> {
    fn value(&self, name: &str) -> V<'g> {
        *self.values.get(name).unwrap_or_else(|| panic!("no {name:?} in the reference"))
    }
}

/// What makes the outputs of a graph.
type Build = for<'g> fn(&Net<'g>) -> Vec<V<'g>>;

/// One output, or several.
trait Outputs<'g> {
    fn list(self) -> Vec<V<'g>>;
}

impl<'g> Outputs<'g> for V<'g> {
    fn list(self) -> Vec<V<'g>> {
        vec![self]
    }
}

impl<'g, const N: usize> Outputs<'g> for [V<'g>; N] {
    fn list(self) -> Vec<V<'g>> {
        self.to_vec()
    }
}

/// Reads a tensor that is written as nested lists.
fn nested(value: &Json) -> Tensor<f64> {
    fn flatten(value: &Json, numbers: &mut Vec<f64>) {
        match value {
            Json::Array(rows) => rows.iter().for_each(|row| flatten(row, numbers)),
            other => numbers.push(number(other)),
        }
    }
    let (mut shape, mut first, mut numbers) = (Vec::new(), value, Vec::new());
    while let Json::Array(rows) = first {
        shape.push(rows.len());
        first = &rows[0];
    }
    flatten(value, &mut numbers);
    Tensor::from_shape_vec(shape, numbers).expect("a tensor")
}

/// The tensors of a part of a case; none if the case has no such part.
fn tensors(case: &Json, part: &str) -> Tensors {
    let part = case.get(part).map(|part| part.as_object().expect("an object"));
    part.into_iter().flatten().map(|(name, value)| (name.clone(), nested(value))).collect()
}

/// The tensors of a list; `None` for null.
fn list(case: &Json, part: &str) -> Vec<Option<Tensor<f64>>> {
    let of = |value: &Json| (!value.is_null()).then(|| nested(value));
    at(case, &[part]).as_array().expect("a list").iter().map(of).collect()
}

/// Returns the gradient of a parameter as a dense tensor. Without one it is 0, as it is in the reference.
fn gradient(param: &Param<f64>) -> Tensor<f64> {
    let mut out = Tensor::zeros(param.shape().to_vec());
    match param.gradient() {
        None => {}
        Some(Gradient::Dense(gradient)) => out.assign(gradient),
        Some(Gradient::Rows { ids, values }) => {
            let columns = param.len() / param.shape()[0];
            for (&id, row) in ids.iter().zip(values.chunks(columns)) {
                out.index_axis_mut(ndarray::Axis(0), id).iter_mut().zip(row).for_each(|(out, g)| *out += g);
            }
        }
        other => panic!("{other:?}"),
    }
    out
}

/// One case of the reference, and its graph.
struct Case<'a> {
    name: &'a str,
    inputs: Tensors,
    y: Vec<Option<Tensor<f64>>>,
    g: Vec<Option<Tensor<f64>>>,
    /// The gradients at inputs, parameters of the graph and parameters of its layers.
    grads: Tensors,
    /// The outputs and gradients in inference, if they differ from those in training.
    eval: Option<(Vec<Option<Tensor<f64>>>, Tensors)>,
    graph: Graph<f64>,
}

impl<'a> Case<'a> {
    fn new(name: &'a str, reference: &Json, build: Build) -> Self {
        let inputs = tensors(reference, "inputs");
        let mut params = tensors(reference, "params");
        let builder = Graph::<f64>::builder_of();
        let mut values = BTreeMap::new();
        for (input, x) in &inputs {
            values.insert(input.clone(), builder.input(input, &x.shape()[1..]));
        }
        for (param, value) in &params {
            values.insert(param.clone(), builder.param_of(param, Param::new(value.clone())));
        }
        for (constant, value) in tensors(reference, "constants") {
            values.insert(constant, builder.constant(value));
        }
        let y = list(reference, "y");
        let outputs = build(&Net { builder: &builder, values });
        assert_eq!(outputs.len(), y.len(), "{name}: the number of outputs");
        for (k, (output, y)) in outputs.into_iter().zip(&y).enumerate() {
            let y = y.as_ref().expect("an output");
            assert_eq!(output.shape(), y.shape()[1..], "{name}: the shape of output {k}");
            builder.output(&format!("y{k}"), output);
        }
        let mut graph = builder.build().unwrap_or_else(|error| panic!("{name}: {error}"));
        // The layers still have their initial values.
        params.extend(tensors(reference, "layers"));
        params.extend(tensors(reference, "buffers"));
        graph.each_param_mut(&mut |own, param| {
            let value = params.remove(own).unwrap_or_else(|| panic!("{name}: no {own} in the reference"));
            param.set_value(value).unwrap();
        });
        assert!(params.is_empty(), "{name}: the graph does not have {:?}", params.keys());
        let (g, grads) = (list(reference, "g"), tensors(reference, "grads"));
        assert_eq!(g.len(), y.len(), "{name}: a gradient, or null, for each output");
        let eval = reference.get("eval").map(|eval| (list(eval, "y"), tensors(eval, "grads")));
        Self { name, inputs, y, g, grads, eval, graph }
    }

    fn agree(&self, what: &str, found: &Tensor<f64>, expected: &Tensor<f64>) {
        agree_tensors(&format!("{}, {what}", self.name), found, expected);
    }

    fn agree_outputs(&self, what: &str, found: &[Option<Tensor<f64>>], expected: &[Option<Tensor<f64>>]) {
        for (k, (found, expected)) in found.iter().zip(expected).enumerate() {
            let (found, expected) = (found.as_ref().unwrap(), expected.as_ref().unwrap());
            self.agree(&format!("{what}, output {k}"), found, expected);
        }
    }

    /// Compares the gradients at all trainable parameters with `times` those of the reference.
    fn agree_params(&self, what: &str, graph: &Graph<f64>, grads: &Tensors, times: f64) {
        graph.each_param(&mut |name, param| {
            if param.is_trainable() {
                let expected = &grads[name] * times;
                self.agree(&format!("{what}, gradient of {name}"), &gradient(param), &expected);
            } else {
                assert!(param.gradient().is_none(), "{}, {what}: {name} is not trained", self.name);
            }
        });
    }

    fn agree_inputs(&self, what: &str, found: &[Option<Tensor<f64>>], grads: &Tensors) {
        for ((name, x), found) in self.inputs.iter().zip(found) {
            let found = found.clone().unwrap_or_else(|| Tensor::zeros(x.raw_dim()));
            self.agree(&format!("{what}, gradient at {name}"), &found, &grads[name]);
        }
    }

    fn given(&self) -> Vec<Option<Tensor<f64>>> {
        self.inputs.values().cloned().map(Some).collect()
    }

    /// Inference, and the gradients at inputs and parameters in inference, also if no parameter is trained.
    fn infers(&self) {
        let (y, grads) = self.eval.as_ref().map_or((&self.y, &self.grads), |(y, grads)| (y, grads));
        let logits = vec![false; y.len()];
        let mut found = vec![None; y.len()];
        let mut inputs: Vec<_> =
            self.inputs.values().map(|x| Some(ndarray::CowArray::from(x.view()))).collect();
        self.graph.infer(&mut inputs, &logits, &mut found).unwrap();
        let found: Vec<_> = found.into_iter().map(|y| y.map(ndarray::CowArray::into_owned)).collect();
        self.agree_outputs("inference", &found, y);
        for frozen in [false, true] {
            let what = if frozen { "inference with frozen parameters" } else { "inference with a cache" };
            let mut graph = self.graph.clone();
            if frozen {
                graph.freeze("").unwrap();
            }
            let (mut found, mut at) = (vec![None; y.len()], vec![None; self.inputs.len()]);
            let cache = graph.eval(&mut self.given(), &logits, &mut found).unwrap();
            self.agree_outputs(what, &found, y);
            graph.input_gradients(cache, &mut self.g.clone(), &mut at).unwrap();
            self.agree_inputs(what, &at, grads);
            self.agree_params(what, &graph, grads, 1.0);
        }
    }

    /// Runs one training step.
    fn step(&self, what: &str, graph: &mut Graph<f64>) {
        let mut found = vec![None; self.y.len()];
        let cache = graph.train(&mut self.given(), &vec![false; self.y.len()], &mut found).unwrap();
        self.agree_outputs(what, &found, &self.y);
        graph.learn(cache, &mut self.g.clone()).unwrap();
    }

    /// Training: a step, another one, whose gradients are added, and steps of each parameter alone.
    fn trains(&self, after: &Tensors) {
        let mut graph = self.graph.clone();
        let mut names = Vec::new();
        graph.each_param(&mut |name, param| {
            if param.is_trainable() {
                names.push(name.to_owned());
            }
        });
        let expected = self.grads.len() - self.inputs.len();
        assert_eq!(names.len(), expected, "{}: as many parameters as gradients", self.name);
        self.step("training", &mut graph);
        self.agree_params("training", &graph, &self.grads, 1.0);
        let mut count = 0;
        graph.each_param(&mut |name, param| {
            if let Some(expected) = after.get(name) {
                self.agree(&format!("{name} after the step"), param.value(), expected);
                count += 1;
            }
        });
        assert_eq!(count, after.len(), "{}: all buffers", self.name);
        self.step("a second step", &mut graph);
        self.agree_params("a second step", &graph, &self.grads, 2.0);
        // A batch normalization whose parameters are frozen runs as in inference.
        let alone = if after.is_empty() { &names[..] } else { &[] };
        for name in alone {
            let mut graph = self.graph.clone();
            graph.freeze("").unwrap();
            graph.unfreeze(name).unwrap();
            self.step("training of one parameter", &mut graph);
            self.agree_params("training of one parameter", &graph, &self.grads, 1.0);
        }
    }

    /// A graph with one input and one output is a layer, whose backward pass returns the gradient at the input.
    fn is_a_layer(&self) {
        let (Some(x), 1, [Some(y)], [Some(g)]) =
            (self.inputs.values().next(), self.inputs.len(), &self.y[..], &self.g[..])
        else {
            return;
        };
        let mut graph = self.graph.clone();
        let (found, cache) = graph.forward_train(x.clone()).unwrap();
        self.agree("as a layer, output", &found, y);
        let dx = graph.backward(cache, g.clone()).unwrap();
        self.agree_inputs("as a layer", &[Some(dx)], &self.grads);
        self.agree_params("as a layer", &graph, &self.grads, 1.0);
    }
}

fn compare(name: &str, reference: &Json, build: Build) {
    let case = Case::new(name, reference, build);
    case.infers();
    case.trains(&tensors(reference, "after"));
    case.is_a_layer();
}

/// Returns what makes an expression of the values with these names; `in g` is the builder.
macro_rules! build {
    (($($value:ident),*) $(in $g:ident)? => $y:expr) => {
        |net| {
            $(let $g = net.builder;)?
            $(let $value = net.value(stringify!($value));)*
            Outputs::list($y)
        }
    };
}

/// Defines a module for each section, with a test for each case and one that no case is missing; and a test that no
/// section is missing.
macro_rules! sections {
    ($($section:ident { $($case:ident $values:tt $(in $g:ident)? => $y:expr;)* })*) => {
        $(mod $section {
            use super::*;

            $(#[test]
            fn $case() {
                let reference = at(&REFERENCE, &[stringify!($section), stringify!($case)]);
                compare(stringify!($case), reference, build!($values $(in $g)? => $y));
            })*

            #[test]
            fn every_case_of_the_reference_is_compared() {
                let here = BTreeSet::from([$(stringify!($case)),*]);
                assert_eq!(here, keys(at(&REFERENCE, &[stringify!($section)])));
            }
        })*

        #[test]
        fn every_section_of_the_reference_is_compared() {
            let here = BTreeSet::from(["torch", "broadcasting", $(stringify!($section)),*]);
            assert_eq!(here, keys(&REFERENCE));
        }
    };
}

fn keys(value: &Json) -> BTreeSet<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// The pairs of shapes in the section "broadcasting".
const KINDS: [&str; 16] = [
    "same",
    "scalar",
    "one",
    "row",
    "column",
    "sample",
    "channel",
    "middle",
    "ends",
    "higher",
    "value_of_one_number",
    "value_of_lower_rank",
    "value_row",
    "value_column",
    "outer",
    "outer_with_parameter",
];

/// Functions of two values, with all pairs of shapes.
#[test]
fn functions_of_two_agree_for_all_shapes_that_broadcast() {
    let all: [(&str, Build); 9] = [
        ("add", build!((a, b) => a + b)),
        ("subtract", build!((a, b) => a - b)),
        ("multiply", build!((a, b) => a * b)),
        ("divide", build!((a, b) => a / b)),
        ("maximum", build!((a, b) => a.maximum(b))),
        ("minimum", build!((a, b) => a.minimum(b))),
        ("where_greater", build!((a, b) => a.greater(b).where_cond(a * b, b))),
        ("subtract_swapped", build!((a, b) => b - a)),
        ("divide_swapped", build!((a, b) => b / a)),
    ];
    let section = at(&REFERENCE, &["broadcasting"]);
    assert_eq!(BTreeSet::from(KINDS), keys(section));
    for kind in KINDS {
        let found = at(section, &[kind]);
        let here: BTreeSet<_> = all.iter().map(|(name, _)| *name).chain(["of"]).collect();
        assert_eq!(here, keys(found), "{kind}");
        for (name, build) in all {
            let parts = ["of", name].map(|key| at(found, &[key]).as_object().expect("an object").clone());
            let case: Map<String, Json> = parts.into_iter().flatten().collect();
            compare(&format!("{name}, {kind}"), &Json::Object(case), build);
        }
    }
}

/// Brings the numbers along the last axis to mean 0 and variance 1.
fn normalized(x: V<'_>, epsilon: f64) -> V<'_> {
    let centred = x - x.mean_keepdim(-1);
    centred / (centred.square().mean_keepdim(-1) + epsilon).sqrt()
}

/// A step of an LSTM: the gates are in the order of PyTorch. Returns the state and the cell.
fn lstm_step<'g>(
    x: V<'g>,
    (h, c): (V<'g>, V<'g>),
    (wx, wh): (V<'g>, V<'g>),
    (bx, bh): (V<'g>, V<'g>),
) -> (V<'g>, V<'g>) {
    let [i, f, n, o] = (x.matmul(wx.t()) + bx + h.matmul(wh.t()) + bh).split(-1);
    let c = f.sigmoid() * c + i.sigmoid() * n.tanh();
    (o.sigmoid() * c.tanh(), c)
}

/// From `[batch, 3, 4]` to two heads, `[batch, 2, 3, 2]`.
fn split_heads(x: V<'_>) -> V<'_> {
    x.reshape([3, 2, 2]).permute([0, 2, 1, 3])
}

/// The length of each vector along the last axis.
fn length(x: V<'_>) -> V<'_> {
    x.square().sum(-1).sqrt()
}

/// The numbers from 0 to below `n`.
fn counted(g: &GraphBuilder<f64>, n: usize) -> V<'_> {
    g.constant(ndarray::Array1::from_iter((0..n).map(|i| i as f64)))
}

/// Two outputs that share a layer.
fn heads<'g>(x: V<'g>, w: V<'g>, a: V<'g>, b: V<'g>) -> [V<'g>; 2] {
    let h = x.matmul(w).tanh();
    [h.matmul(a).softmax(-1), h.matmul(b).sigmoid()]
}

sections! {
    unary {
        neg(x) => -x;
        exp(x) => x.exp();
        ln(x) => x.ln();
        sqrt(x) => x.sqrt();
        square(x) => x.square();
        abs(x) => x.abs();
        power(x) => x.powf(2.5);
        power_of_three(x) => x.powf(3.0);
        power_of_one(x) => x.powf(1.0);
        power_of_zero(x) => x.powf(0.0) + x;
        power_of_a_half(x) => x.powf(0.5);
        power_below_zero(x) => x.powf(-1.5);
        tanh(x) => x.tanh();
        sigmoid(x) => x.sigmoid();
        relu(x) => x.relu();
        clip(x) => x.clip(-0.5, 0.6);
        add_number(x) => x + 2.5;
        number_add(x) => 2.5 + x;
        subtract_number(x) => x - 2.5;
        number_subtract(x) => 2.5 - x;
        multiply_number(x) => x * -1.5;
        number_multiply(x) => -1.5 * x;
        divide_number(x) => x / -1.7;
        number_divide(x) => 2.5 / x;
        numbers(x) => 1.0 - 2.0 / ((3.0 * x - 4.0) / 5.0 + 6.0);
        scalar_input(x) => x.exp() * x;
        erf(x) => x.erf();
        sin(x) => x.sin();
        cos(x) => x.cos();
        recip(x) => x.recip();
        floor(x) => x.floor() * x;
        ceil(x) => x.ceil() * x;
        round(x) => x.round() * x;
        round_ties(x) => x.round() * x;
        sign(x) => x.sign() * x;
        steps_alone(x) => x.floor() + x.ceil() + x.round() + x.sign();
        logical_not(x) => x.logical_not() + x;
        exact_gelu(x) => 0.5 * x * (1.0 + (x / 2f64.sqrt()).erf());
    }

    choices {
        greater(x, w) => x.greater(w) * x;
        greater_alone(x, w) => x.greater(w);
        where_input(c, a, b) => c.where_cond(a, b);
        where_constant(c, a, b) => c.where_cond(a, b);
        where_rows(c, a, b) => c.where_cond(a, b);
        where_parameters(x, a, b) => x.greater(0.0 * x).where_cond(a, b);
        leaky_relu(x) => x.greater(0.0 * x).where_cond(x, 0.1 * x);
        elu(x) => x.greater(0.0 * x).where_cond(x, x.exp() - 1.0);
        hinge(x, y) => (1.0 - x * y).relu();
        greater_equal(x, w) => x.greater_equal(w) * x;
        less(x, w) => x.less(w) * x;
        less_equal(x, w) => x.less_equal(w) * x;
        equal(x, w) => x.equal(w) * x;
        not_equal(x, w) => x.not_equal(w) * x;
        with_numbers(x) => x.maximum(-0.5).minimum(0.6) + x.greater(0.6) * x + x.less_equal(-0.5);
        where_numbers(x) => x.greater(0).where_cond(2, x) + x.less(0).where_cond(x, -1.0);
    }

    products {
        row(x, w) => x.matmul(w);
        row_transposed(x, w) => x.matmul(w.t());
        steps(x, w) => x.matmul(w);
        steps_transposed(x, w) => x.matmul(w.t());
        four_axes(x, w) => x.matmul(w);
        four_axes_transposed(x, w) => x.matmul(w.t());
        batched(x, y) => x.matmul(y);
        batched_transposed(x, y) => x.matmul(y.t());
        batched_four_axes(x, y) => x.matmul(y);
        batched_four_axes_transposed(x, y) => x.matmul(y.t());
        first_transposed(x, y) => x.t().matmul(y);
        first_transposed_shared(x, w) => x.t().matmul(w);
        both_transposed(x, y) => x.t().matmul(y.t());
        parameters(x, a, b) => x.matmul(a.matmul(b));
        parameters_transposed(x, a, b) => x.matmul(a.matmul(b.t()));
        product_transposed(x, a, b) => x.matmul(a.matmul(b).t());
        parameters_of_three_axes(x, a, b) => x * a.matmul(b);
        parameters_of_three_axes_transposed(x, a, b) => x * a.matmul(b.t());
        parameters_of_three_and_two_axes(x, a, b) => x * a.matmul(b);
        vector(x, a, b) => x + a.matmul(b);
        by_itself(x) => x.matmul(x.t());
        square_of_itself(x) => x.matmul(x);
        parameter_by_itself(x, w) => x.matmul(w.matmul(w));
        transpose_read_twice(x, w) => {
            let t = w.t();
            x.matmul(t) + t.sum(0)
        };
        twice(x, w) => x.matmul(w).matmul(w);
        one_column(x, w) => x.matmul(w);
    }

    axes {
        t(x) => x.t().square();
        t_of_four_axes(x) => x.t().square();
        t_of_parameter(x, w) => x * w.t();
        permute(x) => x.permute([0, 2, 1]).square();
        permute_four_axes(x) => x.permute([0, 3, 1, 2]).square();
        permute_negative(x) => x.permute([0, -1, -3, 2]).square();
        permute_parameter(x, w) => x * w.permute([2, 0, 1]);
        permute_all_of_parameter(x, w) => x * w.permute([-1, -2]);
        reshape(x) => x.reshape([3, 4]).square();
        reshape_open(x) => x.reshape([-1, 2]).square();
        reshape_flat(x) => x.reshape([-1]).softmax(-1);
        reshape_to_no_axes(x) => x.reshape([0usize; 0]).square();
        reshape_parameter(x, w) => x * w.reshape([3, -1]);
        slice(x) => x.slice(1, 1..3).square();
        slice_from(x) => x.slice(1, 1..).square();
        slice_to(x) => x.slice(1, ..3).square();
        slice_to_the_last(x) => x.slice(-1, ..-1).square();
        slice_the_last_two(x) => x.slice(-1, -2..).square();
        slice_between_negative(x) => x.slice(1, -3..-1).square();
        slice_inclusive(x) => x.slice(1, 1..=2).square();
        slice_inclusive_negative(x) => x.slice(1, -2..=-1).square();
        slice_inclusive_before_the_last(x) => x.slice(1, ..=-2).square();
        slice_all(x) => x.slice(1, ..).square();
        slice_negative_axis(x) => x.slice(-2, 1..).square();
        slice_parameter(x, w) => x * w.slice(0, 1..) + w.slice(0, ..-1);
        slices_that_overlap(x) => x.slice(1, 1..) * x.slice(1, ..-1);
        index(x) => x.index_axis(1, 1).square();
        index_last(x) => x.index_axis(-1, -1).square();
        index_negative_axis(x) => x.index_axis(-2, -2).square();
        index_to_no_axes(x) => x.index_axis(1, 0) * x.index_axis(1, -1);
        index_parameter(x, w) => x * w.index_axis(0, -1) + w.index_axis(0, 0);
        split(x) => {
            let [a, b] = x.split(-1);
            a * b.exp()
        };
        split_in_three(x) => {
            let [a, b, c] = x.split(1);
            a * b - c
        };
        split_and_leave_out(x) => {
            let [_, b, _] = x.split(-1);
            b.square()
        };
        split_parameter(x, w) => {
            let [a, b] = w.split(0);
            x * a + b
        };
        concat_of_columns(x, y) => x.concat(&[y], -1).square();
        concat_of_steps(x, y) => x.concat(&[y], 1).square();
        concat_of_channels(x, y) => x.concat(&[y], -3).square();
        concat_of_three(x) => x.concat(&[x.exp(), x], -1).square();
        concat_of_one(x) => x.concat(&[], -1).square();
        concat_of_parameters(x, v, w) => x * v.concat(&[w, v], 0);
        pad(x) => x.pad(-1, 1, 2, 0.5).square();
        pad_steps(x) => x.pad(1, 2, 0, 0.0).square();
        pad_parameter(x, w) => x * w.pad(0, 1, 1, -1.0);
        tile(x) in g => x.tile(-1, 3).square() * counted(g, 6);
        tile_steps(x) in g => x.tile(1, 2).square() * counted(g, 4).reshape([4, 1]);
        tile_parameter(x, w) => x * w.tile(0, 2);
        expand(x) in g => x.expand([3, 2]) * counted(g, 3).reshape([3, 1]);
        expand_to_more_axes(x) in g => x.expand([4, -1, 3]) * counted(g, 3);
        expand_parameter(x, w) => x * w.expand([3, 2, 2]);
        flip(x) => x.flip(-1) * x;
        flip_steps(x) => x.flip(1) * x;
        flip_parameter(x, w) => x * w.flip(0);
        resize_nearest_larger(x) => x.resize([5, 6], ResizeMode::Nearest).square();
        resize_nearest_smaller(x) => x.resize([2, 3], ResizeMode::Nearest).square();
        resize_nearest_mixed(x) => x.resize([7, 1], ResizeMode::Nearest).square();
        resize_nearest_twice(x) => x.resize([6, 8], ResizeMode::Nearest).square();
        resize_bilinear_larger(x) => x.resize([5, 6], ResizeMode::Bilinear).square();
        resize_bilinear_smaller(x) => x.resize([2, 3], ResizeMode::Bilinear).square();
        resize_bilinear_mixed(x) => x.resize([7, 1], ResizeMode::Bilinear).square();
        resize_bilinear_twice(x) => x.resize([6, 8], ResizeMode::Bilinear).square();
        resize_parameter(x, w) => x * w.resize([3, 5], ResizeMode::Bilinear);
    }

    gathering {
        repeated(ids, w) => w.gather(ids).tanh();
        one_id(ids, w) => w.gather(ids);
        images_of_ids(ids, w) => w.gather(ids).sum(2);
        computed_table(ids, a, b) => a.matmul(b).gather(ids);
        two_readers(ids, other, w) => w.gather(ids).mean(1) * w.gather(other);
        tied(ids, w) => w.gather(ids).tanh().matmul(w.t());
        with_positions(ids, w, v) => w.gather(ids) + v;
        of_constant_ids(x, w, ids) => x * w.gather(ids);
        one_hot(ids, w) => ids.one_hot(4).matmul(w);
        one_hot_of_samples(ids, w) => ids.one_hot(5) * w;
        take_along(x, ids) => x.take_along(ids, -1).square();
        take_along_of_steps(x, ids) => x.take_along(ids, 1).square();
        take_along_without_the_axis(x, ids) => x.take_along(ids, 1).square();
        zeros(x) => x.zeros([2]).concat(&[x], -1).exp();
    }

    reductions {
        sum_first(x) => x.sum(1).square();
        sum_middle(x) => x.sum(2).square();
        sum_last(x) => x.sum(-1).square();
        sum_first_kept(x) => x.sum_keepdim(1) * x;
        sum_middle_kept(x) => x.sum_keepdim(2) * x;
        sum_last_kept(x) => x.sum_keepdim(-1) * x;
        sum_negative(x) => x.sum(-3).square();
        sum_to_no_axes(x) => x.sum(-1).square();
        sum_of_parameter(x, w) => x * w.sum(0) + w.sum_keepdim(-1);
        sum_of_vector(x, w) => x * w.sum(0);
        mean_first(x) => x.mean(1).square();
        mean_middle(x) => x.mean(2).square();
        mean_last(x) => x.mean(-1).square();
        mean_first_kept(x) => x.mean_keepdim(1) * x;
        mean_middle_kept(x) => x.mean_keepdim(2) * x;
        mean_last_kept(x) => x.mean_keepdim(-1) * x;
        mean_negative(x) => x.mean(-3).square();
        mean_to_no_axes(x) => x.mean(-1).square();
        mean_of_parameter(x, w) => x * w.mean(0) + w.mean_keepdim(-1);
        mean_of_vector(x, w) => x * w.mean(0);
        max_first(x) => x.max(1).square();
        max_middle(x) => x.max(2).square();
        max_last(x) => x.max(-1).square();
        max_first_kept(x) => x.max_keepdim(1) * x;
        max_middle_kept(x) => x.max_keepdim(2) * x;
        max_last_kept(x) => x.max_keepdim(-1) * x;
        max_negative(x) => x.max(-3).square();
        max_to_no_axes(x) => x.max(-1).square();
        max_of_parameter(x, w) => x * w.max(0) + w.max_keepdim(-1);
        max_of_vector(x, w) => x * w.max(0);
        long(x) => x.exp().sum(-1) + x.mean(-1);
        all(x) => x.exp().sum(1).sum(1);
        min_first(x) => x.min(1).square();
        min_last_kept(x) => x.min_keepdim(-1) * x;
        min_of_parameter(x, w) => x * w.min(0);
        prod_first(x) => x.prod(1);
        prod_last_kept(x) => x.prod_keepdim(-1) * x;
        prod_of_parameter(x, w) => x * w.prod(0);
        prod_of_zeros(x) => x.prod(-1);
        argmax_first(x) => x.argmax(1) * x.sum(1);
        argmax_last(x) => x.argmax(-1) * x.sum(-1);
        argmax_of_parameter(x, w) => x * w.argmax(0) + w;
        cumsum_first(x) => x.cumsum(1).square();
        cumsum_last(x) => x.cumsum(-1).square();
        cumsum_middle(x) => x.cumsum(-2).square();
        cumsum_of_parameter(x, w) => x * w.cumsum(0);
    }

    softmaxes {
        two_axes(x) => x.softmax(-1);
        three_axes(x) => x.softmax(-1);
        four_axes(x) => x.softmax(-1);
        inside(x) => x.tanh().softmax(-1).square();
        of_parameter(x, w) => x * w.softmax(-1);
        of_vector(x, w) => x * w.softmax(-1);
        log(x) => x.softmax(-1).ln();
        stable_log(x) => {
            let below = x - x.max_keepdim(-1);
            below - below.exp().sum_keepdim(-1).ln()
        };
        over_steps(x) => x.softmax(1);
        over_channels(x) => x.softmax(1).square();
        over_the_middle(x) => x.softmax(-2);
        over_the_first_of_parameter(x, w) => x * w.softmax(0);
        log_softmax(x) => x.log_softmax(-1);
        log_softmax_over_steps(x) => x.log_softmax(1);
        log_softmax_of_parameter(x, w) => x * w.log_softmax(0);
    }

    networks {
        silu(x) => x * x.sigmoid();
        gelu(x) => {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powf(3.0));
            0.5 * x * (1.0 + inner.tanh())
        };
        mish(x) => x * (1.0 + x.exp()).ln().tanh();
        glu(x) => {
            let [a, b] = x.split(-1);
            a * b.sigmoid()
        };
        standardize(x, m, s) => (x - m) / s;
        constant_projection(x, c) => x.matmul(c).tanh();
        layer_norm(x, w, b) => normalized(x, 1e-5) * w + b;
        rms_norm(x, w) => x / (x.square().mean_keepdim(-1) + 1e-5).sqrt() * w;
        group_norm(x, w, b) => {
            let groups = normalized(x.reshape([2, -1]), 1e-5);
            groups.reshape([4, 3]) * w.reshape([-1, 1]) + b.reshape([-1, 1])
        };
        weight_norm(x, v, g) => x.matmul((g * v / v.square().sum_keepdim(-1).sqrt()).t());
        tied_weights(x, w, b) => (x.matmul(w) + b).tanh().matmul(w.t());
        low_rank(x, w, a, b) => x.matmul(w + (0.5 * a).matmul(b));
        attention(x, w, b, v, c) => {
            let [q, k, values] = (x.matmul(w.t()) + b).split(-1).map(split_heads);
            let found = (q.matmul(k.t()) / (q.size(-1) as f64).sqrt()).softmax(-1).matmul(values);
            found.permute([0, 2, 1, 3]).reshape([3, 4]).matmul(v.t()) + c
        };
        causal_attention(q, k, v) in g => {
            let hidden = ndarray::Array2::from_shape_fn((3, 3), |(row, column)| f64::from(u8::from(column > row)));
            let scores = q.matmul(k.t()) / 2f64.sqrt();
            let scores = g.constant(hidden).where_cond(0.0 * scores + f64::NEG_INFINITY, scores);
            scores.softmax(-1).matmul(v)
        };
        squeeze_and_excitation(x, w1, b1, w2, b2) => {
            let pooled = x.mean(-1).mean(-1);
            let factors = ((pooled.matmul(w1) + b1).relu().matmul(w2) + b2).sigmoid();
            x * factors.reshape([3, 1, 1])
        };
        lstm(x, h, c, wx, wh, bx, bh) => {
            let (mut state, mut steps) = ((h, c), Vec::new());
            for step in 0..3 {
                state = lstm_step(x.index_axis(1, step), state, (wx, wh), (bx, bh));
                steps.push(state.0.reshape([1, 2]));
            }
            [steps[0].concat(&steps[1..], 1), state.1]
        };
        gru(x, h, wx, wh, bx, bh) => {
            let [xr, xz, xn] = (x.matmul(wx.t()) + bx).split(-1);
            let [hr, hz, hn] = (h.matmul(wh.t()) + bh).split(-1);
            let (r, z) = ((xr + hr).sigmoid(), (xz + hz).sigmoid());
            (1.0 - z) * (xn + r * hn).tanh() + z * h
        };
        two_towers(a, b, v, w) => {
            let (left, right) = (a.matmul(v).tanh(), b.matmul(w).tanh());
            (left * right).sum(-1) / (length(left) * length(right))
        };
        branches(x, w) => {
            let h = x.matmul(w).tanh();
            h.softmax(-1) * h.exp() + h.sum_keepdim(-1) - h
        };
        two_outputs(x, w, a, b) => heads(x, w, a, b);
        only_the_second_output(x, w, a, b) => heads(x, w, a, b);
        outputs_on_the_way(x, w) => {
            let h = x.matmul(w).tanh();
            [h, h.exp().matmul(w), h]
        };
        input_as_output(x, w) => [x, x * w];
        residual(x, w) => x + (x + x.matmul(w).tanh().matmul(w.t())).tanh();
        distances(a, b) => (a.reshape([2, 1, 2]) - b.reshape([1, 3, 2])).square().sum(-1);
        factorization(ids, other, u, v) => (u.gather(ids) * v.gather(other)).sum(-1);
        long_chain(x, w) => (0..12).fold(x, |y, step| (y * 0.9 + w).tanh() - x / f64::from(step + 2));
        strips(x, w, b, u, v) => (x * w + b).maximum(u) - v;
    }

    layers {
        dense_layer_norm(x, v) => {
            let h = x.layer(Dense::units(3)).layer(LayerNorm::new()).tanh() + x.matmul(v);
            h.layer(Dense::units(2))
        };
        conv_batch_norm(x, s) => {
            let h = x.layer(Conv2d::filters(2, 3));
            let mean = h.mean_keepdim(-1).mean_keepdim(-2);
            (h.layer(BatchNorm::new()).relu() * s + mean).reshape([-1]).layer(Dense::units(2))
        };
        gated_batch_norm(x) => {
            let h = x.layer_named("encoder", Dense::units(2)).layer(BatchNorm::new());
            h * h.sigmoid()
        };
        siamese(a, b) in g => {
            let [a, b] = g.shared(Dense::units(3), [a, b]);
            (a - b.tanh()).square().sum(-1)
        };
        embedding(ids) => ids.layer(Embedding::vocabulary(3, 2)).tanh().sum(1);
    }
}
