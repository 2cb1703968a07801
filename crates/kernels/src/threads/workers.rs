//! The thread pool: a fork and a join in a microsecond or two.
//!
//! A training step forks several times in a tenth of a millisecond. Starting threads each time would cost more than
//! they save, so they are started once, when they are first needed, and then wait: spinning for [`AWAKE`] after their
//! last work, then asleep, so that they use no processor time in a process that has no work for them.
//!
//! The whole process runs one fork at a time. A fork that is requested meanwhile (by another thread, or inside the fork
//! itself) runs all its parts on the requesting thread, one after the other; the results are the same.
//!
//! The thread that forks also processes parts that no worker has begun, once its own is done. So if the machine is busy
//! with other programs, a fork costs little more than doing everything alone.
//!
//! # Why it is sound
//!
//! A worker is given a reference to a closure on the stack of the thread that forks, with its lifetime erased. The
//! worker's `state` says who may access the job. It changes in one direction:
//!
//! - [`IDLE`]: the job belongs to the thread that forks. It writes the job and sets [`POSTED`].
//! - [`POSTED`]: nobody accesses the job. The worker takes it by changing the state to [`BUSY`], or the thread that
//!   forked takes it back by changing the state to [`IDLE`]; only one of the two changes can succeed.
//! - [`BUSY`]: the job belongs to the worker, which sets [`IDLE`] as its last access.
//!
//! [`fork`] does not return, nor unwind, before every worker that was given its closure is [`IDLE`] again.
#![allow(unsafe_code, reason = "a reference is handed to threads that outlive it; see above why it is sound")]

use crate::platform::Instant;
use std::any::Any;
use std::cell::UnsafeCell;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, Thread};
use std::time::Duration;

/// How long a worker spins after its last work.
const AWAKE: Duration = Duration::from_micros(50);

/// The most parts of a fork: one bit each.
pub(super) const MOST: usize = u64::BITS as usize;

/// The states of a worker; see above.
const IDLE: u32 = 0;
const POSTED: u32 = 1;
const BUSY: u32 = 2;

/// A worker's job: the closure of a fork, the worker's part, and the data that the fork shares.
#[derive(Clone, Copy)]
struct Job {
    work: *const (dyn Fn(usize) + Sync),
    part: usize,
    shared: *const Shared,
}

/// The data that the threads of a fork share.
struct Shared {
    /// A bit for each part that a thread has begun.
    begun: AtomicU64,
    /// The first panic of a worker.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Shared {
    /// Marks a part as begun. Returns whether the caller is the first, and so must process it.
    fn begin(&self, part: usize) -> bool {
        self.begun.fetch_or(1 << part, Ordering::Relaxed) & (1 << part) == 0
    }
}

/// The job of a worker and its state.
struct Mailbox {
    state: AtomicU32,
    job: UnsafeCell<Option<Job>>,
}

// SAFETY: `job` is accessed only by the thread that `state` names, and `state` is changed with release and read with
// acquire. The targets of the job may be shared: `Fn(usize) + Sync`, and `Shared`, whose fields are all `Sync`.
unsafe impl Sync for Mailbox {}
// SAFETY: as above; nothing in it is bound to a thread.
unsafe impl Send for Mailbox {}

/// A worker as seen by the thread that forks.
struct Worker {
    mailbox: Arc<Mailbox>,
    thread: Thread,
}

/// The workers, in the order in which they were started. Only the thread that holds the lock may fork.
static WORKERS: Mutex<Vec<Worker>> = Mutex::new(Vec::new());

/// Calls `work(0)`, `work(1)`, … `work(parts - 1)`, each once, on separate threads as far as workers are free, and
/// returns when all are done. Part 0 runs on the calling thread.
///
/// # Panics
/// If `work` panics, after all parts that were begun have ended.
pub(super) fn fork(parts: usize, work: &(dyn Fn(usize) + Sync)) {
    let alone = || (0..parts).for_each(work);
    if !(2..=MOST).contains(&parts) {
        return alone();
    }
    let mut workers = match WORKERS.try_lock() {
        Ok(workers) => workers,
        // The list is valid at any time: a panic while it was locked has not damaged it.
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return alone(),
    };
    if start(&mut workers, parts - 1).is_err() {
        drop(workers);
        return alone();
    }
    let shared = Shared { begun: AtomicU64::new(0), panic: Mutex::new(None) };
    for (i, worker) in workers.iter().take(parts - 1).enumerate() {
        // SAFETY: only the lifetime is erased. This function waits until nobody can use the closure any more.
        let work = unsafe {
            std::mem::transmute::<*const (dyn Fn(usize) + Sync), *const (dyn Fn(usize) + Sync + 'static)>(
                work,
            )
        };
        let job = Job { work, part: i + 1, shared: &raw const shared };
        // SAFETY: the worker is idle, as every fork waits for that, and only this thread may fork.
        unsafe { *worker.mailbox.job.get() = Some(job) };
        worker.mailbox.state.store(POSTED, Ordering::Release);
        worker.thread.unpark();
    }
    let own = catch_unwind(AssertUnwindSafe(|| (0..parts).filter(|&part| shared.begin(part)).for_each(work)));
    for worker in workers.iter().take(parts - 1) {
        let state = &worker.mailbox.state;
        if state.compare_exchange(POSTED, IDLE, Ordering::Acquire, Ordering::Acquire).is_ok() {
            continue;
        }
        let mut spins = 0u32;
        while state.load(Ordering::Acquire) != IDLE {
            spins += 1;
            // With more threads than cores, the worker may need this core.
            if spins.is_multiple_of(1 << 8) { thread::yield_now() } else { spin_loop() }
        }
    }
    drop(workers);
    let mut first = own.err();
    if let Some(other) = shared.panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
        keep_first(&mut first, other);
    }
    if let Some(panic) = first {
        resume_unwind(panic);
    }
}

/// Keeps the first of several panics. The payload of any other is not dropped: it is the user's, and dropping it may
/// panic, in a worker that a fork waits for.
fn keep_first(first: &mut Option<Box<dyn Any + Send>>, panic: Box<dyn Any + Send>) {
    if first.is_none() {
        *first = Some(panic);
    } else {
        std::mem::forget(panic);
    }
}

/// Starts workers until there are `count`.
fn start(workers: &mut MutexGuard<'_, Vec<Worker>>, count: usize) -> std::io::Result<()> {
    while workers.len() < count {
        let mailbox = Arc::new(Mailbox { state: AtomicU32::new(IDLE), job: UnsafeCell::new(None) });
        let own = Arc::clone(&mailbox);
        let name = format!("plywood-{}", workers.len() + 1);
        let handle = thread::Builder::new().name(name).spawn(move || wait_and_work(&own))?;
        workers.push(Worker { mailbox, thread: handle.thread().clone() });
    }
    Ok(())
}

/// The loop of a worker, which ends with the process.
fn wait_and_work(mailbox: &Mailbox) {
    loop {
        let since = Instant::now();
        let mut spins = 0u32;
        // Load before trying to exchange: a failed exchange would take the cache line away from the thread that forks.
        while mailbox.state.load(Ordering::Relaxed) != POSTED
            || mailbox.state.compare_exchange(POSTED, BUSY, Ordering::Acquire, Ordering::Relaxed).is_err()
        {
            spins += 1;
            if !spins.is_multiple_of(1 << 6) || since.elapsed() < AWAKE {
                spin_loop();
            } else {
                // Woken by `unpark`, by an earlier one, or spuriously: the loop checks again.
                thread::park();
            }
        }
        // SAFETY: the worker is busy, so the job belongs to it.
        if let Some(Job { work, part, shared }) = unsafe { *mailbox.job.get() } {
            // SAFETY: the thread that forked waits until this worker is idle, so both are still alive.
            let (work, shared) = unsafe { (&*work, &*shared) };
            if shared.begin(part)
                && let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(part)))
            {
                keep_first(&mut shared.panic.lock().unwrap_or_else(PoisonError::into_inner), panic);
            }
        }
        // The last access: from here on, the closure and the shared data may be gone.
        mailbox.state.store(IDLE, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn every_part_is_done_once_whoever_asks_and_however_often() {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..2000 {
                        let parts = 1 + round % 5;
                        let done: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
                        fork(parts, &|part| {
                            // A fork inside a part runs on that part's thread alone.
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

    /// The payload of a panic may itself panic when it is dropped.
    #[test]
    fn a_panic_within_a_panic_takes_no_worker_along() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                assert!(thread::panicking(), "dropped");
            }
        }
        for _ in 0..3 {
            let result = catch_unwind(AssertUnwindSafe(|| {
                fork(4, &|_| std::panic::panic_any(Bomb));
            }));
            std::mem::forget(result.unwrap_err());
        }
        let count = AtomicUsize::new(0);
        fork(4, &|_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn a_panic_comes_out_after_all_parts_have_ended() {
        for bad in 0..3 {
            let result = catch_unwind(AssertUnwindSafe(|| {
                fork(3, &|part| assert!(part != bad, "part {part}"));
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
