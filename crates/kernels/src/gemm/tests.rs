use super::*;
use crate::test_random::{Draws, draws_of};
use ndarray::{Array2, s};

type Product = fn(ArrayView2<'_, f32>, ArrayView2<'_, f32>, f32, ArrayViewMut2<'_, f32>);

/// Every level this machine can run: its name, whether it has fused multiply-add, and its product.
fn levels() -> Vec<(&'static str, bool, Product)> {
    let mut levels: Vec<(&'static str, bool, Product)> = vec![
        ("portable", false, portable::product_with::<false>),
        ("portable fused", true, portable::product_with::<true>),
    ];
    #[cfg(target_arch = "x86_64")]
    {
        use tile_kernels::TileKernels;
        if avx2::Avx2::usable() {
            levels.push(("avx2", true, driver::product::<avx2::Avx2>));
            levels.push(("avx2 dealt", true, dealt::<avx2::Avx2>));
        }
        if avx512::Avx512::usable() {
            levels.push(("avx512", true, driver::product::<avx512::Avx512>));
            levels.push(("avx512 dealt", true, dealt::<avx512::Avx512>));
        }
    }
    #[cfg(target_arch = "aarch64")]
    levels.extend([
        ("neon", true, driver::product::<neon::Neon> as Product),
        ("neon dealt", true, dealt::<neon::Neon>),
    ]);
    let fused = levels.len() > 2 || portable::FUSED;
    levels.push(("dispatch", fused, multiply));
    levels
}

/// The product on three threads, if the layout of `c` allows.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn dealt<L: tile_kernels::TileKernels>(
    a: ArrayView2<'_, f32>,
    b: ArrayView2<'_, f32>,
    beta: f32,
    c: ArrayViewMut2<'_, f32>,
) {
    if c.strides()[1] == 1 && !c.is_empty() {
        driver::product_by::<L>(3, a, b, beta, c);
    } else {
        driver::product::<L>(a, b, beta, c);
    }
}

fn draws(place: usize) -> Draws {
    draws_of(11, place)
}

fn matrix(rows: usize, columns: usize, draws: &mut Draws) -> Array2<f32> {
    Array2::from_shape_simple_fn((rows, columns), || draws.uniform(-1., 1.) as f32)
}

/// The number of layouts in memory.
const LAYOUTS: usize = 6;

/// A matrix that contains one of this layout; [`cut`] returns it.
fn room(rows: usize, columns: usize, layout: usize, draws: &mut Draws) -> Array2<f32> {
    match layout {
        0 => matrix(rows, columns, draws),
        1 => matrix(columns, rows, draws),
        2 => matrix(rows + 3, columns + 5, draws),
        3 => matrix(rows, columns, draws),
        4 => matrix(columns, rows, draws),
        _ => matrix(2 * rows, 3 * columns, draws),
    }
}

/// Returns a matrix in row-major, column-major, sliced, reversed (twice) or strided layout.
fn cut(room: &mut Array2<f32>, rows: usize, columns: usize, layout: usize) -> ArrayViewMut2<'_, f32> {
    let view = match layout {
        0 => room.view_mut(),
        1 => room.view_mut().reversed_axes(),
        2 => room.slice_mut(s![2..rows + 2, 4..columns + 4]),
        3 => room.slice_mut(s![..;-1, ..]),
        4 => room.slice_mut(s![..;-1, ..;-1]).reversed_axes(),
        _ => room.slice_mut(s![..;2, ..;3]),
    };
    assert_eq!(view.dim(), (rows, columns));
    view
}

fn bits(matrix: &ArrayViewMut2<'_, f32>) -> Vec<u32> {
    matrix.iter().map(|v| v.to_bits()).collect()
}

fn close(a: &ArrayView2<'_, f32>, b: &ArrayView2<'_, f32>, beta: f32, old: &Array2<f32>, c: &Array2<f32>) {
    for ((i, j), &v) in c.indexed_iter() {
        let (mut sum, mut size) = (0f64, 1f64);
        for p in 0..a.ncols() {
            let term = f64::from(a[[i, p]]) * f64::from(b[[p, j]]);
            (sum, size) = (sum + term, size + term.abs());
        }
        let old = if beta == 0. { 0. } else { f64::from(beta) * f64::from(old[[i, j]]) };
        assert!((sum + old - f64::from(v)).abs() <= 2e-6 * size, "{:?} {i} {j}: {v} {sum}", c.dim());
    }
}

#[test]
fn agrees_with_a_naive_loop_in_any_shape_order_and_level() {
    let levels = levels();
    let mut draws = draws(0);
    let mut shapes: Vec<(usize, usize, usize)> =
        (0..300).map(|_| (draws.below(70), draws.below(70), draws.below(70))).collect();
    shapes.extend([(0, 3, 4), (3, 0, 4), (3, 4, 0), (1, 0, 1), (1, 1, 1), (0, 0, 0)]);
    shapes.extend([
        (1, 784, 128),
        (32, 784, 128),
        (130, 32, 10),
        (300, 20, 40),
        (5, 1100, 300),
        (70, 700, 260),
    ]);
    for (turn, &(m, k, n)) in shapes.iter().enumerate() {
        let ways = [draws.below(LAYOUTS), draws.below(LAYOUTS), draws.below(LAYOUTS)];
        let beta = [0., 1., 0.5][turn % 3];
        let (mut a, mut b) = (room(m, k, ways[0], &mut draws), room(k, n, ways[1], &mut draws));
        let (a, b) = (cut(&mut a, m, k, ways[0]), cut(&mut b, k, n, ways[1]));
        let mut before = room(m, n, ways[2], &mut draws);
        if beta == 0. {
            before.fill(f32::NAN);
        }
        let old = cut(&mut before, m, n, ways[2]).to_owned();
        let mut fused = None;
        for &(name, is_fused, product) in &levels {
            let mut after = before.clone();
            let mut c = cut(&mut after, m, n, ways[2]);
            product(a.view(), b.view(), beta, c.view_mut());
            close(&a.view(), &b.view(), beta, &old, &c.to_owned());
            if is_fused {
                let bits = bits(&c);
                assert_eq!(*fused.get_or_insert_with(|| bits.clone()), bits, "{name} {m} {k} {n} {ways:?}");
            }
            // Nothing outside the matrix was written.
            c.assign(&old);
            assert!(after.iter().zip(&before).all(|(a, b)| a.to_bits() == b.to_bits()), "{name} {m} {k} {n}");
        }
    }
}

#[test]
fn every_way_to_lie_in_memory_has_the_same_bits() {
    for (m, k, n) in [(5, 9, 33), (1, 40, 17), (26, 17, 10), (14, 530, 35), (33, 3, 1)] {
        let mut draws = draws(1);
        let (a, b, old) = (matrix(m, k, &mut draws), matrix(k, n, &mut draws), matrix(m, n, &mut draws));
        for (name, _, product) in levels() {
            for beta in [0., 1., 0.5] {
                let mut whole = old.clone();
                product(a.view(), b.view(), beta, whole.view_mut());
                for ways in 0..LAYOUTS.pow(3) {
                    let ways = [ways % LAYOUTS, ways / LAYOUTS % LAYOUTS, ways / LAYOUTS / LAYOUTS];
                    let mut rooms = [(m, k), (k, n), (m, n)];
                    let mut next =
                        rooms.iter_mut().zip(ways).map(|(&mut (r, c), way)| room(r, c, way, &mut draws));
                    let [mut a2, mut b2, mut c2] = std::array::from_fn(|_| next.next().unwrap());
                    let mut a2 = cut(&mut a2, m, k, ways[0]);
                    let mut b2 = cut(&mut b2, k, n, ways[1]);
                    let mut c2 = cut(&mut c2, m, n, ways[2]);
                    a2.assign(&a);
                    b2.assign(&b);
                    c2.assign(&old);
                    product(a2.view(), b2.view(), beta, c2.view_mut());
                    assert_eq!(bits(&whole.view_mut()), bits(&c2), "{name} {m} {k} {n} {beta} {ways:?}");
                }
            }
        }
    }
}

#[test]
fn the_bits_do_not_depend_on_the_split() {
    for (m, k, n) in [(32, 784, 128), (61, 32, 70), (7, 1500, 45), (280, 40, 200), (32, 128, 10)] {
        let mut draws = draws(2);
        let (a, b, old) = (matrix(m, k, &mut draws), matrix(k, n, &mut draws), matrix(m, n, &mut draws));
        for (name, _, product) in levels() {
            for beta in [0., 0.5] {
                let mut whole = old.clone();
                product(a.view(), b.view(), beta, whole.view_mut());
                let mut same = |cuts: &[(usize, usize)], columns: bool| {
                    let mut parts = old.clone();
                    for &(from, to) in cuts {
                        if columns {
                            let c = parts.slice_mut(s![.., from..to]);
                            product(a.view(), b.slice(s![.., from..to]), beta, c);
                        } else {
                            let c = parts.slice_mut(s![from..to, ..]);
                            product(a.slice(s![from..to, ..]), b.view(), beta, c);
                        }
                    }
                    assert_eq!(
                        bits(&whole.view_mut()),
                        bits(&parts.view_mut()),
                        "{name} {m} {k} {n} {cuts:?}"
                    );
                };
                for at in (1..m).step_by(if m > 40 { 13 } else { 1 }) {
                    same(&[(0, at), (at, m)], false);
                }
                for at in (1..n).step_by(if n > 40 { 7 } else { 1 }) {
                    same(&[(0, at), (at, n)], true);
                }
                same(&(0..m).map(|i| (i, i + 1)).collect::<Vec<_>>(), false);
                same(&(0..n).map(|j| (j, j + 1)).collect::<Vec<_>>(), true);
            }
        }
    }
}

/// All processors with fused multiply-add have these bits: this checksum was found with AVX-512, AVX2 and NEON alike.
#[test]
fn processors_of_different_kinds_have_the_same_bits() {
    for (name, fused, product) in levels() {
        let (mut draws, mut sum) = (draws(5), 0xcbf2_9ce4_8422_2325_u64);
        for (m, k, n) in
            [(32, 784, 128), (784, 32, 10), (70, 700, 45), (13, 1100, 7), (1, 128, 10), (3, 9, 1)]
        {
            let (a, b, old) = (matrix(m, k, &mut draws), matrix(k, n, &mut draws), matrix(m, n, &mut draws));
            for beta in [0., 1., 0.3] {
                let mut c = old.clone();
                product(a.view(), b.view(), beta, c.view_mut());
                // FNV-1a, over numbers instead of bytes.
                for v in c {
                    sum = (sum ^ u64::from(v.to_bits())).wrapping_mul(0x100_0000_01b3);
                }
            }
        }
        assert!(!fused || sum == 0xb6f5_3798_d9cb_67ce, "{name}: {sum:#x}");
    }
}

#[test]
fn nan_and_infinity_reach_their_row_and_column_only() {
    let mut draws = draws(3);
    let (mut a, b) = (matrix(30, 40, &mut draws), matrix(40, 37, &mut draws));
    a[[13, 7]] = f32::NAN;
    for (name, _, product) in levels() {
        let mut c = Array2::zeros((30, 37));
        product(a.view(), b.view(), 0., c.view_mut());
        assert!(c.indexed_iter().all(|((i, _), v)| v.is_nan() == (i == 13)), "{name}");
    }
}

#[test]
fn a_row_or_column_that_is_repeated_by_a_stride_of_0() {
    let mut draws = draws(4);
    let (row, b) = (matrix(1, 20, &mut draws), matrix(20, 1, &mut draws));
    let (a, b) = (row.broadcast((9, 20)).unwrap(), b.broadcast((20, 18)).unwrap());
    for (name, _, product) in levels() {
        let mut c = Array2::from_elem((9, 18), f32::NAN);
        product(a, b, 0., c.view_mut());
        assert!(c.iter().all(|v| v.to_bits() == c[[0, 0]].to_bits()), "{name}");
        close(&a, &b, 0., &c, &c);
    }
}

#[test]
fn an_inner_length_of_0_scales_the_old_content() {
    let (a, b) = (Array2::zeros((3, 0)), Array2::zeros((0, 20)));
    for (name, _, product) in levels() {
        let mut c = Array2::from_elem((3, 20), f32::NAN);
        product(a.view(), b.view(), 0., c.view_mut());
        assert_eq!(c, Array2::<f32>::zeros((3, 20)), "{name}");
        c.fill(3.);
        product(a.view(), b.view(), 0.5, c.view_mut());
        assert_eq!(c, Array2::from_elem((3, 20), 1.5), "{name}");
    }
}

#[test]
fn blocks_cover_k_in_order_and_never_come_up_empty() {
    for k in (0..3000).chain([100_000, 100_001]) {
        let blocks: Vec<_> = blocks(k).collect();
        assert!(blocks.iter().all(|&(_, length)| length <= blocks::BLOCK && (length > 0 || k == 0)), "{k}");
        assert!(blocks.windows(2).all(|w| w[0].0 + w[0].1 == w[1].0), "{k}");
        assert_eq!((blocks[0].0, blocks.iter().map(|b| b.1).sum::<usize>()), (0, k));
    }
}

#[test]
#[should_panic(expected = "a product of [2, 3] and [4, 5]")]
fn shapes_that_do_not_agree_panic() {
    multiply(
        Array2::zeros((2, 3)).view(),
        Array2::zeros((4, 5)).view(),
        0.,
        Array2::zeros((2, 5)).view_mut(),
    );
}

/// A matrix in which whole groups are 0, some of them -0; about the given share of the samples' groups is not 0.
fn with_zeros(samples: usize, numbers: usize, share: f64, draws: &mut Draws) -> Array2<f32> {
    let mut x = matrix(samples, numbers, draws);
    for mut sample in x.rows_mut() {
        for mut group in sample.axis_chunks_iter_mut(ndarray::Axis(0), 4) {
            if draws.uniform(0., 1.) > share {
                group.fill(0.);
            } else {
                group[0] = [0., -0.0, group[0]][draws.below(3)];
            }
        }
    }
    x
}

/// Computes the product element by element, exactly as the contract says.
fn by_the_contract(
    a: ArrayView2<'_, f32>,
    b: ArrayView2<'_, f32>,
    beta: f32,
    c: &Array2<f32>,
) -> Array2<f32> {
    Array2::from_shape_fn(c.dim(), |(i, j)| {
        blocks(a.ncols()).fold(c[[i, j]], |c, (p, length)| {
            let sum = (p..p + length).fold(0f32, |sum, p| a[[i, p]].mul_add(b[[p, j]], sum)) + 0.;
            match (p, beta) {
                (0, 0.) => sum,
                (0, beta) => beta.mul_add(c, sum),
                _ => c + sum,
            }
        })
    })
}

/// Asserts that all fused levels agree with the contract, to the bit or in being NaN.
fn assert_by_the_contract(
    a: ArrayView2<'_, f32>,
    b: ArrayView2<'_, f32>,
    beta: f32,
    old: &Array2<f32>,
    what: &str,
) {
    let expected = by_the_contract(a, b, beta, old);
    for (name, fused, product) in levels() {
        let mut c = old.clone();
        product(a, b, beta, c.view_mut());
        let same = |(x, y): (&f32, &f32)| x.to_bits() == y.to_bits() || x.is_nan() && y.is_nan();
        assert!(
            !fused || c.iter().zip(&expected).all(same),
            "{name} {:?} {:?} {beta} {what}",
            a.dim(),
            b.dim()
        );
    }
}

#[test]
fn zeros_that_are_left_out_change_no_bit() {
    let mut draws = draws(6);
    let shapes =
        [(32, 784, 128), (8, 4, 64), (33, 5, 65), (70, 49, 100), (300, 9, 257), (64, 1030, 96), (31, 2, 520)];
    for (samples, numbers, n) in shapes {
        for share in [0., 0.02, 0.5, 0.8, 1.] {
            let x = with_zeros(samples, numbers, share, &mut draws);
            for (a, rows) in [(x.view(), samples), (x.t(), numbers)] {
                let b = matrix(a.ncols(), n, &mut draws);
                let mut old = matrix(rows, n, &mut draws);
                for beta in [1., 0.5, 0.] {
                    if beta == 0. {
                        old.fill(f32::NAN);
                    }
                    assert_by_the_contract(a, b.view(), beta, &old, &format!("{share}"));
                }
                // The same within a larger matrix, and row by row.
                let mut room = matrix(rows + 2, n + 3, &mut draws);
                let before = room.clone();
                multiply(a, b.view(), 0., room.slice_mut(s![1..rows + 1, 2..n + 2]));
                for (i, a) in a.rows().into_iter().enumerate() {
                    let mut row = Array2::zeros((1, n));
                    multiply(a.insert_axis(ndarray::Axis(0)), b.view(), 0., row.view_mut());
                    assert_eq!(
                        row.row(0),
                        room.slice(s![i + 1, 2..n + 2]),
                        "{samples} {numbers} {n} {share} {i}"
                    );
                }
                room.slice_mut(s![1..rows + 1, 2..n + 2]).assign(&before.slice(s![1..rows + 1, 2..n + 2]));
                assert_eq!(room, before, "nothing beside the matrix was written");
            }
        }
    }
}

#[test]
fn zeros_beside_numbers_that_are_not_finite_are_not_left_out() {
    let mut draws = draws(7);
    for (samples, numbers, n) in [(32, 60, 128), (70, 600, 100), (300, 33, 64)] {
        let x = with_zeros(samples, numbers, 0.3, &mut draws);
        for a in [x.view(), x.t()] {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut b = matrix(a.ncols(), n, &mut draws);
                let (p, j) = (draws.below(a.ncols()), draws.below(n));
                b[[p, j]] = bad;
                for beta in [0., 1.] {
                    let old = matrix(a.nrows(), n, &mut draws);
                    assert_by_the_contract(a, b.view(), beta, &old, &format!("{bad} at {p}, {j}"));
                }
            }
        }
    }
    // A number of `a` that is not finite affects only its row; the zeros elsewhere are skipped.
    let (mut x, b) = (with_zeros(40, 80, 0.3, &mut draws), matrix(80, 64, &mut draws));
    (x[[3, 5]], x[[20, 79]]) = (f32::NAN, f32::INFINITY);
    assert_by_the_contract(x.view(), b.view(), 0., &Array2::zeros((40, 64)), "of a");
}

/// Negative products too small for `f32` are -0. A later +0 makes them +0; if that term is skipped, -0 would remain.
#[test]
fn a_zero_has_no_sign() {
    let mut x = Array2::zeros((32, 64));
    x.column_mut(1).fill(f32::MIN_POSITIVE);
    let old = |rows| Array2::from_elem((rows, 64), -0.0);
    for a in [x.view(), x.t()] {
        let b = Array2::from_elem((a.ncols(), 64), -1e-30);
        for beta in [0., 1.] {
            assert_by_the_contract(a, b.view(), beta, &old(a.nrows()), "");
        }
    }
}

/// Numbers as after ReLU: each column, and each row of it, has its own share of nonzero numbers. Some are -0.
fn rectified(rows: usize, columns: usize, draws: &mut Draws) -> Array2<f32> {
    let [of_row, of_column] =
        [rows, columns].map(|n| (0..n).map(|_| draws.uniform(0., 1.)).collect::<Vec<_>>());
    Array2::from_shape_fn((rows, columns), |(i, j)| match draws.uniform(0., 1.) < of_row[i] * of_column[j] {
        true => draws.uniform(-1., 1.) as f32,
        false => [0., -0.0][draws.below(2)],
    })
}

#[test]
fn what_all_rows_of_a_tile_leave_out_changes_no_bit() {
    let mut draws = draws(8);
    for (m, k, n) in [(100, 300, 256), (61, 700, 300), (131, 40, 270)] {
        let x = rectified(m, k, &mut draws);
        let columns = x.t().as_standard_layout().reversed_axes().to_owned();
        let b = matrix(k, n, &mut draws);
        let turned = b.t().as_standard_layout().reversed_axes().to_owned();
        assert!(columns.strides()[0] == 1 && turned.strides()[0] == 1);
        let old = matrix(m, n, &mut draws);
        for (beta, a, b) in [(0., &x, &b), (1., &columns, &b), (0.5, &x, &turned)] {
            assert_by_the_contract(a.view(), b.view(), beta, &old, "rectified");
            // Its parts have the same bits, whatever is computed with them.
            let mut whole = old.clone();
            multiply(a.view(), b.view(), beta, whole.view_mut());
            for rows in [0..1, 3..50, 50..m] {
                let mut part = old.slice(s![rows.clone(), ..]).to_owned();
                multiply(a.slice(s![rows.clone(), ..]), b.view(), beta, part.view_mut());
                assert_eq!(part, whole.slice(s![rows, ..]));
            }
        }
    }
}

#[test]
fn what_is_not_finite_meets_all_of_a_tile() {
    let mut draws = draws(9);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let (m, k, n) = (70, 60, 300);
        let a = rectified(m, k, &mut draws);
        let mut b = matrix(k, n, &mut draws);
        b[[draws.below(k), draws.below(n)]] = bad;
        let turned = b.t().as_standard_layout().reversed_axes().to_owned();
        let wide = ndarray::concatenate![ndarray::Axis(1), b, matrix(k, n, &mut draws)];
        for (b, n) in [(b.view(), n), (turned.view(), n), (wide.view(), 2 * n)] {
            let old = matrix(m, n, &mut draws);
            assert_by_the_contract(a.view(), b, 1., &old, &format!("{bad}"));
        }
    }
}

/// Alternating rows of two kinds, each with the half of the numbers that the other lacks: once sorted, all tiles but
/// one need half of `k`.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn rows_with_the_same_zeros_come_together() {
    fn kept<L: tile_kernels::TileKernels>() -> Vec<usize> {
        let x = Array2::from_shape_fn((96, 40), |(i, p)| if i % 2 == p / 20 { 1f32 } else { 0. });
        let columns = x.t().as_standard_layout().reversed_axes().to_owned();
        let mut kept = Vec::new();
        for x in [x, columns] {
            let a = pack::Source { at: x.as_ptr(), k: x.strides()[1], other: x.strides()[0] };
            let mut picks = sparse_rows::Picks::take();
            // SAFETY: the level was detected, and the matrix has 96 rows and a `k` of 40.
            let picks = unsafe { picks.pick::<L>(a, 40, (0..=96).step_by(6), 64, false) };
            let picks = picks.expect("half can be left out");
            for tile in 0..16 {
                let picked = picks.tile(tile);
                assert!(picked.numbers.iter().all(|&v| v == 1.));
                assert_eq!(picked.numbers.len(), 6 * picked.k);
                kept.push(picked.k);
            }
        }
        kept
    }
    #[cfg(target_arch = "x86_64")]
    if <avx2::Avx2 as tile_kernels::TileKernels>::usable() {
        assert_eq!(kept::<avx2::Avx2>(), [20; 32]);
    }
    #[cfg(target_arch = "aarch64")]
    assert_eq!(kept::<neon::Neon>(), [20; 32]);
}
