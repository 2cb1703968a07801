//! The registry: the kinds of layers that a saved file may hold.
//!
//! A file names its layers by [`Layer::KIND`]; a registry maps that name to a function that decodes the bytes. Pickle,
//! the format of `torch.save`, can call any function that a file names. Here a file can only name what the program has
//! put into the map; an unknown name is an error that lists the known ones.

use super::decode_scope::{Counted, in_force, keep_first, within};
use super::erased::ErasedLayer;
use super::layer::Layer;
use crate::codec;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::Scalar;
use crate::level::check_level;
use std::collections::BTreeMap;

/// A function pointer, not a closure: it captures nothing and is `Copy`, so the registry is `Send + Sync`.
type Decoder<F> = fn(&[u8]) -> Result<Box<dyn ErasedLayer<F>>>;

/// The kinds of layers that a model may be loaded with. It is passed explicitly; there is no global registry.
///
/// A file can only reach what is in this map. [`Registry::builtin`] has the built-in layers; add custom ones with
/// [`with`](Registry::with).
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
/// A registry is for one element type. `Clone` copies a map of names and function pointers. `Debug` prints the names.
#[derive(Clone)]
pub struct Registry<F: Scalar = f32> {
    decoders: BTreeMap<&'static str, Decoder<F>>,
}

impl<F: Scalar> Registry<F> {
    /// Returns a registry without any layer.
    ///
    /// For a program that reads untrusted files and must limit which layers can be in them:
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

    /// Adds a kind of layer. It replaces one with the same `KIND`.
    #[must_use]
    pub fn with<L: Layer<F>>(mut self) -> Self {
        self.decoders.insert(L::KIND.name(), |bytes| {
            let layer: L = codec::decode(bytes, L::KIND.name())?;
            Ok(Box::new(layer))
        });
        self
    }

    /// Returns the registered kinds, in alphabetical order.
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

    /// Runs a decoding call in this thread, with this registry for the containers inside. Returns the first typed error
    /// inside as it was, where serde would only pass on its text.
    pub(crate) fn decoding<T>(&self, decode: impl FnOnce() -> Result<T>) -> Result<T> {
        check_level()?;
        within(Some(Box::new(self.clone())), decode)
    }

    /// Decodes one layer with the registry of the current decoding call, or with `fallback` if there is none.
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

    /// Returns a copied function pointer, so that the stack is not borrowed while the layer is decoded: a container
    /// inside reads it again.
    fn find(&self, kind: &str) -> Result<Decoder<F>> {
        self.decoders.get(kind).copied().ok_or_else(|| {
            let known = self.kinds().map(str::to_owned).collect();
            // A name may be as long as the file; only its beginning is shown.
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
