//! What is common to all rules: state by parameter, steps, schedule, clipping.
//!
//! # State by name
//!
//! A slot holds a parameter's arrays of state under the parameter's name ("0.weight"). Slots lie in the order in
//! which parameters were met, which is the order of the model's layers; so the slot that is wanted next is nearly
//! always the one after the last, and a search by name happens only when a layer was frozen or a model changed. A
//! parameter without a gradient is passed over: it takes no step, and no state is made for it.
//!
//! # Sparse gradients
//!
//! [`Gradient::Rows`] lists the rows that a batch touched, one entry for each use, so an id may come up many times.
//! `merge_rows` adds up the entries of an id, in the order in which they came, and sorts the ids: the sum's bits
//! depend on the batch alone. Then the rule sees rows that follow one another as one part, with those of its state. Rows that are
//! not in the list cost nothing; their momentum waits, and a weight decay does not reach them.
//!
//! # Clipping
//!
//! The norm is that of all gradients together, as if they were one vector:
//!
//! ```text
//! ‖g‖ = √ Σ_parameters Σ g²                factor = norm / (‖g‖ + 1e-6)
//! ```
//!
//! The squares are summed in the element type in blocks of 4096 numbers and the blocks in `f64`, in one fixed
//! order. If the factor is below 1, a second pass multiplies all gradients by it; so the direction stays and only
//! the length changes. Rows of an embedding are merged before the norm is taken, as two entries of one id would
//! count wrongly.

use super::{Rule, Schedule, Scope, Step, Update};
use crate::codec;
use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::param::{Gradient, Param, Pending};
use crate::pool;
use crate::scalar::Scalar;
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut};
use ndarray::{ArrayView2, ArrayViewMut2, Axis, Dimension};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// A [`Rule`] at work on a model: it keeps the state of each parameter by the parameter's name, counts the steps,
/// and asks a [`Schedule`] for the rate.
///
/// A [`Trainer`](crate::Trainer) has one inside. In a loop of your own, call [`step`](Optimizer::step) after the
/// backward pass; examples/custom_loop.rs shows it.
///
/// One optimiser belongs to one model. It takes the model at each step, and finds state by name: a second model
/// with the same names and shapes would go on with the first one's moments, and one with other shapes is refused.
///
/// ```
/// use ndarray::arr2;
/// use plywood::prelude::*;
///
/// let mut small = Sequential::builder([2]).layer(Dense::units(1)).build()?;
/// let mut large = Sequential::builder([3]).layer(Dense::units(1)).build()?;
/// let mut optimizer: Optimizer<_> = SGD::default().momentum(0.9).into();
/// let target = arr2(&[[0.0]]).into_dyn();
/// plywood::accumulate(&mut small, &MeanSquaredError, arr2(&[[1.0, 2.0]]).into_dyn(), &target, None)?;
/// optimizer.step(&mut small)?;
/// plywood::accumulate(&mut large, &MeanSquaredError, arr2(&[[1.0, 2.0, 3.0]]).into_dyn(), &target, None)?;
/// let error = optimizer.step(&mut large).unwrap_err().to_string();
/// assert!(error.ends_with("An optimiser belongs to one model; use a new one for another."), "{error}");
/// assert_eq!(optimizer.steps(), 1);
/// # Ok::<(), plywood::Error>(())
/// ```
pub struct Optimizer<R: Rule<F>, F: Scalar = f32> {
    /// The rule, with the numbers that all parameters share.
    rule: R,
    /// Never `None`: a rule has a default rate, and a number is a schedule.
    rate: Box<dyn Schedule>,
    /// Checked at the step, not when it is set, as a builder returns no `Result`.
    clip_norm: Option<f64>,
    /// The number of steps taken. It is raised when nothing can be refused any more.
    step: u64,
    /// In the order in which parameters were met. A list and not a map, as the expected slot is found without a
    /// search.
    slots: Vec<(String, Slot<F>)>,
}

/// What PyTorch adds to the norm that it divides by in clipping.
const CLIP_EPSILON: f64 = 1e-6;

/// One parameter's state: as many arrays as the rule asks for, each in the parameter's shape.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
struct Slot<F: Scalar>(Vec<State<F>>);

/// One array of state, in standard layout from the start, as it is made by `zeros` and only ever changed in place.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
struct State<F: Scalar>(#[serde(with = "codec::tensor")] Tensor<F>);

impl<F: Scalar, R: Rule<F>> Optimizer<R, F> {
    /// The rule at its default rate, without clipping, at step 0. Nothing is allocated until the first step.
    pub fn new(rule: R) -> Self {
        let rate = Box::new(rule.default_rate());
        Self { rule, rate, clip_norm: None, step: 0, slots: Vec::new() }
    }

    /// Sets the rate: a number, a closure from the step (from 1) to the rate, or any [`Schedule`].
    ///
    /// It replaces the rule's default. The count of steps is not touched, so a schedule set in the middle of
    /// training goes on from where training is.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let optimizer: Optimizer<_> = Optimizer::new(Adam::default());
    /// assert_eq!(optimizer.rate_at(1), 0.001);
    /// let optimizer = optimizer.learning_rate(|step| 1.0 / step as f64);
    /// assert_eq!(optimizer.rate_at(4), 0.25);
    /// ```
    #[must_use]
    pub fn learning_rate(mut self, rate: impl Schedule + 'static) -> Self {
        self.rate = Box::new(rate);
        self
    }

    /// Scales all gradients down together where their common norm is above `norm` (Pascanu, Mikolov and Bengio, "On
    /// the difficulty of training recurrent neural networks", 2013): each is multiplied by
    /// `min(1, norm / (‖g‖ + 1e-6))`, as PyTorch's `clip_grad_norm_` does.
    ///
    /// Two passes over the gradients come with it, and nothing is allocated. The norm is checked at the step: 0, a
    /// negative number, an infinite one and NaN are errors. Gradients that hold NaN are left as they are, as no
    /// factor could mend them.
    ///
    /// ```
    /// use ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// let mut model = Sequential::<f64>::builder_of([1]).layer(Dense::units(1)).build()?;
    /// let (x, t) = (arr2(&[[1.0]]).into_dyn(), arr2(&[[1e9]]).into_dyn());
    /// let before = model.forward(x.clone())?[[0, 0]];
    /// let mut optimizer = Optimizer::new(SGD::default()).learning_rate(1.0).clip_norm(1.0);
    /// plywood::accumulate(&mut model, &MeanSquaredError, x.clone(), &t, None)?;
    /// optimizer.step(&mut model)?;
    /// // Weight and bias have the same gradient, so each moves by 1 / √2.
    /// assert!((model.forward(x)?[[0, 0]] - before - 2f64.sqrt()).abs() < 1e-6);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// The norm is summed in `f64` for both element types, so squares do not overflow.
    #[must_use]
    pub fn clip_norm(mut self, norm: f64) -> Self {
        self.clip_norm = Some(norm);
        self
    }

    /// How many steps were taken, by all calls together. A step that was refused does not count.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// The rate of this step, from 1: what the schedule says, without the check that [`step`](Optimizer::step)
    /// makes.
    pub fn rate_at(&self, step: u64) -> f64 {
        self.rate.rate(step)
    }

    /// One step: changes every trainable parameter that has a gradient, and clears the gradients.
    ///
    /// A parameter that is frozen or has no gradient stays as it is, whatever its momentum. Gradients that were
    /// accumulated over several batches are taken as their sum; for the mean, divide the rate or the loss.
    ///
    /// The cost is one pass over each parameter, its gradient and its state. State is allocated when a parameter is
    /// met for the first time, and never after that.
    ///
    /// Numbers are not looked at: a gradient that holds NaN makes NaN of its parameter.
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
        self.check_clip_norm()?;
        if self.rule.states() > MOST_STATES {
            return Err(Error::argument(
                "a rule's number of states",
                format!("at most {MOST_STATES}"),
                self.rule.states(),
            )
            .help("Keep what all parameters share in fields of the rule.")
            .at("the optimiser"));
        }
        self.rule.begin_step(step).map_err(|error| error.at("the optimiser"))?;
        self.clip(model);
        self.step = step.number;
        let mut position = 0;
        model.visit_params_mut(&mut |name, param| {
            if param.has_gradient() {
                let at = self.slot(position, name, param);
                apply(&self.rule, step, &mut self.slots[at].1, param);
                param.clear_gradient();
                position = at + 1;
            }
        });
        Ok(())
    }

    /// The parameter's slot: the one expected next in almost every case, else found by name, else a new one.
    ///
    /// The result is a position and not a reference, so that the caller can remember where it was.
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
    ///
    /// It runs before anything is changed, so that a refused step leaves the model as it was. The comparison is by
    /// shape alone: a model of the same shapes under the same names cannot be told from the one that was trained.
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

    fn check_clip_norm(&self) -> Result<()> {
        match self.clip_norm {
            Some(limit) if !(limit > 0.0 && limit.is_finite()) => {
                Err(Error::argument("a clipping norm", "above 0 and finite", limit)
                    .help("Usual norms lie between 0.1 and 10."))
            }
            _ => Ok(()),
        }
    }

    /// Scales the gradients in place where their common norm is too long; see the head of this file. A factor of
    /// NaN, from gradients that hold NaN, is not below 1 and scales nothing.
    fn clip<M: Layer<F>>(&self, model: &mut M) {
        let Some(limit) = self.clip_norm else { return };
        let mut squares = 0.0;
        model.visit_params_mut(&mut |_, param| match param.value_and_gradient() {
            Some((_, Gradient::Dense(gradient))) => squares += F::sum_squares(slice(gradient)),
            Some((value, Gradient::Rows { ids, values })) => {
                merge_rows(ids, values, columns_of(value.shape()));
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
    }
}

/// How many numbers a thread should have at least: some microseconds of work.
const LEAST_NUMBERS: usize = 16_384;

/// How many numbers of a product are multiplied out at once, about: few enough to be in the first level of the caches
/// when the rule reads them, and enough for the product's kernels.
const STRIP: usize = 6_144;

/// Applies the rule to one parameter: to the whole of it, or row by row where the gradient is one of rows. A rule of
/// scope [`Scope::Elements`] is applied to parts of a large parameter on several threads; each number is computed
/// from its own gradient and state, so the bits are the same.
///
/// A rule of scope [`Scope::Parameter`] gets rows and products written out into a full gradient first
/// (`Param::accumulate`).
fn apply<F: Scalar, R: Rule<F>>(rule: &R, step: Step, slot: &mut Slot<F>, param: &mut Param<F>) {
    if rule.scope() == Scope::Parameter {
        param.accumulate();
    }
    let shape = param.value().raw_dim();
    let shape = shape.slice();
    let Some((value, gradient)) = param.pending() else { return };
    let parts = || if rule.scope() == Scope::Elements { pool::parts(value.len(), LEAST_NUMBERS) } else { 1 };
    match gradient {
        Pending::Dense(gradient) => {
            let parts = parts();
            let mut states = States::of(slot);
            if parts == 1 {
                rule.update(Update { value, gradient, state: states.all(), shape }, step);
                return;
            }
            let length = value.len().div_ceil(parts);
            let cut = value.chunks_mut(length).zip(gradient.chunks(length));
            let cut = cut.map(|(value, gradient)| (states.take(value.len()), value, gradient));
            pool::each(cut, |(mut states, value, gradient)| {
                let shape = [value.len()];
                rule.update(Update { value, gradient, state: states.all(), shape: &shape }, step);
            });
        }
        Pending::Product(left, right) => {
            let (rows, columns) = (left.ncols(), right.ncols());
            let share = rows.div_ceil(parts()).max(1);
            let mut states = States::of(slot);
            let cut = value.chunks_mut((share * columns).max(1)).enumerate();
            let cut = cut.map(|(i, value)| (states.take(value.len()), value, i * share));
            pool::each(cut, |(states, value, row)| {
                let left = left.slice_axis(Axis(1), (row..).into());
                strip_by_strip(rule, step, states, value, left, right);
            });
        }
        Pending::Rows(ids, values) => {
            let columns = columns_of(shape);
            merge_rows(ids, values, columns);
            let mut states = States::of(slot);
            // Rows that follow one another are one part: the frequent words of a vocabulary often do.
            let mut values = &values[..];
            for run in ids.chunk_by(|a, b| a + 1 == *b) {
                let (start, length) = (run[0] * columns, run.len() * columns);
                let (gradient, rest) = values.split_at(length);
                values = rest;
                let part = start..start + length;
                let mut states = states.part(part.clone());
                let value = &mut value[part];
                rule.update(Update { value, gradient, state: states.all(), shape: &[length] }, step);
            }
        }
    }
}

/// Applies the rule to the first rows of a matrix, whose gradient is the product `leftᵀ · right`: a strip of rows is
/// multiplied out and used at once.
fn strip_by_strip<F: Scalar, R: Rule<F>>(
    rule: &R,
    step: Step,
    mut states: States<'_, F>,
    value: &mut [F],
    left: ArrayView2<'_, F>,
    right: ArrayView2<'_, F>,
) {
    let columns = right.ncols();
    let rows = (STRIP / columns.max(1)).max(1);
    let strips = value.len().div_ceil((rows * columns).max(1));
    let mut strip = scratch(&[rows * columns]);
    for i in 0..strips {
        // Up in one step and down in the next: what a step has used last is what the caches still have.
        let first = if step.number.is_multiple_of(2) { strips - 1 - i } else { i } * rows;
        let numbers = first * columns..value.len().min((first + rows) * columns);
        let gradient = &mut slice_mut(&mut strip)[..numbers.len()];
        let rows = first..numbers.end / columns;
        let product = ArrayViewMut2::from_shape((rows.len(), columns), &mut *gradient);
        let left = left.slice_axis(Axis(1), rows.into());
        F::matmul(left.reversed_axes(), right, F::zero(), product.expect("whole rows"));
        let (mut states, shape) = (states.part(numbers.clone()), [numbers.len()]);
        let value = &mut value[numbers];
        rule.update(Update { value, gradient, state: states.all(), shape: &shape }, step);
    }
    recycle(strip);
}

/// The most arrays of state that a rule may have.
const MOST_STATES: usize = 8;

/// A rule's arrays of state, or a part of each; in place, so that no list of them is allocated for a step.
struct States<'a, F> {
    arrays: [&'a mut [F]; MOST_STATES],
    count: usize,
}

impl<'a, F: Scalar> States<'a, F> {
    /// The whole arrays.
    fn of(slot: &'a mut Slot<F>) -> Self {
        let count = slot.0.len().min(MOST_STATES);
        let mut states = slot.0.iter_mut();
        let arrays = std::array::from_fn(|_| match states.next() {
            Some(State(state)) => slice_mut(state),
            None => &mut [],
        });
        Self { arrays, count }
    }

    /// The first so many numbers of each array; the rest stays.
    fn take(&mut self, length: usize) -> Self {
        let arrays = std::array::from_fn(|i| {
            let array = std::mem::take(&mut self.arrays[i]);
            let (first, rest) = array.split_at_mut(length.min(array.len()));
            self.arrays[i] = rest;
            first
        });
        Self { arrays, count: self.count }
    }

    /// These numbers of each array.
    fn part(&mut self, numbers: Range<usize>) -> States<'_, F> {
        let mut arrays = self.arrays.iter_mut();
        let arrays = std::array::from_fn(|i| match arrays.next() {
            Some(array) if i < self.count => &mut array[numbers.clone()],
            _ => &mut [],
        });
        States { arrays, count: self.count }
    }

    /// All that there are.
    fn all(&mut self) -> &mut [&'a mut [F]] {
        &mut self.arrays[..self.count]
    }
}

/// The numbers in a row: what lies behind axis 0.
fn columns_of(shape: &[usize]) -> usize {
    shape.iter().skip(1).product()
}

/// Adds up the rows of each id, in the order in which they came; ids end up sorted.
///
/// Ids that are strictly increasing already, as an embedding's are after one backward pass, are left as they are at
/// the price of one look at each. Positions are sorted by id and then by position, so the order has one result.
pub(crate) fn merge_rows<F: Scalar>(ids: &mut Vec<usize>, values: &mut Vec<F>, columns: usize) {
    if ids.is_sorted_by(|a, b| a < b) {
        return;
    }
    let mut order: Vec<usize> = (0..ids.len()).collect();
    order.sort_unstable_by_key(|&row| (ids[row], row));
    let (mut merged_ids, mut merged) = (Vec::new(), Vec::new());
    for of_one in order.chunk_by(|&a, &b| ids[a] == ids[b]) {
        let (start, first) = (merged.len(), of_one[0]);
        merged_ids.push(ids[first]);
        merged.extend_from_slice(&values[first * columns..(first + 1) * columns]);
        for &row in &of_one[1..] {
            F::add_scaled(&mut merged[start..], F::one(), &values[row * columns..(row + 1) * columns]);
        }
    }
    *ids = merged_ids;
    *values = merged;
}

/// A rule is an optimiser at its default rate, so that `Trainer::new(loss, Adam::default())` reads as it does.
impl<F: Scalar, R: Rule<F>> From<R> for Optimizer<R, F> {
    fn from(rule: R) -> Self {
        Self::new(rule)
    }
}

/// State is left out: it has as many numbers as the model.
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
