//! Downloads a published file into a folder. This is the only file that names `ureq`.
//!
//! It guards against these dangers:
//!
//! | danger | guard |
//! |---|---|
//! | a file that was tampered with | the SHA-256 in the source, over every byte that was written |
//! | a file that never ends | at most one byte more than the published size is read |
//! | an incomplete file under the final name | written under another name, synced to the disk, then renamed |
//! | two processes at once | unique names of temporary files; the last rename wins |
//! | a process that was killed | its temporary file is removed by a later download, after two hours |
//! | a host that does not answer | timeouts: 10 s each for DNS and connecting, 30 s of silence, an hour in all |
//! | a redirect to another protocol | refused: there is no TLS in the build |
//!
//! HTTP without TLS saves the crate a cryptographic library and its root certificates. It gives up secrecy: an
//! eavesdropper learns which public data set is downloaded.

use super::checksum::{Checksum, mismatch};
use crate::error::{Error, ErrorKind, Result};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The timeout for the DNS lookup, and again for connecting.
///
/// It is short, so that a machine without a network finds out soon.
const CONNECT: Duration = Duration::from_secs(10);

/// The timeout for a host that has answered and then sends nothing.
///
/// It applies to each read, so that a slow line is no error.
const SILENCE: Duration = Duration::from_secs(30);

/// The timeout for a whole file.
///
/// It ends a download from a host that sends only a byte now and then.
const WHOLE: Duration = Duration::from_secs(3600);

/// A published file, and the place to store it.
pub(super) struct Download<'a> {
    /// The address, `http://…`.
    pub(super) url: &'a str,
    /// The folder to store it in; created if it does not exist.
    pub(super) folder: &'a Path,
    /// The file's name in the folder.
    pub(super) name: &'a str,
    /// The published size.
    pub(super) bytes: u64,
    /// The published SHA-256, in lower-case hexadecimal digits.
    pub(super) sha256: &'a str,
    /// Advice for the case that it cannot be downloaded, in full sentences.
    pub(super) remedy: &'a str,
}

impl Download<'_> {
    /// Downloads the file by plain HTTP. It appears under its name atomically (by renaming), and only if it is whole
    /// and has the published checksum; several processes may do this at the same time.
    ///
    /// # Errors
    /// When the folder cannot be written to, the host does not answer or answers with an error, or the file is not
    /// the published one.
    pub(super) fn fetch(&self) -> Result<()> {
        if !self.url.starts_with("http://") {
            return Err(Error::argument("the address", "of the form http://host/file", self.url).help(
                format!(
                    "Only plain HTTP is supported, as the file is checked by its SHA-256. {}",
                    self.remedy
                ),
            ));
        }
        let refused = |action: &str, path: &Path, error| {
            Error::io(action, path, error)
                .help("Set PLYWOOD_CACHE_DIR to a folder that you may write to and that has room.")
        };
        fs::create_dir_all(self.folder).map_err(|e| refused("create the folder", self.folder, e))?;
        self.remove_abandoned();
        let temporary = Temporary(self.folder.join(self.temporary_name()));
        let mut file =
            File::create_new(&temporary.0).map_err(|e| refused("create the file", &temporary.0, e))?;
        self.receive(|bytes| file.write_all(bytes).map_err(|e| refused("write", &temporary.0, e)))?;
        file.sync_all().map_err(|e| refused("write", &temporary.0, e))?;
        drop(file);
        let path = self.folder.join(self.name);
        match fs::rename(&temporary.0, &path) {
            // On systems where an open file cannot be replaced, another process was first; its file is just as good.
            Err(_) if path.is_file() => Ok(()),
            renamed => renamed.map_err(|e| refused("create the file", &path, e)),
        }
    }

    /// Returns a name that no other process and no other thread uses.
    ///
    /// It consists of the process id, the time and a counter; the id alone does not suffice, because processes on two
    /// machines may share a folder over a network.
    fn temporary_name(&self) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let now = crate::kernels::platform::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_nanos());
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        format!("{}.{}-{now}-{count}.part", self.name, crate::kernels::platform::process_id())
    }

    /// Removes temporary files of interrupted processes, once no download can still be writing to them.
    ///
    /// The age limit is twice the longest download, to allow for clocks that differ a little. Files that cannot be
    /// removed are left.
    fn remove_abandoned(&self) {
        for entry in fs::read_dir(self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let ours = name.to_str().is_some_and(|n| n.starts_with(self.name) && n.ends_with(".part"));
            let changed = entry.metadata().and_then(|m| m.modified());
            if ours && changed.is_ok_and(|t| t.elapsed().is_ok_and(|age| age > 2 * WHOLE)) {
                let _ = fs::remove_file(entry.path()); // another process may have removed it
            }
        }
    }

    /// Requests the file and passes on the bytes that the host sends. Returns an error unless they are the published
    /// file.
    ///
    /// If the body is too short, the announced length tells why: if the host announced this length, it sent another
    /// file; else the connection was cut.
    fn receive(&self, mut write: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let response = agent(self.url).get(self.url).call().map_err(|e| self.no_answer(&e))?;
        let body = response.into_body();
        let announced = body.content_length();
        let mut reader = body.into_reader().take(self.bytes + 1);
        let mut progress = Progress::new(self.url, self.bytes);
        let (mut sum, mut total, mut buffer) = (Checksum::default(), 0, vec![0; 1 << 16]);
        loop {
            let bytes = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => &buffer[..count],
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => {
                    return Err(self.failed(format!("{e}, after {total} of {} bytes", self.bytes), false));
                }
            };
            write(bytes)?;
            sum.write_all(bytes).map_err(|e| Error::io("compute the SHA-256 in", self.folder, e))?;
            total += bytes.len() as u64;
            progress.advance(total);
        }
        if total < self.bytes && announced != Some(total) {
            return Err(self.failed(format!("the answer ended after {total} of {} bytes", self.bytes), false));
        }
        let found = match sum.hex() {
            found if found == self.sha256 => return Ok(()),
            _ if total > self.bytes => format!("a file of more than the published {} bytes", self.bytes),
            found => format!("{found} ({total} of the published {} bytes)", self.bytes),
        };
        let help = format!("The host sent another file, which was thrown away. {}", self.remedy);
        Err(mismatch(self.url.to_owned(), self.sha256, found, help))
    }

    /// The error of a file that could not be downloaded.
    fn failed(&self, reason: String, unreachable: bool) -> Error {
        let url = self.url.to_owned();
        Error::new(ErrorKind::Download { url, reason, unreachable }).help(self.remedy)
    }

    /// The error of a request without a usable answer.
    ///
    /// `unreachable` is for programs that continue without the data if there is no network, as the examples and tests
    /// do. It is true if no host was reached, and false as soon as a host answered.
    fn no_answer(&self, error: &ureq::Error) -> Error {
        use io::ErrorKind as Io;
        let unreachable = match error {
            ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed
            | ureq::Error::ConnectProxyFailed(_) => true,
            ureq::Error::Timeout(phase) => matches!(phase, ureq::Timeout::Resolve | ureq::Timeout::Connect),
            // These kinds come from a host that has answered. All others, including a failed DNS lookup, do not.
            ureq::Error::Io(e) => !matches!(
                e.kind(),
                Io::ConnectionReset
                    | Io::ConnectionAborted
                    | Io::BrokenPipe
                    | Io::UnexpectedEof
                    | Io::InvalidData
            ),
            _ => false,
        };
        let reason = match error {
            ureq::Error::StatusCode(code) => format!("the host answered with the HTTP status {code}"),
            ureq::Error::TlsRequired => "the host leads to an address that is not plain HTTP".to_owned(),
            other => other.to_string(),
        };
        self.failed(reason, unreachable)
    }
}

/// Makes an HTTP client. It uses the proxy that the environment names, except for hosts on this machine.
///
/// Hosts on this machine belong to tests; a proxy could not reach them.
fn agent(url: &str) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .timeout_global(Some(WHOLE))
        .user_agent(concat!("plywood/", env!("CARGO_PKG_VERSION")));
    let here = ["http://127.0.0.1", "http://localhost", "http://[::1]"].iter().any(|h| url.starts_with(h));
    if here { config.proxy(None).build() } else { config.build() }.new_agent()
}

/// A file that is removed on drop; once it has been renamed, there is nothing to remove.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Shows the download on standard error: a bar on a terminal, else one line.
struct Progress {
    #[cfg(feature = "progress")]
    bar: Option<indicatif::ProgressBar>,
}

impl Progress {
    /// Shows the bar, or prints the line.
    fn new(url: &str, bytes: u64) -> Self {
        #[cfg(feature = "progress")]
        if io::IsTerminal::is_terminal(&io::stderr()) {
            let bar = indicatif::ProgressBar::new(bytes);
            let style = "{msg} {wide_bar} {bytes} of {total_bytes}, {eta} left";
            if let Ok(style) = indicatif::ProgressStyle::with_template(style) {
                bar.set_style(style);
            }
            bar.set_message(url.rsplit('/').next().unwrap_or(url).to_owned());
            return Self { bar: Some(bar) };
        }
        // An error is ignored: standard error may be closed.
        let _ = writeln!(io::stderr(), "downloading {url} ({:.1} MB)", bytes as f64 / 1e6);
        Self {
            #[cfg(feature = "progress")]
            bar: None,
        }
    }

    /// Moves the bar to this many bytes.
    #[cfg_attr(not(feature = "progress"), expect(clippy::unused_self, unused_variables))]
    fn advance(&mut self, total: u64) {
        #[cfg(feature = "progress")]
        if let Some(bar) = &self.bar {
            bar.set_position(total);
        }
    }
}

#[cfg(feature = "progress")]
impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::datasets::fixtures::{Folder, Server, answer};

    const BODY: &[u8] = b"a small published file";

    /// Fetches `url` as if [`BODY`] had been published there.
    fn fetch(url: &str, folder: &Path) -> Result<()> {
        let sha256 = Checksum::of(BODY).unwrap();
        let (bytes, remedy) = (BODY.len() as u64, "Do something else.");
        Download { url, folder, name: "file.gz", bytes, sha256: &sha256, remedy }.fetch()
    }

    /// The names of the files in a folder.
    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Makes a failing download, checks that it leaves no file behind, and returns the error's text and its
    /// `unreachable`.
    fn failure(url: &str) -> (String, Option<bool>) {
        let folder = Folder::new("failure");
        let error = fetch(url, folder.path()).unwrap_err();
        assert_eq!(names(folder.path()), [""; 0]);
        let unreachable = match error.kind() {
            ErrorKind::Download { unreachable, .. } => Some(*unreachable),
            _ => None,
        };
        (error.to_string(), unreachable)
    }

    #[test]
    fn a_published_file_is_kept_under_its_name_alone() {
        let (folder, server) = (Folder::new("kept"), Server::new(|_| answer(BODY)));
        fetch(&server.url("/file.gz"), &folder.path().join("made/here")).unwrap();
        assert_eq!(names(&folder.path().join("made/here")), ["file.gz"]);
        assert_eq!(fs::read(folder.path().join("made/here/file.gz")).unwrap(), BODY);
    }

    #[test]
    fn many_at_once_all_end_well() {
        let (folder, server) = (Folder::new("many"), Server::new(|_| answer(BODY)));
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| fetch(&server.url("/file.gz"), folder.path()).unwrap());
            }
        });
        assert_eq!(names(folder.path()), ["file.gz"]);
    }

    #[test]
    fn another_file_is_refused() {
        for other in [&b"a small tampered file!"[..], b"short", b"this file is longer than the published one"]
        {
            let server = Server::new(move |_| answer(other));
            let (text, unreachable) = failure(&server.url("/file.gz"));
            assert!(text.contains("must have the SHA-256") && text.contains("Do something else."), "{text}");
            assert_eq!(unreachable, None);
        }
    }

    #[test]
    fn an_answer_that_is_cut_off_or_no_file_is_an_error_of_a_host_that_answers() {
        let mut cut = answer(BODY);
        cut.truncate(cut.len() - 5);
        let mut unannounced = b"HTTP/1.0 200 OK\r\n\r\n".to_vec();
        unannounced.extend(&BODY[..9]);
        let missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec();
        let secure = Server::new(|_| Vec::new());
        let location = secure.url("/").replace("http://", "https://");
        let elsewhere =
            format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into_bytes();
        for (bytes, part) in [
            (cut, "after 17 of 22 bytes"),
            (unannounced, "ended after 9 of 22 bytes"),
            (missing, "the HTTP status 404"),
            (elsewhere, "not plain HTTP"),
            (b"no HTTP at all\r\n\r\n".to_vec(), "could not fetch"),
            (Vec::new(), "could not fetch"),
            (answer(b""), "ended after 0 of 22 bytes"),
        ] {
            let server = Server::new(move |_| bytes.clone());
            let (text, unreachable) = failure(&server.url("/file.gz"));
            assert!(text.contains(part) && text.ends_with("Do something else."), "{text}");
            assert_eq!(unreachable, Some(false), "{text}");
        }
    }

    #[test]
    fn where_no_host_answers_the_error_says_so() {
        let (text, unreachable) = failure("http://127.0.0.1:1/file.gz"); // no host listens there
        assert_eq!(unreachable, Some(true), "{text}");
        let folder = Folder::new("tls");
        let text = fetch("https://example.org/file.gz", folder.path()).unwrap_err().to_string();
        assert!(text.contains("of the form http://host/file, got https://example.org/file.gz"), "{text}");
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_is_an_error_before_anything_is_asked() {
        let folder = Folder::new("unwritable");
        fs::write(folder.path().join("a file"), b"").unwrap();
        let below = folder.path().join("a file/below");
        let error = fetch("http://127.0.0.1:1/file.gz", &below).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Io { path, .. } if *path == below));
        assert!(error.to_string().contains("Set PLYWOOD_CACHE_DIR"), "{error}");
    }
}
