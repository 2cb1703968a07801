//! Finite differences and tolerances.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::erased::{CacheSlot, ErasedLayer, Mode};
use crate::param::{Gradient, Param};
use crate::random::RandomStream;
use crate::tensor::{Tensor, slice};

/// The maximum number of values of an array that are compared with finite differences.
///
/// Each costs two forward passes; a Dense layer of 784 by 128 would need 200,000 of them.
const MOST_DIFFERENCES: usize = 64;

/// The tolerance of `|found - difference| <= absolute + relative · |difference|`.
struct Tolerance {
    step: f64,
    absolute: f64,
    relative: f64,
}

/// Returns the output of a clone of the layer in training, and its cache.
pub(super) fn trained<F: Scalar>(layer: &dyn ErasedLayer<F>, x: Tensor<F>) -> Result<(Tensor<F>, CacheSlot)> {
    let mut cache = None;
    let output = layer.erased_clone().erased_forward_in(Mode::Train, x, &mut cache)?;
    Ok((output, cache))
}

/// Returns values between 0.1 and 1 in magnitude, of both signs.
///
/// None is below 0.1, so that a step of the differences cannot cross 0.
pub(super) fn random_tensor<F: Scalar>(shape: &[usize], draws: &mut RandomStream) -> Tensor<F> {
    Tensor::from_shape_simple_fn(shape, || {
        let v = draws.uniform(0.1, 1.0);
        F::of(if draws.below(2) == 0 { v } else { -v })
    })
}

/// Returns all positions, or a random selection if there are many.
pub(super) fn chosen(len: usize, draws: &mut RandomStream) -> Vec<usize> {
    let mut all: Vec<usize> = (0..len).collect();
    if len > MOST_DIFFERENCES {
        draws.shuffle(&mut all);
        all.truncate(MOST_DIFFERENCES);
    }
    all
}

/// Selects by name, as there are two element types and the trait is sealed.
fn tolerance<F: Scalar>() -> Tolerance {
    if F::NAME == "f64" {
        Tolerance { step: 1e-6, absolute: 1e-5, relative: 1e-3 }
    } else {
        Tolerance { step: 4e-3, absolute: 2e-2, relative: 2e-2 }
    }
}

/// Returns the central difference `(f(v + h) - f(v - h)) / 2h`, with the step `h` as rounded to the type.
///
/// `v + h` is rounded; dividing by the actual distance of the two points removes that error.
pub(super) fn central<F: Scalar>(v: F, mut f: impl FnMut(F) -> Result<f64>) -> Result<f64> {
    let h = F::of(tolerance::<F>().step);
    let (up, down) = (v + h, v - h);
    Ok((f(up)? - f(down)?) / (up.as_f64() - down.as_f64()))
}

/// Compares a gradient with a difference. A NaN on either side fails, since it compares false.
pub(super) fn compare<F: Scalar>(what: &str, found: f64, expected: f64) -> Result<()> {
    let Tolerance { absolute, relative, .. } = tolerance::<F>();
    if (found - expected).abs() <= absolute + relative * expected.abs() {
        return Ok(());
    }
    if !expected.is_finite() {
        return Err(Error::data(what, "be computed where the function is finite", "a place where it is not")
            .help("Give the check numbers where the function is defined."));
    }
    Err(Error::data(what, format!("be {expected:.6}, by finite differences"), format!("{found:.6}")).help(
        "Check the formula of the derivative; where the function has a kink, give numbers away from it.",
    ))
}

/// Checks that two tensors are equal up to rounding.
///
/// The tolerance is `64 · ε · (1 + |expected|)`, and NaN equals NaN. It is not bit for bit: a layer may add in another
/// order in training.
pub(super) fn same<F: Scalar>(what: &str, found: &Tensor<F>, expected: &Tensor<F>) -> Result<()> {
    if found.shape() != expected.shape() {
        return Err(Error::shape(what, format!("{:?}", expected.shape()), found.shape())
            .help("The forward passes must agree with each other."));
    }
    let epsilon = F::epsilon() * F::of(64.0);
    for (i, (&a, &b)) in slice(found).iter().zip(slice(expected)).enumerate() {
        let close = (a - b).abs() <= epsilon * (F::one() + b.abs()) || (a.is_nan() && b.is_nan());
        if !close {
            return Err(Error::data(format!("number {i} of {what}"), format!("be {b}"), a)
                .help("If it cannot be so by the layer's nature, declare an `Exemption`."));
        }
    }
    Ok(())
}

/// Checks the names of parameters, by which an optimizer's state and saved freezing find them.
pub(super) fn names<F: Scalar>(layer: &mut dyn ErasedLayer<F>) -> Result<()> {
    let (mut shared, mut exclusive) = (Vec::new(), Vec::new());
    layer.erased_visit(&mut |name, param| shared.push((name.to_owned(), param.len())));
    layer.erased_visit_mut(&mut |name, param| exclusive.push((name.to_owned(), param.len())));
    let mut unique: Vec<&String> = shared.iter().map(|(name, _)| name).collect();
    unique.sort();
    unique.dedup();
    if shared != exclusive || unique.len() != shared.len() {
        let found = format!("{shared:?} and {exclusive:?}");
        return Err(Error::data(
            "`visit_params` and `visit_params_mut`",
            "have the same names, each once",
            found,
        )
        .help("Both must show every parameter and buffer, in one order."));
    }
    Ok(())
}

/// Returns the gradient of each trainable parameter in dense form; zeros if it has none.
pub(super) fn gradients_of<F: Scalar>(layer: &dyn ErasedLayer<F>) -> Vec<(String, Vec<f64>)> {
    let mut all = Vec::new();
    layer.erased_visit(&mut |name, param| {
        if param.is_trainable() {
            all.push((name.to_owned(), written_out(param)));
        }
    });
    all
}

/// Converts a gradient to dense form, so that one by rows can be compared value by value.
pub(super) fn written_out<F: Scalar>(param: &Param<F>) -> Vec<f64> {
    let mut out = vec![0.0; param.len()];
    match param.gradient() {
        Some(Gradient::Dense(gradient)) => {
            out.iter_mut().zip(slice(gradient)).for_each(|(out, g)| *out = g.as_f64());
        }
        Some(Gradient::Rows { ids, values }) => {
            let columns = values.len() / ids.len().max(1);
            for (id, row) in ids.iter().zip(values.chunks_exact(columns.max(1))) {
                out[id * columns..].iter_mut().zip(row).for_each(|(out, g)| *out += g.as_f64());
            }
        }
        None => {}
    }
    out
}

/// Reads a value through `visit_params`, because a layer's fields are private.
pub(super) fn value_of<F: Scalar>(layer: &dyn ErasedLayer<F>, name: &str, i: usize) -> F {
    let mut value = F::nan();
    layer.erased_visit(&mut |other, param| {
        if other == name {
            value = param.as_slice()[i];
        }
    });
    value
}

/// Returns the loss whose gradient is checked: a combination of the outputs with these weights.
pub(super) fn weighted<F: Scalar>(y: &Tensor<F>, weights: &Tensor<F>) -> f64 {
    slice(y).iter().zip(slice(weights)).map(|(y, w)| y.as_f64() * w.as_f64()).sum()
}

/// Compares a gradient at the input with differences of `loss`.
pub(super) fn at_input<F: Scalar>(
    what: &str,
    x: &Tensor<F>,
    dx: &Tensor<F>,
    draws: &mut RandomStream,
    loss: impl Fn(Tensor<F>) -> Result<f64>,
) -> Result<()> {
    let found: Vec<f64> = slice(dx).iter().map(|g| g.as_f64()).collect();
    at_numbers(what, x, &found, draws, loss)
}

/// Compares the gradient at the numbers of an array with differences of `loss`.
pub(super) fn at_numbers<F: Scalar>(
    what: &str,
    x: &Tensor<F>,
    found: &[f64],
    draws: &mut RandomStream,
    loss: impl Fn(Tensor<F>) -> Result<f64>,
) -> Result<()> {
    for i in chosen(x.len(), draws) {
        let difference = central(slice(x)[i], |v| {
            let mut moved = x.clone();
            moved.as_slice_mut().expect("standard layout")[i] = v;
            loss(moved)
        })?;
        compare::<F>(&format!("the gradient at number {i} of {what}"), found[i], difference)?;
    }
    Ok(())
}

/// Moves the parameters away from special initial values: a bias of 0, a scale of 1.
pub(super) fn move_parameters<F: Scalar>(layer: &mut dyn ErasedLayer<F>, draws: &mut RandomStream) {
    layer.erased_visit_mut(&mut |_, param| {
        if param.is_trainable() {
            param.as_slice_mut().iter_mut().for_each(|v| *v += F::of(draws.uniform(-0.2, 0.2)));
        }
    });
}

/// Checks an output of a layer that was saved and loaded.
pub(super) fn same_bits<F: Scalar>(again: &Tensor<F>, y: &Tensor<F>) -> Result<()> {
    if slice(again) == slice(y) || slice(y).iter().any(|v| v.is_nan()) {
        return Ok(());
    }
    Err(Error::custom("the layer must compute the same bits after saving and loading, got others")
        .help("Every field that the forward pass looks at must be serialized."))
}
