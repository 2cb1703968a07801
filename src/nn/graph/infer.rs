//! Inference of a graph, and a graph as a model that infers.

use super::compute::{call_ports, compute, may_be_in_place};
use super::dag::Dag;
use super::nodes::NodeKind;
use super::op::{OpTable, lost};
use super::plan::{self, Action, Plan};
use crate::codec;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::erased::ErasedInfer;
use crate::nn::model::{Infer, sealed};
use crate::nn::node::Node;
use crate::nn::output_activation::{OutputActivation, WithoutActivation};
use crate::nn::port::{Port, PortNames};
use crate::nn::shape_checks::check_batch_shape;
use crate::tensor::{CowTensor, Tensor, owned, recycle, standard};

/// The kind of a model that is a graph, in files.
pub(crate) const KIND: &str = "graph";

/// Is called with the number of a slot and its value; it returns whether to stop.
type Inspect<'a, F> = &'a mut dyn FnMut(usize, &[F]) -> bool;

impl<F: Scalar, L: ErasedInfer<F> + ?Sized, O: OpTable<F> + ?Sized> Dag<F, L, O> {
    /// Checks the number and the shapes of the inputs, and returns the number of samples.
    pub fn check_inputs<'s>(
        &self,
        inputs: impl ExactSizeIterator<Item = Option<&'s [usize]>>,
        logits: usize,
        outputs: usize,
    ) -> Result<usize> {
        if inputs.len() != self.in_ports.len() || outputs != self.ends.len() || logits != self.ends.len() {
            return Err(self.other_count(inputs.len(), outputs));
        }
        self.check_params()?;
        let mut batch = None;
        for (shape, port) in inputs.zip(&self.in_ports) {
            let place = || format!("the input {}", port.name());
            let shape = shape.ok_or_else(|| {
                Error::data(place(), "be given", "none")
                    .help("Give a tensor for each of the model's `inputs`.")
            })?;
            check_batch_shape(shape, port.shape()).map_err(|error| error.at(place()))?;
            let expected = *batch.get_or_insert(shape[0]);
            if expected != shape[0] {
                let expected = format!("have {expected} samples, as the first input");
                return Err(Error::data(place(), expected, shape[0])
                    .help("All inputs are of the same samples, in the same order."));
            }
        }
        Ok(batch.unwrap_or(0))
    }

    /// Checks that parameters have the shapes for which the graph was built: `each_param_mut` can replace them.
    pub(super) fn check_params(&self) -> Result<()> {
        for node in &self.source.nodes {
            let NodeKind::Param(k) = node.kind else { continue };
            let (named, shape) = (&self.params[k], &self.source.shapes[node.first].sizes);
            if named.param.shape() != &shape[..] {
                let name = format!("the parameter {:?}", named.name);
                return Err(Error::shape(name, format!("{shape:?}"), named.param.shape())
                    .help("The graph was built for this shape; build it again for another."));
            }
        }
        Ok(())
    }

    fn other_count(&self, inputs: usize, outputs: usize) -> Error {
        let expected = PortNames(&self.in_ports, &self.out_ports);
        Error::data("the graph", format!("get {expected}"), format!("{inputs} and {outputs} of them"))
            .help("Give a tensor for each of the model's `inputs`, and a place for each of its `outputs`.")
    }

    /// The value of a slot that is a parameter.
    pub(super) fn param(&self, plan: &Plan<O>, slot: usize) -> Option<&[F]> {
        plan.slots[slot].param.map(|k| self.params[k].param.as_slice())
    }

    /// The activation at the end of an output that can be left out, and what remains without it.
    pub fn end(&self, output: usize) -> Option<(OutputActivation, WithoutActivation)> {
        let step = self.plan.ends.get(output).copied().flatten()?;
        let step = &self.plan.steps[step];
        let (activation, rest) = match &step.action {
            Action::Layer(k) => {
                let layer = &self.layers[*k].1;
                // A layer of several ports is run as a whole.
                let one = step.is_one_to_one();
                let rest = if one { layer.erased_without_activation() } else { WithoutActivation::Unsaid };
                (layer.erased_activation(), rest)
            }
            Action::Op(op) => (op.activation(), WithoutActivation::Nothing),
            Action::Program(program) => (program.activation(), WithoutActivation::Nothing),
            Action::Expand => return None,
        };
        (activation.can_be_fused() && rest != WithoutActivation::Unsaid).then_some((activation, rest))
    }

    /// What remains of a step in a pass to the logits.
    pub fn without_activation(&self, step: usize, logits: &[bool]) -> WithoutActivation {
        let mut of_step = (0..self.ends.len()).filter(|&k| self.plan.ends[k] == Some(step) && logits[k]);
        let end = of_step.next().and_then(|k| self.end(k));
        end.map_or(WithoutActivation::Unsaid, |(_, rest)| rest)
    }

    /// Runs inference by this plan.
    fn run<'a>(
        &self,
        plan: &Plan<O>,
        inputs: &mut [Option<CowTensor<'a, F>>],
        logits: &[bool],
        outputs: &mut [Option<CowTensor<'a, F>>],
        mut inspect: Option<Inspect<'_, F>>,
    ) -> Result<()> {
        let shapes = inputs.iter().map(|input| input.as_ref().map(|input| input.shape()));
        let batch = self.check_inputs(shapes, logits.len(), outputs.len())?;
        let mut values: Vec<Option<CowTensor<'a, F>>> = Vec::new();
        values.resize_with(plan.slots.len(), || None);
        for (input, &slot) in inputs.iter_mut().zip(&plan.inputs) {
            values[slot] = input.take().map(in_order);
            if stops(&mut inspect, slot, &values) {
                return Ok(());
            }
        }
        for (s, step) in plan.steps.iter().enumerate() {
            let rest = self.without_activation(s, logits);
            self.run_step(plan, s, rest, batch, &mut values)
                .and_then(|()| plan.check_made(step, batch, |slot| values[slot].as_ref().map(|y| y.shape())))
                .map_err(|error| error.at(self.place(step.node)))?;
            if step.outputs.iter().any(|(slot, _)| stops(&mut inspect, *slot, &values)) {
                return Ok(());
            }
            for slot in step.last_read() {
                if let Some(x) = values[slot].take().filter(|x| x.is_owned()) {
                    recycle(x.into_owned());
                }
            }
        }
        for (k, (output, &slot)) in outputs.iter_mut().zip(&plan.outputs).enumerate() {
            let again = plan.outputs[k + 1..].contains(&slot);
            let value = &mut values[slot];
            *output = if again { value.clone() } else { value.take() };
            if output.is_none() {
                return Err(lost());
            }
        }
        Ok(())
    }

    fn run_step<'a>(
        &self,
        plan: &Plan<O>,
        s: usize,
        rest: WithoutActivation,
        batch: usize,
        values: &mut [Option<CowTensor<'a, F>>],
    ) -> Result<()> {
        let step = &plan.steps[s];
        let out = step.outputs[0].0;
        if rest == WithoutActivation::Nothing {
            let input = step.inputs[0].ok_or_else(lost)?;
            values[out] = if step.last[0] { values[input].take() } else { values[input].clone() };
            return Ok(());
        }
        let Action::Layer(k) = step.action else {
            let first = step.inputs[0].ok_or_else(lost)?;
            let free =
                may_be_in_place(step) && step.last[0] && values[first].as_ref().is_some_and(|x| x.is_owned());
            let free = if free { values[first].take().map(CowTensor::into_owned) } else { None };
            let read = |slot: usize| match self.param(plan, slot) {
                Some(numbers) => Ok(numbers),
                None => values[slot].as_ref().and_then(|x| x.as_slice()).ok_or_else(lost),
            };
            let made = compute(step, plan.shapes(step, batch), free, &mut [], read)?;
            values[out] = Some(made.into());
            return Ok(());
        };
        let layer = &self.layers[k].1;
        if !step.is_one_to_one() {
            let mut made: Vec<(usize, Tensor<F>)> = Vec::with_capacity(step.outputs.len());
            let input = |i: usize, slot: usize| {
                let x = if step.last[i] { values[slot].take() } else { values[slot].clone() };
                x.map(owned).ok_or_else(lost)
            };
            call_ports(
                step,
                layer.erased_ports(),
                false,
                input,
                |io| layer.erased_forward_ports(io),
                |slot, y| {
                    made.push((slot, y));
                },
            )?;
            made.into_iter().for_each(|(slot, y)| values[slot] = Some(y.into()));
            return Ok(());
        }
        let input = step.inputs[0].ok_or_else(lost)?;
        let made = if step.last[0] {
            let x = values[input].take().ok_or_else(lost)?;
            run_layer(&**layer, x, rest)?
        } else {
            let x = values[input].as_ref().ok_or_else(lost)?;
            owned(run_layer(&**layer, x.view().into(), rest)?).into()
        };
        values[out] = Some(in_order(made));
        Ok(())
    }

    /// Finds the first value that is not finite, in the order of computation.
    fn first_non_finite(&self, inputs: &mut [Option<Tensor<F>>]) -> Result<Option<String>> {
        if let Some(bad) = self.non_finite_parameter() {
            return Ok(Some(bad));
        }
        let plan = plan::plan(&self.source, &self.ends, false, &|_| false);
        let mut inputs: Vec<_> = inputs.iter_mut().map(|input| input.take().map(CowTensor::from)).collect();
        let mut outputs: Vec<_> = self.ends.iter().map(|_| None).collect();
        let logits = vec![false; outputs.len()];
        let mut found = None;
        let mut inspect = |slot: usize, x: &[F]| {
            let bad = !F::all_finite(x);
            if bad {
                found = Some(slot);
            }
            bad
        };
        self.run(&plan, &mut inputs, &logits, &mut outputs, Some(&mut inspect))?;
        Ok(found.map(|slot| {
            let step = plan.steps.iter().find(|step| step.outputs.iter().any(|(output, _)| *output == slot));
            let input = plan.inputs.iter().position(|&input| input == slot);
            match (step, input) {
                (_, Some(k)) => format!("the input {}", self.in_ports[k].name()),
                (Some(step), None) => format!("the output of {}", self.place(step.node)),
                _ => "a value".to_owned(),
            }
        }))
    }

    /// Returns the first parameter or buffer that is not finite: "the parameter weight of layer 0 (dense)".
    pub fn non_finite_parameter(&self) -> Option<String> {
        let bad = |param: &crate::param::Param<F>| !F::all_finite(param.as_slice());
        if let Some(named) = self.params.iter().find(|named| bad(&named.param)) {
            let constant = named.name.is_empty();
            return Some(if constant {
                "a constant".into()
            } else {
                format!("the parameter {}", named.name)
            });
        }
        self.layers.iter().find_map(|(name, layer)| {
            let mut found = None;
            layer.erased_visit(&mut |own, param| {
                if found.is_none() && bad(param) {
                    let place = super::dag::layer_place(name, layer.erased_label());
                    found = Some(format!("the parameter {own} of {place}"));
                }
            });
            found
        })
    }
}

/// Shows the value of a slot to whoever inspects the values, and returns whether to stop.
fn stops<F: Scalar>(
    inspect: &mut Option<Inspect<'_, F>>,
    slot: usize,
    values: &[Option<CowTensor<'_, F>>],
) -> bool {
    let value = values[slot].as_ref().and_then(|x| x.as_slice());
    inspect.as_mut().zip(value).is_some_and(|(inspect, value)| inspect(slot, value))
}

/// Runs a layer of one input and one output.
fn run_layer<'a, F: Scalar>(
    layer: &(impl ErasedInfer<F> + ?Sized),
    x: CowTensor<'a, F>,
    rest: WithoutActivation,
) -> Result<CowTensor<'a, F>> {
    if rest == WithoutActivation::Rest {
        return layer.erased_forward_logits(owned(x)).map(CowTensor::from);
    }
    layer.erased_forward_cow(x)
}

/// Returns the tensor in row-major order; a view that is in this order stays a view.
fn in_order<F: Scalar>(x: CowTensor<'_, F>) -> CowTensor<'_, F> {
    if x.is_standard_layout() { x } else { standard(owned(x)).into() }
}

impl<F: Scalar, L: ErasedInfer<F> + ?Sized, O: OpTable<F> + ?Sized> sealed::Sealed for Dag<F, L, O> {}

impl<F: Scalar, L: ErasedInfer<F> + ?Sized + 'static, O: OpTable<F> + ?Sized + 'static> Infer<F>
    for Dag<F, L, O>
{
    fn inputs(&self) -> &[Port] {
        &self.in_ports
    }

    fn outputs(&self) -> &[Port] {
        &self.out_ports
    }

    fn final_activation(&self, output: usize) -> OutputActivation {
        self.end(output).map_or(OutputActivation::Unknown, |(activation, _)| activation)
    }

    fn known_values(&self, output: usize) -> OutputActivation {
        self.known.get(output).copied().unwrap_or_default()
    }

    fn infer<'a>(
        &self,
        inputs: &mut [Option<CowTensor<'a, F>>],
        logits: &[bool],
        outputs: &mut [Option<CowTensor<'a, F>>],
    ) -> Result<()> {
        self.run(&self.plan, inputs, logits, outputs, None)
    }

    fn find_non_finite(&self, inputs: &mut [Option<Tensor<F>>]) -> Result<Option<String>> {
        self.first_non_finite(inputs)
    }

    fn output_place(&self, output: usize) -> String {
        self.ends.get(output).map_or_else(
            || format!("output {output}"),
            |(_, value)| self.place(self.source.place_of(*value).0),
        )
    }

    fn outline(&self) -> Vec<String> {
        self.lines()
    }

    fn nodes(&self) -> Vec<Node> {
        self.list()
    }

    fn encode(&self) -> Result<(&'static str, Vec<u8>)> {
        Ok((KIND, codec::encode(self)?))
    }

    fn as_infer(&self) -> &dyn Infer<F> {
        self
    }
}
