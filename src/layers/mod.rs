//! The crate's layers, a file each, and the container.

mod activation;
mod batch_norm;
mod builder;
mod dense;
mod dropout;
mod reshape;
mod sequential;
mod softmax;
mod summary;

pub use activation::{LeakyReLU, ReLU, Sigmoid, Tanh};
pub use batch_norm::{BatchNorm, BatchNormCache, BatchNormSpec};
pub use builder::SequentialBuilder;
pub use dense::{Dense, DenseSpec};
pub use dropout::{Dropout, DropoutSpec};
pub use reshape::{Flatten, Reshape};
pub use sequential::{Sequential, SequentialCache};
pub use softmax::Softmax;

use crate::layer::registry::Registry;
use crate::scalar::Scalar;

impl<F: Scalar> Registry<F> {
    /// A registry with every layer of this crate.
    pub fn builtin() -> Self {
        Self::empty()
            .with::<BatchNorm<F>>()
            .with::<Dense<F>>()
            .with::<Dropout>()
            .with::<Flatten>()
            .with::<LeakyReLU>()
            .with::<ReLU>()
            .with::<Reshape>()
            .with::<Sequential<F>>()
            .with::<Sigmoid>()
            .with::<Softmax>()
            .with::<Tanh>()
    }
}
