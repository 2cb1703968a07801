//! Stratified splits, and the folds of cross-validation.
//!
//! In cross-validation every sample is held out once: the samples are divided into `k` folds, and each fold is the
//! test part of a run that trains on the other `k - 1`. [`KFold`] and [`StratifiedKFold`] define the folds;
//! [`cross_validate`](crate::train::cross_validate) runs them.
//!
//! The folds are those of scikit-learn (`KFold`, `StratifiedKFold` and `train_test_split(stratify=…)`): without a
//! seed they have the same positions, with a seed the same number of samples of each class, but other samples.

use super::subset::{Subset, first_part};
use super::{Batch, ClassTargets, Dataset, Pass};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::predictions::check_weights;
use crate::random::Random;
use crate::shown::count;

/// A training part and a held-out part, both by reference to the whole.
pub type Fold<'a, D> = (Subset<&'a D>, Subset<&'a D>);

/// A way to divide a data set into folds: [`KFold`], [`StratifiedKFold`], or your own (by groups, by time).
///
/// ```
/// use plywood::prelude::*;
/// use plywood::data::{Fold, Folds, Subset};
///
/// /// Trains on the past, tests on what follows.
/// struct Forward;
///
/// impl<D: Dataset> Folds<f32, D> for Forward {
///     fn folds<'a>(&self, data: &'a D) -> Result<Vec<Fold<'a, D>>> {
///         let part = |range: std::ops::Range<usize>| Subset::new::<f32>(data, range.collect());
///         let third = data.len() / 3;
///         [third, 2 * third].map(|now| Ok((part(0..now)?, part(now..now + third)?))).into_iter().collect()
///     }
/// }
///
/// let data = ArrayDataset::new(plywood::ndarray::Array2::<f32>::zeros((9, 2)), vec![0; 9])?;
/// let folds = Forward.folds(&data)?;
/// assert_eq!(folds[1].0.indices().len(), 6);
/// # Ok::<(), plywood::Error>(())
/// ```
pub trait Folds<F: Scalar, D: Dataset<F>> {
    /// Returns the training part and the held-out part of each fold.
    ///
    /// # Errors
    /// When the data cannot be divided this way.
    fn folds<'a>(&self, data: &'a D) -> Result<Vec<Fold<'a, D>>>;

    /// Returns the same folds, and remarks on them, a sentence each. The default has no remarks. Cross-validation
    /// prints them below its scores.
    ///
    /// # Errors
    /// As [`folds`](Folds::folds).
    fn folds_and_remarks<'a>(&self, data: &'a D) -> Result<(Vec<Fold<'a, D>>, Vec<String>)> {
        Ok((self.folds(data)?, Vec::new()))
    }
}

/// `k` folds of nearly equal size: the first `n mod k` have one sample more. Without a seed, each fold is a run of
/// consecutive samples.
///
/// ```
/// use plywood::prelude::*;
/// use plywood::data::{Folds, KFold};
///
/// let data = ArrayDataset::new(plywood::ndarray::Array2::<f32>::zeros((7, 2)), vec![0; 7])?;
/// let folds = Folds::<f32, _>::folds(&KFold::new(3), &data)?;
/// let held_out: Vec<&[usize]> = folds.iter().map(|(_, test)| test.indices()).collect();
/// assert_eq!(held_out, [&[0, 1, 2][..], &[3, 4], &[5, 6]]);
/// assert_eq!(folds[0].0.indices(), [3, 4, 5, 6]);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Sorted data need a seed, or [`StratifiedKFold`] if they have classes. Both parts keep the order of the data, also
/// with a seed; `fit` shuffles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KFold {
    k: usize,
    seed: Option<u64>,
}

impl KFold {
    /// Makes `k` folds. `k` is compared with the number of samples when the data are divided.
    pub fn new(k: usize) -> Self {
        Self { k, seed: None }
    }

    /// Assigns the samples to folds at random, by this seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}

impl<F: Scalar, D: Dataset<F>> Folds<F, D> for KFold {
    fn folds<'a>(&self, data: &'a D) -> Result<Vec<Fold<'a, D>>> {
        let samples = data.len();
        check_folds(self.k, samples, "the number of samples")?;
        let mut order: Vec<usize> = (0..samples).collect();
        if let Some(seed) = self.seed {
            Random::seed(seed).child("folds").at(0, 0).shuffle(&mut order);
        }
        let (size, larger) = (samples / self.k, samples % self.k);
        let mut fold_of = vec![0; samples];
        for (i, sample) in order.into_iter().enumerate() {
            let first = larger * (size + 1);
            fold_of[sample] = if i < first { i / (size + 1) } else { larger + (i - first) / size };
        }
        Ok(deal(data, &fold_of, self.k))
    }
}

/// `k` folds in which each class has nearly its share of the whole. Without a seed, the samples of a class are
/// assigned in order.
///
/// ```
/// use plywood::prelude::*;
/// use plywood::data::{Folds, StratifiedKFold};
///
/// // Six samples of one class, then three of the other.
/// let labels = vec![0, 0, 0, 0, 0, 0, 1, 1, 1];
/// let data = ArrayDataset::new(plywood::ndarray::Array2::<f32>::zeros((9, 2)), labels)?;
/// for (_, test) in Folds::<f32, _>::folds(&StratifiedKFold::new(3), &data)? {
///     let ones = test.indices().iter().filter(|&&i| i >= 6).count();
///     assert_eq!((test.indices().len(), ones), (3, 1));
/// }
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The number of samples differs by at most one between folds, for each class and in total. A class with fewer than
/// `k` samples is missing from some folds, and [`folds_and_remarks`](Folds::folds_and_remarks) returns a remark about
/// it. `k` must not exceed the size of the largest class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StratifiedKFold {
    k: usize,
    seed: Option<u64>,
    /// The name of the target, of several.
    target: Option<String>,
}

impl StratifiedKFold {
    /// Makes `k` folds. `k` is compared with the sizes of the classes when the data are divided.
    pub fn new(k: usize) -> Self {
        Self { k, seed: None, target: None }
    }

    /// Takes the classes of this target, for data with several. Samples whose class is missing count as one more class.
    #[must_use]
    pub fn on(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Assigns the samples of each class to folds at random, by this seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}

impl<F: Scalar, D: Dataset<F>> Folds<F, D> for StratifiedKFold
where
    D::Target: ClassTargets<F>,
{
    fn folds<'a>(&self, data: &'a D) -> Result<Vec<Fold<'a, D>>> {
        Folds::<F, D>::folds_and_remarks(self, data).map(|(folds, _)| folds)
    }

    fn folds_and_remarks<'a>(&self, data: &'a D) -> Result<(Vec<Fold<'a, D>>, Vec<String>)> {
        let classes = samples_by_class(&labels::<F, D>(data, self.target.as_deref())?);
        let largest = classes.iter().map(|(_, samples)| samples.len()).max().unwrap_or(0);
        check_folds(self.k, largest, "the number of samples of the largest class")?;
        let remarks = missing_from_folds(&classes, self.k);
        let mut fold_of = vec![0; data.len()];
        // Sorted by class, the samples are assigned to folds 0, 1, …, k - 1, 0, 1, … in turn. Each class continues
        // where the class before it ended.
        let mut place = 0;
        for (label, mut samples) in classes {
            if let Some(seed) = self.seed {
                Random::seed(seed).child("folds").at(0, label as u64).shuffle(&mut samples);
            }
            let mut samples = samples.into_iter();
            let (end, first) = (place + samples.len(), place % self.k);
            for fold in 0..self.k {
                // The number of places from `place` to `end` that belong to this fold.
                let skipped = (fold + self.k - first) % self.k;
                let count = (end - place).saturating_sub(skipped).div_ceil(self.k);
                samples.by_ref().take(count).for_each(|sample| fold_of[sample] = fold);
            }
            place = end;
        }
        Ok((deal(data, &fold_of, self.k), remarks))
    }
}

/// Splits a data set at random, by a seed, into two parts in which each class has nearly its share of the whole.
/// `share` of the samples make the second part. `::<f32, _>` names the element type that the data set is read as,
/// `f32` or `f64`.
///
/// ```
/// use plywood::prelude::*;
///
/// let labels: Vec<usize> = (0..100).map(|i| usize::from(i >= 90)).collect(); // 90 of one class, 10 of the other
/// let data = ArrayDataset::new(plywood::ndarray::Array2::<f32>::zeros((100, 4)), labels)?;
/// let (train, test) = stratified_split::<f32, _>(&data, 0.2, 42)?;
/// let rare = |part: &plywood::data::Subset<_>| part.indices().iter().filter(|&&i| i >= 90).count();
/// assert_eq!((train.indices().len(), rare(&train), rare(&test)), (80, 8, 2));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Of the `n` samples of a class, `n · share` rounded down go to the second part. Then the classes that lost most by
/// rounding give one more each, until the second part has its size (that of
/// [`random_split`](crate::data::random_split)). Both parts are in random order. If the data are not in memory,
/// samples are read once for their labels. For data with several targets see
/// [`StratifiedHoldOut::on`](crate::data::StratifiedHoldOut::on).
///
/// # Errors
/// As [`random_split`](crate::data::random_split); also when a class has only one sample, or a part would have fewer
/// samples than there are classes.
pub fn stratified_split<F: Scalar, D: Dataset<F>>(data: &D, share: f64, seed: u64) -> Result<Fold<'_, D>>
where
    D::Target: ClassTargets<F>,
{
    stratified_split_on(None, data, share, seed)
}

/// [`stratified_split`] by the classes of this target, of several.
pub(super) fn stratified_split_on<'a, F: Scalar, D: Dataset<F>>(
    target: Option<&str>,
    data: &'a D,
    share: f64,
    seed: u64,
) -> Result<Fold<'a, D>>
where
    D::Target: ClassTargets<F>,
{
    let first = first_part(data.len(), share)?;
    let classes = samples_by_class(&labels::<F, D>(data, target)?);
    let alone = |(label, samples): &&(usize, Vec<usize>)| *label != MISSING && samples.len() == 1;
    if let Some((label, _)) = classes.iter().find(alone) {
        return Err(Error::data(format!("class {label}"), "have at least 2 samples", 1)
            .help("Leave the class out, or use `random_split`."));
    }
    let second = data.len() - first;
    if second.min(first) < classes.len() {
        let expected = format!("have a sample of each of the {} classes", classes.len());
        let found = format!("{} in the first and {second} in the second", count(first, "sample", "samples"));
        return Err(Error::data("each part", expected, found).help("Use more samples or another share."));
    }
    let exact: Vec<f64> =
        classes.iter().map(|(_, samples)| samples.len() as f64 * second as f64 / data.len() as f64).collect();
    let mut counts: Vec<usize> = exact.iter().map(|exact| *exact as usize).collect();
    let mut by_loss: Vec<usize> = (0..classes.len()).collect();
    by_loss.sort_by(|&a, &b| exact[b].fract().total_cmp(&exact[a].fract())); // stable: ties go to the first
    let missing = second - counts.iter().sum::<usize>();
    by_loss.into_iter().take(missing).for_each(|class| counts[class] += 1);

    let random = Random::seed(seed).child("split");
    let (mut train, mut test) = (Vec::with_capacity(first), Vec::with_capacity(second));
    for ((label, mut samples), count) in classes.into_iter().zip(counts) {
        random.at(1, label as u64).shuffle(&mut samples);
        train.extend(samples.split_off(count));
        test.extend(samples);
    }
    random.at(2, 0).shuffle(&mut train);
    random.at(2, 1).shuffle(&mut test);
    Ok((Subset::of(data, train), Subset::of(data, test)))
}

/// The number of samples that are read at once for their labels.
const PIECE: usize = 256;

/// The class of samples whose class is missing.
const MISSING: usize = usize::MAX;

/// Returns the labels of all samples, [`PIECE`] at a time; they are read with their inputs if they cannot be read alone.
fn labels<F: Scalar, D: Dataset<F>>(data: &D, target: Option<&str>) -> Result<Vec<usize>>
where
    D::Target: ClassTargets<F>,
{
    let mut labels = Vec::with_capacity(data.len());
    let mut batch = Batch::<F, D::Target>::default();
    for first in (0..data.len()).step_by(PIECE) {
        let indices: Vec<usize> = (first..data.len().min(first + PIECE)).collect();
        if !data.read_targets(&indices, &mut batch)? {
            data.read(&indices, Pass::Evaluate, &mut batch)?;
        }
        let (classes, weights) = batch.target.chosen(target)?;
        check_weights(weights, indices.len()).map_err(|error| error.in_data(|row| Some(first + row)))?;
        let missing = |i: usize| weights.is_some_and(|weights| weights[i] == F::zero());
        labels.extend(classes.iter().enumerate().map(|(i, &class)| if missing(i) { MISSING } else { class }));
    }
    if !labels.is_empty() && labels.iter().all(|label| *label == MISSING) {
        return Err(Error::data("the classes", "be there for at least one sample", "none")
            .help("All are missing, or have the weight 0."));
    }
    Ok(labels)
}

/// Returns each label with the positions of its samples. Labels are in the order of their first occurrence, the order
/// that scikit-learn uses. A large label takes no more memory than a small one.
fn samples_by_class(labels: &[usize]) -> Vec<(usize, Vec<usize>)> {
    let mut known = std::collections::HashMap::new();
    let mut classes: Vec<(usize, Vec<usize>)> = Vec::new();
    for (sample, &label) in labels.iter().enumerate() {
        let class = *known.entry(label).or_insert(classes.len());
        if class == classes.len() {
            classes.push((label, Vec::new()));
        }
        classes[class].1.push(sample);
    }
    classes
}

/// A remark for each class with fewer samples than there are folds, sorted by label.
fn missing_from_folds(classes: &[(usize, Vec<usize>)], k: usize) -> Vec<String> {
    let mut few: Vec<(usize, usize)> =
        classes.iter().map(|(label, samples)| (*label, samples.len())).filter(|(_, n)| *n < k).collect();
    few.sort_unstable();
    let sentence = |(label, n): (usize, usize)| {
        let samples = count(n, "sample", "samples");
        match label {
            MISSING => format!("{samples} without a class for {k} folds: some folds have none of them"),
            _ => format!("class {label} has {samples} for {k} folds: some folds have none of it"),
        }
    };
    few.into_iter().map(sentence).collect()
}

/// Checks that the number of folds is from 2 to `most`, which the error calls `what`.
fn check_folds(k: usize, most: usize, what: &str) -> Result<()> {
    if k < 2 || k > most {
        return Err(Error::argument("the number of folds", format!("from 2 to {most}, {what}"), k)
            .help("5 and 10 are usual."));
    }
    Ok(())
}

/// Makes the parts of each fold, in the order of the data.
fn deal<'a, D>(data: &'a D, fold_of: &[usize], k: usize) -> Vec<Fold<'a, D>> {
    let part = |fold: usize| {
        let (test, train) = (0..fold_of.len()).partition(|&sample| fold_of[sample] == fold);
        (Subset::of(data, train), Subset::of(data, test))
    };
    (0..k).map(part).collect()
}
