//! Who may ask: the token, `Host`, `Origin`; and what the log says of it.

use crate::client::{Answer, Program, get, post, send};
use crate::tools::{Folder, JSON, exchange, read};
use crate::{Served, models};
use plywood_serve::Server;
use serde_json::json;
use std::net::SocketAddr;

const TOKEN: &str = "correct-horse-battery-staple";

fn with_token(address: SocketAddr, method: &str, path: &str, authorization: &str) -> Answer {
    send(address, method, path, &[("authorization", authorization)], b"")
}

/// Checks that the token is needed everywhere but where it is not, and never in the log.
fn check_token(program: &Program) {
    let address = program.address;
    let closed = [
        ("GET", "/v1/models"),
        ("POST", "/v1/predict/numbers"),
        ("GET", "/v2"),
        ("GET", "/v2/models/numbers"),
        ("GET", "/v2/models/numbers/ready"),
        ("POST", "/v2/models/numbers/infer"),
        ("POST", "/v2/repository/index"),
        ("POST", "/v2/repository/models/numbers/unload"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
        ("GET", "/v2/health"),
        ("GET", "//"),
        ("GET", "/page"),
        ("GET", "/nothing"),
    ];
    for (method, path) in closed {
        let none = send(address, method, path, &[], b"");
        assert_eq!((none.status, none.header("www-authenticate")), (401, Some("Bearer")), "{path}");
        let text = "this server needs a token: send the header \"Authorization: Bearer TOKEN\"";
        assert_eq!(none.error(), text, "{path}");
    }
    let longer = format!("Bearer {TOKEN}x");
    let shorter = format!("Bearer {}", &TOKEN[..TOKEN.len() - 1]);
    let other = format!("Basic {TOKEN}");
    for wrong in ["", "Bearer", "Bearer ", "Bearer wrong", TOKEN, &longer, &shorter, &other] {
        assert_eq!(with_token(address, "GET", "/v1/models", wrong).status, 401, "{wrong}");
    }
    for right in [format!("Bearer {TOKEN}"), format!("bearer  {TOKEN} ")] {
        let answer = with_token(address, "GET", "/v1/models", &right);
        assert_eq!((answer.status, answer.header("www-authenticate")), (200, None), "{right}");
        assert_eq!(with_token(address, "GET", "/nothing", &right).status, 404);
    }
    for path in ["/v2/health/live", "/v2/health/ready", "/", "/page.js", "/page.css"] {
        assert_eq!(get(address, path).status, 200, "{path}");
        assert_eq!(with_token(address, "GET", path, "Bearer wrong").status, 200, "{path}");
    }
}

#[test]
fn the_token_of_a_file_is_needed_and_is_not_logged() {
    let folder = Folder::new();
    models::save_all(&folder.path("")).unwrap();
    std::fs::write(folder.path("token"), format!("{TOKEN}\n")).unwrap();
    let (model, token) = (folder.model("numbers"), folder.path("token"));
    let log = std::fs::File::create(folder.path("log")).unwrap();
    let arguments = [&model, "--token-file", token.to_str().unwrap(), "--access-log"];
    let program = Program::start_with(&arguments, |command| {
        // The file counts if both are there.
        command.env("PLYWOOD_SERVE_TOKEN", "another").env("RUST_LOG", "trace").stderr(log);
    });
    check_token(&program);
    drop(program);
    let log = read(&folder.path("log"));
    assert!(log.contains("a request") && log.contains("status=401"), "{log}");
    assert!(!log.contains("horse"), "{log}");
}

#[test]
fn the_token_of_the_environment_is_needed_and_is_not_logged() {
    let folder = Folder::new();
    models::save_all(&folder.path("")).unwrap();
    let log = std::fs::File::create(folder.path("log")).unwrap();
    let program = Program::start_with(&[&folder.model("numbers")], |command| {
        command.env("PLYWOOD_SERVE_TOKEN", TOKEN).env("RUST_LOG", "debug").stderr(log);
    });
    check_token(&program);
    drop(program);
    let log = read(&folder.path("log"));
    assert!(log.contains("a model is loaded"), "{log}");
    assert!(!log.contains("horse"), "{log}");
}

/// A server whose token cannot be used must not serve everyone.
#[test]
fn an_unusable_token_ends_the_program() {
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::new();
    models::save_all(&folder.path("")).unwrap();
    std::fs::write(folder.path("empty"), " \n").unwrap();
    let failed = |change: &dyn Fn(&mut std::process::Command)| {
        let mut command = Program::command(&[&folder.model("numbers"), "--port", "0"]);
        change(command.stderr(std::process::Stdio::piped()));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let text = failed(&|command| {
        command.env("PLYWOOD_SERVE_TOKEN", "");
    });
    assert!(text.ends_with("plywood-serve: the token must not be empty\n"), "{text}");
    let text = failed(&|command| {
        command.arg("--token-file").arg(folder.path("empty"));
    });
    assert!(text.ends_with("plywood-serve: the token must not be empty\n"), "{text}");
    let text = failed(&|command| {
        command.arg("--token-file").arg(folder.path("nothing"));
    });
    assert!(text.contains("plywood-serve: the token cannot be read from "), "{text}");
    let text = failed(&|command| {
        command.env("PLYWOOD_SERVE_TOKEN", std::ffi::OsStr::from_bytes(b"\xff\xfe"));
    });
    assert!(text.ends_with("plywood-serve: the token in PLYWOOD_SERVE_TOKEN must be UTF-8\n"), "{text}");
}

#[test]
fn on_the_loopback_interface_the_host_is_checked() {
    let folder = Folder::new();
    models::save_all(&folder.path("")).unwrap();
    let program = Program::start(&[&folder.model("numbers"), "--host", "models.example"]);
    let (address, port) = (program.address, program.address.port());
    let status = |host: &str| send(address, "GET", "/v2/health/live", &[("host", host)], b"").status;
    for own in ["localhost", "LocalHost", "127.0.0.1", "[::1]", "models.example"] {
        assert_eq!(status(own), 200, "{own}");
        assert_eq!(status(&format!("{own}:{port}")), 200, "{own}");
    }
    let foreign = [
        "evil.example",
        "evil.example:80",
        "localhost.evil.example",
        "",
        "127.0.0.2",
        "[::2]",
        "localhost:x",
    ];
    for other in foreign {
        let answer = send(address, "GET", "/v1/models", &[("host", other)], b"");
        assert_eq!(answer.status, 403, "{other}");
        assert_eq!(
            answer.error(),
            format!(
                "the Host must be one that this server answers for, got {:?}; it answers for others by --host (Server::hosts)",
                other.strip_suffix(":80").unwrap_or(other)
            )
        );
    }
    let none = exchange(address, b"GET /v1/models HTTP/1.1\r\nconnection: close\r\n\r\n");
    assert!(none.starts_with("HTTP/1.1 403 "), "{none}");
    // The name in the path is not that of the server.
    let full = "GET http://localhost/v1/models HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    let full = exchange(address, full.as_bytes());
    assert!(full.starts_with("HTTP/1.1 403 "), "{full}");
}

#[test]
fn on_all_interfaces_any_host_is_answered_unless_some_are_named() {
    let folder = Folder::new();
    models::save_all(&folder.path("")).unwrap();
    let model = folder.model("numbers");
    let all = Program::start(&[&model, "--bind", "0.0.0.0"]);
    let address: SocketAddr = ([127, 0, 0, 1], all.address.port()).into();
    let status = |address, host: &str| send(address, "GET", "/v2/health/live", &[("host", host)], b"").status;
    assert_eq!(status(address, "models.example"), 200);
    let named = Program::start(&[&model, "--bind", "0.0.0.0", "--host", "models.example"]);
    let address: SocketAddr = ([127, 0, 0, 1], named.address.port()).into();
    assert_eq!(status(address, "models.example"), 200);
    assert_eq!(status(address, "localhost"), 200);
    // Probes ask by any address; all else does not.
    assert_eq!(status(address, "10.0.0.7"), 200);
    assert_eq!(send(address, "GET", "/v1/models", &[("host", "evil.example")], b"").status, 403);
}

#[test]
fn pages_of_other_origins_may_not_ask() {
    let server = Served::start(Server::new().model("numbers", models::numbers().unwrap()));
    let body = json!({"row": [1.0, 2.0, 3.0, 4.0]}).to_string();
    let ask = |host: &str, origin: &str| {
        post(server.address, "/v1/predict/numbers", &[JSON, ("host", host), ("origin", origin)], &body)
    };
    for (host, origin) in [
        ("localhost:80", "http://localhost:80"),
        ("shop.example", "https://shop.example"),
        ("[::1]:1", "http://[::1]:1"),
    ] {
        let answer = ask(host, origin);
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, None), "{origin}");
    }
    for origin in
        ["http://evil.example", "http://localhost:81", "null", "", "localhost:80", "http://localhost"]
    {
        let answer = ask("localhost:80", origin);
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (403, None), "{origin}");
        let text = format!(
            "pages of {origin:?} may not ask this server; it allows others by --allow-origin (Server::allow_origin)"
        );
        assert_eq!(answer.error(), text);
        let headers = [("host", "localhost:80"), ("origin", origin)];
        let before = send(server.address, "OPTIONS", "/v1/predict/numbers", &headers, b"");
        assert_eq!((before.status, before.header("access-control-allow-origin")), (403, None), "{origin}");
    }
    assert!(server.shutdown());
}

#[test]
fn an_origin_that_is_allowed_may_ask() {
    let folder = Folder::new();
    models::save_all(&folder.path("")).unwrap();
    let origin = "https://shop.example";
    let program = Program::start_with(&[&folder.model("numbers"), "--allow-origin", origin], |command| {
        command.env("PLYWOOD_SERVE_TOKEN", TOKEN);
    });
    let address = program.address;
    // The browser asks first, and has no token then.
    let headers = [("origin", origin), ("access-control-request-method", "POST")];
    let before = send(address, "OPTIONS", "/v1/predict/numbers", &headers, b"");
    assert_eq!((before.status, before.body.len()), (204, 0));
    assert_eq!(before.header("access-control-allow-origin"), Some(origin));
    assert_eq!(before.header("access-control-allow-methods"), Some("GET, POST"));
    let allowed = before.header("access-control-allow-headers").unwrap();
    for name in ["authorization", "content-type", "inference-header-content-length"] {
        assert!(allowed.split(", ").any(|known| known == name), "{allowed}");
    }
    let (body, bearer) = (json!({"row": [1.0, 2.0, 3.0, 4.0]}).to_string(), format!("Bearer {TOKEN}"));
    let headers = [JSON, ("origin", origin), ("authorization", bearer.as_str())];
    let answer = post(address, "/v1/predict/numbers", &headers, &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    // Errors too, so that the page can read what they say.
    let refused = post(address, "/v1/predict/numbers", &headers[..2], &body);
    assert_eq!(refused.status, 401);
    for answer in [&before, &answer, &refused] {
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert_eq!(answer.header("vary"), Some("origin"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
    let others = ["https://shop.example.evil.example", "http://shop.example", "https://shop.example:8443"];
    for other in others {
        let headers = [JSON, ("origin", other), ("authorization", bearer.as_str())];
        assert_eq!(post(address, "/v1/predict/numbers", &headers, &body).status, 403, "{other}");
    }
    // Whoever is no page of another origin gets no such headers.
    let plain = get(address, "/v2/health/live");
    assert_eq!((plain.status, plain.header("access-control-allow-origin")), (200, None));
    drop(program);
    let any = Program::start(&[&folder.model("numbers"), "--allow-origin", "*"]);
    let answer = send(any.address, "GET", "/v1/models", &[("origin", "http://any.example")], b"");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("http://any.example"));
}

#[test]
fn requests_are_logged_only_if_asked_for() {
    let folder = Folder::new();
    models::save_all(&folder.path("")).unwrap();
    let requests = |arguments: &[&str]| {
        let log = folder.path("log");
        let program = Program::logging(arguments, &log);
        let body = json!({"row": [1.0, 2.0, 3.0, 4.0]}).to_string();
        let query = "/v1/predict/numbers?top=1&secret=in-the-query";
        assert_eq!(post(program.address, query, &[JSON], &body).status, 200);
        assert_eq!(get(program.address, "/nothing%0Ahere").status, 404);
        drop(program);
        read(&log)
    };
    let model = folder.model("numbers");
    let log = requests(&[&model]);
    assert!(log.contains("a model is loaded") && !log.contains("a request"), "{log}");
    let log = requests(&[&model, "--access-log"]);
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("a request")).collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(lines[0].contains("POST") && lines[0].contains("/v1/predict/numbers"), "{log}");
    assert!(lines[0].contains("status=200"), "{log}");
    assert!(lines[1].contains("/nothing%0Ahere") && lines[1].contains("status=404"), "{log}");
    assert!(!log.contains("in-the-query"), "{log}");
    let log = requests(&[&model, "--access-log", "--log-json"]);
    let parsed = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect(line));
    let paths: Vec<_> = parsed.filter_map(|line| Some(line["fields"]["path"].as_str()?.to_owned())).collect();
    assert_eq!(paths, ["/v1/predict/numbers", "/nothing%0Ahere"]);
}
