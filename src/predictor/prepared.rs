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
/// A server prepares each request on its own, [joins](Prepared::join) those that wait, infers once, and splits the
/// outputs by [`Predictions::rows`](crate::nn::Predictions::rows).
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

    /// Returns rows that need no preparation: a tensor for each input of a model, `[rows, …]`.
    ///
    /// ```
    /// use plywood::ndarray::ArrayD;
    /// use plywood::predictor::Prepared;
    ///
    /// let rows = Prepared::of_tensors([("photo", ArrayD::zeros(vec![2, 3, 16, 16])), ("row", ArrayD::zeros(vec![2, 1]))])?;
    /// assert_eq!(rows.rows(), 2);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there is no tensor, or the numbers of rows differ.
    pub fn of_tensors<N: Into<Arc<str>>>(inputs: impl IntoIterator<Item = (N, Tensor)>) -> Result<Self> {
        let inputs: Vec<(Arc<str>, Tensor)> =
            inputs.into_iter().map(|(name, tensor)| (name.into(), tensor)).collect();
        let rows = |tensor: &Tensor| tensor.shape().first().copied().unwrap_or(0);
        let Some(count) = inputs.first().map(|(_, tensor)| rows(tensor)) else {
            return Err(Error::argument("the inputs", "at least 1", "none").help("Give those of the model."));
        };
        match inputs.iter().find(|(_, tensor)| rows(tensor) != count) {
            None => Ok(Self { rows: count, inputs, notes: Vec::new() }),
            Some((name, tensor)) => {
                let what = format!("the input {:?}", cut(name));
                Err(Error::data(what, format!("have {count} rows as the first"), rows(tensor))
                    .help("Give as many rows for each input."))
            }
        }
    }

    /// Returns the rows of all, in order, which the same predictor has prepared. [`Predictor::prepare`] has an example.
    ///
    /// [`Predictor::prepare`]: super::Predictor::prepare
    ///
    /// # Errors
    /// When there are none, or their inputs differ in names or shapes.
    pub fn join<'a>(all: impl IntoIterator<Item = &'a Self>) -> Result<Self> {
        let all: Vec<&Self> = all.into_iter().collect();
        let Some(&first) = all.first() else {
            return Err(Error::argument("the rows to join", "those of at least 1 request", "none")
                .help("Join what was prepared."));
        };
        let names =
            |prepared: &Self| prepared.inputs.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        if let Some(other) = all.iter().find(|other| names(other) != names(first)) {
            let [expected, found] = [names(first), names(other)].map(|names| listed(&names, 20));
            return Err(Error::data("the inputs of the rows to join", format!("be {expected}"), found)
                .help("Join what the same predictor has prepared."));
        }
        let joined = first.inputs.iter().enumerate().map(|(place, (name, _))| {
            let parts: Vec<_> = all.iter().map(|prepared| prepared.inputs[place].1.view()).collect();
            Ok((name.clone(), concatenate(Axis(0), &parts).map_err(Error::custom)?))
        });
        let inputs = joined.collect::<Result<_>>()?;
        let (mut rows, mut notes) = (0, Vec::new());
        for prepared in all {
            notes.extend(prepared.notes.iter().map(|note| Note { row: note.row + rows, ..note.clone() }));
            rows += prepared.rows;
        }
        Ok(Self { rows, inputs, notes })
    }
}
