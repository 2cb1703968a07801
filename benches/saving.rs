//! Measures saving and loading against plain disk access with a checksum, and whether a loaded model predicts as fast
//! as the saved one.
//!
//! ```sh
//! cargo bench -p plywood-benches --bench saving                        # a model of 100 MB in the folder for temporary files
//! cargo bench -p plywood-benches --bench saving -- --folder /mnt/disk --megabytes 400 --rounds 21
//! ```
//!
//! Each round runs four steps in turn, so that all see the same state of the machine: the file's bytes are written to
//! a new file, synced and renamed; the model is saved; the file's bytes are read, with one pass of CRC-32; the model
//! is loaded. Both reads come from the system's cache. A line of JSON has the medians in milliseconds, and the
//! medians of the ratios of each round.

use plywood::ndarray::{Array, Array2, Array4, Dimension};
use plywood::prelude::*;
use serde_json::json;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let text = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    let number = |name: &str, usual: usize| text(name).and_then(|n| n.parse().ok()).unwrap_or(usual);
    let folder = text("--folder").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("plywood-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder to write in");
    let result = files(&folder, number("--megabytes", 100), number("--rounds", 11).max(1));
    fs::remove_dir_all(&folder).expect("the folder that was made");
    result?;
    predictions(number("--rounds", 11).max(1))
}

/// Measures saving and loading against plain disk access.
fn files(folder: &Path, megabytes: usize, rounds: usize) -> Result<()> {
    let side = (megabytes as f64 * 1e6 / 8.0).sqrt() as usize;
    let model = Sequential::builder([side]).layer(Dense::units(side)).layer(Dense::units(side)).build()?;
    let bytes = model.to_bytes()?;
    let (ours, plain, beside) = (folder.join("model"), folder.join("plain"), folder.join("beside"));
    model.save(&ours)?;
    let mut times = [const { Vec::new() }; 4];
    for _ in 0..rounds {
        times[0].push(milliseconds(|| {
            let mut file = File::create(&beside).expect("a file");
            file.write_all(&bytes).and_then(|()| file.sync_all()).expect("room for a file");
            fs::rename(&beside, &plain).expect("a name");
        }));
        times[1].push(milliseconds(|| model.save(&ours).expect("room for a model")));
        times[2].push(milliseconds(|| crc32fast::hash(black_box(&fs::read(&plain).expect("the file")))));
        times[3].push(milliseconds(|| Sequential::load(&ours).expect("the model")));
    }
    let ratio = |ours: usize, plain: usize| {
        median(times[ours].iter().zip(&times[plain]).map(|(ours, plain)| ours / plain).collect())
    };
    let [write, save, read, load] = [0, 1, 2, 3].map(|i| median(times[i].clone()));
    let (saving, loading) = (ratio(1, 0), ratio(3, 2));
    println!(
        "{}",
        json!({"bytes": bytes.len(), "rounds": rounds, "write": write, "save": save, "save/write": saving,
               "read and sum": read, "load": load, "load/read": loading})
    );
    Ok(())
}

/// Measures predictions before saving and after loading.
fn predictions(rounds: usize) -> Result<()> {
    let dense =
        Sequential::builder([784]).layer(Dense::units(512)).layer(ReLU).layer(Dense::units(10)).build()?;
    compare("dense", &dense, &Array2::ones((256, 784)), rounds)?;
    let conv = Sequential::builder([1, 28, 28])
        .layer(Conv2d::filters(16, 3))
        .layer(BatchNorm::new())
        .layer(ReLU)
        .layer(MaxPool2d::window(2))
        .layer(Flatten)
        .layer(Dense::units(10))
        .build()?;
    compare("conv", &conv, &Array4::ones((64, 1, 28, 28)), rounds)
}

fn compare<D: Dimension>(name: &str, model: &Sequential, x: &Array<f32, D>, rounds: usize) -> Result<()> {
    let loaded = Sequential::from_bytes(&model.to_bytes()?, &Registry::<f32>::builtin())?;
    let time = |model: &Sequential| {
        milliseconds(|| (0..50).map(|_| model.predict(x).expect("a prediction")).for_each(drop))
    };
    let _ = (time(model), time(&loaded));
    let rounds: Vec<[f64; 2]> = (0..4 * rounds).map(|_| [time(model), time(&loaded)]).collect();
    let [before, after] = [0, 1].map(|i| median(rounds.iter().map(|round| round[i] / 50.0).collect()));
    let ratio = median(rounds.iter().map(|[before, after]| after / before).collect());
    println!("{}", json!({"predict": name, "before": before, "after": after, "after/before": ratio}));
    Ok(())
}

fn milliseconds<T>(work: impl FnOnce() -> T) -> f64 {
    let begin = Instant::now();
    let result = black_box(work());
    let took = begin.elapsed().as_secs_f64() * 1e3;
    drop(result);
    took
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
