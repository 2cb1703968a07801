//! Muon: orthogonalized momentum for matrices.
//!
//! # Idea
//!
//! The momentum of a weight matrix is usually close to a matrix of low rank: a few directions have nearly all of its
//! length. With its singular value decomposition `U · S · Vᵀ`, the matrix `U · Vᵀ` has the same directions, all of the
//! same length, so that rare directions are learnt as fast as frequent ones.
//!
//! # Newton-Schulz
//!
//! A polynomial of odd powers of a matrix acts on its singular values alone. The quintic
//!
//! ```text
//! X = a · X + b · (X · Xᵀ) · X + c · (X · Xᵀ)² · X          a, b, c = 3.4445, -4.775, 2.0315
//! ```
//!
//! takes singular values from 0 to 1 towards 1; five rounds bring most of them to between 0.7 and 1.2, which is as good
//! as 1 for training. The products of a round are taken on the matrix's shorter side. They are nearly the whole cost:
//! about `15 · 2 · rows · columns · min(rows, columns)` operations for five rounds, some three times as many as the
//! forward and backward pass of a layer with 128 units at a batch of 32.

use super::fields::saved;
use super::{AdamW, Granularity, Step, Update, UpdateRule, check_share};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut};
use ndarray::{ArrayView2, ArrayViewMut2};

/// Muon: orthogonalizes the momentum of each matrix before the step; other parameters are trained by [`AdamW`].
///
/// ```text
/// m = momentum · m + (1 - momentum) · g
/// u = (1 - momentum) · g + momentum · m            (plain: u = m)
/// O = five rounds of Newton-Schulz from u / ‖u‖
/// w = w - rate · decay · w - rate · scale · O
/// ```
///
/// Jordan and others, "Muon: an optimizer for hidden layers in neural networks", 2024. The scale `0.2 · √max(rows,
/// columns)` gives steps the size of AdamW's, so that one learning rate serves both: Liu and others, "Muon is scalable
/// for LLM training", 2025. As PyTorch computes it (`adjust_lr_fn="match_rms_adamw"`), but in the parameters' own type,
/// while PyTorch takes the products in `bfloat16`. Learning rate 0.001, momentum 0.95 in Nesterov's form, decay 0.1.
///
/// ```
/// use plywood::prelude::*;
///
/// let trainer = Trainer::new(CrossEntropy::default(), Muon::default().weight_decay(0.01));
/// # let _: plywood::train::Trainer<_, f32> = trainer;
/// ```
///
/// Only parameters with two axes count as matrices: weights of `Dense`, tables of `Embedding`. Kernels of convolutions,
/// biases and the factors of normalizations get AdamW's step. Each parameter has two slots, of which a matrix uses one.
/// The rule needs whole parameters, so sparse gradients are expanded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Muon {
    momentum: f64,
    nesterov: bool,
    rounds: usize,
    matched: bool,
    decay: f64,
    adamw: AdamW,
}

impl Default for Muon {
    fn default() -> Self {
        let adamw = AdamW::default();
        Self { momentum: 0.95, nesterov: true, rounds: 5, matched: true, decay: 0.1, adamw }
    }
}

impl Muon {
    /// Sets the momentum, the fraction of the last momentum that is kept: from 0 to below 1, default 0.95.
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Sets whether Nesterov's look-ahead is used; the default is `true`.
    #[must_use]
    pub fn nesterov(mut self, nesterov: bool) -> Self {
        self.nesterov = nesterov;
        self
    }

    /// Sets the number of Newton-Schulz rounds, from 1 to 99; default 5.
    #[must_use]
    pub fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds;
        self
    }

    /// Sets whether steps are scaled to the size of AdamW's, so that AdamW's learning rates fit; the default is `true`.
    ///
    /// `false` uses the scale of the first publication, `√max(1, outputs / inputs)` for a weight of shape `[inputs,
    /// outputs]`, which is PyTorch's default. Usual learning rates are then 0.02 and more, too high for AdamW: give the
    /// parameters that are not matrices a lower one with a [`Group`](crate::optim::Group).
    #[must_use]
    pub fn matched_scale(mut self, matched: bool) -> Self {
        self.matched = matched;
        self
    }

    /// Sets the weight decay of all parameters, matrices and others: at least 0, default 0.1.
    #[must_use]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.decay = decay;
        self
    }

    /// Sets the rule of the parameters that are not matrices, for other β and ε; its decay is Muon's.
    #[must_use]
    pub fn adamw(mut self, adamw: AdamW) -> Self {
        self.adamw = adamw;
        self
    }

    fn matrix<F: Scalar>(&self, update: Update<'_, F>, step: Step, [rows, columns]: [usize; 2]) {
        let Update { value, gradient, slots, .. } = update;
        let Some(momentum) = slots.first_mut() else { return };
        F::approach(momentum, F::of(1.0 - self.momentum), gradient);
        let mut direction = scratch(&[rows, columns]);
        let numbers = slice_mut(&mut direction);
        if self.nesterov {
            numbers.copy_from_slice(gradient);
            F::approach(numbers, F::of(self.momentum), momentum);
        } else {
            numbers.copy_from_slice(momentum);
        }
        let direction = orthogonal(direction, [rows, columns], self.rounds);
        let (rows, columns) = (rows as f64, columns as f64);
        let scale =
            if self.matched { 0.2 * rows.max(columns).sqrt() } else { (columns / rows).max(1.0).sqrt() };
        F::scale(value, F::of(1.0 - step.learning_rate * step.weight_decay));
        F::add_scaled(value, F::of(-step.learning_rate * scale), slice(&direction));
        recycle(direction);
    }
}

/// Returns approximately the nearest orthogonal matrix: see the head of this file.
fn orthogonal<F: Scalar>(mut x: Tensor<F>, shape: [usize; 2], rounds: usize) -> Tensor<F> {
    const EPSILON: f64 = 1e-7;
    let [a, b, c] = [3.4445, -4.775, 2.0315].map(F::of);
    let norm = F::sum_squares(slice(&x)).sqrt().max(EPSILON);
    F::scale(slice_mut(&mut x), F::of(1.0 / norm));
    let tall = shape[0] > shape[1];
    let side = shape[0].min(shape[1]);
    let (mut gram, mut square, mut next) =
        (scratch::<F>(&[side, side]), scratch::<F>(&[side, side]), scratch::<F>(&shape));
    for _ in 0..rounds {
        let matrix = view(&x, shape);
        let (left, right) = if tall { (matrix.t(), matrix) } else { (matrix, matrix.t()) };
        F::matmul(left, right, F::zero(), view_mut(&mut gram, [side; 2]));
        let g = view(&gram, [side; 2]);
        F::matmul(g, g, F::zero(), view_mut(&mut square, [side; 2]));
        F::scale(slice_mut(&mut gram), b);
        F::add_scaled(slice_mut(&mut gram), c, slice(&square));
        slice_mut(&mut next).copy_from_slice(slice(&x));
        let (matrix, g) = (view(&x, shape), view(&gram, [side; 2]));
        let (left, right) = if tall { (matrix, g) } else { (g, matrix) };
        F::matmul(left, right, a, view_mut(&mut next, shape));
        std::mem::swap(&mut x, &mut next);
    }
    recycle(gram);
    recycle(square);
    recycle(next);
    x
}

fn view<F: Scalar>(tensor: &Tensor<F>, shape: [usize; 2]) -> ArrayView2<'_, F> {
    ArrayView2::from_shape(shape, slice(tensor)).expect("as many numbers as the shape has")
}

fn view_mut<F: Scalar>(tensor: &mut Tensor<F>, shape: [usize; 2]) -> ArrayViewMut2<'_, F> {
    ArrayViewMut2::from_shape(shape, slice_mut(tensor)).expect("as many numbers as the shape has")
}

impl<F: Scalar> UpdateRule<F> for Muon {
    saved!("muon": momentum, nesterov, rounds, matched, decay, adamw);

    fn default_learning_rate(&self) -> f64 {
        0.001
    }

    fn slots(&self) -> usize {
        2
    }

    fn granularity(&self) -> Granularity {
        Granularity::Parameter
    }

    fn weight_decay(&self) -> Option<f64> {
        Some(self.decay)
    }

    fn begin_step(&mut self, step: Step) -> Result<()> {
        check_share("momentum", self.momentum)?;
        if !(1..100).contains(&self.rounds) {
            return Err(Error::argument("rounds", "from 1 to 99", self.rounds).help("5 is usual."));
        }
        UpdateRule::<F>::begin_step(&mut self.adamw, step)
    }

    fn update(&self, update: Update<'_, F>, step: Step) {
        match *update.shape {
            [rows, columns] if rows * columns > 0 => self.matrix(update, step, [rows, columns]),
            _ => self.adamw.update(update, step),
        }
    }
}
