//! The passes of optimizers over parameters.

pub mod adam;
pub mod adaptive;
pub mod update;

pub use adam::AdamStep;
pub use adaptive::{AdaStep, FreeStep, LionStep, MomentStep, RmsStep};
pub use update::SgdStep;
