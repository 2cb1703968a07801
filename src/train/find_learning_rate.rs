//! The learning-rate range test: [`LearningRateCurve`].

use super::compatibility::{check_targets, check_trainable, check_training};
use super::objective::{Objective, finite, no_weight};
use super::trainer::non_finite::in_training;
use super::trainer::settings::Settings;
use super::trainer::{Trainer, step};
use crate::codec::{checked, contradicts};
use crate::data::feed::Feed;
use crate::data::{Batch, Dataset, Pass};
use crate::error::{Error, Result};
use crate::infer::check_data;
use crate::kernels::Scalar;
use crate::losses::{Loss, LossSum};
use crate::nn::Model;
use crate::optim::Optimizer;
use crate::shown::{count, listed};
use crate::target::AsTarget;
use serde::{Deserialize, Serialize};

/// The losses of a short training run with an increasing learning rate, as returned by [`Trainer::find_learning_rate`].
///
/// It is plain data that can be plotted, with the learning rates on a logarithmic axis. Usually the loss is flat at
/// first, then falls, and then rises steeply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct LearningRateCurve {
    /// The learning rate of each step; the ratio between successive ones is constant.
    #[serde(with = "crate::codec::words")]
    pub rates: Vec<f64>,
    /// The loss of each step's batch, before the step.
    #[serde(with = "crate::codec::words")]
    pub losses: Vec<f64>,
    /// The smoothed losses: an exponential moving average with a decay of 0.9 per step and bias correction.
    #[serde(with = "crate::codec::words")]
    pub smoothed: Vec<f64>,
    /// The learning rate at which the smoothed loss falls most steeply, before its lowest point; `None` if it never
    /// falls.
    ///
    /// It is a starting point, not the best learning rate. With a schedule that decays to 0, a few times as much may
    /// work.
    #[serde(with = "crate::codec::words")]
    pub suggestion: Option<f64>,
}

checked!(LearningRateCurve);

impl LearningRateCurve {
    /// Checks that deserialized data are consistent.
    fn check(&self) -> Result<()> {
        let Self { rates, losses, smoothed, suggestion } = self;
        let n = rates.len();
        if losses.len() != n || smoothed.len() != n {
            let found = format!(
                "{} and {}",
                count(losses.len(), "loss", "losses"),
                count(smoothed.len(), "smoothed one", "smoothed ones")
            );
            return Err(contradicts(
                "the curve of rates",
                format!("have two losses for each of {}", count(n, "rate", "rates")),
                found,
            ));
        }
        if !rates.is_sorted() || rates.iter().any(|rate| rate.is_nan() || *rate <= 0.0) {
            let shown: Vec<String> = rates.iter().map(f64::to_string).collect();
            return Err(contradicts(
                "the curve of rates",
                "have positive rates that rise",
                listed(&shown, 10),
            ));
        }
        match suggestion {
            Some(rate) if !rates.iter().any(|known| known.to_bits() == rate.to_bits()) => {
                Err(contradicts("the suggestion of the curve of rates", "be one of its rates", rate))
            }
            _ => Ok(()),
        }
    }
}

/// The decay of the moving average.
const KEPT: f64 = 0.9;

/// The test ends when the smoothed loss exceeds its lowest value by this factor.
const DIVERGED: f64 = 4.0;

impl LearningRateCurve {
    /// Smooths the losses and finds the steepest fall.
    fn of(rates: Vec<f64>, losses: Vec<f64>) -> Self {
        let (mut mean, mut weight) = (0.0, 0.0);
        let mut smooth = |loss: &f64| {
            (mean, weight) = (KEPT * mean + (1.0 - KEPT) * loss, KEPT * weight + (1.0 - KEPT));
            mean / weight
        };
        let smoothed: Vec<f64> = losses.iter().map(&mut smooth).collect();
        let lowest = (0..smoothed.len()).min_by(|&a, &b| smoothed[a].total_cmp(&smoothed[b])).unwrap_or(0);
        // The fall is measured over several steps, so that one lucky batch does not decide.
        let span = (smoothed.len() / 10).max(1);
        let fall = |i: usize| smoothed[i - span] - smoothed[i];
        let steepest =
            (span..=lowest).filter(|&i| fall(i) > 0.0).max_by(|&a, &b| fall(a).total_cmp(&fall(b)));
        let suggestion = steepest.map(|i| rates[i - span / 2]);
        Self { rates, losses, smoothed, suggestion }
    }
}

impl<F: Scalar, L: Loss<F>> Trainer<L, F> {
    /// Runs the learning-rate range test: trains a copy of the model for `steps` steps while the learning rate grows
    /// geometrically from `from` to `to`, and records the losses. Model and optimizer are not changed.
    ///
    /// The test is that of Smith, "Cyclical learning rates for training neural networks", 2017, section 3.3. It uses
    /// the trainer's update rule with its state, clipping and groups. The data are read in random order, several times
    /// if necessary. The test ends early if the smoothed loss exceeds four times its lowest value or is not finite.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let (train, _) = plywood::data::synthetic::garments(1000, 10, 1)?;
    /// let model = Sequential::builder([28, 28]).layer(Flatten).layer(Dense::units(10)).layer(Softmax).build()?;
    /// let mut trainer = Trainer::new(CrossEntropy::default(), SGD::default().momentum(0.9));
    /// let curve = trainer.find_learning_rate(&model, &train, 1e-5, 10.0, 100)?;
    /// let rate = curve.suggestion.expect("the loss falls");
    /// assert!((1e-4..1.0).contains(&rate), "{rate}");
    /// let trainer = trainer.learning_rate(rate);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// 100 to 300 steps are usual, with a range from a learning rate without effect to one that is too high: 1e-6 to
    /// 10. PyTorch Lightning's `Tuner.lr_find` and fast.ai's `lr_find` are the same test.
    ///
    /// # Errors
    /// If the learning rates are not `0 < from < to`, there are fewer than 10 steps, model, data and settings do not
    /// fit, or the model has no parameters to train.
    pub fn find_learning_rate<M, D>(
        &mut self,
        model: &M,
        data: &D,
        from: f64,
        to: f64,
        steps: usize,
    ) -> Result<LearningRateCurve>
    where
        M: Model<F> + ?Sized,
        D: Dataset<F>,
        D::Target: AsTarget<L::Target>,
    {
        let Self { settings, run } = self;
        let mut model = model.boxed();
        let mut find = || {
            let range = Range::new(from, to, steps)?;
            let (objective, feed) = check(settings, &*model, data)?;
            let before = run.optimizer.steps();
            let rate = move |step: u64| range.rate(step.saturating_sub(before + 1));
            run.optimizer.on_trial(rate, |optimizer| {
                RangeTest::new(settings, objective, (data, feed), &mut *model, optimizer)?.run(steps)
            })
        };
        find().map_err(|error: Error| error.at("find_learning_rate"))
    }
}

/// Checks that model, data and settings fit together.
fn check<'a, F: Scalar, L: Loss<F>, T: AsTarget<L::Target> + Default + Send>(
    settings: &'a Settings<L, F>,
    model: &dyn Model<F>,
    data: &dyn Dataset<F, Target = T>,
) -> Result<(Objective<'a, F, L::Target>, Feed)> {
    let feed = check_data(model.as_infer(), data)?;
    check_trainable(model)?;
    let objective = Objective::new(model.as_infer(), &settings.loss)?;
    check_training(model, &objective)?;
    check_targets(model.as_infer(), &objective, data)?;
    settings.check_batch_size(model, data.len())?;
    Ok((objective, feed))
}

/// A running test: a copy of the model, which is trained with an increasing learning rate.
struct RangeTest<'a, 'o, F: Scalar, L: Loss<F>, T> {
    settings: &'a Settings<L, F>,
    objective: Objective<'o, F, L::Target>,
    data: &'a dyn Dataset<F, Target = T>,
    feed: Feed,
    model: &'a mut dyn Model<F>,
    /// Its schedule is the increasing learning rate.
    optimizer: &'a mut Optimizer<F>,
    /// The number of passes over the data that have begun.
    passes: u64,
    /// The positions of all samples, in the order of the current pass.
    order: Vec<usize>,
    /// The remaining batches of the pass, the next one last.
    batches: Vec<Vec<usize>>,
    rates: Vec<f64>,
    losses: Vec<f64>,
    /// The lowest loss, smoothed over the last few.
    lowest: f64,
}

impl<'a, 'o, F: Scalar, L: Loss<F>, T> RangeTest<'a, 'o, F, L, T>
where
    T: AsTarget<L::Target> + Default + Send,
{
    /// Returns the state before the first step.
    fn new(
        settings: &'a Settings<L, F>,
        objective: Objective<'o, F, L::Target>,
        (data, feed): (&'a dyn Dataset<F, Target = T>, Feed),
        model: &'a mut dyn Model<F>,
        optimizer: &'a mut Optimizer<F>,
    ) -> Result<Self> {
        optimizer.training_weights(model)?;
        optimizer.discard(model);
        Ok(Self {
            settings,
            objective,
            data,
            feed,
            model,
            optimizer,
            passes: 0,
            order: (0..data.len()).collect(),
            batches: Vec::new(),
            rates: Vec::new(),
            losses: Vec::new(),
            lowest: f64::INFINITY,
        })
    }

    /// Takes `steps` steps, or fewer if the loss diverges.
    fn run(mut self, steps: usize) -> Result<LearningRateCurve> {
        let (mut batch, mut without_weight) = (Batch::default(), 0);
        while self.losses.len() < steps {
            let Some(positions) = self.next_positions() else { break };
            let Some(loss) = self.loss(&positions, &mut batch)? else { break };
            // A batch without weight says nothing about the learning rate; no step is taken for it.
            without_weight = if loss.weight == 0.0 { without_weight + positions.len() } else { 0 };
            if without_weight >= 2 * self.data.len() {
                return Err(no_weight());
            }
            if loss.weight == 0.0 {
                self.optimizer.discard(self.model);
                continue;
            }
            if self.record(loss.mean()) {
                break;
            }
            self.optimizer.step(self.model)?;
        }
        Ok(LearningRateCurve::of(self.rates, self.losses))
    }

    /// The next batch's positions; a new pass begins when one has ended.
    fn next_positions(&mut self) -> Option<Vec<usize>> {
        if self.batches.is_empty() {
            self.settings.random.child("find rate").at(self.passes, 0).shuffle(&mut self.order);
            let size = self.settings.batch_size_for(self.data.len());
            self.batches = self.order.chunks(size).rev().map(<[_]>::to_vec).collect();
            self.passes += 1;
        }
        self.batches.pop()
    }

    /// Runs forward and backward and returns the batch's loss, or `None` if it is not finite. In the first batch that
    /// is an error, because the learning rate cannot be the cause.
    fn loss(&mut self, positions: &[usize], batch: &mut Batch<F, T>) -> Result<Option<LossSum>> {
        let (data, feed, objective) = (self.data, &self.feed, &self.objective);
        let pass = Pass::Train { epoch: self.passes - 1 };
        data.read(positions, pass, batch)?;
        let sums = step::on_batch(self.model, objective, batch, (data, positions, feed), &mut [])?;
        if !finite(&sums) && self.losses.is_empty() {
            let at = (positions, pass, self.optimizer.steps() + 1);
            return Err(in_training(self.model.as_infer(), objective, (data, feed), at)?);
        }
        Ok(finite(&sums).then(|| objective.as_one(&sums, positions.len())))
    }

    /// Adds a loss with the learning rate of its step, and returns whether the losses have diverged.
    fn record(&mut self, loss: f64) -> bool {
        self.rates.push(self.optimizer.learning_rate_at(self.optimizer.steps() + 1));
        self.losses.push(loss);
        // Smoothed over the last few; used only for the end of the test.
        let last = &self.losses[self.losses.len().saturating_sub(5)..];
        let mean = last.iter().sum::<f64>() / last.len() as f64;
        self.lowest = f64::min(self.lowest, mean);
        mean > DIVERGED * self.lowest
    }
}

/// Learning rates that grow geometrically.
#[derive(Clone, Copy)]
struct Range {
    from: f64,
    /// The logarithm of the ratio of two successive learning rates.
    ratio: f64,
}

impl Range {
    /// Returns `steps` learning rates, from `from` to `to`.
    fn new(from: f64, to: f64, steps: usize) -> Result<Self> {
        if !(from > 0.0 && from < to && to.is_finite()) {
            return Err(Error::argument(
                "the range of learning rates",
                "positive and rising",
                format!("{from} to {to}"),
            )
            .help("1e-6 to 10 is a usual range."));
        }
        if steps < 10 {
            return Err(Error::argument("the number of steps", "at least 10", steps).help("100 is usual."));
        }
        Ok(Self { from, ratio: (to / from).ln() / (steps - 1) as f64 })
    }

    /// The learning rate after this number of steps.
    fn rate(self, steps: u64) -> f64 {
        self.from * (self.ratio * steps as f64).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suggestion_lies_on_the_steepest_fall() {
        let rates: Vec<f64> = (0..100).map(|i| 10f64.powf(-6.0 + i as f64 / 14.0)).collect();
        // Flat, down between 40 and 60, up after 80.
        let losses = (0..100).map(|i| match i {
            0..40 => 2.0,
            40..60 => 2.0 - 0.07 * (i - 40) as f64,
            60..80 => 0.6,
            _ => 0.6 + 0.1 * (i - 80) as f64,
        });
        let curve = LearningRateCurve::of(rates.clone(), losses.collect());
        let suggestion = curve.suggestion.unwrap();
        assert!((rates[42]..rates[66]).contains(&suggestion), "{suggestion}");
        assert_eq!(LearningRateCurve::of(rates, (0..100).map(f64::from).collect()).suggestion, None);
        assert_eq!(LearningRateCurve::of(Vec::new(), Vec::new()).suggestion, None);
    }
}
