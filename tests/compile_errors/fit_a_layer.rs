//! E0308
use plywood::prelude::*;

fn main() -> Result<()> {
    let (train, _) = plywood::data::synthetic::garments(100, 10, 1)?;
    Trainer::new(CrossEntropy::default(), Adam::default()).fit(&mut ReLU, &train)?;
    Ok(())
}
