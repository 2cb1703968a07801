//! The kinds of error.

use std::fmt;
use std::path::PathBuf;

/// The kinds of error, each with the details that a program may need.
///
/// This is the text of each kind, without its places and its advice; `what`, `expected` and the like are the fields:
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
/// Fields that people read are texts, and fields that programs use have types: a found shape is a `Vec<usize>`, while
/// the expected one may be "\[batch, 784\]", which a list of numbers cannot express. The enum is `#[non_exhaustive]`: a
/// `match` needs a wildcard arm.
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
    /// The shape of an array is wrong.
    Shape {
        /// The array that has the shape: "an input", "the gradient".
        what: String,
        /// The shape that was expected, in words or numbers.
        expected: String,
        /// The shape that was found.
        found: Vec<usize>,
    },
    /// An argument or a hyperparameter is outside the allowed range.
    Argument {
        /// The argument's name.
        name: String,
        /// The allowed values.
        expected: String,
        /// The value that was given.
        found: String,
    },
    /// The data cannot be used: a label out of range, no samples, a weight below zero.
    Data {
        /// The part of the data that was checked.
        what: String,
        /// The required value.
        expected: String,
        /// The actual value.
        found: String,
    },
    /// An infinity or a NaN occurred in the data, in training or in evaluation.
    NonFinite {
        /// The first value in the order of computation that is not finite: "the output of layer 2 (softmax)".
        what: String,
        /// The optimizer step at which it was noticed, in training.
        step: Option<u64>,
    },
    /// A file names a layer type that the registry does not contain.
    UnknownLayer {
        /// The type that the file names.
        kind: String,
        /// The types in the registry.
        known: Vec<String>,
    },
    /// A file's content is invalid: truncated, corrupt, of another format or version.
    Format {
        /// The part of the file that was read.
        what: String,
        /// The required content.
        expected: String,
        /// The actual content.
        found: String,
    },
    /// A file's SHA-256 differs from the published one.
    Checksum {
        /// The file, or the URL it came from.
        file: String,
        /// The published checksum, in hexadecimal.
        expected: String,
        /// The file's checksum.
        found: String,
    },
    /// The operating system refused to read or write.
    Io {
        /// The attempted action: "read", "create the folder".
        action: String,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A file could not be downloaded.
    Download {
        /// The URL.
        url: String,
        /// The reason.
        reason: String,
        /// True if no host answered at all, as on a machine without a network.
        unreachable: bool,
    },
    /// An error of a custom layer, loss, data set or callback.
    Custom {
        /// The description of the error.
        message: String,
    },
}

impl ErrorKind {
    /// Writes the text, without places and advice.
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
