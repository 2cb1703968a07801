//! [`Prepared`]: rows as inputs of a model.

use crate::error::{Error, Result};
use crate::nn::Inputs;
use crate::preprocessing::Note;
use crate::shown::{cut, listed};
use crate::tensor::Tensor;
use ndarray::{Axis, concatenate};
use std::sync::Arc;

/// Rows that are prepared for a model: a tensor for each of its inputs, and notes for the answers.
///
/// A server prepares each request on its own, [appends](Prepared::append) what arrives within some milliseconds, infers
/// once, and splits the answers.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub(super) rows: usize,
    /// By the name of the model's input.
    pub(super) inputs: Vec<(Arc<str>, Tensor)>,
    pub(super) notes: Vec<Note>,
}

impl Prepared {
    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the tensor for an input of the model, `[rows, …]`.
    ///
    /// # Errors
    /// When there is no such input.
    pub fn get(&self, input: &str) -> Result<&Tensor> {
        match self.inputs.iter().find(|(name, _)| &**name == input) {
            Some((_, tensor)) => Ok(tensor),
            None => {
                let names: Vec<&str> = self.inputs.iter().map(|(name, _)| &**name).collect();
                let what = format!("the input {:?}", cut(input));
                Err(Error::data(what, "be one of the model's", listed(&names, 20)).help("Name one of these."))
            }
        }
    }

    /// Returns the tensors by the names of the inputs, as [`Predict::predict_named`](crate::nn::Predict::predict_named)
    /// takes them.
    pub fn inputs(&self) -> Option<Inputs<'_>> {
        let mut inputs = self.inputs.iter();
        let (name, tensor) = inputs.next()?;
        Some(inputs.fold(Inputs::of(name, tensor), |inputs, (name, tensor)| inputs.and(name, tensor)))
    }

    /// Returns what was filled, unknown, cut or resized, by row.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Appends the rows of another, which the same predictor has prepared.
    ///
    /// # Errors
    /// When the inputs differ.
    pub fn append(&mut self, other: Self) -> Result<()> {
        let names =
            |prepared: &Self| prepared.inputs.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        if names(self) != names(&other) {
            let [expected, found] = [names(self), names(&other)].map(|names| listed(&names, 20));
            return Err(Error::data("the inputs of the rows to append", format!("be {expected}"), found)
                .help("Append what the same predictor has prepared."));
        }
        let joined = self.inputs.iter().zip(&other.inputs).map(|((name, first), (_, second))| {
            let both = concatenate(Axis(0), &[first.view(), second.view()]);
            Ok((name.clone(), both.map_err(Error::custom)?))
        });
        self.inputs = joined.collect::<Result<_>>()?;
        let shifted = other.notes.into_iter().map(|note| Note { row: note.row + self.rows, ..note });
        self.notes.extend(shifted);
        self.rows += other.rows;
        Ok(())
    }
}
