//! The common part of [`Conv2d`](crate::nn::Conv2d) and [`Conv1d`](crate::nn::Conv1d): the filters and their spec.
//!
//! A sequence is an image with one row, so the one-dimensional layer runs the passes of `convolution/` with a window of
//! one row. The number of axes is a const generic: each layer is its own type, with its own kind and fields in files,
//! and `convolution_layer!` forwards the methods of both to one implementation. Only the shapes differ: that of the
//! weight, which is PyTorch's, and that of the input.

use super::convolution::Convolution;
use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::kernels::Scalar;
use crate::nn::window::Window;
use crate::nn::{check_gradient, window};
use crate::param::Param;
use crate::random::Random;
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut, standard};
use serde::{Deserialize, Serialize};

/// The parameters of a convolution over `AXES` axes, and the settings of its window.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) struct Filters<F: Scalar, const AXES: usize> {
    /// `[filters, channels / groups, window…]`.
    pub weight: Param<F>,
    /// `[filters]`.
    pub bias: Option<Param<F>>,
    /// The number of groups into which channels and filters are divided.
    groups: usize,
    /// Has a size of one row for a sequence.
    window: Window,
}

impl<F: Scalar, const AXES: usize> Filters<F, AXES> {
    /// Returns the convolution for a sample of this shape, checked against the weight.
    ///
    /// Called in every pass: an input may have another size than the layer was built for, as long as the number of
    /// channels is the same; and a file may hold a weight and a window that do not fit.
    fn over(&self, sample: &[usize]) -> Result<Convolution> {
        if AXES == 1 {
            self.window.check_row()?;
        }
        let size = &self.window.size[2 - AXES.min(2)..];
        let bias = self.bias.as_ref().map(Param::shape);
        let (filters, depth) = match self.weight.shape() {
            [filters, depth, of @ ..] if of == size && bias.is_none_or(|bias| bias == [*filters]) => {
                (*filters, *depth)
            }
            other => {
                let expected = format!("[filters, channels / groups] and {size:?}, with a bias of [filters]");
                return Err(Error::shape("the weight", expected, other).help("Build the layer again."));
            }
        };
        let image = image::<AXES>(sample)?;
        let channels = depth.saturating_mul(self.groups);
        if image[0] != channels {
            let rest = if AXES == 1 { "length" } else { "rows, columns" };
            return Err(Error::shape("the input", format!("[{channels}, {rest}]"), sample)
                .help("Channels come first, and there are as many as the layer was built for."));
        }
        Convolution::new(image, filters, self.groups, self.window)
    }

    /// Returns the shape of an output, without the batch axis.
    pub fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(output::<AXES>(&self.over(input)?))
    }

    /// Returns the convolution for a batch of this shape, and the shape of the output.
    fn of_batch(&self, input: &[usize]) -> Result<(Convolution, Vec<usize>)> {
        let (samples, sample) = window::batch(input)?;
        let convolution = self.over(sample)?;
        let mut shape = output::<AXES>(&convolution);
        shape.insert(0, samples);
        window::numbers("the output", &shape)?;
        Ok((convolution, shape))
    }

    /// Returns the output, and the input in row-major order, to be kept or recycled.
    pub fn forward(&self, input: Tensor<F>) -> Result<(Tensor<F>, Tensor<F>)> {
        let (convolution, shape) = self.of_batch(input.shape())?;
        let (input, mut output) = (standard(input), scratch(&shape));
        let bias = self.bias.as_ref().map(Param::as_slice);
        convolution.forward(slice(&input), self.weight.as_slice(), bias, slice_mut(&mut output));
        Ok((output, input))
    }

    /// Computes the gradients of the parameters and, if `wants_input`, that of the input in the input's buffer.
    pub fn backward(&mut self, input: Tensor<F>, grad: Tensor<F>, wants_input: bool) -> Result<Tensor<F>> {
        let (convolution, shape) = self.of_batch(input.shape())?;
        check_gradient(&grad, &shape)?;
        let (mut input, grad) = (input, standard(grad));
        let weight = self.weight.accumulate().map(|(_, sum, beta)| (sum, beta));
        let bias = self.bias.as_mut().and_then(Param::accumulate).map(|(_, sum, beta)| (sum, beta));
        if weight.is_some() || bias.is_some() {
            convolution.parameter_gradients(slice(&input), slice(&grad), weight, bias);
        }
        if wants_input {
            convolution.input_gradient(self.weight.as_slice(), slice(&grad), slice_mut(&mut input));
        }
        recycle(grad);
        Ok(input)
    }

    /// Uses PyTorch's names.
    pub fn visit(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        visit("weight", &self.weight);
        if let Some(bias) = &self.bias {
            visit("bias", bias);
        }
    }

    pub fn visit_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
        visit("weight", &mut self.weight);
        if let Some(bias) = &mut self.bias {
            visit("bias", bias);
        }
    }
}

/// Returns the shape of a sample as an image: a sequence has one row.
fn image<const AXES: usize>(sample: &[usize]) -> Result<[usize; 3]> {
    if AXES == 1 {
        window::sequence(sample).map(|[channels, length]| [channels, 1, length])
    } else {
        window::image(sample)
    }
}

/// Returns the shape of a sample's output, without the row axis if it is a sequence.
fn output<const AXES: usize>(convolution: &Convolution) -> Vec<usize> {
    let [filters, rows, columns] = convolution.output();
    if AXES == 1 { vec![filters, columns] } else { vec![filters, rows, columns] }
}

/// The number of filters.
#[derive(Clone, Copy, Debug)]
pub(super) enum Count {
    /// This many in all.
    Of(usize),
    /// This many per channel, each of which reads only that channel.
    EachChannel(usize),
}

/// The spec of filters.
#[derive(Clone, Copy, Debug)]
pub(super) struct FiltersSpec {
    /// The number of filters.
    pub count: Count,
    /// Ignored if the count is per channel.
    pub groups: usize,
    /// The window's size and how it moves.
    pub window: Window,
    /// The initializer of the weight.
    pub initializer: Initializer,
    /// True if there is a bias.
    pub bias: bool,
    /// The initializer of the bias.
    pub bias_initializer: Initializer,
}

impl FiltersSpec {
    /// Creates a spec with Keras' initial values and a bias.
    pub fn new(count: Count, window: Window) -> Self {
        let (initializer, bias_initializer) = (Initializer::GlorotUniform, Initializer::Zeros);
        Self { count, groups: 1, window, initializer, bias: true, bias_initializer }
    }

    /// Builds the filters for samples of this shape.
    pub fn build<F: Scalar, const AXES: usize>(
        self,
        input: &[usize],
        random: &Random,
    ) -> Result<Filters<F, AXES>> {
        let image = image::<AXES>(input)?;
        let window = if AXES == 1 { self.window.sequence_padding()? } else { self.window };
        let (filters, groups) = match self.count {
            Count::Of(filters) => (filters, self.groups),
            Count::EachChannel(each) => {
                (window::numbers("the number of filters", &[image[0], each])?, image[0])
            }
        };
        // Checks every size before anything of that size is allocated.
        Convolution::new(image, filters, groups, window)?;
        let depth = image[0] / groups;
        let size = &window.size[2 - AXES.min(2)..];
        let area: usize = size.iter().product();
        let (fan_in, fan_out) = (depth * area, filters.saturating_mul(area));
        let make = |initializer: Initializer, shape: &[usize], name: &str| {
            initializer.tensor(shape, fan_in, fan_out, &random.child(name)).map(Param::new)
        };
        let weight = make(self.initializer, &[&[filters, depth], size].concat(), "weight")?;
        let bias = self.bias.then(|| make(self.bias_initializer, &[filters], "bias")).transpose()?;
        Ok(Filters { weight, bias, groups, window })
    }
}

/// Implements what [`Conv1d`](crate::nn::Conv1d) and [`Conv2d`](crate::nn::Conv2d) forward to their filters: `Layer`,
/// and the settings of the spec that do not depend on the number of axes. The given documentation is that of `groups`.
macro_rules! convolution_layer {
    ($layer:ident, $spec:ident, $kind:literal; $(#[$groups:meta])*) => {
        impl<F: Scalar> $layer<F> {
            /// Returns the weight, `[filters, channels / groups, window…]`.
            pub fn weight(&self) -> &Param<F> {
                &self.filters.weight
            }

            /// Returns the bias, `[filters]`, or `None` if the layer was built without.
            pub fn bias(&self) -> Option<&Param<F>> {
                self.filters.bias.as_ref()
            }
        }

        impl $spec {
            $(#[$groups])*
            #[must_use]
            pub fn groups(mut self, groups: usize) -> Self {
                self.filters.groups = groups;
                self
            }

            /// Sets by how much the input is padded with zeros (default: not at all): see [`Padding`].
            ///
            /// Takes `Padding::Same`, `Padding::Valid`, or numbers: `.padding(1)`. Padding by reflection or repetition,
            /// as in PyTorch's `padding_mode`, is not available.
            #[must_use]
            pub fn padding(mut self, padding: impl Into<Padding>) -> Self {
                self.filters.window.padding = padding.into();
                self
            }

            /// Sets the distribution of the initial weight; its fans are channels or filters times the size of the
            /// window.
            #[must_use]
            pub fn initializer(mut self, initializer: Initializer) -> Self {
                self.filters.initializer = initializer;
                self
            }

            /// Sets the distribution of the initial bias (default: zeros).
            #[must_use]
            pub fn bias_initializer(mut self, initializer: Initializer) -> Self {
                self.filters.bias_initializer = initializer;
                self
            }

            /// Sets whether the layer has a bias (default: true).
            ///
            /// Before a normalization a bias is useless: subtracting the mean cancels it.
            #[must_use]
            pub fn bias(mut self, bias: bool) -> Self {
                self.filters.bias = bias;
                self
            }
        }

        impl<F: Scalar> LayerSpec<F> for $spec {
            type Layer = $layer<F>;

            /// Builds the layer for a sample of this shape, channels first.
            fn build(self, input: &[usize], random: &Random) -> Result<$layer<F>> {
                Ok($layer { filters: self.filters.build(input, random)? })
            }
        }

        impl<F: Scalar> Layer<F> for $layer<F> {
            const KIND: Kind = Kind::builtin($kind);
            /// The input.
            type Cache = Tensor<F>;

            fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
                self.filters.output_shape(input)
            }

            fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
                let (output, input) = self.filters.forward(input)?;
                recycle(input);
                Ok(output)
            }

            fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Tensor<F>)> {
                self.filters.forward(input)
            }

            fn backward(&mut self, input: Tensor<F>, grad: Tensor<F>) -> Result<Tensor<F>> {
                self.filters.backward(input, grad, true)
            }

            /// Computes two of the three products.
            fn backward_params(&mut self, input: Tensor<F>, grad: Tensor<F>) -> Result<()> {
                self.filters.backward(input, grad, false).map(recycle)
            }

            /// The outputs are any real numbers.
            fn output_activation(&self, _: OutputActivation) -> OutputActivation {
                OutputActivation::Linear
            }

            fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
                self.filters.visit(visit);
            }

            fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
                self.filters.visit_mut(visit);
            }
        }
    };
}
pub(super) use convolution_layer;
