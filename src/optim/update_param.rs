//! Applies a rule to one parameter: dense, row by row, or tile by tile for a product.
//!
//! # Products
//!
//! A gradient that is still a product `leftᵀ · right` is multiplied out one tile of rows at a time, and the rule reads
//! each tile while it is in a cache: the L1 cache if the product is small, the L3 cache if it is large. So the whole
//! gradient is never in memory.
//!
//! # Sparse gradients
//!
//! [`Gradient::Rows`](crate::nn::Gradient::Rows) lists the rows that a batch touched, one entry per use, so an id may
//! occur many times. [`merge_rows`] adds up the entries of an id in their order of arrival, and sorts the ids, so the
//! bits of the sum depend on the batch alone. The rule is then called once for each run of consecutive rows, with their
//! state. Rows that are not in the list cost nothing: their momentum does not change, and weight decay does not reach
//! them.

use super::{Granularity, Step, Update, UpdateRule};
use crate::kernels::{Scalar, threads};
use crate::param::{Param, PendingGradient, SMALL_PRODUCT};
use crate::tensor::{Tensor, recycle, scratch, slice_mut};
use ndarray::{ArrayView2, ArrayViewMut2, Axis, Dimension};
use std::ops::Range;

/// The least number of elements per thread: some microseconds of work.
pub(super) const LEAST_NUMBERS: usize = 16_384;

/// About how many elements of a product are multiplied out at once: few enough to stay in the L1 cache until the rule
/// reads them, and enough for the matrix kernels.
const STRIP: usize = 6_144;

/// The number of rows of a product that are multiplied out at once if its right side does not fit the L1 cache: enough
/// to amortize reading the right side again for each tile. The tile is in the L3 cache then.
const ROWS_OF_LARGE: usize = 512;

/// A thread's rows of a small product begin at a multiple of this.
const ROWS_TOGETHER: usize = 8;

/// Applies the rule to one parameter: to the whole of it, or row by row if the gradient is sparse. A large parameter is
/// split among several threads if the rule's granularity is [`Granularity::Elements`]; each element is computed from
/// its own gradient and state, so the bits are the same.
///
/// A rule of granularity [`Granularity::Parameter`] gets sparse gradients and products expanded to a full gradient
/// first (`Param::accumulate`).
pub(super) fn apply<F: Scalar>(
    rule: &dyn UpdateRule<F>,
    step: Step,
    slot: &mut [Tensor<F>],
    param: &mut Param<F>,
) {
    if rule.granularity() == Granularity::Parameter {
        param.accumulate();
    }
    let shape = param.value().raw_dim();
    let shape = shape.slice();
    let Some((value, gradient)) = param.pending() else { return };
    let parts = if rule.granularity() == Granularity::Elements {
        threads::parts(value.len(), LEAST_NUMBERS)
    } else {
        1
    };
    match gradient {
        PendingGradient::Dense(gradient) => {
            let mut slots = Slots::of(slot);
            if parts == 1 {
                rule.update(Update { value, gradient, slots: slots.all(), shape }, step);
                return;
            }
            let length = value.len().div_ceil(parts);
            let cut = value.chunks_mut(length).zip(gradient.chunks(length));
            let cut = cut.map(|(value, gradient)| (slots.take(value.len()), value, gradient));
            threads::each(cut, |(mut slots, value, gradient)| {
                let shape = [value.len()];
                rule.update(Update { value, gradient, slots: slots.all(), shape: &shape }, step);
            });
        }
        PendingGradient::Product(left, right) => {
            let (rows, columns) = (left.ncols(), right.ncols());
            // Give each thread the same rows at every step, so that they stay in its core's cache. Pointless for
            // matrices larger than the cache.
            let large = right.len() > SMALL_PRODUCT;
            let mut slots = Slots::of(slot);
            let work = |(slots, value, rows): (Slots<'_, F>, &mut [F], Range<usize>)| {
                let left = left.slice_axis(Axis(1), rows.into());
                strip_by_strip(rule, step, slots, value, left, right);
            };
            let share = if large {
                threads::share(rows, ROWS_OF_LARGE, parts)
            } else {
                rows.div_ceil(parts).next_multiple_of(ROWS_TOGETHER)
            };
            let cut = value.chunks_mut((share * columns).max(1)).enumerate();
            let rows = |i| i * share..rows.min((i + 1) * share);
            threads::each(cut.map(|(i, value)| (slots.take(value.len()), value, rows(i))), work);
        }
        PendingGradient::Rows(ids, values) => {
            let columns = columns_of(shape);
            merge_rows(ids, values, columns);
            let mut slots = Slots::of(slot);
            // Consecutive rows are one part: the frequent words of a vocabulary often are.
            let mut values = &values[..];
            for run in ids.chunk_by(|a, b| a + 1 == *b) {
                let (start, length) = (run[0] * columns, run.len() * columns);
                let (gradient, rest) = values.split_at(length);
                values = rest;
                let part = start..start + length;
                let mut slots = slots.part(part.clone());
                let value = &mut value[part];
                rule.update(Update { value, gradient, slots: slots.all(), shape: &[length] }, step);
            }
        }
    }
}

/// Applies the rule to the first rows of a matrix whose gradient is the product `leftᵀ · right`: one tile of rows is
/// multiplied out and used at once.
fn strip_by_strip<F: Scalar>(
    rule: &dyn UpdateRule<F>,
    step: Step,
    mut slots: Slots<'_, F>,
    value: &mut [F],
    left: ArrayView2<'_, F>,
    right: ArrayView2<'_, F>,
) {
    let columns = right.ncols();
    let rows = if right.len() <= SMALL_PRODUCT { (STRIP / columns.max(1)).max(1) } else { ROWS_OF_LARGE };
    let rows = rows.min(value.len() / columns.max(1));
    let strips = value.len().div_ceil((rows * columns).max(1));
    let mut strip = scratch(&[rows * columns]);
    for i in 0..strips {
        // Forwards in one step and backwards in the next: the caches still hold the tiles used last.
        let first = if step.number.is_multiple_of(2) { strips - 1 - i } else { i } * rows;
        let numbers = first * columns..value.len().min((first + rows) * columns);
        let gradient = &mut slice_mut(&mut strip)[..numbers.len()];
        let rows = first..numbers.end / columns;
        let product = ArrayViewMut2::from_shape((rows.len(), columns), &mut *gradient);
        let left = left.slice_axis(Axis(1), rows.into());
        F::matmul(left.reversed_axes(), right, F::zero(), product.expect("whole rows"));
        let (mut slots, shape) = (slots.part(numbers.clone()), [numbers.len()]);
        let value = &mut value[numbers];
        rule.update(Update { value, gradient, slots: slots.all(), shape: &shape }, step);
    }
    recycle(strip);
}

/// The largest number of slots that a rule may have.
pub(super) const MOST_SLOTS: usize = 8;

/// A parameter's slots, or a part of each; an array, so that a step allocates no list for them.
struct Slots<'a, F> {
    arrays: [&'a mut [F]; MOST_SLOTS],
    count: usize,
}

impl<'a, F: Scalar> Slots<'a, F> {
    /// Borrows the whole arrays.
    fn of(slot: &'a mut [Tensor<F>]) -> Self {
        let count = slot.len().min(MOST_SLOTS);
        let mut each = slot.iter_mut();
        let arrays = std::array::from_fn(|_| match each.next() {
            Some(array) => slice_mut(array),
            None => &mut [],
        });
        Self { arrays, count }
    }

    /// Splits off the first `length` elements of each array; the rest stays.
    fn take(&mut self, length: usize) -> Self {
        let arrays = std::array::from_fn(|i| {
            let array = std::mem::take(&mut self.arrays[i]);
            let (first, rest) = array.split_at_mut(length.min(array.len()));
            self.arrays[i] = rest;
            first
        });
        Self { arrays, count: self.count }
    }

    /// Borrows this range of each array.
    fn part(&mut self, numbers: Range<usize>) -> Slots<'_, F> {
        let mut arrays = self.arrays.iter_mut();
        let arrays = std::array::from_fn(|i| match arrays.next() {
            Some(array) if i < self.count => &mut array[numbers.clone()],
            _ => &mut [],
        });
        Slots { arrays, count: self.count }
    }

    /// Returns all the slices.
    fn all(&mut self) -> &mut [&'a mut [F]] {
        &mut self.arrays[..self.count]
    }
}

/// The number of elements per row: the product of all axes behind axis 0.
pub(super) fn columns_of(shape: &[usize]) -> usize {
    shape.iter().skip(1).product()
}

/// Adds up the rows of each id in their order of arrival, and sorts the ids.
///
/// Ids that are strictly increasing already, as an embedding's are after one backward pass, are only checked. Positions
/// are sorted by id and then by position, so the order is unique.
pub(crate) fn merge_rows<F: Scalar>(ids: &mut Vec<usize>, values: &mut Vec<F>, columns: usize) {
    if ids.is_sorted_by(|a, b| a < b) {
        return;
    }
    let mut order: Vec<usize> = (0..ids.len()).collect();
    order.sort_unstable_by_key(|&row| (ids[row], row));
    let (mut merged_ids, mut merged) = (Vec::new(), Vec::new());
    for of_one in order.chunk_by(|&a, &b| ids[a] == ids[b]) {
        let (start, first) = (merged.len(), of_one[0]);
        merged_ids.push(ids[first]);
        merged.extend_from_slice(&values[first * columns..(first + 1) * columns]);
        for &row in &of_one[1..] {
            F::add_scaled(&mut merged[start..], F::one(), &values[row * columns..(row + 1) * columns]);
        }
    }
    *ids = merged_ids;
    *values = merged;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::Adam;
    use crate::random::Random;

    /// Small and large tiles, and a shorter last one, give the same bits as the whole gradient.
    #[test]
    fn strips_have_the_bits_of_the_whole_gradient() {
        for (batch, inputs, units) in [(32, 784, 128), (20, 1100, 600), (2, 30, 5000)] {
            let mut draws = Random::seed(1).at(0, 0);
            let mut tensor = |shape: [usize; 2]| {
                Tensor::<f32>::from_shape_simple_fn(shape.to_vec(), || draws.uniform(-1., 1.) as f32)
            };
            let mut strips = Param::new(tensor([inputs, units]));
            let (left, right) = (tensor([batch, inputs]), tensor([batch, units]));
            let mut whole = strips.clone();
            whole.add_gradient_product(left.clone(), right.clone()).unwrap();
            assert!(
                whole.accumulate().is_some()
                    && matches!(whole.pending(), Some((_, PendingGradient::Dense(_))))
            );
            strips.add_gradient_product(left, right).unwrap();
            assert!(matches!(strips.pending(), Some((_, PendingGradient::Product(..)))));
            let rule = Adam::default();
            for number in 1..=2 {
                let slot = || -> Vec<Tensor<f32>> { vec![Tensor::zeros(vec![inputs, units]); 2] };
                let (mut one, mut other) = (slot(), slot());
                apply(&rule, Step::new(number, 0.01), &mut one, &mut strips);
                apply(&rule, Step::new(number, 0.01), &mut other, &mut whole);
                assert_eq!(one, other);
                assert_eq!(strips.value(), whole.value());
            }
        }
    }
}
