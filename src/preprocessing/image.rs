//! [`Image`]: images of any size as an input.

use super::{Field, InputBlock, InputSpec, Notes, Remark};
use crate::codec::checked;
use crate::data::{Column, ColumnType, Conversion, Element, Fit, ImageForm, Pixels, TablePart};
use crate::error::{Error, Result};
use crate::kernels::threads;
use crate::state::Kind;
use crate::tensor::Tensor;
use ndarray::ArrayD;
use serde::{Deserialize, Serialize};

/// The number of images that are decoded before their numbers are written.
const AT_A_TIME: usize = 128;

/// A block that makes an input from images of any size: PNG and JPEG files (with the feature `images`), or
/// [`Pixels`](crate::data::Pixels).
///
/// ```
/// use plywood::data::{Fit, Pixels};
/// use plywood::prelude::*;
/// use plywood::preprocessing::Image;
///
/// let model = Sequential::builder([3, 8, 8])
///     .layer(Conv2d::filters(4, 3)).layer(ReLU).layer(GlobalAvgPool)
///     .layer(Dense::units(2)).layer(Softmax)
///     .build()?;
/// let photo = Image::rgb(8, 8).fit(Fit::Crop).normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
/// let predictor = Predictor::new(model).input(photo).output(Classes::named(["cat", "dog"])).build()?;
/// let answer = predictor.predict(Pixels::rgb([20, 30], vec![128; 20 * 30 * 3])?)?;
/// assert_eq!(answer.notes()[0].to_string(), "input was cropped from 20 x 30");
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | step | setting | default |
/// |---|---|---|
/// | 1 rotated as the file's EXIF data say | | |
/// | 2 transparent pixels are laid over a background | [`background`](Image::background) | white |
/// | 3 converted to grey, `(2126 · red + 7152 · green + 722 · blue) / 10000`, or to RGB | [`grey`](Image::grey), [`rgb`](Image::rgb) | |
/// | 4 cropped, or padded behind step 5 | [`fit`](Image::fit) | stretched |
/// | 5 resized by a triangle filter, which averages when an image is shrunk | | |
/// | 6 inverted: `255 - x` | [`invert`](Image::invert) | no |
/// | 7 scaled: `x · scale` | [`scale`](Image::scale) | 1 / 255 |
/// | 8 normalized: `(x - mean) / std` for each channel | [`normalize`](Image::normalize) | no |
///
/// The shape is `[height, width]` for grey images, or `[1, height, width]` with [`with_channel`](Image::with_channel), and
/// `[3, height, width]` for RGB. Steps 2 to 6 are those of `ImageFolder`, and of code of this crate: a file gives the same
/// numbers with any version of its dependencies. A missing image is an error; an answer has a note if an image was
/// resized, cropped, converted between grey and colours, or laid over the background.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Image {
    column: String,
    form: ImageForm,
    /// The shape of a grey image has an axis for its channel.
    channel: bool,
    #[serde(with = "crate::codec::words")]
    scale: f64,
    /// One for each channel, or none.
    #[serde(with = "crate::codec::words")]
    mean: Vec<f64>,
    #[serde(with = "crate::codec::words")]
    std: Vec<f64>,
}

checked!(Image);

impl Image {
    /// Makes images of one channel, of this height and width.
    pub fn grey(height: usize, width: usize) -> Self {
        Self::of(ImageForm { grey: true, ..ImageForm::of(height, width) })
    }

    /// Makes images of red, green and blue, of this height and width.
    pub fn rgb(height: usize, width: usize) -> Self {
        Self::of(ImageForm::of(height, width))
    }

    fn of(form: ImageForm) -> Self {
        let (mean, std) = (Vec::new(), Vec::new());
        Self { column: String::new(), form, channel: false, scale: 1.0 / 255.0, mean, std }
    }

    /// Sets the name of the value. The default is the name of the model's input.
    #[must_use]
    pub fn column(mut self, name: impl Into<String>) -> Self {
        self.column = name.into();
        self
    }

    /// Gives grey images the shape `[1, height, width]`, as convolutions take them.
    #[must_use]
    pub fn with_channel(mut self) -> Self {
        self.channel = true;
        self
    }

    /// Sets what is done if an image's proportions are not those of the input. By default it is stretched.
    #[must_use]
    pub fn fit(mut self, fit: Fit) -> Self {
        self.form.fit = fit;
        self
    }

    /// Sets the colour behind transparent pixels: red, green, blue. The default is white.
    #[must_use]
    pub fn background(mut self, colour: [u8; 3]) -> Self {
        self.form.background = colour;
        self
    }

    /// Sets whether black becomes white and white black.
    ///
    /// Fashion-MNIST and MNIST are light on a dark background. A photo on a light background must be inverted for a model
    /// that was trained on them.
    #[must_use]
    pub fn invert(mut self, invert: bool) -> Self {
        self.form.invert = invert;
        self
    }

    /// Sets the factor that bytes from 0 to 255 are multiplied by. The default is 1 / 255, as in this crate's image data
    /// sets.
    #[must_use]
    pub fn scale(mut self, scale: f64) -> Self {
        self.scale = scale;
        self
    }

    /// Sets what is subtracted from the scaled numbers of each channel, and what they are then divided by: torchvision's
    /// `Normalize`.
    #[must_use]
    pub fn normalize(mut self, mean: impl Into<Vec<f64>>, std: impl Into<Vec<f64>>) -> Self {
        (self.mean, self.std) = (mean.into(), std.into());
        self
    }

    /// Returns the height of the images that it makes, in pixels.
    pub fn height(&self) -> usize {
        self.form.height
    }

    /// Returns the width of the images that it makes, in pixels.
    pub fn width(&self) -> usize {
        self.form.width
    }

    /// Returns whether it makes grey images; otherwise they are red, green and blue.
    pub fn is_grey(&self) -> bool {
        self.form.grey
    }

    /// Returns whether it inverts the images: [`invert`](Image::invert).
    pub fn is_inverted(&self) -> bool {
        self.form.invert
    }

    /// Checks that the settings are sound.
    pub(crate) fn check(&self) -> Result<()> {
        self.form.check()?;
        let large = self.scale.abs() * 255.0;
        if self.scale == 0.0 || !(large as f32).is_finite() {
            return Err(Error::argument("the scale of an image", "finite and not 0", self.scale)
                .help("1 / 255 gives numbers from 0 to 1."));
        }
        let channels = if self.form.grey { 1 } else { 3 };
        for (what, numbers) in [("mean", &self.mean), ("std", &self.std)] {
            if numbers.len() != self.mean.len()
                || !matches!(numbers.len(), 0 | 1 | 3)
                || numbers.len() > channels
            {
                return Err(Error::argument(
                    format!("the `{what}` of an image"),
                    format!("{channels} numbers, one for each channel"),
                    numbers.len(),
                )
                .help("Give as many means and deviations as there are channels."));
            }
        }
        let sound =
            |(mean, std): (&f64, &f64)| mean.is_finite() && *std > 0.0 && ((large + mean.abs()) / std < 1e30);
        match self.mean.len().is_multiple_of(channels) && self.mean.iter().zip(&self.std).all(sound) {
            true => Ok(()),
            false => Err(Error::argument(
                "the mean and std of an image",
                "finite, std above 0, and one of each for each channel",
                format!("{:?} and {:?}", self.mean, self.std),
            )
            .help("Give those of the scaled numbers, for each channel.")),
        }
    }

    /// The numbers of a converted image, channel by channel.
    fn scale_into(&self, bytes: &[u8], out: &mut [f32]) {
        if self.mean.is_empty() {
            return u8::rows(bytes, &[0], bytes.len(), self.scale as f32, 0.0, out);
        }
        let each = bytes.len() / self.mean.len();
        for (channel, (bytes, out)) in bytes.chunks_exact(each).zip(out.chunks_exact_mut(each)).enumerate() {
            let (scale, offset) = (self.scale / self.std[channel], -self.mean[channel] / self.std[channel]);
            u8::rows(bytes, &[0], each, scale as f32, offset as f32, out);
        }
    }

    /// Converts all images of a column, some at a time on several threads, and calls `take` with the bytes of each, in
    /// order.
    fn each_image(&self, column: &Column, notes: &mut Notes, mut take: impl FnMut(&[u8])) -> Result<()> {
        let images = column.as_images()?;
        let convert = |row: usize| {
            let Some(image) = &images[row] else {
                return Err(Error::data(column.place(row), "have an image", "nothing")
                    .help("An image cannot be filled; leave the row out."));
            };
            let convert =
                |pixels: Pixels| Ok((self.form.convert(&pixels)?, [pixels.height(), pixels.width()]));
            image.pixels().and_then(convert).map_err(|error: Error| error.at(column.place(row)))
        };
        for first in (0..images.len()).step_by(AT_A_TIME) {
            let some = threads::map(AT_A_TIME.min(images.len() - first), |i| convert(first + i));
            for (row, converted) in (first..).zip(some) {
                let ((bytes, done), size) = converted?;
                take(&bytes);
                remarks(done, size).for_each(|remark| notes.add(row, 0, remark));
            }
        }
        Ok(())
    }

    /// The bytes of all images, `[rows, …]`, and the factor that makes the input of them, so that a data set may keep bytes;
    /// `None` if the channels are normalized.
    pub(crate) fn encode_bytes(
        &self,
        columns: &[&Column],
        notes: &mut Notes,
    ) -> Result<Option<(ArrayD<u8>, f64)>> {
        self.check()?;
        if !self.mean.is_empty() {
            return Ok(None);
        }
        let rows = columns[0].len();
        let mut all: Vec<u8> = reserved(rows, self.form.len())?;
        self.each_image(columns[0], notes, |bytes| all.extend_from_slice(bytes))?;
        let shape = [&[rows][..], &InputBlock::shape(self)].concat();
        Ok(Some((ArrayD::from_shape_vec(shape, all).map_err(Error::custom)?, self.scale)))
    }
}

/// Room for the images of some rows.
fn reserved<T>(rows: usize, each: usize) -> Result<Vec<T>> {
    let mut all = Vec::new();
    match rows.checked_mul(each).is_some_and(|count| all.try_reserve_exact(count).is_ok()) {
        true => Ok(all),
        false => Err(Error::argument(
            "the images",
            "few enough to fit into memory",
            format!("{rows} of {each} numbers"),
        )
        .help("Prepare fewer at a time.")),
    }
}

/// It has nothing to fit.
impl InputSpec for Image {
    type Block = Self;

    fn fit_excluding(&self, _: &TablePart<'_>, _: &[&str]) -> Result<Self> {
        self.check().map(|()| self.clone())
    }
}

/// What an answer says of a conversion.
fn remarks(done: Conversion, size: [usize; 2]) -> impl Iterator<Item = Remark> {
    let list = [
        (done.cropped, Remark::Cropped(size)),
        (!done.cropped && (done.resized || done.padded), Remark::Resized(size)),
        (done.converted, Remark::Converted),
        (done.transparent, Remark::Transparent),
    ];
    list.into_iter().filter(|(done, _)| *done).map(|(_, remark)| remark)
}

impl InputBlock for Image {
    const KIND: Kind = Kind::builtin("image");

    fn fields(&self) -> Vec<Field> {
        vec![Field::new(self.column.clone(), ColumnType::Image)]
    }

    fn shape(&self) -> Vec<usize> {
        let ImageForm { height, width, grey, .. } = self.form;
        match (grey, self.channel) {
            (true, false) => vec![height, width],
            (true, true) => vec![1, height, width],
            (false, _) => vec![3, height, width],
        }
    }

    fn encode(&self, columns: &[&Column], notes: &mut Notes) -> Result<Tensor> {
        self.check()?;
        let (rows, each) = (columns[0].len(), self.form.len());
        let mut numbers: Vec<f32> = reserved(rows, each)?;
        self.each_image(columns[0], notes, |bytes| {
            let from = numbers.len();
            numbers.resize(from + each, 0.0);
            self.scale_into(bytes, &mut numbers[from..]);
        })?;
        let shape = [&[rows][..], &InputBlock::shape(self)].concat();
        Tensor::from_shape_vec(shape, numbers).map_err(Error::custom)
    }
}
