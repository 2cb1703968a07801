//! What an operation is: a function of several values, and its derivative.
//!
//! An operation is written against plain slices in row-major order; [`Site`] has the shapes. It is called through one
//! of two tables, as layers are: [`InferOp`] has what inference needs, [`TrainOp`] also the derivative. So a program
//! that only infers contains no backward pass.

use super::shape::Shape;
use crate::codec;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::output_activation::OutputActivation;
use crate::tensor::{Tensor, copy, scratch, slice};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// The maximum number of inputs of an operation: `Needs` has a bit for each.
pub(super) const MAX_INPUTS: usize = 64;

/// The shapes of an operation's inputs and of its output, as [`Op::shape`] returned it, and the batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site<'a> {
    pub inputs: &'a [Shape],
    pub output: &'a Shape,
    pub batch: usize,
}

impl Site<'_> {
    /// Returns an array for the gradient at an input, with arbitrary numbers.
    pub fn gradient<F: Scalar>(&self, input: usize) -> Tensor<F> {
        scratch(ndarray::Dimension::slice(&self.inputs[input].whole(self.batch)))
    }
}

/// What the gradient at an input is computed from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// A bit for each input.
    inputs: u64,
    output: bool,
}

impl Needs {
    pub const NOTHING: Self = Self { inputs: 0, output: false };
    pub const OUTPUT: Self = Self { inputs: 0, output: true };

    pub const fn input(i: usize) -> Self {
        Self { inputs: 1 << i, output: false }
    }

    pub const fn and(self, other: Self) -> Self {
        Self { inputs: self.inputs | other.inputs, output: self.output || other.output }
    }

    pub const fn has_input(self, i: usize) -> bool {
        self.inputs >> i & 1 == 1
    }

    pub const fn has_output(self) -> bool {
        self.output
    }
}

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

/// The values of the forward pass for which [`Op::needs`] asked.
#[derive(Debug)]
pub(crate) struct Kept<'a, 'b, F: Scalar> {
    pub(super) inputs: &'b mut [Held<'a, F>],
    pub(super) output: Option<&'a Tensor<F>>,
}

impl<'a, F: Scalar> Kept<'a, '_, F> {
    /// Returns an input.
    pub fn input(&self, i: usize) -> Result<&[F]> {
        match self.inputs.get(i) {
            Some(Held::Lent(x)) => Ok(slice(x)),
            Some(Held::Own(x)) => Ok(slice(x)),
            _ => Err(lost()),
        }
    }

    /// Returns an input as an array: itself if nobody else reads it, otherwise a copy.
    pub fn take(&mut self, i: usize) -> Result<Tensor<F>> {
        match self.inputs.get_mut(i).map(std::mem::take) {
            Some(Held::Own(x)) => Ok(x),
            Some(Held::Lent(x)) => Ok(copy(x)),
            _ => Err(lost()),
        }
    }

    /// Returns the output.
    pub fn output(&self) -> Result<&'a [F]> {
        self.output.map(slice).ok_or_else(lost)
    }
}

/// The error of a value that should be there: a mistake in this crate, not a user's.
pub(super) fn lost() -> Error {
    Error::custom("a value of the graph must be there when it is read, got none")
        .help("This is a mistake in Plywood; please report it.")
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

/// The gradients that an operation returns.
#[derive(Debug)]
pub(crate) struct Give<'a, F: Scalar> {
    pub(super) wanted: &'a [bool],
    pub(super) parts: &'a mut Vec<(usize, Part<F>)>,
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

    /// Gives the gradient at a matrix as `leftᵀ · right`. A parameter keeps it as a product until the optimizer's step.
    pub fn product(&mut self, input: usize, left: Tensor<F>, right: Tensor<F>) {
        self.parts.push((input, Part::Product(left, right)));
    }

    /// Gives the gradient at some rows of a matrix. A parameter keeps it as rows.
    pub fn rows(&mut self, input: usize, ids: Vec<usize>, rows: Tensor<F>) {
        self.parts.push((input, Part::Rows(ids, rows)));
    }

    /// Gives the gradient at a part of an input, which is 0 elsewhere: `columns` numbers from `offset` on, in each block
    /// of `block` numbers.
    pub fn piece(&mut self, input: usize, block: usize, offset: usize, columns: usize, values: Tensor<F>) {
        self.parts.push((input, Part::Piece { block, offset, columns, values }));
    }
}

/// What becomes of the steps of an input with lengths: its axis after the batch axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Steps {
    /// They are mixed with each other, or moved.
    Mixed,
    /// Each step of the output is computed from this step alone.
    Kept,
    /// They are mixed, but the operation reads the lengths and leaves padding out.
    Read,
}

impl Steps {
    pub fn kept_if(kept: bool) -> Self {
        if kept { Self::Kept } else { Self::Mixed }
    }
}

/// An operation on values of a graph.
///
/// Its fields are what the user wrote, as a file stores them: nothing that follows from shapes, which would have to be
/// checked. [`shape`](Op::shape) checks all fields; the other methods are only called with what it accepted.
pub(crate) trait Op<F: Scalar>:
    Clone + Debug + Send + Sync + Serialize + DeserializeOwned + 'static
{
    /// The name in files, in the summary and in errors.
    const KIND: &'static str;
    /// The number of inputs, which is checked before anything else.
    const INPUTS: RangeInclusive<usize> = 1..=1;
    /// Whether it has a [`forward_in_place`](Op::forward_in_place).
    const IN_PLACE: bool = false;

    /// Returns the shape of the output.
    fn shape(&self, inputs: &[&Shape]) -> Result<Shape>;

    /// Returns what becomes of the steps of an input with lengths. `output` is what [`shape`](Op::shape) returned.
    fn steps(&self, inputs: &[&Shape], output: &Shape, input: usize) -> Steps {
        let _ = (inputs, output, input);
        Steps::Mixed
    }

    /// Computes the output, which has arbitrary numbers before.
    fn forward(&self, site: Site<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()>;

    /// Computes the output in place of the only input, which nobody else reads and which has as many numbers as the
    /// output. It is called if [`IN_PLACE`](Op::IN_PLACE) is true.
    fn forward_in_place(&self, site: Site<'_>, x: &mut [F]) {
        let _ = (site, x);
    }

    /// Returns what the gradient at an input is computed from, beside that at the output. By default nothing: what is
    /// not asked for is not there in [`backward`](Op::backward).
    fn needs(&self, input: usize) -> Needs {
        let _ = input;
        Needs::NOTHING
    }

    /// Gives the gradients at the inputs that are wanted.
    fn backward(
        &self,
        site: Site<'_>,
        kept: &mut Kept<'_, '_, F>,
        grad: Tensor<F>,
        give: &mut Give<'_, F>,
    ) -> Result<()>;

    /// Returns the activation that the operation is, if it is one that a loss can leave out.
    fn activation(&self) -> OutputActivation {
        OutputActivation::Unknown
    }
}

/// The part of [`Op`] that inference needs, as an object-safe trait.
pub(crate) trait InferOp<F: Scalar>: Debug + Send + Sync {
    /// [`Op::KIND`].
    fn kind(&self) -> &'static str;
    /// [`Op::shape`], after the check of the number of inputs.
    fn shape(&self, inputs: &[&Shape]) -> Result<Shape>;
    /// [`Op::steps`].
    fn steps(&self, inputs: &[&Shape], output: &Shape, input: usize) -> Steps;
    /// [`Op::forward`].
    fn forward(&self, site: Site<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()>;
    /// [`Op::IN_PLACE`].
    fn is_in_place(&self) -> bool;
    /// [`Op::forward_in_place`].
    fn forward_in_place(&self, site: Site<'_>, x: &mut [F]);
    /// [`Op::activation`].
    fn activation(&self) -> OutputActivation;
    /// Returns the fields as bytes.
    fn encode(&self) -> Result<Vec<u8>>;
}

/// The object-safe version of [`Op`].
pub(crate) trait TrainOp<F: Scalar>: InferOp<F> {
    /// [`Op::needs`].
    fn needs(&self, input: usize) -> Needs;
    /// [`Op::backward`].
    fn backward(
        &self,
        site: Site<'_>,
        kept: &mut Kept<'_, '_, F>,
        grad: Tensor<F>,
        give: &mut Give<'_, F>,
    ) -> Result<()>;
}

impl<F: Scalar, O: Op<F>> InferOp<F> for O {
    fn kind(&self) -> &'static str {
        O::KIND
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        check_count(&O::INPUTS, inputs.len())?;
        Op::shape(self, inputs)?.check()
    }

    fn steps(&self, inputs: &[&Shape], output: &Shape, input: usize) -> Steps {
        Op::steps(self, inputs, output, input)
    }

    fn forward(&self, site: Site<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        Op::forward(self, site, inputs, out)
    }

    fn is_in_place(&self) -> bool {
        O::IN_PLACE
    }

    fn forward_in_place(&self, site: Site<'_>, x: &mut [F]) {
        Op::forward_in_place(self, site, x);
    }

    fn activation(&self) -> OutputActivation {
        Op::activation(self)
    }

    fn encode(&self) -> Result<Vec<u8>> {
        codec::encode(self)
    }
}

impl<F: Scalar, O: Op<F>> TrainOp<F> for O {
    fn needs(&self, input: usize) -> Needs {
        Op::needs(self, input)
    }

    fn backward(
        &self,
        site: Site<'_>,
        kept: &mut Kept<'_, '_, F>,
        grad: Tensor<F>,
        give: &mut Give<'_, F>,
    ) -> Result<()> {
        Op::backward(self, site, kept, grad, give)
    }
}

/// Checks a number of inputs.
pub(super) fn check_count(expected: &RangeInclusive<usize>, found: usize) -> Result<()> {
    if expected.contains(&found) && found <= MAX_INPUTS {
        return Ok(());
    }
    let expected = format!("from {} to {}", expected.start(), expected.end());
    Err(Error::data("the number of inputs", format!("be {expected}"), found)
        .help("Give the operation as many values."))
}

/// A table of operations: that of inference, or that of training.
pub(crate) trait OpTable<F: Scalar>: InferOp<F> {
    /// Puts an operation behind the table.
    fn of<O: Op<F>>(op: O) -> Arc<Self>;
}

impl<F: Scalar> OpTable<F> for dyn InferOp<F> {
    fn of<O: Op<F>>(op: O) -> Arc<Self> {
        Arc::new(op)
    }
}

impl<F: Scalar> OpTable<F> for dyn TrainOp<F> {
    fn of<O: Op<F>>(op: O) -> Arc<Self> {
        Arc::new(op)
    }
}

/// Decodes an operation of one type.
pub(super) fn decode<F: Scalar, T: OpTable<F> + ?Sized, O: Op<F>>(bytes: &[u8]) -> Result<Arc<T>> {
    codec::decode::<O>(bytes, O::KIND).map(T::of)
}
