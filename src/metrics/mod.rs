//! Metrics: what people want to know of a model, added up batch by batch.
//!
//! A loss is what training makes small, and so must have a gradient. A metric is what is reported, and need not:
//! the share of right answers has none. A metric keeps sums over the batches of an epoch, not the mean of the
//! batches' values, so a last batch that is smaller than the others counts by its size.
//!
//! | | |
//! |---|---|
//! | of classes | [`Accuracy`], [`TopK`], [`Precision`], [`Recall`], [`FBeta`] with an [`Average`] |
//! | of several labels at once | [`ExactMatch`], [`HammingLoss`] |
//! | of rankings | [`RocAuc`], [`AveragePrecision`]; [`roc_curve`], [`RocCurve`] |
//! | of probabilities | [`LogLoss`], [`BrierScore`], [`CalibrationError`] |
//! | of numbers | [`MAE`], [`RMSE`], [`R2`] |
//! | under another name | [`Named`] |
//! | results for a whole data set | [`ConfusionMatrix`], [`ClassificationReport`], [`LabelReport`], [`ErrorAnalysis`] |
//! | over repeated runs | [`MeanStd`] |
//! | a metric of your own | [`Metric`] |
//!
//! None of them takes NaN, among predictions or targets: it is an error that names the sample. An infinite prediction
//! is a number like others: -inf is the logarithm of a probability of 0. Whether samples have one class each or
//! several labels is said, by `multi_label`, and never guessed from targets: rows with one label each look like
//! either.

// | file | what is in it |
// |---|---|
// | `mod.rs` | the trait `Metric` |
// | `accuracy.rs`, `top_k.rs` | `Accuracy`, `TopK` |
// | `precision.rs`, `recall.rs`, `f_beta.rs` | `Precision`, `Recall`, `FBeta` |
// | `exact_match.rs`, `hamming_loss.rs` | of several labels at once: `ExactMatch`, `HammingLoss` |
// | `roc.rs`, `average_precision.rs` | `RocAuc` and `roc_curve`, `AveragePrecision` |
// | `log_loss.rs`, `brier_score.rs`, `calibration_error.rs` | `LogLoss`, `BrierScore`, `CalibrationError` |
// | `mae.rs`, `rmse.rs`, `r2.rs` | of numbers: `MAE`, `RMSE`, `R2` |
// | `confusion_matrix.rs` | `ConfusionMatrix`, which is no metric but a result |
// | `report.rs` | `ClassificationReport` and `LabelReport`, tables by class and by label |
// | `error_analysis.rs` | `ErrorAnalysis`, the mistakes one by one; a result too |
// | `mean_std.rs` | `MeanStd`, over repeated runs |
// | `named.rs` | `Named`, a metric under another name |
// | `batch.rs` | what they share: a batch checked and in `f64` |
// | `decision.rs` | from predictions to classes or labels, and what would be misread |
// | `counted.rs` | `Metric` for both forms of targets |
// | `class_counts.rs` | hits by class, and `Average` |
// | `ranking.rs` | samples in the order of their scores |

mod accuracy;
mod average_precision;
mod batch;
mod brier_score;
mod calibration_error;
mod class_counts;
mod confusion_matrix;
mod counted;
mod decision;
mod error_analysis;
mod exact_match;
mod f_beta;
mod hamming_loss;
mod log_loss;
mod mae;
mod mean_std;
mod named;
mod precision;
mod r2;
mod ranking;
mod recall;
mod report;
mod rmse;
mod roc;
mod top_k;

pub use crate::predictions::Thresholds;
pub use accuracy::Accuracy;
pub use average_precision::AveragePrecision;
pub(crate) use batch::yes_or_no;
pub use brier_score::BrierScore;
pub use calibration_error::{CalibrationBin, CalibrationError};
pub use class_counts::Average;
pub use confusion_matrix::ConfusionMatrix;
pub(crate) use confusion_matrix::check_class_count;
pub use error_analysis::{ClassCalibration, ConfusedPair, ErrorAnalysis, Mistake};
pub use exact_match::ExactMatch;
pub use f_beta::FBeta;
pub use hamming_loss::HammingLoss;
pub use log_loss::LogLoss;
pub use mae::MAE;
pub use mean_std::MeanStd;
pub use named::Named;
pub use precision::Precision;
pub use r2::R2;
pub use recall::Recall;
pub use report::{ClassReport, ClassificationReport, LabelReport};
pub use rmse::RMSE;
pub use roc::{RocAuc, RocCurve, roc_curve};
pub use top_k::TopK;

use crate::error::Result;
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::nn::Outputs;
use crate::state::{Kind, State};
use crate::tensor::Tensor;

/// A number that says how good predictions are, over all batches since the last reset.
///
/// It sees what [`predict`](crate::nn::Sequential::predict) returns, also where the loss works on logits.
///
/// ```
/// use plywood::prelude::*;
///
/// /// The largest absolute error.
/// #[derive(Default)]
/// struct WorstError(f32);
///
/// impl Metric<Tensor> for WorstError {
///     fn name(&self) -> &str {
///         "worst_error"
///     }
///     fn reset(&mut self) {
///         self.0 = 0.0;
///     }
///     fn update(&mut self, output: &Tensor, target: &Tensor, _: Option<&[f32]>) -> Result<()> {
///         self.0 = (output - target).iter().fold(self.0, |worst, d| worst.max(d.abs()));
///         Ok(())
///     }
///     fn value(&self) -> f64 {
///         self.0.into()
///     }
///     fn direction(&self) -> Option<plywood::train::Direction> {
///         Some(plywood::train::Direction::Lower)
///     }
/// }
///
/// let trainer = Trainer::new(MeanSquaredError, Adam::default()).metric(WorstError::default());
/// ```
///
/// `T` is the loss's [`Target`](crate::losses::Loss::Target): `[usize]` for class indices, [`Tensor`] for numbers. A
/// metric may be implemented for several, as [`Accuracy`] is; which one is meant follows from the trainer's loss.
///
/// The trainer resets its metrics at the beginning of each epoch, and again for the validation data. Over training
/// batches the model changes from batch to batch, so a metric of the training data lags behind: that of the
/// validation data is taken after the epoch's last step. (Keras does the same.)
///
/// A box of a metric is one, so a list of them can be put together when the program runs:
///
/// ```
/// use plywood::prelude::*;
///
/// fn metric(name: &str) -> Box<dyn Metric<[usize]>> {
///     match name {
///         "top_3" => Box::new(TopK::k(3)),
///         _ => Box::new(Accuracy::default()),
///     }
/// }
///
/// let mut trainer = Trainer::new(CrossEntropy::default(), Adam::default());
/// for name in ["accuracy", "top_3"] {
///     trainer = trainer.metric(metric(name));
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a metric of targets of `{T}`",
    note = "a metric's targets are the loss's: class indices (`[usize]`) under CrossEntropy, Focal, Hinge and \
            BinaryCrossEntropy, numbers (a tensor) under the others",
    note = "metrics of several labels go with `SoftBinaryCrossEntropy`, metrics of errors with losses of numbers"
)]
pub trait Metric<T: ?Sized, F: Scalar = f32>: Send {
    /// The name in histories and progress lines: "accuracy". Over validation data it gets "val_" in front.
    ///
    /// A trainer refuses two metrics of one name, a name that begins with "val_", and those of an epoch's other values:
    /// "loss", "epoch", "learning_rate" and "seconds". [`Named`] gives a metric another name.
    fn name(&self) -> &str;

    /// Whether the value is better when lower or when higher. The default is `None`.
    ///
    /// Early stopping, plateaus, checkpoints, search and curves take it from here. To watch a metric that says none,
    /// they are told by `.lower_is_better()` or `.higher_is_better()`.
    fn direction(&self) -> Option<Direction> {
        None
    }

    /// Tells the metric what the predictions are: what they mean, and the shape of one, without the batch. The trainer
    /// calls it when `fit` begins, before anything is computed, and before each validation and evaluation.
    ///
    /// A metric that would misread such predictions refuses them here; by default all are taken. A metric that is used
    /// by hand, without a trainer, is not told.
    ///
    /// ```
    /// use plywood::nn::Outputs;
    /// use plywood::prelude::*;
    ///
    /// let mut brier = BrierScore::default();
    /// let error = Metric::<[usize]>::begin(&mut brier, Outputs::Logits, &[10]).unwrap_err();
    /// assert!(error.to_string().starts_with("brier_loss: the predictions must"), "{error}");
    /// ```
    ///
    /// # Errors
    /// When the metric cannot be computed from such predictions.
    fn begin(&mut self, outputs: Outputs, shape: &[usize]) -> Result<()> {
        let _ = (outputs, shape);
        Ok(())
    }

    /// Forgets everything, as if the metric were new.
    fn reset(&mut self);

    /// Takes a batch into account.
    ///
    /// `output` has the predictions, `[batch, …]`; `target` has what the data set gave for the same samples;
    /// `weights` has the samples' weights, or is `None` for equal ones. Nothing is handed over, so a metric copies
    /// what it wants to keep.
    ///
    /// # Errors
    /// When predictions, targets and weights do not fit each other.
    fn update(&mut self, output: &Tensor<F>, target: &T, weights: Option<&[F]>) -> Result<()>;

    /// The value over everything since the last reset; NaN where there was nothing.
    ///
    /// It may be asked for after any batch: progress bars do.
    fn value(&self) -> f64;

    /// The name under which its state is saved, such as `Some(const { Kind::own("my_crate.worst_error") })`. The default
    /// is `None`, for a metric without a state.
    fn kind(&self) -> Option<Kind> {
        None
    }

    /// What it has added up since the last reset, for a checkpoint within an epoch; `None`, unless it is written, where
    /// that cannot be saved. A metric that has a state has a [`kind`](Metric::kind) too.
    ///
    /// All of the crate's own metrics have a state. A run that is resumed within an epoch has for a metric without one
    /// the value over the rest of that epoch; over validation data, and in later epochs, nothing is different.
    fn state(&self) -> Option<State<F>> {
        None
    }

    /// Puts back what [`state`](Metric::state) gave, after a reset: everything has to be taken out of it.
    ///
    /// ```
    /// use plywood::io::State;
    /// use plywood::ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// let mut half = Accuracy::default();
    /// half.update(&arr2(&[[0.9f32, 0.1]]).into_dyn(), &[0usize][..], None)?;
    /// let mut state: State = Metric::<[usize]>::state(&half).unwrap();
    /// let mut resumed = Accuracy::default();
    /// Metric::<[usize]>::load_state(&mut resumed, &mut state)?;
    /// resumed.update(&arr2(&[[0.9f32, 0.1]]).into_dyn(), &[1usize][..], None)?;
    /// assert_eq!(Metric::<[usize]>::value(&resumed), 0.5);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the state is another's. Unless it is written, always: a metric without a state is given none.
    fn load_state(&mut self, state: &mut State<F>) -> Result<()> {
        let _ = state;
        Err(crate::error::Error::custom("this metric cannot load a state")
            .help("Write `load_state` beside `state`."))
    }
}

/// A box of a metric is the metric.
// A default method that is left out here would be called in place of the metric's own, and change results in silence.
#[deny(clippy::missing_trait_methods)]
impl<T: ?Sized, F: Scalar, M: Metric<T, F> + ?Sized> Metric<T, F> for Box<M> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn direction(&self) -> Option<Direction> {
        (**self).direction()
    }

    fn begin(&mut self, outputs: Outputs, shape: &[usize]) -> Result<()> {
        (**self).begin(outputs, shape)
    }

    fn reset(&mut self) {
        (**self).reset();
    }

    fn update(&mut self, output: &Tensor<F>, target: &T, weights: Option<&[F]>) -> Result<()> {
        (**self).update(output, target, weights)
    }

    fn value(&self) -> f64 {
        (**self).value()
    }

    fn kind(&self) -> Option<Kind> {
        (**self).kind()
    }

    fn state(&self) -> Option<State<F>> {
        (**self).state()
    }

    fn load_state(&mut self, state: &mut State<F>) -> Result<()> {
        (**self).load_state(state)
    }
}
