//! Two models, each in two versions, and what they say to some images.

use crate::Result;
use crate::images::png;
use plywood::predictor::Raw;
use plywood::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

/// The first is so wide that its requests wait for a thread, and are joined; the second is predicted by the handler.
pub const NAMES: [&str; 2] = ["wide", "small"];

const HIDDEN: [usize; 2] = [1024, 32];

const SIDE: usize = 28;

/// So many images.
const IMAGES: usize = 16;

/// What a version of a model says.
pub struct Version {
    file: Vec<u8>,
    /// By image: the answer of the friendly route, and the probabilities of the protocol.
    pub answers: Vec<Value>,
    pub probabilities: Vec<Vec<f32>>,
}

pub struct Versions {
    /// The pixels of each image, and its file.
    pub images: Vec<(Vec<u8>, Vec<u8>)>,
    /// By model and version.
    known: Vec<BTreeMap<String, Version>>,
}

/// The same pixels at each run.
fn pixels(number: usize) -> Vec<u8> {
    let value = |place: usize| ((place * (3 + 2 * number) + place / SIDE * 7 * number) % 251) as u8;
    (0..SIDE * SIDE).map(value).collect()
}

fn predictor(hidden: usize, seed: u64) -> plywood::Result<Predictor> {
    let model = Sequential::builder([SIDE, SIDE])
        .seed(seed)
        .layer(Flatten)
        .layer(Dense::units(hidden))
        .layer(ReLU)
        .layer(Dense::units(10))
        .layer(Softmax)
        .build()?;
    let names = (0..10).map(|class| format!("class {class}"));
    Predictor::new(model).input(Image::grey(SIDE, SIDE)).output(Classes::named(names)).build()
}

impl Versions {
    pub fn new() -> Result<Self> {
        let image = |number| {
            let pixels = pixels(number);
            let file = png(SIDE as u32, SIDE as u32, &pixels);
            (pixels, file)
        };
        let images: Vec<_> = (0..IMAGES).map(image).collect();
        let mut known = Vec::new();
        for hidden in HIDDEN {
            let mut versions = BTreeMap::new();
            for seed in [1, 2] {
                let predictor = predictor(hidden, seed)?;
                let file = predictor.to_bytes()?;
                let hash: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
                let (mut answers, mut probabilities) = (Vec::new(), Vec::new());
                for (_, image) in &images {
                    let answer = predictor.predict(Raw::image(image))?;
                    answers.push(serde_json::from_str(&serde_json::to_string(&answer)?)?);
                    let prepared = predictor.prepare(&[Raw::image(image).into()])?;
                    let outputs = predictor.infer(&prepared)?;
                    probabilities
                        .push(predictor.probabilities(&outputs, "output")?.iter().copied().collect());
                }
                versions.insert(hash[..12].to_owned(), Version { file, answers, probabilities });
            }
            known.push(versions);
        }
        Ok(Self { images, known })
    }

    pub fn get(&self, model: usize, version: &str) -> Option<&Version> {
        self.known[model].get(version)
    }

    /// Replaces the files of the models: by one version, by the other, and at each fifth turn by what is no model.
    pub fn write(&self, folder: &Path, turn: u64) -> Result<()> {
        for (name, versions) in NAMES.iter().zip(&self.known) {
            let version = versions.values().nth(turn as usize % 2).ok_or("there are two versions")?;
            let broken = &version.file[..version.file.len() / 2];
            let new = folder.join("new");
            std::fs::write(&new, if turn % 5 == 4 { broken } else { &version.file })?;
            std::fs::rename(new, folder.join(format!("{name}.plywood")))?;
        }
        Ok(())
    }
}
