//! Pooling layers.
//!
//! | file | what is in it |
//! |---|---|
//! | `max.rs` | [`MaxPool1d`], [`MaxPool2d`] |
//! | `avg.rs` | [`AvgPool1d`], [`AvgPool2d`] |
//! | `adaptive.rs` | [`AdaptiveAvgPool2d`] |
//! | `global.rs` | [`GlobalAvgPool`], [`GlobalMaxPool`] |
//! | `mean_windows.rs` | means over parts of images, for average pooling and [`Upsample`](crate::nn::Upsample) |

mod adaptive;
mod avg;
mod global;
mod max;
pub(super) mod mean_windows;

pub use adaptive::AdaptiveAvgPool2d;
pub use avg::{AvgPool1d, AvgPool2d};
pub use global::{GlobalAvgPool, GlobalMaxPool, GlobalMaxPoolCache};
pub use max::{MaxPool1d, MaxPool2d, MaxPoolCache};
