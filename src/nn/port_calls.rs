//! Calls of layers with several inputs and outputs, for their authors and for loops of one's own.
//!
//! The functions that begin with `first_` are the methods of such a layer for one input and one output: in a row of
//! layers, it gets its first input and returns its first output.

use super::layer::Layer;
use super::ports::{Io, PortGradients, Ports};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::Tensor;

/// Runs inference of a layer with several ports, and returns its outputs. `None` is an optional input that is left out.
///
/// ```
/// use plywood::nn::infer_ports;
/// use plywood::prelude::*;
///
/// let outputs = infer_ports::<f32, _>(&ReLU, vec![Some(Tensor::from_elem(vec![1, 2], -1.0))])?;
/// assert_eq!(outputs, [Tensor::<f32>::zeros(vec![1, 2])]); // a layer of one input and one output, too
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// # Errors
/// If a required input is missing, the layer returns an error, or it leaves an output out.
pub fn infer_ports<F: Scalar, L: Layer<F>>(
    layer: &L,
    mut inputs: Vec<Option<Tensor<F>>>,
) -> Result<Vec<Tensor<F>>> {
    let ports = layer.ports();
    ports.check(&inputs)?;
    let mut outputs = ports.outputs().iter().map(|_| None).collect::<Vec<_>>();
    let wanted = vec![true; outputs.len()];
    layer.forward_ports(&mut Io::new(ports, &mut inputs, &mut outputs, &wanted, false))?;
    all(ports, outputs)
}

/// Runs the forward pass with a cache of a layer with several ports, in training or in inference mode
/// ([`Layer::forward_eval`]). Returns its outputs and the cache.
///
/// # Errors
/// As [`infer_ports`].
pub fn train_ports<F: Scalar, L: Layer<F>>(
    layer: &mut L,
    mut inputs: Vec<Option<Tensor<F>>>,
    training: bool,
) -> Result<(Vec<Tensor<F>>, L::Cache)> {
    let ports = layer.ports();
    ports.check(&inputs)?;
    let mut outputs = ports.outputs().iter().map(|_| None).collect::<Vec<_>>();
    let wanted = vec![true; outputs.len()];
    let cache =
        layer.forward_train_ports(&mut Io::new(ports, &mut inputs, &mut outputs, &wanted, training))?;
    Ok((all(ports, outputs)?, cache))
}

/// Runs the backward pass of a layer with several ports: takes the gradients at the outputs, adds to those of the
/// parameters, and returns those at the inputs. `None` is an output on which the loss does not depend, and an input
/// without a gradient, such as ids.
///
/// # Errors
/// If a gradient has another shape than its output, or the layer returns an error.
pub fn backward_ports<F: Scalar, L: Layer<F>>(
    layer: &mut L,
    cache: L::Cache,
    mut gradients: Vec<Option<Tensor<F>>>,
) -> Result<Vec<Option<Tensor<F>>>> {
    let mut inputs = (0..layer.ports().input_count()).map(|_| None).collect::<Vec<_>>();
    let wanted = vec![true; inputs.len()];
    let mut ports = PortGradients::new(&mut gradients, &mut inputs, &wanted);
    layer.backward_ports(cache, &mut ports)?;
    Ok(inputs)
}

/// Returns the outputs, all of which must be there.
fn all<F: Scalar>(ports: Ports, outputs: Vec<Option<Tensor<F>>>) -> Result<Vec<Tensor<F>>> {
    let outputs = outputs.into_iter().zip(ports.outputs());
    let outputs = outputs.map(|(output, name)| {
        output.ok_or_else(|| {
            Error::data(format!("the output {name:?}"), "be put by the layer", "none")
                .help("Call `put` for each output that `wants` asks for.")
        })
    });
    outputs.collect()
}

/// The error of a layer without any output.
fn no_output() -> Error {
    Error::custom("the layer must have an output, got none").help("`Layer::ports` names at least one.")
}

/// The shapes of the inputs when only the first is given.
fn only_first(ports: Ports, input: &[usize]) -> Vec<Option<&[usize]>> {
    (0..ports.input_count()).map(|i| (i == 0).then_some(input)).collect()
}

/// The tensors of the inputs when only the first is given.
fn first_alone<F: Scalar>(ports: Ports, input: Tensor<F>) -> Vec<Option<Tensor<F>>> {
    let mut input = Some(input);
    (0..ports.input_count()).map(|_| input.take()).collect()
}

/// [`Layer::output_shape`] of a layer with several ports: the shape of its first output, for its first input alone.
///
/// # Errors
/// As [`Layer::output_shapes`], and if the layer needs another input.
pub fn first_output_shape<F: Scalar, L: Layer<F>>(layer: &L, input: &[usize]) -> Result<Vec<usize>> {
    let ports = layer.ports();
    let inputs = only_first(ports, input);
    ports.check(&inputs)?;
    let shapes = layer.output_shapes(&inputs)?;
    shapes.into_iter().next().ok_or_else(no_output)
}

/// [`Layer::forward`] of a layer with several ports: its first output, for its first input alone.
///
/// # Errors
/// As [`infer_ports`].
pub fn first_output<F: Scalar, L: Layer<F>>(layer: &L, input: Tensor<F>) -> Result<Tensor<F>> {
    let inputs = first_alone(layer.ports(), input);
    infer_ports(layer, inputs)?.into_iter().next().ok_or_else(no_output)
}

/// [`Layer::forward_train`] of a layer with several ports, and [`Layer::forward_eval`] if `training` is false.
///
/// # Errors
/// As [`infer_ports`].
pub fn first_output_train<F: Scalar, L: Layer<F>>(
    layer: &mut L,
    input: Tensor<F>,
    training: bool,
) -> Result<(Tensor<F>, L::Cache)> {
    let inputs = first_alone(layer.ports(), input);
    let (outputs, cache) = train_ports(layer, inputs, training)?;
    Ok((outputs.into_iter().next().ok_or_else(no_output)?, cache))
}

/// [`Layer::backward`] of a layer with several ports: the gradient at its first input, from that at its first output.
///
/// # Errors
/// As [`backward_ports`].
pub fn first_input_gradient<F: Scalar, L: Layer<F>>(
    layer: &mut L,
    cache: L::Cache,
    gradient: Tensor<F>,
) -> Result<Tensor<F>> {
    let mut gradient = Some(gradient);
    let gradients = layer.ports().outputs().iter().map(|_| gradient.take()).collect();
    let inputs = backward_ports(layer, cache, gradients)?;
    inputs.into_iter().next().flatten().ok_or_else(|| {
        Error::custom("a layer must put the gradient at its first input, got none")
            .help("Put zeros in the input's shape where there is no gradient.")
    })
}
