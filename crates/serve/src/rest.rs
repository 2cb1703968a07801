//! [`Rest`]: what a handler leaves of a request's body.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Bytes, Frame, SizeHint};
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

/// The body of a request, which is given back if it is dropped before its end.
struct Lent {
    body: Body,
    back: Arc<Mutex<Left>>,
    /// Whether the client sends it: if it does not wait to be asked, or was.
    is_sent: bool,
}

impl Rest {
    /// Watches the body of a request; `None` if it has none.
    pub fn of(request: Request) -> (Request, Option<Self>) {
        if request.body().is_end_stream() {
            return (request, None);
        }
        let (back, is_sent) = (Arc::default(), !request.headers().contains_key(header::EXPECT));
        let rest = Self(Arc::clone(&back));
        (request.map(|body| Body::new(Lent { body, back, is_sent })), Some(rest))
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

impl hyper::body::Body for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.is_sent = true;
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.body.is_end_stream() {
            let left = if self.is_sent { Left::Some(std::mem::take(&mut self.body)) } else { Left::Unsent };
            *self.back.lock().unwrap_or_else(PoisonError::into_inner) = left;
        }
    }
}
