//! [`InferRegistry`]: the kinds of layers of models that only infer.

use super::chain::{self, InferChain};
use super::decode_scope::{Tables, typed_within};
use super::decoders::Decoders;
use super::erased::{ErasedInfer, ErasedLayer};
use super::graph::{self, InferGraph, InferOp, Op, Ops, TrainOp};
use super::layer::Layer;
use super::model::Infer;
use super::registry::Registry;
use crate::codec;
use crate::error::Result;
use crate::kernels::Scalar;
use crate::level::check_level;

/// The kinds of layers of models that only infer.
///
/// Such a model is read as a [`dyn Infer`](super::Infer): it predicts, is evaluated and saved, but cannot be trained. A
/// program that reads its models only by this registry contains the inference of the layers that it names, and nothing of
/// training: its size is that of the layers that it uses.
///
/// ```
/// use plywood::nn::InferRegistry;
/// use plywood::prelude::*;
///
/// let trained = Sequential::builder([4]).layer(Dense::units(3)).layer(Softmax).build()?;
/// let bytes = trained.to_bytes()?;
///
/// let registry = InferRegistry::empty().with::<Dense>().with::<Softmax>();
/// let model: Box<dyn Infer> = registry.from_bytes(&bytes)?;
/// let x = plywood::ndarray::Array2::ones((2, 4));
/// assert_eq!(model.predict(&x)?, trained.predict(&x)?);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// A [`Sequential`](super::Sequential) inside of a model needs no entry. There is no list of all built-in layers,
/// because a program would then contain them all. [`load`](Self::load) reads a file, [`from_bytes`](Self::from_bytes)
/// bytes.
#[derive(Clone)]
pub struct InferRegistry<F: Scalar = f32> {
    decoders: Decoders<dyn ErasedInfer<F>>,
    blocks: Decoders<dyn ErasedLayer<F>>,
    /// The operations of graphs inside of blocks.
    block_ops: Option<Ops<dyn TrainOp<F>>>,
    graphs: Option<(ReadGraph<F>, Ops<dyn InferOp<F>>)>,
}

/// Decodes a model that only infers.
type ReadModel<F> = fn(&[u8]) -> Result<Box<dyn Infer<F>>>;

/// Decodes a graph that only infers, as a model. In a table of its own, so that only programs that read graphs contain
/// their operations.
#[derive(Clone, Copy)]
pub(crate) struct ReadGraph<F: Scalar>(pub ReadModel<F>);

impl<F: Scalar> InferRegistry<F> {
    /// Returns a registry without any layer but [`Sequential`](super::Sequential).
    pub fn empty() -> Self {
        let help = "Add it to the registry: `InferRegistry::empty().with::<YourLayer>()`.";
        let mut decoders: Decoders<dyn ErasedInfer<F>> = Decoders::new(help);
        decoders.by_kind.insert(chain::KIND, |bytes| {
            let layer: InferChain<F> = codec::decode(bytes, chain::KIND)?;
            Ok(Box::new(layer))
        });
        let help = "It is inside of a block, whose layers are added by `InferRegistry::blocks`.";
        Self { decoders, blocks: Decoders::new(help), block_ops: None, graphs: None }
    }

    /// Adds a kind of layer. It replaces one with the same `KIND`. [`Sequential`](super::Sequential) is there already, and
    /// adding it changes nothing.
    #[must_use]
    pub fn with<L: Layer<F>>(mut self) -> Self {
        if L::KIND.name() == chain::KIND {
            return self;
        }
        self.decoders.by_kind.insert(L::KIND.name(), |bytes| {
            let layer: L = codec::decode(bytes, L::KIND.name())?;
            Ok(Box::new(layer))
        });
        self
    }

    /// Adds [`Graph`](super::Graph) and its operations: as a model, and as a layer of one.
    ///
    /// ```
    /// use plywood::nn::{Graph, InferRegistry};
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// let x = g.input("x", [4]);
    /// g.output("y", x.layer(Dense::units(3)) * x.mean_keepdim(-1));
    /// let bytes = g.build()?.to_bytes()?;
    ///
    /// let model = InferRegistry::<f32>::empty().with::<Dense>().graphs().from_bytes(&bytes)?;
    /// assert_eq!(model.outputs()[0].name(), "y");
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn graphs(mut self) -> Self {
        self.decoders.by_kind.insert(graph::KIND, |bytes| {
            let layer: InferGraph<F> = codec::decode(bytes, graph::KIND)?;
            Ok(Box::new(layer))
        });
        self.graphs.get_or_insert_with(|| {
            let read = ReadGraph(|bytes| {
                let model: InferGraph<F> = codec::decode(bytes, "the model")?;
                Ok(Box::new(model))
            });
            (read, Ops::builtin())
        });
        self
    }

    /// Adds a kind of operation of graphs, as [`Registry::with_op`], and graphs, if they are not there yet:
    /// `InferRegistry::empty().with::<Dense>().with_op::<YourOp>()`.
    #[must_use]
    pub fn with_op<O: Op<F>>(self) -> Self {
        let mut with = self.graphs();
        if let Some((_, ops)) = &mut with.graphs {
            ops.add::<F, O>();
        }
        with
    }

    /// Sets the layers inside of [`Residual`](super::Residual), [`Concat`](super::Concat), [`Add`](super::Add) and custom
    /// containers, which hold layers that can be trained: with them the program contains their training. By default there
    /// are none.
    #[must_use]
    pub fn blocks(mut self, registry: Registry<F>) -> Self {
        self.blocks.by_kind = registry.decoders.by_kind;
        self.block_ops = Some(registry.ops);
        self
    }

    /// [`Registry::decoding`].
    pub(crate) fn decoding<T>(&self, decode: impl FnOnce() -> Result<T>) -> Result<T> {
        check_level()?;
        let mut tables: Tables = vec![Box::new(self.decoders.clone())];
        if let Some((read, ops)) = &self.graphs {
            tables.push(Box::new(*read));
            tables.push(Box::new(ops.clone()));
        }
        tables.push(Box::new(self.blocks.clone()));
        if let Some(ops) = &self.block_ops {
            tables.push(Box::new(ops.clone()));
        }
        typed_within(tables, decode)
    }
}

impl<F: Scalar> std::fmt::Debug for InferRegistry<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InferRegistry")
            .field("layers", &self.decoders.by_kind.keys())
            .field("blocks", &self.blocks.by_kind.keys())
            .finish()
    }
}
