//! A network of the study with its training settings, and a run of it.

use plywood::nn::SequentialBuilder;
use plywood::optim::UpdateRule;
use plywood::prelude::*;
use plywood::train::History;
use std::time::Instant;

/// The activation behind each hidden dense layer.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Activation {
    Sigmoid,
    Tanh,
    Relu,
}

/// The update rule.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Optimizer {
    Sgd,
    Adam,
}

/// A network with two hidden layers and ten outputs: all settings that a comparison may change.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Setting {
    pub activation: Activation,
    /// The dropout rate behind each hidden layer; 0 for none.
    pub dropout: f64,
    /// The units of each of the two hidden layers.
    pub width: usize,
    pub initializer: Initializer,
    pub optimizer: Optimizer,
    pub rate: f64,
    pub batch: usize,
    pub epochs: usize,
}

/// The tutorial's settings: plain SGD at 0.01, batches of 1000, ten epochs.
impl Default for Setting {
    fn default() -> Self {
        Self {
            activation: Activation::Relu,
            dropout: 0.0,
            width: 128,
            initializer: Initializer::GlorotUniform,
            optimizer: Optimizer::Sgd,
            rate: 0.01,
            batch: 1000,
            epochs: 10,
        }
    }
}

/// The results of a run.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Run {
    pub seed: u64,
    /// "accuracy" is the mean over the batches of an epoch during training, "val_accuracy" is measured on the test
    /// images.
    pub history: History,
    /// On all training images, in inference mode, after the last epoch.
    pub train_accuracy: f64,
    pub train_loss: f64,
    /// On the test images, after the last epoch.
    pub test_accuracy: f64,
    pub test_loss: f64,
    pub parameters: usize,
    pub seconds: f64,
}

impl Setting {
    /// Trains the network with this seed, and evaluates it.
    pub fn run<D>(&self, seed: u64, train: &D, test: &D) -> Result<Run>
    where
        D: Dataset<Target = Vec<usize>>,
    {
        match self.optimizer {
            Optimizer::Sgd => self.run_by(SGD::default(), seed, train, test),
            Optimizer::Adam => self.run_by(Adam::default(), seed, train, test),
        }
    }

    fn run_by<R, D>(&self, rule: R, seed: u64, train: &D, test: &D) -> Result<Run>
    where
        R: UpdateRule,
        D: Dataset<Target = Vec<usize>>,
    {
        let start = Instant::now();
        let mut model = self.model(seed)?;
        let mut trainer = self.trainer(rule, seed);
        let history = trainer.fit_with_validation(&mut model, train, test)?;
        let seconds = start.elapsed().as_secs_f64();
        let (on_train, on_test) = (trainer.evaluate(&model, train)?, trainer.evaluate(&model, test)?);
        let accuracy = |found: &plywood::train::Evaluation| found.get("accuracy").unwrap_or(f64::NAN);
        Ok(Run {
            seed,
            history,
            train_accuracy: accuracy(&on_train),
            train_loss: on_train.loss,
            test_accuracy: accuracy(&on_test),
            test_loss: on_test.loss,
            parameters: model.parameter_count(),
            seconds,
        })
    }

    /// Describes the run in one line, for progress.
    pub fn describe(&self, seed: u64) -> String {
        let Self { activation, dropout, width, optimizer, rate, batch, epochs, .. } = self;
        format!(
            "{width} {activation:?}, dropout {dropout}, {optimizer:?} {rate}, batch {batch}, {epochs} epochs, seed {seed}"
        )
    }

    /// Returns the trainer for a run.
    pub fn trainer<R: UpdateRule>(&self, rule: R, seed: u64) -> Trainer<CrossEntropy> {
        Trainer::new(CrossEntropy::default(), rule)
            .learning_rate(self.rate)
            .epochs(self.epochs)
            .batch_size(self.batch)
            .seed(seed)
            .metric(Accuracy::default())
            .progress(Progress::Silent)
    }

    /// Builds Flatten, twice Dense and activation (and dropout), Dense 10, Softmax.
    pub fn model(&self, seed: u64) -> Result<Sequential> {
        let mut builder = Sequential::builder([28, 28]).seed(seed).layer(Flatten);
        for _ in 0..2 {
            let dense = Dense::units(self.width).initializer(self.initializer);
            builder = self.activation.after(builder.layer(dense));
            if self.dropout > 0.0 {
                builder = builder.layer(Dropout::rate(self.dropout));
            }
        }
        builder.layer(Dense::units(10).initializer(self.initializer)).layer(Softmax).build()
    }
}

impl Activation {
    fn after(self, builder: SequentialBuilder) -> SequentialBuilder {
        match self {
            Self::Sigmoid => builder.layer(Sigmoid),
            Self::Tanh => builder.layer(Tanh),
            Self::Relu => builder.layer(ReLU),
        }
    }
}
