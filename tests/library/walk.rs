//! A model as a list of nodes; rows as graphs, graphs without containers, graphs up to inner values, graphs in graphs.

use plywood::ndarray::{ArrayD, IxDyn};
use plywood::nn::{Average, BoxedLayer, Graph, GraphBuilder, ModelCache, Node, Part, Role, Wiring};
use plywood::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

type Builder = plywood::nn::SequentialBuilder<f32>;

fn dense(units: usize) -> Builder {
    Sequential::block().layer(Dense::units(units))
}

/// A container of another crate, `y = body(x)`, that says what it is, or not.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Custom {
    body: Sequential,
    says: bool,
}

struct CustomSpec(Builder, bool);

impl LayerSpec for CustomSpec {
    type Layer = Custom;
    fn build(self, input: &[usize], random: &Random) -> Result<Custom> {
        Ok(Custom { body: self.0.build_for(input, &random.child("body"))?, says: self.1 })
    }
}

impl Layer for Custom {
    const KIND: Kind = Kind::own("test.custom");
    type Cache = ModelCache;
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Layer::output_shape(&self.body, input)
    }
    fn forward(&self, input: Tensor) -> Result<Tensor> {
        self.body.forward(input)
    }
    fn forward_train(&mut self, input: Tensor) -> Result<(Tensor, ModelCache)> {
        self.body.forward_train(input)
    }
    fn backward(&mut self, cache: ModelCache, grad: Tensor) -> Result<Tensor> {
        self.body.backward(cache, grad)
    }
    fn parts(&self, input: &[usize]) -> Vec<Part<'_>> {
        vec![Part::new("body", input[..1].to_vec(), &self.body)]
    }
    fn wiring(&self) -> Wiring {
        if self.says { Wiring::Row } else { Wiring::Unsaid }
    }
    fn boxed_parts(&self) -> Vec<BoxedLayer> {
        vec![BoxedLayer::new(self.body.clone())]
    }
    fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param)) {
        self.body.visit_params(&mut |name, param| visit(&format!("body.{name}"), param));
    }
    fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param)) {
        self.body.visit_params_mut(&mut |name, param| visit(&format!("body.{name}"), param));
    }
}

/// Rows of many kinds of layers, with three classes.
fn rows() -> Vec<(&'static str, Sequential)> {
    let end = |builder: Builder| builder.seed(5).layer(Dense::units(3)).layer(Softmax).build().unwrap();
    let scaled = || {
        Graph::layer("scaled", |g, x| {
            let scale = g.param("scale", [x.size(-1)], Initializer::Constant(0.7));
            (x * scale).layer(Dense::units(5)).tanh() + g.constant(plywood::ndarray::arr0(0.1))
        })
    };
    let deep = Sequential::block().layer(Residual::around(dense(6).layer(ReLU))).layer(Dropout::rate(0.2));
    let image =
        Sequential::builder([1, 8, 8]).layer(Conv2d::filters(4, 3)).layer(BatchNorm::new()).layer(ReLU);
    let image = image.layer(MaxPool2d::window(2)).layer(Dropout2d::rate(0.2));
    let block = Sequential::block().layer(Conv2d::filters(4, 3).padding(1)).layer(BatchNorm::new());
    let words = || Sequential::builder([7]).layer(Embedding::vocabulary(30, 6).padding(0));
    let row = || Sequential::builder([6]);
    let wider = Residual::around(dense(8).layer(Tanh)).projection(dense(8));
    vec![
        ("dense", end(Sequential::builder([2, 3]).layer(Flatten).layer(Dense::units(8)).layer(ReLU))),
        (
            "dropout",
            end(row().layer(Dropout::rate(0.3)).layer(Dense::units(8)).layer(GaussianNoise::std_dev(0.1))),
        ),
        (
            "norms",
            end(row()
                .layer(LayerNorm::new())
                .layer(Dense::units(8))
                .layer(BatchNorm::new())
                .layer(GELU::default())),
        ),
        ("image", end(image.layer(Residual::around(block)).layer(GlobalAvgPool))),
        ("residual", end(row().layer(Residual::around(dense(6).layer(ReLU))).layer(wider))),
        ("concat", end(row().layer(Concat::of([Sequential::block(), dense(4).layer(Tanh)])))),
        ("add", end(row().layer(Add::of([dense(4), dense(4).layer(ReLU), dense(4).layer(Tanh)])))),
        ("product", end(row().layer(Product::of([Sequential::block(), dense(6).layer(Sigmoid), dense(1)])))),
        ("maximum", end(row().layer(Maximum::of([dense(4), dense(4).layer(Tanh)])))),
        ("average", end(row().layer(Average::of([dense(4), dense(4).layer(Tanh), dense(4)])))),
        ("nested", end(row().layer(deep).layer(Sequential::block()).layer(Add::of([dense(4)])))),
        ("graph", end(row().layer(scaled()).layer(Residual::around(Sequential::block().layer(scaled()))))),
        ("custom", end(row().layer(CustomSpec(dense(4).layer(Dropout::rate(0.1)), true)))),
        ("silent", end(row().layer(CustomSpec(dense(4).layer(ReLU), false)))),
        ("words", end(words().layer(Dense::units(5)).layer(GELU::default()).layer(PoolSteps::mean()))),
        (
            "words in a block",
            end(Sequential::builder([7])
                .layer(Sequential::block().layer(Embedding::vocabulary(30, 6).padding(0)))
                .layer(Residual::around(dense(6).layer(Tanh)))
                .layer(Sequential::block().layer(PoolSteps::max()))),
        ),
        ("words without lengths", end(words().layer(WithoutLengths).layer(Flatten))),
    ]
}

/// 24 samples; those of words are ids with padding at the end.
fn data(name: &str, shape: &[usize]) -> (ArrayD<f32>, Vec<usize>) {
    let mut i = 0;
    let x = ArrayD::from_shape_simple_fn(IxDyn(&[&[24], shape].concat()), || {
        i += 1;
        if name.starts_with("words") {
            let (step, sample) = ((i - 1) % 7, (i - 1) / 7);
            return if step > sample % 7 { 0.0 } else { (1 + i * 13 % 29) as f32 };
        }
        ((i * 37) as f32 * 0.613).sin()
    });
    (x, (0..24).map(|i| i * 7 % 3).collect())
}

/// Three epochs; the values of the history.
fn trained(model: &mut dyn Model, x: &ArrayD<f32>, labels: &[usize]) -> Vec<u64> {
    let data = ArrayDataset::new(x.clone(), labels.to_vec()).unwrap();
    let trainer = Trainer::new(CrossEntropy::default(), Adam::default()).epochs(3).batch_size(8).seed(2);
    let history = trainer.progress(Progress::Silent).fit(model, &data).unwrap();
    history.get("loss").iter().map(|loss| loss.to_bits()).collect()
}

/// All parameters in order: name, kind and bits.
fn parameters(model: &dyn Model) -> Vec<(String, String, Vec<u32>)> {
    let mut all = Vec::new();
    model.each_param(&mut |name, param| {
        let bits = param.as_slice().iter().map(|x| x.to_bits()).collect();
        all.push((name.to_owned(), format!("{:?}", param.kind()), bits));
    });
    all
}

/// The names, kinds, shapes and counts of a list, in the order of names.
fn facts(nodes: &[Node]) -> Vec<String> {
    let fact = |node: &Node| {
        let counts = (node.parameter_count(), node.trainable_count(), node.is_repeated());
        format!(
            "{} {:?} {} {:?} {counts:?} {}",
            node.name(),
            node.role(),
            node.kind(),
            node.shape(),
            node.reads().count()
        )
    };
    let mut all: Vec<_> = nodes.iter().map(fact).collect();
    all.sort();
    all
}

#[test]
fn a_row_as_a_graph_has_the_same_bits_in_inference_and_in_three_epochs_of_training() {
    for (name, mut row) in rows() {
        if name == "residual" {
            row.freeze("0.block").unwrap();
        }
        let (x, labels) = data(name, row.input_shape());
        let mut graph = Graph::try_from(row.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(parameters(&graph), parameters(&row), "{name}");
        assert_eq!(graph.predict(&x).unwrap(), row.predict(&x).unwrap(), "{name}");
        // A trained state goes along.
        trained(&mut row, &x, &labels);
        let mut other = Graph::try_from(row.clone()).unwrap();
        assert_eq!(trained(&mut graph, &x, &labels).len(), 3);
        assert_eq!(parameters(&graph), parameters(&row), "{name}");
        assert_eq!(trained(&mut other, &x, &labels), trained(&mut row, &x, &labels), "{name}");
        assert_eq!(parameters(&other), parameters(&row), "{name}");
        assert_eq!(other.predict(&x).unwrap(), row.predict(&x).unwrap(), "{name}");
    }
}

#[test]
fn an_expanded_graph_has_the_same_bits_and_the_same_names() {
    for (name, mut row) in rows() {
        let (x, labels) = data(name, row.input_shape());
        row.freeze("").unwrap();
        row.unfreeze("").unwrap();
        let mut flat = Graph::try_from(row.clone())
            .unwrap()
            .expanded()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let ordered = |model: &dyn Model| {
            let all = parameters(model).into_iter().map(|(name, kind, bits)| (name, (kind, bits)));
            all.collect::<BTreeMap<_, _>>()
        };
        assert_eq!(ordered(&flat), ordered(&row), "{name}");
        assert_eq!(flat.predict(&x).unwrap(), row.predict(&x).unwrap(), "{name}");
        assert_eq!(trained(&mut flat, &x, &labels), trained(&mut row, &x, &labels), "{name}");
        assert_eq!(ordered(&flat), ordered(&row), "{name}");
        // Without containers, but for the one that does not say what it is.
        let inside = flat.nodes().iter().filter(|node| !node.parts().is_empty()).count();
        assert_eq!(inside, usize::from(name == "silent"), "{name}");
        if !name.starts_with("words") {
            assert_eq!(facts(&Node::expand(&row.nodes())), facts(&flat.nodes()), "{name}");
        }
        let text = flat.to_string();
        assert_eq!(flat.expanded().unwrap().to_string(), text, "{name}");
        let loaded =
            Registry::<f32>::builtin().with::<Custom>().from_bytes(&flat.to_bytes().unwrap()).unwrap();
        assert_eq!(loaded.to_string(), text, "{name}");
        assert_eq!(loaded.predict(&x).unwrap(), flat.predict(&x).unwrap(), "{name}");
    }
}

#[test]
fn a_list_says_what_reads_what_and_what_is_inside() {
    let g = Graph::builder().seed(1);
    let (a, b) = (g.input("a", [4]), g.input("b", [4]));
    let [x, y] = g.shared(Residual::around(dense(4)), [a, b]);
    let w = g.param_of("w", Param::buffer(plywood::ndarray::arr1(&[1.0f32; 4])));
    g.output("sum", x + y * w);
    let model = g.build().unwrap();
    let nodes = model.nodes();
    let short = |nodes: &[Node]| -> Vec<String> {
        let line = |node: &Node| {
            let reads: Vec<_> = node.reads().map(|(node, output)| format!("{node}.{output}")).collect();
            format!(
                "{:?} {} {} [{}] {}",
                node.role(),
                node.name(),
                node.kind(),
                reads.join(" "),
                node.parameter_count()
            )
        };
        nodes.iter().map(line).collect()
    };
    assert_eq!(
        short(&nodes),
        [
            "Input a input [] 0",
            "Input b input [] 0",
            "Layer 0 residual [0.0] 20",
            "Layer 0 residual [1.0] 0",
            "Parameter w parameter [] 4",
            "Operation multiply multiply [3.0 4.0] 0",
            "Operation add add [2.0 5.0] 0",
            "Output sum output [6.0] 0",
        ]
    );
    assert!(nodes[3].is_repeated() && !nodes[2].is_repeated());
    assert_eq!((nodes[4].trainable_count(), nodes[4].frozen_count()), (0, 0));
    assert_eq!(
        short(nodes[2].parts()),
        [
            "Input input input [] 0",
            "Layer block sequential [0.0] 20",
            "Operation add add [1.0 0.0] 0",
            "Output output output [2.0] 0"
        ]
    );
    let flat = model.expanded().unwrap();
    assert_eq!(facts(&Node::expand(&nodes)), facts(&flat.nodes()));
    assert_eq!(flat.parameter_count(), model.parameter_count());
    // Boxed and shared models have lists, too.
    let boxed: Box<dyn Model> = model.boxed();
    assert_eq!(boxed.nodes(), nodes);
    assert_eq!(boxed.as_infer().nodes(), nodes);
    assert!(nodes.iter().all(|node| node.role() != Role::Constant));
}

/// Two inputs, a layer that is applied twice, an inner parameter, two outputs.
fn towers() -> Graph {
    let g = Graph::builder().seed(4);
    let (user, item) = (g.input("user", [1]), g.input("item", [1]));
    let u = user.layer_named("user_table", Embedding::vocabulary(20, 6)).layer(Flatten);
    let i = item.layer_named("item_table", Embedding::vocabulary(20, 6)).layer(Flatten);
    let [u, i] = g.shared(Dense::units(5), [u, i]);
    let scale = g.param("scale", [5], Initializer::Constant(0.5));
    let both = (u * i * scale).layer_named("joined", Dense::units(4));
    g.output("liked", both.layer(Dense::units(1)).sigmoid());
    g.output("distance", (u - i).square().sum(-1));
    g.build().unwrap()
}

fn ids(step: usize) -> ArrayD<f32> {
    ArrayD::from_shape_fn(vec![10, 1], |at| (at[0] * step % 20) as f32)
}

fn infer(model: &Graph, inputs: &[&ArrayD<f32>]) -> Vec<ArrayD<f32>> {
    let mut inputs: Vec<_> = inputs.iter().map(|x| Some(x.view().into())).collect();
    let count = model.outputs().len();
    let mut outputs: Vec<_> = (0..count).map(|_| None).collect();
    model.infer(&mut inputs, &vec![false; count], &mut outputs).unwrap();
    outputs.into_iter().map(|y| y.unwrap().into_owned()).collect()
}

fn names_of(model: &Graph) -> Vec<String> {
    parameters(model).into_iter().map(|(name, ..)| name).collect()
}

#[test]
fn a_graph_up_to_inner_values_has_only_what_they_need() {
    let mut model = towers();
    model.freeze("user_table").unwrap();
    let (users, items) = (ids(3), ids(7));
    let whole = infer(&model, &[&users, &items]);

    let cut = model.with_outputs(&[("features", "joined"), ("match", "liked")]).unwrap();
    let found = infer(&cut, &[&users, &items]);
    assert_eq!((found[1].clone(), found[0].shape()), (whole[0].clone(), &[10, 4][..]));
    assert_eq!(cut.outputs().iter().map(plywood::nn::Port::name).collect::<Vec<_>>(), ["features", "match"]);
    assert_eq!(parameters(&cut), parameters(&model));

    // One tower: one input, and what it reads; what was frozen stays so.
    let tower = model.with_outputs(&[("user", "user_table")]).unwrap();
    assert_eq!(tower.inputs().len(), 1);
    assert_eq!(names_of(&tower), ["user_table.weight"]);
    assert_eq!(parameters(&tower)[0].1, "Frozen");
    let loaded = Graph::of_model(Registry::<f32>::builtin().from_bytes(&tower.to_bytes().unwrap()).unwrap());
    assert_eq!(infer(&loaded.unwrap(), &[&users]), infer(&tower, &[&users]));

    // Operations, an output that the graph has, an input.
    let all =
        model.with_outputs(&[("a", "distance"), ("b", "square"), ("c", "subtract"), ("d", "user")]).unwrap();
    let found = infer(&all, &[&users, &items]);
    assert_eq!((&found[0], &found[3]), (&whole[1], &users));
    assert_eq!(found[1], &found[2] * &found[2]);
    assert_eq!(names_of(&all), ["user_table.weight", "item_table.weight", "4.weight", "4.bias"]);
}

#[test]
fn cuts_at_what_is_not_there_are_sentences() {
    let model = towers();
    let error = |outputs: &[(&str, &str)]| model.with_outputs(outputs).unwrap_err().to_string();
    let text = error(&[("x", "nothing")]);
    assert!(
        text.starts_with(
            "the name of a value must be one of user, item, user_table, 1, item_table, 3, 4, 4, scale, "
        ),
        "{text}"
    );
    assert!(text.ends_with("got \"nothing\". Print the model: its first column has the names."), "{text}");
    let text = error(&[("x", "4")]);
    assert!(
        text.starts_with("the name of a value must be that of one node, got \"4\", that of 2."),
        "{text}"
    );
    let text = error(&[("x", "joined"), ("x", "liked")]);
    assert!(text.starts_with("the name of an output must be one that is not taken, got \"x\"."), "{text}");
    let text = error(&[("x", "scale")]);
    assert!(text.starts_with("the output \"x\" must depend on an input, got a parameter alone."), "{text}");
    assert!(error(&[]).starts_with("the number of outputs must be at least 1, got 0."));
    assert!(error(&[("", "joined")]).starts_with("the name of an output must be one or more characters"));
    assert!(error(&[("x", "joined[1]")]).starts_with("the name of a value must be one of"));
    assert_eq!(model.with_outputs(&[("x", "joined[0]")]).unwrap().outputs()[0].shape(), [4]);
}

#[test]
fn a_graph_is_a_part_of_another_with_its_parameters() {
    let body = towers().with_outputs(&[("features", "joined"), ("distance", "distance")]).unwrap();
    let (users, items) = (ids(3), ids(7));
    let expected = infer(&body, &[&users, &items]);
    let g = Graph::builder().seed(9);
    let (user, item) = (g.input("u", [1]), g.input("i", [1]));
    let [features, distance] = g.include("body", &body, [user, item]);
    assert_eq!((features.shape(), distance.shape()), (vec![4], vec![]));
    let [again, _] = g.include("second", &body, [item, user]);
    g.output("features", features);
    g.output("class", (features + again).layer(Dense::units(3)).layer(Softmax));
    let mut model = g.build().unwrap();
    let found = infer(&model, &[&users, &items]);
    assert_eq!(found[0], expected[0]);
    assert_eq!(
        names_of(&model)[..6],
        [
            "body.scale",
            "second.scale",
            "body.user_table.weight",
            "body.item_table.weight",
            "body.4.weight",
            "body.4.bias"
        ]
    );
    assert_eq!(names_of(&model).last().unwrap(), "0.bias");

    // The head alone is trained, and the file needs nothing else.
    model.freeze("body").unwrap();
    let before = parameters(&model);
    let mut one = model.with_outputs(&[("class", "class")]).unwrap();
    let mut optimizer = Optimizer::new(Adam::default());
    for _ in 0..3 {
        let mut scores = [None];
        let cache = one.train(&mut [Some(users.clone()), Some(items.clone())], &[true], &mut scores).unwrap();
        one.learn(cache, &mut [scores[0].take().map(|y| y * 0.1)]).unwrap();
        optimizer.step(&mut one).unwrap();
    }
    let after = parameters(&one);
    for ((name, kind, bits), (other, _, new)) in before.iter().zip(&after) {
        assert_eq!(name, other);
        assert_eq!(bits == new, kind == "Frozen", "{name}");
    }
    let bytes = one.to_bytes().unwrap();
    let loaded = Graph::of_model(Registry::<f32>::builtin().from_bytes(&bytes).unwrap()).unwrap();
    assert_eq!(infer(&loaded, &[&users, &items]), infer(&one, &[&users, &items]));
}

#[test]
fn an_included_graph_without_a_prefix_keeps_its_names_and_the_next_layer_has_the_next_number() {
    let row = Sequential::builder([6]).seed(3).layer(Dense::units(5)).layer(ReLU).build().unwrap();
    let whole = Sequential::builder([6])
        .seed(3)
        .layer(Dense::units(5))
        .layer(ReLU)
        .layer(Dense::units(2))
        .build()
        .unwrap();
    let g = Graph::builder().seed(3);
    let [x] = g.include("", &Graph::try_from(row).unwrap(), [g.input("input", [6])]);
    g.output("output", x.layer(Dense::units(2)));
    let model = g.build().unwrap();
    assert_eq!(parameters(&model), parameters(&whole));

    // A text keeps its lengths inside.
    let words =
        Sequential::builder([7]).layer(Dropout::rate(0.1)).layer(Embedding::vocabulary(30, 6).padding(0));
    let words = Graph::try_from(words.build().unwrap()).unwrap();
    let g = Graph::builder();
    let [x] = g.include("words", &words, [g.input("input", [7])]);
    assert!(x.lengths().is_some());
    g.output("output", x.mean(1));
    assert_eq!(g.build().unwrap().outputs()[0].shape(), [6]);
}

#[test]
fn what_does_not_fit_into_a_graph_is_a_sentence_with_the_line() {
    let body = towers().with_outputs(&[("features", "joined")]).unwrap();
    let text = |make: &dyn for<'g> Fn(&'g GraphBuilder) -> plywood::nn::Value<'g>| {
        let g = Graph::builder();
        g.output("y", make(&g));
        let error = g.build().unwrap_err();
        assert!(error.place().contains("walk.rs:"), "{error}");
        error.to_string().split_once(": ").unwrap().1.to_owned()
    };
    let found = text(&|g| {
        let [y] = g.include("b", &body, [g.input("user", [1])]);
        y
    });
    assert!(
        found.starts_with("the number of inputs must be 2, [\"user\", \"item\"], got 1. Give a value"),
        "{found}"
    );
    let found = text(&|g| {
        let [y, _] = g.include("b", &body, [g.input("user", [1]), g.input("item", [1])]);
        y
    });
    assert!(
        found.starts_with("the number of outputs must be 1, [\"features\"], got 2. Write a name"),
        "{found}"
    );
    let found = text(&|g| {
        let [y] = g.include("b", &body, [g.input("user", [1]), g.input("item", [3])]);
        y
    });
    assert!(
        found.starts_with("the input \"item\" of the graph must have shape [1], got [3]. A graph takes"),
        "{found}"
    );
    let found = text(&|g| {
        let w = g.param("w", [1], Initializer::Zeros);
        let [y] = g.include("b", &body, [g.input("user", [1]), w]);
        y
    });
    assert!(
        found.starts_with("the input \"item\" of the graph must have a batch axis, got a parameter [1]."),
        "{found}"
    );
    let found = text(&|g| {
        let (user, item) = (g.input("user", [1]), g.input("item", [1]));
        let [x] = g.include("b", &body, [user, item]);
        let [y] = g.include("b", &body, [user, item]);
        x + y
    });
    assert!(
        found.starts_with(
            "the name of a parameter must be one that is not taken, got \"b.scale\". Give `include`"
        ),
        "{found}"
    );
    let found = text(&|g| {
        let [y] = g.include("b\n", &body, [g.input("user", [1]), g.input("item", [1])]);
        y
    });
    assert!(found.starts_with("the name of an included graph must be one or more characters"), "{found}");
    // A value that could not be made is not checked further.
    let found = text(&|g| {
        let bad = g.input("user", [0]);
        let [y] = g.include("b", &body, [bad, g.input("item", [1])]);
        y
    });
    assert!(found.starts_with("the value must have shape"), "{found}");
}
