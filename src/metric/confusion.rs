//! The confusion matrix, and precision, recall and F1 by class.

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    names: Vec<String>,
    /// Row by row.
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// The matrix of true against predicted classes, sample for sample.
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
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        let n = self.classes();
        if truth < n && predicted < n { self.counts[truth * n + predicted] } else { 0 }
    }

    /// How many samples there are.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The share of samples on the diagonal; NaN without samples.
    pub fn accuracy(&self) -> f64 {
        (0..self.classes()).map(|i| self.count(i, i)).sum::<u64>() as f64 / self.total() as f64
    }

    /// Precision, recall and F1 of each class, and their means.
    pub fn report(&self) -> ClassificationReport {
        let n = self.classes();
        let classes: Vec<ClassReport> = (0..n)
            .map(|i| {
                let (hits, support) = (self.count(i, i), (0..n).map(|p| self.count(i, p)).sum());
                let predicted: u64 = (0..n).map(|t| self.count(t, i)).sum();
                ClassReport {
                    name: self.names[i].clone(),
                    precision: ratio(hits as f64, predicted as f64),
                    recall: ratio(hits as f64, support as f64),
                    f1: ratio(2.0 * hits as f64, (predicted + support) as f64),
                    support,
                }
            })
            .collect();
        let mean = |name: &str, weight: &dyn Fn(&ClassReport) -> f64| {
            let total: f64 = classes.iter().map(weight).sum();
            let of = |value: fn(&ClassReport) -> f64| {
                ratio(classes.iter().map(|c| weight(c) * value(c)).sum::<f64>(), total)
            };
            let (precision, recall, f1) = (of(|c| c.precision), of(|c| c.recall), of(|c| c.f1));
            ClassReport { name: name.to_owned(), precision, recall, f1, support: self.total() }
        };
        let macro_mean = mean("macro mean", &|_| 1.0);
        let weighted_mean = mean("weighted mean", &|c| c.support as f64);
        ClassificationReport { accuracy: self.accuracy(), macro_mean, weighted_mean, classes }
    }
}

/// 0 where there is nothing to divide by, as scikit-learn has it.
fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}

impl fmt::Display for ConfusionMatrix {
    /// A table: a row for each true class, a column for each predicted one, by number.
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClassReport {
    /// The class's name, or "macro mean", "weighted mean".
    pub name: String,
    /// Of the samples predicted as this class, the share that is.
    pub precision: f64,
    /// Of the samples of this class, the share that was found.
    pub recall: f64,
    /// The harmonic mean of both, `2 · hits / (predicted + support)`.
    pub f1: f64,
    /// How many samples the class has.
    pub support: u64,
}

/// Precision, recall, F1 and support of each class, with the plain mean (macro) and that weighted by support; the
/// same numbers as scikit-learn's `classification_report`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClassificationReport {
    /// The classes, in order.
    pub classes: Vec<ClassReport>,
    /// The share of samples that were right.
    pub accuracy: f64,
    /// The mean over classes.
    pub macro_mean: ClassReport,
    /// The mean over classes, weighted by support.
    pub weighted_mean: ClassReport,
}

impl fmt::Display for ClassificationReport {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand. A class that never occurs counts as 0, as in scikit-learn's `classification_report`.
    #[test]
    fn the_report_by_hand() {
        let truth = [0, 0, 0, 1, 1, 2, 2, 2, 2];
        let predicted = [0, 1, 0, 1, 2, 2, 2, 0, 2];
        let report = ConfusionMatrix::new(4, &truth, &predicted).unwrap().report();
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(close(report.classes[0].precision, 2. / 3.) && close(report.classes[0].recall, 2. / 3.));
        assert!(close(report.classes[1].precision, 0.5) && close(report.classes[1].f1, 0.5));
        assert!(close(report.classes[2].precision, 0.75) && close(report.classes[2].recall, 0.75));
        assert_eq!(
            (report.classes[3].precision, report.classes[3].f1, report.classes[3].support),
            (0., 0., 0)
        );
        assert!(close(report.accuracy, 6. / 9.));
        assert!(close(report.macro_mean.precision, (2. / 3. + 0.5 + 0.75) / 4.));
        assert!(close(report.weighted_mean.recall, 6. / 9.));
    }

    #[test]
    fn tables_for_people() {
        let matrix =
            ConfusionMatrix::new(2, &[0, 0, 1], &[0, 1, 1]).unwrap().with_class_names(["T-shirt/top", "Bag"]);
        assert_eq!(
            matrix.to_string(),
            "true \\ predicted  0  1\n0  T-shirt/top    1  1\n1  Bag            ·  1"
        );
        let expected = "               precision    recall        F1   support
T-shirt/top       1.0000    0.5000    0.6667         2
Bag               0.5000    1.0000    0.6667         1

accuracy                              0.6667         3
macro mean        0.7500    0.7500    0.6667         3
weighted mean     0.8333    0.6667    0.6667         3";
        assert_eq!(matrix.report().to_string(), expected, "\n{}", matrix.report());
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        assert!(ConfusionMatrix::new(0, &[], &[]).is_err());
        assert!(ConfusionMatrix::new(2, &[0], &[]).is_err());
        assert!(ConfusionMatrix::new(2, &[0], &[2]).is_err());
        assert!(ConfusionMatrix::new(2, &[], &[]).unwrap().accuracy().is_nan());
    }
}
