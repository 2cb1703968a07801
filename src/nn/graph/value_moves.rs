//! The operations that move numbers of values of a graph that is being built.

use super::builder::Value;
use super::ops::{
    Concat, Expand, Filled, Flip, Gather, OneHot, Pad, Part, Permute, Reshape, Resize, ResizeMode, Slice,
    TakeAlong, Tile, Transpose,
};
use super::positions::{Positions, Size};
use super::shape::MAX_INPUTS;
use crate::kernels::Scalar;

/// Other orders, shapes and sizes, parts and rows.
///
/// ```
/// use plywood::nn::Graph;
/// use plywood::prelude::*;
///
/// let g = Graph::builder();
/// let x = g.input("x", [6, 4]); // [batch, 6, 4]
/// assert_eq!(x.reshape([2, -1]).shape(), [2, 12]);
/// assert_eq!(x.permute([0, 2, 1]).shape(), [4, 6]); // the batch axis stays first
/// assert_eq!(x.slice(1, ..-1).shape(), [5, 4]);
/// assert_eq!(x.index_axis(1, -1).shape(), [4]);
/// let [a, b] = x.split(-1);
/// assert_eq!((a.shape(), b.shape()), (vec![6, 2], vec![6, 2]));
/// assert_eq!(x.pad(1, 2, 0, 0.0).shape(), [8, 4]); // two steps of zeros in front
/// assert_eq!(x.tile(1, 3).shape(), [18, 4]);
/// assert_eq!(x.mean_keepdim(1).expand([6, -1]).shape(), [6, 4]);
/// assert_eq!(x.flip(1).shape(), [6, 4]); // the last step first
/// ```
impl<'g, F: Scalar> Value<'g, F> {
    /// Exchanges the last two axes, neither of which is the batch axis.
    #[track_caller]
    pub fn t(self) -> Self {
        self.builder.op_at("t", Transpose, &[self])
    }

    /// The axes in another order: axis `i` of the result is axis `axes[i]` of this value. The batch axis stays first.
    #[track_caller]
    pub fn permute<const N: usize>(self, axes: [isize; N]) -> Self {
        self.builder.op(Permute { axes: axes.map(|axis| axis as i64).to_vec() }, &[self])
    }

    /// The same numbers in another shape: the sizes of one sample, without the batch axis. One size may be -1: it is what
    /// the others leave. All sizes are of one type: `x.reshape([-1, n as i64])`.
    #[track_caller]
    pub fn reshape<S: Size, const N: usize>(self, sizes: [S; N]) -> Self {
        self.builder.op(Reshape { sizes: sizes.map(S::size).to_vec() }, &[self])
    }

    /// A range of positions along an axis: `0..4`, `2..`, `..-1`. Negative positions count from the end.
    ///
    /// Positions are numbers of any type of [`Size`]: `0..x.size(1) / 2`. They stay as they are for other shapes
    /// ([`Graph::with_input_shapes`](super::Graph::with_input_shapes)).
    #[track_caller]
    pub fn slice(self, axis: isize, positions: impl Positions) -> Self {
        let (from, to) = positions.bounds();
        self.part("slice", axis, Part::Range(from, to))
    }

    /// One position along an axis, which goes: `torch.select`. -1 is the last position.
    #[track_caller]
    pub fn index_axis(self, axis: isize, position: impl Size) -> Self {
        self.part("index_axis", axis, Part::Index(position.size()))
    }

    /// `N` parts of equal length along an axis: `torch.chunk`.
    #[track_caller]
    pub fn split<const N: usize>(self, axis: isize) -> [Self; N] {
        let mut parts = [self; N];
        for (i, part) in parts.iter_mut().enumerate() {
            *part = self.part("split", axis, Part::Equal(i, N));
        }
        parts
    }

    #[track_caller]
    fn part(self, place: &str, axis: isize, part: Part) -> Self {
        self.builder.op_at(place, Slice { axis: axis as i64, part }, &[self])
    }

    /// This value and then the others along an axis, along which alone their sizes may differ: `torch.cat`.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// let (a, b) = (g.input("a", [3]), g.input("b", [5]));
    /// g.output("both", a.concat(&[b], -1));
    /// assert_eq!(g.build()?.outputs()[0].shape(), [8]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[track_caller]
    pub fn concat(self, others: &[Self], axis: isize) -> Self {
        let mut values: Vec<Self> = std::iter::once(self).chain(others.iter().copied()).collect();
        // An operation has a limited number of inputs; many values are joined in groups first.
        while values.len() > MAX_INPUTS {
            let mut groups = Vec::with_capacity(values.len() / MAX_INPUTS + 1);
            for group in values.chunks(MAX_INPUTS) {
                groups.push(self.builder.op(Concat { axis: axis as i64 }, group));
            }
            values = groups;
        }
        self.builder.op(Concat { axis: axis as i64 }, &values)
    }

    /// Zeros of these sizes for each sample: the state with which a loop over the steps begins. The numbers of this value
    /// are not read; it says how many samples there are.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// let x = g.input("x", [5, 3]);
    /// assert_eq!((x.zeros([8]).shape(), x.zeros([8]).is_batched()), (vec![8], true));
    /// ```
    #[track_caller]
    pub fn zeros<const N: usize>(self, sizes: [usize; N]) -> Self {
        self.builder.op_at("zeros", Filled { sizes: sizes.to_vec(), number: 0.0 }, &[self])
    }

    /// The numbers along an axis that `ids` name: `numpy.take_along_axis`, `torch.take_along_dim` and ONNX's
    /// `GatherElements`.
    ///
    /// | this | ids | result |
    /// |---|---|---|
    /// | `[batch, classes]`, axis -1 | `[batch]` | `[batch]` |
    /// | `[batch, n, …]`, axis 1 | `[batch, k, …]`, the same other sizes | `[batch, k, …]` |
    ///
    /// The ids are integers from 0 to below the size of the axis; others are an error when the model runs. A number that is
    /// taken twice gets both gradients.
    ///
    /// ```
    /// use plywood::ndarray::{arr1, arr2};
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// let (p, label) = (g.input("p", [3]), g.input("label", []));
    /// g.output("p of the label", p.take_along(label, -1));
    /// let (p, label) = (arr2(&[[0.1f32, 0.2, 0.7], [0.3, 0.6, 0.1]]).into_dyn(), arr1(&[2.0f32, 0.0]).into_dyn());
    /// let mut outputs = [None];
    /// g.build()?.infer(&mut [Some(p.into()), Some(label.into())], &[false], &mut outputs)?;
    /// assert_eq!(outputs[0].as_ref().unwrap().as_slice(), Some(&[0.7, 0.3][..]));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[track_caller]
    pub fn take_along(self, ids: Self, axis: isize) -> Self {
        self.builder.op(TakeAlong { axis: axis as i64 }, &[self, ids])
    }

    /// The rows of this table, a parameter `[rows, columns]`, for ids `[…]`: `[…, columns]`. It is `tf.gather` and ONNX's
    /// `Gather` along axis 0.
    ///
    /// The ids are integers from 0 to below `rows`; others are an error when the model runs. Only the rows that were read
    /// have a gradient, as in an [`Embedding`](crate::nn::Embedding).
    #[track_caller]
    pub fn gather(self, ids: Self) -> Self {
        self.builder.op(Gather, &[self, ids])
    }

    /// One-hot rows for ids `[…]`: `[…, classes]`, 1 at the id and else 0. It is `F.one_hot` and ONNX's `OneHot`.
    ///
    /// The ids are integers from 0 to below `classes`; others are an error when the model runs. It has no gradient. An
    /// [`Embedding`](crate::nn::Embedding) of the ids is faster than a product of this with a matrix.
    ///
    /// ```
    /// use plywood::ndarray::{arr1, arr2};
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// g.output("rows", g.input("class", []).one_hot(3));
    /// let y = g.build()?.predict(&arr1(&[2.0, 0.0]))?;
    /// assert_eq!(y, arr2(&[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]).into_dyn());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[track_caller]
    pub fn one_hot(self, classes: usize) -> Self {
        self.builder.op(OneHot { classes }, &[self])
    }

    /// The axis with so many positions more in front and behind, which hold `value`: `F.pad`, ONNX's `Pad`. The value may be
    /// infinite. What is added has no gradient.
    ///
    /// A causal convolution over `[batch, channels, steps]`:
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// let x = g.input("x", [4, 20]);
    /// g.output("y", x.pad(-1, 2, 0, 0.0).layer(Conv1d::filters(8, 3)));
    /// assert_eq!(g.build()?.outputs()[0].shape(), [8, 20]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[track_caller]
    pub fn pad(self, axis: isize, before: usize, after: usize, value: f64) -> Self {
        self.builder.op(Pad { axis: axis as i64, before, after, value }, &[self])
    }

    /// The numbers along an axis `times` times in a row, `[a, b]` as `[a, b, a, b]`: `torch.tile` and ONNX's `Tile` along one
    /// axis.
    #[track_caller]
    pub fn tile(self, axis: isize, times: usize) -> Self {
        self.builder.op(Tile { axis: axis as i64, times }, &[self])
    }

    /// The value with these sizes of a sample, to which it broadcasts: axes of size 1 are repeated, and new axes are in front.
    /// -1 keeps a size. It is `broadcast_to`, `torch.expand`, and ONNX's `Expand`.
    ///
    /// Operators and functions broadcast by themselves; this is for [`concat`](Value::concat) and for layers.
    #[track_caller]
    pub fn expand<S: Size, const N: usize>(self, sizes: [S; N]) -> Self {
        self.builder.op(Expand { sizes: sizes.map(S::size).to_vec() }, &[self])
    }

    /// The positions along an axis from the last to the first: `torch.flip`.
    #[track_caller]
    pub fn flip(self, axis: isize) -> Self {
        self.builder.op(Flip { axis: axis as i64 }, &[self])
    }

    /// Images `[batch, channels, rows, columns]` in another size, `[rows, columns]`: `F.interpolate(x, size)`, ONNX's
    /// `Resize`. For whole factors the nearest pixels are those of [`Upsample`](crate::nn::Upsample).
    ///
    /// ```
    /// use plywood::nn::ResizeMode;
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// let image = g.input("image", [3, 28, 28]);
    /// let small = image.layer(Conv2d::filters(8, 3).stride(2)); // 13 by 13
    /// let large = small.resize([28, 28], ResizeMode::Bilinear);
    /// g.output("y", image.concat(&[large], 1).layer(Conv2d::filters(1, 1)));
    /// assert_eq!(g.build()?.outputs()[0].shape(), [1, 28, 28]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[track_caller]
    pub fn resize(self, sizes: [usize; 2], mode: ResizeMode) -> Self {
        self.builder.op(Resize { sizes, mode }, &[self])
    }
}
