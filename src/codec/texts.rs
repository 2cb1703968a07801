//! Serializes a long list of texts as one text and their lengths: `#[serde(with = "crate::codec::texts")]`. In
//! human-readable formats it is a list.
//!
//! A list of short texts would claim three times the memory of its bytes from the decoder's limit; here it is the bytes
//! themselves that count.

use super::Bytes;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The byte behind each text. It does not occur in UTF-8.
const END: u8 = 0xff;

pub(crate) fn serialize<S: Serializer>(texts: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        return texts.serialize(serializer);
    }
    let mut bytes = Vec::new();
    for text in texts {
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(END);
    }
    Bytes(bytes.into()).serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    if deserializer.is_human_readable() {
        return Vec::deserialize(deserializer);
    }
    let Bytes(bytes) = Bytes::deserialize(deserializer)?;
    let Some(all) = bytes.strip_suffix(&[END]) else {
        return match bytes.is_empty() {
            true => Ok(Vec::new()),
            false => Err(D::Error::custom("a list of texts without an end")),
        };
    };
    let text = |bytes: &[u8]| str::from_utf8(bytes).map(str::to_owned).map_err(D::Error::custom);
    all.split(|&byte| byte == END).map(text).collect()
}

#[cfg(test)]
mod tests {
    use crate::codec::{decode, encode};
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Holder(#[serde(with = "super")] Vec<String>);

    #[test]
    fn lists_come_back_and_damage_is_an_error() {
        for texts in [vec![], vec![""], vec!["", "a", "äé", ""]] {
            let holder = Holder(texts.into_iter().map(str::to_owned).collect());
            let bytes = encode(&holder).unwrap();
            assert_eq!(decode::<Holder>(&bytes, "texts").unwrap(), holder);
            let json = serde_json::to_string(&holder).unwrap();
            assert_eq!(serde_json::from_str::<Holder>(&json).unwrap(), holder);
        }
        for bytes in [&[1, b'a'][..], &[2, 0xc3, 0xff], &[9, 0xff]] {
            assert!(decode::<Holder>(bytes, "texts").is_err(), "{bytes:?}");
        }
    }
}
