//! What metrics count, and [`Metric`](super::Metric) made of it.

use super::batch::Given;
use super::decision::Told;
use crate::error::Result;
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::state::{Kind, State};

/// A [`Metric`](super::Metric) that is written once for all element types and forms of targets: what counts, without
/// the two types. Its methods are those of `Metric`, by the same names; [`metric`] adds `Metric` itself.
pub(super) trait Counted {
    /// That of the kind, where nothing is added to it.
    fn name(&self) -> &str {
        self.kind().name()
    }
    fn direction(&self) -> Direction;
    /// Refuses predictions that would be misread.
    fn begin(&mut self, _: &Told) -> Result<()> {
        Ok(())
    }
    fn reset(&mut self);
    /// Loops over numbers stand in functions that are not generic, so that they are compiled in this crate.
    fn update<F: Scalar>(&mut self, given: Given<'_, F>) -> Result<()>;
    fn value(&self) -> f64;
    fn kind(&self) -> Kind;
    fn state<F: Scalar>(&self) -> State<F>;
    fn load_state<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()>;
}

/// Writes `Metric` for a metric over its forms of targets, and its value without naming types. The metric is
/// [`Counted`] itself, or has a part that is, and says which: `self => self.0`.
///
/// It is a macro since `impl<M: Counted> Metric<T, F> for M` collides with the `Metric` of `Box<M>`: for all that the
/// compiler knows, another crate could have a box that is `Counted`.
macro_rules! metric {
    ($metric:ident: $($target:ty),+) => {
        crate::metrics::counted::metric!($metric: $($target),+; self => *self);
    };
    ($metric:ident: $($target:ty),+; $this:ident => $part:expr) => {
        // What is imported here is not, where the macro is called.
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
                /// The value over everything since the last reset, as [`Metric::value`](crate::metrics::Metric::value),
                /// without saying for which targets and element type: it is the same for all.
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
