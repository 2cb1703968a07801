//! The shapes of a graph's values, and those of an operation.

use crate::codec::MAX_AXES;
use crate::error::{Error, Result};
use crate::tensor::batch_shape;
use ndarray::{ArrayViewD, ArrayViewMutD, IxDyn};
use std::fmt;

/// The maximum number of numbers in a value, for one sample.
pub(super) const MAX_NUMBERS: usize = 1 << 31;

/// The maximum number of inputs of an operation: `Needs` has a bit for each.
pub(super) const MAX_INPUTS: usize = 64;

/// The shape of a value in a graph: of one sample, or of what all samples share, such as a parameter.
///
/// ```
/// use plywood::nn::op::Shape;
///
/// let image = Shape::batched([28, 28]);
/// assert_eq!((image.to_string().as_str(), image.len(), image.rank()), ("[batch, 28, 28]", 784, 3));
/// assert_eq!(image.axis(-1)?, 1); // the last one of `sizes`
/// assert!(image.axis(0).is_err()); // the batch axis
/// let weight = Shape::shared([784, 10]);
/// assert_eq!((weight.axis(0)?, weight.whole_len(32)), (0, 7_840));
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Whether there is a batch axis in front of the sizes.
    pub batched: bool,
    /// The sizes without the batch axis.
    pub sizes: Vec<usize>,
}

impl Shape {
    /// Returns a shape with or without a batch axis in front of these sizes.
    pub fn new(batched: bool, sizes: impl Into<Vec<usize>>) -> Self {
        Self { batched, sizes: sizes.into() }
    }

    /// Returns the shape of a value with a batch axis in front of these sizes.
    pub fn batched(sizes: impl Into<Vec<usize>>) -> Self {
        Self::new(true, sizes)
    }

    /// Returns the shape of a value that all samples share.
    pub fn shared(sizes: impl Into<Vec<usize>>) -> Self {
        Self::new(false, sizes)
    }

    /// Returns the number of numbers, of one sample.
    #[allow(clippy::len_without_is_empty, reason = "no size is 0")]
    pub fn len(&self) -> usize {
        self.sizes.iter().product()
    }

    /// Returns the number of axes, including the batch axis.
    pub fn rank(&self) -> usize {
        self.sizes.len() + self.lead()
    }

    /// Returns the number of axes in front of the sizes: 1 for the batch axis.
    pub(super) fn lead(&self) -> usize {
        usize::from(self.batched)
    }

    /// Refuses sizes of 0, and more axes or numbers than there may be. Sizes that passed can be multiplied safely.
    pub(super) fn check(self) -> Result<Self> {
        let fits = |all: usize, &n: &usize| all.checked_mul(n).filter(|all| (1..=MAX_NUMBERS).contains(all));
        if self.rank() > MAX_AXES || self.sizes.iter().try_fold(1, fits).is_none() {
            let expected = format!(
                "[…] with sizes of at least 1, at most {MAX_NUMBERS} numbers, and at most {MAX_AXES} axes with that of the batch"
            );
            return Err(Error::shape("the value", expected, &self.sizes)
                .help("Correct the sizes; merge axes with `reshape`."));
        }
        Ok(self)
    }

    /// Returns the position in `sizes` of an axis, which counts in the whole array: the batch axis is 0, and -1 is the
    /// last axis.
    ///
    /// # Errors
    /// If there is no such axis, or it is the batch axis.
    pub fn axis(&self, axis: isize) -> Result<usize> {
        let rank = self.rank() as isize;
        let found = if axis < 0 { axis.saturating_add(rank) } else { axis };
        match usize::try_from(found).ok().and_then(|found| found.checked_sub(self.lead())) {
            Some(found) if found < self.sizes.len() => Ok(found),
            _ => {
                let (but, help) = if self.batched {
                    let help = "Axes count in the whole array: 0 is the batch, which no operation mixes; -1 is the last.";
                    (" other than the batch axis", help)
                } else {
                    ("", "It has no batch axis: axes count from 0, and -1 is the last.")
                };
                Err(Error::argument("axis", format!("an axis of {self}{but}"), axis).help(help))
            }
        }
    }

    /// Returns the shape of the whole array for a batch of so many samples. Up to four axes need no memory of the heap.
    pub fn whole(&self, batch: usize) -> IxDyn {
        let mut whole = IxDyn::zeros(self.rank());
        if self.batched {
            whole[0] = batch;
        }
        for (i, &n) in self.sizes.iter().enumerate() {
            whole[i + self.lead()] = n;
        }
        whole
    }

    /// Returns the number of numbers in the whole array for a batch of so many samples.
    pub fn whole_len(&self, batch: usize) -> usize {
        self.len() * if self.batched { batch } else { 1 }
    }

    /// Returns the size of an axis, which is given as it was written, and the number of numbers behind each position.
    pub(super) fn extent(&self, axis: i64) -> Result<(usize, usize)> {
        let (_, n, inner) = self.split(self.axis(axis as isize)?, 1);
        Ok((n, inner))
    }

    /// Returns the whole array as three axes: the blocks in front of an axis of `sizes`, with those of the batch; the
    /// axis; and the numbers behind it, in row-major order.
    ///
    /// ```
    /// use plywood::nn::op::Shape;
    ///
    /// let shape = Shape::batched([5, 4, 3]);
    /// assert_eq!(shape.split(1, 2), (10, 4, 3)); // number (b, i, j) is at (b · 4 + i) · 3 + j
    /// ```
    ///
    /// # Panics
    /// If there is no such axis: [`axis`](Self::axis) finds it.
    pub fn split(&self, axis: usize, batch: usize) -> (usize, usize, usize) {
        let blocks = if self.batched { batch } else { 1 };
        let product = |sizes: &[usize]| sizes.iter().product::<usize>();
        (blocks * product(&self.sizes[..axis]), self.sizes[axis], product(&self.sizes[axis + 1..]))
    }
}

/// The shapes of an operation's inputs and of its output, as [`Op::shape`](super::Op::shape) saw and returned them, and the
/// number of samples.
#[derive(Clone, Copy, Debug)]
pub struct Shapes<'a> {
    /// The shapes of the inputs.
    pub inputs: &'a [Shape],
    /// The shape of the output.
    pub output: &'a Shape,
    /// The number of samples in the batch.
    pub batch: usize,
}

impl Shapes<'_> {
    /// Returns the numbers of an input as an array, with the batch axis if the input has one.
    ///
    /// # Panics
    /// If there is no such input, or `numbers` are not as many as it has.
    pub fn input_view<'x, F>(&self, input: usize, numbers: &'x [F]) -> ArrayViewD<'x, F> {
        let shape = self.inputs[input].whole(self.batch);
        ArrayViewD::from_shape(shape, numbers).expect("as many numbers as the input has")
    }

    /// Returns the numbers of the output as an array.
    ///
    /// # Panics
    /// If `numbers` are not as many as the output has.
    pub fn output_view_mut<'x, F>(&self, numbers: &'x mut [F]) -> ArrayViewMutD<'x, F> {
        let shape = self.output.whole(self.batch);
        ArrayViewMutD::from_shape(shape, numbers).expect("as many numbers as the output has")
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.batched { f.write_str(&batch_shape(&self.sizes)) } else { write!(f, "{:?}", self.sizes) }
    }
}
