//! [`Loaded`]: a model in memory, ready to answer.

use crate::fault::Fault;
use crate::tensor::{self, ImageField, Input, Output};
use plywood::ndarray::ArrayD;
use plywood::nn::{Infer, Model, Registry};
use plywood::predictor::{Blocks, Classes, Numbers, Predictor, Prepared};
use plywood::preprocessing::Features;
use plywood::{Error, Result};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many characters of a file's hash are its version.
const VERSION: usize = 12;

/// The most numbers in the inputs and outputs of a model for a request: 200 MB.
const MOST_NUMBERS: usize = 50_000_000;

/// So many bytes of a file tell what is in it.
const HEAD: u64 = 64;

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
    /// Reads a file: a predictor, or a model alone. The bytes are hashed as they pass, so that they are in memory once.
    pub fn read(mut file: impl Read, reader: Option<&Reader>) -> Result<Self> {
        let mut head = Vec::new();
        file.by_ref().take(HEAD).read_to_end(&mut head).map_err(Error::custom)?;
        let is_predictor = Predictor::is_in(&head);
        let mut file = Hashing { hash: Sha256::new(), file: head.as_slice().chain(file) };
        let registry = Registry::builtin();
        let predictor = match reader {
            Some(reader) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).map_err(Error::custom)?;
                reader(&bytes)?
            }
            None if is_predictor => Predictor::read_from(&mut file, &registry, &Blocks::builtin())?,
            None => bare(registry.read_from(&mut file)?)?,
        };
        Self::new(predictor, version(file.hash), reader.is_none() && !is_predictor)
    }

    /// A predictor that is in memory. Its version is that of the file that `save` would write.
    pub fn of(predictor: Predictor) -> Result<Self> {
        let version = version(Sha256::new_with_prefix(predictor.to_bytes()?));
        Self::new(predictor, version, false)
    }

    /// Checks that the inputs and outputs of so many rows fit into memory.
    pub fn check_rows(&self, rows: usize) -> std::result::Result<(), Fault> {
        let model = self.predictor.model();
        let ports = model.inputs().iter().chain(model.outputs());
        let each = ports.map(|port| port.shape().iter().product::<usize>()).fold(0, usize::saturating_add);
        let most = MOST_NUMBERS / each.max(1);
        match rows <= most.max(1) {
            true => Ok(()),
            false => Err(Fault::large(format!(
                "a request to this model must have at most {most} rows, because of the {each} numbers of a row, got {rows}; send several"
            ))),
        }
    }

    /// Whether it has the inputs and outputs of another one.
    pub fn takes_and_gives_as(&self, other: &Self) -> bool {
        self.inputs == other.inputs && self.outputs == other.outputs
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
fn version(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>()[..VERSION].to_owned()
}

/// Hashes what is read.
struct Hashing<R> {
    hash: Sha256,
    file: R,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}

/// A model alone, as a predictor of its own tensors.
fn bare(model: Box<dyn Model>) -> Result<Predictor> {
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
    if predictor.infer(&row).and_then(|outputs| predictor.answer(&outputs, Vec::new())).is_err() {
        tracing::warn!("a row of zeros has no finite answer: are the weights of the model finite?");
    }
    let (start, mut fastest) = (Instant::now(), first);
    for _ in 0..20 {
        fastest = fastest.min(run()?);
        if start.elapsed() > Duration::from_millis(20) {
            break;
        }
    }
    Ok([first, fastest])
}
