//! Analyses the source text of the library: its modules, their definitions and imports, and the lengths of functions.
//!
//! `proc-macro2` splits a file into the compiler's tokens and handles strings, lifetimes, comments and brackets. It
//! compiles in a tenth of the time of `syn`. Code under `#[cfg(test)]` is left out, as are documentation and other
//! attributes. Names are resolved as the compiler does it, through `use` and `pub use`, as far as the text allows: what
//! a macro generates counts as defined in the file that calls it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A named function, including trait methods without a body and functions in macros.
#[derive(Debug)]
pub struct Function {
    /// The file, relative to `src`: `train/trainer/epochs.rs`.
    pub file: String,
    /// The name; for methods, after the name of the type or trait: `Trainer::fit`.
    pub name: String,
    /// The number of lines, from `fn` to the closing brace.
    pub lines: usize,
    /// The number of parameters, including `self`.
    pub parameters: usize,
}

/// An import: one file uses a name that another one defines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// The file that uses the name.
    pub from: String,
    /// The file that defines it.
    pub to: String,
    /// The path that is used.
    pub path: String,
}

/// Files by name, with their content.
#[derive(Default)]
pub struct Source {
    modules: Vec<Module>,
    /// The index of the module with each path.
    places: BTreeMap<Vec<String>, usize>,
    /// The file that defines each macro.
    macros: BTreeMap<String, String>,
    /// The files that contain only tests.
    tests: BTreeSet<String>,
    pub functions: Vec<Function>,
    /// The number of lines of each file, including documentation, tests and blank lines.
    pub lines: BTreeMap<String, usize>,
}

#[derive(Default)]
struct Module {
    /// The path from the crate's root.
    path: Vec<String>,
    file: String,
    /// The items defined in this module.
    items: BTreeSet<String>,
    uses: Vec<Use>,
    /// The paths in the code, and true for those followed by a `!`.
    paths: BTreeSet<(Vec<String>, bool)>,
}

struct Use {
    path: Vec<String>,
    /// The name in this module; none for `*`.
    name: Option<String>,
    /// True for a `pub use` in a `mod.rs`, which re-exports a name and is not an import.
    hands_on: bool,
}

enum Found {
    Module(usize),
    Item(String),
}

/// The position of the tokens being read.
#[derive(Clone)]
struct Place {
    module: usize,
    /// True directly in the module, not in the body of a function or another bracket.
    top: bool,
    /// The type or trait that the methods belong to.
    owner: Option<String>,
}

impl Source {
    /// Reads all files in a folder.
    pub fn read(folder: &Path) -> Self {
        let files = files(folder);
        let name = |path: &Path| path.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
        let texts = files.iter().map(|path| (name(path), fs::read_to_string(path).unwrap()));
        Self::of(texts)
    }

    /// Reads files given as names and texts.
    pub fn of(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut source = Self::default();
        for (file, text) in files {
            source.lines.insert(file.clone(), text.lines().count());
            let mut path: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
            if matches!(path.last().unwrap().as_str(), "mod" | "lib") {
                path.pop();
            }
            let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{file}: {error}"));
            let module = source.module(path, file);
            source.walk(tokens, &Place { module, top: true, owner: None });
        }
        let tests = source.tests.clone();
        source.functions.retain(|function| !tests.contains(&function.file));
        for module in source.modules.iter_mut().filter(|module| tests.contains(&module.file)) {
            (module.uses, module.paths) = (Vec::new(), BTreeSet::new());
        }
        source
    }

    fn module(&mut self, path: Vec<String>, file: String) -> usize {
        self.places.insert(path.clone(), self.modules.len());
        self.modules.push(Module { path, file, ..Module::default() });
        self.modules.len() - 1
    }

    fn walk(&mut self, tokens: TokenStream, place: &Place) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            at = match &tokens[at] {
                TokenTree::Punct(punct) if punct.as_char() == '#' => self.attribute(&tokens, at, place),
                TokenTree::Group(group) => {
                    self.walk(group.stream(), &Place { top: false, ..place.clone() });
                    at + 1
                }
                TokenTree::Ident(_) => self.word(&tokens, at, place),
                _ => at + 1,
            };
        }
    }

    /// Skips an attribute, and the item after it if that is compiled only for tests.
    fn attribute(&mut self, tokens: &[TokenTree], at: usize, place: &Place) -> usize {
        let bracket = at + 1 + usize::from(is(tokens, at + 1, "!"));
        let Some(TokenTree::Group(group)) = tokens.get(bracket) else { return at + 1 };
        let text = group.stream().to_string().replace(' ', "");
        if !(text.starts_with("cfg(test)") || text.starts_with("cfg(all(test")) {
            return bracket + 1;
        }
        let starts = |at: usize, word| (at..tokens.len().min(at + 4)).find(|&at| is(tokens, at, word));
        let start = bracket + 1;
        if let Some(module) = starts(start, "mod").filter(|module| is(tokens, module + 2, ";")) {
            let name = tokens[module + 1].to_string() + ".rs";
            self.tests.insert([self.modules[place.module].path.as_slice(), &[name]].concat().join("/"));
        }
        let brackets_end = starts(start, "use").is_none();
        let ends = |at: &usize| is(tokens, *at, ";") || brackets_end && ends_item(&tokens[*at]);
        (start..tokens.len()).find(ends).map_or(tokens.len(), |end| end + 1)
    }

    /// Reads the tokens from a word on. Returns where to continue.
    fn word(&mut self, tokens: &[TokenTree], at: usize, place: &Place) -> usize {
        let word = tokens[at].to_string();
        let name = match tokens.get(at + 1) {
            Some(TokenTree::Ident(name)) => Some(name.to_string()),
            _ => None,
        };
        match (word.as_str(), name) {
            ("use", _) if !is(tokens, at + 1, "<") => self.import(tokens, at, place),
            ("mod", Some(name)) => {
                if let Some(TokenTree::Group(group)) = tokens.get(at + 2) {
                    let parent = &self.modules[place.module];
                    let path = [parent.path.as_slice(), &[name]].concat();
                    let module = self.module(path, parent.file.clone());
                    self.walk(group.stream(), &Place { module, top: true, owner: None });
                    return at + 3;
                }
                at + 2
            }
            ("fn", Some(name)) => {
                self.function(tokens, at, &name, place);
                self.define(name, place);
                at + 2
            }
            ("struct" | "enum" | "type" | "const" | "static" | "union", Some(name)) => {
                if name != "fn" && !(at > 0 && is(tokens, at - 1, "*")) {
                    self.define(name, place);
                }
                at + 1
            }
            ("trait", Some(name)) => {
                self.define(name.clone(), place);
                self.owned(tokens, at, name, place)
            }
            ("impl", _) if starts_item(tokens, at) => {
                self.owned(tokens, at, implemented(&tokens[at + 1..]), place)
            }
            ("macro_rules", _) if is(tokens, at + 1, "!") => {
                let file = self.modules[place.module].file.clone();
                self.macros.insert(tokens[at + 2].to_string(), file);
                at + 3
            }
            _ => self.path(tokens, at, place),
        }
    }

    fn define(&mut self, name: String, place: &Place) {
        if place.top {
            self.modules[place.module].items.insert(name);
        }
    }

    /// Reads the head and the body of an `impl` or a trait.
    fn owned(&mut self, tokens: &[TokenTree], at: usize, owner: String, place: &Place) -> usize {
        let body = tokens[at..].iter().position(ends_item).map_or(tokens.len(), |body| at + body);
        let head = tokens[at + 1..body].iter().cloned().collect();
        self.walk(head, &Place { top: false, ..place.clone() });
        if let Some(TokenTree::Group(group)) = tokens.get(body) {
            self.walk(group.stream(), &Place { top: false, owner: Some(owner), ..*place });
        }
        body + 1
    }

    fn function(&mut self, tokens: &[TokenTree], at: usize, name: &str, place: &Place) {
        let end = tokens[at..].iter().find(|token| ends_item(token));
        let last = match end {
            Some(TokenTree::Group(body)) => body.span_close().end().line,
            Some(other) => other.span().end().line,
            None => tokens[at].span().end().line,
        };
        let head = outside_angles(&tokens[at..]);
        let parameters = head.iter().find_map(|token| bracketed(token, Delimiter::Parenthesis));
        self.functions.push(Function {
            file: self.modules[place.module].file.clone(),
            name: place.owner.as_ref().map_or(name.to_owned(), |owner| format!("{owner}::{name}")),
            lines: last + 1 - tokens[at].span().start().line,
            parameters: parameters.map_or(0, count),
        });
    }

    /// Reads a `use` up to its semicolon.
    fn import(&mut self, tokens: &[TokenTree], at: usize, place: &Place) -> usize {
        let end = (at..tokens.len()).find(|&i| is(tokens, i, ";")).unwrap_or(tokens.len());
        let public = at > 0
            && (is(tokens, at - 1, "pub") || bracketed(&tokens[at - 1], Delimiter::Parenthesis).is_some());
        let module = &mut self.modules[place.module];
        let hands_on = public && (module.file.ends_with("mod.rs") || module.file == "lib.rs");
        branches(&tokens[at + 1..end], &[], &mut |path, name| {
            module.uses.push(Use { path, name, hands_on });
        });
        end + 1
    }

    /// Reads a path or a single name. The content of a macro call is read like the code around it.
    fn path(&mut self, tokens: &[TokenTree], at: usize, place: &Place) -> usize {
        let mut path = vec![tokens[at].to_string()];
        let mut next = at + 1;
        while is(tokens, next, ":") && is(tokens, next + 1, ":") {
            let Some(TokenTree::Ident(name)) = tokens.get(next + 2) else { break };
            path.push(name.to_string());
            next += 3;
        }
        let called = is(tokens, next, "!");
        let before = |back: usize, mark: &str| at >= back && is(tokens, at - back, mark);
        let member = before(1, ".") && !before(2, ".");
        let associated = before(1, ":") && before(2, ":");
        let variable = before(1, "$") && path[0] != "crate" || before(1, "'");
        // `pub(in crate::room)` restricts visibility, and is not an import.
        let visibility = at == 1 && before(1, "in");
        if !member && !associated && !variable && !visibility {
            self.modules[place.module].paths.insert((path, called));
        }
        match tokens.get(next + 1) {
            Some(TokenTree::Group(group)) if called => {
                self.walk(group.stream(), place);
                next + 2
            }
            _ => next,
        }
    }

    /// Returns which file imports from which.
    pub fn imports(&self) -> BTreeSet<Import> {
        let mut imports = BTreeSet::new();
        for (at, module) in self.modules.iter().enumerate() {
            let used = module.uses.iter().filter(|used| !used.hands_on).map(|used| (&used.path, false));
            for (path, called) in used.chain(module.paths.iter().map(|(path, called)| (path, *called))) {
                let file = match self.resolve(at, path, &mut Vec::new()) {
                    Some(Found::Item(file)) => file,
                    Some(Found::Module(found)) if path.len() > 1 => self.modules[found].file.clone(),
                    // A single word that names a module may also be a variable.
                    Some(Found::Module(_)) => continue,
                    None if called => match self.macros.get(path.last().unwrap()) {
                        Some(file) => file.clone(),
                        None => continue,
                    },
                    None => continue,
                };
                if file != module.file {
                    imports.insert(Import { from: module.file.clone(), to: file, path: path.join("::") });
                }
            }
        }
        imports
    }

    /// Resolves a path, seen from a module, through re-exports, to the file that defines the item, or to a module.
    fn resolve(&self, from: usize, path: &[String], seen: &mut Vec<(usize, String)>) -> Option<Found> {
        let mut module = from;
        let mut scoped = false;
        for (at, name) in path.iter().enumerate() {
            let place = &self.modules[module].path;
            let moved = match name.as_str() {
                "crate" => self.at(&[]),
                "self" => Some(module),
                "super" => self.at(&place[..place.len().saturating_sub(1)]),
                _ => None,
            };
            if let Some(moved) = moved {
                (module, scoped) = (moved, true);
                continue;
            }
            match self.look(module, name, at + 1 == path.len(), seen) {
                Some(Found::Module(found)) => (module, scoped) = (found, true),
                Some(item) => return Some(item),
                // A macro defined it, or it belongs to another crate.
                None if scoped && !self.modules[module].path.is_empty() => {
                    return Some(Found::Item(self.modules[module].file.clone()));
                }
                None => return None,
            }
        }
        Some(Found::Module(module))
    }

    /// Looks up a name in a module. If a module and an item share the name, the last segment of a path is the item.
    fn look(&self, module: usize, name: &str, last: bool, seen: &mut Vec<(usize, String)>) -> Option<Found> {
        let here = &self.modules[module];
        let child = self.at(&[here.path.as_slice(), &[name.to_owned()]].concat());
        if !last && child.is_some() {
            return child.map(Found::Module);
        }
        if here.items.contains(name) {
            return Some(Found::Item(here.file.clone()));
        }
        let key = (module, name.to_owned());
        if seen.contains(&key) {
            return child.map(Found::Module);
        }
        seen.push(key);
        let named = here.uses.iter().filter(|used| used.name.as_deref() == Some(name));
        let found = named.filter_map(|used| self.resolve(module, &used.path, seen)).next();
        let stars = here.uses.iter().filter(|used| used.name.is_none());
        let found = found.or_else(|| {
            stars
                .filter_map(|used| match self.resolve(module, &used.path, seen) {
                    Some(Found::Module(other)) => self.look(other, name, last, seen),
                    _ => None,
                })
                .next()
        });
        seen.pop();
        found.or(child.map(Found::Module))
    }

    fn at(&self, path: &[String]) -> Option<usize> {
        self.places.get(path).copied()
    }
}

/// Returns the Rust files in a folder and its subfolders, sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn is(tokens: &[TokenTree], at: usize, text: &str) -> bool {
    match tokens.get(at) {
        Some(TokenTree::Ident(ident)) => ident == text,
        Some(TokenTree::Punct(punct)) => text.len() == 1 && text.starts_with(punct.as_char()),
        _ => false,
    }
}

fn bracketed(token: &TokenTree, delimiter: Delimiter) -> Option<&Group> {
    match token {
        TokenTree::Group(group) if group.delimiter() == delimiter => Some(group),
        _ => None,
    }
}

fn ends_item(token: &TokenTree) -> bool {
    bracketed(token, Delimiter::Brace).is_some() || matches!(token, TokenTree::Punct(p) if p.as_char() == ';')
}

/// Returns whether an `impl` starts a block of methods, and is not an `impl Trait` in a signature.
fn starts_item(tokens: &[TokenTree], at: usize) -> bool {
    match at.checked_sub(1).map(|before| &tokens[before]) {
        None => true,
        Some(TokenTree::Group(group)) => group.delimiter() != Delimiter::Parenthesis,
        Some(TokenTree::Punct(punct)) => punct.as_char() == ';',
        Some(word) => word.to_string() == "unsafe",
    }
}

/// Returns the tokens outside of `<…>`. The arrow `->` does not close a bracket.
fn outside_angles(tokens: &[TokenTree]) -> Vec<&TokenTree> {
    let (mut depth, mut outside, mut before) = (0, Vec::new(), ' ');
    for token in tokens {
        let mark = if let TokenTree::Punct(punct) = token { punct.as_char() } else { ' ' };
        match mark {
            '<' => depth += 1,
            '>' if before == '-' => {}
            '>' => depth -= 1,
            _ if depth == 0 => outside.push(token),
            _ => {}
        }
        before = mark;
    }
    outside
}

/// Returns the type of an `impl`: the last word of its path, without generic arguments.
fn implemented(tokens: &[TokenTree]) -> String {
    let head: Vec<TokenTree> = tokens.iter().take_while(|token| !ends_item(token)).cloned().collect();
    let mut name = String::new();
    for token in outside_angles(&head) {
        match token {
            TokenTree::Ident(word) if word == "where" => break,
            TokenTree::Ident(word) if word != "for" => name = word.to_string(),
            _ => {}
        }
    }
    name
}

/// Counts the parameters in the parentheses.
fn count(parameters: &Group) -> usize {
    let tokens: Vec<TokenTree> = parameters.stream().into_iter().collect();
    let comma = |token: &&TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    let outside = outside_angles(&tokens);
    outside.split(|token| comma(token)).filter(|parameter| !parameter.is_empty()).count()
}

/// Visits the paths of a `use`, each with the name that it introduces.
fn branches(tokens: &[TokenTree], before: &[String], found: &mut dyn FnMut(Vec<String>, Option<String>)) {
    let mut path = before.to_vec();
    let mut alias = None;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(word) if word == "as" => {
                alias = tokens.get(at + 1).map(ToString::to_string);
                break;
            }
            // `{self, …}` is the module itself.
            TokenTree::Ident(word) if word == "self" && !path.is_empty() => {}
            TokenTree::Ident(word) => path.push(word.to_string()),
            TokenTree::Punct(punct) if punct.as_char() == '*' => return found(path, None),
            TokenTree::Group(group) => {
                let list: Vec<TokenTree> = group.stream().into_iter().collect();
                let comma = |t: &TokenTree| matches!(t, TokenTree::Punct(p) if p.as_char() == ',');
                list.split(comma).filter(|one| !one.is_empty()).for_each(|one| branches(one, &path, found));
                return;
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    let name = alias.or_else(|| path.last().cloned());
    found(path, name);
}
