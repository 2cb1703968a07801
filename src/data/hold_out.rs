//! One held-out part, as a kind of [`Folds`].

use super::splits::{Fold, Folds, stratified_split_on};
use super::subset::random_split;
use super::{ClassTargets, Dataset};
use crate::error::Result;
use crate::kernels::Scalar;

/// One fold: a share of the samples, drawn at random, is held out. Faster than [`KFold`](crate::data::KFold), and
/// less precise.
///
/// ```
/// use plywood::prelude::*;
/// use plywood::data::{Folds, HoldOut};
///
/// let data = ArrayDataset::new(plywood::ndarray::Array2::<f32>::zeros((10, 2)), vec![0; 10])?;
/// let folds = Folds::<f32, _>::folds(&HoldOut::share(0.2).seed(1), &data)?;
/// assert_eq!((folds.len(), folds[0].0.indices().len(), folds[0].1.indices().len()), (1, 8, 2));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The parts are those of [`random_split`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HoldOut {
    share: f64,
    seed: u64,
}

impl HoldOut {
    /// Holds out this share, above 0 and below 1. It is checked when the folds are made.
    pub fn share(share: f64) -> Self {
        Self { share, seed: 0 }
    }

    /// Sets the seed that samples are drawn by; the default is 0.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

impl<F: Scalar, D: Dataset<F>> Folds<F, D> for HoldOut {
    fn folds<'a>(&self, data: &'a D) -> Result<Vec<Fold<'a, D>>> {
        Ok(vec![random_split(data, self.share, self.seed)?])
    }
}

/// A [`HoldOut`] in which each class has nearly the same share of both parts.
///
/// ```
/// use plywood::prelude::*;
/// use plywood::data::{Folds, StratifiedHoldOut};
///
/// let labels: Vec<usize> = (0..20).map(|i| usize::from(i >= 15)).collect(); // 15 of one class, 5 of the other
/// let data = ArrayDataset::new(plywood::ndarray::Array2::<f32>::zeros((20, 2)), labels)?;
/// let folds = Folds::<f32, _>::folds(&StratifiedHoldOut::share(0.2).seed(1), &data)?;
/// let rare = folds[0].1.indices().iter().filter(|&&i| i >= 15).count();
/// assert_eq!((folds[0].1.indices().len(), rare), (4, 1));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The parts are those of [`stratified_split`](crate::data::stratified_split).
#[derive(Clone, Debug, PartialEq)]
pub struct StratifiedHoldOut {
    share: f64,
    seed: u64,
    /// The name of the target, of several.
    target: Option<String>,
}

impl StratifiedHoldOut {
    /// Holds out this share, above 0 and below 1. It is checked when the folds are made.
    pub fn share(share: f64) -> Self {
        Self { share, seed: 0, target: None }
    }

    /// Takes the classes of this target, for data with several. Samples whose class is missing count as one more class.
    #[must_use]
    pub fn on(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Sets the seed that samples are drawn by; the default is 0.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

impl<F: Scalar, D: Dataset<F>> Folds<F, D> for StratifiedHoldOut
where
    D::Target: ClassTargets<F>,
{
    fn folds<'a>(&self, data: &'a D) -> Result<Vec<Fold<'a, D>>> {
        Ok(vec![stratified_split_on(self.target.as_deref(), data, self.share, self.seed)?])
    }
}
