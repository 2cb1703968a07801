//! Requests of the KServe protocol that are refused, and what is answered after each.

use crate::client::Talk;
use crate::files::{deflate, gzip};
use crate::protocol::{Elements, LENGTH, Tensor, outputs, request};
use crate::{Served, all_models, v2};
use plywood_serve::Limits;
use serde_json::{Value, json};

/// A client that expects refusals.
pub struct Refused {
    pub talk: Talk,
    good: Vec<u8>,
    expected: Vec<Tensor>,
}

impl Refused {
    pub fn by(served: &Served) -> Self {
        let mut talk = Talk::with(served.address);
        let good = json!({"inputs": [numbers(json!([1, 2, 3, 4]))]}).to_string().into_bytes();
        let expected = outputs(&talk.post("/v2/models/numbers/infer", &[], &good));
        Self { talk, good, expected }
    }

    /// Posts a request; the answer must have this status, and its sentence must name these words.
    pub fn post(
        &mut self,
        model: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
        status: u16,
        words: &[&str],
    ) {
        let body = body.as_ref();
        let what = || String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
        let answer = self.talk.post(&format!("/v2/models/{model}/infer"), headers, body);
        assert_eq!(answer.status, status, "{}: {}", what(), answer.text());
        let error = answer.error();
        assert_eq!(answer.json(), json!({"error": error}));
        for word in words {
            assert!(error.contains(word), "{}: {error:?} does not have {word:?}", what());
        }
        assert!(error.chars().count() < 700, "{error}");
        let good = self.talk.post("/v2/models/numbers/infer", &[], &self.good);
        assert_eq!(outputs(&good), self.expected, "after {}", what());
    }

    /// A request in JSON to the model of four numbers.
    pub fn json(&mut self, body: Value, words: &[&str]) {
        self.post("numbers", &[], body.to_string(), 400, words);
    }

    /// A request with a header length.
    pub fn headed(&mut self, model: &str, length: impl ToString, body: impl AsRef<[u8]>, words: &[&str]) {
        self.post(model, &[(LENGTH, &length.to_string())], body, 400, words);
    }
}

/// The input of the model of four numbers.
pub fn numbers(data: Value) -> Value {
    json!({"name": "input", "shape": [1, 4], "datatype": "FP32", "data": data})
}

/// A request with another value of an input's key.
pub fn with(key: &str, value: Value) -> Value {
    let mut input = numbers(json!([1, 2, 3, 4]));
    input[key] = value;
    json!({"inputs": [input]})
}

/// A request without a key of its input.
pub fn without(key: &str) -> Value {
    let mut input = numbers(json!([1, 2, 3, 4]));
    input.as_object_mut().unwrap().remove(key);
    json!({"inputs": [input]})
}

#[test]
fn other_datatypes_are_refused_by_name() {
    let served = v2::served();
    let mut refused = Refused::by(&served);
    for other in ["FP16", "BF16", "INT64", "INT8", "UINT64", "fp32", "float", "", "FP32\u{0}"] {
        let shown = format!("{other:?}");
        refused.json(with("datatype", json!(other)), &["datatype", "\"input\"", "FP32", &shown]);
        let mut late = with("datatype", json!(other));
        late["inputs"][0]["data"] = json!([[1, 2], [3, 4]]);
        refused.json(late, &[&shown]);
        let binary = json!({"inputs": [{"name": "input", "shape": [1, 4], "datatype": other,
            "parameters": {"binary_data_size": 16}}]});
        let binary = binary.to_string();
        let body = [binary.as_bytes(), &[0; 16]].concat();
        refused.headed("numbers", binary.len(), body, &[&shown]);
    }
    for other in ["FP64", "UINT8"] {
        let words = ["datatype of the input \"input\" must be FP32", other, "converts no numbers"];
        refused.json(with("datatype", json!(other)), &words);
    }
    refused.json(with("datatype", json!(5)), &["\"datatype\" must be a string"]);
    let column = json!({"inputs": [{"name": "age", "shape": [1], "datatype": "FP32", "data": [1]}]});
    refused.post("table", &[], column.to_string(), 400, &["\"age\" must be FP64", "FP32"]);
    let photo = Tensor::new("input", [1, 28, 28], Elements::Fp32(vec![0.5; 784]));
    let (body, head) = request(&[(&photo, true)], json!({}));
    refused.headed("fashion", head, body, &["\"input\" must be UINT8", "FP32"]);
}

#[test]
fn shapes_and_counts_must_fit() {
    let served = v2::served();
    let mut refused = Refused::by(&served);
    for shape in [json!([4]), json!([2, 2]), json!([1, 4, 1]), json!([1, 1, 4]), json!([4, 1])] {
        refused.json(with("shape", shape), &["shape of the input \"input\" must be [rows, 4]"]);
    }
    for shape in [json!([1, 5]), json!([2, 4]), json!([0, 4]), json!([1, 0]), json!([1, 3])] {
        refused.json(with("shape", shape.clone()), &["\"input\" must have the", "got 4"]);
        let head = json!({"inputs": [{"name": "input", "datatype": "FP32", "shape": shape,
            "parameters": {"binary_data_size": 16}}]});
        let head = head.to_string();
        refused.headed(
            "numbers",
            head.len(),
            [head.as_bytes(), &[0; 16]].concat(),
            &["\"input\" must have the"],
        );
    }
    // Products beyond what a number holds, and beyond any memory.
    for sides in [vec![1u64 << 32, 1 << 32], vec![u64::MAX, 2], vec![1 << 40, 4], vec![u64::MAX, u64::MAX, 0]]
    {
        refused.json(with("shape", json!(sides)), &["\"input\" must have the"]);
        let mut claims = with("shape", json!(sides));
        claims["inputs"][0]["data"] = json!([]);
        refused.json(claims, &["\"input\""]);
    }
    no_more_than_256_gb();
    let sides = vec![1; 5_000];
    refused.json(with("shape", json!(sides)), &["\"input\""]);
    for shape in
        [json!([-1, 4]), json!([1.0, 4]), json!(["1", 4]), json!([null]), json!([1e3, 4]), json!([true])]
    {
        refused.json(with("shape", shape), &["\"shape\" must be a whole number"]);
    }
    refused.post("numbers", &[], r#"{"inputs":[{"shape":[99999999999999999999]}]}"#, 400, &["\"shape\""]);
    for shape in [json!(4), json!("[1, 4]"), json!({})] {
        refused.json(with("shape", shape), &["\"shape\" must be an array"]);
    }
    // Fewer rows in one column than in another.
    let columns = |rows: [usize; 2]| {
        json!({"inputs": [
            {"name": "photo", "datatype": "UINT8", "shape": [rows[0], 16, 16, 3], "data": vec![0; rows[0] * 768]},
            {"name": "weight", "datatype": "FP64", "shape": [rows[1]], "data": vec![0; rows[1]]},
        ]})
    };
    refused.post(
        "product",
        &[],
        columns([1, 2]).to_string(),
        400,
        &["\"weight\" must have 1 rows", "\"photo\"", "2"],
    );
    refused.post("product", &[], columns([0, 2]).to_string(), 400, &["\"weight\" must have 0 rows"]);
    let chw = json!({"inputs": [{"name": "photo", "datatype": "UINT8", "shape": [1, 3, 16, 16], "data": vec![0; 768]}]});
    refused.post(
        "product",
        &[],
        chw.to_string(),
        400,
        &["[rows, 16, 16, 3]", "[1, 3, 16, 16]", "/v1/predict"],
    );
}

/// Checks that this process has never had addresses for what was claimed, a terabyte and more (on Linux).
fn no_more_than_256_gb() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmPeak:")?.trim().strip_suffix(" kB")?.parse().ok());
    assert!(peak.unwrap_or(0) < 1u64 << 28, "{peak:?} kB");
}

#[test]
fn lengths_that_lie_are_refused() {
    let served = v2::served();
    let mut refused = Refused::by(&served);
    let tensor = Tensor::new("input", [1, 4], Elements::Fp32(vec![1.0, 2.0, 3.0, 4.0]));
    let (body, head) = request(&[(&tensor, true)], json!({}));
    refused.headed("numbers", head, &body[..body.len() - 1], &["\"input\" must have 16 bytes, got 15"]);
    refused.headed("numbers", head, &body[..head], &["16 bytes, got 0"]);
    refused.headed("numbers", head, [&body[..], b"\0"].concat(), &["1 bytes more"]);
    refused.headed("numbers", head + 1, &body, &[]);
    refused.headed("numbers", head - 1, &body, &["JSON"]);
    refused.headed("numbers", body.len(), &body, &["as long as Inference-Header-Content-Length"]);
    refused.headed(
        "numbers",
        body.len() + 1,
        &body,
        &["Inference-Header-Content-Length", &body.len().to_string()],
    );
    refused.headed("numbers", usize::MAX, &body, &["Inference-Header-Content-Length"]);
    for words in ["-1", "many", "", "1.5", "1e2", "99999999999999999999999", "0x10"] {
        refused.headed(
            "numbers",
            words,
            &body,
            &["Inference-Header-Content-Length must be the number of bytes"],
        );
    }
    // What is said of the size of the data.
    let sized = |size: Value| {
        json!({"inputs": [{"name": "input", "shape": [1, 4], "datatype": "FP32", "parameters": {"binary_data_size": size}}]})
            .to_string()
    };
    let sizes = [
        (json!(15), "multiple of 4 bytes"),
        (json!(17), "must have 17 bytes, got 16"),
        (json!(12), "elements of its shape"),
        (json!(0), "elements of its shape"),
        (json!(u64::MAX), "must have 18446744073709551615 bytes"),
        (json!(1u64 << 40), "must have 1099511627776 bytes"),
        (json!(-16), "\"binary_data_size\" must be a whole number"),
        (json!(16.0), "\"binary_data_size\" must be a whole number"),
        (json!("16"), "\"binary_data_size\" must be a whole number"),
        (json!(null), "\"binary_data_size\" must be a whole number"),
    ];
    for (size, word) in sizes {
        let head = sized(size);
        let body = [head.as_bytes(), &[0; 16]].concat();
        refused.headed("numbers", head.len(), &body, &[word]);
        refused.post("numbers", &[], &body, 400, &[word]);
    }
    no_more_than_256_gb();
    for (model, bytes) in [("numbers", 15), ("numbers", 20), ("fashion", 783), ("fashion", 785)] {
        refused.headed(model, 0, vec![0; bytes], &["input"]);
    }
}

#[test]
fn numbers_must_be_finite() {
    let served = v2::served();
    let mut refused = Refused::by(&served);
    for number in ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e39"] {
        let body = format!(
            r#"{{"inputs":[{{"name":"input","shape":[1,4],"datatype":"FP32","data":[1,2,{number},4]}}]}}"#
        );
        refused.post("numbers", &[], body, 400, &["\"input\" must be finite", "NaN or infinity"]);
        if number != "1e39" {
            let age =
                format!(r#"{{"inputs":[{{"name":"age","shape":[1],"datatype":"FP64","data":[{number}]}}]}}"#);
            refused.post("table", &[], age, 400, &["\"age\" must be finite"]);
        }
    }
    for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -f32::NAN] {
        let tensor = Tensor::new("input", [1, 4], Elements::Fp32(vec![1.0, number, 3.0, 4.0]));
        let (body, head) = request(&[(&tensor, true)], json!({}));
        refused.headed("numbers", head, &body, &["\"input\" must be finite"]);
        refused.headed("numbers", 0, &body[head..], &["\"input\" must be finite"]);
        let age = Tensor::new("age", [1], Elements::Fp64(vec![f64::from(number)]));
        let (body, head) = request(&[(&age, true)], json!({}));
        refused.headed("table", head, body, &["\"age\" must be finite"]);
    }
    // Finite numbers whose sums are not: no fault of the server.
    let large = Tensor::new("input", [1, 784], Elements::Fp32([3e38, -3e38].repeat(392)));
    let (body, _) = request(&[(&large, true)], json!({}));
    refused.post("raw", &[], body, 422, &["\"output\"", "NaN"]);
}

#[test]
fn elements_must_be_of_the_type() {
    let served = v2::served();
    let mut refused = Refused::by(&served);
    for element in ["\"1\"", "null", "true", "{}", "{\"a\": [1]}"] {
        let body = format!(
            r#"{{"inputs":[{{"name":"input","shape":[1,4],"datatype":"FP32","data":[1,2,{element},4]}}]}}"#
        );
        refused.post("numbers", &[], body, 400, &["element of the FP32 input \"input\"", "a number"]);
    }
    for element in ["256", "-1", "0.5", "1.0", "1e1", "null", "\"1\""] {
        let body =
            format!(r#"{{"inputs":[{{"name":"input","shape":[1],"datatype":"UINT8","data":[{element}]}}]}}"#);
        refused.post("fashion", &[], body, 400, &["UINT8", "from 0 to 255"]);
    }
    for element in ["0", "1", "\"true\""] {
        let body =
            format!(r#"{{"inputs":[{{"name":"member","shape":[1],"datatype":"BOOL","data":[{element}]}}]}}"#);
        refused.post("table", &[], body, 400, &["BOOL", "true, false"]);
    }
    for element in ["0", "true", "[1]"] {
        let body =
            format!(r#"{{"inputs":[{{"name":"input","shape":[1],"datatype":"BYTES","data":[{element}]}}]}}"#);
        refused.post("texts", &[], body, 400, &["BYTES", "a string"]);
    }
    refused.json(with("data", json!(5)), &["\"data\" must be an array"]);
    refused.json(with("data", json!({"0": 1})), &["\"data\" must be an array"]);
    refused.json(with("data", json!("AAAA")), &["\"data\" must be an array"]);
    // A value that is alone must be there.
    let body = json!({"inputs": [{"name": "input", "shape": [2], "datatype": "BYTES", "data": ["a", null]}]});
    refused.post("texts", &[], body.to_string(), 400, &["\"input\" must have a text in each row, got null"]);
    let boolean = Tensor::new("member", [2], Elements::Uint8(vec![1, 2]));
    let head = boolean.input(true).to_string().replace("UINT8", "BOOL");
    let head = format!("{{\"inputs\":[{head}]}}");
    refused.headed("table", head.len(), [head.as_bytes(), &[1, 2]].concat(), &["0 and 1", "got 2"]);
}

#[test]
fn texts_with_lengths_that_lie_are_refused() {
    let served = v2::served();
    let mut refused = Refused::by(&served);
    let bodies: [(&[u8], &str); 8] = [
        (b"\x05\0\0\0four", "5 bytes of a text"),
        (b"\xff\xff\xff\xffabcd", "4294967295 bytes"),
        (b"\x01\0\0", "length of 4 bytes"),
        (b"\x01\0\0\0a\x01", "length of 4 bytes"),
        (b"\x01\0\0\0\xff", "UTF-8"),
        (b"\x02\0\0\0\xc3\x28", "UTF-8"),
        (b"\x01\0\0\0a\x01\0\0\0b", "1 elements of its shape"),
        (b"", "1 elements of its shape"),
    ];
    for (bytes, word) in bodies {
        let size = bytes.len();
        let head = json!({"inputs": [{"name": "input", "shape": [1], "datatype": "BYTES",
            "parameters": {"binary_data_size": size}}]});
        let head = head.to_string();
        refused.headed("texts", head.len(), [head.as_bytes(), bytes].concat(), &["\"input\"", word]);
        if !word.contains("shape") {
            refused.headed("texts", 0, bytes, &[word]);
        }
    }
    refused.post(
        "texts",
        &[],
        b"{\"inputs\":[{\"name\":\"input\",\"shape\":[1],\"datatype\":\"BYTES\",\"data\":[\"\xff\"]}]}",
        400,
        &["JSON"],
    );
    refused.post(
        "texts",
        &[],
        r#"{"inputs":[{"name":"input","shape":[1],"datatype":"BYTES","data":["\ud800"]}]}"#,
        400,
        &["JSON"],
    );
    refused.post("texts", &[], b"\xff\xfe{\0}\0", 400, &["JSON"]);
}

#[test]
fn rows_and_bytes_are_bounded() {
    let limits = Limits { rows: 20, body: 100_000, ..Limits::default() };
    let served = Served::start(all_models().limits(limits));
    let mut refused = Refused::by(&served);
    let rows = |count: usize| {
        let tensor = Tensor::new("input", [count, 4], Elements::Fp32(vec![0.5; 4 * count]));
        request(&[(&tensor, true)], json!({}))
    };
    let (body, head) = rows(21);
    refused.post("numbers", &[(LENGTH, &head.to_string())], &body, 413, &["at most 20 rows", "got 21"]);
    refused.post("numbers", &[(LENGTH, "0")], &body[head..], 413, &["at most 20 rows"]);
    assert_eq!(outputs(&refused.talk.post("/v2/models/numbers/infer", &[], rows(20).0))[0].shape, [20, 2]);
    let columns = [("age", "FP64"), ("member", "BOOL"), ("port", "BYTES"), ("since", "BYTES")];
    let column = |(name, datatype): (&str, &str)| json!({"name": name, "shape": [21], "datatype": datatype, "data": vec![Value::Null; 21]});
    let ages = json!({"inputs": columns.map(column)});
    refused.post("table", &[], ages.to_string(), 413, &["at most 20 rows"]);
    let (body, head) = rows(10_000);
    refused.post("numbers", &[(LENGTH, &head.to_string())], &body, 413, &["100000 bytes"]);
    let zeros = vec![b' '; 30_000_000];
    for (name, bomb) in [("gzip", gzip(&zeros)), ("deflate", deflate(&zeros))] {
        assert!(bomb.len() < 100_000);
        refused.post("numbers", &[("content-encoding", name)], bomb, 413, &["100000 bytes", "unpacked"]);
        refused.post("numbers", &[("content-encoding", name)], "{}", 400, &["unpacked"]);
    }
    refused.post("numbers", &[("content-encoding", "zstd")], "{}", 415, &["gzip or deflate", "\"zstd\""]);
    refused.post("nobody", &[], &zeros[..3_000_000], 404, &["no model"]);
    refused.post("numbers", &[(LENGTH, "x")], &zeros[..3_000_000], 400, &[LENGTH_IN_WORDS]);
    refused.post("numbers/versions/2", &[], &zeros[..3_000_000], 404, &["no version"]);
}

const LENGTH_IN_WORDS: &str = "Inference-Header-Content-Length";
