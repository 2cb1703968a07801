//! A whole model in one file.
//!
//! A file is a head of 13 bytes and the model as [`codec`] encodes it:
//!
//! | offset | bytes | content |
//! |---|---|---|
//! | 0 | 8 | `PLYWOOD` and a line feed, which a transfer as text would change |
//! | 8 | 4 | the version of the format, 1, lowest byte first |
//! | 12 | 1 | bytes in a number: 4 for `f32`, 8 for `f64` |
//! | 13 | | the model |
//!
//! The model is the input's shape and a list of layers, each as its kind and its bytes. A length or a size below 251
//! takes one byte:
//!
//! ```text
//! rank  axis 0 …   layers   [ length, kind as UTF-8, length, the layer's bytes ] …
//! ```
//!
//! A layer's bytes are its fields in their order. A parameter is its shape, the number of its bytes, the raw numbers
//! and one byte for its kind (0 trainable, 1 frozen, 2 buffer). What layers need to go on as before is in there:
//! running statistics, and a dropout layer's seed and step. Gradients and the optimiser's state are not; a model file
//! is for predicting and fine-tuning, not for resuming in the midst of an epoch.
//!
//! Since each layer's kind and length stand in front of its bytes, an unknown kind is reported as such and not as
//! damage.

use super::write_whole;
use crate::codec;
use crate::error::{Error, Result};
use crate::layer::registry::Registry;
use crate::layers::Sequential;
use crate::scalar::Scalar;
use std::fs;
use std::path::Path;

/// The first bytes of a model file.
///
/// The idea is PNG's: text for people, and an end-of-line that shows damage.
const MAGIC: &[u8; 8] = b"PLYWOOD\n";

/// The version of what follows: `u32` version, `u8` bytes per number, the model by bincode.
///
/// It goes up with any change of the bytes, the order of a struct's fields included.
const VERSION: u32 = 1;

impl Sequential<f32> {
    /// Reads a model of the crate's own layers, in `f32`.
    ///
    /// Checks the head, decodes the layers and checks that their shapes fit each other; the numbers are not looked
    /// at, so a model with NaN loads. Nothing in the file is executed.
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

    /// Reads a model that may have layers of other crates, in `f32`.
    ///
    /// PyTorch's counterpart is `torch.load(weights_only=True)` with `add_safe_globals`, Keras' is `custom_objects`.
    ///
    /// # Errors
    /// When the file cannot be read, is not a model, is damaged, is of another version or element type, or has a
    /// layer that the registry does not know.
    pub fn load_with(path: impl AsRef<Path>, registry: &Registry<f32>) -> Result<Self> {
        Self::load_of(path, registry)
    }
}

impl<F: Scalar> Sequential<F> {
    /// Writes the model with everything in it, to be read by [`load`](Sequential::load). A file that is there already
    /// is replaced at once, when the new one is complete.
    ///
    /// ```
    /// use ndarray::Array2;
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
    /// The encoded model is in memory as a whole before it is written: two to three times the parameters' bytes at
    /// its peak, and more for layers inside containers.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write_whole(path.as_ref(), &self.to_bytes()?).map_err(|error| error.at("save"))
    }

    /// [`load_with`](Sequential::load_with) for any element type.
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
        let at = |error: Error| error.at(format!("load {}", path.display()));
        let bytes =
            fs::read(path).map_err(|source| at(Error::io("read", path, source).help("Look at the path.")))?;
        Self::from_bytes(&bytes, registry).map_err(at)
    }

    /// The bytes that [`save`](Sequential::save) writes.
    ///
    /// For a store that is not a file system, or to compare two models to the bit. Byte by byte:
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let bytes = Sequential::builder([3]).layer(Dense::units(2)).build()?.to_bytes()?;
    /// assert_eq!(&bytes[..13], b"PLYWOOD\n\x01\0\0\0\x04");
    /// assert_eq!(&bytes[13..15], [1, 3]); // one axis, of 3
    /// assert_eq!(&bytes[15..22], b"\x01\x05dense"); // one layer, its kind
    /// assert_eq!(bytes[22], 42); // its length: the weight, a byte for "there is a bias", the bias
    /// assert_eq!(&bytes[23..27], [2, 3, 2, 24]); // the weight: two axes, 3 and 2, and 24 bytes
    /// assert_eq!(&bytes[51..55], [0, 1, 1, 2]); // trainable; a bias; one axis, of 2
    /// assert_eq!(&bytes[55..], [8, 0, 0, 0, 0, 0, 0, 0, 0, 0]); // 8 bytes, two times 0.0, trainable
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a layer cannot be serialised.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.push(size_of::<F>() as u8);
        bytes.extend(codec::encode(self)?);
        Ok(bytes)
    }

    /// A model from the bytes of a file.
    ///
    /// Each fault has its own text:
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let registry = Registry::<f32>::builtin();
    /// let bytes = Sequential::builder([2]).layer(Dense::units(1)).build()?.to_bytes()?;
    /// let text = |bytes: &[u8]| Sequential::from_bytes(bytes, &registry).unwrap_err().to_string();
    ///
    /// assert!(text(b"\x89PNG").starts_with("expected the file's first bytes to be \"PLYWOOD\\n\", found"));
    /// let mut newer = bytes.clone();
    /// newer[8] = 2;
    /// assert!(text(&newer).starts_with("expected the format's version to be 1, found 2."));
    /// let mut wider = bytes.clone();
    /// wider[12] = 8;
    /// assert!(text(&wider).starts_with("expected the element type to be f32, found f64."));
    /// assert!(text(&bytes[..bytes.len() - 1]).starts_with("expected the model to be whole and undamaged, found"));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`load_with`](Sequential::load_with).
    pub fn from_bytes(bytes: &[u8], registry: &Registry<F>) -> Result<Self> {
        let truncated = |found: &[u8]| {
            Error::format("a model", "at least 13 bytes", found.len())
                .help("The file is truncated; save it again.")
        };
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| {
            let found = format!("{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(8)]));
            Error::format("the file's first bytes", format!("{:?}", String::from_utf8_lossy(MAGIC)), found)
                .help("This is not a Plywood model; load what `save` wrote.")
        })?;
        let (version, rest) = rest.split_first_chunk::<4>().ok_or_else(|| truncated(bytes))?;
        let version = u32::from_le_bytes(*version);
        if version != VERSION {
            return Err(Error::format("the format's version", VERSION, version)
                .help("Load it with the version of Plywood that wrote it."));
        }
        let (&width, rest) = rest.split_first().ok_or_else(|| truncated(bytes))?;
        if usize::from(width) != size_of::<F>() {
            return Err(Error::format("the element type", F::NAME, format!("f{}", u32::from(width) * 8))
                .help("Load it as a model of the type it was saved with: `Sequential::<f64>::load_of`."));
        }
        registry.decoding(|| codec::decode(rest, "the model"))
    }
}
