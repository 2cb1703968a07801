//! Columns that alone tell nearly every target: often they are known only afterwards.

use super::target::RawTarget;
use crate::data::{Column, ColumnType, Table};
use crate::shown::cut;
use std::collections::HashMap;

/// The share of classes, or of the variance, from which on a column is remarked.
const NEARLY_ALL: f64 = 0.95;

/// The share of what the most frequent class gets wrong that such a column must get right.
const OF_ERRORS: f64 = 0.6;

/// A remark for each of these columns that alone tells nearly every target in these rows.
pub(super) fn remarks(table: &Table, names: &[String], target: &RawTarget, rows: &[usize]) -> Vec<String> {
    let columns = names.iter().filter_map(|name| table.column(name).ok());
    let told = columns.filter_map(|column| Some((column.name(), told(column, target, rows)?)));
    told.map(|(name, told)| {
        format!("column {:?} alone tells {told}: leave it out if it is known only afterwards", cut(name))
    })
    .collect()
}

/// What a column tells, if it is nearly everything.
fn told(column: &Column, target: &RawTarget, rows: &[usize]) -> Option<String> {
    match target {
        RawTarget::Classes { labels, names } => {
            let rows: Vec<(u64, usize)> =
                rows.iter().filter_map(|&row| Some((value(column, row)?, labels[row]?))).collect();
            let mut by_value: HashMap<u64, HashMap<usize, usize>> = HashMap::new();
            let mut all = vec![0; names.len()];
            for &(value, label) in &rows {
                *by_value.entry(value).or_default().entry(label).or_default() += 1;
                all[label] += 1;
            }
            // Of each value the most frequent class, but a value that occurs once tells nothing.
            let right = by_value
                .values()
                .filter_map(|classes| classes.values().max().filter(|_| classes.values().sum::<usize>() > 1));
            let (count, right) = (rows.len() as f64, right.sum::<usize>() as f64);
            let most = all.iter().copied().max()? as f64;
            let is_telling =
                right >= NEARLY_ALL * count && right - most >= OF_ERRORS * (count - most) && most < count;
            is_telling.then(|| format!("{:.3} of the classes", right / count))
        }
        RawTarget::Numbers { numbers, units: 1, are_labels: false }
            if *column.column_type() == ColumnType::Number =>
        {
            let own = column.as_numbers().ok()?;
            let pairs =
                rows.iter().map(|&row| (own[row], numbers[row])).filter(|(x, y)| !x.is_nan() && !y.is_nan());
            let pairs: Vec<(f64, f64)> = pairs.collect();
            let count = pairs.len() as f64;
            let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / count;
            let (x, y) = (mean(|pair| pair.0), mean(|pair| pair.1));
            let sum = |of: &dyn Fn(f64, f64) -> f64| {
                pairs.iter().map(|pair| of(pair.0 - x, pair.1 - y)).sum::<f64>()
            };
            let (both, left, right) = (sum(&|x, y| x * y), sum(&|x, _| x * x), sum(&|_, y| y * y));
            let share = both * both / (left * right);
            (share >= NEARLY_ALL && pairs.len() > 2)
                .then(|| format!("{share:.3} of the variance of the numbers"))
        }
        _ => None,
    }
}

/// A number for the value of a row, the same for equal ones; `None` for a column without values to compare.
fn value(column: &Column, row: usize) -> Option<u64> {
    match column.column_type() {
        ColumnType::Category => {
            let code = column.as_categories().ok()?.code(row);
            Some(code.map_or(u64::MAX, |code| code as u64))
        }
        ColumnType::Number | ColumnType::Boolean { .. } | ColumnType::Date(_) => {
            Some(column.as_numbers().ok()?[row].to_bits())
        }
        _ => None,
    }
}
