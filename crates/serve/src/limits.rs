//! [`Limits`]: what a request, a connection and the whole server may take.

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
/// | [`rows`](Limits::rows) | 10,000 | 413 |
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
    /// The bytes of all large bodies (64 KB and more) that are in the server at one time.
    pub bodies: usize,
    /// The rows of a request.
    pub rows: usize,
    /// The pixels of an image, height times width.
    pub pixels: usize,
    /// The requests that wait for a thread.
    pub queue: usize,
    /// The rows that are predicted together. A request with more is not split.
    pub batch: usize,
    /// From the head of a request to its answer.
    pub time: Duration,
    /// For the head of a request, from the end of the answer before: so also for how long a connection may be idle.
    pub head_time: Duration,
    /// The connections at one time.
    pub connections: usize,
    /// How long [`Running::shutdown`](crate::Running::shutdown) waits for requests in progress.
    pub grace: Duration,
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
