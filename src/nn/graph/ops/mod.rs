//! The operations that are not elementwise.

mod argmax;
mod axes;
mod concat;
mod cumsum;
mod expand;
mod filled;
mod gather;
mod matmul;
mod one_hot;
mod pad;
mod reduce;
mod resize;
mod slice;
mod softmax;
mod step_mask;
mod take_along;
mod tile;

pub(super) use argmax::ArgMax;
pub(super) use axes::{Permute, Reshape, Transpose};
pub(super) use concat::Concat;
pub(super) use cumsum::CumSum;
pub(super) use expand::{Expand, expand, expand_back};
pub(super) use filled::Filled;
pub(super) use gather::Gather;
pub(super) use matmul::MatMul;
pub(super) use one_hot::OneHot;
pub(super) use pad::Pad;
pub(super) use reduce::{MAX, MEAN, MIN, PRODUCT, Reduce, SUM};
pub(super) use resize::Resize;
pub use resize::ResizeMode;
pub(super) use slice::{Part, Slice};
pub(super) use softmax::Softmax;
pub(super) use step_mask::{StepMask, no_steps};
pub(super) use take_along::TakeAlong;
pub(super) use tile::{Flip, Tile};

use super::op::{Op, OpTable, decode};
use crate::error::Result;
use crate::kernels::Scalar;
use std::sync::Arc;

/// Decodes an operation of one kind.
pub(super) type Decode<T> = fn(&[u8]) -> Result<Arc<T>>;

/// Decodes an operation of this crate.
pub(super) fn builtin<F: Scalar, T: OpTable<F> + ?Sized>(kind: &str) -> Option<Decode<T>> {
    macro_rules! decoders {
        ($($op:ty),* $(,)?) => {
            [$((<$op as Op<F>>::KIND.name(), decode::<F, T, $op> as Decode<T>)),*]
        };
    }
    let decoders = decoders![
        MatMul,
        Permute,
        Transpose,
        Reshape,
        Slice,
        Concat,
        Gather,
        Pad,
        Tile,
        Flip,
        Expand,
        OneHot,
        Resize,
        Reduce<SUM>,
        Reduce<MEAN>,
        Reduce<MAX>,
        Reduce<MIN>,
        Reduce<PRODUCT>,
        ArgMax,
        CumSum,
        Softmax<false>,
        Softmax<true>,
        StepMask,
        TakeAlong,
        Filled,
    ];
    decoders.iter().find(|(known, _)| *known == kind).map(|(_, decode)| *decode)
}

#[cfg(test)]
mod tests;
