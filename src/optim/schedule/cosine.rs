//! Cosine schedules.

use super::{Schedule, check_rate, check_steps};
use crate::error::{Error, Result};

/// Cosine decay from `start` to 0: `start · (1 + cos(π · t / steps)) / 2` for `t` from 0, then 0.
///
/// Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017, without the restarts.
///
/// ```
/// use plywood::optim::{CosineDecay, Schedule};
///
/// let schedule = CosineDecay { start: 0.1, steps: 1000 };
/// assert_eq!(schedule.learning_rate(1), 0.1);
/// assert!((schedule.learning_rate(501) - 0.05).abs() < 1e-12);
/// assert_eq!(schedule.learning_rate(2000), 0.0);
/// ```
///
/// The learning rate changes fastest in the middle and hardly at both ends: about half of the steps have a learning
/// rate above half of `start`. It is PyTorch's `CosineAnnealingLR` with `eta_min` 0 and Keras' `CosineDecay` with
/// `alpha` 0; both count steps from 0, this one from 1.
///
/// To put a warm-up before it, use [`WarmUp`](crate::optim::WarmUp).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosineDecay {
    /// The learning rate of the first step.
    pub start: f64,
    /// The number of steps until the learning rate is 0.
    ///
    /// Step `steps + 1` is the first with a learning rate of 0, and so are all after it: further training has no
    /// effect. 0 counts as 1.
    pub steps: u64,
}

impl Schedule for CosineDecay {
    fn learning_rate(&self, step: u64) -> f64 {
        let t = step.saturating_sub(1).min(self.steps) as f64 / self.steps.max(1) as f64;
        self.start * (1.0 + (std::f64::consts::PI * t).cos()) / 2.0
    }

    fn check(&self) -> Result<()> {
        check_rate("the schedule's start", self.start)
    }
}

/// Cosine decay with warm restarts: each cycle falls along half a cosine.
///
/// ```text
/// end + (start - end) · (1 + cos(π · t / length)) / 2        t steps after the restart, from 0
/// ```
///
/// The first cycle has `steps` steps, each further one `growth` times as many as the one before. Loshchilov and Hutter,
/// "SGDR: stochastic gradient descent with warm restarts", 2017.
///
/// ```
/// use plywood::optim::{CosineRestarts, Schedule};
///
/// let schedule = CosineRestarts { start: 0.1, end: 0.0, steps: 100, growth: 2 };
/// assert_eq!([schedule.learning_rate(1), schedule.learning_rate(101), schedule.learning_rate(301)], [0.1; 3]);
/// assert!(schedule.learning_rate(100) < 1e-4 && schedule.learning_rate(300) < 1e-4);
/// ```
///
/// PyTorch's `CosineAnnealingWarmRestarts` (`T_0`, `T_mult`, `eta_min`); Keras' `CosineDecayRestarts` with `m_mul` 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosineRestarts {
    /// The learning rate after each restart: at least 0.
    pub start: f64,
    /// The learning rate that each cycle approaches: at least 0.
    pub end: f64,
    /// The number of steps of the first cycle: at least 1.
    pub steps: u64,
    /// The length of each cycle relative to the one before: at least 1.
    pub growth: u64,
}

impl Schedule for CosineRestarts {
    fn learning_rate(&self, step: u64) -> f64 {
        let (mut t, mut length) = (step.saturating_sub(1), self.steps.max(1));
        if self.growth <= 1 {
            t %= length;
        }
        while t >= length {
            t -= length;
            length = length.saturating_mul(self.growth);
        }
        let t = t as f64 / length as f64;
        self.end + (self.start - self.end) * (1.0 + (std::f64::consts::PI * t).cos()) / 2.0
    }

    fn check(&self) -> Result<()> {
        check_rate("the schedule's start", self.start)?;
        check_rate("the schedule's end", self.end)?;
        check_steps("the number of steps until a restart", self.steps)?;
        if self.growth == 0 {
            return Err(Error::argument("the growth of the periods between restarts", "at least 1", 0)
                .help("1 makes all periods equally long, 2 doubles each."));
        }
        Ok(())
    }
}

/// The one-cycle schedule: up to a peak and down to nearly 0, each along half a cosine.
///
/// ```text
/// peak / 25  →  peak               over the first 30 % of the steps
/// peak       →  peak / 25 / 10⁴    over the rest
/// ```
///
/// Smith and Topin, "Super-convergence: very fast training of neural networks using large learning rates", 2018, with
/// the constants and cosines of fast.ai and PyTorch's `OneCycleLR`. PyTorch also changes the momentum; here it stays
/// constant.
///
/// ```
/// use plywood::optim::{OneCycle, Schedule};
///
/// let schedule = OneCycle::peak(0.1, 1000);
/// assert!((schedule.learning_rate(1) - 0.004).abs() < 1e-12);
/// assert_eq!(schedule.learning_rate(300), 0.1);
/// assert!(schedule.learning_rate(1000) < 1e-6);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneCycle {
    peak: f64,
    steps: u64,
    rise: f64,
    start: f64,
    end: f64,
    lines: bool,
}

impl OneCycle {
    /// Creates a cycle of `steps` steps, with its highest learning rate after 30 % of them.
    pub fn peak(rate: f64, steps: u64) -> Self {
        Self { peak: rate, steps, rise: 0.3, start: 25.0, end: 1e4, lines: false }
    }

    /// Sets the fraction of the steps that lead up to the peak, from 0 to 1; the default is 0.3.
    #[must_use]
    pub fn rise(mut self, share: f64) -> Self {
        self.rise = share;
        self
    }

    /// Sets the divisors: the first learning rate is `peak / start`, the last one `peak / start / end`. Both must be
    /// above 0; the defaults are 25 and 10,000.
    #[must_use]
    pub fn divisors(mut self, start: f64, end: f64) -> Self {
        (self.start, self.end) = (start, end);
        self
    }

    /// Sets whether the learning rate follows straight lines instead of cosines; the default is `false`.
    #[must_use]
    pub fn linear(mut self, linear: bool) -> Self {
        self.lines = linear;
        self
    }
}

impl Schedule for OneCycle {
    fn learning_rate(&self, step: u64) -> f64 {
        let low = self.peak / self.start;
        let t = step.saturating_sub(1) as f64;
        let (top, last) = (self.rise * self.steps as f64 - 1.0, self.steps as f64 - 1.0);
        let (from, to, begin, end) =
            if t <= top { (low, self.peak, 0.0, top) } else { (self.peak, low / self.end, top, last) };
        let share = if end > begin { ((t - begin) / (end - begin)).min(1.0) } else { 1.0 };
        if self.lines {
            from + (to - from) * share
        } else {
            to + (from - to) / 2.0 * (1.0 + (std::f64::consts::PI * share).cos())
        }
    }

    fn check(&self) -> Result<()> {
        check_rate("the cycle's peak", self.peak)?;
        check_steps("the number of steps of the cycle", self.steps)?;
        super::check_factor("the cycle's first divisor", self.start)?;
        super::check_factor("the cycle's last divisor", self.end)?;
        if !(0.0..=1.0).contains(&self.rise) {
            return Err(Error::argument("the cycle's rise", "from 0 to 1", self.rise)
                .help("It is the share of the steps before the peak, usually 0.3."));
        }
        Ok(())
    }
}
