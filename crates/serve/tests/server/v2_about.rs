//! What the KServe protocol tells of the server and its models.

use crate::client::{Talk, get, post};
use crate::{Served, models, v2};
use plywood::prelude::*;
use plywood_serve::Server;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Inputs and outputs of each model: name, type, shape of a row.
fn tensors() -> Vec<(&'static str, Value, Value)> {
    let classes = |count: usize| json!([["probabilities", "FP32", [count]], ["class", "BYTES", []]]);
    let columns =
        json!([["age", "FP64", []], ["member", "BOOL", []], ["port", "BYTES", []], ["since", "BYTES", []]]);
    let product = json!([
        ["tags.probabilities", "FP32", [3]],
        ["tags.labels", "BOOL", [3]],
        ["price.values", "FP64", [1]]
    ]);
    vec![
        ("fashion", json!([["input", "UINT8", [28, 28]]]), classes(10)),
        ("texts", json!([["input", "BYTES", []]]), classes(2)),
        ("table", columns, classes(2)),
        ("numbers", json!([["input", "FP32", [4]]]), json!([["values", "FP64", [2]]])),
        ("product", json!([["photo", "UINT8", [16, 16, 3]], ["weight", "FP64", []]]), product),
        ("raw", json!([["input", "FP32", [784]]]), json!([["output", "FP32", [10]]])),
    ]
}

/// As the metadata have them: with the axis of rows.
fn as_metadata(all: &Value) -> Value {
    let tensor = |one: &Value| {
        let sides = one[2].as_array().unwrap().iter();
        let shape: Vec<Value> = std::iter::once(json!(-1)).chain(sides.cloned()).collect();
        json!({"name": one[0], "datatype": one[1], "shape": shape})
    };
    all.as_array().unwrap().iter().map(tensor).collect()
}

/// As the configuration has them: without it, and of a column one element.
fn as_config(all: &Value) -> Value {
    let tensor = |one: &Value| {
        let datatype = one[1].as_str().unwrap().replace("BYTES", "STRING");
        let dims = if one[2] == json!([]) { json!([1]) } else { one[2].clone() };
        json!({"name": one[0], "data_type": format!("TYPE_{datatype}"), "dims": dims})
    };
    all.as_array().unwrap().iter().map(tensor).collect()
}

#[test]
fn metadata_and_configuration_name_all_tensors() {
    let served = v2::served();
    for (model, inputs, outputs) in tensors() {
        let path = format!("/v2/models/{model}");
        let metadata = get(served.address, &path).json();
        let version = metadata["versions"][0].as_str().unwrap().to_owned();
        let expected = json!({
            "name": model, "versions": [version], "platform": "plywood",
            "inputs": as_metadata(&inputs), "outputs": as_metadata(&outputs),
        });
        assert_eq!(metadata, expected);
        let config = get(served.address, &format!("{path}/config")).json();
        assert_eq!((&config["name"], &config["max_batch_size"]), (&json!(model), &json!(10_000)));
        assert_eq!((&config["input"], &config["output"]), (&as_config(&inputs), &as_config(&outputs)));
        for rest in ["", "/config", "/ready", "/stats"] {
            let named = format!("{path}/versions/{version}{rest}");
            let [plain, named] = [format!("{path}{rest}"), named].map(|path| get(served.address, &path));
            assert_eq!((named.status, named.body), (200, plain.body), "{rest}");
            let wrong = get(served.address, &format!("{path}/versions/2{rest}"));
            assert_eq!(wrong.status, 404, "{rest}");
            assert!(wrong.error().contains(&version), "{}", wrong.error());
            let nobody = get(served.address, &format!("/v2/models/nobody{rest}"));
            assert_eq!(nobody.status, 404);
            assert!(nobody.error().contains("no model \"nobody\"; there is fashion"), "{}", nobody.error());
        }
    }
}

#[test]
fn the_server_says_what_it_is_and_that_it_is_ready() {
    let served = v2::served();
    for path in ["/v2", "/v2/"] {
        let about = get(served.address, path).json();
        assert_eq!(about["name"], "plywood-serve");
        let extensions = about["extensions"].as_array().unwrap();
        assert!(
            extensions.contains(&json!("binary_tensor_data"))
                && extensions.contains(&json!("classification"))
        );
    }
    for path in ["/v2/health/live", "/v2/health/ready", "/v2/models/fashion/ready"] {
        let answer = get(served.address, path);
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{path}");
    }
    let index = post(served.address, "/v2/repository/index", &[], "").json();
    let names: Vec<&str> = index.as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["fashion", "texts", "table", "numbers", "product", "raw"]);
    for model in index.as_array().unwrap() {
        assert_eq!((&model["state"], &model["reason"]), (&json!("READY"), &json!("")));
        let path = format!("/v2/models/{}", model["name"].as_str().unwrap());
        assert_eq!(model["version"], get(served.address, &path).json()["versions"][0]);
    }
    for body in ["{}", "{\"ready\": true}", "{\"ready\": false}", " \n"] {
        assert_eq!(post(served.address, "/v2/repository/index", &[], body).json(), index);
    }
    for body in ["{\"ready\": 1}", "[", "\u{ff}", "true"] {
        let answer = post(served.address, "/v2/repository/index", &[], body);
        assert_eq!((answer.status, answer.error().contains("\"ready\"")), (400, true), "{body}");
    }
}

#[test]
fn statistics_count_requests_rows_and_runs() {
    let served = v2::served();
    let stats = || get(served.address, "/v2/models/numbers/stats").json()["model_stats"][0].clone();
    let before = stats();
    assert_eq!((&before["name"], &before["inference_count"]), (&json!("numbers"), &json!(0)));
    assert_eq!((&before["last_inference"], &before["execution_count"]), (&json!(0), &json!(0)));
    let mut talk = Talk::with(served.address);
    let data = json!({"name": "input", "shape": [3, 4], "datatype": "FP32", "data": vec![1; 12]});
    for _ in 0..5 {
        let answer = talk.post("/v2/models/numbers/infer", &[], json!({"inputs": [data]}).to_string());
        assert_eq!(answer.status, 200);
    }
    assert_eq!(talk.post("/v2/models/numbers/infer", &[], "{}").status, 400);
    let now = stats();
    assert_eq!((&now["inference_count"], &now["execution_count"]), (&json!(15), &json!(5)));
    let counts = &now["inference_stats"];
    assert_eq!((&counts["success"]["count"], &counts["fail"]["count"]), (&json!(5), &json!(1)));
    assert!(counts["success"]["ns"].as_u64().unwrap() >= counts["compute_infer"]["ns"].as_u64().unwrap());
    assert!(now["last_inference"].as_u64().unwrap() > 1_700_000_000_000, "{now}");
    let all = get(served.address, "/v2/models/stats").json();
    assert_eq!(all["model_stats"].as_array().map(Vec::len), Some(6));
    assert_eq!(all["model_stats"][3]["inference_count"], 15);
}

#[test]
fn extensions_that_are_not_there_are_refused_with_a_reason() {
    let served = v2::served();
    let mut talk = Talk::with(served.address);
    let calls = [
        ("GET", "/v2/trace/setting", "trace"),
        ("POST", "/v2/models/fashion/trace/setting", "trace"),
        ("GET", "/v2/logging", "log"),
        ("POST", "/v2/logging", "log"),
        ("GET", "/v2/systemsharedmemory/status", "shared memory"),
        ("POST", "/v2/systemsharedmemory/region/r/register", "shared memory"),
        ("GET", "/v2/systemsharedmemory/region/r/status", "shared memory"),
        ("POST", "/v2/cudasharedmemory/unregister", "shared memory"),
        ("POST", "/v2/models/fashion/generate", "generation"),
    ];
    for (method, path, word) in calls {
        let answer = talk.send(method, path, &[], b"");
        assert_eq!((answer.status, answer.error().contains(word)), (501, true), "{path}: {}", answer.text());
    }
    for call in ["load", "unload"] {
        let answer = talk.post(&format!("/v2/repository/models/fashion/{call}"), &[], "{}");
        assert_eq!(
            (answer.status, answer.error().contains("--allow-load")),
            (403, true),
            "{}",
            answer.text()
        );
    }
}

#[test]
fn a_version_is_the_hash_of_the_file() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("version-{}", std::process::id()));
    models::save_all(&folder).unwrap();
    let path = folder.join("table.plywood");
    let predictor = Predictor::load(&path).unwrap();
    let served = Served::start(Server::new().file("file", &path).model("memory", predictor));
    let version =
        |model: &str| get(served.address, &format!("/v2/models/{model}")).json()["versions"].clone();
    assert_eq!(version("file"), version("memory"));
    std::fs::remove_dir_all(folder).unwrap();
}
