//! The registry: the kinds of layers that a saved file may hold.
//!
//! A file names its layers by [`Layer::KIND`]; a registry maps that name to a function that decodes the bytes. Pickle,
//! the format of `torch.save`, can call any function that a file names. Here a file can only name what the program has
//! put into the map; an unknown name is an error that lists the known ones.

use super::decode_scope::{Tables, typed_within, within};
use super::decoders::Decoders;
use super::erased::ErasedLayer;
use super::graph::{Op, Ops, TrainOp};
use super::layer::Layer;
use crate::codec;
use crate::error::Result;
use crate::kernels::Scalar;
use crate::level::check_level;

/// The kinds of layers that a model may be loaded with. It is passed explicitly; there is no global registry.
///
/// A file can only reach what is in this map, and the operations of this crate. [`Registry::builtin`] has the built-in
/// layers; add custom ones with [`with`](Registry::with), and custom operations with [`with_op`](Registry::with_op).
///
/// ```no_run
/// use plywood::prelude::*;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Clone, Debug, Serialize, Deserialize)]
/// # struct Swish;
/// # impl Elementwise for Swish {
/// #     const KIND: Kind = Kind::own("mycrate.swish");
/// #     fn value<F: Scalar>(&self, x: F) -> F { x / (F::one() + (-x).exp()) }
/// #     fn derivative<F: Scalar>(&self, x: F, y: F) -> F { y + (F::one() - y) / (F::one() + (-x).exp()) }
/// # }
///
/// let model = Sequential::load_with("model.plywood", &Registry::builtin().with::<Swish>())?;
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// A registry is for one element type. `Clone` copies a map of names and function pointers. `Debug` prints the names.
#[derive(Clone)]
pub struct Registry<F: Scalar = f32> {
    pub(super) decoders: Decoders<dyn ErasedLayer<F>>,
    pub(super) ops: Ops<dyn TrainOp<F>>,
}

impl<F: Scalar> Registry<F> {
    /// Returns a registry without any layer.
    ///
    /// For a program that reads untrusted files and must limit which layers can be in them:
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let bytes = Sequential::builder([2]).layer(Dense::units(1)).layer(Tanh).build()?.to_bytes()?;
    /// let dense_only = Registry::<f32>::empty().with::<Dense>();
    /// assert_eq!(
    ///     Sequential::from_bytes(&bytes, &dense_only).unwrap_err().to_string(),
    ///     "the kind of a layer must be in the registry (dense), got \"tanh\". Load with `load_with` and a \
    ///      registry that has it: `Registry::builtin().with::<YourLayer>()`."
    /// );
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn empty() -> Self {
        let help =
            "Load with `load_with` and a registry that has it: `Registry::builtin().with::<YourLayer>()`.";
        Self { decoders: Decoders::new(help), ops: Ops::builtin() }
    }

    /// Adds a kind of layer. It replaces one with the same `KIND`.
    #[must_use]
    pub fn with<L: Layer<F>>(mut self) -> Self {
        self.decoders.by_kind.insert(L::KIND.name(), |bytes| {
            let layer: L = codec::decode(bytes, L::KIND.name())?;
            Ok(Box::new(layer))
        });
        self
    }

    /// Adds a kind of operation of graphs: see [`Op`](crate::nn::op::Op). Those of this crate are always there.
    ///
    /// ```no_run
    /// use plywood::prelude::*;
    /// # use plywood::nn::op::{Backward, Op, Shape, Shapes};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Clone, Debug, Serialize, Deserialize)]
    /// # struct Reversed;
    /// # impl<F: Scalar> Op<F> for Reversed {
    /// #     const KIND: Kind = Kind::own("mycrate.reversed");
    /// #     fn shape(&self, inputs: &[&Shape]) -> Result<Shape> { Ok(inputs[0].clone()) }
    /// #     fn forward(&self, _: Shapes<'_>, x: &[&[F]], y: &mut [F]) -> Result<()> { y.copy_from_slice(x[0]); Ok(()) }
    /// #     fn backward(&self, pass: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()> { pass.give(0, grad); Ok(()) }
    /// # }
    ///
    /// let model = plywood::io::load_with("model.plywood", &Registry::<f32>::builtin().with_op::<Reversed>())?;
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn with_op<O: Op<F>>(mut self) -> Self {
        self.ops.add::<F, O>();
        self
    }

    /// Returns the registered kinds of layers, in alphabetical order.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let registry = Registry::<f32>::empty().with::<Softmax>().with::<Flatten>();
    /// assert_eq!(registry.kinds().collect::<Vec<_>>(), ["flatten", "softmax"]);
    /// ```
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.decoders.by_kind.keys().copied()
    }

    /// Runs `call`, in which serde may read models: their layers are those of this registry.
    ///
    /// It is for models inside of other data, which another format of serde stores; the crate's own readers do this by
    /// themselves. It holds in this thread, for models of this registry's element type:
    ///
    /// ```
    /// use plywood::prelude::*;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Answering {
    ///     classes: Vec<String>,
    ///     model: Sequential,
    /// }
    ///
    /// let model = Sequential::builder([2]).layer(Dense::units(1)).build()?;
    /// let text = serde_json::to_string(&Answering { classes: vec!["shoe".into()], model }).unwrap();
    /// let read = Registry::<f32>::builtin().within(|| serde_json::from_str::<Answering>(&text)).unwrap();
    /// assert_eq!(read.model.output_shape(), [1]);
    ///
    /// let error = serde_json::from_str::<Answering>(&text).map(drop).unwrap_err().to_string();
    /// assert!(error.starts_with("a model that serde reads must be read by a registry, got none in use."), "{error}");
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn within<T>(&self, call: impl FnOnce() -> T) -> T {
        within(self.tables(), call)
    }

    /// Runs a decoding call in this thread, with this registry for the containers inside. Returns the first typed error
    /// inside as it was, where serde would only pass on its text.
    pub(crate) fn decoding<T>(&self, decode: impl FnOnce() -> Result<T>) -> Result<T> {
        check_level()?;
        typed_within(self.tables(), decode)
    }

    /// The decoders of layers, and those of the operations of graphs.
    pub(super) fn tables(&self) -> Tables {
        vec![Box::new(self.decoders.clone()), Box::new(self.ops.clone())]
    }
}

impl<F: Scalar> std::fmt::Debug for Registry<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.kinds()).finish()
    }
}
