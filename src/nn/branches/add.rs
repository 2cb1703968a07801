//! The sum of branches.
//!
//! With `y = Σ_b f_b(x)`, each branch gets the output's gradient unchanged, and the input's gradient is the sum of the
//! gradients that the branches return.

use super::join::{Join, joined, none};
use super::{added, check_equal};
use crate::error::Result;
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

joined! {
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
    Add, "add", Sum;

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
    of;

    /// The spec of an [`Add`] layer, from [`Add::of`].
    AddSpec;
}

/// The sum of the outputs, from the first branch to the last.
struct Sum;

/// The advice for outputs of different shapes.
const HELP: &str = "Numbers are added one by one; give all branches one shape, or join them with `Concat`.";

impl Join for Sum {
    fn shape(outputs: &[&[usize]]) -> Result<Vec<usize>> {
        check_equal(outputs, HELP)?;
        outputs.first().map(|shape| shape.to_vec()).ok_or_else(none)
    }

    fn wiring() -> Wiring {
        Wiring::Sum { and_input: false }
    }

    fn forward<F: Scalar>(outputs: Vec<Tensor<F>>) -> Result<Tensor<F>> {
        let shapes: Vec<&[usize]> = outputs.iter().map(|y| y.shape()).collect();
        check_equal(&shapes, HELP)?;
        outputs.into_iter().reduce(added).ok_or_else(none)
    }

    fn forward_kept<F: Scalar>(outputs: Vec<Tensor<F>>) -> Result<(Tensor<F>, Vec<Tensor<F>>)> {
        Ok((Self::forward(outputs)?, Vec::new()))
    }

    fn backward<F: Scalar>(_: Vec<Tensor<F>>, count: usize, grad: Tensor<F>) -> Result<Vec<Tensor<F>>> {
        Ok((0..count).map(|_| copy(&grad)).collect())
    }

    /// Any real numbers.
    fn known(_: OutputActivation) -> OutputActivation {
        OutputActivation::Linear
    }
}
