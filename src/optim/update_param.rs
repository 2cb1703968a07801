//! A rule over one parameter: dense, row by row, or strip by strip behind a product.
//!
//! # Products
//!
//! The gradient of a matrix that is still a product `leftᵀ · right` is multiplied out a strip of rows at a time, and
//! the rule takes each strip up while it is in the caches: in the first where the product is small, in the third where
//! it is large. So the whole gradient is never in memory.
//!
//! # Sparse gradients
//!
//! [`Gradient::Rows`](crate::nn::Gradient::Rows) lists the rows that a batch touched, one entry for each use, so an id
//! may come up many times. [`merge_rows`] adds up the entries of an id, in the order in which they came, and sorts the
//! ids: the sum's bits depend on the batch alone. Then the rule sees rows that follow one another as one part, with
//! those of its state. Rows that are not in the list cost nothing; their momentum waits, and a weight decay does not
//! reach them.

use super::{Granularity, Step, Update, UpdateRule};
use crate::kernels::{Scalar, threads};
use crate::param::{Param, PendingGradient, SMALL_PRODUCT};
use crate::tensor::{Tensor, recycle, scratch, slice_mut};
use ndarray::{ArrayView2, ArrayViewMut2, Axis, Dimension};
use std::ops::Range;

/// How many numbers a thread should have at least: some microseconds of work.
pub(super) const LEAST_NUMBERS: usize = 16_384;

/// How many numbers of a product are multiplied out at once, about: few enough to be in the first level of the caches
/// when the rule reads them, and enough for the product's kernels.
const STRIP: usize = 6_144;

/// How many rows of a product are multiplied out at once where its right side does not fit the first level: enough that
/// what it costs to read that side again for each strip is shared by many. The strip is in the third level then.
const ROWS_OF_LARGE: usize = 512;

/// A thread's rows of a small product begin at a multiple of this.
const ROWS_TOGETHER: usize = 8;

/// Applies the rule to one parameter: to the whole of it, or row by row where the gradient is one of rows. A rule of
/// granularity [`Granularity::Elements`] is applied to parts of a large parameter on several threads; each number is
/// computed from its own gradient and state, so the bits are the same.
///
/// A rule of granularity [`Granularity::Parameter`] gets rows and products written out into a full gradient first
/// (`Param::accumulate`).
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
            // What a step leaves in the caches of a core is there in the next one if the same thread gets the same
            // rows. A large matrix leaves nothing there.
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
            // Rows that follow one another are one part: the frequent words of a vocabulary often do.
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

/// Applies the rule to the first rows of a matrix, whose gradient is the product `leftᵀ · right`: a strip of rows is
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
        // Up in one step and down in the next: what a step has used last is what the caches still have.
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

/// The most slots that a rule may have.
pub(super) const MOST_SLOTS: usize = 8;

/// A parameter's slots, or a part of each; in place, so that no list of them is allocated for a step.
struct Slots<'a, F> {
    arrays: [&'a mut [F]; MOST_SLOTS],
    count: usize,
}

impl<'a, F: Scalar> Slots<'a, F> {
    /// The whole arrays.
    fn of(slot: &'a mut [Tensor<F>]) -> Self {
        let count = slot.len().min(MOST_SLOTS);
        let mut each = slot.iter_mut();
        let arrays = std::array::from_fn(|_| match each.next() {
            Some(array) => slice_mut(array),
            None => &mut [],
        });
        Self { arrays, count }
    }

    /// The first so many numbers of each array; the rest stays.
    fn take(&mut self, length: usize) -> Self {
        let arrays = std::array::from_fn(|i| {
            let array = std::mem::take(&mut self.arrays[i]);
            let (first, rest) = array.split_at_mut(length.min(array.len()));
            self.arrays[i] = rest;
            first
        });
        Self { arrays, count: self.count }
    }

    /// These numbers of each array.
    fn part(&mut self, numbers: Range<usize>) -> Slots<'_, F> {
        let mut arrays = self.arrays.iter_mut();
        let arrays = std::array::from_fn(|i| match arrays.next() {
            Some(array) if i < self.count => &mut array[numbers.clone()],
            _ => &mut [],
        });
        Slots { arrays, count: self.count }
    }

    /// All that there are.
    fn all(&mut self) -> &mut [&'a mut [F]] {
        &mut self.arrays[..self.count]
    }
}

/// The numbers in a row: what lies behind axis 0.
pub(super) fn columns_of(shape: &[usize]) -> usize {
    shape.iter().skip(1).product()
}

/// Adds up the rows of each id, in the order in which they came; ids end up sorted.
///
/// Ids that are strictly increasing already, as an embedding's are after one backward pass, are left as they are at
/// the price of one look at each. Positions are sorted by id and then by position, so the order has one result.
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

    /// Small and large strips, and a last one that is shorter: as if the gradient had been there as a whole.
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
