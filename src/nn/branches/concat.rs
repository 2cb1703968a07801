//! Concatenation of branches along an axis.
//!
//! The output is seen as a matrix: the axes before the joined one are its rows, and each branch contributes its own
//! columns. The gradient is split at the same columns.
//!
//! ```text
//! [batch, 2, n]  [batch, 3, n]  along axis 1:   in each row, 2n values of the first, 3n of the second
//! ```

use super::{visit, visit_mut};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::ModelCache;
use crate::nn::erased::Mode;
use crate::nn::sequential::{Sequential, SequentialBuilder};
use crate::nn::{BoxedLayer, Layer, LayerSpec, OutputActivation, Part, Wiring, branches, check_gradient};
use crate::param::Param;
use crate::random::Random;
use crate::state::Kind;
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut, standard};
use serde::{Deserialize, Serialize};

/// Parallel blocks on one input, with their outputs concatenated along an axis. By default it is axis 1, the features
/// of `[batch, features]` and the channels of `[batch, channels, rows, columns]`.
///
/// | | shape |
/// |---|---|
/// | input | any shape that all blocks take |
/// | output | that of the blocks, with the sum of their sizes along the axis |
///
/// Used by Szegedy et al., "Going deeper with convolutions", 2015 (Inception), and by Huang, Liu, van der Maaten and
/// Weinberger, "Densely connected convolutional networks", 2017. Keras' `Concatenate` (along the last axis by default),
/// PyTorch's `torch.cat(..., dim=1)`.
///
/// Parameters are named by the branch, counted from 0: "1.0.weight" is the weight of the first layer of branch 1. An
/// empty block returns its input.
///
/// ```
/// use plywood::prelude::*;
///
/// let new = Sequential::block().layer(Dense::units(3)).layer(ReLU);
/// let model = Sequential::builder([8]).layer(Concat::of([Sequential::block(), new])).build()?;
/// assert_eq!(model.output_shape(), [11]);
/// let x = plywood::ndarray::Array2::<f32>::ones((1, 8));
/// assert!(model.predict(&x)?.iter().take(8).all(|&y| y == 1.0)); // the input itself
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Concat<F: Scalar = f32> {
    branches: Vec<Sequential<F>>,
    /// Axis 0 is the batch.
    axis: usize,
}

impl<F: Scalar> Concat<F> {
    /// Returns the spec of a concatenation of these blocks, at least one, along axis 1.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let (left, right) = (Sequential::block(), Sequential::block().layer(Reshape::to([3, 4])));
    /// let error = Sequential::builder([4, 3]).layer(Concat::of([left, right])).build().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "layer 0 (concat): the output of branch 1 must have shape [any, 3], got [3, 4]. Outputs joined along \
    ///      an axis have the same sizes along all others."
    /// );
    /// ```
    pub fn of(branches: impl IntoIterator<Item = SequentialBuilder<F>>) -> ConcatSpec<F> {
        ConcatSpec { branches: branches.into_iter().collect(), axis: 1 }
    }

    /// Returns the shape of the concatenation of outputs of these shapes; `axis` is an axis of these shapes.
    fn joined<S: AsRef<[usize]>>(axis: Option<usize>, shapes: &[S]) -> Result<Vec<usize>> {
        let mut shapes = shapes.iter().map(AsRef::as_ref).enumerate();
        let Some((_, first)) = shapes.next() else {
            return Err(
                Error::argument("the number of branches", "at least 1", 0).help("Give the blocks to join.")
            );
        };
        let Some(axis) = axis.filter(|&axis| axis < first.len()) else {
            let found = axis.map_or_else(|| "0, the batch".to_owned(), |axis| (axis + 1).to_string());
            return Err(Error::argument(
                "axis",
                format!("from 1 to {} for outputs of shape {first:?}", first.len()),
                found,
            )
            .help("Axis 0 is the batch; 1 is the first after it."));
        };
        let mut joined = first.to_vec();
        for (i, shape) in shapes {
            let fits =
                shape.len() == first.len() && (0..shape.len()).all(|n| n == axis || shape[n] == first[n]);
            if !fits {
                let size =
                    |(n, size): (usize, &usize)| if n == axis { "any".into() } else { size.to_string() };
                let expected = first.iter().enumerate().map(size).collect::<Vec<_>>().join(", ");
                return Err(Error::shape(
                    format!("the output of branch {i}"),
                    format!("[{expected}]"),
                    shape,
                )
                .help("Outputs joined along an axis have the same sizes along all others."));
            }
            joined[axis] = joined[axis].saturating_add(shape[axis]);
        }
        Ok(joined)
    }

    /// Returns the concatenated outputs, and their shapes.
    fn join(&self, outputs: Vec<Tensor<F>>) -> Result<(Tensor<F>, Vec<Vec<usize>>)> {
        let shapes: Vec<Vec<usize>> = outputs.iter().map(|y| y.shape().to_vec()).collect();
        let samples: Vec<&[usize]> = shapes.iter().map(|shape| shape.get(1..).unwrap_or_default()).collect();
        let sample = Self::joined(self.axis.checked_sub(1), &samples)?;
        let batch = shapes[0].first().copied().unwrap_or(0);
        let mut output = scratch(&[&[batch], &sample[..]].concat());
        let columns = self.width(output.shape());
        let mut offset = 0;
        for part in outputs {
            let width = self.width(part.shape());
            F::put_columns(slice(&part), width, offset, slice_mut(&mut output), columns);
            offset += width;
            recycle(part);
        }
        Ok((output, shapes))
    }

    /// Returns the number of values from the joined axis on.
    fn width(&self, shape: &[usize]) -> usize {
        shape.iter().skip(self.axis).product()
    }

    /// Splits the gradient into the parts of the branches.
    fn cut(&self, shapes: &[Vec<usize>], grad: Tensor<F>) -> Result<Vec<Tensor<F>>> {
        let mut whole = shapes.first().cloned().unwrap_or_default();
        if let Some(size) = whole.get_mut(self.axis) {
            *size = shapes.iter().map(|shape| shape[self.axis]).sum();
        }
        check_gradient(&grad, &whole)?;
        let (grad, columns) = (standard(grad), self.width(&whole));
        let mut offset = 0;
        let parts = shapes.iter().map(|shape| {
            let (mut part, width) = (scratch(shape), self.width(shape));
            F::take_columns(slice(&grad), columns, offset, slice_mut(&mut part), width);
            offset += width;
            part
        });
        let parts = parts.collect();
        recycle(grad);
        Ok(parts)
    }

    /// Runs the branches with their caches, and joins their outputs.
    fn forward_in(&mut self, mode: Mode, input: Tensor<F>) -> Result<(Tensor<F>, <Self as Layer<F>>::Cache)> {
        let (outputs, caches) = branches::forward_in(mode, &mut self.branches, input)?;
        let (output, shapes) = self.join(outputs)?;
        Ok((output, (caches, shapes)))
    }
}

impl<F: Scalar> Layer<F> for Concat<F> {
    const KIND: Kind = Kind::builtin("concat");
    /// The branches' caches, and the shapes of their outputs.
    type Cache = (Vec<ModelCache>, Vec<Vec<usize>>);

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Self::joined(self.axis.checked_sub(1), &branches::shapes(&self.branches, input)?)
    }

    fn keeps_steps(&self, input: &[usize]) -> bool {
        self.axis > 1 && self.branches.iter().all(|branch| branch.keeps_steps(input))
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        Ok(self.join(branches::forward(&self.branches, input)?)?.0)
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)> {
        self.forward_in(Mode::Train, input)
    }

    fn forward_eval(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)> {
        self.forward_in(Mode::Eval, input)
    }

    fn backward(&mut self, (caches, shapes): Self::Cache, grad: Tensor<F>) -> Result<Tensor<F>> {
        let grads = self.cut(&shapes, grad)?;
        branches::backward(&mut self.branches, caches, grads)
    }

    fn backward_params(&mut self, (caches, shapes): Self::Cache, grad: Tensor<F>) -> Result<()> {
        let grads = self.cut(&shapes, grad)?;
        branches::backward_params(&mut self.branches, caches, grads)
    }

    fn check_batch_size(&self, input: &[usize], samples: usize) -> Result<()> {
        branches::check_batch_size(&self.branches, input, samples)
    }

    /// What is known of the branches, if it is the same for all.
    fn output_activation(&self, input: OutputActivation) -> OutputActivation {
        let branches = self.branches.iter().map(|branch| branch.output_activation(input));
        branches.reduce(OutputActivation::or).unwrap_or_default().of_numbers()
    }

    fn training_activation(&self, input: OutputActivation) -> OutputActivation {
        let branches = self.branches.iter().map(|branch| branch.training_activation(input));
        branches.reduce(OutputActivation::or).unwrap_or_default().of_numbers()
    }

    fn parts(&self, input: &[usize]) -> Vec<Part<'_, F>> {
        branches::parts(&self.branches, input)
    }

    fn wiring(&self) -> Wiring {
        Wiring::Concat { axis: self.axis }
    }

    fn boxed_parts(&self) -> Vec<BoxedLayer<F>> {
        branches::boxed(&self.branches)
    }

    fn visit_params(&self, show: &mut dyn FnMut(&str, &Param<F>)) {
        for (i, block) in self.branches.iter().enumerate() {
            visit((&i.to_string(), block), show);
        }
    }

    fn visit_params_mut(&mut self, show: &mut dyn FnMut(&str, &mut Param<F>)) {
        for (i, block) in self.branches.iter_mut().enumerate() {
            visit_mut(&i.to_string(), block, show);
        }
    }
}

/// The spec of a [`Concat`] layer, from [`Concat::of`].
#[derive(Debug)]
pub struct ConcatSpec<F: Scalar = f32> {
    branches: Vec<SequentialBuilder<F>>,
    axis: usize,
}

impl<F: Scalar> ConcatSpec<F> {
    /// Sets the axis (default: 1), where axis 0 is the batch.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let rows = || Sequential::block().layer(Dense::units(5));
    /// let along = |axis| Sequential::builder([2, 3]).layer(Concat::of([rows(), rows()]).axis(axis)).build();
    /// assert_eq!(along(1)?.output_shape(), [4, 5]);
    /// assert_eq!(along(2)?.output_shape(), [2, 10]);
    /// assert_eq!(
    ///     along(0).unwrap_err().to_string(),
    ///     "layer 0 (concat): `axis` must be from 1 to 2 for outputs of shape [2, 5], got 0, the batch. Axis 0 \
    ///      is the batch; 1 is the first after it."
    /// );
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn axis(mut self, axis: usize) -> Self {
        self.axis = axis;
        self
    }
}

impl<F: Scalar> LayerSpec<F> for ConcatSpec<F> {
    type Layer = Concat<F>;

    /// Builds each branch, drawing from the stream of its number.
    fn build(self, input: &[usize], random: &Random) -> Result<Concat<F>> {
        Ok(Concat { branches: branches::build(self.branches, input, random)?, axis: self.axis })
    }
}
