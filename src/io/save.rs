//! [`Save`]: a whole model in one file.
//!
//! The file has the format of [`container`]. The model in it is its kind and its bytes. Those of a `Sequential` are the
//! input's shape and a list of layers, each with its type name and its bytes. A length or a size below 251 takes one
//! byte:
//!
//! ```text
//! length, kind of the model as UTF-8     length, the model's bytes:
//! rank  axis 0 …   layers   [ length, kind as UTF-8, length, the layer's bytes ] …
//! ```
//!
//! A layer's bytes are its fields in order. A parameter is its shape and one byte for its kind (0 trainable, 1 frozen,
//! 2 buffer); its numbers are stored at the end of the file, in the order of the layers. The state that layers need is
//! included: running statistics, and a dropout layer's seed and step. Gradients and the optimizer's state are not: a
//! model file is for predicting and fine-tuning, not for resuming a training run.
//!
//! Each layer's type name and length precede its bytes, so an unknown type is reported as such and not as damage.

use super::Metadata;
use super::container::{self, Content};
use super::stored_model::StoredModel;
use crate::disk::write_whole;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::Infer;
#[cfg(doc)]
use crate::nn::Sequential;
use std::io::Write;
use std::path::Path;

/// Saves whole models. Every [`Infer`] has these methods.
///
/// [`load`](crate::load) reads what they write; [`Sequential::load`] reads it as that type.
pub trait Save<F: Scalar = f32>: Infer<F> {
    /// Saves the complete model to a file, which [`load`](crate::load) and [`Sequential::load`] read. An existing file is
    /// replaced atomically, once the new one is complete.
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
    /// If the file cannot be written, or a layer cannot be serialized.
    fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_with(path, &Metadata::new())
    }

    /// Like [`save`](Save::save), with class names and other [`Metadata`].
    ///
    /// # Errors
    /// If the file cannot be written.
    fn save_with(&self, path: impl AsRef<Path>, metadata: &Metadata) -> Result<()> {
        let fill = |file| {
            container::write(
                &StoredModel::Borrowed(self.as_infer()),
                Content::Model,
                size_of::<F>(),
                metadata,
                file,
            )
        };
        write_whole(path.as_ref(), fill).map_err(|error| error.at("save"))
    }

    /// Writes the bytes of [`save_with`](Save::save_with) to any writer.
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
    fn write_to(&self, mut writer: impl Write, metadata: &Metadata) -> Result<()> {
        let bytes = container::to_bytes(
            &StoredModel::Borrowed(self.as_infer()),
            Content::Model,
            size_of::<F>(),
            metadata,
        )?;
        let written = writer.write_all(&bytes).and_then(|()| writer.flush());
        written.map_err(|error| {
            Error::io("write to", "the writer", error).help("Check where the bytes go.").at("save")
        })
    }

    /// Returns the bytes that [`save`](Save::save) writes.
    ///
    /// Use it to store a model outside a file system, or to compare two models bit by bit. Byte by byte:
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let bytes = Sequential::builder([3]).layer(Dense::units(2)).build()?.to_bytes()?;
    /// assert_eq!(&bytes[..16], b"PLYWOOD\n\x08\0\0\0\x01\x04\0\0"); // version 8, a model, of 4-byte numbers
    /// let numbers = 4 * (3 * 2 + 2);
    /// assert_eq!(bytes[24], numbers); // in bytes
    /// let body = &bytes[bytes.len() - 4 - numbers as usize - 20..];
    /// assert_eq!(body[..2], [1, 3]); // the input: one axis, of 3
    /// assert_eq!(&body[2..9], b"\x01\x05dense"); // one layer, its kind
    /// assert_eq!(body[9], 10); // its length: the weight, a byte for "there is a bias", the bias
    /// assert_eq!(&body[10..15], [2, 3, 2, 0, 1]); // the weight: two axes, 3 and 2; trainable; transposed elsewhere
    /// assert_eq!(&body[15..20], [1, 1, 2, 0, 0]); // a bias; one axis, of 2; trainable
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a layer cannot be serialized.
    fn to_bytes(&self) -> Result<Vec<u8>> {
        container::to_bytes(
            &StoredModel::Borrowed(self.as_infer()),
            Content::Model,
            size_of::<F>(),
            &Metadata::new(),
        )
    }
}

impl<F: Scalar, M: Infer<F> + ?Sized> Save<F> for M {}
