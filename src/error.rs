//! The one error type of the crate.

use std::fmt;
use std::path::PathBuf;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where, what was expected, what was found, and what to do about it.
///
/// The text is meant for people; [`kind`](Error::kind) is meant for programs. An error collects the places it
/// passes through on its way up, so that a shape that does not fit names its layer.
///
/// ```
/// use plywood::prelude::*;
///
/// let error = Sequential::builder([28, 28])
///     .layer(Dense::units(0))
///     .build()
///     .unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "layer 0 (dense): expected units of at least 1, found 0. \
///      Give the layer the number of features it shall put out."
/// );
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    place: Vec<String>,
    help: String,
}

/// The kinds of error, with what a program may want to know of each.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The shape of an array does not fit.
    Shape {
        /// What the shape belongs to: "an input", "the gradient".
        what: String,
        /// The shape that was expected, in words or numbers.
        expected: String,
        /// The shape that was found.
        found: Vec<usize>,
    },
    /// An argument or a hyper-parameter lies outside what is allowed.
    Argument {
        /// The argument's name.
        name: String,
        /// What is allowed.
        expected: String,
        /// The value that was given.
        found: String,
    },
    /// The data cannot be used: a label out of range, no samples, a weight below zero.
    Data {
        /// What was looked at.
        what: String,
        /// What it should have been.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A number that is infinite or not a number came up in training.
    NonFinite {
        /// The first thing in the order of computation that holds one: "the output of layer 2 (softmax)".
        what: String,
        /// The optimiser's step at which it was noticed.
        step: u64,
    },
    /// A file names a kind of layer that the registry does not have.
    UnknownLayer {
        /// The kind the file names.
        kind: String,
        /// The kinds the registry knows.
        known: Vec<String>,
    },
    /// A file's content is not what it should be: truncated, corrupt, of another format or version.
    Format {
        /// The part of the file that was read.
        what: String,
        /// What it should have been.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A file's SHA-256 is not the published one.
    Checksum {
        /// The file, or the address it came from.
        file: String,
        /// The published sum, in hexadecimal.
        expected: String,
        /// The file's sum.
        found: String,
    },
    /// The operating system refused to read or write.
    Io {
        /// What was tried: "read", "create the folder".
        action: String,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file could not be fetched.
    Download {
        /// The address.
        url: String,
        /// What happened.
        reason: String,
        /// True when no host answered at all, as on a machine without a network.
        unreachable: bool,
    },
    /// An error of somebody's own layer, loss, data set or callback.
    Custom {
        /// What went wrong.
        message: String,
    },
}

impl Error {
    /// An error of this kind, with no place and no advice yet.
    pub fn new(kind: ErrorKind) -> Self {
        Self(Box::new(Inner { kind, place: Vec::new(), help: String::new() }))
    }

    /// A shape that does not fit: `Error::shape("an input", "[batch, 784]", &[32, 100])`.
    pub fn shape(what: impl Into<String>, expected: impl fmt::Display, found: &[usize]) -> Self {
        let (what, expected) = (what.into(), expected.to_string());
        Self::new(ErrorKind::Shape { what, expected, found: found.to_vec() })
    }

    /// An argument outside what is allowed: `Error::argument("a rate", "at least 0 and below 1", 1.5)`.
    pub fn argument(name: impl Into<String>, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        let (name, expected, found) = (name.into(), expected.to_string(), found.to_string());
        Self::new(ErrorKind::Argument { name, expected, found })
    }

    /// Data that cannot be used: `Error::data("label 7", "below 3, the number of classes", 5)`.
    pub fn data(what: impl Into<String>, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        let (what, expected, found) = (what.into(), expected.to_string(), found.to_string());
        Self::new(ErrorKind::Data { what, expected, found })
    }

    /// A file whose content is not what it should be.
    pub fn format(what: impl Into<String>, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        let (what, expected, found) = (what.into(), expected.to_string(), found.to_string());
        Self::new(ErrorKind::Format { what, expected, found })
    }

    /// A refusal of the operating system: `Error::io("read", path, error)`.
    pub fn io(action: impl Into<String>, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::new(ErrorKind::Io { action: action.into(), path: path.into(), source })
    }

    /// An error in the words of a layer, loss, data set or callback of your own.
    pub fn custom(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Custom { message: message.to_string() })
    }

    /// Adds what to do about it, as a full sentence.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = help.into();
        self
    }

    /// Adds a place; places added later stand further outside: `inner.at("layer 2 (dense)").at("fit")`.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.0.place.push(place.to_string());
        self
    }

    /// What kind of error it is.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The places it passed through, the outermost first; empty where there is nothing to name.
    pub fn place(&self) -> String {
        self.0.place.iter().rev().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, place, help } = &*self.0;
        if !place.is_empty() {
            write!(f, "{}: ", self.place())?;
        }
        match kind {
            ErrorKind::Shape { what, expected, found } => {
                write!(f, "expected {what} of shape {expected}, found {found:?}")
            }
            ErrorKind::Argument { name, expected, found } => {
                write!(f, "expected {name} of {expected}, found {found}")
            }
            ErrorKind::Data { what, expected, found } => {
                write!(f, "expected {what} {expected}, found {found}")
            }
            ErrorKind::NonFinite { what, step } => {
                write!(f, "{what} is not finite (NaN or infinity), noticed at step {step}")
            }
            ErrorKind::UnknownLayer { kind, known } => {
                write!(f, "expected a layer of a known kind ({}), found {kind:?}", known.join(", "))
            }
            ErrorKind::Format { what, expected, found } => {
                write!(f, "expected {what} to be {expected}, found {found}")
            }
            ErrorKind::Checksum { file, expected, found } => {
                write!(f, "expected {file} to have the SHA-256 {expected}, found {found}")
            }
            ErrorKind::Io { action, path, source } => {
                write!(f, "could not {action} {}: {source}", path.display())
            }
            ErrorKind::Download { url, reason, .. } => write!(f, "could not fetch {url}: {reason}"),
            ErrorKind::Custom { message } => f.write_str(message),
        }?;
        if help.is_empty() { Ok(()) } else { write!(f, ". {help}") }
    }
}

impl fmt::Debug for Error {
    /// The text of [`Display`](fmt::Display), so that `main() -> Result<(), Error>` and `unwrap` read well.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.kind {
            ErrorKind::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_where_what_expected_found_and_what_to_do() {
        let error = Error::shape("an input", "[batch, 784]", &[32, 100])
            .help("Flatten the images first.")
            .at("layer 1 (dense)")
            .at("predict");
        assert_eq!(
            error.to_string(),
            "predict, layer 1 (dense): expected an input of shape [batch, 784], found [32, 100]. \
             Flatten the images first."
        );
        assert!(matches!(error.kind(), ErrorKind::Shape { found, .. } if found == &[32, 100]));
    }

    #[test]
    fn an_error_is_small_and_crosses_threads() {
        fn crosses<T: Send + Sync + 'static>() {}
        crosses::<Error>();
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}
