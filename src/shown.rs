//! How errors and reports show what may be long: names, lists of names, what stands in a file.

use std::fmt::Display;

/// The first of these, and how many more there are: "a, b, c and 4 more".
pub(crate) fn listed<S: AsRef<str>>(names: &[S], most: usize) -> String {
    let first: Vec<String> = names.iter().take(most).map(|name| cut(name.as_ref(), 60)).collect();
    let more = names.len() - first.len();
    first.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
}

/// A text, with an ellipsis in place of what goes beyond so many characters.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
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
