//! What the platform offers: a clock, threads, files, a process id. The whole crate uses this module for them.
//!
//! WebAssembly in a browser (`wasm32-unknown-unknown`) has none of them. The standard library compiles for it anyway;
//! there, threads and files return errors, and using the clock panics. So on that platform times are 0, there is one
//! thread, and a use of files is an error that says what to use instead.

use std::io;
use std::num::NonZero;
use std::time::{Duration, SystemTime};

/// True if there is an operating system.
const SYSTEM: bool = !cfg!(all(target_family = "wasm", target_os = "unknown"));

/// The help text of errors on a platform without files.
pub const NO_FILES: &str = "This platform has no files: use bytes (`to_bytes`, `from_bytes`), writers and readers \
                            (`write_to`, `read_from`), or a callback of your own.";

/// A moment, to measure time from; without a clock, no time passes.
#[derive(Clone, Copy, Debug)]
pub struct Instant(Option<std::time::Instant>);

impl Instant {
    /// Returns the present moment.
    pub fn now() -> Self {
        Self(SYSTEM.then(std::time::Instant::now))
    }

    /// Returns the time since this moment.
    pub fn elapsed(self) -> Duration {
        self.0.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

/// Returns the time of day; without a clock, the beginning of 1970.
pub fn now() -> SystemTime {
    if SYSTEM { SystemTime::now() } else { SystemTime::UNIX_EPOCH }
}

/// Returns the id of this process; 0 on platforms without processes.
pub fn process_id() -> u32 {
    // WASI has a clock and files, but no processes.
    if cfg!(target_family = "wasm") { 0 } else { std::process::id() }
}

/// Returns the number of threads: `wanted`, or the number of cores of the machine. 1 where no threads can be started.
pub fn threads(wanted: Option<usize>) -> usize {
    match wanted {
        _ if !SYSTEM => 1,
        Some(wanted) => wanted,
        None => std::thread::available_parallelism().map_or(1, NonZero::get),
    }
}

/// Returns whether an error means that the platform has no files.
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
