//! The reliability diagram.

use super::axes::{Axes, Scale};
use super::mark::{Anchor, Colour, Text};
use super::{Chart, Figure, palette};
use crate::error::{Error, Result};
use crate::metrics::CalibrationBin;

/// Draws a reliability diagram: accuracy against confidence, by bins of confidence.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
/// use plywood::metrics::CalibrationError;
/// use plywood::plot;
///
/// let mut error = CalibrationError::bins(10);
/// error.update(&arr2(&[[0.9f32, 0.1], [0.4, 0.6]]).into_dyn(), &[0usize, 0][..], None)?;
/// let figure = plot::reliability(&error.reliability())?;
/// # assert!(figure.title().starts_with("Reliability"));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// On the diagonal, confidence equals accuracy: of 100 samples with a confidence of 80 %, 80 are classified
/// correctly. Below it the model is overconfident. The bars at the bottom show the number of samples in each bin. The
/// number in the title is the expected calibration error, the mean distance from the diagonal, weighted by samples:
///
/// ```text
/// Σ samples · |accuracy − confidence| / Σ samples
/// ```
///
/// Source: Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks" (2017).
///
/// # Errors
/// When no bin has samples.
pub fn reliability(bins: &[CalibrationBin]) -> Result<Figure> {
    let bins: Vec<(f64, f64, f64)> = bins
        .iter()
        .map(|bin| (bin.confidence, bin.accuracy, bin.weight))
        .filter(|b| b.2 > 0.0 && b.2.is_finite() && (0.0..=1.0).contains(&b.0) && (0.0..=1.0).contains(&b.1))
        .collect();
    let all: f64 = bins.iter().map(|bin| bin.2).sum();
    if bins.is_empty() {
        return Err(Error::data("the bins", "include one that has samples", "none")
            .help("Confidence and accuracy lie between 0 and 1.")
            .at("plot reliability"));
    }
    let error: f64 = bins.iter().map(|bin| (bin.1 - bin.0).abs() * bin.2).sum::<f64>() / all;
    let title = format!("Reliability: calibration error {:.1} %", 100.0 * error);
    let (width, upper) = (480.0, 420.0);
    let mut figure = Figure::new(&title, width, upper + 130.0);
    let points: Vec<_> = bins.iter().map(|bin| (bin.0, bin.1)).collect();
    Chart::new(title)
        .y_label("accuracy")
        .x_range(0.0, 1.0)
        .y_range(0.0, 1.0)
        .line("the model", &points)
        .guide("as sure as right", &[(0.0, 0.0), (1.0, 1.0)])
        .panel(&mut figure, (0.0, 0.0), (width, upper))?;

    let most = bins.iter().map(|bin| bin.2 / all).fold(0.0, f64::max);
    let y = Scale::new(0.0, (100.0 * most).max(1e-9)).marked(vec![0.0, (100.0 * most).round()]);
    let left = 16.0 + Axes::left_of(&Scale::new(0.0, 1.0), upper - 100.0, true);
    let axes = Axes { at: (left, upper), size: (width - 24.0 - left, 80.0), x: Scale::new(0.0, 1.0), y };
    axes.draw(&mut figure, "confidence", "");
    let bottom = axes.at.1 + axes.size.1;
    for (confidence, _, samples) in &bins {
        let (x, y) = axes.place(*confidence, 100.0 * samples / all);
        figure.rect((x - 5.0, y), (10.0, bottom - y), palette::series(0).0);
    }
    let at = (left - Axes::left_of(&Scale::new(0.0, 1.0), upper - 100.0, true) + 12.0, upper + 40.0);
    figure.lettering(Text::new(at, "samples (%)", 11.0, Colour::Ink, Anchor::Middle).turned(-90.0));
    Ok(figure)
}
