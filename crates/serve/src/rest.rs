//! [`Rest`]: what a handler leaves of a request's body.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header;
use http_body_util::BodyExt;
use hyper::body::{Bytes, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

/// How long the rest of a body is read.
const LONGEST: Duration = Duration::from_secs(5);

/// How many bytes of it are read.
const MOST: usize = 64 << 20;

/// What a handler leaves of a request's body. It is read before the answer is sent: a client that sends all before it reads
/// gets the answer, and the connection goes on.
pub(crate) struct Rest(Arc<Mutex<Left>>);

/// What is left of a body.
#[derive(Default)]
enum Left {
    #[default]
    Nothing,
    Some(Body),
    /// All, which the client may or may not send, because it waits for "100 Continue".
    Unsent,
}

/// A body as it comes from a connection, or from the router of another program.
pub(crate) trait Sendable:
    hyper::body::Body<Data = Bytes, Error: Into<axum::BoxError>> + Send + Unpin + 'static
{
}

impl<B: hyper::body::Body<Data = Bytes, Error: Into<axum::BoxError>> + Send + Unpin + 'static> Sendable
    for B
{
}

/// The body of a request, which is given back if it is dropped before its end.
struct Lent<B: Sendable> {
    /// `None` once it is given back.
    body: Option<B>,
    back: Arc<Mutex<Left>>,
    /// Whether the client sends it: if it does not wait to be asked, or was.
    is_sent: bool,
}

impl Rest {
    /// Watches the body of a request; `None` if it has none.
    pub fn of<B: Sendable>(request: Request<B>) -> (Request<Body>, Option<Self>) {
        if request.body().is_end_stream() {
            return (request.map(|_| Body::empty()), None);
        }
        let (back, is_sent) = (Arc::default(), !request.headers().contains_key(header::EXPECT));
        let rest = Self(Arc::clone(&back));
        (request.map(|body| Body::new(Lent { body: Some(body), back, is_sent })), Some(rest))
    }

    /// Reads what is left, within bounds. Returns false if that is not all: then the connection has to end.
    pub async fn discard(self) -> bool {
        let left = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut body = match left {
            Left::Nothing => return true,
            Left::Some(body) => body,
            Left::Unsent => return false,
        };
        let all = async {
            let mut left = MOST;
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else { return false };
                left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
                if left == 0 {
                    return false;
                }
            }
            true
        };
        tokio::time::timeout(LONGEST, all).await.unwrap_or(false)
    }
}

impl<B: Sendable> hyper::body::Body for Lent<B> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.is_sent = true;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        Pin::new(body).poll_frame(context).map_err(axum::Error::new)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), B::size_hint)
    }
}

impl<B: Sendable> Drop for Lent<B> {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            let left = if self.is_sent { Left::Some(Body::new(body)) } else { Left::Unsent };
            *self.back.lock().unwrap_or_else(PoisonError::into_inner) = left;
        }
    }
}
