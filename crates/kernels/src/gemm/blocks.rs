//! How `k` is split into blocks, and the check of shapes.

use ndarray::{ArrayView2, ArrayViewMut2};

/// The longest block of `k`.
pub(super) const BLOCK: usize = 512;

/// Panics unless the shapes agree.
pub(super) fn check(a: &ArrayView2<'_, f32>, b: &ArrayView2<'_, f32>, c: &ArrayViewMut2<'_, f32>) {
    let ((m, k), (kb, n)) = (a.dim(), b.dim());
    assert!(k == kb && c.dim() == (m, n), "a product of [{m}, {k}] and [{kb}, {n}] into {:?}", c.dim());
}

/// Returns the blocks of `k` as (start, length); there is at least one, which may be empty.
pub(crate) fn blocks(k: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = k.div_ceil(BLOCK).max(1);
    let length = k.div_ceil(count);
    (0..count).map(move |i| (i * length, length.min(k - i * length)))
}
