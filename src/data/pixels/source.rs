//! [`ImageSource`]: where an image comes from.

use super::Pixels;
use crate::error::Result;
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

impl ImageSource {
    /// Returns the image, which shares its bytes with one in memory.
    ///
    /// Fails as [`Pixels::decode`] and [`Pixels::read`]; without the feature `images`, for all but images in memory.
    pub(crate) fn pixels(&self) -> Result<Pixels> {
        match self {
            Self::Pixels(pixels) => Ok(pixels.clone()),
            #[cfg(feature = "images")]
            Self::Bytes(bytes) => Pixels::decode(bytes),
            #[cfg(feature = "images")]
            Self::File(path) => Pixels::read(path),
            #[cfg(not(feature = "images"))]
            Self::Bytes(_) | Self::File(_) => {
                Err(crate::error::Error::data("the image", "be `Pixels` in this build", "a PNG or JPEG file")
                    .help("Switch Plywood's feature `images` on: it decodes such files."))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_need_the_feature_and_pixels_do_not() {
        let pixels = Pixels::grey([1, 2], vec![3, 4]).unwrap();
        assert_eq!(ImageSource::Pixels(pixels.clone()).pixels().unwrap(), pixels);
        for source in [ImageSource::Bytes(vec![1].into()), ImageSource::File("no/file.png".into())] {
            let error = source.pixels().unwrap_err().to_string();
            let without = "the image must be `Pixels` in this build, got a PNG or JPEG file. Switch Plywood's feature \
                           `images` on: it decodes such files.";
            assert_eq!(error == without, !cfg!(feature = "images"), "{error}");
        }
    }
}
