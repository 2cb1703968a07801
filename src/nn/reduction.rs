//! One number for all numbers along an axis: what operations of graphs and [`PoolSteps`](super::PoolSteps) share.
//!
//! Arrays are seen as `[blocks, n, inner]`, reduced over the middle axis. With lengths, a block is a sample, and its
//! numbers behind the length are padding, which is left out. A block is computed as it would be alone and without padding,
//! so it has the same bits. A block without any number gives 0, or 1 as
//! a product.

use super::io::length_of;
use crate::error::Result;
use crate::kernels::{Most, Scalar};
use serde::{Deserialize, Serialize};

/// What is computed. The order of the variants is part of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::nn) enum Reduction {
    Sum,
    Mean,
    /// The largest number; the first of equal ones gets the gradient.
    Max,
    /// The smallest number; the first of equal ones gets the gradient.
    Min,
    /// The product; that of no number is 1.
    Product,
}

/// The numbers along the axis and behind it, and the length of each block.
#[derive(Clone, Copy, Debug)]
pub(in crate::nn) struct Extent<'a, F> {
    pub n: usize,
    pub inner: usize,
    pub lengths: Option<&'a [F]>,
}

impl<F: Scalar> Extent<'_, F> {
    /// Returns how many of the `n` numbers count in a block.
    fn real(self, block: usize) -> Result<usize> {
        self.lengths.map_or(Ok(self.n), |lengths| length_of(lengths[block], block, self.n))
    }
}

fn share<F: Scalar>(n: usize) -> F {
    F::of(1.0 / n as f64)
}

impl Reduction {
    /// Whether the gradient is computed from the input.
    pub fn reads_input(self) -> bool {
        !matches!(self, Self::Sum | Self::Mean)
    }

    /// Computes the result, `[blocks, inner]`.
    pub fn forward<F: Scalar>(self, x: &[F], extent: Extent<'_, F>, out: &mut [F]) -> Result<()> {
        let Extent { n, inner, .. } = extent;
        for (i, (block, out)) in x.chunks_exact(n * inner).zip(out.chunks_exact_mut(inner)).enumerate() {
            let real = extent.real(i)?;
            let block = &block[..real * inner];
            match self {
                Self::Product if real == 0 => out.fill(F::one()),
                _ if real == 0 => out.fill(F::zero()),
                Self::Max => F::most(Most::Largest, block, inner, out),
                Self::Min => F::most(Most::Smallest, block, inner, out),
                Self::Product => F::products(block, inner, out),
                Self::Sum | Self::Mean => {
                    if inner == 1 {
                        out[0] = F::sum_in_lanes(block);
                    } else {
                        F::sum_columns(block, F::zero(), out);
                    }
                    if self == Self::Mean {
                        F::scale(out, share(real));
                    }
                }
            }
        }
        Ok(())
    }

    /// Computes the gradient at `x`, given that at the result. `x` may be empty if it is not [read](Self::reads_input).
    pub fn backward<F: Scalar>(
        self,
        x: &[F],
        grad: &[F],
        extent: Extent<'_, F>,
        back: &mut [F],
    ) -> Result<()> {
        let Extent { n, inner, .. } = extent;
        for (i, (back, grad)) in back.chunks_exact_mut(n * inner).zip(grad.chunks_exact(inner)).enumerate() {
            let real = extent.real(i)?;
            let (back, padding) = back.split_at_mut(real * inner);
            padding.fill(F::zero());
            if real == 0 {
                continue;
            }
            if self.reads_input() {
                let x = &x[i * n * inner..][..real * inner];
                match self {
                    Self::Max => F::most_back(Most::Largest, x, inner, grad, back),
                    Self::Min => F::most_back(Most::Smallest, x, inner, grad, back),
                    _ => F::products_back(x, inner, grad, back),
                }
                continue;
            }
            let factor = if self == Self::Mean { share(real) } else { F::one() };
            if let [grad] = grad {
                back.fill(*grad * factor);
                continue;
            }
            back.chunks_exact_mut(inner).for_each(|row| row.copy_from_slice(grad));
            if self == Self::Mean {
                F::scale(back, factor);
            }
        }
        Ok(())
    }
}
