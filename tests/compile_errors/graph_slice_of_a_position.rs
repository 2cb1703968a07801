//! E0277 `{integer}` is not a range of positions
//! write a range: `1..4`, `..-1`, `2..`; one position is `index_axis`
use plywood::prelude::*;

fn main() {
    let g = Graph::builder();
    g.output("y", g.input("x", [4, 2]).slice(1, 2));
}
