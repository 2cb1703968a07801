//! `/metrics`: the text form of Prometheus, read strictly, and its counts.

use crate::client::{get, post};
use crate::gate::Gate;
use crate::tools::{Folder, JSON, eventually, inference};
use crate::{Served, models};
use plywood_serve::{Limits, Server};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The labels of a sample, in order.
type Labels = Vec<(String, String)>;

/// What a text of metrics says.
#[derive(Debug, Default)]
struct Parsed {
    /// The type of each family.
    types: BTreeMap<String, String>,
    /// By name and labels.
    samples: BTreeMap<(String, Labels), f64>,
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The labels between braces: `a="b",c="d"`. Returns what is behind the brace, too.
fn labels(mut text: &str) -> (Labels, &str) {
    let mut all = Labels::new();
    loop {
        let (name, rest) = text.split_once("=\"").expect(text);
        assert!(is_name(name), "{text}");
        let (mut value, mut characters) = (String::new(), rest.char_indices());
        let end = loop {
            match characters.next().expect("a value ends") {
                (end, '"') => break end,
                (_, '\\') => match characters.next().expect("an escape ends").1 {
                    'n' => value.push('\n'),
                    escaped @ ('"' | '\\') => value.push(escaped),
                    other => panic!("\\{other} in {text}"),
                },
                (_, other) => value.push(other),
            }
        };
        assert!(all.iter().all(|(known, _)| known != name), "{name} twice in {text}");
        all.push((name.to_owned(), value));
        match rest[end + 1..].split_at(1) {
            (",", more) => text = more,
            ("}", more) => return (all, more),
            (other, _) => panic!("{other:?} in {text}"),
        }
    }
}

impl Parsed {
    fn read(text: &str) -> Self {
        let (mut parsed, mut current, mut helped) = (Self::default(), String::new(), BTreeSet::new());
        assert!(text.ends_with('\n'));
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect(line);
                assert!(is_name(name) && !help.is_empty(), "{line}");
                assert!(helped.insert(name.to_owned()), "twice: {line}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect(line);
                assert!(helped.contains(name), "no help before: {line}");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                let before = parsed.types.insert(name.to_owned(), kind.to_owned());
                assert!(before.is_none(), "twice: {line}");
                current = name.to_owned();
            } else {
                parsed.sample(line, &current);
            }
        }
        parsed.check();
        parsed
    }

    /// A line with a value, which must belong to the family whose lines these are.
    fn sample(&mut self, line: &str, family: &str) {
        let end = line.find(['{', ' ']).expect(line);
        let (name, rest) = line.split_at(end);
        let (labels, rest) = rest.strip_prefix('{').map_or_else(|| (Labels::new(), rest), labels);
        let value: f64 = rest.strip_prefix(' ').expect(line).parse().expect(line);
        assert!(value.is_finite() && value >= 0.0, "{line}");
        let endings: &[&str] = match &*self.types[family] {
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        let ending = name.strip_prefix(family).expect(line);
        assert!(endings.contains(&ending), "{line} among those of {family}");
        assert_eq!(self.types[family] == "counter", name.ends_with("_total"), "{line}");
        let before = self.samples.insert((name.to_owned(), labels), value);
        assert!(before.is_none(), "twice: {line}");
    }

    /// Checks that histograms are whole, and grow.
    fn check(&self) {
        for name in self.types.iter().filter(|(_, kind)| *kind == "histogram").map(|(name, _)| name) {
            let mut series: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
            for ((sample, labels), count) in &self.samples {
                if *sample == format!("{name}_bucket") {
                    let mut labels = labels.clone();
                    let (last, bound) = labels.pop().unwrap();
                    assert_eq!(last, "le");
                    let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap() };
                    series.entry(labels).or_default().push((bound, *count));
                }
            }
            assert!(!series.is_empty(), "{name}");
            for (labels, mut buckets) in series {
                buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
                assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{name}: {buckets:?}");
                let (bound, all) = *buckets.last().unwrap();
                assert_eq!(bound, f64::INFINITY, "{name}");
                assert_eq!(all, self.samples[&(format!("{name}_count"), labels.clone())], "{name}");
                assert!(self.samples.contains_key(&(format!("{name}_sum"), labels)), "{name}");
            }
        }
    }

    fn of(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.samples[&(name.to_owned(), labels)]
    }
}

fn parsed(server: &Served) -> Parsed {
    let answer = get(server.address, "/metrics");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    Parsed::read(&answer.text())
}

#[test]
fn counts_agree_with_the_requests() {
    let gate = Gate::new();
    let server = Server::new().model("numbers", models::numbers().unwrap()).model("slow", gate.predictor());
    let server = Served::start(server);
    let row = [1.0, 2.0, 3.0, 4.0];
    let v1 = |model: &str, body: String| post(server.address, &format!("/v1/predict/{model}"), &[JSON], body);
    let infer = |rows: usize| {
        let body = inference(&vec![row.map(|x| x as f32).to_vec(); rows]);
        post(server.address, "/v2/models/numbers/infer", &[], body)
    };
    for _ in 0..3 {
        assert_eq!(v1("numbers", json!({"row": row}).to_string()).status, 200);
    }
    assert_eq!(v1("numbers", json!({"rows": vec![row; 4]}).to_string()).status, 200);
    assert_eq!(infer(5).status, 200);
    assert_eq!(infer(70).status, 200);
    assert_eq!(v1("numbers", json!({"row": [1.0]}).to_string()).status, 400);
    assert_eq!(v1("numbers", "{".to_owned()).status, 400);
    assert_eq!(v1("slow", json!({"row": [1.0, 2.0]}).to_string()).status, 200);
    assert_eq!(v1("nobody", json!({"row": row}).to_string()).status, 404);
    assert_eq!(get(server.address, "/nothing").status, 404);
    let metrics = parsed(&server);
    let model = [("model", "numbers")];
    let expected = [
        ("plywood_requests_total", 8.0),
        ("plywood_request_failures_total", 2.0),
        ("plywood_server_faults_total", 0.0),
        ("plywood_rows_total", 3.0 + 4.0 + 5.0 + 70.0),
        ("plywood_loads_total", 0.0),
        ("plywood_load_failures_total", 0.0),
        ("plywood_request_seconds_count", 8.0),
        ("plywood_batch_rows_count", 6.0),
        ("plywood_batch_rows_sum", 82.0),
    ];
    for (name, value) in expected {
        assert_eq!(metrics.of(name, &model), value, "{name}");
    }
    for (bound, count) in [("1", 3.0), ("2", 3.0), ("4", 4.0), ("8", 5.0), ("64", 5.0), ("128", 6.0)] {
        assert_eq!(metrics.of("plywood_batch_rows_bucket", &[model[0], ("le", bound)]), count, "{bound}");
    }
    assert_eq!(metrics.of("plywood_requests_total", &[("model", "slow")]), 1.0);
    assert_eq!(metrics.of("plywood_rows_total", &[("model", "slow")]), 1.0);
    assert!(metrics.of("plywood_request_seconds_sum", &[("model", "slow")]) >= 0.0002);
    for (class, count) in [("2xx", 7.0), ("3xx", 0.0), ("4xx", 4.0), ("5xx", 0.0)] {
        assert_eq!(metrics.of("plywood_http_responses_total", &[("code", class)]), count, "{class}");
    }
    // The connections of the requests before are closed by and by; the one that asks is left.
    eventually("they are gone", || parsed(&server).of("plywood_connections", &[]) == 1.0);
    assert_eq!(metrics.of("plywood_queue_requests", &[]), 0.0);
    let version = get(server.address, "/v2/models/numbers").json()["versions"][0].clone();
    let labels = [model[0], ("version", version.as_str().unwrap())];
    assert_eq!(metrics.of("plywood_model_ready", &labels), 1.0);
    assert!(server.shutdown());
}

#[test]
fn no_label_comes_from_a_client() {
    let server = Served::start(Server::new().model("numbers", models::numbers().unwrap()));
    let before = parsed(&server).samples.keys().cloned().collect::<Vec<_>>();
    for name in ["nobody", "a%22b", "numbers%0A", "numbers%20", "x%7B%7D"] {
        for path in [
            format!("/v1/predict/{name}"),
            format!("/v2/models/{name}/infer"),
            format!("/v2/models/numbers/versions/{name}/infer"),
        ] {
            assert_eq!(post(server.address, &path, &[JSON], "{}").status, 404, "{path}");
        }
        assert_eq!(get(server.address, &format!("/v2/models/{name}/stats")).status, 404);
        assert_eq!(get(server.address, &format!("/{name}")).status, 404);
    }
    let after = parsed(&server).samples.keys().cloned().collect::<Vec<_>>();
    assert_eq!(before, after);
    assert!(server.shutdown());
}

#[test]
fn names_are_escaped() {
    let names = ["a\"b", "a\\b", "a\\nb", "{}", "ein Kleid \u{1f457}", "a\",x=\"y", "#", "a b"];
    let mut server = Server::new();
    for name in names {
        server = server.model(name, models::numbers().unwrap());
    }
    let server = Served::start(server);
    let metrics = parsed(&server);
    for name in names {
        assert_eq!(metrics.of("plywood_requests_total", &[("model", name)]), 0.0);
        assert_eq!(metrics.of("plywood_batch_rows_bucket", &[("model", name), ("le", "+Inf")]), 0.0);
    }
    assert!(server.shutdown());
}

#[test]
fn names_that_no_path_can_have_are_refused() {
    for name in ["", "a/b", "a\nb", "a\0", "a\u{7f}", "..", ".", "stats", &"x".repeat(201)] {
        let router = Server::new().model(name, models::numbers().unwrap()).router();
        let error = router.expect_err(name).to_string();
        assert!(error.contains("the name of a model"), "{error}");
    }
}

/// What is counted while the text is written does not make it contradict itself.
#[test]
fn the_text_is_sound_while_requests_are_counted() {
    let server = Served::start(Server::new().model("numbers", models::numbers().unwrap()));
    let address = server.address;
    let body = json!({"row": [1.0, 2.0, 3.0, 4.0]}).to_string();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..200 {
                    assert_eq!(post(address, "/v1/predict/numbers", &[JSON], &body).status, 200);
                }
            });
        }
        for _ in 0..200 {
            Parsed::read(&get(address, "/metrics").text());
        }
    });
    let all = parsed(&server).of("plywood_request_seconds_count", &[("model", "numbers")]);
    assert_eq!(all, 600.0);
    assert!(server.shutdown());
}

#[test]
fn faults_of_the_server_are_counted_apart() {
    let gate = Gate::new();
    let limits = Limits { queue: 1, time: Duration::from_secs(600), ..Limits::default() };
    let server = Served::start(Server::new().model("slow", gate.predictor()).limits(limits).threads(1));
    let ask = || post(server.address, "/v2/models/slow/infer", &[], inference(&[vec![1.0, 2.0]])).status;
    gate.shut();
    std::thread::scope(|scope| {
        let first = scope.spawn(ask);
        gate.wait_for(1);
        let second = scope.spawn(ask);
        eventually("one waits", || parsed(&server).of("plywood_queue_requests", &[]) == 1.0);
        assert_eq!(ask(), 503);
        gate.open();
        assert_eq!((first.join().unwrap(), second.join().unwrap()), (200, 200));
    });
    let metrics = parsed(&server);
    for (name, value) in [
        ("plywood_requests_total", 3.0),
        ("plywood_request_failures_total", 1.0),
        ("plywood_server_faults_total", 1.0),
    ] {
        assert_eq!(metrics.of(name, &[("model", "slow")]), value, "{name}");
    }
    assert_eq!(metrics.of("plywood_http_responses_total", &[("code", "5xx")]), 1.0);
    assert!(server.shutdown());
}

#[test]
fn loads_are_counted() {
    let folder = Folder::new();
    models::save_all(&folder.path("")).unwrap();
    let server = Server::new().file("numbers", folder.path("numbers.plywood")).allow_load(true);
    let server = Served::start(server);
    let load = || post(server.address, "/v2/repository/models/numbers/load", &[], "").status;
    assert_eq!(load(), 200);
    folder.swap("numbers.plywood", b"no model");
    assert_eq!((load(), load()), (500, 500));
    let metrics = parsed(&server);
    assert_eq!(metrics.of("plywood_loads_total", &[("model", "numbers")]), 2.0);
    assert_eq!(metrics.of("plywood_load_failures_total", &[("model", "numbers")]), 2.0);
    assert!(server.shutdown());
}
