//! The one error type of the crate.
//!
//! An [`Error`] is a kind, a list of places and one sentence of advice, and its text is put together from them:
//!
//! ```text
//! predict, layer 1 (dense): the input must have shape [batch, 784], got [32, 100]. Flatten the images first.
//! └──── places ──────────┘  └────────── the kind and its fields ────────────────┘  └─────── help ──────────┘
//! ```
//!
//! The parts are set by different pieces of code. Who finds the fault knows what was expected and
//! found, and gives the advice ([`Error::help`]); whoever passes it on knows where it was ([`Error::at`]). So a
//! layer does not need to know its number in the model, and a model does not need to know what a layer takes.
//!
//! There is one type for the whole crate because a training loop meets shapes, files and data sets in one function,
//! and would otherwise convert between three types at each `?`. What a program wants to tell apart is in
//! [`ErrorKind`]. Keras and PyTorch raise `ValueError` and `RuntimeError`, whose text is all there is to look at.
//!
//! An error is one pointer wide. A `Result<Tensor>` is as large as a tensor, and the good path pays for no more than
//! a test of the tag; the allocation is made where something has already gone wrong.

mod kind;

pub use kind::ErrorKind;

use crate::kernels::platform;
use std::fmt;
use std::path::PathBuf;

/// A result whose error is [`Error`].
///
/// The second parameter is there so that the alias may shadow `std::result::Result` after
/// `use plywood::prelude::*` and functions with another error keep their signature.
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
///     "layer 0 (dense): `units` must be at least 1, got 0. \
///      Give the layer the number of its output features."
/// );
/// ```
///
/// `Debug` prints the same text as `Display`: a `main` that returns `Result<(), plywood::Error>` ends with one
/// readable line, and so does `unwrap`. `Send + Sync + 'static` hold, so an error crosses threads and goes into
/// `Box<dyn std::error::Error + Send + Sync>` or `anyhow::Error`.
pub struct Error(Box<Inner>);

/// What the box holds. It is apart from [`Error`] so that moving an error moves eight bytes.
struct Inner {
    kind: ErrorKind,
    /// The innermost place first, because that is the order in which an error travels; `Display` turns it round.
    place: Vec<String>,
    /// One or more sentences; empty for none.
    help: String,
    /// What of which row of a batch is meant, for whoever knows the row's place in the data.
    row: Option<(String, usize)>,
}

impl Error {
    /// An error of this kind, with no place and no advice yet.
    ///
    /// The constructors below cover the kinds that a layer, a loss or a data set of your own meets. This one makes
    /// the rest, such as a download by another protocol:
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

    /// A shape that does not fit: `Error::shape("the input", "[batch, 784]", &[32, 100])`.
    ///
    /// `what` begins with an article, `expected` is written like a shape with names for what is free, and `found` is
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

    /// An argument outside what is allowed: `Error::argument("rate", "at least 0 and below 1", 1.5)`.
    ///
    /// `name` is the parameter as it is typed, which is printed in backquotes, or several words that begin with an
    /// article: "the learning rate". `expected` follows "must be".
    ///
    /// For what a caller chose: a rate, a size, a path. What came out of a file or a data set is
    /// [`data`](Error::data) or [`format`](Error::format), so that a program can tell its own mistake from a bad
    /// input.
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

    /// Data that cannot be used: `Error::data("label 7", "be below 3, the number of classes", 5)`.
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

    /// Data of one sample that cannot be used: `Error::sample("the label", 5, "be below 3", 7)` for row 5 of a batch.
    ///
    /// For losses and metrics, which see a batch and do not know where its rows are from. Training and evaluation put
    /// the sample's position in the data in the row's place.
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

    /// A number of one sample that is infinite or not a number, for row `row` of a batch.
    pub(crate) fn sample_not_finite(what: &str, row: usize) -> Self {
        let named = format!("{what} of sample {row} in the batch");
        let mut error = Self::new(ErrorKind::NonFinite { what: named, step: None });
        error.0.row = Some((what.to_owned(), row));
        error
    }

    /// Names the sample by its position in the data, where the error is about a row of a batch.
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

    /// A file whose content is not what it should be.
    ///
    /// Raised for IDX files, model files and saved layers. `expected` follows "must" and begins with a verb. `found`
    /// may be another error's text, as where a decoder says at which point the bytes ended.
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

    /// A refusal of the operating system: `Error::io("read", path, error)`.
    ///
    /// `action` is a verb that a path may follow. This is the one kind with a
    /// [`source`](std::error::Error::source), so the system's error code is not lost:
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

    /// An error in the words of a layer, loss, data set or callback of your own.
    ///
    /// The way in for an error of another crate, too: `.map_err(Error::custom)` keeps its text. Its type is lost;
    /// there is no `From<E>` for every error, because `?` would then turn a mistake into a `Custom` without being
    /// asked.
    pub fn custom(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Custom { message: message.to_string() })
    }

    /// Adds what to do about it, as a full sentence.
    ///
    /// A second call replaces the first: whoever is nearest to the user knows best what the user can do. The text
    /// begins with a capital and ends with a full stop, because it is printed behind ". ".
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

    /// Adds a place; places added later stand further outside: `inner.at("layer 2 (dense)").at("fit")`.
    ///
    /// Costs one `String` for each place, on the failing path only. A container calls it with the layer's number and
    /// kind, `fit` and `predict` with their own names, `load` with the path.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.0.place.push(place.to_string());
        self
    }

    /// What kind of error it is.
    ///
    /// To change an error that passes through, add a place or advice; the kind itself stays what it was.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The places it passed through, the outermost first; empty where there is nothing to name.
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

/// `places: kind. help`; the colon and the full stop are there only with what they separate.
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
    /// The system's error below [`ErrorKind::Io`]; none for the other kinds, whose cause is in their text.
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
