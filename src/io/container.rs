//! The format of Plywood's files.
//!
//! | offset | bytes | content |
//! |---|---|---|
//! | 0 | 8 | `PLYWOOD` and a line feed, which a transfer in text mode would change |
//! | 8 | 4 | the version of the format |
//! | 12 | 1 | the content: 1 a model, 2 a checkpoint, 3 a predictor |
//! | 13 | 1 | bytes per number: 4 for `f32`, 8 for `f64` |
//! | 14 | 2 | 0 |
//! | 16 | 8 | `d`, the length of the description in bytes |
//! | 24 | 8 | `n`, the length of the numbers in bytes |
//! | 32 | 4 | CRC-32 of the bytes from 0 to 32 |
//! | 36 | 4 | CRC-32 of the description |
//! | 40 | d | the description: metadata, the length of each array, everything but the numbers |
//! | 40 + d | n | the numbers, one array after the other, without gaps |
//! | 40 + d + n | 4 | CRC-32 of the numbers |
//!
//! All numbers are little-endian. The checksums are those of gzip and PNG. They detect damage, not manipulation:
//! somebody who changes a file on purpose can also correct the checksums.
//!
//! # What a reader checks
//!
//! A reader trusts nothing in a file:
//!
//! - The description has at most [`MAX_DESCRIPTION`] bytes, and is decoded within the limits of [`codec`](crate::codec)
//!   and of the [`Registry`](crate::nn::Registry).
//! - Lengths are added with a check for overflow, and must agree with each other and with the length of the file.
//! - Memory for numbers is allocated only once they are known to be there, or as they are read.
//! - Numbers are returned only if their checksum is right, and only as many as a shape needs.

use super::Metadata;
use super::source::Source;
use crate::codec::numbers::{self, Array, Numbers, Sink};
use crate::codec::{self, Bytes};
use crate::error::{Error, ErrorKind, Result};
use crate::nn::decode_scope::encoding;
use crate::shown::count;
use crc32fast::Hasher;
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::path::Path;

/// The first bytes of a file.
///
/// As in PNG: text that people can read, and a line end that reveals damage.
const MAGIC: &[u8; 8] = b"PLYWOOD\n";

/// The version of the format.
///
/// It is incremented by any change of the bytes, including the order of a struct's fields. 1 to 7 were never released.
const VERSION: u32 = 8;

/// The length of the head, up to the description.
const HEAD: usize = 40;

/// The maximum length of a description: 2 MiB. It does not include the numbers, so it suffices for many thousands of
/// layers.
const MAX_DESCRIPTION: u64 = 1 << 21;

/// The maximum number of arrays in a file.
const MAX_ARRAYS: usize = 1 << 16;

/// The content of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Model = 1,
    Checkpoint = 2,
    Predictor = 3,
}

impl Content {
    fn name(self) -> &'static str {
        match self {
            Self::Model => "a model",
            Self::Checkpoint => "a checkpoint",
            Self::Predictor => "a predictor",
        }
    }

    fn help(self) -> &'static str {
        match self {
            Self::Model => "Read it with `plywood::load`.",
            Self::Checkpoint => {
                "Continue it with `Trainer::resume`; for its model alone, read it with `plywood::load` and save that."
            }
            Self::Predictor => {
                "Read it with `Predictor::load`; for its model alone, read it with `plywood::load`."
            }
        }
    }
}

/// Everything but the numbers.
#[derive(Serialize, Deserialize)]
struct Description<'a> {
    metadata: Metadata,
    #[serde(deserialize_with = "codec::list::<_, _, MAX_ARRAYS>")]
    arrays: Vec<Array>,
    #[serde(borrow)]
    body: Bytes<'a>,
}

/// A writer that computes the checksum of what it writes.
struct Summed<W>(W, Hasher);

impl<W: Write + 'static> Sink for Summed<W> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.1.update(bytes);
        self.0.write_all(bytes)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// Writes a value that contains tensors as a file. An inner error is the writer's.
pub(super) fn write<T: Serialize, W: Write + 'static>(
    value: &T,
    content: Content,
    width: usize,
    metadata: &Metadata,
    mut out: W,
) -> Result<io::Result<W>> {
    metadata.check()?;
    let (body, arrays) = encoding(|| numbers::measure(value))?;
    let bytes: u64 = arrays.iter().filter_map(|array| array.bytes()).sum();
    let count = arrays.len();
    let description = Description { metadata: metadata.clone(), arrays, body: Bytes(body.into()) };
    let description = codec::encode(&description)?;
    if count > MAX_ARRAYS || description.len() as u64 > MAX_DESCRIPTION {
        let expected = format!("have at most {MAX_ARRAYS} arrays and {MAX_DESCRIPTION} bytes beside them");
        let found = format!("{count} arrays and {} bytes", description.len());
        return Err(Error::format(content.name(), expected, found)
            .help("Keep a layer's numbers in `Param`s, which do not count among those bytes."));
    }
    let mut head = MAGIC.to_vec();
    head.extend(VERSION.to_le_bytes());
    head.extend([content as u8, width as u8, 0, 0]);
    head.extend((description.len() as u64).to_le_bytes());
    head.extend(bytes.to_le_bytes());
    head.extend(crc32fast::hash(&head).to_le_bytes());
    head.extend(crc32fast::hash(&description).to_le_bytes());
    if let Err(error) = out.write_all(&head).and_then(|()| out.write_all(&description)) {
        return Ok(Err(error));
    }
    Ok(encoding(|| numbers::write(value, Summed(out, Hasher::new())))?.and_then(|Summed(mut out, sum)| {
        out.write_all(&sum.finalize().to_le_bytes())?;
        Ok(out)
    }))
}

/// Returns the bytes of a value as a file.
pub(super) fn to_bytes<T: Serialize>(
    value: &T,
    content: Content,
    width: usize,
    metadata: &Metadata,
) -> Result<Vec<u8>> {
    write(value, content, width, metadata, Vec::new())?
        .map_err(|error| Error::custom(format!("could not write into memory: {error}")))
}

/// The head and the description of a file, before its numbers are read.
struct Head {
    /// The undecoded description.
    description: Vec<u8>,
    /// The length of the numbers in bytes.
    bytes: u64,
    /// `None` for a content that only newer versions know.
    content: Option<Content>,
}

/// Reads a file to its end and decodes it; `decode` gets the content, the body and the numbers.
pub(super) fn read<T>(
    source: &mut Source<impl Read>,
    wanted: (&[Content], usize, &str),
    decode: impl FnOnce(Content, &[u8], VecDeque<Numbers>) -> Result<T>,
) -> Result<T> {
    let head = read_head(source, Some(wanted))?;
    let Description { arrays, body: Bytes(body), .. } =
        codec::decode_borrowed(&head.description, "the description")?;
    let claimed = arrays.iter().try_fold(0u64, |sum, array| sum.checked_add(array.bytes()?));
    if claimed != Some(head.bytes) || arrays.iter().any(|array| !matches!(array.width, 1 | 4 | 8)) {
        let found = claimed.map_or_else(|| "more than can be counted".to_owned(), |n| format!("{n} bytes"));
        return Err(damaged("the arrays", format!("have {} bytes", head.bytes), found));
    }
    let mut sum = Hasher::new();
    let mut numbers = VecDeque::with_capacity(arrays.len());
    for array in arrays {
        numbers.push_back(match array.width {
            1 => Box::new(source.whole_bytes(array.count, &mut sum)?) as Numbers,
            4 => Box::new(source.numbers::<f32>(array.count, &mut sum)?),
            _ => Box::new(source.numbers::<f64>(array.count, &mut sum)?),
        });
    }
    check_sum("the numbers", sum.finalize(), u32::from_le_bytes(source.exactly()?))?;
    if source.take(&mut [0])? > 0 {
        return Err(damaged(
            "the file",
            "end with the checksum of its numbers".to_owned(),
            "more bytes after it".to_owned(),
        ));
    }
    decode(head.content.unwrap_or(wanted.0[0]), &body, numbers)
}

impl Metadata {
    /// Reads the metadata of a model's file, of any element type and with any layers.
    ///
    /// # Errors
    /// If the file cannot be read, or does not begin with the head of a Plywood file.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let read = || read_metadata(&mut Source::open(path)?);
        read().map_err(|error| error.at(format!("load {}", path.display())))
    }

    /// Reads the metadata from a reader, and nothing after them.
    ///
    /// # Errors
    /// As [`load`](Metadata::load).
    pub fn read_from(reader: impl Read) -> Result<Self> {
        read_metadata(&mut Source::new(reader))
    }
}

/// Returns the content of a file with a sound head, of which no more is read.
pub(super) fn content(source: &mut Source<impl Read>) -> Option<Content> {
    content_of(&start(source).ok()?)
}

/// Reads the metadata of a file.
fn read_metadata(source: &mut Source<impl Read>) -> Result<Metadata> {
    let head = read_head(source, None)?;
    let Description { metadata, .. } = codec::decode_borrowed(&head.description, "the description")?;
    Ok(metadata)
}

/// Returns whether a file is complete and undamaged. A file of another version cannot be judged and counts as complete.
pub(super) fn is_whole(source: &mut Source<impl Read>) -> bool {
    let head = match read_head(source, None) {
        Ok(head) => head,
        Err(error) => return matches!(error.kind(), ErrorKind::Format { what, .. } if what == VERSION_OF),
    };
    let mut sum = Hasher::new();
    let read = source.pass(head.bytes, &mut sum).and_then(|()| source.exactly());
    read.is_ok_and(|expected| u32::from_le_bytes(expected) == sum.finalize())
        && source.take(&mut [0]).is_ok_and(|more| more == 0)
}

/// The wanted contents, the bytes per number, and the name of the number type.
type Wanted<'a> = (&'a [Content], usize, &'a str);

/// Reads and checks the head.
fn start(source: &mut Source<impl Read>) -> Result<[u8; HEAD]> {
    let mut head = [0; HEAD];
    let found = source.take(&mut head[..MAGIC.len()])?;
    if !MAGIC.starts_with(&head[..found]) {
        return Err(no_magic(&head[..found]));
    }
    if found < MAGIC.len() {
        return Err(source.truncated(HEAD as u64 - found as u64));
    }
    let version: [u8; 4] = source.exactly()?;
    check_version(u32::from_le_bytes(version))?;
    head[8..12].copy_from_slice(&version);
    let rest: [u8; HEAD - 12] = source.exactly()?;
    head[12..].copy_from_slice(&rest);
    let sum = u32::from_le_bytes(std::array::from_fn(|i| head[32 + i]));
    check_sum("the head", crc32fast::hash(&head[..32]), sum)?;
    Ok(head)
}

/// The content that a head states; `None` for one that only newer versions know.
fn content_of(head: &[u8; HEAD]) -> Option<Content> {
    [Content::Model, Content::Checkpoint, Content::Predictor]
        .into_iter()
        .find(|&known| known as u8 == head[12])
}

/// Reads and checks the head and the description; with `wanted` of `None`, any content is accepted.
fn read_head(source: &mut Source<impl Read>, wanted: Option<Wanted<'_>>) -> Result<Head> {
    let head = start(source)?;
    let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| head[at + i]));
    let sum = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| head[at + i]));
    let content = content_of(&head);
    if let Some((contents, width, element)) = wanted {
        if !content.is_some_and(|found| contents.contains(&found)) {
            return Err(Error::format(
                "the file",
                format!("be {}", contents[0].name()),
                content.map_or("something else", Content::name),
            )
            .help(content.map_or("Use a newer version of Plywood.", Content::help)));
        }
        if usize::from(head[13]) != width {
            return Err(other_element(contents[0], element, &format!("f{}", u32::from(head[13]) * 8)));
        }
    }
    let (length, bytes) = (number(16), number(24));
    if length > MAX_DESCRIPTION || head[14..16] != [0, 0] {
        return Err(damaged(
            "the description",
            format!("have at most {MAX_DESCRIPTION} bytes"),
            count(length, "byte", "bytes"),
        ));
    }
    // All lengths are known now, so a truncated file is reported before anything else is read.
    let whole = length.checked_add(bytes).and_then(|whole| whole.checked_add(4));
    let Some(whole) = whole else {
        return Err(damaged(
            "the lengths",
            "be those of a file".to_owned(),
            format!("{length} and {bytes} bytes"),
        ));
    };
    source.expect(whole)?;
    let mut description = vec![0; length as usize];
    let found = source.take(&mut description)?;
    if found < description.len() {
        return Err(source.truncated(length - found as u64));
    }
    check_sum("the description", crc32fast::hash(&description), sum(36))?;
    Ok(Head { description, bytes, content })
}

/// The error of a file that begins with other bytes.
fn no_magic(found: &[u8]) -> Error {
    let [expected, found] = [MAGIC, found].map(String::from_utf8_lossy);
    Error::format("the file's first bytes", format!("be {expected:?}"), format!("{found:?}"))
        .help("This is not a Plywood file; load what `save` wrote, and state dicts with `load_weights`.")
}

/// The error of a file whose element type is not that of the caller.
fn other_element(content: Content, expected: &str, found: &str) -> Error {
    Error::format("the file's element type", format!("be {expected}"), found).help(match content {
        Content::Model => {
            format!(
                "Load it as a model of the type it was saved with: `Sequential::<{found}>::load_of`, or \
                 `plywood::load_with` and a `Registry::<{found}>`."
            )
        }
        Content::Checkpoint => {
            format!("Resume with a model and a trainer of the type it was saved with, {found}.")
        }
        Content::Predictor => "Get the file again.".to_owned(),
    })
}

/// The subject of the error for another version.
const VERSION_OF: &str = "the format's version";

fn check_version(version: u32) -> Result<()> {
    let help = match version {
        VERSION => return Ok(()),
        newer if newer > VERSION => {
            "A newer version of Plywood wrote it: update the crate (`cargo update -p plywood`, or raise the version \
             in Cargo.toml), or save it again from the version that wrote it as a state dict with `save_weights`."
        }
        _ => {
            "A version from before the first release wrote it: with that version, save its weights as a state dict \
             (`save_weights`), or train the model again with this one."
        }
    };
    Err(Error::format(VERSION_OF, format!("be {VERSION}"), version).help(help))
}

fn check_sum(what: &str, found: u32, expected: u32) -> Result<()> {
    // A fuzzer cannot guess checksums.
    if found == expected || cfg!(fuzzing) {
        return Ok(());
    }
    Err(damaged(what, format!("have the CRC-32 {expected:08x}"), format!("{found:08x}")))
}

fn damaged(what: &str, expected: String, found: String) -> Error {
    Error::format(what, expected, found).help("The file is damaged; get it again, or save it again.")
}
