//! Splits that keep the shares of the classes, and the folds of cross-validation.
//!
//! In cross-validation every sample is held out once: the samples are dealt into `k` folds, and each fold is the test
//! part of a run that trains on the other `k - 1`. [`KFold`] and [`StratifiedKFold`] say how they are dealt;
//! [`cross_validate`](crate::train::cross_validate) runs them.
//!
//! The folds are scikit-learn's (`KFold`, `StratifiedKFold` and `train_test_split(stratify=…)`): the same positions
//! without a seed, and the same number of samples of each class with one. Which samples a seed draws is Plywood's own.

use super::subset::{Subset, first_part};
use super::{Batch, Dataset, Pass};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::random::Random;
use crate::shown::count;

/// A training part and the part held out, both by reference to the whole.
pub type Fold<'a, D> = (Subset<&'a D>, Subset<&'a D>);

/// A way to deal a data set into folds: [`KFold`], [`StratifiedKFold`], or one of your own (by groups, by time).
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
    /// The training part and the held-out part of each fold.
    ///
    /// # Errors
    /// When the data cannot be dealt so.
    fn folds<'a>(&self, data: &'a D) -> Result<Vec<Fold<'a, D>>>;

    /// The same folds, with what there is to say of them, a sentence each: none, unless it is written. Cross-validation
    /// prints it below its scores.
    ///
    /// # Errors
    /// As [`folds`](Folds::folds).
    fn folds_and_remarks<'a>(&self, data: &'a D) -> Result<(Vec<Fold<'a, D>>, Vec<String>)> {
        Ok((self.folds(data)?, Vec::new()))
    }
}

/// `k` folds of nearly equal size: the first `n mod k` have one sample more. Without a seed, runs of neighbours.
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
/// Data that are sorted need a seed, or [`StratifiedKFold`] where they have classes. Both parts are in the data's
/// order, with a seed too; `fit` shuffles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KFold {
    k: usize,
    seed: Option<u64>,
}

impl KFold {
    /// Into `k` folds. Whether there are samples for them is found when data are dealt.
    pub fn new(k: usize) -> Self {
        Self { k, seed: None }
    }

    /// Deals the samples at random, by this seed.
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

/// `k` folds in which each class has nearly the share that it has in the whole. Without a seed, each class in order.
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
/// Counts differ by at most one between folds, of each class and in all. A class with fewer than `k` samples is
/// missing from some folds, which [`folds_and_remarks`](Folds::folds_and_remarks) says; `k` must not be above the size
/// of the largest class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StratifiedKFold {
    k: usize,
    seed: Option<u64>,
}

impl StratifiedKFold {
    /// Into `k` folds. Whether there are samples for them is found when data are dealt.
    pub fn new(k: usize) -> Self {
        Self { k, seed: None }
    }

    /// Deals the samples of each class at random, by this seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}

impl<F: Scalar, D: Dataset<F, Target = Vec<usize>>> Folds<F, D> for StratifiedKFold {
    fn folds<'a>(&self, data: &'a D) -> Result<Vec<Fold<'a, D>>> {
        Folds::<F, D>::folds_and_remarks(self, data).map(|(folds, _)| folds)
    }

    fn folds_and_remarks<'a>(&self, data: &'a D) -> Result<(Vec<Fold<'a, D>>, Vec<String>)> {
        let classes = samples_by_class(&labels::<F, D>(data)?);
        let largest = classes.iter().map(|(_, samples)| samples.len()).max().unwrap_or(0);
        check_folds(self.k, largest, "the number of samples of the largest class")?;
        let remarks = missing_from_folds(&classes, self.k);
        let mut fold_of = vec![0; data.len()];
        // As if the samples stood in line by class and were counted off: the line goes on from class to class.
        let mut place = 0;
        for (label, mut samples) in classes {
            if let Some(seed) = self.seed {
                Random::seed(seed).child("folds").at(0, label as u64).shuffle(&mut samples);
            }
            let mut samples = samples.into_iter();
            let (end, first) = (place + samples.len(), place % self.k);
            for fold in 0..self.k {
                // How many of the places from `place` to `end` are counted off as this fold.
                let skipped = (fold + self.k - first) % self.k;
                let count = (end - place).saturating_sub(skipped).div_ceil(self.k);
                samples.by_ref().take(count).for_each(|sample| fold_of[sample] = fold);
            }
            place = end;
        }
        Ok((deal(data, &fold_of, self.k), remarks))
    }
}

/// Splits a data set at random, by a seed, so that each class has in both parts nearly the share that it has in the
/// whole: `share` of the samples make the second part. `::<f32, _>` says as what the data set is read, `f32` or `f64`.
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
/// Of `n` samples of a class, `n · share` rounded down go to the second part, and one more of those classes where most
/// was lost by that, until it has its size (that of [`random_split`](crate::data::random_split)). Both parts are in
/// random order. Labels are read once, with their samples, where the data set has them elsewhere than in memory.
///
/// # Errors
/// As [`random_split`](crate::data::random_split); also when a class has one sample only, or a part would have fewer
/// samples than there are classes.
pub fn stratified_split<F: Scalar, D: Dataset<F, Target = Vec<usize>>>(
    data: &D,
    share: f64,
    seed: u64,
) -> Result<Fold<'_, D>> {
    let first = first_part(data.len(), share)?;
    let classes = samples_by_class(&labels::<F, D>(data)?);
    if let Some((label, _)) = classes.iter().find(|(_, samples)| samples.len() == 1) {
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
    by_loss.sort_by(|&a, &b| exact[b].fract().total_cmp(&exact[a].fract())); // stable: of equals the first
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

/// How many samples are read at once to see their labels.
const PIECE: usize = 256;

/// The labels of all samples, read with their inputs, piece by piece.
fn labels<F: Scalar, D: Dataset<F, Target = Vec<usize>>>(data: &D) -> Result<Vec<usize>> {
    let mut labels = Vec::with_capacity(data.len());
    let mut batch = Batch::<F, Vec<usize>>::default();
    for first in (0..data.len()).step_by(PIECE) {
        let indices: Vec<usize> = (first..data.len().min(first + PIECE)).collect();
        data.read(&indices, Pass::Evaluate, &mut batch)?;
        labels.extend_from_slice(&batch.target);
    }
    Ok(labels)
}

/// Each label that comes up, and the positions of its samples; labels in the order in which they first come up. That is
/// the order in which scikit-learn deals them; a label of any size makes one list.
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

/// A sentence for each class with fewer samples than there are folds, by label.
fn missing_from_folds(classes: &[(usize, Vec<usize>)], k: usize) -> Vec<String> {
    let mut few: Vec<(usize, usize)> =
        classes.iter().map(|(label, samples)| (*label, samples.len())).filter(|(_, n)| *n < k).collect();
    few.sort_unstable();
    let sentence = |(label, n): (usize, usize)| {
        let samples = count(n, "sample", "samples");
        format!("class {label} has {samples} for {k} folds: some folds have none of it")
    };
    few.into_iter().map(sentence).collect()
}

/// Checks a number of folds against what there is to deal.
fn check_folds(k: usize, most: usize, what: &str) -> Result<()> {
    if k < 2 || k > most {
        return Err(Error::argument("the number of folds", format!("from 2 to {most}, {what}"), k)
            .help("5 and 10 are usual."));
    }
    Ok(())
}

/// The parts of each fold, in the data's order.
fn deal<'a, D>(data: &'a D, fold_of: &[usize], k: usize) -> Vec<Fold<'a, D>> {
    let part = |fold: usize| {
        let (test, train) = (0..fold_of.len()).partition(|&sample| fold_of[sample] == fold);
        (Subset::of(data, train), Subset::of(data, test))
    };
    (0..k).map(part).collect()
}
