//! The maximum of branches.
//!
//! With `y = max_b f_b(x)`, the output's gradient goes to the branch whose number was taken.

use super::fold::Fold;
use super::join::{Join, joined};
use crate::error::Result;
use crate::kernels::{Binary, Scalar};
use crate::nn::ModelCache;
use crate::nn::erased::Mode;
use crate::nn::parts::BoxedLayer;
use crate::nn::sequential::{Sequential, SequentialBuilder};
use crate::nn::{Layer, LayerSpec, OutputActivation, Part, Wiring, branches, check_gradient};
use crate::param::Param;
use crate::random::Random;
use crate::state::Kind;
use crate::tensor::{Tensor, standard};
use serde::{Deserialize, Serialize};

joined! {
    /// Parallel blocks on one input, with the largest of their outputs, number by number: `y = max_b block_b(x)`.
    ///
    /// | | shape |
    /// |---|---|
    /// | input | any shape that all blocks take |
    /// | output | that to which the blocks' broadcast: sizes are equal, or 1, from the last axis on |
    ///
    /// Keras' `Maximum` of the outputs of several models. With blocks of `Dense` layers it is maxout, of Goodfellow et al.,
    /// 2013. NaN in one of the outputs is NaN in the result. Of equal numbers the first gets the gradient. Parameters are
    /// named as in [`Add`](crate::nn::Add).
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let piece = || Sequential::block().layer(Dense::units(16));
    /// let maxout = Maximum::of([piece(), piece(), piece()]);
    /// let model = Sequential::builder([8]).layer(maxout).layer(Dense::units(3)).layer(Softmax).build()?;
    /// assert_eq!(model.parameter_count(), 3 * (8 * 16 + 16) + 16 * 3 + 3);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    Maximum, "maximum", Largest;

    /// Returns the spec of the maximum of these blocks, at least one.
    of;

    /// The spec of a [`Maximum`] layer, from [`Maximum::of`].
    MaximumSpec;
}

/// The largest of the outputs, the first of equal ones.
struct Largest;

impl Fold for Largest {
    const FUNCTION: Binary = Binary::Maximum;
    const WIRING: Wiring = Wiring::Maximum;

    /// What holds for each number, holds for the largest.
    fn known(of_outputs: OutputActivation) -> OutputActivation {
        of_outputs.of_numbers()
    }
}
