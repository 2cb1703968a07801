//! [`FittedBlocks`]: what a recipe has fitted to the training part.

use super::bound::Bound;
use super::data::{Encoded, FittedInput};
use super::plan::{PlannedInput, PlannedOutput};
use super::scores::add_scores;
use super::settings::Recipe;
use super::target::FittedTarget;
use crate::data::Augment;
use crate::error::{Error, Result};
use crate::nn::{Model, Port};
use crate::predictor::{Parts, Predictor};
use crate::shown::{cut, listed, port};
use crate::train::Evaluation;

/// The blocks in front of the inputs and behind the outputs, by the names of these.
pub(super) struct FittedBlocks {
    inputs: Vec<FittedInput>,
    outputs: Vec<(String, FittedTarget)>,
}

impl FittedBlocks {
    /// Fits the blocks to these rows.
    pub fn fit(bound: &Bound<'_>, rows: &[usize]) -> Result<Self> {
        let (recipe, part) = (bound.recipe, bound.table.part(rows.to_vec())?);
        let names: Vec<&Option<String>> = recipe.inputs.iter().map(|(name, _)| name).collect();
        let inputs = recipe.inputs.iter().enumerate().map(|(place, (_, spec))| {
            let name = Recipe::name(&names, place, "input")?;
            let block = spec.fit(&part, &bound.excluded).map_err(|error| error.at(port("input", name)))?;
            let input = FittedInput { name: name.to_owned(), block };
            let is_excluded = |name: &String| bound.excluded.contains(&name.as_str());
            if let Some(field) = input.fields().into_iter().map(|field| field.name).find(is_excluded) {
                let found = format!("{:?} in the input {:?}", cut(&field), cut(name));
                return Err(Error::argument(
                    "the columns of the inputs",
                    "no targets, weights or groups",
                    found,
                )
                .help("A model that sees what it is to predict learns nothing else."));
            }
            Ok(input)
        });
        let inputs = inputs.collect::<Result<_>>()?;
        let outputs = bound.targets.iter().zip(&recipe.outputs).map(|((name, raw), (_, spec))| {
            let fitted = spec.fit(raw, rows).map_err(|error| error.at(port("output", name)))?;
            Ok(((*name).to_owned(), fitted))
        });
        Ok(Self { inputs, outputs: outputs.collect::<Result<_>>()? })
    }

    pub fn planned_inputs(&self) -> Vec<PlannedInput> {
        let planned = |input: &FittedInput| PlannedInput {
            name: input.name.clone(),
            shape: input.block.shape(),
            ids: input.block.ids(),
        };
        self.inputs.iter().map(planned).collect()
    }

    pub fn planned_outputs(&self, bound: &Bound<'_>, rows: &[usize]) -> Vec<PlannedOutput> {
        let planned = bound.targets.iter().map(|(name, raw)| PlannedOutput {
            name: (*name).to_owned(),
            units: raw.units(),
            class_counts: raw.class_counts(rows),
        });
        planned.collect()
    }

    /// Checks that the blocks fit a model, before it is trained. The only input or output gets the model's name for it
    /// if the recipe has none.
    pub fn fit_to(&mut self, recipe: &Recipe, model: &dyn Model) -> Result<Parts> {
        let given = |name: &Option<String>, ports: &[Port]| match (name, ports) {
            (None, [only]) => Some(only.name().to_owned()),
            (name, _) => name.clone(),
        };
        for (input, (name, _)) in self.inputs.iter_mut().zip(&recipe.inputs) {
            input.name = given(name, model.inputs()).unwrap_or_else(|| input.name.clone());
        }
        for ((output, _), (name, _)) in self.outputs.iter_mut().zip(&recipe.outputs) {
            *output = given(name, model.outputs()).unwrap_or_else(|| output.clone());
        }
        let inputs = recipe
            .inputs
            .iter()
            .zip(&self.inputs)
            .map(|((name, _), input)| (name.clone(), input.block.clone()));
        let outputs = recipe.outputs.iter().zip(&self.outputs);
        let outputs = outputs.map(|((name, _), (_, fitted))| (name.clone(), fitted.block.clone()));
        Parts::new(model.as_infer(), inputs.collect(), outputs.collect())
    }

    /// The input that is changed at random in training, and how.
    pub fn augment(&self, recipe: &Recipe) -> Result<Option<(String, Augment)>> {
        let Some((name, augment)) = &recipe.augment else { return Ok(None) };
        let names: Vec<&str> = self.inputs.iter().map(|input| input.name.as_str()).collect();
        let input = match (name, &names[..]) {
            (Some(name), names) if names.contains(&name.as_str()) => name.clone(),
            (None, [only]) => (*only).to_owned(),
            (name, names) => {
                let found = name.as_ref().map_or("none".to_owned(), |name| format!("{:?}", cut(name)));
                let expected = format!("one of the recipe's: {}", listed(names, 20));
                return Err(Error::argument("the input to augment", expected, found)
                    .help("Name it: `augment_named(\"…\", …)`."));
            }
        };
        Ok(Some((input, augment.clone())))
    }

    /// The columns that the inputs take.
    pub fn columns(&self) -> Vec<String> {
        self.inputs.iter().flat_map(FittedInput::fields).map(|field| field.name).collect()
    }

    /// The checksum of everything that was fitted.
    pub fn checksum(&self) -> Result<u32> {
        let inputs = self.inputs.iter().map(|input| input.block.bytes());
        let outputs = self.outputs.iter().map(|(_, output)| output.block.bytes());
        let mut sum = crc32fast::Hasher::new();
        for bytes in inputs.chain(outputs) {
            sum.update(&bytes?);
        }
        Ok(sum.finalize())
    }

    /// Encodes rows for the trainer.
    pub fn encode(&self, bound: &Bound<'_>, rows: &[usize]) -> Result<Encoded> {
        let outputs = bound.targets.iter().zip(&self.outputs);
        let outputs: Vec<_> =
            outputs.map(|((_, raw), (name, fitted))| (name.as_str(), raw, fitted)).collect();
        let weights = bound.weights.map(|weights| rows.iter().map(|&row| weights[row]).collect());
        Ok(Encoded::new(bound.table, rows, &self.inputs, &outputs)?.weighted(weights))
    }

    /// Adds the scores of the answers for rows.
    pub fn score(
        &self,
        bound: &Bound<'_>,
        predictor: &Predictor,
        rows: &[usize],
        evaluation: &mut Evaluation,
    ) -> Result<()> {
        let targets = bound.targets.iter().zip(&self.outputs);
        let targets: Vec<_> = targets.map(|((_, raw), (name, _))| (name.as_str(), raw)).collect();
        let prepared = predictor.prepare_table(&bound.table.select(rows)?)?;
        add_scores(&mut evaluation.metrics, predictor, &predictor.infer(&prepared)?, &targets, rows)
    }
}
