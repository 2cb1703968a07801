//! Rasterizes marks, with antialiasing.
//!
//! A shape is a set of closed polygons. Each edge adds, to the pixels of every row it crosses, the signed area
//! between itself and the right end of the row; a running sum along the row then gives the covered share of each
//! pixel. This is exact for shapes that do not overlap themselves, and needs no sorting (the method of Raph Levien's
//! `font-rs`). If parts of one shape overlap, the sum is clamped to 1.

use super::font::{self, Command, UNITS};
use super::mark::{Anchor, Mark, Pixels, Point, Text};

/// Draws all marks, in order, on a white background. One unit of the marks is `scale` pixels.
pub(super) fn draw(marks: &[Mark], width: f64, height: f64, scale: f64) -> Pixels {
    let (w, h) = ((width * scale).ceil().max(1.0) as usize, (height * scale).ceil().max(1.0) as usize);
    let mut canvas = Canvas { width: w, height: h, scale, rgb: vec![255; w * h * 3], cover: Vec::new() };
    for mark in marks {
        canvas.mark(mark);
    }
    Pixels { width: w, height: h, rgb: canvas.rgb }
}

/// The pixels, and the coverage of the shape that is being drawn.
struct Canvas {
    width: usize,
    height: usize,
    scale: f64,
    rgb: Vec<u8>,
    cover: Vec<f64>,
}

impl Canvas {
    fn mark(&mut self, mark: &Mark) {
        match mark {
            Mark::Area { points, fill, opacity } => {
                self.fill(std::slice::from_ref(points), fill.rgb(), *opacity);
            }
            Mark::Line { points, colour, width, dash } => {
                let parts = match dash {
                    Some(dash) => dashes(points, *dash),
                    None => vec![points.clone()],
                };
                let shape: Vec<_> = parts.iter().flat_map(|part| stroke(part, *width)).collect();
                self.fill(&shape, colour.rgb(), 1.0);
            }
            Mark::Rect { at, size, fill, frame } => {
                let corners = rectangle(*at, *size);
                if let Some(fill) = fill {
                    self.fill(std::slice::from_ref(&corners), fill.rgb(), 1.0);
                }
                if let Some((colour, width)) = frame {
                    let outer =
                        rectangle((at.0 - width / 2.0, at.1 - width / 2.0), (size.0 + width, size.1 + width));
                    let mut inner =
                        rectangle((at.0 + width / 2.0, at.1 + width / 2.0), (size.0 - width, size.1 - width));
                    inner.reverse();
                    self.fill(&[outer, inner], colour.rgb(), 1.0);
                }
            }
            Mark::Disc { at, radius, fill, frame } => {
                self.fill(&[circle(*at, *radius)], fill.rgb(), 1.0);
                if let Some((colour, width)) = frame {
                    let mut inner = circle(*at, radius - width / 2.0);
                    inner.reverse();
                    self.fill(&[circle(*at, radius + width / 2.0), inner], colour.rgb(), 1.0);
                }
            }
            Mark::Text(text) => self.fill(&letters(text), text.colour.rgb(), 1.0),
            Mark::Image { at, size, pixels } => self.image(*at, *size, pixels),
        }
    }

    /// Fills closed polygons, given in the units of the marks.
    fn fill(&mut self, shape: &[Vec<Point>], colour: [u8; 3], opacity: f64) {
        let all = || shape.iter().flatten();
        if all().any(|p| !p.0.is_finite() || !p.1.is_finite()) {
            return;
        }
        let bound = |of: fn(&Point) -> f64, size: usize| {
            let (low, high) = all().fold((f64::MAX, f64::MIN), |(l, h), p| (l.min(of(p)), h.max(of(p))));
            let at = |x: f64| (x * self.scale).clamp(0.0, size as f64);
            (at(low).floor() as usize, at(high).ceil() as usize)
        };
        let ((left, right), (top, bottom)) = (bound(|p| p.0, self.width), bound(|p| p.1, self.height));
        if right <= left || bottom <= top {
            return;
        }
        let (w, h) = (right - left, bottom - top);
        self.cover.clear();
        self.cover.resize((w + 2) * h, 0.0);
        for polygon in shape {
            let place = |p: &Point| (p.0 * self.scale - left as f64, p.1 * self.scale - top as f64);
            for (i, from) in polygon.iter().enumerate() {
                edge(&mut self.cover, w, h, place(from), place(&polygon[(i + 1) % polygon.len()]));
            }
        }
        for y in 0..h {
            let mut sum = 0.0;
            let row = ((top + y) * self.width + left) * 3;
            for x in 0..w {
                sum += self.cover[y * (w + 2) + x];
                let share = sum.abs().min(1.0) * opacity;
                if share > 1e-4 {
                    for (k, &c) in colour.iter().enumerate() {
                        let pixel = &mut self.rgb[row + x * 3 + k];
                        *pixel = (f64::from(*pixel) * (1.0 - share) + f64::from(c) * share).round() as u8;
                    }
                }
            }
        }
    }

    /// Draws an image: each pixel of the canvas takes the colour of the image's pixel under its centre.
    fn image(&mut self, at: Point, size: Point, pixels: &Pixels) {
        let (left, top) = (at.0 * self.scale, at.1 * self.scale);
        let (wide, high) = (size.0 * self.scale, size.1 * self.scale);
        for y in top.max(0.0).round() as usize..((top + high).round() as usize).min(self.height) {
            let row = ((y as f64 + 0.5 - top) / high * pixels.height as f64) as usize;
            for x in left.max(0.0).round() as usize..((left + wide).round() as usize).min(self.width) {
                let column = ((x as f64 + 0.5 - left) / wide * pixels.width as f64) as usize;
                let from = (row.min(pixels.height - 1) * pixels.width + column.min(pixels.width - 1)) * 3;
                let to = (y * self.width + x) * 3;
                self.rgb[to..to + 3].copy_from_slice(&pixels.rgb[from..from + 3]);
            }
        }
    }
}

/// Adds an edge to the coverage: in each row it crosses, the area to its right, with the sign of its direction.
fn edge(cover: &mut [f64], w: usize, h: usize, from: Point, to: Point) {
    let (sign, (x0, y0), (x1, y1)) = if from.1 < to.1 { (1.0, from, to) } else { (-1.0, to, from) };
    if y0 == y1 {
        return;
    }
    let slope = (x1 - x0) / (y1 - y0);
    let (first, last) = (y0.max(0.0) as usize, (y1.min(h as f64)).ceil().max(0.0) as usize);
    for y in first..last {
        let (upper, lower) = (y0.max(y as f64), y1.min(y as f64 + 1.0));
        if lower <= upper {
            continue;
        }
        let height = (lower - upper) * sign;
        let at = |y: f64| (x0 + (y - y0) * slope).clamp(0.0, w as f64);
        let (a, b) = (at(upper), at(lower));
        let (left, right) = (a.min(b), a.max(b));
        let row = &mut cover[y * (w + 2)..(y + 1) * (w + 2)];
        let (i, j) = (left as usize, right as usize);
        if i == j {
            let middle = (left + right) / 2.0 - i as f64;
            row[i] += height * (1.0 - middle);
            row[i + 1] += height * middle;
        } else {
            // The edge is cut at the pixels' borders: each piece covers its share of the height.
            let per = height / (right - left);
            for k in i..=j {
                let (l, r) = (left.max(k as f64), right.min(k as f64 + 1.0));
                let piece = per * (r - l);
                let middle = (l + r) / 2.0 - k as f64;
                row[k] += piece * (1.0 - middle);
                row[k + 1] += piece * middle;
            }
        }
    }
}

/// Returns the corners of a rectangle, in the same orientation as those of [`stroke`] and [`circle`].
fn rectangle((x, y): Point, (w, h): Point) -> Vec<Point> {
    vec![(x, y), (x, y + h), (x + w, y + h), (x + w, y)]
}

/// Returns a circle as a polygon with enough corners for its size.
fn circle((x, y): Point, radius: f64) -> Vec<Point> {
    let corners = (16.0 + 4.0 * radius.max(0.0)).min(200.0) as usize;
    (0..corners)
        .map(|i| {
            let angle = -std::f64::consts::TAU * i as f64 / corners as f64;
            (x + radius * angle.cos(), y + radius * angle.sin())
        })
        .collect()
}

/// Returns polygons that cover a line of this width, with round joins; all have the same orientation.
fn stroke(points: &[Point], width: f64) -> Vec<Vec<Point>> {
    let half = width / 2.0;
    let mut shape = Vec::new();
    for (i, pair) in points.windows(2).enumerate() {
        let (dx, dy) = (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
        let length = dx.hypot(dy);
        if length > 0.0 {
            let (nx, ny) = (-dy / length * half, dx / length * half);
            let [(x0, y0), (x1, y1)] = [pair[0], pair[1]];
            shape.push(vec![(x0 + nx, y0 + ny), (x1 + nx, y1 + ny), (x1 - nx, y1 - ny), (x0 - nx, y0 - ny)]);
        }
        if i > 0 && width > 1.0 {
            shape.push(circle(pair[0], half));
        }
    }
    shape
}

/// Returns the drawn parts of a dashed line.
fn dashes(points: &[Point], (drawn, left_out): (f64, f64)) -> Vec<Vec<Point>> {
    let (mut parts, mut part, mut on, mut rest) = (Vec::new(), Vec::new(), true, drawn.max(0.1));
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        if on && part.is_empty() {
            part.push(from);
        }
        loop {
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            if length <= rest {
                rest -= length;
                if on {
                    part.push(to);
                }
                break;
            }
            let share = rest / length;
            from = (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share);
            if on {
                part.push(from);
                parts.push(std::mem::take(&mut part));
            } else {
                part = vec![from];
            }
            on = !on;
            rest = if on { drawn } else { left_out }.max(0.1);
        }
    }
    if part.len() > 1 {
        parts.push(part);
    }
    parts
}

/// Returns the outlines of a text's letters, with curves as short lines.
fn letters(text: &Text) -> Vec<Vec<Point>> {
    let &Text { at, ref text, size, bold, anchor, turn, .. } = text;
    let wide = font::width(text, size, bold);
    let mut x = match anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => -wide / 2.0,
        Anchor::End => -wide,
    };
    let (sin, cos) = turn.to_radians().sin_cos();
    let mut shape: Vec<Vec<Point>> = Vec::new();
    for c in text.chars() {
        let glyph = font::glyph(c, bold);
        let place = |px: f64, py: f64| {
            let (px, py) = (x + px * size / UNITS, py * size / UNITS);
            (at.0 + px * cos - py * sin, at.1 + px * sin + py * cos)
        };
        let mut last = [0.0, 0.0];
        for command in glyph.commands() {
            match command {
                Command::Move(p) => {
                    last = p.map(f64::from);
                    shape.push(vec![place(last[0], last[1])]);
                }
                Command::Line(p) => {
                    last = p.map(f64::from);
                    shape.last_mut().expect("an outline begins with a move").push(place(last[0], last[1]));
                }
                Command::Curve(c, p) => {
                    let (c, p) = (c.map(f64::from), p.map(f64::from));
                    let contour = shape.last_mut().expect("an outline begins with a move");
                    for step in 1..=5 {
                        let t = f64::from(step) / 5.0;
                        let of = |k: usize| {
                            (1.0 - t) * (1.0 - t) * last[k] + 2.0 * t * (1.0 - t) * c[k] + t * t * p[k]
                        };
                        contour.push(place(of(0), of(1)));
                    }
                    last = p;
                }
            }
        }
        x += f64::from(glyph.advance) * size / UNITS;
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::mark::Colour;

    fn black(marks: &[Mark], size: f64) -> Vec<u8> {
        draw(marks, size, size, 1.0).rgb.into_iter().step_by(3).collect()
    }

    #[test]
    fn covered_shares_of_pixels_are_exact() {
        let black_fill = Some(Colour::Rgb(0, 0, 0));
        let rect = Mark::Rect { at: (0.5, 1.0), size: (2.0, 1.25), fill: black_fill, frame: None };
        assert_eq!(
            black(&[rect], 4.0),
            [255, 255, 255, 255, 128, 0, 128, 255, 223, 191, 223, 255, 255, 255, 255, 255]
        );
        let points = vec![(0.0, 0.0), (2.0, 2.0), (0.0, 2.0)];
        let area = Mark::Area { points, fill: Colour::Rgb(0, 0, 0), opacity: 1.0 };
        assert_eq!(black(&[area], 2.0), [128, 255, 0, 128]);
    }

    #[test]
    fn lines_dashes_and_what_lies_outside() {
        let line =
            |points: Vec<Point>, dash| Mark::Line { points, colour: Colour::Rgb(0, 0, 0), width: 1.0, dash };
        let row = |mark| black(&[mark], 6.0)[12..18].to_vec();
        assert_eq!(row(line(vec![(-9.0, 2.5), (99.0, 2.5)], None)), [0; 6]);
        let dashed = line(vec![(0.0, 2.5), (1.0, 2.5), (6.0, 2.5)], Some((2.0, 1.0)));
        assert_eq!(row(dashed), [0, 0, 255, 0, 0, 255]);
        for points in [vec![], vec![(f64::NAN, 0.0), (1.0, 1.0)], vec![(1e300, -1e300), (3.0, 3.0)]] {
            let _ = row(line(points, None));
        }
        assert_eq!(black(&[line(vec![(-9.0, 1.0), (-9.0, 5.0)], None)], 6.0), [255; 36]);
    }
}
