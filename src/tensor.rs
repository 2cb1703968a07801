//! Tensors, and the store of spare buffers behind them.

use crate::scalar::Scalar;
use ndarray::{ArrayD, IxDyn};

/// An array of any number of axes. Axis 0 is the batch: `[batch, features]`, `[batch, rows, columns]`.
pub type Tensor<F = f32> = ArrayD<F>;

/// A tensor of this shape, out of the thread's spare buffers where one fits. Its content is unspecified: old
/// numbers, or zeros.
///
/// Layers may use it for outputs and caches instead of allocating, and hand tensors they no longer need to
/// [`recycle`]. A layer that does neither is just as right, and only slower.
///
/// ```
/// use plywood::{recycle, scratch};
///
/// let mut output = scratch::<f32>(&[32, 128]);
/// output.fill(0.0);
/// recycle(output);
/// ```
pub fn scratch<F: Scalar>(shape: &[usize]) -> Tensor<F> {
    let len = shape.iter().product();
    let mut data = F::spare().with(|spare| spare.borrow_mut().take(len));
    data.resize(len, F::zero());
    match ArrayD::from_shape_vec(IxDyn(shape), data) {
        Ok(tensor) => tensor,
        Err(_) => ArrayD::zeros(IxDyn(shape)),
    }
}

/// Hands a tensor's buffer back for [`scratch`] to use again in this thread.
pub fn recycle<F: Scalar>(tensor: Tensor<F>) {
    let (data, _) = tensor.into_raw_vec_and_offset();
    F::spare().with(|spare| spare.borrow_mut().put(data));
}

/// The tensor in row-major order without gaps: itself where it is so already, else a copy.
///
/// The crate's layers call it on what they are given, so that their loops can run over plain slices; after it,
/// [`as_slice`](ndarray::ArrayRef::as_slice) always answers.
pub fn standard<F: Scalar>(tensor: Tensor<F>) -> Tensor<F> {
    if tensor.is_standard_layout() { tensor } else { tensor.as_standard_layout().into_owned() }
}

/// A tensor's numbers as a slice. The tensor must have been through [`standard`].
pub(crate) fn slice<F>(tensor: &Tensor<F>) -> &[F] {
    tensor.as_slice().expect("a tensor in standard layout")
}

/// A tensor's numbers as a mutable slice. The tensor must have been through [`standard`].
pub(crate) fn slice_mut<F>(tensor: &mut Tensor<F>) -> &mut [F] {
    tensor.as_slice_mut().expect("a tensor in standard layout")
}

/// The same numbers under another shape with as many elements; no copy. In standard layout.
pub(crate) fn reshape<F: Scalar>(tensor: Tensor<F>, shape: &[usize]) -> Tensor<F> {
    debug_assert_eq!(tensor.len(), shape.iter().product::<usize>());
    standard(tensor).into_shape_with_order(IxDyn(shape)).expect("as many elements as before")
}

/// A copy out of the spare buffers. The tensor must have been through [`standard`].
pub(crate) fn copy<F: Scalar>(tensor: &Tensor<F>) -> Tensor<F> {
    let mut out = scratch(tensor.shape());
    slice_mut(&mut out).copy_from_slice(slice(tensor));
    out
}

/// `[batch, …]` for texts: `[batch, 28, 28]`.
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
    fn any_order_in_memory_becomes_row_major() {
        let a = ArrayD::from_shape_vec(IxDyn(&[2, 3]).f(), vec![1., 4., 2., 5., 3., 6.]).unwrap();
        assert_eq!(slice(&standard::<f32>(a.clone())), &[1., 2., 3., 4., 5., 6.]);
        let mut reversed = a;
        reversed.invert_axis(ndarray::Axis(0));
        assert_eq!(slice(&standard::<f32>(reversed)), &[4., 5., 6., 1., 2., 3.]);
    }
}
