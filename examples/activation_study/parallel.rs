//! Parallel runs, each on one thread.

use plywood::prelude::*;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// Returns the results of `work(0)`, `work(1)`, … in this order, computed by `workers` threads. Stops at the first
/// error.
///
/// A small network gains little from a second core, while two runs in parallel use both cores fully. The results are
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
    // Jobs start in order, so the jobs that a failure prevented come after it.
    results.into_iter().map_while(|slot| slot.into_inner().ok().flatten()).collect()
}
