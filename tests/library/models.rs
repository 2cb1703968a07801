//! Models behind the traits `Infer` and `Model`: the same results to the bit as a `Sequential` by its own type.

use crate::folder::Folder;
use plywood::ndarray::{Array2, ArrayD};
use plywood::nn::InferRegistry;
use plywood::prelude::*;
use plywood::train::{Checkpoints, cross_validate};

fn network() -> Sequential {
    Sequential::builder([6])
        .seed(3)
        .layer(Dense::units(8))
        .layer(BatchNorm::new())
        .layer(ReLU)
        .layer(Dropout::rate(0.2))
        .layer(Dense::units(3))
        .layer(Softmax)
        .build()
        .unwrap()
}

fn inputs() -> Array2<f32> {
    Array2::from_shape_fn((40, 6), |(i, j)| ((i * 7 + j * 5) as f32 * 0.7).sin())
}

fn data() -> ArrayDataset<f32, Vec<usize>> {
    ArrayDataset::new(inputs(), (0..40).map(|i| i % 3).collect::<Vec<_>>()).unwrap()
}

fn trainer() -> Trainer<CrossEntropy> {
    Trainer::new(CrossEntropy::default(), Adam::default())
        .epochs(3)
        .batch_size(7)
        .metric(Accuracy::default())
        .validation_split(0.25)
        .progress(Progress::Silent)
}

fn bits(tensor: &ArrayD<f32>) -> Vec<u32> {
    tensor.iter().map(|x| x.to_bits()).collect()
}

/// A model as a type, as a trait object, and boxed, trained and asked alike.
#[test]
fn a_trait_object_and_a_box_have_the_bits_of_the_type() {
    let mut typed = network();
    let history = trainer().fit(&mut typed, &data()).unwrap();
    let expected = (history.get("val_loss"), typed.to_bytes().unwrap());

    let mut concrete = network();
    let object: &mut dyn Model = &mut concrete;
    let history = trainer().fit(object, &data()).unwrap();
    assert_eq!((history.get("val_loss"), object.to_bytes().unwrap()), expected);

    let mut boxed: Box<dyn Model> = network().boxed();
    let history = trainer().fit(&mut boxed, &data()).unwrap();
    assert_eq!((history.get("val_loss"), boxed.to_bytes().unwrap()), expected);

    assert_eq!(bits(&boxed.predict(&inputs()).unwrap()), bits(&typed.predict(&inputs()).unwrap()));
    assert_eq!(boxed.predict_classes(&inputs()).unwrap(), typed.predict_classes(&inputs()).unwrap());
    assert_eq!(boxed.to_string(), typed.to_string());
    let mut evaluator = trainer();
    let own = evaluator.evaluate(&typed, &data()).unwrap();
    assert_eq!(evaluator.evaluate(&boxed, &data()).unwrap(), own);
    assert_eq!(evaluator.evaluate(object.as_infer(), &data()).unwrap(), own);
    let report = evaluate::classification_report(&typed, &data()).unwrap();
    assert_eq!(evaluate::classification_report(object.as_infer(), &data()).unwrap(), report);
    let curve = |trainer: &mut Trainer<CrossEntropy>, model: &dyn Model| {
        trainer.find_learning_rate(model, &data(), 1e-4, 0.1, 12).unwrap().losses
    };
    assert_eq!(curve(&mut trainer(), &*boxed), curve(&mut trainer(), &typed));
    assert_eq!(boxed.to_bytes().unwrap(), expected.1, "the search for a learning rate trains a copy");
}

/// A run that began with a `Sequential` is continued by a boxed model, and the other way round.
#[test]
fn a_boxed_model_resumes_a_run() {
    let folder = Folder::new("models");
    let mut unbroken = network();
    trainer().epochs(5).fit(&mut unbroken, &data()).unwrap();

    let mut first: Box<dyn Model> = network().boxed();
    trainer().epochs(2).checkpoints(Checkpoints::in_folder(&folder.0)).fit(&mut first, &data()).unwrap();
    for boxed in [false, true] {
        let mut second = trainer().epochs(5);
        let bytes = if boxed {
            let mut model: Box<dyn Model> = network().boxed();
            second.resume(&mut model, &folder.0).unwrap();
            second.fit(&mut model, &data()).unwrap();
            model.to_bytes().unwrap()
        } else {
            let mut model = network();
            second.resume(&mut model, &folder.0).unwrap();
            second.fit(&mut model, &data()).unwrap();
            model.to_bytes().unwrap()
        };
        assert_eq!(bytes, unbroken.to_bytes().unwrap(), "boxed: {boxed}");
    }
    // The model alone comes out of the checkpoint, too.
    let loaded = plywood::load(folder.0.join("epoch-0002.checkpoint")).unwrap();
    assert_eq!(loaded.to_bytes().unwrap(), first.to_bytes().unwrap());
}

#[test]
fn any_model_is_loaded_and_becomes_its_type_again() {
    let folder = Folder::new("models-load");
    let path = folder.0.join("m.plywood");
    let model = network();
    model.save(&path).unwrap();
    let loaded = plywood::load(&path).unwrap();
    assert_eq!((loaded.inputs(), loaded.outputs()), (model.inputs(), model.outputs()));
    assert_eq!((loaded.inputs()[0].shape(), loaded.outputs()[0].name()), (&[6][..], "output"));
    assert_eq!(Sequential::of_model(loaded).unwrap().to_bytes().unwrap(), model.to_bytes().unwrap());

    let double = Sequential::<f64>::builder_of([2]).layer(Dense::units(1)).build().unwrap();
    double.save(&path).unwrap();
    let again = plywood::load_with(&path, &Registry::<f64>::builtin()).unwrap();
    assert_eq!(again.to_bytes().unwrap(), double.to_bytes().unwrap());
    let text = plywood::load(&path).unwrap_err().to_string();
    assert!(text.contains("the file's element type must be f32, got f64"), "{text}");
    let empty = Registry::<f64>::empty();
    let text = plywood::load_with(&path, &empty).unwrap_err().to_string();
    assert!(
        text.contains("the kind of a layer must be in the registry") && text.contains("\"dense\""),
        "{text}"
    );
}

/// The weights of a single layer are saved and frozen like those of a model.
#[test]
fn a_layer_has_parameters_and_weights() {
    let layer = |value| Dense::<f32>::from_weights(Array2::from_elem((2, 3), value), None).unwrap();
    let (one, mut other) = (layer(1.0), layer(2.0));
    assert_eq!(one.parameter_count(), 6);
    other.load_state_dict(&one.state_dict().unwrap()).unwrap();
    assert_eq!(
        bits(&other.forward(inputs().slice_move(plywood::ndarray::s![.., ..2]).into_dyn()).unwrap()),
        { bits(&one.forward(inputs().slice_move(plywood::ndarray::s![.., ..2]).into_dyn()).unwrap()) }
    );
    assert_eq!(other.freeze("weight").unwrap(), 1);
    let mut optimizer = Optimizer::new(SGD::default());
    optimizer.step(&mut other).unwrap();
    other.each_param(&mut |_, param| assert!(!param.is_trainable()));
}

/// Trials and folds may build models whose type is known only at run time.
#[test]
fn a_search_and_a_cross_validation_build_boxed_models() {
    let wide = |boxed: bool, seed: u64| -> Result<Box<dyn Model>> {
        let builder = Sequential::builder([6]).seed(seed).layer(Dense::units(if boxed { 4 } else { 8 }));
        Ok(Box::new(builder.layer(Dense::units(3)).layer(Softmax).build()?))
    };
    let own = || Trainer::new(CrossEntropy::default(), Adam::default()).epochs(2).metric(Accuracy::default());
    let scores = cross_validate(&data(), &KFold::new(4).seed(1), |fold| {
        Ok((wide(fold % 2 == 0, 1)?, own().progress(Progress::Silent)))
    });
    assert_eq!(scores.unwrap().get("accuracy").unwrap().len(), 4);
    let space = plywood::train::Space::new().choice("wide", ["yes", "no"]);
    let results = plywood::train::Search::grid(space)
        .run_with_validation(&data(), &data(), |trial, seed| {
            Ok((wide(trial.word("wide")? == "yes", seed)?, own()))
        })
        .unwrap();
    assert!(results.trials.len() == 2 && results.trials.iter().all(|trial| trial.error.is_none()));
}

/// Tensors that do not fit the number of inputs and outputs are an error, not a panic.
#[test]
fn another_number_of_tensors_is_an_error() {
    let mut model = network();
    let text = |result: Result<()>| result.unwrap_err().to_string();
    assert!(text(model.infer(&mut [], &[], &mut [])).contains("must get one input and one output"));
    let x = || inputs().into_dyn();
    let mut outputs = [None];
    assert!(
        text(model.train(&mut [Some(x()), Some(x())], &[false], &mut outputs).map(drop))
            .contains("must get one input")
    );
    let cache = model.train(&mut [Some(x())], &[false], &mut outputs).unwrap();
    assert!(text(model.learn(cache, &mut [])).contains("must get one input"));
    assert!(text(model.find_non_finite(&mut []).map(drop)).contains("must get one input"));
    assert!(text(model.find_non_finite(&mut [None]).map(drop)).contains("must get one input"));
    assert!(text(model.infer(&mut [None], &[false], &mut [None])).contains("must get one input"));
    // An output without a gradient has no part in the loss: nothing is added.
    let cache = model.train(&mut [Some(x())], &[false], &mut outputs).unwrap();
    model.learn(cache, &mut [None]).unwrap();
    model.each_param(&mut |_, param| assert!(param.gradient().is_none()));
}

/// A model that only infers, with every kind of layer, has the bits of the model that it was saved from.
#[test]
fn a_model_that_only_infers_has_the_same_bits() {
    let block = || Sequential::block().layer(Dense::units(4)).layer(Tanh);
    let model = Sequential::builder([6])
        .seed(9)
        .layer(block())
        .layer(Residual::around(block()))
        .layer(Sequential::block().layer(Dense::units(3)).layer(Softmax))
        .build()
        .unwrap();
    let bytes = model.to_bytes().unwrap();
    let kinds = || InferRegistry::empty().with::<Dense>().with::<Tanh>().with::<Softmax>().with::<Residual>();
    let all = kinds().blocks(Registry::empty().with::<Dense>().with::<Tanh>());
    let loaded = all.from_bytes(&bytes).unwrap();
    assert_eq!(bits(&loaded.predict(&inputs()).unwrap()), bits(&model.predict(&inputs()).unwrap()));
    assert_eq!(loaded.predict_classes(&inputs()).unwrap(), model.predict_classes(&inputs()).unwrap());
    assert_eq!((loaded.to_string(), loaded.outline()), (model.to_string(), model.outline()));
    assert_eq!(loaded.to_bytes().unwrap(), bytes);
    assert_eq!(loaded.known_values(0), model.known_values(0));
    let mut evaluator = trainer();
    let own = evaluator.evaluate(&model, &data()).unwrap();
    assert_eq!(evaluator.evaluate(&*loaded, &data()).unwrap(), own);
    let mut logits = [None];
    loaded.infer(&mut [Some(inputs().into_dyn().into())], &[true], &mut logits).unwrap();
    let [Some(logits)] = logits else { panic!("an output") };
    assert_eq!(bits(&logits.into_owned()), bits(&model.forward_logits(inputs().into_dyn()).unwrap()));

    let text = |registry: InferRegistry| registry.from_bytes(&bytes).unwrap_err().to_string();
    let unknown = text(InferRegistry::empty().with::<Dense>());
    assert!(
        unknown.contains("the kind of a layer must be in the registry") && unknown.contains("\"tanh\""),
        "{unknown}"
    );
    assert!(unknown.contains("InferRegistry::empty().with::<YourLayer>()"), "{unknown}");
    let blocks = text(kinds());
    assert!(blocks.contains("the kind of a layer must be in the registry"), "{blocks}");
    assert!(blocks.contains("InferRegistry::blocks"), "{blocks}");
    let folder = Folder::new("models-infer");
    let path = folder.file("m.plywood");
    model.save(&path).unwrap();
    assert_eq!(all.load(&path).unwrap().to_bytes().unwrap(), bytes);
    let text = all.load(folder.file("none")).unwrap_err().to_string();
    assert!(text.starts_with("load ") && text.contains("could not read"), "{text}");
}

/// A check of a container reads the layers inside by a registry of its own.
#[test]
fn a_checked_container_is_read_by_the_registry_that_is_given() {
    let block = || Residual::around(Sequential::<f64>::block_of().layer(Dense::units(3)).layer(Tanh));
    let check = |registry: Registry<f64>| {
        plywood::testing::LayerCheck::<f64>::new(&[3]).registry(registry).run(block()).map(drop)
    };
    check(Registry::empty().with::<Dense<f64>>().with::<Tanh>()).unwrap();
    let text = check(Registry::empty().with::<Tanh>()).unwrap_err().to_string();
    assert!(text.contains("\"dense\""), "{text}");
}

/// A call around serde may read and write any number of models, each with a count and an error of its own.
#[test]
fn models_within_a_call_are_read_one_by_one() {
    let model =
        Sequential::builder([2]).layer(Tanh).layer(Dense::units(1)).layer(ReLU).layer(ReLU).build().unwrap();
    let (text, bytes) = (serde_json::to_string(&model).unwrap(), model.to_bytes().unwrap());
    let registry = Registry::<f32>::builtin();
    registry.within(|| {
        for _ in 0..5_000 {
            serde_json::from_str::<Sequential>(&text).unwrap();
            Sequential::from_bytes(&bytes, &registry).unwrap();
            model.to_bytes().unwrap();
            serde_json::to_string(&model).unwrap();
        }
    });
    let unknown = Registry::<f32>::empty();
    let read = || serde_json::from_str::<Sequential>(&text).unwrap_err().to_string();
    let [first, second] = unknown.within(|| [read(), read()]);
    assert!(
        first.starts_with("the kind of a layer must be in the registry") && first.contains("\"tanh\""),
        "{first}"
    );
    assert_eq!(first, second);
    // Models of two element types, each by its registry.
    let wide = Sequential::<f64>::builder_of([2]).layer(Tanh).build().unwrap();
    let both = serde_json::to_string(&(&model, &wide)).unwrap();
    let read = || serde_json::from_str::<(Sequential, Sequential<f64>)>(&both);
    let (a, b) = registry.within(|| Registry::<f64>::builtin().within(read)).unwrap();
    assert_eq!((a.len(), b.len()), (4, 1));
    assert!(registry.within(read).unwrap_err().to_string().contains("must be read by a registry"));
}

/// The cache of a layer of another type is refused, even if both caches are of one type, and so is a gradient of another
/// shape.
#[test]
fn caches_and_gradients_of_others_are_refused() {
    let x = || ArrayD::<f32>::from_elem(vec![2, 4], 0.5);
    let one = |builder: plywood::nn::SequentialBuilder| builder.build().unwrap();
    let models = || {
        let new = || Sequential::builder([4]);
        [
            one(new().layer(Tanh)),
            one(new().layer(Sigmoid)),
            one(new().layer(Dense::units(4))),
            one(new().layer(LayerNorm::new())),
            one(new().layer(RMSNorm::new())),
            one(new().layer(GELU::default())),
        ]
    };
    for (i, mut from) in models().into_iter().enumerate() {
        for (j, mut to) in models().into_iter().enumerate() {
            let (y, cache) = from.forward_train(x()).unwrap();
            let result = to.backward(cache, y);
            assert_eq!(result.is_ok(), i == j, "{i} {j}: {result:?}");
        }
    }
    // A dense layer with another number of inputs.
    let mut wide = one(Sequential::builder([5]).layer(Dense::units(4)));
    let (y, cache) = one(Sequential::builder([4]).layer(Dense::units(4))).forward_train(x()).unwrap();
    assert!(
        wide.backward(cache, y)
            .unwrap_err()
            .to_string()
            .contains("the cache must be that of this model's last")
    );

    let wrong = || Some(ArrayD::<f32>::zeros(vec![5, 7]));
    for builder in [
        Sequential::builder([4]).layer(Dropout::rate(0.5)),
        Sequential::builder([4]).layer(Softmax),
        Sequential::builder([4]),
        Sequential::builder([4]).layer(Dense::units(4)),
    ] {
        let mut model = builder.build().unwrap();
        model.freeze("").unwrap();
        for logits in [true, false] {
            let cache = model.eval(&mut [Some(x())], &[logits], &mut [None]).unwrap();
            let text = model.input_gradients(cache, &mut [wrong()], &mut [None]).unwrap_err().to_string();
            assert!(text.starts_with("the gradient must have shape [2, 4], got [5, 7]."), "{text}");
            let cache = model.train(&mut [Some(x())], &[logits], &mut [None]).unwrap();
            assert!(model.learn(cache, &mut [wrong()]).is_err());
        }
    }
}

/// Boxes and shared pointers of models are models.
#[test]
fn boxed_and_shared_models_are_evaluated() {
    let model = network();
    let report = evaluate::classification_report(&model, &data()).unwrap();
    let shared = std::sync::Arc::new(model.clone());
    assert_eq!(evaluate::classification_report(&shared, &data()).unwrap(), report);
    let registry =
        InferRegistry::empty().with::<Dense>().with::<BatchNorm>().with::<ReLU>().with::<Dropout>();
    let registry = registry.with::<Softmax>().with::<Sequential>();
    let inferring: Box<dyn Infer> = registry.from_bytes(&model.to_bytes().unwrap()).unwrap();
    assert_eq!(evaluate::classification_report(&inferring, &data()).unwrap(), report);
    let boxed: Box<dyn Model> = model.boxed();
    assert_eq!(boxed.clone().to_bytes().unwrap(), model.to_bytes().unwrap());
}
