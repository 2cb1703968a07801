//! What every rule of an optimizer implements, and what it is given.

use crate::error::Result;
use crate::kernels::Scalar;
use crate::state::{Kind, State};
use crate::tensor::Tensor;
use std::cell::Cell;
use std::fmt::Debug;

/// An optimizer's rule: how one parameter's numbers change, given their gradient.
///
/// What is common to all rules is not in here: [`Optimizer`](crate::optim::Optimizer) keeps what there is of each parameter, counts the steps,
/// asks the schedule for the rate, clips, knows groups of parameters and averages weights. Each parameter has a fixed
/// number of *slots*: arrays in the parameter's shape, 0 at first (a momentum, a mean of squares). Numbers that all
/// parameters share belong into the rule's own fields, are changed in [`begin_step`](UpdateRule::begin_step), and are
/// saved by [`state`](UpdateRule::state).
///
/// | rule | slots | default rate | memory beside the parameters |
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
/// In PyTorch an optimizer is given the list of parameters when it is made. Here it is given the model at each
/// step, and finds a parameter's state by the parameter's name.
///
/// ```
/// use plywood::ndarray::Array2;
/// use plywood::prelude::*;
/// use plywood::io::Kind;
/// use plywood::optim::{UpdateRule, Step, Update};
///
/// /// `value -= rate · sign(gradient)`: Riedmiller and Braun's idea at its barest.
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
    /// The name under which its state is saved, such as `const { Kind::own("my_crate.lion") }`.
    ///
    /// A checkpoint is resumed only with a rule of the kind that it was written with.
    fn kind(&self) -> Kind;

    /// Its numbers: hyper-parameters, and what all parameters share. Unless it is written, there are none.
    ///
    /// What is not in here is not in a checkpoint.
    ///
    /// ```
    /// use plywood::io::{Kind, State};
    /// use plywood::optim::{Step, Update, UpdateRule};
    /// use plywood::prelude::*;
    ///
    /// /// Descent with a rate that is halved whenever it is told to.
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

    /// Puts back what [`state`](UpdateRule::state) gave: everything has to be taken out of it.
    ///
    /// # Errors
    /// When the state lacks something. The optimizer then loads the rule's own state again.
    fn load_state(&mut self, state: &mut State<F>) -> Result<()> {
        let _ = state;
        Ok(())
    }

    /// The learning rate where the user sets none.
    ///
    /// It is asked for once, by [`Optimizer::new`](crate::optim::Optimizer::new). Take the rate that the rule was published with or that the
    /// large frameworks use, so that `Trainer::new(loss, UpdateRule::default())` does something sensible.
    fn default_learning_rate(&self) -> f64;

    /// How many slots each parameter has: arrays in its shape (TensorFlow's slot variables).
    ///
    /// It is asked for when a parameter is met for the first time, and must not change after that: a parameter's slots
    /// are made once, filled with 0. There may be up to 8. [`Update::slots`] has as many slices, in the same order at
    /// each step.
    fn slots(&self) -> usize;

    /// The weight decay of parameters that are in no [`Group`](crate::optim::Group) with another; none for a rule that has no decay.
    ///
    /// The optimizer checks it (at least 0 and finite) and hands it on in [`Step::weight_decay`], where a group may
    /// have changed it. What the rule does with it there is its own affair.
    fn weight_decay(&self) -> Option<f64> {
        None
    }

    /// What the rule looks at: single numbers, or a parameter as a whole.
    ///
    /// [`Granularity::Elements`] unless said otherwise. A rule whose step for one number depends on the parameter's
    /// other numbers (a norm of the layer as in LARS, an orthogonalised matrix as in Muon) needs
    /// [`Granularity::Parameter`]. It is then never given a part of a parameter, at the cost of a gradient of full size
    /// where an embedding touched a few rows.
    fn granularity(&self) -> Granularity {
        Granularity::Elements
    }

    /// Called once at the beginning of each step: to check the rule's own numbers, and to change those that all
    /// parameters share.
    ///
    /// Hyper-parameters are checked here and not in constructors: a builder that returned a `Result` after each
    /// number would be a nuisance, and numbers that were read from a file have to be checked as well.
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
    /// When a hyper-parameter is out of range; the model is left unchanged then.
    fn begin_step(&mut self, step: Step) -> Result<()> {
        let _ = step;
        Ok(())
    }

    /// Changes the numbers of a parameter, or of a part of one where the granularity is [`Granularity::Elements`].
    ///
    /// `self` is shared: what changes in here is `update.value` and `update.slots`, nothing else. So the result
    /// cannot depend on which parameter comes first. All slices have the length of `update.value`.
    ///
    /// There is no error to return. What can be wrong with the rule's numbers was found in
    /// [`begin_step`](UpdateRule::begin_step), and lengths are right by construction.
    fn update(&self, update: Update<'_, F>, step: Step);

    /// Whether the rule keeps an average of its own, so that other weights are to be evaluated than are trained.
    ///
    /// [`Optimizer::evaluation_weights`](crate::optim::Optimizer::evaluation_weights) then asks for them; few rules override it.
    fn averages(&self) -> bool {
        false
    }

    /// Turns the weights of a parameter as they are trained into those to be evaluated, given its slots.
    ///
    /// It is asked for where [`averages`](UpdateRule::averages) says so. The trained weights are kept meanwhile.
    fn evaluation(&self, value: &mut [F], slots: &[Tensor<F>]) {
        let _ = (value, slots);
    }
}

/// A box of a rule is the rule.
// A default method that is left out here would be called in place of the rule's own, and change results in silence.
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

/// What an [`UpdateRule`] looks at.
///
/// The difference is seen with sparse gradients only. An embedding of 50,000 rows of which a batch touches 200 has a
/// gradient of 200 rows. A rule of granularity [`Elements`](Granularity::Elements) is called for these rows alone; all
/// other rows and their state stay as they are. This is a lazy update: a momentum does not decay in the steps in which
/// its row is not touched. PyTorch's `SparseAdam` and TensorFlow's `LazyAdam` do the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Granularity {
    /// Each number for itself: the rule may be given any part of a parameter, such as the rows that an embedding
    /// touched.
    ///
    /// The rule must give the same numbers however a parameter is cut into parts.
    Elements,
    /// The whole array at once, as a rule for matrices needs it.
    ///
    /// A gradient of rows is added up into an array of the parameter's size first, and [`Update::shape`] is the
    /// parameter's shape.
    Parameter,
}

/// Where training stands.
///
/// The number is the same for all parameters of a step. Bias corrections, warm-ups and the like are functions of
/// `number`, so a rule needs no counter of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// The number of this step, from 1; it counts on over epochs and over calls of `fit`.
    pub number: u64,
    /// The learning rate of this step, as the schedule gave it, times the factors of the parameter's groups: finite
    /// and at least 0. In [`UpdateRule::begin_step`], without groups.
    pub learning_rate: f64,
    /// The weight decay: that of [`UpdateRule::weight_decay`], or of the parameter's group. Finite and at least 0.
    pub weight_decay: f64,
}

impl Step {
    /// A step without weight decay: for testing a rule of your own by itself.
    pub fn new(number: u64, learning_rate: f64) -> Self {
        Self { number, learning_rate, weight_decay: 0.0 }
    }

    /// `share^number`. A rule asks for the same one or two for every part of every parameter, and a power is as dear as
    /// a hundred numbers of the update: each thread keeps the last two.
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

/// The numbers that an [`UpdateRule`] works on, all of one length.
///
/// | field | what it is | how the rule uses it |
/// |---|---|---|
/// | `value` | the parameter's numbers | reads and writes |
/// | `gradient` | the loss's derivative by each of them, after clipping | reads |
/// | `slots` | [`UpdateRule::slots`] arrays, 0 at first, then as the rule left them | reads and writes |
/// | `shape` | the array's shape | reads, where the granularity is [`Granularity::Parameter`] |
///
/// All are in row-major order.
#[derive(Debug)]
#[non_exhaustive]
pub struct Update<'a, F> {
    /// The parameter's numbers, to be changed in place.
    pub value: &'a mut [F],
    /// The loss's gradient at them; of the mean over the batch, for the losses of this crate.
    pub gradient: &'a [F],
    /// The parameter's slots, as many slices as [`UpdateRule::slots`] says. A slice pattern takes them apart: `let
    /// [first, second] = update.slots`.
    pub slots: &'a mut [&'a mut [F]],
    /// The parameter's shape; of a part, the part's length alone.
    pub shape: &'a [usize],
}

impl<'a, F> Update<'a, F> {
    /// The numbers of a parameter of one axis: for testing a rule of your own by itself.
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
