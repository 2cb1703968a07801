//! The number of threads.

use crate::error::{Error, Result};
use crate::kernels::threads;
use std::num::NonZero;
use std::sync::{Mutex, PoisonError};

/// Sets how many threads training, evaluation and prediction may use in the whole process. With 1, no threads are
/// spawned.
///
/// The default is the value of the environment variable `PLYWOOD_NUM_THREADS`; if it is not set, or is not a number
/// above 0, the number of the machine's cores. Results are bit-for-bit the same for any number of threads.
///
/// ```
/// plywood::set_threads(2)?;
/// assert_eq!(plywood::threads(), 2);
/// assert!(plywood::set_threads(0).is_err());
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The setting is global because the threads are shared by the whole process. PyTorch's `set_num_threads` and NumPy's
/// libraries also read an environment variable.
///
/// At most 16 threads share one product or one pass over numbers, and at most 64 a prediction or an evaluation; a
/// larger number has no further effect.
/// Threads are started when they are first needed. They stay awake for 50 µs after their last work, so that the next
/// step need not wake them, and then sleep. On a platform without threads (`wasm32-unknown-unknown`) any number is
/// accepted and one thread is used.
///
/// # Errors
/// If the number is 0.
pub fn set_threads(threads: usize) -> Result<()> {
    let threads = NonZero::new(threads).ok_or_else(|| {
        Error::argument("the number of threads", "at least 1", 0)
            .help("With 1 the calling thread works alone.")
    })?;
    threads::set_threads(threads);
    Ok(())
}

/// Returns the number of threads in use: see [`set_threads`].
///
/// The environment variable and the number of cores are read at the first call and then kept: later changes of the
/// variable have no effect.
///
/// ```
/// let threads = plywood::threads();
/// assert!(threads >= 1);
/// assert_eq!(plywood::threads(), threads);
/// ```
pub fn threads() -> usize {
    threads::threads()
}

/// Runs `work` on the parts in parallel, and returns the error of the first part that has one.
///
/// All inference runs through it, from the prediction of an array to the evaluation of a data set, and so does the
/// reading of batches from a file. The caller decides how to cut the samples into parts; a sample's result does not
/// depend on it.
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
