//! E0277 `f32` is not a value of a graph or a number
//! `f64::from` converts an `f32`
use plywood::prelude::*;

fn main() {
    let g = Graph::builder();
    g.output("y", g.input("x", [4]).maximum(0.5f32));
}
