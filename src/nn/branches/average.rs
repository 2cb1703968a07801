//! The mean of branches.
//!
//! With `y = Σ_b f_b(x) / n`, each branch gets the output's gradient divided by `n`.

use super::join::{Join, joined, none};
use super::{added, check_equal};
use crate::error::Result;
use crate::kernels::Scalar;
use crate::nn::ModelCache;
use crate::nn::erased::Mode;
use crate::nn::parts::BoxedLayer;
use crate::nn::sequential::{Sequential, SequentialBuilder};
use crate::nn::{Layer, LayerSpec, OutputActivation, Part, Wiring, branches, check_gradient};
use crate::param::Param;
use crate::random::Random;
use crate::state::Kind;
use crate::tensor::{Tensor, copy, slice_mut, standard};
use serde::{Deserialize, Serialize};

joined! {
    /// Parallel blocks on one input, with the mean of their outputs: `y = Σ_b block_b(x) / branches`.
    ///
    /// | | shape |
    /// |---|---|
    /// | input | any shape that all blocks take |
    /// | output | that of every block |
    ///
    /// Keras' `Average` of the outputs of several models: an ensemble in one model, if the blocks end in softmax. Parameters
    /// are named as in [`Add`](crate::nn::Add).
    ///
    /// ```
    /// use plywood::nn::Average;
    /// use plywood::prelude::*;
    ///
    /// let expert = || Sequential::block().layer(Dense::units(16)).layer(Tanh).layer(Dense::units(3)).layer(Softmax);
    /// let model = Sequential::builder([8]).seed(1).layer(Average::of([expert(), expert(), expert()])).build()?;
    /// let p = model.predict(&plywood::ndarray::Array2::<f32>::ones((1, 8)))?;
    /// assert!((p.sum() - 1.0).abs() < 1e-6); // still a distribution
    /// # Ok::<(), plywood::Error>(())
    /// ```
    Average, "average", Mean;

    /// Returns the spec of the mean of these blocks, at least one.
    of;

    /// The spec of an [`Average`] layer, from [`Average::of`].
    AverageSpec;
}

/// The mean of the outputs.
struct Mean;

/// The advice for outputs of different shapes.
const HELP: &str =
    "Numbers are averaged one by one; give all branches one shape, or join them with `Concat`.";

fn share<F: Scalar>(count: usize) -> F {
    F::of(1.0 / count as f64)
}

impl Join for Mean {
    fn shape(outputs: &[&[usize]]) -> Result<Vec<usize>> {
        check_equal(outputs, HELP)?;
        outputs.first().map(|shape| shape.to_vec()).ok_or_else(none)
    }

    fn wiring() -> Wiring {
        Wiring::Mean
    }

    fn forward<F: Scalar>(outputs: Vec<Tensor<F>>) -> Result<Tensor<F>> {
        let (shapes, count): (Vec<&[usize]>, _) =
            (outputs.iter().map(|y| y.shape()).collect(), outputs.len());
        check_equal(&shapes, HELP)?;
        let mut mean = outputs.into_iter().reduce(added).ok_or_else(none)?;
        F::scale(slice_mut(&mut mean), share(count));
        Ok(mean)
    }

    fn forward_kept<F: Scalar>(outputs: Vec<Tensor<F>>) -> Result<(Tensor<F>, Vec<Tensor<F>>)> {
        Ok((Self::forward(outputs)?, Vec::new()))
    }

    fn backward<F: Scalar>(_: Vec<Tensor<F>>, count: usize, mut grad: Tensor<F>) -> Result<Vec<Tensor<F>>> {
        F::scale(slice_mut(&mut grad), share(count));
        Ok((0..count).map(|_| copy(&grad)).collect())
    }

    /// A mean of distributions is one, and a mean stays within a range; the logarithms of distributions have none.
    fn known(of_outputs: OutputActivation) -> OutputActivation {
        match of_outputs {
            OutputActivation::LogSoftmax => OutputActivation::Linear,
            known => known,
        }
    }
}
