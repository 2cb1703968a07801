//! Versions, and models that are loaded again while the server answers.

use crate::client::{Connection, Program, get, post};
use crate::tools::{Folder, JSON, eventually, inference, metric, read};
use crate::{Served, as_json, gate::Gate, models};
use plywood::prelude::*;
use plywood_serve::Server;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

const ROW: [f32; 4] = [0.5, -1.0, 2.0, 0.25];

/// A small network; another seed is another model.
fn network(seed: u64) -> Predictor {
    let model = Sequential::builder([4])
        .seed(seed)
        .layer(Dense::units(16))
        .layer(ReLU)
        .layer(Dense::units(3))
        .layer(Softmax)
        .build()
        .unwrap();
    let classes = Classes::named(["a", "b", "c"]);
    Predictor::new(model).input(Features::of_shape([4])).output(classes).build().unwrap()
}

/// A model's file, its version, and its answers to [`ROW`] in both protocols.
struct File {
    bytes: Vec<u8>,
    version: String,
    answers: Value,
    probabilities: Vec<u8>,
}

fn file(seed: u64) -> File {
    let predictor = network(seed);
    let bytes = predictor.to_bytes().unwrap();
    let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let outputs = predictor.infer(&predictor.prepare(&[ROW.into()]).unwrap()).unwrap();
    let probabilities = predictor.probabilities(&outputs, "output").unwrap();
    File {
        bytes,
        version: hash[..12].to_owned(),
        answers: json!([as_json(&predictor.predict(ROW).unwrap())]),
        probabilities: probabilities.iter().flat_map(|p| p.to_le_bytes()).collect(),
    }
}

fn version(address: SocketAddr) -> String {
    let answer = get(address, "/v2/models/m");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["versions"][0].as_str().unwrap().to_owned()
}

fn predict(address: SocketAddr) -> Value {
    let answer = post(address, "/v1/predict/m", &[JSON], json!({"row": ROW}).to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[test]
fn the_version_is_the_beginning_of_the_files_hash() {
    let folder = Folder::new();
    models::save_all(&folder.path("")).unwrap();
    let names = ["fashion", "texts", "table", "numbers", "product", "raw"];
    let arguments = names.map(|name| folder.model(name));
    let program = Program::start(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let list = get(program.address, "/v1/models").json();
    let index = post(program.address, "/v2/repository/index", &[], "").json();
    for (place, name) in names.iter().enumerate() {
        let bytes = std::fs::read(folder.path(&format!("{name}.plywood"))).unwrap();
        let hash: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let about = get(program.address, &format!("/v2/models/{name}")).json();
        assert_eq!(about["versions"], json!([hash[..12]]), "{name}");
        assert_eq!(list["models"][place]["version"], hash[..12], "{name}");
        assert_eq!(index[place]["version"], hash[..12], "{name}");
        let of_version = format!("/v2/models/{name}/versions/{}", &hash[..12]);
        assert_eq!(get(program.address, &of_version).status, 200);
        for other in ["1", &hash[..11], &hash[..13], &hash[..12].to_uppercase()] {
            if other == &hash[..12] {
                continue;
            }
            let answer = get(program.address, &format!("/v2/models/{name}/versions/{other}"));
            assert_eq!(answer.status, 404, "{}", answer.text());
            let text = format!("the model {name:?} has no version {other:?}; it has {:?}", &hash[..12]);
            assert_eq!(answer.error(), text);
        }
    }
}

/// The same file through a program and in memory is the same version.
#[test]
fn a_predictor_in_memory_has_the_version_of_its_file() {
    let server = Served::start(Server::new().model("m", network(1)));
    assert_eq!(version(server.address), file(1).version);
    assert!(server.shutdown());
}

#[test]
fn a_signal_loads_a_new_file_and_a_broken_one_changes_nothing() {
    let (folder, [one, two]) = (Folder::new(), [file(1), file(2)]);
    folder.swap("m.plywood", &one.bytes);
    let log = folder.path("log");
    let program = Program::logging(&[&folder.model("m")], &log);
    let address = program.address;
    let check = |expected: &File| {
        assert_eq!(version(address), expected.version);
        let answer = predict(address);
        assert_eq!((&answer["version"], &answer["answers"]), (&json!(expected.version), &expected.answers));
        assert_eq!(get(address, "/v2/health/ready").status, 200);
    };
    check(&one);
    folder.swap("m.plywood", &two.bytes);
    check(&one);
    program.signal("HUP");
    eventually("the new file", || version(address) == two.version);
    check(&two);
    let mut changed = two.bytes.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    let pipe = || {
        std::fs::remove_dir(folder.path("m.plywood")).unwrap();
        let made = std::process::Command::new("mkfifo").arg(folder.path("m.plywood")).status();
        assert!(made.unwrap().success());
    };
    let broken: [&dyn Fn(); 7] = [
        &|| folder.swap("m.plywood", b"no model at all"),
        &|| folder.swap("m.plywood", b""),
        &|| folder.swap("m.plywood", &two.bytes[..two.bytes.len() / 2]),
        &|| folder.swap("m.plywood", &changed),
        &|| std::fs::remove_file(folder.path("m.plywood")).unwrap(),
        &|| std::fs::create_dir(folder.path("m.plywood")).unwrap(),
        // Nobody writes to it, so reading it would never end.
        &pipe,
    ];
    for (place, break_it) in broken.iter().enumerate() {
        break_it();
        program.signal("HUP");
        let failures = "plywood_load_failures_total{model=\"m\"}";
        eventually("it has failed", || metric(address, failures) == (place + 1) as f64);
        check(&two);
        let log = read(&log);
        let lines: Vec<_> = log.lines().filter(|line| line.contains("a model cannot be loaded")).collect();
        assert_eq!(lines.len(), place + 1, "{log}");
        assert!(lines[place].contains("ERROR") && lines[place].contains(&two.version), "{log}");
    }
    assert_eq!(metric(address, "plywood_loads_total{model=\"m\"}"), 2.0);
    std::fs::remove_file(folder.path("m.plywood")).unwrap();
    folder.swap("m.plywood", &one.bytes);
    program.signal("HUP");
    eventually("the first file again", || version(address) == one.version);
    check(&one);
    assert_eq!(metric(address, "plywood_loads_total{model=\"m\"}"), 3.0);
}

#[test]
fn of_two_models_the_one_whose_file_is_sound_is_new() {
    let (folder, [one, two]) = (Folder::new(), [file(1), file(2)]);
    folder.swap("broken.plywood", &one.bytes);
    folder.swap("m.plywood", &one.bytes);
    // The first one fails.
    let program = Program::start(&[&folder.model("broken"), &folder.model("m")]);
    folder.swap("broken.plywood", b"");
    folder.swap("m.plywood", &two.bytes);
    program.signal("HUP");
    eventually("the sound one is new", || version(program.address) == two.version);
    assert_eq!(predict(program.address)["answers"], two.answers);
    let other = post(program.address, "/v1/predict/broken", &[JSON], json!({"row": ROW}).to_string());
    assert_eq!(other.json()["answers"], one.answers);
    assert_eq!(get(program.address, "/v2/health/ready").status, 200);
}

#[test]
fn the_program_does_not_start_with_a_broken_file() {
    let (folder, one) = (Folder::new(), file(1));
    folder.swap("m.plywood", &one.bytes);
    folder.swap("broken.plywood", &one.bytes[..100]);
    for bad in ["broken", "missing"] {
        let mut command = Program::command(&[&folder.model("m"), &folder.model(bad), "--port", "0"]);
        let output = command.stderr(std::process::Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(&format!("plywood-serve: the model \"{bad}\" cannot be loaded: ")), "{text}");
    }
}

#[test]
fn the_protocol_loads_and_unloads_only_where_it_may() {
    let (folder, [one, two]) = (Folder::new(), [file(1), file(2)]);
    folder.swap("m.plywood", &one.bytes);
    folder.swap("other.plywood", &one.bytes);
    let server = Served::start(Server::new().file("m", folder.path("m.plywood")));
    folder.swap("m.plywood", &two.bytes);
    for call in ["load", "unload"] {
        let answer = post(server.address, &format!("/v2/repository/models/m/{call}"), &[], "");
        assert_eq!(answer.status, 403);
        let text = "this server loads and unloads no models on request; start it with --allow-load (Server::allow_load)";
        assert_eq!(answer.error(), text);
    }
    assert_eq!(version(server.address), one.version);
    assert!(server.shutdown());

    let program = Program::start(&[&folder.model("m"), &folder.model("other"), "--allow-load"]);
    let address = program.address;
    let call = |call: &str, body: &str| {
        post(address, &format!("/v2/repository/models/{call}"), &[], body.as_bytes())
    };
    folder.swap("m.plywood", &one.bytes);
    assert_eq!(call("m/load", "").status, 200);
    assert_eq!(predict(address)["answers"], one.answers);
    // What a client says of the file is refused, and nothing is loaded.
    folder.swap("m.plywood", &two.bytes);
    for name in ["config", "file:1/model.plywood", "file:/etc/passwd"] {
        let answer = call("m/load", &json!({"parameters": {name: "x"}}).to_string());
        assert_eq!(answer.status, 400);
        let text = "the server loads the file that it was started with, and takes no ";
        assert!(answer.error().starts_with(text), "{}", answer.error());
    }
    assert_eq!(version(address), one.version);
    assert_eq!(call("nobody/load", "").status, 404);
    assert_eq!(call("..%2F..%2Fetc%2Fpasswd/load", "").status, 404);
    assert_eq!(call("m/load", "{\"parameters\": {\"unload_dependents\": false}}").status, 200);
    assert_eq!(version(address), two.version);
    folder.swap("m.plywood", b"");
    let failed = call("m/load", "");
    assert_eq!(failed.status, 500);
    assert!(failed.error().ends_with(" The one before goes on serving."), "{}", failed.error());
    assert_eq!(predict(address)["answers"], two.answers);
}

#[test]
fn a_model_that_was_unloaded_says_so_until_it_is_loaded() {
    let (folder, one) = (Folder::new(), file(1));
    folder.swap("m.plywood", &one.bytes);
    folder.swap("other.plywood", &one.bytes);
    let server =
        Server::new().file("m", folder.path("m.plywood")).file("other", folder.path("other.plywood"));
    let server = Served::start(server.allow_load(true));
    let address = server.address;
    let call = |call: &str| post(address, &format!("/v2/repository/models/m/{call}"), &[], "").status;
    assert_eq!(call("unload"), 200);
    let row = json!({"row": ROW}).to_string();
    for answer in [
        post(address, "/v1/predict/m", &[JSON], &row),
        post(address, "/v2/models/m/infer", &[], inference(&[ROW.to_vec()])),
        get(address, "/v2/models/m"),
        get(address, "/v2/models/m/ready"),
        get(address, &format!("/v2/models/m/versions/{}/ready", one.version)),
        get(address, "/v2/models/m/config"),
    ] {
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
        assert_eq!(answer.error(), "the model \"m\" is not loaded: it was unloaded");
    }
    // A file that cannot be loaded changes nothing.
    folder.swap("m.plywood", b"no model at all");
    assert_eq!((call("load"), get(address, "/v2/health/ready").status), (500, 200));
    folder.swap("m.plywood", &one.bytes);
    assert_eq!(call("unload"), 200);
    // It is not there on purpose: the server is ready, and the other answers.
    assert_eq!(get(address, "/v2/health/ready").status, 200);
    assert_eq!(post(address, "/v1/predict/other", &[JSON], &row).json()["answers"], one.answers);
    let index = post(address, "/v2/repository/index", &[], "").json();
    let gone = json!({"name": "m", "version": "", "state": "UNAVAILABLE", "reason": "it was unloaded"});
    assert_eq!(index[0], gone);
    let ready = post(address, "/v2/repository/index", &[], "{\"ready\": true}").json();
    assert_eq!(ready.as_array().unwrap().len(), 1);
    assert_eq!(ready[0]["name"], "other");
    let list = get(address, "/v1/models").json();
    let gone = json!({"name": "m", "version": null, "ready": false, "fields": [], "outputs": []});
    assert_eq!(list["models"][0], gone);
    assert_eq!(metric(address, "plywood_model_ready{model=\"m\",version=\"\"}"), 0.0);
    assert_eq!(call("load"), 200);
    assert_eq!(predict(address)["answers"], one.answers);
    assert!(server.shutdown());
}

/// Requests that the model has begun are answered by it, also when it is gone.
#[test]
fn a_request_in_progress_outlives_its_model() {
    let gate = Gate::new();
    let folder = Folder::new();
    std::fs::write(folder.path("m.plywood"), b"first").unwrap();
    let server = Server::new()
        .file_with("m", folder.path("m.plywood"), move |_| Ok(gate.predictor()))
        .allow_load(true)
        .threads(1);
    let server = Served::start(server);
    let address = server.address;
    let ask = move || post(address, "/v1/predict/m", &[JSON], json!({"row": [1.0, 2.0]}).to_string());
    let version = version(address);
    gate.shut();
    let asking = std::thread::spawn(ask);
    gate.wait_for(1);
    assert_eq!(post(address, "/v2/repository/models/m/unload", &[], "").status, 200);
    assert_eq!(ask().status, 503);
    gate.open();
    let answer = asking.join().unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["version"], version);
    assert_eq!(answer.json()["answers"][0]["numbers"], json!([1.0, 2.0]));
    assert!(server.shutdown());
}

/// What an answer says: its version, and whether it is that version's.
fn check(files: &BTreeMap<String, File>, connection: &mut Connection, binary: bool) -> String {
    if !binary {
        let body = json!({"row": ROW}).to_string();
        let answer = connection.send("POST", "/v1/predict/m", &[JSON], body.as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let answer = answer.json();
        let version = answer["version"].as_str().unwrap().to_owned();
        assert_eq!(answer["answers"], files[&version].answers);
        return version;
    }
    let head = "{\"inputs\": [{\"name\": \"input\", \"shape\": [1, 4], \"datatype\": \"FP32\", \
         \"parameters\": {\"binary_data_size\": 16}}], \
         \"outputs\": [{\"name\": \"probabilities\", \"parameters\": {\"binary_data\": true}}]}";
    let mut body = head.as_bytes().to_vec();
    ROW.iter().for_each(|x| body.extend(x.to_le_bytes()));
    let headers = [("inference-header-content-length", &*head.len().to_string())];
    let answer = connection.send("POST", "/v2/models/m/infer", &headers, &body).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let length: usize = answer.header("inference-header-content-length").unwrap().parse().unwrap();
    let (json, bits) = answer.body.split_at(length);
    let json: Value = serde_json::from_slice(json).unwrap();
    let version = json["model_version"].as_str().unwrap().to_owned();
    assert_eq!(bits, files[&version].probabilities);
    version
}

#[test]
fn every_answer_is_that_of_the_version_that_it_names() {
    let folder = Folder::new();
    let files: BTreeMap<String, File> = [1, 2].map(file).map(|file| (file.version.clone(), file)).into();
    assert_eq!(files.len(), 2);
    let versions: Vec<&String> = files.keys().collect();
    folder.swap("m.plywood", &files[versions[0]].bytes);
    let program = Program::start(&[&folder.model("m")]);
    let (address, files, end) = (program.address, &files, &AtomicBool::new(false));
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..4)
            .map(|number| {
                scope.spawn(move || {
                    let mut connection = Connection::open(address).unwrap();
                    let mut seen = BTreeMap::new();
                    while !end.load(Ordering::Relaxed) {
                        *seen.entry(check(files, &mut connection, number % 2 == 1)).or_insert(0) += 1;
                    }
                    seen
                })
            })
            .collect();
        for turn in 1..=20 {
            let next = versions[turn % 2];
            folder.swap("m.plywood", &files[next].bytes);
            program.signal("HUP");
            eventually("it is new", || version(address) == *next);
        }
        end.store(true, Ordering::Relaxed);
        let seen: Vec<BTreeMap<String, u32>> =
            asking.into_iter().map(|asked| asked.join().unwrap()).collect();
        // Both have answered, or nothing was tested.
        for version in versions {
            let answers: u32 = seen.iter().filter_map(|seen| seen.get(version)).sum();
            assert!(answers > 0, "{version}: {seen:?}");
        }
    });
    assert_eq!(metric(address, "plywood_loads_total{model=\"m\"}"), 21.0);
    assert_eq!(metric(address, "plywood_request_failures_total{model=\"m\"}"), 0.0);
}
