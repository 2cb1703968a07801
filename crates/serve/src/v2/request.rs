//! An inference request of the KServe protocol.

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
    pub fn is_finite(&self) -> bool {
        match self {
            // Without an early end, so that many are looked at in one step.
            Self::Fp32(all) => all.iter().fold(true, |all, x| all & x.is_finite()),
            Self::Fp64(all) => all.iter().flatten().fold(true, |all, x| all & x.is_finite()),
            _ => true,
        }
    }
}
