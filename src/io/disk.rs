//! Files that are there whole or not at all.
//!
//! A file is never written in place. A program that is stopped half-way, or a disk that is full, would otherwise
//! leave half a model where a whole one was:
//!
//! ```text
//! model.plywood.4711-0.tmp <─ write, flush to the disk        (4711: the process's id, 0: how many before)
//! model.plywood            <─ rename, which replaces at once
//! the folder               <─ flush, so that the new name outlives a loss of power
//! ```
//!
//! Within one folder a rename is atomic on POSIX systems, and on Windows it replaces as well. Two processes or threads
//! that save to one path write into files of their own; the last to rename stays.
//!
//! # What a killed program leaves
//!
//! An error removes the temporary file; `kill -9` cannot. While a file is written it is locked, and the system takes
//! the lock away with the process. So each save looks for temporary files of its own path that nobody holds, and
//! removes them, if they have not been touched for some seconds: a file is created before it is locked.

use crate::error::{Error, Result};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a temporary file has to be left alone to count as forgotten.
const FORGOTTEN: Duration = Duration::from_secs(5);

/// Writes a file beside its place and renames it, so that there is always the old file or the new one, whole. `fill`
/// writes the content; its inner error is the disk's.
///
/// The content is flushed to the disk before the rename, so that after a loss of power the name does not lead to an
/// empty file.
pub(super) fn write_whole(path: &Path, fill: impl FnOnce(File) -> Result<io::Result<File>>) -> Result<()> {
    // Through a link to the file it stands for, which would otherwise be replaced by the file.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = path.file_name().filter(|_| !path.is_dir()).ok_or_else(|| {
        Error::argument("a path", "a file's name", path.display())
            .help("Name the file to write, not a folder.")
    })?;
    remove_forgotten_in(&folder_of(path), |other| other == name);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut beside = name.to_owned();
    beside.push(format!(".{}-{}.tmp", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    let beside = path.with_file_name(beside);
    let failed = |source| {
        Error::io("write", path, source)
            .help("The folder must exist and be writable, with room for the file.")
    };
    let file = File::create(&beside).map_err(failed)?;
    // Some network file systems have no locks; there, forgotten files stay.
    let _ = file.try_lock();
    let result = fill(file).and_then(|written| {
        let put = |file: File| {
            file.sync_all()?;
            fs::rename(&beside, path)
        };
        written.and_then(put).map_err(failed)
    });
    match &result {
        Ok(()) => sync_folder(path),
        // The temporary file is of no use; what matters is the first error.
        Err(_) => drop(fs::remove_file(&beside)),
    }
    result
}

/// Flushes the folder's entry. The file is in its place already, and some systems cannot flush folders, so that is no
/// reason to call the save a failure.
fn sync_folder(path: &Path) {
    #[cfg(unix)]
    if let Ok(folder) = File::open(folder_of(path)) {
        let _ = folder.sync_all();
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// The folder of a file; the current one for a name alone.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Removes what killed programs have left of files of such names in a folder. Whatever fails is left as it is.
pub(super) fn remove_forgotten_in(folder: &Path, ours: impl Fn(&str) -> bool) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_str().and_then(of_temporary).is_some_and(&ours);
        let age = entry.metadata().ok().and_then(|data| data.modified().ok()?.elapsed().ok());
        if ours
            && age.is_some_and(|age| age > FORGOTTEN)
            && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok())
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// `model.plywood` for `model.plywood.4711-0.tmp`, and nothing for a name of another form.
fn of_temporary(name: &str) -> Option<&str> {
    let (file, numbers) = name.strip_suffix(".tmp")?.rsplit_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    numbers.split_once('-').filter(|(id, count)| digits(id) && digits(count)).map(|_| file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("plywood-disk-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = folder("failed");
        let path = folder.join("m");
        let write =
            |text: &'static [u8]| write_whole(&path, |mut file| Ok(file.write_all(text).map(|()| file)));
        write(b"old").unwrap();
        let full = |mut file: File| {
            file.write_all(b"half of the n").unwrap();
            Ok(Err(io::Error::from(io::ErrorKind::StorageFull)))
        };
        let error = write_whole(&path, full).unwrap_err().to_string();
        assert!(error.contains("could not write") && error.contains("with room for the file"), "{error}");
        assert!(write_whole(&path, |_| Err(Error::custom("no bytes"))).is_err());
        assert_eq!((fs::read(&path).unwrap(), names(&folder)), (b"old".to_vec(), vec!["m".to_owned()]));
        write(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert!(write_whole(&folder, |_| Err(Error::custom("never called"))).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn only_what_a_killed_program_left_of_this_path_is_removed() {
        let folder = folder("killed");
        let old = std::time::SystemTime::now() - Duration::from_secs(60);
        let keep = ["m.tmp", "m.1-x.tmp", "n.1-2.tmp", "m.1-2.tmp.gz"];
        for name in keep.iter().chain(&["m.1-2.tmp", "m.3-4.tmp"]) {
            File::create(folder.join(name)).unwrap().set_modified(old).unwrap();
        }
        let held = File::open(folder.join("m.3-4.tmp")).unwrap();
        held.try_lock().unwrap();
        File::create(folder.join("m.5-6.tmp")).unwrap();
        write_whole(&folder.join("m"), |file| Ok(Ok(file))).unwrap();
        let mut expected = vec!["m", "m.3-4.tmp", "m.5-6.tmp"];
        expected.extend(keep);
        expected.sort_unstable();
        assert_eq!(names(&folder), expected);
        fs::remove_dir_all(&folder).unwrap();
    }
}
