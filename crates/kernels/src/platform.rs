//! What the platform gives: a clock, threads, files, the number of a process. All of the crate asks here.
//!
//! WebAssembly as a browser runs it (`wasm32-unknown-unknown`) has none of them. The standard library compiles for it all
//! the same; threads and files are errors there, and the clock ends the program. So times are 0 there, there is one
//! thread, and who wants a file is told what to use instead.

use std::io;
use std::num::NonZero;
use std::time::{Duration, SystemTime};

/// Whether there is an operating system.
const SYSTEM: bool = !cfg!(all(target_family = "wasm", target_os = "unknown"));

/// What to do where there are no files.
pub const NO_FILES: &str = "This platform has no files: use bytes (`to_bytes`, `from_bytes`), writers and readers \
                            (`write_to`, `read_from`), or a callback of your own.";

/// A moment, to measure from; without a clock, no time passes.
#[derive(Clone, Copy, Debug)]
pub struct Instant(Option<std::time::Instant>);

impl Instant {
    /// This moment.
    pub fn now() -> Self {
        Self(SYSTEM.then(std::time::Instant::now))
    }

    /// How long it has been.
    pub fn elapsed(self) -> Duration {
        self.0.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

/// The time of day; without a clock, the beginning of 1970.
pub fn now() -> SystemTime {
    if SYSTEM { SystemTime::now() } else { SystemTime::UNIX_EPOCH }
}

/// The number of this process; 0 where there are none.
pub fn process_id() -> u32 {
    // WASI has a clock and files, and no processes.
    if cfg!(target_family = "wasm") { 0 } else { std::process::id() }
}

/// How many threads can run: this many as they are wanted, or as the machine has cores. One where none can be started.
pub fn threads(wanted: Option<usize>) -> usize {
    match wanted {
        _ if !SYSTEM => 1,
        Some(wanted) => wanted,
        None => std::thread::available_parallelism().map_or(1, NonZero::get),
    }
}

/// Whether an error says that there are no files at all.
pub fn has_no_files(error: &io::Error) -> bool {
    !SYSTEM && error.kind() == io::ErrorKind::Unsupported
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_has_a_clock_threads_and_processes() {
        let start = Instant::now();
        std::thread::sleep(Duration::from_millis(2));
        assert!(start.elapsed() >= Duration::from_millis(2));
        assert!(now() > SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000));
        assert_ne!(process_id(), 0);
        assert_eq!(threads(Some(7)), 7);
        assert!(threads(None) >= 1);
        assert!(!has_no_files(&io::ErrorKind::Unsupported.into()), "a file system that cannot lock");
    }

    #[test]
    fn without_a_clock_no_time_passes() {
        assert_eq!(Instant(None).elapsed(), Duration::ZERO);
    }
}
