//! E0271
use plywood::prelude::*;

fn main() -> Result<()> {
    let model = Sequential::builder([1]).layer(Dense::units(1)).build()?;
    println!("{}", model.predict(&plywood::ndarray::arr2(&[[1.0_f64]]))?);
    Ok(())
}
