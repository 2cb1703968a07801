//! The builder of models: from the layers' specs to shapes to layers.
//!
//! A layer's parameters depend on the shape of its input, which is the output shape of the layer before. The builder
//! keeps the specs as closures until the input shape is known, and then calls them in order:
//!
//! ```text
//! shape = input
//! for i, spec:  layer = spec.build(shape, random.child(i));  shape = layer.output_shape(shape)
//! ```
//!
//! `child(i)` makes the initial values of layer `i` a function of the seed and of `i`: changing the number of units of
//! one layer leaves the values of the others unchanged, while inserting a layer changes those after it.

use super::Sequential;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::level::check_level;
use crate::nn::erased::ErasedLayer;
use crate::nn::shape_checks::{check_input, check_sizes};
use crate::nn::{Layer, LayerSpec};
use crate::random::Random;

/// A closure that hides the spec's type. It is `Send`, so a builder may be created in one thread and built in another.
type Build<F> = Box<dyn FnOnce(&[usize], &Random) -> Result<Box<dyn ErasedLayer<F>>> + Send>;

/// The builder of a [`Sequential`] model: see [`Sequential::builder`].
///
/// Nothing is checked or drawn before [`build`](SequentialBuilder::build), which calls the specs in order with the
/// shape of their input; an error names the layer that does not fit. The builder is itself a spec, so a
/// [`Sequential::block`] may be used wherever a layer can.
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
///      A change of shape keeps the number of elements: give `Reshape::to` a shape with as many."
/// );
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub struct SequentialBuilder<F: Scalar = f32> {
    /// `None` for a block.
    input: Option<Vec<usize>>,
    seed: Option<u64>,
    /// Each with its kind, so that an error can name a layer that could not be built.
    specs: Vec<(&'static str, Build<F>)>,
}

impl Sequential<f32> {
    /// Returns the builder of a model for inputs of this shape (without the batch axis), in `f32`.
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

    /// Returns the builder of a block, which is used as a layer of a model; its input shape is known when the model is
    /// built.
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
    /// Use `f64` for checks against finite differences and against references; it takes twice the memory.
    pub fn builder_of(input: impl Into<Vec<usize>>) -> SequentialBuilder<F> {
        SequentialBuilder::new(Some(input.into()))
    }

    /// [`block`](Sequential::block) for any element type.
    pub fn block_of() -> SequentialBuilder<F> {
        SequentialBuilder::new(None)
    }

    /// Returns a builder that starts with the layers of this model, unchanged, so that others can be added after them.
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
    /// Only the added layers are drawn, from the builder's seed. Shapes are checked when the model is built. The layers
    /// stay in one flat list. Alternatively, use the model as one layer of another, `.layer(trunk)`, and freeze it by
    /// its prefix.
    pub fn into_builder(self) -> SequentialBuilder<F> {
        SequentialBuilder::of_layers(self.input_shape().to_vec(), self.chain.layers)
    }
}

impl<F: Scalar> SequentialBuilder<F> {
    fn new(input: Option<Vec<usize>>) -> Self {
        Self { input, seed: None, specs: Vec::new() }
    }

    /// Creates a builder from existing layers, each of which is its own spec.
    fn of_layers(input: Vec<usize>, layers: Vec<Box<dyn ErasedLayer<F>>>) -> Self {
        let spec = |layer: Box<dyn ErasedLayer<F>>| {
            let kind = layer.erased_kind();
            let build: Build<F> = Box::new(move |_, _| Ok(layer));
            (kind, build)
        };
        Self { input: Some(input), seed: None, specs: layers.into_iter().map(spec).collect() }
    }

    /// Sets the seed of everything random in the model: initial values, and the random numbers that layers use in
    /// training. The default is 0.
    ///
    /// The last call counts. A block without a seed draws from a stream of the model's seed that depends on the block's
    /// position, so two equal blocks have different initial values; with its own seed, a block has the same ones at
    /// every position.
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

    /// Adds a layer or a layer's spec.
    ///
    /// The bounds `'static` and `Send` are needed because the spec is kept until [`build`](SequentialBuilder::build).
    /// In a loop, reassign the builder:
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
    /// Allocates and draws the parameters. Runs no layer.
    ///
    /// # Errors
    /// When a layer cannot take the output of the one before, or a hyperparameter is out of range; the error names the
    /// layer.
    pub fn build(self) -> Result<Sequential<F>> {
        match self.input.clone() {
            Some(input) => self.build_for(&input, &Random::seed(0)),
            None => Err(Error::argument("the model's input shape", "given", "none")
                .help("Begin with `Sequential::builder(shape)`; a block learns its shape inside a model.")),
        }
    }

    /// Builds a block for inputs of this shape, drawing from `random`: for custom specs that consist of layers.
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
    /// As [`build`](SequentialBuilder::build), and when the builder was started for another shape.
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
