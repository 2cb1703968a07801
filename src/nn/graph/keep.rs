//! What a training step keeps for its backward pass.
//!
//! Which gradients are computed, and which values are kept for them, follows from which parameters are trained, so it is
//! worked out again when one is frozen.

use super::dag::Dag;
use super::op::TrainOp;
use super::plan::{Action, Plan, Step};
use crate::kernels::Scalar;
use crate::nn::erased::ErasedLayer;
use std::sync::Arc;

/// The types of a graph that can be trained.
pub(super) type TrainDag<F> = Dag<F, dyn ErasedLayer<F>, dyn TrainOp<F>>;

#[derive(Clone, Debug, Default)]
pub(super) struct Keep {
    /// For what it was worked out: the parameters and the layers that are trained, and whether the gradients at the
    /// inputs are computed.
    trained: Vec<bool>,
    pub inputs: bool,
    /// For each slot, whether its gradient is computed if those at the inputs are, and if they are not.
    pub wants: [Vec<bool>; 2],
    /// For each slot, whether its value is kept.
    pub keep: Vec<bool>,
    /// For each kept slot, the last step of the backward pass that reads it.
    pub last: Vec<usize>,
}

impl Keep {
    /// Works it out again if something has changed since `keep`. `spare` is a list that is reused.
    pub fn update<F: Scalar>(keep: &mut Arc<Self>, dag: &TrainDag<F>, inputs: bool, spare: &mut Vec<bool>) {
        spare.clear();
        spare.extend(dag.params.iter().map(|named| named.param.is_trainable()));
        for (_, layer) in &dag.layers {
            let mut any = false;
            layer.erased_visit(&mut |_, param| any |= param.is_trainable());
            spare.push(any);
        }
        if keep.keep.len() != dag.plan.slots.len() || keep.inputs != inputs || keep.trained != *spare {
            *keep = Arc::new(Self::of(&dag.plan, dag.params.len(), spare.clone(), inputs));
        }
    }

    fn of<F: Scalar>(plan: &Plan<dyn TrainOp<F>>, params: usize, trained: Vec<bool>, inputs: bool) -> Self {
        let both = [true, false].map(|inputs| wants(plan, params, &trained, inputs));
        let slots = plan.slots.len();
        let (mut keep, mut last) = (vec![false; slots], vec![0; slots]);
        for (s, step) in plan.steps.iter().enumerate().rev() {
            for slot in needs(step, &both[usize::from(!inputs)]) {
                keep[slot] = true;
                last[slot] = s;
            }
        }
        Self { trained, inputs, wants: both, keep, last }
    }
}

/// Returns for each slot whether its gradient is computed.
fn wants<O: ?Sized>(plan: &Plan<O>, params: usize, trained: &[bool], inputs: bool) -> Vec<bool> {
    let mut wants: Vec<bool> = plan.slots.iter().map(|slot| slot.param.is_some_and(|k| trained[k])).collect();
    plan.inputs.iter().for_each(|&slot| wants[slot] = inputs);
    for step in &plan.steps {
        let own = matches!(step.action, Action::Layer(k) if trained[params + k]);
        let any = own || step.inputs.iter().flatten().any(|&slot| wants[slot]);
        step.outputs.iter().for_each(|(slot, _)| wants[*slot] = any);
    }
    wants
}

/// Returns the slots that the backward pass of a step reads.
fn needs<F: Scalar>(step: &Step<dyn TrainOp<F>>, wants: &[bool]) -> Vec<usize> {
    let output = step.outputs[0].0;
    if !wants[output] {
        return Vec::new();
    }
    let inputs = || step.inputs.iter().flatten().copied();
    match &step.action {
        // A layer has a cache of its own.
        Action::Layer(_) | Action::Expand => Vec::new(),
        Action::Program(program) => {
            let needed = inputs().enumerate().filter(|(i, _)| program.needs_input(*i)).map(|(_, slot)| slot);
            let kept = step.outputs[usize::from(!program.keeps_output())..].iter().map(|(slot, _)| *slot);
            needed.chain(kept).collect()
        }
        Action::Op(op) => {
            let mut slots = Vec::new();
            for (i, _) in inputs().enumerate().filter(|(_, slot)| wants[*slot]) {
                let needs = op.needs(i);
                slots.extend(inputs().enumerate().filter(|(k, _)| needs.has_input(*k)).map(|(_, slot)| slot));
                if needs.has_output() {
                    slots.push(output);
                }
            }
            slots
        }
    }
}
