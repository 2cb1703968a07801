//! The shapes of the synthetic [`garments`](crate::data::synthetic): one method for each kind of class, with random
//! parameters.
//!
//! All lengths are in garment coordinates: the image goes from -1 to 1 along both axes, and y points down. Each
//! method draws convex shapes over one another, from back to front; a tone of 0 cuts a hole. The ranges are chosen so
//! that similar classes overlap as those of Fashion-MNIST do: in the length of a sleeve, the height of a shaft, the
//! contrast of a row of buttons.
//!
//! | label | class | distinctive parts |
//! |---|---|---|
//! | 0 | T-shirt/top | short sleeves, a round neck, sometimes a print |
//! | 1 | Trouser | two legs and a belt |
//! | 2 | Pullover | long sleeves, a band at the hem |
//! | 3 | Dress | a waist, a long skirt |
//! | 4 | Coat | long sleeves, more length, an opening |
//! | 5 | Sandal | a sole and straps with gaps |
//! | 6 | Shirt | a placket and a collar, sleeves of either length |
//! | 7 | Sneaker | a low shoe |
//! | 8 | Bag | a box under a handle |
//! | 9 | Ankle boot | a shoe with a shaft |
//!
//! The order of the random draws is part of the format: one draw more or less changes every number after it, and so
//! every image of a seed. tests/library/garments.rs holds a checksum over the pixels.

use super::drawing_area::{DrawingArea, Point, SIDE};
use crate::random::RandomStream;

/// The left and the right side of a garment.
const SIDES: [f32; 2] = [-1.0, 1.0];

/// Draws one image, with its random choices.
pub(super) struct Tailor(RandomStream);

impl Tailor {
    /// Takes its random choices from this stream.
    pub(super) fn new(draws: RandomStream) -> Self {
        Self(draws)
    }

    /// Appends the bytes of an image of this class, row after row.
    pub(super) fn picture(&mut self, label: usize, pixels: &mut Vec<u8>) {
        let canvas = self.garment(label);
        self.develop(&canvas, pixels);
    }

    /// Draws from the uniform distribution over `[low, high)`.
    ///
    /// The draw is made in `f64` and rounded, so it is the same on every machine.
    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.0.unit() as f32
    }

    /// Returns true with this probability.
    fn chance(&mut self, probability: f64) -> bool {
        self.0.unit() < probability
    }

    /// Returns a tone near another, for a detail: darker or lighter by a share of up to `contrast`.
    fn near(&mut self, tone: f32, contrast: f32) -> f32 {
        let strength = self.between(-1.0, 1.0);
        (tone * (1.0 + contrast * strength)).clamp(0.05, 1.0)
    }

    /// Draws a garment of this class near the middle, with random size, slant and brightness. A few shoes point to
    /// the right.
    fn garment(&mut self, label: usize) -> DrawingArea {
        let shoe = matches!(label, 5 | 7 | 9);
        let centre = [self.between(-0.11, 0.11), self.between(-0.11, 0.11)];
        let size = self.between(0.82, 1.04);
        let mut scale = [size * self.between(0.88, 1.1), size * self.between(0.88, 1.1)];
        if shoe && self.chance(0.15) {
            scale[0] = -scale[0];
        }
        let mut canvas =
            DrawingArea::new(centre, scale, [self.between(-0.14, 0.14), self.between(-0.1, 0.1)]);
        let tone = self.between(0.3, 0.95);
        match label {
            0 | 2 | 4 | 6 => self.top(&mut canvas, label, tone),
            1 => self.trouser(&mut canvas, tone),
            3 => self.dress(&mut canvas, tone),
            5 => self.sandal(&mut canvas, tone),
            7 | 9 => self.shoe(&mut canvas, label == 9, tone),
            _ => self.bag(&mut canvas, tone),
        }
        canvas
    }

    /// Draws a sleeve on each side, from the shoulder down; `reach` is its end relative to the shoulder.
    fn sleeves(&mut self, canvas: &mut DrawingArea, shoulder: Point, reach: Point, tone: f32) {
        let widths = [self.between(0.3, 0.4), self.between(0.18, 0.28)];
        let tone = tone * self.between(0.8, 0.97);
        for side in SIDES {
            let from = [side * (shoulder[0] - 0.12), shoulder[1] + 0.1];
            canvas.stroke(from, [from[0] + side * reach[0], from[1] + reach[1]], widths, tone);
        }
    }

    /// Draws a garment for the upper body: T-shirt (0), pullover (2), coat (4), shirt (6).
    ///
    /// A T-shirt has short sleeves, a round neck and sometimes a print; a pullover has long sleeves and a band at its
    /// hem; a coat has long sleeves, more length, lapels and an opening; a shirt has sleeves of either length, a
    /// collar and a row of buttons. The contrast of a detail may be 0, and then only the lengths distinguish the
    /// class.
    fn top(&mut self, canvas: &mut DrawingArea, label: usize, tone: f32) {
        let long = match label {
            0 => self.chance(0.04),
            2 | 4 => !self.chance(0.03),
            _ => self.chance(0.66),
        };
        let hem = match label {
            0 => self.between(0.6, 0.86),
            2 => self.between(0.56, 0.78),
            4 => self.between(0.76, 0.98),
            _ => self.between(0.64, 0.9),
        };
        let wide = if label == 4 { 0.04 } else { 0.0 };
        let (top, shoulder) = (self.between(-0.88, -0.78), self.between(0.46, 0.56));
        let (chest, end) = (self.between(0.42, 0.5) + wide, self.between(0.4, 0.52) + 2.0 * wide);
        let reach = if long {
            [self.between(0.2, 0.42), self.between(0.95, 1.35)]
        } else {
            [self.between(0.26, 0.42), self.between(0.2, 0.46)]
        };
        self.sleeves(canvas, [shoulder, top], reach, tone);
        let neck = self.between(0.16, 0.26);
        for side in SIDES {
            // The halves are separate polygons, so that a narrow waist stays narrow.
            let x = side * 0.03;
            canvas.polygon(
                &[
                    [-x, top],
                    [side * neck, top],
                    [side * shoulder, top + 0.14],
                    [side * chest, 0.0],
                    [-x, 0.0],
                ],
                tone,
            );
            canvas.polygon(&[[-x, -0.08], [side * chest, -0.08], [side * end, hem], [-x, hem]], tone);
        }
        let depth = if label == 0 { self.between(0.1, 0.28) } else { self.between(0.04, 0.18) };
        canvas.ellipse([0.0, top - 0.02], [neck, depth], 0.0);
        match label {
            0 if self.chance(0.35) => {
                let (w, h, y) = (self.between(0.12, 0.3), self.between(0.08, 0.25), self.between(-0.4, 0.1));
                let print = self.near(tone, 0.9);
                canvas.polygon(&[[-w, y - h], [w, y - h], [w, y + h], [-w, y + h]], print);
            }
            2 => {
                let band = self.near(tone, 0.5);
                canvas.stroke([-end, hem - 0.06], [end, hem - 0.06], [0.12, 0.12], band);
            }
            4 => {
                let (opening, lapel) = (self.near(tone, 1.0), self.near(tone, 0.7));
                let low = self.between(-0.4, 0.0);
                for side in SIDES {
                    canvas.stroke([side * neck, top + 0.04], [0.0, low], [0.14, 0.02], lapel);
                }
                canvas.stroke([0.0, top + depth], [self.between(-0.08, 0.08), hem], [0.09, 0.12], opening);
            }
            6 => {
                let (placket, collar) = (self.near(tone, 0.8), self.near(tone, 0.7));
                canvas.stroke([0.0, top + depth], [0.0, hem], [0.07, 0.07], placket);
                for side in SIDES {
                    canvas.stroke([side * neck, top], [side * 0.04, top + depth + 0.1], [0.1, 0.06], collar);
                }
            }
            _ => {}
        }
    }

    /// Draws trousers (1): a belt, hips, and two legs that end near the bottom, or higher up as shorts.
    fn trouser(&mut self, canvas: &mut DrawingArea, tone: f32) {
        let (waist, hip) = (self.between(0.24, 0.36), self.between(0.32, 0.46));
        let (top, fork) = (self.between(-0.92, -0.8), self.between(-0.45, -0.2));
        let foot = if self.chance(0.08) { self.between(0.2, 0.5) } else { self.between(0.75, 0.95) };
        let (inner, width) = (self.between(0.02, 0.2), self.between(0.14, 0.26));
        for side in SIDES {
            let x = side * 0.02;
            canvas.polygon(&[[-x, top], [side * waist, top], [side * hip, fork], [-x, fork]], tone);
            let leg = [[side * 0.01, fork - 0.06], [side * hip, fork - 0.06]];
            canvas.polygon(&[leg[0], leg[1], [side * (inner + width), foot], [side * inner, foot]], tone);
        }
        let belt = self.near(tone, 0.6);
        canvas.stroke([-waist, top + 0.04], [waist, top + 0.04], [0.1, 0.1], belt);
    }

    /// Draws a dress (3): a narrow top, a waist, and a skirt that widens downwards or hardly at all. One of three has
    /// sleeves, and then looks like a long T-shirt or a coat.
    fn dress(&mut self, canvas: &mut DrawingArea, tone: f32) {
        let (top, hem) = (self.between(-0.92, -0.8), self.between(0.7, 0.95));
        let (shoulder, waist) = (self.between(0.2, 0.4), self.between(0.16, 0.32));
        let (middle, skirt) = (self.between(-0.25, 0.1), self.between(0.28, 0.6));
        if self.chance(0.35) {
            let long = self.chance(0.3);
            let reach = [
                self.between(0.14, 0.34),
                if long { self.between(0.8, 1.1) } else { self.between(0.15, 0.4) },
            ];
            self.sleeves(canvas, [shoulder + 0.06, top], reach, tone);
        }
        for side in SIDES {
            let x = side * 0.03;
            canvas.polygon(&[[-x, top], [side * shoulder, top], [side * waist, middle], [-x, middle]], tone);
            canvas.polygon(
                &[[-x, middle - 0.08], [side * waist, middle - 0.08], [side * skirt, hem], [-x, hem]],
                tone,
            );
        }
        canvas.ellipse([0.0, top], [shoulder * self.between(0.5, 0.8), self.between(0.08, 0.35)], 0.0);
        if self.chance(0.3) {
            let belt = self.near(tone, 0.8);
            canvas.stroke([-waist, middle], [waist, middle], [0.1, 0.1], belt);
        }
    }

    /// Draws a sandal (5): a sole, flat, on a wedge or on a heel, and two to five straps with gaps between them. It
    /// points to the left.
    fn sandal(&mut self, canvas: &mut DrawingArea, tone: f32) {
        let (heel, thick) = (self.between(0.0, 0.5), self.between(0.07, 0.16));
        let (toe, back) = ([-0.88, 0.5], [0.8, 0.5 - heel]);
        canvas.stroke(toe, back, [thick, thick * 1.2], tone);
        if self.chance(0.4) {
            canvas.polygon(
                &[[0.1, 0.5 - heel * 0.5], [0.85, 0.45 - heel], [0.85, 0.56], [-0.4, 0.54]],
                tone * 0.8,
            );
        } else {
            canvas.stroke([0.76, 0.5 - heel], [0.7, 0.56], [0.2, 0.1], tone * 0.9);
        }
        let straps = 2 + self.0.below(4);
        let height = self.between(0.25, 0.7);
        for i in 0..straps {
            let along = (i as f32 + self.between(0.1, 0.9)) / straps as f32;
            let foot = [-0.8 + 1.5 * along, 0.48 - heel * along];
            let knee = [foot[0] + self.between(-0.1, 0.35), foot[1] - height * (0.4 + 0.6 * along)];
            let (width, shade) = (self.between(0.07, 0.16), self.near(tone, 0.5));
            canvas.stroke(foot, knee, [width, width], shade);
            if self.chance(0.7) {
                let end = [knee[0] + self.between(0.2, 0.5), (knee[1] + self.between(0.1, 0.4)).min(0.5)];
                canvas.stroke(knee, end, [width, width], shade);
            }
        }
    }

    /// Draws a closed shoe that points to the left: a sneaker (7), or an ankle boot (9) with its shaft and heel. A
    /// high sneaker and a low boot have nearly the same height.
    fn shoe(&mut self, canvas: &mut DrawingArea, boot: bool, tone: f32) {
        let height = if boot { self.between(-0.88, -0.34) } else { self.between(-0.32, 0.04) };
        let (toe, instep) = (self.between(0.12, 0.3), self.between(-0.25, 0.1));
        let (open, back) = (self.between(0.12, 0.32), self.between(0.68, 0.82));
        let heel = if boot { self.between(0.0, 0.22) } else { self.between(0.0, 0.05) };
        let floor = 0.5 - heel;
        canvas.polygon(
            &[[-0.78, toe], [instep, toe - 0.24], [0.86, 0.0], [0.86, floor], [-0.9, 0.5], [-0.9, toe + 0.1]],
            tone,
        );
        canvas.polygon(
            &[[instep - 0.08, toe], [open, height], [back, height - 0.02], [0.84, floor], [0.0, 0.45]],
            tone,
        );
        let sole = self.near(tone, 0.9);
        let thick = if boot { self.between(0.06, 0.14) } else { self.between(0.09, 0.18) };
        canvas.stroke([-0.92, 0.5], [0.4, 0.5 - heel * 0.3], [thick, thick], sole);
        canvas.stroke([0.3, 0.5 - heel * 0.3], [0.9, floor], [thick, thick], sole);
        canvas.polygon(&[[0.45, floor], [0.88, floor], [0.84, 0.56], [0.52, 0.56]], sole);
        let (laces, steps) = (self.near(tone, 0.9), 2 + self.0.below(3));
        for i in 0..steps {
            let along = (i as f32 + 0.5) / steps as f32;
            let x = instep + (open - instep) * along;
            let y = toe - 0.16 + (height - toe + 0.3) * along;
            canvas.stroke([x - 0.02, y], [x + 0.16, y + 0.1], [0.06, 0.06], laces);
        }
    }

    /// Draws a bag (8): a body with a flap and a lock, and a handle, which one of eight lacks.
    fn bag(&mut self, canvas: &mut DrawingArea, tone: f32) {
        let (top, bottom) = (self.between(-0.35, 0.05), self.between(0.55, 0.85));
        let (upper, lower) = (self.between(0.5, 0.82), self.between(0.6, 0.9));
        if !self.chance(0.125) {
            let (width, height) = (self.between(0.25, 0.6), self.between(0.3, 0.75));
            let thick = self.between(0.06, 0.13);
            canvas.ellipse([0.0, top], [width, height], tone * self.between(0.6, 1.0));
            canvas.ellipse([0.0, top], [width - thick, height - thick], 0.0);
        }
        canvas.polygon(&[[-upper, top], [upper, top], [lower, bottom], [-lower, bottom]], tone);
        let flap = self.near(tone, 0.5);
        let depth = top + (bottom - top) * self.between(0.15, 0.6);
        canvas.polygon(&[[-upper, top], [upper, top], [upper * 0.9, depth], [-upper * 0.9, depth]], flap);
        let lock = self.near(tone, 0.9);
        canvas.ellipse([0.0, depth], [0.08, 0.08], lock);
    }

    /// Turns the drawing into bytes and appends them: with light from one side; stripes or a check on three of ten
    /// images; noise, most of it on the garment; and a grey square somewhere over one of ten images.
    fn develop(&mut self, canvas: &DrawingArea, pixels: &mut Vec<u8>) {
        let light = [self.between(-0.22, 0.22), self.between(-0.22, 0.22)];
        // The strength of the pattern, and its waves along x and along y.
        let weave = if self.chance(0.3) { self.between(0.1, 0.4) } else { 0.0 };
        let stripes = match self.0.below(3) {
            0 => [self.between(2.0, 5.0), 0.0],
            1 => [0.0, self.between(2.0, 5.0)],
            _ => [self.between(1.5, 3.5), self.between(1.5, 3.5)],
        };
        let (phase, grain) = (self.between(0.0, 1.0), self.between(0.02, 0.11));
        // The square that hides a part: its side, its first row and column, and its tone.
        let hidden = if self.chance(0.1) { 4 + self.0.below(6) } else { 0 };
        let (row0, column0, cover) = (self.0.below(SIDE), self.0.below(SIDE), self.between(0.0, 0.8));
        let mut bits = 0;
        for (i, &value) in canvas.values().iter().enumerate() {
            let (row, column) = (i / SIDE, i % SIDE);
            if i % 4 == 0 {
                bits = self.0.bits();
            }
            // The sum of two bytes less its mean: a triangular distribution over [-1, 1].
            let noise = ((bits & 0xff) + (bits >> 8 & 0xff)) as f32 / 255.0 - 1.0;
            bits >>= 16;
            let [x, y] = canvas.point(row, column);
            // A triangular wave of period 1, from -1 to 1.
            let wave = |t: f32| 4.0 * (t - (t + 0.5).floor()).abs() - 1.0;
            let pattern = wave(phase + stripes[0] * x) * wave(phase + stripes[1] * y);
            let shade = 1.0 + light[0] * x + light[1] * y + weave * pattern + 2.0 * grain * noise;
            let lit = value * shade + 0.25 * grain * noise;
            let covered =
                (row0..row0 + hidden).contains(&row) && (column0..column0 + hidden).contains(&column);
            pixels.push((if covered { cover } else { lit } * 255.0) as u8); // saturates
        }
    }
}
