//! What callbacks see in their context, and the effect of their requests.

use ndarray::Array2;
use plywood::ndarray;
use plywood::optim::{CosineDecay, ReduceOnPlateau};
use plywood::prelude::*;
use plywood::train::{Checkpoints, CsvLog, Direction, Monitor};
use std::sync::{Arc, Mutex};

type Shared<T> = Arc<Mutex<T>>;

/// The methods of a callback that receive a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hook {
    Begin,
    Gradients,
    Batch,
    Epoch,
    End,
}

/// A callback that calls one closure with the method and the context.
struct Does<D>(D);

impl<D: FnMut(Hook, &mut Context<'_>) -> Result<()> + Send> Callback for Does<D> {
    fn on_train_begin(&mut self, context: &mut Context<'_>) -> Result<()> {
        (self.0)(Hook::Begin, context)
    }
    fn on_gradients(&mut self, context: &mut Context<'_>) -> Result<()> {
        (self.0)(Hook::Gradients, context)
    }
    fn on_batch_end(&mut self, context: &mut Context<'_>) -> Result<()> {
        (self.0)(Hook::Batch, context)
    }
    fn on_epoch_end(&mut self, context: &mut Context<'_>) -> Result<()> {
        (self.0)(Hook::Epoch, context)
    }
    fn on_train_end(&mut self, context: &mut Context<'_>) -> Result<()> {
        (self.0)(Hook::End, context)
    }
    fn name(&self) -> &str {
        "Does"
    }
}

fn does<D: FnMut(Hook, &mut Context<'_>) -> Result<()> + Send>(what: D) -> Does<D> {
    Does(what)
}

/// Returns eight samples, so batches of three make three steps per epoch.
fn data() -> ArrayDataset<f32, Vec<usize>> {
    let inputs = Array2::from_shape_fn((8, 2), |(i, j)| ((i * 5 + j * 3) % 7) as f32 / 7.0);
    ArrayDataset::new(inputs, (0..8).map(|i| i % 2).collect()).unwrap()
}

fn model() -> Sequential {
    Sequential::builder([2]).seed(3).layer(Dense::units(2)).layer(Softmax).build().unwrap()
}

fn trainer() -> Trainer<CrossEntropy> {
    Trainer::new(CrossEntropy::default(), SGD::default().momentum(0.5))
        .learning_rate(0.1)
        .batch_size(3)
        .progress(Progress::Silent)
}

fn rates(history: &History) -> Vec<f64> {
    history.epochs.iter().map(|epoch| epoch.learning_rate).collect()
}

#[test]
fn each_method_sees_where_training_is() {
    type Seen = (Hook, u64, usize, u64, f64);
    let seen: Shared<Vec<Seen>> = Shared::default();
    let losses: Shared<Vec<f64>> = Shared::default();
    let (told, told_losses) = (seen.clone(), losses.clone());
    let callback = does(move |hook, context| {
        told.lock().unwrap().push((
            hook,
            context.epoch(),
            context.batch(),
            context.step(),
            context.learning_rate(),
        ));
        told_losses.lock().unwrap().push(context.loss());
        Ok(())
    });
    // The learning rate of step n is n / 1000.
    let mut t = trainer().learning_rate(|step: u64| step as f64 / 1000.0).callback(callback);
    let mut model = model();
    let history = t.fit(&mut model, &data()).unwrap();
    let step = |hook, epoch, batch, step: u64| -> Seen { (hook, epoch, batch, step, step as f64 / 1000.0) };
    let epoch = |epoch, before| {
        let batches = (1..=3).flat_map(move |batch| {
            let number = before + batch as u64;
            [step(Hook::Gradients, epoch, batch, number), step(Hook::Batch, epoch, batch, number)]
        });
        batches.chain([step(Hook::Epoch, epoch, 3, before + 3), step(Hook::End, epoch, 3, before + 3)])
    };
    let first: Vec<_> = [(Hook::Begin, 0, 0, 0, 0.001)].into_iter().chain(epoch(1, 0)).collect();
    assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), first);
    let losses = std::mem::take(&mut *losses.lock().unwrap());
    assert!(losses[0].is_nan() && losses[8].is_nan(), "{losses:?}");
    assert!((1..7).step_by(2).all(|i| losses[i] == losses[i + 1]), "{losses:?}");
    let mean = (3.0 * losses[1] + 3.0 * losses[3] + 2.0 * losses[5]) / 8.0;
    assert!((losses[7] - mean).abs() < 1e-6 && losses[7] == history.epochs[0].values[0].1, "{losses:?}");

    t.fit(&mut model, &data()).unwrap(); // a second call continues the count
    let second: Vec<_> = [step(Hook::Begin, 1, 0, 3)].into_iter().chain(epoch(2, 3)).collect();
    assert_eq!(*seen.lock().unwrap(), second);
}

#[test]
fn steps_of_several_batches_are_counted_as_they_are_taken() {
    let seen: Shared<Vec<(Hook, usize, u64)>> = Shared::default();
    let told = seen.clone();
    let callback = does(move |hook, context| {
        told.lock().unwrap().push((hook, context.batch(), context.step()));
        Ok(())
    });
    trainer().batches_per_step(2).callback(callback).fit(&mut model(), &data()).unwrap();
    let expected = [
        (Hook::Begin, 0, 0),
        (Hook::Batch, 1, 0),
        (Hook::Gradients, 2, 1),
        (Hook::Batch, 2, 1),
        (Hook::Batch, 3, 1),
        (Hook::Gradients, 3, 2), // the last, smaller group of batches of the epoch
        (Hook::Epoch, 3, 2),
        (Hook::End, 3, 2),
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn values_are_those_of_the_epoch_that_ended() {
    type Values = Vec<(String, f64, Option<Direction>)>;
    /// The method, the values, the printed line of the epoch, and the number of epochs in the history.
    type Seen = (Hook, Values, Option<String>, usize);
    let seen: Shared<Vec<Seen>> = Shared::default();
    let told = seen.clone();
    let callback = does(move |hook, context| {
        if hook == Hook::Epoch {
            context.log("norm", context.epoch() as f64)?;
        }
        let values = context.values().map(|(name, value, direction)| (name.to_owned(), value, direction));
        let (values, line) = (values.collect::<Vec<_>>(), context.ended().map(ToString::to_string));
        assert_eq!(context.value("accuracy"), values.get(1).map(|(_, value, _)| *value));
        assert_eq!(context.value("norm").is_some(), context.ended().is_some());
        told.lock().unwrap().push((hook, values, line, context.history().epochs.len()));
        Ok(())
    });
    let mut t = trainer().epochs(2).batch_size(8).metric(Accuracy::default()).callback(callback);
    let history = t.fit_with_validation(&mut model(), &data(), &data()).unwrap();
    let seen = seen.lock().unwrap();
    let of = |epoch: usize| -> Values {
        let directions = [Direction::Lower, Direction::Higher, Direction::Lower, Direction::Higher];
        let values = history.epochs[epoch].values.iter().zip(directions.map(Some).into_iter().chain([None]));
        values.map(|((name, value), direction)| (name.clone(), *value, direction)).collect()
    };
    assert_eq!(
        of(0).iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>(),
        ["loss", "accuracy", "val_loss", "val_accuracy", "norm"]
    );
    let line = |epoch: usize| Some(history.epochs[epoch].to_string());
    let expected = [
        (Hook::Begin, Values::new(), None, 0),
        (Hook::Gradients, Values::new(), None, 0),
        (Hook::Batch, Values::new(), None, 0),
        (Hook::Epoch, of(0), line(0), 0),
        (Hook::Gradients, of(0), line(0), 1),
        (Hook::Batch, of(0), line(0), 1),
        (Hook::Epoch, of(1), line(1), 1),
        (Hook::End, of(1), line(1), 2),
    ];
    assert_eq!(*seen, expected);
}

#[test]
fn a_monitored_value_has_its_direction_or_an_error() {
    let seen: Shared<Vec<String>> = Shared::default();
    let told = seen.clone();
    let callback = does(move |hook, context| {
        if matches!(hook, Hook::Begin | Hook::Epoch) {
            let (loss, other) = (Monitor::of("loss"), Monitor::of("f1"));
            for monitor in [loss.clone(), loss.directed(Direction::Higher), other] {
                told.lock().unwrap().push(match context.monitored(&monitor) {
                    Ok((value, direction)) => format!("{direction:?} {}", value == context.loss()),
                    Err(error) => error.to_string(),
                });
            }
        }
        Ok(())
    });
    trainer().callback(callback).fit(&mut model(), &data()).unwrap();
    let none =
        "the value to monitor must be of an epoch that has ended, got none. Ask for it in `on_epoch_end`.";
    let unknown = "the value to monitor must be one of the epoch's (loss), got f1. Write one of these names, or \
                   add the metric to the trainer.";
    assert_eq!(*seen.lock().unwrap(), [none, none, none, "Lower true", "Higher true", unknown]);
}

#[test]
fn a_rate_that_is_set_takes_the_place_of_the_schedule() {
    let mut t = trainer().epochs(4).learning_rate(CosineDecay { start: 0.1, steps: 12 });
    t = t.callback(does(|hook, context| {
        if hook == Hook::Epoch && context.epoch() == 2 {
            context.set_learning_rate(0.03);
            assert_eq!(context.learning_rate(), 0.03);
        }
        Ok(())
    }));
    t = t.callback(does(|hook, context| {
        // The next callback sees the learning rate that the first one set, and sets it again.
        if hook == Hook::Epoch && context.epoch() == 3 {
            assert_eq!(context.learning_rate(), 0.03);
            context.set_learning_rate(context.learning_rate() / 3.0);
        }
        Ok(())
    }));
    let mut model = model();
    let history = t.fit(&mut model, &data()).unwrap();
    let mut scheduled = trainer().epochs(2).learning_rate(CosineDecay { start: 0.1, steps: 12 });
    let scheduled = scheduled.fit(&mut self::model(), &data()).unwrap();
    assert_eq!(rates(&history), [rates(&scheduled), vec![0.03, 0.01]].concat());
    assert_eq!(t.optimizer().learning_rate_at(1000), 0.01, "it stays");
    let t = t.learning_rate(0.2);
    assert_eq!(t.optimizer().learning_rate_at(1000), 0.2, "until a schedule is set");
}

/// In `on_gradients`, the learning rate is that of the current step; in `on_batch_end`, that of the next step.
#[test]
fn a_rate_counts_from_the_next_step_on() {
    let trained = |at: Option<(Hook, u64)>, rate: f64, schedule: fn(u64) -> f64| {
        let mut model = model();
        let callback = does(move |hook, context| {
            if Some((hook, context.step())) == at {
                context.set_learning_rate(rate);
            }
            Ok(())
        });
        trainer().learning_rate(schedule).callback(callback).fit(&mut model, &data()).unwrap();
        model.to_bytes().unwrap()
    };
    let steps = trained(None, 0.0, |step| if step < 2 { 0.1 } else { 0.05 });
    assert_eq!(trained(Some((Hook::Gradients, 2)), 0.05, |_| 0.1), steps);
    assert_eq!(trained(Some((Hook::Batch, 1)), 0.05, |_| 0.1), steps);
    assert_eq!(trained(Some((Hook::Begin, 0)), 0.1, |_| 7.0), trained(None, 0.0, |_| 0.1));
    assert_ne!(trained(None, 0.0, |_| 0.1), steps);
}

/// A learning rate that is set replaces the schedule and earlier plateau reductions. Later plateaus reduce it.
#[test]
fn a_rate_that_is_set_is_lowered_by_later_plateaus_alone() {
    let mut t = trainer().epochs(5).learning_rate(0.0);
    // With a learning rate of 0, no epoch is better than the first, so each one reduces the rate.
    t = t.reduce_on_plateau(ReduceOnPlateau::factor(0.5).patience(0).monitor("loss"));
    t = t.callback(does(|hook, context| {
        if hook == Hook::Epoch && context.epoch() == 3 {
            context.set_learning_rate(1e-30);
        }
        Ok(())
    }));
    let history = t.fit(&mut model(), &data()).unwrap();
    assert_eq!(rates(&history), [0.0, 0.0, 0.0, 1e-30, 0.5e-30]);
}

#[test]
fn a_rate_out_of_range_is_an_error_before_the_step() {
    for (rate, found) in [(f64::NAN, "NaN"), (-0.5, "-0.5"), (f64::INFINITY, "inf")] {
        let mut t = trainer().epochs(3).callback(does(move |hook, context| {
            if hook == Hook::Gradients && context.step() == 5 {
                context.set_learning_rate(rate);
            }
            Ok(())
        }));
        assert_eq!(
            t.fit(&mut model(), &data()).unwrap_err().to_string(),
            format!(
                "fit, Does: the learning rate must be at least 0 and finite, got {found}. Correct the number \
                 given to `set_learning_rate`."
            )
        );
        assert_eq!((t.optimizer().steps(), t.optimizer().learning_rate_at(5)), (4, 0.1));
    }
    // Without a trainer, the step returns the error.
    let mut optimizer: Optimizer = Optimizer::new(SGD::default());
    optimizer.set_learning_rate(f64::NAN);
    let (mut model, input) = (model(), Array2::ones((2, 2)).into_dyn());
    plywood::train::accumulate(&mut model, &CrossEntropy::default(), input, &[0, 1][..], None).unwrap();
    let text = optimizer.step(&mut model).unwrap_err().to_string();
    assert!(text.starts_with("step 1: the learning rate must be at least 0 and finite, got NaN"), "{text}");
}

#[test]
fn what_is_logged_is_in_the_history_and_in_later_logs() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("context-log.csv");
    let _ = std::fs::remove_file(&path);
    let early = path.with_file_name("context-log-early.csv");
    let _ = std::fs::remove_file(&early);
    let mut t = trainer().epochs(2).callback(CsvLog::new(&early));
    t = t.callback(does(|hook, context| match hook {
        Hook::Epoch => context.log("twice the epoch", 2.0 * context.epoch() as f64),
        _ => Ok(()),
    }));
    t = t.callback(CsvLog::new(&path));
    let history = t.fit(&mut model(), &data()).unwrap();
    assert_eq!(history.get("twice the epoch"), [2.0, 4.0]);
    assert_eq!(history.epochs[0].directions, [Some(Direction::Lower), None]);
    assert!(history.epochs[0].to_string().contains("twice the epoch 2.0000"));
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().next(), Some("epoch,loss,twice the epoch,learning_rate,seconds"));
    assert!(text.lines().nth(2).unwrap().contains(",4.0,"), "{text}");
    let before = std::fs::read_to_string(&early).unwrap();
    assert_eq!(before.lines().next(), Some("epoch,loss,learning_rate,seconds"), "it was called before");
}

#[test]
fn names_and_methods_that_cannot_log_are_refused() {
    let error = |at: Hook, name: &'static str| {
        let mut t = trainer()
            .metric(Accuracy::default())
            .callback(does(move |hook, context| if hook == at { context.log(name, 1.0) } else { Ok(()) }));
        let text = t.fit(&mut model(), &data()).unwrap_err().to_string();
        (text, t.history().epochs.len())
    };
    for (name, taken) in [
        ("loss", "the name of the loss"),
        ("epoch", "the name of the epoch's number"),
        ("learning_rate", "the name of the learning rate"),
        ("seconds", "the name of the time"),
        ("accuracy", "the name of an existing value"),
        ("val_norm", "a name for values over validation data"),
    ] {
        let (text, epochs) = error(Hook::Epoch, name);
        assert_eq!(
            text,
            format!(
                "fit: the logged value must have a name of its own, got \"{name}\", which is {taken}. Log it \
                 under another name."
            )
        );
        assert_eq!(epochs, 1, "the epoch is in the history all the same");
    }
    for (hook, method, epochs) in [
        (Hook::Begin, "on_train_begin", 0),
        (Hook::Gradients, "on_gradients", 0),
        (Hook::Batch, "on_batch_end", 0),
        (Hook::End, "on_train_end", 1),
    ] {
        let expected = format!(
            "fit: the value must be logged in `on_epoch_end`, got \"norm\" in `{method}`. Keep it in the callback \
             until the epoch ends."
        );
        assert_eq!(error(hook, "norm"), (expected, epochs));
    }
    let twice = does(|hook, context| match hook {
        Hook::Epoch => context.log("norm", 1.0).and_then(|()| context.log("norm", 2.0)),
        _ => Ok(()),
    });
    let mut t = trainer().callback(twice);
    let text = t.fit(&mut model(), &data()).unwrap_err().to_string();
    assert!(text.contains("got \"norm\", which is the name of an existing value"), "{text}");
    assert_eq!(t.history().last("norm"), Some(1.0));
}

#[test]
fn a_stop_ends_training_and_the_other_callbacks_are_still_called() {
    // Where it stops, at which step or epoch, and the resulting numbers of epochs and steps.
    for (at, number, epochs, steps) in [
        (Hook::Begin, 0, 0, 0),
        (Hook::Gradients, 5, 2, 5), // the step is still taken
        (Hook::Batch, 2, 1, 2),
        (Hook::Epoch, 6, 2, 6),
    ] {
        let calls: Shared<Vec<(Hook, u64)>> = Shared::default();
        let told = calls.clone();
        let stops = does(move |hook, context| {
            if hook == at && context.step() == number {
                context.stop();
            }
            Ok(())
        });
        let records = does(move |hook, context| {
            told.lock().unwrap().push((hook, context.step()));
            Ok(())
        });
        let mut t = trainer().epochs(4).callback(stops).callback(records);
        let history = t.fit_with_validation(&mut model(), &data(), &data()).unwrap();
        assert_eq!((history.epochs.len(), t.optimizer().steps()), (epochs, steps), "{at:?}");
        assert!(history.epochs.iter().all(|epoch| epoch.get("val_loss").is_some()), "validation follows");
        let calls = calls.lock().unwrap();
        assert!(calls.contains(&(at, number)), "the second one is called where the first stops: {calls:?}");
        assert_eq!(calls.last(), Some(&(Hook::End, steps)));
        assert_eq!(calls.iter().filter(|(hook, _)| *hook == Hook::Epoch).count(), epochs);
    }
}

/// An error in one callback ends training, but the epoch stays in the history.
#[test]
fn an_error_leaves_the_epoch_in_the_history() {
    let ended: Shared<Vec<usize>> = Shared::default();
    let told = ended.clone();
    let fails = does(|hook, context| match hook {
        Hook::Epoch if context.epoch() == 2 => Err(Error::custom("enough")),
        _ => Ok(()),
    });
    let ends = does(move |hook, context| {
        if hook == Hook::End {
            told.lock().unwrap().push(context.history().epochs.len());
        }
        Ok(())
    });
    let mut t = trainer().epochs(5).callback(fails).callback(ends);
    assert_eq!(t.fit(&mut model(), &data()).unwrap_err().to_string(), "fit: enough");
    assert_eq!((t.history().epochs.len(), &*ended.lock().unwrap()), (2, &vec![2]));
}

/// Logged values are restored from a checkpoint, and later epochs add to them.
#[test]
fn a_resumed_run_has_what_was_logged() {
    let folder = std::env::temp_dir().join(format!("plywood-context-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let logs = || {
        does(|hook, context| match hook {
            Hook::Epoch if context.epoch() != 2 => context.log("number", context.epoch() as f64),
            _ => Ok(()),
        })
    };
    let trainer = |epochs| trainer().epochs(epochs).callback(logs());
    let mut first = trainer(3).checkpoints(Checkpoints::in_folder(&folder));
    first.fit(&mut model(), &data()).unwrap();
    let (mut model, mut second) = (model(), trainer(4));
    second.resume(&mut model, &folder).unwrap();
    assert_eq!(second.fit(&mut model, &data()).unwrap().get("number"), [1.0, 3.0, 4.0]);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A learning rate set by a callback is saved in the checkpoint; the callback does not set it again.
#[test]
fn a_rate_that_was_set_outlives_an_interruption() {
    let folder = std::env::temp_dir().join(format!("plywood-set-rate-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let at = |set: u64| {
        let callback = does(move |hook, context| {
            if hook == Hook::Batch && context.step() == set {
                context.set_learning_rate(0.7);
            }
            Ok(())
        });
        let plateau = ReduceOnPlateau::factor(0.5).patience(0).monitor("loss").threshold(0.5);
        trainer()
            .learning_rate(CosineDecay { start: 0.1, steps: 12 })
            .epochs(4)
            .reduce_on_plateau(plateau)
            .callback(callback)
    };
    let (mut whole, mut plain) = (model(), model());
    let history = at(4).fit(&mut whole, &data()).unwrap();
    at(99).fit(&mut plain, &data()).unwrap();
    assert_ne!(whole.to_bytes().unwrap(), plain.to_bytes().unwrap());
    let checkpoints = Checkpoints::in_folder(&folder).every_batches(1).keep_last(99);
    at(4).checkpoints(checkpoints).fit(&mut model(), &data()).unwrap();
    let mut resumed = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let (mut again, mut t) = (model(), at(4));
        t.resume(&mut again, &path).unwrap();
        let rest = t.fit(&mut again, &data()).unwrap();
        assert_eq!(again.to_bytes().unwrap(), whole.to_bytes().unwrap(), "{}", path.display());
        assert_eq!(rates(&rest), rates(&history));
        resumed += 1;
    }
    assert!(resumed > 12, "{resumed}");
    std::fs::remove_dir_all(&folder).unwrap();
}
