//! What is saved where.
//!
//! | file | what is in it |
//! |---|---|
//! | `container.rs` | the form of Plywood's files: head, description, numbers, sums |
//! | `source.rs` | bytes that are read, and numbers out of them |
//! | `model.rs` | models: `save`, `load` |
//! | `checkpoint.rs` | a run of training, to be resumed |
//! | `state_dict.rs` | parameters by name, in PyTorch's layouts: `save_weights`, `load_weights` |
//! | `safetensors.rs` | the format of those files |
//! | `metadata.rs` | [`Metadata`]: the names of classes, and notes |
//!
//! Files are written by [`disk`](crate::disk). What a layer's bytes are is [`codec`](crate::codec)'s affair, and which layers may be in a file is the
//! [`Registry`](crate::Registry)'s.

pub(crate) mod checkpoint;
mod container;
mod metadata;
mod model;
mod safetensors;
mod source;
mod state_dict;

pub use metadata::Metadata;
pub use state_dict::{Mismatches, StateDict};
