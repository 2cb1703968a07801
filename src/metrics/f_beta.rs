//! F-beta.

use super::batch::Given;
use super::class_counts::{Average, ClassCounts, Tally};
use super::counted::{Counted, decided, metric_of_classes};
use super::decision::Told;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::state::{Kind, State};

/// The harmonic mean of precision and recall, in which recall counts `β` times as much; F1 unless said.
///
/// ```text
/// F_β = (1 + β²) · precision · recall / (β² · precision + recall)
///     = (1 + β²) · hits / (predicted + β² · support)
/// ```
///
/// It is computed by the second form, which has a value where precision or recall have none. Predictions and targets
/// are as for [`Accuracy`](crate::metrics::Accuracy); averages, weights and `0 / 0` as for
/// [`Precision`](crate::metrics::Precision), and as scikit-learn's `fbeta_score` has them.
///
/// van Rijsbergen, "Information retrieval", 1979, chapter 7.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let outputs = arr2(&[[0.9f64, 0.1], [0.2, 0.8], [0.3, 0.7]]).into_dyn();
/// let mut f1 = FBeta::default();
/// f1.update(&outputs, &[0usize, 1, 0][..], None)?;
/// assert!((f1.value() - 2.0 / 3.0).abs() < 1e-12);
///
/// let trainer = Trainer::new(CrossEntropy::default(), Adam::default()).metric(FBeta::beta(2.0)); // "f2"
/// # let _: plywood::train::Trainer<_, f32> = trainer;
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct FBeta {
    beta: f64,
    /// "f1", with what the average adds to it.
    name: String,
    tally: Tally,
}

impl Default for FBeta {
    /// F1 by the macro mean.
    fn default() -> Self {
        Self::beta(1.0)
    }
}

impl FBeta {
    /// With this `β`: 2 for recall above precision, 0.5 for the reverse. At least 0 and finite, which the first batch
    /// checks.
    pub fn beta(beta: f64) -> Self {
        let base = Self { beta, name: String::new(), tally: Tally::default() };
        base.average(Average::Macro)
    }

    /// How the classes' numbers become one, and with it the metric's name: "f1", "micro_f1", "weighted_f1",
    /// "samples_f1", "f1_3" for class 3.
    #[must_use]
    pub fn average(mut self, average: Average) -> Self {
        self.name = average.title(&format!("f{}", self.beta));
        self.tally.average = average;
        self
    }

    /// The F-beta of each class, or of each label, in order; empty before the first batch.
    pub fn per_class(&self) -> Vec<f64> {
        self.tally.per_class(self.of_class())
    }

    fn check(&self) -> Result<()> {
        if self.beta.is_finite() && self.beta >= 0.0 {
            return Ok(());
        }
        Err(Error::argument("beta", "at least 0 and finite", self.beta)
            .help("It is the weight of recall relative to precision; 1 gives F1."))
    }

    /// The value of a class's counts.
    fn of_class(&self) -> impl Fn(&ClassCounts) -> f64 + use<> {
        let beta = self.beta;
        move |counts| counts.f_beta(beta)
    }
}

impl Counted for FBeta {
    type Batch<'a> = Given<'a>;
    const KIND: Kind = Kind::builtin("f_beta");
    const DIRECTION: Direction = Direction::Higher;

    fn title(&self) -> &str {
        &self.name
    }

    fn begin(&mut self, told: &Told) -> Result<()> {
        self.check()?;
        self.tally.begin(told)
    }

    fn clear(&mut self) {
        self.tally.clear();
    }

    fn add(&mut self, given: Given<'_>) -> Result<()> {
        self.check()?;
        self.tally.add(given, self.of_class())
    }

    fn result(&self) -> f64 {
        self.tally.value(self.of_class())
    }

    fn save<F: Scalar>(&self) -> State<F> {
        self.tally.save()
    }

    fn restore<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
        self.tally.restore(state)
    }
}

decided! {
    FBeta:
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::metrics::Average;
    /// use plywood::prelude::*;
    ///
    /// let outputs = arr2(&[[0.9f64, 0.8, 0.1], [0.2, 0.6, 0.7]]).into_dyn();
    /// let truth = arr2(&[[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]).into_dyn();
    /// let mut f1 = FBeta::default().multi_label(0.5).average(Average::Samples);
    /// f1.update(&outputs, &truth, None)?;
    /// assert!((f1.value() - (2.0 / 3.0 + 1.0) / 2.0).abs() < 1e-12);
    /// # Ok::<(), plywood::Error>(())
    /// ```
}
metric_of_classes!(FBeta);
