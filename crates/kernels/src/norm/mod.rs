//! Sums, scalings and normalization over rows and over channels.

pub mod channels;
pub mod rows;
