//! Layers over images: no input causes a panic, and the errors say what to do.

use plywood::nn::{LayerSpec, Padding};
use plywood::prelude::*;

/// Builds the layer and, if that succeeds and the output is small, runs it forward and backward.
fn run<S: LayerSpec<f32>>(spec: S, input: &[usize]) -> bool {
    let Ok(mut layer) = spec.build(input, &Random::seed(1)) else { return false };
    let Ok(shape) = layer.output_shape(input) else { return false };
    if shape.iter().fold(1usize, |n, &m| n.saturating_mul(m)) > 1 << 16 {
        return true;
    }
    for samples in [0, 1, 3] {
        let x = Tensor::ones([&[samples], input].concat());
        let y = layer.forward(x.clone()).unwrap();
        assert_eq!(y.shape(), [&[samples], &shape[..]].concat());
        let (y, cache) = layer.forward_train(x.clone()).unwrap();
        assert_eq!(layer.backward(cache, y).unwrap().shape(), x.shape());
        let (y, cache) = layer.forward_train(x).unwrap();
        layer.backward_params(cache, y).unwrap();
    }
    // Batches and gradients of wrong shapes.
    for wrong in [vec![], vec![2], vec![2, 3], vec![2, 3, 4], vec![2, 7, 1, 1], vec![1, 1, 1, 1, 1]] {
        let _ = layer.forward(Tensor::ones(wrong.clone()));
        let (_, cache) = layer.forward_train(Tensor::ones([&[1], input].concat())).unwrap();
        assert!(layer.backward(cache, Tensor::ones(wrong)).is_err() || shape.len() < 2);
    }
    true
}

const NUMBERS: [usize; 9] = [0, 1, 2, 3, 6, 1 << 31, 1 << 40, usize::MAX / 2, usize::MAX];

#[test]
fn no_hyper_parameter_and_no_shape_panics() {
    let mut built = 0;
    let mut count = |ok: bool| built += usize::from(ok);
    for n in NUMBERS {
        for m in NUMBERS {
            for input in
                [&[2, 5, 4][..], &[2, 0, 4], &[0, 3, 3], &[usize::MAX, 2, 2], &[4, 4], &[4], &[], &[1; 5]]
            {
                if input.contains(&usize::MAX) {
                    // No such batch can exist, but a model can be built for this shape.
                    let _ = LayerSpec::<f32>::build(Conv2d::filters(n, m), input, &Random::seed(1));
                    let _ = Layer::<f32>::output_shape(&MaxPool2d::window([n, m]), input);
                    let _ = Layer::<f32>::output_shape(&AvgPool2d::window([n, m]), input);
                    let _ = Layer::<f32>::output_shape(&Upsample::by([n, m]), input);
                    let _ = Layer::<f32>::output_shape(&AdaptiveAvgPool2d::to([n, m]), input);
                    let _ = Layer::<f32>::output_shape(&ZeroPad2d::by([n, m]), input);
                    continue;
                }
                for padding in [Padding::Valid, Padding::Same, m.into(), [1, n].into()] {
                    count(run(Conv2d::filters(2, n).stride(m).padding(padding), input));
                    count(run(Conv2d::filters(2, 2).dilation([m, n]).padding(padding), input));
                    count(run(Conv1d::filters(2, n).stride(m).padding(padding), input));
                    count(run(MaxPool2d::window([n, m]).padding(padding), input));
                    count(run(MaxPool2d::window(n).stride(m).padding(padding), input));
                    count(run(MaxPool1d::window(n).stride(m).padding(padding), input));
                    count(run(AvgPool2d::window(n).stride(m).padding(padding), input));
                    let outside = AvgPool1d::window(n).stride(m).padding(padding);
                    count(run(outside.count_padding(false), input));
                }
                count(run(Conv2d::filters(n, 2).groups(m), input));
                count(run(Conv2d::depthwise(n, [1, m]), input));
                count(run(Conv1d::depthwise(n, m), input));
                count(run(AdaptiveAvgPool2d::to([n, m]), input));
                count(run(Upsample::by([n, m]), input));
                count(run(ZeroPad2d::sides([n, 1], [0, m]), input));
                count(run(GlobalAvgPool, input));
                count(run(GlobalMaxPool, input));
            }
        }
    }
    assert!(built > 1000, "many of them can be built: {built}");
}

/// Returns the error of building a model with this layer for images of this shape.
fn error<S: LayerSpec<f32> + Send + 'static>(spec: S, input: &[usize]) -> String {
    Sequential::builder(input).layer(spec).build().unwrap_err().to_string()
}

#[test]
fn errors_say_what_to_do() {
    assert_eq!(
        error(MaxPool2d::window(2), &[28, 28]),
        "layer 0 (max_pool2d): the input must have shape [channels, rows, columns], got [28, 28]. Channels come \
         first: put `Reshape::to([1, 28, 28])` before for images of one channel."
    );
    assert_eq!(
        error(Conv2d::filters(0, 3), &[1, 5, 5]),
        "layer 0 (conv2d): `filters` must be at least 1, got 0. Give the layer the number of its output channels; \
         32 and 64 are usual."
    );
    assert_eq!(
        error(Conv2d::filters(4, 0), &[1, 5, 5]),
        "layer 0 (conv2d): the window must be at least 1 along each axis, got [0, 0]. 3 is usual; 1 takes each \
         number by itself."
    );
    assert_eq!(
        error(Conv2d::filters(4, 3).dilation(4), &[1, 5, 5]),
        "layer 0 (conv2d): the window must be no larger than its input with padding, [5, 5], got [3, 3] with a \
         dilation of [4, 4]. Use a smaller window, less dilation, or `Padding::Same`; an input has at least 1 \
         row."
    );
    assert_eq!(
        error(MaxPool2d::window(2).padding(2), &[1, 5, 5]),
        "layer 0 (max_pool2d): the padding must be at most [1, 1], half of the window [2, 2], got [2, 2]. Reduce \
         it, or enlarge the window: one that lies within the padding has no numbers to pool."
    );
    assert_eq!(
        error(Conv1d::filters(2, 3).padding([1, 2]), &[1, 9]),
        "layer 0 (conv1d): the padding must be a single number for a sequence, got [1, 2]. A sequence has one \
         axis: write `.padding(1)`."
    );
    assert!(
        error(Upsample::by(0), &[1, 2, 2])
            .contains("the factor must be at least 1 along each axis, got [0, 0]")
    );
    assert!(error(AdaptiveAvgPool2d::to(0), &[1, 2, 2]).contains("the size must be at least 1"));
    assert!(error(GlobalAvgPool, &[3]).contains("the input must have shape [channels, …], got [3]"));
    let layer: Conv2d = Conv2d::filters(2, 2).build(&[3, 4, 4], &Random::seed(0)).unwrap();
    assert_eq!(
        layer.forward(Tensor::ones(vec![1, 4, 4, 3])).unwrap_err().to_string(),
        "the input must have shape [3, rows, columns], got [4, 4, 3]. Channels come first, and there are as many \
         as the layer was built for."
    );
}

#[test]
fn nan_shows_in_a_maximum_and_inference_agrees_with_training() {
    let mut x = Tensor::<f32>::zeros(vec![1, 1, 4, 6]);
    x[[0, 0, 1, 3]] = f32::NAN;
    x.iter_mut().skip(16).for_each(|v| *v = f32::NEG_INFINITY);
    for pool in [MaxPool2d::window(2), MaxPool2d::window(3).stride(1).padding(1)] {
        let y = pool.forward(x.clone()).unwrap();
        let (trained, _) = pool.clone().forward_train(x.clone()).unwrap();
        assert!(y.iter().any(|v| v.is_nan()) && y.iter().any(|v| !v.is_nan()));
        assert!(y.iter().zip(&trained).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
    assert!(GlobalMaxPool.forward(x).unwrap()[[0, 0]].is_nan());
}
