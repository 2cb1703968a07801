//! Random changes to images in training.

mod augmented;
mod draw;
mod mix_up;

pub use augmented::Augmented;
pub use mix_up::MixUp;

use crate::error::{Error, Result};
use crate::random::Random;
use std::ops::RangeInclusive;

/// Random changes to images in training: flips, shifts, rotation, crops and erasing. Wrap a data set with them by
/// [`Augmented`](crate::data::Augmented).
///
/// Inputs are `[height, width]` or `[channels, height, width]`; all channels get the same changes. By default,
/// nothing is changed.
///
/// ```
/// use plywood::ndarray::Array3;
/// use plywood::prelude::*;
///
/// let images = ArrayDataset::new(Array3::<u8>::zeros((8, 28, 28)), vec![0; 8])?.scale(1.0 / 255.0);
/// let augment = Augment::seed(1).flip_horizontal(true).shift(2).rotate(10.0).erase(0.5, 0.02..=0.2);
/// let train = Augmented::new(images, augment)?;
/// # let _ = train;
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | here | torchvision | Keras |
/// |---|---|---|
/// | [`flip_horizontal`](Augment::flip_horizontal) | `RandomHorizontalFlip` | `RandomFlip("horizontal")` |
/// | [`flip_vertical`](Augment::flip_vertical) | `RandomVerticalFlip` | `RandomFlip("vertical")` |
/// | [`shift`](Augment::shift) | `RandomCrop(size, padding)` | `RandomTranslation` |
/// | [`rotate`](Augment::rotate) | `RandomRotation` | `RandomRotation` |
/// | [`crop`](Augment::crop) | `RandomResizedCrop(size, scale, ratio=(1, 1))` | `RandomZoom` |
/// | [`erase`](Augment::erase) | `RandomErasing(p, scale)` | `RandomErasing` |
///
/// The order of the calls does not matter. An image is flipped first; then rotation, crop and shift are applied as
/// one map, so that it is interpolated at most once; then a rectangle is erased. With `c` the image's centre, `s` the
/// crop's side as a share of the image's, `o` the offset of the crop's centre from `c`, `R` the rotation and `d` the
/// shift, the output at `p` is the input at
///
/// ```text
/// c + o + s · R · (p - c - d)
/// ```
///
/// interpolated bilinearly between four pixels. Flips and shifts alone are exact copies. Pixels from outside of the
/// image are [`fill`](Augment::fill), 0 by default.
///
/// The changes of a sample are a function of the seed, the epoch and the sample's position in the data set. So they
/// are the same in any order, in any batch, with any number of threads, and in a resumed run.
#[derive(Clone, Debug)]
pub struct Augment {
    pub(super) random: Random,
    /// Whether images may be flipped upside down, and left to right.
    pub(super) flip: [bool; 2],
    /// In pixels.
    pub(super) shift: usize,
    /// In degrees.
    pub(super) rotate: f64,
    /// The least and the greatest share of the area.
    pub(super) crop: (f64, f64),
    /// The probability, and the least and the greatest share of the area.
    pub(super) erase: (f64, f64, f64),
    pub(super) fill: f64,
}

impl Augment {
    /// Makes an augmentation without changes, whose random numbers come from this seed.
    ///
    /// The random stream is separate, so the seed may be the same number as the model's and the trainer's.
    pub fn seed(seed: u64) -> Self {
        Self {
            random: Random::seed(seed).child("augment"),
            flip: [false; 2],
            shift: 0,
            rotate: 0.0,
            crop: (1.0, 1.0),
            erase: (0.0, 0.0, 0.0),
            fill: 0.0,
        }
    }

    /// Sets whether images are flipped left to right, with a probability of 1/2.
    ///
    /// Not suitable for images with a direction, such as digits and letters.
    #[must_use]
    pub fn flip_horizontal(mut self, flip: bool) -> Self {
        self.flip[1] = flip;
        self
    }

    /// Sets whether images are flipped upside down, with a probability of 1/2.
    ///
    /// For images without a top and a bottom: cells, satellite images.
    #[must_use]
    pub fn flip_vertical(mut self, flip: bool) -> Self {
        self.flip[0] = flip;
        self
    }

    /// Shifts by up to this many pixels up or down, and by up to as many left or right, each shift with the same
    /// probability.
    ///
    /// This is the same as padding each side by as many pixels and cropping a random window of the image's size. The
    /// shift must be smaller than both sides of the image.
    #[must_use]
    pub fn shift(mut self, pixels: usize) -> Self {
        self.shift = pixels;
        self
    }

    /// Rotates about the centre by up to this many degrees in either direction, each angle with the same probability.
    ///
    /// `degrees` is from 0 to 180.
    #[must_use]
    pub fn rotate(mut self, degrees: f64) -> Self {
        self.rotate = degrees;
        self
    }

    /// Crops a part of random size and position, and enlarges it to the full size.
    ///
    /// `area` is the part's share of the area, above 0 and at most 1: `0.6..=1.0`. The aspect ratio is kept. Corners
    /// are aligned: of a row with `n` pixels, a part of side `s` is sampled from position `a` to `a + s · (n - 1)`.
    #[must_use]
    pub fn crop(mut self, area: RangeInclusive<f64>) -> Self {
        self.crop = (*area.start(), *area.end());
        self
    }

    /// Erases a rectangle with this probability.
    ///
    /// `area` is the rectangle's share of the image's area, from 0 to 1; torchvision's defaults are a probability of
    /// 0.5 and `0.02..=0.33`. The ratio of its sides is between 0.3 and 3.3, uniform in the logarithm. If ten
    /// rectangles in a row do not fit, nothing is erased. The source is Zhong, Zheng, Kang, Li and Yang, "Random
    /// erasing data augmentation", 2017 (arXiv:1708.04896); they fill the rectangle with random numbers, Plywood with
    /// the value of [`fill`](Augment::fill).
    #[must_use]
    pub fn erase(mut self, probability: f64, area: RangeInclusive<f64>) -> Self {
        self.erase = (probability, *area.start(), *area.end());
        self
    }

    /// Sets the value for pixels outside of an image and for erased rectangles; the default is 0.
    ///
    /// It is in the units of the numbers that are read, after scale and offset: for bytes with a scale of 2 / 255 and
    /// an offset of -1, black is -1.
    #[must_use]
    pub fn fill(mut self, value: f64) -> Self {
        self.fill = value;
        self
    }

    /// Checks the settings that do not depend on the image.
    pub(super) fn check(&self) -> Result<()> {
        let (rotate, crop, (probability, low, high)) = (self.rotate, self.crop, self.erase);
        if !(0.0..=180.0).contains(&rotate) {
            return Err(Error::argument("the rotation", "from 0 to 180 degrees", rotate)
                .help("It is how far images are turned at most, to either side; 10 is usual."));
        }
        if !(crop.0 > 0.0 && crop.0 <= crop.1 && crop.1 <= 1.0) {
            let found = format!("{}..={}", crop.0, crop.1);
            return Err(Error::argument("the area of a crop", "a rising range above 0 and at most 1", found)
                .help("0.6..=1.0 keeps at least 60 % of the image."));
        }
        if !(0.0..=1.0).contains(&probability) {
            return Err(Error::argument("the probability of erasing", "from 0 to 1", probability)
                .help("0.5 erases a part of every second image."));
        }
        if !(low >= 0.0 && low <= high && high <= 1.0) {
            return Err(Error::argument(
                "the erased area",
                "a rising range within 0..=1",
                format!("{low}..={high}"),
            )
            .help("0.02..=0.33 erases up to a third of the image."));
        }
        if !self.fill.is_finite() {
            return Err(Error::argument("the fill", "a finite number", self.fill)
                .help("It is the value of black in the data: 0, unless they have an offset."));
        }
        Ok(())
    }
}
