//! Building models: layers' specs, then shapes, then layers.

use super::sequential::Sequential;
use crate::error::{Error, Result};
use crate::layer::erased::ErasedLayer;
use crate::layer::{Layer, LayerSpec};
use crate::random::Random;
use crate::scalar::Scalar;

type Build<F> = Box<dyn FnOnce(&[usize], &Random) -> Result<Box<dyn ErasedLayer<F>>> + Send>;

/// A model that is being put together: see [`Sequential::builder`].
///
/// Nothing is checked and nothing is drawn before [`build`](SequentialBuilder::build), which goes through the
/// specs in order, tells each the shape of its input, and names the layer that does not fit. The builder is itself
/// a spec, so a [`Sequential::block`] may stand wherever a layer does.
#[must_use = "a builder does nothing until `build` is called"]
pub struct SequentialBuilder<F: Scalar = f32> {
    input: Option<Vec<usize>>,
    seed: Option<u64>,
    specs: Vec<(&'static str, Build<F>)>,
}

impl<F: Scalar> SequentialBuilder<F> {
    pub(super) fn new(input: Option<Vec<usize>>) -> Self {
        Self { input, seed: None, specs: Vec::new() }
    }

    /// Sets the seed of everything random in the model: initial values, and what layers draw in training. Without
    /// it a model's seed is 0, and a block draws at its place in the model around it.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Adds a layer, or a layer's spec.
    pub fn layer<S: LayerSpec<F> + Send + 'static>(mut self, spec: S) -> Self {
        let build: Build<F> = Box::new(move |input, random| Ok(Box::new(spec.build(input, random)?)));
        self.specs.push((<S::Layer as Layer<F>>::KIND, build));
        self
    }

    /// Builds the model.
    ///
    /// # Errors
    /// When a layer cannot take what the one before puts out, or a hyper-parameter is out of range; the error names
    /// the layer.
    pub fn build(self) -> Result<Sequential<F>> {
        match self.input.clone() {
            Some(input) => self.build_for(&input, &Random::seed(0)),
            None => Err(Error::argument("the model's input shape", "some sizes", "none")
                .help("Begin with `Sequential::builder(shape)`; a block learns its shape inside a model.")),
        }
    }

    /// Builds a block for inputs of this shape, drawing at this place: for specs that are made of layers.
    ///
    /// # Errors
    /// As [`build`](SequentialBuilder::build); also when the builder was begun for another shape.
    pub fn build_for(self, input: &[usize], random: &Random) -> Result<Sequential<F>> {
        if let Some(own) = &self.input
            && own != input
        {
            return Err(Error::shape("an input", format!("{own:?}"), input)
                .help("Use `Sequential::block()` for a block that takes whatever shape comes."));
        }
        if input.contains(&0) {
            return Err(Error::shape("an input", "[at least 1 on each axis]", input)
                .help("Give the shape of one sample, without the batch axis."));
        }
        let random = self.seed.map_or_else(|| random.clone(), Random::seed);
        let mut layers: Vec<Box<dyn ErasedLayer<F>>> = Vec::with_capacity(self.specs.len());
        let mut shape = input.to_vec();
        for (i, (kind, build)) in self.specs.into_iter().enumerate() {
            let built = build(&shape, &random.child(i)).and_then(|layer| {
                shape = layer.erased_output_shape(&shape)?;
                Ok(layer)
            });
            layers.push(built.map_err(|error| error.at(format!("layer {i} ({kind})")))?);
        }
        Sequential::from_layers(input.to_vec(), layers)
    }
}

impl<F: Scalar> LayerSpec<F> for SequentialBuilder<F> {
    type Layer = Sequential<F>;

    fn build(self, input: &[usize], random: &Random) -> Result<Sequential<F>> {
        self.build_for(input, random)
    }
}

impl<F: Scalar> std::fmt::Debug for SequentialBuilder<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds: Vec<_> = self.specs.iter().map(|(kind, _)| kind).collect();
        f.debug_struct("SequentialBuilder").field("input", &self.input).field("layers", &kinds).finish()
    }
}
