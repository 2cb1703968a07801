//! The error type of the crate.
//!
//! An [`Error`] consists of a kind, a list of places and advice. Its text is made from them:
//!
//! ```text
//! predict, layer 1 (dense): the input must have shape [batch, 784], got [32, 100]. Flatten the images first.
//! └──── places ──────────┘  └────────── the kind and its fields ────────────────┘  └─────── help ──────────┘
//! ```
//!
//! Different pieces of code set these parts. The code that detects the fault knows what was expected and found, and
//! gives the advice ([`Error::help`]); the code that passes the error on knows where it happened ([`Error::at`]). So a
//! layer need not know its number in the model, and a model need not know which inputs a layer takes.
//!
//! There is one type for the whole crate because a training loop deals with shapes, files and data sets in one
//! function, and would otherwise convert between three types at each `?`. Programs distinguish errors by [`ErrorKind`].
//! Keras and PyTorch raise `ValueError` and `RuntimeError`, which carry nothing but a text.
//!
//! An error is one pointer wide, so a `Result<Tensor>` is as large as a tensor. Without an error the only cost is the
//! test of the tag; memory is allocated only when an error is made.

mod kind;

pub use kind::ErrorKind;

use crate::kernels::platform;
use std::fmt;
use std::path::PathBuf;

/// A result whose error is [`Error`].
///
/// The second type parameter exists so that, after `use plywood::prelude::*`, the alias can shadow
/// `std::result::Result` and functions with another error type keep their signature.
///
/// ```
/// use plywood::prelude::*;
///
/// fn units(text: &str) -> Result<usize, std::num::ParseIntError> {
///     text.parse()
/// }
///
/// fn layer(text: &str) -> Result<usize> {
///     units(text).map_err(Error::custom)
/// }
///
/// assert_eq!(layer("128")?, 128);
/// assert_eq!(layer("many").unwrap_err().to_string(), "invalid digit found in string");
/// # Ok::<(), plywood::Error>(())
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The error of the crate: what went wrong and where, what was expected and found, and advice on how to fix it.
///
/// The text is for people; [`kind`](Error::kind) is for programs. On its way up an error collects the places it passes
/// through, so that a wrong shape names its layer.
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
///     "layer 0 (dense): `units` must be at least 1, got 0. \
///      Give the layer the number of its output features."
/// );
/// ```
///
/// `Debug` prints the same text as `Display`, so a `main` that returns `Result<(), plywood::Error>` ends with one
/// readable line, and so does `unwrap`. The type is `Send + Sync + 'static`, so it can be sent between threads and
/// converted to `Box<dyn std::error::Error + Send + Sync>` or `anyhow::Error`.
pub struct Error(Box<Inner>);

/// The boxed content. It is separate from [`Error`] so that moving an error moves only eight bytes.
struct Inner {
    kind: ErrorKind,
    /// The innermost place first, because an error passes it first; `Display` reverses the order.
    place: Vec<String>,
    /// One or more sentences; empty if there is no advice.
    help: String,
    /// For an error in one row of a batch: its subject and the row, for the caller that knows the row's position in the
    /// data.
    row: Option<(String, usize)>,
}

impl Error {
    /// Returns an error of this kind, without places and advice.
    ///
    /// The constructors below cover the kinds that a custom layer, loss or data set needs. This one makes the others,
    /// for example for a download by another protocol:
    ///
    /// ```
    /// use plywood::{Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::Download {
    ///     url: "s3://bucket/images".into(),
    ///     reason: "no credentials".into(),
    ///     unreachable: false,
    /// });
    /// assert_eq!(error.to_string(), "could not fetch s3://bucket/images: no credentials");
    /// ```
    pub fn new(kind: ErrorKind) -> Self {
        Self(Box::new(Inner { kind, place: Vec::new(), help: String::new(), row: None }))
    }

    /// Returns the error for a wrong shape: `Error::shape("the input", "[batch, 784]", &[32, 100])`.
    ///
    /// `what` begins with an article, `expected` is written like a shape with names for the free axes, and `found` is
    /// `shape()` of the array, the batch axis included.
    ///
    /// ```
    /// use plywood::Error;
    ///
    /// let error = Error::shape("the kernel", "[height, width, 1, channels]", &[3, 3]);
    /// assert_eq!(error.to_string(), "the kernel must have shape [height, width, 1, channels], got [3, 3]");
    /// ```
    pub fn shape(what: impl Into<String>, expected: impl fmt::Display, found: &[usize]) -> Self {
        let (what, expected) = (what.into(), expected.to_string());
        Self::new(ErrorKind::Shape { what, expected, found: found.to_vec() })
    }

    /// Returns the error for an invalid argument: `Error::argument("rate", "at least 0 and below 1", 1.5)`.
    ///
    /// `name` is the parameter as it is typed, which is printed in backquotes, or several words that begin with an
    /// article: "the learning rate". `expected` follows "must be".
    ///
    /// It is for values that the caller chose: a rate, a size, a path. For values from a file or a data set use
    /// [`data`](Error::data) or [`format`](Error::format), so that a program can tell its own mistake from bad input.
    ///
    /// ```
    /// use plywood::Error;
    ///
    /// let error = Error::argument("window", "odd", 4).help("Take 3 or 5.");
    /// assert_eq!(error.to_string(), "`window` must be odd, got 4. Take 3 or 5.");
    /// ```
    pub fn argument(name: impl Into<String>, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        let (name, expected, found) = (name.into(), expected.to_string(), found.to_string());
        Self::new(ErrorKind::Argument { name, expected, found })
    }

    /// Returns the error for data that cannot be used: `Error::data("label 7", "be below 3, the number of classes", 5)`.
    ///
    /// `expected` follows "must" and begins with a verb: "be at least 0", "have one label for each sample".
    ///
    /// ```
    /// use plywood::Error;
    ///
    /// let error = Error::data("the weight of sample 12", "be at least 0", -0.5);
    /// assert_eq!(error.to_string(), "the weight of sample 12 must be at least 0, got -0.5");
    /// ```
    pub fn data(what: impl Into<String>, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        let (what, expected, found) = (what.into(), expected.to_string(), found.to_string());
        Self::new(ErrorKind::Data { what, expected, found })
    }

    /// Returns the error for unusable data of one sample: `Error::sample("the label", 5, "be below 3", 7)` for row 5 of
    /// a batch.
    ///
    /// It is for losses and metrics, which see a batch and do not know where its rows come from. Training and
    /// evaluation replace the row by the sample's position in the data.
    ///
    /// ```
    /// use plywood::Error;
    ///
    /// let error = Error::sample("the label", 5, "be below 3", 7);
    /// assert_eq!(error.to_string(), "the label of sample 5 in the batch must be below 3, got 7");
    /// ```
    pub fn sample(
        what: impl Into<String>,
        row: usize,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        let what = what.into();
        let mut error = Self::data(format!("{what} of sample {row} in the batch"), expected, found);
        error.0.row = Some((what, row));
        error
    }

    /// Returns the error for an infinity or a NaN in one sample, in row `row` of a batch.
    pub(crate) fn sample_not_finite(what: &str, row: usize) -> Self {
        let named = format!("{what} of sample {row} in the batch");
        let mut error = Self::new(ErrorKind::NonFinite { what: named, step: None });
        error.0.row = Some((what.to_owned(), row));
        error
    }

    /// If the error is about a row of a batch, replaces the row by the sample's position in the data.
    pub(crate) fn in_data(mut self, position: impl FnOnce(usize) -> Option<usize>) -> Self {
        if let Some((of, row)) = &self.0.row
            && let Some(position) = position(*row)
        {
            let named = format!("{of} of sample {position}");
            if let ErrorKind::Data { what, .. } | ErrorKind::NonFinite { what, .. } = &mut self.0.kind {
                *what = named;
            }
            self.0.row = None;
        }
        self
    }

    /// Returns the error for a file with invalid content.
    ///
    /// It is used for IDX files, model files and saved layers. `expected` follows "must" and begins with a verb. `found`
    /// may be the text of another error, for example of a decoder that reports where the bytes ended.
    ///
    /// ```
    /// use plywood::Error;
    ///
    /// let error = Error::format("the header", "have 16 bytes", 2).at("load weights.bin");
    /// assert_eq!(error.to_string(), "load weights.bin: the header must have 16 bytes, got 2");
    /// ```
    pub fn format(what: impl Into<String>, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        let (what, expected, found) = (what.into(), expected.to_string(), found.to_string());
        Self::new(ErrorKind::Format { what, expected, found })
    }

    /// Returns the error for a refusal of the operating system: `Error::io("read", path, error)`.
    ///
    /// `action` is a verb that a path can follow. This is the only kind with a [`source`](std::error::Error::source),
    /// so the system's error code is kept:
    ///
    /// ```
    /// use plywood::Error;
    /// use std::error::Error as _;
    /// use std::io::{self, ErrorKind};
    ///
    /// let error = Error::io("open", "weights.bin", io::Error::from(ErrorKind::PermissionDenied));
    /// let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
    /// assert_eq!(source.kind(), ErrorKind::PermissionDenied);
    /// ```
    pub fn io(action: impl Into<String>, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::new(ErrorKind::Io { action: action.into(), path: path.into(), source })
    }

    /// Returns an error with a text of your own, for a custom layer, loss, data set or callback.
    ///
    /// It also converts errors of other crates: `.map_err(Error::custom)` keeps their text but not their type. There is
    /// deliberately no `From<E>` for all errors, because `?` would then silently turn any error into a `Custom`.
    pub fn custom(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Custom { message: message.to_string() })
    }

    /// Adds advice on how to fix the error, as a full sentence.
    ///
    /// A second call replaces the first: the code closest to the user knows best what the user can do. The text begins
    /// with a capital and ends with a full stop, because it is printed after ". ".
    ///
    /// ```
    /// use plywood::Error;
    ///
    /// let error = Error::custom("no labels").help("Mend the file.").help("Pass `--labels`.");
    /// assert_eq!(error.to_string(), "no labels. Pass `--labels`.");
    /// ```
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        let no_files = matches!(&self.0.kind, ErrorKind::Io { source, .. } if platform::has_no_files(source));
        self.0.help = if no_files { platform::NO_FILES.to_owned() } else { help.into() };
        self
    }

    /// Adds a place. Places added later are further outside: `inner.at("layer 2 (dense)").at("fit")`.
    ///
    /// It costs one `String` per place, only when there is an error. A container calls it with the layer's number and
    /// type, `fit` and `predict` with their own names, `load` with the path.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.0.place.push(place.to_string());
        self
    }

    /// Returns the kind of the error.
    ///
    /// To change an error that passes through, add a place or advice; its kind cannot be changed.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Returns the places the error passed through, the outermost first; empty if there are none.
    ///
    /// ```
    /// use plywood::Error;
    ///
    /// let error = Error::custom("out of memory").at("layer 3 (mycrate.attention)").at("fit");
    /// assert_eq!(error.place(), "fit, layer 3 (mycrate.attention)");
    /// assert_eq!(Error::custom("out of memory").place(), "");
    /// ```
    pub fn place(&self) -> String {
        self.0.place.iter().rev().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

impl Error {
    /// The text without the advice, and the advice.
    pub(crate) fn parts(&self) -> (String, &str) {
        let (mut text, help) = (self.to_string(), self.0.help.as_str());
        if !help.is_empty() {
            text.truncate(text.len() - ". ".len() - help.len());
        }
        (text, help)
    }
}

/// `places: kind. help`; the colon and the full stop are printed only if there are places or advice.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, place, help, .. } = &*self.0;
        if !place.is_empty() {
            write!(f, "{}: ", self.place())?;
        }
        kind.write(f)?;
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
    /// The system's error of [`ErrorKind::Io`]; `None` for the other kinds, whose cause is part of their text.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let ErrorKind::Io { source, .. } = &self.0.kind else { return None };
        Some(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_where_what_expected_found_and_what_to_do() {
        let error = Error::shape("the input", "[batch, 784]", &[32, 100])
            .help("Flatten the images first.")
            .at("layer 1 (dense)")
            .at("predict");
        assert_eq!(
            error.to_string(),
            "predict, layer 1 (dense): the input must have shape [batch, 784], got [32, 100]. \
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
