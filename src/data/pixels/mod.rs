//! [`Pixels`]: an image in memory. [`ImageForm`] converts it to a model's input.

#[cfg(feature = "images")]
mod decode;
mod fit;
mod form;
mod resize;
mod source;

#[cfg(feature = "images")]
pub(crate) use decode::Decoding;
pub use fit::Fit;
pub(crate) use form::{Conversion, ImageForm};
pub use source::ImageSource;

use crate::error::{Error, Result};
use std::sync::Arc;

/// An image in memory: rows of pixels from top to bottom, each pixel one to four bytes.
///
/// | made by | bytes of a pixel |
/// |---|---|
/// | [`grey`](Pixels::grey) | the brightness |
/// | [`rgb`](Pixels::rgb) | red, green, blue |
/// | [`rgba`](Pixels::rgba) | red, green, blue and opacity, as in a browser's canvas |
/// | `decode`, `read` (feature `images`) | as in the PNG or JPEG file; 2 if it is grey with opacity |
///
/// ```
/// use plywood::data::Pixels;
///
/// let dot = Pixels::grey([2, 2], vec![0, 0, 0, 255])?;
/// assert_eq!((dot.height(), dot.width(), dot.channels()), (2, 2, 1));
/// let error = Pixels::rgb([2, 2], vec![0; 11]).unwrap_err().to_string();
/// assert!(error.starts_with("the image must have 12 bytes, for 2 x 2 pixels of 3, got 11"), "{error}");
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Clones share the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pixels {
    height: usize,
    width: usize,
    channels: usize,
    bytes: Arc<[u8]>,
}

impl Pixels {
    /// An image of this height and width, with one byte for each pixel: 0 is black, 255 white.
    ///
    /// # Errors
    /// When the number of bytes does not fit, or a side is 0.
    pub fn grey(size: [usize; 2], bytes: impl Into<Arc<[u8]>>) -> Result<Self> {
        Self::of(size, 1, bytes.into())
    }

    /// An image of this height and width, with red, green and blue of each pixel.
    ///
    /// # Errors
    /// As [`grey`](Pixels::grey).
    pub fn rgb(size: [usize; 2], bytes: impl Into<Arc<[u8]>>) -> Result<Self> {
        Self::of(size, 3, bytes.into())
    }

    /// An image of this height and width, with red, green, blue and opacity of each pixel: 0 is transparent, 255 opaque.
    ///
    /// # Errors
    /// As [`grey`](Pixels::grey).
    pub fn rgba(size: [usize; 2], bytes: impl Into<Arc<[u8]>>) -> Result<Self> {
        Self::of(size, 4, bytes.into())
    }

    /// `channels`: 1 grey, 2 grey and opacity, 3 RGB, 4 RGB and opacity.
    fn of([height, width]: [usize; 2], channels: usize, bytes: Arc<[u8]>) -> Result<Self> {
        let expected = height.checked_mul(width).and_then(|pixels| pixels.checked_mul(channels));
        if height == 0 || width == 0 || expected != Some(bytes.len()) {
            let size = format!("{height} x {width} pixels");
            let (expected, found) = match expected.filter(|&bytes| bytes > 0) {
                Some(expected) => {
                    (format!("have {expected} bytes, for {size} of {channels}"), bytes.len().to_string())
                }
                None => ("have a height and a width of at least 1 that fit into memory".to_owned(), size),
            };
            return Err(Error::data("the image", expected, found)
                .help("The size is the height, then the width; rows follow each other without gaps."));
        }
        Ok(Self { height, width, channels, bytes })
    }

    /// Returns the number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Returns the number of pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the number of bytes of a pixel: 1 grey, 2 grey and opacity, 3 RGB, 4 RGB and opacity.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Returns the bytes, row by row.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
