//! Lengths of sequences: padding has no part in any result, and what would mix it in is an error.

use crate::ports::{Attention, AttentionSpec, Recurrent, RecurrentSpec};
use plywood::ndarray::{Array1, Array2, ArrayD, Axis, arr1, arr2, s};
use plywood::nn::{GradientMut, Graph, GraphBuilder, Io, Ports, Value};
use plywood::prelude::*;
use plywood::testing::LayerCheck;
use serde::{Deserialize, Serialize};

/// Texts of 1 to 6 words, without padding.
const TEXTS: [&[f32]; 4] = [&[3.0, 1.0, 4.0], &[1.0], &[5.0, 9.0, 2.0, 6.0, 5.0, 3.0], &[8.0, 9.0]];

/// The texts, padded to so many words.
fn padded(words: usize) -> Array2<f32> {
    Array2::from_shape_fn((TEXTS.len(), words), |(i, t)| TEXTS[i].get(t).copied().unwrap_or(0.0))
}

fn bits(y: &ArrayD<f32>) -> Vec<u32> {
    y.iter().map(|y| y.to_bits()).collect()
}

/// Checks that each text has the same bits alone, in a batch and padded further; `of` predicts for so many words.
fn no_part_of_padding(name: &str, of: impl Fn(Array2<f32>) -> ArrayD<f32>) {
    let batch = of(padded(6));
    let further = of(padded(50));
    assert_eq!(bits(&further), bits(&batch), "{name}: padded further");
    for (i, text) in TEXTS.iter().enumerate() {
        let alone = of(arr1(text).insert_axis(Axis(0)));
        assert_eq!(bits(&alone), bits(&batch.index_axis(Axis(0), i).to_owned()), "{name}: text {i} alone");
    }
    assert!(
        batch.iter().all(|y| y.is_finite()) && batch.iter().any(|&y| y != batch[[0, 0]]),
        "{name}: {batch}"
    );
}

fn embedding() -> impl LayerSpec<f32, Layer = Embedding> + Send + Copy + 'static {
    Embedding::vocabulary(10, 24).padding(0)
}

/// The model of `build` for another number of words, with the same parameters.
fn row_for(words: usize, trained: &Sequential, build: impl Fn(usize) -> Sequential) -> Sequential {
    let mut other = build(words);
    other.load_state_dict(&trained.state_dict().unwrap()).unwrap();
    other
}

#[test]
fn a_text_has_the_same_bits_alone_padded_and_padded_further_in_a_row() {
    type Build = fn(usize) -> Sequential;
    let rows: [(&str, Build); 5] = [
        ("layers from their forward pass", |words| {
            let gated = Graph::layer("gated", |g, x| {
                let w = g.param("w", [24, 24], Initializer::GlorotUniform);
                x.matmul(w).sigmoid() * x + x.layer(Dense::units(24)).layer(LayerNorm::new())
            });
            let row = Sequential::builder([words]).layer(embedding()).layer(gated);
            row.layer(PoolSteps::mean()).build().unwrap()
        }),
        ("mean", |words| {
            let row = Sequential::builder([words])
                .layer(embedding())
                .layer(Dense::units(19))
                .layer(GELU::default());
            let row = row.layer(LayerNorm::new()).layer(Dropout::rate(0.3)).layer(PoolSteps::mean());
            row.layer(Dense::units(3)).layer(Softmax).build().unwrap()
        }),
        ("max of a residual block", |words| {
            let block = || Sequential::block().layer(Dense::units(24)).layer(Tanh);
            let row = Sequential::builder([words]).layer(embedding()).layer(Residual::around(block()));
            let row = row.layer(Concat::of([block(), block()]).axis(2)).layer(Add::of([block(), block()]));
            row.layer(Reshape::to([words, 4, 6])).layer(PoolSteps::max()).layer(Flatten).build().unwrap()
        }),
        ("recurrences", |words| {
            let row = Sequential::builder([words]).layer(embedding()).layer(RecurrentSpec(7));
            row.layer(RecurrentSpec(5)).layer(PoolSteps::sum()).build().unwrap()
        }),
        // Blocks that make, keep, read and end lengths.
        ("blocks", |words| {
            let makes = Sequential::block().layer(embedding()).layer(Dense::units(8));
            let keeps = Sequential::block().layer(Tanh).layer(Sequential::block().layer(RMSNorm::new()));
            let reads = Sequential::block().layer(ReLU).layer(Sequential::block().layer(RecurrentSpec(6)));
            let ends = Sequential::block().layer(PoolSteps::mean()).layer(Dense::units(2)).layer(Softmax);
            Sequential::builder([words]).layer(makes).layer(keeps).layer(reads).layer(ends).build().unwrap()
        }),
    ];
    for (name, build) in rows {
        let mut model = build(6);
        // A step of training, so that no bias is zero.
        let mut trainer =
            Trainer::new(MeanSquaredError, Adam::default()).progress(Progress::Silent).epochs(2);
        let shape = model.output_shape().to_vec();
        let targets = ArrayD::from_shape_fn([&[4], &shape[..]].concat(), |at| (at[0] + at[1]) as f32);
        trainer.fit(&mut model, &ArrayDataset::new(padded(6), targets).unwrap()).unwrap();
        no_part_of_padding(name, |x| row_for(x.ncols(), &model, build).predict(&x).unwrap());
        let registry = Registry::builtin().with::<Recurrent>();
        let loaded = Sequential::from_bytes(&model.to_bytes().unwrap(), &registry).unwrap();
        assert_eq!(bits(&loaded.predict(&padded(6)).unwrap()), bits(&model.predict(&padded(6)).unwrap()));
    }
}

type Make = for<'g> fn(&'g GraphBuilder, Value<'g>) -> Value<'g>;

/// Graphs on the embedded words.
const GRAPHS: [(&str, Make); 6] = [
    ("mean", |_, x| x.layer(Dense::units(19)).tanh().mean(1)),
    ("sum and max", |_, x| x.sum(1).concat(&[x.max_keepdim(1).reshape([24]), x.max(-2)], -1)),
    ("operations", |g, x| {
        let w = g.param("w", [24, 6], Initializer::GlorotUniform);
        let position = g.param("position", [6], Initializer::Uniform { low: -1.0, high: 1.0 });
        let y = (x.matmul(w) + position) * x.slice(2, ..6).sigmoid();
        let [a, b] = y.concat(&[y.exp()], -1).split(-1);
        (a.maximum(b) - a.mean_keepdim(2))
            .reshape([-1, 2, 3])
            .permute([0, 1, 3, 2])
            .t()
            .softmax(-1)
            .mean(1)
            .reshape([6])
    }),
    ("steps of one number", |_, x| x.sum(2).square().mean_keepdim(1)),
    ("attention by a mask", |_, x| {
        let all = x.without_lengths();
        let scores = all.layer(Dense::units(1)).sum(2); // [batch, steps]
        let weights = (scores + 1e9 * (x.step_mask() - 1.0)).exp().with_lengths_of(x);
        weights.sum_keepdim(1)
    }),
    ("recurrence and attention", |_, x| {
        let [steps, last] = x.call(RecurrentSpec(7), []);
        let [attended] = steps.call(AttentionSpec(3), [("context", x)]);
        attended.mean(1).concat(&[last], -1)
    }),
];

fn graph(make: Make) -> Graph {
    let g = Graph::builder().seed(5);
    let x = g.input("words", [6]).layer(embedding());
    assert_eq!((x.lengths().unwrap().shape(), x.lengths().unwrap().is_batched()), (vec![], true));
    g.output("y", make(&g, x));
    g.build().unwrap()
}

#[test]
fn a_text_has_the_same_bits_alone_padded_and_padded_further_in_a_graph() {
    for (name, make) in GRAPHS {
        let model = graph(make);
        assert!(!model.outputs()[0].has_lengths(), "{name}");
        let of = |model: &Graph, x: Array2<f32>| {
            model.with_input_shapes(&[("words", &[x.ncols()])]).unwrap().predict(&x).unwrap()
        };
        no_part_of_padding(name, |x| of(&model, x));
        let registry = Registry::builtin().with::<Recurrent>().with::<Attention>();
        let bytes = model.to_bytes().unwrap();
        let loaded = Graph::of_model(registry.from_bytes(&bytes).unwrap()).unwrap();
        assert_eq!(loaded.to_bytes().unwrap(), bytes, "{name}");
        assert_eq!(loaded.to_string(), model.to_string(), "{name}");
        no_part_of_padding(name, |x| of(&loaded, x));
    }
}

/// A row takes the number of steps that it was built for, so the graph is built again, from the same seed.
#[test]
fn a_row_inside_of_a_graph_takes_and_gives_lengths() {
    no_part_of_padding("rows inside", |x| {
        let g = Graph::builder().seed(5);
        let words = g.input("words", [x.ncols()]);
        let x2 = words.layer(Sequential::block().layer(embedding()).layer(Dense::units(9)));
        let reads = Sequential::block().layer(Dense::units(5)).layer(RecurrentSpec(6));
        let y = x2.layer(reads).layer(Sequential::block().layer(Tanh).layer(PoolSteps::mean()));
        g.output("y", y);
        g.build().unwrap().predict(&x).unwrap()
    });
}

/// Gradients in training do not depend on how far texts are padded.
#[test]
fn padding_has_no_part_in_gradients() {
    for (name, make) in GRAPHS {
        let model = graph(make);
        let gradients = |words: usize| {
            let mut model = model.with_input_shapes(&[("words", &[words])]).unwrap();
            let mut y = [None];
            let cache = model.train(&mut [Some(padded(words).into_dyn())], &[false], &mut y).unwrap();
            let y = y[0].take().unwrap();
            let weights = ArrayD::from_shape_fn(y.raw_dim(), |at| (at[0] * 3 + at[1]) as f32 * 0.1 - 0.4);
            model.learn(cache, &mut [Some(weights)]).unwrap();
            let mut all = Vec::new();
            model.each_param_mut(&mut |name, param| all.push((name.to_owned(), dense(param))));
            all
        };
        for ((param, short), (_, long)) in gradients(6).iter().zip(&gradients(50)) {
            let scale = short.iter().fold(1e-3f32, |most, x| most.max(x.abs()));
            let worst = short.iter().zip(long).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst <= 2e-6 * scale, "{name}: {param}: {worst} of {scale}");
            assert!(short.iter().any(|&x| x != 0.0), "{name}: {param}");
        }
    }
}

/// The gradient of a parameter as an array.
fn dense(param: &mut Param) -> Vec<f32> {
    let columns = param.shape().last().copied().unwrap_or(1);
    let mut all = vec![0.0; param.len()];
    match param.value_and_gradient() {
        Some((_, GradientMut::Dense(gradient))) => all = gradient.iter().copied().collect(),
        Some((_, GradientMut::Rows { ids, values })) => {
            for (id, row) in ids.iter().zip(values.chunks(columns)) {
                all[id * columns..][..columns].copy_from_slice(row);
            }
        }
        _ => {}
    }
    all
}

/// The gradients of reductions by lengths, in f64 against differences.
#[test]
fn reductions_by_lengths_agree_with_hand_and_differences() {
    let g = Graph::<f64>::builder_of();
    let (x, lengths) = (g.input("x", [3, 2]), g.input("lengths", []));
    let x = x.with_lengths(lengths);
    g.output("sum", x.sum(1));
    g.output("mean", x.mean(1));
    g.output("max", x.max(1));
    let mut model = g.build().unwrap();
    let x = ArrayD::from_shape_vec(
        vec![3, 3, 2],
        vec![1., 8., 5., 2., 9., 9., 3., 4., 7., 7., 7., 7., 1., 1., 1., 1., 1., 1.],
    );
    let (x, lengths) = (x.unwrap(), arr1(&[2.0, 1.0, 0.0]).into_dyn());
    let mut outputs = [None, None, None];
    let cache = model.eval(&mut [Some(x.clone()), Some(lengths.clone())], &[false; 3], &mut outputs).unwrap();
    let [sum, mean, max] = outputs.map(Option::unwrap);
    assert_eq!(sum, arr2(&[[6., 10.], [3., 4.], [0., 0.]]).into_dyn());
    assert_eq!(mean, arr2(&[[3., 5.], [3., 4.], [0., 0.]]).into_dyn());
    assert_eq!(max, arr2(&[[5., 8.], [3., 4.], [0., 0.]]).into_dyn());
    let ones = || Some(ArrayD::from_elem(vec![3, 2], 1.0));
    let mut at = [None, None];
    model.input_gradients(cache, &mut [ones(), None, ones()], &mut at).unwrap();
    let expected = vec![1., 2., 2., 1., 0., 0., 2., 2., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0.];
    assert_eq!(at[0].take().unwrap().iter().copied().collect::<Vec<_>>(), expected);

    for pool in [PoolSteps::mean(), PoolSteps::sum(), PoolSteps::max()] {
        let report = LayerCheck::<f64>::new(&[4, 3]).run(pool).unwrap().to_string();
        assert!(report.contains("with lengths, the gradients at the inputs"), "{report}");
        assert!(report.contains("padding of the input \"input\" has no part in the outputs"), "{report}");
    }
    LayerCheck::<f64>::new(&[4]).run(PoolSteps::mean()).unwrap();
    LayerCheck::<f32>::new(&[4, 2, 3]).run(PoolSteps::max()).unwrap();
    LayerCheck::<f64>::new(&[4, 3]).run(WithoutLengths).unwrap();
}

/// Lengths that are no lengths, and padding that is not at the end.
#[test]
fn wrong_lengths_are_errors_that_name_the_sample() {
    let g = Graph::builder();
    let x = g.input("x", [3, 2]).with_lengths(g.input("lengths", []));
    g.output("y", x.mean(1));
    let model = g.build().unwrap();
    for (bad, shown) in [(4.0, "4"), (-1.0, "-1"), (1.5, "1.5"), (f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        let lengths = Array1::from_elem(2, 1.0f32);
        let mut lengths = lengths.into_dyn();
        lengths[1] = bad;
        let x = ArrayD::<f32>::ones(vec![2, 3, 2]);
        let mut inputs = [Some(x.into()), Some(lengths.into())];
        let error = model.infer(&mut inputs, &[false], &mut [None]).unwrap_err().to_string();
        let expected = format!(
            "operation mean: the length of sample 1 in the batch must be an integer from 0 to 3, the number of steps, \
             got {shown}."
        );
        assert!(error.starts_with(&expected), "{error}");
    }
    let model = Sequential::builder([3]).layer(embedding()).layer(PoolSteps::mean()).build().unwrap();
    let error = model.predict(&arr2(&[[1.0, 2.0, 0.0], [1.0, 0.0, 2.0]])).unwrap_err().to_string();
    assert!(
        error.contains(
            "layer 0 (embedding): the padding id 0 at position 1 of sample 1 must come after all other ids of \
             the sample, got another id behind it, at position 2."
        ),
        "{error}"
    );
    // Where nobody reads the lengths, padding may be anywhere.
    let model =
        Sequential::builder([3]).layer(embedding()).layer(WithoutLengths).layer(Flatten).build().unwrap();
    assert!(model.predict(&arr2(&[[0.0, 0.0, 2.0]])).is_ok());
}

/// What does not say what becomes of the steps, in a graph and in a row: never a silent drop.
#[test]
fn what_mixes_steps_is_an_error() {
    let mixed: [(&str, Make); 11] = [
        ("the last place", |_, x| x.index_axis(1, -1)),
        ("the first places", |_, x| x.slice(1, ..2).sum(1)),
        ("flatten", |_, x| x.layer(Flatten)),
        ("attention scores", |_, x| x.matmul(x.t()).sum(1)),
        ("a product over the steps", |g, x| x.sum(2).matmul(g.param("w", [6, 2], Initializer::Zeros))),
        ("softmax over the steps", |_, x| x.sum(2).softmax(-1)),
        ("dense over the steps", |_, x| x.sum(2).layer(Dense::units(2))),
        ("joined steps", |_, x| x.concat(&[x], 1).sum(1)),
        ("another order", |_, x| x.permute([0, 2, 1]).sum(1)),
        ("another shape", |_, x| x.reshape([3, -1]).sum(1)),
        ("convolution", |_, x| x.layer(Conv1d::filters(2, 3)).sum(1)),
    ];
    for (name, make) in mixed {
        let g = Graph::builder();
        let x = g.input("words", [6]).layer(embedding());
        g.output("y", make(&g, x));
        let error = g.build().map(drop).unwrap_err().to_string();
        let expected =
            "must have no padding, as its steps would be mixed with real ones, got a value with lengths.";
        assert!(error.contains(expected) && error.contains("tests/library/lengths.rs:"), "{name}: {error}");
        let g = Graph::builder();
        let x = g.input("words", [6]).layer(embedding()).without_lengths();
        g.output("y", make(&g, x));
        g.build().map(drop).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let row = || Sequential::builder([6]).layer(embedding());
    let kept = |builder: plywood::nn::SequentialBuilder| builder.build().map(drop).map_err(|e| e.to_string());
    // What ends lengths in a block.
    kept(row().layer(Sequential::block().layer(WithoutLengths).layer(Flatten)).layer(Dense::units(2)))
        .unwrap();
    for error in [
        kept(row().layer(Flatten)),
        kept(row().layer(BatchNorm::new())),
        kept(row().layer(Conv1d::filters(3, 2))),
        kept(row().layer(Sequential::block().layer(Tanh).layer(Flatten))),
        kept(row().layer(Residual::around(Sequential::block().layer(RecurrentSpec(24))))),
    ] {
        let error = error.unwrap_err();
        assert!(
            error.starts_with("layer 1 (") && error.contains("the input \"input\" must have no padding"),
            "{error}"
        );
    }
    // Layers from their forward pass: what reduces the steps does not get the lengths.
    let forward: [(&str, Make); 4] = [
        ("mean", |_, x| x.mean(1)),
        ("flat", |_, x| x.reshape([-1])),
        ("read", |_, x| x.layer(RecurrentSpec(4))),
        ("joined", |_, x| x.concat(&[x], 1)),
    ];
    for (name, make) in forward {
        let error = kept(row().layer(Graph::layer(name, make))).unwrap_err();
        assert!(
            error.starts_with(&format!("layer 1 ({name}): the input \"input\" must have no padding")),
            "{error}"
        );
    }
    // Lengths that a block makes inside of branches would be lost.
    let lost = kept(Sequential::builder([6]).layer(Add::of([Sequential::block().layer(embedding())])));
    assert!(
        lost.unwrap_err()
            .contains("branch 0: the output of a block must have no padding, got a value with lengths")
    );
}

/// Values with different lengths, and with lengths beside without any.
#[test]
fn values_that_are_joined_have_the_same_lengths() {
    let g = Graph::builder();
    let [x, y] = ["words", "others"].map(|name| g.input(name, [6]).layer(embedding()));
    g.output("z", (x + y).sum(1));
    let error = g.build().unwrap_err().to_string();
    assert!(error.starts_with("add, tests/library/lengths.rs:"), "{error}");
    assert!(
        error.contains("values that are joined step by step must have the same lengths, got different ones."),
        "{error}"
    );
    let beside = |with: bool| {
        let g = Graph::builder();
        let x = g.input("words", [6]).layer(embedding());
        let plain = g.input("plain", [6, 24]);
        let plain = if with { plain.with_lengths_of(x) } else { plain };
        g.output("z", x.concat(&[plain], -1).mean(1));
        g.build().map(drop).map_err(|error| error.to_string())
    };
    assert!(beside(false).unwrap_err().contains("must have the same lengths"));
    beside(true).unwrap();
    // What all samples share, and what has no steps, has no lengths to differ.
    let g = Graph::builder();
    let x = g.input("words", [6]).layer(embedding());
    let shared = g.param("position", [6, 24], Initializer::Uniform { low: -1.0, high: 1.0 });
    let gate = g.input("gate", [24]);
    g.output("y", ((x + shared) * gate).sum(1));
    g.build().unwrap();
    let none = Graph::builder();
    let x = none.input("x", [6]);
    none.output("y", x.with_lengths_of(x * 2.0));
    assert!(none.build().unwrap_err().to_string().contains("the value must have lengths, got none."));
    let none = Graph::builder();
    none.output("y", none.input("x", [6]).step_mask());
    assert!(none.build().unwrap_err().to_string().contains("step_mask, "));
    let none = Graph::builder();
    let x = none.input("x", [6]);
    none.output("y", x.with_lengths(x));
    let error = none.build().unwrap_err().to_string();
    assert!(error.contains("the value must be [batch, steps, …], and its lengths [batch], got"), "{error}");
}

/// An output with lengths is predicted, and no loss takes part of it.
#[test]
fn an_output_with_lengths_is_not_trained_or_evaluated() {
    let g = Graph::builder();
    g.output("tags", g.input("words", [6]).layer(embedding()).layer(Dense::units(2)));
    let mut graph = g.build().unwrap();
    let row = Sequential::builder([6]).layer(embedding()).layer(Dense::units(2)).build();
    let mut row = row.unwrap();
    assert!(graph.outputs()[0].has_lengths() && row.outputs()[0].has_lengths());
    let data = ArrayDataset::new(padded(6), ArrayD::<f32>::zeros(vec![4, 6, 2])).unwrap();
    let mut trainer = Trainer::new(MeanSquaredError, Adam::default()).progress(Progress::Silent);
    let errors = [
        trainer.fit(&mut graph, &data).unwrap_err(),
        trainer.fit(&mut row, &data).unwrap_err(),
        trainer.evaluate(&row, &data).unwrap_err(),
    ];
    for error in errors {
        let error = error.to_string();
        assert!(
            error.contains("the output of layer 1 (dense) must have no padding, got a value with lengths"),
            "{error}"
        );
    }
    assert_eq!(row.predict(&padded(6)).unwrap().shape(), [4, 6, 2]);
    // As a layer of a row, a graph would lose them.
    let error = Sequential::builder([6]).layer(graph).build().unwrap_err().to_string();
    assert!(error.contains("the output of a graph as a layer must have no padding"), "{error}");
    // The first part of a row keeps them for what is added to it.
    let mut trunk = row.clone();
    trunk.split_off(1).unwrap();
    assert!(trunk.outputs()[0].has_lengths());
    let longer = trunk.into_builder().layer(PoolSteps::max()).layer(Dense::units(1)).build().unwrap();
    no_part_of_padding("a new head", |x| {
        let row = |words| {
            let row = Sequential::builder([words]).layer(embedding()).layer(PoolSteps::max());
            row.layer(Dense::units(1)).build().unwrap()
        };
        row_for(x.ncols(), &longer, row).predict(&x).unwrap()
    });
}

/// Claims about steps that do not hold, and names of ports that are not there.
#[test]
fn what_a_layer_says_wrongly_about_its_steps_is_found() {
    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct Reversed;
    impl Layer for Reversed {
        const KIND: Kind = Kind::own("tests.reversed");
        type Cache = ();
        fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
            Ok(input.to_vec())
        }
        fn keeps_steps(&self, _: &[usize]) -> bool {
            true
        }
        fn forward(&self, input: Tensor) -> Result<Tensor> {
            Ok(input.slice_axis(Axis(1), plywood::ndarray::Slice::new(0, None, -1)).to_owned())
        }
        fn forward_train(&mut self, input: Tensor) -> Result<(Tensor, ())> {
            Ok((self.forward(input)?, ()))
        }
        fn backward(&mut self, (): (), grad: Tensor) -> Result<Tensor> {
            self.forward(grad)
        }
    }
    let error = check_layer::<f32>(Reversed, &[4, 2]).unwrap_err().to_string();
    assert!(
        error.contains("of the output \"output\" must keep its bits, got others after step 0"),
        "{error}"
    );

    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct Careless(u8);
    impl Layer for Careless {
        const KIND: Kind = Kind::own("tests.careless");
        type Cache = Vec<usize>;
        fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
            Ok(input[1..].to_vec())
        }
        fn ports(&self) -> Ports {
            let ports = Ports::new(&["input"], &["output"]).optional(&["lengths"]);
            match self.0 {
                0 => ports.reads_lengths(&[("input", "lengths")]),
                1 => ports.reads_lengths(&[("input", "length")]),
                2 => ports.reads_lengths(&[("inputs", "lengths")]),
                3 => ports.keeps_steps(&[("outputs", "input")]),
                4 => ports.keeps_steps(&[("output", "x")]),
                5 => ports.makes_lengths(&[("output", "made")]),
                _ => ports.ignores_lengths(&["x"]),
            }
        }
        fn forward_ports(&self, io: &mut Io<'_>) -> Result<()> {
            let y = self.forward(io.take(0)?)?;
            io.put(0, y)
        }
        fn forward(&self, input: Tensor) -> Result<Tensor> {
            Ok(input.sum_axis(Axis(1)))
        }
        fn forward_train(&mut self, input: Tensor) -> Result<(Tensor, Vec<usize>)> {
            let shape = input.shape().to_vec();
            Ok((self.forward(input)?, shape))
        }
        fn backward(&mut self, shape: Vec<usize>, grad: Tensor) -> Result<Tensor> {
            Ok(grad.insert_axis(Axis(1)).broadcast(shape).unwrap().to_owned())
        }
    }
    let error = check_layer::<f32>(Careless(0), &[4, 2]).unwrap_err().to_string();
    assert!(error.contains("the output \"output\" of sample"), "{error}");
    assert!(error.contains("must keep its bits, got others after its padding was changed"), "{error}");
    for (k, expected) in [
        "a name in `Ports::reads_lengths` must be one of [\"lengths\"], got length",
        "a name in `Ports::reads_lengths` must be one of [\"input\", \"lengths\"], got inputs",
        "a name in `Ports::keeps_steps` must be one of [\"output\"], got outputs",
        "a name in `Ports::keeps_steps` must be one of [\"input\", \"lengths\"], got x",
        "a name in `Ports::makes_lengths` must be one of [\"output\"], got made",
        "a name in `Ports::ignores_lengths` must be one of [\"input\", \"lengths\"], got x",
    ]
    .iter()
    .enumerate()
    {
        let error = Sequential::builder([4, 2]).layer(Careless(k as u8 + 1)).build().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// A sequence without any real step, and lengths that a graph gets from the user.
#[test]
fn an_empty_text_gives_zeros() {
    let model = Sequential::builder([3]).layer(embedding()).layer(PoolSteps::mean()).build().unwrap();
    let y = model.predict(&arr2(&[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])).unwrap();
    assert!(y.slice(s![0, ..]).iter().all(|&y| y == 0.0) && y.slice(s![1, ..]).iter().any(|&y| y != 0.0));
    assert_eq!(model.predict(&Array2::<f32>::zeros((0, 3))).unwrap().shape(), [0, 24]);
}

/// Texts of 2 to 6 words, padded: the label says whether word 1 comes before word 2.
fn ordered(samples: usize) -> ArrayDataset<f32, Vec<usize>> {
    let word = |i: usize, t: usize| 3.0 + ((i * 7 + t * 5 + i / 3) % 5) as f32;
    let length = |i: usize| 2 + (i * 11 / 4) % 5;
    let mut words =
        Array2::from_shape_fn((samples, 6), |(i, t)| if t < length(i) { word(i, t) } else { 0.0 });
    let mut labels = Vec::new();
    for i in 0..samples {
        let (first, second) = (i % length(i), (i % length(i) + 1 + i / 5 % (length(i) - 1)) % length(i));
        words[[i, first]] = 1.0;
        words[[i, second]] = 2.0;
        labels.push(usize::from(first < second));
    }
    ArrayDataset::new(words, labels).unwrap()
}

/// A recurrence and an attention of a user's own, in a graph, with a state, lengths and a mask that come by themselves or
/// from operations: trained, evaluated, saved and loaded.
#[test]
fn port_layers_with_lengths_are_trained_saved_and_loaded_in_a_graph() {
    let build = || {
        let g = Graph::builder().seed(4);
        let x = g.input("words", [6]).layer(embedding());
        let state = x.mean(1).layer(Dense::units(12)).tanh();
        let [steps, last] = x.call(RecurrentSpec(12), [("state", state)]);
        let [attended] = steps.call(AttentionSpec(8), [("context", x), ("mask", x.step_mask())]);
        let all = attended.max(1).concat(&[last], -1);
        g.output("order", all.layer(Dense::units(2)).softmax(-1));
        g.build().unwrap()
    };
    let (train, test) = (ordered(400), ordered(500));
    let trainer = || {
        let trainer =
            Trainer::new(CrossEntropy::default(), Adam::default()).learning_rate(0.01).batch_size(32);
        trainer.metric(Accuracy::default()).progress(Progress::Silent)
    };
    let mut model = build();
    let history = trainer().epochs(12).fit(&mut model, &train).unwrap();
    assert!(history.last("loss").unwrap() < 0.2 * history.get("loss")[0], "{:?}", history.get("loss"));
    let report = trainer().evaluate(&model, &test).unwrap();
    assert!(report.get("accuracy").unwrap() > 0.9, "{report:?}");

    let registry = Registry::builtin().with::<Recurrent>().with::<Attention>();
    let loaded = Graph::of_model(registry.from_bytes(&model.to_bytes().unwrap()).unwrap()).unwrap();
    let x = padded(6);
    assert_eq!(bits(&loaded.predict(&x).unwrap()), bits(&model.predict(&x).unwrap()));
    no_part_of_padding("trained", |x| {
        loaded.with_input_shapes(&[("words", &[x.ncols()])]).unwrap().predict(&x).unwrap()
    });
}

/// A second part of a row that would not get the lengths which it reads.
#[test]
fn a_row_is_not_cut_between_lengths_and_what_reads_them() {
    let whole = || {
        let row = Sequential::builder([4]).layer(embedding()).layer(Dense::units(3)).layer(PoolSteps::mean());
        row.layer(Dense::units(2)).build().unwrap()
    };
    for at in [1, 2] {
        let mut row = whole();
        let error = row.split_off(at).unwrap_err().to_string();
        assert!(
            error.starts_with("the value at the cut must have no padding, got a value with lengths"),
            "{error}"
        );
        assert_eq!(bits(&row.predict(&padded(4)).unwrap()), bits(&whole().predict(&padded(4)).unwrap()));
    }
    let (mut row, x) = (whole(), padded(4));
    let head = row.split_off(3).unwrap();
    assert_eq!(head.predict(&row.predict(&x).unwrap()).unwrap(), whole().predict(&x).unwrap());
    let (mut row, head) = (whole(), whole().split_off(0).unwrap());
    assert_eq!((head.len(), row.split_off(4).unwrap().len()), (4, 0));
}

/// A container of one's own, with a part that makes lengths: it drops them, unless it says that this is meant.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Wrap {
    body: Sequential,
    ignores: bool,
}

impl Layer for Wrap {
    const KIND: Kind = Kind::own("tests.wrap");
    type Cache = plywood::nn::ModelCache;
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Layer::output_shape(&self.body, input)
    }
    fn ports(&self) -> Ports {
        if self.ignores { Ports::ONE.ignores_lengths(&["input"]) } else { Ports::ONE }
    }
    fn forward(&self, input: Tensor) -> Result<Tensor> {
        self.body.forward(input)
    }
    fn forward_train(&mut self, input: Tensor) -> Result<(Tensor, Self::Cache)> {
        self.body.forward_train(input)
    }
    fn backward(&mut self, cache: Self::Cache, grad: Tensor) -> Result<Tensor> {
        self.body.backward(cache, grad)
    }
    fn parts(&self, input: &[usize]) -> Vec<plywood::nn::Part<'_>> {
        vec![plywood::nn::Part::new("body", input.to_vec(), &self.body)]
    }
}

#[test]
fn a_container_that_would_drop_lengths_is_an_error() {
    let body = |ends: bool| {
        let row = Sequential::builder([4]).layer(embedding());
        if ends { row.layer(PoolSteps::mean()) } else { row }.build().unwrap()
    };
    let build = |wrap: Wrap| Sequential::builder([4]).layer(wrap).layer(Flatten).build().map(drop);
    let error = build(Wrap { body: body(false), ignores: false }).unwrap_err().to_string();
    let expected = "layer 0 (tests.wrap): the output of the part \"body\" must have no padding, got a value with lengths";
    assert!(error.starts_with(expected), "{error}");
    build(Wrap { body: body(false), ignores: true }).unwrap();
    build(Wrap { body: body(true), ignores: false }).unwrap();
}

/// A layer that makes what it says are lengths.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Makes {
    /// The shape, with the batch for `None`.
    shape: Vec<Option<usize>>,
    length: f32,
    /// Keeps half of the steps, and says that it keeps all.
    halves: bool,
}

impl Layer for Makes {
    const KIND: Kind = Kind::own("tests.makes");
    type Cache = Vec<usize>;
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(if self.halves { vec![input[0] / 2, input[1]] } else { input.to_vec() })
    }
    fn keeps_steps(&self, _: &[usize]) -> bool {
        self.halves
    }
    fn ports(&self) -> Ports {
        Ports::new(&["input"], &["output", "lengths"]).makes_lengths(&[("output", "lengths")])
    }
    fn forward(&self, input: Tensor) -> Result<Tensor> {
        let steps = self.output_shape(&input.shape()[1..])?[0];
        Ok(input.slice_axis(Axis(1), (..steps).into()).to_owned())
    }
    fn forward_train(&mut self, input: Tensor) -> Result<(Tensor, Vec<usize>)> {
        let shape = input.shape().to_vec();
        Ok((self.forward(input)?, shape))
    }
    fn backward(&mut self, shape: Vec<usize>, grad: Tensor) -> Result<Tensor> {
        let mut back = Tensor::zeros(shape);
        back.slice_axis_mut(Axis(1), (..grad.len_of(Axis(1))).into()).assign(&grad);
        Ok(back)
    }
    fn forward_ports(&self, io: &mut Io<'_>) -> Result<()> {
        let x = io.take(0)?;
        let shape: Vec<_> = self.shape.iter().map(|size| size.unwrap_or(x.len_of(Axis(0)))).collect();
        io.put(1, Tensor::from_elem(shape, self.length))?;
        let y = self.forward(x)?;
        io.put(0, y)
    }
    fn forward_train_ports(&mut self, io: &mut Io<'_>) -> Result<Vec<usize>> {
        self.forward_ports(io)?;
        Ok(vec![2, 4, 3])
    }
}

#[test]
fn what_is_made_as_lengths_is_checked() {
    let of = |shape: &[Option<usize>], length: f32| Makes { shape: shape.to_vec(), length, halves: false };
    let x = || ArrayD::<f32>::ones(vec![2, 4, 3]);
    let all = |layer: Makes| {
        let row = Sequential::builder([4, 3]).layer(layer.clone()).layer(PoolSteps::mean()).build().unwrap();
        let graph = |make: Make| {
            let g = Graph::builder();
            g.output("y", make(&g, g.input("x", [4, 3]).layer(layer.clone())));
            g.build().unwrap()
        };
        let (mean, mask) = (graph(|_, x| x.mean(1)), graph(|_, x| x.step_mask()));
        let train = graph(|_, x| x.mean(1)).train(&mut [Some(x())], &[false], &mut [None]).map(drop);
        [row.predict(&x()).map(drop), mean.predict(&x()).map(drop), mask.predict(&x()).map(drop), train]
    };
    assert!(all(of(&[None], 3.0)).into_iter().all(|result| result.is_ok()));
    for shape in [&[Some(1)][..], &[Some(0)], &[], &[None, Some(1)], &[Some(3)]] {
        for result in all(of(shape, 3.0)) {
            let error = result.unwrap_err().to_string();
            assert!(error.contains("must have shape [2"), "{shape:?}: {error}");
        }
        let checked = LayerCheck::<f32>::new(&[4, 3]).run(of(shape, 3.0)).unwrap_err().to_string();
        assert!(checked.contains("lengths"), "{shape:?}: {checked}");
    }
    for length in [-1.0, 5.0, 1.5, f32::NAN] {
        for result in all(of(&[None], length)) {
            assert!(result.unwrap_err().to_string().contains("the length of sample 0"));
        }
        assert!(LayerCheck::<f32>::new(&[4, 3]).run(of(&[None], length)).is_err(), "{length}");
    }
    LayerCheck::<f32>::new(&[4, 3]).run(of(&[None], 3.0)).unwrap();
    // It says that it keeps the steps, and returns half as many.
    let halves = Makes { halves: true, ..of(&[None], 2.0) };
    let row =
        Sequential::builder([4, 3]).layer(of(&[None], 2.0)).layer(halves.clone()).layer(PoolSteps::mean());
    let error = row.build().unwrap_err().to_string();
    assert!(
        error.contains("layer 1 (tests.makes): the output \"output\" must have shape [4, …], as it keeps"),
        "{error}"
    );
}

/// Lengths that are given to a port of a layer go on with its output; other steps, other lengths.
#[test]
fn lengths_that_are_given_by_hand_go_on() {
    let g = Graph::builder();
    let (x, n, k) = (g.input("x", [4, 3]), g.input("n", []), g.input("k", []));
    let [a] = x.call(RecurrentSpec(2), [("lengths", n)]);
    let [b] = x.with_lengths(n).call(RecurrentSpec(2), [("lengths", k)]);
    g.output("a", a.step_mask());
    g.output("b", b.step_mask());
    let model = g.build().unwrap();
    let [n, k] = [2.0, 3.0].map(|length| Some(ArrayD::<f32>::from_elem(vec![1], length).into()));
    let mut masks = [None, None];
    let x = Some(ArrayD::<f32>::ones(vec![1, 4, 3]).into());
    model.infer(&mut [x, n, k], &[false; 2], &mut masks).unwrap();
    assert_eq!(masks[0].take().unwrap().sum(), 2.0);
    assert_eq!(masks[1].take().unwrap().sum(), 3.0);
    let g = Graph::builder();
    let x = g.input("words", [6]).layer(embedding());
    g.output("y", g.input("x", [5, 1]).with_lengths_of(x).mean(1));
    let error = g.build().unwrap_err().to_string();
    assert!(
        error.contains("with_lengths_of, ")
            && error.contains("[6, …], as many steps as the other, got [5, 1]"),
        "{error}"
    );
}

/// An output without lengths is the value itself, also for what is left out of a loss.
#[test]
fn an_activation_in_front_of_without_lengths_is_left_out() {
    let g = Graph::builder();
    let x = g.input("words", [6]).layer(embedding());
    g.output("tags", (x.layer(Dense::units(1)) * 40).sigmoid().without_lengths());
    let model = g.build().unwrap();
    assert_eq!(model.final_activation(0), plywood::nn::OutputActivation::Sigmoid);
    let mut logits = [None];
    model.infer(&mut [Some(padded(6).into_dyn().into())], &[true], &mut logits).unwrap();
    assert!(logits[0].take().unwrap().iter().any(|&z| !(0.0..=1.0).contains(&z)));
}

/// The number of a sample in an error is that in the array, whatever piece and thread it is in.
#[test]
fn errors_of_prediction_name_the_sample_of_the_array() {
    let model = Sequential::builder([3]).layer(embedding()).layer(PoolSteps::mean()).build().unwrap();
    let mut words = Array2::from_elem((5000, 3), 1.0f32);
    words[[4321, 1]] = 0.0;
    let error = model.predict(&words).unwrap_err().to_string();
    assert!(error.contains("the padding id 0 at position 1 of sample 4321 must come after"), "{error}");
    words[[4321, 1]] = 77.0;
    let error = model.predict(&words).unwrap_err().to_string();
    assert!(
        error.contains("the id at position 1 of sample 4321 must be whole and below 10, got 77"),
        "{error}"
    );
}
