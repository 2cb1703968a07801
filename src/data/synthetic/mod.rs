//! A synthetic data set: images of ten classes of clothing that need no file and no network.
//!
//! The shapes of the classes are in `draw.rs`, the rasterization in `drawing_area.rs`.
//!
//! A data set in the crate serves examples, tests and first steps: it needs no download and no licence, and has the
//! same pixels everywhere. It should be hard enough for a network to learn something, with mistakes like those on
//! Fashion-MNIST.
//!
//! Each image is drawn in three steps, from its own random numbers:
//!
//! ```text
//! 1  a place and a cut       where the garment is, how large, how slanted; lengths and widths of its parts
//! 2  convex shapes           polygons, ellipses and strokes, laid over one another from back to front
//! 3  a photograph            light from one side, a pattern, noise, sometimes a square that hides a part
//! ```
//!
//! Sample `i` of a set draws from (seed, "garments", set, `i`), so no image depends on the number of images before
//! it. Labels are assigned evenly first and then shuffled.

mod draw;
mod drawing_area;

use super::{ArrayDataset, Images};
use crate::error::{Error, Result};
use crate::random::Random;
use draw::Tailor;
use drawing_area::SIDE;
use ndarray::Array3;

/// The names of the ten classes, in the order of their labels: those of Fashion-MNIST.
///
/// The synthetic images of [`garments`] have the same classes.
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

/// Generates a training set and a test set of synthetic images of clothing: `[samples, 28, 28]` bytes, 0 for the
/// background, read as numbers from 0 to 1, with labels from 0 to 9 named by [`CLASS_NAMES`].
///
/// This is not a copy of Fashion-MNIST, and scores say nothing about scores there: the images are made for examples,
/// tests and machines without a network. Position, size, slant, brightness, cut, pattern and noise are random, some
/// images are partly covered, and similar classes overlap (a shirt without visible buttons looks like a pullover): a
/// network of 784-128-10 neurons classifies five of six test images correctly after ten epochs of 12,000, and none
/// classifies all.
///
/// The classes are equally frequent (as far as the count can be divided by ten), in shuffled order. An image depends
/// only on the seed, the set, its position and its label, and is bit-identical on every machine.
///
/// ```
/// use plywood::data::synthetic::garments;
///
/// let (train, test) = garments(500, 100, 42)?;
/// assert_eq!(train.inputs().shape(), [500, 28, 28]);
/// assert_eq!(test.targets().len(), 100);
/// assert_eq!(test.class_names()[9], "Ankle boot");
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Drawing takes some 25 µs per image; memory is 784 bytes per image and 8 for its label.
///
/// ```
/// use plywood::data::synthetic::garments;
///
/// // More pictures change neither the seed's other set nor the pixels of a picture with the same label.
/// let (_, small) = garments(10, 20, 5)?;
/// let (_, same) = garments(500, 20, 5)?;
/// assert_eq!(small.inputs(), same.inputs());
/// assert_eq!(small.targets(), same.targets());
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// # Errors
/// When there is not enough memory for the images.
pub fn garments(train: usize, test: usize, seed: u64) -> Result<(Images, Images)> {
    Ok((set("training", train, seed, 0)?, set("test", test, seed, 1)?))
}

/// Makes one of the two sets; `split` selects its random stream.
///
/// Memory is reserved before anything is drawn, so that a count that is too large is an error and does not abort.
fn set(name: &str, count: usize, seed: u64, split: u64) -> Result<Images> {
    let random = Random::seed(seed).child("garments");
    let too_many = |_| {
        Error::argument(format!("the number of {name} images"), "small enough for memory", count)
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
        Error::argument(format!("the number of {name} images"), "small enough for memory", count)
    })?;
    Ok(ArrayDataset::new(images, labels)?.scale(1.0 / 255.0).with_class_names(CLASS_NAMES))
}
