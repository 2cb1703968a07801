//! The counting part of the metrics, and a macro that implements [`Metric`](super::Metric) with it.

use super::batch::Given;
use super::decision::Told;
use crate::error::Result;
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::state::{Kind, State};

/// The part of a [`Metric`](super::Metric) that is written once for all element types and forms of targets. Its methods
/// are those of `Metric`, with the same names; [`metric`] implements `Metric` itself.
pub(super) trait Counted {
    /// Returns the metric's name. The default is the name of its kind.
    fn name(&self) -> &str {
        self.kind().name()
    }
    fn direction(&self) -> Direction;
    /// Refuses predictions that would be misread.
    fn begin(&mut self, _: &Told) -> Result<()> {
        Ok(())
    }
    fn reset(&mut self);
    /// Adds a batch. Loops over values belong in functions that are not generic, so that they are compiled in this
    /// crate. Only `Accuracy` has a generic loop, which needs no copy of the batch.
    fn update<F: Scalar>(&mut self, given: Given<'_, F>) -> Result<()>;
    fn value(&self) -> f64;
    fn kind(&self) -> Kind;
    fn state<F: Scalar>(&self) -> State<F>;
    fn load_state<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()>;
}

/// Implements `Metric` for a metric and its forms of targets, and adds a method `value` that needs no type annotations.
/// The metric is [`Counted`] itself, or it names a part that is: `self => self.0`.
///
/// It is a macro because `impl<M: Counted> Metric<T, F> for M` collides with the `Metric` of `Box<M>`: as far as the
/// compiler knows, another crate could have a box that is `Counted`.
macro_rules! metric {
    ($metric:ident: $($target:ty),+) => {
        crate::metrics::counted::metric!($metric: $($target),+; self => *self);
    };
    ($metric:ident: $($target:ty),+; $this:ident => $part:expr) => {
        // The block keeps these imports out of the module that calls the macro.
        const _: () = {
            use crate::error::Result;
            use crate::kernels::Scalar;
            use crate::metrics::Metric;
            use crate::metrics::batch::{Given, Target};
            use crate::metrics::counted::Counted;
            use crate::metrics::decision::Told;
            use crate::monitor::Direction;
            use crate::nn::Outputs;
            use crate::state::{Kind, State};
            use crate::tensor::Tensor;

            impl $metric {
                /// Returns the value over everything since the last reset, like
                /// [`Metric::value`](crate::metrics::Metric::value), but without naming the types of targets and
                /// elements: the value is the same for all.
                pub fn value(&$this) -> f64 {
                    Counted::value(&$part)
                }
            }

            $(impl<F: Scalar> Metric<$target, F> for $metric {
                fn name(&$this) -> &str {
                    Counted::name(&$part)
                }

                fn direction(&$this) -> Option<Direction> {
                    Some(Counted::direction(&$part))
                }

                fn begin(&mut $this, outputs: Outputs, shape: &[usize]) -> Result<()> {
                    let indices = <$target as Target<F>>::INDICES;
                    let told = Told { outputs, units: shape.iter().product(), indices };
                    Counted::begin(&mut $part, &told).map_err(|error| error.at(Counted::name(&$part)))
                }

                fn reset(&mut $this) {
                    Counted::reset(&mut $part);
                }

                fn update(&mut $this, output: &Tensor<F>, target: &$target, weights: Option<&[F]>) -> Result<()> {
                    let given = Given { output, targets: target.targets(), weights };
                    Counted::update(&mut $part, given).map_err(|error| error.at(Counted::name(&$part)))
                }

                fn value(&$this) -> f64 {
                    Counted::value(&$part)
                }

                fn kind(&$this) -> Option<Kind> {
                    Some(Counted::kind(&$part))
                }

                fn state(&$this) -> Option<State<F>> {
                    Some(Counted::state(&$part))
                }

                fn load_state(&mut $this, state: &mut State<F>) -> Result<()> {
                    Counted::load_state(&mut $part, state)
                }
            })+
        };
    };
}
pub(super) use metric;
