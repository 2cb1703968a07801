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
        let next = |taken| (taken < end).then(|| taken + 1);
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

    /// Has the deal end for all threads where this one panics before it says that it [came through](Hand::through): the
    /// others would wait for its places for ever.
    pub fn hand(&self) -> Hand<'_> {
        Hand(self)
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

/// A thread's part in a deal.
pub(super) struct Hand<'a>(&'a Deal);

impl Hand<'_> {
    /// The thread has done what was dealt to it.
    pub fn through(self) {
        std::mem::forget(self);
    }
}

impl Drop for Hand<'_> {
    fn drop(&mut self) {
        // All is taken, and all is done; the product is not read, as the panic goes on in whoever asked for it.
        self.0.taken.store(usize::MAX, Ordering::Relaxed);
        self.0.done.store(usize::MAX / 2, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// After a panic nothing is dealt, and to ask for it is no overflow.
    #[test]
    fn a_deal_that_was_given_up_has_no_further_places() {
        let deal = Deal::default();
        drop(deal.hand());
        assert_eq!(deal.take(6), None);
        assert_eq!(deal.take(usize::MAX), None);
    }

    /// A thread that waits for one that has panicked goes on, and the panic reaches the caller.
    #[test]
    fn a_panic_of_one_thread_keeps_no_other_waiting() {
        threads::set_threads(std::num::NonZero::new(3).unwrap());
        for bad in 0..3 {
            let deal = Deal::default();
            let result = catch_unwind(AssertUnwindSafe(|| {
                threads::fork(3, |thread| {
                    let hand = deal.hand();
                    let place = deal.take(3);
                    assert!(thread != bad, "thread {thread}");
                    place.iter().for_each(|_| deal.done());
                    deal.wait(3);
                    assert!(deal.take(6).is_none_or(|place| place >= 3));
                    hand.through();
                });
            }));
            assert!(result.is_err(), "thread {bad}");
            assert!(deal.is_over(1 << 40), "and nothing is dealt after it");
        }
    }
}
