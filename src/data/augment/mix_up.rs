//! Mixup: mixtures of pairs of samples.

use crate::data::pass_on;
use crate::data::{Batch, Dataset, InputShapes, MixedTargets, Pass};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::random::Random;
use crate::shown::cut;
use crate::tensor::{Tensor, recycle, slice, slice_mut, standard};

/// The range of the distribution's parameter. Far outside of it, every share is 0, 1 or a half.
const ALPHA: std::ops::RangeInclusive<f64> = 0.01..=100.0;

/// A data set that mixes each sample with another one in training, inputs and targets alike.
///
/// ```text
/// x = λ · x_i + (1 - λ) · x_j          j uniform over the data set
/// t = λ · t_i + (1 - λ) · t_j          λ from Beta(α, α)
/// ```
///
/// Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: beyond empirical risk minimization", 2018 (arXiv:1710.09412), use an
/// `α` from 0.1 to 0.4. Only numbers can be mixed, so class indices need [`OneHot`](crate::data::OneHot) first; the
/// loss is then [`SoftCrossEntropy`](crate::losses::SoftCrossEntropy).
///
/// ```
/// use plywood::prelude::*;
///
/// let images = plywood::ndarray::Array3::from_shape_fn((10, 4, 4), |(i, _, _)| i as f32);
/// let labels = (0..10).collect::<Vec<usize>>();
/// let train = MixUp::new(OneHot::new(ArrayDataset::new(images, labels)?, 10)?, 0.2, 42)?;
///
/// let mut batch = Batch::<f32, Tensor>::default();
/// train.read(&[7], Pass::Train { epoch: 1 }, &mut batch)?;
/// let sum: f32 = batch.target.iter().enumerate().map(|(class, t)| class as f32 * t).sum();
/// assert!((sum - batch.inputs[0][[0, 0, 0]]).abs() < 1e-5); // mixed alike
/// train.read(&[7], Pass::Evaluate, &mut batch)?;
/// assert_eq!((batch.inputs[0][[0, 0, 0]], batch.target[[0, 7]]), (7.0, 1.0));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The other sample and the share `λ` are functions of the seed, the epoch and the sample's position. The paper takes
/// the other sample from the batch and one share for the whole batch; so do torchvision's and Keras' `MixUp`. Here
/// the other sample may be any of the data set and each pair has its own share, so the order and the batch do not
/// matter. If the wrapped data set is an [`Augmented`](crate::data::Augmented), the other sample has the changes of
/// this epoch. Sample weights are mixed like inputs and targets. Of several targets, one that is missing in either sample is
/// missing in the mixture.
///
/// A batch takes two reads.
#[derive(Clone, Debug)]
pub struct MixUp<D> {
    data: D,
    alpha: f64,
    random: Random,
}

impl<D> MixUp<D> {
    /// Wraps this data set, which may be a reference, and mixes with the strength `alpha`; 0.2 is usual.
    ///
    /// With an `alpha` of 1, every share is equally likely; the smaller `alpha`, the nearer shares are to 0 or 1.
    ///
    /// # Errors
    /// When `alpha` is not between 0.01 and 100.
    pub fn new(data: D, alpha: f64, seed: u64) -> Result<Self> {
        if !ALPHA.contains(&alpha) {
            return Err(Error::argument("alpha", "from 0.01 to 100", alpha)
                .help("It is how strongly samples are mixed; 0.2 is usual."));
        }
        Ok(Self { data, alpha, random: Random::seed(seed).child("mix-up") })
    }

    /// Returns the data set without mixing.
    pub fn data(&self) -> &D {
        &self.data
    }
}

#[deny(clippy::missing_trait_methods)]
impl<F: Scalar, D: Dataset<F>> Dataset<F> for MixUp<D>
where
    D::Target: MixedTargets<F>,
{
    type Target = D::Target;

    pass_on!(
        len,
        is_empty,
        input_shapes,
        class_names,
        class_names_of,
        target_name,
        remarks,
        prefetch,
        is_finite
    );

    fn read(&self, indices: &[usize], pass: Pass, batch: &mut Batch<F, D::Target>) -> Result<()> {
        self.data.read(indices, pass, batch)?;
        let Pass::Train { epoch } = pass else { return Ok(()) };
        if let InputShapes::Named(ports) = self.data.input_shapes()
            && let Some(port) = ports.iter().find(|port| port.is_ids())
        {
            let what = format!("the input {:?}", cut(port.name()));
            return Err(Error::data(what, "be numbers to be mixed", "ids")
                .help("Leave MixUp out: a mixture of two ids is another id.")
                .at("mix-up"));
        }
        let draw = |i: &usize| {
            let mut draws = self.random.at(epoch, *i as u64);
            (draws.below(self.data.len()), F::of(draws.beta(self.alpha)))
        };
        let (others, mut shares): (Vec<usize>, Vec<F>) = indices.iter().map(draw).unzip();
        let mut other = Batch::default();
        self.data.read(&others, pass, &mut other)?;
        // A sample without a weight has the weight 1, so that the mixture does not depend on the batch.
        let ones = || vec![F::one(); indices.len()];
        if batch.weights.is_some() || other.weights.is_some() {
            batch.weights.get_or_insert_with(ones);
            other.weights.get_or_insert_with(ones);
        }
        // A sample with weight 0 is left out of every mixture.
        if let (Some(weights), Some(others)) = (&batch.weights, &other.weights) {
            for (share, (weight, other)) in shares.iter_mut().zip(weights.iter().zip(others)) {
                if *weight == F::zero() || *other == F::zero() {
                    *share = F::one();
                }
            }
        }
        for (input, other) in batch.inputs.iter_mut().zip(other.inputs) {
            mix("inputs", input, other, &shares)?;
        }
        batch.target.mix(other.target, &mut |target, other| mix("targets", target, other, &shares))?;
        if let (Some(weights), Some(others)) = (&mut batch.weights, other.weights) {
            for ((weight, other), &share) in weights.chunks_mut(1).zip(others.chunks(1)).zip(&shares) {
                F::mixed(weight, other, share);
            }
        }
        Ok(())
    }

    /// Returns the unmixed targets: a check that they pass holds for their mixtures too.
    fn read_targets(&self, indices: &[usize], batch: &mut Batch<F, D::Target>) -> Result<bool> {
        self.data.read_targets(indices, batch)
    }
}

/// Mixes each sample of `a` with the one of `b` at the same position, by its share.
fn mix<F: Scalar>(what: &str, a: &mut Tensor<F>, b: Tensor<F>, shares: &[F]) -> Result<()> {
    if a.shape() != b.shape() || a.shape().first() != Some(&shares.len()) {
        return Err(Error::shape(
            what,
            format!("{:?}, like the samples they are mixed with", a.shape()),
            b.shape(),
        )
        .help("All samples of a data set must have one shape.")
        .at("mix-up"));
    }
    if !a.is_standard_layout() {
        *a = a.as_standard_layout().into_owned();
    }
    let (columns, b) = ((a.len() / shares.len().max(1)).max(1), standard(b));
    let rows = slice_mut(a).chunks_exact_mut(columns).zip(slice(&b).chunks_exact(columns));
    for ((a, b), &share) in rows.zip(shares) {
        F::mixed(a, b, share);
    }
    recycle(b);
    Ok(())
}
