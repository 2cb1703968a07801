//! Training through the public API: the guarantees of `fit`.

use ndarray::{Array2, Axis};
use plywood::prelude::*;
use plywood::{ErrorKind, ndarray};
use std::sync::{Arc, Mutex};

/// Returns three blobs in the plane. The labels of the last quarter are all 0, so that the order of a split is visible.
fn blobs(samples: usize) -> ArrayDataset<f32, Vec<usize>> {
    let mut draws = Random::seed(5).child("blobs").at(0, 0);
    let labels: Vec<usize> = (0..samples).map(|i| if i >= samples * 3 / 4 { 0 } else { i % 3 }).collect();
    let centres = [[0.0, 1.0], [1.0, -1.0], [-1.0, -1.0]];
    let x =
        Array2::from_shape_fn((samples, 2), |(i, j)| (centres[labels[i]][j] + 0.4 * draws.normal()) as f32);
    ArrayDataset::new(x, labels).unwrap()
}

fn network(seed: u64) -> Sequential {
    Sequential::builder([2])
        .seed(seed)
        .layer(Dense::units(16))
        .layer(BatchNorm::new())
        .layer(ReLU)
        .layer(Dropout::rate(0.2))
        .layer(Dense::units(3))
        .layer(Softmax)
        .build()
        .unwrap()
}

fn trainer() -> Trainer<CrossEntropy> {
    Trainer::new(CrossEntropy::default(), Adam::default())
        .learning_rate(0.01)
        .metric(Accuracy::default())
        .progress(Progress::Silent)
}

fn bits(model: &dyn Model) -> Vec<u32> {
    let mut bits = Vec::new();
    model.each_param(&mut |_, param| bits.extend(param.as_slice().iter().map(|v| v.to_bits())));
    bits
}

#[test]
fn one_seed_gives_one_result_to_the_bit_for_any_number_of_threads() {
    let train = |model_seed, order_seed, threads| {
        let _threads = crate::take_threads(threads);
        let mut model = network(model_seed);
        let history =
            trainer().seed(order_seed).epochs(3).validation_split(0.2).fit(&mut model, &blobs(900)).unwrap();
        let values: Vec<_> = history.epochs.into_iter().map(|epoch| epoch.values).collect();
        (bits(&model), values)
    };
    let first = train(1, 1, 1);
    for threads in [1, 2, 3, 4, 8] {
        assert_eq!(train(1, 1, threads), first);
    }
    assert_ne!(train(2, 1, 1).0, first.0, "the model's seed matters");
    assert_ne!(train(1, 2, 1).0, first.0, "the order's seed matters");
}

#[test]
fn a_second_fit_goes_on_where_the_first_ended() {
    let data = blobs(200);
    let (mut a, mut b) = (network(1), network(1));
    let mut whole = trainer().epochs(4);
    whole.fit(&mut a, &data).unwrap();
    let mut parts = trainer().epochs(2);
    parts.fit(&mut b, &data).unwrap();
    let history = parts.fit(&mut b, &data).unwrap();
    assert_eq!(bits(&a), bits(&b));
    assert_eq!(history.epochs.iter().map(|e| e.number).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(parts.optimizer().steps(), whole.optimizer().steps());
}

#[test]
fn the_validation_split_is_the_last_share_before_shuffling() {
    let data = blobs(400);
    let mut model = network(1);
    let mut t = trainer().epochs(15).validation_split(0.25);
    let history = t.fit(&mut model, &data).unwrap();
    // The last quarter is all of class 0, so validation measures how well that class is predicted.
    let tail = plywood::data::Subset::new::<f32>(&data, (300..400).collect()).unwrap();
    let evaluation = t.evaluate(&model, &tail).unwrap();
    assert_eq!(evaluation.get("accuracy"), history.last("val_accuracy"));
    assert_eq!(Some(evaluation.loss), history.last("val_loss"));
    assert!(history.last("val_accuracy").unwrap() > 0.85);

    let mut again = network(1);
    let head = plywood::data::Subset::new::<f32>(&data, (0..300).collect()).unwrap();
    let mut t = trainer().epochs(15);
    let same = t.fit_with_validation(&mut again, &head, &tail).unwrap();
    assert_eq!(bits(&model), bits(&again));
    assert_eq!(same.get("val_loss"), history.get("val_loss"));
}

#[test]
fn early_stopping_restores_the_best_weights_and_buffers() {
    /// A callback that records the model at the end of each epoch.
    struct Recorder(Arc<Mutex<Vec<Vec<u32>>>>);
    impl Callback for Recorder {
        fn on_epoch_end(&mut self, context: &mut Context<'_>) -> Result<()> {
            self.0.lock().unwrap().push(bits(context.model()));
            Ok(())
        }
    }
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut model = network(1);
    let history = trainer()
        .learning_rate(0.3)
        .epochs(50)
        .validation_split(0.2)
        .callback(Recorder(seen.clone()))
        .callback(EarlyStopping::patience(3))
        .fit(&mut model, &blobs(120))
        .unwrap();
    let losses = history.get("val_loss");
    let best = (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b])).unwrap();
    assert_eq!(losses.len(), best + 4, "three epochs without a better one: {losses:?}");
    assert_eq!(bits(&model), seen.lock().unwrap()[best]);

    let error = trainer().callback(EarlyStopping::patience(1)).fit(&mut network(1), &blobs(60)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "fit, EarlyStopping: the value to monitor must be one of the epoch's (loss, accuracy), got val_loss. \
         Values that begin with \"val_\" need validation data or `validation_split`."
    );
}

#[test]
fn a_callback_can_stop_after_a_batch() {
    struct Stop;
    impl Callback for Stop {
        fn on_batch_end(&mut self, context: &mut Context<'_>) -> Result<()> {
            if context.step() == 3 {
                context.stop();
            }
            Ok(())
        }
    }
    let mut t = trainer().epochs(5).callback(Stop);
    let history = t.fit(&mut network(1), &blobs(200)).unwrap();
    assert_eq!((history.epochs.len(), t.optimizer().steps()), (1, 3));
}

#[test]
fn what_is_not_finite_is_named_and_the_step_not_taken() {
    let (mut x, labels) = (blobs(64).inputs().clone(), vec![0; 64]);
    x[[17, 1]] = f32::NAN;
    let data = ArrayDataset::new(x, labels.clone()).unwrap();
    let plain =
        || Sequential::builder([2]).layer(Dense::units(4)).layer(ReLU).layer(Dense::units(3)).layer(Softmax);
    let mut model = plain().build().unwrap();
    let error = trainer().shuffle(false).fit(&mut model, &data).unwrap_err();
    assert_eq!(
        error.to_string(),
        "fit: the input of sample 17 is not finite (NaN or infinity). \
         Clean the data: leave such samples out, or fill in what is missing."
    );
    assert_eq!(bits(&model), bits(&plain().build().unwrap()), "the step was not taken");

    let mut model = plain().build().unwrap();
    let error = trainer().learning_rate(1e30).epochs(3).fit(&mut model, &blobs(64)).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NonFinite { what, .. } if what.contains("layer 2 (dense)")),
        "{error}"
    );
    assert!(error.to_string().contains("lower the learning rate"), "{error}");
}

#[test]
fn settings_that_make_no_sense_are_errors_before_the_first_step() {
    let data = blobs(40);
    let fit = |t: &mut Trainer<CrossEntropy>| t.fit(&mut network(1), &data).unwrap_err().to_string();
    assert!(fit(&mut trainer().epochs(0)).contains("`epochs` must be at least 1, got 0"));
    assert!(fit(&mut trainer().batch_size(0)).contains("the batch size must be from 1 to 40"));
    assert!(fit(&mut trainer().batch_size(41)).contains("the batch size must be from 1 to 40"));
    for size in [0, 41] {
        let found = trainer().batch_size(size).find_learning_rate(&network(1), &data, 1e-4, 1.0, 10);
        assert!(found.unwrap_err().to_string().contains("the batch size must be from 1 to 40"));
    }
    assert!(fit(&mut trainer().validation_split(1.0)).contains("above 0 and below 1"));
    assert!(fit(&mut trainer().learning_rate(-1.0)).contains("the learning rate must be at least 0"));
    assert!(fit(&mut trainer().learning_rate(f64::NAN)).contains("the learning rate must be at least 0"));
    assert!(fit(&mut trainer().clip_norm(0.0)).contains("the clipping norm must be positive"));
    let mut bad =
        Trainer::new(CrossEntropy::default(), Adam::default().betas(1.0, 0.9)).progress(Progress::Silent);
    assert!(fit(&mut bad).contains("`beta1` must be at least 0 and below 1"));

    let empty = ArrayDataset::new(Array2::<f32>::zeros((0, 2)), Vec::new()).unwrap();
    assert!(trainer().fit(&mut network(1), &empty).unwrap_err().to_string().contains("at least one sample"));
    assert!(trainer().evaluate(&network(1), &empty).is_err());
    let other = ArrayDataset::new(Array2::<f32>::zeros((50, 3)), vec![0; 50]).unwrap();
    let text = trainer().fit(&mut network(1), &other).unwrap_err().to_string();
    assert!(text.starts_with("fit: the samples must have shape [2], got [3]"), "{text}");
    let wrong = ArrayDataset::new(Array2::<f32>::zeros((50, 2)), vec![3; 50]).unwrap();
    let text = trainer().fit(&mut network(1), &wrong).unwrap_err().to_string();
    assert!(text.contains("below 3, the number of outputs, got 3"), "{text}");
}

#[test]
fn sample_weights_count_in_training_and_a_weight_of_0_leaves_out() {
    let data = blobs(90);
    let x = data.inputs().clone().into_dimensionality::<ndarray::Ix2>().unwrap();
    let labels = data.targets();
    // Faulty copies with a weight of 0 have no effect, as long as each batch has the same samples otherwise.
    let mut doubled = Array2::zeros((180, 2));
    let (mut all, mut weights) = (Vec::new(), Vec::new());
    for (i, (row, &label)) in x.outer_iter().zip(labels).enumerate() {
        doubled.row_mut(2 * i).assign(&row);
        doubled.row_mut(2 * i + 1).fill(9.0);
        all.extend([label, 1]);
        weights.extend([1.0, 0.0]);
    }
    let spoilt = ArrayDataset::new(doubled, all).unwrap().weights(weights).unwrap();
    let plain = || Sequential::<f64>::builder_of([2]).layer(Dense::units(3)).layer(Softmax).build().unwrap();
    let fit = |data: &ArrayDataset<f32, Vec<usize>>, batch, rate| {
        let mut model = plain();
        let mut t = Trainer::new(CrossEntropy::default(), SGD::default()).batch_size(batch).shuffle(false);
        t = t.learning_rate(rate).metric(Accuracy::default()).progress(Progress::Silent).epochs(2);
        let history = t.fit(&mut model, data).unwrap();
        (model.predict(&Array2::ones((1, 2))).unwrap(), history.last("loss"), history.last("accuracy"))
    };
    // The copies count in the number of samples that a step divides by, so the learning rate is doubled.
    let (a, b) = (fit(&data, 30, 0.01), fit(&spoilt, 60, 0.02));
    assert!((&a.0 - &b.0).iter().all(|d| d.abs() < 1e-12));
    assert!((a.1.unwrap() - b.1.unwrap()).abs() < 1e-12);
    assert_eq!(a.2, b.2);
}

#[test]
fn frozen_layers_keep_their_values_and_their_gradients_are_not_computed() {
    let mut model = network(1);
    assert_eq!(model.freeze("0.").unwrap(), 2);
    let before = model.clone();
    trainer().fit(&mut model, &blobs(100)).unwrap();
    let value = |model: &Sequential, wanted: &str| {
        let mut found = None;
        model.visit_params(&mut |name, param| {
            if name == wanted {
                found = Some(param.value().clone());
            }
        });
        found.unwrap()
    };
    assert_eq!(value(&model, "0.weight"), value(&before, "0.weight"));
    assert_ne!(value(&model, "4.weight"), value(&before, "4.weight"));
    model.visit_params(&mut |name, param| assert!(!name.starts_with("0.") || param.gradient().is_none()));
}

/// A layer that multiplies by a trained factor, and returns an error if the gradient of its input is requested.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Factor {
    factor: Param,
}

impl Layer for Factor {
    const KIND: Kind = Kind::own("test.factor");
    type Cache = Tensor;
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(input.to_vec())
    }
    fn forward(&self, input: Tensor) -> Result<Tensor> {
        Ok(input * self.factor.as_slice()[0])
    }
    fn forward_train(&mut self, input: Tensor) -> Result<(Tensor, Tensor)> {
        Ok((self.forward(input.clone())?, input))
    }
    fn backward(&mut self, _: Tensor, _: Tensor) -> Result<Tensor> {
        Err(Error::custom("the gradient at the input was asked for"))
    }
    fn backward_params(&mut self, input: Tensor, grad: Tensor) -> Result<()> {
        let sum = (input * grad).sum();
        self.factor.add_gradient(&ndarray::arr1(&[sum]).into_dyn())
    }
    fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param)) {
        visit("factor", &self.factor);
    }
    fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param)) {
        visit("factor", &mut self.factor);
    }
}

#[test]
fn the_first_trainable_layer_is_not_asked_for_its_inputs_gradient() {
    let factor = || Factor { factor: Param::new(ndarray::arr1(&[1.0])) };
    let head = || Sequential::block().layer(Dense::units(3)).layer(Softmax);
    // After layers without parameters, and inside a container that comes first.
    let plain = Sequential::builder([2]).layer(ReLU).layer(factor()).layer(head()).build().unwrap();
    let inner = Sequential::block().layer(Tanh).layer(factor());
    let nested = Sequential::builder([2]).layer(Flatten).layer(inner).layer(head()).build().unwrap();
    for mut model in [plain, nested] {
        let before = bits(&model);
        trainer().fit(&mut model, &blobs(60)).unwrap();
        assert_ne!(bits(&model)[0], before[0], "its parameter is trained all the same");
    }
    // If there is a trainable layer before it, the gradient is requested.
    let mut model =
        Sequential::builder([2]).layer(Dense::units(2)).layer(factor()).layer(head()).build().unwrap();
    let error = trainer().fit(&mut model, &blobs(60)).unwrap_err().to_string();
    assert_eq!(error, "fit, layer 1 (test.factor): the gradient at the input was asked for");
}

#[test]
fn regression_learns_a_line() {
    let x = Array2::from_shape_fn((64, 1), |(i, _)| i as f32 / 32.0 - 1.0);
    let y = x.mapv(|x| 3.0 * x - 1.0);
    let data = ArrayDataset::new(x, y).unwrap();
    let mut model = Sequential::builder([1]).layer(Dense::units(1)).build().unwrap();
    for loss in 0..2 {
        let fit = |model: &mut Sequential| match loss {
            0 => Trainer::new(MeanSquaredError, SGD::default().momentum(0.9))
                .epochs(60)
                .progress(Progress::Silent)
                .fit(model, &data),
            _ => Trainer::new(MeanAbsoluteError, Adam::default())
                .learning_rate(|step| 0.01 / (1.0 + step as f64 / 50.0))
                .epochs(60)
                .progress(Progress::Silent)
                .fit(model, &data),
        };
        let history = fit(&mut model).unwrap();
        assert!(history.last("loss").unwrap() < 0.02, "{history}");
    }
}

#[test]
fn one_model_serves_many_threads_the_same_bits() {
    let mut model = network(1);
    trainer().fit(&mut model, &blobs(200)).unwrap();
    let model = Arc::new(model);
    let x = blobs(700).inputs().clone();
    let whole = model.predict(&x).unwrap();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (model, x, whole) = (model.clone(), &x, &whole);
            scope.spawn(move || {
                for i in (worker..700).step_by(37) {
                    let alone = model.predict(&x.slice_axis(Axis(0), (i..=i).into())).unwrap();
                    assert_eq!(
                        alone.row_bits(),
                        whole.slice_axis(Axis(0), (i..=i).into()).to_owned().row_bits()
                    );
                }
            });
        }
    });
}

trait RowBits {
    fn row_bits(&self) -> Vec<u32>;
}

impl RowBits for Tensor {
    fn row_bits(&self) -> Vec<u32> {
        self.iter().map(|v| v.to_bits()).collect()
    }
}

#[test]
fn any_view_in_any_order_predicts_the_same() {
    let model = network(1);
    let x = blobs(50).inputs().clone().into_dimensionality::<ndarray::Ix2>().unwrap();
    let whole = model.predict(&x).unwrap();
    let mut fortran = Array2::zeros(ndarray::ShapeBuilder::f((50, 2)));
    fortran.assign(&x);
    assert_eq!(model.predict(&fortran).unwrap(), whole);
    let mut backwards = x.clone();
    backwards.invert_axis(Axis(0));
    backwards.invert_axis(Axis(0));
    assert_eq!(model.predict(&backwards.view()).unwrap(), whole);
    let every_second = model.predict(&x.slice(ndarray::s![..;2, ..])).unwrap();
    assert_eq!(every_second, whole.slice(ndarray::s![..;2, ..]).to_owned().into_dyn());
    assert_eq!(model.predict(&x.slice(ndarray::s![..0, ..])).unwrap().shape(), [0, 3]);
}

#[test]
fn wrong_shapes_teach() {
    let model = network(1);
    let text = |shape: &[usize]| model.predict(&Tensor::<f32>::zeros(shape)).unwrap_err().to_string();
    assert_eq!(
        text(&[2]),
        "predict: the input must have shape [batch, 2], got [2]. Axis 0 is the batch: give one sample as a batch \
         of one, with `insert_axis(Axis(0))`."
    );
    assert!(text(&[3, 3]).contains("[batch, 2], got [3, 3]"));
    assert!(text(&[]).contains("got []"));

    let build = |f: fn(plywood::nn::SequentialBuilder) -> plywood::nn::SequentialBuilder, shape: &[usize]| {
        f(Sequential::builder(shape)).build().unwrap_err().to_string()
    };
    assert_eq!(
        build(|b| b.layer(Dense::units(4)).layer(Reshape::to([3])), &[2]),
        "layer 1 (reshape): the input must have shape [3] or another shape with as many numbers, got [4]. A \
         change of shape keeps the number of elements: give `Reshape::to` a shape with as many."
    );
    assert!(build(|b| b.layer(BatchNorm::new()), &[]).contains("[features] or [channels, …], got []"));
    let huge = [4, usize::MAX, 2]; // a size that no array can have
    assert!(
        build(|b| b.layer(GroupNorm::groups(2)), &huge)
            .contains("the input must have shape […], small enough to fit into memory")
    );
    assert!(build(|b| b.layer(BatchNorm::new()), &[usize::MAX]).contains("small enough to fit into memory"));
    assert!(build(|b| b.layer(Dropout::rate(1.0)), &[2]).contains("at least 0 and below 1, got 1"));
    assert!(build(|b| b.layer(LeakyReLU::slope(f64::NAN)), &[2]).starts_with("layer 0 (leaky_relu)"));
    assert!(build(|b| b.layer(Dense::units(3)), &[0]).contains("sizes of at least 1"));
    assert!(build(|b| b.layer(Dense::units(usize::MAX)), &[1000]).starts_with("layer 0 (dense)"));
    assert!(build(|b| b.layer(Dense::units(3)), &[]).contains("the last axis"));
    assert!(
        Sequential::block()
            .layer(ReLU)
            .build()
            .unwrap_err()
            .to_string()
            .contains("Sequential::builder(shape)")
    );
}

#[test]
fn damaged_and_foreign_files_are_errors() {
    let model = network(1);
    let bytes = model.to_bytes().unwrap();
    let registry = Registry::builtin();
    assert_eq!(bits(&Sequential::from_bytes(&bytes, &registry).unwrap()), bits(&model));
    for cut in 0..bytes.len() {
        assert!(Sequential::from_bytes(&bytes[..cut], &registry).is_err(), "cut at {cut}");
    }
    let text = |bytes: &[u8]| Sequential::from_bytes(bytes, &registry).unwrap_err().to_string();
    assert!(text(b"PK\x03\x04 a zip file").contains("not a Plywood file"));
    let mut newer = bytes.clone();
    newer[8] = 10;
    assert!(text(&newer).contains("the format's version must be 8, got 10"));
    let double =
        Sequential::<f64>::builder_of([2]).layer(Dense::units(1)).build().unwrap().to_bytes().unwrap();
    assert!(text(&double).contains("the file's element type must be f32, got f64"));
    assert!(
        Sequential::load("/nowhere/at/all")
            .unwrap_err()
            .to_string()
            .contains("could not read /nowhere/at/all")
    );
    assert!(
        model.save("/nowhere/at/all").unwrap_err().to_string().contains("could not write /nowhere/at/all")
    );
}

#[test]
fn arrays_without_axes_are_errors_or_nothing() {
    use plywood::testing::LayerCheck;
    let point = || ndarray::arr0(1.0f32).into_dyn();
    let error = LayerCheck::<f32>::new(&[]).inputs(point()).run(Tanh).unwrap_err().to_string();
    assert!(error.contains("the inputs must have shape [batch, …], got []"), "{error}");

    #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
    struct Number(Param);
    impl Layer for Number {
        const KIND: Kind = Kind::own("test.number");
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
            Ok(grad)
        }
        fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param)) {
            visit("number", &mut self.0);
        }
    }
    let mut layer = Number(Param::new(ndarray::arr0(1.0)));
    layer.0.add_gradient_rows(&[], Array2::zeros((0, 0)).view()).unwrap();
    Optimizer::new(Adam::default()).clip_norm(1.0).step(&mut layer).unwrap();
    assert_eq!(layer.0.as_slice(), [1.0]);
}
