//! E0277 is not a model
//! a model is what `Sequential::builder(shape).layer(…).build()?` returns, with the `?` at the end
use plywood::prelude::*;

fn main() -> Result<()> {
    let (_, test) = plywood::data::synthetic::garments(100, 10, 1)?;
    println!("{}", evaluate::classification_report(&Softmax, &test)?);
    Ok(())
}
