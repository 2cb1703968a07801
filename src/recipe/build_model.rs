//! [`BuildModel`]: builders of models of any type.

use crate::error::Result;
use crate::nn::{GraphBuilder, Model, SequentialBuilder};

/// What a recipe's closure for the model returns: a builder, whose seed the recipe sets, or a result with one.
///
/// It is implemented for the builders of [`Sequential`](crate::nn::Sequential) and [`Graph`](crate::nn::Graph).
pub trait BuildModel: sealed::Sealed {
    /// Builds the model with the initial weights of this seed.
    #[doc(hidden)]
    fn build_with(self, seed: u64) -> Result<Box<dyn Model>>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::nn::SequentialBuilder {}
    impl Sealed for crate::nn::GraphBuilder {}
    impl<B: Sealed> Sealed for crate::error::Result<B> {}
}

impl BuildModel for SequentialBuilder {
    fn build_with(self, seed: u64) -> Result<Box<dyn Model>> {
        Ok(Box::new(self.seed(seed).build()?))
    }
}

impl BuildModel for GraphBuilder {
    fn build_with(self, seed: u64) -> Result<Box<dyn Model>> {
        Ok(Box::new(self.seed(seed).build()?))
    }
}

impl<B: BuildModel> BuildModel for Result<B> {
    fn build_with(self, seed: u64) -> Result<Box<dyn Model>> {
        self.and_then(|builder| builder.build_with(seed))
    }
}
