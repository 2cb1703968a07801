//! Requests of the KServe protocol whose JSON is wrong, too deep, or names what is not there.

use crate::client::post;
use crate::protocol::{Elements, LENGTH, Tensor, infer, outputs};
use crate::v2;
use crate::v2_bad::{Refused, numbers, with, without};
use serde_json::{Value, json};

#[test]
fn json_must_be_whole_and_of_the_form() {
    let served = v2::served();
    let mut refused = Refused::by(&served);
    for body in [
        "",
        " ",
        "{",
        "[]",
        "null",
        "\"inputs\"",
        "1",
        "{\"inputs\"",
        "{\"inputs\":",
        "{inputs:[]}",
        "{} {}",
        "\0",
    ] {
        refused.post("numbers", &[], body, 400, &[]);
    }
    let whole = with("name", json!("input")).to_string();
    for length in (0..whole.len()).step_by(3) {
        refused.post("numbers", &[], &whole[..length], 400, &["JSON"]);
    }
    for rest in ["x", "{}", "\0", "[1]"] {
        refused.post("numbers", &[], format!("{whole}{rest}"), 400, &["bytes more"]);
        let length = (whole.len() + rest.len()).to_string();
        let words = ["as long as Inference-Header-Content-Length"];
        refused.post("numbers", &[(LENGTH, &length)], format!("{whole}{rest}"), 400, &words);
    }
    for (key, value) in
        [("inputs", json!({})), ("inputs", json!(null)), ("outputs", json!("all")), ("outputs", json!(3))]
    {
        let mut body = with("name", json!("input"));
        body[key] = value;
        refused.json(body, &[&format!("{key:?} must be an array")]);
    }
    for item in [json!(1), json!(null), json!([]), json!("input")] {
        refused.json(json!({"inputs": [item]}), &["JSON"]);
        let mut body = with("name", json!("input"));
        body["outputs"] = json!([item]);
        refused.json(body, &["JSON"]);
    }
    let mut body = with("name", json!("input"));
    body["id"] = json!(7);
    refused.json(body, &["\"id\" must be a string"]);
    refused.json(with("name", json!(7)), &["\"name\" must be a string"]);
    refused.json(with("parameters", json!([])), &["JSON"]);
}

#[test]
fn nesting_is_bounded() {
    let served = v2::served();
    let mut refused = Refused::by(&served);
    let data = |deep: usize| format!("{}1,2,3,4{}", "[".repeat(deep), "]".repeat(deep));
    let of = |data: &str, first: &str| {
        format!(r#"{{"inputs":[{{{first}"name":"input","shape":[1,4],"datatype":"FP32","data":{data}}}]}}"#)
    };
    let later = |data: &str| {
        format!(r#"{{"inputs":[{{"data":{data},"name":"input","shape":[1,4],"datatype":"FP32"}}]}}"#)
    };
    assert_eq!(post(served.address, "/v2/models/numbers/infer", &[], of(&data(16), "")).status, 200);
    assert_eq!(post(served.address, "/v2/models/numbers/infer", &[], later(&data(16))).status, 200);
    for deep in [17, 150] {
        refused.post("numbers", &[], of(&data(deep), ""), 400, &["nested at most 16"]);
        refused.post("numbers", &[], later(&data(deep)), 400, &["nested at most 16"]);
    }
    for deep in [1_000, 100_000, 4_000_000] {
        refused.post("numbers", &[], of(&"[".repeat(deep), ""), 400, &["nested at most 16"]);
        refused.post("numbers", &[], later(&"[".repeat(deep)), 400, &["JSON"]);
        for open in ["[", "{\"a\":"] {
            let many = open.repeat(deep.min(1_000_000));
            refused.post("numbers", &[], format!("{{\"unknown\":{many}"), 400, &["JSON"]);
            refused.post("numbers", &[], of("[1,2,3,4]", &format!("\"unknown\":{many}")), 400, &["JSON"]);
            refused.post("numbers", &[], format!("{{\"parameters\":{{\"p\":{many}"), 400, &["JSON"]);
        }
        refused.post("numbers", &[], "[".repeat(deep), 400, &["JSON"]);
    }
}

#[test]
fn inputs_must_be_those_of_the_model() {
    let served = v2::served();
    let mut refused = Refused::by(&served);
    let missing = ["\"input\" is missing", "input FP32"];
    for body in [json!({}), json!({"inputs": []}), json!({"id": "x", "parameters": {}})] {
        refused.json(body.clone(), &missing);
        refused.post(
            "table",
            &[],
            body.to_string(),
            400,
            &["\"age\" is missing", "member BOOL", "since BYTES"],
        );
    }
    for key in ["name", "datatype", "shape"] {
        refused.json(without(key), &["each of \"inputs\" must have", &format!("{key:?}")]);
    }
    refused.json(without("data"), &["\"input\"", "\"data\" or \"binary_data_size\"", "neither"]);
    refused.json(with("parameters", json!({"binary_data_size": 16})), &["\"input\"", "both"]);
    for name in ["Input", "", "x", "<script>", "é\n"] {
        refused.json(with("name", json!(name)), &["no input", "it has input FP32"]);
    }
    refused.json(with("name", json!("n".repeat(10_000))), &["no input \"nnn", "…"]);
    let one = numbers(json!([1, 2, 3, 4]));
    refused.json(json!({"inputs": [one, one]}), &["\"input\" must be given once"]);
    let mut other = one.clone();
    other["name"] = json!("other");
    refused.json(json!({"inputs": [one, other]}), &["no input \"other\""]);
    let column = |name: &str| json!({"name": name, "shape": [1], "datatype": "BYTES", "data": ["S"]});
    let some = json!({"inputs": [column("port"), column("since")]});
    refused.post("table", &[], some.to_string(), 400, &["\"age\" is missing"]);
    // Values that the predictor refuses: its sentence names the row and the column.
    let table = |since: &str| {
        json!({"inputs": [
            {"name": "age", "shape": [1], "datatype": "FP64", "data": [1]},
            {"name": "member", "shape": [1], "datatype": "BOOL", "data": [true]},
            column("port"), {"name": "since", "shape": [1], "datatype": "BYTES", "data": [since]},
        ]})
    };
    assert_eq!(
        post(served.address, "/v2/models/table/infer", &[], table("2024-01-31").to_string()).status,
        200
    );
    refused.post("table", &[], table("31.01.2024").to_string(), 400, &["row 1", "\"since\""]);
    // What this server does not have.
    refused.post(
        "numbers",
        &[],
        with("parameters", json!({"shared_memory_region": "r"})).to_string(),
        501,
        &["shared memory"],
    );
    let mut sequence = with("name", json!("input"));
    sequence["parameters"] = json!({"sequence_id": 5, "sequence_start": true, "sequence_end": false});
    refused.post("numbers", &[], sequence.to_string(), 501, &["sequence"]);
}

#[test]
fn outputs_must_be_those_of_the_model() {
    let served = v2::served();
    let mut refused = Refused::by(&served);
    let wanting = |outputs: Value| {
        let mut body = with("name", json!("input"));
        body["outputs"] = outputs;
        body
    };
    refused.json(wanting(json!([{"name": "value"}])), &["no output \"value\"", "it has values"]);
    refused.json(wanting(json!([{}])), &["each of \"outputs\" must have a \"name\""]);
    refused.json(wanting(json!([{"parameters": {"binary_data": true}}])), &["must have a \"name\""]);
    refused.json(wanting(json!([{"name": null}])), &["\"name\" must be a string"]);
    refused.json(wanting(json!(["values"])), &["JSON"]);
    let parameters = |parameters: Value| wanting(json!([{"name": "values", "parameters": parameters}]));
    refused.json(parameters(json!({"binary_data": 1})), &["\"binary_data\" must be true or false"]);
    refused.json(parameters(json!({"classification": -1})), &["\"classification\" must be a whole number"]);
    refused.json(parameters(json!({"classification": "3"})), &["\"classification\" must be a whole number"]);
    let shared = parameters(json!({"shared_memory_region": "r", "shared_memory_byte_size": 4}));
    refused.post("numbers", &[], shared.to_string(), 501, &["shared memory"]);
    // Several faults: one of them is named.
    refused.json(wanting(json!([{"name": "values"}, {"name": "a"}, {"name": "b"}])), &["no output \"a\""]);
    let mut body = wanting(json!([]));
    body["parameters"] = json!({"binary_data_output": "yes"});
    refused.json(body, &["\"binary_data_output\" must be true or false"]);
    // Texts have no scores.
    let photo = json!({"name": "input", "shape": [1, 28, 28], "datatype": "UINT8", "data": vec![0; 784]});
    let wanted = json!([{"name": "class", "parameters": {"classification": 2}}]);
    let body = json!({"inputs": [photo], "outputs": wanted}).to_string();
    refused.post(
        "fashion",
        &[],
        body,
        400,
        &["\"classification\" needs an output of numbers", "\"class\" is BYTES"],
    );
    // Else a small request could have a large answer.
    refused.json(
        wanting(json!([{"name": "values"}, {"name": "values"}])),
        &["\"values\" must be asked for once"],
    );
}

#[test]
fn no_rows_have_no_elements() {
    let served = v2::served();
    let cases = [
        ("fashion", Tensor::new("input", [0, 28, 28], Elements::Uint8(vec![]))),
        ("texts", Tensor::new("input", [0], Elements::Bytes(vec![]))),
        ("numbers", Tensor::new("input", [0, 4], Elements::Fp32(vec![]))),
        ("raw", Tensor::new("input", [0, 784], Elements::Fp32(vec![]))),
    ];
    for (model, tensor) in &cases {
        for binary in [false, true] {
            let answer = infer(served.address, model, &[(tensor, binary)], json!({}));
            for output in outputs(&answer) {
                assert_eq!((output.shape[0], output.elements.binary().len()), (0, 0), "{model}");
            }
        }
    }
}

#[test]
fn what_is_there_twice_or_nested_otherwise_is_refused() {
    let served = v2::served();
    let mut refused = Refused::by(&served);
    let input = |rest: &str| format!(r#"{{"inputs":[{{"name":"input","datatype":"FP32",{rest}}}]}}"#);
    for (rest, words) in [
        (r#""shape":[1,4],"data":[1,2,3,4],"data":[9,9,9,9]"#, "\"data\" must be there once"),
        (r#""shape":[1,4],"shape":[1,4],"data":[1,2,3,4]"#, "\"shape\" must be there once"),
        (r#""shape":[1,4],"data":[[1,2],[3,4]]"#, "nesting"),
        (r#""shape":[1,4],"data":[[1],[2,3,4]]"#, "nested evenly"),
        (r#""shape":[2,4],"data":[[1,2,3,4],[1,2,3]]"#, "nested evenly"),
        (r#""shape":[4,2],"data":[[1,2,3,4],[1,2,3,4]]"#, "nesting"),
        (r#""shape":[1,4],"data":[1,[2],3,4]"#, "nested evenly"),
    ] {
        refused.post("numbers", &[], input(rest), 400, &[words]);
    }
    for rest in [r#""shape":[1,4],"data":[[[1,2,3,4]]]"#, r#""shape":[2,4],"data":[[1,2,3,4],[5,6,7,8]]"#] {
        assert_eq!(refused.talk.post("/v2/models/numbers/infer", &[], input(rest)).status, 200, "{rest}");
    }
    let late =
        r#"{"inputs":[{"name":"input","data":[9,9,9,9],"datatype":"FP32","data":[1,2,3,4],"shape":[1,4]}]}"#;
    refused.post("numbers", &[], late, 400, &["\"data\" must be there once"]);
    let inputs = input(r#""shape":[1,4],"data":[1,2,3,4]"#);
    let twice = inputs.strip_suffix('}').unwrap().to_owned() + r#","inputs":[]}"#;
    refused.post("numbers", &[], twice, 400, &["\"inputs\" must be there once"]);
    let twice = r#"{"parameters":{"binary_data_output":true},"parameters":{},"inputs":[]}"#;
    refused.post("numbers", &[], twice, 400, &["\"parameters\" must be there once"]);
}
