//! What a single field may be, by itself.

use super::dates::Dates;
use crate::data::table::number::NumberForm;

/// Pairs of words for no and yes, in lower case: English, German, French, Spanish, Italian, Portuguese, Dutch.
pub(super) const BOOLEANS: [[&str; 2]; 14] = [
    ["no", "yes"],
    ["n", "y"],
    ["false", "true"],
    ["f", "t"],
    ["nein", "ja"],
    ["n", "j"],
    ["falsch", "wahr"],
    ["non", "oui"],
    ["faux", "vrai"],
    ["no", "sí"],
    ["no", "si"],
    ["não", "sim"],
    ["nao", "sim"],
    ["nee", "ja"],
];

/// Whether a field is a number with either decimal mark.
pub(super) fn is_number(field: &[u8]) -> bool {
    let forms = [('.', ','), (',', '.')].map(|(decimal, mark)| NumberForm { decimal, thousands: Some(mark) });
    forms.iter().any(|form| form.parse(field.trim_ascii()).is_some())
}

/// Whether a field is a number, a date, a boolean of several letters, or empty.
pub(super) fn is_typed(field: &[u8]) -> bool {
    let field = field.trim_ascii();
    let is_boolean = || BOOLEANS.iter().flatten().any(|word| field.eq_ignore_ascii_case(word.as_bytes()));
    field.is_empty() || is_number(field) || is_boolean() || Dates::form_of(field).is_some()
}
