//! Files: models, checkpoints, and weights by name.
//!
//! | what | how |
//! |---|---|
//! | a whole model in one file | [`Sequential::save`](crate::nn::Sequential::save), [`load`](crate::nn::Sequential::load) |
//! | what a file says of its model: classes, notes | [`Metadata`] |
//! | which layers a file may hold | [`Registry`](crate::nn::Registry) |
//! | weights by name, as PyTorch and safetensors have them | [`StateDict`], [`Mismatches`] |
//! | a run of training, to be resumed | [`Checkpoints`](crate::train::Checkpoints) |
//! | what a rule, a metric or a callback of your own keeps in a checkpoint | [`State`], under its [`Kind`] |
//!
//! A file is written beside the old one and then renamed, so there is a whole file at any time. What is read is checked
//! before memory is taken for it.

// | file | what is in it |
// |---|---|
// | `container.rs` | the form of Plywood's files: head, description, numbers, sums |
// | `source.rs` | bytes that are read, and numbers out of them |
// | `model.rs` | models: `save`, `load` |
// | `checkpoint.rs` | a run of training, to be resumed |
// | `state_dict.rs` | parameters by name, in PyTorch's layouts: `save_weights`, `load_weights` |
// | `safetensors.rs` | the format of those files |
// | `metadata.rs` | `Metadata` |
//
// Files are written by `disk`. What a layer's bytes are is in `codec`, which layers may be in a file in `nn/registry.rs`.

pub(crate) mod checkpoint;
mod container;
mod metadata;
mod model;
mod safetensors;
mod source;
mod state_dict;

pub use crate::state::{Kind, State};
pub use metadata::Metadata;
pub use state_dict::{Mismatches, StateDict};
