//! The gradient of a loss at the input of a model.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::losses::Loss;
use crate::nn::inputs::slots;
use crate::nn::predict_parts::{infer_all, no_output};
use crate::nn::{Inputs, Model, several};
use crate::tensor::{Tensor, slice, standard};
use crate::train::compatibility::check_unknown;
use crate::train::objective::{Expected, Objective};
use crate::train::trainer::step;

/// Returns the gradient of the loss with respect to the input, in inference mode: dropout is off, batch normalization
/// takes its running statistics. The model is not changed.
///
/// ```text
/// row i of the result:  ∂ l(f(xᵢ), tᵢ) / ∂ xᵢ
/// ```
///
/// Each row is the gradient of its own sample's loss, not divided by the number of samples, so it does not depend on the
/// batch. It shows which inputs a prediction depends on (saliency: Simonyan, Vedaldi and Zisserman, "Deep inside
/// convolutional networks", 2014), and makes adversarial samples to test a model with (Goodfellow, Shlens and Szegedy,
/// "Explaining and harnessing adversarial examples", 2015):
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
/// use plywood::train::input_gradient;
///
/// let model = Sequential::builder([2]).seed(1).layer(Dense::units(8)).layer(Dropout::rate(0.5)).layer(Tanh)
///     .layer(Dense::units(2)).layer(Softmax).build()?;
/// let (x, labels) = (arr2(&[[0.5f32, -0.2], [0.1, 0.9]]).into_dyn(), [0, 1]);
/// let gradient = input_gradient(&model, &CrossEntropy::default(), x.clone(), &labels[..])?;
///
/// let moved = &x + &gradient.mapv(|g| 0.1 * g.signum()); // towards a higher loss
/// let (before, after) = (model.predict(&x)?, model.predict(&moved)?);
/// assert!((0..2).all(|i| after[[i, labels[i]]] < before[[i, labels[i]]]));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | argument | shape |
/// |---|---|
/// | `input` | `[batch, …]`, with the input shape of the model |
/// | `target` | the target type of the loss, for the same samples |
/// | result | that of `input` |
///
/// The model is copied in each call, and run twice forward: the outputs with a cache must be those of `predict`, so that
/// a custom layer without its own [`forward_eval`](crate::nn::Layer::forward_eval) is found and not differentiated as in
/// training. For the gradient of a single output there is [`Model::input_gradients`].
///
/// # Errors
/// If model, loss, input and targets do not fit each other, the input, the loss or the gradient is not finite, or a
/// layer's `forward_eval` does not compute what its `forward` computes.
pub fn input_gradient<F: Scalar, M: Model<F> + ?Sized, L: Loss<F>>(
    model: &M,
    loss: &L,
    input: Tensor<F>,
    target: &L::Target,
) -> Result<Tensor<F>> {
    let mut gradients = input_gradients(model, loss, input, target)?;
    gradients.pop().map(|(_, gradient)| gradient).filter(|_| gradients.is_empty()).ok_or_else(|| {
        several(model.as_infer(), "one input").help("Call `input_gradients`.").at("input_gradient")
    })
}

/// [`input_gradient`] of a model with any number of inputs and outputs: the gradients at the inputs, by name and in the
/// order of the model's.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
/// use plywood::train::input_gradients;
///
/// let g = Graph::builder();
/// let (a, b) = (g.input("a", [2]), g.input("b", [2]));
/// g.output("y", a * a + 3 * b);
/// let model = g.build()?;
/// let (a, b, zero) = (arr2(&[[1.0f32, 2.0]]), arr2(&[[0.0f32, 0.0]]), arr2(&[[0.0f32, 0.0]]).into_dyn());
/// let found = input_gradients(&model, &MeanSquaredError, Inputs::of("a", &a).and("b", &b), &zero)?;
/// assert_eq!(found[0].0, "a"); // (y² / 2)' = y · 2a, and y · 3
/// assert_eq!(found[0].1, arr2(&[[2.0, 16.0]]).into_dyn());
/// assert_eq!(found[1].1, arr2(&[[3.0, 12.0]]).into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// # Errors
/// As [`input_gradient`].
pub fn input_gradients<'a, F: Scalar, M: Model<F> + ?Sized, L: Loss<F>>(
    model: &M,
    loss: &L,
    inputs: impl Into<Inputs<'a, F>>,
    target: &L::Target,
) -> Result<Vec<(String, Tensor<F>)>> {
    let mut model = model.boxed();
    of_copy(&mut *model, loss, inputs.into(), target).map_err(|error| error.at("input_gradient"))
}

/// [`input_gradients`] of a model whose parameters may be frozen.
fn of_copy<F: Scalar, L: Loss<F>>(
    model: &mut dyn Model<F>,
    loss: &L,
    inputs: Inputs<'_, F>,
    target: &L::Target,
) -> Result<Vec<(String, Tensor<F>)>> {
    let objective = Objective::new(model.as_infer(), loss)?;
    let mut inputs = step::checked_inputs(model.as_infer(), inputs)?;
    objective.check_target(model.as_infer(), target)?;
    model.each_param_mut(&mut |_, param| param.freeze());
    let shapes: Vec<_> = inputs.iter().flatten().map(|input| input.raw_dim()).collect();
    let expected = infer_all(model.as_infer(), inputs.clone(), &objective.logits)?;
    let mut outputs = slots(objective.logits.len());
    let cache = model.eval(&mut inputs, &objective.logits, &mut outputs)?;
    let mut gradients = slots(outputs.len());
    for part in &objective.parts {
        let at = part.output;
        let output = standard(outputs[at].take().ok_or_else(no_output)?);
        check_same(&output, &standard(expected[at].clone().ok_or_else(no_output)?))?;
        check_unknown(model.as_infer(), part, &output)?;
        let (value, gradient) = part.value_and_grad(output, Expected { target, weights: None }, 1.0)?;
        if !value.sum.is_finite() {
            let what = model.non_finite_parameter().unwrap_or_else(|| "the loss".to_owned());
            return Err(Error::data(what, "be finite", "NaN or infinity")
                .help("Look at what the model predicts for these samples, and at how it was trained."));
        }
        gradients[at] = Some(gradient).filter(|_| part.weight > 0.0);
    }
    let mut places = slots(model.inputs().len());
    model.input_gradients(cache, &mut gradients, &mut places)?;
    let mut found = Vec::new();
    for (port, (gradient, input)) in model.inputs().iter().zip(places.into_iter().zip(shapes)) {
        let gradient = gradient.unwrap_or_else(|| Tensor::zeros(input));
        if !gradient.iter().all(|g| g.is_finite()) {
            return Err(Error::data("the gradient at the input", "be finite", "NaN or infinity")
                .help("The loss or a layer is too steep there: look at the weights, or scale the inputs."));
        }
        found.push((port.name().to_owned(), gradient));
    }
    Ok(found)
}

/// Checks that the outputs with a cache are those of inference.
fn check_same<F: Scalar>(found: &Tensor<F>, expected: &Tensor<F>) -> Result<()> {
    let close = |a: F, b: F| {
        a == b
            || (a - b).abs() <= F::epsilon() * F::of(1024.0) * (F::one() + b.abs())
            || a.is_nan() && b.is_nan()
    };
    let same = found.shape() == expected.shape()
        && slice(found).iter().zip(slice(expected)).all(|(&a, &b)| close(a, b));
    if same {
        return Ok(());
    }
    Err(Error::data("the outputs of the model in a pass with a cache", "be those of `predict`", "others").help(
        "A custom layer that does something else in training needs its own `forward_eval`, and a container passes it on \
         to its parts; `check_layer` finds which.",
    ))
}
