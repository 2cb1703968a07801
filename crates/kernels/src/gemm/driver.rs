//! Computes a product with the kernels of a level: block by block, chunk by chunk, panel by panel.

use super::blocks::{blocks, check};
use super::pack::{PackBuffer, Source};
use super::plan::{Chunk, Panel, Plan, TILES_TO_PACK_B};
use super::schedule::Deal;
use super::sparse;
use super::sparse_rows::Picks;
use super::tile_kernels::TileKernels;
use crate::threads;
use ndarray::{Array2, ArrayView2, ArrayViewMut2};

/// The least length of a block for which the next panel of `b` is packed while the present one is in use.
const K_TO_PACK_AHEAD: usize = 320;

/// Computes the product with the kernels of a level; see [`multiply`](super::multiply).
///
/// # Panics
/// If the processor does not support the level, or the shapes do not agree.
pub(super) fn product<L: TileKernels>(
    a: ArrayView2<'_, f32>,
    b: ArrayView2<'_, f32>,
    beta: f32,
    mut c: ArrayViewMut2<'_, f32>,
) {
    assert!(L::usable(), "the processor has not the vector instructions");
    check(&a, &b, &c);
    let (m, n) = c.dim();
    if m == 0 || n == 0 {
        return;
    }
    let [row, column] = [c.strides()[0], c.strides()[1]];
    // A single column is computed as a row if its layout allows, in whole vectors.
    let (by_columns, by_rows) = (column == 1 || n == 1, row == 1 || m == 1);
    if by_columns && !(by_rows && n == 1) {
        // SAFETY: the processor has the level, the shapes agree, and the columns of `c` are contiguous.
        unsafe { rows_by_columns::<L>(&a, &b, beta, &mut c) }
    } else if by_rows {
        // The same chains: a product of two numbers does not depend on their order.
        let (a, b) = (b.reversed_axes(), a.reversed_axes());
        // SAFETY: as above; the rows of `c`, now its columns, are contiguous.
        unsafe { rows_by_columns::<L>(&a, &b, beta, &mut c.reversed_axes()) }
    } else {
        let mut dense = Array2::zeros((m, n));
        if beta != 0. {
            dense.assign(&c);
        }
        product::<L>(a, b, beta, dense.view_mut());
        c.assign(&dense);
    }
}

/// Computes a product, skipping the zeros of `a` if that pays.
///
/// # Safety
/// The processor has the level, the shapes agree, only `k` may be 0, and the columns of `c` are contiguous.
unsafe fn rows_by_columns<L: TileKernels>(
    a: &ArrayView2<'_, f32>,
    b: &ArrayView2<'_, f32>,
    beta: f32,
    c: &mut ArrayViewMut2<'_, f32>,
) {
    // SAFETY: both functions require what this one does: the level, shapes that agree, contiguous rows of `c`. This
    // also holds for `alone` when `sparse` calls it with parts of the matrices.
    unsafe {
        if !sparse::product::<L>(a, b, beta, c, alone::<L>) {
            alone::<L>(a, b, beta, c);
        }
    }
}

/// Computes a product on the calling thread.
///
/// # Safety
/// As [`rows_by_columns`].
unsafe fn alone<L: TileKernels>(
    a: &ArrayView2<'_, f32>,
    b: &ArrayView2<'_, f32>,
    beta: f32,
    c: &mut ArrayViewMut2<'_, f32>,
) {
    // SAFETY: the matrices are as `in_tiles` requires. `c` is borrowed mutably and the `Deal` is new, so no other
    // thread uses either.
    unsafe { in_tiles::<L>(a, b, beta, c.as_mut_ptr(), c.strides()[0], &Deal::default()) }
}

/// Computes the product with the kernels of a level on several threads, among which the panels are distributed.
///
/// # Panics
/// If the processor does not support the level, the shapes do not agree, or the columns of `c` are not contiguous.
pub(super) fn product_by<L: TileKernels>(
    threads: usize,
    a: ArrayView2<'_, f32>,
    b: ArrayView2<'_, f32>,
    beta: f32,
    mut c: ArrayViewMut2<'_, f32>,
) {
    /// The result, which all threads write, each in its own panels.
    struct Shared(*mut f32);
    // SAFETY: each panel of a block is given to one thread, after the panels of the block before are done.
    unsafe impl Sync for Shared {}

    assert!(L::usable(), "the processor has not the vector instructions");
    check(&a, &b, &c);
    let [row, column] = [c.strides()[0], c.strides()[1]];
    assert!(column == 1 && !c.is_empty(), "no columns that are neighbours");
    let (c, deal) = (Shared(c.as_mut_ptr()), Deal::default());
    threads::fork(threads, |_| {
        let Shared(c) = &c;
        // SAFETY: the processor has the level, the shapes agree, none is empty, and the columns of `c` are contiguous.
        unsafe { in_tiles::<L>(&a, &b, beta, *c, row, &deal) }
    });
}

/// Computes the blocks, tiles and panels of a product that are dealt to this thread.
///
/// # Safety
/// As [`rows_by_columns`], where `c` points to the first number of the result and `c_row` is its row stride. Nobody
/// else reads or writes the result meanwhile, except threads in this function with the same arguments.
unsafe fn in_tiles<L: TileKernels>(
    a: &ArrayView2<'_, f32>,
    b: &ArrayView2<'_, f32>,
    beta: f32,
    c: *mut f32,
    c_row: isize,
    deal: &Deal,
) {
    let hand = deal.hand();
    let (k, n, plan) = (a.ncols(), b.ncols(), Plan::of::<L>(a, b));
    let a = Source { at: a.as_ptr(), k: a.strides()[1], other: a.strides()[0] };
    let b = Source { at: b.as_ptr(), k: b.strides()[0], other: b.strides()[1] };
    let mut picks = if plan.picking { Some(Picks::take()) } else { None };
    let mut spare = if plan.pack_a || plan.pack_b { Some(PackBuffer::take()) } else { None };
    // A unit of the deal is the columns of one widest panel; the remaining columns at the end are one unit of several
    // panels.
    let full = plan.widest * L::LANES;
    let (places, mut stage, mut in_order) = (n.div_ceil(full), 0, false);

    for (p, k) in blocks(k) {
        for first in (0..plan.tiles).step_by(plan.at_once) {
            let (dealt, to_deal) = (stage * places, (stage + 1) * places);
            stage += 1;
            if deal.is_over(to_deal) {
                continue;
            }
            let tiles = first..(first + plan.at_once).min(plan.tiles);
            let (top, bottom) = (plan.start(tiles.start), plan.start(tiles.end));
            let starts = (tiles.start..=tiles.end).map(|tile| plan.start(tile) - top);
            // SAFETY: the chunk's rows and `k` numbers from `p` on are within `a`, and `may_pay` has checked that one
            // of its strides is 1. `same_rows` is true only from the second block on, and only if every chunk has all
            // rows.
            let picks = picks.as_mut().and_then(|picks| unsafe {
                picks.pick::<L>(a.skip(p, top), k, starts, full, in_order && plan.at_once >= plan.tiles)
            });
            in_order = true;
            let pack_a = plan.pack_a && picks.is_none();
            let numbers_a = if pack_a { (bottom - top) * k } else { 0 };
            let numbers_b = if plan.pack_b { full * k } else { 0 };
            let [room_a, mut room, mut room_next]: [&mut [f32]; 3] = match &mut spare {
                Some(spare) => spare.parts([numbers_a, numbers_b, numbers_b]),
                None => Default::default(),
            };
            let chunk = Chunk {
                plan: &plan,
                tiles,
                k,
                a: a.skip(p, top),
                b: b.skip(p, 0),
                beta: if p == 0 { beta } else { 1. },
                c: c.wrapping_offset(top as isize * c_row),
                c_row,
            };
            if pack_a {
                // SAFETY: the tiles' rows and `k` numbers from `p` on are within `a`.
                unsafe { chunk.pack::<L>(room_a) };
            }
            let packed_a = pack_a.then_some(&*room_a);
            deal.wait(dealt);
            let after = |panel: Option<Panel>| match panel.map(|panel| panel.start + panel.columns) {
                Some(start) if start < n && !start.is_multiple_of(full) => {
                    Panel::at::<L>(start, n, plan.widest)
                }
                _ => Panel::at::<L>((deal.take(to_deal)? - dealt) * full, n, plan.widest),
            };
            let ahead = plan.pack_b && chunk.tiles.len() >= TILES_TO_PACK_B && k >= K_TO_PACK_AHEAD;
            let (mut next, mut packed) = (after(None), false);
            // True if all packed numbers of the panel are finite.
            let mut finite = true;
            while let Some(panel) = next {
                next = after(Some(panel));
                if plan.pack_b && !packed {
                    // SAFETY: the panel's columns and `k` numbers from `p` on are within `b`.
                    finite = unsafe { panel.pack::<L>(chunk.b, [0, k], plan.width::<L>(panel), room) };
                }
                let packed_b = plan.pack_b.then_some(&*room);
                let picks = picks.filter(|_| finite);
                let to_pack = next.filter(|_| ahead).map(|next| (next, &mut *room_next));
                // SAFETY: the panel's columns are within `b` and `c`, and what was packed belongs to this chunk and
                // this panel: all of `b` if its layout needs packing, and with picks in rows of `full`. The deal gave
                // the panel to this thread alone, which has waited for all writers of earlier stages.
                finite = unsafe { chunk.meet::<L>(panel, packed_a, packed_b, picks, to_pack) };
                if ahead {
                    std::mem::swap(&mut room, &mut room_next);
                    packed = true;
                }
                if next.is_none_or(|next| next.start.is_multiple_of(full)) {
                    deal.done();
                }
            }
        }
    }
    hand.through();
    if let Some(spare) = spare {
        spare.put_back();
    }
    if let Some(picks) = picks {
        picks.put_back();
    }
}
