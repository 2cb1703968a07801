//! The header of a file `.npy`, versions 1 to 3 of NumPy's format.
//!
//! ```text
//! \x93NUMPY  1 0  118 0  {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }          \n  numbers
//! magic      version     the header's length, 2 bytes, or 4 from version 2 on
//! ```

use crate::error::{Error, Result};
use crate::shown::cut;
use std::io::Read;

const MAGIC: &[u8] = b"\x93NUMPY";
/// The longest header that is read, in bytes.
const LONGEST: usize = 1 << 16;
/// The most axes.
const AXES: usize = 32;

/// What the numbers of a file are.
#[derive(Debug, PartialEq)]
pub(super) struct Header {
    /// The type, as `<f4`.
    pub descr: String,
    /// Whether the first index changes fastest.
    pub fortran: bool,
    pub shape: Vec<usize>,
}

impl Header {
    /// Reads a header, up to the first number.
    pub fn read(source: &mut impl Read) -> Result<Self> {
        let start = some(source, MAGIC.len() + 2)?;
        let Some([major @ 1..=3, _]) = start.strip_prefix(MAGIC) else {
            let found = format!("{:?}", String::from_utf8_lossy(&start));
            return Err(Error::format("the file", "begin as NumPy's of version 1 to 3 do", found)
                .help("Save the array by `numpy.save`."));
        };
        let length = some(source, if *major == 1 { 2 } else { 4 })?;
        let length = length.iter().rev().fold(0usize, |length, &byte| length << 8 | usize::from(byte));
        if length > LONGEST {
            let expected = format!("have at most {LONGEST} bytes");
            return Err(Error::format("the header", expected, length).help("Save a plain array of numbers."));
        }
        let text = some(source, length)?;
        Self::parse(&String::from_utf8_lossy(&text))
    }

    /// The header in bytes, of version 1, so that the numbers begin at a multiple of 64.
    pub fn text(descr: &str, shape: &[usize]) -> Vec<u8> {
        let axes: Vec<String> = shape.iter().map(usize::to_string).collect();
        let comma = if shape.len() == 1 { "," } else { "" };
        let axes = axes.join(", ") + comma;
        let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({axes}), }}");
        let before = MAGIC.len() + 4;
        while !(before + text.len() + 1).is_multiple_of(64) {
            text.push(' ');
        }
        text.push('\n');
        [MAGIC, &[1, 0], &(text.len() as u16).to_le_bytes(), text.as_bytes()].concat()
    }

    fn parse(text: &str) -> Result<Self> {
        let faulty = || {
            Error::format(
                "the header",
                "be that of an array of plain numbers",
                format!("{:?}", cut(text.trim())),
            )
            .help("Save a plain array, by `numpy.save`; fields of a structured one one by one.")
        };
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        let mut rest =
            text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}')).ok_or_else(faulty)?;
        loop {
            rest = rest.trim_start_matches([' ', ',']);
            if rest.is_empty() {
                break;
            }
            let key = quoted(&mut rest).ok_or_else(faulty)?;
            rest = rest.trim_start().strip_prefix(':').ok_or_else(faulty)?.trim_start();
            match key {
                "descr" => descr = Some(quoted(&mut rest).ok_or_else(faulty)?),
                "fortran_order" => {
                    let (value, text) = [(true, "True"), (false, "False")]
                        .into_iter()
                        .find(|(_, text)| rest.starts_with(text))
                        .ok_or_else(faulty)?;
                    fortran = Some(value);
                    rest = &rest[text.len()..];
                }
                "shape" => {
                    let (axes, behind) =
                        rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).ok_or_else(faulty)?;
                    let axes = axes.split(',').map(str::trim).filter(|axis| !axis.is_empty());
                    let axes: Option<Vec<usize>> = axes.map(|axis| axis.parse().ok()).collect();
                    shape = Some(axes.filter(|axes| axes.len() <= AXES).ok_or_else(faulty)?);
                    rest = behind;
                }
                _ => return Err(faulty()),
            }
        }
        match (descr, fortran, shape) {
            (Some(descr), Some(fortran), Some(shape)) => Ok(Self { descr: descr.to_owned(), fortran, shape }),
            _ => Err(faulty()),
        }
    }

    /// The number of bytes of the numbers.
    pub fn bytes(&self) -> Result<u64> {
        let each = self.descr.get(2..).and_then(|size| size.parse::<usize>().ok()).filter(|size| *size <= 8);
        let each = each.ok_or_else(|| unknown_type(&self.descr))?;
        let bytes = self.shape.iter().try_fold(each, |product, &axis| product.checked_mul(axis));
        bytes.map(|bytes| bytes as u64).ok_or_else(|| {
            Error::format("the shape", "be one of an array in memory", format!("{:?}", self.shape))
                .help("The file is corrupt; save it again.")
        })
    }
}

/// The error of numbers of a type that is not read.
pub(super) fn unknown_type(descr: &str) -> Error {
    let expected = "be <f4, <f8, |b1, or integers of at most 8 bytes, little-endian";
    Error::format("the type of the numbers", expected, format!("{:?}", cut(descr)))
        .help("Convert it before it is saved: `array.astype('<f4')`.")
}

/// Takes a text in quotes off the rest.
fn quoted<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (text, behind) = rest[1..].split_once(quote)?;
    *rest = behind;
    Some(text)
}

/// Reads so many bytes.
fn some(source: &mut impl Read, count: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(count as u64).read_to_end(&mut bytes).map_err(|error| {
        Error::io("read", "the array", error).help("The file must be whole and readable.")
    })?;
    match bytes.len() == count {
        true => Ok(bytes),
        false => Err(Error::format("the file", "have a whole header of NumPy's", "an end before")
            .help("The file is truncated; save it again.")),
    }
}
