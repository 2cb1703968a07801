//! What [`Conv2d`](crate::nn::Conv2d) and [`Conv1d`](crate::nn::Conv1d) have in common: filters, and how they are made.
//!
//! A sequence is an image with one row, so the one-dimensional layer runs the passes of `convolution/` with a window
//! of one row. The number of axes is a constant of the type: each layer's file and fields are its own, and there is
//! one implementation, to which `convolution_layer!` hands their methods on. What differs are the shapes: of the weight,
//! which has PyTorch's, and of the input.

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

/// The parameters of a convolution over `AXES` axes, and how the window moves.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) struct Filters<F: Scalar, const AXES: usize> {
    /// `[filters, channels / groups, window…]`.
    pub weight: Param<F>,
    /// `[filters]`.
    pub bias: Option<Param<F>>,
    /// Into how many parts channels and filters are divided.
    groups: usize,
    /// With a size of one row for a sequence.
    window: Window,
}

impl<F: Scalar, const AXES: usize> Filters<F, AXES> {
    /// The convolution of a sample of this shape, which is checked against the weight.
    ///
    /// Asked in every pass: an input may have another size than the layer was built with, as long as it has as many
    /// channels; and a file may hold a weight and a window that do not fit.
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

    /// Without the batch axis.
    pub fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(output::<AXES>(&self.over(input)?))
    }

    /// The convolution of a batch of this shape, and the shape of what comes out.
    fn of_batch(&self, input: &[usize]) -> Result<(Convolution, Vec<usize>)> {
        let (samples, sample) = window::batch(input)?;
        let convolution = self.over(sample)?;
        let mut shape = output::<AXES>(&convolution);
        shape.insert(0, samples);
        window::numbers("the output", &shape)?;
        Ok((convolution, shape))
    }

    /// The output; and the input in row-major order, to be kept or recycled.
    pub fn forward(&self, input: Tensor<F>) -> Result<(Tensor<F>, Tensor<F>)> {
        let (convolution, shape) = self.of_batch(input.shape())?;
        let (input, mut output) = (standard(input), scratch(&shape));
        let bias = self.bias.as_ref().map(Param::as_slice);
        convolution.forward(slice(&input), self.weight.as_slice(), bias, slice_mut(&mut output));
        Ok((output, input))
    }

    /// The parameters' gradients; and the input's, in the buffer of the input, where it is wanted.
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

    /// By PyTorch's names.
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

/// A sample as an image: a sequence has one row.
fn image<const AXES: usize>(sample: &[usize]) -> Result<[usize; 3]> {
    if AXES == 1 {
        window::sequence(sample).map(|[channels, length]| [channels, 1, length])
    } else {
        window::image(sample)
    }
}

/// The shape of a sample's output: without the one row where it is a sequence.
fn output<const AXES: usize>(convolution: &Convolution) -> Vec<usize> {
    let [filters, rows, columns] = convolution.output();
    if AXES == 1 { vec![filters, columns] } else { vec![filters, rows, columns] }
}

/// How many filters there are to be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Count {
    /// So many.
    Of(usize),
    /// So many for each channel, which they read alone.
    EachChannel(usize),
}

/// What filters are made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct FiltersSpec {
    /// How many filters.
    pub count: Count,
    /// Not looked at where the count is by channels.
    pub groups: usize,
    /// Its size, and how it moves.
    pub window: Window,
    /// Of the weight.
    pub initializer: Initializer,
    /// Whether there is to be a bias.
    pub bias: bool,
    /// Of the bias.
    pub bias_initializer: Initializer,
}

impl FiltersSpec {
    /// With Keras' initial values, and with a bias.
    pub fn new(count: Count, window: Window) -> Self {
        let (initializer, bias_initializer) = (Initializer::GlorotUniform, Initializer::Zeros);
        Self { count, groups: 1, window, initializer, bias: true, bias_initializer }
    }

    /// Filters for samples of this shape.
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
        // Checks every number before anything is as large as they say.
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

/// What [`Conv1d`](crate::nn::Conv1d) and [`Conv2d`](crate::nn::Conv2d) hand on to their filters: the layer, and the settings
/// of its spec that do not depend on the number of axes. The documentation given is that of `groups`.
macro_rules! convolution_layer {
    ($layer:ident, $spec:ident, $kind:literal; $(#[$groups:meta])*) => {
        impl<F: Scalar> $layer<F> {
            /// The weight, `[filters, channels / groups, window…]`.
            pub fn weight(&self) -> &Param<F> {
                &self.filters.weight
            }

            /// The bias, `[filters]`, unless the layer was built without.
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

            /// How far the input is extended with zeros: see [`Padding`].
            ///
            /// `Padding::Same`, `Padding::Valid`, or numbers: `.padding(1)`. There is no padding by reflection or
            /// repetition, as PyTorch's `padding_mode` has.
            #[must_use]
            pub fn padding(mut self, padding: impl Into<Padding>) -> Self {
                self.filters.window.padding = padding.into();
                self
            }

            /// The distribution of the initial weight; its fans are channels or filters times the size of the window.
            #[must_use]
            pub fn initializer(mut self, initializer: Initializer) -> Self {
                self.filters.initializer = initializer;
                self
            }

            /// The distribution of the initial bias.
            #[must_use]
            pub fn bias_initializer(mut self, initializer: Initializer) -> Self {
                self.filters.bias_initializer = initializer;
                self
            }

            /// Whether there is a bias, as there is unless set.
            ///
            /// Before a normalization the mean that is subtracted would cancel it.
            #[must_use]
            pub fn bias(mut self, bias: bool) -> Self {
                self.filters.bias = bias;
                self
            }
        }

        impl<F: Scalar> LayerSpec<F> for $spec {
            type Layer = $layer<F>;

            /// For a sample of this shape, channels first.
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

            /// Two of the three products.
            fn backward_params(&mut self, input: Tensor<F>, grad: Tensor<F>) -> Result<()> {
                self.filters.backward(input, grad, false).map(recycle)
            }

            /// Any real numbers.
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
