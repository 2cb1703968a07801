//! The IDX file format of MNIST and Fashion-MNIST.
//!
//! An IDX file is an array: two zero bytes, a byte for the type of the elements, a byte for the number of axes, the
//! length of each axis as a big-endian 32-bit number, and then the elements, big-endian, in row-major order (Y. LeCun,
//! C. Cortes and C. Burges, "The MNIST database of handwritten digits"). Files may be compressed by gzip.

use crate::error::{Error, Result};
use flate2::read::MultiGzDecoder;
use ndarray::ArrayD;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// The most bytes of elements that [`read`] and [`read_from`] take: 1 GiB. Fashion-MNIST's largest file has 47 MB.
pub const MAX_BYTES: u64 = 1 << 30;

/// The most axes an array may have.
const MAX_AXES: u8 = 8;

/// The array of an IDX file, with elements of any type that the format has.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum IdxArray {
    /// Type `0x08`: unsigned bytes. Images and labels are stored so.
    U8(ArrayD<u8>),
    /// Type `0x09`: signed bytes.
    I8(ArrayD<i8>),
    /// Type `0x0B`: 16-bit whole numbers.
    I16(ArrayD<i16>),
    /// Type `0x0C`: 32-bit whole numbers.
    I32(ArrayD<i32>),
    /// Type `0x0D`: 32-bit floating-point numbers.
    F32(ArrayD<f32>),
    /// Type `0x0E`: 64-bit floating-point numbers.
    F64(ArrayD<f64>),
}

impl IdxArray {
    /// The length of each axis.
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

    /// The Rust type of the elements: `"u8"`, `"f32"`.
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

    /// The array of unsigned bytes: images.
    ///
    /// # Errors
    /// When the elements are of another type.
    pub fn into_u8(self) -> Result<ArrayD<u8>> {
        match self {
            Self::U8(array) => Ok(array),
            other => Err(Error::data("elements", "of type u8", other.element())
                .help("Match on the IdxArray to use elements of other types.")),
        }
    }

    /// Class indices: an array with one axis, of whole numbers of at least 0.
    ///
    /// # Errors
    /// When there is not exactly one axis, when the elements are floating-point numbers, or when one is below 0.
    pub fn into_labels(self) -> Result<Vec<usize>> {
        if self.shape().len() != 1 {
            return Err(Error::shape("labels", "[samples]", self.shape())
                .help("This may be the file of the images instead of the labels."));
        }
        match self {
            Self::U8(array) => labels(array),
            Self::I8(array) => labels(array),
            Self::I16(array) => labels(array),
            Self::I32(array) => labels(array),
            Self::F32(_) | Self::F64(_) => Err(Error::data("labels", "of whole numbers", self.element())
                .help("Class indices are whole numbers from 0; convert the file.")),
        }
    }
}

/// Elements as class indices.
fn labels<T: TryInto<usize> + Copy + std::fmt::Display>(array: ArrayD<T>) -> Result<Vec<usize>> {
    let convert = |(i, &label): (usize, &T)| {
        label.try_into().map_err(|_| {
            Error::data(format!("label {i}"), "of at least 0", label).help("Class indices count from 0.")
        })
    };
    array.iter().enumerate().map(convert).collect()
}

/// Reads an IDX file, compressed by gzip or not.
///
/// ```no_run
/// use plywood::idx;
///
/// let images = idx::read("train-images-idx3-ubyte.gz")?.into_u8()?; // [60000, 28, 28]
/// let labels = idx::read("train-labels-idx1-ubyte.gz")?.into_labels()?;
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// # Errors
/// When the file cannot be read, or is anything but one whole IDX array of at most [`MAX_BYTES`].
pub fn read(path: impl AsRef<Path>) -> Result<IdxArray> {
    let path = path.as_ref();
    let file = File::open(path)
        .map_err(|e| Error::io("open", path, e).help("Check the path and the permission to read it."))?;
    read_from(io::BufReader::new(file), &path.display().to_string())
}

/// Reads an IDX array from anything that gives bytes; `name` stands for it in errors. Bytes that begin like a gzip
/// file are decompressed. Memory is taken as elements arrive, never because a header says so.
///
/// ```
/// use plywood::idx;
///
/// let bytes = [0, 0, 0x08, 1, 0, 0, 0, 3, 7, 8, 9]; // unsigned bytes, one axis, of length 3
/// assert_eq!(idx::read_from(&bytes[..], "an example")?.into_labels()?, [7, 8, 9]);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// # Errors
/// As [`read`].
pub fn read_from(source: impl Read, name: &str) -> Result<IdxArray> {
    read_at_most(source, name, MAX_BYTES)
}

/// As [`read_from`], with elements of at most `limit` bytes.
pub(super) fn read_at_most(mut source: impl Read, name: &str, limit: u64) -> Result<IdxArray> {
    let start = take(&mut source, 2).map_err(|e| failed(e, name, false).at(name))?;
    let gzip = start == [0x1f, 0x8b];
    let source = io::Cursor::new(start).chain(source);
    let array = if gzip {
        parse(MultiGzDecoder::new(source), name, limit, true)
    } else {
        parse(source, name, limit, false)
    };
    array.map_err(|e| e.at(name))
}

/// At most `count` bytes: fewer when the source ends.
fn take(source: impl Read, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The error of a source that fails: corrupt where it is compressed, else a refusal of the system.
fn failed(error: io::Error, name: &str, gzip: bool) -> Error {
    match error.kind() {
        ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof if gzip => {
            Error::format("the content", "whole gzip data", format!("damaged or cut-off data ({error})"))
                .help("Get the file again from where it came from.")
        }
        _ => Error::io("read", name, error).help("Check that the file is a readable file on a healthy disk."),
    }
}

/// The array, from bytes that are no longer compressed.
fn parse(mut source: impl Read, name: &str, limit: u64, gzip: bool) -> Result<IdxArray> {
    let header = take(&mut source, 4).map_err(|e| failed(e, name, gzip))?;
    let &[0, 0, kind, axes] = &header[..] else {
        let found = if header.len() < 4 { format!("{} bytes in all", header.len()) } else { hex(&header) };
        return Err(Error::format("the start", "two zero bytes, a type and a number of axes", found)
            .help("Give an IDX file, as those of MNIST and Fashion-MNIST, compressed by gzip or not."));
    };
    let size = match kind {
        0x08 | 0x09 => 1,
        0x0B => 2,
        0x0C | 0x0D => 4,
        0x0E => 8,
        _ => {
            let expected = "one of 0x08, 0x09, 0x0B, 0x0C, 0x0D and 0x0E";
            return Err(Error::format("the elements' type", expected, format!("{kind:#04x}"))
                .help("The format has no other types; the file is damaged or not an IDX file."));
        }
    };
    if axes == 0 || axes > MAX_AXES {
        return Err(Error::format("the number of axes", format!("from 1 to {MAX_AXES}"), axes)
            .help("The file is damaged or not an IDX file."));
    }
    let lengths = take(&mut source, 4 * u64::from(axes)).map_err(|e| failed(e, name, gzip))?;
    let (lengths, rest) = lengths.as_chunks::<4>();
    if lengths.len() != usize::from(axes) {
        let found = format!("{} bytes", 4 * lengths.len() + rest.len());
        return Err(Error::format("the axes' lengths", format!("{} bytes", 4 * u64::from(axes)), found)
            .help("The file was cut off; get it again."));
    }
    let lengths: Vec<u32> = lengths.iter().map(|&bytes| u32::from_be_bytes(bytes)).collect();
    let bytes = lengths.iter().try_fold(size, |bytes: u64, &n| bytes.checked_mul(u64::from(n)));
    let Some(bytes) = bytes.filter(|&bytes| bytes <= limit) else {
        let expected = format!("of at most {limit} bytes");
        return Err(Error::format("the array", expected, format!("{lengths:?} elements of {size} bytes"))
            .help(
                "The file is damaged, or made to fill the memory; split an array that is really so large.",
            ));
    };
    let elements = take(&mut source, bytes + 1).map_err(|e| failed(e, name, gzip))?;
    let found = elements.len() as u64;
    if found != bytes {
        let (found, help) = if found < bytes {
            (format!("{found} bytes"), "The file was cut off; get it again.")
        } else {
            ("more bytes after them".to_owned(), "The file is damaged, or holds more than one array.")
        };
        return Err(Error::format("the elements", format!("{bytes} bytes for {lengths:?}"), found).help(help));
    }
    let shape: Vec<usize> = lengths.iter().map(|&n| n as usize).collect();
    match kind {
        0x08 => shaped(shape, elements).map(IdxArray::U8),
        0x09 => shaped(shape, numbers(&elements, i8::from_be_bytes)).map(IdxArray::I8),
        0x0B => shaped(shape, numbers(&elements, i16::from_be_bytes)).map(IdxArray::I16),
        0x0C => shaped(shape, numbers(&elements, i32::from_be_bytes)).map(IdxArray::I32),
        0x0D => shaped(shape, numbers(&elements, f32::from_be_bytes)).map(IdxArray::F32),
        _ => shaped(shape, numbers(&elements, f64::from_be_bytes)).map(IdxArray::F64),
    }
}

/// Numbers of `N` bytes each.
fn numbers<T, const N: usize>(bytes: &[u8], convert: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|&number| convert(number)).collect()
}

/// Bytes as people write them: `[0x50, 0x4b]`.
fn hex(bytes: &[u8]) -> String {
    format!("[{}]", bytes.iter().map(|b| format!("{b:#04x}")).collect::<Vec<_>>().join(", "))
}

/// The elements as an array. (An axis of length 0 lets the others be of any length, which ndarray may refuse.)
fn shaped<T>(shape: Vec<usize>, elements: Vec<T>) -> Result<ArrayD<T>> {
    let found = format!("{shape:?}");
    ArrayD::from_shape_vec(shape, elements).map_err(|_| {
        Error::format("the axes' lengths", "those of an array in memory", found)
            .help("The file is damaged or not an IDX file.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rest is in tests/idx.rs; the limit cannot be set from outside.
    #[test]
    fn the_limit_counts_elements() {
        let bytes = [0, 0, 0x08, 1, 0, 0, 0, 3, 1, 2, 3];
        assert!(read_at_most(&bytes[..], "a test", 3).is_ok());
        assert!(read_at_most(&bytes[..], "a test", 2).is_err());
    }
}
