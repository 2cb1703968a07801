//! Shares for threads whose cores are of unequal speed.
//!
//! Where each thread keeps what is its own in its core's caches, work cannot change hands at every step: what a thread takes
//! over comes out of the other core's cache, and goes back with the next step. So each thread's share is learnt from how
//! long earlier ones took, and stays as it is until the speeds have clearly changed.
//!
//! What is cut where has no effect on results, only on time.

use super::{MOST_THREADS, each};
use crate::platform::Instant;
use std::array::from_fn;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// How much of what was learnt a new measurement replaces: a thread that was interrupted once changes little.
const FRESH: f64 = 1.0 / 32.0;

/// From how large a change of a share on it is used: of two threads, when one is a fifth faster than the shares say.
const CHANGED: f64 = 1.0 / 24.0;

/// The least share, as a part of an equal one: who still has work can be seen to become faster.
const LEAST: f64 = 1.0 / 4.0;

/// The rows of a thread begin at a multiple of so many.
const TOGETHER: usize = 8;

/// What is known of the threads that share work.
struct Pace {
    /// How many they are; what is known is of so many.
    threads: usize,
    /// The shares that would have each of them take the same time.
    learnt: [f64; MOST_THREADS],
    /// The shares that are used.
    used: [f64; MOST_THREADS],
}

static PACE: Mutex<Pace> =
    Mutex::new(Pace { threads: 0, learnt: [0.0; MOST_THREADS], used: [0.0; MOST_THREADS] });

impl Pace {
    /// The shares of so many threads: equal ones where nothing is known of them.
    fn used(&mut self, threads: usize) -> [f64; MOST_THREADS] {
        if self.threads != threads {
            let equal = [1.0 / threads as f64; MOST_THREADS];
            *self = Self { threads, learnt: equal, used: equal };
        }
        self.used
    }

    /// Learns from the speeds that so many threads had, if all had something to do.
    fn learn(&mut self, speeds: &[f64]) {
        let sum: f64 = speeds.iter().sum();
        if self.threads != speeds.len() || !sum.is_finite() || speeds.contains(&0.0) {
            return;
        }
        let learnt = &mut self.learnt[..speeds.len()];
        for (learnt, speed) in learnt.iter_mut().zip(speeds) {
            *learnt = (*learnt + FRESH * (speed / sum - *learnt)).max(LEAST / speeds.len() as f64);
        }
        let all: f64 = learnt.iter().sum();
        learnt.iter_mut().for_each(|share| *share /= all);
        let changed = learnt.iter().zip(&self.used).any(|(learnt, used)| (learnt - used).abs() > CHANGED);
        if changed {
            self.used = self.learnt;
        }
    }
}

/// Where each thread's rows end, of so many rows and by these shares.
fn ends(rows: usize, shares: &[f64]) -> [usize; MOST_THREADS] {
    let (mut share, mut ends) = (0.0, [rows; MOST_THREADS]);
    for (end, of_thread) in ends.iter_mut().zip(&shares[..shares.len().saturating_sub(1)]) {
        share += of_thread;
        let together = (share * rows as f64 / TOGETHER as f64).round() as usize;
        *end = rows.min(together * TOGETHER);
    }
    ends
}

/// Has rows worked on by so many threads, as many by each as it does in the same time. `cut` makes a part of the next rows.
pub fn by_pace<T: Send>(
    rows: usize,
    threads: usize,
    mut cut: impl FnMut(Range<usize>) -> T,
    work: impl Fn(T) + Sync,
) {
    let threads = threads.min(MOST_THREADS);
    if threads <= 1 {
        return work(cut(0..rows));
    }
    let turn = Turn::begin(rows, threads);
    let parts = (0..threads).map(|thread| (thread, cut(turn.rows(thread))));
    each(parts, |(thread, part)| {
        let start = Instant::now();
        work(part);
        turn.took(thread, start);
    });
    turn.end();
}

/// Rows that are worked on once: who has which, and how long it takes.
struct Turn {
    threads: usize,
    ends: [usize; MOST_THREADS],
    nanoseconds: [AtomicU64; MOST_THREADS],
}

impl Turn {
    /// Shares that fit what is known.
    fn begin(rows: usize, threads: usize) -> Self {
        let shares = PACE.lock().unwrap_or_else(PoisonError::into_inner).used(threads);
        let ends = ends(rows, &shares[..threads]);
        Self { threads, ends, nanoseconds: from_fn(|_| AtomicU64::new(0)) }
    }

    /// A thread's rows.
    fn rows(&self, thread: usize) -> Range<usize> {
        let start = if thread == 0 { 0 } else { self.ends[thread - 1] };
        start..self.ends[thread]
    }

    /// A thread that began then is done. It is read once all are, which orders it.
    fn took(&self, thread: usize, start: Instant) {
        self.nanoseconds[thread].store(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
    }

    /// Learns from it.
    fn end(self) {
        let speeds: [f64; MOST_THREADS] = from_fn(|thread| {
            let time = self.nanoseconds[thread].load(Ordering::Relaxed).max(1);
            if thread < self.threads { self.rows(thread).len() as f64 / time as f64 } else { 0.0 }
        });
        PACE.lock().unwrap_or_else(PoisonError::into_inner).learn(&speeds[..self.threads]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_its_thread() {
        for rows in [0, 1, 7, 8, 40, 784] {
            for threads in [0, 1, 2, 3, 8, 40] {
                let (mut next, seen) = (0, Mutex::new(0));
                let cut = |part: Range<usize>| {
                    assert_eq!(part.start, next);
                    next = part.end;
                    part
                };
                by_pace(rows, threads, cut, |part| *seen.lock().unwrap() += part.len());
                assert_eq!((next, seen.into_inner().unwrap()), (rows, rows));
            }
        }
    }

    #[test]
    fn shares_follow_speeds_that_last_and_no_others() {
        let mut pace = Pace { threads: 0, learnt: [0.0; MOST_THREADS], used: [0.0; MOST_THREADS] };
        let ends_now = |pace: &mut Pace| ends(784, &pace.used(2)[..2])[..2].to_vec();
        assert_eq!(ends_now(&mut pace), [392, 784], "equal at first");
        pace.learn(&[1.0, 0.01]);
        assert_eq!(ends_now(&mut pace), [392, 784], "one interruption");
        (0..100).for_each(|_| pace.learn(&[1.05, 1.0]));
        assert_eq!(ends_now(&mut pace), [392, 784], "no clear difference");
        (0..300).for_each(|_| pace.learn(&[1.5, 1.0]));
        let end = ends_now(&mut pace)[0];
        assert!((440..=480).contains(&end), "three fifths of 784 are 470, found {end}");
        pace.learn(&[f64::NAN, 1.0]);
        pace.learn(&[0.0, 0.0]);
        pace.learn(&[1.0, 1.0, 1.0]);
        assert_eq!(ends_now(&mut pace)[0], end, "nothing to learn from");
        (0..300).for_each(|_| pace.learn(&[1.0, 1.0]));
        assert!((376..=424).contains(&ends_now(&mut pace)[0]), "and back");
        (0..1000).for_each(|_| pace.learn(&[1.0, 1e-6]));
        let end = ends_now(&mut pace)[0];
        assert!(
            (680..=704).contains(&end),
            "about an eighth is left to a thread that hardly runs, found {end}"
        );
        assert_eq!(ends(90, &pace.used(3)[..3])[..3], [32, 64, 90], "others are not known yet");
    }
}
