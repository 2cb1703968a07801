//! Chains in files: the input's shape, then the kind and the bytes of each layer.

use super::Chain;
use crate::codec::{Bytes, Shape};
use crate::error::Result;
use crate::kernels::Scalar;
use crate::nn::decode_scope::{count_container, encoding_error};
use crate::nn::decoders::Decoders;
use crate::nn::erased::ErasedInfer;
use serde::de::{Error as _, SeqAccess};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

impl<F: Scalar, L: ErasedInfer<F> + ?Sized> Serialize for Chain<F, L> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        count_container().map_err(encoding_error)?;
        let mut layers = Vec::with_capacity(self.layers.len());
        for (i, layer) in self.layers.iter().enumerate() {
            let bytes = layer.erased_encode().map_err(|e| encoding_error(e.at(self.place(i))))?;
            layers.push((layer.erased_kind(), Bytes(bytes.into())));
        }
        (Shape(self.input.shape().to_vec()), layers).serialize(serializer)
    }
}

impl<'de, F: Scalar, L: ErasedInfer<F> + ?Sized + 'static> Deserialize<'de> for Chain<F, L> {
    /// Looks the layers inside up in the registry of the current loading call.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        count_container().map_err(D::Error::custom)?;
        let (Shape(input), Layers(layers)) = <(Shape, Layers<L>)>::deserialize(deserializer)?;
        Self::new(input, layers).map_err(D::Error::custom)
    }
}

/// Layers, each decoded as soon as its bytes are read, so that no list of bytes is kept.
struct Layers<L: ?Sized>(Vec<Box<L>>);

/// The kind and the bytes of a layer or a model, borrowed if the format allows.
#[derive(Deserialize)]
pub(crate) struct Stored<'a>(#[serde(borrow)] pub Cow<'a, str>, #[serde(borrow)] pub Bytes<'a>);

impl<'de, L: ?Sized + 'static> Deserialize<'de> for Layers<L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<L: ?Sized>(PhantomData<L>);
        impl<'de, L: ?Sized + 'static> serde::de::Visitor<'de> for Visitor<L> {
            type Value = Layers<L>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("layers")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Layers<L>, A::Error> {
                let mut layers = Vec::new();
                while let Some(Stored(kind, Bytes(bytes))) = seq.next_element()? {
                    layers.push(Decoders::<L>::decode_layer(&kind, &bytes).map_err(A::Error::custom)?);
                }
                Ok(Layers(layers))
            }
        }
        deserializer.deserialize_seq(Visitor(PhantomData))
    }
}
