//! The clients: good ones, whose every answer is checked, and those that die or are slow.

use crate::Run;
use crate::models::NAMES;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was counted.
#[derive(Default)]
pub struct Tally(Mutex<(BTreeMap<String, u64>, Duration)>);

impl Tally {
    pub fn count(&self, what: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *all.0.entry(what.to_owned()).or_default() += 1;
    }

    /// Counts what should not be, and says it.
    pub fn fault(&self, kind: &str, text: &str) {
        eprintln!("{kind}: {}", text.chars().take(400).collect::<String>());
        self.count(kind);
    }

    /// The time of a health check, of which the longest is kept.
    fn health(&self, time: Duration) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.1 = all.1.max(time);
    }

    pub fn is_sound(&self) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |what: &str| all.0.get(what).copied().unwrap_or(0);
        ["WRONG", "LOST"].iter().all(|fault| of(fault) == 0) && of("good: 200") > 0 && of("slow: closed") > 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |what: &str| all.0.get(what).copied().unwrap_or(0);
        writeln!(f, "wrong answers: {}; lost answers: {}", of("WRONG"), of("LOST"))?;
        for (what, count) in &all.0 {
            writeln!(f, "{what}: {count}")?;
        }
        write!(f, "longest health check: {:.1} ms", all.1.as_secs_f64() * 1e3)
    }
}

/// Numbers that look random.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % bound.max(1)
    }
}

/// The bytes of a request.
pub fn request(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let method = if body.is_empty() { "GET" } else { "POST" };
    let length = body.len();
    let mut bytes =
        format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n")
            .into_bytes();
    bytes.extend(body);
    bytes
}

/// An answer: its status, the length of its JSON if data follow, its body.
pub struct Answer {
    pub status: u16,
    json: Option<usize>,
    pub body: Vec<u8>,
}

/// A connection.
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    pub fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    pub fn answer(&mut self) -> Result<Answer> {
        let (mut status, mut length, mut json) = (0, 0, None);
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            let number = |text: &str| text.trim().parse::<usize>().map_err(Error::other);
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = u16::try_from(number(rest.get(..3).unwrap_or(""))?).unwrap_or(0);
            } else if let Some(value) = line.strip_prefix("content-length:") {
                length = number(value)?;
            } else if let Some(value) = line.strip_prefix("inference-header-content-length:") {
                json = Some(number(value)?);
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok(Answer { status, json, body })
    }
}

/// A good request: its bytes, the images in it, and whether it is one of the protocol.
struct Asked {
    bytes: Vec<u8>,
    images: Vec<usize>,
    protocol: bool,
}

fn asked(run: &Run, model: usize, dice: &mut Dice) -> Asked {
    let (form, name) = (dice.below(5), NAMES[model]);
    let rows = if form == 0 { 1 } else { 1 + dice.below(6) };
    let images: Vec<usize> = (0..rows).map(|_| dice.below(run.versions.images.len())).collect();
    let files = images.iter().map(|&image| &run.versions.images[image]);
    let pixels = || files.clone().flat_map(|(pixels, _)| pixels.iter().copied()).collect::<Vec<u8>>();
    let (predict, infer) = (format!("/v1/predict/{name}"), format!("/v2/models/{name}/infer"));
    let json_type = "content-type: application/json\r\n";
    let bytes = match form {
        0 => request(&predict, "content-type: image/png\r\n", &run.versions.images[images[0]].1),
        1 => {
            use base64::Engine;
            let encoded = |file: &Vec<u8>| base64::engine::general_purpose::STANDARD.encode(file);
            let rows: Vec<String> = files.map(|(_, file)| encoded(file)).collect();
            request(&predict, json_type, json!({"rows": rows}).to_string().as_bytes())
        }
        2 => {
            let input =
                json!({"name": "input", "shape": [rows, 28, 28], "datatype": "UINT8", "data": pixels()});
            request(&infer, json_type, json!({"inputs": [input]}).to_string().as_bytes())
        }
        _ => {
            let size = json!({"binary_data_size": rows * 784});
            let input =
                json!({"name": "input", "shape": [rows, 28, 28], "datatype": "UINT8", "parameters": size});
            // Some answers are JSON, some binary.
            let output = json!({"name": "probabilities", "parameters": {"binary_data": form == 4}});
            let head = json!({"inputs": [input], "outputs": [output]}).to_string();
            let header = format!("inference-header-content-length: {}\r\n", head.len());
            request(&infer, &header, &[head.as_bytes(), &pixels()].concat())
        }
    };
    Asked { bytes, images, protocol: form > 1 }
}

/// Checks an answer; the version that it names, or what is wrong.
fn checked(run: &Run, model: usize, asked: &Asked, answer: &Answer) -> std::result::Result<String, String> {
    let (head, data) = answer.body.split_at(answer.json.unwrap_or(answer.body.len()));
    let json: Value = serde_json::from_slice(head).map_err(|error| error.to_string())?;
    let text = || String::from_utf8_lossy(&answer.body).into_owned();
    let version = json[if asked.protocol { "model_version" } else { "version" }].as_str().ok_or_else(text)?;
    let known = run.versions.get(model, version).ok_or_else(text)?;
    let right = if asked.protocol {
        let expected = asked.images.iter().flat_map(|&image| &known.probabilities[image]);
        let expected: Vec<u32> = expected.map(|p| p.to_bits()).collect();
        let found: Vec<u32> = match answer.json {
            Some(_) => data.as_chunks().0.iter().map(|&bits| u32::from_le_bytes(bits)).collect(),
            None => {
                let numbers = json["outputs"][0]["data"].as_array().ok_or_else(text)?;
                numbers.iter().filter_map(Value::as_f64).map(|p| (p as f32).to_bits()).collect()
            }
        };
        expected == found
    } else {
        let expected: Vec<&Value> = asked.images.iter().map(|&image| &known.answers[image]).collect();
        json["answers"] == json!(expected)
    };
    if right { Ok(version.to_owned()) } else { Err(text()) }
}

/// Asks without a pause, on connections that are kept for a while.
pub fn good(run: &Run, seed: u64) {
    let mut dice = Dice::new(seed);
    while run.goes_on() {
        let Ok(mut connection) = Connection::open(run.address) else {
            run.tally.fault("LOST", "a connection");
            continue;
        };
        for _ in 0..1 + dice.below(200) {
            let model = dice.below(NAMES.len());
            let asked = asked(run, model, &mut dice);
            let answer = match connection.send(&asked.bytes).and_then(|()| connection.answer()) {
                Ok(answer) => answer,
                Err(error) => {
                    run.tally.fault("LOST", &error.to_string());
                    break;
                }
            };
            run.tally.count(&format!("good: {}", answer.status));
            if answer.status != 200 {
                continue;
            }
            match checked(run, model, &asked, &answer) {
                Ok(version) => run.tally.count(&format!("good: {} {version}", NAMES[model])),
                Err(text) => run.tally.fault("WRONG", &text),
            }
            if !run.goes_on() {
                return;
            }
        }
    }
}

/// Clients that go away in the middle of a request or of an answer.
pub fn killed(run: &Run) {
    let mut dice = Dice::new(77);
    while run.goes_on() {
        std::thread::sleep(Duration::from_millis(5));
        let Ok(mut connection) = Connection::open(run.address) else { continue };
        let model = dice.below(NAMES.len());
        let bytes = asked(run, model, &mut dice).bytes;
        let whole = dice.below(2) == 0;
        let end = if whole { bytes.len() } else { dice.below(bytes.len()) };
        // It goes away whatever happens.
        let _ = connection.send(&bytes[..end]);
        if whole && dice.below(2) == 0 {
            let mut some = vec![0; 1 + dice.below(100)];
            let _ = connection.0.get_mut().read(&mut some);
        }
        run.tally.count(if whole { "killed in an answer" } else { "killed in a request" });
    }
}

/// Clients that send their heads and bodies a byte at a time, until the server closes them.
pub fn slow(run: &Run, connections: usize) {
    let mut dice = Dice::new(99);
    let begin = |dice: &mut Dice| -> Option<(TcpStream, Vec<u8>, usize)> {
        let mut stream = TcpStream::connect(run.address).ok()?;
        stream.set_nonblocking(true).ok()?;
        let body = " ".repeat(100_000);
        let head = format!("x-slow: {}\r\ncontent-type: application/json\r\n", "y".repeat(1000));
        let bytes = request("/v1/predict/wide", &head, body.as_bytes());
        // Half of them send their heads at once.
        let sent = if dice.below(2) == 0 { bytes.len() - body.len() } else { 0 };
        stream.write_all(&bytes[..sent]).ok()?;
        Some((stream, bytes, sent))
    };
    let mut open: Vec<_> = (0..connections).map(|_| begin(&mut dice)).collect();
    while run.goes_on() {
        std::thread::sleep(Duration::from_millis(100));
        for slot in &mut open {
            let closed = slot.as_mut().is_none_or(|(stream, bytes, sent)| {
                let wrote = stream.write(&bytes[*sent..*sent + 1]);
                *sent += 1;
                let read = stream.read(&mut [0; 4096]);
                let waits =
                    |result: Result<usize>| result.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
                wrote.is_err() || !waits(read)
            });
            if closed {
                run.tally.count("slow: closed");
                *slot = begin(&mut dice);
            }
        }
    }
}

/// Asks whether the server lives.
pub fn health(run: &Run) {
    let mut connection = None;
    while run.goes_on() {
        std::thread::sleep(Duration::from_millis(50));
        let start = Instant::now();
        let mut asked = || -> Result<(Connection, u16)> {
            let mut open = connection.take().map_or_else(|| Connection::open(run.address), Ok)?;
            open.send(&request("/v2/health/live", "", b""))?;
            let status = open.answer()?.status;
            Ok((open, status))
        };
        match asked() {
            Ok((open, status)) => {
                connection = Some(open);
                run.tally.health(start.elapsed());
                run.tally.count(&format!("health: {status}"));
            }
            Err(error) => run.tally.fault("LOST", &format!("a health check: {error}")),
        }
    }
}
