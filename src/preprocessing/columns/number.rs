//! [`Number`]: a column of numbers or booleans, fitted.

use super::super::place::too_large;
use super::rows::Rows;
use super::scale::Scale;
use super::settings::{Chosen, Fill};
use super::statistics::{Sorted, mean, median, most_frequent};
use crate::codec::contradicts;
use crate::data::TablePart;
use crate::error::{Error, Result};
use crate::preprocessing::{Notes, Remark};
use crate::shown::cut;
use serde::{Deserialize, Serialize};

/// A fitted column of numbers or booleans: fill, logarithm, scaling, and whether a value was missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Number {
    /// What stands for a missing number, before the logarithm.
    #[serde(with = "crate::codec::words")]
    fill: f64,
    /// The smallest number of training.
    #[serde(with = "crate::codec::words")]
    low: f64,
    /// The largest number of training.
    #[serde(with = "crate::codec::words")]
    high: f64,
    log: bool,
    scale: Scale,
    indicator: bool,
}

/// The error for a number whose logarithm is not finite.
fn no_logarithm(what: String, number: f64) -> Error {
    Error::data(what, "be above -1, as the logarithm of 1 + x is taken", number)
        .help("Correct the number, or leave `log` out.")
}

impl Number {
    /// Fits on a column. For booleans the fill is a number that occurs, and there is no logarithm.
    pub fn fit(part: &TablePart, name: &str, boolean: bool, chosen: &Chosen) -> Result<Self> {
        let sorted = Sorted::read(part, name)?;
        let numbers = &sorted.numbers;
        let (low, high, missing) = (numbers[0], numbers[numbers.len() - 1], sorted.missing);
        let fill = match chosen.fill {
            Fill::Median if !boolean => median(numbers),
            Fill::Median | Fill::MostFrequent => most_frequent(numbers),
            Fill::Mean => mean(numbers),
            Fill::Constant(x) => x,
        };
        let what = format!("column {:?}", cut(name));
        if !fill.is_finite() {
            return Err(Error::data(what, "have a mean that is finite", fill).help("Divide the numbers."));
        }
        let log = chosen.log && !boolean;
        let mut filled = sorted.filled(fill);
        if log {
            // The fill counts, too, if nothing is missing yet.
            let lowest = filled[0].min(fill);
            if lowest <= -1.0 {
                return Err(no_logarithm(what, lowest));
            }
            filled.iter_mut().for_each(|x| *x = x.ln_1p());
        }
        let scale = Scale::fit(&filled, chosen.scaling, &what)?;
        if !(scale.apply(if log { fill.ln_1p() } else { fill }) as f32).is_finite() {
            return Err(Error::data(
                format!("what fills {what}"),
                "be finite in f32 when it is scaled",
                fill,
            )
            .help("Fill with a number of the size of the others."));
        }
        Ok(Self { fill, low, high, log, scale, indicator: chosen.indicator && missing > 0 })
    }

    pub fn width(&self) -> usize {
        1 + usize::from(self.indicator)
    }

    pub fn names(&self, column: &str) -> Vec<String> {
        let indicator = self.indicator.then(|| format!("{column} missing"));
        [column.to_owned()].into_iter().chain(indicator).collect()
    }

    pub fn check(&self) -> Result<()> {
        let finite = self.fill.is_finite() && self.low.is_finite() && self.high.is_finite();
        if !finite || self.low > self.high || (self.log && (self.low <= -1.0 || self.fill <= -1.0)) {
            let found = format!("{}, {} to {}", self.fill, self.low, self.high);
            return Err(contradicts("the column of numbers", "have a finite fill and range in order", found));
        }
        self.scale.check()
    }

    pub fn encode(&self, numbers: &[f64], mut rows: Rows, notes: &mut Notes) -> Result<()> {
        let source = rows.source;
        for ((row, out), &x) in rows.each().zip(numbers) {
            let missing = x.is_nan();
            if missing {
                source.note(notes, row, Remark::Missing);
            } else if x < self.low || x > self.high {
                source.note(notes, row, Remark::OutOfRange(x.to_string()));
            }
            let filled = if missing { self.fill } else { x };
            let plain = match self.log {
                false => filled,
                true if filled <= -1.0 => return Err(no_logarithm(source.column.place(row), x)),
                true => filled.ln_1p(),
            };
            let number = self.scale.apply(plain) as f32;
            if !number.is_finite() {
                return Err(too_large(source.column, row, x));
            }
            out[0] = number;
            if self.indicator {
                out[1] = f32::from(u8::from(missing));
            }
        }
        Ok(())
    }
}
