//! Every layer of the crate passes the battery that users' layers pass, in f64 and in f32.

use plywood::prelude::*;
use plywood::testing::{Exemption, LayerCheck};

macro_rules! battery {
    ($($name:ident: $spec:expr, $shape:expr $(, $exempt:expr)*;)*) => {
        $(#[test]
        fn $name() {
            let shape: &[usize] = &$shape;
            println!("{}", LayerCheck::<f64>::new(shape)$(.exempt($exempt))*.run($spec).unwrap());
            println!("{}", LayerCheck::<f32>::new(shape)$(.exempt($exempt))*.run($spec).unwrap());
        })*
    };
}

battery! {
    dense: Dense::units(7), [5];
    dense_without_bias: Dense::units(3).without_bias(), [5];
    dense_along_the_last_axis: Dense::units(4), [2, 3];
    dense_large: Dense::units(70).initializer(Initializer::HeNormal), [33];
    conv2d: Conv2d::filters(3, 3), [2, 5, 4];
    conv2d_same: Conv2d::filters(2, [2, 3]).padding(Padding::Same).dilation(2), [2, 5, 6];
    conv2d_strided: Conv2d::filters(4, 3).stride([2, 3]).padding(1).groups(2).without_bias(), [2, 6, 7];
    conv2d_depthwise: Conv2d::depthwise(2, 3).padding(1), [3, 5, 4];
    conv2d_large: Conv2d::filters(17, 3).padding(1), [3, 24, 23];
    conv1d: Conv1d::filters(3, 4).padding(Padding::Same), [2, 9];
    conv1d_strided: Conv1d::filters(2, 3).stride(2).dilation(2), [3, 11];
    max_pool2d: MaxPool2d::window(2), [2, 5, 6];
    max_pool2d_overlapping: MaxPool2d::window(3).stride([1, 2]).padding(1), [2, 5, 6];
    max_pool1d: MaxPool1d::window(3).padding(Padding::Same), [2, 7];
    avg_pool2d: AvgPool2d::window(2), [2, 5, 6];
    avg_pool2d_padded: AvgPool2d::window(3).stride(2).padding(1).without_padding_in_the_mean(), [2, 5, 6];
    avg_pool1d: AvgPool1d::window(3).stride(2), [2, 8];
    adaptive_avg_pool2d: AdaptiveAvgPool2d::to([2, 4]), [2, 5, 3];
    global_avg_pool: GlobalAvgPool, [3, 2, 4];
    global_max_pool: GlobalMaxPool, [3, 5];
    zero_pad2d: ZeroPad2d::sides([1, 0], [2, 3]), [2, 3, 4];
    upsample: Upsample::by([2, 3]), [2, 3, 2];
    flatten: Flatten, [2, 3, 2];
    reshape: Reshape::to([3, 4]), [2, 6];
    relu: ReLU, [3, 4];
    leaky_relu: LeakyReLU::slope(0.2), [7];
    sigmoid: Sigmoid, [7];
    tanh: Tanh, [7];
    softmax: Softmax, [7];
    softmax_of_rows: Softmax, [2, 5];
    dropout: Dropout::rate(0.4), [20], Exemption::TrainingDiffers;
    batch_norm: BatchNorm::new(), [6], Exemption::TrainingDiffers;
}

macro_rules! block {
    ($($name:ident: $f:ident => $block:expr, $shape:expr $(, $exempt:expr)*;)*) => {
        $(#[test]
        fn $name() {
            let shape: &[usize] = &$shape;
            {
                type $f = f64;
                println!("{}", LayerCheck::<f64>::new(shape)$(.exempt($exempt))*.run($block).unwrap());
            }
            {
                type $f = f32;
                println!("{}", LayerCheck::<f32>::new(shape)$(.exempt($exempt))*.run($block).unwrap());
            }
        })*
    };
}

block! {
    a_network: F => Sequential::<F>::block_of()
        .layer(Flatten).layer(Dense::units(6)).layer(Tanh).layer(Dense::units(3)).layer(Softmax), [2, 4];
    containers_in_containers: F => Sequential::<F>::block_of()
        .layer(Sequential::<F>::block_of().layer(Dense::units(4)).layer(Sigmoid))
        .layer(Sequential::<F>::block_of().layer(Sequential::<F>::block_of().layer(Dense::units(2)))), [3];
    a_network_with_state: F => Sequential::<F>::block_of()
        .layer(Dense::units(6)).layer(BatchNorm::new()).layer(Tanh).layer(Dropout::rate(0.2)).layer(Dense::units(2)),
        [4], Exemption::TrainingDiffers;
    nothing_at_all: F => Sequential::<F>::block_of(), [3];
}
