//! Prefetch: batches are read while the previous ones are trained.
//!
//! A separate thread reads a limited number of batches ahead; the training thread takes them in order. Used batches are
//! returned to be filled again, so a run needs one more buffer than the number of batches that are read ahead.
//!
//! ```text
//! reading thread:   read 3    read 4    read 5
//!                      │ full batches, in order          ▲ used batches
//!                      ▼                                 │
//! training thread:  train 1   train 2   train 3   ───────┘
//! ```
//!
//! The batches and their order are the same as without prefetching, and so are the resulting bits.
//!
//! A reading thread needs a core. If a file is already in the system's memory, reading a batch is only a few copies,
//! and the core is worth more to training; if reading waits for a disk, it is the other way round. So if the data set
//! suggests prefetching, the training thread reads at first and measures the time, and a separate thread takes over
//! once reading takes more than its share ([`SHARE`]). Prefetching that the user has requested starts with the first
//! batch.
//!
//! The thread is scoped: it ends with the epoch, whether by the last batch, a callback that stops, an error or a panic
//! on either side. When the training side leaves, its ends of the two channels are dropped, which the reading thread
//! notices at its next batch. A panic of the data set is resumed in the training thread.

use crate::data::{Batch, Dataset, Pass};
use crate::error::Result;
use crate::kernels::platform::Instant;
use crate::kernels::{Scalar, threads};
use crate::tensor::{Tensor, recycle, scratch};
use ndarray::{Dimension, IxDyn};
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::slice::Chunks;
use std::sync::mpsc::{channel, sync_channel};
use std::thread;
use std::time::Duration;

/// How many batches are read ahead, and when prefetching starts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ahead {
    /// From the first batch on.
    Always(usize),
    /// Once reading takes more than [`SHARE`] of the time.
    IfItPays(usize),
}

/// The share of the time above which reading gets a thread of its own.
///
/// On two cores the thread costs training about a third of its speed, and saves the time of reading.
const SHARE: f64 = 1.0 / 3.0;

/// The number of batches that are timed before the decision; the first of them start threads and allocate memory.
const TIMED: usize = 16;

/// The callback for a batch, with its number and its positions.
type TakeBatch<'a, F, T> = dyn FnMut(usize, &[usize], &mut Batch<F, T>) -> Result<ControlFlow<()>> + 'a;

/// The batches of a pass, as positions that have not been read yet.
pub(super) struct Batches<'a, F: Scalar, T> {
    pub data: &'a dyn Dataset<F, Target = T>,
    pub positions: Chunks<'a, usize>,
    pub pass: Pass,
}

impl<F: Scalar, T: Default + Send> Batches<'_, F, T> {
    /// Reads the batches in order and calls `take` with each, its number (from 0) and its positions, until it breaks.
    ///
    /// With one thread nothing is read ahead. `batch` is the buffer while reading and training share a thread.
    pub fn each(
        mut self,
        ahead: Ahead,
        batch: &mut Batch<F, T>,
        take: &mut TakeBatch<'_, F, T>,
    ) -> Result<ControlFlow<()>> {
        let (most, judged) = match ahead {
            Ahead::Always(most) => (most, false),
            Ahead::IfItPays(most) => (most, true),
        };
        if most == 0 || threads::threads() == 1 {
            return self.one_by_one(batch, take);
        }
        let (begun, mut reading, mut number) = (Instant::now(), Duration::ZERO, 0);
        loop {
            let pays = || number >= TIMED && reading.as_secs_f64() > SHARE * begun.elapsed().as_secs_f64();
            if self.positions.len() > 1 && (!judged || pays()) {
                return self.read_ahead(most, batch, &mut |after, positions, batch| {
                    take(number + after, positions, batch)
                });
            }
            let Some(positions) = self.positions.next() else { return Ok(ControlFlow::Continue(())) };
            let start = Instant::now();
            self.data.read(positions, self.pass, batch)?;
            reading += start.elapsed();
            if take(number, positions, batch)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            number += 1;
        }
    }

    /// [`each`](Self::each) without a second thread.
    fn one_by_one(self, batch: &mut Batch<F, T>, take: &mut TakeBatch<'_, F, T>) -> Result<ControlFlow<()>> {
        for (number, positions) in self.positions.enumerate() {
            self.data.read(positions, self.pass, batch)?;
            if take(number, positions, batch)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// [`each`](Self::each) with a reading thread, from the first of these batches on.
    fn read_ahead(
        self,
        ahead: usize,
        batch: &mut Batch<F, T>,
        take: &mut TakeBatch<'_, F, T>,
    ) -> Result<ControlFlow<()>> {
        thread::scope(|scope| {
            let ahead = ahead.min(self.positions.len());
            // Both ends are local to the scope, so that they are dropped before the scope waits for the thread.
            let (full, filled) = sync_channel::<Result<Batch<F, T>>>(ahead);
            let (used, empty) = channel::<(Batch<F, T>, Vec<Tensor<F>>)>();
            let _ = used.send((std::mem::take(batch), Vec::new()));
            for _ in 0..ahead {
                let _ = used.send((Batch::default(), Vec::new()));
            }
            let (data, to_read, pass) = (self.data, self.positions.clone(), self.pass);
            let read = move || {
                threads::alone();
                for positions in to_read {
                    let Ok((mut batch, buffers)) = empty.recv() else { break };
                    buffers.into_iter().for_each(recycle); // this thread's spare buffers now
                    let result = data.read(positions, pass, &mut batch).map(|()| batch);
                    let failed = result.is_err();
                    if full.send(result).is_err() || failed {
                        break;
                    }
                }
            };
            let spawned = thread::Builder::new().name("plywood-reader".to_owned()).spawn_scoped(scope, read);
            let Ok(reader) = spawned else { return self.one_by_one(batch, take) };
            for (number, positions) in self.positions.enumerate() {
                let Ok(result) = filled.recv() else {
                    // It ends early only by a panic.
                    drop(used);
                    return match reader.join() {
                        Err(panic) => resume_unwind(panic),
                        Ok(()) => Ok(ControlFlow::Break(())),
                    };
                };
                let mut read = result?;
                let shapes: Vec<IxDyn> = read.inputs.iter().map(|input| input.raw_dim()).collect();
                if take(number, positions, &mut read)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                // The model has consumed the inputs; spare buffers of this thread go back with the batch. They are not put in
                // the place of inputs, where one that the next `read` leaves out would look as if it were filled.
                let buffers = shapes.iter().map(|shape| scratch(shape.slice())).collect();
                let _ = used.send((read, buffers));
            }
            Ok(ControlFlow::Continue(()))
        })
    }
}
