//! How values become bytes. The one file that names `bincode`.
//!
//! Two things are settled here and nowhere else: which bytes serde's data model becomes, and how a tensor stands in
//! them. The format is bincode 2's standard one, which is specified and not tied to Rust's memory layout:
//!
//! | value | bytes |
//! |---|---|
//! | integer below 251 | 1 |
//! | integer below 2^16, 2^32, 2^64 | 251, 252 or 253, then 2, 4 or 8, lowest first |
//! | `f64` | 8, lowest first |
//! | string, bytes, sequence | the length as an integer, then the content |
//! | `Option` | 0, or 1 and the content |
//! | enum | the variant's number as an integer, then its fields |
//! | struct, tuple | the fields in order; no names |
//!
//! Since names are not stored, the order of a saved struct's fields is part of the file format. A tensor is its shape
//! and its raw numbers:
//!
//! ```text
//! rank  axis 0  axis 1  …  bytes  number 0  number 1  …          a [2, 3] tensor of f32: 1 + 2 + 1 + 24 = 28 bytes
//! ```
//!
//! Raw bytes matter: serde sees a sequence of a million numbers as a million calls, and bytes as one. Each bit of a
//! number is kept, NaN's payload and the sign of zero included.

use crate::error::{Error, Result};
use bincode::error::DecodeError;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

/// Little-endian, variable-length integers, and no more memory claimed at once than this many bytes.
///
/// The limit guards against a file that claims a length it does not have: 16 GiB is far
/// above the models that this crate is for, and a claim above it is refused before memory is asked for.
fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<{ 1 << 34 }>()
}

/// The bytes of a value.
///
/// Fails only where a `Serialize` of a user's layer does.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    bincode::serde::encode_to_vec(value, config())
        .map_err(|e| Error::format("a value", "one that can be saved", e).help("Look at its `Serialize`."))
}

/// The value of these bytes, all of them.
///
/// Bytes left over are an error like bytes missing: both mean that writer and reader disagree on the type. The error
/// names `what`, and carries the decoder's words for what it found.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    let damaged = |found: String| {
        Error::format(what, "whole and undamaged", found)
            .help("The file is truncated or corrupt, or was written by another version; save it again.")
    };
    match bincode::serde::decode_from_slice::<T, _>(bytes, config()) {
        Ok((value, read)) if read == bytes.len() => Ok(value),
        Ok((_, read)) => Err(damaged(format!("{} bytes too many", bytes.len() - read))),
        Err(DecodeError::UnexpectedEnd { additional }) => {
            Err(damaged(format!("an end {additional} bytes too early")))
        }
        Err(error) => Err(damaged(error.to_string())),
    }
}

/// Bytes that serde passes on as bytes, not as a sequence of numbers.
///
/// `Vec<u8>` by itself goes through serde as a sequence, one call for each byte.
pub(crate) struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Bytes;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            /// From a format that reads from a slice; it has to be copied.
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
            /// From bincode, which has made a `Vec` already.
            fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(bytes))
            }
            /// From a format without bytes, such as JSON, where they are a list of numbers.
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Bytes, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = seq.next_element()? {
                    bytes.push(byte);
                }
                Ok(Bytes(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Visitor)
    }
}

/// Serialises a tensor as its shape and its raw bytes: `#[serde(with = "crate::codec::tensor")]`.
///
/// Whatever order a tensor has in memory, it is written and read in row-major order.
pub(crate) mod tensor {
    use super::Bytes;
    use crate::scalar::Scalar;
    use crate::tensor::{Tensor, standard};
    use ndarray::IxDyn;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    /// A tensor in another order is copied once.
    pub fn serialize<F: Scalar, S: Serializer>(tensor: &Tensor<F>, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(tensor.len() * size_of::<F>());
        match tensor.as_slice() {
            Some(values) => F::write_bytes(values, &mut bytes),
            None => F::write_bytes(crate::tensor::slice(&standard(tensor.clone())), &mut bytes),
        }
        (tensor.shape(), Bytes(bytes)).serialize(serializer)
    }

    /// The product of the shape is taken with overflow checked and compared with the number of bytes before anything
    /// is allocated for the numbers, so a damaged shape is an error and not an attempt to allocate.
    pub fn deserialize<'de, F: Scalar, D: Deserializer<'de>>(deserializer: D) -> Result<Tensor<F>, D::Error> {
        let (shape, Bytes(bytes)) = <(Vec<usize>, Bytes)>::deserialize(deserializer)?;
        let len = shape.iter().try_fold(size_of::<F>(), |len, &n| len.checked_mul(n));
        if len != Some(bytes.len()) {
            return Err(D::Error::custom(format!(
                "a tensor of shape {shape:?} in {} with {} bytes",
                F::NAME,
                bytes.len()
            )));
        }
        Tensor::from_shape_vec(IxDyn(&shape), F::read_bytes(&bytes)).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;
    use ndarray::{ArrayD, IxDyn, ShapeBuilder};

    #[derive(Serialize, Deserialize)]
    struct Holder(#[serde(with = "tensor")] Tensor<f64>);

    #[test]
    fn a_tensor_keeps_its_bits_and_loses_its_memory_order() {
        let values = vec![1.5, f64::NAN, -0.0, f64::MIN_POSITIVE, 5.0, 6.0];
        let holder = Holder(ArrayD::from_shape_vec(IxDyn(&[2, 3]).f(), values).unwrap());
        let back: Holder = decode(&encode(&holder).unwrap(), "a tensor").unwrap();
        assert!(back.0.is_standard_layout());
        assert!(holder.0.iter().zip(&back.0).all(|(a, b)| a.to_bits() == b.to_bits()));
        assert_eq!(holder.0.shape(), back.0.shape());
    }

    #[test]
    fn every_truncation_and_a_wrong_shape_is_an_error() {
        let bytes = encode(&Holder(ArrayD::zeros(IxDyn(&[2, 2])))).unwrap();
        for cut in 0..bytes.len() {
            assert!(decode::<Holder>(&bytes[..cut], "a tensor").is_err());
        }
        let claims = encode(&((vec![usize::MAX, 2]), vec![0u8; 8])).unwrap();
        assert!(decode::<Holder>(&claims, "a tensor").is_err());
        let mut longer = bytes;
        longer.push(0);
        let text = decode::<Holder>(&longer, "the model").err().unwrap().to_string();
        assert!(text.contains("the model") && text.contains("1 bytes too many"), "{text}");
    }
}
