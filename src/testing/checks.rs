//! The checks of [`LayerCheck`].

use super::differences::{
    at_input, central, chosen, compare, gradients_of, move_parameters, names, random_tensor, same, same_bits,
    trained, value_of, weighted,
};
use super::{BATCH, CheckReport, Exemption, LayerCheck, Load};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::erased::{ErasedLayer, Mode};
use crate::nn::{Layer, OutputActivation, Sigmoid, Softmax, WithoutActivation};
use crate::random::{Random, RandomStream};
use crate::tensor::{Tensor, owned, slice, standard};
use ndarray::Axis;

impl<F: Scalar> LayerCheck<F> {
    /// The order follows the dependencies: names, shapes, values, gradients, saving. Layers are type-erased from here
    /// on, so that the checks are compiled only once.
    pub(super) fn run_checks(
        &self,
        layer: &mut dyn ErasedLayer<F>,
        random: &Random,
        load: Load<F>,
    ) -> Result<CheckReport> {
        let mut draws = random.child("inputs").at(0, 0);
        let x = match &self.inputs {
            Some(inputs) => standard(inputs.clone()),
            None => random_tensor(&[&[BATCH], &self.shape[..]].concat(), &mut draws),
        };
        if x.ndim() == 0 {
            return Err(Error::shape("the inputs", "[batch, …]", x.shape()).help("Axis 0 is the batch."));
        }
        let mut report =
            CheckReport { label: format!("layer {:?}", layer.erased_label()), lines: Vec::new() };

        names(layer)?;
        report.passed("parameters have one name each, in one order");
        move_parameters(layer, &mut draws);
        // Moves the buffers away from their initial values too.
        layer.erased_forward_in(Mode::Train, x.clone(), &mut None)?;

        let y = self.outputs(layer, &x, &mut report)?;
        self.gradients(layer, &x, &mut draws, &mut report)?;
        check_activation(layer, &x, &y, &mut draws, &mut report)?;
        self.eval(layer, (&x, &y), &mut draws, &mut report)?;
        let bytes = layer.erased_encode()?;
        let loaded = self.loaded(&bytes, load)?;
        same_bits(&standard(loaded.erased_forward(x)?), &y)?;
        report.passed("saved and loaded, its outputs have the same bits");
        Ok(report)
    }

    /// Returns the outputs of inference, and checks their shapes and that training, single samples and a view give the
    /// same.
    fn outputs(
        &self,
        layer: &dyn ErasedLayer<F>,
        x: &Tensor<F>,
        report: &mut CheckReport,
    ) -> Result<Tensor<F>> {
        let shape = layer.erased_output_shape(&self.shape)?;
        let y = standard(layer.erased_forward(x.clone())?);
        for rows in [x.len_of(Axis(0)), 1] {
            let part = x.slice_axis(Axis(0), (..rows).into()).to_owned();
            let found = layer.erased_forward(part)?;
            let expected = [&[rows], &shape[..]].concat();
            if found.shape() != expected {
                return Err(Error::shape("the output", format!("{expected:?}"), found.shape())
                    .help("`output_shape` and `forward` must agree."));
            }
        }
        report.passed("outputs have the shape that output_shape says");

        if self.is_exempt(Exemption::TrainingDiffers) {
            report.skipped("training has the same outputs as inference", Exemption::TrainingDiffers);
        } else {
            let (trained, _) = trained(layer, x.clone())?;
            same("the output in training", &standard(trained), &y)?;
            report.passed("training has the same outputs as inference");
        }

        for i in 0..x.len_of(Axis(0)) {
            let one = x.slice_axis(Axis(0), (i..=i).into()).to_owned();
            let alone = standard(layer.erased_forward(one)?);
            let in_batch = y.slice_axis(Axis(0), (i..=i).into()).to_owned();
            same(&format!("the output of sample {i} alone"), &alone, &standard(in_batch))?;
        }
        let viewed = owned(layer.erased_forward_cow(x.view().into())?);
        same("the output of a view", &standard(viewed), &y)?;
        report.passed("a batch has the outputs of its samples one by one, and of the same batch as a view");
        Ok(y)
    }

    /// `dx` and the parameters' gradients come from one backward pass of `layer` itself; the differences that they are
    /// compared with come from clones, so that a layer's state (the step of a mask) is the same in each.
    fn gradients(
        &self,
        layer: &mut dyn ErasedLayer<F>,
        x: &Tensor<F>,
        draws: &mut RandomStream,
        report: &mut CheckReport,
    ) -> Result<()> {
        let (y, mut cache) = trained(layer, x.clone())?;
        // The loss whose gradient is checked: a random combination of the outputs.
        let weights: Tensor<F> = random_tensor(y.shape(), draws);
        let loss = |layer: &dyn ErasedLayer<F>, x: Tensor<F>| -> Result<f64> {
            let (y, _) = trained(layer, x)?;
            Ok(weighted(&standard(y), &weights))
        };
        layer.erased_visit_mut(&mut |_, param| param.clear_gradient());
        // This pass has the same state as the passes it is compared with: a clone ran the forward pass above.
        let dx = standard(layer.erased_backward(&mut cache, weights.clone())?);

        if dx.shape() != x.shape() {
            return Err(Error::shape("the input's gradient", format!("{:?}", x.shape()), dx.shape())
                .help("`backward` returns the gradient in the input's shape, zeros where there is none."));
        }
        if self.is_exempt(Exemption::InputGradient) {
            report.skipped("the gradient at the input", Exemption::InputGradient);
        } else {
            at_input("the input", x, &dx, draws, |x| loss(layer, x))?;
            report.passed("the gradient at the input agrees with finite differences");
        }

        let first = gradients_of(layer);
        for (name, gradient) in &first {
            for i in chosen(gradient.len(), draws) {
                let mut moved = layer.erased_clone();
                let difference = central(value_of(layer, name, i), |v| {
                    moved.erased_visit_mut(&mut |other, param| {
                        if other == name {
                            param.as_slice_mut()[i] = v;
                        }
                    });
                    loss(&*moved, x.clone())
                })?;
                compare::<F>(&format!("the gradient at number {i} of {name:?}"), gradient[i], difference)?;
            }
        }
        if !first.is_empty() {
            report.passed("the gradients of the parameters agree with finite differences");
            self.sums(layer, x, &weights, &first)?;
            report.passed("gradients add up, and backward_params makes the same");
        }
        layer.erased_visit_mut(&mut |_, param| param.clear_gradient());
        Ok(())
    }

    /// Checks `forward_eval`: its outputs are those of inference, it leaves the layer as it is, and the gradient at the
    /// input from its cache is that of inference.
    fn eval(
        &self,
        layer: &dyn ErasedLayer<F>,
        (x, y): (&Tensor<F>, &Tensor<F>),
        draws: &mut RandomStream,
        report: &mut CheckReport,
    ) -> Result<()> {
        let (mut own, mut cache) = (layer.erased_clone(), None);
        let found = standard(own.erased_forward_in(Mode::Eval, x.clone(), &mut cache)?);
        same("the output of `forward_eval`", &found, y).map_err(|error| {
            error.help("It computes what `forward` computes: write it beside `forward_train`, and in a container call that of each part.")
        })?;
        if own.erased_encode()? != layer.erased_encode()? {
            return Err(Error::custom("`forward_eval` must leave the layer as it is, got another state")
                .help("It updates no statistics and counts no steps: write it beside `forward_train`."));
        }
        report.passed("forward_eval has the outputs of inference, and leaves the layer as it is");
        if self.is_exempt(Exemption::InputGradient) {
            return Ok(());
        }
        let weights: Tensor<F> = random_tensor(y.shape(), draws);
        let dx = standard(own.erased_backward(&mut cache, weights.clone())?);
        if self.is_exempt(Exemption::TrainingDiffers) {
            at_input("the input at inference", x, &dx, draws, |x| {
                Ok(weighted(&standard(layer.erased_forward(x)?), &weights))
            })?;
            report.passed("the gradient at the input at inference agrees with finite differences");
        } else {
            let (mut trained, mut cache) = (layer.erased_clone(), None);
            trained.erased_forward_in(Mode::Train, x.clone(), &mut cache)?;
            same(
                "the input's gradient at inference",
                &dx,
                &standard(trained.erased_backward(&mut cache, weights)?),
            )?;
            report.passed("the gradient at the input at inference is that of training");
        }
        Ok(())
    }

    /// Checks that a second backward pass doubles the gradients, and that `backward_params` computes the same ones.
    fn sums(
        &self,
        layer: &dyn ErasedLayer<F>,
        x: &Tensor<F>,
        weights: &Tensor<F>,
        first: &[(String, Vec<f64>)],
    ) -> Result<()> {
        let mut twice = layer.erased_clone();
        let (_, mut cache) = trained(layer, x.clone())?;
        twice.erased_backward(&mut cache, weights.clone())?;
        let mut params = layer.erased_clone();
        params.erased_visit_mut(&mut |_, param| param.clear_gradient());
        let (_, mut cache) = trained(layer, x.clone())?;
        params.erased_backward_params(&mut cache, weights.clone())?;
        for (other, factor, what) in [(twice, 2.0, "two backward passes"), (params, 1.0, "backward_params")] {
            same_gradients::<F>(what, &*other, factor, first)?;
        }
        Ok(())
    }
}

/// Checks the layer without its activation: applying the activation must give the same outputs and gradients.
fn check_activation<F: Scalar>(
    layer: &dyn ErasedLayer<F>,
    x: &Tensor<F>,
    y: &Tensor<F>,
    draws: &mut RandomStream,
    report: &mut CheckReport,
) -> Result<()> {
    let activation = layer.erased_activation();
    let without = match activation.can_be_fused() {
        true => layer.erased_without_activation(),
        false => WithoutActivation::Unsaid,
    };
    let logits = match without {
        WithoutActivation::Unsaid => return check_range(activation, y),
        WithoutActivation::Nothing => x.clone(),
        WithoutActivation::Rest => layer.erased_forward_logits(x.clone())?,
    };
    same("the output of an activation", y, &activation.apply(logits))?;
    report.passed("it computes the activation it says it is");
    if without == WithoutActivation::Nothing {
        return Ok(());
    }
    let (mut whole, mut rest) = (layer.erased_clone(), layer.erased_clone());
    let (mut cache, mut cache_of_rest) = (None, None);
    let y = standard(whole.erased_forward_in(Mode::Train, x.clone(), &mut cache)?);
    let z = rest.erased_forward_logits_in(Mode::Train, x.clone(), &mut cache_of_rest)?;
    same("the output of an activation in training", &y, &activation.apply(z))?;
    let grad: Tensor<F> = random_tensor(y.shape(), draws);
    let dz = match activation {
        OutputActivation::Softmax => Softmax.backward(y, grad.clone())?,
        _ => Sigmoid.backward(y, grad.clone())?,
    };
    let mut still = layer.erased_clone();
    let found = still.erased_forward_logits_in(Mode::Eval, x.clone(), &mut None)?;
    same(
        "the logits of `forward_eval_logits`",
        &standard(found),
        &standard(layer.erased_forward_logits(x.clone())?),
    )?;
    if still.erased_encode()? != layer.erased_encode()? {
        return Err(Error::custom("`forward_eval_logits` must leave the layer as it is, got another state")
            .help("It updates no statistics and counts no steps."));
    }
    let dx = standard(whole.erased_backward(&mut cache, grad)?);
    let found = standard(rest.erased_backward(&mut cache_of_rest, dz)?);
    same("the input's gradient from the logits", &found, &dx)?;
    same_gradients::<F>("the logits", &*rest, 1.0, &gradients_of(&*whole))?;
    report.passed("from the logits it makes the same gradients");
    Ok(())
}

/// Checks that the outputs are possible values of softmax or the sigmoid, if the layer says it computes one of them.
fn check_range<F: Scalar>(activation: OutputActivation, y: &Tensor<F>) -> Result<()> {
    let columns = y.shape().last().copied().unwrap_or(1).max(1);
    for row in slice(y).chunks(columns).filter(|_| activation.can_be_fused()) {
        let sum: f64 = row.iter().map(|y| y.as_f64()).sum();
        let found = match row.iter().find(|&&y| !(F::zero() <= y && y <= F::one())) {
            Some(y) => format!("the number {y}"),
            None if activation == OutputActivation::Softmax && (sum - 1.0).abs() > 1e-3 => {
                format!("a row with the sum {sum:.4}")
            }
            None => continue,
        };
        let expected = format!("be those of {activation:?}, as `activation` returns");
        return Err(Error::data("the outputs", expected, found)
            .help("Leave `activation` out, unless the outputs come from this function."));
    }
    Ok(())
}

/// Checks that a layer's gradients are `factor` times the expected ones.
fn same_gradients<F: Scalar>(
    what: &str,
    layer: &dyn ErasedLayer<F>,
    factor: f64,
    expected: &[(String, Vec<f64>)],
) -> Result<()> {
    for ((name, found), (_, one)) in gradients_of(layer).iter().zip(expected) {
        for (found, one) in found.iter().zip(one) {
            if (found - factor * one).abs() > F::epsilon().as_f64() * 100.0 * one.abs().max(1.0) {
                let text = format!("the gradient of {name:?} from {what}");
                return Err(Error::data(text, format!("be {}", factor * one), found)
                    .help("Add to a gradient with `Param::add_gradient`; never set it."));
            }
        }
    }
    Ok(())
}
