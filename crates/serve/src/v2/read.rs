//! Reads the body of an inference request: JSON, and the data of binary inputs behind it.

use super::json::{self, Source};
use super::request::{Data, Given, Request};
use crate::fault::{Fault, shortened};
use crate::tensor::Datatype;

/// Reads a request: JSON of this length, and the data of binary inputs behind it. Without a length the JSON ends where
/// its object ends.
pub(super) fn read(body: &[u8], head: Option<usize>) -> Result<Request, Fault> {
    let length = head.unwrap_or(body.len());
    let Some(json) = body.get(..length) else {
        return Err(Fault::bad(format!(
            "Inference-Header-Content-Length must be at most the {} bytes of the body, got {length}",
            body.len()
        )));
    };
    let (mut request, sources, end) = json::read(json)?;
    if head.is_some() && !json[end..].iter().all(u8::is_ascii_whitespace) {
        return Err(Fault::bad(format!(
            "the JSON must be as long as Inference-Header-Content-Length says, got an end after {end} of {length} bytes"
        )));
    }
    let is_binary = sources.iter().any(|source| matches!(source, Source::Binary(_)));
    let mut rest = match head {
        Some(_) => &body[length..],
        // White space may follow JSON.
        None if is_binary => &body[end..],
        None => body[end..].trim_ascii_start(),
    };
    for (given, source) in request.inputs.iter_mut().zip(sources) {
        given.data = match source {
            Source::Json(data) => data,
            Source::Binary(size) => {
                let Some((own, others)) = rest.split_at_checked(size) else {
                    return Err(Fault::bad(format!(
                        "the binary data of the input {:?} must have {size} bytes, got {}",
                        shortened(&given.name, 100),
                        rest.len()
                    )));
                };
                rest = others;
                binary(given.data.datatype(), own).map_err(|text| {
                    Fault::bad(format!(
                        "the binary data of the input {:?} {text}",
                        shortened(&given.name, 100)
                    ))
                })?
            }
        };
        check(given)?;
    }
    match rest.len() {
        0 => Ok(request),
        left => {
            Err(Fault::bad(format!("the body must end with the data of its inputs, got {left} bytes more")))
        }
    }
}

/// A request that is nothing but the binary data of a model's only input, whose rows have this type and shape.
pub(super) fn of_raw(body: &[u8], name: &str, datatype: Datatype, shape: &[usize]) -> Result<Request, Fault> {
    let data = binary(datatype, body).map_err(|text| {
        Fault::bad(format!("the body, which is the data of the input {name:?} alone, {text}"))
    })?;
    let each = shape.iter().product::<usize>().max(1);
    let shape = [&[data.len() / each], shape].concat();
    let given = Given { name: name.to_owned(), shape, data };
    check(&given)?;
    Ok(Request { id: None, inputs: vec![given], outputs: Vec::new(), binary: true })
}

/// Checks that there are as many elements as the shape says, and that they are finite.
fn check(given: &Given) -> Result<(), Fault> {
    let name = || shortened(&given.name, 100);
    let expected = given.shape.iter().try_fold(1usize, |product, &side| product.checked_mul(side));
    if expected != Some(given.data.len()) {
        let found = given.data.len();
        let expected = expected.map_or_else(String::new, |expected| format!("{expected} "));
        return Err(Fault::bad(format!(
            "the input {:?} must have the {expected}elements of its shape {:?}, got {found}",
            name(),
            given.shape.iter().take(16).collect::<Vec<_>>()
        )));
    }
    match given.data.is_finite() {
        true => Ok(()),
        false => Err(Fault::bad(format!(
            "the input {:?} must be finite, got NaN or infinity; in JSON a missing value of a table is null",
            name()
        ))),
    }
}

/// The elements of a binary tensor, or what is wrong with it.
fn binary(datatype: Datatype, bytes: &[u8]) -> Result<Data, String> {
    if let Some(size) = datatype.size().filter(|&size| !bytes.len().is_multiple_of(size)) {
        return Err(format!(
            "must be a multiple of {size} bytes, as {datatype} is, got {} bytes",
            bytes.len()
        ));
    }
    Ok(match datatype {
        Datatype::Uint8 => Data::Uint8(bytes.to_vec()),
        Datatype::Bool => {
            let value = |&byte: &u8| match byte {
                0 => Ok(Some(false)),
                1 => Ok(Some(true)),
                other => Err(format!("must be bytes of 0 and 1, as BOOL is, got {other}")),
            };
            Data::Bool(bytes.iter().map(value).collect::<Result<_, _>>()?)
        }
        Datatype::Fp32 => {
            let (numbers, _) = bytes.as_chunks();
            Data::Fp32(numbers.iter().map(|&number| f32::from_le_bytes(number)).collect())
        }
        Datatype::Fp64 => {
            let (numbers, _) = bytes.as_chunks();
            Data::Fp64(numbers.iter().map(|&number| Some(f64::from_le_bytes(number))).collect())
        }
        Datatype::Bytes => Data::Bytes(texts(bytes)?),
    })
}

/// Texts, each behind its length in four bytes.
fn texts(mut bytes: &[u8]) -> Result<Vec<Option<String>>, String> {
    let mut all = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let length = u32::from_le_bytes(*length) as usize;
        let Some((text, others)) = rest.split_at_checked(length) else {
            return Err(format!("must have {length} bytes of a text as its length says, got {}", rest.len()));
        };
        let text =
            std::str::from_utf8(text).map_err(|_| format!("must be UTF-8; text {} is not", all.len() + 1))?;
        all.push(Some(text.to_owned()));
        bytes = others;
    }
    match bytes.len() {
        0 => Ok(all),
        left => Err(format!("must have a length of 4 bytes before each text, got {left} bytes")),
    }
}
