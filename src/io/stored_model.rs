//! [`StoredModel`]: a model in a file, as its kind and its bytes.

use crate::codec::{self, Bytes};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::chain::{InferChain, KIND as SEQUENTIAL, Stored};
use crate::nn::decode_scope::{in_force, keep_first};
use crate::nn::graph::KIND as GRAPH;
use crate::nn::infer_registry::ReadGraph;
use crate::nn::{Graph, Infer, Model, Sequential};
use crate::shown::cut;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

impl<'de, F: Scalar> Deserialize<'de> for StoredModel<'_, F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Stored(kind, bytes) = Stored::deserialize(deserializer)?;
        let model: Result<Box<dyn Model<F>>> = match &*kind {
            SEQUENTIAL => {
                codec::decode(&bytes.0, "the model").map(|model: Sequential<F>| Box::new(model) as _)
            }
            GRAPH => codec::decode(&bytes.0, "the model").map(|model: Graph<F>| Box::new(model) as _),
            _ => Err(other_kind(&kind)),
        };
        Ok(Self::Read(model.map_err(|e| D::Error::custom(keep_first(e)))?))
    }
}

/// A model that only infers, read from a file.
pub(super) struct StoredInfer<F: Scalar>(pub Box<dyn Infer<F>>);

impl<'de, F: Scalar> Deserialize<'de> for StoredInfer<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Stored(kind, bytes) = Stored::deserialize(deserializer)?;
        let model: Result<Box<dyn Infer<F>>> = match &*kind {
            SEQUENTIAL => {
                codec::decode(&bytes.0, "the model").map(|model: InferChain<F>| Box::new(model) as _)
            }
            GRAPH => match in_force(|graphs: Option<&ReadGraph<F>>| graphs.copied()) {
                Some(ReadGraph(read)) => read(&bytes.0),
                None => Err(Error::format(
                    "the kind of the model",
                    format!("be {SEQUENTIAL:?}"),
                    format!("{GRAPH:?}"),
                )
                .help("Add graphs to the registry: `InferRegistry::empty().graphs()`.")),
            },
            _ => Err(other_kind(&kind)),
        };
        Ok(Self(model.map_err(|e| D::Error::custom(keep_first(e)))?))
    }
}

/// The error of a kind of model that this version does not know.
fn other_kind(kind: &str) -> Error {
    let expected = format!("be {SEQUENTIAL:?} or {GRAPH:?}");
    Error::format("the kind of the model", expected, format!("{:?}", cut(kind)))
        .help("Use a newer version of Plywood.")
}
