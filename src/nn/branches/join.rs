//! What the layers share whose branches are joined number by number: [`Add`](crate::nn::Add),
//! [`Product`](crate::nn::Product), [`Maximum`](crate::nn::Maximum) and [`Average`](crate::nn::Average).

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::{OutputActivation, Wiring};
use crate::tensor::Tensor;

/// How the outputs of branches become one.
pub(in crate::nn) trait Join {
    /// Returns the shape of the result, for outputs of these shapes of a sample or of a batch.
    fn shape(outputs: &[&[usize]]) -> Result<Vec<usize>>;

    /// Whether a step of the result comes from the same step of each output, if these have the steps of the input.
    fn keeps_steps(_outputs: &[Vec<usize>]) -> bool {
        true
    }

    /// How the branches are connected.
    fn wiring() -> Wiring;

    /// Computes the result.
    fn forward<F: Scalar>(outputs: Vec<Tensor<F>>) -> Result<Tensor<F>>;

    /// Computes the result, and what the gradient is computed from: all outputs, or none.
    fn forward_kept<F: Scalar>(outputs: Vec<Tensor<F>>) -> Result<(Tensor<F>, Vec<Tensor<F>>)>;

    /// Returns the gradients at the outputs of `count` branches.
    fn backward<F: Scalar>(kept: Vec<Tensor<F>>, count: usize, grad: Tensor<F>) -> Result<Vec<Tensor<F>>>;

    /// Returns what is known of the result, if this is known of all outputs.
    fn known(of_outputs: OutputActivation) -> OutputActivation;
}

/// The error of a layer without branches.
pub(super) fn none() -> Error {
    Error::custom("there must be at least one branch, got none")
}

/// Defines a layer of branches, its spec, and how the spec is made. `$join` is a [`Join`].
macro_rules! joined {
    (
        $(#[$about:meta])* $layer:ident, $kind:literal, $join:ident;
        $(#[$of:meta])* of;
        $(#[$about_spec:meta])* $spec:ident;
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(bound = "")]
        pub struct $layer<F: Scalar = f32> {
            branches: Vec<Sequential<F>>,
        }

        impl<F: Scalar> $layer<F> {
            $(#[$of])*
            pub fn of(branches: impl IntoIterator<Item = SequentialBuilder<F>>) -> $spec<F> {
                $spec { branches: branches.into_iter().collect() }
            }

            /// Runs the branches with their caches, and joins their outputs.
            fn forward_in(
                &mut self,
                mode: Mode,
                input: Tensor<F>,
            ) -> Result<(Tensor<F>, <Self as Layer<F>>::Cache)> {
                let (outputs, caches) = branches::forward_in(mode, &mut self.branches, input)?;
                let (output, kept) = $join::forward_kept(outputs)?;
                let shape = output.shape().to_vec();
                Ok((output, (caches, shape, kept)))
            }
        }

        impl<F: Scalar> Layer<F> for $layer<F> {
            const KIND: Kind = Kind::builtin($kind);
            /// The branches' caches, the output's shape, and the branches' outputs where the gradient needs them.
            type Cache = (Vec<ModelCache>, Vec<usize>, Vec<Tensor<F>>);

            fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
                let shapes = branches::shapes(&self.branches, input)?;
                $join::shape(&shapes.iter().map(Vec::as_slice).collect::<Vec<_>>())
            }

            fn keeps_steps(&self, input: &[usize]) -> bool {
                self.branches.iter().all(|branch| branch.keeps_steps(input))
                    && branches::shapes(&self.branches, input).is_ok_and(|shapes| $join::keeps_steps(&shapes))
            }

            fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
                $join::forward(branches::forward(&self.branches, input)?)
            }

            fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)> {
                self.forward_in(Mode::Train, input)
            }

            fn forward_eval(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)> {
                self.forward_in(Mode::Eval, input)
            }

            fn backward(&mut self, (caches, shape, kept): Self::Cache, grad: Tensor<F>) -> Result<Tensor<F>> {
                check_gradient(&grad, &shape)?;
                let grads = $join::backward(kept, caches.len(), standard(grad))?;
                branches::backward(&mut self.branches, caches, grads)
            }

            fn backward_params(&mut self, (caches, shape, kept): Self::Cache, grad: Tensor<F>) -> Result<()> {
                check_gradient(&grad, &shape)?;
                let grads = $join::backward(kept, caches.len(), standard(grad))?;
                branches::backward_params(&mut self.branches, caches, grads)
            }

            fn check_batch_size(&self, input: &[usize], samples: usize) -> Result<()> {
                branches::check_batch_size(&self.branches, input, samples)
            }

            fn output_activation(&self, input: OutputActivation) -> OutputActivation {
                let branches = self.branches.iter().map(|branch| branch.output_activation(input));
                <$join as Join>::known(branches.reduce(OutputActivation::or).unwrap_or_default())
            }

            fn training_activation(&self, input: OutputActivation) -> OutputActivation {
                let branches = self.branches.iter().map(|branch| branch.training_activation(input));
                <$join as Join>::known(branches.reduce(OutputActivation::or).unwrap_or_default())
            }

            fn parts(&self, input: &[usize]) -> Vec<Part<'_, F>> {
                branches::parts(&self.branches, input)
            }

            fn wiring(&self) -> Wiring {
                $join::wiring()
            }

            fn boxed_parts(&self) -> Vec<BoxedLayer<F>> {
                branches::boxed(&self.branches)
            }

            fn visit_params(&self, show: &mut dyn FnMut(&str, &Param<F>)) {
                for (i, block) in self.branches.iter().enumerate() {
                    branches::visit((&i.to_string(), block), show);
                }
            }

            fn visit_params_mut(&mut self, show: &mut dyn FnMut(&str, &mut Param<F>)) {
                for (i, block) in self.branches.iter_mut().enumerate() {
                    branches::visit_mut(&i.to_string(), block, show);
                }
            }
        }

        $(#[$about_spec])*
        #[derive(Debug)]
        pub struct $spec<F: Scalar = f32> {
            branches: Vec<SequentialBuilder<F>>,
        }

        impl<F: Scalar> LayerSpec<F> for $spec<F> {
            type Layer = $layer<F>;

            /// Builds each branch, drawing from the stream of its number.
            fn build(self, input: &[usize], random: &Random) -> Result<$layer<F>> {
                Ok($layer { branches: branches::build(self.branches, input, random)? })
            }
        }
    };
}

pub(super) use joined;
