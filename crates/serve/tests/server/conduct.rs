//! Limits: the queue, time, bodies, connections. What is beyond them is refused, and other requests go on.

use crate::Served;
use crate::client::{Answer, Connection, get, post, request, send};
use crate::gate::Gate;
use crate::models;
use crate::tools::{JSON, LONG, eventually, exchange, inference, is_closed, metric, open, rest};
use plywood::prelude::*;
use plywood_serve::{Limits, Server};
use serde_json::json;
use std::io::Write;
use std::net::SocketAddr;
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

/// Asks a gated model from a thread.
fn ask(address: SocketAddr, row: [f32; 2]) -> JoinHandle<Answer> {
    let body = json!({"row": row}).to_string();
    spawn(move || post(address, "/v1/predict/slow", &[JSON], body))
}

/// The numbers of an answer.
fn numbers(answer: &Answer) -> serde_json::Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["answers"][0]["numbers"].clone()
}

#[test]
fn a_full_queue_is_told_and_what_waits_is_answered() {
    let gate = Gate::new();
    let limits = Limits { queue: 1, ..Limits::default() };
    let server = Server::new().model("slow", gate.predictor()).model("fast", models::numbers().unwrap());
    let server = Served::start(server.limits(limits).threads(1));
    gate.shut();
    let first = ask(server.address, [1.0, 2.0]);
    gate.wait_for(1);
    let second = ask(server.address, [3.0, 4.0]);
    eventually("one waits", || metric(server.address, "plywood_queue_requests") == 1.0);
    let third = post(server.address, "/v2/models/slow/infer", &[], inference(&[vec![5.0, 6.0]]));
    assert_eq!((third.status, third.header("retry-after")), (503, Some("1")), "{}", third.text());
    assert_eq!(third.error(), "the queue is full: 1 requests wait; ask again in a second");
    // Neither the probes nor a model that is predicted by the handler wait.
    assert_eq!(get(server.address, "/v2/health/live").status, 200);
    assert_eq!(get(server.address, "/v2/health/ready").status, 200);
    assert_eq!(get(server.address, "/v2/models/slow").status, 200);
    gate.open();
    assert_eq!(numbers(&first.join().unwrap()), json!([1.0, 2.0]));
    assert_eq!(numbers(&second.join().unwrap()), json!([3.0, 4.0]));
    assert_eq!(numbers(&ask(server.address, [5.0, 6.0]).join().unwrap()), json!([5.0, 6.0]));
    assert!(server.shutdown());
}

#[test]
fn a_request_that_takes_too_long_is_told() {
    let gate = Gate::new();
    let limits = Limits { time: Duration::from_secs(1), ..Limits::default() };
    let server = Served::start(Server::new().model("slow", gate.predictor()).limits(limits).threads(1));
    gate.shut();
    let late = ask(server.address, [1.0, 2.0]).join().unwrap();
    assert_eq!((late.status, late.header("retry-after")), (503, Some("1")));
    assert_eq!(late.error(), "the request has taken more than 1s; ask for less at once");
    gate.open();
    // A busy machine may take a second for one.
    eventually("it answers again", || ask(server.address, [3.0, 4.0]).join().unwrap().status == 200);
    assert!(server.shutdown());
}

#[test]
fn a_client_that_goes_away_leaves_the_queue() {
    let gate = Gate::new();
    let limits = Limits { queue: 1, ..Limits::default() };
    let server = Served::start(Server::new().model("slow", gate.predictor()).limits(limits).threads(1));
    gate.shut();
    let first = ask(server.address, [1.0, 2.0]);
    gate.wait_for(1);
    let mut gone = open(server.address);
    let body = json!({"row": [3.0, 4.0]}).to_string();
    gone.write_all(&request("POST", "/v1/predict/slow", &[JSON], body.as_bytes())).unwrap();
    eventually("one waits", || metric(server.address, "plywood_queue_requests") == 1.0);
    drop(gone);
    // The first one's connection, and the one that asks.
    eventually("it is gone", || metric(server.address, "plywood_connections") == 2.0);
    gate.open();
    assert_eq!(numbers(&first.join().unwrap()), json!([1.0, 2.0]));
    eventually("nobody waits", || metric(server.address, "plywood_queue_requests") == 0.0);
    // Nothing was predicted for it.
    assert_eq!(metric(server.address, "plywood_rows_total{model=\"slow\"}"), 1.0);
    assert!(server.shutdown());
}

#[test]
fn a_body_that_arrives_too_slowly_is_told() {
    let limits = Limits { time: Duration::from_secs(2), ..Limits::default() };
    let server = Served::start(Server::new().model("numbers", models::numbers().unwrap()).limits(limits));
    let mut slow = Connection::open(server.address).unwrap();
    let head = "POST /v1/predict/numbers HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n";
    slow.stream().write_all(head.as_bytes()).unwrap();
    let mut drip = slow.stream().try_clone().unwrap();
    let dripping = spawn(move || {
        for _ in 0..60 {
            if drip.write_all(b" ").is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    });
    // Others go on meanwhile.
    let body = json!({"row": [1.0, 2.0, 3.0, 4.0]}).to_string();
    assert_eq!(post(server.address, "/v1/predict/numbers", &[JSON], body).status, 200);
    let answer = slow.answer().unwrap();
    assert_eq!(answer.status, 408, "{}", answer.text());
    assert_eq!(answer.error(), "the body must arrive within 2s");
    assert!(is_closed(&mut slow));
    dripping.join().unwrap();
    assert!(server.shutdown());
}

#[test]
fn slow_heads_and_idle_connections_are_closed() {
    let limits = Limits { head_time: Duration::from_secs(1), ..Limits::default() };
    let server = Served::start(Server::new().model("numbers", models::numbers().unwrap()).limits(limits));
    let mut silent = Connection::open(server.address).unwrap();
    let mut kept = Connection::open(server.address).unwrap();
    assert_eq!(kept.send("GET", "/v2/health/live", &[], b"").unwrap().status, 200);
    let mut drip = Connection::open(server.address).unwrap();
    for byte in b"GET /v2/health/live HTTP/1.1\r\nx: ".iter().chain([b'y'; 100].iter()) {
        if drip.stream().write_all(&[*byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(is_closed(&mut drip));
    assert!(is_closed(&mut silent));
    assert!(is_closed(&mut kept));
    // The one that asks is left.
    eventually("they are gone", || metric(server.address, "plywood_connections") == 1.0);
    assert!(server.shutdown());
}

#[test]
fn a_client_that_does_not_read_its_answers_is_left() {
    let limits = Limits { time: Duration::from_secs(1), ..Limits::default() };
    let server = Served::start(Server::new().model("numbers", models::numbers().unwrap()).limits(limits));
    let mut deaf = open(server.address);
    deaf.set_write_timeout(Some(LONG)).unwrap();
    // Far more than the buffers of both sides hold.
    let many = request("GET", "/page.js", &[], b"").repeat(1_000_000);
    assert!(deaf.write_all(&many).is_err(), "the server has read all");
    eventually("it is left", || metric(server.address, "plywood_connections") == 1.0);
    drop(deaf);
    assert!(server.shutdown());
}

#[test]
fn too_many_connections_are_told_so_until_one_is_free() {
    let limits = Limits { connections: 2, ..Limits::default() };
    let server = Served::start(Server::new().model("numbers", models::numbers().unwrap()).limits(limits));
    let mut first = Connection::open(server.address).unwrap();
    let mut second = Connection::open(server.address).unwrap();
    for open in [&mut first, &mut second] {
        assert_eq!(open.send("GET", "/v2/health/live", &[], b"").unwrap().status, 200);
    }
    let mut third = Connection::open(server.address).unwrap();
    let answer = third.answer().unwrap();
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(answer.error(), "the server has too many connections");
    assert_eq!(rest(third.stream()), "");
    // Those that are open go on.
    let metrics = first.send("GET", "/metrics", &[], b"").unwrap().text();
    assert!(metrics.contains("\nplywood_connections 2\n"), "{metrics}");
    assert!(metrics.contains("\nplywood_connections_refused_total 1\n"), "{metrics}");
    drop(second);
    eventually("one is free", || {
        let mut next = Connection::open(server.address).unwrap();
        next.send("GET", "/v2/health/live", &[], b"").is_ok_and(|answer| answer.status == 200)
    });
    assert!(server.shutdown());
}

#[test]
fn a_body_that_is_too_large_is_told() {
    let limits = Limits { body: 1_000, ..Limits::default() };
    let server = Served::start(Server::new().model("numbers", models::numbers().unwrap()).limits(limits));
    let path = "/v1/predict/numbers";
    let exact = format!("{:<1000}", json!({"row": [1.0, 2.0, 3.0, 4.0]}).to_string());
    assert_eq!(post(server.address, path, &[JSON], &exact).status, 200);
    let answer = post(server.address, path, &[JSON], format!("{exact} "));
    assert_eq!(answer.status, 413, "{}", answer.text());
    assert_eq!(answer.error(), "the body must have at most 1000 bytes, also after it is unpacked");
    // In pieces, of which none says how many there will be.
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         connection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let piece = format!("1f4\r\n{}\r\n", " ".repeat(500));
    let answer = exchange(server.address, format!("{head}{}0\r\n\r\n", piece.repeat(3)).as_bytes());
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(server.shutdown());
}

#[test]
fn large_bodies_together_have_a_bound() {
    let limits = Limits { body: 250_000, bodies: 300_000, ..Limits::default() };
    let server = Served::start(Server::new().model("numbers", models::numbers().unwrap()).limits(limits));
    let (path, row) = ("/v1/predict/numbers", json!({"row": [1.0, 2.0, 3.0, 4.0]}).to_string());
    let large = row.clone() + &" ".repeat(200_000);
    assert_eq!(post(server.address, path, &[JSON], &large).status, 200);
    // Most of a large body has arrived, and is held: unless the other one was faster.
    let bytes = request("POST", path, &[JSON], large.as_bytes());
    let mut held = None;
    eventually("another is refused", || {
        let mut half = Connection::open(server.address).unwrap();
        half.stream().write_all(&bytes[..bytes.len() - 1]).unwrap();
        let answer = post(server.address, path, &[JSON], &large);
        held = (answer.status != 200).then_some((half, answer));
        held.is_some()
    });
    let (mut half, refused) = held.unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    let text = "the server has as many large bodies and answers as it has room for; ask again in a second";
    assert_eq!(refused.error(), text);
    // Small ones are no matter of it.
    assert_eq!(post(server.address, path, &[JSON], &row).status, 200);
    half.stream().write_all(&bytes[bytes.len() - 1..]).unwrap();
    assert_eq!(half.answer().unwrap().status, 200);
    eventually("there is room again", || post(server.address, path, &[JSON], &large).status == 200);
    assert!(server.shutdown());
}

/// A client that sends a large body before it reads anything.
#[test]
fn a_large_body_that_is_refused_for_want_of_room_gets_its_answer() {
    let limits = Limits { body: 9_000_000, bodies: 9_000_000, ..Limits::default() };
    let server = Served::start(Server::new().model("numbers", models::numbers().unwrap()).limits(limits));
    let large = vec![b' '; 9_000_000];
    // A part of the room is taken by a body that has not ended.
    let mut half = Connection::open(server.address).unwrap();
    let bytes = request("POST", "/v1/predict/numbers", &[JSON], &large);
    half.stream().write_all(&bytes[..200_000]).unwrap();
    let answer = || send(server.address, "POST", "/v1/predict/numbers", &[JSON], &large);
    eventually("it is held", || answer().status == 503);
    for _ in 0..5 {
        assert_eq!(answer().status, 503, "{}", answer().text());
    }
    drop(half);
    assert!(server.shutdown());
}

#[test]
fn too_many_rows_are_told() {
    let limits = Limits { rows: 2, ..Limits::default() };
    let server = Served::start(Server::new().model("numbers", models::numbers().unwrap()).limits(limits));
    let row = [1.0, 2.0, 3.0, 4.0];
    let v1 = |rows: usize| {
        post(server.address, "/v1/predict/numbers", &[JSON], json!({"rows": vec![row; rows]}).to_string())
    };
    let v2 = |rows: usize| {
        let body = inference(&vec![row.map(|x| x as f32).to_vec(); rows]);
        post(server.address, "/v2/models/numbers/infer", &[], body)
    };
    for (answers, found) in [([v1(2), v1(3)], "more"), ([v2(2), v2(3)], "3")] {
        assert_eq!(answers[0].status, 200, "{}", answers[0].text());
        assert_eq!(answers[1].status, 413, "{}", answers[1].text());
        let expected = format!("a request must have at most 2 rows, got {found}; send several");
        assert_eq!(answers[1].error(), expected);
    }
    assert!(server.shutdown());
}

/// Clients that ask for large answers and do not read them hold the room of their answers.
#[test]
fn answers_that_are_not_taken_have_a_bound_together() {
    let names: Vec<String> = (0..100).map(|class| format!("class {class}")).collect();
    let model = Sequential::builder([1]).layer(Dense::units(100)).layer(Softmax).build().unwrap();
    let predictor =
        Predictor::new(model).input(Features::of_shape([1])).output(Classes::named(names)).build().unwrap();
    let limits = Limits { bodies: 16_000_000, ..Limits::default() };
    let server = Served::start(Server::new().model("many", predictor).limits(limits));
    let body = inference(&vec![vec![1.0]; 10_000]);
    let bytes = request("POST", "/v2/models/many/infer", &[], body.to_string().as_bytes());
    let mut clients: Vec<Connection> = (0..6).map(|_| Connection::open(server.address).unwrap()).collect();
    // One after the other: each answer is there before the next request, and nobody reads.
    let mut waiting = Vec::new();
    for client in &mut clients {
        client.stream().write_all(&bytes).unwrap();
        let mut first = [0; 12];
        client.stream().peek(&mut first).unwrap();
        waiting.push(String::from_utf8_lossy(&first).into_owned());
    }
    assert_eq!(waiting[0], "HTTP/1.1 200");
    assert!(waiting.contains(&"HTTP/1.1 503".to_owned()), "{waiting:?}");
    for client in &mut clients {
        let answer = client.answer().unwrap();
        assert!(matches!(answer.status, 200 | 503));
    }
    let again = || send(server.address, "POST", "/v2/models/many/infer", &[], body.to_string().as_bytes());
    eventually("there is room again", || again().status == 200);
    assert!(server.shutdown());
}
