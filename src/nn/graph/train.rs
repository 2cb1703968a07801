//! The forward half of a training step of a graph.

use super::Graph;
use super::compute::{call_ports, compute, may_be_in_place};
use super::keep::Keep;
use super::op::{TrainOp, lost};
use super::op_backward::Part;
use super::plan::{Action, Plan, Step};
use super::program::MOST_KEPT;
use crate::error::Result;
use crate::kernels::Scalar;
use crate::nn::erased::{CacheSlot, Mode};
use crate::nn::model::ModelCache;
use crate::nn::output_activation::WithoutActivation;
use crate::nn::ports::MAX_PORTS;
use crate::tensor::{Tensor, copy, recycle, scratch, slice, standard};
use ndarray::Dimension;
use std::sync::Arc;

/// The cache of a graph's forward pass. Its lists stay from step to step, so that a step allocates nothing for them.
#[derive(Debug)]
pub(super) struct Run<F: Scalar> {
    /// The values of slots.
    pub values: Vec<Option<Tensor<F>>>,
    /// The caches of layers, for each step.
    pub slots: Vec<CacheSlot>,
    /// The gradients at slots, in the backward pass.
    pub grads: Vec<Option<Tensor<F>>>,
    /// The gradients of a step, on their way.
    pub parts: Vec<(usize, Part<F>)>,
    /// What a program keeps beside its output, on its way.
    pub kept: Vec<Option<Tensor<F>>>,
    /// The steps that were left out as activations.
    pub left_out: Vec<usize>,
    /// What was kept.
    pub keep: Arc<Keep>,
    /// The plan by which it ran.
    pub plan: Option<Arc<Plan<dyn TrainOp<F>>>>,
    /// Whether it is the cache of a forward pass whose backward pass has not begun.
    pub is_full: bool,
}

impl<F: Scalar> Default for Run<F> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            slots: Vec::new(),
            grads: Vec::new(),
            parts: Vec::new(),
            kept: Vec::new(),
            left_out: Vec::new(),
            keep: Arc::default(),
            plan: None,
            is_full: false,
        }
    }
}

impl<F: Scalar> Graph<F> {
    /// Runs a pass with a cache; with `want_inputs`, the backward pass can compute the gradients at the inputs.
    pub(super) fn run_in(
        &mut self,
        mode: Mode,
        want_inputs: bool,
        inputs: &mut [Option<Tensor<F>>],
        logits: &[bool],
        outputs: &mut [Option<Tensor<F>>],
    ) -> Result<ModelCache> {
        let shapes = inputs.iter().map(|input| input.as_ref().map(|input| input.shape()));
        let rows = self.dag.check_inputs(shapes, logits.len(), outputs.len())?;
        Keep::update(&mut self.keep, &self.dag, want_inputs, &mut self.trained);
        let mut slots = std::mem::take(&mut self.spare);
        slots.resize_with(1, || None);
        let run = match slots[0].as_mut().and_then(|slot| slot.downcast_mut::<Run<F>>()) {
            Some(run) => run,
            None => slots[0].insert(Box::<Run<F>>::default()).downcast_mut().ok_or_else(lost)?,
        };
        run.values.clear();
        run.values.resize_with(self.dag.plan.slots.len(), || None);
        run.slots.resize_with(self.dag.plan.steps.len(), || None);
        run.left_out.clear();
        run.keep = self.keep.clone();
        run.plan = Some(self.dag.plan.clone());
        for (input, &slot) in inputs.iter_mut().zip(&self.dag.plan.inputs) {
            run.values[slot] = input.take().map(standard);
        }
        let plan = self.dag.plan.clone();
        for (s, step) in plan.steps.iter().enumerate() {
            let rest = self.dag.without_activation(s, logits);
            let done = match step.action {
                Action::Layer(k) => self.run_layer(mode, (s, step, k), rest, run),
                _ => self.run_op(step, rest, rows, run),
            };
            let found = |slot: usize| run.values[slot].as_ref().map(|y| y.shape());
            done.and_then(|()| plan.check_made(step, rows, found))
                .map_err(|error| error.at(self.dag.place(step.node)))?;
            if rest == WithoutActivation::Nothing {
                run.left_out.push(s);
            }
            for slot in step.last_read().filter(|slot| !self.keep.keep[*slot]) {
                run.values[slot].take().into_iter().for_each(recycle);
            }
        }
        for (k, (output, &slot)) in outputs.iter_mut().zip(&plan.outputs).enumerate() {
            let again = self.keep.keep[slot] || plan.outputs[k + 1..].contains(&slot);
            let value = &mut run.values[slot];
            *output = Some(if again { value.as_ref().map(copy) } else { value.take() }.ok_or_else(lost)?);
        }
        run.is_full = true;
        Ok(ModelCache { slots, ran: 1, rows, lengths: (false, false) })
    }

    /// Returns an input for something that takes it: itself if nobody else reads it, otherwise a copy.
    fn give(
        &self,
        step: &Step<dyn TrainOp<F>>,
        i: usize,
        values: &mut [Option<Tensor<F>>],
    ) -> Result<Tensor<F>> {
        let slot = step.inputs[i].ok_or_else(lost)?;
        let free = step.last[i] && !self.keep.keep[slot];
        let value = &mut values[slot];
        if free { value.take() } else { value.as_ref().map(copy) }.ok_or_else(lost)
    }

    fn run_op(
        &self,
        step: &Step<dyn TrainOp<F>>,
        rest: WithoutActivation,
        rows: usize,
        run: &mut Run<F>,
    ) -> Result<()> {
        let out = step.outputs[0].0;
        if rest == WithoutActivation::Nothing {
            run.values[out] = Some(self.give(step, 0, &mut run.values)?);
            return Ok(());
        }
        let first = step.inputs[0].ok_or_else(lost)?;
        let free = may_be_in_place(step) && step.last[0] && !self.keep.keep[first];
        let free = if free { run.values[first].take() } else { None };
        let (plan, Run { values, kept, .. }) = (&self.dag.plan, run);
        kept.clear();
        kept.extend(step.outputs[1..].iter().map(|&(slot, _)| {
            let shape = plan.slots[slot].shape.whole(rows);
            let is_small = shape.size() <= MOST_KEPT / size_of::<F>();
            (self.keep.keep[slot] && is_small).then(|| scratch(shape.slice()))
        }));
        let read = |slot: usize| match self.dag.param(plan, slot) {
            Some(numbers) => Ok(numbers),
            None => values[slot].as_ref().map(slice).ok_or_else(lost),
        };
        let made = compute(step, plan.shapes(step, rows), free, kept, read)?;
        values[out] = Some(made);
        kept.drain(..).zip(&step.outputs[1..]).for_each(|(kept, (slot, _))| values[*slot] = kept);
        Ok(())
    }

    fn run_layer(
        &mut self,
        mode: Mode,
        (s, step, k): (usize, &Step<dyn TrainOp<F>>, usize),
        rest: WithoutActivation,
        run: &mut Run<F>,
    ) -> Result<()> {
        let Run { values, slots, .. } = run;
        if step.is_one_to_one() {
            let (x, out) = (self.give(step, 0, values)?, step.outputs[0].0);
            let (layer, slot) = (&mut self.dag.layers[k].1, &mut slots[s]);
            let made = match rest {
                WithoutActivation::Nothing => x,
                WithoutActivation::Rest => layer.erased_forward_logits_in(mode, x, slot)?,
                WithoutActivation::Unsaid => layer.erased_forward_in(mode, x, slot)?,
            };
            values[out] = Some(standard(made));
            return Ok(());
        }
        let mut given: [Option<Tensor<F>>; MAX_PORTS] = Default::default();
        for i in (0..step.inputs.len()).filter(|&i| step.inputs[i].is_some()) {
            given[i] = Some(self.give(step, i, values)?);
        }
        let (layer, slot) = (&mut self.dag.layers[k].1, &mut slots[s]);
        let input = |i: usize, _| given[i].take().ok_or_else(lost);
        let ports = layer.erased_ports();
        call_ports(
            step,
            ports,
            mode == Mode::Train,
            input,
            |io| layer.erased_forward_train_ports(io, slot),
            |slot, y| values[slot] = Some(y),
        )
    }
}
