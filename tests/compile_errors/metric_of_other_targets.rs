//! E0277 is not a metric of targets of `[usize]`
//! a metric's targets are the loss's: class indices (`[usize]`) under CrossEntropy, Focal, Hinge and
//! metrics of several labels go with `SoftBinaryCrossEntropy`, metrics of errors with losses of numbers
use plywood::prelude::*;

fn main() {
    let trainer: Trainer<CrossEntropy> = Trainer::new(CrossEntropy::default(), Adam::default());
    let _ = trainer.metric(MAE::default());
}
