//! Calls of layers with several inputs and outputs, for their authors and for loops of one's own.
//!
//! The functions that begin with `first_` are the methods of such a layer for one input and one output: in a row of
//! layers, it gets its first input and returns its first output.

use super::io::{Io, PortGradients};
use super::layer::Layer;
use super::ports::Ports;
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
    ports.all(outputs)
}

/// Runs the forward pass with a cache of a layer with several ports, in training or in inference mode
/// ([`Layer::forward_eval`]). Returns its outputs and the cache.
///
/// ```
/// use plywood::nn::{backward_ports, train_ports};
/// use plywood::prelude::*;
///
/// let x = || Some(Tensor::<f64>::from_elem(vec![1, 2], 3.0));
/// let mut layer = ReLU;
/// let (outputs, cache) = train_ports(&mut layer, vec![x()], true)?;
/// assert_eq!(outputs[0][[0, 1]], 3.0);
/// let gradients = backward_ports(&mut layer, cache, vec![x()])?; // those at the outputs, and back those at the inputs
/// assert_eq!(gradients, [x()]);
/// # Ok::<(), plywood::Error>(())
/// ```
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
    Ok((ports.all(outputs)?, cache))
}

/// Runs the backward pass of a layer with several ports: takes the gradients at the outputs, adds to those of the
/// parameters, and returns those at the inputs. `None` is an output on which the loss does not depend, and an input
/// without a gradient, such as ids.
///
/// # Errors
/// If there is not a gradient or `None` for each output, or the layer returns an error: its gradients have the shapes of
/// its outputs, `[batch, …]`.
pub fn backward_ports<F: Scalar, L: Layer<F>>(
    layer: &mut L,
    cache: L::Cache,
    mut gradients: Vec<Option<Tensor<F>>>,
) -> Result<Vec<Option<Tensor<F>>>> {
    let outputs = layer.ports().outputs();
    if gradients.len() != outputs.len() {
        let expected = format!("be {}, one for each of {outputs:?}", outputs.len());
        return Err(Error::data("the number of gradients", expected, gradients.len())
            .help("Give `None` for an output on which the loss does not depend."));
    }
    let mut inputs = (0..layer.ports().input_count()).map(|_| None).collect::<Vec<_>>();
    let wanted = vec![true; inputs.len()];
    let mut ports = PortGradients::new(&mut gradients, &mut inputs, &wanted);
    layer.backward_ports(cache, &mut ports)?;
    Ok(inputs)
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
    inputs.into_iter().next().flatten().ok_or_else(|| layer.ports().missing_gradient())
}
