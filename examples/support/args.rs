//! Options of the command line, each asked for by its name.

use std::str::FromStr;

/// The program's arguments; what has been asked for is taken out.
pub struct Args {
    help: &'static str,
    rest: Vec<String>,
}

impl Args {
    /// Shows the help and ends the program where `--help` is among the arguments.
    pub fn new(help: &'static str) -> Self {
        let mut args = Self { help, rest: std::env::args().skip(1).collect() };
        if args.flag("--help") || args.flag("-h") {
            println!("{help}");
            std::process::exit(0);
        }
        args
    }

    /// Whether it is there.
    pub fn flag(&mut self, name: &str) -> bool {
        let before = self.rest.len();
        self.rest.retain(|argument| argument != name);
        self.rest.len() < before
    }

    /// The text behind the name, where the name is there.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let at = self.rest.iter().position(|argument| argument == name)?;
        if at + 1 == self.rest.len() {
            self.fail(&format!("expected a value after {name}, found nothing"));
        }
        self.rest.remove(at);
        Some(self.rest.remove(at))
    }

    /// The number behind the name, else this one.
    pub fn number<T: FromStr>(&mut self, name: &str, default: T) -> T {
        match self.text(name) {
            None => default,
            Some(text) => text
                .parse()
                .unwrap_or_else(|_| self.fail(&format!("expected a number after {name}, found {text:?}"))),
        }
    }

    /// Ends the program where something is left that nobody asked for.
    pub fn finish(self) {
        if let Some(argument) = self.rest.first() {
            self.fail(&format!("expected an option, found {argument:?}"));
        }
    }

    fn fail(&self, message: &str) -> ! {
        eprintln!("{message}\n\n{}", self.help);
        std::process::exit(2);
    }
}
