//! Checkpoints: a run resumed at any batch ends with the same bits as an uninterrupted run. Checkpoints that do not fit
//! are refused and change nothing. Files in a checkpoint folder are created and removed as documented.

use crate::folder::Folder;
use ndarray::{Array2, Array4, Axis};
use plywood::data::Augmented;
use plywood::io::State;
use plywood::optim::{Averaging, CosineDecay, ReduceOnPlateau};
use plywood::prelude::*;
use plywood::train::{Checkpoints, GradientNorms};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A layer from another crate.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Swish;

impl Elementwise for Swish {
    const KIND: Kind = Kind::own("tests.swish");
    fn value<F: Scalar>(&self, x: F) -> F {
        x / (F::one() + (-x).exp())
    }
    fn derivative<F: Scalar>(&self, x: F, y: F) -> F {
        y + (F::one() - y) / (F::one() + (-x).exp())
    }
}

/// A callback with a state: the sum of the losses of all batches, shared with the test.
struct Total(f64, Arc<Mutex<f64>>);

impl<F: Scalar> Callback<F> for Total {
    fn on_train_begin(&mut self, _: &mut Context<'_, F>) -> Result<()> {
        self.0 = 0.0;
        Ok(())
    }
    fn on_batch_end(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        self.0 += context.loss();
        *self.1.lock().unwrap() = self.0;
        Ok(())
    }
    fn kind(&self) -> Option<Kind> {
        Some(const { Kind::own("tests.total") })
    }
    fn state(&self) -> Option<State<F>> {
        Some(State::new().number("sum", self.0))
    }
    fn load_state(&mut self, state: &mut State<F>, _: &dyn Model<F>) -> Result<()> {
        self.0 = state.take_number("sum")?;
        *self.1.lock().unwrap() = self.0;
        Ok(())
    }
}

const SAMPLES: usize = 44;

fn data() -> Augmented<ArrayDataset<f32, Vec<usize>>> {
    let images = Array4::from_shape_fn((SAMPLES, 1, 6, 6), |(i, _, y, x)| {
        ((i * 7 + y * 3 + x * (1 + i % 3)) % 11) as f32 / 11.0
    });
    let data = ArrayDataset::new(images, (0..SAMPLES).map(|i| i % 3).collect::<Vec<_>>()).unwrap();
    let weights = (0..SAMPLES).map(|i| 1.0 + (i % 4) as f64).collect::<Vec<_>>();
    Augmented::new(data.weights(weights).unwrap(), Augment::seed(5).flip_horizontal(true).shift(1)).unwrap()
}

fn network<F: Scalar>() -> Sequential<F> {
    Sequential::<F>::builder_of([1, 6, 6])
        .seed(3)
        .layer(Conv2d::filters(3, 3))
        .layer(BatchNorm::new())
        .layer(Swish)
        .layer(Flatten)
        .layer(Dropout::rate(0.3))
        .layer(Dense::units(3))
        .layer(Softmax)
        .build()
        .unwrap()
}

type UpdateRule = plywood::optim::AdamW;

/// Returns a trainer with every kind of state that a checkpoint must restore.
fn trainer<F: Scalar>(norms: &GradientNorms, total: &Arc<Mutex<f64>>) -> Trainer<CrossEntropy, F> {
    Trainer::new(CrossEntropy::default(), Optimizer::new(UpdateRule::default()))
        .epochs(5)
        .batch_size(8)
        .seed(9)
        .validation_split(0.25)
        .learning_rate(CosineDecay { start: 0.02, steps: 30 })
        .average(Averaging::exponential(0.8))
        .batches_per_step(2)
        .clip_norm(1.0)
        .reduce_on_plateau(ReduceOnPlateau::factor(0.5).patience(0).monitor("loss"))
        .metric(Accuracy::default())
        .metric(RocAuc::default())
        .callback(EarlyStopping::patience(3))
        .callback(Total(0.0, total.clone()))
        .callback(norms.clone())
        .registry(Registry::builtin().with::<Swish>())
        .progress(Progress::Silent)
}

/// All results of a run except the seconds.
struct Left {
    model: Vec<u8>,
    history: String,
    optimizer: String,
    norms: String,
    total: u64,
}

fn run<F: Scalar>(
    model: &mut Sequential<F>,
    set_up: impl FnOnce(Trainer<CrossEntropy, F>) -> Trainer<CrossEntropy, F>,
    from: Option<&Path>,
) -> Result<Left> {
    let (norms, total) = (GradientNorms::every(2), Arc::new(Mutex::new(0.0)));
    let mut trainer = set_up(trainer(&norms, &total));
    if let Some(from) = from {
        trainer.resume(model, from)?;
    }
    let mut history = trainer.fit(model, &data())?;
    history.epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.0);
    let total = total.lock().unwrap().to_bits();
    Ok(Left {
        model: model.to_bytes()?,
        history: serde_json::to_string(&history).unwrap(),
        optimizer: serde_json::to_string(&trainer.optimizer().state(model)).unwrap(),
        norms: serde_json::to_string(&norms.trace()).unwrap(),
        total,
    })
}

/// Compares part by part, because the bytes of a whole model would make an unreadable failure message.
fn same(a: &Left, b: &Left, context: &str) {
    assert_eq!(a.history, b.history, "{context}");
    assert_eq!(a.norms, b.norms, "{context}");
    assert_eq!(a.total, b.total, "{context}");
    assert!(a.optimizer == b.optimizer, "the optimizer's state: {context}");
    assert!(a.model == b.model, "the model: {context}");
}

fn every_batch_of<F: Scalar>(name: &str) {
    let folder = Folder::new(name);
    let unbroken = run(&mut network::<F>(), |trainer| trainer, None).unwrap();
    let checkpoints = Checkpoints::in_folder(&folder.0).every_batches(1).every_epochs(1).keep_last(1000);
    let saved = run(&mut network::<F>(), |trainer| trainer.checkpoints(checkpoints), None).unwrap();
    same(&saved, &unbroken, "writing checkpoints changes nothing");
    let names = folder.names();
    let epochs = unbroken.history.matches("val_loss").count();
    assert!(epochs >= 3 && names.len() == epochs * (5 + 1), "five batches and an end: {names:?}");
    for name in names {
        let mut model = network::<F>();
        let resumed = run(&mut model, |trainer| trainer, Some(&folder.file(&name))).unwrap();
        same(&resumed, &unbroken, &name);
    }
}

#[test]
fn resumed_at_any_batch_a_run_ends_with_the_same_bits() {
    every_batch_of::<f32>("f32");
    every_batch_of::<f64>("f64");
}

/// Returns the data, the model and the trainer of a small run.
fn small() -> (ArrayDataset<f32, Vec<usize>>, Sequential, Trainer<CrossEntropy>) {
    let inputs = Array2::from_shape_fn((20, 3), |(i, j)| ((i * 5 + j * 3) % 7) as f32 / 7.0);
    let data = ArrayDataset::new(inputs, (0..20).map(|i| i % 2).collect::<Vec<_>>()).unwrap();
    let model = Sequential::builder([3]).seed(1).layer(Dense::units(2)).layer(Softmax).build().unwrap();
    let trainer = Trainer::new(CrossEntropy::default(), Adam::default()).batch_size(5).epochs(3);
    (data, model, trainer.progress(Progress::Silent))
}

/// Returns a folder with the checkpoints of a small run, set up by `checkpoints`.
fn written(name: &str, checkpoints: impl FnOnce(Checkpoints) -> Checkpoints) -> Folder {
    let folder = Folder::new(name);
    let (data, mut model, trainer) = small();
    let checkpoints = checkpoints(Checkpoints::in_folder(&folder.0));
    trainer.checkpoints(checkpoints).fit(&mut model, &data).unwrap();
    folder
}

#[test]
fn what_differs_is_named_and_nothing_is_changed() {
    let folder = written("differs", |c| c.every_batches(6));
    assert_eq!(folder.names(), ["epoch-0003-batch-00004.checkpoint", "epoch-0003.checkpoint"]);
    let path = folder.file("epoch-0003-batch-00004.checkpoint");
    let (data, fresh, _) = small();
    let check = |model: &mut Sequential, mut trainer: Trainer<CrossEntropy>, expected: &str| {
        let before = model.to_bytes().unwrap();
        let text = trainer.resume(model, &path).map(|_| ()).unwrap_err().to_string();
        let place = format!("resume {}: ", path.display());
        assert_eq!(text.strip_prefix(&place), Some(expected), "{text}");
        assert_eq!(model.to_bytes().unwrap(), before);
        assert_eq!((trainer.optimizer().steps(), trainer.history().epochs.len()), (0, 0));
    };
    let set = |change: fn(Trainer<CrossEntropy>) -> Trainer<CrossEntropy>| change(small().2);
    check(
        &mut fresh.clone(),
        set(|t| t.seed(7).batch_size(4)),
        "the trainer must have the settings of the checkpoint (seed 0, batch size 5), got seed 7, batch size 4. \
         Restore the settings, or begin another run in another folder.",
    );
    check(
        &mut fresh.clone(),
        set(|t| t.shuffle(false).batches_per_step(3)),
        "the trainer must have the settings of the checkpoint (batches per step 1, shuffle true), got batches per \
         step 3, shuffle false. Restore the settings, or begin another run in another folder.",
    );
    check(
        &mut fresh.clone(),
        set(|t| t.metric(Accuracy::default())),
        "the metrics must be those saved within an epoch (none), got accuracy. Add the same metrics in the same \
         order; after the end of an epoch they may differ.",
    );
    check(
        &mut Sequential::builder([3]).layer(Dense::units(3)).layer(Softmax).build().unwrap(),
        set(|t| t),
        "the model must have layer 0 (dense) with output [2] and 8 parameters, as it was saved, got layer 0 \
         (dense) with output [3] and 12 parameters. Build the model as in the run that is resumed.",
    );

    let mut sgd = Trainer::new(CrossEntropy::default(), SGD::default()).batch_size(5);
    let text = sgd.resume(&mut fresh.clone(), &path).unwrap_err().to_string();
    let expected = "the optimizer's state: the state must be of the rule sgd, got adam. Resume with the optimizer \
                    that the state was taken from.";
    assert!(text.ends_with(expected), "{text}");
    let mut wide = Sequential::<f64>::builder_of([3]).layer(Dense::units(2)).layer(Softmax).build().unwrap();
    let mut trainer = Trainer::new(CrossEntropy::default(), Adam::default()).batch_size(5);
    let text = trainer.resume(&mut wide, &path).unwrap_err().to_string();
    let expected = "the file's element type must be f64, got f32. Resume with a model and a trainer of the type it was \
                    saved with, f32.";
    assert!(text.ends_with(expected), "{text}");

    // Errors that only `fit` can detect, with the data. A later `fit` can succeed.
    let (_, mut model, mut trainer) = small();
    trainer.resume(&mut model, &path).unwrap();
    let before = model.to_bytes().unwrap();
    let fewer = plywood::data::Subset::new::<f32>(&data, (0..15).collect()).unwrap();
    assert_eq!(
        trainer.fit(&mut model, &fewer).unwrap_err().to_string(),
        "fit, resumed run: the trainer must have the settings of the checkpoint (training samples 20), got \
         training samples 15. Restore the settings, or begin another run in another folder."
    );
    let mut trainer = trainer.epochs(2);
    assert_eq!(
        trainer.fit(&mut model, &data).unwrap_err().to_string(),
        "fit: `epochs` must be at least 3, as many as the resumed run has begun, got 2. `epochs` counts those \
         before the interruption, too."
    );
    assert_eq!(model.to_bytes().unwrap(), before);
    assert_eq!(trainer.epochs(3).fit(&mut model, &data).unwrap().epochs.len(), 3);
}

#[test]
fn callbacks_that_had_a_state_have_to_be_there_and_to_fit() {
    let folder = Folder::new("checkpoint-callbacks");
    let (data, mut model, trainer) = small();
    let stopping = || EarlyStopping::patience(2).monitor("loss");
    let mut trainer = trainer.callback(stopping()).checkpoints(Checkpoints::in_folder(&folder.0));
    trainer.fit(&mut model, &data).unwrap();

    let (_, mut model, mut without) = small();
    let text = without.resume(&mut model, &folder.0).unwrap_err().to_string();
    let expected = "the callbacks must include one of kind early_stopping, whose state was saved, got none. Add \
                    it with `callback`, as in the run that is resumed.";
    assert!(text.ends_with(expected), "{text}");

    /// A callback with the same name, which does not matter, and a different kind.
    struct Other(&'static str, Option<Kind>);
    impl Callback for Other {
        fn name(&self) -> &str {
            "EarlyStopping"
        }
        fn kind(&self) -> Option<Kind> {
            self.1
        }
        fn state(&self) -> Option<State> {
            Some(State::new().number(self.0, 1.0))
        }
        fn load_state(&mut self, state: &mut State, _: &dyn Model) -> Result<()> {
            state.take_number(self.0).map(drop)
        }
    }
    let own = Some(const { Kind::own("tests.other") });
    let text = small().2.callback(Other("a", own)).resume(&mut model, &folder.0).unwrap_err().to_string();
    assert!(text.ends_with(expected), "{text}");

    let mut right = small().2.callback(GradientNorms::every(1)).callback(stopping());
    right.resume(&mut model, &folder.0).unwrap();
    assert_eq!(right.fit(&mut model, &data).unwrap().epochs.len(), 3);

    // The names in its state have changed.
    let others = Folder::new("checkpoint-others");
    let (_, mut model, trainer) = small();
    let checkpoints = || Checkpoints::in_folder(&others.0);
    trainer.callback(Other("a", own)).checkpoints(checkpoints()).fit(&mut model, &data).unwrap();
    let (_, mut model, trainer) = small();
    let before = model.to_bytes().unwrap();
    let mut changed = trainer.callback(Other("b", own));
    let text = changed.resume(&mut model, &others.0).unwrap_err().to_string();
    let expected = "EarlyStopping: the state must have a number named \"b\", got a. It was written by another \
                    version, or it is damaged.";
    assert!(text.ends_with(expected), "{text}");
    assert_eq!((model.to_bytes().unwrap(), changed.optimizer().steps()), (before, 0));

    // If checkpoints are to be written, a state without a kind is refused before the first step.
    let nameless = Folder::new("checkpoint-nameless");
    let (_, mut model, trainer) = small();
    let mut trainer = trainer.callback(Other("a", None)).checkpoints(Checkpoints::in_folder(&nameless.0));
    assert_eq!(
        trainer.fit(&mut model, &data).unwrap_err().to_string(),
        "fit: EarlyStopping must have a kind, as it has a state, got none. Write `kind` beside `state`: \
         `Some(const { Kind::own(\"my_crate.name\") })`."
    );
    assert_eq!((trainer.optimizer().steps(), nameless.names().len()), (0, 0));
}

#[test]
fn a_file_cut_or_changed_anywhere_is_an_error_and_changes_nothing() {
    let folder = written("cut", |c| c);
    let path = folder.file("epoch-0003.checkpoint");
    let bytes = fs::read(&path).unwrap();
    let (_, mut model, mut trainer) = small();
    let before = model.to_bytes().unwrap();
    let cut = folder.file("cut");
    for length in 0..bytes.len() {
        fs::write(&cut, &bytes[..length]).unwrap();
        let text = trainer.resume(&mut model, &cut).unwrap_err().to_string();
        assert!(
            length < 8 || text.ends_with("The file is truncated; get it again, or save it again."),
            "{text}"
        );
    }
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        fs::write(&cut, &changed).unwrap();
        assert!(trainer.resume(&mut model, &cut).is_err(), "byte {at}");
    }
    assert_eq!(model.to_bytes().unwrap(), before);
    assert_eq!(trainer.optimizer().steps(), 0);
    fs::write(&cut, &bytes).unwrap();
    trainer.resume(&mut model, &cut).unwrap();
    assert_eq!(trainer.optimizer().steps(), 12);
}

#[test]
fn the_model_alone_comes_out_of_a_checkpoint_and_a_model_is_none() {
    let folder = Folder::new("checkpoint-alone");
    let (data, mut model, trainer) = small();
    trainer.checkpoints(Checkpoints::in_folder(&folder.0)).fit(&mut model, &data).unwrap();
    let loaded = Sequential::load(folder.file("epoch-0003.checkpoint")).unwrap();
    assert_eq!(loaded.to_bytes().unwrap(), model.to_bytes().unwrap());
    assert_eq!(Metadata::load(folder.file("epoch-0003.checkpoint")).unwrap().class_names().len(), 0);
    let path = folder.file("m.plywood");
    model.save(&path).unwrap();
    let text = small().2.resume(&mut model, &path).unwrap_err().to_string();
    assert!(
        text.ends_with("the file must be a checkpoint, got a model. Read it with `plywood::load`."),
        "{text}"
    );
}

#[test]
fn a_folder_keeps_the_last_and_the_best_and_belongs_to_one_run() {
    let folder = written("kept", |c| c.every_batches(3).every_epochs(1).keep_last(3).keep_best("loss"));
    let names = ["best.checkpoint", "epoch-0003-batch-00003.checkpoint", "epoch-0003.checkpoint"];
    assert!(names.iter().all(|name| folder.names().contains(&(*name).to_owned())), "{:?}", folder.names());
    assert_eq!(folder.names().len(), 4);

    // Another run in this folder would mix its files with these.
    let (data, mut model, trainer) = small();
    let mut trainer = trainer.checkpoints(Checkpoints::in_folder(&folder.0));
    let refused = |error: Error, expected: &str| {
        let place = format!("fit: the folder {} must ", folder.0.display());
        assert_eq!(error.to_string().strip_prefix(&place), Some(expected), "{error}");
    };
    refused(
        trainer.fit(&mut model, &data).unwrap_err(),
        "have no checkpoints, got epoch-0003.checkpoint. Continue that run with `resume` or `resume_if_any`, name \
         another folder, or remove them.",
    );
    // So would resuming from an older checkpoint while newer ones exist.
    trainer.resume(&mut model, folder.file(names[1])).unwrap();
    refused(
        trainer.fit(&mut model, &data).unwrap_err(),
        "have no checkpoint newer than epoch-0003-batch-00003.checkpoint, got epoch-0003.checkpoint. Continue that \
         run with `resume` or `resume_if_any`, name another folder, or remove them.",
    );
    fs::remove_file(folder.file(names[2])).unwrap();
    assert_eq!(trainer.fit(&mut model, &data).unwrap().epochs.len(), 3);
    assert!(folder.names().contains(&names[2].to_owned()));

    let (_, mut model, trainer) = small();
    let mut trainer = trainer.checkpoints(Checkpoints::in_folder(folder.file("new")).keep_last(0));
    assert_eq!(
        trainer.fit(&mut model, &data).unwrap_err().to_string(),
        "fit: the number of checkpoints to keep must be at least 1, got 0. Leave `checkpoints` out for none."
    );
}

#[test]
fn more_epochs_may_be_asked_for_and_a_run_that_is_over_gives_its_history() {
    let folder = written("more", |c| c);
    let (data, mut unbroken, trainer) = small();
    let mut whole = trainer.epochs(5).fit(&mut unbroken, &data).unwrap();
    let (_, mut model, trainer) = small();
    let mut trainer = trainer.epochs(5).checkpoints(Checkpoints::in_folder(&folder.0));
    let resumed = trainer.resume_if_any(&mut model, &folder.0).unwrap().unwrap();
    let line = format!("resumed from {}, after 3 epochs", folder.file("epoch-0003.checkpoint").display());
    assert_eq!(resumed.to_string(), line);
    let mut history = trainer.fit(&mut model, &data).unwrap();
    assert_eq!(model.to_bytes().unwrap(), unbroken.to_bytes().unwrap());
    for epoch in history.epochs.iter_mut().chain(&mut whole.epochs) {
        epoch.seconds = 0.0;
    }
    assert_eq!(history, whole);

    let (_, mut again, trainer) = small();
    let mut trainer = trainer.epochs(5).checkpoints(Checkpoints::in_folder(&folder.0));
    trainer.resume_if_any(&mut again, &folder.0).unwrap().unwrap();
    assert_eq!(trainer.fit(&mut again, &data).unwrap().get("loss"), whole.get("loss"));
    assert_eq!(again.to_bytes().unwrap(), unbroken.to_bytes().unwrap());
}

#[test]
fn a_run_that_was_stopped_stays_stopped_with_its_best_weights() {
    let folder = Folder::new("checkpoint-stopped");
    let (data, mut model, trainer) = small();
    let set = |t: Trainer<CrossEntropy>| {
        let stopping = EarlyStopping::patience(2).monitor("loss");
        t.epochs(50).learning_rate(|step: u64| if step > 12 { 3.0 } else { 0.01 }).callback(stopping)
    };
    let checkpoints = Checkpoints::in_folder(&folder.0).every_epochs(100);
    let history = set(trainer).checkpoints(checkpoints).fit(&mut model, &data).unwrap();
    assert!(history.epochs.len() < 50);
    assert_eq!(folder.names().len(), 1, "the end is saved, whatever was asked for");
    let (_, mut again, trainer) = small();
    let mut trainer = set(trainer);
    trainer.resume(&mut again, &folder.0).unwrap();
    assert_ne!(again.to_bytes().unwrap(), model.to_bytes().unwrap(), "the last weights");
    assert_eq!(trainer.epochs(60).fit(&mut again, &data).unwrap().get("loss"), history.get("loss"));
    assert_eq!(again.to_bytes().unwrap(), model.to_bytes().unwrap(), "the best weights");
}

#[test]
fn a_damaged_newest_file_is_passed_over_and_said_so() {
    let folder = written("damaged", |c| c);
    let (newest, before) = (folder.file("epoch-0003.checkpoint"), folder.file("epoch-0002.checkpoint"));
    let bytes = fs::read(&newest).unwrap();
    fs::write(&newest, &bytes[..bytes.len() / 2]).unwrap();
    let (data, mut model, trainer) = small();
    let mut trainer = trainer.checkpoints(Checkpoints::in_folder(&folder.0));
    let resumed = trainer.resume(&mut model, &folder.0).unwrap();
    assert_eq!((&resumed.path, resumed.epochs, resumed.passed_over.len()), (&before, 2, 1));
    let text = resumed.to_string();
    assert!(text.starts_with(&format!("passed over {}: the file must", newest.display())), "{text}");
    assert!(text.ends_with("after 2 epochs"), "{text}");
    trainer.fit(&mut model, &data).unwrap();
    assert_eq!(fs::read(&newest).unwrap().len(), bytes.len());

    // The newest file is not damaged but has a newer version. This is an error, so that hours of training are not
    // discarded.
    let mut newer = fs::read(&newest).unwrap();
    newer[8] = 99;
    fs::write(&newest, &newer).unwrap();
    let text = small().2.resume(&mut model, &folder.0).unwrap_err().to_string();
    assert!(text.contains("A newer version of Plywood wrote it"), "{text}");

    for path in [&newest, &before] {
        fs::write(path, b"PLYWOOD\n").unwrap();
    }
    let text = small().2.resume_if_any(&mut model, &folder.0).unwrap_err().to_string();
    assert!(text.contains("no whole checkpoint") && text.contains("truncated"), "{text}");
}

#[test]
fn where_there_is_nothing_there_is_nothing_to_resume() {
    let folder = Folder::new("checkpoint-nothing");
    let (_, mut model, mut trainer) = small();
    assert!(trainer.resume_if_any(&mut model, &folder.0).unwrap().is_none());
    fs::create_dir_all(&folder.0).unwrap();
    fs::write(folder.file("epoch-1.checkpoint"), b"not of that name").unwrap();
    assert!(trainer.resume_if_any(&mut model, &folder.0).unwrap().is_none());
    assert_eq!(
        trainer.resume(&mut model, &folder.0).unwrap_err().to_string(),
        format!(
            "resume {}: the folder must have a checkpoint, got none. Begin with `fit`, or use `resume_if_any`, \
             which does not need one.",
            folder.0.display()
        )
    );
    assert!(
        trainer.resume(&mut model, folder.file("none")).unwrap_err().to_string().contains("could not read")
    );
}

#[test]
fn leftovers_of_a_kill_go_with_the_next_checkpoint() {
    let folder = Folder::new("checkpoint-leftovers");
    fs::create_dir_all(&folder.0).unwrap();
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000); // the year 2001
    for name in ["epoch-0077.checkpoint.123-0.tmp", "best.checkpoint.9-1.tmp", "notes.123-0.tmp"] {
        fs::File::create(folder.file(name)).unwrap().set_modified(old).unwrap();
    }
    let (data, mut model, trainer) = small();
    trainer.checkpoints(Checkpoints::in_folder(&folder.0)).fit(&mut model, &data).unwrap();
    assert_eq!(folder.names(), ["epoch-0002.checkpoint", "epoch-0003.checkpoint", "notes.123-0.tmp"]);
}

/// A data set that counts the samples that are read.
struct Counted<'a>(ArrayDataset<f32, Vec<usize>>, &'a AtomicUsize);

impl Dataset for Counted<'_> {
    type Target = Vec<usize>;
    fn len(&self) -> usize {
        Dataset::<f32>::len(&self.0)
    }
    fn input_shapes(&self) -> InputShapes<'_> {
        Dataset::<f32>::input_shapes(&self.0)
    }
    fn read(&self, indices: &[usize], pass: Pass, batch: &mut Batch<f32, Vec<usize>>) -> Result<()> {
        self.1.fetch_add(indices.len(), Ordering::SeqCst);
        self.0.read(indices, pass, batch)
    }
}

#[test]
fn batches_that_are_done_are_not_read_again_with_and_without_reading_ahead() {
    let folder = written("read", |c| c.every_batches(1).keep_last(100));
    for ahead in [0, 2] {
        let (data, mut model, trainer) = small();
        let read = AtomicUsize::new(0);
        let mut trainer = trainer.prefetch(ahead);
        trainer.resume(&mut model, folder.file("epoch-0003-batch-00003.checkpoint")).unwrap();
        trainer.fit(&mut model, &Counted(data, &read)).unwrap();
        assert_eq!(read.load(Ordering::SeqCst), 5, "the fourth batch of the third epoch");
    }
}

#[test]
fn a_metric_without_a_state_has_the_rest_of_the_epoch() {
    /// A metric that counts the batches.
    struct Seen(f64);
    impl Metric<[usize]> for Seen {
        fn name(&self) -> &str {
            "seen"
        }
        fn reset(&mut self) {
            self.0 = 0.0;
        }
        fn update(&mut self, _: &Tensor, _: &[usize], _: Option<&[f32]>) -> Result<()> {
            self.0 += 1.0;
            Ok(())
        }
        fn value(&self) -> f64 {
            self.0
        }
    }
    let folder = Folder::new("checkpoint-seen");
    let (data, mut model, trainer) = small();
    let checkpoints = Checkpoints::in_folder(&folder.0).every_batches(3).keep_last(100);
    let mut trainer = trainer.metric(Seen(0.0)).checkpoints(checkpoints);
    assert_eq!(trainer.fit(&mut model, &data).unwrap().get("seen"), [4.0; 3]);
    let (_, mut model, trainer) = small();
    let mut trainer = trainer.metric(Seen(0.0));
    trainer.resume(&mut model, folder.file("epoch-0001-batch-00003.checkpoint")).unwrap();
    assert_eq!(trainer.fit(&mut model, &data).unwrap().get("seen"), [1.0, 4.0, 4.0]);
}

#[test]
fn a_long_history_with_changing_names_comes_back() {
    let folder = Folder::new("checkpoint-long");
    let (data, mut model, trainer) = small();
    let checkpoints = || Checkpoints::in_folder(&folder.0).every_epochs(1000);
    let mut trainer = trainer.epochs(300).checkpoints(checkpoints());
    let first = trainer.fit(&mut model, &data).unwrap();
    let mut trainer = small().2.epochs(302).metric(Accuracy::default()).checkpoints(checkpoints());
    trainer.resume(&mut model, &folder.0).unwrap();
    assert_eq!(trainer.history(), &first);
    let second = trainer.fit(&mut model, &data).unwrap();
    assert_eq!((second.get("loss").len(), second.get("accuracy").len()), (302, 2));
    let numbers: Vec<u64> = second.epochs.iter().map(|epoch| epoch.number).collect();
    assert_eq!(numbers, (1..=302).collect::<Vec<u64>>());
    let mut trainer = small().2.epochs(302);
    trainer.resume(&mut model, &folder.0).unwrap();
    assert_eq!(trainer.history(), &second);
}

/// Ends training at the first batch of the second epoch.
struct Enough;

impl Callback for Enough {
    fn on_batch_end(&mut self, context: &mut Context<'_>) -> Result<()> {
        if context.step() == 5 {
            context.stop();
        }
        Ok(())
    }
    fn on_epoch_end(&mut self, context: &mut Context<'_>) -> Result<()> {
        assert!(context.epoch() < 3);
        Ok(())
    }
}

#[test]
fn a_break_within_an_epoch_ends_the_run_for_good() {
    let folder = Folder::new("checkpoint-break");
    let (data, mut model, trainer) = small();
    let mut trainer =
        trainer.callback(Enough).checkpoints(Checkpoints::in_folder(&folder.0).every_batches(1));
    assert_eq!(trainer.fit(&mut model, &data).unwrap().epochs.len(), 2);
    let (_, mut again, trainer) = small();
    let mut trainer = trainer.callback(Enough);
    trainer.resume(&mut again, &folder.0).unwrap();
    assert_eq!(trainer.fit(&mut again, &data).unwrap().epochs.len(), 2);
    assert_eq!(again.to_bytes().unwrap(), model.to_bytes().unwrap());
}

/// Compares a metric over two batches with and without an interruption between them.
fn over_two_batches<T: ?Sized, M: Metric<T>>(make: impl Fn() -> M, batches: [(&Tensor, &T); 2]) {
    let weights = [1.0, 0.5, 2.0];
    let [first, second] = batches;
    let mut unbroken = make();
    unbroken.update(first.0, first.1, Some(&weights)).unwrap();
    let mut state = unbroken.state().unwrap();
    unbroken.update(second.0, second.1, Some(&weights)).unwrap();
    let mut resumed = make();
    resumed.load_state(&mut state).unwrap();
    assert_eq!(state.names().count(), 0, "{}", unbroken.name());
    resumed.update(second.0, second.1, Some(&weights)).unwrap();
    assert_eq!(resumed.value().to_bits(), unbroken.value().to_bits(), "{}", unbroken.name());
    assert!(unbroken.value().is_finite(), "{}", unbroken.name());
    let mut anothers = State::new().number("nobody's", 1.0);
    assert!(make().load_state(&mut anothers).is_err(), "{}", unbroken.name());
}

#[test]
fn every_metric_goes_on_where_it_was() {
    let scores = |k: f32| {
        let raw = Array2::from_shape_fn((3, 3), |(i, j)| 0.1 + (i as f32 * 1.7 + j as f32 * k) % 1.0);
        &raw / &raw.sum_axis(Axis(1)).insert_axis(Axis(1)) // distributions
    };
    let (a, b) = (scores(0.37).into_dyn(), scores(0.59).into_dyn());
    macro_rules! classes {
        ($($metric:expr),*) => {$(
            over_two_batches::<[usize], _>(|| $metric, [(&a, &[0, 1, 2][..]), (&b, &[2, 2, 1])]);
            over_two_batches::<Tensor, _>(|| $metric, [(&a, &b), (&b, &a)]);
        )*};
    }
    classes!(
        Accuracy::default(),
        TopK::k(2),
        Precision::default(),
        Recall::default(),
        plywood::metrics::FBeta::beta(2.0),
        RocAuc::default(),
        AveragePrecision::default(),
        LogLoss::default(),
        BrierScore::default(),
        CalibrationError::bins(4)
    );
    over_two_batches::<Tensor, _>(MAE::default, [(&a, &b), (&b, &a)]);
    over_two_batches::<Tensor, _>(RMSE::default, [(&a, &b), (&b, &a)]);
    over_two_batches::<Tensor, _>(R2::default, [(&a, &b), (&b, &a)]);
}

#[test]
fn histograms_of_an_epochs_first_gradients_survive_an_interruption() {
    let (folder, board) = (Folder::new("checkpoint-board"), Folder::new("checkpoint-events"));
    let (data, mut model, trainer) = small();
    let set = |t: Trainer<CrossEntropy>, part: &str| {
        t.epochs(1).callback(plywood::train::TensorBoard::new(board.file(part)).histograms(1))
    };
    let checkpoints = Checkpoints::in_folder(&folder.0).every_batches(2);
    set(trainer, "a").checkpoints(checkpoints).fit(&mut model, &data).unwrap();
    let (_, mut model, trainer) = small();
    let mut trainer = set(trainer, "b");
    trainer.resume(&mut model, folder.file("epoch-0001-batch-00004.checkpoint")).unwrap();
    trainer.fit(&mut model, &data).unwrap();
    let events = fs::read_dir(board.file("b")).unwrap().next().unwrap().unwrap().path();
    let bytes = fs::read(events).unwrap();
    let tag = b"gradients/0.weight";
    assert!(bytes.windows(tag.len()).any(|window| window == tag));
}

/// Checkpoints of every released version of the format must stay readable; existing files here are never rewritten.
/// (`PLYWOOD_GOLDEN=write` writes those of a new version.)
fn golden_of<F: Scalar>(name: &str, [loss, roc_auc, val_loss]: [f64; 3]) {
    let path = PathBuf::from(crate::ROOT).join("tests/golden").join(name);
    if std::env::var("PLYWOOD_GOLDEN").is_ok_and(|value| value == "write") {
        let folder = Folder::new(name);
        let checkpoints = Checkpoints::in_folder(&folder.0).every_batches(1).keep_last(1000);
        run(&mut network::<F>(), |trainer| trainer.checkpoints(checkpoints), None).unwrap();
        fs::copy(folder.file("epoch-0003-batch-00003.checkpoint"), &path).unwrap();
    }
    let history = |left: &Left| serde_json::from_str::<History>(&left.history).unwrap();
    let unbroken = history(&run(&mut network::<F>(), |trainer| trainer, None).unwrap());
    let resumed = history(&run(&mut network::<F>(), |trainer| trainer, Some(&path)).unwrap());
    assert_eq!(resumed.epochs.len(), unbroken.epochs.len());
    for (name, close) in [("loss", loss), ("roc_auc", roc_auc), ("val_loss", val_loss)] {
        for (a, b) in resumed.get(name).into_iter().zip(unbroken.get(name)) {
            assert!((a - b).abs() < close, "{name}: {a} and {b}");
        }
    }
}

#[test]
fn golden_checkpoints_are_read_and_gone_on_with() {
    // The gradients of a bias before batch normalization are 0 except for rounding errors, which Adam scales up to a
    // whole step. The running mean follows the bias, and the validation loss follows the running mean.
    golden_of::<f32>("v8-f32.checkpoint", [1e-5, 1e-3, 5e-3]);
    golden_of::<f64>("v8-f64.checkpoint", [1e-9; 3]);
}

/// A callback that has a state only from a certain batch on.
struct Late {
    from: u64,
    now: Arc<Mutex<Option<u64>>>,
}

impl Callback for Late {
    fn on_train_begin(&mut self, _: &mut Context<'_>) -> Result<()> {
        *self.now.lock().unwrap() = None;
        Ok(())
    }
    fn on_batch_end(&mut self, context: &mut Context<'_>) -> Result<()> {
        if context.step() >= self.from {
            *self.now.lock().unwrap() = Some(self.from);
        }
        Ok(())
    }
    fn kind(&self) -> Option<Kind> {
        Some(const { Kind::own("tests.late") })
    }
    fn state(&self) -> Option<State> {
        Some(State::new().integer("from", (*self.now.lock().unwrap())?))
    }
    fn load_state(&mut self, state: &mut State, _: &dyn Model) -> Result<()> {
        *self.now.lock().unwrap() = Some(state.take_integer("from")?);
        Ok(())
    }
}

#[test]
fn callbacks_of_one_kind_are_told_apart_also_before_they_have_a_state() {
    let folder = Folder::new("checkpoint-late");
    let lates = |from: [u64; 2]| {
        let nows: [Arc<Mutex<Option<u64>>>; 2] = [Arc::default(), Arc::default()];
        let late = |i: usize| Late { from: from[i], now: nows[i].clone() };
        (small().2.callback(late(0)).callback(late(1)), nows)
    };
    let (data, mut model, _) = small();
    let (trainer, _) = lates([99, 1]);
    trainer.checkpoints(Checkpoints::in_folder(&folder.0).every_batches(2)).fit(&mut model, &data).unwrap();
    let (_, mut model, _) = small();
    let (mut trainer, [first, second]) = lates([99, 1]);
    trainer.resume(&mut model, &folder.0).unwrap();
    assert_eq!((*first.lock().unwrap(), *second.lock().unwrap()), (None, Some(1)));

    // A checkpoint of another update rule leaves a callback without a state unchanged.
    let nows: Arc<Mutex<Option<u64>>> = Arc::default();
    let (_, mut model, _) = small();
    let mut sgd = Trainer::new(CrossEntropy::default(), SGD::default())
        .batch_size(5)
        .callback(Late { from: 99, now: Arc::default() })
        .callback(Late { from: 1, now: nows.clone() });
    assert!(sgd.resume(&mut model, &folder.0).is_err());
    assert_eq!(*nows.lock().unwrap(), None);
}

/// A callback whose first `on_train_begin` fails.
struct Fails(bool);

impl Callback for Fails {
    fn on_train_begin(&mut self, _: &mut Context<'_>) -> Result<()> {
        if std::mem::take(&mut self.0) { Err(Error::custom("not yet")) } else { Ok(()) }
    }
}

#[test]
fn a_fit_that_fails_before_its_first_epoch_leaves_the_resumed_run_for_the_next() {
    let folder = written("fails", |c| c.every_batches(6));
    let (data, mut whole, trainer) = small();
    let mut trainer = trainer.epochs(4);
    let expected = trainer.fit(&mut whole, &data).unwrap();
    let (_, mut model, trainer) = small();
    let mut trainer = trainer.epochs(4).callback(Fails(true));
    trainer.resume(&mut model, folder.file("epoch-0003-batch-00004.checkpoint")).unwrap();
    assert!(trainer.fit(&mut model, &data).unwrap_err().to_string().contains("not yet"));
    assert_eq!(trainer.fit(&mut model, &data).unwrap().get("loss"), expected.get("loss"));
    assert_eq!(model.to_bytes().unwrap(), whole.to_bytes().unwrap());
}

#[test]
fn metrics_that_are_added_after_a_resume_within_an_epoch_are_refused() {
    let folder = written("added", |c| c.every_batches(6));
    let (data, mut model, mut trainer) = small();
    trainer.resume(&mut model, folder.file("epoch-0003-batch-00004.checkpoint")).unwrap();
    let text = trainer.metric(Accuracy::default()).fit(&mut model, &data).unwrap_err().to_string();
    assert!(text.contains("resumed run") && text.contains("accuracy"), "{text}");
}
