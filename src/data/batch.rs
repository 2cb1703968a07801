//! [`Batch`]: the samples that are read together.

use crate::kernels::Scalar;
use crate::tensor::{Tensor, scratch, slice_mut};
use ndarray::{Dimension, IxDyn};

/// A batch of samples, the input of a model and a loss. The same batch is filled repeatedly, so its buffers are
/// reused.
///
/// Axis 0 of each input, of `target` and of `weights` has the same length, one for each sample.
#[derive(Clone, Debug)]
pub struct Batch<F: Scalar, T> {
    /// The inputs, each `[batch, …]`, in the order of [`Dataset::input_shapes`](super::Dataset::input_shapes). The
    /// trainer moves them out, because the model takes ownership.
    pub inputs: Vec<Tensor<F>>,
    /// The targets: class indices as `Vec<usize>`, numbers as a tensor, or
    /// [`NamedTargets`](super::NamedTargets) for several outputs.
    pub target: T,
    /// A weight for each sample, at least 0; `None` for equal weights.
    pub weights: Option<Vec<F>>,
}

/// Makes a batch of no samples with one input, to be read into.
impl<F: Scalar, T: Default> Default for Batch<F, T> {
    fn default() -> Self {
        Self { inputs: vec![nothing()], target: T::default(), weights: None }
    }
}

/// An input of no samples.
fn nothing<F: Scalar>() -> Tensor<F> {
    Tensor::zeros(IxDyn(&[0]))
}

impl<F: Scalar, T> Batch<F, T> {
    /// Makes room for `samples` samples of this shape in the only input, and returns all its numbers, to be
    /// overwritten: sample after sample, each in row-major order.
    ///
    /// The current buffer is reused if it has this shape; otherwise one is taken from the thread's spare buffers. Its
    /// old contents are not cleared.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let mut batch = Batch::<f32, Vec<usize>>::default();
    /// for (i, number) in batch.input_mut(2, &[3]).iter_mut().enumerate() {
    ///     *number = i as f32;
    /// }
    /// assert_eq!(batch.inputs[0].shape(), [2, 3]);
    /// assert_eq!(batch.inputs[0][[1, 0]], 3.0);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn input_mut(&mut self, samples: usize, shape: &[usize]) -> &mut [F] {
        self.inputs.truncate(1);
        self.input_at(0, samples, shape)
    }

    /// [`input_mut`](Batch::input_mut) for input `at` of several, by its position in
    /// [`Dataset::input_shapes`](super::Dataset::input_shapes).
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let mut batch = Batch::<f32, Vec<usize>>::default();
    /// batch.input_at(0, 2, &[3]).fill(1.0);
    /// batch.input_at(1, 2, &[28, 28]).fill(0.5);
    /// assert_eq!(batch.inputs[1].shape(), [2, 28, 28]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn input_at(&mut self, at: usize, samples: usize, shape: &[usize]) -> &mut [F] {
        if self.inputs.len() <= at {
            self.inputs.resize_with(at + 1, nothing);
        }
        let input = &mut self.inputs[at];
        let found = input.shape();
        if found.is_empty() || found[0] != samples || found[1..] != *shape || !input.is_standard_layout() {
            let mut whole = IxDyn::zeros(1 + shape.len());
            whole[0] = samples;
            whole.slice_mut()[1..].copy_from_slice(shape);
            *input = scratch(whole.slice());
        }
        slice_mut(input)
    }

    /// Moves the first input out and leaves an empty one in its place.
    ///
    /// Targets and weights stay, for the loss.
    pub fn take_input(&mut self) -> Tensor<F> {
        self.take_input_at(0)
    }

    /// Puts an input that was taken out back.
    pub(super) fn set_input_at(&mut self, at: usize, input: Tensor<F>) {
        if let Some(place) = self.inputs.get_mut(at) {
            *place = input;
        }
    }

    /// Moves input `at` out and leaves an empty one in its place; an empty one if there is no such input.
    pub fn take_input_at(&mut self, at: usize) -> Tensor<F> {
        self.inputs.get_mut(at).map_or_else(nothing, |input| std::mem::replace(input, nothing()))
    }
}
