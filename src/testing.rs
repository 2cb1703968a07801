//! Checks for layers, the crate's own and yours: [`check_layer`].
//!
//! A wrong derivative does not crash. It trains a little worse, and looks like a bad learning rate. [`LayerCheck`]
//! finds it by the definition of the derivative, with the loss `L = Σ c_i · y_i` for random `c`:
//!
//! ```text
//! ∂L/∂x_i  ≈  (L(x_i + h) - L(x_i - h)) / 2h
//! ```
//!
//! The error of the central difference has two parts. What the Taylor series leaves over is `h² / 6 · L‴`; what
//! rounding adds is about `ε · |L| / h`. Their sum is least near `h = ε^⅓`: 6e-6 in `f64` and 5e-3 in `f32`, and the
//! steps here are of that size.
//!
//! | | `f64` | `f32` |
//! |---|---|---|
//! | `h` | 1e-6 | 4e-3 |
//! | allowed, absolute | 1e-5 | 2e-2 |
//! | allowed, relative | 1e-3 | 2e-2 |
//!
//! So `f64` finds a factor that is wrong by more than a thousandth, and `f32` one that is wrong by some percent;
//! check in `f64` where the layer has it. `torch.autograd.gradcheck` works likewise.
//!
//! A random loss is needed: under `L = Σ y_i` the gradient of softmax is 0, and any mistake in it that scales would
//! pass.

use crate::codec;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::erased::{CacheSlot, ErasedLayer};
use crate::nn::{Layer, LayerSpec};
use crate::param::{Gradient, Param};
use crate::random::{Random, RandomStream};
use crate::tensor::{Tensor, owned, slice, standard};
use ndarray::Axis;
use std::fmt;

/// Checks a layer on random inputs of this shape (without the batch axis): see [`LayerCheck`] for what is checked.
///
/// In `f64` gradients are compared with finite differences to about three digits, in `f32` to about two.
///
/// ```
/// use plywood::prelude::*;
///
/// let report = check_layer::<f64>(Dense::units(3), &[4])?;
/// assert!(report.to_string().contains("the gradient at the input agrees with finite differences"));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// It takes a batch of five, and two forward passes for each number that is checked: at most 64 of the input and 64
/// of each parameter.
///
/// A derivative that is wrong by a factor of 2 is told apart from one that is right:
///
/// ```
/// use plywood::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct Cube;
///
/// impl Elementwise for Cube {
///     const KIND: &'static str = "mycrate.cube";
///     fn value<F: Scalar>(&self, x: F) -> F { x * x * x }
///     fn derivative<F: Scalar>(&self, x: F, _: F) -> F { F::of(6.0) * x * x } // 3x² is right
/// }
///
/// let error = check_layer::<f64>(Cube, &[2]).unwrap_err().to_string();
/// assert!(error.starts_with("check of layer \"mycrate.cube\" in f64: expected the gradient at number"));
/// ```
///
/// # Errors
/// When a check fails; the error says which, where, and by how much.
pub fn check_layer<F: Scalar>(spec: impl LayerSpec<F>, input: &[usize]) -> Result<CheckReport> {
    LayerCheck::new(input).run(spec)
}

/// What cannot hold for a layer by its nature, so that it is not checked. Reports say so.
///
/// An exemption is a statement about the layer and not a switch for a check that fails: what is declared is printed
/// in the report, for whoever reads it later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exemption {
    /// Training does something else than inference: dropout, batch normalisation.
    ///
    /// Gradients are still checked, in training: each pass is made by a clone of the layer, so that all see one
    /// state.
    TrainingDiffers,
    /// The input has no gradient: ids of an embedding.
    ///
    /// The gradients of its parameters are still checked.
    InputGradient,
}

/// A battery of checks for a layer.
///
/// 1. The output's shape is what `output_shape` says, for batches of any size.
/// 2. Training puts out what inference does, unless [exempt](Exemption::TrainingDiffers).
/// 3. A batch puts out what its samples do one by one, and what it does as a view (`forward_cow`).
/// 4. The gradient at the input agrees with finite differences, unless [exempt](Exemption::InputGradient).
/// 5. The gradient of each trainable parameter agrees with finite differences, adds up over two backward passes, and
///    is the same from `backward_params`.
/// 6. `visit_params` and `visit_params_mut` show the same parameters, each name once.
/// 7. A layer that says it is an [`OutputActivation`](crate::nn::OutputActivation) computes that function.
/// 8. The layer saved and loaded puts out the same bits.
///
/// ```
/// use plywood::prelude::*;
/// use plywood::testing::{Exemption, LayerCheck};
///
/// let report = LayerCheck::<f64>::new(&[6]).exempt(Exemption::TrainingDiffers).run(Dropout::rate(0.5))?;
/// assert!(report.to_string().contains("not checked"));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Before anything is computed, parameters are moved by up to 0.2 from where they began, and one training pass is
/// made, so that a bias of 0, a scale of 1 and fresh running statistics do not hide a mistake. The random numbers are
/// the same in every run.
///
/// It cannot see a mistake that shows only at other inputs (a branch for large numbers), at other shapes, or in
/// speed. Run it for two shapes and both element types.
#[derive(Clone, Debug)]
pub struct LayerCheck<F: Scalar> {
    shape: Vec<usize>,
    inputs: Option<Tensor<F>>,
    exemptions: Vec<Exemption>,
}

/// The samples of a checked batch, unless inputs are given.
///
/// Odd and above 1, so that rows and columns are not mistaken for each other by chance.
const BATCH: usize = 5;

/// How many numbers of an array are compared with finite differences, at most.
///
/// Each costs two forward passes; a Dense layer of 784 by 128 would need 200,000 of them.
const MOST_DIFFERENCES: usize = 64;

/// What finite differences can be held to.
///
/// `|found - difference| <= absolute + relative · |difference|`.
struct Tolerance {
    step: f64,
    absolute: f64,
    relative: f64,
}

impl<F: Scalar> LayerCheck<F> {
    /// For inputs of this shape, without the batch axis: random numbers between 0.1 and 1 in magnitude, away from
    /// the kinks that many activations have at 0.
    ///
    /// A kink within `h` of an input would make the difference wrong; at 0 the check could not tell ReLU's
    /// derivative.
    pub fn new(shape: &[usize]) -> Self {
        Self { shape: shape.to_vec(), inputs: None, exemptions: Vec::new() }
    }

    /// With these inputs, `[batch, …]`, instead of random ones: ids for an embedding.
    ///
    /// The shape given to [`new`](LayerCheck::new) still is what the layer is built for. For layers that are not
    /// defined everywhere, too:
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::prelude::*;
    /// use plywood::testing::LayerCheck;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Clone, Debug, Serialize, Deserialize)]
    /// struct SquareRoot;
    ///
    /// impl Elementwise for SquareRoot {
    ///     const KIND: &'static str = "mycrate.square_root";
    ///     fn value<F: Scalar>(&self, x: F) -> F { x.sqrt() }
    ///     fn derivative<F: Scalar>(&self, _: F, y: F) -> F { F::of(0.5) / y }
    /// }
    ///
    /// let positive = arr2(&[[0.5, 1.0], [2.0, 4.0]]).into_dyn();
    /// LayerCheck::<f64>::new(&[2]).inputs(positive).run(SquareRoot)?;
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn inputs(mut self, inputs: Tensor<F>) -> Self {
        self.inputs = Some(inputs);
        self
    }

    /// Declares what cannot hold for this layer.
    ///
    /// May be called twice, for both.
    #[must_use]
    pub fn exempt(mut self, exemption: Exemption) -> Self {
        self.exemptions.push(exemption);
        self
    }

    fn is_exempt(&self, exemption: Exemption) -> bool {
        self.exemptions.contains(&exemption)
    }

    /// Builds the layer and runs the checks.
    ///
    /// The first failure ends it: later checks build on what earlier ones found.
    ///
    /// # Errors
    /// When one fails, or the layer itself returns an error.
    pub fn run<S: LayerSpec<F>>(self, spec: S) -> Result<CheckReport> {
        let kind = <S::Layer as Layer<F>>::KIND;
        let random = Random::seed(7);
        let built = spec.build(&self.shape, &random.child("layer"));
        let load: Load<F> = |bytes| Ok(Box::new(codec::decode::<S::Layer>(bytes, "the saved layer")?));
        built
            .and_then(|mut layer| self.run_checks(&mut layer, &random, load))
            .map_err(|error| error.at(format!("check of layer {kind:?} in {}", F::NAME)))
    }

    /// The order is that of what depends on what: names, shapes, values, gradients, saving. It is compiled once for all
    /// layers, whose type ends here.
    fn run_checks(
        &self,
        layer: &mut dyn ErasedLayer<F>,
        random: &Random,
        load: Load<F>,
    ) -> Result<CheckReport> {
        let mut draws = random.child("inputs").at(0, 0);
        let x = match &self.inputs {
            Some(inputs) => standard(inputs.clone()),
            None => random_tensor(&[&[BATCH], &self.shape[..]].concat(), &mut draws),
        };
        if x.ndim() == 0 {
            return Err(Error::shape("inputs", "[batch, …]", x.shape()).help("Axis 0 is the batch."));
        }
        let mut report = CheckReport { kind: layer.erased_kind(), lines: Vec::new() };

        names(layer)?;
        report.passed("parameters have one name each, in one order");
        // Away from what initialisation makes special: a bias of 0, a scale of 1.
        layer.erased_visit_mut(&mut |_, param| {
            if param.is_trainable() {
                for v in param.as_slice_mut() {
                    *v += F::of(draws.uniform(-0.2, 0.2));
                }
            }
        });
        // Buffers, too, are to be something else than they are at first.
        layer.erased_forward_train(x.clone(), &mut None)?;

        let shape = layer.erased_output_shape(&self.shape)?;
        let y = standard(layer.erased_forward(x.clone())?);
        for rows in [x.len_of(Axis(0)), 1] {
            let part = x.slice_axis(Axis(0), (..rows).into()).to_owned();
            let found = layer.erased_forward(part)?;
            let expected = [&[rows], &shape[..]].concat();
            if found.shape() != expected {
                return Err(Error::shape("an output", format!("{expected:?}"), found.shape())
                    .help("`output_shape` and `forward` must agree."));
            }
        }
        report.passed("outputs have the shape that output_shape says");

        if self.is_exempt(Exemption::TrainingDiffers) {
            report.skipped("training puts out what inference does", Exemption::TrainingDiffers);
        } else {
            let (trained, _) = trained(layer, x.clone())?;
            same("the output in training", &standard(trained), &y)?;
            report.passed("training puts out what inference does");
        }

        for i in 0..x.len_of(Axis(0)) {
            let one = x.slice_axis(Axis(0), (i..=i).into()).to_owned();
            let alone = standard(layer.erased_forward(one)?);
            let in_batch = y.slice_axis(Axis(0), (i..=i).into()).to_owned();
            same(&format!("the output of sample {i} alone"), &alone, &standard(in_batch))?;
        }
        let viewed = owned(layer.erased_forward_cow(x.view().into())?);
        same("the output of a view", &standard(viewed), &y)?;
        report.passed("a batch puts out what its samples do one by one, and what it does as a view");

        self.gradients(layer, &x, &mut draws, &mut report)?;

        if layer.erased_activation().can_be_fused() && layer.erased_kind() != "sequential" {
            same("the output of an activation", &y, &layer.erased_activation().apply(x.clone()))?;
            report.passed("it computes the activation it says it is");
        }

        let again = standard(load(&layer.erased_encode()?)?.erased_forward(x)?);
        if slice(&again) != slice(&y) && slice(&y).iter().all(|v| !v.is_nan()) {
            return Err(Error::custom(
                "expected the same bits from the layer saved and loaded, found others",
            )
            .help("Every field that `forward` looks at must be serialised."));
        }
        report.passed("saved and loaded, it puts out the same bits");
        Ok(report)
    }

    /// `dx` and the parameters' gradients come from one backward pass of `layer` itself; what they are compared with
    /// comes from clones, so that a layer's state (a mask's step) is the same in each.
    fn gradients(
        &self,
        layer: &mut dyn ErasedLayer<F>,
        x: &Tensor<F>,
        draws: &mut RandomStream,
        report: &mut CheckReport,
    ) -> Result<()> {
        let (y, mut cache) = trained(layer, x.clone())?;
        // The loss whose gradient is checked: a random combination of the outputs.
        let weights: Tensor<F> = random_tensor(y.shape(), draws);
        let loss = |layer: &dyn ErasedLayer<F>, x: Tensor<F>| -> Result<f64> {
            let (y, _) = trained(layer, x)?;
            Ok(slice(&standard(y)).iter().zip(slice(&weights)).map(|(y, w)| y.as_f64() * w.as_f64()).sum())
        };
        layer.erased_visit_mut(&mut |_, param| param.clear_gradient());
        // From the same state as the passes that are compared with it: a clone went forward above.
        let dx = standard(layer.erased_backward(&mut cache, weights.clone())?);

        if dx.shape() != x.shape() {
            return Err(Error::shape("the input's gradient", format!("{:?}", x.shape()), dx.shape())
                .help("`backward` returns the gradient in the input's shape, zeros where there is none."));
        }
        if self.is_exempt(Exemption::InputGradient) {
            report.skipped("the gradient at the input", Exemption::InputGradient);
        } else {
            for i in chosen(x.len(), draws) {
                let difference = central(slice(x)[i], |v| {
                    let mut moved = x.clone();
                    moved.as_slice_mut().expect("standard layout")[i] = v;
                    loss(layer, moved)
                })?;
                let what = format!("the gradient at number {i} of the input");
                compare::<F>(&what, slice(&dx)[i].as_f64(), difference)?;
            }
            report.passed("the gradient at the input agrees with finite differences");
        }

        let first = gradients_of(layer);
        for (name, gradient) in &first {
            for i in chosen(gradient.len(), draws) {
                let mut moved = layer.erased_clone();
                let difference = central(value_of(layer, name, i), |v| {
                    moved.erased_visit_mut(&mut |other, param| {
                        if other == name {
                            param.as_slice_mut()[i] = v;
                        }
                    });
                    loss(&*moved, x.clone())
                })?;
                compare::<F>(&format!("the gradient at number {i} of {name:?}"), gradient[i], difference)?;
            }
        }
        if !first.is_empty() {
            report.passed("the gradients of the parameters agree with finite differences");
            self.sums(layer, x, &weights, &first)?;
            report.passed("gradients add up, and backward_params makes the same");
        }
        layer.erased_visit_mut(&mut |_, param| param.clear_gradient());
        Ok(())
    }

    /// A second backward pass doubles the gradients, and `backward_params` makes the same ones.
    fn sums(
        &self,
        layer: &dyn ErasedLayer<F>,
        x: &Tensor<F>,
        weights: &Tensor<F>,
        first: &[(String, Vec<f64>)],
    ) -> Result<()> {
        let mut twice = layer.erased_clone();
        let (_, mut cache) = trained(layer, x.clone())?;
        twice.erased_backward(&mut cache, weights.clone())?;
        let mut params = layer.erased_clone();
        params.erased_visit_mut(&mut |_, param| param.clear_gradient());
        let (_, mut cache) = trained(layer, x.clone())?;
        params.erased_backward_params(&mut cache, weights.clone())?;
        for (other, factor, what) in [(twice, 2.0, "two backward passes"), (params, 1.0, "backward_params")] {
            for ((name, found), (_, one)) in gradients_of(&*other).iter().zip(first) {
                for (found, one) in found.iter().zip(one) {
                    if (found - factor * one).abs() > F::epsilon().as_f64() * 100.0 * one.abs().max(1.0) {
                        let text = format!("the gradient of {name:?} from {what}");
                        return Err(Error::data(text, format!("of {}", factor * one), found)
                            .help("Add to a gradient with `Param::add_gradient`; never set it."));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Decodes a layer of the kind that is checked.
type Load<F> = fn(&[u8]) -> Result<Box<dyn ErasedLayer<F>>>;

/// What a clone of the layer puts out in training, and its cache.
fn trained<F: Scalar>(layer: &dyn ErasedLayer<F>, x: Tensor<F>) -> Result<(Tensor<F>, CacheSlot)> {
    let mut cache = None;
    let output = layer.erased_clone().erased_forward_train(x, &mut cache)?;
    Ok((output, cache))
}

/// Numbers between 0.1 and 1 in magnitude, of both signs.
///
/// Not below 0.1, so that a step of the differences cannot cross 0.
fn random_tensor<F: Scalar>(shape: &[usize], draws: &mut RandomStream) -> Tensor<F> {
    Tensor::from_shape_simple_fn(shape, || {
        let v = draws.uniform(0.1, 1.0);
        F::of(if draws.below(2) == 0 { v } else { -v })
    })
}

/// All positions, or some at random where there are many.
fn chosen(len: usize, draws: &mut RandomStream) -> Vec<usize> {
    let mut all: Vec<usize> = (0..len).collect();
    if len > MOST_DIFFERENCES {
        draws.shuffle(&mut all);
        all.truncate(MOST_DIFFERENCES);
    }
    all
}

/// By name, as there are two element types and the trait is sealed.
fn tolerance<F: Scalar>() -> Tolerance {
    if F::NAME == "f64" {
        Tolerance { step: 1e-6, absolute: 1e-5, relative: 1e-3 }
    } else {
        Tolerance { step: 4e-3, absolute: 2e-2, relative: 2e-2 }
    }
}

/// The central difference `(f(v + h) - f(v - h)) / 2h`, with the h that the type really steps by.
///
/// `v + h` is rounded; dividing by the distance of the two points that were really used takes that error out.
fn central<F: Scalar>(v: F, mut f: impl FnMut(F) -> Result<f64>) -> Result<f64> {
    let h = F::of(tolerance::<F>().step);
    let (up, down) = (v + h, v - h);
    Ok((f(up)? - f(down)?) / (up.as_f64() - down.as_f64()))
}

/// A NaN on either side fails: it compares false.
fn compare<F: Scalar>(what: &str, found: f64, expected: f64) -> Result<()> {
    let Tolerance { absolute, relative, .. } = tolerance::<F>();
    if (found - expected).abs() <= absolute + relative * expected.abs() {
        return Ok(());
    }
    Err(Error::data(what, format!("of {expected:.6}, by finite differences"), format!("{found:.6}")).help(
        "Look at the formula in `backward`; where the function has a kink, give `inputs` away from it.",
    ))
}

/// Equal up to rounding.
///
/// Within `64 · ε · (1 + |expected|)`, and NaN equal to NaN. Not to the bit: a layer may add in another order in
/// training.
fn same<F: Scalar>(what: &str, found: &Tensor<F>, expected: &Tensor<F>) -> Result<()> {
    if found.shape() != expected.shape() {
        return Err(Error::shape(what, format!("{:?}", expected.shape()), found.shape())
            .help("The forward passes must agree with each other."));
    }
    let epsilon = F::epsilon() * F::of(64.0);
    for (i, (&a, &b)) in slice(found).iter().zip(slice(expected)).enumerate() {
        let close = (a - b).abs() <= epsilon * (F::one() + b.abs()) || (a.is_nan() && b.is_nan());
        if !close {
            return Err(Error::data(format!("number {i} of {what}"), format!("to be {b}"), a)
                .help("If it cannot be so by the layer's nature, declare an `Exemption`."));
        }
    }
    Ok(())
}

/// An optimiser's state and a saved freeze go by these names.
fn names<F: Scalar>(layer: &mut dyn ErasedLayer<F>) -> Result<()> {
    let (mut shared, mut exclusive) = (Vec::new(), Vec::new());
    layer.erased_visit(&mut |name, param| shared.push((name.to_owned(), param.len())));
    layer.erased_visit_mut(&mut |name, param| exclusive.push((name.to_owned(), param.len())));
    let mut unique: Vec<&String> = shared.iter().map(|(name, _)| name).collect();
    unique.sort();
    unique.dedup();
    if shared != exclusive || unique.len() != shared.len() {
        let found = format!("{shared:?} and {exclusive:?}");
        return Err(Error::data(
            "visit_params and visit_params_mut",
            "with the same names, each once",
            found,
        )
        .help("Both must show every parameter and buffer, in one order."));
    }
    Ok(())
}

/// The gradient of each trainable parameter, written out where it is by rows; 0 where it has none.
fn gradients_of<F: Scalar>(layer: &dyn ErasedLayer<F>) -> Vec<(String, Vec<f64>)> {
    let mut all = Vec::new();
    layer.erased_visit(&mut |name, param| {
        if param.is_trainable() {
            all.push((name.to_owned(), written_out(param)));
        }
    });
    all
}

/// So that a gradient by rows can be compared number by number.
fn written_out<F: Scalar>(param: &Param<F>) -> Vec<f64> {
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

/// Through `visit_params`, because a layer's fields are its own.
fn value_of<F: Scalar>(layer: &dyn ErasedLayer<F>, name: &str, i: usize) -> F {
    let mut value = F::nan();
    layer.erased_visit(&mut |other, param| {
        if other == name {
            value = param.as_slice()[i];
        }
    });
    value
}

/// What was checked, and what was not; it prints as a list.
///
/// ```
/// use plywood::prelude::*;
///
/// let report = check_layer::<f64>(Tanh, &[3])?.to_string();
/// assert!(report.starts_with("layer \"tanh\"\n  ok           parameters have one name each, in one order"));
/// assert!(!report.contains("not checked"));
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    kind: &'static str,
    lines: Vec<String>,
}

impl CheckReport {
    /// In the past: what holds.
    fn passed(&mut self, what: &str) {
        self.lines.push(format!("ok           {what}"));
    }

    /// With the exemption that was declared.
    fn skipped(&mut self, what: &str, why: Exemption) {
        self.lines.push(format!("not checked  {what} (declared: {why:?})"));
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "layer {:?}", self.kind)?;
        self.lines.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}
