//! E0277 these targets do not fit the loss
//! this loss takes targets of
//! and the data set has `Vec<usize>`
//! class indices (`Vec<usize>`) go with CrossEntropy, Focal, Hinge, BinaryCrossEntropy and GraphLoss::classes
use plywood::prelude::*;

fn main() -> Result<()> {
    let (train, _) = plywood::data::synthetic::garments(100, 10, 1)?;
    let mut model = Sequential::builder([28, 28]).layer(Flatten).layer(Dense::units(1)).build()?;
    Trainer::new(MeanSquaredError, Adam::default()).fit(&mut model, &train)?;
    Ok(())
}
