//! The confusion matrix.
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
//! F1 is computed in its last form, which is defined even if precision or recall is not (for a class that was never
//! predicted). If this form is `0 / 0` too, the value is 0 and not NaN. The ratios are those of `class_counts.rs`,
//! which the streaming metrics also use.

use super::class_counts::ClassCounts;
use super::report::ClassificationReport;
use crate::codec::{checked, contradicts};
use crate::error::{Error, Result};
use crate::shown::{count, cut};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The confusion matrix: how often each class was taken for each class. Rows are the true classes, columns the
/// predicted ones.
///
/// ```
/// use plywood::metrics::ConfusionMatrix;
///
/// let matrix = ConfusionMatrix::new(2, &[0, 0, 1, 1], &[0, 1, 1, 1])?.with_class_names(["cat", "dog"]);
/// assert_eq!(matrix.count(0, 1), 1);
/// assert_eq!(matrix.accuracy(), 0.75);
/// println!("{matrix}");
/// println!("{}", matrix.report());
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Counts are `u64` and unweighted: sample weights are not used. The matrix takes `classes² · 8` bytes, so at most 8192
/// classes are allowed.
///
/// It is plain data that serde saves in any format. It prints as a table in which 0 is a dot:
///
/// ```
/// use plywood::metrics::ConfusionMatrix;
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
/// Rows and columns are as in scikit-learn's `confusion_matrix` and TensorFlow's `tf.math.confusion_matrix`; some
/// textbooks swap them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct ConfusionMatrix {
    /// One name for each class, so its length is the number of classes.
    names: Vec<String>,
    /// Row by row: `counts[truth · classes + predicted]`.
    counts: Vec<u64>,
}

checked!(ConfusionMatrix);

impl ConfusionMatrix {
    /// Checks that the values read do not contradict each other.
    fn check(&self) -> Result<()> {
        let classes = self.names.len();
        let total = self.counts.iter().try_fold(0u64, |sum, &count| sum.checked_add(count));
        if classes == 0 || classes.checked_mul(classes) != Some(self.counts.len()) || total.is_none() {
            let expected = "have at least 1 class, a count for each pair of classes, and a sum below 2^64";
            let found = format!(
                "{} for {}",
                count(self.counts.len(), "count", "counts"),
                count(classes, "class", "classes")
            );
            return Err(contradicts("the confusion matrix", expected, found));
        }
        Ok(())
    }
}

/// The largest number of classes; a matrix of them takes 512 MiB.
const MOST_CLASSES: usize = 1 << 13;

/// Refuses a number of classes that is 0, or too large for a matrix of all pairs.
pub(crate) fn check_class_count(classes: usize) -> Result<()> {
    if (1..=MOST_CLASSES).contains(&classes) {
        return Ok(());
    }
    let expected = format!("from 1 to {MOST_CLASSES}, as a matrix has a count for each pair of them");
    Err(Error::argument("the number of classes", expected, classes).help(
        "For more classes use metrics such as `Accuracy` and `TopK`, or the result of `evaluate::classes`.",
    ))
}

impl ConfusionMatrix {
    /// Creates the matrix from the true and the predicted class of each sample.
    ///
    /// The number of classes is given and not taken from the labels, because a class may be missing in both lists. To
    /// count a model's predictions, see [`evaluate::confusion_matrix`](crate::evaluate::confusion_matrix).
    ///
    /// ```
    /// use plywood::metrics::ConfusionMatrix;
    ///
    /// let error = ConfusionMatrix::new(2, &[0, 1], &[0, 2]).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "confusion matrix: the predicted class of sample 1 must be below 2, the number of classes, got 2. Labels \
    ///      count from 0; the model needs an output for each class."
    /// );
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the two lists differ in length, there are no classes or more than 8192, or a class is out of range.
    pub fn new(classes: usize, truth: &[usize], predicted: &[usize]) -> Result<Self> {
        let at = |error: Error| error.at("confusion matrix");
        check_class_count(classes).map_err(at)?;
        if truth.len() != predicted.len() {
            return Err(at(Error::data(
                "the number of predictions",
                format!("be {}, one for each label", truth.len()),
                predicted.len(),
            )
            .help("Give one prediction for each label.")));
        }
        let mut counts = vec![0; classes * classes];
        for (i, (&t, &p)) in truth.iter().zip(predicted).enumerate() {
            if let Some((which, class)) =
                [("true", t), ("predicted", p)].into_iter().find(|(_, c)| *c >= classes)
            {
                return Err(at(Error::data(
                    format!("the {which} class of sample {i}"),
                    format!("be below {classes}, the number of classes"),
                    class,
                )
                .help("Labels count from 0; the model needs an output for each class.")));
            }
            counts[t * classes + p] += 1;
        }
        Ok(Self { names: (0..classes).map(|i| i.to_string()).collect(), counts })
    }

    /// Names the classes, in order; classes without a name keep their numbers.
    ///
    /// Too many names are not an error: those beyond the last class are dropped.
    #[must_use]
    pub fn with_class_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        for (own, name) in self.names.iter_mut().zip(names) {
            *own = name.into();
        }
        self
    }

    /// Returns the number of classes.
    pub fn classes(&self) -> usize {
        self.names.len()
    }

    /// Returns the names of the classes; a class without a name has its number.
    pub fn class_names(&self) -> &[String] {
        &self.names
    }

    /// Returns how many samples of class `truth` were taken for class `predicted`; 0 if a class is out of range.
    ///
    /// The value on the diagonal, `count(c, c)`, is the number of hits of class `c`.
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        let n = self.classes();
        if truth < n && predicted < n { self.counts[truth * n + predicted] } else { 0 }
    }

    /// Returns the number of samples.
    ///
    /// It is the sum over the whole matrix.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns the share of samples on the diagonal; NaN without samples.
    ///
    /// It is the value of [`Accuracy`](crate::metrics::Accuracy) without weights.
    pub fn accuracy(&self) -> f64 {
        (0..self.classes()).map(|i| self.count(i, i)).sum::<u64>() as f64 / self.total() as f64
    }

    /// Returns precision, recall and F1 of each class, and their means.
    ///
    /// ```
    /// use plywood::metrics::ConfusionMatrix;
    ///
    /// // Nine of ten samples are of class 0, and the model always predicts 0.
    /// let (truth, predicted) = ([vec![0; 9], vec![1]].concat(), vec![0; 10]);
    /// let report = ConfusionMatrix::new(2, &truth, &predicted)?.report();
    /// assert_eq!(report.accuracy, 0.9); // looks good
    /// assert_eq!(report.macro_mean.recall, 0.5); // as low as by chance
    /// assert_eq!(report.classes[1].f1, 0.0);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// The report is computed from the counts alone, in time proportional to `classes²`.
    pub fn report(&self) -> ClassificationReport {
        let n = self.classes();
        let row = |class| (0..n).map(|predicted| self.count(class, predicted)).sum::<u64>();
        let column = |class| (0..n).map(|truth| self.count(truth, class)).sum::<u64>();
        let counts = |class| {
            let (hits, predicted, support) = (self.count(class, class), column(class), row(class));
            let occurs = predicted > 0 || support > 0;
            ClassCounts { hits: hits as f64, predicted: predicted as f64, support: support as f64, occurs }
        };
        let counts: Vec<ClassCounts> = (0..n).map(counts).collect();
        ClassificationReport::of(&counts, &self.names, self.accuracy(), self.total())
    }
}

impl fmt::Display for ConfusionMatrix {
    /// Writes a table with a row for each true class and a column for each predicted class, both numbered.
    ///
    /// All columns are as wide as the largest count or class number. Only the rows show names: they would
    /// make the columns too wide.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.classes();
        let name = self.names.iter().map(|name| cut(name).chars().count()).max().unwrap_or(0);
        let numbered = n.saturating_sub(1).to_string().len();
        let cell = self.counts.iter().map(|c| c.to_string().len()).max().unwrap_or(1).max(numbered) + 2;
        let label = numbered + 2 + name.max("true \\ predicted".len() - numbered - 2);
        write!(f, "{:<label$}", "true \\ predicted")?;
        for p in 0..n {
            write!(f, "{p:>cell$}")?;
        }
        for t in 0..n {
            let text = format!("{t:>numbered$}  {}", cut(&self.names[t]));
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
