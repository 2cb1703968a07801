//! Precision, recall and F-beta: ratios of the sums of each class.

use super::batch::{Given, LabelBatch, Rows, check_width};
use super::class_counts::{Average, ClassCounts, weighted_mean};
use super::counted::Counted;
use super::decision::{Decision, Told};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::predictions::Thresholds;
use crate::state::{Kind, State};

/// The ratio computed from the three sums of a class.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ratio {
    Precision,
    Recall,
    /// With this beta.
    FBeta(f64),
}

impl Ratio {
    fn of(self, counts: &ClassCounts) -> f64 {
        match self {
            Self::Precision => counts.precision(),
            Self::Recall => counts.recall(),
            Self::FBeta(beta) => counts.f_beta(beta),
        }
    }

    /// Returns the name of the macro mean.
    fn name(self) -> String {
        match self {
            Self::Precision => "precision".to_owned(),
            Self::Recall => "recall".to_owned(),
            Self::FBeta(beta) => format!("f{beta}"),
        }
    }

    fn check(self) -> Result<()> {
        match self {
            Self::FBeta(beta) if !(beta.is_finite() && beta >= 0.0) => {
                Err(Error::argument("beta", "at least 0 and finite", beta)
                    .help("It is the weight of recall relative to precision; 1 gives F1."))
            }
            _ => Ok(()),
        }
    }
}

/// The sums of all classes over all batches, and how predictions are read and averaged.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    ratio: Ratio,
    /// The name of the ratio, such as "f1", with what the average adds to it.
    name: String,
    pub(super) decision: Decision,
    average: Average,
    classes: Vec<ClassCounts>,
    /// The sum over samples of each sample's value times its weight; only for several labels per sample.
    samples: f64,
    /// The sum of the weights of all samples seen.
    all: f64,
}

impl Tally {
    /// Creates a tally with the macro mean, for one class per sample.
    pub(super) fn of(ratio: Ratio) -> Self {
        let (name, decision, average) = (ratio.name(), Decision::default(), Average::Macro);
        Self { ratio, name, decision, average, classes: Vec::new(), samples: 0.0, all: 0.0 }
    }

    pub(super) fn set_average(&mut self, average: Average) {
        self.name = average.title(&self.ratio.name());
        self.average = average;
    }

    /// Returns the value of each class.
    pub(super) fn per_class(&self) -> Vec<f64> {
        self.classes.iter().map(|class| self.ratio.of(class)).collect()
    }

    /// Returns whether a sample may have several labels.
    fn several(&self) -> bool {
        matches!(self.decision, Decision::Labels(_))
    }

    /// Adds a batch, after checking that it has as many classes as those before, and that the class of the average
    /// exists.
    fn add(&mut self, rows: Rows<'_>) -> Result<()> {
        self.ratio.check()?;
        if let Decision::Labels(thresholds) = self.decision.clone() {
            return self.add_labels(&rows.labels()?, &thresholds);
        }
        let batch = rows.classes()?;
        self.widen(batch.classes())?;
        let predicted = self.decision.classes(&batch)?;
        for ((_, label, weight), predicted) in batch.samples().zip(predicted) {
            self.all += weight;
            self.classes[label].count(true, predicted == label, weight);
            if predicted != label {
                self.classes[predicted].count(false, true, weight);
            }
        }
        Ok(())
    }

    fn add_labels(&mut self, batch: &LabelBatch, thresholds: &Thresholds) -> Result<()> {
        let predicted = batch.predicted(thresholds)?;
        self.widen(batch.columns())?;
        for ((_, truth, weight), predicted) in batch.samples().zip(predicted.chunks_exact(batch.columns())) {
            let mut sample = ClassCounts::default();
            for ((class, &truth), &predicted) in self.classes.iter_mut().zip(truth).zip(predicted) {
                class.count(truth, predicted, weight);
                sample.count(truth, predicted, 1.0);
            }
            self.samples += weight * self.ratio.of(&sample);
            self.all += weight;
        }
        Ok(())
    }

    /// Makes room for `classes` classes. It is an error if earlier batches had another number of them.
    fn widen(&mut self, classes: usize) -> Result<()> {
        check_width(self.classes.len(), classes)?;
        self.average.check(classes, self.several())?;
        self.classes.resize(classes, ClassCounts::default());
        Ok(())
    }
}

impl Counted for Tally {
    fn name(&self) -> &str {
        &self.name
    }

    fn direction(&self) -> Direction {
        Direction::Higher
    }

    fn begin(&mut self, told: &Told) -> Result<()> {
        self.ratio.check()?;
        self.decision.begin(told)?;
        self.average.check(if self.several() { told.units } else { told.units.max(2) }, self.several())
    }

    fn reset(&mut self) {
        self.classes.clear();
        (self.samples, self.all) = (0.0, 0.0);
    }

    fn update<F: Scalar>(&mut self, given: Given<'_, F>) -> Result<()> {
        self.add(given.rows()?)
    }

    fn value(&self) -> f64 {
        if self.all == 0.0 {
            return f64::NAN;
        }
        let (classes, of) = (self.classes.iter(), |class: &ClassCounts| self.ratio.of(class));
        let counts = |class: &ClassCounts| f64::from(self.several() || class.occurs);
        match self.average {
            Average::Macro => weighted_mean(classes.map(|class| (of(class), counts(class)))),
            Average::Weighted => weighted_mean(classes.map(|class| (of(class), class.support))),
            Average::Micro => of(&ClassCounts::total(&self.classes)),
            Average::Class(class) => self.classes.get(class).map_or(f64::NAN, of),
            Average::Samples => self.samples / self.all,
        }
    }

    fn kind(&self) -> Kind {
        Kind::builtin(match self.ratio {
            Ratio::Precision => "precision",
            Ratio::Recall => "recall",
            Ratio::FBeta(_) => "f_beta",
        })
    }

    fn state<F: Scalar>(&self) -> State<F> {
        let sums = self
            .classes
            .iter()
            .flat_map(|class| [class.hits, class.predicted, class.support, f64::from(class.occurs)]);
        State::new().list("classes", sums).number("samples", self.samples).number("all", self.all)
    }

    fn load_state<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
        let rows = state.take_rows("classes")?.into_iter();
        let class = |[hits, predicted, support, occurs]: [f64; 4]| ClassCounts {
            hits,
            predicted,
            support,
            occurs: occurs != 0.0,
        };
        self.classes = rows.map(class).collect();
        (self.samples, self.all) = (state.take_number("samples")?, state.take_number("all")?);
        Ok(())
    }
}

/// Implements what [`Precision`](super::Precision), [`Recall`](super::Recall) and [`FBeta`](super::FBeta) have in
/// common: the settings, the values of the classes, and [`Metric`](super::Metric). The second argument is the name of
/// the macro mean, the third an example of `multi_label`.
macro_rules! ratio_metric {
    ($metric:ident, $name:literal; $(#[$example:meta])+) => {
        impl $metric {
            /// Sets how the values of the classes are averaged, and with it the metric's name:
            #[doc = concat!("\"", $name, "\", \"micro_", $name, "\", \"weighted_", $name, "\", \"samples_", $name, "\", \"")]
            #[doc = concat!($name, "_3\" for class 3.")]
            #[must_use]
            pub fn average(mut self, average: crate::metrics::Average) -> Self {
                self.0.set_average(average);
                self
            }

            /// Returns the value of each class, or of each label, in order; empty before the first batch.
            pub fn per_class(&self) -> Vec<f64> {
                self.0.per_class()
            }

            /// Sets the threshold above which a single output means class 1: 0.5 for probabilities, 0 for logits.
            ///
            /// By default, a trainer derives the threshold from the loss
            /// ([`Metric::begin`](crate::metrics::Metric::begin)); if it cannot, `fit` fails and asks for this setting.
            /// Without a trainer, the default is 0.5, and values outside 0 to 1 are an error.
            #[must_use]
            pub fn threshold(mut self, threshold: f64) -> Self {
                self.0.decision.set_threshold(threshold);
                self
            }

            /// Expects several labels per sample: predictions and targets are `[batch, labels]`, each target is 0 or 1,
            /// and a label is predicted if its value is above its threshold.
            ///
            /// There is one threshold for all labels, or one for each ([`Thresholds`](crate::metrics::Thresholds)). The
            /// average is over labels, or over samples with [`Average::Samples`](crate::metrics::Average::Samples).
            /// Outputs of mutually exclusive classes are refused.
            ///
            $(#[$example])+
            #[must_use]
            pub fn multi_label(mut self, thresholds: impl Into<crate::predictions::Thresholds>) -> Self {
                self.0.decision = crate::metrics::decision::Decision::Labels(thresholds.into());
                self
            }
        }

        crate::metrics::counted::metric!($metric: [usize], Tensor<F>; self => self.0);
    };
}
pub(super) use ratio_metric;
