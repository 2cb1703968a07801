//! The kinds of error.

use std::fmt;
use std::path::PathBuf;

/// The kinds of error, each with the details that a program may need.
///
/// This is the text of each kind, without its places and its advice; `what`, `expected` and the like are the fields:
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
/// A name of one word is a parameter as it is typed, and is printed in backquotes. The text after "must" begins with a
/// verb: "be below 3", "have at least one sample".
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
///     ErrorKind::Shape { found, .. } => format!("a batch of {} columns", found[1]),
///     other => format!("{other:?}"),
/// };
/// assert_eq!(advice, "a batch of 5 columns");
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The shape of an array is wrong.
    Shape {
        /// The array that has the shape: "the input", "the gradient".
        what: String,
        /// The shape that was expected, in words or numbers.
        expected: String,
        /// The shape that was found.
        found: Vec<usize>,
    },
    /// An argument or a hyperparameter is outside the allowed range.
    Argument {
        /// The argument's name: "units", or "the learning rate".
        name: String,
        /// The allowed values: "at least 1".
        expected: String,
        /// The value that was given.
        found: String,
    },
    /// The data cannot be used: a label out of range, no samples, a weight below zero.
    Data {
        /// The part of the data that was checked.
        what: String,
        /// The required value, with its verb: "be below 3".
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
        /// The required content, with its verb: "be below 3".
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
