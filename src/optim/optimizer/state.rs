//! The whole state of an optimizer, for checkpoints.
//!
//! | name | what |
//! |---|---|
//! | text `rule` | the name of the rule's kind |
//! | state `settings` | the rule's own state: its hyperparameters, and the values that all parameters share |
//! | integer `steps` | steps taken |
//! | integer `batches`, flag `weightless` | batches since the last step, and whether all their sample weights are 0 |
//! | integer `samples` | how many samples the gradients in the model are a mean over |
//! | integer `averages` | how many times the weights were averaged |
//! | flag `exchanged` | whether the model holds the averages, and the optimizer the trained weights |
//! | list `learning_rate` | the learning rate set in place of the schedule, if any |
//! | state `plateau` | the factor of the learning rate, and what led to it |
//! | state `parameters` | the state of each parameter, by name |
//!
//! and for a parameter:
//!
//! | name | what |
//! |---|---|
//! | arrays `0`, `1`, … | the rule's slots |
//! | array `average` | its average |
//! | array `gradient` | its accumulated gradient |
//! | integers `rows` | the rows of a sparse gradient |
//!
//! The schedule, clipping, groups and the kind of averaging are not saved. They are code and settings: a program that
//! resumes sets them as it did before.

use super::Optimizer;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::Parameters;
use crate::optim::averaging::Averages;
use crate::optim::plateau::Plateau;
use crate::optim::slots::{Slot, check_shape, find, gathered};
use crate::optim::update_param::MOST_SLOTS;
use crate::param::{Gradient, Param};
use crate::state::State;
use crate::tensor::{Tensor, copy};
use ndarray::{Array2, Ix2};
use std::collections::BTreeMap;

const AVERAGE: &str = "average";
const GRADIENT: &str = "gradient";
const ROWS: &str = "rows";

const DAMAGED: &str = "The state is damaged, or was taken by another version.";

impl<F: Scalar> Optimizer<F> {
    /// Returns a copy of all state gathered in training this model, for [`load_state`](Optimizer::load_state). Together
    /// with the model's own parameters it makes a resumed run bit-identical to an uninterrupted one.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// let mut model = Sequential::builder([2]).layer(Dense::units(1)).build()?;
    /// let (x, t) = (arr2(&[[1.0, 2.0]]).into_dyn(), arr2(&[[3.0]]).into_dyn());
    /// let step = |model: &mut Sequential, optimizer: &mut Optimizer| {
    ///     plywood::train::accumulate(model, &MeanSquaredError, x.clone(), &t, None)?;
    ///     optimizer.step(model)
    /// };
    /// let mut optimizer = Optimizer::new(Adam::default());
    /// step(&mut model, &mut optimizer)?;
    /// let (saved_model, mut saved) = (model.to_bytes()?, optimizer.state(&model));
    /// step(&mut model, &mut optimizer)?;
    ///
    /// let mut again = Sequential::from_bytes(&saved_model, &Registry::builtin())?;
    /// let mut optimizer = Optimizer::new(Adam::default());
    /// optimizer.load_state(&mut again, saved.clone())?;
    /// step(&mut again, &mut optimizer)?;
    /// assert_eq!(again.predict(&arr2(&[[1.0, 2.0]]))?, model.predict(&arr2(&[[1.0, 2.0]]))?);
    ///
    /// let mut weight = saved.take_nested("parameters")?.take_nested("0.weight")?;
    /// let second_moment = weight.take_array("1")?;
    /// assert_eq!(second_moment.shape(), [2, 1]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// Gradients that no step has used yet are read from the model. PyTorch's counterpart is an optimizer's
    /// `state_dict`, which identifies parameters by numbers instead of names.
    pub fn state<M: Parameters<F> + ?Sized>(&self, model: &M) -> State<F> {
        let Plateau { factor, best, waited, cooling, .. } = self.plateau;
        let plateau = State::new().number("factor", factor).list("best", best);
        let plateau = plateau.integer("waited", waited).integer("cooling", cooling);
        State::new()
            .text("rule", self.rule.kind().name())
            .nested("settings", self.rule.state())
            .integer("steps", self.step)
            .integer("batches", self.batches)
            .flag("weightless", self.batches > 0 && self.weightless)
            .integer("samples", gathered(model))
            .integer("averages", self.averages.taken)
            .flag("exchanged", self.averages.exchanged)
            .list("learning_rate", self.set_rate)
            .nested("plateau", plateau)
            .nested("parameters", self.parameters(model))
    }

    /// Returns the state of each parameter that has one.
    fn parameters<M: Parameters<F> + ?Sized>(&self, model: &M) -> State<F> {
        // A rule's own average is recomputed from its slots, unless it is in the model.
        let kept = !self.rule.averages() || self.averages.exchanged;
        let (mut all, mut slot, mut average) = (State::new(), 0, 0);
        model.each_param(&mut |name, param| {
            let mut own = State::new();
            if let Some(at) = find(&self.slots, slot, name) {
                for (i, array) in self.slots[at].1.iter().enumerate() {
                    own = own.array(i.to_string(), copy(array));
                }
                slot = at + 1;
            }
            if let Some(at) = find(&self.averages.arrays, average, name).filter(|_| kept) {
                own = own.array(AVERAGE, copy(&self.averages.arrays[at].1));
                average = at + 1;
            }
            own = save_gradient(own, param);
            if own.names().next().is_some() {
                all = std::mem::take(&mut all).nested(name, own);
            }
        });
        all
    }

    /// Restores a state from [`state`](Optimizer::state); training then continues bit-identically. The model must have
    /// the parameters it had at that time.
    ///
    /// Schedule, plateau, clipping, groups and averaging stay as they are set on this optimizer. The rule's
    /// hyperparameters are taken from the state.
    ///
    /// # Errors
    /// If the state belongs to another kind of rule or to a model with other parameters, is incomplete, or has averages
    /// while this optimizer does not average. Optimizer and model are unchanged then.
    pub fn load_state<M: Parameters<F> + ?Sized>(&mut self, model: &mut M, state: State<F>) -> Result<()> {
        let mut before = self.rule.state();
        let loaded = self.restore(model, state);
        if loaded.is_err() {
            // The rule produced this state a moment ago, so loading it cannot fail.
            let _ = self.rule.load_state(&mut before);
        }
        loaded.map_err(|error| error.at("the optimizer's state"))
    }

    /// Changes the rule first, which may have to be restored, and the rest once no further check can fail.
    fn restore<M: Parameters<F> + ?Sized>(&mut self, model: &mut M, mut state: State<F>) -> Result<()> {
        let (kind, own) = (state.take_text("rule")?, self.rule.kind().name());
        if kind != own {
            return Err(Error::data("the state", format!("be of the rule {own}"), kind)
                .help("Resume with the optimizer that the state was taken from."));
        }
        let mut settings = state.take_nested("settings")?;
        let (step, batches) = (count(&mut state, "steps")?, count(&mut state, "batches")?);
        let weightless = state.take_flag("weightless")?;
        let samples = count(&mut state, "samples")?;
        let (taken, exchanged) = (count(&mut state, "averages")?, state.take_flag("exchanged")?);
        let set_rate = state.take_list("learning_rate")?.first().copied();
        if let Some(rate) = set_rate.filter(|rate| !(rate.is_finite() && *rate >= 0.0)) {
            return Err(Error::format("the learning rate", "be at least 0 and finite", rate).help(DAMAGED));
        }
        let plateau = restored_plateau(state.take_nested("plateau")?)?;
        let parameters = state.take_nested("parameters")?;
        state.finish()?;
        self.rule.load_state(&mut settings).and_then(|()| settings.finish())?;
        let ParamStates { slots, averages, gradients } =
            ParamStates::of(parameters, model, self.rule.slots())?;
        if !averages.is_empty() && self.averages.how.is_none() && !self.rule.averages() {
            return Err(Error::data("the state", "have averages only where `average` is set", "some")
                .help("Set `average` as it was when the state was taken."));
        }
        load_gradients(model, gradients, samples)?;
        (self.step, self.batches, self.weightless, self.slots) = (step, batches, weightless, slots);
        self.averages = Averages { how: self.averages.how, arrays: averages, taken, exchanged };
        self.plateau = Plateau { how: self.plateau.how.take(), ..plateau };
        self.set_rate = set_rate;
        Ok(())
    }
}

/// Takes a count. No run reaches 2^53 steps, and any smaller number can be incremented exactly.
fn count<F: Scalar>(state: &mut State<F>, name: &str) -> Result<u64> {
    let (number, most) = (state.take_integer::<u64>(name)?, 1 << 53);
    if number <= most {
        return Ok(number);
    }
    Err(Error::format(format!("the number {name:?}"), format!("be at most {most}"), number).help(DAMAGED))
}

fn restored_plateau<F: Scalar>(mut state: State<F>) -> Result<Plateau> {
    let (factor, best) = (state.take_number("factor")?, state.take_list("best")?.first().copied());
    let (waited, cooling) = (count(&mut state, "waited")?, count(&mut state, "cooling")?);
    state.finish()?;
    if !(0.0..=1.0).contains(&factor) {
        return Err(Error::format("the factor of the plateau", "be from 0 to 1", factor).help(DAMAGED));
    }
    Ok(Plateau { how: None, factor, best, waited, cooling })
}

/// A saved gradient: its array, and the rows it belongs to if it is sparse.
struct Kept<F: Scalar>(Tensor<F>, Option<Vec<usize>>);

/// The saved state of a model's parameters, all of it in the parameters' shapes.
struct ParamStates<F: Scalar> {
    slots: Vec<Slot<F>>,
    averages: Vec<(String, Tensor<F>)>,
    gradients: BTreeMap<String, Kept<F>>,
}

impl<F: Scalar> ParamStates<F> {
    /// Takes the entries of a state; each parameter has as many slots as the rule says, or none yet.
    fn of<M: Parameters<F> + ?Sized>(mut state: State<F>, model: &M, slots: usize) -> Result<Self> {
        let mut shapes: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        model.each_param(&mut |name, param| drop(shapes.insert(name.to_owned(), param.shape().to_vec())));
        let mut all = Self { slots: Vec::new(), averages: Vec::new(), gradients: BTreeMap::new() };
        let names: Vec<String> = state.names().map(str::to_owned).collect();
        for name in names {
            let own = state.take_nested(&name)?;
            // Removed from the shapes, so that a duplicate name is an error.
            let Some(shape) = shapes.remove(&name) else {
                return Err(Error::data(
                    "the state",
                    "be of this model",
                    format!("one with a parameter {name}"),
                )
                .help("Build the model as it was when the state was taken."));
            };
            all.add(&name, &shape, own, slots).map_err(|error| error.at(name))?;
        }
        Ok(all)
    }

    fn add(&mut self, name: &str, shape: &[usize], mut own: State<F>, slots: usize) -> Result<()> {
        let mut arrays = Vec::new();
        for i in (0..MOST_SLOTS).map(|i| i.to_string()) {
            if !own.has(&i) {
                break;
            }
            let array = own.take_array(&i)?;
            check_shape(name, array.shape(), shape)?;
            arrays.push(array);
        }
        if !arrays.is_empty() {
            if arrays.len() != slots {
                let expected = format!("be {slots}, as in the rule");
                return Err(Error::format("the number of slots", expected, arrays.len()).help(DAMAGED));
            }
            self.slots.push((name.to_owned(), arrays));
        }
        if own.has(AVERAGE) {
            let array = own.take_array(AVERAGE)?;
            check_shape(name, array.shape(), shape)?;
            self.averages.push((name.to_owned(), array));
        }
        if own.has(GRADIENT) {
            let gradient = kept_gradient(&mut own, shape)?;
            self.gradients.insert(name.to_owned(), gradient);
        }
        own.finish()
    }
}

/// Takes the gradient of a parameter of this shape.
fn kept_gradient<F: Scalar>(own: &mut State<F>, shape: &[usize]) -> Result<Kept<F>> {
    let array = own.take_array(GRADIENT)?;
    let rows = if own.has(ROWS) { Some(own.take_integers(ROWS)?) } else { None };
    let expected = match &rows {
        None => shape.to_vec(),
        Some(rows) => vec![rows.len(), shape.iter().skip(1).product()],
    };
    if array.shape() != expected {
        return Err(Error::shape("the gradient", format!("{expected:?}"), array.shape()).help(DAMAGED));
    }
    let most = shape.first().copied().unwrap_or(0);
    let row = |row: u64| {
        usize::try_from(row).ok().filter(|&row| row < most).ok_or_else(|| {
            Error::format("the rows of the gradient", format!("be below {most}"), row).help(DAMAGED)
        })
    };
    let rows = rows.map(|rows| rows.into_iter().map(row).collect::<Result<Vec<_>>>()).transpose()?;
    Ok(Kept(array, rows))
}

fn save_gradient<F: Scalar>(own: State<F>, param: &Param<F>) -> State<F> {
    match param.gradient() {
        None => own,
        Some(Gradient::Dense(gradient)) => own.array(GRADIENT, copy(gradient)),
        Some(Gradient::Rows { ids, values }) => {
            let columns = param.shape().iter().skip(1).product();
            match Array2::from_shape_vec((ids.len(), columns), values.clone()) {
                Ok(rows) => {
                    own.integers(ROWS, ids.iter().map(|&id| id as u64)).array(GRADIENT, rows.into_dyn())
                }
                Err(_) => own,
            }
        }
    }
}

/// Replaces the model's gradients with those of the state; parameters without one end up without a gradient.
fn load_gradients<F: Scalar, M: Parameters<F> + ?Sized>(
    model: &mut M,
    mut gradients: BTreeMap<String, Kept<F>>,
    samples: u64,
) -> Result<()> {
    let mut result = Ok(());
    model.each_param_mut(&mut |name, param| {
        param.clear_gradient();
        let Some(Kept(gradient, rows)) = gradients.remove(name) else { return };
        let loaded = match rows {
            None => param.add_gradient(&gradient),
            Some(ids) => match gradient.view().into_dimensionality::<Ix2>() {
                Ok(rows) => param.add_gradient_rows(&ids, rows),
                Err(_) => Ok(()), // the shape has two axes
            },
        };
        param.set_samples(samples);
        if result.is_ok() {
            result = loaded.map_err(|error| error.at(name));
        }
    });
    result
}
