//! A model whose predictions wait until a test lets them go on.

use plywood::nn::check_gradient;
use plywood::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The gate of a model. It is open at first, because a model predicts when it is loaded.
#[derive(Clone, Copy)]
pub struct Gate(usize);

#[derive(Default)]
struct State {
    shut: bool,
    /// The predictions that wait.
    waiting: usize,
}

static GATES: Mutex<BTreeMap<usize, State>> = Mutex::new(BTreeMap::new());
static CHANGED: Condvar = Condvar::new();

fn gates() -> MutexGuard<'static, BTreeMap<usize, State>> {
    GATES.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gate {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        Self(COUNT.fetch_add(1, Ordering::Relaxed))
    }

    /// A predictor that answers with the two numbers that it is given.
    pub fn predictor(self) -> Predictor {
        let model = Sequential::builder([2]).layer(Gated { gate: self.0 }).build().unwrap();
        Predictor::new(model).input(Features::of_shape([2])).output(Numbers::unnamed()).build().unwrap()
    }

    pub fn shut(self) {
        gates().entry(self.0).or_default().shut = true;
    }

    pub fn open(self) {
        gates().entry(self.0).or_default().shut = false;
        CHANGED.notify_all();
    }

    /// Waits until so many predictions wait.
    pub fn wait_for(self, predictions: usize) {
        let mut gates = gates();
        while gates.entry(self.0).or_default().waiting < predictions {
            gates = CHANGED.wait(gates).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Returns its input.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Gated {
    gate: usize,
}

impl<F: Scalar> Layer<F> for Gated {
    const KIND: Kind = Kind::own("tests.gated");
    type Cache = Vec<usize>;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(input.to_vec())
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        // So slow that no handler predicts it on its own thread.
        std::thread::sleep(Duration::from_micros(200));
        let mut gates = gates();
        gates.entry(self.gate).or_default().waiting += 1;
        CHANGED.notify_all();
        while gates.entry(self.gate).or_default().shut {
            gates = CHANGED.wait(gates).unwrap_or_else(PoisonError::into_inner);
        }
        gates.entry(self.gate).or_default().waiting -= 1;
        Ok(input)
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Vec<usize>)> {
        let shape = input.shape().to_vec();
        Ok((self.forward(input)?, shape))
    }

    fn backward(&mut self, shape: Vec<usize>, grad: Tensor<F>) -> Result<Tensor<F>> {
        check_gradient(&grad, &shape)?;
        Ok(grad)
    }
}
