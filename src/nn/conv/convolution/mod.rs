//! The passes of a convolution, shared by [`Conv2d`](crate::nn::Conv2d) and [`Conv1d`](crate::nn::Conv1d).
//!
//! Let `P` hold the values under the windows: a row for each position in a window, a column for each output pixel. A
//! filter's weights are a row of `W`, and all three passes are products:
//!
//! ```text
//! forward    Y  = W · P + b      [filters, patch] · [patch, pixels]
//! backward   dW = dY · Pᵀ        computed as (P · dYᵀ)ᵀ, so that the smaller factor is transposed
//!            dP = Wᵀ · dY        added back to where P came from: dX
//!            db = dY · 1
//! ```
//!
//! `P` is never stored whole. Samples are processed in blocks of a few, with their borders of zeros, and their pixels
//! are cut into tiles: as many columns as keep a tile of `P` and of `Y` in a core's own cache. If samples are small, a
//! tile spans several, so that the products stay large.
//!
//! For the second convolution of a typical network, 32 channels of 14 x 14 and 64 filters of 3 x 3 in batches of 64:
//!
//! | | values | |
//! |---|---|---|
//! | a patch | 32 · 9 = 288 | the rows of `P` |
//! | pixels of a sample | 196 | |
//! | samples per block | 4 | 784 columns in five tiles of 160 |
//! | a tile of `P` | 288 · 160 | 184 KB, in the L2 cache |
//! | a tile of `Y` | 64 · 160 | 41 KB |
//! | the whole of `P` | 288 · 12,544 | 14 MB, never stored |
//!
//! In such a network the products take two thirds of the time, the copies into `P` and back out of it a tenth, and the
//! other layers the rest. `P` is computed again for `dW`: keeping it would cost more memory traffic than the copies.
//!
//! Samples with borders are stored as planes of `padded rows · padded columns`, and the first value under the window of
//! output `(r, c)` is at `r · stride · padded columns + c · stride`. The others under it are at offsets that are the
//! same for all windows, the taps. So neither the gather nor the scatter has to check whether a value is inside the
//! image.
//!
//! # Groups
//!
//! With `g` groups, each product becomes `g` smaller ones, of `1/g` of the filters and `1/g` of the rows of `P`: the
//! work is `1/g` as much. A depthwise convolution has groups of one channel, whose products are so thin that the copies
//! take most of the time.
//!
//! # Threads
//!
//! The forward pass and `dX` are split by samples. `dW` is a sum over the batch, so it is split by its own rows: each
//! thread goes through the whole batch for its own channels. The blocks and tiles depend only on shapes. So no sum
//! depends on the number of threads, and a value of `Y` depends only on its own window: a sample gives bit-identical
//! output in any batch.

mod forward_backward;

use crate::error::{Error, Result};
use crate::kernels::{BEHIND, PixelRun, Scalar, threads};
use crate::nn::window;
use crate::nn::window::{Axis, Window};
use crate::tensor::{recycle, scratch, slice_mut};
use ndarray::{ArrayView2, ArrayViewMut2, ShapeBuilder};
use std::ops::Range;

/// The minimum number of multiply-adds per thread.
const LEAST_WORK: usize = 500_000;

/// The size of a tile in bytes: a quarter of a typical L2 cache, so that the other data read and written with it stay
/// there too.
const TILE_BYTES: usize = 1 << 18;

/// The minimum and the maximum number of columns of a tile.
const TILE_COLUMNS: [usize; 2] = [32, 1024];

/// The approximate number of columns of a block of samples.
const BLOCK_COLUMNS: usize = 1024;

/// The minimum number of blocks of a batch, if it has that many samples: the blocks are distributed among threads.
const BLOCKS: usize = 8;

/// A cache line, in numbers of `f32`: the columns of a tile are a multiple of it.
const LINE: usize = 16;

/// A convolution of images of one size: everything that is known before there is data.
#[derive(Debug)]
pub(super) struct Convolution {
    /// The channels of the input.
    channels: usize,
    /// The channels of the output.
    filters: usize,
    /// A divisor of both.
    groups: usize,
    /// The window's size and how it moves.
    window: Window,
    /// Rows and columns, including the padding.
    axes: [Axis; 2],
}

/// How the work on a batch is split; it depends only on shapes.
#[derive(Clone, Copy)]
struct Tiling {
    /// The number of samples in a block.
    together: usize,
    /// The columns of a tile.
    tile: usize,
    /// The distance from one row of a tile to the next.
    width: usize,
}

/// A piece of a sample's pixels in a tile.
struct Piece {
    /// The sample, counted from the first one of the block.
    sample: usize,
    /// The first pixel, in a plane of the sample's output.
    pixel: usize,
    /// The column in the tile.
    column: usize,
    /// The number of pixels.
    len: usize,
}

/// A buffer that is recycled when it is dropped.
struct Buffer<F: Scalar>(crate::tensor::Tensor<F>);

impl<F: Scalar> Buffer<F> {
    fn new(len: usize) -> Self {
        Self(scratch(&[len]))
    }

    fn zeros(len: usize) -> Self {
        let mut buffer = Self::new(len);
        buffer.numbers().fill(F::zero());
        buffer
    }

    fn numbers(&mut self) -> &mut [F] {
        slice_mut(&mut self.0)
    }
}

impl<F: Scalar> Drop for Buffer<F> {
    fn drop(&mut self) {
        recycle(std::mem::take(&mut self.0));
    }
}

/// Views a part of a slice as a matrix whose rows are `step` apart.
fn matrix<F>(values: &[F], rows: usize, columns: usize, step: usize) -> ArrayView2<'_, F> {
    ArrayView2::from_shape((rows, columns).strides((step, 1)), values).expect("rows within the buffer")
}

fn matrix_mut<F>(values: &mut [F], rows: usize, columns: usize, step: usize) -> ArrayViewMut2<'_, F> {
    ArrayViewMut2::from_shape((rows, columns).strides((step, 1)), values).expect("rows within the buffer")
}

impl Convolution {
    /// Creates the convolution of images `[channels, rows, columns]` with `filters` filters in `groups` groups.
    pub fn new(input: [usize; 3], filters: usize, groups: usize, window: Window) -> Result<Self> {
        let [channels, rows, columns] = input;
        for (name, value, help) in [
            ("filters", filters, "Give the layer the number of its output channels; 32 and 64 are usual."),
            ("groups", groups, "1 is usual: each filter reads all channels."),
        ] {
            if value == 0 {
                return Err(Error::argument(name, "at least 1", value).help(help));
            }
        }
        if channels == 0 || !channels.is_multiple_of(groups) || !filters.is_multiple_of(groups) {
            let text = format!(
                "a divisor of {channels}, the number of channels, and of {filters}, the number of filters"
            );
            return Err(Error::argument("groups", text, groups).help(
                "Each group reads its own share of the channels and has its own share of the filters.",
            ));
        }
        let axes = window.over([rows, columns])?;
        let convolution = Self { channels, filters, groups, window, axes };
        window::numbers("the sample with its padding", &[channels, axes[0].padded, axes[1].padded])?;
        window::numbers("the output", &convolution.output())?;
        window::numbers("the weight", &[filters, channels / groups, window.size[0], window.size[1]])?;
        Ok(convolution)
    }

    /// Returns the shape of a sample's output.
    pub fn output(&self) -> [usize; 3] {
        [self.filters, self.axes[0].output, self.axes[1].output]
    }

    /// Returns the number of values in a plane of the input.
    fn input_plane(&self) -> usize {
        self.axes[0].input * self.axes[1].input
    }

    /// Returns the number of values in a plane of the input with its padding.
    fn plane(&self) -> usize {
        self.axes[0].padded * self.axes[1].padded
    }

    fn is_padded(&self) -> bool {
        self.axes.iter().any(|axis| axis.padded > axis.input)
    }

    /// Returns the number of pixels in a plane of the output.
    fn pixels(&self) -> usize {
        self.axes[0].output * self.axes[1].output
    }

    /// Returns the number of values under a window in one channel.
    fn area(&self) -> usize {
        self.window.size[0] * self.window.size[1]
    }

    /// Returns the number of channels that a filter reads.
    fn depth(&self) -> usize {
        self.channels / self.groups
    }

    /// Returns the number of values under a window.
    fn patch(&self) -> usize {
        self.depth() * self.area()
    }

    /// Returns the number of filters in a group.
    fn group(&self) -> usize {
        self.filters / self.groups
    }

    /// Returns the offsets of the values under the first window, for all channels: rows of the window within a channel,
    /// columns within a row.
    ///
    /// The order is that of a filter's weights in memory, so that a filter is a row of `W` without a copy. The offsets
    /// are from the first value of a sample with its padding.
    fn taps(&self) -> Vec<usize> {
        let [rows, columns] = self.window.size;
        let [down, across] = self.window.dilation;
        let width = self.axes[1].padded;
        let mut taps = Vec::with_capacity(self.channels * rows * columns);
        for channel in 0..self.channels {
            for row in 0..rows {
                taps.extend(
                    (0..columns).map(|column| channel * self.plane() + row * down * width + column * across),
                );
            }
        }
        taps
    }

    /// Returns how the work on a batch of this size is tiled.
    ///
    /// Blocks grow until they have enough columns for a product, as long as enough blocks remain to distribute. Their
    /// size is a power of two, so that the usual batch sizes divide evenly. The tiles of a block are as equal as
    /// possible.
    fn tiling<F>(&self, samples: usize) -> Tiling {
        let together = (BLOCK_COLUMNS / self.pixels()).min(samples / BLOCKS).max(1);
        let together = 1 << together.ilog2();
        let columns = together * self.pixels();
        let [fewest, most] = TILE_COLUMNS;
        let most = (TILE_BYTES / size_of::<F>() / (self.patch() + self.group())).clamp(fewest, most);
        let tile = columns.div_ceil(columns.div_ceil(most)).next_multiple_of(LINE);
        // An odd number of lines, with padding at the end: the rows then start in different sets of the caches.
        let width = (((tile + BEHIND) / LINE) | 1) * LINE;
        Tiling { together, tile, width }
    }

    /// Finds the windows of a tile, as runs in padded images of which `step` values make a sample.
    fn runs(&self, tile: &Range<usize>, step: usize, runs: &mut Vec<PixelRun>) {
        runs.clear();
        let [rows, columns] = self.axes;
        let [down, across] = self.window.stride;
        let mut at = tile.start;
        while at < tile.end {
            let (line, x) = (at / columns.output, at % columns.output);
            let (sample, y) = (line / rows.output, line % rows.output);
            let len = (columns.output - x).min(tile.end - at);
            let from = sample * step + y * down * columns.padded + x * across;
            let column = at - tile.start;
            match runs.last_mut() {
                // Rows without a gap between them become one run.
                Some(last) if across == 1 && last.at + last.len == from => last.len += len,
                _ => runs.push(PixelRun { at: from, column, len }),
            }
            at += len;
        }
    }

    /// Returns the pieces of a tile, one per sample.
    fn pieces(&self, tile: &Range<usize>) -> impl Iterator<Item = Piece> {
        let (pixels, tile) = (self.pixels(), tile.clone());
        (tile.start / pixels..tile.end.div_ceil(pixels)).map(move |sample| {
            let start = tile.start.max(sample * pixels);
            let end = tile.end.min((sample + 1) * pixels);
            Piece { sample, pixel: start - sample * pixels, column: start - tile.start, len: end - start }
        })
    }

    /// Copies some channels of some samples into the interior of padded planes; the borders stay unchanged.
    fn frame<F: Scalar>(&self, x: &[F], channels: &Range<usize>, framed: &mut [F]) {
        let [rows, columns] = self.axes;
        let first = rows.before * columns.padded + columns.before;
        let mut planes = framed.chunks_exact_mut(self.plane());
        for sample in x.chunks_exact(self.channels * self.input_plane()) {
            let part = &sample[channels.start * self.input_plane()..channels.end * self.input_plane()];
            for (from, to) in part.chunks_exact(self.input_plane()).zip(&mut planes) {
                F::copy_rows(
                    from,
                    columns.input,
                    &mut to[first..],
                    columns.padded,
                    columns.input,
                    rows.input,
                );
            }
        }
    }

    /// Copies the interior of padded planes.
    fn unframe<F: Scalar>(&self, framed: &[F], x: &mut [F]) {
        let [rows, columns] = self.axes;
        let first = rows.before * columns.padded + columns.before;
        for (from, to) in framed.chunks_exact(self.plane()).zip(x.chunks_exact_mut(self.input_plane())) {
            F::copy_rows(&from[first..], columns.padded, to, columns.input, columns.input, rows.input);
        }
    }

    /// Returns the number of multiply-adds of a product.
    fn work(&self, samples: usize) -> usize {
        (samples * self.pixels()).saturating_mul(self.filters).saturating_mul(self.patch())
    }

    /// Returns the number of parts that a pass over `samples` samples is split into, and the samples of each.
    fn shares(&self, tiling: Tiling, samples: usize) -> (usize, usize) {
        let blocks = samples.div_ceil(tiling.together).max(1);
        let parts = threads::parts(self.work(samples), LEAST_WORK).min(blocks).max(1);
        (parts, blocks.div_ceil(parts) * tiling.together)
    }

    /// Returns a buffer of zeros for a block's samples with padding, or an empty one if there is no padding.
    fn framed<F: Scalar>(&self, tiling: Tiling, channels: usize) -> Buffer<F> {
        Buffer::zeros(if self.is_padded() { tiling.together * channels * self.plane() } else { 0 })
    }

    /// Returns some channels of a block's samples with their padding, and the number of values per sample.
    fn source<'a, F: Scalar>(
        &self,
        x: &'a [F],
        channels: &Range<usize>,
        framed: &'a mut [F],
    ) -> (&'a [F], usize) {
        if self.is_padded() {
            self.frame(x, channels, framed);
            (framed, channels.len() * self.plane())
        } else {
            (&x[channels.start * self.plane()..], self.channels * self.plane())
        }
    }

    /// Returns where a group's part of a tile begins in an output, if the tile lies within one sample.
    fn place(&self, tile: &Range<usize>, g: usize) -> Option<usize> {
        let (first, last) = (tile.start / self.pixels(), (tile.end - 1) / self.pixels());
        let first_filter = first * self.filters + g * self.group();
        (first == last).then(|| first_filter * self.pixels() + tile.start % self.pixels())
    }

    /// Returns a group's part of a tile of an output's gradient, and the distance between its rows: in place if the
    /// tile lies within one sample, else copied out of the planes.
    fn collect<'a, F: Scalar>(
        &self,
        dy: &'a [F],
        g: usize,
        tile: &Range<usize>,
        tiling: Tiling,
        buffer: &'a mut [F],
    ) -> (&'a [F], usize) {
        if let Some(at) = self.place(tile, g) {
            return (&dy[at..], self.pixels());
        }
        let group = self.group();
        for Piece { sample, pixel, column, len } in self.pieces(tile) {
            let from = &dy[(sample * self.filters + g * group) * self.pixels() + pixel..];
            F::copy_rows(from, self.pixels(), &mut buffer[column..], tiling.width, len, group);
        }
        (buffer, tiling.width)
    }
}

/// Returns the tiles of a block.
fn tiles(tiling: Tiling, columns: usize) -> impl Iterator<Item = Range<usize>> {
    (0..columns).step_by(tiling.tile).map(move |start| start..(start + tiling.tile).min(columns))
}
