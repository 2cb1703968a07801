//! Cross-validation: measures a model and its training several times, each time on other held-out data.
//!
//! The result of a single split depends on chance: another test part gives another number. Cross-validation makes `k`
//! splits in which every sample is held out once, trains a new model for each, and reports the scores of each fold,
//! their mean and their standard deviation.

use super::trainer::{Evaluation, Trainer};
use crate::data::{Dataset, Folds, Subset};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::losses::Loss;
use crate::nn::Model;
use crate::shown::lines;
use crate::target::AsTarget;
use std::fmt;

/// Trains a new model on each fold's training part and evaluates it on the held-out part.
///
/// ```
/// use plywood::prelude::*;
/// use plywood::train::cross_validate;
///
/// let inputs = plywood::ndarray::Array2::from_shape_fn((60, 2), |(i, j)| if j == i % 2 { 1.0f32 } else { 0.0 });
/// let data = ArrayDataset::new(inputs, (0..60).map(|i| i % 2).collect::<Vec<_>>())?;
///
/// let scores = cross_validate(&data, &StratifiedKFold::new(3).seed(1), |fold| {
///     let model = Sequential::builder([2]).seed(fold as u64).layer(Dense::units(2)).layer(Softmax).build()?;
///     let trainer = Trainer::new(CrossEntropy::default(), Adam::default())
///         .epochs(20).learning_rate(0.05).metric(Accuracy::default()).progress(Progress::Silent);
///     Ok((model, trainer))
/// })?;
/// assert_eq!(scores.get("accuracy"), Some(vec![1.0; 3]));
/// println!("{scores}"); // accuracy 1 ± 0, loss …
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// `build` is called with the fold's number, from 0, and makes the model and the trainer. The scores are the loss and
/// the trainer's metrics, as in [`Trainer::evaluate`]. A trainer that keeps the best of its epochs should use
/// [`validation_split`](Trainer::validation_split) to choose it: the held-out part must not influence training.
///
/// Everything else that is fitted to data (a [`Normalizer`](crate::data::Normalizer), a vocabulary) must be fitted
/// again on each training part: see [`cross_validate_with`].
///
/// # Errors
/// If the data cannot be split into these folds, or `build`, training or evaluation fails; the error names the fold.
pub fn cross_validate<F, M, D, L>(
    data: &D,
    folds: &impl Folds<F, D>,
    mut build: impl FnMut(usize) -> Result<(M, Trainer<L, F>)>,
) -> Result<CrossValidation>
where
    F: Scalar,
    M: Model<F>,
    D: Dataset<F>,
    D::Target: AsTarget<L::Target>,
    L: Loss<F>,
{
    let mut number = 0;
    cross_validate_with(data, folds, |train, test| {
        let (mut model, mut trainer) = build(number)?;
        number += 1;
        trainer.fit(&mut model, train)?;
        trainer.evaluate(&model, test)
    })
}

/// Calls `run` with each fold's training part and held-out part, and collects the evaluations that it returns.
///
/// It is for runs that fit more than a model, such as a [`Normalizer`](crate::data::Normalizer) on the training part
/// alone:
///
/// ```
/// use plywood::prelude::*;
/// use plywood::train::cross_validate_with;
///
/// let inputs = plywood::ndarray::Array2::from_shape_fn((40, 1), |(i, _)| 1000.0 + i as f32);
/// let targets = inputs.mapv(|x| x / 100.0 - 10.0);
/// let data = ArrayDataset::new(inputs, targets)?;
/// let scores = cross_validate_with::<f32, _>(&data, &KFold::new(4).seed(1), |train, test| {
///     let normalizer = Normalizer::standard().fit::<f32, _>(train)?;
///     let mut model = Sequential::builder([1]).layer(Dense::units(1)).build()?;
///     let trainer = Trainer::new(MeanSquaredError, Adam::default()).epochs(100).batch_size(10);
///     let mut trainer = trainer.learning_rate(0.05).progress(Progress::Silent);
///     trainer.fit(&mut model, &normalizer.apply(train))?;
///     trainer.evaluate(&model, &normalizer.apply(test))
/// })?;
/// assert!(scores.mean("loss").unwrap() < 1e-3, "{scores}");
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// # Errors
/// If the data cannot be split into these folds, or `run` fails; the error names the fold.
pub fn cross_validate_with<F: Scalar, D: Dataset<F>>(
    data: &D,
    folds: &impl Folds<F, D>,
    mut run: impl FnMut(&Subset<&D>, &Subset<&D>) -> Result<Evaluation>,
) -> Result<CrossValidation> {
    let at = |error: Error| error.at("cross-validation");
    let (folds, remarks) = folds.folds_and_remarks(data).map_err(at)?;
    let folds = folds.into_iter().enumerate().map(|(number, (train, test))| {
        run(&train, &test).map_err(|error| at(error.at(format!("fold {number}"))))
    });
    Ok(CrossValidation { folds: folds.collect::<Result<_>>()?, remarks })
}

/// The scores of each fold, as returned by [`cross_validate`]. They print as a line for each score.
///
/// ```text
/// loss      0.2714 ± 0.0121
/// accuracy  0.9017 ± 0.0034
/// ```
///
/// Remarks follow, for example if a class is missing in some folds of a
/// [`StratifiedKFold`](crate::data::StratifiedKFold):
///
/// ```text
///   class 2 has 3 samples for 5 folds: some folds have none of it
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CrossValidation {
    /// The evaluations, in the order of the folds.
    pub folds: Vec<Evaluation>,
    /// Remarks on the folds, one sentence each: see [`Folds::folds_and_remarks`]. Usually empty.
    pub remarks: Vec<String>,
}

impl CrossValidation {
    /// Returns a score in each fold: "loss", or a metric by its name. `None` if a fold lacks it.
    ///
    /// ```text
    /// scores.get("accuracy")   // Some([0.91, 0.89, 0.90])
    /// ```
    pub fn get(&self, name: &str) -> Option<Vec<f64>> {
        self.folds.iter().map(|fold| fold.get(name)).collect()
    }

    /// Returns the mean over the folds. Each fold counts equally, whatever its number of samples.
    ///
    /// ```text
    /// Σ s / k
    /// ```
    pub fn mean(&self, name: &str) -> Option<f64> {
        self.get(name).map(|scores| mean(&scores))
    }

    /// Returns the standard deviation over the folds, computed like NumPy's `std`.
    ///
    /// ```text
    /// √(Σ (s - mean)² / k)
    /// ```
    ///
    /// It measures how far single folds lie from the mean, not how accurate the mean is: folds share most of their
    /// training samples, so their scores are not independent (Y. Bengio and Y. Grandvalet, "No unbiased estimator of
    /// the variance of k-fold cross-validation", 2004).
    pub fn std_dev(&self, name: &str) -> Option<f64> {
        let scores = self.get(name)?;
        let centre = mean(&scores);
        let squares: Vec<f64> = scores.iter().map(|score| (score - centre) * (score - centre)).collect();
        Some(mean(&squares).sqrt())
    }
}

/// The mean; 0 for an empty slice.
fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len().max(1) as f64
}

/// A line for each score, loss first, and for each remark; only the first remarks if there are many, and how many more.
impl fmt::Display for CrossValidation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> =
            self.folds.first().map_or_else(Vec::new, |fold| fold.values().map(|(name, _)| name).collect());
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        for (i, name) in names.into_iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            let (mean, deviation) = (self.mean(name).unwrap_or(0.0), self.std_dev(name).unwrap_or(0.0));
            write!(f, "{name:width$}  {mean:.4} ± {deviation:.4}")?;
        }
        let remarks = self.remarks.iter().map(|remark| (remark.clone(), ""));
        f.write_str(&lines(remarks, self.remarks.len()))
    }
}
