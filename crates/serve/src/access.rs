//! [`Access`]: who may ask.

use crate::fault::{Fault, shortened};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use plywood::Error;
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
}

impl Access {
    pub fn set_token(&mut self, token: &str) {
        self.token = Some(Sha256::digest(token.trim()).into());
    }

    /// Whether a path needs no token: the probes, and the page before it asks for anything.
    pub fn is_open(path: &str) -> bool {
        path.starts_with("/v2/health/") || crate::page::ASSETS.iter().any(|asset| asset.path == path)
    }

    /// Checks the names of hosts and origins.
    pub fn check(&self) -> plywood::Result<()> {
        if self.token == Some(Sha256::digest("").into()) {
            return Err(
                Error::argument("the token", "not empty", "an empty one").help("Make a long random one.")
            );
        }
        for host in self.hosts.iter().flatten() {
            if host.is_empty()
                || without_port(host) != host
                || host.contains(|c: char| c.is_whitespace() || "/@?#".contains(c))
            {
                return Err(Error::argument("a host", "a name without a port", format!("{host:?}"))
                    .help("Give it as in models.example."));
            }
        }
        for origin in self.origins.iter().filter(|origin| *origin != "*") {
            let parsed = origin.parse::<Uri>().ok().map(Uri::into_parts);
            let whole = parsed.is_some_and(|parts| {
                parts.scheme.is_some_and(|scheme| {
                    // As browsers send it: in lower case, without the port that goes without saying.
                    let usual = if scheme.as_str() == "https" { 443 } else { 80 };
                    parts.authority.is_some_and(|host| {
                        *origin == format!("{scheme}://{host}").to_lowercase()
                            && host.port_u16() != Some(usual)
                    })
                })
            });
            if !whole {
                return Err(Error::argument(
                    "an origin",
                    "scheme://host[:port], without a path, or *",
                    format!("{origin:?}"),
                )
                .help("Give it as browsers send it: https://shop.example, http://localhost:3000."));
            }
        }
        Ok(())
    }

    /// Checks the `Host`, and that of a request whose line has a whole address.
    pub fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Fault> {
        let mut all = headers.get_all(header::HOST).iter();
        let (first, other) = (all.next(), all.next());
        if other.is_some() {
            return Err(Fault::bad("a request must have one Host, got several"));
        }
        let Some(hosts) = &self.hosts else { return Ok(()) };
        // Probes ask by an address of the network.
        if uri.path().starts_with("/v2/health/") {
            return Ok(());
        }
        let host = first.and_then(|host| host.to_str().ok()).unwrap_or("");
        let known = |host: &str| hosts.iter().any(|known| known.eq_ignore_ascii_case(without_port(host)));
        let addressed = uri.authority().map(|host| host.as_str());
        match [Some(host), addressed].into_iter().flatten().find(|host| !known(host)) {
            None => Ok(()),
            Some(other) => {
                let name = shortened(without_port(other), 100);
                Err(Fault::new(
                    StatusCode::FORBIDDEN,
                    format!(
                        "the Host must be one that this server answers for, got {name:?}; it answers for others by --host (Server::hosts)"
                    ),
                ))
            }
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
            false if given.is_empty() => Err(Fault::new(
                StatusCode::UNAUTHORIZED,
                "this server needs a token: send the header \"Authorization: Bearer TOKEN\"",
            )),
            false => Err(Fault::new(StatusCode::UNAUTHORIZED, "the token is not that of this server")),
        }
    }

    /// The origin of another page that may ask; an error for one that may not.
    pub fn other_origin<'h>(&self, headers: &'h HeaderMap) -> Result<Option<&'h HeaderValue>, Fault> {
        let mut all = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = all.next() else { return Ok(None) };
        if all.next().is_some() {
            return Err(Fault::bad("a request must have one Origin, got several"));
        }
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
                    "pages of {:?} may not ask this server; it allows others by --allow-origin (Server::allow_origin)",
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
