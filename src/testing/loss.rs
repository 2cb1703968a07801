//! Checks for losses: [`check_loss`].

use super::CheckReport;
use super::differences::{at_numbers, random_tensor, same};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::losses::{Loss, LossSum};
use crate::random::Random;
use crate::tensor::{Tensor, slice, slice_mut, standard};
use ndarray::Axis;

/// Checks a loss on these outputs and targets of at least two samples: the gradient, the weights, and that samples do not
/// depend on each other.
///
/// 1. The sum over the batch is that of its samples, each alone by a weight of 1, and a sample's loss does not depend on the
///    outputs of the others.
/// 2. The gradient agrees with finite differences of the sum, and is divided by the divisor.
/// 3. A sample's loss and gradient are multiplied by its weight; a weight of 0 leaves it out.
/// 4. Too few weights are an error.
/// 5. A loss that fuses an activation has the same value from the logits as from the outputs.
///
/// | argument | |
/// |---|---|
/// | `outputs` | `[batch, …]`, outputs of a model; the logits, if the loss [fuses](Loss::fused_activation) an activation |
/// | `target` | the targets of the same samples |
///
/// Outputs should not lie at a kink, where the gradient jumps. Gradients are compared in `f64` to about three digits, in
/// `f32` to about two.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let z = arr2(&[[0.5f64, -1.0, 0.1], [2.0, 0.3, -0.4]]).into_dyn();
/// let report = check_loss(&CrossEntropy::default(), z, &[2, 0])?;
/// assert!(report.to_string().contains("the gradient agrees with finite differences"));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// # Errors
/// When a check fails; the error says which one, where, and by how much.
pub fn check_loss<F: Scalar, L: Loss<F>>(
    loss: &L,
    outputs: Tensor<F>,
    target: &L::Target,
) -> Result<CheckReport> {
    let name = loss.name();
    let mut report = CheckReport { label: format!("loss {name:?}"), lines: Vec::new() };
    let case = Case { loss, outputs: standard(outputs), target };
    case.run(&mut report).map_err(|error| error.at(format!("check of loss {name:?} in {}", F::NAME)))?;
    Ok(report)
}

struct Case<'a, F: Scalar, L: Loss<F>> {
    loss: &'a L,
    outputs: Tensor<F>,
    target: &'a L::Target,
}

impl<F: Scalar, L: Loss<F>> Case<'_, F, L> {
    /// Computes the loss of the outputs, or of the logits, if it fuses an activation.
    fn of(&self, outputs: Tensor<F>, weights: Option<&[F]>, divisor: f64) -> Result<(LossSum, Tensor<F>)> {
        let (value, grad) = if self.loss.fused_activation().can_be_fused() {
            self.loss.value_and_grad_logits(outputs, self.target, weights, divisor)
        } else {
            self.loss.value_and_grad(outputs, self.target, weights, divisor)
        }?;
        if grad.shape() != self.outputs.shape() {
            return Err(Error::shape("the gradient", format!("{:?}", self.outputs.shape()), grad.shape())
                .help("It has the shape of the outputs."));
        }
        Ok((value, standard(grad)))
    }

    fn run(&self, report: &mut CheckReport) -> Result<()> {
        let samples = self.outputs.shape().first().copied().unwrap_or(0);
        if samples < 2 {
            return Err(Error::shape(
                "the outputs",
                "[batch, …] with at least two samples",
                self.outputs.shape(),
            )
            .help("Give outputs and targets of several samples: a loss must not mix them."));
        }
        self.loss.check_output(&self.outputs.shape()[1..])?;
        self.loss.check_target(&self.outputs.shape()[1..], self.target)?;
        self.samples(samples, report)?;
        self.gradient(report)?;
        self.weights(samples, report)?;
        self.logits(report)
    }

    /// Checks that the sum is that of the samples, and that they do not depend on each other.
    fn samples(&self, samples: usize, report: &mut CheckReport) -> Result<()> {
        let only = |outputs: Tensor<F>, i: usize| {
            let mut weights = vec![F::zero(); samples];
            weights[i] = F::one();
            Ok(self.of(outputs, Some(&weights), 1.0)?.0)
        };
        let (all, _) = self.of(self.outputs.clone(), None, 1.0)?;
        let each = (0..samples).map(|i| only(self.outputs.clone(), i)).collect::<Result<Vec<_>>>()?;
        close::<F>(
            "the sum of the losses, each alone by its weight,",
            each.iter().map(|one| one.sum).sum(),
            all.sum,
        )?;
        close::<F>("the sum of the weights", all.weight, samples as f64)?;
        for (i, alone) in each.iter().enumerate() {
            close::<F>(&format!("the weight of sample {i} alone"), alone.weight, 1.0)?;
            let mut moved = self.outputs.clone();
            for (k, mut other) in moved.axis_iter_mut(Axis(0)).enumerate().filter(|(k, _)| *k != i) {
                other.map_inplace(|y| *y = *y * F::of(0.9) + F::of(0.01 * k as f64));
            }
            let again = only(moved, i)?;
            close::<F>(&format!("the loss of sample {i}, if other outputs change,"), again.sum, alone.sum)?;
        }
        report.passed("the loss of a batch is the sum over its samples, which do not depend on each other");
        Ok(())
    }

    fn gradient(&self, report: &mut CheckReport) -> Result<()> {
        let mut draws = Random::seed(7).child("outputs").at(0, 0);
        let (_, grad) = self.of(self.outputs.clone(), None, 1.0)?;
        let found: Vec<f64> = slice(&grad).iter().map(|g| g.as_f64()).collect();
        let loss = |moved: Tensor<F>| Ok(self.of(moved, None, 1.0)?.0.sum);
        at_numbers("the outputs", &self.outputs, &found, &mut draws, loss)?;
        let (_, divided) = self.of(self.outputs.clone(), None, 4.0)?;
        let help = "The gradient is that of the sum of `weight · loss`, divided by the divisor.";
        same("4 times the gradient for a divisor of 4", &divided.mapv(|g| F::of(4.0) * g), &grad)
            .map_err(|error| error.help(help))?;
        report.passed("the gradient agrees with finite differences, and is divided by the divisor");
        Ok(())
    }

    fn weights(&self, samples: usize, report: &mut CheckReport) -> Result<()> {
        let mut draws = Random::seed(7).child("weights").at(0, 0);
        let mut weights: Tensor<F> = random_tensor(&[samples], &mut draws);
        weights.map_inplace(|w| *w = w.abs());
        slice_mut(&mut weights)[0] = F::zero();
        let (_, mut expected) = self.of(self.outputs.clone(), None, 1.0)?;
        let (value, found) = self.of(self.outputs.clone(), Some(slice(&weights)), 1.0)?;
        let mut sum = 0.0;
        for (i, mut row) in expected.axis_iter_mut(Axis(0)).enumerate() {
            let (weight, mut only) = (slice(&weights)[i], vec![F::zero(); samples]);
            only[i] = F::one();
            sum += weight.as_f64() * self.of(self.outputs.clone(), Some(&only), 1.0)?.0.sum;
            row.map_inplace(|g| *g *= weight);
        }
        close::<F>("the weighted sum of the losses", value.sum, sum)?;
        let total = slice(&weights).iter().map(|w| w.as_f64()).sum();
        close::<F>("the sum of the weights", value.weight, total)?;
        let help = "Multiply each sample's gradient by its weight: see `sample_weights`.";
        same("the gradient with weights", &found, &expected).map_err(|error| error.help(help))?;
        if self.of(self.outputs.clone(), Some(&slice(&weights)[1..]), 1.0).is_ok() {
            return Err(Error::data("too few weights", "be refused", "a result")
                .help("Read the weights by `sample_weights`, which checks them."));
        }
        report.passed("weights multiply the losses and gradients of their samples, and too few are refused");
        Ok(())
    }

    fn logits(&self, report: &mut CheckReport) -> Result<()> {
        let activation = self.loss.fused_activation();
        if !activation.can_be_fused() {
            return Ok(());
        }
        let outputs = activation.apply(self.outputs.clone());
        // A loss may refuse outputs whose activation was not left out.
        if let Ok((value, _)) = self.loss.value_and_grad(outputs, self.target, None, 1.0) {
            let (expected, _) = self.of(self.outputs.clone(), None, 1.0)?;
            close::<F>("the loss of the outputs", value.sum, expected.sum)?;
            report.passed("the loss of the logits is that of the outputs");
        }
        Ok(())
    }
}

/// Checks that two sums are equal up to rounding.
fn close<F: Scalar>(what: &str, found: f64, expected: f64) -> Result<()> {
    if !(found.is_finite() && expected.is_finite()) {
        let found = if expected.is_finite() { found } else { expected };
        return Err(Error::data(what, "be finite for the outputs of the check", found)
            .help("Give `check_loss` outputs and targets for which the loss is defined."));
    }
    let tolerance = 1e3 * F::epsilon().as_f64() * (1.0 + expected.abs());
    if (found - expected).abs() <= tolerance {
        return Ok(());
    }
    Err(Error::data(what, format!("be {expected:.6}"), format!("{found:.6}"))
        .help("A loss is the sum of `weight · loss` over its samples, each computed on its own."))
}
