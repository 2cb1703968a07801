//! A whole model in one file.

use super::write_whole;
use crate::codec;
use crate::error::{Error, Result};
use crate::layer::registry::Registry;
use crate::layers::Sequential;
use crate::scalar::Scalar;
use std::fs;
use std::path::Path;

/// The first bytes of a model file.
const MAGIC: &[u8; 8] = b"PLYWOOD\n";

/// The version of what follows: `u32` version, `u8` bytes per number, the model by bincode.
const VERSION: u32 = 1;

impl Sequential<f32> {
    /// Reads a model of the crate's own layers, in `f32`.
    ///
    /// # Errors
    /// As [`load_with`](Sequential::load_with).
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_of(path, &Registry::builtin())
    }

    /// Reads a model that may have layers of other crates, in `f32`.
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
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write_whole(path.as_ref(), &self.to_bytes()?).map_err(|error| error.at("save"))
    }

    /// [`load_with`](Sequential::load_with) for any element type.
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
