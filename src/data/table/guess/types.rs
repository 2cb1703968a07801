//! The type of a column.

use super::dates::Found;
use super::kinds::BOOLEANS;
use super::look::{COUNTED, Context, Look};
use crate::data::table::ColumnType;
use crate::data::table::origin::Remark;
use crate::error::{Error, Result};
use crate::shown::{cut, grouped};

/// A column whose type is to be found.
pub(super) struct Unknown<'a> {
    pub name: &'a str,
    pub look: &'a Look,
    pub context: &'a Context<'a>,
    /// Whether all values are numbers.
    pub numbers: bool,
    /// Whether the row under the header is seen to be no data, which is said once for all columns.
    pub units: bool,
}

/// Words in the names of columns of postcodes.
const POSTCODES: [&str; 6] = ["zip", "zipcode", "postcode", "postalcode", "postal", "plz"];

impl Unknown<'_> {
    /// Returns the type of the column.
    pub fn column_type(&self, remarks: &mut Vec<Remark>) -> Result<ColumnType> {
        let look = self.look;
        let mut remark = |text: String| remarks.push(Remark::of(self.name, text));
        let clear = look.seen - look.more_marks(self.context);
        if look.seen == 0 {
            return Ok(ColumnType::Category);
        }
        if self.numbers {
            let number = format!("if they are numbers, `.column({:?}, ColumnType::Number)`", cut(self.name));
            if let Some((count, text)) = &look.zeros {
                let values = format!("{} with leading zeros, as {text:?}", grouped(*count));
                remark(format!("{values}: taken for categories; {number}"));
                return Ok(ColumnType::Category);
            }
            if look.not_codes == 0 && is_postcode(self.name) {
                remark(format!("taken for categories by its name; {number}"));
                return Ok(ColumnType::Category);
            }
            return Ok(ColumnType::Number);
        }
        match look.dates.found(clear) {
            Found::One(format) => return Ok(ColumnType::Date(format)),
            Found::Mixed(rows) => return Err(self.mixed(rows)),
            Found::Several(forms, (row, text)) => return Err(self.several(&forms, row, &text)),
            Found::None => {}
        }
        if let Some(column_type) = self.boolean() {
            return Ok(column_type);
        }
        Ok(self.words(clear, remark))
    }

    /// Category or text.
    fn words(&self, clear: usize, mut remark: impl FnMut(String)) -> ColumnType {
        let (look, name) = (self.look, cut(self.name));
        let numbers = look.any_number();
        let missing = |text: &str| format!("if that means missing, `.missing([{text:?}])`");
        if let Some((row, text)) = look.odd.first().filter(|_| numbers * 10 >= clear * 9 && !self.units) {
            let (odd, clear) = (grouped(clear - numbers), grouped(clear));
            let values = format!("{odd} of {clear} values are no numbers, as {text:?} in row {row}");
            remark(format!("{values}: taken for categories; {}", missing(text)));
        } else if look.dates.dates * 2 > clear
            && let Some((row, text)) = &look.dates.odd
        {
            let (dates, form) = (grouped(look.dates.dates), look.dates.usual());
            let values = format!(
                "{dates} of {} values are dates, as {form}, but not {text:?} in row {row}",
                grouped(clear)
            );
            remark(format!("{values}: taken for categories; {}", missing(text)));
        }
        for (mark, count, everywhere) in look.marks(self.context) {
            let times = if count == 1 { "once".to_owned() } else { format!("{} times", grouped(count)) };
            match everywhere {
                // What nobody would take for a word needs no remark.
                true if matches!(mark, "?" | "N/A" | "n/a" | "#N/A" | "<NA>") => {}
                true => remark(format!(
                    "{mark:?}, {times}, is taken for missing; if it is a value, `.present([{mark:?}])`"
                )),
                false => remark(format!("{mark:?}, {times}, is taken for a value; {}", missing(mark))),
            }
        }
        let distinct = look.values.len();
        let many = distinct == COUNTED || distinct * 2 > clear;
        if look.words >= 3 * clear && many {
            return ColumnType::Text;
        }
        if distinct > 100 && look.words >= 3 * clear {
            remark(format!("if it is a text, `.column({name:?}, ColumnType::Text)`"));
        }
        ColumnType::Category
    }

    fn boolean(&self) -> Option<ColumnType> {
        let mut words: Vec<&str> = self.look.values.as_slice().iter().take(9).map(String::as_str).collect();
        words.retain(|word| !self.context.marks[1].iter().any(|mark| mark == word));
        let is = |wanted: &str| words.iter().any(|word| word.eq_ignore_ascii_case(wanted));
        let pair = BOOLEANS.iter().find(|pair| pair.iter().all(|word| is(word)))?;
        let all = words.iter().all(|word| pair.iter().any(|known| word.eq_ignore_ascii_case(known)));
        let written = |wanted: &str| words.iter().find(|word| word.eq_ignore_ascii_case(wanted));
        let word = |wanted| written(wanted).map(|&word| word.to_owned());
        (all && self.look.values.len() < 9)
            .then(|| Some(ColumnType::Boolean { no: word(pair[0])?, yes: word(pair[1])? }))?
    }

    fn what(&self) -> String {
        format!("column {:?}", cut(self.name))
    }

    fn mixed(&self, [one, other]: [(usize, String, String); 2]) -> Error {
        let said = |(row, text, form): (usize, String, String)| format!("{text:?} in row {row} as {form}");
        let found = format!("{}, {}", said(one), said(other));
        Error::format(self.what(), "have dates in one form", found).help(format!(
            "Write them in one form; or take them as they are, `.column({:?}, ColumnType::Category)`.",
            cut(self.name)
        ))
    }

    fn several(&self, forms: &[String], row: usize, text: &str) -> Error {
        let found = format!("{text:?} in row {row}, and all others: {}", forms.join(" or "));
        let name = cut(self.name);
        let first = forms.iter().take(2).map(|form| format!("`.date({name:?}, {form:?})`"));
        Error::format(self.what(), "have dates with one reading", found)
            .help(format!("Say which: {}.", first.collect::<Vec<_>>().join(" or ")))
    }
}

fn is_postcode(name: &str) -> bool {
    let lower = name.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).any(|word| POSTCODES.contains(&word))
        || lower.contains("post code")
        || lower.contains("postal code")
}
