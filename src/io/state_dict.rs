//! Parameters by name: in and out of safetensors files, in the layouts of PyTorch's state dicts.
//!
//! Names are PyTorch's already ("0.weight"), and so are the layouts of all layers but one: a
//! [`Dense`](crate::nn::Dense) keeps its weight as `[inputs, units]`, and a state dict the other way round. Such a
//! parameter says so itself ([`Param::transposed_in_state_dicts`](crate::nn::Param::transposed_in_state_dicts)), so
//! containers and layers of other crates need not know.

use super::safetensors::{self, Array, Dtype, TensorInfo};
use super::source::Source;
use crate::disk::write_whole;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::{Layer, Sequential};
use crate::param::Param;
use crate::shown::cut;
use crate::tensor::{Tensor, recycle, slice, standard};
use ndarray::IxDyn;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;

/// Named arrays out of a safetensors file, as PyTorch's `state_dict` has them.
///
/// It borrows the file's bytes: nothing is copied until a model takes the numbers over. It may be looked at and its
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

/// What PyTorch counts and nobody needs: the batches that batch normalisation has seen.
fn is_ignored(name: &str) -> bool {
    name.rsplit('.').next() == Some("num_batches_tracked")
}

/// The shape in a state dict.
fn outer_shape<F: Scalar>(param: &Param<F>) -> Vec<usize> {
    let mut shape = param.shape().to_vec();
    if param.is_transposed() {
        shape.reverse();
    }
    shape
}

impl<F: Scalar> Sequential<F> {
    /// Takes all parameters and buffers from a state dict, by name; everything has to be there and to fit. Numbers of
    /// another type (`F16`, `BF16`, `F32`, `F64`) are converted.
    ///
    /// PyTorch's counterpart is `model.load_state_dict(dict)`. Its "num_batches_tracked" is passed over.
    ///
    /// ```
    /// use plywood::io::StateDict;
    /// use plywood::prelude::*;
    ///
    /// let bytes = Sequential::builder([3]).layer(Dense::units(2)).layer(Tanh).build()?.weights_to_bytes()?;
    /// let mut other = Sequential::builder([4]).layer(Dense::units(2)).layer(Dense::units(1)).build()?;
    /// assert_eq!(
    ///     other.load_state_dict(&StateDict::from_bytes(&bytes)?).unwrap_err().to_string(),
    ///     "expected the state dict to be that of this model, found missing: 1.bias, 1.weight; of another shape or \
    ///      type: 0.weight (F32 [2, 3] for [2, 4]). Rename what has other names (`StateDict::rename`), or take what \
    ///      fits with `load_matching`."
    /// );
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When names or shapes differ: all of them are in the error, and the model is as it was.
    pub fn load_state_dict(&mut self, dict: &StateDict<'_>) -> Result<()> {
        let mismatches = self.compare(dict);
        if mismatches.is_empty() {
            self.take_from(dict);
            return Ok(());
        }
        Err(Error::format("the state dict", "that of this model", mismatches).help(
            "Rename what has other names (`StateDict::rename`), or take what fits with `load_matching`.",
        ))
    }

    /// Takes what fits, and reports the rest. PyTorch's counterpart is `strict=False`, which refuses other shapes.
    ///
    /// For a body that was trained with another head:
    ///
    /// ```
    /// use plywood::io::StateDict;
    /// use plywood::prelude::*;
    ///
    /// let network = |classes| Sequential::builder([4]).layer(Dense::units(8)).layer(Dense::units(classes)).build();
    /// let bytes = network(10)?.weights_to_bytes()?;
    /// let report = network(3)?.load_matching(&StateDict::from_bytes(&bytes)?);
    /// assert!(report.missing.is_empty() && report.unexpected.is_empty());
    /// assert_eq!(report.unfit, ["1.bias (F32 [10] for [3])", "1.weight (F32 [10, 8] for [3, 8])"]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn load_matching(&mut self, dict: &StateDict<'_>) -> Mismatches {
        self.take_from(dict);
        self.compare(dict)
    }

    /// [`load_state_dict`](Sequential::load_state_dict) from a safetensors file.
    ///
    /// # Errors
    /// When the file cannot be read, is no safetensors file, or is not that of this model.
    pub fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let dict = StateDict::load(path)?;
        self.load_state_dict(&dict).map_err(|error| error.at(format!("load {}", path.display())))
    }

    /// Writes parameters and buffers as a safetensors file, in the names and layouts of PyTorch's state dicts. The
    /// file is there whole or not at all, as with [`save`](Sequential::save).
    ///
    /// The architecture is not in it: build the same network, then [`load_weights`](Sequential::load_weights).
    ///
    /// # Errors
    /// When the file cannot be written, or two parameters of a layer of one's own have one name.
    pub fn save_weights(&self, path: impl AsRef<Path>) -> Result<()> {
        write_whole(path.as_ref(), |file| self.write_weights(file)).map_err(|error| error.at("save"))
    }

    /// The bytes that [`save_weights`](Sequential::save_weights) writes.
    ///
    /// # Errors
    /// When two parameters of a layer of one's own have one name.
    pub fn weights_to_bytes(&self) -> Result<Vec<u8>> {
        self.write_weights(Vec::new())?.map_err(Error::custom)
    }

    /// The inner error is the disk's.
    fn write_weights<W: Write>(&self, mut out: W) -> Result<io::Result<W>> {
        let (mut arrays, mut end) = (Vec::new(), 0);
        self.visit_params(&mut |name, param| {
            let start = end;
            end += param.len() * size_of::<F>();
            let dtype = if size_of::<F>() == 4 { Dtype::F32 } else { Dtype::F64 };
            let info = TensorInfo { dtype, shape: outer_shape(param), data_offsets: (start, end) };
            arrays.push((name.to_owned(), info));
        });
        let (mut result, mut bytes) = (out.write_all(&safetensors::header(arrays)?), Vec::new());
        self.visit_params(&mut |_, param| {
            let transposed = param.is_transposed().then(|| standard(param.value().t().to_owned()));
            for some in transposed.as_ref().map_or(param.as_slice(), slice).chunks(SOME) {
                if result.is_ok() {
                    bytes.clear();
                    F::write_bytes(some, &mut bytes);
                    result = out.write_all(&bytes);
                }
            }
            if let Some(transposed) = transposed {
                recycle(transposed);
            }
        });
        Ok(result.map(|()| out))
    }

    fn compare(&self, dict: &StateDict<'_>) -> Mismatches {
        let mut mismatches = Mismatches::default();
        let mut unknown: BTreeMap<&str, ()> = dict.names().map(|name| (name, ())).collect();
        self.visit_params(&mut |name, param| {
            unknown.remove(name);
            let shape = outer_shape(param);
            match dict.info(name) {
                None => mismatches.missing.push(name.to_owned()),
                Some(info) if info.shape != shape || !is_known(info.dtype) => {
                    let text = format!("{name} ({} {:?} for {shape:?})", info.dtype, info.shape);
                    mismatches.unfit.push(text);
                }
                Some(info) if dict.overflows::<F>(info) => {
                    mismatches.unfit.push(format!("{name} (a number that is too large for f32)"));
                }
                Some(_) => {}
            }
        });
        let unknown = unknown.into_keys().filter(|name| !is_ignored(name));
        mismatches.unexpected = unknown.map(str::to_owned).collect();
        mismatches.missing.sort_unstable();
        mismatches.unfit.sort_unstable();
        mismatches
    }

    /// Takes over what has the right name and shape, piece by piece, so that no array is in memory twice.
    fn take_from(&mut self, dict: &StateDict<'_>) {
        self.visit_params_mut(&mut |name, param| {
            let fits = |info: &&TensorInfo| info.shape == outer_shape(param) && !dict.overflows::<F>(info);
            let Some(info) = dict.info(name).filter(fits) else {
                return;
            };
            let Some(bytes) = dict.bytes(info) else {
                return;
            };
            if param.is_empty() {
                return;
            }
            let (outer, transposed) = (info.shape.first().copied().unwrap_or(1), param.is_transposed());
            let width = bytes.len() / param.len();
            let row = if transposed { info.shape[1] } else { 1 };
            let some = (SOME / row).max(16);
            let numbers = param.as_slice_mut();
            for (i, piece) in bytes.chunks(some * row * width).enumerate() {
                let values = converted::<F>(info.dtype, piece);
                if !transposed {
                    numbers[i * some..][..values.len()].copy_from_slice(&values);
                    continue;
                }
                // A piece of some rows is some columns of the parameter.
                F::add_transposed(&values, row, F::zero(), &mut numbers[i * some..], outer);
            }
        });
    }
}
