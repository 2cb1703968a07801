//! The page at `/`, and the description of all routes.

use crate::fault::with_type;
use axum::http::{HeaderValue, header};
use axum::response::Response;

/// A file of the page.
pub(crate) struct Asset {
    pub path: &'static str,
    media_type: &'static str,
    text: &'static str,
}

/// The files of the page. They need no token: they ask for nothing before the user does.
pub(crate) const ASSETS: [Asset; 3] = [
    Asset { path: "/", media_type: "text/html; charset=utf-8", text: include_str!("page/index.html") },
    Asset { path: "/page.css", media_type: "text/css; charset=utf-8", text: include_str!("page/page.css") },
    Asset {
        path: "/page.js",
        media_type: "text/javascript; charset=utf-8",
        text: include_str!("page/page.js"),
    },
];

/// The page fetches nothing from elsewhere, and nothing else may put it in a frame. Photos are shown from memory.
const POLICY: &str = "default-src 'self'; img-src 'self' blob: data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

impl Asset {
    pub fn response(&self) -> Response {
        let mut response = with_type(self.text, self.media_type);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}

/// `GET /openapi.json`
pub(crate) async fn openapi() -> Response {
    with_type(include_str!("openapi.json"), "application/json")
}
