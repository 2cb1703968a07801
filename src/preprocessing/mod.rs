//! Preprocessing that is saved with a model: from raw values to a model's inputs.
//!
//! | file | what is in it |
//! |---|---|
//! | `input.rs` | [`InputBlock`]: raw columns to a tensor |
//! | `note.rs` | [`Note`], [`Notes`]: what was filled, unknown, cut or resized |

mod input;
mod note;

pub use input::{Field, InputBlock};
pub use note::{Note, Notes, Remark};
