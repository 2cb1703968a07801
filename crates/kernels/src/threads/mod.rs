//! The number of threads, and how work is distributed among them.
//!
//! [`each`] processes parts that were split beforehand, as an optimizer's pass does. [`each_long`] does so with more
//! threads, for parts that take long, as those of a prediction; [`map`] is the same for numbered pieces.
//! [`side_by_side`] runs whole trainings in parallel. [`parts`] computes the number of threads that pays, and [`share`]
//! the size of parts if there are to be more parts than threads. [`each`] and [`each_long`] use [`fork`]; the threads
//! themselves are in `workers.rs`.
//!
//! The distribution is fixed beforehand, so that a thread finds in its core's caches what it left there in the step
//! before. If there are more parts than threads, a thread that has finished its own takes parts from another one, from
//! the end that the other would reach last (work stealing): cores may differ in speed, as those of shared machines do
//! from one minute to the next.
//!
//! Determinism depends on the parts, not on the threads: each part is computed alone, no element is a sum over several
//! parts, and the caller combines results in the order of the parts.

mod workers;

use crate::platform;
use std::cell::Cell;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// The number set by [`set_threads`]; 0 if none was set.
///
/// It is read at each call and no other memory depends on it, so `Relaxed` is enough.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// Sets the number of threads of the whole process. On platforms without threads it stays 1.
pub fn set_threads(threads: NonZero<usize>) {
    THREADS.store(platform::threads(Some(threads.get())), Ordering::Relaxed);
}

/// Returns the number of threads: the one that was set, or that of the environment, or the number of cores.
///
/// The environment and the machine are queried at the first call only.
pub fn threads() -> usize {
    match THREADS.load(Ordering::Relaxed) {
        0 => {
            let threads = platform::threads(from_environment());
            THREADS.store(threads, Ordering::Relaxed);
            threads
        }
        threads => threads,
    }
}

/// Returns the number in `PLYWOOD_NUM_THREADS`, if it is above 0. Any other value counts as not set, since there is no
/// caller that could get an error.
fn from_environment() -> Option<usize> {
    std::env::var("PLYWOOD_NUM_THREADS").ok()?.trim().parse().ok().filter(|&threads| threads > 0)
}

thread_local! {
    /// True if this thread does its work alone.
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Marks the current thread as single-threaded: from here on it does not use the workers. For threads that run beside
/// the one that trains (prefetching data), and must not take the workers away from it.
pub fn alone() {
    ALONE.set(true);
}

/// Calls `work(0)` to `work(threads - 1)`, each on its own thread as far as workers are free. Inside these calls the
/// threads are single-threaded.
pub fn fork(threads: usize, work: impl Fn(usize) + Sync) {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            ALONE.set(self.0);
        }
    }
    #[cfg(test)]
    let work = crate::level::handed_on(work);
    workers::fork(threads, &|thread| {
        let _before = Before(ALONE.replace(true));
        work(thread);
    });
}

/// The most threads that share one piece of work.
const MOST_THREADS: usize = 16;

/// The most parts of one piece of work.
const MOST_PARTS: usize = 32;

/// The most threads that share long pieces, and the most parts of these.
const MOST_LONG_THREADS: usize = workers::MOST;
const MOST_LONG_PARTS: usize = 2 * MOST_LONG_THREADS;

/// Returns the number of parts for work of this size, if a part should have at least `least` of it: one per thread if
/// possible.
pub fn parts(size: usize, least: usize) -> usize {
    if size < 2 * least || ALONE.get() { 1 } else { threads().min(size / least).min(MOST_THREADS) }
}

/// [`parts`] for long pieces, of which one is enough for a thread.
pub fn long_parts(pieces: usize) -> usize {
    if ALONE.get() { 1 } else { threads().min(pieces).clamp(1, MOST_LONG_THREADS) }
}

/// Returns the size of parts such that each thread has several, so that a faster core can do more than its share: at
/// most `most`, or a multiple of it if there would be too many parts, and all of the work if there is one thread.
pub fn share(size: usize, most: usize, threads: usize) -> usize {
    let bound = MOST_PARTS.max(2 * threads);
    let parts = if threads == 1 { 1 } else { size.div_ceil(most).next_multiple_of(threads).min(bound) };
    match size.div_ceil(parts.max(1)).max(1) {
        share if parts > 1 && share > most => share.next_multiple_of(most),
        share => share,
    }
}

/// Processes parts that do not overlap, on all threads, or on fewer if there are fewer parts.
///
/// Each thread has a run of consecutive parts and takes them in order. After that it takes parts of other threads, from
/// the end of their runs. Nothing is allocated. Parts beyond `MOST_PARTS` are processed by the calling thread.
pub fn each<T: Send>(parts: impl Iterator<Item = T>, work: impl Fn(T) + Sync) {
    deal_out::<T, MOST_PARTS, MOST_THREADS>(parts, work);
}

/// [`each`] for parts that take long, a hundred microseconds and more: on up to 64 threads, where [`each`] uses at most
/// 16, and on the calling thread alone if that is single-threaded.
pub fn each_long<T: Send>(parts: impl Iterator<Item = T>, work: impl Fn(T) + Sync) {
    if long_parts(MOST_LONG_PARTS) == 1 {
        return parts.for_each(work);
    }
    deal_out::<T, MOST_LONG_PARTS, MOST_LONG_THREADS>(parts, work);
}

fn deal_out<T: Send, const PARTS: usize, const THREADS: usize>(
    mut parts: impl Iterator<Item = T>,
    work: impl Fn(T) + Sync,
) {
    let Some(first) = parts.next() else { return };
    let Some(second) = parts.next() else { return work(first) };
    let slots: [Mutex<Option<T>>; PARTS] = [const { Mutex::new(None) }; PARTS];
    let mut count = 0;
    for (slot, part) in slots.iter().zip([first, second].into_iter().chain(&mut parts)) {
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(part);
        count += 1;
    }
    deal::<THREADS>(count, &|i| {
        let part = slots[i].lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(part) = part {
            work(part);
        }
    });
    parts.for_each(work);
}

/// Calls `work` with each number below `count`, distributed as in [`each`]. It is not generic over the parts, so it is
/// compiled only once for each of the two numbers of threads.
fn deal<const THREADS: usize>(count: usize, work: &(dyn Fn(usize) + Sync)) {
    let threads = threads().min(count).min(THREADS);
    let queues: [Queue; THREADS] = std::array::from_fn(|thread| Queue::new(thread, threads, count));
    let queues = &queues[..threads];
    fork(threads, |thread| {
        let mine = std::iter::from_fn(|| queues[thread].first());
        let others = (1..threads).map(|i| &queues[(thread + i) % threads]);
        let of_others = others.flat_map(|queue| std::iter::from_fn(|| queue.last()));
        mine.chain(of_others).for_each(work);
    });
}

/// The rest of a thread's run of parts, from both ends: the first part, and the end. Aligned to a cache line, since
/// threads that write to one line wait for each other.
#[repr(align(64))]
struct Queue(AtomicU64);

impl Queue {
    /// Creates the queue of one of `threads` threads.
    fn new(thread: usize, threads: usize, parts: usize) -> Self {
        let start = |thread: usize| (thread * parts / threads) as u64;
        Self(AtomicU64::new(start(thread) << 32 | start(thread + 1)))
    }

    /// Takes the first part, if any is left.
    ///
    /// The parts themselves are in slots, whose locks order them, so `Relaxed` is enough.
    fn first(&self) -> Option<usize> {
        let rest = |queue: u64| (queue >> 32 < u64::from(queue as u32)).then(|| queue + (1 << 32));
        let queue = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest).ok()?;
        Some((queue >> 32) as usize)
    }

    /// Takes the last part, if any is left.
    fn last(&self) -> Option<usize> {
        let rest = |queue: u64| (queue >> 32 < u64::from(queue as u32)).then(|| queue - 1);
        let queue = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest).ok()?;
        Some(queue as u32 as usize - 1)
    }
}

/// Returns the results of `work(0)`, `work(1)`, … in order, computed on several threads if there are several: for long
/// pieces, as in [`each_long`]. A panic in a piece propagates to the caller once all threads have ended.
pub fn map<T: Send>(pieces: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let mut results: Vec<Option<T>> = (0..pieces).map(|_| None).collect();
    let share = pieces.div_ceil(MOST_LONG_PARTS).max(1);
    each_long(results.chunks_mut(share).enumerate(), |(part, results)| {
        for (i, result) in results.iter_mut().enumerate() {
            *result = Some(work(part * share + i));
        }
    });
    results.into_iter().flatten().collect()
}

/// Returns the results of `work(0)`, `work(1)`, … in order, computed on at most `workers` threads: each takes the next
/// piece when it is done with one, and is single-threaded itself. With one worker the calling thread works, and may
/// fork.
///
/// For pieces that take seconds, such as a training: it starts its own threads. A panic in a piece propagates to the
/// caller once all threads have ended.
pub fn side_by_side<T: Send>(pieces: usize, workers: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let slots: Vec<Mutex<Option<T>>> = (0..pieces).map(|_| Mutex::new(None)).collect();
    let work_off = || {
        loop {
            let piece = next.fetch_add(1, Ordering::Relaxed);
            let Some(slot) = slots.get(piece) else { break };
            let result = work(piece);
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        }
    };
    if workers > 1 {
        thread::scope(|scope| {
            for _ in 0..workers.min(pieces) {
                // If the system cannot start more threads, those that exist do all pieces.
                let _ = thread::Builder::new().spawn_scoped(scope, || {
                    alone();
                    work_off();
                });
            }
        });
    }
    work_off();
    let inner = |slot: Mutex<Option<T>>| slot.into_inner().unwrap_or_else(PoisonError::into_inner);
    slots.into_iter().filter_map(inner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_pieces_come_in_order_for_any_number_of_workers() {
        for (pieces, workers) in [(0, 4), (1, 0), (1, 4), (7, 1), (7, 3), (20, 64)] {
            let found = side_by_side(pieces, workers, |i| (i, parts(1_000, 1)));
            assert!(found.iter().map(|(i, _)| *i).eq(0..pieces));
            // With several workers, each is single-threaded.
            assert!(workers < 2 || found.iter().all(|(_, parts)| *parts == 1));
        }
        assert!(std::panic::catch_unwind(|| side_by_side(3, 2, |i| assert_ne!(i, 1))).is_err());
    }

    #[test]
    fn results_come_in_order_for_any_number_of_threads() {
        for threads in [1, 2, 3, 8] {
            set_threads(NonZero::new(threads).unwrap());
            for pieces in [0, 1, 2, 7, 20, 300] {
                assert_eq!(map(pieces, |i| i * i), (0..pieces).map(|i| i * i).collect::<Vec<_>>());
                let mut numbers = vec![0; pieces];
                each_long(numbers.iter_mut().enumerate(), |(i, number)| *number += i);
                assert!(numbers.into_iter().eq(0..pieces));
            }
        }
    }

    #[test]
    fn a_run_is_taken_from_both_ends_until_it_is_empty() {
        let queue = Queue::new(0, 2, 6);
        assert_eq!(
            [queue.first(), queue.last(), queue.first(), queue.first()],
            [Some(0), Some(2), Some(1), None]
        );
        let queue = Queue::new(0, 2, 2);
        assert_eq!([queue.last(), queue.last(), queue.first()], [Some(0), None, None]);
    }

    #[test]
    fn each_part_is_worked_on_once_also_where_there_are_many() {
        let mut numbers = vec![0; 1000];
        for size in [1, 7, 100, 1000] {
            each(numbers.chunks_mut(size), |part| part.iter_mut().for_each(|n| *n += 1));
        }
        assert!(numbers.iter().all(|&n| n == 4));
    }
}
