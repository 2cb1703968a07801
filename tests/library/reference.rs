//! Reference values of other libraries in JSON: how they are read, and how closely ours must agree.

use plywood::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The allowed difference: absolute for values below 1, relative above.
pub const TOLERANCE: f64 = 1e-9;

/// Returns the value at these keys. Panics if a key is missing, so that no case is skipped unnoticed.
pub fn at<'a>(value: &'a Value, keys: &[&str]) -> &'a Value {
    keys.iter().fold(value, |value, key| value.get(key).unwrap_or_else(|| panic!("no {key:?} in {keys:?}")))
}

pub fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("an array").iter().map(number).collect()
}

pub fn indices(value: &Value) -> Vec<usize> {
    numbers(value).into_iter().map(|i| i as usize).collect()
}

pub fn tensor(value: &Value) -> Tensor<f64> {
    Tensor::from_shape_vec(indices(at(value, &["shape"])), numbers(at(value, &["data"]))).expect("a tensor")
}

/// Returns the difference of two numbers as [`TOLERANCE`] measures it. Panics if it exceeds the tolerance.
pub fn agree(what: &str, found: f64, expected: f64) -> f64 {
    let deviation = (found - expected).abs() / expected.abs().max(1.0);
    assert!(deviation <= TOLERANCE, "{what}: {found:e} here, {expected:e} in the reference");
    deviation
}

/// Returns the largest difference of two tensors of the same shape.
pub fn agree_tensors(what: &str, found: &Tensor<f64>, expected: &Tensor<f64>) -> f64 {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    let pairs = found.iter().zip(expected).enumerate();
    pairs
        .map(|(i, (&found, &expected))| agree(&format!("{what}, number {i}"), found, expected))
        .fold(0.0, f64::max)
}

/// A layer that only holds parameters, and returns its input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Holder(pub Vec<Param<f64>>);

impl Layer<f64> for Holder {
    const KIND: Kind = Kind::own("test.holder");
    type Cache = ();

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(input.to_vec())
    }

    fn forward(&self, input: Tensor<f64>) -> Result<Tensor<f64>> {
        Ok(input)
    }

    fn forward_train(&mut self, input: Tensor<f64>) -> Result<(Tensor<f64>, ())> {
        Ok((input, ()))
    }

    fn backward(&mut self, (): (), grad: Tensor<f64>) -> Result<Tensor<f64>> {
        Ok(grad)
    }

    fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param<f64>)) {
        for (i, param) in self.0.iter().enumerate() {
            visit(&i.to_string(), param);
        }
    }

    fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<f64>)) {
        for (i, param) in self.0.iter_mut().enumerate() {
            visit(&i.to_string(), param);
        }
    }
}
