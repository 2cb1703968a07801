//! What several tests need: folders of their own, raw bytes over a connection, waiting until something holds.

use crate::client::{Connection, get};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine.
pub const LONG: Duration = Duration::from_secs(120);

/// JSON as it is sent.
pub const JSON: (&str, &str) = ("content-type", "application/json");

/// A folder that is removed with its files.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(format!("plywood-serve-{process}-{count}"));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The path of a file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// `name=path`, as the program takes it.
    pub fn model(&self, name: &str) -> String {
        format!("{name}={}", self.path(&format!("{name}.plywood")).display())
    }

    /// Puts bytes in the place of a file, in one step.
    pub fn swap(&self, name: &str, bytes: &[u8]) {
        let new = self.path("new");
        std::fs::write(&new, bytes).unwrap();
        std::fs::rename(new, self.path(name)).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Waits until something holds.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LONG, "still not: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The value of a line of `/metrics`: its name with its labels.
pub fn metric(address: SocketAddr, name: &str) -> f64 {
    let text = get(address, "/metrics").text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

/// Sends bytes, and reads until the server closes the connection. A reset counts as the end.
pub fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = open(address);
    // The server may close before it has read all.
    let _ = stream.write_all(bytes);
    rest(&mut stream)
}

/// What the server still sends before it closes.
pub fn rest(stream: &mut impl Read) -> String {
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        all.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

pub fn open(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Whether a connection was closed, and not left open without an answer.
pub fn is_closed(connection: &mut Connection) -> bool {
    match connection.answer() {
        Ok(answer) => panic!("an answer: {answer:?}"),
        Err(error) => {
            matches!(error.kind(), std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset)
        }
    }
}

/// The text of a log.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// An inference request of the KServe protocol in JSON, for a model with one input of numbers.
pub fn inference(rows: &[Vec<f32>]) -> String {
    let data: Vec<f32> = rows.concat();
    let shape = [rows.len(), rows.first().map_or(0, Vec::len)];
    serde_json::json!({"inputs": [{"name": "input", "shape": shape, "datatype": "FP32", "data": data}]})
        .to_string()
}
