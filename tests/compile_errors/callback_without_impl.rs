//! E0277 `Beep` is not a callback of a trainer of `f32`
//! `impl Callback for T` is for trainers of `f32`; for those of both element types write
use plywood::prelude::*;

struct Beep;

fn main() {
    let trainer: Trainer<CrossEntropy> = Trainer::new(CrossEntropy::default(), Adam::default());
    let _ = trainer.callback(Beep);
}
