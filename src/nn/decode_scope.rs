//! A thread's current decoding or encoding call: its registry, its first error, and the number of layers met so far.
//!
//! Serde decodes the layers inside a container, and `Deserialize` has no argument through which a registry could be
//! passed. So the registry is on a thread-local stack for the duration of one decoding call:
//!
//! ```text
//! from_bytes(registry) ─> decoding: push ─> Sequential::deserialize ─> decode_layer: top of the stack
//!                                               └─> a block inside ─> decode_layer: the same
//!                         pop, on return, error or panic
//! ```
//!
//! The stack is bounded by the call that pushed the registry, which is for one element type: an `f64` model decoded
//! inside the bytes of an `f32` model finds no table of its type, which is an error.
//!
//! A hostile file may nest containers without end, or hold more layers than fit into memory. Both are counted while
//! decoding ([`MAX_DEPTH`], [`MAX_LAYERS`]) and refused before they are created. Encoding counts them too
//! ([`encoding`]), so that no file is saved that would not load.
//!
//! Errors take the same route. Serde keeps an error's text and drops its type, so the first typed error is stored
//! beside the registry, and `decoding` returns it in place of serde's. A program can therefore still match on
//! [`UnknownLayer`](crate::ErrorKind::UnknownLayer).

use crate::codec;
use crate::error::{Error, Result};
use std::any::Any;
use std::cell::{Cell, RefCell};

/// The tables of decoders of a call, each of another type: layers that can be trained, or that only infer, in an element
/// type.
pub(super) type Tables = Vec<Box<dyn Any>>;

/// A decoding or encoding call: its tables and its first typed error.
struct Scope {
    /// None while encoding.
    tables: Tables,
    /// False in a call that a user makes around calls of serde, each of which then begins anew.
    counts: bool,
    /// Only the first is kept: later ones are the same failure as it passes out through the containers.
    error: Option<Error>,
}

thread_local! {
    /// The thread's current calls, the innermost last.
    static SCOPES: RefCell<Vec<Scope>> = const { RefCell::new(Vec::new()) };
    /// The current nesting depth, and the number of layers met so far in the outermost call.
    static MET: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// Runs a call with its own scope, and returns its first typed error, too. The count of layers starts from 0, unless the
/// call is inside of another one that counts, and is that of before afterwards.
fn run<T>(tables: Tables, counts: bool, call: impl FnOnce() -> T) -> (T, Option<Error>) {
    /// Takes the scope off the stack on every exit, including a panic.
    struct Leave((usize, usize));
    impl Drop for Leave {
        fn drop(&mut self) {
            SCOPES.with_borrow_mut(Vec::pop);
            MET.set(self.0);
        }
    }
    let before = MET.get();
    if !is_counting() {
        MET.set((0, 0));
    }
    SCOPES.with_borrow_mut(|scopes| scopes.push(Scope { tables, counts, error: None }));
    let _leave = Leave(before);
    let result = call();
    let inner = SCOPES.with_borrow_mut(|scopes| scopes.last_mut().and_then(|scope| scope.error.take()));
    (result, inner)
}

/// Returns whether a call that counts layers is running.
fn is_counting() -> bool {
    SCOPES.with_borrow(|scopes| scopes.last().is_some_and(|scope| scope.counts))
}

/// Runs a user's call, in which serde may decode any number of models with these tables. Each of them has its own count
/// and its own error.
pub(super) fn within<T>(tables: Tables, call: impl FnOnce() -> T) -> T {
    run(tables, false, call).0
}

/// Calls `look` with this thread's current table of decoders of this type, if there is one.
pub(crate) fn in_force<R: 'static, T>(look: impl FnOnce(Option<&R>) -> T) -> T {
    SCOPES.with_borrow(|scopes| {
        // A user's calls may be inside of one another, each for another element type.
        let users = scopes.iter().rev().skip(1).take_while(|scope| !scope.counts);
        let mut tables = scopes.last().into_iter().chain(users).flat_map(|scope| &scope.tables);
        look(tables.find_map(|table| table.downcast_ref::<R>()))
    })
}

/// Runs an encoding call under the limits of decoding, so that no file is saved that would not load.
pub(crate) fn encoding<T>(encode: impl FnOnce() -> Result<T>) -> Result<T> {
    typed_within(Vec::new(), encode)
}

/// Runs a call with its own scope. Returns the first typed error inside as it was, where serde would only pass on its
/// text.
pub(super) fn typed_within<T>(tables: Tables, call: impl FnOnce() -> Result<T>) -> Result<T> {
    match run(tables, true, call) {
        (Err(_), Some(inner)) => Err(inner),
        (result, _) => result,
    }
}

/// Encodes a layer inside a container, one level down.
pub(crate) fn encode_layer<L: serde::Serialize>(layer: &L) -> Result<Vec<u8>> {
    let _level = Counted::enter().map_err(keep_first)?;
    codec::encode(layer)
}

/// Keeps the first typed error of the current call, and returns the error that serde is to pass on.
pub(crate) fn keep_first(error: Error) -> Error {
    SCOPES.with_borrow_mut(|scopes| match scopes.last_mut() {
        Some(Scope { counts: false, .. }) | None => error,
        Some(Scope { error: first @ None, .. }) => {
            let text = Error::custom(&error);
            *first = Some(error);
            text
        }
        // Nobody will read this text, and it would grow with each level.
        Some(_) => Error::custom("a layer inside"),
    })
}

/// The error that serde is to pass on while encoding; the first typed one is kept.
pub(crate) fn encoding_error<E: serde::ser::Error>(error: Error) -> E {
    E::custom(keep_first(error))
}

/// The maximum nesting depth of containers, in decoding and encoding.
///
/// A level takes a few kilobytes of stack; a thread has two megabytes.
pub(crate) const MAX_DEPTH: usize = 64;

/// The maximum number of layers and containers on all levels together, in decoding and encoding.
///
/// A layer takes a few bytes in a file and a few hundred in memory.
pub(crate) const MAX_LAYERS: usize = 1 << 14;

/// One level of nesting in decoding or encoding, until it is dropped.
pub(super) struct Counted;

impl Counted {
    /// Counts a layer and goes one level down.
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

/// Counts a layer, or a container that has no kind.
///
/// The count runs through one call of [`Registry::decoding`](super::registry::Registry::decoding) or [`encoding`].
/// Outside such calls, when another format's file is read, it restarts with each layer on the outermost level.
pub(crate) fn count_container() -> Result<()> {
    let (depth, met) = MET.get();
    let met = if depth <= 1 && !is_counting() { 0 } else { met };
    if met >= MAX_LAYERS {
        return Err(too_many("layers", MAX_LAYERS));
    }
    MET.set((depth, met + 1));
    Ok(())
}

fn too_many(what: &str, limit: usize) -> Error {
    let saving = SCOPES.with_borrow(|scopes| scopes.last().is_some_and(|scope| scope.tables.is_empty()));
    Error::format(format!("the number of {what}"), format!("be at most {limit}"), "more").help(if saving {
        "A file holds no more; make layers of your own out of parts of the model, or save its weights with \
         `save_weights`."
    } else {
        "The file is damaged, or made to fill the memory."
    })
}
