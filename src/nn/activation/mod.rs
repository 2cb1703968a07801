//! Activation layers.
//!
//! | file | what is in it |
//! |---|---|
//! | `basic.rs` | [`ReLU`], [`LeakyReLU`], [`Sigmoid`], [`Tanh`], and the macro that implements them |
//! | `piecewise.rs` | [`ReLU6`], [`HardSigmoid`], [`HardSwish`], [`ELU`], [`SELU`] |
//! | `smooth.rs` | [`GELU`], [`SiLU`], [`Mish`], [`Softplus`], [`Softsign`] |
//! | `prelu.rs` | [`PReLU`], with a learned slope |
//! | `softmax.rs`, `log_softmax.rs` | [`Softmax`] and [`LogSoftmax`] over the last axis |

mod basic;
mod log_softmax;
mod piecewise;
mod prelu;
mod smooth;
mod softmax;

pub use basic::{LeakyReLU, ReLU, ReLUCache, Sigmoid, Tanh};
pub use log_softmax::LogSoftmax;
pub use piecewise::{ELU, HardSigmoid, HardSwish, ReLU6, SELU};
pub use prelu::{PReLU, PReLUSpec};
pub use smooth::{GELU, Mish, SiLU, Softplus, Softsign};
pub use softmax::Softmax;
