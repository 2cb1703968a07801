//! [`Normalized`]: a data set with normalized inputs.

use super::Normalizer;
use crate::data::pass_on;
use crate::data::{Batch, Dataset, Pass};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::slice_mut;

impl Normalizer {
    /// Returns the data set with normalized inputs. `data` may be a reference.
    ///
    /// Targets and weights stay as they are. The inputs must have the shape that was fitted; this is checked when
    /// they are read.
    pub fn apply<D>(&self, data: D) -> Normalized<D> {
        self.normalized(None, data)
    }

    /// [`apply`](Normalizer::apply) for data with several inputs: normalizes the one with this name.
    pub fn apply_on<D>(&self, input: impl Into<String>, data: D) -> Normalized<D> {
        self.normalized(Some(input.into()), data)
    }

    fn normalized<D>(&self, input: Option<String>, data: D) -> Normalized<D> {
        let factor = self.scale.iter().map(|w| w.recip()).collect();
        Normalized { data, input, normalizer: self.clone(), factor }
    }
}

/// A data set whose inputs are normalized when they are read; [`Normalizer::apply`] returns it.
///
/// Reading takes one additional pass over the batch.
#[derive(Clone, Debug)]
pub struct Normalized<D> {
    data: D,
    /// The name of the input, of several.
    input: Option<String>,
    normalizer: Normalizer,
    /// `1 / scale`.
    factor: Vec<f64>,
}

#[deny(clippy::missing_trait_methods)]
impl<F: Scalar, D: Dataset<F>> Dataset<F> for Normalized<D> {
    type Target = D::Target;

    pass_on!(len, is_empty, input_shapes, class_names, class_names_of, target_name, remarks, prefetch);

    /// A number that is finite may be too large when it is normalized.
    fn is_finite(&self) -> bool {
        false
    }

    fn read(&self, indices: &[usize], pass: Pass, batch: &mut Batch<F, D::Target>) -> Result<()> {
        self.data.read(indices, pass, batch)?;
        let mut normalize = || {
            let (at, _) = self.data.input_shapes().chosen(self.input.as_deref(), "apply_on")?;
            let mut input = self.normalizer.checked(batch.take_input_at(at))?;
            F::shift_scale_rows(slice_mut(&mut input), &self.normalizer.center, &self.factor);
            batch.set_input_at(at, input);
            Ok(())
        };
        normalize().map_err(|error: Error| error.at("normalizer"))
    }

    fn read_targets(&self, indices: &[usize], batch: &mut Batch<F, D::Target>) -> Result<bool> {
        self.data.read_targets(indices, batch)
    }
}
