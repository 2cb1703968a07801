//! Precision, recall and F1 as tables: by class, and by label.

use super::class_counts::{ClassCounts, weighted_mean};
use crate::codec::{checked, contradicts, is_share};
use crate::error::{Error, Result};
use crate::shown::{count, cut};
use ndarray::{ArrayBase, Data, Ix2};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One line of a [`ClassificationReport`] or of a [`LabelReport`]. A value whose denominator is 0 is 0.
///
/// All values except `support` are between 0 and 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct ClassReport {
    /// The name of the class or label, or of a mean, such as "macro mean".
    pub name: String,
    /// The share of the samples predicted as this class that are of this class.
    ///
    /// It is `hits / predicted`. Low precision means false alarms.
    #[serde(with = "crate::codec::words")]
    pub precision: f64,
    /// The share of the samples of this class that were found.
    ///
    /// It is `hits / support`. Low recall means misses. The recall of a class is also called sensitivity, or true
    /// positive rate.
    #[serde(with = "crate::codec::words")]
    pub recall: f64,
    /// The harmonic mean of precision and recall, `2 · hits / (predicted + support)`.
    ///
    /// It is close to the smaller of the two: for 1 and 0.1 it is 0.18.
    #[serde(with = "crate::codec::words")]
    pub f1: f64,
    /// The number of samples of the class.
    ///
    /// For a mean, it is the sum over all classes: the number of all samples, or of all labels that they have.
    pub support: u64,
}

checked!(ClassReport);

impl ClassReport {
    /// Checks that the values read do not contradict each other.
    fn check(&self) -> Result<()> {
        let values = [self.precision, self.recall, self.f1];
        match values.into_iter().find(|&value| !is_share(value)) {
            Some(value) => {
                let what = format!("the precision, recall and F1 of {:?}", cut(&self.name));
                Err(contradicts(&what, "be from 0 to 1", value))
            }
            None => Ok(()),
        }
    }

    /// Creates a line from the sums of a class.
    fn of(name: impl Into<String>, counts: &ClassCounts) -> Self {
        Self {
            name: name.into(),
            precision: counts.precision(),
            recall: counts.recall(),
            f1: counts.f_beta(1.0),
            support: counts.support as u64,
        }
    }

    /// Creates the line of a mean over classes, each with its weight.
    fn mean(name: &str, all: &[ClassCounts], weight: impl Fn(&ClassCounts) -> f64, support: u64) -> Self {
        let of = |value: &dyn Fn(&ClassCounts) -> f64| {
            weighted_mean(all.iter().map(|class| (value(class), weight(class))))
        };
        let (precision, recall) = (of(&ClassCounts::precision), of(&ClassCounts::recall));
        let f1 = of(&|class| class.f_beta(1.0));
        Self { name: name.to_owned(), precision, recall, f1, support }
    }
}

/// Checks that all means of a report are over the same number of samples or labels.
fn same_support(what: &str, means: &[&ClassReport]) -> Result<()> {
    match means.iter().find(|mean| mean.support != means[0].support) {
        None => Ok(()),
        Some(mean) => {
            let expected =
                format!("have means over {}, as the first has", count(means[0].support, "sample", "samples"));
            Err(contradicts(what, expected, format!("{:?} over {}", mean.name, mean.support)))
        }
    }
}

/// Writes a table with an empty line between its parts; the accuracy, if there is one, comes before the last part.
fn table(f: &mut fmt::Formatter<'_>, parts: &[&[&ClassReport]], accuracy: Option<(f64, u64)>) -> fmt::Result {
    let rows = parts.iter().copied().flatten();
    let name = rows.map(|row| cut(&row.name).chars().count()).max().unwrap_or(0).max("weighted mean".len());
    write!(f, "{:<name$}  precision    recall        F1   support", "")?;
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            writeln!(f)?;
            if let Some((accuracy, samples)) = accuracy {
                write!(f, "\n{:<name$}  {accuracy:>29.4} {samples:>9}", "accuracy")?;
            }
        }
        for ClassReport { name: text, precision, recall, f1, support } in *part {
            let text = cut(text);
            write!(f, "\n{text:<name$}  {precision:>9.4} {recall:>9.4} {f1:>9.4} {support:>9}")?;
        }
    }
    Ok(())
}

/// The precision, recall, F1 and support of each class, with the unweighted mean (macro) and the mean weighted by
/// support. The numbers are those of scikit-learn's `classification_report`.
///
/// The macro mean gives each class the same weight, however rare it is. The weighted mean gives each sample the same
/// weight; its recall is the accuracy. On a balanced test set such as Fashion-MNIST's, the two means are equal.
///
/// Classes that no sample has and that were never predicted are left out of the macro mean, as in scikit-learn. Their
/// lines hold zeros, and a sentence below the table says that they are left out.
///
/// It prints as a table with four decimals, in the columns of scikit-learn's report:
///
/// ```
/// use plywood::metrics::ConfusionMatrix;
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
///
/// let report = ConfusionMatrix::new(3, &[0, 1], &[0, 1])?.with_class_names(["cat", "dog", "cow"]).report();
/// assert_eq!(report.macro_mean.f1, 1.0);
/// assert!(report.to_string().ends_with(
///     "macro mean        1.0000    1.0000    1.0000         2\n\
///      weighted mean     1.0000    1.0000    1.0000         2\n\n\
///      The macro mean is over 2 of 3 classes; 1 does not occur: 2 (cow)."
/// ));
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct ClassificationReport {
    /// The classes, in order.
    ///
    /// A class that no sample has and that was never predicted has zeros.
    pub classes: Vec<ClassReport>,
    /// The share of samples that were right.
    ///
    /// NaN without samples.
    #[serde(with = "crate::codec::words")]
    pub accuracy: f64,
    /// The mean over the classes that occur.
    pub macro_mean: ClassReport,
    /// The mean over classes, weighted by support.
    pub weighted_mean: ClassReport,
    /// The classes that do not occur: no sample has them, and they were never predicted.
    pub absent: Vec<usize>,
}

checked!(ClassificationReport);

impl ClassificationReport {
    /// Checks that the values read do not contradict each other.
    fn check(&self) -> Result<()> {
        let Self { classes, accuracy, macro_mean, weighted_mean, absent } = self;
        let none = accuracy.is_nan() && macro_mean.support == 0;
        if !none && !is_share(*accuracy) {
            let expected = "be from 0 to 1, or NaN without samples";
            return Err(contradicts("the accuracy of the classification report", expected, accuracy));
        }
        let support = |&class: &usize| classes.get(class).map(|row| row.support);
        if let Some(class) = absent.iter().find(|class| support(class) != Some(0)) {
            let expected = format!("be below {}, the number of classes, and without samples", classes.len());
            return Err(contradicts("each absent class of the report", expected, class));
        }
        if !absent.is_sorted_by(|a, b| a < b) {
            return Err(contradicts(
                "the absent classes of the report",
                "be listed once each, in order",
                format!("{absent:?}"),
            ));
        }
        same_support("the classification report", &[macro_mean, weighted_mean])
    }
}

impl ClassificationReport {
    pub(super) fn of(counts: &[ClassCounts], names: &[String], accuracy: f64, total: u64) -> Self {
        let occurs = |class: &ClassCounts| f64::from(class.occurs);
        Self {
            classes: counts.iter().zip(names).map(|(class, name)| ClassReport::of(name, class)).collect(),
            accuracy,
            macro_mean: ClassReport::mean("macro mean", counts, occurs, total),
            weighted_mean: ClassReport::mean("weighted mean", counts, |class| class.support, total),
            absent: (0..counts.len()).filter(|&i| !counts[i].occurs).collect(),
        }
    }
}

impl fmt::Display for ClassificationReport {
    /// Writes a line for each class, the accuracy and both means, and the classes that are left out of the macro mean.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// The maximum number of classes that are named.
        const NAMED: usize = 5;
        let classes: Vec<_> = self.classes.iter().collect();
        let accuracy = (self.accuracy, self.weighted_mean.support);
        table(f, &[&classes, &[&self.macro_mean, &self.weighted_mean]], Some(accuracy))?;
        if self.absent.is_empty() {
            return Ok(());
        }
        let (all, absent) = (self.classes.len(), self.absent.len());
        let named = |&class: &usize| match self.classes.get(class) {
            Some(row) if row.name != class.to_string() => format!("{class} ({})", cut(&row.name)),
            _ => class.to_string(),
        };
        let mut names: Vec<String> = self.absent.iter().take(NAMED).map(named).collect();
        if absent > NAMED {
            names.push("…".to_owned());
        }
        let verb = if absent == 1 { "does" } else { "do" };
        let (over, names) = (all.saturating_sub(absent), names.join(", "));
        write!(f, "\n\nThe macro mean is over {over} of {all} classes; {absent} {verb} not occur: {names}.")
    }
}

/// The precision, recall, F1 and support of each label, and their means, for samples that may have several labels. It
/// is scikit-learn's `classification_report` for such targets.
///
/// | mean | what it is |
/// |---|---|
/// | micro | the ratios of the sums over all labels |
/// | macro | the mean over labels, each with the same weight, including labels that no sample has |
/// | weighted | the mean over labels, weighted by the number of samples that have them |
/// | samples | the mean over samples, each with the ratios of its own labels |
///
/// [`evaluate::multi_label_report`](crate::evaluate::multi_label_report) creates one from a model and data. It prints
/// as a table:
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::metrics::LabelReport;
///
/// let truth = arr2(&[[true, false], [true, true], [false, true]]);
/// let predicted = arr2(&[[true, true], [true, true], [false, false]]);
/// let report = LabelReport::new(&truth, &predicted)?.with_label_names(["rain", "wind"]);
/// assert_eq!(
///     report.to_string(),
///     "               precision    recall        F1   support\n\
///      rain              1.0000    1.0000    1.0000         2\n\
///      wind              0.5000    0.5000    0.5000         2\n\
///      \n\
///      micro mean        0.7500    0.7500    0.7500         4\n\
///      macro mean        0.7500    0.7500    0.7500         4\n\
///      weighted mean     0.7500    0.7500    0.7500         4\n\
///      samples mean      0.5000    0.6667    0.5556         4"
/// );
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct LabelReport {
    /// The labels, in order.
    pub labels: Vec<ClassReport>,
    /// The ratios of the sums over all labels.
    pub micro_mean: ClassReport,
    /// The mean over labels.
    pub macro_mean: ClassReport,
    /// The mean over labels, weighted by support.
    pub weighted_mean: ClassReport,
    /// The mean over samples, each with the ratios of its own labels; 0 without samples.
    pub samples_mean: ClassReport,
}

checked!(LabelReport);

impl LabelReport {
    /// Checks that the values read do not contradict each other.
    fn check(&self) -> Result<()> {
        if self.labels.is_empty() {
            return Err(contradicts("the label report", "have at least 1 label", 0));
        }
        let means = [&self.micro_mean, &self.macro_mean, &self.weighted_mean, &self.samples_mean];
        same_support("the label report", &means)
    }
}

impl LabelReport {
    /// Creates the report from the true and the predicted labels of each sample, both `[samples, labels]`.
    ///
    /// ```
    /// use plywood::ndarray::Array2;
    /// use plywood::metrics::LabelReport;
    ///
    /// let of = |samples| Array2::from_elem((samples, 3), true);
    /// assert_eq!(
    ///     LabelReport::new(&of(2), &of(1)).unwrap_err().to_string(),
    ///     "label report: the predicted labels must have shape [2, 3], got [1, 3]. Give one prediction for each \
    ///      label of each sample."
    /// );
    /// ```
    ///
    /// # Errors
    /// When the shapes differ, or there are no labels.
    pub fn new<S: Data<Elem = bool>, T: Data<Elem = bool>>(
        truth: &ArrayBase<S, Ix2>,
        predicted: &ArrayBase<T, Ix2>,
    ) -> Result<Self> {
        let at = |error: Error| error.at("label report");
        if truth.shape() != predicted.shape() {
            let expected = format!("{:?}", truth.shape());
            return Err(at(Error::shape("the predicted labels", expected, predicted.shape())
                .help("Give one prediction for each label of each sample.")));
        }
        if truth.ncols() == 0 {
            return Err(at(Error::shape(
                "the labels",
                "[samples, labels] with at least one label",
                truth.shape(),
            )
            .help("Give a column for each label.")));
        }
        let mut labels = vec![ClassCounts::default(); truth.ncols()];
        let mut samples = vec![ClassCounts::default(); truth.nrows()];
        for (((i, j), &truth), &predicted) in truth.indexed_iter().zip(predicted) {
            labels[j].count(truth, predicted, 1.0);
            samples[i].count(truth, predicted, 1.0);
        }
        let total = ClassCounts::total(&labels);
        let support = total.support as u64;
        Ok(Self {
            micro_mean: ClassReport::of("micro mean", &total),
            macro_mean: ClassReport::mean("macro mean", &labels, |_| 1.0, support),
            weighted_mean: ClassReport::mean("weighted mean", &labels, |label| label.support, support),
            samples_mean: ClassReport::mean("samples mean", &samples, |_| 1.0, support),
            labels: labels.iter().enumerate().map(|(i, of)| ClassReport::of(i.to_string(), of)).collect(),
        })
    }

    /// Names the labels, in order; labels without a name keep their numbers.
    #[must_use]
    pub fn with_label_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        for (label, name) in self.labels.iter_mut().zip(names) {
            label.name = name.into();
        }
        self
    }
}

impl fmt::Display for LabelReport {
    /// Writes a line for each label, then the means.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<_> = self.labels.iter().collect();
        let means = [&self.micro_mean, &self.macro_mean, &self.weighted_mean, &self.samples_mean];
        table(f, &[&labels, &means], None)
    }
}
