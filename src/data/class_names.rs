//! Class names, as files and users give them.

use crate::error::{Error, Result};
use crate::shown::{MOST_LINES, count, cut, listed};
use unicode_normalization::UnicodeNormalization;

/// Trims spaces at the ends of names, or of marks for missing values, given by the user.
pub(in crate::data) fn trimmed<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Vec<String> {
    names.into_iter().map(|name| name.into().trim().to_owned()).collect()
}

/// Returns an error if a class name occurs twice.
pub(in crate::data) fn check_classes(names: &[String]) -> Result<()> {
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => Err(Error::data("the class names", "be distinct", format!("{:?} twice", pair[0]))
            .help("Give each class once.")),
    }
}

/// Lists the classes for an error message: "one of the 2 classes (a, b)".
pub(in crate::data) fn be_one_of(names: &[String]) -> String {
    match names {
        [only] => format!("be the only class, {}", cut(only)),
        _ => format!("be one of the {} classes ({})", names.len(), listed(names, 10)),
    }
}

/// Remarks on classes whose names usually mean a missing value, and on classes that look alike, with the number of
/// samples of each.
pub(in crate::data) fn remarks_on_classes(names: &[String], labels: &[usize]) -> Vec<String> {
    let marks = ["", "?", "na", "n/a", "nan", "null"];
    let rows = |class: usize| count(labels.iter().filter(|&&label| label == class).count(), "row", "rows");
    let strange = names.iter().enumerate().filter(|(_, name)| marks.contains(&&*name.to_lowercase()));
    let missing = |(class, name): (usize, &String)| {
        format!(
            "{name:?} is a class, of {}, and reads like a missing value; `missing([{name:?}])` counts it as one, and \
             a list of `classes` with it says that it is none.",
            rows(class)
        )
    };
    let mut remarks: Vec<String> = strange.map(missing).collect();
    let alike = look_alike(names);
    remarks.extend(alike.iter().take(MOST_LINES).map(|&[a, b]| {
        let [first, second] = [a, b].map(|class| names[class].escape_default().to_string());
        format!(
            "\"{}\" (of {}) and \"{}\" (of {}) look the same and are two classes. Write them alike in the data if they \
             are meant to be one.",
            cut(&first),
            rows(a),
            cut(&second),
            rows(b)
        )
    }));
    if alike.len() > MOST_LINES {
        remarks.push(format!("{} more pairs of classes look the same.", alike.len() - MOST_LINES));
    }
    remarks
}

/// Pairs of names that differ only in Unicode composition (é as one character, or as e and an accent) and in
/// zero-width characters.
fn look_alike(names: &[String]) -> Vec<[usize; 2]> {
    // Most lists are ASCII only, and a list is long if each row has a label of its own.
    if names.iter().all(|name| name.is_ascii()) {
        return Vec::new();
    }
    let no_width = |c: &char| matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}');
    let seen = |name: &String| {
        let letters: String = name.nfc().filter(|c| !no_width(c)).collect();
        letters.trim().nfc().collect::<String>()
    };
    let mut all: Vec<(String, usize)> = names.iter().map(seen).zip(0..).collect();
    all.sort_unstable();
    all.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| [pair[0].1, pair[1].1]).collect()
}
