//! Averages of the weights over the steps.
//!
//! The weights of a run jump about the bottom of a valley, by steps as long as the learning rate is high. Their mean
//! lies nearer to the bottom than any of them, so it predicts better than the last weights do, about as if the learning
//! rate had been lowered to 0.
//!
//! So there are two sets of weights: those that are trained, and those for evaluation. The model holds one set, and the
//! optimizer the other under the same names. [`Averages::exchange`] swaps the arrays themselves, so it costs almost
//! nothing and is exact in both directions.

use super::check_share;
use super::slots::{Slot, check_shape, find};
use super::update_param::LEAST_NUMBERS;
use crate::error::{Error, Result};
use crate::kernels::{Scalar, threads};
use crate::nn::Parameters;
use crate::param::ParamKind;
use crate::tensor::{Tensor, copy, slice_mut};

/// How weights are averaged over the steps, for validation and for the model at the end of training.
///
/// ```text
/// exponential    average = average + (1 - decay) · (w - average)
/// uniform        average = average + (w - average) / n          for the nth average taken
/// ```
///
/// The first average is the weights themselves. Polyak and Juditsky, "Acceleration of stochastic approximation by
/// averaging", 1992; uniform over the last part of a run: Izmailov and others, "Averaging weights leads to wider optima
/// and better generalization" (stochastic weight averaging), 2018.
///
/// ```
/// use plywood::prelude::*;
/// use plywood::optim::Averaging;
///
/// let optimizer: Optimizer = Optimizer::new(Adam::default()).average(Averaging::exponential(0.999));
/// let trainer = Trainer::new(CrossEntropy::default(), optimizer);
///
/// // Over the second half of 10,000 steps, once in an epoch of 500.
/// let averaging = Averaging::uniform().from_step(5_000).every(500);
/// let optimizer: Optimizer = Optimizer::new(SGD::default().momentum(0.9)).average(averaging);
/// # let _: Trainer<_, f32> = Trainer::new(CrossEntropy::default(), optimizer);
/// # let _: Trainer<_, f32> = trainer;
/// ```
///
/// A [`Trainer`](crate::train::Trainer) puts the averages into the model at the end of each epoch, so validation,
/// callbacks and the model after `fit` use them; a further epoch continues with the trained weights. In a custom
/// training loop, call [`Optimizer::evaluation_weights`](crate::optim::Optimizer::evaluation_weights) and
/// [`training_weights`](crate::optim::Optimizer::training_weights).
///
/// Buffers, such as the running means of a batch normalization, are averaged with the weights they belong to. Frozen
/// parameters are not. The averages take as much memory as the parameters, and each one takes one pass over the
/// parameters. PyTorch: `torch.optim.swa_utils.AveragedModel` with `use_buffers`; Keras: `use_ema`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Averaging {
    /// `None` for a uniform mean.
    decay: Option<f64>,
    from: u64,
    every: u64,
}

impl Averaging {
    /// An exponential moving average with this `decay` per step: at least 0 and below 1.
    ///
    /// It looks back over about `1 / (1 - decay)` steps: use 0.99 for runs of some hundred steps, 0.999 for thousands.
    pub fn exponential(decay: f64) -> Self {
        Self { decay: Some(decay), from: 1, every: 1 }
    }

    /// The plain mean of all weights that are averaged.
    pub fn uniform() -> Self {
        Self { decay: None, from: 1, every: 1 }
    }

    /// Sets the first step whose weights are averaged; the default is 1. Before it there is no average, and the model
    /// is evaluated as it is.
    #[must_use]
    pub fn from_step(mut self, step: u64) -> Self {
        self.from = step;
        self
    }

    /// Averages the weights of every `steps` steps only, counted from the first one averaged; the default is 1.
    #[must_use]
    pub fn every(mut self, steps: u64) -> Self {
        self.every = steps;
        self
    }

    pub(super) fn check(self) -> Result<()> {
        check_share("the decay of averages", self.decay.unwrap_or(0.0))?;
        if self.every == 0 {
            return Err(Error::argument("the number of steps between averages", "at least 1", 0)
                .help("1 takes the weights of each step."));
        }
        Ok(())
    }
}

/// The averages; or, while these are in the model, the trained weights.
pub(super) struct Averages<F: Scalar> {
    pub how: Option<Averaging>,
    /// Named after the parameters, in the order of the model's visits.
    pub arrays: Vec<(String, Tensor<F>)>,
    /// How many times the weights were averaged.
    pub taken: u64,
    /// True if the model holds the weights for evaluation, and `arrays` the trained ones.
    pub exchanged: bool,
}

impl<F: Scalar> Averages<F> {
    pub fn none() -> Self {
        Self { how: None, arrays: Vec::new(), taken: 0, exchanged: false }
    }

    /// Adds the weights of this step to the averages, if the settings include this step.
    pub fn take<M: Parameters<F> + ?Sized>(&mut self, model: &M, step: u64) {
        let Some(Averaging { decay, from, every }) = self.how else { return };
        if step < from || !(step - from).is_multiple_of(every.max(1)) {
            return;
        }
        self.taken += 1;
        let share = F::of(decay.map_or(1.0 / self.taken as f64, |decay| 1.0 - decay));
        let mut position = 0;
        model.each_param(&mut |name, param| match find(&self.arrays, position, name) {
            // Also of a parameter that was frozen since: its average goes on towards its value.
            Some(at) => {
                approach(slice_mut(&mut self.arrays[at].1), share, param.as_slice());
                position = at + 1;
            }
            None if param.kind() == ParamKind::Frozen => {}
            None => {
                self.arrays.push((name.to_owned(), copy(param.value())));
                position = self.arrays.len();
            }
        });
    }

    /// Computes the weights for evaluation of a rule that averages by itself, from the weights and the slots of each
    /// parameter that has some.
    pub fn refill<M: Parameters<F> + ?Sized>(
        &mut self,
        model: &M,
        slots: &[Slot<F>],
        evaluation: impl Fn(&mut [F], &[Tensor<F>]),
    ) {
        let (mut position, mut slot_position) = (0, 0);
        model.each_param(&mut |name, param| {
            let Some(slot) = find(slots, slot_position, name) else { return };
            slot_position = slot + 1;
            let at = find(&self.arrays, position, name).unwrap_or_else(|| {
                self.arrays.push((name.to_owned(), copy(param.value())));
                self.arrays.len() - 1
            });
            position = at + 1;
            let array = slice_mut(&mut self.arrays[at].1);
            if array.len() == param.len() {
                array.copy_from_slice(param.as_slice());
                evaluation(array, &slots[slot].1);
            }
        });
    }

    /// Swaps the arrays with those of the model. Does nothing if there are none yet.
    pub fn exchange<M: Parameters<F> + ?Sized>(&mut self, model: &mut M) -> Result<()> {
        if self.arrays.is_empty() {
            return Ok(());
        }
        self.check(model)?;
        let mut position = 0;
        model.each_param_mut(&mut |name, param| {
            // Frozen parameters too, which may have been trained before: all are in the model, or none.
            if let Some(at) = find(&self.arrays, position, name) {
                param.exchange(&mut self.arrays[at].1);
                position = at + 1;
            }
        });
        self.exchanged = !self.exchanged;
        Ok(())
    }

    /// Checks that the averages have the shapes of this model's parameters; averages belong to one model, as the rest
    /// of an optimizer's state does.
    pub fn check<M: Parameters<F> + ?Sized>(&self, model: &M) -> Result<()> {
        let (mut result, mut position) = (Ok(()), 0);
        if self.arrays.is_empty() {
            return result;
        }
        model.each_param(&mut |name, param| {
            if let Some(at) = find(&self.arrays, position, name) {
                position = at + 1;
                if result.is_ok() {
                    result = check_shape(name, self.arrays[at].1.shape(), param.shape());
                }
            }
        });
        result
    }
}

/// Computes `average += share · (value - average)`, on several threads if it is large enough.
fn approach<F: Scalar>(average: &mut [F], share: F, value: &[F]) {
    let parts = threads::parts(value.len(), LEAST_NUMBERS);
    if parts == 1 {
        F::approach(average, share, value);
        return;
    }
    let length = value.len().div_ceil(parts);
    let cut = average.chunks_mut(length).zip(value.chunks(length));
    threads::each(cut, |(average, value)| F::approach(average, share, value));
}
