//! Arrays as images: samples of a data set, weights.

use super::mark::{Anchor, Colour, Pixels, Point};
use super::{Figure, font, palette};
use crate::data::feed::Feed;
use crate::data::{Batch, Dataset, Pass};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::predict::{class_threshold, meaning};
use crate::nn::predict_parts::{infer_all, no_output};
use crate::nn::{Infer, Model, Outputs};
use crate::predictions;

/// Returns channels, rows and columns of an array that can be shown as an image; `None` for any other.
fn sides(shape: &[usize]) -> Option<(usize, usize, usize)> {
    match *shape {
        [rows, columns] if rows > 0 && columns > 0 => Some((1, rows, columns)),
        [channels @ (1 | 3), rows, columns] if rows > 0 && columns > 0 => Some((channels, rows, columns)),
        _ => None,
    }
}

/// Converts numbers from `low` to `high` to grey, or to red, green and blue if there are three channels.
fn grey(values: &[f64], (channels, rows, columns): (usize, usize, usize), low: f64, high: f64) -> Pixels {
    let byte = |v: f64| {
        let share = (v - low) / (high - low);
        if share.is_finite() { (share.clamp(0.0, 1.0) * 255.0).round() as u8 } else { 0 }
    };
    let size = rows * columns;
    let rgb = (0..size).flat_map(|i| (0..3).map(move |k| values[k.min(channels - 1) * size + i])).map(byte);
    Pixels { width: columns, height: rows, rgb: rgb.collect() }
}

/// The greatest number of samples in one figure.
const MOST: usize = 400;

/// Draws samples of a data set as images, each with the predicted class and its confidence. Wrong predictions have a
/// frame and show the true class too.
///
/// ```
/// use plywood::plot;
/// use plywood::prelude::*;
///
/// let (_, test) = plywood::data::synthetic::garments(10, 20, 1)?;
/// let model = Sequential::builder([28, 28]).layer(Flatten).layer(Dense::units(10)).layer(Softmax).build()?;
/// let first: Vec<usize> = (0..20).collect();
/// let figure = plot::samples(&model, &test, &first)?;
/// assert!(figure.title().starts_with("20 samples"));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | the model's input | shown as |
/// |---|---|
/// | `[rows, columns]`, `[1, rows, columns]` | grey, bright for large numbers |
/// | `[3, rows, columns]` | red, green and blue |
///
/// The scale goes from 0 to 1, and is extended to the least and the greatest number of the samples if they lie
/// outside. The confidence is the model's output for the predicted class; it is left out if outputs are not
/// probabilities. The threshold of a single output is that of [`predict_classes`](crate::nn::Predict::predict_classes). A NaN
/// prediction is shown as NaN.
///
/// # Errors
/// When the inputs are not such images, there are no positions or more than 400, one is out of range, the data cannot
/// be read, or the last layer does not define the threshold of a single output.
pub fn samples<F: Scalar, M: Infer<F> + ?Sized, D: Dataset<F, Target = Vec<usize>>>(
    model: &M,
    data: &D,
    positions: &[usize],
) -> Result<Figure> {
    samples_by(model.as_infer(), data, positions, None)
}

/// [`samples`] of a model with several inputs: shows the input with this name.
///
/// # Errors
/// As [`samples`]; also when the data have no such input.
pub fn samples_of<F: Scalar, M: Infer<F> + ?Sized, D: Dataset<F, Target = Vec<usize>>>(
    input: &str,
    model: &M,
    data: &D,
    positions: &[usize],
) -> Result<Figure> {
    samples_by(model.as_infer(), data, positions, Some(input))
}

fn samples_by<F: Scalar>(
    model: &dyn Infer<F>,
    data: &dyn Dataset<F, Target = Vec<usize>>,
    positions: &[usize],
    input: Option<&str>,
) -> Result<Figure> {
    let at = |error: Error| error.at("plot samples");
    let (shown, shape) = data.input_shapes().chosen(input, "samples_of").map_err(at)?;
    let sides = sides(shape).ok_or_else(|| {
        at(Error::shape("the samples", "[rows, columns] or [1 or 3, rows, columns]", shape)
            .help("Only images can be shown."))
    })?;
    if positions.is_empty() || positions.len() > MOST {
        return Err(at(Error::argument(
            "the number of positions",
            format!("from 1 to {MOST}"),
            positions.len(),
        )
        .help("Choose some of the samples.")));
    }
    if let Some(&position) = positions.iter().find(|&&position| position >= data.len()) {
        return Err(at(Error::argument("each position", format!("below {}", data.len()), position)
            .help("Positions count from 0.")));
    }
    let mut batch = Batch::default();
    data.read(positions, Pass::Evaluate, &mut batch).map_err(at)?;
    let values: Vec<f64> = batch.inputs.get(shown).into_iter().flatten().map(|x| x.as_f64()).collect();
    let threshold = class_threshold(model).map_err(at)?;
    let feed = Feed::new(model.inputs(), data.input_shapes()).map_err(at)?;
    let output = infer_all(model, feed.take(&mut batch, positions.len()).map_err(at)?, &[false])
        .map_err(at)?
        .remove(0);
    let output = output.ok_or_else(no_output)?;
    let classes = predictions::classes(&output, threshold);
    let confidences = match meaning(model) {
        (Outputs::Logits | Outputs::BinaryLogits, _) => vec![None; classes.len()],
        _ => predictions::confidences(&output, &classes),
    };

    let usable = values.iter().copied().filter(|v| v.is_finite());
    let (low, high) = usable.fold((0.0f64, 1.0f64), |(l, h), v| (l.min(v), h.max(v)));
    let size = values.len() / positions.len();
    let name = |class: usize| data.class_names().get(class).cloned().unwrap_or_else(|| class.to_string());
    // A prediction that contains NaN has no class.
    let lost = output.outer_iter().map(|row| row.iter().any(|x| x.is_nan()));
    let classes: Vec<Option<usize>> =
        classes.into_iter().zip(lost).map(|(class, lost)| (!lost).then_some(class)).collect();
    let wrong = classes.iter().zip(&batch.target).filter(|(a, b)| **a != Some(**b)).count();
    let title = format!("{} samples, {wrong} taken for another class", positions.len());

    let columns = positions.len().min(if positions.len() > 100 { 20 } else { 8 });
    let rows = positions.len().div_ceil(columns);
    let width = (24.0 + CELL.0 * columns as f64).max(32.0 + font::width(&title, 15.0, true));
    let mut figure = Figure::new(&title, width, 48.0 + CELL.1 * rows as f64);
    figure.heading((16.0, 28.0), &title);
    for (i, &class) in classes.iter().enumerate() {
        let truth = batch.target[i];
        let sample = Sample {
            pixels: grey(&values[i * size..(i + 1) * size], sides, low, high),
            prediction: class.map_or("NaN".to_owned(), name),
            confidence: confidences[i],
            mistaken: (class != Some(truth)).then(|| name(truth)),
        };
        let left = 12.0 + CELL.0 * (i % columns) as f64 + (CELL.0 - SIDE) / 2.0;
        sample.draw(&mut figure, (left, 46.0 + CELL.1 * (i / columns) as f64));
    }
    Ok(figure)
}

/// The longer side of a sample's image.
const SIDE: f64 = 84.0;

/// The width and height of a sample with the text below it: as wide as "✗ Ankle boot 100 %".
const CELL: Point = (120.0, 132.0);

/// The font size of the text below a sample.
const SMALL: f64 = 10.5;

/// A sample to be drawn.
struct Sample {
    pixels: Pixels,
    /// The name of the predicted class.
    prediction: String,
    confidence: Option<f64>,
    /// The name of the true class, if the prediction is wrong.
    mistaken: Option<String>,
}

impl Sample {
    /// Draws the sample, with the image in a square that has its corner at this point.
    fn draw(self, figure: &mut Figure, (left, top): Point) {
        let (columns, rows) = (self.pixels.width, self.pixels.height);
        let scale = SIDE / rows.max(columns) as f64;
        let (w, h) = (columns as f64 * scale, rows as f64 * scale);
        figure.image((left + (SIDE - w) / 2.0, top + (SIDE - h) / 2.0), (w, h), self.pixels);
        let (sign, colour) = match self.mistaken {
            None => ("✓", palette::RIGHT),
            Some(_) => ("✗", palette::WRONG),
        };
        if self.mistaken.is_some() {
            figure.frame((left - 1.5, top - 1.5), (SIDE + 3.0, SIDE + 3.0), colour, 3.0);
        }
        let sure = self.confidence.map_or(String::new(), |share| format!(" {:.0} %", 100.0 * share));
        let wide = font::width(sign, SMALL, false) + 4.0;
        let room = CELL.0 - 8.0 - wide - font::width(&sure, SMALL, false);
        let text = font::fit(&self.prediction, SMALL, false, room) + &sure;
        let from = left + SIDE / 2.0 - (font::width(&text, SMALL, false) + wide) / 2.0;
        figure.text((from, top + SIDE + 15.0), sign, SMALL, colour, Anchor::Start);
        figure.text((from + wide, top + SIDE + 15.0), &text, SMALL, Colour::Ink, Anchor::Start);
        if let Some(truth) = self.mistaken {
            let text = font::fit(&format!("is {truth}"), SMALL, false, CELL.0 - 8.0);
            figure.text((left + SIDE / 2.0, top + SIDE + 29.0), &text, SMALL, colour, Anchor::Middle);
        }
    }
}

/// The greatest number of filters in one figure.
const TILES: usize = 64;

/// The weights of the first layer that has any, with a part for each unit.
struct FirstWeights {
    /// The parameter's name.
    name: String,
    values: Vec<f64>,
    units: usize,
    /// Channels, rows and columns of a unit's part.
    sides: (usize, usize, usize),
    /// True if units are the last axis, as in a dense layer; else they are the first.
    dense: bool,
}

impl FirstWeights {
    fn of<F: Scalar, M: Model<F> + ?Sized>(model: &M) -> Result<Self> {
        let mut found: Option<(String, Vec<usize>, Vec<f64>)> = None;
        model.each_param(&mut |name, param| {
            if found.is_none() && param.shape().len() >= 2 {
                let values = param.as_slice().iter().map(|x| x.as_f64()).collect();
                found = Some((name.to_owned(), param.shape().to_vec(), values));
            }
        });
        let Some((name, shape, values)) = found else {
            return Err(Error::data("the model", "have weights of at least two axes", "none")
                .help("Only dense layers and convolutions can be shown."));
        };
        let (units, sides, dense) = match (&shape[..], sides(model.as_infer().input_shape())) {
            (&[inputs, units], Some(sides)) if inputs == sides.0 * sides.1 * sides.2 => (units, sides, true),
            (&[units, channels, rows, columns], _) => (units, (channels, rows, columns), false),
            _ => {
                return Err(Error::shape(
                    "the first weights",
                    "[pixels, units] or [filters, channels, rows, columns]",
                    &shape,
                )
                .help("Only a dense layer over images, or a convolution, can be shown."));
            }
        };
        if values.is_empty() {
            return Err(Error::shape("the first weights", "[…] with at least one number", &shape)
                .help("Build the model with units."));
        }
        Ok(Self { name, values, units, sides, dense })
    }

    /// Returns number `i` of a unit's part.
    fn of_unit(&self, unit: usize, i: usize) -> f64 {
        let each = self.sides.0 * self.sides.1 * self.sides.2;
        if self.dense { self.values[i * self.units + unit] } else { self.values[unit * each + i] }
    }

    /// Returns the title for this number of drawn units.
    fn title(&self, shown: usize) -> String {
        let Self { name, units, .. } = self;
        let what = if self.dense { "units" } else { "filters" };
        if shown < *units {
            format!("Weights of the first {shown} of {units} {what} in {name:?}")
        } else {
            format!("Weights of {units} {what} in {name:?}")
        }
    }
}

/// Draws the first layer's weights as images: one for each unit of a dense layer, or filter of a convolution.
///
/// ```
/// use plywood::plot;
/// use plywood::prelude::*;
///
/// let model = Sequential::builder([28, 28]).layer(Flatten).layer(Dense::units(16)).build()?;
/// let figure = plot::filters(&model)?;
/// assert_eq!(figure.title(), "Weights of 16 units in \"1.weight\"");
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// A dense layer's unit has a weight for each pixel of the input, a convolution's filter one for each pixel of its
/// kernel. Blue is below 0 and orange above; all images share one scale. The first 64 units are drawn. Several
/// channels are drawn side by side.
///
/// # Errors
/// When the model's input is not an image, or its first weights do not have a number for each pixel.
pub fn filters<F: Scalar, M: Model<F> + ?Sized>(model: &M) -> Result<Figure> {
    let weights = FirstWeights::of(model).map_err(|error| error.at("plot filters"))?;
    let FirstWeights { units, sides: (channels, rows, columns), .. } = weights;
    let each = channels * rows * columns;
    let shown = units.min(TILES);
    let all =
        (0..shown).flat_map(|u| (0..each).map(move |i| (u, i))).map(|(u, i)| weights.of_unit(u, i).abs());
    let most = all.filter(|v| v.is_finite()).fold(0.0, f64::max).max(1e-12);

    let title = weights.title(shown);
    let scale = (72.0 / rows.max(columns) as f64).max(1.0);
    let tile =
        (columns as f64 * scale * channels as f64 + 2.0 * (channels as f64 - 1.0), rows as f64 * scale);
    let gap = 8.0;
    let across = (((720.0 / (tile.0 + gap)) as usize).clamp(1, 8)).min(shown);
    let down = shown.div_ceil(across);
    let (wide, high) = ((tile.0 + gap) * across as f64, (tile.1 + gap) * down as f64);
    let width = (16.0 + wide + 90.0).max(32.0 + font::width(&title, 15.0, true));
    let mut figure = Figure::new(&title, width, 46.0 + high.max(140.0) + 12.0);
    figure.heading((16.0, 28.0), &title);
    for u in 0..shown {
        let (x, y) =
            (16.0 + (tile.0 + gap) * (u % across) as f64, 46.0 + (tile.1 + gap) * (u / across) as f64);
        for c in 0..channels {
            let size = rows * columns;
            let rgb = (0..size)
                .flat_map(|i| palette::diverging(weights.of_unit(u, c * size + i) / most).rgb())
                .collect();
            let at = (x + c as f64 * (columns as f64 * scale + 2.0), y);
            let pixels = Pixels { width: columns, height: rows, rgb };
            figure.image(at, (columns as f64 * scale, tile.1), pixels);
        }
        figure.frame((x, y), tile, Colour::Grid, 1.0);
    }
    let (bar, top, long) = (16.0 + wide + 12.0, 50.0, high.clamp(100.0, 220.0) - 16.0);
    figure.colour_bar((bar, top), long, |i| palette::diverging(1.0 - f64::from(i) / 31.5));
    for (share, value) in [(0.0, most), (0.5, 0.0), (1.0, -most)] {
        let text = super::axes::general((value * 1e3).round() / 1e3);
        figure.text((bar + 20.0, top + long * share + 4.0), &text, 11.0, Colour::Soft, Anchor::Start);
    }
    Ok(figure)
}
