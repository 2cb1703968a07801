//! Convolution layers.
//!
//! | file | what is in it |
//! |---|---|
//! | `conv1d.rs`, `conv2d.rs` | [`Conv1d`] over sequences, [`Conv2d`] over images |
//! | `conv_nd.rs` | what both have in common: filters, and how they are made |
//! | `convolution/` | a convolution of images of one size, and how a batch is cut into tiles; its forward pass and its gradients |

mod conv1d;
mod conv2d;
mod conv_nd;
mod convolution;

pub use conv1d::{Conv1d, Conv1dSpec};
pub use conv2d::{Conv2d, Conv2dSpec};
