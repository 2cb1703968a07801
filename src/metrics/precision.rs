//! Precision.

use super::batch::Given;
use super::class_counts::{Average, ClassCounts, Tally};
use super::counted::{Counted, decided, metric_of_classes};
use super::decision::Told;
use crate::error::Result;
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::state::{Kind, State};

/// Of the samples predicted as a class, the share that is of it: low where there are false alarms.
///
/// ```text
/// hits / predicted
/// ```
///
/// Predictions and targets are as for [`Accuracy`](crate::metrics::Accuracy). Sample weights count in all three sums of
/// `class_counts.rs`: hits, predicted and support. What single classes have becomes one number by an [`Average`], the
/// macro mean unless said; `0 / 0` is 0, as scikit-learn's `precision_score` has it.
///
/// It is also called positive predictive value.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::metrics::Average;
/// use plywood::prelude::*;
///
/// let outputs = arr2(&[[0.9f32, 0.1], [0.2, 0.8], [0.3, 0.7]]).into_dyn();
/// let mut precision = Precision::default().average(Average::Class(1));
/// precision.update(&outputs, &[0usize, 1, 0][..], None)?;
/// assert_eq!(precision.value(), 0.5);
/// assert_eq!(precision.per_class(), [1.0, 0.5]);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Precision {
    /// "precision", with what the average adds to it.
    name: String,
    tally: Tally,
}

impl Default for Precision {
    /// The macro mean.
    fn default() -> Self {
        Self { name: Average::Macro.title("precision"), tally: Tally::default() }
    }
}

impl Precision {
    /// How the classes' numbers become one, and with it the metric's name: "precision", "micro_precision",
    /// "weighted_precision", "samples_precision", "precision_3" for class 3.
    #[must_use]
    pub fn average(mut self, average: Average) -> Self {
        self.name = average.title("precision");
        self.tally.average = average;
        self
    }

    /// The precision of each class, or of each label, in order; empty before the first batch.
    pub fn per_class(&self) -> Vec<f64> {
        self.tally.per_class(ClassCounts::precision)
    }
}

impl Counted for Precision {
    type Batch<'a> = Given<'a>;
    const KIND: Kind = Kind::builtin("precision");
    const DIRECTION: Direction = Direction::Higher;

    fn title(&self) -> &str {
        &self.name
    }

    fn begin(&mut self, told: &Told) -> Result<()> {
        self.tally.begin(told)
    }

    fn clear(&mut self) {
        self.tally.clear();
    }

    fn add(&mut self, given: Given<'_>) -> Result<()> {
        self.tally.add(given, ClassCounts::precision)
    }

    fn result(&self) -> f64 {
        self.tally.value(ClassCounts::precision)
    }

    fn save<F: Scalar>(&self) -> State<F> {
        self.tally.save()
    }

    fn restore<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
        self.tally.restore(state)
    }
}

decided! {
    Precision:
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::metrics::Average;
    /// use plywood::prelude::*;
    ///
    /// let outputs = arr2(&[[0.9f32, 0.8, 0.1], [0.2, 0.6, 0.7]]).into_dyn();
    /// let truth = arr2(&[[1.0f32, 0.0, 0.0], [0.0, 1.0, 1.0]]).into_dyn();
    /// let mut precision = Precision::default().multi_label(0.5).average(Average::Micro);
    /// precision.update(&outputs, &truth, None)?;
    /// assert_eq!(precision.value(), 3.0 / 4.0); // of four labels that were predicted, three are right
    /// assert_eq!(precision.per_class(), [1.0, 0.5, 1.0]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
}
metric_of_classes!(Precision);
