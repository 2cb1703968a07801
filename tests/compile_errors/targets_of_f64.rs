//! E0277 these targets do not fit the loss
//! this loss takes targets of
//! numbers (a tensor: an array of the model's element type) go with MeanSquaredError, MeanAbsoluteError, Huber
use plywood::ndarray::Array2;
use plywood::prelude::*;

fn main() -> Result<()> {
    let data = ArrayDataset::new(Array2::<f64>::zeros((8, 3)), Array2::<f64>::zeros((8, 1)))?;
    let mut model = Sequential::builder([3]).layer(Dense::units(1)).build()?;
    Trainer::new(MeanSquaredError, Adam::default()).fit(&mut model, &data)?;
    Ok(())
}
