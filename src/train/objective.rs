//! [`Objective`]: the loss of each output of a model.
//!
//! A loss of one output has one part, which is the loss itself. [`Losses`](crate::losses::Losses) has a part for each
//! output, with a name and a weight. All that follows in training works on a list of parts, so a model with one output is
//! no special case.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::losses::{Loss, LossSum, WeightsOf};
use crate::nn::{Infer, OutputActivation, several};
use crate::predictions::check_weights;
use crate::shown::cut;
use crate::target::first_non_finite_row;
use crate::tensor::Tensor;
use crate::train::outputs::{check_no_lengths, check_outputs};
use ndarray::Dimension;
use smallvec::SmallVec;

/// The sums of each part, in order.
pub(in crate::train) type Sums = SmallVec<[LossSum; 2]>;

/// The loss of one output of a model.
pub(in crate::train) struct Part<'a, F: Scalar, T: ?Sized> {
    /// The number of the output.
    pub output: usize,
    /// The name of the output, if the loss names it.
    pub name: Option<&'a str>,
    pub weight: f64,
    pub loss: &'a (dyn Loss<F, Target = T> + 'a),
    /// The activation that the model ends in, if the loss fuses it.
    pub activation: Option<OutputActivation>,
    weights_of: Option<WeightsOf<F, T>>,
}

impl<F: Scalar, T: ?Sized> Part<'_, F, T> {
    /// Adds the output's name to an error.
    pub fn place(&self, error: Error) -> Error {
        match self.name {
            None => error,
            Some(name) => error.at(format!("output {}", cut(name))),
        }
    }

    /// The error if no sample has a weight for the output.
    pub fn no_weight(&self) -> Error {
        match self.name {
            None => no_weight(),
            Some(name) => {
                let what = format!("the targets of {:?}", cut(name));
                Error::data(what, "include one of a sample with a weight above 0", "none").help(
                    "All are missing, or have the weight 0: use more samples, or give the output no loss.",
                )
            }
        }
    }

    /// The name of the value in histories: "loss", "class_loss".
    pub fn value_name(&self) -> String {
        self.name.map_or_else(|| "loss".to_owned(), |name| format!("{name}_loss"))
    }

    /// The sum of the weights of some samples.
    pub fn weight_of(&self, target: &T, weights: Option<&[F]>, samples: usize) -> Result<f64> {
        let own = self.weights_of.and_then(|of| self.name.map(|name| of(target, name, weights)));
        let own = own.transpose()?.flatten();
        let weights = own.as_deref().or(weights);
        check_weights(weights, samples)?;
        Ok(weights.map_or(samples as f64, |weights| weights.iter().map(|w| w.as_f64()).sum()))
    }

    /// Returns the loss of the output (logits if the activation was skipped) and its gradient with respect to that
    /// output, scaled by the part's weight.
    pub fn value_and_grad(
        &self,
        output: Tensor<F>,
        Expected { target, weights }: Expected<'_, T, F>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        let (loss, shape) = (self.loss, output.raw_dim());
        let (value, mut grad) = match self.activation {
            Some(_) => loss.value_and_grad_logits(output, target, weights, divisor),
            None => loss.value_and_grad(output, target, weights, divisor),
        }
        .map_err(|error| self.place(error))?;
        if grad.shape() == shape.slice() {
            // A value that is not finite is reported by the caller, which finds the place.
            return match first_non_finite_row(&grad).filter(|_| value.sum.is_finite()) {
                None => {
                    if self.weight != 1.0 {
                        let weight = F::of(self.weight);
                        grad.mapv_inplace(|g| g * weight);
                    }
                    Ok((value, grad))
                }
                Some(row) => {
                    let what = format!("the gradient of {} at the output", loss.name());
                    Err(self.place(Error::sample_not_finite(&what, row).help(
                        "The loss is finite, and its derivative is not, as that of `sqrt` at 0: change the formula there, or add a small number.",
                    )))
                }
            };
        }
        let what = format!("the gradient that {} returns", loss.name());
        Err(self.place(Error::shape(what, format!("{:?}", shape.slice()), grad.shape()).help(
            "The gradient has the outputs' shape. Targets of another shape were broadcast: compare the shapes in the loss.",
        )))
    }
}

/// The values that a batch's outputs are compared with: the targets and, optionally, the samples' weights.
pub(in crate::train) struct Expected<'a, T: ?Sized, F> {
    pub target: &'a T,
    pub weights: Option<&'a [F]>,
}

/// Two references can be copied, whatever their types.
impl<T: ?Sized, F> Clone for Expected<'_, T, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized, F> Copy for Expected<'_, T, F> {}

/// The parts of a loss, for the outputs of a model.
pub(in crate::train) struct Objective<'a, F: Scalar, T: ?Sized> {
    pub parts: SmallVec<[Part<'a, F, T>; 2]>,
    /// For each output of the model, whether its last activation is skipped.
    pub logits: SmallVec<[bool; 8]>,
    whole: &'a (dyn Loss<F, Target = T> + 'a),
}

impl<'a, F: Scalar, T: ?Sized> Objective<'a, F, T> {
    /// Finds the outputs of the loss's parts, and checks that they fit.
    pub fn new<L: Loss<F, Target = T>>(model: &dyn Infer<F>, loss: &'a L) -> Result<Self> {
        let parts = match loss.terms() {
            None if model.outputs().len() == 1 => SmallVec::from_iter([Part {
                output: 0,
                name: None,
                weight: 1.0,
                loss: loss as &dyn Loss<F, Target = T>,
                activation: None,
                weights_of: None,
            }]),
            None => {
                let due = format!("one output for {}", loss.name());
                return Err(several(model, &due).help(format!(
                    "Give each output its loss: `Losses::of({:?}, …).and(…)`.",
                    model.outputs().first().map_or("class", |port| port.name()),
                )));
            }
            Some(terms) => {
                terms.check(model.outputs())?;
                let place = |name: &str| model.outputs().iter().position(|port| port.name() == name);
                let part = |term: &'a crate::losses::Term<F, T>| {
                    place(&term.output).map(|output| Part {
                        output,
                        name: Some(&term.output[..]),
                        weight: term.weight,
                        loss: &*term.loss as &dyn Loss<F, Target = T>,
                        activation: None,
                        weights_of: Some(term.weights_of),
                    })
                };
                let mut parts: SmallVec<[_; 2]> = terms.list.iter().filter_map(part).collect();
                // In one order, so that sums have the same bits however the losses are listed.
                parts.sort_by_key(|part: &Part<'a, F, T>| part.output);
                parts
            }
        };
        let logits = SmallVec::from_elem(false, model.outputs().len());
        let mut objective = Self { parts, logits, whole: loss };
        for part in &mut objective.parts {
            check_no_lengths(model, part.output)
                .and_then(|()| check_outputs(model, part.output, part.loss))
                .map_err(|error| part.place(error))?;
            let activation = model.final_activation(part.output);
            let fused = activation.can_be_fused() && activation == part.loss.fused_activation();
            part.activation = fused.then_some(activation);
            objective.logits[part.output] = fused;
        }
        Ok(objective)
    }

    /// Checks that targets by name are for outputs whose loss reads them.
    pub fn check_names(&self, target: &T) -> Result<()> {
        match self.parts.iter().any(|part| part.name.is_some()) {
            true => self.whole.check_target(&[], target),
            false => Ok(()),
        }
    }

    /// Checks targets against the outputs.
    pub fn check_target(&self, model: &dyn Infer<F>, target: &T) -> Result<()> {
        self.check_names(target)?;
        self.parts.iter().try_for_each(|part| {
            let shape = model.outputs()[part.output].shape();
            part.loss.check_target(shape, target).map_err(|error| part.place(error))
        })
    }

    /// The part of the output with this name; without one, the only part.
    pub fn part_named(&self, name: Option<&str>) -> Option<&Part<'a, F, T>> {
        self.parts.iter().find(|part| part.name == name)
    }

    /// The sums of samples without a loss that is finite.
    pub fn not_finite(&self) -> Sums {
        SmallVec::from_elem(LossSum { sum: f64::NAN, weight: f64::NAN }, self.parts.len())
    }

    /// The value of a batch or an epoch: the means of the parts, times their weights. A part without samples of any
    /// weight adds nothing; if all are so, it is NaN.
    pub fn total(&self, sums: &[LossSum]) -> f64 {
        total(self.parts.iter().map(|part| part.weight).zip(sums.iter().copied()))
    }

    /// Whether a sample has a weight in a part that is trained.
    pub fn is_weighted(&self, sums: &[LossSum]) -> bool {
        self.parts.iter().zip(sums).any(|(part, sum)| part.weight > 0.0 && sum.weight != 0.0)
    }

    /// The value of a batch as two sums, whose mean is [`total`](Self::total): for several parts the weight is the number
    /// of samples.
    pub fn as_one(&self, sums: &[LossSum], samples: usize) -> LossSum {
        match (&self.parts[..], sums) {
            ([part], [sum]) if part.name.is_none() => *sum,
            _ if !self.is_weighted(sums) => LossSum::default(),
            _ => LossSum { sum: self.total(sums) * samples as f64, weight: samples as f64 },
        }
    }
}

/// The error for data whose sample weights are all 0, so that no mean is defined.
pub(in crate::train) fn no_weight() -> Error {
    Error::data("the weights", "include one above 0", "only 0").help(
        "A weight of 0 leaves a sample out, and so does a class weight of 0: give some a weight above 0.",
    )
}

/// `Σ w · mean`, over the parts that are trained and have samples.
pub(in crate::train) fn total(parts: impl Iterator<Item = (f64, LossSum)>) -> f64 {
    let with_samples = parts.filter(|(weight, sum)| *weight > 0.0 && sum.weight != 0.0);
    with_samples.map(|(weight, sum)| weight * sum.mean()).reduce(|a, b| a + b).unwrap_or(f64::NAN)
}

/// Whether all sums are finite.
pub(in crate::train) fn finite(sums: &[LossSum]) -> bool {
    sums.iter().all(|sum| sum.sum.is_finite())
}
