//! The friendly routes: every form of a request, compared with the predictor in this process.

use crate::client::{get, post};
use crate::files::{colours, deflate, form, grey, gzip};
use crate::{Served, all_models, as_json, models};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::ImageFormat::{Jpeg, Png};
use plywood::data::{Column, Table};
use plywood::prelude::*;
use plywood_serve::Server;
use serde_json::{Value, json};

const JSON: (&str, &str) = ("content-type", "application/json");

/// The answers to a request that succeeds.
fn answers(served: &Served, model: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Value {
    let answer = post(served.address, &format!("/v1/predict/{model}"), headers, body);
    assert_eq!(answer.status, 200, "{model}, {headers:?}: {}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let mut json = answer.json();
    assert_eq!(json["model"], model.split('?').next().unwrap());
    assert_eq!(json["version"].as_str().map(str::len), Some(12));
    json["answers"].take()
}

/// What the predictor says of a row.
fn said(predictor: &Predictor, row: impl Into<Row>) -> Value {
    as_json(&predictor.predict(row).unwrap())
}

#[test]
fn a_row_is_answered_as_by_the_predictor() {
    let table = models::table().unwrap();
    let server = Served::start(Server::new().model("table", table.clone()));
    let row = json!({"age": 30.5, "member": true, "port": "Q", "since": null});
    let answer = post(
        server.address,
        "/v1/predict/table",
        &[("content-type", "application/json")],
        json!({"rows": [row, row]}).to_string(),
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
    let expected = as_json(&table.predict(Row::from(&row)).unwrap());
    assert_eq!(answer.json()["answers"], json!([expected, expected]));
    assert_eq!(get(server.address, "/v2/health/ready").status, 200);
    assert!(server.shutdown());
}

#[test]
fn an_image_is_answered_in_every_form() {
    let (predictor, served) = (models::fashion().unwrap(), Served::start(all_models()));
    let files = [
        ("image/png", grey(28, 28, Png)),
        ("image/jpeg", grey(28, 28, Jpeg)),
        ("image/png", colours(40, 30, Png)),
        ("image/jpeg", colours(33, 28, Jpeg)),
    ];
    for (media, file) in &files {
        let expected = json!([said(&predictor, Raw::image(file))]);
        // The bytes alone, also under no name, another's, or one in capitals.
        let octets = "application/octet-stream";
        for media in [*media, "image/png", "IMAGE/X", octets, "application/x-www-form-urlencoded"] {
            assert_eq!(answers(&served, "fashion", &[("content-type", media)], file), expected, "{media}");
        }
        assert_eq!(answers(&served, "fashion", &[], file), expected);
        // In a form: as the file, or by the field's name.
        for name in
            ["name=\"file\"; filename=\"a photo.png\"", "name=\"file\"", "name=input", "name=\"input\""]
        {
            let (media, body) = form(&[("name=\"comment\"", b"not read"), (name, file)]);
            assert_eq!(answers(&served, "fashion", &[("content-type", &media)], body), expected, "{name}");
        }
        // In JSON: base64, by name or as the only value.
        let text = STANDARD.encode(file);
        let rows = [json!({"row": {"input": text, "other": [1, {}]}}), json!({"row": text})];
        for row in rows.into_iter().chain([json!({"rows": [{"input": text}]})]) {
            assert_eq!(answers(&served, "fashion", &[JSON], row.to_string()), expected);
            assert_eq!(answers(&served, "fashion", &[], format!(" \n{row}")), expected);
        }
    }
    let rows: Vec<Value> = files.iter().map(|(_, file)| json!({"input": STANDARD.encode(file)})).collect();
    let expected: Vec<Value> = files.iter().map(|(_, file)| said(&predictor, Raw::image(file))).collect();
    assert_eq!(answers(&served, "fashion", &[JSON], json!({"rows": rows}).to_string()), json!(expected));
}

#[test]
fn a_text_is_answered_in_every_form() {
    let (predictor, served) = (models::texts().unwrap(), Served::start(all_models()));
    for text in ["a fast game", "Ω ≠ \"library\"\n<b>", "words", " "] {
        let expected = json!([said(&predictor, Raw::Text(text.to_owned()))]);
        for media in ["text/plain", "text/plain; charset=utf-8", "Text/Plain"] {
            assert_eq!(answers(&served, "texts", &[("content-type", media)], text), expected);
        }
        let bodies = [
            json!({"text": text}),
            json!({"row": {"input": text}}),
            json!({"row": text}),
            json!({"rows": [text]}),
        ];
        for body in bodies {
            assert_eq!(answers(&served, "texts", &[JSON], body.to_string()), expected, "{body}");
            assert_eq!(answers(&served, "texts", &[], body.to_string()), expected, "{body}");
        }
        for name in ["name=\"file\"; filename=\"t.txt\"", "name=\"input\""] {
            let (media, body) = form(&[(name, text.as_bytes())]);
            assert_eq!(answers(&served, "texts", &[("content-type", &media)], body), expected);
        }
    }
    // An empty text is a missing one.
    let expected = json!([said(&predictor, Raw::Text(String::new()))]);
    assert_eq!(answers(&served, "texts", &[("content-type", "text/plain")], ""), expected);
    assert_eq!(expected[0]["notes"], json!(["input was missing"]));
}

#[test]
fn parts_of_a_form_are_read_as_the_fields_say() {
    let (table, served) = (models::table().unwrap(), Served::start(all_models()));
    let row = json!({"age": 30.5, "member": true, "port": "C", "since": "2024-05-06"});
    let rest: [(&str, &[u8]); 3] =
        [("name=\"port\"", b"C"), ("name=since", b"2024-05-06"), ("name=\"nobody's\"", b"1")];
    for member in ["true", " true ", "TRUE"] {
        let parts =
            [&[("name=\"age\"", &b" 30.5"[..]), ("name=\"member\"", member.as_bytes())], &rest[..]].concat();
        let (media, body) = form(&parts);
        let expected = json!([said(&table, Row::from(&row))]);
        assert_eq!(answers(&served, "table", &[("content-type", &media)], body), expected, "{member}");
    }
    // An empty part is missing.
    let missing = json!({"age": null, "member": null, "port": null, "since": null});
    let empty: Vec<(&str, &[u8])> =
        ["name=age", "name=member", "name=port", "name=since"].map(|name| (name, &b""[..])).to_vec();
    let (media, body) = form(&empty);
    let found = answers(&served, "table", &[("content-type", &media)], body);
    assert_eq!(found, json!([said(&table, Row::from(&missing))]));
    assert_eq!(found[0]["notes"].as_array().map(Vec::len), Some(4));

    // An array is a list in JSON.
    let numbers = models::numbers().unwrap();
    for name in ["name=\"input\"", "name=\"file\""] {
        let (media, body) = form(&[(name, b"[1, 2.5, -3e-1, 4]")]);
        let found = answers(&served, "numbers", &[("content-type", &media)], body);
        assert_eq!(found, json!([said(&numbers, vec![1.0, 2.5, -0.3, 4.0])]));
    }
    let model = Sequential::builder([2, 2]).seed(2).layer(Flatten).layer(Dense::units(1)).build().unwrap();
    let square =
        Predictor::new(model).input(Features::of_shape([2, 2])).output(Numbers::unnamed()).build().unwrap();
    let served = Served::start(Server::new().model("square", square.clone()));
    let (media, body) = form(&[("name=input", b"[[1, 2],\n[3, 4.5]]")]);
    let found = answers(&served, "square", &[("content-type", &media)], body);
    assert_eq!(found, json!([said(&square, vec![vec![1.0, 2.0], vec![3.0, 4.5]])]));
}

#[test]
fn a_form_has_an_image_and_a_number() {
    let (predictor, served) = (models::product().unwrap(), Served::start(all_models()));
    let file = colours(16, 16, Png);
    let row = || Row::new().with("photo", Raw::image(&file)).with("weight", 2.5);
    let expected = json!([said(&predictor, row())]);
    let (media, body) = form(&[("name=\"weight\"", b"2.5"), ("name=\"photo\"; filename=\"p.png\"", &file)]);
    assert_eq!(answers(&served, "product", &[("content-type", &media)], body), expected);
    let body = json!({"row": {"photo": STANDARD.encode(&file), "weight": 2.5}}).to_string();
    assert_eq!(answers(&served, "product", &[JSON], body), expected);
    // Several outputs: labels with all probabilities, and a number with its unit.
    let outputs = &expected[0]["outputs"];
    assert_eq!(outputs["tags"]["probabilities"].as_array().map(Vec::len), Some(3));
    assert!(outputs["tags"]["labels"].is_array(), "{outputs}");
    assert_eq!((outputs["price"]["unit"].as_str(), outputs["price"]["number"].is_f64()), (Some("EUR"), true));
    assert_eq!(expected[0]["notes"], json!([]));
}

#[test]
fn names_in_a_form_may_be_written_as_browsers_do() {
    let name = "the \"size\",\r\n 100%";
    let numbers = Column::numbers(name, [1.0, 2.0, 3.0]).unwrap();
    let table = Table::new([numbers, Column::numbers("b", [1.0, 0.0, 1.0]).unwrap()]).unwrap();
    let columns = Columns::all().fit(&table.whole()).unwrap();
    let model = Sequential::builder([columns.width()]).seed(1).layer(Dense::units(1)).build().unwrap();
    let output = Numbers::named(["n"]).unit("m");
    let predictor = Predictor::new(model).input(columns).output(output).build().unwrap();
    let served = Served::start(Server::new().model("a b", predictor.clone()));
    let expected = said(&predictor, Row::new().with(name, 2.5).with("b", 1.0));
    assert_eq!(expected.as_object().unwrap().keys().collect::<Vec<_>>(), ["notes", "number", "unit"]);
    let (media, body) = form(&[("name=\"the %22size%22,%0D%0A 100%\"", b"2.5"), ("name=\"b\"", b"1")]);
    let answer = post(served.address, "/v1/predict/a%20b", &[("content-type", &media)], body);
    assert_eq!(
        (answer.status, answer.json()["answers"].clone()),
        (200, json!([expected])),
        "{}",
        answer.text()
    );
    assert_eq!(answer.json()["model"], "a b");
}

#[test]
fn packed_bodies_are_answered_as_others() {
    let (predictor, served) = (models::fashion().unwrap(), Served::start(all_models()));
    let file = grey(28, 28, Png);
    let expected = json!([said(&predictor, Raw::image(&file))]);
    let packed =
        [("gzip", gzip(&file)), ("x-gzip", gzip(&file)), ("GZip", gzip(&file)), ("deflate", deflate(&file))];
    for (name, body) in packed.iter().chain([&("identity", file.clone())]) {
        let encoding = ("content-encoding", *name);
        assert_eq!(answers(&served, "fashion", &[encoding], body), expected, "{name}");
        assert_eq!(answers(&served, "fashion", &[encoding, ("content-type", "image/png")], body), expected);
    }
    let (media, body) = form(&[("name=\"file\"", &file)]);
    let headers = [("content-type", &*media), ("content-encoding", "gzip")];
    assert_eq!(answers(&served, "fashion", &headers, gzip(&body)), expected);
    let text = json!({"rows": [[1, 2, 3, 4], [0.5, 0, 0, -1]]}).to_string();
    let headers = [JSON, ("content-encoding", "deflate")];
    let plain = answers(&served, "numbers", &[JSON], &text);
    assert_eq!(answers(&served, "numbers", &headers, deflate(text.as_bytes())), plain);
}

#[test]
fn top_lists_the_most_probable_classes_first() {
    let (predictor, served) = (models::fashion().unwrap(), Served::start(all_models()));
    let file = grey(28, 28, Png);
    let prepared = predictor.prepare(&[Raw::image(&file).into()]).unwrap();
    let all = predictor.probabilities(&predictor.infer(&prepared).unwrap(), "output").unwrap();
    let mut order: Vec<usize> = (0..10).collect();
    order.sort_by(|&a, &b| all[[0, b]].total_cmp(&all[[0, a]]));
    let expected: Vec<Value> = order
        .iter()
        .map(|&class| json!({"class": models::GARMENTS[class], "probability": as_json(&all[[0, class]])}))
        .collect();
    for (query, count) in [("top=1", 1), ("top=3", 3), ("x=y&top=4&z", 4), ("top=10", 10), ("top=11", 10)] {
        let found = answers(&served, &format!("fashion?{query}"), &[], &file);
        assert_eq!(found[0]["ranked"], json!(expected[..count]), "{query}");
        assert_eq!(found[0]["class"], expected[0]["class"]);
        assert_eq!(found[0]["probability"], expected[0]["probability"]);
    }
    let found = answers(&served, &format!("fashion?top={}", usize::MAX), &[], &file);
    assert_eq!(found[0]["ranked"], json!(expected));
    // Other answers have no classes to list.
    let numbers = answers(&served, "numbers?top=2", &[JSON], r#"{"row": [1, 2, 3, 4]}"#);
    assert_eq!(numbers, answers(&served, "numbers", &[JSON], r#"{"row": [1, 2, 3, 4]}"#));
    let row = r#"{"row": {"age": 3, "member": true, "port": "S", "since": null}}"#;
    assert_eq!(answers(&served, "table?top=2", &[JSON], row)[0]["ranked"].as_array().map(Vec::len), Some(2));
}

#[test]
fn below_the_threshold_there_is_no_class() {
    let classes = Classes::named(models::GARMENTS).threshold(0.9).top(2);
    let predictor = models::fashion().unwrap().with_output("output", classes).unwrap();
    let served = Served::start(Server::new().model("sure", predictor.clone()));
    let file = grey(28, 28, Png);
    let expected = said(&predictor, Raw::image(&file));
    for query in ["sure", "sure?top=2"] {
        let found = answers(&served, query, &[], &file);
        assert_eq!(found, json!([expected]));
        assert_eq!(found[0]["class"], Value::Null);
        assert!(found[0]["probability"].as_f64().unwrap() < 0.9);
        assert_eq!(found[0]["ranked"].as_array().map(Vec::len), Some(2));
    }
}

#[test]
fn numbers_have_names_or_are_a_list() {
    let (named, row) = (models::numbers().unwrap(), vec![1.0, -2.0, 0.25, 4.0]);
    let list = named.with_output("output", Numbers::unnamed()).unwrap();
    let server = Server::new().model("named", named.clone()).model("list", list.clone());
    let (served, body) = (Served::start(server), json!({"row": row}).to_string());
    let found = answers(&served, "named", &[JSON], &body);
    assert_eq!(found, json!([said(&named, row.clone())]));
    let pair = &found[0]["numbers"];
    assert_eq!(found[0], json!({"numbers": pair, "unit": "cm", "notes": []}));
    let found = answers(&served, "list", &[JSON], &body);
    assert_eq!(found, json!([{"numbers": [pair["width"], pair["height"]], "notes": []}]));
    // By its name the list is the same.
    let body = json!({"rows": [{"input": row}]}).to_string();
    assert_eq!(answers(&served, "list", &[JSON], body), found);
}

#[test]
fn labels_are_those_above_the_threshold() {
    let model = Sequential::builder([2]).seed(4).layer(Dense::units(3)).layer(Sigmoid).build().unwrap();
    let output = Labels::named(["a", "b", "c"]);
    let predictor = Predictor::new(model).input(Features::of_shape([2])).output(output).build().unwrap();
    let served = Served::start(Server::new().model("labels", predictor.clone()));
    let found = answers(&served, "labels", &[JSON], r#"{"rows": [[9, -3], [-9, 3], [0.5, 0]]}"#);
    let rows = [[9.0, -3.0], [-9.0, 3.0], [0.5, 0.0]];
    assert_eq!(found, json!(rows.map(|row| said(&predictor, row))));
    for answer in found.as_array().unwrap() {
        let all = answer["probabilities"].as_array().unwrap();
        let above = all.iter().filter(|label| label["probability"].as_f64().unwrap() >= 0.5);
        assert_eq!(answer["labels"], json!(above.map(|label| &label["label"]).collect::<Vec<_>>()));
        assert_eq!(all.iter().map(|label| label["label"].as_str().unwrap()).collect::<String>(), "abc");
    }
}

#[test]
fn notes_say_what_was_filled_unknown_or_changed() {
    let served = Served::start(all_models());
    let rows = json!({"rows": [
        {"age": 30, "member": true, "port": "S", "since": "2024-05-06"},
        {"age": null, "member": false, "port": "Q", "since": "2031-01-01"},
        {"age": 500, "member": null, "port": null, "since": null},
    ]});
    let found = answers(&served, "table", &[JSON], rows.to_string());
    let notes: Vec<&Value> = found.as_array().unwrap().iter().map(|answer| &answer["notes"]).collect();
    assert_eq!(notes[0], &json!([]));
    let text = |row: usize| notes[row].to_string();
    assert!(
        text(1).contains("age was missing") && text(1).contains(r#"port \"Q\" is unknown"#),
        "{}",
        text(1)
    );
    assert!(text(2).contains("member was missing") && text(2).contains("since was missing"), "{}", text(2));
    let found = answers(&served, "fashion", &[], colours(10, 30, Png));
    let notes = json!(["input was resized from 10 x 30", "input was converted between grey and colours"]);
    assert_eq!(found[0]["notes"], notes);
    let found = answers(&served, "texts", &[JSON], json!({"text": "xyzzy"}).to_string());
    assert_eq!(found[0]["notes"], json!(["input has no known word"]));
}

#[test]
fn no_rows_have_no_answers() {
    let served = Served::start(all_models());
    for model in ["table", "fashion", "numbers", "texts", "product"] {
        assert_eq!(answers(&served, model, &[JSON], r#"{"rows": []}"#), json!([]), "{model}");
    }
}
