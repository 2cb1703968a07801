//! Looking up rows of a table by id: embeddings, and their gradients.
//!
//! Ids are given as values of the element type and are converted to `u32` once; [`PADDING`] stands for "no row". All
//! further loops run over ids and whole rows, so a batch costs as much as its ids, whatever the table's size.
//!
//! The gradient goes from the places in the batch to the rows of the table: `order` contains (id, place) as one `u64`
//! each, sorted, so that a row's contributions are consecutive, in the order of the batch. Nothing has to be searched,
//! and each sum has one order.

use crate::kernels;

/// The id that stands for "no row of the table".
///
/// A table has fewer rows than this.
pub const PADDING: u32 = u32::MAX;

/// Returns the id of an entry of `order`.
pub fn id_of(entry: u64) -> usize {
    (entry >> 32) as usize
}

/// Returns the sorted pairs (id, place) of all ids that are not padding; `place` is the position divided by
/// `per_place`.
///
/// They are sorted by id, and by place within an id. Equal entries (an id twice in a place) are identical, so an
/// unstable sort has only one result.
pub fn order_of(ids: &[u32], per_place: usize) -> Vec<u64> {
    let places = ids.chunks(per_place.max(1)).zip(0u64..);
    let entries = places.flat_map(|(ids, place)| {
        ids.iter().filter(|&&id| id != PADDING).map(move |&id| u64::from(id) << 32 | place)
    });
    let mut order: Vec<u64> = entries.collect();
    order.sort_unstable();
    order
}

/// Returns the ids of a sorted `order`, each once.
pub fn ids_of(order: &[u64]) -> Vec<usize> {
    order.chunk_by(|a, b| id_of(*a) == id_of(*b)).map(|entries| id_of(entries[0])).collect()
}

kernels! {
    /// Kernels that look up rows by id.
    Gather {
        /// Reads ids, with `padding` as `PADDING`. Stops at the first value that is not an integer from 0 to below
        /// `limit`, and returns its position.
        fn read_ids(x: &[F], limit: usize, padding: Option<u32>, ids: &mut [u32]) -> Option<usize>;
        /// Writes the row of the table for each id; row `padding` for `PADDING`.
        fn gather_rows(table: &[F], columns: usize, padding: u32, ids: &[u32], out: &mut [F]);
        /// The sum of the rows of each `length` ids, times the sample's factor (1 if `factors` is empty).
        fn bag_sums(table: &[F], columns: usize, ids: &[u32], length: usize, factors: &[F], out: &mut [F]);
        /// The largest value in each column over the rows of each `length` ids, and the position of the id it came
        /// from: the first of equal values. 0 and `PADDING` if all ids are padding.
        fn bag_maxima(
            table: &[F],
            columns: usize,
            ids: &[u32],
            length: usize,
            out: &mut [F],
            chosen: &mut [u32],
        );
        /// 1 divided by the number of ids in each `length` that are not padding; 0 if all are padding.
        fn bag_shares(ids: &[u32], length: usize, out: &mut [F]);
        /// Adds up rows of `grad`, times the place's factor, into a row of `out` for each id of `order`.
        fn scatter_rows(order: &[u64], grad: &[F], columns: usize, factors: &[F], out: &mut [F]);
        /// The same for maxima: places are positions, and an element is added if its position was chosen.
        fn scatter_chosen(
            order: &[u64],
            grad: &[F],
            columns: usize,
            length: usize,
            chosen: &[u32],
            out: &mut [F],
        );
    }
}

mod generic {
    use super::{PADDING, id_of};
    use num_traits::Float;

    #[inline(always)]
    pub fn read_ids<F: Float>(x: &[F], limit: usize, padding: Option<u32>, ids: &mut [u32]) -> Option<usize> {
        let limit = F::from(limit).unwrap_or_else(F::nan);
        for (i, (&x, id)) in x.iter().zip(ids).enumerate() {
            let good = x >= F::zero() && x < limit && x.trunc() == x;
            let whole = x.to_u32().filter(|_| good);
            let Some(whole) = whole else { return Some(i) };
            *id = if padding == Some(whole) { PADDING } else { whole };
        }
        None
    }

    /// Returns the row of an id that is not padding.
    #[inline(always)]
    fn row<F>(table: &[F], columns: usize, id: u32) -> &[F] {
        let start = id as usize * columns;
        table.get(start..start + columns).unwrap_or_default()
    }

    #[inline(always)]
    pub fn gather_rows<F: Float>(table: &[F], columns: usize, padding: u32, ids: &[u32], out: &mut [F]) {
        for (&id, out) in ids.iter().zip(out.chunks_exact_mut(columns.max(1))) {
            let id = if id == PADDING { padding } else { id };
            out.copy_from_slice(row(table, columns, id));
        }
    }

    #[inline(always)]
    pub fn bag_sums<F: Float>(
        table: &[F],
        columns: usize,
        ids: &[u32],
        length: usize,
        factors: &[F],
        out: &mut [F],
    ) {
        out.fill(F::zero());
        let bags = ids.chunks_exact(length.max(1)).zip(out.chunks_exact_mut(columns.max(1)));
        for (i, (ids, out)) in bags.enumerate() {
            for &id in ids.iter().filter(|&&id| id != PADDING) {
                for (out, &x) in out.iter_mut().zip(row(table, columns, id)) {
                    *out = *out + x;
                }
            }
            if let Some(&factor) = factors.get(i) {
                out.iter_mut().for_each(|out| *out = *out * factor);
            }
        }
    }

    #[inline(always)]
    pub fn bag_maxima<F: Float>(
        table: &[F],
        columns: usize,
        ids: &[u32],
        length: usize,
        out: &mut [F],
        chosen: &mut [u32],
    ) {
        out.fill(F::zero());
        chosen.fill(PADDING);
        let size = columns.max(1);
        let places = out.chunks_exact_mut(size).zip(chosen.chunks_exact_mut(size));
        for (ids, (out, chosen)) in ids.chunks_exact(length.max(1)).zip(places) {
            for (place, &id) in (0u32..).zip(ids).filter(|(_, id)| **id != PADDING) {
                for ((out, chosen), &x) in out.iter_mut().zip(chosen.iter_mut()).zip(row(table, columns, id))
                {
                    // The first NaN stays.
                    if *chosen == PADDING || x > *out || (x.is_nan() && !out.is_nan()) {
                        (*out, *chosen) = (x, place);
                    }
                }
            }
        }
    }

    #[inline(always)]
    pub fn bag_shares<F: Float>(ids: &[u32], length: usize, out: &mut [F]) {
        out.fill(F::zero());
        for (ids, out) in ids.chunks_exact(length.max(1)).zip(out) {
            let count = ids.iter().filter(|&&id| id != PADDING).count();
            if count > 0 {
                *out = F::from(count).unwrap_or_else(F::nan).recip();
            }
        }
    }

    /// Calls `f` for each entry with its row of `out`; one row per id, in the order of the ids.
    #[inline(always)]
    fn entries<F: Float>(order: &[u64], columns: usize, out: &mut [F], f: impl Fn(usize, &mut [F])) {
        out.fill(F::zero());
        let mut rows = out.chunks_exact_mut(columns.max(1));
        for entries in order.chunk_by(|a, b| id_of(*a) == id_of(*b)) {
            let Some(out) = rows.next() else { return };
            for &entry in entries {
                f((entry & 0xffff_ffff) as usize, out);
            }
        }
    }

    #[inline(always)]
    pub fn scatter_rows<F: Float>(order: &[u64], grad: &[F], columns: usize, factors: &[F], out: &mut [F]) {
        entries(order, columns, out, |place, out| {
            let factor = factors.get(place).copied().unwrap_or_else(F::one);
            let grad = grad.get(place * columns..(place + 1) * columns).unwrap_or_default();
            for (out, &g) in out.iter_mut().zip(grad) {
                *out = *out + factor * g;
            }
        });
    }

    #[inline(always)]
    pub fn scatter_chosen<F: Float>(
        order: &[u64],
        grad: &[F],
        columns: usize,
        length: usize,
        chosen: &[u32],
        out: &mut [F],
    ) {
        entries(order, columns, out, |position, out| {
            let (sample, place) = (position / length.max(1), position % length.max(1));
            let row = sample * columns..(sample + 1) * columns;
            let grad = grad.get(row.clone()).unwrap_or_default();
            let chosen = chosen.get(row).unwrap_or_default();
            for ((out, &g), &chosen) in out.iter_mut().zip(grad).zip(chosen) {
                if chosen as usize == place {
                    *out = *out + g;
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_whole_and_in_range() {
        let mut ids = [0; 4];
        assert_eq!(f32::read_ids(&[3., 0., -0., 2.], 4, Some(2), &mut ids), None);
        assert_eq!(ids, [3, 0, 0, PADDING]);
        for bad in [4., -1., 0.5, 1e30, f32::NAN, f32::INFINITY, -1e-30] {
            assert_eq!(f32::read_ids(&[1., bad, 1.], 4, None, &mut ids), Some(1), "{bad}");
        }
        let last = (1u64 << 32) as f64 - 2.;
        assert_eq!(f64::read_ids(&[last], u32::MAX as usize, None, &mut ids), None);
        assert_eq!(ids[0], u32::MAX - 1);
    }

    #[test]
    fn an_order_is_sorted_by_id_and_place_without_padding() {
        let order = order_of(&[5, 2, PADDING, 2, 5, 2], 2);
        let pairs: Vec<_> = order.iter().map(|&e| (id_of(e), e & 0xffff_ffff)).collect();
        assert_eq!(pairs, [(2, 0), (2, 1), (2, 2), (5, 0), (5, 2)]);
        assert_eq!(ids_of(&order), [2, 5]);
        assert!(ids_of(&order_of(&[PADDING], 1)).is_empty());
    }

    #[test]
    fn a_maximum_is_the_first_of_equals_and_nan_above_all() {
        let table = [1., 5., 3., 5., f64::NAN, -1.];
        let (mut out, mut chosen) = ([0.; 4], [0; 4]);
        f64::bag_maxima(&table, 2, &[0, 1, 1, 2, PADDING, 0], 3, &mut out, &mut chosen);
        assert_eq!((out[0], out[1], out[3]), (3., 5., 5.));
        assert!(out[2].is_nan());
        assert_eq!(chosen, [1, 0, 0, 2]);
    }
}
