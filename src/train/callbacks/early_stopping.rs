//! [`EarlyStopping`]: ends training when a value no longer improves.

use super::{Callback, Context};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::monitor::Monitor;
use crate::nn::Model;
use crate::state::{Kind, State};
use crate::tensor::{Tensor, copy, slice};
use std::any::Any;

/// Ends training when a value no longer improves, and restores the parameters and buffers of the best epoch.
///
/// It monitors "val_loss" by default. Losses are better when lower; metrics define their direction
/// ([`Metric::direction`](crate::metrics::Metric::direction)). For a metric without one, call
/// [`lower_is_better`](EarlyStopping::lower_is_better) or [`higher_is_better`](EarlyStopping::higher_is_better). The
/// best epoch is restored however training ends.
///
/// ```
/// use plywood::prelude::*;
///
/// let stopping = EarlyStopping::patience(3).monitor("val_accuracy").min_delta(0.001);
/// let trainer = Trainer::new(CrossEntropy::default(), Adam::default()).validation_split(0.2).callback(stopping);
/// # let _: plywood::train::Trainer<_, f32> = trainer;
/// ```
///
/// Keras' `EarlyStopping` restores the best parameters only with `restore_best_weights`. Here the model always ends
/// with the parameters of the best epoch.
///
/// It keeps a copy of all parameters and buffers, which is replaced in each epoch that is the best so far. The
/// optimizer's moments are not restored, so use a new trainer to train further. A checkpoint contains the copy, so a
/// resumed run ends as it would have without the interruption; if it is resumed after it had ended, it ends at once.
///
/// ```
/// use plywood::prelude::*;
///
/// // A rate of 0: nothing ever gets better, so training ends after 1 + 2 epochs.
/// let data = ArrayDataset::new(plywood::ndarray::Array2::<f32>::ones((40, 2)), vec![1; 40])?;
/// let mut model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build()?;
/// let trainer = Trainer::new(CrossEntropy::default(), SGD::default()).learning_rate(0.0).epochs(50);
/// let stopping = EarlyStopping::patience(2).monitor("loss");
/// let history = trainer.callback(stopping).progress(Progress::Silent).fit(&mut model, &data)?;
/// assert_eq!(history.epochs.len(), 3);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Debug)]
pub struct EarlyStopping {
    /// The number of epochs without improvement after which training ends.
    patience: usize,
    /// The name of a value of an epoch.
    monitor: Monitor,
    /// The minimum improvement, in the value's unit.
    min_delta: f64,
    /// `None` until the first epoch has ended.
    best: Option<f64>,
    /// A [`Snapshot`] of the trained element type.
    ///
    /// The type is erased because the callback is made before the element type is known: `EarlyStopping` has no `F`, so
    /// the code that makes it is the same for every trainer.
    snapshot: Option<Box<dyn Any + Send>>,
    /// The number of epochs since the best one.
    waited: usize,
}

impl EarlyStopping {
    /// Ends training after this many epochs in a row without improvement.
    ///
    /// 0 acts as 1, as in Keras: the first epoch without improvement ends training.
    pub fn patience(epochs: usize) -> Self {
        let monitor = Monitor::of("val_loss");
        Self { patience: epochs, monitor, min_delta: 0.0, best: None, snapshot: None, waited: 0 }
    }

    /// Sets the value to monitor, by its name in the [`History`](crate::train::History).
    ///
    /// If no epoch will have such a value, `fit` returns an error before the first step, which lists the values there
    /// will be:
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let data = ArrayDataset::new(plywood::ndarray::Array2::<f32>::ones((40, 2)), vec![1; 40])?;
    /// let mut model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build()?;
    /// let trainer = Trainer::new(CrossEntropy::default(), SGD::default()).callback(EarlyStopping::patience(2));
    /// let error = trainer.progress(Progress::Silent).fit(&mut model, &data).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "fit, EarlyStopping: the value to monitor must be one of the epoch's (loss), got val_loss. Values \
    ///      that begin with \"val_\" need validation data or `validation_split`."
    /// );
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn monitor(mut self, name: impl Into<String>) -> Self {
        self.monitor = self.monitor.named(name);
        self
    }

    crate::monitor::directed!();

    /// Sets the amount by which a value must improve to count.
    ///
    /// 0 by default: any improvement counts. It is absolute, not relative to the value. If it is negative, infinite or
    /// NaN, `fit` returns an error.
    #[must_use]
    pub fn min_delta(mut self, min_delta: f64) -> Self {
        self.min_delta = min_delta;
        self
    }
}

impl<F: Scalar> Callback<F> for EarlyStopping {
    fn monitor(&self) -> Option<&Monitor> {
        Some(&self.monitor)
    }

    fn on_train_begin(&mut self, _: &mut Context<'_, F>) -> Result<()> {
        if !(self.min_delta.is_finite() && self.min_delta >= 0.0) {
            return Err(Error::argument("min_delta", "at least 0 and finite", self.min_delta)
                .help("It is how much better a value must be to count as an improvement.")
                .at("EarlyStopping"));
        }
        (self.best, self.snapshot, self.waited) = (None, None, 0);
        Ok(())
    }

    fn on_epoch_end(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        let (value, direction) =
            context.monitored(&self.monitor).map_err(|error| error.at("EarlyStopping"))?;
        if direction.improves(value, self.best, self.min_delta) {
            (self.best, self.waited) = (Some(value), 0);
            self.snapshot = Some(Box::new(Snapshot::of(context.model())));
        } else {
            self.waited += 1;
        }
        if self.waited > 0 && self.waited >= self.patience {
            context.stop();
        }
        Ok(())
    }

    fn on_train_end(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        if let Some(snapshot) = self.snapshot.take().and_then(|s| s.downcast::<Snapshot<F>>().ok()) {
            snapshot.restore(context.model_mut());
        }
        Ok(())
    }

    fn kind(&self) -> Option<Kind> {
        Some(Kind::builtin("early_stopping"))
    }

    /// The best value, the epochs since then, and the best epoch's parameters and buffers by name.
    fn state(&self) -> Option<State<F>> {
        let snapshot = self.snapshot.as_ref().and_then(|snapshot| snapshot.downcast_ref::<Snapshot<F>>());
        let arrays = snapshot.into_iter().flat_map(|Snapshot(arrays)| arrays);
        let arrays = arrays.fold(State::new(), |state, (name, array)| state.array(name, copy(array)));
        let state = State::new().list("best", self.best).integer("waited", self.waited as u64);
        Some(state.nested("snapshot", arrays))
    }

    fn load_state(&mut self, state: &mut State<F>, model: &dyn Model<F>) -> Result<()> {
        let (best, waited) = (state.take_list("best")?, state.take_integer("waited")?);
        let (mut arrays, mut snapshot) = (state.take_nested("snapshot")?, Vec::new());
        let mut result = Ok(());
        if !best.is_empty() {
            model.each_param(&mut |name, param| match arrays.take_array(name) {
                Ok(array) if array.shape() == param.shape() => snapshot.push((name.to_owned(), array)),
                Ok(array) => {
                    let expected = format!("{:?}", param.shape());
                    result = Err(Error::shape(format!("the best {name}"), expected, array.shape())
                        .help("The state is that of another model."));
                }
                Err(error) => result = Err(error),
            });
        }
        result.and_then(|()| arrays.finish())?;
        (self.best, self.waited) = (best.first().copied(), waited);
        self.snapshot = self.best.map(|_| Box::new(Snapshot(snapshot)) as Box<dyn Any + Send>);
        Ok(())
    }
}

/// A model's parameters and buffers, to be restored later.
///
/// It contains their names, in the order in which the model visits them; it is restored into the model it was copied
/// from.
#[derive(Debug)]
struct Snapshot<F: Scalar>(Vec<(String, Tensor<F>)>);

impl<F: Scalar> Snapshot<F> {
    /// Copies all parameters and buffers: as many bytes as the model.
    fn of(model: &dyn Model<F>) -> Self {
        let mut values = Vec::new();
        model.each_param(&mut |name, param| values.push((name.to_owned(), copy(param.value()))));
        Self(values)
    }

    /// Restores the numbers. A parameter whose size has changed since is left as it is.
    fn restore(&self, model: &mut dyn Model<F>) {
        let mut values = self.0.iter();
        model.each_param_mut(&mut |_, param| {
            if let Some((_, value)) = values.next().filter(|(_, value)| value.len() == param.len()) {
                param.as_slice_mut().copy_from_slice(slice(value));
            }
        });
    }
}
