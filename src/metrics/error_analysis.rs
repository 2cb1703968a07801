//! The mistakes of a classifier.

use super::confusion_matrix::ConfusionMatrix;
use crate::codec::{checked, contradicts, is_share};
use crate::error::{Error, Result};
use crate::shown::{count, cut};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A pair of classes that the model confuses: it predicts the second for samples of the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct ConfusedPair {
    /// The true class of the samples.
    pub truth: usize,
    /// The class that was predicted for them.
    pub predicted: usize,
    /// The number of these samples.
    pub count: u64,
    /// The number of all samples of the true class.
    pub support: u64,
}

checked!(ConfusedPair);

impl ConfusedPair {
    /// Checks that the values read do not contradict each other.
    fn check(&self) -> Result<()> {
        if self.truth == self.predicted || self.count > self.support {
            let found = format!(
                "{} of {} of class {} taken for {}",
                self.count,
                count(self.support, "sample", "samples"),
                self.truth,
                self.predicted
            );
            return Err(contradicts(
                "the pair of classes",
                "be two different classes, with at most as many confused samples as there are",
                found,
            ));
        }
        Ok(())
    }
}

/// One sample that the model gets wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct Mistake {
    /// The index of the sample in the data.
    pub position: usize,
    /// The true class.
    pub truth: usize,
    /// The predicted class.
    pub predicted: usize,
    /// The model's confidence in the predicted class, from 0 to 1.
    #[serde(with = "crate::codec::words")]
    pub confidence: f64,
}

checked!(Mistake);

impl Mistake {
    /// Checks that the values read do not contradict each other.
    fn check(&self) -> Result<()> {
        if self.truth == self.predicted {
            return Err(contradicts(
                "the mistake",
                "be about two classes",
                format!("{} taken for itself", self.truth),
            ));
        }
        if !is_share(self.confidence) {
            return Err(contradicts("the confidence of a mistake", "be from 0 to 1", self.confidence));
        }
        Ok(())
    }
}

/// How confident the model is when it predicts a class, and how often it is right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct ClassCalibration {
    /// The number of samples predicted as this class.
    pub predicted: u64,
    /// The mean confidence of these samples; NaN if there are none.
    #[serde(with = "crate::codec::words")]
    pub confidence: f64,
    /// The share of these samples that are of this class, its precision; NaN if there are none.
    #[serde(with = "crate::codec::words")]
    pub accuracy: f64,
}

checked!(ClassCalibration);

impl ClassCalibration {
    /// Checks that the values read do not contradict each other.
    fn check(&self) -> Result<()> {
        let holds = |x: f64| if self.predicted == 0 { x.is_nan() } else { is_share(x) };
        if holds(self.confidence) && holds(self.accuracy) {
            return Ok(());
        }
        let found = format!("{} and {} of {} samples", self.confidence, self.accuracy, self.predicted);
        Err(contradicts(
            "the confidence and accuracy of a class",
            "be from 0 to 1, or NaN without samples",
            found,
        ))
    }
}

/// The mistakes of a classifier: which classes it confuses, where it is wrong with high confidence, and how far its
/// confidence can be trusted for each class.
///
/// ```
/// use plywood::metrics::ErrorAnalysis;
///
/// let (truth, predicted) = ([0, 0, 1, 1, 1], [0, 1, 1, 0, 0]);
/// let analysis = ErrorAnalysis::new(2, &truth, &predicted, &[0.9, 0.6, 0.8, 0.7, 0.99])?
///     .with_class_names(["cat", "dog"]);
/// assert_eq!(analysis.pairs[0].count, 2); // two dogs were taken for cats
/// assert_eq!(analysis.mistakes[0].position, 4); // the worst: 99 % sure, and wrong
/// assert_eq!(analysis.classes[1].accuracy, 0.5); // of two that it took for dogs, one was
/// println!("{analysis}");
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// [`evaluate::error_analysis`](crate::evaluate::error_analysis) creates one from a model and data. It prints as three
/// tables, and the first two are cut to ten lines. With the feature `plots`, `plot::class_calibration` draws the third
/// table, and `plot::samples` shows the samples of [`worst`](Self::worst).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct ErrorAnalysis {
    /// All pairs of classes that were confused at least once, the most frequent first.
    pub pairs: Vec<ConfusedPair>,
    /// All mistakes, the most confident first; ties are in the order of the data.
    pub mistakes: Vec<Mistake>,
    /// For each class, the confidence and the accuracy of the model when it predicts that class.
    pub classes: Vec<ClassCalibration>,
    names: Vec<String>,
}

checked!(ErrorAnalysis);

impl ErrorAnalysis {
    /// Checks that the values read do not contradict each other.
    fn check(&self) -> Result<()> {
        let Self { pairs, mistakes, classes, names } = self;
        const WHAT: &str = "the error analysis";
        if names.len() != classes.len() {
            let expected = format!("have a class for each of {}", count(names.len(), "name", "names"));
            return Err(contradicts(WHAT, expected, classes.len()));
        }
        let of_pairs = pairs.iter().flat_map(|pair| [pair.truth, pair.predicted]);
        let of_mistakes = mistakes.iter().flat_map(|mistake| [mistake.truth, mistake.predicted]);
        match of_pairs.chain(of_mistakes).find(|&class| class >= names.len()) {
            Some(class) => Err(contradicts(WHAT, format!("have classes below {}", names.len()), class)),
            None => Ok(()),
        }
    }
}

/// The maximum number of lines of each of the first two tables.
const LINES: usize = 10;

impl ErrorAnalysis {
    /// Creates the analysis from the true class, the predicted class and the confidence of each sample.
    ///
    /// # Errors
    /// When the lists differ in length, there are no classes or more than 8192, a class is out of range, or a
    /// confidence is not from 0 to 1.
    pub fn new(classes: usize, truth: &[usize], predicted: &[usize], confidence: &[f64]) -> Result<Self> {
        let at = |error: Error| error.at("error analysis");
        let matrix = ConfusionMatrix::new(classes, truth, predicted).map_err(at)?;
        if confidence.len() != truth.len() {
            let expected = format!("be {}, one for each sample", truth.len());
            return Err(at(Error::data("the number of confidences", expected, confidence.len())
                .help("Give one confidence for each sample.")));
        }
        if let Some(i) = confidence.iter().position(|c| !(0.0..=1.0).contains(c)) {
            return Err(at(Error::data(
                format!("the confidence of sample {i}"),
                "be from 0 to 1",
                confidence[i],
            )
            .help("A confidence is a probability: let the model end in Softmax, or in a single Sigmoid.")));
        }

        let places = (0..classes).flat_map(|t| (0..classes).map(move |p| (t, p)));
        let support: Vec<u64> =
            (0..classes).map(|t| (0..classes).map(|p| matrix.count(t, p)).sum()).collect();
        let mut pairs: Vec<ConfusedPair> = places
            .filter(|&(t, p)| t != p && matrix.count(t, p) > 0)
            .map(|(t, p)| ConfusedPair {
                truth: t,
                predicted: p,
                count: matrix.count(t, p),
                support: support[t],
            })
            .collect();
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.count));

        let mut mistakes = Vec::new();
        let mut sums = vec![(0u64, 0u64, 0.0f64); classes];
        for (position, ((&truth, &predicted), &confidence)) in
            truth.iter().zip(predicted).zip(confidence).enumerate()
        {
            let (all, right, sure) = &mut sums[predicted];
            *all += 1;
            *sure += confidence;
            if truth == predicted {
                *right += 1;
            } else {
                mistakes.push(Mistake { position, truth, predicted, confidence });
            }
        }
        mistakes.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        let classes = sums
            .iter()
            .map(|&(all, right, sure)| ClassCalibration {
                predicted: all,
                confidence: sure / all as f64,
                accuracy: right as f64 / all as f64,
            })
            .collect();
        Ok(Self { pairs, mistakes, classes, names: matrix.class_names().to_vec() })
    }

    /// Names the classes, in order; classes without a name keep their numbers.
    #[must_use]
    pub fn with_class_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        for (own, name) in self.names.iter_mut().zip(names) {
            *own = name.into();
        }
        self
    }

    /// Returns the names of the classes; a class without a name has its number.
    pub fn class_names(&self) -> &[String] {
        &self.names
    }

    /// Returns the indices in the data of the most confident mistakes, at most `most` of them.
    pub fn worst(&self, most: usize) -> Vec<usize> {
        self.mistakes.iter().take(most).map(|mistake| mistake.position).collect()
    }
}

impl fmt::Display for ErrorAnalysis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |class: usize| match self.names.get(class) {
            Some(name) => cut(name),
            None => class.to_string().into(), // the fields are public, so a class may have no name
        };
        let pair = |truth, predicted| format!("{} taken for {}", name(truth), name(predicted));
        let texts = self.pairs.iter().map(|p| pair(p.truth, p.predicted));
        let width =
            texts.map(|text| text.chars().count()).max().unwrap_or(0).max("most confident mistakes".len());

        write!(f, "{:<width$}  {:>10}  {:>10}", "most confused", "samples", "of class")?;
        for p in self.pairs.iter().take(LINES) {
            let share = 100.0 * p.count as f64 / p.support as f64;
            write!(f, "\n{:<width$}  {:>10}  {share:>8.1} %", pair(p.truth, p.predicted), p.count)?;
        }
        write!(f, "\n\n{:<width$}  {:>10}  {:>10}", "most confident mistakes", "sample", "confidence")?;
        for m in self.mistakes.iter().take(LINES) {
            let sure = 100.0 * m.confidence;
            write!(f, "\n{:<width$}  {:>10}  {sure:>8.1} %", pair(m.truth, m.predicted), m.position)?;
        }
        write!(
            f,
            "\n\n{:<width$}  {:>10}  {:>10}  {:>10}",
            "predicted class", "samples", "confidence", "right"
        )?;
        for (class, c) in self.classes.iter().enumerate() {
            write!(f, "\n{:<width$}  {:>10}", name(class), c.predicted)?;
            if c.predicted > 0 {
                write!(f, "  {:>8.1} %  {:>8.1} %", 100.0 * c.confidence, 100.0 * c.accuracy)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_mistakes_and_classes_are_counted_by_hand() {
        let truth = [0, 0, 0, 1, 1, 2, 2, 2];
        let predicted = [0, 1, 1, 1, 0, 0, 0, 2];
        let confidence = [0.5, 0.75, 0.75, 1.0, 0.625, 0.875, 0.5, 0.25];
        let analysis = ErrorAnalysis::new(4, &truth, &predicted, &confidence).unwrap();
        let pairs: Vec<_> =
            analysis.pairs.iter().map(|p| (p.truth, p.predicted, p.count, p.support)).collect();
        assert_eq!(pairs, [(0, 1, 2, 3), (2, 0, 2, 3), (1, 0, 1, 2)]);
        assert_eq!(analysis.worst(3), [5, 1, 2], "equal ones in the order of the data");
        assert_eq!(analysis.mistakes.len(), 5);
        let classes: Vec<_> =
            analysis.classes.iter().map(|c| (c.predicted, c.confidence, c.accuracy)).collect();
        assert_eq!(classes[..3], [(4, 0.625, 0.25), (3, 2.5 / 3.0, 1.0 / 3.0), (1, 0.25, 1.0)]);
        assert!(classes[3].0 == 0 && classes[3].1.is_nan() && classes[3].2.is_nan());
        let text = analysis.with_class_names(["a", "b"]).to_string();
        assert!(text.contains("\na taken for b                     2      66.7 %\n"), "{text}");
        assert!(text.contains("\n2 taken for a                     5      87.5 %\n"), "{text}");
        assert!(text.ends_with("\n3                                 0"), "{text}");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let text = |r: Result<ErrorAnalysis>| r.unwrap_err().to_string();
        assert!(text(ErrorAnalysis::new(2, &[0], &[1], &[])).contains("must be 1, one for each sample"));
        assert!(text(ErrorAnalysis::new(2, &[0, 2], &[1, 1], &[0.5, 0.5])).contains("sample 1"));
        assert!(text(ErrorAnalysis::new(0, &[], &[], &[])).contains("1 to 8192"));
        for wrong in [f64::NAN, -0.1, 1.5] {
            assert!(text(ErrorAnalysis::new(2, &[0], &[1], &[wrong])).contains("the confidence of sample 0"));
        }
        let none = ErrorAnalysis::new(1, &[], &[], &[]).unwrap();
        assert!(none.mistakes.is_empty() && none.to_string().contains("most confused"));
    }
}
