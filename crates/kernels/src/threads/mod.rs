//! Threads: how many, and how work is dealt out to them.
//!
//! Two forms serve the crate: [`each`] works on parts that were cut beforehand, as an optimizer's pass does, and so does
//! [`each_long`], with more threads, on parts that take long, as those of a prediction ([`map`] is it for numbered pieces);
//! [`side_by_side`] has whole trainings beside one another. [`parts`] says for how many threads it pays to cut, and
//! [`share`] how large parts are if they are to be more than that. Below them is [`fork`]; the threads themselves are in
//! `workers.rs`.
//!
//! Which thread does what is dealt out beforehand, like cards, so that what one step leaves in a core's caches is there in
//! the next one. Where there are more parts than threads, one that has nothing left takes from another, from the end that
//! the other would come to last: cores may be of unequal speed, as those of machines that are shared are from one
//! minute to the next.
//!
//! Determinism is a matter of the parts, not of the threads: each part is computed alone, no number is a sum over
//! several parts, and results are combined in the parts' order by whoever asked.

mod workers;

use crate::platform;
use std::cell::Cell;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// The number set by [`set_threads`]; 0 where none was.
///
/// It is read for each call and has no other memory to be ordered with, so `Relaxed` is enough.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// Sets how many threads are used, in the whole process. Where none can be started it stays one.
pub fn set_threads(threads: NonZero<usize>) {
    THREADS.store(platform::threads(Some(threads.get())), Ordering::Relaxed);
}

/// How many threads are used: the number that was set, or that of the environment, or that of the machine's cores.
///
/// The environment and the machine are asked at the first call, and the answer is kept.
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

/// The number in `PLYWOOD_NUM_THREADS`, if it is one above 0. Anything else counts as not set, since there is
/// nobody to return an error to.
fn from_environment() -> Option<usize> {
    std::env::var("PLYWOOD_NUM_THREADS").ok()?.trim().parse().ok().filter(|&threads| threads > 0)
}

thread_local! {
    /// Whether this thread does its work alone.
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// From here on, this thread cuts nothing: for a thread that works beside the one that trains, and would take the
/// workers away from it.
pub fn alone() {
    ALONE.set(true);
}

/// Calls `work(0)` to `work(threads - 1)`, each on a thread of its own as far as they are free. What a thread does there, it
/// does alone.
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

/// The most parts that it is cut into.
const MOST_PARTS: usize = 32;

/// The most threads that share pieces which take long, and the most parts of these.
const MOST_LONG_THREADS: usize = workers::MOST;
const MOST_LONG_PARTS: usize = 2 * MOST_LONG_THREADS;

/// Into how many parts to cut work of this size, where one part should have at least `least` of it: one for each
/// thread, as far as that goes.
pub fn parts(size: usize, least: usize) -> usize {
    if size < 2 * least || ALONE.get() { 1 } else { threads().min(size / least).min(MOST_THREADS) }
}

/// [`parts`] for pieces that take long, of which one is enough for a thread.
pub fn long_parts(pieces: usize) -> usize {
    if ALONE.get() { 1 } else { threads().min(pieces).clamp(1, MOST_LONG_THREADS) }
}

/// How large parts are of which each thread has several, so that one whose core is faster at the time can do more than its
/// share: at most `most`, or a multiple of it where they would be too many, and all of the work for one thread.
pub fn share(size: usize, most: usize, threads: usize) -> usize {
    let bound = MOST_PARTS.max(2 * threads);
    let parts = if threads == 1 { 1 } else { size.div_ceil(most).next_multiple_of(threads).min(bound) };
    match size.div_ceil(parts.max(1)).max(1) {
        share if parts > 1 && share > most => share.next_multiple_of(most),
        share => share,
    }
}

/// Works on parts that do not overlap, by as many threads as there are, or fewer if there are fewer parts.
///
/// Each thread has a run of neighbours and takes them in order. Once it is done with them, it takes what another would
/// come to last. Nothing is allocated. Parts beyond `MOST_PARTS` are worked on by the calling thread.
pub fn each<T: Send>(parts: impl Iterator<Item = T>, work: impl Fn(T) + Sync) {
    deal_out::<T, MOST_PARTS, MOST_THREADS>(parts, work);
}

/// [`each`] for parts that take long, a hundred microseconds and more: by up to 64 threads, where products and passes
/// over numbers have 16, and by the calling thread alone where that works alone.
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

/// Calls `work` with each number below `count`, as [`each`] says. What it does not need to know of the parts is compiled
/// once for either number of threads.
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

/// What is left of a thread's queue of parts: the first of them, and behind them the next queue's. On a line of the caches
/// of its own, since threads that touch others of the same line wait for each other.
#[repr(align(64))]
struct Queue(AtomicU64);

impl Queue {
    /// The queue of one of so many threads.
    fn new(thread: usize, threads: usize, parts: usize) -> Self {
        let start = |thread: usize| (thread * parts / threads) as u64;
        Self(AtomicU64::new(start(thread) << 32 | start(thread + 1)))
    }

    /// Takes the first part, if any is left.
    ///
    /// What the parts are is in their slots, whose locks order it, so `Relaxed` is enough.
    fn first(&self) -> Option<usize> {
        let rest = |queue: u64| (queue >> 32 < u64::from(queue as u32)).then(|| queue + (1 << 32));
        let queue = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest).ok()?;
        Some((queue >> 32) as usize)
    }

    /// Takes the last one.
    fn last(&self) -> Option<usize> {
        let rest = |queue: u64| (queue >> 32 < u64::from(queue as u32)).then(|| queue - 1);
        let queue = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest).ok()?;
        Some(queue as u32 as usize - 1)
    }
}

/// The results of `work(0)`, `work(1)`, … in order, worked out by several threads where there are several: pieces that
/// take long, as [`each_long`] has them. A panic in a piece goes on in the caller once all threads have ended.
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

/// The results of `work(0)`, `work(1)`, … in order, worked out by `workers` threads at most: each takes the next piece
/// when it is done with one, and cuts nothing itself. With one worker the calling thread works, and may fork.
///
/// For pieces that take seconds, such as a training: it starts threads of its own. A panic in a piece goes on in the
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
                // Where the system has no more threads, those that there are do all.
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
            // Beside others, nothing is cut.
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
