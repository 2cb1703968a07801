//! Baselines: the bits of trained weights, losses and predictions. A change that should not affect results must pass
//! this test with the existing bits.txt. A change that affects a result on purpose rewrites bits.txt
//! (`PLYWOOD_GOLDEN=write`, and again with `PLYWOOD_MAX_LEVEL=avx2`), and the CHANGELOG says so.
//!
//! The bits hold for one build on one model of processor (see the README) and one level of vector instructions
//! (`plywood::level`). bits.txt has the bits of AVX-512, and those of AVX2 where they differ: `f32` with Adam and
//! AdamW, on the lines that contain `avx2`. The portable level has the same bits in `f64`. In `f32` at that level, and
//! on other processors, the test only compares different numbers of threads with one another.

use ndarray::{Array2, Array4, ArrayD};
use plywood::data::{Augmented, Element};
use plywood::losses::AsTarget;
use plywood::nn::SequentialBuilder;
use plywood::optim::UpdateRule;
use plywood::prelude::*;
use std::fmt::Write;

/// Hashes the values with FNV-1a over 64 bits at a time. The rotation keeps the information of all bit positions.
fn hash(values: impl Iterator<Item = f64>) -> u64 {
    values.fold(0xcbf2_9ce4_8422_2325, |hash, value| {
        (hash ^ value.to_bits()).wrapping_mul(0x0100_0000_01b3).rotate_left(17)
    })
}

/// Trains with one thread and with three, and writes a line with hashes of weights and buffers, losses, and
/// predictions.
fn case<F: Scalar, L: Loss<F> + Clone, R: UpdateRule<F> + Clone, D: Dataset<F>>(
    lines: &mut String,
    name: &str,
    builder: impl Fn() -> SequentialBuilder<F>,
    (loss, rule, data): (L, R, &D),
) where
    D::Target: AsTarget<L::Target>,
{
    let run = |threads| {
        let _threads = crate::take_threads(threads);
        let mut model = builder().build().unwrap();
        let trainer =
            Trainer::new(loss.clone(), Optimizer::new(rule.clone())).epochs(2).batch_size(32).seed(9);
        let mut trainer = trainer.validation_split(0.2).progress(Progress::Silent);
        let history = trainer.fit(&mut model, data).unwrap();
        let mut batch = Batch::<F, _>::default();
        data.read(&(0..50).collect::<Vec<_>>(), Pass::Evaluate, &mut batch).unwrap();
        let predictions = model.predict(&batch.inputs[0]).unwrap();
        let mut weights = Vec::new();
        model.visit_params(&mut |_, param| weights.extend(param.as_slice().iter().map(|v| v.as_f64())));
        let losses = history.epochs.iter().flat_map(|epoch| epoch.values.iter().map(|(_, value)| *value));
        [hash(weights.into_iter()), hash(losses), hash(predictions.iter().map(|v| v.as_f64()))]
    };
    let [weights, losses, predictions] = run(1);
    assert_eq!([weights, losses, predictions], run(3), "{name} {}: one thread and three", F::NAME);
    writeln!(lines, "{name} {} {weights:016x} {losses:016x} {predictions:016x}", F::NAME).unwrap();
}

/// Returns random images in which about half of the pixels are 0, as in real images.
fn images() -> (Array4<u8>, Vec<usize>) {
    let mut draws = Random::seed(3).at(0, 0);
    let images = Array4::from_shape_simple_fn((240, 1, 12, 12), || match draws.unit() {
        dark if dark < 0.5 => 0,
        _ => (draws.unit() * 255.0) as u8,
    });
    (images, (0..240).map(|_| draws.below(5)).collect())
}

fn dense<F: Scalar>() -> SequentialBuilder<F> {
    let builder = Sequential::<F>::builder_of([1, 12, 12]).seed(1).layer(Flatten).layer(Dense::units(128));
    builder.layer(ReLU).layer(Dropout::rate(0.2)).layer(Dense::units(5)).layer(Softmax)
}

fn logits<F: Scalar>() -> SequentialBuilder<F> {
    let builder = Sequential::<F>::builder_of([1, 12, 12]).seed(1).layer(Flatten).layer(Dense::units(32));
    builder.layer(BatchNorm::new()).layer(Tanh).layer(Dense::units(5))
}

fn conv<F: Scalar>() -> SequentialBuilder<F> {
    let inner = || {
        Sequential::<F>::block_of().layer(Conv2d::filters(6, 3).padding(Padding::Same)).layer(GELU::default())
    };
    let builder = Sequential::<F>::builder_of([1, 12, 12]).seed(2).layer(Conv2d::filters(6, 3));
    let builder = builder.layer(BatchNorm::new()).layer(ReLU).layer(MaxPool2d::window(2));
    builder.layer(Residual::around(inner())).layer(Flatten).layer(Dense::units(5)).layer(Softmax)
}

fn one<F: Scalar>() -> SequentialBuilder<F> {
    let builder = Sequential::<F>::builder_of([1, 12, 12]).seed(2).layer(Flatten).layer(Dense::units(16));
    builder.layer(GELU::default()).layer(LayerNorm::new()).layer(Dense::units(1))
}

fn words<F: Scalar>() -> SequentialBuilder<F> {
    let builder = Sequential::<F>::builder_of([20]).seed(5).layer(Embedding::vocabulary(50, 8));
    let builder = builder.layer(Conv1d::filters(6, 3)).layer(SiLU).layer(GlobalMaxPool);
    builder.layer(Dense::units(5)).layer(Softmax)
}

fn bag<F: Scalar>() -> SequentialBuilder<F> {
    let builder = Sequential::<F>::builder_of([20]).seed(5).layer(EmbeddingBag::vocabulary(50, 8));
    builder.layer(Sigmoid).layer(Dropout::rate(0.1)).layer(Dense::units(5)).layer(Softmax)
}

/// The cases, for any element type.
fn cases<F: Scalar + Element>(lines: &mut String) {
    let (x, labels) = images();
    let data = ArrayDataset::new(x.clone(), labels.clone()).unwrap().scale(1.0 / 255.0);
    let numbers = Array2::from_shape_fn((240, 1), |(i, _)| F::of((i % 7) as f64));
    let numbers = ArrayDataset::new(x, numbers).unwrap().scale(1.0 / 255.0);
    let mut draws = Random::seed(4).at(0, 0);
    let ids = ArrayD::from_shape_simple_fn(vec![240, 20], || F::of(draws.below(50) as f64));
    let texts = ArrayDataset::new(ids, labels).unwrap();
    let augmented = Augment::seed(4).flip_horizontal(true).rotate(10.0).shift(1);
    let augmented = Augmented::new(&data, augmented).unwrap();
    let (entropy, from_logits) = (CrossEntropy::default(), CrossEntropy::default().from_logits(true));
    case(lines, "dense", dense::<F>, (entropy.clone(), Adam::default(), &data));
    case(lines, "logits", logits::<F>, (from_logits, SGD::default().momentum(0.9), &data));
    case(lines, "conv", conv::<F>, (entropy.clone(), Adam::default(), &data));
    case(lines, "augmented", conv::<F>, (entropy.clone(), Adam::default(), &augmented));
    case(lines, "numbers", one::<F>, (MeanSquaredError, RMSprop::default(), &numbers));
    case(lines, "words", words::<F>, (entropy.clone(), AdamW::default(), &texts));
    case(lines, "bag", bag::<F>, (entropy, AdamW::default(), &texts));
}

/// Splits a line into its case and its bits. The case is "dense f32", or "dense f32 avx2" if AVX2 has other bits.
fn parts(line: &str) -> (String, String) {
    let (at, _) = line.rmatch_indices(' ').nth(2).expect("three numbers at the end");
    (line[..at].to_owned(), line[at + 1..].to_owned())
}

/// Returns the baseline after a run. A run with AVX-512 replaces all lines except those of AVX2; a run with AVX2
/// replaces those.
#[cfg(target_arch = "x86_64")]
fn written(level: &str, golden: Vec<(String, String)>, found: &[(String, String)]) -> Vec<(String, String)> {
    let (of_avx2, of_all): (Vec<_>, Vec<_>) = golden.into_iter().partition(|(of, _)| of.ends_with(" avx2"));
    match level {
        "avx512" => found.iter().cloned().chain(of_avx2).collect(),
        "avx2" => {
            let own = found.iter().filter(|line| !of_all.contains(line));
            let own: Vec<_> = own.map(|(of, bits)| (format!("{of} avx2"), bits.clone())).collect();
            of_all.into_iter().chain(own).collect()
        }
        _ => panic!("the level {level} has no baseline"),
    }
}

#[test]
fn bits_are_those_of_the_baseline() {
    let mut lines = String::new();
    cases::<f32>(&mut lines);
    cases::<f64>(&mut lines);
    let found: Vec<_> = lines.lines().map(parts).collect();
    // Products in f64 are computed by `matrixmultiply`, which uses the instructions that the processor has.
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        let level = plywood::level().unwrap();
        let path = std::path::Path::new(crate::ROOT).join("tests/library/bits.txt");
        let mut golden: Vec<_> = std::fs::read_to_string(&path).unwrap().lines().map(parts).collect();
        if std::env::var("PLYWOOD_GOLDEN").is_ok_and(|value| value == "write") {
            golden = written(level, golden, &found);
            let lines = golden.iter().map(|(of, bits)| format!("{of} {bits}\n"));
            std::fs::write(&path, lines.collect::<String>()).unwrap();
        }
        let mut compared = 0;
        for (of, bits) in found.iter().filter(|(of, _)| level != "portable" || of.ends_with("f64")) {
            let line = |of: &str| golden.iter().find(|line| line.0 == of);
            let expected = line(&format!("{of} {level}")).or_else(|| line(of));
            assert_eq!(Some(bits), expected.map(|(_, bits)| bits), "{of} at the level {level}");
            compared += 1;
        }
        println!("{compared} of {} lines compared at the level {level}", found.len());
        assert_eq!(golden.iter().filter(|(of, _)| !of.ends_with("avx2")).count(), found.len());
    }
}
