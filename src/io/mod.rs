//! What is saved where.

mod model;

use crate::error::{Error, Result};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

/// Writes a file beside its place and renames it, so that there is always the old file or the new one, whole.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.file_name().ok_or_else(|| {
        Error::argument("a path", "a file's name", path.display())
            .help("Name the file to write, not a folder.")
    })?;
    let mut beside = name.to_owned();
    beside.push(format!(".{}.tmp", std::process::id()));
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
