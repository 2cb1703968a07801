//! Embedding: a table with one row per id.
//!
//! # The derivative
//!
//! With `y_i = W[id_i]`, the gradient of a row is the sum of the gradients at all occurrences of its id:
//!
//! ```text
//! ∂L/∂W[k] = Σ_{i: id_i = k} ∂L/∂y_i
//! ```
//!
//! All other rows have no gradient. So the gradient is sparse
//! ([`add_gradient_rows`](crate::nn::Param::add_gradient_rows)), with the rows of each id already summed, and the
//! optimizer updates only these rows: the cost of a step depends on the ids in the batch, not on the size of the table.

mod bag;
mod lookup;

pub use bag::{BagMode, EmbeddingBag, EmbeddingBagCache, EmbeddingBagSpec};

use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::kernels::{Scalar, order_of};
use crate::nn::{Io, Layer, LayerSpec, OutputActivation, Ports, check_gradient};
use crate::param::Param;
use crate::random::Random;
use crate::state::Kind;
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut, standard};
use lookup::{Table, TableSpec, lengths, no_gradient};
use serde::{Deserialize, Serialize};

/// A table with a row of values per id: maps words, items or categories to learned vectors.
///
/// | | shape |
/// |---|---|
/// | input, ids | `[batch, …]`, usually `[batch, length]` |
/// | output | `[batch, …, dimension]` |
/// | `weight` | `[vocabulary, dimension]` |
///
/// Ids are whole numbers from 0 to `vocabulary - 1`, in a tensor of the element type. Anything else is an error that
/// names the sample, the position and the value. `f32` distinguishes ids up to 2^24 = 16,777,216.
///
/// The row of a padding id ([`padding`](EmbeddingSpec::padding)) starts at 0 and is never trained, so its output is
/// zeros; if loaded weights have a non-zero row there, it is kept, as in PyTorch. To average or sum over the ids of a
/// text without the padding, use [`EmbeddingBag`](crate::nn::EmbeddingBag), which does not create the intermediate
/// array; with layers in between, [`PoolSteps`](crate::nn::PoolSteps).
///
/// It corresponds to PyTorch's `nn.Embedding(num_embeddings, embedding_dim, padding_idx)`: same parameter name, and same
/// distribution of initial values, normal with standard deviation 1; gradients are sparse, as with `sparse=True` there. Keras'
/// `Embedding` starts uniform in ±0.05.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let model = Sequential::builder([3]).layer(Embedding::vocabulary(1000, 16).padding(0)).build()?;
/// let vectors = model.predict(&arr2(&[[7.0, 42.0, 0.0]]))?;
/// assert_eq!(vectors.shape(), [1, 3, 16]);
/// assert!(vectors.iter().skip(32).all(|&v| v == 0.0)); // the padding
///
/// let error = model.predict(&arr2(&[[7.0, 1000.0, 0.0]])).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "predict, layer 0 (embedding): the id at position 1 of sample 0 must be whole and below 1000, got 1000. \
///      Ids count from 0: look words up in the vocabulary of the model, and give all that are unknown one id of their own."
/// );
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Ids have no gradient: `backward` returns zeros. With Adam or momentum, a row that is not in the batch keeps its
/// value and its moments (as in PyTorch's `SparseAdam`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Embedding<F: Scalar = f32> {
    table: Table<F>,
}

/// What the backward pass of [`Embedding`] needs: the ids, and the input's shape.
///
/// Its content is private; the type is public because [`Layer::Cache`] names it.
#[derive(Debug)]
pub struct EmbeddingCache {
    ids: Vec<u32>,
    shape: Vec<usize>,
}

impl Embedding<f32> {
    /// Returns the spec of a layer for ids from 0 to `vocabulary - 1`, with a row of `dimension` values per id.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let error = Sequential::builder([3]).layer(Embedding::vocabulary(1 << 25, 4)).build().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "layer 0 (embedding): the vocabulary's size must be from 1 to 16777216 in f32, got 33554432. Ids are \
    ///      numbers of the element type, which holds no larger whole numbers exactly."
    /// );
    /// ```
    pub fn vocabulary(vocabulary: usize, dimension: usize) -> EmbeddingSpec {
        let initializer = Initializer::Normal { mean: 0.0, std_dev: 1.0 };
        EmbeddingSpec(TableSpec { vocabulary, dimension, padding: None, initializer })
    }
}

impl<F: Scalar> Embedding<F> {
    /// Returns the table, `[vocabulary, dimension]`.
    pub fn weight(&self) -> &Param<F> {
        &self.table.weight
    }

    /// Puts the lengths of the samples, if they are wanted.
    fn put_lengths(&self, ids: &Tensor<F>, io: &mut Io<'_, F>) -> Result<()> {
        match self.table.padding {
            Some(padding) if io.wants(1) => io.put(1, lengths(ids, padding)?),
            _ => Ok(()),
        }
    }

    /// Returns the rows of a batch.
    fn rows(&self, shape: &[usize], ids: &[u32]) -> Result<Tensor<F>> {
        let (_, dimension) = self.table.sizes()?;
        let mut output = scratch(&[shape, &[dimension]].concat());
        let (table, padding) = (self.table.weight.as_slice(), self.table.padding.unwrap_or(0));
        F::gather_rows(table, dimension, padding, ids, slice_mut(&mut output));
        Ok(output)
    }
}

impl<F: Scalar> Layer<F> for Embedding<F> {
    const KIND: Kind = Kind::builtin("embedding");
    type Cache = EmbeddingCache;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        let (_, dimension) = self.table.sizes()?;
        Ok([input, &[dimension]].concat())
    }

    /// Each id has its row.
    fn keeps_steps(&self, input: &[usize]) -> bool {
        !input.is_empty()
    }

    /// With a padding id, it makes the lengths of the samples.
    fn ports(&self) -> Ports {
        const LENGTHS: Ports =
            Ports::new(&["input"], &["output", "lengths"]).makes_lengths(&[("output", "lengths")]);
        if self.table.padding.is_some() { LENGTHS } else { Ports::ONE }
    }

    fn forward_ports(&self, io: &mut Io<'_, F>) -> Result<()> {
        let input = standard(io.take(0)?);
        self.put_lengths(&input, io)?;
        let output = self.forward(input)?;
        io.put(0, output)
    }

    fn forward_train_ports(&mut self, io: &mut Io<'_, F>) -> Result<EmbeddingCache> {
        let input = standard(io.take(0)?);
        self.put_lengths(&input, io)?;
        let (output, cache) = self.forward_train(input)?;
        io.put(0, output)?;
        Ok(cache)
    }

    /// Copies a row per id.
    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        let shape = batch(&input)?;
        let ids = self.table.ids(input)?;
        self.rows(&shape, &ids)
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, EmbeddingCache)> {
        let shape = batch(&input)?;
        let ids = self.table.ids(input)?;
        Ok((self.rows(&shape, &ids)?, EmbeddingCache { ids, shape }))
    }

    /// Computes the gradients of the rows, and returns zeros for the ids.
    fn backward(&mut self, cache: EmbeddingCache, grad: Tensor<F>) -> Result<Tensor<F>> {
        let zeros = no_gradient(&cache.shape);
        self.backward_params(cache, grad)?;
        Ok(zeros)
    }

    /// Sorts the ids, and adds up the rows of each.
    fn backward_params(&mut self, cache: EmbeddingCache, grad: Tensor<F>) -> Result<()> {
        let EmbeddingCache { ids, mut shape } = cache;
        shape.push(self.table.sizes()?.1);
        check_gradient(&grad, &shape)?;
        let grad = standard(grad);
        if self.table.weight.is_trainable() {
            let order = order_of(&ids, 1);
            self.table.add_gradient(&order, |columns, rows| {
                F::scatter_rows(&order, slice(&grad), columns, &[], rows);
            })?;
        }
        recycle(grad);
        Ok(())
    }

    /// The outputs are any real numbers.
    fn output_activation(&self, _: OutputActivation) -> OutputActivation {
        OutputActivation::Linear
    }

    fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        visit("weight", &self.table.weight);
    }

    fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
        visit("weight", &mut self.table.weight);
    }
}

/// Returns the shape of the input, which must have a batch axis.
fn batch<F: Scalar>(input: &Tensor<F>) -> Result<Vec<usize>> {
    match input.ndim() {
        0 => Err(Error::shape("the input", "[batch, …]", &[]).help("Axis 0 is the batch.")),
        _ => Ok(input.shape().to_vec()),
    }
}

/// The spec of an [`Embedding`] layer, from [`Embedding::vocabulary`].
#[derive(Clone, Copy, Debug)]
pub struct EmbeddingSpec(TableSpec);

impl EmbeddingSpec {
    /// Sets the padding id: its row of the table starts at 0 and gets no gradient, so its output is zeros.
    ///
    /// Shorter sequences are filled up with it at the end; 0 is usual. The layers behind get the lengths of the samples
    /// ([`Ports`]): padding has no part in the mean over the steps ([`PoolSteps`](crate::nn::PoolSteps)), and a layer that
    /// would mix it in, such as a [`Flatten`](crate::nn::Flatten), is an error unless
    /// [`WithoutLengths`](crate::nn::WithoutLengths) stands in front. Keras' `mask_zero=True` does the same, and drops the
    /// mask without an error.
    ///
    /// Where lengths are read, padding in front of other ids is an error. Of ids with several axes, the lengths are those
    /// of the first: a step is padding if all of its ids are.
    #[must_use]
    pub fn padding(mut self, id: usize) -> Self {
        self.0.padding = Some(id);
        self
    }

    /// Sets the distribution of the initial table (default: normal with standard deviation 1).
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let keras = Embedding::vocabulary(100, 8).initializer(Initializer::Uniform { low: -0.05, high: 0.05 });
    /// let layer: Embedding = keras.build(&[5], &Random::seed(1))?;
    /// assert!(layer.weight().as_slice().iter().all(|w| w.abs() <= 0.05));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn initializer(mut self, initializer: Initializer) -> Self {
        self.0.initializer = initializer;
        self
    }
}

impl<F: Scalar> LayerSpec<F> for EmbeddingSpec {
    type Layer = Embedding<F>;

    /// Builds the layer for ids of any shape.
    fn build(self, _: &[usize], random: &Random) -> Result<Embedding<F>> {
        Ok(Embedding { table: self.0.build(random)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Gradient;
    use ndarray::{arr2, arr3};

    fn build(spec: EmbeddingSpec) -> Result<Embedding> {
        spec.build(&[2], &Random::seed(0))
    }

    #[test]
    fn by_hand_and_only_the_rows_that_came_up_have_a_gradient() {
        let mut layer = build(Embedding::vocabulary(5, 2).padding(1)).unwrap();
        layer.table.weight.as_slice_mut().copy_from_slice(&[0., 1., 10., 11., 20., 21., 30., 31., 40., 41.]);
        let (y, cache) = layer.forward_train(arr2(&[[3., 1.], [0., 3.]]).into_dyn()).unwrap();
        assert_eq!(y, arr3(&[[[30., 31.], [10., 11.]], [[0., 1.], [30., 31.]]]).into_dyn()); // the padding's row is kept
        let grad = arr3(&[[[1., 2.], [3., 4.]], [[5., 6.], [7., 8.]]]).into_dyn();
        assert_eq!(layer.backward(cache, grad).unwrap(), Tensor::<f32>::zeros(vec![2, 2]));
        let Some(Gradient::Rows { ids, values }) = layer.weight().gradient() else { panic!() };
        assert_eq!((&ids[..], &values[..]), (&[0, 3][..], &[5., 6., 8., 10.][..]));
    }

    #[test]
    fn bad_settings_ids_and_shapes_are_errors() {
        for spec in [
            Embedding::vocabulary(0, 2),
            Embedding::vocabulary(2, 0),
            Embedding::vocabulary(2, usize::MAX),
            Embedding::vocabulary(2, 2).padding(2),
            Embedding::vocabulary((1 << 24) + 1, 1),
            Embedding::vocabulary(2, 2).initializer(Initializer::Constant(f64::NAN)),
        ] {
            assert!(build(spec).is_err(), "{spec:?}");
        }
        let mut layer = build(Embedding::vocabulary(3, 2)).unwrap();
        for id in [-1., 0.5, 3., f32::NAN, f32::INFINITY] {
            assert!(layer.forward(arr2(&[[0., id]]).into_dyn()).is_err());
        }
        assert!(layer.forward(Tensor::zeros(vec![])).is_err());
        assert_eq!(layer.forward(Tensor::zeros(vec![4])).unwrap().shape(), [4, 2]);
        let (y, cache) = layer.forward_train(Tensor::zeros(vec![0, 3])).unwrap();
        assert_eq!(layer.backward(cache, y).unwrap().shape(), [0, 3]);
        let (_, cache) = layer.forward_train(Tensor::zeros(vec![1, 3])).unwrap();
        assert!(layer.backward(cache, Tensor::zeros(vec![1, 3])).is_err());
    }

    #[test]
    fn a_frozen_table_gets_no_gradient() {
        let mut layer = build(Embedding::vocabulary(3, 2)).unwrap();
        layer.table.weight.freeze();
        let (y, cache) = layer.forward_train(Tensor::zeros(vec![1, 3])).unwrap();
        layer.backward_params(cache, y).unwrap();
        assert!(layer.weight().gradient().is_none());
    }
}
