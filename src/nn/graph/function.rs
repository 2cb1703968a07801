//! The elementwise functions of a graph, and their names in files.

use super::shape::Shape;
use crate::codec;
use crate::error::{Error, Result};
use crate::kernels::{Binary, Scalar, Unary};
use crate::nn::output_activation::OutputActivation;
use std::ops::Range;

/// An elementwise function of one, two or three values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Function {
    Unary(Unary),
    Binary(Binary),
    /// The second where the first is not 0, else the third.
    Where,
}

/// The functions of one number without fields, those of two, and that of three, by kind.
const PLAIN: [(&str, Function); 30] = [
    ("neg", Function::Unary(Unary::Neg)),
    ("exp", Function::Unary(Unary::Exp)),
    ("ln", Function::Unary(Unary::Ln)),
    ("sqrt", Function::Unary(Unary::Sqrt)),
    ("square", Function::Unary(Unary::Square)),
    ("abs", Function::Unary(Unary::Abs)),
    ("tanh", Function::Unary(Unary::Tanh)),
    ("sigmoid", Function::Unary(Unary::Sigmoid)),
    ("relu", Function::Unary(Unary::ReLU)),
    ("erf", Function::Unary(Unary::Erf)),
    ("sin", Function::Unary(Unary::Sin)),
    ("cos", Function::Unary(Unary::Cos)),
    ("floor", Function::Unary(Unary::Floor)),
    ("ceil", Function::Unary(Unary::Ceil)),
    ("round", Function::Unary(Unary::Round)),
    ("sign", Function::Unary(Unary::Sign)),
    ("logical_not", Function::Unary(Unary::Not)),
    ("add", Function::Binary(Binary::Add)),
    ("subtract", Function::Binary(Binary::Subtract)),
    ("multiply", Function::Binary(Binary::Multiply)),
    ("divide", Function::Binary(Binary::Divide)),
    ("maximum", Function::Binary(Binary::Maximum)),
    ("minimum", Function::Binary(Binary::Minimum)),
    ("greater", Function::Binary(Binary::Greater)),
    ("greater_equal", Function::Binary(Binary::GreaterEqual)),
    ("less", Function::Binary(Binary::Less)),
    ("less_equal", Function::Binary(Binary::LessEqual)),
    ("equal", Function::Binary(Binary::Equal)),
    ("not_equal", Function::Binary(Binary::NotEqual)),
    ("where", Function::Where),
];

impl Function {
    /// Returns the name in files, in the summary and in errors.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Unary(Unary::Plus(_)) => "add_number",
            Self::Unary(Unary::Times(_)) => "multiply_number",
            Self::Unary(Unary::DivideBy(_)) => "divide_by",
            Self::Unary(Unary::SubtractFrom(_)) => "subtract_from",
            Self::Unary(Unary::DivideInto(_)) => "divide_into",
            Self::Unary(Unary::Power(_)) => "power",
            Self::Unary(Unary::Clip(..)) => "clip",
            plain => PLAIN.iter().find(|(_, known)| *known == plain).map_or("unknown", |(kind, _)| kind),
        }
    }

    /// Returns the numbers that are part of the function.
    fn numbers(self) -> Vec<f64> {
        use Unary::{Clip, DivideBy, DivideInto, Plus, Power, SubtractFrom, Times};
        match self {
            Self::Unary(Plus(c) | Times(c) | DivideBy(c) | SubtractFrom(c) | DivideInto(c) | Power(c)) => {
                vec![c]
            }
            Self::Unary(Clip(low, high)) => vec![low, high],
            _ => Vec::new(),
        }
    }

    /// Returns the fields as bytes.
    pub fn encode(self) -> Result<Vec<u8>> {
        let numbers = self.numbers();
        if numbers.is_empty() { Ok(Vec::new()) } else { codec::encode(&numbers) }
    }

    /// Returns the function of this kind and these bytes, or `None` if the kind is none of them.
    pub fn decode(kind: &str, bytes: &[u8]) -> Result<Option<Self>> {
        if let Some((_, plain)) = PLAIN.iter().find(|(known, _)| *known == kind) {
            return if bytes.is_empty() { Ok(Some(*plain)) } else { Err(fields(kind, 0)) };
        }
        let of: fn(f64) -> Unary = match kind {
            "add_number" => Unary::Plus,
            "multiply_number" => Unary::Times,
            "divide_by" => Unary::DivideBy,
            "subtract_from" => Unary::SubtractFrom,
            "divide_into" => Unary::DivideInto,
            "power" => Unary::Power,
            "clip" => |low| Unary::Clip(low, low),
            _ => return Ok(None),
        };
        let numbers: Vec<f64> = codec::decode(bytes, kind)?;
        let function = match (of(0.0), &numbers[..]) {
            (Unary::Clip(..), &[low, high]) => Unary::Clip(low, high),
            (Unary::Clip(..), _) => return Err(fields(kind, 2)),
            (_, &[c]) => of(c),
            _ => return Err(fields(kind, 1)),
        };
        Ok(Some(Self::Unary(function)))
    }

    /// Returns what is known of the results, if this is known of the first input.
    pub fn output_activation(self, input: OutputActivation) -> OutputActivation {
        use Unary::{
            Abs, Cos, DivideBy, Erf, Exp, Neg, Not, Plus, ReLU, Sigmoid, Sign, Sin, Square, Tanh, Times,
        };
        let linear = input == OutputActivation::Linear;
        match self {
            Self::Unary(Sigmoid) => OutputActivation::Sigmoid,
            Self::Unary(ReLU | Square | Abs | Exp) => OutputActivation::NonNegative,
            Self::Unary(Tanh | Erf | Sin | Cos | Sign) => OutputActivation::Bounded,
            Self::Unary(Neg | Plus(_) | Times(_) | DivideBy(_)) if linear => OutputActivation::Linear,
            Self::Binary(Binary::Add | Binary::Subtract) if linear => OutputActivation::Linear,
            Self::Unary(Not) => OutputActivation::UnitInterval,
            Self::Binary(f) if f.is_comparison() => OutputActivation::UnitInterval,
            _ => OutputActivation::Unknown,
        }
    }

    /// Returns the number of inputs.
    pub fn inputs(self) -> usize {
        match self {
            Self::Unary(_) => 1,
            Self::Binary(_) => 2,
            Self::Where => 3,
        }
    }

    /// Returns the numbers of the inputs that have a derivative other than 0.
    pub fn differentiable(self) -> Range<usize> {
        match self {
            Self::Unary(f) if f.is_step() => 0..0,
            Self::Binary(f) if f.is_comparison() => 0..0,
            Self::Where => 1..3,
            other => 0..other.inputs(),
        }
    }

    /// Checks the numbers that are part of the function, in the element type of the graph.
    pub fn check_numbers<F: Scalar>(self) -> Result<()> {
        match self {
            Self::Unary(Unary::Clip(low, high)) => {
                // The bounds may be infinite.
                if low.partial_cmp(&high).is_some_and(|order| order.is_le()) {
                    return Ok(());
                }
                let found = format!("{low} and {high}");
                Err(Error::argument("`low` and `high`", "numbers in this order", found)
                    .help("Values below `low` become `low`, those above `high` become `high`."))
            }
            Self::Unary(Unary::DivideBy(c)) if F::of(c) == F::zero() => {
                let expected = format!("a number that is not 0 in {}", F::NAME);
                Err(Error::argument(format!("the number of {}", self.kind()), expected, c)
                    .help("Look where it comes from: no result would be finite."))
            }
            _ => self.numbers().iter().try_for_each(|&c| check_number::<F>(self.kind(), c)),
        }
    }

    /// Returns for each input whether a derivative is computed from it, and whether one is from the output.
    pub fn derives_from(self) -> ([bool; 3], bool) {
        match self {
            Self::Unary(f) => {
                let (input, output) = f.derives_from();
                ([input, false, false], output)
            }
            Self::Binary(f) => {
                let ([a, b], output) = f.derives_from();
                ([a, b, false], output)
            }
            Self::Where => ([true, false, false], false),
        }
    }

    /// Whether computing it again takes longer than reading its results from a cache.
    pub fn is_slow(self) -> bool {
        use Unary::{Cos, Erf, Exp, Ln, Sigmoid, Sin, Tanh};
        match self {
            Self::Unary(Unary::Power(c)) => ![-1.0, 2.0, 3.0].contains(&c),
            Self::Unary(f) => matches!(f, Exp | Ln | Tanh | Sigmoid | Erf | Sin | Cos),
            _ => false,
        }
    }

    /// Returns the shape of the output: that to which all inputs broadcast.
    pub fn shape(self, inputs: &[&Shape]) -> Result<Shape> {
        super::op::check_count(&(self.inputs()..=self.inputs()), inputs.len())?;
        let (first, rest) = inputs.split_first().ok_or_else(super::op::lost)?;
        rest.iter().try_fold((*first).clone(), |shape, other| broadcast(&shape, other))?.check()
    }
}

/// Checks a number that a function or an operation of this kind is given.
pub(super) fn check_number<F: Scalar>(kind: &str, c: f64) -> Result<()> {
    // An infinite number may be meant: a mask adds -∞.
    if !c.is_nan() && (c.is_infinite() || F::of(c).is_finite()) {
        return Ok(());
    }
    Err(Error::argument(format!("the number of {kind}"), format!("a number that {} holds", F::NAME), c)
        .help("Look where it comes from: no result would be finite."))
}

fn fields(kind: &str, expected: usize) -> Error {
    Error::format(format!("the numbers of {kind}"), format!("be {expected}"), "another number of them")
        .help("The file is damaged; get it again, or save it again.")
}

/// Returns the shape to which two shapes broadcast, by the axes of a sample, from the last one on.
pub(super) fn broadcast(a: &Shape, b: &Shape) -> Result<Shape> {
    let rank = a.sizes.len().max(b.sizes.len());
    let size = |of: &Shape, i: usize| (i + of.sizes.len()).checked_sub(rank).map_or(1, |i| of.sizes[i]);
    let sizes = (0..rank).map(|i| match (size(a, i), size(b, i)) {
        (x, y) if x == y => Some(x),
        (1, y) => Some(y),
        (x, 1) => Some(x),
        _ => None,
    });
    let sizes: Option<Vec<usize>> = sizes.collect();
    sizes.map(|sizes| Shape::new(a.batched || b.batched, sizes)).ok_or_else(|| {
        let found = format!("{a} and {b}");
        Error::data("the shapes of the values", "be equal, or 1, axis by axis from the last", found)
            .help("Reshape one of them, or reduce it with an axis of 1 that stays (`mean_keepdim`).")
    })
}
