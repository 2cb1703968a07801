//! Counters of a model: for `/metrics` and the protocol's statistics.

use axum::http::StatusCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Counted durations.
#[derive(Debug, Default)]
pub(crate) struct Timed {
    count: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Timed {
    pub fn add(&self, time: Duration) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.nanoseconds.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub fn nanoseconds(&self) -> u64 {
        self.nanoseconds.load(Ordering::Relaxed)
    }
}

/// A histogram: how many values are at most each bound, and their sum.
#[derive(Debug)]
pub(crate) struct Histogram<const N: usize> {
    bounds: [f64; N],
    /// One for each bound.
    counts: [AtomicU64; N],
    /// Values above the last bound.
    above: AtomicU64,
    /// In millionths.
    sum: AtomicU64,
}

impl<const N: usize> Histogram<N> {
    const fn new(bounds: [f64; N]) -> Self {
        Self {
            bounds,
            counts: [const { AtomicU64::new(0) }; N],
            above: AtomicU64::new(0),
            sum: AtomicU64::new(0),
        }
    }

    pub fn add_value(&self, value: f64) {
        let place = self.bounds.iter().position(|bound| value <= *bound);
        place.map_or(&self.above, |place| &self.counts[place]).fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add((value * 1e6) as u64, Ordering::Relaxed);
    }

    /// Each bound with the number of values up to it; the last is infinity, with the number of all.
    pub fn cumulated(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        bounds.zip(self.counts.iter().chain([&self.above])).scan(0, |sum, (bound, count)| {
            *sum += count.load(Ordering::Relaxed);
            Some((bound, *sum))
        })
    }

    pub fn total(&self) -> u64 {
        self.cumulated().map(|(_, count)| count).last().unwrap_or(0)
    }

    pub fn sum(&self) -> f64 {
        self.sum.load(Ordering::Relaxed) as f64 / 1e6
    }
}

/// The counters of a model.
#[derive(Debug)]
pub(crate) struct Stats {
    /// Requests that were answered, with their whole time in the server.
    pub success: Timed,
    /// Requests that were refused or failed.
    pub fail: Timed,
    /// Of the failed ones, those that were not the client's fault.
    pub server_faults: AtomicU64,
    pub queue: Timed,
    pub input: Timed,
    pub infer: Timed,
    pub output: Timed,
    /// The rows of each run of the model.
    pub batches: Histogram<10>,
    /// Seconds of a request in the server, answered or not.
    pub latency: Histogram<14>,
    pub loads: AtomicU64,
    pub failed_loads: AtomicU64,
    /// When the counters began, by both clocks.
    begin: Instant,
    since: SystemTime,
    /// When the last answer was given, in milliseconds since then.
    last: AtomicU64,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            success: Timed::default(),
            fail: Timed::default(),
            server_faults: AtomicU64::new(0),
            queue: Timed::default(),
            input: Timed::default(),
            infer: Timed::default(),
            output: Timed::default(),
            batches: Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 1024.0, 10240.0]),
            latency: Histogram::new([
                0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
            ]),
            loads: AtomicU64::new(0),
            failed_loads: AtomicU64::new(0),
            begin: Instant::now(),
            since: SystemTime::now(),
            last: AtomicU64::new(0),
        }
    }
}

impl Stats {
    /// Counts a request.
    pub fn request(&self, start: Instant, status: u16) {
        let now = Instant::now();
        let time = now - start;
        self.latency.add_value(time.as_secs_f64());
        if status < 400 {
            self.success.add(time);
            let since = u64::try_from((now - self.begin).as_millis()).unwrap_or(0);
            self.last.store(since, Ordering::Relaxed);
        } else {
            self.fail.add(time);
            // What the server does not have is asked for by the client.
            if status >= 500 && status != 501 {
                self.server_faults.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// When the last answer was given, in milliseconds since 1970; 0 if none was.
    pub fn last_inference(&self) -> u64 {
        let begin = self.since.duration_since(UNIX_EPOCH).unwrap_or_default();
        match self.success.count() {
            0 => 0,
            _ => u64::try_from(begin.as_millis()).unwrap_or(0) + self.last.load(Ordering::Relaxed),
        }
    }

    /// The rows that were predicted.
    pub fn rows(&self) -> u64 {
        self.batches.sum().round() as u64
    }

    /// The runs of the model.
    pub fn runs(&self) -> u64 {
        self.batches.total()
    }
}

/// What is counted of all requests, also of those that reach no model.
#[derive(Default)]
pub(crate) struct Traffic {
    /// By the first digit of the status.
    pub answers: [AtomicU64; 6],
    pub connections: AtomicUsize,
    /// Connections that were refused because there were too many.
    pub refused: AtomicU64,
}

impl Traffic {
    pub fn count(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).min(5);
        self.answers[class].fetch_add(1, Ordering::Relaxed);
    }
}
