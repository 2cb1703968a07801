//! The kinds of error.

use std::fmt;
use std::path::PathBuf;

/// The kinds of error, with what a program may want to know of each.
///
/// The text of each kind, without its places and its advice; `what`, `expected` and the like are the fields:
///
/// | kind | text |
/// |---|---|
/// | `Shape` | `what` must have shape `expected`, got `found` |
/// | `Argument` | `name` must be `expected`, got `found` |
/// | `Data`, `Format` | `what` must `expected`, got `found` |
/// | `NonFinite` | `what` is not finite (NaN or infinity)`, noticed at step step` |
/// | `UnknownLayer` | the kind of a layer must be in the registry (`known`), got `kind` |
/// | `Checksum` | `file` must have the SHA-256 `expected`, got `found` |
/// | `Io` | could not `action` `path`: `source` |
/// | `Download` | could not fetch `url`: `reason` |
/// | `Custom` | `message` |
///
/// A name of one word is a parameter as it is typed, and is printed in backquotes. The words after "must" begin with a
/// verb: "be below 3", "have at least one sample".
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
///     ErrorKind::Shape { found, .. } => format!("a batch of {} columns", found[1]),
///     other => format!("{other:?}"),
/// };
/// assert_eq!(advice, "a batch of 5 columns");
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The shape of an array does not fit.
    Shape {
        /// What the shape belongs to: "the input", "the gradient".
        what: String,
        /// The shape that was expected, in words or numbers.
        expected: String,
        /// The shape that was found.
        found: Vec<usize>,
    },
    /// An argument or a hyper-parameter lies outside what is allowed.
    Argument {
        /// The argument's name: "units", or "the learning rate".
        name: String,
        /// What is allowed: "at least 1".
        expected: String,
        /// The value that was given.
        found: String,
    },
    /// The data cannot be used: a label out of range, no samples, a weight below zero.
    Data {
        /// What was looked at.
        what: String,
        /// What it should have been, from the verb on: "be below 3".
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
        /// What it should have been, from the verb on: "be below 3".
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
                write!(f, "{what} must have shape {expected}, got {found:?}")
            }
            Self::Argument { name, expected, found } if name.contains(' ') => {
                write!(f, "{name} must be {expected}, got {found}")
            }
            Self::Argument { name, expected, found } => {
                write!(f, "`{name}` must be {expected}, got {found}")
            }
            Self::Data { what, expected, found } | Self::Format { what, expected, found } => {
                write!(f, "{what} must {expected}, got {found}")
            }
            Self::NonFinite { what, step } => {
                write!(f, "{what} is not finite (NaN or infinity)")?;
                step.map_or(Ok(()), |step| write!(f, ", noticed at step {step}"))
            }
            Self::UnknownLayer { kind, known } => {
                write!(f, "the kind of a layer must be in the registry ({}), got {kind:?}", known.join(", "))
            }
            Self::Checksum { file, expected, found } => {
                write!(f, "{file} must have the SHA-256 {expected}, got {found}")
            }
            Self::Io { action, path, source } => {
                write!(f, "could not {action} {}: {source}", path.display())
            }
            Self::Download { url, reason, .. } => write!(f, "could not fetch {url}: {reason}"),
            Self::Custom { message } => f.write_str(message),
        }
    }
}
