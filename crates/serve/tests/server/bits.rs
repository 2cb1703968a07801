//! An answer has the same bits alone and together with others.

use crate::client::{Connection, Talk, get};
use crate::protocol::{Elements, LENGTH, Tensor, outputs, request};
use crate::{Served, as_json};
use plywood::prelude::*;
use plywood_serve::{Limits, Server};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Barrier;

/// How many clients ask at once.
const CLIENTS: usize = 32;

/// The most rounds until some requests were answered together.
const ROUNDS: usize = 50;

/// A model so wide that threads predict, not handlers.
fn wide() -> Predictor {
    let model = Sequential::builder([64])
        .seed(13)
        // Large, so that sums of large numbers are beyond what f32 holds.
        .layer(Dense::units(1536).initializer(Initializer::Normal { mean: 0.0, std_dev: 0.3 }))
        .layer(ReLU)
        .layer(Dense::units(1536))
        .layer(ReLU)
        .layer(Dense::units(10))
        .layer(Softmax)
        .build()
        .unwrap();
    let names: Vec<String> = (0..10).map(|class| format!("class {class}")).collect();
    Predictor::new(model).input(Features::of_shape([64])).output(Classes::named(names)).build().unwrap()
}

/// The rows of a client, different in each.
fn rows(client: usize) -> Vec<Vec<f32>> {
    let random = |place: usize| (place as u32).wrapping_mul(2_654_435_761).rotate_left(9);
    let number = |row: usize, column: usize| random((client * 8 + row) * 64 + column) as f32 / 1e9 - 2.0;
    (0..1 + client % 7).map(|row| (0..64).map(|column| number(row, column)).collect()).collect()
}

fn served(threads: usize) -> (Predictor, Served) {
    let (predictor, limits) = (wide(), Limits { batch: 64, ..Limits::default() });
    let server = Server::new().model("wide", predictor.clone()).limits(limits).threads(threads);
    (predictor, Served::start(server))
}

/// How many requests were answered, and in how many runs of the model.
fn requests_and_runs(address: SocketAddr) -> [u64; 2] {
    let stats = get(address, "/v2/models/wide/stats").json()["model_stats"][0].clone();
    [&stats["inference_stats"]["success"]["count"], &stats["execution_count"]].map(|n| n.as_u64().unwrap())
}

/// The runs of the model by the histogram for Prometheus: all, and those of at most 7 rows.
fn runs_of_at_most_8(address: SocketAddr) -> [u64; 2] {
    let metrics = get(address, "/metrics").text();
    let value = |name: &str| {
        let line = metrics.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{metrics}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let bucket = r#"plywood_batch_rows_bucket{model="wide",le="8"}"#;
    [value("plywood_batch_rows_count{model=\"wide\"}"), value(bucket)]
}

/// All clients ask at once, again and again, until some of their requests were answered together. `check` says whether an
/// answer to a client is right.
fn until_merged(
    served: &Served,
    ask: impl Fn(usize) -> Vec<u8> + Sync,
    check: impl Fn(usize, &crate::client::Answer) + Sync,
) {
    let mut merged = 0;
    for round in 0..ROUNDS {
        let barrier = Barrier::new(CLIENTS);
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (barrier, ask, check) = (&barrier, &ask, &check);
                scope.spawn(move || {
                    let mut open = Connection::open(served.address).unwrap();
                    let bytes = ask(client);
                    barrier.wait();
                    for _ in 0..5 {
                        std::io::Write::write_all(open.stream(), &bytes).unwrap();
                        check(client, &open.answer().unwrap());
                    }
                });
            }
        });
        let [requests, runs] = requests_and_runs(served.address);
        assert_eq!(requests, (CLIENTS * 5 * (round + 1)) as u64);
        merged = requests - runs;
        // Alone no request has more than 7 rows, so larger runs are of several requests.
        let [all, small] = runs_of_at_most_8(served.address);
        assert_eq!(all, runs);
        if merged >= 20 && all > small {
            return;
        }
    }
    panic!("only {merged} requests of {ROUNDS} rounds were answered together with others");
}

#[test]
fn binary_answers_have_the_same_bits_alone_and_together() {
    for threads in [1, 2] {
        let (predictor, served) = served(threads);
        let tensor = |client: usize| {
            let rows = rows(client);
            Tensor::new("input", [rows.len(), 64], Elements::Fp32(rows.concat()))
        };
        // Each row alone, in this process.
        let expected: Vec<[Tensor; 2]> =
            (0..CLIENTS).map(|client| alone(&predictor, &rows(client))).collect();
        let ask = |client: usize| {
            let rest = json!({"parameters": {"binary_data_output": true}});
            let (body, head) = request(&[(&tensor(client), true)], rest);
            crate::client::request("POST", "/v2/models/wide/infer", &[(LENGTH, &head.to_string())], &body)
        };
        until_merged(&served, ask, |client, answer| assert_eq!(outputs(answer), expected[client]));
        // And nobody beside it.
        let mut talk = Talk::with(served.address);
        for (client, expected) in expected.iter().enumerate() {
            let (body, _) = request(&[(&tensor(client), false)], json!({}));
            assert_eq!(outputs(&talk.post("/v2/models/wide/infer", &[], body)), *expected);
        }
        assert!(served.shutdown());
    }
}

/// The outputs for some rows, each predicted alone.
fn alone(predictor: &Predictor, rows: &[Vec<f32>]) -> [Tensor; 2] {
    let (mut probabilities, mut classes) = (Vec::new(), Vec::new());
    for row in rows {
        let prepared = predictor.prepare(&[Row::from(row)]).unwrap();
        let predictions = predictor.infer(&prepared).unwrap();
        probabilities.extend(predictor.probabilities(&predictions, "output").unwrap());
        classes.push(predictor.predict(row).unwrap().class().unwrap().to_owned());
    }
    [
        Tensor::new("probabilities", [rows.len(), 10], Elements::Fp32(probabilities)),
        Tensor::new("class", [rows.len()], Elements::Bytes(classes)),
    ]
}

#[test]
fn json_answers_of_both_protocols_are_the_same_alone_and_together() {
    let (predictor, served) = served(2);
    let expected: Vec<Value> = (0..CLIENTS)
        .map(|client| rows(client).iter().map(|row| as_json(&predictor.predict(row).unwrap())).collect())
        .collect();
    let tensors: Vec<[Tensor; 2]> = (0..CLIENTS).map(|client| alone(&predictor, &rows(client))).collect();
    // Every second client speaks the other protocol, and all are in one queue.
    let ask = |client: usize| {
        let rows = rows(client);
        let tensor = Tensor::new("input", [rows.len(), 64], Elements::Fp32(rows.concat()));
        let (path, body) = match client % 2 {
            0 => ("/v1/predict/wide", json!({"rows": rows}).to_string().into_bytes()),
            _ => ("/v2/models/wide/infer", request(&[(&tensor, false)], json!({})).0),
        };
        crate::client::request("POST", path, &[("content-type", "application/json")], &body)
    };
    until_merged(&served, ask, |client, answer| match client % 2 {
        0 => assert_eq!(answer.json()["answers"], expected[client]),
        _ => assert_eq!(outputs(answer), tensors[client]),
    });
}

#[test]
fn a_bad_request_does_not_spoil_those_beside_it() {
    let (predictor, served) = served(1);
    let expected: Vec<[Tensor; 2]> = (0..CLIENTS).map(|client| alone(&predictor, &rows(client))).collect();
    let ask = |client: usize| {
        let mut rows = rows(client);
        match client % 4 {
            // Its sums are beyond what f32 holds.
            1 => rows[0] = (0..64).map(|i| if i % 2 == 0 { f32::MAX } else { -f32::MAX }).collect(),
            // Too short.
            2 => rows[0].truncate(60),
            _ => {}
        }
        let tensor = Tensor::new("input", [rows.len(), 64], Elements::Fp32(rows.concat()));
        let (body, head) = request(&[(&tensor, true)], json!({}));
        crate::client::request("POST", "/v2/models/wide/infer", &[(LENGTH, &head.to_string())], &body)
    };
    let barrier = Barrier::new(CLIENTS);
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (barrier, ask, expected, served) = (&barrier, &ask, &expected, &served);
            scope.spawn(move || {
                let mut open = Connection::open(served.address).unwrap();
                let bytes = ask(client);
                barrier.wait();
                for _ in 0..20 {
                    std::io::Write::write_all(open.stream(), &bytes).unwrap();
                    let answer = open.answer().unwrap();
                    match client % 4 {
                        1 => assert!(
                            answer.status == 422 && answer.error().contains("NaN"),
                            "{}",
                            answer.text()
                        ),
                        2 => assert!(
                            answer.status == 400 && answer.error().contains("shape"),
                            "{}",
                            answer.text()
                        ),
                        _ => assert_eq!(outputs(&answer), expected[client]),
                    }
                }
            });
        }
    });
    let [requests, runs] = requests_and_runs(served.address);
    assert_eq!(requests, CLIENTS as u64 / 2 * 20);
    assert!(runs > 0);
}
