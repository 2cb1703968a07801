//! The bytes that Triton's own client, `tritonclient.http` 2.73, sends: recorded once, and replayed here without Python.
//!
//! The folder `triton` has a file for each check of ../triton.py that sends something: its requests, byte for byte but for the
//! port in `Host`, and the answers. To record them again, when a check or a model has changed:
//!
//! ```sh
//! pip install numpy ml_dtypes 'tritonclient[http]'
//! cargo run -p plywood-serve --example small_models -- target/models
//! cargo run -p plywood-serve -- target/models/{fashion,texts,table,raw,numbers}.plywood --allow-load --port 18093 &
//! python crates/serve/tests/triton.py --url 127.0.0.1:18093 --record crates/serve/tests/server/triton
//! ```
//!
//! On another processor probabilities may differ in the last digit, and files of models in a few bits. So numbers are compared
//! with a tolerance, and the versions of the recording are replaced by those of the models that are served.

use crate::client::{Answer, Connection, get};
use crate::tools::Folder;
use crate::{Served, models};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::{GzDecoder, ZlibDecoder};
use plywood_serve::Server;
use serde_json::{Map, Value};
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Numbers may differ by this, or by this part of them.
const TOLERANCE: f64 = 1e-6;

/// In the order of their numbers.
fn recordings() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server/triton");
    let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.file_name().unwrap() != "versions.json").collect();
    files.sort();
    files
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The bytes of a recorded request.
fn request(call: &Value) -> Vec<u8> {
    let lines: Vec<&str> = call["request"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
    let mut bytes = format!("{}\r\n\r\n", lines.join("\r\n")).into_bytes();
    bytes.extend(call["text"].as_str().unwrap_or("").bytes());
    bytes.extend(STANDARD.decode(call["base64"].as_str().unwrap_or("")).unwrap());
    bytes
}

/// Checks an answer against the recorded one.
fn check(call: &Value, answer: &Answer) -> Result<(), String> {
    let same = |what: &str, found: Value, expected: &Value| match found == *expected {
        true => Ok(()),
        false => Err(format!("{what}: got {found}, expected {expected}; {}", answer.text())),
    };
    same("status", answer.status.into(), &call["status"])?;
    same("content-type", answer.header("content-type").into(), &call["type"])?;
    same("content-encoding", answer.header("content-encoding").into(), &call["packed"])?;
    let mut body = Vec::new();
    match answer.header("content-encoding") {
        Some("gzip") => GzDecoder::new(&answer.body[..]).read_to_end(&mut body).unwrap(),
        Some(_) => ZlibDecoder::new(&answer.body[..]).read_to_end(&mut body).unwrap(),
        None => answer.body.as_slice().read_to_end(&mut body).unwrap(),
    };
    let Some(expected) = call.get("json") else { return same("the body", body.len().into(), &0.into()) };
    let head = answer.header("inference-header-content-length").map(|head| head.parse().unwrap());
    let (json, binary) = body.split_at(head.unwrap_or(body.len()));
    let mut json: Value = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    for model in json.get_mut("model_stats").and_then(Value::as_array_mut).into_iter().flatten() {
        // Of the statistics only these are recorded.
        model.as_object_mut().unwrap().retain(|key, _| key == "name" || key == "version");
    }
    close(&json, expected)?;
    let found = elements(&json, binary)?;
    close(&found, call.get("binary").unwrap_or(&Value::Array(Vec::new())))
}

/// The elements of the binary outputs of an answer.
fn elements(json: &Value, mut bytes: &[u8]) -> Result<Value, String> {
    let mut all: Vec<Value> = Vec::new();
    for output in json["outputs"].as_array().into_iter().flatten() {
        let Some(size) = output["parameters"]["binary_data_size"].as_u64() else { continue };
        let (mut own, rest) = bytes.split_at_checked(size as usize).ok_or("too few bytes")?;
        bytes = rest;
        let elements: Vec<Value> = match output["datatype"].as_str().unwrap() {
            "BOOL" => own.iter().map(|&byte| (byte == 1).into()).collect(),
            "FP32" => own.as_chunks().0.iter().map(|&x| f32::from_le_bytes(x).into()).collect(),
            "FP64" => own.as_chunks().0.iter().map(|&x| f64::from_le_bytes(x).into()).collect(),
            "BYTES" => {
                let mut texts = Vec::new();
                while let Some((length, rest)) = own.split_first_chunk() {
                    let (text, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
                    texts.push(std::str::from_utf8(text).unwrap().into());
                    own = rest;
                }
                texts
            }
            other => return Err(format!("a binary output of {other}")),
        };
        all.push(elements.into());
    }
    match bytes.len() {
        0 => Ok(all.into()),
        left => Err(format!("{left} bytes behind the outputs")),
    }
}

/// Compares values of JSON; numbers that are not whole, also those of classification, with a tolerance.
fn close(found: &Value, expected: &Value) -> Result<(), String> {
    let is_close = match (found, expected) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            return a.iter().try_for_each(|(key, value)| {
                close(value, &b[key]).map_err(|error| format!("{key}: {error}"))
            });
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            return a.iter().zip(b).try_for_each(|(a, b)| close(a, b));
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= TOLERANCE * b.abs().max(1.0)
        }
        (Value::String(a), Value::String(b)) => match (score(a), score(b)) {
            // Written with six digits, so the last one may be another.
            (Some((a, name)), Some((b, expected))) => (a - b).abs() < 2.1 * TOLERANCE && name == expected,
            _ => a == b,
        },
        _ => found == expected,
    };
    if is_close { Ok(()) } else { Err(format!("got {found}, expected {expected}")) }
}

/// The parts of "0.250000:3:Coat".
fn score(text: &str) -> Option<(f64, &str)> {
    let (score, name) = text.split_once(':')?;
    Some((score.parse().ok()?, name))
}

#[test]
fn the_requests_of_tritons_client_are_answered_as_recorded() {
    let folder = Folder::new();
    models::save_all(&folder.path("")).unwrap();
    let names = ["fashion", "texts", "table", "raw", "numbers"];
    let add = |server: Server, name| server.file(name, folder.path(&format!("{name}.plywood")));
    let served = Served::start(names.into_iter().fold(Server::new(), add).allow_load(true));
    let recordings = recordings();
    assert!(recordings.len() > 80, "{} files", recordings.len());
    let recorded = read(&recordings[0].with_file_name("versions.json"));
    let recorded: Map<String, Value> = serde_json::from_str(&recorded).unwrap();
    let versions = recorded.iter().map(|(name, version)| {
        let own = get(served.address, &format!("/v2/models/{name}")).json();
        [version, &own["versions"][0]].map(|version| version.as_str().unwrap().to_owned())
    });
    let versions: Vec<[String; 2]> = versions.collect();
    let mut wrong = Vec::new();
    for path in &recordings {
        let text = versions.iter().fold(read(path), |text, [recorded, own]| text.replace(recorded, own));
        let calls: Vec<Value> = serde_json::from_str(&text).unwrap();
        for (number, call) in calls.iter().enumerate() {
            let mut connection = Connection::open(served.address).unwrap();
            connection.stream().write_all(&request(call)).unwrap();
            let answer = connection.answer().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            if let Err(error) = check(call, &answer) {
                wrong.push(format!("{} {number}: {error}\n{}", path.display(), call["request"][0]));
            }
        }
    }
    assert!(wrong.is_empty(), "{} answers differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(served.shutdown());
}

#[test]
fn an_answer_that_differs_from_a_recording_is_found() {
    let text = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let same = |a: &str, b: &str| close(&text(a), &text(b)).is_ok();
    assert!(same("[0.25, 1]", "[0.2500001, 1]"));
    assert!(!same("[0.25]", "[0.25001]"));
    assert!(!same("[1]", "[2]"));
    assert!(!same("[1, 2]", "[1]"));
    assert!(same(r#""0.250000:3:Coat""#, r#""0.250001:3:Coat""#));
    assert!(!same(r#""0.250000:3:Coat""#, r#""0.250000:4:Coat""#));
    assert!(!same(r#"{"a": "x"}"#, r#"{"a": "y"}"#));
    assert!(!same(r#"{"a": 1}"#, r#"{"a": 1, "b": 1}"#));
}
