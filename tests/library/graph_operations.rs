//! Operations of graphs: what they refuse, what becomes of lengths, and where they must agree with layers.

use plywood::ndarray::{Array1, Array2, Array4, arr1, arr2, arr3};
use plywood::nn::{Average, Graph, GraphBuilder, OutputActivation, ResizeMode, Value};
use plywood::prelude::*;

/// The error of a graph that cannot be built.
fn text(make: impl for<'g> Fn(&'g GraphBuilder, Value<'g>) -> Value<'g>, sizes: &[usize]) -> String {
    let g = Graph::builder();
    let y = make(&g, g.input("x", sizes));
    g.output("y", y);
    g.build().map(drop).unwrap_err().to_string()
}

/// The outputs of a graph of one input.
fn outputs<D: plywood::ndarray::Dimension>(
    x: &plywood::ndarray::Array<f32, D>,
    make: impl for<'g> Fn(&'g GraphBuilder, Value<'g>) -> Value<'g>,
) -> Tensor {
    let g = Graph::builder();
    let y = make(&g, g.input("x", &x.shape()[1..]));
    g.output("y", y);
    let model = g.build().unwrap();
    let loaded = Registry::builtin().from_bytes(&model.to_bytes().unwrap()).unwrap();
    let y = model.predict(x).unwrap();
    assert_eq!(loaded.predict(x).unwrap().map(|y| y.to_bits()), y.map(|y| y.to_bits()), "saved and loaded");
    y
}

type Make = for<'g> fn(&'g GraphBuilder, Value<'g>) -> Value<'g>;

#[test]
fn fields_that_fit_no_value_are_sentences() {
    let all: [(Make, &str); 17] = [
        (
            |_, x| x.softmax(0),
            "softmax, : `axis` must be an axis of [batch, 3, 4] other than the batch axis, got 0.",
        ),
        (
            |_, x| x.log_softmax(3),
            "log_softmax, : `axis` must be an axis of [batch, 3, 4] other than the batch axis, got 3.",
        ),
        (
            |_, x| x.cumsum(-4),
            "cumsum, : `axis` must be an axis of [batch, 3, 4] other than the batch axis, got -4.",
        ),
        (
            |_, x| x.argmax(0),
            "argmax, : `axis` must be an axis of [batch, 3, 4] other than the batch axis, got 0.",
        ),
        (|_, x| x.min(9), "min, : `axis` must be an axis of [batch, 3, 4] other than the batch axis, got 9."),
        (
            |_, x| x.flip(isize::MIN),
            "flip, : `axis` must be an axis of [batch, 3, 4] other than the batch axis, got -9223372036854775808.",
        ),
        (
            |_, x| x.pad(1, usize::MAX, 1, 0.0),
            "pad, : the value must have shape […] with sizes of at least 1, at most 2147483648 numbers",
        ),
        (
            |_, x| x.pad(1, 1, 1, f64::NAN),
            "pad, : the number of pad must be a number that f32 holds, got NaN.",
        ),
        (|_, x| x.tile(1, 0), "tile, : `times` must be at least 1, got 0. 1 leaves the axis as it is."),
        (
            |_, x| x.tile(1, usize::MAX),
            "tile, : the value must have shape […] with sizes of at least 1, at most 2147483648 numbers",
        ),
        (
            |_, x| x.expand([3, 8]),
            "expand, : `sizes` must be sizes to which [batch, 3, 4] broadcasts, got [3, 8]. Give the sizes of one sample, without the batch axis: an axis of 1 is repeated, others keep their size, and so does any for which -1 stands.",
        ),
        (|_, x| x.expand([4]), "expand, : `sizes` must be sizes to which [batch, 3, 4] broadcasts, got [4]."),
        (
            |_, x| x.expand([-1, 3, 4]),
            "expand, : `sizes` must be sizes to which [batch, 3, 4] broadcasts, got [-1, 3, 4].",
        ),
        (|_, x| x.one_hot(0), "one_hot, : `classes` must be at least 1, got 0. Ids are integers below it."),
        (
            |_, x| x.resize([2, 2], ResizeMode::Nearest),
            "resize, : the value must be images, [batch, channels, rows, columns], got shape [batch, 3, 4]. Bring it into this form with `reshape` and `permute`.",
        ),
        (
            |_, x| x.reshape([1, 3, 4]).resize([0, 2], ResizeMode::Bilinear),
            "resize, : `sizes` must be at least 1 each, got [0, 2]. They are the rows and columns of the result.",
        ),
        (
            |g, x| x * g.param("w", [1 << 25], Initializer::Zeros).argmax(0),
            "argmax, : the size of axis 0 must be at most 16777216, as positions are numbers in f32, got 33554432. Split the axis into two with `reshape`.",
        ),
    ];
    for (make, expected) in all {
        let error = text(make, &[3, 4]);
        let (name, rest) = expected.split_once(": ").unwrap();
        assert!(error.starts_with(&format!("{name}tests/library/graph_operations.rs:")), "{error}");
        assert!(error.contains(rest), "{error}\n{rest}");
    }
}

#[test]
fn numbers_are_operands_if_the_type_holds_them() {
    for (make, found) in [
        (
            (|_, x| x.maximum(f64::NAN)) as Make,
            "the number of maximum must be a number that f32 holds, got NaN.",
        ),
        (|_, x| x.less_equal(1e300), "the number of less_equal must be a number that f32 holds, got 1000"),
        (|_, x| x.where_cond(x, -1e300), "the number of where must be a number that f32 holds, got -1000"),
    ] {
        let error = text(make, &[2]);
        assert!(error.contains(found) && error.contains("graph_operations.rs:"), "{error}");
    }
    let x = arr2(&[[-1.0, 0.0, 2.0, f32::NAN]]);
    let masked = outputs(&x, |_, x| x.greater(0).where_cond(x, f64::NEG_INFINITY));
    let low = f32::NEG_INFINITY;
    assert_eq!(masked, arr2(&[[low, low, 2.0, low]]).into_dyn());
    assert_eq!(outputs(&x, |_, x| x.not_equal(0) - x.equal(2)), arr2(&[[1.0, 0.0, 0.0, 1.0]]).into_dyn());
    assert_eq!(outputs(&x, |_, x| x.logical_not()), arr2(&[[0.0, 1.0, 0.0, 0.0]]).into_dyn());
    // They become part of the program that they are in.
    let g = Graph::builder();
    let x = g.input("x", [3]);
    g.output("y", (x.maximum(0.0) * 2.0).minimum(6).exp());
    let text = g.build().unwrap().to_string();
    assert!(text.contains("constant"), "{text}");
}

/// A constant that nobody reads is left out of the check, and hides no parameter that nobody reads.
#[test]
fn a_parameter_behind_an_unread_constant_is_found() {
    let error = text(
        |g, x| {
            let _ = x.maximum(0.5);
            g.param("w", [2], Initializer::Zeros);
            x
        },
        &[2],
    );
    assert!(error.starts_with("the parameter \"w\" must be read by an output"), "{error}");
}

#[test]
fn ids_that_are_no_classes_are_errors_of_the_sample() {
    let g = Graph::builder();
    g.output("y", g.input("x", [2]).one_hot(3));
    let model = g.build().unwrap();
    assert_eq!(
        model.predict(&arr2(&[[0.0, 2.0]])).unwrap(),
        arr3(&[[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]]).into_dyn()
    );
    let error = model.predict(&arr2(&[[0.0, 1.0], [3.0, 0.0]])).unwrap_err().to_string();
    assert_eq!(
        error,
        "predict, operation one_hot: an id of sample 1 must be an integer from 0 to 2, below the number of \
         classes, got 3. Count the classes from 0, or give more of them."
    );
    for bad in [-1.0, 0.5, f32::NAN, f32::INFINITY] {
        assert!(model.predict(&arr2(&[[0.0, bad]])).is_err(), "{bad}");
    }
}

/// `[batch, 4, 3]`, with lengths.
fn steps(g: &GraphBuilder) -> Value<'_> {
    g.input("x", [4, 3]).with_lengths(g.input("lengths", []))
}

#[test]
fn what_mixes_steps_is_refused_and_what_keeps_them_is_not() {
    type Of = for<'g> fn(Value<'g>) -> Value<'g>;
    let mixed: [Of; 10] = [
        |x| x.softmax(1),
        |x| x.log_softmax(-2),
        |x| x.cumsum(1),
        |x| x.argmax(1),
        |x| x.pad(1, 1, 0, 0.0),
        |x| x.tile(1, 2),
        |x| x.flip(1),
        |x| x.expand([2, 4, 3]),
        |x| x.reshape([4, 1, 3]).resize([1, 3], ResizeMode::Nearest).reshape([3, 4]),
        |x| x.flip(-2).sum(1),
    ];
    for (i, make) in mixed.into_iter().enumerate() {
        let g = Graph::builder();
        g.output("y", make(steps(&g)));
        let error = g.build().map(drop).unwrap_err().to_string();
        assert!(error.contains("must have no padding, as its steps would be mixed"), "{i}: {error}");
    }
    let kept: [Of; 11] = [
        |x| x.softmax(-1),
        |x| x.log_softmax(2),
        |x| x.cumsum(-1),
        |x| x.argmax(-1),
        |x| x.pad(-1, 1, 0, 0.0),
        |x| x.tile(2, 2),
        |x| x.flip(2),
        |x| x.expand([-1, 3]),
        |x| x.maximum(0.0).greater_equal(1).where_cond(x, 0),
        |x| x.argmax(-1).one_hot(3),
        |x| x.erf().floor().sin(),
    ];
    for (i, make) in kept.into_iter().enumerate() {
        let g = Graph::builder();
        let y = make(steps(&g));
        assert!(y.lengths().is_some(), "{i}");
        g.output("y", if y.shape().len() > 1 { y.min(1).prod(-1) } else { y.prod(1) });
        g.build().map(drop).unwrap_or_else(|error| panic!("{i}: {error}"));
    }
}

#[test]
fn reductions_over_steps_leave_padding_out() {
    let g = Graph::builder();
    let x = steps(&g);
    g.output("min", x.min(1));
    g.output("prod", x.prod_keepdim(1));
    let model = g.build().unwrap();
    let x =
        plywood::ndarray::Array3::from_shape_fn((3, 4, 3), |(i, j, k)| (2 + i + j * 3 + k * 2) as f32 / 2.0);
    let mut found = [None, None];
    let lengths = arr1(&[2.0f32, 0.0, 4.0]);
    model
        .infer(
            &mut [Some(x.view().into_dyn().into()), Some(lengths.view().into_dyn().into())],
            &[false; 2],
            &mut found,
        )
        .unwrap();
    let [min, prod] = found.map(|y| y.unwrap().into_owned());
    assert_eq!(min, arr2(&[[1.0, 2.0, 3.0], [0.0; 3], [2.0, 3.0, 4.0]]).into_dyn());
    assert_eq!(
        prod.index_axis(plywood::ndarray::Axis(0), 0).iter().copied().collect::<Vec<_>>(),
        [2.5, 7.0, 13.5]
    );
    assert!(prod.index_axis(plywood::ndarray::Axis(0), 1).iter().all(|&y| y == 1.0), "the product of none");
}

#[test]
fn they_agree_with_the_layers_of_the_same_name() {
    let x = Array1::linspace(-6.0f64, 6.0, 241).insert_axis(plywood::ndarray::Axis(0));
    let g = Graph::<f64>::builder_of();
    let v = g.input("x", [241]);
    g.output("y", 0.5 * v * (1.0 + (v / 2f64.sqrt()).erf()));
    let gelu = GELU::default().forward(x.clone().into_dyn()).unwrap();
    let found = g.build().unwrap().predict(&x).unwrap();
    assert!((found - gelu).iter().all(|d| d.abs() < 2e-15));

    let image = Array4::from_shape_fn((2, 3, 4, 5), |(i, j, k, l)| ((i * 7 + j * 5 + k * 3 + l) % 11) as f32);
    let large = Upsample::by([3, 2]).forward(image.clone().into_dyn()).unwrap();
    assert_eq!(outputs(&image, |_, x| x.resize([12, 10], ResizeMode::Nearest)), large);
    for mode in [ResizeMode::Nearest, ResizeMode::Bilinear] {
        assert_eq!(outputs(&image, |_, x| x.resize([4, 5], mode)), image.clone().into_dyn(), "the same size");
    }

    let rows = Array2::from_shape_fn((3, 5), |(i, j)| (i as f32 - 1.0) * (j as f32));
    let log = LogSoftmax.forward(rows.clone().into_dyn()).unwrap();
    assert_eq!(outputs(&rows, |_, x| x.log_softmax(1)), log);
    assert_eq!(outputs(&rows, |_, x| x.log_softmax(-1)), log);
    // Over another axis a row has the same bits.
    let turned = outputs(&rows, |_, x| x.reshape([5, 1]).concat(&[x.reshape([5, 1])], -1).log_softmax(1));
    assert_eq!(turned.index_axis(plywood::ndarray::Axis(2), 1), log);
}

/// A loss leaves a softmax over the last axis out, however the axis is written, and no other.
#[test]
fn only_a_softmax_over_the_last_axis_is_left_out() {
    let of = |sizes: &[usize], axis: isize, log: bool| {
        let g = Graph::builder();
        let x = g.input("x", sizes);
        g.output("y", if log { x.log_softmax(axis) } else { x.softmax(axis) });
        let model = g.build().unwrap();
        (model.final_activation(0), model.known_values(0))
    };
    use OutputActivation::{LogSoftmax, Softmax, Unknown};
    assert_eq!(of(&[3], -1, false), (Softmax, Softmax));
    assert_eq!(of(&[3], 1, false), (Softmax, Softmax));
    assert_eq!(of(&[2, 3], 2, false), (Softmax, Softmax));
    assert_eq!(of(&[2, 3], 1, false), (Unknown, Unknown));
    assert_eq!(of(&[2, 3], -2, false), (Unknown, Unknown));
    assert_eq!(of(&[3], 1, true), (Unknown, LogSoftmax));
    assert_eq!(of(&[2, 3], 1, true), (Unknown, Unknown));
}

/// NaN, and numbers that are equal.
#[test]
fn nan_and_ties() {
    let nan = f32::NAN;
    let x = arr2(&[[1.0, nan, 3.0, nan], [2.0, 5.0, 5.0, 2.0]]);
    assert_eq!(outputs(&x, |_, x| x.argmax(-1)), arr1(&[1.0, 1.0]).into_dyn());
    assert!(outputs(&x, |_, x| x.min(-1))[0].is_nan() && outputs(&x, |_, x| x.prod(-1))[0].is_nan());
    let sums = outputs(&x, |_, x| x.cumsum(-1));
    assert_eq!(sums[[0, 0]], 1.0);
    assert!(sums.iter().skip(1).take(3).all(|y| y.is_nan()));
    for make in [
        (|_, x| x.erf()) as Make,
        |_, x| x.round(),
        |_, x| x.sign(),
        |_, x| x.sin(),
        |_, x| x.maximum(0),
        |_, x| x.minimum(9.0),
    ] {
        let y = outputs(&x, make);
        assert!(y.iter().zip(&x).all(|(y, x)| y.is_nan() == x.is_nan()), "{y}");
    }
    // Of equal ones the first gets the gradient.
    for (make, expected) in
        [((|_, x| x.min(-1)) as Make, [1.0, 0.0, 0.0, 0.0]), (|_, x| x.max(-1), [0.0, 1.0, 0.0, 0.0])]
    {
        let g = Graph::builder();
        let y = make(&g, g.input("x", [4]));
        g.output("y", y);
        let mut model = g.build().unwrap();
        let (_, cache) = model.forward_train(arr2(&[[2.0, 5.0, 5.0, 2.0]]).into_dyn()).unwrap();
        assert_eq!(model.backward(cache, arr1(&[1.0]).into_dyn()).unwrap(), arr2(&[expected]).into_dyn());
    }
}

#[test]
fn branches_that_are_joined_number_by_number() {
    let block = Sequential::<f32>::block;
    let dense = |units| block().layer(Dense::units(units));
    let error = |builder: plywood::nn::SequentialBuilder| builder.build().map(drop).unwrap_err().to_string();
    let row = || Sequential::builder([4]);
    assert_eq!(
        error(row().layer(Average::of([dense(4), dense(3)]))),
        "layer 0 (average): the output of branch 1 must have shape [4], got [3]. Numbers are averaged one by one; give \
         all branches one shape, or join them with `Concat`."
    );
    assert_eq!(
        error(row().layer(Maximum::of([dense(4), block(), dense(3)]))),
        "layer 0 (maximum): the output of branch 2 must broadcast with [4]: sizes equal, or 1, from the last axis on, \
         got [3]. Give the branches such shapes, with `Reshape`, or join them with `Concat`."
    );
    for none in [error(row().layer(Product::of([]))), error(row().layer(Maximum::of([])))] {
        assert!(none.contains("the number of branches must be at least 1, got 0."), "{none}");
    }
    let y = |builder: plywood::nn::SequentialBuilder| builder.build().unwrap();
    let x = arr2(&[[1.0, -2.0, 0.5, f32::NAN]]);
    let model = y(row().layer(Product::of([block(), block().layer(Graph::layer("half", |_, x| x / 2))])));
    let found = model.predict(&x).unwrap();
    assert_eq!(found.as_slice().unwrap()[..3], [0.5, 2.0, 0.125]);
    assert!(found[[0, 3]].is_nan());
    let model = y(row().layer(Maximum::of([block(), block().layer(Graph::layer("half", |_, x| x / 2))])));
    let found = model.predict(&x).unwrap();
    assert_eq!(found.as_slice().unwrap()[..3], [1.0, -1.0, 0.5]);
    assert!(found[[0, 3]].is_nan());

    // What is known of the outputs: a mean of distributions is one, a product of probabilities is within 0 and 1.
    let known = |model: Sequential| model.known_values(0);
    let soft = || dense(3).layer(Softmax);
    assert_eq!(known(y(row().layer(Average::of([soft(), soft()])))), OutputActivation::Softmax);
    assert_eq!(known(y(row().layer(Product::of([soft(), soft()])))), OutputActivation::UnitInterval);
    assert_eq!(known(y(row().layer(Maximum::of([soft(), soft()])))), OutputActivation::Unknown);
    assert_eq!(known(y(row().layer(Product::of([soft(), dense(3)])))), OutputActivation::Linear);
    let model = y(row().layer(Average::of([soft(), soft()])));
    assert_eq!(model.final_activation(0), OutputActivation::Unknown, "no loss leaves it out");

    // Steps: each output must have them as its first axis, not only by broadcasting.
    let words = || Sequential::builder([6]).layer(Embedding::vocabulary(9, 6).padding(0));
    let gate = || block().layer(Dense::units(1)).layer(Sigmoid);
    let model = y(words().layer(Product::of([block(), gate()])).layer(PoolSteps::mean()));
    assert_eq!(model.output_shape(), [6]);
    let flat = || block().layer(Dense::units(1)).layer(Graph::layer("flat", |_, x| x.sum(-1)));
    let error = error(words().layer(Product::of([block(), flat()])).layer(PoolSteps::mean()));
    assert!(error.contains("layer 1 (product)") && error.contains("its steps would be mixed"), "{error}");
}
