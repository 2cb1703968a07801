//! [`StoredModel`]: a model in a file, as its kind and its bytes.

use crate::codec::{self, Bytes};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::decode_scope::keep_first;
use crate::nn::{Infer, Layer, Model, Sequential};
use crate::shown::cut;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// A model that is written to a file, or that was read from one.
///
/// A file of another kind of model is thus reported as such, and not as damage.
pub(crate) enum StoredModel<'a, F: Scalar> {
    Borrowed(&'a dyn Infer<F>),
    Read(Box<dyn Model<F>>),
}

impl<F: Scalar> StoredModel<'_, F> {
    /// Returns the model that was read.
    pub fn into_model(self) -> Result<Box<dyn Model<F>>> {
        match self {
            Self::Read(model) => Ok(model),
            Self::Borrowed(_) => {
                Err(Error::custom("the model must be one that was read, got one to be written"))
            }
        }
    }
}

impl<F: Scalar> Serialize for StoredModel<'_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let model = match self {
            Self::Borrowed(model) => *model,
            Self::Read(model) => model.as_infer(),
        };
        let (kind, bytes) = model.encode().map_err(|e| serde::ser::Error::custom(keep_first(e)))?;
        (kind, Bytes(bytes.into())).serialize(serializer)
    }
}

/// A model's kind and bytes.
#[derive(Deserialize)]
struct Stored<'a>(#[serde(borrow)] Cow<'a, str>, #[serde(borrow)] Bytes<'a>);

impl<'de, F: Scalar> Deserialize<'de> for StoredModel<'_, F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Stored(kind, Bytes(bytes)) = Stored::deserialize(deserializer)?;
        let model = decode(&kind, &bytes).map_err(|e| serde::de::Error::custom(keep_first(e)))?;
        Ok(Self::Read(model))
    }
}

/// Decodes a model of one of the kinds that there are.
fn decode<F: Scalar>(kind: &str, bytes: &[u8]) -> Result<Box<dyn Model<F>>> {
    if kind == <Sequential<F> as Layer<F>>::KIND.name() {
        let model: Sequential<F> = codec::decode(bytes, "the model")?;
        return Ok(Box::new(model));
    }
    Err(Error::format("the kind of the model", "be \"sequential\"", format!("{:?}", cut(kind)))
        .help("Use a newer version of Plywood."))
}
