//! E0277
use plywood::prelude::*;

fn main() {
    let (g, h) = (Graph::builder(), Graph::<f64>::builder_of());
    g.output("y", g.input("x", [4]) + h.input("z", [4]));
}
