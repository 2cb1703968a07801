//! A module of the crate imports only from lower ranks (ARCHITECTURE.md), so no cycle can form.

use std::fs;
use std::path::Path;

/// The modules by rank, from the bottom.
const RANKS: [&[&str]; 11] = [
    &["error", "shown"],
    &["pool", "scalar"],
    &["disk", "random", "threads"],
    &["tensor"],
    &["codec"],
    &["init", "monitor", "ops", "param", "state", "target"],
    &["layer"],
    &["layers", "optim", "loss", "metric", "data", "history", "trace", "testing"],
    &["io", "infer", "plot"],
    &["train", "evaluate"],
    &["instances", "lib", "prelude"],
];

fn rank(module: &str) -> Option<usize> {
    RANKS.iter().position(|rank| rank.contains(&module))
}

/// The code of a file: without comments, and without the tests at its foot.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().take_while(|line| line.trim() != "mod tests {");
    lines.filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

/// The modules that a file's code names as `crate::module`, also in a list, `crate::{a, b::c}`.
fn imports(code: &str) -> Vec<String> {
    let mut all = Vec::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(list) => {
                let end = list.find("};").unwrap_or(list.len());
                all.extend(list[..end].split(',').map(str::to_owned));
            }
            None => all.push(rest.to_owned()),
        }
    }
    let word = |text: &String| {
        text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
    };
    all.iter().map(word).filter(|word| !word.is_empty()).collect()
}

#[test]
fn modules_import_only_from_lower_ranks() {
    let src = Path::new(crate::ROOT).join("src");
    let mut found = Vec::new();
    files(&src, &mut found);
    assert!(found.len() > 30, "{found:?}");
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for path in found {
        let relative = path.strip_prefix(&src).unwrap();
        let first = relative.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        let own =
            rank(&first).unwrap_or_else(|| panic!("give {first} a rank in this test and in ARCHITECTURE.md"));
        if first == "lib" || first == "prelude" {
            continue;
        }
        for import in imports(&code(&path)) {
            seen += 1;
            match rank(&import) {
                _ if import == first => {}
                Some(other) if other < own => {}
                // `crate::kernels` is how a macro is imported: macros live at the crate's root.
                other => {
                    wrong.push(format!("{} (rank {own}) imports {import} ({other:?})", relative.display()));
                }
            }
        }
    }
    assert!(seen > 100, "the test reads the imports: {seen}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_test_can_tell() {
    assert_eq!(
        imports("use crate::tensor::{Tensor, slice};\nuse crate::{Sequential, io::x};"),
        ["tensor", "Sequential", "io"]
    );
}

#[test]
fn every_file_of_these_tests_is_a_module_of_theirs() {
    let folder = Path::new(crate::ROOT).join("tests/library");
    let main = fs::read_to_string(folder.join("main.rs")).unwrap();
    let mut found = Vec::new();
    files(&folder, &mut found);
    for path in found {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(name == "main" || main.contains(&format!("\nmod {name};\n")), "{name} is never run");
    }
}
