//! [`NumberForm`]: how the numbers of a text file are written.

use serde::{Deserialize, Serialize};

/// How numbers are written: the decimal mark, and what is between groups of three digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NumberForm {
    /// A point or a comma.
    pub decimal: char,
    pub thousands: Option<char>,
}

/// 1234.5, without marks between thousands.
pub(super) const PLAIN: NumberForm = NumberForm { decimal: '.', thousands: None };

/// The powers of ten that a number of at most 15 digits may be divided by.
const POWERS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

impl NumberForm {
    /// Returns the finite number that a text is; `nan` and `inf` are none.
    pub fn parse(self, text: &[u8]) -> Option<f64> {
        short(text, self.decimal as u8).or_else(|| self.any(text))
    }

    fn any(self, text: &[u8]) -> Option<f64> {
        if !text.first().is_some_and(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b',')) {
            return None;
        }
        let text = str::from_utf8(text).ok()?;
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let end = unsigned.find([self.decimal, 'e', 'E']).unwrap_or(unsigned.len());
        let (whole, behind) = unsigned.split_at(end);
        let mut clean = String::with_capacity(text.len());
        clean.push_str(if text.starts_with('-') { "-" } else { "" });
        match self.thousands.filter(|&mark| whole.contains(mark)) {
            None => clean.push_str(digits(whole)?),
            Some(mark) => {
                for (i, group) in whole.split(mark).enumerate() {
                    let fits = if i == 0 {
                        (1..=3).contains(&group.len()) && !group.starts_with('0')
                    } else {
                        group.len() == 3
                    };
                    clean.push_str(digits(group).filter(|_| fits)?);
                }
            }
        }
        let exponent = match behind.strip_prefix(self.decimal) {
            None => behind,
            Some(behind) => {
                let end = behind.find(['e', 'E']).unwrap_or(behind.len());
                clean.push('.');
                clean.push_str(digits(&behind[..end])?);
                &behind[end..]
            }
        };
        if let Some(power) = exponent.get(1..) {
            digits(power.strip_prefix(['-', '+']).unwrap_or(power))?;
            clean.push_str(exponent);
        }
        clean.parse().ok().filter(|x: &f64| x.is_finite())
    }
}

/// Returns the text if it has no other bytes than digits.
fn digits(text: &str) -> Option<&str> {
    text.bytes().all(|b| b.is_ascii_digit()).then_some(text)
}

/// A number of at most 15 digits, which is one of `f64` exactly: its quotient by a power of ten below 10^22, which is
/// one, too, is rounded once. So the result is that of the standard library. `None` for all else.
fn short(text: &[u8], decimal: u8) -> Option<f64> {
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    let (mut number, mut point) = (0u64, None);
    if unsigned.len() > 16 {
        return None;
    }
    for (i, &byte) in unsigned.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            number = number * 10 + u64::from(digit);
        } else if byte == decimal && point.is_none() {
            point = Some(i);
        } else {
            return None;
        }
    }
    let count = unsigned.len() - usize::from(point.is_some());
    if count == 0 || count > 15 {
        return None;
    }
    let number = point.map_or(number as f64, |at| number as f64 / POWERS[unsigned.len() - 1 - at]);
    Some(if unsigned.len() < text.len() { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn numbers_are_those_of_the_standard_library_to_the_bit() {
        let random = Random::seed(3);
        for i in 0..60_000u64 {
            let bits = random.at(i, 0).bits();
            let digits = (bits % 10u64.pow((bits >> 40) as u32 % 19)).to_string();
            let at = (bits >> 50) as usize % (digits.len() + 1);
            let sign = if bits >> 63 == 1 { "-" } else { "" };
            for text in [
                format!("{sign}{digits}"),
                format!("{sign}{}.{}", &digits[..at], &digits[at..]),
                format!("{sign}{}.{}e-{}", &digits[..at], &digits[at..], bits % 330),
                f64::from_bits(bits).to_string(),
            ] {
                let expected = text.parse::<f64>().ok().filter(|x| x.is_finite());
                let found = PLAIN.parse(text.as_bytes());
                assert_eq!(found.map(f64::to_bits), expected.map(f64::to_bits), "{text}");
                let german = NumberForm { decimal: ',', thousands: Some('.') };
                let found = german.parse(text.replace('.', ",").as_bytes());
                assert_eq!(found.map(f64::to_bits), expected.map(f64::to_bits), "{text}");
            }
        }
    }

    #[test]
    fn marks_of_thousands_are_between_groups_of_three() {
        let form = |decimal, thousands| NumberForm { decimal, thousands: Some(thousands) };
        for (form, text, number) in [
            (form(',', '.'), "2.613,53", Some(2613.53)),
            (form(',', '.'), "-1.234.567", Some(-1_234_567.0)),
            (form('.', ','), "+1,990", Some(1990.0)),
            (form('.', ','), "1,990.5e2", Some(199_050.0)),
            (form('.', '\''), "1'234", Some(1234.0)),
            (form(',', '\u{a0}'), "1\u{a0}234,5", Some(1234.5)),
            (form('.', ','), "1,99", None),
            (form('.', ','), "1234,990", None),
            (form('.', ','), "0,990", None),
            (form('.', ','), ",990", None),
            (form('.', ','), "1,990,", None),
            (form('.', ','), "1.5,990", None),
            (form(',', '.'), "1.5", None),
        ] {
            assert_eq!(form.parse(text.as_bytes()), number, "{text}");
        }
        let none =
            ["", "-", ".", "+", "nan", "inf", "-inf", "NaN", "1e", "e5", "0x1", "1_0", "1 ", "1e999", "1-"];
        for text in none.into_iter().chain(["--1", "+-1", "1.2.3", "１", "1e5.0", "infinity", "-nan"]) {
            assert_eq!(PLAIN.parse(text.as_bytes()), None, "{text}");
        }
    }
}
