//! Health checks while all cores predict.

use crate::clients::{Connection, request};
use crate::{Result, signal, start};
use plywood::prelude::*;
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Threads that ask for predictions, each for so many rows at once.
const THREADS: usize = 4;
const ROWS: usize = 1_000;

/// So many health checks.
const CHECKS: usize = 50;

/// Asks for many rows of 784-2048-2048-10 without a pause, and prints the longest of some health checks meanwhile.
pub fn run(folder: &Path) -> Result<()> {
    let model = Sequential::builder([784])
        .layer(Dense::units(2048))
        .layer(ReLU)
        .layer(Dense::units(2048))
        .layer(ReLU)
        .layer(Dense::units(10))
        .build()?;
    model.save(folder.join("heavy.plywood"))?;
    let (mut child, address) = start(folder, &["heavy"], &[])?;
    let size = json!({"binary_data_size": ROWS * 784 * 4});
    let input = json!({"name": "input", "shape": [ROWS, 784], "datatype": "FP32", "parameters": size});
    let head = json!({"inputs": [input]}).to_string();
    let header = format!("inference-header-content-length: {}\r\n", head.len());
    let data = 0.5f32.to_le_bytes().repeat(ROWS * 784);
    let bytes = request("/v2/models/heavy/infer", &header, &[head.as_bytes(), &data].concat());
    let (end, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let ask = || -> std::io::Result<()> {
        let mut connection = Connection::open(address)?;
        while !end.load(Ordering::Relaxed) {
            connection.send(&bytes)?;
            match connection.answer()?.status {
                200 => answered.fetch_add(1, Ordering::Relaxed),
                status => return Err(std::io::Error::other(format!("a heavy request got {status}"))),
            };
        }
        Ok(())
    };
    let times = std::thread::scope(|scope| -> std::io::Result<Vec<Duration>> {
        let asking: Vec<_> = (0..THREADS).map(|_| scope.spawn(ask)).collect();
        std::thread::sleep(Duration::from_secs(1));
        let times = (0..CHECKS).map(|_| {
            std::thread::sleep(Duration::from_millis(100));
            let start = Instant::now();
            let mut connection = Connection::open(address)?;
            connection.send(&request("/v2/health/live", "", b""))?;
            connection.answer().map(|_| start.elapsed())
        });
        let times = times.collect();
        end.store(true, Ordering::Relaxed);
        for asked in asking {
            asked.join().unwrap_or_else(|_| Err(std::io::Error::other("a thread has panicked")))?;
        }
        times
    });
    signal(&child, "TERM")?;
    child.wait()?;
    let mut times = times?;
    times.sort();
    let milliseconds = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
    println!(
        "health checks during {} requests of {ROWS} rows on 784-2048-2048-10 from {THREADS} threads: median {:.1} ms, longest {:.1} ms",
        answered.load(Ordering::Relaxed),
        milliseconds(times.get(CHECKS / 2)),
        milliseconds(times.last()),
    );
    Ok(())
}
