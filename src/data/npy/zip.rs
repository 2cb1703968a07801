//! The zip files that NumPy writes: entries that are stored or deflated, found by the list at the file's end.

use crate::error::{Error, Result};
use crate::shown::{cut, listed};
use std::io::{self, Read, Seek, SeekFrom};

/// The most bytes that an entry may unpack to.
const MOST: u64 = 1 << 30;
/// The length of the record at the end, without a comment.
const END: usize = 22;
/// The length of an entry of the list, without its name and others of varying length.
const ENTRY: usize = 46;
/// The length of the record before an entry's bytes, in the same sense.
const LOCAL: usize = 30;

struct Entry {
    name: String,
    method: u16,
    sum: u32,
    packed: u32,
    unpacked: u32,
    place: u32,
}

/// The names of the arrays.
pub(super) fn names(file: &mut (impl Read + Seek)) -> Result<Vec<String>> {
    Ok(entries(file)?.into_iter().map(|entry| entry.name).collect())
}

/// The unpacked bytes of the array with this name.
pub(super) fn entry(file: &mut (impl Read + Seek), name: &str) -> Result<Vec<u8>> {
    let entries = entries(file)?;
    let Some(entry) = entries.iter().find(|entry| entry.name == name) else {
        let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        let expected = format!("have an array {:?}", cut(name));
        return Err(Error::format("the file", expected, listed(&names, 20)).help("Name one of these."));
    };
    let fail = |what: &str| damaged(format!("{what} in {:?}", cut(name)));
    let local = at(file, entry.place.into(), LOCAL as u64)?;
    if local.len() < LOCAL || !local.starts_with(b"PK\x03\x04") {
        return Err(fail("no record"));
    }
    let begin =
        u64::from(entry.place) + LOCAL as u64 + u64::from(u16_at(&local, 26)) + u64::from(u16_at(&local, 28));
    file.seek(SeekFrom::Start(begin)).map_err(unreadable)?;
    let packed = file.take(entry.packed.into());
    let mut bytes = Vec::new();
    match entry.method {
        0 => packed.take(MOST + 1).read_to_end(&mut bytes),
        8 => flate2::read::DeflateDecoder::new(packed).take(MOST + 1).read_to_end(&mut bytes),
        method => {
            let found = format!("method {method}");
            return Err(
                Error::format("the array", "be stored or deflated", found).help("Save it by `numpy.savez`.")
            );
        }
    }
    .map_err(unreadable)?;
    if bytes.len() as u64 > MOST {
        let expected = format!("unpack to at most {MOST} bytes");
        return Err(
            Error::format("the array", expected, "more").help("Save it by `numpy.save`, and `npy::read` it.")
        );
    }
    match bytes.len() == entry.unpacked as usize && crc32fast::hash(&bytes) == entry.sum {
        true => Ok(bytes),
        false => Err(fail("a wrong length or sum")),
    }
}

/// The list of entries.
fn entries(file: &mut (impl Read + Seek)) -> Result<Vec<Entry>> {
    let length = file.seek(SeekFrom::End(0)).map_err(unreadable)?;
    // A comment of at most 65,535 bytes may follow the record.
    let from = length.saturating_sub(END as u64 + 65_535);
    let tail = at(file, from, length - from)?;
    let end =
        (0..(tail.len() + 1).saturating_sub(END)).rev().find(|&at| tail[at..].starts_with(b"PK\x05\x06"));
    let end = &tail[end.ok_or_else(|| damaged("no list of entries".to_owned()))?..];
    let list = at(file, u32_at(end, 16).into(), u32_at(end, 12).into())?;
    let (mut entries, mut rest) = (Vec::new(), &list[..]);
    while rest.len() >= ENTRY && rest.starts_with(b"PK\x01\x02") {
        let lengths = [28, 30, 32].map(|at| usize::from(u16_at(rest, at)));
        let Some(name) = rest.get(ENTRY..ENTRY + lengths[0]) else { break };
        let name = String::from_utf8_lossy(name);
        let entry = Entry {
            name: name.strip_suffix(".npy").unwrap_or(&name).to_owned(),
            method: u16_at(rest, 10),
            sum: u32_at(rest, 16),
            packed: u32_at(rest, 20),
            unpacked: u32_at(rest, 24),
            place: u32_at(rest, 42),
        };
        if [entry.packed, entry.unpacked, entry.place].contains(&u32::MAX) {
            let found = format!("more for {:?}", cut(&entry.name));
            return Err(Error::format("the file", "have arrays below 4 GB", found)
                .help("Save each by `numpy.save`, and `npy::read` it."));
        }
        entries.push(entry);
        rest = rest.get(ENTRY + lengths.iter().sum::<usize>()..).unwrap_or_default();
    }
    match entries.len() == usize::from(u16_at(end, 10)) {
        true => Ok(entries),
        false => Err(damaged("a list of entries that is not whole".to_owned())),
    }
}

/// So many bytes of the file from a place on, or those until its end.
fn at(file: &mut (impl Read + Seek), place: u64, count: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(place)).map_err(unreadable)?;
    file.take(count).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn damaged(found: String) -> Error {
    Error::format("the file", "be one of `numpy.savez`", found)
        .help("The file is truncated or corrupt; save it again.")
}

fn unreadable(error: io::Error) -> Error {
    Error::io("read", "the file", error).help("The file must be whole and readable.")
}
