//! The common part of [`Residual`](crate::nn::Residual), [`Concat`](crate::nn::Concat), [`Add`](crate::nn::Add) and the
//! layers like it: parallel blocks on the same input.
//!
//! ```text
//!           ┌─> block 0 ─> y_0 ─┐
//!   x ──────┼─> block 1 ─> y_1 ─┼──> joined: a sum, a product, …, or one after the other along an axis
//!           └─> block 2 ─> y_2 ─┘
//! ```
//!
//! The input's gradient is the sum of the blocks' gradients, from the first to the last. The last block gets the input
//! itself, the others copies, because a layer may work in place.

mod add;
mod average;
mod concat;
mod fold;
mod join;
mod maximum;
mod product;
mod residual;

pub use add::{Add, AddSpec};
pub use average::{Average, AverageSpec};
pub use concat::{Concat, ConcatSpec};
pub use maximum::{Maximum, MaximumSpec};
pub use product::{Product, ProductSpec};
pub use residual::{Residual, ResidualSpec};

use super::sequential::{Sequential, SequentialBuilder};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::erased::Mode;
use crate::nn::lengths::lost;
use crate::nn::{BoxedLayer, Layer, ModelCache, Part, names};
use crate::param::Param;
use crate::random::Random;
use crate::tensor::{Tensor, copy, recycle, slice, slice_mut, standard};

/// A block with its name, "0" or "block", as used in names of parameters and in errors.
pub(in crate::nn) type Named<'a, F> = (&'a str, &'a Sequential<F>);

/// Runs `f` for each block with its own copy of the input.
fn each<F: Scalar, B, T>(
    blocks: impl ExactSizeIterator<Item = (String, B)>,
    input: Tensor<F>,
    mut f: impl FnMut(B, Tensor<F>) -> Result<T>,
) -> Result<Vec<T>> {
    let last = blocks.len();
    let (mut results, mut input) = (Vec::with_capacity(last), Some(standard(input)));
    for (i, (name, block)) in blocks.enumerate() {
        let x = if i + 1 == last { input.take() } else { input.as_ref().map(copy) };
        let x = x.ok_or_else(|| Error::custom("there must be an input for each branch, got none"))?;
        results.push(f(block, x).map_err(|error| error.at(name))?);
    }
    Ok(results)
}

/// Pairs each block with its name, "branch 1".
fn numbered<T>(blocks: impl ExactSizeIterator<Item = T>) -> impl ExactSizeIterator<Item = (String, T)> {
    blocks.enumerate().map(|(i, block)| (format!("branch {i}"), block))
}

/// Returns the outputs of all blocks.
pub(in crate::nn) fn forward<F: Scalar>(
    blocks: &[Sequential<F>],
    input: Tensor<F>,
) -> Result<Vec<Tensor<F>>> {
    each(numbered(blocks.iter()), input, |block, x| block.forward(x).map(standard))
}

/// Returns the outputs of all blocks, and their caches.
pub(in crate::nn) fn forward_in<F: Scalar>(
    mode: Mode,
    blocks: &mut [Sequential<F>],
    input: Tensor<F>,
) -> Result<(Vec<Tensor<F>>, Vec<ModelCache>)> {
    let results = each(numbered(blocks.iter_mut()), input, |block, x| {
        mode.forward(block, x).map(|(y, cache)| (standard(y), cache))
    })?;
    Ok(results.into_iter().unzip())
}

/// Returns the gradient of the input, given those of the blocks' outputs.
pub(in crate::nn) fn backward<F: Scalar>(
    blocks: &mut [Sequential<F>],
    caches: Vec<ModelCache>,
    grads: Vec<Tensor<F>>,
) -> Result<Tensor<F>> {
    let mut sum = None;
    for (i, ((block, cache), grad)) in blocks.iter_mut().zip(caches).zip(grads).enumerate() {
        let back = block.backward(cache, grad).map_err(|error| error.at(format!("branch {i}")))?;
        sum = Some(match sum {
            None => standard(back),
            Some(sum) => added(sum, standard(back)),
        });
    }
    sum.ok_or_else(|| Error::custom("there must be at least one branch, got none"))
}

/// The same without the gradient of the input.
pub(in crate::nn) fn backward_params<F: Scalar>(
    blocks: &mut [Sequential<F>],
    caches: Vec<ModelCache>,
    grads: Vec<Tensor<F>>,
) -> Result<()> {
    for (i, ((block, cache), grad)) in blocks.iter_mut().zip(caches).zip(grads).enumerate() {
        block.backward_params(cache, grad).map_err(|error| error.at(format!("branch {i}")))?;
    }
    Ok(())
}

/// Computes `x + y` in the buffer of `x`; both have one shape and are in standard layout.
pub(in crate::nn) fn added<F: Scalar>(mut x: Tensor<F>, y: Tensor<F>) -> Tensor<F> {
    F::add_scaled(slice_mut(&mut x), F::one(), slice(&y));
    recycle(y);
    x
}

/// Checks that all outputs have the shape of the first.
pub(in crate::nn) fn check_equal<S: AsRef<[usize]>>(shapes: &[S], help: &str) -> Result<()> {
    let first = shapes.first().map(AsRef::as_ref).unwrap_or_default();
    match shapes.iter().map(AsRef::as_ref).enumerate().find(|(_, shape)| *shape != first) {
        None => Ok(()),
        Some((i, shape)) => {
            Err(Error::shape(format!("the output of branch {i}"), format!("{first:?}"), shape).help(help))
        }
    }
}

/// Returns the output shapes of all blocks for this input.
pub(in crate::nn) fn shapes<F: Scalar>(blocks: &[Sequential<F>], input: &[usize]) -> Result<Vec<Vec<usize>>> {
    if blocks.is_empty() {
        return Err(Error::argument("the number of branches", "at least 1", 0)
            .help("Give the blocks: `Concat::of([left, right])`; an empty block passes its input on."));
    }
    let shape = |(i, block)| shape_of(block, input).map_err(|error| error.at(format!("branch {i}")));
    blocks.iter().enumerate().map(shape).collect()
}

/// Returns the output shape of a block, whose output must not have lengths that the block makes: they would be lost.
pub(in crate::nn) fn shape_of<F: Scalar>(block: &Sequential<F>, input: &[usize]) -> Result<Vec<usize>> {
    if block.chain.lengths.are_made() {
        return Err(lost("the output of a block")
            .help("Put the layer that makes lengths in front, or end the block with `WithoutLengths` or `PoolSteps`."));
    }
    Layer::output_shape(block, input)
}

/// Checks that each block can be trained in batches of `samples` samples.
pub(in crate::nn) fn check_batch_size<F: Scalar>(
    blocks: &[Sequential<F>],
    input: &[usize],
    samples: usize,
) -> Result<()> {
    blocks.iter().enumerate().try_for_each(|(i, block)| {
        Layer::check_batch_size(block, input, samples).map_err(|error| error.at(format!("branch {i}")))
    })
}

/// Returns the blocks, named by their numbers.
pub(in crate::nn) fn parts<'a, F: Scalar>(blocks: &'a [Sequential<F>], input: &[usize]) -> Vec<Part<'a, F>> {
    blocks.iter().enumerate().map(|(i, block)| Part::new(i.to_string(), input.to_vec(), block)).collect()
}

/// Returns copies of the blocks.
pub(in crate::nn) fn boxed<F: Scalar>(blocks: &[Sequential<F>]) -> Vec<BoxedLayer<F>> {
    blocks.iter().cloned().map(BoxedLayer::new).collect()
}

/// Visits the parameters of a block under its name.
pub(in crate::nn) fn visit<F: Scalar>((name, block): Named<'_, F>, visit: &mut dyn FnMut(&str, &Param<F>)) {
    let mut full = names::take();
    block.visit_params(&mut |inner, param| {
        names::write(&mut full, name, inner);
        visit(&full, param);
    });
    names::put(full);
}

/// The same with mutable access.
pub(in crate::nn) fn visit_mut<F: Scalar>(
    name: &str,
    block: &mut Sequential<F>,
    visit: &mut dyn FnMut(&str, &mut Param<F>),
) {
    let mut full = names::take();
    block.visit_params_mut(&mut |inner, param| {
        names::write(&mut full, name, inner);
        visit(&full, param);
    });
    names::put(full);
}

/// Builds the blocks for one input; each draws from the stream of its number.
pub(in crate::nn) fn build<F: Scalar>(
    blocks: Vec<SequentialBuilder<F>>,
    input: &[usize],
    random: &Random,
) -> Result<Vec<Sequential<F>>> {
    let build = |(i, block): (usize, SequentialBuilder<F>)| {
        block.build_for(input, &random.child(i)).map_err(|error| error.at(format!("branch {i}")))
    };
    blocks.into_iter().enumerate().map(build).collect()
}
