//! E0596
use plywood::prelude::*;

fn main() -> Result<()> {
    let (train, _) = plywood::data::synthetic::garments(100, 10, 1)?;
    let model =
        Sequential::builder([28, 28]).layer(Flatten).layer(Dense::units(10)).layer(Softmax).build()?;
    Trainer::new(CrossEntropy::default(), Adam::default()).fit(&mut model, &train)?;
    Ok(())
}
