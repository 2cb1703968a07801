//! Error texts, one of each kind and of most places that make one, in error_texts.txt: to be read in one go.

use crate::folder::Folder;
use ndarray::{Array2, ArrayD, arr1, arr2};
use plywood::data::{Column, DateFormat, HoldOut, IdxStream, Subset, Table, idx, split_at, synthetic};
use plywood::io::{State, StateDict};
use plywood::losses::class_weights;
use plywood::metrics::{
    Average, CalibrationBin, ClassReport, ClassificationReport, ConfusedPair, ConfusionMatrix, ErrorAnalysis,
    LabelReport, MeanStd, Mistake, Named, RocCurve, roc_curve,
};
use plywood::nn::SequentialBuilder;
use plywood::optim::*;
use plywood::prelude::*;
use plywood::preprocessing::{CategoryIds, Columns, Features, Fill, InputBlock, Notes, Scaling};
use plywood::train::{Checkpoints, GradientTrace, History, LearningRateCurve, Search, Space, Trial};
use std::path::Path;

/// The texts of what has to be errors.
macro_rules! texts {
    ($($result:expr;)*) => {
        vec![$(match $result {
            Ok(_) => format!("NO ERROR {}", stringify!($result)),
            Err(error) => error.to_string(),
        }),*]
    };
}

type Texts = Vec<String>;

fn image() -> SequentialBuilder {
    Sequential::builder([3, 8, 8])
}

fn words() -> SequentialBuilder {
    Sequential::builder([2]).layer(Embedding::vocabulary(5, 3).padding(0))
}

fn row() -> SequentialBuilder {
    Sequential::builder([4])
}

fn layers() -> Texts {
    let block = |units| Sequential::block().layer(Dense::units(units));
    texts! {
        Sequential::builder([0]).layer(ReLU).build();
        Sequential::block().layer(ReLU).build();
        Sequential::builder([1; 33]).build();
        Sequential::builder([usize::MAX, 2]).build();
        row().layer(Dense::units(0)).build();
        Sequential::builder([]).layer(Dense::units(1)).build();
        row().layer(Dense::units(usize::MAX)).build();
        row().layer(LeakyReLU::slope(f64::NAN)).build();
        row().layer(ELU::alpha(f64::INFINITY)).build();
        row().layer(Softplus::beta(0.0)).build();
        row().layer(PReLU::new().initial(f64::NAN)).build();
        row().layer(Dropout::rate(1.0)).build();
        row().layer(GaussianNoise::std_dev(-1.0)).build();
        row().layer(BatchNorm::new().epsilon(0.0)).build();
        row().layer(BatchNorm::new().momentum(2.0)).build();
        row().layer(LayerNorm::new().axes(2)).build();
        row().layer(LayerNorm::new().epsilon(0.0)).build();
        row().layer(GroupNorm::groups(4)).build();
        Sequential::builder([6, 5]).layer(GroupNorm::groups(4)).build();
        row().layer(Reshape::to([3])).build();
        row().layer(Embedding::vocabulary(0, 2)).build();
        row().layer(Embedding::vocabulary(2, 0)).build();
        row().layer(Embedding::vocabulary(2, 2).padding(2)).build();
        image().layer(EmbeddingBag::vocabulary(2, 2)).build();
        row().layer(Concat::of(Vec::<SequentialBuilder>::new())).build();
        Sequential::builder([2, 5]).layer(Concat::of([block(2), block(3)]).axis(3)).build();
        Sequential::builder([2, 5]).layer(Concat::of([block(2), block(3)]).axis(1)).build();
        row().layer(Add::of([block(4), block(3)])).build();
        row().layer(Residual::around(block(3))).build();
        row().layer(Conv1d::filters(2, 3)).build();
        row().layer(Conv2d::filters(2, 3)).build();
        image().layer(Conv2d::filters(0, 3)).build();
        image().layer(Conv2d::filters(4, 3).groups(2)).build();
        image().layer(Conv2d::filters(2, 0)).build();
        image().layer(Conv2d::filters(2, 9)).build();
        image().layer(Conv2d::filters(2, 3).stride(0)).build();
        image().layer(Conv2d::filters(2, 3).dilation(0)).build();
        image().layer(Conv2d::filters(2, 3).padding(usize::MAX)).build();
        Sequential::builder([1, 8]).layer(Conv1d::filters(2, 3).padding([1, 2])).build();
        image().layer(MaxPool2d::window(2).padding(2)).build();
        image().layer(AdaptiveAvgPool2d::to(0)).build();
        image().layer(Upsample::by(0)).build();
        words().layer(Flatten).build();
        words().layer(PoolSteps::mean()).build().unwrap().predict(&plywood::ndarray::arr2(&[[0.0f32, 1.0]]));
        row().layer(Add::of([Sequential::block().layer(Embedding::vocabulary(5, 2).padding(0))])).build();
        row().layer(GlobalAvgPool).build();
        row().layer(ReLU).build().unwrap().split_off(2);
        Graph::try_from(row().layer(ReLU).build().unwrap()).unwrap().with_outputs(&[("features", "relu")]);
        Graph::try_from(row().layer(ReLU).build().unwrap()).unwrap().with_outputs(&[]);
        row().layer(Dense::units(1)).build().unwrap().freeze("dense");
        row().layer(BatchNorm::new()).build().unwrap().freeze("0.running_mean");
        Initializer::Constant(f64::NAN).tensor::<f32>(&[2], 1, 1, &Random::seed(0));
        Initializer::Uniform { low: 1.0, high: 0.0 }.tensor::<f32>(&[2], 1, 1, &Random::seed(0));
        Initializer::Normal { mean: 0.0, std_dev: -1.0 }.tensor::<f32>(&[2], 1, 1, &Random::seed(0));
        Initializer::Orthogonal { gain: f64::NAN }.tensor::<f32>(&[2, 2], 1, 1, &Random::seed(0));
        Initializer::Orthogonal { gain: 1.0 }.tensor::<f32>(&[2], 1, 1, &Random::seed(0));
        Param::<f32>::new(arr1(&[1.0, 2.0])).set_value(arr1(&[1.0]).into_dyn());
        Param::<f32>::new(arr1(&[1.0, 2.0])).add_gradient(&arr1(&[1.0]).into_dyn());
        Param::<f32>::new(arr2(&[[1.0]])).add_gradient_rows(&[1], arr2(&[[1.0]]).view());
        Param::<f32>::new(arr2(&[[1.0]])).add_gradient_rows(&[0], arr2(&[[1.0, 2.0]]).view());
        plywood::set_threads(0);
    }
}

fn predictions() -> Texts {
    let model = |units: usize| row().layer(Dense::units(units));
    let dense = model(3).build().unwrap();
    let x = Array2::<f32>::zeros((2, 4));
    let words = Sequential::builder([2]).layer(Embedding::vocabulary(4, 1)).build().unwrap();
    texts! {
        dense.predict(&arr1(&[1.0, 2.0, 3.0, 4.0]));
        dense.predict(&Array2::<f32>::zeros((2, 5)));
        dense.predict_classes(&Array2::from_elem((2, 4), f32::NAN));
        dense.predict_into(&x, &mut Array2::zeros((2, 2)));
        words.predict(&arr2(&[[0.0, 1.5]]));
        model(3).layer(Sigmoid).build().unwrap().predict_classes(&x);
        model(1).layer(Softmax).build().unwrap().predict_classes(&x);
        model(1).layer(ReLU).build().unwrap().predict_classes(&x);
        model(3).layer(Softmax).build().unwrap().predict_labels(&x, 0.5);
        model(3).layer(Sigmoid).build().unwrap().predict_labels(&x, [0.5, 0.5]);
        model(3).layer(Sigmoid).build().unwrap().predict_labels(&x, f64::NAN);
    }
}

/// A step of an optimizer over a model with a gradient.
fn step(optimizer: impl Into<Optimizer>) -> Result<()> {
    let mut model = row().layer(Dense::units(2)).build().unwrap();
    let (x, target) = (Tensor::ones(vec![3, 4]), Tensor::zeros(vec![3, 2]));
    plywood::train::accumulate(&mut model, &MeanSquaredError, x, &target, None)?;
    optimizer.into().step(&mut model)
}

fn optimizers() -> Texts {
    let adam = || Optimizer::new(Adam::default());
    let group = |group: Group| step(adam().group(group));
    let all = || Group::matching("*");
    texts! {
        step(Adam::default().betas(1.0, 0.9));
        step(Adam::default().epsilon(0.0));
        step(Adam::default().weight_decay(-1.0));
        step(SGD::default().momentum(1.5));
        step(Adagrad::default().initial_sum(-1.0));
        step(Adagrad::default().learning_rate_decay(-1.0));
        step(Muon::default().rounds(0));
        step(adam().learning_rate(-1.0));
        step(adam().clip_value(0.0));
        step(adam().clip_norm_per_parameter(0.0));
        step(adam().clip_norm(0.0));
        step(adam().batches_per_step(0));
        step(adam().average(Averaging::exponential(-1.0)));
        step(adam().average(Averaging::uniform().every(0)));
        step(Optimizer::new(ScheduleFreeAdamW::default()).average(Averaging::uniform()));
        group(all().learning_rate_factor(-1.0));
        group(all().l1(-1.0));
        group(all().l2(-1.0));
        group(all().max_norm(0.0));
        group(Group::matching("*.gamma"));
        group(Group::matching("*.bias").max_norm(1.0));
        step(Optimizer::new(ScheduleFreeAdamW::default()).group(all().max_norm(1.0)));
        step(adam().learning_rate(ExponentialDecay { start: -1.0, factor: 0.5, steps: 5 }));
        step(adam().learning_rate(ExponentialDecay { start: 0.1, factor: 0.0, steps: 5 }));
        step(adam().learning_rate(StepDecay { start: 0.1, factor: 0.5, steps: 0 }));
        step(adam().learning_rate(PolynomialDecay { start: 0.1, end: 0.0, power: 0.0, steps: 5 }));
        step(adam().learning_rate(CosineRestarts { start: 0.1, end: 0.0, steps: 5, growth: 0 }));
        step(adam().learning_rate(OneCycle::peak(0.1, 0)));
        step(adam().learning_rate(OneCycle::peak(0.1, 10).rise(2.0)));
        step(adam().learning_rate(Piecewise::constant([(5, 0.1), (1, 0.01)])));
    }
}

fn metrics() -> Texts {
    let (two, labels) = (arr2(&[[0.2f32, 0.8], [0.6, 0.4]]).into_dyn(), [0usize, 1]);
    let (nan, many) = (two.mapv(|_| f32::NAN), two.mapv(|p| 5.0 * p));
    let one = arr2(&[[0.2f32], [1.5]]).into_dyn();
    let none: [bool; 2] = [true, true];
    let (no, yes) = (Array2::from_elem((1, 2), false), Array2::from_elem((2, 2), true));
    texts! {
        Accuracy::default().update(&two, &[0usize][..], None);
        Accuracy::default().update(&two, &[0usize, 2][..], None);
        Accuracy::default().update(&nan, &labels[..], None);
        Accuracy::default().update(&one, &labels[..], None);
        Accuracy::default().threshold(0.5).update(&two, &labels[..], None);
        Accuracy::default().update(&arr1(&[1.0f32]).into_dyn(), &labels[..1], None);
        Accuracy::default().update(&two, &labels[..], Some(&[1.0, -1.0]));
        Accuracy::default().update(&two, &labels[..], Some(&[1.0]));
        LogLoss::default().update(&many, &labels[..], None);
        LogLoss::default().update(&two.mapv(|p| 0.5 * p), &labels[..], None);
        TopK::k(0).update(&two, &labels[..], None);
        CalibrationError::bins(0).update(&two, &labels[..], None);
        FBeta::beta(f64::NAN).update(&two, &labels[..], None);
        Recall::default().average(Average::Class(2)).update(&two, &labels[..], None);
        Recall::default().average(Average::Samples).update(&two, &labels[..], None);
        Recall::default().multi_label(f64::NAN).update(&two, &two, None);
        Recall::default().multi_label(0.5).update(&two, &two, None);
        MAE::default().update(&two, &one, None);
        Metric::<[usize], f32>::begin(&mut LogLoss::default(), plywood::nn::Outputs::Logits, &[2]);
        Metric::<Tensor, f32>::begin(&mut Recall::default(), plywood::nn::Outputs::Probabilities, &[2]);
        Metric::<[usize], f32>::begin(&mut Accuracy::default(), plywood::nn::Outputs::Numbers, &[1]);
        ConfusionMatrix::new(0, &[], &[]);
        ConfusionMatrix::new(2, &[0], &[]);
        ConfusionMatrix::new(2, &[0], &[2]);
        ErrorAnalysis::new(2, &[0], &[1], &[]);
        ErrorAnalysis::new(2, &[0], &[1], &[1.5]);
        LabelReport::new(&yes, &no);
        roc_curve::<f32>(&none, &[0.1], None);
        roc_curve(&none, &[0.1f32, f32::NAN], None);
        roc_curve(&none, &[0.1f32, 0.2], None);
    }
}

fn losses() -> Texts {
    let (two, labels) = (arr2(&[[0.2f32, 0.8], [0.6, 0.4]]).into_dyn(), [0usize, 1]);
    let rows = arr2(&[[0.5f32, 0.5], [1.0, 1.0]]).into_dyn();
    let of = |loss: CrossEntropy, labels: &[usize]| loss.value_and_grad(two.clone(), labels, None, 2.0);
    let soft = |target: &Tensor| SoftCrossEntropy::default().value_and_grad(two.clone(), target, None, 2.0);
    texts! {
        of(CrossEntropy::default(), &labels[..1]);
        of(CrossEntropy::default(), &[0, 2]);
        of(CrossEntropy::default().label_smoothing(2.0), &labels);
        of(CrossEntropy::default().class_weights([1.0]), &labels);
        of(CrossEntropy::default().class_weights([1.0, -1.0]), &labels);
        CrossEntropy::default().value_and_grad(rows.clone(), &labels, None, 2.0);
        CrossEntropy::default().value_and_grad(arr1(&[1.0f32]).into_dyn(), &labels[..1], None, 1.0);
        CrossEntropy::default().value_and_grad(two.clone(), &labels, Some(&[1.0, -1.0]), 2.0);
        soft(&rows);
        soft(&arr2(&[[1.0f32]]).into_dyn());
        Focal::gamma(-1.0).value_and_grad(two.clone(), &labels, None, 2.0);
        Hinge::margin(f64::NAN).value_and_grad(two.clone(), &labels, None, 2.0);
        Huber::delta(0.0).value_and_grad(two.clone(), &two, None, 2.0);
        MeanSquaredError.value_and_grad(two.clone(), &arr1(&[1.0f32]).into_dyn(), None, 2.0);
        BinaryCrossEntropy::default().value_and_grad(arr2(&[[0.5f32]]).into_dyn(), &[2], None, 1.0);
        BinaryCrossEntropy::default().value_and_grad(arr2(&[[1.1f32]]).into_dyn(), &[1], None, 1.0);
        SoftBinaryCrossEntropy::default().value_and_grad(two.clone(), &rows.mapv(|x| 2.0 * x), None, 2.0);
        class_weights(&[0, 0], 0);
        class_weights(&[0, 2], 2);
        class_weights(&[0, 0], 2);
    }
}

fn data() -> Texts {
    let labelled =
        |labels: Vec<usize>| ArrayDataset::new(Array2::<f32>::zeros((labels.len(), 2)), labels).unwrap();
    let three = labelled(vec![0, 0, 1]);
    let images = ArrayDataset::new(ArrayD::<f32>::zeros(vec![2, 1, 4, 5]), vec![0, 1]).unwrap();
    let read = |augment: Augment| Augmented::new(&images, augment).and_then(|data| batch(&data, &[0]));
    let fitted = Normalizer::standard().fit_tensor(&arr2(&[[1.0], [2.0]]).into_dyn()).unwrap();
    let vocabulary = || Vocabulary::of(Tokenizer::words());
    texts! {
        ArrayDataset::new(Array2::<f32>::zeros((3, 2)), vec![0usize; 2]);
        labelled(vec![0, 1]).weights(vec![1.0]);
        labelled(vec![0, 1]).weights(vec![1.0, -1.0]);
        batch(&ArrayDataset::new(arr2(&[[1e39f64]]), vec![0usize]).unwrap(), &[0]);
        batch(&three, &[7]);
        Subset::new::<f32>(&three, vec![3]);
        split_at::<f32, _>(&three, 1.0);
        split_at::<f32, _>(&labelled(Vec::new()), 0.5);
        stratified_split::<f32, _>(&three, 0.5, 0);
        stratified_split::<f32, _>(&labelled(vec![0, 0, 0, 1, 1, 1, 2, 2]), 0.2, 0);
        plywood::data::Folds::<f32, _>::folds(&KFold::new(1), &three);
        OneHot::new(&three, 0);
        OneHot::new(&three, 3).unwrap().smoothing(1.0);
        batch(&OneHot::new(&three, 1).unwrap(), &[2]);
        MixUp::new(&three, 0.0, 0);
        read(Augment::seed(0).shift(4));
        read(Augment::seed(0).rotate(-1.0));
        read(Augment::seed(0).crop(0.9..=0.5));
        read(Augment::seed(0).erase(1.5, 0.1..=0.3));
        read(Augment::seed(0).erase(0.5, 0.3..=0.1));
        read(Augment::seed(0).fill(f64::NAN));
        Augmented::new(&three, Augment::seed(0)).and_then(|data| batch(&data, &[0]));
        Normalizer::range(1.0, 0.0).fit::<f32, _>(&three);
        Normalizer::standard().fit::<f32, _>(&labelled(Vec::new()));
        Normalizer::standard().fit_tensor(&arr2(&[[1.0], [f64::NAN]]).into_dyn());
        fitted.transform(arr2(&[[1.0, 2.0]]).into_dyn());
        synthetic::garments(usize::MAX, 1, 0);
        LabelledTexts::new(vec!["a"], &["x", "y"]);
        LabelledTexts::with_classes(vec!["a"], &["time"], vec!["games".into(), "net".into()]);
        LabelledTexts::with_classes(vec!["a"], &["x"], vec!["net".into(), "net".into()]);
        LabelledTexts::new(vec!["a"], &["x"]).unwrap().split_at(2);
        vocabulary().max_size(2).fit(&["a"]);
        vocabulary().min_count(2).fit(&["a b", "?"]);
        Vocabulary::of(Tokenizer::words().characters(4, 3)).fit(&["a"]);
        vocabulary().fit(&["a"]).unwrap().encode(&["a"], 0);
        vocabulary().fit(&["a"]).unwrap().encode(&["a", "a"], usize::MAX);
    }
}

fn batch<D: Dataset>(data: &D, indices: &[usize]) -> Result<()> {
    data.read(indices, Pass::Train { epoch: 0 }, &mut Batch::default())
}

fn tables(folder: &Folder) -> Texts {
    let read = |file: &str| TableCsv::target("y").read_from::<f32>(file.as_bytes(), "f.csv");
    let classes = |file: &str| {
        TableCsv::target("y").classes(["p", "q"]).read_labelled_from::<f32>(file.as_bytes(), "f.csv")
    };
    texts! {
        read("");
        read("a,y\n");
        read("y\n1\n");
        read("a,a,y\n1,2,3\n");
        read("a;y\n1;2\n");
        read("a,x\n1,2\n");
        read("sep=;\na;y\n1;2\n");
        read("a,y\n1,2,3\n");
        read("a,y\n1,\n");
        read("a,y\n1,x\n");
        read("a,y\n\"1,5\",2\n");
        read("a,y\n1e39,2\n");
        read("a,y\n\"1\"2,2\n");
        read("a,y\n\"1,2\n");
        read("a,y\n1, \"2\"\n");
        TableCsv::target("y").read_from::<f32>(&b"a,y\n\xff,2\n"[..], "f.csv");
        TableCsv::target("y").read_from::<f32>(&b"PK\x03\x04\0\0"[..], "f.csv");
        TableCsv::target("y").separator(b'"').read_from::<f32>(&b"a,y\n1,2\n"[..], "f.csv");
        TableCsv::target("y").inputs(["a", "a"]).read_from::<f32>(&b"a,y\n1,2\n"[..], "f.csv");
        classes("a,y\n1,r\n");
        classes("a,y\n1,\n");
        TableCsv::target("y").classes(["p"]).read_labelled_from::<f32>(&b"a,y\n1,r\n"[..], "f.csv");
        TableCsv::target("y").read::<f32>(folder.0.join("none.csv"));
        TableCsv::target("y").stream::<f32>(folder.write("t.csv", b"\x1f\x8b\x08\0"));
        TableCsv::target("y").stream::<f32>(&folder.0);
    }
}

fn idx_files(folder: &Folder) -> Texts {
    let read = |bytes: &[u8]| idx::read_from(bytes, "f.idx");
    let open =
        |bytes: &[u8], targets: usize| IdxStream::open(folder.write("f.idx", bytes), vec![0usize; targets]);
    texts! {
        read(b"");
        read(b"\x1f");
        read(b"%PDF-1.4");
        read(b"\0\0\x0a\x01\0\0\0\x01\0");
        read(b"\0\0\x08\x00");
        read(b"\0\0\x08\x02\0\0");
        read(b"\0\0\x08\x01\0\0\0\x02\0");
        read(b"\0\0\x08\x01\0\0\0\x01\0\0");
        read(b"\0\0\x08\x01\xff\xff\xff\xff");
        read(b"\x1f\x8b\x08\0");
        read(b"\0\0\x0d\x01\0\0\0\x00").and_then(idx::IdxArray::into_u8);
        read(b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0").and_then(idx::IdxArray::into_labels);
        read(b"\0\0\x09\x01\0\0\0\x01\xff").and_then(idx::IdxArray::into_labels);
        read(b"\0\0\x08\x02\0\0\0\x01\0\0\0\x01\0").and_then(idx::IdxArray::into_labels);
        open(b"\0\0\x0b\x01\0\0\0\x01\0\0", 1);
        open(b"\0\0\x08\x01\0\0\0\x02\0", 2);
        open(b"\0\0\x08\x01\0\0\0\x01\0", 2);
        open(b"\0\0\x08\x01\0\0\0\x00", 0);
        idx::read(folder.0.join("none.idx"));
    }
}

/// Another version, a cut, and one byte of each part changed.
fn saved_models(folder: &Folder) -> Texts {
    let model = row().layer(Dense::units(2)).build().unwrap();
    let bytes = model.to_bytes().unwrap();
    let load = |bytes: &[u8]| Sequential::from_bytes(bytes, &Registry::<f32>::builtin());
    let with = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        load(&bytes)
    };
    let weights = model.weights_to_bytes().unwrap();
    let wide = Sequential::builder([5]).layer(Dense::units(2)).layer(Dense::units(1));
    let large = || StateDict::from_arrays([("a", Tensor::from_elem(vec![1], 1e300f64))]);
    texts! {
        load(b"\x89PNG");
        load(&[]);
        load(&bytes[..bytes.len() - 1]);
        load(&[&bytes[..], b"x"].concat());
        with(8, 1);
        with(8, 9);
        with(13, 8);
        with(50, 255);
        with(bytes.len() - 10, 255);
        Sequential::<f64>::from_bytes(&bytes, &Registry::builtin());
        Sequential::from_bytes(&bytes, &Registry::<f32>::empty().with::<ReLU>());
        Sequential::load(folder.0.join("none.plywood"));
        model.save(&folder.0);
        model.save(folder.0.join("no/such/folder.plywood"));
        wide.build().unwrap().load_state_dict(&StateDict::from_bytes(&weights).unwrap());
        StateDict::from_bytes(b"");
        StateDict::from_bytes(b"\x02\0\0\0\0\0\0\0[]");
        StateDict::from_bytes(&[255; 20]);
        StateDict::from_bytes(&weights[..weights.len() - 1]);
        StateDict::from_bytes(&[&weights[..], b"x"].concat());
        StateDict::from_arrays([("a", Tensor::<f32>::zeros(vec![1])), ("a", Tensor::zeros(vec![1]))]);
        large().and_then(|dict| dict.arrays::<f32>());
        State::<f32>::new().number("best", 1.0).take_number("worst");
        State::<f32>::new().integer("n", u64::MAX).take_integer::<u32>("n");
        model.write_to(&mut Vec::new(), &Metadata::new().classes((0..65_537).map(|_| "")));
    }
}

type Labelled = ArrayDataset<f32, Vec<usize>>;

fn labelled() -> Labelled {
    ArrayDataset::new(
        Array2::from_shape_fn((12, 4), |(i, j)| (i * j) as f32 / 40.0),
        (0..12).map(|i| i % 2).collect(),
    )
    .unwrap()
}

fn trainer() -> Trainer<CrossEntropy> {
    Trainer::new(CrossEntropy::default(), SGD::default()).batch_size(4).epochs(2).progress(Progress::Silent)
}

fn classifier() -> Sequential {
    row().layer(Dense::units(2)).layer(Softmax).build().unwrap()
}

/// Logs a value under this name at the end of an epoch, or after each batch.
struct Logs(&'static str, bool);

impl<F: Scalar> Callback<F> for Logs {
    fn on_epoch_end(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        if self.1 { context.log(self.0, 1.0) } else { Ok(()) }
    }
    fn on_batch_end(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        if self.1 { Ok(()) } else { context.log(self.0, 1.0) }
    }
}

/// Sets this learning rate after the first batch.
struct SetsRate(f64);

impl<F: Scalar> Callback<F> for SetsRate {
    fn on_batch_end(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        context.set_learning_rate(self.0);
        Ok(())
    }
}

/// Has a state, but no kind.
struct Nameless;

impl<F: Scalar> Callback<F> for Nameless {
    fn state(&self) -> Option<State<F>> {
        Some(State::new())
    }
}

/// Fails at this batch of an epoch, as if the program were interrupted.
struct FailsAt(usize);

impl<F: Scalar> Callback<F> for FailsAt {
    fn on_batch_end(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        if context.batch() == self.0 { Err(Error::custom("interrupted")) } else { Ok(()) }
    }
}

/// Resumes runs that were interrupted within an epoch.
fn resuming(folder: &Path) -> Texts {
    let kept = || trainer().checkpoints(Checkpoints::in_folder(folder).every_batches(1));
    let stopping = || EarlyStopping::patience(1).monitor("loss");
    let mut run = kept().metric(Accuracy::default()).callback(stopping()).callback(FailsAt(2));
    let resume = |mut trainer: Trainer<CrossEntropy>| trainer.resume(&mut classifier(), folder);
    assert!(run.fit(&mut classifier(), &labelled()).is_err());
    let other_folder = Checkpoints::in_folder(folder.join("other"));
    texts! {
        resume(kept().callback(stopping()));
        resume(kept().callback(stopping()).metric(Named::new("accuracy", TopK::k(1))));
        resume(kept().metric(Accuracy::default()));
        trainer().callback(Nameless).checkpoints(other_folder).fit(&mut classifier(), &labelled());
    }
}

fn training(folder: &Path) -> Texts {
    let fit = |trainer: Trainer<CrossEntropy>| {
        let mut trainer = trainer;
        trainer.fit(&mut classifier(), &labelled()).map(drop)
    };
    let with = |model: SequentialBuilder| trainer().fit(&mut model.build().unwrap(), &labelled()).map(drop);
    let resumed_with_fewer_epochs = |mut trainer: Trainer<CrossEntropy>| {
        trainer.resume(&mut classifier(), folder)?;
        trainer.fit(&mut classifier(), &labelled())
    };
    let kept = || trainer().checkpoints(Checkpoints::in_folder(folder));
    let mut deeper = row().layer(Dense::units(2)).layer(Dense::units(2)).layer(Softmax).build().unwrap();
    let mut frozen = classifier();
    frozen.freeze("").unwrap();
    let other = ArrayDataset::new(Array2::<f32>::zeros((4, 3)), vec![0; 4]).unwrap();
    let nan = ArrayDataset::new(Array2::from_elem((4, 4), f32::NAN), vec![0; 4]).unwrap();
    let none = ArrayDataset::new(Array2::<f32>::zeros((0, 4)), Vec::new()).unwrap();
    let labels = ArrayDataset::new(Array2::<f32>::zeros((4, 4)), vec![0, 1, 2, 0]).unwrap();
    let weightless = labelled().weights(vec![0.0; 12]).unwrap();
    let mut all = texts! {
        fit(trainer().epochs(0));
        fit(trainer().batch_size(13));
        fit(trainer().validation_split(1.0));
        fit(trainer().callback(EarlyStopping::patience(1).monitor("val_loss")));
        fit(trainer().callback(EarlyStopping::patience(1).monitor("loss").min_delta(-1.0)));
        fit(trainer().callback(Logs("loss", true)));
        fit(trainer().callback(Logs("norm", false)));
        fit(trainer().callback(SetsRate(f64::NAN)));
        fit(trainer().metric(Accuracy::default()).metric(Accuracy::default()));
        fit(trainer().metric(Named::new("loss", Accuracy::default())));
        fit(trainer().checkpoints(Checkpoints::in_folder(folder).keep_last(0)));
        trainer().fit(&mut frozen, &labelled());
        trainer().fit(&mut classifier(), &other);
        trainer().fit(&mut classifier(), &nan);
        trainer().fit(&mut classifier(), &none);
        trainer().fit(&mut classifier(), &labels);
        trainer().fit(&mut classifier(), &weightless);
        trainer().fit_with_validation(&mut classifier(), &labelled(), &none);
        trainer().learning_rate(1e30).fit(&mut deeper, &labelled());
        with(Sequential::builder([4]).layer(Flatten));
        with(row().layer(Dense::units(2)));
        with(row().layer(Dense::units(1)).layer(Sigmoid));
        with(row().layer(Dense::units(1)).layer(Softmax));
        with(row().layer(Dense::units(2)).layer(Softmax).layer(Dropout::rate(0.5)));
        trainer().find_learning_rate(&classifier(), &labelled(), 1.0, 0.1, 20);
        trainer().find_learning_rate(&classifier(), &labelled(), 0.1, 1.0, 5);
        trainer().resume(&mut classifier(), folder);
        evaluate::error_analysis(&row().layer(Dense::units(1)).build().unwrap(), &labelled());
    };
    kept().fit(&mut classifier(), &labelled()).unwrap();
    all.extend(texts! {
        fit(kept());
        kept().seed(7).resume(&mut classifier(), folder);
        resumed_with_fewer_epochs(kept().epochs(1));
        kept().resume(&mut row().layer(Dense::units(3)).layer(Softmax).build().unwrap(), folder);
        Trainer::new(CrossEntropy::default(), Adam::default()).batch_size(4).resume(&mut classifier(), folder);
    });
    all
}

fn searches() -> Texts {
    let rates = || Space::new().choice("rate", [0.01]);
    let run = |search: Search| {
        search.run(&labelled(), &HoldOut::share(0.25), |trial, _| {
            Ok((classifier(), trainer().learning_rate(trial.number("rate")?)))
        })
    };
    texts! {
        run(Search::grid(Space::new()));
        run(Search::grid(rates().choice("rate", [1.0])));
        run(Search::grid(Space::new().uniform("x", 0.0, 1.0)));
        run(Search::grid(Space::new().integer("n", 2, 1)));
        run(Search::grid(Space::new().uniform("x", 1.0, 1.0)));
        run(Search::grid(Space::new().log_uniform("x", 0.0, 1.0)));
        run(Search::grid(Space::new().integer("n", 0, 100_000)));
        run(Search::grid(Space::new().integer("n", 0, 999).integer("m", 0, 999)));
        run(Search::grid(Space::new().choice::<f64>("rate", [])));
        run(Search::random(rates(), 0));
        run(Search::grid(rates()).repeats(0));
        run(Search::grid(rates()).monitor("val_f1"));
        run(Search::grid(Space::new().choice("units", [4])));
        run(Search::grid(Space::new().choice("rate", ["many"])));
    }
}

#[cfg(feature = "plots")]
fn plots() -> Texts {
    use plywood::plot::{Bars, Chart};
    let chart = || Chart::new("c").line("a", &[(1.0, 1.0)]);
    let (data, _) = synthetic::garments(4, 4, 1).unwrap();
    let model =
        Sequential::builder([28, 28]).layer(Flatten).layer(Dense::units(10)).layer(Softmax).build().unwrap();
    texts! {
        plot::curve(&plywood::train::History::default(), "loss");
        plot::confusion_matrix(&ConfusionMatrix::new(3, &[], &[]).unwrap());
        plot::reliability(&[]);
        plot::gradient_norms(&Default::default());
        plot::samples(&model, &data, &[]);
        plot::samples(&model, &data, &[4]);
        plot::samples(&classifier(), &labelled(), &[0]);
        plot::filters(&classifier());
        plot::filters(&row().layer(ReLU).build().unwrap());
        Chart::new("c").draw();
        chart().y_range(2.0, 1.0).draw();
        chart().size(f64::NAN, 9.0).draw();
        chart().draw().unwrap().to_png_scaled(0.0);
        chart().draw().unwrap().save("loss.jpg");
        Bars::new("b", ["one"]).group("g", &[]).draw();
        Bars::new("b", ["one"]).group("g", &[vec![f64::NAN]]).draw();
    }
}

/// What is read from JSON must not contradict itself.
fn reports() -> Texts {
    fn read<T: serde::de::DeserializeOwned>(json: &str) -> std::result::Result<T, serde_json::Error> {
        serde_json::from_str(json)
    }
    let row = |support: u64| format!(r#"{{"name":"m","precision":1,"recall":1,"f1":1,"support":{support}}}"#);
    let labels = format!(
        r#"{{"labels":[],"micro_mean":{0},"macro_mean":{0},"weighted_mean":{0},"samples_mean":{0}}}"#,
        row(1)
    );
    let report = |support: u64, absent: &str| {
        format!(
            r#"{{"classes":[{0}],"accuracy":1,"macro_mean":{0},"weighted_mean":{1},"absent":{absent}}}"#,
            row(1),
            row(support)
        )
    };
    texts! {
        read::<History>(r#"{"epochs":[{"number":1,"values":[["loss",1]],"learning_rate":1,"directions":["Lower","Lower"],"seconds":1}]}"#);
        read::<LearningRateCurve>(r#"{"rates":[1,2],"losses":[1],"smoothed":[1,2],"suggestion":null}"#);
        read::<LearningRateCurve>(r#"{"rates":[2,1],"losses":[1,1],"smoothed":[1,2],"suggestion":null}"#);
        read::<LearningRateCurve>(r#"{"rates":[1],"losses":[1],"smoothed":[1],"suggestion":3}"#);
        read::<GradientTrace>(r#"{"steps":[1,2],"layers":[["1",[1,2]],["2",[1]]]}"#);
        read::<GradientTrace>(r#"{"steps":[1],"layers":[["1",[1]],["1",[1]]]}"#);
        read::<MeanStd>(r#"{"mean":1,"std_dev":-1,"runs":2}"#);
        read::<CalibrationBin>(r#"{"low":2,"high":1,"weight":1,"confidence":0.5,"accuracy":0.5}"#);
        read::<CalibrationBin>(r#"{"low":0,"high":1,"weight":0,"confidence":0.5,"accuracy":0.5}"#);
        read::<ClassReport>(&row(1).replace("\"recall\":1", "\"recall\":2"));
        read::<ClassificationReport>(&report(2, "[]"));
        read::<ClassificationReport>(&report(1, "[3]"));
        read::<ClassificationReport>(&report(1, "[]").replace("\"accuracy\":1", "\"accuracy\":2"));
        read::<LabelReport>(&labels);
        read::<ConfusionMatrix>(r#"{"names":["a","b"],"counts":[1]}"#);
        read::<ConfusedPair>(r#"{"truth":1,"predicted":1,"count":1,"support":1}"#);
        read::<Mistake>(r#"{"position":0,"truth":1,"predicted":1,"confidence":1}"#);
        read::<Mistake>(r#"{"position":0,"truth":1,"predicted":0,"confidence":2}"#);
        read::<ErrorAnalysis>(r#"{"pairs":[],"mistakes":[],"classes":[],"names":["a"]}"#);
        read::<RocCurve>(r#"{"thresholds":["inf"],"false_positive_rates":[0,1],"true_positive_rates":[0]}"#);
        read::<RocCurve>(r#"{"thresholds":[1,2],"false_positive_rates":[0,1],"true_positive_rates":[0,1]}"#);
        read::<RocCurve>(r#"{"thresholds":[2,1],"false_positive_rates":[1,0],"true_positive_rates":[0,1]}"#);
        read::<Trial>(r#"{"values":[["a",{"Integer":1}],["a",{"Integer":2}]]}"#);
        read::<Metadata>(r#"{"written_by":"0","classes":[],"notes":[["a","1"],["a","2"]]}"#);
        read::<Normalizer>(r#"{"shape":[2],"center":[1.0],"scale":[1.0,2.0]}"#);
        read::<LeakyReLU>(r#"{"slope":"nan"}"#);
    }
}

/// The check of a layer that does something else in training.
fn checks() -> Texts {
    #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
    struct Wrong;
    impl<F: Scalar> Layer<F> for Wrong {
        const KIND: Kind = Kind::own("test.wrong");
        type Cache = ();
        fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
            Ok(input.to_vec())
        }
        fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
            Ok(input)
        }
        fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, ())> {
            Ok((input * F::of(2.0), ()))
        }
        fn backward(&mut self, _: (), grad: Tensor<F>) -> Result<Tensor<F>> {
            Ok(grad)
        }
    }
    let check = || plywood::testing::LayerCheck::<f64>::new(&[2]);
    texts! {
        check().inputs(arr2(&[[1.0, 2.0]]).into_dyn()).run(Wrong);
        check().inputs(ArrayD::zeros(vec![])).run(ReLU);
    }
}

/// CSV files whose form is guessed.
#[cfg(feature = "csv")]
fn guessed_files() -> Texts {
    use plywood::data::{ColumnType, Csv, Table};
    let csv = |file: &str| Csv::bytes("f.csv", file);
    let read = |file: &str| csv(file).read();
    let form =
        read("n;d\n1,5;1.2.2020\n2;30.2.2020\n3;31.3.2020\n").and_then(|_| read("n;d\n1,5;31.3.2020\n"));
    let form = form.unwrap().form().unwrap().clone();
    let pieces = |file: &'static str| {
        let columns: Vec<_> = form.columns().collect();
        form.pieces_from(file.as_bytes(), "g.csv", &columns, 10)?.collect::<Result<Vec<Table>>>()
    };
    texts! {
        read("x,y;z\nv,w;u\n");
        read("a;b\n839.390;1\n98.567;2\n");
        read("a;b;c\n7.250;1,5;74.370\n");
        read("sold,n\n1/2/2020,1\n3/4/2021,2\n");
        read("day,n\n04/17/2022,1\n27/06/2022,2\n");
        read("a,b\n1,2\n3\n");
        read("a,a\n1,2\n");
        read("a,b\n");
        read("a\u{0}\n1\n");
        read("a,b\n1,\"open\n2,x\n");
        Csv::bytes("f.csv", b"name;n\nK\xf6ln;1\n").read();
        csv("city,n\nUlm,1\nBonn,x\n").column("n", ColumnType::Number).read();
        csv("city,size\nUlm,1\n").ignore(["sizes"]).read();
        csv("a\n1\n").ignore(["a"]).read();
        csv("a\n1\n").encoding("klingon").read();
        csv("a\n1\n").separator(b'"').read();
        csv("a\n1\n").number_format("a", 'x', None).read();
        csv("a\n1\n").date("a", "%Q").read();
        csv("a\n1\n").column("a", ColumnType::Image).read();
        csv("a\n1\n").pieces(0);
        pieces("n;x\n1;2\n");
        pieces("d;n\n2020;1,5\n");
        pieces("");
    }
}

#[cfg(feature = "csv")]
fn text_files() -> Texts {
    use plywood::data::TextCsv;
    let read = |file: &[u8]| TextCsv::columns("label", "text").read_from(file, "f.csv");
    texts! {
        read(b"");
        read(b"a,text\n1,2\n");
        read(b"label,text\n,b\n");
        read(b"label,text\na,\n");
        read(b"label,text\n \"a\",b\n");
        read(b"\xfd7zXZ\0\0\x04");
        read(b"\x1f\x8b\x08\0");
        TextCsv::columns("text", "text").read_from(&b"label,text\na,b\n"[..], "f.csv");
        TextCsv::columns("label", "text").classes(["p"]).read_from(&b"label,text\na,b\n"[..], "f.csv");
        TextCsv::columns("label", "text").classes(["p", "p"]).read_from(&b"label,text\na,b\n"[..], "f.csv");
    }
}

#[cfg(feature = "images")]
fn image_folders(folder: &Folder) -> Texts {
    use plywood::data::Pixels;
    let read = |name: &str| ImageFolder::new(folder.0.join(name), [4, 4]).read();
    for name in ["flat/1.png", "none/a/b/1.txt", "other/cat/1.png"] {
        folder.write(name, b"some notes");
    }
    std::fs::create_dir_all(folder.0.join("empty/a")).unwrap();
    std::fs::create_dir_all(folder.0.join("nothing")).unwrap();
    texts! {
        read("missing");
        read("nothing");
        read("empty");
        read("flat");
        read("none");
        ImageFolder::new(folder.0.join("other"), [4, 4]).classes(["ant", "dog"]).read();
        ImageFolder::new(folder.0.join("empty"), [4, 4]).classes(["a", "b"]).read();
        ImageFolder::new(folder.0.join("flat"), [0, 4]).read();
        ImageFolder::new(folder.0.join("flat"), [4, 4]).image(folder.0.join("flat"));
        Pixels::decode(b"some notes");
        Pixels::read(folder.0.join("flat/1.png"));
        Pixels::read(folder.0.join("flat"));
        Pixels::read(folder.0.join("flat/none.png"));
        Pixels::decode(&[255, 216, 255]);
    }
}

fn preprocessing() -> Texts {
    let x = || Column::numbers("x", [1.0, -3.0, f64::NAN]).unwrap();
    let tags = Column::categories("tag", [Some("a"), Some("b"), Some("c")]);
    let none = Column::categories("none", [None::<&str>; 3]);
    let title = Column::texts("title", [Some("a b"), None, None]);
    let table = Table::new([x(), tags, none, title]).unwrap();
    let fit = |columns: Columns| columns.fit(&table.whole());
    let encode =
        |block: &dyn Fn(&Table) -> Result<Tensor>, column: Column| block(&Table::new([column]).unwrap());
    let columns = fit(Columns::of(["x"])).unwrap();
    let columns = |table: &Table| columns.encode_table(table, &mut Notes::new());
    let features = |table: &Table| Features::named(["x"]).encode_table(table, &mut Notes::new());
    let two = Normalizer::standard().fit_tensor(&arr2(&[[1.0, 2.0]]).into_dyn()).unwrap();
    texts! {
        fit(Columns::all());
        fit(Columns::all_but(["y"]));
        fit(Columns::of(["x", "x"]));
        fit(Columns::of::<&str>([]));
        fit(Columns::of(["none"]));
        fit(Columns::of(["x"]).log());
        fit(Columns::of(["x"]).fill(Fill::Constant(f64::NAN)));
        fit(Columns::of(["x"]).scaling(Scaling::Quantile { quantiles: 1 }));
        fit(Columns::of(["x"]).scaling(Scaling::MinMax { low: 1.0, high: 0.0 }));
        fit(Columns::of(["x"]).column("y", |c| c.log()));
        fit(Columns::of(["x"]).column("x", |c| c.ordinal()));
        fit(Columns::of(["tag"]).column("tag", |c| c.log()));
        fit(Columns::of(["tag"]).max_categories(2));
        fit(Columns::of(["tag"]).min_count(2));
        Columns::of(["x"]).fit(&table.part(vec![]).unwrap());
        CategoryIds::column("x").fit(&table.whole());
        CategoryIds::column("tag").fit(&table.whole());
        encode(&columns, Column::categories("x", [Some("a")]));
        encode(&columns, Column::numbers("x", [0.0, 1e300]).unwrap());
        encode(&features, x());
        Features::named(["x"]).normalizer(two);
        Column::dates("since", DateFormat::new("%d.%m.%Y").unwrap(), [Some("30.2.2024")]);
    }
}

#[test]
fn error_texts_read_as_sentences() {
    let folder = Folder::new("error-texts");
    let sections = [
        ("layers", layers()),
        ("predictions", predictions()),
        ("optimizers", optimizers()),
        ("metrics", metrics()),
        ("losses", losses()),
        ("data", data()),
        ("tables", tables(&folder)),
        ("IDX files", idx_files(&folder)),
        ("saved models", saved_models(&folder)),
        ("training", training(&folder.0.join("run"))),
        ("resuming", resuming(&folder.0.join("interrupted"))),
        ("searches", searches()),
        ("plots", plots()),
        ("reports", reports()),
        ("checks of layers", checks()),
        ("preprocessing", preprocessing()),
        #[cfg(feature = "csv")]
        ("text files", text_files()),
        #[cfg(feature = "csv")]
        ("CSV files whose form is guessed", guessed_files()),
        #[cfg(feature = "images")]
        ("folders of images", image_folders(&folder)),
    ];
    let place = folder.0.display().to_string();
    let section = |(name, texts): &(&str, Texts)| {
        format!("{name}\n    {}\n", texts.join("\n    ").replace(&place, "FOLDER"))
    };
    let found = sections.map(|texts| section(&texts));
    assert!(!found.concat().contains("NO ERROR"), "{}", found.concat());
    let path = Path::new(crate::ROOT).join("tests/library/error_texts.txt");
    let has_all = cfg!(all(feature = "csv", feature = "images"));
    if has_all && std::env::var("PLYWOOD_GOLDEN").is_ok_and(|value| value == "write") {
        std::fs::write(&path, found.concat()).unwrap();
    }
    // What a build has not is not compared.
    let all = std::fs::read_to_string(path).unwrap();
    for (found, name) in found.iter().map(|found| (found, found.lines().next().unwrap())) {
        let mut expected = all.lines().skip_while(|line| *line != name);
        found.lines().for_each(|line| assert_eq!(Some(line), expected.next()));
        assert!(expected.next().is_none_or(|line| !line.starts_with(' ')), "more texts of {name}");
    }
}
