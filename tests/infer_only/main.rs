//! A program that only infers: it reads a model, which may be a graph, with a registry of four layers and predicts.
//!
//! `tests/library/infer_only.rs` runs it, and looks for symbols of training in it.

use plywood::Result;
use plywood::nn::{Dense, Flatten, Infer, InferRegistry, Predict, ReLU, Softmax};

fn main() {
    match answer() {
        Ok(text) => println!("{text}"),
        Err(error) => println!("error: {error}"),
    }
}

/// Returns the prediction for an image of zeros by the model whose path is the first argument.
fn answer() -> Result<String> {
    let path = std::env::args().nth(1).unwrap_or_default();
    let registry =
        InferRegistry::empty().with::<Flatten>().with::<Dense>().with::<ReLU>().with::<Softmax>().graphs();
    let model: Box<dyn Infer> = registry.load(path)?;
    let shape = [&[1], model.inputs()[0].shape()].concat();
    let output = model.predict(&ndarray::ArrayD::<f32>::zeros(shape))?;
    Ok(format!("{output:?}"))
}
