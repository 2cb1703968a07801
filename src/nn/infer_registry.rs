//! [`InferRegistry`]: the kinds of layers of models that only infer.

use super::chain::{self, InferChain};
use super::decode_scope::typed_within;
use super::decoders::Decoders;
use super::erased::ErasedInfer;
use super::layer::Layer;
use super::registry::Registry;
use crate::codec;
use crate::error::Result;
use crate::kernels::Scalar;
use crate::level::check_level;

/// The kinds of layers of models that only infer.
///
/// Such a model is read as a [`dyn Infer`](super::Infer): it predicts, is evaluated and saved, but cannot be trained. A
/// program that reads its models only by this registry contains the inference of the layers that it names, and nothing of
/// training: its size is that of the layers that it uses.
///
/// ```
/// use plywood::nn::InferRegistry;
/// use plywood::prelude::*;
///
/// let trained = Sequential::builder([4]).layer(Dense::units(3)).layer(Softmax).build()?;
/// let bytes = trained.to_bytes()?;
///
/// let registry = InferRegistry::empty().with::<Dense>().with::<Softmax>();
/// let model: Box<dyn Infer> = registry.from_bytes(&bytes)?;
/// let x = plywood::ndarray::Array2::ones((2, 4));
/// assert_eq!(model.predict(&x)?, trained.predict(&x)?);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// A [`Sequential`](super::Sequential) inside of a model needs no entry. There is no list of all built-in layers,
/// because a program would then contain them all. [`load`](Self::load) reads a file, [`from_bytes`](Self::from_bytes)
/// bytes.
#[derive(Clone)]
pub struct InferRegistry<F: Scalar = f32> {
    decoders: Decoders<dyn ErasedInfer<F>>,
    blocks: Registry<F>,
}

impl<F: Scalar> InferRegistry<F> {
    /// Returns a registry without any layer but [`Sequential`](super::Sequential).
    pub fn empty() -> Self {
        let help = "Add it to the registry: `InferRegistry::empty().with::<YourLayer>()`.";
        let mut decoders: Decoders<dyn ErasedInfer<F>> = Decoders::new(help);
        decoders.by_kind.insert(chain::KIND, |bytes| {
            let layer: InferChain<F> = codec::decode(bytes, chain::KIND)?;
            Ok(Box::new(layer))
        });
        let help = "It is inside of a block, whose layers are added by `InferRegistry::blocks`.";
        Self { decoders, blocks: Registry { decoders: Decoders::new(help) } }
    }

    /// Adds a kind of layer. It replaces one with the same `KIND`. [`Sequential`](super::Sequential) is there already, and
    /// adding it changes nothing.
    #[must_use]
    pub fn with<L: Layer<F>>(mut self) -> Self {
        if L::KIND.name() == chain::KIND {
            return self;
        }
        self.decoders.by_kind.insert(L::KIND.name(), |bytes| {
            let layer: L = codec::decode(bytes, L::KIND.name())?;
            Ok(Box::new(layer))
        });
        self
    }

    /// Sets the layers inside of [`Residual`](super::Residual), [`Concat`](super::Concat), [`Add`](super::Add) and custom
    /// containers, which hold layers that can be trained: with them the program contains their training. By default there
    /// are none.
    #[must_use]
    pub fn blocks(mut self, registry: Registry<F>) -> Self {
        self.blocks.decoders.by_kind = registry.decoders.by_kind;
        self
    }

    /// [`Registry::decoding`].
    pub(crate) fn decoding<T>(&self, decode: impl FnOnce() -> Result<T>) -> Result<T> {
        check_level()?;
        typed_within(vec![Box::new(self.decoders.clone()), Box::new(self.blocks.decoders.clone())], decode)
    }
}

impl<F: Scalar> std::fmt::Debug for InferRegistry<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InferRegistry")
            .field("layers", &self.decoders.by_kind.keys())
            .field("blocks", &self.blocks)
            .finish()
    }
}
