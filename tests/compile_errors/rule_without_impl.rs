//! E0277
use plywood::prelude::*;

#[derive(Debug)]
struct SignDescent;

fn main() {
    let _: Trainer<CrossEntropy> = Trainer::new(CrossEntropy::default(), SignDescent);
}
