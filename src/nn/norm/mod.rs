//! Normalization layers.
//!
//! | file | what is in it |
//! |---|---|
//! | `batch.rs` | [`BatchNorm`]: over the samples of a batch |
//! | `layer.rs`, `group.rs`, `rms.rs` | [`LayerNorm`], [`GroupNorm`], [`RMSNorm`]: over the values of one sample |
//! | `per_sample.rs` | the passes that these three share |

mod batch;
mod group;
mod layer;
mod per_sample;
mod rms;

pub use batch::{BatchNorm, BatchNormCache, BatchNormSpec};
pub use group::{GroupNorm, GroupNormSpec};
pub use layer::{LayerNorm, LayerNormSpec};
pub use per_sample::NormCache;
pub use rms::{RMSNorm, RMSNormSpec};
