//! Arrays of NumPy: files `.npy`, and `.npz` with several.
//!
//! ```
//! use plywood::data::npy;
//! use plywood::ndarray::array;
//!
//! let path = std::env::temp_dir().join(format!("plywood-{}.npy", std::process::id()));
//! npy::write(&path, &array![[1.0f32, 2.0], [3.0, 4.0]].into_dyn())?;
//! assert_eq!(npy::read::<f64>(&path)?, array![[1.0, 2.0], [3.0, 4.0]].into_dyn());
//! # std::fs::remove_file(path).unwrap();
//! # Ok::<(), plywood::Error>(())
//! ```

mod header;
mod zip;

use crate::disk;
use crate::error::{Error, Result};
use header::Header;
use ndarray::{ArrayD, IxDyn, ShapeBuilder};
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

/// The numbers that NumPy's files are read and written as: `f32` and `f64`.
pub trait NpyNumber: Copy + sealed::Number + 'static {}

impl NpyNumber for f32 {}
impl NpyNumber for f64 {}

mod sealed {
    /// What only this crate implements.
    pub trait Number: Sized {
        /// The type, as NumPy writes it.
        const DESCR: &'static str;

        /// The numbers in these bytes, of a type as NumPy writes it; `None` for an unknown one.
        fn numbers(descr: &str, bytes: &[u8]) -> Option<Vec<Self>>;

        /// The bytes of numbers.
        fn bytes(numbers: &[Self]) -> Vec<u8>;
    }

    macro_rules! number {
        ($($number:ident $descr:literal),*) => {$(
            impl Number for $number {
                const DESCR: &'static str = $descr;

                fn numbers(descr: &str, bytes: &[u8]) -> Option<Vec<Self>> {
                    macro_rules! of {
                        ($type:ident) => {{
                            let (items, _) = bytes.as_chunks::<{ size_of::<$type>() }>();
                            items.iter().map(|item| $type::from_le_bytes(*item) as Self).collect()
                        }};
                    }
                    Some(match descr {
                        "<f4" => of!(f32),
                        "<f8" => of!(f64),
                        "|i1" => of!(i8),
                        "|u1" => of!(u8),
                        "|b1" => bytes.iter().map(|&byte| if byte == 0 { 0.0 } else { 1.0 }).collect(),
                        "<i2" => of!(i16),
                        "<u2" => of!(u16),
                        "<i4" => of!(i32),
                        "<u4" => of!(u32),
                        "<i8" => of!(i64),
                        "<u8" => of!(u64),
                        _ => return None,
                    })
                }

                fn bytes(numbers: &[Self]) -> Vec<u8> {
                    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
                }
            }
        )*};
    }
    number!(f32 "<f4", f64 "<f8");
}

/// Reads an array out of a file `.npy`, of any shape, in C or Fortran order. Its numbers may be `float32`, `float64`,
/// `bool` (as 0 and 1), or integers, little-endian; they are converted as by Rust's `as`.
///
/// # Errors
/// When the file cannot be read, is none of NumPy's, has numbers of another type, or has fewer or more bytes than its
/// shape says. Memory is taken for the bytes that are there, not for those that the shape claims.
pub fn read<F: NpyNumber>(path: impl AsRef<Path>) -> Result<ArrayD<F>> {
    let path = path.as_ref();
    read_from(BufReader::new(open(path)?)).map_err(|error| error.at(path.display()))
}

fn open(path: &Path) -> Result<File> {
    File::open(path)
        .map_err(|error| Error::io("open", path, error).help("Check the path and the permission to read it."))
}

/// [`read`] from any reader.
///
/// # Errors
/// As those of `read`.
pub fn read_from<F: NpyNumber>(mut source: impl Read) -> Result<ArrayD<F>> {
    let header = Header::read(&mut source)?;
    let numbers = |bytes| F::numbers(&header.descr, bytes).ok_or_else(|| header::unknown_type(&header.descr));
    numbers(&[])?;
    let expected = header.bytes()?;
    let mut bytes = Vec::new();
    source.take(expected.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| {
        Error::io("read", "the array", error).help("The file must be whole and readable.")
    })?;
    let text = |count: u64| format!("{count} bytes of numbers");
    if bytes.len() as u64 != expected {
        let found = if bytes.len() as u64 > expected { "more".to_owned() } else { text(bytes.len() as u64) };
        let what = format!("have {}, as its shape {:?} says", text(expected), header.shape);
        return Err(
            Error::format("the file", what, found).help("The file is truncated or corrupt; save it again.")
        );
    }
    let numbers = numbers(&bytes)?;
    let shape = IxDyn(&header.shape);
    let array = match header.fortran {
        true => {
            ArrayD::from_shape_vec(shape.f(), numbers).map(|array| array.as_standard_layout().into_owned())
        }
        false => ArrayD::from_shape_vec(shape, numbers),
    };
    array.map_err(|error| {
        Error::format("the shape", "be one of an array in memory", format!("{:?}: {error}", header.shape))
            .help("The file is corrupt; save it again.")
    })
}

/// Reads one array out of a file `.npz`, by its name in `numpy.savez(path, name=array)`, compressed or not.
///
/// # Errors
/// As those of [`read`]; when there is no array of this name, its sum is wrong, or it unpacks to more than 1 GiB.
pub fn npz<F: NpyNumber>(path: impl AsRef<Path>, name: &str) -> Result<ArrayD<F>> {
    let path = path.as_ref();
    npz_from(open(path)?, name).map_err(|error| error.at(path.display()))
}

/// [`npz`] from any reader that can seek.
///
/// # Errors
/// As those of `npz`.
pub fn npz_from<F: NpyNumber>(mut source: impl Read + Seek, name: &str) -> Result<ArrayD<F>> {
    let bytes = zip::entry(&mut source, name)?;
    read_from(&bytes[..]).map_err(|error| error.at(format!("{name:?}")))
}

/// Returns the names of the arrays in a file `.npz`, in the file's order.
///
/// # Errors
/// When the file cannot be read, or is none of NumPy's.
pub fn npz_names(path: impl AsRef<Path>) -> Result<Vec<String>> {
    let path = path.as_ref();
    zip::names(&mut open(path)?).map_err(|error| error.at(path.display()))
}

/// Writes an array into a file `.npy`, in C order, so that `numpy.load` reads it.
///
/// # Errors
/// When the file cannot be written.
pub fn write<F: NpyNumber>(path: impl AsRef<Path>, array: &ArrayD<F>) -> Result<()> {
    disk::write_bytes(path.as_ref(), &bytes(array))
}

/// The bytes of a file with this array.
fn bytes<F: NpyNumber>(array: &ArrayD<F>) -> Vec<u8> {
    let mut bytes = Header::text(F::DESCR, array.shape());
    let array = array.as_standard_layout();
    bytes.extend(F::bytes(array.as_slice().expect("it is in C order")));
    bytes
}

#[cfg(test)]
mod tests;
