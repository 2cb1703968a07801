//! openapi.json describes the server: each route is in it, and each answer is as it says.

use crate::client::{Answer, send};
use crate::schema::{Document, Operation};
use crate::tools::Folder;
use crate::{Served, models};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use plywood_serve::Server;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A server with all models, which the examples of the file name.
fn server(folder: &Folder) -> Server {
    models::save_all(&folder.path("")).unwrap();
    let names = ["fashion", "texts", "table", "numbers", "product", "raw"];
    let add = |server: Server, name| server.file(name, folder.path(&format!("{name}.plywood")));
    names.into_iter().fold(Server::new(), add).allow_load(true)
}

/// A request that is made of an example.
#[derive(Clone, Default)]
struct Example {
    model: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Example {
    fn new(model: &str, media: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), media.to_owned())];
        Self { model: model.to_owned(), headers, body: body.into() }
    }
}

/// The requests of an operation: one for each example of its body. An example's key begins with the name of its model.
fn examples(document: &Document, operation: &Operation) -> Vec<Example> {
    let Some(body) = operation.object.get("requestBody") else {
        return vec![Example { model: "fashion".to_owned(), ..Example::default() }];
    };
    let content = document.resolved(body)["content"].as_object().unwrap();
    let mut all = Vec::new();
    for (media, object) in content {
        let examples = object.get("examples").and_then(Value::as_object);
        for (key, example) in examples.into_iter().flatten() {
            let (model, value) = (key.split('-').next().unwrap(), &example["value"]);
            document.check(&object["schema"], value).unwrap_or_else(|error| panic!("{media} {key}: {error}"));
            all.push(match media.as_str() {
                "application/json" => Example::new(model, media, value.to_string()),
                "text/plain" => Example::new(model, media, value.as_str().unwrap()),
                "multipart/form-data" => form(model, value.as_object().unwrap()),
                other => panic!("an example of {other}"),
            });
        }
    }
    // Bytes cannot be in the file, so they are made of what is in it as JSON.
    let json = |key: &str| &content["application/json"]["examples"][key]["value"];
    if content.contains_key("image/*") {
        let photo = STANDARD.decode(json("fashion")["row"].as_str().unwrap()).unwrap();
        all.push(Example::new("fashion", "image/png", photo));
    }
    if content.contains_key("application/octet-stream") {
        all.push(binary(json("numbers")));
    }
    assert!(!all.is_empty(), "{} {} has no example", operation.method, operation.path);
    all
}

/// A row as a form.
fn form(model: &str, row: &Map<String, Value>) -> Example {
    let part = |(name, value): (&String, &Value)| {
        let value = value.as_str().unwrap();
        format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let parts: String = row.iter().map(part).collect();
    Example::new(model, "multipart/form-data; boundary=edge", format!("{parts}--edge--\r\n"))
}

/// The request of tensors with binary data in and out.
fn binary(request: &Value) -> Example {
    let mut request = request.clone();
    let input = request["inputs"][0].as_object_mut().unwrap();
    let data = input.remove("data").unwrap();
    let numbers = data.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32);
    let bytes: Vec<u8> = numbers.flat_map(f32::to_le_bytes).collect();
    input.insert("parameters".to_owned(), json!({"binary_data_size": bytes.len()}));
    request["parameters"] = json!({"binary_data_output": true});
    let head = request.to_string();
    let mut example = Example::new("numbers", "application/octet-stream", [head.as_bytes(), &bytes].concat());
    example.headers.push(("inference-header-content-length".to_owned(), head.len().to_string()));
    example
}

/// The path of a request: names in braces are those of the model and its version, or the examples in the file.
fn path(operation: &Operation, model: &str, version: &str) -> String {
    let mut path = operation.path.to_owned();
    let mut query = Vec::new();
    for parameter in &operation.parameters {
        let name = parameter["name"].as_str().unwrap();
        let example = match name {
            "model" => model.to_owned(),
            "version" => version.to_owned(),
            _ => {
                parameter["example"].as_str().map_or_else(|| parameter["example"].to_string(), str::to_owned)
            }
        };
        match parameter["in"].as_str().unwrap() {
            "path" => path = path.replace(&format!("{{{name}}}"), &example),
            "query" => query.push(format!("{name}={example}")),
            // Those of compression and of binary data are sent only where they are true.
            "header" => {}
            other => panic!("a parameter in the {other}"),
        }
    }
    assert!(!path.contains('{'), "a part of {path} is not described");
    if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
}

fn ask(served: &Served, operation: &Operation, path: &str, example: &Example) -> Answer {
    let headers: Vec<_> =
        example.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    send(served.address, &operation.method, path, &headers, &example.body)
}

/// Checks that an answer is as the file says.
fn check(document: &Document, operation: &Operation, answer: &Answer) {
    let what = format!("{} {}: {} {}", operation.method, operation.path, answer.status, answer.text());
    let described = operation.object["responses"].get(answer.status.to_string());
    let described =
        document.resolved(described.unwrap_or_else(|| panic!("the status is not described: {what}")));
    for (name, header) in described.get("headers").and_then(Value::as_object).into_iter().flatten() {
        // The one of binary data is there only with them.
        if answer.status != 200 {
            let value =
                answer.header(&name.to_lowercase()).unwrap_or_else(|| panic!("no header {name}: {what}"));
            let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
            document.check(&header["schema"], &value).unwrap_or_else(|error| panic!("{error}: {what}"));
        }
    }
    let Some(content) = described.get("content") else {
        assert!(answer.body.is_empty(), "a body is not described: {what}");
        return;
    };
    let media = answer.header("content-type").unwrap_or("").split(';').next().unwrap();
    let schema =
        &content.get(media).unwrap_or_else(|| panic!("{media:?} is not described: {what}"))["schema"];
    let (schema, value) = match (media, answer.header("inference-header-content-length")) {
        ("application/json", None) => (schema, answer.json()),
        ("application/octet-stream", Some(head)) => {
            let head = serde_json::from_slice(&answer.body[..head.parse().unwrap()]).unwrap();
            (&content["application/json"]["schema"], head)
        }
        (text, None) if text.starts_with("text/") => (schema, json!(answer.text())),
        other => panic!("{other:?}: {what}"),
    };
    document.check(schema, &value).unwrap_or_else(|error| panic!("{error}: {what}"));
}

/// The versions of the models.
fn versions(served: &Served) -> BTreeMap<String, String> {
    let list = crate::client::get(served.address, "/v1/models").json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    list["models"].as_array().unwrap().iter().map(|m| (text(&m["name"]), text(&m["version"]))).collect()
}

#[test]
fn the_examples_of_each_operation_are_answered_as_the_file_says() {
    let document = Document::read();
    let folder = Folder::new();
    let served = Served::start(server(&folder));
    let versions = versions(&served);
    let mut operations = document.operations();
    // After it there is a model less.
    operations.sort_by_key(|operation| operation.path.ends_with("/unload"));
    for operation in &operations {
        let is_there = operation.object["responses"].get("200").is_some();
        for example in examples(&document, operation) {
            let version = versions.get(&example.model).map_or("", String::as_str);
            let answer = ask(&served, operation, &path(operation, &example.model, version), &example);
            assert_eq!(
                answer.status,
                if is_there { 200 } else { 501 },
                "{} {}",
                operation.path,
                answer.text()
            );
            check(&document, operation, &answer);
        }
    }
    // What the list of models says of one that is not loaded.
    let list = operations.iter().find(|operation| operation.path == "/v1/models").unwrap();
    let answer = ask(&served, list, list.path, &Example::default());
    assert_eq!(answer.json()["models"][0]["ready"], false);
    check(&document, list, &answer);
    assert!(served.shutdown());
}

#[test]
fn what_is_wrong_is_refused_as_the_file_says() {
    let document = Document::read();
    let folder = Folder::new();
    let served = Served::start(server(&folder));
    let closed = Served::start(server(&folder).allow_load(false));
    let versions = versions(&served);
    for operation in &document.operations() {
        let is_there = operation.object["responses"].get("200").is_some();
        let good = examples(&document, operation).remove(0);
        let refused = |served: &Served, model: &str, version: &str, example: &Example, status: u16| {
            let answer = ask(served, operation, &path(operation, model, version), example);
            let status = if is_there { status } else { 501 };
            assert_eq!(answer.status, status, "{} {}: {}", operation.method, operation.path, answer.text());
            check(&document, operation, &answer);
        };
        let version = versions.get(&good.model).map_or("", String::as_str);
        if operation.path.contains("{model}") {
            refused(&served, "no-such-model", version, &good, 404);
        }
        if operation.path.contains("{version}") {
            refused(&served, &good.model, "no-such-version", &good, 404);
        }
        if operation.path.ends_with("load") {
            refused(&closed, &good.model, version, &good, 403);
        }
        if operation.object.contains_key("requestBody") {
            let wrong = Example { body: b"{\"".to_vec(), ..good.clone() };
            let wrong =
                Example { headers: vec![("content-type".into(), "application/json".into())], ..wrong };
            refused(&served, &good.model, version, &wrong, 400);
            let mut packed = good.clone();
            packed.headers.push(("content-encoding".to_owned(), "br".to_owned()));
            refused(&served, &good.model, version, &packed, 415);
            let large = Example { body: vec![b' '; 10_000_001], ..good.clone() };
            refused(&served, &good.model, version, &large, 413);
        }
    }
    assert!(served.shutdown());
}

#[test]
fn the_file_says_which_routes_need_a_token_and_a_host() {
    let document = Document::read();
    let folder = Folder::new();
    let served = Served::start(server(&folder).token("secret").hosts(["localhost"]));
    for operation in &document.operations() {
        let example = examples(&document, operation).remove(0);
        let path = path(operation, &example.model, "1");
        let mut other = example.clone();
        other.headers.push(("host".to_owned(), "shop.example".to_owned()));
        let answer = ask(&served, operation, &path, &other);
        let is_probe = path.starts_with("/v2/health/");
        assert_eq!(answer.status == 403, !is_probe, "{path}: {}", answer.text());
        check(&document, operation, &answer);

        let is_open = operation.object.get("security").is_some_and(|security| *security == json!([]));
        let answer = ask(&served, operation, &path, &example);
        assert_eq!(answer.status == 401, !is_open, "{path}: {}", answer.text());
        check(&document, operation, &answer);
        let mut known = example;
        known.headers.push(("authorization".to_owned(), "Bearer secret".to_owned()));
        assert_ne!(ask(&served, operation, &path, &known).status, 401, "{path}");
    }
    assert!(served.shutdown());
}

#[test]
fn other_methods_than_those_in_the_file_are_refused() {
    let document = Document::read();
    let folder = Folder::new();
    let served = Served::start(server(&folder));
    let operations = document.operations();
    for operation in &operations {
        let has = |method: &str| operations.iter().any(|o| o.path == operation.path && o.method == method);
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().filter(|method| !has(method)) {
            let answer = send(served.address, method, &path(operation, "fashion", "1"), &[], b"");
            assert_eq!(answer.status, 405, "{method} {}", operation.path);
            document.check(&json!({"$ref": "#/components/schemas/Error"}), &answer.json()).unwrap();
        }
    }
    assert!(served.shutdown());
}

/// The texts between a beginning and an end.
fn between<'t>(text: &'t str, begin: &str, end: &str) -> Vec<&'t str> {
    text.split(begin).skip(1).map(|rest| rest.split(end).next().unwrap()).collect()
}

#[test]
fn the_file_has_each_route_and_no_other() {
    let (app, page) = (include_str!("../../src/routes.rs"), include_str!("../../src/page.rs"));
    let mut routes: BTreeSet<&str> = between(app, ".route(\"", "\"").into_iter().collect();
    // Those that are made in loops.
    let loops = app.matches(".route(").count() - app.matches(".route(\"").count();
    assert_eq!(loops, 2, "this test must know each route of routes.rs that is not a literal");
    assert!(app.contains(".route(path, get(v2::refused)") && app.contains(".route(asset.path, "));
    let refused = between(include_str!("../../src/v2/mod.rs"), "const REFUSED", "];").remove(0);
    routes.extend(refused.lines().filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix("\",")));
    let assets = between(page, "const ASSETS", "];").remove(0);
    routes.extend(between(assets, "path: \"", "\""));

    let document = Document::read();
    let described = document.0["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let differ: Vec<_> = routes.symmetric_difference(&described).collect();
    assert!(differ.is_empty(), "in only one of routes.rs and openapi.json: {differ:?}");
}

#[test]
fn the_file_is_sound() {
    let document = Document::read();
    let text = include_str!("../../src/openapi.json");
    assert_eq!(document.0["info"]["version"], env!("CARGO_PKG_VERSION"));
    let operations = document.operations();
    let names: BTreeSet<&str> =
        operations.iter().map(|o| o.object["operationId"].as_str().unwrap()).collect();
    assert_eq!(names.len(), operations.len(), "two operations have one name");
    let tags: BTreeSet<&str> = operations.iter().map(|o| o.object["tags"][0].as_str().unwrap()).collect();
    let listed = document.0["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap());
    assert_eq!(tags, listed.collect());
    for (kind, all) in document.0["components"].as_object().unwrap() {
        for name in all.as_object().unwrap().keys().filter(|_| kind != "securitySchemes") {
            assert!(text.contains(&format!("\"#/components/{kind}/{name}\"")), "nothing names {kind}/{name}");
        }
    }
    // The examples of answers fit their schemas, too.
    let own = operations.iter().flat_map(|o| o.object["responses"].as_object().unwrap().values());
    let responses = own.chain(document.0["components"]["responses"].as_object().unwrap().values());
    let mut checked = 0;
    for response in responses.map(|response| document.resolved(response)) {
        for media in response.get("content").and_then(Value::as_object).into_iter().flat_map(Map::values) {
            let several = media.get("examples").and_then(Value::as_object).into_iter().flat_map(Map::values);
            let several = several.map(|example| &example["value"]);
            for example in media.get("example").into_iter().chain(several) {
                document.check(&media["schema"], example).unwrap();
                checked += 1;
            }
        }
    }
    assert!(checked > 20, "{checked}");
}
