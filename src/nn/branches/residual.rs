//! The residual connection.
//!
//! With `y = x + f(x)`, `∂L/∂x = ∂L/∂y + (∂f/∂x)ᵀ ∂L/∂y`: the output's gradient reaches the input in full, whatever the
//! block contributes. With a projection `p` in place of `x`, `(∂p/∂x)ᵀ ∂L/∂y` reaches it instead.

use super::{Named, added, shape_of, visit, visit_mut};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::ModelCache;
use crate::nn::erased::Mode;
use crate::nn::sequential::{Sequential, SequentialBuilder};
use crate::nn::{BoxedLayer, Layer, LayerSpec, OutputActivation, Part, Wiring, check_gradient};
use crate::param::Param;
use crate::random::Random;
use crate::state::Kind;
use crate::tensor::{Tensor, copy, standard};
use serde::{Deserialize, Serialize};

/// A residual connection: the output of a block plus its input, `y = x + block(x)`, or `y = projection(x) + block(x)`.
///
/// He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2016. The block learns the difference from
/// the identity, and gradients can bypass it, so that networks of a hundred blocks can be trained.
///
/// | | shape |
/// |---|---|
/// | input | any shape that the block takes |
/// | output | the block's, which must equal the input's, or the projection's |
///
/// The parameters are named "block.0.weight" and "projection.0.weight". In Keras and PyTorch you write it as code,
/// `x + block(x)`; here it is a layer, so that it is saved with the model.
///
/// ```
/// use plywood::prelude::*;
///
/// let block = || Sequential::block().layer(Dense::units(8)).layer(ReLU).layer(Dense::units(8));
/// let wider = Sequential::block().layer(Dense::units(16)).layer(Tanh);
/// let shortcut = Sequential::block().layer(Dense::units(16).bias(false));
/// let model = Sequential::builder([8])
///     .layer(Residual::around(block()))
///     .layer(Residual::around(block()))
///     .layer(Residual::around(wider).projection(shortcut))
///     .build()?;
/// assert_eq!(model.output_shape(), [16]);
/// let mut names = Vec::new();
/// model.visit_params(&mut |name, _| names.push(name.to_owned()));
/// assert_eq!((&names[0][..], &names[10][..]), ("0.block.0.weight", "2.projection.0.weight"));
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Residual<F: Scalar = f32> {
    block: Sequential<F>,
    /// `None` for the identity.
    projection: Option<Sequential<F>>,
}

impl<F: Scalar> Residual<F> {
    /// Returns the spec of a residual connection around this block: `y = x + block(x)`.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let narrower = Sequential::block().layer(Dense::units(3));
    /// let error = Sequential::builder([4]).layer(Residual::around(narrower)).build().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "layer 0 (residual): the block's output must have shape [4], got [3]. The two must have the same \
    ///      shape to be added; give a `projection` where the block changes it."
    /// );
    /// ```
    pub fn around(block: SequentialBuilder<F>) -> ResidualSpec<F> {
        ResidualSpec { block, projection: None }
    }

    /// Returns the blocks with their names.
    fn blocks(&self) -> impl Iterator<Item = Named<'_, F>> {
        [("block", &self.block)]
            .into_iter()
            .chain(self.projection.as_ref().map(|block| ("projection", block)))
    }

    /// Runs the block and the projection with their caches, and adds their outputs.
    fn forward_in(&mut self, mode: Mode, input: Tensor<F>) -> Result<(Tensor<F>, <Self as Layer<F>>::Cache)> {
        let input = standard(input);
        let (output, cache) =
            mode.forward(&mut self.block, copy(&input)).map_err(|error| error.at("block"))?;
        let (other, second) = match &mut self.projection {
            None => (input, None),
            Some(projection) => {
                let (y, cache) = mode.forward(projection, input).map_err(|error| error.at("projection"))?;
                (y, Some(cache))
            }
        };
        check(output.shape(), other.shape())?;
        let shape = output.shape().to_vec();
        Ok((added(standard(output), standard(other)), (cache, second, shape)))
    }
}

/// Checks that both summands have the same shape.
fn check(block: &[usize], other: &[usize]) -> Result<()> {
    if block == other {
        return Ok(());
    }
    Err(Error::shape("the block's output", format!("{other:?}"), block).help(
        "The two must have the same shape to be added; give a `projection` where the block changes it.",
    ))
}

impl<F: Scalar> Layer<F> for Residual<F> {
    const KIND: Kind = Kind::builtin("residual");
    /// The caches of block and projection, and the output's shape.
    type Cache = (ModelCache, Option<ModelCache>, Vec<usize>);

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        let output = shape_of(&self.block, input).map_err(|error| error.at("block"))?;
        match &self.projection {
            None => check(&output, input)?,
            Some(projection) => {
                let other = shape_of(projection, input).map_err(|error| error.at("projection"))?;
                check(&output, &other)?;
            }
        }
        Ok(output)
    }

    fn keeps_steps(&self, input: &[usize]) -> bool {
        self.blocks().all(|(_, block)| block.keeps_steps(input))
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        let input = standard(input);
        let output = self.block.forward(copy(&input)).map_err(|error| error.at("block"))?;
        let other = match &self.projection {
            None => input,
            Some(projection) => projection.forward(input).map_err(|error| error.at("projection"))?,
        };
        check(output.shape(), other.shape())?;
        Ok(added(standard(output), standard(other)))
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)> {
        self.forward_in(Mode::Train, input)
    }

    fn forward_eval(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)> {
        self.forward_in(Mode::Eval, input)
    }

    fn backward(&mut self, (cache, second, shape): Self::Cache, grad: Tensor<F>) -> Result<Tensor<F>> {
        check_gradient(&grad, &shape)?;
        let grad = standard(grad);
        let back = self.block.backward(cache, copy(&grad)).map_err(|error| error.at("block"))?;
        let other = match (&mut self.projection, second) {
            (Some(projection), Some(cache)) => {
                projection.backward(cache, grad).map_err(|error| error.at("projection"))?
            }
            _ => grad,
        };
        Ok(added(standard(back), standard(other)))
    }

    fn backward_params(&mut self, (cache, second, shape): Self::Cache, grad: Tensor<F>) -> Result<()> {
        check_gradient(&grad, &shape)?;
        let grad = standard(grad);
        if let (Some(projection), Some(cache)) = (&mut self.projection, second) {
            projection.backward_params(cache, copy(&grad)).map_err(|error| error.at("projection"))?;
        }
        self.block.backward_params(cache, grad).map_err(|error| error.at("block"))
    }

    fn check_batch_size(&self, input: &[usize], samples: usize) -> Result<()> {
        let check = |(name, block): Named<'_, F>| {
            Layer::check_batch_size(block, input, samples).map_err(|error| error.at(name))
        };
        self.blocks().try_for_each(check)
    }

    /// The outputs are any real numbers.
    fn output_activation(&self, _: OutputActivation) -> OutputActivation {
        OutputActivation::Linear
    }

    /// Returns "block", and "projection" if there is one.
    fn parts(&self, input: &[usize]) -> Vec<Part<'_, F>> {
        self.blocks().map(|(name, block)| Part::new(name, input.to_vec(), block)).collect()
    }

    fn wiring(&self) -> Wiring {
        Wiring::Sum { and_input: self.projection.is_none() }
    }

    fn boxed_parts(&self) -> Vec<BoxedLayer<F>> {
        self.blocks().map(|(_, block)| BoxedLayer::new(block.clone())).collect()
    }

    fn visit_params(&self, show: &mut dyn FnMut(&str, &Param<F>)) {
        self.blocks().for_each(|block| visit(block, show));
    }

    fn visit_params_mut(&mut self, show: &mut dyn FnMut(&str, &mut Param<F>)) {
        visit_mut("block", &mut self.block, show);
        if let Some(projection) = &mut self.projection {
            visit_mut("projection", projection, show);
        }
    }
}

/// The spec of a [`Residual`] layer, from [`Residual::around`].
#[derive(Debug)]
pub struct ResidualSpec<F: Scalar = f32> {
    block: SequentialBuilder<F>,
    projection: Option<SequentialBuilder<F>>,
}

impl<F: Scalar> ResidualSpec<F> {
    /// Sets the block that the input passes through before it is added, for a block that changes the shape: a `Dense`
    /// without bias, or a convolution with a 1 by 1 window.
    #[must_use]
    pub fn projection(mut self, projection: SequentialBuilder<F>) -> Self {
        self.projection = Some(projection);
        self
    }
}

impl<F: Scalar> LayerSpec<F> for ResidualSpec<F> {
    type Layer = Residual<F>;

    /// Builds the blocks, drawing from the streams "block" and "projection".
    fn build(self, input: &[usize], random: &Random) -> Result<Residual<F>> {
        let build = |block: SequentialBuilder<F>, name: &str| {
            block.build_for(input, &random.child(name)).map_err(|error| error.at(name))
        };
        let projection = self.projection.map(|projection| build(projection, "projection")).transpose()?;
        Ok(Residual { block: build(self.block, "block")?, projection })
    }
}
