//! Statistics of a column's numbers, in `f64`, from the sorted numbers: so they do not depend on the order of the rows.

use crate::data::TablePart;
use crate::error::{Error, Result};
use crate::shown::cut;

/// The numbers of a column that are there, sorted, and how many are missing.
pub(super) struct Sorted {
    pub numbers: Vec<f64>,
    pub missing: usize,
}

impl Sorted {
    /// Reads a column of numbers, booleans or dates. It takes 8 bytes for each row.
    ///
    /// # Errors
    /// When no row has a number.
    pub fn read(part: &TablePart, name: &str) -> Result<Self> {
        let (mut numbers, mut missing) = (Vec::with_capacity(part.len()), 0);
        part.each(&[name], |piece| {
            for &x in piece.column(name)?.as_numbers()? {
                match x.is_nan() {
                    true => missing += 1,
                    false => numbers.push(x + 0.0), // 0 for -0
                }
            }
            Ok(())
        })?;
        if numbers.is_empty() {
            return Err(no_values(name));
        }
        numbers.sort_unstable_by(f64::total_cmp);
        Ok(Self { numbers, missing })
    }

    /// Returns all numbers, sorted, with this one in place of each missing one.
    pub fn filled(self, fill: f64) -> Vec<f64> {
        let Self { mut numbers, missing } = self;
        let place = numbers.partition_point(|x| *x < fill);
        numbers.resize(numbers.len() + missing, fill);
        numbers[place..].rotate_right(missing);
        numbers
    }
}

/// The error for a column without values.
pub(super) fn no_values(name: &str) -> Error {
    Error::data(format!("column {:?}", cut(name)), "have a value in a row of the training part", "none")
        .help("Leave it out.")
}

/// Neumaier's compensated sum.
pub(super) fn sum(numbers: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0f64, 0.0);
    for x in numbers {
        let next = sum + x;
        lost += if sum.abs() >= x.abs() { (sum - next) + x } else { (x - next) + sum };
        sum = next;
    }
    sum + lost
}

/// Returns the mean.
pub(super) fn mean(sorted: &[f64]) -> f64 {
    sum(sorted.iter().copied()) / sorted.len() as f64
}

/// Returns the mean and the variance, the squares divided by the number of rows, in two passes with the correction of
/// Chan, Golub and LeVeque, as scikit-learn has it.
pub(super) fn moments(sorted: &[f64]) -> (f64, f64) {
    let (count, mean) = (sorted.len() as f64, mean(sorted));
    let off = sum(sorted.iter().map(|x| x - mean));
    let squares = sum(sorted.iter().map(|x| (x - mean) * (x - mean)));
    (mean, (squares - off * off / count) / count)
}

/// Returns the number in the middle, or the mean of the two there.
pub(super) fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted.len().is_multiple_of(2) {
        true => sorted[middle - 1].midpoint(sorted[middle]),
        false => sorted[middle],
    }
}

/// Returns the number that occurs most, the smallest of several.
pub(super) fn most_frequent(sorted: &[f64]) -> f64 {
    let runs = sorted.chunk_by(|a, b| a == b);
    runs.fold((0, 0.0), |best, run| if run.len() > best.0 { (run.len(), run[0]) } else { best }).1
}

/// Returns the number at a share of the ranks, from 0 to 1, with the roundings of NumPy's `percentile`.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len() - 1;
    let place = last as f64 * share;
    if place >= last as f64 {
        return sorted[last];
    }
    let (low, t) = (place.floor() as usize, place.fract());
    let (a, b) = (sorted[low], sorted[low + 1]);
    if t < 0.5 { a + (b - a) * t } else { b - (b - a) * (1.0 - t) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_filled_in_place() {
        let filled = |fill| Sorted { numbers: vec![1.0, 2.0, 4.0], missing: 2 }.filled(fill);
        assert_eq!(filled(2.0), [1.0, 2.0, 2.0, 2.0, 4.0]);
        assert_eq!(filled(9.0), [1.0, 2.0, 4.0, 9.0, 9.0]);
        assert_eq!(filled(0.0), [0.0, 0.0, 1.0, 2.0, 4.0]);
    }

    #[test]
    fn sums_lose_nothing_that_matters() {
        assert_eq!(sum([1e16, 1.0, 1.0, -1e16].into_iter()), 2.0);
        let (mean, variance) = moments(&[1e9, 1e9 + 1.0, 1e9 + 2.0]);
        assert_eq!((mean, variance), (1e9 + 1.0, 2.0 / 3.0));
    }

    #[test]
    fn middles_and_modes() {
        assert_eq!((median(&[1.0, 2.0, 9.0]), median(&[1.0, 2.0, 4.0, 9.0])), (2.0, 3.0));
        assert_eq!(median(&[f64::MAX, f64::MAX]), f64::MAX);
        assert_eq!(most_frequent(&[1.0, 2.0, 2.0, 3.0, 3.0]), 2.0);
        assert_eq!((quantile(&[1.0, 2.0, 4.0], 0.75), quantile(&[1.0, 2.0, 4.0], 1.0)), (3.0, 4.0));
    }
}
