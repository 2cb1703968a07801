//! Parameters by name: in and out of safetensors files, in the layouts of PyTorch's state dicts.
//!
//! Names are PyTorch's already ("0.weight"), and so are the layouts of all layers but one: a
//! [`Dense`](crate::nn::Dense) keeps its weight as `[inputs, units]`, and a state dict the other way round. Such a
//! parameter says so itself ([`Param::transposed_in_state_dicts`](crate::nn::Param::transposed_in_state_dicts)), so
//! containers and layers of other crates need not know.

mod model;

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

/// Named arrays, as PyTorch's `state_dict` has them: out of a safetensors file, of a model, or of arrays that are there.
///
/// Out of bytes it borrows them: nothing is copied until a model takes the numbers over. It may be looked at and its
/// names changed, where the other side's model has its layers under other names:
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
    /// In the order of their names, each of which comes once.
    arrays: Vec<Array>,
    data: Cow<'a, [u8]>,
}

/// What a state dict and a model do not share: the report of [`Sequential::load_matching`].
///
/// It prints as the list that is in the error of [`Sequential::load_state_dict`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatches {
    /// Names of the model that the state dict lacks.
    pub missing: Vec<String>,
    /// Names of the state dict that the model lacks.
    pub unexpected: Vec<String>,
    /// Names of both whose arrays have different shapes, or numbers that cannot be taken over, by their type or
    /// because one is too large for the model's; with the reason.
    pub unfit: Vec<String>,
}

impl Mismatches {
    /// Whether everything was taken over.
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
    /// The arrays of a safetensors file in memory.
    ///
    /// # Errors
    /// When the bytes are anything but one whole safetensors file.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self> {
        let (arrays, data) = safetensors::parse(bytes)?;
        Ok(Self { arrays, data: data.into() })
    }

    /// Those of a file, whose numbers are read into memory.
    ///
    /// The header is looked at first, and no more is read than it says. So what is no safetensors file is refused by
    /// its first bytes, also a device that has no end.
    ///
    /// # Errors
    /// When the file cannot be read, or is no safetensors file.
    pub fn load(path: impl AsRef<Path>) -> Result<StateDict<'static>> {
        let path = path.as_ref();
        let read = || safetensors::read(&mut Source::open(path)?);
        let (arrays, data) = read().map_err(|error| error.at(format!("load {}", path.display())))?;
        Ok(StateDict { arrays, data: data.into() })
    }

    /// The whole as a safetensors file in memory.
    ///
    /// # Errors
    /// When the header does not fit into a file.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.write(Vec::new())?.map_err(Error::custom)
    }

    /// Writes a safetensors file, which is there whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write_whole(path.as_ref(), |file| self.write(file)).map_err(|error| error.at("save"))
    }

    /// Array after array, without gaps. The inner error is the disk's.
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

    /// All arrays with their names, as numbers of one type, in alphabetical order.
    ///
    /// # Errors
    /// When elements are not floating-point numbers of 16 to 64 bits, or one is too large for the type.
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

    /// The names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.arrays.iter().map(|(name, _)| name.as_str())
    }

    /// The shape of the array of this name.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.info(name).map(|info| &info.shape[..])
    }

    /// Whether a number of this array is finite there and not in a model of `F`.
    fn overflows<F: Scalar>(&self, info: &TensorInfo) -> bool {
        self.bytes(info).is_some_and(|bytes| overflows::<F>(info.dtype, bytes))
    }

    /// The numbers of this array, if a model can take them over.
    fn bytes(&self, info: &TensorInfo) -> Option<&[u8]> {
        let (start, end) = info.data_offsets;
        self.data.get(start..end).filter(|_| is_known(info.dtype))
    }

    fn info(&self, name: &str) -> Option<&TensorInfo> {
        let at = self.arrays.binary_search_by(|(other, _)| other.as_str().cmp(name)).ok()?;
        self.arrays.get(at).map(|(_, info)| info)
    }

    /// The same arrays under other names; of two that come to have one name the later is kept.
    #[must_use]
    pub fn rename(self, mut rename: impl FnMut(&str) -> String) -> Self {
        let renamed: BTreeMap<String, TensorInfo> =
            self.arrays.into_iter().map(|(name, info)| (rename(&name), info)).collect();
        Self { arrays: renamed.into_iter().collect(), data: self.data }
    }

    /// The array of this name as numbers of a model; `None` where there is none, its elements are not floating-point
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
    /// Of arrays that are there: computed, averaged over several models, or read from a file of another form.
    ///
    /// They are in PyTorch's layouts, a dense layer's weight as `[units, inputs]`.
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
    /// When two arrays have one name.
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
        differ("the arrays of the state dict", infos.iter().map(|(name, _)| name.as_str()))?;
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

/// How many numbers are turned from bytes, or into bytes, at once.
const SOME: usize = 1 << 16;

/// Numbers of one of the types of `is_known`, as those of a model.
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

/// The types whose numbers a model can take over.
fn is_known(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64)
}

/// Numbers of one of the types of `is_known`.
fn widened(dtype: Dtype, bytes: &[u8]) -> Vec<f64> {
    let halves = || bytes.as_chunks::<2>().0.iter().map(|&b| u16::from_le_bytes(b));
    match dtype {
        Dtype::F16 => halves().map(|bits| f64::from(half(bits))).collect(),
        Dtype::BF16 => halves().map(|bits| f64::from(f32::from_bits(u32::from(bits) << 16))).collect(),
        Dtype::F32 => bytes.as_chunks::<4>().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))).collect(),
        _ => bytes.as_chunks::<8>().0.iter().map(|&b| f64::from_le_bytes(b)).collect(),
    }
}

/// Whether a number of 64 bits would be infinite in a model of `f32`.
fn overflows<F: Scalar>(dtype: Dtype, bytes: &[u8]) -> bool {
    size_of::<F>() == 4
        && dtype == Dtype::F64
        && widened(dtype, bytes).iter().any(|&x| x.is_finite() && (x as f32).is_infinite())
}

/// IEEE 754's 16-bit number: a sign, 5 bits of exponent, 10 of fraction.
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
