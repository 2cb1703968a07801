//! Contributions to gradients: how they are added up, at values and at parameters.

use super::op_backward::Part;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::param::Param;
use crate::tensor::{Tensor, recycle, reshape, scratch, slice, slice_mut, standard};
use ndarray::{ArrayView2, ArrayViewMut2, Dimension, IxDyn};

/// Returns zeros in a spare buffer.
fn zeroed<F: Scalar>(shape: &IxDyn) -> Tensor<F> {
    let mut zeros = scratch(shape.slice());
    zeros.fill(F::zero());
    zeros
}

/// Adds to a gradient.
pub(super) fn add<F: Scalar>(sum: &mut Option<Tensor<F>>, gradient: Tensor<F>) {
    match sum {
        None => *sum = Some(gradient),
        Some(sum) => {
            F::add_scaled(slice_mut(sum), F::one(), slice(&gradient));
            recycle(gradient);
        }
    }
}

/// The shape of a matrix as two numbers.
fn matrix<F: Scalar>(of: &Tensor<F>) -> (usize, usize) {
    let columns = of.shape().last().copied().unwrap_or(1);
    (of.len() / columns.max(1), columns)
}

/// Refuses a contribution to an input that a step with so many inputs does not have.
pub(super) fn check_inputs<F: Scalar>(parts: &[(usize, Part<F>)], inputs: usize) -> Result<()> {
    match parts.iter().find(|(i, _)| *i >= inputs) {
        None => Ok(()),
        Some((i, _)) => {
            let expected = format!("be one of the {inputs}, from 0");
            Err(Error::data("the input that a gradient is given to", expected, i)
                .help("Correct `give` in the operation's `backward`."))
        }
    }
}

/// Refuses a contribution that does not fit the shape of the value. Those of custom operations come here.
fn check<F: Scalar>(part: &Part<F>, shape: &[usize]) -> Result<()> {
    match part {
        Part::Whole(gradient) if gradient.shape() == shape => Ok(()),
        Part::Whole(gradient) => {
            Err(Error::shape("the gradient at an input", format!("{shape:?}"), gradient.shape()).help(
                "It has the input's shape: correct `backward` of the operation or layer, or `Op::shape`.",
            ))
        }
        Part::Product(left, right) => {
            let ((rows, k), (other, m)) = (matrix(left), matrix(right));
            if rows == other && [k, m] == *shape {
                return Ok(());
            }
            let found = format!("{:?} and {:?}", left.shape(), right.shape());
            let expected = format!("be […, rows] and […, columns] of {shape:?}, with as many of both");
            Err(Error::data("the factors of the gradient", expected, found).help(
                "The gradient is `leftᵀ · right`: correct `give_product` in the operation's `backward`.",
            ))
        }
        Part::Rows(ids, rows) => {
            let fits = shape.len() == 2 && ids.iter().all(|&id| id < shape[0]);
            if fits && rows.len() == ids.len() * shape[1] {
                return Ok(());
            }
            let expected = format!("be [ids, columns] with ids below the rows of {shape:?}, a matrix");
            let found = format!("{:?} for {} ids", rows.shape(), ids.len());
            Err(Error::data("the rows of the gradient", expected, found)
                .help("Correct `give_rows` in the operation's `backward`."))
        }
        // Only this crate's operations give pieces.
        Part::Piece { .. } => Ok(()),
    }
}

/// Adds to the gradient of a parameter.
pub(super) fn into_param<F: Scalar>(param: &mut Param<F>, part: Part<F>) -> Result<()> {
    check(&part, param.shape())?;
    match part {
        Part::Whole(gradient) => {
            param.add_gradient(&gradient)?;
            recycle(gradient);
            Ok(())
        }
        Part::Product(left, right) => param.add_gradient_product(as_matrix(left), as_matrix(right)),
        Part::Rows(ids, rows) => {
            let columns = rows.shape().last().copied().unwrap_or(1);
            let view =
                ArrayView2::from_shape((ids.len(), columns), slice(&rows)).expect("sizes that were checked");
            param.add_gradient_rows(&ids, view)?;
            recycle(rows);
            Ok(())
        }
        piece @ Part::Piece { .. } => {
            let mut sum = None;
            into_gradient(&mut sum, piece, param.value().raw_dim())?;
            sum.map_or(Ok(()), |gradient| param.add_gradient(&gradient))
        }
    }
}

fn as_matrix<F: Scalar>(of: Tensor<F>) -> Tensor<F> {
    let (rows, columns) = matrix(&of);
    reshape(of, IxDyn(&[rows, columns]))
}

/// Adds to the gradient at a value of this shape.
pub(super) fn into_gradient<F: Scalar>(
    sum: &mut Option<Tensor<F>>,
    part: Part<F>,
    shape: IxDyn,
) -> Result<()> {
    check(&part, shape.slice())?;
    match part {
        Part::Whole(gradient) => {
            add(sum, standard(gradient));
        }
        Part::Product(left, right) => {
            let (left, right) = (as_matrix(left), as_matrix(right));
            let ((rows, k), (_, m)) = (matrix(&left), matrix(&right));
            let mut product = scratch(shape.slice());
            let l = ArrayView2::from_shape((rows, k), slice(&left)).expect("sizes that were checked");
            let r = ArrayView2::from_shape((rows, m), slice(&right)).expect("sizes that were checked");
            let out =
                ArrayViewMut2::from_shape((k, m), slice_mut(&mut product)).expect("sizes that were checked");
            F::matmul(l.reversed_axes(), r, F::zero(), out);
            add(sum, product);
            recycle(left);
            recycle(right);
        }
        Part::Rows(ids, rows) => {
            let columns = shape[1];
            let whole = slice_mut(sum.get_or_insert_with(|| zeroed(&shape)));
            for (id, row) in ids.iter().zip(slice(&rows).chunks_exact(columns)) {
                F::add_scaled(&mut whole[id * columns..][..columns], F::one(), row);
            }
            recycle(rows);
        }
        Part::Piece { block, offset, columns, values } => {
            let whole = sum.get_or_insert_with(|| zeroed(&shape));
            let blocks = slice_mut(whole).chunks_exact_mut(block).zip(slice(&values).chunks_exact(columns));
            for (whole, values) in blocks {
                F::add_scaled(&mut whole[offset..offset + columns], F::one(), values);
            }
            recycle(values);
        }
    }
    Ok(())
}
