//! What saving preserves: file modes, symbolic links, and anything that is not a regular file. Tested for everything
//! that writes files.

use plywood::prelude::*;
use plywood::train::{CsvLog, JsonLines};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

type SaveTo = Box<dyn Fn(&Path) -> Result<()>>;

fn model() -> Sequential {
    Sequential::builder([2]).layer(Dense::units(1)).build().unwrap()
}

/// Trains for one epoch with this callback.
fn fit(callback: impl plywood::train::Callback + 'static) -> Result<()> {
    let data = ArrayDataset::new(ndarray::Array2::<f32>::ones((4, 2)), ndarray::Array2::<f32>::ones((4, 1)))?;
    let trainer = Trainer::new(MeanSquaredError, SGD::default()).progress(Progress::Silent);
    trainer.callback(callback).fit(&mut model(), &data).map(drop)
}

/// Returns everything that replaces a file, with the file extension it needs.
fn savers() -> Vec<(&'static str, SaveTo)> {
    let models: [(&'static str, SaveTo); 2] = [
        ("plywood", Box::new(|path| model().save(path))),
        ("safetensors", Box::new(|path| model().save_weights(path))),
    ];
    models.into_iter().chain(pictures()).collect()
}

#[cfg(not(feature = "plots"))]
fn pictures() -> Vec<(&'static str, SaveTo)> {
    Vec::new()
}

#[cfg(feature = "plots")]
fn pictures() -> Vec<(&'static str, SaveTo)> {
    use plywood::plot::{Chart, Report};
    let figure = || Chart::new("c").line("l", &[(0.0, 0.0), (1.0, 1.0)]).draw();
    vec![
        ("svg", Box::new(move |path| figure()?.save(path))),
        ("png", Box::new(move |path| figure()?.save(path))),
        ("html", Box::new(|path| Report::new("r").save(path))),
    ]
}

/// Returns the callbacks that append to a file.
fn logs() -> Vec<(&'static str, SaveTo)> {
    vec![
        ("csv", Box::new(|path| fit(CsvLog::new(path)))),
        ("jsonl", Box::new(|path| fit(JsonLines::new(path)))),
    ]
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("plywood-files-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Returns the names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_file_keeps_its_mode() {
    let folder = folder("mode");
    for (ending, save) in savers().into_iter().chain(logs()) {
        let path = folder.join(format!("f.{ending}"));
        save(&path).unwrap();
        let usual = mode(&path);
        for kept in [0o600, 0o640, 0o755, usual] {
            fs::set_permissions(&path, fs::Permissions::from_mode(kept)).unwrap();
            save(&path).unwrap();
            assert_eq!(mode(&path), kept, "{ending} {kept:o}");
        }
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_file_that_may_not_be_written_to_stays() {
    let folder = folder("protected");
    for (ending, save) in savers().into_iter().chain(logs()) {
        let path = folder.join(format!("f.{ending}"));
        fs::write(&path, "mine").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
        // The root user can write to every file.
        if OpenOptions::new().write(true).open(&path).is_err() {
            let text = save(&path).unwrap_err().to_string();
            assert!(text.contains("could not"), "{text}");
            assert_eq!(fs::read(&path).unwrap(), b"mine");
        }
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_is_no_file_is_refused_and_stays() {
    let folder = folder("pipes");
    for (ending, save) in savers().into_iter().chain(logs()) {
        let [pipe, socket, inside, link] =
            ["pipe", "socket", "folder", "link"].map(|name| folder.join(format!("{name}.{ending}")));
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let _open = UnixListener::bind(&socket).unwrap();
        fs::create_dir(&inside).unwrap();
        symlink(&pipe, &link).unwrap();
        let before = names(&folder);
        for (path, found) in
            [(&pipe, "a named pipe"), (&socket, "a socket"), (&inside, "a folder"), (&link, "a named pipe")]
        {
            let text = save(path).unwrap_err().to_string();
            let found = format!(
                "the path must be that of a file or of nothing yet, got {}, {found}. Add the name of a file \
                 to the path.",
                path.display()
            );
            assert!(text.ends_with(&found), "{text}");
        }
        assert_eq!(names(&folder), before);
        assert!(!fs::metadata(&pipe).unwrap().is_file() && inside.is_dir());
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_link_stays_and_what_it_leads_to_is_written() {
    let folder = folder("links");
    fs::create_dir(folder.join("inner")).unwrap();
    for (ending, save) in savers().into_iter().chain(logs()) {
        let file = folder.join("inner").join(format!("file.{ending}"));
        let [first, second] = ["first", "second"].map(|name| folder.join(format!("{name}.{ending}")));
        symlink(format!("inner/file.{ending}"), &first).unwrap(); // the target does not exist yet
        symlink(format!("first.{ending}"), &second).unwrap();
        save(&second).unwrap();
        assert!(file.is_file(), "{ending}");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        save(&second).unwrap();
        assert_eq!(mode(&file), 0o600, "{ending}");
        for link in [first, second] {
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink(), "{ending}");
        }
        let around = folder.join(format!("around.{ending}"));
        symlink(&around, &around).unwrap();
        assert!(save(&around).unwrap_err().to_string().contains("could not"), "{ending}");
    }
    assert_eq!(names(&folder.join("inner")).len(), savers().len() + logs().len());
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn every_name_that_the_file_system_takes_will_do() {
    let folder = folder("names");
    let (mut expected, mut tried) = (Vec::new(), 0);
    for (ending, save) in savers().into_iter().chain(logs()) {
        let of = |letter: &str, bytes: usize| {
            let letters = letter.repeat((bytes - ending.len() - 1) / letter.len());
            format!("{letters}.{ending}")
        };
        for name in [of("n", 250), of("n", 255), of("é", 250), of("語", 255), of("n", 101), of("\n ", 40)] {
            tried += 1;
            let path = folder.join(&name);
            // Some file systems do not accept all of these names.
            if File::create(&path).is_ok() {
                for _ in 0..2 {
                    save(&path).unwrap();
                }
                expected.push(name);
            }
        }
    }
    assert!(expected.len() >= tried / 6);
    expected.sort();
    assert_eq!(names(&folder), expected);
    let twice = folder.join("model.plywood");
    model().save(&twice).unwrap();
    Sequential::load(&twice).unwrap();
    fs::remove_dir_all(&folder).unwrap();
}
