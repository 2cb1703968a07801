//! Boxed losses, schedules, metrics and callbacks, whose type is chosen at run time. Each gives the same bits as the
//! unboxed type.

use crate::folder::Folder;
use ndarray::{Array2, arr2};
use plywood::io::State;
use plywood::losses::LossSum;
use plywood::metrics::Named;
use plywood::nn::{OutputActivation, Outputs};
use plywood::optim::{CosineDecay, Schedule, StepDecay, WarmUp};
use plywood::prelude::*;
use plywood::train::{Checkpoints, Direction, accumulate};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

const SAMPLES: usize = 48;

type Labelled = ArrayDataset<f32, Vec<usize>>;

fn data(classes: usize) -> Labelled {
    let x = Array2::from_shape_fn((SAMPLES, 4), |(i, j)| {
        ((i * (j + 3) + j * 5 + i % classes) % 13) as f32 / 13.0
    });
    let data = ArrayDataset::new(x, (0..SAMPLES).map(|i| i % classes).collect::<Vec<_>>()).unwrap();
    data.weights((0..SAMPLES).map(|i| 1.0 + (i % 3) as f64).collect::<Vec<_>>()).unwrap()
}

/// Builds a network that ends in softmax over three classes, or in a sigmoid of one unit.
fn network<F: Scalar>(classes: usize) -> Sequential<F> {
    let body = Sequential::<F>::builder_of([4]).seed(3).layer(Dense::units(6)).layer(Tanh);
    match classes {
        2 => body.layer(Dense::units(1)).layer(Sigmoid).build(),
        _ => body.layer(Dense::units(classes)).layer(Softmax).build(),
    }
    .unwrap()
}

fn trainer<L: Loss<F, Target = [usize]>, F: Scalar>(loss: L) -> Trainer<L, F> {
    Trainer::new(loss, Optimizer::new(Adam::default()))
        .learning_rate(0.02)
        .epochs(4)
        .batch_size(8)
        .validation_split(0.25)
        .progress(Progress::Silent)
}

/// Returns all results of a run except the seconds.
fn run<L: Loss<F, Target = [usize]>, F: Scalar>(mut trainer: Trainer<L, F>, classes: usize) -> Vec<u8> {
    let (data, mut model) = (data(classes), network(classes));
    let history = trainer.fit(&mut model, &data).unwrap();
    left(&mut trainer, &model, history, &data)
}

fn left<L: Loss<F, Target = [usize]>, F: Scalar>(
    trainer: &mut Trainer<L, F>,
    model: &Sequential<F>,
    mut history: History,
    data: &Labelled,
) -> Vec<u8> {
    history.epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.0);
    let evaluated = trainer.evaluate(model, data).unwrap();
    let optimizer = serde_json::to_string(&trainer.optimizer().state(model)).unwrap();
    let mut left = model.to_bytes().unwrap();
    left.extend(format!("{history:?} {evaluated:?} {optimizer}").into_bytes());
    left
}

type BoxedLoss<F> = Box<dyn Loss<F, Target = [usize]>>;

fn cross_entropy() -> CrossEntropy {
    CrossEntropy::default().class_weights([1.0, 2.0, 0.5]).label_smoothing(0.1)
}

fn losses_of<F: Scalar>() {
    let boxed: BoxedLoss<F> = Box::new(cross_entropy());
    assert_eq!(boxed.fused_activation(), OutputActivation::Softmax);
    assert_eq!((boxed.outputs(), boxed.name()), (Outputs::Distributions, "CrossEntropy"));
    let typed = run::<_, F>(trainer(cross_entropy()), 3);
    assert!(run(trainer(boxed), 3) == typed, "a box of the trait");
    assert!(run::<_, F>(trainer(Box::new(cross_entropy())), 3) == typed, "a box of the type");
    let twice: Box<BoxedLoss<F>> = Box::new(Box::new(cross_entropy()));
    assert!(run(trainer(twice), 3) == typed, "a box in a box");
    assert!(run::<_, F>(trainer(CrossEntropy::default()), 3) != typed, "the settings matter");

    let binary = || BinaryCrossEntropy::default().positive_weight(3.0);
    let boxed: BoxedLoss<F> = Box::new(binary());
    assert_eq!(boxed.fused_activation(), OutputActivation::Sigmoid);
    assert!(run(trainer(boxed), 2) == run::<_, F>(trainer(binary()), 2));
    let boxed: BoxedLoss<F> = Box::<Focal>::default();
    assert!(run(trainer(boxed), 3) == run::<_, F>(trainer(Focal::default()), 3));
}

#[test]
fn a_boxed_loss_trains_to_the_same_bits() {
    losses_of::<f32>();
    losses_of::<f64>();
}

#[test]
fn a_boxed_loss_in_a_loop_of_ones_own_gives_the_same_bits() {
    let step = |loss: &dyn Fn(&mut Sequential) -> LossSum| {
        let mut model = network::<f32>(3);
        let sum = loss(&mut model);
        Optimizer::new(Adam::default()).step(&mut model).unwrap();
        (sum, model.to_bytes().unwrap())
    };
    let x = || Array2::from_shape_fn((6, 4), |(i, j)| ((i * 3 + j) % 5) as f32).into_dyn();
    let labels = [0, 1, 2, 2, 1, 0];
    let boxed: BoxedLoss<f32> = Box::new(cross_entropy());
    let typed = step(&|model| accumulate(model, &cross_entropy(), x(), &labels[..], None).unwrap());
    assert!(step(&|model| accumulate(model, &boxed, x(), &labels[..], None).unwrap()) == typed);
}

fn smoothed() -> Trainer<CrossEntropy> {
    trainer(cross_entropy())
}

/// The error texts are the same, too: errors name the loss, not the box, and are returned before the first step.
#[test]
fn errors_name_the_loss_in_the_box() {
    let text = |loss: BoxedLoss<f32>, model: &mut Sequential, data: &Labelled| {
        trainer(loss).fit(model, data).unwrap_err().to_string()
    };
    let dense = || Sequential::builder([4]).layer(Dense::units(3)).build().unwrap();
    let typed = trainer(CrossEntropy::default()).fit(&mut dense(), &data(3)).unwrap_err().to_string();
    assert!(
        typed.contains("probabilities for CrossEntropy")
            && typed.contains("`CrossEntropy::default().from_logits(true)`")
    );
    assert_eq!(text(Box::<CrossEntropy>::default(), &mut dense(), &data(3)), typed);
    let typed = smoothed().fit(&mut network(3), &data(4)).unwrap_err().to_string();
    assert!(typed.contains("row 3") || typed.contains("sample 3"), "found by check_target: {typed}");
    assert_eq!(text(Box::new(cross_entropy()), &mut network(3), &data(4)), typed);

    /// A loss that returns a gradient of the wrong shape.
    struct Flat;
    impl Loss for Flat {
        type Target = [usize];
        fn value_and_grad(
            &self,
            _: Tensor,
            _: &[usize],
            _: Option<&[f32]>,
            _: f64,
        ) -> Result<(LossSum, Tensor)> {
            Ok((LossSum { sum: 1.0, weight: 1.0 }, arr2(&[[0.0]]).into_dyn()))
        }
    }
    let error = text(Box::new(Flat), &mut dense(), &data(3));
    assert!(error.contains("the gradient that Flat returns"), "{error}");

    /// A loss that chooses its own name for errors.
    struct Renamed;
    impl Loss for Renamed {
        type Target = [usize];
        fn value_and_grad(
            &self,
            output: Tensor,
            target: &[usize],
            weights: Option<&[f32]>,
            divisor: f64,
        ) -> Result<(LossSum, Tensor)> {
            cross_entropy().value_and_grad(output, target, weights, divisor)
        }
        fn name(&self) -> &str {
            "the loss of the paper"
        }
        fn outputs(&self) -> Outputs {
            Outputs::Distributions
        }
    }
    let error = text(Box::new(Renamed), &mut dense(), &data(3));
    assert!(error.contains("must be probabilities for the loss of the paper"), "{error}");
}

#[test]
fn a_boxed_schedule_gives_the_same_rates() {
    let cosine = || CosineDecay { start: 0.05, steps: 15 };
    let boxed = || -> Box<dyn Schedule> { Box::new(cosine()) };
    let typed = run(smoothed().learning_rate(cosine()), 3);
    assert!(run(smoothed().learning_rate(boxed()), 3) == typed);
    assert!(run(smoothed(), 3) != typed, "the schedule matters");
    let warm = run(smoothed().learning_rate(WarmUp { from: 0.0, steps: 4, then: cosine() }), 3);
    let then = WarmUp { from: 0.0, steps: 4, then: boxed() };
    assert!(run(smoothed().learning_rate(then), 3) == warm);
    let number: Box<dyn Schedule> = Box::new(0.02);
    let closure: Box<dyn Fn(u64) -> f64 + Send> = Box::new(|_| 0.02);
    let constant = run(smoothed(), 3);
    assert!(run(smoothed().learning_rate(number), 3) == constant);
    assert!(run(smoothed().learning_rate(closure), 3) == constant);

    // A parameter that `check` tests is out of range, although the learning rates would be valid.
    let wrong = || StepDecay { start: 0.05, factor: 0.0, steps: 10 };
    let text = |rate: Box<dyn Schedule>| {
        let mut trainer = smoothed().learning_rate(rate);
        trainer.fit(&mut network(3), &data(3)).unwrap_err().to_string()
    };
    let typed = smoothed().learning_rate(wrong()).fit(&mut network(3), &data(3));
    assert_eq!(text(Box::new(wrong())), typed.unwrap_err().to_string());
}

type BoxedMetric = Box<dyn Metric<[usize]>>;

#[test]
fn boxed_metrics_have_the_same_values() {
    let binary = || trainer::<_, f32>(BinaryCrossEntropy::default());
    let typed = binary()
        .metric(Accuracy::default().threshold(0.3))
        .metric(Precision::default().threshold(0.45))
        .metric(BrierScore::default())
        .metric(RocAuc::default());
    let metrics: Vec<BoxedMetric> = vec![
        Box::new(Accuracy::default().threshold(0.3)),
        Box::new(Precision::default().threshold(0.45)),
        Box::new(BrierScore::default()),
        Box::new(RocAuc::default()),
    ];
    let boxed = metrics.into_iter().fold(binary(), Trainer::metric);
    assert!(run(boxed, 2) == run(typed, 2));

    // A box gives the same error in `begin`, can be renamed, and has the direction of the metric inside.
    let logits = || trainer::<_, f32>(CrossEntropy::default().from_logits(true));
    let fit = |mut trainer: Trainer<CrossEntropy>| {
        let mut model = Sequential::builder([4]).layer(Dense::units(3)).build().unwrap();
        trainer.fit(&mut model, &data(3)).unwrap_err().to_string()
    };
    let boxed: BoxedMetric = Box::<BrierScore>::default();
    assert_eq!(fit(logits().metric(boxed)), fit(logits().metric(BrierScore::default())));
    let boxed: BoxedMetric = Box::<BrierScore>::default();
    let named = Named::new("brier", boxed);
    assert_eq!(Metric::<[usize]>::direction(&named), Some(Direction::Lower));
}

fn stopping() -> EarlyStopping {
    EarlyStopping::patience(1).monitor("val_accuracy")
}

fn all_typed() -> Trainer<CrossEntropy> {
    let trainer = smoothed().learning_rate(CosineDecay { start: 0.05, steps: 15 }).epochs(6);
    trainer.metric(Accuracy::default()).callback(stopping())
}

fn all_boxed() -> Trainer<BoxedLoss<f32>> {
    let (loss, rate): (BoxedLoss<f32>, Box<dyn Schedule>) =
        (Box::new(cross_entropy()), Box::new(CosineDecay { start: 0.05, steps: 15 }));
    let (metric, callback): (BoxedMetric, Box<dyn Callback>) =
        (Box::new(Accuracy::default()), Box::new(stopping()));
    trainer(loss).learning_rate(rate).epochs(6).metric(metric).callback(callback)
}

fn resumed<L: Loss<f32, Target = [usize]>>(mut trainer: Trainer<L>, from: &PathBuf) -> Vec<u8> {
    let mut model = network(3);
    trainer.resume(&mut model, from).unwrap();
    let history = trainer.fit(&mut model, &data(3)).unwrap();
    left(&mut trainer, &model, history, &data(3))
}

/// Metrics and early stopping save their states in a checkpoint, under the same names with and without a box.
#[test]
fn checkpoints_of_one_are_resumed_by_the_other() {
    let unbroken = run(all_typed(), 3);
    for by_boxed in [false, true] {
        let folder = Folder::new(if by_boxed { "boxed" } else { "typed" });
        let checkpoints = Checkpoints::in_folder(&folder.0).every_batches(2).every_epochs(1).keep_last(1000);
        let saved = match by_boxed {
            true => run(all_boxed().checkpoints(checkpoints), 3),
            false => run(all_typed().checkpoints(checkpoints), 3),
        };
        assert!(saved == unbroken);
        let files = folder.files();
        assert!(files.len() >= 6, "{files:?}");
        for file in files {
            assert!(resumed(all_boxed(), &file) == unbroken, "{}", file.display());
            assert!(resumed(all_typed(), &file) == unbroken, "{}", file.display());
        }
    }
}

/// Records which methods were called.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<&'static str>>>);

impl Calls {
    fn note(&self, call: &'static str) {
        let mut calls = self.0.lock().unwrap();
        if !calls.contains(&call) {
            calls.push(call);
        }
    }
}

impl Callback for Calls {
    fn on_train_begin(&mut self, _: &mut Context<'_>) -> Result<()> {
        self.note("on_train_begin");
        Ok(())
    }
    fn on_gradients(&mut self, _: &mut Context<'_>) -> Result<()> {
        self.note("on_gradients");
        Ok(())
    }
    fn on_batch_end(&mut self, _: &mut Context<'_>) -> Result<()> {
        self.note("on_batch_end");
        Ok(())
    }
    fn on_epoch_end(&mut self, context: &mut Context<'_>) -> Result<()> {
        self.note("on_epoch_end");
        if context.epoch() == 2 {
            context.stop();
        }
        Ok(())
    }
    fn on_train_end(&mut self, _: &mut Context<'_>) -> Result<()> {
        self.note("on_train_end");
        Ok(())
    }
    fn kind(&self) -> Option<Kind> {
        Some(const { Kind::own("tests.calls") })
    }
    fn state(&self) -> Option<State> {
        Some(State::new().number("calls", 1.0))
    }
}

#[test]
fn every_call_reaches_the_callback_in_the_box() {
    let calls = Calls::default();
    let boxed: Box<dyn Callback> = Box::new(calls.clone());
    assert_eq!((boxed.name(), boxed.state().is_some(), boxed.monitor().is_none()), ("Calls", true, true));
    let watches: Box<dyn Callback> = Box::new(stopping());
    assert!(watches.monitor().is_some());
    let mut trainer = smoothed().callback(boxed);
    assert_eq!(trainer.fit(&mut network(3), &data(3)).unwrap().epochs.len(), 2, "it ended training");
    let all = ["on_train_begin", "on_gradients", "on_batch_end", "on_epoch_end", "on_train_end"];
    assert_eq!(*calls.0.lock().unwrap(), all);
}

/// Builds a trainer from names, as a settings file or a command line would give them.
fn chosen(loss: &str, rate: &str, metrics: &[&str], callbacks: &[&str]) -> Result<Trainer<BoxedLoss<f32>>> {
    let unknown = |name: &str| Error::custom(format!("{name} is no known name"));
    let loss: BoxedLoss<f32> = match loss {
        "cross_entropy" => Box::new(CrossEntropy::default()),
        "smooth" => Box::new(cross_entropy()),
        "focal" => Box::new(Focal::default()),
        name => return Err(unknown(name)),
    };
    let rate: Box<dyn Schedule> = match rate {
        "cosine" => Box::new(CosineDecay { start: 0.05, steps: 15 }),
        "falling" => Box::new(|step| 0.1 / step as f64),
        "constant" => Box::new(0.02),
        name => return Err(unknown(name)),
    };
    let mut trainer = trainer(loss).learning_rate(rate).epochs(6);
    for name in metrics {
        let metric: BoxedMetric = match *name {
            "accuracy" => Box::new(Accuracy::default()),
            "log_loss" => Box::new(LogLoss::default()),
            name => return Err(unknown(name)),
        };
        trainer = trainer.metric(metric);
    }
    for name in callbacks {
        let callback: Box<dyn Callback> = match *name {
            "early_stopping" => Box::new(stopping()),
            "calls" => Box::new(Calls::default()),
            name => return Err(unknown(name)),
        };
        trainer = trainer.callback(callback);
    }
    Ok(trainer)
}

#[test]
fn a_run_is_put_together_by_names() {
    let by_name = chosen("smooth", "cosine", &["accuracy"], &["early_stopping"]).unwrap();
    assert!(run(by_name, 3) == run(all_typed(), 3));
    for loss in ["cross_entropy", "smooth", "focal"] {
        for rate in ["cosine", "falling", "constant"] {
            let mut trainer = chosen(loss, rate, &["accuracy", "log_loss"], &["calls"]).unwrap();
            let history = trainer.fit(&mut network(3), &data(3)).unwrap();
            assert!(history.last("val_log_loss").is_some_and(f64::is_finite), "{loss} {rate} {history}");
        }
    }
    assert_eq!(chosen("cosine", "cosine", &[], &[]).err().unwrap().to_string(), "cosine is no known name");
}
