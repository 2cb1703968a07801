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
//! A thread that reads wants a core. Where a file is in the system's memory already, reading a batch is a few copies,
//! and the core is worth more to training; where reading waits for a disk, it is the other way round. So what a data
//! set offers to have read ahead is read by the training thread at first, with a look at the clock, and by a thread of
//! its own from where reading has turned out to take more than its share ([`SHARE`]). What a user asks for is done from
//! the first batch on.
//!
//! The thread is scoped: it has ended when the epoch has, whether by the last batch, a callback that stops, an error
//! or a panic of either side. When the training side leaves, its ends of the two channels are dropped, and the reading
//! thread finds that out at its next batch. A panic of the data set goes on in the thread that trains.

use crate::data::{Batch, Dataset, Pass};
use crate::error::Result;
use crate::kernels::platform::Instant;
use crate::kernels::{Scalar, threads};
use crate::tensor::scratch;
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::slice::Chunks;
use std::sync::mpsc::{channel, sync_channel};
use std::thread;
use std::time::Duration;

/// How many batches are read ahead, and from when on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ahead {
    /// From the first batch on.
    Always(usize),
    /// Once reading has turned out to take more than [`SHARE`] of the time.
    IfItPays(usize),
}

/// The share of the time above which reading is worth a thread of its own.
///
/// On two cores the thread costs training about a third of its speed, and gains what reading took.
const SHARE: f64 = 1.0 / 3.0;

/// How many batches are timed, the first of which start threads and take memory, before reading is judged.
const TIMED: usize = 16;

/// What is done with a batch, its number and its positions.
type TakeBatch<'a, F, T> = dyn FnMut(usize, &[usize], &mut Batch<F, T>) -> Result<ControlFlow<()>> + 'a;

/// The batches of a pass, as positions that are still to be read.
pub(super) struct Batches<'a, F: Scalar, T> {
    pub data: &'a dyn Dataset<F, Target = T>,
    pub positions: Chunks<'a, usize>,
    pub pass: Pass,
}

impl<F: Scalar, T: Default + Send> Batches<'_, F, T> {
    /// Reads one after the other and calls `take` with each, its number (from 0) and its positions, until it breaks.
    ///
    /// With one thread nothing is read ahead. `batch` is what is read into where reading and training share a thread.
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

    /// The same without a second thread.
    fn one_by_one(self, batch: &mut Batch<F, T>, take: &mut TakeBatch<'_, F, T>) -> Result<ControlFlow<()>> {
        for (number, positions) in self.positions.enumerate() {
            self.data.read(positions, self.pass, batch)?;
            if take(number, positions, batch)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The same, with a thread that reads from the first of these batches on.
    fn read_ahead(
        self,
        ahead: usize,
        batch: &mut Batch<F, T>,
        take: &mut TakeBatch<'_, F, T>,
    ) -> Result<ControlFlow<()>> {
        thread::scope(|scope| {
            let ahead = ahead.min(self.positions.len());
            // Both ends live in here, so that they are dropped before the scope waits for the thread.
            let (full, filled) = sync_channel::<Result<Batch<F, T>>>(ahead);
            let (used, empty) = channel::<Batch<F, T>>();
            let _ = used.send(std::mem::take(batch));
            for _ in 0..ahead {
                let _ = used.send(Batch::default());
            }
            let (data, to_read, pass) = (self.data, self.positions.clone(), self.pass);
            let read = move || {
                threads::alone();
                for positions in to_read {
                    let Ok(mut batch) = empty.recv() else { break };
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
                let shape = read.input.shape().to_vec();
                if take(number, positions, &mut read)?.is_break() {
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
}
