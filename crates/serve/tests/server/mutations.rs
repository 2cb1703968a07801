//! Changed requests: some thousands, the same at each run. The server answers each, or closes the connection, and lives on.

use crate::client::{Connection, request};
use crate::files::{colours, deflate, form, grey, gzip};
use crate::protocol::{self, Elements, LENGTH, Tensor};
use crate::{Served, all_models};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::ImageFormat::{Jpeg, Png};
use plywood_serve::Limits;
use serde_json::{Value, json};
use std::io::Write;
use std::net::Shutdown;
use std::time::Duration;

/// The changed bodies, and the changed requests. `PLYWOOD_MUTATIONS` has another number.
fn count() -> usize {
    std::env::var("PLYWOOD_MUTATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(3_000)
}

/// What the answer to a changed request may be.
const STATUSES: [u16; 9] = [200, 400, 404, 405, 408, 413, 415, 422, 501];

/// A generator of numbers (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound.max(1)
    }

    /// A changed copy: bytes replaced, bits turned, a part cut out, doubled, moved or repeated.
    fn changed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut all = bytes.to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(all.len());
            let end = (at + 1 + self.below(20)).min(all.len());
            match self.below(8) {
                _ if all.is_empty() => {}
                0 => all[at] = self.below(256) as u8,
                1 => all[at] ^= 1 << self.below(8),
                2 => all.truncate(at),
                3 => drop(all.drain(at..end)),
                4 => drop(all.splice(at..at, all[at..end].to_vec())),
                5 => {
                    let interesting = b"[]{}\",:-0123456789eE.\\\0\xff";
                    all[at] = interesting[self.below(interesting.len())];
                }
                6 => {
                    let words: [&[u8]; 8] = [
                        b"null",
                        b"-1",
                        b"1e999",
                        b"NaN",
                        b"18446744073709551615",
                        b"\"\"",
                        b"[[",
                        b"\xff\xff\xff\x7f",
                    ];
                    drop(all.splice(at..end, words[self.below(words.len())].to_vec()));
                }
                _ => {
                    let from = self.below(all.len());
                    let part = all[from..(from + end - at).min(all.len())].to_vec();
                    drop(all.splice(at..at, part));
                }
            }
        }
        all
    }
}

/// A valid request: path, headers, body.
struct Valid {
    path: &'static str,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Valid {
    fn new(path: &'static str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { path, headers, body: body.into() }
    }

    fn bytes(&self, body: &[u8]) -> Vec<u8> {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        request("POST", self.path, &headers, body)
    }
}

fn valid() -> Vec<Valid> {
    let json = [("content-type", "application/json")];
    let row = json!({"age": 30.5, "member": true, "port": "Q", "since": "2024-05-06"});
    let (fashion, numbers) = ("/v1/predict/fashion", "/v1/predict/numbers?top=2");
    let (media, parts) =
        form(&[("name=\"weight\"", b"2.5"), ("name=\"photo\"; filename=\"p\"", &colours(16, 16, Png))]);
    let (table_media, table_parts) = form(&[
        ("name=age", b"3"),
        ("name=member", b"true"),
        ("name=port", b""),
        ("name=since", b"2024-05-06"),
    ]);
    let rows = json!({"rows": [[1, 2.5, -3, 1e3], [0, 0, 0, 0]]}).to_string();
    let mut all = vec![
        Valid::new(fashion, &[("content-type", "image/png")], grey(28, 28, Png)),
        Valid::new(fashion, &[], grey(28, 28, Jpeg)),
        Valid::new(fashion, &json, json!({"row": STANDARD.encode(grey(9, 9, Png))}).to_string()),
        Valid::new("/v1/predict/table", &json, json!({"rows": [row, row]}).to_string()),
        Valid::new("/v1/predict/texts", &json, json!({"text": "a fast \u{e9} game"}).to_string()),
        Valid::new("/v1/predict/texts", &[("content-type", "text/plain")], "a fast game"),
        Valid::new(numbers, &json, rows.clone()),
        Valid::new(numbers, &[json[0], ("content-encoding", "gzip")], gzip(rows.as_bytes())),
        Valid::new(numbers, &[json[0], ("content-encoding", "deflate")], deflate(rows.as_bytes())),
        Valid::new("/v1/predict/product", &[("content-type", &media)], parts),
        Valid::new("/v1/predict/table", &[("content-type", &table_media)], table_parts),
        Valid::new("/v2/repository/index", &[], "{\"ready\": true}"),
    ];
    all.extend(valid_of_protocol());
    all
}

fn valid_of_protocol() -> Vec<Valid> {
    let tensors = [
        ("/v2/models/numbers/infer", vec![Tensor::new("input", [2, 4], Elements::Fp32(vec![0.5; 8]))]),
        ("/v2/models/fashion/infer", vec![Tensor::new("input", [1, 28, 28], Elements::Uint8(vec![77; 784]))]),
        ("/v2/models/texts/infer", vec![Tensor::new("input", [2], Elements::texts(&["a game", "é"]))]),
        (
            "/v2/models/table/infer",
            vec![
                Tensor::new("age", [1], Elements::Fp64(vec![30.5])),
                Tensor::new("member", [1], Elements::Bool(vec![true])),
                Tensor::new("port", [1, 1], Elements::texts(&["S"])),
                Tensor::new("since", [1], Elements::texts(&["2024-05-06"])),
            ],
        ),
    ];
    let mut all = Vec::new();
    for (path, inputs) in &tensors {
        let first = if path.contains("numbers") { "values" } else { "probabilities" };
        let wanted = json!([{"name": first, "parameters": {"binary_data": true, "classification": 2}}]);
        let rests =
            [json!({"id": "7", "outputs": wanted}), json!({"parameters": {"binary_data_output": true}})];
        for (rest, binary) in rests.into_iter().zip([false, true]) {
            let pairs: Vec<(&Tensor, bool)> = inputs.iter().map(|tensor| (tensor, binary)).collect();
            let (body, head) = protocol::request(&pairs, rest);
            let head = head.to_string();
            match binary {
                true => all.push(Valid::new(path, &[(LENGTH, &head)], body)),
                false => all.push(Valid::new(path, &[], body)),
            }
        }
        if let [only] = &inputs[..] {
            all.push(Valid::new(path, &[(LENGTH, "0")], only.elements.binary()));
        }
    }
    all
}

fn served() -> Served {
    let limits = Limits { time: Duration::from_secs(30), ..Limits::default() };
    Served::start(all_models().limits(limits))
}

#[test]
fn changed_bodies_are_answered() {
    let (served, valid, mut random) = (served(), valid(), Random(0x9e37_79b9_7f4a_7c15));
    let mut open = Connection::open(served.address).unwrap();
    let mut seen = [0; 600];
    for valid in &valid {
        open.stream().write_all(&valid.bytes(&valid.body)).unwrap();
        let answer = open.answer().unwrap();
        assert_eq!(answer.status, 200, "{}: {}", valid.path, answer.text());
    }
    for number in 0..count() {
        let valid = &valid[number % valid.len()];
        let body = random.changed(&valid.body);
        open.stream().write_all(&valid.bytes(&body)).unwrap();
        let answer = open.answer().unwrap_or_else(|error| panic!("{error}: {} {body:?}", valid.path));
        let shown = || format!("{}: {} for {:?}", valid.path, answer.text(), String::from_utf8_lossy(&body));
        assert!(STATUSES.contains(&answer.status), "{} {}", answer.status, shown());
        seen[usize::from(answer.status)] += 1;
        match answer.status {
            200 if valid.path.ends_with("infer") => drop(protocol::outputs(&answer)),
            200 => drop(answer.json()),
            _ => assert!(!answer.error().is_empty(), "{}", shown()),
        }
        if answer.header("connection") == Some("close") {
            open = Connection::open(served.address).unwrap();
        }
    }
    assert!(seen[200] > count() / 50 && seen[400] > count() / 4, "{} {}", seen[200], seen[400]);
    assert!(served.shutdown());
}

#[test]
fn changed_requests_are_answered_or_end_the_connection() {
    let (served, valid, mut random) = (served(), valid(), Random(0x2545_f491_4f6c_dd1d));
    let good = Valid::new(
        "/v1/predict/numbers",
        &[("content-type", "application/json")],
        r#"{"row": [1, 2, 3, 4]}"#,
    );
    let mut expected: Option<Value> = None;
    for number in 0..count() / 3 {
        let valid = &valid[number % valid.len()];
        let bytes = valid.bytes(&valid.body);
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        // The head is changed most, and the body a little.
        let bytes = [random.changed(&bytes[..end]), random.changed(&bytes[end..])].concat();
        let mut open = Connection::open(served.address).unwrap();
        // The server may have closed the connection before all is sent.
        let _ = open.stream().write_all(&bytes);
        let _ = open.stream().shutdown(Shutdown::Write);
        let shown = String::from_utf8_lossy(&bytes);
        while let Ok(answer) = open.answer() {
            // Those of a head that is no HTTP have no body, and those beyond hyper's bounds their own status.
            let known = STATUSES.contains(&answer.status) || [403, 414, 431, 505].contains(&answer.status);
            assert!(known, "{} {} for {shown:?}", answer.status, answer.text());
            if answer.status >= 400 && !answer.body.is_empty() && answer.header("content-type").is_some() {
                assert!(!answer.error().is_empty());
            }
        }
        if number % 50 == 0 {
            let mut open = Connection::open(served.address).unwrap();
            open.stream().write_all(&good.bytes(&good.body)).unwrap();
            let found = open.answer().unwrap().json();
            assert_eq!(*expected.get_or_insert_with(|| found.clone()), found, "after {shown:?}");
        }
    }
    assert!(served.shutdown());
}
