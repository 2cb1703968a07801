//! docs/names.md, the table of Keras and PyTorch names with their Plywood counterparts, lists every public layer, loss,
//! metric, update rule, schedule, initializer and callback of the crate.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(crate::ROOT).join(path)).unwrap()
}

/// Returns the names that a file re-exports with `pub use`, and its `pub mod` modules.
fn names(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    for statement in source.split("\npub use ").skip(1) {
        let statement = statement.split_once(';').expect("a statement that ends").0;
        let list = statement.rsplit("::").next().unwrap().trim_matches(['{', '}']);
        names.extend(list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned));
    }
    for module in source.split("\npub mod ").skip(1) {
        names.push(module.split([';', ' ']).next().unwrap().to_owned());
    }
    names
}

/// Returns whether the name occurs in code spans as a whole word.
fn has(page: &str, name: &str) -> bool {
    page.split('`')
        .skip(1)
        .step_by(2)
        .any(|code| code.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == name))
}

/// A user's crate may depend on Plywood alone, so examples import ndarray from there.
#[test]
fn examples_take_ndarray_from_plywood() {
    let (mut folders, mut wrong, mut seen) = (vec![Path::new(crate::ROOT).join("src")], Vec::new(), 0);
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let (text, mut is_code) = (fs::read_to_string(&path).unwrap(), false);
            for (i, line) in text.lines().enumerate() {
                let line = line.trim_start();
                let Some(line) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) else {
                    is_code = false;
                    continue;
                };
                is_code ^= line.trim_start().starts_with("```");
                let ours = line.matches("plywood::ndarray::").count();
                seen += ours;
                if is_code && line.matches("ndarray::").count() > ours {
                    wrong.push(format!("{}:{}:{line}", path.display(), i + 1));
                }
            }
        }
    }
    assert!(seen > 100, "the test reads the examples: {seen}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_public_name_is_in_the_table() {
    // Names that have no counterpart elsewhere: caches and specs, results, parts of traits.
    const LEFT_OUT: [&str; 47] = [
        "AsTarget",
        "CalibrationBin",
        "ClassCalibration",
        "ClassReport",
        "ClassificationReport",
        "ConfusedPair",
        "CrossValidation",
        "Direction",
        "Epoch",
        "ErrorAnalysis",
        "Evaluation",
        "Gradient",
        "GradientMut",
        "GradientTrace",
        "Granularity",
        "History",
        "IntoInput",
        "LabelReport",
        "LearningRateCurve",
        "LossSum",
        "Mistake",
        "MeanStd",
        "Monitor",
        "OutputActivation",
        "Outputs",
        "Padding",
        "Param",
        "ParamKind",
        "Part",
        "PerAxis",
        "Resumed",
        "RocCurve",
        "SearchResults",
        "Sequential",
        "Space",
        "Step",
        "Thresholds",
        "Trial",
        "TrialRun",
        "Tried",
        "Terms",
        "Update",
        "Value",
        "WithoutActivation",
        "check_batch",
        "check_gradient",
        "sample_weights",
    ];
    let page = read("docs/names.md");
    let mut missing = Vec::new();
    for (module, least) in [("nn", 60), ("losses", 11), ("metrics", 24), ("optim", 28), ("train", 8)] {
        let names = names(&read(&format!("src/{module}/mod.rs")));
        assert!(names.len() >= least, "{module}: {names:?}");
        let inner =
            |name: &str| name.ends_with("Cache") || name.ends_with("Spec") || name.ends_with("Builder");
        let wanted = names.iter().filter(|name| !inner(name) && !LEFT_OUT.contains(&name.as_str()));
        missing.extend(wanted.filter(|name| !has(&page, name)).cloned());
    }
    assert!(missing.is_empty(), "docs/names.md does not have {missing:?}");
}

/// The names at the root of the documentation: modules, and items outside of all modules.
#[test]
fn the_root_has_few_names() {
    let names = names(&read("src/lib.rs"));
    assert!((20..=40).contains(&names.len()), "{}: {names:?}", names.len());
    for name in ["nn", "optim", "losses", "metrics", "data", "train", "io", "plot", "threads", "set_threads"]
    {
        assert!(names.iter().any(|found| found == name), "{name} is not among {names:?}");
    }
}

#[test]
fn every_initializer_is_in_the_table() {
    let (page, source) = (read("docs/names.md"), read("src/init/mod.rs"));
    let body = source.split_once("pub enum Initializer {").unwrap().1;
    let body = body.split_once("\n}").unwrap().0;
    let variants: Vec<&str> = body
        .lines()
        .filter_map(|line| line.strip_prefix("    ").filter(|line| line.starts_with(char::is_uppercase)))
        .map(|line| line.split(|c: char| !c.is_alphanumeric()).next().unwrap())
        .collect();
    assert!(variants.len() >= 13, "{variants:?}");
    for variant in variants {
        assert!(page.contains(&format!("`Initializer::{variant}")), "docs/names.md does not have {variant}");
    }
}
