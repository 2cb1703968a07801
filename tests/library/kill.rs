//! A training program is killed repeatedly and restarted each time. It must end with the same bits as an uninterrupted
//! one.
//!
//! The program is this test itself, run as a child process that trains in a folder. It reports each batch and waits for
//! an answer, so the seed alone determines when a kill happens, however fast the machine is. Three kinds of kill take
//! turns:
//!
//! - after a batch, while the child waits and before it writes the checkpoint of that batch;
//! - while writing a file (on Unix): the system ends the child when a checkpoint exceeds a size limit;
//! - at a file: when the child's next checkpoint appears in the folder, before or just after it gets its final name.
//!
//! `PLYWOOD_KILLS=20` sets the number of kills (default 3, one of each kind). `PLYWOOD_KILL_SEED` sets the seed
//! (default 5). On Unix, a kill is `SIGKILL`, or `SIGXFSZ` from the limit. No code of the program runs after it.

use crate::children::{Reporting, report, was_killed};
use plywood::data::Augmented;
use plywood::optim::{Averaging, CosineDecay};
use plywood::prelude::*;
use plywood::train::{Callback, Checkpoints};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The environment variable with the child's folder.
const FOLDER: &str = "PLYWOOD_KILL_FOLDER";

const EPOCHS: u64 = 4;

/// The number of batches per epoch.
const BATCHES: u64 = 24;

/// The number of batches per run.
const ALL: u64 = EPOCHS * BATCHES;

/// The number of batches between checkpoints.
const EVERY: u64 = 2;

/// A callback that reports the number of finished batches, including those before a kill.
struct Reports(u64);

impl Callback for Reports {
    fn on_batch_end(&mut self, _: &mut Context<'_>) -> Result<()> {
        self.0 += 1;
        report(self.0)
    }
}

/// The training program. Only one line prepares for kills: `resume_if_any`. It reports the batch it starts from, and
/// then each batch.
fn train(folder: &Path) -> Result<()> {
    let (data, _) = plywood::data::synthetic::garments(600, 10, 7)?;
    let data = Augmented::new(data, Augment::seed(1).flip_horizontal(true).shift(2))?;
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
        .epochs(EPOCHS as usize)
        .batch_size(20)
        .validation_split(0.2)
        .learning_rate(CosineDecay { start: 0.01, steps: 48 })
        .average(Averaging::exponential(0.95))
        .batches_per_step(2)
        .metric(Accuracy::default())
        .metric(RocAuc::default())
        .callback(EarlyStopping::patience(5))
        .checkpoints(
            Checkpoints::in_folder(&runs).every_epochs(1).every_batches(EVERY).keep_best("val_accuracy"),
        )
        .progress(Progress::Silent);
    let resumed = trainer.resume_if_any(&mut model, &runs)?;
    let done = resumed.map_or(0, |resumed| resumed.epochs as u64 * BATCHES + resumed.batches as u64);
    report(done)?;
    let mut trainer = trainer.callback(Reports(done));
    let mut history = trainer.fit(&mut model, &data)?;
    history.epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.0);
    fs::write(folder.join("history"), serde_json::to_string(&history).unwrap()).map_err(Error::custom)?;
    model.save(folder.join("model.plywood"))
}

/// Not a test of its own, but the program that is killed.
#[test]
fn child() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        train(Path::new(&folder)).unwrap();
    }
}

/// Starts the child. With a limit, the system ends it when a file exceeds that number of blocks.
fn start(folder: &Path, limit: Option<u64>) -> Reporting {
    let program = std::env::current_exe().unwrap();
    let mut command = match limit {
        None => Command::new(program),
        Some(blocks) => {
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("ulimit -c 0; ulimit -f {blocks}; exec \"$0\" \"$@\"")]).arg(program);
            shell
        }
    };
    Reporting::start(command.args(["--exact", "kill::child", "--nocapture"]).env(FOLDER, folder))
}

/// Creates an empty folder.
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

/// Returns the checkpoints in a folder, and the names of the temporary files beside them.
fn checkpoints(run: &Path) -> (BTreeMap<String, Vec<u8>>, Vec<String>) {
    let (mut whole, mut temporary) = (BTreeMap::new(), Vec::new());
    for entry in fs::read_dir(run.join("run")).into_iter().flatten() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.ends_with(".tmp") {
            temporary.push(name);
        } else {
            whole.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    (whole, temporary)
}

/// Returns whether there is a temporary file that was not there before.
fn is_written(run: &Path, before: &[String]) -> bool {
    let names = fs::read_dir(run.join("run")).into_iter().flatten();
    let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.any(|name| name.ends_with(".tmp") && !before.contains(&name))
}

/// Kills a waiting child after a batch. Its last checkpoint is the one before that batch.
fn kill_after_batch(mut child: Reporting, batch: u64) -> (u64, u64) {
    child.run_to(batch);
    child.kill();
    let last = (batch - 1) / EVERY * EVERY;
    (last, last)
}

/// Kills a child that is writing the checkpoint of a batch, or has just written it. Returns whether the test saw it
/// write.
fn kill_at_file(mut child: Reporting, run: &Path, batch: u64) -> ((u64, u64), bool) {
    child.run_to(batch);
    let before = checkpoints(run).1;
    let seen = child.run_until(|| is_written(run, &before));
    child.kill();
    ((batch - EVERY, batch), seen)
}

/// Lets a child with a file size limit reach its next checkpoint, where it is killed. The existing checkpoints are
/// unchanged, and half a file is left beside them.
fn end_within_file(child: Reporting, run: &Path, begun: u64) -> (u64, u64) {
    let (whole, before) = checkpoints(run);
    assert!(was_killed(child.end()), "the limit ends it");
    assert!(checkpoints(run).0 == whole, "the checkpoints are as they were");
    assert!(is_written(run, &before), "what was written half-way");
    (begun, begun)
}

#[test]
fn killed_again_and_again_a_run_ends_with_the_same_bits() {
    let number =
        |name: &str, default| std::env::var(name).map_or(default, |text| text.parse::<u64>().unwrap());
    let (kills, seed) = (number("PLYWOOD_KILLS", 3), number("PLYWOOD_KILL_SEED", 5));
    println!("seed {seed}");
    let whole = folder("whole");
    let mut child = start(&whole, None);
    for batch in 0..=ALL {
        assert_eq!(child.next(), Some(batch));
        child.answer();
    }
    assert!(child.end().success());
    let (unbroken, files) = (left(&whole), checkpoints(&whole).0);
    // A block has 512 bytes, in some shells 1024.
    let blocks = files.values().map(|file| file.len() as u64 / 1024).min().unwrap();

    let (mut killed, mut runs) = (0, Vec::new());
    while killed < kills {
        let run = folder(&runs.len().to_string());
        // The smallest and the largest number of batches from which the next child may resume.
        let (mut least, mut most) = (0, 0);
        loop {
            let random = Random::seed(seed);
            let mut draws = random.at(killed, runs.len() as u64);
            let mut below = |end: u64| (draws.unit() * end as f64) as u64;
            let blocks = 1 + below(blocks - 1);
            let limited = cfg!(unix) && killed < kills && killed % 3 == 1;
            let mut child = start(&run, limited.then_some(blocks));
            let begun = child.next().unwrap();
            assert!((least..=most).contains(&begun), "begins at {begun}, expected {least} to {most}");
            // Early enough that a run is killed several times before it ends.
            let batch = begun + 1 + below(ALL * 6 / 10);
            // Not at the last checkpoints: a child that resumes after them writes none, and so removes no older files.
            if !limited && (killed == kills || batch > ALL - EVERY) {
                println!("run {}: from batch {begun} to the end", runs.len());
                assert!(child.end().success());
                break;
            }
            let how;
            ((least, most), how) = if limited {
                (end_within_file(child, &run, begun), format!("within a file, after {blocks} blocks"))
            } else if killed % 3 == 2 {
                let batch = batch.next_multiple_of(EVERY);
                let (next, seen) = kill_at_file(child, &run, batch);
                (next, format!("at the file of batch {batch}, {}", if seen { "seen" } else { "not seen" }))
            } else {
                (kill_after_batch(child, batch), format!("after batch {batch}"))
            };
            killed += 1;
            println!("run {}: from batch {begun}, kill {killed} {how}", runs.len());
        }
        assert!(left(&run) == unbroken, "the bits of run {}", runs.len());
        let (kept, debris) = checkpoints(&run);
        assert!(kept.keys().eq(files.keys()), "two and the best: {:?}", kept.keys());
        assert!(debris.len() as u64 <= kills, "what was left in the last seconds: {debris:?}");
        runs.push(run);
    }
    runs.iter().chain([&whole]).for_each(|run| fs::remove_dir_all(run).unwrap());
}
