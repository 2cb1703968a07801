//! What every request passes: who may ask, for how long, and what is counted and logged.
//!
//! ```text
//! head ──> guard ──> handler: the body is read ──> a model answers ──> what is left of the body ──> the answer is taken
//!   |        |                  |                        |                        |                       |
//! head_time  |<-- time: 503 ----|-- time: 408 -----------|----------------------->|  5 s, then close      | time, then close
//! (hyper)    access.rs          body.rs                  work.rs                  rest.rs                 patient.rs
//! ```

use crate::access::Access;
use crate::app::App;
use crate::fault::Fault;
use crate::patient::within;
use crate::rest::{Rest, Sendable};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Instant;

/// [`guard`] as a layer of routes.
pub(crate) async fn layer(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    guard(&app, request, |request| next.run(request)).await
}

/// Checks a request, answers it by `next` within its time, counts and logs it.
pub(crate) async fn guard<F: Future<Output = Response>>(
    app: &App,
    request: Request<impl Sendable>,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let logged =
        app.access_log.then(|| (Instant::now(), request.method().clone(), request.uri().path().to_owned()));
    let (request, rest) = Rest::of(request);
    let response = app.bodies.hold(checked(app, request, next).await);
    let mut response = response.unwrap_or_else(IntoResponse::into_response);
    if let Some(rest) = rest {
        // A body that is late is not waited for once more.
        let is_late = response.status() == StatusCode::REQUEST_TIMEOUT;
        if is_late || !rest.discard().await {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
    app.traffic.count(response.status());
    if let Some((start, method, path)) = logged {
        let (status, time) = (response.status().as_u16(), start.elapsed());
        tracing::info!(target: "plywood_serve::access", %method, path, status, ?time, "a request");
    }
    response
}

async fn checked<F: Future<Output = Response>>(
    app: &App,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let headers = request.headers();
    let origin =
        match app.access.check_host(request.uri(), headers).and_then(|()| app.access.other_origin(headers)) {
            Ok(origin) => origin.cloned(),
            Err(fault) => return fault.into_response(),
        };
    if let Some(origin) = &origin
        && request.method() == Method::OPTIONS
    {
        return with_origin(preflight(), origin);
    }
    let allowed = match Access::is_open(request.uri().path()) {
        true => Ok(()),
        false => app.access.check_token(headers),
    };
    let response = match allowed {
        Ok(()) => match within(app.limits.time, next(request)).await {
            Some(response) => response,
            None => {
                let time = app.limits.time;
                Fault::busy(format!("the request has taken more than {time:?}; ask for less at once"))
                    .into_response()
            }
        },
        Err(fault) => {
            let mut response = fault.into_response();
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        }
    };
    match &origin {
        Some(origin) => with_origin(response, origin),
        None => response,
    }
}

/// The answer to a browser that asks whether it may ask.
fn preflight() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    let allowed = "authorization, content-type, inference-header-content-length";
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(allowed));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

fn with_origin(mut response: Response, origin: &HeaderValue) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    let exposed = HeaderValue::from_static("inference-header-content-length");
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    response
}
