//! The sum of branches.
//!
//! With `y = Σ_b f_b(x)`, each branch gets the output's gradient unchanged, and the input's gradient is the sum of the
//! gradients that the branches return.

use super::{added, check_equal, visit, visit_mut};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::ModelCache;
use crate::nn::erased::Mode;
use crate::nn::sequential::{Sequential, SequentialBuilder};
use crate::nn::{BoxedLayer, Layer, LayerSpec, OutputActivation, Part, Wiring, branches, check_gradient};
use crate::param::Param;
use crate::random::Random;
use crate::state::Kind;
use crate::tensor::{Tensor, copy, standard};
use serde::{Deserialize, Serialize};

/// Parallel blocks on one input, with their outputs added: `y = Σ_b block_b(x)`.
///
/// | | shape |
/// |---|---|
/// | input | any shape that all blocks take |
/// | output | that of every block |
///
/// Keras' `Add` of the outputs of several models. Parameters are named by the branch, counted from 0: "1.0.weight" is
/// the weight of the first layer of branch 1. An empty block returns its input; with an empty block, the sum is a
/// [`Residual`](crate::nn::Residual).
///
/// ```
/// use plywood::prelude::*;
///
/// let wide = Sequential::block().layer(Dense::units(32)).layer(ReLU).layer(Dense::units(4));
/// let direct = Sequential::block().layer(Dense::units(4));
/// let model = Sequential::builder([8]).layer(Add::of([wide, direct])).layer(Softmax).build()?;
/// let mut names = Vec::new();
/// model.visit_params(&mut |name, _| names.push(name.to_owned()));
/// assert_eq!((&names[2][..], &names[4][..]), ("0.0.2.weight", "0.1.0.weight"));
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Add<F: Scalar = f32> {
    branches: Vec<Sequential<F>>,
}

/// The advice for outputs of different shapes.
const HELP: &str = "Numbers are added one by one; give all branches one shape, or join them with `Concat`.";

impl<F: Scalar> Add<F> {
    /// Returns the spec of a sum of these blocks, at least one.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let units = |n| Sequential::block().layer(Dense::units(n));
    /// let error = Sequential::builder([8]).layer(Add::of([units(4), units(3)])).build().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "layer 0 (add): the output of branch 1 must have shape [4], got [3]. Numbers are added one by one; \
    ///      give all branches one shape, or join them with `Concat`."
    /// );
    /// ```
    pub fn of(branches: impl IntoIterator<Item = SequentialBuilder<F>>) -> AddSpec<F> {
        AddSpec { branches: branches.into_iter().collect() }
    }

    /// Returns the sum, from the first branch to the last.
    fn sum(outputs: Vec<Tensor<F>>) -> Result<Tensor<F>> {
        let shapes: Vec<&[usize]> = outputs.iter().map(|y| y.shape()).collect();
        check_equal(&shapes, HELP)?;
        let sum = outputs.into_iter().reduce(added);
        sum.ok_or_else(|| Error::custom("there must be at least one branch, got none"))
    }

    /// Runs the branches with their caches, and joins their outputs.
    fn forward_in(&mut self, mode: Mode, input: Tensor<F>) -> Result<(Tensor<F>, <Self as Layer<F>>::Cache)> {
        let (outputs, caches) = branches::forward_in(mode, &mut self.branches, input)?;
        let output = Self::sum(outputs)?;
        let shape = output.shape().to_vec();
        Ok((output, (caches, shape)))
    }
}

impl<F: Scalar> Layer<F> for Add<F> {
    const KIND: Kind = Kind::builtin("add");
    /// The branches' caches, and the output's shape.
    type Cache = (Vec<ModelCache>, Vec<usize>);

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        let mut shapes = branches::shapes(&self.branches, input)?;
        check_equal(&shapes, HELP)?;
        Ok(shapes.swap_remove(0))
    }

    fn keeps_steps(&self, input: &[usize]) -> bool {
        self.branches.iter().all(|branch| branch.keeps_steps(input))
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        Self::sum(branches::forward(&self.branches, input)?)
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)> {
        self.forward_in(Mode::Train, input)
    }

    fn forward_eval(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)> {
        self.forward_in(Mode::Eval, input)
    }

    fn backward(&mut self, (caches, shape): Self::Cache, grad: Tensor<F>) -> Result<Tensor<F>> {
        check_gradient(&grad, &shape)?;
        let grad = standard(grad);
        let grads = caches.iter().map(|_| copy(&grad)).collect();
        branches::backward(&mut self.branches, caches, grads)
    }

    fn backward_params(&mut self, (caches, shape): Self::Cache, grad: Tensor<F>) -> Result<()> {
        check_gradient(&grad, &shape)?;
        let grad = standard(grad);
        let grads = caches.iter().map(|_| copy(&grad)).collect();
        branches::backward_params(&mut self.branches, caches, grads)
    }

    fn check_batch_size(&self, input: &[usize], samples: usize) -> Result<()> {
        branches::check_batch_size(&self.branches, input, samples)
    }

    /// The outputs are any real numbers.
    fn output_activation(&self, _: OutputActivation) -> OutputActivation {
        OutputActivation::Linear
    }

    fn parts(&self, input: &[usize]) -> Vec<Part<'_, F>> {
        branches::parts(&self.branches, input)
    }

    fn wiring(&self) -> Wiring {
        Wiring::Sum { and_input: false }
    }

    fn boxed_parts(&self) -> Vec<BoxedLayer<F>> {
        branches::boxed(&self.branches)
    }

    fn visit_params(&self, show: &mut dyn FnMut(&str, &Param<F>)) {
        for (i, block) in self.branches.iter().enumerate() {
            visit((&i.to_string(), block), show);
        }
    }

    fn visit_params_mut(&mut self, show: &mut dyn FnMut(&str, &mut Param<F>)) {
        for (i, block) in self.branches.iter_mut().enumerate() {
            visit_mut(&i.to_string(), block, show);
        }
    }
}

/// The spec of an [`Add`] layer, from [`Add::of`].
#[derive(Debug)]
pub struct AddSpec<F: Scalar = f32> {
    branches: Vec<SequentialBuilder<F>>,
}

impl<F: Scalar> LayerSpec<F> for AddSpec<F> {
    type Layer = Add<F>;

    /// Builds each branch, drawing from the stream of its number.
    fn build(self, input: &[usize], random: &Random) -> Result<Add<F>> {
        Ok(Add { branches: branches::build(self.branches, input, random)? })
    }
}
