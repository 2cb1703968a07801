//! The tensors that a model takes and gives in the KServe protocol, worked out from its predictor.

use plywood::data::ColumnType;
use plywood::nn::{Infer, Port};
use plywood::predictor::{Classes, Labels, Numbers, Predictor};
use plywood::preprocessing::{Field, Image, InputBlock};
use std::fmt;

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Datatype {
    Bool,
    Uint8,
    Fp32,
    Fp64,
    Bytes,
}

impl Datatype {
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "BOOL",
            Self::Uint8 => "UINT8",
            Self::Fp32 => "FP32",
            Self::Fp64 => "FP64",
            Self::Bytes => "BYTES",
        }
    }

    /// As Triton's model configuration names it.
    pub fn config_name(self) -> &'static str {
        match self {
            Self::Bool => "TYPE_BOOL",
            Self::Uint8 => "TYPE_UINT8",
            Self::Fp32 => "TYPE_FP32",
            Self::Fp64 => "TYPE_FP64",
            Self::Bytes => "TYPE_STRING",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Bool, Self::Uint8, Self::Fp32, Self::Fp64, Self::Bytes].into_iter().find(|t| t.name() == name)
    }

    /// The bytes of an element in the binary form; `None` if they differ.
    pub fn size(self) -> Option<usize> {
        match self {
            Self::Bool | Self::Uint8 => Some(1),
            Self::Fp32 => Some(4),
            Self::Fp64 => Some(8),
            Self::Bytes => None,
        }
    }
}

impl fmt::Display for Datatype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An input: a raw value of the predictor, or a tensor of a model without one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Input {
    pub name: String,
    pub datatype: Datatype,
    /// Of a row.
    pub shape: Vec<usize>,
    pub takes: Takes,
}

/// What an input's elements become.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Takes {
    /// An image of this height and width.
    Image { height: usize, width: usize, grey: bool },
    /// A value of this type for each row.
    Value(ColumnType),
    /// An array of numbers for each row.
    Array,
    /// The model's own input.
    Tensor,
}

/// An output: a part of what the predictor says of an output of the model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Output {
    pub name: String,
    /// The name of the model's output.
    pub of: String,
    pub datatype: Datatype,
    /// Of a row.
    pub shape: Vec<usize>,
    pub gives: Gives,
}

/// What an output has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gives {
    /// The probabilities of all classes or labels.
    Probabilities,
    /// The name of the most probable class; empty if it is below the threshold.
    Class,
    /// Whether each label is above its threshold.
    Labels,
    /// Numbers in the units of the targets.
    Values,
    /// The model's own output.
    Tensor,
}

/// The inputs of a predictor: one for each of its values.
pub(crate) fn inputs(predictor: &Predictor, images: &[ImageField]) -> Vec<Input> {
    let input = |field: &Field| {
        let (datatype, shape, takes) = match &field.column_type {
            ColumnType::Image => {
                let image = images.iter().find(|image| image.name == field.name);
                let ([height, width], grey) = image.map_or(([1, 1], true), |image| (image.size, image.grey));
                let shape = if grey { vec![height, width] } else { vec![height, width, 3] };
                (Datatype::Uint8, shape, Takes::Image { height, width, grey })
            }
            ColumnType::Array(shape) => (Datatype::Fp32, shape.clone(), Takes::Array),
            other => {
                let datatype = match other {
                    ColumnType::Number => Datatype::Fp64,
                    ColumnType::Boolean { .. } => Datatype::Bool,
                    _ => Datatype::Bytes,
                };
                (datatype, Vec::new(), Takes::Value(other.clone()))
            }
        };
        Input { name: field.name.clone(), datatype, shape, takes }
    };
    predictor.fields().iter().map(input).collect()
}

/// An image that a predictor takes.
#[derive(Clone, Debug)]
pub(crate) struct ImageField {
    pub name: String,
    /// Height and width.
    pub size: [usize; 2],
    pub grey: bool,
    /// Whether the model takes dark things on light ground, and inverts them.
    pub inverted: bool,
}

/// The images that a predictor takes.
pub(crate) fn images(predictor: &Predictor) -> Vec<ImageField> {
    let found = predictor.model().inputs().iter().filter_map(|port| {
        let image: &Image = predictor.input_block(port.name()).ok()?;
        let name = InputBlock::fields(image).into_iter().next()?.name;
        let name = if name.is_empty() { port.name().to_owned() } else { name };
        Some(ImageField {
            name,
            size: [image.height(), image.width()],
            grey: image.is_grey(),
            inverted: image.is_inverted(),
        })
    });
    found.collect()
}

/// The inputs of a model without a predictor.
pub(crate) fn model_inputs(model: &dyn Infer) -> Vec<Input> {
    let input = |port: &Port| Input {
        name: port.name().to_owned(),
        datatype: Datatype::Fp32,
        shape: port.shape().to_vec(),
        takes: Takes::Tensor,
    };
    model.inputs().iter().map(input).collect()
}

/// The outputs of a predictor. If the model has several, their names stand before a dot.
pub(crate) fn outputs(predictor: &Predictor) -> Vec<Output> {
    let ports = predictor.model().outputs();
    ports.iter().flat_map(|port| of_port(predictor, port, ports.len() > 1)).collect()
}

fn of_port(predictor: &Predictor, port: &Port, several: bool) -> Vec<Output> {
    let output = |name: &str, datatype, shape: Vec<usize>, gives| Output {
        name: if several { format!("{}.{name}", port.name()) } else { name.to_owned() },
        of: port.name().to_owned(),
        datatype,
        shape,
        gives,
    };
    if let Ok(classes) = predictor.output_block::<Classes>(port.name()) {
        let probabilities =
            output("probabilities", Datatype::Fp32, vec![classes.names().len()], Gives::Probabilities);
        return vec![probabilities, output("class", Datatype::Bytes, Vec::new(), Gives::Class)];
    }
    if let Ok(labels) = predictor.output_block::<Labels>(port.name()) {
        let shape = vec![labels.names().len()];
        let probabilities = output("probabilities", Datatype::Fp32, shape.clone(), Gives::Probabilities);
        return vec![probabilities, output("labels", Datatype::Bool, shape, Gives::Labels)];
    }
    if predictor.output_block::<Numbers>(port.name()).is_ok() {
        return vec![output("values", Datatype::Fp64, port.shape().to_vec(), Gives::Values)];
    }
    vec![output("values", Datatype::Fp32, port.shape().to_vec(), Gives::Tensor)]
}

/// The outputs of a model without a predictor.
pub(crate) fn model_outputs(model: &dyn Infer) -> Vec<Output> {
    let output = |port: &Port| Output {
        name: port.name().to_owned(),
        of: port.name().to_owned(),
        datatype: Datatype::Fp32,
        shape: port.shape().to_vec(),
        gives: Gives::Tensor,
    };
    model.outputs().iter().map(output).collect()
}
