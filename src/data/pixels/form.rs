//! [`ImageForm`]: the form of a model's input that images are converted to.
//!
//! ```text
//! 1 transparency   (a · value + (255 - a) · background + 127) / 255, rounded down: that is, to nearest
//! 2 colours        grey = (2126 · red + 7152 · green + 722 · blue) / 10000, rounded down; RGB of grey repeats it
//! 3 part           what `Fit` chooses
//! 4 size           `resized`
//! 5 borders        what `Fit` chooses
//! 6 inversion      255 - value
//! 7 channels first
//! ```
//!
//! All of it is code of this crate, so that an input has the same bits with each version of a dependency and on each
//! platform. What does not change the bits is done in another order: parts are cut out first, grey is repeated last.

use super::Pixels;
use super::fit::{Fit, Part};
use super::resize::resized;
use crate::codec::checked;
use crate::error::{Error, Result};
use crate::kernels::Raster;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The greatest side of an input.
const LARGEST: usize = 16_384;

/// The greatest side of an image: positions are exact in `f32` up to 2^24, and a row of sums stays small.
const LARGEST_IMAGE: usize = 1 << 20;

/// The form of a model's input that images are converted to: size, channels, and how they are brought to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub(crate) struct ImageForm {
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// One channel if true, else three.
    pub(crate) grey: bool,
    pub(crate) fit: Fit,
    /// The colour behind transparent pixels.
    pub(crate) background: [u8; 3],
    /// Black becomes white.
    pub(crate) invert: bool,
}

checked!(ImageForm);

/// What was done to an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Conversion {
    /// It had another size.
    pub(crate) resized: bool,
    /// Its borders were cut off.
    pub(crate) cropped: bool,
    /// It got borders.
    pub(crate) padded: bool,
    /// It was coloured and became grey, or the other way round.
    pub(crate) converted: bool,
    /// It had pixels that are not opaque, in the part that is used.
    pub(crate) transparent: bool,
}

/// An image between two steps.
struct Canvas<'a> {
    size: [usize; 2],
    /// 1 to 4, as in [`Pixels::channels`].
    channels: usize,
    bytes: Cow<'a, [u8]>,
}

impl ImageForm {
    /// RGB of this size, stretched, with white behind transparent pixels.
    pub(crate) fn of(height: usize, width: usize) -> Self {
        Self { height, width, grey: false, fit: Fit::Stretch, background: [255; 3], invert: false }
    }

    /// Fails if a side is not from 1 to 16,384.
    pub(crate) fn check(&self) -> Result<()> {
        let usual = 1..=LARGEST;
        if usual.contains(&self.height) && usual.contains(&self.width) {
            return Ok(());
        }
        Err(Error::argument(
            "the height and width of images",
            format!("from 1 to {LARGEST}"),
            format!("{} and {}", self.height, self.width),
        )
        .help("Use the size that the model is built for: 64 by 64 is a usual first choice."))
    }

    /// Returns the number of bytes of an image.
    pub(crate) fn len(&self) -> usize {
        let channels = if self.grey { 1 } else { 3 };
        self.height.saturating_mul(self.width).saturating_mul(channels)
    }

    /// Converts an image to this form, `[height, width]` or `[3, height, width]`, and says what was done.
    ///
    /// Fails if a side of the image is above 2^20, or the form is not sound.
    pub(crate) fn convert(&self, pixels: &Pixels) -> Result<(Vec<u8>, Conversion)> {
        self.check()?;
        let [size, to] = [[pixels.height(), pixels.width()], [self.height, self.width]];
        if size.iter().any(|&side| side > LARGEST_IMAGE) {
            let expected = format!("have sides of at most {LARGEST_IMAGE} pixels");
            return Err(Error::data("the image", expected, format!("{} x {}", size[0], size[1]))
                .help("Make it smaller, or cut it into parts."));
        }
        let [part, place] = self.fit.parts(size, to);
        let mut done = Conversion {
            resized: part.size != place.size,
            cropped: part.size != size,
            padded: place.size != to,
            converted: (pixels.channels() <= 2) != self.grey,
            transparent: false,
        };
        let whole = Canvas { size, channels: pixels.channels(), bytes: pixels.bytes().into() };
        let (opaque, transparent) = whole.part(part).opaque(self.background);
        done.transparent = transparent;
        let mut image = if self.grey { opaque.grey() } else { opaque };
        if done.resized {
            let bytes = resized(&image.bytes, image.size, image.channels, place.size);
            image = Canvas { size: place.size, bytes: bytes.into(), ..image };
        }
        if let (true, Fit::Pad(border)) = (done.padded, self.fit) {
            image = image.on(border, to, place.from);
        }
        let mut planes = vec![0; self.len()];
        let flip = if self.invert { 255 } else { 0 };
        f32::to_planes(&image.bytes, image.channels, flip, &mut planes);
        Ok((planes, done))
    }
}

impl<'a> Canvas<'a> {
    /// Cuts out a part.
    fn part(self, part: Part) -> Self {
        if part.size == self.size {
            return self;
        }
        let rows = self.bytes.chunks_exact(self.size[1] * self.channels);
        let (from, len) = (part.from[1] * self.channels, part.size[1] * self.channels);
        let mut bytes = Vec::with_capacity(part.size[0] * len);
        for row in rows.skip(part.from[0]).take(part.size[0]) {
            bytes.extend_from_slice(&row[from..from + len]);
        }
        Self { size: part.size, channels: self.channels, bytes: bytes.into() }
    }

    /// Lays an image with opacity over a background. Returns also whether a pixel is not opaque.
    ///
    /// A grey image becomes RGB if the background is coloured.
    fn opaque(self, background: [u8; 3]) -> (Self, bool) {
        let channels = match self.channels {
            2 if background == [background[0]; 3] => 1,
            2 | 4 => 3,
            _ => return (self, false),
        };
        let mut bytes = vec![0; self.size[0] * self.size[1] * channels];
        let transparent = f32::lay_over(&self.bytes, [self.channels, channels], background, &mut bytes);
        (Self { size: self.size, channels, bytes: bytes.into() }, transparent)
    }

    /// The brightness of RGB; grey remains as it is.
    fn grey(self) -> Self {
        if self.channels == 1 {
            return self;
        }
        let mut bytes = vec![0; self.size[0] * self.size[1]];
        f32::brightness(&self.bytes, &mut bytes);
        Self { size: self.size, channels: 1, bytes: bytes.into() }
    }

    /// Puts the image on a larger one of this value, at a row and column.
    fn on(self, value: u8, size: [usize; 2], from: [usize; 2]) -> Self {
        let mut bytes = vec![value; size[0] * size[1] * self.channels];
        let len = self.size[1] * self.channels;
        let rows = bytes.chunks_exact_mut(size[1] * self.channels).skip(from[0]);
        for (to, row) in rows.zip(self.bytes.chunks_exact(len)) {
            to[from[1] * self.channels..][..len].copy_from_slice(row);
        }
        Self { size, channels: self.channels, bytes: bytes.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// Converts an image that can be converted.
    fn bytes(form: ImageForm, pixels: &Pixels) -> Vec<u8> {
        form.convert(pixels).unwrap().0
    }

    fn grey_form(height: usize, width: usize) -> ImageForm {
        ImageForm { grey: true, ..ImageForm::of(height, width) }
    }

    /// An image of which each byte is drawn.
    fn drawn(size: [usize; 2], channels: usize) -> Pixels {
        let mut draws = Random::seed(9).at(size[0] as u64, channels as u64);
        let bytes: Vec<u8> = (0..size[0] * size[1] * channels).map(|_| draws.below(256) as u8).collect();
        Pixels::of(size, channels, bytes.into()).unwrap()
    }

    #[test]
    fn an_image_of_the_form_is_copied() {
        let grey = drawn([28, 28], 1);
        assert_eq!(grey_form(28, 28).convert(&grey).unwrap(), (grey.bytes().to_vec(), Conversion::default()));
        let rgb = Pixels::rgb([1, 2], vec![1, 2, 3, 4, 5, 6]).unwrap();
        assert_eq!(bytes(ImageForm::of(1, 2), &rgb), [1, 4, 2, 5, 3, 6]);
        let inverted = ImageForm { invert: true, ..ImageForm::of(1, 2) };
        assert_eq!(bytes(inverted, &rgb), [254, 251, 253, 250, 252, 249]);
    }

    #[test]
    fn colours_become_grey_and_grey_becomes_rgb() {
        let rgb = Pixels::rgb([1, 4], vec![255, 0, 0, 0, 255, 0, 0, 0, 255, 7, 7, 7]).unwrap();
        let (grey, done) = grey_form(1, 4).convert(&rgb).unwrap();
        assert_eq!(
            (grey, done),
            (vec![54, 182, 18, 7], Conversion { converted: true, ..Conversion::default() })
        );
        let grey = Pixels::grey([1, 2], vec![3, 200]).unwrap();
        let (rgb, done) = ImageForm::of(1, 2).convert(&grey).unwrap();
        assert!(rgb == [3, 200, 3, 200, 3, 200] && done.converted);
    }

    #[test]
    fn transparency_is_laid_over_the_background_before_anything_else() {
        let black = Pixels::rgba([1, 3], vec![0, 0, 0, 0, 0, 0, 0, 255, 100, 150, 200, 128]).unwrap();
        let (grey, done) = grey_form(1, 3).convert(&black).unwrap();
        // 128 of 255 of the colour, and 127 of white: 177.196, 202.29 and 227.39.
        assert_eq!(
            (&grey[..], done.transparent),
            (&[255, 0, (2126 * 177 + 7152 * 202 + 722 * 227u32).div_euclid(10_000) as u8][..], true)
        );
        assert_eq!(bytes(ImageForm::of(1, 3), &black), [255, 0, 177, 255, 0, 202, 255, 0, 227]);
        let red = ImageForm { background: [255, 0, 0], ..ImageForm::of(1, 3) };
        assert_eq!(bytes(red, &black), [255, 0, 177, 0, 0, 75, 0, 0, 100]);
        // Grey and opacity, which no constructor makes, but files have.
        let faint = Pixels::of([1, 2], 2, vec![0, 0, 9, 255].into()).unwrap();
        assert_eq!(bytes(grey_form(1, 2), &faint), [255, 9]);
        assert_eq!(bytes(ImageForm { grey: true, width: 2, ..red }, &faint), [54, 9]);
        assert_eq!(bytes(ImageForm { width: 2, ..red }, &faint), [255, 9, 0, 9, 0, 9]);
        let opaque = Pixels::rgba([1, 1], vec![1, 2, 3, 255]).unwrap();
        assert_eq!(ImageForm::of(1, 1).convert(&opaque).unwrap(), (vec![1, 2, 3], Conversion::default()));
    }

    #[test]
    fn parts_are_cut_out_and_borders_are_filled() {
        let image = Pixels::grey([2, 4], vec![1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        let crop = ImageForm { fit: Fit::Crop, ..grey_form(2, 2) };
        let done = Conversion { cropped: true, ..Conversion::default() };
        assert_eq!(crop.convert(&image).unwrap(), (vec![2, 3, 6, 7], done));
        let pad = ImageForm { fit: Fit::Pad(9), ..grey_form(4, 4) };
        let done = Conversion { padded: true, ..Conversion::default() };
        let padded = vec![9, 9, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9];
        assert_eq!(pad.convert(&image).unwrap(), (padded.clone(), done));
        let (rgb, _) = ImageForm { grey: false, ..pad }.convert(&image).unwrap();
        assert_eq!(rgb, padded.repeat(3));
        let inverted = ImageForm { invert: true, ..pad };
        assert_eq!(bytes(inverted, &image)[..5], [246, 246, 246, 246, 254]);
        let (_, done) = grey_form(3, 3).convert(&image).unwrap();
        assert_eq!(done, Conversion { resized: true, ..Conversion::default() });
    }

    /// What a model was trained on must not change: if this test fails, results of saved models change.
    #[test]
    fn the_bits_of_conversions_do_not_change() {
        let mut hashes = Vec::new();
        for channels in 1..=4 {
            let image = drawn([37, 53], channels);
            for fit in [Fit::Stretch, Fit::Crop, Fit::Pad(77)] {
                for grey in [true, false] {
                    let form = ImageForm { grey, fit, background: [200, 100, 50], ..ImageForm::of(16, 24) };
                    let up = ImageForm { height: 90, width: 61, invert: true, ..form };
                    let both = [bytes(form, &image), bytes(up, &image)].concat();
                    hashes.push(crc32fast::hash(&both));
                }
            }
        }
        #[rustfmt::skip]
        let expected = [
            0xe1adb450, 0xadc5a213, 0x71c1d201, 0xf74592de, 0xa53437dd, 0xb0f403b7, // grey
            0x70414434, 0x6638b99c, 0xddd1dd79, 0xcb223832, 0xb91546a5, 0x66ed5f0d, // grey and opacity
            0x2d749545, 0xa4b1278d, 0xae2c090c, 0x222302f1, 0x6cf8d78c, 0x9fba91bc, // RGB
            0x54691eb1, 0xa4b92c73, 0x457676c2, 0x061cb786, 0x5bc8cf87, 0x9ec62dce, // RGB and opacity
        ];
        assert!(hashes == expected, "{hashes:#x?}");
    }

    #[test]
    fn forms_are_written_and_read_and_have_usual_sizes() {
        let form = ImageForm { fit: Fit::Pad(3), ..grey_form(28, 30) };
        let json = serde_json::to_string(&form).unwrap();
        assert_eq!(
            json,
            r#"{"height":28,"width":30,"grey":true,"fit":{"Pad":3},"background":[255,255,255],"invert":false}"#
        );
        assert_eq!(serde_json::from_str::<ImageForm>(&json).unwrap(), form);
        let error = serde_json::from_str::<ImageForm>(&json.replace("28", "0")).unwrap_err().to_string();
        assert!(
            error.starts_with("the height and width of images must be from 1 to 16384, got 0 and 30."),
            "{error}"
        );
        let long = Pixels::grey([1, LARGEST_IMAGE + 1], vec![0; LARGEST_IMAGE + 1]).unwrap();
        assert_eq!(
            form.convert(&long).unwrap_err().to_string(),
            "the image must have sides of at most 1048576 pixels, got 1 x 1048577. Make it smaller, or cut it into \
             parts."
        );
    }
}
