//! One number for all numbers along an axis.

use crate::error::Result;
use crate::kernels::Scalar;
use crate::nn::graph::op::{Give, Kept, Needs, Op, Site};
use crate::nn::graph::shape::Shape;
use crate::tensor::{Tensor, recycle, slice, slice_mut};
use serde::{Deserialize, Serialize};

/// The sum of the numbers along the axis.
pub(in crate::nn::graph) const SUM: u8 = 0;
/// Their mean.
pub(in crate::nn::graph) const MEAN: u8 = 1;
/// The largest of them; the first of equal ones gets the gradient.
pub(in crate::nn::graph) const MAX: u8 = 2;

/// A reduction: `R` is one of the constants above. Each is a kind of its own in files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::nn::graph) struct Reduce<const R: u8> {
    pub axis: i64,
    /// Whether the axis stays, with a size of 1.
    pub keepdim: bool,
}

impl<const R: u8> Reduce<R> {
    /// Returns the numbers along the axis, and behind it.
    fn block(&self, site: Site<'_>) -> Result<(usize, usize)> {
        let of = &site.inputs[0];
        let (_, n, inner) = of.split(of.axis(self.axis as isize)?, site.batch);
        Ok((n, inner))
    }

    fn factor<F: Scalar>(&self, n: usize) -> F {
        if R == MEAN { F::of(1.0 / n as f64) } else { F::one() }
    }
}

/// Returns whether `x` takes the place of the largest number so far; NaN is the largest of all.
fn is_larger<F: Scalar>(x: F, largest: F) -> bool {
    x > largest || x.is_nan() && !largest.is_nan()
}

impl<F: Scalar, const R: u8> Op<F> for Reduce<R> {
    const KIND: &'static str = ["sum", "mean", "max"][R as usize];

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        let axis = inputs[0].axis(self.axis as isize)?;
        let mut sizes = inputs[0].sizes.clone();
        if self.keepdim {
            sizes[axis] = 1;
        } else {
            sizes.remove(axis);
        }
        Ok(Shape::new(inputs[0].batched, sizes))
    }

    fn forward(&self, site: Site<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        let (n, inner) = self.block(site)?;
        let blocks = inputs[0].chunks_exact(n * inner).zip(out.chunks_exact_mut(inner));
        match R {
            MAX => blocks.for_each(|(block, out)| {
                let (first, rest) = block.split_at(inner);
                out.copy_from_slice(first);
                for row in rest.chunks_exact(inner) {
                    out.iter_mut().zip(row).for_each(|(out, &x)| {
                        *out = if is_larger(x, *out) { x } else { *out };
                    });
                }
            }),
            _ if inner == 1 => {
                blocks.for_each(|(block, out)| out[0] = F::sum_in_lanes(block) * self.factor(n));
            }
            _ => blocks.for_each(|(block, out)| {
                F::sum_columns(block, F::zero(), out);
                if R == MEAN {
                    F::scale(out, self.factor(n));
                }
            }),
        }
        Ok(())
    }

    fn needs(&self, _: usize) -> Needs {
        if R == MAX { Needs::input(0) } else { Needs::NOTHING }
    }

    fn backward(
        &self,
        site: Site<'_>,
        kept: &mut Kept<'_, '_, F>,
        grad: Tensor<F>,
        give: &mut Give<'_, F>,
    ) -> Result<()> {
        let ((n, inner), mut back) = (self.block(site)?, site.gradient(0));
        let blocks = slice_mut(&mut back).chunks_exact_mut(n * inner).zip(slice(&grad).chunks_exact(inner));
        if R == MAX {
            let x = kept.input(0)?.chunks_exact(n * inner);
            blocks.zip(x).for_each(|((back, grad), x)| {
                back.fill(F::zero());
                for (column, &grad) in grad.iter().enumerate() {
                    let mut largest = column;
                    for at in (column..n * inner).step_by(inner) {
                        largest = if is_larger(x[at], x[largest]) { at } else { largest };
                    }
                    back[largest] = grad;
                }
            });
        } else {
            let factor: F = self.factor(n);
            blocks.for_each(|(back, grad)| {
                for row in back.chunks_exact_mut(inner) {
                    row.copy_from_slice(grad);
                }
                if R == MEAN {
                    F::scale(back, factor);
                }
            });
        }
        recycle(grad);
        give.whole(0, back);
        Ok(())
    }
}
