//! [`OutputBlock`]: a model's output to an answer.

use super::answer::AnswerValue;
use crate::codec;
use crate::error::{Error, Result};
use crate::nn::OutputActivation;
use crate::shown::cut;
use crate::state::Kind;
use crate::tensor::Tensor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::collections::HashSet;
use std::fmt::Debug;

/// A step that makes the answer of an output of a model, and is saved with the model.
///
/// Its serde form is its form in files, so fields are never reordered. [`Classes`](super::Classes),
/// [`Labels`](super::Labels) and [`Numbers`](super::Numbers) are the crate's.
pub trait OutputBlock: Serialize + DeserializeOwned + Clone + Debug + Send + Sync + 'static {
    /// The name under which files store the block. It must be unique and never change.
    const KIND: Kind;

    /// Checks that an output of this shape (without the batch axis) and activation can be answered. It is called before
    /// training.
    ///
    /// # Errors
    /// When it cannot.
    fn check_output(&self, shape: &[usize], activation: OutputActivation) -> Result<()>;

    /// Returns the value for each row of an output, `[rows, …]`, of a model whose output passed the check.
    ///
    /// # Errors
    /// When a number is not finite.
    fn answer(&self, output: &Tensor, activation: OutputActivation) -> Result<Vec<AnswerValue>>;
}

/// Checks that names are not empty and different.
pub(super) fn check_names<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = HashSet::new();
    for name in names {
        if name.is_empty() || !seen.insert(name) {
            let found =
                if name.is_empty() { "an empty one".to_owned() } else { format!("{:?} twice", cut(name)) };
            return Err(
                Error::argument(what, "different and not empty", found).help("Name each of them once.")
            );
        }
    }
    Ok(())
}

/// An [`OutputBlock`] of any type.
pub(crate) trait AnyOutput: Debug + Send + Sync {
    fn kind(&self) -> &'static str;
    fn bytes(&self) -> Result<Vec<u8>>;
    fn check_output(&self, shape: &[usize], activation: OutputActivation) -> Result<()>;
    fn answer(&self, output: &Tensor, activation: OutputActivation) -> Result<Vec<AnswerValue>>;
    fn as_any(&self) -> &dyn Any;
}

impl<B: OutputBlock> AnyOutput for B {
    fn kind(&self) -> &'static str {
        B::KIND.name()
    }

    fn bytes(&self) -> Result<Vec<u8>> {
        codec::encode(self)
    }

    fn check_output(&self, shape: &[usize], activation: OutputActivation) -> Result<()> {
        OutputBlock::check_output(self, shape, activation)
    }

    fn answer(&self, output: &Tensor, activation: OutputActivation) -> Result<Vec<AnswerValue>> {
        OutputBlock::answer(self, output, activation)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
