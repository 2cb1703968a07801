//! Sums, scalings and normalisation over rows and over channels.

pub mod channels;
pub mod rows;
