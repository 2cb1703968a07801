//! Metrics: numbers that say how good a model is, accumulated batch by batch.
//!
//! A loss is what training minimizes, so it must have a gradient. A metric is only reported and needs none: accuracy,
//! for example, has no gradient. A metric keeps sums over the batches of an epoch, not the mean of the batches' values,
//! so a smaller last batch counts by its size.
//!
//! | | |
//! |---|---|
//! | mutually exclusive classes | [`Accuracy`], [`TopK`], [`Precision`], [`Recall`], [`FBeta`] with an [`Average`] |
//! | several labels per sample | [`ExactMatch`], [`HammingLoss`]; others with `multi_label`, see below |
//! | rankings | [`RocAuc`], [`AveragePrecision`]; [`roc_curve`], [`RocCurve`] |
//! | probabilities | [`LogLoss`], [`BrierScore`], [`CalibrationError`] |
//! | numbers | [`MAE`], [`RMSE`], [`R2`] |
//! | a metric under another name | [`Named`] |
//! | results for a whole data set | [`ConfusionMatrix`], [`ClassificationReport`], [`LabelReport`], [`ErrorAnalysis`] |
//! | statistics over repeated runs | [`MeanStd`] |
//! | a custom metric | [`Metric`] |
//!
//! The metrics do not accept NaN: a NaN among the predictions or targets is an error that names the sample. An infinite
//! prediction is valid: -inf is the logarithm of a probability of 0. If samples may have several labels, say so with
//! `multi_label`. This is never guessed from the targets, because rows with one label each look the same in both cases.

// | file | what is in it |
// |---|---|
// | `mod.rs` | the trait `Metric` |
// | `accuracy.rs`, `top_k.rs` | `Accuracy`, `TopK` |
// | `precision.rs`, `recall.rs`, `f_beta.rs` | `Precision`, `Recall`, `FBeta` |
// | `exact_match.rs`, `hamming_loss.rs` | `ExactMatch`, `HammingLoss`, for several labels per sample |
// | `roc.rs`, `average_precision.rs` | `RocAuc` and `roc_curve`, `AveragePrecision` |
// | `log_loss.rs`, `brier_score.rs`, `calibration_error.rs` | `LogLoss`, `BrierScore`, `CalibrationError` |
// | `mae.rs`, `rmse.rs`, `r2.rs` | `MAE`, `RMSE`, `R2`, for numbers |
// | `confusion_matrix.rs` | `ConfusionMatrix`, a result and not a metric |
// | `report.rs` | `ClassificationReport` and `LabelReport`, tables by class and by label |
// | `error_analysis.rs` | `ErrorAnalysis`, the mistakes one by one; also a result |
// | `mean_std.rs` | `MeanStd`, the mean and standard deviation over repeated runs |
// | `named.rs` | `Named`, a metric under another name |
// | `batch.rs` | a batch as all metrics see it: checked, and converted to `f64` |
// | `decision.rs` | turns predictions into classes or labels, and refuses those that would be misread |
// | `counted.rs` | `Counted`, a metric written once for all targets and element types, and a macro that adds `Metric` |
// | `mean.rs` | the mean of a measure, for `LogLoss`, `BrierScore`, `ExactMatch`, `HammingLoss`, `MAE` |
// | `tally.rs` | a ratio of the sums of each class, for `Precision`, `Recall`, `FBeta` |
// | `ranking.rs` | samples sorted by score, for `RocAuc`, `AveragePrecision` |
// | `class_counts.rs` | the sums of each class, and `Average` |

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
mod mean;
mod mean_std;
mod named;
mod on;
mod precision;
mod r2;
mod ranking;
mod recall;
mod report;
mod rmse;
mod roc;
mod tally;
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
pub use on::On;
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

/// A metric: a number that says how good predictions are, over all batches since the last reset.
///
/// It sees the output of [`predict`](crate::nn::Predict::predict), even if the loss is computed from logits.
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
/// metric can be implemented for several types of targets, as [`Accuracy`] is; the trainer's loss determines which one
/// is used.
///
/// The trainer resets its metrics at the beginning of each epoch, and again before the validation data. During training
/// the model changes from batch to batch, so a metric of the training data lags behind the same metric of the
/// validation data, which is computed after the epoch's last step. (Keras does the same.)
///
/// A box of a metric is also a metric, so a list of metrics can be built at run time:
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
    note = "under `Losses`, a metric is of one output: `On::classes(\"kind\", Accuracy::default())`",
    note = "metrics of several labels go with `SoftBinaryCrossEntropy`, metrics of errors with losses of numbers"
)]
pub trait Metric<T: ?Sized, F: Scalar = f32>: Send {
    /// Returns the name shown in histories and progress lines: "accuracy". For validation data, it is prefixed with
    /// "val_".
    ///
    /// A trainer refuses two metrics of the same name, a name that begins with "val_", and the names of an epoch's
    /// other values: "loss", "epoch", "learning_rate" and "seconds". [`Named`] gives a metric another name.
    fn name(&self) -> &str;

    /// Returns the name of the output that it is a metric of, if the model has several; [`On`] returns it. The default is
    /// `None`, for models with one output.
    fn output(&self) -> Option<&str> {
        None
    }

    /// Returns whether lower or higher values are better. The default is `None`.
    ///
    /// Early stopping, plateaus, checkpoints, search and curves use this direction. If it is `None`, set it there with
    /// `.lower_is_better()` or `.higher_is_better()`.
    fn direction(&self) -> Option<Direction> {
        None
    }

    /// Tells the metric what the predictions mean, and the shape of one prediction without the batch axis. The trainer
    /// calls this method when `fit` begins, before anything is computed, and before each validation and evaluation.
    ///
    /// A metric that would misread such predictions refuses them here. The default implementation accepts all
    /// predictions. If you use a metric by hand, without a trainer, you need not call this method.
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

    /// Adds a batch.
    ///
    /// `output` holds the predictions, `[batch, …]`; `target` holds the targets of the same samples, as in the data
    /// set; `weights` holds the samples' weights, or is `None` for equal weights. All three are borrowed, so a metric
    /// copies what it keeps.
    ///
    /// # Errors
    /// When predictions, targets and weights do not fit each other.
    fn update(&mut self, output: &Tensor<F>, target: &T, weights: Option<&[F]>) -> Result<()>;

    /// Returns the value over everything since the last reset; NaN if there was nothing.
    ///
    /// It may be called after any batch, as progress bars do.
    fn value(&self) -> f64;

    /// Returns the name under which the state is saved, such as `Some(const { Kind::own("my_crate.worst_error") })`.
    /// The default is `None`, for a metric without a state.
    fn kind(&self) -> Option<Kind> {
        None
    }

    /// Returns what the metric has accumulated since the last reset, for a checkpoint within an epoch. The default is
    /// `None`, for a metric whose state cannot be saved. A metric that has a state must have a [`kind`](Metric::kind)
    /// too.
    ///
    /// All metrics of this crate have a state. If a run is resumed within an epoch, a metric without a state covers
    /// only the rest of that epoch. Its values over validation data and in later epochs are not affected.
    fn state(&self) -> Option<State<F>> {
        None
    }

    /// Restores what [`state`](Metric::state) returned. It is called after a reset, and must take every entry out of
    /// `state`.
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
    /// When the state does not belong to this metric. The default implementation always returns an error; a trainer
    /// does not call it for a metric without a state.
    fn load_state(&mut self, state: &mut State<F>) -> Result<()> {
        let _ = state;
        Err(crate::error::Error::custom("this metric cannot load a state")
            .help("Write `load_state` beside `state`."))
    }
}

/// A boxed metric: every method calls that of the metric inside.
// If a method were left out here, its default would be called instead of the metric's own, and silently change results.
#[deny(clippy::missing_trait_methods)]
impl<T: ?Sized, F: Scalar, M: Metric<T, F> + ?Sized> Metric<T, F> for Box<M> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn output(&self) -> Option<&str> {
        (**self).output()
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
