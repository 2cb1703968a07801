//! Convolution and pooling.

pub mod im2col;
pub mod pooling;

pub use im2col::{BEHIND, PixelRun};
pub use pooling::{Span, Windows};
