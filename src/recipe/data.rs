//! Encoded rows as a data set for the trainer.

use super::target::{FittedTarget, RawTarget};
use crate::data::{Arrays, ArraysBuilder, Augment, Dataset, NamedTargets, Table, TargetArrays, Targets};
use crate::error::{Error, Result};
use crate::losses::AsTarget;
use crate::predictor::{columns_of_table, named_fields};
use crate::preprocessing::{AnyInput, Field, Image, Notes};
use crate::tensor::Tensor;
use ndarray::{Array2, ArrayD, Axis, concatenate};
use std::fmt::Debug;
use std::sync::Arc;

/// The number of rows that are encoded at a time.
const PIECE: usize = 8_192;

/// Encoded rows: what the trainer reads.
#[derive(Debug)]
pub(super) struct Encoded {
    inputs: Vec<NamedInput>,
    targets: Vec<EncodedTarget>,
    weights: Option<Vec<f64>>,
    /// The input that is changed at random in training, and how.
    pub augment: Option<(String, Augment)>,
}

/// An input by its name.
type NamedInput = (String, EncodedInput);

#[derive(Debug)]
enum EncodedInput {
    Numbers(Tensor),
    /// Bytes, and the factor that they are multiplied by when they are read.
    Bytes(ArrayD<u8>, f64),
}

#[derive(Debug)]
struct EncodedTarget {
    output: String,
    values: TargetValues,
}

#[derive(Debug)]
enum TargetValues {
    /// `None` where it is missing.
    Classes(Vec<Option<usize>>, Vec<String>),
    /// NaN where it is missing.
    Numbers(Array2<f32>),
}

/// An input of the recipe: its name and block, and the fields of the block with their columns' names.
#[derive(Clone, Debug)]
pub(super) struct FittedInput {
    pub name: String,
    pub block: Arc<dyn AnyInput>,
}

impl FittedInput {
    /// The fields, a field without a name being named as the input.
    pub fn fields(&self) -> Vec<Field> {
        named_fields(&*self.block, &self.name)
    }

    /// Encodes some rows of a table, piece by piece.
    fn encode(&self, table: &Table, rows: &[usize]) -> Result<EncodedInput> {
        let (mut bytes, mut numbers, mut factor) = (Vec::new(), Vec::new(), None);
        let (fields, mut notes) = (self.fields(), Notes::new());
        for some in rows.chunks(PIECE) {
            let piece = table.select(some)?;
            let columns = columns_of_table(&piece, &fields)?;
            let columns: Vec<_> = columns.iter().map(|column| &**column).collect();
            let image = self.block.as_any().downcast_ref::<Image>();
            match image.map_or(Ok(None), |image| image.encode_bytes(&columns, &mut notes))? {
                Some((piece, scale)) => {
                    bytes.push(piece);
                    factor = Some(scale);
                }
                None => numbers.push(self.block.encode(&columns, &mut notes)?),
            }
        }
        match factor {
            Some(factor) => Ok(EncodedInput::Bytes(joined(bytes)?, factor)),
            None => Ok(EncodedInput::Numbers(joined(numbers)?)),
        }
    }
}

/// Joins pieces along the axis of rows.
fn joined<T: Clone>(mut pieces: Vec<ArrayD<T>>) -> Result<ArrayD<T>> {
    if pieces.len() == 1 {
        return Ok(pieces.remove(0));
    }
    let views: Vec<_> = pieces.iter().map(|piece| piece.view()).collect();
    concatenate(Axis(0), &views).map_err(Error::custom)
}

impl Encoded {
    /// Encodes some rows of a table. An error of an input is one of its place.
    pub fn new(
        table: &Table,
        rows: &[usize],
        inputs: &[FittedInput],
        outputs: &[(&str, &RawTarget, &FittedTarget)],
    ) -> Result<Self> {
        let encode = |input: &FittedInput| {
            let encoded = input.encode(table, rows).map_err(|error| match inputs.len() {
                1 => error,
                _ => error.at(format!("input {}", input.name)),
            });
            Ok((input.name.clone(), encoded?))
        };
        let inputs = inputs.iter().map(encode).collect::<Result<_>>()?;
        let targets = outputs.iter().map(|(output, raw, fitted)| EncodedTarget {
            output: (*output).to_owned(),
            values: target_values(raw, fitted, rows),
        });
        Ok(Self { inputs, targets: targets.collect(), weights: None, augment: None })
    }

    /// Sets a weight for each row.
    pub fn weighted(self, weights: Option<Vec<f64>>) -> Self {
        Self { weights, ..self }
    }

    /// Sets the input that is changed at random in training, and how.
    pub fn augmented(self, augment: Option<(String, Augment)>) -> Self {
        Self { augment, ..self }
    }

    fn arrays<T: Targets>(
        inputs: Vec<NamedInput>,
        weights: Option<Vec<f64>>,
        targets: T,
    ) -> Result<Arrays<f32, T>> {
        let builder =
            inputs.into_iter().fold(Arrays::builder(), |builder: ArraysBuilder, (name, input)| match input {
                EncodedInput::Numbers(numbers) => builder.input(name, numbers),
                EncodedInput::Bytes(bytes, factor) => builder.input(name, bytes).scale(factor),
            });
        let arrays = builder.targets(targets)?;
        match weights {
            Some(weights) => arrays.weights(weights),
            None => Ok(arrays),
        }
    }

    /// The only target, for a loss of one output.
    fn one(self, takes: &str) -> Result<(Vec<NamedInput>, Option<Vec<f64>>, TargetValues)> {
        let Self { inputs, mut targets, weights, .. } = self;
        match (targets.pop(), targets.is_empty()) {
            (Some(target), true) => Ok((inputs, weights, target.values)),
            _ => Err(Error::argument(
                "the loss of a recipe with several outputs",
                "`Losses`",
                format!("one of {takes}"),
            )
            .help("Give each output a loss: `Losses::of(\"class\", CrossEntropy::default()).and(…)`.")),
        }
    }
}

fn target_values(raw: &RawTarget, fitted: &FittedTarget, rows: &[usize]) -> TargetValues {
    match raw {
        RawTarget::Classes { labels, names } => {
            TargetValues::Classes(rows.iter().map(|&row| labels[row]).collect(), names.clone())
        }
        RawTarget::Numbers { numbers, units, .. } => {
            let numbers =
                Array2::from_shape_fn((rows.len(), *units), |(i, place)| match raw.is_missing(rows[i]) {
                    true => f32::NAN,
                    false => fitted.scaled(place, numbers[rows[i] * units + place]),
                });
            TargetValues::Numbers(numbers)
        }
    }
}

/// The targets that a recipe can give to a loss: class indices, numbers, or both by the names of the outputs.
///
/// | the loss takes | the recipe's outputs |
/// |---|---|
/// | `[usize]`, as [`CrossEntropy`](crate::losses::CrossEntropy) | one of [`Classes`](crate::predictor::Classes) |
/// | a tensor, as [`MeanSquaredError`](crate::losses::MeanSquaredError) | one of [`Numbers`](crate::predictor::Numbers) or [`Labels`](crate::predictor::Labels) |
/// | [`NamedTargets`], as [`Losses`](crate::losses::Losses) | any |
/// | nothing, as [`OutputLoss`](crate::losses::OutputLoss) | any |
pub trait TargetKind: sealed::Sealed {
    /// The data set that holds them.
    #[doc(hidden)]
    type Data: Dataset<f32, Target: AsTarget<Self>>;

    /// Makes the data set.
    #[doc(hidden)]
    fn data(encoded: EncodedRows) -> Result<Self::Data>;
}

/// Encoded rows, for the trait above.
#[doc(hidden)]
#[derive(Debug)]
pub struct EncodedRows(pub(super) Encoded);

mod sealed {
    pub trait Sealed {}
    impl Sealed for [usize] {}
    impl Sealed for crate::tensor::Tensor {}
    impl Sealed for crate::data::NamedTargets {}
    impl Sealed for () {}
}

impl TargetKind for [usize] {
    type Data = Arrays<f32, Vec<usize>>;

    fn data(EncodedRows(encoded): EncodedRows) -> Result<Self::Data> {
        match encoded.one("class indices")? {
            (inputs, weights, TargetValues::Classes(labels, names)) => {
                // Rows without a target are left out before.
                let labels = labels.into_iter().flatten().collect::<Vec<_>>();
                Ok(Encoded::arrays(inputs, weights, labels)?.with_class_names(names))
            }
            _ => Err(Error::data("the loss", "take the numbers of the output", "one for class indices")
                .help("MeanSquaredError and Huber take numbers, SoftBinaryCrossEntropy labels.")),
        }
    }
}

impl TargetKind for Tensor {
    type Data = Arrays<f32, ArrayD<f32>>;

    fn data(EncodedRows(encoded): EncodedRows) -> Result<Self::Data> {
        match encoded.one("numbers")? {
            (inputs, weights, TargetValues::Numbers(numbers)) => {
                Encoded::arrays(inputs, weights, numbers.into_dyn())
            }
            _ => Err(Error::data("the loss", "take the classes of the output", "one for numbers")
                .help("CrossEntropy takes classes.")),
        }
    }
}

impl TargetKind for NamedTargets {
    type Data = Arrays<f32, TargetArrays>;

    fn data(EncodedRows(Encoded { inputs, targets, weights, .. }): EncodedRows) -> Result<Self::Data> {
        let add = |all: TargetArrays, EncodedTarget { output, values }| match values {
            TargetValues::Classes(labels, names) => all.classes(output, labels).class_names(names),
            TargetValues::Numbers(numbers) => all.numbers(output, numbers).nan_is_missing(),
        };
        Encoded::arrays(inputs, weights, targets.into_iter().fold(TargetArrays::new(), add))
    }
}

impl TargetKind for () {
    type Data = Arrays<f32, ()>;

    fn data(EncodedRows(Encoded { inputs, weights, .. }): EncodedRows) -> Result<Self::Data> {
        Encoded::arrays(inputs, weights, ())
    }
}
