//! Load balancing: distributes the columns of a product among the threads that compute it.
//!
//! A place is a range of columns. Each thread takes the next place when it is done with one, however fast its core is.
//! A product has stages, one per block of `k` and chunk of rows. A stage may continue the sums of the one before, so
//! all places of a stage must be done before a place of the next one is begun.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The places to be distributed, numbered on from one stage to the next.
#[derive(Default)]
pub(super) struct Deal {
    taken: AtomicUsize,
    done: AtomicUsize,
}

impl Deal {
    /// Takes the next place before `end`, the end of the stage, if any is left.
    pub fn take(&self, end: usize) -> Option<usize> {
        let next = |taken| (taken < end).then(|| taken + 1);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()
    }

    /// Returns whether all places before `end` were taken.
    pub fn is_over(&self, end: usize) -> bool {
        self.taken.load(Ordering::Relaxed) >= end
    }

    /// Marks one more place as done. A thread that [waits](Deal::wait) for it sees what was written.
    pub fn done(&self) {
        self.done.fetch_add(1, Ordering::Release);
    }

    /// Returns a guard that ends the deal for all threads if this one panics before it calls
    /// [`through`](Hand::through): otherwise the others would wait for its places forever.
    pub fn hand(&self) -> Hand<'_> {
        Hand(self)
    }

    /// Waits until all places before `start` are done.
    pub fn wait(&self, start: usize) {
        let mut spins = 0u32;
        while self.done.load(Ordering::Acquire) < start {
            spins += 1;
            // With more threads than cores, the thread waited for may need this core.
            if spins.is_multiple_of(1 << 8) { std::thread::yield_now() } else { spin_loop() }
        }
    }
}

/// A thread's guard of a deal.
pub(super) struct Hand<'a>(&'a Deal);

impl Hand<'_> {
    /// Marks the thread's part as completed.
    pub fn through(self) {
        std::mem::forget(self);
    }
}

impl Drop for Hand<'_> {
    fn drop(&mut self) {
        // All is taken and done then. The product is not read, as the panic propagates to the caller.
        self.0.taken.store(usize::MAX, Ordering::Relaxed);
        self.0.done.store(usize::MAX / 2, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// After a panic no place is left, and asking for one does not overflow.
    #[test]
    fn a_deal_that_was_given_up_has_no_further_places() {
        let deal = Deal::default();
        drop(deal.hand());
        assert_eq!(deal.take(6), None);
        assert_eq!(deal.take(usize::MAX), None);
    }

    /// A thread that waits for one that has panicked continues, and the panic reaches the caller.
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
