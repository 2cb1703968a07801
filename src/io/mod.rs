//! What is saved where.
//!
//! Reading and writing of whole models; what a layer's bytes are is [`codec`](crate::codec)'s affair, and which
//! layers may be in a file is the [`Registry`](crate::Registry)'s.
//!
//! A file is never written in place. A program that is stopped half-way, or a disk that is full, would otherwise
//! leave half a model where a whole one was:
//!
//! ```text
//! model.plywood.4711.tmp <─ write, flush to the disk        (4711: the process's id)
//! model.plywood          <─ rename, which replaces at once
//! ```
//!
//! Within one folder a rename is atomic on POSIX systems, and on Windows it replaces as well. The process's id keeps
//! two processes that save to one path from writing into one temporary file; two threads of one process are not kept
//! apart.

mod model;

use crate::error::{Error, Result};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes a file beside its place and renames it, so that there is always the old file or the new one, whole.
///
/// The file's content is flushed to the disk before the rename, so that after a loss of power the name does not lead
/// to an empty file. The folder's entry is not flushed: the old file may then still be there, whole.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.file_name().ok_or_else(|| {
        Error::argument("a path", "a file's name", path.display())
            .help("Name the file to write, not a folder.")
    })?;
    let mut beside = name.to_owned();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    beside.push(format!(".{}-{}.tmp", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    let beside = path.with_file_name(beside);
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(|source| {
        // The temporary file is of no use; what matters is the first error.
        let _ = fs::remove_file(&beside);
        Error::io("write", path, source)
            .help("The folder must exist and be writable, with room for the file.")
    })
}
