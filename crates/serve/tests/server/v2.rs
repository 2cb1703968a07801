//! The KServe protocol: requests in every form, compared with the predictors in this process.

use crate::client::{get, post};
use crate::files::{deflate, gzip};
use crate::protocol::{Elements, LENGTH, Tensor, infer, outputs, request};
use crate::{Served, all_models, models};
use plywood::data::Pixels;
use plywood::prelude::*;
use serde_json::{Value, json};
use std::path::PathBuf;

/// A model, a request of three rows, and what is to be answered.
struct Case {
    model: &'static str,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
}

/// All models, with `raw` in a file.
pub fn served() -> Served {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("v2-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("raw-{:?}.plywood", std::thread::current().id()));
    models::raw().unwrap().save(&path).unwrap();
    let served = Served::start(all_models().file("raw", &path));
    std::fs::remove_file(path).unwrap();
    served
}

/// Bytes without a pattern.
fn bytes(count: usize) -> Vec<u8> {
    (0..count as u32).map(|x| (x.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn flat(probabilities: impl IntoIterator<Item = f32>) -> Elements {
    Elements::Fp32(probabilities.into_iter().collect())
}

/// The outputs of a predictor of classes.
fn classes(predictor: &Predictor, rows: &[Row]) -> Vec<Tensor> {
    let predictions = predictor.infer(&predictor.prepare(rows).unwrap()).unwrap();
    let all = predictor.probabilities(&predictions, "output").unwrap();
    let named =
        rows.iter().map(|row| predictor.predict(row.clone()).unwrap().class().unwrap_or("").to_owned());
    let (shape, classes) = (all.shape().to_vec(), Elements::Bytes(named.collect()));
    vec![Tensor::new("probabilities", shape, flat(all)), Tensor::new("class", [rows.len()], classes)]
}

fn fashion() -> Case {
    let bytes = bytes(3 * 784);
    let rows: Vec<Row> = bytes.chunks(784).map(|one| Pixels::grey([28, 28], one).unwrap().into()).collect();
    let inputs = vec![Tensor::new("input", [3, 28, 28], Elements::Uint8(bytes))];
    Case { model: "fashion", inputs, outputs: classes(&models::fashion().unwrap(), &rows) }
}

fn texts() -> Case {
    let all = ["a fast library", "", "Ω \"game\"\n of words"];
    let rows = all.map(|text| Row::from(Raw::Text(text.to_owned())));
    let inputs = vec![Tensor::new("input", [3], Elements::texts(&all))];
    Case { model: "texts", inputs, outputs: classes(&models::texts().unwrap(), &rows) }
}

fn table() -> Case {
    let (ages, ports) = ([30.5, 1e-3, -7.0], ["S", "Q", "C"]);
    let (members, dates) = ([true, false, true], ["2024-05-06", "2023-12-24", "2020-02-29"]);
    let row = |i: usize| json!({"age": ages[i], "member": members[i], "port": ports[i], "since": dates[i]});
    let rows = [0, 1, 2].map(|i| Row::from(&row(i)));
    let inputs = vec![
        Tensor::new("age", [3], Elements::Fp64(ages.to_vec())),
        Tensor::new("member", [3], Elements::Bool(members.to_vec())),
        Tensor::new("port", [3], Elements::texts(&ports)),
        Tensor::new("since", [3], Elements::texts(&dates)),
    ];
    Case { model: "table", inputs, outputs: classes(&models::table().unwrap(), &rows) }
}

fn numbers() -> Case {
    let (predictor, given) = (models::numbers().unwrap(), bytes(12));
    let given: Vec<f32> = given.iter().map(|&x| f32::from(x) / 7.0 - 9.0).collect();
    let values = given.chunks(4).flat_map(|row| {
        let answer = as_json_numbers(&predictor.predict(row).unwrap());
        [answer["width"].as_f64().unwrap(), answer["height"].as_f64().unwrap()]
    });
    let outputs = vec![Tensor::new("values", [3, 2], Elements::Fp64(values.collect()))];
    Case { model: "numbers", inputs: vec![Tensor::new("input", [3, 4], Elements::Fp32(given))], outputs }
}

fn as_json_numbers(answer: &Answer) -> Value {
    serde_json::to_value(answer).unwrap()["numbers"].take()
}

fn product() -> Case {
    let (predictor, photos, weights) = (models::product().unwrap(), bytes(3 * 768), [0.5, 2.0, -1.0]);
    let row = |(photo, weight): (&[u8], f64)| {
        Row::new().with("photo", Pixels::rgb([16, 16], photo).unwrap()).with("weight", weight)
    };
    let rows: Vec<Row> = photos.chunks(768).zip(weights).map(row).collect();
    let predictions = predictor.infer(&predictor.prepare(&rows).unwrap()).unwrap();
    let answers: Vec<Answer> = rows.iter().map(|row| predictor.predict(row.clone()).unwrap()).collect();
    let above = |answer: &Answer| ["new", "sale", "red"].map(|label| answer.labels().contains(&label));
    let prices = answers.iter().map(|answer| answer.number().unwrap());
    let outputs = vec![
        Tensor::new(
            "tags.probabilities",
            [3, 3],
            flat(predictor.probabilities(&predictions, "tags").unwrap()),
        ),
        Tensor::new("tags.labels", [3, 3], Elements::Bool(answers.iter().flat_map(above).collect())),
        Tensor::new("price.values", [3, 1], Elements::Fp64(prices.collect())),
    ];
    let inputs = vec![
        Tensor::new("photo", [3, 16, 16, 3], Elements::Uint8(photos)),
        Tensor::new("weight", [3], Elements::Fp64(weights.to_vec())),
    ];
    Case { model: "product", inputs, outputs }
}

fn raw() -> Case {
    let given: Vec<f32> = bytes(3 * 784).iter().map(|&x| f32::from(x) / 99.0 - 1.0).collect();
    let tensor = plywood::ndarray::ArrayD::from_shape_vec(vec![3, 784], given.clone()).unwrap();
    let out = models::raw().unwrap().predict(&tensor).unwrap();
    let outputs = vec![Tensor::new("output", [3, 10], flat(out))];
    Case { model: "raw", inputs: vec![Tensor::new("input", [3, 784], Elements::Fp32(given))], outputs }
}

fn cases() -> [Case; 6] {
    [fashion(), texts(), table(), numbers(), product(), raw()]
}

/// All inputs in one form.
fn all(inputs: &[Tensor], binary: bool) -> Vec<(&Tensor, bool)> {
    inputs.iter().map(|tensor| (tensor, binary)).collect()
}

#[test]
fn json_and_binary_have_the_answers_of_the_predictor() {
    let served = served();
    for Case { model, inputs, outputs: expected } in cases() {
        for binary_in in [false, true] {
            for rest in
                [json!({}), json!({"outputs": []}), json!({"parameters": {"binary_data_output": true}})]
            {
                let is_binary = rest.get("parameters").is_some();
                let answer = infer(served.address, model, &all(&inputs, binary_in), rest);
                assert_eq!(outputs(&answer), expected, "{model}, binary: {binary_in}, {is_binary}");
                assert_eq!(answer.header(LENGTH).is_some(), is_binary);
            }
        }
        // One input in JSON, the next binary.
        for first in [false, true] {
            let mixed = inputs.iter().enumerate().map(|(i, tensor)| (tensor, first == (i % 2 == 0)));
            let answer = infer(served.address, model, &mixed.collect::<Vec<_>>(), json!({}));
            assert_eq!(outputs(&answer), expected, "{model}");
        }
        // In another order.
        let mut turned = all(&inputs, true);
        turned.reverse();
        assert_eq!(outputs(&infer(served.address, model, &turned, json!({}))), expected, "{model}");
        // Each row alone.
        let of = |tensor: &Tensor, row: usize| one_row(tensor, row);
        for row in 0..3 {
            let alone: Vec<Tensor> = inputs.iter().map(|tensor| of(tensor, row)).collect();
            let answer = infer(served.address, model, &all(&alone, true), json!({}));
            let expected: Vec<Tensor> = expected.iter().map(|tensor| of(tensor, row)).collect();
            assert_eq!(outputs(&answer), expected, "{model}, row {row}");
        }
    }
}

/// A row of a tensor.
fn one_row(tensor: &Tensor, row: usize) -> Tensor {
    let each: usize = tensor.shape[1..].iter().product();
    let range = row * each..(row + 1) * each;
    let elements = match &tensor.elements {
        Elements::Bool(all) => Elements::Bool(all[range].to_vec()),
        Elements::Uint8(all) => Elements::Uint8(all[range].to_vec()),
        Elements::Fp32(all) => Elements::Fp32(all[range].to_vec()),
        Elements::Fp64(all) => Elements::Fp64(all[range].to_vec()),
        Elements::Bytes(all) => Elements::Bytes(all[range].to_vec()),
    };
    let mut shape = tensor.shape.clone();
    shape[0] = 1;
    Tensor::new(&tensor.name, shape, elements)
}

#[test]
fn outputs_are_chosen_ordered_and_binary_one_by_one() {
    let served = served();
    for Case { model, inputs, outputs: expected } in cases() {
        let given = all(&inputs, false);
        for count in 1..=expected.len() {
            for first in [false, true] {
                let chosen: Vec<&Tensor> = expected.iter().rev().take(count).collect();
                let wanted = chosen.iter().enumerate().map(|(i, tensor)| {
                    json!({"name": tensor.name, "parameters": {"binary_data": first == (i % 2 == 0), "other": [{}]}})
                });
                let rest = json!({"outputs": wanted.collect::<Vec<_>>(), "id": "a \"7\" é 😀"});
                let answer = infer(served.address, model, &given, rest);
                assert_eq!(outputs(&answer).iter().collect::<Vec<_>>(), chosen, "{model}");
                let head = answer.header(LENGTH).map_or(answer.body.len(), |length| length.parse().unwrap());
                let json: Value = serde_json::from_slice(&answer.body[..head]).unwrap();
                assert_eq!((&json["id"], &json["model_name"]), (&json!("a \"7\" é 😀"), &json!(model)));
                assert_eq!(json["model_version"].as_str().map(str::len), Some(12));
            }
        }
        // What an output does not say itself is said for all.
        let names: Vec<Value> = expected.iter().map(|tensor| json!({"name": tensor.name})).collect();
        let rest = json!({"outputs": names, "parameters": {"binary_data_output": true, "priority": 2}});
        let answer = infer(served.address, model, &given, rest);
        assert!(answer.header(LENGTH).is_some());
        assert_eq!(outputs(&answer), expected);
        let answer = infer(served.address, model, &given, json!({"outputs": names, "timeout": 5}));
        assert!(answer.header(LENGTH).is_none() && answer.json().get("id").is_none());
        assert_eq!(outputs(&answer), expected);
    }
}

#[test]
fn classification_lists_scores_with_their_index_and_label() {
    let served = served();
    for Case { model, inputs, outputs: expected } in cases() {
        let scored =
            expected.iter().find(|tensor| !matches!(tensor.elements, Elements::Bytes(_) | Elements::Bool(_)));
        let scored = scored.expect("an output of numbers");
        let labels: &[&str] = match model {
            "fashion" => &models::GARMENTS,
            "texts" => &["tool", "toy"],
            "table" => &["no", "yes"],
            "product" => &["new", "sale", "red"],
            _ => &[],
        };
        let width = scored.shape[1];
        let scores: Vec<f64> = match &scored.elements {
            Elements::Fp32(all) => all.iter().map(|&x| f64::from(x)).collect(),
            Elements::Fp64(all) => all.clone(),
            other => panic!("{other:?}"),
        };
        for (asked, count) in [(1, 1), (2, 2), (width, width), (1_000_000, width)] {
            let texts = scores.chunks(width).flat_map(|row| {
                let mut order: Vec<usize> = (0..width).collect();
                order.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
                order.truncate(count);
                let label = |i: usize| labels.get(i).map_or(String::new(), |label| format!(":{label}"));
                order.into_iter().map(|i| format!("{:.6}:{i}{}", row[i], label(i))).collect::<Vec<_>>()
            });
            let expected = vec![Tensor::new(&scored.name, [3, count], Elements::Bytes(texts.collect()))];
            for binary in [false, true] {
                let parameters = json!({"classification": asked, "binary_data": binary});
                let rest = json!({"outputs": [{"name": scored.name, "parameters": parameters}]});
                let answer = infer(served.address, model, &all(&inputs, true), rest);
                assert_eq!(outputs(&answer), expected, "{model}, {asked}");
            }
        }
    }
}

#[test]
fn a_body_may_be_nothing_but_the_data() {
    let served = served();
    for Case { model, inputs, outputs: expected } in cases() {
        let path = format!("/v2/models/{model}/infer");
        let answer = post(served.address, &path, &[(LENGTH, "0")], inputs[0].elements.binary());
        match inputs.len() {
            1 => assert_eq!(outputs(&answer), expected, "{model}"),
            count => {
                assert_eq!(
                    (answer.status, answer.error().contains(&count.to_string())),
                    (400, true),
                    "{model}"
                );
            }
        }
    }
}

#[test]
fn requests_may_be_written_as_other_clients_do() {
    let served = served();
    let Case { inputs, outputs: expected, .. } = numbers();
    let path = "/v2/models/numbers/infer";
    let flat = inputs[0].elements.json();
    let nested: Vec<&[Value]> = flat.chunks(4).collect();
    let data = json!(nested).to_string();
    let bodies = [
        // Nested, the data before their type, unknown keys, white space around.
        format!(r#"{{"inputs":[{{"name":"input","datatype":"FP32","shape":[3,4],"data":{data}}}]}}"#),
        format!(
            r#"{{"inputs":[{{"data":{data},"shape":[3,4],"x":{{"y":[null]}},"datatype":"FP32","name":"input"}}]}}"#
        ),
        format!(
            " \n{{\"z\": 1e999, \"inputs\" : [ {{\"shape\":[3,4], \"data\":[{data}], \"name\":\"input\",\t\"datatype\":\"FP32\"}} ] }}\r\n "
        ),
        format!(
            r#"{{"parameters":{{"custom":{{"a":[1]}}}},"inputs":[{{"name":"in\u0070ut","datatype":"FP32","shape":[3,4],"data":{data},"parameters":{{"content_type":"np"}}}}]}}"#
        ),
    ];
    for body in &bodies {
        for headers in
            [&[][..], &[("content-type", "application/octet-stream")], &[("content-type", "text/x")]]
        {
            assert_eq!(outputs(&post(served.address, path, headers, body)), expected, "{body}");
        }
        // The whole body is JSON.
        let length = body.len().to_string();
        assert_eq!(outputs(&post(served.address, path, &[(LENGTH, &length)], body)), expected, "{body}");
    }
    // Binary data without the length of the JSON.
    let (body, _) = request(&all(&inputs, true), json!({}));
    assert_eq!(outputs(&post(served.address, path, &[], body)), expected);
    // Whole numbers, exponents, and more digits than there are bits.
    let body = r#"{"inputs":[{"name":"input","datatype":"FP32","shape":[1,4],"data":[1,-0,2.5E-1,0.10000000149011612]}]}"#;
    let found = outputs(&post(served.address, path, &[], body));
    let exact = Tensor::new("input", [1, 4], Elements::Fp32(vec![1.0, -0.0, 0.25, 0.1]));
    assert_eq!(found, outputs(&infer(served.address, "numbers", &[(&exact, true)], json!({}))));
}

#[test]
fn columns_have_one_or_two_axes_and_null_in_json() {
    let served = served();
    let Case { mut inputs, outputs: expected, .. } = table();
    inputs.iter_mut().step_by(2).for_each(|tensor| tensor.shape = vec![3, 1]);
    for binary in [false, true] {
        assert_eq!(outputs(&infer(served.address, "table", &all(&inputs, binary), json!({}))), expected);
    }
    let column = |name: &str, datatype: &str, data: Value| json!({"name": name, "datatype": datatype, "shape": [2], "data": data});
    let body = json!({"inputs": [
        column("age", "FP64", json!([null, 3])),
        column("member", "BOOL", json!([true, null])),
        column("port", "BYTES", json!([null, "S"])),
        column("since", "BYTES", json!(["2024-05-06", null])),
    ]});
    let rows = [
        json!({"age": null, "member": true, "port": null, "since": "2024-05-06"}),
        json!({"age": 3, "member": null, "port": "S", "since": null}),
    ];
    let rows: Vec<Row> = rows.iter().map(Row::from).collect();
    let expected = classes(&models::table().unwrap(), &rows);
    assert_eq!(outputs(&post(served.address, "/v2/models/table/infer", &[], body.to_string())), expected);
}

#[test]
fn requests_and_answers_may_be_packed() {
    let served = served();
    let Case { inputs, outputs: expected, .. } = fashion();
    let path = "/v2/models/fashion/infer";
    let many: Vec<u8> = std::iter::repeat_n(inputs[0].elements.binary(), 20).flatten().collect();
    let many = Tensor::new("input", [60, 28, 28], Elements::Uint8(many));
    let plain = infer(served.address, "fashion", &[(&many, true)], json!({}));
    assert_eq!(outputs(&plain)[1].elements.json()[..3], expected[1].elements.json());
    for binary in [false, true] {
        let (body, head) = request(&[(&many, true)], json!({"parameters": {"binary_data_output": binary}}));
        let head = head.to_string();
        for (name, packed) in [("gzip", gzip(&body)), ("deflate", deflate(&body))] {
            let headers = [(LENGTH, &*head), ("content-encoding", name), ("accept-encoding", name)];
            let mut answer = post(served.address, path, &headers, &packed);
            assert_eq!(answer.header("content-encoding"), Some(name));
            answer.body = unpacked(name, &answer.body);
            assert_eq!(outputs(&answer), outputs(&plain), "{name}");
            // Small answers, errors, and those who take several forms get them as they are.
            let headers = [("content-encoding", name), ("accept-encoding", "gzip, deflate")];
            let answer = post(served.address, path, &headers, &packed);
            assert_eq!((answer.header("content-encoding"), outputs(&answer)), (None, outputs(&plain)));
            let answer = post(served.address, path, &[("accept-encoding", name)], "{}");
            assert_eq!((answer.status, answer.header("content-encoding")), (400, None));
            assert!(answer.error().contains("\"input\""), "{}", answer.error());
        }
    }
}

fn unpacked(name: &str, bytes: &[u8]) -> Vec<u8> {
    use std::io::Read;
    let mut all = Vec::new();
    let read = match name {
        "gzip" => flate2::read::GzDecoder::new(bytes).read_to_end(&mut all),
        _ => flate2::read::ZlibDecoder::new(bytes).read_to_end(&mut all),
    };
    read.unwrap();
    all
}

#[test]
fn versions_are_in_the_path() {
    let served = served();
    for Case { model, inputs, outputs: expected } in cases() {
        let version = get(served.address, &format!("/v2/models/{model}")).json()["versions"][0].clone();
        let version = version.as_str().unwrap();
        let named = format!("{model}/versions/{version}");
        assert_eq!(outputs(&infer(served.address, &named, &all(&inputs, true), json!({}))), expected);
        for wrong in ["1", "0123456789ab", &version.to_uppercase().replace(char::is_numeric, "x"), "%22"] {
            let named = format!("{model}/versions/{wrong}");
            let answer = infer(served.address, &named, &all(&inputs, true), json!({}));
            assert_eq!(answer.status, 404, "{}", answer.text());
            assert!(answer.error().contains(version) && answer.error().contains("has no version"));
        }
    }
}
