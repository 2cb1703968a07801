//! Layers that are random in training and do nothing at inference.

mod dropout;
mod dropout2d;
mod gaussian_noise;

pub use dropout::{Dropout, DropoutSpec};
pub use dropout2d::{Dropout2d, Dropout2dSpec};
pub use gaussian_noise::{GaussianNoise, GaussianNoiseSpec};
