//! [`Fault`]: why a request is refused, as the answer to it.

use axum::body::Body;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::fmt;

/// Why a request is refused: a status and a sentence. All routes answer it in one form: `{"error": "…"}`.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub status: StatusCode,
    pub text: String,
}

/// The form of all errors.
#[derive(Serialize)]
struct Form<'a> {
    error: &'a str,
}

impl Fault {
    pub fn new(status: StatusCode, text: impl fmt::Display) -> Self {
        Self { status, text: text.to_string() }
    }

    /// What was sent is wrong.
    pub fn bad(text: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// There is no such thing.
    pub fn missing(text: impl fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    /// More than a limit.
    pub fn large(text: impl fmt::Display) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, text)
    }

    /// What was sent is well formed, but the model makes no answer of it: its output is not finite.
    pub fn unanswerable(text: impl fmt::Display) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, text)
    }

    /// The server has too much to do; the client may come again.
    pub fn busy(text: impl fmt::Display) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, text)
    }

    /// The server, or the model, is at fault.
    pub fn inside(text: impl fmt::Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, text)
    }

    /// Something of the protocol that this server does not have.
    pub fn not_implemented(text: impl fmt::Display) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, text)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = json(&Form { error: &self.text });
        *response.status_mut() = self.status;
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// An answer of JSON.
pub(crate) fn json(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => with_type(bytes, "application/json"),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written as JSON");
            let mut response =
                with_type("{\"error\":\"the answer cannot be written as JSON\"}", "application/json");
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    }
}

/// An answer of this media type.
pub(crate) fn with_type(body: impl Into<Body>, media_type: &'static str) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// The answer to a route that is not there.
pub(crate) async fn no_route(uri: axum::http::Uri) -> Fault {
    Fault::missing(format!(
        "there is no route {:?}; the routes are in /openapi.json",
        shortened(uri.path(), 100)
    ))
}

/// The answer to a method that a route does not have.
pub(crate) async fn no_method(method: Method) -> Fault {
    Fault::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!(
            "this route has no method {}; /openapi.json lists the methods",
            shortened(method.as_str(), 20)
        ),
    )
}

/// The beginning of a text, for errors.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
