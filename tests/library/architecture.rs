//! Checks the rules of ARCHITECTURE.md for the source tree: modules import only from lower ranks, the files of a folder
//! have no circular imports, and files, functions and parameter lists are short. [`EXCEPTIONS`] can only shrink.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::source::{Import, Source, files};

/// The modules by rank, lowest first.
const RANKS: [&[&str]; 12] = [
    &["kernels"],
    &["error", "shown"],
    &["disk", "level", "random", "threads"],
    &["tensor"],
    &["codec", "predictions"],
    &["init", "monitor", "param", "state", "target"],
    &["nn"],
    &["optim", "losses", "metrics", "data", "history", "gradient_trace"],
    &["io", "infer", "plot", "preprocessing", "testing"],
    &["predictor", "train", "evaluate"],
    &["recipe"],
    &["instances", "lib", "prelude"],
];

fn rank(module: &str) -> Option<usize> {
    RANKS.iter().position(|rank| rank.contains(&module))
}

/// Returns the code of a file without comments and without the tests at its end.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().take_while(|line| line.trim() != "mod tests {");
    lines.filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Returns the modules that the code of a file names as `crate::module`, or in a list, `crate::{a, b::c}`.
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
    let found: Vec<_> = files(&src).into_iter().filter(|path| !path.ends_with("tests.rs")).collect();
    assert!(found.len() > 30, "{found:?}");
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for path in found {
        let relative = path.strip_prefix(&src).unwrap();
        let first = relative.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        let own =
            rank(&first).unwrap_or_else(|| panic!("give {first} a rank in this test and in ARCHITECTURE.md"));
        if matches!(first.as_str(), "instances" | "lib" | "prelude") {
            continue;
        }
        for import in imports(&code(&path)) {
            seen += 1;
            match rank(&import) {
                _ if import == first => {}
                Some(other) if other < own => {}
                // `crate::kernels` imports a macro: macros live at the crate's root.
                other => {
                    wrong.push(format!("{} (rank {own}) imports {import} ({other:?})", relative.display()));
                }
            }
        }
    }
    assert!(seen > 100, "the test reads the imports: {seen}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Asking for the time or the process id panics on platforms that have neither, so only one file may do it.
#[test]
fn only_the_platform_is_asked_for_time_and_processes() {
    let root = Path::new(crate::ROOT);
    let mut asking = Vec::new();
    for path in [root.join("src"), root.join("crates/kernels/src")].iter().flat_map(|folder| files(folder)) {
        if ["platform.rs", "fixtures.rs"].iter().any(|name| path.ends_with(name)) {
            continue;
        }
        let named = ["SystemTime::now", "process::id", "available_parallelism", "temp_dir", "thread::sleep"];
        let code = code(&path);
        let mut lines = code.lines().filter(|line| {
            named.iter().any(|name| line.contains(name))
                || line.contains("std::time") && line.contains("Instant")
        });
        asking.extend(lines.next().map(|line| format!("{}: {line}", path.display())));
    }
    assert!(asking.is_empty(), "ask crates/kernels/src/platform.rs instead:\n{}", asking.join("\n"));
}

/// The largest number of lines of a file in `plywood` or its kernels, including documentation, tests and blank lines.
const FILE: usize = 450;
/// The largest number of lines of a function, from `fn` to the closing brace. Tests and kernels are exempt.
const FUNCTION: usize = 70;
/// The largest number of parameters of a function, including `self`. Tests and kernels are exempt.
const PARAMETERS: usize = 6;

/// The prefix of names of files in the kernels' crate.
const KERNELS: &str = "kernels/";

/// The names of the server's files begin with this.
const SERVE: &str = "serve/";

const LIMITS: &str = "at most 450 lines of a file, 70 of a function, 6 parameters, and no circle";

/// The exceptions to the limits: what exceeds a limit, its current number, and the reason.
///
/// The number is exact. If you reduce one of them, write the new number here or remove the line. Nothing is added, and
/// no number is raised. A circle is a set of files in one folder that import one another. Its number is the number of
/// imports among them, one for each pair of a file and a file that it imports.
const EXCEPTIONS: &[(&str, usize, &str)] = &[
    (
        "lines of kernels/optim/adam.rs",
        467,
        "a third is tests; a pipeline is written for each level of instructions",
    ),
    (
        "lines of kernels/gemm/tests.rs",
        505,
        "the tests of all kernels, which share how they draw and compare",
    ),
];

/// Returns everything that exceeds a limit, with its number. The names of files in the kernels' crate begin with
/// "kernels/".
fn above_limits(source: &Source, root: &str) -> BTreeMap<String, usize> {
    let mut above = BTreeMap::new();
    let long = source.lines.iter().filter(|(_, lines)| **lines > FILE);
    above.extend(long.map(|(file, &lines)| (format!("lines of {root}{file}"), lines)));
    let is_kernel = |file: &str| root == KERNELS && !file.starts_with("threads/");
    for function in source.functions.iter().filter(|function| !is_kernel(&function.file)) {
        let place = format!("{} in {root}{}", function.name, function.file);
        if function.lines > FUNCTION {
            above.insert(format!("lines of {place}"), function.lines);
        }
        if function.parameters > PARAMETERS {
            above.insert(format!("parameters of {place}"), function.parameters);
        }
    }
    above.extend(circles(&checked_imports(source, root)).into_iter().map(|(circle, edges)| {
        (circle.replacen("circle in ", &format!("circle in {root}"), 1), edges.len())
    }));
    above
}

/// Returns the imports among which there may be no circle. Files directly in `src` and in the kernels have ranks or are few;
/// those of the server, which has no ranks, are checked like the files of a folder.
fn checked_imports(source: &Source, root: &str) -> BTreeSet<Import> {
    let mut imports = source.imports();
    if root == SERVE {
        let inside = |import: Import| Import {
            from: format!("src/{}", import.from),
            to: format!("src/{}", import.to),
            ..import
        };
        imports = imports.into_iter().map(inside).collect();
    }
    imports
}

/// Returns the errors in a list of exceptions: missing entries, and entries whose number is wrong.
fn complaints(above: &BTreeMap<String, usize>, exceptions: &[(&str, usize, &str)]) -> Vec<String> {
    let mut all = Vec::new();
    for (what, number) in above {
        match exceptions.iter().find(|exception| exception.0 == what) {
            None => all.push(format!("{what}: {number}; {LIMITS}")),
            Some((_, listed, _)) if listed < number => {
                all.push(format!("{what}: {number}, grown from {listed}"));
            }
            Some((_, listed, _)) if listed > number => {
                all.push(format!("{what}: only {number} now; write it in place of {listed}"));
            }
            Some(_) => {}
        }
    }
    let gone = exceptions.iter().filter(|exception| !above.contains_key(exception.0));
    all.extend(gone.map(|exception| format!("{}: take it out, the limit holds", exception.0)));
    all
}

/// Returns the circular imports in each folder, as text, with the pairs of files that import one another.
///
/// A subfolder counts as one file of its folder: `nn/conv` is one file of `nn`, and its own files are checked
/// separately. Files directly in `src` have ranks instead. Calls of methods without the name of their type, such as
/// `trainer.fit(…)`, are not detected.
fn circles(imports: &BTreeSet<Import>) -> BTreeMap<String, BTreeSet<(String, String)>> {
    let mut rooms: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for import in imports {
        let (from, to): (Vec<&str>, Vec<&str>) =
            (import.from.split('/').collect(), import.to.split('/').collect());
        let depth = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
        if depth > 0 {
            let edge = (from[depth].to_owned(), to[depth].to_owned());
            rooms.entry(from[..depth].join("/")).or_default().insert(edge);
        }
    }
    let mut found: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for (room, edges) in rooms {
        let reached: BTreeMap<&String, BTreeSet<&String>> =
            edges.iter().map(|(from, _)| (from, reached(from, &edges))).collect();
        let both = |one: &String, other: &String| {
            let reaches = |from: &String, to: &String| reached.get(from).is_some_and(|all| all.contains(to));
            reaches(one, other) && reaches(other, one)
        };
        for edge in edges.iter().filter(|(from, to)| both(from, to)) {
            let members: Vec<&str> =
                reached.keys().filter(|file| both(file, &edge.0)).map(|file| file.as_str()).collect();
            found
                .entry(format!("circle in {room}: {}", members.join(", ")))
                .or_default()
                .insert(edge.clone());
        }
    }
    found
}

/// Returns the files that can be reached from a file over imports.
fn reached<'a>(from: &String, edges: &'a BTreeSet<(String, String)>) -> BTreeSet<&'a String> {
    let mut all = BTreeSet::new();
    let mut open = vec![from];
    while let Some(next) = open.pop() {
        let further = edges.iter().filter(|(from, _)| from == next).map(|(_, to)| to);
        for to in further {
            if all.insert(to) {
                open.push(to);
            }
        }
    }
    all
}

/// Describes which names the files of a circle import from one another.
fn names(circle: &str, edges: &BTreeSet<(String, String)>, imports: &BTreeSet<Import>) -> String {
    let room = circle.trim_start_matches("circle in ").split(':').next().unwrap();
    let inside = |file: &str, name: &str| {
        let rest = file.strip_prefix(room).and_then(|rest| rest[1..].strip_prefix(name));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let mut text = format!("{circle}\n");
    for (from, to) in edges {
        let pair = imports.iter().filter(|import| inside(&import.from, from) && inside(&import.to, to));
        let named: BTreeSet<&str> = pair.map(|import| import.path.rsplit("::").next().unwrap()).collect();
        text += &format!("    {from} names of {to}: {}\n", named.into_iter().collect::<Vec<_>>().join(", "));
    }
    text
}

#[test]
fn nothing_is_above_a_limit_but_the_exceptions() {
    let (mut above, mut seen) = (BTreeMap::new(), (0, 0));
    for (folder, root) in [("src", ""), ("crates/kernels/src", KERNELS), ("crates/serve/src", SERVE)] {
        let source = Source::read(&Path::new(crate::ROOT).join(folder));
        let imports = checked_imports(&source, root);
        seen = (seen.0 + imports.len(), seen.1 + source.functions.len());
        for (circle, edges) in circles(&imports) {
            println!("{}", names(&circle, &edges, &imports));
        }
        above.extend(above_limits(&source, root));
    }
    assert!(seen.0 > 400 && seen.1 > 2000, "the test reads the files: {seen:?}");
    let complaints = complaints(&above, EXCEPTIONS);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn imports_are_found() {
    assert_eq!(
        imports("use crate::tensor::{Tensor, slice};\nuse crate::{Sequential, io::x};"),
        ["tensor", "Sequential", "io"]
    );
}

#[test]
fn every_file_of_these_tests_is_a_module_of_theirs() {
    let folder = Path::new(crate::ROOT).join("tests/library");
    let main = fs::read_to_string(folder.join("main.rs")).unwrap();
    for path in files(&folder) {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(name == "main" || main.contains(&format!("\nmod {name};\n")), "{name} is never run");
    }
}

/// Returns what exceeds a limit in files given as names and texts.
fn seen(files: &[(&str, &str)]) -> BTreeMap<String, usize> {
    seen_in("", files)
}

/// Like [`seen`], for the root "" or "kernels/".
fn seen_in(root: &str, files: &[(&str, &str)]) -> BTreeMap<String, usize> {
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    above_limits(&Source::of(files), root)
}

#[test]
fn a_circle_is_seen() {
    let root = ("lib.rs", "mod a;\npub use a::One;");
    let room = ("a/mod.rs", "mod one;\nmod two;\nmod three;\npub use one::One;\npub use two::{Two, two};");
    let three = ("a/three.rs", "use super::One;\nuse crate::a::Two as Other;\nstruct Three(One, Other);");
    let one = ("a/one.rs", "use super::two;\npub struct One(pub two::Two);");
    let circle = BTreeMap::from([("circle in a: one.rs, two.rs".to_owned(), 2)]);
    // The import is a `use`, a path in the code, or the name in the crate's root.
    for two in [
        "use super::One;\npub struct Two;\npub fn two() {}",
        "pub struct Two;\npub fn two() { let text = \"{\"; super::one::One::new(text, '\"') }",
        "pub struct Two;\nimpl<'a> Two { fn one() -> crate::One { loop {} } }",
        "macros! { pub struct Two; pub fn two(_: Option<&super::super::a::One>) {} }",
    ] {
        assert_eq!(seen(&[root, room, one, three, ("a/two.rs", two)]), circle, "{two}");
    }
    for two in [
        "/// [`super::One`]\npub struct Two; // use super::One;\npub const T: &str = \"use super::One;\";",
        "pub struct Two;\n#[cfg(test)]\nmod tests { use super::super::One; }",
        "pub struct Two;\n#[cfg(test)]\nuse super::{One};\npub struct More;",
        "pub struct Two;\npub(in super::one) struct More;",
    ] {
        assert_eq!(seen(&[root, room, one, three, ("a/two.rs", two)]), BTreeMap::new(), "{two}");
    }
}

#[test]
fn a_folder_in_a_folder_is_one_thing_there_and_has_circles_of_its_own() {
    let files = [
        ("a/mod.rs", "pub mod b;\npub mod c;\npub const A: u8 = 1;\n#[cfg(test)]\nmod tests;"),
        ("a/tests.rs", "use super::b::one;"),
        ("a/c.rs", "use super::b::two::Two;\npub const C: u8 = Two;"),
        ("a/b/mod.rs", "pub mod one;\npub mod two;"),
        (
            "a/b/one.rs",
            "use super::super::c::C;\nuse super::super::A;\nuse super::two::Two;\npub struct One;",
        ),
        ("a/b/two.rs", "pub struct Two;\nfn f() { super::one::One; }"),
    ];
    let expected = [("circle in a/b: one.rs, two.rs", 2), ("circle in a: b, c.rs", 2)];
    assert_eq!(seen(&files), expected.map(|(circle, edges)| (circle.to_owned(), edges)).into());
}

#[test]
fn a_mod_rs_that_uses_what_it_hands_on_imports_it() {
    let one = ("a/one.rs", "use super::Plain;\npub struct One(Plain);");
    let hands_on = ("a/mod.rs", "mod one;\npub use one::One;\npub struct Plain;");
    assert_eq!(seen(&[hands_on, one]), BTreeMap::new());
    let uses = ("a/mod.rs", "mod one;\npub use one::One;\npub struct Plain;\npub type Ones = Vec<One>;");
    assert_eq!(seen(&[uses, one]), [("circle in a: mod.rs, one.rs".to_owned(), 2)].into());
}

#[test]
fn long_files_and_functions_and_lists_of_parameters_are_seen() {
    let long = |lines: usize| {
        format!("impl<F: Fn(A) -> B> Of<F> for Long<F> {{\nfn long() {{\n{}}}\n}}", "\n".repeat(lines - 2))
    };
    assert_eq!(seen(&[("a.rs", &long(70))]), BTreeMap::new());
    assert_eq!(seen(&[("a.rs", &long(71))]), [("lines of Long::long in a.rs".to_owned(), 71)].into());
    assert_eq!(seen_in(KERNELS, &[("a.rs", &long(71))]), BTreeMap::new());
    let of_threads = seen_in(KERNELS, &[("threads/a.rs", &long(71))]);
    assert_eq!(of_threads, [("lines of Long::long in kernels/threads/a.rs".to_owned(), 71)].into());
    assert_eq!(seen(&[("a.rs", &format!("#[cfg(test)]\nmod tests {{\n{}\n}}", long(71)))]), BTreeMap::new());

    assert_eq!(seen(&[("a.rs", &"\n".repeat(450))]), BTreeMap::new());
    assert_eq!(
        seen_in(KERNELS, &[("a.rs", &"// {\n".repeat(451))]),
        [("lines of kernels/a.rs".to_owned(), 451)].into()
    );

    let six = "trait Of { \
        fn six<G: Fn(A, B) -> C>(&self, a: A<B, C>, (b, c): (B, C), d: &dyn Fn(A, B) -> C, e: E, f: F,); }";
    assert_eq!(seen(&[("a.rs", six)]), BTreeMap::new());
    let seven = six.replace("a: A<B, C>", "a: A, b: Map<B, C>");
    assert_eq!(seen(&[("a.rs", &seven)]), [("parameters of Of::six in a.rs".to_owned(), 7)].into());
    assert_eq!(seen_in(KERNELS, &[("a.rs", &seven)]), BTreeMap::new());
}

#[test]
fn the_list_of_exceptions_only_shrinks() {
    let above = |what: &str, number| BTreeMap::from([(what.to_owned(), number)]);
    let list = [("lines of a.rs", 500, "why")];
    assert!(complaints(&above("lines of a.rs", 500), &list).is_empty());
    assert_eq!(complaints(&above("lines of a.rs", 501), &list), ["lines of a.rs: 501, grown from 500"]);
    assert_eq!(
        complaints(&above("lines of a.rs", 499), &list),
        ["lines of a.rs: only 499 now; write it in place of 500"]
    );
    assert_eq!(complaints(&BTreeMap::new(), &list), ["lines of a.rs: take it out, the limit holds"]);
    let new = complaints(&above("parameters of f in a.rs", 7), &[]);
    assert_eq!(new.len(), 1);
    assert!(new[0].starts_with("parameters of f in a.rs: 7; at most"), "{new:?}");
    assert!([FILE, FUNCTION, PARAMETERS].iter().all(|limit| LIMITS.contains(&limit.to_string())));
}
