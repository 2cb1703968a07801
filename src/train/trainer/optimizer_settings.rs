//! Optimizer settings on [`Trainer`].

use super::Trainer;
use crate::kernels::Scalar;
use crate::losses::Loss;
use crate::optim::{Averaging, Group, Optimizer, ReduceOnPlateau, Schedule};

impl<F: Scalar, L: Loss<F>> Trainer<L, F> {
    /// Sets the learning rate: a number, a closure from the step (counted from 1) to the learning rate, or any
    /// [`Schedule`].
    ///
    /// It calls [`Optimizer::learning_rate`] of the trainer's optimizer.
    #[must_use]
    pub fn learning_rate(mut self, rate: impl Schedule + 'static) -> Self {
        self.run.optimizer = self.run.optimizer.learning_rate(rate);
        self
    }

    /// Scales gradients down if their global norm is above `norm`: see [`Optimizer::clip_norm`].
    ///
    /// The norm is taken before clipping, over all parameters together. For other kinds of clipping, make the trainer
    /// with an [`Optimizer`] that has them set.
    #[must_use]
    pub fn clip_norm(mut self, norm: f64) -> Self {
        self.run.optimizer = self.run.optimizer.clip_norm(norm);
        self
    }

    /// Adds a [`Group`]: parameters with a separate learning rate, weight decay, penalty (L1, L2) or limit (max-norm).
    #[must_use]
    pub fn group(mut self, group: Group) -> Self {
        self.run.optimizer = self.run.optimizer.group(group);
        self
    }

    /// Averages the weights over the steps: see [`Averaging`].
    ///
    /// The model contains the averages during validation, in callbacks at the end of an epoch, and when
    /// [`fit`](Trainer::fit) returns. A further epoch, a further `fit` and [`step`](Trainer::step) continue from the
    /// weights before averaging.
    ///
    /// ```
    /// use plywood::optim::Averaging;
    /// use plywood::prelude::*;
    ///
    /// let inputs = plywood::ndarray::Array2::from_shape_fn((64, 3), |(i, j)| (i * j % 7) as f32);
    /// let data = ArrayDataset::new(inputs, (0..64).map(|i| i % 2).collect::<Vec<_>>())?;
    /// let mut model = Sequential::builder([3]).layer(Dense::units(2)).layer(Softmax).build()?;
    /// let trainer = Trainer::new(CrossEntropy::default(), Adam::default()).average(Averaging::exponential(0.9));
    /// let mut trainer = trainer.epochs(3).validation_split(0.25).progress(Progress::Silent);
    /// let history = trainer.fit(&mut model, &data)?;
    /// let tail = plywood::data::Subset::new::<f32>(&data, (48..64).collect())?;
    /// assert_eq!(Some(trainer.evaluate(&model, &tail)?.loss), history.last("val_loss"));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn average(mut self, averaging: Averaging) -> Self {
        self.run.optimizer = self.run.optimizer.average(averaging);
        self
    }

    /// Accumulates gradients over `batches` batches and steps with their mean: see [`Optimizer::batches_per_step`].
    ///
    /// If the number of batches in an epoch is not a multiple, the epoch ends with a step for the remaining ones.
    /// Callbacks are called after each batch, whether or not it completed a step.
    #[must_use]
    pub fn batches_per_step(mut self, batches: u64) -> Self {
        self.run.optimizer = self.run.optimizer.batches_per_step(batches);
        self
    }

    /// Lowers the learning rate whenever a monitored value stops improving: see [`ReduceOnPlateau`].
    ///
    /// If an epoch has no such value, `fit` returns an error that lists the available ones.
    #[must_use]
    pub fn reduce_on_plateau(mut self, plateau: ReduceOnPlateau) -> Self {
        self.run.optimizer = self.run.optimizer.reduce_on_plateau(plateau);
        self
    }

    /// Returns the optimizer with its state.
    ///
    /// It contains the step count and the learning rate: `trainer.optimizer().learning_rate_at(1000)`.
    pub fn optimizer(&self) -> &Optimizer<F> {
        &self.run.optimizer
    }

    /// Returns the optimizer by `&mut`, for example to restore a saved state with [`Optimizer::load_state`].
    pub fn optimizer_mut(&mut self) -> &mut Optimizer<F> {
        &mut self.run.optimizer
    }
}
