//! E0277
use plywood::prelude::*;

fn main() {
    let scale: f32 = 0.5;
    let g = Graph::builder();
    g.output("y", g.input("x", [4]) * scale);
}
