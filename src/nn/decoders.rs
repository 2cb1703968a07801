//! [`Decoders`]: the functions that decode layers by their kind, as registries hold them.

use super::decode_scope::{Counted, in_force, keep_first};
use crate::error::{Error, ErrorKind, Result};
use std::collections::BTreeMap;

/// A function pointer, not a closure: it captures nothing and is `Copy`, so a registry is `Send + Sync`.
type Decoder<L> = fn(&[u8]) -> Result<Box<L>>;

/// The decoders of layers by kind; `L` is the table through which the layers are called.
pub(super) struct Decoders<L: ?Sized> {
    pub by_kind: BTreeMap<&'static str, Decoder<L>>,
    /// The advice for a layer that is not in the map.
    help: &'static str,
}

impl<L: ?Sized> Clone for Decoders<L> {
    fn clone(&self) -> Self {
        Self { by_kind: self.by_kind.clone(), help: self.help }
    }
}

impl<L: ?Sized + 'static> Decoders<L> {
    pub fn new(help: &'static str) -> Self {
        Self { by_kind: BTreeMap::new(), help }
    }

    /// Decodes one layer with the registry of the current decoding call.
    pub fn decode_layer(kind: &str, bytes: &[u8]) -> Result<Box<L>> {
        let counted = Counted::enter();
        let decoder = in_force(|current: Option<&Self>| match current {
            Some(decoders) => decoders.find(kind),
            None => Err(Error::data("a model that serde reads", "be read by a registry", "none in use")
                .help("Read it in `Registry::builtin().within(|| …)`.")),
        });
        let decoded = counted.and_then(|_level| decoder.and_then(|decode| decode(bytes)));
        decoded.map_err(keep_first)
    }

    /// Returns a copied function pointer, so that the stack is not borrowed while the layer is decoded: a container
    /// inside reads it again.
    fn find(&self, kind: &str) -> Result<Decoder<L>> {
        self.by_kind.get(kind).copied().ok_or_else(|| {
            let known = self.by_kind.keys().map(|&kind| kind.to_owned()).collect();
            // A name may be as long as the file; only its beginning is shown.
            let kind = kind.chars().take(100).collect();
            Error::new(ErrorKind::UnknownLayer { kind, known }).help(self.help)
        })
    }
}
