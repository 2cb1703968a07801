//! Serializes bytes, for `#[serde(with = "crate::codec::blob")]`. In files they are stored apart, like the numbers of
//! tensors.

use super::{Bytes, numbers};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    if numbers::take_bytes(bytes).map_err(serde::ser::Error::custom)? {
        return (bytes.len() as u64).serialize(serializer);
    }
    Bytes(bytes.into()).serialize(serializer)
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    if !numbers::apart() {
        return Ok(Bytes::deserialize(deserializer)?.0.into_owned());
    }
    let count = u64::deserialize(deserializer)?;
    numbers::give(usize::try_from(count).ok())
        .map_err(|found| D::Error::custom(format!("{count} bytes with {found}")))
}

/// Integers as eight bytes each, little-endian; in human-readable formats they are a list.
pub mod integers {
    use super::*;

    pub fn serialize<S: Serializer>(numbers: &[u64], serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return numbers.serialize(serializer);
        }
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        super::serialize(&bytes, serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
        if deserializer.is_human_readable() {
            return Vec::deserialize(deserializer);
        }
        let bytes = super::deserialize(deserializer)?;
        match bytes.as_chunks() {
            (numbers, []) => Ok(numbers.iter().map(|&number| u64::from_le_bytes(number)).collect()),
            _ => Err(D::Error::custom(format!("whole numbers in {} bytes", bytes.len()))),
        }
    }
}
