//! An inference request of the KServe protocol.

use super::json::{self, Source};
use crate::fault::{Fault, shortened};
use crate::tensor::Datatype;

/// An inference request.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// Returned in the answer.
    pub id: Option<String>,
    pub inputs: Vec<Given>,
    /// Empty for all outputs of the model.
    pub outputs: Vec<Wanted>,
    /// Whether outputs that do not say so themselves are binary.
    pub binary: bool,
}

/// A tensor of the request.
#[derive(Debug)]
pub(crate) struct Given {
    pub name: String,
    pub shape: Vec<usize>,
    pub data: Data,
}

/// An output that is asked for.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub name: String,
    /// The number of classes, of Triton's classification extension.
    pub classification: Option<usize>,
    pub binary: Option<bool>,
}

/// The elements of a tensor. `None` is `null` in JSON: a missing value of a table.
#[derive(Debug)]
pub(crate) enum Data {
    Bool(Vec<Option<bool>>),
    Uint8(Vec<u8>),
    Fp32(Vec<f32>),
    Fp64(Vec<Option<f64>>),
    Bytes(Vec<Option<String>>),
}

impl Data {
    pub fn empty(datatype: Datatype) -> Self {
        match datatype {
            Datatype::Bool => Self::Bool(Vec::new()),
            Datatype::Uint8 => Self::Uint8(Vec::new()),
            Datatype::Fp32 => Self::Fp32(Vec::new()),
            Datatype::Fp64 => Self::Fp64(Vec::new()),
            Datatype::Bytes => Self::Bytes(Vec::new()),
        }
    }

    pub fn datatype(&self) -> Datatype {
        match self {
            Self::Bool(_) => Datatype::Bool,
            Self::Uint8(_) => Datatype::Uint8,
            Self::Fp32(_) => Datatype::Fp32,
            Self::Fp64(_) => Datatype::Fp64,
            Self::Bytes(_) => Datatype::Bytes,
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Bool(all) => all.len(),
            Self::Uint8(all) => all.len(),
            Self::Fp32(all) => all.len(),
            Self::Fp64(all) => all.len(),
            Self::Bytes(all) => all.len(),
        }
    }

    /// What an element is in JSON, in words.
    pub(super) fn element(&self) -> &'static str {
        match self {
            Self::Bool(_) => "true, false or, in a table, null",
            Self::Uint8(_) => "a whole number from 0 to 255",
            Self::Fp32(_) => "a number",
            Self::Fp64(_) => "a number or, in a table, null",
            Self::Bytes(_) => "a string or, in a table, null",
        }
    }

    pub(super) fn push_missing(&mut self) {
        match self {
            Self::Bool(all) => all.push(None),
            Self::Fp64(all) => all.push(None),
            Self::Bytes(all) => all.push(None),
            Self::Uint8(_) | Self::Fp32(_) => {}
        }
    }

    /// Whether all numbers are finite.
    fn is_finite(&self) -> bool {
        match self {
            // Without an early end, so that many are looked at in one step.
            Self::Fp32(all) => all.iter().fold(true, |all, x| all & x.is_finite()),
            Self::Fp64(all) => all.iter().flatten().fold(true, |all, x| all & x.is_finite()),
            _ => true,
        }
    }
}

impl Request {
    /// Reads a request: JSON of this length, and the data of binary inputs behind it. Without a length the JSON ends where
    /// its object ends.
    pub fn read(body: &[u8], head: Option<usize>) -> Result<Self, Fault> {
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
            given.check()?;
        }
        match rest.len() {
            0 => Ok(request),
            left => Err(Fault::bad(format!(
                "the body must end with the data of its inputs, got {left} bytes more"
            ))),
        }
    }

    /// A request that is nothing but the binary data of a model's only input, whose rows have this type and shape.
    pub fn of_raw(body: &[u8], name: &str, datatype: Datatype, shape: &[usize]) -> Result<Self, Fault> {
        let data = binary(datatype, body).map_err(|text| {
            Fault::bad(format!("the body, which is the data of the input {name:?} alone, {text}"))
        })?;
        let each = shape.iter().product::<usize>().max(1);
        let shape = [&[data.len() / each], shape].concat();
        let given = Given { name: name.to_owned(), shape, data };
        given.check()?;
        Ok(Self { id: None, inputs: vec![given], outputs: Vec::new(), binary: true })
    }
}

impl Given {
    /// Checks that there are as many elements as the shape says, and that they are finite.
    fn check(&self) -> Result<(), Fault> {
        let name = shortened(&self.name, 100);
        let expected = self.shape.iter().try_fold(1usize, |product, &side| product.checked_mul(side));
        if expected != Some(self.data.len()) {
            let found = self.data.len();
            let expected = expected.map_or_else(String::new, |expected| format!("{expected} "));
            return Err(Fault::bad(format!(
                "the input {name:?} must have the {expected}elements of its shape {:?}, got {found}",
                self.shape.iter().take(16).collect::<Vec<_>>()
            )));
        }
        match self.data.is_finite() {
            true => Ok(()),
            false => Err(Fault::bad(format!(
                "the input {name:?} must be finite, got NaN or infinity; in JSON a missing value of a table is null"
            ))),
        }
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
