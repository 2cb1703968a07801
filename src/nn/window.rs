//! How a window slides over an image, for convolution and pooling.
//!
//! Along an axis of `n` numbers, with a window of `k` numbers `d` apart that moves on by `s`, and `p` numbers added
//! at both ends together:
//!
//! ```text
//! reach    r = d · (k - 1) + 1
//! outputs  m = ⌊(n + p - r) / s⌋ + 1                               Valid (p = 0) and Explicit
//!          m = ⌈n / s⌉,   p = max((m - 1) · s + r - n, 0)           Same
//! ```
//!
//! So 28 rows under a window of 3 are 26, and 28 again with `Same`; with a stride of 2 they are 13, and 14 with
//! `Same`. All of it is worked out when a model is built, with overflow checked, so that a size with a digit too many
//! is an error there and not a panic later.
//!
//! Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, draw all of it. What is not
//! covered at the end by a whole window is left out, as in PyTorch and Keras.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::{Tensor, reshape};
use ndarray::IxDyn;
use serde::{Deserialize, Serialize};

/// How far an image is extended before a window slides over it.
///
/// | | outputs along an axis of `n` | PyTorch | Keras |
/// |---|---|---|---|
/// | `Valid` | as many as fit | `padding=0` or `"valid"` | `"valid"` |
/// | `Same` | `⌈n / stride⌉` | `"same"`, with stride 1 only | `"same"` |
/// | `Explicit([1, 2])` | as many as fit | `padding=(1, 2)` | `ZeroPadding2D((1, 2))` before |
///
/// `Same` adds as little as will do, half of it before and half behind; of an odd number the extra one comes at the
/// end. With a stride of 1 PyTorch and Keras agree on that. With a larger one PyTorch refuses, and this follows
/// Keras. A convolution's padding is zeros. For pooling see the layers there.
///
/// Numbers are paddings, too: `.padding(1)` adds one at each end of each axis, `.padding([1, 2])` one row above and
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
    /// None: the window stays inside.
    #[default]
    Valid,
    /// So much that with a stride of 1 the output is as large as the input.
    Same,
    /// So many rows above and below, and so many columns left and right.
    ///
    /// A sequence (`Conv1d`, `MaxPool1d`) has one axis: give it one number, or two that are the same.
    Explicit([usize; 2]),
}

impl From<usize> for Padding {
    /// The same at each end of each axis.
    fn from(padding: usize) -> Self {
        Self::Explicit([padding; 2])
    }
}

impl From<[usize; 2]> for Padding {
    /// For rows and columns.
    fn from(padding: [usize; 2]) -> Self {
        Self::Explicit(padding)
    }
}

/// One number for both axes, or one for each: what the sizes of windows are given by.
///
/// `3` and `[3, 3]` mean the same window. Not a type of its own to make: whatever takes it says `impl Into<PerAxis>`.
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
    /// Rows, columns.
    fn from(pair: [usize; 2]) -> Self {
        Self(pair)
    }
}

/// A window and how it moves, for rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Window {
    /// The numbers under it.
    pub size: [usize; 2],
    /// By how many it moves on.
    pub stride: [usize; 2],
    /// How far apart its numbers lie.
    pub dilation: [usize; 2],
    /// What the input is extended by.
    pub padding: Padding,
}

/// One axis under a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Axis {
    /// The numbers there are.
    pub input: usize,
    /// The numbers added before them.
    pub before: usize,
    /// The numbers with those added at both ends.
    pub padded: usize,
    /// Where the window can be.
    pub output: usize,
}

/// The most numbers of a tensor: what an allocation can hold in `f64`.
pub(super) const MOST: usize = isize::MAX as usize / 8;

/// The most that a window, a stride, a dilation or a padding may be along an axis: with it nothing overflows where an
/// input is extended at both ends.
const LARGEST: usize = MOST / 4;

/// From how many numbers on the system is asked whether it has the memory.
const ASK: usize = 1 << 28;

/// The product of sizes; an error where no tensor can be so large. `what` has an article.
pub(super) fn numbers(what: &str, sizes: &[usize]) -> Result<usize> {
    // An axis of 0 makes no difference: ndarray asks that the others fit.
    let product = sizes.iter().try_fold(1usize, |product, &n| product.checked_mul(n.max(1)));
    // The reservation is dropped at once: a size with a digit too many would otherwise abort the process later on.
    let fits = |&n: &usize| n <= ASK || n <= MOST && Vec::<f64>::new().try_reserve_exact(n).is_ok();
    product.filter(fits).map(|product| if sizes.contains(&0) { 0 } else { product }).ok_or_else(|| {
        Error::shape(what, "[…], small enough to fit into memory", sizes)
            .help("Make the layer or its input smaller.")
    })
}

impl Window {
    /// Of this size, moving by one.
    pub fn of(size: PerAxis) -> Self {
        Self { size: size.0, stride: [1; 2], dilation: [1; 2], padding: Padding::Valid }
    }

    /// A window over a sequence is one over an image with a single row.
    pub fn along(size: usize) -> Self {
        Self { size: [1, size], stride: [1; 2], dilation: [1; 2], padding: Padding::Valid }
    }

    /// The padding of a sequence: none above and below its single row.
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

    /// For a sequence: one row that stays where it is. A file may say otherwise.
    pub fn check_row(&self) -> Result<()> {
        let padded = matches!(self.padding, Padding::Explicit([rows, _]) if rows > 0);
        if padded || [self.size[0], self.stride[0], self.dilation[0]] != [1; 3] {
            return Err(Error::argument("the window", "a single row at a fixed place for a sequence", self)
                .help("Build the layer again."));
        }
        Ok(())
    }

    /// For pooling: padding is at most half of the window, so that no window is all padding.
    pub fn check_pooling(&self) -> Result<()> {
        match self.padding {
            Padding::Explicit(each) if (0..2).any(|i| each[i] > self.size[i] / 2) => {
                let expected = format!("at most half of the window, {:?}", self.size);
                Err(Error::argument("the padding", expected, format!("{each:?}"))
                    .help("A window that lies within the padding would have no numbers to pool."))
            }
            _ => Ok(()),
        }
    }

    /// The two axes of an image under this window.
    pub fn over(&self, input: [usize; 2]) -> Result<[Axis; 2]> {
        for (name, numbers) in
            [("the window", self.size), ("the stride", self.stride), ("the dilation", self.dilation)]
        {
            if numbers.contains(&0) {
                return Err(Error::argument(name, "at least 1 along each axis", format!("{numbers:?}"))
                    .help("A window of 1 with a stride of 1 takes each number by itself."));
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

    /// None where no window fits, or a size is beyond all bounds.
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
    /// For errors: "[3, 3]", with the dilation where there is one.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.size)?;
        if self.dilation == [1, 1] { Ok(()) } else { write!(f, " with a dilation of {:?}", self.dilation) }
    }
}

/// Channels, rows and columns of an image's shape without the batch axis.
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

/// Channels and length of a sequence's shape without the batch axis.
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

/// The samples and the shape of each; an error where there is no batch axis.
pub(super) fn batch(input: &[usize]) -> Result<(usize, &[usize])> {
    match input {
        [samples, sample @ ..] => Ok((*samples, sample)),
        [] => Err(Error::shape("the input", "[batch, channels, …]", input).help("Axis 0 is the batch.")),
    }
}

/// `[…, length]` as `[…, 1, length]`.
pub(super) fn with_row(shape: &[usize]) -> Vec<usize> {
    let mut shape = shape.to_vec();
    shape.insert(shape.len().saturating_sub(1), 1);
    shape
}

/// `[…, 1, length]` as `[…, length]`.
pub(super) fn without_row(mut shape: Vec<usize>) -> Result<Vec<usize>> {
    if shape.len() < 2 {
        return Err(
            Error::shape("the input", "[batch, channels, length]", &shape).help("Axis 0 is the batch.")
        );
    }
    shape.remove(shape.len() - 2);
    Ok(shape)
}

/// A batch of sequences as one of images with a single row. No copy.
pub(super) fn as_images<F: Scalar>(input: Tensor<F>) -> Result<Tensor<F>> {
    sequence(batch(input.shape())?.1)?;
    let shape = with_row(input.shape());
    Ok(reshape(input, IxDyn(&shape)))
}

/// And back.
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
