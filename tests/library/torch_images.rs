//! Layers over images agree with PyTorch in f64, to 1e-9: outputs and all gradients.
//!
//! The reference values are in torch/images.json. torch/images.py generated them, and describes how to regenerate them.

use crate::reference::{agree_tensors as agree, tensor};
use plywood::nn::{Gradient, LayerSpec};
use plywood::prelude::*;
use serde_json::Value;
use std::sync::LazyLock;

static REFERENCE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../torch/images.json")).expect("JSON"));

/// Returns the value of a key. Panics if it is missing, so that no case is skipped unnoticed.
fn at<'a>(value: &'a Value, key: &str) -> &'a Value {
    value.get(key).unwrap_or_else(|| panic!("no {key:?}"))
}

fn compare<S: LayerSpec<f64>>(section: &str, case: &str, spec: S) {
    let reference = at(at(&REFERENCE, section), case);
    let x = tensor(at(reference, "x"));
    let mut layer = spec.build(&x.shape()[1..], &Random::seed(0)).unwrap();
    let (before, mut count) = (at(reference, "before").as_object().unwrap(), 0);
    layer.visit_params_mut(&mut |name, param| {
        param.set_value(tensor(before.get(name).unwrap_or_else(|| panic!("no {name}")))).unwrap();
        count += 1;
    });
    assert_eq!(count, before.len(), "{case}: as many parameters");
    let y = tensor(at(reference, "y"));
    assert_eq!(layer.output_shape(&x.shape()[1..]).unwrap(), y.shape()[1..], "{case}");
    agree(&format!("{case}, inference"), &layer.forward(x.clone()).unwrap(), &y);
    let (found, cache) = layer.forward_train(x.clone()).unwrap();
    agree(case, &found, &y);
    let dx = layer.backward(cache, tensor(at(reference, "g"))).unwrap();
    agree(&format!("{case}, dx"), &dx, &tensor(at(reference, "dx")));
    layer.visit_params(&mut |name, param| {
        let Some(Gradient::Dense(gradient)) = param.gradient() else { panic!("no gradient of {name}") };
        agree(&format!("{case}, gradient of {name}"), gradient, &tensor(at(at(reference, "grads"), name)));
    });
}

macro_rules! cases {
    ($section:ident: $($case:ident: $spec:expr;)*) => {
        mod $section {
            use super::*;

            $(#[test]
            fn $case() {
                compare(stringify!($section), stringify!($case), $spec);
            })*

            #[test]
            fn every_case_of_the_reference_is_compared() {
                let here = [$(stringify!($case)),*];
                for case in at(&REFERENCE, stringify!($section)).as_object().unwrap().keys() {
                    assert!(here.contains(&case.as_str()), "{case}");
                }
            }
        }
    };
}

cases! { convolutions:
    conv2d: Conv2d::filters(3, 3);
    conv2d_without_bias: Conv2d::filters(3, [2, 3]).bias(false);
    conv2d_same: Conv2d::filters(3, [3, 5]).padding(Padding::Same);
    conv2d_same_even: Conv2d::filters(3, [2, 4]).padding(Padding::Same);
    conv2d_same_dilated: Conv2d::filters(3, [3, 2]).padding(Padding::Same).dilation([2, 3]);
    conv2d_same_strided: Conv2d::filters(3, 3).padding(Padding::Same).stride([2, 3]);
    conv2d_same_uneven: Conv2d::filters(3, 3).padding(Padding::Same).stride(2);
    conv2d_strided: Conv2d::filters(4, 3).stride([2, 3]).padding([1, 2]);
    conv2d_far: Conv2d::filters(2, 1).stride(5);
    conv2d_dilated: Conv2d::filters(2, 2).dilation([3, 2]).padding(1).stride(2);
    conv2d_groups: Conv2d::filters(6, 3).groups(2).padding(1);
    conv2d_depthwise: Conv2d::depthwise(1, [3, 2]).padding(1).stride(2);
    conv2d_depthwise_twice: Conv2d::depthwise(2, 3);
    conv2d_pointwise: Conv2d::filters(3, 1);
    conv2d_whole: Conv2d::filters(5, [9, 5]);
    conv2d_long_rows: Conv2d::filters(2, 3).padding(1);
    conv1d: Conv1d::filters(3, 4);
    conv1d_same: Conv1d::filters(3, 4).padding(Padding::Same).dilation(2);
    conv1d_strided: Conv1d::filters(4, 3).stride(2).padding(2).groups(2);
    conv1d_depthwise: Conv1d::depthwise(1, 3).bias(false);
}

cases! { pools:
    max_pool2d: MaxPool2d::window(2);
    max_pool2d_ties: MaxPool2d::window(2);
    max_pool2d_three: MaxPool2d::window(3);
    max_pool2d_overlapping: MaxPool2d::window(3).stride([1, 2]).padding(1);
    max_pool2d_gaps: MaxPool2d::window([2, 1]).stride(3);
    max_pool2d_wide: MaxPool2d::window([1, 5]).stride([2, 1]).padding([0, 2]);
    max_pool1d: MaxPool1d::window(2);
    max_pool1d_padded: MaxPool1d::window(3).stride(2).padding(1);
    avg_pool2d: AvgPool2d::window(2);
    avg_pool2d_padded: AvgPool2d::window([3, 2]).stride([2, 1]).padding(1);
    avg_pool2d_without_pad: AvgPool2d::window([3, 2]).stride([2, 1]).padding(1).count_padding(false);
    avg_pool1d: AvgPool1d::window(2);
    avg_pool1d_padded: AvgPool1d::window(4).stride(3).padding(2);
    global_avg_pool: GlobalAvgPool;
    global_max_pool: GlobalMaxPool;
    global_avg_pool_of_sequences: GlobalAvgPool;
    adaptive_avg_pool2d: AdaptiveAvgPool2d::to([3, 4]);
    adaptive_avg_pool2d_larger: AdaptiveAvgPool2d::to([9, 2]);
    zero_pad2d: ZeroPad2d::by(2);
    zero_pad2d_each: ZeroPad2d::sides([1, 2], [3, 0]);
    upsample: Upsample::by(2);
    upsample_each: Upsample::by([3, 1]);
}
