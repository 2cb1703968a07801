//! [`Plan`]: what the closures for model and trainer know.

use crate::error::{Error, Result};
use crate::shown::{cut, listed};
use std::sync::Mutex;

/// What a recipe has found in the training part: the closures for the model and the trainer build for it.
///
/// | | |
/// |---|---|
/// | [`shape`](Plan::shape), [`shape_of`](Plan::shape_of) | the shape of an input |
/// | [`ids`](Plan::ids), [`ids_of`](Plan::ids_of) | the number of ids of an input, for an embedding |
/// | [`units`](Plan::units), [`units_of`](Plan::units_of) | the number of classes, labels or numbers of an output |
/// | [`class_counts`](Plan::class_counts), [`class_counts_of`](Plan::class_counts_of) | the rows of each class, for weights |
/// | [`class_weights`](Plan::class_weights), [`class_weights_of`](Plan::class_weights_of) | weights with which all classes count equally |
/// | [`rows`](Plan::rows), [`seed`](Plan::seed) | |
///
/// The short forms are for a recipe with one input or output. A name that is not there is an error of the recipe.
#[derive(Debug)]
pub struct Plan {
    rows: usize,
    seed: u64,
    inputs: Vec<PlannedInput>,
    outputs: Vec<PlannedOutput>,
    /// The first name that was not there: a method cannot fail without making each closure longer.
    fault: Mutex<Option<Error>>,
}

#[derive(Debug)]
pub(super) struct PlannedInput {
    pub name: String,
    pub shape: Vec<usize>,
    pub ids: Option<usize>,
}

#[derive(Debug)]
pub(super) struct PlannedOutput {
    pub name: String,
    pub units: usize,
    /// Empty if it has no classes.
    pub class_counts: Vec<usize>,
}

impl Plan {
    pub(super) fn new(
        inputs: Vec<PlannedInput>,
        outputs: Vec<PlannedOutput>,
        rows: usize,
        seed: u64,
    ) -> Self {
        Self { rows, seed, inputs, outputs, fault: Mutex::new(None) }
    }

    /// Returns the shape of the only input.
    pub fn shape(&self) -> Vec<usize> {
        self.input(None).map_or_else(|| vec![1], |input| input.shape.clone())
    }

    /// Returns the shape of the input with this name.
    pub fn shape_of(&self, input: &str) -> Vec<usize> {
        self.input(Some(input)).map_or_else(|| vec![1], |input| input.shape.clone())
    }

    /// Returns the number of ids of the only input: the rows that its embedding needs.
    pub fn ids(&self) -> usize {
        self.ids_in(self.input(None))
    }

    /// Returns the number of ids of the input with this name: the rows that its embedding needs.
    pub fn ids_of(&self, input: &str) -> usize {
        self.ids_in(self.input(Some(input)))
    }

    /// Returns the number of classes, labels or numbers of the only output.
    pub fn units(&self) -> usize {
        self.output(None).map_or(1, |output| output.units)
    }

    /// Returns the number of classes, labels or numbers of the output with this name.
    pub fn units_of(&self, output: &str) -> usize {
        self.output(Some(output)).map_or(1, |output| output.units)
    }

    /// Returns the number of training rows of each class of the only output; empty if it has no classes.
    pub fn class_counts(&self) -> Vec<usize> {
        self.output(None).map_or_else(Vec::new, |output| output.class_counts.clone())
    }

    /// Returns the number of training rows of each class of the output with this name; empty if it has no classes.
    pub fn class_counts_of(&self, output: &str) -> Vec<usize> {
        self.output(Some(output)).map_or_else(Vec::new, |output| output.class_counts.clone())
    }

    /// Returns a weight for each class of the only output with which all classes count equally, as
    /// [`class_weights`](crate::losses::class_weights) of the training rows: `rows / (classes · rows of the class)`. The
    /// weight of a class without rows is 1; without classes there are none.
    pub fn class_weights(&self) -> Vec<f64> {
        balanced(&self.class_counts())
    }

    /// [`class_weights`](Plan::class_weights) of the output with this name.
    pub fn class_weights_of(&self, output: &str) -> Vec<f64> {
        balanced(&self.class_counts_of(output))
    }

    /// Returns the number of training rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the seed of this fit, which the recipe gives to the model's builder and to the trainer.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    fn input(&self, name: Option<&str>) -> Option<&PlannedInput> {
        self.find("input", &self.inputs, |input| &input.name, name)
    }

    fn output(&self, name: Option<&str>) -> Option<&PlannedOutput> {
        self.find("output", &self.outputs, |output| &output.name, name)
    }

    fn ids_in(&self, input: Option<&PlannedInput>) -> usize {
        match input {
            Some(PlannedInput { ids: Some(ids), .. }) => return *ids,
            Some(input) => self.fail(
                Error::data(format!("the input {:?}", cut(&input.name)), "hold ids", "numbers")
                    .help("`CategoryIds` and `Text` make ids."),
            ),
            None => {}
        }
        1
    }

    fn find<'p, T>(
        &self,
        what: &str,
        list: &'p [T],
        name_of: fn(&T) -> &String,
        name: Option<&str>,
    ) -> Option<&'p T> {
        let found = match name {
            Some(name) => list.iter().find(|item| name_of(item) == name),
            None => list.first().filter(|_| list.len() == 1),
        };
        if found.is_none() {
            let names: Vec<&String> = list.iter().map(name_of).collect();
            let asked =
                name.map_or_else(|| format!("the only {what}"), |name| format!("the {what} {:?}", cut(name)));
            self.fail(Error::argument(asked, "one of the recipe's", listed(&names, 20)).help(
                "Name it, as in the recipe: `plan.shape_of(…)` for inputs, `plan.units_of(…)` for outputs.",
            ));
        }
        found
    }

    fn fail(&self, error: Error) {
        let mut fault = self.fault.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        fault.get_or_insert(error);
    }

    /// Fails if a closure has asked for what is not there.
    pub(super) fn check(&self) -> Result<()> {
        let mut fault = self.fault.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        fault.take().map_or(Ok(()), Err)
    }
}

/// The weights of classes with these counts with which all count equally.
fn balanced(counts: &[usize]) -> Vec<f64> {
    let (rows, classes) = (counts.iter().sum::<usize>() as f64, counts.len() as f64);
    counts.iter().map(|&count| if count == 0 { 1.0 } else { rows / (classes * count as f64) }).collect()
}
