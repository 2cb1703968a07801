//! The answer to an inference request.

use super::request::{Request, Wanted};
use crate::body::Packing;
use crate::fault::{Fault, shortened, with_type};
use crate::loaded::Loaded;
use crate::tensor::{Datatype, Gives, Output};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use plywood::nn::Predictions;
use plywood::predictor::{Answer, AnswerValue, Classes, Labels};
use serde::{Serialize, Serializer};

/// The elements of an output.
enum Elements {
    Bool(Vec<bool>),
    Fp32(Vec<f32>),
    Fp64(Vec<f64>),
    Bytes(Vec<String>),
}

impl Elements {
    fn datatype(&self) -> Datatype {
        match self {
            Self::Bool(_) => Datatype::Bool,
            Self::Fp32(_) => Datatype::Fp32,
            Self::Fp64(_) => Datatype::Fp64,
            Self::Bytes(_) => Datatype::Bytes,
        }
    }

    /// Whether JSON can say all of them.
    fn is_finite(&self) -> bool {
        match self {
            Self::Fp32(all) => all.iter().all(|x| x.is_finite()),
            Self::Fp64(all) => all.iter().all(|x| x.is_finite()),
            Self::Bool(_) | Self::Bytes(_) => true,
        }
    }

    /// Appends the binary form, and returns its length.
    fn append(&self, to: &mut Vec<u8>) -> usize {
        let before = to.len();
        match self {
            Self::Bool(all) => to.extend(all.iter().map(|&x| u8::from(x))),
            Self::Fp32(all) => all.iter().for_each(|x| to.extend(x.to_le_bytes())),
            Self::Fp64(all) => all.iter().for_each(|x| to.extend(x.to_le_bytes())),
            Self::Bytes(all) => all.iter().for_each(|text| {
                to.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
                to.extend(text.as_bytes());
            }),
        }
        to.len() - before
    }
}

impl Serialize for Elements {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(all) => all.serialize(serializer),
            Self::Fp32(all) => all.serialize(serializer),
            Self::Fp64(all) => all.serialize(serializer),
            Self::Bytes(all) => all.serialize(serializer),
        }
    }
}

#[derive(Serialize)]
struct Size {
    binary_data_size: usize,
}

/// An output in the answer.
#[derive(Serialize)]
struct Given<'a> {
    name: &'a str,
    datatype: &'static str,
    shape: Vec<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Elements>,
}

/// The answer.
#[derive(Serialize)]
struct Reply<'a> {
    model_name: &'a str,
    model_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    outputs: Vec<Given<'a>>,
}

/// Answers with the outputs that are asked for, or all.
pub(super) fn answer(
    request: &Request,
    name: &str,
    model: &Loaded,
    predictions: &Predictions,
    packing: Packing,
) -> Result<Response, Fault> {
    let mut made = Made { model, predictions, answers: None };
    let (mut outputs, mut binary) = (Vec::new(), Vec::new());
    let mut push = |output, wanted: Option<&Wanted>| {
        let (elements, shape) = match wanted.and_then(|wanted| wanted.classification) {
            Some(classes) => made.classification(output, classes)?,
            None => made.elements(output)?,
        };
        let is_binary = wanted.and_then(|wanted| wanted.binary).unwrap_or(request.binary);
        let (name, datatype) = (output.name.as_str(), elements.datatype().name());
        let (parameters, data) = match is_binary {
            true => (Some(Size { binary_data_size: elements.append(&mut binary) }), None),
            false if elements.is_finite() => (None, Some(elements)),
            false => {
                return Err(Fault::unanswerable(format!(
                    "the output {name:?} has NaN or infinity, which JSON cannot say; ask for it with \"binary_data\": true"
                )));
            }
        };
        outputs.push(Given { name, datatype, shape, parameters, data });
        Ok(())
    };
    match request.outputs.is_empty() {
        true => model.outputs.iter().try_for_each(|output| push(output, None))?,
        false => {
            for wanted in &request.outputs {
                push(found(&wanted.name, &model.outputs)?, Some(wanted))?;
            }
        }
    }
    let reply = Reply { model_name: name, model_version: &model.version, id: request.id.as_deref(), outputs };
    let is_json = reply.outputs.iter().all(|output| output.data.is_some());
    let mut body = serde_json::to_vec(&reply).map_err(Fault::inside)?;
    // It counts what is not packed.
    let head = body.len();
    body.extend(binary);
    let packed = packing.pack(&mut body)?;
    let mut response = with_type(body, if is_json { "application/json" } else { "application/octet-stream" });
    if !is_json {
        response.headers_mut().insert("inference-header-content-length", HeaderValue::from(head));
    }
    if let Some(packed) = packed {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(packed));
    }
    Ok(response)
}

/// Checks what is asked for before the model runs.
pub(super) fn check(request: &Request, model: &Loaded) -> Result<(), Fault> {
    for (place, wanted) in request.outputs.iter().enumerate() {
        let output = found(&wanted.name, &model.outputs)?;
        if request.outputs[..place].iter().any(|before| before.name == wanted.name) {
            return Err(Fault::bad(format!(
                "the output {:?} must be asked for once, got it twice",
                output.name
            )));
        }
        if wanted.classification.is_some() && !matches!(output.datatype, Datatype::Fp32 | Datatype::Fp64) {
            let Output { name, datatype, .. } = output;
            return Err(Fault::bad(format!(
                "\"classification\" needs an output of numbers; {name:?} is {datatype}"
            )));
        }
    }
    Ok(())
}

fn found<'a>(name: &str, outputs: &'a [Output]) -> Result<&'a Output, Fault> {
    outputs.iter().find(|output| output.name == name).ok_or_else(|| {
        let names: Vec<&str> = outputs.iter().map(|output| &*output.name).take(20).collect();
        Fault::bad(format!("the model has no output {:?}; it has {}", shortened(name, 100), names.join(", ")))
    })
}

/// What the model said of the rows of a request.
struct Made<'a> {
    model: &'a Loaded,
    predictions: &'a Predictions,
    /// Once an output needs them.
    answers: Option<Vec<Answer>>,
}

impl Made<'_> {
    /// Each row's value of an output of the model.
    fn values(&mut self, of: &str) -> Result<Vec<&AnswerValue>, Fault> {
        if self.answers.is_none() {
            let answers = self.model.predictor.answer(self.predictions, Vec::new());
            self.answers = Some(answers.map_err(Fault::unanswerable)?);
        }
        let all = self.answers.iter().flatten();
        all.map(|answer| answer.get(of).map_err(Fault::inside)).collect()
    }

    /// The elements of an output, and its shape.
    fn elements(&mut self, output: &Output) -> Result<(Elements, Vec<usize>), Fault> {
        let of = output.of.as_str();
        let tensor = self.predictions.get(of).map_err(Fault::inside)?;
        let rows = tensor.shape().first().copied().unwrap_or(0);
        let elements = match output.gives {
            Gives::Tensor => Elements::Fp32(tensor.iter().copied().collect()),
            Gives::Probabilities => {
                let all = self.model.predictor.probabilities(self.predictions, of);
                Elements::Fp32(all.map_err(Fault::unanswerable)?.into_iter().collect())
            }
            Gives::Class => {
                let values = self.values(of)?;
                Elements::Bytes(values.iter().map(|value| value.class().unwrap_or("").to_owned()).collect())
            }
            Gives::Labels => {
                let above = |value: &&AnswerValue| match value {
                    AnswerValue::Labels(labels) => labels.iter().map(|(.., above)| *above).collect(),
                    _ => Vec::new(),
                };
                Elements::Bool(self.values(of)?.iter().flat_map(above).collect())
            }
            Gives::Values => {
                let numbers = |value: &&AnswerValue| match value {
                    AnswerValue::Numbers(numbers) => numbers.iter().map(|number| number.value).collect(),
                    _ => Vec::new(),
                };
                Elements::Fp64(self.values(of)?.iter().flat_map(numbers).collect())
            }
        };
        Ok((elements, [&[rows], &output.shape[..]].concat()))
    }

    /// Triton's classification extension: for each row the highest elements as "score:index:label".
    fn classification(&mut self, output: &Output, classes: usize) -> Result<(Elements, Vec<usize>), Fault> {
        let (elements, shape) = self.elements(output)?;
        let scores: Vec<f64> = match elements {
            Elements::Fp32(all) => all.into_iter().map(f64::from).collect(),
            Elements::Fp64(all) => all,
            _ => return Err(Fault::inside("the datatype of an output was checked")),
        };
        let width = output.shape.iter().product::<usize>();
        let names = self.names(output);
        let most = classes.clamp(1, width.max(1));
        let mut texts = Vec::new();
        for row in scores.chunks_exact(width.max(1)) {
            let mut order: Vec<usize> = (0..width).collect();
            order.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
            texts.extend(order.iter().take(most).map(|&index| {
                let label = names.get(index).map(|name| format!(":{name}")).unwrap_or_default();
                format!("{:.6}:{index}{label}", row[index])
            }));
        }
        let rows = shape.first().copied().unwrap_or(0);
        Ok((Elements::Bytes(texts), vec![rows, most]))
    }

    /// The names of the classes or labels.
    fn names(&self, output: &Output) -> Vec<&str> {
        let predictor = &self.model.predictor;
        if output.gives != Gives::Probabilities {
            return Vec::new();
        }
        if let Ok(classes) = predictor.output_block::<Classes>(&output.of) {
            return classes.names().collect();
        }
        predictor
            .output_block::<Labels>(&output.of)
            .map_or_else(|_| Vec::new(), |labels| labels.names().collect())
    }
}
