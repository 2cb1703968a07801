//! All operations by the checks that custom ones have, in both element types.

use super::{
    ArgMax, Concat, CumSum, Expand, Filled, Flip, Gather, MAX, MEAN, MIN, MatMul, OneHot, PRODUCT, Pad, Part,
    Permute, Reduce, Reshape, Resize, ResizeMode, SUM, Slice, Softmax, StepMask, TakeAlong, Tile, Transpose,
};
use crate::kernels::Scalar;
use crate::nn::graph::op::Op;
use crate::nn::graph::shape::Shape;
use crate::tensor::Tensor;
use crate::testing::{OpCheck, check_op};
use ndarray::arr1;

fn check<O: Op<f32> + Op<f64>>(op: &O, inputs: &[Shape]) {
    check_op::<f64>(op.clone(), inputs).unwrap();
    check_op::<f32>(op.clone(), inputs).unwrap();
}

/// The same for inputs with and without a batch axis.
fn check_both<O: Op<f32> + Op<f64>>(op: &O, sizes: &[usize]) {
    check(op, &[Shape::batched(sizes)]);
    check(op, &[Shape::shared(sizes)]);
}

#[test]
fn operations_of_one_value() {
    check(&Permute { axes: vec![0, 3, 1, 2] }, &[Shape::batched([2, 3, 4])]);
    check(&Permute { axes: vec![0, 1, -1, -2] }, &[Shape::batched([2, 3, 4])]);
    check(&Permute { axes: vec![2, 0, 1] }, &[Shape::shared([2, 3, 4])]);
    check_both(&Transpose, &[2, 3, 4]);
    check_both(&Reshape { sizes: vec![2, -1] }, &[2, 3, 2]);
    for part in [Part::Range(1, None), Part::Range(0, Some(-1)), Part::Index(-1), Part::Equal(1, 2)] {
        check_both(&Slice { axis: -1, part }, &[3, 4]);
        check_both(&Slice { axis: -2, part }, &[4, 3]);
    }
    for axis in [-1, -2] {
        check_both(&Softmax::<false> { axis }, &[3, 4]);
        check_both(&Softmax::<true> { axis }, &[3, 4]);
        check_both(&Softmax::<false> { axis }, &[2, 3, 2]);
    }
    check(&Softmax::<true> { axis: 1 }, &[Shape::batched([3, 2, 2])]);
    check(&Softmax::<false> { axis: 0 }, &[Shape::shared([40, 2])]);
    check_both(&Filled { sizes: vec![2, 3], number: 0.5 }, &[4]);
    for keepdim in [false, true] {
        for axis in [-1, -2] {
            check_both(&Reduce::<SUM> { axis, keepdim }, &[3, 4]);
            check_both(&Reduce::<MEAN> { axis, keepdim }, &[3, 4]);
            check_both(&Reduce::<MAX> { axis, keepdim }, &[3, 4]);
            check_both(&Reduce::<MIN> { axis, keepdim }, &[3, 4]);
            check_both(&Reduce::<PRODUCT> { axis, keepdim }, &[3, 4]);
        }
    }
    for axis in [-1, -2] {
        check_both(&CumSum { axis }, &[3, 4]);
        for shape in [Shape::batched([3, 4]), Shape::shared([3, 4])] {
            let of = std::slice::from_ref(&shape);
            OpCheck::<f64>::new(of).without_gradient(0).run(ArgMax { axis }).unwrap();
            OpCheck::<f32>::new(of).without_gradient(0).run(ArgMax { axis }).unwrap();
        }
    }
    check(&CumSum { axis: 1 }, &[Shape::batched([7])]);
    check(&Reduce::<PRODUCT> { axis: 0, keepdim: false }, &[Shape::shared([5])]);
}

#[test]
fn operations_that_repeat_and_move() {
    for axis in [-1, -2] {
        check_both(&Pad { axis, before: 2, after: 1, value: 0.5 }, &[3, 4]);
        check_both(&Pad { axis, before: 0, after: 0, value: f64::NEG_INFINITY }, &[3, 4]);
        check_both(&Tile { axis, times: 3 }, &[3, 4]);
        check_both(&Flip { axis }, &[3, 4]);
    }
    check(&Tile { axis: 1, times: 2 }, &[Shape::batched([1, 3])]);
    check(&Tile { axis: -1, times: 5 }, &[Shape::batched([3, 1])]);
    for sizes in [vec![3, 1, 4], vec![-1, 5, -1], vec![2, 3, 6, 4]] {
        check_both(&Expand { sizes }, &[3, 1, 4]);
    }
    check_both(&Expand { sizes: vec![2, 3] }, &[]);
    check_both(&Expand { sizes: vec![] }, &[]);
    for mode in [ResizeMode::Nearest, ResizeMode::Bilinear] {
        for sizes in [[3, 4], [6, 8], [5, 3], [1, 1], [2, 9]] {
            check_both(&Resize { sizes, mode }, &[2, 3, 4]);
        }
        check_both(&Resize { sizes: [3, 2], mode }, &[1, 1, 1]);
    }
}

#[test]
fn operations_of_several_values() {
    let (batched, shared) = (Shape::batched([3, 4]), Shape::shared([4, 2]));
    check(&MatMul { transposed: false }, &[batched.clone(), shared.clone()]);
    check(&MatMul { transposed: true }, &[batched.clone(), Shape::shared([2, 4])]);
    check(&MatMul { transposed: false }, &[batched.clone(), Shape::batched([4, 2])]);
    check(&MatMul { transposed: true }, &[Shape::batched([2, 3, 4]), Shape::batched([2, 5, 4])]);
    check(&MatMul { transposed: false }, &[Shape::shared([3, 4]), shared]);
    check(&Concat { axis: -1 }, &[batched.clone(), Shape::batched([3, 2]), Shape::batched([3, 1])]);
    check(&Concat { axis: 1 }, &[batched, Shape::batched([2, 4])]);
    check(&Concat { axis: 0 }, &[Shape::shared([2, 4]), Shape::shared([3, 4])]);
}

/// Operations with an input of integers: ids, or lengths, of which one is 0 and one is all steps.
fn with_integers<F: Scalar>() {
    let integers: Tensor<F> = arr1(&[2.0, 0.0, 3.0, 1.0, 2.0]).mapv(F::of).into_dyn();
    let (steps, lengths) = (Shape::batched([3, 2]), Shape::batched([]));
    let of = |inputs: [Shape; 2]| OpCheck::new(&inputs).input(1, integers.clone()).without_gradient(1);
    of([Shape::shared([4, 3]), lengths.clone()]).run(Gather).unwrap();
    of([Shape::batched([4]), lengths.clone()]).run(TakeAlong { axis: -1 }).unwrap();
    let ids = OpCheck::new(std::slice::from_ref(&lengths)).input(0, integers.clone());
    ids.without_gradient(0).run(OneHot { classes: 4 }).unwrap();
    let ids = arr1(&[2.0, 0.0, 3.0]).mapv(F::of).into_dyn();
    OpCheck::new(&[Shape::shared([3])]).input(0, ids).without_gradient(0).run(OneHot { classes: 5 }).unwrap();
    of([steps.clone(), lengths.clone()]).without_gradient(0).run(StepMask).unwrap();
    of([steps.clone(), lengths.clone()]).run(Reduce::<SUM> { axis: 1, keepdim: false }).unwrap();
    of([steps.clone(), lengths.clone()]).run(Reduce::<MEAN> { axis: 1, keepdim: true }).unwrap();
    of([steps.clone(), lengths.clone()]).run(Reduce::<MAX> { axis: 1, keepdim: false }).unwrap();
    of([steps.clone(), lengths.clone()]).run(Reduce::<MIN> { axis: 1, keepdim: false }).unwrap();
    of([steps, lengths]).run(Reduce::<PRODUCT> { axis: 1, keepdim: true }).unwrap();
}

/// Ids for each place along an axis in the middle, of what the batch has and of what it shares.
#[test]
fn take_along_the_first_axis_of_several() {
    let ids: Tensor<f64> =
        arr1(&[2.0, 0.0, 0.0, 0.0, 1.0, 1.0]).into_shape_with_order((1, 3, 2)).unwrap().into_dyn();
    let of = |shapes: [Shape; 2], ids| OpCheck::new(&shapes).input(1, ids).without_gradient(1);
    of([Shape::batched([3, 2]), Shape::batched([3, 2])], ids.clone()).run(TakeAlong { axis: 1 }).unwrap();
    let shared = ids.into_shape_with_order((3, 2)).unwrap().into_dyn();
    of([Shape::shared([3, 2]), Shape::shared([3, 2])], shared).run(TakeAlong { axis: 0 }).unwrap();
}

#[test]
fn operations_with_integers() {
    with_integers::<f64>();
    with_integers::<f32>();
}
