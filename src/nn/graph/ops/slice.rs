//! A part of an axis.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::graph::op::{Op, Steps};
use crate::nn::graph::op_backward::Backward;
use crate::nn::graph::shape::{Shape, Shapes};
use crate::state::Kind;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// A part of an axis, as it was written. Negative positions count from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::nn::graph) enum Part {
    /// From a position up to another, or to the end.
    Range(i64, Option<i64>),
    /// One position; the axis goes.
    Index(i64),
    /// Part `.0` of `.1` equal ones.
    Equal(usize, usize),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::nn::graph) struct Slice {
    pub axis: i64,
    pub part: Part,
}

impl Slice {
    /// Returns the axis, the first position, and the number of positions.
    fn cut(&self, of: &Shape) -> Result<(usize, usize, usize)> {
        let axis = of.axis(self.axis as isize)?;
        let size = of.sizes[axis] as i64;
        let position = |i: i64| if i < 0 { i.saturating_add(size) } else { i };
        let (from, to) = match self.part {
            Part::Range(from, to) => (position(from), to.map_or(size, position)),
            Part::Index(i) => (position(i), position(i).saturating_add(1)),
            Part::Equal(i, n) if i < n && (size as usize).is_multiple_of(n) => {
                let each = size as usize / n;
                ((each * i) as i64, (each * (i + 1)) as i64)
            }
            Part::Equal(_, n) => {
                let expected = format!("divide the {size} positions of axis {} evenly", self.axis);
                return Err(Error::data("the number of parts", expected, n)
                    .help("Cut parts of other lengths with `slice`."));
            }
        };
        if from < 0 || from >= to || to > size {
            if let Part::Index(i) = self.part {
                let expected = format!("one of the {size} positions of axis {}", self.axis);
                return Err(Error::argument("the position", expected, i)
                    .help("Positions count from 0, and negative ones from the end: -1 is the last."));
            }
            let found = match self.part {
                Part::Range(from, None) => format!("`{from}..`"),
                Part::Range(from, Some(to)) => format!("`{from}..{to}`"),
                Part::Index(_) | Part::Equal(..) => "another".to_owned(),
            };
            let expected = format!("within the {size} positions of axis {}, and not empty", self.axis);
            return Err(Error::argument("the range", expected, found)
                .help("Negative positions count from the end: `-2..` are the last two."));
        }
        Ok((axis, from as usize, (to - from) as usize))
    }

    /// Returns the numbers in a block of the input, the position of the part in it, and the numbers of the part.
    fn columns(&self, shapes: Shapes<'_>) -> Result<(usize, usize, usize)> {
        let of = &shapes.inputs[0];
        let (_, from, count) = self.cut(of)?;
        let (n, inner) = of.extent(self.axis)?;
        Ok((n * inner, from * inner, count * inner))
    }
}

impl<F: Scalar> Op<F> for Slice {
    const KIND: Kind = Kind::builtin("slice");

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        let (axis, _, count) = self.cut(inputs[0])?;
        let mut sizes = inputs[0].sizes.clone();
        if let Part::Index(_) = self.part {
            sizes.remove(axis);
        } else {
            sizes[axis] = count;
        }
        Ok(Shape::new(inputs[0].batched, sizes))
    }

    fn steps(&self, inputs: &[&Shape], _: &Shape, _: usize) -> Steps {
        Steps::along(inputs[0], self.axis)
    }

    fn forward(&self, shapes: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        let (block, offset, columns) = self.columns(shapes)?;
        F::take_columns(inputs[0], block, offset, out, columns);
        Ok(())
    }

    fn backward(&self, pass: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()> {
        let shapes = pass.shapes();
        let (block, offset, columns) = self.columns(shapes)?;
        pass.give_piece(0, block, offset, columns, grad);
        Ok(())
    }
}
