//! [`Predictor`] and its builder.

use super::output::{AnyOutput, OutputBlock};
use crate::data::CsvForm;
use crate::error::{Error, Result};
use crate::nn::{Infer, OutputActivation, Port};
use crate::preprocessing::{AnyInput, Field, InputBlock};
use crate::shown::{self, cut, listed};
use std::fmt;
use std::sync::Arc;

/// A trained model with what it takes and what it says: raw values in, answers out, all in one file.
///
/// ```
/// use plywood::data::Pixels;
/// use plywood::preprocessing::Image;
/// use plywood::prelude::*;
///
/// let model = Sequential::builder([28, 28]).layer(Flatten).layer(Dense::units(2)).layer(Softmax).build()?;
/// let predictor = Predictor::new(model)
///     .input(Image::grey(28, 28))
///     .output(Classes::named(["shirt", "shoe"]))
///     .build()?;
/// # let path = std::env::temp_dir().join("plywood-doc-predictor.plywood");
/// # let path = path.to_str().unwrap();
/// predictor.save(path)?;
///
/// // Anywhere else: no size, no scale and no list of classes in the program.
/// let predictor = Predictor::load(path)?;
/// let photo = Pixels::rgb([40, 60], vec![200; 40 * 60 * 3])?; // or `Raw::file("photo.png")`
/// println!("{}", predictor.predict(photo)?); // shirt 0.50, shoe 0.50 [input was resized from 40 x 60; …]
/// # std::fs::remove_file(path).unwrap();
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// It is for models of `f32`. Threads share it: all methods take `&self`, and clones share the model. The file's model
/// alone is read by [`plywood::load`](crate::load), for example to train it further; [`with_model`](Predictor::with_model)
/// puts it back.
#[derive(Clone)]
pub struct Predictor {
    pub(super) model: Arc<dyn Infer>,
    pub(super) parts: Parts,
    /// How the training file was written.
    pub(super) csv_form: Option<Arc<CsvForm>>,
}

/// Everything but the model.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(super) inputs: Vec<PortInput>,
    pub(super) outputs: Vec<PortOutput>,
    /// The values that a row must have.
    pub(super) fields: Arc<[Field]>,
    pub(super) output_names: Arc<[Arc<str>]>,
}

/// A block in front of an input.
#[derive(Clone, Debug)]
pub(crate) struct PortInput {
    pub port: Arc<str>,
    pub block: Arc<dyn AnyInput>,
    /// For each of the block's fields its place among those of the predictor, and its name.
    pub fields: Vec<usize>,
    pub names: Vec<Arc<str>>,
}

/// A block behind an output.
#[derive(Clone, Debug)]
pub(crate) struct PortOutput {
    pub activation: OutputActivation,
    pub block: Arc<dyn AnyOutput>,
}

/// Builds a [`Predictor`]; [`Predictor::new`] returns it.
#[derive(Debug)]
#[must_use = "nothing is made before `build` is called"]
pub struct PredictorBuilder {
    model: Arc<dyn Infer>,
    inputs: Vec<Named<dyn AnyInput>>,
    outputs: Vec<Named<dyn AnyOutput>>,
    csv_form: Option<Arc<CsvForm>>,
}

impl PredictorBuilder {
    pub(crate) fn of(model: Arc<dyn Infer>) -> Self {
        Self { model, inputs: Vec::new(), outputs: Vec::new(), csv_form: None }
    }

    /// Sets the block in front of the input, of a model with one.
    pub fn input(mut self, block: impl InputBlock) -> Self {
        self.inputs.push((None, Arc::new(block)));
        self
    }

    /// Sets the block in front of the input with this name.
    pub fn input_named(self, input: impl Into<String>, block: impl InputBlock) -> Self {
        self.any_input(input.into(), Arc::new(block))
    }

    /// Sets the block behind the output, of a model with one.
    pub fn output(mut self, block: impl OutputBlock) -> Self {
        self.outputs.push((None, Arc::new(block)));
        self
    }

    /// Sets the block behind the output with this name.
    pub fn output_named(self, output: impl Into<String>, block: impl OutputBlock) -> Self {
        self.any_output(output.into(), Arc::new(block))
    }

    /// Sets the form of the CSV files that [`Predictor::predict_csv`] reads: that of a table, [`Table::form`](crate::data::Table::form).
    pub fn csv_form(mut self, form: &CsvForm) -> Self {
        self.csv_form = Some(Arc::new(form.clone()));
        self
    }

    pub(crate) fn any_input(mut self, input: String, block: Arc<dyn AnyInput>) -> Self {
        self.inputs.push((Some(input), block));
        self
    }

    pub(crate) fn any_output(mut self, output: String, block: Arc<dyn AnyOutput>) -> Self {
        self.outputs.push((Some(output), block));
        self
    }

    /// Checks that the blocks fit the model, and makes the predictor.
    ///
    /// # Errors
    /// When an input or output has no block or two, the shapes differ, an output is not what its block answers, or two
    /// inputs take different values of one name.
    pub fn build(self) -> Result<Predictor> {
        let Self { model, inputs, outputs, csv_form } = self;
        Ok(Predictor { parts: Parts::new(&*model, inputs, outputs)?, model, csv_form })
    }
}

/// A block, and the name of its input or output if it was given.
pub(crate) type Named<B> = (Option<String>, Arc<B>);

impl Parts {
    /// Checks that the blocks fit the model.
    pub(crate) fn new(
        model: &dyn Infer,
        inputs: Vec<Named<dyn AnyInput>>,
        outputs: Vec<Named<dyn AnyOutput>>,
    ) -> Result<Self> {
        let build = || {
            let input_blocks = by_port(model.inputs(), inputs, "input")?;
            let output_blocks = by_port(model.outputs(), outputs, "output")?;
            let mut fields: Vec<Field> = Vec::new();
            let mut inputs = Vec::new();
            for (port, block) in model.inputs().iter().zip(input_blocks) {
                let place = |error: Error| error.at(shown::port("input", port.name()));
                check_shape(port, &*block).map_err(place)?;
                let named = named_fields(&*block, port.name());
                let names = named.iter().map(|field| field.name.as_str().into()).collect();
                let places = named.into_iter().map(|field| add(&mut fields, field));
                let places = places.collect::<Result<_>>().map_err(place)?;
                inputs.push(PortInput { port: port.name().into(), block, fields: places, names });
            }
            let mut outputs = Vec::new();
            for (number, (port, block)) in model.outputs().iter().zip(output_blocks).enumerate() {
                let activation = model.known_values(number);
                block
                    .check_output(port.shape(), activation)
                    .map_err(|error| error.at(shown::port("output", port.name())))?;
                outputs.push(PortOutput { activation, block });
            }
            let output_names = model.outputs().iter().map(|port| port.name().into()).collect();
            Ok(Self { inputs, outputs, fields: fields.into(), output_names })
        };
        build().map_err(|error: Error| error.at("predictor"))
    }

    /// Joins the parts with a model that they fit.
    pub(crate) fn with_model(self, model: Box<dyn Infer>, csv_form: Option<&CsvForm>) -> Predictor {
        Predictor { model: Arc::from(model), parts: self, csv_form: csv_form.cloned().map(Arc::new) }
    }
}

/// The fields of a block; one without a name is named after the input.
pub(crate) fn named_fields(block: &dyn AnyInput, input: &str) -> Vec<Field> {
    let named = |field: Field| match field.name.is_empty() {
        true => Field { name: input.to_owned(), ..field },
        false => field,
    };
    block.fields().into_iter().map(named).collect()
}

/// The block of each input or output.
fn by_port<B: ?Sized>(ports: &[Port], given: Vec<Named<B>>, what: &str) -> Result<Vec<Arc<B>>> {
    let names: Vec<&str> = ports.iter().map(Port::name).collect();
    let mut blocks: Vec<Option<Arc<B>>> = vec![None; ports.len()];
    for (name, block) in given {
        let place = match &name {
            None if ports.len() == 1 => 0,
            None => {
                let expected = format!("one of the model's {what}s: {}", listed(&names, 20));
                return Err(Error::argument(format!("the name of the {what}"), expected, "none")
                    .help(format!("Name it: `.{what}_named(\"{}\", …)`.", names[0])));
            }
            Some(name) => names.iter().position(|known| known == name).ok_or_else(|| {
                let expected = format!("one of the model's {what}s: {}", listed(&names, 20));
                Error::argument(format!("the name of the {what}"), expected, format!("{:?}", cut(name)))
                    .help("Name one of these.")
            })?,
        };
        if blocks[place].replace(block).is_some() {
            let found = format!("two for {:?}", cut(names[place]));
            return Err(Error::argument(format!("the blocks of the {what}s"), "one for each", found)
                .help("Leave one of them out."));
        }
    }
    let each = blocks.into_iter().zip(&names).map(|(block, name)| {
        block.ok_or_else(|| {
            let found = format!("none for {:?}", cut(name));
            let help = match what {
                "input" => format!("Say what the model takes: `.input_named({name:?}, …)`, or `.input(…)` for the only one."),
                _ => format!(
                    "Say what the output means: `.output_named({name:?}, …)`, or `.output(…)` for the only one. To leave \
                     it out, take a model without it: `Graph::with_outputs`."
                ),
            };
            Error::argument(format!("the blocks of the {what}s"), "one for each", found).help(help)
        })
    });
    each.collect()
}

/// The error for a block that is not there, or has another type.
fn no_block(name: &str, what: &str, kind: &str, found: Option<&'static str>) -> Error {
    let found =
        found.map_or_else(|| "none of this name".to_owned(), |found| format!("one of kind {found:?}"));
    Error::argument(
        format!("the {what} {:?}", cut(name)),
        format!("one with a block of kind {kind:?}"),
        found,
    )
    .help("The names are those of the model's inputs and outputs.")
}

/// Checks that a block makes what an input takes.
fn check_shape(port: &Port, block: &dyn AnyInput) -> Result<()> {
    let shape = block.shape();
    if shape == port.shape() {
        return Ok(());
    }
    let numbers = |shape: &[usize]| shape.iter().product::<usize>();
    let help = match numbers(&shape) == numbers(port.shape()) && shape.len() + 1 == port.shape().len() {
        true => "Images of one channel have it as their first axis with `Image::with_channel`.",
        false => "Build the model for what the block makes, or change the block.",
    };
    Err(Error::shape("what the block makes", format!("{:?}, as the model's input", port.shape()), &shape)
        .help(help))
}

/// Adds a field unless it is there, and returns its place.
fn add(fields: &mut Vec<Field>, field: Field) -> Result<usize> {
    match fields.iter().position(|known| known.name == field.name) {
        None => {
            fields.push(field);
            Ok(fields.len() - 1)
        }
        Some(place) if fields[place] == field => Ok(place),
        Some(place) => {
            let what = format!("the value {:?}", cut(&field.name));
            let expected = format!("be {}, as for another input", fields[place].column_type);
            Err(Error::data(what, expected, &field.column_type).help("Give the two values different names."))
        }
    }
}

impl Predictor {
    /// Starts a predictor of this model: a [`Sequential`](crate::nn::Sequential), a [`Graph`](crate::nn::Graph), or what
    /// [`load`](crate::load) returns. State its input and output, and call `build`.
    #[expect(clippy::new_ret_no_self, reason = "the predictor is made by `build`, as models are")]
    pub fn new(model: impl Infer + 'static) -> PredictorBuilder {
        PredictorBuilder::of(Arc::new(model))
    }

    /// Returns the same predictor with another model, for example one that was trained further.
    ///
    /// # Errors
    /// As [`PredictorBuilder::build`].
    pub fn with_model(&self, model: impl Infer + 'static) -> Result<Self> {
        self.blocks(PredictorBuilder::of(Arc::new(model))).build()
    }

    /// Gives a builder the blocks of this predictor.
    fn blocks(&self, builder: PredictorBuilder) -> PredictorBuilder {
        let inputs = self.parts.inputs.iter();
        let builder = PredictorBuilder { csv_form: self.csv_form.clone(), ..builder };
        let builder = inputs.fold(builder, |builder, PortInput { port, block, .. }| {
            builder.any_input(port.to_string(), block.clone())
        });
        self.parts.output_names.iter().zip(&self.parts.outputs).fold(builder, |builder, (name, output)| {
            builder.any_output(name.to_string(), output.block.clone())
        })
    }

    /// Returns the block in front of an input, if it is of this type.
    ///
    /// # Errors
    /// When there is no such input, or its block has another type.
    pub fn input_block<B: InputBlock>(&self, input: &str) -> Result<&B> {
        let found = self.parts.inputs.iter().find(|own| *own.port == *input);
        let block = found.and_then(|own| own.block.as_any().downcast_ref());
        block.ok_or_else(|| no_block(input, "input", B::KIND.name(), found.map(|own| own.block.kind())))
    }

    /// Returns the block behind an output, if it is of this type.
    ///
    /// # Errors
    /// When there is no such output, or its block has another type.
    pub fn output_block<B: OutputBlock>(&self, output: &str) -> Result<&B> {
        let place = self.parts.output_names.iter().position(|name| **name == *output);
        let found = place.map(|place| &self.parts.outputs[place].block);
        let block = found.and_then(|block| block.as_any().downcast_ref());
        block.ok_or_else(|| no_block(output, "output", B::KIND.name(), found.map(|block| block.kind())))
    }

    /// Returns the same predictor with another block in front of an input: one for photos on a light background.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([2, 2]).layer(Flatten).layer(Dense::units(2)).layer(Softmax).build()?;
    /// let predictor = Predictor::new(model).input(Image::grey(2, 2)).output(Classes::named(["a", "b"])).build()?;
    /// let inverted = predictor.input_block::<Image>("input")?.clone().invert(true);
    /// let of_paper = predictor.with_input("input", inverted)?;
    /// let classes = predictor.output_block::<Classes>("output")?.clone().threshold(0.8);
    /// let careful = of_paper.with_output("output", classes)?;
    /// # let _ = careful;
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there is no such input, or the block does not fit the model.
    pub fn with_input(&self, input: &str, block: impl InputBlock) -> Result<Self> {
        let mut builder = self.blocks(PredictorBuilder::of(self.model.clone()));
        builder.inputs.retain(|(name, _)| name.as_deref() != Some(input));
        builder.input_named(input, block).build()
    }

    /// Returns the same predictor with another block behind an output: with another threshold, unit or number of classes.
    ///
    /// # Errors
    /// When there is no such output, or the block does not fit the model.
    pub fn with_output(&self, output: &str, block: impl OutputBlock) -> Result<Self> {
        let mut builder = self.blocks(PredictorBuilder::of(self.model.clone()));
        builder.outputs.retain(|(name, _)| name.as_deref() != Some(output));
        builder.output_named(output, block).build()
    }

    /// Returns the model.
    pub fn model(&self) -> &dyn Infer {
        &*self.model
    }

    /// Returns the names and types of the values that a row must have.
    pub fn fields(&self) -> &[Field] {
        &self.parts.fields
    }
}

/// What it takes and what it says, and the model's summary.
impl fmt::Debug for Predictor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Predictor")
            .field("model", &self.model)
            .field("inputs", &self.parts.inputs)
            .field("outputs", &self.parts.outputs)
            .finish()
    }
}
