//! Tests every pair of a loss and a last layer: it trains, or gives an error before the first step, with the text in
//! fits.txt.

use ndarray::{Array2, arr2};
use plywood::losses::{AsTarget, LossSum};
use plywood::nn::{Outputs, SequentialBuilder};
use plywood::prelude::*;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// A user-defined softmax that declares nothing about its outputs.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct OwnSoftmax;

/// Twice a softmax, which declares nothing either.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct TwiceSoftmax;

macro_rules! own {
    ($layer:ident, $kind:literal, $times:expr) => {
        impl Layer for $layer {
            const KIND: Kind = Kind::own($kind);
            type Cache = Tensor;
            fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
                Ok(input.to_vec())
            }
            fn forward(&self, input: Tensor) -> Result<Tensor> {
                Ok(Softmax.forward(input)? * $times)
            }
            fn forward_train(&mut self, input: Tensor) -> Result<(Tensor, Tensor)> {
                let (output, cache) = Softmax.forward_train(input)?;
                Ok((output * $times, cache))
            }
            fn backward(&mut self, cache: Tensor, grad: Tensor) -> Result<Tensor> {
                Softmax.backward(cache, grad * $times)
            }
        }
    };
}
own!(OwnSoftmax, "test.own_softmax", 1.0);
own!(TwiceSoftmax, "test.twice_softmax", 2.0);

const ENDS: [&str; 14] = [
    "Dense",
    "ReLU",
    "Tanh",
    "HardSigmoid",
    "Sigmoid",
    "Softmax",
    "LogSoftmax",
    "Softmax, Flatten",
    "Softmax, Dropout",
    "Sigmoid, GaussianNoise",
    "block of Softmax, Dropout",
    "block of Dense, Softmax",
    "own softmax",
    "own, twice softmax",
];

fn model(end: &str, units: usize) -> Sequential {
    let body =
        || Sequential::builder([2]).seed(3).layer(Dense::units(4)).layer(Tanh).layer(Dense::units(units));
    let block = || Sequential::block().layer(Dense::units(units)).layer(Softmax);
    let builder: SequentialBuilder = match end {
        "Dense" => body(),
        "ReLU" => body().layer(ReLU),
        "Tanh" => body().layer(Tanh),
        "HardSigmoid" => body().layer(HardSigmoid),
        "Sigmoid" => body().layer(Sigmoid),
        "Softmax" => body().layer(Softmax),
        "LogSoftmax" => body().layer(LogSoftmax),
        "Softmax, Flatten" => body().layer(Softmax).layer(Flatten),
        "Softmax, Dropout" => body().layer(Softmax).layer(Dropout::rate(0.5)),
        "Sigmoid, GaussianNoise" => body().layer(Sigmoid).layer(GaussianNoise::std_dev(0.1)),
        "block of Softmax, Dropout" => {
            body().layer(Sequential::block().layer(Softmax).layer(Dropout::rate(0.5)).layer(Flatten))
        }
        "block of Dense, Softmax" => body().layer(block()),
        "own softmax" => body().layer(OwnSoftmax),
        _ => body().layer(TwiceSoftmax),
    };
    builder.build().unwrap()
}

fn inputs() -> Array2<f32> {
    Array2::from_shape_fn((24, 2), |(i, j)| ((i * 7 + j * 5) % 11) as f32 / 11.0 - 0.5)
}

/// Returns all values of a model's parameters and buffers.
fn parameters(model: &Sequential) -> Vec<f32> {
    let mut all = Vec::new();
    model.visit_params(&mut |_, param| all.extend_from_slice(param.as_slice()));
    all
}

/// Returns "trains" if two epochs change the model, else the error's text. Checks that `evaluate`, `step`, `accumulate`
/// and `find_learning_rate` give the same result.
fn verdict<L, T, D>(make: impl Fn() -> L, mut model: Sequential, data: &D, target: &T) -> String
where
    L: Loss,
    T: AsTarget<L::Target>,
    D: Dataset,
    D::Target: AsTarget<L::Target>,
{
    let before = parameters(&model);
    let mut trainer =
        Trainer::new(make(), SGD::default()).epochs(2).batch_size(12).progress(Progress::Silent);
    let mut copies = [model.clone(), model.clone()];
    let fit = trainer.fit(&mut model, data).map(drop);
    let (x, target) = (inputs().into_dyn(), target.as_target());
    let others = [
        ("evaluate", trainer.evaluate(&copies[0], data).map(drop)),
        ("find_learning_rate", trainer.find_learning_rate(&copies[0], data, 1e-6, 1e-5, 10).map(drop)),
        ("step", trainer.step(&mut copies[0], x.clone(), target, None).map(drop)),
        ("accumulate", plywood::train::accumulate(&mut copies[1], &make(), x, target, None).map(drop)),
    ];
    let says = |result: &Result<()>| match result {
        Ok(()) => "trains".to_owned(),
        // The text before the colon names the method that was called.
        Err(error) => error.to_string(),
    };
    let text = says(&fit);
    match &fit {
        Ok(()) => assert_ne!(parameters(&model), before, "training changes something"),
        Err(_) => assert_eq!(parameters(&model), before, "before the first step: {text}"),
    }
    for (name, other) in others {
        let other = says(&other);
        let own = text.strip_prefix("fit: ").unwrap_or(&text);
        let same = other.strip_prefix(&format!("{name}: ")).unwrap_or(&other) == own;
        // A dropout mask is drawn only in training. A sample is named by its position in the batch, or not at all.
        let drawn = text.contains("in training") && name == "evaluate" && other == "trains";
        assert!(same || text.contains("sample") || text == "trains" || drawn, "{name}: {other}\nfit: {text}");
    }
    text.strip_prefix("fit: ").map_or(text.clone(), str::to_owned)
}

#[test]
fn every_loss_and_every_last_layer() {
    let mut table = String::new();
    let labels: Vec<usize> = (0..24).map(|i| i % 2).collect();
    let rows = Array2::from_shape_fn((24, 3), |(i, j)| f32::from(u8::from(i % 2 == j)));
    let column = Array2::from_shape_fn((24, 1), |(i, _)| (i % 2) as f32);
    macro_rules! over_ends {
        ($name:expr, $units:expr, $target:expr, $batch:expr, $loss:expr) => {
            writeln!(table, "{}, {} outputs", $name, $units).unwrap();
            // A user-defined softmax over one unit is always 1 and trains nothing.
            for end in ENDS.iter().filter(|end| $units > 1 || !end.starts_with("own")) {
                let data = ArrayDataset::new(inputs(), $target.clone()).unwrap();
                let text = verdict(|| $loss, model(end, $units), &data, &$batch);
                writeln!(table, "    {end}: {text}").unwrap();
            }
        };
    }
    macro_rules! classes {
        ($($name:literal $units:literal $loss:expr;)*) => {$(
            over_ends!($name, $units, labels, labels, $loss);
        )*};
    }
    macro_rules! numbers {
        ($($name:literal $units:literal $target:ident $loss:expr;)*) => {$(
            over_ends!($name, $units, $target, $target.clone().into_dyn(), $loss);
        )*};
    }
    classes! {
        "CrossEntropy" 3 CrossEntropy::default();
        "CrossEntropy, label smoothing" 3 CrossEntropy::default().label_smoothing(0.1);
        "CrossEntropy" 1 CrossEntropy::default();
        "CrossEntropy::from_logits" 3 CrossEntropy::default().from_logits(true);
        "CrossEntropy::from_logits" 1 CrossEntropy::default().from_logits(true);
        "Focal" 3 Focal::default();
        "Focal, from_logits" 3 Focal::default().from_logits(true);
        "Hinge" 3 Hinge::default();
        "Hinge" 1 Hinge::default();
        "BinaryCrossEntropy" 1 BinaryCrossEntropy::default();
        "BinaryCrossEntropy::from_logits" 1 BinaryCrossEntropy::default().from_logits(true);
    }
    numbers! {
        "SoftCrossEntropy" 3 rows SoftCrossEntropy::default();
        "SoftCrossEntropy::from_logits" 3 rows SoftCrossEntropy::default().from_logits(true);
        "SoftCrossEntropy::from_logits" 1 column SoftCrossEntropy::default().from_logits(true);
        "KLDivergence" 3 rows KLDivergence::default();
        "KLDivergence::from_logits" 3 rows KLDivergence::default().from_logits(true);
        "SoftBinaryCrossEntropy" 3 rows SoftBinaryCrossEntropy::default();
        "SoftBinaryCrossEntropy::from_logits" 3 rows SoftBinaryCrossEntropy::default().from_logits(true);
        "MeanSquaredError" 3 rows MeanSquaredError;
        "MeanSquaredError" 1 column MeanSquaredError;
        "MeanAbsoluteError" 3 rows MeanAbsoluteError;
        "Huber" 3 rows Huber::default();
    }
    let path = std::path::Path::new(crate::ROOT).join("tests/library/fits.txt");
    if std::env::var("PLYWOOD_GOLDEN").is_ok_and(|value| value == "write") {
        std::fs::write(&path, &table).unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap();
    for (found, expected) in table.lines().zip(expected.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(table.lines().count(), expected.lines().count());
}

/// A user-defined loss can declare which outputs it takes, and is then checked against the model like any other.
#[test]
fn a_loss_of_ones_own_can_say_what_it_takes() {
    struct Own;
    impl Loss for Own {
        type Target = Tensor;
        fn value_and_grad(
            &self,
            output: Tensor,
            target: &Tensor,
            weights: Option<&[f32]>,
            divisor: f64,
        ) -> Result<(LossSum, Tensor)> {
            SoftCrossEntropy::default().value_and_grad(output, target, weights, divisor)
        }
        fn outputs(&self) -> Outputs {
            Outputs::Distributions
        }
    }
    let rows = Array2::from_shape_fn((24, 3), |(i, j)| f32::from(u8::from(i % 2 == j)));
    let data = ArrayDataset::new(inputs(), rows).unwrap();
    let fit = |end| {
        Trainer::new(Own, SGD::default()).progress(Progress::Silent).fit(&mut model(end, 3), &data).map(drop)
    };
    assert_eq!(
        fit("Dense").unwrap_err().to_string(),
        "fit: the outputs of layer 2 (dense) must be probabilities for Own, got any real numbers. End the model in \
         `Softmax`, or use a loss of logits (a formula of `Outputs::Logits`)."
    );
    fit("Softmax").unwrap();
}

/// Targets that do not fit are found before the first step, in the training and in the validation data.
#[test]
fn every_target_is_looked_at_before_the_first_step() {
    let labels = |at: usize, label: usize| {
        let mut labels: Vec<usize> = (0..24).map(|i| i % 3).collect();
        labels[at] = label;
        ArrayDataset::new(inputs(), labels).unwrap()
    };
    let trainer =
        || Trainer::new(CrossEntropy::default(), SGD::default()).batch_size(4).progress(Progress::Silent);
    let mut untouched = trainer();
    let text = untouched.fit(&mut model("Softmax", 3), &labels(23, 3)).unwrap_err().to_string();
    assert_eq!(
        text,
        "fit, cross-entropy: the label of sample 23 must be below 3, the number of outputs, got 3. Labels count \
         from 0; give the last layer as many units as there are classes."
    );
    assert_eq!(untouched.optimizer().steps(), 0);
    let text = trainer().validation_split(0.25).fit(&mut model("Softmax", 3), &labels(19, 7)).unwrap_err();
    assert!(
        text.to_string()
            .starts_with("fit, validation data, cross-entropy: the label of sample 1 must be below 3")
    );
    let text = trainer().evaluate(&model("Softmax", 3), &labels(23, 3)).unwrap_err().to_string();
    assert!(text.starts_with("evaluate, cross-entropy: the label of sample 23 must be below 3"), "{text}");
    let text = trainer()
        .find_learning_rate(&model("Softmax", 3), &labels(23, 3), 1e-5, 1e-3, 10)
        .unwrap_err()
        .to_string();
    assert!(
        text.starts_with("find_learning_rate, cross-entropy: the label of sample 23 must be below 3"),
        "{text}"
    );

    let rows = |row: [f32; 3]| {
        let mut rows = Array2::from_shape_fn((24, 3), |(i, j)| f32::from(u8::from(i % 3 == j)));
        rows.row_mut(20).assign(&ndarray::arr1(&row));
        ArrayDataset::new(inputs(), rows).unwrap()
    };
    for loss in [SoftCrossEntropy::default(), SoftCrossEntropy::default().from_logits(true)] {
        let end = if loss == SoftCrossEntropy::default() { "Softmax" } else { "Dense" };
        let mut trainer = Trainer::new(loss, SGD::default()).progress(Progress::Silent);
        let text = trainer.fit(&mut model(end, 3), &rows([1.0, 1.0, 0.0])).unwrap_err().to_string();
        assert_eq!(
            text,
            "fit, cross-entropy: the target of sample 20 must be at least 0 in each number, with a sum of 1, got \
             a sum of 2.0000. A row is a distribution over classes that exclude each other; for several labels at \
             once use `SoftBinaryCrossEntropy` after Sigmoid."
        );
    }
    let mut trainer = Trainer::new(KLDivergence::default(), SGD::default()).progress(Progress::Silent);
    let text = trainer.fit(&mut model("Softmax", 3), &rows([1.0, 1.0, 0.0])).unwrap_err().to_string();
    assert!(text.starts_with("fit, KL divergence: the target of sample 20 must be at least 0"), "{text}");
    let mut trainer =
        Trainer::new(SoftBinaryCrossEntropy::default(), SGD::default()).progress(Progress::Silent);
    let text = trainer.fit(&mut model("Sigmoid", 3), &rows([0.0, 1.5, 0.0])).unwrap_err().to_string();
    assert!(
        text.starts_with("fit, binary cross-entropy: the target of sample 20 must be from 0 to 1, got 1.5")
    );
    let text = trainer.fit(&mut model("Sigmoid", 2), &rows([0.0; 3])).unwrap_err().to_string();
    assert!(text.contains("the targets must have shape [24, 2], got [24, 3]"), "{text}");
}

/// References to data sets, subsets, folds and wrappers that change inputs pass on the targets.
#[test]
fn wrappers_hand_on_the_targets() {
    let labels: Vec<usize> = (0..24).map(|i| i % 3).collect();
    let images = ndarray::Array4::<u8>::zeros((24, 1, 4, 4));
    let data = ArrayDataset::new(images, labels).unwrap().weights((0..24).map(f64::from).collect()).unwrap();
    fn targets<D: Dataset>(data: &D, indices: &[usize]) -> (D::Target, Option<Vec<f32>>) {
        let mut batch = Batch::default();
        assert!(data.read_targets(indices, &mut batch).unwrap());
        (batch.target, batch.weights)
    }
    let subset = plywood::data::Subset::new::<f32>(&data, vec![5, 7, 9]).unwrap();
    assert_eq!(targets(&subset, &[2, 0]), (vec![0, 2], Some(vec![9.0, 5.0])));
    assert_eq!(targets(&&data, &[4]), (vec![1], Some(vec![4.0])));
    assert_eq!(targets(&Augmented::new(&data, Augment::seed(1)).unwrap(), &[4]).0, [1]);
    let one_hot = OneHot::new(&data, 3).unwrap().smoothing(0.3).unwrap();
    assert_eq!(targets(&one_hot, &[4]).0, arr2(&[[0.0, 1.0, 0.0]]).into_dyn());
    let mut read = Batch::default();
    one_hot.read(&[4, 1], Pass::Evaluate, &mut read).unwrap();
    assert_eq!(targets(&one_hot, &[4, 1]), (read.target, read.weights));
}

/// The layers are visited twice: once to check model and loss, and once for the outputs that metrics are told.
#[test]
fn evaluate_checks_model_and_loss_once() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static ASKED: AtomicUsize = AtomicUsize::new(0);

    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct Asked;
    impl Layer for Asked {
        const KIND: Kind = Kind::own("test.asked");
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
        fn backward(&mut self, _: (), grad: Tensor) -> Result<Tensor> {
            Ok(grad)
        }
        fn output_activation(&self, _: plywood::nn::OutputActivation) -> plywood::nn::OutputActivation {
            ASKED.fetch_add(1, Ordering::Relaxed);
            plywood::nn::OutputActivation::Linear
        }
    }
    let model = Sequential::builder([2]).layer(Asked).build().unwrap();
    let data = ArrayDataset::new(inputs(), inputs()).unwrap();
    let before = ASKED.load(Ordering::Relaxed);
    Trainer::new(MeanSquaredError, SGD::default()).evaluate(&model, &data).unwrap();
    assert_eq!(ASKED.load(Ordering::Relaxed) - before, 1);
}
