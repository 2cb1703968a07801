//! A disk that is full and a program that is killed: the old file is whole, and nothing piles up beside it.
//!
//! A test runs itself as a child process with a limit of the shell on the size of files, which needs no rights. Where
//! that limit's signal is ignored, writing fails as on a full disk; where it is not, it kills half-way.

use crate::files::names;
use plywood::prelude::*;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

/// What the child is to do, and where.
const FOLDER: &str = "PLYWOOD_TEST_FOLDER";

fn small() -> Sequential {
    Sequential::builder([4]).layer(Dense::units(2)).build().unwrap()
}

/// 4 MB, more than the children may write.
fn large() -> Sequential {
    Sequential::builder([1000]).layer(Dense::units(1000)).build().unwrap()
}

/// No test of its own: what a child does. It saves, and says what became of it.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let model = large();
    let say = |result: Result<()>| match result {
        Ok(()) => println!("saved"),
        Err(error) => println!("refused: {error}"),
    };
    say(model.save(folder.join("model")));
    say(model.save_weights(folder.join("weights")));
    if std::env::var_os("PLYWOOD_TEST_FOR_EVER").is_some() {
        while model.save(folder.join("model")).is_ok() {}
    }
}

/// This program again, to run `child` in a shell after `before`.
fn run(folder: &Path, before: &str) -> Command {
    let mut command = Command::new("sh");
    let program = std::env::current_exe().unwrap();
    command.args(["-c", &format!("{before} exec \"$0\" --exact full_disk::child --nocapture")]).arg(program);
    command.env(FOLDER, folder).stderr(Stdio::null());
    command
}

/// A folder with a small model and its weights.
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

/// On a small file system instead of under a limit: `PLYWOOD_FULL_DISK=<folder of it> cargo test full_disk::`.
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

/// What is beside is removed by the next save of the path, once it has been left alone for a while.
fn assert_cleaned(folder: &Path) {
    let beside = |name: &String| name.ends_with(".tmp");
    for name in names(folder).iter().filter(|name| beside(name)) {
        let old = SystemTime::now() - Duration::from_secs(60);
        File::options().write(true).open(folder.join(name)).unwrap().set_modified(old).unwrap();
    }
    small().save(folder.join("model")).unwrap();
    small().save_weights(folder.join("weights")).unwrap();
    assert_eq!(names(folder), ["model", "weights"]);
    assert_old(folder);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_program_killed_half_way_leaves_the_old_file_and_the_next_save_tidies_up() {
    let folder = folder("killed");
    let output = run(&folder, "ulimit -c 0; ulimit -f 1000;").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() && !text.contains("refused"), "{text}");
    assert_old(&folder);
    assert_eq!(names(&folder).len(), 3, "what was written half-way: {:?}", names(&folder));
    assert_cleaned(&folder);
}

#[test]
fn kill_9_at_any_moment_leaves_a_whole_file_and_little_beside_it() {
    let folder = folder("kill-9");
    let path = folder.join("model");
    for round in 0..12u64 {
        let mut child =
            run(&folder, "").env("PLYWOOD_TEST_FOR_EVER", "1").stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(30 + round * 17));
        child.kill().unwrap();
        child.wait().unwrap();
        let units = Sequential::load(&path).unwrap().output_shape()[0];
        assert!(units == 2 || units == 1000);
        assert!(names(&folder).len() <= 3 + round as usize);
    }
    assert_cleaned(&folder);
}
