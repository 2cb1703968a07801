//! Threads that wait for work: a fork and a join in a microsecond or two.
//!
//! A training step forks several times in a tenth of a millisecond. To start threads each time would cost more than
//! they save, so they are started once, when they are first needed, and then wait: awake for [`AWAKE`] after their
//! last work, then asleep, so that a process that has no work for them uses no time.
//!
//! One fork is under way at a time, in the whole process. Whoever asks while there is one (another thread, or a part
//! of the fork itself) does all the parts alone, one after the other; the results are the same.
//!
//! # Why it is sound
//!
//! A worker is given a reference to a closure on the stack of the thread that forks, with its lifetime taken off.
//! [`fork`] does not return, nor unwind, before every worker that was given it has counted itself out of `left`, and
//! a worker does not touch the closure after that. A worker's [`Slot`] is written only while the worker waits: after
//! it has counted itself out of the fork before, and before the change of `turn` that sets it to work.
#![allow(unsafe_code, reason = "a reference is handed to threads that outlive it; see above why it is sound")]

use std::any::Any;
use std::cell::UnsafeCell;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How long a worker stays awake after its last work.
const AWAKE: Duration = Duration::from_micros(50);

/// What a worker is given: the closure of a fork, the part to work out, and where to count itself out.
#[derive(Clone, Copy)]
struct Job {
    work: *const (dyn Fn(usize) + Sync),
    part: usize,
    join: *const Join,
}

/// Where the parts of a fork come together again.
struct Join {
    /// Workers that have not finished.
    left: AtomicUsize,
    /// The first panic of a worker.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// Where a worker finds its job.
struct Slot {
    /// Counts the jobs; a change is the sign to begin.
    turn: AtomicUsize,
    job: UnsafeCell<Option<Job>>,
}

// SAFETY: `job` is written only by the thread that forks, while the worker waits for `turn` to change, and read only
// by the worker, after it has changed (release and acquire). What it points to is shared: `Fn(usize) + Sync`, and
// `Join`, which is made of synchronised parts.
unsafe impl Sync for Slot {}
// SAFETY: as above; nothing in it belongs to a thread.
unsafe impl Send for Slot {}

/// A worker as the thread that forks sees it.
struct Worker {
    slot: Arc<Slot>,
    thread: Thread,
}

/// The workers, in the order in which they were started. To hold the lock is the right to fork.
static WORKERS: Mutex<Vec<Worker>> = Mutex::new(Vec::new());

/// Calls `work(0)`, `work(1)`, … `work(parts - 1)`, each on a thread of its own where threads are free, and returns
/// when all are done. Part 0 runs on the calling thread.
///
/// # Panics
/// When `work` does, after all parts have ended.
pub(super) fn fork(parts: usize, work: &(dyn Fn(usize) + Sync)) {
    let alone = || (0..parts).for_each(work);
    if parts < 2 {
        return alone();
    }
    let mut workers = match WORKERS.try_lock() {
        Ok(workers) => workers,
        // The list is whole at any time: a panic while it was locked has not harmed it.
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return alone(),
    };
    if start(&mut workers, parts - 1).is_err() {
        drop(workers);
        return alone();
    }
    let join = Join { left: AtomicUsize::new(parts - 1), panic: Mutex::new(None) };
    for (i, worker) in workers.iter().take(parts - 1).enumerate() {
        // SAFETY: only the lifetime is taken off. The worker uses it until it has counted itself out of `join`, and
        // this function waits for that.
        let work = unsafe {
            std::mem::transmute::<*const (dyn Fn(usize) + Sync), *const (dyn Fn(usize) + Sync + 'static)>(
                work,
            )
        };
        let job = Job { work, part: i + 1, join: &raw const join };
        // SAFETY: the worker has finished its last job, as every fork waits for that, and waits for `turn`.
        unsafe { *worker.slot.job.get() = Some(job) };
        worker.slot.turn.fetch_add(1, Ordering::Release);
        worker.thread.unpark();
    }
    let own = catch_unwind(AssertUnwindSafe(|| work(0)));
    let mut spins = 0u32;
    while join.left.load(Ordering::Acquire) > 0 {
        spins += 1;
        // Where there are more threads than cores, the worker may need this one to make room.
        if spins.is_multiple_of(1 << 12) { thread::yield_now() } else { spin_loop() }
    }
    drop(workers);
    let others = join.panic.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    if let Some(panic) = own.err().or(others) {
        resume_unwind(panic);
    }
}

/// Starts workers until there are `count`.
fn start(workers: &mut MutexGuard<'_, Vec<Worker>>, count: usize) -> std::io::Result<()> {
    while workers.len() < count {
        let slot = Arc::new(Slot { turn: AtomicUsize::new(0), job: UnsafeCell::new(None) });
        let own = Arc::clone(&slot);
        let name = format!("plywood-{}", workers.len() + 1);
        let handle = thread::Builder::new().name(name).spawn(move || wait_and_work(&own))?;
        workers.push(Worker { slot, thread: handle.thread().clone() });
    }
    Ok(())
}

/// A worker's life. It ends with the process.
fn wait_and_work(slot: &Slot) {
    let mut seen = 0;
    loop {
        let since = Instant::now();
        let mut spins = 0u32;
        while slot.turn.load(Ordering::Acquire) == seen {
            spins += 1;
            if !spins.is_multiple_of(1 << 6) || since.elapsed() < AWAKE {
                spin_loop();
            } else {
                // Woken by `unpark`, by one that came before, or for no reason: the loop looks again.
                thread::park();
            }
        }
        seen = seen.wrapping_add(1);
        // SAFETY: `turn` has changed, so the job was written before and will not be written again before this worker
        // has counted itself out.
        let Some(Job { work, part, join }) = (unsafe { *slot.job.get() }) else { continue };
        // SAFETY: the thread that forked waits until this worker has counted itself out, so both still live.
        let (work, join) = unsafe { (&*work, &*join) };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(part))) {
            join.panic.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(panic);
        }
        // The last touch: from here on, what was lent may be gone.
        join.left.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_done_once_whoever_asks_and_however_often() {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..2000 {
                        let parts = 1 + round % 5;
                        let done: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
                        fork(parts, &|part| {
                            // A fork inside a part is done by that part alone.
                            fork(2, &|_| {
                                done[part].fetch_add(1, Ordering::Relaxed);
                            });
                        });
                        assert!(done.iter().all(|count| count.load(Ordering::Relaxed) == 2));
                    }
                });
            }
        });
    }

    #[test]
    fn workers_that_sleep_are_woken() {
        for _ in 0..20 {
            let count = AtomicUsize::new(0);
            fork(3, &|_| {
                count.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(count.load(Ordering::Relaxed), 3);
            thread::sleep(AWAKE * 4);
        }
    }

    #[test]
    fn a_panic_comes_out_after_all_parts_have_ended() {
        for bad in 0..3 {
            let count = AtomicUsize::new(0);
            let result = catch_unwind(AssertUnwindSafe(|| {
                fork(3, &|part| {
                    count.fetch_add(1, Ordering::Relaxed);
                    assert!(part != bad, "part {part}");
                });
            }));
            assert!(result.is_err());
        }
        let count = AtomicUsize::new(0);
        fork(3, &|_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.load(Ordering::Relaxed), 3, "and the workers work on");
    }
}
