//! The settings of an optimizer: learning rate, clipping, groups, averaging, batches per step.

use super::Optimizer;
use crate::kernels::Scalar;
use crate::optim::{Averaging, Group, ReduceOnPlateau, Schedule};

impl<F: Scalar> Optimizer<F> {
    /// Sets the learning rate: a number, a closure from the step (from 1) to the learning rate, or any [`Schedule`].
    ///
    /// It replaces the rule's default. The step count is not reset, so a schedule set in the middle of training
    /// continues at the present step.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let optimizer: Optimizer = Optimizer::new(Adam::default());
    /// assert_eq!(optimizer.learning_rate_at(1), 0.001);
    /// let optimizer = optimizer.learning_rate(|step| 1.0 / step as f64);
    /// assert_eq!(optimizer.learning_rate_at(4), 0.25);
    /// ```
    #[must_use]
    pub fn learning_rate(mut self, rate: impl Schedule + 'static) -> Self {
        (self.rate, self.set_rate) = (Box::new(rate), None);
        self.checked = false;
        self
    }

    /// Scales all gradients down together if their common norm is above `norm` (Pascanu, Mikolov and Bengio, "On the
    /// difficulty of training recurrent neural networks", 2013): each is multiplied by `min(1, norm / (‖g‖ + 1e-6))`,
    /// as in PyTorch's `clip_grad_norm_`.
    ///
    /// It takes two passes over the gradients and allocates nothing. `norm` is checked at the step: 0, a negative
    /// number, an infinite one and NaN are errors. Gradients whose norm is not finite are an error too, as no factor
    /// could repair them: the error names the parameter, the step is not taken, and the gradients are discarded.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// let mut model = Sequential::<f64>::builder_of([1]).layer(Dense::units(1)).build()?;
    /// let (x, t) = (arr2(&[[1.0]]).into_dyn(), arr2(&[[1e9]]).into_dyn());
    /// let before = model.forward(x.clone())?[[0, 0]];
    /// let mut optimizer = Optimizer::new(SGD::default()).learning_rate(1.0).clip_norm(1.0);
    /// plywood::train::accumulate(&mut model, &MeanSquaredError, x.clone(), &t, None)?;
    /// optimizer.step(&mut model)?;
    /// // Weight and bias have the same gradient, so each moves by 1 / √2.
    /// assert!((model.forward(x)?[[0, 0]] - before - 2f64.sqrt()).abs() < 1e-6);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// The norm is summed in `f64` for both element types, so squares do not overflow.
    #[must_use]
    pub fn clip_norm(mut self, norm: f64) -> Self {
        self.clipping.norm = Some(norm);
        self
    }

    /// Scales the gradient of each parameter down on its own if its norm is above `norm`: Keras' `clipnorm`.
    ///
    /// The formula is that of [`clip_norm`](Optimizer::clip_norm), with the parameter's own norm. It changes the
    /// direction of the step, as parameters with long gradients are scaled down and the others are not.
    #[must_use]
    pub fn clip_norm_per_parameter(mut self, norm: f64) -> Self {
        self.clipping.parameter_norm = Some(norm);
        self
    }

    /// Clips each element of each gradient to the range from `-value` to `value`: PyTorch's `clip_grad_value_`, Keras'
    /// `clipvalue`. `value` must be greater than 0. NaN stays NaN.
    ///
    /// Several kinds of clipping may be combined. They are applied in the order: by value, by the norm of each
    /// parameter, by the norm of all.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// let mut model = Sequential::<f64>::builder_of([1]).layer(Dense::units(1)).build()?;
    /// let (x, t) = (arr2(&[[1.0]]).into_dyn(), arr2(&[[1e9]]).into_dyn());
    /// let before = model.forward(x.clone())?[[0, 0]];
    /// let mut optimizer = Optimizer::new(SGD::default()).learning_rate(1.0).clip_value(0.5);
    /// plywood::train::accumulate(&mut model, &MeanSquaredError, x.clone(), &t, None)?;
    /// optimizer.step(&mut model)?; // weight and bias move by 0.5 each
    /// assert!((model.forward(x)?[[0, 0]] - before - 1.0).abs() < 1e-12);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn clip_value(mut self, value: f64) -> Self {
        self.clipping.value = Some(value);
        self
    }

    /// Adds a [`Group`]: a learning rate, a weight decay, a penalty or a limit for some of the parameters.
    #[must_use]
    pub fn group(mut self, group: Group) -> Self {
        self.groups.push(group);
        self.checked = false;
        self
    }

    /// Averages the weights over the steps, for evaluation: see [`Averaging`].
    #[must_use]
    pub fn average(mut self, averaging: Averaging) -> Self {
        self.averages.how = Some(averaging);
        self
    }

    /// Accumulates gradients over `batches` batches and takes one step with the mean over all their samples, for
    /// example an effective batch of 256 in the memory of 32.
    ///
    /// Call [`step`](Optimizer::step) after each batch as before. It counts the batches, leaves the gradients to
    /// [`accumulate`](crate::train::accumulate), and changes the parameters at every `batches`th call. At the end of
    /// each epoch a [`Trainer`](crate::train::Trainer) takes a step with the remaining batches
    /// ([`flush`](Optimizer::flush)). The default is 1; 0 is an error of the first step.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// let mut model = Sequential::builder([1]).layer(Dense::units(1)).build()?;
    /// let mut optimizer = Optimizer::new(SGD::default()).batches_per_step(2);
    /// for target in [1.0, 2.0, 3.0] {
    ///     let (x, t) = (arr2(&[[1.0]]).into_dyn(), arr2(&[[target]]).into_dyn());
    ///     plywood::train::accumulate(&mut model, &MeanSquaredError, x, &t, None)?;
    ///     optimizer.step(&mut model)?;
    /// }
    /// assert_eq!(optimizer.steps(), 1);
    /// optimizer.flush(&mut model)?; // the third batch
    /// assert_eq!(optimizer.steps(), 2);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// Every sample has the same weight, in a smaller last batch too, so without batch normalization the step equals
    /// that of the large batch. In PyTorch this is `loss / batches` and a call of `step` once per `batches` batches; in
    /// Keras it is `gradient_accumulation_steps`.
    #[must_use]
    pub fn batches_per_step(mut self, batches: u64) -> Self {
        self.batches_per_step = batches;
        self
    }

    /// Lowers the learning rate each time a value stops improving: see [`ReduceOnPlateau`].
    #[must_use]
    pub fn reduce_on_plateau(mut self, plateau: ReduceOnPlateau) -> Self {
        self.plateau.how = Some(plateau);
        self
    }
}
