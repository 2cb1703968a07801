//! How a window slides over an image, for convolution and pooling.
//!
//! Let an axis have `n` values, the window `k` values at a distance (dilation) of `d`, and the stride be `s`; `p` is
//! the padding at both ends together:
//!
//! ```text
//! reach    r = d · (k - 1) + 1
//! outputs  m = ⌊(n + p - r) / s⌋ + 1                               Valid (p = 0) and Explicit
//!          m = ⌈n / s⌉,   p = max((m - 1) · s + r - n, 0)           Same
//! ```
//!
//! With a window of 3, 28 rows become 26, or 28 with `Same`; with a stride of 2 they become 13, or 14 with `Same`. All
//! of this is computed when a model is built, with an overflow check, so that a size with a digit too many is an error
//! then and not a panic later.
//!
//! See the figures of Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016. Values at the
//! end that no whole window covers are left out, as in PyTorch and Keras.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::{Tensor, reshape};
use ndarray::IxDyn;
use serde::{Deserialize, Serialize};

/// How the input of a window is padded.
///
/// | | outputs along an axis of `n` | PyTorch | Keras |
/// |---|---|---|---|
/// | `Valid` | as many as fit | `padding=0` or `"valid"` | `"valid"` |
/// | `Same` | `⌈n / stride⌉` | `"same"`, with stride 1 only | `"same"` |
/// | `Explicit([1, 2])` | as many as fit | `padding=(1, 2)` | `ZeroPadding2D((1, 2))` before |
///
/// `Same` adds as little as needed, half of it at each end; if the amount is odd, the extra one is at the end. PyTorch
/// and Keras do so too with a stride of 1; with a larger one, PyTorch refuses `"same"`, and Plywood follows Keras. A
/// convolution is padded with zeros; the pooling layers describe their own padding.
///
/// Numbers convert to paddings: `.padding(1)` adds one at each end of each axis, `.padding([1, 2])` one row above and
/// below, and two columns left and right.
///
/// ```
/// use plywood::prelude::*;
///
/// let shape = |padding| {
///     let model = Sequential::builder([1, 28, 28]).layer(Conv2d::filters(8, 5).padding(padding)).build()?;
///     Ok::<_, Error>(model.output_shape().to_vec())
/// };
/// assert_eq!(shape(Padding::Valid)?, [8, 24, 24]);
/// assert_eq!(shape(Padding::Same)?, [8, 28, 28]);
/// assert_eq!(shape(Padding::Explicit([1, 0]))?, [8, 26, 24]);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Padding {
    /// No padding: the window stays inside the input.
    #[default]
    Valid,
    /// As much padding as makes the output as large as the input with a stride of 1.
    Same,
    /// This many rows above and below, and this many columns left and right.
    ///
    /// A sequence (`Conv1d`, `MaxPool1d`) has one axis: give one number, or two equal ones.
    Explicit([usize; 2]),
}

impl From<usize> for Padding {
    /// The same padding at each end of each axis.
    fn from(padding: usize) -> Self {
        Self::Explicit([padding; 2])
    }
}

impl From<[usize; 2]> for Padding {
    /// The padding of rows and of columns.
    fn from(padding: [usize; 2]) -> Self {
        Self::Explicit(padding)
    }
}

/// One number for both axes, or one for each: the argument type for the sizes of windows.
///
/// `3` and `[3, 3]` mean the same window. You need not construct it: functions take `impl Into<PerAxis>`.
///
/// ```
/// use plywood::prelude::*;
///
/// let model = Sequential::builder([3, 9, 9]).layer(MaxPool2d::window([3, 1]).stride(2)).build()?;
/// assert_eq!(model.output_shape(), [3, 4, 5]);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerAxis(pub(super) [usize; 2]);

impl From<usize> for PerAxis {
    fn from(both: usize) -> Self {
        Self([both; 2])
    }
}

impl From<[usize; 2]> for PerAxis {
    /// Takes rows, then columns.
    fn from(pair: [usize; 2]) -> Self {
        Self(pair)
    }
}

/// A window and its movement, for rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Window {
    /// The number of values under it.
    pub size: [usize; 2],
    /// The stride.
    pub stride: [usize; 2],
    /// The distance between its values.
    pub dilation: [usize; 2],
    /// The padding of the input.
    pub padding: Padding,
}

/// One axis under a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Axis {
    /// The number of values of the input.
    pub input: usize,
    /// The number of values added before them.
    pub before: usize,
    /// The number of values with the padding at both ends.
    pub padded: usize,
    /// The number of window positions.
    pub output: usize,
}

/// The maximum number of values of a tensor: what an allocation can hold in `f64`.
pub(super) const MOST: usize = isize::MAX as usize / 8;

/// The maximum of a window, a stride, a dilation or a padding along an axis: within it, padding an input at both ends
/// cannot overflow.
const LARGEST: usize = MOST / 4;

/// The number of values above which the system is asked whether it has the memory.
const ASK: usize = 1 << 28;

/// Returns the product of sizes; an error if no tensor can be that large. `what` includes an article.
pub(super) fn numbers(what: &str, sizes: &[usize]) -> Result<usize> {
    // A size of 0 counts as 1 here: ndarray requires the product of the others to fit.
    let product = sizes.iter().try_fold(1usize, |product, &n| product.checked_mul(n.max(1)));
    // The reservation is dropped at once: otherwise a size with a digit too many would abort the process later.
    let fits = |&n: &usize| n <= ASK || n <= MOST && Vec::<f64>::new().try_reserve_exact(n).is_ok();
    product.filter(fits).map(|product| if sizes.contains(&0) { 0 } else { product }).ok_or_else(|| {
        Error::shape(what, "[…], small enough to fit into memory", sizes)
            .help("Make the layer or its input smaller.")
    })
}

impl Window {
    /// Creates a window of this size with stride 1.
    pub fn of(size: PerAxis) -> Self {
        Self { size: size.0, stride: [1; 2], dilation: [1; 2], padding: Padding::Valid }
    }

    /// Creates a window over a sequence: one over an image with a single row.
    pub fn along(size: usize) -> Self {
        Self { size: [1, size], stride: [1; 2], dilation: [1; 2], padding: Padding::Valid }
    }

    /// Sets the padding for a sequence: none above and below its single row.
    pub fn sequence_padding(mut self) -> Result<Self> {
        if let Padding::Explicit([rows, columns]) = self.padding {
            if rows != columns {
                let found = format!("[{rows}, {columns}]");
                return Err(Error::argument("the padding", "a single number for a sequence", found)
                    .help("A sequence has one axis: write `.padding(1)`."));
            }
            self.padding = Padding::Explicit([0, columns]);
        }
        self.check_row()?;
        Ok(self)
    }

    /// Checks that the window is one for a sequence: one row with stride 1. A file may hold another.
    pub fn check_row(&self) -> Result<()> {
        let padded = matches!(self.padding, Padding::Explicit([rows, _]) if rows > 0);
        if padded || [self.size[0], self.stride[0], self.dilation[0]] != [1; 3] {
            return Err(Error::argument("the window", "a single row at a fixed place for a sequence", self)
                .help("Build the layer again."));
        }
        Ok(())
    }

    /// Checks the padding for pooling: it is at most half of the window, so that no window is all padding.
    pub fn check_pooling(&self) -> Result<()> {
        match self.padding {
            Padding::Explicit(each) if (0..2).any(|i| each[i] > self.size[i] / 2) => {
                let half = self.size.map(|size| size / 2);
                let expected = format!("at most {half:?}, half of the window {:?}", self.size);
                Err(Error::argument("the padding", expected, format!("{each:?}"))
                    .help("Reduce it, or enlarge the window: one that lies within the padding has no numbers to pool."))
            }
            _ => Ok(()),
        }
    }

    /// Returns the two axes of an image under this window.
    pub fn over(&self, input: [usize; 2]) -> Result<[Axis; 2]> {
        for (name, numbers, usual) in [
            ("the window", self.size, "3 is usual; 1 takes each number by itself."),
            ("the stride", self.stride, "1 moves the window by one number."),
            ("the dilation", self.dilation, "1 is usual: the window covers adjacent numbers."),
        ] {
            if numbers.contains(&0) {
                return Err(
                    Error::argument(name, "at least 1 along each axis", format!("{numbers:?}")).help(usual)
                );
            }
        }
        let padding = if let Padding::Explicit(each) = self.padding { each } else { [0; 2] };
        for (name, numbers) in [
            ("the window", self.size),
            ("the stride", self.stride),
            ("the dilation", self.dilation),
            ("the padding", padding),
        ] {
            if numbers.iter().any(|&n| n > LARGEST) {
                let expected = format!("at most {LARGEST} along each axis");
                return Err(Error::argument(name, expected, format!("{numbers:?}")).help(
                    "Use a number that suits the input; this one may result from a difference below 0.",
                ));
            }
        }
        let mut axes = [Axis::default(); 2];
        for (i, axis) in axes.iter_mut().enumerate() {
            *axis = self.along_axis(i, input[i]).ok_or_else(|| {
                let text = format!("no larger than its input with padding, {input:?}");
                Error::argument("the window", text, format!("{self}")).help(
                    "Use a smaller window, less dilation, or `Padding::Same`; an input has at least 1 row.",
                )
            })?;
        }
        Ok(axes)
    }

    /// Returns an axis of the image; `None` if no window fits, or a size is too large.
    fn along_axis(&self, i: usize, input: usize) -> Option<Axis> {
        let (size, stride) = (self.size[i], self.stride[i]);
        let reach = self.dilation[i].checked_mul(size - 1)?.checked_add(1)?;
        let (before, padded) = match self.padding {
            Padding::Valid => (0, input),
            Padding::Explicit(each) => (each[i], input.checked_add(each[i].checked_mul(2)?)?),
            Padding::Same => {
                let last = (input.div_ceil(stride).checked_sub(1)?).checked_mul(stride)?;
                let padded = last.checked_add(reach)?.max(input);
                ((padded - input) / 2, padded)
            }
        };
        let output = padded.checked_sub(reach)? / stride + 1;
        (input > 0 && padded <= MOST).then_some(Axis { input, before, padded, output })
    }
}

impl std::fmt::Display for Window {
    /// Used in errors: "[3, 3]", with the dilation if there is one.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.size)?;
        if self.dilation == [1, 1] { Ok(()) } else { write!(f, " with a dilation of {:?}", self.dilation) }
    }
}

/// Returns the channels, rows and columns of an image's shape without the batch axis.
pub(super) fn image(input: &[usize]) -> Result<[usize; 3]> {
    match *input {
        [channels, rows, columns] => Ok([channels, rows, columns]),
        [rows, columns] => Err(Error::shape("the input", "[channels, rows, columns]", input).help(format!(
            "Channels come first: put `Reshape::to([1, {rows}, {columns}])` before for images of one channel."
        ))),
        _ => Err(Error::shape("the input", "[channels, rows, columns]", input)
            .help("Channels come first; `Reshape` makes the axes.")),
    }
}

/// Returns the channels and the length of a sequence's shape without the batch axis.
pub(super) fn sequence(input: &[usize]) -> Result<[usize; 2]> {
    match *input {
        [channels, length] => Ok([channels, length]),
        [length] => Err(Error::shape("the input", "[channels, length]", input).help(format!(
            "Channels come first: put `Reshape::to([1, {length}])` before for sequences of one channel."
        ))),
        _ => Err(Error::shape("the input", "[channels, length]", input)
            .help("Channels come first; `Reshape` makes the axes.")),
    }
}

/// Returns the number of samples and the shape of each; an error if there is no batch axis.
pub(super) fn batch(input: &[usize]) -> Result<(usize, &[usize])> {
    match input {
        [samples, sample @ ..] => Ok((*samples, sample)),
        [] => Err(Error::shape("the input", "[batch, channels, …]", input).help("Axis 0 is the batch.")),
    }
}

/// Converts `[…, length]` to `[…, 1, length]`.
pub(super) fn with_row(shape: &[usize]) -> Vec<usize> {
    let mut shape = shape.to_vec();
    shape.insert(shape.len().saturating_sub(1), 1);
    shape
}

/// Converts `[…, 1, length]` to `[…, length]`.
pub(super) fn without_row(mut shape: Vec<usize>) -> Result<Vec<usize>> {
    if shape.len() < 2 {
        return Err(
            Error::shape("the input", "[batch, channels, length]", &shape).help("Axis 0 is the batch.")
        );
    }
    shape.remove(shape.len() - 2);
    Ok(shape)
}

/// Converts a batch of sequences to one of images with a single row. No copy.
pub(super) fn as_images<F: Scalar>(input: Tensor<F>) -> Result<Tensor<F>> {
    sequence(batch(input.shape())?.1)?;
    let shape = with_row(input.shape());
    Ok(reshape(input, IxDyn(&shape)))
}

/// Converts a batch of images with a single row back to one of sequences.
pub(super) fn as_sequences<F: Scalar>(output: Tensor<F>) -> Result<Tensor<F>> {
    let shape = without_row(output.shape().to_vec())?;
    Ok(reshape(output, IxDyn(&shape)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(size: usize, stride: usize, dilation: usize, padding: Padding, input: usize) -> Option<Axis> {
        let window = Window { size: [size; 2], stride: [stride; 2], dilation: [dilation; 2], padding };
        window.over([input; 2]).ok().map(|axes| axes[0])
    }

    #[test]
    fn outputs_by_hand() {
        let of = |size, stride, dilation, padding, input| {
            axis(size, stride, dilation, padding, input).map(|a| (a.before, a.padded, a.output))
        };
        assert_eq!(of(3, 1, 1, Padding::Valid, 5), Some((0, 5, 3)));
        assert_eq!(of(3, 2, 1, Padding::Valid, 6), Some((0, 6, 2)));
        assert_eq!(of(3, 1, 1, Padding::Same, 5), Some((1, 7, 5)));
        assert_eq!(of(4, 1, 1, Padding::Same, 5), Some((1, 8, 5)), "the extra one at the end");
        assert_eq!(of(3, 1, 2, Padding::Same, 5), Some((2, 9, 5)));
        assert_eq!(of(3, 2, 1, Padding::Same, 6), Some((0, 7, 3)), "as Keras");
        assert_eq!(of(1, 3, 1, Padding::Same, 7), Some((0, 7, 3)));
        assert_eq!(of(3, 1, 1, Padding::from(2), 1), Some((2, 5, 3)));
        assert_eq!(of(5, 1, 1, Padding::Valid, 4), None);
        assert_eq!(of(1, 1, 1, Padding::Same, 0), None);
        assert_eq!(of(1, LARGEST, 1, Padding::Valid, 4), Some((0, 4, 1)));
        for huge in [usize::MAX, usize::MAX / 2, LARGEST + 1] {
            assert_eq!(of(huge, 1, 1, Padding::Valid, 4), None);
            assert_eq!(of(1, huge, 1, Padding::Valid, 4), None);
            assert_eq!(of(2, 1, huge, Padding::Same, 4), None);
            assert_eq!(of(2, 1, 1, Padding::from(huge), 4), None);
        }
        for zero in [axis(0, 1, 1, Padding::Same, 4), axis(1, 0, 1, Padding::Same, 4)] {
            assert_eq!(zero, None);
        }
    }
}
