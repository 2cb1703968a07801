//! E0277 is not a model
//! the trait `Model<f64>` is not implemented for `plywood::nn::Sequential`
use plywood::prelude::*;

fn main() -> Result<()> {
    let data = ArrayDataset::new(plywood::ndarray::Array2::<f64>::zeros((4, 2)), vec![1; 4])?;
    let mut model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build()?;
    let mut trainer = Trainer::<_, f64>::new(CrossEntropy::default(), Adam::default());
    trainer.fit(&mut model, &data)?;
    Ok(())
}
