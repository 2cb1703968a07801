//! Orthogonal matrices, drawn uniformly.
//!
//! Vectors of standard normal numbers have a uniformly distributed direction. Orthonormalized one after the other with
//! the Gram-Schmidt process, they are a uniform draw among all sets of orthonormal vectors (Haar measure). The result
//! is the Q of a QR decomposition whose R has a positive diagonal; Keras and PyTorch correct the signs afterwards
//! instead.
//!
//! One pass of the process leaves components of the order of the rounding error times the vectors' condition number. A
//! second one removes them: "twice is enough" (Giraud, Langou and Rozložník, "The loss of orthogonality in the
//! Gram-Schmidt orthogonalization process", 2005).

use crate::kernels::Scalar;
use crate::random::RandomStream;
use crate::tensor::Tensor;
use ndarray::IxDyn;

/// The fraction of a vector's length below which it is drawn again, because it is in the span of the others up to
/// rounding.
const LEAST: f64 = 1e-6;

/// Returns `gain` times a matrix `[shape[0], the rest]` whose rows or columns, whichever are fewer, are orthonormal.
/// The caller has checked the memory.
pub(super) fn orthogonal<F: Scalar>(shape: &[usize], gain: f64, draws: &mut RandomStream) -> Tensor<F> {
    let rows = shape.first().copied().unwrap_or(1);
    let columns: usize = shape.iter().skip(1).product();
    let (count, length) = (rows.min(columns), rows.max(columns));
    let vectors = orthonormal::<f64>(count, length, draws);
    let at = |i: usize| {
        let (row, column) = (i / columns, i % columns);
        let (vector, place) = if rows <= columns { (row, column) } else { (column, row) };
        F::of(gain * vectors[vector * length + place])
    };
    let mut next = 0..;
    Tensor::from_shape_simple_fn(IxDyn(shape), || at(next.next().unwrap_or_default()))
}

/// Returns `count` orthonormal vectors, row by row; `count` is at most `length`.
fn orthonormal<F: Scalar>(count: usize, length: usize, draws: &mut RandomStream) -> Vec<F> {
    let mut done: Vec<F> = Vec::with_capacity(count * length);
    let mut vector = vec![F::zero(); length];
    while done.len() < count * length {
        vector.fill_with(|| F::of(draws.normal()));
        let drawn = F::sum_squares(&vector);
        for _ in 0..2 {
            for other in done.chunks_exact(length) {
                let mut dot = [F::zero()];
                F::dot_rows(&vector, other, length, &mut dot);
                F::add_scaled(&mut vector, -dot[0], other);
            }
        }
        let left = F::sum_squares(&vector);
        if left > LEAST * LEAST * drawn {
            F::scale(&mut vector, F::of(left.sqrt().recip()));
            done.extend_from_slice(&vector);
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use crate::init::Initializer;
    use crate::random::Random;
    use crate::tensor::Tensor;

    fn draw(shape: &[usize], gain: f64, seed: u64) -> Tensor<f64> {
        Initializer::Orthogonal { gain }.tensor(shape, 1, 1, &Random::seed(seed)).unwrap()
    }

    #[test]
    fn the_shorter_sides_vectors_are_orthonormal() {
        for shape in [&[30usize, 30][..], &[50, 7], &[7, 50], &[1, 9], &[9, 1], &[8, 3, 3, 3], &[1, 1]] {
            for gain in [1.0, 1.5] {
                let tensor = draw(shape, gain, 3);
                let size = (shape[0], shape[1..].iter().product::<usize>());
                let matrix = tensor.into_shape_with_order(size).unwrap();
                let product = if matrix.nrows() <= matrix.ncols() {
                    matrix.dot(&matrix.t())
                } else {
                    matrix.t().dot(&matrix)
                };
                for ((i, j), &found) in product.indexed_iter() {
                    let expected = if i == j { gain * gain } else { 0.0 };
                    assert!((found - expected).abs() < 1e-14, "{shape:?} {i} {j} {found}");
                }
            }
        }
    }

    #[test]
    fn one_seed_has_one_matrix_and_signs_are_free() {
        assert_eq!(draw(&[5, 4], 1.0, 8), draw(&[5, 4], 1.0, 8));
        assert_ne!(draw(&[5, 4], 1.0, 8), draw(&[5, 4], 1.0, 9));
        let negative = (0..400).filter(|&seed| draw(&[2, 2], 1.0, seed)[[0, 0]] < 0.0).count();
        assert!((140..260).contains(&negative), "{negative}");
        assert_eq!(draw(&[0, 4], 1.0, 8).len(), 0);
        assert_eq!(draw(&[3, 0], 1.0, 8).len(), 0);
    }
}
