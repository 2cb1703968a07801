//! Predictors in files.

use super::blocks::Blocks;
use super::build::{PortInput, PortOutput, Predictor, PredictorBuilder};
use crate::codec;
use crate::error::{Error, Result};
use crate::io::Metadata;
use crate::io::predictor::{self, Layers, Role, Section};
use crate::nn::{Infer, InferRegistry, Registry};
use crate::shown::count;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// The kind of the section with the form of CSV files.
const CSV: &str = "csv";

/// The most bytes of a block: 16 MiB, so that it can be read within the limits of `codec`.
const MAX_BLOCK: usize = 1 << 24;

/// A block in a file.
fn section(role: Role, port: &str, kind: &str, bytes: Vec<u8>) -> Result<Section> {
    if bytes.len() > MAX_BLOCK {
        let found = count(bytes.len(), "byte", "bytes");
        return Err(Error::format(
            format!("the block {kind:?} of {port:?}"),
            format!("have at most {MAX_BLOCK} bytes"),
            found,
        )
        .help("Limit its vocabulary or its categories by a size or by how often they must occur."));
    }
    Ok(Section { role, port: port.to_owned(), kind: kind.to_owned(), bytes })
}

impl Predictor {
    /// Saves the model and its blocks to a file. An existing file is replaced atomically, once the new one is complete.
    ///
    /// # Errors
    /// When the file cannot be written, or a layer or block cannot be serialized.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_with(path, &Metadata::new())
    }

    /// [`save`](Predictor::save) with notes.
    ///
    /// # Errors
    /// As [`save`](Predictor::save).
    pub fn save_with(&self, path: impl AsRef<Path>, metadata: &Metadata) -> Result<()> {
        predictor::save(&*self.model, self.sections()?, metadata, path.as_ref())
    }

    /// Returns the bytes that [`save`](Predictor::save) writes.
    ///
    /// # Errors
    /// When a layer or block cannot be serialized.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        predictor::to_bytes(&*self.model, self.sections()?, &Metadata::new())
    }

    /// Reads a predictor of the crate's own layers and blocks.
    ///
    /// # Errors
    /// As [`load_with`](Predictor::load_with).
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_with(path, &Registry::builtin(), &Blocks::builtin())
    }

    /// Reads a predictor whose model or blocks may be of other crates.
    ///
    /// # Errors
    /// When the file cannot be read, is not a predictor, is damaged, has another version, contains a layer or a block that
    /// is not in the lists, or blocks that do not fit the model.
    pub fn load_with(path: impl AsRef<Path>, registry: &Registry, blocks: &Blocks) -> Result<Self> {
        let path = path.as_ref();
        let decode = |(model, sections)| Self::decode(model, sections, blocks);
        let place = |error: Error| error.at(format!("load {}", path.display()));
        predictor::load(path, Layers::Trainable(registry)).and_then(|read| decode(read).map_err(place))
    }

    /// Reads a predictor from the bytes of a file.
    ///
    /// # Errors
    /// As [`load_with`](Predictor::load_with).
    pub fn from_bytes(bytes: &[u8], registry: &Registry, blocks: &Blocks) -> Result<Self> {
        let (model, sections) = predictor::from_bytes(bytes, Layers::Trainable(registry))?;
        Self::decode(model, sections, blocks)
    }

    /// Reads a predictor from any reader, to its end.
    ///
    /// ```
    /// use plywood::predictor::Blocks;
    /// use plywood::prelude::*;
    /// use std::io::Read;
    ///
    /// let model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build()?;
    /// let predictor =
    ///     Predictor::new(model).input(Features::of_shape([2])).output(Classes::named(["no", "yes"])).build()?;
    /// let connection = std::io::Cursor::new(predictor.to_bytes()?); // or any other reader
    /// let read = Predictor::read_from(connection.take(1 << 20), &Registry::builtin(), &Blocks::builtin())?;
    /// assert!(Predictor::is_in(&read.to_bytes()?));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// The length is unknown until the end, so memory is allocated as bytes arrive. To limit it, pass
    /// `reader.take(limit)`.
    ///
    /// # Errors
    /// As [`load_with`](Predictor::load_with).
    pub fn read_from(reader: impl Read, registry: &Registry, blocks: &Blocks) -> Result<Self> {
        let (model, sections) = predictor::read_from(reader, Layers::Trainable(registry))?;
        Self::decode(model, sections, blocks)
    }

    /// Returns whether these bytes begin as a predictor's file, rather than as that of a model without blocks. The first
    /// 64 bytes are enough.
    pub fn is_in(bytes: &[u8]) -> bool {
        predictor::is_predictor(bytes)
    }

    /// Reads a predictor from the bytes of a file, for a program that contains nothing of training: see
    /// [`InferRegistry`].
    ///
    /// # Errors
    /// As [`load_with`](Predictor::load_with).
    pub fn infer_from_bytes(bytes: &[u8], registry: &InferRegistry, blocks: &Blocks) -> Result<Self> {
        let (model, sections) = predictor::from_bytes(bytes, Layers::Inferring(registry))?;
        Self::decode(model, sections, blocks)
    }

    fn decode(model: Box<dyn Infer>, sections: Vec<Section>, blocks: &Blocks) -> Result<Self> {
        let mut builder = PredictorBuilder::of(Arc::from(model));
        for Section { role, port, kind, bytes } in sections {
            builder = match role {
                Role::Input => builder.any_input(port, blocks.input(&kind, &bytes)?),
                Role::Output => builder.any_output(port, blocks.output(&kind, &bytes)?),
                Role::Source if kind == CSV => {
                    builder.csv_form(&codec::decode(&bytes, "the form of CSV files")?)
                }
                Role::Source => return Err(predictor::unknown_block(&kind, [CSV].into_iter())),
            };
        }
        builder.build()
    }

    fn sections(&self) -> Result<Vec<Section>> {
        let inputs =
            self.parts.inputs.iter().map(|PortInput { port, block, .. }| {
                section(Role::Input, port, block.kind(), block.bytes()?)
            });
        let outputs = self.parts.output_names.iter().zip(&self.parts.outputs).map(
            |(name, PortOutput { block, .. })| section(Role::Output, name, block.kind(), block.bytes()?),
        );
        let form = self.csv_form.iter().map(|form| section(Role::Source, "", CSV, codec::encode(&**form)?));
        inputs.chain(outputs).chain(form).collect()
    }
}
