//! [`ImageSource`]: where an image comes from.

use super::Pixels;
use std::path::PathBuf;
use std::sync::Arc;

/// Where an image comes from. It is decoded when it is used.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ImageSource {
    /// An image in memory.
    Pixels(Pixels),
    /// The bytes of a PNG or JPEG file. They are decoded with the feature `images`.
    Bytes(Arc<[u8]>),
    /// A PNG or JPEG file. It is read with the feature `images`.
    File(PathBuf),
}
