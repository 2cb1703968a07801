//! A custom optimizer: an update rule for one array of numbers. Everything else (state by parameter, steps, schedules,
//! clipping) is done by the crate.
//!
//! The rule is Lion (Chen and others, "Symbolic discovery of optimization algorithms", 2023, algorithm 2).

use plywood::data::synthetic;
use plywood::io::Kind;
use plywood::optim::{CosineDecay, Step, Update, UpdateRule};
use plywood::prelude::*;

/// `update = sign(β1 · m + (1 - β1) · g)`, `w -= rate · (update + decay · w)`, `m = β2 · m + (1 - β2) · g`.
#[derive(Debug)]
struct Lion {
    beta1: f64,
    beta2: f64,
    decay: f64,
}

impl<F: Scalar> UpdateRule<F> for Lion {
    fn kind(&self) -> Kind {
        const { Kind::own("examples.lion") }
    }

    fn default_learning_rate(&self) -> f64 {
        1e-4
    }

    fn slots(&self) -> usize {
        1
    }

    fn update(&self, update: Update<'_, F>, step: Step) {
        let [rate, beta1, beta2, decay] = [step.learning_rate, self.beta1, self.beta2, self.decay].map(F::of);
        let [momentum] = update.slots else { return };
        for ((w, &g), m) in update.value.iter_mut().zip(update.gradient).zip(momentum.iter_mut()) {
            let direction = beta1 * *m + (F::one() - beta1) * g;
            *w -= rate * (direction.signum() + decay * *w);
            *m = beta2 * *m + (F::one() - beta2) * g;
        }
    }
}

fn main() -> Result<()> {
    let (train, test) = synthetic::garments(3000, 600, 1)?;
    let mut model = Sequential::builder([28, 28])
        .layer(Flatten)
        .layer(Dense::units(64))
        .layer(ReLU)
        .layer(Dense::units(10))
        .layer(Softmax)
        .build()?;
    let (epochs, batch) = (8, 32);
    let steps = (epochs * 3000usize.div_ceil(batch)) as u64;
    let mut trainer = Trainer::new(CrossEntropy::default(), Lion { beta1: 0.9, beta2: 0.99, decay: 0.1 })
        .learning_rate(CosineDecay { start: 1e-3, steps })
        .epochs(epochs)
        .batch_size(batch)
        .metric(Accuracy::default());
    trainer.fit(&mut model, &train)?;
    let accuracy = trainer.evaluate(&model, &test)?.get("accuracy").unwrap_or(f64::NAN);
    println!("test accuracy on synthetic images with Lion: {accuracy:.3}");
    Ok(())
}
