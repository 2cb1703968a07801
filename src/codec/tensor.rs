//! Serializes a tensor as its shape and its raw bytes: `#[serde(with = "crate::codec::tensor")]`.
//!
//! A tensor is written and read in row-major order, whatever its order in memory.

use super::{Bytes, Shape, numbers};
use crate::kernels::Scalar;
use crate::level::check_level;
use crate::tensor::{Tensor, lined, standard};
use ndarray::IxDyn;
use serde::de::{Error, SeqAccess};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::marker::PhantomData;

/// A tensor in another memory order is copied once.
pub fn serialize<F: Scalar, S: Serializer>(tensor: &Tensor<F>, serializer: S) -> Result<S::Ok, S::Error> {
    let copy;
    let values = match tensor.as_slice() {
        Some(values) => values,
        None => {
            copy = standard(tensor.clone());
            crate::tensor::slice(&copy)
        }
    };
    let shape = Shape(tensor.shape().to_vec());
    if numbers::take(values).map_err(serde::ser::Error::custom)? {
        return shape.serialize(serializer);
    }
    let mut bytes = Vec::new();
    F::write_bytes(values, &mut bytes);
    (shape, Bytes(bytes.into())).serialize(serializer)
}

/// The product of the shape is computed with a check for overflow, and compared with the numbers that are there before
/// any memory is allocated. So a damaged shape is an error and does not cause an allocation.
pub fn deserialize<'de, F: Scalar, D: Deserializer<'de>>(deserializer: D) -> Result<Tensor<F>, D::Error> {
    check_level().map_err(D::Error::custom)?;
    struct Visitor<F>(PhantomData<F>);
    impl<'de, F: Scalar> serde::de::Visitor<'de> for Visitor<F> {
        type Value = Tensor<F>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a shape and numbers")
        }
        /// For numbers that follow the shape.
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tensor<F>, A::Error> {
            let (shape, Bytes(bytes)) = match (seq.next_element::<Shape>()?, seq.next_element::<Bytes>()?) {
                (Some(Shape(shape)), Some(bytes)) => (shape, bytes),
                _ => return Err(Error::invalid_length(1, &self)),
            };
            let width = bytes.len() / size_of::<F>();
            if count(&shape) != Some(width) || !bytes.len().is_multiple_of(size_of::<F>()) {
                return Err(unfit::<F, _>(&shape, format!("{} bytes", bytes.len())));
            }
            Tensor::from_shape_vec(IxDyn(&shape), F::read_bytes(&bytes)).map(lined).map_err(Error::custom)
        }
    }
    if !numbers::apart() {
        return deserializer.deserialize_tuple(2, Visitor(PhantomData));
    }
    let Shape(shape) = Shape::deserialize(deserializer)?;
    let values = numbers::give::<F>(count(&shape)).map_err(|found| unfit::<F, _>(&shape, found))?;
    Tensor::from_shape_vec(IxDyn(&shape), values).map(lined).map_err(Error::custom)
}

/// The number of elements of a shape; `None` on overflow.
fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |count, &n| count.checked_mul(n))
}

fn unfit<F: Scalar, E: Error>(shape: &[usize], found: String) -> E {
    E::custom(format!("a tensor of shape {shape:?} in {} with {found}", F::NAME))
}
