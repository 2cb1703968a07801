//! [`Backward`]: what the derivative of an operation is given, and what it gives.

use super::shape::{MAX_INPUTS, Shapes};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::{Tensor, copy, recycle, scratch, slice};
use ndarray::Dimension;

/// A value that was kept for the backward pass.
#[derive(Debug, Default)]
pub(super) enum Held<'a, F: Scalar> {
    #[default]
    Nothing,
    /// Somebody else reads it later, or it is a parameter.
    Lent(&'a Tensor<F>),
    /// This is the last step that reads it.
    Own(Tensor<F>),
}

/// A contribution to a gradient.
#[derive(Debug)]
pub(super) enum Part<F: Scalar> {
    Whole(Tensor<F>),
    /// `leftᵀ · right`, of matrices with one row for each row of the batch.
    Product(Tensor<F>, Tensor<F>),
    /// Rows along axis 0, by ids.
    Rows(Vec<usize>, Tensor<F>),
    /// `columns` numbers from `offset` on, in each block of `block` numbers.
    Piece {
        block: usize,
        offset: usize,
        columns: usize,
        values: Tensor<F>,
    },
}

/// The gradients that a step gives.
#[derive(Debug)]
pub(super) struct Give<'a, F: Scalar> {
    pub wanted: &'a [bool],
    pub parts: &'a mut Vec<(usize, Part<F>)>,
}

impl<F: Scalar> Give<'_, F> {
    /// Returns whether the gradient at this input is needed.
    pub fn wants(&self, input: usize) -> bool {
        self.wanted.get(input) == Some(&true)
    }

    /// Gives the gradient at an input, in the input's shape.
    pub fn whole(&mut self, input: usize, gradient: Tensor<F>) {
        self.parts.push((input, Part::Whole(gradient)));
    }
}

/// The backward pass of an operation: the values that it asked for, and the place for the gradients at its inputs.
///
/// [`Op::backward`](super::Op::backward) is called with it and with the gradient at the output. It gives the gradient at
/// each input that is [wanted](Self::wants), in the input's shape:
///
/// | | the gradient at the input is |
/// |---|---|
/// | [`give`](Self::give) | an array |
/// | [`give_product`](Self::give_product) | `leftᵀ · right`, which a parameter multiplies out in the optimizer's step |
/// | [`give_rows`](Self::give_rows) | some rows, and 0 elsewhere, which a parameter keeps as rows |
///
/// An input that is given several gradients gets their sum, one that is given none has the gradient 0, and a gradient
/// that is not wanted is dropped. The values that [`Op::needs`](super::Op::needs) names are there as slices, in row-major
/// order.
#[derive(Debug)]
pub struct Backward<'a, F: Scalar = f32> {
    shapes: Shapes<'a>,
    /// The inputs that were kept.
    pub(super) inputs: [Held<'a, F>; MAX_INPUTS],
    pub(super) output: Option<&'a Tensor<F>>,
    give: Give<'a, F>,
}

impl<'a, F: Scalar> Backward<'a, F> {
    pub(super) fn new(shapes: Shapes<'a>, give: Give<'a, F>) -> Self {
        Self { shapes, inputs: [const { Held::Nothing }; MAX_INPUTS], output: None, give }
    }

    /// Gives the memory of the inputs back that nobody has taken.
    pub(super) fn recycle(self) {
        for held in self.inputs {
            if let Held::Own(value) = held {
                recycle(value);
            }
        }
    }

    /// Returns the shapes of the inputs and of the output.
    pub fn shapes(&self) -> Shapes<'a> {
        self.shapes
    }

    /// Returns an input.
    ///
    /// # Errors
    /// If [`Op::needs`](super::Op::needs) does not name it for any of the gradients that are wanted.
    pub fn input(&self, i: usize) -> Result<&[F]> {
        match self.inputs.get(i) {
            Some(Held::Lent(x)) => Ok(slice(x)),
            Some(Held::Own(x)) => Ok(slice(x)),
            _ => Err(not_kept(&format!("input {i}"))),
        }
    }

    /// Returns an input as an array: itself if nobody else reads it, otherwise a copy. It is not there afterwards.
    ///
    /// # Errors
    /// As [`input`](Self::input).
    pub fn take_input(&mut self, i: usize) -> Result<Tensor<F>> {
        match self.inputs.get_mut(i).map(std::mem::take) {
            Some(Held::Own(x)) => Ok(x),
            Some(Held::Lent(x)) => Ok(copy(x)),
            _ => Err(not_kept(&format!("input {i}"))),
        }
    }

    /// Returns the output.
    ///
    /// # Errors
    /// As [`input`](Self::input).
    pub fn output(&self) -> Result<&'a [F]> {
        self.output.map(slice).ok_or_else(|| not_kept("the output"))
    }

    /// Returns whether the gradient at this input is needed.
    pub fn wants(&self, input: usize) -> bool {
        self.give.wants(input)
    }

    /// Returns an array in the shape of an input, for its gradient, with arbitrary numbers.
    ///
    /// # Panics
    /// If there is no such input.
    pub fn scratch(&self, input: usize) -> Tensor<F> {
        scratch(self.shapes.inputs[input].whole(self.shapes.batch).slice())
    }

    /// Gives the gradient at an input, in the input's shape. Another shape is an error of the backward pass.
    pub fn give(&mut self, input: usize, gradient: Tensor<F>) {
        self.give.whole(input, gradient);
    }

    /// Gives the gradient at a matrix `[rows, columns]` as `leftᵀ · right`, of `[…, rows]` and `[…, columns]`. A parameter
    /// keeps it as a product until the optimizer's step.
    pub fn give_product(&mut self, input: usize, left: Tensor<F>, right: Tensor<F>) {
        self.give.parts.push((input, Part::Product(left, right)));
    }

    /// Gives the gradient at some rows of a matrix, by their numbers: `rows` is `[ids, columns]`. An id that occurs twice
    /// adds up. A parameter keeps it as rows.
    pub fn give_rows(&mut self, input: usize, ids: Vec<usize>, rows: Tensor<F>) {
        self.give.parts.push((input, Part::Rows(ids, rows)));
    }

    /// Gives the gradient at a part of an input, which is 0 elsewhere: `columns` numbers from `offset` on, in each block
    /// of `block` numbers.
    pub(super) fn give_piece(
        &mut self,
        input: usize,
        block: usize,
        offset: usize,
        columns: usize,
        values: Tensor<F>,
    ) {
        self.give.parts.push((input, Part::Piece { block, offset, columns, values }));
    }
}

/// The error of a value that an operation reads and did not ask for.
fn not_kept(what: &str) -> Error {
    Error::data(
        format!("what `backward` reads, {what},"),
        "be named by `Op::needs`",
        "a value that is not kept",
    )
    .help("Return `Needs::input(i)` or `Needs::OUTPUT` for each gradient that is computed from it.")
}
