//! Draws the boxes and the arrows of a picture of a model.

use super::boxes::{Boxes, Item, LINE, PAD, Style};
use super::place::Places;
use super::ranks::Ranks;
use crate::plot::axes::{BODY, SMALL};
use crate::plot::mark::{Anchor, Colour, Point, Text};
use crate::plot::{Figure, font, palette};

/// The margin around the picture.
const MARGIN: f64 = 16.0;
/// The length and half the width of an arrow's head.
const HEAD: (f64, f64) = (8.0, 4.0);
/// The width of the bar of a layer with parameters.
const BAR: f64 = 5.0;
/// The width of arrows.
const LINE_WIDTH: f64 = 1.5;

/// Draws the picture under its title, and a line below it, if there is one.
pub(super) fn draw(title: &str, line: &str, boxes: &Boxes, ranks: &Ranks, places: &Places) -> Figure {
    let heading = font::width(title, 15.0, true).max(font::width(line, SMALL, false));
    let width = heading.max(places.width) + 2.0 * MARGIN;
    let top = if line.is_empty() { 48.0 } else { 66.0 };
    let mut figure = Figure::new(title, width, top + places.height + MARGIN);
    figure.heading((MARGIN, 28.0), title);
    if !line.is_empty() {
        figure.text((MARGIN, 47.0), line, SMALL, Colour::Soft, Anchor::Start);
    }
    let left = ((width - places.width) / 2.0).round();
    let at = |v: usize| (left + places.middles[v].0, top + places.middles[v].1);
    let row = |v: usize| {
        let (begin, end) = places.rows[ranks.vertices[v].rank];
        (top + begin, top + end)
    };
    let is_box = |v: usize| ranks.vertices[v].item.is_some();
    for from in 0..ranks.vertices.len() {
        for &to in ranks.below[from].iter().filter(|&&to| is_box(from) || onwards(ranks, from) != Some(to)) {
            // From the lower side of a box, or from where a long arrow has a branch.
            let half = if is_box(from) { ranks.vertices[from].height / 2.0 } else { 0.0 };
            let mut points =
                vec![if is_box(from) { (at(from).0, at(from).1 + half) } else { (at(from).0, row(from).1) }];
            let (mut above, mut next) = (from, Some(to));
            while let Some(to) = next {
                let half = if is_box(to) { ranks.vertices[to].height / 2.0 } else { 0.0 };
                let room = if is_box(to) { HEAD.0 } else { 0.0 };
                points.extend(curve((at(above).0, row(above).1), (at(to).0, row(to).0 - room)));
                if is_box(to) {
                    let (x, y) = (at(to).0, at(to).1 - half);
                    points.push((x, y - HEAD.0 + 1.0));
                    figure.area(
                        vec![(x - HEAD.1, y - HEAD.0), (x + HEAD.1, y - HEAD.0), (x, y)],
                        Colour::Soft,
                        1.0,
                    );
                }
                (above, next) = (to, onwards(ranks, to).filter(|_| !is_box(to)));
            }
            figure.line(&without_middles(points), Colour::Soft, LINE_WIDTH, None);
        }
    }
    for (v, item) in boxes.items.iter().enumerate() {
        let (x, y) = at(v);
        draw_box(&mut figure, item, (x - item.width / 2.0, y - item.height / 2.0));
    }
    figure
}

/// Where a long arrow goes on from a place through which it passes: to the next place, or to its last box.
fn onwards(ranks: &Ranks, place: usize) -> Option<usize> {
    let below = &ranks.below[place];
    below.iter().copied().find(|&v| ranks.vertices[v].item.is_none()).or_else(|| below.first().copied())
}

/// Drops the points in the middle of vertical pieces.
fn without_middles(points: Vec<Point>) -> Vec<Point> {
    let mut kept: Vec<Point> = Vec::with_capacity(points.len());
    for point in points {
        if let [.., before, last] = kept[..]
            && before.0 == last.0
            && last.0 == point.0
        {
            kept.pop();
        }
        kept.push(point);
    }
    kept
}

/// A curve that leaves its start and reaches its end vertically; a straight line has two points.
fn curve(from: Point, to: Point) -> Vec<Point> {
    if (from.0 - to.0).abs() < 0.5 {
        return vec![from, to];
    }
    let middle = (from.1 + to.1) / 2.0;
    let point = |i: usize| {
        let t = i as f64 / 16.0;
        let s = 1.0 - t;
        let mix = |a: f64, b: f64, c: f64, d: f64| {
            s * s * s * a + 3.0 * s * s * t * b + 3.0 * s * t * t * c + t * t * t * d
        };
        (mix(from.0, from.0, to.0, to.0), mix(from.1, middle, middle, to.1))
    };
    (0..=16).map(point).collect()
}

/// The outline of a box with rounded corners.
fn outline((x, y): Point, (width, height): Point, radius: f64) -> Vec<Point> {
    let radius = radius.min(height / 2.0).min(width / 2.0);
    let corners = [
        (x + width - radius, y + radius, -90.0),
        (x + width - radius, y + height - radius, 0.0),
        (x + radius, y + height - radius, 90.0),
        (x + radius, y + radius, 180.0),
    ];
    let mut points = Vec::with_capacity(28);
    for (x, y, begin) in corners {
        points.extend((0..=6).map(|i| {
            let angle: f64 = f64::to_radians(begin + 15.0 * f64::from(i));
            (x + radius * angle.cos(), y + radius * angle.sin())
        }));
    }
    points
}

/// Draws a box with its upper left corner here.
fn draw_box(figure: &mut Figure, item: &Item, (x, y): Point) {
    let (series, radius) = match item.style {
        Style::Input | Style::Output => (2, 16.0),
        Style::Trained => (0, 3.0),
        Style::Plain => (4, 3.0),
        Style::Operation => (3, 13.0),
    };
    let (colour, size) = (palette::series(series).0, (item.width, item.height));
    let mut points = outline((x, y), size, radius);
    figure.area(points.clone(), Colour::Paper, 1.0);
    figure.area(points.clone(), colour, 0.12);
    if item.style == Style::Trained {
        figure.area(points.iter().map(|&(px, py)| (px.min(x + BAR), py)).collect(), colour, 1.0);
    }
    points.extend(points.first().copied());
    figure.line(&points, colour, 1.25, None);
    let (first, right) = (y + 17.5, x + item.width - PAD);
    let bold = item.style != Style::Operation;
    figure.lettering(Text {
        bold,
        ..Text::new((x + PAD, first), &item.title, BODY, Colour::Ink, Anchor::Start)
    });
    figure.text((right, first), &item.aside, SMALL, Colour::Soft, Anchor::End);
    for (i, line) in item.lines.iter().enumerate() {
        let at = (x + PAD, first + LINE * (i + 1) as f64);
        figure.text(at, line, SMALL, Colour::Soft, Anchor::Start);
    }
}
