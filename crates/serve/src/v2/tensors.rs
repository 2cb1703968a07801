//! The tensors of a request as rows of a predictor.

use super::request::{Data, Given, Request};
use crate::fault::{Fault, shortened};
use crate::loaded::Loaded;
use crate::tensor::{Input, Takes};
use plywood::data::{ColumnType, Pixels};
use plywood::ndarray::ArrayD;
use plywood::predictor::{Prepared, Raw, Row};

/// Prepares the tensors of a request for a model.
pub(super) fn prepare(
    mut request: Request,
    model: &Loaded,
    most: usize,
) -> Result<(Request, Prepared), Fault> {
    let given = std::mem::take(&mut request.inputs);
    let tensors = matched(given, &model.inputs)?;
    let rows = rows(&tensors, most)?;
    model.check_rows(rows)?;
    let prepared = match model.bare {
        true => {
            let all = tensors.into_iter().map(|(given, input)| {
                let shape = [&[rows], &input.shape[..]].concat();
                let Data::Fp32(numbers) = given.data else { return Err(Fault::inside("FP32 was checked")) };
                Ok((input.name.as_str(), ArrayD::from_shape_vec(shape, numbers).map_err(Fault::bad)?))
            });
            let all = all.collect::<Result<Vec<_>, _>>()?;
            Prepared::of_tensors(all).map_err(Fault::bad)?
        }
        false => {
            let (mut all, alone) = (vec![Row::new(); rows], tensors.len() == 1);
            for (given, input) in tensors {
                let values = values(given, input, rows, alone)?;
                for (row, value) in all.iter_mut().zip(values) {
                    *row = std::mem::take(row).with(input.name.as_str(), value);
                }
            }
            model.predictor.prepare(&all).map_err(Fault::bad)?
        }
    };
    Ok((request, prepared))
}

/// Each input of the model with its tensor.
fn matched(given: Vec<Given>, inputs: &[Input]) -> Result<Vec<(Given, &Input)>, Fault> {
    let names = || {
        let some: Vec<String> =
            inputs.iter().take(20).map(|i| format!("{} {}", shortened(&i.name, 60), i.datatype)).collect();
        some.join(", ")
    };
    let mut places: Vec<Option<Given>> = inputs.iter().map(|_| None).collect();
    for tensor in given {
        let name = shortened(&tensor.name, 100);
        let Some(place) = inputs.iter().position(|input| input.name == tensor.name) else {
            return Err(Fault::bad(format!("the model has no input {name:?}; it has {}", names())));
        };
        let input = &inputs[place];
        if tensor.data.datatype() != input.datatype {
            return Err(Fault::bad(format!(
                "the datatype of the input {name:?} must be {}, got {}; the server converts no numbers",
                input.datatype,
                tensor.data.datatype()
            )));
        }
        let is_column = input.shape.is_empty() && matches!(tensor.shape[..], [_, 1]);
        if !is_column && tensor.shape.get(1..) != Some(&input.shape[..]) {
            let sides: String = input.shape.iter().map(|side| format!(", {side}")).collect();
            let help = match input.takes {
                Takes::Image { .. } => "; /v1/predict takes images of any size",
                _ => "",
            };
            return Err(Fault::bad(format!(
                "the shape of the input {name:?} must be [rows{sides}], got {:?}{help}",
                tensor.shape.iter().take(16).collect::<Vec<_>>()
            )));
        }
        if places[place].replace(tensor).is_some() {
            return Err(Fault::bad(format!("the input {name:?} must be given once, got it twice")));
        }
    }
    let pairs = places.into_iter().zip(inputs).map(|(place, input)| {
        place.map(|given| (given, input)).ok_or_else(|| {
            let name = shortened(&input.name, 100);
            Fault::bad(format!("the input {name:?} is missing; the model takes {}", names()))
        })
    });
    pairs.collect()
}

/// The number of rows, which all tensors have.
fn rows(tensors: &[(Given, &Input)], most: usize) -> Result<usize, Fault> {
    let of = |(given, _): &(Given, &Input)| given.shape.first().copied().unwrap_or(0);
    let rows = tensors.first().map_or(0, of);
    if let Some((other, _)) = tensors.iter().find(|tensor| of(tensor) != rows) {
        let (name, first) = (shortened(&other.name, 100), shortened(&tensors[0].0.name, 100));
        return Err(Fault::bad(format!(
            "the input {name:?} must have {rows} rows as {first:?}, got {}",
            other.shape.first().copied().unwrap_or(0)
        )));
    }
    match rows <= most {
        true => Ok(rows),
        false => {
            Err(Fault::large(format!("a request must have at most {most} rows, got {rows}; send several")))
        }
    }
}

/// The value of each row. A missing value is one of a table: a value that is alone must be there.
fn values(given: Given, input: &Input, rows: usize, alone: bool) -> Result<Vec<Raw>, Fault> {
    let missing = |raw: Option<Raw>| raw.unwrap_or(Raw::Missing);
    Ok(match (given.data, &input.takes) {
        (Data::Uint8(bytes), Takes::Image { height, width, grey }) => {
            let size = [*height, *width];
            let each = height * width * if *grey { 1 } else { 3 };
            let image = |bytes: &[u8]| match grey {
                true => Pixels::grey(size, bytes),
                false => Pixels::rgb(size, bytes),
            };
            let images =
                bytes.chunks_exact(each.max(1)).map(|bytes| Ok(image(bytes).map_err(Fault::bad)?.into()));
            images.collect::<Result<_, Fault>>()?
        }
        (Data::Fp32(numbers), Takes::Array) => {
            let each = input.shape.iter().product::<usize>();
            let array = |row: usize| {
                let some = &numbers[row * each..(row + 1) * each];
                Raw::Array {
                    shape: input.shape.clone(),
                    numbers: some.iter().map(|&x| f64::from(x)).collect(),
                }
            };
            (0..rows).map(array).collect()
        }
        (Data::Fp64(numbers), Takes::Value(ColumnType::Number)) => {
            numbers.into_iter().map(|x| missing(x.map(Raw::Number))).collect()
        }
        (Data::Bool(values), Takes::Value(_)) => {
            values.into_iter().map(|x| missing(x.map(Raw::Boolean))).collect()
        }
        (Data::Bytes(texts), Takes::Value(_)) => {
            if alone && texts.iter().any(Option::is_none) {
                let name = shortened(&input.name, 100);
                return Err(Fault::bad(format!("the input {name:?} must have a text in each row, got null")));
            }
            texts.into_iter().map(|x| missing(x.map(Raw::Text))).collect()
        }
        _ => return Err(Fault::inside("the datatype of an input was checked")),
    })
}
