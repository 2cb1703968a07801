//! [`Path`]: the parts of a path.

use crate::fault::Fault;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

/// The parts of a path. In place of axum's own, whose error is not in the form of all others.
pub(crate) struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(all)) => Ok(Self(all)),
            Err(error) => {
                let error = error.body_text();
                Err(Fault::bad(format!("the path must be UTF-8 once it is decoded, got an error: {error}")))
            }
        }
    }
}
