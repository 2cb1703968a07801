//! A small grey image to draw convex shapes on, for the synthetic [`garments`](crate::data::synthetic).
//!
//! Shapes are filled by depth: the distance in pixels from a pixel's centre to the shape's border (negative outside).
//! The covered part of the pixel is approximated by `depth + 1/2`, clamped to 0 and 1. This gives soft borders one
//! pixel wide without sampling, and is exact for borders along an axis.
//!
//! A convex polygon is the intersection of the half-planes at its edges, so its depth is the least of the edges'
//! depths. Each edge is stored as a line in normal form, `a · x + b · y + c` with `a² + b² = 1`, whose value is the
//! signed distance in pixels.
//!
//! ```text
//! garment coordinates          affine map               pixels
//! (-1, -1) … (1, 1)    →    place, size, slant    →    28 x 28, row by row, y down
//! ```

/// The number of pixels along each side.
pub(super) const SIDE: usize = 28;

/// A point in garment coordinates: from -1 to 1 along both axes, y pointing down.
pub(super) type Point = [f32; 2];

/// 28 x 28 grey values, 0 for black and 1 for white, and the affine map by which garments are placed on them.
///
/// Only sums, products, quotients and square roots are used, whose rounding IEEE 754 defines: images are
/// bit-identical on every machine.
pub(super) struct DrawingArea {
    values: [f32; SIDE * SIDE],
    /// Pixel coordinates of a point `p`: `origin + columns[0] · p[0] + columns[1] · p[1]`.
    origin: Point,
    columns: [Point; 2],
}

impl DrawingArea {
    /// Makes a black image whose garments are centred at `centre`, scaled by `scale`, and slanted by `shear`: x by
    /// `shear[0] · y`, y by `shear[1] · x`. All are in garment coordinates.
    pub(super) fn new(centre: Point, scale: Point, shear: Point) -> Self {
        let half = SIDE as f32 / 2.0;
        Self {
            values: [0.0; SIDE * SIDE],
            origin: [half + half * centre[0], half + half * centre[1]],
            columns: [
                [half * scale[0], half * scale[0] * shear[1]],
                [half * scale[1] * shear[0], half * scale[1]],
            ],
        }
    }

    /// Returns the grey values, row after row.
    pub(super) fn values(&self) -> &[f32; SIDE * SIDE] {
        &self.values
    }

    /// Maps a point to pixel coordinates.
    ///
    /// This is the affine map.
    fn pixel(&self, p: Point) -> Point {
        [0, 1].map(|axis| self.origin[axis] + self.columns[0][axis] * p[0] + self.columns[1][axis] * p[1])
    }

    /// Maps a pixel's centre to garment coordinates.
    ///
    /// This is the inverse of the affine map, by Cramer's rule. The determinant is not 0 for the scales and shears in
    /// use.
    pub(super) fn point(&self, row: usize, column: usize) -> Point {
        let [a, b] = self.columns;
        let (x, y) = (column as f32 + 0.5 - self.origin[0], row as f32 + 0.5 - self.origin[1]);
        let area = a[0] * b[1] - a[1] * b[0];
        [(x * b[1] - y * b[0]) / area, (y * a[0] - x * a[1]) / area]
    }

    /// Fills a convex polygon, given by its corners in either orientation. If the corners do not make a convex
    /// polygon, less than its area is filled.
    ///
    /// At most eight corners are used. The sign of the area tells the orientation, and turns the edges' normals
    /// inwards.
    pub(super) fn polygon(&mut self, corners: &[Point], tone: f32) {
        let mut edges = [[0.0; 3]; 8];
        let count = corners.len().min(edges.len());
        let mut pixels = [[0.0; 2]; 8];
        for (pixel, &corner) in pixels.iter_mut().zip(corners) {
            *pixel = self.pixel(corner);
        }
        let pixels = &pixels[..count];
        let next = |i: usize| pixels[(i + 1) % count];
        let area: f32 = (0..count).map(|i| pixels[i][0] * next(i)[1] - pixels[i][1] * next(i)[0]).sum();
        // Each edge as a line in normal form: positive on the inner side, in pixels.
        for (i, edge) in edges[..count].iter_mut().enumerate() {
            let [x, y] = pixels[i];
            let (dx, dy) = (next(i)[0] - x, next(i)[1] - y);
            let length = (dx * dx + dy * dy).sqrt().max(1e-6) * area.signum();
            *edge = [-dy / length, dx / length, (x * dy - y * dx) / length];
        }
        let edges = &edges[..count];
        // The depth of a point is its distance to the nearest edge.
        self.blend(pixels, tone, |_, x, y| {
            edges.iter().fold(f32::INFINITY, |least, e| least.min(e[0] * x + e[1] * y + e[2]))
        });
    }

    /// Fills an ellipse whose axes lie along the garment's. Its border is soft over about a pixel; this is less exact
    /// for flat ellipses.
    pub(super) fn ellipse(&mut self, centre: Point, radii: Point, tone: f32) {
        let corners = [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]
            .map(|[i, j]: Point| self.pixel([centre[0] + i * radii[0], centre[1] + j * radii[1]]));
        let pixels = radii[0].min(radii[1]) * SIDE as f32 / 2.0;
        self.blend(&corners, tone, |canvas, x, y| {
            let [x, y] = canvas.point(y as usize, x as usize);
            let (x, y) = ((x - centre[0]) / radii[0], (y - centre[1]) / radii[1]);
            (1.0 - (x * x + y * y).sqrt()) * pixels
        });
    }

    /// Draws a line from `from` to `to` whose width changes from `widths[0]` to `widths[1]`.
    ///
    /// It is a polygon of four corners, so its ends are square. A line of length 0 draws nothing visible.
    pub(super) fn stroke(&mut self, from: Point, to: Point, widths: [f32; 2], tone: f32) {
        let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
        let length = (dx * dx + dy * dy).sqrt().max(1e-6);
        let (x, y) = (-dy / length / 2.0, dx / length / 2.0);
        let [w, v] = widths;
        self.polygon(
            &[
                [from[0] + x * w, from[1] + y * w],
                [to[0] + x * v, to[1] + y * v],
                [to[0] - x * v, to[1] - y * v],
                [from[0] - x * w, from[1] - y * w],
            ],
            tone,
        );
    }

    /// Blends a tone into the pixels near these points, in proportion to how much of each is covered. `depth` returns
    /// the distance from a pixel's centre to the shape's border, positive inside.
    ///
    /// Only the rows and columns around the shape and within the image are visited.
    fn blend(&mut self, around: &[Point], tone: f32, depth: impl Fn(&Self, f32, f32) -> f32) {
        let range = |axis: usize| {
            let low = around.iter().fold(f32::INFINITY, |a, p| a.min(p[axis]));
            let high = around.iter().fold(f32::NEG_INFINITY, |a, p| a.max(p[axis]));
            (low - 1.0).max(0.0) as usize..((high + 2.0).max(0.0) as usize).min(SIDE)
        };
        for row in range(1) {
            for column in range(0) {
                let covered = (depth(self, column as f32 + 0.5, row as f32 + 0.5) + 0.5).clamp(0.0, 1.0);
                let value = &mut self.values[row * SIDE + column];
                *value += (tone - *value) * covered;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> DrawingArea {
        DrawingArea::new([0.0, 0.0], [1.0, 1.0], [0.0, 0.0])
    }

    #[test]
    fn a_square_fills_its_pixels_in_either_sense() {
        let corners = [[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]];
        let mut reversed = corners;
        reversed.reverse();
        for corners in [corners, reversed] {
            let mut canvas = plain();
            canvas.polygon(&corners, 0.5);
            for (i, &v) in canvas.values().iter().enumerate() {
                let inside = [i / SIDE, i % SIDE].iter().all(|p| (7..21).contains(p));
                assert_eq!(v, if inside { 0.5 } else { 0.0 }, "pixel {i}");
            }
        }
    }

    #[test]
    fn an_ellipse_has_its_area() {
        let mut canvas = plain();
        canvas.ellipse([0.1, -0.1], [0.6, 0.4], 1.0);
        let area: f32 = canvas.values().iter().sum();
        let expected = std::f32::consts::PI * 0.6 * 0.4 * 14.0 * 14.0;
        assert!((area / expected - 1.0).abs() < 0.05, "{area} of {expected}");
    }

    #[test]
    fn pixels_and_points_are_inverse_and_nothing_outside_is_touched() {
        let mut canvas = DrawingArea::new([0.1, -0.2], [0.9, 1.1], [0.2, -0.1]);
        let [x, y] = canvas.pixel(canvas.point(3, 20));
        assert!((x - 20.5).abs() < 1e-4 && (y - 3.5).abs() < 1e-4);
        canvas.polygon(&[[5.0, 5.0], [6.0, 5.0], [6.0, 6.0]], 1.0);
        canvas.stroke([-9.0, -9.0], [-8.0, -9.0], [0.1, 0.1], 1.0);
        canvas.stroke([9.0, 9.0], [9.0, 9.0], [0.0, 0.0], 1.0);
        assert!(canvas.values().iter().all(|&v| v == 0.0));
    }
}
