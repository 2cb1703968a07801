//! Batches that are read while the one before them trains.
//!
//! A thread of its own reads, at most so many batches ahead; the thread that trains takes them in order. Batches that
//! were trained on go back to be filled again, so a run needs no more of them than were asked for.
//!
//! ```text
//! reading thread:   read 3    read 4    read 5
//!                      │ full batches, in order          ▲ used batches
//!                      ▼                                 │
//! training thread:  train 1   train 2   train 3   ───────┘
//! ```
//!
//! What is read, and in which order, is the same as without it. So are the bits.
//!
//! The thread is scoped: it has ended when the epoch has, whether by the last batch, a callback that stops, an error
//! or a panic of either side. When the training side leaves, its ends of the two channels are dropped, and the reading
//! thread finds that out at its next batch. A panic of the data set goes on in the thread that trains.

use crate::data::{Batch, Dataset, Pass};
use crate::error::Result;
use crate::pool;
use crate::scalar::Scalar;
use crate::tensor::scratch;
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::slice::Chunks;
use std::sync::mpsc::{channel, sync_channel};
use std::thread;

/// Reads batches of these positions one after the other and calls `take` with each, its number (from 0) and its
/// positions, until it breaks.
///
/// With `ahead` above 0 and more than one thread, they are read on a thread of its own. `batch` is what is read into
/// otherwise.
pub(super) fn each_batch<F: Scalar, D: Dataset<F>>(
    data: &D,
    batches: Chunks<'_, usize>,
    pass: Pass,
    ahead: usize,
    batch: &mut Batch<F, D::Target>,
    mut take: impl FnMut(usize, &[usize], &mut Batch<F, D::Target>) -> Result<ControlFlow<()>>,
) -> Result<ControlFlow<()>> {
    if ahead > 0 && pool::threads() > 1 && batches.len() > 1 {
        return read_ahead(data, batches, pass, ahead, batch, take);
    }
    for (number, indices) in batches.enumerate() {
        data.read(indices, pass, batch)?;
        if take(number, indices, batch)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The same, with a thread that reads.
fn read_ahead<F: Scalar, D: Dataset<F>>(
    data: &D,
    batches: Chunks<'_, usize>,
    pass: Pass,
    ahead: usize,
    batch: &mut Batch<F, D::Target>,
    mut take: impl FnMut(usize, &[usize], &mut Batch<F, D::Target>) -> Result<ControlFlow<()>>,
) -> Result<ControlFlow<()>> {
    thread::scope(|scope| {
        let ahead = ahead.min(batches.len());
        // Both ends live in here, so that they are dropped before the scope waits for the thread.
        let (full, filled) = sync_channel::<Result<Batch<F, D::Target>>>(ahead);
        let (used, empty) = channel::<Batch<F, D::Target>>();
        let _ = used.send(std::mem::take(batch));
        for _ in 0..ahead {
            let _ = used.send(Batch::default());
        }
        let to_read = batches.clone();
        let read = move || {
            pool::alone();
            for indices in to_read {
                let Ok(mut batch) = empty.recv() else { break };
                let result = data.read(indices, pass, &mut batch).map(|()| batch);
                let failed = result.is_err();
                if full.send(result).is_err() || failed {
                    break;
                }
            }
        };
        let reader = match thread::Builder::new().name("plywood-reader".to_owned()).spawn_scoped(scope, read)
        {
            Ok(reader) => reader,
            Err(_) => return each_batch(data, batches, pass, 0, batch, take),
        };
        for (number, indices) in batches.enumerate() {
            let Ok(result) = filled.recv() else {
                // It ends early only by a panic.
                drop(used);
                return match reader.join() {
                    Err(panic) => resume_unwind(panic),
                    Ok(()) => Ok(ControlFlow::Break(())),
                };
            };
            let mut read = result?;
            let shape = read.input.shape().to_vec();
            if take(number, indices, &mut read)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            // The model took the input over; a spare buffer of this thread goes back in its place.
            if read.input.is_empty() {
                read.input = scratch(&shape);
            }
            let _ = used.send(read);
        }
        Ok(ControlFlow::Continue(()))
    })
}
