//! A drawn data set: ten classes of garments that need no file and no network.
//!
//! What a class looks like is in `tailor.rs`, how shapes become pixels in `canvas.rs`.

use super::canvas::SIDE;
use super::tailor::Tailor;
use super::{ArrayDataset, Images};
use crate::error::{Error, Result};
use crate::random::Random;
use ndarray::Array3;

/// The names of the ten classes, in the order of their labels: those of Fashion-MNIST.
pub const CLASS_NAMES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// Draws a training set and a test set of garments: images `[samples, 28, 28]` of bytes, 0 for the background, read as
/// numbers from 0 to 1, with labels from 0 to 9 named by [`CLASS_NAMES`].
///
/// This is no copy of Fashion-MNIST and says nothing about scores there: it is made for examples, tests and machines
/// without a network. Position, size, slant, brightness, cut, pattern and noise are random, some pictures are partly
/// covered, and classes that resemble each other overlap (a shirt without visible buttons is a pullover): a network of
/// 784-128-10 neurons gets five of six test images right after ten epochs of 12,000, and none gets all.
///
/// The classes are equally frequent (as far as the count can be divided by ten) and their order is shuffled. An image
/// depends on the seed, the set, its position and its label only, and is the same to the bit on every machine.
///
/// ```
/// use plywood::garments::garments;
///
/// let (train, test) = garments(500, 100, 42)?;
/// assert_eq!(train.inputs().shape(), [500, 28, 28]);
/// assert_eq!(test.targets().len(), 100);
/// assert_eq!(test.class_names()[9], "Ankle boot");
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// # Errors
/// When there is no memory for so many images.
pub fn garments(train: usize, test: usize, seed: u64) -> Result<(Images, Images)> {
    Ok((set("training", train, seed, 0)?, set("test", test, seed, 1)?))
}

/// One of the two sets; `split` tells their random draws apart.
fn set(name: &str, count: usize, seed: u64, split: u64) -> Result<Images> {
    let random = Random::seed(seed).child("garments");
    let too_many = |_| {
        Error::argument(format!("a number of {name} images"), "a size that fits in memory", count)
            .help("Each image takes 784 bytes and its label 8; draw fewer.")
    };
    let (mut labels, mut pixels) = (Vec::new(), Vec::new());
    pixels.try_reserve_exact(count.saturating_mul(SIDE * SIDE)).map_err(too_many)?;
    labels.try_reserve_exact(count).map_err(too_many)?;
    labels.extend((0..count).map(|i| i % CLASS_NAMES.len()));
    random.child("order").at(split, 0).shuffle(&mut labels);
    for (i, &label) in labels.iter().enumerate() {
        Tailor::new(random.at(split, i as u64)).picture(label, &mut pixels);
    }
    let images = Array3::from_shape_vec((count, SIDE, SIDE), pixels).map_err(|_| {
        Error::argument(format!("a number of {name} images"), "a size that fits in memory", count)
    })?;
    Ok(ArrayDataset::new(images, labels)?.scale(1.0 / 255.0).with_class_names(CLASS_NAMES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classes_are_balanced_shuffled_and_the_same_for_a_seed() {
        let (train, test) = garments(200, 50, 7).unwrap();
        assert_eq!((train.inputs().shape(), test.inputs().shape()), (&[200, 28, 28][..], &[50, 28, 28][..]));
        for class in 0..10 {
            assert_eq!(train.targets().iter().filter(|&&l| l == class).count(), 20);
        }
        assert_ne!(train.targets()[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(train.class_names(), CLASS_NAMES);
        let again = garments(200, 50, 7).unwrap();
        assert_eq!((train.inputs(), test.inputs()), (again.0.inputs(), again.1.inputs()));
        assert_ne!(train.inputs(), garments(200, 50, 8).unwrap().0.inputs());
        assert_ne!(train.inputs().slice(ndarray::s![..50, .., ..]).into_dyn(), test.inputs().view());
    }

    #[test]
    fn every_picture_shows_something_on_a_dark_background() {
        let (train, _) = garments(1000, 0, 1).unwrap();
        for (image, label) in train.inputs().outer_iter().zip(train.targets()) {
            let mean = image.iter().map(|&p| f64::from(p)).sum::<f64>() / 784.0;
            let dark = image.iter().filter(|&&p| p < 20).count();
            assert!(mean > 2.0 && dark > 100, "class {label}: mean {mean}, {dark} dark pixels");
        }
    }

    /// Whoever changes a drawing changes every result that was reported with it: say so in the changelog.
    #[test]
    fn the_pictures_have_not_changed() {
        let (train, test) = garments(500, 100, 42).unwrap();
        let fnv = |hash: u64, &b: &u8| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
        let sums = [train, test].map(|set| set.inputs().iter().fold(0xcbf2_9ce4_8422_2325, fnv));
        assert_eq!(sums, [0x1ff9_780d_6d50_826c, 0xdb64_4f39_8b37_3832]);
    }

    #[test]
    fn any_count_is_an_answer() {
        let (train, test) = garments(0, 3, 1).unwrap();
        assert_eq!((train.targets().len(), test.targets().len()), (0, 3));
        let text = garments(usize::MAX, 0, 1).unwrap_err().to_string();
        assert!(
            text.starts_with("expected a number of training images of a size that fits in memory"),
            "{text}"
        );
    }
}
