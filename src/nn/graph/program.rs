//! Chains of elementwise functions, computed strip by strip.
//!
//! A program is a list of instructions over registers: first its inputs, then the results of the instructions, of which
//! the last is the output. All instructions work on one strip of numbers before the next strip, so what lies between
//! them stays in the L1 cache and is never in memory as a whole.
//!
//! An input is read at `(i / inner) % len` for number `i` of the output, which covers what broadcasting repeats: a bias,
//! the factor of a channel, the mean of a row.
//!
//! The backward pass computes the strip's values again, so only the inputs are kept; or only the output, if the program
//! is one function whose derivative follows from it.

use super::function::Function;
use super::op_backward::Give;
use super::shape::{Shape, Shapes};
use crate::kernels::{Binary, Pair, Scalar, Side, Unary};
use crate::nn::output_activation::OutputActivation;
use crate::tensor::{Tensor, recycle, scratch, slice_mut};
use ndarray::Dimension;

/// The length of a strip: 2 KiB in `f32`.
const STRIP: usize = 512;

/// The maximum number of instructions of a program.
pub(super) const MAX_CODES: usize = 20;

/// The maximum number of inputs: each instruction reads at most three values, and all but the first read at least one
/// that is the result of another.
pub(super) const MAX_LOADS: usize = 2 * MAX_CODES + 1;

/// How an input is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Load {
    /// How often in a row a number is repeated.
    inner: usize,
    /// Whether it has as many numbers as the output.
    full: bool,
}

impl Load {
    /// Returns how a value of this shape is read for an output of another shape, to which it broadcasts; `None` if it
    /// has to be expanded first.
    pub fn of(own: &Shape, target: &Shape) -> Option<Self> {
        if own == target {
            return Some(Self { inner: 1, full: true });
        }
        let lead = target.sizes.len() - own.sizes.len();
        let size = |i: usize| i.checked_sub(lead).map_or(1, |i| own.sizes[i]);
        let ones = (0..target.sizes.len()).rev().take_while(|&i| size(i) == 1).count();
        let body = target.sizes.len() - ones;
        let equal = (0..body).rev().take_while(|&i| size(i) == target.sizes[i]).count();
        let rest_is_one = (0..body - equal).all(|i| size(i) == 1);
        if own.batched && equal < body || !rest_is_one {
            return None;
        }
        // Something that all share and that is one number is repeated without end.
        let inner = if own.batched || body > 0 { target.sizes[body..].iter().product() } else { usize::MAX };
        Some(Self { inner, full: false })
    }
}

/// A function and the registers of its arguments, of which it uses as many as it has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Code {
    pub function: Function,
    pub of: [usize; 3],
}

impl Code {
    /// The registers of the arguments that have a derivative, with the number of each.
    fn differentiable(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let of = self.of;
        self.function.differentiable().map(move |i| (i, of[i]))
    }
}

#[derive(Clone, Debug)]
pub(super) struct Program {
    loads: Vec<Load>,
    codes: Vec<Code>,
    /// For each instruction and argument, whether its gradient is added to one that is there already.
    adds: Vec<[bool; 3]>,
    /// For each register, whether the output depends on it smoothly: not only by way of a condition.
    reached: Vec<bool>,
}

impl Program {
    pub fn new(loads: Vec<Load>, codes: Vec<Code>) -> Self {
        let mut reached = vec![false; loads.len() + codes.len()];
        let mut adds = vec![[false; 3]; codes.len()];
        if let Some(output) = reached.last_mut() {
            *output = true;
        }
        for (j, (code, adds)) in codes.iter().zip(&mut adds).enumerate().rev() {
            if reached[loads.len() + j] {
                code.differentiable().for_each(|(i, r)| adds[i] = std::mem::replace(&mut reached[r], true));
            }
        }
        Self { loads, codes, adds, reached }
    }

    /// Whether no gradient depends on the values.
    pub fn is_affine(&self) -> bool {
        self.codes.iter().all(|code| match code.function {
            Function::Unary(f) => f.is_affine(),
            Function::Binary(f) => f.is_affine(),
            Function::Where => false,
        })
    }

    /// Whether the gradient follows from the output, so that the output is kept in place of the inputs.
    pub fn derives_from_output(&self) -> bool {
        match &self.codes[..] {
            [Code { function: Function::Unary(f), .. }] => f.derives_from_output(),
            _ => false,
        }
    }

    /// Whether it is the sum of two values of one shape.
    pub fn is_sum(&self) -> bool {
        let [code] = &self.codes[..] else { return false };
        code.function == Function::Binary(Binary::Add)
            && code.of[0] != code.of[1]
            && self.loads.iter().all(|load| load.full)
    }

    /// Returns the activation that the program is, if it is one that a loss can leave out.
    pub fn activation(&self) -> OutputActivation {
        match &self.codes[..] {
            [Code { function: Function::Unary(Unary::Sigmoid), .. }] => OutputActivation::Sigmoid,
            _ => OutputActivation::Unknown,
        }
    }

    /// Returns a register's numbers in the strip that begins at `from`.
    fn register<'a, F>(&self, r: usize, inputs: &[&'a [F]], registers: &'a [F], strip: Strip) -> &'a [F] {
        match self.loads.get(r) {
            Some(load) if load.full => &inputs[r][strip.from..strip.from + strip.len],
            _ => &registers[r * STRIP..][..strip.len],
        }
    }

    /// Copies the inputs that are repeated into their registers.
    fn load<F: Scalar>(&self, inputs: &[&[F]], registers: &mut [F], Strip { from, len }: Strip) {
        for (r, (load, input)) in self.loads.iter().zip(inputs).enumerate() {
            if load.full {
                continue;
            }
            let (out, mut done) = (&mut registers[r * STRIP..][..len], 0);
            while done < len {
                let i = from + done;
                let at = i / load.inner % input.len();
                let count = if load.inner == 1 {
                    let count = (input.len() - at).min(len - done);
                    out[done..done + count].copy_from_slice(&input[at..at + count]);
                    count
                } else {
                    let count = (load.inner - i % load.inner).min(len - done);
                    out[done..done + count].fill(input[at]);
                    count
                };
                done += count;
            }
        }
    }

    fn run<F: Scalar>(&self, code: Code, inputs: &[&[F]], registers: &[F], strip: Strip, out: &mut [F]) {
        let of = |i: usize| self.register(code.of[i], inputs, registers, strip);
        match code.function {
            Function::Unary(f) => F::map_strip(f, of(0), out),
            Function::Binary(f) => F::zip_strip(f, of(0), of(1), out),
            Function::Where => F::where_strip(of(0), of(1), of(2), out),
        }
    }

    /// Computes the registers of the first `count` instructions.
    fn fill<F: Scalar>(&self, count: usize, inputs: &[&[F]], registers: &mut [F], strip: Strip) {
        self.load(inputs, registers, strip);
        for (j, code) in self.codes[..count].iter().enumerate() {
            let (lower, upper) = registers.split_at_mut((self.loads.len() + j) * STRIP);
            self.run(*code, inputs, lower, strip, &mut upper[..strip.len]);
        }
    }

    /// Computes the output.
    pub fn forward<F: Scalar>(&self, inputs: &[&[F]], out: &mut [F]) {
        let Some((&last, codes)) = self.codes.split_last() else { return };
        let mut room = scratch::<F>(&[(self.loads.len() + codes.len()) * STRIP]);
        let registers = slice_mut(&mut room);
        for (i, out) in out.chunks_mut(STRIP).enumerate() {
            let strip = Strip { from: i * STRIP, len: out.len() };
            self.fill(codes.len(), inputs, registers, strip);
            self.run(last, inputs, registers, strip, out);
        }
        recycle(room);
    }

    /// Gives the gradients at the inputs that are wanted. `inputs` are needed unless the program is affine or derives
    /// from its output; `output` is needed in the latter case.
    pub fn backward<F: Scalar>(
        &self,
        inputs: &[&[F]],
        output: Option<&[F]>,
        shapes: Shapes<'_>,
        grad: &[F],
        give: &mut Give<'_, F>,
    ) {
        let loads = self.loads.len();
        let count = loads + self.codes.len();
        let mut gradients: [Option<Tensor<F>>; MAX_LOADS] = [const { None }; MAX_LOADS];
        let mut wants = [false; MAX_LOADS + MAX_CODES];
        for (r, load) in self.loads.iter().enumerate() {
            if !(give.wants(r) && self.reached[r]) {
                continue;
            }
            wants[r] = true;
            let mut gradient = scratch(shapes.inputs[r].whole(shapes.batch).slice());
            if !load.full {
                gradient.fill(F::zero());
            }
            gradients[r] = Some(gradient);
        }
        for (j, code) in self.codes.iter().enumerate() {
            wants[loads + j] = self.reached[loads + j] && code.differentiable().any(|(_, r)| wants[r]);
        }
        let output = output.filter(|_| self.derives_from_output());
        let computes = output.is_none() && !self.is_affine();
        let mut room = scratch::<F>(&[2 * count * STRIP]);
        let (values, grads) = slice_mut(&mut room).split_at_mut(count * STRIP);
        for (i, grad) in grad.chunks(STRIP).enumerate() {
            let strip = Strip { from: i * STRIP, len: grad.len() };
            if computes {
                self.fill(self.codes.len(), inputs, values, strip);
            }
            let known = Known { inputs, values, output, computes, strip };
            self.back(&known, grad, &wants, grads, &mut gradients);
            for (r, (load, gradient)) in self.loads.iter().zip(&mut gradients).enumerate() {
                if let Some(gradient) = gradient.as_mut().filter(|_| !load.full) {
                    reduce(load.inner, &grads[r * STRIP..][..strip.len], strip.from, slice_mut(gradient));
                }
            }
        }
        recycle(room);
        for (r, gradient) in gradients.into_iter().enumerate() {
            if let Some(gradient) = gradient {
                give.whole(r, gradient);
            }
        }
    }

    /// The backward pass of one strip: into the registers of `grads`, or into `full` for inputs that are not repeated.
    fn back<F: Scalar>(
        &self,
        known: &Known<'_, F>,
        grad: &[F],
        wants: &[bool],
        grads: &mut [F],
        full: &mut [Option<Tensor<F>>],
    ) {
        let (loads, Strip { from, len }) = (self.loads.len(), known.strip);
        for (j, (code, adds)) in self.codes.iter().zip(&self.adds).enumerate().rev() {
            let own = loads + j;
            if !wants[own] {
                continue;
            }
            let (lower, upper) = grads.split_at_mut(own * STRIP);
            let dy = if j + 1 == self.codes.len() { grad } else { &upper[..len] };
            let of = |i: usize| known.register(self, code.of[i]);
            let y = known.output.map_or(&known.values[own * STRIP..][..len], |y| &y[from..from + len]);
            for (i, r) in code.differentiable().filter(|&(_, r)| wants[r]) {
                let add = adds[i];
                let d = match full.get_mut(r) {
                    Some(Some(full)) if r < loads && self.loads[r].full => {
                        &mut slice_mut(full)[from..from + len]
                    }
                    _ => &mut lower[r * STRIP..][..len],
                };
                let side = |second| if i == second { Side::Second } else { Side::First };
                match code.function {
                    Function::Unary(f) => F::map_strip_back(f, of(0), y, dy, d, add),
                    Function::Binary(f) => {
                        let pair = Pair { a: of(0), b: of(1), y };
                        F::zip_strip_back(f, side(1), pair, dy, d, add);
                    }
                    Function::Where => F::where_strip_back(of(0), side(2), dy, d, add),
                }
            }
        }
    }
}

/// A stretch of the output.
#[derive(Clone, Copy)]
struct Strip {
    from: usize,
    len: usize,
}

/// What the backward pass of a strip knows of its forward pass.
struct Known<'a, F> {
    inputs: &'a [&'a [F]],
    /// All registers, if they were computed again.
    values: &'a [F],
    output: Option<&'a [F]>,
    computes: bool,
    strip: Strip,
}

impl<F> Known<'_, F> {
    /// Returns a register, or any numbers where nothing is read.
    fn register(&self, program: &Program, r: usize) -> &[F] {
        if self.computes {
            program.register(r, self.inputs, self.values, self.strip)
        } else {
            &self.values[..self.strip.len]
        }
    }
}

/// Adds the gradients of a strip to those of the numbers that were repeated.
fn reduce<F: Scalar>(inner: usize, grads: &[F], from: usize, sums: &mut [F]) {
    let (len, mut done) = (sums.len(), 0);
    while done < grads.len() {
        let (i, rest) = (from + done, grads.len() - done);
        let at = i / inner % len;
        done += if inner > 1 {
            let count = (inner - i % inner).min(rest);
            sums[at] += F::sum_in_lanes(&grads[done..done + count]);
            count
        } else if at == 0 && rest >= len {
            let count = rest / len * len;
            F::sum_columns(&grads[done..done + count], F::one(), sums);
            count
        } else {
            let count = (len - at).min(rest);
            F::add_scaled(&mut sums[at..at + count], F::one(), &grads[done..done + count]);
            count
        };
    }
}
