//! Code shared by the losses on class probabilities: checks, weights, and cross-entropy against distributions.

use super::{LossSum, sample_weights};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::check_gradient;
use crate::predictions::nan_sample;
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut, standard};

/// Predictions `[batch, classes]` in standard layout. The gradient overwrites them.
pub(super) struct Probabilities<F> {
    pub(super) grad: Tensor<F>,
    pub(super) samples: usize,
    /// Above 0, so `chunks_exact(columns)` cannot panic.
    pub(super) columns: usize,
}

impl<F: Scalar> Probabilities<F> {
    pub(super) fn of(output: Tensor<F>) -> Result<Self> {
        match *output.shape() {
            [samples, columns] if columns > 0 => Ok(Self { grad: standard(output), samples, columns }),
            _ => Err(Error::shape("the predictions", "[batch, classes]", output.shape()).help(
                "Give the model one row of class probabilities, or logits, for each sample; put Flatten before \
                 Dense.",
            )),
        }
    }
}

/// Checks that one output is a row of classes, so that a label can index it.
pub(super) fn check_rows(output: &[usize]) -> Result<usize> {
    match *output {
        [columns] if columns > 0 => Ok(columns),
        _ => Err(Error::shape("the output", "[classes]", output)
            .help("Give the model one row of class probabilities, or logits, for each sample; put Flatten before Dense.")),
    }
}

/// Checks that each label is below the number of classes. A separate pass over the labels, before anything is changed.
pub(super) fn check_classes(labels: &[usize], classes: usize) -> Result<()> {
    match labels.iter().position(|&label| label >= classes) {
        None => Ok(()),
        Some(i) => Err(Error::sample(
            "the label",
            i,
            format!("be below {classes}, the number of outputs"),
            labels[i],
        )
        .help("Labels count from 0; give the last layer as many units as there are classes.")),
    }
}

/// Checks that there is one label per row, each below the number of classes.
pub(super) fn check_labels(labels: &[usize], samples: usize, classes: usize) -> Result<()> {
    if labels.len() != samples {
        return Err(Error::data(
            "the number of labels",
            format!("be {samples}, one for each prediction"),
            labels.len(),
        )
        .help("Give one label for each sample."));
    }
    check_classes(labels, classes)
}

/// How far the sum of a distribution may differ from 1: more than the rounding error of a row in `f32`.
const SLACK: f64 = 1e-3;

/// Finds the first row that is not a distribution: elements of at least 0 whose sum is 1.
fn first_that_is_none<F: Scalar>(rows: &[F], columns: usize) -> Option<(usize, String)> {
    let unfit = |row: &[F]| {
        let sum: f64 = row.iter().map(|p| p.as_f64()).sum();
        let least = row.iter().fold(F::zero(), |least, &p| if p < least { p } else { least });
        if least < F::zero() {
            Some(format!("{least} in it"))
        } else if sum.is_nan() || (sum - 1.0).abs() > SLACK {
            Some(format!("a sum of {sum:.4}"))
        } else {
            None
        }
    };
    rows.chunks_exact(columns.max(1)).enumerate().find_map(|(i, row)| Some((i, unfit(row)?)))
}

/// Checks that predictions are distributions, for losses that take their logarithms. NaN is not an error here; the loss
/// of NaN is NaN.
pub(super) fn check_distributions<F: Scalar>(rows: &Probabilities<F>) -> Result<()> {
    match first_that_is_none(slice(&rows.grad), rows.columns) {
        None => Ok(()),
        Some(_) if nan_sample(&rows.grad).is_some() => Ok(()),
        Some((i, found)) => Err(Error::sample(
            "the output",
            i,
            "be a probability distribution, at least 0 with a sum of 1",
            found,
        )
        .help("End the model in Softmax, with nothing after it, or use the loss with `from_logits(true)`.")),
    }
}

/// Checks that targets are distributions in the shape of the outputs, where `output` is the shape of one output.
pub(super) fn check_target_rows<F: Scalar>(output: &[usize], target: &Tensor<F>) -> Result<()> {
    let columns = check_rows(output)?;
    if !matches!(*target.shape(), [_, found] if found == columns) {
        let samples = target.shape().first().copied().unwrap_or(0);
        return Err(Error::shape("the targets", format!("[{samples}, {columns}]"), target.shape())
            .help("Give one row of class probabilities for each sample; for indices use `CrossEntropy`."));
    }
    let rows = target.as_standard_layout();
    match first_that_is_none(rows.as_slice().unwrap_or_default(), columns) {
        None => Ok(()),
        Some((i, found)) => Err(Error::sample(
            "the target",
            i,
            "be at least 0 in each number, with a sum of 1",
            found,
        )
        .help(
            "A row is a distribution over classes that exclude each other; for several labels at once use \
             `SoftBinaryCrossEntropy` after Sigmoid.",
        )),
    }
}

/// Returns the targets in standard layout, checked to be distributions in the predictions' shape. They are copied, as
/// the caller's are borrowed; the copy is one pass over memory that is read anyway.
pub(super) fn check_target<F: Scalar>(target: &Tensor<F>, output: &Tensor<F>) -> Result<Tensor<F>> {
    check_gradient(target, output.shape()).map_err(|_| {
        Error::shape("the targets", format!("{:?}", output.shape()), target.shape())
            .help("Give one row of class probabilities for each sample; for indices use `CrossEntropy`.")
    })?;
    check_target_rows(&output.shape()[1..], target)?;
    Ok(standard(target.clone()))
}

/// Checks class weights: none, or one per class, finite and at least 0.
pub(super) fn check_class_weights<F: Scalar>(class_weights: &[f64], classes: usize) -> Result<()> {
    if !class_weights.is_empty() && class_weights.len() != classes {
        return Err(Error::argument(
            "the number of class weights",
            format!("{classes}, one for each class"),
            class_weights.len(),
        )
        .help("Give one weight for each class; `class_weights` computes them from labels."));
    }
    match class_weights.iter().find(|&&w| !(F::of(w).is_finite() && w >= 0.0)) {
        None => Ok(()),
        Some(&large) if large.is_finite() && large > 0.0 => {
            let expected = format!("finite in {}", F::NAME);
            Err(Error::argument("each class weight", expected, format!("{large:?}"))
                .help("Only their ratios count: divide all weights by their mean."))
        }
        Some(bad) => Err(Error::argument("each class weight", "finite and at least 0", bad)
            .help("A weight of 0 leaves a class out.")),
    }
}

/// Returns the class weights in the element type, all 1 if none were given.
pub(super) fn of_classes<F: Scalar>(class_weights: &[f64], classes: usize) -> Result<Vec<F>> {
    check_class_weights::<F>(class_weights, classes)?;
    if class_weights.is_empty() {
        return Ok(vec![F::one(); classes]);
    }
    Ok(class_weights.iter().map(|&w| F::of(w)).collect())
}

/// Returns the weight of each sample.
pub(super) fn weights_of<F: Scalar>(weights: Option<&[F]>, samples: usize) -> Result<Tensor<F>> {
    let given = sample_weights(weights, samples)?;
    let mut each = scratch(&[samples]);
    for (each, w) in slice_mut(&mut each).iter_mut().zip(given) {
        *each = w;
    }
    Ok(each)
}

/// Returns each sample's weight times that of its class.
pub(super) fn label_weights<F: Scalar>(
    class_weights: &[f64],
    classes: usize,
    labels: &[usize],
    weights: Option<&[F]>,
) -> Result<Tensor<F>> {
    let mut each = weights_of(weights, labels.len())?;
    if !class_weights.is_empty() {
        let of_class = of_classes::<F>(class_weights, classes)?;
        for (w, &label) in slice_mut(&mut each).iter_mut().zip(labels) {
            *w *= of_class[label];
        }
    }
    Ok(each)
}

/// Cross-entropy against rows of targets: the weighted targets and the weight of each sample.
pub(super) struct Soft<'a, F> {
    /// `t_ij · c_j`, the targets times the class weights.
    pub(super) target: &'a Tensor<F>,
    /// The weight of each sample.
    pub(super) each: &'a [F],
    /// True if the class weights count in `Σ w`, by `Σ_j t_ij · c_j`.
    pub(super) weighted: bool,
    pub(super) divisor: F,
}

impl<F: Scalar> Soft<'_, F> {
    /// Returns the sums of `-Σ_j t_ij · c_j · ln p_ij` and of the weights over the samples.
    fn sum(&self, losses: &[F], columns: usize) -> LossSum {
        let mut value = LossSum::default();
        for ((row, loss), w) in slice(self.target).chunks_exact(columns).zip(losses).zip(self.each) {
            let mass = if self.weighted { row.iter().map(|t| t.as_f64()).sum() } else { 1.0 };
            // A sample of weight 0 adds no loss, even if its logits are not finite.
            if w.as_f64() != 0.0 {
                value.sum += w.as_f64() * loss.as_f64();
                value.weight += w.as_f64() * mass;
            }
        }
        value
    }

    /// Computes the loss of probabilities, and its gradient. A target of 0 leaves its probability out.
    fn of_probabilities(&self, rows: Probabilities<F>) -> Result<(LossSum, Tensor<F>)> {
        check_distributions(&rows)?;
        let Probabilities { mut grad, samples, columns } = rows;
        let mut losses = scratch(&[samples]);
        let pairs =
            slice_mut(&mut grad).chunks_exact_mut(columns).zip(slice(self.target).chunks_exact(columns));
        for (((row, target), &w), loss) in pairs.zip(self.each).zip(slice_mut(&mut losses)) {
            *loss = F::zero();
            for (p, &t) in row.iter_mut().zip(target) {
                if t == F::zero() {
                    *p = F::zero();
                } else {
                    *loss -= t * p.ln();
                    *p = -w * t / (*p * self.divisor);
                }
            }
        }
        let value = self.sum(slice(&losses), columns);
        leave_out(slice_mut(&mut grad), columns, self.each);
        recycle(losses);
        Ok((value, grad))
    }

    /// Computes the same from logits.
    ///
    /// `Σ_j t_j · (log-sum - (z_j - max)) = mass · log-sum - t · (z - max)`, with `mass = Σ_j t_j`.
    fn of_logits(&self, rows: Probabilities<F>) -> (LossSum, Tensor<F>) {
        let Probabilities { mut grad, samples, columns } = rows;
        let (z, t) = (slice_mut(&mut grad), slice(self.target));
        F::subtract_max_rows(z, columns);
        let (mut dots, mut masses, mut ones) =
            (scratch(&[samples]), scratch(&[samples]), scratch(&[columns]));
        F::dot_rows(z, t, columns, slice_mut(&mut dots));
        for ((dot, z), t) in
            slice_mut(&mut dots).iter_mut().zip(z.chunks_exact(columns)).zip(t.chunks_exact(columns))
        {
            // A logit of -infinity is legal where its target is 0, and 0 · -∞ is NaN.
            if !dot.is_finite() {
                *dot = z.iter().zip(t).filter(|(_, t)| **t != F::zero()).map(|(&z, &t)| z * t).sum();
            }
        }
        ones.fill(F::one());
        for (row, mass) in t.chunks_exact(columns).zip(slice_mut(&mut masses)) {
            F::dot_rows(row, slice(&ones), columns, std::slice::from_mut(mass));
        }
        let mut losses = scratch(&[samples]);
        F::softmax_log_rows(z, columns, slice_mut(&mut losses));
        for ((loss, &dot), &mass) in slice_mut(&mut losses).iter_mut().zip(slice(&dots)).zip(slice(&masses)) {
            *loss = mass * *loss - dot;
        }
        let value = self.sum(slice(&losses), columns);
        F::scale_rows(z, columns, slice(&masses));
        F::add_scaled(z, -F::one(), t);
        for spent in [dots, masses, ones, losses] {
            recycle(spent);
        }
        scale_rows(&mut grad, columns, self.each, self.divisor);
        (value, grad)
    }

    pub(super) fn compute(&self, rows: Probabilities<F>, logits: bool) -> Result<(LossSum, Tensor<F>)> {
        if logits { Ok(self.of_logits(rows)) } else { self.of_probabilities(rows) }
    }
}

/// Sets the rows of samples of weight 0 to exactly 0: a derivative may be infinite where a probability is 0, and 0 · ∞
/// is NaN.
pub(super) fn leave_out<F: Scalar>(grad: &mut [F], columns: usize, each: &[F]) {
    for (row, _) in grad.chunks_exact_mut(columns.max(1)).zip(each).filter(|(_, w)| **w == F::zero()) {
        row.fill(F::zero());
    }
}

/// Multiplies each sample's gradient by its share of the step, `w / divisor`; for a weight of 0 the result is
/// exactly 0.
pub(super) fn scale_rows<F: Scalar>(grad: &mut Tensor<F>, columns: usize, each: &[F], divisor: F) {
    let mut factors = scratch(&[each.len()]);
    for (factor, &w) in slice_mut(&mut factors).iter_mut().zip(each) {
        *factor = w / divisor;
    }
    F::scale_rows(slice_mut(grad), columns, slice(&factors));
    leave_out(slice_mut(grad), columns, slice(&factors));
    recycle(factors);
}
