//! The checks of layers with several inputs and outputs.

use super::differences::{
    at_input, central, chosen, compare, gradients_of, move_parameters, names, random_tensor, same, same_bits,
    value_of, weighted,
};
use super::{BATCH, CheckReport, Exemption, LayerCheck, Load};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::erased::{CacheSlot, ErasedLayer, Mode};
use crate::nn::{Io, PortGradients, Ports};
use crate::random::{Random, RandomStream};
use crate::tensor::{Tensor, standard};
use ndarray::Axis;

/// The tensors of one batch, `None` for an optional input that is left out.
pub(super) type Inputs<F> = Vec<Option<Tensor<F>>>;

impl<F: Scalar> LayerCheck<F> {
    /// Runs all checks, once with all inputs and once with only those that are required.
    pub(super) fn run_port_checks(
        &self,
        layer: &mut dyn ErasedLayer<F>,
        random: &Random,
        load: Load<F>,
    ) -> Result<CheckReport> {
        let mut draws = random.child("inputs").at(0, 0);
        let mut report =
            CheckReport { label: format!("layer {:?}", layer.erased_label()), lines: Vec::new() };
        names(layer)?;
        report.passed("parameters have one name each, in one order");
        move_parameters(layer, &mut draws);
        let all = self.tensors(layer, &mut draws)?;
        let required: Inputs<F> = layer
            .erased_ports()
            .inputs()
            .zip(&all)
            .map(|((_, required), x)| x.clone().filter(|_| required))
            .collect();
        // Moves the buffers away from their initial values.
        forward_train(&mut *layer.erased_clone(), &all, true)?;
        let first = required.clone();
        let optional = all.iter().zip(&required).any(|(a, b)| a.is_some() != b.is_some());
        let patterns = [("with all inputs", all), ("with the required inputs alone", required)];
        for (what, inputs) in patterns.into_iter().take(1 + usize::from(optional)) {
            let lines = self.port_pattern(layer, &inputs, &mut draws, load);
            for line in lines.map_err(|error| error.at(what))? {
                report.passed(&format!("{what}, {line}"));
            }
        }
        if layer.erased_ports().inputs().filter(|(_, required)| *required).count() == 1 {
            self.row_of_layers(layer, &first)?;
            report.passed("in a row of layers it hands on its first output");
        }
        for name in &self.without_gradient {
            report.lines.push(format!("not checked  the gradient at {name:?} (declared: without_gradient)"));
        }
        if self.is_exempt(Exemption::TrainingDiffers) {
            report.skipped("training has the same outputs as inference", Exemption::TrainingDiffers);
        }
        Ok(report)
    }

    /// Refuses ports without an input or an output, or with a name twice, and names that are not those of the layer's
    /// inputs after the first.
    pub(super) fn check_names(&self, ports: Ports) -> Result<()> {
        let known: Vec<&str> = ports.inputs().map(|(name, _)| name).collect();
        let twice = |names: &[&str]| names.iter().enumerate().any(|(i, name)| names[..i].contains(name));
        if known.is_empty() || ports.outputs().is_empty() || twice(&known) || twice(ports.outputs()) {
            let found = format!("{known:?} and {:?}", ports.outputs());
            let expected = "have at least one input and one output, each with a name of its own";
            return Err(
                Error::data("the ports of the layer", expected, found).help("Correct `Layer::ports`.")
            );
        }
        let others = self.ports.iter().map(|(name, ..)| (name, &known[1..]));
        let mut names = others.chain(self.without_gradient.iter().map(|name| (name, &known[..])));
        match names.find(|(name, known)| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, known)) => {
                let expected = format!("be one of the layer's, {known:?}");
                Err(Error::data("the name of an input of the check", expected, format!("{name:?}"))
                    .help("`Layer::ports` names them; `LayerCheck::new` sets the first."))
            }
        }
    }

    /// Returns the tensors of all inputs that are set, random ones by their shapes.
    pub(super) fn tensors(&self, layer: &dyn ErasedLayer<F>, draws: &mut RandomStream) -> Result<Inputs<F>> {
        let mut inputs = Vec::new();
        for (at, (name, _)) in layer.erased_ports().inputs().enumerate() {
            let other = self.ports.iter().find(|(known, ..)| known == name);
            let (shape, given) = match other {
                Some((_, shape, given)) => (Some(shape), given.as_ref()),
                None if at == 0 => (Some(&self.shape), self.inputs.as_ref()),
                None => (None, None),
            };
            let random = |shape: &Vec<usize>, draws: &mut RandomStream| {
                random_tensor(&[&[BATCH], &shape[..]].concat(), draws)
            };
            let given = given.map(|given| standard(given.clone()));
            inputs.push(given.or_else(|| shape.map(|shape| random(shape, draws))));
        }
        add_lengths(layer.erased_ports(), &mut inputs);
        layer.erased_ports().check(&inputs)?;
        layer.erased_output_shapes(&samples(&inputs))?;
        Ok(inputs)
    }

    /// Runs the checks with these inputs, and returns the lines of what passed.
    pub(super) fn port_pattern(
        &self,
        layer: &dyn ErasedLayer<F>,
        inputs: &Inputs<F>,
        draws: &mut RandomStream,
        load: Load<F>,
    ) -> Result<Vec<&'static str>> {
        let outputs = infer(layer, inputs)?;
        self.port_outputs(layer, inputs, &outputs)?;
        let mut lines = vec!["outputs have the shapes that output_shapes says, alone and in a batch"];
        if !self.is_exempt(Exemption::TrainingDiffers) {
            let (trained, _) = forward_train(&mut *layer.erased_clone(), inputs, true)?;
            same_all("in training", &trained, &outputs)?;
            lines.push("training has the same outputs as inference");
        }
        let mut still = layer.erased_clone();
        let (evaluated, _) = forward_train(&mut *still, inputs, false)?;
        same_all("in a pass with a cache that is no training", &evaluated, &outputs)?;
        if still.erased_encode()? != layer.erased_encode()? {
            return Err(Error::custom(
                "a pass that is no training must leave the layer as it is, got another state",
            )
            .help("Look at `Io::is_training`."));
        }
        lines.push("a pass with a cache that is no training is inference, and leaves the layer as it is");
        for training in [true, false] {
            self.port_gradients(layer, inputs, training, draws)?;
        }
        lines.push("the gradients at the inputs and of the parameters agree with finite differences");
        let bytes = layer.erased_encode()?;
        let loaded = self.loaded(&bytes, load)?;
        for (again, y) in infer(&*loaded, inputs)?.iter().zip(&outputs) {
            same_bits(again, y)?;
        }
        lines.push("saved and loaded, its outputs have the same bits");
        Ok(lines)
    }

    /// Checks the methods for one input and one output against those for several.
    fn row_of_layers(&self, layer: &dyn ErasedLayer<F>, inputs: &Inputs<F>) -> Result<()> {
        let Some(x) = inputs.first().and_then(Option::as_ref) else { return Ok(()) };
        let wrong = |error: Error| {
            error.help("The methods for one input and one output call `first_output` and its like; `forward_eval` is `first_output_train(self, input, false)`.")
        };
        let shape = layer.erased_output_shape(&x.shape()[1..])?;
        if Some(&shape) != layer.erased_output_shapes(&samples(inputs))?.first() {
            return Err(wrong(Error::shape("the first output", "that of `output_shapes`", &shape)));
        }
        let y = standard(layer.erased_forward(x.clone())?);
        same("`forward`", &y, &infer(layer, inputs)?[0]).map_err(wrong)?;
        for (mode, training) in [(Mode::Train, true), (Mode::Eval, false)] {
            let (mut one, mut several, mut slot) = (layer.erased_clone(), layer.erased_clone(), None);
            let found = standard(one.erased_forward_in(mode, x.clone(), &mut slot)?);
            let (outputs, mut other) = forward_train(&mut *several, inputs, training)?;
            same("the output of a pass with a cache", &found, &outputs[0]).map_err(wrong)?;
            let grad = Tensor::ones(y.raw_dim());
            let dx = standard(one.erased_backward(&mut slot, grad.clone())?);
            let mut gradients = vec![None; outputs.len()];
            gradients[0] = Some(grad);
            if let Some(expected) = &backward(&mut *several, &mut other, &gradients)?[0] {
                same("the gradient of `backward`", &dx, expected).map_err(wrong)?;
            }
        }
        Ok(())
    }

    /// Checks the shapes of the outputs, and those of each sample alone.
    fn port_outputs(
        &self,
        layer: &dyn ErasedLayer<F>,
        inputs: &Inputs<F>,
        outputs: &[Tensor<F>],
    ) -> Result<()> {
        let shapes = layer.erased_output_shapes(&samples(inputs))?;
        let rows = inputs.iter().flatten().next().map_or(0, |x| x.len_of(Axis(0)));
        let names = layer.erased_ports().outputs();
        if shapes.len() != names.len() {
            let expected = format!("be {}, one for each of {names:?}", names.len());
            return Err(Error::data("the number of shapes from `output_shapes`", expected, shapes.len())
                .help("`ports` and `output_shapes` must agree."));
        }
        for ((name, shape), y) in names.iter().zip(&shapes).zip(outputs) {
            let expected = [&[rows], &shape[..]].concat();
            if y.shape() != expected {
                return Err(Error::shape(format!("the output {name:?}"), format!("{expected:?}"), y.shape())
                    .help("`output_shapes` and `forward_ports` must agree."));
            }
        }
        for row in 0..rows {
            let part = |x: &Tensor<F>| x.slice_axis(Axis(0), (row..=row).into()).to_owned();
            let alone = infer(layer, &inputs.iter().map(|x| x.as_ref().map(part)).collect())?;
            let in_batch: Vec<Tensor<F>> = outputs.iter().map(|y| standard(part(y))).collect();
            same_all(&format!("of sample {row} alone"), &alone, &in_batch)?;
        }
        Ok(())
    }

    /// Compares the gradients of a loss of all outputs, and of each output alone, with finite differences.
    fn port_gradients(
        &self,
        layer: &dyn ErasedLayer<F>,
        inputs: &Inputs<F>,
        training: bool,
        draws: &mut RandomStream,
    ) -> Result<()> {
        let names = layer.erased_ports().outputs();
        let shapes: Vec<Vec<usize>> = infer(layer, inputs)?.iter().map(|y| y.shape().to_vec()).collect();
        let alone = if names.len() > 1 { names.len() } else { 0 };
        for only in std::iter::once(None).chain((0..alone).map(Some)) {
            let of = |(k, shape): (usize, &Vec<usize>)| {
                only.is_none_or(|only| only == k).then(|| random_tensor(shape, draws))
            };
            let weights: Inputs<F> = shapes.iter().enumerate().map(of).collect();
            let loss = |layer: &dyn ErasedLayer<F>, inputs: &Inputs<F>| -> Result<f64> {
                let (outputs, _) = forward_train(&mut *layer.erased_clone(), inputs, training)?;
                let pairs = outputs.iter().zip(&weights).filter_map(|(y, w)| Some((y, w.as_ref()?)));
                Ok(pairs.map(|(y, w)| weighted(y, w)).sum())
            };
            let check = Differences { check: self, layer, inputs, training, weights: &weights };
            let what =
                only.map_or_else(String::new, |only| format!(" from the output {:?} alone", names[only]));
            check.run(&loss, &what, draws)?;
        }
        Ok(())
    }
}

/// A comparison of gradients with differences.
struct Differences<'a, F: Scalar> {
    check: &'a LayerCheck<F>,
    layer: &'a dyn ErasedLayer<F>,
    inputs: &'a Inputs<F>,
    training: bool,
    /// The gradients at the outputs.
    weights: &'a Inputs<F>,
}

/// The loss of a layer for these inputs.
type Loss<'a, F> = dyn Fn(&dyn ErasedLayer<F>, &Inputs<F>) -> Result<f64> + 'a;

impl<F: Scalar> Differences<'_, F> {
    fn run(&self, loss: &Loss<'_, F>, what: &str, draws: &mut RandomStream) -> Result<()> {
        let mut own = self.layer.erased_clone();
        own.erased_visit_mut(&mut |_, param| param.clear_gradient());
        let (_, mut slot) = forward_train(&mut *own, self.inputs, self.training)?;
        let found = backward(&mut *own, &mut slot, self.weights)?;
        for (at, (name, _)) in self.layer.erased_ports().inputs().enumerate() {
            let Some(x) = &self.inputs[at] else { continue };
            let declared = self.check.without_gradient.iter().any(|known| known == name);
            if declared || self.layer.erased_ports().is_lengths(name) {
                continue;
            }
            let Some(dx) = &found[at] else {
                return Err(Error::data(format!("the gradient at the input {name:?}"), "be put", "none").help(
                    "Put zeros where there is none; an input of ids is declared by `LayerCheck::without_gradient`.",
                ));
            };
            if dx.shape() != x.shape() {
                let expected = format!("{:?}", x.shape());
                return Err(Error::shape(
                    format!("the gradient at the input {name:?}"),
                    expected,
                    dx.shape(),
                )
                .help("A gradient has the shape of its input."));
            }
            let moved = |x: Tensor<F>| {
                let mut inputs = self.inputs.clone();
                inputs[at] = Some(x);
                loss(self.layer, &inputs)
            };
            at_input(&format!("the input {name:?}{what}"), x, dx, draws, moved)?;
        }
        for (name, gradient) in gradients_of(&*own) {
            for i in chosen(gradient.len(), draws) {
                let mut moved = self.layer.erased_clone();
                let difference = central(value_of(self.layer, &name, i), |v| {
                    moved.erased_visit_mut(&mut |other, param| {
                        if other == name {
                            param.as_slice_mut()[i] = v;
                        }
                    });
                    loss(&*moved, self.inputs)
                })?;
                let text = format!("the gradient at number {i} of {name:?}{what}");
                compare::<F>(&text, gradient[i], difference)?;
            }
        }
        Ok(())
    }
}

/// Adds lengths to the inputs that have steps, where none are given: 0, 2, 4, … up to the number of steps.
fn add_lengths<F: Scalar>(ports: Ports, inputs: &mut Inputs<F>) {
    for i in 0..inputs.len() {
        let steps =
            inputs[i].as_ref().filter(|x| x.ndim() > 1).map(|x| (x.len_of(Axis(0)), x.len_of(Axis(1))));
        let port = ports.port_of_lengths(i).filter(|&port| inputs[port].is_none());
        if let (Some((rows, steps)), Some(port)) = (steps, port) {
            let length = |at: ndarray::IxDyn| F::of((2 * (at[0] + 1) % (steps + 1)) as f64);
            inputs[port] = Some(Tensor::from_shape_fn(vec![rows], length));
        }
    }
}

/// Returns the shapes of one sample of each input.
fn samples<F: Scalar>(inputs: &Inputs<F>) -> Vec<Option<&[usize]>> {
    inputs.iter().map(|x| x.as_ref().and_then(|x| x.shape().get(1..))).collect()
}

fn same_all<F: Scalar>(what: &str, found: &[Tensor<F>], expected: &[Tensor<F>]) -> Result<()> {
    let mut pairs = found.iter().zip(expected).enumerate();
    pairs.try_for_each(|(k, (found, expected))| same(&format!("output {k} {what}"), found, expected))
}

/// Returns the outputs in row-major order, all of which must be there.
fn all<F: Scalar>(ports: Ports, outputs: Inputs<F>) -> Result<Vec<Tensor<F>>> {
    Ok(ports.all(outputs)?.into_iter().map(standard).collect())
}

pub(super) fn infer<F: Scalar>(layer: &dyn ErasedLayer<F>, inputs: &Inputs<F>) -> Result<Vec<Tensor<F>>> {
    let ports = layer.erased_ports();
    let (mut inputs, mut outputs) = (inputs.clone(), vec![None; ports.outputs().len()]);
    let wanted = vec![true; outputs.len()];
    layer.erased_forward_ports(&mut Io::new(ports, &mut inputs, &mut outputs, &wanted, false))?;
    all(ports, outputs)
}

fn forward_train<F: Scalar>(
    layer: &mut dyn ErasedLayer<F>,
    inputs: &Inputs<F>,
    training: bool,
) -> Result<(Vec<Tensor<F>>, CacheSlot)> {
    let ports = layer.erased_ports();
    let (mut inputs, mut outputs, mut slot) = (inputs.clone(), vec![None; ports.outputs().len()], None);
    let wanted = vec![true; outputs.len()];
    let mut io = Io::new(ports, &mut inputs, &mut outputs, &wanted, training);
    layer.erased_forward_train_ports(&mut io, &mut slot)?;
    Ok((all(ports, outputs)?, slot))
}

fn backward<F: Scalar>(
    layer: &mut dyn ErasedLayer<F>,
    slot: &mut CacheSlot,
    gradients: &Inputs<F>,
) -> Result<Inputs<F>> {
    let mut gradients = gradients.clone();
    let mut inputs = vec![None; layer.erased_ports().input_count()];
    let wanted = vec![true; inputs.len()];
    layer.erased_backward_ports(slot, &mut PortGradients::new(&mut gradients, &mut inputs, &wanted))?;
    Ok(inputs.into_iter().map(|dx| dx.map(standard)).collect())
}
