//! E0308
use plywood::prelude::*;

fn main() -> Result<()> {
    let (train, test) = plywood::data::synthetic::garments(100, 10, 1)?;
    let mut trainer = Trainer::new(CrossEntropy::default(), Adam::default());
    println!("{}", trainer.evaluate(&train, &test)?.loss);
    Ok(())
}
