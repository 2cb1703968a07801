//! Settings that cannot work are refused at the start, and requests that say two things at once.

use crate::client::{request, send};
use crate::tools::exchange;
use crate::{Served, models};
use plywood_serve::{Limits, Server};
use std::time::Duration;

fn server() -> Server {
    Server::new().model("numbers", models::numbers().unwrap())
}

/// The error of a server with these settings.
fn error(server: Server) -> String {
    server.router().expect_err("it cannot work").to_string()
}

#[test]
fn limits_that_let_nothing_through_are_refused() {
    let base = Limits::default;
    for (limits, words) in [
        (Limits { time: Duration::ZERO, ..base() }, "\"time\" must be more than 0"),
        (
            Limits { head_time: Duration::MAX, ..base() },
            "\"head_time\" must be more than 0 and at most a day",
        ),
        (Limits { grace: Duration::from_secs(100_000), ..base() }, "\"grace\""),
        (Limits { rows: 0, ..base() }, "\"rows\" must be at least 1"),
        (Limits { connections: 0, ..base() }, "\"connections\" must be at least 1"),
        (Limits { bodies: 1_000, ..base() }, "\"bodies\" must be at least \"body\", 10000000, got 1000"),
    ] {
        let error = error(server().limits(limits));
        assert!(error.contains(words), "{error}");
    }
    assert!(
        server()
            .limits(Limits { grace: Duration::ZERO, body: usize::MAX, bodies: usize::MAX, ..base() })
            .router()
            .is_ok()
    );
}

#[test]
fn origins_and_hosts_are_names_that_a_browser_can_send() {
    for origin in [
        "shop.example",
        "localhost:3000",
        "https://shop.example/",
        "https://shop.example/a",
        "nonsense",
        "",
        "https://",
    ] {
        let error = error(server().allow_origin(origin));
        assert!(error.contains("an origin must be scheme://host[:port], without a path, or *"), "{error}");
    }
    for origin in ["https://shop.example", "http://localhost:3000", "http://[::1]:8080", "*"] {
        assert!(server().allow_origin(origin).router().is_ok(), "{origin}");
    }
    for host in ["", "a b", "models.example:80", "models.example/", "user@models.example"] {
        let error = error(server().hosts([host]));
        assert!(error.contains("a host must be a name without a port"), "{error}");
    }
}

#[test]
fn an_empty_token_is_no_token() {
    for token in ["", " \n"] {
        let error = error(server().token(token));
        assert!(error.contains("the token must be not empty"), "{error}");
    }
    let served = Served::start(server().token("secret\n"));
    let with =
        |token: &str| send(served.address, "GET", "/v1/models", &[("authorization", token)], b"").status;
    assert_eq!([with("Bearer secret"), with("Bearer"), with("Bearer "), with("")], [200, 401, 401, 401]);
    assert!(served.shutdown());
}

#[test]
fn a_request_has_one_host_and_one_origin() {
    let served = Served::start(server().hosts(["localhost"]));
    let twice = [("host", "localhost"), ("host", "evil.example")];
    let answer = send(served.address, "GET", "/v2/health/live", &twice, b"");
    assert_eq!((answer.status, answer.error().as_str()), (400, "a request must have one Host, got several"));
    let twice = [("origin", "http://localhost"), ("origin", "http://evil.example")];
    assert_eq!(send(served.address, "GET", "/v2/health/live", &twice, b"").status, 400);
    // The whole address in the first line counts, too.
    for (address, status) in [("http://evil.example/v1/models", "403"), ("http://localhost/v1/models", "200")]
    {
        let bytes = request("GET", address, &[("connection", "close")], b"");
        let answer = exchange(served.address, &bytes);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{address}: {answer}");
    }
    assert!(served.shutdown());
}
