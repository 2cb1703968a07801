//! The generic code that most programs use, instantiated once.
//!
//! With little optimization, as in a dev build of this workspace, the compiler reuses an instance of generic code from
//! a crate that already contains it. Without this file each example and each test would compile the trainer and all
//! layers again: half of their compile time. It exists only in builds with debug assertions, and is never called.

use crate::data::Images;
use crate::losses::AsTarget;
use crate::optim::UpdateRule;
use crate::prelude::*;
use ndarray::{Array2, ArrayD};

/// Instantiates a trainer for this loss and optimizer on data in memory, with and without validation.
fn train<L: Loss, R: UpdateRule>(loss: L, rule: R, model: &mut Sequential, images: &Images) -> Result<()>
where
    Vec<usize>: AsTarget<L::Target>,
{
    let mut trainer = Trainer::new(loss, rule);
    trainer.fit(model, images)?;
    trainer.fit_with_validation(model, images, images).map(drop)
}

/// Instantiates the generic code. It is never called.
///
/// # Errors
/// Never seen, as the function is never called.
pub fn instances(model: &mut Sequential, wide: &mut Sequential<f64>, images: &Images) -> Result<()> {
    train(CrossEntropy::default(), Adam::default(), model, images)?;
    train(CrossEntropy::default(), SGD::default(), model, images)?;
    let rows: ArrayDataset<f32, Array2<f32>> =
        ArrayDataset::new(Array2::zeros((1, 1)), Array2::zeros((1, 1)))?;
    Trainer::new(MeanSquaredError, SGD::default()).fit(model, &rows)?;
    let labelled: ArrayDataset<f32, Vec<usize>> = ArrayDataset::new(Array2::zeros((1, 1)), vec![0])?;
    Trainer::new(CrossEntropy::default(), Adam::default()).fit(model, &labelled)?;
    model.predict(&ArrayD::<f32>::zeros(vec![1]))?;
    wide.predict(&ArrayD::<f64>::zeros(vec![1]))?;
    let (narrow_layers, wide_layers) = (Registry::<f32>::builtin(), Registry::<f64>::builtin());
    *model = Sequential::from_bytes(&model.to_bytes()?, &narrow_layers)?;
    *wide = Sequential::from_bytes(&wide.to_bytes()?, &wide_layers)?;
    Ok(())
}
