//! Axes of size 1 repeated.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::graph::op::{Op, Steps};
use crate::nn::graph::op_backward::Backward;
use crate::nn::graph::shape::{Shape, Shapes};
use crate::state::Kind;
use crate::tensor::{Tensor, recycle, reshape, scratch, slice, slice_mut, standard};
use ndarray::{ArrayViewD, ArrayViewMutD, Dimension, IxDyn};
use serde::{Deserialize, Serialize};

/// The value with these sizes of a sample, to which it broadcasts; -1 keeps a size.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::nn::graph) struct Expand {
    #[serde(deserialize_with = "crate::codec::list::<_, _, { crate::codec::MAX_AXES }>")]
    pub sizes: Vec<i64>,
}

impl Expand {
    /// Returns the sizes for a value of these sizes, if it broadcasts to them.
    fn sizes(&self, own: &[usize]) -> Option<Vec<usize>> {
        let lead = self.sizes.len().checked_sub(own.len())?;
        let size = |(i, &n): (usize, &i64)| match i.checked_sub(lead).map(|i| own[i]) {
            Some(own) if n == -1 => Some(own),
            own => usize::try_from(n).ok().filter(|&n| n > 0 && own.is_none_or(|own| own == 1 || own == n)),
        };
        self.sizes.iter().enumerate().map(size).collect()
    }
}

impl<F: Scalar> Op<F> for Expand {
    const KIND: Kind = Kind::builtin("expand");

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        let sizes = self.sizes(&inputs[0].sizes).ok_or_else(|| {
            let expected = format!("sizes to which {} broadcasts", inputs[0]);
            Error::argument("sizes", expected, format!("{:?}", self.sizes)).help(
                "Give the sizes of one sample, without the batch axis: an axis of 1 is repeated, others keep their \
                 size, and so does any for which -1 stands.",
            )
        })?;
        Ok(Shape::new(inputs[0].batched, sizes))
    }

    fn steps(&self, inputs: &[&Shape], output: &Shape, _: usize) -> Steps {
        let of = &inputs[0].sizes;
        Steps::kept_if(!of.is_empty() && of.len() == output.sizes.len() && of[0] == output.sizes[0])
    }

    fn forward(&self, shapes: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        expand(inputs[0], &shapes.inputs[0], shapes.output, shapes.batch, out);
        Ok(())
    }

    fn backward(&self, pass: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()> {
        let back = expand_back(grad, pass.shapes());
        pass.give(0, back);
        Ok(())
    }
}

/// Returns the shape with axes of size 1 in front of the sizes, as many as it lacks.
fn padded(own: &Shape, target: &Shape, batch: usize) -> IxDyn {
    let mut whole = IxDyn::zeros(target.sizes.len() + own.lead());
    whole.slice_mut().fill(1);
    if own.batched {
        whole[0] = batch;
    }
    let lead = whole.ndim() - own.sizes.len();
    own.sizes.iter().enumerate().for_each(|(i, &n)| whole[lead + i] = n);
    whole
}

/// Repeats a value along its axes of size 1.
pub(in crate::nn::graph) fn expand<F: Scalar>(
    x: &[F],
    own: &Shape,
    target: &Shape,
    batch: usize,
    out: &mut [F],
) {
    let x = ArrayViewD::from_shape(padded(own, target, batch), x).expect("as many numbers");
    let whole = target.whole(batch);
    let mut out = ArrayViewMutD::from_shape(whole.clone(), out).expect("as many numbers");
    out.assign(&x.broadcast(whole).expect("a shape that broadcasts"));
}

/// Adds up the gradient of what [`expand`] repeated, axis by axis.
pub(in crate::nn::graph) fn expand_back<F: Scalar>(grad: Tensor<F>, shapes: Shapes<'_>) -> Tensor<F> {
    let (own, target) = (&shapes.inputs[0], shapes.output);
    let from = padded(own, target, shapes.batch);
    let mut sum = standard(grad);
    for axis in 0..from.ndim() {
        let size = sum.shape()[axis];
        if from[axis] == size {
            continue;
        }
        let inner: usize = sum.shape()[axis + 1..].iter().product();
        let mut shape = sum.raw_dim();
        shape[axis] = 1;
        let mut less = scratch(shape.slice());
        let blocks = slice(&sum).chunks_exact((size * inner).max(1));
        for (block, out) in blocks.zip(slice_mut(&mut less).chunks_exact_mut(inner.max(1))) {
            F::sum_columns(block, F::zero(), out);
        }
        recycle(std::mem::replace(&mut sum, less));
    }
    reshape(sum, own.whole(shapes.batch))
}
