//! Layers about the steps of sequences: `[batch, steps, …]`, padded at the end, with lengths.

use super::io::Io;
use super::output_activation::OutputActivation;
use super::ports::Ports;
use super::reduction::{Extent, Reduction};
use super::{Layer, check_gradient};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::state::Kind;
use crate::tensor::{CowTensor, Tensor, recycle, scratch, slice, slice_mut, standard};
use serde::{Deserialize, Serialize};

/// The mean, the sum or the maximum over the steps of a sequence: `[batch, steps, …]` becomes `[batch, …]`.
///
/// Padding is left out, if the input has lengths ([`Ports`]); a sample without any real step becomes zeros. It has no
/// parameters. In a graph, `x.mean(1)` does the same.
///
/// Keras' `GlobalAveragePooling1D` and `GlobalMaxPooling1D`, which take the mask of the mean, and not of the maximum. For
/// sequences with the channels first, as [`Conv1d`](super::Conv1d) makes them, there is
/// [`GlobalAvgPool`](super::GlobalAvgPool).
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let model = Sequential::builder([4])
///     .layer(Embedding::vocabulary(1000, 16).padding(0))
///     .layer(Dense::units(16)).layer(ReLU)
///     .layer(PoolSteps::mean())
///     .layer(Dense::units(2)).layer(Softmax)
///     .build()?;
/// assert_eq!(model.output_shape(), [2]);
/// let words = arr2(&[[7.0, 9.0, 0.0, 0.0], [7.0, 9.0, 5.0, 0.0]]); // two words, and three
/// assert_eq!(model.predict(&words)?.shape(), [2, 2]);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolSteps {
    reduction: Reduction,
}

impl PoolSteps {
    /// Returns the layer of the mean over the steps.
    pub const fn mean() -> Self {
        Self { reduction: Reduction::Mean }
    }

    /// Returns the layer of the sum over the steps.
    pub const fn sum() -> Self {
        Self { reduction: Reduction::Sum }
    }

    /// Returns the layer of the maximum over the steps. The first of equal numbers gets the gradient; NaN counts as larger
    /// than any number.
    pub const fn max() -> Self {
        Self { reduction: Reduction::Max }
    }

    /// Computes the output of a batch, `[batch, steps, …]`.
    fn pool<F: Scalar>(self, input: &Tensor<F>, lengths: Option<&Tensor<F>>) -> Result<Tensor<F>> {
        let (n, inner) = steps(input.shape())?;
        if let Some(lengths) = lengths.filter(|lengths| *lengths.shape() != input.shape()[..1]) {
            return Err(Error::shape("the lengths", "[batch]", lengths.shape())
                .help("Give one length for each sample."));
        }
        let mut output = scratch(&[&input.shape()[..1], &input.shape()[2..]].concat());
        let extent = Extent { n, inner, lengths: lengths.map(slice) };
        self.reduction.forward(slice(input), extent, slice_mut(&mut output))?;
        Ok(output)
    }

    /// Computes the output and the cache.
    fn pool_train<F: Scalar>(
        self,
        input: Tensor<F>,
        lengths: Option<Tensor<F>>,
    ) -> Result<(Tensor<F>, PoolStepsCache<F>)> {
        let (input, lengths) = (standard(input), lengths.map(standard));
        let output = self.pool(&input, lengths.as_ref())?;
        let shape = input.shape().to_vec();
        let input = if self.reduction.reads_input() {
            Some(input)
        } else {
            recycle(input);
            None
        };
        Ok((output, PoolStepsCache { shape, input, lengths }))
    }
}

/// Returns the number of steps of a batch, and of the numbers in one.
fn steps(batch: &[usize]) -> Result<(usize, usize)> {
    match batch {
        [_, steps, inner @ ..] if *steps > 0 => Ok((*steps, inner.iter().product())),
        _ => Err(Error::shape("the input", "[batch, steps, …]", batch)
            .help("Axis 0 is the batch, axis 1 the steps.")),
    }
}

/// What the backward pass of [`PoolSteps`] needs.
///
/// Its content is private; the type is public because [`Layer::Cache`] names it.
#[derive(Debug)]
pub struct PoolStepsCache<F> {
    shape: Vec<usize>,
    /// Of a maximum.
    input: Option<Tensor<F>>,
    lengths: Option<Tensor<F>>,
}

impl<F: Scalar> Layer<F> for PoolSteps {
    const KIND: Kind = Kind::builtin("pool_steps");
    type Cache = PoolStepsCache<F>;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        match input {
            [steps, rest @ ..] if *steps > 0 => Ok(rest.to_vec()),
            _ => {
                Err(Error::shape("the input", "[steps, …]", input).help("Give sequences: an axis of steps."))
            }
        }
    }

    fn ports(&self) -> Ports {
        Ports::ONE.optional(&["lengths"]).reads_lengths(&[("input", "lengths")])
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        self.pool(&standard(input), None)
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, PoolStepsCache<F>)> {
        self.pool_train(input, None)
    }

    fn backward(&mut self, cache: PoolStepsCache<F>, grad: Tensor<F>) -> Result<Tensor<F>> {
        let PoolStepsCache { shape, input, lengths } = cache;
        check_gradient(&grad, &[&shape[..1], &shape[2..]].concat())?;
        let (grad, mut back) = (standard(grad), scratch(&shape));
        let (n, inner) = steps(&shape)?;
        let extent = Extent { n, inner, lengths: lengths.as_ref().map(slice) };
        let x = input.as_ref().map_or(&[][..], slice);
        self.reduction.backward(x, slice(&grad), extent, slice_mut(&mut back))?;
        [Some(grad), input, lengths].into_iter().flatten().for_each(recycle);
        Ok(back)
    }

    fn forward_ports(&self, io: &mut Io<'_, F>) -> Result<()> {
        let (input, lengths) = (standard(io.take(0)?), io.take_if(1).map(standard));
        let output = self.pool(&input, lengths.as_ref())?;
        io.put(0, output)
    }

    fn forward_train_ports(&mut self, io: &mut Io<'_, F>) -> Result<PoolStepsCache<F>> {
        let (input, lengths) = (io.take(0)?, io.take_if(1));
        let (output, cache) = self.pool_train(input, lengths)?;
        io.put(0, output)?;
        Ok(cache)
    }

    /// Ranges still hold for each number of a mean or maximum; distributions over a row do not.
    fn output_activation(&self, input: OutputActivation) -> OutputActivation {
        match self.reduction {
            Reduction::Sum | Reduction::Product => OutputActivation::Unknown,
            Reduction::Mean | Reduction::Max | Reduction::Min => input.of_numbers(),
        }
    }
}

/// Passes its input on without its lengths: the layers behind it count padding as real steps.
///
/// What mixes the steps of a sequence in a fixed order, such as a [`Flatten`](super::Flatten), reads padding. A model with
/// it is an error unless this layer says that this is meant. In a graph there is
/// [`Value::without_lengths`](super::Value::without_lengths).
///
/// ```
/// use plywood::prelude::*;
///
/// let words = || Sequential::builder([3]).layer(Embedding::vocabulary(100, 8).padding(0));
/// assert!(words().layer(Flatten).layer(Dense::units(2)).build().is_err());
/// let model = words().layer(WithoutLengths).layer(Flatten).layer(Dense::units(2)).build()?;
/// assert_eq!(model.output_shape(), [2]);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithoutLengths;

impl<F: Scalar> Layer<F> for WithoutLengths {
    const KIND: Kind = Kind::builtin("without_lengths");
    type Cache = ();

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(input.to_vec())
    }

    fn ports(&self) -> Ports {
        Ports::ONE.ignores_lengths(&["input"])
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        Ok(input)
    }

    fn forward_cow<'a>(&self, input: CowTensor<'a, F>) -> Result<CowTensor<'a, F>> {
        Ok(input)
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, ())> {
        Ok((input, ()))
    }

    fn backward(&mut self, (): (), grad: Tensor<F>) -> Result<Tensor<F>> {
        Ok(grad)
    }

    fn output_activation(&self, input: OutputActivation) -> OutputActivation {
        input
    }
}
