//! How errors and reports show what may be long: names, lists of names, what stands in a file.

use std::borrow::Cow;
use std::fmt::Display;

/// The first of these, and how many more there are: "a, b, c and 4 more".
pub(crate) fn listed<S: AsRef<str>>(names: &[S], most: usize) -> String {
    let first: Vec<String> = names.iter().take(most).map(|name| cut(name.as_ref()).into_owned()).collect();
    let more = names.len() - first.len();
    first.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
}

/// How many letters of a name or a value are shown.
const LETTERS: usize = 60;

/// A text as it is shown in a line or a cell: a long one is cut, with an ellipsis. What comes out of a file may be as long as
/// the file.
pub(crate) fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LETTERS) {
        None => text.into(),
        Some(_) => text.chars().take(LETTERS - 1).chain(['…']).collect(),
    }
}

/// How many lines a list below a report has at most.
pub(crate) const MOST_LINES: usize = 10;

/// The lines of a list of `total` things that hangs below a report: the first ones, and how many more there are.
pub(crate) fn lines<T: Display>(items: impl Iterator<Item = T>, total: usize) -> String {
    let more = total.saturating_sub(MOST_LINES);
    let first: String = items.take(MOST_LINES).map(|item| format!("\n  {item}")).collect();
    first + &if more > 0 { format!("\n  and {more} more") } else { String::new() }
}

/// "1 row", "2 rows".
pub(crate) fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// 101,770.
///
/// A comma before every third digit from the right.
pub(crate) fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_letters() {
        let (fits, long) = ("ö".repeat(60), "ö".repeat(61));
        assert_eq!((cut("dense"), cut(&fits)), ("dense".into(), fits.as_str().into()));
        assert_eq!(cut(&long), "ö".repeat(59) + "…");
        assert_eq!(listed(&["a", "b", "c", &long], 2), "a, b and 2 more");
    }
}
