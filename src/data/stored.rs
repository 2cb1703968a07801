//! [`Stored`]: an array of inputs in memory, in the type it is stored in.

use super::element::Element;
use crate::error::{Error, Result};
use crate::kernels::{Scalar, threads};
use crate::shown::cut;
use ndarray::{Array, ArrayD, Axis, Dimension};

/// The least number of values worth a thread of its own: some microseconds of work.
const LEAST_NUMBERS: usize = 8_192;

/// Inputs `[samples, …]`, which are read as `stored · scale + offset`.
#[derive(Clone, Debug)]
pub(super) struct Stored<E> {
    /// In standard layout, so that a sample is one slice.
    array: ArrayD<E>,
    /// The default is 1.
    pub scale: f64,
    /// The default is 0.
    pub offset: f64,
    /// The names of the columns, if they come from a table; used in error messages.
    pub columns: Vec<String>,
}

impl<E: Element> Stored<E> {
    /// Stores an array, which is copied if it is not in row-major order. `what` names it in errors.
    pub fn new<D: Dimension>(what: &str, array: Array<E, D>) -> Result<Self> {
        let array = array.into_dyn();
        if array.ndim() == 0 {
            return Err(Error::shape(what, "[samples, …]", array.shape()).help("Axis 0 counts the samples."));
        }
        let array = if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() };
        Ok(Self { array, scale: 1.0, offset: 0.0, columns: Vec::new() })
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.array.shape()[0]
    }

    /// The shape of a sample.
    pub fn shape(&self) -> &[usize] {
        &self.array.shape()[1..]
    }

    pub fn array(&self) -> &ArrayD<E> {
        &self.array
    }

    /// The first samples.
    pub fn first(self, count: usize) -> Self {
        let array = self.array.slice_axis(Axis(0), (..count).into()).to_owned();
        Self { array, ..self }
    }

    /// Whether all numbers are finite as `F`, whatever is stored.
    pub fn is_finite<F: Scalar>(&self) -> bool {
        E::LARGEST.is_some_and(|largest| F::of(largest * self.scale.abs() + self.offset.abs()).is_finite())
    }

    /// Reads the samples at these positions, which are in range.
    pub fn read<F: Scalar>(&self, indices: &[usize], out: &mut [F]) -> Result<()> {
        let columns: usize = self.shape().iter().product();
        let (scale, offset) = (F::of(self.scale), F::of(self.offset));
        let values = self.array.as_slice().unwrap_or_default();
        // Split by rows: the time goes into waiting for scattered rows to arrive from memory, and each thread waits
        // for its own.
        let share = indices.len().div_ceil(threads::parts(out.len(), LEAST_NUMBERS)).max(1);
        let parts = indices.chunks(share).zip(out.chunks_mut((share * columns).max(1)));
        threads::each(parts, |(rows, out)| E::rows(values, rows, columns, scale, offset, out));
        let stored = |i: usize| values[indices[i / columns] * columns + i % columns].exact();
        check_read::<E, F>(out, indices, &self.columns, stored)
    }
}

/// Returns an error if a number is finite as stored, as an `E`, but overflowed when it was read into a smaller type.
/// `stored` returns the stored number at a position of `read`; `columns` are the names of a sample's numbers, if they
/// have any.
pub(super) fn check_read<E: Element, F: Scalar>(
    read: &[F],
    indices: &[usize],
    columns: &[String],
    stored: impl Fn(usize) -> f64,
) -> Result<()> {
    if size_of::<E>() <= size_of::<F>() || F::all_finite(read) {
        return Ok(());
    }
    // If the stored number is not finite either, the trainer's own check names the sample.
    let too_large = |&i: &usize| !read[i].is_finite() && stored(i).is_finite();
    let Some(i) = (0..read.len()).find(too_large) else { return Ok(()) };
    let numbers = read.len() / indices.len().max(1);
    let (number, sample) = (i % numbers, indices[i / numbers]);
    let what = match columns.get(number) {
        Some(name) => format!("column {:?} of sample {sample}", cut(name)),
        None => format!("number {number} of sample {sample}"),
    };
    Err(Error::data(what, format!("be finite in {}", F::NAME), format!("{:?}", stored(i)))
        .help("Give such numbers in a larger unit, or train a model of `f64`."))
}
