//! Graphs: models that are no chain of layers.
//!
//! A graph is recorded when it is built ([`GraphBuilder`]), and planned once. A training step has no tape: it runs the
//! steps of the plan forward, and the same steps backward.
//!
//! ```text
//! builder.rs              records nodes; errors with the user's line
//! layers.rs               the calls that add layers
//! value.rs                the calls that add elementwise functions; value_axes.rs those along an axis; value_moves.rs those
//!                         that move numbers; positions.rs and operand.rs have the types of their arguments
//! lengths.rs              the calls about lengths of sequences
//! nodes.rs, dag.rs        the nodes, and the checks of all graphs, built and loaded
//! plan.rs                 nodes → steps: dead nodes fall away, elementwise functions join programs
//! op.rs, op_backward.rs   what an operation is; ops/ has those of this crate
//! compute.rs, program.rs  one step: an operation, a program
//! infer.rs                inference
//! keep.rs, train.rs       which values a training step keeps, and its forward half
//! backward.rs             its backward half; contribution.rs adds gradients up
//! layer.rs, spec.rs       a graph as a layer, and a layer from its forward pass
//! list.rs, summary.rs     the list that describes a graph, and its printed form
//! transfer.rs             copies of nodes in another graph; rework.rs has other shapes, other outputs, no containers;
//! include.rs              a graph with its parameters as a part of another
//! file.rs                 the form in files: the nodes, and nothing that follows from them
//! op_table.rs             the operations that a file may hold
//! lone_op.rs              an operation outside of a graph, for its check
//! pairwise.rs             a function of two values outside of a graph, for layers
//! ```

mod backward;
mod builder;
mod compute;
mod contribution;
mod dag;
mod file;
mod function;
mod include;
mod infer;
mod keep;
mod layer;
mod layers;
mod lengths;
mod list;
mod lone_op;
mod model;
mod nodes;
mod op;
mod op_backward;
mod op_table;
mod operand;
mod ops;
mod pairwise;
mod plan;
mod positions;
mod program;
mod rework;
mod shape;
mod spec;
mod summary;
mod train;
mod transfer;
mod value;
mod value_axes;
mod value_moves;

pub use builder::{GraphBuilder, Value};
pub(crate) use dag::Dag;
pub(crate) use infer::KIND;
pub(crate) use lone_op::LoneOp;
pub(crate) use op::{InferOp, TrainOp};
pub use op::{Needs, Op, Steps};
pub use op_backward::Backward;
pub(in crate::nn) use op_table::Ops;
pub use operand::Operand;
pub use ops::ResizeMode;
pub(in crate::nn) use pairwise::Pairwise;
pub use positions::{Positions, Size};
pub use shape::{Shape, Shapes};
pub use spec::GraphSpec;

use crate::kernels::Scalar;
use crate::nn::erased::{CacheSlot, ErasedInfer, ErasedLayer};
use crate::nn::output_activation::OutputActivation;
use keep::Keep;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// A graph that only infers.
pub(crate) type InferGraph<F> = Dag<F, dyn ErasedInfer<F>, dyn InferOp<F>>;

/// A model of layers and operations in any arrangement: several inputs and outputs, branches, layers that are used twice.
///
/// ```
/// use plywood::prelude::*;
///
/// let g = Graph::builder().seed(4);
/// let image = g.input("image", [1, 28, 28]);
/// let row = g.input("row", [12]);
/// let x = image.layer(Conv2d::filters(16, 3)).layer(ReLU).layer(Flatten);
/// let x = x.concat(&[row], -1).layer(Dense::units(32)).layer(ReLU);
/// g.output("class", x.layer(Dense::units(10)).layer(Softmax));
/// g.output("size", x.layer(Dense::units(1)));
/// let model = g.build()?;
/// assert_eq!((model.inputs().len(), model.outputs().len()), (2, 2));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// [`Value`] has the operations. A graph with one input and one output is also a [`Layer`](crate::nn::Layer), so it may
/// be a layer of a [`Sequential`](crate::nn::Sequential) or of another graph. One with several outputs is trained with
/// `Losses`, by the names of its outputs; [`predict_named`](crate::nn::Predict::predict_named) takes inputs by name.
///
/// | | Plywood | Keras functional API | PyTorch `nn.Module` |
/// |---|---|---|---|
/// | a value | `Value`, `Copy` | `KerasTensor` | computed when the model runs |
/// | shapes checked | when built, with the line | when built | in the forward pass |
/// | saved and loaded without its source | yes | yes, without custom layers | no |
///
/// `Display` prints the summary. A clone copies all parameters and gradients.
pub struct Graph<F: Scalar = f32> {
    pub(in crate::nn) dag: Dag<F, dyn ErasedLayer<F>, dyn TrainOp<F>>,
    /// What a training step keeps, as long as the same parameters are trained.
    keep: Arc<Keep>,
    /// What is known of each output, in training.
    known_in_training: Vec<OutputActivation>,
    /// A list that is reused for the comparison.
    trained: Vec<bool>,
    /// The box of the cache, from the last backward pass to the next forward pass.
    spare: Vec<CacheSlot>,
}

impl<F: Scalar> Graph<F> {
    fn of_dag(dag: Dag<F, dyn ErasedLayer<F>, dyn TrainOp<F>>) -> Self {
        let known_in_training = dag.known_by(|layer, input| layer.erased_training_activation(input));
        Self { dag, keep: Arc::default(), known_in_training, trained: Vec::new(), spare: Vec::new() }
    }
}

impl<F: Scalar> Clone for Graph<F> {
    fn clone(&self) -> Self {
        Self::of_dag(self.dag.copied())
    }
}

impl<F: Scalar> fmt::Debug for Graph<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph").field("nodes", &*self.dag.labels).finish_non_exhaustive()
    }
}

impl<F: Scalar> fmt::Display for Graph<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.dag, f)
    }
}

impl<F: Scalar> Serialize for Graph<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.dag.serialize(serializer)
    }
}

impl<'de, F: Scalar> Deserialize<'de> for Graph<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::of_dag(Dag::deserialize(deserializer)?))
    }
}
