//! Serializes shared names as a list of texts: `#[serde(with = "crate::codec::names")]`.

use serde::{Deserialize, Deserializer, Serializer};
use std::sync::Arc;

/// The most names of a list.
const MOST: usize = 1 << 20;

pub(crate) fn serialize<S: Serializer>(names: &[Arc<str>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(names.iter().map(|name| &**name))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Arc<str>>, D::Error> {
    struct Name(Arc<str>);
    impl<'de> Deserialize<'de> for Name {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            Ok(Self(String::deserialize(deserializer)?.into()))
        }
    }
    Ok(super::list::<D, Name, MOST>(deserializer)?.into_iter().map(|Name(name)| name).collect())
}
