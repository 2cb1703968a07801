//! [`GradientNorms`]: the callback that records the norms of gradients.

use super::{Callback, Context};
use crate::error::Result;
use crate::gradient_trace::GradientTrace;
use crate::kernels::Scalar;
use crate::nn::Model;
use crate::optim::merge_rows;
use crate::param::Gradient;
use crate::shown::count;
use crate::state::{Kind, State, misfit};
use crate::tensor::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Records the norm of each layer's gradient every `steps` steps.
///
/// The trainer takes a clone, which shares its record with the original:
///
/// ```
/// use plywood::train::GradientNorms;
/// use plywood::prelude::*;
///
/// let data = ArrayDataset::new(plywood::ndarray::Array2::<f32>::ones((40, 2)), vec![1; 40])?;
/// let mut model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build()?;
/// let norms = GradientNorms::every(2);
/// let trainer = Trainer::new(CrossEntropy::default(), SGD::default()).batch_size(10).callback(norms.clone());
/// trainer.progress(Progress::Silent).fit(&mut model, &data)?;
/// let trace = norms.trace();
/// assert_eq!(trace.steps, [1, 3]);
/// assert_eq!(trace.layers[0].0, "0");
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The norm is the square root of the sum of squares over a layer's trainable parameters, before any clipping.
/// Recording a step computes all of its gradients in full, so record only every 10th or 100th step of a long training.
/// A later `fit` continues the same record.
#[derive(Clone, Debug)]
pub struct GradientNorms {
    every: u64,
    trace: Arc<Mutex<GradientTrace>>,
}

impl GradientNorms {
    /// Records the first step, and then every `steps`-th one; 0 acts as 1.
    pub fn every(steps: u64) -> Self {
        Self { every: steps.max(1), trace: Arc::default() }
    }

    /// Returns the norms recorded so far.
    pub fn trace(&self) -> GradientTrace {
        self.lock().clone()
    }

    /// After a panic in another thread the trace is unchanged, so it can still be read.
    fn lock(&self) -> MutexGuard<'_, GradientTrace> {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Scalar> Callback<F> for GradientNorms {
    fn on_gradients(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        let step = context.step();
        if !(step - 1).is_multiple_of(self.every) {
            return Ok(());
        }
        let mut squares: Vec<(String, f64)> = Vec::new();
        context.model_mut().each_param_mut(&mut |name, param| {
            let sum = match param.both() {
                Some((_, Gradient::Dense(gradient))) => F::sum_squares(slice(gradient)),
                Some((value, Gradient::Rows { ids, values })) => {
                    // Two entries with the same id are one row: the optimizer merges them in the same way.
                    merge_rows(ids, values, value.shape()[1..].iter().product());
                    F::sum_squares(values)
                }
                None => return,
            };
            let layer = name.rsplit_once('.').map_or(name, |(layer, _)| layer);
            match squares.last_mut() {
                Some((last, total)) if last == layer => *total += sum,
                _ => squares.push((layer.to_owned(), sum)),
            }
        });
        let norms = squares.into_iter().map(|(layer, sum)| (layer, sum.sqrt())).collect();
        self.lock().push(step, norms);
        Ok(())
    }

    fn kind(&self) -> Option<Kind> {
        Some(Kind::builtin("gradient_norms"))
    }

    /// The whole record.
    fn state(&self) -> Option<State<F>> {
        let trace = self.lock();
        let layers = trace.layers.iter();
        let norms = layers.fold(State::new(), |state, (name, norms)| state.list(name, norms.iter().copied()));
        Some(State::new().integers("steps", trace.steps.iter().copied()).nested("norms", norms))
    }

    fn load_state(&mut self, state: &mut State<F>, _: &dyn Model<F>) -> Result<()> {
        let (steps, mut norms) = (state.take_integers("steps")?, state.take_nested("norms")?);
        let names: Vec<String> = norms.names().map(str::to_owned).collect();
        let mut layers = Vec::with_capacity(names.len());
        for name in names {
            let norms = norms.take_list(&name)?;
            if norms.len() != steps.len() {
                return Err(misfit(
                    &name,
                    format!("have {}", count(steps.len(), "norm", "norms")),
                    norms.len().to_string(),
                ));
            }
            layers.push((name, norms));
        }
        norms.finish()?;
        *self.lock() = GradientTrace { steps, layers };
        Ok(())
    }
}
