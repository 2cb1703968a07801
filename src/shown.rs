//! How errors and reports show texts that may be long: names, lists of names, contents of files.

use std::borrow::Cow;
use std::fmt::Display;

/// A type's name without its path and its type parameters: "Adam".
pub(crate) fn type_name<T: ?Sized>() -> &'static str {
    let path = std::any::type_name::<T>();
    let path = path.split('<').next().unwrap_or(path);
    path.rsplit("::").next().unwrap_or(path)
}

/// The first `most` names, and how many more there are: "a, b, c and 4 more".
pub(crate) fn listed<S: AsRef<str>>(names: &[S], most: usize) -> String {
    let first: Vec<String> = names.iter().take(most).map(|name| cut(name.as_ref()).into_owned()).collect();
    let more = names.len() - first.len();
    first.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
}

/// The maximum number of characters shown of a name or a value.
const LETTERS: usize = 60;

/// Names an input or output of a model in an error: "input photo", and "input" if that is its name.
pub(crate) fn port(what: &str, name: &str) -> String {
    if what == name { name.to_owned() } else { format!("{what} {}", cut(name)) }
}

/// A text as shown in a line or a cell: a long one is cut, with an ellipsis. A text read from a file may be as long as
/// the file.
pub(crate) fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LETTERS) {
        None => text.into(),
        Some(_) => text.chars().take(LETTERS - 1).chain(['…']).collect(),
    }
}

/// The maximum number of lines of a list below a report.
pub(crate) const MOST_LINES: usize = 10;

/// The lines of a list of `total` faults below a report: the first ones, and how many more there are. Each fault comes
/// as its text and its remedy; each remedy is given once, with the first fault that has it.
pub(crate) fn lines<'a>(faults: impl Iterator<Item = (String, &'a str)>, total: usize) -> String {
    let (mut said, mut out) = (Vec::new(), String::new());
    for (text, remedy) in faults.take(MOST_LINES) {
        out += &format!("\n  {text}");
        if !remedy.is_empty() && !said.contains(&remedy) {
            out += &format!(". {remedy}");
            said.push(remedy);
        }
    }
    let more = total.saturating_sub(MOST_LINES);
    out + &if more > 0 { format!("\n  and {more} more") } else { String::new() }
}

/// Formats a number with the digits of `f32` if it is an `f32` exactly: 0.2 instead of 0.20000000298023224.
pub(crate) fn short(number: f64) -> String {
    let single = number as f32;
    if f64::from(single) == number { single.to_string() } else { number.to_string() }
}

/// "1 row", "2 rows".
pub(crate) fn count<N: Display + PartialEq + From<u8>>(n: N, one: &str, many: &str) -> String {
    let noun = if n == N::from(1) { one } else { many };
    format!("{n} {noun}")
}

/// Formats a number with a comma before every third digit from the right: 101,770.
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

    #[test]
    fn a_remedy_is_said_once() {
        let fault = |i: usize| (format!("row {i}"), ["Fill it in.", "Count.", ""][[0, 0, 1, 0, 2][i % 5]]);
        let expected = "\n  row 0. Fill it in.\n  row 1\n  row 2. Count.\n  row 3\n  row 4";
        assert_eq!(lines((0..5).map(fault), 5), expected);
        let rest = "\n  row 5\n  row 6\n  row 7\n  row 8\n  row 9\n  and 2 more";
        assert_eq!(lines((0..12).map(fault), 12), format!("{expected}{rest}"));
    }
}
