//! Agreement with PyTorch in f64, to 1e-9: a model of two inputs and three outputs trained for three epochs, with weights
//! of samples and of targets, missing targets, and an output that is only read.
//!
//! The reference values are in torch/several.json. torch/several.py generated them, and describes how to regenerate them.

use crate::reference::{agree, agree_tensors, number, numbers, tensor};
use plywood::ndarray::ArrayD;
use plywood::prelude::*;
use serde_json::Value as Json;
use std::sync::LazyLock;

static REFERENCE: LazyLock<Json> =
    LazyLock::new(|| serde_json::from_str(include_str!("../torch/several.json")).expect("JSON"));

fn network() -> Graph<f64> {
    let g = Graph::<f64>::builder_of();
    let (image, row) = (g.input("image", [1, 4, 4]), g.input("row", [3]));
    let x = image.layer(Flatten).layer_named("pixels", Dense::units(6)).tanh();
    let x = x.concat(&[row], -1).layer_named("joined", Dense::units(5)).tanh();
    g.output("class", x.layer_named("logits", Dense::units(3)).layer(Softmax));
    g.output("size", x.layer_named("sizes", Dense::units(2)));
    g.output("embedding", x);
    let mut model = g.build().unwrap();
    let mut set = 0;
    model.each_param_mut(&mut |name, param| {
        param.set_value(tensor(&REFERENCE["start"][name])).unwrap();
        set += 1;
    });
    assert_eq!(set, REFERENCE["start"].as_object().unwrap().len());
    model
}

fn targets() -> TargetArrays<f64> {
    let classes = REFERENCE["class"].as_array().unwrap();
    let classes: Vec<Option<usize>> =
        classes.iter().map(|class| class.as_u64().map(|c| c as usize)).collect();
    TargetArrays::<f64>::new_of()
        .classes("class", classes)
        .numbers("size", tensor(&REFERENCE["size"]))
        .weights(numbers(&REFERENCE["size_weights"]))
}

fn trainer() -> Trainer<Losses<f64>, f64> {
    let losses = Losses::of("class", CrossEntropy::default())
        .and("size", MeanSquaredError, 0.3)
        .without_loss("embedding");
    Trainer::new(losses, Adam::default().epsilon(1e-7))
        .learning_rate(0.02)
        .shuffle(false)
        .batch_size(5)
        .epochs(3)
        .metric(On::classes("class", Accuracy::default()))
        .metric(On::numbers("size", MAE::default()))
        .progress(Progress::Silent)
}

fn input(name: &str) -> ArrayD<f64> {
    tensor(&REFERENCE[name])
}

fn compare(what: &str, found: impl Fn(&str) -> Option<f64>, expected: &Json) {
    let expected = expected.as_object().unwrap();
    assert_eq!(expected.len(), 5);
    for (name, value) in expected {
        agree(&format!("{what}, {name}"), found(name).unwrap_or(f64::NAN), number(value));
    }
}

/// Whatever the order in which inputs, and targets, are named.
#[test]
fn two_inputs_and_three_outputs_for_three_epochs() {
    let weights = numbers(&REFERENCE["weights"]);
    let forward = Arrays::<f64>::builder_of().input("image", input("image")).input("row", input("row"));
    let back = Arrays::<f64>::builder_of().input("row", input("row")).input("image", input("image"));
    let mut bytes = Vec::new();
    for data in [forward, back] {
        let data = data.targets(targets()).unwrap().weights(weights.clone()).unwrap();
        let (mut model, mut trainer) = (network(), trainer());
        let history = trainer.fit(&mut model, &data).unwrap();
        let expected = REFERENCE["epochs"].as_array().unwrap();
        assert_eq!(history.epochs.len(), expected.len());
        for (epoch, expected) in history.epochs.iter().zip(expected) {
            compare(&format!("epoch {}", epoch.number), |name| epoch.get(name), expected);
        }
        let evaluation = trainer.evaluate(&model, &data).unwrap();
        compare("evaluation", |name| evaluation.get(name), &REFERENCE["evaluation"]);
        model.each_param(&mut |name, param| {
            agree_tensors(name, param.value(), &tensor(&REFERENCE["end"][name]));
        });
        let inputs = Inputs::of("row", input("row")).and("image", input("image"));
        let predictions = model.predict_named(inputs).unwrap();
        agree_tensors("embedding", predictions.get("embedding").unwrap(), &tensor(&REFERENCE["embedding"]));
        bytes.push(model.to_bytes().unwrap());
    }
    assert_eq!(bytes[0], bytes[1]);
}

/// A loop of one's own over the same batches, by `accumulate` with targets by name.
#[test]
fn a_loop_of_ones_own_takes_the_same_steps() {
    let losses = Losses::of("class", CrossEntropy::default())
        .and("size", MeanSquaredError, 0.3)
        .without_loss("embedding");
    let data = Arrays::<f64>::builder_of().input("image", input("image")).input("row", input("row"));
    let data = data.targets(targets()).unwrap().weights(numbers(&REFERENCE["weights"])).unwrap();
    let mut model = network();
    let mut optimizer = Optimizer::new(Adam::default().epsilon(1e-7)).learning_rate(0.02);
    let mut batch = Batch::default();
    for epoch in 0..3 {
        for rows in (0..23).collect::<Vec<usize>>().chunks(5) {
            data.read(rows, plywood::data::Pass::Train { epoch }, &mut batch).unwrap();
            let inputs = Inputs::of("image", &batch.inputs[0]).and("row", &batch.inputs[1]);
            let weights = batch.weights.as_deref();
            plywood::train::accumulate(&mut model, &losses, inputs, &batch.target, weights).unwrap();
            optimizer.step(&mut model).unwrap();
        }
    }
    model.each_param(&mut |name, param| {
        agree_tensors(name, param.value(), &tensor(&REFERENCE["end"][name]));
    });
}
