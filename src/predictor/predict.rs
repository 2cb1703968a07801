//! The three stages of a prediction.

use super::answer::{Answer, AnswerValue};
use super::build::{PortInput, PortOutput, Predictor};
use super::classes::Classes;
use super::fields::{columns_of_rows, columns_of_table};
use super::labels::Labels;
use super::output::OutputBlock;
use super::prepared::Prepared;
use super::raw::Row;
use crate::data::{Column, Table};
use crate::error::{Error, Result};
use crate::nn::{Predict, Predictions};
use crate::predictions::nan_sample;
use crate::preprocessing::{Note, Notes};
use crate::shown::{cut, listed};
use crate::tensor::Tensor;
use ndarray::Array2;
use std::ops::Range;

/// The most numbers that are prepared at a time, 64 MiB, and the most rows.
const PIECE: usize = 1 << 24;
const MOST_ROWS: usize = 8_192;

impl Predictor {
    /// Returns the answer for one row: anything that becomes a [`Row`], such as a struct, a JSON object, or a single
    /// value for a predictor that takes one.
    ///
    /// # Errors
    /// When a value is missing from the row or has another type, cannot be prepared, or the model's output is not finite.
    pub fn predict(&self, row: impl Into<Row>) -> Result<Answer> {
        let mut answers = self.of_prepared(self.prepare(&[row.into()]), 0)?;
        answers.pop().ok_or_else(|| Error::custom("the predictor must give an answer, got none"))
    }

    /// Returns the answers for several rows, in order.
    ///
    /// # Errors
    /// As [`predict`](Predictor::predict); the error names the first faulty row, from 1.
    pub fn predict_many<R: Into<Row>>(&self, rows: impl IntoIterator<Item = R>) -> Result<Vec<Answer>> {
        let rows: Vec<Row> = rows.into_iter().map(Into::into).collect();
        self.in_pieces(rows.len(), |range| self.prepare_rows(&rows[range.clone()], range.start))
    }

    /// Returns the answers for the rows of a table, in order. Columns that the predictor does not take are ignored.
    ///
    /// # Errors
    /// When a column is missing or has another type, or as [`predict`](Predictor::predict).
    pub fn predict_table(&self, table: &Table) -> Result<Vec<Answer>> {
        self.in_pieces(table.rows(), |range| match range.len() == table.rows() {
            true => self.prepare_table(table),
            false => self.prepare_table(&table.select(&range.collect::<Vec<_>>())?),
        })
    }

    /// Answers some rows at a time, so that a large table of images does not have to be prepared as a whole.
    fn in_pieces(
        &self,
        rows: usize,
        prepare: impl Fn(Range<usize>) -> Result<Prepared>,
    ) -> Result<Vec<Answer>> {
        let numbers: usize =
            self.parts.inputs.iter().map(|input| input.block.shape().iter().product::<usize>()).sum();
        let piece = (PIECE / numbers.max(1)).clamp(1, MOST_ROWS);
        let mut answers = Vec::with_capacity(rows);
        for first in (0..rows).step_by(piece) {
            let prepared = prepare(first..rows.min(first + piece));
            answers.extend(self.of_prepared(prepared, first)?.into_iter().map(|mut answer| {
                answer.notes.iter_mut().for_each(|note| note.row += first);
                answer
            }));
        }
        Ok(answers)
    }

    /// `first` is the number of the first row, for errors.
    fn of_prepared(&self, prepared: Result<Prepared>, first: usize) -> Result<Vec<Answer>> {
        let prepared = prepared?;
        if prepared.rows == 0 {
            return Ok(Vec::new());
        }
        self.answer_from(&self.infer(&prepared)?, prepared.notes, first)
    }

    /// The first stage: prepares rows for the model.
    ///
    /// ```
    /// use plywood::predictor::Prepared;
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build()?;
    /// let predictor =
    ///     Predictor::new(model).input(Features::of_shape([2])).output(Classes::named(["no", "yes"])).build()?;
    /// let requests = [[1.0, 2.0], [3.0, 4.0]].map(|x| predictor.prepare(&[Row::from(x)]));
    /// let [first, second] = requests;
    /// let batch = Prepared::join(&[first?, second?])?;
    /// let outputs = predictor.infer(&batch)?;
    /// let answers = predictor.answer(&outputs, batch.notes().to_vec())?;
    /// assert_eq!(answers[1].probability(), predictor.predict([3.0, 4.0])?.probability());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a value is missing from a row, has another type, or cannot be prepared.
    pub fn prepare(&self, rows: &[Row]) -> Result<Prepared> {
        self.prepare_rows(rows, 0)
    }

    /// `first` is the number of the first row, for errors.
    fn prepare_rows(&self, rows: &[Row], first: usize) -> Result<Prepared> {
        let prepare = || {
            let columns = columns_of_rows(rows, first, &self.parts.fields, self.csv_form())?;
            self.prepare_columns(rows.len(), &columns.iter().collect::<Vec<_>>())
        };
        prepare().map_err(|error: Error| error.at("prepare"))
    }

    /// The first stage, for the rows of a table.
    ///
    /// # Errors
    /// When a column is missing or has another type, or a value cannot be prepared.
    pub fn prepare_table(&self, table: &Table) -> Result<Prepared> {
        let prepare = || {
            let columns = columns_of_table(table, &self.parts.fields)?;
            self.prepare_columns(table.rows(), &columns.iter().map(|column| &**column).collect::<Vec<_>>())
        };
        prepare().map_err(|error: Error| error.at("prepare"))
    }

    /// Prepares columns, which are those of the fields, in order.
    fn prepare_columns(&self, rows: usize, columns: &[&Column]) -> Result<Prepared> {
        let (mut inputs, mut all) = (Vec::with_capacity(self.parts.inputs.len()), Vec::new());
        for PortInput { port, block, fields, names } in &self.parts.inputs {
            let mut notes = Notes::new();
            let own: Vec<&Column> = fields.iter().map(|&field| columns[field]).collect();
            let mut encode = || {
                let tensor = block.encode(&own, &mut notes)?;
                let expected = [&[rows][..], &block.shape()].concat();
                if tensor.shape() != expected {
                    return Err(Error::shape(
                        "what the block makes",
                        format!("{expected:?}"),
                        tensor.shape(),
                    )
                    .help("A block's `encode` must return what its `shape` says, for each row."));
                }
                Ok(tensor)
            };
            let tensor = encode().map_err(|error: Error| match self.parts.inputs.len() {
                1 => error,
                _ => error.at(format!("input {}", cut(port))),
            })?;
            inputs.push((port.clone(), tensor));
            all.extend(notes.named(names));
        }
        Ok(Prepared { rows, inputs, notes: all })
    }

    /// The second stage: runs the model.
    ///
    /// # Errors
    /// When the rows were prepared by another predictor.
    pub fn infer(&self, prepared: &Prepared) -> Result<Predictions> {
        match prepared.inputs() {
            Some(inputs) => self.model.predict_named(inputs),
            None => Err(Error::custom("the prepared rows must have an input, got none")),
        }
    }

    /// The third stage: answers from the model's outputs. The notes are those of the first stage.
    ///
    /// # Errors
    /// When the predictions are those of another model, or one is not finite.
    pub fn answer(&self, predictions: &Predictions, notes: Vec<Note>) -> Result<Vec<Answer>> {
        self.answer_from(predictions, notes, 0)
    }

    /// Returns the probabilities of all classes, or of all labels, of an output, `[rows, names]`, in the order of their
    /// names.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build()?;
    /// let predictor =
    ///     Predictor::new(model).input(Features::of_shape([2])).output(Classes::named(["no", "yes"])).build()?;
    /// let outputs = predictor.infer(&predictor.prepare(&[Row::from([1.0, 2.0])])?)?;
    /// let all = predictor.probabilities(&outputs, "output")?;
    /// assert_eq!(all.dim(), (1, 2));
    /// assert!((all.sum() - 1.0).abs() < 1e-6);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there is no such output, it stands for something else, or an output is not finite.
    pub fn probabilities(&self, predictions: &Predictions, output: &str) -> Result<Array2<f32>> {
        let PortOutput { activation, block } = self.output_at(output)?;
        let kind = block.kind();
        let tensor = predictions.get(output)?;
        let block = block.as_any();
        let probabilities = if let Some(classes) = block.downcast_ref::<Classes>() {
            check_numbers(tensor, 0).and_then(|()| classes.all(tensor, *activation))
        } else if let Some(labels) = block.downcast_ref::<Labels>() {
            check_numbers(tensor, 0).and_then(|()| labels.all(tensor, *activation))
        } else {
            Err(Error::argument("the block of the output", "one of classes or labels", format!("{kind:?}"))
                .help("Read its answer: `Predictor::answer`."))
        };
        probabilities.map_err(|error| error.at(format!("output {}", cut(output))))
    }

    /// The activation and the block of an output.
    fn output_at(&self, output: &str) -> Result<&PortOutput> {
        let names = &self.parts.output_names;
        let place = names.iter().position(|name| **name == *output);
        place.map(|place| &self.parts.outputs[place]).ok_or_else(|| {
            let what = format!("the output {:?}", cut(output));
            Error::data(what, "be one of the predictor's", listed(names, 20)).help("Name one of these.")
        })
    }

    fn answer_from(&self, predictions: &Predictions, notes: Vec<Note>, first: usize) -> Result<Vec<Answer>> {
        let mut answers: Vec<Answer> = Vec::new();
        for (number, (name, output)) in self.parts.output_names.iter().zip(&self.parts.outputs).enumerate() {
            let tensor = predictions.get(name)?;
            let values =
                check_numbers(tensor, first).and_then(|()| output.block.answer(tensor, output.activation));
            let values = values.map_err(|error| match self.parts.outputs.len() {
                1 => error.at("answer"),
                _ => error.at(format!("answer, output {}", cut(name))),
            })?;
            if number == 0 {
                let names = &self.parts.output_names;
                let empty = |_| Answer {
                    names: names.clone(),
                    values: Vec::with_capacity(names.len()),
                    notes: Vec::new(),
                };
                answers = (0..values.len()).map(empty).collect();
            }
            if values.len() != answers.len() {
                let expected = format!("have an answer for each of {} rows", answers.len());
                return Err(Error::data(format!("the output {:?}", cut(name)), expected, values.len())
                    .help("A block's `answer` must return a value for each row."));
            }
            answers.iter_mut().zip(values).for_each(|(answer, value)| answer.values.push(value));
        }
        for note in notes {
            // Two inputs may take the same value.
            if let Some(answer) = answers.get_mut(note.row).filter(|answer| !answer.notes.contains(&note)) {
                answer.notes.push(note);
            }
        }
        Ok(answers)
    }

    /// The answers of an output with all classes, for scores.
    pub(crate) fn full_answers(&self, predictions: &Predictions, output: &str) -> Result<Vec<AnswerValue>> {
        let PortOutput { activation, block } = self.output_at(output)?;
        let output = predictions.get(output)?;
        match block.as_any().downcast_ref::<Classes>() {
            Some(classes) => classes.clone().top(usize::MAX).answer(output, *activation),
            None => block.answer(output, *activation),
        }
    }
}

/// Refuses outputs that are no numbers, of which no answer can be made. Infinity may be a logarithm or a logit.
fn check_numbers(output: &Tensor, first: usize) -> Result<()> {
    match nan_sample(output) {
        None => Ok(()),
        Some(row) => {
            Err(Error::data(format!("the output for row {}", first + row + 1), "be a number", "NaN")
                .help("Look at the values of the row, and at how the model was trained."))
        }
    }
}
