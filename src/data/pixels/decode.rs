//! Decodes PNG and JPEG images. The format is recognized by the first bytes, not by a file's name.
//!
//! ```text
//! file ── whole? ── small enough? ── 8 bits? ──> decoded ──> turned as its EXIF says
//! ```
//!
//! JPEG decoders fill the missing part of a truncated file with grey, so the end of the file is checked first. PNG
//! has checksums.

use super::Pixels;
use crate::error::{Error, Result};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

/// The most memory that one image may take while it is decoded, and the longest file: 512 MiB.
const MOST_BYTES: u64 = 1 << 29;

/// No byte of a file is decoded to more bytes: deflate makes at most 1032 of one, and a bit of a palette's index becomes
/// up to 4 bytes. JPEG has at least a bit for each block of 64 pixels.
const MOST_OF_A_BYTE: u64 = 1032 * 32;

impl Pixels {
    /// Decodes the bytes of a PNG or JPEG file (feature `images`), and turns the image as its EXIF data say.
    ///
    /// Channels remain as they are in the file: grey, grey and opacity, RGB, or RGB and opacity. Colours of a palette
    /// become RGB. A channel has 8 bits: an image of 16 bits is an error, because if it uses only a part of its range,
    /// only a few greys would remain.
    ///
    /// ```
    /// use plywood::data::Pixels;
    ///
    /// let png = [
    ///     137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0, 2, 0, 0, 0, 2, 8, 0, 0, 0, 0, 87, 221,
    ///     82, 248, 0, 0, 0, 14, 73, 68, 65, 84, 120, 218, 99, 16, 104, 96, 248, 239, 0, 0, 4, 148, 1, 208, 153, 30, 216,
    ///     14, 0, 0, 0, 0, 73, 69, 78, 68, 174, 66, 96, 130,
    /// ];
    /// let image = Pixels::decode(&png)?;
    /// assert_eq!((image.height(), image.width(), image.channels()), (2, 2, 1));
    /// let error = Pixels::decode(&png[..40]).unwrap_err().to_string();
    /// assert!(error.starts_with("the image must be a PNG or JPEG image, got an error: "), "{error}");
    /// assert_eq!(Pixels::size_in(&png)?, [2, 2]); // reads the head alone
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the bytes are no PNG or JPEG image, or the image is damaged, cut off, of more than 8 bits per channel,
    /// larger than 8,192 by 8,192 pixels or than 512 MiB, or claims more pixels than so many bytes can hold. Sizes are
    /// checked before memory is taken for pixels.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        Decoding::default().bytes(bytes)
    }

    /// Returns the height and width of a PNG or JPEG image (feature `images`), as its head states them, without decoding
    /// it: a service refuses what is too large for it before it takes memory.
    ///
    /// # Errors
    /// When the head is none of a PNG or JPEG image, or states more than 8,192 by 8,192 pixels.
    pub fn size_in(bytes: &[u8]) -> Result<[usize; 2]> {
        let decoding = Decoding::default();
        let size = decoding.reader(bytes).and_then(|reader| {
            let decoder = reader.into_decoder().map_err(|error| decoding.fault(error))?;
            let (width, height) = decoder.dimensions();
            Ok([height as usize, width as usize])
        });
        size.map_err(|fault| fault.error("the image".to_owned(), false))
    }

    /// Reads a PNG or JPEG file (feature `images`), as [`decode`](Pixels::decode).
    ///
    /// ```no_run
    /// use plywood::data::Pixels;
    ///
    /// let image = Pixels::read("new/photo.jpg")?;
    /// println!("{} by {} pixels", image.width(), image.height());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the file cannot be read, or is no file but a folder or a named pipe, and as [`decode`](Pixels::decode).
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        Decoding::default().file(path.as_ref())
    }
}

/// How images are decoded: the limit of their size, and who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoding {
    /// The greatest height and width that are decoded.
    pub(crate) largest_side: u32,
    /// The remedies in errors name the options of `ImageFolder`.
    pub(crate) in_folder: bool,
}

impl Default for Decoding {
    fn default() -> Self {
        Self { largest_side: 8_192, in_folder: false }
    }
}

impl Decoding {
    /// Decodes the bytes of a file.
    pub(crate) fn bytes(self, bytes: &[u8]) -> Result<Pixels> {
        self.decode(bytes).map_err(|fault| fault.error("the image".to_owned(), self.in_folder))
    }

    /// Reads and decodes a file.
    pub(crate) fn file(self, path: &Path) -> Result<Pixels> {
        let failed =
            |e| Error::io("read", path, e).help("Check that it is a file, and the permission to read it.");
        // Checked before opening, because opening a named pipe would block until somebody writes to it.
        if !std::fs::metadata(path).map_err(failed)?.is_file() {
            let help = if self.in_folder {
                "Take it out of the folder."
            } else {
                "Give the path of an image's file."
            };
            return Err(Error::format(path.display().to_string(), "be a file", "something else").help(help));
        }
        let file = File::open(path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(failed)?;
        self.decode(&bytes).map_err(|fault| fault.error(path.display().to_string(), self.in_folder))
    }

    /// Why the `image` crate refuses an image.
    fn fault(self, error: ImageError) -> Fault {
        let (expected, remedy) = match &error {
            ImageError::Limits(_) => {
                (format!("be an image of at most {0} by {0} pixels", self.largest_side), Remedy::Limit)
            }
            ImageError::Unsupported(_) => ("be a PNG or JPEG image".to_owned(), Remedy::Convert),
            _ => ("be a PNG or JPEG image".to_owned(), Remedy::Replace),
        };
        // `Unsupported` and `Limits` say more inside.
        let found = match error {
            ImageError::Limits(error) => format!("an error: {error}"),
            ImageError::Unsupported(error) => format!("an error: {error}"),
            error => format!("an error: {error}"),
        };
        Fault { expected, found, remedy }
    }

    /// A reader of these bytes, with the limits.
    fn reader(self, bytes: &[u8]) -> Result<ImageReader<Cursor<&[u8]>>, Fault> {
        let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
        let mut reader = reader.map_err(|error| self.fault(ImageError::IoError(error)))?;
        let mut limits = Limits::default();
        limits.max_image_width = Some(self.largest_side);
        limits.max_image_height = Some(self.largest_side);
        limits.max_alloc = Some(most_alloc(bytes));
        reader.limits(limits);
        Ok(reader)
    }

    fn decode(self, bytes: &[u8]) -> Result<Pixels, Fault> {
        let fault = |error| self.fault(error);
        let reader = self.reader(bytes)?;
        if reader.format() == Some(ImageFormat::Jpeg) && !jpeg_is_whole(bytes) {
            let (expected, found) = ("be a whole JPEG image".to_owned(), "a file that is cut off".to_owned());
            return Err(Fault { expected, found, remedy: Remedy::Replace });
        }
        let mut decoder = reader.into_decoder().map_err(fault)?;
        if decoder.total_bytes() > MOST_BYTES {
            let expected = format!("be an image that takes at most {MOST_BYTES} bytes");
            return Err(Fault { expected, found: decoder.total_bytes().to_string(), remedy: Remedy::Shrink });
        }
        if decoder.total_bytes() > MOST_OF_A_BYTE.saturating_mul(bytes.len() as u64) {
            let (width, height) = decoder.dimensions();
            let expected = format!("have the data of all its {height} x {width} pixels");
            return Err(Fault { expected, found: format!("{} bytes", bytes.len()), remedy: Remedy::Replace });
        }
        let colour = decoder.color_type();
        if colour.bytes_per_pixel() > colour.channel_count() {
            let found = format!("{} bits", 8 * colour.bytes_per_pixel() / colour.channel_count());
            let expected = "be an image of 8 bits per channel".to_owned();
            return Err(Fault { expected, found, remedy: Remedy::Scale });
        }
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let mut image = DynamicImage::from_decoder(decoder).map_err(fault)?;
        image.apply_orientation(orientation);
        let size = [image.height() as usize, image.width() as usize];
        let channels = image.color().channel_count().into();
        Pixels::of(size, channels, image.into_bytes().into()).map_err(|error| Fault {
            expected: "be a PNG or JPEG image".to_owned(),
            found: format!("an error: {error}"),
            remedy: Remedy::Convert,
        })
    }
}

/// The most memory that decoding may take. A PNG file states its size at a fixed place; what is not pixels, such as a packed colour
/// profile, gets 16 MiB.
fn most_alloc(bytes: &[u8]) -> u64 {
    let [.., w1, w2, w3, w4, h1, h2, h3, h4] = bytes.first_chunk::<24>().copied().unwrap_or_default();
    let [width, height] =
        [[w1, w2, w3, w4], [h1, h2, h3, h4]].map(|side| u64::from(u32::from_be_bytes(side)));
    match bytes.starts_with(b"\x89PNG") {
        true => width.saturating_mul(height).saturating_mul(16).saturating_add(1 << 24).min(MOST_BYTES),
        false => MOST_BYTES,
    }
}

/// Why an image is not decoded.
struct Fault {
    expected: String,
    found: String,
    remedy: Remedy,
}

enum Remedy {
    Convert,
    Replace,
    Scale,
    Limit,
    Shrink,
}

impl Fault {
    fn error(self, what: String, in_folder: bool) -> Error {
        let help = match (self.remedy, in_folder) {
            (Remedy::Convert, false) => "Convert it.",
            (Remedy::Convert, true) => {
                "Convert it, take it out of the folder, or leave such files out with `skip_faulty`."
            }
            (Remedy::Replace, false) => "Replace the file.",
            (Remedy::Replace, true) => "Replace the file, or leave such files out with `skip_faulty`.",
            (Remedy::Scale, false) => {
                "Convert it to 8 bits by the range of its numbers (12 bits of 16 would become 16 greys)."
            }
            (Remedy::Scale, true) => {
                "Convert it to 8 bits by the range of its numbers (12 bits of 16 would become 16 greys), use an \
                 `ArrayDataset` of `f32` for the numbers as they are, or leave such files out with `skip_faulty`."
            }
            (Remedy::Limit, true) => "Make it smaller, or raise `largest_side` if you trust the file.",
            (Remedy::Limit, false) | (Remedy::Shrink, _) => "Make it smaller.",
        };
        Error::format(what, self.expected, self.found).help(help)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayAlphaImage, GrayImage, LumaA, RgbImage, Rgba, RgbaImage};

    fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn channels_remain_as_they_are_in_the_file() {
        let grey = GrayImage::from_fn(3, 2, |x, y| image::Luma([(x + 10 * y) as u8]));
        let grey_alpha = GrayAlphaImage::from_fn(3, 2, |x, y| LumaA([x as u8, y as u8]));
        let rgba = RgbaImage::from_fn(3, 2, |x, y| Rgba([x as u8, y as u8, 3, 200]));
        let rgb: RgbImage = DynamicImage::from(rgba.clone()).to_rgb8();
        let images: [DynamicImage; 4] = [grey.into(), grey_alpha.into(), rgb.into(), rgba.into()];
        for (i, image) in images.into_iter().enumerate() {
            let pixels = Pixels::decode(&encoded(image.clone(), ImageFormat::Png)).unwrap();
            assert_eq!((pixels.height(), pixels.width(), pixels.channels()), (2, 3, i + 1));
            assert_eq!(pixels.bytes(), image.as_bytes());
        }
        let jpeg = encoded(GrayImage::new(8, 9), ImageFormat::Jpeg);
        assert_eq!(Pixels::decode(&jpeg).unwrap(), Pixels::grey([9, 8], vec![0; 72]).unwrap());
    }

    #[test]
    fn images_are_turned_as_their_exif_data_say() {
        let stripe = RgbImage::from_fn(16, 8, |x, _| image::Rgb([if x < 8 { 0 } else { 255 }; 3]));
        let whole = encoded(stripe, ImageFormat::Jpeg);
        // Orientation 6: to be turned by 90 degrees clockwise, so that the left side is above.
        let mut exif =
            b"\xff\xe1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0".to_vec();
        exif.extend([0; 4]);
        let bytes = [&whole[..2], &exif, &whole[2..]].concat();
        let pixels = Pixels::decode(&bytes).unwrap();
        assert_eq!((pixels.height(), pixels.width()), (16, 8));
        assert!(pixels.bytes()[0] < 50 && pixels.bytes()[3 * 8 * 16 - 1] > 200);
    }

    #[test]
    fn errors_outside_of_folders_do_not_speak_of_folders() {
        let text = |bytes: &[u8]| Pixels::decode(bytes).unwrap_err().to_string();
        let jpeg = encoded(GrayImage::new(8, 9), ImageFormat::Jpeg);
        assert_eq!(
            text(&jpeg[..jpeg.len() - 2]),
            "the image must be a whole JPEG image, got a file that is cut off. Replace the file."
        );
        let deep = image::ImageBuffer::from_pixel(2, 2, image::Luma([1u16]));
        assert_eq!(
            text(&encoded(DynamicImage::ImageLuma16(deep), ImageFormat::Png)),
            "the image must be an image of 8 bits per channel, got 16 bits. Convert it to 8 bits by the range of its \
             numbers (12 bits of 16 would become 16 greys)."
        );
        assert_eq!(
            text(&encoded(GrayImage::new(8_193, 1), ImageFormat::Png)),
            "the image must be an image of at most 8192 by 8192 pixels, got an error: Image size exceeds limit. Make \
             it smaller."
        );
        assert!(text(b"notes").ends_with(" Convert it."), "{}", text(b"notes"));
        let folder = Pixels::read(std::env::temp_dir()).unwrap_err().to_string();
        assert!(
            folder.ends_with("must be a file, got something else. Give the path of an image's file."),
            "{folder}"
        );
    }
}
