//! Matrix products: the one place through which the crate multiplies and transposes.

use super::gemm;
use crate::threads;
use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, Axis};
use std::cell::RefCell;

/// Matrix products, for any layout in memory.
///
/// The rest of the crate relies on this contract: each element of `c` is a sum over `k` in an order that does not
/// depend on how many rows and columns are computed with it. So a product may be split by rows or columns, and a row
/// alone has the same bits as in any batch. For `f32` the crate's own kernels keep the contract by construction, see
/// `gemm`. For `f64`, `matrixmultiply` keeps it, as measured for splits of the layers' shapes; its product of a matrix
/// and a vector (`dot`) has other bits, so a single sample is passed as a matrix with one row.
#[doc(hidden)]
pub trait MatMul: Sized {
    /// Computes `c = a · b + beta · c`; with a `beta` of 0, the old content of `c` does not matter.
    fn matmul(a: ArrayView2<'_, Self>, b: ArrayView2<'_, Self>, beta: Self, c: ArrayViewMut2<'_, Self>);

    /// Computes the same bits on the calling thread alone: for callers that have distributed their work already.
    fn matmul_alone(a: ArrayView2<'_, Self>, b: ArrayView2<'_, Self>, beta: Self, c: ArrayViewMut2<'_, Self>);

    /// Transposes a matrix of `columns` columns into `to`, of the same length: `to[j · rows + i]` is element `j` of row
    /// `i`.
    ///
    /// # Panics
    /// If `from` is not a whole number of rows, or `to` has another length.
    fn transpose(from: &[Self], columns: usize, to: &mut [Self]);
}

/// The least number of multiply-adds per thread: some microseconds of work, which is several times the cost of a fork
/// and a join.
const LEAST_WORK: usize = 500_000;

/// The most elements of `c`, over all blocks, for which a product is split along `k`: the extra sums stay in the L1
/// cache.
const MOST_BESIDE: usize = 8_192;

/// The least number of columns that are distributed dynamically among the threads, some at a time.
const COLUMNS_TO_DEAL: usize = 512;

/// Splits the longer axis of `c` into parts for several threads, if the product is large enough. Columns are split at
/// multiples of the number that the kernels compute at once.
fn in_parts<F: Send + Sync>(
    a: ArrayView2<'_, F>,
    b: ArrayView2<'_, F>,
    mut c: ArrayViewMut2<'_, F>,
    product: impl Fn(ArrayView2<'_, F>, ArrayView2<'_, F>, ArrayViewMut2<'_, F>) + Sync,
) {
    let parts = threads::parts(work(&a, &c), LEAST_WORK);
    let by_rows = c.nrows() > c.ncols();
    let (axis, together) = if by_rows { (Axis(0), 1) } else { (Axis(1), 64) };
    let length = c.len_of(axis).div_ceil(parts).next_multiple_of(together);
    if parts == 1 || length >= c.len_of(axis) {
        return product(a, b, c);
    }
    let cut = c.axis_chunks_iter_mut(axis, length);
    if by_rows {
        threads::each(cut.zip(a.axis_chunks_iter(Axis(0), length)), |(c, a)| product(a, b, c));
    } else {
        threads::each(cut.zip(b.axis_chunks_iter(Axis(1), length)), |(c, b)| product(a, b, c));
    }
}

/// Returns the number of multiply-adds.
fn work<F>(a: &ArrayView2<'_, F>, c: &ArrayViewMut2<'_, F>) -> usize {
    a.len().saturating_mul(c.ncols())
}

/// Splits the product along `k` for two threads, if `k` has two blocks and `c` is small: the second block is summed in
/// a separate buffer and added to `c`, as the order of the sums requires in any case.
///
/// This is typical of a layer's forward product. Split this way, a thread needs only its rows of the weights: the same
/// ones whose gradient it computes, and that it updates. So the weights stay in the caches of the core that uses them,
/// and only the few elements of `c` move between cores.
fn along_k(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>, beta: f32, mut c: ArrayViewMut2<'_, f32>) {
    let two_blocks = gemm::blocks(a.ncols()).count() == 2;
    if !two_blocks || c.len() > MOST_BESIDE || threads::parts(work(&a, &c), LEAST_WORK) < 2 {
        return in_parts(a, b, c, |a, b, c| gemm::multiply(a, b, beta, c));
    }
    let first = gemm::blocks(a.ncols()).next().map_or(0, |(_, length)| length);
    let (a1, a2) = a.split_at(Axis(1), first);
    let (b1, b2) = b.split_at(Axis(0), first);
    BESIDE.with_borrow_mut(|beside| {
        beside.resize(c.len(), 0.0);
        let mut sums = ArrayViewMut2::from_shape(c.dim(), beside).expect("as many numbers as the result");
        let parts = [(a1, b1, beta, c.view_mut()), (a2, b2, 0.0, sums.view_mut())];
        threads::each(parts.into_iter(), |(a, b, beta, c)| gemm::multiply(a, b, beta, c));
        c += &sums;
    });
}

thread_local! {
    /// The sums of the second block.
    static BESIDE: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

impl MatMul for f32 {
    fn matmul(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>, beta: f32, mut c: ArrayViewMut2<'_, f32>) {
        let threads = threads::parts(work(&a, &c), LEAST_WORK);
        let wide = c.ncols() >= c.nrows().max(COLUMNS_TO_DEAL) && c.strides()[1] == 1;
        if !(threads > 1 && wide && gemm::multiply_by(threads, a, b, beta, c.view_mut())) {
            along_k(a, b, beta, c);
        }
    }

    fn matmul_alone(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>, beta: f32, c: ArrayViewMut2<'_, f32>) {
        gemm::multiply(a, b, beta, c);
    }

    fn transpose(from: &[f32], columns: usize, to: &mut [f32]) {
        gemm::transpose(from, columns, to);
    }
}

impl MatMul for f64 {
    fn matmul(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>, beta: f64, c: ArrayViewMut2<'_, f64>) {
        in_parts(a, b, c, |a, b, c| Self::matmul_alone(a, b, beta, c));
    }

    fn matmul_alone(
        a: ArrayView2<'_, f64>,
        b: ArrayView2<'_, f64>,
        beta: f64,
        mut c: ArrayViewMut2<'_, f64>,
    ) {
        if a.ncols() == 0 && beta == 0.0 {
            c.fill(0.0);
        }
        general_mat_mul(1.0, &a, &b, beta, &mut c);
    }

    fn transpose(from: &[f64], columns: usize, to: &mut [f64]) {
        gemm::portable::transpose(from, columns, to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_random::draws_of;
    use ndarray::{Array2, s};

    fn random(rows: usize, columns: usize, place: usize) -> Array2<f32> {
        let mut draws = draws_of(3, place);
        Array2::from_shape_simple_fn((rows, columns), || draws.uniform(-1., 1.) as f32)
    }

    #[test]
    fn transposes_of_all_shapes_have_each_number_in_its_place() {
        fn check<F: MatMul + Copy + PartialEq + std::fmt::Debug>(number: impl Fn(usize) -> F) {
            for (rows, columns) in
                [(0, 3), (3, 0), (1, 1), (1, 10), (10, 1), (15, 17), (32, 10), (33, 32), (70, 3)]
            {
                let from: Vec<F> = (0..rows * columns).map(&number).collect();
                let mut to = vec![number(1 << 20); from.len()];
                F::transpose(&from, columns, &mut to);
                for (at, &found) in to.iter().enumerate() {
                    assert_eq!(
                        found,
                        from[at % rows * columns + at / rows],
                        "place {at} of [{columns}, {rows}]"
                    );
                }
            }
        }
        check(|i| i as f32);
        check(|i| i as f64);
    }

    #[test]
    fn agrees_with_a_naive_loop_over_shapes_orders_and_old_content() {
        for (m, k, n) in
            [(1, 1, 1), (3, 0, 4), (1, 784, 10), (5, 7, 9), (17, 33, 65), (32, 128, 10), (70, 3, 2)]
        {
            for transposed in 0..4 {
                let a = if transposed & 1 == 0 { random(m, k, 0) } else { random(k, m, 0).reversed_axes() };
                let b = if transposed & 2 == 0 { random(k, n, 1) } else { random(n, k, 1).reversed_axes() };
                for beta in [0f32, 1.] {
                    let mut c =
                        if beta == 0. { Array2::from_elem((m, n), f32::NAN) } else { random(m, n, 2) };
                    let old = c.mapv(|v| if beta == 0. { 0. } else { f64::from(v) });
                    f32::matmul(a.view(), b.view(), beta, c.view_mut());
                    for ((i, j), &v) in c.indexed_iter() {
                        let sum: f64 = (0..k).map(|p| f64::from(a[[i, p]]) * f64::from(b[[p, j]])).sum();
                        assert!((sum + old[[i, j]] - f64::from(v)).abs() < 1e-5 * (k as f64).max(1.));
                    }
                }
            }
        }
    }

    #[test]
    fn the_bits_do_not_depend_on_the_split() {
        let (a, b) = (random(32, 784, 0), random(784, 128, 1));
        let mut whole = Array2::zeros((32, 128));
        f32::matmul(a.view(), b.view(), 0., whole.view_mut());
        for cut in [1, 2, 3, 7, 8, 16, 30, 31] {
            let mut rows = Array2::zeros((32, 128));
            for (from, to) in [(0, cut), (cut, 32)] {
                f32::matmul(a.slice(s![from..to, ..]), b.view(), 0., rows.slice_mut(s![from..to, ..]));
            }
            assert_eq!(whole, rows);
            let mut columns = Array2::zeros((32, 128));
            for (from, to) in [(0, cut), (cut, 128)] {
                f32::matmul(a.view(), b.slice(s![.., from..to]), 0., columns.slice_mut(s![.., from..to]));
            }
            assert_eq!(whole, columns);
        }
    }
}
