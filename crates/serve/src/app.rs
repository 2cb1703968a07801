//! [`App`]: what all routes share.

use crate::access::Access;
use crate::body::Bodies;
use crate::fault::Fault;
use crate::limits::Limits;
use crate::loaded::Loaded;
use crate::models::Models;
use crate::stats::{Stats, Traffic};
use crate::work::{Call, Job, Pool};
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// What all routes share.
pub(crate) struct App {
    pub models: Models,
    pub pool: Pool,
    pub bodies: Bodies,
    pub limits: Limits,
    pub access: Access,
    pub traffic: Traffic,
    /// Whether each request is logged.
    pub access_log: bool,
    /// Whether the protocol may load and unload models.
    pub allow_load: bool,
    /// Whether the server is ending.
    pub draining: AtomicBool,
}

/// The model that answers a request, from its beginning to its end.
pub(crate) struct Target {
    pub model: Arc<Loaded>,
    stats: Arc<Stats>,
    start: Instant,
}

impl App {
    /// The model that a request names.
    pub fn target(&self, name: &str, version: Option<&str>) -> Result<Target, Fault> {
        let start = Instant::now();
        let (slot, model) = self.models.get(name, version)?;
        Ok(Target { model, stats: slot.stats.clone(), start })
    }

    /// Answers a request whose body was read, and counts it.
    pub async fn answer(
        &self,
        target: Target,
        call: Result<Box<dyn Call>, Fault>,
    ) -> Result<Response, Fault> {
        let Target { model, stats, start } = target;
        // Is counted also if the client goes away, or the time is over.
        let mut counted = Counted { stats: &stats, start, time: self.limits.time, status: None };
        let answer = match call {
            Ok(call) => self.pool.run(Job::new(call, model, stats.clone())).await,
            Err(fault) => Err(fault),
        };
        counted.status = Some(answer.as_ref().map_or_else(|fault| fault.status, Response::status));
        answer
    }
}

/// A request, which is counted when it ends.
struct Counted<'s> {
    stats: &'s Stats,
    start: Instant,
    /// What a request may take.
    time: Duration,
    status: Option<StatusCode>,
}

/// The status that is counted for a client that has gone; nobody gets it.
const GONE: u16 = 499;

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let late = self.start.elapsed() >= self.time;
        let unanswered = if late { StatusCode::SERVICE_UNAVAILABLE.as_u16() } else { GONE };
        self.stats.request(self.start, self.status.map_or(unanswered, |status| status.as_u16()));
    }
}
