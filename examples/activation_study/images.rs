//! The 70,000 images in one data set, and its parts.

use plywood::data::{Images, Subset, synthetic};
use plywood::prelude::*;
use plywood::{ErrorKind, ndarray};

/// How many samples are drawn where the real ones cannot be had.
const DRAWN: (usize, usize) = (12_000, 2_000);

/// Training and test images together, and whether they are drawn ones, as where no host answers.
pub fn load() -> Result<(Images, bool)> {
    let (train, test, drawn) = match datasets::fashion_mnist() {
        Ok((train, test)) => (train, test, false),
        Err(error) if matches!(error.kind(), ErrorKind::Download { unreachable: true, .. }) => {
            println!("{error}\n\nNOT Fashion-MNIST: going on with garments drawn by this program.\n");
            let (train, test) = synthetic::garments(DRAWN.0, DRAWN.1, 0)?;
            (train, test, true)
        }
        Err(error) => return Err(error),
    };
    let inputs = ndarray::concatenate(ndarray::Axis(0), &[train.inputs().view(), test.inputs().view()])
        .map_err(Error::custom)?;
    let labels = [&train.targets()[..], test.targets()].concat();
    let whole = ArrayDataset::new(inputs, labels)?.scale(1.0 / 255.0);
    Ok((whole.with_class_names(train.class_names().to_vec()), drawn))
}

/// Four fifths for training and one for testing, each class split so.
pub fn split(data: &Images, seed: u64) -> Result<(Subset<&Images>, Subset<&Images>)> {
    stratified_split::<f32, _>(data, 0.2, seed)
}
