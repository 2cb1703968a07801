//! Maxima and means over windows: the loops of pooling.
//!
//! All kernels work on consecutive planes: a channel of a sample is a plane of `rows` by `columns`. Every loop goes
//! along a row of the output, so a window costs a pass over short rows that are in the L1 cache.
//!
//! # The position of a maximum
//!
//! The position in a window is counted row by row: in a window of two by two, 0 to 3. The backward pass needs it: with
//! the window's own position it gives the position in the plane. The first element of a window is always taken, so that
//! a window that contains only minus infinity has a position, too; then any larger element, or NaN. So the first of
//! equal elements wins, and of several NaNs the last, as in PyTorch.
//!
//! # Spans
//!
//! A mean over windows is computed as a sum over the rows of a span, and then over its columns. The same two kernels
//! serve pooling by a window, global pooling, pooling to a given output size, and upsampling, whose derivative is a sum
//! over the copies of a pixel.

use crate::kernels;

/// Windows over a plane.
#[derive(Clone, Copy, Debug, PartialEq)]
#[doc(hidden)]
pub struct Windows {
    /// Rows and columns of the input.
    pub input: [usize; 2],
    /// Rows and columns of the output.
    pub output: [usize; 2],
    /// Rows and columns of a window.
    pub size: [usize; 2],
    /// The steps from one window to the next.
    pub stride: [usize; 2],
    /// The rows above and columns left of the plane at which the first window begins (the padding).
    pub before: [usize; 2],
}

impl Windows {
    /// Returns whether windows are two by two without overlap or padding: the usual case, which has its own loops.
    fn is_two_by_two(&self) -> bool {
        self.size == [2, 2] && self.stride == [2, 2] && self.before == [0, 0]
    }

    /// Returns the range of outputs whose windows have their column `j` inside the plane: start and end.
    fn inside(&self, j: usize) -> (usize, usize) {
        let (stride, left) = (self.stride[1], self.before[1]);
        let from = left.saturating_sub(j).div_ceil(stride);
        let to = (self.input[1] + left).saturating_sub(j).div_ceil(stride).min(self.output[1]);
        (from, to)
    }
}

/// A range of an axis, and the divisor of the sum over it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[doc(hidden)]
pub struct Span {
    /// The first position.
    pub start: usize,
    /// The end, exclusive; at least `start`.
    pub end: usize,
    /// The divisor.
    pub count: usize,
}

kernels! {
    /// Pooling over planes.
    Pooling {
        /// The maximum of each window. NaN counts as larger than any number.
        fn max_windows(x: &[F], windows: Windows, out: &mut [F]);
        /// The maximum of each window and its position in the window: of equal elements the first, of NaNs the last.
        fn max_windows_marked(x: &[F], windows: Windows, out: &mut [F], marks: &mut [u32]);
        /// Adds each element of `grad` at the position of its window's maximum; the rest of `dx` becomes 0.
        fn max_windows_back(grad: &[F], marks: &[u32], windows: Windows, dx: &mut [F]);
        /// The maximum of each row and its position in it, as in `max_windows_marked`.
        fn max_rows_marked(x: &[F], columns: usize, out: &mut [F], marks: &mut [u32]);
        /// The sums over spans of rows and columns, divided by both counts. `room` has the length of a plane's row.
        fn mean_spans(
            x: &[F], rows: &[Span], columns: &[Span], plane: [usize; 2], room: &mut [F], out: &mut [F],
        );
        /// The derivative of `mean_spans`: each element divided by both counts, added to all positions of its span; the
        /// rest becomes 0.
        fn mean_spans_back(
            grad: &[F], rows: &[Span], columns: &[Span], plane: [usize; 2], room: &mut [F], dx: &mut [F],
        );
    }
}

mod generic {
    use super::{Span, Windows};
    use num_traits::Float;

    /// No position yet.
    const NONE: u32 = u32::MAX;

    /// Takes `x` if it is larger, or NaN, or the first element.
    #[inline(always)]
    fn larger<F: Float>(x: F, place: u32, best: &mut F, mark: &mut u32) {
        let take = x > *best || x.is_nan() || *mark == NONE;
        *best = if take { x } else { *best };
        *mark = if take { place } else { *mark };
    }

    #[inline(always)]
    fn planes<F>(x: &[F], [rows, columns]: [usize; 2]) -> std::slice::ChunksExact<'_, F> {
        x.chunks_exact((rows * columns).max(1))
    }

    #[inline(always)]
    fn planes_mut<F>(x: &mut [F], [rows, columns]: [usize; 2]) -> std::slice::ChunksExactMut<'_, F> {
        x.chunks_exact_mut((rows * columns).max(1))
    }

    /// Returns the starts of pieces of `N` columns that cover `columns`, at least `N`; the last two may overlap. Pieces
    /// of a length known at compile time are vectorized; the last few of a loop would be scalar.
    #[inline(always)]
    fn pieces<const N: usize>(columns: usize) -> impl Iterator<Item = usize> {
        (0..columns.div_ceil(N)).map(move |i| (i * N).min(columns - N))
    }

    /// Computes the maxima of squares of two by two, and their positions.
    #[inline(always)]
    fn squares<F: Float>(upper: &[[F; 2]], lower: &[[F; 2]], out: &mut [F], marks: &mut [u32]) {
        for ((out, mark), (&[a, b], &[c, d])) in out.iter_mut().zip(marks).zip(upper.iter().zip(lower)) {
            let (mut best, mut place) = (a, 0);
            larger(b, 1, &mut best, &mut place);
            larger(c, 2, &mut best, &mut place);
            larger(d, 3, &mut best, &mut place);
            (*out, *mark) = (best, place);
        }
    }

    /// Computes the gradients of one row of squares; `place` is the position of the row's first element.
    #[inline(always)]
    fn pairs_back<F: Float>(grad: &[F], marks: &[u32], place: u32, dx: &mut [[F; 2]]) {
        for ((dx, &g), &mark) in dx.iter_mut().zip(grad).zip(marks) {
            let at = |place: u32| if mark == place { g } else { F::zero() };
            *dx = [at(place), at(place + 1)];
        }
    }

    #[inline(always)]
    pub fn max_windows<F: Float>(x: &[F], windows: Windows, out: &mut [F]) {
        // Marks of one row of outputs are written and discarded: one loop serves both kernels, without allocation.
        let columns = windows.output[1];
        let mut marks = [NONE; 256];
        if windows.is_two_by_two() {
            for (x, out) in planes(x, windows.input).zip(planes_mut(out, windows.output)) {
                let rows = x.chunks_exact(2 * windows.input[1]);
                for (x, out) in rows.zip(out.chunks_exact_mut(columns)) {
                    let (upper, lower) = x.split_at(windows.input[1]);
                    let pairs = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
                    for (out, (&[a, b], &[c, d])) in out.iter_mut().zip(pairs) {
                        let max = |x: F, y: F| if y > x || y.is_nan() { y } else { x };
                        *out = max(max(max(a, b), c), d);
                    }
                }
            }
            return;
        }
        for (x, out) in planes(x, windows.input).zip(planes_mut(out, windows.output)) {
            for (row, out) in out.chunks_exact_mut(columns.max(1)).enumerate() {
                for (i, out) in out.chunks_mut(marks.len()).enumerate() {
                    let first = i * marks.len();
                    row_of_windows(x, windows, row, first, out, &mut marks);
                }
            }
        }
    }

    #[inline(always)]
    pub fn max_windows_marked<F: Float>(x: &[F], windows: Windows, out: &mut [F], marks: &mut [u32]) {
        let columns = windows.output[1];
        let planes = planes(x, windows.input).zip(planes_mut(out, windows.output));
        for ((x, out), marks) in planes.zip(planes_mut(marks, windows.output)) {
            let rows = out.chunks_exact_mut(columns.max(1)).zip(marks.chunks_exact_mut(columns.max(1)));
            if windows.is_two_by_two() {
                for (x, (out, marks)) in x.chunks_exact(2 * windows.input[1]).zip(rows) {
                    let (upper, lower) = x.split_at(windows.input[1]);
                    let (upper, lower) = (upper.as_chunks::<2>().0, lower.as_chunks::<2>().0);
                    match columns {
                        0..4 => squares(upper, lower, out, marks),
                        4..8 => {
                            for i in pieces::<4>(columns) {
                                let at = i..i + 4;
                                let (out, marks) = (&mut out[at.clone()], &mut marks[at.clone()]);
                                squares(&upper[at.clone()], &lower[at], out, marks);
                            }
                        }
                        _ => {
                            for i in pieces::<8>(columns) {
                                let at = i..i + 8;
                                let (out, marks) = (&mut out[at.clone()], &mut marks[at.clone()]);
                                squares(&upper[at.clone()], &lower[at], out, marks);
                            }
                        }
                    }
                }
            } else {
                for (row, (out, marks)) in rows.enumerate() {
                    row_of_windows(x, windows, row, 0, out, marks);
                }
            }
        }
    }

    /// Computes a row of outputs from column `first` on, position by position of the windows.
    #[inline(always)]
    fn row_of_windows<F: Float>(
        x: &[F],
        windows: Windows,
        row: usize,
        first: usize,
        out: &mut [F],
        marks: &mut [u32],
    ) {
        let Windows { input: [rows, columns], size, stride, before: [top, left], .. } = windows;
        let marks = &mut marks[..out.len()];
        out.fill(F::neg_infinity());
        marks.fill(NONE);
        // The rows of the window inside the plane for this output, and the columns inside it for any output.
        let (down, last) = (row * stride[0], (windows.output[1] - 1) * stride[1]);
        for i in top.saturating_sub(down)..size[0].min((rows + top).saturating_sub(down)) {
            let y = down + i - top;
            for j in left.saturating_sub(last)..size[1].min(columns + left) {
                let (from, to) = windows.inside(j);
                let (from, to) = (from.max(first), to.min(first + out.len()));
                if from >= to {
                    continue;
                }
                let x = &x[y * columns + from * stride[1] + j - left..(y + 1) * columns];
                let (out, marks) = (&mut out[from - first..to - first], &mut marks[from - first..to - first]);
                let place = (i * size[1] + j) as u32;
                let outputs = out.iter_mut().zip(marks);
                match stride[1] {
                    1 => outputs.zip(x).for_each(|((out, mark), &x)| larger(x, place, out, mark)),
                    2 => outputs.zip(x.chunks(2)).for_each(|((out, mark), x)| larger(x[0], place, out, mark)),
                    s => outputs.zip(x.chunks(s)).for_each(|((out, mark), x)| larger(x[0], place, out, mark)),
                }
            }
        }
    }

    #[inline(always)]
    pub fn max_windows_back<F: Float>(grad: &[F], marks: &[u32], windows: Windows, dx: &mut [F]) {
        let Windows { input, output, size, stride, before: [top, left] } = windows;
        let planes = planes(grad, output).zip(planes(marks, output)).zip(planes_mut(dx, input));
        for ((grad, marks), dx) in planes {
            // If windows of two by two cover the plane, every element is written below.
            if !(windows.is_two_by_two() && input[0] % 2 == 0 && input[1] % 2 == 0) {
                dx.fill(F::zero());
            }
            let rows = grad.chunks_exact(output[1].max(1)).zip(marks.chunks_exact(output[1].max(1)));
            if windows.is_two_by_two() {
                for ((grad, marks), dx) in rows.zip(dx.chunks_exact_mut(2 * input[1])) {
                    let (upper, lower) = dx.split_at_mut(input[1]);
                    for (dx, place) in [(upper, 0), (lower, 2)] {
                        let dx = dx.as_chunks_mut::<2>().0;
                        match output[1] {
                            0..4 => pairs_back(grad, marks, place, dx),
                            4..8 => {
                                for i in pieces::<4>(output[1]) {
                                    let at = i..i + 4;
                                    pairs_back(&grad[at.clone()], &marks[at.clone()], place, &mut dx[at]);
                                }
                            }
                            _ => {
                                for i in pieces::<8>(output[1]) {
                                    let at = i..i + 8;
                                    pairs_back(&grad[at.clone()], &marks[at.clone()], place, &mut dx[at]);
                                }
                            }
                        }
                    }
                }
                continue;
            }
            for (row, (grad, marks)) in rows.enumerate() {
                for (column, (&g, &mark)) in grad.iter().zip(marks).enumerate() {
                    let mark = mark as usize;
                    let y = (row * stride[0] + mark / size[1]).wrapping_sub(top);
                    let x = (column * stride[1] + mark % size[1]).wrapping_sub(left);
                    if let Some(dx) = dx.get_mut(y.wrapping_mul(input[1]).wrapping_add(x)) {
                        *dx = *dx + g;
                    }
                }
            }
        }
    }

    #[inline(always)]
    pub fn max_rows_marked<F: Float>(x: &[F], columns: usize, out: &mut [F], marks: &mut [u32]) {
        for ((x, out), mark) in x.chunks_exact(columns.max(1)).zip(out).zip(marks) {
            (*out, *mark) = (F::neg_infinity(), NONE);
            for (place, &x) in x.iter().enumerate() {
                larger(x, place as u32, out, mark);
            }
        }
    }

    #[inline(always)]
    pub fn mean_spans<F: Float>(
        x: &[F],
        rows: &[Span],
        columns: &[Span],
        plane: [usize; 2],
        room: &mut [F],
        out: &mut [F],
    ) {
        let room = &mut room[..plane[1]];
        for (x, out) in planes(x, plane).zip(planes_mut(out, [rows.len(), columns.len()])) {
            for (row, out) in rows.iter().zip(out.chunks_exact_mut(columns.len().max(1))) {
                room.fill(F::zero());
                for x in x[row.start * plane[1]..row.end * plane[1]].chunks_exact(plane[1].max(1)) {
                    for (sum, &x) in room.iter_mut().zip(x) {
                        *sum = *sum + x;
                    }
                }
                for (out, column) in out.iter_mut().zip(columns) {
                    let sum = room[column.start..column.end].iter().fold(F::zero(), |sum, &x| sum + x);
                    *out = sum / number(row.count * column.count);
                }
            }
        }
    }

    #[inline(always)]
    pub fn mean_spans_back<F: Float>(
        grad: &[F],
        rows: &[Span],
        columns: &[Span],
        plane: [usize; 2],
        room: &mut [F],
        dx: &mut [F],
    ) {
        let room = &mut room[..plane[1]];
        for (grad, dx) in planes(grad, [rows.len(), columns.len()]).zip(planes_mut(dx, plane)) {
            dx.fill(F::zero());
            for (row, grad) in rows.iter().zip(grad.chunks_exact(columns.len().max(1))) {
                room.fill(F::zero());
                for (&g, column) in grad.iter().zip(columns) {
                    let share = g / number(row.count * column.count);
                    for sum in &mut room[column.start..column.end] {
                        *sum = *sum + share;
                    }
                }
                for dx in dx[row.start * plane[1]..row.end * plane[1]].chunks_exact_mut(plane[1].max(1)) {
                    for (dx, &sum) in dx.iter_mut().zip(room.iter()) {
                        *dx = *dx + sum;
                    }
                }
            }
        }
    }

    /// Returns a count in the element type; the conversion to `f32` and `f64` cannot fail.
    #[inline(always)]
    fn number<F: Float>(count: usize) -> F {
        F::from(count).unwrap_or_else(F::nan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computes the result by definition, one window at a time.
    fn plainly(x: &[f32], w: Windows) -> (Vec<f32>, Vec<u32>) {
        let (mut out, mut marks) = (Vec::new(), Vec::new());
        for plane in x.chunks(w.input[0] * w.input[1]) {
            for (row, column) in (0..w.output[0]).flat_map(|r| (0..w.output[1]).map(move |c| (r, c))) {
                let mut best: Option<(f32, u32)> = None;
                for (i, j) in (0..w.size[0]).flat_map(|i| (0..w.size[1]).map(move |j| (i, j))) {
                    let y = (row * w.stride[0] + i).wrapping_sub(w.before[0]);
                    let x = (column * w.stride[1] + j).wrapping_sub(w.before[1]);
                    if y < w.input[0] && x < w.input[1] {
                        let v = plane[y * w.input[1] + x];
                        if best.is_none_or(|(best, _)| v > best || v.is_nan()) {
                            best = Some((v, (i * w.size[1] + j) as u32));
                        }
                    }
                }
                let (v, place) = best.unwrap();
                out.push(v);
                marks.push(place);
            }
        }
        (out, marks)
    }

    #[test]
    fn maxima_of_any_width_agree_with_a_plain_loop_also_with_nan_and_ties() {
        for columns in 1..70 {
            for (size, stride, before) in [
                ([2, 2], [2, 2], [0, 0]),
                ([3, 3], [1, 1], [1, 1]),
                ([3, 2], [2, 2], [1, 1]),
                ([1, 3], [1, 3], [0, 1]),
                ([2, 5], [1, 2], [0, 2]),
            ] {
                let input = [5, columns];
                if columns + 2 * before[1] < size[1] {
                    continue;
                }
                let output = [0, 1].map(|i| (input[i] + 2 * before[i] - size[i]) / stride[i] + 1);
                let windows = Windows { input, output, size, stride, before };
                let mut x: Vec<f32> = (0..2 * 5 * columns).map(|i| ((i * 37) % 11) as f32 - 5.).collect();
                x[columns / 2] = f32::NAN;
                x[3 * columns] = f32::NEG_INFINITY;
                let (expected, places) = plainly(&x, windows);
                let mut out = vec![0f32; expected.len()];
                let mut marks = vec![0; expected.len()];
                f32::max_windows_marked(&x, windows, &mut out, &mut marks);
                let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&out), bits(&expected), "{windows:?}");
                assert_eq!(marks, places, "{windows:?}");
                out.fill(0.);
                f32::max_windows(&x, windows, &mut out);
                assert_eq!(bits(&out), bits(&expected), "{windows:?}");

                let mut dx = vec![7f32; x.len()];
                f32::max_windows_back(&vec![1.; out.len()], &marks, windows, &mut dx);
                assert_eq!(dx.iter().sum::<f32>(), out.len() as f32, "every gradient arrives");
                assert!(dx.iter().zip(&x).all(|(&d, x)| d == 0. || x.is_nan() || expected.contains(x)));
            }
        }
    }
}
