//! [`Blocks`]: the kinds of blocks that a predictor's file may contain.

use super::classes::Classes;
use super::labels::Labels;
use super::numbers::Numbers;
use super::output::{AnyOutput, OutputBlock};
use crate::codec;
use crate::error::Result;
use crate::io::predictor::unknown_block;
use crate::preprocessing::{AnyInput, InputBlock, builtin_inputs};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Decodes a block.
type Decoder<B> = fn(&[u8]) -> Result<Arc<B>>;

/// The kinds of blocks that a predictor's file may contain. It is passed explicitly; there is no global list.
///
/// A file can only reach what is in it. [`Blocks::builtin`] has the crate's blocks; add custom ones with
/// [`with_input`](Blocks::with_input) and [`with_output`](Blocks::with_output).
#[derive(Clone)]
pub struct Blocks {
    inputs: BTreeMap<&'static str, Decoder<dyn AnyInput>>,
    outputs: BTreeMap<&'static str, Decoder<dyn AnyOutput>>,
}

impl Blocks {
    /// Returns a list without any block.
    pub fn empty() -> Self {
        Self { inputs: BTreeMap::new(), outputs: BTreeMap::new() }
    }

    /// Returns the crate's blocks.
    pub fn builtin() -> Self {
        let mut blocks =
            Self::empty().with_output::<Classes>().with_output::<Labels>().with_output::<Numbers>();
        blocks.inputs.extend(builtin_inputs());
        blocks
    }

    /// Adds a kind of block in front of inputs. It replaces one with the same `KIND`.
    #[must_use]
    pub fn with_input<B: InputBlock>(mut self) -> Self {
        self.inputs.insert(B::KIND.name(), crate::preprocessing::decode_input::<B>);
        self
    }

    /// Adds a kind of block behind outputs. It replaces one with the same `KIND`.
    #[must_use]
    pub fn with_output<B: OutputBlock>(mut self) -> Self {
        self.outputs.insert(B::KIND.name(), |bytes| {
            let block: B = codec::decode(bytes, B::KIND.name())?;
            Ok(Arc::new(block))
        });
        self
    }

    pub(super) fn input(&self, kind: &str, bytes: &[u8]) -> Result<Arc<dyn AnyInput>> {
        match self.inputs.get(kind) {
            Some(decode) => decode(bytes),
            None => Err(unknown_block(kind, self.inputs.keys().copied())),
        }
    }

    pub(super) fn output(&self, kind: &str, bytes: &[u8]) -> Result<Arc<dyn AnyOutput>> {
        match self.outputs.get(kind) {
            Some(decode) => decode(bytes),
            None => Err(unknown_block(kind, self.outputs.keys().copied())),
        }
    }
}

impl std::fmt::Debug for Blocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blocks")
            .field("inputs", &self.inputs.keys())
            .field("outputs", &self.outputs.keys())
            .finish()
    }
}
