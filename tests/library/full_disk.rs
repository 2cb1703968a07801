//! A full disk and a killed program: the old file stays intact, and temporary files do not accumulate.
//!
//! A test runs itself as a child process, with a limit on the file size set by the shell, which needs no special
//! rights. If the signal of that limit is ignored, writing fails as on a full disk. If it is not ignored, it kills the
//! child in the middle of a file. A child that saves repeatedly reports each save before it begins. The test kills it
//! at the report, or when the file of the save appears.

use crate::children::{Reporting, report, was_killed};
use crate::files::names;
use plywood::prelude::*;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

/// The environment variables for the child: the folder, and a switch to save forever.
const FOLDER: &str = "PLYWOOD_TEST_FOLDER";
const FOR_EVER: &str = "PLYWOOD_TEST_FOR_EVER";

/// The number of bytes of the large model's parameters.
const LARGE: u64 = 4 * 1001 * 1000;

fn small() -> Sequential {
    Sequential::builder([4]).layer(Dense::units(2)).build().unwrap()
}

/// Returns a model of 4 MB, more than the children are allowed to write.
fn large() -> Sequential {
    Sequential::builder([1000]).layer(Dense::units(1000)).build().unwrap()
}

/// Not a test of its own, but the code of the child. It saves once and prints the result, or saves forever and reports
/// the number of each save before it begins.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let model = large();
    if std::env::var_os(FOR_EVER).is_some() {
        (1..).try_for_each(|save| report(save).and_then(|()| model.save(folder.join("model")))).unwrap();
    }
    let say = |result: Result<()>| match result {
        Ok(()) => println!("saved"),
        Err(error) => println!("refused: {error}"),
    };
    say(model.save(folder.join("model")));
    say(model.save_weights(folder.join("weights")));
}

/// Runs `child` of this program in a shell, after the shell commands `before`.
fn run(folder: &Path, before: &str) -> Command {
    let mut command = Command::new("sh");
    let program = std::env::current_exe().unwrap();
    command.args(["-c", &format!("{before} exec \"$0\" --exact full_disk::child --nocapture")]).arg(program);
    command.env(FOLDER, folder).stderr(Stdio::null());
    command
}

/// Returns a folder with a small model and its weights.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("plywood-full-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    small().save(folder.join("model")).unwrap();
    small().save_weights(folder.join("weights")).unwrap();
    folder
}

fn assert_old(folder: &Path) {
    assert_eq!(Sequential::load(folder.join("model")).unwrap().len(), 1);
    assert!(
        Sequential::load(folder.join("model")).unwrap().to_bytes().unwrap() == small().to_bytes().unwrap()
    );
    small().load_weights(folder.join("weights")).unwrap();
}

/// To use a small file system instead of a limit: `PLYWOOD_FULL_DISK=<folder on it> cargo test full_disk::`.
#[test]
fn a_full_disk_leaves_the_old_files_and_no_others_and_says_what_to_do() {
    let (folder, limit) = match std::env::var_os("PLYWOOD_FULL_DISK") {
        Some(disk) => {
            let folder = PathBuf::from(disk);
            small().save(folder.join("model")).unwrap();
            small().save_weights(folder.join("weights")).unwrap();
            (folder, "")
        }
        None => (folder("disk"), "trap '' XFSZ; ulimit -f 1000;"),
    };
    let output = run(&folder, limit).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    for file in ["model", "weights"] {
        let expected = format!("refused: save: could not write {}: ", folder.join(file).display());
        assert!(text.contains(&expected), "{expected} in {text}");
    }
    assert!(text.matches("with room for the file").count() == 2, "{text}");
    assert_old(&folder);
    assert_eq!(names(&folder), ["model", "weights"]);
    fs::remove_file(folder.join("model")).unwrap();
    fs::remove_file(folder.join("weights")).unwrap();
    let _ = fs::remove_dir(folder);
}

/// Temporary files are removed by the next save to the same path, once they are old enough.
fn assert_cleaned(folder: &Path) {
    for (name, _) in beside(folder) {
        // The year 2001, so that the file is old by any clock.
        let old = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        File::options().write(true).open(folder.join(name)).unwrap().set_modified(old).unwrap();
    }
    small().save(folder.join("model")).unwrap();
    small().save_weights(folder.join("weights")).unwrap();
    assert_eq!(names(folder), ["model", "weights"]);
    assert_old(folder);
    fs::remove_dir_all(folder).unwrap();
}

/// Returns the names and lengths of the temporary files beside `model` and `weights`.
fn beside(folder: &Path) -> Vec<(String, u64)> {
    let names = names(folder).into_iter().filter(|name| name.ends_with(".tmp"));
    // A temporary file can be renamed meanwhile; it is then skipped.
    names.filter_map(|name| fs::metadata(folder.join(&name)).ok().map(|data| (name, data.len()))).collect()
}

#[test]
fn a_program_killed_half_way_leaves_the_old_file_and_the_next_save_tidies_up() {
    for blocks in [0, 1, 1000, 3500] {
        let folder = folder("killed");
        let output = run(&folder, &format!("ulimit -c 0; ulimit -f {blocks};")).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(was_killed(output.status) && !text.contains("refused"), "{text}");
        assert_old(&folder);
        let beside = beside(&folder);
        assert_eq!(beside.len(), 1, "what was written half-way: {beside:?}");
        // A block has 512 bytes, in some shells 1024.
        assert!([512 * blocks, 1024 * blocks].contains(&beside[0].1), "{blocks} blocks: {beside:?}");
        assert_cleaned(&folder);
    }
}

#[test]
fn kill_9_at_any_moment_leaves_a_whole_file_and_little_beside_it() {
    let folder = folder("kill-9");
    let path = folder.join("model");
    let units = || Sequential::load(&path).unwrap().output_shape()[0];
    let start = || Reporting::start(run(&folder, "").env(FOR_EVER, "1"));
    let state = || {
        let data = fs::metadata(&path).unwrap();
        (data.len(), data.ino(), data.modified().unwrap())
    };
    for round in 0..15 {
        small().save(&path).unwrap();
        let (mut child, save, moment) = (start(), 1 + round / 5, round % 5);
        assert_eq!(child.next(), Some(1));
        if save > 1 {
            child.run_to(save);
        }
        let old = if save == 1 { 2 } else { 1000 };
        let before = beside(&folder);
        let new = || beside(&folder).into_iter().find(|file| !before.contains(file));
        if moment == 0 {
            child.kill();
            assert_eq!((units(), new()), (old, None), "between two saves");
        } else {
            // The moments: the new file exists, half of it is written, all of the parameters are written, it has its
            // final name.
            let (replaced, enough) = (state(), LARGE * (moment - 1) / 2);
            let seen = child.run_until(|| match moment {
                4 => state() != replaced,
                _ => new().is_some_and(|(_, length)| length >= enough),
            });
            child.kill();
            println!("save {save}, moment {moment}: {}", if seen { "seen" } else { "not seen" });
            if new().is_some() {
                assert_eq!(units(), old, "what is beside has not been renamed");
            } else {
                assert_eq!(units(), 1000);
            }
        }
        assert!(names(&folder).len() as u64 <= 3 + round);
    }
    assert_cleaned(&folder);
}
