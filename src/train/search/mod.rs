//! Hyperparameter search: trains many trials of a model and ranks them.
//!
//! | file | what is in it |
//! |---|---|
//! | `mod.rs` | [`Search`]: its settings, and running the trials in parallel |
//! | `space.rs` | [`Space`]: the hyperparameters and their values |
//! | `value.rs` | [`Value`], [`Trial`]: the chosen values |
//! | `run.rs` | one run of a trial, and early stopping of hopeless runs |
//! | `ranking.rs` | [`SearchResults`]: the trials, the best first |

mod ranking;
mod run;
mod space;
mod value;

pub use ranking::{SearchResults, Tried};
pub use run::TrialRun;
pub use space::Space;
pub use value::{Trial, Value};

use super::trainer::Trainer;
use crate::data::{Dataset, Folds};
use crate::error::{Error, Result};
use crate::kernels::{Scalar, threads};
use crate::losses::Loss;
use crate::monitor::{Direction, Monitor};
use crate::nn::Model;
use crate::shown::count;
use crate::target::AsTarget;
use run::{Job, bounds};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A search for the best hyperparameters: over a grid, or over randomly drawn trials.
///
/// ```
/// use plywood::prelude::*;
/// use plywood::data::HoldOut;
/// use plywood::train::{Search, Space};
///
/// // Is x + y above 1?
/// let mut draws = Random::seed(1).at(0, 0);
/// let x = plywood::ndarray::Array2::from_shape_simple_fn((200, 2), || draws.unit() as f32);
/// let labels: Vec<usize> = x.outer_iter().map(|row| usize::from(row.sum() > 1.0)).collect();
/// let data = ArrayDataset::new(x, labels)?;
///
/// let space = Space::new().choice("units", [2, 8]).log_uniform("rate", 1e-4, 1e-1);
/// let search = Search::random(space, 6).seed(7).repeats(2).monitor("val_accuracy");
/// let results = search.run(&data, &HoldOut::share(0.25).seed(1), |trial, seed| {
///     let model = Sequential::builder([2]).seed(seed)
///         .layer(Dense::units(trial.count("units")?)).layer(ReLU)
///         .layer(Dense::units(2)).layer(Softmax)
///         .build()?;
///     let trainer = Trainer::new(CrossEntropy::default(), Adam::default())
///         .learning_rate(trial.number("rate")?)
///         .epochs(10).seed(seed).metric(Accuracy::default());
///     Ok((model, trainer))
/// })?;
/// println!("{results}"); // a table, the best trial first
/// assert!(results.best().number("rate")? > 1e-3);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | setting | default |
/// |---|---|
/// | [`monitor`](Search::monitor) | "val_loss" |
/// | [`seed`](Search::seed) | 0 |
/// | [`repeats`](Search::repeats) | 1 |
/// | [`stop_hopeless`](Search::stop_hopeless) | no run is stopped |
/// | [`jobs`](Search::jobs) | the number of [`threads`](crate::threads) |
/// | [`lines`](Search::lines) | false: nothing is printed |
///
/// A grid tries every combination. Random trials find equally good combinations sooner if only some of the
/// hyperparameters matter, because each trial has different values of those (J. Bergstra and Y. Bengio, "Random search
/// for hyperparameter optimization", 2012).
///
/// Trials run in parallel, each on one thread, and the results are bit-for-bit the same for any number of threads and
/// jobs. A trial that fails, for example because its learning rate makes training diverge, appears in the results with
/// its error; the others continue.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    space: Space,
    /// The number of trials to draw; `None` for the whole grid.
    draws: Option<usize>,
    monitor: Monitor,
    seed: u64,
    repeats: usize,
    /// The number of epochs that every run gets.
    patience: Option<usize>,
    jobs: Option<usize>,
    lines: bool,
}

/// The number of trials that start with the same knowledge of earlier ones, if hopeless trials are stopped. It is not
/// the number of threads, which must not affect the result.
const WAVE: usize = 8;

/// The maximum number of runs of a trial on one fold.
const MOST_REPEATS: usize = 1_000;

impl Search {
    /// Tries every combination of the space's values.
    ///
    /// The space may contain only choices and integers. At most 10,000 trials.
    pub fn grid(space: Space) -> Self {
        Self {
            space,
            draws: None,
            monitor: Monitor::of("val_loss"),
            seed: 0,
            repeats: 1,
            patience: None,
            jobs: None,
            lines: false,
        }
    }

    /// Tries this many random combinations: 1 to 10,000.
    ///
    /// No combination is tried twice; a space with fewer combinations ends the search sooner.
    pub fn random(space: Space, trials: usize) -> Self {
        Self { draws: Some(trials), ..Self::grid(space) }
    }

    /// Sets the value by which trials are ranked, by its name in the [`History`](crate::train::History).
    ///
    /// "val_loss" and metrics such as "val_accuracy" are measured on the held-out part; a name without "val_" is the
    /// value over the last epoch's training batches. Losses are better when lower; metrics define their direction
    /// ([`Metric::direction`](crate::metrics::Metric::direction)), unless it is set here.
    #[must_use]
    pub fn monitor(mut self, name: impl Into<String>) -> Self {
        self.monitor = self.monitor.named(name);
        self
    }

    crate::monitor::directed!();

    /// Sets the seed for drawing trials, which is also the first seed that the closure gets; 0 by default.
    ///
    /// Repeat 0 of every trial gets this seed, repeat 1 the next one, and so on. So trials are compared from the same
    /// initial weights, and the best one can be trained again with the same result.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets how many times each trial runs on each fold, with different seeds: 1 to 1,000.
    ///
    /// The mean of several runs depends less on chance, and their standard deviation shows how much it does.
    #[must_use]
    pub fn repeats(mut self, repeats: usize) -> Self {
        self.repeats = repeats;
        self
    }

    /// Stops a run after this many epochs or more, once it is worse than the median of earlier trials.
    ///
    /// This is the median stopping rule of D. Golovin et al., "Google Vizier: a service for black-box optimization",
    /// 2017: a run is stopped at the end of epoch `e` if its best value so far is worse than the median, over the
    /// earlier completed trials, of the mean of their values in epochs 1 to `e`. Each run is compared with the runs on
    /// the same fold from the same seed. When one of its runs is stopped, the trial ends.
    ///
    /// The rule may stop a trial that begins slowly, for example with a low learning rate, and would have been the best
    /// in the end. More epochs make that rarer. "Earlier" is counted in waves of 8 trials, whatever the number of
    /// threads: the first 8 all run to completion.
    ///
    /// 0 acts as 1.
    #[must_use]
    pub fn stop_hopeless(mut self, epochs: usize) -> Self {
        self.patience = Some(epochs);
        self
    }

    /// Sets how many trials run at a time, each on one thread. With 1, a trial uses all threads.
    ///
    /// Each job needs the memory of a model and its training. 0 acts as 1.
    #[must_use]
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = Some(jobs);
        self
    }

    /// Sets whether a line is printed to standard error for each trial, in the order in which the trials end.
    ///
    /// It has no effect on the result. The runs themselves print nothing, whatever their trainers' settings.
    #[must_use]
    pub fn lines(mut self, lines: bool) -> Self {
        self.lines = lines;
        self
    }

    /// Returns the trials that the search would try, in order.
    ///
    /// ```
    /// use plywood::train::{Search, Space};
    ///
    /// let space = Space::new().choice("units", [16, 32]).integer("layers", 1, 3);
    /// assert_eq!(Search::grid(space.clone()).trials()?.len(), 6);
    /// assert_eq!(Search::random(space, 4).seed(3).trials()?.len(), 4);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// Use it to write your own loop, if a trial is more than a model and its training.
    ///
    /// # Errors
    /// If the space has no dimensions, a duplicate name, an empty range or a choice without values, or if the grid is
    /// too large.
    pub fn trials(&self) -> Result<Vec<Trial>> {
        match self.draws {
            Some(trials) => self.space.draw(trials, self.seed),
            None => self.space.grid(),
        }
    }

    /// Trains a new model for every trial on the training part of each fold, and ranks the trials by their results on
    /// the held-out parts.
    ///
    /// `build` makes the model and the trainer of a trial, and gets a seed for both. The held-out part is the run's
    /// validation data, so early stopping may monitor it; the trial is ranked by the value of the final model.
    ///
    /// A single held-out part ([`HoldOut`](crate::data::HoldOut)) is fast; folds ([`KFold`](crate::data::KFold)) cost
    /// `k` times as much and can distinguish trials that are closer together.
    ///
    /// # Errors
    /// If there are no trials, the data cannot be split into these folds, or every trial fails; in the last case the
    /// error is that of the first trial.
    pub fn run<F, M, D, L>(
        &self,
        data: &D,
        folds: &impl Folds<F, D>,
        build: impl Fn(&Trial, u64) -> Result<(M, Trainer<L, F>)> + Sync,
    ) -> Result<SearchResults>
    where
        F: Scalar,
        M: Model<F>,
        D: Dataset<F>,
        D::Target: AsTarget<L::Target>,
        L: Loss<F>,
    {
        folds.folds(data).and_then(|parts| self.search(&parts, build)).map_err(|error| error.at("search"))
    }

    /// Like [`run`](Search::run), with given training and validation sets instead of folds.
    ///
    /// ```
    /// use plywood::prelude::*;
    /// use plywood::train::{Search, Space};
    ///
    /// let (train, validation) = plywood::data::synthetic::garments(200, 60, 1)?;
    /// let search = Search::grid(Space::new().choice("rate", [0.001, 0.01, -1.0]));
    /// let results = search.run_with_validation(&train, &validation, |trial, seed| {
    ///     let layers = Sequential::builder([28, 28]).seed(seed).layer(Flatten).layer(Dense::units(10));
    ///     let trainer = Trainer::new(CrossEntropy::default(), SGD::default()).seed(seed).epochs(2);
    ///     Ok((layers.layer(Softmax).build()?, trainer.learning_rate(trial.number("rate")?)))
    /// })?;
    /// assert_eq!(results.best().number("rate")?, 0.01);
    /// assert!(results.trials[2].error.is_some()); // a rate below 0
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`run`](Search::run).
    pub fn run_with_validation<F, M, D, V, L>(
        &self,
        data: &D,
        validation: &V,
        build: impl Fn(&Trial, u64) -> Result<(M, Trainer<L, F>)> + Sync,
    ) -> Result<SearchResults>
    where
        F: Scalar,
        M: Model<F>,
        D: Dataset<F>,
        D::Target: AsTarget<L::Target>,
        V: Dataset<F>,
        V::Target: AsTarget<L::Target>,
        L: Loss<F>,
    {
        self.search(&[(data, validation)], build).map_err(|error| error.at("search"))
    }

    /// Runs all trials on all parts, wave by wave.
    fn search<F, M, T, V, L>(
        &self,
        parts: &[(T, V)],
        build: impl Fn(&Trial, u64) -> Result<(M, Trainer<L, F>)> + Sync,
    ) -> Result<SearchResults>
    where
        F: Scalar,
        M: Model<F>,
        T: Dataset<F>,
        T::Target: AsTarget<L::Target>,
        V: Dataset<F>,
        V::Target: AsTarget<L::Target>,
        L: Loss<F>,
    {
        self.run_jobs(parts.len(), |trial, job| {
            let (train, held_out) = &parts[job.fold];
            build(trial, job.seed).and_then(|built| job.run(built, train, held_out))
        })
    }

    /// The same search, whose monitored value has the direction that `known` gives for it, unless one was set.
    pub(crate) fn directed_by(&self, known: impl Fn(&str) -> Option<Direction>) -> Self {
        Self { monitor: self.monitor.clone().or_directed(known(self.monitor.name())), ..self.clone() }
    }

    /// Runs a job for each trial, fold and repeat, wave by wave, and ranks the trials.
    pub(crate) fn run_jobs(
        &self,
        folds: usize,
        run: impl Fn(&Trial, Job<'_>) -> Result<TrialRun> + Sync,
    ) -> Result<SearchResults> {
        if !(1..=MOST_REPEATS).contains(&self.repeats) {
            return Err(Error::argument("repeats", format!("from 1 to {MOST_REPEATS}"), self.repeats)
                .help("3 to 5 are usual."));
        }
        let trials = self.trials()?;
        let wave = if self.patience.is_some() { WAVE } else { trials.len() };
        let ended = AtomicUsize::new(0);
        let mut tried: Vec<Tried> = Vec::new();
        for first in (0..trials.len()).step_by(wave.max(1)) {
            let bounds = self.bounds(&tried, folds);
            let count = wave.min(trials.len() - first);
            let jobs = self.jobs.unwrap_or_else(threads::threads);
            tried.extend(threads::side_by_side(count, jobs, |i| {
                let number = first + i;
                let tried = self.attempt(number, &trials[number], &bounds, folds, &run);
                let ended = ended.fetch_add(1, Ordering::Relaxed) + 1;
                self.show(&tried, ended, trials.len());
                tried
            }));
        }
        if tried.iter().all(|tried| tried.error.is_some()) {
            let failed = count(tried.len(), "trial", "trials");
            if let Some((first, error)) = tried.into_iter().next().and_then(|t| Some((t.trial, t.error?))) {
                return Err(error.at(format!("{failed} failed, the first ({first})")));
            }
            return Err(Error::custom("no trials"));
        }
        Ok(SearchResults::new(&self.monitor, tried))
    }

    /// Runs one trial: its runs in order, up to the first that fails or is stopped.
    fn attempt(
        &self,
        number: usize,
        trial: &Trial,
        bounds: &[Vec<f64>],
        folds: usize,
        run: impl Fn(&Trial, Job<'_>) -> Result<TrialRun>,
    ) -> Tried {
        let mut tried = Tried { number, trial: trial.clone(), runs: Vec::new(), error: None };
        for (place, bounds) in bounds.iter().enumerate() {
            let (repeat, fold) = (place / folds, place % folds);
            let seed = self.seed.wrapping_add(repeat as u64);
            let watched = self.patience.is_some();
            let job = Job { fold, seed, monitor: &self.monitor, bounds: bounds.clone(), watched };
            match run(trial, job) {
                Ok(run) => tried.runs.push(run),
                Err(error) => tried.error = Some(error),
            }
            if tried.error.is_some() || tried.is_stopped() {
                break;
            }
        }
        tried
    }

    /// For each run of a trial, the value in each epoch that it must not be worse than.
    fn bounds(&self, tried: &[Tried], folds: usize) -> Vec<Vec<f64>> {
        let of = |place: usize| match self.patience {
            None => Vec::new(),
            Some(epochs) => {
                let whole = tried.iter().filter(|tried| tried.error.is_none() && !tried.is_stopped());
                let values = whole.filter_map(|tried| tried.runs.get(place));
                let values: Vec<Vec<f64>> = values.map(|run| run.history.get(self.monitor.name())).collect();
                bounds(&values, epochs)
            }
        };
        (0..self.repeats * folds).map(of).collect()
    }

    /// Prints the line of a trial that has ended.
    fn show(&self, tried: &Tried, ended: usize, trials: usize) {
        if !self.lines {
            return;
        }
        let outcome = match &tried.error {
            Some(error) => format!("failed: {error}"),
            None => {
                let stopped = if tried.is_stopped() { " when it was stopped" } else { "" };
                format!("{} {}{stopped}", self.monitor.name(), tried.value_text())
            }
        };
        eprintln!("trial {ended} of {trials}  {}  {outcome}  {:.1} s", tried.trial, tried.seconds());
    }
}
