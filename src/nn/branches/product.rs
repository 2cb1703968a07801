//! The product of branches.
//!
//! With `y = Π_b f_b(x)`, branch `b` gets the output's gradient times the product of the other branches' outputs, added up
//! over what was repeated.

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
    /// Parallel blocks on one input, with the product of their outputs, number by number: `y = Π_b block_b(x)`.
    ///
    /// | | shape |
    /// |---|---|
    /// | input | any shape that all blocks take |
    /// | output | that to which the blocks' broadcast: sizes are equal, or 1, from the last axis on |
    ///
    /// A gate: Keras' `Multiply` of the outputs of several models, and `x * gate(x)` in PyTorch. Parameters are named as in
    /// [`Add`](crate::nn::Add), and an empty block returns its input. NaN in one of the outputs is NaN in the product.
    ///
    /// Squeeze-and-excitation, of Hu, Shen and Sun, 2018: a factor for each channel of an image, `[batch, channels, 1, 1]`.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let gate = Sequential::block()
    ///     .layer(GlobalAvgPool)
    ///     .layer(Dense::units(4)).layer(ReLU)
    ///     .layer(Dense::units(16)).layer(Sigmoid)
    ///     .layer(Reshape::to([16, 1, 1]));
    /// let model = Sequential::builder([3, 9, 9])
    ///     .layer(Conv2d::filters(16, 3))
    ///     .layer(Product::of([Sequential::block(), gate]))
    ///     .build()?;
    /// assert_eq!(model.output_shape(), [16, 7, 7]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    Product, "product", Times;

    /// Returns the spec of a product of these blocks, at least one.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let units = |n| Sequential::block().layer(Dense::units(n));
    /// let error = Sequential::builder([8]).layer(Product::of([units(4), units(3)])).build().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "layer 0 (product): the output of branch 1 must broadcast with [4]: sizes equal, or 1, from the last \
    ///      axis on, got [3]. Give the branches such shapes, with `Reshape`, or join them with `Concat`."
    /// );
    /// ```
    of;

    /// The spec of a [`Product`] layer, from [`Product::of`].
    ProductSpec;
}

/// The product of the outputs, from the first branch to the last.
struct Times;

impl Fold for Times {
    const FUNCTION: Binary = Binary::Multiply;
    const WIRING: Wiring = Wiring::Product;

    /// What holds for products of two such numbers.
    fn known(of_outputs: OutputActivation) -> OutputActivation {
        use OutputActivation::{Bounded, Linear, NonNegative, Sigmoid, Softmax, UnitInterval};
        match of_outputs {
            Sigmoid | Softmax | UnitInterval => UnitInterval,
            NonNegative | Bounded => of_outputs,
            _ => Linear,
        }
    }
}
