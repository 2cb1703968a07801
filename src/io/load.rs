//! Reading models: [`load`] for any model, and the readers of [`Sequential`].

use super::checkpoint;
use super::container::{self, Content};
use super::predictor::StoredPredictor;
use super::source::Source;
use super::stored_model::{StoredInfer, StoredModel};
use crate::codec::numbers;
use crate::error::Result;
use crate::kernels::Scalar;
use crate::nn::{Graph, Infer, InferRegistry, Model, Registry, Sequential};
use std::io::Read;
use std::path::Path;

/// Reads a model of any type, with the crate's own layers, in `f32`.
///
/// From a checkpoint ([`Checkpoints`](crate::train::Checkpoints)) and from a
/// [`Predictor`](crate::predictor::Predictor)'s file it reads the model and ignores the rest. Use
/// [`Sequential::load`] if the model is to be taken apart: it returns the type itself. [`Sequential::of_model`] converts
/// what this function returns.
///
/// ```
/// use plywood::ndarray::Array2;
/// use plywood::prelude::*;
///
/// let path = std::env::temp_dir().join("plywood-doc-load.plywood");
/// let model = Sequential::builder([4]).layer(Dense::units(2)).layer(Softmax).build()?;
/// model.save(&path)?;
/// let mut loaded = plywood::load(&path)?;
/// let x = Array2::ones((8, 4));
/// assert_eq!(loaded.predict(&x)?, model.predict(&x)?);
///
/// let data = ArrayDataset::new(x, vec![1; 8])?; // and on with its training
/// let mut trainer = Trainer::new(CrossEntropy::default(), Adam::default()).progress(Progress::Silent);
/// trainer.fit(&mut loaded, &data)?;
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// # Errors
/// As [`load_with`].
pub fn load(path: impl AsRef<Path>) -> Result<Box<dyn Model>> {
    load_with(path, &Registry::builtin())
}

/// Like [`load`], for layers of other crates and for any element type, which are those of the registry.
///
/// # Errors
/// If the file cannot be read, is not a model, is damaged, has another version or element type, or contains a layer
/// that the registry does not know.
pub fn load_with<F: Scalar>(path: impl AsRef<Path>, registry: &Registry<F>) -> Result<Box<dyn Model<F>>> {
    let path = path.as_ref();
    let read = || read(&mut Source::open(path)?, registry);
    read().map_err(|error| error.at(format!("load {}", path.display())))
}

/// Reads a model of any type from a file's bytes.
fn read<F: Scalar>(source: &mut Source<impl Read>, registry: &Registry<F>) -> Result<Box<dyn Model<F>>> {
    let contents = &[Content::Model, Content::Checkpoint, Content::Predictor];
    let wanted = (&contents[..], size_of::<F>(), F::NAME);
    container::read(source, wanted, |content, body, numbers| match content {
        Content::Model => {
            let stored: StoredModel<'static, F> =
                registry.decoding(|| numbers::read(body, numbers, "the model"))?;
            stored.into_model()
        }
        Content::Checkpoint => checkpoint::decode(body, numbers, registry)?.model.into_model(),
        Content::Predictor => {
            let stored: StoredPredictor<StoredModel<'static, F>> =
                registry.decoding(|| numbers::read(body, numbers, "the predictor"))?;
            stored.model.into_model()
        }
    })
}

impl<F: Scalar> Registry<F> {
    /// Reads a model of any type from the bytes of a file. It is [`load_with`] for bytes.
    ///
    /// ```
    /// use plywood::nn::Graph;
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// g.output("y", g.input("x", [2]).layer(Dense::units(1)).tanh());
    /// let bytes = g.build()?.to_bytes()?;
    /// let model = Registry::<f32>::builtin().from_bytes(&bytes)?;
    /// assert_eq!(model.inputs()[0].name(), "x");
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`load_with`].
    pub fn from_bytes(&self, bytes: &[u8]) -> Result<Box<dyn Model<F>>> {
        read(&mut Source::of(bytes), self)
    }

    /// Reads a model from any reader, to its end.
    ///
    /// The length is unknown until the end, so memory is allocated as bytes arrive. To limit it, pass
    /// `reader.take(limit)`.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([2]).layer(Dense::units(3)).build()?;
    /// let connection = std::io::Cursor::new(model.to_bytes()?); // or any other reader
    /// let read = Registry::<f32>::builtin().read_from(connection)?;
    /// assert_eq!(read.outputs()[0].shape(), [3]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`load_with`].
    pub fn read_from(&self, reader: impl Read) -> Result<Box<dyn Model<F>>> {
        read(&mut Source::new(reader), self).map_err(|error| error.at("load"))
    }
}

impl<F: Scalar> InferRegistry<F> {
    /// Reads a model's file as a model that only infers.
    ///
    /// To serve the model of a checkpoint, read it with [`plywood::load`](crate::load) and save it.
    ///
    /// # Errors
    /// If the file cannot be read, is not a model, is damaged, has another version or element type, or contains a layer
    /// that the registry does not know.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<Box<dyn Infer<F>>> {
        let path = path.as_ref();
        let read = || self.read(&mut Source::open(path)?);
        read().map_err(|error| error.at(format!("load {}", path.display())))
    }

    /// Reads a model that only infers from the bytes of a file.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_bytes(&self, bytes: &[u8]) -> Result<Box<dyn Infer<F>>> {
        self.read(&mut Source::of(bytes))
    }

    fn read(&self, source: &mut Source<impl Read>) -> Result<Box<dyn Infer<F>>> {
        let wanted = (&[Content::Model, Content::Predictor][..], size_of::<F>(), F::NAME);
        container::read(source, wanted, |content, body, numbers| match content {
            Content::Predictor => {
                let stored: StoredPredictor<StoredInfer<F>> =
                    self.decoding(|| numbers::read(body, numbers, "the predictor"))?;
                Ok(stored.model.0)
            }
            _ => {
                let stored: StoredInfer<F> = self.decoding(|| numbers::read(body, numbers, "the model"))?;
                Ok(stored.0)
            }
        })
    }
}

impl Graph<f32> {
    /// Reads a graph of the crate's own layers and operations, in `f32`, as [`Sequential::load`] reads a `Sequential`.
    /// [`plywood::load`](crate::load) reads any model.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let error = Graph::load("no/such/model.plywood").unwrap_err();
    /// assert!(error.to_string().starts_with("load no/such/model.plywood: could not read no/such/model.plywood"));
    /// ```
    ///
    /// # Errors
    /// As [`load_with`](Graph::load_with).
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_with(path, &Registry::builtin())
    }
}

impl<F: Scalar> Graph<F> {
    /// Reads a graph that may contain layers and operations of other crates, in the registry's element type.
    ///
    /// # Errors
    /// If the file cannot be read, is not a graph, is damaged, has another version or element type, or contains a layer
    /// or an operation that the registry does not know.
    pub fn load_with(path: impl AsRef<Path>, registry: &Registry<F>) -> Result<Self> {
        let place = format!("load {}", path.as_ref().display());
        load_with(path, registry).and_then(|model| Self::of_model(model).map_err(|error| error.at(place)))
    }

    /// Reads a graph from the bytes of a file.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// g.output("y", g.input("x", [2]).tanh());
    /// let graph = g.build()?;
    /// let again = Graph::<f32>::from_bytes(&graph.to_bytes()?, &Registry::builtin())?;
    /// assert_eq!(again.to_bytes()?, graph.to_bytes()?);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`load_with`](Graph::load_with).
    pub fn from_bytes(bytes: &[u8], registry: &Registry<F>) -> Result<Self> {
        registry.from_bytes(bytes).and_then(Self::of_model)
    }
}

impl Sequential<f32> {
    /// Reads a model of the crate's own layers, in `f32`.
    ///
    /// It checks the head, decodes the layers and checks that their shapes fit each other. The numbers are not checked,
    /// so a model with NaN loads. Nothing in the file is executed. From a checkpoint
    /// ([`Checkpoints`](crate::train::Checkpoints)) it reads the model and ignores the rest.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let error = Sequential::load("no/such/model.plywood").unwrap_err();
    /// assert!(error.to_string().starts_with("load no/such/model.plywood: could not read no/such/model.plywood"));
    /// ```
    ///
    /// # Errors
    /// As [`load_with`](Sequential::load_with).
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_of(path, &Registry::builtin())
    }

    /// Reads a model that may contain layers of other crates, in `f32`.
    ///
    /// PyTorch's counterpart is `torch.load(weights_only=True)` with `add_safe_globals`, Keras' is `custom_objects`.
    ///
    /// # Errors
    /// If the file cannot be read, is not a model, is damaged, has another version or element type, or contains a layer
    /// that the registry does not know.
    pub fn load_with(path: impl AsRef<Path>, registry: &Registry<f32>) -> Result<Self> {
        Self::load_of(path, registry)
    }
}

impl<F: Scalar> Sequential<F> {
    /// Like [`load_with`](Sequential::load_with), for any element type.
    ///
    /// ```no_run
    /// use plywood::prelude::*;
    ///
    /// let reference = Sequential::<f64>::load_of("reference.plywood", &Registry::builtin())?;
    /// println!("{reference}");
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`load_with`](Sequential::load_with).
    pub fn load_of(path: impl AsRef<Path>, registry: &Registry<F>) -> Result<Self> {
        let path = path.as_ref();
        let read = || Self::read(&mut Source::open(path)?, registry);
        read().map_err(|error| error.at(format!("load {}", path.display())))
    }

    /// Reads a model from any reader, to its end.
    ///
    /// The length is unknown until the end, so memory is allocated as bytes arrive. To limit it, pass
    /// `reader.take(limit)`.
    ///
    /// # Errors
    /// As [`load_with`](Sequential::load_with).
    pub fn read_from(reader: impl Read, registry: &Registry<F>) -> Result<Self> {
        Self::read(&mut Source::new(reader), registry).map_err(|error| error.at("load"))
    }

    fn read(source: &mut Source<impl Read>, registry: &Registry<F>) -> Result<Self> {
        read(source, registry).and_then(Self::of_model)
    }

    /// Reads a model from the bytes of a file.
    ///
    /// The bytes may be a model of `f32` or of `f64`, so the call names the type:
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([2]).seed(1).layer(Dense::units(1)).build()?;
    /// let again = Sequential::<f32>::from_bytes(&model.to_bytes()?, &Registry::builtin())?;
    /// assert_eq!(again.to_bytes()?, model.to_bytes()?);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// Each fault has its own error text:
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let registry = Registry::<f32>::builtin();
    /// let bytes = Sequential::builder([2]).layer(Dense::units(1)).build()?.to_bytes()?;
    /// let text = |bytes: &[u8]| Sequential::from_bytes(bytes, &registry).unwrap_err().to_string();
    ///
    /// assert!(text(b"\x89PNG").starts_with("the file's first bytes must be \"PLYWOOD\\n\", got"));
    /// let mut newer = bytes.clone();
    /// newer[8] = 9;
    /// assert!(text(&newer).starts_with("the format's version must be 8, got 9. A newer version of Plywood"));
    /// let wider = Sequential::<f64>::builder_of([2]).layer(Dense::units(1)).build()?.to_bytes()?;
    /// assert!(text(&wider).starts_with("the file's element type must be f32, got f64."));
    /// assert!(text(&bytes[..bytes.len() - 1]).ends_with("The file is truncated; get it again, or save it again."));
    /// let mut damaged = bytes.clone();
    /// damaged[bytes.len() - 9] ^= 1;
    /// assert!(text(&damaged).starts_with("the numbers must have the CRC-32"));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`load_with`](Sequential::load_with).
    pub fn from_bytes(bytes: &[u8], registry: &Registry<F>) -> Result<Self> {
        Self::read(&mut Source::of(bytes), registry)
    }
}
