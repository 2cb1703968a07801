//! The settings of a trainer, which do not change during training.

use crate::data::Dataset;
use crate::data::feed::Feed;
use crate::error::{Error, Result};
use crate::infer::check_data;
use crate::io::checkpoint::RunSettings;
use crate::kernels::Scalar;
use crate::losses::Loss;
use crate::metrics::Metric;
use crate::nn::{Model, Registry};
use crate::random::Random;
use crate::target::AsTarget;
use crate::train::callbacks::progress::Progress;
use crate::train::checkpoint_folder::Checkpoints;
use crate::train::compatibility::{begin_metrics, check_targets, check_training};
use crate::train::objective::Objective;

/// The settings of a trainer.
pub(in crate::train) struct Settings<L: Loss<F>, F: Scalar> {
    /// Applied to each batch, in training and in validation.
    pub loss: L,
    pub epochs: usize,
    pub batch_size: Option<usize>,
    pub shuffle: bool,
    pub validation_split: Option<f64>,
    /// `None`: the data set decides.
    pub prefetch: Option<usize>,
    /// Determines the order of samples and nothing else.
    pub random: Random,
    /// The seed of `random`, to be compared with a checkpoint's.
    pub seed: u64,
    /// `None`: no checkpoints are written.
    pub checkpoints: Option<Checkpoints>,
    /// `None`: the built-in layers.
    pub registry: Option<Registry<F>>,
    pub progress: Progress,
}

impl<L: Loss<F>, F: Scalar> Settings<L, F> {
    /// One epoch, batches of 32, shuffled.
    pub fn new(loss: L) -> Self {
        Self {
            loss,
            epochs: 1,
            batch_size: None,
            shuffle: true,
            validation_split: None,
            prefetch: None,
            random: Random::seed(0).child("trainer"),
            seed: 0,
            checkpoints: None,
            registry: None,
            progress: Progress::default(),
        }
    }

    pub fn batch_size_for(&self, samples: usize) -> usize {
        self.batch_size.unwrap_or_else(|| samples.min(32))
    }

    /// Returns the positions of all samples, in the order of the next epoch.
    pub fn order(&self, samples: usize, epochs_done: u64) -> Vec<usize> {
        let mut order: Vec<usize> = (0..samples).collect();
        if self.shuffle {
            self.random.child("shuffle").at(epochs_done, 0).shuffle(&mut order);
        }
        order
    }

    /// Checks everything that needs no computation, begins the metrics, and returns how loss and data belong to the model. `Optimizer::check_next` checks the learning
    /// rate and the norm for clipping, and each step the update rule's hyperparameters.
    pub fn check<T: AsTarget<L::Target> + Default + Send>(
        &self,
        model: &dyn Model<F>,
        data: &dyn Dataset<F, Target = T>,
        metrics: &mut [Box<dyn Metric<L::Target, F>>],
    ) -> Result<(Objective<'_, F, L::Target>, Feed)> {
        let feed = check_data(model.as_infer(), data)?;
        let objective = Objective::new(model.as_infer(), &self.loss)?;
        check_training(model, &objective)?;
        begin_metrics(model.as_infer(), &objective, metrics)?;
        check_targets(model.as_infer(), &objective, data)?;
        if self.epochs == 0 {
            return Err(
                Error::argument("epochs", "at least 1", 0).help("Give the number of passes over the data.")
            );
        }
        self.check_batch_size(model, data.len())?;
        Ok((objective, feed))
    }

    /// Checks the batch size for this many samples, and the size of the last batch.
    pub fn check_batch_size(&self, model: &dyn Model<F>, samples: usize) -> Result<()> {
        match self.batch_size {
            Some(size) if size == 0 || size > samples => {
                let expected = format!("from 1 to {samples}, the number of training samples");
                Err(Error::argument("the batch size", expected, size)
                    .help("Usual batches have 32 to 64 samples."))
            }
            _ => model.check_samples(self.batch_size_for(samples)),
        }
    }

    /// Returns the settings that must not change in a resumed run.
    pub fn of_run(&self, samples: usize, batches_per_step: u64) -> RunSettings {
        RunSettings {
            seed: self.seed,
            shuffle: self.shuffle,
            batch_size: self.batch_size_for(samples) as u64,
            batches_per_step,
            samples: samples as u64,
        }
    }
}
