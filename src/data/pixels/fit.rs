//! [`Fit`]: what is done if an image's proportions are not those of the model's input.

use serde::{Deserialize, Serialize};

/// What is done if an image's proportions are not those of the model's input.
///
/// | | an image of 200 by 100 for an input of 50 by 50 |
/// |---|---|
/// | `Stretch`, the default | all of it, half as wide as it was |
/// | `Crop` | its middle, 100 by 100; what is to the left and right of it is lost |
/// | `Pad(0)` | all of it as 50 by 25, with black above and below |
///
/// Use the same one for training and predictions.
///
/// ```
/// # #[cfg(feature = "images")] {
/// use plywood::data::{Fit, ImageFolder};
///
/// let photos = ImageFolder::new("photos/train", [64, 64]).fit(Fit::Crop);
/// # let _ = photos;
/// # }
/// ```
// The order of the variants is part of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Fit {
    /// The image is stretched to the size of the input, whatever its proportions.
    #[default]
    Stretch,
    /// The largest part with the proportions of the input, from the centre, is resized: Keras'
    /// `crop_to_aspect_ratio=True`; PIL's `ImageOps.fit`, whose part may begin between two pixels.
    ///
    /// For an image of `height` and `width`, the part has the height `width · input height / input width` or all of it,
    /// and the width `height · input width / input height` or all of it, rounded down.
    Crop,
    /// The image is resized so that it fits wholly, and the borders beside it have this grey value: PIL's
    /// `ImageOps.pad`. Keras' `pad_to_aspect_ratio=True` pads before it resizes, so borders and image blend there.
    ///
    /// The shorter side is rounded to nearest. If the room that is left is odd, there is one pixel more below or to
    /// the right. An input of inverted values has inverted borders, too.
    Pad(u8),
}

/// A part of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Its first row and column.
    pub(super) from: [usize; 2],
    /// Its height and width.
    pub(super) size: [usize; 2],
}

impl Fit {
    /// Returns the part of an image of this height and width that is used for an input of the size `to`, and the part of
    /// the input that it fills.
    pub(super) fn parts(self, image: [usize; 2], to: [usize; 2]) -> [Part; 2] {
        let whole = |size| Part { from: [0; 2], size };
        match self {
            Self::Stretch => [whole(image), whole(to)],
            Self::Crop => {
                let size = [0, 1].map(|axis| scaled(image[1 - axis], to, axis, false).clamp(1, image[axis]));
                [centred(size, image), whole(to)]
            }
            Self::Pad(_) => {
                let size = [0, 1].map(|axis| scaled(to[1 - axis], image, axis, true).clamp(1, to[axis]));
                [whole(image), centred(size, to)]
            }
        }
    }
}

/// Returns the side along `axis` that belongs to a side along the other axis in these proportions, rounded down or to
/// nearest.
fn scaled(other: usize, proportions: [usize; 2], axis: usize, nearest: bool) -> usize {
    let [this, that] = [proportions[axis], proportions[1 - axis]].map(|side| side as u128);
    let product = other as u128 * this;
    let half = if nearest { that / 2 } else { 0 };
    usize::try_from((product + half) / that.max(1)).unwrap_or(usize::MAX)
}

/// Returns a part of this size in the middle.
fn centred(size: [usize; 2], of: [usize; 2]) -> Part {
    Part { from: [0, 1].map(|axis| (of[axis] - size[axis]) / 2), size }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(from: [usize; 2], size: [usize; 2]) -> Part {
        Part { from, size }
    }

    #[test]
    fn the_largest_part_of_the_right_proportions_is_from_the_centre() {
        let crop = |image, to| Fit::Crop.parts(image, to)[0];
        assert_eq!(crop([100, 201], [50, 50]), part([0, 50], [100, 100]));
        assert_eq!(crop([201, 100], [50, 50]), part([50, 0], [100, 100]));
        assert_eq!(crop([60, 80], [30, 40]), part([0, 0], [60, 80]));
        // By Keras' formulas: int(7 · 28 / 30) = 6 rows; all 7 columns.
        assert_eq!(crop([9, 7], [28, 30]), part([1, 0], [6, 7]));
        assert_eq!(crop([1, 5_000], [16_384, 1]), part([0, 2499], [1, 1]));
        assert_eq!(Fit::Crop.parts([9, 7], [28, 30])[1], part([0, 0], [28, 30]));
    }

    #[test]
    fn a_padded_image_fits_wholly_and_is_centred() {
        let pad = |image, to| Fit::Pad(0).parts(image, to)[1];
        assert_eq!(pad([100, 200], [50, 50]), part([12, 0], [25, 50]));
        assert_eq!(pad([200, 100], [50, 60]), part([0, 17], [50, 25]));
        assert_eq!(pad([20, 20], [20, 28]), part([0, 4], [20, 20]));
        assert_eq!(pad([1, 8_192], [4, 4]), part([1, 0], [1, 4]));
        assert_eq!(Fit::Pad(0).parts([9, 7], [28, 30])[0], part([0, 0], [9, 7]));
        for to in [[5, 9], [9, 5], [7, 7]] {
            for image in (1..20).flat_map(|h| (1..20).map(move |w| [h, w])) {
                let Part { size, .. } = Fit::Pad(3).parts(image, to)[1];
                assert!(size[0] == to[0] || size[1] == to[1], "{image:?} in {to:?}: {size:?}");
            }
        }
    }
}
