//! Parameters by name: reads and writes safetensors files, in the layouts of PyTorch's state dicts.
//!
//! Parameter names are those of PyTorch ("0.weight"), and so are the layouts of all layers but one: a
//! [`Dense`](crate::nn::Dense) stores its weight as `[inputs, units]`, a state dict as `[units, inputs]`. The parameter
//! itself is marked as transposed ([`Param::transposed_in_state_dicts`](crate::nn::Param::transposed_in_state_dicts)),
//! so containers and layers of other crates need no special case.

mod weights;

pub use weights::Weights;

use super::safetensors::{self, Array, Dtype, TensorInfo};
use super::source::Source;
use crate::codec::differ;
use crate::disk::write_whole;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::shown::cut;
use crate::tensor::{Tensor, slice, standard};
use ndarray::IxDyn;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;

/// Named arrays, like PyTorch's `state_dict`: from a safetensors file, from a model, or from arrays in memory.
///
/// A state dict made from bytes borrows them: nothing is copied until a model takes the numbers. It can be inspected,
/// and its names can be changed if the other model uses different ones:
///
/// ```
/// use plywood::io::StateDict;
/// use plywood::prelude::*;
///
/// let body = Sequential::builder([3]).layer(Dense::units(2)).build()?;
/// let bytes = body.weights_to_bytes()?;
/// let dict = StateDict::from_bytes(&bytes)?;
/// assert_eq!(dict.names().collect::<Vec<_>>(), ["0.bias", "0.weight"]);
/// assert_eq!(dict.shape("0.weight"), Some(&[2, 3][..])); // PyTorch's order
///
/// let mut model = Sequential::builder([3]).layer(Tanh).layer(Dense::units(2)).build()?;
/// model.load_state_dict(&dict.rename(|name| name.replace("0.", "1.")))?;
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone)]
pub struct StateDict<'a> {
    /// Sorted by name; names are unique.
    arrays: Vec<Array>,
    data: Cow<'a, [u8]>,
}

/// The differences between a state dict and a model: the report of
/// [`Weights::load_matching`](Weights::load_matching).
///
/// It prints as the list that the error of
/// [`Weights::load_state_dict`](Weights::load_state_dict) contains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatches {
    /// Names of the model that are missing in the state dict.
    pub missing: Vec<String>,
    /// Names of the state dict that are unknown to the model.
    pub unexpected: Vec<String>,
    /// Names in both whose arrays cannot be loaded, with the reason: the shapes differ, the element type is not
    /// supported, or a number is too large for the model's element type.
    pub unfit: Vec<String>,
}

impl Mismatches {
    /// Returns whether everything was loaded.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.unfit.is_empty()
    }
}

impl fmt::Display for Mismatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 50;
        let lists = [
            ("missing", &self.missing),
            ("unexpected", &self.unexpected),
            ("of another shape or type", &self.unfit),
        ];
        let mut between = "";
        for (what, names) in lists.into_iter().filter(|(_, names)| !names.is_empty()) {
            let shown = names.iter().take(SHOWN).map(|name| cut(name)).collect::<Vec<_>>().join(", ");
            write!(f, "{between}{what}: {shown}")?;
            if names.len() > SHOWN {
                write!(f, " and {} more", names.len() - SHOWN)?;
            }
            between = "; ";
        }
        if self.is_empty() { f.write_str("nothing") } else { Ok(()) }
    }
}

impl<'a> StateDict<'a> {
    /// Reads the arrays of a safetensors file in memory.
    ///
    /// # Errors
    /// If the bytes are not one complete safetensors file.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self> {
        let (arrays, data) = safetensors::parse(bytes)?;
        Ok(Self { arrays, data: data.into() })
    }

    /// Reads a safetensors file into memory.
    ///
    /// The header is read first, and then exactly the bytes that it lists. So a file of another format, even an endless
    /// device, is refused after its first bytes.
    ///
    /// # Errors
    /// If the file cannot be read, or is not a safetensors file.
    pub fn load(path: impl AsRef<Path>) -> Result<StateDict<'static>> {
        let path = path.as_ref();
        let read = || safetensors::read(&mut Source::open(path)?);
        let (arrays, data) = read().map_err(|error| error.at(format!("load {}", path.display())))?;
        Ok(StateDict { arrays, data: data.into() })
    }

    /// Returns the state dict as a safetensors file in memory.
    ///
    /// # Errors
    /// If the header is too large for a file.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.write(Vec::new())?.map_err(Error::custom)
    }

    /// Writes a safetensors file atomically: on failure an existing file is unchanged.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write_whole(path.as_ref(), |file| self.write(file)).map_err(|error| error.at("save"))
    }

    /// Writes the arrays one after the other, without gaps. The inner error comes from the disk.
    fn write<W: Write>(&self, mut out: W) -> Result<io::Result<W>> {
        let (mut arrays, mut end) = (Vec::new(), 0);
        for (name, info) in &self.arrays {
            let start = end;
            end += info.data_offsets.1 - info.data_offsets.0;
            let info = TensorInfo { data_offsets: (start, end), shape: info.shape.clone(), ..*info };
            arrays.push((name.clone(), info));
        }
        let mut result = out.write_all(&safetensors::header(arrays)?);
        for (_, info) in &self.arrays {
            let numbers = self.data.get(info.data_offsets.0..info.data_offsets.1).unwrap_or_default();
            result = result.and_then(|()| out.write_all(numbers));
        }
        Ok(result.map(|()| out))
    }

    /// Returns all arrays with their names, converted to one element type, in alphabetical order.
    ///
    /// # Errors
    /// If elements are not floating-point numbers of 16 to 64 bits, or one is too large for the type.
    pub fn arrays<F: Scalar>(&self) -> Result<Vec<(String, Tensor<F>)>> {
        let array = |(name, info): &Array| {
            let array = self.tensor(name).ok_or_else(|| {
                Error::format(
                    format!("the array {}", cut(name)),
                    format!("have numbers that fit {}", F::NAME),
                    info.dtype,
                )
                .help("Read the others one by one with `tensor`.")
            })?;
            Ok((name.clone(), array))
        };
        self.arrays.iter().map(array).collect()
    }

    /// Returns the names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.arrays.iter().map(|(name, _)| name.as_str())
    }

    /// Returns the shape of the named array.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.info(name).map(|info| &info.shape[..])
    }

    /// Returns whether a finite number of this array would be infinite in a model of `F`.
    fn overflows<F: Scalar>(&self, info: &TensorInfo) -> bool {
        self.bytes(info).is_some_and(|bytes| overflows::<F>(info.dtype, bytes))
    }

    /// The bytes of this array, if a model can load its element type.
    fn bytes(&self, info: &TensorInfo) -> Option<&[u8]> {
        let (start, end) = info.data_offsets;
        self.data.get(start..end).filter(|_| is_known(info.dtype))
    }

    fn info(&self, name: &str) -> Option<&TensorInfo> {
        let at = self.arrays.binary_search_by(|(other, _)| other.as_str().cmp(name)).ok()?;
        self.arrays.get(at).map(|(_, info)| info)
    }

    /// Renames the arrays. If two get the same name, the one that was later in alphabetical order is kept.
    #[must_use]
    pub fn rename(self, mut rename: impl FnMut(&str) -> String) -> Self {
        let renamed: BTreeMap<String, TensorInfo> =
            self.arrays.into_iter().map(|(name, info)| (rename(&name), info)).collect();
        Self { arrays: renamed.into_iter().collect(), data: self.data }
    }

    /// Returns the named array in a model's element type; `None` if there is none, its elements are not floating-point
    /// numbers of 16 to 64 bits, or one is too large for the type.
    ///
    /// ```
    /// use plywood::io::StateDict;
    /// use plywood::prelude::*;
    ///
    /// let bytes = Sequential::builder([1]).layer(Dense::units(2)).build()?.weights_to_bytes()?;
    /// let bias: Option<Tensor<f64>> = StateDict::from_bytes(&bytes)?.tensor("0.bias");
    /// assert_eq!(bias.unwrap().shape(), [2]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn tensor<F: Scalar>(&self, name: &str) -> Option<Tensor<F>> {
        let info = self.info(name)?;
        let bytes = self.bytes(info).filter(|_| !self.overflows::<F>(info))?;
        Tensor::from_shape_vec(IxDyn(&info.shape), converted(info.dtype, bytes)).ok()
    }
}

impl StateDict<'static> {
    /// Makes a state dict from arrays: computed, averaged over several models, or read from a file of another format.
    ///
    /// The arrays must have PyTorch's layouts, for example `[units, inputs]` for a dense layer's weight.
    ///
    /// ```
    /// use plywood::io::StateDict;
    /// use plywood::ndarray::{arr1, arr2};
    /// use plywood::prelude::*;
    ///
    /// let weight = arr2(&[[1.0f32, 2.0, 3.0]]).into_dyn();
    /// let dict = StateDict::from_arrays([("0.weight", weight), ("0.bias", arr1(&[0.5]).into_dyn())])?;
    /// let mut model = Sequential::builder([3]).layer(Dense::units(1)).build()?;
    /// model.load_state_dict(&dict)?;
    /// assert_eq!(model.predict(&arr2(&[[1.0, 1.0, 1.0]]))?, arr2(&[[6.5]]).into_dyn());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// If two arrays have the same name.
    pub fn from_arrays<N: Into<String>, F: Scalar>(
        arrays: impl IntoIterator<Item = (N, Tensor<F>)>,
    ) -> Result<Self> {
        let dtype = if size_of::<F>() == 4 { Dtype::F32 } else { Dtype::F64 };
        let (mut infos, mut data) = (Vec::new(), Vec::new());
        for (name, array) in arrays {
            let (start, shape) = (data.len(), array.shape().to_vec());
            F::write_bytes(slice(&standard(array)), &mut data);
            infos.push((name.into(), TensorInfo { dtype, shape, data_offsets: (start, data.len()) }));
        }
        infos.sort_by(|(a, _), (b, _)| a.cmp(b));
        differ("the arrays of the state dict", infos.iter().map(|(name, _)| name.as_str()))
            .map_err(|error| error.help("Give each array a name of its own."))?;
        Ok(Self { arrays: infos, data: data.into() })
    }
}

impl fmt::Debug for StateDict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.arrays.iter().map(|(name, info)| (name, (info.dtype, &info.shape))))
            .finish()
    }
}

/// The number of numbers that are decoded or encoded at once.
const SOME: usize = 1 << 16;

/// Converts numbers of one of the types of `is_known` to those of a model.
fn converted<F: Scalar>(dtype: Dtype, bytes: &[u8]) -> Vec<F> {
    if let (Dtype::F32, 4) | (Dtype::F64, 8) = (dtype, size_of::<F>()) {
        return F::read_bytes(bytes);
    }
    let mut values = Vec::new();
    for some in bytes.chunks(8 * SOME) {
        let wide = widened(dtype, some);
        let begin = values.len();
        values.resize(begin + wide.len(), F::zero());
        F::add_f64s(&wide, F::one(), &mut values[begin..]);
    }
    values
}

/// Returns whether a model can load numbers of this type.
fn is_known(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64)
}

/// Decodes numbers of one of the types of `is_known`.
fn widened(dtype: Dtype, bytes: &[u8]) -> Vec<f64> {
    let halves = || bytes.as_chunks::<2>().0.iter().map(|&b| u16::from_le_bytes(b));
    match dtype {
        Dtype::F16 => halves().map(|bits| f64::from(half(bits))).collect(),
        Dtype::BF16 => halves().map(|bits| f64::from(f32::from_bits(u32::from(bits) << 16))).collect(),
        Dtype::F32 => bytes.as_chunks::<4>().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))).collect(),
        _ => bytes.as_chunks::<8>().0.iter().map(|&b| f64::from_le_bytes(b)).collect(),
    }
}

/// Returns whether a 64-bit number would be infinite in a model of `f32`.
fn overflows<F: Scalar>(dtype: Dtype, bytes: &[u8]) -> bool {
    let is_too_large = |&number: &[u8; 8]| {
        let number = f64::from_le_bytes(number);
        number.is_finite() && (number as f32).is_infinite()
    };
    size_of::<F>() == 4 && dtype == Dtype::F64 && bytes.as_chunks::<8>().0.iter().any(is_too_large)
}

/// Decodes IEEE 754's 16-bit number: a sign bit, 5 bits of exponent, 10 of fraction.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    match exponent {
        0 => sign * fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        _ => sign * (1024.0 + fraction) * 2f32.powi(exponent - 25),
    }
}
