//! Checks for operations of graphs: [`check_op`].

use super::differences::{at_numbers, random_tensor, same, same_bits, weighted, written_out};
use super::{BATCH, CheckReport};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::graph::{LoneOp, Op, Shape, Steps};
use crate::random::{Random, RandomStream};
use crate::tensor::{Tensor, slice, standard};
use ndarray::{Axis, Dimension};

/// Checks an operation on random inputs of these shapes: see [`OpCheck`] for the list of checks.
///
/// Gradients are compared with finite differences, in `f64` to about three digits, in `f32` to about two.
///
/// ```
/// use plywood::nn::op::{Backward, Op, Shape, Shapes};
/// use plywood::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct Doubled;
///
/// impl<F: Scalar> Op<F> for Doubled {
///     const KIND: Kind = Kind::own("mycrate.doubled");
///     fn shape(&self, inputs: &[&Shape]) -> Result<Shape> { Ok(inputs[0].clone()) }
///     fn forward(&self, _: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
///         out.iter_mut().zip(inputs[0]).for_each(|(y, x)| *y = *x + *x);
///         Ok(())
///     }
///     fn backward(&self, pass: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()> {
///         pass.give(0, grad); // not doubled
///         Ok(())
///     }
/// }
///
/// let error = check_op::<f64>(Doubled, &[Shape::batched([3])]).unwrap_err().to_string();
/// assert!(error.starts_with("check of operation \"mycrate.doubled\" in f64: the gradient at number"), "{error}");
/// ```
///
/// # Errors
/// When a check fails; the error says which one, where, and by how much.
pub fn check_op<F: Scalar>(op: impl Op<F>, inputs: &[Shape]) -> Result<CheckReport> {
    OpCheck::new(inputs).run(op)
}

/// A set of checks for an operation ([`Op`]).
///
/// 1. The output has the shape that `shape` returns, for batches of five, one and no samples, and `forward` writes all of
///    its numbers.
/// 2. A batch gives the same output as its samples one by one.
/// 3. `forward_in_place` gives the same output as `forward`, if the operation has it.
/// 4. Where `steps` says that they are kept, a step of the input reaches only that step of the output.
/// 5. The gradient at each input agrees with finite differences, unless the input has [none](OpCheck::without_gradient),
///    and is the same if it is wanted alone, when nothing is kept but what `needs` names for it.
/// 6. An operation that declares an [`OutputActivation`](crate::nn::OutputActivation) computes that function.
/// 7. The operation, saved and loaded, gives bit-identical output.
///
/// ```
/// use plywood::ndarray::arr1;
/// use plywood::nn::op::{Backward, Needs, Op, Shape, Shapes};
/// use plywood::prelude::*;
/// use plywood::testing::OpCheck;
/// use serde::{Deserialize, Serialize};
///
/// /// Each sample times the factor of its class: `x [batch, n]`, `factors [classes]`, `class [batch]`.
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct ByClass;
///
/// impl Op for ByClass {
///     const KIND: Kind = Kind::own("mycrate.by_class");
///     const INPUTS: std::ops::RangeInclusive<usize> = 3..=3;
///
///     fn shape(&self, inputs: &[&Shape]) -> Result<Shape> { Ok(inputs[0].clone()) }
///
///     fn forward(&self, shapes: Shapes<'_>, inputs: &[&[f32]], out: &mut [f32]) -> Result<()> {
///         let n = shapes.output.len();
///         for (i, y) in out.iter_mut().enumerate() {
///             *y = inputs[0][i] * inputs[1][inputs[2][i / n] as usize];
///         }
///         Ok(())
///     }
///
///     fn needs(&self, input: usize) -> Needs { Needs::input(2).and(Needs::input(1 - input.min(1))) }
///
///     fn backward(&self, pass: &mut Backward<'_>, grad: Tensor) -> Result<()> {
///         let n = pass.shapes().output.len();
///         let (mut at_x, mut at_factors) = (pass.scratch(0), pass.scratch(1));
///         at_factors.fill(0.0);
///         for (i, g) in grad.iter().enumerate() {
///             let class = pass.input(2)?[i / n] as usize;
///             if pass.wants(0) {
///                 at_x.as_slice_mut().unwrap()[i] = g * pass.input(1)?[class];
///             }
///             if pass.wants(1) {
///                 at_factors[class] += g * pass.input(0)?[i];
///             }
///         }
///         pass.give(0, at_x);
///         pass.give(1, at_factors);
///         Ok(())
///     }
/// }
///
/// let shapes = [Shape::batched([3]), Shape::shared([2]), Shape::batched([])];
/// let classes = arr1(&[0.0, 1.0, 1.0, 0.0, 1.0]).into_dyn();
/// OpCheck::new(&shapes).input(2, classes).without_gradient(2).run(ByClass)?;
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct OpCheck<F: Scalar = f32> {
    shapes: Vec<Shape>,
    given: Vec<(usize, Tensor<F>)>,
    without_gradient: Vec<usize>,
}

/// The operation and what the checks have computed.
struct Case<'a, F: Scalar, O> {
    op: &'a LoneOp<O>,
    inputs: &'a [Tensor<F>],
    output: &'a Tensor<F>,
    batch: usize,
}

/// Settings of the check, and [`run`](OpCheck::run).
impl<F: Scalar> OpCheck<F> {
    /// Creates a check for inputs of these shapes. The inputs are random numbers between 0.1 and 1 in magnitude, of both
    /// signs.
    pub fn new(inputs: &[Shape]) -> Self {
        Self { shapes: inputs.to_vec(), given: Vec::new(), without_gradient: Vec::new() }
    }

    /// Uses this array, `[batch, …]` or that of a shared input, instead of random numbers: ids, or numbers where the
    /// function is smooth. All arrays with a batch axis have as many samples, 5 by default.
    #[must_use]
    pub fn input(mut self, input: usize, array: Tensor<F>) -> Self {
        self.given.push((input, array));
        self
    }

    /// Declares that an input has no gradient: ids, lengths, a condition.
    #[must_use]
    pub fn without_gradient(mut self, input: usize) -> Self {
        self.without_gradient.push(input);
        self
    }

    /// Runs the checks. It stops at the first failure.
    ///
    /// # Errors
    /// When a check fails, or the operation itself returns an error.
    pub fn run<O: Op<F>>(self, op: O) -> Result<CheckReport> {
        let kind = O::KIND.name();
        let at = |error: Error| error.at(format!("check of operation {kind:?} in {}", F::NAME));
        let mut report = CheckReport { label: format!("operation {kind:?}"), lines: Vec::new() };
        self.checks(op, &mut report).map_err(at)?;
        Ok(report)
    }

    fn checks<O: Op<F>>(&self, op: O, report: &mut CheckReport) -> Result<()> {
        let op = LoneOp::new(op, &self.shapes)?;
        let mut draws = Random::seed(7).child("operation").at(0, 0);
        let (inputs, batch) = self.inputs(&mut draws)?;
        let output = &op.forward(&inputs, batch, F::zero())?;
        let case = Case { op: &op, inputs: &inputs, output, batch };
        case.outputs(report)?;
        case.steps(report)?;
        case.gradients(&self.without_gradient, &mut draws, report)?;
        if op.activation().can_be_fused() {
            let expected = op.activation().apply(inputs[0].clone());
            agree("the output, by the activation that is declared", output, &expected)?;
            report.passed("it computes the activation that it declares");
        }
        same_bits(&op.loaded::<F>()?.forward(&inputs, batch, F::zero())?, output)?;
        report.passed("saved and loaded, its output has the same bits");
        Ok(())
    }

    /// Returns the inputs, and the number of samples.
    fn inputs(&self, draws: &mut RandomStream) -> Result<(Vec<Tensor<F>>, usize)> {
        let all = self.given.iter().map(|(i, _)| i).chain(&self.without_gradient);
        if let Some(i) = all.copied().find(|i| *i >= self.shapes.len()) {
            let expected = format!("be one of the {}, from 0", self.shapes.len());
            return Err(Error::data("the number of an input", expected, i)
                .help("The check was made for these shapes."));
        }
        let given = |i: usize| self.given.iter().rev().find(|(of, _)| *of == i).map(|(_, array)| array);
        let batches = (0..self.shapes.len()).filter(|&i| self.shapes[i].batched).filter_map(given);
        let batch = batches.map(|array| array.shape().first().copied().unwrap_or(0)).next().unwrap_or(BATCH);
        if batch == 0 {
            return Err(Error::data("the number of samples", "be at least 1", 0)
                .help("Give arrays with samples; the check tries an empty batch by itself."));
        }
        let mut inputs = Vec::with_capacity(self.shapes.len());
        for (i, shape) in self.shapes.iter().enumerate() {
            let whole = shape.whole(batch);
            let input = given(i).cloned().map_or_else(|| random_tensor(whole.slice(), draws), standard);
            if input.raw_dim() != whole {
                return Err(Error::shape(format!("input {i}"), format!("{:?}", whole.slice()), input.shape())
                    .help("Give an array of the shape that the check was made for, with as many samples as the others."));
            }
            inputs.push(input);
        }
        Ok((inputs, batch))
    }
}

/// Checks that two outputs are equal up to rounding.
fn agree<F: Scalar>(what: &str, found: &Tensor<F>, expected: &Tensor<F>) -> Result<()> {
    same(what, found, expected)
        .map_err(|error| error.help("The passes of an operation must agree with each other."))
}

impl<F: Scalar, O: Op<F>> Case<'_, F, O> {
    /// Returns the inputs of some samples; those that are shared stay whole.
    fn samples(&self, of: impl Fn(&Tensor<F>) -> Tensor<F>) -> Vec<Tensor<F>> {
        let shapes = self.op.inputs.iter().zip(self.inputs);
        shapes.map(|(shape, x)| if shape.batched { of(x) } else { x.clone() }).collect()
    }

    fn outputs(&self, report: &mut CheckReport) -> Result<()> {
        let Self { op, inputs, output, batch } = *self;
        let again = op.forward(inputs, batch, F::of(7.0))?;
        if let Some(i) = slice(&again).iter().zip(slice(output)).position(|(a, b)| a != b && !b.is_nan()) {
            return Err(Error::data(
                format!("number {i} of the output"),
                "be written",
                "what was there before",
            )
            .help("`forward` gets an array with arbitrary numbers, and must write all of them."));
        }
        op.forward(&self.samples(|x| x.slice_axis(Axis(0), (..0).into()).to_owned()), 0, F::zero())?;
        report.passed("it writes all numbers of the output, and takes a batch without samples");
        if op.output.batched {
            for i in 0..batch {
                let part = |x: &Tensor<F>| standard(x.slice_axis(Axis(0), (i..=i).into()).to_owned());
                let alone = op.forward(&self.samples(part), 1, F::zero())?;
                agree(&format!("the output of sample {i} alone"), &alone, &part(output))?;
            }
            report.passed("a batch has the outputs of its samples one by one");
        }
        if let [input] = inputs
            && let Some(in_place) = op.forward_in_place(input, batch)
        {
            agree("the output of `forward_in_place`", &in_place, output)?;
            report.passed("forward_in_place has the same output");
        }
        Ok(())
    }

    fn gradients(&self, without: &[usize], draws: &mut RandomStream, report: &mut CheckReport) -> Result<()> {
        let Self { op, inputs, output, batch } = *self;
        let grad: Tensor<F> = random_tensor(output.shape(), draws);
        let wanted: Vec<bool> = (0..inputs.len()).map(|i| !without.contains(&i)).collect();
        let together = op.backward(inputs, output, grad.clone(), &wanted, batch)?;
        for i in (0..inputs.len()).filter(|&i| wanted[i]) {
            let found = written_out(&together[i]);
            let loss = |x: Tensor<F>| {
                let mut moved = inputs.to_vec();
                moved[i] = x;
                Ok(weighted(&op.forward(&moved, batch, F::zero())?, &grad))
            };
            at_numbers(&format!("input {i}"), &inputs[i], &found, draws, loss)?;
            let only: Vec<bool> = (0..inputs.len()).map(|k| k == i).collect();
            let alone = op
                .backward(inputs, output, grad.clone(), &only, batch)
                .map_err(|error| error.at(format!("the gradient at input {i}, if no other is wanted")))?;
            let array = |numbers: Vec<f64>| {
                let numbers = numbers.into_iter().map(F::of).collect();
                Tensor::from_shape_vec(inputs[i].raw_dim(), numbers).map_err(Error::custom)
            };
            let what = format!("the gradient at input {i}, if no other is wanted,");
            agree(&what, &array(written_out(&alone[i]))?, &array(found)?)?;
            report.passed(&format!(
                "the gradient at input {i} agrees with finite differences, also if wanted alone"
            ));
        }
        let none = self.samples(|x| x.slice_axis(Axis(0), (..0).into()).to_owned());
        let empty = op.forward(&none, 0, F::zero())?;
        op.backward(&none, &empty, empty.clone(), &wanted, 0)?;
        for i in without {
            report.lines.push(format!("not checked  the gradient at input {i} (declared: it has none)"));
        }
        Ok(())
    }

    /// Checks that a step of an input reaches only the same step of the output, where the operation says so.
    fn steps(&self, report: &mut CheckReport) -> Result<()> {
        let Self { op, inputs, output, batch } = *self;
        for i in (0..inputs.len()).filter(|&i| op.steps::<F>(i) == Steps::Kept && op.inputs[i].batched) {
            let (steps, made) = (op.inputs[i].sizes.first(), op.output.sizes.first());
            let (Some(&steps), true) = (steps, steps == made) else {
                let found = format!("{} from {}", op.output, op.inputs[i]);
                return Err(Error::data(
                    "an output whose steps are kept",
                    "have as many steps as the input",
                    found,
                )
                .help("Correct `Op::steps`."));
            };
            for step in 0..steps {
                let mut moved = inputs.to_vec();
                let part = moved[i].slice_axis_mut(Axis(1), (step..=step).into());
                part.into_iter().for_each(|v| *v *= F::of(0.5));
                let mut again = op.forward(&moved, batch, F::zero())?;
                again
                    .slice_axis_mut(Axis(1), (step..=step).into())
                    .assign(&output.slice_axis(Axis(1), (step..=step).into()));
                if let Some(k) =
                    slice(&again).iter().zip(slice(output)).position(|(a, b)| a != b && !b.is_nan())
                {
                    let what =
                        format!("number {k} of the output, which belongs to another step than {step},");
                    return Err(Error::data(what, "not depend on that step", "one that does").help(
                        "`Op::steps` says that steps are kept: return `Steps::Mixed`, or read the lengths.",
                    ));
                }
            }
            report.passed(&format!("each step of input {i} reaches only the same step of the output"));
        }
        Ok(())
    }
}
