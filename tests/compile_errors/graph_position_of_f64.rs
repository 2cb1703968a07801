//! E0277 `{float}` is not a size or a position
//! give an integer: `i32`, `i64`, `isize` or `usize`
use plywood::prelude::*;

fn main() {
    let g = Graph::builder();
    g.output("y", g.input("x", [4, 2]).index_axis(1, 2.0));
}
