//! The kinds of error.

use std::fmt;
use std::path::PathBuf;

/// The kinds of error, with what a program may want to know of each.
///
/// The text of each kind, without its places and its advice; `what`, `expected` and the like are the fields:
///
/// | kind | text |
/// |---|---|
/// | `Shape` | expected `what` of shape `expected`, found `found` |
/// | `Argument` | expected `name` of `expected`, found `found` |
/// | `Data` | expected `what` `expected`, found `found` |
/// | `NonFinite` | `what` is not finite (NaN or infinity)`, noticed at step step` |
/// | `UnknownLayer` | expected a layer of a known kind (`known`), found `kind` |
/// | `Format` | expected `what` to be `expected`, found `found` |
/// | `Checksum` | expected `file` to have the SHA-256 `expected`, found `found` |
/// | `Io` | could not `action` `path`: `source` |
/// | `Download` | could not fetch `url`: `reason` |
/// | `Custom` | `message` |
///
/// The fields are words where people read them and types where programs do: a shape that was found is a `Vec<usize>`,
/// while the one that was expected may be "\[batch, 784\]", which no list of numbers can say. The enum is
/// `#[non_exhaustive]`: a `match` needs a last arm.
///
/// ```
/// use plywood::ErrorKind;
/// use plywood::prelude::*;
///
/// let model = Sequential::builder([4]).layer(Dense::units(2)).build()?;
/// let advice = match model.predict(&plywood::ndarray::Array2::<f32>::ones((3, 5))).unwrap_err().kind() {
///     ErrorKind::Shape { found, .. } => format!("{} columns too many", found[1] - 4),
///     other => format!("{other:?}"),
/// };
/// assert_eq!(advice, "1 columns too many");
/// # Ok::<(), plywood::Error>(())
/// ```
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
    /// A number that is infinite or not a number came up, in the data, in training or in evaluation.
    NonFinite {
        /// The first thing in the order of computation that holds one: "the output of layer 2 (softmax)".
        what: String,
        /// The optimizer's step at which it was noticed, in training.
        step: Option<u64>,
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

impl ErrorKind {
    /// Its text, without places and advice.
    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape { what, expected, found } => {
                write!(f, "expected {what} of shape {expected}, found {found:?}")
            }
            Self::Argument { name, expected, found } => {
                write!(f, "expected {name} of {expected}, found {found}")
            }
            Self::Data { what, expected, found } => {
                write!(f, "expected {what} {expected}, found {found}")
            }
            Self::NonFinite { what, step } => {
                write!(f, "{what} is not finite (NaN or infinity)")?;
                step.map_or(Ok(()), |step| write!(f, ", noticed at step {step}"))
            }
            Self::UnknownLayer { kind, known } => {
                write!(f, "expected a layer of a known kind ({}), found {kind:?}", known.join(", "))
            }
            Self::Format { what, expected, found } => {
                write!(f, "expected {what} to be {expected}, found {found}")
            }
            Self::Checksum { file, expected, found } => {
                write!(f, "expected {file} to have the SHA-256 {expected}, found {found}")
            }
            Self::Io { action, path, source } => {
                write!(f, "could not {action} {}: {source}", path.display())
            }
            Self::Download { url, reason, .. } => write!(f, "could not fetch {url}: {reason}"),
            Self::Custom { message } => f.write_str(message),
        }
    }
}
