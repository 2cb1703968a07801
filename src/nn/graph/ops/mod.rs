//! The operations that are not elementwise.

mod axes;
mod concat;
mod filled;
mod gather;
mod matmul;
mod reduce;
mod slice;
mod softmax;
mod step_mask;
mod take_along;

pub(super) use axes::{Permute, Reshape, Transpose};
pub(super) use concat::Concat;
pub(super) use filled::Filled;
pub(super) use gather::Gather;
pub(super) use matmul::MatMul;
pub(super) use reduce::{MAX, MEAN, Reduce, SUM};
pub(super) use slice::{Part, Slice};
pub(super) use softmax::Softmax;
pub(super) use step_mask::{StepMask, no_steps};
pub(super) use take_along::TakeAlong;

use super::op::{Op, OpTable, decode};
use crate::error::Result;
use crate::kernels::Scalar;
use std::sync::Arc;

/// Decodes an operation of one kind.
pub(super) type Decode<T> = fn(&[u8]) -> Result<Arc<T>>;

/// Decodes an operation of this crate.
pub(super) fn builtin<F: Scalar, T: OpTable<F> + ?Sized>(kind: &str) -> Option<Decode<T>> {
    let decoders: [(&str, Decode<T>); 14] = [
        (<MatMul as Op<F>>::KIND.name(), decode::<F, T, MatMul>),
        (<Permute as Op<F>>::KIND.name(), decode::<F, T, Permute>),
        (<Transpose as Op<F>>::KIND.name(), decode::<F, T, Transpose>),
        (<Reshape as Op<F>>::KIND.name(), decode::<F, T, Reshape>),
        (<Slice as Op<F>>::KIND.name(), decode::<F, T, Slice>),
        (<Concat as Op<F>>::KIND.name(), decode::<F, T, Concat>),
        (<Gather as Op<F>>::KIND.name(), decode::<F, T, Gather>),
        (<Reduce<SUM> as Op<F>>::KIND.name(), decode::<F, T, Reduce<SUM>>),
        (<Reduce<MEAN> as Op<F>>::KIND.name(), decode::<F, T, Reduce<MEAN>>),
        (<Reduce<MAX> as Op<F>>::KIND.name(), decode::<F, T, Reduce<MAX>>),
        (<Softmax as Op<F>>::KIND.name(), decode::<F, T, Softmax>),
        (<TakeAlong as Op<F>>::KIND.name(), decode::<F, T, TakeAlong>),
        (<Filled as Op<F>>::KIND.name(), decode::<F, T, Filled>),
        (<StepMask as Op<F>>::KIND.name(), decode::<F, T, StepMask>),
    ];
    decoders.iter().find(|(known, _)| *known == kind).map(|(_, decode)| *decode)
}

#[cfg(test)]
mod tests;
