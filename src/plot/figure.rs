//! Figures, and writing them to files.

use super::mark::{Anchor, Colour, Mark, Pixels, Point, Text};
use super::{png, raster, svg};
use crate::disk::write_bytes;
use crate::error::{Error, Result};
use std::path::Path;

/// A figure that can be written as SVG or as PNG, and looks the same in both.
///
/// The functions of [`plot`](crate::plot) and [`Chart`](super::Chart) return figures.
///
/// ```
/// use plywood::plot::Chart;
///
/// let figure = Chart::new("Squares").line("x²", &[(0.0, 0.0), (1.0, 1.0), (2.0, 4.0)]).draw()?;
/// assert!(figure.to_svg().starts_with("<svg"));
/// assert!(figure.to_png().starts_with(b"\x89PNG"));
///
/// let path = std::env::temp_dir().join("plywood-doc-squares.svg");
/// figure.save(&path)?;
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Letters are outlines from a table in the crate (Latin, some Greek, symbols): no font is loaded, and a character
/// that is not in the table is drawn as a box. The background is white.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    pub(super) width: f64,
    pub(super) height: f64,
    /// For screen readers; the visible title is among the marks.
    pub(super) title: String,
    pub(super) marks: Vec<Mark>,
}

/// The number of PNG pixels per pixel of the figure: 192 to an inch, sharp on screens and in print.
const SCALE: f64 = 2.0;

impl Figure {
    /// Makes an empty figure with a white background.
    pub(super) fn new(title: &str, width: f64, height: f64) -> Self {
        let (width, height) = (width.ceil(), height.ceil());
        let ground =
            Mark::Rect { at: (0.0, 0.0), size: (width, height), fill: Some(Colour::Paper), frame: None };
        Self { width, height, title: title.to_owned(), marks: vec![ground] }
    }

    /// Returns the width in pixels of 1/96 inch.
    pub fn width(&self) -> f64 {
        self.width
    }

    /// Returns the height in pixels of 1/96 inch.
    pub fn height(&self) -> f64 {
        self.height
    }

    /// Returns the title, as drawn in the figure.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Returns the figure as an SVG document.
    ///
    /// It refers to no other file: letters are paths, and images are embedded.
    pub fn to_svg(&self) -> String {
        svg::write(&self.marks, [self.width, self.height], &self.title, false)
    }

    /// Returns the figure as an SVG element for an HTML page. The page's variables `--ink`, `--soft`, `--grid` and
    /// `--paper` set its colours; without them it looks like [`to_svg`](Figure::to_svg).
    ///
    /// ```
    /// use plywood::plot::Chart;
    ///
    /// let svg = Chart::new("Loss").line("loss", &[(1.0, 0.5), (2.0, 0.4)]).draw()?.to_inline_svg();
    /// assert!(svg.contains("var(--ink"));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn to_inline_svg(&self) -> String {
        svg::write(&self.marks, [self.width, self.height], &self.title, true)
    }

    /// Returns the bytes of a PNG file, with two pixels for each pixel of the figure along both axes.
    pub fn to_png(&self) -> Vec<u8> {
        png::encode(&raster::draw(&self.marks, self.width, self.height, SCALE), Some(96.0 * SCALE))
    }

    /// Works as [`to_png`](Figure::to_png) at another scale: 1 for a small preview, 4 for a poster.
    ///
    /// # Errors
    /// When the scale is not above 0 and at most 8.
    pub fn to_png_scaled(&self, scale: f64) -> Result<Vec<u8>> {
        if !(scale > 0.0 && scale <= 8.0) {
            return Err(Error::argument("the scale", "above 0 and at most 8", scale)
                .help("2 is sharp on screens and in print."));
        }
        Ok(png::encode(&raster::draw(&self.marks, self.width, self.height, scale), Some(96.0 * scale)))
    }

    /// Writes a file: SVG or PNG, depending on the extension of its name. The folder must exist.
    ///
    /// ```
    /// use plywood::plot::Chart;
    ///
    /// let figure = Chart::new("Loss").line("loss", &[(1.0, 0.5)]).draw()?;
    /// assert_eq!(
    ///     figure.save("loss.jpg").unwrap_err().to_string(),
    ///     "save picture: the file name must be one that ends in \".svg\" or \".png\", got loss.jpg. Name the \
    ///      file after the format that you want."
    /// );
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the name has another extension, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let ending = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        let bytes = match ending.as_deref() {
            Some("svg") => self.to_svg().into_bytes(),
            Some("png") => self.to_png(),
            _ => {
                return Err(Error::argument(
                    "the file name",
                    "one that ends in \".svg\" or \".png\"",
                    path.display(),
                )
                .help("Name the file after the format that you want.")
                .at("save picture"));
            }
        };
        write_bytes(path, &bytes).map_err(|error| error.at("save picture"))
    }
}

/// Drawing functions, which append marks.
impl Figure {
    pub(super) fn area(&mut self, points: Vec<Point>, fill: Colour, opacity: f64) {
        self.marks.push(Mark::Area { points, fill, opacity });
    }

    pub(super) fn line(&mut self, points: &[Point], colour: Colour, width: f64, dash: Option<(f64, f64)>) {
        self.marks.push(Mark::Line { points: points.to_vec(), colour, width, dash });
    }

    pub(super) fn rect(&mut self, at: Point, size: Point, fill: Colour) {
        self.marks.push(Mark::Rect { at, size, fill: Some(fill), frame: None });
    }

    pub(super) fn frame(&mut self, at: Point, size: Point, colour: Colour, width: f64) {
        self.marks.push(Mark::Rect { at, size, fill: None, frame: Some((colour, width)) });
    }

    pub(super) fn disc(&mut self, at: Point, radius: f64, fill: Colour, frame: Option<(Colour, f64)>) {
        self.marks.push(Mark::Disc { at, radius, fill, frame });
    }

    /// Adds horizontal text in the regular weight.
    pub(super) fn text(&mut self, at: Point, text: &str, size: f64, colour: Colour, anchor: Anchor) {
        self.lettering(Text::new(at, text, size, colour, anchor));
    }

    /// Adds a bold line at the head of the figure.
    pub(super) fn heading(&mut self, at: Point, text: &str) {
        self.lettering(Text { bold: true, ..Text::new(at, text, 15.0, Colour::Ink, Anchor::Start) });
    }

    /// Adds text in any weight and direction.
    pub(super) fn lettering(&mut self, text: Text) {
        self.marks.push(Mark::Text(text));
    }

    /// Adds a bar with the colours of a scale, the largest value at the top; `colour` is called with numbers from 0,
    /// at the top, to 63.
    pub(super) fn colour_bar(&mut self, at: Point, height: f64, colour: impl Fn(u8) -> Colour) {
        let rgb = (0..64).flat_map(|i| colour(i).rgb()).collect();
        self.image(at, (14.0, height), Pixels { width: 1, height: 64, rgb });
        self.frame(at, (14.0, height), Colour::Soft, 1.0);
    }

    /// Adds an image, whose pixels are sharp rectangles; an image without pixels adds nothing.
    pub(super) fn image(&mut self, at: Point, size: Point, pixels: Pixels) {
        if pixels.width > 0 && pixels.height > 0 {
            self.marks.push(Mark::Image { at, size, pixels });
        }
    }
}
