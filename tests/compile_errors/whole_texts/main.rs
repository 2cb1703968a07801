//! Compares the whole text of each compile error with the file `*.stderr` beside its program.
//!
//! After an intended change, `TRYBUILD=overwrite cargo test -p plywood-compile-errors` writes the files anew. Read what
//! changed: a text must say what the mistake is and what to do. Use the version of rustc that `.ci/run` names.

use std::fs;

/// Its text shows lines of the standard library if the component `rust-src` is installed, and otherwise does not.
const LEFT_OUT: &str = "kind_without_stop.rs";

#[test]
fn the_texts_are_those_of_the_files() {
    let names = fs::read_dir(".").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut cases: Vec<String> = names.filter(|name| name.ends_with(".rs") && name != LEFT_OUT).collect();
    cases.sort();
    let tests = trybuild::TestCases::new();
    cases.iter().for_each(|case| tests.compile_fail(case));
}
