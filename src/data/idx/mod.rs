//! The IDX file format of MNIST and Fashion-MNIST.
//!
//! An IDX file is one array (Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits"). All
//! numbers in it are big-endian, elements in row-major order:
//!
//! ```text
//! byte 0, 1        0, 0
//! byte 2           the type of the elements:  08 u8   09 i8   0B i16   0C i32   0D f32   0E f64
//! byte 3           the number of axes, n
//! byte 4 …         the length of each axis, 4 bytes each, n of them
//! byte 4 + 4n …    the elements
//! ```
//!
//! The labels of Fashion-MNIST's training set begin like this, and the images, with three axes, likewise:
//!
//! ```text
//! 00 00 08 01   00 00 EA 60                             60,000 labels, 8 + 60,000 bytes
//! 00 00 08 03   00 00 EA 60   00 00 00 1C   00 00 00 1C   60,000 images of 28 x 28, 16 + 47,040,000 bytes
//! ```
//!
//! Files may be compressed by gzip, which is recognized by its first two bytes, `1F 8B`, not by the file's name.
//!
//! Files may come from anywhere, so the header is not trusted: lengths are multiplied with a check for overflow,
//! memory is allocated as bytes arrive, at most twice what has arrived and never more than the header says, and
//! missing or additional bytes are an error. This module does not write files.

mod stream;

pub use stream::IdxStream;

use super::file::check_packed;
use super::gzip::{Members, START, twice};
use crate::error::{Error, Result};
use crate::shown::count;
use ndarray::ArrayD;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// The most bytes of elements that [`read`] and [`read_from`] accept: 1 GiB. Fashion-MNIST's largest file has 47 MB.
///
/// The limit applies to the elements in memory, after decompression. It guards against small files that decompress to
/// more than the machine's memory.
pub const MAX_BYTES: u64 = 1 << 30;

/// The most axes an array may have.
///
/// The format allows 255; published files have 1 to 4.
const MAX_AXES: u8 = 8;

/// The array of an IDX file, with elements of any type of the format.
///
/// ```
/// use plywood::data::idx::{self, IdxArray};
///
/// let bytes = [0, 0, 0x0D, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0x3f, 0xc0, 0, 0, 0, 0, 0, 0]; // f32, 1 x 2
/// let IdxArray::F32(array) = idx::read_from(&bytes[..], "two numbers")? else { panic!("another type") };
/// assert_eq!(array, plywood::ndarray::array![[1.5, 0.0]].into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum IdxArray {
    /// Type `0x08`: unsigned bytes, as images and labels usually are.
    U8(ArrayD<u8>),
    /// Type `0x09`: signed bytes.
    I8(ArrayD<i8>),
    /// Type `0x0B`: 16-bit integers.
    I16(ArrayD<i16>),
    /// Type `0x0C`: 32-bit integers.
    I32(ArrayD<i32>),
    /// Type `0x0D`: 32-bit floating-point numbers.
    F32(ArrayD<f32>),
    /// Type `0x0E`: 64-bit floating-point numbers.
    F64(ArrayD<f64>),
}

impl IdxArray {
    /// Returns the length of each axis.
    ///
    /// There are one to eight axes; a length may be 0.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::U8(a) => a.shape(),
            Self::I8(a) => a.shape(),
            Self::I16(a) => a.shape(),
            Self::I32(a) => a.shape(),
            Self::F32(a) => a.shape(),
            Self::F64(a) => a.shape(),
        }
    }

    /// Returns the name of the elements' Rust type: `"u8"`, `"f32"`.
    ///
    /// It is meant for messages, and for tests without a pattern.
    pub fn element(&self) -> &'static str {
        match self {
            Self::U8(_) => "u8",
            Self::I8(_) => "i8",
            Self::I16(_) => "i16",
            Self::I32(_) => "i32",
            Self::F32(_) => "f32",
            Self::F64(_) => "f64",
        }
    }

    /// Returns the array of unsigned bytes: images.
    ///
    /// The array is moved, not copied.
    ///
    /// # Errors
    /// When the elements are of another type.
    pub fn into_u8(self) -> Result<ArrayD<u8>> {
        match self {
            Self::U8(array) => Ok(array),
            other => Err(Error::data("the elements", "be of type u8", other.element())
                .help("Match on the IdxArray to use elements of other types.")),
        }
    }

    /// Returns class indices: the array must have one axis, of integers of at least 0.
    ///
    /// ```
    /// use plywood::data::idx;
    ///
    /// // Images where labels should be: the two files were mixed up.
    /// let images = [0, 0, 0x08, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 255];
    /// let error = idx::read_from(&images[..], "labels.gz")?.into_labels().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "the labels must have shape [samples], got [1, 1, 1]. This may be the file of the images instead of \
    ///      the labels."
    /// );
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// Labels are not compared with a number of classes, which is not known here.
    ///
    /// # Errors
    /// When there is not exactly one axis, when the elements are floating-point numbers, or when one is below 0.
    pub fn into_labels(self) -> Result<Vec<usize>> {
        if self.shape().len() != 1 {
            return Err(Error::shape("the labels", "[samples]", self.shape())
                .help("This may be the file of the images instead of the labels."));
        }
        match self {
            Self::U8(array) => labels(array),
            Self::I8(array) => labels(array),
            Self::I16(array) => labels(array),
            Self::I32(array) => labels(array),
            Self::F32(_) | Self::F64(_) => Err(Error::data("the labels", "be whole numbers", self.element())
                .help("Class indices are whole numbers from 0; convert the file.")),
        }
    }
}

/// Converts elements to class indices.
///
/// The error names the position of the first element below 0.
fn labels<T: TryInto<usize> + Copy + std::fmt::Display>(array: ArrayD<T>) -> Result<Vec<usize>> {
    let convert = |(i, &label): (usize, &T)| {
        label.try_into().map_err(|_| {
            Error::data(format!("label {i}"), "be at least 0", label).help("Class indices count from 0.")
        })
    };
    array.iter().enumerate().map(convert).collect()
}

/// Reads an IDX file, compressed by gzip or not.
///
/// ```no_run
/// use plywood::data::idx;
///
/// let images = idx::read("train-images-idx3-ubyte.gz")?.into_u8()?; // [60000, 28, 28]
/// let labels = idx::read("train-labels-idx1-ubyte.gz")?.into_labels()?;
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The whole array is read into memory. For a gzip file this is its decompressed size.
///
/// # Errors
/// When the file cannot be read, or is not exactly one whole IDX array of at most [`MAX_BYTES`].
pub fn read(path: impl AsRef<Path>) -> Result<IdxArray> {
    let path = path.as_ref();
    let file = File::open(path)
        .map_err(|e| Error::io("open", path, e).help("Check the path and the permission to read it."))?;
    read_from(io::BufReader::new(file), &path.display().to_string())
}

/// Reads an IDX array from any source of bytes; `name` stands for it in errors. Bytes that begin like a gzip file are
/// decompressed. Memory is allocated as elements arrive, not as the header claims.
///
/// ```
/// use plywood::data::idx;
///
/// let bytes = [0, 0, 0x08, 1, 0, 0, 0, 3, 7, 8, 9]; // unsigned bytes, one axis, of length 3
/// assert_eq!(idx::read_from(&bytes[..], "an example")?.into_labels()?, [7, 8, 9]);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// ```
/// use plywood::data::idx;
///
/// let cut_off = [0, 0, 0x0B, 1, 0, 0, 0, 2, 0, 1, 0]; // two 16-bit numbers, one byte short
/// assert_eq!(
///     idx::read_from(&cut_off[..], "short.idx").unwrap_err().to_string(),
///     "short.idx: the elements must have 4 bytes for the shape [2], got 3 bytes. The file is truncated; get it again."
/// );
/// ```
///
/// # Errors
/// As [`read`].
pub fn read_from(source: impl Read, name: &str) -> Result<IdxArray> {
    read_at_most(source, name, MAX_BYTES)
}

/// Does the same as [`read_from`], with elements of at most `limit` bytes.
///
/// The first two bytes are read to recognize gzip, and put back in front.
pub(super) fn read_at_most(mut source: impl Read, name: &str, limit: u64) -> Result<IdxArray> {
    let start = take(&mut source, 2).map_err(|e| failed(e, name, false).at(name))?;
    let gzip = start == [0x1f, 0x8b];
    if start == [0x1f] {
        let error = Error::format(
            "the first bytes",
            "be those of an IDX file, compressed by gzip or not",
            hex(&start),
        );
        return Err(error.help("The file is truncated; get it again.").at(name));
    }
    let source = io::Cursor::new(start).chain(source);
    let array =
        if gzip { parse(Members::new(source), name, limit, true) } else { parse(source, name, limit, false) };
    array.map_err(|e| e.at(name))
}

/// Reads at most `count` bytes: fewer if the source ends.
///
/// All reads of this file go through it: a count from a header limits what is read, but is never used to allocate
/// memory beforehand.
fn take(source: impl Read, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The error of a source that fails: corrupt data if it is compressed, else an error of the system.
///
/// The decoder reports damaged data as `InvalidInput` or `InvalidData`, and an end within the data as
/// `UnexpectedEof`.
fn failed(error: io::Error, name: &str, gzip: bool) -> Error {
    let (found, help) = match error.kind() {
        ErrorKind::UnexpectedEof if gzip => ("an early end", "The file is truncated; get it again."),
        ErrorKind::InvalidInput | ErrorKind::InvalidData if gzip => {
            ("damaged data", "Get the file again from where it came from.")
        }
        _ => {
            let help = "Check that the file is a readable file on a healthy disk.";
            return Error::io("read", name, error).help(help);
        }
    };
    Error::format("the content", "be whole gzip data", format!("{found} ({error})")).help(help)
}

/// The part of a file before its elements.
pub(super) struct Header {
    /// The type of the elements.
    pub kind: u8,
    /// The number of bytes of an element.
    pub size: u64,
    /// The length of each axis.
    pub lengths: Vec<u32>,
}

/// Reads the header, and no byte behind it.
pub(super) fn header(mut source: impl Read, name: &str, gzip: bool) -> Result<Header> {
    let header = take(&mut source, 4).map_err(|e| failed(e, name, gzip))?;
    let &[0, 0, kind, axes] = &header[..] else {
        if header.len() < 4 && header.iter().take(2).all(|&byte| byte == 0) {
            let found = format!("{} bytes in all", header.len());
            return Err(Error::format("the first bytes", "be two zeros, a type and a number of axes", found)
                .help("The file is truncated; get it again."));
        }
        if gzip && header.starts_with(&START) {
            return Err(twice());
        }
        check_packed(&header, "be plain or compressed by gzip")?;
        let found = hex(&header);
        return Err(Error::format("the first bytes", "be two zeros, a type and a number of axes", found)
            .help("Give an IDX file, such as those of MNIST and Fashion-MNIST, compressed by gzip or not."));
    };
    let size = match kind {
        0x08 | 0x09 => 1,
        0x0B => 2,
        0x0C | 0x0D => 4,
        0x0E => 8,
        _ => {
            let expected = "be one of 0x08, 0x09, 0x0B, 0x0C, 0x0D and 0x0E";
            return Err(Error::format("the elements' type", expected, format!("{kind:#04x}"))
                .help("The format has no other types; the file is damaged or not an IDX file."));
        }
    };
    if axes == 0 || axes > MAX_AXES {
        return Err(Error::format("the number of axes", format!("be from 1 to {MAX_AXES}"), axes)
            .help("The file is damaged or not an IDX file."));
    }
    let lengths = take(&mut source, 4 * u64::from(axes)).map_err(|e| failed(e, name, gzip))?;
    let (lengths, rest) = lengths.as_chunks::<4>();
    if lengths.len() != usize::from(axes) {
        let found = count(4 * lengths.len() + rest.len(), "byte", "bytes");
        return Err(Error::format("the axes' lengths", format!("have {} bytes", 4 * u64::from(axes)), found)
            .help("The file is truncated; get it again."));
    }
    let lengths: Vec<u32> = lengths.iter().map(|&bytes| u32::from_be_bytes(bytes)).collect();
    Ok(Header { kind, size, lengths })
}

/// Reads the array from decompressed bytes.
///
/// The size that the header claims is checked against the limit, and not allocated beforehand.
fn parse(mut source: impl Read, name: &str, limit: u64, gzip: bool) -> Result<IdxArray> {
    let Header { kind, size, lengths } = header(&mut source, name, gzip)?;
    let bytes = lengths.iter().try_fold(size, |bytes: u64, &n| bytes.checked_mul(u64::from(n)));
    let Some(bytes) = bytes.filter(|&bytes| bytes <= limit) else {
        let expected = format!("have at most {limit} bytes");
        return Err(Error::format(
            "the array",
            expected,
            format!("{lengths:?} elements of {}", count(size, "byte", "bytes")),
        )
        .help("The file is damaged, or made to fill the memory; split an array that is really so large."));
    };
    let shape: Vec<usize> = lengths.iter().map(|&n| n as usize).collect();
    let source = Elements { source, bytes, name, gzip, lengths };
    match kind {
        0x08 => shaped(shape, source.read(u8::from_be_bytes)?).map(IdxArray::U8),
        0x09 => shaped(shape, source.read(i8::from_be_bytes)?).map(IdxArray::I8),
        0x0B => shaped(shape, source.read(i16::from_be_bytes)?).map(IdxArray::I16),
        0x0C => shaped(shape, source.read(i32::from_be_bytes)?).map(IdxArray::I32),
        0x0D => shaped(shape, source.read(f32::from_be_bytes)?).map(IdxArray::F32),
        _ => shaped(shape, source.read(f64::from_be_bytes)?).map(IdxArray::F64),
    }
}

/// The number of bytes that are converted to elements at once.
const PIECE: u64 = 1 << 16;

/// The part of a file behind its header.
struct Elements<'a, R> {
    source: R,
    /// The number of bytes that the header announces.
    bytes: u64,
    name: &'a str,
    gzip: bool,
    lengths: Vec<u32>,
}

impl<R: Read> Elements<'_, R> {
    /// Reads all elements, of `N` bytes each; bytes behind them are an error.
    ///
    /// The buffer grows as elements arrive, to twice their number and never beyond what the header says.
    fn read<T, const N: usize>(mut self, convert: impl Fn([u8; N]) -> T + Copy) -> Result<Vec<T>> {
        let mut elements: Vec<T> = Vec::new();
        let mut found = 0;
        while found < self.bytes {
            let piece = take(&mut self.source, PIECE.min(self.bytes - found))
                .map_err(|e| failed(e, self.name, self.gzip))?;
            found += piece.len() as u64;
            if piece.is_empty() || !piece.len().is_multiple_of(N) {
                return Err(self.unfit(count(found, "byte", "bytes"), "The file is truncated; get it again."));
            }
            if elements.capacity() - elements.len() < piece.len() / N {
                let missing = (self.bytes / N as u64) as usize - elements.len();
                elements.reserve_exact(missing.min(elements.len().max(piece.len() / N)));
            }
            elements.extend(piece.as_chunks::<N>().0.iter().map(|&number| convert(number)));
        }
        // One byte more is requested, so that for gzip the checksum at the end is verified too.
        let more = take(&mut self.source, 1).map_err(|e| failed(e, self.name, self.gzip))?;
        if !more.is_empty() {
            let help = "The file is damaged, or holds more than one array.";
            return Err(self.unfit("more bytes than that".to_owned(), help));
        }
        Ok(elements)
    }

    fn unfit(&self, found: String, help: &str) -> Error {
        let expected =
            format!("have {} for the shape {:?}", count(self.bytes, "byte", "bytes"), self.lengths);
        Error::format("the elements", expected, found).help(help)
    }
}

/// Decodes numbers of `N` bytes each.
///
/// `convert` is the `from_be_bytes` of the type, as numbers are big-endian.
pub(super) fn numbers<T, const N: usize>(bytes: &[u8], convert: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|&number| convert(number)).collect()
}

/// Formats bytes as in source code: `[0x50, 0x4b]`.
///
/// It shows the four bytes that should have been a header: they often reveal the actual format of the file.
fn hex(bytes: &[u8]) -> String {
    format!("[{}]", bytes.iter().map(|b| format!("{b:#04x}")).collect::<Vec<_>>().join(", "))
}

/// Shapes the elements as an array. (If one axis has length 0, the others may have any length, which ndarray may
/// refuse.)
fn shaped<T>(shape: Vec<usize>, elements: Vec<T>) -> Result<ArrayD<T>> {
    let found = format!("{shape:?}");
    ArrayD::from_shape_vec(shape, elements).map_err(|_| {
        Error::format("the axes' lengths", "be those of an array in memory", found)
            .help("The file is damaged or not an IDX file.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Other tests are in tests/library/idx.rs; this limit cannot be set from outside.
    #[test]
    fn the_limit_counts_elements() {
        let bytes = [0, 0, 0x08, 1, 0, 0, 0, 3, 1, 2, 3];
        assert!(read_at_most(&bytes[..], "a test", 3).is_ok());
        assert!(read_at_most(&bytes[..], "a test", 2).is_err());
    }
}
