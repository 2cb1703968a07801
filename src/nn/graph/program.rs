//! Chains of elementwise functions, computed strip by strip.
//!
//! A program is a list of instructions over registers: first its inputs, then the results of the instructions, of which
//! the last is the output. All instructions work on one strip of numbers before the next strip, so what lies between
//! them stays in the L1 cache and is never in memory as a whole.
//!
//! An input is read at `(i / inner) % len` for number `i` of the output, which covers what broadcasting repeats: a bias,
//! the factor of a channel, the mean of a row.
//!
//! The backward pass computes those of the strip's values again that a derivative is computed from, so only the inputs
//! are kept; or only the output, if the program is one function whose derivative follows from it. Of small arrays the
//! results of slow functions are kept, too, and what only they need is not computed again. Of large ones this would only
//! take memory: they are not in a cache any more when the backward pass begins. It makes no difference to the bits.

use super::function::Function;
use super::op_backward::Give;
use super::shape::{Shape, Shapes};
use crate::kernels::{Binary, Pair, Scalar, Side, Unary};
use crate::nn::output_activation::OutputActivation;
use crate::tensor::{Tensor, recycle, scratch, slice_mut};
use ndarray::Dimension;

/// The length of a strip: 2 KiB in `f32`.
const STRIP: usize = 512;

/// The largest array of results that is kept for the backward pass, in bytes: it should still be in the L2 cache then.
pub(super) const MOST_KEPT: usize = 1 << 18;

/// The maximum number of instructions of a program.
pub(super) const MAX_CODES: usize = 20;

/// The maximum number of inputs: each instruction reads at most three values, and all but the first read at least one
/// that is the result of another.
pub(super) const MAX_LOADS: usize = 2 * MAX_CODES + 1;

/// The maximum number of registers.
pub(super) const MAX_REGISTERS: usize = MAX_LOADS + MAX_CODES;

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

/// What the derivatives of a program are computed from.
#[derive(Clone, Debug)]
struct Needs {
    /// For each register, whether its values are needed.
    values: Vec<bool>,
    /// For each instruction, whether its results are kept, so that nothing is needed to compute them.
    kept: Vec<bool>,
}

impl Needs {
    /// The needs of instructions behind `loads` inputs, with the results of slow functions kept or not. The result of a
    /// single instruction is the output, and is kept in any case if its derivative is computed from it.
    fn of(loads: usize, codes: &[Code], reached: &[bool], keep: bool) -> Self {
        let (mut values, mut kept) = (vec![false; reached.len()], vec![false; codes.len()]);
        for (j, code) in codes.iter().enumerate().rev() {
            let own = loads + j;
            if reached[own] {
                let (inputs, output) = code.function.derives_from();
                (0..3).filter(|&i| inputs[i]).for_each(|i| values[code.of[i]] = true);
                values[own] |= output;
            }
            kept[j] = values[own] && (codes.len() == 1 || keep && code.function.is_slow());
            if values[own] && !kept[j] {
                code.of[..code.function.inputs()].iter().for_each(|&r| values[r] = true);
            }
        }
        Self { values, kept }
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
    /// What the backward pass computes from the inputs alone, and with the results of slow functions.
    plain: Needs,
    aided: Needs,
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
        let [plain, aided] = [false, true].map(|keep| Needs::of(loads.len(), &codes, &reached, keep));
        Self { loads, codes, adds, reached, plain, aided }
    }

    /// Whether the backward pass needs an input.
    pub fn needs_input(&self, i: usize) -> bool {
        self.plain.values[i]
    }

    /// Whether the output is kept for the backward pass.
    pub fn keeps_output(&self) -> bool {
        self.plain.kept == [true]
    }

    /// The registers of the output and of what is kept beside it.
    pub fn made(&self) -> impl Iterator<Item = usize> {
        std::iter::once(self.loads.len() + self.codes.len() - 1).chain(self.kept())
    }

    /// The registers of slow functions whose results are kept for the backward pass if they are small.
    pub fn kept(&self) -> impl Iterator<Item = usize> {
        let of_several = self.codes.len() > 1;
        (0..self.codes.len()).filter(move |&j| of_several && self.aided.kept[j]).map(|j| self.loads.len() + j)
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

    /// Returns the numbers of a register.
    fn register<'a, F>(&self, r: usize, values: Values<'a, F>) -> &'a [F] {
        let Values { known, registers, strip: Strip { from, len } } = values;
        let is_repeated = self.loads.get(r).is_some_and(|load| !load.full);
        match known.get(r) {
            Some(whole) if !is_repeated && !whole.is_empty() => &whole[from..from + len],
            _ => &registers[r * STRIP..][..len],
        }
    }

    /// Copies an input that is repeated into its register.
    fn load<F: Scalar>(&self, r: usize, input: &[F], registers: &mut [F], Strip { from, len }: Strip) {
        let (inner, out, mut done) = (self.loads[r].inner, &mut registers[r * STRIP..][..len], 0);
        while done < len {
            let i = from + done;
            let at = i / inner % input.len();
            let count = if inner == 1 {
                let count = (input.len() - at).min(len - done);
                out[done..done + count].copy_from_slice(&input[at..at + count]);
                count
            } else {
                let count = (inner - i % inner).min(len - done);
                out[done..done + count].fill(input[at]);
                count
            };
            done += count;
        }
    }

    fn run<F: Scalar>(&self, code: Code, values: Values<'_, F>, out: &mut [F]) {
        let of = |i: usize| self.register(code.of[i], values);
        match code.function {
            Function::Unary(f) => F::map_strip(f, of(0), out),
            Function::Binary(f) => F::zip_strip(f, of(0), of(1), out),
            Function::Where => F::where_strip(of(0), of(1), of(2), out),
        }
    }

    /// Fills the registers that are chosen.
    fn fill<F: Scalar>(
        &self,
        known: &[&[F]],
        registers: &mut [F],
        strip: Strip,
        chosen: impl Fn(usize) -> bool,
    ) {
        let loads = self.loads.len();
        for r in (0..loads).filter(|&r| chosen(r) && !self.loads[r].full) {
            self.load(r, known[r], registers, strip);
        }
        for (j, code) in self.codes.iter().enumerate().filter(|&(j, _)| chosen(loads + j)) {
            let (lower, upper) = registers.split_at_mut((loads + j) * STRIP);
            let values = Values { known, registers: lower, strip };
            self.run(*code, values, &mut upper[..strip.len]);
        }
    }

    /// Computes the output, and copies the registers of [`kept`](Self::kept) into arrays, if there are any.
    pub fn forward<F: Scalar>(&self, inputs: &[&[F]], kept: &mut [Option<Tensor<F>>], out: &mut [F]) {
        let Some((&last, codes)) = self.codes.split_last() else { return };
        let count = self.loads.len() + codes.len();
        let mut room = scratch::<F>(&[count * STRIP]);
        let registers = slice_mut(&mut room);
        for (i, out) in out.chunks_mut(STRIP).enumerate() {
            let strip = Strip { from: i * STRIP, len: out.len() };
            self.fill(inputs, registers, strip, |r| r < count);
            self.run(last, Values { known: inputs, registers, strip }, out);
            for (r, kept) in self.kept().zip(&mut *kept) {
                if let Some(kept) = kept {
                    let results = if r == count { &*out } else { &registers[r * STRIP..][..strip.len] };
                    slice_mut(kept)[strip.from..strip.from + strip.len].copy_from_slice(results);
                }
            }
        }
        recycle(room);
    }

    /// Gives the gradients at the inputs that are wanted. `known` has the registers that are known as a whole: the inputs
    /// that are needed, and of the results what is there; the others are empty.
    pub fn backward<F: Scalar>(
        &self,
        known: &[&[F]],
        shapes: Shapes<'_>,
        grad: &[F],
        give: &mut Give<'_, F>,
    ) {
        let loads = self.loads.len();
        let count = loads + self.codes.len();
        let mut gradients: [Option<Tensor<F>>; MAX_LOADS] = [const { None }; MAX_LOADS];
        let mut wants = [false; MAX_REGISTERS];
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
        let is_aided = self.kept().all(|r| !known[r].is_empty());
        let needed = if is_aided { &self.aided.values } else { &self.plain.values };
        let mut room = scratch::<F>(&[2 * count * STRIP]);
        let (values, grads) = slice_mut(&mut room).split_at_mut(count * STRIP);
        for (i, grad) in grad.chunks(STRIP).enumerate() {
            let strip = Strip { from: i * STRIP, len: grad.len() };
            self.fill(known, values, strip, |r| needed[r] && (r < loads || known[r].is_empty()));
            self.back(Values { known, registers: values, strip }, grad, &wants, grads, &mut gradients);
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
        values: Values<'_, F>,
        grad: &[F],
        wants: &[bool],
        grads: &mut [F],
        full: &mut [Option<Tensor<F>>],
    ) {
        let (loads, Strip { from, len }) = (self.loads.len(), values.strip);
        for (j, (code, adds)) in self.codes.iter().zip(&self.adds).enumerate().rev() {
            let own = loads + j;
            if !wants[own] {
                continue;
            }
            let (lower, upper) = grads.split_at_mut(own * STRIP);
            let dy = if j + 1 == self.codes.len() { grad } else { &upper[..len] };
            let of = |i: usize| self.register(code.of[i], values);
            let y = self.register(own, values);
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

/// The values of a strip.
struct Values<'a, F> {
    /// The registers that are known as a whole: the inputs, and results that were kept. The others are empty.
    known: &'a [&'a [F]],
    registers: &'a [F],
    strip: Strip,
}

impl<F> Clone for Values<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Values<'_, F> {}

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
