//! Models with several inputs and outputs in training: the same bytes for any number of threads, any order of names and
//! after an interruption; what else reads the values of an epoch.

use crate::folder::Folder;
use plywood::data::{Augmented, StratifiedHoldOut};
use plywood::ndarray::{Array2, Array4};
use plywood::optim::{Averaging, ReduceOnPlateau};
use plywood::prelude::*;
use plywood::train::{
    Checkpoints, CsvLog, JsonLines, Search, Space, TensorBoard, cross_validate, cross_validate_with,
};
use std::fs;
use std::path::Path;

const SAMPLES: usize = 60;

fn images() -> Array4<u8> {
    Array4::from_shape_fn((SAMPLES, 1, 6, 6), |(i, _, y, x)| {
        ((i * 7 + y * 31 + x * (1 + i % 3) * 20) % 256) as u8
    })
}

fn rows() -> Array2<f32> {
    Array2::from_shape_fn((SAMPLES, 3), |(i, j)| ((i * (j + 2)) % 7) as f32 / 7.0)
}

/// Every fifth class and every fourth size is missing.
fn targets() -> TargetArrays {
    let classes = (0..SAMPLES).map(|i| (i % 5 > 0).then_some(i % 3)).collect::<Vec<_>>();
    let size = |(i, _)| if i % 4 == 0 { f32::NAN } else { (i % 3) as f32 + (i % 7) as f32 / 7.0 };
    TargetArrays::new()
        .classes("class", classes)
        .class_names(["a", "b", "c"])
        .numbers("size", Array2::from_shape_fn((SAMPLES, 1), size))
        .nan_is_missing()
}

fn data(row_first: bool) -> Arrays<f32, TargetArrays> {
    let scale = 1.0 / 255.0;
    let builder = match row_first {
        false => Arrays::builder().input("image", images()).scale(scale).input("row", rows()),
        true => Arrays::builder().input("row", rows()).input("image", images()).scale(scale),
    };
    let weights = (0..SAMPLES).map(|i| 0.5 + (i % 4) as f64 / 4.0).collect();
    builder.targets(targets()).unwrap().weights(weights).unwrap()
}

fn network() -> Graph {
    let g = Graph::builder().seed(5);
    let (image, row) = (g.input("image", [1, 6, 6]), g.input("row", [3]));
    let x = image.layer(Conv2d::filters(3, 3)).layer(BatchNorm::new()).layer(ReLU).layer(Flatten);
    let x = x.concat(&[row], -1).layer(Dense::units(12)).tanh().layer(Dropout::rate(0.2));
    g.output("class", x.layer(Dense::units(3)).layer(Softmax));
    g.output("size", x.layer(Dense::units(1)));
    g.output("inner", x);
    g.build().unwrap()
}

fn losses() -> Losses {
    Losses::of("class", CrossEntropy::default()).and("size", MeanSquaredError, 0.5).without_loss("inner")
}

fn trainer() -> Trainer<Losses> {
    Trainer::new(losses(), AdamW::default())
        .learning_rate(0.01)
        .epochs(4)
        .batch_size(8)
        .validation_split(0.25)
        .average(Averaging::exponential(0.9))
        .batches_per_step(2)
        .metric(On::classes("class", Accuracy::default()))
        .metric(On::numbers("size", MAE::default()))
        .callback(EarlyStopping::patience(9).monitor("val_class_accuracy"))
        .progress(Progress::Silent)
}

/// All results of a run but the seconds.
fn run(row_first: bool, checkpoints: Option<Checkpoints>, from: Option<&Path>) -> (Vec<u8>, String, String) {
    let data = Augmented::on("image", data(row_first), Augment::seed(3).shift(1)).unwrap();
    let (mut model, mut trainer) = (network(), trainer());
    if let Some(checkpoints) = checkpoints {
        trainer = trainer.checkpoints(checkpoints);
    }
    if let Some(from) = from {
        trainer.resume(&mut model, from).unwrap();
    }
    let mut history = trainer.fit(&mut model, &data).unwrap();
    history.epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.0);
    let optimizer = serde_json::to_string(&trainer.optimizer().state(&model)).unwrap();
    (model.to_bytes().unwrap(), serde_json::to_string(&history).unwrap(), optimizer)
}

/// Model, history and optimizer are the same for 1, 2 and 3 threads, in whatever order the data name their inputs, with
/// batches that are read ahead, and after an interruption at any batch.
#[test]
fn the_bytes_are_the_same_for_threads_orders_and_interruptions() {
    let folder = Folder::new("several");
    let unbroken = run(false, None, None);
    let threads = plywood::threads();
    for count in [1, 2, 3] {
        plywood::set_threads(count).unwrap();
        for row_first in [false, true] {
            assert!(run(row_first, None, None) == unbroken, "{count} threads, row first: {row_first}");
        }
    }
    plywood::set_threads(threads).unwrap();
    let checkpoints = Checkpoints::in_folder(&folder.0).every_batches(1).every_epochs(1).keep_last(1000);
    assert!(run(false, Some(checkpoints.keep_best("val_class_loss")), None) == unbroken);
    let names = folder.names();
    assert!(names.len() > 20 && names.contains(&"best.checkpoint".to_owned()), "{names:?}");
    for (at, name) in names.iter().filter(|name| *name != "best.checkpoint").enumerate() {
        assert!(run(at % 2 == 1, None, Some(&folder.file(name))) == unbroken, "{name}");
    }
}

/// The files of a run with other threads and another order of inputs are the same but for the seconds and the sums over them.
#[test]
fn checkpoints_are_the_same_but_for_the_seconds() {
    let written = |name: &str, threads: usize, row_first: bool| {
        let folder = Folder::new(name);
        plywood::set_threads(threads).unwrap();
        run(row_first, Some(Checkpoints::in_folder(&folder.0).every_batches(2).keep_last(1000)), None);
        let files: Vec<_> =
            folder.names().into_iter().map(|name| fs::read(folder.file(&name)).unwrap()).collect();
        files
    };
    let threads = plywood::threads();
    let (one, three) = (written("several-1", 1, false), written("several-3", 3, true));
    plywood::set_threads(threads).unwrap();
    assert!(one.len() == three.len() && one.len() > 10);
    for (a, b) in one.iter().zip(&three) {
        assert_eq!(a.len(), b.len());
        // Eight bytes for each of four epochs and for the one under way, and two checksums.
        let different = a.iter().zip(b).filter(|(a, b)| a != b).count();
        assert!(different <= 8 * 5 + 2 * 4, "{different} bytes of {}", a.len());
    }
}

/// A checkpoint holds a sum for each output, by name: a run with other losses is refused.
#[test]
fn a_run_with_other_losses_is_not_resumed_within_an_epoch() {
    let folder = Folder::new("several-losses");
    run(false, Some(Checkpoints::in_folder(&folder.0).every_batches(1).keep_last(1000)), None);
    let other = Losses::of("class", CrossEntropy::default()).without_loss("size").without_loss("inner");
    let mut trainer = Trainer::new(other, AdamW::default())
        .batch_size(8)
        .batches_per_step(2)
        .metric(On::classes("class", Accuracy::default()))
        .metric(On::numbers("size", MAE::default()))
        .callback(EarlyStopping::patience(9).monitor("val_class_accuracy"));
    let within = folder.file("epoch-0002-batch-00003.checkpoint");
    let error = trainer.resume(&mut network(), within).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "the losses must be those saved within an epoch (class_loss, size_loss), got class_loss. Add the same losses in \
             the same order; after the end of an epoch they may differ."
        ),
        "{error}"
    );
}

/// The program of a user: two inputs and two outputs from arrays.
fn from_arrays(
    images: Array4<u8>,
    rows: Array2<f32>,
    kinds: Vec<usize>,
    sizes: Array2<f32>,
) -> Result<History> {
    let g = Graph::builder().seed(4);
    let (image, row) = (g.input("image", [1, 6, 6]), g.input("row", [3]));
    let x = image.layer(Flatten).concat(&[row], -1).layer(Dense::units(16)).layer(ReLU);
    g.output("class", x.layer(Dense::units(3)).layer(Softmax));
    g.output("size", x.layer(Dense::units(1)));
    let mut model = g.build()?;

    let targets = TargetArrays::new().classes("class", kinds).numbers("size", sizes);
    let data =
        Arrays::builder().input("image", images).scale(1.0 / 255.0).input("row", rows).targets(targets)?;
    let losses = Losses::of("class", CrossEntropy::default()).and("size", MeanSquaredError, 0.5);
    Trainer::new(losses, Adam::default())
        .epochs(3)
        .validation_split(0.2)
        .metric(On::classes("class", Accuracy::default()))
        .metric(On::numbers("size", MAE::default()))
        .progress(Progress::Silent)
        .fit(&mut model, &data)
}

#[test]
fn two_inputs_and_two_outputs_take_few_lines() {
    let text = include_str!("several.rs");
    let body = text.split_once("\nfn from_arrays").unwrap().1.split_once("\n}\n").unwrap().0;
    let lines = body.lines().count() + 1;
    assert!((15..=25).contains(&lines), "{lines}");
    let kinds = (0..SAMPLES).map(|i| i % 3).collect();
    let history =
        from_arrays(images(), rows(), kinds, rows().slice(ndarray::s![.., ..1]).to_owned()).unwrap();
    let names: Vec<&str> = history.epochs[2].values.iter().map(|(name, _)| &name[..]).collect();
    let own = ["loss", "class_loss", "size_loss", "class_accuracy", "size_mean_absolute_error"];
    assert_eq!(names[..5], own);
    assert!(names[5..].iter().zip(own).all(|(found, own)| *found == format!("val_{own}")), "{names:?}");
    for epoch in &history.epochs {
        for prefix in ["", "val_"] {
            let get = |name: &str| epoch.get(&format!("{prefix}{name}")).unwrap();
            assert_eq!(get("loss"), get("class_loss") + 0.5 * get("size_loss"));
        }
        let direction = epoch.direction("val_size_loss");
        assert_eq!(direction, Some(plywood::train::Direction::Lower));
    }
}

/// Logs, plateaus, monitors: all read the values by their names.
#[test]
fn logs_and_monitors_know_the_losses_of_outputs() {
    let folder = Folder::new("several-logs");
    let plateau = ReduceOnPlateau::factor(0.5).patience(0).monitor("val_size_loss");
    let mut trainer = trainer()
        .reduce_on_plateau(plateau)
        .callback(CsvLog::new(folder.file("log.csv")))
        .callback(JsonLines::new(folder.file("log.jsonl")))
        .callback(TensorBoard::new(folder.file("board")));
    let mut model = network();
    let history = trainer.fit(&mut model, &data(false)).unwrap();
    let csv = fs::read_to_string(folder.file("log.csv")).unwrap();
    let head = csv.lines().next().unwrap();
    for name in ["loss", "class_loss", "val_size_loss", "val_class_accuracy", "size_mean_absolute_error"] {
        assert!(head.split(',').any(|column| column == name), "{name} in {head}");
    }
    let json = fs::read_to_string(folder.file("log.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    assert_eq!(last["val_class_loss"].as_f64(), history.last("val_class_loss"));
    let board = fs::read_dir(folder.file("board")).unwrap().next().unwrap().unwrap().path();
    let board =
        if board.is_dir() { fs::read_dir(board).unwrap().next().unwrap().unwrap().path() } else { board };
    let bytes = fs::read(board).unwrap();
    assert!(bytes.windows(9).any(|window| window == b"size_loss"), "a scalar of the output");

    let error = |monitor: &str| {
        let mut trainer = self::trainer().callback(EarlyStopping::patience(1).monitor(monitor));
        trainer.fit(&mut network(), &data(false)).unwrap_err().to_string()
    };
    let text = error("val_inner_loss");
    assert!(text.contains("val_class_loss") && text.contains("val_size_loss"), "{text}");
    assert!(error("val_accuracy").contains("val_class_accuracy"));
}

/// Cross-validation, search and the range test.
#[test]
fn folds_and_trials_have_the_losses_of_outputs() {
    let build =
        |_: usize| Ok((network(), Trainer::new(losses(), AdamW::default()).progress(Progress::Silent)));
    let data = data(true);
    let scores = cross_validate(&data, &StratifiedKFold::new(3).on("class").seed(1), build).unwrap();
    let total = scores.get("loss").unwrap();
    let parts = scores.get("class_loss").unwrap().into_iter().zip(scores.get("size_loss").unwrap());
    assert!(total.into_iter().zip(parts).all(|(loss, (class, size))| loss == class + 0.5 * size));
    assert!(scores.to_string().contains("size_loss   "), "{scores}");
    let again = cross_validate_with::<f32, _>(&data, &KFold::new(3), |train, test| {
        let (mut model, mut trainer) = build(0)?;
        trainer.fit(&mut model, train)?;
        trainer.evaluate(&model, test)
    });
    assert_eq!(again.unwrap().folds.len(), 3);

    let search = Search::grid(Space::new().choice("rate", [0.05, 0.001])).monitor("val_size_loss");
    let results = search.run(&data, &StratifiedHoldOut::share(0.25).on("class"), |trial, _| {
        let trainer = Trainer::new(losses(), AdamW::default()).learning_rate(trial.number("rate")?);
        Ok((network(), trainer.epochs(3).progress(Progress::Silent)))
    });
    let results = results.unwrap();
    for tried in &results.trials {
        let run = &tried.runs[0];
        assert_eq!(Some(run.value), run.evaluation.get("size_loss"));
    }

    let curve = Trainer::new(losses(), AdamW::default())
        .find_learning_rate(&network(), &data, 1e-4, 1.0, 20)
        .unwrap();
    assert!(curve.losses.iter().all(|loss| loss.is_finite()));
}

/// Batches of several inputs that are read ahead on another thread have the same bits.
#[test]
fn read_ahead_with_several_inputs_changes_nothing() {
    let run = |ahead: usize| {
        let mut model = network();
        trainer().prefetch(ahead).fit(&mut model, &data(true)).unwrap();
        model.to_bytes().unwrap()
    };
    assert!(run(0) == run(3));
}

/// An output that is its own loss has no target, and a metric of one's own can be of any output.
#[test]
fn an_output_that_is_its_own_loss() {
    let g = Graph::builder().seed(2);
    let x = g.input("x", [3]);
    let y = x.layer(Dense::units(4));
    g.output("size", y.layer(Dense::units(1)));
    g.output("penalty", y.square().mean(-1));
    let mut model = g.build().unwrap();
    let losses = Losses::of("size", MeanSquaredError).and("penalty", OutputLoss, 0.1);
    let sizes = rows().slice(ndarray::s![.., ..1]).to_owned();
    let data = ArrayDataset::new(rows(), TargetArrays::new().numbers("size", sizes)).unwrap();
    let mut trainer = Trainer::new(losses, Adam::default()).epochs(10).progress(Progress::Silent);
    let history = trainer.fit(&mut model, &data).unwrap();
    assert!(history.last("penalty_loss").unwrap() < history.first("penalty_loss").unwrap());
    let evaluation = trainer.evaluate(&model, &data).unwrap();
    let predictions = model.predict_named(rows()).unwrap();
    let mean = predictions.get("penalty").unwrap().mean().unwrap();
    assert!((evaluation.get("penalty_loss").unwrap() - f64::from(mean)).abs() < 1e-6);
}

/// Models whose losses are all their own outputs take data without targets, and so does a bare loss.
#[test]
fn data_without_targets() {
    let build = |others: bool| {
        let g = Graph::builder().seed(2);
        let y = g.input("x", [3]).layer(Dense::units(4));
        g.output("penalty", y.square().mean(-1));
        if others {
            g.output("y", y);
        }
        g.build().unwrap()
    };
    let (mut one, mut several) = (build(false), build(true));
    let data = ArrayDataset::new(rows(), ()).unwrap();
    let trainer = Trainer::new(OutputLoss, Adam::default()).epochs(3).progress(Progress::Silent);
    { trainer }.fit(&mut one, &data).unwrap();
    let losses = Losses::of("penalty", OutputLoss).without_loss("y");
    let named = Arrays::builder().input("x", rows()).targets(()).unwrap();
    let mut trainer = Trainer::new(losses, Adam::default()).epochs(3).progress(Progress::Silent);
    trainer.fit(&mut several, &named).unwrap();
    let value = |model: &Graph| model.predict_named(rows()).unwrap().take("penalty").unwrap();
    assert_eq!(value(&one), value(&several));
    let targets = TargetArrays::new().classes("penalty", vec![0; SAMPLES]);
    let data = ArrayDataset::new(rows(), targets).unwrap();
    let error = trainer.fit(&mut several, &data).unwrap_err().to_string();
    assert!(error.contains("must be none, as no loss reads any, got penalty. Leave penalty out"), "{error}");
    let error = trainer.evaluate(&build(false), &named).unwrap_err().to_string();
    assert!(error.contains("be among those of the model: penalty, got \"y\""), "{error}");
    let outputs = Tensor::<f64>::from_shape_fn(vec![5, 1], |i| i[0] as f64 - 2.0);
    check_loss(&OutputLoss, outputs, &()).unwrap();
    let mut wide = Sequential::builder([3]).layer(Dense::units(2)).build().unwrap();
    let data = ArrayDataset::new(rows(), ()).unwrap();
    let error = Trainer::new(OutputLoss, Adam::default()).fit(&mut wide, &data).unwrap_err().to_string();
    assert!(error.contains("an output that is its own loss must have shape [] or [1], got [2]."), "{error}");
}

/// The predictions for a data set are those for its arrays, scaled and normalized.
#[test]
fn predictions_for_a_data_set() {
    let model = network();
    let all = evaluate::predictions(&model, &data(true)).unwrap();
    let images = images().mapv(|pixel| f32::from(pixel) * (1.0f64 / 255.0) as f32);
    let by_hand = model.predict_named(Inputs::of("image", images).and("row", rows())).unwrap();
    for name in ["class", "size", "inner"] {
        assert_eq!(all.get(name).unwrap(), by_hand.get(name).unwrap());
    }
    let part = plywood::data::Subset::new::<f32>(data(true), vec![7, 3]).unwrap();
    let part = evaluate::predictions(&model, &part).unwrap();
    let classes = all.classes("class").unwrap();
    assert_eq!(part.classes("class").unwrap(), [classes[7], classes[3]]);
}

/// A source that fills an input or a target only in its first batches.
struct Forgets {
    ports: [Port; 2],
    input: bool,
}

impl Dataset for Forgets {
    type Target = NamedTargets;
    fn len(&self) -> usize {
        16
    }
    fn input_shapes(&self) -> InputShapes<'_> {
        InputShapes::Named(&self.ports)
    }
    fn read(&self, indices: &[usize], _: Pass, batch: &mut Batch<f32, NamedTargets>) -> Result<()> {
        let (n, first) = (indices.len(), indices[0] < 8);
        batch.input_at(0, n, &[1]).fill(1.0);
        if first || !self.input {
            batch.input_at(1, n, &[1]).fill(2.0);
        }
        batch.target.numbers_mut("p", n, &[1]).fill(0.5);
        if first || self.input {
            batch.target.numbers_mut("q", n, &[1]).fill(0.25);
        }
        Ok(())
    }
}

/// What a source leaves out is missing, and not that of an earlier batch, with and without reading ahead.
#[test]
fn what_a_source_leaves_out_is_missing() {
    let build = || {
        let g = Graph::builder();
        let x = g.input("a", [1]).concat(&[g.input("b", [1])], -1);
        g.output("p", x.layer(Dense::units(1)));
        g.output("q", x.layer(Dense::units(1)));
        g.build().unwrap()
    };
    for input in [false, true] {
        for ahead in [0, 1, 2, 3] {
            let data = Forgets { ports: ["a", "b"].map(|name| Port::new(name, [1])), input };
            let losses = Losses::of("p", MeanSquaredError).and("q", MeanSquaredError, 1.0);
            let trainer = Trainer::new(losses, Adam::default()).shuffle(false).batch_size(4).prefetch(ahead);
            let error = trainer.progress(Progress::Silent).fit(&mut build(), &data).unwrap_err().to_string();
            let text = if input { "as requested, got 0" } else { "must have \"q\", got p" };
            assert!(
                error.contains(text) || input && error.contains("must have 2 inputs"),
                "{ahead}: {error}"
            );
        }
    }
}

/// A loss of weight 0 is evaluated, and trains nothing: neither do batches in which only its output has targets.
#[test]
fn a_loss_of_weight_0_trains_nothing() {
    let build = || {
        let g = Graph::builder().seed(3);
        let x = g.input("x", [3]).layer(Dense::units(4));
        g.output("p", x.layer(Dense::units(1)));
        g.output("q", x.layer(Dense::units(1)));
        g.build().unwrap()
    };
    let numbers = |every: usize| {
        Array2::from_shape_fn((SAMPLES, 1), |(i, _)| if i % every == 0 { i as f32 / 60.0 } else { f32::NAN })
    };
    let rare = || TargetArrays::new().numbers("q", numbers(20)).nan_is_missing();
    let fit = |losses: Losses, targets: TargetArrays| {
        let data = ArrayDataset::new(rows(), targets).unwrap();
        let mut model = build();
        let mut trainer =
            Trainer::new(losses, AdamW::default()).epochs(3).batch_size(4).progress(Progress::Silent);
        let history = trainer.fit(&mut model, &data).unwrap();
        (model.to_bytes().unwrap(), trainer.optimizer().steps(), history.last("q_loss"), history.last("loss"))
    };
    let with = Losses::of("q", MeanSquaredError).and("p", MeanSquaredError, 0.0);
    let with = fit(with, rare().numbers("p", numbers(1)));
    let without = fit(Losses::of("q", MeanSquaredError).without_loss("p"), rare());
    assert!(with == without, "{:?} {:?}", (with.1, with.2, with.3), (without.1, without.2, without.3));
    // In whatever order the losses are listed, sums have the same bits.
    let one = |losses| fit(losses, rare().numbers("p", numbers(1)));
    let pq = one(Losses::of("p", MeanSquaredError).and("q", MeanAbsoluteError, 0.3));
    let qp = Losses::of("q", MeanAbsoluteError).and("p", MeanSquaredError, 1.0);
    let (a, b) = (one(qp), one(Losses::of("p", MeanSquaredError).and("q", MeanAbsoluteError, 1.0)));
    assert!(a == b && a != pq);
}

/// An epoch that is ended early, before an output had a target, is recorded.
#[test]
fn an_epoch_that_ends_before_an_output_has_a_target() {
    struct Stops;
    impl Callback for Stops {
        fn on_batch_end(&mut self, context: &mut Context<'_>) -> Result<()> {
            context.stop();
            Ok(())
        }
    }
    let mut sizes = Array2::from_elem((SAMPLES, 1), f32::NAN);
    sizes[[SAMPLES - 1, 0]] = 1.0;
    let targets =
        TargetArrays::new().classes("class", vec![1; SAMPLES]).numbers("size", sizes).nan_is_missing();
    let data = Arrays::builder().input("image", images()).input("row", rows()).targets(targets).unwrap();
    let mut trainer = Trainer::new(losses(), Adam::default()).shuffle(false).batch_size(8).callback(Stops);
    trainer = trainer.progress(Progress::Silent);
    let history = trainer.fit(&mut network(), &data).unwrap();
    assert!(
        history.last("size_loss").unwrap().is_nan() && history.last("loss") == history.last("class_loss")
    );
}
