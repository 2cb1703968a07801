//! Counts the allocations of training steps and predictions in the allocator itself: after the first ones, there are
//! none. Also checks what computing output shapes allocates.
//!
//! These tests are a separate program and take turns, because the count belongs to the whole process.
#![expect(unsafe_code, reason = "an allocator that counts can be written in no other way")]

use plywood::data::synthetic::garments;
use plywood::ndarray::{Array2, Array3, Axis};
use plywood::nn::Outputs;
use plywood::optim::{Averaging, Group};
use plywood::prelude::*;
use plywood::set_threads;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The number of allocations, and of bytes allocated, since the process started.
static COUNT: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

/// Held by the test that is counting.
static TURN: Mutex<()> = Mutex::new(());

struct Counting;

// SAFETY: every call is forwarded to the system's allocator with the same arguments; counting does not touch the
// memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller upholds the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above, so from the system's allocator, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Returns how often `work` allocates, and how many bytes, after the first runs.
///
/// The result is the minimum over several runs: a thread allocates its buffers when it first gets work, which on a busy
/// machine may happen at any time. An allocation in every step occurs in every run.
fn allocations(mut work: impl FnMut()) -> (usize, usize) {
    let mut run = || {
        let before = (COUNT.load(Ordering::SeqCst), BYTES.load(Ordering::SeqCst));
        work();
        (COUNT.load(Ordering::SeqCst) - before.0, BYTES.load(Ordering::SeqCst) - before.1)
    };
    (0..5).map(|_| run()).min().unwrap_or_default()
}

/// Returns a small dense network, and one with other layers of the crate.
fn models() -> Vec<(&'static str, Sequential)> {
    let seed = Sequential::builder([28, 28])
        .layer(Flatten)
        .layer(Dense::units(128))
        .layer(ReLU)
        .layer(Dense::units(10))
        .layer(Softmax);
    let block = Sequential::block().layer(Dense::units(40)).layer(Tanh);
    let other = Sequential::builder([28, 28])
        .layer(Reshape::to([784]))
        .layer(Dense::units(64))
        .layer(BatchNorm::new())
        .layer(LeakyReLU::default())
        .layer(Dropout::rate(0.3))
        .layer(Dropout2d::rate(0.1))
        .layer(GaussianNoise::std_dev(0.1))
        .layer(LayerNorm::new())
        .layer(GELU::default())
        .layer(GroupNorm::groups(4))
        .layer(PReLU::new().per_channel(true))
        .layer(RMSNorm::new())
        .layer(block)
        .layer(Sigmoid)
        .layer(Dense::units(10))
        .layer(Softmax);
    vec![("the seed network", seed.build().unwrap()), ("the other network", other.build().unwrap())]
}

/// Counts the allocations of training steps with a metric and sample weights.
fn train(optimizer: impl Into<Optimizer>, model: &mut dyn Model) -> (usize, usize) {
    train_by(CrossEntropy::default(), optimizer, model)
}

/// [`train`] by any loss of class ids.
fn train_by(
    loss: impl Loss<Target = [usize]>,
    optimizer: impl Into<Optimizer>,
    model: &mut dyn Model,
) -> (usize, usize) {
    let (data, _) = garments(320, 10, 1).unwrap();
    let data = data.weights(vec![0.5; 320]).unwrap();
    let mut trainer = Trainer::new(loss, optimizer).metric(Accuracy::default()).progress(Progress::Silent);
    let mut batch = Batch::default();
    let order: Vec<usize> = (0..320).rev().collect();
    let mut run = |steps: usize| {
        for indices in order.chunks(32).cycle().take(steps) {
            data.read(indices, Pass::Train { epoch: 0 }, &mut batch).unwrap();
            let input = batch.take_input();
            trainer.step(model, input, &batch.target, batch.weights.as_deref()).unwrap();
        }
    };
    allocations(|| run(10))
}

#[test]
fn what_is_under_way_allocates_nothing() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for threads in [1, 2, 3] {
        set_threads(threads).unwrap();
        for (name, mut model) in models() {
            let context = format!("{name}, {threads} threads");
            assert_eq!(train(Adam::default(), &mut model), (0, 0), "training by Adam: {context}");
            let adam = || Optimizer::new(Adam::default());
            assert_eq!(train(adam().clip_norm(1.0), &mut model), (0, 0), "with clipping: {context}");
            assert_eq!(train(SGD::default().momentum(0.9), &mut model), (0, 0), "by SGD: {context}");
            let group = Group::matching("*.bias").learning_rate_factor(0.5).weight_decay(0.0);
            let much = adam().group(group).clip_value(1.0).average(Averaging::exponential(0.9));
            assert_eq!(train(much, &mut model), (0, 0), "with groups and averages: {context}");
            assert_eq!(train(adam().batches_per_step(3), &mut model), (0, 0), "by three batches: {context}");
            let focal = GraphLoss::classes("focal", Outputs::Distributions, |_, p, label| {
                let p = p.take_along(label, -1);
                -(1 - p).square() * p.ln()
            });
            assert_eq!(train_by(focal, adam(), &mut model), (0, 0), "by a formula: {context}");

            let images =
                Array3::from_shape_fn((1000, 28, 28), |(i, y, x)| ((i + y * x) % 256) as f32 / 255.0);
            let mut answers = Array2::zeros((1000, 10));
            let one = images.slice_axis(Axis(0), (..1).into());
            let mut answer = Array2::zeros((1, 10));
            let mut predict = || {
                model.predict_into(&one, &mut answer).unwrap();
                model.predict_into(&images, &mut answers).unwrap();
                model.predict_into(&images, &mut answers.view_mut().into_dyn()).unwrap();
            };
            assert_eq!(allocations(&mut predict), (0, 0), "prediction: {context}");
        }
    }
}

/// The seed network as a graph of layers, and as one of operations, most of them.
fn graphs() -> [(&'static str, Graph); 2] {
    let (a, b) = (Graph::builder(), Graph::builder());
    let x = a.input("image", [28, 28]).layer(Flatten).layer(Dense::units(128)).layer(ReLU);
    a.output("class", x.layer(Dense::units(10)).layer(Softmax));
    let image = b.input("image", [28, 28]);
    let x = image.reshape([784]).matmul(b.param("w", [784, 64], Initializer::GlorotUniform));
    let x = (x + b.param("b", [64], Initializer::Zeros)).tanh();
    let centered = x - x.mean_keepdim(-1);
    let x = centered / (centered.square().mean_keepdim(-1) + 1e-5).sqrt();
    let x = x * x.sigmoid() + 0.1 * x;
    let (left, right) = (x.slice(-1, ..32), x.slice(-1, 32..).layer(Dropout::rate(0.1)));
    let lengths = image.slice(1, ..1).sum(-1).sum(-1) * 0.0 + 5.0;
    let rows = image.with_lengths(lengths).max(1).relu().layer(Dense::units(8));
    let attention = (image * 0.1).matmul(image.t()).softmax(-1).matmul(image).permute([0, 2, 1]).sum(1);
    let x = (left * right).concat(&[rows, attention.clip(-1.0, 1.0)], -1);
    b.output("class", x.layer(Dense::units(10)).softmax(-1));
    [("layers", a.build().unwrap()), ("operations", b.build().unwrap())]
}

#[test]
fn a_step_of_a_graph_allocates_nothing() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for threads in [1, 2] {
        set_threads(threads).unwrap();
        for (name, mut graph) in graphs() {
            let found = train(Adam::default(), &mut graph);
            assert_eq!(found, (0, 0), "a graph of {name}, {threads} threads");
        }
    }
}

/// A callback that reads everything in the context of a batch.
struct Reads(f64);

impl Callback for Reads {
    fn on_gradients(&mut self, context: &mut Context<'_>) -> Result<()> {
        self.0 += context.loss() + context.learning_rate();
        Ok(())
    }
    fn on_batch_end(&mut self, context: &mut Context<'_>) -> Result<()> {
        self.0 += (context.epoch() + context.step()) as f64 + context.batch() as f64;
        self.0 += context.value("loss").unwrap_or(0.0) + context.history().epochs.len() as f64;
        Ok(())
    }
}

/// An epoch allocates as often with 60 batches as with 30, with and without callbacks.
#[test]
fn a_batch_of_fit_allocates_nothing() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    set_threads(1).unwrap();
    let trainer = || {
        let schedule = plywood::optim::CosineDecay { start: 0.01, steps: 10_000 };
        let trainer = Trainer::new(CrossEntropy::default(), Adam::default()).learning_rate(schedule);
        trainer.batch_size(10).progress(Progress::Silent)
    };
    for (name, mut trainer) in
        [("alone", trainer()), ("with callbacks", trainer().callback(Reads(0.0)).callback(Reads(0.0)))]
    {
        let (_, mut model) = models().swap_remove(0);
        let mut count = |samples| {
            let (data, _) = garments(samples, 10, 1).unwrap();
            allocations(|| drop(trainer.fit(&mut model, &data).unwrap())).0
        };
        assert_eq!(count(600), count(300), "{name}");
    }
}

/// An epoch over two inputs and two outputs, with metrics of both, allocates as often with 60 batches as with 30.
#[test]
fn a_batch_of_several_inputs_and_outputs_allocates_nothing() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    set_threads(1).unwrap();
    let g = Graph::builder();
    let (image, row) = (g.input("image", [4, 4]), g.input("row", [2]));
    let x = image.layer(Flatten).concat(&[row], -1).layer(Dense::units(8)).layer(ReLU);
    g.output("class", x.layer(Dense::units(3)).layer(Softmax));
    g.output("size", x.layer(Dense::units(1)));
    let mut model = g.build().unwrap();
    let losses = Losses::of("class", CrossEntropy::default()).and("size", MeanSquaredError, 0.5);
    let mut trainer = Trainer::new(losses, Adam::default()).batch_size(10).progress(Progress::Silent);
    let mut count = |samples: usize| {
        let targets = TargetArrays::new()
            .classes("class", (0..samples).map(|i| (i % 4 > 0).then_some(i % 3)).collect::<Vec<_>>())
            .numbers("size", Array2::ones((samples, 1)));
        let images = Array3::<u8>::ones((samples, 4, 4));
        let data = Arrays::builder().input("row", Array2::<f32>::ones((samples, 2))).input("image", images);
        let data = data.targets(targets).unwrap();
        trainer.fit(&mut model, &data).unwrap(); // makes the buffers
        allocations(|| drop(trainer.fit(&mut model, &data).unwrap())).0
    };
    assert_eq!(count(600), count(300));
}

#[test]
fn shapes_of_pooling_and_upsampling_are_worked_out_without_their_rows() {
    const ROWS: usize = 1 << 28;
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let before = BYTES.load(Ordering::SeqCst);
    let image = [1, ROWS, 1];
    let upsample = Sequential::builder(image).layer(Upsample::by([1, 1])).build().unwrap();
    assert_eq!(upsample.output_shape(), image);
    let mut pools = Sequential::builder([1, ROWS]);
    for _ in 0..100 {
        pools = pools.layer(AvgPool1d::window(1));
    }
    assert_eq!(pools.build().unwrap().output_shape(), [1, ROWS]);
    let average = Sequential::builder(image).layer(AvgPool2d::window([1, 1])).build().unwrap();
    assert_eq!(average.output_shape(), image);
    // The span of a row takes 24 bytes, which would be 6 GB for each of these 102 layers.
    let bytes = BYTES.load(Ordering::SeqCst) - before;
    assert!(bytes < 1 << 24, "{bytes}");
}
