//! What the losses of class probabilities share: checks, weights, and cross-entropy against distributions.

use super::loss_weights;
use crate::error::{Error, Result};
use crate::layer::check_gradient;
use crate::scalar::Scalar;
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut, standard};

/// Predictions `[batch, classes]` in standard layout, which the gradient takes the place of.
pub(super) struct Rows<F> {
    pub(super) grad: Tensor<F>,
    pub(super) samples: usize,
    /// Above 0, so `chunks_exact(columns)` cannot panic.
    pub(super) columns: usize,
}

impl<F: Scalar> Rows<F> {
    pub(super) fn of(output: Tensor<F>) -> Result<Self> {
        match *output.shape() {
            [samples, columns] if columns > 0 => Ok(Self { grad: standard(output), samples, columns }),
            _ => Err(Error::shape("predictions", "[batch, classes]", output.shape()).help(
                "Give the model one row of class probabilities, or logits, for each sample; put Flatten before \
                 Dense.",
            )),
        }
    }
}

/// One label for each row, each of them below the number of classes. A pass of its own over the labels, before
/// anything is changed.
pub(super) fn check_labels(labels: &[usize], samples: usize, classes: usize) -> Result<()> {
    if labels.len() != samples {
        return Err(Error::data("labels", format!("for {samples} predictions"), labels.len())
            .help("Give one label for each sample."));
    }
    match labels.iter().position(|&label| label >= classes) {
        None => Ok(()),
        Some(i) => Err(Error::data(
            format!("the label of sample {i} in the batch"),
            format!("below {classes}, the number of outputs"),
            labels[i],
        )
        .help("Labels count from 0; give the last layer as many units as there are classes.")),
    }
}

/// The targets in standard layout, checked to be of the predictions' shape and to have no negative and no infinite
/// number and no NaN. They are copied, as the caller's are borrowed; the copy is one pass over memory that is read
/// anyway.
pub(super) fn check_target<F: Scalar>(target: &Tensor<F>, output: &Tensor<F>) -> Result<Tensor<F>> {
    check_gradient(target, output.shape()).map_err(|_| {
        Error::shape("targets", format!("{:?}", output.shape()), target.shape())
            .help("Give one row of class weights for each sample; for indices use `CrossEntropy`.")
    })?;
    if let Some(bad) = target.iter().find(|t| !(t.is_finite() && **t >= F::zero())) {
        return Err(Error::data("targets", "finite and at least 0", bad)
            .help("Targets are the classes' shares, 0 to 1."));
    }
    Ok(standard(target.clone()))
}

/// The weights of classes in the element type, all 1 where none were given.
pub(super) fn of_classes<F: Scalar>(class_weights: &[f64], classes: usize) -> Result<Vec<F>> {
    if class_weights.is_empty() {
        return Ok(vec![F::one(); classes]);
    }
    if class_weights.len() != classes {
        return Err(Error::argument("class weights", format!("{classes} numbers"), class_weights.len())
            .help("Give one weight for each class; `class_weights` computes them from labels."));
    }
    if let Some(bad) = class_weights.iter().find(|w| !(w.is_finite() && **w >= 0.0)) {
        return Err(Error::argument("class weights", "finite numbers of at least 0", bad)
            .help("A weight of 0 leaves a class out."));
    }
    Ok(class_weights.iter().map(|&w| F::of(w)).collect())
}

/// Each sample's weight times that of its class, and the sum to divide by, or 1 where that is 0.
pub(super) fn label_weights<F: Scalar>(
    class_weights: &[f64],
    classes: usize,
    labels: &[usize],
    weights: Option<&[F]>,
) -> Result<(Tensor<F>, F)> {
    let (mut each, mut total) = sample_weights(weights, labels.len())?;
    if !class_weights.is_empty() {
        let of_class = of_classes::<F>(class_weights, classes)?;
        for (w, &label) in slice_mut(&mut each).iter_mut().zip(labels) {
            *w *= of_class[label];
        }
        total = slice(&each).iter().copied().sum();
    }
    Ok((each, if total == F::zero() { F::one() } else { total }))
}

/// Each sample's weight, and the sum to divide by.
pub(super) fn sample_weights<F: Scalar>(weights: Option<&[F]>, samples: usize) -> Result<(Tensor<F>, F)> {
    let (given, total) = loss_weights(weights, samples)?;
    let mut each = scratch(&[samples]);
    for (each, w) in slice_mut(&mut each).iter_mut().zip(given) {
        *each = w;
    }
    Ok((each, total))
}

/// `-Σ_i w_i · Σ_j t_ij · ln p_ij / total` of probabilities, and its gradient. A target of 0 leaves its probability
/// out.
pub(super) fn soft_probabilities<F: Scalar>(
    rows: Rows<F>,
    target: &Tensor<F>,
    each: &[F],
    total: F,
) -> (F, Tensor<F>) {
    let Rows { mut grad, columns, .. } = rows;
    let mut value = F::zero();
    let pairs = slice_mut(&mut grad).chunks_exact_mut(columns).zip(slice(target).chunks_exact(columns));
    for ((row, target), &w) in pairs.zip(each) {
        for (p, &t) in row.iter_mut().zip(target) {
            if t == F::zero() {
                *p = F::zero();
            } else {
                value -= w * t * p.ln();
                *p = -w * t / (*p * total);
            }
        }
    }
    (value / total, grad)
}

/// The same of logits.
///
/// `Σ_j t_j · (log-sum - (z_j - max)) = mass · log-sum - t · (z - max)`, with `mass = Σ_j t_j`.
pub(super) fn soft_logits<F: Scalar>(
    rows: Rows<F>,
    target: &Tensor<F>,
    each: &[F],
    total: F,
) -> (F, Tensor<F>) {
    let Rows { mut grad, samples, columns } = rows;
    let (z, t) = (slice_mut(&mut grad), slice(target));
    F::subtract_max_rows(z, columns);
    let (mut dots, mut masses, mut ones) = (scratch(&[samples]), scratch(&[samples]), scratch(&[columns]));
    F::dot_rows(z, t, columns, slice_mut(&mut dots));
    ones.fill(F::one());
    for (row, mass) in t.chunks_exact(columns).zip(slice_mut(&mut masses)) {
        F::dot_rows(row, slice(&ones), columns, std::slice::from_mut(mass));
    }
    let mut value = F::zero();
    for (&w, &dot) in each.iter().zip(slice(&dots)) {
        value -= w * dot;
    }
    let mut logs = scratch(&[samples]);
    F::softmax_log_rows(z, columns, slice_mut(&mut logs));
    value += slice(&logs)
        .iter()
        .zip(each.iter().zip(slice(&masses)))
        .map(|(&log, (&w, &mass))| w * mass * log)
        .sum();
    F::scale_rows(z, columns, slice(&masses));
    F::add_scaled(z, -F::one(), t);
    for spent in [dots, masses, ones, logs] {
        recycle(spent);
    }
    scale_rows(&mut grad, columns, each, total);
    (value / total, grad)
}

/// Multiplies each sample's gradient by its share of the mean.
///
/// `w / total` is worked out for each row and then multiplied, so a weight of 0 makes its row exactly 0, unless a
/// logit was not finite.
pub(super) fn scale_rows<F: Scalar>(grad: &mut Tensor<F>, columns: usize, each: &[F], total: F) {
    let mut factors = scratch(&[each.len()]);
    for (factor, &w) in slice_mut(&mut factors).iter_mut().zip(each) {
        *factor = w / total;
    }
    F::scale_rows(slice_mut(grad), columns, slice(&factors));
    recycle(factors);
}
