//! Agreement of the layers with PyTorch in f64, to 1e-9: outputs, all gradients, buffers.
//!
//! The reference values are in torch/layers.json. torch/layers.py generated them, and describes how to regenerate them.

use crate::reference::{agree_tensors as agree, at, tensor};
use plywood::nn::{Average, Gradient};
use plywood::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

static REFERENCE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../torch/layers.json")).expect("JSON"));

fn tensors(value: &Value) -> BTreeMap<String, Tensor<f64>> {
    value.as_object().expect("an object").iter().map(|(name, t)| (name.clone(), tensor(t))).collect()
}

fn agree_all<L: Layer<f64>>(what: &str, layer: &L, expected: &Value) {
    let expected = tensors(expected);
    let mut count = 0;
    layer.visit_params(&mut |name, param| {
        agree(&format!("{what}, {name}"), param.value(), &expected[name]);
        count += 1;
    });
    assert_eq!(count, expected.len(), "{what}");
}

/// Returns a gradient as a dense tensor; the gradient of an embedding is stored by rows.
fn written_out(param: &Param<f64>) -> Tensor<f64> {
    match param.gradient() {
        Some(Gradient::Dense(gradient)) => gradient.clone(),
        Some(Gradient::Rows { ids, values }) => {
            let mut out = Tensor::zeros(param.shape().to_vec());
            let columns = param.len() / param.shape()[0];
            for (&id, row) in ids.iter().zip(values.chunks(columns)) {
                out.index_axis_mut(ndarray::Axis(0), id).iter_mut().zip(row).for_each(|(out, g)| *out += g);
            }
            out
        }
        other => panic!("{other:?}"),
    }
}

/// Compares a layer with PyTorch's parameters, forward and backward, and again with the batch axis reversed in memory.
fn compare<S: LayerSpec<f64>>(section: &str, case: &str, spec: S, inference: bool) {
    let reference = at(&REFERENCE, &[section, case]);
    let (x, y) = (tensor(at(reference, &["x"])), tensor(at(reference, &["y"])));
    let mut layer = spec.build(&x.shape()[1..], &Random::seed(0)).unwrap();
    let before = tensors(at(reference, &["before"]));
    layer.visit_params_mut(&mut |name, param| param.set_value(before[name].clone()).unwrap());
    agree_all(&format!("{case}, before"), &layer, at(reference, &["before"]));
    let mut reversed = x.clone();
    reversed.invert_axis(ndarray::Axis(0));
    let mut reversed = reversed.as_standard_layout().into_owned();
    reversed.invert_axis(ndarray::Axis(0));
    if inference {
        agree(&format!("{case}, inference"), &layer.forward(x.clone()).unwrap(), &y);
        agree(&format!("{case}, another order in memory"), &layer.forward(reversed).unwrap(), &y);
    }
    let (found, cache) = layer.forward_train(x).unwrap();
    agree(&format!("{case}, output"), &found, &y);
    let dx = layer.backward(cache, tensor(at(reference, &["g"]))).unwrap();
    if !at(reference, &["dx"]).is_null() {
        agree(&format!("{case}, input's gradient"), &dx, &tensor(at(reference, &["dx"])));
    }
    agree_all(&format!("{case}, after"), &layer, at(reference, &["after"]));
    let expected = tensors(at(reference, &["grads"]));
    let mut count = 0;
    layer.visit_params(&mut |name, param| {
        if param.is_trainable() {
            agree(&format!("{case}, gradient of {name}"), &written_out(param), &expected[name]);
            count += 1;
        }
    });
    assert_eq!(count, expected.len(), "{case}");
}

fn block() -> plywood::nn::SequentialBuilder<f64> {
    Sequential::<f64>::block_of()
}

/// Defines a test for each section, which must list every case of it.
macro_rules! section {
    ($section:ident { $($case:ident: $spec:expr, $inference:literal;)* }) => {
        #[test]
        fn $section() {
            let names = [$(stringify!($case)),*];
            let all: Vec<&String> = at(&REFERENCE, &[stringify!($section)]).as_object().unwrap().keys().collect();
            assert!(all.iter().all(|name| names.contains(&name.as_str())), "{all:?}");
            $(compare(stringify!($section), stringify!($case), $spec, $inference);)*
        }
    };
}

section! {
    activations {
        relu6: ReLU6, true;
        elu: ELU::default(), true;
        elu_changed: ELU::alpha(1.7), true;
        selu: SELU, true;
        hard_sigmoid: HardSigmoid, true;
        hard_swish: HardSwish, true;
        gelu: GELU::default(), true;
        gelu_tanh: GELU::default().tanh(true), true;
        silu: SiLU, true;
        mish: Mish, true;
        softplus: Softplus::default(), true;
        softplus_changed: Softplus::beta(2.5), true;
        softsign: Softsign, true;
        prelu: PReLU::new(), true;
        prelu_per_channel: PReLU::new().per_channel(true), true;
        log_softmax: LogSoftmax, true;
        log_softmax_of_rows: LogSoftmax, true;
    }
}

section! {
    normalization {
        batch_norm_1d: BatchNorm::new(), false;
        batch_norm_1d_of_sequences: BatchNorm::new(), false;
        batch_norm_2d: BatchNorm::new(), false;
        batch_norm_2d_changed: BatchNorm::new().epsilon(1e-2).momentum(0.3), false;
        batch_norm_2d_of_one: BatchNorm::new(), false;
        batch_norm_3d: BatchNorm::new(), false;
        layer_norm: LayerNorm::new(), true;
        layer_norm_of_rows: LayerNorm::new().epsilon(1e-3), true;
        layer_norm_of_two_axes: LayerNorm::new().axes(2), true;
        layer_norm_of_samples: LayerNorm::new().axes(3).bias(false), true;
        group_norm: GroupNorm::groups(2), true;
        group_norm_of_all: GroupNorm::groups(1).epsilon(1e-3), true;
        group_norm_of_features: GroupNorm::groups(3), true;
        instance_norm: GroupNorm::groups(4), true;
        rms_norm: RMSNorm::new(), true;
        rms_norm_of_rows: RMSNorm::new().epsilon(1e-2), true;
    }
}

section! {
    embeddings {
        embedding: Embedding::vocabulary(9, 4), true;
        embedding_with_padding: Embedding::vocabulary(9, 4).padding(0), true;
        embedding_of_images: Embedding::vocabulary(9, 4), true;
        bag_mean: EmbeddingBag::vocabulary(9, 4), true;
        bag_mean_with_padding: EmbeddingBag::vocabulary(9, 4).padding(0), true;
        bag_sum: EmbeddingBag::vocabulary(9, 4).mode(BagMode::Sum), true;
        bag_sum_with_padding: EmbeddingBag::vocabulary(9, 4).mode(BagMode::Sum).padding(4), true;
        bag_max: EmbeddingBag::vocabulary(9, 4).mode(BagMode::Max), true;
        bag_max_with_padding: EmbeddingBag::vocabulary(9, 4).mode(BagMode::Max).padding(0), true;
    }
}

section! {
    containers {
        residual: Residual::around(block().layer(LayerNorm::new()).layer(SiLU)), true;
        residual_with_projection: Residual::around(block().layer(LayerNorm::new()).layer(GELU::default()))
            .projection(block().layer(LayerNorm::new())), true;
        sum: Add::of([
            block().layer(LayerNorm::new()).layer(Tanh),
            block(),
            block().layer(PReLU::new().per_channel(true)),
        ]), true;
        concat: Concat::of([block().layer(LayerNorm::new()).layer(Tanh), block()]), true;
        concat_of_channels: Concat::of([block(), block().layer(GroupNorm::groups(2)), block().layer(Mish)]), true;
        concat_along_the_last_axis:
            Concat::of([block().layer(Tanh), block().layer(LayerNorm::new()), block()]).axis(3), true;
        mean: Average::of([block().layer(LayerNorm::new()).layer(Tanh), block(), block().layer(SiLU)]), true;
        product: Product::of([block().layer(LayerNorm::new()), block().layer(Sigmoid), block()]), true;
        product_with_a_gate: Product::of([
            block().layer(LayerNorm::new()),
            block().layer(AdaptiveAvgPool2d::to(1)).layer(Sigmoid),
        ]), true;
        product_that_repeats_rows: Product::of([
            block().layer(AdaptiveAvgPool2d::to([1, 5])).layer(Tanh),
            block(),
            block().layer(LayerNorm::new()),
        ]), true;
        maximum: Maximum::of([
            block().layer(LayerNorm::new()),
            block().layer(Tanh),
            block().layer(LayerNorm::new()),
        ]), true;
    }
}
