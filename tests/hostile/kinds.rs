//! A block for each kind of layer in the crate, with its input shape.

use plywood::Scalar;
use plywood::nn::{Average, ResizeMode, SequentialBuilder, Value};
use plywood::prelude::*;

/// Every new layer must be added here: tests/library/saving.rs compares this list with the registry.
pub fn every_kind<F: Scalar>() -> Vec<(&'static str, Vec<usize>, SequentialBuilder<F>)> {
    macro_rules! blocks {
        ($($kind:literal: $spec:expr, $shape:expr;)*) => {
            vec![$(($kind, $shape.to_vec(), Sequential::<F>::block_of().layer($spec)),)*]
        };
    }
    let block = || Sequential::<F>::block_of();
    blocks! {
        "adaptive_avg_pool2d": AdaptiveAvgPool2d::to([2, 4]), [2, 5, 3];
        "average": Average::of([block(), block().layer(Dense::units(3))]), [3];
        "avg_pool1d": AvgPool1d::window(3), [2, 8];
        "avg_pool2d": AvgPool2d::window(2), [2, 5, 6];
        "batch_norm": BatchNorm::new(), [3, 2, 3];
        "concat": Concat::of([block().layer(Dense::units(3)), block()]), [4];
        "conv1d": Conv1d::filters(3, 4), [2, 9];
        "conv2d": Conv2d::filters(3, 3), [2, 5, 4];
        "dense": Dense::units(7), [5];
        "dropout": Dropout::rate(0.4), [20];
        "dropout2d": Dropout2d::rate(0.4), [6, 2, 2];
        "elu": ELU::alpha(1.5), [7];
        "embedding": Embedding::vocabulary(7, 2), [3];
        "embedding_bag": EmbeddingBag::vocabulary(7, 2), [3];
        "flatten": Flatten, [2, 3];
        "gaussian_noise": GaussianNoise::std_dev(0.3), [7];
        "gelu": GELU::default(), [7];
        "global_avg_pool": GlobalAvgPool, [3, 2, 4];
        "global_max_pool": GlobalMaxPool, [3, 2, 4];
        "graph": graph::<F>(), [5, 4];
        "group_norm": GroupNorm::groups(2), [4, 3];
        "hard_sigmoid": plywood::nn::HardSigmoid, [7];
        "hard_swish": plywood::nn::HardSwish, [7];
        "layer_norm": LayerNorm::new(), [6];
        "leaky_relu": LeakyReLU::slope(0.2), [7];
        "log_softmax": LogSoftmax, [7];
        "maximum": Maximum::of([block(), block().layer(Tanh), block().layer(Dense::units(1))]), [3];
        "max_pool1d": MaxPool1d::window(3), [2, 7];
        "max_pool2d": MaxPool2d::window(2), [2, 5, 6];
        "mish": Mish, [7];
        "prelu": PReLU::new(), [7];
        "product": Product::of([
            block(),
            block().layer(GlobalAvgPool).layer(Sigmoid).layer(Reshape::to([3, 1, 1])),
        ]), [3, 2, 2];
        "relu": ReLU, [7];
        "relu6": plywood::nn::ReLU6, [7];
        "reshape": Reshape::to([3, 2]), [6];
        "residual": Residual::around(block().layer(Dense::units(4))), [4];
        "rms_norm": RMSNorm::new(), [6];
        "selu": SELU, [7];
        "sequential": block().layer(Dense::units(2)), [3];
        "sigmoid": Sigmoid, [7];
        "silu": SiLU, [7];
        "softmax": Softmax, [7];
        "softplus": Softplus::default(), [7];
        "softsign": Softsign, [7];
        "add": Add::of([block(), block().layer(Tanh)]), [3];
        "tanh": Tanh, [7];
        "pool_steps": PoolSteps::max(), [4, 3];
        "upsample": Upsample::by([2, 3]), [2, 3, 2];
        "without_lengths": WithoutLengths, [4, 3];
        "zero_pad2d": ZeroPad2d::sides([1, 0], [2, 3]), [2, 3, 4];
    }
}

/// From `[5, 4]` to `[8]`.
fn moved<F: Scalar>(x: Value<'_, F>) -> Value<'_, F> {
    let x = x.erf().tile(1, 2).flip(1).pad(-1, 1, 0, 0.25).cumsum(-1); // [10, 5]
    let x = x.argmax(-1).one_hot(5) * x.log_softmax(1) + x.mean_keepdim(1).expand([10, -1]);
    let image =
        x.reshape([1, 10, 5]).resize([4, 3], ResizeMode::Bilinear).resize([8, 2], ResizeMode::Nearest);
    image.prod(1).min(-1)
}

/// A graph with layers, parameters, a constant and an operation of each kind.
fn graph<F: Scalar>() -> Graph<F> {
    let g = Graph::<F>::builder_of();
    let x = g.input("x", [5, 4]);
    let [q, k] = x.layer(Dense::units(6)).split(-1);
    let scores = q.matmul(k.t()) * 0.5 + g.constant(ndarray::Array1::from_elem(5, F::one()));
    let y = scores.softmax(-1).matmul(x).concat(&[x.layer(ReLU).permute([0, 1, 2])], -1).slice(1, ..-1);
    let w = g.param("w", [8], Initializer::Constant(0.5));
    let y = y.greater(y * 0.0).where_cond((y * w).tanh(), y.clip(-1.0, 1.0)) - y.mean_keepdim(-1);
    let y = y.reshape([8, -1]).sum(-1).maximum(y.max(1).square());
    g.output("y", y - moved(x).maximum(-1.5).less(0.5).logical_not());
    g.build().expect("a graph")
}
