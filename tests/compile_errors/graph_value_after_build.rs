//! E0505
use plywood::prelude::*;

fn main() -> Result<()> {
    let g = Graph::builder();
    let x = g.input("x", [4]);
    g.output("y", x.tanh());
    let model = g.build()?;
    println!("{model} {:?}", x.shape());
    Ok(())
}
