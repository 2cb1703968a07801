//! Which form the dates of a column have.

use crate::data::table::DateFormat;
use std::sync::LazyLock;

/// The usual forms of a day.
const DAYS: [&str; 17] = [
    "%Y-%m-%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d.%m.%y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
];
/// Those of a time of day behind it.
const TIMES: [&str; 6] = ["", " %H:%M", " %H:%M:%S", "T%H:%M:%S", "T%H:%M:%SZ", "T%H:%M"];

static FORMS: LazyLock<Vec<DateFormat>> = LazyLock::new(|| {
    let all = DAYS.iter().flat_map(|day| TIMES.iter().map(move |time| format!("{day}{time}")));
    all.map(|form| DateFormat::new(form).expect("the forms are sound")).collect()
});

/// After so many values of which few are dates, a column is not one of them.
const TRIED: usize = 256;

/// What is known of the dates of a column.
#[derive(Debug, Default)]
pub(super) struct Dates {
    /// The forms that all dates so far have; `None` before the first.
    fitting: Option<Vec<u8>>,
    /// The row that left these.
    told: (usize, String),
    /// The form and the place of the first date that has none of these.
    other: Option<(u8, usize, String)>,
    /// The number of values that are dates in some form.
    pub dates: usize,
    values: usize,
    last: u8,
    /// The first value that is no date.
    pub odd: Option<(usize, String)>,
}

/// The form of the dates of a column.
pub(super) enum Found {
    None,
    One(DateFormat),
    /// All values are dates, but not in one form: two rows with the form of each.
    Mixed([(usize, String, String); 2]),
    /// All have several forms.
    Several(Vec<String>, (usize, String)),
}

impl Dates {
    /// Returns a form of a text that is a date.
    pub fn form_of(field: &[u8]) -> Option<&'static DateFormat> {
        let text = likely(field)?;
        FORMS.iter().find(|form| form.parse(text).is_some())
    }

    /// Takes a value that is no number.
    pub fn take(&mut self, field: &[u8], row: usize) {
        self.values += 1;
        if self.values > TRIED && self.dates * 2 < self.values {
            return;
        }
        let fits = |form: u8, text: &str| FORMS[form as usize].parse(text).is_some();
        let all = || 0..FORMS.len() as u8;
        let Some(text) =
            likely(field).filter(|text| fits(self.last, text) || all().any(|form| fits(form, text)))
        else {
            if self.odd.is_none() {
                let text = String::from_utf8_lossy(field);
                self.odd = Some((row, crate::shown::cut(&text).into_owned()));
            }
            return;
        };
        self.dates += 1;
        if self.other.is_some() {
            return;
        }
        let before = self.fitting.clone().unwrap_or_else(|| all().collect());
        let left: Vec<u8> = before.iter().copied().filter(|&form| fits(form, text)).collect();
        match left.first() {
            None => {
                let form = all().find(|&form| fits(form, text)).expect("it has a form");
                self.other = Some((form, row, text.to_owned()));
            }
            Some(&form) => {
                self.last = form;
                if left.len() < before.len() {
                    self.told = (row, text.to_owned());
                    self.fitting = Some(left);
                }
            }
        }
    }

    /// Returns what the dates are, if `count` values are there.
    pub fn found(&self, count: usize) -> Found {
        let name = |form: u8| FORMS[form as usize].to_string();
        let Some(fitting) = self.fitting.as_ref().filter(|_| self.dates == count) else { return Found::None };
        let (row, text) = &self.told;
        match (&self.other, &fitting[..]) {
            (Some((form, other, found)), [first, ..]) => {
                Found::Mixed([(*row, text.clone(), name(*first)), (*other, found.clone(), name(*form))])
            }
            (None, [one]) => Found::One(FORMS[*one as usize].clone()),
            (None, [_, _, ..]) => {
                Found::Several(fitting.iter().map(|&form| name(form)).collect(), self.told.clone())
            }
            _ => Found::None,
        }
    }

    /// The form of the most dates, for a remark.
    pub fn usual(&self) -> String {
        FORMS[self.last as usize].to_string()
    }
}

/// A text that may be a date, by its length and its bytes.
fn likely(field: &[u8]) -> Option<&str> {
    let text = field.trim_ascii();
    let sound = (6..=40).contains(&text.len())
        && text[0].is_ascii_alphanumeric()
        && text.iter().filter(|b| b.is_ascii_digit()).count() >= 3
        && text.iter().filter(|b| !b.is_ascii_alphanumeric()).count() >= 2;
    sound.then(|| str::from_utf8(text).ok()).flatten()
}
