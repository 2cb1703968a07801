//! Deals the columns of a product to the threads that compute it.
//!
//! Each takes the next place, some columns, when it is done with one, however fast its core is. A product has stages: a block
//! of `k`, and a chunk of the rows. Those of the next stage may go on from numbers of this one, so all of a stage has to be
//! done before a place of the next is begun.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The places that are dealt, which go on from one stage to the next.
#[derive(Default)]
pub(super) struct Deal {
    taken: AtomicUsize,
    done: AtomicUsize,
}

impl Deal {
    /// Takes the next place before `end`, where the stage's are over.
    pub fn take(&self, end: usize) -> Option<usize> {
        let next = |taken| (taken < end).then_some(taken + 1);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()
    }

    /// Whether all places before `end` were taken.
    pub fn is_over(&self, end: usize) -> bool {
        self.taken.load(Ordering::Relaxed) >= end
    }

    /// One more is done. Whoever [waits](Deal::wait) for it sees what was written.
    pub fn done(&self) {
        self.done.fetch_add(1, Ordering::Release);
    }

    /// Waits until all places before `start` are done.
    pub fn wait(&self, start: usize) {
        let mut spins = 0u32;
        while self.done.load(Ordering::Acquire) < start {
            spins += 1;
            // Where there are more threads than cores, the other one may need this one to make room.
            if spins.is_multiple_of(1 << 8) { std::thread::yield_now() } else { spin_loop() }
        }
    }
}
