//! The traits of whole models, to which everything that works with a model refers: the trainer, evaluation, files.
//!
//! | trait | what it has | implemented by |
//! |---|---|---|
//! | [`Infer`] | inputs, outputs, inference | every model |
//! | [`Model`] | the two halves of a training step | models that can be trained |
//! | [`Parameters`] | the parameters by name | every [`Layer`](super::Layer) and every [`Model`] |
//!
//! All three are object-safe: a trainer is compiled once, for `dyn Model`, and not again for each type of model. The
//! methods that need generic arguments are in extension traits: [`Predict`](super::Predict) for arrays,
//! [`Save`](crate::io::Save) and [`Weights`](crate::io::Weights) for files.
//!
//! A model has any number of inputs and outputs, so tensors are passed as slices, out of which they are taken. With one of
//! each they are arrays on the stack, and a step allocates nothing for them.

use super::node::Node;
use super::output_activation::OutputActivation;
use super::parameters::Parameters;
use super::port::{Port, PortNames};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::erased::CacheSlot;
use crate::shown::cut;
use crate::tensor::{CowTensor, Tensor};
use std::fmt::{Debug, Display};

/// Keeps other crates from implementing the traits of models, which may still change.
pub(in crate::nn) mod sealed {
    /// Implemented by the models of this crate.
    pub trait Sealed {}
}

/// A model that makes predictions: what evaluation, a service and a saved file need of it.
///
/// It is implemented by [`Sequential`](super::Sequential) and [`Graph`](super::Graph); other crates cannot implement it
/// yet. Its methods are what this crate calls; a program calls those of [`Predict`](super::Predict), which take arrays of any kind. `Display`
/// prints the summary.
///
/// ```
/// use plywood::prelude::*;
///
/// /// Works with any model.
/// fn classes(model: &dyn Infer) -> usize {
///     model.outputs()[0].shape()[0]
/// }
/// let model = Sequential::builder([4]).layer(Dense::units(3)).layer(Softmax).build()?;
/// assert_eq!(classes(&model), 3);
/// # Ok::<(), plywood::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model",
    label = "not a model",
    note = "a model is what `Sequential::builder(shape).layer(…).build()?` returns, with the `?` at the end"
)]
pub trait Infer<F: Scalar = f32>: Debug + Display + Send + Sync + sealed::Sealed {
    /// Returns the inputs, in order.
    fn inputs(&self) -> &[Port];

    /// Returns the outputs, in order.
    fn outputs(&self) -> &[Port];

    /// Returns the activation at the end of an output, by its number in [`outputs`](Infer::outputs), if [`infer`](Infer::infer) can leave it out; otherwise
    /// [`OutputActivation::Unknown`].
    fn final_activation(&self, output: usize) -> OutputActivation;

    /// Returns what is known of the values of an output.
    fn known_values(&self, output: usize) -> OutputActivation;

    /// Runs inference on one batch. It takes the tensors out of `inputs` and puts the results into `outputs`.
    ///
    /// All slices have the length of [`inputs`](Infer::inputs) or [`outputs`](Infer::outputs). Where `logits` is true,
    /// the output is returned without its [`final_activation`](Infer::final_activation).
    ///
    /// | | shape |
    /// |---|---|
    /// | `inputs` | `[batch, …]`, the same batch in all |
    /// | `outputs` | `[batch, …]`; what was in them before is dropped |
    ///
    /// # Errors
    /// If an input is missing or has another shape, or holds values that a layer cannot take.
    fn infer<'a>(
        &self,
        inputs: &mut [Option<CowTensor<'a, F>>],
        logits: &[bool],
        outputs: &mut [Option<CowTensor<'a, F>>],
    ) -> Result<()>;

    /// Returns the first item that is not finite, in the order of computation: an input, a parameter, or the output of
    /// a layer. It takes the tensors out of `inputs`.
    ///
    /// It runs inference, so what only training does (batch statistics, a mask) is not reproduced.
    ///
    /// # Errors
    /// As [`infer`](Infer::infer).
    fn find_non_finite(&self, inputs: &mut [Option<Tensor<F>>]) -> Result<Option<String>>;

    /// Returns the text with which errors name the layer that an output comes from: "layer 2 (dense)".
    fn output_place(&self, output: usize) -> String;

    /// Returns the lines that describe the architecture: one for each input and each layer.
    ///
    /// Two models with equal lines have the same architecture up to hyperparameters.
    fn outline(&self) -> Vec<String>;

    /// Returns the model as a list of inputs, layers, operations and outputs, in the order in which they are computed: see
    /// [`Node`].
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([4]).layer(Dense::units(3)).layer(Softmax).build()?;
    /// let kinds: Vec<_> = model.nodes().iter().map(|node| node.kind().to_owned()).collect();
    /// assert_eq!(kinds, ["input", "dense", "softmax", "output"]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// A container is one node, which has a list of its own; [`Node::expand`] puts it in the container's place. In a row of
    /// layers, the lengths of sequences are not listed; in a graph they are values like others.
    fn nodes(&self) -> Vec<Node>;

    /// Returns the kind of the model and its bytes, as a file stores them; a file keeps the numbers apart.
    ///
    /// # Errors
    /// If a layer cannot be serialized.
    fn encode(&self) -> Result<(&'static str, Vec<u8>)>;

    /// Returns the name of the output if it was chosen from several ([`OneOutput`](super::OneOutput)), so that reports can
    /// compare it with that of the target.
    fn chosen_output(&self) -> Option<&str> {
        None
    }

    /// Returns the model as a trait object.
    fn as_infer(&self) -> &dyn Infer<F>;
}

/// A model that can be trained: what [`Trainer`](crate::train::Trainer), callbacks and checkpoints need of it.
///
/// It is implemented by [`Sequential`](super::Sequential), [`Graph`](super::Graph) and `Box<dyn Model>`, which
/// [`load`](crate::load) returns;
/// other crates cannot implement it yet.
///
/// ```
/// use plywood::ndarray::Array2;
/// use plywood::prelude::*;
///
/// /// Trains any model for one epoch.
/// fn train(model: &mut dyn Model, data: &impl Dataset<Target = Vec<usize>>) -> Result<f64> {
///     let mut trainer = Trainer::new(CrossEntropy::default(), Adam::default()).progress(Progress::Silent);
///     Ok(trainer.fit(model, data)?.last("loss").unwrap_or(f64::NAN))
/// }
/// let data = ArrayDataset::new(Array2::<f32>::ones((8, 2)), vec![1; 8])?;
/// let mut model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build()?;
/// assert!(train(&mut model, &data)? > 0.0);
/// # Ok::<(), plywood::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model",
    label = "not a model",
    note = "a model is what `Sequential::builder(shape).layer(…).build()?` returns, with the `?` at the end",
    note = "of a model in a box pass `&mut *model`"
)]
pub trait Model<F: Scalar = f32>: Infer<F> + Parameters<F> {
    /// Runs the forward half of a training step on one batch, with the arguments of [`Infer::infer`]. Returns the
    /// cache for [`learn`](Model::learn).
    ///
    /// # Errors
    /// As [`Infer::infer`].
    fn train(
        &mut self,
        inputs: &mut [Option<Tensor<F>>],
        logits: &[bool],
        outputs: &mut [Option<Tensor<F>>],
    ) -> Result<ModelCache>;

    /// Runs the backward half: adds to the gradients of the parameters, given those at the outputs, which it takes. An
    /// output without a gradient has no part in the loss.
    ///
    /// Gradients of several calls are added up. The gradients are taken as they are: one that is NaN is noticed by the next
    /// loss, and samples are not counted, so `learn` and [`accumulate`](crate::train::accumulate), which keeps a mean over all its
    /// samples, are not for the same step. A cache of [`eval`](Model::eval) gives the gradients of inference mode.
    ///
    /// # Errors
    /// If the cache is that of another model, or a gradient has another shape than its output.
    fn learn(&mut self, cache: ModelCache, gradients: &mut [Option<Tensor<F>>]) -> Result<()>;

    /// Runs inference like [`Infer::infer`], and returns the cache for [`input_gradients`](Model::input_gradients): dropout
    /// is off, batch normalization takes its running statistics, and nothing of the model is changed.
    ///
    /// # Errors
    /// As [`Infer::infer`].
    fn eval(
        &mut self,
        inputs: &mut [Option<Tensor<F>>],
        logits: &[bool],
        outputs: &mut [Option<Tensor<F>>],
    ) -> Result<ModelCache>;

    /// Puts the gradients at the inputs into `inputs`, given those at the outputs, which it takes; without any, an input
    /// gets `None`. It also adds to the gradients of the parameters, with which a following step of training would begin:
    /// use a copy ([`boxed`](Model::boxed)) whose parameters are frozen.
    ///
    /// The saliency of a class is the gradient of its score at the input:
    ///
    /// ```
    /// use plywood::ndarray::{Array2, arr2};
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([3]).seed(1).layer(Dense::units(8)).layer(Tanh).layer(Dense::units(2)).build()?;
    /// let mut copy = model.boxed();
    /// copy.freeze("")?;
    /// let x = Array2::<f32>::ones((4, 3)).into_dyn();
    /// let (mut scores, mut saliency) = ([None], [None]);
    /// let cache = copy.eval(&mut [Some(x)], &[true], &mut scores)?;
    /// let class = arr2(&[[0.0f32, 1.0]]).broadcast((4, 2)).unwrap().to_owned().into_dyn(); // the score of class 1
    /// copy.input_gradients(cache, &mut [Some(class)], &mut saliency)?;
    /// assert_eq!(saliency[0].as_ref().unwrap().shape(), [4, 3]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// For the gradient of a loss there is [`input_gradient`](crate::train::input_gradient). An input of ids has no
    /// gradient, and gets zeros. A graph keeps what this takes only in `eval`; a cache of `train` is refused.
    ///
    /// # Errors
    /// If the cache is that of another model, or a gradient has another shape than its output.
    fn input_gradients(
        &mut self,
        cache: ModelCache,
        gradients: &mut [Option<Tensor<F>>],
        inputs: &mut [Option<Tensor<F>>],
    ) -> Result<()>;

    /// [`Infer::known_values`] in training, where dropout and noise may change them.
    fn known_values_in_training(&self, output: usize) -> OutputActivation;

    /// Checks that the model can be trained in batches of `samples` samples: see
    /// [`Layer::check_batch_size`](super::Layer::check_batch_size).
    ///
    /// # Errors
    /// When a layer cannot learn from such a batch.
    fn check_samples(&self, samples: usize) -> Result<()>;

    /// Returns the first parameter or buffer that is not finite: "the parameter weight of layer 0 (dense)".
    fn non_finite_parameter(&self) -> Option<String>;

    /// Returns the model as a trait object.
    fn as_model(&mut self) -> &mut dyn Model<F>;

    /// Returns a copy.
    fn boxed(&self) -> Box<dyn Model<F>>;

    /// Replaces the model by another of the same type.
    ///
    /// # Errors
    /// If the other is of another type.
    fn replace_by(&mut self, other: Box<dyn Model<F>>) -> Result<()>;

    /// Returns the model as its own type.
    #[doc(hidden)]
    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any>;
}

/// What a model keeps of a forward pass ([`Model::train`], [`Model::eval`]) for the backward pass ([`Model::learn`],
/// [`Model::input_gradients`]): the caches of its layers.
///
/// It is also the cache of a [`Sequential`](super::Sequential) as a layer. Pass it to the same model, once. The cache of
/// another model is refused if the layers differ; that of a model with the same layers is not detected.
///
/// ```
/// use plywood::prelude::*;
///
/// let mut model = Sequential::builder([2]).layer(Dense::units(2)).build()?;
/// let mut other = Sequential::builder([2]).layer(Dense::units(2)).layer(ReLU).build()?;
/// let (y, cache) = model.forward_train(Tensor::ones(vec![1, 2]))?;
/// let error = other.backward(cache, y).unwrap_err().to_string();
/// assert!(error.starts_with("the cache must be that of this model's last forward pass, got another model's"));
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Debug)]
pub struct ModelCache {
    /// Empty from index `ran` on.
    pub(in crate::nn) slots: Vec<CacheSlot>,
    /// How many layers ran: all, or all but the last if that is an activation left out.
    pub(in crate::nn) ran: usize,
    /// The number of samples.
    pub(in crate::nn) rows: usize,
    /// Of a row of layers: whether its input had lengths, and whether those of its output were wanted.
    pub(in crate::nn) lengths: (bool, bool),
}

impl<F: Scalar> dyn Infer<F> + '_ {
    /// The shape of the input of a model that has one.
    pub(crate) fn input_shape(&self) -> &[usize] {
        self.inputs().first().map_or(&[], Port::shape)
    }

    /// The shape of the output of a model that has one.
    pub(crate) fn output_shape(&self) -> &[usize] {
        self.outputs().first().map_or(&[], Port::shape)
    }
}

/// Converts a boxed model into its type, by its name in the error.
pub(in crate::nn) fn of_type<F: Scalar, M: Model<F> + 'static>(
    model: Box<dyn Model<F>>,
    name: &str,
) -> Result<M> {
    model.into_any().downcast().map(|model| *model).map_err(|_| {
        Error::data("the model", format!("be a `{name}`"), "one of another type")
            .help("Load it with `plywood::load`, and use it as a `dyn Model`, which is trained, saved and predicts as well.")
    })
}

/// Checks that a model has one output, for what reads one.
pub(crate) fn check_one_output<F: Scalar>(model: &dyn Infer<F>) -> Result<()> {
    if model.outputs().len() == 1 { Ok(()) } else { Err(several(model, "one output")) }
}

/// The error for a model with several inputs or outputs where one is read.
pub(crate) fn several<F: Scalar>(model: &dyn Infer<F>, due: &str) -> Error {
    let found = PortNames(model.inputs(), model.outputs());
    let inputs: Vec<String> =
        model.inputs().iter().map(|port| format!("({:?}, …)", cut(port.name()))).collect();
    let help = match model.inputs() {
        [_, _, ..] if due == "one input" => {
            format!("Give each by its name: `predict_named(Inputs::of{})`.", inputs.join(".and"))
        }
        _ => "Predict several outputs by `predict_named`, and report on one of them by `model.output(name)`."
            .to_owned(),
    };
    Error::data("the model", format!("have {due}"), found).help(help)
}

/// The methods of [`Infer`] of a model that passes them on to another: `infer_as!(model => &model.inner)`.
macro_rules! infer_as {
    ($model:ident => $inner:expr) => {
        fn inputs(&self) -> &[Port] {
            let $model = self;
            Infer::inputs($inner)
        }

        fn outputs(&self) -> &[Port] {
            let $model = self;
            Infer::outputs($inner)
        }

        fn final_activation(&self, output: usize) -> OutputActivation {
            let $model = self;
            Infer::final_activation($inner, output)
        }

        fn known_values(&self, output: usize) -> OutputActivation {
            let $model = self;
            Infer::known_values($inner, output)
        }

        fn infer<'a>(
            &self,
            inputs: &mut [Option<CowTensor<'a, F>>],
            logits: &[bool],
            outputs: &mut [Option<CowTensor<'a, F>>],
        ) -> Result<()> {
            let $model = self;
            Infer::infer($inner, inputs, logits, outputs)
        }

        fn find_non_finite(&self, inputs: &mut [Option<Tensor<F>>]) -> Result<Option<String>> {
            let $model = self;
            Infer::find_non_finite($inner, inputs)
        }

        fn output_place(&self, output: usize) -> String {
            let $model = self;
            Infer::output_place($inner, output)
        }

        fn outline(&self) -> Vec<String> {
            let $model = self;
            Infer::outline($inner)
        }

        fn nodes(&self) -> Vec<Node> {
            let $model = self;
            Infer::nodes($inner)
        }

        fn encode(&self) -> Result<(&'static str, Vec<u8>)> {
            let $model = self;
            Infer::encode($inner)
        }

        fn chosen_output(&self) -> Option<&str> {
            let $model = self;
            Infer::chosen_output($inner)
        }
    };
}
pub(in crate::nn) use infer_as;
