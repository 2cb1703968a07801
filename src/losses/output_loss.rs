//! [`OutputLoss`]: the loss that the model itself returns.

use super::{Loss, LossSum, sample_weights};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::Outputs;
use crate::tensor::{Tensor, slice_mut, standard};

/// The output itself as the loss of a sample, for a model that computes its loss: the divergence of a variational
/// autoencoder, the margin of a triplet, a penalty. It reads no target.
///
/// ```text
/// l_i = y_i                    the gradient of Σ w_i · l_i / d is w_i / d
/// ```
///
/// The output is `[batch]` or `[batch, 1]`. In Keras it is `add_loss`; in PyTorch the loop calls `backward` of it.
///
/// ```
/// use plywood::ndarray::Array2;
/// use plywood::prelude::*;
///
/// let g = Graph::builder().seed(1);
/// let towers = ["anchor", "like", "unlike"].map(|name| g.input(name, [6]));
/// let [anchor, like, unlike] = g.shared(Dense::units(3), towers);
/// let distance = |near: bool| (anchor - if near { like } else { unlike }).square().sum(-1);
/// g.output("triplet", (distance(true) - distance(false) + 0.5).relu());
/// g.output("embedding", anchor);
/// let mut model = g.build()?;
///
/// let x = |k: usize| Array2::from_shape_fn((40, 6), |(i, j)| ((i * k + j) % 5) as f32 / 5.0);
/// let data = Arrays::builder().input("anchor", x(1)).input("like", x(6)).input("unlike", x(2)).targets(())?;
/// let losses = Losses::of("triplet", OutputLoss).without_loss("embedding");
/// let mut trainer = Trainer::new(losses, Adam::default()).epochs(9).progress(Progress::Silent);
/// let history = trainer.fit(&mut model, &data)?;
/// assert!(history.last("triplet_loss") < history.first("triplet_loss"));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Data without targets have `()`, as here. A formula of the output, and not the output itself, is
/// [`GraphLoss::output`](super::GraphLoss::output).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLoss;

impl<F: Scalar> Loss<F> for OutputLoss {
    type Target = ();

    fn value_and_grad(
        &self,
        output: Tensor<F>,
        (): &(),
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        let shape = output.shape();
        self.check(shape.get(1..).unwrap_or(&[0]))?;
        let mut grad = standard(output);
        let (mut sum, weights) = (LossSum::default(), sample_weights(weights, grad.len())?);
        for (y, weight) in slice_mut(&mut grad).iter_mut().zip(weights) {
            sum.add(weight.as_f64(), y.as_f64());
            *y = weight / F::of(divisor);
        }
        Ok((sum, grad))
    }

    fn outputs(&self) -> Outputs {
        Outputs::Numbers
    }

    fn check_output(&self, output: &[usize]) -> Result<()> {
        self.check(output)
    }
}

impl OutputLoss {
    fn check(self, output: &[usize]) -> Result<()> {
        match output {
            [] | [1] => Ok(()),
            _ => Err(Error::shape("an output that is its own loss", "[] or [1]", output)
                .help("Reduce it to one number a sample, for example with `mean(-1)`.")),
        }
    }
}
