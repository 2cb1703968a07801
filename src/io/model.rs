//! A whole model in one file.
//!
//! The file has the format of [`container`]. The model in it is the input's shape and a list of layers, each with its
//! type name and its bytes. A length or a size below 251 takes one byte:
//!
//! ```text
//! rank  axis 0 …   layers   [ length, kind as UTF-8, length, the layer's bytes ] …
//! ```
//!
//! A layer's bytes are its fields in order. A parameter is its shape and one byte for its kind (0 trainable, 1 frozen,
//! 2 buffer); its numbers are stored at the end of the file, in the order of the layers. The state that layers need is
//! included: running statistics, and a dropout layer's seed and step. Gradients and the optimizer's state are not: a
//! model file is for predicting and fine-tuning, not for resuming a training run.
//!
//! Each layer's type name and length precede its bytes, so an unknown type is reported as such and not as damage.

use super::container::{self, Content};
use super::source::Source;
use super::{Metadata, checkpoint};
use crate::codec::numbers;
use crate::disk::write_whole;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::{Registry, Sequential};
use std::io::{Read, Write};
use std::path::Path;

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
    /// Saves the complete model to a file, which [`load`](Sequential::load) reads. An existing file is replaced
    /// atomically, once the new one is complete.
    ///
    /// ```
    /// use plywood::ndarray::Array2;
    /// use plywood::prelude::*;
    ///
    /// let path = std::env::temp_dir().join("plywood-doc-save.plywood");
    /// let model = Sequential::builder([4]).layer(Dense::units(2)).layer(Softmax).build()?;
    /// model.save(&path)?;
    /// let loaded = Sequential::load(&path)?;
    /// let x = Array2::ones((1, 4));
    /// assert_eq!(loaded.predict(&x)?, model.predict(&x)?);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// The parameters are written to the disk in pieces, without a second copy of the model in memory. On failure the
    /// old file is still there, complete.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_with(path, &Metadata::new())
    }

    /// Like [`save`](Sequential::save), with class names and other [`Metadata`].
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save_with(&self, path: impl AsRef<Path>, metadata: &Metadata) -> Result<()> {
        let fill = |file| container::write(self, Content::Model, size_of::<F>(), metadata, file);
        write_whole(path.as_ref(), fill).map_err(|error| error.at("save"))
    }

    /// Writes the bytes of [`save_with`](Sequential::save_with) to any writer.
    ///
    /// The file is first assembled in memory.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([4]).layer(Dense::units(2)).build()?;
    /// let mut sent = Vec::new(); // a connection, an archive …
    /// model.write_to(&mut sent, &Metadata::new())?;
    /// let received = Sequential::read_from(&sent[..], &Registry::<f32>::builtin())?;
    /// assert_eq!(received.to_bytes()?, sent);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the writer fails.
    pub fn write_to(&self, mut writer: impl Write, metadata: &Metadata) -> Result<()> {
        let bytes = container::to_bytes(self, Content::Model, size_of::<F>(), metadata)?;
        let written = writer.write_all(&bytes).and_then(|()| writer.flush());
        written.map_err(|error| {
            Error::io("write to", "the writer", error).help("Check where the bytes go.").at("save")
        })
    }

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
        let wanted = (&[Content::Model, Content::Checkpoint][..], size_of::<F>(), F::NAME);
        container::read(source, wanted, |content, body, numbers| match content {
            Content::Model => registry.decoding(|| numbers::read(body, numbers, "the model")),
            Content::Checkpoint => Ok(checkpoint::decode(body, numbers, registry)?.model.into_owned()),
        })
    }

    /// Returns the bytes that [`save`](Sequential::save) writes.
    ///
    /// Use it to store a model outside a file system, or to compare two models bit by bit. Byte by byte:
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let bytes = Sequential::builder([3]).layer(Dense::units(2)).build()?.to_bytes()?;
    /// assert_eq!(&bytes[..16], b"PLYWOOD\n\x04\0\0\0\x01\x04\0\0"); // version 4, a model, of 4-byte numbers
    /// let numbers = 4 * (3 * 2 + 2);
    /// assert_eq!(bytes[24], numbers); // in bytes
    /// let body = &bytes[bytes.len() - 4 - numbers as usize - 20..];
    /// assert_eq!(body[..2], [1, 3]); // one axis, of 3
    /// assert_eq!(&body[2..9], b"\x01\x05dense"); // one layer, its kind
    /// assert_eq!(body[9], 10); // its length: the weight, a byte for "there is a bias", the bias
    /// assert_eq!(&body[10..15], [2, 3, 2, 0, 1]); // the weight: two axes, 3 and 2; trainable; transposed elsewhere
    /// assert_eq!(&body[15..20], [1, 1, 2, 0, 0]); // a bias; one axis, of 2; trainable
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a layer cannot be serialized.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        container::to_bytes(self, Content::Model, size_of::<F>(), &Metadata::new())
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
    /// newer[8] = 5;
    /// assert!(text(&newer).starts_with("the format's version must be 4, got 5. A newer version of Plywood"));
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
