//! [`Predictor::evaluate`]: the scores of a predictor's answers for the rows of a table.

use super::scores::add_scores;
use super::target::TargetSpec;
use crate::data::Table;
use crate::error::{Error, Result};
use crate::predictor::Predictor;
use crate::shown::{grouped, listed};
use std::fmt;

/// The scores of a predictor's answers: [`Predictor::evaluate`]. They print as a line for each.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    rows: usize,
    /// The number of rows without a target.
    left_out: usize,
    values: Vec<(String, f64)>,
}

impl Scores {
    /// Returns the number of rows that have a target.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the score with this name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.values().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Returns the names and values of all scores.
    pub fn values(&self) -> impl ExactSizeIterator<Item = (&str, f64)> {
        self.values.iter().map(|(name, value)| (name.as_str(), *value))
    }
}

impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "measured on {} rows", grouped(self.rows))?;
        if self.left_out > 0 {
            write!(f, ", {} without a target left out", grouped(self.left_out))?;
        }
        let width = self.values().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        self.values().try_for_each(|(name, value)| write!(f, "\n{name:width$}  {value:.4}"))
    }
}

impl Predictor {
    /// Compares the answers for the rows of a table with the targets in its columns: on a test file, or in use once the
    /// truth is known.
    ///
    /// ```
    /// use plywood::data::{Column, Table};
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([1]).layer(Dense::units(2)).layer(Softmax).build()?; // trained
    /// let predictor = Predictor::new(model)
    ///     .input(Features::named(["x"]))
    ///     .output(Classes::named(["low", "high"]))
    ///     .build()?;
    /// let kinds = Column::categories("kind", [Some("low"), Some("high"), None]);
    /// let test = Table::new([Column::numbers("x", [1.0, 2.0, 3.0])?, kinds])?;
    /// let scores = predictor.evaluate(&test, Classes::column("kind"))?;
    /// assert_eq!((scores.rows(), scores.get("accuracy")), (2, Some(0.5)));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// The scores are those of [`Recipe::cross_validate`](super::Recipe::cross_validate), without losses. A class that the
    /// predictor does not know counts as answered wrongly, with the probability 0. Rows without a target do not count.
    ///
    /// # Errors
    /// When the predictor has several outputs ([`evaluate_output`](Predictor::evaluate_output) takes one), the targets are
    /// not those of the output, no row has one, or as [`predict_table`](Predictor::predict_table).
    pub fn evaluate(&self, table: &Table, target: impl Into<TargetSpec>) -> Result<Scores> {
        match self.model().outputs() {
            [output] => self.evaluate_output(table, output.name(), target),
            outputs => {
                let names: Vec<&str> = outputs.iter().map(|output| output.name()).collect();
                Err(Error::argument(
                    "the output to evaluate",
                    "named, as there are several",
                    listed(&names, 20),
                )
                .help("Call `evaluate_output` with one of these names."))
            }
        }
    }

    /// [`evaluate`](Predictor::evaluate) for one of several outputs.
    ///
    /// # Errors
    /// As [`evaluate`](Predictor::evaluate), and when there is no such output.
    pub fn evaluate_output(
        &self,
        table: &Table,
        output: &str,
        target: impl Into<TargetSpec>,
    ) -> Result<Scores> {
        let evaluate = || {
            let raw = target.into().read(table, 0)?;
            let rows: Vec<usize> = (0..table.rows()).filter(|&row| !raw.is_missing(row)).collect();
            if rows.is_empty() {
                return Err(Error::data("the table", "have a row with a target", "none")
                    .help("Look at how the column was read."));
            }
            let prepared = self.prepare_table(&table.select(&rows)?)?;
            let mut values = Vec::new();
            add_scores(&mut values, self, &self.infer(&prepared)?, &[(output, &raw)], &rows)?;
            Ok(Scores { rows: rows.len(), left_out: table.rows() - rows.len(), values })
        };
        evaluate().map_err(|error: Error| error.at("evaluate"))
    }
}
