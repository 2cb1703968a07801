//! The end of the server: nothing that it has accepted is lost.
//!
//! A request is accepted when the server has read its head. A client that sends one on a kept connection in the moment in
//! which the server closes it may find the connection closed, with no byte of an answer: HTTP/1.1 cannot prevent that, and
//! clients ask again. The server makes this rare: once it ends, each answer says `Connection: close`, and idle connections
//! are read a little longer.

use crate::client::{Answer, Connection, Program, get, post, request};
use crate::gate::Gate;
use crate::tools::{Folder, JSON, eventually, inference, is_closed, metric, open, read, rest};
use crate::{Served, as_json, models};
use plywood_serve::{Limits, Server};
use serde_json::{Value, json};
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const ROW: [f64; 4] = [1.0, 2.0, 3.0, 4.0];

/// What a client under load has seen.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    answers: usize,
    /// The last answer said that it was the last.
    told: bool,
    /// The connection was closed before any byte of an answer.
    closed: bool,
    /// An answer that ended early, was wrong, or came where none should.
    wrong: Vec<String>,
}

/// Asks on a kept connection without a pause until it is closed.
fn ask_until_closed(stream: TcpStream, expected: &Value, answered: &AtomicUsize) -> Seen {
    let (mut seen, mut stream) = (Seen::default(), BufReader::new(stream));
    let bytes = request("POST", "/v1/predict/numbers", &[JSON], json!({"row": ROW}).to_string().as_bytes());
    loop {
        let sent = stream.get_mut().write_all(&bytes);
        let (mut head, mut byte) = (Vec::new(), [0]);
        // Byte by byte, to know whether anything of an answer has come.
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1..) => head.push(byte[0]),
                _ if head.is_empty() => {
                    seen.closed = true;
                    return seen;
                }
                other => {
                    seen.wrong.push(format!("half a head: {other:?}, sent {sent:?}"));
                    return seen;
                }
            }
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        if let Err(error) = stream.read_exact(&mut body) {
            seen.wrong.push(format!("half a body: {error}"));
            return seen;
        }
        let right = serde_json::from_slice::<Value>(&body).is_ok_and(|body| body["answers"] == *expected);
        if !head.starts_with("http/1.1 200 ") || !right {
            seen.wrong.push(format!("{head}{}", String::from_utf8_lossy(&body)));
        }
        seen.answers += 1;
        answered.fetch_add(1, Ordering::Relaxed);
        if head.contains("\r\nconnection: close\r\n") {
            seen.told = true;
            if stream.read(&mut byte).is_ok_and(|read| read > 0) {
                seen.wrong.push("more after the last answer".to_owned());
            }
            return seen;
        }
    }
}

#[test]
fn no_accepted_request_is_lost_under_load() {
    let folder = Folder::new();
    models::save_all(&folder.path("")).unwrap();
    let expected = json!([as_json(&models::numbers().unwrap().predict(ROW).unwrap())]);
    for _ in 0..5 {
        let mut program = Program::start(&[&folder.model("numbers")]);
        let (address, answered) = (program.address, AtomicUsize::new(0));
        let seen: Vec<Seen> = std::thread::scope(|scope| {
            let streams: Vec<TcpStream> = (0..16).map(|_| open(address)).collect();
            let (expected, answered) = (&expected, &answered);
            let ask = |stream| scope.spawn(move || ask_until_closed(stream, expected, answered));
            let clients: Vec<_> = streams.into_iter().map(ask).collect();
            eventually("all are busy", || answered.load(Ordering::Relaxed) > 500);
            program.signal("TERM");
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        for seen in &seen {
            assert!(seen.wrong.is_empty(), "{seen:?}");
            assert!(seen.told || seen.closed, "{seen:?}");
        }
        // Clients that ask without a pause are told, nearly always. Where none is, the server does not try.
        assert!(seen.iter().any(|seen| seen.told), "{seen:?}");
        assert_eq!(program.wait(), Some(0));
        assert!(TcpStream::connect(address).is_err());
    }
}

/// Begins the end of a server of this process, and returns whether all was whole.
fn ending(server: Served) -> std::thread::JoinHandle<bool> {
    std::thread::spawn(move || server.shutdown())
}

/// Whether an answer is the last, and says so.
fn is_last(answer: &Answer) -> bool {
    answer.header("connection") == Some("close")
}

#[test]
fn what_is_in_progress_is_answered_and_is_the_last() {
    let gate = Gate::new();
    let server = Server::new().model("slow", gate.predictor()).model("numbers", models::numbers().unwrap());
    let server = Served::start(server.threads(1));
    let address = server.address;
    gate.shut();
    let body = json!({"row": [1.0, 2.0]}).to_string();
    let slow = request("POST", "/v1/predict/slow", &[JSON], body.as_bytes());
    // One is predicted, one waits in the queue.
    let mut predicted = Connection::open(address).unwrap();
    predicted.stream().write_all(&slow).unwrap();
    gate.wait_for(1);
    let mut queued = Connection::open(address).unwrap();
    queued.stream().write_all(&slow).unwrap();
    eventually("one waits", || metric(address, "plywood_queue_requests") == 1.0);
    // Half of a body and half of a head, each read by the server.
    let bytes = request("POST", "/v1/predict/numbers", &[JSON], json!({"row": ROW}).to_string().as_bytes());
    let [mut in_body, mut live, mut ready] = [(); 3].map(|()| Connection::open(address).unwrap());
    in_body.stream().write_all(&bytes[..bytes.len() - 5]).unwrap();
    live.stream().write_all(b"GET /v2/health/live HTTP/1.1\r\nhost: loc").unwrap();
    ready.stream().write_all(b"GET /v2/health/ready HTTP/1.1\r\nhost: loc").unwrap();
    let mut idle = Connection::open(address).unwrap();
    assert_eq!(idle.send("GET", "/v2/health/ready", &[], b"").unwrap().status, 200);
    let mut silent = Connection::open(address).unwrap();
    eventually("all are accepted", || metric(address, "plywood_connections") == 8.0);
    // What was sent before is read before what was accepted later is counted; but not by any promise.
    std::thread::sleep(Duration::from_millis(300));
    let ending = ending(server);
    eventually("nobody listens", || TcpStream::connect(address).is_err());
    assert!(is_closed(&mut idle));
    assert!(is_closed(&mut silent));
    live.stream().write_all(b"alhost\r\n\r\n").unwrap();
    ready.stream().write_all(b"alhost\r\n\r\n").unwrap();
    let (live, ready) = (live.answer().unwrap(), ready.answer().unwrap());
    assert_eq!((live.status, is_last(&live)), (200, true));
    assert_eq!((ready.status, is_last(&ready)), (503, true));
    in_body.stream().write_all(&bytes[bytes.len() - 5..]).unwrap();
    let answer = in_body.answer().unwrap();
    assert_eq!((answer.status, is_last(&answer)), (200, true), "{}", answer.text());
    assert_eq!(rest(in_body.stream()), "");
    gate.open();
    for mut open in [predicted, queued] {
        let answer = open.answer().unwrap();
        assert_eq!((answer.status, is_last(&answer)), (200, true), "{}", answer.text());
        assert_eq!(answer.json()["answers"][0]["numbers"], json!([1.0, 2.0]));
        assert_eq!(rest(open.stream()), "");
    }
    assert!(ending.join().unwrap());
}

/// The system has accepted these connections, and the server has not: it is busy when it is told to end.
#[test]
fn connections_that_wait_to_be_accepted_are_answered() {
    let folder = Folder::new();
    models::save_all(&folder.path("")).unwrap();
    for _ in 0..5 {
        let mut program = Program::start(&[&folder.model("numbers")]);
        let address = program.address;
        // Stopped, it accepts nothing; then it sees the connections and the signal together, in any order.
        program.signal("STOP");
        let waiting: Vec<TcpStream> = (0..20)
            .map(|_| {
                let mut stream = open(address);
                let body = json!({"row": ROW}).to_string();
                let bytes = request("POST", "/v1/predict/numbers", &[JSON], body.as_bytes());
                stream.write_all(&bytes).unwrap();
                stream
            })
            .collect();
        program.signal("TERM");
        program.signal("CONT");
        for mut stream in waiting {
            let answer = rest(&mut stream);
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
        }
        assert_eq!(program.wait(), Some(0));
        assert!(TcpStream::connect(address).is_err());
    }
}

#[test]
fn what_takes_too_long_ends_with_the_grace_and_the_exit_says_so() {
    let folder = Folder::new();
    models::save_all(&folder.path("")).unwrap();
    let log = folder.path("log");
    let mut program = Program::logging(&[&folder.model("numbers"), "--grace", "1"], &log);
    let mut stuck = Connection::open(program.address).unwrap();
    stuck
        .stream()
        .write_all(b"POST /v1/predict/numbers HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n")
        .unwrap();
    let mut idle = Connection::open(program.address).unwrap();
    assert_eq!(idle.send("GET", "/v2/health/live", &[], b"").unwrap().status, 200);
    eventually("all are accepted", || metric(program.address, "plywood_connections") == 3.0);
    std::thread::sleep(Duration::from_millis(300));
    program.signal("TERM");
    assert!(is_closed(&mut idle));
    assert_eq!(program.wait(), Some(1));
    assert!(is_closed(&mut stuck));
    let log = read(&log);
    assert!(log.contains("connections were still open when the time to end was over open=1"), "{log}");
}

#[test]
fn an_idle_program_ends_at_once_by_either_signal() {
    let folder = Folder::new();
    models::save_all(&folder.path("")).unwrap();
    for signal in ["TERM", "INT"] {
        let mut program = Program::start(&[&folder.model("numbers"), "--grace", "600"]);
        let [mut kept, mut silent] = [(); 2].map(|()| Connection::open(program.address).unwrap());
        assert_eq!(kept.send("GET", "/v2/health/ready", &[], b"").unwrap().status, 200);
        eventually("all are accepted", || metric(program.address, "plywood_connections") == 3.0);
        program.signal(signal);
        // Far before the grace is over, or the test hangs.
        assert_eq!(program.wait(), Some(0), "{signal}");
        assert!(is_closed(&mut kept));
        assert!(is_closed(&mut silent));
    }
}

/// Requests that arrive on kept connections after the signal are answered, not dropped.
#[test]
fn a_request_on_its_way_is_answered() {
    let folder = Folder::new();
    models::save_all(&folder.path("")).unwrap();
    let mut program = Program::start(&[&folder.model("numbers")]);
    let mut kept: Vec<Connection> = (0..10).map(|_| Connection::open(program.address).unwrap()).collect();
    for open in &mut kept {
        assert_eq!(open.send("GET", "/v2/health/ready", &[], b"").unwrap().status, 200);
    }
    // Stopped, it sees the signal and the requests together, in any order.
    program.signal("STOP");
    let bytes = request("POST", "/v2/models/numbers/infer", &[], inference(&[vec![1.0; 4]]).as_bytes());
    kept.iter_mut().for_each(|open| open.stream().write_all(&bytes).unwrap());
    program.signal("TERM");
    program.signal("CONT");
    for open in &mut kept {
        let answer = open.answer().unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(program.wait(), Some(0));
}

#[test]
fn a_server_of_this_process_says_whether_all_was_answered() {
    let gate = Gate::new();
    let limits = Limits { grace: Duration::from_millis(200), ..Limits::default() };
    let server = Served::start(Server::new().model("slow", gate.predictor()).limits(limits));
    let address = server.address;
    assert_eq!(get(address, "/v2/health/ready").status, 200);
    gate.shut();
    let asking = std::thread::spawn(move || {
        Connection::open(address)?.send("POST", "/v1/predict/slow", &[JSON], b"{\"row\": [1, 2]}")
    });
    gate.wait_for(1);
    assert!(!server.shutdown());
    // The connection ends with its runtime.
    assert!(asking.join().unwrap().is_err());
    gate.open();

    let server = Served::start(Server::new().model("slow", gate.predictor()));
    let answer = post(server.address, "/v1/predict/slow", &[JSON], "{\"row\": [1, 2]}");
    assert_eq!(answer.status, 200);
    assert!(server.shutdown());
}
