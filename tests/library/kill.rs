//! A program that trains is killed at random moments, started again, and ends with the bits of one that was let be.
//!
//! The program is this one itself, as a child that trains in a folder. `PLYWOOD_KILLS=20` kills it so often; three times
//! unless set. A kill is `SIGKILL` on Unix: nothing of the program runs after it.

use plywood::prelude::*;
use plywood::{Augmented, Averaging, Checkpoints, CosineDecay};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// Where the child finds its folder.
const FOLDER: &str = "PLYWOOD_KILL_FOLDER";

/// The program: it knows nothing of kills but one line, `resume_if_any`.
fn train(folder: &Path) -> Result<()> {
    let (data, _) = plywood::garments::garments(600, 10, 7)?;
    let data = Augmented::new(data, Augment::seed(1).flip_horizontal().shift(2))?;
    let mut model = Sequential::builder([28, 28])
        .seed(4)
        .layer(Reshape::to([1, 28, 28]))
        .layer(Conv2d::filters(4, 3))
        .layer(BatchNorm::new())
        .layer(ReLU)
        .layer(MaxPool2d::window(2))
        .layer(Flatten)
        .layer(Dropout::rate(0.3))
        .layer(Dense::units(10))
        .layer(Softmax)
        .build()?;
    let runs = folder.join("run");
    let mut trainer = Trainer::new(CrossEntropy::default(), AdamW::default())
        .epochs(4)
        .batch_size(20)
        .validation_split(0.2)
        .learning_rate(CosineDecay { start: 0.01, steps: 48 })
        .average(Averaging::exponential(0.95))
        .batches_per_step(2)
        .metric(Accuracy::default())
        .metric(RocAuc::default())
        .callback(EarlyStopping::patience(5))
        .checkpoints(Checkpoints::in_folder(&runs).every_epochs(1).every_batches(2).keep_best("val_accuracy"))
        .progress(Progress::Silent);
    let place = match trainer.resume_if_any(&mut model, &runs)? {
        Some(resumed) => format!("after {} epochs and {} batches\n", resumed.epochs, resumed.batches),
        None => "at the beginning\n".to_owned(),
    };
    let log = fs::OpenOptions::new().append(true).create(true).open(folder.join("log"));
    log.and_then(|mut log| log.write_all(place.as_bytes())).map_err(Error::custom)?;
    let mut history = trainer.fit(&mut model, &data)?;
    history.epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.0);
    fs::write(folder.join("history"), serde_json::to_string(&history).unwrap()).map_err(Error::custom)?;
    model.save(folder.join("model.plywood"))
}

/// No test of its own: the program that is killed.
#[test]
fn child() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        train(Path::new(&folder)).unwrap();
    }
}

fn start(folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "kill::child", "--nocapture"]).env(FOLDER, folder);
    command.stdout(Stdio::null()).spawn().unwrap()
}

/// A new folder with nothing in it.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("plywood-kill-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn left(folder: &Path) -> (Vec<u8>, String) {
    let model = fs::read(folder.join("model.plywood")).unwrap();
    (model, fs::read_to_string(folder.join("history")).unwrap())
}

#[test]
fn killed_at_random_moments_a_run_ends_with_the_same_bits() {
    let kills: usize = std::env::var("PLYWOOD_KILLS").map_or(3, |text| text.parse().unwrap());
    let whole = folder("whole");
    let begun = Instant::now();
    assert!(start(&whole).wait().unwrap().success());
    let (took, unbroken) = (begun.elapsed(), left(&whole));

    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let (mut killed, mut runs) = (0, Vec::new());
    while killed < kills {
        let run = folder(&runs.len().to_string());
        loop {
            let mut child = start(&run);
            let share = Random::seed(seed).at(killed as u64, runs.len() as u64).unit();
            // So short that a run is killed a few times before it comes to its end.
            let end = Instant::now() + took.mul_f64(0.7 * share);
            while killed < kills && Instant::now() < end && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
            if killed < kills && child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
                child.wait().unwrap();
                killed += 1;
            } else {
                assert!(child.wait().unwrap().success(), "seed {seed}");
                break;
            }
        }
        let log = fs::read_to_string(run.join("log")).unwrap();
        println!("{killed} kills so far; seed {seed}, a run of {took:.1?} that was begun\n{log}");
        assert!(left(&run) == unbroken, "seed {seed}, begun {log}");
        let names =
            fs::read_dir(run.join("run")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let (debris, kept): (Vec<_>, Vec<_>) = names.partition(|name| name.ends_with(".tmp"));
        assert_eq!(kept.len(), 3, "two and the best: {kept:?}");
        assert!(debris.len() <= kills, "what was left in the last seconds: {debris:?}");
        runs.push(run);
    }
    runs.iter().chain([&whole]).for_each(|run| fs::remove_dir_all(run).unwrap());
}
