//! Graphs as models: what is trained, kept, left out, saved and resumed, in arrangements that are no row.

use crate::folder::Folder;
use crate::ports::{Attention, AttentionSpec, Recurrent, RecurrentSpec};
use plywood::ndarray::{Array2, ArrayD, IxDyn};
use plywood::nn::{Gradient, Graph, GraphBuilder, InferRegistry};
use plywood::nn::{Io, Ports, first_output, first_output_shape, first_output_train};
use plywood::prelude::*;
use plywood::train::Checkpoints;
use serde::{Deserialize, Serialize};

/// Numbers without a pattern, for a shape.
fn numbers(shape: &[usize], seed: usize) -> ArrayD<f64> {
    let mut i = 0;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        i += 1;
        ((i * 37 + seed * 101) as f64 * 0.613).sin() * 0.9
    })
}

/// The inputs of a graph, for a batch.
fn inputs_of(graph: &Graph<f64>, batch: usize) -> Vec<ArrayD<f64>> {
    let shape = |port: &plywood::nn::Port| [&[batch], port.shape()].concat();
    graph.inputs().iter().enumerate().map(|(i, port)| numbers(&shape(port), i)).collect()
}

/// `Σ y · r` over all outputs, for fixed `r`, by the pass that the gradients are of.
fn loss(graph: &mut Graph<f64>, inputs: &[ArrayD<f64>], training: bool) -> f64 {
    let mut inputs: Vec<_> = inputs.iter().cloned().map(Some).collect();
    let mut outputs: Vec<_> = graph.outputs().iter().map(|_| None).collect();
    let logits = vec![false; outputs.len()];
    if training {
        graph.train(&mut inputs, &logits, &mut outputs).unwrap();
    } else {
        graph.eval(&mut inputs, &logits, &mut outputs).unwrap();
    }
    let each = outputs.iter().flatten().enumerate();
    each.map(|(k, y)| (y * &numbers(y.shape(), 50 + k)).sum()).sum()
}

/// Runs both halves of a pass; with `at`, the gradients at the inputs come back, too.
fn passes(graph: &mut Graph<f64>, inputs: &[ArrayD<f64>], training: bool) -> Vec<Option<ArrayD<f64>>> {
    let mut taken: Vec<_> = inputs.iter().cloned().map(Some).collect();
    let mut outputs: Vec<_> = graph.outputs().iter().map(|_| None).collect();
    let logits = vec![false; outputs.len()];
    let cache = if training {
        graph.train(&mut taken, &logits, &mut outputs).unwrap()
    } else {
        graph.eval(&mut taken, &logits, &mut outputs).unwrap()
    };
    let each = outputs.iter().enumerate();
    let mut gradients: Vec<_> =
        each.map(|(k, y)| Some(numbers(y.as_ref().unwrap().shape(), 50 + k))).collect();
    let mut at: Vec<_> = inputs.iter().map(|_| None).collect();
    if training {
        graph.learn(cache, &mut gradients).unwrap();
    } else {
        graph.input_gradients(cache, &mut gradients, &mut at).unwrap();
    }
    at
}

/// The gradient of each parameter.
fn gradients_of(graph: &Graph<f64>) -> Vec<(String, Option<ArrayD<f64>>)> {
    let mut all = Vec::new();
    graph.each_param(&mut |name, param| {
        let gradient = param.gradient().map(|gradient| match gradient {
            Gradient::Dense(gradient) => gradient.clone(),
            _ => panic!("{name}: rows"),
        });
        all.push((name.to_owned(), gradient));
    });
    all
}

/// Compares all gradients with finite differences: those of the parameters in training, those at the inputs in inference.
fn check(name: &str, graph: &Graph<f64>, batch: usize) {
    let (h, inputs) = (1e-6, inputs_of(graph, batch));
    let mut trained = graph.clone();
    passes(&mut trained, &inputs, true);
    for (param, gradient) in gradients_of(&trained) {
        // Buffers have none.
        let Some(gradient) = gradient else { continue };
        for i in 0..gradient.len() {
            let moved = |by: f64| {
                let mut moved = graph.clone();
                moved.each_param_mut(&mut |other, value| {
                    if other == param {
                        value.as_slice_mut()[i] += by;
                    }
                });
                loss(&mut moved, &inputs, true)
            };
            let difference = (moved(h) - moved(-h)) / (2.0 * h);
            let found = gradient.as_slice().unwrap()[i];
            assert!((found - difference).abs() < 1e-7, "{name}: {param}[{i}]: {found} {difference}");
        }
    }
    let before = graph.to_bytes().unwrap();
    let mut still = graph.clone();
    let at = passes(&mut still, &inputs, false);
    assert_eq!(still.to_bytes().unwrap(), before, "{name}: inference changes nothing");
    for (k, gradient) in at.iter().enumerate() {
        for i in 0..inputs[k].len() {
            let moved = |by: f64| {
                let mut inputs = inputs.clone();
                inputs[k].as_slice_mut().unwrap()[i] += by;
                loss(&mut graph.clone(), &inputs, false)
            };
            let difference = (moved(h) - moved(-h)) / (2.0 * h);
            let found = gradient.as_ref().map_or(0.0, |gradient| gradient.as_slice().unwrap()[i]);
            assert!((found - difference).abs() < 1e-7, "{name}: input {k}[{i}]: {found} {difference}");
        }
    }
    let bytes = graph.to_bytes().unwrap();
    let path = std::env::temp_dir().join(format!("plywood-graph-{}-{name}", std::process::id()));
    graph.save(&path).unwrap();
    let registry = Registry::<f64>::builtin().with::<Recurrent<f64>>().with::<Attention<f64>>();
    let loaded = Graph::of_model(plywood::load_with(&path, &registry).unwrap()).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(loaded.to_bytes().unwrap(), bytes, "{name}: saved and loaded");
    assert_eq!(loss(&mut loaded.clone(), &inputs, false), loss(&mut graph.clone(), &inputs, false), "{name}");
    assert_eq!(loaded.to_string(), graph.to_string(), "{name}");
}

/// A graph, with its builder.
fn build(make: impl Fn(&GraphBuilder<f64>)) -> Graph<f64> {
    let g = Graph::<f64>::builder_of().seed(8);
    make(&g);
    g.build().unwrap()
}

#[test]
fn graphs_that_are_no_rows_agree_with_differences() {
    let two = build(|g| {
        let (image, row) = (g.input("image", [1, 4, 4]), g.input("row", [3]));
        let x = image.layer(Conv2d::filters(2, 3)).layer(Tanh).layer(Flatten);
        let x = x.concat(&[row], -1).layer(Dense::units(4)).layer(Tanh);
        g.output("class", x.layer(Dense::units(3)).layer(Softmax));
        g.output("size", x.layer(Dense::units(1)));
    });
    check("two-inputs", &two, 3);
    check("two-inputs-alone", &two, 1);

    let shared = build(|g| {
        let (left, right) = (g.input("left", [4]), g.input("right", [4]));
        let [a, b] =
            g.shared(Sequential::<f64>::block_of().layer(Dense::units(3)).layer(Tanh), [left, right]);
        g.output("distance", (a - b).square().sum_keepdim(-1));
        g.output("similarity", (a * b).sum_keepdim(-1).sigmoid());
    });
    check("siamese", &shared, 3);

    // Dropout draws anew at each place, and batch normalization counts each.
    let random = build(|g| {
        let (left, right) = (g.input("left", [4]), g.input("right", [4]));
        let block = || Sequential::<f64>::block_of().layer(Dropout::rate(0.4)).layer(BatchNorm::new());
        let [a, b, c] = g.shared(block(), [left, right, left * 2.0]);
        g.output("y", a * b + c);
    });
    check("shared-dropout-and-batch-norm", &random, 5);

    // A value that an operation reads, and layers that work in their input's place.
    let in_place = build(|g| {
        let x = g.input("x", [6]).layer(Dense::units(6));
        let (a, b) = (x.layer(ReLU), x.layer(Tanh));
        let c = x * x + a.layer(Sigmoid);
        g.output("a", a);
        g.output("b", b + c);
        g.output("c", x.reshape([2, 3]).t().softmax(-1));
    });
    check("in-place", &in_place, 4);

    // An output that is read inside, an output that is an input, one value as two outputs, operations that nobody reads.
    let ends = build(|g| {
        let x = g.input("x", [4]);
        let y = x.layer(Dense::units(3)).softmax(-1);
        let _dead = (y.exp() + 1.0).sum(-1);
        g.output("x", x);
        g.output("y", y);
        g.output("again", y);
        g.output("z", y.matmul(g.param("w", [3, 2], Initializer::GlorotUniform)));
    });
    check("ends", &ends, 3);

    let ports = build(|g| {
        let (x, state) = (g.input("x", [4, 3]), g.input("state", [2]));
        let [steps, last] = x.call(RecurrentSpec(2), [("state", state.tanh())]);
        let [decoded, _] = x.call(RecurrentSpec(2), [("state", last)]);
        let [attended] = decoded.call(AttentionSpec(3), [("context", steps)]);
        g.output("attended", attended);
        g.output("last", last.layer(Dense::units(1)));
    });
    check("ports", &ports, 3);
    let only_steps = build(|g| {
        let [steps] = g.input("x", [4, 3]).call(RecurrentSpec(2), []);
        g.output("mean", steps.mean(1));
    });
    check("one-of-two-outputs", &only_steps, 3);
    let only_last = build(|g| {
        let [_, last] = g.input("x", [4, 3]).call(RecurrentSpec(2), []);
        g.output("last", last * 2.0);
    });
    check("second-of-two-outputs", &only_last, 3);
}

/// The error of a graph that cannot be built.
fn text(make: impl Fn(&GraphBuilder)) -> String {
    let g = Graph::builder();
    make(&g);
    g.build().map(drop).unwrap_err().to_string()
}

fn dead(what: &str) -> String {
    format!("{what} must be read by an output, got one that is not.")
}

#[test]
fn mistakes_are_errors_of_build_with_the_line() {
    let here = |line: u32| format!("tests/library/graph_models.rs:{line}: ");
    let (line, error) = (line!(), text(|g| g.output("y", g.input("x", [4]) + g.input("z", [3]))));
    assert!(
        error.starts_with(&format!("add, {}the shapes of the values must be equal", here(line))),
        "{error}"
    );
    let error = text(|g| g.output("y", g.input("x", [4]).sum(0)));
    assert!(
        error.contains("`axis` must be an axis of [batch, 4] other than the batch axis, got 0."),
        "{error}"
    );
    let error = text(|g| g.output("y", g.input("x", [4]).layer(Dense::units(0)).layer(Flatten)));
    let (line, place) = (line!() - 1, "layer 0 (dense), ");
    assert!(error.starts_with(&format!("{place}{}`units` must be", here(line))), "{error}");
    // What is made of a value that could not be made is not judged: the first error is the one to mend.
    let error = text(|g| {
        let x = g.input("x", [4]);
        let bad = x.reshape([3]);
        assert_eq!((bad.shape(), bad.size(5), bad.is_batched()), (vec![], 1, true));
        let [a, _b] = bad.matmul(x).permute([7, 9]).softmax(-1).split(2);
        g.output("y", a.layer(Dense::units(3)));
    });
    assert!(
        error.starts_with("reshape, ") && error.contains("`sizes` must be sizes of 4 numbers"),
        "{error}"
    );
}

/// Values of one builder in another one: by operators, operations, layers and as an output.
#[test]
fn a_value_of_another_graph_is_an_error() {
    let other = Graph::builder();
    let foreign = other.input("other", [4]);
    let all: [&dyn Fn(&GraphBuilder); 2] = [&|g| g.output("y", foreign), &|g| {
        g.output("x", g.input("x", [4]));
        g.output("y", foreign * 2.0);
    }];
    for make in all {
        let error = text(make);
        assert!(error.contains("a value must be one of this graph, got one of another graph."), "{error}");
    }
}

#[test]
fn what_is_missing_twice_or_never_read_is_an_error() {
    assert!(text(|_| ()).starts_with("the number of outputs must be at least 1, got 0."));
    let error = text(|g| g.output("y", g.param("w", [3], Initializer::Zeros)));
    assert!(error.starts_with("the number of inputs must be at least 1, got 0."), "{error}");
    let error = text(|g| {
        let x = g.input("x", [3]);
        g.output("x", x);
        g.output("w", g.param("w", [3], Initializer::Zeros).exp());
    });
    assert!(error.starts_with("the output \"w\" must depend on an input, got a parameter alone."), "{error}");
    let twice: [&dyn Fn(&GraphBuilder); 3] = [
        &|g| g.output("y", g.input("x", [3]) + g.input("x", [3])),
        &|g| {
            let x = g.input("x", [3]);
            g.output("y", x);
            g.output("y", x * 2.0);
        },
        &|g| {
            let w = || g.param("w", [3], Initializer::Zeros);
            g.output("y", g.input("x", [3]) * w() + w());
        },
    ];
    for (make, what) in twice.iter().zip(["an input", "an output", "a parameter"]) {
        let error = text(make);
        assert!(
            error.starts_with(&format!("the name of {what} must be one that is not taken, got ")),
            "{error}"
        );
    }
    // The full name counts: a parameter "0.weight" beside layer 0.
    let error = text(|g| {
        let x = g.input("x", [3]).layer(Dense::units(3));
        g.output("y", x * g.param("0.weight", [3], Initializer::Zeros));
    });
    assert!(error.contains("\"0.weight\""), "{error}");
    type Make = fn(&GraphBuilder);
    let unread: [(Make, &str); 3] = [
        (
            |g| {
                g.input("z", [3]);
            },
            "the input \"z\"",
        ),
        (
            |g| {
                g.param("w", [3], Initializer::Zeros);
            },
            "the parameter \"w\"",
        ),
        (
            |g| {
                g.input("x2", [3]).layer(Dense::units(2));
            },
            "the input \"x2\"",
        ),
    ];
    for (make, what) in unread {
        let error = text(|g| {
            g.output("y", g.input("x", [3]));
            make(g);
        });
        assert!(error.starts_with(&dead(what)), "{error}");
    }
    let error = text(|g| {
        let x = g.input("x", [3]);
        x.layer(Dense::units(2));
        g.output("y", x);
    });
    assert!(error.starts_with(&dead("layer 0 (dense)")), "{error}");
}

#[test]
fn wrong_inputs_of_a_model_are_errors_with_their_names() {
    let g = Graph::builder();
    let (image, row) = (g.input("image", [2, 2]), g.input("row", [3]));
    g.output("y", image.reshape([4]).concat(&[row], -1).layer(Dense::units(2)));
    let model = g.build().unwrap();
    let infer = |inputs: &mut [Option<plywood::CowTensor<'_>>]| {
        let mut outputs = [None];
        model.infer(inputs, &[false], &mut outputs).unwrap_err().to_string()
    };
    let of = |shape: &[usize]| Some(plywood::CowTensor::from(ArrayD::<f32>::zeros(IxDyn(shape))));
    assert_eq!(
        infer(&mut [of(&[3, 2, 2])]),
        "the graph must get inputs image, row and outputs y, got 1 and 1 of them. Give a tensor for each of the model's \
         `inputs`, and a place for each of its `outputs`."
    );
    assert!(
        infer(&mut [of(&[3, 2, 2]), of(&[3, 4])])
            .starts_with("the input row: the input must have shape [batch, 3]")
    );
    let error = infer(&mut [of(&[3, 2, 2]), of(&[2, 3])]);
    assert!(error.starts_with("the input row must have 3 samples, as the first input, got 2."), "{error}");
    assert!(infer(&mut [None, of(&[2, 3])]).starts_with("the input image must be given, got none."));
    // A batch of none is a batch.
    let mut outputs = [None];
    model.infer(&mut [of(&[0, 2, 2]), of(&[0, 3])], &[false], &mut outputs).unwrap();
    assert_eq!(outputs[0].as_ref().unwrap().shape(), [0, 2]);
}

/// With one parameter after the other frozen: the gradients of the others stay as they are, and a frozen one has none.
#[test]
fn freezing_any_parameter_leaves_the_gradients_of_the_others() {
    let graph = build(|g| {
        let x = g.input("x", [4]);
        let (a, b) =
            (g.param("a", [4, 3], Initializer::GlorotUniform), g.param("b", [3], Initializer::Constant(0.2)));
        let y = (x.matmul(a) + b).tanh().layer(Dense::units(4)).layer(BatchNorm::new());
        let y = (y * g.param("c", [4], Initializer::Constant(1.3))).layer(Dense::units(2)).softmax(-1);
        g.output("y", y.maximum(0.3 + 0.1 * y));
    });
    let inputs = inputs_of(&graph, 6);
    let all = {
        let mut graph = graph.clone();
        passes(&mut graph, &inputs, true);
        gradients_of(&graph)
    };
    let mut frozen_once = 0;
    for (frozen, _) in &all {
        let mut graph = graph.clone();
        if graph.freeze(frozen).is_err() {
            continue; // a buffer
        }
        frozen_once += 1;
        passes(&mut graph, &inputs, true);
        for ((name, gradient), (_, expected)) in gradients_of(&graph).into_iter().zip(&all) {
            let expected = if name == *frozen { None } else { expected.clone() };
            assert_eq!(gradient, expected, "{name} with {frozen} frozen");
        }
    }
    assert_eq!((frozen_once, all.len()), (9, 11), "all but the two buffers");
}

#[test]
fn a_value_that_is_not_finite_is_named_with_its_node() {
    let g = Graph::builder();
    let (a, b) = (g.input("a", [3]), g.input("b", [3]));
    let w = g.param("w", [3], Initializer::Constant(2.0));
    let x = (a * w).layer(Dense::units(3));
    g.output("y", (x + b.sqrt()).tanh().softmax(-1));
    let mut model = g.build().unwrap();
    let ones = || Some(ArrayD::<f32>::ones(vec![2, 3]));
    let find = |model: &Graph, a: f32, b: f32| {
        let mut inputs = [ones().map(|x| x * a), ones().map(|x| x * b)];
        model.find_non_finite(&mut inputs).unwrap()
    };
    assert_eq!(find(&model, 1.0, 1.0), None);
    assert_eq!(find(&model, f32::NAN, 1.0).unwrap(), "the input a");
    assert_eq!(find(&model, 1.0, f32::INFINITY).unwrap(), "the input b");
    assert_eq!(find(&model, 1.0, -1.0).unwrap(), "the output of operation sqrt");
    assert_eq!(find(&model, 3e38, 1.0).unwrap(), "the output of operation multiply");
    model.each_param_mut(&mut |name, param| {
        if name == "0.bias" {
            param.as_slice_mut()[1] = f32::NAN;
        }
    });
    assert_eq!(find(&model, 1.0, 1.0).unwrap(), "the parameter bias of layer 0 (dense)");
    assert_eq!(model.non_finite_parameter().unwrap(), "the parameter bias of layer 0 (dense)");
    model.each_param_mut(&mut |name, param| {
        if name == "w" {
            param.as_slice_mut()[1] = f32::NAN;
        }
    });
    assert_eq!(find(&model, 1.0, 1.0).unwrap(), "the parameter w");
}

fn data() -> ArrayDataset<f32, Vec<usize>> {
    let inputs = Array2::from_shape_fn((60, 6), |(i, j)| ((i * 7 + j * 5) as f32 * 0.7).sin());
    ArrayDataset::new(inputs, (0..60).map(|i| i * 5 % 3).collect::<Vec<_>>()).unwrap()
}

/// A network of operations with a softmax at the end, large enough for several threads. Its input is read twice.
fn network() -> Graph {
    let g = Graph::builder().seed(2);
    let x = g.input("x", [6]);
    let w = g.param("w", [6, 900], Initializer::GlorotUniform);
    let h = (x.matmul(w) + g.param("b", [900], Initializer::Zeros)).tanh().layer(Dropout::rate(0.2));
    let h = h.matmul(g.param("v", [900, 100], Initializer::GlorotUniform));
    let h = (h * h.sigmoid()).concat(&[x.layer(Dense::units(16)).layer(BatchNorm::new())], -1);
    g.output("class", h.layer(Dense::units(3)).softmax(-1));
    g.build().unwrap()
}

fn trainer() -> Trainer<CrossEntropy> {
    Trainer::new(CrossEntropy::default(), Adam::default())
        .epochs(3)
        .batch_size(8)
        .validation_split(0.2)
        .metric(Accuracy::default())
        .progress(Progress::Silent)
}

/// Trained with any number of threads, and resumed from any batch: the same bytes.
#[test]
fn a_graph_is_trained_and_resumed_to_the_same_bytes() {
    let folder = Folder::new("graph");
    let mut model = network();
    let history = trainer().fit(&mut model, &data()).unwrap();
    let bytes = model.to_bytes().unwrap();
    assert_ne!(bytes, network().to_bytes().unwrap());
    for threads in [1, 2, 3] {
        let mut other = network();
        let checkpoints = Checkpoints::in_folder(&folder.0).every_batches(1).keep_last(100);
        let _threads = crate::take_threads(threads);
        let mut trainer = trainer();
        if threads == 2 {
            trainer = trainer.checkpoints(checkpoints);
        }
        let again = trainer.fit(&mut other, &data()).unwrap();
        assert_eq!(other.to_bytes().unwrap(), bytes, "{threads} threads");
        assert_eq!(again.get("val_loss"), history.get("val_loss"));
    }
    let names = folder.names();
    assert!(names.len() > 15, "{names:?}");
    for name in names.iter().step_by(4) {
        let mut resumed = network();
        let mut trainer = trainer();
        trainer.resume(&mut resumed, folder.file(name)).unwrap();
        trainer.fit(&mut resumed, &data()).unwrap();
        assert_eq!(resumed.to_bytes().unwrap(), bytes, "{name}");
        let loaded = plywood::load(folder.file(name)).unwrap();
        assert_eq!(loaded.inputs()[0].name(), "x");
    }
}

/// A graph at the beginning, in the middle and at the end of a row, and a row in a graph; with an activation that the loss
/// leaves out at the end, also inside of a block. All have the bits of the flat row.
#[test]
fn a_graph_in_a_row_and_a_row_in_a_graph_have_the_bits_of_the_row() {
    // The layers draw from the seed's streams by their numbers, so all parameters are copied from one model.
    let flat = Sequential::builder([6])
        .seed(1)
        .layer(Dense::units(8))
        .layer(Tanh)
        .layer(Dense::units(3))
        .layer(Softmax)
        .build()
        .unwrap();
    let first = || {
        let g = Graph::builder();
        g.output("y", g.input("x", [6]).layer(Dense::units(8)).layer(Tanh));
        g.build().unwrap()
    };
    let last = |by_layer: bool| {
        let g = Graph::builder();
        let x = g.input("x", [8]).layer(Dense::units(3));
        g.output("y", if by_layer { x.layer(Softmax) } else { x.softmax(-1) });
        g.build().unwrap()
    };
    let middle = || {
        let g = Graph::builder();
        g.output("y", g.input("x", [8]).tanh());
        g.build().unwrap()
    };
    let dense = |units| Dense::units(units);
    let models: Vec<Box<dyn Model>> = vec![
        Sequential::builder([6]).layer(first()).layer(dense(3)).layer(Softmax).build().unwrap().boxed(),
        Sequential::builder([6]).layer(dense(8)).layer(Tanh).layer(last(true)).build().unwrap().boxed(),
        Sequential::builder([6]).layer(dense(8)).layer(Tanh).layer(last(false)).build().unwrap().boxed(),
        Sequential::builder([6])
            .layer(dense(8))
            .layer(middle())
            .layer(dense(3))
            .layer(Softmax)
            .build()
            .unwrap()
            .boxed(),
        Sequential::builder([6])
            .layer(dense(8))
            .layer(Tanh)
            .layer(Sequential::block().layer(last(true)))
            .build()
            .unwrap()
            .boxed(),
        {
            let g = Graph::builder();
            let x = g.input("x", [6]).layer(first());
            g.output("y", x.layer(Sequential::block().layer(dense(3)).layer(Softmax)));
            g.build().unwrap().boxed()
        },
        {
            let g = Graph::builder();
            g.output("y", g.input("x", [6]).layer(first()).layer(last(false)));
            g.build().unwrap().boxed()
        },
    ];
    let run = |model: &mut dyn Model| {
        let mut values = Vec::new();
        flat.each_param(&mut |_, param| values.push(param.as_slice().to_vec()));
        let mut values = values.into_iter();
        model.each_param_mut(&mut |_, param| param.as_slice_mut().copy_from_slice(&values.next().unwrap()));
        assert_eq!(model.final_activation(0), plywood::nn::OutputActivation::Softmax);
        let history = trainer().fit(model, &data()).unwrap();
        let mut values = Vec::new();
        model.each_param(&mut |_, param| values.push(param.as_slice().to_vec()));
        (history.get("loss"), history.get("val_loss"), values)
    };
    let expected = run(&mut flat.clone());
    for (i, mut model) in models.into_iter().enumerate() {
        assert!(run(&mut *model) == expected, "model {i}: {model}");
    }
}

/// A loss gets logits only from an output that nobody else reads, and that asked for them.
#[test]
fn an_activation_that_somebody_reads_is_left_out_for_the_output() {
    let g = Graph::builder();
    let x = g.input("x", [4]);
    let (alone, twice, read) = (x.softmax(-1), (x * 2.0).layer(Softmax), (x * 3.0).sigmoid());
    g.output("alone", alone);
    g.output("twice", twice);
    g.output("again", twice);
    g.output("read", read);
    g.output("reader", read.sum(-1));
    let model = g.build().unwrap();
    let known = |k| (model.final_activation(k), model.known_values(k));
    use plywood::nn::OutputActivation as Known;
    assert_eq!([known(0), known(1), known(2)], [(Known::Softmax, Known::Softmax); 3]);
    assert_eq!((known(3), known(4)), ((Known::Sigmoid, Known::Sigmoid), (Known::Unknown, Known::Unknown)));
    let x = ArrayD::<f32>::from_shape_fn(vec![2, 4], |i| i[1] as f32);
    let infer = |logits: [bool; 5]| {
        let mut outputs = [const { None }; 5];
        model.infer(&mut [Some(x.view().into())], &logits, &mut outputs).unwrap();
        outputs.map(|output| output.unwrap().into_owned())
    };
    let (plain, logits) = (infer([false; 5]), infer([true; 5]));
    assert_eq!((&logits[0], &logits[1], &logits[2]), (&x, &(&x * 2.0), &(&x * 2.0)));
    assert_eq!((&logits[3], &logits[4]), (&(&x * 3.0), &plain[4]));
    assert_eq!(plain[1], plain[2]);
    let some = infer([false, true, false, true, false]);
    assert_eq!((&some[1], &some[2], &some[4]), (&logits[1], &plain[2], &plain[4]));
    let mut trained = model.clone();
    for logits in [[false; 5], [true; 5], [false, true, false, true, false]] {
        let mut outputs = [const { None }; 5];
        trained.train(&mut [Some(x.clone())], &logits, &mut outputs).unwrap();
        assert_eq!(outputs.map(|output| output.unwrap()), infer(logits));
    }
}

/// A probability that is also read inside has the loss of its logit: 17 for a logit of 17 and class 0, where the logarithm of
/// 1 - p in `f32` is infinite. Its gradient is that of both readers.
#[test]
fn a_probability_that_is_also_read_has_the_loss_of_its_logit() {
    let build = |read: bool| {
        let g = Graph::<f64>::builder_of().seed(4);
        let z = g.input("x", [3]).layer_named("z", Dense::units(1));
        let p = z.sigmoid();
        g.output("sure", p);
        g.output("other", if read { p * 2.0 } else { (z * 1.0).sigmoid() * 2.0 });
        g.build().unwrap()
    };
    let losses = || Losses::of("sure", BinaryCrossEntropy::default()).and("other", MeanSquaredError, 0.5);
    let x = ArrayD::<f64>::from_shape_fn(vec![6, 3], |i| (i[0] * 2 + i[1]) as f64 / 5.0 - 1.0);
    let mut targets = NamedTargets::default();
    targets.set_classes("sure", vec![0, 1, 1, 0, 1, 0]);
    targets.set_numbers("other", x.slice_axis(plywood::ndarray::Axis(1), (..1).into()).to_owned());
    let gradient = |mut model: Graph<f64>| {
        let sum = plywood::train::accumulate(&mut model, &losses(), x.clone(), &targets, None).unwrap();
        let mut optimizer = Optimizer::new(SGD::default()).learning_rate(1.0);
        optimizer.step(&mut model).unwrap();
        let mut weight = None;
        model.each_param(&mut |name, param| {
            if name == "z.weight" {
                weight = Some(param.value().clone());
            }
        });
        (sum.mean(), weight.unwrap())
    };
    let (one, two) = (gradient(build(true)), gradient(build(false)));
    assert!((one.0 - two.0).abs() < 1e-14);
    assert!((one.1 - two.1).iter().all(|d| d.abs() < 1e-13));

    let g = Graph::builder();
    let p = g.input("z", [1]).layer(Sigmoid);
    g.output("sure", p);
    g.output("again", p);
    g.output("other", p.square());
    let model = g.build().unwrap();
    let (z, mut targets) = (ArrayD::<f32>::from_elem(vec![1, 1], 17.0), NamedTargets::default());
    targets.set_classes("sure", vec![0]);
    let losses =
        Losses::of("sure", BinaryCrossEntropy::default()).without_loss("again").without_loss("other");
    let found = plywood::train::accumulate(&mut model.clone(), &losses, z, &targets, None).unwrap();
    assert!((found.mean() - 17.0).abs() < 1e-5, "{}", found.mean());
}

#[test]
fn a_graph_that_only_infers_has_the_same_bits() {
    let model = network();
    let bytes = model.to_bytes().unwrap();
    let registry = InferRegistry::<f32>::empty().with::<Dense>().with::<Dropout>().with::<BatchNorm>();
    let error = registry.from_bytes(&bytes).unwrap_err().to_string();
    assert!(error.contains("Add graphs to the registry: `InferRegistry::empty().graphs()`."), "{error}");
    let infer = registry.clone().graphs().from_bytes(&bytes).unwrap();
    let x = Array2::from_shape_fn((5, 6), |(i, j)| (i * 3 + j) as f32 * 0.1);
    assert_eq!(infer.predict(&x).unwrap(), model.predict(&x).unwrap());
    assert_eq!(infer.to_string(), model.to_string());
    assert_eq!(infer.to_bytes().unwrap(), bytes);
    // As a layer of a row, too.
    let row = Sequential::builder([6]).layer(model).layer(Dense::units(2)).build().unwrap();
    let infer = registry.graphs().from_bytes(&row.to_bytes().unwrap()).unwrap();
    assert_eq!(infer.predict(&x).unwrap(), row.predict(&x).unwrap());
}

#[test]
fn the_summary_says_who_reads_what() {
    let g = Graph::builder();
    let (left, right) = (g.input("left", [4]), g.input("right", [4]));
    let [a, b] = g.shared(Dense::units(3), [left, right]);
    let scale = g.param("scale", [3], Initializer::Constant(1.0));
    g.output("y", ((a * b) * scale).sum(-1));
    let model = g.build().unwrap();
    let expected = "            Node       Reads            Output shape  Parameters
────────────────────────────────────────────────────────────────
left        input                       [4]
right       input                       [4]
0           dense      left             [3]                   15
0           dense      right            [3]
scale       parameter                   [3]                    3
multiply    multiply   0, 0             [3]
multiply_1  multiply   multiply, scale  [3]
sum         sum        multiply_1       []
y           output     sum              []
────────────────────────────────────────────────────────────────
18 parameters, 18 trainable; 72 bytes in f32";
    assert_eq!(model.to_string(), expected, "\n{model}");
}

/// The same parameters for another number of steps, and a graph that depends on the number of steps refuses another one.
#[test]
fn a_graph_for_other_input_shapes() {
    let g = Graph::<f64>::builder_of().seed(3);
    let x = g.input("x", [5, 4]);
    let [q, k] = x.layer(Dense::units(12)).split(-1);
    g.output("y", q.matmul(k.t()).softmax(-1).matmul(x).mean(1));
    let model = g.build().unwrap();
    let longer = model.with_input_shapes(&[("x", &[9, 4])]).unwrap();
    let x = numbers(&[2, 9, 4], 1);
    let g = Graph::<f64>::builder_of().seed(3);
    let again = g.input("x", [9, 4]);
    let [q, k] = again.layer(Dense::units(12)).split(-1);
    g.output("y", q.matmul(k.t()).softmax(-1).matmul(again).mean(1));
    assert_eq!(longer.predict(&x).unwrap(), g.build().unwrap().predict(&x).unwrap());
    check("longer", &longer, 2);
    let error = model.with_input_shapes(&[("z", &[9, 4])]).unwrap_err().to_string();
    assert!(error.starts_with("the name of an input must be one of [\"x\"], once, got z."), "{error}");
    let error = model.with_input_shapes(&[("x", &[9, 5])]).unwrap_err().to_string();
    assert!(error.starts_with("layer 0 (dense): "), "{error}");
}

/// What reads one input and one output refuses a model of several before the first step.
#[test]
fn a_model_of_two_inputs_is_refused_where_one_is_read() {
    let g = Graph::builder();
    let (a, b) = (g.input("a", [6]), g.input("b", [6]));
    let x = (a + b).layer(Dense::units(3));
    g.output("class", x.softmax(-1));
    g.output("size", x.sum(-1));
    let mut model = g.build().unwrap();
    let before = model.to_bytes().unwrap();
    let expected = "the inputs of the data must be those of the model: a, b, got one without a name. Name them: by \
                    `Arrays`, or `InputShapes::Named` of a source of one's own.";
    let error = trainer().fit(&mut model, &data()).unwrap_err().to_string();
    assert_eq!(error, format!("fit: {expected}"));
    assert_eq!(model.to_bytes().unwrap(), before);
    let error = model.predict(&Array2::<f32>::zeros((2, 6))).unwrap_err().to_string();
    let several = "the model must have one input, got inputs a, b and outputs class, size. Give each by its name: \
                   `predict_named(Inputs::of(\"a\", …).and(\"b\", …))`.";
    assert_eq!(error, format!("predict: {several}"));
    let error = trainer().evaluate(&model, &data()).unwrap_err().to_string();
    let losses = "the model must have one output for CrossEntropy, got inputs a, b and outputs class, size. Give each \
                  output its loss: `Losses::of(\"class\", …).and(…)`.";
    assert_eq!(error, format!("evaluate: {losses}"));
    let x = ArrayD::zeros(vec![2, 6]);
    let error = trainer().step(&mut model, x, &[0, 1][..], None).unwrap_err().to_string();
    assert_eq!(error, format!("step: {losses}"));
}

#[test]
fn wrong_calls_of_a_backward_pass_are_errors() {
    let mut model = network();
    let x = || [Some(ArrayD::<f32>::ones(vec![2, 6]))];
    let mut y = [None];
    let cache = model.train(&mut x(), &[false], &mut y).unwrap();
    let error = model.learn(cache, &mut [None, None]).unwrap_err().to_string();
    assert!(error.starts_with("the number of gradients must be 1, one for each output, got 2."), "{error}");
    let cache = model.train(&mut x(), &[false], &mut y).unwrap();
    let error = model.input_gradients(cache, &mut y.clone(), &mut [None]).unwrap_err().to_string();
    assert!(
        error.starts_with("the cache for `input_gradients` must be made by `eval`, got one of `train`."),
        "{error}"
    );
    let cache = network().with_input_shapes(&[]).unwrap().train(&mut x(), &[false], &mut y).unwrap();
    let error = model.learn(cache, &mut y.clone()).unwrap_err().to_string();
    assert!(error.starts_with("the cache must be that of this model's last forward pass"), "{error}");
    let cache = model.clone().train(&mut x(), &[false], &mut y).unwrap();
    assert!(model.learn(cache, &mut y.clone()).is_ok(), "a copy has the same plan");
    let g = Graph::builder();
    g.output("y", g.input("x", [6]).layer(Dense::units(3)));
    let mut other = g.build().unwrap();
    let cache = other.train(&mut x(), &[false], &mut y).unwrap();
    let error = model.learn(cache, &mut y.clone()).unwrap_err().to_string();
    assert!(error.starts_with("the cache must be that of this model's last forward pass"), "{error}");
    let error = text(|g| g.output("y", g.input("x", [3]) * g.param("w", [3], Initializer::Zeros).sum(1)));
    assert!(error.contains("`axis` must be an axis of [3], got 1. It has no batch axis"), "{error}");
    let error = text(|g| g.output("y", g.input("x", [3]).slice(-1, 3usize..)));
    assert!(
        error.starts_with("slice, ") && error.contains("within the 3 positions of axis -1, and not empty"),
        "{error}"
    );
}

/// The backward pass of a layer in front of the first trained parameter is not run.
#[test]
fn what_is_frozen_costs_no_backward_pass() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct Counted;
    impl Layer for Counted {
        const KIND: Kind = Kind::own("tests.counted");
        type Cache = ();
        fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
            Ok(input.to_vec())
        }
        fn forward(&self, input: Tensor) -> Result<Tensor> {
            Ok(input)
        }
        fn forward_train(&mut self, input: Tensor) -> Result<(Tensor, ())> {
            Ok((input, ()))
        }
        fn backward(&mut self, (): (), grad: Tensor) -> Result<Tensor> {
            CALLS.fetch_add(1, Ordering::Relaxed);
            Ok(grad)
        }
    }
    let g = Graph::builder();
    let x = g.input("x", [6]).layer(Counted).layer(Dense::units(6)).layer(Counted);
    g.output("y", x.matmul(g.param("w", [6, 3], Initializer::GlorotUniform)).layer(Counted));
    let mut model = g.build().unwrap();
    let calls = |model: &mut Graph| {
        let mut y = [None];
        CALLS.store(0, Ordering::Relaxed);
        let cache = model.train(&mut [Some(ArrayD::ones(vec![2, 6]))], &[false], &mut y).unwrap();
        model.learn(cache, &mut y).unwrap();
        CALLS.load(Ordering::Relaxed)
    };
    assert_eq!(calls(&mut model), 2, "not the one in front of the first parameter");
    model.freeze("1").unwrap();
    assert_eq!(calls(&mut model), 1);
    model.freeze("").unwrap();
    assert_eq!(calls(&mut model), 0);
    model.unfreeze("1").unwrap();
    assert_eq!(calls(&mut model), 2);
}

/// `a - 2c + 3d`, where `b` between them may be left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Mixed;

impl<F: Scalar> Layer<F> for Mixed {
    const KIND: Kind = Kind::own("tests.mixed");
    type Cache = ();
    fn ports(&self) -> Ports {
        Ports::new(&["a"], &["output"]).optional(&["b", "c", "d"])
    }
    fn output_shapes(&self, inputs: &[Option<&[usize]>]) -> Result<Vec<Vec<usize>>> {
        Layer::<F>::ports(self).check(inputs)?;
        Ok(inputs.iter().take(1).flatten().map(|shape| shape.to_vec()).collect())
    }
    fn forward_ports(&self, io: &mut Io<'_, F>) -> Result<()> {
        let sum = [(2, -2.0), (3, 3.0)].into_iter().fold(io.take(0)?, |sum, (port, factor)| {
            io.view(port).map_or(sum.clone(), |x| &sum + &x.mapv(|x| x * F::of(factor)))
        });
        io.put(0, sum)
    }
    fn forward_train_ports(&mut self, io: &mut Io<'_, F>) -> Result<()> {
        self.forward_ports(io)
    }
    fn backward_ports(&mut self, (): (), gradients: &mut plywood::nn::PortGradients<'_, F>) -> Result<()> {
        let Some(grad) = gradients.take(0) else { return Ok(()) };
        for (port, factor) in [(0, 1.0), (2, -2.0), (3, 3.0)].into_iter().filter(|(port, _)| *port != 1) {
            if gradients.wants(port) {
                gradients.put(port, grad.mapv(|g| g * F::of(factor)))?;
            }
        }
        Ok(())
    }
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        first_output_shape::<F, _>(self, input)
    }
    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        first_output(self, input)
    }
    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, ())> {
        first_output_train(self, input, true)
    }
    fn backward(&mut self, (): (), grad: Tensor<F>) -> Result<Tensor<F>> {
        Ok(grad)
    }
}

/// An input that is left out in the middle does not shift who reads the others last.
#[test]
fn inputs_behind_one_that_is_left_out_keep_their_values() {
    let graph = build(|g| {
        let x = g.input("x", [4]).layer(Dense::units(4));
        let (c, d) = (x.layer(Tanh), x.layer(Sigmoid));
        let [mixed] = x.call(Mixed, [("c", c), ("d", d)]);
        g.output("y", mixed * d + d.exp());
    });
    let inputs = inputs_of(&graph, 3);
    let mut views = [Some(inputs[0].view().into())];
    let mut inferred = [None];
    graph.infer(&mut views, &[false], &mut inferred).unwrap();
    let mut trained = [None];
    graph.clone().train(&mut [Some(inputs[0].clone())], &[false], &mut trained).unwrap();
    let expected = {
        let g = Graph::<f64>::builder_of().seed(8);
        let x = g.input("x", [4]).layer(Dense::units(4));
        let (c, d) = (x.layer(Tanh), x.layer(Sigmoid));
        g.output("y", (x - 2.0 * c + 3.0 * d) * d + d.exp());
        g.build().unwrap().predict(&inputs[0]).unwrap()
    };
    let near = |found: &ArrayD<f64>| (found - &expected).iter().all(|d| d.abs() < 1e-12);
    assert!(near(&inferred[0].take().unwrap().into_owned()) && near(&trained[0].take().unwrap()));
}

/// A parameter that was replaced by one of another shape: as many numbers, fewer, more.
#[test]
fn a_parameter_of_another_shape_is_an_error() {
    let g = Graph::builder();
    let (x, ids) = (g.input("x", [3]), g.input("ids", [1]));
    let table = g.param("table", [3, 2], Initializer::Constant(1.0));
    g.output("y", x.matmul(table) + table.gather(ids).sum(1));
    let model = g.build().unwrap();
    for shape in [[2, 3], [3, 5], [2, 2], [3, 1]] {
        let mut other = model.clone();
        other.each_param_mut(&mut |_, param| *param = Param::new(Array2::ones(shape)));
        let x = || ArrayD::<f32>::ones(vec![2, 3]);
        let ids = || ArrayD::<f32>::zeros(vec![2, 1]);
        let expected = format!("the parameter \"table\" must have shape [3, 2], got {shape:?}.");
        let infer = other.infer(&mut [Some(x().into()), Some(ids().into())], &[false], &mut [None]);
        let train = other.train(&mut [Some(x()), Some(ids())], &[false], &mut [None]).map(drop);
        for error in [infer.unwrap_err(), train.unwrap_err()] {
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
        let mut trained = model.clone();
        let cache = trained.train(&mut [Some(x()), Some(ids())], &[false], &mut [None]).unwrap();
        trained.each_param_mut(&mut |_, param| *param = Param::new(Array2::ones(shape)));
        let grad = ArrayD::ones(vec![2, 2]);
        let error = trained.learn(cache, &mut [Some(grad)]).unwrap_err().to_string();
        assert!(error.starts_with(&expected), "{error}");
    }
}

/// Division by a number is a division, in all directions, and integers are numbers.
#[test]
fn numbers_on_either_side_are_those_that_were_written() {
    let g = Graph::builder();
    let x = g.input("x", [1000]);
    g.output("divided", x / 7.0);
    g.output("integers", (2 * x + 1 - x) / 3 - 4 + 6 / (x + 1) * 5);
    g.output("small", x / 1e-38);
    let model = g.build().unwrap();
    let x = ArrayD::from_shape_fn(vec![1, 1000], |at| at[1] as f32 * 0.37);
    let mut outputs = [None, None, None];
    model.infer(&mut [Some(x.view().into())], &[false; 3], &mut outputs).unwrap();
    let [divided, integers, small] = outputs.map(Option::unwrap);
    for (i, &x) in x.iter().enumerate() {
        assert_eq!(divided[[0, i]], x / 7.0);
        assert_eq!(integers[[0, i]], (x * 2.0 + 1.0 - x) / 3.0 - 4.0 + 6.0 / (x + 1.0) * 5.0);
        assert_eq!(small[[0, i]], x / 1e-38);
    }
    for bad in [1e39, -1e300, f64::NAN] {
        let error = text(|g| g.output("y", g.input("x", [3]) * bad));
        assert!(
            error.contains("the number of multiply_number must be a number that f32 holds, got"),
            "{error}"
        );
    }
    let error = text(|g| g.output("y", g.input("x", [3]) / 1e-60));
    assert!(error.contains("the number of divide_by must be a number that is not 0 in f32, got"), "{error}");
    let error = text(|g| g.output("y", g.input("x", [3]) * g.constant(plywood::ndarray::arr0(f32::NAN))));
    assert!(error.starts_with("constant, ") && error.contains("the array must have no NaN"), "{error}");
    let g = Graph::<f64>::builder_of();
    g.output("y", (g.input("x", [3]) * 1e39).clip(0.0, f64::INFINITY));
    assert!(g.build().is_ok());
}

/// The line of the user, whatever adds a layer; and the name of the method that was called.
#[test]
fn errors_of_layers_and_parts_name_the_line_and_the_method() {
    let here = |error: &str, place: &str, line: u32| {
        let expected = format!("{place}, tests/library/graph_models.rs:{line}: ");
        assert!(error.starts_with(&expected), "{expected} {error}");
    };
    let dense = || Dense::units(2).build(&[3], &Random::seed(1)).unwrap() as Dense;
    let (line, error) = (line!(), text(|g| g.output("y", g.input("x", [4]).layer(dense()))));
    here(&error, "layer 0 (dense)", line);
    let (line, error) = (line!(), text(|g| g.output("y", g.input("x", [4]).layer_named("a", dense()))));
    here(&error, "layer a (dense)", line);
    let error = text(|g| {
        let [_, y] = g.shared(Dense::units(2), [g.input("a", [3]), g.input("b", [4])]);
        g.output("y", y);
    });
    here(&error, "layer 0 (dense)", line!() - 3);
    let error = text(|g| {
        let [y] = g.input("a", [4, 4]).call(Recurrent32(3), [("state", g.input("b", [4]))]);
        g.output("y", y);
    });
    here(&error, "layer 0 (tests.recurrent)", line!() - 3);
    let (line, error) = (line!(), text(|g| g.output("y", g.input("x", [4, 3]).index_axis(1, 4))));
    here(&error, "index_axis", line);
    assert!(error.contains("the position must be one of the 4 positions of axis 1, got 4."), "{error}");
    let (line, error) = (line!(), text(|g| g.output("y", g.input("x", [4, 3]).split::<2>(-1)[0])));
    here(&error, "split", line);
    let (line, error) = (line!(), text(|g| g.output("y", g.input("x", [4]).t())));
    here(&error, "t", line);
    let error = text(|g| {
        let [y] = g.input("x", [4]).call(Dense::units(2), [("b", g.input("b", [4]))]);
        g.output("y", y);
    });
    assert!(
        error.contains("the name of an input must be left out, as the layer has one input, got b."),
        "{error}"
    );
}

struct Recurrent32(usize);

impl LayerSpec for Recurrent32 {
    type Layer = Recurrent;
    fn build(self, input: &[usize], random: &Random) -> Result<Recurrent> {
        RecurrentSpec(self.0).build(input, random)
    }
}

/// Names that are empty, would break a table up, or are taken.
#[test]
fn names_are_checked_where_they_are_given() {
    let x = |g: &GraphBuilder, name: &str| g.output("y", g.input(name, [2]));
    for bad in ["", "a\nb", "\u{1b}[31m"] {
        let error = text(|g| x(g, bad));
        assert!(error.starts_with("input, tests/library/graph_models.rs:"), "{error}");
        assert!(
            error.contains("must be one or more characters, none of them a control character, got"),
            "{error}"
        );
        let error = text(|g| g.output(bad, g.input("x", [2])));
        assert!(error.starts_with("output, tests/library/graph_models.rs:"), "{error}");
        let error = text(|g| g.output("y", g.input("x", [2]).layer_named(bad, ReLU)));
        assert!(error.contains("the name of a layer"), "{error}");
        let error = text(|g| g.output("y", g.input("x", [2]) * g.param(bad, [2], Initializer::Zeros)));
        assert!(error.starts_with("param, tests/library/graph_models.rs:"), "{error}");
    }
    let error = text(|g| g.output("y", g.input("x", [6]).layer_named("1", ReLU).layer(Dense::units(6))));
    assert!(error.contains("layer 1 (dense), ") && error.contains("that is not taken, got \"1\""), "{error}");
    let error = text(|g| g.output("y", g.input("x", [6]).layer_named("a", ReLU).layer_named("a", Tanh)));
    assert!(error.contains("A layer without one is named by its number, from 0."), "{error}");
}

/// Other shapes: a name twice, another number of axes.
#[test]
fn wrong_other_shapes_are_errors() {
    let g = Graph::builder();
    g.output("y", g.input("x", [6, 4]).mean(1));
    let model = g.build().unwrap();
    let text = |shapes: &[(&str, &[usize])]| model.with_input_shapes(shapes).unwrap_err().to_string();
    assert!(text(&[("x", &[5, 4]), ("x", &[7, 4])]).contains("must be one of [\"x\"], once, got x"));
    assert!(text(&[("x", &[4])]).contains("the input x must have shape with 2 axes, as in [6, 4], got [4]"));
    assert!(text(&[("z", &[4])]).contains("must be one of [\"x\"], once, got z"));
}

/// What trains one output says that it got several, before it does anything.
#[test]
fn several_outputs_are_refused_wherever_one_is_trained() {
    let g = Graph::builder();
    let x = g.input("x", [3]);
    g.output("a", x.layer(Dense::units(2)));
    g.output("b", x.layer(Dense::units(1)));
    let mut model = g.build().unwrap();
    let x = || ArrayD::<f32>::ones(vec![4, 3]);
    let target = ArrayD::<f32>::zeros(vec![4, 2]);
    let errors = [
        plywood::train::accumulate(&mut model, &MeanSquaredError, x(), &target, None).map(drop).unwrap_err(),
        plywood::train::input_gradient(&model, &MeanSquaredError, x(), &target).map(drop).unwrap_err(),
    ];
    for error in errors {
        assert!(
            error.to_string().contains(
                "the model must have one output for MeanSquaredError, got inputs x and outputs a, b."
            ),
            "{error}"
        );
    }
}

/// A graph of two inputs and two outputs in a loop of one's own: saved in the middle of an epoch, loaded and gone on with,
/// it has the same bytes as without a break, whatever the number of threads. A frozen layer, dropout and running statistics
/// among it, gradients of two batches to a step.
#[test]
fn two_outputs_are_gone_on_with_in_mid_epoch_to_the_same_bytes() {
    use plywood::losses::Loss;
    let build = || {
        let g = Graph::builder().seed(6);
        let (image, row) = (g.input("image", [1, 6, 6]), g.input("row", [3]));
        let x = image.layer(Conv2d::filters(4, 3)).layer(BatchNorm::new()).layer(ReLU).layer(Flatten);
        let x = x.concat(&[row], -1).layer(Dense::units(12)).tanh().layer(Dropout::rate(0.3));
        g.output("class", x.layer(Dense::units(3)).softmax(-1));
        g.output("size", x.layer(Dense::units(1)) * g.param("scale", [1], Initializer::Constant(1.5)));
        let mut model = g.build().unwrap();
        model.freeze("0").unwrap();
        model
    };
    let optimizer = || Optimizer::new(AdamW::default()).learning_rate(0.01).batches_per_step(2);
    let data = |batch: usize, axes: &[usize]| numbers(&[&[8], axes].concat(), batch).mapv(|x| x as f32);
    let step = |model: &mut Graph, optimizer: &mut Optimizer, batch: usize| {
        let inputs = [Some(data(batch, &[1, 6, 6])), Some(data(batch + 50, &[3]))];
        let mut outputs = [None, None];
        let cache = model.train(&mut { inputs }, &[true, false], &mut outputs).unwrap();
        let [class, size] = outputs.map(Option::unwrap);
        let labels: Vec<usize> = (0..8).map(|i| (i * batch) % 3).collect();
        let (_, dc) = CrossEntropy::default().value_and_grad_logits(class, &labels[..], None, 8.0).unwrap();
        let (_, ds) = MeanSquaredError.value_and_grad(size, &data(batch, &[1]), None, 8.0).unwrap();
        model.learn(cache, &mut [Some(dc), Some(ds)]).unwrap();
        optimizer.step(model).unwrap();
    };
    let run = |break_at: Option<usize>| {
        let (mut model, mut own) = (build(), optimizer());
        for batch in 0..17 {
            if break_at == Some(batch) {
                let state: plywood::io::State = {
                    let json = serde_json::to_string(&own.state(&model)).unwrap();
                    serde_json::from_str(&json).unwrap()
                };
                let bytes = model.to_bytes().unwrap();
                model = Graph::of_model(Registry::builtin().from_bytes(&bytes).unwrap()).unwrap();
                own = optimizer();
                own.load_state(&mut model, state).unwrap();
            }
            step(&mut model, &mut own, batch);
        }
        assert_ne!(model.to_bytes().unwrap(), build().to_bytes().unwrap());
        model.to_bytes().unwrap()
    };
    let whole = {
        let _threads = crate::take_threads(1);
        run(None)
    };
    for (threads, break_at) in [(1, Some(7)), (2, Some(8)), (3, Some(1)), (3, None)] {
        let _threads = crate::take_threads(threads);
        assert_eq!(run(break_at), whole, "{threads} threads, a break at {break_at:?}");
    }
}
