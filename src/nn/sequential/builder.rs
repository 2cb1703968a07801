//! Building models: layers' specs, then shapes, then layers.
//!
//! A layer's parameters depend on its input's shape, which is the output's shape of the layer before. The builder
//! keeps the specs as closures until the input's shape is known, and then walks through them once:
//!
//! ```text
//! shape = input
//! for i, spec:  layer = spec.build(shape, random.child(i));  shape = layer.output_shape(shape)
//! ```
//!
//! `child(i)` makes the initial values of layer `i` a function of the seed and of `i`: changing the number of units
//! of one layer leaves the numbers of the others alone, while putting a layer between changes those behind it.

use super::{Sequential, check_input, check_sizes};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::level::check_level;
use crate::nn::erased::ErasedLayer;
use crate::nn::{Layer, LayerSpec};
use crate::random::Random;

/// A closure hides the spec's type. It is `Send`, so a builder may be made in one thread and built in another.
type Build<F> = Box<dyn FnOnce(&[usize], &Random) -> Result<Box<dyn ErasedLayer<F>>> + Send>;

/// A model that is being put together: see [`Sequential::builder`].
///
/// Nothing is checked and nothing is drawn before [`build`](SequentialBuilder::build), which goes through the
/// specs in order, tells each the shape of its input, and names the layer that does not fit. The builder is itself
/// a spec, so a [`Sequential::block`] may stand wherever a layer does.
///
/// ```
/// use plywood::prelude::*;
///
/// let error = Sequential::builder([28, 28])
///     .layer(Dense::units(128)) // along the last axis: [28, 128]
///     .layer(Reshape::to([128]))
///     .build()
///     .unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "layer 1 (reshape): the input must have shape [128] or another shape with as many numbers, got [28, 128]. \
///      A change of shape keeps the number of elements."
/// );
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub struct SequentialBuilder<F: Scalar = f32> {
    /// None for a block.
    input: Option<Vec<usize>>,
    seed: Option<u64>,
    /// With the kind, so that an error can name a layer that could not be built.
    specs: Vec<(&'static str, Build<F>)>,
}

impl Sequential<f32> {
    /// Begins a model for inputs of this shape (without the batch axis), in `f32`.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([2, 3]).seed(7).layer(Flatten).layer(Dense::units(4)).layer(Tanh).build()?;
    /// assert_eq!((model.input_shape(), model.output_shape()), (&[2, 3][..], &[4][..]));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn builder(input: impl Into<Vec<usize>>) -> SequentialBuilder<f32> {
        Self::builder_of(input)
    }

    /// Begins a block of layers that learns its input's shape where it is put: a spec for a place inside a model.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let block = |units| Sequential::block().layer(Dense::units(units)).layer(ReLU).layer(Dropout::rate(0.2));
    /// let model = Sequential::builder([16]).layer(block(12)).layer(block(4)).build()?;
    /// let mut names = Vec::new();
    /// model.visit_params(&mut |name, param| names.push(format!("{name} {:?}", param.shape())));
    /// assert_eq!(names, ["0.0.weight [16, 12]", "0.0.bias [12]", "1.0.weight [12, 4]", "1.0.bias [4]"]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn block() -> SequentialBuilder<f32> {
        Self::block_of()
    }
}

impl<F: Scalar> Sequential<F> {
    /// [`builder`](Sequential::builder) for any element type: `Sequential::<f64>::builder_of([28, 28])`.
    ///
    /// `f64` is for checks against finite differences and against references; it costs twice the memory.
    pub fn builder_of(input: impl Into<Vec<usize>>) -> SequentialBuilder<F> {
        SequentialBuilder::new(Some(input.into()))
    }

    /// [`block`](Sequential::block) for any element type.
    pub fn block_of() -> SequentialBuilder<F> {
        SequentialBuilder::new(None)
    }

    /// A builder that begins with the layers of this model, as they are, to put others behind them.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let mut trunk = Sequential::builder([4]).layer(Dense::units(8)).layer(ReLU).layer(Dense::units(3)).build()?;
    /// trunk.split_off(2)?; // the old head
    /// trunk.freeze("")?;
    /// let model = trunk.into_builder().seed(1).layer(Dense::units(2)).layer(Softmax).build()?;
    /// let mut trainable = Vec::new();
    /// model.visit_params(&mut |name, param| if param.is_trainable() { trainable.push(name.to_owned()) });
    /// assert_eq!(trainable, ["2.weight", "2.bias"]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// Only what is added is drawn, from the builder's seed. Shapes are checked when it is built. The layers stay in
    /// one row; a model can also stand in another as one layer, `.layer(trunk)`, and be frozen by its prefix.
    pub fn into_builder(self) -> SequentialBuilder<F> {
        SequentialBuilder::of_layers(self.input, self.layers)
    }
}

impl<F: Scalar> SequentialBuilder<F> {
    fn new(input: Option<Vec<usize>>) -> Self {
        Self { input, seed: None, specs: Vec::new() }
    }

    /// Of layers that are there already, each of which is its own spec.
    fn of_layers(input: Vec<usize>, layers: Vec<Box<dyn ErasedLayer<F>>>) -> Self {
        let spec = |layer: Box<dyn ErasedLayer<F>>| {
            let kind = layer.erased_kind();
            let build: Build<F> = Box::new(move |_, _| Ok(layer));
            (kind, build)
        };
        Self { input: Some(input), seed: None, specs: layers.into_iter().map(spec).collect() }
    }

    /// Sets the seed of everything random in the model: initial values, and what layers draw in training. Without
    /// it a model's seed is 0.
    ///
    /// The last call counts. A block without a seed draws at its place in the model, from the model's seed, so two
    /// equal blocks begin differently; with a seed of its own it begins the same wherever it stands.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let model = |seed| Sequential::builder([4]).seed(seed).layer(Dense::units(3)).build();
    /// let weight = |model: Sequential| model.predict(&plywood::ndarray::Array2::eye(4)); // the bias is 0
    /// assert_eq!(weight(model(1)?)?, weight(model(1)?)?);
    /// assert_ne!(weight(model(1)?)?, weight(model(2)?)?);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Adds a layer, or a layer's spec.
    ///
    /// `'static` and `Send` because the spec is kept until [`build`](SequentialBuilder::build). In a loop the builder
    /// is handed on:
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let mut builder = Sequential::builder([64]);
    /// for units in [32, 16, 8] {
    ///     builder = builder.layer(Dense::units(units)).layer(ReLU);
    /// }
    /// assert_eq!(builder.build()?.output_shape(), [8]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn layer<S: LayerSpec<F> + Send + 'static>(mut self, spec: S) -> Self {
        let build: Build<F> = Box::new(move |input, random| Ok(Box::new(spec.build(input, random)?)));
        self.specs.push((<S::Layer as Layer<F>>::KIND.name(), build));
        self
    }

    /// Builds the model.
    ///
    /// Allocates and draws the parameters. No layer is run.
    ///
    /// # Errors
    /// When a layer cannot take what the one before puts out, or a hyper-parameter is out of range; the error names
    /// the layer.
    pub fn build(self) -> Result<Sequential<F>> {
        match self.input.clone() {
            Some(input) => self.build_for(&input, &Random::seed(0)),
            None => Err(Error::argument("the model's input shape", "given", "none")
                .help("Begin with `Sequential::builder(shape)`; a block learns its shape inside a model.")),
        }
    }

    /// Builds a block for inputs of this shape, drawing at this place: for specs that are made of layers.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let place = Random::seed(5).child("encoder");
    /// let encoder = Sequential::block().layer(Dense::units(2)).build_for(&[6], &place)?;
    /// assert_eq!(encoder.input_shape(), [6]);
    /// let fixed = Sequential::builder([5]).layer(Dense::units(2));
    /// assert!(fixed.build_for(&[6], &place).is_err());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`build`](SequentialBuilder::build); also when the builder was begun for another shape.
    pub fn build_for(self, input: &[usize], random: &Random) -> Result<Sequential<F>> {
        check_level()?;
        if let Some(own) = &self.input
            && own != input
        {
            return Err(Error::shape("the input", format!("{own:?}"), input)
                .help("Use `Sequential::block()` for a block that takes whatever shape comes."));
        }
        check_input(input)?;
        let random = self.seed.map_or_else(|| random.clone(), Random::seed);
        let mut layers: Vec<Box<dyn ErasedLayer<F>>> = Vec::with_capacity(self.specs.len());
        let mut shape = input.to_vec();
        for (i, (kind, build)) in self.specs.into_iter().enumerate() {
            let built = build(&shape, &random.child(i)).and_then(|layer| {
                shape = layer.erased_output_shape(&shape)?;
                check_sizes("the output", &shape)?;
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
