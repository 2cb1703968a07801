//! What is common to all update rules: state per parameter, steps, schedule, groups, batches per step.
//!
//! # Slots by name
//!
//! A parameter's slots (the arrays of the update rule) are stored under the parameter's name ("0.weight"), in the order
//! in which the parameters were first seen, which is the order of the model's layers. So the next slot needed is nearly
//! always the one after the last, and a search by name happens only if a layer was frozen or the model changed. A
//! parameter without a gradient is skipped: it takes no step, and no state is allocated for it.
//!
//! # Features that are off cost nothing
//!
//! Without groups, clipping, averaging and accumulation, a step visits the parameters twice: once to check shapes, once
//! to change the values. Gradients stay products of two matrices until `update_param.rs` multiplies them out in tiles.
//! Clipping and accumulation need whole gradients, as a norm is known only once all gradients are; a penalty needs the
//! whole gradient of its parameter.

mod settings;
mod state;
mod step;

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::monitor::{Direction, Monitor};
use crate::nn::Parameters;
use crate::optim::averaging::Averages;
use crate::optim::clip::Clipping;
use crate::optim::group::{self, Group};
use crate::optim::plateau::Plateau;
use crate::optim::slots::Slot;
use crate::optim::{Schedule, Step, UpdateRule};

/// Applies an [`UpdateRule`] to a model: it keeps the state of each parameter under the parameter's name, counts the
/// steps, and asks a [`Schedule`] for the learning rate.
///
/// A [`Trainer`](crate::train::Trainer) contains one. In a custom training loop, call [`step`](Optimizer::step) after
/// the backward pass; examples/custom_loop.rs shows how.
///
/// One optimizer belongs to one model. It is given the model at each step and finds the state by name. A second model
/// with the same names and shapes would continue with the first one's moments; a model with other shapes is an error.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let mut small = Sequential::builder([2]).layer(Dense::units(1)).build()?;
/// let mut large = Sequential::builder([3]).layer(Dense::units(1)).build()?;
/// let mut optimizer: Optimizer = SGD::default().momentum(0.9).into();
/// let target = arr2(&[[0.0]]).into_dyn();
/// plywood::train::accumulate(&mut small, &MeanSquaredError, arr2(&[[1.0, 2.0]]).into_dyn(), &target, None)?;
/// optimizer.step(&mut small)?;
/// plywood::train::accumulate(&mut large, &MeanSquaredError, arr2(&[[1.0, 2.0, 3.0]]).into_dyn(), &target, None)?;
/// let error = optimizer.step(&mut large).unwrap_err().to_string();
/// assert!(error.ends_with("An optimizer belongs to one model; use a new one for another."), "{error}");
/// assert_eq!(optimizer.steps(), 1);
/// # Ok::<(), plywood::Error>(())
/// ```
pub struct Optimizer<F: Scalar = f32> {
    /// The update rule, with the values that all parameters share.
    pub(in crate::optim) rule: Box<dyn UpdateRule<F>>,
    /// Never `None`: every rule has a default learning rate, and a number is a schedule.
    pub(in crate::optim) rate: Box<dyn Schedule>,
    /// If set, replaces the schedule.
    pub(in crate::optim) set_rate: Option<f64>,
    /// Settings are checked at the step, not when they are set, as a builder returns no `Result`.
    clipping: Clipping,
    groups: Vec<Group>,
    batches_per_step: u64,
    /// True if schedule and groups have been checked since they were set.
    checked: bool,
    /// The number of steps taken. It is incremented once no further check can fail.
    pub(in crate::optim) step: u64,
    /// The number of batches whose gradients are in the model and have not been used by a step.
    pub(in crate::optim) batches: u64,
    /// True if all sample weights of these batches are 0, so that there is nothing to take a step with.
    pub(in crate::optim) weightless: bool,
    /// In the order in which the parameters were first seen. A list and not a map, as the expected slot is found
    /// without a search. Each slot has as many arrays as the rule asks for, in the parameter's shape and in standard
    /// layout.
    pub(in crate::optim) slots: Vec<Slot<F>>,
    pub(in crate::optim) averages: Averages<F>,
    pub(in crate::optim) plateau: Plateau,
}

impl<F: Scalar> Optimizer<F> {
    /// Creates an optimizer with the rule's default learning rate, without clipping, groups or averaging, at step 0.
    /// Nothing is allocated for parameters until the first step.
    pub fn new(rule: impl UpdateRule<F>) -> Self {
        Self {
            rate: Box::new(rule.default_learning_rate()),
            set_rate: None,
            rule: Box::new(rule),
            clipping: Clipping::default(),
            groups: Vec::new(),
            batches_per_step: 1,
            checked: false,
            step: 0,
            batches: 0,
            weightless: false,
            slots: Vec::new(),
            averages: Averages::none(),
            plateau: Plateau::none(),
        }
    }

    /// Returns the penalties of all groups together, `Σ l1 · Σ|w| + l2 · Σw²`, over the trainable parameters with their
    /// present values. Training minimizes this in addition to the loss.
    ///
    /// ```
    /// use plywood::optim::Group;
    /// use plywood::prelude::*;
    ///
    /// let mut model = Sequential::builder([1]).layer(Dense::units(2)).build()?;
    /// model.each_param_mut(&mut |name, param| {
    ///     if name == "0.weight" {
    ///         param.as_slice_mut().copy_from_slice(&[3.0, -4.0]);
    ///     }
    /// });
    /// let optimizer: Optimizer = Optimizer::new(Adam::default()).group(Group::matching("*.weight").l1(0.1).l2(0.01));
    /// assert!((optimizer.penalty(&model) - 0.95).abs() < 1e-6); // 0.1 · 7 + 0.01 · 25
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn penalty<M: Parameters<F> + ?Sized>(&self, model: &M) -> f64 {
        let mut sum = 0.0;
        model.each_param(&mut |name, param| {
            if param.is_trainable()
                && let Some(penalty) = group::penalty_of(&self.groups, name)
            {
                sum += penalty.value(param.as_slice());
            }
        });
        sum
    }

    /// Returns the number of batches per step.
    pub(crate) fn batches_in_a_step(&self) -> u64 {
        self.batches_per_step
    }

    /// Returns whether [`step_weighted`](Optimizer::step_weighted) will take a step, rather than only count a batch or
    /// skip the step.
    pub(crate) fn is_due(&self, weighted: bool) -> bool {
        self.batches + 1 >= self.batches_per_step && !self.stays_weightless(weighted)
    }

    /// Returns whether there are batches that no step has used, with a weight above 0 among them.
    pub(crate) fn has_batches(&self) -> bool {
        self.batches > 0 && !self.weightless
    }

    /// Returns whether all weights of the step are still 0 after a further batch.
    fn stays_weightless(&self, weighted: bool) -> bool {
        !weighted && (self.batches == 0 || self.weightless)
    }

    /// Returns the number of steps taken, over all calls together. A step that returned an error does not count.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// Returns the learning rate of this step, counted from 1: the value of the schedule, or the one
    /// [set](Optimizer::set_learning_rate) in its place, times the factor of
    /// [`ReduceOnPlateau`](crate::optim::ReduceOnPlateau). The value is not checked.
    pub fn learning_rate_at(&self, step: u64) -> f64 {
        self.set_rate.unwrap_or_else(|| self.rate.learning_rate(step)) * self.plateau.factor
    }

    /// Sets the learning rate of all further steps. It replaces the schedule, and resets the factor of a plateau. Use
    /// it in the middle of training; [`learning_rate`](Optimizer::learning_rate) is for setting up. The value is part
    /// of the state, so a resumed run has it too.
    ///
    /// A negative number, an infinite one and NaN are errors of the next step.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let mut optimizer: Optimizer = Optimizer::new(Adam::default()).learning_rate(|step| 1.0 / step as f64);
    /// optimizer.set_learning_rate(0.3);
    /// assert_eq!(optimizer.learning_rate_at(4), 0.3);
    /// let optimizer = optimizer.learning_rate(|step| 1.0 / step as f64); // a schedule again
    /// assert_eq!(optimizer.learning_rate_at(4), 0.25);
    /// ```
    pub fn set_learning_rate(&mut self, rate: f64) {
        (self.set_rate, self.plateau.factor) = (Some(rate), 1.0);
    }

    /// Reports an epoch's value to the optimizer, for [`reduce_on_plateau`](Optimizer::reduce_on_plateau). In a custom
    /// training loop, call it once per epoch; a [`Trainer`](crate::train::Trainer) does so by itself. NaN never counts
    /// as an improvement. Without a plateau the call does nothing.
    ///
    /// ```
    /// use plywood::optim::ReduceOnPlateau;
    /// use plywood::prelude::*;
    ///
    /// let mut optimizer: Optimizer = Optimizer::new(Adam::default());
    /// optimizer = optimizer.reduce_on_plateau(ReduceOnPlateau::factor(0.5).patience(1));
    /// for loss in [1.0, 0.8, 0.9, 0.9] {
    ///     optimizer.observe(loss)?;
    /// }
    /// assert_eq!(optimizer.learning_rate_at(1), 0.0005);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// If something other than a loss is monitored, and it was not set whether lower or higher is better.
    pub fn observe(&mut self, value: f64) -> Result<()> {
        let Some(monitor) = self.monitor() else { return Ok(()) };
        let direction = monitor.by_itself().map_err(|error| error.at("reduce on plateau"))?;
        self.observe_as(value, direction);
        Ok(())
    }

    /// [`observe`](Optimizer::observe) for a value whose better direction is given.
    pub(crate) fn observe_as(&mut self, value: f64, direction: Direction) {
        self.plateau.observe(value, direction);
    }

    /// The value that [`observe`](Optimizer::observe) expects.
    pub(crate) fn monitor(&self) -> Option<&Monitor> {
        self.plateau.how.as_ref().map(|how| &how.monitor)
    }

    /// Runs a trial with this schedule, starting from the present state, and restores everything afterwards: the state
    /// as well as the settings.
    pub(crate) fn on_trial<T>(
        &mut self,
        rate: impl Schedule + 'static,
        trial: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let mut rule = self.rule.state();
        let (set_rate, plateau) =
            (self.set_rate.take(), std::mem::replace(&mut self.plateau, Plateau::none()));
        let rate = std::mem::replace(&mut self.rate, Box::new(rate));
        let (batches_per_step, checked) = (self.batches_per_step, self.checked);
        let (step, batches, weightless) = (self.step, self.batches, self.weightless);
        let (slots, arrays) = (self.slots.clone(), self.averages.arrays.clone());
        let (how, taken, exchanged) =
            (self.averages.how.take(), self.averages.taken, self.averages.exchanged);
        (self.batches_per_step, self.checked, self.batches, self.weightless) = (1, false, 0, false);
        let result = trial(self);
        (self.set_rate, self.plateau, self.rate) = (set_rate, plateau, rate);
        (self.batches_per_step, self.checked) = (batches_per_step, checked);
        (self.step, self.batches, self.weightless, self.slots) = (step, batches, weightless, slots);
        self.averages = Averages { how, arrays, taken, exchanged };
        self.rule.load_state(&mut rule).and(result)
    }

    /// Takes one step: changes every trainable parameter that has a gradient, and clears the gradients.
    ///
    /// A parameter that is frozen or has no gradient is unchanged, whatever its momentum. If
    /// [`batches_per_step`](Optimizer::batches_per_step) is above 1, the call may only count the batch. After several
    /// calls of [`accumulate`](crate::train::accumulate) the gradient is that of the mean over all their samples.
    ///
    /// The cost is one pass over each parameter, its gradient and its state. State is allocated the first time a
    /// parameter is seen, and never after that.
    ///
    /// Values are not checked for NaN, as that would be one more pass: a gradient that contains NaN makes its parameter
    /// NaN. Only if norms are computed for clipping ([`clip_norm`](Optimizer::clip_norm),
    /// [`clip_norm_per_parameter`](Optimizer::clip_norm_per_parameter)) is NaN an error instead.
    ///
    /// # Errors
    /// If the learning rate is negative or not finite, another setting is out of range, the model holds its averages, a
    /// parameter has changed its shape since the last step, or a norm for clipping is not finite. The parameters are
    /// unchanged then.
    pub fn step<M: Parameters<F> + ?Sized>(&mut self, model: &mut M) -> Result<()> {
        self.check_training_weights()?;
        self.weightless = false;
        if self.batches + 1 < self.batches_per_step {
            self.batches += 1;
            return Ok(());
        }
        self.take(model, self.batches + 1)
    }

    /// [`step`](Optimizer::step) for a batch, with `weighted` true if it has a sample weight above 0. A step whose
    /// samples all have the weight 0 is skipped: parameters, state and step count are unchanged, and the gradients,
    /// which are 0, are discarded.
    pub(crate) fn step_weighted<M: Parameters<F> + ?Sized>(
        &mut self,
        model: &mut M,
        weighted: bool,
    ) -> Result<()> {
        let weightless = self.stays_weightless(weighted);
        if weightless && self.batches + 1 >= self.batches_per_step {
            self.discard(model);
            return Ok(());
        }
        self.step(model)?;
        self.weightless = weightless;
        Ok(())
    }

    /// Takes a step with the batches counted since the last one, which are fewer than
    /// [`batches_per_step`](Optimizer::batches_per_step). If there are none, it does nothing.
    ///
    /// # Errors
    /// As [`step`](Optimizer::step).
    pub fn flush<M: Parameters<F> + ?Sized>(&mut self, model: &mut M) -> Result<()> {
        match self.batches {
            0 => Ok(()),
            _ if self.weightless => {
                self.discard(model);
                Ok(())
            }
            batches => {
                self.check_training_weights()?;
                self.take(model, batches)
            }
        }
    }

    /// Refuses a step while the model holds the averages of its weights.
    fn check_training_weights(&self) -> Result<()> {
        if !self.averages.exchanged {
            return Ok(());
        }
        Err(Error::data("the model", "hold its training weights", "their averages")
            .help("Call `training_weights` before the forward pass.")
            .at("the optimizer"))
    }

    /// Discards the counted batches and all gradients, for a step that was not taken.
    pub(crate) fn discard<M: Parameters<F> + ?Sized>(&mut self, model: &mut M) {
        self.batches = 0;
        model.each_param_mut(&mut |_, param| param.clear_gradient());
    }

    /// Checks the settings of the next step, before anything is computed for it.
    pub(crate) fn check_next<M: Parameters<F> + ?Sized>(&mut self, model: &M) -> Result<()> {
        let step = self.next_step();
        self.check_settings(model, step)?;
        self.check_shapes(model)
    }

    /// Returns the next step: its number, learning rate and weight decay.
    fn next_step(&self) -> Step {
        let number = self.step + 1;
        Step {
            number,
            learning_rate: self.learning_rate_at(number),
            weight_decay: self.rule.weight_decay().unwrap_or(0.0),
        }
    }

    /// Swaps the weights for evaluation into the model, if they differ from the trained ones: with
    /// [`average`](Optimizer::average), and for rules that average by themselves. If they are already in the model, or
    /// there are none, it does nothing.
    ///
    /// # Errors
    /// If the averages are those of another model.
    pub fn evaluation_weights<M: Parameters<F> + ?Sized>(&mut self, model: &mut M) -> Result<()> {
        if self.averages.exchanged {
            return Ok(());
        }
        if self.rule.averages() {
            self.averages.refill(model, &self.slots, |value, state| self.rule.evaluation(value, state));
        }
        self.averages.exchange(model)
    }

    /// Undoes [`evaluation_weights`](Optimizer::evaluation_weights): swaps the trained weights back into the model,
    /// with the same bits as before.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::optim::Averaging;
    /// use plywood::prelude::*;
    ///
    /// let mut model = Sequential::builder([1]).layer(Dense::units(1)).build()?;
    /// let mut optimizer = Optimizer::new(SGD::default()).average(Averaging::uniform());
    /// let (x, t) = (arr2(&[[1.0]]), arr2(&[[5.0]]).into_dyn());
    /// for _ in 0..10 {
    ///     optimizer.training_weights(&mut model)?;
    ///     plywood::train::accumulate(&mut model, &MeanSquaredError, x.clone().into_dyn(), &t, None)?;
    ///     optimizer.step(&mut model)?;
    /// }
    /// let trained = model.predict(&x)?[[0, 0]];
    /// optimizer.evaluation_weights(&mut model)?;
    /// assert!(model.predict(&x)?[[0, 0]] < trained); // the mean over the steps lags behind
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the weights are those of another model.
    pub fn training_weights<M: Parameters<F> + ?Sized>(&mut self, model: &mut M) -> Result<()> {
        if self.averages.exchanged { self.averages.exchange(model) } else { Ok(()) }
    }
}

/// Makes an optimizer with the rule's default learning rate, so that `Trainer::new(loss, Adam::default())` works.
impl<R: UpdateRule<f32>> From<R> for Optimizer<f32> {
    fn from(rule: R) -> Self {
        Self::new(rule)
    }
}

/// Makes an optimizer with the rule's default learning rate.
// One impl per element type: in an impl for any `F`, the compiler could not rule out that an optimizer is itself a
// rule.
impl<R: UpdateRule<f64>> From<R> for Optimizer<f64> {
    fn from(rule: R) -> Self {
        Self::new(rule)
    }
}

/// Leaves out the state, which has as many values as the model.
impl<F: Scalar> std::fmt::Debug for Optimizer<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Optimizer")
            .field("rule", &self.rule)
            .field("next_rate", &self.learning_rate_at(self.step + 1))
            .field("clipping", &self.clipping)
            .field("groups", &self.groups)
            .field("batches_per_step", &self.batches_per_step)
            .field("average", &self.averages.how)
            .field("steps", &self.step)
            .finish_non_exhaustive()
    }
}
