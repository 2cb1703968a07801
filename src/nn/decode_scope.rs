//! The decoding or encoding call that is under way in a thread: its registry, its first error, and how much it has met.
//!
//! Layers inside a container are decoded by serde, and `Deserialize` has no argument by which a registry could be
//! handed down. So the registry is put on a stack of this thread for the duration of one decoding call:
//!
//! ```text
//! from_bytes(registry) ─> decoding: push ─> Sequential::deserialize ─> decode_layer: top of the stack
//!                                               └─> a block inside ─> decode_layer: the same
//!                         pop, on return, error or panic
//! ```
//!
//! The stack is bounded by the call that pushed it, and holds a registry of one element type: an `f64` model decoded
//! inside an `f32` one's bytes finds none of its type and uses its fallback.
//!
//! A hostile file may hold containers in containers without end, or more layers than there is memory for: both are
//! counted on the way ([`MAX_DEPTH`], [`MAX_LAYERS`]) and refused before they are made. The same is counted on the way
//! into a file ([`encoding`]), so that nothing is saved that would not load.
//!
//! Errors have the same way to go. serde keeps an error's text and drops its type, so the first typed error is put
//! beside the registry and comes out of `decoding` in place of serde's: a program can still match on
//! [`UnknownLayer`](crate::ErrorKind::UnknownLayer).

use crate::codec;
use crate::error::{Error, Result};
use std::any::Any;
use std::cell::{Cell, RefCell};

/// A decoding or encoding call under way: the registry in force, and the first typed error.
struct Scope {
    /// A [`Registry`](super::registry::Registry) of the element type that is decoded; none where layers are encoded.
    registry: Option<Box<dyn Any>>,
    /// The first one is kept: the later ones are the same failure on its way out through the containers.
    error: Option<Error>,
}

thread_local! {
    /// Calls under way in this thread, the innermost last.
    static SCOPES: RefCell<Vec<Scope>> = const { RefCell::new(Vec::new()) };
    /// Layers that are being decoded or encoded, one inside the other, and those met in the outermost call.
    static MET: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// Runs a call with a scope of its own, in which layers are counted from 0.
pub(super) fn within<T>(registry: Option<Box<dyn Any>>, call: impl FnOnce() -> Result<T>) -> Result<T> {
    /// Takes the scope off the stack on every way out, a panic too.
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            SCOPES.with_borrow_mut(Vec::pop);
        }
    }
    SCOPES.with_borrow_mut(|scopes| {
        if scopes.is_empty() {
            MET.set((0, 0));
        }
        scopes.push(Scope { registry, error: None });
    });
    let _leave = Leave;
    let result = call();
    let inner = SCOPES.with_borrow_mut(|scopes| scopes.last_mut().and_then(|scope| scope.error.take()));
    match (result, inner) {
        (Err(_), Some(inner)) => Err(inner),
        (result, _) => result,
    }
}

/// Shows the registry in force in this thread, where there is one of this type.
pub(super) fn in_force<R: 'static, T>(look: impl FnOnce(Option<&R>) -> T) -> T {
    SCOPES.with_borrow(|scopes| {
        look(scopes.last().and_then(|scope| scope.registry.as_ref()?.downcast_ref::<R>()))
    })
}

/// Runs an encoding call: what is written keeps the limits of what is read, so no file is saved that would not load.
pub(crate) fn encoding<T>(encode: impl FnOnce() -> Result<T>) -> Result<T> {
    within(None, encode)
}

/// Encodes what a layer in a container is made of, a level down.
pub(crate) fn encode_layer<L: serde::Serialize>(layer: &L) -> Result<Vec<u8>> {
    let _level = Counted::enter().map_err(keep_first)?;
    codec::encode(layer)
}

/// Keeps the first typed error of the call under way, and gives back what serde is to pass on.
pub(crate) fn keep_first(error: Error) -> Error {
    SCOPES.with_borrow_mut(|scopes| match scopes.last_mut() {
        Some(Scope { error: first @ None, .. }) => {
            let text = Error::custom(&error);
            *first = Some(error);
            text
        }
        // Nobody will read this one, and with each level it would grow.
        Some(_) => Error::custom("a layer inside"),
        None => error,
    })
}

/// How deep containers may stand inside one another in what is decoded or encoded.
///
/// A level takes some kilobytes of the stack; a thread has two megabytes.
pub(crate) const MAX_DEPTH: usize = 64;

/// How many layers and containers may be in what is decoded or encoded, on all levels together.
///
/// A layer takes some bytes in a file and some hundred in memory.
pub(crate) const MAX_LAYERS: usize = 1 << 14;

/// One level of layers under decoding or encoding, until it is dropped.
pub(super) struct Counted;

impl Counted {
    /// Counts a layer, and goes a level down.
    pub fn enter() -> Result<Self> {
        let (depth, met) = MET.get();
        if depth == MAX_DEPTH {
            return Err(too_many("containers inside one another", MAX_DEPTH));
        }
        MET.set((depth + 1, met));
        let level = Self;
        count_container()?;
        Ok(level)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let (depth, met) = MET.get();
        MET.set((depth - 1, met));
    }
}

/// Counts a layer, or a container without a kind of its own.
///
/// It goes on through one call of [`Registry::decoding`](super::registry::Registry::decoding) or [`encoding`]; outside
/// of such calls, where it is another format's file, it begins anew with each layer on the outermost level.
pub(crate) fn count_container() -> Result<()> {
    let (depth, met) = MET.get();
    let met = if depth <= 1 && SCOPES.with_borrow(Vec::is_empty) { 0 } else { met };
    if met >= MAX_LAYERS {
        return Err(too_many("layers", MAX_LAYERS));
    }
    MET.set((depth, met + 1));
    Ok(())
}

fn too_many(what: &str, limit: usize) -> Error {
    let saving = SCOPES.with_borrow(|scopes| scopes.last().is_some_and(|scope| scope.registry.is_none()));
    Error::format(format!("the number of {what}"), format!("be at most {limit}"), "more").help(if saving {
        "A file holds no more; make layers of your own out of parts of the model, or save its weights with \
         `save_weights`."
    } else {
        "The file is damaged, or made to fill the memory."
    })
}
