//! How refusals are answered.

use crate::client::{Connection, Talk, post};
use crate::{Served, all_models, models};
use serde_json::json;
use std::io::Write;

#[test]
fn a_path_that_is_not_utf_8_is_refused_in_json() {
    let served = Served::start(all_models());
    for path in ["/v1/predict/%FF", "/v2/models/%ff/infer", "/v2/models/a/versions/%C3%28/infer"] {
        let answer = post(served.address, path, &[], "{}");
        assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/json")), "{path}");
        assert!(answer.error().contains("the path must be UTF-8"), "{}", answer.error());
    }
}

#[test]
fn values_beyond_the_models_arithmetic_are_no_fault_of_the_server() {
    let served = Served::start(all_models());
    let mut talk = Talk::with(served.address);
    let predictor = models::numbers().unwrap();
    let mut refused = 0;
    for signs in 0..16 {
        let row: [f32; 4] = [0, 1, 2, 3].map(|i| if signs >> i & 1 == 1 { 3.4e38 } else { -3.4e38 });
        let expected = predictor.predict(row);
        let input = json!({"name": "input", "shape": [1, 4], "datatype": "FP32", "data": row});
        let bodies = [
            ("/v1/predict/numbers", json!({"row": row})),
            ("/v1/predict/numbers?top=1", json!({"row": row})),
            ("/v2/models/numbers/infer", json!({"inputs": [input]})),
        ];
        for (path, body) in bodies {
            let answer = talk.post(path, &[("content-type", "application/json")], body.to_string());
            match &expected {
                Ok(_) => assert_eq!(answer.status, 200, "{}", answer.text()),
                Err(_) => {
                    assert!(answer.status == 422 && answer.error().contains("row 1"), "{}", answer.text());
                }
            }
        }
        refused += usize::from(expected.is_err());
    }
    assert!(refused > 0);
}

#[test]
fn a_large_body_that_nobody_reads_does_not_end_the_connection() {
    let served = Served::start(all_models());
    let mut open = Connection::open(served.address).unwrap();
    let large = vec![b'1'; 5_000_000];
    let cases = [
        ("POST", "/v1/predict/nobody", 404, vec![]),
        ("POST", "/v2/models/nobody/infer", 404, vec![]),
        ("POST", "/v1/models", 405, vec![]),
        ("POST", "/nowhere", 404, vec![]),
        ("POST", "/v1/predict/texts?top=x", 400, vec![]),
        ("POST", "/v1/predict/texts", 415, vec![("content-encoding", "br")]),
        ("POST", "/v1/predict/texts", 403, vec![("origin", "https://elsewhere.example")]),
        ("POST", "/v2/models/texts/infer", 400, vec![("inference-header-content-length", "x")]),
    ];
    for (method, path, status, headers) in &cases {
        for body in [&large[..], &large[..70_000], &large[..10]] {
            let answer = open.send(method, path, headers, body).unwrap();
            assert_eq!(answer.status, *status, "{path}: {}", answer.text());
            assert_eq!(answer.header("connection"), None);
        }
    }
    // One that is much larger than the limit is not read to its end, and the client is told.
    let head = format!(
        "POST /v1/predict/nobody HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        u64::MAX / 4
    );
    open.stream().write_all(head.as_bytes()).unwrap();
    while open.stream().write_all(&large).is_ok() {}
    // A client that asks before it sends is answered at once.
    let mut open = Connection::open(served.address).unwrap();
    let head = "POST /v1/predict/nobody HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 5000000\r\n\r\n";
    open.stream().write_all(head.as_bytes()).unwrap();
    let answer = open.answer().unwrap();
    assert_eq!((answer.status, answer.header("connection")), (404, Some("close")));
}
