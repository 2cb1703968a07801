//! Losses against numbers worked out by hand, weights, extremes, and what does not fit.

use approx::assert_abs_diff_eq;
use ndarray::{arr1, arr2};
use plywood::prelude::*;

/// What hand and machine may differ by, in `f64`.
const EPSILON: f64 = 1e-12;

#[test]
fn by_hand_from_probabilities_and_from_logits() {
    let z = arr2(&[[0.0, 2.0f64.ln(), 0.0], [3.0f64.ln(), 0.0, 0.0]]).into_dyn();
    let p = arr2(&[[0.25, 0.5, 0.25], [0.6, 0.2, 0.2]]).into_dyn();
    let expected = (-(0.5f64.ln()) - 0.2f64.ln()) / 2.;
    let (a, _) = CrossEntropy::default().value_and_grad(p.clone(), &[1, 2], None).unwrap();
    let (b, grad) = CrossEntropy::from_logits().value_and_grad(z.clone(), &[1, 2], None).unwrap();
    assert_abs_diff_eq!(a, expected, epsilon = EPSILON);
    assert_abs_diff_eq!(b, expected, epsilon = EPSILON);
    let by_hand = (&p - &arr2(&[[0., 1., 0.], [0., 0., 1.]]).into_dyn()) / 2.;
    assert!((grad - &by_hand).iter().all(|d| d.abs() < EPSILON));
    let one_hot = arr2(&[[0., 1., 0.], [0., 0., 1.]]).into_dyn();
    let (c, grad) = SoftCrossEntropy::from_logits().value_and_grad(z, &one_hot, None).unwrap();
    assert_abs_diff_eq!(c, expected, epsilon = EPSILON);
    assert!((grad - by_hand).iter().all(|d| d.abs() < EPSILON));
    let (d, _) = SoftCrossEntropy::default().value_and_grad(p, &one_hot, None).unwrap();
    assert_abs_diff_eq!(d, expected, epsilon = EPSILON);
}

#[test]
fn weights_make_a_weighted_mean_and_zero_leaves_out() {
    let z = || arr2(&[[0.3, -1., 2.], [1., 0., 0.5], [0.1, 0.2, 0.3]]).into_dyn();
    let loss = CrossEntropy::from_logits();
    let one = |i: usize, label| {
        let row = z().slice_axis(ndarray::Axis(0), (i..=i).into()).to_owned();
        loss.value_and_grad(row, &[label], None).unwrap().0
    };
    let (value, grad) = loss.value_and_grad(z(), &[0, 1, 2], Some(&[1., 3., 0.])).unwrap();
    assert_abs_diff_eq!(value, (one(0, 0) + 3. * one(1, 1)) / 4., epsilon = EPSILON);
    assert!(grad.index_axis(ndarray::Axis(0), 2).iter().all(|&g| g == 0.));
    let (value, grad) = loss.value_and_grad(z(), &[0, 1, 2], Some(&[0.; 3])).unwrap();
    assert!(value == 0. && grad.iter().all(|&g| g == 0.));
}

#[test]
fn finite_at_logits_of_a_thousand() {
    let z = arr2(&[[1000f32, -1000., 0.]]).into_dyn();
    for label in 0..3 {
        let (value, grad) = CrossEntropy::from_logits().value_and_grad(z.clone(), &[label], None).unwrap();
        assert_eq!(value, [0., 2000., 1000.][label]);
        assert!(grad.iter().all(|g| g.is_finite()));
        assert_eq!(grad[[0, label]], [0., -1., -1.][label]);
    }
    let soft = arr2(&[[0., 0.5, 0.5]]).into_dyn();
    assert_eq!(SoftCrossEntropy::from_logits().value_and_grad(z, &soft, None).unwrap().0, 1500.);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let loss = CrossEntropy::default();
    let p = || arr2(&[[0.5f32, 0.5], [0.5, 0.5]]).into_dyn();
    let text = loss.value_and_grad(p(), &[0, 2], None).unwrap_err().to_string();
    assert_eq!(
        text,
        "cross-entropy: expected the label of sample 1 in the batch below 2, the number of outputs, found 2. \
         Labels count from 0; give the last layer as many units as there are classes."
    );
    assert!(loss.value_and_grad(p(), &[0], None).is_err());
    assert!(loss.value_and_grad(p(), &[0, 1], Some(&[1.])).is_err());
    assert!(loss.value_and_grad(p(), &[0, 1], Some(&[1., -1.])).is_err());
    assert!(loss.value_and_grad(arr1(&[1f32]).into_dyn(), &[0], None).is_err());
    let soft = SoftCrossEntropy::default();
    assert!(soft.value_and_grad(p(), &arr2(&[[1.]]).into_dyn(), None).is_err());
    assert!(soft.value_and_grad(p(), &arr2(&[[1., f32::NAN], [0., 1.]]).into_dyn(), None).is_err());
}

#[test]
fn regression_by_hand_with_weights() {
    let y = || arr2(&[[1f64, 2.], [0., 0.]]).into_dyn();
    let t = arr2(&[[0., 4.], [3., 0.]]).into_dyn();
    let (value, grad) = MeanSquaredError.value_and_grad(y(), &t, Some(&[1., 3.])).unwrap();
    assert!((value - (2.5 + 3. * 4.5) / 4.).abs() < EPSILON);
    assert_eq!(grad, arr2(&[[0.25, -0.5], [-2.25, 0.]]).into_dyn());
    let (value, grad) = MeanAbsoluteError.value_and_grad(y(), &t, Some(&[1., 3.])).unwrap();
    assert!((value - (1.5 + 3. * 1.5) / 4.).abs() < EPSILON);
    assert_eq!(grad, arr2(&[[0.125, -0.125], [-0.375, 0.]]).into_dyn());
}

#[test]
fn shapes_must_agree() {
    let y = Tensor::<f32>::zeros(vec![2, 3]);
    assert!(MeanSquaredError.value_and_grad(y.clone(), &Tensor::zeros(vec![2]), None).is_err());
    assert!(MeanAbsoluteError.value_and_grad(y, &Tensor::zeros(vec![2, 2]), None).is_err());
}
