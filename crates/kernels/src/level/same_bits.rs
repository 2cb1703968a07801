//! Tests that check which results have the same bits at which levels of vector instructions, as documented in `lib.rs`
//! and docs/guide.md.

use crate::elementwise::{BINARY, COMPARISONS, UNARY};
use crate::level::rule_steps::{ADA, ADAM, FREE, LION, MOMENT, RMS, SGD};
use crate::level::{Level, usable, with};
use crate::matmul::MatMul;
use crate::optim::adam::{AdamLoop, AdamPass};
use crate::test_random::{Draws, draws_of};
use crate::*;
use ndarray::{Array2, s};
use std::fmt::Debug;

/// The arrays that kernels read and write: matrices of `rows` by `columns` and vectors, of different kinds of values.
#[derive(Clone, Debug)]
struct Room<F> {
    columns: usize,
    /// Two matrices with both signs, and with zeros.
    x: Vec<F>,
    y: Vec<F>,
    /// Two matrices of values from 0 to 1.
    p: Vec<F>,
    q: Vec<F>,
    /// A value above 0 for each column, and for each row.
    by_column: Vec<F>,
    by_row: Vec<F>,
    /// Four times as large as a matrix.
    out: Vec<F>,
    ids: Vec<u32>,
    bytes: Vec<u8>,
    singles: Vec<f32>,
    doubles: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
    labels: Vec<usize>,
}

const ROWS: usize = 48;

impl<F: Scalar> Room<F> {
    fn new(columns: usize) -> Self {
        let (numbers, mut draws) = (ROWS * columns, draws_of(12, columns));
        fn list<T>(length: usize, mut draw: impl FnMut() -> T) -> Vec<T> {
            (0..length).map(|_| draw()).collect()
        }
        let signed = |draws: &mut Draws| match draws.below(9) {
            0 => [0.0, -0.0, 30.0, -30.0][draws.below(4)],
            _ => draws.uniform(-4.0, 4.0),
        };
        Self {
            columns,
            x: list(numbers, || F::of(signed(&mut draws))),
            y: list(numbers, || F::of(signed(&mut draws))),
            p: list(numbers, || F::of(draws.uniform(0.0, 1.0))),
            q: list(numbers, || F::of(draws.uniform(0.0, 1.0))),
            by_column: list(columns, || F::of(draws.uniform(0.1, 2.0))),
            by_row: list(ROWS, || F::of(draws.uniform(0.1, 2.0))),
            out: list(4 * numbers, || F::of(0.7)),
            ids: list(numbers, || draws.below(ROWS) as u32),
            bytes: list(numbers, || draws.below(256) as u8),
            singles: list(numbers, || draws.uniform(-1.0, 1.0) as f32),
            doubles: list(numbers, || draws.uniform(-1.0, 1.0)),
            low: list(columns, || draws.uniform(0.1, 1.0)),
            high: list(columns, || draws.uniform(0.1, 1.0)),
            labels: list(ROWS, || draws.below(columns.max(2))),
        }
    }

    /// Returns all bits of the arrays.
    fn bits(&self) -> Vec<u64> {
        let Self { x, y, p, q, by_column, by_row, out, ids, doubles, low, high, .. } = self;
        let numbers = [x, y, p, q, by_column, by_row, out].into_iter().flatten().map(|v| v.as_f64());
        let numbers = numbers.chain([doubles, low, high].into_iter().flatten().copied());
        numbers.map(f64::to_bits).chain(ids.iter().map(|&id| id.into())).collect()
    }
}

const GATES: [Gate; 4] = [Gate::SiLU, Gate::Mish, Gate::GELU, Gate::GELUTanh];

/// All activations.
fn activations() -> impl Iterator<Item = Activation> {
    use Activation::*;
    let first = [ReLU, ReLU6, LeakyReLU(0.1), ELU(1.5), SELU, HardSigmoid, HardSwish, Sigmoid];
    first.into_iter().chain([Tanh, Softsign, Softplus(1.5)]).chain(GATES.map(Gated))
}

fn windows(columns: usize) -> [Windows; 2] {
    let input = [ROWS / 2, columns];
    let two =
        Windows { input, output: [ROWS / 4, columns / 2], size: [2; 2], stride: [2; 2], before: [0; 2] };
    [two, Windows { output: input, size: [3; 2], stride: [1; 2], before: [1; 2], ..two }]
}

fn spans(length: usize) -> Vec<Span> {
    (0..length).map(|i| Span { start: i / 2, end: (i + 3).min(length), count: 3 }).collect()
}

fn betweens(length: usize) -> Vec<Between> {
    (0..length).map(|i| Between { at: i / 2, next: (i / 2 + 1).min(length - 1), share: 0.3 }).collect()
}

/// Returns the bytes that a kernel writes.
fn bytes<T>(count: usize, kernel: impl FnOnce(&mut [u8]) -> T) -> Vec<u32> {
    let mut bytes = vec![1; count];
    kernel(&mut bytes);
    bytes.into_iter().map(u32::from).collect()
}

type Kernel<F> = (&'static str, fn(&mut Room<F>));

/// A call of every kernel that [`kernels!`] declares, by name.
#[rustfmt::skip]
fn all<F: Scalar + AdamLoop<F> + Raster<F>>() -> Vec<Kernel<F>> {
    vec![
        ("activate", |r| for f in activations() {
            let from = r.out.len();
            r.out.extend(&r.x);
            [&mut r.out[from..], &mut r.p].into_iter().for_each(|x| F::activate(f, x));
        }),
        ("activate_gated", |r| for (f, d) in GATES.iter().zip(r.out.chunks_mut(r.x.len())) { F::activate_gated(*f, &mut r.x.clone(), d); }),
        ("activate_back", |r| for f in activations() { F::activate_back(f, &r.x, &mut r.y); }),
        ("prelu", |r| F::prelu(&mut r.x, 16, &r.by_column)),
        ("prelu_back", |r| F::prelu_back(&r.x, 16, &r.by_column, &mut r.y, &mut r.out[..r.columns])),
        ("relu_marked", |r| F::relu_marked(&mut r.x, &mut r.ids)),
        ("relu_marked_back", |r| F::relu_marked_back(&r.ids, &mut r.y)),
        ("adam_loop", |r| F::adam_loop(ADAM, &mut r.x, &r.y, &mut r.p, &mut r.q)),
        ("rmsprop", |r| F::rmsprop(RMS, &mut r.x, &r.y, &mut r.p)),
        ("rmsprop_centred", |r| F::rmsprop_centred(RMS, &mut r.x, &r.y, &mut r.p, &mut r.q)),
        ("rmsprop_momentum", |r| F::rmsprop_momentum(RMS, &mut r.x, &r.y, &mut r.p, &mut r.q)),
        ("rmsprop_centred_momentum", |r| {
            F::rmsprop_centred_momentum(RMS, &mut r.x, &r.y, &mut r.p, &mut r.q, &mut r.out);
        }),
        ("adagrad", |r| F::adagrad(ADA, &mut r.x, &r.y, &mut r.p)),
        ("adadelta", |r| F::adadelta(ADA, &mut r.x, &r.y, &mut r.p, &mut r.q)),
        ("adamax", |r| F::adamax(MOMENT, &mut r.x, &r.y, &mut r.p, &mut r.q)),
        ("two_moments", |r| F::two_moments(MOMENT, &mut r.x, &r.y, &mut r.p, &mut r.q)),
        ("two_moments_unadapted", |r| F::two_moments_unadapted(MOMENT, &mut r.x, &r.y, &mut r.p, &mut r.q)),
        ("amsgrad", |r| F::amsgrad(MOMENT, &mut r.x, &r.y, &mut r.p, &mut r.q, &mut r.out)),
        ("lion", |r| F::lion(LION, &mut r.x, &r.y, &mut r.p)),
        ("schedule_free", |r| F::schedule_free(FREE, &mut r.x, &r.y, &mut r.p, &mut r.q)),
        ("sum_channels", |r| F::sum_channels(&r.x, 16, &mut r.out[..r.columns])),
        ("dot_channels", |r| F::dot_channels(&r.x, &r.y, 16, &mut r.out[..r.columns])),
        ("spread_channels", |r| F::spread_channels(&r.x, 16, &r.by_column, &mut r.out[..r.columns])),
        ("standardize_channels", |r| F::standardize_channels(&mut r.x, 16, &r.by_column, &r.q[..r.columns])),
        ("affine_channels", |r| F::affine_channels(&mut r.x, 16, &r.by_column, &r.q[..r.columns])),
        ("scale_channels", |r| F::scale_channels(&mut r.x, 16, &r.by_column)),
        ("normalize_rows", |r| for centre in [true, false] {
            F::normalize_rows(&mut r.x, r.columns, F::of(1e-5), centre, &mut r.out[..ROWS]);
        }),
        ("normalize_rows_back", |r| for centre in [true, false] {
            F::normalize_rows_back(&r.x, &r.by_row, r.columns, centre, &mut r.y);
        }),
        ("rows_of_u8s", |r| F::rows_of_u8s(&r.bytes, &[3, 1], r.columns, F::of(0.3), F::of(-0.1), &mut r.out)),
        ("rows_of_f32s", |r| F::rows_of_f32s(&r.singles, &[3, 1], r.columns, F::of(0.3), F::of(-0.1), &mut r.out)),
        ("rows_of_f64s", |r| F::rows_of_f64s(&r.doubles, &[3, 1], r.columns, F::of(0.3), F::of(-0.1), &mut r.out)),
        ("add_f64s", |r| F::add_f64s(&r.doubles, F::of(0.3), &mut r.x)),
        ("to_f64s", |r| F::to_f64s(&r.x, &mut r.doubles)),
        ("shift_scale_rows", |r| F::shift_scale_rows(&mut r.x, &r.low, &r.high)),
        ("scale_offset_rows", |r| F::scale_offset_rows(&mut r.x, &r.low, &r.high)),
        ("moments", |r| F::moments(&r.x, 7, &mut r.low, &mut r.high)),
        ("extremes", |r| F::extremes(&r.x, &mut r.low, &mut r.high)),
        ("mask", |r| F::mask(&r.ids, ROWS as u64 / 2, F::of(1.25), &mut r.out)),
        ("map_strip", |r| for f in UNARY.into_iter().chain([Unary::Not]) {
            let mut y = r.x.clone();
            F::map_strip(f, &r.x, &mut y);
            F::map_strip(f, &r.p, &mut r.q);
            r.out.extend(y.iter().chain(&r.q));
        }),
        ("map_strip_back", |r| for (f, add) in UNARY.into_iter().zip([true, false].into_iter().cycle()) {
            F::map_strip_back(f, &r.x, &r.p, &r.y, &mut r.q, add);
            r.out.extend(&r.q);
        }),
        ("zip_strip", |r| for f in BINARY.into_iter().chain(COMPARISONS) { F::zip_strip(f, &r.x, &r.p, &mut r.y); r.out.extend(&r.y); }),
        ("zip_strip_back", |r| for (add, side) in [(true, Side::First), (false, Side::Second)] {
            for f in BINARY {
                let of = Pair { a: &r.x, b: &r.p, y: &r.q };
                F::zip_strip_back(f, side, of, &r.out.clone(), &mut r.y, add);
                r.out.extend(&r.y);
            }
        }),
        ("where_strip", |r| F::where_strip(&r.x, &r.p, &r.q, &mut r.y)),
        ("where_strip_back", |r| for side in [Side::First, Side::Second] {
            F::where_strip_back(&r.x, side, &r.p, &mut r.y, true);
        }),
        ("sum_in_lanes", |r| r.low.push(F::sum_in_lanes(&r.x).as_f64())),
        ("most", |r| for most in [Most::Largest, Most::Smallest] {
            F::most(most, &r.x, r.columns, &mut r.out[..r.columns]);
            F::most(most, &r.y, 1, &mut r.by_row[..1]);
        }),
        ("most_back", |r| F::most_back(Most::Smallest, &r.x, r.columns, &r.by_column, &mut r.y)),
        ("most_positions", |r| F::most_positions(Most::Largest, &r.x, r.columns, &mut r.by_column)),
        ("products", |r| F::products(&r.p, r.columns, &mut r.by_column)),
        ("products_back", |r| F::products_back(&r.x, r.columns, &r.by_column, &mut r.y)),
        ("running_sums", |r| F::running_sums(&r.x, r.columns, &mut r.y)),
        ("running_sums_back", |r| F::running_sums_back(&r.x, r.columns, &mut r.y)),
        ("flipped", |r| F::flipped(&r.x, r.columns, &mut r.y)),
        ("read_ids", |r| {
            let x: Vec<F> = r.ids.iter().map(|&id| F::of(id.into())).collect();
            assert_eq!(F::read_ids(&x, ROWS, Some(2), &mut r.ids), None);
        }),
        ("gather_rows", |r| F::gather_rows(&r.x, r.columns, 3, &r.ids[..ROWS], &mut r.out)),
        ("bag_sums", |r| F::bag_sums(&r.x, r.columns, &r.ids[..ROWS], 4, &r.by_row[..ROWS / 4], &mut r.out)),
        ("bag_maxima", |r| {
            let (ids, chosen) = (r.ids[..ROWS].to_vec(), &mut r.ids[..ROWS / 4 * r.columns]);
            F::bag_maxima(&r.x, r.columns, &ids, 4, &mut r.out[..ROWS / 4 * r.columns], chosen);
        }),
        ("bag_shares", |r| F::bag_shares(&r.ids[..ROWS], 4, &mut r.out[..ROWS / 4])),
        ("scatter_rows", |r| {
            let order = order_of(&r.ids[..ROWS], 1);
            F::scatter_rows(&order, &r.x, r.columns, &r.by_row, &mut r.out);
        }),
        ("scatter_chosen", |r| {
            let order = order_of(&r.ids[..ROWS], 4);
            let chosen: Vec<u32> = r.ids[..ROWS / 4 * r.columns].iter().map(|id| id % 4).collect();
            F::scatter_chosen(&order, &r.x, r.columns, 4, &chosen, &mut r.out);
        }),
        ("moved", |r| F::moved(&r.x, r.columns, Move { flip: [true; 2], shift: [1, -2] }, F::of(0.5), &mut r.out[..ROWS * r.columns])),
        ("warped", |r| F::warped(&r.x, r.columns, &[[0.9, 0.2, -0.7], [-0.2, 0.9, 1.3]], F::of(0.5), &mut r.out[..ROWS * r.columns])),
        ("erased", |r| F::erased(&mut r.x, r.columns, [1, 0], [3, 1], F::of(0.5))),
        ("mixed", |r| F::mixed(&mut r.x, &r.y, F::of(0.3))),
        ("huber_rows", |r| F::huber_rows(&mut r.x, r.columns, F::of(0.7), &mut r.by_row)),
        ("binary_rows", |r| F::binary_rows(&mut r.p, &r.q, r.columns, &r.by_column, &mut r.by_row)),
        ("binary_logits_rows", |r| F::binary_logits_rows(&mut r.x, &r.q, r.columns, &r.by_column, &mut r.by_row)),
        ("margin_rows", |r| for squared in [false, true] {
            F::margin_rows(&mut r.x, r.columns, &r.labels, F::one(), squared, &mut r.by_row);
        }),
        ("information_rows", |r| F::information_rows(&r.p, r.columns, &mut r.by_row)),
        ("gather", |r| {
            let (taps, runs) = ([0, 1, 3], [PixelRun { at: 0, column: 0, len: r.x.len() / 4 }]);
            for stride in 1..3 {
                F::gather(&r.x, &taps, &runs, stride, &mut r.out, r.x.len());
            }
        }),
        ("scatter", |r| {
            let (taps, runs) = ([0, 1, 3], [PixelRun { at: 0, column: 0, len: r.x.len() / 4 }]);
            for stride in 1..3 {
                F::scatter(&r.x, &taps, &runs, stride, r.x.len() / 3, &mut r.out);
            }
        }),
        ("copy_rows", |r| F::copy_rows(&r.x, r.columns, &mut r.out, r.columns + 3, r.columns, ROWS)),
        ("copy_rows_plus", |r| F::copy_rows_plus(&r.x, r.columns, &r.by_row, &mut r.out, r.columns + 3, r.columns)),
        ("add_to_rows", |r| F::add_to_rows(&r.by_row, &mut r.x, r.columns, r.columns)),
        ("add_sums", |r| F::add_sums(&r.x, r.columns, r.columns, &mut r.by_row)),
        ("add_transposed", |r| F::add_transposed(&r.x, r.columns, F::of(0.5), &mut r.out, ROWS + 1)),
        ("add_row", |r| F::add_row(&mut r.x, &r.by_column)),
        ("sum_columns", |r| F::sum_columns(&r.x, F::of(0.5), &mut r.by_column)),
        ("dot_columns", |r| F::dot_columns(&r.x, &r.y, F::of(0.5), &mut r.by_column)),
        ("spread_columns", |r| F::spread_columns(&r.x, &r.by_column, &mut r.out[..r.columns])),
        ("dot_rows", |r| F::dot_rows(&r.x, &r.y, r.columns, &mut r.by_row)),
        ("sum_magnitudes_rows", |r| F::sum_magnitudes_rows(&r.x, r.columns, &mut r.by_row)),
        ("scale_rows", |r| F::scale_rows(&mut r.x, r.columns, &r.by_row)),
        ("scale", |r| F::scale(&mut r.x, F::of(0.3))),
        ("add_scaled", |r| F::add_scaled(&mut r.x, F::of(0.3), &r.y)),
        ("put_columns", |r| F::put_columns(&r.x, r.columns, 2, &mut r.out, r.columns + 3)),
        ("take_columns", |r| F::take_columns(&r.x, r.columns, 0, &mut r.out, r.columns.div_ceil(2))),
        ("multiply", |r| F::multiply(&mut r.x, &r.y)),
        ("signs", |r| F::signs(&mut r.x)),
        ("standardize", |r| F::standardize(&mut r.x, &r.by_column, &r.q[..r.columns])),
        ("affine", |r| F::affine(&mut r.x, &r.by_column, &r.q[..r.columns])),
        ("all_finite", |r| assert!(F::all_finite(&r.x))),
        ("sum_squares", |r| r.low.push(F::sum_squares(&r.x))),
        ("softmax_rows", |r| F::softmax_rows(&mut r.x, r.columns)),
        ("softmax_log_rows", |r| F::softmax_log_rows(&mut r.x, r.columns, &mut r.out)),
        ("cross_entropy_rows", |r| {
            let labels: Vec<_> = r.labels.iter().map(|label| label % r.columns).collect();
            F::cross_entropy_rows(&mut r.x, r.columns, &labels, &r.by_row, &mut r.out[..ROWS]);
        }),
        ("subtract_max_rows", |r| F::subtract_max_rows(&mut r.x, r.columns)),
        ("softmax_back_rows", |r| F::softmax_back_rows(&r.p, &mut r.x, r.columns)),
        ("log_softmax_rows", |r| F::log_softmax_rows(&mut r.x, r.columns)),
        ("log_softmax_back_rows", |r| F::log_softmax_back_rows(&r.p, &mut r.x, r.columns)),
        ("sgd", |r| F::sgd(SGD, &mut r.x, &r.y)),
        ("sgd_momentum", |r| F::sgd_momentum(SGD, &mut r.x, &r.y, &mut r.p)),
        ("approach", |r| F::approach(&mut r.x, F::of(0.3), &r.y)),
        ("limit", |r| F::limit(&mut r.x, F::of(1.5))),
        ("penalise", |r| F::penalise(&mut r.x, &r.y, F::of(0.1), F::of(0.2))),
        ("shortenings", |r| r.low.push(f64::from(F::shortenings(&mut r.p, F::of(0.5))))),
        ("max_windows", |r| for w in windows(r.columns) { F::max_windows(&r.x, w, &mut r.out[..2 * w.output[0] * w.output[1]]); }),
        ("max_windows_marked", |r| for w in windows(r.columns) {
            let n = 2 * w.output[0] * w.output[1];
            F::max_windows_marked(&r.x, w, &mut r.out[..n], &mut r.ids[..n]);
        }),
        ("max_windows_back", |r| for w in windows(r.columns) {
            let n = 2 * w.output[0] * w.output[1];
            F::max_windows_marked(&r.x, w, &mut r.out[..n], &mut r.ids[..n]);
            F::max_windows_back(&r.y[..n], &r.ids[..n], w, &mut r.x);
        }),
        ("max_rows_marked", |r| F::max_rows_marked(&r.x, r.columns, &mut r.out[..ROWS], &mut r.ids[..ROWS])),
        ("mean_spans", |r| {
            let (rows, columns, n) = (spans(ROWS), spans(r.columns), r.x.len());
            F::mean_spans(&r.x, &rows, &columns, [ROWS, r.columns], &mut r.by_column, &mut r.out[..n]);
        }),
        ("blend", |r| {
            let (rows, columns, n) = (betweens(ROWS), betweens(r.columns), r.x.len());
            F::blend(&r.x, &rows, &columns, [ROWS, r.columns], &mut r.by_column, &mut r.out[..n]);
        }),
        ("blend_back", |r| {
            let (rows, columns) = (betweens(ROWS), betweens(r.columns));
            F::blend_back(&r.x, &rows, &columns, [ROWS, r.columns], &mut r.by_column, &mut r.y);
        }),
        ("mean_spans_back", |r| F::mean_spans_back(&r.x, &spans(ROWS), &spans(r.columns), [ROWS, r.columns], &mut r.by_column, &mut r.y)),
        ("lay_over", |r| for [from, to] in [[2, 1], [2, 3], [4, 3]] {
            r.ids.extend(bytes(r.bytes.len() / from * to, |out| F::lay_over(&r.bytes, [from, to], [10, 20, 30], out)));
        }),
        ("brightness", |r| r.ids = bytes(r.bytes.len() / 3, |out| F::brightness(&r.bytes, out))),
        ("weigh_rows", |r| F::weigh_rows(&r.bytes, r.columns, &r.by_row, &mut r.by_column)),
        ("weigh_columns", |r| for channels in [1, 3].into_iter().filter(|&channels| channels <= r.columns) {
            let (taps, weights) = triangle(r.columns / channels, 5);
            let weights: Vec<F> = weights.iter().map(|&w| F::of(f64::from(w) * 40.0)).collect();
            r.ids.extend(bytes(ROWS * 5 * channels, |out| F::weigh_columns(&r.x, r.columns, channels, &taps, &weights, out)));
        }),
        ("to_planes", |r| for channels in [1, 3] { r.ids.extend(bytes(2 * r.bytes.len(), |out| F::to_planes(&r.bytes, channels, 255, out))); }),
    ]
}

/// Returns the results at each level that can be used here, from the lowest to the highest.
fn at_each_level<T>(run: impl Fn() -> T) -> Vec<(Level, T)> {
    usable().map(|level| (level, with(level, &run))).collect()
}

#[test]
fn loops_have_the_same_bits_at_every_level() {
    fn check<F: Scalar + AdamLoop<F> + Raster<F>>() {
        for columns in [1, 3, 10, 37, 64, 70] {
            let room = Room::<F>::new(columns);
            for (name, kernel) in all::<F>() {
                let results = at_each_level(|| {
                    let mut room = room.clone();
                    kernel(&mut room);
                    room.bits()
                });
                let (_, lowest) = &results[0];
                let changes = ["all_finite"].contains(&name) || *lowest != room.bits();
                assert!(changes || columns < 3, "{name} of {columns} columns in {} does something", F::NAME);
                for (level, found) in &results {
                    assert!(found == lowest, "{name} of {columns} columns in {}: {level:?}", F::NAME);
                }
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn no_loop_is_left_out() {
    let files = [
        include_str!("../activation/mod.rs"),
        include_str!("../along.rs"),
        include_str!("../optim/adam.rs"),
        include_str!("../optim/adaptive.rs"),
        include_str!("../norm/channels.rs"),
        include_str!("../convert.rs"),
        include_str!("../elementwise/mod.rs"),
        include_str!("../embedding.rs"),
        include_str!("../augment.rs"),
        include_str!("../losses.rs"),
        include_str!("../raster.rs"),
        include_str!("../conv/blend.rs"),
        include_str!("../conv/im2col.rs"),
        include_str!("../norm/rows.rs"),
        include_str!("../activation/softmax.rs"),
        include_str!("../optim/update.rs"),
        include_str!("../conv/pooling.rs"),
    ];
    let mut declared = Vec::new();
    for file in files {
        let (_, kernels) = file.split_once("\nkernels! {").expect("kernels");
        let (kernels, _) = kernels.split_once("\n}").expect("an end");
        let names = kernels.split(" fn ").skip(1).map(|rest| rest.split('(').next().expect("a name"));
        declared.extend(names.map(str::to_owned));
    }
    let mut called: Vec<_> = all::<f32>().iter().map(|(name, _)| (*name).to_owned()).collect();
    declared.sort();
    called.sort();
    assert_eq!(called, declared);
}

fn matrix(rows: usize, columns: usize, draws: &mut Draws) -> Array2<f32> {
    Array2::from_shape_simple_fn((rows, columns), || draws.uniform(-1.0, 1.0) as f32)
}

/// Fused levels agree to the bit, the others up to rounding; computed by `matmul`, which splits work among threads.
#[test]
fn products_have_the_same_bits_at_every_level_with_fused_steps() {
    let mut draws = draws_of(13, 0);
    for (m, k, n) in [(1, 784, 128), (32, 784, 128), (61, 32, 70), (7, 1500, 45), (200, 100, 600)] {
        let (a, b) = (matrix(m, k, &mut draws), matrix(k, n, &mut draws));
        let results = at_each_level(|| {
            let mut c = Array2::zeros((m, n));
            f32::matmul(a.view(), b.view(), 0.0, c.view_mut());
            c
        });
        let (_, highest) = results.last().expect("one level at least");
        for (level, found) in &results {
            if *level == Level::Portable {
                let largest = (found - highest).iter().fold(0f32, |most, d| most.max(d.abs()));
                assert!(largest < 1e-6 * k as f32, "[{m}, {k}, {n}]: {largest}");
            } else {
                assert_eq!(found, highest, "[{m}, {k}, {n}] by {level:?}");
            }
        }
        let turned = at_each_level(|| {
            let mut turned = vec![0.0; k * n];
            f32::transpose(b.as_slice().expect("in order"), n, &mut turned);
            turned
        });
        assert!(turned.iter().all(|(_, found)| *found == turned[0].1), "the transpose of [{k}, {n}]");
    }
    let (a, b) = (matrix(9, 40, &mut draws).mapv(f64::from), matrix(40, 7, &mut draws).mapv(f64::from));
    let results = at_each_level(|| {
        let mut c = Array2::<f64>::zeros((9, 7));
        f64::matmul(a.view(), b.slice(s![.., ..]), 0.0, c.view_mut());
        c
    });
    assert!(results.iter().all(|(_, found)| *found == results[0].1), "in f64 the level has no say");
}

/// Adam's values in `f32` are the one exception: AVX-512 divides with an approximate reciprocal. The moments have the
/// bits of AVX2.
#[test]
fn adams_values_alone_differ_from_avx2_to_avx512() {
    let room = Room::<f32>::new(37);
    let results = at_each_level(|| {
        let Room { mut x, y, mut p, mut q, .. } = room.clone();
        f32::adam(ADAM, &mut x, &y, &mut p, &mut q);
        [x, p, q]
    });
    let (_, [values, first, second]) = results.last().expect("one level at least");
    for (level, found) in &results {
        for i in 0..values.len() {
            // A value moves by at most `rate · m / (root · correction + epsilon)`; the difference is a few units in the
            // last place of that.
            let moved = 1e-2 * first[i].abs() / second[i].sqrt();
            let near = |a: f32, b: f32, of: f32| (a - b).abs() <= 4.0 * f32::EPSILON * of;
            assert!(near(found[0][i], values[i], values[i].abs() + 4.0 * moved), "value {i} by {level:?}");
            assert!(near(found[1][i], first[i], first[i].abs() + room.y[i].abs()), "mean {i} by {level:?}");
        }
        if *level != Level::Portable {
            assert!(found[1] == *first && found[2] == *second, "the means by {level:?}");
        }
    }
    let in_f64 = Room::<f64>::new(37);
    let results = at_each_level(|| {
        let Room { mut x, y, mut p, mut q, .. } = in_f64.clone();
        f64::adam(ADAM, &mut x, &y, &mut p, &mut q);
        [x, p, q]
    });
    assert!(results.iter().all(|(_, found)| *found == results[0].1), "in f64 all levels have the same bits");
}
