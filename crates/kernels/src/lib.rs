//! The kernels of [Plywood](https://docs.rs/plywood): loops over slices of `f32` and `f64`, products of matrices, and
//! threads.
//!
//! This is a part of Plywood that is compiled by itself, and not an interface: use `plywood`. Everything here may change
//! with each version, and each version of Plywood depends on exactly one of this crate.

#[cfg(test)]
mod draws;
#[doc(hidden)]
pub mod level;
#[doc(hidden)]
pub mod pool;
#[doc(hidden)]
pub mod scalar;

/// The optimisation that this crate was compiled with, as in `opt-level`.
#[doc(hidden)]
pub const OPT_LEVEL: &str = env!("PLYWOOD_OPT_LEVEL");
