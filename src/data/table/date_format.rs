//! [`DateFormat`]: dates in texts, as seconds since 1970-01-01.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The form of dates in texts, as in Python's `strptime`: `"%d.%m.%Y"`.
///
/// | | |
/// |---|---|
/// | `%Y` | the year, 4 digits |
/// | `%y` | the year, 2 digits: 69 to 99 are 1969 to 1999, 00 to 68 are 2000 to 2068 |
/// | `%m` | the month, 1 or 2 digits |
/// | `%b` | the month, in English, as its first 3 letters |
/// | `%B` | the month, in English, written out |
/// | `%d` | the day, 1 or 2 digits |
/// | `%H`, `%M`, `%S` | hour, minute, second, 1 or 2 digits; a second may have decimals, which are dropped |
/// | `%%` | a percent sign |
/// | anything else | itself |
///
/// ```
/// use plywood::data::DateFormat;
///
/// let german = DateFormat::new("%d.%m.%Y")?;
/// assert_eq!(german.parse("2.1.1970"), Some(86_400.0)); // seconds since 1970-01-01
/// assert_eq!(german.parse("30.2.2024"), None); // there is no such day
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Dates have no time zone: a day has 86,400 seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DateFormat(String);

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

impl DateFormat {
    /// Makes a format.
    ///
    /// # Errors
    /// When it has no year, month or day, has one of them twice, or has a letter behind `%` that is not in the table.
    pub fn new(format: impl Into<String>) -> Result<Self> {
        let format = format.into();
        let (mut letters, mut given) = (Vec::new(), format.chars());
        while let Some(c) = given.next() {
            if c == '%' {
                letters.push(given.next().unwrap_or(' '));
            }
        }
        let times = |some: &str| letters.iter().filter(|letter| some.contains(**letter)).count();
        let known = letters.iter().all(|letter| "YymbBdHMS%".contains(*letter));
        let sound = known && ["Yy", "mbB", "d"].iter().all(|some| times(some) == 1);
        if !sound || ["H", "M", "S"].iter().any(|some| times(some) > 1) {
            let expected = "year, month and day once each, such as \"%Y-%m-%d\" or \"%d/%m/%Y %H:%M\"";
            return Err(Error::argument("the format of dates", expected, format!("{format:?}"))
                .help("Known are %Y %y %m %b %B %d %H %M %S."));
        }
        Ok(Self(format))
    }

    /// Returns the seconds from 1970-01-01 to the date; `None` if the text has another form, or there is no such date.
    pub fn parse(&self, text: &str) -> Option<f64> {
        let (mut year, mut month, mut day) = (0, 0, 0);
        let (mut hour, mut minute, mut second) = (0, 0, 0);
        let mut rest = text.trim_ascii();
        let mut format = self.0.chars();
        while let Some(c) = format.next() {
            let letter = if c == '%' { format.next()? } else { ' ' };
            match (c, letter) {
                ('%', 'Y') => year = digits(&mut rest, 4, 4)?,
                ('%', 'y') => {
                    let short = digits(&mut rest, 2, 2)?;
                    year = short + if short < 69 { 2_000 } else { 1_900 };
                }
                ('%', 'm') => month = digits(&mut rest, 1, 2)?,
                ('%', 'b') => month = named(&mut rest, |month| &month[..3])?,
                ('%', 'B') => month = named(&mut rest, |month| month)?,
                ('%', 'd') => day = digits(&mut rest, 1, 2)?,
                ('%', 'H') => hour = digits(&mut rest, 1, 2)?,
                ('%', 'M') => minute = digits(&mut rest, 1, 2)?,
                ('%', 'S') => {
                    second = digits(&mut rest, 1, 2)?;
                    if let Some(decimals) = rest.strip_prefix('.') {
                        rest = decimals.trim_start_matches(|c: char| c.is_ascii_digit());
                    }
                }
                ('%', '%') => rest = rest.strip_prefix('%')?,
                (c, _) => rest = rest.strip_prefix(c)?,
            }
        }
        let sound = rest.is_empty() && (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
        if !sound || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let days = days_from_1970(year, month, day);
        Some((days * 86_400 + hour * 3_600 + minute * 60 + second) as f64)
    }
}

impl fmt::Display for DateFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for DateFormat {
    type Error = Error;

    fn try_from(format: String) -> Result<Self> {
        Self::new(format)
    }
}

impl From<DateFormat> for String {
    fn from(format: DateFormat) -> Self {
        format.0
    }
}

/// Takes from `least` to `most` digits off the text, as many as there are.
fn digits(rest: &mut &str, least: usize, most: usize) -> Option<i64> {
    let count = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (number, behind) = rest.split_at(count);
    *rest = behind;
    if count < least { None } else { number.parse().ok() }
}

/// Takes the name of a month off the text, and returns its number, from 1.
fn named(rest: &mut &str, form: impl Fn(&'static str) -> &'static str) -> Option<i64> {
    let starts = |name: &str| rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let found = MONTHS.iter().position(|month| starts(form(month)))?;
    *rest = &rest[form(MONTHS[found]).len()..];
    Some(found as i64 + 1)
}

fn days_of(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days from 1970-01-01 to a date of the Gregorian calendar: `days_from_civil` of H. Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms".
fn days_from_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month (1 to 12) and day of the days since 1970-01-01: `civil_from_days` of the same source.
fn civil(days: i64) -> [i64; 3] {
    let z = days + 719_468;
    let (era, of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year_of = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of + year_of / 4 - year_of / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    [year_of + era * 400 + i64::from(month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1]
}

/// Year, month (1 to 12), weekday (0 is Monday, as in Python) and hour of seconds since 1970-01-01: the inverse of
/// [`DateFormat::parse`].
pub(crate) fn date_parts(seconds: f64) -> [i64; 4] {
    let seconds = seconds as i64;
    let day = seconds.div_euclid(86_400);
    let [year, month, _] = civil(day);
    [year, month, (day + 3).rem_euclid(7), seconds.rem_euclid(86_400) / 3_600]
}

/// A date of seconds since 1970-01-01 in the form of ISO 8601, with the time unless it is midnight.
pub(crate) fn iso_date(seconds: f64) -> String {
    let seconds = seconds as i64;
    let ([year, month, day], time) = (civil(seconds.div_euclid(86_400)), seconds.rem_euclid(86_400));
    let date = format!("{year:04}-{month:02}-{day:02}");
    let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
    if time == 0 { date } else { format!("{date}T{hour:02}:{minute:02}:{second:02}") }
}

/// The day of seconds since 1970-01-01: "2024-12-31".
pub(super) fn shown_date(seconds: f64) -> String {
    let [year, month, ..] = date_parts(seconds);
    let first = days_from_1970(year, month, 1);
    let day = (seconds as i64).div_euclid(86_400) - first + 1;
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar_both_ways() {
        let format = DateFormat::new("%Y-%m-%d %H:%M:%S").unwrap();
        // Python: datetime(…, tzinfo=utc).timestamp(), .weekday()
        for (text, seconds, parts) in [
            ("1970-01-01 00:00:00", 0.0, [1970, 1, 3, 0]),
            ("1969-12-31 23:59:59", -1.0, [1969, 12, 2, 23]),
            ("2000-02-29 12:30:01", 951_827_401.0, [2000, 2, 1, 12]),
            ("1900-03-01 00:00:00", -2_203_891_200.0, [1900, 3, 3, 0]),
            ("2024-12-31 06:00:59.25", 1_735_624_859.0, [2024, 12, 1, 6]),
        ] {
            assert_eq!(format.parse(text), Some(seconds), "{text}");
            assert_eq!(date_parts(seconds), parts, "{text}");
            let iso = text.replace(' ', "T").replace(".25", "");
            assert_eq!(iso_date(seconds), iso.trim_end_matches("T00:00:00"));
            assert_eq!(shown_date(seconds), text[..10], "{text}");
        }
        for text in
            ["1900-02-29 0:0:0", "2023-13-01 0:0:0", "2023-1-1 24:0:0", "2023-1-1", "23-1-1 0:0:0", ""]
        {
            assert_eq!(format.parse(text), None, "{text}");
        }
    }

    #[test]
    fn forms_have_names_of_months_and_short_years() {
        let form = |form: &str| DateFormat::new(form).unwrap();
        let day = form("%Y-%m-%d").parse("2008-06-26");
        for (f, text) in
            [("%B %d, %Y", "June 26, 2008"), ("%d-%b-%y", "26-JUN-08"), ("%m/%d/%Y", "6/26/2008")]
        {
            assert_eq!(form(f).parse(text), day, "{f}");
        }
        assert_eq!(form("%d%%%m%%%y").parse("1%2%69"), form("%d.%m.%Y").parse("1.2.1969"));
        for bad in ["%Y-%m", "%Y-%Y-%m-%d", "%Y-%m-%d %Q", "%Y-%m-%d %H%H", "", "%"] {
            assert!(DateFormat::new(bad).is_err(), "{bad}");
        }
    }
}
