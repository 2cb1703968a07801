//! Embedding and pooling in one pass, e.g. the average embedding of a text's words.
//!
//! # The derivative
//!
//! Let `n` be the number of a sample's ids that are not padding. With `y = Σ_i W[id_i] / n`, each of them gets the
//! gradient `∂L/∂y / n`; with the sum it is `∂L/∂y`; with the maximum, the gradient of each column goes to the id that
//! the maximum came from (the first one, if several are equal). The gradient of an id's row is the sum over its
//! occurrences:
//!
//! ```text
//! ∂L/∂W[k] = Σ_samples (how often k occurs in the sample) · ∂L/∂y / n
//! ```
//!
//! Neither pass stores a vector per occurrence: the forward pass adds rows of the table to the output's row, and the
//! backward pass adds rows of the output's gradient to one row per id, sorted by id. Compared with
//! [`Embedding`](crate::nn::Embedding) followed by a mean, the `[batch, length, dimension]` array and its gradient are
//! neither stored nor copied.

use super::lookup::{Table, TableSpec, no_gradient};
use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::kernels::{Scalar, order_of};
use crate::nn::{Layer, LayerSpec, OutputActivation, check_gradient};
use crate::param::Param;
use crate::random::Random;
use crate::state::Kind;
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut, standard};
use serde::{Deserialize, Serialize};

/// The mean (or sum, or maximum) of the table rows of a sample's ids: turns a text, a basket or a set into one vector.
///
/// | | shape |
/// |---|---|
/// | input, ids | `[batch, length]` |
/// | output | `[batch, dimension]` |
/// | `weight` | `[vocabulary, dimension]` |
///
/// Ids are as in [`Embedding`](crate::nn::Embedding). Padding ids are ignored, in the denominator of the mean too; a
/// sample of only padding becomes zeros.
///
/// PyTorch's `nn.EmbeddingBag(num_embeddings, embedding_dim, mode="mean", padding_idx=...)`, with the same definitions.
/// In Keras, use an `Embedding(mask_zero=True)` and a `GlobalAveragePooling1D`, which averages over what is not masked.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// // Is a review friendly? 200 words, fewer filled up with 0.
/// let model = Sequential::builder([200])
///     .layer(EmbeddingBag::vocabulary(20_000, 16).padding(0))
///     .layer(Dense::units(16)).layer(ReLU)
///     .layer(Dense::units(1)).layer(Sigmoid)
///     .build()?;
/// assert_eq!(model.output_shape(), [1]);
///
/// let bag: EmbeddingBag = EmbeddingBag::vocabulary(10, 4).padding(0).build(&[3], &Random::seed(0))?;
/// let y = bag.forward(arr2(&[[5.0, 5.0, 5.0], [5.0, 0.0, 0.0]]).into_dyn())?;
/// assert!((0..4).all(|i| (y[[0, i]] - y[[1, i]]).abs() < 1e-6)); // padding does not dilute
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The cost of a step is proportional to the number of ids in the batch, that of the optimizer to the number of
/// distinct ones.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct EmbeddingBag<F: Scalar = f32> {
    table: Table<F>,
    mode: BagMode,
}

/// How an [`EmbeddingBag`] combines the rows of a sample: PyTorch's `mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum BagMode {
    /// The mean of the rows.
    #[default]
    Mean,
    /// The sum of the rows. Long samples then have large outputs.
    Sum,
    /// The maximum of each column. A NaN in the table is passed on.
    Max,
}

/// What the backward pass of [`EmbeddingBag`] needs.
///
/// Its content is private; the type is public because [`Layer::Cache`] names it.
#[derive(Debug)]
pub struct EmbeddingBagCache<F> {
    ids: Vec<u32>,
    shape: [usize; 2],
    /// For a mean, the reciprocal of the number of ids of each sample.
    shares: Option<Tensor<F>>,
    /// For a maximum, the position in the sample that each value came from.
    chosen: Vec<u32>,
}

impl EmbeddingBag<f32> {
    /// Returns the spec of a bag for ids from 0 to `vocabulary - 1`, with a row of `dimension` values per id; it takes
    /// the mean by default.
    ///
    /// Initial values are normal with standard deviation 1, as in PyTorch.
    pub fn vocabulary(vocabulary: usize, dimension: usize) -> EmbeddingBagSpec {
        let initializer = Initializer::Normal { mean: 0.0, std_dev: 1.0 };
        let table = TableSpec { vocabulary, dimension, padding: None, initializer };
        EmbeddingBagSpec { table, mode: BagMode::Mean }
    }
}

impl<F: Scalar> EmbeddingBag<F> {
    /// Returns the table, `[vocabulary, dimension]`.
    pub fn weight(&self) -> &Param<F> {
        &self.table.weight
    }

    /// Computes the output and the cache.
    fn pool(&self, input: Tensor<F>) -> Result<(Tensor<F>, EmbeddingBagCache<F>)> {
        let &[batch, length] = input.shape() else {
            return Err(Error::shape("the input", "[batch, length]", input.shape())
                .help("Axis 0 is the batch; give a row of ids for each sample."));
        };
        let (_, columns) = self.table.sizes()?;
        let ids = self.table.ids(input)?;
        let (mut output, table) = (scratch(&[batch, columns]), self.table.weight.as_slice());
        let out = slice_mut(&mut output);
        let (mut shares, mut chosen) = (None, Vec::new());
        match self.mode {
            BagMode::Mean => {
                let shares = slice_mut(shares.insert(scratch(&[batch])));
                F::bag_shares(&ids, length, shares);
                F::bag_sums(table, columns, &ids, length, shares, out);
            }
            BagMode::Sum => F::bag_sums(table, columns, &ids, length, &[], out),
            BagMode::Max => {
                chosen = vec![0; batch * columns];
                F::bag_maxima(table, columns, &ids, length, out, &mut chosen);
            }
        }
        Ok((output, EmbeddingBagCache { ids, shape: [batch, length], shares, chosen }))
    }
}

impl<F: Scalar> Layer<F> for EmbeddingBag<F> {
    const KIND: Kind = Kind::builtin("embedding_bag");
    type Cache = EmbeddingBagCache<F>;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        let (_, dimension) = self.table.sizes()?;
        match input {
            [_] => Ok(vec![dimension]),
            _ => Err(Error::shape("the input", "[length]", input)
                .help("A bag takes a row of ids for each sample; `Embedding` takes any shape.")),
        }
    }

    /// Takes one pass over the rows of the batch's ids.
    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        let (output, cache) = self.pool(input)?;
        if let Some(shares) = cache.shares {
            recycle(shares);
        }
        Ok(output)
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, EmbeddingBagCache<F>)> {
        self.pool(input)
    }

    /// Computes the gradients of the rows, and returns zeros for the ids.
    fn backward(&mut self, cache: EmbeddingBagCache<F>, grad: Tensor<F>) -> Result<Tensor<F>> {
        let zeros = no_gradient(&cache.shape);
        self.backward_params(cache, grad)?;
        Ok(zeros)
    }

    /// Sorts the ids, and adds up the gradient of each.
    fn backward_params(&mut self, cache: EmbeddingBagCache<F>, grad: Tensor<F>) -> Result<()> {
        let EmbeddingBagCache { ids, shape: [batch, length], shares, chosen } = cache;
        check_gradient(&grad, &[batch, self.table.sizes()?.1])?;
        let grad = standard(grad);
        if self.table.weight.is_trainable() {
            let by_position = self.mode == BagMode::Max;
            let order = order_of(&ids, if by_position { 1 } else { length });
            self.table.add_gradient(&order, |columns, rows| {
                if by_position {
                    F::scatter_chosen(&order, slice(&grad), columns, length, &chosen, rows);
                } else {
                    let shares = shares.as_ref().map_or(&[][..], slice);
                    F::scatter_rows(&order, slice(&grad), columns, shares, rows);
                }
            })?;
        }
        if let Some(shares) = shares {
            recycle(shares);
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

/// The spec of an [`EmbeddingBag`] layer, from [`EmbeddingBag::vocabulary`].
#[derive(Clone, Copy, Debug)]
pub struct EmbeddingBagSpec {
    table: TableSpec,
    mode: BagMode,
}

impl EmbeddingBagSpec {
    /// Sets the padding id, which is ignored; 0 is usual.
    #[must_use]
    pub fn padding(mut self, id: usize) -> Self {
        self.table.padding = Some(id);
        self
    }

    /// Sets how the rows of a sample are combined (default: the mean).
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::nn::BagMode;
    /// use plywood::prelude::*;
    ///
    /// let spec = EmbeddingBag::vocabulary(3, 2).mode(BagMode::Max);
    /// let mut bag: EmbeddingBag<f64> = spec.build(&[2], &Random::seed(0))?;
    /// let table = arr2(&[[0.0, 9.0], [1.0, -1.0], [5.0, -5.0]]).into_dyn();
    /// bag.visit_params_mut(&mut |_, weight| weight.set_value(table.clone()).expect("the same shape"));
    /// assert_eq!(bag.forward(arr2(&[[1.0, 2.0]]).into_dyn())?, arr2(&[[5.0, -1.0]]).into_dyn());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn mode(mut self, mode: BagMode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets the distribution of the initial table (default: normal with standard deviation 1).
    #[must_use]
    pub fn initializer(mut self, initializer: Initializer) -> Self {
        self.table.initializer = initializer;
        self
    }
}

impl<F: Scalar> LayerSpec<F> for EmbeddingBagSpec {
    type Layer = EmbeddingBag<F>;

    /// Builds the layer; the length of the samples does not matter.
    fn build(self, _: &[usize], random: &Random) -> Result<EmbeddingBag<F>> {
        Ok(EmbeddingBag { table: self.table.build(random)?, mode: self.mode })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Gradient;
    use ndarray::arr2;

    fn build(spec: EmbeddingBagSpec) -> EmbeddingBag<f64> {
        let mut layer: EmbeddingBag<f64> = spec.build(&[3], &Random::seed(0)).unwrap();
        layer.table.weight.as_slice_mut().copy_from_slice(&[7., 7., 1., 10., 2., 20., 3., -30.]);
        layer
    }

    /// Id 0 is padding. Returns the output, the ids with a gradient, and the gradient.
    fn step(spec: EmbeddingBagSpec) -> (Vec<f64>, Vec<usize>, Vec<f64>) {
        let mut layer = build(spec.padding(0));
        let ids = arr2(&[[1., 3., 1.], [0., 2., 0.], [0., 0., 0.]]).into_dyn();
        let (y, cache) = layer.forward_train(ids.clone()).unwrap();
        assert_eq!(layer.forward(ids).unwrap(), y);
        let dx = layer.backward(cache, arr2(&[[3., 6.], [1., 2.], [100., 100.]]).into_dyn()).unwrap();
        assert_eq!(dx, Tensor::<f64>::zeros(vec![3, 3]));
        match layer.weight().gradient() {
            Some(Gradient::Rows { ids, values }) => {
                (y.iter().copied().collect(), ids.clone(), values.clone())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn sum_mean_and_maximum_by_hand() {
        let vocabulary = || EmbeddingBag::vocabulary(4, 2);
        let (y, ids, grad) = step(vocabulary().mode(BagMode::Sum));
        assert_eq!((&y[..], &ids[..]), (&[5., -10., 2., 20., 0., 0.][..], &[1, 2, 3][..]));
        assert_eq!(grad, [6., 12., 1., 2., 3., 6.]);
        let (y, _, grad) = step(vocabulary());
        assert!((y[0] - 5. / 3.).abs() < 1e-15 && y[2..] == [2., 20., 0., 0.]);
        assert_eq!(grad, [2., 4., 1., 2., 1., 2.]);
        let (y, _, grad) = step(vocabulary().mode(BagMode::Max));
        assert_eq!(y, [3., 10., 2., 20., 0., 0.]);
        assert_eq!(grad, [0., 6., 1., 2., 3., 0.]);
    }

    #[test]
    fn wrong_shapes_and_ids_are_errors() {
        let mut layer = build(EmbeddingBag::vocabulary(4, 2));
        for shape in [&[][..], &[3], &[1, 2, 3]] {
            assert!(layer.forward(Tensor::zeros(shape)).is_err(), "{shape:?}");
        }
        assert!(layer.output_shape(&[2, 3]).is_err() && layer.output_shape(&[]).is_err());
        let text = layer.forward(arr2(&[[0., 1.], [2., 4.5]]).into_dyn()).unwrap_err().to_string();
        assert!(
            text.starts_with(
                "the id at position 1 of sample 1 in the batch must be whole and below 4, got 4.5."
            ),
            "{text}"
        );
        assert_eq!(layer.forward(Tensor::zeros(vec![2, 0])).unwrap(), Tensor::<f64>::zeros(vec![2, 2]));
        let (y, cache) = layer.forward_train(Tensor::zeros(vec![0, 3])).unwrap();
        assert!(layer.backward(cache, y).is_ok());
        let (_, cache) = layer.forward_train(Tensor::zeros(vec![2, 3])).unwrap();
        assert!(layer.backward(cache, Tensor::zeros(vec![2, 3])).is_err());
    }
}
