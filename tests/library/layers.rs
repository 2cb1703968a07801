//! Every layer of the crate passes the checks for user-defined layers, in f64 and in f32.

use plywood::nn::Average;
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
    dense_without_bias: Dense::units(3).bias(false), [5];
    dense_along_the_last_axis: Dense::units(4), [2, 3];
    dense_large: Dense::units(70).initializer(Initializer::HeNormal), [33];
    conv2d: Conv2d::filters(3, 3), [2, 5, 4];
    conv2d_same: Conv2d::filters(2, [2, 3]).padding(Padding::Same).dilation(2), [2, 5, 6];
    conv2d_strided: Conv2d::filters(4, 3).stride([2, 3]).padding(1).groups(2).bias(false), [2, 6, 7];
    conv2d_depthwise: Conv2d::depthwise(2, 3).padding(1), [3, 5, 4];
    conv2d_large: Conv2d::filters(17, 3).padding(1), [3, 24, 23];
    conv1d: Conv1d::filters(3, 4).padding(Padding::Same), [2, 9];
    conv1d_strided: Conv1d::filters(2, 3).stride(2).dilation(2), [3, 11];
    max_pool2d: MaxPool2d::window(2), [2, 5, 6];
    max_pool2d_overlapping: MaxPool2d::window(3).stride([1, 2]).padding(1), [2, 5, 6];
    max_pool1d: MaxPool1d::window(3).padding(Padding::Same), [2, 7];
    avg_pool2d: AvgPool2d::window(2), [2, 5, 6];
    avg_pool2d_padded: AvgPool2d::window(3).stride(2).padding(1).count_padding(false), [2, 5, 6];
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
    relu6: ReLU6, [7];
    elu: ELU::alpha(1.5), [2, 3];
    selu: SELU, [7];
    hard_sigmoid: HardSigmoid, [7];
    hard_swish: HardSwish, [7];
    gelu: GELU::default(), [2, 3];
    gelu_tanh: GELU::default().tanh(true), [7];
    silu: SiLU, [7];
    mish: Mish, [7];
    softplus: Softplus::default(), [7];
    softplus_of_beta: Softplus::beta(3.0), [2, 3];
    softsign: Softsign, [7];
    prelu: PReLU::new(), [2, 3];
    prelu_per_channel: PReLU::new().per_channel(true), [3, 2, 2];
    prelu_per_feature: PReLU::new().per_channel(true), [5];
    log_softmax: LogSoftmax, [7];
    log_softmax_of_rows: LogSoftmax, [2, 5];
    sigmoid: Sigmoid, [7];
    tanh: Tanh, [7];
    softmax: Softmax, [7];
    softmax_of_rows: Softmax, [2, 5];
    dropout: Dropout::rate(0.4), [20], Exemption::TrainingDiffers;
    dropout2d: Dropout2d::rate(0.4), [6, 2, 2], Exemption::TrainingDiffers;
    dropout2d_of_features: Dropout2d::rate(0.4), [20], Exemption::TrainingDiffers;
    gaussian_noise: GaussianNoise::std_dev(0.3), [2, 3], Exemption::TrainingDiffers;
    batch_norm: BatchNorm::new(), [6], Exemption::TrainingDiffers;
    batch_norm_of_channels: BatchNorm::new(), [3, 2, 3], Exemption::TrainingDiffers;
    layer_norm: LayerNorm::new(), [6];
    layer_norm_of_two_axes: LayerNorm::new().axes(2).bias(false), [2, 3, 4];
    group_norm: GroupNorm::groups(2), [4, 2, 3];
    group_norm_of_features: GroupNorm::groups(2), [6];
    instance_norm: GroupNorm::groups(3), [3, 5];
    rms_norm: RMSNorm::new(), [6];
    rms_norm_of_rows: RMSNorm::new().epsilon(1e-3), [3, 4];
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
    residual: F => Residual::around(Sequential::<F>::block_of().layer(Dense::units(4)).layer(Tanh)), [4];
    residual_around_nothing: F => Residual::around(Sequential::<F>::block_of()), [2, 2];
    residual_with_projection: F => Residual::around(
        Sequential::<F>::block_of().layer(Dense::units(5)).layer(SiLU).layer(Dense::units(3)),
    ).projection(Sequential::<F>::block_of().layer(Dense::units(3).bias(false))), [4];
    sum: F => Add::of([
        Sequential::<F>::block_of(),
        Sequential::<F>::block_of().layer(Dense::units(3)).layer(Tanh),
        Sequential::<F>::block_of().layer(Sigmoid),
    ]), [2, 3];
    mean: F => Average::of([
        Sequential::<F>::block_of(),
        Sequential::<F>::block_of().layer(Dense::units(3)).layer(Tanh),
        Sequential::<F>::block_of().layer(Sigmoid),
    ]), [2, 3];
    product: F => Product::of([
        Sequential::<F>::block_of().layer(Dense::units(3)),
        Sequential::<F>::block_of().layer(Dense::units(1)).layer(Sigmoid),
        Sequential::<F>::block_of().layer(Tanh),
        Sequential::<F>::block_of(),
    ]), [2, 3];
    product_of_two: F => Product::of([
        Sequential::<F>::block_of(),
        Sequential::<F>::block_of().layer(Dense::units(3)).layer(Sigmoid),
    ]), [3];
    product_of_one: F => Product::of([Sequential::<F>::block_of().layer(Dense::units(2))]), [3];
    squeeze_and_excitation: F => Product::of([
        Sequential::<F>::block_of(),
        Sequential::<F>::block_of().layer(GlobalAvgPool).layer(Dense::units(3)).layer(Sigmoid)
            .layer(Reshape::to([3, 1, 1])),
    ]), [3, 2, 4];
    gate_of_pixels: F => Product::of([
        Sequential::<F>::block_of().layer(Conv2d::filters(1, 1)).layer(Sigmoid),
        Sequential::<F>::block_of(),
    ]), [3, 2, 2];
    outer_product: F => Product::of([
        Sequential::<F>::block_of().layer(Dense::units(3)).layer(Reshape::to([3, 1])),
        Sequential::<F>::block_of().layer(Dense::units(2)),
    ]), [4];
    maximum: F => Maximum::of([
        Sequential::<F>::block_of(),
        Sequential::<F>::block_of().layer(Dense::units(3)),
        Sequential::<F>::block_of().layer(Dense::units(1)),
    ]), [2, 3];
    concat: F => Concat::of([
        Sequential::<F>::block_of().layer(Dense::units(3)),
        Sequential::<F>::block_of(),
        Sequential::<F>::block_of().layer(Dense::units(1)).layer(Tanh),
    ]), [4];
    concat_of_channels: F => Concat::of([
        Sequential::<F>::block_of().layer(Reshape::to([3, 2, 2])),
        Sequential::<F>::block_of().layer(Reshape::to([3, 2, 2])).layer(Tanh),
    ]), [3, 4];
    concat_along_the_last_axis: F => Concat::of([
        Sequential::<F>::block_of().layer(Dense::units(2)),
        Sequential::<F>::block_of(),
    ]).axis(3), [2, 2, 3];
    branches_with_state_in_branches: F => Concat::of([
        Sequential::<F>::block_of().layer(Residual::around(
            Sequential::<F>::block_of().layer(Dense::units(4)).layer(BatchNorm::new()).layer(Dropout::rate(0.3)),
        )),
        Sequential::<F>::block_of().layer(Add::of([Sequential::<F>::block_of(), Sequential::<F>::block_of()])),
    ]), [4], Exemption::TrainingDiffers;
    nothing_at_all: F => Sequential::<F>::block_of(), [3];
}

/// Tests a layer whose inputs are ids. They have no gradient. The ids include padding, repeated ids and ids that never
/// occur.
macro_rules! of_ids {
    ($($name:ident: $spec:expr;)*) => {
        $(#[test]
        fn $name() {
            let ids = [3.0, 0.0, 3.0, 1.0, 4.0, 0.0, 0.0, 0.0, 0.0, 6.0, 6.0, 6.0];
            let ids = ndarray::Array2::from_shape_vec((4, 3), ids.to_vec()).unwrap().into_dyn();
            let check = LayerCheck::<f64>::new(&[3]).exempt(Exemption::InputGradient).inputs(ids.clone());
            println!("{}", check.run($spec).unwrap());
            let ids = ids.mapv(|id| id as f32);
            println!("{}", LayerCheck::<f32>::new(&[3]).exempt(Exemption::InputGradient).inputs(ids).run($spec).unwrap());
        })*
    };
}

of_ids! {
    embedding: Embedding::vocabulary(7, 2);
    // The padding id does not occur in the inputs: by definition, the padding row has no gradient, as in PyTorch
    // (`torch_layers.rs`), although it affects the outputs.
    embedding_with_padding: Embedding::vocabulary(7, 2).padding(5);
    embedding_bag: EmbeddingBag::vocabulary(7, 2);
    embedding_bag_with_padding: EmbeddingBag::vocabulary(7, 5).padding(0);
    embedding_bag_of_sums: EmbeddingBag::vocabulary(7, 2).mode(BagMode::Sum).padding(6);
    embedding_bag_of_maxima: EmbeddingBag::vocabulary(7, 2).mode(BagMode::Max).padding(0);
}
