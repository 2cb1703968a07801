//! The threads that predict, and the queue in front of them.
//!
//! ```text
//! handler ── small, fast? ── yes ──> predicts on its own thread
//!               │ no
//!               v                    a thread takes a job, prepares it, and while its
//!             queue ──────────────>  preparation takes less time than a prediction, the
//!                                    next of the same model, too; it predicts them together
//! ```
//!
//! A lone request never waits for others: a thread takes what is in the queue and no timer runs. A row's bits do not depend
//! on its company, so requests may be joined in any way.

use crate::fault::Fault;
use crate::limits::Limits;
use crate::loaded::Loaded;
use crate::stats::Stats;
use axum::response::Response;
use plywood::nn::Predictions;
use plywood::predictor::Prepared;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Below this a prediction may run on the thread of the handler: a hop to another thread costs about as much as it gains.
const FAST: Duration = Duration::from_micros(50);

/// What a handler may spend on a prediction of several rows.
const FAST_REQUEST: Duration = Duration::from_micros(200);

/// After this, a thread prepares no further request for its batch.
const LONGEST_WAIT: Duration = Duration::from_millis(5);

/// A request to a model, in the form of one of the protocols.
pub(crate) trait Call: Send {
    /// Reads the body.
    fn prepare(&mut self, model: &Loaded) -> Result<Prepared, Fault>;

    /// Answers from the outputs for the rows of this request.
    fn answer(&mut self, model: &Loaded, outputs: &Predictions) -> Result<Response, Fault>;

    /// Whether the body is small, and read fast.
    fn is_small(&self) -> bool;
}

/// What a handler knows of a request when it calls a model.
pub(crate) struct Job {
    pub call: Box<dyn Call>,
    pub model: Arc<Loaded>,
    pub stats: Arc<Stats>,
    prepared: Option<Prepared>,
    queued: Instant,
    reply: Option<oneshot::Sender<Result<Response, Fault>>>,
}

impl Job {
    pub fn new(call: Box<dyn Call>, model: Arc<Loaded>, stats: Arc<Stats>) -> Self {
        Self { call, model, stats, prepared: None, queued: Instant::now(), reply: None }
    }

    /// Reads the body, unless it was read.
    fn prepared(&mut self, clock: &mut Clock) -> Result<Prepared, Fault> {
        if let Some(prepared) = self.prepared.take() {
            return Ok(prepared);
        }
        let prepared = guarded(|| self.call.prepare(&self.model));
        self.stats.input.add(clock.lap());
        prepared
    }

    /// Runs the model.
    fn infer(&self, prepared: &Prepared, clock: &mut Clock) -> Result<Predictions, Fault> {
        let outputs = guarded(|| self.model.predictor.infer(prepared).map_err(Fault::bad));
        self.stats.infer.add(clock.lap());
        outputs
    }

    fn answered(&mut self, outputs: &Predictions, clock: &mut Clock) -> Result<Response, Fault> {
        let answer = guarded(|| self.call.answer(&self.model, outputs));
        self.stats.output.add(clock.lap());
        answer
    }

    /// Predicts the rows of this request alone, and answers.
    fn finish(&mut self, prepared: &Prepared, clock: &mut Clock) -> Result<Response, Fault> {
        self.stats.batches.add_value(prepared.rows() as f64);
        let outputs = self.infer(prepared, clock)?;
        self.answered(&outputs, clock)
    }

    fn is_abandoned(&self) -> bool {
        self.reply.as_ref().is_some_and(oneshot::Sender::is_closed)
    }

    fn reply(&mut self, answer: Result<Response, Fault>) {
        if let Some(reply) = self.reply.take() {
            // Nobody may be waiting any more.
            let _ = reply.send(answer);
        }
    }
}

/// Calls code that may be that of another crate: a panic is an error of this request alone.
fn guarded<T>(call: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied().map(str::to_owned);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        tracing::error!(panic = text, "a prediction has panicked");
        Err(Fault::inside("the prediction failed inside the model; the server's log says more"))
    })
}

/// Measures one step after the other.
struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the last call.
    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.0, now)
    }
}

/// The queue and its threads.
pub(crate) struct Pool(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    /// The most jobs that wait.
    most: usize,
    /// The most rows that are predicted together.
    batch: usize,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Pool {
    /// Starts the threads.
    pub fn start(threads: usize, limits: &Limits) -> std::io::Result<Self> {
        let shared = Shared {
            queue: Mutex::default(),
            wake: Condvar::new(),
            most: limits.queue.max(1),
            batch: limits.batch.max(1),
        };
        let pool = Self(Arc::new(shared));
        for number in 0..threads.max(1) {
            let shared = pool.0.clone();
            std::thread::Builder::new().name(format!("predict-{number}")).spawn(move || shared.work())?;
        }
        Ok(pool)
    }

    /// The number of jobs that wait.
    pub fn waiting(&self) -> usize {
        self.0.lock().jobs.len()
    }

    /// Answers a request.
    pub async fn run(&self, mut job: Job) -> Result<Response, Fault> {
        if job.model.time < FAST && job.call.is_small() {
            let mut clock = Clock(job.queued);
            let prepared = job.prepared(&mut clock)?;
            let time = job.model.time.saturating_mul(u32::try_from(prepared.rows()).unwrap_or(u32::MAX));
            if time < FAST_REQUEST {
                return job.finish(&prepared, &mut clock);
            }
            job.prepared = Some(prepared);
        }
        let (send, receive) = oneshot::channel();
        job.reply = Some(send);
        self.0.push(job)?;
        receive.await.unwrap_or_else(|_| {
            Err(Fault::inside("the thread that predicts has ended; the server's log says why"))
        })
    }
}

/// The threads end once their queue is empty.
impl Drop for Pool {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.wake.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, mut job: Job) -> Result<(), Fault> {
        let mut queue = self.lock();
        if queue.jobs.len() >= self.most {
            let text =
                format!("the queue is full: {} requests wait; ask again in a second", queue.jobs.len());
            return Err(Fault::busy(text));
        }
        job.queued = Instant::now();
        queue.jobs.push_back(job);
        drop(queue);
        self.wake.notify_one();
        Ok(())
    }

    /// Waits for a job; `None` once the pool is closed and its queue is empty.
    fn next(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            if queue.closed {
                return None;
            }
            queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The next job of the same model that waits.
    fn next_of(&self, model: &Arc<Loaded>) -> Option<Job> {
        let mut queue = self.lock();
        let place = queue.jobs.iter().position(|job| Arc::ptr_eq(&job.model, model))?;
        queue.jobs.remove(place)
    }

    /// Puts a job, whose rows are too many for a batch that has begun, back to the front.
    fn give_back(&self, job: Job) {
        self.lock().jobs.push_front(job);
        self.wake.notify_one();
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            let batch = self.gather(job);
            answer_all(batch);
        }
    }

    /// Prepares a job, and others of its model as long as that takes less time than the model itself.
    fn gather(&self, first: Job) -> Vec<(Job, Prepared)> {
        let (model, start) = (first.model.clone(), Instant::now());
        let patience = model.time.min(LONGEST_WAIT);
        let (mut batch, mut rows, mut next) = (Vec::new(), 0, Some(first));
        while let Some(mut job) = next {
            job.stats.queue.add(job.queued.elapsed());
            if !job.is_abandoned() {
                match job.prepared(&mut Clock::start()) {
                    Ok(prepared) if !batch.is_empty() && rows + prepared.rows() > self.batch => {
                        job.prepared = Some(prepared);
                        self.give_back(job);
                        break;
                    }
                    Ok(prepared) => {
                        rows += prepared.rows();
                        batch.push((job, prepared));
                    }
                    Err(fault) => job.reply(Err(fault)),
                }
            }
            let more = rows < self.batch && (batch.is_empty() || start.elapsed() < patience);
            next = if more { self.next_of(&model) } else { None };
        }
        batch
    }
}

/// Predicts the rows of all jobs together and answers each.
fn answer_all(mut batch: Vec<(Job, Prepared)>) {
    let mut clock = Clock::start();
    let Some(outputs) = joined(&batch, &mut clock) else {
        for (job, prepared) in &mut batch {
            let answer = job.finish(prepared, &mut clock);
            job.reply(answer);
        }
        return;
    };
    let mut begin = 0;
    for (job, prepared) in &mut batch {
        let end = begin + prepared.rows();
        let own = guarded(|| outputs.rows(begin..end).map_err(Fault::inside));
        let answer = own.and_then(|own| job.answered(&own, &mut clock));
        job.reply(answer);
        begin = end;
    }
}

/// The outputs for the rows of several jobs. `None` for one alone, and if one of them has values that the model cannot take: then
/// each gets an answer of its own.
fn joined(batch: &[(Job, Prepared)], clock: &mut Clock) -> Option<Predictions> {
    let [(first, _), _, ..] = batch else { return None };
    let prepared = batch.iter().map(|(_, prepared)| prepared);
    let all = guarded(|| Prepared::join(prepared).map_err(Fault::inside)).ok()?;
    let outputs = first.infer(&all, clock).ok()?;
    first.stats.batches.add_value(all.rows() as f64);
    Some(outputs)
}
