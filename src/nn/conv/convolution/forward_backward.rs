//! The forward pass of a [`Convolution`] and its gradients, as matrix products over tiles.

use super::{Buffer, Convolution, LEAST_WORK, Piece, Tiling, matrix, matrix_mut, tiles};
use crate::kernels::{Scalar, threads};
use std::ops::Range;

/// A thread's part of the weight's gradient.
struct WeightRows<'a, F> {
    /// The thread's rows of the transposed gradient.
    rows: Range<usize>,
    /// The taps of these rows.
    taps: &'a [usize],
    /// The sums of these rows, which are added to.
    sums: &'a mut [F],
    /// The bias' gradient for groups that begin in these rows.
    bias_sums: &'a mut [F],
    /// True if the gradient of the weight is wanted, and that of the bias.
    wanted: [bool; 2],
}

impl Convolution {
    /// Computes the outputs of a batch: `x` is `[samples, channels, rows, columns]`, `y` is `[samples, filters, …]`,
    /// both row-major.
    ///
    /// The bias is added once a product is complete, so the order of additions for a value does not depend on where its
    /// tile ends. If there is only one part, the products themselves may use several threads.
    pub fn forward<F: Scalar>(&self, x: &[F], weight: &[F], bias: Option<&[F]>, y: &mut [F]) {
        let (inputs, outputs) = (self.channels * self.input_plane(), self.filters * self.pixels());
        let samples = y.len() / outputs;
        let tiling = self.tiling::<F>(samples);
        let (parts, share) = self.shares(tiling, samples);
        let zeros = vec![F::zero(); if bias.is_some() { 0 } else { self.filters }];
        let bias = bias.unwrap_or(&zeros);
        let taps = self.taps();
        let shares = x.chunks(share * inputs).zip(y.chunks_mut(share * outputs));
        let product = if parts == 1 { F::matmul } else { F::matmul_alone };
        threads::each(shares, |(x, y)| {
            let (patch, group) = (self.patch(), self.group());
            let mut runs = Vec::new();
            let mut framed = self.framed(tiling, self.channels);
            let (mut cols, mut out) = (Buffer::new(patch * tiling.width), Buffer::new(group * tiling.width));
            let blocks = x.chunks(tiling.together * inputs).zip(y.chunks_mut(tiling.together * outputs));
            for (x, y) in blocks {
                let (from, step) = self.source(x, &(0..self.channels), framed.numbers());
                for tile in tiles(tiling, y.len() / outputs * self.pixels()) {
                    self.runs(&tile, step, &mut runs);
                    for (g, taps) in taps.chunks_exact(patch).enumerate() {
                        F::gather(from, taps, &runs, self.window.stride[1], cols.numbers(), tiling.width);
                        let rows = matrix(&weight[g * group * patch..], group, patch, patch);
                        let columns = matrix(cols.numbers(), patch, tile.len(), tiling.width);
                        let plus = &bias[g * group..][..group];
                        if let Some(at) = self.place(&tile, g) {
                            let y = &mut y[at..];
                            let to = matrix_mut(&mut *y, group, tile.len(), self.pixels());
                            product(rows, columns, F::zero(), to);
                            F::add_to_rows(plus, y, self.pixels(), tile.len());
                            continue;
                        }
                        let to = matrix_mut(out.numbers(), group, tile.len(), tiling.width);
                        product(rows, columns, F::zero(), to);
                        for Piece { sample, pixel, column, len } in self.pieces(&tile) {
                            let to = &mut y[(sample * self.filters + g * group) * self.pixels() + pixel..];
                            let from = &out.numbers()[column..];
                            F::copy_rows_plus(from, tiling.width, plus, to, self.pixels(), len);
                        }
                    }
                }
            }
        });
    }

    /// Computes the gradient of the input and overwrites `dx` with it.
    ///
    /// Each value is the sum over all windows that cover it: tile by tile, and within a tile in the order of the taps.
    /// Blocks begin at fixed samples, so that this order does not depend on the number of threads.
    pub fn input_gradient<F: Scalar>(&self, weight: &[F], dy: &[F], dx: &mut [F]) {
        let (inputs, outputs) = (self.channels * self.input_plane(), self.filters * self.pixels());
        let samples = dy.len() / outputs;
        let tiling = self.tiling::<F>(samples);
        let (parts, share) = self.shares(tiling, samples);
        let taps = self.taps();
        let shares = dy.chunks(share * outputs).zip(dx.chunks_mut(share * inputs));
        let product = if parts == 1 { F::matmul } else { F::matmul_alone };
        threads::each(shares, |(dy, dx)| {
            let (patch, group) = (self.patch(), self.group());
            let mut runs = Vec::new();
            let mut framed = self.framed(tiling, self.channels);
            let (mut cols, mut part) = (Buffer::new(patch * tiling.width), Buffer::new(group * tiling.width));
            let blocks = dy.chunks(tiling.together * outputs).zip(dx.chunks_mut(tiling.together * inputs));
            for (dy, dx) in blocks {
                let sums = if self.is_padded() { framed.numbers() } else { &mut *dx };
                sums.fill(F::zero());
                for tile in tiles(tiling, dy.len() / outputs * self.pixels()) {
                    self.runs(&tile, self.channels * self.plane(), &mut runs);
                    for (g, taps) in taps.chunks_exact(patch).enumerate() {
                        let (part, step) = self.collect(dy, g, &tile, tiling, part.numbers());
                        let rows = matrix(&weight[g * group * patch..], group, patch, patch);
                        let columns = matrix(part, group, tile.len(), step);
                        let to = matrix_mut(cols.numbers(), patch, tile.len(), tiling.width);
                        product(rows.reversed_axes(), columns, F::zero(), to);
                        F::scatter(cols.numbers(), taps, &runs, self.window.stride[1], tiling.width, sums);
                    }
                }
                if self.is_padded() {
                    self.unframe(framed.numbers(), dx);
                }
            }
        });
    }

    /// Computes the gradients of the weight and the bias, if wanted, each with the factor for its old content.
    ///
    /// They are sums over the batch: each thread goes through all samples, for its own rows of the weight's gradient.
    /// So no sum is split; only the copy of the output's gradient into tiles is made by every thread.
    pub fn parameter_gradients<F: Scalar>(
        &self,
        x: &[F],
        dy: &[F],
        weight: Option<(&mut [F], F)>,
        bias: Option<(&mut [F], F)>,
    ) {
        let samples = dy.len() / (self.filters * self.pixels());
        let tiling = self.tiling::<F>(samples);
        let (group, patch, taps) = (self.group(), self.patch(), self.taps());
        // The weight's gradient, transposed: in each group, a row for each value under a window.
        let rows = self.channels * self.area();
        let parts =
            threads::parts(if weight.is_some() { self.work(samples) } else { 0 }, LEAST_WORK).min(rows);
        let share = rows.div_ceil(parts);
        let mut sums = Buffer::zeros(rows * group);
        let mut bias_sums = Buffer::zeros(parts * self.filters);
        let shares =
            sums.numbers().chunks_mut(share * group).zip(bias_sums.numbers().chunks_mut(self.filters));
        let wanted = [weight.is_some(), bias.is_some()];
        threads::each(shares.enumerate(), |(i, (sums, bias_sums))| {
            let rows = i * share..i * share + sums.len() / group;
            let taps = &taps[rows.clone()];
            self.add_products(tiling, x, dy, WeightRows { rows, taps, sums, bias_sums, wanted });
        });
        if let Some((to, beta)) = weight {
            let sums = sums.numbers().chunks_exact(patch * group);
            for (sums, to) in sums.zip(to.chunks_exact_mut(group * patch)) {
                F::add_transposed(sums, group, beta, to, patch);
            }
        }
        if let Some((to, beta)) = bias {
            F::sum_columns(bias_sums.numbers(), beta, to);
        }
    }

    /// Computes a thread's rows of the weight's gradient, and the bias' gradient for groups that begin in them.
    fn add_products<F: Scalar>(&self, tiling: Tiling, x: &[F], dy: &[F], share: WeightRows<'_, F>) {
        let WeightRows { rows, taps, sums, bias_sums, wanted: [wants_weight, wants_bias] } = share;
        let (inputs, outputs) = (self.channels * self.input_plane(), self.filters * self.pixels());
        let (group, patch) = (self.group(), self.patch());
        let channels = rows.start / self.area()..rows.end.div_ceil(self.area());
        let taps: Vec<_> = taps.iter().map(|tap| tap - channels.start * self.plane()).collect();
        let mut runs = Vec::new();
        let mut framed = self.framed(tiling, channels.len());
        let longest = rows.len().min(patch);
        let (mut cols, mut part) = (Buffer::new(longest * tiling.width), Buffer::new(group * tiling.width));
        for (x, dy) in x.chunks(tiling.together * inputs).zip(dy.chunks(tiling.together * outputs)) {
            let (from, step) = self.source(x, &channels, framed.numbers());
            for tile in tiles(tiling, dy.len() / outputs * self.pixels()) {
                self.runs(&tile, step, &mut runs);
                for g in rows.start / patch..rows.end.div_ceil(patch) {
                    // This group's rows among those of this thread.
                    let own = rows.start.max(g * patch)..rows.end.min((g + 1) * patch);
                    let (part, part_step) = self.collect(dy, g, &tile, tiling, part.numbers());
                    if wants_bias && own.start == g * patch {
                        let sums = &mut bias_sums[g * group..][..group];
                        F::add_sums(part, part_step, tile.len(), sums);
                    }
                    if wants_weight {
                        let first = own.start - rows.start;
                        let taps = &taps[first..][..own.len()];
                        F::gather(from, taps, &runs, self.window.stride[1], cols.numbers(), tiling.width);
                        let columns = matrix(cols.numbers(), own.len(), tile.len(), tiling.width);
                        let grads = matrix(part, group, tile.len(), part_step);
                        let to = matrix_mut(&mut sums[first * group..], own.len(), group, group);
                        F::matmul_alone(columns, grads.reversed_axes(), F::one(), to);
                    }
                }
            }
        }
    }
}
