//! Cases that were once decided silently: now each value is kept, or the error says what to do.

use ndarray::{Array2, Array3, arr2};
use plywood::io::StateDict;
use plywood::nn::Gradient;
use plywood::prelude::*;
use plywood::train::accumulate;

fn text<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.unwrap_err().to_string()
}

/// Returns the values of a parameter or buffer.
fn numbers(model: &Sequential, wanted: &str) -> Vec<f32> {
    let mut found = Vec::new();
    model.visit_params(&mut |name, param| {
        if name == wanted {
            found = param.as_slice().to_vec();
        }
    });
    found
}

fn trainer() -> Trainer<MeanSquaredError> {
    Trainer::new(MeanSquaredError, Adam::default()).progress(Progress::Silent)
}

/// Returns inputs with two features, whose targets are their sums.
fn sums(samples: usize) -> ArrayDataset<f32, Array2<f32>> {
    let x = Array2::from_shape_fn((samples, 2), |(i, j)| ((i * 7 + j * 3) % 10) as f32);
    let y = Array2::from_shape_fn((samples, 1), |(i, _)| x[[i, 0]] + x[[i, 1]]);
    ArrayDataset::new(x, y).unwrap()
}

fn normalized() -> Sequential {
    Sequential::builder([2])
        .layer(Dense::units(3))
        .layer(BatchNorm::new())
        .layer(ReLU)
        .layer(Dense::units(1))
        .build()
        .unwrap()
}

#[test]
fn freezing_a_name_that_is_not_there_lists_the_names() {
    let mut model = normalized();
    let names = "where the names are 0.weight, 0.bias, 1.weight, 1.bias, 1.running_mean, 1.running_var, 3.weight, \
                 3.bias. Layers are named by their numbers, from 0; \"\" means all.";
    for prefix in ["dense", "2", "0.w", "4", "."] {
        let expected = format!("the prefix must begin a parameter's name, got {prefix:?}, {names}");
        assert_eq!(text(model.freeze(prefix)), expected);
        assert_eq!(text(model.unfreeze(prefix)), expected);
    }
    assert_eq!((model.freeze("1").unwrap(), model.unfreeze("").unwrap()), (4, 8));
    let mut empty = Sequential::builder([2]).layer(ReLU).build().unwrap();
    assert_eq!(empty.freeze("").unwrap(), 0);
    assert!(text(empty.freeze("0")).contains("got \"0\", where the names are none."));
    let deep = (0..20).fold(Sequential::builder([1]), |model, _| model.layer(Dense::units(1)));
    assert!(text(deep.build().unwrap().freeze("x")).contains("3.weight, 3.bias and 32 more."));
}

#[test]
fn a_frozen_batch_norm_uses_and_keeps_its_running_statistics() {
    let mut model = normalized();
    trainer().epochs(3).fit(&mut model, &sums(40)).unwrap();
    model.freeze("1").unwrap();
    let statistics = |model: &Sequential| [numbers(model, "1.running_mean"), numbers(model, "1.running_var")];
    let (before, bits) = (statistics(&model), numbers(&model, "1.weight"));
    // In training, it computes the same function as at inference.
    let x = Tensor::from_shape_fn(vec![5, 2], |i| (i[0] * 3 + i[1]) as f32);
    let (y, _) = model.forward_train(x.clone()).unwrap();
    assert!((y - model.forward(x).unwrap()).iter().all(|d| d.abs() < 1e-4));
    let first = numbers(&model, "0.weight");
    trainer().epochs(3).batch_size(1).fit(&mut model, &sums(40)).unwrap();
    assert_eq!((statistics(&model), numbers(&model, "1.weight")), (before.clone(), bits));
    assert_ne!(numbers(&model, "0.weight"), first); // the layer before it keeps training
    // If one of its two parameters is trainable, it is not frozen.
    model.unfreeze("1.bias").unwrap();
    trainer().fit(&mut model, &sums(40)).unwrap();
    assert_ne!(statistics(&model), before);
}

#[test]
fn gradients_through_a_frozen_batch_norm_are_those_of_its_function() {
    let mut layer: BatchNorm<f64> = BatchNorm::new().build(&[2], &Random::seed(0)).unwrap();
    layer.forward_train(arr2(&[[1., 10.], [3., 30.], [4., 0.]]).into_dyn()).unwrap();
    layer.visit_params_mut(&mut |_, param| param.freeze());
    let x = arr2(&[[1., 2.], [0., 5.]]).into_dyn();
    let (_, cache) = layer.forward_train(x.clone()).unwrap();
    let back = layer.backward(cache, arr2(&[[1., 1.], [1., 1.]]).into_dyn()).unwrap();
    let moved = layer.forward(x.mapv(|x| x + 1.0)).unwrap() - layer.forward(x).unwrap();
    assert!((back - moved).iter().all(|d| d.abs() < 1e-12));
}

#[test]
fn batches_of_one_are_refused_where_batch_norm_would_learn_nothing() {
    let expected = "the batch size must be at least 2 for batch normalization, got 1. Use larger batches or \
                    `LayerNorm`, or freeze the layer: a single number has no variance.";
    let (mut model, data) = (normalized(), sums(8));
    let before = numbers(&model, "0.weight");
    let (x, y) = (Tensor::ones(vec![1, 2]), Tensor::ones(vec![1, 1]));
    let place = "layer 1 (batch_norm)";
    assert_eq!(text(trainer().batch_size(1).fit(&mut model, &data)), format!("fit, {place}: {expected}"));
    assert_eq!(text(trainer().fit(&mut model, &sums(1))), format!("fit, {place}: {expected}"));
    assert_eq!(
        text(trainer().batch_size(1).find_learning_rate(&model, &data, 1e-6, 1.0, 10)),
        format!("find_learning_rate, {place}: {expected}")
    );
    assert_eq!(text(trainer().step(&mut model, x.clone(), &y, None)), format!("step, {place}: {expected}"));
    assert_eq!(text(accumulate(&mut model, &MeanSquaredError, x, &y, None)), format!("{place}: {expected}"));
    assert_eq!(numbers(&model, "0.weight"), before);

    // The same holds in containers.
    let block = || Sequential::block().layer(Dense::units(2)).layer(BatchNorm::new());
    let head = |builder: plywood::nn::SequentialBuilder| builder.layer(Dense::units(1)).build().unwrap();
    let wrapped = [
        (head(Sequential::builder([2]).layer(block())), "layer 0 (sequential), layer 1"),
        (
            head(Sequential::builder([2]).layer(Residual::around(block()))),
            "layer 0 (residual), block, layer 1",
        ),
        (
            head(Sequential::builder([2]).layer(Concat::of([Sequential::block(), block()]))),
            "layer 0 (concat), branch 1, layer 1",
        ),
        (
            head(Sequential::builder([2]).layer(Add::of([block(), block()]))),
            "layer 0 (add), branch 0, layer 1",
        ),
    ];
    for (mut model, place) in wrapped {
        let found = text(trainer().batch_size(1).fit(&mut model, &data));
        assert_eq!(found, format!("fit, {place} (batch_norm): {expected}"));
    }

    // A channel of an image has many values per sample.
    let images =
        ArrayDataset::new(Array3::<f32>::from_shape_fn((4, 2, 3), |(i, j, k)| (i + j * k) as f32), {
            Array2::<f32>::zeros((4, 1))
        });
    let mut model = Sequential::builder([2, 3])
        .layer(BatchNorm::new())
        .layer(Flatten)
        .layer(Dense::units(1))
        .build()
        .unwrap();
    trainer().batch_size(1).fit(&mut model, &images.unwrap()).unwrap();
}

#[test]
fn single_numbers_are_not_normalized_to_0_in_silence() {
    let help = "A number minus its own mean is always 0: leave the layer out, or use larger groups.";
    let expected = |kind: &str, shape: &str| {
        format!(
            "layer 0 ({kind}): the input must have shape […] with more than one number to normalize together, got \
             {shape}. {help}"
        )
    };
    let layer = Sequential::builder([3, 1]).layer(LayerNorm::new()).build();
    assert_eq!(text(layer), expected("layer_norm", "[3, 1]"));
    let group = Sequential::builder([4]).layer(GroupNorm::groups(4)).build();
    assert_eq!(text(group), expected("group_norm", "[4]"));
    assert!(Sequential::builder([4, 2]).layer(GroupNorm::groups(4)).build().is_ok());
}

#[test]
fn a_short_last_batch_of_one_keeps_the_running_statistics() {
    let (mut four, mut five) = (normalized(), normalized());
    // Five identical samples in batches of four: the same first step, and then a batch with one sample.
    let alike = |samples| {
        let x = Array2::from_shape_fn((samples, 2), |(_, j)| 1.0 + j as f32);
        ArrayDataset::new(x, Array2::<f32>::zeros((samples, 1))).unwrap()
    };
    trainer().batch_size(4).fit(&mut four, &alike(4)).unwrap();
    trainer().batch_size(4).fit(&mut five, &alike(5)).unwrap();
    assert_eq!(numbers(&five, "1.running_mean"), numbers(&four, "1.running_mean"));
    assert_ne!(numbers(&five, "1.bias"), numbers(&four, "1.bias")); // the single sample was trained on
}

#[test]
fn a_padding_row_that_is_not_0_is_kept_as_pytorch_keeps_it() {
    let table = || Embedding::vocabulary(3, 2);
    let donor = Sequential::builder([2]).layer(table()).build().unwrap(); // its row 0 is random
    let bytes = donor.weights_to_bytes().unwrap();
    let mut model = Sequential::builder([2]).layer(table().padding(0)).build().unwrap();
    assert_eq!(model.predict(&arr2(&[[0.0, 0.0]])).unwrap().sum(), 0.0);
    model.load_state_dict(&StateDict::from_bytes(&bytes).unwrap()).unwrap();
    let x = arr2(&[[0.0f32, 2.0]]);
    assert_eq!(model.predict(&x).unwrap(), donor.predict(&x).unwrap());
    let row = numbers(&donor, "0.weight")[..2].to_vec();
    assert!(row.iter().all(|&w| w != 0.0));
    // The row gets no gradient, and is saved.
    let (y, cache) = model.forward_train(x.clone().into_dyn()).unwrap();
    model.backward_params(cache, y).unwrap();
    model.visit_params(&mut |_, param| {
        let Some(Gradient::Rows { ids, .. }) = param.gradient() else { panic!() };
        assert_eq!(&ids[..], [2]);
    });
    let again =
        Sequential::from_bytes(&model.to_bytes().unwrap(), &plywood::nn::Registry::builtin()).unwrap();
    assert_eq!(again.predict(&x).unwrap(), donor.predict(&x).unwrap());
    // A bag ignores padding, whatever its row contains, as in PyTorch.
    let mut bag = Sequential::builder([2]).layer(EmbeddingBag::vocabulary(3, 2).padding(0)).build().unwrap();
    bag.load_state_dict(&StateDict::from_bytes(&bytes).unwrap()).unwrap();
    assert_eq!(bag.predict(&x).unwrap().into_raw_vec_and_offset().0, numbers(&donor, "0.weight")[4..]);
}

#[test]
fn a_weight_that_is_too_large_for_f32_is_refused_by_name() {
    let mut wide = Sequential::<f64>::builder_of([2]).layer(Dense::units(1)).build().unwrap();
    wide.visit_params_mut(&mut |name, param| {
        if name == "0.weight" {
            param.as_slice_mut()[1] = 1e39;
        }
    });
    let bytes = wide.weights_to_bytes().unwrap();
    let dict = StateDict::from_bytes(&bytes).unwrap();
    let mut model = Sequential::builder([2]).layer(Dense::units(1)).build().unwrap();
    let found = text(model.load_state_dict(&dict));
    let expected = "got others (of another shape or type: 0.weight (a number that is too large for f32)).";
    assert!(found.contains(expected), "{found}");
    let before = numbers(&model, "0.weight");
    assert_eq!(model.load_matching(&dict).unfit.len(), 1);
    assert_eq!(numbers(&model, "0.weight"), before);
    assert!(dict.tensor::<f32>("0.weight").is_none() && dict.tensor::<f64>("0.weight").is_some());
}

/// A buffer belongs to its layer, and cannot be frozen by its own name.
#[test]
fn buffers_alone_are_not_frozen() {
    let mut model = Sequential::builder([2]).layer(Dense::units(2)).layer(BatchNorm::new()).build().unwrap();
    let text = model.freeze("1.running_mean").unwrap_err().to_string();
    assert!(
        text.contains(
            "the prefix must be that of trained parameters, got \"1.running_mean\", that of a buffer"
        ),
        "{text}"
    );
    assert_eq!(model.freeze("1").unwrap(), 4, "with its buffers");
}

/// If training would change nothing, every training method returns an error before the first step.
#[test]
fn a_model_with_nothing_to_train_is_an_error() {
    let (data, x) = (sums(20), arr2(&[[1.0, 2.0]]).into_dyn());
    let target = arr2(&[[3.0]]).into_dyn();
    let says = |model: &mut Sequential, found: &str| {
        let expected = format!("the model must have parameters to train, got {found}");
        let mut trainer = trainer();
        assert_eq!(text(trainer.fit(model, &data)), format!("fit: {expected}"));
        assert_eq!(text(trainer.step(model, x.clone(), &target, None)), format!("step: {expected}"));
        assert_eq!(
            text(trainer.find_learning_rate(model, &data, 1e-5, 1e-3, 10)),
            format!("find_learning_rate: {expected}")
        );
        assert_eq!(trainer.optimizer().steps(), 0);
        trainer.evaluate(model, &data).unwrap();
    };
    let mut model = normalized();
    model.freeze("").unwrap();
    says(
        &mut model,
        "19, all of them frozen. Call `model.unfreeze(\"\")` for all of them, or `unfreeze` with the number of a layer: \
         `unfreeze(\"2\")`.",
    );
    model.unfreeze("3").unwrap();
    trainer().fit(&mut model, &data).unwrap(); // one trainable layer is enough
    says(
        &mut Sequential::builder([2]).layer(GlobalSum).build().unwrap(),
        "none. Add a layer that has parameters, such as `Dense`; a model without any can be evaluated, but learns \
         nothing.",
    );
}

/// A layer without parameters that sums its inputs.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct GlobalSum;

impl Layer for GlobalSum {
    const KIND: Kind = Kind::own("test.global_sum");
    type Cache = ();
    fn output_shape(&self, _: &[usize]) -> Result<Vec<usize>> {
        Ok(vec![1])
    }
    fn forward(&self, input: Tensor) -> Result<Tensor> {
        Ok(input.sum_axis(ndarray::Axis(1)).insert_axis(ndarray::Axis(1)))
    }
    fn forward_train(&mut self, input: Tensor) -> Result<(Tensor, ())> {
        Ok((self.forward(input)?, ()))
    }
    fn backward(&mut self, _: (), grad: Tensor) -> Result<Tensor> {
        Ok(grad)
    }
}

/// A parameter that a callback unfreezes before the first step is trained.
#[test]
fn a_callback_may_thaw_a_frozen_model() {
    struct Thaw;
    impl Callback for Thaw {
        fn on_train_begin(&mut self, context: &mut Context<'_>) -> Result<()> {
            context.model_mut().unfreeze("3").map(drop)
        }
    }
    let mut model = normalized();
    model.freeze("").unwrap();
    let before = numbers(&model, "3.weight");
    trainer().callback(Thaw).fit(&mut model, &sums(20)).unwrap();
    assert_ne!(numbers(&model, "3.weight"), before);
}

/// A value could not be read from the history if another value had the same name.
#[test]
fn two_values_of_one_name_are_an_error() {
    struct Called(&'static str);
    impl Metric<Tensor> for Called {
        fn name(&self) -> &str {
            self.0
        }
        fn reset(&mut self) {}
        fn update(&mut self, _: &Tensor, _: &Tensor, _: Option<&[f32]>) -> Result<()> {
            Ok(())
        }
        fn value(&self) -> f64 {
            0.0
        }
    }
    let says = |names: &[&'static str], expected: &str| {
        let mut trainer = names.iter().fold(trainer(), |trainer, name| trainer.metric(Called(name)));
        let mut model = normalized();
        assert_eq!(text(trainer.fit(&mut model, &sums(20))), format!("fit: {expected}"));
        assert_eq!(text(trainer.evaluate(&model, &sums(20))), format!("evaluate: {expected}"));
        assert_eq!(trainer.optimizer().steps(), 0);
    };
    says(
        &["bias", "spread", "bias"],
        "the metrics must have distinct names, got \"bias\" for both metrics 0 and 2. Give a metric another name: \
         `Named::new(\"another\", metric)`.",
    );
    for (names, found) in [
        (&["loss"][..], "\"loss\" for metric 0, which is the name of the loss"),
        (&["bias", "seconds"], "\"seconds\" for metric 1, which is the name of the time"),
        (&["val_loss"], "\"val_loss\" for metric 0, which is the name of \"loss\" over validation data"),
        (
            &["val_bias", "bias"],
            "\"val_bias\" for metric 0, which is the name of \"bias\" over validation data",
        ),
        (&["val_x"], "\"val_x\" for metric 0, which is a name for values over validation data"),
    ] {
        says(
            names,
            &format!(
                "the metrics must have names that no other value has, got {found}. Give a metric another name: \
                 `Named::new(\"another\", metric)`."
            ),
        );
    }
    // Two metrics of the same kind, one of which is renamed.
    let mut two =
        trainer().metric(R2::default()).metric(plywood::metrics::Named::new("r2_again", R2::default()));
    let history = two.fit(&mut normalized(), &sums(20)).unwrap();
    assert_eq!(history.last("r2"), history.last("r2_again"));
    trainer().metric(Called("validity")).metric(Called("loss_2")).fit(&mut normalized(), &sums(20)).unwrap();
}

/// A value that is finite in the data but not in the model's type is shown as in the data, with its column.
#[test]
fn a_number_that_is_too_large_for_f32_is_shown_as_it_stands() {
    let net = |inputs: usize| Sequential::builder([inputs]).layer(Dense::units(1)).build().unwrap();
    let help = "Give such numbers in a larger unit, or train a model of `f64`.";
    // From a table with named columns, which may be reordered.
    let file = "a,size,y\n1,2,3\n4,1e39,6\n";
    let table = TableCsv::target("y").classes(["3", "6"]).inputs(["size", "a"]);
    let table = table.read_labelled_from::<f64>(file.as_bytes(), "f.csv").unwrap();
    let mut trainer = Trainer::new(BinaryCrossEntropy::default().from_logits(true), SGD::default())
        .progress(Progress::Silent);
    let column = format!("column \"size\" of sample 1 must be finite in f32, got 1e39. {help}");
    assert_eq!(text(trainer.fit(&mut net(2), &table)), format!("fit: {column}"));
    assert_eq!(text(Normalizer::standard().fit::<f32, _>(&table)), format!("fit a normalizer: {column}"));
    // From an array, whose values are named by position.
    let mut inputs = Array2::<f64>::zeros((40, 3));
    (inputs[[7, 2]], inputs[[9, 0]]) = (-1e300, 1e39);
    let data = ArrayDataset::new(inputs.clone(), vec![0usize; 40]).unwrap();
    trainer = trainer.shuffle(false);
    let found = text(trainer.fit(&mut net(3), &data));
    assert_eq!(found, format!("fit: number 2 of sample 7 must be finite in f32, got -1e300. {help}"));
    // A value that is not finite in the data is reported as such.
    inputs[[7, 2]] = f64::INFINITY;
    let data = ArrayDataset::new(inputs.clone(), vec![0usize; 40]).unwrap().first(8);
    let found = text(trainer.fit(&mut net(3), &data));
    assert!(found.starts_with("fit: the input of sample 7 is not finite (NaN or infinity)"), "{found}");

    let data = ArrayDataset::new(Array2::<f32>::zeros((3, 2)), vec![0usize; 3]).unwrap();
    let data = data.weights(vec![1.0, 1e39, 0.0]).unwrap();
    let ratios = "Only their ratios count: divide all weights by their mean.";
    assert_eq!(
        text(trainer.fit(&mut net(2), &data)),
        format!("fit: the weight of sample 1 must be finite in f32, got 1e39. {ratios}")
    );
    let two = || Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build().unwrap();
    let data = ArrayDataset::new(Array2::<f32>::zeros((3, 2)), vec![0usize; 3]).unwrap();
    let loss = CrossEntropy::default().class_weights([1.0, 1e39]);
    assert_eq!(
        text(Trainer::new(loss, SGD::default()).progress(Progress::Silent).fit(&mut two(), &data)),
        format!("fit, cross-entropy: each class weight must be finite in f32, got 1e39. {ratios}")
    );
    let loss = BinaryCrossEntropy::default().from_logits(true).positive_weight(1e39);
    let found = text(Trainer::new(loss, SGD::default()).progress(Progress::Silent).fit(&mut net(2), &data));
    assert!(
        found.contains("each positive weight must be a number that is finite in f32, got 1e39"),
        "{found}"
    );
}
