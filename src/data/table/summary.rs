//! [`Summary`]: what the values of a column are, in a few numbers.

use super::Column;
use super::date_format::shown_date;
use super::origin::Remark;
use super::{ColumnType, Table};
use crate::shown::grouped;
use std::collections::HashSet;

/// The most categories for which no remark is made.
const MANY: usize = 100;
/// The fewest rows in which values that are all different are remarkable.
const FEW: usize = 20;

/// What the values of a column are.
pub(super) struct Summary {
    pub missing: usize,
    /// The number of different values; `None` if they are not told apart.
    pub distinct: Option<usize>,
    /// The smallest and the largest number.
    range: Option<(f64, f64)>,
    whole: bool,
    /// The most frequent words and how often each stands there.
    words: Vec<(String, usize)>,
}

impl Summary {
    pub fn of(column: &Column) -> Self {
        let missing = column.missing();
        let mut summary = Self { missing, distinct: None, range: None, whole: true, words: Vec::new() };
        if let Ok(numbers) = column.as_numbers() {
            let mut numbers: Vec<f64> = numbers.iter().copied().filter(|x| !x.is_nan()).collect();
            numbers.sort_unstable_by(f64::total_cmp);
            summary.range = numbers.first().copied().zip(numbers.last().copied());
            summary.whole = numbers.iter().all(|x| x.fract() == 0.0);
            let changes = numbers.windows(2).filter(|pair| pair[0] != pair[1]).count();
            summary.distinct = Some(changes + usize::from(!numbers.is_empty()));
            if let ColumnType::Boolean { no, yes } = column.column_type() {
                let yeses = numbers.iter().filter(|x| **x == 1.0).count();
                summary.words = vec![(no.clone(), numbers.len() - yeses), (yes.clone(), yeses)];
            }
        } else if let Ok(categories) = column.as_categories() {
            let mut counts = vec![0usize; categories.words().len()];
            categories.codes().flatten().for_each(|code| counts[code] += 1);
            let mut words: Vec<(&String, usize)> = categories.words().iter().zip(counts).collect();
            words.retain(|(_, count)| *count > 0);
            summary.distinct = Some(words.len());
            words.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
            summary.words = words.into_iter().take(8).map(|(word, count)| (word.clone(), count)).collect();
        } else if let Ok(texts) = column.as_texts() {
            let different: HashSet<&str> = texts.flatten().collect();
            summary.distinct = Some(different.len());
            let first = column.as_texts().ok().and_then(|mut texts| texts.find_map(|text| text));
            summary.words = first.map(|text| (text.to_owned(), 1)).into_iter().collect();
        }
        summary
    }

    /// Examples of the values, in about `width` letters.
    pub fn examples(&self, column_type: &ColumnType, width: usize) -> String {
        let text = match (column_type, self.range) {
            (ColumnType::Number, Some((low, high))) => format!("{} to {}", number(low), number(high)),
            (ColumnType::Date(format), Some((low, high))) => {
                format!("{} to {}, as {format}", shown_date(low), shown_date(high))
            }
            (ColumnType::Image | ColumnType::Array(_), _) => column_type.to_string(),
            (ColumnType::Text, _) => self.words.first().map_or(String::new(), |word| format!("{:?}", word.0)),
            _ => return self.counted(width),
        };
        short(&text, width)
    }

    /// The most frequent words with their numbers, as many as fit.
    fn counted(&self, width: usize) -> String {
        let once = self.words.first().is_none_or(|(_, count)| *count == 1);
        let (mut text, mut shown) = (String::new(), 0);
        for (word, count) in &self.words {
            let word = short(&word.replace(char::is_control, " "), width.saturating_sub(12).max(10));
            let count = if once { String::new() } else { format!(" {}", grouped(*count)) };
            let next = format!("{}{word}{count}", if shown > 0 { ", " } else { "" });
            if shown > 0 && text.chars().count() + next.chars().count() + 3 > width {
                break;
            }
            text += &next;
            shown += 1;
        }
        text + if shown < self.distinct.unwrap_or(0) { ", …" } else { "" }
    }
}

/// What is remarkable about the values of a table.
pub(super) fn remarks(table: &Table) -> Vec<Remark> {
    table.columns().flat_map(|column| of_column(column, table.rows())).collect()
}

fn of_column(column: &Column, rows: usize) -> Option<Remark> {
    let summary = Summary::of(column);
    let distinct = summary.distinct?;
    let present = rows - summary.missing;
    let words = matches!(column.column_type(), ColumnType::Category);
    let whole = *column.column_type() == ColumnType::Number && summary.whole;
    let leave = "`.ignore` leaves it out";
    let text = match distinct {
        0 => format!("each row is missing: {leave}"),
        1 if summary.missing == 0 && rows > 1 => format!("each row has the same value: {leave}"),
        1 if rows > 1 => "each row that is not missing has the same value".to_owned(),
        _ if (words || whole) && present >= FEW && distinct == present => {
            format!("no value occurs twice: an id? {leave}")
        }
        _ if words && distinct > MANY => format!("more than {MANY} different categories"),
        _ => return None,
    };
    Some(Remark::of(column.name(), text))
}

/// A number, without many digits.
fn number(x: f64) -> String {
    let (plain, short) = (x.to_string(), format!("{x:.6e}"));
    if plain.len() <= 12 { plain } else { short }
}

/// A text of at most `width` letters, with an ellipsis if it is longer.
pub(super) fn short(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        None => text.to_owned(),
        Some(_) => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
    }
}
