//! E0308
use plywood::prelude::*;

fn main() {
    let g = Graph::builder();
    let x = g.input("x", [4]);
    g.output(x.tanh(), "y");
}
