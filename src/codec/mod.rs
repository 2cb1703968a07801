//! The binary encoding of values. Only this file uses `bincode`.
//!
//! It defines the bytes of serde's data model and the encoding of tensors. The format is bincode 2's standard one,
//! which is specified and independent of Rust's memory layout:
//!
//! | value | bytes |
//! |---|---|
//! | integer below 251 | 1 |
//! | integer below 2^16, 2^32, 2^64 | 251, 252 or 253, then 2, 4 or 8, little-endian |
//! | `f64` | 8, little-endian |
//! | string, bytes, sequence | the length as an integer, then the content |
//! | `Option` | 0, or 1 and the content |
//! | enum | the variant's number as an integer, then its fields |
//! | struct, tuple | the fields in order; no names |
//!
//! Names are not stored, so the order of a saved struct's fields is part of the file format. A tensor is its shape and
//! its raw numbers:
//!
//! ```text
//! rank  axis 0  axis 1  …  bytes  number 0  number 1  …          a [2, 3] tensor of f32: 1 + 2 + 1 + 24 = 28 bytes
//! ```
//!
//! The numbers are stored as raw bytes because serde handles a sequence of a million numbers with a million calls, but
//! bytes with one. Every bit of a number is kept, including NaN's payload and the sign of zero. In files the numbers
//! are stored apart, after everything else: see [`numbers`].
//!
//! The bytes may be hostile. They are decoded from a slice, so texts and bytes are borrowed and no memory is allocated
//! for a claimed length. Copies are bounded by [`config`]. Lists whose items take more memory than bytes have a maximum
//! length ([`list`]). Nested states have a maximum depth and a maximum number of values over the whole file
//! ([`limits`]).

pub(crate) mod blob;
pub(crate) mod limits;
pub(crate) mod names;
pub(crate) mod numbers;
pub(crate) mod tensor;
pub(crate) mod texts;
pub(crate) mod words;

use crate::error::{Error, Result};
use crate::shown::{count, cut};
use bincode::error::{DecodeError, EncodeError};
use serde::de::{DeserializeOwned, SeqAccess};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::marker::PhantomData;

/// Little-endian, variable-length integers, and at most this much memory for claimed lengths: 32 MiB.
///
/// The limit protects against bytes that claim a length they do not have. Numbers of models do not count, as they are
/// stored apart or borrowed.
fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<{ 1 << 25 }>()
}

/// Encodes a value.
///
/// It fails only if a `Serialize` of a user's layer fails.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    bincode::serde::encode_to_vec(value, config()).map_err(|error| {
        let found = match error {
            // The text itself: `Display` would quote it.
            EncodeError::OtherString(text) => text,
            error => error.to_string(),
        };
        Error::format("the value", "be serializable", format!("an error: {}", found.trim_end_matches('.')))
            .help("Check its `Serialize`.")
    })
}

/// Decodes a value from all of these bytes.
///
/// Leftover bytes are an error just like missing bytes: both mean that writer and reader disagree on the type. The
/// error names `what` and contains the decoder's message.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    decode_borrowed(bytes, what)
}

/// [`decode`] for a value that borrows from the bytes.
pub(crate) fn decode_borrowed<'de, T: Deserialize<'de>>(bytes: &'de [u8], what: &str) -> Result<T> {
    let damaged = |found: String| {
        Error::format(what, "be whole and undamaged", found.trim_end_matches('.'))
            .help("The file is truncated or corrupt, or was written by another version; save it again.")
    };
    match limits::in_file(|| bincode::serde::borrow_decode_from_slice::<T, _>(bytes, config())) {
        Ok((value, read)) if read == bytes.len() => Ok(value),
        Ok((_, read)) => Err(damaged(format!("{} too many", count(bytes.len() - read, "byte", "bytes")))),
        Err(DecodeError::UnexpectedEnd { additional }) => {
            Err(damaged(format!("an end {} too early", count(additional, "byte", "bytes"))))
        }
        // The text itself: `Display` would quote it, and quote it again at each outer level, twice as long every time.
        Err(DecodeError::OtherString(text)) => Err(damaged(text)),
        Err(error) => Err(damaged(error.to_string())),
    }
}

/// Bytes that serde handles as bytes, not as a sequence of numbers; borrowed from the input if possible.
///
/// Serde treats a plain `Vec<u8>` as a sequence, with one call for each byte.
pub(crate) struct Bytes<'a>(pub Cow<'a, [u8]>);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Bytes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Bytes<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            /// From bincode, which reads from a slice.
            fn visit_borrowed_bytes<E: serde::de::Error>(self, bytes: &'de [u8]) -> Result<Bytes<'de>, E> {
                Ok(Bytes(bytes.into()))
            }
            /// From a format that reads piece by piece, so the bytes must be copied.
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Bytes<'de>, E> {
                Ok(Bytes(bytes.to_vec().into()))
            }
            /// From a format without bytes, such as JSON, where they are a list of numbers.
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Bytes<'de>, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = seq.next_element()? {
                    bytes.push(byte);
                }
                Ok(Bytes(bytes.into()))
            }
        }
        deserializer.deserialize_bytes(Visitor)
    }
}

/// Reads a list of at most `MAX` items: `#[serde(deserialize_with = "codec::list::<_, _, 32>")]`.
///
/// An item may take more memory than bytes in a file; an empty text takes 24 times as much. So a list's length is
/// checked before its items are made.
pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>, const MAX: usize>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct Visitor<T, const MAX: usize>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>, const MAX: usize> serde::de::Visitor<'de> for Visitor<T, MAX> {
        type Value = Vec<T>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "a list of at most {MAX} items")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
            let claimed = seq.size_hint().unwrap_or(0);
            if claimed > MAX {
                return Err(serde::de::Error::invalid_length(claimed, &self));
            }
            let mut items = Vec::new();
            while let Some(item) = seq.next_element()? {
                if items.len() == MAX {
                    return Err(serde::de::Error::invalid_length(MAX + 1, &self));
                }
                items.push(item);
            }
            Ok(items)
        }
    }
    deserializer.deserialize_seq(Visitor::<T, MAX>(PhantomData))
}

/// Implements serde for types whose fields could contradict each other: after a value is read, its `check` is called,
/// and its error becomes the reader's. The type must have serde's derives and `#[serde(remote = "Self")]`, which turns
/// them into inherent functions.
macro_rules! checked {
    ($($type:ident),+) => {$(
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                Self::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let read = Self::deserialize(deserializer)?;
                // JSON may append its line and column.
                let unended = |text: String| serde::de::Error::custom(text.trim_end_matches('.'));
                read.check().map_err(|error| unended(error.to_string()))?;
                Ok(read)
            }
        }
    )+};
}
pub(crate) use checked;

/// The error of fields that contradict each other.
pub(crate) fn contradicts(what: &str, expected: impl Into<String>, found: impl std::fmt::Display) -> Error {
    Error::format(what, expected.into(), found.to_string())
        .help("The data were damaged or edited; write them again.")
}

/// Returns whether a number is a share, from 0 to 1. Means of shares may be slightly above 1 through rounding.
pub(crate) fn is_share(x: f64) -> bool {
    (0.0..=1.0 + 1e-9).contains(&x)
}

/// Fails if a name occurs twice.
pub(crate) fn differ<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    let mut names = names;
    match names.find(|name| !seen.insert(*name)) {
        None => Ok(()),
        Some(name) => Err(contradicts(what, "have distinct names", format!("{:?} twice", cut(name)))),
    }
}

/// The maximum number of axes of a saved shape.
pub(crate) const MAX_AXES: usize = 32;

/// A shape with at most [`MAX_AXES`] axes, checked both when reading and when writing.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Shape(#[serde(deserialize_with = "list::<_, _, MAX_AXES>")] pub Vec<usize>);

impl Serialize for Shape {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.len() > MAX_AXES {
            let text = format!("a shape of {} axes, where a file holds at most {MAX_AXES}", self.0.len());
            return Err(serde::ser::Error::custom(text));
        }
        self.0.serialize(serializer)
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
        assert!(text.contains("the model") && text.contains("1 byte too many"), "{text}");
    }
}
