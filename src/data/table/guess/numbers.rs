//! Which decimal mark the columns of numbers have. Where two are possible, the user has to say.

use super::look::Look;
use crate::data::table::number::{NumberForm, PLAIN};
use crate::data::table::origin::Remark;
use crate::error::{Error, Result};
use crate::shown::{cut, grouped, listed};

/// A column of numbers, and the forms that all of them have.
#[derive(Clone)]
pub(super) struct Candidate<'a> {
    pub name: &'a str,
    pub look: &'a Look,
    pub forms: Vec<NumberForm>,
}

/// What the numbers of a column say about the decimal mark.
#[derive(PartialEq)]
enum Says {
    /// Whole numbers, which are the same with each.
    Nothing,
    Point,
    Comma,
    /// The values have a point that may be between thousands, or a comma.
    Both {
        point: bool,
    },
}

impl Candidate<'_> {
    /// The form with this decimal mark that all values have: without marks between thousands, if possible.
    fn form(&self, decimal: char) -> Option<NumberForm> {
        let mut forms = self.forms.iter().enumerate().filter(|(_, form)| form.decimal == decimal);
        forms.find(|(i, _)| self.look.fits(*i)).map(|(_, form)| *form)
    }

    fn says(&self) -> Option<Says> {
        let whole = self.look.numbers[(1 << self.forms.len()) - 1] == self.look.any_number();
        Some(match (self.form('.'), self.form(',')) {
            (None, None) => return None,
            (Some(_), Some(_)) if whole => Says::Nothing,
            (Some(_), None) => Says::Point,
            (None, Some(_)) => Says::Comma,
            (Some(point), Some(_)) => Says::Both { point: point.thousands.is_none() },
        })
    }

    /// A value that is another number with another decimal mark: its row and text.
    fn example(&self) -> (usize, &str) {
        let full = (1 << self.forms.len()) - 1;
        let examples =
            (1..16).filter(|bits| *bits != full).filter_map(|bits| self.look.examples[bits].as_ref());
        examples.map(|example| (example.0, example.1.as_str())).min().unwrap_or((0, ""))
    }

    /// The form, and a remark if it has marks between thousands.
    fn taken(&self, form: NumberForm) -> (NumberForm, Option<Remark>) {
        let remark = form.thousands.filter(|_| self.form(form.decimal) == Some(form)).map(|mark| {
            let plain = self.forms.iter().position(|other| other.decimal == form.decimal).unwrap_or(0);
            let all = (1..16usize).filter(|bits| bits >> plain & 1 == 0);
            let text = all.filter_map(|bits| self.look.examples[bits].as_ref()).min().map_or("", |e| &e.1);
            let number = form.parse(text.as_bytes()).unwrap_or_default();
            let name = match mark {
                '.' => "points".to_owned(),
                ',' => "commas".to_owned(),
                mark => format!("{mark:?}"),
            };
            Remark::of(self.name, format!("{name} between thousands: {text:?} is {number}"))
        });
        (form, remark)
    }
}

/// Returns the form of the numbers of each column that is one of numbers, and remarks.
pub(super) fn forms(
    columns: &[Option<Candidate<'_>>],
    separator: u8,
    remarks: &mut Vec<Remark>,
) -> Result<Vec<Option<NumberForm>>> {
    let says: Vec<Option<Says>> =
        columns.iter().map(|column| column.as_ref().and_then(Candidate::says)).collect();
    // A column whose form was said alone says nothing about the others.
    let any = |wanted: &Says| {
        let several = |column: &Option<Candidate<'_>>| column.as_ref().is_some_and(|c| c.forms.len() > 1);
        columns.iter().zip(&says).any(|(column, says)| several(column) && says.as_ref() == Some(wanted))
    };
    let (points, commas) = (any(&Says::Point), any(&Says::Comma));
    let usual = match commas && !points {
        true => NumberForm { decimal: ',', thousands: None },
        false => PLAIN,
    };
    let mut out = Vec::new();
    let mut unclear = Vec::new();
    for (column, says) in columns.iter().zip(&says) {
        let (Some(column), Some(says)) = (column, says) else {
            out.push(None);
            continue;
        };
        let decimal = match says {
            Says::Nothing => {
                out.push(Some(column.form(usual.decimal).unwrap_or(usual)));
                continue;
            }
            Says::Point => '.',
            Says::Comma => ',',
            Says::Both { point: true } if points && !commas => '.',
            // In a file with commas between the fields, those in quotes are hardly decimal marks.
            Says::Both { point: false } if separator == b',' => '.',
            Says::Both { point: false } if commas && !points => ',',
            Says::Both { .. } => {
                unclear.push(column);
                out.push(None);
                continue;
            }
        };
        let (form, remark) = column.taken(column.form(decimal).unwrap_or(usual));
        remarks.extend(remark);
        out.push(Some(form));
    }
    if points && commas && unclear.is_empty() {
        let text = "some columns have decimal points, others decimal commas: each is read by its own";
        remarks.push(Remark::of_file(text));
    }
    if unclear.is_empty() { Ok(out) } else { Err(two_readings(&unclear)) }
}

/// The error of numbers that are others with another decimal mark.
fn two_readings(columns: &[&Candidate<'_>]) -> Error {
    let first = columns[0];
    let (row, text) = first.example();
    let number = |decimal| {
        let number = first.form(decimal).and_then(|form| form.parse(text.as_bytes())).unwrap_or_default();
        if number.fract() == 0.0 {
            grouped(number.abs() as usize).replace(',', "")
        } else {
            number.to_string()
        }
    };
    let [point, comma] = ['.', ','].map(number);
    let mut found =
        format!("{text:?} in row {row}, {point} with a decimal point, {comma} with a decimal comma");
    let more: Vec<&str> = columns[1..].iter().map(|column| column.name).collect();
    if !more.is_empty() {
        found += &format!("; {} as well", listed(&more, 10));
    }
    let name = cut(first.name);
    Error::format(format!("column {name:?}"), "have numbers with one reading", found).help(format!(
        "Say which: `.decimal_comma(true)` or `.decimal_comma(false)`; of this column alone, \
         `.number_format({name:?}, '.', None)` or `.number_format({name:?}, ',', Some('.'))`."
    ))
}
