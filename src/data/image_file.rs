//! Reads one PNG or JPEG image. The format is recognized by the first bytes, not by the file's name.
//!
//! ```text
//! file ── whole? ──> decoded ── turned as its EXIF says ──> grey or RGB ──> resized ──> bytes, channels first
//! ```
//!
//! JPEG decoders fill the missing part of a truncated file with grey, so the end of the file is checked first. PNG
//! has checksums.

use crate::error::{Error, Result};
use image::imageops::{self, FilterType};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits};
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

/// The size and colours that images are converted to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) height: u32,
    pub(super) width: u32,
    /// One channel if true, else three.
    pub(super) grey: bool,
    /// The greatest height and width that are decoded.
    pub(super) largest: u32,
}

/// The most memory that one image may take while it is decoded, and the longest file: 512 MiB.
const MOST_BYTES: u64 = 1 << 29;

impl Form {
    /// Returns the number of bytes of an image.
    pub(super) fn len(self) -> usize {
        let channels = if self.grey { 1 } else { 3 };
        (self.height as usize).saturating_mul(self.width as usize).saturating_mul(channels)
    }

    /// Reads the image in a file and converts it to this form.
    pub(super) fn read(self, path: &Path) -> Result<Vec<u8>> {
        let failed =
            |e| Error::io("read", path, e).help("Check that it is a file, and the permission to read it.");
        // Checked before opening, because opening a named pipe would block until somebody writes to it.
        if !std::fs::metadata(path).map_err(failed)?.is_file() {
            return Err(Error::format(path.display().to_string(), "be a file", "something else")
                .help("Take it out of the folder."));
        }
        let file = File::open(path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(failed)?;
        self.decode(&bytes).map_err(|(expected, found, help)| {
            Error::format(path.display().to_string(), expected, found).help(help)
        })
    }

    /// Decodes an image. The error is what was expected, what was found, and what to do.
    fn decode(self, bytes: &[u8]) -> Result<Vec<u8>, (String, String, &'static str)> {
        let fault = |error: ImageError| match error {
            ImageError::Limits(error) => (
                format!("be an image of at most {0} by {0} pixels", self.largest),
                format!("an error: {error}"),
                "Make it smaller, or raise `largest_side` if you trust the file.",
            ),
            ImageError::Unsupported(error) => {
                ("be a PNG or JPEG image".to_owned(), format!("an error: {error}"), CONVERT)
            }
            error => ("be a PNG or JPEG image".to_owned(), format!("an error: {error}"), REPLACE),
        };
        let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
        let mut reader = reader.map_err(|error| fault(ImageError::IoError(error)))?;
        if reader.format() == Some(image::ImageFormat::Jpeg) && !jpeg_is_whole(bytes) {
            return Err(("be a whole JPEG image".to_owned(), "a file that is cut off".to_owned(), REPLACE));
        }
        let mut limits = Limits::default();
        limits.max_image_width = Some(self.largest);
        limits.max_image_height = Some(self.largest);
        limits.max_alloc = Some(MOST_BYTES);
        reader.limits(limits);
        let mut decoder = reader.into_decoder().map_err(fault)?;
        if decoder.total_bytes() > MOST_BYTES {
            let expected = format!("be an image that takes at most {MOST_BYTES} bytes");
            return Err((expected, decoder.total_bytes().to_string(), "Make it smaller."));
        }
        let colour = decoder.color_type();
        if colour.bytes_per_pixel() > colour.channel_count() {
            let found = format!("{} bits", 8 * colour.bytes_per_pixel() / colour.channel_count());
            return Err(("be an image of 8 bits per channel".to_owned(), found, SCALE));
        }
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let mut image = DynamicImage::from_decoder(decoder).map_err(fault)?;
        image.apply_orientation(orientation);
        Ok(self.shape(image))
    }

    /// Converts to grey or RGB, resizes, and puts the channels first.
    ///
    /// The triangle filter widens as the image is shrunk, so fine patterns average to grey and do not alias.
    fn shape(self, image: DynamicImage) -> Vec<u8> {
        if self.grey {
            let image = image.into_luma8();
            if image.dimensions() == (self.width, self.height) {
                return image.into_raw();
            }
            return imageops::resize(&image, self.width, self.height, FilterType::Triangle).into_raw();
        }
        let mut image = image.into_rgb8();
        if image.dimensions() != (self.width, self.height) {
            image = imageops::resize(&image, self.width, self.height, FilterType::Triangle);
        }
        let pixels = image.into_raw();
        (0..3).flat_map(|channel| pixels.iter().skip(channel).step_by(3).copied()).collect()
    }
}

const SCALE: &str = "Convert it to 8 bits by the range of its numbers (12 bits of 16 would become 16 greys), use \
                     an `ArrayDataset` of `f32` for the numbers as they are, or leave such files out with \
                     `skip_faulty`.";
const CONVERT: &str = "Convert it, take it out of the folder, or leave such files out with `skip_faulty`.";
const REPLACE: &str = "Replace the file, or leave such files out with `skip_faulty`.";

/// Returns whether a JPEG file is complete up to its end marker.
///
/// Segments state their length. In the data after a scan's header, the byte 255 occurs only before 0, before another
/// 255, or in a marker.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    let (mut at, mut scan) = (2, false);
    loop {
        match (bytes.get(at), bytes.get(at + 1)) {
            (Some(0xff), Some(0xd9)) => return true,
            (Some(0xff), Some(0x00 | 0x01 | 0xd0..=0xd7)) => at += 2,
            (Some(0xff), Some(0xff)) => at += 1,
            (Some(0xff), Some(&marker)) => {
                let (Some(&high), Some(&low)) = (bytes.get(at + 2), bytes.get(at + 3)) else { return false };
                at += 2 + usize::from(u16::from_be_bytes([high, low]));
                scan = marker == 0xda;
            }
            (Some(_), Some(_)) if scan => at += 1,
            _ => return false,
        }
    }
}
