//! [`Access`]: who may ask.

use crate::fault::{Fault, shortened};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Who may ask.
#[derive(Default)]
pub(crate) struct Access {
    /// The hash of the token, so that texts of any length are compared in the same time.
    token: Option<[u8; 32]>,
    /// The names in `Host` that are answered; `None` for any.
    pub hosts: Option<Vec<String>>,
    /// The origins whose pages may ask.
    pub origins: Vec<String>,
    /// Whether each request is logged.
    pub log: bool,
}

impl Access {
    pub fn set_token(&mut self, token: &str) {
        self.token = Some(Sha256::digest(token).into());
    }

    /// Whether a path needs no token: the probes, and the page before it asks for anything.
    pub fn is_open(path: &str) -> bool {
        path.starts_with("/v2/health/") || crate::page::ASSETS.iter().any(|asset| asset.path == path)
    }

    pub fn check_host(&self, headers: &HeaderMap) -> Result<(), Fault> {
        let Some(hosts) = &self.hosts else { return Ok(()) };
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
        match hosts.iter().any(|known| known.eq_ignore_ascii_case(without_port(host))) {
            true => Ok(()),
            false => Err(Fault::new(
                StatusCode::FORBIDDEN,
                format!("the Host must be one that this server answers for, got {:?}", shortened(host, 100)),
            )),
        }
    }

    pub fn check_token(&self, headers: &HeaderMap) -> Result<(), Fault> {
        let Some(token) = &self.token else { return Ok(()) };
        let given = headers.get(header::AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
        let given = match given.split_at_checked(7) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => token,
            _ => b"",
        };
        match bool::from(Sha256::digest(given.trim_ascii()).ct_eq(token)) {
            true => Ok(()),
            false => Err(Fault::new(
                StatusCode::UNAUTHORIZED,
                "this server needs a token: send the header \"Authorization: Bearer TOKEN\"",
            )),
        }
    }

    /// The origin of another page that may ask; an error for one that may not.
    pub fn other_origin<'h>(&self, headers: &'h HeaderMap) -> Result<Option<&'h HeaderValue>, Fault> {
        let Some(origin) = headers.get(header::ORIGIN) else { return Ok(None) };
        let text = origin.to_str().unwrap_or("");
        if self.origins.iter().any(|known| known == text || known == "*") {
            return Ok(Some(origin));
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let own = text.split_once("://").map(|(_, host)| host);
        match host.is_some() && own == host {
            true => Ok(None),
            false => Err(Fault::new(
                StatusCode::FORBIDDEN,
                format!(
                    "pages of {:?} may not ask this server; it allows others by --allow-origin",
                    shortened(text, 100)
                ),
            )),
        }
    }
}

/// A host without its port: "localhost", "[::1]".
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    }
}
