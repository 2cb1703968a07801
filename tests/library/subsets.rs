//! Parts of data sets: in order, at random, and invalid splits.

use ndarray::Array2;
use plywood::data::{Subset, split_at};
use plywood::prelude::*;

fn data(n: usize) -> ArrayDataset<u8, Vec<usize>> {
    ArrayDataset::new(Array2::from_shape_fn((n, 2), |(i, _)| i as u8), (0..n).collect()).unwrap()
}

#[test]
fn the_last_share_in_order() {
    let data = data(10);
    let (a, b) = split_at::<f32, _>(&data, 0.2).unwrap();
    assert_eq!((a.indices(), b.indices()), (&[0, 1, 2, 3, 4, 5, 6, 7][..], &[8, 9][..]));
    let mut batch = Batch::<f32, Vec<usize>>::default();
    b.read(&[1, 0], Pass::Evaluate, &mut batch).unwrap();
    assert_eq!((batch.inputs[0][[0, 0]], batch.target), (9.0, vec![9, 8]));
}

#[test]
fn a_random_split_is_a_partition_by_seed() {
    let data = data(100);
    let parts = |seed| {
        let (a, b) = random_split::<f32, _>(&data, 0.3, seed).unwrap();
        (a.indices().to_vec(), b.indices().to_vec())
    };
    let (a, b) = parts(1);
    assert_eq!(parts(1).0, a);
    assert_ne!(parts(2).0, a);
    let mut all = [a, b].concat();
    all.sort_unstable();
    assert_eq!(all, (0..100).collect::<Vec<_>>());
}

#[test]
fn impossible_splits_and_positions_are_errors() {
    let data = data(3);
    for share in [0.0, 1.0, -0.5, f64::NAN, 0.9] {
        assert!(split_at::<f32, _>(&data, share).is_err());
    }
    assert!(Subset::new::<f32>(&data, vec![3]).is_err());
    let mut batch = Batch::<f32, Vec<usize>>::default();
    let text = data.read(&[0, 7], Pass::Evaluate, &mut batch).unwrap_err().to_string();
    assert_eq!(
        text,
        "the position of a sample must be below 3, the number of samples, got 7. Positions count from 0."
    );
}
