//! Reading and writing a model's weights as state dicts.

use super::{SOME, StateDict, converted, is_known};
use crate::disk::write_whole;
use crate::error::{Error, Result};
use crate::io::Mismatches;
use crate::io::safetensors::{self, Dtype, TensorInfo};
use crate::kernels::Scalar;
use crate::nn::Parameters;
use crate::param::Param;
use crate::tensor::{Tensor, copy, recycle, slice, standard};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

/// The number of batches that batch normalization has seen: PyTorch stores it, and Plywood does not need it.
fn is_ignored(name: &str) -> bool {
    name.rsplit('.').next() == Some("num_batches_tracked")
}

/// The shape that a parameter has in a state dict.
fn outer_shape<F: Scalar>(param: &Param<F>) -> Vec<usize> {
    let mut shape = param.shape().to_vec();
    if param.is_transposed() {
        shape.reverse();
    }
    shape
}

/// The weights of a model or a layer by name, as in PyTorch's state dicts. Everything that has [`Parameters`] has these
/// methods.
///
/// The architecture is not saved: see [`Save`](crate::io::Save) for whole models.
pub trait Weights<F: Scalar = f32>: Parameters<F> {
    /// Loads all parameters and buffers from a state dict, by name. Names and shapes must match exactly. Numbers of
    /// another type (`F16`, `BF16`, `F32`, `F64`) are converted.
    ///
    /// PyTorch's counterpart is `model.load_state_dict(dict)`. Its "num_batches_tracked" is ignored.
    ///
    /// ```
    /// use plywood::io::StateDict;
    /// use plywood::prelude::*;
    ///
    /// let bytes = Sequential::builder([3]).layer(Dense::units(2)).layer(Tanh).build()?.weights_to_bytes()?;
    /// let mut other = Sequential::builder([4]).layer(Dense::units(2)).layer(Dense::units(1)).build()?;
    /// assert_eq!(
    ///     other.load_state_dict(&StateDict::from_bytes(&bytes)?).unwrap_err().to_string(),
    ///     "the state dict must have the arrays of this model, got others (missing: 1.bias, 1.weight; of another \
    ///      shape or type: 0.weight (F32 [2, 3] for [2, 4])). Rename arrays (`StateDict::rename`), or load those \
    ///      that fit with `load_matching`."
    /// );
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// If names or shapes differ: the error lists all differences, and the model is unchanged.
    fn load_state_dict(&mut self, dict: &StateDict<'_>) -> Result<()> {
        let mismatches = compare(self, dict);
        if mismatches.is_empty() {
            take_from(self, dict);
            return Ok(());
        }
        Err(Error::format(
            "the state dict",
            "have the arrays of this model",
            format!("others ({mismatches})"),
        )
        .help("Rename arrays (`StateDict::rename`), or load those that fit with `load_matching`."))
    }

    /// Loads the arrays that fit, and reports the rest. PyTorch's counterpart is `strict=False`, which does not accept
    /// different shapes.
    ///
    /// Use it, for example, to load a body that was trained with another head:
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
    fn load_matching(&mut self, dict: &StateDict<'_>) -> Mismatches {
        take_from(self, dict);
        compare(self, dict)
    }

    /// Like [`load_state_dict`](Weights::load_state_dict), from a safetensors file.
    ///
    /// # Errors
    /// If the file cannot be read, is not a safetensors file, or does not match this model.
    fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let dict = StateDict::load(path)?;
        self.load_state_dict(&dict).map_err(|error| error.at(format!("load {}", path.display())))
    }

    /// Saves parameters and buffers as a safetensors file, with the names and layouts of PyTorch's state dicts. The
    /// file is written atomically, as by [`save`](crate::io::Save::save).
    ///
    /// The architecture is not saved: build the same network, then call [`load_weights`](Weights::load_weights).
    ///
    /// # Errors
    /// If the file cannot be written, or two parameters of a custom layer have the same name.
    fn save_weights(&self, path: impl AsRef<Path>) -> Result<()> {
        write_whole(path.as_ref(), |file| write_weights(self, file)).map_err(|error| error.at("save"))
    }

    /// Returns the bytes that [`save_weights`](Weights::save_weights) writes.
    ///
    /// # Errors
    /// If two parameters of a custom layer have the same name.
    fn weights_to_bytes(&self) -> Result<Vec<u8>> {
        write_weights(self, Vec::new())?.map_err(Error::custom)
    }

    /// Returns a copy of all parameters and buffers by name, in the layouts of PyTorch's state dicts.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([3]).layer(Dense::units(2)).build()?;
    /// let arrays = model.state_dict()?.arrays::<f32>()?;
    /// let shapes: Vec<_> = arrays.iter().map(|(name, array)| (name.as_str(), array.shape())).collect();
    /// assert_eq!(shapes, [("0.bias", &[2][..]), ("0.weight", &[2, 3])]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// If two parameters of a custom layer have the same name.
    fn state_dict(&self) -> Result<StateDict<'static>> {
        let mut arrays: Vec<(String, Tensor<F>)> = Vec::new();
        self.each_param(&mut |name, param| {
            let value = param.value();
            let array = if param.is_transposed() { standard(value.t().to_owned()) } else { copy(value) };
            arrays.push((name.to_owned(), array));
        });
        StateDict::from_arrays(arrays)
    }
}

impl<F: Scalar, P: Parameters<F> + ?Sized> Weights<F> for P {}

/// The inner error comes from the disk.
fn write_weights<F: Scalar, P: Parameters<F> + ?Sized, W: Write>(
    model: &P,
    mut out: W,
) -> Result<io::Result<W>> {
    let (mut arrays, mut end) = (Vec::new(), 0);
    model.each_param(&mut |name, param| {
        let start = end;
        end += param.len() * size_of::<F>();
        let dtype = if size_of::<F>() == 4 { Dtype::F32 } else { Dtype::F64 };
        let info = TensorInfo { dtype, shape: outer_shape(param), data_offsets: (start, end) };
        arrays.push((name.to_owned(), info));
    });
    let (mut result, mut bytes) = (out.write_all(&safetensors::header(arrays)?), Vec::new());
    model.each_param(&mut |_, param| {
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

fn compare<F: Scalar, P: Parameters<F> + ?Sized>(model: &P, dict: &StateDict<'_>) -> Mismatches {
    let mut mismatches = Mismatches::default();
    let mut unknown: BTreeMap<&str, ()> = dict.names().map(|name| (name, ())).collect();
    model.each_param(&mut |name, param| {
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

/// Loads the arrays with the right name and shape piece by piece, so that no array is in memory twice.
fn take_from<F: Scalar, P: Parameters<F> + ?Sized>(model: &mut P, dict: &StateDict<'_>) {
    model.each_param_mut(&mut |name, param| {
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
