//! Runs side by side: each on one thread, as many at a time as the machine has cores.

use plywood::prelude::*;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// The results of `work(0)`, `work(1)`, … in this order, worked out by `workers` threads. The first error ends it.
///
/// A small network gains little from a second core, and two runs beside each other gain all of it. The numbers are
/// the same either way.
pub fn in_parallel<T: Send>(
    jobs: usize,
    workers: usize,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    plywood::set_threads(1)?;
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let results: Vec<Mutex<Option<Result<T>>>> = (0..jobs).map(|_| Mutex::new(None)).collect();
    thread::scope(|scope| {
        for _ in 0..workers.clamp(1, jobs.max(1)) {
            scope.spawn(|| {
                while !failed.load(Ordering::Relaxed) {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    let Some(slot) = results.get(job) else { break };
                    let result = work(job);
                    failed.fetch_or(result.is_err(), Ordering::Relaxed);
                    if let Ok(mut slot) = slot.lock() {
                        *slot = Some(result);
                    }
                }
            });
        }
    });
    // Jobs are begun in order, so what a failure has left undone lies behind it.
    results.into_iter().map_while(|slot| slot.into_inner().ok().flatten()).collect()
}
