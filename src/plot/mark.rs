//! The elements of a figure.
//!
//! There are seven kinds of marks, which two writers, [`svg`](super::svg) and [`raster`](super::raster), implement. A
//! figure is a list of marks, later ones drawn over earlier ones, so that each figure is defined once for both.

/// A point in pixels, y down.
pub(super) type Point = (f64, f64);

/// A colour: either a role in the figure, which a page may colour differently, or a fixed colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    /// Text, axes.
    Ink,
    /// Secondary text: numbers at the axes.
    Soft,
    /// Lines of the grid.
    Grid,
    /// The background.
    Paper,
    /// Red, green, blue.
    Rgb(u8, u8, u8),
}

impl Colour {
    /// Returns red, green and blue, as on a white background.
    pub fn rgb(self) -> [u8; 3] {
        match self {
            Self::Ink => [0x1f, 0x24, 0x2b],
            Self::Soft => [0x5b, 0x64, 0x70],
            Self::Grid => [0xe3, 0xe6, 0xea],
            Self::Paper => [0xff; 3],
            Self::Rgb(r, g, b) => [r, g, b],
        }
    }

    /// Returns whether white text is easier to read on it than dark text, by the luminance of WCAG 2.1.
    pub fn is_dark(self) -> bool {
        let linear = |byte: u8| {
            let x = f64::from(byte) / 255.0;
            if x <= 0.04045 { x / 12.92 } else { ((x + 0.055) / 1.055).powf(2.4) }
        };
        let [r, g, b] = self.rgb().map(linear);
        0.2126 * r + 0.7152 * g + 0.0722 * b < 0.25
    }
}

/// The point of a text that is placed at its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Bytes of red, green and blue, row after row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pixels {
    pub width: usize,
    pub height: usize,
    pub rgb: Vec<u8>,
}

/// A line of text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Text {
    /// The position of its anchor, on the base line.
    pub at: Point,
    pub text: String,
    pub size: f64,
    pub bold: bool,
    pub colour: Colour,
    pub anchor: Anchor,
    /// The rotation in degrees, clockwise, about `at`.
    pub turn: f64,
}

impl Text {
    /// Makes a horizontal text in the regular weight.
    pub fn new(at: Point, text: &str, size: f64, colour: Colour, anchor: Anchor) -> Self {
        Self { at, text: text.to_owned(), size, bold: false, colour, anchor, turn: 0.0 }
    }

    /// Rotates the text clockwise by this many degrees.
    pub fn turned(self, turn: f64) -> Self {
        Self { turn, ..self }
    }
}

/// An element of a figure.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mark {
    /// A closed polygon.
    Area { points: Vec<Point>, fill: Colour, opacity: f64 },
    /// Straight lines from point to point, with dashes of these lengths (drawn, left out).
    Line { points: Vec<Point>, colour: Colour, width: f64, dash: Option<(f64, f64)> },
    /// A rectangle given by its corner, with a fill, a frame or both.
    Rect { at: Point, size: Point, fill: Option<Colour>, frame: Option<(Colour, f64)> },
    /// A filled disc, with an optional frame.
    Disc { at: Point, radius: f64, fill: Colour, frame: Option<(Colour, f64)> },
    /// A line of text.
    Text(Text),
    /// Pixels, each as a sharp rectangle.
    Image { at: Point, size: Point, pixels: Pixels },
}
