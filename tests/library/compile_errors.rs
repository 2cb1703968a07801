//! The compile errors of typical mistakes say what the mistake is.
//!
//! Each file of tests/compile_errors is a program with one mistake. Its first line has the code of rustc's error and a
//! sentence that the error contains; the lines of documentation after it are further sentences. The sentences are the
//! crate's own, most of them from `#[diagnostic::on_unimplemented]`, so they are the same with every version of rustc.
//! A code without a sentence stands where the whole text is rustc's. The files `*.stderr` have the whole texts for one
//! version of rustc; tests/compile_errors/whole_texts compares them.
//!
//! The test calls rustc with the library that this program was linked with, and compiles all files as modules of one
//! program, which takes less than a second. It needs the rustc that compiled this program: that of the environment
//! variable `RUSTC`, or else "rustc". If there is none, the test passes and says so.

use super::source::files;
use serde_json::Value;
use std::cmp::Reverse;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

/// The programs with a mistake, from the project's root.
const MISTAKES: &str = "tests/compile_errors";

/// The program without a mistake, from the project's root.
const CORRECT: &str = "tests/compile_errors/correct/main.rs";

/// The codes with which rustc refuses a library: another build of a dependency, another target, a missing dependency,
/// several that fit, another rustc, a broken file.
const LIBRARY: [&str; 6] = ["E0460", "E0461", "E0463", "E0464", "E0514", "E0786"];

/// An error of rustc.
#[derive(Debug)]
struct Found {
    code: String,
    /// The name of the file where it is, without folders; empty if it is in none.
    file: String,
    /// The text as it is shown to a user.
    text: String,
}

impl Found {
    /// Reads an error from a line of rustc's JSON. Returns `None` for other messages.
    fn of(line: &str) -> Option<Self> {
        let message: Value = serde_json::from_str(line).ok()?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let spans = message["spans"].as_array()?;
        let file = spans.iter().find(|span| span["is_primary"] == true).map(|span| text(&span["file_name"]));
        let file = PathBuf::from(file.unwrap_or_default());
        let file = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let found = Self { code: text(&message["code"]["code"]), file, text: text(&message["rendered"]) };
        let is_error = message["level"].as_str()?.starts_with("error");
        (is_error && !found.text.starts_with("error: aborting")).then_some(found)
    }
}

/// rustc, and the crates that this program was linked with.
struct Rustc {
    program: OsString,
    /// The folders with the dependencies.
    folders: Vec<PathBuf>,
    /// The target, if Cargo was called with one.
    target: Option<String>,
}

impl Rustc {
    /// Returns rustc, or why it cannot run.
    fn new() -> Result<Self, String> {
        let name = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        match Command::new(&name).arg("--version").output() {
            Ok(output) if output.status.success() => Ok(Self::named(name)),
            Ok(output) => Err(format!("{name:?}: {}", String::from_utf8_lossy(&output.stderr))),
            Err(error) => Err(format!("{name:?}: {error}")),
        }
    }

    fn named(rustc: OsString) -> Self {
        let program = std::env::current_exe().unwrap();
        let own = profile(&program);
        let above = own.parent().unwrap();
        let name = above.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let target = name.starts_with(&format!("{}-", std::env::consts::ARCH)).then_some(name);
        let mut folders = crates(own);
        if target.is_some() {
            // Macros are compiled for the machine that rustc runs on.
            folders.extend(crates(&above.with_file_name(own.file_name().unwrap())));
        }
        Self { program: rustc, folders, target }
    }

    /// Returns the files that may be the library, the most likely first: the newest of those that are not newer than
    /// this program, which was linked after the library was compiled. The others are of other features, of another
    /// rustc, or old.
    fn libraries(&self) -> Vec<PathBuf> {
        let changed = |path: &Path| fs::metadata(path).and_then(|data| data.modified());
        let changed = |path: &Path| changed(path).unwrap_or(SystemTime::UNIX_EPOCH);
        let linked = changed(&std::env::current_exe().unwrap());
        let names = self.folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
        let mut found: Vec<_> =
            names.map(|entry| entry.unwrap().path()).filter(|path| is_library(path)).collect();
        found.sort_by_key(|path| (changed(path) > linked, Reverse(changed(path))));
        found
    }

    /// Checks a program of these modules and returns the errors; a module is the path of its file.
    fn errors(&self, library: &Path, modules: &[PathBuf]) -> Vec<Found> {
        let named = |name: &str, path: &Path| {
            let mut argument = OsString::from(name);
            argument.push(path);
            argument
        };
        let mut command = Command::new(&self.program);
        command.args(["--edition=2024", "--crate-name=mistakes", "--emit=metadata=-", "--cap-lints=allow"]);
        command.args(["--error-format=json", "--extern"]).arg(named("plywood=", library));
        for folder in &self.folders {
            command.arg("-L").arg(named("dependency=", folder));
        }
        command.args(self.target.iter().flat_map(|target| ["--target", target]));
        command.arg("-").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut program = "fn main() {}\n".to_owned();
        for (i, module) in modules.iter().enumerate() {
            program += &format!("#[path = {module:?}]\nmod module_{i};\n");
        }
        let mut child = command.spawn().unwrap();
        let written = child.stdin.take().unwrap().write_all(program.as_bytes());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let found: Vec<Found> = said.lines().filter_map(Found::of).collect();
        assert!(output.status.success() == found.is_empty() && written.is_ok(), "{command:?}\n{said}");
        found
    }
}

/// Returns the folder of a program's profile, such as target/debug, above `deps` or, in a newer form of that folder,
/// above `build`.
fn profile(program: &Path) -> &Path {
    let mut above = program.ancestors().skip(1);
    let inner = above.find(|folder| ["deps", "build"].iter().any(|name| folder.ends_with(name)));
    inner.and_then(Path::parent).unwrap_or_else(|| panic!("{}: not in a folder of Cargo", program.display()))
}

/// Returns the folders of a profile in which Cargo keeps crates: `deps`, or in the newer form `build/*/*/out`.
fn crates(profile: &Path) -> Vec<PathBuf> {
    let inside = |folder: PathBuf| {
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    let builds = inside(profile.join("build")).into_iter().flat_map(inside).map(|build| build.join("out"));
    [profile.join("deps")].into_iter().chain(builds).filter(|folder| folder.is_dir()).collect()
}

fn is_library(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("libplywood-") && name.ends_with(".rlib")
}

/// Returns the library with which the correct program compiles.
///
/// The next file is tried only if rustc refuses the file itself: with an old library, the errors below would be old.
fn library(rustc: &Rustc) -> PathBuf {
    let correct = [Path::new(crate::ROOT).join(CORRECT)];
    let mut refused = String::new();
    for library in rustc.libraries() {
        let found = rustc.errors(&library, &correct);
        match found.first() {
            None => return library,
            Some(first) if LIBRARY.contains(&first.code.as_str()) => {
                refused += &format!("{}\n{}\n", library.display(), first.text);
            }
            Some(first) => panic!("{CORRECT}, with {}:\n{}", library.display(), first.text),
        }
    }
    let (program, folders) = (&rustc.program, &rustc.folders);
    panic!(
        "no library in {folders:?} fits {program:?}: set RUSTC to the compiler that Cargo used\n{refused}"
    );
}

/// Returns what is wrong with the errors of a case.
fn complaint(case: &Path, found: &[Found]) -> Option<String> {
    let text = fs::read_to_string(case).unwrap();
    let mut lines = text.lines().map_while(|line| line.strip_prefix("//! "));
    let first = lines.next().unwrap_or_default();
    let (code, sentence) = first.split_once(' ').unwrap_or((first, ""));
    let all: String = found.iter().map(|found| found.text.as_str()).collect();
    let missing: Vec<&str> = [sentence].into_iter().chain(lines).filter(|line| !all.contains(line)).collect();
    let is_code = found.first().is_some_and(|found| found.code == code);
    (!is_code || !missing.is_empty()).then(|| {
        let name = case.display();
        format!("{name}: expected {code:?}; missing: {missing:?}; got:\n{all}")
    })
}

#[test]
fn a_typical_mistake_is_named() {
    let rustc = match Rustc::new() {
        Ok(rustc) => rustc,
        Err(error) => return println!("not checked, as rustc does not run: {error}"),
    };
    let library = library(&rustc);
    let folder = Path::new(crate::ROOT).join(MISTAKES);
    let cases: Vec<PathBuf> =
        files(&folder).into_iter().filter(|path| path.parent() == Some(folder.as_path())).collect();
    assert!(cases.len() > 15, "{cases:?}");
    let mut rest = rustc.errors(&library, &cases);
    let mut complaints = Vec::new();
    for case in &cases {
        let mut own: Vec<Found>;
        (own, rest) = rest.into_iter().partition(|found| case.file_name().unwrap() == found.file.as_str());
        if own.is_empty() {
            // The errors of others may have kept rustc from the phase that finds it.
            own = rustc.errors(&library, std::slice::from_ref(case));
        }
        complaints.extend(complaint(case, &own));
    }
    complaints.extend(rest.into_iter().map(|found| format!("in no case:\n{}", found.text)));
    assert!(complaints.is_empty(), "with {}\n{}", library.display(), complaints.join("\n"));
}
