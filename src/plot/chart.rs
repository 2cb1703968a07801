//! Line charts: most other figures are built from them.

use super::axes::{Axes, BODY, SMALL, Scale};
use super::mark::{Anchor, Colour, Point};
use super::{Figure, font, palette};
use crate::error::{Error, Result};
use crate::metrics::MeanStd;

/// A chart of lines over two axes, with a title, axis labels, a legend, and bands for the spread of several runs.
///
/// ```
/// use plywood::plot::Chart;
///
/// let figure = Chart::new("Width of the hidden layer")
///     .x_label("units")
///     .y_label("test accuracy")
///     .log_x(true)
///     .band("mean ± standard deviation", &[16.0, 64.0, 256.0], &[vec![0.85, 0.87, 0.88], vec![0.84, 0.87, 0.89]])
///     .line("one run", &[(16.0, 0.85), (64.0, 0.87), (256.0, 0.88)])
///     .draw()?;
/// assert_eq!(figure.title(), "Width of the hidden layer");
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Points that are not finite, or not above 0 on a logarithmic axis, are left out, and the line has a gap there.
/// Lines of up to 20 points get a dot at each point. The colours are those of Okabe and Ito (2008), which are
/// distinguishable with any kind of colour vision; from the seventh line on they repeat with dashes.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    title: String,
    x_name: String,
    y_name: String,
    pub(super) series: Vec<Series>,
    pub(super) rings: Vec<Ring>,
    log: (bool, bool),
    /// True if x is a count: epochs, steps.
    whole: bool,
    /// The ends of the y axis, if they are given.
    y_range: Option<(f64, f64)>,
    x_range: Option<(f64, f64)>,
    size: Point,
}

/// A line of a chart.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    pub name: String,
    pub points: Vec<Point>,
    /// The lower and the upper end at each point; empty for a line without a band.
    pub band: Vec<Point>,
    pub colour: Colour,
    pub dash: Option<(f64, f64)>,
    pub width: f64,
    /// True if each point gets a dot, for lines of up to 20 points.
    pub dots: bool,
}

/// A point marked with a ring, which has its own entry in the legend.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ring {
    pub at: Point,
    pub text: String,
    pub colour: Colour,
}

/// The greatest number of points that get dots.
const MARKED: usize = 20;

impl Chart {
    /// Makes a chart without lines.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            x_name: String::new(),
            y_name: String::new(),
            series: Vec::new(),
            rings: Vec::new(),
            log: (false, false),
            whole: false,
            y_range: None,
            x_range: None,
            size: (640.0, 400.0),
        }
    }

    /// Sets the label of the horizontal axis, with its unit: "time (s)".
    #[must_use]
    pub fn x_label(mut self, name: impl Into<String>) -> Self {
        self.x_name = name.into();
        self
    }

    /// Sets the label of the vertical axis, with its unit.
    #[must_use]
    pub fn y_label(mut self, name: impl Into<String>) -> Self {
        self.y_name = name.into();
        self
    }

    /// Sets whether the horizontal axis is logarithmic. If the points have at most ten different x values, the
    /// axis labels are these values.
    #[must_use]
    pub fn log_x(mut self, log: bool) -> Self {
        self.log.0 = log;
        self
    }

    /// Sets whether the vertical axis is logarithmic.
    #[must_use]
    pub fn log_y(mut self, log: bool) -> Self {
        self.log.1 = log;
        self
    }

    /// Sets whether only whole numbers are labelled on the horizontal axis: for epochs and steps.
    #[must_use]
    pub fn whole_x(mut self, whole: bool) -> Self {
        self.whole = whole;
        self
    }

    /// Sets the ends of the horizontal axis. By default they fit the points.
    #[must_use]
    pub fn x_range(mut self, low: f64, high: f64) -> Self {
        self.x_range = Some((low, high));
        self
    }

    /// Sets the ends of the vertical axis. By default they fit the points.
    ///
    /// Points outside of the range are left out.
    #[must_use]
    pub fn y_range(mut self, low: f64, high: f64) -> Self {
        self.y_range = Some((low, high));
        self
    }

    /// Sets the width and height in pixels of 1/96 inch, from 200 to 4,000. The default is 640 x 400.
    #[must_use]
    pub fn size(mut self, width: f64, height: f64) -> Self {
        self.size = (width, height);
        self
    }

    /// Adds a line through points `(x, y)`.
    #[must_use]
    pub fn line(mut self, name: impl Into<String>, points: &[(f64, f64)]) -> Self {
        let (colour, dash) = palette::series(self.series.iter().filter(|s| s.width > 1.0).count());
        let (points, band) = (points.to_vec(), Vec::new());
        self.series.push(Series { name: name.into(), points, band, colour, dash, width: 2.0, dots: true });
        self
    }

    /// Adds the mean of several runs, with a band of one standard deviation around it: `runs[r][i]` is the value of
    /// run `r` at `x[i]`.
    ///
    /// A run may be shorter than `x`, for example if it stopped early; the mean at each x is that of the runs that
    /// reach it. Numbers that are not finite are left out. The standard deviation is that of [`MeanStd`].
    #[must_use]
    pub fn band(mut self, name: impl Into<String>, x: &[f64], runs: &[Vec<f64>]) -> Self {
        let (mut points, mut band) = (Vec::new(), Vec::new());
        for (i, &x) in x.iter().enumerate() {
            let values: Vec<f64> =
                runs.iter().filter_map(|run| run.get(i).copied()).filter(|v| v.is_finite()).collect();
            let spread = MeanStd::of(&values);
            points.push((x, spread.mean));
            band.push((spread.mean - spread.std_dev, spread.mean + spread.std_dev));
        }
        let (colour, dash) = palette::series(self.series.iter().filter(|s| s.width > 1.0).count());
        self.series.push(Series { name: name.into(), points, band, colour, dash, width: 2.0, dots: true });
        self
    }

    /// Marks a point with a ring in the colour of the line that was added last, and adds the text to the legend.
    #[must_use]
    pub fn mark(mut self, x: f64, y: f64, text: impl Into<String>) -> Self {
        let colour = self.series.last().map_or(Colour::Ink, |series| series.colour);
        self.rings.push(Ring { at: (x, y), text: text.into(), colour });
        self
    }

    /// Adds a thin dashed reference line.
    pub(super) fn guide(mut self, name: &str, points: &[Point]) -> Self {
        let (name, points, band) = (name.to_owned(), points.to_vec(), Vec::new());
        let (colour, dash) = (Colour::Soft, Some((4.0, 3.0)));
        self.series.push(Series { name, points, band, colour, dash, width: 1.0, dots: false });
        self
    }

    /// Adds thin grey lines with one legend entry for all.
    pub(super) fn grey<'a>(mut self, name: &str, lines: impl Iterator<Item = &'a [Point]>) -> Self {
        for (i, points) in lines.enumerate() {
            let name = if i == 0 { name.to_owned() } else { String::new() };
            let (points, colour) = (points.to_vec(), Colour::Rgb(0xb4, 0xba, 0xc2));
            let line = Series { name, points, band: Vec::new(), colour, dash: None, width: 1.0, dots: false };
            self.series.push(line);
        }
        self
    }

    /// Removes the dots from all lines.
    pub(super) fn unmarked(mut self) -> Self {
        self.series.iter_mut().for_each(|series| series.dots = false);
        self
    }

    /// Draws the figure.
    ///
    /// # Errors
    /// When there is no point that can be drawn, or the size or a range is out of bounds.
    pub fn draw(&self) -> Result<Figure> {
        let (width, height) = self.size;
        if !((200.0..=4000.0).contains(&width) && (200.0..=4000.0).contains(&height)) {
            return Err(Error::argument(
                "the size",
                "from 200 to 4000 pixels along both axes",
                format!("{width} x {height}"),
            )
            .help("Leave it at 640 x 400, and give `to_png_scaled` a scale.")
            .at(format!("chart {:?}", self.title)));
        }
        let mut figure = Figure::new(&self.title, width, height);
        self.panel(&mut figure, (0.0, 0.0), self.size)?;
        Ok(figure)
    }

    /// Returns the scales of both axes, or `None` if there is nothing to draw.
    fn scales(&self) -> Option<(Scale, Scale)> {
        let points = || self.series.iter().flat_map(|series| series.points.iter().copied());
        let usable = |p: &Point| p.0.is_finite() && p.1.is_finite();
        let x = match self.x_range {
            Some((low, high)) => Scale::new(low, high),
            None => {
                let margin = if points().count() > self.series.len() { 0.02 } else { 0.5 };
                Scale::around(points().filter(usable).map(|p| p.0), self.log.0, margin)?
            }
        };
        let y = match self.y_range {
            Some((low, high)) => Scale::new(low, high),
            None => {
                let bands = || self.series.iter().flat_map(|s| s.band.iter().flat_map(|b| [b.0, b.1]));
                let all = || points().filter(|p| x.takes(p.0)).map(|p| p.1).chain(bands());
                Scale::around(all(), self.log.1, 0.06)?
            }
        };
        let mut places: Vec<f64> = points().map(|p| p.0).filter(|&v| x.takes(v)).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        let x = if self.log.0 && places.len() <= 10 { x.marked(places) } else { x };
        Some((if self.whole { x.whole() } else { x }, y))
    }

    /// Draws the chart into a part of a figure.
    pub(super) fn panel(&self, figure: &mut Figure, at: Point, size: Point) -> Result<()> {
        let fail = |error: Error| error.at(format!("chart {:?}", self.title));
        for (axis, range, log) in [("x", self.x_range, self.log.0), ("y", self.y_range, self.log.1)] {
            if let Some((low, high)) = range {
                let usable = low < high && low.abs() < 1e100 && high.abs() < 1e100 && !(log && low <= 0.0);
                if !usable {
                    let found = format!("{low} to {high}");
                    return Err(fail(
                        Error::argument(
                            format!("the range of {axis}"),
                            "two finite numbers, the lower one first",
                            found,
                        )
                        .help("On a logarithmic axis both are above 0."),
                    ));
                }
            }
        }
        let (x, y) = self.scales().ok_or_else(|| {
            fail(
                Error::data("the points", "include one that can be drawn", "none")
                    .help("Points must be finite, and above 0 on a logarithmic axis."),
            )
        })?;
        let title = font::fit(&self.title, 15.0, true, size.0 - 32.0);
        figure.heading((at.0 + 16.0, at.1 + 28.0), &title);
        // An estimate of the height, to break a cycle: the left end depends on the height of the axes, this on the
        // rows of the legend, and these on the left end.
        let left = at.0 + 16.0 + Axes::left_of(&y, size.1 - 100.0, !self.y_name.is_empty());
        let right = at.0 + size.0 - 24.0;
        let top = self.legend(figure, (left, at.1 + 50.0), right) + 8.0;
        let bottom = at.1 + size.1 - if self.x_name.is_empty() { 30.0 } else { 50.0 };
        let axes = Axes { at: (left, top), size: ((right - left).max(40.0), (bottom - top).max(40.0)), x, y };
        axes.draw(figure, &self.x_name, &self.y_name);
        for series in &self.series {
            band(figure, &axes, series);
        }
        for series in &self.series {
            line(figure, &axes, series);
        }
        for ring in self.rings.iter().filter(|r| axes.x.has(r.at.0) && axes.y.has(r.at.1)) {
            let at = axes.place(ring.at.0, ring.at.1);
            figure.disc(at, 5.5, Colour::Paper, Some((ring.colour, 2.0)));
            figure.disc(at, 2.0, ring.colour, None);
        }
        Ok(())
    }

    /// Writes the legend in rows from `at`, and returns its lower end. A single line that has the name of the axis
    /// needs no legend.
    fn legend(&self, figure: &mut Figure, at: Point, right: f64) -> f64 {
        let named: Vec<&Series> = self.series.iter().filter(|series| !series.name.is_empty()).collect();
        if self.rings.is_empty() && named.len() == 1 && named[0].name == self.y_name {
            return at.1 - 10.0;
        }
        if self.rings.is_empty() && named.is_empty() {
            return at.1 - 10.0;
        }
        let (mut x, mut y) = at;
        let mut next = |text: &str| {
            let wide = 28.0 + font::width(text, BODY, false) + 18.0;
            if x > at.0 && x + wide - 18.0 > right {
                (x, y) = (at.0, y + 18.0);
            }
            let place = (x, y);
            x += wide;
            place
        };
        for series in named {
            let name = font::fit(&series.name, BODY, false, right - at.0 - 28.0);
            let (x, y) = next(&name);
            if !series.band.is_empty() {
                let corners = [(x, y - 6.0), (x + 22.0, y - 6.0), (x + 22.0, y + 6.0), (x, y + 6.0)];
                figure.area(corners.to_vec(), series.colour, 0.2);
            }
            figure.line(&[(x, y), (x + 22.0, y)], series.colour, series.width, series.dash);
            figure.text((x + 28.0, y + 4.0), &name, BODY, Colour::Ink, Anchor::Start);
        }
        for ring in &self.rings {
            let text = font::fit(&ring.text, BODY, false, right - at.0 - 28.0);
            let (x, y) = next(&text);
            figure.disc((x + 11.0, y), 5.5, Colour::Paper, Some((ring.colour, 2.0)));
            figure.disc((x + 11.0, y), 2.0, ring.colour, None);
            figure.text((x + 28.0, y + 4.0), &text, BODY, Colour::Ink, Anchor::Start);
        }
        y + SMALL / 2.0 + 4.0
    }
}

/// Splits the points that can be drawn into uninterrupted pieces, as lists of positions.
fn pieces(axes: &Axes, points: &[Point]) -> Vec<Vec<usize>> {
    let mut pieces = vec![Vec::new()];
    for (i, p) in points.iter().enumerate() {
        if axes.x.has(p.0) && axes.y.has(p.1) {
            pieces.last_mut().expect("there is always one").push(i);
        } else if !pieces.last().expect("there is always one").is_empty() {
            pieces.push(Vec::new());
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

fn band(figure: &mut Figure, axes: &Axes, series: &Series) {
    if series.band.len() != series.points.len() {
        return;
    }
    for piece in pieces(axes, &series.points) {
        let end = |i: usize, y: f64| {
            let share = if axes.y.takes(y) { axes.y.at(y).clamp(0.0, 1.0) } else { 0.0 };
            (axes.place(series.points[i].0, 0.0).0, axes.at.1 + (1.0 - share) * axes.size.1)
        };
        let upper = piece.iter().map(|&i| end(i, series.band[i].1));
        let lower = piece.iter().rev().map(|&i| end(i, series.band[i].0));
        if piece.len() > 1 {
            figure.area(upper.chain(lower).collect(), series.colour, 0.2);
        } else {
            // A single point has an error bar in place of a band.
            let ends: Vec<Point> = upper.chain(lower).collect();
            figure.line(&ends, series.colour, 1.5, None);
        }
    }
}

fn line(figure: &mut Figure, axes: &Axes, series: &Series) {
    for piece in pieces(axes, &series.points) {
        let places: Vec<Point> =
            piece.iter().map(|&i| axes.place(series.points[i].0, series.points[i].1)).collect();
        figure.line(&places, series.colour, series.width, series.dash);
        if series.dots && series.points.len() <= MARKED || piece.len() == 1 {
            for &place in &places {
                figure.disc(place, if piece.len() == 1 { 3.5 } else { 2.75 }, series.colour, None);
            }
        }
    }
}
