//! Batch normalization by hand.

use super::*;
use ndarray::{arr1, arr2};

#[test]
fn by_hand_in_training_and_at_inference() {
    let mut bn: BatchNorm<f64> = BatchNorm::new().build(&[2], &Random::seed(0)).unwrap();
    let x = arr2(&[[1., 10.], [3., 30.]]).into_dyn();
    let (y, _) = bn.forward_train(x.clone()).unwrap();
    let expected = 1. / (1. + 1e-5f64).sqrt();
    assert!((y[[0, 0]] + expected).abs() < 1e-12 && (y[[1, 0]] - expected).abs() < 1e-12);
    assert!((bn.running_mean.value() - arr1(&[0.2, 2.]).into_dyn()).iter().all(|d| d.abs() < 1e-12));
    // Unbiased variances 2 and 200.
    assert!((bn.running_var.value() - arr1(&[1.1, 20.9]).into_dyn()).iter().all(|d| d.abs() < 1e-12));
    let y = bn.forward(x).unwrap();
    assert!((y[[0, 0]] - 0.8 / (1.1 + 1e-5f64).sqrt()).abs() < 1e-12);
}

#[test]
fn one_sample_leaves_the_statistics_alone() {
    let mut bn: BatchNorm<f64> = BatchNorm::new().build(&[1], &Random::seed(0)).unwrap();
    let x = arr2(&[[5.]]).into_dyn();
    let (y, cache) = bn.forward_train(x.clone()).unwrap();
    assert!((&y - &bn.forward(x).unwrap()).iter().all(|d| d.abs() < 1e-12));
    assert_eq!(bn.running_mean.as_slice(), [0.]);
    let dx = bn.backward(cache, arr2(&[[1.]]).into_dyn()).unwrap();
    assert!((dx[[0, 0]] - 1. / (1. + 1e-5f64).sqrt()).abs() < 1e-12);
}

#[test]
fn one_image_has_a_variance_and_two_channels_have_their_own() {
    let mut bn: BatchNorm<f64> = BatchNorm::new().build(&[2, 2], &Random::seed(0)).unwrap();
    let x = ndarray::arr3(&[[[1., 3.], [10., 30.]]]).into_dyn();
    let (y, _) = bn.forward_train(x).unwrap();
    assert!(y.iter().zip([-1., 1., -1., 1.]).all(|(y, expected)| (y - expected).abs() < 1e-5));
    assert!((bn.running_mean.as_slice()[1] - 2.).abs() < 1e-12);
    for shape in [&[][..], &[2], &[1, 3, 2], &[1, 3]] {
        assert!(bn.forward(Tensor::zeros(shape)).is_err(), "{shape:?}");
    }
    assert_eq!(bn.forward(Tensor::zeros(vec![1, 2, 0])).unwrap().shape(), [1, 2, 0]);
    assert!(bn.forward_train(Tensor::zeros(vec![0, 2, 3])).is_ok());
}

#[test]
fn bad_settings_are_refused() {
    let build = |spec: BatchNormSpec, shape: &[usize]| LayerSpec::<f32>::build(spec, shape, &Random::seed(0));
    assert!(build(BatchNorm::new(), &[]).is_err() && build(BatchNorm::new(), &[0, 2]).is_err());
    assert!(build(BatchNorm::new().epsilon(0.), &[2]).is_err());
    assert!(build(BatchNorm::new().momentum(f64::NAN), &[2]).is_err());
}
