//! [`Port`]: an input or an output of a model.

use std::fmt::Display;

/// An input or an output of a model: its name, and the shape of one sample.
///
/// ```
/// use plywood::prelude::*;
///
/// let model = Sequential::builder([28, 28]).layer(Flatten).layer(Dense::units(10)).build()?;
/// assert_eq!((model.inputs()[0].name(), model.inputs()[0].shape()), ("input", &[28, 28][..]));
/// assert_eq!((model.outputs()[0].name(), model.outputs()[0].shape()), ("output", &[10][..]));
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    name: String,
    shape: Vec<usize>,
    has_lengths: bool,
    ids: bool,
}

impl Port {
    /// Makes the description of an input of a data set: see [`InputShapes`](crate::data::InputShapes).
    pub fn new(name: impl Into<String>, shape: impl Into<Vec<usize>>) -> Self {
        Self { name: name.into(), shape: shape.into(), has_lengths: false, ids: false }
    }

    /// [`new`](Port::new) for an input of ids, which a data set must not scale or mix.
    pub fn ids(name: impl Into<String>, shape: impl Into<Vec<usize>>) -> Self {
        Self { ids: true, ..Self::new(name, shape) }
    }

    /// Returns whether it was made by [`ids`](Port::ids).
    pub fn is_ids(&self) -> bool {
        self.ids
    }

    pub(in crate::nn) fn with_lengths(self, has_lengths: bool) -> Self {
        Self { has_lengths, ..self }
    }

    /// Returns the name: "input" and "output" for a [`Sequential`](super::Sequential).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the shape of one sample, without the batch axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Returns whether it is an output with the lengths of sequences ([`Ports`](super::Ports)), whose steps behind them
    /// are computed from padding.
    ///
    /// The trainer refuses such an output: a loss would count the padding.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let words = || Sequential::builder([4]).layer(Embedding::vocabulary(50, 8).padding(0));
    /// assert!(words().build()?.outputs()[0].has_lengths());
    /// assert!(!words().layer(PoolSteps::mean()).build()?.outputs()[0].has_lengths());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn has_lengths(&self) -> bool {
        self.has_lengths
    }
}

/// The names of a model's inputs and outputs, in an error.
pub(in crate::nn) struct PortNames<'a>(pub &'a [Port], pub &'a [Port]);

impl Display for PortNames<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = |ports: &[Port]| ports.iter().map(Port::name).collect::<Vec<_>>().join(", ");
        write!(f, "inputs {} and outputs {}", names(self.0), names(self.1))
    }
}
