//! [`Running`]: a server that listens, its connections, and its end.
//!
//! `axum::serve` has no limit of connections and none of the time for a head, so the loop is here.

use crate::app::App;
use crate::guard::guard;
use crate::patient::Patient;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use plywood::{Error, Result};
use std::convert::Infallible;
use std::io::ErrorKind::{ConnectionAborted, Interrupted};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tower_service::Service;

/// What a connection that is too many gets.
const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: 47\r\n\
    connection: close\r\nretry-after: 1\r\n\r\n{\"error\":\"the server has too many connections\"}";

/// The bytes that a connection reads ahead, and so the longest head.
const MOST_BUFFERED: usize = 64 << 10;

/// So many connections at one time are told that they are too many.
const REFUSALS: usize = 256;

/// How long an idle connection is still read when the server ends: a request may be on its way, which the client would
/// lose. It is answered, as all requests are from then on, with `Connection: close`.
const LAST_CALL: Duration = Duration::from_millis(100);

/// A server that listens.
///
/// If it is dropped it goes on until the runtime ends.
pub struct Running {
    address: SocketAddr,
    app: Arc<App>,
    /// Set to true when the server is to end.
    end: watch::Sender<bool>,
    /// Closed once all connections are.
    done: mpsc::Receiver<()>,
    accept: JoinHandle<()>,
}

impl Running {
    pub(crate) fn start(listener: TcpListener, app: Arc<App>, router: Router) -> Result<Self> {
        let address = listener.local_addr().map_err(Error::custom)?;
        let (end, ending) = watch::channel(false);
        let (alive, done) = mpsc::channel(1);
        let refusals = Arc::new(Semaphore::new(REFUSALS));
        let connections = Connections { app: app.clone(), router, ending, alive, refusals };
        let accept = tokio::spawn(connections.accept(listener));
        Ok(Self { address, app, end, done, accept })
    }

    /// Returns the address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Reads the files of all models again. Where that fails, the model before goes on serving, and the log says why.
    pub async fn reload(&self) {
        let app = self.app.clone();
        // It fails only if loading has panicked, which the log says.
        let _ = tokio::task::spawn_blocking(move || app.models.reload()).await;
    }

    /// Ends the server without losing a request: `/v2/health/ready` fails from now on, no connection is accepted any more,
    /// idle ones are closed after a tenth of a second, and each request whose head was read is answered whole, with
    /// `Connection: close`. Returns true if all were answered within [`Limits::grace`](crate::Limits::grace); what is left
    /// then ends with the runtime.
    pub async fn shutdown(mut self) -> bool {
        self.app.draining.store(true, Ordering::Relaxed);
        tracing::info!("the server is ending");
        // Nobody may be listening any more.
        let _ = self.end.send(true);
        let grace = self.app.limits.grace;
        let all = tokio::time::timeout(grace, async {
            // The loop hands on what has reached the listener.
            let _ = (&mut self.accept).await;
            self.done.recv().await
        });
        let whole = all.await.is_ok();
        if !whole {
            self.accept.abort();
            let open = self.app.traffic.connections.load(Ordering::Relaxed);
            tracing::warn!(open, ?grace, "connections were still open when the time to end was over");
        }
        whole
    }
}

/// What each connection needs.
struct Connections {
    app: Arc<App>,
    router: Router,
    ending: watch::Receiver<bool>,
    /// Held by each connection.
    alive: mpsc::Sender<()>,
    /// Places for connections that are told that they are too many.
    refusals: Arc<Semaphore>,
}

impl Connections {
    async fn accept(mut self, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = ended(&mut self.ending) => break,
            };
            match accepted {
                Ok((stream, _)) => self.begin(stream),
                Err(error) => {
                    // Of the process: too many open files. It passes when connections are closed.
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
        // Those that the system has accepted already. The runtime may not know of them yet, so the system is asked.
        let Ok(listener) = listener.into_std() else { return };
        loop {
            match listener.accept() {
                Ok((stream, _)) => {
                    if stream.set_nonblocking(true).is_ok()
                        && let Ok(stream) = TcpStream::from_std(stream)
                    {
                        self.begin(stream);
                    }
                }
                Err(error) if matches!(error.kind(), Interrupted | ConnectionAborted) => {}
                Err(_) => break,
            }
        }
    }

    fn begin(&self, stream: TcpStream) {
        let traffic = &self.app.traffic;
        if traffic.connections.fetch_add(1, Ordering::Relaxed) >= self.app.limits.connections {
            traffic.connections.fetch_sub(1, Ordering::Relaxed);
            traffic.refused.fetch_add(1, Ordering::Relaxed);
            // Those that find no place are closed without a word.
            if let Ok(place) = self.refusals.clone().try_acquire_owned() {
                tokio::spawn(async move {
                    refuse(stream).await;
                    drop(place);
                });
            }
            return;
        }
        let (app, router) = (self.app.clone(), self.router.clone());
        let (ending, alive) = (self.ending.clone(), self.alive.clone());
        tokio::spawn(async move {
            let place = Place(app.clone());
            serve(stream, app, router, ending).await;
            drop((place, alive));
        });
    }
}

/// The place of a connection among those that are allowed.
struct Place(Arc<App>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.traffic.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Waits until the server is to end.
async fn ended(ending: &mut watch::Receiver<bool>) {
    // Without a sender there is nobody who could end it.
    if ending.wait_for(|&end| end).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Tells a client that there are too many connections, and reads on for a while what it sends: closing at once would take the
/// answer from a client that writes before it reads.
async fn refuse(mut stream: TcpStream) {
    let tell = async {
        stream.write_all(TOO_MANY).await?;
        stream.shutdown().await?;
        let mut sent = [0; 4096];
        while stream.read(&mut sent).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    // The client may be gone, or go on for ever.
    let _ = tokio::time::timeout(Duration::from_secs(1), tell).await;
}

/// The answer of a route.
async fn routed(router: &mut Router, request: hyper::Request<Body>) -> Response {
    match Service::call(router, request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Answers the requests of a connection, one after the other.
async fn serve(stream: TcpStream, app: Arc<App>, router: Router, mut ending: watch::Receiver<bool>) {
    // Answers are small; they do not wait for more.
    let _ = stream.set_nodelay(true);
    let stream = TokioIo::new(Patient::new(stream, app.limits.time));
    let head_time = app.limits.head_time;
    let answer = service_fn(move |request: hyper::Request<Incoming>| {
        let (app, mut router) = (app.clone(), router.clone());
        async move {
            let mut response = guard(&app, request, |request| routed(&mut router, request)).await;
            if app.draining.load(Ordering::Relaxed) {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .max_buf_size(MOST_BUFFERED)
        .header_read_timeout(head_time)
        .serve_connection(stream, answer);
    let mut connection = pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = ended(&mut ending) => match tokio::time::timeout(LAST_CALL, connection.as_mut()).await {
            Ok(result) => result,
            Err(_) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection has ended with an error");
    }
}

#[cfg(test)]
mod tests {
    use super::TOO_MANY;

    #[test]
    fn what_a_connection_too_many_gets_has_the_length_that_it_states() {
        let (head, body) = std::str::from_utf8(TOO_MANY).unwrap().split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())), "{}", body.len());
        let error: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(error["error"], "the server has too many connections");
    }
}
