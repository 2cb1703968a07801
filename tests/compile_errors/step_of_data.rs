//! E0277 is neither a model nor a layer
use plywood::prelude::*;

fn main() -> Result<()> {
    let (mut train, _) = plywood::data::synthetic::garments(100, 10, 1)?;
    Optimizer::new(SGD::default()).step(&mut train)?;
    Ok(())
}
