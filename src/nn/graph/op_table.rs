//! [`Ops`]: the operations that a saved graph may hold.

use super::op::{Op, OpTable, decode};
use super::ops::{Decode, builtin};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::decode_scope::in_force;
use crate::shown::cut;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The operations of a decoding call, for one table: those of this crate, and those that a registry was given.
pub(in crate::nn) struct Ops<T: ?Sized> {
    builtin: fn(&str) -> Option<Decode<T>>,
    own: BTreeMap<&'static str, Decode<T>>,
}

impl<T: ?Sized> Clone for Ops<T> {
    fn clone(&self) -> Self {
        Self { builtin: self.builtin, own: self.own.clone() }
    }
}

impl<T: ?Sized + 'static> Ops<T> {
    /// Returns the operations of this crate.
    pub fn builtin<F: Scalar>() -> Self
    where
        T: OpTable<F>,
    {
        Self { builtin: builtin::<F, T>, own: BTreeMap::new() }
    }

    /// Adds an operation, in place of one with the same `KIND`.
    pub fn add<F: Scalar, O: Op<F>>(&mut self)
    where
        T: OpTable<F>,
    {
        self.own.insert(O::KIND.name(), decode::<F, T, O>);
    }

    /// Decodes an operation with the operations of the current decoding call.
    pub fn decode_op(kind: &str, bytes: &[u8]) -> Result<Arc<T>> {
        let decoder = in_force(|current: Option<&Self>| {
            match current {
            Some(ops) => (ops.builtin)(kind).or_else(|| ops.own.get(kind).copied()).ok_or_else(|| {
                let help = if kind.contains('.') {
                    "Load with `load_with` and a registry that has it: `Registry::builtin().with_op::<YourOp>()`."
                } else {
                    "A newer version of Plywood wrote it: update the crate (`cargo update -p plywood`)."
                };
                let own: Vec<_> = ops.own.keys().copied().collect();
                let own = if own.is_empty() { String::new() } else { format!(" or in the registry ({})", own.join(", ")) };
                let expected = format!("be one of this crate's{own}");
                Error::format("the kind of an operation", expected, format!("{:?}", cut(kind))).help(help)
            }),
            None => Err(Error::data("a graph that serde reads", "be read by a registry", "none in use")
                .help("Read it in `Registry::builtin().within(|| …)`.")),
        }
        });
        decoder.and_then(|decode| decode(bytes))
    }
}
