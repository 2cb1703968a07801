//! What becomes of the lengths of sequences in a chain.

use crate::error::Result;
use crate::kernels::Scalar;
use crate::nn::erased::ErasedInfer;
use crate::nn::lengths::{Origin, Way, unknown};
use crate::nn::ports::Ports;

/// How the layers of a chain are called, as far as lengths go: if its input has none, and if it has some.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lengths {
    without: Ways,
    /// `None` if a layer does not say what becomes of the steps of the input.
    with: Option<Ways>,
}

/// Whose lengths a value in the chain has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Whose {
    #[default]
    Nobody,
    /// Those of the chain's input.
    Input,
    /// Those that a layer made.
    Layer,
}

/// How the layers are called, and whose lengths the output has.
#[derive(Clone, Debug, Default)]
struct Ways {
    of_layers: Vec<Way>,
    end: Whose,
    /// Whether a layer reads the lengths of the chain's input.
    reads_input: bool,
}

impl Ways {
    fn of<F: Scalar, L: ErasedInfer<F> + ?Sized>(
        layers: &[Box<L>],
        shapes: &[&[usize]],
        has_lengths: bool,
    ) -> Result<Self> {
        let mut whose = if has_lengths { Whose::Input } else { Whose::Nobody };
        let mut ways = Self { of_layers: Vec::with_capacity(layers.len()), ..Self::default() };
        for (i, (layer, shapes)) in layers.iter().zip(shapes.windows(2)).enumerate() {
            let way = Way::of(&**layer, shapes[0], shapes[1], whose != Whose::Nobody);
            let way = way.map_err(|error| error.at(place(i, layer.erased_label())))?;
            ways.reads_input |= way.reads() && whose == Whose::Input;
            whose = match way.origin {
                Origin::None => Whose::Nobody,
                Origin::Input(_) => whose,
                Origin::Output(_) => Whose::Layer,
            };
            ways.of_layers.push(way);
        }
        ways.end = whose;
        let mut is_read = false;
        for way in ways.of_layers.iter_mut().rev() {
            way.is_read = is_read;
            is_read = way.reads() || is_read && matches!(way.origin, Origin::Input(_));
        }
        Ok(ways)
    }
}

impl Lengths {
    /// Works them out for layers between which values have these shapes, from the input of the first to the output of the
    /// last.
    ///
    /// # Errors
    /// If a layer gets lengths from one before it and does not say what becomes of the steps.
    pub fn of<F: Scalar, L: ErasedInfer<F> + ?Sized>(layers: &[Box<L>], shapes: &[&[usize]]) -> Result<Self> {
        Ok(Self { without: Ways::of(layers, shapes, false)?, with: Ways::of(layers, shapes, true).ok() })
    }

    /// How the layers are called.
    ///
    /// # Errors
    /// If the input has lengths, and a layer does not say what becomes of its steps.
    pub fn ways(&self, has_lengths: bool) -> Result<&[Way]> {
        let ways = if has_lengths { self.with.as_ref() } else { Some(&self.without) };
        ways.map(|ways| &ways.of_layers[..]).ok_or_else(|| unknown("the input"))
    }

    /// Returns whether a layer reads the lengths of the input.
    pub fn reads_input(&self) -> bool {
        self.with.as_ref().is_some_and(|with| with.reads_input)
    }

    /// Returns whether the output has lengths that a layer made.
    pub fn are_made(&self) -> bool {
        self.without.end == Whose::Layer
    }

    /// Returns whether the last layer is called by its ports, if the chain's input has no lengths.
    pub fn ends_in_ports(&self) -> bool {
        self.without.of_layers.last().is_some_and(|way| way.reads())
    }

    /// [`Layer::keeps_steps`](crate::nn::Layer::keeps_steps): whether all layers do.
    pub fn keeps_steps(&self) -> bool {
        self.with.as_ref().is_some_and(|with| !with.reads_input && with.end == Whose::Input)
    }

    /// [`Layer::ports`](crate::nn::Layer::ports): one input and one output, and the lengths that a layer reads or makes.
    pub fn ports(&self) -> Ports {
        let (outputs, made): (&[_], &[_]) = if self.are_made() {
            (&["output", "lengths"], &[("output", "lengths")])
        } else {
            (&["output"], &[])
        };
        let ports = Ports::new(&["input"], outputs).makes_lengths(made);
        match &self.with {
            Some(with) if with.reads_input => {
                let ports = ports.optional(&["lengths"]).reads_lengths(&[("input", "lengths")]);
                if with.end == Whose::Input { ports.keeps_steps(&[("output", "input")]) } else { ports }
            }
            Some(with) if with.end == Whose::Nobody => ports.ignores_lengths(&["input"]),
            _ => ports,
        }
    }
}

/// Returns the text with which errors name a layer.
pub(in crate::nn) fn place(i: usize, kind: &str) -> String {
    format!("layer {i} ({kind})")
}
