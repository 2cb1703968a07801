//! E0277 is not a model
//! a model is what `Sequential::builder(shape).layer(…).build()?` returns, with the `?` at the end
use plywood::prelude::*;

fn main() -> Result<()> {
    let (train, _) = plywood::data::synthetic::garments(100, 10, 1)?;
    let g = Graph::builder();
    g.output("y", g.input("x", [28, 28]).layer(Flatten).layer(Dense::units(10)).softmax(-1));
    let mut model = g.build();
    Trainer::new(CrossEntropy::default(), Adam::default()).fit(&mut model, &train)?;
    Ok(())
}
