//! The confusion matrix, and precision, recall and F1 by class.
//!
//! The matrix counts pairs of (true class, predicted class). Everything else is a ratio of its sums. For a class
//! `c`:
//!
//! ```text
//!                  predicted c      predicted else
//! truly c          hits             misses             row sum:    support
//! truly else       false alarms                        column sum: predicted
//!
//! precision = hits / predicted
//! recall    = hits / support
//! F1        = 2 / (1 / precision + 1 / recall) = 2 · hits / (predicted + support)
//! accuracy  = Σ diagonal / Σ all
//! ```
//!
//! F1 is computed by its last form, which has a value where precision or recall have none (a class that was never
//! predicted). Where that, too, would be `0 / 0`, the value is 0 and not NaN: the ratios are those of `tally.rs`,
//! which the streaming metrics have, too.

use super::tally::{ClassCounts, weighted_mean};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How often each class was taken for each class: rows are the true classes, columns the predicted ones.
///
/// ```
/// use plywood::ConfusionMatrix;
///
/// let matrix = ConfusionMatrix::new(2, &[0, 0, 1, 1], &[0, 1, 1, 1])?.with_class_names(["cat", "dog"]);
/// assert_eq!(matrix.count(0, 1), 1);
/// assert_eq!(matrix.accuracy(), 0.75);
/// println!("{matrix}");
/// println!("{}", matrix.report());
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Counts are `u64` and unweighted: weights of samples play no part here. Memory is `classes² · 8` bytes.
///
/// It is plain data, saved by serde in any format, and prints as a table in which 0 is a dot:
///
/// ```
/// use plywood::ConfusionMatrix;
///
/// let matrix = ConfusionMatrix::new(3, &[0, 1, 1, 2, 2, 2], &[0, 1, 2, 2, 2, 2])?;
/// assert_eq!(
///     matrix.to_string(),
///     "true \\ predicted  0  1  2\n\
///      0  0              1  ·  ·\n\
///      1  1              ·  1  1\n\
///      2  2              ·  ·  3"
/// );
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Rows and columns are as in scikit-learn and in Keras' `confusion_matrix`; some textbooks have them the other way
/// round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    /// One for each class, so its length is the number of classes.
    names: Vec<String>,
    /// Row by row: `counts[truth · classes + predicted]`.
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// The matrix of true against predicted classes, sample for sample.
    ///
    /// `classes` is given and not taken from the labels, since a class may be missing in both lists. To have a
    /// model's predictions counted, see [`evaluate::confusion_matrix`](crate::evaluate::confusion_matrix).
    ///
    /// ```
    /// use plywood::ConfusionMatrix;
    ///
    /// let error = ConfusionMatrix::new(2, &[0, 1], &[0, 2]).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "confusion matrix: expected the classes of sample 1 below 2, found 2. \
    ///      Labels count from 0; the model needs an output for each class."
    /// );
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there are not as many of one as of the other, no classes, or a class is out of range.
    pub fn new(classes: usize, truth: &[usize], predicted: &[usize]) -> Result<Self> {
        let at = |error: Error| error.at("confusion matrix");
        if classes == 0 {
            return Err(at(
                Error::argument("a number of classes", "at least 1", 0).help("Count the classes.")
            ));
        }
        if truth.len() != predicted.len() {
            return Err(at(Error::data(
                "predictions",
                format!("for {} labels", truth.len()),
                predicted.len(),
            )
            .help("Give one prediction for each label.")));
        }
        let mut counts = vec![0; classes * classes];
        for (i, (&t, &p)) in truth.iter().zip(predicted).enumerate() {
            if t >= classes || p >= classes {
                return Err(at(Error::data(
                    format!("the classes of sample {i}"),
                    format!("below {classes}"),
                    t.max(p),
                )
                .help("Labels count from 0; the model needs an output for each class.")));
            }
            counts[t * classes + p] += 1;
        }
        Ok(Self { names: (0..classes).map(|i| i.to_string()).collect(), counts })
    }

    /// Names for the classes, in order; those left over keep their numbers.
    ///
    /// Too many names are no error: those beyond the last class are dropped.
    #[must_use]
    pub fn with_class_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        for (own, name) in self.names.iter_mut().zip(names) {
            *own = name.into();
        }
        self
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.names.len()
    }

    /// The classes' names, or their numbers.
    pub fn class_names(&self) -> &[String] {
        &self.names
    }

    /// How many samples of class `truth` were taken for class `predicted`; 0 out of range.
    ///
    /// The number on the diagonal, `count(c, c)`, is the class's hits.
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        let n = self.classes();
        if truth < n && predicted < n { self.counts[truth * n + predicted] } else { 0 }
    }

    /// How many samples there are.
    ///
    /// It is the sum over the whole matrix.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The share of samples on the diagonal; NaN without samples.
    ///
    /// It is the same number as [`Accuracy`](crate::Accuracy) gives without weights.
    pub fn accuracy(&self) -> f64 {
        (0..self.classes()).map(|i| self.count(i, i)).sum::<u64>() as f64 / self.total() as f64
    }

    /// Precision, recall and F1 of each class, and their means.
    ///
    /// ```
    /// use plywood::ConfusionMatrix;
    ///
    /// // Nine in ten are of class 0, and the model says 0 always.
    /// let (truth, predicted) = ([vec![0; 9], vec![1]].concat(), vec![0; 10]);
    /// let report = ConfusionMatrix::new(2, &truth, &predicted)?.report();
    /// assert_eq!(report.accuracy, 0.9); // looks good
    /// assert_eq!(report.macro_mean.recall, 0.5); // is not
    /// assert_eq!(report.classes[1].f1, 0.0);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// The cost is `classes²` additions; nothing of the predictions is needed any more.
    pub fn report(&self) -> ClassificationReport {
        let n = self.classes();
        let counts: Vec<ClassCounts> = (0..n)
            .map(|i| ClassCounts {
                hits: self.count(i, i) as f64,
                predicted: (0..n).map(|t| self.count(t, i)).sum::<u64>() as f64,
                support: (0..n).map(|p| self.count(i, p)).sum::<u64>() as f64,
            })
            .collect();
        let classes = counts.iter().zip(&self.names).map(|(class, name)| ClassReport {
            name: name.clone(),
            precision: class.precision(),
            recall: class.recall(),
            f1: class.f_beta(1.0),
            support: class.support as u64,
        });
        let mean = |name: &str, weight: fn(&ClassCounts) -> f64| {
            let of = |value: &dyn Fn(&ClassCounts) -> f64| {
                weighted_mean(counts.iter().map(|class| (value(class), weight(class))))
            };
            let (precision, recall) = (of(&ClassCounts::precision), of(&ClassCounts::recall));
            let f1 = of(&|class| class.f_beta(1.0));
            ClassReport { name: name.to_owned(), precision, recall, f1, support: self.total() }
        };
        let macro_mean = mean("macro mean", |_| 1.0);
        let weighted_mean = mean("weighted mean", |class| class.support);
        let classes = classes.collect();
        ClassificationReport { accuracy: self.accuracy(), macro_mean, weighted_mean, classes }
    }
}

impl fmt::Display for ConfusionMatrix {
    /// A table: a row for each true class, a column for each predicted one, by number.
    ///
    /// Columns are as wide as the largest count. Names stand at the rows only, as they would make columns too wide.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.classes();
        let name = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let numbered = n.saturating_sub(1).to_string().len();
        let cell = self.counts.iter().map(|c| c.to_string().len()).max().unwrap_or(1).max(numbered) + 2;
        let label = numbered + 2 + name.max("true \\ predicted".len() - numbered - 2);
        write!(f, "{:<label$}", "true \\ predicted")?;
        for p in 0..n {
            write!(f, "{p:>cell$}")?;
        }
        for t in 0..n {
            let text = format!("{t:>numbered$}  {}", self.names[t]);
            write!(f, "\n{text:<label$}")?;
            for p in 0..n {
                match self.count(t, p) {
                    0 => write!(f, "{:>cell$}", "·")?,
                    count => write!(f, "{count:>cell$}")?,
                }
            }
        }
        Ok(())
    }
}

/// One line of a [`ClassificationReport`]. Where a denominator is 0, so is the value.
///
/// All values but `support` lie between 0 and 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClassReport {
    /// The class's name, or "macro mean", "weighted mean".
    pub name: String,
    /// Of the samples predicted as this class, the share that is.
    ///
    /// It is `hits / predicted`. Low precision means false alarms.
    pub precision: f64,
    /// Of the samples of this class, the share that was found.
    ///
    /// It is `hits / support`. Low recall means misses. For a class it is also called sensitivity, or true positive
    /// rate.
    pub recall: f64,
    /// The harmonic mean of both, `2 · hits / (predicted + support)`.
    ///
    /// It is near the smaller of the two: 1 and 0.1 make 0.18.
    pub f1: f64,
    /// How many samples the class has.
    ///
    /// For the means it is the number of all samples.
    pub support: u64,
}

/// Precision, recall, F1 and support of each class, with the plain mean (macro) and that weighted by support; the
/// same numbers as scikit-learn's `classification_report`.
///
/// The macro mean counts each class alike, however rare. The weighted mean counts each sample alike; its recall is
/// the accuracy. On a balanced test set such as Fashion-MNIST's the two are equal.
///
/// It prints as a table of four decimals, in the columns of scikit-learn's:
///
/// ```
/// use plywood::ConfusionMatrix;
///
/// let report = ConfusionMatrix::new(2, &[0, 0, 1, 1], &[0, 1, 1, 1])?.with_class_names(["cat", "dog"]).report();
/// assert_eq!(
///     report.to_string().lines().take(3).collect::<Vec<_>>(),
///     [
///         "               precision    recall        F1   support",
///         "cat               1.0000    0.5000    0.6667         2",
///         "dog               0.6667    1.0000    0.8000         2",
///     ]
/// );
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClassificationReport {
    /// The classes, in order.
    ///
    /// A class that no sample has, and that was never predicted, is there with zeros, and counts in the macro mean.
    pub classes: Vec<ClassReport>,
    /// The share of samples that were right.
    ///
    /// NaN without samples.
    pub accuracy: f64,
    /// The mean over classes.
    pub macro_mean: ClassReport,
    /// The mean over classes, weighted by support.
    pub weighted_mean: ClassReport,
}

impl fmt::Display for ClassificationReport {
    /// A line for each class, then accuracy and both means.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let means = [&self.macro_mean, &self.weighted_mean];
        let rows = || self.classes.iter().chain(means);
        let name = rows().map(|row| row.name.chars().count()).max().unwrap_or(0);
        writeln!(f, "{:<name$}  precision    recall        F1   support", "")?;
        let line = |f: &mut fmt::Formatter<'_>, row: &ClassReport| {
            let ClassReport { name: text, precision, recall, f1, support } = row;
            write!(f, "{text:<name$}  {precision:>9.4} {recall:>9.4} {f1:>9.4} {support:>9}")
        };
        for row in &self.classes {
            line(f, row)?;
            writeln!(f)?;
        }
        writeln!(f, "\n{:<name$}  {:>29.4} {:>9}", "accuracy", self.accuracy, self.weighted_mean.support)?;
        line(f, means[0])?;
        writeln!(f)?;
        line(f, means[1])
    }
}
