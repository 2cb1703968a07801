//! [`Loaded`]: a model in memory, ready to answer.

use crate::tensor::{self, ImageField, Input, Output};
use plywood::ndarray::ArrayD;
use plywood::nn::Registry;
use plywood::predictor::{Blocks, Classes, Numbers, Predictor, Prepared};
use plywood::preprocessing::Features;
use plywood::{Error, Result};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many characters of a file's hash are its version.
const VERSION: usize = 12;

/// How a file becomes a predictor, for models with layers or blocks of other crates.
pub(crate) type Reader = Arc<dyn Fn(&[u8]) -> Result<Predictor> + Send + Sync>;

/// A model in memory, with what the protocols need to know of it.
pub(crate) struct Loaded {
    /// A short hash of the file.
    pub version: String,
    pub predictor: Predictor,
    /// The same predictor; its classes are answered with all their probabilities.
    pub ranking: Predictor,
    /// Whether the file has a model without blocks: its tensors are those of the protocol.
    pub bare: bool,
    pub images: Vec<ImageField>,
    pub inputs: Vec<Input>,
    pub outputs: Vec<Output>,
    /// How long the model takes for a row.
    pub time: Duration,
    /// How long the first prediction took, with everything that only the first one does.
    pub first: Duration,
}

impl Loaded {
    /// Reads a file: a predictor, or a model alone.
    pub fn read(bytes: &[u8], reader: Option<&Reader>) -> Result<Self> {
        let version = version(bytes);
        match reader {
            Some(reader) => Self::new(reader(bytes)?, version, false),
            None if Predictor::is_in(bytes) => {
                let predictor = Predictor::from_bytes(bytes, &Registry::builtin(), &Blocks::builtin())?;
                Self::new(predictor, version, false)
            }
            None => Self::new(bare(bytes)?, version, true),
        }
    }

    /// A predictor that is in memory. Its version is that of the file that `save` would write.
    pub fn of(predictor: Predictor) -> Result<Self> {
        let version = version(&predictor.to_bytes()?);
        Self::new(predictor, version, false)
    }

    fn new(predictor: Predictor, version: String, bare: bool) -> Result<Self> {
        let images = tensor::images(&predictor);
        let (inputs, outputs) = match bare {
            true => (tensor::model_inputs(predictor.model()), tensor::model_outputs(predictor.model())),
            false => (tensor::inputs(&predictor, &images), tensor::outputs(&predictor)),
        };
        let ranking = ranking(&predictor)?;
        let [first, time] = measured(&predictor)?;
        Ok(Self { version, predictor, ranking, bare, images, inputs, outputs, time, first })
    }
}

/// A short hash of a file: the same on every instance that has the same file.
fn version(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>()[..VERSION].to_owned()
}

/// A model alone, as a predictor of its own tensors.
fn bare(bytes: &[u8]) -> Result<Predictor> {
    let model = Registry::builtin().from_bytes(bytes)?;
    let inputs: Vec<(String, Vec<usize>)> =
        model.inputs().iter().map(|port| (port.name().to_owned(), port.shape().to_vec())).collect();
    let outputs: Vec<String> = model.outputs().iter().map(|port| port.name().to_owned()).collect();
    let mut builder = Predictor::new(model);
    for (name, shape) in inputs {
        builder = builder.input_named(name, Features::of_shape(shape));
    }
    outputs.into_iter().fold(builder, |builder, name| builder.output_named(name, Numbers::unnamed())).build()
}

/// The predictor with all classes in its answers.
fn ranking(predictor: &Predictor) -> Result<Predictor> {
    let mut all = predictor.clone();
    for port in predictor.model().outputs() {
        if let Ok(classes) = predictor.output_block::<Classes>(port.name()) {
            all = all.with_output(port.name(), classes.clone().top(usize::MAX))?;
        }
    }
    Ok(all)
}

/// Predicts a row of zeros some times, and returns the time of the first run and of the fastest.
fn measured(predictor: &Predictor) -> Result<[Duration; 2]> {
    let tensors = predictor.model().inputs().iter().map(|port| {
        let shape = [&[1], port.shape()].concat();
        (port.name().to_owned(), ArrayD::zeros(shape))
    });
    let row = Prepared::of_tensors(tensors).map_err(|error: Error| error.at("the first prediction"))?;
    let run = || {
        let start = Instant::now();
        predictor.infer(&row).map(|_| start.elapsed())
    };
    let first = run().map_err(|error| error.at("the first prediction"))?;
    let (start, mut fastest) = (Instant::now(), first);
    for _ in 0..20 {
        fastest = fastest.min(run()?);
        if start.elapsed() > Duration::from_millis(20) {
            break;
        }
    }
    Ok([first, fastest])
}
