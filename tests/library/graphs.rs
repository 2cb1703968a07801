//! Graphs: every operation against finite differences, the bits of a row of layers, and what is done with values that
//! are read twice, left out or not finite.

use plywood::data::synthetic::garments;
use plywood::ndarray::{Array2, arr2};
use plywood::nn::{Graph, GraphBuilder, Value};
use plywood::prelude::*;
use plywood::testing::LayerCheck;

type V<'g> = Value<'g, f64>;
type One = for<'g> fn(V<'g>) -> V<'g>;
type Two = for<'g> fn(V<'g>, V<'g>) -> V<'g>;
type Built = for<'g> fn(&'g GraphBuilder<f64>, V<'g>) -> V<'g>;

/// A graph of one input `[5, 4]` and one output, which is what `build` makes of it.
fn graph_of(sizes: &[usize], build: impl for<'g> Fn(&'g GraphBuilder<f64>, V<'g>) -> V<'g>) -> Graph<f64> {
    let g = Graph::<f64>::builder_of().seed(3);
    let x = g.input("x", sizes);
    let y = build(&g, x);
    g.output("y", y);
    g.build().unwrap()
}

/// The graph, saved and loaded.
fn graph_of_bytes(graph: &Graph<f64>) -> Graph<f64> {
    let bytes = graph.to_bytes().unwrap();
    Graph::of_model(Registry::<f64>::builtin().from_bytes(&bytes).unwrap()).unwrap()
}

fn check(name: &str, sizes: &[usize], build: impl for<'g> Fn(&'g GraphBuilder<f64>, V<'g>) -> V<'g>) {
    let mut graph = graph_of(sizes, build);
    // An empty batch, forward and backward.
    let empty = || Some(Tensor::<f64>::zeros([&[0], sizes].concat()));
    let (mut y, mut dx) = ([None], [None]);
    let cache =
        graph.eval(&mut [empty()], &[false], &mut y).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(y[0].as_ref().unwrap().shape(), [&[0], graph.outputs()[0].shape()].concat(), "{name}");
    graph.input_gradients(cache, &mut y, &mut dx).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(dx[0].as_ref().is_none_or(|dx| dx.shape()[0] == 0), "{name}");
    let graph = graph_of_bytes(&graph);
    if let Err(error) = LayerCheck::<f64>::new(sizes).run(graph) {
        panic!("{name}: {error}");
    }
}

/// A parameter of this shape.
fn param<'g>(g: &'g GraphBuilder<f64>, name: &str, shape: &[usize]) -> V<'g> {
    g.param(name, shape, Initializer::Normal { mean: 0.3, std_dev: 0.8 })
}

#[test]
fn elementwise_functions_agree_with_differences() {
    let all: [(&str, One); 21] = [
        ("neg", |x| -x),
        ("exp", |x| x.exp()),
        ("ln", |x| (x.square() + 0.1).ln()),
        ("sqrt", |x| (x.square() + 0.1).sqrt()),
        ("square", |x| x.square()),
        ("abs", |x| x.abs()),
        ("powf", |x| x.abs().powf(1.7)),
        ("powf 2", |x| x.powf(2.0)),
        ("powf -1", |x| (x.abs() + 0.5).powf(-1.0)),
        ("powf 3", |x| x.powf(3.0)),
        ("powf 0", |x| x.powf(0.0) + x),
        ("tanh", |x| x.tanh()),
        ("sigmoid", |x| x.sigmoid().square()),
        ("relu", |x| x.relu()),
        ("clip", |x| x.clip(-0.55, 0.55)),
        ("numbers", |x| (2.0 * x - 3.0) / 4.0 + 1.0),
        ("from the left", |x| 1.0 - 2.0 / (x + 3.0)),
        ("where", |x| x.greater(0.0 * x).where_cond(x.exp(), x * 0.1)),
        ("silu", |x| x * x.sigmoid()),
        ("gelu", |x| 0.5 * x * (1.0 + (0.797_884_56 * (x + 0.044_715 * x.powf(3.0))).tanh())),
        ("mish", |x| x * (x.exp() + 1.0).ln().tanh()),
    ];
    for (name, f) in all {
        check(name, &[5, 4], |_, x| f(x));
        check(name, &[700], |_, x| f(x));
    }
}

/// What is kept of small arrays is computed again for large ones: more than 256 KiB, from 17 rows on.
#[test]
fn gradients_have_the_same_bits_whether_results_are_kept_or_computed_again() {
    type Formula = for<'g> fn(Value<'g>) -> Value<'g>;
    let all: [(&str, Formula); 4] = [
        ("mish", |x| x * (x.exp() + 1.0).ln().tanh()),
        ("all", |x| (x.square() + 0.1).powf(1.7).ln() / (x.exp() + x.sigmoid()) * x.tanh()),
        ("at the end", |x| (x * 0.5 + x.relu()).tanh()),
        ("condition", |x| x.exp().greater(1.0 - 0.0 * x).where_cond((-x).exp(), x.tanh() / 3.0)),
    ];
    for (name, f) in all {
        let g = Graph::builder();
        let x = g.input("x", [4096]);
        g.output("y", f(x * g.param("w", [4096], Initializer::Normal { mean: 0.3, std_dev: 0.8 })));
        let mut graph = g.build().unwrap();
        let mut gradients = |rows: usize| {
            let number = |(i, j): (usize, usize)| ((i * 4099 + j * 31) % 977) as f32 / 200.0 - 2.5;
            let x = Array2::from_shape_fn((rows, 4096), number).into_dyn();
            let (mut y, mut dx) = ([None], [None]);
            let cache = graph.eval(&mut [Some(x.clone())], &[false], &mut y).unwrap();
            graph.input_gradients(cache, &mut [Some(x)], &mut dx).unwrap();
            dx[0].take().unwrap().iter().map(|d| d.to_bits()).collect::<Vec<_>>()
        };
        let (kept, again) = (gradients(16), gradients(17));
        assert!(kept == again[..kept.len()], "{name}");
    }
}

/// With each shape that broadcasts, on both sides, of a parameter and of a value of the batch.
#[test]
fn functions_of_two_agree_with_differences_for_all_shapes_that_broadcast() {
    let all: [(&str, Two); 7] = [
        ("add", |a, b| a + b),
        ("sub", |a, b| a - b),
        ("mul", |a, b| a * b),
        ("div", |a, b| a / (b.square() + 0.5)),
        ("maximum", |a, b| a.maximum(b)),
        ("minimum", |a, b| a.minimum(b)),
        ("where", |a, b| a.greater(b).where_cond(a * 2.0, b)),
    ];
    for (name, f) in all {
        for shape in [
            &[][..],
            &[1],
            &[4],
            &[5, 4],
            &[5, 1],
            &[1, 4],
            &[1, 1],
            &[2, 5, 4],
            &[2, 1, 1],
            &[2, 1, 4],
            &[1, 5, 1],
        ] {
            check(&format!("{name} with a parameter {shape:?}"), &[5, 4], |g, x| f(x, param(g, "w", shape)));
            check(&format!("{name} of a parameter {shape:?}"), &[5, 4], |g, x| f(param(g, "w", shape), x));
        }
        check(&format!("{name} with a row"), &[5, 4], |_, x| f(x, x.mean_keepdim(-1)));
        check(&format!("{name} with a column"), &[5, 4], |_, x| f(x.mean_keepdim(1), x));
        check(&format!("{name} of lower rank"), &[5, 4], |_, x| f(x, x.sum(1)));
        check(&format!("{name} with itself"), &[5, 4], |_, x| f(x, x * 0.7 + 0.01));
        check(&format!("{name} of parameters"), &[5, 4], |g, x| {
            x * f(param(g, "a", &[5, 1]), param(g, "b", &[4])).tanh()
        });
    }
}

#[test]
fn other_operations_agree_with_differences() {
    let all: [(&str, Built); 30] = [
        ("dense", |g, x| (x.matmul(param(g, "w", &[4, 3])) + param(g, "b", &[3])).tanh()),
        ("matmul twice", |g, x| x.matmul(param(g, "a", &[4, 3])).matmul(param(g, "b", &[3, 2]))),
        ("matmul of a transpose", |g, x| x.matmul(param(g, "w", &[3, 4]).t())),
        ("tied", |g, x| {
            let w = param(g, "w", &[4, 3]);
            x.matmul(w).tanh().matmul(w.t())
        }),
        ("matmul of parameters", |g, x| x.matmul(param(g, "a", &[4, 2]).matmul(param(g, "b", &[2, 4])))),
        ("low rank", |g, x| {
            x.matmul(param(g, "w", &[4, 3]) + param(g, "a", &[4, 1]).matmul(param(g, "b", &[1, 3])))
        }),
        ("matmul of two values", |_, x| x.matmul((x * x).t())),
        ("matmul of two values, not transposed", |_, x| x.t().matmul(x.tanh())),
        ("matmul by itself", |_, x| x.matmul(x.t())),
        ("attention", |g, x| {
            let (q, k, v) = (x.matmul(param(g, "q", &[4, 6])), x.matmul(param(g, "k", &[4, 6])), x * 2.0);
            (q.matmul(k.t()) / 6f64.sqrt()).softmax(-1).matmul(v)
        }),
        ("heads", |g, x| {
            let x = x.matmul(param(g, "w", &[4, 6])).reshape([5, 2, 3]).permute([0, 2, 1, 3]);
            x.matmul(x.t()).softmax(-1).matmul(x).permute([0, 2, 1, 3]).reshape([5, 6])
        }),
        ("weight norm", |g, x| {
            let v = param(g, "v", &[4, 3]);
            x.matmul(v / v.square().sum_keepdim(0).sqrt() * param(g, "g", &[3]))
        }),
        ("transpose", |_, x| x.t() * 2.0),
        ("permute", |_, x| x.permute([0, -1, 1]).exp()),
        ("permute of a parameter", |g, x| x * param(g, "w", &[4, 5]).permute([1, 0])),
        ("reshape", |_, x| x.reshape([2, -1]).tanh().sum(1)),
        ("slice", |_, x| x.slice(1, 1..4).tanh()),
        ("slice from the end", |_, x| x.slice(-1, -2..) * x.slice(-1, ..2)),
        ("slice of all", |_, x| x.slice(2, ..=-1) + x.slice(1, 0..=4)),
        ("index", |_, x| x.index_axis(1, -1) * x.index_axis(1, 0)),
        ("split", |_, x| {
            let [a, b] = x.split(-1);
            a.tanh() * b.sigmoid()
        }),
        ("concat", |_, x| x.tanh().concat(&[x * 3.0, x.slice(-1, ..1)], -1)),
        ("concat of steps", |_, x| x.slice(1, ..1).concat(&[x], 1).square()),
        ("sum", |_, x| x.tanh().sum(-1)),
        ("mean of steps", |_, x| x.exp().mean(1)),
        ("max", |_, x| x.max(-1) * x.max(1).sum_keepdim(-1)),
        ("layer norm", |g, x| {
            let centred = x - x.mean_keepdim(-1);
            let deviation = (centred.square().mean_keepdim(-1) + 1e-5).sqrt();
            centred / deviation * param(g, "scale", &[4]) + param(g, "shift", &[4])
        }),
        ("log of a softmax", |_, x| x.softmax(-1).ln()),
        ("max kept", |_, x| (x - x.max_keepdim(-1)).exp()),
        ("reductions of a parameter", |g, x| {
            x * param(g, "w", &[3, 4]).mean(0) + param(g, "v", &[7, 2]).max(1).sum(0)
        }),
    ];
    for (name, f) in all {
        check(name, &[5, 4], f);
    }
}

/// Operations whose inputs are ids: the table has a gradient, the ids have none.
#[test]
fn gathered_rows_agree_with_differences() {
    let ids = arr2(&[[0.0, 2.0, 2.0], [5.0, 1.0, 0.0]]).into_dyn();
    let graph = graph_of(&[3], |g, x| param(g, "table", &[6, 4]).gather(x).tanh());
    let check = LayerCheck::<f64>::new(&[3]).inputs(ids.clone());
    check.exempt(plywood::testing::Exemption::InputGradient).run(graph.clone()).unwrap();
    let error = graph.predict(&ids.mapv(|id| id + 4.0)).unwrap_err().to_string();
    assert_eq!(
        error,
        "predict, operation gather: an id of sample 0 must be an integer from 0 to 5, below the rows of \
         the table, got 6. Encode the values as the table's rows are numbered."
    );
    for bad in [-1.0, 0.5, f64::NAN, f64::INFINITY, 1e300] {
        assert!(graph.predict(&ids.mapv(|id| if id == 5.0 { bad } else { id })).is_err(), "{bad}");
    }
}

/// The seed network as a row of layers and as a graph of the same layers.
fn both() -> (Sequential, Graph) {
    let row = Sequential::builder([28, 28])
        .seed(42)
        .layer(Flatten)
        .layer(Dense::units(32))
        .layer(ReLU)
        .layer(Dropout::rate(0.2))
        .layer(Dense::units(10))
        .layer(Softmax)
        .build()
        .unwrap();
    let g = Graph::builder().seed(42);
    let x = g.input("image", [28, 28]).layer(Flatten).layer(Dense::units(32)).layer(ReLU);
    g.output("class", x.layer(Dropout::rate(0.2)).layer(Dense::units(10)).layer(Softmax));
    (row, g.build().unwrap())
}

fn values(model: &dyn Model) -> Vec<(String, Vec<f32>)> {
    let mut all = Vec::new();
    model.each_param(&mut |name, param| all.push((name.to_owned(), param.as_slice().to_vec())));
    all
}

#[test]
fn a_graph_of_layers_has_the_bits_of_the_row() {
    let (data, test) = garments(200, 9, 1).unwrap();
    let (mut row, mut graph) = both();
    assert_eq!(values(&row), values(&graph));
    let data = data.scale(1.0 / 255.0);
    let train = |model: &mut dyn Model| {
        let mut trainer = Trainer::new(CrossEntropy::default(), Adam::default())
            .epochs(3)
            .progress(Progress::Silent)
            .seed(5);
        trainer.fit(model, &data).unwrap()
    };
    let (of_row, of_graph) = (train(&mut row), train(&mut graph));
    assert_eq!(values(&row), values(&graph));
    assert_eq!(of_row.get("loss"), of_graph.get("loss"));
    let images = test.inputs().mapv(|pixel| f32::from(pixel) / 255.0);
    assert_eq!(row.predict(&images).unwrap(), graph.predict(&images).unwrap());
    assert_eq!(graph.final_activation(0), row.final_activation(0), "the softmax is left out in training");
}

/// A layer from its forward pass, in a row, in a block and in a graph: its name in the summary and in errors, its
/// parameters, loaded without its code, and the bits of the same layers.
#[test]
fn a_layer_from_its_forward_pass_is_a_layer_like_others() {
    fn norm<'g>(g: &'g GraphBuilder, x: Value<'g>, epsilon: f64) -> Value<'g> {
        let centred = x - x.mean_keepdim(-1);
        let scale = g.param("weight", [x.size(-1)], Initializer::Constant(1.0));
        centred / (centred.square().mean_keepdim(-1) + epsilon).sqrt() * scale
    }
    let dense_tanh = |units: usize| {
        Graph::layer("dense_tanh", move |g, x| {
            let w = g.param("weight", [x.size(-1), units], Initializer::GlorotUniform);
            (x.matmul(w) + g.param("bias", [units], Initializer::Zeros)).tanh()
        })
    };
    let layers = || {
        let block =
            Sequential::block().layer(dense_tanh(5)).layer(Graph::layer("norm", |g, x| norm(g, x, 1e-5)));
        Sequential::builder([3])
            .seed(4)
            .layer(dense_tanh(4))
            .layer(block)
            .layer(Residual::around(Sequential::block().layer(Graph::layer("halved", |_, x| x / 2))))
    };
    let mut model = layers().layer(Dense::units(2)).layer(Softmax).build().unwrap();
    let mut names = Vec::new();
    model.visit_params(&mut |name, param| names.push(format!("{name} {:?}", param.shape())));
    let expected = ["0.weight [3, 4]", "0.bias [4]", "1.0.weight [4, 5]", "1.0.bias [5]", "1.1.weight [5]"];
    assert_eq!(names[..5], expected);
    let text = model.to_string();
    for label in ["dense_tanh", "norm", "halved"] {
        assert!(text.contains(label), "{label}: {text}");
    }
    // The initial values are those of the layer that draws from the same streams.
    let same = Sequential::builder([3]).seed(4).layer(Dense::units(4)).layer(Tanh).build().unwrap();
    let own = Sequential::builder([3]).seed(4).layer(dense_tanh(4)).build().unwrap();
    let x = Array2::from_shape_fn((6, 3), |(i, j)| ((i * 3 + j) as f32).sin());
    assert_eq!(own.predict(&x).unwrap(), same.predict(&x).unwrap());

    let labels = (0..6).map(|i| i % 2).collect::<Vec<usize>>();
    let data = ArrayDataset::new(x.clone(), labels).unwrap();
    let trainer = Trainer::new(CrossEntropy::default(), Adam::default()).learning_rate(0.05).epochs(40);
    let history = trainer.progress(Progress::Silent).fit(&mut model, &data).unwrap();
    assert!(history.last("loss").unwrap() < 0.5 * history.get("loss")[0]);
    let bytes = model.to_bytes().unwrap();
    let loaded = Sequential::from_bytes(&bytes, &Registry::builtin()).unwrap();
    assert_eq!(loaded.predict(&x).unwrap(), model.predict(&x).unwrap());
    assert_eq!((loaded.to_string(), loaded.to_bytes().unwrap()), (model.to_string(), bytes));

    let report = LayerCheck::<f32>::new(&[3]).run(dense_tanh(4)).unwrap().to_string();
    assert!(report.starts_with("layer \"dense_tanh\"\n"), "{report}");
    LayerCheck::<f64>::new(&[4, 3])
        .run(Graph::<f64>::layer_of("scaled", |g, x| x * g.param("scale", [3], Initializer::Constant(0.7))))
        .unwrap();

    let error = |spec: Result<Sequential>| spec.map(drop).unwrap_err().to_string();
    let text = error(Sequential::builder([3]).layer(Graph::layer("bad", |_, x| x.reshape([2, 2]))).build());
    assert!(text.starts_with("layer 0 (graph), bad, reshape, tests/library/graphs.rs:"), "{text}");
    let text = error(Sequential::builder([3]).layer(Graph::layer("", |_, x| x)).build());
    assert!(text.contains("the name of a layer must be one or more characters"), "{text}");
    let text = error(
        Sequential::builder([3])
            .layer(Graph::layer("unused", |g, _| g.param("w", [3], Initializer::Zeros)))
            .build(),
    );
    assert!(
        text.contains("unused") && text.contains("must depend on an input, got a parameter alone"),
        "{text}"
    );
    let twice = Graph::layer("twice", |g, x| {
        let [a, b] = [(), ()].map(|()| g.param("w", [3], Initializer::Zeros));
        x * a + b
    });
    let text = error(Sequential::builder([3]).layer(twice).build());
    assert!(text.contains("the name of a parameter must be one that is not taken, got \"w\""), "{text}");
    let mut model = Sequential::builder([3]).layer(dense_tanh(2)).build().unwrap();
    model.visit_params_mut(&mut |_, param| *param = Param::new(arr2(&[[1.0f32]])));
    let text = model.predict(&x).unwrap_err().to_string();
    assert!(text.contains("layer 0 (dense_tanh): the parameter \"weight\" must have shape [3, 2]"), "{text}");
}
