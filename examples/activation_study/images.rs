//! Loads the 70,000 images as one data set, and splits it.

use plywood::data::{Images, Subset, synthetic};
use plywood::prelude::*;
use plywood::{ErrorKind, ndarray};

/// The number of synthetic training and test images, used if the real ones are not available.
const DRAWN: (usize, usize) = (12_000, 2_000);

/// Returns training and test images together; the flag is true for synthetic ones, used if no host can be reached.
pub fn load() -> Result<(Images, bool)> {
    let (train, test, drawn) = match datasets::fashion_mnist() {
        Ok((train, test)) => (train, test, false),
        Err(error) if matches!(error.kind(), ErrorKind::Download { unreachable: true, .. }) => {
            println!("{error}\n\nNOT Fashion-MNIST: continuing with synthetic images of clothing.\n");
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

/// Splits each class into four fifths for training and one for testing.
pub fn split(data: &Images, seed: u64) -> Result<(Subset<&Images>, Subset<&Images>)> {
    stratified_split::<f32, _>(data, 0.2, seed)
}
