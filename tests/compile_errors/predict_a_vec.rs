//! E0308
use plywood::prelude::*;

fn main() -> Result<()> {
    let model = Sequential::builder([1]).layer(Dense::units(1)).build()?;
    println!("{}", model.predict(&vec![1.0])?);
    Ok(())
}
