//! Untrusted images, and folders of them.

use super::bounded;
use plywood::data::{Fit, ImageFiles, ImageFolder, Pixels};
use plywood::prelude::*;
use std::fs;
use std::path::Path;

/// Checks one image beside two valid ones; `folder` is where they are written.
pub fn image(bytes: &[u8], folder: &Path) {
    let whole = image_file();
    let files = [("a/whole.png", &whole[..]), ("a/changed", bytes), ("b/whole.png", &whole[..])];
    write(folder, files);
    let images = ImageFolder::new(folder, [5, 3]).largest_side(256);
    let length = files.iter().map(|(_, bytes)| bytes.len()).sum();
    let one = bounded(length, || images.image(folder.join("a/changed")));
    let all = bounded(length, || images.read());
    assert_eq!(one.is_ok(), all.is_ok(), "one image and a folder");
    let kept =
        bounded(length, || images.clone().skip_faulty(true).read()).expect("two images that are whole");
    assert_eq!(kept.images.len(), 2 + usize::from(one.is_ok()));
    assert_eq!(kept.images.len() + kept.skipped.len(), 3);
    for fit in [Fit::Stretch, Fit::Crop, Fit::Pad(9)] {
        let images = images.clone().fit(fit).background([1, 2, 3]).grey(fit != Fit::Crop);
        let other = bounded(length, || images.image(folder.join("a/changed")));
        assert_eq!(other.is_ok(), one.is_ok(), "grey and coloured, {fit:?}");
    }
    // Without the limit on sides, but never more than the file's length allows.
    let decoded = bounded(40_000 * length, || Pixels::decode(bytes));
    assert!(decoded.is_ok() || one.is_err(), "{decoded:?}");
    if let Ok(pixels) = one {
        assert!(pixels.iter().all(|pixel| (0.0..=1.0).contains(pixel)));
    }
}

/// Checks a folder whose paths are chosen by the bytes. Each path is an image, a folder or another file.
pub fn tree(bytes: &[u8], folder: &Path) {
    let whole = image_file();
    write(folder, [("a/whole.png", &whole[..])]);
    for name in bytes.split(|&byte| byte == b'\n').take(16) {
        let Some((kind, name)) = name.split_first() else { continue };
        let Some(path) = inside(folder, name) else { continue };
        // Paths that the file system refuses are not created.
        let _ = path.parent().map(fs::create_dir_all);
        let _ = match kind % 4 {
            0 => fs::create_dir_all(path),
            1 => fs::write(path, b"no image"),
            _ => fs::write(path, &whole),
        };
    }
    let images = ImageFolder::new(folder, [4, 4]);
    let length = bytes.len() + 16 * whole.len();
    let strict = bounded(length, || images.read());
    let kept = bounded(length, || images.skip_faulty(true).read());
    let printed = |files: &ImageFiles| {
        assert_eq!(files.images.len(), files.files.len());
        assert!(bounded(length, || files.to_string()).len() < 65_536, "a list that is cut");
    };
    if let (Ok(strict), Ok(kept)) = (&strict, &kept) {
        assert_eq!(strict.files, kept.files, "nothing is left out where nothing is faulty");
    }
    for files in [&strict, &kept].into_iter().flatten() {
        printed(files);
    }
    for error in [strict, kept].into_iter().filter_map(Result::err) {
        assert!(error.to_string().len() < 65_536, "a list that is cut");
    }
}

/// Returns a path inside the folder, whose names have any bytes that a file system accepts.
#[cfg(unix)]
fn inside(folder: &Path, name: &[u8]) -> Option<std::path::PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    let relative = Path::new(std::ffi::OsStr::from_bytes(name));
    let normal = |part| matches!(part, std::path::Component::Normal(_));
    (!name.contains(&0) && name.len() < 512 && relative.components().all(normal))
        .then(|| folder.join(relative))
}

#[cfg(not(unix))]
fn inside(folder: &Path, name: &[u8]) -> Option<std::path::PathBuf> {
    let name = std::str::from_utf8(name).ok()?;
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '/').then(|| folder.join(name))
}

/// Clears the folder, and writes the files to it.
fn write<'a>(folder: &Path, files: impl IntoIterator<Item = (&'a str, &'a [u8])>) {
    let _ = fs::remove_dir_all(folder);
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder to make");
        fs::write(path, bytes).expect("a file to write");
    }
}

/// Returns a grey image of 2 by 2 pixels.
fn image_file() -> Vec<u8> {
    vec![
        137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0, 2, 0, 0, 0, 2, 8, 0, 0, 0, 0,
        87, 221, 82, 248, 0, 0, 0, 14, 73, 68, 65, 84, 120, 218, 99, 16, 104, 96, 248, 239, 0, 0, 4, 148, 1,
        208, 153, 30, 216, 14, 0, 0, 0, 0, 73, 69, 78, 68, 174, 66, 96, 130,
    ]
}
