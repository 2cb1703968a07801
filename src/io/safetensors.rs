//! The safetensors format: named arrays in one file.
//!
//! The format is specified by Hugging Face (<https://github.com/huggingface/safetensors>) and used by PyTorch users and
//! most model hubs. A file is eight bytes for a length, a header in JSON, and raw little-endian numbers:
//!
//! ```text
//! n as u64   {"0.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}, …}   24 bytes of 0.weight …
//!            └───────────────────────── n bytes ─────────────────────────────┘
//! ```
//!
//! Nothing in it can be executed. The element types, the sizes of arrays and the writing of headers are left to Hugging
//! Face's crate, which is used only in this file. That crate can read whole headers too, but is not made for untrusted
//! files:
//!
//! - It parses the whole JSON into values first, which take up to 64 times the header's bytes. So the header's object
//!   is read here, entry by entry, and the crate checks one array at a time.
//! - If two arrays have the same name, it silently keeps the last. Here they are an error.
//! - It adds the end of the arrays to the header's length, which may overflow. Here the end is compared with the bytes
//!   that are there.
//!
//! The limits on the header's length and on the number of axes are also set here.

use super::source::Source;
use crate::codec::{Shape, differ};
use crate::error::{Error, Result};
use crate::shown::cut;
use ::safetensors::tensor::Metadata;
pub(super) use ::safetensors::tensor::{Dtype, TensorInfo};
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::cmp::Ordering;
use std::fmt::{self, Write};
use std::io::Read;

/// The maximum length of a header: 16 MiB, for some hundred thousand arrays. (Hugging Face's own reader accepts 100
/// MB.)
const MAX_HEADER: u64 = 1 << 24;

/// One array of a file: its name, and its type, shape and position in the data after the header.
pub(super) type Array = (String, TensorInfo);

/// Returns the arrays of a file sorted by name, and the data after the header.
pub(super) fn parse(file: &[u8]) -> Result<(Vec<Array>, &[u8])> {
    let all = file.len() as u64;
    let (length, rest) = file.split_first_chunk::<8>().ok_or_else(|| truncated(8, all))?;
    let length = header_length(*length)?;
    let (header, data) = rest.split_at_checked(length).ok_or_else(|| truncated(8 + length as u64, all))?;
    let (arrays, end) = arrays(header)?;
    check_data(length, end, data.len() as u64)?;
    Ok((arrays, data))
}

/// Reads a file from a source. It reads no more than the header announces, and one byte to detect the end.
///
/// If the remaining length is known, each length is compared with it before anything is read: a device may have no end.
pub(super) fn read(source: &mut Source<impl Read>) -> Result<(Vec<Array>, Vec<u8>)> {
    let mut length = [0; 8];
    let found = source.take(&mut length)? as u64;
    if found < 8 {
        return Err(truncated(8, found));
    }
    let length = header_length(length)?;
    let wanted = length as u64;
    if let Some(left) = source.left().filter(|&left| left < wanted) {
        return Err(truncated(8 + wanted, 8 + left));
    }
    let header = source.bytes(wanted)?;
    if header.len() < length {
        return Err(truncated(8 + wanted, 8 + header.len() as u64));
    }
    let (arrays, end) = arrays(&header)?;
    drop(header);
    if let Some(left) = source.left() {
        check_data(length, end, left)?;
    }
    let data = source.bytes(end)?;
    check_data(length, end, data.len() as u64)?;
    if source.take(&mut [0])? > 0 {
        return Err(Error::format("the arrays", "be the file's last bytes", "more bytes after them")
            .help("The file is damaged; get it again."));
    }
    Ok((arrays, data))
}

/// The error of a file that ends too early.
fn truncated(expected: u64, found: u64) -> Error {
    Error::format("the file", format!("have at least {expected} bytes"), found)
        .help("The file is truncated; get it again.")
}

/// The length of the header, if it is within the limit.
fn header_length(bytes: [u8; 8]) -> Result<usize> {
    let length = u64::from_le_bytes(bytes);
    if length > MAX_HEADER {
        return Err(Error::format("the header", format!("have at most {MAX_HEADER} bytes"), length)
            .help("This is not a safetensors file, or it is damaged."));
    }
    Ok(length as usize)
}

/// Refuses a file with less or more data after its header than the arrays need.
fn check_data(header: usize, end: u64, data: u64) -> Result<()> {
    match end.cmp(&data) {
        Ordering::Equal => Ok(()),
        Ordering::Greater => {
            let header = 8 + header as u64;
            Err(truncated(header.saturating_add(end), header.saturating_add(data)))
        }
        Ordering::Less => Err(Error::format("the arrays", format!("have {data} bytes together"), end)
            .help("The file is damaged; get it again.")),
    }
}

/// Returns the arrays of a header sorted by name, and their total number of bytes.
fn arrays(header: &[u8]) -> Result<(Vec<Array>, u64)> {
    let unreadable = |error: &dyn fmt::Display| {
        Error::format("the header", "be a list of arrays in JSON", format!("an error: {}", beginning(error)))
            .help("This is not a safetensors file, it is damaged, or it is of a newer version.")
    };
    let text = std::str::from_utf8(header).map_err(|error| unreadable(&error))?;
    let Header(mut arrays) = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
    arrays.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    differ("the arrays", arrays.iter().map(|(name, _)| name.as_str()))?;
    let mut ordered: Vec<&Array> = arrays.iter().collect();
    ordered.sort_unstable_by_key(|(_, info)| info.data_offsets);
    let mut end = 0;
    for (name, info) in ordered {
        let (start, stop) = info.data_offsets;
        if start != end || !stop.checked_sub(start).is_some_and(|bytes| fits(info, bytes)) {
            let expected = "have the bytes of its shape, after those of the array before";
            let found = format!("{} {:?} at {start}..{stop}", info.dtype, info.shape);
            return Err(Error::format(format!("the array {:?}", cut(name)), expected, found)
                .help("The file is damaged; get it again."));
        }
        end = stop;
    }
    Ok((arrays, end as u64))
}

/// The beginning of an error's text, without control characters: the text may quote the file and may be long.
fn beginning(error: &dyn fmt::Display) -> String {
    struct Short(String);

    impl fmt::Write for Short {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let room = 200usize.saturating_sub(self.0.chars().count());
            self.0.extend(text.chars().take(room).map(|c| if c.is_control() { '·' } else { c }));
            Ok(())
        }
    }

    let mut short = Short(String::new());
    let _ = write!(short, "{error}");
    short.0
}

/// Returns whether an array of this type and shape has this many bytes. The crate decides it, as for a file with this
/// array alone.
fn fits(info: &TensorInfo, bytes: usize) -> bool {
    let info = TensorInfo { data_offsets: (0, bytes), ..info.clone() };
    Metadata::new(None, vec![(String::new(), info)]).is_ok()
}

/// Returns the header of a file with these arrays, preceded by its length.
///
/// The crate can write whole files too, ordered by type and then by name. That would need all arrays in memory at once,
/// while a model passes them on one after the other.
///
/// # Errors
/// If two arrays have the same name, or their positions do not match their shapes.
pub(super) fn header(arrays: Vec<Array>) -> Result<Vec<u8>> {
    differ("the parameters", arrays.iter().map(|(name, _)| name.as_str()))
        .map_err(|error| error.help("Give each parameter of a layer a name of its own."))?;
    let notes = [("format".to_owned(), "pt".to_owned())].into_iter().collect();
    let metadata = Metadata::new(Some(notes), arrays).map_err(Error::custom)?;
    let mut json = serde_json::to_vec(&metadata).map_err(Error::custom)?;
    // Spaces up to a multiple of 8, so that the numbers are aligned if the file is mapped into memory.
    json.resize(json.len().next_multiple_of(8), b' ');
    Ok([&(json.len() as u64).to_le_bytes()[..], &json].concat())
}

/// The entry of an array in the header. The crate's [`TensorInfo`] does not limit the number of axes.
#[derive(Deserialize)]
struct Entry {
    dtype: Dtype,
    shape: Shape,
    data_offsets: (usize, usize),
}

/// The entries of the header's object, in the order of the file.
struct Header(Vec<Array>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of arrays")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let (mut arrays, mut notes) = (Vec::new(), None);
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        if notes.replace(map.next_value::<Notes>()?).is_some() {
                            return Err(A::Error::duplicate_field("__metadata__"));
                        }
                        continue;
                    }
                    let at = |error: &str| A::Error::custom(format_args!("{:?}: {}", cut(&name), cut(error)));
                    let mut entry: Entry = map.next_value().map_err(|error| at(&beginning(&error)))?;
                    entry.shape.0.shrink_to_fit();
                    let Entry { dtype, shape, data_offsets } = entry;
                    arrays.push((name, TensorInfo { dtype, shape: shape.0, data_offsets }));
                }
                Ok(Header(arrays))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

/// The texts in `__metadata__`, which are not used.
struct Notes;

impl<'de> Deserialize<'de> for Notes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;

        impl<'de> Visitor<'de> for Texts {
            type Value = Notes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Notes, A::Error> {
                while map.next_entry::<IgnoredAny, String>()?.is_some() {}
                Ok(Notes)
            }
        }

        deserializer.deserialize_map(Texts)
    }
}

#[cfg(test)]
mod tests;
