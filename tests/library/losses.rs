//! Losses compared with values computed by hand, sample weights, extreme values, and errors.

use approx::assert_abs_diff_eq;
use ndarray::{arr1, arr2};
use plywood::prelude::*;

/// The allowed difference between computed and hand-worked values, in `f64`.
const EPSILON: f64 = 1e-12;

#[test]
fn by_hand_from_probabilities_and_from_logits() {
    let z = arr2(&[[0.0, 2.0f64.ln(), 0.0], [3.0f64.ln(), 0.0, 0.0]]).into_dyn();
    let p = arr2(&[[0.25, 0.5, 0.25], [0.6, 0.2, 0.2]]).into_dyn();
    let expected = (-(0.5f64.ln()) - 0.2f64.ln()) / 2.;
    let (a, _) = CrossEntropy::default().value_and_grad(p.clone(), &[1, 2], None, 2.0).unwrap();
    let (b, grad) =
        CrossEntropy::default().from_logits(true).value_and_grad(z.clone(), &[1, 2], None, 2.0).unwrap();
    assert_abs_diff_eq!(a.mean(), expected, epsilon = EPSILON);
    assert_abs_diff_eq!(b.mean(), expected, epsilon = EPSILON);
    let by_hand = (&p - &arr2(&[[0., 1., 0.], [0., 0., 1.]]).into_dyn()) / 2.;
    assert!((grad - &by_hand).iter().all(|d| d.abs() < EPSILON));
    let one_hot = arr2(&[[0., 1., 0.], [0., 0., 1.]]).into_dyn();
    let (c, grad) =
        SoftCrossEntropy::default().from_logits(true).value_and_grad(z, &one_hot, None, 2.0).unwrap();
    assert_abs_diff_eq!(c.mean(), expected, epsilon = EPSILON);
    assert!((grad - by_hand).iter().all(|d| d.abs() < EPSILON));
    let (d, _) = SoftCrossEntropy::default().value_and_grad(p, &one_hot, None, 2.0).unwrap();
    assert_abs_diff_eq!(d.mean(), expected, epsilon = EPSILON);
}

#[test]
fn weights_make_a_weighted_mean_and_zero_leaves_out() {
    let z = || arr2(&[[0.3f64, -1., 2.], [1., 0., 0.5], [0.1, 0.2, 0.3]]).into_dyn();
    let loss = CrossEntropy::default().from_logits(true);
    let one = |i: usize, label| {
        let row = z().slice_axis(ndarray::Axis(0), (i..=i).into()).to_owned();
        loss.value_and_grad(row, &[label], None, 1.0).unwrap()
    };
    let (value, grad) = loss.value_and_grad(z(), &[0, 1, 2], Some(&[1., 3., 0.]), 3.0).unwrap();
    assert_abs_diff_eq!(value.mean(), (one(0, 0).0.sum + 3. * one(1, 1).0.sum) / 4., epsilon = EPSILON);
    assert_eq!(value.weight, 4.0);
    // The gradient is divided by the given divisor, whatever the weights are.
    for (i, weight) in [1f64, 3., 0.].into_iter().enumerate() {
        let alone = one(i, i).1 * (weight / 3.);
        let row = grad.index_axis(ndarray::Axis(0), i);
        assert!(row.iter().zip(&alone).all(|(a, b)| (a - b).abs() < EPSILON), "{row} {alone}");
    }
    assert!(grad.index_axis(ndarray::Axis(0), 2).iter().all(|&g| g == 0.));
    let (value, grad) = loss.value_and_grad(z(), &[0, 1, 2], Some(&[0.; 3]), 3.0).unwrap();
    assert!((value.sum, value.weight) == (0., 0.) && grad.iter().all(|&g| g == 0.));
}

#[test]
fn finite_at_logits_of_a_thousand() {
    let z = arr2(&[[1000f32, -1000., 0.]]).into_dyn();
    for label in 0..3 {
        let (value, grad) =
            CrossEntropy::default().from_logits(true).value_and_grad(z.clone(), &[label], None, 1.0).unwrap();
        assert_eq!(value.mean(), [0., 2000., 1000.][label]);
        assert!(grad.iter().all(|g| g.is_finite()));
        assert_eq!(grad[[0, label]], [0., -1., -1.][label]);
    }
    let soft = arr2(&[[0., 0.5, 0.5]]).into_dyn();
    assert_eq!(
        SoftCrossEntropy::default().from_logits(true).value_and_grad(z, &soft, None, 1.0).unwrap().0.mean(),
        1500.
    );
}

#[test]
fn what_does_not_fit_is_an_error() {
    let loss = CrossEntropy::default();
    let p = || arr2(&[[0.5f32, 0.5], [0.5, 0.5]]).into_dyn();
    let text = loss.value_and_grad(p(), &[0, 2], None, 2.0).unwrap_err().to_string();
    assert_eq!(
        text,
        "cross-entropy: the label of sample 1 in the batch must be below 2, the number of outputs, got 2. Labels \
         count from 0; give the last layer as many units as there are classes."
    );
    assert!(loss.value_and_grad(p(), &[0], None, 2.0).is_err());
    assert!(loss.value_and_grad(p(), &[0, 1], Some(&[1.]), 2.0).is_err());
    assert!(loss.value_and_grad(p(), &[0, 1], Some(&[1., -1.]), 2.0).is_err());
    assert!(loss.value_and_grad(arr1(&[1f32]).into_dyn(), &[0], None, 2.0).is_err());
    let soft = SoftCrossEntropy::default();
    assert!(soft.value_and_grad(p(), &arr2(&[[1.]]).into_dyn(), None, 2.0).is_err());
    assert!(soft.value_and_grad(p(), &arr2(&[[1., f32::NAN], [0., 1.]]).into_dyn(), None, 2.0).is_err());
}

#[test]
fn regression_by_hand_with_weights() {
    let y = || arr2(&[[1f64, 2.], [0., 0.]]).into_dyn();
    let t = arr2(&[[0., 4.], [3., 0.]]).into_dyn();
    let (value, grad) = MeanSquaredError.value_and_grad(y(), &t, Some(&[1., 3.]), 4.0).unwrap();
    assert!((value.mean() - (2.5 + 3. * 4.5) / 4.).abs() < EPSILON);
    assert_eq!(grad, arr2(&[[0.25, -0.5], [-2.25, 0.]]).into_dyn());
    let (value, grad) = MeanAbsoluteError.value_and_grad(y(), &t, Some(&[1., 3.]), 4.0).unwrap();
    assert!((value.mean() - (1.5 + 3. * 1.5) / 4.).abs() < EPSILON);
    assert_eq!(grad, arr2(&[[0.125, -0.125], [-0.375, 0.]]).into_dyn());
}

#[test]
fn shapes_must_agree() {
    let y = Tensor::<f32>::zeros(vec![2, 3]);
    assert!(MeanSquaredError.value_and_grad(y.clone(), &Tensor::zeros(vec![2]), None, 2.0).is_err());
    assert!(MeanAbsoluteError.value_and_grad(y, &Tensor::zeros(vec![2, 2]), None, 2.0).is_err());
}

#[test]
fn focal_at_0_is_cross_entropy_and_extremes_are_finite() {
    let z = || arr2(&[[0.3, -1., 2.], [1., 0., 0.5]]).into_dyn();
    let (a, grad_a) =
        CrossEntropy::default().from_logits(true).value_and_grad(z(), &[0, 1], None, 2.0).unwrap();
    let (b, grad_b) = Focal::gamma(0.0).from_logits(true).value_and_grad(z(), &[0, 1], None, 2.0).unwrap();
    assert_abs_diff_eq!(a.mean(), b.mean(), epsilon = EPSILON);
    assert!((grad_a - grad_b).iter().all(|d: &f64| d.abs() < EPSILON));
    for label in 0..2 {
        let far = arr2(&[[1000f32, -1000.]]).into_dyn();
        for gamma in [0.0, 0.5, 2.0] {
            let loss = Focal::gamma(gamma).from_logits(true);
            let (value, grad) = loss.value_and_grad(far.clone(), &[label], None, 1.0).unwrap();
            assert_eq!(value.mean(), [0., 2000.][label]);
            assert!(grad.iter().all(|g| g.is_finite()), "{gamma} {label} {grad}");
        }
        let column = arr2(&[[-1000f32]]).into_dyn();
        let (value, _) = BinaryCrossEntropy::default()
            .from_logits(true)
            .value_and_grad(column, &[label], None, 1.0)
            .unwrap();
        assert_eq!(value.mean(), [0., 1000.][label]);
    }
}

#[test]
fn nan_is_not_hidden_by_any_loss() {
    let nan = |columns| Tensor::<f32>::from_elem(vec![1, columns], f32::NAN);
    let target = arr2(&[[0f32, 1.]]).into_dyn();
    type Of<T> = Box<dyn Loss<f32, Target = T>>;
    let focal: Of<[usize]> = Box::<Focal>::default();
    let smoothed = Box::new(CrossEntropy::default().label_smoothing(0.1));
    for (name, loss) in [("focal", focal), ("hinge", Box::new(Hinge::default())), ("smoothed", smoothed)] {
        assert!(loss.value_and_grad(nan(2), &[1], None, 1.0).unwrap().0.mean().is_nan(), "{name}");
        assert!(loss.value_and_grad_logits(nan(2), &[1], None, 1.0).unwrap().0.mean().is_nan(), "{name}");
    }
    let divergence: Of<Tensor> = Box::<KLDivergence>::default();
    let binary = Box::new(SoftBinaryCrossEntropy::default());
    for (name, loss) in [("KL", divergence), ("binary", binary), ("Huber", Box::new(Huber::default()))] {
        assert!(loss.value_and_grad(nan(2), &target, None, 1.0).unwrap().0.mean().is_nan(), "{name}");
        assert!(loss.value_and_grad_logits(nan(2), &target, None, 1.0).unwrap().0.mean().is_nan(), "{name}");
    }
}

#[test]
fn settings_and_targets_out_of_range_are_errors() {
    let p = || arr2(&[[0.5f32, 0.5], [0.5, 0.5]]).into_dyn();
    let one = || arr2(&[[0.5f32], [0.5]]).into_dyn();
    let labels = |loss: CrossEntropy| loss.value_and_grad(p(), &[0, 1], None, 2.0);
    assert_eq!(
        labels(CrossEntropy::default().class_weights([1.0])).unwrap_err().to_string(),
        "cross-entropy: the number of class weights must be 2, one for each class, got 1. Give one weight for \
         each class; `class_weights` computes them from labels."
    );
    assert!(labels(CrossEntropy::default().class_weights([1.0, f64::NAN])).is_err());
    assert!(labels(CrossEntropy::default().label_smoothing(1.5)).is_err());
    assert!(labels(CrossEntropy::default().label_smoothing(f64::NAN)).is_err());
    assert_eq!(labels(CrossEntropy::default().class_weights([0.0, 0.0])).unwrap().0.weight, 0.0);
    assert!(Focal::gamma(-1.0).value_and_grad(p(), &[0, 1], None, 2.0).is_err());
    assert!(Focal::default().value_and_grad(p(), &[0, 2], None, 2.0).is_err());
    assert!(Hinge::margin(f64::NAN).value_and_grad(p(), &[0, 1], None, 2.0).is_err());
    assert!(Hinge::default().value_and_grad(one(), &[0, 2], None, 2.0).is_err());
    assert!(Huber::delta(0.0).value_and_grad(p(), &p(), None, 2.0).is_err());
    let binary = BinaryCrossEntropy::default();
    assert!(binary.value_and_grad(p(), &[0, 1], None, 2.0).is_err());
    assert!(binary.value_and_grad(one(), &[0, 2], None, 2.0).is_err());
    assert!(binary.value_and_grad(one(), &[0], None, 2.0).is_err());
    assert!(binary.clone().positive_weight(-1.0).value_and_grad(one(), &[0, 1], None, 2.0).is_err());
    let soft = SoftBinaryCrossEntropy::default();
    assert!(soft.value_and_grad(one(), &arr2(&[[0.5], [1.5]]).into_dyn(), None, 2.0).is_err());
    assert!(soft.value_and_grad(one(), &arr2(&[[0.5]]).into_dyn(), None, 2.0).is_err());
    assert!(KLDivergence::default().value_and_grad(p(), &one(), None, 2.0).is_err());
    let none = Tensor::<f32>::zeros(vec![0, 1]);
    assert_eq!(binary.value_and_grad(none, &[], None, 1.0).unwrap().0.sum, 0.0);
}

/// A model that ends in a sigmoid trains like one that ends in logits.
#[test]
fn binary_cross_entropy_absorbs_the_sigmoid() {
    let x = ndarray::Array2::<f32>::from_shape_fn((40, 1), |(i, _)| i as f32 / 20.0 - 1.0);
    let labels: Vec<usize> = x.iter().map(|&x| usize::from(x > 0.0)).collect();
    let data = ArrayDataset::new(x, labels).unwrap();
    let fit = |sigmoid: bool| {
        let builder = Sequential::builder([1]).layer(Dense::units(1));
        let builder = if sigmoid { builder.layer(Sigmoid) } else { builder };
        let mut model = builder.build().unwrap();
        let loss = if sigmoid {
            BinaryCrossEntropy::default()
        } else {
            BinaryCrossEntropy::default().from_logits(true)
        };
        let trainer = Trainer::new(loss, Adam::default()).learning_rate(0.1).epochs(5);
        trainer.progress(Progress::Silent).fit(&mut model, &data).unwrap().last("loss").unwrap()
    };
    assert_eq!(fit(true), fit(false));
    assert!(fit(true) < 0.5);
}
