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

/// Returns an id as an integer below `count`. `of` is the shape of the ids, and `i` the position among all of them.
pub(super) fn id_of<F: Scalar>(x: F, i: usize, count: usize, of: &Shape) -> Result<usize> {
    if let Some(id) = integer_of(x).filter(|&id| id < count) {
        return Ok(id);
    }
    let expected = format!("be an integer from 0 to {}", count - 1);
    let help = "Ids are positions in the table, or along the axis, from 0; look where this one comes from.";
    Err(if of.batched {
        Error::sample("an id", i / of.len(), expected, x).help(help)
    } else {
        Error::data("an id", expected, x).help(help)
    })
}

/// Returns the ids as integers, each below the number of rows.
fn read<F: Scalar>(ids: &[F], shapes: Shapes<'_>) -> impl Iterator<Item = Result<usize>> {
    let (rows, of) = (shapes.inputs[0].sizes[0], &shapes.inputs[1]);
    ids.iter().enumerate().map(move |(i, x)| id_of(*x, i, rows, of))
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
        for (out, id) in out.chunks_exact_mut(columns).zip(read(inputs[1], shapes)) {
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
            let ids = read(pass.input(1)?, shapes).collect::<Result<Vec<_>>>()?;
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
