//! Tensors of the KServe protocol, as a client writes and reads them: JSON, and the binary form.

use crate::client::{Answer, post};
use serde_json::{Map, Value, json};
use std::net::SocketAddr;

/// The header with the length of the JSON.
pub const LENGTH: &str = "inference-header-content-length";

/// The elements of a tensor.
#[derive(Clone, Debug)]
pub enum Elements {
    Bool(Vec<bool>),
    Uint8(Vec<u8>),
    Fp32(Vec<f32>),
    Fp64(Vec<f64>),
    Bytes(Vec<String>),
}

/// To the bit.
impl PartialEq for Elements {
    fn eq(&self, other: &Self) -> bool {
        self.datatype() == other.datatype() && self.binary() == other.binary()
    }
}

impl Elements {
    pub fn texts(all: &[&str]) -> Self {
        Self::Bytes(all.iter().map(|&text| text.to_owned()).collect())
    }

    pub fn datatype(&self) -> &'static str {
        match self {
            Self::Bool(_) => "BOOL",
            Self::Uint8(_) => "UINT8",
            Self::Fp32(_) => "FP32",
            Self::Fp64(_) => "FP64",
            Self::Bytes(_) => "BYTES",
        }
    }

    /// The binary form.
    pub fn binary(&self) -> Vec<u8> {
        match self {
            Self::Bool(all) => all.iter().map(|&x| u8::from(x)).collect(),
            Self::Uint8(all) => all.clone(),
            Self::Fp32(all) => all.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Self::Fp64(all) => all.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Self::Bytes(all) => {
                let one = |text: &String| [&(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
                all.iter().flat_map(one).collect()
            }
        }
    }

    pub fn json(&self) -> Vec<Value> {
        match self {
            Self::Bool(all) => all.iter().map(|x| json!(x)).collect(),
            Self::Uint8(all) => all.iter().map(|x| json!(x)).collect(),
            // As f64, as Python writes them.
            Self::Fp32(all) => all.iter().map(|&x| json!(f64::from(x))).collect(),
            Self::Fp64(all) => all.iter().map(|x| json!(x)).collect(),
            Self::Bytes(all) => all.iter().map(|x| json!(x)).collect(),
        }
    }

    fn of_binary(datatype: &str, mut bytes: &[u8]) -> Self {
        match datatype {
            "BOOL" => Self::Bool(bytes.iter().map(|&x| x == 1).collect()),
            "FP32" => {
                Self::Fp32(bytes.chunks(4).map(|x| f32::from_le_bytes(x.try_into().unwrap())).collect())
            }
            "FP64" => {
                Self::Fp64(bytes.chunks(8).map(|x| f64::from_le_bytes(x.try_into().unwrap())).collect())
            }
            "BYTES" => {
                let mut all = Vec::new();
                while let Some((length, rest)) = bytes.split_first_chunk() {
                    let (text, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
                    all.push(String::from_utf8(text.to_vec()).unwrap());
                    bytes = rest;
                }
                assert!(bytes.is_empty());
                Self::Bytes(all)
            }
            other => panic!("an output of {other}"),
        }
    }

    fn of_json(datatype: &str, data: &[Value]) -> Self {
        let number = |x: &Value| x.as_f64().expect("a number");
        match datatype {
            "BOOL" => Self::Bool(data.iter().map(|x| x.as_bool().expect("a boolean")).collect()),
            "FP32" => Self::Fp32(data.iter().map(|x| number(x) as f32).collect()),
            "FP64" => Self::Fp64(data.iter().map(number).collect()),
            "BYTES" => Self::Bytes(data.iter().map(|x| x.as_str().expect("a text").to_owned()).collect()),
            other => panic!("an output of {other}"),
        }
    }
}

/// A named tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub elements: Elements,
}

impl Tensor {
    pub fn new(name: &str, shape: impl Into<Vec<usize>>, elements: Elements) -> Self {
        Self { name: name.to_owned(), shape: shape.into(), elements }
    }

    /// As an item of `inputs`, whose data are in it or behind the JSON.
    pub fn input(&self, binary: bool) -> Value {
        let (name, shape, datatype) = (&self.name, &self.shape, self.elements.datatype());
        match binary {
            true => {
                let size = self.elements.binary().len();
                json!({"name": name, "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": size}})
            }
            false => {
                json!({"name": name, "shape": shape, "datatype": datatype, "data": self.elements.json()})
            }
        }
    }
}

/// The body of a request, and the length of its JSON: inputs, each in the binary form or not, and what else is in the JSON.
pub fn request(inputs: &[(&Tensor, bool)], rest: Value) -> (Vec<u8>, usize) {
    let mut json = Map::new();
    json.insert("inputs".to_owned(), inputs.iter().map(|(tensor, binary)| tensor.input(*binary)).collect());
    if let Value::Object(rest) = rest {
        json.extend(rest);
    }
    let mut body = Value::Object(json).to_string().into_bytes();
    let head = body.len();
    for (tensor, _) in inputs.iter().filter(|(_, binary)| *binary) {
        body.extend(tensor.elements.binary());
    }
    (body, head)
}

/// Posts a request, with the length of its JSON if an input is binary.
pub fn infer(address: SocketAddr, model: &str, inputs: &[(&Tensor, bool)], rest: Value) -> Answer {
    let ((body, head), path) = (request(inputs, rest), format!("/v2/models/{model}/infer"));
    let head = head.to_string();
    match inputs.iter().any(|(_, binary)| *binary) {
        true => post(address, &path, &[(LENGTH, &head)], body),
        false => post(address, &path, &[], body),
    }
}

/// The outputs of an answer, in both forms.
pub fn outputs(answer: &Answer) -> Vec<Tensor> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let length = answer.header(LENGTH).map(|length| length.parse().unwrap());
    let (head, mut binary) = answer.body.split_at(length.unwrap_or(answer.body.len()));
    let json: Value = serde_json::from_slice(head).unwrap();
    let mut all = Vec::new();
    for output in json["outputs"].as_array().expect("outputs") {
        let (name, datatype) = (output["name"].as_str().unwrap(), output["datatype"].as_str().unwrap());
        let shape: Vec<usize> = serde_json::from_value(output["shape"].clone()).unwrap();
        let elements = match output["parameters"]["binary_data_size"].as_u64() {
            Some(size) => {
                assert!(output["data"].is_null() && length.is_some());
                let (own, others) = binary.split_at(size as usize);
                binary = others;
                Elements::of_binary(datatype, own)
            }
            None => Elements::of_json(datatype, output["data"].as_array().expect("data")),
        };
        assert_eq!(elements.json().len(), shape.iter().product::<usize>(), "{name}");
        all.push(Tensor::new(name, shape, elements));
    }
    assert!(binary.is_empty());
    all
}
