//! What is on the wire: HTTP as clients of all ages and tempers write it.

use crate::client::{Connection, get, post, request};
use crate::tools::{JSON, exchange, open, rest};
use crate::{Served, as_json, models};
use plywood_serve::Server;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};

const ROW: [f64; 4] = [1.0, 2.0, 3.0, 4.0];

fn numbers() -> Served {
    Served::start(Server::new().model("numbers", models::numbers().unwrap()))
}

/// What the server must answer to [`ROW`].
fn expected() -> Value {
    json!([as_json(&models::numbers().unwrap().predict(ROW).unwrap())])
}

fn body() -> String {
    json!({"row": ROW}).to_string()
}

/// The server goes on.
fn check(server: Served) {
    let answer = post(server.address, "/v1/predict/numbers", &[JSON], body());
    assert_eq!((answer.status, &answer.json()["answers"]), (200, &expected()));
    assert!(server.shutdown());
}

/// The body of an answer that is the last of a connection.
fn last_json(answer: &str) -> Value {
    assert!(answer.starts_with("HTTP/1.1 200 ") || answer.starts_with("HTTP/1.0 200 "), "{answer}");
    serde_json::from_str(answer.split_once("\r\n\r\n").expect(answer).1).expect(answer)
}

#[test]
fn what_is_not_http_is_refused_and_closed() {
    let server = numbers();
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(1 << 20));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(10_000));
    let garbage: [&[u8]; 13] = [
        b"\r\n\r\nhello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\na\0b: c\r\n\r\n",
        b"GET \xff\xfe HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a greeting of TLS \r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /v1/predict/numbers HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n",
        b"POST /v1/predict/numbers HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"POST /v1/predict/numbers HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        long.as_bytes(),
        many.as_bytes(),
    ];
    for bytes in garbage {
        let answer = exchange(server.address, bytes);
        let what = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]);
        // Where all was sent before the answer was read, the answer may be lost with the connection.
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(refused, "{what:?}: {answer}");
    }
    check(server);
}

/// A length beside chunks is how one proxy is made to see other requests than the server behind it.
#[test]
fn a_length_beside_chunks_does_not_smuggle_a_request() {
    let server = numbers();
    let smuggled = "GET /v2/health/live HTTP/1.1\r\nhost: a\r\n\r\n";
    let both = format!(
        "POST /v1/predict/numbers HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n\
         0\r\n\r\n{smuggled}"
    );
    let answer = exchange(server.address, both.as_bytes());
    let answers = answer.matches("HTTP/1.1 ").count();
    assert!(answers <= 1, "{answer}");
    check(server);
}

#[test]
fn requests_in_one_piece_are_answered_in_order() {
    let server = numbers();
    let mut connection = Connection::open(server.address).unwrap();
    let predict = request("POST", "/v1/predict/numbers", &[JSON], body().as_bytes());
    let all = [
        predict.clone(),
        request("GET", "/v2/health/live", &[], b""),
        request("GET", "/nothing", &[], b""),
        predict.clone(),
        request("POST", "/v1/predict/nobody", &[JSON], body().as_bytes()),
        predict,
    ];
    connection.stream().write_all(&all.concat()).unwrap();
    for status in [200, 200, 404, 200, 404, 200] {
        let answer = connection.answer().unwrap();
        assert_eq!(answer.status, status, "{}", answer.text());
        if answer.body.starts_with(b"{\"model\"") {
            assert_eq!(answer.json()["answers"], expected());
        }
    }
    check(server);
}

#[test]
fn a_connection_is_kept_also_after_errors() {
    let server = numbers();
    let mut connection = Connection::open(server.address).unwrap();
    for _ in 0..50 {
        let good = connection.send("POST", "/v1/predict/numbers", &[JSON], body().as_bytes()).unwrap();
        assert_eq!((good.status, &good.json()["answers"]), (200, &expected()));
        let bad = connection.send("POST", "/v1/predict/numbers", &[JSON], b"{\"row\": [1").unwrap();
        assert_eq!(bad.status, 400);
        let other = connection.send("DELETE", "/v1/predict/numbers", &[], b"").unwrap();
        assert_eq!((other.status, other.header("allow")), (405, Some("POST")));
    }
    let last = connection.send("GET", "/v2/health/live", &[("connection", "close")], b"").unwrap();
    assert_eq!((last.status, last.header("connection")), (200, Some("close")));
    assert_eq!(rest(connection.stream()), "");
    check(server);
}

#[test]
fn http_1_0_is_answered_and_closed_unless_it_is_kept() {
    let server = numbers();
    let body = body();
    let head = format!(
        "POST /v1/predict/numbers HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
        body.len()
    );
    let answer = exchange(server.address, format!("{head}\r\n{body}").as_bytes());
    assert_eq!(last_json(&answer)["answers"], expected());
    assert!(!answer.to_ascii_lowercase().contains("transfer-encoding"), "{answer}");
    let mut kept = Connection::open(server.address).unwrap();
    for _ in 0..2 {
        kept.stream().write_all(format!("{head}connection: keep-alive\r\n\r\n{body}").as_bytes()).unwrap();
        let answer = kept.answer().unwrap();
        assert_eq!((answer.status, answer.header("connection")), (200, Some("keep-alive")));
    }
    check(server);
}

#[test]
fn a_client_that_waits_for_100_is_told_to_go_on() {
    let server = numbers();
    let mut stream = BufReader::new(open(server.address));
    let body = body();
    let head = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n",
            body.len()
        )
    };
    stream.get_mut().write_all(head("/v1/predict/numbers").as_bytes()).unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
    stream.read_line(&mut line).unwrap();
    stream.get_mut().write_all(body.as_bytes()).unwrap();
    assert_eq!(last_json(&rest(&mut stream))["answers"], expected());
    // What is refused by its head alone needs no body.
    let answer = exchange(server.address, head("/v1/predict/nothing").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    check(server);
}

#[test]
fn bodies_in_chunks_are_read_and_broken_ones_refused() {
    let server = numbers();
    let head = "POST /v1/predict/numbers HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                transfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    let chunks = |size: usize| {
        let body = body();
        let mut all = String::from(head);
        for chunk in body.as_bytes().chunks(size) {
            all += &format!("{:x};a=b\r\n{}\r\n", chunk.len(), std::str::from_utf8(chunk).unwrap());
        }
        all + "0\r\nx-checksum: none\r\n\r\n"
    };
    for size in [1, 2, 7, 1_000] {
        let answer = exchange(server.address, chunks(size).as_bytes());
        assert_eq!(last_json(&answer)["answers"], expected(), "{size}");
    }
    let broken =
        ["x\r\n", "5\r\nab\r\n0\r\n\r\n", "ffffffffffffffff1\r\n{}", "-1\r\n\r\n", "2\r\n{}0\r\n\r\n"];
    for chunks in broken {
        let answer = exchange(server.address, format!("{head}{chunks}").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400 "), "{chunks:?}: {answer}");
        assert!(answer.contains("{\"error\":\"the body has ended early: "), "{chunks:?}: {answer}");
    }
    check(server);
}

#[test]
fn a_body_that_ends_early_is_no_request() {
    let server = numbers();
    let bytes = request("POST", "/v1/predict/numbers", &[JSON], body().as_bytes());
    for end in [bytes.len() - 1, bytes.len() - 10, bytes.len() - body().len(), 30] {
        let mut stream = open(server.address);
        stream.write_all(&bytes[..end]).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let answer = rest(&mut stream);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    check(server);
}

#[test]
fn head_is_get_without_the_body() {
    let server = numbers();
    for path in ["/v1/models", "/v2", "/v2/health/live", "/metrics", "/", "/openapi.json", "/nothing"] {
        let full = get(server.address, path);
        let head = format!("HEAD {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let answer = exchange(server.address, head.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {} ", full.status)), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{path}: {answer}");
        // The numbers of metrics change in between.
        if path != "/metrics" && !full.body.is_empty() {
            let length = format!("content-length: {}\r\n", full.body.len());
            assert!(answer.contains(&length), "{path}: {answer}");
        }
    }
    check(server);
}

#[test]
fn a_request_may_arrive_byte_by_byte() {
    let server = numbers();
    let mut connection = Connection::open(server.address).unwrap();
    for byte in request("POST", "/v1/predict/numbers", &[JSON], body().as_bytes()) {
        connection.stream().write_all(&[byte]).unwrap();
    }
    let answer = connection.answer().unwrap();
    assert_eq!((answer.status, &answer.json()["answers"]), (200, &expected()));
    // What belongs to no request follows.
    connection.stream().write_all(b"rubbish\r\n\r\n").unwrap();
    let mut after = String::new();
    let _ = connection.stream().read_to_string(&mut after);
    assert!(after.is_empty() || after.starts_with("HTTP/1.1 400 "), "{after}");
    check(server);
}
