//! What an operation is: a function of several values, and its derivative.
//!
//! An operation is called through one of two tables, as layers are: [`InferOp`] has what inference needs, [`TrainOp`] also
//! the derivative. So a program that only infers contains no backward pass.

use super::op_backward::Backward;
use super::shape::{MAX_INPUTS, Shape, Shapes};
use crate::codec;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::output_activation::OutputActivation;
use crate::state::Kind;
use crate::tensor::Tensor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// The values of the forward pass that a gradient is computed from: the result of [`Op::needs`].
///
/// ```
/// use plywood::nn::op::Needs;
///
/// let product = Needs::input(0).and(Needs::input(1));
/// assert!(product.has_input(1) && !product.has_output());
/// assert_ne!(product, Needs::NOTHING);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// A bit for each input.
    inputs: u64,
    output: bool,
}

impl Needs {
    /// No value: the gradient at the output is enough, as for a sum.
    pub const NOTHING: Self = Self { inputs: 0, output: false };
    /// The output.
    pub const OUTPUT: Self = Self { inputs: 0, output: true };

    /// Returns the input of this number, from 0 to 63.
    pub const fn input(i: usize) -> Self {
        Self { inputs: if i < MAX_INPUTS { 1 << i } else { 0 }, output: false }
    }

    /// Returns these values and those of another.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { inputs: self.inputs | other.inputs, output: self.output || other.output }
    }

    /// Returns whether the input of this number is one of them.
    pub const fn has_input(self, i: usize) -> bool {
        i < MAX_INPUTS && self.inputs >> i & 1 == 1
    }

    /// Returns whether the output is one of them.
    pub const fn has_output(self) -> bool {
        self.output
    }
}

/// What becomes of the steps of an input with lengths: the result of [`Op::steps`]. The steps are its axis after the
/// batch axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Steps {
    /// They are mixed with each other, or moved. An input with lengths is then an error, as its padding would count.
    #[default]
    Mixed,
    /// Each step of the output is computed from this step alone: the output has the same lengths.
    Kept,
    /// They are mixed, but the operation reads the lengths, another input, and leaves padding out.
    Read,
}

impl Steps {
    /// Returns `Kept` or `Mixed`.
    pub fn kept_if(kept: bool) -> Self {
        if kept { Self::Kept } else { Self::Mixed }
    }

    /// What becomes of them in an operation along an axis of `of`, which is given as it was written: they are mixed if it
    /// is theirs.
    pub(super) fn along(of: &Shape, axis: i64) -> Self {
        Self::kept_if(of.axis(axis as isize).is_ok_and(|axis| axis > 0))
    }
}

/// An operation on values of a graph: a function of arrays, and its derivative.
///
/// Most functions need no operation of their own: a formula of the operations of [`Value`](crate::nn::Value) has its
/// gradient already. An operation is for what they cannot say, such as a cumulative product, or for a loop that is faster
/// in one piece.
///
/// ```
/// use plywood::nn::op::{Backward, Needs, Op, Shape, Shapes};
/// use plywood::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// /// `|x|^p · sign(x)`, for each number.
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct SignedPower { p: f64 }
///
/// impl<F: Scalar> Op<F> for SignedPower {
///     const KIND: Kind = Kind::own("mycrate.signed_power");
///
///     fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
///         Ok(inputs[0].clone())
///     }
///
///     fn forward(&self, _: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
///         for (y, x) in out.iter_mut().zip(inputs[0]) {
///             *y = x.abs().powf(F::of(self.p)).copysign(*x);
///         }
///         Ok(())
///     }
///
///     fn needs(&self, _: usize) -> Needs {
///         Needs::input(0)
///     }
///
///     fn backward(&self, pass: &mut Backward<'_, F>, mut grad: Tensor<F>) -> Result<()> {
///         for (g, x) in grad.iter_mut().zip(pass.input(0)?) {
///             *g = *g * F::of(self.p) * x.abs().powf(F::of(self.p - 1.0));
///         }
///         pass.give(0, grad);
///         Ok(())
///     }
/// }
///
/// check_op::<f64>(SignedPower { p: 1.5 }, &[Shape::batched([4])])?;
///
/// let g = Graph::builder();
/// let x = g.input("x", [4]);
/// g.output("y", g.op(SignedPower { p: 1.5 }, &[x]).layer(Dense::units(2)));
/// let bytes = g.build()?.to_bytes()?;
/// let registry = Registry::<f32>::builtin().with_op::<SignedPower>();
/// let loaded = registry.from_bytes(&bytes)?;
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Its fields are what the user wrote, as a file stores them: nothing that follows from shapes, which would have to be
/// checked. [`shape`](Op::shape) checks all fields; the other methods are only called with what it accepted, and with
/// arrays of the shapes that it saw and returned, as row-major slices. [`check_op`](crate::testing::check_op) checks it
/// with finite differences, and in a graph it is called by [`GraphBuilder::op`](crate::nn::GraphBuilder::op).
///
/// | | Plywood | PyTorch `autograd.Function` | Keras `@tf.custom_gradient` |
/// |---|---|---|---|
/// | what is kept | `needs` | `ctx.save_for_backward` | what the closure captures |
/// | in files | by its `KIND` and fields | code, by pickle | not |
/// | shapes | known when the graph is built | found when it runs | found when it is traced |
pub trait Op<F: Scalar = f32>: Clone + Debug + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// The name in files, in the summary and in errors: `Kind::own("my_crate.name")`.
    const KIND: Kind;
    /// The number of inputs, which is checked before [`shape`](Op::shape) is called; 1 to 64. The default is one.
    const INPUTS: RangeInclusive<usize> = 1..=1;
    /// Whether it has a [`forward_in_place`](Op::forward_in_place), for calls with one input. The default is `false`.
    const IN_PLACE: bool = false;

    /// Returns the shape of the output. If it has a batch axis, so has an input.
    ///
    /// # Errors
    /// If a field or an input's shape is not one that the operation takes.
    fn shape(&self, inputs: &[&Shape]) -> Result<Shape>;

    /// Returns what becomes of the steps of an input with lengths. `output` is what [`shape`](Op::shape) returned. The
    /// default says that they are mixed, which refuses such inputs.
    fn steps(&self, inputs: &[&Shape], output: &Shape, input: usize) -> Steps {
        let _ = (inputs, output, input);
        Steps::Mixed
    }

    /// Computes the output from the inputs. `out` has arbitrary numbers before, and all of them must be written.
    ///
    /// # Errors
    /// If a number is none that the operation takes: [`Error::sample`] names the sample.
    fn forward(&self, shapes: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()>;

    /// Computes the output in place of the only input, which nobody else reads and which has as many numbers as the
    /// output. It is called if [`IN_PLACE`](Op::IN_PLACE) is true.
    fn forward_in_place(&self, shapes: Shapes<'_>, x: &mut [F]) {
        let _ = (shapes, x);
    }

    /// Returns what the gradient at an input is computed from, beside that at the output. What is not named is not kept,
    /// and not there in [`backward`](Op::backward). The default is nothing.
    fn needs(&self, input: usize) -> Needs {
        let _ = input;
        Needs::NOTHING
    }

    /// Gives the gradients at the inputs that are wanted, from that at the output: see [`Backward`].
    ///
    /// # Errors
    /// If a value is read that [`needs`](Op::needs) does not name.
    fn backward(&self, pass: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()>;

    /// Returns the activation that the operation is, if it is one that a loss can leave out. The default is none.
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
    fn forward(&self, shapes: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()>;
    /// [`Op::IN_PLACE`].
    fn is_in_place(&self) -> bool;
    /// [`Op::forward_in_place`].
    fn forward_in_place(&self, shapes: Shapes<'_>, x: &mut [F]);
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
    fn backward(&self, pass: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()>;
}

impl<F: Scalar, O: Op<F>> InferOp<F> for O {
    fn kind(&self) -> &'static str {
        O::KIND.name()
    }

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        check_count(&O::INPUTS, inputs.len())?;
        let shape = Op::shape(self, inputs)?.check()?;
        if shape.batched && !inputs.iter().any(|input| input.batched) {
            let expected = "have no batch axis, as no input has one";
            return Err(Error::data("the output", expected, shape).help("Correct `Op::shape`."));
        }
        if let (true, [input]) = (O::IN_PLACE, inputs)
            && (shape.batched, shape.len()) != (input.batched, input.len())
        {
            let expected = format!("have as many numbers as the input, {input}");
            return Err(Error::data("the output of an operation in place", expected, shape)
                .help("Set `Op::IN_PLACE` to false, or correct `Op::shape`."));
        }
        Ok(shape)
    }

    fn steps(&self, inputs: &[&Shape], output: &Shape, input: usize) -> Steps {
        Op::steps(self, inputs, output, input)
    }

    fn forward(&self, shapes: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        Op::forward(self, shapes, inputs, out)
    }

    fn is_in_place(&self) -> bool {
        O::IN_PLACE
    }

    fn forward_in_place(&self, shapes: Shapes<'_>, x: &mut [F]) {
        Op::forward_in_place(self, shapes, x);
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

    fn backward(&self, pass: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()> {
        Op::backward(self, pass, grad)
    }
}

/// The error of a value that should be there: a mistake in this crate, not a user's.
pub(super) fn lost() -> Error {
    Error::custom("a value of the graph must be there when it is read, got none")
        .help("This is a mistake in Plywood; please report it.")
}

/// Checks a number of inputs.
pub(super) fn check_count(expected: &RangeInclusive<usize>, found: usize) -> Result<()> {
    if found == 0 {
        return Err(Error::data("the number of inputs", "be at least 1", 0)
            .help("An array that is computed from nothing is a constant: `g.constant`."));
    }
    if expected.contains(&found) && found <= MAX_INPUTS {
        return Ok(());
    }
    let (least, most) = (expected.start(), expected.end().min(&MAX_INPUTS));
    let expected = if least == most { format!("be {least}") } else { format!("be from {least} to {most}") };
    Err(Error::data("the number of inputs", expected, found).help("Give the operation as many values."))
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
    codec::decode::<O>(bytes, O::KIND.name()).map(T::of)
}
