//! Files: models, checkpoints, and weights by name.
//!
//! | what | how |
//! |---|---|
//! | a whole model in one file | [`Save::save`], [`load`], [`Sequential::load`](crate::nn::Sequential::load) |
//! | the metadata of a model file: classes, notes | [`Metadata`] |
//! | the layer types that a file may contain | [`Registry`](crate::nn::Registry) |
//! | weights by name, in the formats of PyTorch and safetensors | [`Weights`], [`StateDict`], [`Mismatches`] |
//! | a model with its preprocessing and its classes | [`Predictor`](crate::predictor::Predictor) |
//! | a training run, to be resumed | [`Checkpoints`](crate::train::Checkpoints) |
//! | the state that a custom update rule, metric or callback stores in a checkpoint | [`State`], under its [`Kind`] |
//!
//! A file is first written under a temporary name and then renamed, so there is a complete file at any time. When a
//! file is read, sizes are checked before memory is allocated for them.

// | file | what is in it |
// |---|---|
// | `container.rs` | the format of Plywood's files: head, description, numbers, checksums |
// | `source.rs` | a reader that knows how many bytes are left, and decodes numbers |
// | `save.rs`, `load.rs` | whole models |
// | `stored_model.rs` | a model in a file: its kind and its bytes |
// | `checkpoint.rs` | a training run, to be resumed |
// | `predictor.rs` | a model with the blocks before and behind it |
// | `state_dict/` | parameters by name, in PyTorch's layouts: `save_weights`, `load_weights` |
// | `safetensors.rs` | the safetensors format |
// | `metadata.rs` | `Metadata` |
//
// Files are written by `disk`. The encoding of a layer is in `codec`; `nn/registry.rs` has the layer types that a file
// may contain.

pub(crate) mod checkpoint;
mod container;
mod load;
mod metadata;
pub(crate) mod predictor;
mod safetensors;
mod save;
mod source;
mod state_dict;
mod stored_model;

pub use crate::state::{Kind, State};
pub use load::{load, load_with};
pub use metadata::Metadata;
pub use save::Save;
pub use state_dict::{Mismatches, StateDict, Weights};
