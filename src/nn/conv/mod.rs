//! Convolution layers.
//!
//! | file | what is in it |
//! |---|---|
//! | `conv1d.rs`, `conv2d.rs` | [`Conv1d`] over sequences, [`Conv2d`] over images: what they are, and settings of the window |
//! | `conv_nd.rs` | the layer that both are: filters, how they are made, and the settings that both have |
//! | `convolution/` | a convolution of images of one size, and how a batch is cut into tiles; its forward pass and its gradients |

mod conv1d;
mod conv2d;
mod conv_nd;
mod convolution;

pub use conv1d::{Conv1d, Conv1dSpec};
pub use conv2d::{Conv2d, Conv2dSpec};
