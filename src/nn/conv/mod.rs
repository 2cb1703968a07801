//! Convolution layers.
//!
//! | file | what is in it |
//! |---|---|
//! | `conv1d.rs`, `conv2d.rs` | [`Conv1d`] over sequences, [`Conv2d`] over images, and the settings of their windows |
//! | `conv_nd.rs` | the common part of both: the filters, their spec, and the settings that both have |
//! | `convolution/` | a convolution of images of one size: the tiling of a batch, the forward pass and the gradients |

mod conv1d;
mod conv2d;
mod conv_nd;
mod convolution;

pub use conv1d::{Conv1d, Conv1dSpec};
pub use conv2d::{Conv2d, Conv2dSpec};
