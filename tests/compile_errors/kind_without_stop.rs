//! E0080 a kind of your own has a full stop in its name: `Kind::own("my_crate.name")`
use plywood::prelude::*;

const KIND: Kind = Kind::own("nodot");

fn main() {
    println!("{KIND}");
}
