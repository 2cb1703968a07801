//! Threads.
//!
//! Threads are made for a call of [`map`] and end with it (`std::thread::scope`): there is no pool that lives on,
//! nothing to shut down, and nothing that a fork or a test could inherit. Starting a thread costs some ten
//! microseconds, so work is cut into pieces of a millisecond and more.
//!
//! The pieces are dealt out beforehand, like cards: with three threads, thread 0 works out the pieces 0, 3, 6, …,
//! thread 1 the pieces 1, 4, 7, …. No thread takes work from another, so which thread does what is no matter of
//! chance, and spare buffers (`scalar/spare.rs`) stay where they are used. The results are put back into the
//! pieces' order at the end.
//!
//! Determinism is a matter of the pieces, not of the threads: each piece is computed alone, from its number, and
//! results are combined in the pieces' order by whoever asked.

use crate::error::{Error, Result};
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The number set by [`set_threads`]; 0 where none was.
///
/// It is read for each call and has no other memory to be ordered with, so `Relaxed` is enough.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// Sets how many threads evaluation and prediction may use, in the whole process. With 1 nothing is spawned.
///
/// Without it the number is that in the environment variable `PLYWOOD_NUM_THREADS`, and without that (or where it is
/// not a number above 0) as many as the machine has cores. Results are the same to the bit for any number.
///
/// ```
/// plywood::set_threads(2)?;
/// assert_eq!(plywood::threads(), 2);
/// assert!(plywood::set_threads(0).is_err());
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// It is for the whole process, since threads are the machine's. PyTorch's `set_num_threads` and NumPy's libraries
/// read an environment variable too. A single product of matrices is not split.
///
/// A training step runs on the calling thread; evaluation, validation and prediction over a data set use all of
/// them.
///
/// # Errors
/// When the number is 0.
pub fn set_threads(threads: usize) -> Result<()> {
    if threads == 0 {
        return Err(
            Error::argument("a number of threads", "at least 1", 0).help("1 works without any others.")
        );
    }
    THREADS.store(threads, Ordering::Relaxed);
    Ok(())
}

/// How many threads are used: see [`set_threads`].
///
/// The environment and the machine are asked at the first call, and the answer is kept: a variable that changes
/// later has no effect.
///
/// ```
/// let threads = plywood::threads();
/// assert!(threads >= 1);
/// assert_eq!(plywood::threads(), threads);
/// ```
pub fn threads() -> usize {
    match THREADS.load(Ordering::Relaxed) {
        0 => {
            let threads =
                from_environment().unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZero::get));
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

/// The results of `work(0)`, `work(1)`, … in order, worked out by several threads where there are several.
///
/// The calling thread takes a share itself, so `threads - 1` are started, and none for one piece. No more threads
/// are made than there are pieces. A panic in a piece goes on in the caller once all threads have ended.
pub(crate) fn map<T: Send>(pieces: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = threads().min(pieces);
    if threads <= 1 {
        return (0..pieces).map(work).collect();
    }
    let share = |first: usize| (first..pieces).step_by(threads).map(&work).collect::<Vec<T>>();
    let mut shares: Vec<_> = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|first| scope.spawn(move || share(first))).collect();
        let own = share(0);
        let others = others.into_iter().map(|other| match other.join() {
            Ok(share) => share,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        std::iter::once(own).chain(others).map(Vec::into_iter).collect()
    });
    (0..pieces).filter_map(|piece| shares[piece % threads].next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_for_any_number_of_threads() {
        for threads in [1, 2, 3, 8] {
            set_threads(threads).unwrap();
            for pieces in [0, 1, 2, 7, 20] {
                assert_eq!(map(pieces, |i| i * i), (0..pieces).map(|i| i * i).collect::<Vec<_>>());
            }
        }
    }
}
