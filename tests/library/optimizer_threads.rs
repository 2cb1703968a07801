//! Every optimizer and every loss gives the same bits with 1 and 4 threads.
//!
//! The number of threads belongs to the whole process, so tests that set it take turns. The network has a hidden layer
//! wide enough that its products, gradients and updates are split between threads.

use plywood::ndarray::Array2;
use plywood::optim::Group;
use plywood::prelude::*;

const SAMPLES: usize = 192;
const INPUTS: usize = 300;
const UNITS: usize = 128;
const CLASSES: usize = 4;

/// Inputs that depend on the class, the classes, and class probabilities.
struct Data {
    inputs: Array2<f32>,
    classes: Vec<usize>,
    shares: Array2<f32>,
}

fn data() -> Data {
    let mut draws = Random::seed(11).at(0, 0);
    let classes: Vec<usize> = (0..SAMPLES).map(|_| draws.below(CLASSES)).collect();
    let inputs = Array2::from_shape_fn((SAMPLES, INPUTS), |(i, j)| {
        draws.below(1000) as f32 / 1000.0 + if j % CLASSES == classes[i] { 0.5 } else { 0.0 }
    });
    let shares =
        Array2::from_shape_fn((SAMPLES, CLASSES), |(i, j)| if classes[i] == j { 0.85 } else { 0.05 });
    Data { inputs, classes, shares }
}

fn model(last: Option<bool>) -> Sequential {
    let model = Sequential::builder([INPUTS]).seed(9).layer(Dense::units(UNITS)).layer(ReLU);
    let model = model.layer(Dense::units(CLASSES));
    match last {
        Some(true) => model.layer(Softmax).build().unwrap(),
        Some(false) => model.layer(Sigmoid).build().unwrap(),
        None => model.build().unwrap(),
    }
}

/// Trains for two epochs and returns the bits of the parameters and of the losses in training and validation.
fn bits<L, D>(mut model: Sequential, loss: L, optimizer: impl Into<Optimizer>, data: &D) -> Vec<u64>
where
    L: Loss,
    D: Dataset,
    D::Target: plywood::losses::AsTarget<L::Target>,
{
    let mut trainer = Trainer::new(loss, optimizer)
        .epochs(2)
        .batch_size(48)
        .validation_split(0.25)
        .progress(Progress::Silent);
    let history = trainer.fit(&mut model, data).unwrap();
    let mut numbers: Vec<f64> =
        history.epochs.iter().flat_map(|epoch| epoch.values.iter().map(|(_, value)| *value)).collect();
    model.visit_params(&mut |_, param| numbers.extend(param.as_slice().iter().map(|&v| f64::from(v))));
    assert!(numbers.iter().all(|number| number.is_finite()));
    numbers.into_iter().map(f64::to_bits).collect()
}

fn all() -> Vec<(&'static str, Vec<u64>)> {
    let Data { inputs, classes, shares } = data();
    let labelled = ArrayDataset::new(inputs.clone(), classes).unwrap();
    let soft = ArrayDataset::new(inputs.clone(), shares.clone()).unwrap();
    let flags = ArrayDataset::new(inputs, shares.mapv(|v| f32::from(v > 0.5))).unwrap();

    let mut runs = Vec::new();
    macro_rules! rules {
        ($($name:literal: $rule:expr),+ $(,)?) => {
            $(runs.push(($name, bits(model(Some(true)), CrossEntropy::default(), $rule, &labelled)));)+
        };
    }
    rules! {
        "SGD": SGD::default(),
        "SGD, momentum": SGD::default().momentum(0.9),
        "SGD, Nesterov": SGD::default().momentum(0.9).nesterov(true),
        "RMSprop": RMSprop::default(),
        "RMSprop, centred": RMSprop::default().centered(true).momentum(0.9),
        "Adagrad": Adagrad::default(),
        "Adadelta": Adadelta::default(),
        "Adam": Adam::default(),
        "AMSGrad": Adam::default().amsgrad(true),
        "AdamW": AdamW::default(),
        "Adamax": Adamax::default(),
        "NAdam": NAdam::default(),
        "RAdam": RAdam::default(),
        "Lion": Lion::default(),
        "Muon": Muon::default(),
        "ScheduleFreeAdamW": ScheduleFreeAdamW::default(),
    }
    // Settings that all rules have in common.
    let clipped = || Optimizer::new(Adam::default()).clip_value(0.01).clip_norm_per_parameter(0.5);
    runs.push(("clipping", bits(model(Some(true)), CrossEntropy::default(), clipped(), &labelled)));
    let grouped = Optimizer::new(AdamW::default()).group(Group::matching("*.bias").weight_decay(0.0));
    runs.push(("groups", bits(model(Some(true)), CrossEntropy::default(), grouped, &labelled)));
    let held =
        Optimizer::new(Adam::default()).group(Group::matching("*.weight").l1(1e-4).l2(1e-3).max_norm(0.8));
    runs.push(("penalties", bits(model(Some(true)), CrossEntropy::default(), held, &labelled)));

    let adam = Adam::default;
    runs.push(("cross-entropy, smoothed", {
        bits(model(Some(true)), CrossEntropy::default().label_smoothing(0.1), adam(), &labelled)
    }));
    runs.push(("focal", bits(model(Some(true)), Focal::default(), adam(), &labelled)));
    runs.push(("soft cross-entropy", bits(model(Some(true)), SoftCrossEntropy::default(), adam(), &soft)));
    runs.push(("KL divergence", bits(model(Some(true)), KLDivergence::default(), adam(), &soft)));
    runs.push(("soft binary", bits(model(Some(false)), SoftBinaryCrossEntropy::default(), adam(), &flags)));
    runs.push(("hinge", bits(model(None), Hinge::default(), adam(), &labelled)));
    runs.push(("Huber", bits(model(None), Huber::delta(0.5), adam(), &soft)));
    runs.push(("squared error", bits(model(None), MeanSquaredError, adam(), &soft)));
    runs.push(("absolute error", bits(model(None), MeanAbsoluteError, adam(), &soft)));
    runs
}

#[test]
fn each_optimizer_and_each_loss_has_the_same_bits_with_1_and_4_threads() {
    let run = |threads| {
        let _threads = crate::take_threads(threads);
        all()
    };
    let (one, four) = (run(1), run(4));
    for ((name, one), (_, four)) in one.iter().zip(&four) {
        assert!(one == four, "{name}: the bits differ between 1 and 4 threads");
    }
    // All runs differ: a setting without effect would give the same bits as another run.
    for (index, (name, run)) in one.iter().enumerate() {
        for (other, twin) in &one[..index] {
            assert!(run != twin, "{name} trains as {other} does");
        }
    }
}
