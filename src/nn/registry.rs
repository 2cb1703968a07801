//! Which kinds of layers a saved file may hold.
//!
//! A file names its layers by [`Layer::KIND`]; a registry maps that name to a function that decodes the bytes.
//! Pickle, which `torch.save` writes, can call whatever a file names; here a file can name only what the program has
//! put into the map, and an unknown name is an error that lists the known ones.

use super::decode_scope::{Counted, in_force, keep_first, within};
use super::erased::ErasedLayer;
use super::layer::Layer;
use crate::codec;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::Scalar;
use crate::level::check_level;
use std::collections::BTreeMap;

/// A function pointer and not a closure: it captures nothing, is `Copy`, and the registry stays `Send + Sync`.
type Decoder<F> = fn(&[u8]) -> Result<Box<dyn ErasedLayer<F>>>;

/// The kinds of layers that a model may be loaded with: an explicit value, never a global.
///
/// Nothing that a file names reaches anything but this map. [`Registry::builtin`] has the crate's own layers; add
/// yours with [`with`](Registry::with).
///
/// ```no_run
/// use plywood::prelude::*;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Clone, Debug, Serialize, Deserialize)]
/// # struct Swish;
/// # impl Elementwise for Swish {
/// #     const KIND: Kind = Kind::own("mycrate.swish");
/// #     fn value<F: Scalar>(&self, x: F) -> F { x / (F::one() + (-x).exp()) }
/// #     fn derivative<F: Scalar>(&self, x: F, y: F) -> F { y + (F::one() - y) / (F::one() + (-x).exp()) }
/// # }
///
/// let model = Sequential::load_with("model.plywood", &Registry::builtin().with::<Swish>())?;
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// A registry is for one element type, and `Clone` copies a map of names and function pointers. `Debug` prints the
/// names.
#[derive(Clone)]
pub struct Registry<F: Scalar = f32> {
    decoders: BTreeMap<&'static str, Decoder<F>>,
}

impl<F: Scalar> Registry<F> {
    /// A registry that knows no layer.
    ///
    /// For a program that reads files from strangers and wants to be sure which layers can be in them:
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let bytes = Sequential::builder([2]).layer(Dense::units(1)).layer(Tanh).build()?.to_bytes()?;
    /// let dense_only = Registry::<f32>::empty().with::<Dense>();
    /// assert_eq!(
    ///     Sequential::from_bytes(&bytes, &dense_only).unwrap_err().to_string(),
    ///     "the kind of a layer must be in the registry (dense), got \"tanh\". Load with `load_with` and a \
    ///      registry that has it: `Registry::builtin().with::<YourLayer>()`."
    /// );
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn empty() -> Self {
        Self { decoders: BTreeMap::new() }
    }

    /// Adds a kind of layer; in place of one that has the same `KIND`.
    #[must_use]
    pub fn with<L: Layer<F>>(mut self) -> Self {
        self.decoders.insert(L::KIND.name(), |bytes| {
            let layer: L = codec::decode(bytes, L::KIND.name())?;
            Ok(Box::new(layer))
        });
        self
    }

    /// The kinds it knows, in alphabetical order.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let registry = Registry::<f32>::empty().with::<Softmax>().with::<Flatten>();
    /// assert_eq!(registry.kinds().collect::<Vec<_>>(), ["flatten", "softmax"]);
    /// ```
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.decoders.keys().copied()
    }

    /// Runs a decoding call with this registry in force for the containers inside, in this thread. The first typed
    /// error inside comes out as it was, where serde would only pass on its text.
    pub(crate) fn decoding<T>(&self, decode: impl FnOnce() -> Result<T>) -> Result<T> {
        check_level()?;
        within(Some(Box::new(self.clone())), decode)
    }

    /// Decodes one layer by the registry in force; `fallback` where none is.
    pub(crate) fn decode_layer(
        kind: &str,
        bytes: &[u8],
        fallback: fn() -> Self,
    ) -> Result<Box<dyn ErasedLayer<F>>> {
        let counted = Counted::enter();
        let decoder = in_force(|current: Option<&Self>| match current {
            Some(registry) => registry.find(kind),
            None => fallback().find(kind),
        });
        let decoded = counted.and_then(|_level| decoder.and_then(|decode| decode(bytes)));
        decoded.map_err(keep_first)
    }

    /// A function pointer is copied out, so that the stack is not borrowed while the layer is decoded: a container
    /// inside will look at it again.
    fn find(&self, kind: &str) -> Result<Decoder<F>> {
        self.decoders.get(kind).copied().ok_or_else(|| {
            let known = self.kinds().map(str::to_owned).collect();
            // A name may be as long as the file; what is shown of it is not.
            let kind = kind.chars().take(100).collect();
            Error::new(ErrorKind::UnknownLayer { kind, known })
                .help("Load with `load_with` and a registry that has it: `Registry::builtin().with::<YourLayer>()`.")
        })
    }
}

impl<F: Scalar> std::fmt::Debug for Registry<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.kinds()).finish()
    }
}
