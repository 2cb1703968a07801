//! A model with the blocks before and behind it, in one file.
//!
//! The file has the format of [`container`]. Its content is the model, as in a model's file, and then a list of sections:
//! what the section is for, the kind of block, and its bytes. The bytes are stored among the file's numbers, so a
//! vocabulary of any length has room; a program that reads the model alone does not decode them.

use super::Metadata;
use super::container::{self, Content};
use super::source::Source;
use super::stored_model::StoredModel;
use crate::codec::{self, numbers};
use crate::disk::write_whole;
use crate::error::{Error, Result};
use crate::nn::{Infer, InferRegistry, Registry};
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::Path;

/// The most sections of a file.
pub(crate) const MAX_SECTIONS: usize = 4_096;

/// What a section is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Role {
    /// The block in front of an input of the model.
    Input,
    /// The block behind an output of the model.
    Output,
    /// How files of raw values are read.
    Source,
}

/// A block as its bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Section {
    pub role: Role,
    /// The name of the model's input or output.
    pub port: String,
    pub kind: String,
    #[serde(with = "crate::codec::blob")]
    pub bytes: Vec<u8>,
}

/// The content of the file. The order of the fields is part of the format. `M` is a [`StoredModel`] or, for programs
/// without training, a `StoredInfer`.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredPredictor<M> {
    pub model: M,
    #[serde(deserialize_with = "codec::list::<_, _, MAX_SECTIONS>")]
    pub sections: Vec<Section>,
}

/// Writes the file atomically.
pub(crate) fn save(
    model: &dyn Infer,
    sections: Vec<Section>,
    metadata: &Metadata,
    path: &Path,
) -> Result<()> {
    let stored = StoredPredictor { model: StoredModel::Borrowed(model), sections };
    let fill = |file| container::write(&stored, Content::Predictor, size_of::<f32>(), metadata, file);
    write_whole(path, fill).map_err(|error| error.at("save"))
}

/// Returns the bytes that [`save`] writes.
pub(crate) fn to_bytes(model: &dyn Infer, sections: Vec<Section>, metadata: &Metadata) -> Result<Vec<u8>> {
    let stored = StoredPredictor { model: StoredModel::Borrowed(model), sections };
    container::to_bytes(&stored, Content::Predictor, size_of::<f32>(), metadata)
}

/// The kinds of layers that a predictor's model may have.
#[derive(Clone, Copy)]
pub(crate) enum Layers<'a> {
    Trainable(&'a Registry),
    Inferring(&'a InferRegistry),
}

/// Reads a predictor's file.
pub(crate) fn load(path: &Path, layers: Layers<'_>) -> Result<(Box<dyn Infer>, Vec<Section>)> {
    let read = || read(&mut Source::open(path)?, layers);
    read().map_err(|error| error.at(format!("load {}", path.display())))
}

/// Reads a predictor from the bytes of a file.
pub(crate) fn from_bytes(bytes: &[u8], layers: Layers<'_>) -> Result<(Box<dyn Infer>, Vec<Section>)> {
    read(&mut Source::of(bytes), layers)
}

/// Reads a predictor from a reader, to its end.
pub(crate) fn read_from(reader: impl Read, layers: Layers<'_>) -> Result<(Box<dyn Infer>, Vec<Section>)> {
    read(&mut Source::new(reader), layers).map_err(|error| error.at("load"))
}

fn read(source: &mut Source<impl Read>, layers: Layers<'_>) -> Result<(Box<dyn Infer>, Vec<Section>)> {
    let wanted = (&[Content::Predictor][..], size_of::<f32>(), "f32");
    container::read(source, wanted, |_, body, numbers| {
        let what = "the predictor";
        match layers {
            Layers::Trainable(registry) => {
                let stored: StoredPredictor<StoredModel<'static, f32>> =
                    registry.decoding(|| numbers::read(body, numbers, what))?;
                Ok((stored.model.into_model()? as Box<dyn Infer>, stored.sections))
            }
            Layers::Inferring(registry) => {
                let stored: StoredPredictor<super::stored_model::StoredInfer<f32>> =
                    registry.decoding(|| numbers::read(body, numbers, what))?;
                Ok((stored.model.0, stored.sections))
            }
        }
    })
}

/// Returns whether these bytes begin as those of a predictor's file.
pub(crate) fn is_predictor(bytes: &[u8]) -> bool {
    container::content(&mut Source::of(bytes)) == Some(Content::Predictor)
}

/// The error for a kind of block that is not in the list of known ones.
pub(crate) fn unknown_block<'a>(kind: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let known = known.collect::<Vec<_>>().join(", ");
    let found = format!("{:?}", crate::shown::cut(kind));
    Error::format("the kind of a block", format!("be one of {known}"), found)
        .help("Load with `Predictor::load_with` and a list that has it: `Blocks::builtin().with_input::<YourBlock>()`.")
}
