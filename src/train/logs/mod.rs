//! Callbacks that write what happens in training into files.
//!
//! | file | what is in it |
//! |---|---|
//! | `lines.rs` | [`CsvLog`] and [`JsonLines`]: a line for each epoch |
//! | `tensorboard.rs` | [`TensorBoard`]: scalars, histograms and images |
//! | `event.rs` | the messages of TensorBoard's files, as protocol buffers |
//! | `record.rs` | their frames, with check sums |
//!
//! What is written goes to the system at once, an epoch as a whole: nothing waits in a buffer of the program, so a
//! program that is killed loses nothing of the epochs that ended. No file that is there is overwritten or shortened.
//! The disk is not waited for; a power cut may take what the system had not written yet.

mod event;
mod lines;
mod record;
mod tensorboard;

pub use lines::{CsvLog, JsonLines};
pub use tensorboard::TensorBoard;
