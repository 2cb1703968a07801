//! Measures training on a file that is larger than the memory limit of the process, and on the same data in memory.
//!
//! ```sh
//! cargo bench -p plywood-benches --bench stream --no-run                      # prints the program's path
//! PROGRAM write /tmp/plywood.idx                           # writes 360,000 synthetic images, 282 MB, and their labels
//! (ulimit -v 262144; PROGRAM stream /tmp/plywood.idx)      # 256 MB of address space for everything
//! PROGRAM memory /tmp/plywood.idx                          # the same epochs, with the whole file in memory
//! ```
//!
//! The network is the seed job's, 784-128-10 in batches of 32 with Adam. A line of JSON has the seconds of each
//! epoch and the loss, which is bit-identical for `stream` and `memory`.

use plywood::data::{IdxStream, idx, synthetic};
use plywood::prelude::*;
use serde_json::json;
use std::fs::File;
use std::io::{BufWriter, Write};

#[path = "../examples/support/memory.rs"]
mod memory;

const USAGE: &str = "usage: cargo bench -p plywood-benches --bench stream -- write|stream|memory FILE [--threads N] [--epochs N] \
                     [--ahead N]";

/// The number of different images, and how often each is written.
const DRAWN: usize = 12_000;
const TIMES: usize = 30;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let (Some(what), Some(path)) = (args.first(), args.get(1)) else {
        println!("{USAGE}");
        return Ok(());
    };
    let number = |name: &str| {
        let place = args.iter().position(|arg| arg == name)?;
        args.get(place + 1)?.parse::<usize>().ok()
    };
    if let Some(threads) = number("--threads") {
        plywood::set_threads(threads)?;
    }
    let (epochs, ahead) = (number("--epochs").unwrap_or(2), number("--ahead"));
    let labels_path = format!("{path}.labels");
    match what.as_str() {
        "write" => write(path, &labels_path),
        "stream" => {
            let labels = idx::read(&labels_path)?.into_labels()?;
            run(what, &IdxStream::open(path, labels)?.scale(1.0 / 255.0), epochs, ahead)
        }
        "memory" => {
            let labels = idx::read(&labels_path)?.into_labels()?;
            let images = idx::read(path)?.into_u8()?;
            run(what, &ArrayDataset::new(images, labels)?.scale(1.0 / 255.0), epochs, ahead)
        }
        _ => {
            println!("{USAGE}");
            Ok(())
        }
    }
}

/// Writes the images and labels, each `TIMES` times.
fn write(path: &str, labels_path: &str) -> Result<()> {
    let (images, _) = synthetic::garments(DRAWN, 10, 1)?;
    let count = u32::try_from(DRAWN * TIMES).map_err(Error::custom)?.to_be_bytes();
    let put = |path: &str, header: &[u8], elements: &[u8]| -> std::io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        file.write_all(header)?;
        (0..TIMES).try_for_each(|_| file.write_all(elements))?;
        file.flush()
    };
    let side = 28u32.to_be_bytes();
    let header = [&[0, 0, 8, 3][..], &count, &side, &side].concat();
    let pixels = images.inputs().as_slice().unwrap_or_default();
    put(path, &header, pixels).map_err(|e| Error::io("write", path, e))?;
    let labels: Vec<u8> = images.targets().iter().map(|&label| label as u8).collect();
    put(labels_path, &[&[0, 0, 8, 1][..], &count].concat(), &labels)
        .map_err(|e| Error::io("write", labels_path, e))
}

fn run<D: Dataset<Target = Vec<usize>>>(
    what: &str,
    data: &D,
    epochs: usize,
    ahead: Option<usize>,
) -> Result<()> {
    let mut model = Sequential::builder([28, 28])
        .layer(Flatten)
        .layer(Dense::units(128))
        .layer(ReLU)
        .layer(Dense::units(10))
        .layer(Softmax)
        .build()?;
    let mut trainer =
        Trainer::new(CrossEntropy::default(), Adam::default()).epochs(epochs).progress(Progress::Silent);
    if let Some(ahead) = ahead {
        trainer = trainer.prefetch(ahead);
    }
    let history = trainer.fit(&mut model, data)?;
    let line = json!({
        "data": what,
        "samples": data.len(),
        "threads": plywood::threads(),
        "ahead": ahead.unwrap_or(data.prefetch()),
        "epoch_seconds": history.epochs.iter().map(|epoch| epoch.seconds).collect::<Vec<_>>(),
        "loss": history.last("loss"),
        "peak_rss_mb": memory::peak_rss_mb(),
        "version": env!("CARGO_PKG_VERSION"),
    });
    println!("{line}");
    Ok(())
}
