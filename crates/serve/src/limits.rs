//! [`Limits`]: what a request, a connection and the whole server may take.

use plywood::{Error, Result};
use std::time::Duration;

/// What a request, a connection and the whole server may take. More is refused with an error that says so.
///
/// ```
/// use plywood_serve::Limits;
///
/// let limits = Limits { body: 1 << 20, ..Limits::default() };
/// assert_eq!(limits.rows, 10_000);
/// ```
///
/// | limit | default | beyond it |
/// |---|---|---|
/// | [`body`](Limits::body) | 10 MB | 413 |
/// | [`bodies`](Limits::bodies) | 256 MB | 503 |
/// | [`rows`](Limits::rows) | 10,000; fewer if a row has many numbers in the model | 413 |
/// | [`pixels`](Limits::pixels) | 50 million | 413 |
/// | [`queue`](Limits::queue) | 256 | 503 |
/// | [`time`](Limits::time) | 30 s | 503, or 408 while the body is read |
/// | [`head_time`](Limits::head_time) | 75 s | the connection is closed |
/// | [`connections`](Limits::connections) | 1,024 | 503 |
///
/// The first six hold in [`Server::router`](crate::Server::router), too; the last two only in
/// [`Server::serve`](crate::Server::serve), which owns the connections.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The bytes of a body, also after it is unpacked.
    pub body: usize,
    /// The bytes of all large bodies and answers (64 KB and more) that are in the server at one time.
    pub bodies: usize,
    /// The rows of a request.
    pub rows: usize,
    /// The pixels of the images of a request, height times width.
    pub pixels: usize,
    /// The requests that wait for a thread.
    pub queue: usize,
    /// The rows that are predicted together. A request with more is not split.
    pub batch: usize,
    /// From the head of a request to its answer, and again for a client to take its answer.
    pub time: Duration,
    /// For the head of a request, from the end of the answer before: so also for how long a connection may be idle.
    pub head_time: Duration,
    /// The connections at one time.
    pub connections: usize,
    /// How long [`Running::shutdown`](crate::Running::shutdown) waits for requests in progress.
    pub grace: Duration,
}

/// The longest time of a limit.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

impl Limits {
    /// Checks that requests can be answered within them.
    pub(crate) fn check(&self) -> Result<()> {
        for (name, time) in [("time", self.time), ("head_time", self.head_time), ("grace", self.grace)] {
            if time > LONGEST || (time.is_zero() && name != "grace") {
                let what = format!("the limit {name:?}");
                return Err(Error::argument(what, "more than 0 and at most a day", format!("{time:?}"))
                    .help("Give it in seconds."));
            }
        }
        let counts = [
            ("body", self.body),
            ("rows", self.rows),
            ("pixels", self.pixels),
            ("queue", self.queue),
            ("batch", self.batch),
            ("connections", self.connections),
        ];
        if let Some((name, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            let what = format!("the limit {name:?}");
            return Err(Error::argument(what, "at least 1", "0").help("Give more."));
        }
        match self.bodies >= self.body {
            true => Ok(()),
            false => Err(Error::argument(
                "the limit \"bodies\"",
                format!("at least \"body\", {}", self.body),
                self.bodies.to_string(),
            )
            .help("Give more, or a smaller \"body\": otherwise the largest bodies are never read.")),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 10_000_000,
            bodies: 256_000_000,
            rows: 10_000,
            pixels: 50_000_000,
            queue: 256,
            batch: 64,
            time: Duration::from_secs(30),
            head_time: Duration::from_secs(75),
            connections: 1_024,
            grace: Duration::from_secs(30),
        }
    }
}
