//! [`InputShapes`]: what the inputs of a data set are.

use crate::error::{Error, Result};
use crate::nn::Port;
use crate::shown::cut;

/// The inputs of a data set: the shape of the only one, or the names and shapes of several.
///
/// Shapes are those of one sample, without the batch axis. A model with several inputs takes them by name, in any order.
///
/// ```
/// use plywood::data::InputShapes;
/// use plywood::prelude::*;
///
/// let ports = [Port::new("image", [1, 28, 28]), Port::new("row", [12])];
/// assert_eq!(InputShapes::Named(&ports).to_string(), "image [1, 28, 28], row [12]");
/// assert_eq!(InputShapes::One(&[4]).to_string(), "[4]");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputShapes<'a> {
    /// One input without a name, which fits any model with one input of this shape.
    One(&'a [usize]),
    /// Inputs with names, in the order in which [`Dataset::read`](super::Dataset::read) fills them.
    Named(&'a [Port]),
}

impl<'a> InputShapes<'a> {
    /// Returns the number of inputs.
    #[allow(clippy::len_without_is_empty)] // A data set without inputs is refused.
    pub fn len(self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Named(ports) => ports.len(),
        }
    }

    /// Returns the shape of the only input; `None` if there are several.
    pub fn only(self) -> Option<&'a [usize]> {
        match self {
            Self::One(shape) => Some(shape),
            Self::Named([port]) => Some(port.shape()),
            Self::Named(_) => None,
        }
    }

    /// Returns the position and the shape of the input that a change or a picture is of: that with the name, or without one
    /// the only input. `by` is the call that names one.
    pub(crate) fn chosen(self, name: Option<&str>, by: &str) -> Result<(usize, &'a [usize])> {
        match (self, name) {
            (Self::Named(ports), Some(name)) => {
                let at = ports.iter().position(|port| port.name() == name).ok_or_else(|| {
                    Error::data(
                        format!("the input {:?}", cut(name)),
                        "be one of the data's",
                        format!("data with {self}"),
                    )
                    .help("Name one of these inputs.")
                })?;
                if ports[at].is_ids() {
                    return Err(Error::data(format!("the input {:?}", cut(name)), "be numbers", "ids")
                        .help("Ids are not changed."));
                }
                Ok((at, ports[at].shape()))
            }
            (Self::One(_), Some(name)) => Err(Error::data(
                format!("the input {:?}", cut(name)),
                "be one of the data's",
                "data with one input without a name",
            )
            .help("Leave the name out.")),
            (inputs, None) => inputs.only().map(|shape| (0, shape)).ok_or_else(|| {
                Error::data("the input", "be named, as the data have several", "no name")
                    .help(format!("Name one by `{by}`: the data have {self}."))
            }),
        }
    }
}

/// `[28, 28]`, or `image [1, 28, 28], row [12]`.
impl std::fmt::Display for InputShapes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::One(shape) => write!(f, "{shape:?}"),
            Self::Named(ports) => {
                for (at, port) in ports.iter().enumerate() {
                    let comma = if at == 0 { "" } else { ", " };
                    write!(f, "{comma}{} {:?}", cut(port.name()), port.shape())?;
                }
                Ok(())
            }
        }
    }
}
