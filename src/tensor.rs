//! Tensors, and the store of spare buffers for them.
//!
//! A tensor is an [`ArrayD`]: an `ndarray` array whose number of axes is known at run time. There is no wrapper, so
//! everything that `ndarray` offers works on the tensors that a layer gets.
//!
//! A training step of a small network is mostly memory traffic, and a new `Vec` for every output and every gradient
//! costs more than the arithmetic: pages have to be mapped, zeroed and given back. So each thread keeps up to 64
//! buffers that are no longer needed, and [`scratch`] reuses them:
//!
//! ```text
//! scratch([32, 128]) ──> output of Dense ──> ReLU in place ──> copy kept ──> backward ──> recycle
//!       ^                                                                                    │
//!       └────────────────────── the thread's spare buffers <─────────────────────────────────┘
//! ```
//!
//! A buffer fits if its capacity is large enough and at most four times too large; the smallest one that fits is taken.
//! The store is bounded by the number of buffers and by their bytes. `f32` and `f64` have separate stores, and a
//! thread's stores are freed when the thread ends.
//!
//! The functions on slices below rely on one convention: a layer passes each incoming tensor through [`standard`]
//! first. After that `slice` and `slice_mut` cannot fail.

use crate::kernels::{self, Scalar};
use ndarray::{Array1, ArrayD, Axis, CowArray, Dimension, IxDyn};

/// An array with any number of axes. Axis 0 is the batch: `[batch, features]`, `[batch, rows, columns]`.
///
/// | content | shape |
/// |---|---|
/// | a batch of feature vectors | `[batch, features]` |
/// | a batch of greyscale images | `[batch, rows, columns]` |
/// | a Dense weight | `[inputs, units]` |
/// | one number per sample | `[batch]` |
///
/// A tensor need not start at the beginning of its buffer: Plywood's tensors start at a cache line. So read the values
/// with `iter` or `as_slice`, and respect the offset that `into_raw_vec_and_offset` returns.
///
/// In Keras and PyTorch a tensor may live on a device and carry a tape for differentiation. Here it is only values in
/// memory: the gradient of a parameter is stored in its [`Param`](crate::nn::Param), and that of a batch is passed from
/// layer to layer.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::Tensor;
///
/// let x: Tensor = arr2(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).into_dyn();
/// assert_eq!((x.shape(), x[[1, 2]]), (&[2, 3][..], 6.0));
/// ```
pub type Tensor<F = f32> = ArrayD<F>;

/// A tensor, or a view of one that the caller owns: the argument of
/// [`Layer::forward_cow`](crate::nn::Layer::forward_cow).
///
/// ```
/// use plywood::{CowTensor, Tensor};
///
/// let x = Tensor::<f32>::zeros(vec![2, 3]);
/// assert!(CowTensor::from(x.view()).is_view() && CowTensor::from(x).is_owned());
/// ```
pub type CowTensor<'a, F = f32> = CowArray<'a, F, IxDyn>;

/// Returns a tensor of this shape, from the thread's spare buffers if one fits. Its content is unspecified: old values,
/// or zeros.
///
/// Layers may use it for outputs and caches instead of allocating, and pass tensors that they no longer need to
/// [`recycle`]. A layer that does neither is correct, but slower.
///
/// ```
/// use plywood::{recycle, scratch};
///
/// let mut output = scratch::<f32>(&[32, 128]);
/// output.fill(0.0);
/// recycle(output);
/// ```
///
/// It searches at most 64 entries, and writes the values by which a recycled buffer was too short. Do not use it to get
/// zeros: use [`Tensor::zeros`](ndarray::ArrayBase::zeros), or fill it. The tensor starts at a cache line, so its
/// buffer, if you take it out, may have some extra values before and after.
///
/// # Panics
/// When the shape has more values than the address space can hold.
pub fn scratch<F: Scalar>(shape: &[usize]) -> Tensor<F> {
    let len = shape.iter().product();
    let mut data = F::workspace().with(|spare| spare.borrow_mut().take(len));
    let room = with_slack::<F>(len);
    let enough = if data.capacity() == 0 { room } else { room.min(data.capacity()) };
    // The buffer is never shortened, since it would have to be written again when it is next used for more values.
    if data.len() < enough {
        data.resize(enough, F::zero());
    }
    on_a_line(data, IxDyn(shape))
}

/// The size in bytes of a cache line, and of the widest vectors.
///
/// A vector across two lines is read twice: from the L2 cache of Intel's processors at half the speed, and a dense
/// layer's product takes 1.25 times as long. An allocator only guarantees an alignment of 4 values.
const LINE: usize = 64;

/// Returns the capacity for `len` values from the first cache line on, wherever the buffer starts. Less than a line is
/// not aligned.
fn with_slack<F>(len: usize) -> usize {
    let line = LINE / size_of::<F>();
    if len < line { len } else { len.saturating_add(line - 1) }
}

/// Creates a tensor from a part of a buffer: from the first cache line on, if there is enough room after it.
fn on_a_line<F: Scalar>(data: Vec<F>, shape: IxDyn) -> Tensor<F> {
    let len = shape.size();
    let start = data.as_ptr().align_offset(LINE);
    let start = if data.len().checked_sub(len).is_some_and(|slack| start <= slack) { start } else { 0 };
    let numbers = start..data.len().min(start.saturating_add(len));
    let mut buffer = Array1::from_vec(data);
    buffer.slice_axis_inplace(Axis(0), numbers.into());
    buffer.into_shape_with_order(shape.clone()).unwrap_or_else(|_| Tensor::zeros(shape))
}

/// Returns zeros that start at a cache line.
pub(crate) fn zeros<F: Scalar>(shape: IxDyn) -> Tensor<F> {
    on_a_line(vec![F::zero(); with_slack::<F>(shape.size())], shape)
}

/// The maximum number of bytes that are copied for the sake of alignment: data larger than a core's caches are waited
/// for in any case, and a model can be loaded without being in memory twice.
const MOST_TO_COPY: usize = 1 << 22;

/// Returns the tensor in row-major order and, unless it is very large, starting at a cache line: the tensor itself if
/// it already is, else a copy.
///
/// For data that are kept and read repeatedly.
pub(crate) fn lined<F: Scalar>(tensor: Tensor<F>) -> Tensor<F> {
    let len = tensor.len();
    let any_place = with_slack::<F>(len) == len || len > MOST_TO_COPY / size_of::<F>();
    if any_place || tensor.is_standard_layout() && tensor.as_ptr().addr().is_multiple_of(LINE) {
        return standard(tensor);
    }
    let mut copy = zeros(tensor.raw_dim());
    copy.assign(&tensor);
    copy
}

/// Returns a tensor's buffer to this thread's store, for [`scratch`] to reuse.
///
/// It takes the buffer of a tensor of any memory layout. A thread's store holds at most 64 buffers and 256 MiB of each
/// element type; beyond that, the oldest ones are freed. [`release_buffers`] frees all of them. Dropping a tensor
/// instead is safe: the buffer goes back to the allocator.
///
/// ```
/// use plywood::{Tensor, recycle, scratch};
///
/// let tensor = Tensor::<f64>::from_elem(vec![4, 5], 2.5);
/// let address = tensor.as_ptr();
/// recycle(tensor);
/// let again = scratch::<f64>(&[20]);
/// assert_eq!(again.as_ptr(), address); // the same memory under another shape
/// ```
pub fn recycle<F: Scalar>(tensor: Tensor<F>) {
    let (data, _) = tensor.into_raw_vec_and_offset();
    F::workspace().with(|spare| spare.borrow_mut().put(data));
}

/// Frees the buffers that [`recycle`] keeps for reuse: those of this thread, and those of the threads that train,
/// evaluate and predict for it, if they are idle.
///
/// Call it in a program that trains and then does something else for a long time. Later calls allocate their buffers
/// again, with the same results. PyTorch's counterpart for graphics cards is `torch.cuda.empty_cache()`.
///
/// ```
/// use plywood::{recycle, release_buffers, scratch};
///
/// recycle(scratch::<f32>(&[1_000_000]));
/// release_buffers(); // 4 MB less
/// ```
pub fn release_buffers() {
    kernels::release_buffers();
}

/// Returns the tensor in row-major order without gaps: the tensor itself if it already is, else a copy.
///
/// The built-in layers call it on their inputs, so that their loops can run over plain slices; after it,
/// [`as_slice`](ndarray::ArrayRef::as_slice) always returns `Some`.
///
/// It is free for a row-major tensor, as nearly all are; a transposed or reversed one is copied.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::standard;
///
/// let transposed = arr2(&[[1.0f32, 2.0], [3.0, 4.0]]).reversed_axes().into_dyn();
/// assert!(transposed.as_slice().is_none());
/// assert_eq!(standard(transposed).as_slice(), Some(&[1.0, 3.0, 2.0, 4.0][..]));
/// ```
pub fn standard<F: Scalar>(tensor: Tensor<F>) -> Tensor<F> {
    if tensor.is_standard_layout() { tensor } else { tensor.as_standard_layout().into_owned() }
}

/// Returns a tensor's values as a slice. The tensor must have passed through [`standard`].
///
/// The `expect` can only fail through a bug in this crate, never through a user's data: callers create the tensor with
/// [`scratch`] or pass it through [`standard`].
pub(crate) fn slice<F>(tensor: &Tensor<F>) -> &[F] {
    tensor.as_slice().expect("a tensor in standard layout")
}

/// Returns a tensor's values as a mutable slice. The tensor must have passed through [`standard`].
pub(crate) fn slice_mut<F>(tensor: &mut Tensor<F>) -> &mut [F] {
    tensor.as_slice_mut().expect("a tensor in standard layout")
}

/// Returns the same values in another shape with the same number of elements. No copy for a tensor in standard layout.
///
/// Callers have compared the numbers of elements, and return their own error if they differ.
pub(crate) fn reshape<F: Scalar>(tensor: Tensor<F>, shape: IxDyn) -> Tensor<F> {
    debug_assert_eq!(tensor.len(), shape.size());
    standard(tensor).into_shape_with_order(shape).expect("as many elements as before")
}

/// Returns a copy in a spare buffer. The tensor must have passed through [`standard`].
///
/// For caches: the output goes on to the next layer, which may change it in place, and the copy stays for `backward`.
pub(crate) fn copy<F: Scalar>(tensor: &Tensor<F>) -> Tensor<F> {
    let mut out = scratch(tensor.shape());
    slice_mut(&mut out).copy_from_slice(slice(tensor));
    out
}

/// Returns the tensor itself, or a copy of the view in a spare buffer.
pub(crate) fn owned<F: Scalar>(tensor: CowTensor<'_, F>) -> Tensor<F> {
    if tensor.is_owned() {
        return tensor.into_owned();
    }
    let mut out = scratch(tensor.shape());
    match tensor.as_slice() {
        Some(values) => slice_mut(&mut out).copy_from_slice(values),
        None => out.assign(&tensor),
    }
    out
}

/// Returns the number of elements of a shape; `usize::MAX` for a shape that no array can have.
///
/// For shapes from a user or a file, before there is an array.
pub(crate) fn size(shape: &[usize]) -> usize {
    shape.iter().fold(1, |size, &n| size.saturating_mul(n))
}

/// Formats a batch shape for messages: `[batch, 28, 28]`.
pub(crate) fn batch_shape(sample: &[usize]) -> String {
    sample.iter().fold("[batch".to_owned(), |text, n| format!("{text}, {n}")) + "]"
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::ShapeBuilder;

    #[test]
    fn a_recycled_buffer_comes_back() {
        let mut first = scratch::<f64>(&[3, 1000]);
        first.fill(7.0);
        let address = first.as_ptr();
        recycle(first);
        let second = scratch::<f64>(&[1000, 3]);
        assert_eq!(second.as_ptr(), address);
        assert_eq!(second.shape(), &[1000, 3]);
        assert_ne!(scratch::<f64>(&[1, 10]).as_ptr(), address, "far too large a buffer is kept for others");
    }

    #[test]
    fn what_is_kept_begins_at_a_line_of_the_caches() {
        fn on_line<F: Scalar>(tensor: &Tensor<F>) -> bool {
            tensor.as_ptr().addr().is_multiple_of(LINE)
        }
        for len in [16, 17, 100, 5_000, 100_000] {
            assert!(on_line(&scratch::<f32>(&[len])) && on_line(&zeros::<f64>(IxDyn(&[len]))));
            // A view into a buffer, since an array may start anywhere.
            let numbers = Array1::from_shape_fn(len + 16, |i| i as f32);
            let start = (numbers.as_ptr().align_offset(LINE) + 3) % 16;
            let mut shifted = numbers.into_dyn();
            shifted.slice_axis_inplace(Axis(0), (start..start + len).into());
            assert!(!on_line(&shifted));
            let kept = crate::nn::Param::new(shifted.clone());
            assert!(on_line(kept.value()) && kept.value() == shifted);
        }
        // A buffer without room for it is used as it is.
        let tight = Tensor::<f32>::zeros(vec![777]);
        let address = tight.as_ptr();
        recycle(tight);
        assert_eq!(scratch::<f32>(&[777]).as_ptr(), address);
        assert_eq!(scratch::<f32>(&[0, 5]).shape(), [0, 5]);
    }

    #[test]
    fn any_order_in_memory_becomes_row_major() {
        let a = ArrayD::from_shape_vec(IxDyn(&[2, 3]).f(), vec![1., 4., 2., 5., 3., 6.]).unwrap();
        assert_eq!(slice(&standard::<f32>(a.clone())), &[1., 2., 3., 4., 5., 6.]);
        let mut reversed = a;
        reversed.invert_axis(ndarray::Axis(0));
        assert_eq!(slice(&standard::<f32>(reversed)), &[4., 5., 6., 1., 2., 3.]);
    }

    #[test]
    fn released_buffers_are_gone() {
        recycle(scratch::<f32>(&[1000]));
        let spare = |len| f32::workspace().with(|spare| spare.borrow_mut().take(len).capacity());
        assert!(spare(1000) >= 1000);
        recycle(scratch::<f32>(&[1000]));
        release_buffers();
        assert_eq!(spare(1000), 0);
    }
}
