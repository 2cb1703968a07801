//! A custom training loop, built from the same parts as `Trainer`.
//!
//! It trains two models at once. Each gives more weight to the samples on which the other is unsure (in the spirit of
//! co-teaching), which the built-in loop does not do.

use plywood::data::synthetic;
use plywood::losses::LossSum;
use plywood::prelude::*;
use plywood::train::accumulate;

fn network(seed: u64) -> Result<Sequential> {
    Sequential::builder([28, 28])
        .seed(seed)
        .layer(Flatten)
        .layer(Dense::units(64))
        .layer(ReLU)
        .layer(Dense::units(10))
        .layer(Softmax)
        .build()
}

/// Returns a weight for each sample: 1 if this model gives its true class a probability below `limit`, else 0.1.
fn unsure(model: &Sequential, batch: &Batch<f32, Vec<usize>>, limit: f32) -> Result<Vec<f32>> {
    let probabilities = model.predict(&batch.inputs[0])?;
    let weights = probabilities.outer_iter().zip(&batch.target);
    Ok(weights.map(|(row, &label)| if row[[label]] < limit { 1.0 } else { 0.1 }).collect())
}

fn main() -> Result<()> {
    let (train, test) = synthetic::garments(3000, 600, 1)?;
    let mut models = [network(1)?, network(2)?];
    let mut optimizers = [1, 2].map(|_| Optimizer::new(Adam::default()).learning_rate(2e-3).clip_norm(5.0));
    let loss = CrossEntropy::default();
    let random = Random::seed(7);
    let mut batch = Batch::default();
    for epoch in 0..5 {
        let mut order: Vec<usize> = (0..train.len()).collect();
        random.at(epoch, 0).shuffle(&mut order);
        let mut sum = LossSum::default();
        for indices in order.chunks(50) {
            train.read(indices, Pass::Train { epoch }, &mut batch)?;
            for i in 0..2 {
                let weights = unsure(&models[1 - i], &batch, 0.9)?;
                sum += accumulate(
                    &mut models[i],
                    &loss,
                    batch.inputs[0].clone(),
                    &batch.target,
                    Some(&weights),
                )?;
                optimizers[i].step(&mut models[i])?;
            }
        }
        println!("epoch {}  loss {:.4}", epoch + 1, sum.mean());
    }
    for model in &models {
        let report = evaluate::classification_report(model, &test)?;
        println!("test accuracy on synthetic images: {:.3}", report.accuracy);
    }
    Ok(())
}
