//! Checks that the links in the Markdown pages and in the built documentation have valid targets.

use super::source::files;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The prefixes of absolute addresses of files in the repository.
const ADDRESSES: [&str; 2] = [
    "https://github.com/plywood-rs/plywood/blob/main/",
    "https://raw.githubusercontent.com/plywood-rs/plywood/main/",
];

fn root() -> PathBuf {
    fs::canonicalize(crate::ROOT).unwrap()
}

/// Returns the Markdown pages in the root, in docs/ and in examples/.
fn pages() -> Vec<PathBuf> {
    let folder = |path: PathBuf| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let all = [root(), root().join("docs"), root().join("examples")].into_iter().flat_map(folder);
    let mut pages: Vec<PathBuf> =
        all.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect();
    pages.sort();
    pages
}

/// Returns the lines outside of code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// Splits a line that defines a link, `[guide]: docs/guide.md`, into name and target.
fn definition(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix('[')?.split_once("]: ").map(|(name, target)| (name, target.trim()))
}

/// Returns all texts in a line between `open` and `close`.
fn between<'a>(line: &'a str, open: &'a str, close: char) -> impl Iterator<Item = &'a str> {
    line.split(open).skip(1).filter_map(move |rest| rest.split(close).next())
}

/// Returns the link and image targets within a line of text.
fn inline(line: &str) -> impl Iterator<Item = &str> {
    between(line, "](", ')').chain(between(line, "src=\"", '"')).chain(between(line, "srcset=\"", '"'))
}

/// Returns the anchor of a heading, as GitHub generates it.
fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn headings(text: &str) -> BTreeSet<String> {
    prose(text).filter(|line| line.starts_with('#')).map(|line| slug(line.trim_start_matches('#'))).collect()
}

/// Returns an error message if the target of a link on a page is invalid.
fn fault(page: &Path, target: &str) -> Option<String> {
    let local = ADDRESSES.iter().find_map(|address| target.strip_prefix(address));
    let (path, base) = match local {
        Some(path) => (path, root()),
        None if target.contains("://") || target.starts_with("crate::") => return None,
        None => (target, page.parent().unwrap().to_owned()),
    };
    let (file, anchor) = path.split_once('#').map_or((path, None), |(file, anchor)| (file, Some(anchor)));
    let file = if file.is_empty() { page.to_owned() } else { base.join(file) };
    if !file.exists() {
        return Some(format!("{}: there is no {target}", page.display()));
    }
    let anchor = anchor.filter(|_| file.extension().is_some_and(|extension| extension == "md"))?;
    let known = headings(&fs::read_to_string(&file).unwrap());
    (!known.contains(anchor)).then(|| format!("{}: {target} has no such heading", page.display()))
}

#[test]
fn links_of_pages_lead_to_files_and_headings() {
    let (mut faults, mut seen) = (Vec::new(), 0);
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for line in prose(&text) {
            let targets = inline(line).chain(definition(line).map(|(_, target)| target));
            for target in targets.map(|target| target.split(' ').next().unwrap_or(target)) {
                seen += 1;
                faults.extend(fault(&page, target));
            }
        }
    }
    assert!(seen > 60, "the test sees the links: {seen}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Pages that are included in the documentation use relative links by name only, because `src/page_links.md` gives
/// these names other targets there.
#[test]
fn relative_links_of_documented_pages_have_another_target_there() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let links = fs::read_to_string(root().join("src/page_links.md")).unwrap();
    let elsewhere: BTreeSet<&str> = links.lines().filter_map(definition).map(|(name, _)| name).collect();
    let (mut faults, mut seen) = (Vec::new(), 0);
    for page in pages() {
        let name = page.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        if !lib.contains(&format!("\"../{name}\"")) {
            continue;
        }
        seen += 1;
        let text = fs::read_to_string(&page).unwrap();
        for line in prose(&text) {
            let relative = |target: &&str| !target.contains("://") && !target.starts_with('#');
            faults
                .extend(inline(line).filter(relative).map(|target| format!("{name}: {target}, in the text")));
            let defined = definition(line).filter(|(_, target)| relative(target));
            let known = |(link, _): &(&str, &str)| !elsewhere.contains(link);
            faults.extend(defined.filter(known).map(|(link, _)| format!("{name}: [{link}]")));
        }
    }
    assert!(seen > 8, "{seen}");
    let told = |line: &str| {
        definition(line).is_none_or(|(_, target)| fault(&root().join("README.md"), target).is_none())
    };
    assert!(links.lines().all(told), "the addresses in src/page_links.md");
    assert!(faults.is_empty(), "give these a line in src/page_links.md:\n{}", faults.join("\n"));
}

/// Needs `PLYWOOD_DOC_DIR`, the folder that `cargo doc` has written to; `.ci/run` sets it.
#[test]
fn links_of_the_built_documentation_lead_to_files_and_places() {
    let Ok(folder) = std::env::var("PLYWOOD_DOC_DIR") else { return };
    let folder = fs::canonicalize(root().join(folder)).unwrap();
    let (mut faults, mut seen) = (BTreeSet::new(), 0);
    let html = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "html");
    for page in every_file(&folder.join("plywood")).into_iter().filter(html) {
        let text = fs::read_to_string(&page).unwrap();
        for target in between(&text, "href=\"", '"').chain(between(&text, "src=\"", '"')) {
            let elsewhere =
                target.contains("://") || ["data:", "javascript:"].iter().any(|s| target.starts_with(s));
            // Skips templates in scripts, and scripts that rustdoc leaves out if they are empty.
            // A trait of indicatif for all iterators has links that lead into its own documentation.
            let of_others = target.starts_with("ProgressIterator::");
            let script = target.contains("${") || target.contains("trait.impl/");
            if elsewhere || of_others || target.is_empty() || script {
                continue;
            }
            seen += 1;
            let (file, anchor) = target.split_once('#').map_or((target, ""), |(file, anchor)| (file, anchor));
            let file = file.split('?').next().unwrap_or(file);
            let path = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            let source = path.components().any(|part| part.as_os_str() == "src");
            if !path.exists() {
                faults.insert(format!("{}: there is no {target}", page.display()));
            } else if !anchor.is_empty() && html(&path) && !source {
                let there = if file.is_empty() { text.clone() } else { fs::read_to_string(&path).unwrap() };
                if !there.contains(&format!("id=\"{anchor}\"")) {
                    faults.insert(format!("{}: {target} has no such place", page.display()));
                }
            }
        }
    }
    assert!(seen > 10_000, "the test sees the links: {seen}");
    let shown: Vec<_> = faults.iter().take(40).cloned().collect();
    assert!(faults.is_empty(), "{} dead links:\n{}", faults.len(), shown.join("\n"));
}

/// Returns all files in a folder and its subfolders.
fn every_file(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { every_file(&path) } else { vec![path] }).collect()
}

#[test]
fn every_example_is_in_the_table_with_its_features() {
    let manifest = fs::read_to_string(root().join("examples/Cargo.toml")).unwrap();
    let table = fs::read_to_string(root().join("examples/README.md")).unwrap();
    let mut seen = 0;
    for example in manifest.split("[[example]]").skip(1) {
        let value = |key: &str| example.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        let name = value("name = ").unwrap().trim_matches('"');
        let path = value("path = ").unwrap().trim_matches('"');
        let features = value("required-features = [").map(|list| list.trim_end_matches(']').replace('"', ""));
        let row = table.lines().find(|line| line.starts_with(&format!("| [`{name}`]({path}) |")));
        let row = row.unwrap_or_else(|| panic!("examples/README.md has no row of {name}"));
        let end = features.map_or("| |".to_owned(), |features| format!("| `{features}` |"));
        assert!(row.ends_with(&end), "{row} does not end in {end}");
        seen += 1;
    }
    assert!(seen > 10 && files(&root().join("examples")).len() > seen);
}
