//! E0277
use plywood::prelude::*;

#[derive(Clone, Debug)]
struct Square;

impl Layer for Square {
    const KIND: Kind = Kind::own("mycrate.square");
    type Cache = Tensor;
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(input.to_vec())
    }
    fn forward(&self, input: Tensor) -> Result<Tensor> {
        Ok(input.powi(2))
    }
    fn forward_train(&mut self, input: Tensor) -> Result<(Tensor, Tensor)> {
        Ok((input.powi(2), input))
    }
    fn backward(&mut self, input: Tensor, grad: Tensor) -> Result<Tensor> {
        Ok(grad * input * 2.0)
    }
}

fn main() {}
