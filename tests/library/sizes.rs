//! Claimed sizes: no memory is allocated for them, and nothing overflows.

use crate::numbers::silent;
use ndarray::{Array2, arr1};
use plywood::evaluate;
use plywood::metrics::ConfusionMatrix;
use plywood::nn::{GradientMut, Param, SequentialBuilder};
use plywood::prelude::*;
use plywood::train::History;

/// An axis of a batch far larger than memory; the batch has no values because another axis is 0.
const HUGE: usize = 1 << 60;

#[test]
fn shapes_that_no_memory_holds_are_errors_when_a_model_is_built() {
    let text = |builder: SequentialBuilder| builder.build().unwrap_err().to_string();
    let doubled = (0..60).fold(Sequential::builder([1 << 4]), |model, _| {
        model.layer(Concat::of([Sequential::block(), Sequential::block()]))
    });
    for error in [
        text(doubled),
        text(Sequential::builder([HUGE]).layer(Embedding::vocabulary(2, 1 << 3))),
        text(Sequential::builder([usize::MAX, 2])),
        text(Sequential::builder([1; 33])),
        text(Sequential::builder([1]).layer(Reshape::to([1; 100_000])).layer(ReLU)),
    ] {
        assert!(error.contains("must") && error.len() < 1000, "{error}");
    }
}

#[test]
fn predict_looks_at_the_input_first() {
    let mut model = Sequential::builder([1 << 40]).build().unwrap();
    let text = model.predict(&Array2::<f32>::zeros((1, 784))).unwrap_err().to_string();
    assert!(text.contains("the input must have shape [batch, 1099511627776], got [1, 784]"), "{text}");
    let none = Array2::<f32>::zeros((0, 784));
    assert!(model.predict(&none).is_err() && model.predict_classes(&none).is_err());
    let mut out = Array2::zeros((1, 784));
    assert!(model.predict_into(&Array2::<f32>::zeros((1, 784)), &mut out).is_err());
    let mut trainer = silent(MeanSquaredError, SGD::default());
    assert!(
        trainer.step(&mut model, Tensor::zeros(vec![1, 784]), &Tensor::zeros(vec![1, 784]), None).is_err()
    );
}

#[test]
fn a_matrix_of_too_many_classes_is_an_error() {
    let text = ConfusionMatrix::new(1 << 20, &[0], &[0]).unwrap_err().to_string();
    assert!(
        text.contains("the number of classes must be from 1 to 8192") && text.contains("got 1048576"),
        "{text}"
    );
    let model = Sequential::builder([1]).layer(Dense::units(200_000)).layer(Softmax).build().unwrap();
    let data = ArrayDataset::new(Array2::<f32>::zeros((2, 1)), vec![0, 1]).unwrap();
    for text in [
        evaluate::confusion_matrix(&model, &data).unwrap_err().to_string(),
        evaluate::classification_report(&model, &data).unwrap_err().to_string(),
        evaluate::error_analysis(&model, &data).unwrap_err().to_string(),
    ] {
        assert!(text.starts_with("evaluate: the number of classes must be from 1 to 8192"), "{text}");
    }
}

#[test]
fn what_is_shown_is_cut_to_a_width() {
    let long = "n".repeat(70_000);
    let model = Sequential::builder([1; 32]).build().unwrap();
    assert!(model.to_string().len() < 10_000);
    let matrix = ConfusionMatrix::new(2, &[0, 1], &[0, 1]).unwrap().with_class_names([&long, "cat"]);
    for text in [matrix.to_string(), matrix.report().to_string()] {
        assert!(text.len() < 10_000 && text.contains('…'), "{}", &text[..200]);
    }
    let data = ArrayDataset::new(Array2::<f32>::zeros((4, 1)), vec![0, 1, 0, 1]).unwrap();
    let mut model = Sequential::builder([1]).layer(Dense::units(2)).layer(Softmax).build().unwrap();
    let mut trainer =
        silent(CrossEntropy::default(), SGD::default()).metric(Accuracy::default()).batch_size(4);
    let json = serde_json::to_string(&trainer.fit(&mut model, &data).unwrap()).unwrap();
    let history: History = serde_json::from_str(&json.replace("accuracy", &long)).unwrap();
    assert!(history.get(&long).len() == 1 && history.to_string().len() < 10_000);
}

/// The gradient is a view: its shape and its rows cannot be changed.
#[test]
fn a_gradient_is_handed_out_to_be_changed_in_its_numbers_alone() {
    let mut weight = Param::new(arr1(&[1.0f32, 1.0]));
    weight.add_gradient(&arr1(&[10.0, -10.0]).into_dyn()).unwrap();
    let Some((_, GradientMut::Dense(mut gradient))) = weight.value_and_gradient() else { unreachable!() };
    gradient.fill(2.0);
    let mut model_of_one = Optimizer::new(SGD::default()).learning_rate(0.25);
    let mut layer = Sequential::builder([1]).layer(Dense::units(1)).build().unwrap();
    layer.visit_params_mut(&mut |_, param| param.add_gradient(&Tensor::ones(param.shape())).unwrap());
    layer.visit_params_mut(&mut |_, param| {
        if let Some((mut value, GradientMut::Dense(mut gradient))) = param.value_and_gradient() {
            value.fill(0.0);
            gradient.fill(4.0);
        }
    });
    model_of_one.step(&mut layer).unwrap();
    layer.visit_params(&mut |name, param| assert_eq!(param.as_slice(), [-1.0], "{name}"));
}

/// The error names the value that is too large. It does not claim that a window is larger than an input whose size has
/// overflowed.
#[test]
fn windows_strides_dilations_and_paddings_beyond_all_bounds_are_named() {
    let text = |layer: Result<Sequential>| layer.unwrap_err().to_string();
    let image = || Sequential::builder([1, 8, 8]);
    let sequence = || Sequential::builder([1, 8]);
    for n in [usize::MAX, usize::MAX / 2, (1 << 62) + 1, 1 << 60] {
        let conv = || Conv2d::filters(2, 3);
        for (what, axes, built) in [
            ("conv2d: the window", 2, image().layer(Conv2d::filters(2, n)).build()),
            ("conv2d: the stride", 2, image().layer(conv().stride(n)).build()),
            ("conv2d: the stride", 2, image().layer(conv().stride(n).padding(Padding::Same)).build()),
            ("conv2d: the dilation", 2, image().layer(conv().dilation(n).padding(Padding::Same)).build()),
            ("conv2d: the padding", 2, image().layer(conv().padding(n)).build()),
            ("conv1d: the padding", 1, sequence().layer(Conv1d::filters(2, 3).padding(n)).build()),
            ("avg_pool2d: the window", 2, image().layer(AvgPool2d::window(n).padding(n / 2)).build()),
            ("avg_pool2d: the stride", 2, image().layer(AvgPool2d::window(2).stride(n)).build()),
            ("max_pool2d: the window", 2, image().layer(MaxPool2d::window(n)).build()),
        ] {
            let (layer, name) = what.split_once(": ").unwrap();
            let found = if axes == 2 { format!("[{n}, {n}]") } else { format!("[0, {n}]") };
            assert_eq!(
                text(built),
                format!(
                    "layer 0 ({layer}): {name} must be at most {} along each axis, got {found}. Use a number that \
                     suits the input; this one may result from a difference below 0.",
                    isize::MAX as usize / 32
                )
            );
        }
    }
    // A window that is only too large for the input is compared with the input.
    let found = text(image().layer(Conv2d::filters(2, 1 << 40)).build());
    assert!(found.contains("no larger than its input with padding, [8, 8]"), "{found}");
}
