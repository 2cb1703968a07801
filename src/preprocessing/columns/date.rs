//! [`Date`]: a column of dates, fitted.

use super::super::place::too_large;
use super::rows::Rows;
use super::scale::Scale;
use super::settings::{Chosen, Fill};
use super::statistics::{Sorted, most_frequent};
use crate::codec::contradicts;
use crate::data::{TablePart, date_parts, iso_date};
use crate::error::Result;
use crate::preprocessing::{Notes, Remark};
use crate::shown::cut;
use serde::{Deserialize, Serialize};

/// The names of the parts of a date. The days are since 1970-01-01, with the time of day as a fraction.
const PARTS: [&str; 5] = ["days", "year", "month", "weekday", "hour"];

/// The parts of a date in seconds since 1970-01-01.
fn parts(seconds: f64) -> [f64; 5] {
    let [year, month, weekday, hour] = date_parts(seconds).map(|part| part as f64);
    [seconds / 86_400.0, year, month, weekday, hour]
}

/// A fitted column of dates: the parts that vary, each scaled, and whether a date was missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Date {
    /// What stands for a missing date, in seconds since 1970-01-01.
    #[serde(with = "crate::codec::words")]
    fill: f64,
    /// The first date of training.
    #[serde(with = "crate::codec::words")]
    low: f64,
    /// The last date of training.
    #[serde(with = "crate::codec::words")]
    high: f64,
    /// For each of [`PARTS`] its scaling; `None` for a part that is the same in all dates of training.
    scales: [Option<Scale>; 5],
    indicator: bool,
}

impl Date {
    /// Fits on a column. The fill is a date that occurs: the median, the earlier of two.
    pub fn fit(part: &TablePart, name: &str, chosen: &Chosen) -> Result<Self> {
        let sorted = Sorted::read(part, name)?;
        let numbers = &sorted.numbers;
        let (low, high, missing) = (numbers[0], numbers[numbers.len() - 1], sorted.missing);
        let fill = match chosen.fill {
            Fill::MostFrequent => most_frequent(numbers),
            _ => numbers[(numbers.len() - 1) / 2],
        };
        drop(sorted);
        let what = format!("column {:?}", cut(name));
        let mut scales = [const { None }; 5];
        // Read again for each part, so that there is one list of numbers at a time.
        for (i, scale) in scales.iter_mut().enumerate() {
            let mut numbers = Sorted::read(part, name)?.filled(fill);
            numbers.iter_mut().for_each(|x| *x = parts(*x)[i]);
            numbers.sort_unstable_by(f64::total_cmp);
            if i == 0 || numbers[0] < numbers[numbers.len() - 1] {
                *scale = Some(Scale::fit(&numbers, chosen.scaling, &what)?);
            }
        }
        Ok(Self { fill, low, high, scales, indicator: chosen.indicator && missing > 0 })
    }

    pub fn width(&self) -> usize {
        self.scales.iter().flatten().count() + usize::from(self.indicator)
    }

    pub fn names(&self, column: &str) -> Vec<String> {
        let used = PARTS.iter().zip(&self.scales).filter(|(_, scale)| scale.is_some()).map(|(part, _)| *part);
        used.chain(self.indicator.then_some("missing")).map(|part| format!("{column} {part}")).collect()
    }

    pub fn check(&self) -> Result<()> {
        let finite = self.fill.is_finite() && self.low.is_finite() && self.high.is_finite();
        if !finite || self.low > self.high || self.scales[0].is_none() {
            let found = format!("{}, {} to {}", self.fill, self.low, self.high);
            return Err(contradicts("the column of dates", "have days, a fill and a range in order", found));
        }
        self.scales.iter().flatten().try_for_each(Scale::check)
    }

    pub fn encode(&self, seconds: &[f64], mut rows: Rows, notes: &mut Notes) -> Result<()> {
        let source = rows.source;
        for ((row, out), &x) in rows.each().zip(seconds) {
            let missing = x.is_nan();
            if missing {
                source.note(notes, row, Remark::Missing);
            } else if x < self.low || x > self.high {
                source.note(notes, row, Remark::OutOfRange(iso_date(x)));
            }
            let parts = parts(if missing { self.fill } else { x });
            let mut out = out.iter_mut();
            for (scale, part) in self.scales.iter().zip(parts) {
                if let Some(scale) = scale
                    && let Some(out) = out.next()
                {
                    *out = scale.apply(part) as f32;
                    if !out.is_finite() {
                        return Err(too_large(source.column, row, x));
                    }
                }
            }
            if self.indicator
                && let Some(out) = out.next()
            {
                *out = f32::from(u8::from(missing));
            }
        }
        Ok(())
    }
}
