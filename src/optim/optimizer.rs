//! What is common to all rules: state by parameter, steps, schedule, clipping.

use super::{Rule, Schedule, Scope, Step, Update};
use crate::codec;
use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::param::{Gradient, Param};
use crate::scalar::Scalar;
use crate::tensor::{Tensor, slice, slice_mut};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A [`Rule`] at work on a model: it keeps the state of each parameter by the parameter's name, counts the steps,
/// and asks a [`Schedule`] for the rate.
///
/// A [`Trainer`](crate::Trainer) has one inside. In a loop of your own, call [`step`](Optimizer::step) after the
/// backward pass; examples/custom_loop.rs shows it.
pub struct Optimizer<R: Rule<F>, F: Scalar = f32> {
    rule: R,
    rate: Box<dyn Schedule>,
    clip_norm: Option<f64>,
    step: u64,
    slots: Vec<(String, Slot<F>)>,
}

/// What PyTorch adds to the norm that it divides by in clipping.
const CLIP_EPSILON: f64 = 1e-6;

/// One parameter's state.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
struct Slot<F: Scalar>(Vec<State<F>>);

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
struct State<F: Scalar>(#[serde(with = "codec::tensor")] Tensor<F>);

impl<F: Scalar, R: Rule<F>> Optimizer<R, F> {
    /// The rule at its default rate.
    pub fn new(rule: R) -> Self {
        let rate = Box::new(rule.default_rate());
        Self { rule, rate, clip_norm: None, step: 0, slots: Vec::new() }
    }

    /// Sets the rate: a number, a closure from the step (from 1) to the rate, or any [`Schedule`].
    #[must_use]
    pub fn learning_rate(mut self, rate: impl Schedule + 'static) -> Self {
        self.rate = Box::new(rate);
        self
    }

    /// Scales all gradients down together where their common norm is above `norm` (Pascanu, Mikolov and Bengio, "On
    /// the difficulty of training recurrent neural networks", 2013): each is multiplied by
    /// `min(1, norm / (‖g‖ + 1e-6))`, as PyTorch's `clip_grad_norm_` does.
    #[must_use]
    pub fn clip_norm(mut self, norm: f64) -> Self {
        self.clip_norm = Some(norm);
        self
    }

    /// How many steps were taken.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// The rate of this step, from 1.
    pub fn rate_at(&self, step: u64) -> f64 {
        self.rate.rate(step)
    }

    /// One step: changes every trainable parameter that has a gradient, and clears the gradients.
    ///
    /// # Errors
    /// When the rate is negative or not finite, the clipping norm is not above 0, or a parameter has changed its
    /// shape since the last step; the model is left unchanged then.
    pub fn step<M: Layer<F>>(&mut self, model: &mut M) -> Result<()> {
        let step = Step { number: self.step + 1, rate: self.rate_at(self.step + 1) };
        if !(step.rate.is_finite() && step.rate >= 0.0) {
            return Err(Error::argument("a learning rate", "at least 0 and finite", step.rate)
                .help("Correct the number or the schedule given to `learning_rate`.")
                .at(format!("step {}", step.number)));
        }
        self.check(model)?;
        self.rule.begin_step(step).map_err(|error| error.at("the optimiser"))?;
        self.clip(model)?;
        self.step = step.number;
        let mut position = 0;
        model.visit_params_mut(&mut |name, param| {
            if param.gradient().is_some() {
                let at = self.slot(position, name, param);
                apply(&self.rule, step, &mut self.slots[at].1, param);
                param.clear_gradient();
                position = at + 1;
            }
        });
        Ok(())
    }

    /// The parameter's slot: the one expected next in almost every case, else found by name, else a new one.
    fn slot(&mut self, expected: usize, name: &str, param: &Param<F>) -> usize {
        if self.slots.get(expected).is_some_and(|(known, _)| known == name) {
            return expected;
        }
        self.slots.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            let zeros = || State(Tensor::zeros(param.value().raw_dim()));
            let slot = Slot((0..self.rule.states()).map(|_| zeros()).collect());
            self.slots.push((name.to_owned(), slot));
            self.slots.len() - 1
        })
    }

    /// A state belongs to a shape: another model under the same names is refused.
    fn check<M: Layer<F>>(&self, model: &M) -> Result<()> {
        let (mut result, mut position) = (Ok(()), 0);
        model.visit_params(&mut |name, param| {
            let expected = self.slots.get(position).filter(|(known, _)| known == name);
            let slot = expected.or_else(|| self.slots.iter().find(|(known, _)| known == name));
            position += usize::from(param.is_trainable());
            if let Some((_, Slot(states))) = slot
                && let Some(State(state)) = states.iter().find(|State(state)| state.shape() != param.shape())
                && result.is_ok()
            {
                let what = format!("parameter {name}");
                result = Err(Error::shape(what, format!("{:?}", state.shape()), param.shape())
                    .help("An optimiser belongs to one model; use a new one for another."));
            }
        });
        result
    }

    fn clip<M: Layer<F>>(&self, model: &mut M) -> Result<()> {
        let Some(limit) = self.clip_norm else { return Ok(()) };
        if !(limit > 0.0 && limit.is_finite()) {
            return Err(Error::argument("a clipping norm", "above 0 and finite", limit)
                .help("Usual norms lie between 0.1 and 10."));
        }
        let mut squares = 0.0;
        model.visit_params_mut(&mut |_, param| match param.value_and_gradient() {
            Some((_, Gradient::Dense(gradient))) => squares += F::sum_squares(slice(gradient)),
            Some((value, Gradient::Rows { ids, values })) => {
                merge_rows(ids, values, value.len() / value.shape()[0].max(1));
                squares += F::sum_squares(values);
            }
            None => {}
        });
        let factor = limit / (squares.sqrt() + CLIP_EPSILON);
        if factor < 1.0 {
            let factor = F::of(factor);
            model.visit_params_mut(&mut |_, param| match param.value_and_gradient() {
                Some((_, Gradient::Dense(gradient))) => F::scale(slice_mut(gradient), factor),
                Some((_, Gradient::Rows { values, .. })) => F::scale(values, factor),
                None => {}
            });
        }
        Ok(())
    }
}

fn apply<F: Scalar, R: Rule<F>>(rule: &R, step: Step, slot: &mut Slot<F>, param: &mut Param<F>) {
    if rule.scope() == Scope::Parameter {
        param.accumulate();
    }
    let Some((mut value, gradient)) = param.value_and_gradient() else { return };
    let shape = value.shape().to_vec();
    let Some(value) = value.as_slice_mut() else { return };
    match gradient {
        Gradient::Dense(gradient) => {
            let mut state: Vec<&mut [F]> = slot.0.iter_mut().map(|State(state)| slice_mut(state)).collect();
            rule.update(Update { value, gradient: slice(gradient), state: &mut state, shape: &shape }, step);
        }
        Gradient::Rows { ids, values } => {
            let columns = value.len() / shape.first().copied().unwrap_or(1).max(1);
            merge_rows(ids, values, columns);
            for (&id, gradient) in ids.iter().zip(values.chunks_exact(columns.max(1))) {
                let row = id * columns..(id + 1) * columns;
                let mut state: Vec<&mut [F]> =
                    slot.0.iter_mut().map(|State(state)| &mut slice_mut(state)[row.clone()]).collect();
                let value = &mut value[row];
                rule.update(Update { value, gradient, state: &mut state, shape: &[columns] }, step);
            }
        }
    }
}

/// Adds up the rows of each id, in the order in which they came; ids end up sorted.
fn merge_rows<F: Scalar>(ids: &mut Vec<usize>, values: &mut Vec<F>, columns: usize) {
    if ids.is_sorted_by(|a, b| a < b) {
        return;
    }
    let mut rows: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (row, &id) in ids.iter().enumerate() {
        rows.entry(id).or_default().push(row);
    }
    let mut merged = Vec::with_capacity(rows.len() * columns);
    for of_one in rows.values() {
        let start = merged.len();
        merged.extend_from_slice(&values[of_one[0] * columns..(of_one[0] + 1) * columns]);
        for &row in &of_one[1..] {
            F::add_scaled(&mut merged[start..], F::one(), &values[row * columns..(row + 1) * columns]);
        }
    }
    *ids = rows.into_keys().collect();
    *values = merged;
}

impl<F: Scalar, R: Rule<F>> From<R> for Optimizer<R, F> {
    fn from(rule: R) -> Self {
        Self::new(rule)
    }
}

impl<F: Scalar, R: Rule<F>> std::fmt::Debug for Optimizer<R, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Optimizer")
            .field("rule", &self.rule)
            .field("next_rate", &self.rate_at(self.step + 1))
            .field("clip_norm", &self.clip_norm)
            .field("steps", &self.step)
            .finish_non_exhaustive()
    }
}
