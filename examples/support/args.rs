//! Command-line options, queried by name.

use std::str::FromStr;

/// The program's arguments; each query removes what it has found.
pub struct Args {
    help: &'static str,
    rest: Vec<String>,
}

impl Args {
    /// Reads the arguments. If `--help` is among them, prints the help and exits.
    pub fn new(help: &'static str) -> Self {
        let mut args = Self { help, rest: std::env::args().skip(1).collect() };
        if args.flag("--help") || args.flag("-h") {
            println!("{help}");
            std::process::exit(0);
        }
        args
    }

    /// Returns whether this flag was given.
    pub fn flag(&mut self, name: &str) -> bool {
        let before = self.rest.len();
        self.rest.retain(|argument| argument != name);
        self.rest.len() < before
    }

    /// Returns the text behind this name, if the name was given.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let at = self.rest.iter().position(|argument| argument == name)?;
        if at + 1 == self.rest.len() {
            self.fail(&format!("{name} needs a value"));
        }
        self.rest.remove(at);
        Some(self.rest.remove(at))
    }

    /// Returns the number behind this name, or the default.
    pub fn number<T: FromStr>(&mut self, name: &str, default: T) -> T {
        match self.text(name) {
            None => default,
            Some(text) => {
                text.parse().unwrap_or_else(|_| self.fail(&format!("{name} must be a number, got {text:?}")))
            }
        }
    }

    /// Exits with an error if arguments are left that were not queried.
    pub fn finish(self) {
        if let Some(argument) = self.rest.first() {
            self.fail(&format!("there is no option {argument:?}"));
        }
    }

    fn fail(&self, message: &str) -> ! {
        eprintln!("{message}\n\n{}", self.help);
        std::process::exit(2);
    }
}
