//! What a trainer hands on to its optimizer.

use super::Trainer;
use crate::kernels::Scalar;
use crate::losses::Loss;
use crate::optim::{Averaging, Group, Optimizer, ReduceOnPlateau, Schedule};

impl<F: Scalar, L: Loss<F>> Trainer<L, F> {
    /// The rate: a number, a closure from the step (from 1) to the rate, or any [`Schedule`].
    ///
    /// It is [`Optimizer::learning_rate`] of the trainer's optimizer.
    #[must_use]
    pub fn learning_rate(mut self, rate: impl Schedule + 'static) -> Self {
        self.run.optimizer = self.run.optimizer.learning_rate(rate);
        self
    }

    /// Scales gradients down where their common norm is above this: see [`Optimizer::clip_norm`].
    ///
    /// It is the norm before clipping that is compared, over all parameters together. Other kinds of clipping are set
    /// on an [`Optimizer`] that the trainer is made with.
    #[must_use]
    pub fn clip_norm(mut self, norm: f64) -> Self {
        self.run.optimizer = self.run.optimizer.clip_norm(norm);
        self
    }

    /// Adds a [`Group`]: parameters with a rate, a weight decay, a penalty (L1, L2) or a limit (max-norm) of their own.
    #[must_use]
    pub fn group(mut self, group: Group) -> Self {
        self.run.optimizer = self.run.optimizer.group(group);
        self
    }

    /// Averages the weights over the steps: see [`Averaging`].
    ///
    /// The averages are in the model when it is validated, when callbacks see it at the end of an epoch, and when
    /// [`fit`](Trainer::fit) returns. A further epoch, a further `fit` and [`step`](Trainer::step) train the weights as
    /// they were.
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

    /// One step for so many batches, with the mean of their gradients: see [`Optimizer::batches_per_step`].
    ///
    /// An epoch whose number of batches is not a multiple ends with a step for those that are left. Callbacks are
    /// called after each batch, whether or not it made a step.
    #[must_use]
    pub fn batches_per_step(mut self, batches: u64) -> Self {
        self.run.optimizer = self.run.optimizer.batches_per_step(batches);
        self
    }

    /// Lowers the rate each time a value of the epochs stops getting better: see [`ReduceOnPlateau`].
    ///
    /// An epoch without the value it watches is an error, which lists those there are.
    #[must_use]
    pub fn reduce_on_plateau(mut self, plateau: ReduceOnPlateau) -> Self {
        self.run.optimizer = self.run.optimizer.reduce_on_plateau(plateau);
        self
    }

    /// The optimizer, with its state.
    ///
    /// It has the count of steps and the rate: `trainer.optimizer().learning_rate_at(1000)`.
    pub fn optimizer(&self) -> &Optimizer<F> {
        &self.run.optimizer
    }

    /// The optimizer, to be changed: to put a saved state back by [`Optimizer::load_state`].
    pub fn optimizer_mut(&mut self) -> &mut Optimizer<F> {
        &mut self.run.optimizer
    }
}
