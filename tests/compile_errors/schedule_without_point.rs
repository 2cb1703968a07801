//! E0277 `{integer}` is not a learning rate schedule
//! give a number with a point (`0.001`), a closure from the step to the rate, or a `plywood::optim::Schedule`
use plywood::prelude::*;

fn main() {
    let trainer: Trainer<CrossEntropy> = Trainer::new(CrossEntropy::default(), SGD::default());
    let _ = trainer.learning_rate(1);
}
