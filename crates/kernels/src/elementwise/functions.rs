//! The functions of one and of two numbers, as values.

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq)]
#[doc(hidden)]
pub enum Unary {
    Neg,
    Plus(f64),
    Times(f64),
    DivideBy(f64),
    SubtractFrom(f64),
    DivideInto(f64),
    Exp,
    Ln,
    Sqrt,
    Square,
    Abs,
    Power(f64),
    Tanh,
    Sigmoid,
    ReLU,
    Clip(f64, f64),
    Erf,
    Sin,
    Cos,
    Floor,
    Ceil,
    Round,
    Sign,
    Not,
}

impl Unary {
    /// Whether the derivative is computed from the input, and whether from the output.
    pub fn derives_from(self) -> (bool, bool) {
        match self {
            Self::Exp | Self::Sqrt | Self::Tanh | Self::Sigmoid | Self::ReLU => (false, true),
            Self::Ln | Self::Square | Self::Abs | Self::Power(_) | Self::Clip(..) => (true, false),
            Self::Erf | Self::Sin | Self::Cos => (true, false),
            Self::DivideInto(_) => (true, true),
            _ => (false, false),
        }
    }

    /// Whether the derivative is 0 everywhere.
    pub fn is_step(self) -> bool {
        matches!(self, Self::Floor | Self::Ceil | Self::Round | Self::Sign | Self::Not)
    }
}

/// A function of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Maximum,
    Minimum,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Equal,
    NotEqual,
}

impl Binary {
    /// For each input, whether a derivative is computed from it, and whether one is from the output.
    pub fn derives_from(self) -> ([bool; 2], bool) {
        match self {
            Self::Multiply | Self::Maximum | Self::Minimum => ([true; 2], false),
            Self::Divide => ([false, true], true),
            _ => ([false; 2], false),
        }
    }

    /// Whether the result is 1 or 0, and there is no derivative.
    pub fn is_comparison(self) -> bool {
        use Binary::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
        matches!(self, Greater | GreaterEqual | Less | LessEqual | Equal | NotEqual)
    }
}

/// One of the arguments of a function of two or three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum Side {
    /// `a`.
    First,
    /// `b`.
    Second,
}

/// The inputs and the output of a function of two numbers.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Pair<'a, F> {
    pub a: &'a [F],
    pub b: &'a [F],
    pub y: &'a [F],
}

/// The functions of one number that keep NaN, and those of two, for tests.
#[cfg(test)]
pub(crate) const UNARY: [Unary; 25] = [
    Unary::Neg,
    Unary::Plus(0.7),
    Unary::Times(-1.5),
    Unary::DivideBy(7.0),
    Unary::SubtractFrom(2.0),
    Unary::DivideInto(3.0),
    Unary::Exp,
    Unary::Ln,
    Unary::Sqrt,
    Unary::Square,
    Unary::Abs,
    Unary::Power(2.5),
    Unary::Power(3.0),
    Unary::Power(-1.0),
    Unary::Tanh,
    Unary::Sigmoid,
    Unary::ReLU,
    Unary::Clip(0.5, 1.5),
    Unary::Erf,
    Unary::Sin,
    Unary::Cos,
    Unary::Floor,
    Unary::Ceil,
    Unary::Round,
    Unary::Sign,
];
#[cfg(test)]
pub(crate) const BINARY: [Binary; 6] =
    [Binary::Add, Binary::Subtract, Binary::Multiply, Binary::Divide, Binary::Maximum, Binary::Minimum];
#[cfg(test)]
pub(crate) const COMPARISONS: [Binary; 6] =
    [Binary::Greater, Binary::GreaterEqual, Binary::Less, Binary::LessEqual, Binary::Equal, Binary::NotEqual];
