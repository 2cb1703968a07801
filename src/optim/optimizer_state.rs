//! An optimiser's whole state as names, numbers and arrays: for checkpoints.
//!
//! | name | what |
//! |---|---|
//! | number `steps` | steps taken |
//! | number `batches` | batches accumulated since the last step |
//! | number `weightless` | 1 where all weights of those batches are 0; else it is left out |
//! | number `samples` | how many samples the accumulated gradients are a mean over |
//! | number `averages` | how many times weights were taken for an average |
//! | numbers `plateau.factor`, `plateau.best`, … | what the rate is multiplied by, and why |
//! | number `exchanged` | 1 while the model holds the averages and the optimiser the weights that are trained |
//! | array `0.weight/0`, `0.weight/1`, … | the rule's state of the parameter "0.weight" |
//! | array `0.weight/average` | its average |
//! | array `0.weight/gradient` | what is accumulated of its gradient; with `/ids` beside it, only those rows |
//!
//! The rule itself, with its hyper-parameters and what all parameters share, is kept as serde sees it. Not in here are
//! the schedule, clipping, groups and the kind of averaging, which are code and settings: a program that resumes sets
//! them as it did before.

use super::averaging::Averages;
use super::plateau::Plateau;
use super::slots::{find, gathered, same_shape};
use super::update_param::MOST_STATES;
use super::{Optimizer, UpdateRule};
use crate::codec;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::Layer;
use crate::param::{Gradient, Param};
use crate::shown::type_name;
use crate::tensor::{Tensor, copy};
use ndarray::{Array2, ArrayView2, Ix2};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// All that an [`Optimizer`] has gathered while training, to be saved and restored.
///
/// [`Optimizer::state`] takes it, [`Optimizer::load_state`] puts it back after checking that it belongs to the model
/// and the rule. Together with the model's own numbers it makes training go on with the same bits as if it had never
/// been interrupted. It goes through serde, in any format.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let mut model = Sequential::builder([2]).layer(Dense::units(1)).build()?;
/// let (x, t) = (arr2(&[[1.0, 2.0]]).into_dyn(), arr2(&[[3.0]]).into_dyn());
/// let step = |model: &mut Sequential, optimizer: &mut Optimizer<Adam>| {
///     plywood::train::accumulate(model, &MeanSquaredError, x.clone(), &t, None)?;
///     optimizer.step(model)
/// };
/// let mut optimizer = Optimizer::new(Adam::default());
/// step(&mut model, &mut optimizer)?;
/// let (saved_model, saved) = (model.to_bytes()?, optimizer.state(&model)?);
/// assert_eq!(saved.arrays[1].0, "0.weight/1"); // Adam's second moment
/// step(&mut model, &mut optimizer)?;
///
/// let mut again = Sequential::from_bytes(&saved_model, &Registry::builtin())?;
/// let mut optimizer = Optimizer::new(Adam::default());
/// optimizer.load_state(&mut again, saved)?;
/// step(&mut again, &mut optimizer)?;
/// assert_eq!(again.predict(&arr2(&[[1.0, 2.0]]))?, model.predict(&arr2(&[[1.0, 2.0]]))?);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// PyTorch's counterpart is an optimiser's `state_dict`, whose parameters have numbers in place of names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
#[non_exhaustive]
pub struct OptimizerState<F: Scalar = f32> {
    /// The rule's name: "Adam".
    pub rule: String,
    /// The rule: its hyper-parameters and what all parameters share.
    ///
    /// As bytes that only the crate reads.
    pub settings: Vec<u8>,
    /// Counts and other single numbers, by name.
    #[serde(with = "crate::codec::words")]
    pub numbers: Vec<(String, f64)>,
    /// Arrays by name: a parameter's name, a slash, and what it is of the parameter.
    #[serde(with = "arrays")]
    pub arrays: Vec<(String, Tensor<F>)>,
}

/// Serde for a list of named tensors, each as its raw bytes.
mod arrays {
    use crate::codec;
    use crate::kernels::Scalar;
    use crate::tensor::Tensor;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize)]
    #[serde(bound = "")]
    struct Lent<'a, F: Scalar>(&'a str, #[serde(serialize_with = "codec::tensor::serialize")] &'a Tensor<F>);

    #[derive(Deserialize)]
    #[serde(bound = "")]
    struct Owned<F: Scalar>(String, #[serde(with = "codec::tensor")] Tensor<F>);

    pub fn serialize<F: Scalar, S: Serializer>(
        arrays: &[(String, Tensor<F>)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(arrays.iter().map(|(name, array)| Lent(name, array)))
    }

    pub fn deserialize<'de, F: Scalar, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(String, Tensor<F>)>, D::Error> {
        let arrays = Vec::<Owned<F>>::deserialize(deserializer)?;
        Ok(arrays.into_iter().map(|Owned(name, array)| (name, array)).collect())
    }
}

/// A number that is there only once something has been observed.
const BEST: &str = "plateau.best";

/// A number that is there only where it is 1.
const WEIGHTLESS: &str = "weightless";

/// The one number that is not the optimiser's own: the model's gradients have it.
const SAMPLES: &str = "samples";

/// What the arrays of a parameter are called, behind its name.
const AVERAGE: &str = "average";
const GRADIENT: &str = "gradient";
const IDS: &str = "ids";

/// An id is kept as two numbers, `id / 2^20` and the rest, so that it is exact in `f32` too.
const ID_BASE: usize = 1 << 20;

impl<F: Scalar, R: UpdateRule<F>> Optimizer<R, F> {
    /// A copy of all that was gathered in training this model, for [`load_state`](Optimizer::load_state).
    ///
    /// Gradients that no step has used yet are looked up in the model.
    ///
    /// # Errors
    /// When a rule's own `Serialize` fails.
    pub fn state<M: Layer<F>>(&self, model: &M) -> Result<OptimizerState<F>> {
        let settings = codec::encode(&self.rule).map_err(|error| error.at("the optimiser's state"))?;
        let mut arrays = Vec::new();
        for (name, slot) in &self.slots {
            arrays.extend(slot.iter().enumerate().map(|(i, array)| (format!("{name}/{i}"), copy(array))));
        }
        // A rule's own average is worked out anew from its state, unless it is in the model.
        let kept = !self.rule.averages() || self.averages.exchanged;
        for (name, array) in self.averages.arrays.iter().filter(|_| kept) {
            arrays.push((format!("{name}/{AVERAGE}"), copy(array)));
        }
        model.visit_params(&mut |name, param| save_gradient(name, param, &mut arrays));
        let numbers = self.numbers().into_iter().chain([(SAMPLES, gathered(model) as f64)]);
        let numbers = numbers.map(|(name, number)| (name.to_owned(), number)).collect();
        Ok(OptimizerState { rule: type_name::<R>().to_owned(), settings, numbers, arrays })
    }

    /// Puts back what [`state`](Optimizer::state) gave; training then goes on with the same bits. The model must have
    /// the numbers that it had at that time.
    ///
    /// Schedule, plateau, clipping, groups and averaging stay as they are set on this optimiser. The rule's
    /// hyper-parameters are those of the state.
    ///
    /// # Errors
    /// When the state is that of another rule or of a model with other parameters, is incomplete, or has averages
    /// and this optimiser takes none. Optimiser and model are left unchanged then.
    pub fn load_state<M: Layer<F>>(&mut self, model: &mut M, state: OptimizerState<F>) -> Result<()> {
        self.restore(model, state).map_err(|error| error.at("the optimiser's state"))
    }

    fn restore<M: Layer<F>>(&mut self, model: &mut M, state: OptimizerState<F>) -> Result<()> {
        let OptimizerState { rule, settings, numbers, arrays } = state;
        if rule != type_name::<R>() {
            return Err(Error::data("a state", format!("of the rule {}", type_name::<R>()), rule)
                .help("Resume with the optimiser that the state was taken from."));
        }
        let rule: R = codec::decode(&settings, "the rule")?;
        let mut restored = Self::new(rule);
        let samples = restored.set_numbers(&numbers)?;
        let mut gradients: Vec<(String, Tensor<F>)> = Vec::new();
        for (name, array) in arrays {
            let (param, what) = name.rsplit_once('/').unwrap_or((&name, ""));
            match what {
                AVERAGE => restored.averages.arrays.push((param.to_owned(), array)),
                GRADIENT | IDS => gradients.push((name, array)),
                _ => restored.add_slot(param, what, array)?,
            }
        }
        restored.fits(model, &gradients)?;
        if !restored.averages.arrays.is_empty() && self.averages.how.is_none() && !self.rule.averages() {
            return Err(Error::data("averages", "only where they are asked for", "some in the state")
                .help("Set `average` as it was when the state was taken."));
        }
        load_gradients(model, &gradients, samples)?;
        self.rule = restored.rule;
        (self.step, self.batches, self.slots) = (restored.step, restored.batches, restored.slots);
        self.weightless = restored.weightless;
        self.averages = Averages { how: self.averages.how, ..restored.averages };
        self.plateau = Plateau { how: self.plateau.how.take(), ..restored.plateau };
        Ok(())
    }

    /// All single numbers.
    fn numbers(&self) -> Vec<(&'static str, f64)> {
        let Plateau { factor, best, waited, cooling, .. } = self.plateau;
        let mut numbers = vec![
            ("steps", self.step as f64),
            ("batches", self.batches as f64),
            ("averages", self.averages.taken as f64),
            ("exchanged", f64::from(u8::from(self.averages.exchanged))),
            ("plateau.factor", factor),
            ("plateau.waited", waited as f64),
            ("plateau.cooling", cooling as f64),
        ];
        numbers.extend(best.map(|best| (BEST, best)));
        numbers.extend((self.batches > 0 && self.weightless).then_some((WEIGHTLESS, 1.0)));
        numbers
    }

    /// The same back; each must be there but for the two that need not be, and no other. Returns the samples behind
    /// the gradients, which are the model's.
    fn set_numbers(&mut self, numbers: &[(String, f64)]) -> Result<u64> {
        let own = self.numbers().into_iter().map(|(name, _)| name);
        let known: Vec<&str> = own.chain([BEST, WEIGHTLESS, SAMPLES]).collect();
        if let Some((name, _)) = numbers.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            return Err(Error::format("a number's name", known.join(", "), name).help(DAMAGED));
        }
        let number = |name: &str| find(numbers, 0, name).map(|at| numbers[at].1);
        let wrong = |name: &str, expected: &str, found| {
            Err(Error::format(format!("the number {name}"), expected, found).help(DAMAGED))
        };
        let count = |name: &str, most: f64| match number(name).unwrap_or(f64::NAN) {
            number if number.fract() == 0.0 && (0.0..=most).contains(&number) => Ok(number as u64),
            number => wrong(name, &format!("a whole one up to {most}"), number),
        };
        let most = 2f64.powi(53);
        (self.step, self.batches) = (count("steps", most)?, count("batches", most)?);
        (self.averages.taken, self.averages.exchanged) =
            (count("averages", most)?, count("exchanged", 1.0)? == 1);
        (self.plateau.waited, self.plateau.cooling) =
            (count("plateau.waited", most)?, count("plateau.cooling", most)?);
        self.weightless = number(WEIGHTLESS).is_some() && count(WEIGHTLESS, 1.0)? == 1;
        self.plateau.best = number(BEST);
        self.plateau.factor = number("plateau.factor").unwrap_or(f64::NAN);
        if !(0.0..=1.0).contains(&self.plateau.factor) {
            return wrong("plateau.factor", "from 0 to 1", self.plateau.factor);
        }
        count(SAMPLES, most)
    }

    /// Adds one array to a parameter's slot; they come in order.
    fn add_slot(&mut self, param: &str, what: &str, array: Tensor<F>) -> Result<()> {
        // Those of one parameter stand together; `fits` refuses a second slot of one name.
        if self.slots.last().is_none_or(|(known, _)| known != param) {
            self.slots.push((param.to_owned(), Vec::new()));
        }
        let at = self.slots.len() - 1;
        let slot = &mut self.slots[at].1;
        if what != slot.len().to_string() || slot.len() >= MOST_STATES {
            let expected = format!("{param}/{}", slot.len());
            return Err(Error::format("an array's name", expected, format!("{param}/{what}")).help(DAMAGED));
        }
        slot.push(array);
        Ok(())
    }

    /// Whether every array belongs to a parameter of the model and has its shape, and each slot is complete.
    fn fits<M: Layer<F>>(&self, model: &M, gradients: &[(String, Tensor<F>)]) -> Result<()> {
        let mut shapes: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        model.visit_params(&mut |name, param| drop(shapes.insert(name.to_owned(), param.shape().to_vec())));
        let shape_of = |name: &str| {
            shapes.get(name).map(|shape| &shape[..]).ok_or_else(|| {
                Error::data("a state", "of this model", format!("one with a parameter {name}"))
                    .help("Build the model as it was when the state was taken.")
            })
        };
        let mut seen = BTreeSet::new();
        for (name, slot) in &self.slots {
            let shape = shape_of(name)?;
            if !seen.insert(name) {
                return Err(
                    Error::format(format!("the arrays of {name}"), "there once", "twice").help(DAMAGED)
                );
            }
            slot.iter().try_for_each(|array| same_shape(name, array.shape(), shape))?;
            if slot.len() != self.rule.states() {
                let expected = format!("{}, as the rule has it", self.rule.states());
                return Err(
                    Error::format(format!("the arrays of {name}"), expected, slot.len()).help(DAMAGED)
                );
            }
        }
        for (name, array) in &self.averages.arrays {
            same_shape(name, array.shape(), shape_of(name)?)?;
        }
        let by_name: BTreeMap<&str, &Tensor<F>> =
            gradients.iter().rev().map(|(name, array)| (name.as_str(), array)).collect();
        for (name, array) in gradients {
            let (param, what) = name.rsplit_once('/').unwrap_or((name, ""));
            let shape = shape_of(param)?;
            let ids = by_name.get(format!("{param}/{IDS}").as_str()).copied();
            let rows = ids.map(|ids| ids.shape().first().copied().unwrap_or(0));
            let expected = match (what, rows) {
                (GRADIENT, None) => shape.to_vec(),
                (GRADIENT, Some(rows)) => vec![rows, shape.iter().skip(1).product()],
                (_, rows) => vec![rows.unwrap_or(0), 2],
            };
            if array.shape() != expected {
                return Err(Error::shape(
                    format!("the array {name}"),
                    format!("{expected:?}"),
                    array.shape(),
                )
                .help(DAMAGED));
            }
            if let Some(id) =
                ids.and_then(|ids| ids_of(ids).find(|id| shape.first().is_none_or(|rows| id >= rows)))
            {
                let expected = format!("below the {:?} of {param}", shape.first());
                return Err(Error::format("a row's id", expected, id).help(DAMAGED));
            }
        }
        Ok(())
    }
}

const DAMAGED: &str = "The state is damaged, or was taken by another version.";

fn save_gradient<F: Scalar>(name: &str, param: &Param<F>, arrays: &mut Vec<(String, Tensor<F>)>) {
    match param.gradient() {
        None => {}
        Some(Gradient::Dense(gradient)) => arrays.push((format!("{name}/{GRADIENT}"), copy(gradient))),
        Some(Gradient::Rows { ids, values }) => {
            let parts = ids.iter().flat_map(|id| [id / ID_BASE, id % ID_BASE]).map(|part| F::of(part as f64));
            let ids_as_numbers = Array2::from_shape_vec((ids.len(), 2), parts.collect());
            let columns = param.shape().iter().skip(1).product();
            let rows = Array2::from_shape_vec((ids.len(), columns), values.clone());
            if let (Ok(ids), Ok(rows)) = (ids_as_numbers, rows) {
                arrays.push((format!("{name}/{IDS}"), ids.into_dyn()));
                arrays.push((format!("{name}/{GRADIENT}"), rows.into_dyn()));
            }
        }
    }
}

/// The ids out of their two numbers each. What is no number, or too large, becomes an id that no parameter has or 0.
fn ids_of<F: Scalar>(ids: &Tensor<F>) -> impl Iterator<Item = usize> {
    let whole = |whole: usize, part: &F| whole.saturating_mul(ID_BASE).saturating_add(part.as_f64() as usize);
    ids.outer_iter().map(move |id| id.iter().fold(0, whole))
}

/// The model's gradients are those of the state and no others.
fn load_gradients<F: Scalar, M: Layer<F>>(
    model: &mut M,
    gradients: &[(String, Tensor<F>)],
    samples: u64,
) -> Result<()> {
    let by_name: BTreeMap<&str, &Tensor<F>> =
        gradients.iter().rev().map(|(name, array)| (name.as_str(), array)).collect();
    let array = |name: &str, what| by_name.get(format!("{name}/{what}").as_str()).copied();
    let mut result = Ok(());
    model.visit_params_mut(&mut |name, param| {
        param.clear_gradient();
        let Some(gradient) = array(name, GRADIENT) else { return };
        let loaded = match array(name, IDS) {
            None => param.add_gradient(gradient),
            Some(ids) => {
                let ids: Vec<usize> = ids_of(ids).collect();
                let rows: Option<ArrayView2<'_, F>> = gradient.view().into_dimensionality::<Ix2>().ok();
                rows.map_or(Ok(()), |rows| param.add_gradient_rows(&ids, rows))
            }
        };
        param.set_samples(samples);
        if result.is_ok() {
            result = loaded.map_err(|error| error.at(name));
        }
    });
    result
}
