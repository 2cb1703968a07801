//! E0277 is not a model
//! a model is what `Sequential::builder(shape).layer(…).build()?` returns, with the `?` at the end
use plywood::prelude::*;

fn main() -> Result<()> {
    let (train, test) = plywood::data::synthetic::garments(100, 10, 1)?;
    let mut trainer = Trainer::new(CrossEntropy::default(), Adam::default());
    println!("{}", trainer.evaluate(&train, &test)?.loss);
    Ok(())
}
