//! E0308
use plywood::prelude::*;

fn main() -> Result<()> {
    let (_, test) = plywood::data::synthetic::garments(100, 10, 1)?;
    println!("{}", evaluate::classification_report(&Softmax, &test)?);
    Ok(())
}
