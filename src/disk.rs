//! Atomic writes of files: a file is either written in full or not changed.
//!
//! A file is never overwritten in place. Otherwise a program that is stopped half-way, or a full disk, would leave half
//! a model where there was a complete one:
//!
//! ```text
//! model.plywood.4711-0.tmp <─ write, flush to the disk        (4711: the process's id, 0: how many before)
//! model.plywood            <─ rename, which replaces at once
//! the folder               <─ flush, so that the new name outlives a loss of power
//! ```
//!
//! Within one folder a rename is atomic on POSIX systems, and on Windows it replaces the old file as well. Two
//! processes or threads that save to one path write to separate temporary files; the last rename wins.
//!
//! # What stays as it was
//!
//! To the user, saving looks like writing to the file directly. So the path is examined first:
//!
//! | at the path is | what happens |
//! |---|---|
//! | nothing | the new file has the mode that the system gives |
//! | a file | its mode is kept and, if permitted, its owner; a file without write permission is an error |
//! | a symbolic link | the link's target is written, even if it does not exist yet; the link stays |
//! | a folder, a pipe, a device, a socket | an error |
//!
//! Any other hard link to the file keeps the old content.
//!
//! # Temporary files of killed programs
//!
//! If writing fails, the temporary file is removed; after `kill -9` it stays. While a file is written it is locked, and
//! the system releases the lock when the process ends. So each save looks for unlocked temporary files of its own path
//! and removes those that were last modified more than some seconds ago. The delay is needed because a file is created
//! before it is locked.

use crate::error::{Error, Result};
use crate::kernels::platform;
use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// How long ago a temporary file must have been modified to count as abandoned.
const FORGOTTEN: Duration = Duration::from_secs(5);

/// The longest file name, in bytes, that is used in full as the beginning of a temporary file's name. All file systems
/// allow names of at least 143 bytes; a longer name is shortened.
const LONG: usize = 100;

/// The number of characters kept of a longer name: the last ones, which include the extension.
const KEPT: usize = 20;

/// The maximum number of symbolic links that are followed one after the other, as on Linux.
const LINKS: usize = 40;

/// Writes a temporary file next to the target and renames it, so that the path always holds either the complete old
/// file or the complete new one. `fill` writes the content; its inner error is an I/O error of the disk.
///
/// The content is flushed to the disk before the rename. Otherwise the name could refer to an empty file after a loss
/// of power.
pub(crate) fn write_whole(path: &Path, fill: impl FnOnce(File) -> Result<io::Result<File>>) -> Result<()> {
    let failed = |source| {
        Error::io("write", path, source)
            .help("The folder must exist and be writable, with room for the file.")
    };
    let old = regular(path)?;
    let place = &target(path).map_err(failed)?;
    let name = place.file_name().ok_or_else(|| {
        Error::argument("the path", "the name of a file", path.display())
            .help("Name the file to write, not a folder.")
    })?;
    if old.is_some() {
        // A rename checks the permissions of the folder only, not those of the file it replaces.
        OpenOptions::new().write(true).open(place).map_err(failed)?;
    }
    let folder = folder_of(place);
    remove_forgotten_in(folder, |stem| *stem == *stem_of(name));
    let (file, temporary) = create_beside(place, name, old.is_some()).map_err(failed)?;
    // Some network file systems do not support locks; there, abandoned files stay.
    let _ = file.try_lock();
    let put = |file: File| {
        if let Some(old) = &old {
            keep(&file, old)?;
        }
        file.sync_all()?;
        fs::rename(&temporary.0, place)?;
        sync_folder(folder)
    };
    fill(file)?.and_then(put).map_err(failed)
}

/// [`write_whole`] for content that is already in memory.
pub(crate) fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write_whole(path, |mut file| Ok(io::Write::write_all(&mut file, bytes).map(|()| file)))
}

/// A file that is removed on drop unless it was renamed before.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Creates a new file next to `place`. With `secret`, for a file that replaces another, nobody else can read it until
/// it has the mode of the file that it replaces.
fn create_beside(place: &Path, name: &OsStr, secret: bool) -> io::Result<(File, Temporary)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if secret {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = secret;
    loop {
        let mut beside = stem_of(name).into_owned();
        beside.push(format!(".{}-{}.tmp", platform::process_id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        let beside = place.with_file_name(beside);
        match options.open(&beside) {
            // The name is taken by another process: one with the same id, over a network or before a restart.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => return made.map(|file| (file, Temporary(beside))),
        }
    }
}

/// The beginning of the names of a file's temporary files.
fn stem_of(name: &OsStr) -> Cow<'_, OsStr> {
    if name.len() <= LONG {
        return name.into();
    }
    let text = name.to_string_lossy();
    let skipped = text.chars().count().saturating_sub(KEPT);
    Cow::Owned(text.chars().skip(skipped).collect::<String>().into())
}

/// Gives a file the owner and the mode of the file that it replaces.
#[cfg(unix)]
fn keep(file: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        // Only root may give files away; other users may at most change the group to one of their own.
        let _ =
            fchown(file, Some(old.uid()), Some(old.gid())).or_else(|_| fchown(file, None, Some(old.gid())));
    }
    // This comes last, because a change of the owner clears some mode bits.
    file.set_permissions(old.permissions())
}

/// On Windows a new file inherits its permissions from the folder.
#[cfg(not(unix))]
fn keep(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// Returns the metadata of a regular file, or `None` if nothing exists at the path yet. Anything else is an error.
///
/// # Errors
/// Also if the system cannot say what is at the path.
pub(crate) fn regular(path: &Path) -> Result<Option<Metadata>> {
    match fs::metadata(path) {
        Ok(data) if data.is_file() => Ok(Some(data)),
        Ok(data) => {
            let found = format!("{}, {}", path.display(), sort(data.file_type()));
            Err(Error::argument("the path", "that of a file or of nothing yet", found)
                .help("Add the name of a file to the path."))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::io("write", path, source)
            .help("The folder must exist and be writable, with room for the file.")),
    }
}

/// Describes what is at the path instead of a regular file.
pub(crate) fn sort(found: fs::FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if found.is_fifo() {
            return "a named pipe";
        }
        if found.is_char_device() || found.is_block_device() {
            return "a device";
        }
        if found.is_socket() {
            return "a socket";
        }
    }
    if found.is_dir() { "a folder" } else { "no file" }
}

/// Follows symbolic links to their target, even if the target does not exist yet. Otherwise the rename would replace
/// the link by the file.
fn target(path: &Path) -> io::Result<PathBuf> {
    let mut place = path.to_owned();
    for _ in 0..=LINKS {
        match fs::read_link(&place) {
            Ok(next) => place = folder_of(&place).join(next),
            Err(_) => return Ok(place),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

/// Flushes a folder's entries to the disk. Some systems cannot do this, and some folders may be written to but not
/// read; those errors are ignored.
fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error)
            if !matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::PermissionDenied
            ) =>
        {
            return Err(error);
        }
        _ => {}
    }
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// The folder that contains a file or folder; for a bare name, the current folder.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Creates a folder and its missing parents, and flushes each parent, so that the new folder survives a loss of power.
pub(crate) fn make_folder(folder: &Path) -> Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        make_folder(above)?;
    }
    let made = match fs::create_dir(folder) {
        // Somebody else has created it in the meantime, or it is `..`.
        Err(_) if folder.is_dir() => return Ok(()),
        made => made.and_then(|()| sync_folder(folder_of(folder))),
    };
    made.map_err(|source| {
        Error::io("create the folder", folder, source)
            .help("Its parent must be a folder that can be written to.")
    })
}

/// Removes the files in a folder that killed programs have left behind and whose names satisfy `ours`. Errors are
/// ignored.
pub(crate) fn remove_forgotten_in(folder: &Path, ours: impl Fn(&str) -> bool) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_str().and_then(of_temporary).is_some_and(&ours);
        let data = entry.metadata().ok().filter(Metadata::is_file); // opening a pipe would block
        let touched = data.and_then(|data| data.modified().ok());
        if ours
            && touched.is_some_and(|touched| is_forgotten(touched, platform::now()))
            && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok())
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Returns whether a file last modified at `touched` counts as abandoned at `now`. A time in the future does not.
fn is_forgotten(touched: SystemTime, now: SystemTime) -> bool {
    now.duration_since(touched).is_ok_and(|age| age > FORGOTTEN)
}

/// `model.plywood` for `model.plywood.4711-0.tmp`; `None` for a name of another form.
fn of_temporary(name: &str) -> Option<&str> {
    let (file, numbers) = name.strip_suffix(".tmp")?.rsplit_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    numbers.split_once('-').filter(|(id, count)| digits(id) && digits(count)).map(|_| file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// A time in the year 2001, which is long ago by any clock.
    fn long_ago() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)
    }

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
        let keep = ["m.tmp", "m.1-x.tmp", "n.1-2.tmp", "m.1-2.tmp.gz"];
        for name in keep.iter().chain(&["m.1-2.tmp", "m.3-4.tmp"]) {
            File::create(folder.join(name)).unwrap().set_modified(long_ago()).unwrap();
        }
        let held = File::open(folder.join("m.3-4.tmp")).unwrap();
        held.try_lock().unwrap();
        // However long the test takes, this file counts as recent.
        let soon = SystemTime::now() + Duration::from_secs(86_400);
        File::create(folder.join("m.5-6.tmp")).unwrap().set_modified(soon).unwrap();
        write_whole(&folder.join("m"), |file| Ok(Ok(file))).unwrap();
        let mut expected = vec!["m", "m.3-4.tmp", "m.5-6.tmp"];
        expected.extend(keep);
        expected.sort_unstable();
        assert_eq!(names(&folder), expected);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_was_touched_seconds_ago_is_not_forgotten() {
        let touched = long_ago();
        let after = |seconds| is_forgotten(touched, touched + Duration::from_secs(seconds));
        assert_eq!([0, 4, 5, 6, 3600].map(after), [false, false, false, true, true]);
        assert!(!is_forgotten(touched + Duration::from_secs(60), touched), "of the future");
    }

    #[test]
    fn what_a_killed_program_left_of_a_long_name_is_removed_too() {
        let folder = folder("long");
        let name = format!("{}-the-last-of-them.plywood", "é".repeat(110));
        assert_eq!(stem_of(OsStr::new(&name)).to_str(), Some("last-of-them.plywood"));
        let path = folder.join(&name);
        let left = folder.join("last-of-them.plywood.1-2.tmp");
        File::create(&left).unwrap().set_modified(long_ago()).unwrap();
        write_whole(&path, |file| Ok(Ok(file))).unwrap();
        assert_eq!(names(&folder), [name]);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn folders_are_made_down_to_the_last() {
        let folder = folder("deep");
        let deep = folder.join("a/../b/./c");
        make_folder(&deep).unwrap();
        make_folder(&deep).unwrap();
        assert!(folder.join("b/c").is_dir());
        File::create(folder.join("file")).unwrap();
        let text = make_folder(&folder.join("file/d")).unwrap_err().to_string();
        assert!(text.starts_with("could not create the folder") && text.contains("file"), "{text}");
        fs::remove_dir_all(&folder).unwrap();
    }

    /// The device is never written to: a mistake here could destroy it.
    #[cfg(unix)]
    #[test]
    fn a_device_is_no_file() {
        let text = regular(Path::new("/dev/full")).unwrap_err().to_string();
        assert_eq!(
            text,
            "the path must be that of a file or of nothing yet, got /dev/full, a device. Add the name of a file \
             to the path."
        );
    }
}
