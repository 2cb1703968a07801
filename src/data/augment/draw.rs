//! Draws and applies the changes of each image.
//!
//! All random numbers of a sample are drawn at (seed, epoch, sample), always in the same order, even for changes that
//! are switched off. So switching erasing on does not alter which images are mirrored.
//!
//! ```text
//! mirrored down, mirrored right · shift down, shift right · angle · side · place down, place right · erasing
//! ```
//!
//! Erasing comes last, because its number of draws depends on their values.

use super::Augment;
use crate::error::{Error, Result};
use crate::kernels::{Move, Scalar, Warp, threads};
use crate::random::RandomStream;
use crate::tensor::{Tensor, recycle, scratch, slice_mut};

/// The least number of values worth a thread of its own: some microseconds of work.
const LEAST_NUMBERS: usize = 8_192;

/// The number of rectangles that are tried before nothing is erased because none fits. As in torchvision.
const ATTEMPTS: usize = 10;

/// The least and the greatest ratio of a rectangle's height to its width, as in the paper.
const RATIO: (f64, f64) = (0.3, 3.3);

/// The changes of one image.
#[derive(Clone, Debug, PartialEq)]
struct Change {
    by: Move,
    /// The map for rotation and crop, if either is on: from output positions to input positions, mirroring included.
    warp: Option<Warp>,
    /// The first row and column of the erased rectangle, and its ends.
    erased: Option<([usize; 2], [usize; 2])>,
}

impl Augment {
    /// Returns the height and width of inputs of this shape, or an error if the changes do not apply to them.
    fn sides(&self, shape: &[usize]) -> Result<[usize; 2]> {
        let sides = match *shape {
            [height, width] | [_, height, width] => [height, width],
            _ => {
                return Err(Error::shape("the input", "[height, width] or [channels, height, width]", shape)
                    .help("Augmentation takes images; shape the data so, and let the model flatten them."));
            }
        };
        if self.shift > 0 && self.shift >= sides[0].min(sides[1]) {
            let [height, width] = sides;
            let expected = format!("smaller than both sides of the images, {height} x {width}");
            return Err(
                Error::argument("the shift", expected, self.shift).help("It is in pixels; 2 is usual.")
            );
        }
        Ok(sides)
    }

    /// Changes a batch in place, `[batch, …]` in standard layout; it has a row for each of `indices`.
    ///
    /// Samples are independent, so they are divided among the threads.
    pub(super) fn apply<F: Scalar>(
        &self,
        epoch: u64,
        indices: &[usize],
        input: &mut Tensor<F>,
    ) -> Result<()> {
        let shape = input.shape().get(1..).unwrap_or_default();
        let sides = self.sides(shape)?;
        let size: usize = shape.iter().product();
        if size == 0 {
            return Ok(());
        }
        let share = indices.len().div_ceil(threads::parts(input.len(), LEAST_NUMBERS)).max(1);
        let parts = slice_mut(input).chunks_mut(share * size).zip(indices.chunks(share));
        threads::each(parts, |(images, indices)| {
            let mut before = scratch(&sides);
            for (image, &i) in images.chunks_exact_mut(size).zip(indices) {
                let change = self.draw(&mut self.random.at(epoch, i as u64), sides);
                for channel in image.chunks_exact_mut(sides[0] * sides[1]) {
                    self.change(&change, sides[1], channel, slice_mut(&mut before));
                }
            }
            recycle(before);
        });
        Ok(())
    }

    /// Draws the changes of an image of this height and width. All numbers are drawn in a fixed order, even for
    /// changes that are switched off.
    fn draw(&self, draws: &mut RandomStream, sides: [usize; 2]) -> Change {
        let flip = [draws.below(2) == 1 && self.flip[0], draws.below(2) == 1 && self.flip[1]];
        let shift = [(); 2].map(|()| draws.below(2 * self.shift + 1) as isize - self.shift as isize);
        let angle = draws.uniform(-self.rotate, self.rotate).to_radians();
        let side = draws.uniform(self.crop.0, self.crop.1).sqrt();
        let place = [draws.unit(), draws.unit()];
        let by = Move { flip, shift };
        let interpolated = self.rotate != 0.0 || self.crop.0 < 1.0;
        let warp = interpolated.then(|| warp(sides, by, angle, side, place));
        Change { by, warp, erased: self.draw_erased(draws, sides) }
    }

    /// Draws the rectangle to erase, as torchvision does.
    fn draw_erased(&self, draws: &mut RandomStream, sides: [usize; 2]) -> Option<([usize; 2], [usize; 2])> {
        let (probability, low, high) = self.erase;
        if draws.unit() >= probability {
            return None;
        }
        for _ in 0..ATTEMPTS {
            let area = draws.uniform(low, high) * sides[0] as f64 * sides[1] as f64;
            let ratio = draws.uniform(RATIO.0.ln(), RATIO.1.ln()).exp();
            let size = [(area * ratio).sqrt().round() as usize, (area / ratio).sqrt().round() as usize];
            if size[0] < sides[0] && size[1] < sides[1] {
                let from = [0, 1].map(|i| draws.below(sides[i] - size[i] + 1));
                return Some((from, [from[0] + size[0], from[1] + size[1]]));
            }
        }
        None
    }

    /// Changes a channel; `before` receives a copy of it.
    fn change<F: Scalar>(&self, change: &Change, width: usize, channel: &mut [F], before: &mut [F]) {
        let fill = F::of(self.fill);
        match &change.warp {
            Some(warp) => {
                before.copy_from_slice(channel);
                F::warped(before, width, warp, fill, channel);
            }
            None if change.by != Move::NONE => {
                before.copy_from_slice(channel);
                F::moved(before, width, change.by, fill, channel);
            }
            None => {}
        }
        if let Some((from, to)) = change.erased {
            F::erased(channel, width, from, to, fill);
        }
    }
}

/// The map `c + o + s · R · (p - c - d)`, mirrored. `angle` is in radians, `side` is `s`, and `place`, from 0 to 1
/// along each axis, is the position of the crop from one border to the other.
fn warp(sides: [usize; 2], by: Move, angle: f64, side: f64, place: [f64; 2]) -> Warp {
    let centre = sides.map(|n| (n as f64 - 1.0) / 2.0);
    let (sin, cos) = angle.sin_cos();
    let turn = [[cos, -sin], [sin, cos]];
    [0, 1].map(|i| {
        let m = turn[i].map(|t| side * t);
        let middle = centre[i] * (1.0 + (1.0 - side) * (2.0 * place[i] - 1.0));
        let from = [0, 1].map(|j| centre[j] + by.shift[j] as f64);
        let start = middle - m[0] * from[0] - m[1] * from[1];
        if by.flip[i] { [-m[0], -m[1], 2.0 * centre[i] - start] } else { [m[0], m[1], start] }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STILL: Move = Move { flip: [false; 2], shift: [0; 2] };

    fn warped<F: Scalar>(image: &[F], width: usize, map: &Warp, fill: F) -> Vec<F> {
        let mut out = vec![F::nan(); image.len()];
        F::warped(image, width, map, fill, &mut out);
        out
    }

    #[track_caller]
    fn assert_close(found: &[f64], expected: &[f64]) {
        let close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-11);
        assert!(found.len() == expected.len() && close, "{found:?}");
    }

    /// PyTorch 2.15, `grid_sample(image - fill, grid, align_corners=True) + fill` in f64: in the first case the grid
    /// is `affine_grid`'s for a rotation, in the others it is written out from the formula.
    #[test]
    fn maps_are_those_of_pytorch() {
        let square = [1., 4., 2., 5., 7., 1., 2., 9., 6.];
        let by_30 = 30f64.to_radians();
        assert_close(
            &warped(&square, 3, &warp([3, 3], STILL, by_30, 1.0, [0.5; 2]), 0.0),
            &[
                2.241669750802,
                2.968911086754,
                2.071796769724,
                4.102885682970,
                7.0,
                2.035898384862,
                4.081415712958,
                7.031088913246,
                1.794228634060,
            ],
        );
        let image = [1., 4., 2., 8., 5., 7., 1., 3., 2., 9., 6., 0.];
        assert_close(
            &warped(&image, 4, &warp([3, 4], STILL, by_30, 1.0, [0.3, 0.9]), 0.0),
            &[
                3.179491924311,
                4.019151560335,
                2.770353928239,
                1.456887407713,
                3.905530892359,
                7.148316684934,
                1.584936490539,
                5.745190528383,
                2.652010114778,
                6.452164262228,
                2.812177826491,
                1.858897522491,
            ],
        );
        let by = Move { flip: [false, true], shift: [1, -1] };
        assert_close(
            &warped(&image, 4, &warp([3, 4], by, -100f64.to_radians(), 0.8, [0.75, 0.25]), 0.5),
            &[
                4.945430570700,
                3.527020892877,
                2.032040354807,
                0.5,
                6.088242082324,
                7.912518933921,
                5.301573852971,
                0.5,
                3.317523648481,
                4.737163239077,
                4.755421035666,
                0.5,
            ],
        );
        let by = Move { flip: [true, false], shift: [0, 1] };
        assert_close(
            &warped(&image, 4, &warp([3, 4], by, 45f64.to_radians(), 0.5, [1.0, 0.0]), -1.0),
            &[
                -5.965901844062e-03,
                1.852029226991,
                4.217449044989,
                6.142385912066,
                6.725740285930e-02,
                1.578361748463,
                3.827284002044,
                5.860215997956,
                -3.018420715795e-01,
                1.291750096112,
                3.635342263803,
                4.046572875254,
            ],
        );
    }

    #[test]
    fn shifts_flips_and_rectangles_have_their_distributions() {
        let augment = Augment::seed(3).flip_vertical(true).shift(2).erase(0.4, 0.1..=0.3);
        let (mut shifts, mut flips, mut erased) = ([0; 25], 0, 0);
        for sample in 0..20_000 {
            let Change { by, warp, erased: rectangle } =
                augment.draw(&mut augment.random.at(1, sample), [20, 30]);
            assert_eq!((by.flip[1], warp), (false, None));
            flips += usize::from(by.flip[0]);
            shifts[((by.shift[0] + 2) * 5 + by.shift[1] + 2) as usize] += 1;
            if let Some((from, to)) = rectangle {
                erased += 1;
                let size = [to[0] - from[0], to[1] - from[1]].map(|n| n as f64);
                // Sides are rounded to whole pixels, so the area is not exact.
                assert!(to[0] <= 20 && to[1] <= 30);
                assert!((48.0..=195.0).contains(&(size[0] * size[1])), "{size:?}");
                assert!((0.25..=3.8).contains(&(size[0] / size[1])), "{size:?}");
            }
        }
        // Six standard errors each.
        assert!(flips.abs_diff(10_000) < 424, "{flips}");
        assert!(shifts.iter().all(|n: &usize| n.abs_diff(800) < 166), "{shifts:?}");
        assert!((7_400..=8_416).contains(&erased), "{erased}");
    }

    #[test]
    fn what_is_switched_on_does_not_change_what_else_is_drawn() {
        let some = Augment::seed(3).flip_horizontal(true).shift(1).erase(0.5, 0.1..=0.3);
        let more = some.clone().flip_vertical(true).rotate(20.0).crop(0.5..=1.0);
        for sample in 0..200 {
            let draw = |augment: &Augment| augment.draw(&mut augment.random.at(0, sample), [9, 9]);
            let (some, more) = (draw(&some), draw(&more));
            assert_eq!(
                (some.by.flip[1], some.by.shift, some.erased),
                (more.by.flip[1], more.by.shift, more.erased)
            );
        }
    }
}
