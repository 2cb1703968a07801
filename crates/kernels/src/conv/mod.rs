//! Convolution, pooling, and images in other sizes.

pub mod blend;
pub mod im2col;
pub mod pooling;

pub use blend::Between;
pub use im2col::{BEHIND, PixelRun};
pub use pooling::{Span, Windows};
