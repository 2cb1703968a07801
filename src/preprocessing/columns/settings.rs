//! [`ColumnSettings`], [`Fill`], [`Scaling`]: how a column becomes numbers.

use crate::error::{Error, Result};

/// What stands for a missing number.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fill {
    /// The median of the training part, the default. It does not move with outliers.
    Median,
    /// The mean of the training part.
    Mean,
    /// The number that occurs most in the training part; of several the smallest.
    MostFrequent,
    /// This number.
    Constant(f64),
}

/// How numbers are brought to the same scale. All statistics are those of the training part, after filling.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Scaling {
    /// `(x - mean) / deviation`, the default: scikit-learn's `StandardScaler`.
    Standard,
    /// `(x - min) / (max - min) · (high - low) + low`: scikit-learn's `MinMaxScaler`. Numbers beyond the range of
    /// training lie outside.
    MinMax {
        /// What the smallest number of training becomes.
        low: f64,
        /// What the largest number of training becomes.
        high: f64,
    },
    /// The share of the numbers of training that are smaller, from 0 to 1, between the given number of quantiles:
    /// scikit-learn's `QuantileTransformer(subsample=None)`. It makes any distribution uniform, and suits long tails.
    Quantile {
        /// The number of quantiles that are stored, 2 to 100,000; at most one for each row is used. 1,000 is usual.
        quantiles: usize,
    },
    /// The numbers as they are.
    None,
}

/// Settings of one column, which go before those of all; [`Columns::column`](super::Columns::column) passes them to its
/// closure.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct ColumnSettings {
    fill: Option<Fill>,
    scaling: Option<Scaling>,
    log: bool,
    indicator: Option<bool>,
    ordinal: Option<bool>,
    min_count: Option<usize>,
    max_categories: Option<usize>,
}

impl ColumnSettings {
    /// Sets what stands for a missing number.
    pub fn fill(mut self, fill: Fill) -> Self {
        self.fill = Some(fill);
        self
    }

    /// Sets how numbers are scaled.
    pub fn scaling(mut self, scaling: Scaling) -> Self {
        self.scaling = Some(scaling);
        self
    }

    /// Takes `ln(1 + x)` of the numbers, after filling and before scaling: for amounts that differ by factors. Numbers
    /// of -1 and below are errors.
    pub fn log(mut self) -> Self {
        self.log = true;
        self
    }

    /// Sets whether a column with gaps in the training part has one more number, 1 where a value is missing and
    /// otherwise 0.
    pub fn indicator(mut self, indicator: bool) -> Self {
        self.indicator = Some(indicator);
        self
    }

    /// Makes categories one number: their position in alphabetical order, from 0; -1 for unknown, -2 for missing.
    pub fn ordinal(mut self) -> Self {
        self.ordinal = Some(true);
        self
    }

    /// Makes categories one number for each, of which one is 1; the default.
    pub fn one_hot(mut self) -> Self {
        self.ordinal = Some(false);
        self
    }

    /// Sets in how many rows a category must occur to have a place of its own; the default is 1.
    pub fn min_count(mut self, rows: usize) -> Self {
        self.min_count = Some(rows);
        self
    }

    /// Sets the most categories that there may be; the default is 10,000.
    pub fn max_categories(mut self, categories: usize) -> Self {
        self.max_categories = Some(categories);
        self
    }

    /// Returns these settings where they are given, and the others elsewhere.
    pub(super) fn or(&self, others: &Self) -> Chosen {
        Chosen {
            fill: self.fill.or(others.fill).unwrap_or(Fill::Median),
            scaling: self.scaling.or(others.scaling).unwrap_or(Scaling::Standard),
            log: self.log || others.log,
            indicator: self.indicator.or(others.indicator).unwrap_or(true),
            ordinal: self.ordinal.or(others.ordinal).unwrap_or(false),
            min_count: self.min_count.or(others.min_count).unwrap_or(1),
            max_categories: self.max_categories.or(others.max_categories).unwrap_or(10_000),
        }
    }

    pub(super) fn has_log(&self) -> bool {
        self.log
    }

    /// Returns the name of a setting that only numbers have, if one is set.
    pub(super) fn of_numbers(&self) -> Option<&'static str> {
        let log = self.log.then_some("log");
        log.or(self.fill.map(|_| "fill")).or(self.scaling.map(|_| "scaling"))
    }

    /// Returns the name of a setting that only categories have, if one is set.
    pub(super) fn of_categories(&self) -> Option<&'static str> {
        let form = self.ordinal.map(|ordinal| if ordinal { "ordinal" } else { "one_hot" });
        let least = self.min_count.map(|_| "min_count");
        form.or(least).or(self.max_categories.map(|_| "max_categories"))
    }
}

/// The settings of a column, complete.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chosen {
    pub fill: Fill,
    pub scaling: Scaling,
    pub log: bool,
    pub indicator: bool,
    pub ordinal: bool,
    pub min_count: usize,
    pub max_categories: usize,
}

impl Chosen {
    /// Fails if a setting is out of range.
    pub fn check(&self) -> Result<()> {
        if let Fill::Constant(x) = self.fill
            && !x.is_finite()
        {
            return Err(Error::argument("the constant to fill with", "a finite number", x)
                .help("0 is usual, with an indicator beside it."));
        }
        match self.scaling {
            Scaling::MinMax { low, high } if !(low < high && (high - low).is_finite()) => {
                let found = format!("{low} to {high}");
                Err(Error::argument("the range", "a lower and a higher finite number", found)
                    .help("0 to 1 and -1 to 1 are usual."))
            }
            Scaling::Quantile { quantiles } if !(2..=MOST_QUANTILES).contains(&quantiles) => {
                let expected = format!("from 2 to {MOST_QUANTILES}");
                Err(Error::argument("quantiles", expected, quantiles).help("1000 is usual."))
            }
            _ => Ok(()),
        }
    }
}

/// The most quantiles of a column.
pub(super) const MOST_QUANTILES: usize = 100_000;
