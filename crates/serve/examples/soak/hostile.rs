//! Requests that no server should suffer from. Each must be refused with a reason.

use crate::Run;
use crate::clients::{Connection, Dice, request};
use crate::images::{lying_png, png};
use crate::models::NAMES;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::time::Duration;

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).and_then(|()| packer.finish()).expect("memory can be written to")
}

/// The headers and the body of a request, and whether it is one of the protocol.
type Hostile = (&'static str, &'static str, Vec<u8>, bool);

const JSON: &str = "content-type: application/json\r\n";
const IMAGE: &str = "content-type: image/png\r\n";
const GZIP: &str = "content-encoding: gzip\r\ncontent-type: application/json\r\n";

fn all() -> Vec<Hostile> {
    let input = |more: &str| {
        format!("{{\"inputs\":[{{\"name\":\"input\",\"datatype\":\"UINT8\",{more}}}]}}").into_bytes()
    };
    let numbers = vec!["7"; 784].join(",");
    let bomb = lying_png(50_000, 50_000);
    let wide = lying_png(u32::MAX, u32::MAX);
    let mut cut = png(28, 28, &[9; 784]);
    cut.truncate(cut.len() / 2);
    let mut twice = b"{\"rows\": [".to_vec();
    twice.extend(b"{},".repeat(200_000));
    twice.extend(b"{}]}");
    vec![
        ("truncated JSON", JSON, b"{\"row\": [1, 2".to_vec(), false),
        ("truncated JSON of the protocol", JSON, b"{\"inputs\": [{\"name\": \"in".to_vec(), true),
        ("deep JSON", JSON, b"[".repeat(1_000_000), false),
        (
            "deep JSON of the protocol",
            JSON,
            [b"{\"inputs\":".to_vec(), b"[".repeat(1_000_000)].concat(),
            true,
        ),
        ("deep data", JSON, input(&format!("\"shape\":[1,28,28],\"data\":{}", "[".repeat(100_000))), true),
        ("a lying size", JSON, input("\"shape\":[1,28,28],\"parameters\":{\"binary_data_size\":784}"), true),
        (
            "a size beyond all",
            JSON,
            input("\"shape\":[1,28,28],\"parameters\":{\"binary_data_size\":1e18}"),
            true,
        ),
        ("a shape beyond all", JSON, input("\"shape\":[9223372036854775807,28,28],\"data\":[]"), true),
        (
            "a shape that overflows",
            JSON,
            input("\"shape\":[4294967296,4294967296,4294967296],\"data\":[1]"),
            true,
        ),
        ("a length beyond the body", "inference-header-content-length: 99999999\r\n", b"{}".to_vec(), true),
        ("no length", "inference-header-content-length: x\r\n", b"{}".to_vec(), true),
        (
            "a wrong type",
            JSON,
            input(&format!("\"shape\":[1,28,28],\"data\":[{numbers}]"))
                .into_iter()
                .map(|byte| if byte == b'U' { b'X' } else { byte })
                .collect(),
            true,
        ),
        ("too few numbers", JSON, input("\"shape\":[1,28,28],\"data\":[1,2,3]"), true),
        (
            "a number that is no byte",
            JSON,
            input(&format!("\"shape\":[1,28,28],\"data\":[{}]", numbers.replace('7', "700"))),
            true,
        ),
        ("a gzip bomb", GZIP, packed(&vec![b' '; 200_000_000]), false),
        ("a gzip bomb of the protocol", GZIP, packed(&vec![b' '; 200_000_000]), true),
        ("truncated gzip", GZIP, packed(b"{\"row\": 1}")[..12].to_vec(), false),
        ("an image bomb", IMAGE, bomb, false),
        ("an endless image", IMAGE, wide, false),
        ("a truncated image", IMAGE, cut, false),
        ("no image", IMAGE, b"GIF89a".to_vec(), false),
        ("broken UTF-8", JSON, b"{\"row\": \"\xff\xfe\"}".to_vec(), false),
        ("an unknown media type", "content-type: application/xml\r\n", b"<x/>".to_vec(), false),
        ("too many rows", JSON, twice, false),
        ("an empty form", "content-type: multipart/form-data; boundary=x\r\n", b"--x--\r\n".to_vec(), false),
        (
            "a form without an end",
            "content-type: multipart/form-data; boundary=x\r\n",
            b"--x\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\nabc".to_vec(),
            false,
        ),
        ("a large body", JSON, vec![b' '; 11_000_000], false),
    ]
}

pub fn hostile(run: &Run) {
    let (all, mut dice) = (all(), Dice::new(55));
    while run.goes_on() {
        std::thread::sleep(Duration::from_millis(20));
        let (what, headers, body, protocol) = &all[dice.below(all.len())];
        let name = NAMES[dice.below(NAMES.len())];
        let path = if *protocol { format!("/v2/models/{name}/infer") } else { format!("/v1/predict/{name}") };
        let answered = Connection::open(run.address).and_then(|mut connection| {
            connection.send(&request(&path, headers, body))?;
            connection.answer()
        });
        match answered {
            Ok(answer) => {
                run.tally.count(&format!("hostile: {}", answer.status));
                let reason = answer.body.starts_with(b"{\"error\":\"");
                if !(400..500).contains(&answer.status) || !reason {
                    let text = String::from_utf8_lossy(&answer.body).into_owned();
                    run.tally.fault("WRONG", &format!("{what}: {} {text}", answer.status));
                }
            }
            Err(error) => run.tally.fault("LOST", &format!("{what}: {error}")),
        }
    }
}
