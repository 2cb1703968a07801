//! The backward half of a training step of a graph.
//!
//! Steps run in reverse order. The gradients at a value that several steps read are added up in that order, so the bits
//! depend on nothing else.

use super::Graph;
use super::compute::MAX_READS;
use super::contribution;
use super::op::{TrainOp, lost};
use super::op_backward::{Backward, Give, Held, Part};
use super::ops::expand_back;
use super::plan::{Action, Plan, Step};
use super::program::{MAX_REGISTERS, Program};
use super::shape::Shapes;
use super::train::Run;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::check_gradient;
use crate::nn::erased::other_cache;
use crate::nn::io::PortGradients;
use crate::nn::model::ModelCache;
use crate::nn::ports::MAX_PORTS;
use crate::tensor::{Tensor, copy, recycle, slice, standard};
use ndarray::Dimension;
use std::sync::Arc;

/// A step of the backward pass.
struct At<'a, F: Scalar> {
    plan: &'a Plan<dyn TrainOp<F>>,
    /// The number of the step.
    s: usize,
    step: &'a Step<dyn TrainOp<F>>,
    /// For each slot, whether its gradient is computed.
    wants: &'a [bool],
    /// The number of samples.
    rows: usize,
}

impl<F: Scalar> Clone for At<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: Scalar> Copy for At<'_, F> {}

impl<'a, F: Scalar> At<'a, F> {
    fn shapes(self) -> Shapes<'a> {
        self.plan.shapes(self.step, self.rows)
    }
}

impl<F: Scalar> Graph<F> {
    /// Adds to the gradients of the parameters, and puts those at the inputs into `at`, if it is given.
    pub(super) fn run_back(
        &mut self,
        mut cache: ModelCache,
        gradients: &mut [Option<Tensor<F>>],
        at: Option<&mut [Option<Tensor<F>>]>,
    ) -> Result<()> {
        let plan = self.dag.plan.clone();
        let run =
            cache.slots.first_mut().and_then(Option::as_mut).and_then(|slot| slot.downcast_mut::<Run<F>>());
        let is_own = |run: &Run<F>| run.plan.as_ref().is_some_and(|own| Arc::ptr_eq(own, &plan));
        let Some(run) = run.filter(|run| run.is_full && is_own(run)) else { return Err(other_cache()) };
        if let Some(places) = at.as_ref().map(|at| at.len()).filter(|&places| places != plan.inputs.len()) {
            let expected = format!("be {}, one for each input", plan.inputs.len());
            return Err(Error::data("the number of places for gradients at the inputs", expected, places)
                .help("Give a place for each of the model's `inputs`."));
        }
        self.dag.check_params()?;
        if gradients.len() != plan.outputs.len() {
            let expected = format!("be {}, one for each output", plan.outputs.len());
            return Err(Error::data("the number of gradients", expected, gradients.len())
                .help("Give `None` for an output on which the loss does not depend."));
        }
        if at.is_some() && !run.keep.inputs {
            return Err(Error::data(
                "the cache for `input_gradients`",
                "be made by `eval`",
                "one of `train`",
            )
            .help("A step of training keeps nothing for the gradients at the inputs."));
        }
        run.is_full = false;
        run.grads.clear();
        run.grads.resize_with(plan.slots.len(), || None);
        for (gradient, &slot) in gradients.iter_mut().zip(&plan.outputs) {
            if let Some(gradient) = gradient.take() {
                check_gradient(&gradient, plan.slots[slot].shape.whole(cache.rows).slice())?;
                contribution::add(&mut run.grads[slot], standard(gradient));
            }
        }
        let keep = run.keep.clone();
        let wants = &keep.wants[usize::from(at.is_none())];
        for (s, step) in plan.steps.iter().enumerate().rev() {
            let at = At { plan: &plan, s, step, wants, rows: cache.rows };
            self.back_step(at, run).map_err(|error| error.at(self.dag.place(step.node)))?;
        }
        if let Some(at) = at {
            at.iter_mut().zip(&plan.inputs).for_each(|(at, &slot)| *at = run.grads[slot].take());
        }
        run.grads.iter_mut().filter_map(Option::take).for_each(recycle);
        run.values.iter_mut().filter_map(Option::take).for_each(recycle);
        self.spare = cache.slots;
        Ok(())
    }

    fn back_step(&mut self, at: At<'_, F>, run: &mut Run<F>) -> Result<()> {
        let At { s, step, rows, .. } = at;
        let out = step.outputs[0].0;
        if step.outputs.iter().any(|(slot, _)| run.grads[*slot].is_some()) && at.wants[out] {
            let mut wanted = [false; MAX_READS];
            for (wanted, slot) in wanted.iter_mut().zip(&step.inputs) {
                *wanted = slot.is_some_and(|slot| at.wants[slot]);
            }
            let wanted = &wanted[..step.inputs.len()];
            let is_left_out = run.left_out.contains(&s);
            match &step.action {
                Action::Layer(k) if !step.is_one_to_one() => {
                    self.back_ports(*k, at, wanted, run)?;
                }
                action => {
                    let grad = run.grads[out].take().ok_or_else(lost)?;
                    match action {
                        _ if is_left_out => run.parts.push((0, Part::Whole(grad))),
                        Action::Layer(k) => self.back_layer(*k, at, grad, wanted, run)?,
                        Action::Op(op) => self.back_op(&**op, at, grad, wanted, run)?,
                        Action::Program(program) => self.back_program(program, at, grad, wanted, run)?,
                        Action::Expand => {
                            run.parts.push((0, Part::Whole(expand_back(grad, at.shapes()))));
                        }
                    }
                }
            }
            contribution::check_inputs(&run.parts, wanted.len())?;
            for (i, part) in run.parts.drain(..).filter(|(i, _)| wanted[*i]) {
                let slot = step.inputs.get(i).copied().flatten().ok_or_else(lost)?;
                let of = &at.plan.slots[slot];
                match of.param {
                    Some(k) => contribution::into_param(&mut self.dag.params[k].param, part)?,
                    None => contribution::into_gradient(&mut run.grads[slot], part, of.shape.whole(rows))?,
                }
            }
        }
        let done = step.inputs.iter().flatten().filter(|slot| run.keep.last[**slot] == s);
        let made = step.outputs.iter().map(|(slot, _)| slot);
        done.chain(made).for_each(|&slot| run.values[slot].take().into_iter().for_each(recycle));
        Ok(())
    }

    fn back_layer(
        &mut self,
        k: usize,
        at: At<'_, F>,
        grad: Tensor<F>,
        wanted: &[bool],
        run: &mut Run<F>,
    ) -> Result<()> {
        let (layer, slot) = (&mut self.dag.layers[k].1, &mut run.slots[at.s]);
        if wanted[0] {
            run.parts.push((0, Part::Whole(layer.erased_backward(slot, grad)?)));
            return Ok(());
        }
        layer.erased_backward_params(slot, grad)
    }

    fn back_ports(&mut self, k: usize, at: At<'_, F>, wanted: &[bool], run: &mut Run<F>) -> Result<()> {
        let mut outputs: [Option<Tensor<F>>; MAX_PORTS] = Default::default();
        let mut inputs: [Option<Tensor<F>>; MAX_PORTS] = Default::default();
        for (output, (slot, _)) in outputs.iter_mut().zip(&at.step.outputs) {
            *output = run.grads[*slot].take();
        }
        let (made, read) = (at.step.outputs.len(), at.step.inputs.len());
        let mut ports = PortGradients::new(&mut outputs[..made], &mut inputs[..read], wanted);
        self.dag.layers[k].1.erased_backward_ports(&mut run.slots[at.s], &mut ports)?;
        for (i, gradient) in inputs.into_iter().enumerate() {
            if let Some(gradient) = gradient {
                run.parts.push((i, Part::Whole(gradient)));
            }
        }
        Ok(())
    }

    fn back_op(
        &self,
        op: &dyn TrainOp<F>,
        at: At<'_, F>,
        grad: Tensor<F>,
        wanted: &[bool],
        run: &mut Run<F>,
    ) -> Result<()> {
        let (reads, keep) = (&at.step.inputs, &run.keep);
        let mut pass = Backward::new(at.shapes(), Give { wanted, parts: &mut run.parts });
        // First what is taken out of the values, then what is lent.
        for (held, slot) in pass.inputs.iter_mut().zip(reads.iter().flatten()) {
            let is_last = keep.keep[*slot] && keep.last[*slot] == at.s;
            if is_last && reads.iter().filter(|other| **other == Some(*slot)).count() == 1 {
                *held = run.values[*slot].take().map_or(Held::Nothing, Held::Own);
            }
        }
        for (held, slot) in pass.inputs.iter_mut().zip(reads.iter().flatten()) {
            if let (Held::Nothing, Some(value)) = (&held, self.value(*slot, &run.values)) {
                *held = Held::Lent(value);
            }
        }
        pass.output = run.values[at.step.outputs[0].0].as_ref();
        op.backward(&mut pass, grad)?;
        pass.recycle();
        Ok(())
    }

    fn back_program(
        &self,
        program: &Program,
        at: At<'_, F>,
        grad: Tensor<F>,
        wanted: &[bool],
        run: &mut Run<F>,
    ) -> Result<()> {
        let mut give = Give { wanted, parts: &mut run.parts };
        if program.is_sum() {
            if wanted[0] && wanted[1] {
                give.whole(1, copy(&grad));
            }
            give.whole(usize::from(!wanted[0]), grad);
            return Ok(());
        }
        let mut known: [&[F]; MAX_REGISTERS] = [&[]; MAX_REGISTERS];
        let inputs = at.step.inputs.iter().flatten().enumerate();
        for (i, slot) in inputs.filter(|(i, _)| program.needs_input(*i)) {
            known[i] = self.value(*slot, &run.values).map(slice).ok_or_else(lost)?;
        }
        for (r, (slot, _)) in program.made().zip(&at.step.outputs) {
            known[r] = run.values[*slot].as_ref().map_or(&[], slice);
        }
        program.backward(&known, at.shapes(), slice(&grad), &mut give);
        recycle(grad);
        Ok(())
    }

    /// The value of a slot, which may be a parameter.
    fn value<'a>(&'a self, slot: usize, values: &'a [Option<Tensor<F>>]) -> Option<&'a Tensor<F>> {
        match self.dag.plan.slots[slot].param {
            Some(k) => Some(self.dag.params[k].param.value()),
            None => values[slot].as_ref(),
        }
    }
}
