//! How many threads are used.

use crate::error::{Error, Result};
use crate::kernels::threads;
use std::num::NonZero;
use std::sync::{Mutex, PoisonError};

/// Sets how many threads training, evaluation and prediction may use, in the whole process. With 1 nothing is spawned.
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
/// read an environment variable too.
///
/// One product or one pass over numbers is shared by at most 16 threads, a prediction or an evaluation by at most 64; a
/// larger number changes nothing.
///
/// Threads are started when they are first needed. They stay awake for 50 µs after their last work, so that the next
/// step finds them awake, and sleep after that. Where the platform has no threads (`wasm32-unknown-unknown`), any number is
/// taken and one is used.
///
/// # Errors
/// When the number is 0.
pub fn set_threads(threads: usize) -> Result<()> {
    let threads = NonZero::new(threads).ok_or_else(|| {
        Error::argument("the number of threads", "at least 1", 0)
            .help("With 1 the calling thread works alone.")
    })?;
    threads::set_threads(threads);
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
    threads::threads()
}

/// Works on parts of the samples side by side, and returns the error of the first part that has one.
///
/// It is what every inference runs by, a prediction of an array as an evaluation of a data set. Parts are cut by whoever
/// calls, since a sample's numbers do not depend on it.
pub(crate) fn try_each<T: Send>(
    parts: impl Iterator<Item = T>,
    work: impl Fn(T) -> Result<()> + Sync,
) -> Result<()> {
    let first_error = Mutex::new(None::<(usize, Error)>);
    threads::each_long(parts.enumerate(), |(i, part)| {
        if let Err(error) = work(part) {
            let mut first = first_error.lock().unwrap_or_else(PoisonError::into_inner);
            if first.as_ref().is_none_or(|(known, _)| i < *known) {
                *first = Some((i, error));
            }
        }
    });
    let first = first_error.into_inner().unwrap_or_else(PoisonError::into_inner);
    first.map_or(Ok(()), |(_, error)| Err(error))
}
