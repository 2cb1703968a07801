//! The trait `UpdateRule`, and the types it is given.

use crate::error::Result;
use crate::kernels::Scalar;
use crate::state::{Kind, State};
use crate::tensor::Tensor;
use std::cell::Cell;
use std::fmt::Debug;

/// An update rule: how one parameter's values change, given their gradient.
///
/// Everything common to all rules is in [`Optimizer`](crate::optim::Optimizer): it stores the state of each parameter,
/// counts the steps, asks the schedule for the learning rate, clips, knows groups of parameters and averages weights.
/// Each parameter has a fixed number of *slots*: arrays in the parameter's shape, 0 at first (a momentum, a mean of
/// squares). Values that all parameters share are fields of the rule. They are changed in
/// [`begin_step`](UpdateRule::begin_step) and saved by [`state`](UpdateRule::state).
///
/// | rule | slots | default learning rate | memory in addition to the parameters |
/// |---|---|---|---|
/// | [`SGD`](crate::optim::SGD) | 0, or 1 with momentum | 0.01 | none, or as much again |
/// | [`Adam`](crate::optim::Adam), [`AdamW`](crate::optim::AdamW) | 2, or 3 with AMSGrad | 0.001 | twice or three times as much |
/// | [`RMSprop`](crate::optim::RMSprop) | 1, one more centred, one more with momentum | 0.001 | as much again for each |
/// | [`Adagrad`](crate::optim::Adagrad) | 1 | 0.01 | as much again |
/// | [`Adadelta`](crate::optim::Adadelta) | 2 | 1 | twice as much |
/// | [`Adamax`](crate::optim::Adamax), [`NAdam`](crate::optim::NAdam) | 2 | 0.002 | twice as much |
/// | [`RAdam`](crate::optim::RAdam) | 2 | 0.001 | twice as much |
/// | [`Lion`](crate::optim::Lion) | 1 | 0.0001 | as much again |
/// | [`Muon`](crate::optim::Muon) | 2 | 0.001 | twice as much |
/// | [`ScheduleFreeAdamW`](crate::optim::ScheduleFreeAdamW) | 2 | 0.0025 | twice as much, and as much again in evaluation |
///
/// In PyTorch an optimizer is given the list of parameters when it is created. Here it is given the model at each step,
/// and finds a parameter's state by the parameter's name.
///
/// ```
/// use plywood::ndarray::Array2;
/// use plywood::prelude::*;
/// use plywood::io::Kind;
/// use plywood::optim::{UpdateRule, Step, Update};
///
/// /// `value -= rate · sign(gradient)`: Riedmiller and Braun's idea in its simplest form.
/// #[derive(Debug)]
/// struct SignDescent;
///
/// impl<F: Scalar> UpdateRule<F> for SignDescent {
///     fn kind(&self) -> Kind {
///         const { Kind::own("my_crate.sign_descent") }
///     }
///     fn default_learning_rate(&self) -> f64 {
///         1e-4
///     }
///     fn slots(&self) -> usize {
///         0
///     }
///     fn update(&self, update: Update<'_, F>, step: Step) {
///         let rate = F::of(step.learning_rate);
///         for (value, gradient) in update.value.iter_mut().zip(update.gradient) {
///             *value -= rate * gradient.signum();
///         }
///     }
/// }
///
/// let mut model = Sequential::builder([3]).layer(Dense::units(1)).build()?;
/// let data = ArrayDataset::new(Array2::<f32>::ones((8, 3)), Array2::<f32>::zeros((8, 1)))?;
/// let mut trainer = Trainer::new(MeanSquaredError, SignDescent).learning_rate(1e-3).epochs(3).batch_size(4);
/// trainer = trainer.progress(Progress::Silent);
/// let history = trainer.fit(&mut model, &data)?;
/// assert!(history.last("loss") < history.first("loss"));
/// # Ok::<(), plywood::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an optimizer's rule for parameters of `{F}`",
    note = "implement `plywood::optim::UpdateRule<{F}>`; the type needs `Debug`"
)]
pub trait UpdateRule<F: Scalar = f32>: Debug + Send + Sync + 'static {
    /// Returns the name under which the rule's state is saved, such as `const { Kind::own("my_crate.lion") }`.
    ///
    /// A checkpoint can be resumed only with a rule of the kind it was written with.
    fn kind(&self) -> Kind;

    /// Returns the rule's own values: hyperparameters, and values that all parameters share. By default the state is
    /// empty.
    ///
    /// Values missing here are missing from checkpoints, and are not restored after
    /// [`find_learning_rate`](crate::train::Trainer::find_learning_rate), which uses this rule, not a copy.
    ///
    /// ```
    /// use plywood::io::{Kind, State};
    /// use plywood::optim::{Step, Update, UpdateRule};
    /// use plywood::prelude::*;
    ///
    /// /// Gradient descent whose learning rate can be halved any number of times.
    /// #[derive(Debug)]
    /// struct Halved {
    ///     halvings: u64,
    /// }
    ///
    /// impl<F: Scalar> UpdateRule<F> for Halved {
    ///     fn kind(&self) -> Kind {
    ///         const { Kind::own("my_crate.halved") }
    ///     }
    ///     fn state(&self) -> State<F> {
    ///         State::new().integer("halvings", self.halvings)
    ///     }
    ///     fn load_state(&mut self, state: &mut State<F>) -> Result<()> {
    ///         self.halvings = state.take_integer("halvings")?;
    ///         Ok(())
    ///     }
    ///     fn default_learning_rate(&self) -> f64 {
    ///         0.1
    ///     }
    ///     fn slots(&self) -> usize {
    ///         0
    ///     }
    ///     fn update(&self, update: Update<'_, F>, step: Step) {
    ///         let rate = F::of(step.learning_rate * 0.5f64.powi(self.halvings as i32));
    ///         for (value, gradient) in update.value.iter_mut().zip(update.gradient) {
    ///             *value -= rate * *gradient;
    ///         }
    ///     }
    /// }
    /// let trainer = Trainer::new(MeanSquaredError, Halved { halvings: 2 });
    /// # let _: plywood::train::Trainer<_, f32> = trainer;
    /// ```
    fn state(&self) -> State<F> {
        State::new()
    }

    /// Restores the values from [`state`](UpdateRule::state). It must take every entry out of `state`.
    ///
    /// # Errors
    /// If an entry is missing. The optimizer then restores the rule's previous state.
    fn load_state(&mut self, state: &mut State<F>) -> Result<()> {
        let _ = state;
        Ok(())
    }

    /// Returns the learning rate used if the user sets none.
    ///
    /// [`Optimizer::new`](crate::optim::Optimizer::new) calls it once. Return the learning rate that the rule was
    /// published with or that the large frameworks use, so that `Trainer::new(loss, YourRule::default())` does
    /// something sensible.
    fn default_learning_rate(&self) -> f64;

    /// Returns the number of slots of each parameter: arrays in its shape (TensorFlow's slot variables).
    ///
    /// The number must not change: slots are allocated, filled with 0, when a parameter is first seen. There may be up to 8. [`Update::slots`] has as many slices, in the same order at
    /// each step.
    fn slots(&self) -> usize;

    /// Returns the weight decay of parameters for which no [`Group`](crate::optim::Group) sets another one; `None` for
    /// a rule that has no decay.
    ///
    /// The optimizer checks it (at least 0 and finite) and passes it on in [`Step::weight_decay`], where a group may
    /// have changed it. How to apply it is up to the rule.
    fn weight_decay(&self) -> Option<f64> {
        None
    }

    /// Returns what one call of [`update`](UpdateRule::update) needs to see: single elements, or a whole parameter.
    ///
    /// The default is [`Granularity::Elements`]. A rule whose step for one element depends on other elements of the
    /// parameter (a norm of the layer as in LARS, an orthogonalized matrix as in Muon) needs
    /// [`Granularity::Parameter`]. It is then never given a part of a parameter, at the cost of a full-size gradient
    /// even if a batch touched only a few rows of an embedding.
    fn granularity(&self) -> Granularity {
        Granularity::Elements
    }

    /// Checks the rule's hyperparameters, and changes the values that all parameters share. It is called once at the
    /// beginning of each step.
    ///
    /// Hyperparameters are checked here and not in constructors: a builder that returned a `Result` after each setting
    /// would be a nuisance, and values read from a file have to be checked as well.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// let mut model = Sequential::builder([1]).layer(Dense::units(2)).build()?;
    /// let before = model.forward(arr2(&[[1.0]]).into_dyn())?;
    /// let mut optimizer: Optimizer = SGD::default().momentum(1.5).into();
    /// let error = optimizer.step(&mut model).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "the optimizer: `momentum` must be at least 0 and below 1, got 1.5. 0.9 is a usual value."
    /// );
    /// assert_eq!(model.forward(arr2(&[[1.0]]).into_dyn())?, before);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a hyperparameter is out of range; the model is unchanged then.
    fn begin_step(&mut self, step: Step) -> Result<()> {
        let _ = step;
        Ok(())
    }

    /// Changes the values of a parameter, or of a part of one if the granularity is [`Granularity::Elements`].
    ///
    /// `self` is shared: only `update.value` and `update.slots` change. So the result cannot depend on which parameter
    /// comes first. All slices have the length of `update.value`.
    ///
    /// It cannot fail: [`begin_step`](UpdateRule::begin_step) has checked the hyperparameters, and the lengths are
    /// right by construction.
    fn update(&self, update: Update<'_, F>, step: Step);

    /// Returns whether the rule keeps an average of its own, so that the weights for evaluation differ from the trained
    /// ones.
    ///
    /// If so, [`Optimizer::evaluation_weights`](crate::optim::Optimizer::evaluation_weights) calls
    /// [`evaluation`](UpdateRule::evaluation). Few rules override it.
    fn averages(&self) -> bool {
        false
    }

    /// Turns the trained weights of a parameter into those for evaluation, given its slots.
    ///
    /// It is called if [`averages`](UpdateRule::averages) returns true. The optimizer keeps the trained weights
    /// meanwhile.
    fn evaluation(&self, value: &mut [F], slots: &[Tensor<F>]) {
        let _ = (value, slots);
    }
}

/// A boxed rule behaves as the rule inside.
// A default method that is missing here would be called in place of the rule's own, and change results silently.
#[deny(clippy::missing_trait_methods)]
impl<F: Scalar, R: UpdateRule<F> + ?Sized> UpdateRule<F> for Box<R> {
    fn kind(&self) -> Kind {
        (**self).kind()
    }

    fn state(&self) -> State<F> {
        (**self).state()
    }

    fn load_state(&mut self, state: &mut State<F>) -> Result<()> {
        (**self).load_state(state)
    }

    fn default_learning_rate(&self) -> f64 {
        (**self).default_learning_rate()
    }

    fn slots(&self) -> usize {
        (**self).slots()
    }

    fn weight_decay(&self) -> Option<f64> {
        (**self).weight_decay()
    }

    fn granularity(&self) -> Granularity {
        (**self).granularity()
    }

    fn begin_step(&mut self, step: Step) -> Result<()> {
        (**self).begin_step(step)
    }

    fn update(&self, update: Update<'_, F>, step: Step) {
        (**self).update(update, step);
    }

    fn averages(&self) -> bool {
        (**self).averages()
    }

    fn evaluation(&self, value: &mut [F], slots: &[Tensor<F>]) {
        (**self).evaluation(value, slots);
    }
}

/// How much of a parameter an [`UpdateRule`] must see at once.
///
/// The difference matters most with sparse gradients. An embedding of 50,000 rows of which a batch touches 200 has a
/// gradient of 200 rows. A rule of granularity [`Elements`](Granularity::Elements) is called for these rows alone; all
/// other rows and their state stay as they are. This is a lazy update: a momentum does not decay in steps that do not
/// touch its row. PyTorch's `SparseAdam` and TensorFlow's `LazyAdam` do the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Granularity {
    /// Each element on its own: the rule may be given any part of a parameter, such as the rows of an embedding that a
    /// batch touched.
    ///
    /// The rule must give the same values however a parameter is split into parts.
    Elements,
    /// The whole array at once, as a rule for matrices needs it.
    ///
    /// A sparse gradient is expanded to the parameter's size first, and [`Update::shape`] is the parameter's shape.
    Parameter,
}

/// The number of a step, with its learning rate and weight decay.
///
/// The number is the same for all parameters of a step. Bias corrections, warm-ups and the like are functions of
/// `number`, so a rule needs no counter of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// The number of this step, counted from 1 over all epochs and calls of `fit`.
    pub number: u64,
    /// The learning rate of this step: the schedule's value times the factors of the parameter's groups. Finite and at
    /// least 0. In [`UpdateRule::begin_step`] it is the value without groups.
    pub learning_rate: f64,
    /// The weight decay: that of [`UpdateRule::weight_decay`], or of the parameter's group. Finite and at least 0.
    pub weight_decay: f64,
}

impl Step {
    /// Creates a step without weight decay, for testing a custom rule on its own.
    pub fn new(number: u64, learning_rate: f64) -> Self {
        Self { number, learning_rate, weight_decay: 0.0 }
    }

    /// Returns `share^number`. A rule needs the same one or two powers for every part of every parameter, and a power
    /// costs as much as the update of a hundred elements: each thread caches the last two.
    pub(super) fn power(self, share: f64) -> f64 {
        thread_local! {
            static LAST: Cell<[(f64, u64, f64); 2]> = const { Cell::new([(0.0, 0, 1.0); 2]) };
        }
        let [last, before] = LAST.get();
        let of = |&(of, number, _): &(f64, u64, f64)| (of, number) == (share, self.number);
        if let Some((.., power)) = [last, before].into_iter().find(of) {
            return power;
        }
        let power = share.powf(self.number as f64);
        LAST.set([(share, self.number, power), last]);
        power
    }
}

/// The slices that an [`UpdateRule`] works on, all of one length.
///
/// | field | what it is | how the rule uses it |
/// |---|---|---|
/// | `value` | the parameter's values | reads and writes |
/// | `gradient` | the derivative of the loss with respect to each value, after clipping | reads |
/// | `slots` | [`UpdateRule::slots`] arrays, 0 at first, then as the rule left them | reads and writes |
/// | `shape` | the array's shape | reads, if the granularity is [`Granularity::Parameter`] |
///
/// All slices are in row-major order.
#[derive(Debug)]
#[non_exhaustive]
pub struct Update<'a, F> {
    /// The parameter's values, to be changed in place.
    pub value: &'a mut [F],
    /// The gradient of the loss with respect to them; of the mean loss over the batch, for the losses of this crate.
    pub gradient: &'a [F],
    /// The parameter's slots, as many slices as [`UpdateRule::slots`] returns. A slice pattern destructures them: `let
    /// [first, second] = update.slots`.
    pub slots: &'a mut [&'a mut [F]],
    /// The parameter's shape; for a part of a parameter, only the part's length.
    pub shape: &'a [usize],
}

impl<'a, F> Update<'a, F> {
    /// Creates an update of a parameter with one axis, for testing a custom rule on its own.
    ///
    /// ```
    /// use plywood::optim::{UpdateRule, SGD, Step, Update};
    ///
    /// let (mut value, shape) = ([1.0, 2.0], [2]);
    /// let update = Update::new(&mut value, &[10.0, 0.0], &mut [], &shape);
    /// SGD::default().update(update, Step::new(1, 0.1));
    /// assert_eq!(value, [0.0, 2.0]);
    /// ```
    pub fn new(
        value: &'a mut [F],
        gradient: &'a [F],
        slots: &'a mut [&'a mut [F]],
        shape: &'a [usize],
    ) -> Self {
        Self { value, gradient, slots, shape }
    }
}
