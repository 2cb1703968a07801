//! Requests to the friendly routes that are refused, and what is answered after each.

use crate::client::{Answer, Program, Talk};
use crate::files::{colours, deflate, form, grey, gzip, lying_png};
use crate::tools::Folder;
use crate::{Served, all_models};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::ImageFormat::{Jpeg, Png};
use plywood_serve::Limits;
use serde_json::json;

const JSON: (&str, &str) = ("content-type", "application/json");
const PNG: (&str, &str) = ("content-type", "image/png");
const TEXT: (&str, &str) = ("content-type", "text/plain");

/// The server of these tests, whose bounds are small.
fn served() -> Served {
    let limits = Limits { body: 100_000, rows: 20, pixels: 10_000, ..Limits::default() };
    Served::start(all_models().limits(limits))
}

/// A client that expects refusals.
struct Refused(Talk);

impl Refused {
    fn by(served: &Served) -> Self {
        Self(Talk::with(served.address))
    }

    /// Posts to a model; the answer must have this status, and its sentence must name these words.
    fn post(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
        status: u16,
        words: &[&str],
    ) {
        let answer = self.0.post(&format!("/v1/predict/{path}"), headers, body);
        self.check(&answer, status, words, path);
    }

    fn check(&mut self, answer: &Answer, status: u16, words: &[&str], what: &str) {
        assert_eq!(answer.status, status, "{what}, {words:?}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"), "{what}");
        let error = answer.error();
        assert_eq!(answer.json(), json!({"error": error}));
        for word in words {
            assert!(error.contains(word), "{what}: {error:?} does not have {word:?}");
        }
        assert!(error.chars().count() < 600, "{what}: {error}");
        let good = self.0.post("/v1/predict/numbers", &[JSON], r#"{"row": [1, 2, 3, 4]}"#);
        assert_eq!(good.status, 200, "after {what}: {}", good.text());
        assert_eq!(good.json()["answers"][0]["unit"], "cm");
    }
}

#[test]
fn routes_methods_and_models_that_are_not_there() {
    let served = served();
    let mut refused = Refused::by(&served);
    let row = r#"{"row": [1, 2, 3, 4]}"#;
    refused.post(
        "number",
        &[JSON],
        row,
        404,
        &["no model \"number\"", "fashion, texts, table, numbers, product"],
    );
    refused.post("%3Cb%3E%20%C3%A9", &[JSON], row, 404, &["no model \"<b> é\""]);
    refused.post(&"n".repeat(3000), &[JSON], row, 404, &["no model \"nnn"]);
    refused.post("numbers/1", &[JSON], row, 404, &["no route \"/v1/predict/numbers/1\"", "/openapi.json"]);
    refused.post("", &[JSON], row, 404, &["no route"]);
    refused.post("%FF%FE", &[JSON], row, 400, &["UTF-8"]);
    let wrong = [
        ("GET", "/v1/predict/numbers", 405, "no method GET"),
        ("PUT", "/v1/predict/numbers", 405, "no method PUT"),
        ("DELETE", "/v1/models", 405, "no method DELETE"),
        ("POST", "/v1/models", 405, "no method POST"),
        ("GET", "/v1", 404, "no route \"/v1\""),
        ("GET", "/v3/../etc/passwd", 404, "no route"),
        ("GET", "/favicon.ico", 404, "no route"),
    ];
    for (method, path, status, word) in wrong {
        let answer = refused.0.send(method, path, &[], b"");
        refused.check(&answer, status, &[word], path);
    }
}

#[test]
fn content_types_that_do_not_fit() {
    let served = served();
    let mut refused = Refused::by(&served);
    let (row, file) = (r#"{"row": [1, 2, 3, 4]}"#, grey(28, 28, Png));
    for media in ["text/html", "application/xml", "application/json2", "video/mp4", "nonsense"] {
        refused.post(
            "numbers",
            &[("content-type", media)],
            row,
            415,
            &["Content-Type", media, "application/json"],
        );
    }
    refused.post("numbers", &[], "1, 2, 3, 4", 415, &["Content-Type", "none", "nor JSON"]);
    refused.post("numbers", &[], "", 415, &["Content-Type"]);
    refused.post("texts", &[], "a text", 415, &["text/plain"]);
    refused.post("numbers", &[JSON, ("content-encoding", "br")], row, 415, &["gzip or deflate", "\"br\""]);
    refused.post("numbers", &[JSON, ("content-encoding", "gzip, gzip")], row, 415, &["gzip, gzip"]);
    // What the model does not take.
    refused.post("numbers", &[PNG], &file, 400, &["does not take an image alone", "input (", "[4]"]);
    refused.post("table", &[], &file, 400, &["an image alone", "age", "port"]);
    refused.post("product", &[PNG], &file, 400, &["an image alone", "photo", "weight"]);
    refused.post("fashion", &[TEXT], "a text", 400, &["a text alone", "input"]);
    refused.post("fashion", &[JSON], r#"{"text": "boot"}"#, 400, &["a text alone"]);
    // What is not what it is said to be.
    refused.post("fashion", &[JSON], &file, 400, &["must be JSON"]);
    refused.post("fashion", &[PNG], row, 400, &["PNG or JPEG"]);
    refused.post("fashion", &[PNG], "", 400, &["PNG or JPEG"]);
    refused.post("texts", &[TEXT], b"a \xff text", 400, &["UTF-8"]);
    refused.post("texts", &[JSON], b"{\"text\": \"\xff\"}", 400, &["JSON"]);
    refused.post("texts", &[JSON], r#"{"text": "\ud800"}"#, 400, &["JSON"]);
}

#[test]
fn json_that_does_not_fit() {
    let served = served();
    let mut refused = Refused::by(&served);
    let form = ["\"text\"", "\"row\"", "\"rows\""];
    for body in [
        "[]",
        "{}",
        "1",
        "null",
        r#"{"row": [1, 2, 3, 4], "id": 7}"#,
        r#"{"Row": []}"#,
        r#"{"instances": []}"#,
    ] {
        refused.post("numbers", &[JSON], body, 400, &form);
    }
    for body in
        ["", "{", r#"{"row": [1, 2, 3, 4]"#, r#"{"row": [1 2]}"#, r#"{"row": [1, 2, 3, 4]} x"#, "{'row': 1}"]
    {
        refused.post("numbers", &[JSON], body, 400, &["must be JSON", "line 1 column"]);
    }
    for body in [r#"{"row": [1, 2, 3, NaN]}"#, r#"{"row": [1e999, 2, 3, 4]}"#, r#"{"row": [Infinity]}"#] {
        refused.post("numbers", &[JSON], body, 400, &["must be JSON"]);
    }
    for deep in [127, 1_000, 12_000] {
        for (open, word) in [("[", "row 1"), ("{\"row\":", "JSON")] {
            refused.post("numbers", &[JSON], format!("{{\"row\": {}", open.repeat(deep)), 400, &[word]);
        }
    }
    let nested = format!("{{\"row\": {}1{}}}", "[".repeat(100), "]".repeat(100));
    refused.post("numbers", &[JSON], nested, 400, &["row 1"]);
    refused.post("texts", &[JSON], r#"{"text": 5}"#, 400, &["row 1", "must be a text"]);
    refused.post("numbers", &[JSON], r#"{"rows": {"a": 1}}"#, 400, &["\"rows\" must be a list"]);
    refused.post("numbers", &[JSON], r#"{"rows": null}"#, 400, &["\"rows\" must be a list"]);
    for top in ["0", "three", "", "-1", "1.5", "99999999999999999999999"] {
        let path = format!("numbers?top={top}");
        refused.post(
            &path,
            &[JSON],
            r#"{"row": [1, 2, 3, 4]}"#,
            400,
            &["\"top\"", "whole number of at least 1"],
        );
    }
}

#[test]
fn values_of_a_wrong_type() {
    let served = served();
    let mut refused = Refused::by(&served);
    let wrong = [
        ("age", json!("thirty")),
        ("age", json!(true)),
        ("age", json!([1])),
        ("age", json!({"years": 3})),
        ("member", json!("perhaps")),
        ("member", json!(0.5)),
        ("port", json!(false)),
        ("since", json!("06.05.2024")),
        ("since", json!(20240506)),
    ];
    let row = json!({"age": 30, "member": true, "port": "S", "since": null});
    for (field, value) in wrong {
        let mut faulty = row.clone();
        faulty[field] = value;
        let field = format!("{field:?}");
        refused.post("table", &[JSON], json!({"row": faulty}).to_string(), 400, &["row 1", &field]);
        let rows = json!({"rows": [row, row, faulty]}).to_string();
        refused.post("table", &[JSON], rows, 400, &["row 3", &field]);
    }
    let mut less = row.clone();
    less.as_object_mut().unwrap().remove("port");
    refused.post(
        "table",
        &[JSON],
        json!({"rows": [row, less]}).to_string(),
        400,
        &["row 2", "a value \"port\""],
    );
    refused.post("table", &[JSON], r#"{"row": 5}"#, 400, &["row 1", "named values", "age (a number)"]);
    refused.post("table", &[JSON], r#"{"row": null}"#, 400, &["row 1", "named values"]);
    refused.post("texts", &[JSON], r#"{"rows": ["a", null]}"#, 400, &["row 2", "got null"]);
    let twice = r#"{"row": {"age": 38, "member": true, "port": "S", "since": null, "age": 22}}"#;
    refused.post("table", &[JSON], twice, 400, &["row 1", "\"age\" once"]);
    for row in
        ["[1, 2, 3]", "[1, 2, 3, 4, 5]", "[]", "5", "\"a\"", "[1, 2, 3, null]", "[[1, 2], [3, 4]]", "{}"]
    {
        refused.post("numbers", &[JSON], format!("{{\"row\": {row}}}"), 400, &["row 1"]);
    }
    for value in ["null", "5", "\"not base64!\"", "\"AAAA\"", "\"\"", "[0, 1]"] {
        refused.post("fashion", &[JSON], format!("{{\"row\": {{\"input\": {value}}}}}"), 400, &[]);
    }
    refused.post("fashion", &[JSON], r#"{"row": "not base64!"}"#, 400, &["base64 of a PNG or JPEG"]);
    refused.post("numbers", &[JSON], r#"{"row": [1e308, 0, 0, 0]}"#, 400, &["row 1"]);
}

#[test]
fn forms_that_cannot_be_read() {
    let served = served();
    let mut refused = Refused::by(&served);
    let (media, body) = form(&[("name=\"file\"", &grey(28, 28, Png))]);
    let typed = |media: &str| [("content-type".to_owned(), media.to_owned())];
    let mut post = |model: &str, media: &str, body: &[u8], words: &[&str]| {
        let headers = typed(media);
        let headers = headers.each_ref().map(|(name, value)| (name.as_str(), value.as_str()));
        refused.post(model, &headers, body, 400, words);
    };
    post("fashion", "multipart/form-data", &body, &["form", "boundary"]);
    post("fashion", "multipart/form-data; boundary=another", &body, &["form"]);
    post("fashion", &media, &body[..body.len() / 2], &["form"]);
    post("fashion", &media, b"", &["form"]);
    post("fashion", &media, b"not a form", &["form"]);
    let (_, none) = form(&[]);
    post("table", &media, &none, &[]);
    for (name, bytes) in [("name=age", &b"thirty"[..]), ("name=age", b"1,5"), ("name=age", b"\xff")] {
        post("table", &media, &form(&[(name, bytes)]).1, &["part \"age\""]);
    }
    for infinite in [&b"NaN"[..], b"inf", b"1e999"] {
        let rest: [(&str, &[u8]); 3] = [("name=member", b""), ("name=port", b""), ("name=since", b"")];
        let parts = [&[("name=age", infinite)], &rest[..]].concat();
        post("table", &media, &form(&parts).1, &["\"age\""]);
    }
    post("table", &media, &form(&[("name=age", b"1")]).1, &["row 1", "a value \"member\""]);
    post("table", &media, &form(&[("name=agE", b"1")]).1, &["row 1", "a value \"age\""]);
    let twice: [(&str, &[u8]); 5] = [
        ("name=age", b"1"),
        ("name=age", b"2"),
        ("name=member", b""),
        ("name=port", b""),
        ("name=since", b""),
    ];
    post("table", &media, &form(&twice).1, &["\"age\"", "two values"]);
    post("numbers", &media, &form(&[("name=input", b"1, 2, 3, 4")]).1, &["part \"input\""]);
    post("numbers", &media, &form(&[("name=input", b"[1, 2, 3]")]).1, &["\"input\""]);
    post("fashion", &media, &form(&[("name=\"file\"", b"")]).1, &["an image"]);
    post("fashion", &media, &form(&[("name=\"file\"", b"no image")]).1, &["PNG or JPEG"]);
    let many: Vec<(&str, &[u8])> = vec![("name=x", b""); 20];
    post("fashion", &media, &form(&many).1, &["a value \"input\""]);
}

#[test]
fn more_than_the_limits() {
    let served = served();
    let mut refused = Refused::by(&served);
    let rows = |count| json!({"rows": vec![[1, 2, 3, 4]; count]}).to_string();
    assert_eq!(refused.0.post("/v1/predict/numbers", &[JSON], rows(20)).status, 200);
    refused.post("numbers", &[JSON], rows(21), 413, &["at most 20 rows", "got more"]);
    let large = vec![b' '; 100_001];
    refused.post("numbers", &[JSON], &large, 413, &["at most 100000 bytes"]);
    refused.post("texts", &[TEXT], &large, 413, &["100000 bytes"]);
    // As much as the limit is read.
    let answer = refused.0.post("/v1/predict/texts", &[TEXT], &large[..100_000]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    // Small when it is packed, and a thousand times as large when it is not.
    let zeros = vec![0; 50_000_000];
    let bombs = [("gzip", gzip(&zeros)), ("deflate", deflate(&zeros))];
    let (media, _) = form(&[]);
    for (name, bomb) in &bombs {
        assert!(bomb.len() < 100_000);
        for media in ["text/plain", "application/json", "image/png", &*media] {
            let headers = [("content-type", media), ("content-encoding", name)];
            refused.post("texts", &headers, bomb, 413, &["100000 bytes", "unpacked"]);
        }
    }
    let [gzip_bytes, deflate_bytes] = [gzip(&rows(2).into_bytes()), deflate(&rows(2).into_bytes())];
    for (name, bytes) in [("gzip", &gzip_bytes), ("deflate", &deflate_bytes)] {
        let headers = [JSON, ("content-encoding", name)];
        refused.post("numbers", &headers, &bytes[..bytes.len() - 9], 400, &["unpacked"]);
        refused.post("numbers", &headers, rows(2), 400, &["unpacked"]);
    }
    // Large bodies for which there is no model or no form are answered, too.
    let megabytes = vec![b'1'; 3_000_000];
    refused.post("nobody", &[TEXT], &megabytes, 404, &["no model"]);
    refused.post("texts", &[TEXT, ("content-encoding", "br")], &megabytes, 415, &["\"br\""]);
    refused.post("texts?top=x", &[TEXT], &megabytes, 400, &["\"top\""]);
    let answer = refused.0.send("POST", "/v1/models", &[], &megabytes);
    refused.check(&answer, 405, &["no method POST"], "a large body for a route without it");
}

#[test]
fn images_that_are_bombs_or_broken() {
    let served = served();
    let mut refused = Refused::by(&served);
    let encoded = |bytes: &[u8]| json!({"row": STANDARD.encode(bytes)}).to_string();
    for [height, width] in [[60_000, 60_000], [8_193, 1], [1, 2_000_000_000], [u32::MAX, u32::MAX]] {
        let bomb = lying_png(height, width);
        refused.post("fashion", &[PNG], &bomb, 400, &["image"]);
        refused.post("fashion", &[JSON], encoded(&bomb), 400, &["image"]);
        let (media, body) = form(&[("name=\"file\"", &bomb)]);
        refused.post("fashion", &[("content-type", &media)], body, 400, &["image"]);
    }
    refused.post("fashion", &[PNG], lying_png(60_000, 60_000), 400, &["8192 by 8192"]);
    // Within what is decoded, but above this server's limit of pixels.
    refused.post(
        "fashion",
        &[PNG],
        lying_png(8_000, 8_000),
        413,
        &["at most 10000 pixels together", "8000 x 8000"],
    );
    refused.post("fashion", &[PNG], grey(101, 100, Png), 413, &["101 x 100"]);
    refused.post("fashion", &[], grey(100, 101, Jpeg), 413, &["100 x 101"]);
    // Together they are too many.
    let rows = vec![STANDARD.encode(grey(60, 60, Png)); 3];
    refused.post(
        "fashion",
        &[JSON],
        json!({"rows": rows}).to_string(),
        413,
        &["at most 10000 pixels together", "60 x 60"],
    );
    assert_eq!(refused.0.post("/v1/predict/fashion", &[PNG], grey(100, 100, Png)).status, 200);
    // A head that claims more than is there, within all limits.
    refused.post("fashion", &[PNG], lying_png(90, 90), 400, &["image"]);
    refused.post("fashion", &[PNG], lying_png(0, 0), 400, &["image"]);
    for file in [grey(28, 28, Png), grey(28, 28, Jpeg), colours(28, 28, Png), colours(28, 28, Jpeg)] {
        for length in [3, 8, 20, 33, file.len() / 2, file.len() - 20] {
            refused.post("fashion", &[PNG], &file[..length], 400, &["image"]);
        }
    }
    // The form of another format.
    refused.post(
        "fashion",
        &[("content-type", "image/gif")],
        b"GIF89a\x01\0\x01\0\0\0\0;",
        400,
        &["PNG or JPEG"],
    );
}

/// Rows beyond the limit are not read, and neither is what the model does not take.
#[cfg(target_os = "linux")]
#[test]
fn json_takes_no_more_memory_than_the_rows_of_a_request() {
    let folder = Folder::new();
    crate::models::save_all(&folder.path("")).unwrap();
    let program = Program::start(&[&folder.model("numbers")]);
    for row in ["{\"\":{\"\":0}}", "[[[[0]]]]", "{\"a\":1,\"b\":[0,0,0]}", "\"\""] {
        let rows = vec![row; 9_000_000 / (row.len() + 1)].join(",");
        let body = format!("{{\"rows\":[{rows}]}}");
        let answer = crate::client::post(program.address, "/v1/predict/numbers", &[JSON], body);
        assert!(matches!(answer.status, 400 | 413), "{}", answer.text());
    }
    // It was 1.7 GB when all was read before the rows were counted.
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.child.id())).unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let most: usize = most.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(most < 150_000, "{most} kB");
}

#[test]
fn an_answer_ranks_as_many_classes_as_there_are() {
    let served = served();
    let mut refused = Refused::by(&served);
    let texts = json!({"rows": vec![""; 20]}).to_string();
    refused.post("texts?top=99999999", &[JSON], texts.replace("\"\"", "null"), 400, &["row 1", "null"]);
    let answer = refused.0.post("/v1/predict/texts?top=99999999", &[JSON], texts);
    assert_eq!(answer.json()["answers"][19]["ranked"].as_array().map(Vec::len), Some(2), "{}", answer.text());
}

#[test]
fn names_that_the_model_does_not_take_are_told() {
    let served = served();
    let mut refused = Refused::by(&served);
    let row = json!({"row": {"age": 38, "member": true, "prot": "S", "since": null}}).to_string();
    refused.post("table", &[JSON], row, 400, &["a value \"port\"", "got age, member, prot, since"]);
    let parts: [(&str, &[u8]); 1] = [("name=\"photo\"", b"x")];
    let (media, body) = form(&parts);
    refused.post("fashion", &[("content-type", &media)], &body, 400, &["a value \"input\"", "photo"]);
    refused.post(
        "table",
        &[("content-type", "application/x-www-form-urlencoded")],
        "age=38&port=S",
        415,
        &["urlencoded", "multipart"],
    );
    refused.post(
        "texts",
        &[("content-type", "text/plain; charset=utf-16le")],
        "a\0",
        415,
        &["charset", "utf-16le"],
    );
}

/// A predictor of wide rows: few bytes of a request would be much memory.
#[test]
fn rows_that_are_wide_in_the_model_are_bounded() {
    use plywood::prelude::*;
    let model = Sequential::builder([512, 512]).layer(Flatten).layer(Dense::units(1)).build().unwrap();
    let predictor =
        Predictor::new(model).input(Image::grey(512, 512)).output(Numbers::unnamed()).build().unwrap();
    let served = Served::start(plywood_serve::Server::new().model("wide", predictor));
    let photo = STANDARD.encode(grey(1, 1, Png));
    let mut talk = Talk::with(served.address);
    let mut rows = |rows: usize| {
        let body = json!({"rows": vec![photo.as_str(); rows]}).to_string();
        talk.post("/v1/predict/wide", &[JSON], body)
    };
    assert_eq!(rows(2).status, 200);
    let refused = rows(200);
    assert_eq!(refused.status, 413, "{}", refused.text());
    assert!(
        refused.error().contains("at most 190 rows, because of the 262145 numbers of a row, got 200"),
        "{}",
        refused.error()
    );
}

#[test]
fn what_is_alone_must_be_there() {
    let served = served();
    let mut refused = Refused::by(&served);
    for body in [r#"{"text": null}"#, r#"{"row": null}"#, r#"{"row": {"input": null}}"#] {
        refused.post("texts", &[JSON], body, 400, &["row 1", "got null"]);
    }
    refused.post("numbers", &[JSON], r#"{"rows": [{"": 5}]}"#, 400, &["a value \"input\"", "nothing"]);
    refused.post("numbers", &[JSON], r#"{"text": [1]}"#, 400, &["does not take a text"]);
}
