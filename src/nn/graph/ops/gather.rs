//! Rows of a table by ids.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::graph::op::{Needs, Op, Steps};
use crate::nn::graph::op_backward::Backward;
use crate::nn::graph::shape::{Shape, Shapes};
use crate::nn::io::integer_of;
use crate::state::Kind;
use crate::tensor::{Tensor, reshape};
use ndarray::IxDyn;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// `table [rows, columns]` and `ids […]` to `[…, columns]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::nn::graph) struct Gather;

/// What ids are below: a number, what it is, and the advice for others.
#[derive(Clone, Copy)]
pub(super) struct Below {
    pub limit: usize,
    pub what: &'static str,
    pub help: &'static str,
}

impl Below {
    /// The number of rows of the table.
    fn rows(shapes: Shapes<'_>) -> Self {
        let help = "Encode the values as the table's rows are numbered.";
        Self { limit: shapes.inputs[0].sizes[0], what: "the rows of the table", help }
    }
}

/// Returns the ids, of this shape, as integers.
pub(super) fn read<F: Scalar>(
    ids: &[F],
    of: &Shape,
    Below { limit, what, help }: Below,
) -> impl Iterator<Item = Result<usize>> {
    ids.iter().enumerate().map(move |(i, x)| {
        if let Some(id) = integer_of(*x).filter(|&id| id < limit) {
            return Ok(id);
        }
        let expected = format!("be an integer from 0 to {}, below {what}", limit - 1);
        Err(if of.batched {
            Error::sample("an id", i / of.len(), expected, x).help(help)
        } else {
            Error::data("an id", expected, x).help(help)
        })
    })
}

impl<F: Scalar> Op<F> for Gather {
    const KIND: Kind = Kind::builtin("gather");
    const INPUTS: RangeInclusive<usize> = 2..=2;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        let (table, ids) = (inputs[0], inputs[1]);
        let [_, columns] = table.sizes[..] else { return Err(no_table(table)) };
        if table.batched {
            return Err(no_table(table));
        }
        let mut sizes = ids.sizes.clone();
        sizes.push(columns);
        Ok(Shape::new(ids.batched, sizes))
    }

    fn steps(&self, inputs: &[&Shape], _: &Shape, input: usize) -> Steps {
        Steps::kept_if(input == 1 && !inputs[1].sizes.is_empty())
    }

    fn forward(&self, shapes: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        let columns = shapes.inputs[0].sizes[1];
        for (out, id) in
            out.chunks_exact_mut(columns).zip(read(inputs[1], &shapes.inputs[1], Below::rows(shapes)))
        {
            out.copy_from_slice(&inputs[0][id? * columns..][..columns]);
        }
        Ok(())
    }

    fn needs(&self, _: usize) -> Needs {
        Needs::input(1)
    }

    fn backward(&self, pass: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()> {
        let shapes = pass.shapes();
        if pass.wants(0) {
            let ids =
                read(pass.input(1)?, &shapes.inputs[1], Below::rows(shapes)).collect::<Result<Vec<_>>>()?;
            let rows = IxDyn(&[ids.len(), shapes.inputs[0].sizes[1]]);
            pass.give_rows(0, ids, reshape(grad, rows));
        }
        Ok(())
    }
}

fn no_table(found: &Shape) -> Error {
    Error::data("the table", "be a parameter of shape [rows, columns]", format!("shape {found}"))
        .help("Rows are taken out of what all samples share: `table.gather(ids)`.")
}
