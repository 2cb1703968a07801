//! What may happen to an image in training.

mod augmented;
mod draw;
mod mix_up;

pub use augmented::Augmented;
pub use mix_up::MixUp;

use crate::error::{Error, Result};
use crate::random::Random;
use std::ops::RangeInclusive;

/// Random changes to images in training: mirrored, shifted, turned, cropped, partly erased. Give it to
/// [`Augmented`](crate::data::Augmented) with a data set.
///
/// Inputs are `[height, width]` or `[channels, height, width]`; all channels are changed alike. Nothing is
/// changed unless asked for.
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
/// The order in which they are named does not matter. An image is mirrored first; then rotation, crop and shift are
/// one map, so that it is interpolated once at most; then it is erased. With `c` the image's centre, `s` the crop's
/// side as a share of the image's, `o` how far its centre is from `c`, `R` the rotation and `d` the shift, the number
/// at `p` comes from
///
/// ```text
/// c + o + s · R · (p - c - d)
/// ```
///
/// bilinear between four pixels; flips and shifts alone are copied, exactly. What comes from outside of the image is
/// [`fill`](Augment::fill), 0 unless set.
///
/// What happens to a sample is a function of the seed, the epoch and the sample's position in the data set. So it
/// is the same in any order, in any batch, with any number of threads, and in a run that is resumed.
#[derive(Clone, Debug)]
pub struct Augment {
    pub(super) random: Random,
    /// Upside down, and left to right.
    pub(super) flip: [bool; 2],
    /// Pixels.
    pub(super) shift: usize,
    /// Degrees.
    pub(super) rotate: f64,
    /// The least and the greatest share of the area.
    pub(super) crop: (f64, f64),
    /// With which probability, and the least and the greatest share of the area.
    pub(super) erase: (f64, f64, f64),
    pub(super) fill: f64,
}

impl Augment {
    /// Changes that are drawn from this seed; none until some are asked for.
    ///
    /// It is a seed of its own: the model's and the trainer's may be the same number.
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

    /// Whether images are mirrored left to right, with a probability of 1/2.
    ///
    /// Not for what has a direction, as digits and letters have.
    #[must_use]
    pub fn flip_horizontal(mut self, flip: bool) -> Self {
        self.flip[1] = flip;
        self
    }

    /// Whether images are mirrored upside down, with a probability of 1/2.
    ///
    /// For images without an above and a below: cells, satellite images.
    #[must_use]
    pub fn flip_vertical(mut self, flip: bool) -> Self {
        self.flip[0] = flip;
        self
    }

    /// Shifts by up to this many pixels up or down, and by as many left or right, each with the same probability.
    ///
    /// It is the same as padding by as much on each side and cutting a random window of the image's size out of it.
    /// It must be below both sides of the image.
    #[must_use]
    pub fn shift(mut self, pixels: usize) -> Self {
        self.shift = pixels;
        self
    }

    /// Turns about the centre by up to this many degrees to either side, each angle with the same probability.
    ///
    /// From 0 to 180.
    #[must_use]
    pub fn rotate(mut self, degrees: f64) -> Self {
        self.rotate = degrees;
        self
    }

    /// Takes a part of the image, at random in size and place, and enlarges it to the full size.
    ///
    /// `area` is the part's share of the area, above 0 and at most 1: `0.6..=1.0`. Height and width keep their ratio.
    /// Corners lie on corners: of a row with `n` pixels, a part of side `s` has the places from `a` to
    /// `a + s · (n - 1)`.
    #[must_use]
    pub fn crop(mut self, area: RangeInclusive<f64>) -> Self {
        self.crop = (*area.start(), *area.end());
        self
    }

    /// Erases a rectangle, with this probability.
    ///
    /// `area` is the rectangle's share of the image's area, from 0 to 1; torchvision's default is a probability of
    /// 0.5 and `0.02..=0.33`. The ratio of its sides is between 0.3 and 3.3, uniform in the logarithm; if ten
    /// rectangles in turn do not fit, nothing is erased. Zhong, Zheng, Kang, Li and Yang, "Random erasing data
    /// augmentation", 2017 (arXiv:1708.04896), who fill it with random numbers, where this takes
    /// [`fill`](Augment::fill).
    #[must_use]
    pub fn erase(mut self, probability: f64, area: RangeInclusive<f64>) -> Self {
        self.erase = (probability, *area.start(), *area.end());
        self
    }

    /// What lies outside of an image, and where it is erased; 0 unless set.
    ///
    /// In the units of what is read, after scale and offset: for bytes with a scale of 2 / 255 and an offset of -1,
    /// black is -1.
    #[must_use]
    pub fn fill(mut self, value: f64) -> Self {
        self.fill = value;
        self
    }

    /// What can be checked without an image.
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
