//! Grouped bars, with the spread of several runs.

use super::axes::{BODY, SMALL, Scale};
use super::mark::{Anchor, Colour};
use super::{Figure, font, palette};
use crate::error::{Error, Result};
use crate::metrics::{ClassReport, ClassificationReport, ErrorAnalysis, LabelReport, MeanStd};
use crate::shown::count;

/// A chart of horizontal bars in groups. A bar is the mean of some runs, with the standard deviation as an error bar.
///
/// ```
/// use plywood::plot::Bars;
///
/// let figure = Bars::new("Accuracy after 10 epochs", ["training", "test"])
///     .value_label("accuracy")
///     .group("sigmoid", &[vec![0.56, 0.55, 0.57], vec![0.55, 0.55, 0.56]])
///     .group("ReLU", &[vec![0.78, 0.77, 0.78], vec![0.77, 0.76, 0.77]])
///     .draw()?;
/// # assert_eq!(figure.title(), "Accuracy after 10 epochs");
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Bars begin at 0, and their values are written at their ends. A bar without a finite number is left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Bars {
    title: String,
    value_name: String,
    series: Vec<String>,
    groups: Vec<(String, Vec<MeanStd>)>,
}

/// The greatest number of groups.
const MOST: usize = 1000;

impl Bars {
    /// Makes a chart without groups; each group will have a bar for each of these names.
    pub fn new<S: Into<String>>(title: impl Into<String>, series: impl IntoIterator<Item = S>) -> Self {
        let series = series.into_iter().map(Into::into).collect();
        Self { title: title.into(), value_name: String::new(), series, groups: Vec::new() }
    }

    /// Sets the label of the value axis, with its unit.
    #[must_use]
    pub fn value_label(mut self, name: impl Into<String>) -> Self {
        self.value_name = name.into();
        self
    }

    /// Adds a group: for each bar, in the order of the names, the values of its runs.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>, values: &[Vec<f64>]) -> Self {
        let finite = |runs: &Vec<f64>| runs.iter().copied().filter(|v| v.is_finite()).collect::<Vec<_>>();
        self.groups.push((name.into(), values.iter().map(|runs| MeanStd::of(&finite(runs))).collect()));
        self
    }

    /// Draws the figure.
    ///
    /// # Errors
    /// When there is no finite number, a group does not have as many bars as there are names, or there are more than
    /// 1,000 groups.
    pub fn draw(&self) -> Result<Figure> {
        let scale = self.scale().map_err(|error| error.at(format!("bars {:?}", self.title)))?;
        let n = self.series.len();
        let bar =
            if self.groups.len() <= 12 { 12.0 } else { (12.0 - self.groups.len() as f64 / 8.0).max(4.0) };
        let group = (bar * n as f64 + bar * 0.8).max(13.0);
        let widest =
            self.groups.iter().map(|g| font::width(&g.0, BODY, false)).fold(0.0, f64::max).min(180.0);
        let (left, plot) = (16.0 + widest + 10.0, 430.0);
        let top = if n > 1 { 66.0 } else { 46.0 };
        let high = group * self.groups.len() as f64;
        let mut figure = Figure::new(&self.title, (left + plot + 78.0).max(320.0), top + high + 52.0);
        let room = figure.width() - 32.0;
        figure.heading((16.0, 28.0), &font::fit(&self.title, 15.0, true, room));
        let mut x = left;
        for (i, name) in self.series.iter().enumerate().filter(|_| n > 1) {
            figure.rect((x, 44.0), (12.0, 12.0), palette::series(i).0);
            figure.text((x + 18.0, 54.0), name, BODY, Colour::Ink, Anchor::Start);
            x += font::width(name, BODY, false) + 40.0;
        }
        let place = |v: f64| left + scale.at(v).clamp(0.0, 1.0) * plot;
        for (value, text) in scale.ticks(6) {
            let x = place(value).floor() + 0.5;
            figure.line(&[(x, top), (x, top + high)], Colour::Grid, 1.0, None);
            figure.text((x, top + high + 16.0), &text, SMALL, Colour::Soft, Anchor::Middle);
        }
        figure.text(
            (left + plot / 2.0, top + high + 36.0),
            &self.value_name,
            BODY,
            Colour::Ink,
            Anchor::Middle,
        );
        let numbered = bar >= 8.0;
        let small = self.groups.iter().flat_map(|g| &g.1).all(|s| s.mean.is_nan() || s.mean.abs() <= 1.0);
        for (g, (name, values)) in self.groups.iter().enumerate() {
            let from = top + g as f64 * group + (group - bar * n as f64) / 2.0;
            let name = font::fit(name, BODY, false, widest + 1.0);
            let middle = top + (g as f64 + 0.5) * group;
            figure.text((left - 10.0, middle + 4.0), &name, BODY, Colour::Ink, Anchor::End);
            for (i, spread) in values.iter().enumerate().filter(|(_, s)| scale.takes(s.mean)) {
                let y = from + i as f64 * bar;
                let end = draw_bar(&mut figure, spread, (y, bar), palette::series(i).0, place);
                if numbered {
                    let text = if small {
                        format!("{:.3}", spread.mean).replace('-', "−")
                    } else {
                        super::axes::general(spread.mean)
                    };
                    figure.text((end + 6.0, y + bar / 2.0 + 3.5), &text, 10.0, Colour::Soft, Anchor::Start);
                }
            }
        }
        let x = place(0.0).floor() + 0.5;
        figure.line(&[(x, top), (x, top + high)], Colour::Soft, 1.0, None);
        Ok(figure)
    }

    /// Returns a scale that fits all bars with their standard deviations, or an error if they cannot be drawn.
    fn scale(&self) -> Result<Scale> {
        let n = self.series.len();
        if let Some((name, values)) = self.groups.iter().find(|(_, values)| values.len() != n) {
            return Err(Error::data(
                format!("group {name:?}"),
                format!("have {}", count(n, "bar", "bars")),
                values.len(),
            )
            .help("Give numbers for each of the names."));
        }
        if self.groups.len() > MOST {
            return Err(Error::argument(
                "the number of groups",
                format!("at most {MOST}"),
                self.groups.len(),
            )
            .help("Draw a part of them."));
        }
        let all = || self.groups.iter().flat_map(|(_, values)| values);
        let ends = all().flat_map(|s| [s.mean - s.std_dev, s.mean, s.mean + s.std_dev]);
        let scale =
            Scale::around(ends.chain([0.0]), false, 0.0).unwrap_or_else(|| Scale::new(0.0, 1.0)).rounded(6);
        if !all().any(|s| scale.takes(s.mean)) {
            return Err(Error::data("the bars", "have at least one finite number", "none")
                .help("Check how the values are computed."));
        }
        Ok(scale)
    }
}

/// Draws a bar from 0 to the mean, and an error bar for several runs; returns the end of both.
fn draw_bar(
    figure: &mut Figure,
    spread: &MeanStd,
    (top, thickness): (f64, f64),
    colour: Colour,
    place: impl Fn(f64) -> f64,
) -> f64 {
    let (zero, end) = (place(0.0), place(spread.mean));
    let middle = top + thickness / 2.0;
    figure.rect((zero.min(end), top + 0.5), ((end - zero).abs(), thickness - 1.0), colour);
    let (low, high) = (place(spread.mean - spread.std_dev), place(spread.mean + spread.std_dev));
    if spread.runs > 1 && spread.std_dev > 0.0 {
        figure.line(&[(low, middle), (high, middle)], Colour::Ink, 1.5, None);
        for x in [low, high] {
            let (up, down) = (middle - thickness / 4.0, middle + thickness / 4.0);
            figure.line(&[(x, up), (x, down)], Colour::Ink, 1.5, None);
        }
    }
    end.max(high)
}

/// For each class, draws the model's mean confidence in its predictions of that class, and their accuracy.
///
/// ```
/// use plywood::metrics::ErrorAnalysis;
/// use plywood::plot;
///
/// let analysis = ErrorAnalysis::new(2, &[0, 0, 1], &[0, 1, 1], &[0.9, 0.6, 0.8])?.with_class_names(["cat", "dog"]);
/// let figure = plot::class_calibration(&analysis)?;
/// # assert_eq!(figure.title(), "Confidence and accuracy by predicted class");
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// If the upper bar is the longer one, the model is overconfident. Classes that were never predicted have no bars.
///
/// # Errors
/// When there are more than 1,000 classes, or no samples.
pub fn class_calibration(analysis: &ErrorAnalysis) -> Result<Figure> {
    let mut bars =
        Bars::new("Confidence and accuracy by predicted class", ["mean confidence", "share that is right"])
            .value_label("share of samples");
    for (name, class) in analysis.class_names().iter().zip(&analysis.classes) {
        bars = bars.group(name.as_str(), &[vec![class.confidence], vec![class.accuracy]]);
    }
    bars.draw()
}

/// Draws precision, recall and F1 of each class as bars, and below them their means.
///
/// ```
/// use plywood::metrics::ConfusionMatrix;
/// use plywood::plot;
///
/// let matrix = ConfusionMatrix::new(2, &[0, 0, 1, 1], &[0, 1, 1, 1])?.with_class_names(["cat", "dog"]);
/// let figure = plot::class_scores(&matrix.report())?;
/// # assert_eq!(figure.title(), "Precision, recall and F1 by class");
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// # Errors
/// When there are more than 999 classes.
pub fn class_scores(report: &ClassificationReport) -> Result<Figure> {
    scores("Precision, recall and F1 by class", report.classes.iter().chain([&report.macro_mean]))
}

/// Draws precision, recall and F1 of each label as bars, and below them their means. For samples with several labels.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::metrics::LabelReport;
/// use plywood::plot;
///
/// let (truth, predicted) = (arr2(&[[true, false], [true, true]]), arr2(&[[true, true], [false, true]]));
/// let report = LabelReport::new(&truth, &predicted)?.with_label_names(["rain", "wind"]);
/// let figure = plot::label_scores(&report)?;
/// # assert_eq!(figure.title(), "Precision, recall and F1 by label");
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// [`roc`](super::roc()) draws a curve for each label from [`RocAuc::curves`](crate::metrics::RocAuc::curves).
///
/// # Errors
/// When there are more than 999 labels.
pub fn label_scores(report: &LabelReport) -> Result<Figure> {
    scores("Precision, recall and F1 by label", report.labels.iter().chain([&report.macro_mean]))
}

/// Draws a group of three bars for each line of a report.
fn scores<'a>(title: &str, lines: impl Iterator<Item = &'a ClassReport>) -> Result<Figure> {
    let mut bars = Bars::new(title, ["precision", "recall", "F1"]).value_label("share of samples");
    for line in lines {
        let values = [line.precision, line.recall, line.f1].map(|v| vec![v]);
        bars = bars.group(line.name.as_str(), &values);
    }
    bars.draw()
}
